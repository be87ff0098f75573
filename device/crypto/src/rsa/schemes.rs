//! Signatures and decryption: the private operation between an encoding and the world (RFC 8017 §7, §8).

use super::{MAX_MODULUS, PrivateKey, padding};
use crate::hash::{Hash, MAX_DIGEST};
use crate::{Error, Join};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

impl PrivateKey {
    /// RSASSA-PKCS1-v1_5 over a digest (RFC 8017 §8.2). Returns the signature's length.
    pub fn sign_pkcs1_digest(
        &self,
        hash: Hash,
        digest: &[u8],
        out: &mut [u8],
        rng: &mut impl CryptoRng,
        join: &mut impl Join,
    ) -> Result<usize, Error> {
        if digest.len() != hash.digest_len() {
            return Err(Error::BadLength);
        }
        self.sign_block(out, rng, join, |block, _| padding::pkcs1([hash.digest_info_prefix(), digest], block))
    }

    /// RSASSA-PKCS1-v1_5 over a DigestInfo, or whatever stands for it, of up to 11 bytes less than the modulus.
    pub fn sign_pkcs1_prepared(
        &self,
        digest_info: &[u8],
        out: &mut [u8],
        rng: &mut impl CryptoRng,
        join: &mut impl Join,
    ) -> Result<usize, Error> {
        self.sign_block(out, rng, join, |block, _| padding::pkcs1([digest_info, &[]], block))
    }

    /// RSASSA-PSS over a digest (RFC 8017 §8.1): MGF1 with the same hash; the salt has the hash's length, or up to two
    /// bytes less if that does not fit.
    pub fn sign_pss(
        &self,
        hash: Hash,
        digest: &[u8],
        out: &mut [u8],
        rng: &mut impl CryptoRng,
        join: &mut impl Join,
    ) -> Result<usize, Error> {
        if digest.len() != hash.digest_len() {
            return Err(Error::BadLength);
        }
        let salt_len = padding::pss_salt_len(hash, usize::from(self.len.bits())).ok_or(Error::OutOfRange)?;
        self.sign_block(out, rng, join, |block, rng| {
            let mut salt = [0; MAX_DIGEST];
            let salt = &mut salt[..salt_len];
            rng.fill_bytes(salt);
            padding::pss(hash, digest, salt, block)
        })
    }

    fn sign_block<R: CryptoRng>(
        &self,
        out: &mut [u8],
        rng: &mut R,
        join: &mut impl Join,
        encode: impl FnOnce(&mut [u8], &mut R) -> Result<(), Error>,
    ) -> Result<usize, Error> {
        let block = out.get_mut(..self.len()).ok_or(Error::BadLength)?;
        encode(block, rng)?;
        self.private_operation(block, rng, join)?;
        Ok(block.len())
    }

    /// RSAES-PKCS1-v1_5 decryption (RFC 8017 §7.2.2): writes the message and returns its length. [`Error::BadPadding`]
    /// tells that the padding is wrong, but not how, in time that depends on the length of the key only.
    pub fn decrypt_pkcs1(
        &self,
        cryptogram: &[u8],
        out: &mut [u8],
        rng: &mut impl CryptoRng,
        join: &mut impl Join,
    ) -> Result<usize, Error> {
        self.decrypt_block(cryptogram, out, rng, join, padding::find_pkcs1_message)
    }

    /// RSAES-OAEP decryption (RFC 8017 §7.1.2) with MGF1 of the same hash and an empty label: writes the message and
    /// returns its length. [`Error::BadPadding`] as in [`PrivateKey::decrypt_pkcs1`].
    pub fn decrypt_oaep(
        &self,
        hash: Hash,
        cryptogram: &[u8],
        out: &mut [u8],
        rng: &mut impl CryptoRng,
        join: &mut impl Join,
    ) -> Result<usize, Error> {
        self.decrypt_block(cryptogram, out, rng, join, |block| padding::find_oaep_message(hash, block))
    }

    fn decrypt_block(
        &self,
        cryptogram: &[u8],
        out: &mut [u8],
        rng: &mut impl CryptoRng,
        join: &mut impl Join,
        find_message: impl FnOnce(&mut [u8]) -> padding::Found,
    ) -> Result<usize, Error> {
        let mut block = Zeroizing::new([0; MAX_MODULUS]);
        let block = block.get_mut(..cryptogram.len()).ok_or(Error::BadLength)?;
        block.copy_from_slice(cryptogram);
        self.private_operation(block, rng, join)?;
        // Whether the padding is right and how long the message is are what the caller will tell the world.
        let message = find_message(block).reveal(block).ok_or(Error::BadPadding)?;
        out.get_mut(..message.len()).ok_or(Error::BadLength)?.copy_from_slice(message);
        Ok(message.len())
    }
}

/// The message in an opened block that RSAES-PKCS1-v1_5 padded; errors as [`PrivateKey::decrypt_pkcs1`] has them.
pub fn unpad_pkcs1(block: &mut [u8]) -> Result<&[u8], Error> {
    padding::find_pkcs1_message(block).reveal(block).ok_or(Error::BadPadding)
}

/// The message in an opened block that RSAES-OAEP padded, as [`PrivateKey::decrypt_oaep`] has it.
pub fn unpad_oaep(hash: Hash, block: &mut [u8]) -> Result<&[u8], Error> {
    padding::find_oaep_message(hash, block).reveal(block).ok_or(Error::BadPadding)
}
