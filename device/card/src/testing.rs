//! What only tests may do: put keys with known bytes into the card, to run published vectors through its commands; and look
//! at its secrets, to search for them where they must not be.
//!
//! The module exists with the feature `testing` alone, which only the tests of this crate ask for.

use crate::Card;
use crate::error;
use crate::identity::RequestDescription;
use crate::key::Key;
use crate::objects::object;
use crate::platform::Platform;
use crate::response::Response;
use ferrite_crypto::ec;
use ferrite_crypto::secret_key::SecretKey;
use ferrite_proto::command::Attributes;
use ferrite_proto::cvc::Origin;
use ferrite_proto::fid::KeyId;
use ferrite_proto::status::Status;
use ferrite_store::{Change, Flash, Seal};
use zeroize::Zeroizing;

/// Stores a key of 16, 24, 32 or 64 bytes under an identifier, in place of any that is there. The user must be logged in.
///
/// # Errors
/// 6400 for a key of another length, 6A86 for the device key's identifier, otherwise as GENERATE SYMMETRIC KEY.
pub fn plant_secret_key<P: Platform, F: Flash>(card: &mut Card<'_, P, F>, id: u8, key: &[u8]) -> Result<(), Status> {
    let id = KeyId::new(id);
    if id == KeyId::DEVICE {
        return Err(Status::WRONG_P1P2);
    }
    plant(card, id, &Key::Aes(SecretKey::from_bytes(key).map_err(error::crypto)?), Attributes::default())
}

/// Stores a key on a curve, for exchanges in a key domain, in place of any that is there. The user must be logged in.
///
/// # Errors
/// 6400 for a scalar that is none, 6A86 for the device key's identifier, otherwise as UNWRAP KEY.
pub fn plant_exchange_key<P: Platform, F: Flash>(
    card: &mut Card<'_, P, F>,
    id: u8,
    curve: ec::Curve,
    scalar: &[u8],
    domain: u8,
) -> Result<(), Status> {
    let id = KeyId::new(id);
    if id == KeyId::DEVICE {
        return Err(Status::WRONG_P1P2);
    }
    let key = Key::Ec(ec::PrivateKey::from_bytes(curve, scalar).map_err(error::crypto)?);
    let attributes = Attributes { algorithms: Some(&[0x84]), domain: Some(domain), ..Attributes::default() };
    plant(card, id, &key, attributes)
}

fn plant<P: Platform, F: Flash>(
    card: &mut Card<'_, P, F>,
    id: KeyId,
    key: &Key,
    attributes: Attributes<'_>,
) -> Result<(), Status> {
    let request = RequestDescription { id, origin: Origin::Imported, attributes, car: None, chr: None };
    card.hsm.store_new_key(key, &request, &mut Response::new(&mut [0; 1024], 0))
}

/// Replaces the device key by one on P-256; the certificate that names it is the test's to write.
///
/// # Errors
/// 6400 for a scalar that is none, 6581 if it cannot be stored.
pub fn plant_device_key<P: Platform, F: Flash>(card: &mut Card<'_, P, F>, scalar: &[u8]) -> Result<(), Status> {
    let key = Key::Ec(ec::PrivateKey::from_bytes(ec::Curve::P256, scalar).map_err(error::crypto)?);
    let mut stored = Zeroizing::new([0; Key::MAX_STORED]);
    let len = key.store(&mut stored)?;
    let content = stored.get(..len).unwrap_or_default();
    let put = Change::Put { id: object(KeyId::DEVICE.key()), seal: Seal::Device, meta: &[], content, counter: None };
    let hsm = &mut card.hsm;
    let rng = hsm.random.generator(&mut hsm.platform).map_err(error::entropy)?;
    hsm.storage.open()?.commit(&[put], rng).map_err(error::storage)
}

/// Calls `each` with the name and the bytes of what the card keeps secret while somebody is logged in: login key, MKEK, the
/// key-encryption key, and the stored forms of the device key and of all keys.
///
/// # Errors
/// 6400 if nobody is logged in; 6581.
pub fn secrets<P: Platform, F: Flash>(
    card: &mut Card<'_, P, F>,
    each: &mut dyn FnMut(&str, &[u8]),
) -> Result<(), Status> {
    let hsm = &mut card.hsm;
    each("login key", hsm.session.login()?.bytes());
    each("MKEK", hsm.session.mkek()?.bytes());
    let kek = hsm.session.mkek()?.kek();
    for key in 0..=u8::MAX {
        let id = object(KeyId::new(key).key());
        let seal = if key == 0 { Seal::Device } else { Seal::Secret(&kek) };
        let mut stored = Zeroizing::new([0; Key::MAX_STORED]);
        match hsm.storage.open()?.read(id, seal, 0, stored.as_mut()) {
            Ok(len) => each("key", stored.get(..len).unwrap_or_default()),
            Err(ferrite_store::Error::NotFound) => {}
            Err(other) => return Err(error::storage(other)),
        }
    }
    Ok(())
}
