//! Elliptic curves as a table: a curve is a row of [`DOMAINS`] and a line in each `match` below.

use crate::Error;
use ecdsa::hazmat;
use p256::NistP256;
use p256::ecdsa::VerifyingKey;
use p256::elliptic_curve::NonZeroScalar;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use rand_core::CryptoRng;
use sha2::Sha256;
use zeroize::Zeroizing;

/// A curve. The number is part of the storage format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Curve {
    /// secp256r1, also called prime256v1 or NIST P-256.
    P256 = 1,
}

/// Domain parameters of a curve, big-endian, padded to the length of the prime.
#[derive(Debug)]
pub struct Domain {
    /// The prime.
    pub prime: &'static [u8],
    /// Coefficient A.
    pub a: &'static [u8],
    /// Coefficient B.
    pub b: &'static [u8],
    /// Base point, uncompressed.
    pub generator: &'static [u8],
    /// Order of the base point.
    pub order: &'static [u8],
    /// Cofactor.
    pub cofactor: u8,
    /// Size of the field, in bits.
    pub bits: u16,
}

/// Longest scalar or coordinate of any curve, in bytes (secp521r1).
pub const MAX_FIELD: usize = 66;

const P256: Domain = Domain {
    prime: &hex32(b"FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF"),
    a: &hex32(b"FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFC"),
    b: &hex32(b"5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B"),
    generator: &uncompressed(
        hex32(b"6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296"),
        hex32(b"4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5"),
    ),
    order: &hex32(b"FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551"),
    cofactor: 1,
    bits: 256,
};

impl Curve {
    /// Every curve.
    pub const ALL: &'static [Self] = &[Curve::P256];

