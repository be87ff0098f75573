//! Signatures on curves in Edwards form: pure EdDSA (RFC 8032 §5.1, §5.2), without context.

use crate::okp::{self, Domain};
use crate::{Bytes, Error};
use ed448_goldilocks as ed448;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

/// Longest key of any curve, in bytes.
pub const MAX_KEY: usize = 57;

/// A curve. The number is part of the storage format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Curve {
    /// Ed25519.
    Ed25519 = 1,
    /// Ed448.
    Ed448 = 2,
}

impl Curve {
    /// Every curve.
    pub const ALL: &'static [Self] = &[Self::Ed25519, Self::Ed448];

    /// Its domain parameters.
    pub fn domain(self) -> &'static Domain {
        match self {
            Self::Ed25519 => &okp::ED25519,
            Self::Ed448 => &okp::ED448,
        }
    }

    /// Length of private and public keys, in bytes. A signature has twice that.
    pub fn key_len(self) -> usize {
        self.domain().base.len()
    }
}

/// A public key as RFC 8032 encodes it.
pub type PublicKey = Bytes<MAX_KEY>;

/// A signature: R and S.
pub type Signature = Bytes<{ 2 * MAX_KEY }>;

/// A private key: the seed that RFC 8032 calls by that name. It wipes itself.
pub struct PrivateKey {
    curve: Curve,
    seed: Zeroizing<[u8; MAX_KEY]>,
}

impl PrivateKey {
    /// Makes a key: any bytes are one.
    pub fn generate(curve: Curve, rng: &mut impl CryptoRng) -> Self {
        let mut seed = Zeroizing::new([0; MAX_KEY]);
        rng.fill_bytes(seed.as_mut());
        Self { curve, seed }
    }

    /// Reads a seed, of exactly the curve's key length.
    pub fn from_bytes(curve: Curve, seed: &[u8]) -> Result<Self, Error> {
        if seed.len() != curve.key_len() {
            return Err(Error::BadLength);
        }
        let mut key = Self { curve, seed: Zeroizing::new([0; MAX_KEY]) };
        key.seed.iter_mut().zip(seed).for_each(|(to, from)| *to = *from);
        Ok(key)
    }

    /// Writes the seed and returns its length.
    pub fn to_bytes(&self, out: &mut [u8]) -> Result<usize, Error> {
        let len = self.curve.key_len();
        let seed = self.seed.get(..len).ok_or(Error::BadLength)?;
        out.get_mut(..len).ok_or(Error::BadLength)?.copy_from_slice(seed);
        Ok(len)
    }

    /// The curve.
    pub fn curve(&self) -> Curve {
        self.curve
    }

    /// The public key.
    pub fn public_key(&self) -> Result<PublicKey, Error> {
        match self.curve {
            Curve::Ed25519 => PublicKey::concat(&[self.ed25519()?.verifying_key().as_bytes()]),
            Curve::Ed448 => PublicKey::concat(&[self.ed448()?.verifying_key().as_bytes()]),
        }
    }

    /// Signs a message. The nonce derives from key and message alone, so that a fault in the computation could reveal
    /// the key: the signature is checked before it leaves.
    pub fn sign(&self, message: &[u8]) -> Result<Signature, Error> {
        match self.curve {
            Curve::Ed25519 => {
                use ed25519_dalek::Signer as _;
                let key = self.ed25519()?;
                let signature = key.sign(message);
                key.verifying_key().verify_strict(message, &signature).map_err(|_| Error::Fault)?;
                Signature::concat(&[&signature.to_bytes()])
            }
            Curve::Ed448 => {
                let key = self.ed448()?;
                let signature = key.sign_raw(message);
                key.verifying_key().verify_raw(&signature, message).map_err(|_| Error::Fault)?;
                Signature::concat(&[&signature.to_bytes()])
            }
        }
    }

    fn ed25519(&self) -> Result<ed25519_dalek::SigningKey, Error> {
        self.seed.first_chunk().map(ed25519_dalek::SigningKey::from_bytes).ok_or(Error::BadLength)
    }

    fn ed448(&self) -> Result<ed448::SigningKey, Error> {
        let seed = Zeroizing::new(ed448::SecretKey::from(*self.seed));
        Ok(ed448::SigningKey::from(&*seed))
    }
}

/// Checks a signature over a message.
pub fn verify(curve: Curve, public_key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), Error> {
    match curve {
        Curve::Ed25519 => {
            let key = public_key.try_into().map_err(|_| Error::BadLength)?;
            let key = ed25519_dalek::VerifyingKey::from_bytes(key).map_err(|_| Error::BadKey)?;
            let signature = signature.try_into().map_err(|_| Error::BadSignature)?;
            key.verify_strict(message, &signature).map_err(|_| Error::BadSignature)
        }
        Curve::Ed448 => {
            let key: [u8; 57] = public_key.try_into().map_err(|_| Error::BadLength)?;
            let key = ed448::VerifyingKey::from_bytes(&key).map_err(|_| Error::BadKey)?;
            // Seven bits of R's encoding are unused; the library ignores them instead of refusing other values than zero.
            if signature.get(MAX_KEY - 1).is_none_or(|last| last & 0x7F != 0) {
                return Err(Error::BadSignature);
            }
            let signature = signature.try_into().map_err(|_| Error::BadSignature)?;
            key.verify_raw(&signature, message).map_err(|_| Error::BadSignature)
        }
    }
}

#[cfg(test)]
mod tests;
