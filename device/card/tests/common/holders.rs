//! Devices whose keys log in to others.

use super::pki::{ISSUER, ROOT, Signer, choose, content};
use super::{Device, SO_PIN, USER_PIN, apdu, generate_p256, initialize, tlv, update};
use ferrite_crypto::ec::Curve;
use ferrite_proto::cvc::Request;
use ferrite_store::testing::SharedFlash;

pub const STATUS: [u8; 4] = [0x80, 0x54, 0x00, 0x00];

pub fn root() -> Signer {
    Signer::new("UTROOT00001", Curve::P256)
}

pub fn issuer() -> Signer {
    Signer::new("UTISSU00001", Curve::P256).without_domain()
}

/// INITIALIZE with public-key authentication.
pub fn with_keys(options: [u8; 2], total: u8, required: u8, further: &[u8]) -> Vec<u8> {
    let pins = [tlv(&[0x80], &options), tlv(&[0x81], USER_PIN), tlv(&[0x82], SO_PIN)].concat();
    apdu(0x80, 0x50, 0, 0, &[pins, tlv(&[0x93], &[total, required]), further.to_vec()].concat(), None)
}

pub fn register(request: &[u8]) -> Vec<u8> {
    apdu(0x80, 0x54, 0x00, 0x00, &content(request), Some(256))
}

pub fn replace(slot: u8, request: &[u8]) -> Vec<u8> {
    apdu(0x80, 0x54, 0x01, slot, &content(request), Some(256))
}

pub fn answer(signature: &[u8]) -> Vec<u8> {
    apdu(0x00, 0x82, 0x00, 0x00, signature, None)
}

pub fn challenge(device: &mut Device, len: usize) -> Vec<u8> {
    device.ok(&apdu(0x00, 0x84, 0x00, 0x00, &[], Some(len)))
}

/// A device that holds a key for logging in elsewhere, with a certificate of its own.
pub struct Holder {
    pub device: Device,
    pub certificate: Vec<u8>,
    pub request: Vec<u8>,
    pub chr: String,
    pub name: String,
}

impl Holder {
    pub fn new(number: u8) -> Self {
        let (mut device, _) = Device::numbered(number);
        device.ok(&initialize(&[0, 1], USER_PIN, SO_PIN));
        device.select();
        let name = format!("UTHOLD{number:03}00001");
        let certificate =
            device.enrol(&name, &issuer(), &[root().issue_to(&issuer(), ISSUER), root().self_signed(ROOT)]);
        device.login();
        // No holder reference of its own: the key is called what the device is.
        let template = {
            let oid = hex::decode("04007F00070202020203").unwrap();
            let domain = Curve::P256.domain();
            [tlv(&[0x06], &oid), tlv(&[0x81], domain.prime), tlv(&[0x82], domain.a)].concat()
        };
        let request = device.ok(&apdu(0x00, 0x46, 1, 0, &tlv(&[0x7F, 0x49], &template), Some(65536)));
        let chr = String::from_utf8(Request::parse(&request).unwrap().certificate.body.chr.to_vec()).unwrap();
        Self { device, certificate, request, chr, name }
    }

    /// Registers its key, as clients do: certificates first.
    pub fn register_at(&self, target: &mut Device) -> Vec<u8> {
        self.introduce_to(target);
        target.ok(&register(&self.request))
    }

    pub fn introduce_to(&self, target: &mut Device) {
        target.import(&root().issue_to(&issuer(), ISSUER));
        target.import(&self.certificate);
        target.ok(&choose(0xB6, &self.name));
    }

    pub fn answer(&mut self, target: &str, challenge: &[u8]) -> Vec<u8> {
        let signature = self.device.sign_raw(1, &[target.as_bytes(), challenge].concat());
        answer(&signature)
    }

    /// Answers a challenge of its own.
    pub fn log_in_at(&mut self, target: &mut Device) {
        let name = target.name();
        target.ok(&choose(0xA4, &self.chr));
        let challenge = challenge(target, 8);
        let answer = self.answer(&name, &challenge);
        target.ok(&answer);
    }
}

/// A device that needs two of three holders, all registered, nobody logged in.
pub fn guarded(options: [u8; 2]) -> (Device, [Holder; 3]) {
    let (device, _, holders) = guarded_with(options, &[], |device| _ = device.ok(&generate_p256(1, &[])));
    (device, holders)
}

/// The same, initialised with further data objects and filled by its first user.
pub fn guarded_with(
    options: [u8; 2],
    further: &[u8],
    fill: impl FnOnce(&mut Device),
) -> (Device, SharedFlash, [Holder; 3]) {
    let (mut target, flash) = Device::blank();
    target.ok(&with_keys(options, 3, 2, further));
    target.ok(&update(0xCA00, 0, &root().self_signed(ROOT)));
    fill(&mut target);
    assert_eq!(target.ok(&STATUS), [3, 3, 2, 0]);
    target.select();
    target.login();
    let holders = [1, 2, 3].map(Holder::new);
    for (holder, missing) in holders.iter().zip([2, 1, 0]) {
        assert_eq!(holder.register_at(&mut target), [3, missing, 2, 0]);
    }
    target.select();
    (target, flash, holders)
}