    /// Its domain parameters.
    pub fn domain(self) -> &'static Domain {
        match self {
            Curve::P256 => &P256,
        }
    }

    /// The curve with a prime and, if it is given, coefficient A: both must match in value and length.
    pub fn from_domain(prime: &[u8], a: Option<&[u8]>) -> Option<Self> {
        Self::ALL.iter().copied().find(|curve| {
            let domain = curve.domain();
            domain.prime == prime && a.is_none_or(|a| a == domain.a)
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

/// A private key. It wipes itself.
pub struct PrivateKey(Scalar);

/// A scalar of each curve.
enum Scalar {
    P256(Zeroizing<NonZeroScalar<NistP256>>),
}

/// An uncompressed public point: `04`, X, Y.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicPoint {
    bytes: [u8; 1 + 2 * MAX_FIELD],
    len: usize,
}

impl AsRef<[u8]> for PublicPoint {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl PrivateKey {
    /// Makes a key.
    pub fn generate(curve: Curve, rng: &mut impl CryptoRng) -> Self {
        match curve {
            // FIPS 186-5 A.2.2: candidates are drawn until one is below the order; almost the first always is.
            Curve::P256 => loop {
                let mut bytes = Zeroizing::new([0; 32]);
                rng.fill_bytes(bytes.as_mut());
                if let Ok(key) = Self::from_bytes(curve, bytes.as_ref()) {
                    return key;
                }
            },
        }
    }

    /// Reads a scalar, big-endian, of exactly the order's length.
    pub fn from_bytes(curve: Curve, scalar: &[u8]) -> Result<Self, Error> {
        match curve {
            Curve::P256 => {
                let bytes: [u8; 32] = scalar.try_into().map_err(|_| Error::BadLength)?;
                let bytes = Zeroizing::new(p256::FieldBytes::from(bytes));
                let scalar = NonZeroScalar::from_repr(*bytes).into_option().ok_or(Error::BadKey)?;
                Ok(Self(Scalar::P256(Zeroizing::new(scalar))))
            }
        }
    }

    /// Writes the scalar, big-endian, and returns its length.
    pub fn to_bytes(&self, out: &mut [u8]) -> Result<usize, Error> {
        match &self.0 {
            Scalar::P256(scalar) => {
                let bytes = Zeroizing::new(<[u8; 32]>::from(p256::FieldBytes::from(**scalar)));
                out.get_mut(..32).ok_or(Error::BadLength)?.copy_from_slice(bytes.as_ref());
                Ok(32)
            }
        }
    }

    /// The curve.
    pub fn curve(&self) -> Curve {
        match &self.0 {
            Scalar::P256(_) => Curve::P256,
        }
    }

    /// The public point.
    pub fn public_key(&self) -> PublicPoint {
        let mut point = PublicPoint { bytes: [0; 1 + 2 * MAX_FIELD], len: 0 };
        match &self.0 {
            Scalar::P256(scalar) => {
                let encoded = p256::PublicKey::from_secret_scalar(scalar).to_sec1_point(false);
                let encoded = encoded.as_bytes();
                point.bytes.iter_mut().zip(encoded).for_each(|(to, from)| *to = *from);
                point.len = encoded.len();
            }
        }
        point
    }

    /// ECDSA over a digest of any length, of which the leftmost bits count (FIPS 186-5 §6.4). The nonce is that of
    /// RFC 6979 hedged with 32 random bytes (§3.6): a bad generator does not reveal the key, a good one blinds faults.
    pub fn sign(&self, digest: &[u8], rng: &mut impl CryptoRng) -> Result<Signature, Error> {
        let mut hedge = Zeroizing::new([0; 32]);
        rng.fill_bytes(hedge.as_mut());
        self.sign_with(digest, hedge.as_ref())
    }

    fn sign_with(&self, digest: &[u8], additional: &[u8]) -> Result<Signature, Error> {
        let digest = at_least_zero(digest);
        match &self.0 {
            Scalar::P256(scalar) => {
                let (signature, _) = hazmat::sign_prehashed_rfc6979::<NistP256, Sha256>(scalar, digest, additional);
                let (r, s) = signature.split_bytes();
                Signature::new(&r, &s)
            }
        }
    }
}

/// An ECDSA signature: two numbers of the order's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    bytes: [u8; 2 * MAX_FIELD],
    half: usize,
}

impl Signature {
    fn new(r: &[u8], s: &[u8]) -> Result<Self, Error> {
        let mut signature = Self { bytes: [0; 2 * MAX_FIELD], half: r.len() };
        let total = r.len().saturating_add(s.len());
        let (to_r, to_s) = signature.bytes.get_mut(..total).ok_or(Error::BadLength)?.split_at_mut(r.len());
        to_r.copy_from_slice(r);
        to_s.copy_from_slice(s);
        Ok(signature)
    }

    /// r and s, one after the other.
    fn halves(&self) -> (&[u8], &[u8]) {
        self.bytes
            .get(..self.half.saturating_mul(2))
            .unwrap_or_default()
            .split_at_checked(self.half)
            .unwrap_or_default()
    }

    /// Writes r ‖ s, each of the field's length, and returns the length.
    pub fn to_raw(&self, out: &mut [u8]) -> Result<usize, Error> {
        let (r, s) = self.halves();
        let len = r.len().saturating_add(s.len());
        let (to_r, to_s) = out.get_mut(..len).ok_or(Error::BadLength)?.split_at_mut(r.len());
        to_r.copy_from_slice(r);
        to_s.copy_from_slice(s);
        Ok(len)
    }

    /// Writes `SEQUENCE { INTEGER r, INTEGER s }` in DER and returns its length (SEC 1 §C.5).
    pub fn to_der(&self, out: &mut [u8]) -> Result<usize, Error> {
        let (r, s) = self.halves();
        let integer = |number: &[u8]| {
            let zeros = number.iter().take_while(|byte| **byte == 0).count().min(number.len().saturating_sub(1));
            let is_negative = number.get(zeros).is_some_and(|byte| byte & 0x80 != 0);
            (zeros, is_negative, number.len().saturating_sub(zeros).saturating_add(usize::from(is_negative)))
        };
        let content = integer(r).2.saturating_add(integer(s).2).saturating_add(4);
        let mut out_bytes = out.iter_mut();
        let mut len: usize = 0;
        let mut push = |byte: u8| {
            len = len.saturating_add(1);
            out_bytes.next().map(|to| *to = byte).ok_or(Error::BadLength)
        };
        push(0x30)?;
        if content > 0x7F {
            push(0x81)?;
        }
        push(u8::try_from(content).map_err(|_| Error::BadLength)?)?;
        for number in [r, s] {
            let (zeros, is_negative, size) = integer(number);
            push(0x02)?;
            push(u8::try_from(size).map_err(|_| Error::BadLength)?)?;
            if is_negative {
                push(0)?;
            }
            number.iter().skip(zeros).try_for_each(|byte| push(*byte))?;
        }
        Ok(len)
    }
}

/// An empty digest stands for the number zero, which the libraries below want to see as a byte.
fn at_least_zero(digest: &[u8]) -> &[u8] {
    if digest.is_empty() { &[0] } else { digest }
}

/// Checks an ECDSA signature, r ‖ s, over a digest.
pub fn verify(curve: Curve, point: &[u8], digest: &[u8], signature: &[u8]) -> Result<(), Error> {
    let digest = at_least_zero(digest);
    match curve {
        Curve::P256 => {
            let key = VerifyingKey::from_sec1_bytes(point).map_err(|_| Error::BadKey)?;
            let signature = p256::ecdsa::Signature::from_slice(signature).map_err(|_| Error::BadSignature)?;
            let point = p256::ProjectivePoint::from(*key.as_affine());
            hazmat::verify_prehashed::<NistP256>(&point, digest, &signature).map_err(|_| Error::BadSignature)
        }
    }
}

const fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'A'..=b'F' => digit - b'A' + 10,
        _ => panic!("not a hexadecimal digit"),
    }
}

