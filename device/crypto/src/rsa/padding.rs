//! Encodings of a digest for RSA signatures (RFC 8017 §9), and what encrypted messages are encoded in (§7).

use crate::Error;
use crate::hash::Hash;
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _, ConstantTimeGreater as _};

/// EMSA-PKCS1-v1_5 from step 3 on: `00 01 FF … FF 00 T`, at least eight bytes `FF`.
pub(crate) fn pkcs1(parts: [&[u8]; 2], block: &mut [u8]) -> Result<(), Error> {
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
pub(crate) fn pss(hash: Hash, digest: &[u8], salt: &[u8], block: &mut [u8]) -> Result<(), Error> {
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
    mask(hash, h, db);
    if let Some(first) = db.first_mut() {
        *first &= 0x7F;
    }
    if let Some((trailer, to_h)) = tail.split_last_mut() {
        to_h.copy_from_slice(h);
        *trailer = 0xBC;
    }
    Ok(())
}

/// Adds MGF1 of a seed to a part of a block (RFC 8017 §B.2.1).
pub(crate) fn mask(hash: Hash, seed: &[u8], part: &mut [u8]) {
    for (counter, chunk) in (0u32..).zip(part.chunks_mut(hash.digest_len())) {
        let mask = hash.digest(&[seed, &counter.to_be_bytes()]);
        chunk.iter_mut().zip(mask.as_ref()).for_each(|(byte, mask)| *byte ^= mask);
    }
}

/// Where the message starts in a decrypted block, if the padding before it is right. Finding out takes the same time and
/// touches the same memory whatever the block holds.
pub(super) struct Found {
    is_right: Choice,
    start: u32,
}

impl Found {
    /// The message; `None` if the padding is wrong.
    pub(super) fn reveal(self, block: &[u8]) -> Option<&[u8]> {
        if self.is_right.into() { block.get(usize::try_from(self.start).ok()?..) } else { None }
    }
}

/// The place behind the first byte that ends the padding, and whether there is one and nothing else before it than
/// `is_padding` allows. Each is asked about every byte from `first` on.
fn find_end(block: &[u8], first: usize, ends: u8, is_padding: impl Fn(u8) -> Choice) -> Found {
    let mut found = Choice::from(0);
    let mut is_right = Choice::from(1);
    let mut start = 0;
    for (place, byte) in (1u32..).zip(block).skip(first) {
        let is_end = byte.ct_eq(&ends);
        start.conditional_assign(&place, is_end & !found);
        is_right &= found | is_end | is_padding(*byte);
        found |= is_end;
    }
    Found { is_right: is_right & found, start }
}

/// EME-PKCS1-v1_5 (RFC 8017 §7.2.2): `00 02`, at least eight bytes other than `00`, `00`, the message.
pub(super) fn find_pkcs1_message(block: &mut [u8]) -> Found {
    let starts_right = match block {
        [first, second, ..] => first.ct_eq(&0) & second.ct_eq(&2),
        _ => Choice::from(0),
    };
    let found = find_end(block, 2, 0, |_| Choice::from(1));
    let is_long_enough = found.start.ct_gt(&10);
    Found { is_right: found.is_right & starts_right & is_long_enough, ..found }
}

/// EME-OAEP (RFC 8017 §7.1.2) with an empty label: `00`, the masked seed, and, masked, the label's hash, bytes `00`, `01`,
/// the message.
pub(super) fn find_oaep_message(hash: Hash, block: &mut [u8]) -> Found {
    let len = hash.digest_len();
    let wrong = Found { is_right: Choice::from(0), start: 0 };
    let Some((first, masked)) = block.split_first_mut() else { return wrong };
    let starts_right = first.ct_eq(&0);
    // A key too short for the hash: public.
    let Some((seed, db)) = masked.split_at_mut_checked(len).filter(|(_, db)| db.len() > len) else { return wrong };
    mask(hash, db, seed);
    mask(hash, seed, db);
    let label = db.get(..len).map_or(Choice::from(0), |label| label.ct_eq(hash.digest(&[]).as_ref()));
    let found = find_end(block, len.saturating_mul(2).saturating_add(1), 1, |byte| byte.ct_eq(&0));
    Found { is_right: found.is_right & starts_right & label, ..found }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rsa::{unpad_oaep, unpad_pkcs1};
    use std::vec::Vec;

    const MESSAGE: &[u8] = b"\x01message\x00";

    #[test]
    fn each_fault_of_pkcs1_padding_is_found() {
        let good = [&[0, 2], &[0xA5; 117][..], &[0], MESSAGE].concat();
        assert_eq!(unpad_pkcs1(&mut good.clone()), Ok(MESSAGE));
        let shortest = [&[0, 2], &[0xA5; 8][..], &[0], MESSAGE].concat();
        assert_eq!(unpad_pkcs1(&mut shortest.clone()), Ok(MESSAGE));
        let empty = [&[0, 2], &[0xA5; 125][..], &[0]].concat();
        assert_eq!(unpad_pkcs1(&mut empty.clone()), Ok(&[][..]));
        let bad: [(&str, Vec<u8>); 7] = [
            ("the first byte", [&[1], &good[1..]].concat()),
            ("the block type", [&[0, 1], &good[2..]].concat()),
            ("seven bytes of padding", [&[0, 2], &[0xA5; 7][..], &[0], MESSAGE].concat()),
            ("no padding", [&[0, 2, 0], MESSAGE].concat()),
            ("no end of the padding", [&[0, 2], &[0xA5; 126][..]].concat()),
            ("two bytes", [0, 2].into()),
            ("nothing", Vec::new()),
        ];
        for (what, mut block) in bad {
            assert_eq!(unpad_pkcs1(&mut block), Err(Error::BadPadding), "{what}");
        }
    }

    /// A block of 128 bytes: its first byte, and its data block before the mask.
    fn oaep(hash: Hash, first: u8, db: &[u8]) -> Vec<u8> {
        let mut block = [&[first], &[0x5A; 64][..hash.digest_len()], db].concat();
        let (seed, db) = block[1..].split_at_mut(hash.digest_len());
        mask(hash, seed, db);
        mask(hash, db, seed);
        block
    }

    #[test]
    fn each_fault_of_oaep_padding_is_found() {
        for hash in [Hash::Sha1, Hash::Sha224, Hash::Sha256, Hash::Sha384] {
            let label = hash.digest(&[]);
            let label = label.as_ref();
            let zeros = &[0; 128][..128 - 2 - 2 * label.len() - MESSAGE.len()];
            let good = [label, zeros, &[1], MESSAGE].concat();
            assert_eq!(unpad_oaep(hash, &mut oaep(hash, 0, &good)), Ok(MESSAGE), "{hash:?}");
            let without_zeros = [label, &[1], zeros, MESSAGE].concat();
            let message = [zeros, MESSAGE].concat();
            assert_eq!(unpad_oaep(hash, &mut oaep(hash, 0, &without_zeros)), Ok(&message[..]), "{hash:?}");
            let mut other_label = good.clone();
            other_label[label.len() - 1] ^= 1;
            let mut other_padding = good.clone();
            other_padding[label.len() + 2] = 2;
            let mut damaged = oaep(hash, 0, &good);
            damaged[1] ^= 0x80;
            let bad: [(&str, Vec<u8>); 8] = [
                ("the first byte", oaep(hash, 1, &good)),
                ("the label", oaep(hash, 0, &other_label)),
                ("neither zero nor end", oaep(hash, 0, &other_padding)),
                ("no end of the padding", oaep(hash, 0, &[label, &[0; 128][..128 - 1 - 2 * label.len()]].concat())),
                ("the seed", damaged),
                ("no room for an end", oaep(hash, 0, label)),
                ("shorter than the hashes", oaep(hash, 0, &[])),
                ("nothing", Vec::new()),
            ];
            for (what, mut block) in bad {
                assert_eq!(unpad_oaep(hash, &mut block), Err(Error::BadPadding), "{hash:?} {what}");
            }
        }
    }
}
