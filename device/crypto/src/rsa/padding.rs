//! Encodings of a digest for RSA signatures (RFC 8017 §9).

use crate::Error;
use crate::hash::Hash;

/// EMSA-PKCS1-v1_5 from step 3 on: `00 01 FF … FF 00 T`, at least eight bytes `FF`.
pub(super) fn pkcs1(parts: [&[u8]; 2], block: &mut [u8]) -> Result<(), Error> {
    let [prefix, digest] = parts;
    let len = prefix.len().saturating_add(digest.len());
    let padding = block.len().checked_sub(len).filter(|padding| *padding >= 11).ok_or(Error::BadLength)?;
    let (padding, t) = block.split_at_mut(padding);
    padding.fill(0xFF);
    if let [first, second, .., last] = padding {
        (*first, *second, *last) = (0, 1, 0);
    }
    let (to_prefix, to_digest) = t.split_at_mut(prefix.len());
    to_prefix.copy_from_slice(prefix);
    to_digest.copy_from_slice(digest);
    Ok(())
}

/// Length of the salt: that of the hash, or what fits a modulus of this many bits; `None` if even a salt two bytes
/// shorter than the hash does not fit.
pub(super) fn pss_salt_len(hash: Hash, bits: usize) -> Option<usize> {
    let room = (bits - 1).div_ceil(8).checked_sub(hash.digest_len())?.checked_sub(2)?;
    let len = room.min(hash.digest_len());
    (len >= hash.digest_len().saturating_sub(2)).then_some(len)
}

/// EMSA-PSS with MGF1 of the same hash (RFC 8017 §9.1.1), for a modulus whose length is a multiple of eight bits.
pub(super) fn pss(hash: Hash, digest: &[u8], salt: &[u8], block: &mut [u8]) -> Result<(), Error> {
    let m_prime = hash.digest(&[&[0; 8], digest, salt]);
    let h = m_prime.as_ref();
    let masked = block.len().checked_sub(h.len().saturating_add(1)).ok_or(Error::BadLength)?;
    let (db, tail) = block.split_at_mut(masked);
    let zeros = db.len().checked_sub(salt.len().saturating_add(1)).ok_or(Error::BadLength)?;
    db.fill(0);
    if let Some(one) = db.get_mut(zeros) {
        *one = 1;
    }
    if let Some(to_salt) = db.get_mut(zeros.saturating_add(1)..) {
        to_salt.copy_from_slice(salt);
    }
    for (counter, chunk) in (0u32..).zip(db.chunks_mut(hash.digest_len())) {
        let mask = hash.digest(&[h, &counter.to_be_bytes()]);
        chunk.iter_mut().zip(mask.as_ref()).for_each(|(byte, mask)| *byte ^= mask);
    }
    if let Some(first) = db.first_mut() {
        *first &= 0x7F;
    }
    if let Some((trailer, to_h)) = tail.split_last_mut() {
        to_h.copy_from_slice(h);
        *trailer = 0xBC;
    }
    Ok(())
}
