//! Stretching of PINs with Argon2id (RFC 9106).

use crate::Error;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::Zeroize as _;

/// What one stretching costs. Stored beside each PIN, so that it can be raised later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory, in KiB.
    pub memory_kib: u16,
    /// Passes over the memory.
    pub passes: u16,
}

impl Cost {
    /// The cost of new PINs: what fits the memory of an RP2040. The number of passes is an estimate for about half a
    /// second there, to be replaced by a measurement on the chip.
    pub const DEFAULT: Self = Self { memory_kib: 56, passes: 16 };

    /// The stored form: memory, passes.
    pub fn to_bytes(self) -> [u8; 4] {
        let [m1, m0] = self.memory_kib.to_be_bytes();
        let [p1, p0] = self.passes.to_be_bytes();
        [m1, m0, p1, p0]
    }

    /// Reads the stored form; `None` for costs outside 8 to 1024 KiB or 1 to 1024 passes.
    pub fn from_bytes(bytes: [u8; 4]) -> Option<Self> {
        let [m1, m0, p1, p0] = bytes;
        let cost = Self { memory_kib: u16::from_be_bytes([m1, m0]), passes: u16::from_be_bytes([p1, p0]) };
        ((8..=1024).contains(&cost.memory_kib) && (1..=1024).contains(&cost.passes)).then_some(cost)
    }
}

/// Stretches a PIN into 32 bytes. `memory` is any buffer of at least `memory_kib` KiB and 63 bytes for alignment; what
/// was used of it is wiped.
pub fn stretch(pin: &[u8], salt: &[u8; 16], cost: Cost, memory: &mut [u8], out: &mut [u8; 32]) -> Result<(), Error> {
    let blocks = blocks(memory);
    let needed = usize::from(cost.memory_kib);
    let blocks = blocks.get_mut(..needed).ok_or(Error::BadLength)?;
    let params = Params::new(u32::from(cost.memory_kib), u32::from(cost.passes), 1, Some(32));
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.map_err(|_| Error::BadLength)?);
    let stretched = argon2.hash_password_into_with_memory(pin, salt, out.as_mut_slice(), &mut *blocks);
    blocks.iter_mut().for_each(|block| block.as_mut().zeroize());
    stretched.map_err(|_| Error::BadLength)
}

/// The aligned middle of a byte buffer, as blocks of 1 KiB.
#[expect(unsafe_code, reason = "the card's one large buffer serves as working memory")]
fn blocks(memory: &mut [u8]) -> &mut [Block] {
    // SAFETY: a Block is an array of u64, for which every bit pattern is valid, without padding or drop glue.
    let (_, blocks, _) = unsafe { memory.align_to_mut::<Block>() };
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    /// The expected value was computed with another implementation (Python's `cryptography`, which uses OpenSSL's).
    #[test]
    fn the_output_is_argon2id_and_the_memory_is_wiped() {
        let cost = Cost { memory_kib: 32, passes: 3 };
        let (mut aligned, mut shifted) = (vec![0xAA; 32 * 1024 + 64], vec![0x55; 32 * 1024 + 200]);
        let (mut first, mut second) = ([0; 32], [0; 32]);
        stretch(b"648219", b"saltsaltsaltsalt", cost, &mut aligned, &mut first).unwrap();
        stretch(b"648219", b"saltsaltsaltsalt", cost, &mut shifted[3..], &mut second).unwrap();
        assert_eq!(hex::encode(first), "e7bf4ee141b66db479495438820db1ad6c1356d8cee9ee67a1e3f2e3593000b0");
        assert_eq!(first, second, "alignment does not matter");
        assert!(aligned.iter().filter(|byte| **byte == 0).count() >= 32 * 1024);
    }

    #[test]
    fn too_little_memory_and_absurd_costs_are_refused() {
        let mut out = [0; 32];
        assert_eq!(stretch(b"1", &[0; 16], Cost::DEFAULT, &mut [0; 4096], &mut out), Err(Error::BadLength));
        assert_eq!(Cost::from_bytes([0, 0, 0, 1]), None);
        assert_eq!(Cost::from_bytes([0xFF, 0xFF, 0, 1]), None);
        assert_eq!(Cost::from_bytes(Cost::DEFAULT.to_bytes()), Some(Cost::DEFAULT));
    }
}
