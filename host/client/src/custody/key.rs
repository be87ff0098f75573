//! Private and secret keys on this computer, on their way into a device or out of one.

use crate::error::{Error, ErrorKind, Result};
use crate::key_type::KeyType;
use crate::public_key::{EC_PUBLIC_KEY, PublicKey, curve_oid};
use base64ct::{Base64, Encoding as _};
use ferrite_crypto::secret_key::{Len, SecretKey};
use ferrite_crypto::{ec, edwards, montgomery, okp, rsa};
use ferrite_proto::blob::Payload;
use ferrite_proto::command::SecretKeyLen;
use ferrite_proto::tlv::Writer;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

const EXPONENT: [u8; 3] = [1, 0, 1];
/// What other clients write as coefficients A of curves 25519 and 448; B is 1.
const A_25519: [u8; 3] = [0x07, 0x6D, 0x06];
const A_448: [u8; 3] = [0x02, 0x62, 0xA6];

/// A private or secret key. It wipes itself and cannot be printed.
#[allow(clippy::large_enum_variant, reason = "it would leave copies of itself behind when it is moved to the heap")]
pub enum PrivateKey {
    /// RSA with exponent 65537.
    Rsa(rsa::PrivateKey),
    /// A scalar of a Weierstrass curve.
    Ec(ec::PrivateKey),
    /// A seed of a curve in Edwards form.
    Edwards(edwards::PrivateKey),
    /// A scalar of a curve in Montgomery form.
    Montgomery(montgomery::PrivateKey),
    /// A secret key.
    Aes(SecretKey),
}

const WHAT: &str = "take the key";

fn broken(_: ferrite_crypto::Error) -> Error {
    Error::new(ErrorKind::BadInput, WHAT, "its parts do not belong together, or are out of range")
}

impl PrivateKey {
    /// A secret key from its bytes: 16, 24, 32 or 64.
    ///
    /// # Errors
    /// [`ErrorKind::BadInput`].
    pub fn secret(bytes: &[u8]) -> Result<Self> {
        SecretKey::from_bytes(bytes)
            .map(Self::Aes)
            .map_err(|_| Error::new(ErrorKind::BadInput, WHAT, "a secret key has 16, 24, 32 or 64 bytes"))
    }

    /// A key on a Weierstrass curve from its scalar, big-endian, of any length. A public point that is given must be its.
    ///
    /// # Errors
    /// [`ErrorKind::BadInput`].
    pub fn ec(curve: ec::Curve, scalar: &[u8], point: Option<&[u8]>) -> Result<Self> {
        let len = curve.domain().order.len();
        let significant: &[u8] = significant(scalar);
        let start = len.checked_sub(significant.len()).ok_or_else(|| broken(ferrite_crypto::Error::BadLength))?;
        let mut padded = Zeroizing::new(vec![0; len]);
        padded[start..].copy_from_slice(significant);
        let key = ec::PrivateKey::from_bytes(curve, &padded).map_err(broken)?;
        let public = key.public_key().map_err(broken)?;
        let is_right = |point: &[u8]| match point {
            // The compressed form: the parity of Y and X.
            [2 | 3, x @ ..] => public.as_ref().get(1..=x.len()) == Some(x),
            point => point == public.as_ref(),
        };
        if point.is_some_and(|point| !point.is_empty() && !is_right(point)) {
            return Err(Error::new(ErrorKind::BadInput, WHAT, "its public half belongs to another key"));
        }
        Ok(Self::Ec(key))
    }

    /// A key of RFC 7748 or RFC 8032 from its bytes.
    ///
    /// # Errors
    /// [`ErrorKind::BadInput`].
    pub fn okp(kind: KeyType, bytes: &[u8]) -> Result<Self> {
        match kind {
            KeyType::Edwards(curve) => edwards::PrivateKey::from_bytes(curve, bytes).map(Self::Edwards),
            KeyType::Montgomery(curve) => montgomery::PrivateKey::from_bytes(curve, bytes).map(Self::Montgomery),
            _ => Err(ferrite_crypto::Error::BadKey),
        }
        .map_err(broken)
    }

    /// An RSA key from all its parts.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for an exponent other than 65537 and a length that no device takes;
    /// [`ErrorKind::BadInput`] if the parts do not belong together.
    pub fn rsa(parts: &rsa::Parts<'_>, exponent: &[u8], rng: &mut impl CryptoRng) -> Result<Self> {
        demand_rsa(parts.modulus, exponent)?;
        rsa::PrivateKey::from_parts(parts, rng).map(Self::Rsa).map_err(broken)
    }

