//! ChaCha20-Poly1305 (RFC 8439): authenticated encryption in place, with the tag apart.

use super::Tag;
use crate::Error;
use chacha20poly1305::aead::AeadInOut as _;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _};
use zeroize::{Zeroize as _, ZeroizeOnDrop};

/// A 256-bit key.
#[derive(ZeroizeOnDrop)]
pub struct Key([u8; 32]);

impl Key {
    /// Takes a copy of the key's bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(*bytes)
    }
}

/// Encrypts `data` in place and returns the tag. A nonce must never repeat under one key. Data is at most 256 GiB − 64
/// bytes long, which no buffer here reaches.
pub fn seal(key: &Key, nonce: &[u8; 12], aad: &[u8], data: &mut [u8]) -> Tag {
    let cipher = ChaCha20Poly1305::new((&key.0).into());
    match cipher.encrypt_inout_detached(nonce.into(), aad, data.into()) {
        Ok(tag) => tag.into(),
        // Only for data beyond the limit of the algorithm: then nothing leaves.
        Err(_) => {
            data.zeroize();
            [0; 16]
        }
    }
}

/// Decrypts `data` in place if the tag matches (compared in constant time); otherwise `data` is wiped.
pub fn open(key: &Key, nonce: &[u8; 12], aad: &[u8], data: &mut [u8], tag: &Tag) -> Result<(), Error> {
    let cipher = ChaCha20Poly1305::new((&key.0).into());
    let opened = cipher.decrypt_inout_detached(nonce.into(), aad, (&mut *data).into(), tag.into());
    opened.map_err(|_| {
        data.zeroize();
        Error::BadSignature
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8439 §2.8.2.
    #[test]
    fn sealing_gives_the_published_output() {
        let key: [u8; 32] = core::array::from_fn(|i| 0x80 + i as u8);
        let nonce = *b"\x07\x00\x00\x00\x40\x41\x42\x43\x44\x45\x46\x47";
        let aad = hex::decode("50515253c0c1c2c3c4c5c6c7").unwrap();
        let plain = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
                      sunscreen would be it.";
        let mut data = *plain;
        let key = Key::from_bytes(&key);
        let tag = seal(&key, &nonce, &aad, &mut data);
        assert_eq!(hex::encode(&data[..16]), "d31a8d34648e60db7b86afbc53ef7ec2");
        assert_eq!(hex::encode(tag), "1ae10b594f09e26a7e902ecbd0600691");
        let mut wrong = data;
        assert_eq!(open(&key, &nonce, &aad[1..], &mut wrong, &tag), Err(Error::BadSignature));
        assert_eq!(wrong, [0; 114], "nothing is released without a right tag");
        assert_eq!(open(&key, &nonce, &aad, &mut data, &tag), Ok(()));
        assert_eq!(&data, plain);
    }
}
