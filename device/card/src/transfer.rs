//! Keys in the form of a blob's payload (specification part 2 §10.1).

use crate::error;
use crate::key::{Key, KeyParameters};
use ferrite_crypto::secret_key::SecretKey;
use ferrite_crypto::{Bytes, Error, ec, edwards, montgomery, rsa};
use ferrite_proto::blob::Payload;
use ferrite_proto::command::KeyAlgorithm;
use ferrite_proto::status::Status;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

const EXPONENT: [u8; 3] = [1, 0, 1];
/// What clients write as coefficients A of curves 25519 and 448 (pypicohsm); B is 1.
const A_25519: [u8; 3] = [0x07, 0x6D, 0x06];
const A_448: [u8; 3] = [0x02, 0x62, 0xA6];
/// Longest private key of any curve, in bytes.
const MAX_SCALAR: usize = ec::MAX_FIELD;

impl Key {
    /// Hands the key out as a payload. Numbers have their full length.
    pub(crate) fn with_payload<T>(
        &self,
        use_payload: impl FnOnce(&Payload<'_>) -> Result<T, Status>,
    ) -> Result<T, Status> {
        if let Key::Aes(key) = self {
            return use_payload(&Payload::Aes { key: key.as_bytes() });
        }
        let public = self.public_key()?;
        let number = public.number();
        let mut secret = Zeroizing::new([0; rsa::MAX_MODULUS]);
        let len = match self {
            Key::Rsa(key) => key.private_exponent(secret.as_mut()),
            Key::Ec(key) => key.to_bytes(secret.as_mut()),
            Key::Edwards(key) => key.to_bytes(secret.as_mut()),
            Key::Montgomery(key) => key.to_bytes(secret.as_mut()),
            Key::Aes(_) => return Err(Status::INTERNAL),
        };
        let d = secret.get(..len.map_err(error::crypto)?).ok_or(Status::INTERNAL)?;
        let payload = match self {
            Key::Rsa(_) => Payload::Rsa { bits: self.bits(), d, modulus: number, exponent: &EXPONENT },
            Key::Ec(key) => {
                let domain = key.curve().domain();
                Payload::Ec {
                    bits: bits(domain.prime),
                    a: domain.a,
                    b: domain.b,
                    prime: domain.prime,
                    order: domain.order,
                    generator: domain.generator,
                    d,
                    point: number,
                }
            }
            Key::Edwards(key) => okp(key.curve().domain(), d, number),
            Key::Montgomery(key) => okp(key.curve().domain(), d, number),
            Key::Aes(_) => return Err(Status::INTERNAL),
        };
        use_payload(&payload)
    }

    /// Takes a key from a payload: 6400 unless everything in it fits together, 6A80 for a public exponent other than
    /// 65537 (decision D16).
    pub(crate) fn from_payload(payload: &Payload<'_>, rng: &mut impl CryptoRng) -> Result<Self, Status> {
        match *payload {
            Payload::Aes { key } => SecretKey::from_bytes(key).map(Key::Aes).map_err(broken),
            Payload::Rsa { d, modulus, exponent, .. } => {
                demand_exponent(exponent)?;
                rsa::PrivateKey::from_private_exponent(modulus, d, rng).map(Key::Rsa).map_err(broken)
            }
            Payload::RsaCrt { d_p, d_q, p, q_inverse, q, modulus, exponent, .. } => {
                demand_exponent(exponent)?;
                let parts = rsa::Parts { modulus, p, q, d_p, d_q, q_inverse };
                rsa::PrivateKey::from_parts(&parts, rng).map(Key::Rsa).map_err(broken)
            }
            Payload::Ec { prime, generator, d, point, .. } => {
                let algorithm = KeyAlgorithm::Ec { prime, a: None, b: Some(generator) };
                match KeyParameters::new(algorithm).map_err(|_| Status::EXECUTION) {
                    Ok(KeyParameters::Edwards(curve)) => little_endian(d, curve.key_len(), point, |d| {
                        let key = edwards::PrivateKey::from_bytes(curve, d)?;
                        let public = key.public_key()?;
                        Ok((Key::Edwards(key), Bytes::concat(&[public.as_ref()])?))
                    }),
                    Ok(KeyParameters::Montgomery(curve)) => little_endian(d, curve.key_len(), point, |d| {
                        let key = montgomery::PrivateKey::from_bytes(curve, d)?;
                        let public = key.public_key()?;
                        Ok((Key::Montgomery(key), Bytes::concat(&[public.as_ref()])?))
                    }),
                    _ => weierstrass(prime, d, point),
                }
            }
        }
    }
}

fn weierstrass(prime: &[u8], d: &[u8], point: &[u8]) -> Result<Key, Status> {
    let curve = ec::Curve::from_domain(prime, None, None).ok_or(Status::EXECUTION)?;
    let zeros = d.iter().take_while(|byte| **byte == 0).count();
    let d = d.get(zeros..).unwrap_or_default();
    let mut scalar = Zeroizing::new([0; MAX_SCALAR]);
    let len = curve.domain().order.len();
    let start = len.checked_sub(d.len()).ok_or(Status::EXECUTION)?;
    scalar.get_mut(start..len).ok_or(Status::EXECUTION)?.copy_from_slice(d);
    let scalar = scalar.get(..len).ok_or(Status::EXECUTION)?;
    let key = ec::PrivateKey::from_bytes(curve, scalar).map_err(broken)?;
    let public = key.public_key().map_err(broken)?;
    // A public key that is there must be the right one; an absent one is computed.
    if !point.is_empty() && point != public.as_ref() {
        return Err(Status::EXECUTION);
    }
    Ok(Key::Ec(key))
}

/// A key of curve 25519 or 448. Its bytes are those of the RFC; some cards write them in reverse order, which shows when
/// the public key is another.
fn little_endian(
    d: &[u8],
    len: usize,
    point: &[u8],
    make: impl Fn(&[u8]) -> Result<(Key, Bytes<{ ec::MAX_FIELD }>), Error>,
) -> Result<Key, Status> {
    let mut bytes = Zeroizing::new([0; MAX_SCALAR]);
    let bytes = bytes.get_mut(..len).filter(|bytes| bytes.len() == d.len()).ok_or(Status::EXECUTION)?;
    bytes.copy_from_slice(d);
    for _ in 0..2 {
        let (key, public) = make(bytes).map_err(broken)?;
        if point.is_empty() || point == public.as_ref() {
            return Ok(key);
        }
        bytes.reverse();
    }
    Err(Status::EXECUTION)
}

fn okp<'a>(domain: &'a ferrite_crypto::okp::Domain, d: &'a [u8], point: &'a [u8]) -> Payload<'a> {
    let a: &[u8] = if domain.prime.len() == 32 { &A_25519 } else { &A_448 };
    let (prime, order) = (domain.prime, domain.order);
    Payload::Ec { bits: bits(prime), a, b: &[1], prime, order, generator: domain.base, d, point }
}

/// Length of a prime in bits, counted in whole bytes.
fn bits(prime: &[u8]) -> u16 {
    u16::try_from(prime.len().saturating_mul(8)).unwrap_or(u16::MAX)
}

fn demand_exponent(exponent: &[u8]) -> Result<(), Status> {
    let zeros = exponent.iter().take_while(|byte| **byte == 0).count();
    if exponent.get(zeros..) == Some(&EXPONENT) { Ok(()) } else { Err(Status::WRONG_DATA) }
}

/// Whatever is wrong with an imported key, the answer is the same.
fn broken(_: Error) -> Status {
    Status::EXECUTION
}
