//! The channel through which the mask of the secure lock reaches the device (specification part 3 §1.4).
//!
//! Host and device agree on a secret by ECDH on P-256, with a new key pair on both sides. HKDF-SHA-256 makes a nonce and a
//! key of it, with the host's public key as information; under them ChaCha20-Poly1305 encrypts the mask, with the same
//! public key as associated data. One agreement serves one message: the nonce is fixed by it.

use crate::{Error, aead, kdf};
use zeroize::{ZeroizeOnDrop, Zeroizing};

/// Length of a public key on P-256, uncompressed, in bytes.
pub const POINT: usize = 65;
/// Length of an encrypted mask with its tag, in bytes.
pub const MESSAGE: usize = MASK + aead::TAG;

const MASK: usize = 32;
const NONCE: usize = 12;
const KEY: usize = 32;

/// The host's secret, without which a locked device opens nothing: 256 bits.
#[derive(ZeroizeOnDrop)]
pub struct Mask([u8; MASK]);

impl Mask {
    /// Takes a copy of the bytes.
    pub fn from_bytes(bytes: &[u8; MASK]) -> Self {
        Self(*bytes)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; MASK] {
        &self.0
    }
}

/// What both sides know after the key agreement, good for one message.
pub struct Agreement {
    nonce: [u8; NONCE],
    key: aead::Key,
    host: [u8; POINT],
}

impl Agreement {
    /// The agreement that a shared secret (the x coordinate of ECDH) and the host's public key make.
    pub fn new(shared_secret: &[u8], host: &[u8; POINT]) -> Self {
        let mut nonce = [0; NONCE];
        let mut key = Zeroizing::new([0; KEY]);
        let mut output = Zeroizing::new([0; NONCE + KEY]);
        kdf::hkdf_sha256(&[], shared_secret, &[host], &mut output);
        nonce.iter_mut().chain(key.iter_mut()).zip(output.iter()).for_each(|(to, from)| *to = *from);
        Self { nonce, key: aead::Key::from_bytes(&key), host: *host }
    }

    /// Encrypts a mask: cryptogram, then tag.
    pub fn seal(self, mask: &Mask) -> [u8; MESSAGE] {
        let mut message = [0; MESSAGE];
        let (cryptogram, room) = message.split_at_mut(MASK);
        cryptogram.copy_from_slice(&mask.0);
        let tag = aead::seal(&self.key, &self.nonce, &self.host, cryptogram);
        room.copy_from_slice(&tag);
        message
    }

    /// Decrypts a mask; [`Error::BadSignature`] if the message is not one for this agreement.
    pub fn open(self, message: &[u8; MESSAGE]) -> Result<Mask, Error> {
        let (cryptogram, tag) = message.split_at(MASK);
        let mut mask = Mask([0; MASK]);
        mask.0.copy_from_slice(cryptogram);
        let tag = tag.try_into().map_err(|_| Error::BadLength)?;
        aead::open(&self.key, &self.nonce, &self.host, &mut mask.0, tag)?;
        Ok(mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ec::{Curve, PrivateKey};

    const CRYPTOGRAM: &str =
        "aaa68f0fa7ccaa895d640b710c435df872fdf4d50fec1f7bc4c57405c17eaacf20b94dad03ae16958131ab5295e814e6";

    fn mask() -> Mask {
        Mask(core::array::from_fn(|at| at as u8))
    }

    /// The worked example of the specification, part 3 §1.4, from either side.
    fn recorded() -> [Agreement; 2] {
        let [host, device] = [0x11, 0x22].map(|byte| PrivateKey::from_bytes(Curve::P256, &[byte; 32]).unwrap());
        let [h, d] = [&host, &device].map(|key| key.public_key().unwrap());
        assert_eq!(
            hex::encode(d.as_ref()),
            "04d65a93977caa3d1b081852ff57a79e465f1660577304baead505dd3a48589cf3\
             50185e895372df6221ea3a137557e473fddb6755f05bd507c3c533fce9c91285"
        );
        let h: [u8; POINT] = h.as_ref().try_into().unwrap();
        [host.agree(d.as_ref()).unwrap(), device.agree(&h).unwrap()].map(|secret| {
            assert_eq!(hex::encode(&secret), "ccfc261f58193c98ca4ad4a53bbac6f0ee29bc4d48438090446908622ca79af6");
            Agreement::new(secret.as_ref(), &h)
        })
    }

    #[test]
    fn the_recorded_mask_travels_as_recorded() {
        let [host, device] = recorded();
        assert_eq!(hex::encode(host.nonce), "26d406e2258535c82929908c");
        let message = host.seal(&mask());
        assert_eq!(hex::encode(message), CRYPTOGRAM);
        assert_eq!(device.open(&message).unwrap().as_bytes(), mask().as_bytes());
    }

    #[test]
    fn a_message_that_was_changed_is_refused() {
        for bit in 0..MESSAGE * 8 {
            let mut message: [u8; MESSAGE] = hex::decode(CRYPTOGRAM).unwrap().try_into().unwrap();
            message[bit / 8] ^= 1 << (bit % 8);
            let [_, device] = recorded();
            assert_eq!(device.open(&message).map(|_| ()), Err(Error::BadSignature), "{bit}");
        }
    }
}