    /// What kind of key it is.
    pub fn key_type(&self) -> KeyType {
        match self {
            Self::Rsa(key) => KeyType::Rsa(key.modulus_len().bits()),
            Self::Ec(key) => KeyType::Ec(key.curve()),
            Self::Edwards(key) => KeyType::Edwards(key.curve()),
            Self::Montgomery(key) => KeyType::Montgomery(key.curve()),
            Self::Aes(key) => KeyType::Aes(match key.len() {
                Len::Bits128 => SecretKeyLen::Bits128,
                Len::Bits192 => SecretKeyLen::Bits192,
                Len::Bits256 => SecretKeyLen::Bits256,
                Len::Bits512 => SecretKeyLen::Bits512,
            }),
        }
    }

    /// The public half; `None` for a secret key.
    ///
    /// # Errors
    /// [`ErrorKind::BadInput`]: the key is broken.
    pub fn public_key(&self) -> Result<Option<PublicKey>> {
        Ok(Some(match self {
            Self::Rsa(key) => {
                let mut modulus = vec![0; key.len()];
                key.modulus(&mut modulus).map_err(broken)?;
                PublicKey::Rsa { modulus, exponent: EXPONENT.to_vec() }
            }
            Self::Ec(key) => {
                PublicKey::Ec { curve: key.curve(), point: key.public_key().map_err(broken)?.as_ref().to_vec() }
            }
            Self::Edwards(key) => {
                PublicKey::Edwards { curve: key.curve(), key: key.public_key().map_err(broken)?.as_ref().to_vec() }
            }
            Self::Montgomery(key) => {
                PublicKey::Montgomery { curve: key.curve(), key: key.public_key().map_err(broken)?.as_ref().to_vec() }
            }
            Self::Aes(_) => return Ok(None),
        }))
    }

    /// Hands the key out as the payload of a blob. Numbers have their full length.
    pub(crate) fn with_payload<R>(&self, work: impl FnOnce(&Payload<'_>) -> Result<R>) -> Result<R> {
        let mut secret = Zeroizing::new(vec![0; rsa::MAX_MODULUS]);
        let secret_part = |len: std::result::Result<usize, ferrite_crypto::Error>| len.map_err(broken);
        match self {
            Self::Aes(key) => work(&Payload::Aes { key: key.as_bytes() }),
            Self::Rsa(key) => {
                let len = secret_part(key.private_exponent(&mut secret))?;
                let mut modulus = vec![0; key.len()];
                key.modulus(&mut modulus).map_err(broken)?;
                let bits = key.modulus_len().bits();
                work(&Payload::Rsa { bits, d: &secret[..len], modulus: &modulus, exponent: &EXPONENT })
            }
            Self::Ec(key) => {
                let len = secret_part(key.to_bytes(&mut secret))?;
                let domain = key.curve().domain();
                work(&Payload::Ec {
                    bits: whole_bytes(domain.prime),
                    a: domain.a,
                    b: domain.b,
                    prime: domain.prime,
                    order: domain.order,
                    generator: domain.generator,
                    d: &secret[..len],
                    point: key.public_key().map_err(broken)?.as_ref(),
                })
            }
            Self::Edwards(key) => {
                let len = secret_part(key.to_bytes(&mut secret))?;
                let point = key.public_key().map_err(broken)?;
                work(&okp_payload(key.curve().domain(), &secret[..len], point.as_ref()))
            }
            Self::Montgomery(key) => {
                let len = secret_part(key.to_bytes(&mut secret))?;
                let point = key.public_key().map_err(broken)?;
                work(&okp_payload(key.curve().domain(), &secret[..len], point.as_ref()))
            }
        }
    }

    /// Takes a key from the payload of a blob; everything in it must fit together.
    pub(crate) fn from_payload(payload: &Payload<'_>, rng: &mut impl CryptoRng) -> Result<Self> {
        match *payload {
            Payload::Aes { key } => Self::secret(key),
            Payload::Rsa { d, modulus, exponent, .. } => {
                demand_rsa(modulus, exponent)?;
                rsa::PrivateKey::from_private_exponent(modulus, d, rng).map(Self::Rsa).map_err(broken)
            }
            Payload::RsaCrt { d_p, d_q, p, q_inverse, q, modulus, exponent, .. } => {
                Self::rsa(&rsa::Parts { modulus, p, q, d_p, d_q, q_inverse }, exponent, rng)
            }
            Payload::Ec { prime, generator, d, point, .. } => {
                if let Some(curve) = ec::Curve::from_domain(prime, None, None) {
                    return Self::ec(curve, d, Some(point));
                }
                let unknown = || Error::new(ErrorKind::Unsupported, WHAT, "its curve is unknown");
                let edwards = edwards::Curve::ALL.iter().map(|curve| (curve.domain(), KeyType::Edwards(*curve)));
                let montgomery =
                    montgomery::Curve::ALL.iter().map(|curve| (curve.domain(), KeyType::Montgomery(*curve)));
                let found = edwards.chain(montgomery).find(|(domain, _)| domain.base == generator);
                little_endian(found.ok_or_else(unknown)?.1, d, point)
            }
        }
    }
}

/// A key of curve 25519 or 448. Its bytes are those of the RFC; some devices write them in reverse order, which shows when
/// the public key is another.
fn little_endian(kind: KeyType, d: &[u8], point: &[u8]) -> Result<PrivateKey> {
    let mut bytes = Zeroizing::new(d.to_vec());
    for _ in 0..2 {
        let key = PrivateKey::okp(kind, &bytes)?;
        let public = match key.public_key()? {
            Some(PublicKey::Edwards { key, .. } | PublicKey::Montgomery { key, .. }) => key,
            _ => Vec::new(),
        };
        if point.is_empty() || point == public {
            return Ok(key);
        }
        bytes.reverse();
    }
    Err(Error::new(ErrorKind::BadInput, WHAT, "its public half belongs to another key"))
}

fn okp_payload<'a>(domain: &'a okp::Domain, d: &'a [u8], point: &'a [u8]) -> Payload<'a> {
    let a: &[u8] = if domain.prime.len() == 32 { &A_25519 } else { &A_448 };
    let (prime, order) = (domain.prime, domain.order);
    Payload::Ec { bits: whole_bytes(prime), a, b: &[1], prime, order, generator: domain.base, d, point }
}

