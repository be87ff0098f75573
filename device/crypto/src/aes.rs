//! AES (FIPS 197) with a key of any of its three lengths, as one type.
//!
//! The modes are instantiated for this type once instead of three times. The implementation behind it is bitsliced
//! ("fixslice") software, or the processor's AES instructions where it has them: no table is looked up by a secret.

use crate::Error;
use aes::cipher::consts::U16;
use aes::cipher::{
    BlockCipherDecClosure, BlockCipherDecrypt, BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser, KeyInit as _,
};
use aes::{Aes128, Aes192, Aes256};

/// Length of a block, in bytes.
pub const BLOCK: usize = 16;

/// AES with its expanded key, which is wiped when dropped.
#[allow(clippy::large_enum_variant, reason = "lives on the stack for one operation")]
pub(crate) enum Aes {
    Bits128(Aes128),
    Bits192(Aes192),
    Bits256(Aes256),
}

impl Aes {
    /// Expands a key of 16, 24 or 32 bytes; [`Error::BadKey`] for other lengths.
    pub(crate) fn new(key: &[u8]) -> Result<Self, Error> {
        let aes = match key.len() {
            16 => Aes128::new_from_slice(key).map(Self::Bits128),
            24 => Aes192::new_from_slice(key).map(Self::Bits192),
            32 => Aes256::new_from_slice(key).map(Self::Bits256),
            _ => return Err(Error::BadKey),
        };
        aes.map_err(|_| Error::BadKey)
    }

    /// Encrypts one block in place.
    pub(crate) fn encrypt(&self, block: &mut [u8; BLOCK]) {
        self.encrypt_block(block.into());
    }
}

impl BlockSizeUser for Aes {
    type BlockSize = U16;
}

impl BlockCipherEncrypt for Aes {
    fn encrypt_with_backend(&self, f: impl BlockCipherEncClosure<BlockSize = U16>) {
        match self {
            Self::Bits128(aes) => aes.encrypt_with_backend(f),
            Self::Bits192(aes) => aes.encrypt_with_backend(f),
            Self::Bits256(aes) => aes.encrypt_with_backend(f),
        }
    }
}

impl BlockCipherDecrypt for Aes {
    fn decrypt_with_backend(&self, f: impl BlockCipherDecClosure<BlockSize = U16>) {
        match self {
            Self::Bits128(aes) => aes.decrypt_with_backend(f),
            Self::Bits192(aes) => aes.decrypt_with_backend(f),
            Self::Bits256(aes) => aes.decrypt_with_backend(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 197 appendix C.
    #[test]
    fn blocks_are_the_published_ones() {
        let key: [u8; 32] = core::array::from_fn(|i| i as u8);
        for (len, expected) in [
            (16, "69c4e0d86a7b0430d8cdb78070b4c55a"),
            (24, "dda97ca4864cdfe06eaf70a0ec0d7191"),
            (32, "8ea2b7ca516745bfeafc49904b496089"),
        ] {
            let plain: [u8; BLOCK] = core::array::from_fn(|i| 0x11 * i as u8);
            let mut block = plain;
            let aes = Aes::new(&key[..len]).unwrap();
            aes.encrypt(&mut block);
            assert_eq!(hex::encode(block), expected);
            aes.decrypt_block((&mut block).into());
            assert_eq!(block, plain);
        }
        for len in [0, 15, 17, 23, 25, 31] {
            assert_eq!(Aes::new(&key[..len]).err(), Some(Error::BadKey));
        }
    }
}
