//! Signatures by somebody else's key (RFC 8017 §8.1.2, §8.2.2). Nothing here is secret.
//!
//! What the signature stands for is compared with what the encoder of this crate makes of the digest: nothing is taken
//! apart, so that nothing in it can be left unchecked.

use super::{MAX_MODULUS, padding, public};
use crate::Error;
use crate::hash::Hash;

/// Checks an RSASSA-PKCS1-v1_5 signature of a digest. The modulus is odd, has its top bit set and a length that
/// [`ModulusLen`](super::ModulusLen) knows; the public exponent is 65537.
pub fn verify_pkcs1(hash: Hash, modulus: &[u8], digest: &[u8], signature: &[u8]) -> Result<(), Error> {
    let mut expected = [0; MAX_MODULUS];
    let expected = expected.get_mut(..modulus.len()).ok_or(Error::BadLength)?;
    padding::pkcs1([hash.digest_info_prefix(), digest], expected)?;
    let mut block = [0; MAX_MODULUS];
    if open(modulus, signature, &mut block)? == expected { Ok(()) } else { Err(Error::BadSignature) }
}

/// Checks an RSASSA-PSS signature of a digest, with MGF1 of the same hash and a salt of any length: authorities of
/// card-verifiable certificates take one as long as the hash, or as long as there is room for. The key is as for
/// [`verify_pkcs1`].
pub fn verify_pss(hash: Hash, modulus: &[u8], digest: &[u8], signature: &[u8]) -> Result<(), Error> {
    verified_salt_len(hash, modulus, digest, signature).map(|_| ())
}

/// Checks an RSASSA-PSS signature and returns the length of its salt, in bytes.
pub(crate) fn verified_salt_len(hash: Hash, modulus: &[u8], digest: &[u8], signature: &[u8]) -> Result<usize, Error> {
    if digest.len() != hash.digest_len() {
        return Err(Error::BadLength);
    }
    let mut block = [0; MAX_MODULUS];
    let block = open(modulus, signature, &mut block)?;
    // The salt that the signer chose, behind zeros and a one; our encoder must make the same block of it.
    let masked = block.len().checked_sub(hash.digest_len().saturating_add(1)).ok_or(Error::BadSignature)?;
    let (masked, tail) = block.split_at(masked);
    let mut db = [0; MAX_MODULUS];
    let db = db.get_mut(..masked.len()).ok_or(Error::BadLength)?;
    db.copy_from_slice(masked);
    padding::mask(hash, tail.get(..hash.digest_len()).ok_or(Error::BadSignature)?, db);
    if let Some(first) = db.first_mut() {
        *first &= 0x7F;
    }
    let zeros = db.iter().take_while(|byte| **byte == 0).count();
    let [1, salt @ ..] = db.get(zeros..).unwrap_or_default() else { return Err(Error::BadSignature) };
    let mut expected = [0; MAX_MODULUS];
    let expected = expected.get_mut(..block.len()).ok_or(Error::BadLength)?;
    padding::pss(hash, digest, salt, expected)?;
    if block == expected { Ok(salt.len()) } else { Err(Error::BadSignature) }
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
