//! Key agreement on curves in Montgomery form (RFC 7748). Numbers are little-endian, as there.

use crate::okp::{self, Domain};
use crate::{Bytes, Error};
use rand_core::CryptoRng;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// Longest key of any curve, in bytes.
pub const MAX_KEY: usize = 56;

/// A curve. The number is part of the storage format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Curve {
    /// X25519.
    X25519 = 1,
    /// X448.
    X448 = 2,
}

impl Curve {
    /// Every curve.
    pub const ALL: &'static [Self] = &[Self::X25519, Self::X448];

    /// Its domain parameters.
    pub fn domain(self) -> &'static Domain {
        match self {
            Self::X25519 => &okp::X25519,
            Self::X448 => &okp::X448,
        }
    }

    /// Length of private and public keys and of shared secrets, in bytes.
    pub fn key_len(self) -> usize {
        self.domain().base.len()
    }
}

/// A u coordinate: a public key or a shared secret.
pub type Coordinate = Bytes<MAX_KEY>;

/// A private key. It wipes itself.
pub struct PrivateKey {
    curve: Curve,
    scalar: Zeroizing<[u8; MAX_KEY]>,
}

impl PrivateKey {
    /// Makes a key: any bytes are one.
    pub fn generate(curve: Curve, rng: &mut impl CryptoRng) -> Self {
        let mut scalar = Zeroizing::new([0; MAX_KEY]);
        rng.fill_bytes(scalar.as_mut());
        Self { curve, scalar }
    }

    /// Reads a scalar, of exactly the curve's key length. It need not be clamped.
    pub fn from_bytes(curve: Curve, scalar: &[u8]) -> Result<Self, Error> {
        if scalar.len() != curve.key_len() {
            return Err(Error::BadLength);
        }
        let mut key = Self { curve, scalar: Zeroizing::new([0; MAX_KEY]) };
        key.scalar.iter_mut().zip(scalar).for_each(|(to, from)| *to = *from);
        Ok(key)
    }

    /// Writes the scalar and returns its length.
    pub fn to_bytes(&self, out: &mut [u8]) -> Result<usize, Error> {
        let len = self.curve.key_len();
        let scalar = self.scalar.get(..len).ok_or(Error::BadLength)?;
        out.get_mut(..len).ok_or(Error::BadLength)?.copy_from_slice(scalar);
        Ok(len)
    }

    /// The curve.
    pub fn curve(&self) -> Curve {
        self.curve
    }

    /// The public key.
    pub fn public_key(&self) -> Result<Coordinate, Error> {
        self.multiply(self.curve.domain().base)
    }

    /// The shared secret with a peer's public key (RFC 7748 §5). [`Error::BadLength`] for a key of another length,
    /// [`Error::BadKey`] for one of low order, with which everybody could compute the secret: zero (§6.1, §6.2).
    pub fn agree(&self, peer: &[u8]) -> Result<Coordinate, Error> {
        let shared = self.multiply(peer)?;
        let is_zero = [0; MAX_KEY].get(..self.curve.key_len()).is_some_and(|zero| zero.ct_eq(shared.as_ref()).into());
        if is_zero { Err(Error::BadKey) } else { Ok(shared) }
    }

    fn multiply(&self, u: &[u8]) -> Result<Coordinate, Error> {
        match self.curve {
            Curve::X25519 => {
                let (scalar, u) = (self.scalar_array::<32>()?, u.try_into().map_err(|_| Error::BadLength)?);
                Coordinate::concat(&[Zeroizing::new(x25519_dalek::x25519(*scalar, u)).as_ref()])
            }
            Curve::X448 => {
                let (scalar, u) = (self.scalar_array::<56>()?, u.try_into().map_err(|_| Error::BadLength)?);
                Coordinate::concat(&[Zeroizing::new(x448::x448_unchecked(*scalar, u)).as_ref()])
            }
        }
    }

    fn scalar_array<const N: usize>(&self) -> Result<Zeroizing<[u8; N]>, Error> {
        self.scalar.first_chunk().map(|scalar| Zeroizing::new(*scalar)).ok_or(Error::BadLength)
    }
}

#[cfg(test)]
mod tests;
