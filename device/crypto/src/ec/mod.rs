//! Weierstrass curves as a table: a curve is a row of [`curves!`] and its numbers in `domain`.

mod definitions;
mod domain;
mod signature;
mod weierstrass;

pub use domain::Domain;
pub(crate) use domain::hex;
pub use signature::{MAX_DER, Signature};

use crate::{Bytes, Error};
use rand_core::CryptoRng;
use sha2::{Sha256, Sha384, Sha512};
use weierstrass::{Operations, Weierstrass};
use zeroize::Zeroizing;

/// Longest scalar or coordinate of any curve, in bytes (secp521r1).
pub const MAX_FIELD: usize = 66;

/// A public point, uncompressed: `04`, X, Y.
pub type PublicKey = Bytes<{ 1 + 2 * MAX_FIELD }>;

/// The X coordinate of a shared point.
pub type SharedSecret = Bytes<MAX_FIELD>;

macro_rules! curves {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $domain:ident, $curve:ty, $hash:ty;)*) => {
        /// A curve. The number is part of the storage format.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Curve {
            $($(#[$doc])* $name = $id,)*
        }

        impl Curve {
            /// Every curve.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its domain parameters.
            pub fn domain(self) -> &'static Domain {
                match self {
                    $(Self::$name => &domain::$domain::DOMAIN,)*
                }
            }

            fn operations(self) -> &'static dyn Operations {
                match self {
                    $(Self::$name => &Weierstrass::<$curve, $hash>::OPERATIONS,)*
                }
            }
        }
    };
}

curves! {
    /// secp256r1, also called prime256v1 or NIST P-256.
    P256 = 1, p256, p256::NistP256, Sha256;
    /// secp192r1, also called prime192v1 or NIST P-192.
    P192 = 2, p192, definitions::NistP192, Sha256;
    /// secp224r1, also called NIST P-224.
    P224 = 3, p224, p224::NistP224, Sha256;
    /// secp384r1, also called NIST P-384.
    P384 = 4, p384, p384::NistP384, Sha384;
    /// secp521r1, also called NIST P-521.
    P521 = 5, p521, p521::NistP521, Sha512;
    /// secp192k1.
    Secp192k1 = 6, secp192k1, definitions::Secp192k1, Sha256;
    /// secp256k1.
    Secp256k1 = 7, secp256k1, k256::Secp256k1, Sha256;
    /// brainpoolP256r1.
    BrainpoolP256r1 = 8, brainpool_p256r1, definitions::BrainpoolP256r1, Sha256;
    /// brainpoolP384r1.
    BrainpoolP384r1 = 9, brainpool_p384r1, definitions::BrainpoolP384r1, Sha384;
    /// brainpoolP512r1.
    BrainpoolP512r1 = 10, brainpool_p512r1, definitions::BrainpoolP512r1, Sha512;
}

impl Curve {
    /// The curve with a prime and, as far as they are given, coefficients A and B. The prime must match in value and
    /// length, a coefficient in value, as clients leave its leading zeros out.
    pub fn from_domain(prime: &[u8], a: Option<&[u8]>, b: Option<&[u8]>) -> Option<Self> {
        let same = |given: Option<&[u8]>, known| given.is_none_or(|given| significant(given) == significant(known));
        Self::ALL.iter().copied().find(|curve| {
            let domain = curve.domain();
            domain.prime == prime && same(a, domain.a) && same(b, domain.b)
        })
    }

    /// The curve's byte in the storage format.
    pub fn id(self) -> u8 {
        self as u8
    }

    /// The curve of a byte in the storage format.
    pub fn from_id(id: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|curve| curve.id() == id)
    }
}

/// A number without leading zeros.
fn significant(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// A private key. It wipes itself.
pub struct PrivateKey {
    curve: Curve,
    scalar: Zeroizing<[u8; MAX_FIELD]>,
}

impl PrivateKey {
    /// Makes a key (FIPS 186-5 A.2.2): candidates of the order's bit length are drawn until one lies between 1 and the
    /// order − 1. At least every second does.
    pub fn generate(curve: Curve, rng: &mut impl CryptoRng) -> Self {
        let top = curve.domain().order.first().map_or(0, |byte| byte.leading_zeros());
        let mut key = Self { curve, scalar: Zeroizing::new([0; MAX_FIELD]) };
        loop {
            let scalar = key.scalar_mut();
            rng.fill_bytes(scalar);
            if let Some(first) = scalar.first_mut() {
                *first &= 0xFF >> top;
            }
            if curve.operations().check(scalar).is_ok() {
                return key;
            }
        }
    }

    /// Reads a scalar, big-endian, of exactly the order's length.
    pub fn from_bytes(curve: Curve, scalar: &[u8]) -> Result<Self, Error> {
        curve.operations().check(scalar)?;
        let mut key = Self { curve, scalar: Zeroizing::new([0; MAX_FIELD]) };
        key.scalar_mut().copy_from_slice(scalar);
        Ok(key)
    }

    /// Writes the scalar, big-endian, and returns its length.
    pub fn to_bytes(&self, out: &mut [u8]) -> Result<usize, Error> {
        let scalar = self.scalar();
        out.get_mut(..scalar.len()).ok_or(Error::BadLength)?.copy_from_slice(scalar);
        Ok(scalar.len())
    }

    /// The curve.
    pub fn curve(&self) -> Curve {
        self.curve
    }

    /// The public point.
    pub fn public_key(&self) -> Result<PublicKey, Error> {
        self.curve.operations().public_key(self.scalar())
    }

    /// ECDSA over a digest of any length, of which the leftmost bits count (FIPS 186-5 §6.4). The nonce is that of
    /// RFC 6979 hedged with 32 random bytes (§3.6): a bad generator does not reveal the key, a good one blinds faults.
    pub fn sign(&self, digest: &[u8], rng: &mut impl CryptoRng) -> Result<Signature, Error> {
        let mut hedge = Zeroizing::new([0; 32]);
        rng.fill_bytes(hedge.as_mut());
        self.curve.operations().sign(self.scalar(), digest, hedge.as_ref())
    }

    /// ECDH (SEC 1 §3.3.1, SP 800-56A §5.7.1.2) with a peer's point, uncompressed or compressed.
    /// [`Error::BadLength`] for what has no such form, [`Error::BadKey`] for a point that is not on the curve.
    pub fn agree(&self, peer: &[u8]) -> Result<SharedSecret, Error> {
        self.curve.operations().agree(self.scalar(), peer)
    }

    /// The key whose scalar is greater by a tweak, modulo the order. [`Error::BadLength`] for a tweak that is longer
    /// than the order, [`Error::BadKey`] if the sum is zero.
    pub fn add(&self, tweak: &[u8]) -> Result<Self, Error> {
        let mut sum = Self { curve: self.curve, scalar: self.scalar.clone() };
        self.curve.operations().add(sum.scalar_mut(), tweak)?;
        Ok(sum)
    }

    fn scalar(&self) -> &[u8] {
        self.scalar.get(..self.curve.domain().order.len()).unwrap_or_default()
    }

    fn scalar_mut(&mut self) -> &mut [u8] {
        self.scalar.get_mut(..self.curve.domain().order.len()).unwrap_or_default()
    }
}

/// Checks an ECDSA signature, r ‖ s each of the order's length, over a digest.
pub fn verify(curve: Curve, point: &[u8], digest: &[u8], signature: &[u8]) -> Result<(), Error> {
    curve.operations().verify(point, digest, signature)
}

#[cfg(test)]
mod tests;
