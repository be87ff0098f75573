//! A card on a flash that can lose its power, and short names for the commands the tests send.
#![allow(dead_code, unreachable_pub, reason = "every test file uses its own part of this module")]

pub mod holders;
pub mod host;
pub mod pki;

use ferrite_card::{
    Activity, Board, Card, Clock, CommandBuffer, Entropy, EntropyError, Identity, Indicator, Observer, PlatformKind,
    Presence, Restart, SecureBoot, SecureBootError, UserPresence, Workspace,
};
use ferrite_crypto::Join;
use ferrite_store::testing::SharedFlash;
use std::time::Duration;

pub const USER_PIN: &[u8] = b"648219";
pub const SO_PIN: &[u8] = b"57621880";
pub const AID: &[u8] = &[0xE8, 0x2B, 0x06, 0x01, 0x04, 0x01, 0x81, 0xC3, 0x1F, 0x02, 0x01];

/// Pages of flash the tests give a card: small, so that pages fill up and are reused.
pub const PAGES: usize = 64;

/// A platform whose entropy is a fixed pseudo-random stream, so that a run can be repeated up to a power cut.
pub struct TestPlatform {
    state: u64,
    pub presence: Presence,
    pub asked: usize,
    pub broken_entropy: bool,
    /// What confirmations were waited for, at most.
    pub limits: Vec<Duration>,
    /// What the indicator showed.
    pub shown: Vec<Activity>,
    pub millis: u64,
    /// Restarts that were arranged, on a board that has them.
    pub restarts: Option<Vec<Restart>>,
    /// Slots for boot keys, and which were burnt.
    pub boot_keys: (u8, Vec<(u8, bool)>),
    pub unique_id: [u8; 8],
}

impl TestPlatform {
    pub fn new(seed: u64) -> Self {
        Self {
            state: seed | 1,
            presence: Presence::Confirmed,
            asked: 0,
            broken_entropy: false,
            limits: Vec::new(),
            shown: Vec::new(),
            millis: 0,
            restarts: None,
            boot_keys: (0, Vec::new()),
            unique_id: [1, 2, 3, 4, 5, 6, 7, 8],
        }
    }
}

impl Entropy for TestPlatform {
    fn sample(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        for byte in out {
            self.state ^= self.state << 13;
            self.state ^= self.state >> 7;
            self.state ^= self.state << 17;
            *byte = if self.broken_entropy { 0x55 } else { (self.state >> 32) as u8 };
        }
        Ok(())
    }
}

impl Clock for TestPlatform {
    fn millis(&mut self) -> u64 {
        self.millis
    }
}

impl UserPresence for TestPlatform {
    fn confirm(&mut self, limit: Duration) -> Presence {
        self.asked += 1;
        self.limits.push(limit);
        self.presence
    }
}

impl Identity for TestPlatform {
    fn root_key(&mut self, out: &mut [u8; 32]) {
        out.fill(0x5A);
    }
    fn unique_id(&self) -> [u8; 8] {
        self.unique_id
    }
    fn kind(&self) -> PlatformKind {
        PlatformKind::Virtual
    }
}

impl Indicator for TestPlatform {
    fn show(&mut self, activity: Activity) {
        self.shown.push(activity);
    }
}

impl Board for TestPlatform {
    fn has_led_pin(&self, pin: u8) -> bool {
        pin < 30
    }
    fn can_restart(&self, _: Restart) -> bool {
        self.restarts.is_some()
    }
    fn restart(&mut self, restart: Restart) {
        self.restarts.as_mut().expect("a board that restarts").push(restart);
    }
}

impl SecureBoot for TestPlatform {
    fn boot_key_slots(&self) -> u8 {
        self.boot_keys.0
    }
    fn enable_secure_boot(&mut self, slot: u8, lock: bool) -> Result<(), SecureBootError> {
        self.boot_keys.1.push((slot, lock));
        Ok(())
    }
}

impl Observer for TestPlatform {
    type Progress = ();

    fn progress(&mut self) {}
}

impl Join for TestPlatform {
    fn join<A: Send, B: Send>(&mut self, a: impl FnOnce() -> A + Send, b: impl FnOnce() -> B + Send) -> (A, B) {
        (a(), b())
    }
}

/// A card under test.
pub struct Device {
    pub card: Card<'static, TestPlatform, SharedFlash>,
    command: Box<CommandBuffer>,
}

