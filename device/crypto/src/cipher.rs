//! Unauthenticated modes of AES, in place: ECB, CBC, OFB, CFB-128, CTR (SP 800-38A) and XTS (IEEE 1619, SP 800-38E).

use crate::Error;
use crate::aes::Aes;
use aes::cipher::consts::U16;
use aes::cipher::{
    Array, BlockCipherDecrypt as _, BlockCipherEncrypt as _, BlockModeDecrypt as _, BlockModeEncrypt as _,
    InnerIvInit as _, StreamCipher as _,
};
use xts_mode::Xts128;

pub use crate::aes::BLOCK;

/// A mode of operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Electronic codebook: whole blocks, each by itself; the initialisation vector is not used.
    Ecb,
    /// Cipher block chaining: whole blocks, no padding.
    Cbc,
    /// Output feedback: data of any length; encrypting and decrypting are the same.
    Ofb,
    /// Cipher feedback with segments of 128 bits: data of any length, the last segment may be shorter.
    Cfb128,
    /// Counter mode with a counter of 128 bits, big-endian: data of any length; encrypting and decrypting are the same.
    Ctr,
    /// XTS with ciphertext stealing: one data unit of at least a block; the initialisation vector is the tweak. The key is
    /// two AES keys, for the data and for the tweak.
    Xts,
}

/// Encryption or decryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Plaintext becomes ciphertext.
    Encrypt,
    /// Ciphertext becomes plaintext.
    Decrypt,
}

/// Encrypts or decrypts `data` in place. The key has 16, 24 or 32 bytes, for XTS 32 or 64.
///
/// # Errors
/// [`Error::BadKey`] for a key of another length, [`Error::BadLength`] for data that the mode cannot take; `data` is
/// unchanged then.
pub fn apply(mode: Mode, direction: Direction, key: &[u8], iv: &[u8; BLOCK], data: &mut [u8]) -> Result<(), Error> {
    if mode == Mode::Xts {
        return xts(direction, key, iv, data);
    }
    let aes = &Aes::new(key)?;
    let iv: &Array<u8, U16> = iv.into();
    match (mode, direction) {
        (Mode::Ecb, Direction::Encrypt) => aes.encrypt_blocks(blocks(data)?),
        (Mode::Ecb, Direction::Decrypt) => aes.decrypt_blocks(blocks(data)?),
        (Mode::Cbc, Direction::Encrypt) => cbc::Encryptor::inner_iv_init(aes, iv).encrypt_blocks(blocks(data)?),
        (Mode::Cbc, Direction::Decrypt) => cbc::Decryptor::inner_iv_init(aes, iv).decrypt_blocks(blocks(data)?),
        (Mode::Cfb128, Direction::Encrypt) => cfb_mode::Encryptor::inner_iv_init(aes, iv).encrypt(data),
        (Mode::Cfb128, Direction::Decrypt) => cfb_mode::Decryptor::inner_iv_init(aes, iv).decrypt(data),
        (Mode::Ofb, _) => {
            let stream = &mut ofb::Ofb::from_core(ofb::OfbCore::inner_iv_init(aes, iv));
            return stream.try_apply_keystream(data).map_err(|_| Error::BadLength);
        }
        (Mode::Ctr, _) => {
            let core = ctr::CtrCore::<_, ctr::flavors::Ctr128BE>::inner_iv_init(aes, iv);
            return ctr::Ctr128BE::from_core(core).try_apply_keystream(data).map_err(|_| Error::BadLength);
        }
        (Mode::Xts, _) => return Err(Error::BadKey),
    }
    Ok(())
}

/// The data as whole blocks.
fn blocks(data: &mut [u8]) -> Result<&mut [Array<u8, U16>], Error> {
    match Array::slice_as_chunks_mut(data) {
        (blocks, []) => Ok(blocks),
        _ => Err(Error::BadLength),
    }
}

