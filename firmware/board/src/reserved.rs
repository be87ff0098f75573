//! A root key in a flash sector of its own, for chips without memory that can be hidden.
//!
//! ```text
//! 0   "FRTK"
//! 4   32 bytes of key
//! 36  CRC-32 of the above
//! ```
//!
//! What this is worth: it binds the store to this chip's flash, and no more. Whoever reads the flash has it.

use zeroize::{Zeroize, Zeroizing};

/// Bytes of the record.
pub const LEN: usize = 40;
const MAGIC: [u8; 4] = *b"FRTK";

/// What a sector holds.
#[derive(PartialEq, Eq)]
pub enum Content {
    /// Nothing was ever written.
    Blank,
    /// A root key.
    Key(Zeroizing<[u8; 32]>),
    /// Something else, or a key that is not intact.
    Damaged,
}

/// The record for a key.
pub fn encode(key: &[u8; 32]) -> Zeroizing<[u8; LEN]> {
    let mut record = Zeroizing::new([0; LEN]);
    let bytes = MAGIC.iter().chain(key);
    record.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    let crc = crc32(record.iter().take(LEN.saturating_sub(4)));
    record.iter_mut().rev().zip(crc.to_be_bytes()).for_each(|(to, from)| *to = from);
    record
}

/// Reads the start of the sector.
pub fn decode(record: &[u8; LEN]) -> Content {
    if record.iter().all(|byte| *byte == 0xFF) {
        return Content::Blank;
    }
    let mut key = Zeroizing::new([0; 32]);
    key.iter_mut().zip(record.iter().skip(MAGIC.len())).for_each(|(to, from)| *to = *from);
    let mut again = encode(&key);
    let is_intact = *again == *record;
    again.zeroize();
    if is_intact { Content::Key(key) } else { Content::Damaged }
}

/// CRC-32 of IEEE 802.3.
fn crc32<'a>(bytes: impl Iterator<Item = &'a u8>) -> u32 {
    !bytes.fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_back_and_damage_is_seen() {
        let key = core::array::from_fn(|i| i as u8);
        let record = *encode(&key);
        assert!(decode(&record) == Content::Key(Zeroizing::new(key)));
        for bit in 0..8 * LEN {
            let mut damaged = record;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&damaged) == Content::Damaged, "bit {bit}");
        }
        assert!(decode(&[0xFF; LEN]) == Content::Blank);
        assert!(decode(&[0; LEN]) == Content::Damaged);
    }

    #[test]
    fn the_check_is_crc_32() {
        assert_eq!(crc32(b"123456789".iter()), 0xCBF4_3926);
    }

    #[test]
    fn a_torn_record_is_not_taken_for_a_key() {
        let record = *encode(&[0x5A; 32]);
        for written in 1..LEN {
            let mut torn = [0xFF; LEN];
            torn[..written].copy_from_slice(&record[..written]);
            assert!(decode(&torn) == Content::Damaged, "{written} bytes");
        }
    }
}