impl Device {
    /// Powers a card up on a flash.
    pub fn start(flash: &SharedFlash) -> Self {
        Self::with(flash, TestPlatform::new(0x9E37_79B9_7F4A_7C15))
    }

    pub fn with(flash: &SharedFlash, platform: TestPlatform) -> Self {
        let workspace = Box::leak(Box::new(Workspace::new()));
        Self { card: Card::new(platform, flash.clone(), workspace), command: Box::new(CommandBuffer::new()) }
    }

    /// A blank card on a blank flash.
    pub fn blank() -> (Self, SharedFlash) {
        let flash = SharedFlash::new(PAGES);
        (Self::start(&flash), flash)
    }

    /// A blank card on a blank flash, of another device than all others with another number.
    pub fn numbered(number: u8) -> (Self, SharedFlash) {
        let flash = SharedFlash::new(PAGES);
        let mut platform = TestPlatform::new(0x9E37_79B9_7F4A_7C15 ^ (u64::from(number) << 40));
        platform.unique_id = [number; 8];
        (Self::with(&flash, platform), flash)
    }

    /// A card initialised with [`USER_PIN`] and [`SO_PIN`], nobody logged in.
    pub fn initialised() -> (Self, SharedFlash) {
        let (mut device, flash) = Self::blank();
        device.ok(&initialize(&[0x00, 0x01], USER_PIN, SO_PIN));
        device.select();
        (device, flash)
    }

    /// An initialised card with other random numbers.
    pub fn with_seed(seed: u64) -> (Self, SharedFlash) {
        let flash = SharedFlash::new(PAGES);
        let mut device = Self::with(&flash, TestPlatform::new(seed));
        device.ok(&initialize(&[0x00, 0x01], USER_PIN, SO_PIN));
        (device, flash)
    }

    /// Sends an APDU; answers response data and status word.
    pub fn send(&mut self, apdu: &[u8]) -> (Vec<u8>, u16) {
        self.command.load(apdu);
        let answer = self.card.transmit(&mut self.command);
        let (data, status) = answer.split_last_chunk::<2>().expect("every answer ends with a status word");
        (data.to_vec(), u16::from_be_bytes(*status))
    }

    pub fn status(&mut self, apdu: &[u8]) -> u16 {
        self.send(apdu).1
    }

    /// Sends an APDU that must succeed.
    #[track_caller]
    pub fn ok(&mut self, apdu: &[u8]) -> Vec<u8> {
        let (data, status) = self.send(apdu);
        assert_eq!(status, 0x9000, "{}", hex::encode(&apdu[..apdu.len().min(16)]));
        data
    }

    pub fn select(&mut self) {
        self.ok(&apdu(0x00, 0xA4, 0x04, 0x00, AID, Some(256)));
    }

    /// Puts a secret key with known bytes into the card.
    pub fn plant(&mut self, key: u8, bytes: &[u8]) {
        ferrite_card::testing::plant_secret_key(&mut self.card, key, bytes).expect("a legal key, and a user");
    }

    pub fn login(&mut self) {
        self.ok(&verify(0x81, USER_PIN));
    }
}

/// Builds an extended command APDU.
pub fn apdu(cla: u8, ins: u8, p1: u8, p2: u8, data: &[u8], le: Option<usize>) -> Vec<u8> {
    let mut apdu = vec![cla, ins, p1, p2];
    if !data.is_empty() {
        apdu.push(0);
        apdu.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        apdu.extend(data);
    }
    if let Some(le) = le {
        if data.is_empty() {
            apdu.push(0);
        }
        apdu.extend(((le & 0xFFFF) as u16).to_be_bytes());
    }
    apdu
}

pub fn tlv(tag: &[u8], value: &[u8]) -> Vec<u8> {
    let mut out = tag.to_vec();
    match value.len() {
        len @ 0..=0x7F => out.push(len as u8),
        len @ 0x80..=0xFF => out.extend([0x81, len as u8]),
        len => {
            out.push(0x82);
            out.extend((len as u16).to_be_bytes());
        }
    }
    out.extend(value);
    out
}

pub fn verify(reference: u8, pin: &[u8]) -> Vec<u8> {
    apdu(0x00, 0x20, 0x00, reference, pin, None)
}

pub fn initialize(options: &[u8], user: &[u8], officer: &[u8]) -> Vec<u8> {
    let data = [tlv(&[0x80], options), tlv(&[0x81], user), tlv(&[0x82], officer), tlv(&[0x91], &[3])].concat();
    apdu(0x80, 0x50, 0x00, 0x00, &data, None)
}

