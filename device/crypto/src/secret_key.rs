//! Secret keys: of AES, of two AES keys for XTS, and of everything else that takes bytes as its key.

use crate::{Bytes, Error};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

/// Length of the longest key, in bytes.
pub const MAX_LEN: usize = 64;

/// Length of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Len {
    /// AES-128.
    Bits128,
    /// AES-192.
    Bits192,
    /// AES-256.
    Bits256,
    /// Two keys of AES-256, for XTS.
    Bits512,
}

impl Len {
    /// Every length.
    pub const ALL: [Self; 4] = [Self::Bits128, Self::Bits192, Self::Bits256, Self::Bits512];

    /// The length in bytes.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Bits128 => 16,
            Self::Bits192 => 24,
            Self::Bits256 => 32,
            Self::Bits512 => 64,
        }
    }

    /// The length in bits.
    pub const fn bits(self) -> u16 {
        match self {
            Self::Bits128 => 128,
            Self::Bits192 => 192,
            Self::Bits256 => 256,
            Self::Bits512 => 512,
        }
    }
}

/// A secret key. It is wiped when dropped.
pub struct SecretKey {
    bytes: Bytes<MAX_LEN>,
    len: Len,
}

impl SecretKey {
    /// Makes a key.
    pub fn generate(len: Len, rng: &mut impl CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0; MAX_LEN]);
        let random = bytes.get_mut(..len.bytes()).unwrap_or_default();
        rng.fill_bytes(random);
        Self { bytes: Bytes::filled(random), len }
    }

    /// A key of 16, 24, 32 or 64 bytes; [`Error::BadKey`] for other lengths.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let len = Len::ALL.into_iter().find(|len| len.bytes() == bytes.len()).ok_or(Error::BadKey)?;
        Ok(Self { bytes: Bytes::filled(bytes), len })
    }

    /// Its length.
    pub fn len(&self) -> Len {
        self.len
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.as_ref()
    }

    /// Writes the bytes of the key and returns their number.
    pub fn to_bytes(&self, out: &mut [u8]) -> Result<usize, Error> {
        self.bytes.write(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drbg::Drbg;

    #[test]
    fn keys_have_one_of_four_lengths_and_differ() {
        let mut rng = Drbg::new(&[1; 32], &[], &[]);
        for len in Len::ALL {
            let [one, other] = [0; 2].map(|_| SecretKey::generate(len, &mut rng));
            assert_eq!((one.as_bytes().len(), usize::from(len.bits())), (len.bytes(), 8 * len.bytes()));
            assert_ne!(one.as_bytes(), other.as_bytes());
            assert_eq!(SecretKey::from_bytes(one.as_bytes()).unwrap().as_bytes(), one.as_bytes());
        }
        for len in 0..70 {
            let is_legal = [16, 24, 32, 64].contains(&len);
            assert_eq!(SecretKey::from_bytes(&[0; 70][..len]).is_ok(), is_legal, "{len}");
        }
    }
}