/// Length of a prime in bits, counted in whole bytes.
fn whole_bytes(prime: &[u8]) -> u16 {
    u16::try_from(prime.len().saturating_mul(8)).unwrap_or(u16::MAX)
}

/// Exponent and length must be such as devices take.
fn demand_rsa(modulus: &[u8], exponent: &[u8]) -> Result<()> {
    if significant(exponent) != EXPONENT {
        return Err(Error::new(ErrorKind::Unsupported, WHAT, "its public exponent is not 65537")
            .advise("Keys with other exponents cannot be imported. Make a new one."));
    }
    let bits = u16::try_from(significant(modulus).len().saturating_mul(8)).ok();
    if bits.and_then(rsa::ModulusLen::new).is_none() {
        return Err(Error::new(ErrorKind::Unsupported, WHAT, "its length is none that a device takes")
            .advise("RSA keys have 1024 to 4096 bits, in steps of 128."));
    }
    Ok(())
}

fn significant(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// Encrypts a key on a curve as a PKCS#8 file in PEM: PBES2 with scrypt and AES-256.
///
/// # Errors
/// [`ErrorKind::Usage`]: the password is empty.
pub(crate) fn seal_ec_key(key: &ec::PrivateKey, password: &[u8]) -> Result<String> {
    const SAVE: &str = "save the key";
    const LABEL: &str = "ENCRYPTED PRIVATE KEY";
    let bad = |why: &'static str| Error::new(ErrorKind::Usage, SAVE, why);
    if password.is_empty() {
        return Err(bad("the password is empty"));
    }
    let plain = pkcs8(key).ok_or_else(|| bad("it cannot be written"))?;
    let parameters = pkcs5::pbes2::Parameters::generate_scrypt(&mut crate::random::generator()?);
    let scheme = pkcs5::EncryptionScheme::from(parameters.map_err(|_| bad("it cannot be encrypted"))?);
    let encrypted = scheme.encrypt(password, &plain).map_err(|_| bad("it cannot be encrypted"))?;
    let algorithm = der::Encode::to_der(&scheme).map_err(|_| bad("it cannot be written"))?;
    let mut info = vec![0; algorithm.len() + encrypted.len() + 16];
    let mut writer = Writer::new(&mut info);
    writer.nest(0x30, |w| _ = w.raw(&algorithm).put(0x04, &encrypted));
    let len = writer.finish().map_err(|_| bad("it cannot be written"))?;
    let text = Base64::encode_string(&info[..len]);
    let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    Ok(format!("-----BEGIN {LABEL}-----\n{}\n-----END {LABEL}-----\n", lines.join("\n")))
}

/// PrivateKeyInfo (RFC 5958) with an ECPrivateKey (RFC 5915) inside.
fn pkcs8(key: &ec::PrivateKey) -> Option<Zeroizing<Vec<u8>>> {
    let mut scalar = Zeroizing::new([0; ec::MAX_FIELD]);
    let len = key.to_bytes(scalar.as_mut()).ok()?;
    let point = key.public_key().ok()?;
    let curve = curve_oid(key.curve());
    let mut out = Zeroizing::new(vec![0; 512]);
    let mut writer = Writer::new(&mut out);
    writer.nest(0x30, |w| {
        w.put(0x02, &[0]);
        w.nest(0x30, |w| _ = w.put(0x06, EC_PUBLIC_KEY.as_bytes()).put(0x06, curve.as_bytes()));
        w.nest(0x04, |w| {
            w.nest(0x30, |w| {
                w.put(0x02, &[1]).put(0x04, &scalar[..len]);
                w.nest(0xA1, |w| _ = w.nest(0x03, |w| _ = w.raw(&[0]).raw(point.as_ref())));
            });
        });
    });
    let len = writer.finish().ok()?;
    out.truncate(len);
    Some(out)
}
