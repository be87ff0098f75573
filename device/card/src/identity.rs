//! Who this device is: its name, its key, its certificate, and the requests it attests (specification part 1
//! §5.5-5.7).
//!
//! The device key is sealed under the root key, not under a PIN, so that it can serve before anybody logs in. It is
//! made at the first INITIALIZE and stays; a certificate that an authority issued for it survives too.

use crate::error;
use crate::hsm::Hsm;
use crate::key::{Key, KeyKind};
use crate::objects::object;
use crate::platform::Platform;
use crate::response::Response;
use ferrite_crypto::{ec, hash::Hash, kdf};
use ferrite_proto::command::Attributes;
use ferrite_proto::cvc::{self, Body, Extensions, Origin, PublicKey, Validity};
use ferrite_proto::fid::{FileId, KeyId};
use ferrite_proto::status::Status;
use ferrite_store::{Flash, Seal};
use zeroize::Zeroizing;

/// Longest device name: OpenSC takes up to 16 characters as outer authority reference.
const MAX_NAME: usize = 16;
/// Longest extensions: a key domain, and attributes as long as a record's metadata, in bytes.
const MAX_EXTENSIONS: usize = 152 + 32 + ferrite_store::MAX_META;
/// Longest body and certificate of any key here (RSA-4096 with 64-byte references), in bytes.
const MAX_BODY: usize = 832 + MAX_EXTENSIONS;
const MAX_SIGNATURE: usize = ferrite_crypto::rsa::MAX_MODULUS;
const MAX_CERTIFICATE: usize = MAX_BODY + MAX_SIGNATURE + 16;
/// OpenSC reads at most this much of EF.C_DevAut.
pub(crate) const MAX_DEVICE_CERTIFICATE: usize = 1024;

/// A device's name: the holder reference (CHR) of its first certificate.
pub(crate) type Name = heapless::Vec<u8, MAX_NAME>;

/// The name a device gives itself: country `UT`, nine characters of its unique id, sequence number `00001`.
pub(crate) fn own_name(unique_id: &[u8; 8]) -> Name {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let mut hash = [0; 9];
    kdf::hkdf_sha256(&[], unique_id, &[b"ferrite device name"], &mut hash);
    let mnemonic = hash.into_iter().filter_map(|byte| ALPHABET.get(usize::from(byte & 31)).copied());
    b"UT".iter().copied().chain(mnemonic).chain(*b"00001").collect()
}

/// The device's key and certificates as INITIALIZE finds or makes them.
pub(crate) struct Identity {
    pub(crate) key: Zeroizing<[u8; Key::MAX_STORED]>,
    pub(crate) key_len: usize,
    pub(crate) certificate: heapless::Vec<u8, MAX_DEVICE_CERTIFICATE>,
    pub(crate) request: heapless::Vec<u8, MAX_DEVICE_CERTIFICATE>,
}

/// What a certificate request says of a key.
pub(crate) struct RequestDescription<'a> {
    pub(crate) id: KeyId,
    pub(crate) origin: Origin,
    pub(crate) attributes: Attributes<'a>,
    /// Inner authority reference; `None`: the device's name.
    pub(crate) car: Option<&'a [u8]>,
    /// Holder reference; `None`: the device's name.
    pub(crate) chr: Option<&'a [u8]>,
}

/// What a certificate says besides the key.
#[derive(Clone, Copy)]
struct Subject<'a> {
    car: &'a [u8],
    chr: &'a [u8],
    validity: Option<Validity>,
    extensions: Extensions<'a>,
}

