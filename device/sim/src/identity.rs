//! The identity of a virtual device, which no chip keeps for it: root key and unique id, in the file `device.key`.

use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop};

const MAGIC: [u8; 8] = *b"ferrite1";
const ROOT_KEY: usize = 32;
const UNIQUE_ID: usize = 8;
const CHECK: usize = 8;

/// Size of an encoded identity: magic `ferrite1`, root key (32), unique id (8), and the first 8 bytes of the SHA-256 of
/// all that, by which damage is noticed.
pub(crate) const ENCODED: usize = MAGIC.len() + ROOT_KEY + UNIQUE_ID + CHECK;

/// The root key and the unique id of a virtual device.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct DeviceKey {
    root_key: [u8; ROOT_KEY],
    #[zeroize(skip)]
    unique_id: [u8; UNIQUE_ID],
}

impl DeviceKey {
    /// A new random identity.
    ///
    /// # Errors
    /// The operating system has no random numbers.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut key = Self { root_key: [0; ROOT_KEY], unique_id: [0; UNIQUE_ID] };
        getrandom::fill(&mut key.root_key)?;
        getrandom::fill(&mut key.unique_id)?;
        Ok(key)
    }

    /// The 256-bit root key.
    pub fn root_key(&self) -> &[u8; ROOT_KEY] {
        &self.root_key
    }

    /// The unique id: public.
    pub fn unique_id(&self) -> [u8; UNIQUE_ID] {
        self.unique_id
    }

    /// The content of `device.key`; the caller wipes it.
    pub(crate) fn encode(&self) -> [u8; ENCODED] {
        let mut out = [0; ENCODED];
        let (body, check) = out.split_at_mut(ENCODED - CHECK);
        let (magic, rest) = body.split_at_mut(MAGIC.len());
        let (root_key, unique_id) = rest.split_at_mut(ROOT_KEY);
        magic.copy_from_slice(&MAGIC);
        root_key.copy_from_slice(&self.root_key);
        unique_id.copy_from_slice(&self.unique_id);
        check.copy_from_slice(&Sha256::digest(&*body)[..CHECK]);
        out
    }

    /// Reads the content of `device.key`; `None` if it is damaged.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, check) = bytes.split_at_checked(ENCODED - CHECK)?;
        if Sha256::digest(body)[..CHECK] != *check {
            return None;
        }
        let (root_key, unique_id) = body.strip_prefix(&MAGIC)?.split_at_checked(ROOT_KEY)?;
        Some(Self { root_key: root_key.try_into().ok()?, unique_id: unique_id.try_into().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_survives_its_file_and_any_flipped_bit_is_noticed() {
        let key = DeviceKey::generate().expect("random numbers");
        let encoded = key.encode();
        let read = DeviceKey::decode(&encoded).expect("intact");
        assert!(read.root_key() == key.root_key() && read.unique_id() == key.unique_id());
        for bit in 0..encoded.len() * 8 {
            let mut damaged = encoded;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(DeviceKey::decode(&damaged).is_none(), "bit {bit}");
        }
        assert!(DeviceKey::decode(&encoded[..ENCODED - 1]).is_none());
        assert!(DeviceKey::decode(&[]).is_none());
    }
}