const fn hex32(text: &[u8; 64]) -> [u8; 32] {
    let mut bytes = [0; 32];
    let mut i = 0;
    while i < 32 {
        bytes[i] = (nibble(text[2 * i]) << 4) | nibble(text[2 * i + 1]);
        i += 1;
    }
    bytes
}

const fn uncompressed(x: [u8; 32], y: [u8; 32]) -> [u8; 65] {
    let mut point = [4; 65];
    let mut i = 0;
    while i < 32 {
        point[1 + i] = x[i];
        point[33 + i] = y[i];
        i += 1;
    }
    point
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drbg::Drbg;
    use crate::hash::Hash;

    /// RFC 6979 appendix A.2.5: the deterministic nonce, without hedging.
    #[test]
    fn signatures_without_hedge_are_the_published_ones() {
        let scalar = hex::decode("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721").unwrap();
        let key = PrivateKey::from_bytes(Curve::P256, &scalar).unwrap();
        let digest = Hash::Sha256.digest(&[b"sample"]);
        let mut raw = [0; 64];
        key.sign_with(digest.as_ref(), &[]).unwrap().to_raw(&mut raw).unwrap();
        assert_eq!(
            hex::encode_upper(raw),
            "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716\
             F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"
        );
        assert_eq!(
            hex::encode_upper(key.public_key()),
            "0460FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6\
             7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299"
        );
    }

    #[test]
    fn hedged_signatures_differ_and_verify() {
        let mut rng = Drbg::new(&[1; 32], &[], &[]);
        let key = PrivateKey::generate(Curve::P256, &mut rng);
        let point = key.public_key();
        let mut last = [0; 64];
        for digest in [&[][..], &[7], &[9; 20], &[3; 32], &[5; 64]] {
            for _ in 0..2 {
                let mut raw = [0; 64];
                key.sign(digest, &mut rng).unwrap().to_raw(&mut raw).unwrap();
                assert_eq!(verify(Curve::P256, point.as_ref(), digest, &raw), Ok(()));
                assert_eq!(verify(Curve::P256, point.as_ref(), b"another digest", &raw), Err(Error::BadSignature));
                assert_ne!(raw, last);
                last = raw;
            }
        }
    }

    #[test]
    fn der_is_minimal_and_signed() {
        for (r, s, expected) in [([0x7F; 32], [0x80; 32], 2 + 2 + 32 + 2 + 33), ([0; 32], [1; 32], 2 + 2 + 1 + 2 + 32)]
        {
            let mut out = [0; 80];
            let len = Signature::new(&r, &s).unwrap().to_der(&mut out).unwrap();
            assert_eq!(len, expected);
            assert_eq!(usize::from(out[1]), len - 2);
        }
        let long = Signature::new(&[0xFF; 66], &[0xFF; 66]).unwrap();
        let mut out = [0; 150];
        assert_eq!(long.to_der(&mut out), Ok(3 + 2 * (2 + 67)));
        assert_eq!(out[..3], [0x30, 0x81, 2 * (2 + 67)]);
        assert_eq!(long.to_der(&mut [0; 20]), Err(Error::BadLength));
    }

    #[test]
    fn curves_are_recognised_by_prime_and_coefficient() {
        let domain = Curve::P256.domain();
        assert_eq!(Curve::from_domain(domain.prime, None), Some(Curve::P256));
        assert_eq!(Curve::from_domain(domain.prime, Some(domain.a)), Some(Curve::P256));
        assert_eq!(Curve::from_domain(domain.prime, Some(domain.b)), None);
        assert_eq!(Curve::from_domain(&domain.prime[1..], None), None);
    }

    #[test]
    fn scalars_out_of_range_are_refused() {
        for scalar in [[0; 32], [0xFF; 32]] {
            assert_eq!(PrivateKey::from_bytes(Curve::P256, &scalar).err(), Some(Error::BadKey));
        }
        assert_eq!(PrivateKey::from_bytes(Curve::P256, &[1; 31]).err(), Some(Error::BadLength));
    }
}