impl<P: Platform, F: Flash> Hsm<'_, P, F> {
    /// The device key.
    pub(crate) fn device_key(&mut self) -> Result<ec::PrivateKey, Status> {
        let mut stored = Zeroizing::new([0; Key::MAX_STORED]);
        let id = object(KeyId::DEVICE.key());
        let len = self.storage.open()?.read(id, Seal::Device, 0, stored.as_mut()).map_err(error::storage)?;
        match Key::load(KeyKind::Ec, stored.get(..len).unwrap_or_default())? {
            Key::Ec(key) => Ok(key),
            _ => Err(Status::EXECUTION),
        }
    }

    /// Re-reads the device's name from its certificate file.
    pub(crate) fn reload_name(&mut self) {
        let mut first = [0; MAX_DEVICE_CERTIFICATE];
        let name = self.first_certificate(&mut first).and_then(|(first, _)| Name::from_slice(first.body.chr).ok());
        self.name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| own_name(&self.platform.unique_id()));
    }

    /// The first certificate in EF.C_DevAut, if there is a readable one, and what follows it.
    pub(crate) fn first_certificate<'b>(&mut self, buffer: &'b mut [u8]) -> Option<(cvc::Certificate<'b>, &'b [u8])> {
        let store = self.storage.open().ok()?;
        let len = store.read(object(FileId::DEVICE_CERTIFICATE), Seal::Public, 0, buffer).ok()?;
        cvc::Certificate::parse(buffer.get(..len)?).ok()
    }

    /// Whether the device has a key and a certificate for it, which INITIALIZE then keeps: one that an authority issued,
    /// or the device itself. A user may write that file, so a certificate in the device's own name counts only if the
    /// device signed it, and only alone.
    pub(crate) fn has_identity(&mut self) -> bool {
        let Ok(key) = self.device_key() else { return false };
        let mut buffer = [0; MAX_DEVICE_CERTIFICATE];
        let Ok(public_key) = key.public_key() else { return false };
        self.first_certificate(&mut buffer).is_some_and(|(certificate, rest)| {
            let is_ours =
                matches!(certificate.body.public_key, PublicKey::Ec { point, .. } if point == public_key.as_ref());
            let is_self_issued = certificate.body.car == certificate.body.chr;
            let digest = Hash::Sha256.digest(&[certificate.signed]);
            let verified =
                ec::verify(ec::Curve::P256, public_key.as_ref(), digest.as_ref(), certificate.signature).is_ok();
            is_ours && (!is_self_issued || (verified && rest.is_empty()))
        })
    }

    /// Whether an authority's certificate for the device key is there.
    pub(crate) fn is_certified(&mut self) -> bool {
        let Ok(key) = self.device_key() else { return false };
        let Ok(public_key) = key.public_key() else { return false };
        let mut buffer = [0; MAX_DEVICE_CERTIFICATE];
        self.first_certificate(&mut buffer).is_some_and(|(certificate, _)| {
            let is_ours =
                matches!(certificate.body.public_key, PublicKey::Ec { point, .. } if point == public_key.as_ref());
            is_ours && certificate.body.car != certificate.body.chr
        })
    }

    /// Makes what the device lacks: a key if it has none, a self-signed certificate and a request for it.
    pub(crate) fn make_identity(&mut self) -> Result<Identity, Status> {
        let device_key = self.device_key();
        let rng = self.random.fresh(&mut self.platform).map_err(error::entropy)?;
        let key = device_key.unwrap_or_else(|_| ec::PrivateKey::generate(ec::Curve::P256, rng));
        let name = own_name(&self.platform.unique_id());
        let mut stored = Zeroizing::new([0; Key::MAX_STORED]);
        let key = Key::Ec(key);
        let key_len = key.store(&mut stored)?;
        let Key::Ec(signer) = &key else { return Err(Status::INTERNAL) };

        let mut certificate = [0; MAX_DEVICE_CERTIFICATE];
        let request = Subject { car: &name, chr: &name, validity: None, extensions: Extensions::default() };
        let issued = Subject { validity: Some(Validity::SELF_ISSUED), ..request };
        let len = self.certificate(&key, &issued, &mut certificate)?;
        let certificate = certificate.get(..len).ok_or(Status::INTERNAL)?;
        let mut written = [0; MAX_DEVICE_CERTIFICATE];
        let len = self.attested_request(&key, &request, &name, signer, &mut written)?;
        let request = written.get(..len).ok_or(Status::INTERNAL)?;
        Ok(Identity {
            certificate: heapless::Vec::from_slice(certificate).map_err(|_| Status::INTERNAL)?,
            request: heapless::Vec::from_slice(request).map_err(|_| Status::INTERNAL)?,
            key: stored,
            key_len,
        })
    }

    /// Writes the authenticated certificate request for a new key: signed by the key itself, if it can, then by the device.
    pub(crate) fn write_request(
        &mut self,
        key: &Key,
        description: &RequestDescription<'_>,
        response: &mut Response<'_>,
    ) -> Result<(), Status> {
        let device_key = self.device_key().map_err(|_| Status::EXECUTION)?;
        let name = self.name.clone();
        let RequestDescription { id, origin, attributes, car, chr } = *description;
        let uid = self.exchange_domain_of(key, &attributes)?;
        let number = matches!(key, Key::Aes(_)).then_some(id.value());
        let extensions = Extensions { key_domain: uid.as_deref(), origin, key: number, attributes };
        let subject = Subject { car: car.unwrap_or(&name), chr: chr.unwrap_or(&name), validity: None, extensions };
        let len = self.attested_request(key, &subject, &name, &device_key, response.space())?;
        response.advance(len)
    }

    /// A certificate request (67): certificate, outer authority reference, outer signature.
    fn attested_request(
        &mut self,
        key: &Key,
        subject: &Subject<'_>,
        outer_car: &[u8],
        signer: &ec::PrivateKey,
        out: &mut [u8],
    ) -> Result<usize, Status> {
        let mut certificate = [0; MAX_CERTIFICATE];
        let len = self.certificate(key, subject, &mut certificate)?;
        let certificate = certificate.get(..len).ok_or(Status::INTERNAL)?;
        let mut outer = [0; 80];
        let len = cvc::write_outer_car(outer_car, &mut outer).map_err(|_| Status::INTERNAL)?;
        let digest = Hash::Sha256.digest(&[certificate, outer.get(..len).unwrap_or_default()]);
        let rng = self.random.generator(&mut self.platform).map_err(error::entropy)?;
        let mut signature = [0; 64];
        let len = signer.sign(digest.as_ref(), rng).and_then(|s| s.to_raw(&mut signature)).map_err(error::crypto)?;
        let signature = signature.get(..len).unwrap_or_default();
        cvc::write_request(certificate, outer_car, signature, out).map_err(|_| Status::INTERNAL)
    }

    /// A certificate (7F21) signed by the key it certifies; with a validity it also carries a role.
    fn certificate(&mut self, key: &Key, subject: &Subject<'_>, out: &mut [u8]) -> Result<usize, Status> {
        let Subject { car, chr, validity, extensions } = *subject;
        let public_key = key.shown(extensions.origin)?;
        let role = validity.map(|_| cvc::Role::SELF_ISSUED);
        let mut written = [0; MAX_EXTENSIONS];
        let len = extensions.write(&mut written).map_err(|_| Status::INTERNAL)?;
        let extensions = written.get(..len).filter(|extensions| !extensions.is_empty());
        let body = Body { car, public_key: public_key.as_cvc(), chr, role, validity, extensions };
        let mut body_tlv = [0; MAX_BODY];
        let len = body.write(&mut body_tlv).map_err(|_| Status::INTERNAL)?;
        let body_tlv = body_tlv.get(..len).unwrap_or_default();
        let rng = self.random.generator(&mut self.platform).map_err(error::entropy)?;
        let mut signature = [0; MAX_SIGNATURE];
        let len = key.sign_body(body_tlv, &mut signature, rng, &mut self.platform)?;
        let signature = signature.get(..len).unwrap_or_default();
        cvc::write_certificate(body_tlv, signature, out).map_err(|_| Status::INTERNAL)
    }
}
