//! The device key-encryption key, and what it does to a wrapped key (specification part 2 §7, §10).

use crate::cipher::{Direction, Mode, apply};
use crate::hash::Hash;
use crate::{Error, mac};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Length of the key and of each of its shares, in bytes.
pub const LEN: usize = 32;
/// Length of a key check value, in bytes.
pub const CHECK_VALUE: usize = 8;
/// Length of a message authentication code, in bytes.
pub const MAC: usize = 16;

/// A device key-encryption key (DKEK), or the sum of some of its shares. It wipes itself.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Dkek([u8; LEN]);

impl Dkek {
    /// The sum of no shares.
    pub fn empty() -> Self {
        Self([0; LEN])
    }

    /// A key from its bytes.
    pub fn from_bytes(bytes: &[u8; LEN]) -> Self {
        Self(*bytes)
    }

    /// The key's bytes, secret.
    pub fn as_bytes(&self) -> &[u8; LEN] {
        &self.0
    }

    /// Adds a share. The order of shares does not matter; adding one twice takes it away.
    pub fn add(&mut self, share: &[u8; LEN]) {
        self.0.iter_mut().zip(share).for_each(|(byte, share)| *byte ^= share);
    }

    /// The key check value: the start of the key's SHA-256. It may be shown.
    pub fn check_value(&self) -> [u8; CHECK_VALUE] {
        let digest = Hash::Sha256.digest(&[&self.0]);
        let mut value = [0; CHECK_VALUE];
        value.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
        value
    }

    /// Encrypts or decrypts with AES-256-CBC and an initialisation vector of zeros, in place; a multiple of 16 bytes.
    pub fn cipher(&self, direction: Direction, data: &mut [u8]) -> Result<(), Error> {
        apply(Mode::Cbc, direction, self.derive(1).as_ref(), &[0; 16], data)
    }

    /// The message authentication code: AES-256-CMAC.
    pub fn mac(&self, data: &[u8]) -> Result<[u8; MAC], Error> {
        mac::cmac(self.derive(2).as_ref(), &[data])
    }

    /// Checks a message authentication code in constant time.
    pub fn verify(&self, data: &[u8], mac: &[u8; MAC]) -> Result<(), Error> {
        if self.mac(data)?.ct_eq(mac).into() { Ok(()) } else { Err(Error::BadSignature) }
    }

    fn derive(&self, purpose: u8) -> crate::hash::Digest {
        Hash::Sha256.digest(&[&self.0, &[0, 0, 0, purpose]])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting() -> [u8; LEN] {
        core::array::from_fn(|i| i as u8)
    }

    /// The table of the specification, part 2 §7.
    #[test]
    fn check_values_and_derived_keys_are_the_published_ones() {
        let zero = Dkek::empty();
        assert_eq!(hex::encode_upper(zero.check_value()), "66687AADF862BD77");
        assert_eq!(
            hex::encode_upper(zero.derive(1)),
            "2158A8906D5E2C2BE001BAC943AB9CAB4063536E1C546B40221FDF8DB031A4BB"
        );
        assert_eq!(
            hex::encode_upper(zero.derive(2)),
            "E15F374423633701E04FE17C1D640B34F2E27B8F6AEC00E24F1DCF50AD0920B3"
        );
        let other = Dkek::from_bytes(&counting());
        assert_eq!(hex::encode_upper(other.check_value()), "630DCD2966C43366");
    }

    /// Vector V1: an AES key wrapped under the key of zeros.
    #[test]
    fn a_recorded_blob_is_opened() {
        let blob = hex::decode(
            "66687AADF862BD770F000860864801650304010006101118995152000000006A63CB154E2634FD6012DE71EC6D0C86E64F938F0DE0A73CE777F78\
             9287693FCD815FCDB691CA929AE206C9CDAA38115",
        )
        .unwrap();
        let dkek = Dkek::empty();
        let (authenticated, mac) = blob.split_last_chunk::<16>().unwrap();
        assert_eq!(dkek.verify(authenticated, mac), Ok(()));
        assert_eq!(dkek.verify(&authenticated[1..], mac), Err(Error::BadSignature));
        let mut encrypted = authenticated[authenticated.len() - 32..].to_vec();
        dkek.cipher(Direction::Decrypt, &mut encrypted).unwrap();
        assert_eq!(encrypted[..8], [0x11; 8]);
        assert_eq!(encrypted[8..26], [&[0, 16][..], &counting()[..16]].concat());
    }

    #[test]
    fn shares_add_up_in_any_order() {
        let mut sum = Dkek::empty();
        sum.add(&[1; LEN]);
        sum.add(&[2; LEN]);
        assert_eq!(hex::encode_upper(sum.check_value()), "648AA5C579FB30F3");
    }
}
