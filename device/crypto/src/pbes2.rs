//! PBES2 (RFC 8018 §6.2): PBKDF2 makes the key, AES-CBC encrypts, PKCS#7 pads (RFC 5652 §6.3).

use crate::Error;
use crate::aes::BLOCK;
use crate::cipher::{self, Direction, Mode};
use crate::hash::Hash;
use crate::kdf;
use subtle::{Choice, ConstantTimeEq as _, ConstantTimeGreater as _};
use zeroize::Zeroizing;

/// Parameters of an encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameters<'a> {
    /// Hash function of PBKDF2.
    pub hash: Hash,
    /// Salt of PBKDF2.
    pub salt: &'a [u8],
    /// Iterations of PBKDF2, at least 1.
    pub iterations: u32,
    /// Length of the AES key in bytes: 16, 24 or 32.
    pub key_len: usize,
    /// Initialisation vector of AES-CBC.
    pub iv: &'a [u8; BLOCK],
}

/// Encrypts the first `len` bytes of `buffer` in place and returns the length of the ciphertext: 1 to 16 bytes more, for
/// which there must be room ([`Error::BadLength`]).
pub fn encrypt(password: &[u8], parameters: &Parameters<'_>, buffer: &mut [u8], len: usize) -> Result<usize, Error> {
    let padding = BLOCK - len % BLOCK;
    let padded = len.checked_add(padding).and_then(|end| buffer.get_mut(..end)).ok_or(Error::BadLength)?;
    padded.get_mut(len..).ok_or(Error::BadLength)?.fill(padding as u8);
    crypt(password, parameters, Direction::Encrypt, padded)?;
    Ok(padded.len())
}

/// Decrypts `data` in place and returns the length of the plaintext.
///
/// # Errors
/// [`Error::BadLength`] for anything but one or more whole blocks, [`Error::BadPadding`] for wrong padding. How long it
/// takes does not depend on the padding.
pub fn decrypt(password: &[u8], parameters: &Parameters<'_>, data: &mut [u8]) -> Result<usize, Error> {
    if data.is_empty() {
        return Err(Error::BadLength);
    }
    crypt(password, parameters, Direction::Decrypt, data)?;
    let last = data.last_chunk::<BLOCK>().ok_or(Error::BadLength)?;
    let [.., padding] = *last;
    let mut is_right = !padding.ct_eq(&0) & !padding.ct_gt(&(BLOCK as u8));
    for (place, byte) in (1u8..).zip(last.iter().rev()) {
        is_right &= place.ct_gt(&padding) | byte.ct_eq(&padding);
    }
    released(data.len(), padding, is_right)
}

/// The length without padding.
fn released(len: usize, padding: u8, is_right: Choice) -> Result<usize, Error> {
    if bool::from(is_right) {
        len.checked_sub(usize::from(padding)).ok_or(Error::BadPadding)
    } else {
        Err(Error::BadPadding)
    }
}

fn crypt(password: &[u8], parameters: &Parameters<'_>, direction: Direction, data: &mut [u8]) -> Result<(), Error> {
    let Parameters { hash, salt, iterations, key_len, iv } = *parameters;
    let mut key = Zeroizing::new([0; 32]);
    let key = key.get_mut(..key_len).ok_or(Error::BadKey)?;
    kdf::pbkdf2(hash, password, salt, iterations, key)?;
    cipher::apply(Mode::Cbc, direction, key, iv, data)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMETERS: Parameters<'_> =
        Parameters { hash: Hash::Sha256, salt: b"saltsalt", iterations: 3, key_len: 32, iv: &[1; BLOCK] };

    #[test]
    fn every_length_is_padded_and_comes_back() {
        for len in 0..50 {
            let mut buffer = [0x5A; 64];
            let end = encrypt(b"password", &PARAMETERS, &mut buffer, len).unwrap();
            assert_eq!(end, len / 16 * 16 + 16);
            assert_eq!(decrypt(b"password", &PARAMETERS, &mut buffer[..end]), Ok(len));
            assert_eq!(buffer[..len], [0x5A; 64][..len]);
        }
        assert_eq!(encrypt(b"password", &PARAMETERS, &mut [0; 15], 0), Err(Error::BadLength));
        assert_eq!(encrypt(b"password", &PARAMETERS, &mut [0; 16], 16), Err(Error::BadLength));
    }

    #[test]
    fn only_right_padding_is_taken_off() {
        let is_padded = |block: [u8; BLOCK]| {
            let padding = usize::from(block[BLOCK - 1]);
            (1..=BLOCK).contains(&padding) && block[BLOCK - padding..].iter().all(|byte| usize::from(*byte) == padding)
        };
        for last in 0..=255 {
            for wrong in 0..BLOCK {
                let mut block = [last; BLOCK];
                block[wrong] ^= 1;
                let expected =
                    if is_padded(block) { Ok(BLOCK - usize::from(block[15])) } else { Err(Error::BadPadding) };
                crypt(b"password", &PARAMETERS, Direction::Encrypt, &mut block).unwrap();
                assert_eq!(decrypt(b"password", &PARAMETERS, &mut block), expected, "{last} {wrong}");
            }
        }
        for len in [0, 1, 15, 17] {
            assert_eq!(decrypt(b"password", &PARAMETERS, &mut [0; 20][..len]), Err(Error::BadLength));
        }
    }
}
