//! What only tests may do: put a secret key with known bytes into the card, to run published vectors through its commands.
//!
//! The module exists with the feature `testing` alone, which only the tests of this crate ask for.

use crate::Card;
use crate::error;
use crate::key::Key;
use crate::platform::Platform;
use ferrite_crypto::secret_key::SecretKey;
use ferrite_proto::command::Attributes;
use ferrite_proto::fid::KeyId;
use ferrite_proto::status::Status;
use ferrite_store::Flash;

/// Stores a key of 16, 24, 32 or 64 bytes under an identifier, in place of any that is there. The user must be logged in.
///
/// # Errors
/// 6400 for a key of another length, 6A86 for the device key's identifier, otherwise as GENERATE SYMMETRIC KEY.
pub fn plant_secret_key<P: Platform, F: Flash>(card: &mut Card<'_, P, F>, id: u8, key: &[u8]) -> Result<(), Status> {
    let id = KeyId::new(id);
    if id == KeyId::DEVICE {
        return Err(Status::WRONG_P1P2);
    }
    let key = Key::Aes(SecretKey::from_bytes(key).map_err(error::crypto)?);
    card.hsm.store_new_key(id, &key, &Attributes::default(), None)
}
