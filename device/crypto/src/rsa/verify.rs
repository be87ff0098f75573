//! Signatures by somebody else's key (RFC 8017 §8.1.2, §8.2.2). Nothing here is secret.
//!
//! What the signature stands for is compared with what the encoder of this crate makes of the digest: nothing is taken
//! apart, so that nothing in it can be left unchecked.

use super::{MAX_MODULUS, padding, public};
use crate::Error;
use crate::hash::{Hash, MAX_DIGEST};

/// Checks an RSASSA-PKCS1-v1_5 signature of a digest. The modulus is odd, has its top bit set and a length that
/// [`ModulusLen`](super::ModulusLen) knows; the public exponent is 65537.
pub fn verify_pkcs1(hash: Hash, modulus: &[u8], digest: &[u8], signature: &[u8]) -> Result<(), Error> {
    let mut expected = [0; MAX_MODULUS];
    let expected = expected.get_mut(..modulus.len()).ok_or(Error::BadLength)?;
    padding::pkcs1([hash.digest_info_prefix(), digest], expected)?;
    let mut block = [0; MAX_MODULUS];
    if open(modulus, signature, &mut block)? == expected { Ok(()) } else { Err(Error::BadSignature) }
}

/// Checks an RSASSA-PSS signature of a digest, with MGF1 of the same hash and a salt as long as
/// [`sign_pss`](super::PrivateKey::sign_pss) makes it. The key is as for [`verify_pkcs1`].
pub fn verify_pss(hash: Hash, modulus: &[u8], digest: &[u8], signature: &[u8]) -> Result<(), Error> {
    let salt_len = padding::pss_salt_len(hash, modulus.len().saturating_mul(8)).ok_or(Error::BadKey)?;
    verify_pss_with(hash, salt_len, modulus, digest, signature)
}

/// Checks an RSASSA-PSS signature with a salt of this length, in bytes.
pub(crate) fn verify_pss_with(
    hash: Hash,
    salt_len: usize,
    modulus: &[u8],
    digest: &[u8],
    signature: &[u8],
) -> Result<(), Error> {
    if digest.len() != hash.digest_len() {
        return Err(Error::BadLength);
    }
    let mut block = [0; MAX_MODULUS];
    let block = open(modulus, signature, &mut block)?;
    // The salt that the signer chose; our encoder must make the same block of it.
    let masked = block.len().checked_sub(hash.digest_len().saturating_add(1)).ok_or(Error::BadSignature)?;
    let (masked, tail) = block.split_at(masked);
    let mut db = [0; MAX_MODULUS];
    let db = db.get_mut(..masked.len()).ok_or(Error::BadLength)?;
    db.copy_from_slice(masked);
    padding::mask(hash, tail.get(..hash.digest_len()).ok_or(Error::BadSignature)?, db);
    let mut salt = [0; MAX_DIGEST];
    let salt = salt.get_mut(..salt_len).ok_or(Error::BadLength)?;
    let start = db.len().checked_sub(salt_len).ok_or(Error::BadSignature)?;
    salt.copy_from_slice(db.get(start..).ok_or(Error::BadSignature)?);
    let mut expected = [0; MAX_MODULUS];
    let expected = expected.get_mut(..block.len()).ok_or(Error::BadLength)?;
    padding::pss(hash, digest, salt, expected)?;
    if block == expected { Ok(()) } else { Err(Error::BadSignature) }
}

/// The block that a signature stands for.
fn open<'b>(modulus: &[u8], signature: &[u8], block: &'b mut [u8; MAX_MODULUS]) -> Result<&'b [u8], Error> {
    if signature.len() != modulus.len() {
        return Err(Error::BadSignature);
    }
    let block = block.get_mut(..modulus.len()).ok_or(Error::BadLength)?;
    block.copy_from_slice(signature);
    match public(modulus, block) {
        Ok(()) => Ok(block),
        Err(Error::OutOfRange) => Err(Error::BadSignature),
        Err(error) => Err(error),
    }
}