pub fn update(file: u16, offset: u16, content: &[u8]) -> Vec<u8> {
    let data = [tlv(&[0x54], &offset.to_be_bytes()), tlv(&[0x53], content)].concat();
    apdu(0x00, 0xD7, (file >> 8) as u8, file as u8, &data, None)
}

pub fn read(file: u16, offset: u16) -> Vec<u8> {
    apdu(0x00, 0xB1, (file >> 8) as u8, file as u8, &tlv(&[0x54], &offset.to_be_bytes()), Some(65536))
}

pub fn delete(file: u16) -> Vec<u8> {
    apdu(0x00, 0xE4, 0x02, 0x00, &file.to_be_bytes(), None)
}

pub fn select_file(file: u16) -> Vec<u8> {
    apdu(0x00, 0xA4, 0x00, 0x00, &file.to_be_bytes(), Some(256))
}

pub fn sign(key: u8, algorithm: u8, data: &[u8]) -> Vec<u8> {
    apdu(0x80, 0x68, key, algorithm, data, Some(512))
}

/// SYMMETRIC CIPHER; without `le` the data of the answer is fetched by GET RESPONSE.
pub fn symmetric(key: u8, algorithm: u8, data: &[u8], le: Option<usize>) -> Vec<u8> {
    apdu(0x80, 0x78, key, algorithm, data, le)
}

/// The data of the extended interface of SYMMETRIC CIPHER: an object identifier in hexadecimal and other data objects.
pub fn extended(oid: &str, objects: &[(u8, &[u8])]) -> Vec<u8> {
    let mut data = tlv(&[0x06], &hex::decode(oid).unwrap());
    objects.iter().for_each(|(tag, value)| data.extend(tlv(&[*tag], value)));
    data
}

/// GENERATE SYMMETRIC KEY.
pub fn generate_secret(key: u8, len: u8, attributes: &[u8]) -> Vec<u8> {
    apdu(0x00, 0x48, key, len, attributes, None)
}

/// GENERATE ASYMMETRIC KEY PAIR for P-256, with attribute TLVs behind the template.
pub fn generate_p256(key: u8, attributes: &[u8]) -> Vec<u8> {
    let prime = hex::decode("FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF").unwrap();
    let a = hex::decode("FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFC").unwrap();
    generate_weierstrass(key, &prime, &a, attributes)
}

/// GENERATE ASYMMETRIC KEY PAIR for P-521.
pub fn generate_p521(key: u8) -> Vec<u8> {
    let prime = [&[0x01][..], &[0xFF; 65]].concat();
    let a = [&prime[..65], &[0xFC]].concat();
    generate_weierstrass(key, &prime, &a, &[])
}

fn generate_weierstrass(key: u8, prime: &[u8], a: &[u8], attributes: &[u8]) -> Vec<u8> {
    let oid = hex::decode("04007F00070202020203").unwrap();
    let template = [tlv(&[0x06], &oid), tlv(&[0x81], prime), tlv(&[0x82], a)].concat();
    generate(key, &template, attributes)
}

/// GENERATE ASYMMETRIC KEY PAIR on a curve, named by prime and the objects 82 and 83.
pub fn generate_ec(key: u8, prime: &[u8], a: Option<&[u8]>, b: &[u8]) -> Vec<u8> {
    let oid = hex::decode("04007F00070202020203").unwrap();
    let a = a.map(|a| tlv(&[0x82], a)).unwrap_or_default();
    generate(key, &[tlv(&[0x06], &oid), tlv(&[0x81], prime), a, tlv(&[0x83], b)].concat(), &[])
}

/// GENERATE ASYMMETRIC KEY PAIR for RSA.
pub fn generate_rsa(key: u8, bits: u16) -> Vec<u8> {
    let oid = hex::decode("04007F00070202020102").unwrap();
    let template = [tlv(&[0x06], &oid), tlv(&[0x82], &[1, 0, 1]), tlv(&[0x02], &bits.to_be_bytes())].concat();
    generate(key, &template, &[])
}

fn generate(key: u8, template: &[u8], attributes: &[u8]) -> Vec<u8> {
    let data = [
        tlv(&[0x5F, 0x29], &[0]),
        tlv(&[0x42], b"UTCA00001"),
        tlv(&[0x7F, 0x49], template),
        tlv(&[0x5F, 0x20], b"UTTEST00001"),
        attributes.to_vec(),
    ]
    .concat();
    apdu(0x00, 0x46, key, 0x00, &data, Some(65536))
}