/// XTS of one data unit.
fn xts(direction: Direction, key: &[u8], tweak: &[u8; BLOCK], unit: &mut [u8]) -> Result<(), Error> {
    let (data_key, tweak_key) = match key.len() {
        32 | 64 => key.split_at(key.len() / 2),
        _ => return Err(Error::BadKey),
    };
    if unit.len() < BLOCK {
        return Err(Error::BadLength);
    }
    let xts = Xts128::new(Aes::new(data_key)?, Aes::new(tweak_key)?);
    match direction {
        Direction::Encrypt => xts.encrypt_sector(unit, (*tweak).into()),
        Direction::Decrypt => xts.decrypt_sector(unit, (*tweak).into()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    const ALL: [Mode; 6] = [Mode::Ecb, Mode::Cbc, Mode::Ofb, Mode::Cfb128, Mode::Ctr, Mode::Xts];

    /// SP 800-38A appendix F, key of 128 bits: the second of the four blocks of each mode.
    #[test]
    fn the_modes_give_the_published_blocks() {
        let key = hex::decode("2b7e151628aed2a6abf7158809cf4f3c").unwrap();
        let plain = hex::decode("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51").unwrap();
        let zero_to_fifteen: [u8; BLOCK] = core::array::from_fn(|i| i as u8);
        let counter: [u8; BLOCK] = core::array::from_fn(|i| 0xF0 + i as u8);
        for (mode, iv, expected) in [
            (Mode::Ecb, [0; BLOCK], "f5d3d58503b9699de785895a96fdbaaf"),
            (Mode::Cbc, zero_to_fifteen, "5086cb9b507219ee95db113a917678b2"),
            (Mode::Cfb128, zero_to_fifteen, "c8a64537a0b3a93fcde3cdad9f1ce58b"),
            (Mode::Ofb, zero_to_fifteen, "7789508d16918f03f53c52dac54ed825"),
            (Mode::Ctr, counter, "9806f66b7970fdff8617187bb9fffdff"),
        ] {
            let mut data = plain.clone();
            apply(mode, Direction::Encrypt, &key, &iv, &mut data).unwrap();
            assert_eq!(hex::encode(&data[16..]), expected, "{mode:?}");
            apply(mode, Direction::Decrypt, &key, &iv, &mut data).unwrap();
            assert_eq!(data, plain, "{mode:?}");
        }
    }

    /// IEEE 1619 appendix B, vector 2.
    #[test]
    fn xts_gives_the_published_unit() {
        let key = [[0x11; 16], [0x22; 16]].concat();
        let mut tweak = [0; BLOCK];
        tweak[..5].fill(0x33);
        let mut unit = [0x44; 32];
        apply(Mode::Xts, Direction::Encrypt, &key, &tweak, &mut unit).unwrap();
        assert_eq!(hex::encode(unit), "c454185e6a16936e39334038acef838bfb186fff7480adc4289382ecd6d394f0");
    }

    #[test]
    fn every_length_comes_back_or_is_refused_unchanged() {
        let key: [u8; 64] = core::array::from_fn(|i| i as u8);
        let iv = [7; BLOCK];
        for mode in ALL {
            for key_len in [0, 15, 16, 24, 32, 33, 48, 64] {
                for len in (0..70).chain([255, 1024, 4099]) {
                    let plain: Vec<u8> = (0..len).map(|i| i as u8).collect();
                    let mut data = plain.clone();
                    let encrypted = apply(mode, Direction::Encrypt, &key[..key_len], &iv, &mut data);
                    let has_key = match mode {
                        Mode::Xts => [32, 64].contains(&key_len),
                        _ => [16, 24, 32].contains(&key_len),
                    };
                    let fits = match mode {
                        Mode::Ecb | Mode::Cbc => len % 16 == 0,
                        Mode::Xts => len >= 16,
                        Mode::Ofb | Mode::Cfb128 | Mode::Ctr => true,
                    };
                    let expected = match (has_key, fits) {
                        (false, _) => Err(Error::BadKey),
                        (true, false) => Err(Error::BadLength),
                        (true, true) => Ok(()),
                    };
                    assert_eq!(encrypted, expected, "{mode:?} {key_len} {len}");
                    if encrypted.is_ok() {
                        assert!(len < 8 || data != plain, "{mode:?} {len}");
                        apply(mode, Direction::Decrypt, &key[..key_len], &iv, &mut data).unwrap();
                    }
                    assert_eq!(data, plain, "{mode:?} {key_len} {len}");
                }
            }
        }
    }
}
