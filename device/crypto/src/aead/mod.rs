//! Authenticated encryption in place, with the tag apart: AES-GCM (SP 800-38D), AES-CCM (SP 800-38C), ChaCha20-Poly1305
//! (RFC 8439). Plaintext is written only after the tag was found right.

mod ccm;
mod chacha;
mod gcm;

pub use chacha::{Key, open, seal};

use crate::Error;
use crate::aes::Aes;
use zeroize::{Zeroize as _, Zeroizing};

/// Length of every tag, in bytes.
pub const TAG: usize = 16;

/// What authenticates the data.
pub type Tag = [u8; TAG];

/// An algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// AES-GCM: a key of 16, 24 or 32 bytes, a nonce of at least one byte, best 12.
    AesGcm,
    /// AES-CCM: a key of 16, 24 or 32 bytes, a nonce of 7 to 13 bytes. The longer the nonce, the shorter the data may be:
    /// at 13 bytes it is less than 64 KiB.
    AesCcm,
    /// ChaCha20-Poly1305: a key of 32 bytes, a nonce of 12.
    ChaCha20Poly1305,
}

/// Encrypts `data` in place and returns the tag. A nonce must never repeat under one key.
///
/// # Errors
/// [`Error::BadKey`] and [`Error::BadLength`] for a key, a nonce or data of a wrong length; nothing was encrypted then.
pub fn encrypt(algorithm: Algorithm, key: &[u8], nonce: &[u8], aad: &[u8], data: &mut [u8]) -> Result<Tag, Error> {
    match algorithm {
        Algorithm::AesGcm => gcm::encrypt(&Aes::new(key)?, nonce, aad, data),
        Algorithm::AesCcm => ccm::encrypt(&Aes::new(key)?, nonce, aad, data),
        Algorithm::ChaCha20Poly1305 => {
            let (key, nonce) = chacha_inputs(key, nonce)?;
            Ok(seal(&key, nonce, aad, data))
        }
    }
}

/// Decrypts `data` in place if the tag matches (compared in constant time); otherwise `data` is wiped.
///
/// # Errors
/// [`Error::BadSignature`] for a tag that does not match, [`Error::BadKey`] and [`Error::BadLength`] for a key, a nonce or
/// data of a wrong length.
pub fn decrypt(
    algorithm: Algorithm,
    key: &[u8],
    nonce: &[u8],
    aad: &[u8],
    data: &mut [u8],
    tag: &Tag,
) -> Result<(), Error> {
    let opened = match algorithm {
        Algorithm::AesGcm => Aes::new(key).and_then(|aes| gcm::decrypt(&aes, nonce, aad, data, tag)),
        Algorithm::AesCcm => Aes::new(key).and_then(|aes| ccm::decrypt(&aes, nonce, aad, data, tag)),
        Algorithm::ChaCha20Poly1305 => {
            chacha_inputs(key, nonce).and_then(|(key, nonce)| open(&key, nonce, aad, data, tag))
        }
    };
    opened.inspect_err(|_| data.zeroize())
}

fn chacha_inputs<'n>(key: &[u8], nonce: &'n [u8]) -> Result<(Key, &'n [u8; 12]), Error> {
    let mut bytes = Zeroizing::new([0; 32]);
    if key.len() != bytes.len() {
        return Err(Error::BadKey);
    }
    bytes.copy_from_slice(key);
    Ok((Key::from_bytes(&bytes), nonce.try_into().map_err(|_| Error::BadLength)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    const ALL: [Algorithm; 3] = [Algorithm::AesGcm, Algorithm::AesCcm, Algorithm::ChaCha20Poly1305];

    /// Test case 4 of the GCM submission (McGrew and Viega), and case 6 with a nonce of 60 bytes.
    #[test]
    fn gcm_gives_the_published_output() {
        let key = hex::decode("feffe9928665731c6d6a8f9467308308").unwrap();
        let plain = hex::decode(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
             1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        )
        .unwrap();
        let aad = hex::decode("feedfacedeadbeeffeedfacedeadbeefabaddad2").unwrap();
        let long_nonce = "9313225df88406e555909c5aff5269aa6a7a9538534f7da1e4c303d2a318a728\
                          c3c0c95156809539fcf0e2429a6b525416aedbf5a0de6a57a637b39b";
        for (nonce, first, expected) in [
            ("cafebabefacedbaddecaf888", "42831ec2217774244b7221b784d0d49c", "5bc94fbc3221a5db94fae95ae7121a47"),
            (long_nonce, "8ce24998625615b603a033aca13fb894", "619cc5aefffe0bfa462af43c1699d050"),
        ] {
            let nonce = hex::decode(nonce).unwrap();
            let mut data = plain.clone();
            let tag = encrypt(Algorithm::AesGcm, &key, &nonce, &aad, &mut data).unwrap();
            assert_eq!((hex::encode(&data[..16]), hex::encode(tag)), (first.into(), expected.into()));
            assert_eq!(decrypt(Algorithm::AesGcm, &key, &nonce, &aad, &mut data, &tag), Ok(()));
            assert_eq!(data, plain);
        }
    }

    /// CCM vectors with tags of 16 bytes are those of Wycheproof, which the card's tests run. SP 800-38C's examples have
    /// shorter tags; its example 4 has additional data longer than two bytes of length can say, as here.
    #[test]
    fn additional_data_of_every_length_is_authenticated() {
        for algorithm in ALL {
            for len in [0, 1, 13, 14, 15, 16, 0xFEFF, 0xFF00, 0x1_0000] {
                let mut aad: Vec<u8> = (0..len).map(|i| i as u8).collect();
                let mut data = *b"a secret message";
                let tag = encrypt(algorithm, &[1; 32], &[2; 12], &aad, &mut data).unwrap();
                let mut copy = data;
                assert_eq!(decrypt(algorithm, &[1; 32], &[2; 12], &aad, &mut copy, &tag), Ok(()));
                assert_eq!(&copy, b"a secret message");
                aad.push(0);
                assert_eq!(decrypt(algorithm, &[1; 32], &[2; 12], &aad, &mut data, &tag), Err(Error::BadSignature));
                assert_eq!(data, [0; 16], "nothing is left without a right tag");
            }
        }
    }

    #[test]
    fn keys_and_nonces_of_wrong_lengths_are_refused() {
        for algorithm in ALL {
            for key_len in 0..40 {
                for nonce_len in 0..20 {
                    let has_key = match algorithm {
                        Algorithm::ChaCha20Poly1305 => key_len == 32,
                        Algorithm::AesGcm | Algorithm::AesCcm => [16, 24, 32].contains(&key_len),
                    };
                    let has_nonce = match algorithm {
                        Algorithm::AesGcm => nonce_len > 0,
                        Algorithm::AesCcm => (7..=13).contains(&nonce_len),
                        Algorithm::ChaCha20Poly1305 => nonce_len == 12,
                    };
                    let mut data = [3; 5];
                    let result = encrypt(algorithm, &[0; 40][..key_len], &[0; 20][..nonce_len], &[], &mut data);
                    let expected = match (has_key, has_nonce) {
                        (false, _) => Err(Error::BadKey),
                        (true, false) => Err(Error::BadLength),
                        (true, true) => Ok(()),
                    };
                    assert_eq!(result.map(drop), expected, "{algorithm:?} {key_len} {nonce_len}");
                    assert_eq!(data == [3; 5], result.is_err());
                }
            }
        }
    }

    #[test]
    fn ccm_takes_no_more_data_than_its_nonce_leaves_room_for() {
        let mut data = std::vec![0; 0x1_0000];
        let key = [0; 16];
        assert_eq!(encrypt(Algorithm::AesCcm, &key, &[0; 13], &[], &mut data), Err(Error::BadLength));
        assert!(encrypt(Algorithm::AesCcm, &key, &[0; 13], &[], &mut data[1..]).is_ok());
        assert!(encrypt(Algorithm::AesCcm, &key, &[0; 12], &[], &mut data).is_ok());
    }
}
