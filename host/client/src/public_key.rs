//! Public keys: from certificates, to files, and checking signatures.

use crate::error::{Error, ErrorKind, Result};
use crate::key_type::KeyType;
use der::asn1::{AnyRef, BitString, BitStringRef, ObjectIdentifier, UintRef};
use der::{Decode, Encode, EncodePem, Sequence};
use ferrite_crypto::hash::Hash;
use ferrite_crypto::{ec, edwards, montgomery, rsa};
use ferrite_proto::cvc;
use spki::{AlgorithmIdentifier, SubjectPublicKeyInfo, SubjectPublicKeyInfoRef};

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// RSA.
    Rsa {
        /// n, big-endian, without leading zeros.
        modulus: Vec<u8>,
        /// e, big-endian, without leading zeros.
        exponent: Vec<u8>,
    },
    /// A point on a Weierstrass curve.
    Ec {
        /// The curve.
        curve: ec::Curve,
        /// The point, uncompressed.
        point: Vec<u8>,
    },
    /// A key on a curve in Edwards form.
    Edwards {
        /// The curve.
        curve: edwards::Curve,
        /// The key as RFC 8032 encodes it.
        key: Vec<u8>,
    },
    /// A key on a curve in Montgomery form.
    Montgomery {
        /// The curve.
        curve: montgomery::Curve,
        /// The key as RFC 7748 encodes it.
        key: Vec<u8>,
    },
}

/// rsaEncryption (RFC 8017).
pub(crate) const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// id-ecPublicKey (RFC 5480).
pub(crate) const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// Object identifiers of the curves.
const CURVES: [(ec::Curve, ObjectIdentifier); 10] = [
    (ec::Curve::P256, ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7")),
    (ec::Curve::P192, ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.1")),
    (ec::Curve::P224, ObjectIdentifier::new_unwrap("1.3.132.0.33")),
    (ec::Curve::P384, ObjectIdentifier::new_unwrap("1.3.132.0.34")),
    (ec::Curve::P521, ObjectIdentifier::new_unwrap("1.3.132.0.35")),
    (ec::Curve::Secp192k1, ObjectIdentifier::new_unwrap("1.3.132.0.31")),
    (ec::Curve::Secp256k1, ObjectIdentifier::new_unwrap("1.3.132.0.10")),
    (ec::Curve::BrainpoolP256r1, ObjectIdentifier::new_unwrap("1.3.36.3.3.2.8.1.1.7")),
    (ec::Curve::BrainpoolP384r1, ObjectIdentifier::new_unwrap("1.3.36.3.3.2.8.1.1.11")),
    (ec::Curve::BrainpoolP512r1, ObjectIdentifier::new_unwrap("1.3.36.3.3.2.8.1.1.13")),
];

/// Object identifiers of RFC 8410.
const X25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.110");
const X448: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.111");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const ED448: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.113");

/// The object identifier of a curve.
pub(crate) fn curve_oid(curve: ec::Curve) -> ObjectIdentifier {
    // Every curve is in the table: a test says so.
    CURVES.iter().find(|(known, _)| *known == curve).map_or(EC_PUBLIC_KEY, |(_, oid)| *oid)
}

/// The curve of an object identifier.
pub(crate) fn curve_of_oid(oid: ObjectIdentifier) -> Option<ec::Curve> {
    CURVES.iter().find(|(_, known)| *known == oid).map(|(curve, _)| *curve)
}

/// The kind of key that RFC 8410 gives an object identifier to.
pub(crate) fn okp_of_oid(oid: ObjectIdentifier) -> Option<KeyType> {
    Some(match oid {
        X25519 => KeyType::Montgomery(montgomery::Curve::X25519),
        X448 => KeyType::Montgomery(montgomery::Curve::X448),
        ED25519 => KeyType::Edwards(edwards::Curve::Ed25519),
        ED448 => KeyType::Edwards(edwards::Curve::Ed448),
        _ => return None,
    })
}

#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}

const WHAT: &str = "read the public key";

impl PublicKey {
    /// The key in a card-verifiable certificate or request.
    ///
    /// # Errors
    /// [`ErrorKind::BadAnswer`].
    pub fn from_certificate(bytes: &[u8]) -> Result<Self> {
        let (certificate, _) = cvc::Certificate::parse(bytes)
            .map_err(|_| Error::new(ErrorKind::BadAnswer, WHAT, "there is no certificate that can be read"))?;
        Self::from_cvc(&certificate.body.public_key, None)
    }

    /// The key in what lies in a key's certificate file: a card-verifiable request, or an X.509 certificate.
    ///
    /// # Errors
    /// [`ErrorKind::BadAnswer`].
    pub fn from_any_certificate(bytes: &[u8]) -> Result<Self> {
        if bytes.first() != Some(&0x30) {
            return Self::from_certificate(bytes);
        }
        let bad = |_| Error::new(ErrorKind::BadAnswer, WHAT, "the certificate cannot be read");
        Self::from_spki(&x509_public_key(bytes).map_err(bad)?)
    }

    /// The key in the body of a card-verifiable certificate. `issuer_curve` is that of a certificate without domain
    /// parameters; P-256 if not said.
    ///
    /// # Errors
    /// [`ErrorKind::BadAnswer`]: an unknown curve; [`ErrorKind::NotFound`]: the key is a secret one.
    pub fn from_cvc(key: &cvc::PublicKey<'_>, issuer_curve: Option<ec::Curve>) -> Result<Self> {
        let unknown = || Error::new(ErrorKind::BadAnswer, WHAT, "its curve is unknown");
        Ok(match *key {
            cvc::PublicKey::Rsa { modulus, exponent, .. } => {
                Self::Rsa { modulus: significant(modulus), exponent: significant(exponent) }
            }
            cvc::PublicKey::Ec { domain, point, .. } => {
                let curve = match domain {
                    Some(domain) => ec::Curve::from_domain(domain.prime, Some(domain.a), Some(domain.b)),
                    None => Some(issuer_curve.unwrap_or(ec::Curve::P256)),
                };
                Self::Ec { curve: curve.ok_or_else(unknown)?, point: point.to_vec() }
            }
            cvc::PublicKey::Okp { base, key, .. } => {
                let edwards = edwards::Curve::ALL.iter().find(|curve| curve.domain().base == base);
                let montgomery = montgomery::Curve::ALL.iter().find(|curve| curve.domain().base == base);
                match (edwards, montgomery) {
                    (Some(curve), _) => Self::Edwards { curve: *curve, key: key.to_vec() },
                    (_, Some(curve)) => Self::Montgomery { curve: *curve, key: key.to_vec() },
                    _ => return Err(unknown()),
                }
            }
            cvc::PublicKey::Secret { .. } => {
                return Err(Error::new(ErrorKind::NotFound, WHAT, "a secret key has none")
                    .advise("Secret keys encrypt and authenticate; they sign nothing."));
            }
        })
    }

    /// What kind of key it is.
    pub fn key_type(&self) -> KeyType {
        match self {
            Self::Rsa { modulus, .. } => {
                let bits = modulus.len().saturating_mul(8);
                let unused = modulus.first().map_or(0, |first| first.leading_zeros());
                KeyType::Rsa(u16::try_from(bits).unwrap_or(u16::MAX).saturating_sub(unused as u16))
            }
            Self::Ec { curve, .. } => KeyType::Ec(*curve),
            Self::Edwards { curve, .. } => KeyType::Edwards(*curve),
            Self::Montgomery { curve, .. } => KeyType::Montgomery(*curve),
        }
    }

    /// SubjectPublicKeyInfo (RFC 5280, RFC 5480, RFC 8410), in DER.
    ///
    /// # Errors
    /// [`ErrorKind::BadAnswer`]: the key is too large for the form.
    pub fn to_spki(&self) -> Result<Vec<u8>> {
        self.with_spki(|info| info.to_der())
    }

    /// SubjectPublicKeyInfo, in PEM.
    ///
    /// # Errors
    /// As [`PublicKey::to_spki`].
    pub fn to_pem(&self) -> Result<String> {
        self.with_spki(|info| info.to_pem(der::pem::LineEnding::LF))
    }

    fn with_spki<R>(&self, write: impl FnOnce(&SubjectPublicKeyInfoRef<'_>) -> der::Result<R>) -> Result<R> {
        let bad = |error: der::Error| Error::new(ErrorKind::BadAnswer, "write the public key", error.to_string());
        let rsa_key;
        let curve;
        let (oid, parameters, key): (_, _, &[u8]) = match self {
            Self::Rsa { modulus, exponent } => {
                let (modulus, exponent) = (UintRef::new(modulus).map_err(bad)?, UintRef::new(exponent).map_err(bad)?);
                rsa_key = RsaPublicKey { modulus, exponent }.to_der().map_err(bad)?;
                (RSA_ENCRYPTION, Some(AnyRef::NULL), &rsa_key)
            }
            Self::Ec { curve: on, point } => {
                curve = curve_oid(*on);
                (EC_PUBLIC_KEY, Some(AnyRef::from(&curve)), point)
            }
            Self::Edwards { curve: edwards::Curve::Ed25519, key } => (ED25519, None, key),
            Self::Edwards { curve: edwards::Curve::Ed448, key } => (ED448, None, key),
            Self::Montgomery { curve: montgomery::Curve::X25519, key } => (X25519, None, key),
            Self::Montgomery { curve: montgomery::Curve::X448, key } => (X448, None, key),
        };
        let subject_public_key = BitStringRef::from_bytes(key).map_err(bad)?;
        write(&SubjectPublicKeyInfo { algorithm: AlgorithmIdentifier { oid, parameters }, subject_public_key })
            .map_err(bad)
    }

    /// Reads a public key or an X.509 certificate, in PEM or DER.
    ///
    /// # Errors
    /// [`ErrorKind::BadInput`].
    pub fn from_file(content: &[u8]) -> Result<Self> {
        let from_pem = std::str::from_utf8(content).ok().and_then(|text| der::Document::from_pem(text.trim()).ok());
        let (label, bytes) = match &from_pem {
            Some((label, document)) => (*label, document.as_bytes()),
            None => ("", content),
        };
        let of_certificate = || x509_public_key(bytes).ok().and_then(|info| Self::from_spki(&info).ok());
        match label {
            "" | "PUBLIC KEY" | "CERTIFICATE" => match (Self::from_spki(bytes), of_certificate()) {
                (Ok(key), _) | (Err(_), Some(key)) => Ok(key),
                (Err(error), None) => Err(error),
            },
            other => Err(Error::new(ErrorKind::BadInput, WHAT, format!("it is a {}", other.to_lowercase()))
                .advise("Take a file with a PUBLIC KEY or CERTIFICATE in it.")),
        }
    }

    /// Reads SubjectPublicKeyInfo, in DER.
    ///
    /// # Errors
    /// [`ErrorKind::BadInput`].
    pub fn from_spki(bytes: &[u8]) -> Result<Self> {
        let bad = |why: &'static str| Error::new(ErrorKind::BadInput, WHAT, why);
        type Info<'a> = SubjectPublicKeyInfo<AnyRef<'a>, BitString>;
        let info = Info::from_der(bytes)
            .map_err(|_| bad("it has another form").advise("Take a public key or a certificate, in PEM or DER."))?;
        let key = info.subject_public_key.as_bytes().ok_or_else(|| bad("it does not end at a byte"))?;
        let key_type = okp_of_oid(info.algorithm.oid);
        match (info.algorithm.oid, info.algorithm.parameters, key_type) {
            (_, _, Some(KeyType::Edwards(curve))) => Ok(Self::Edwards { curve, key: key.to_vec() }),
            (_, _, Some(KeyType::Montgomery(curve))) => Ok(Self::Montgomery { curve, key: key.to_vec() }),
            (RSA_ENCRYPTION, ..) => {
                let key = RsaPublicKey::from_der(key).map_err(|_| bad("the RSA key in it cannot be read"))?;
                Ok(Self::Rsa { modulus: key.modulus.as_bytes().to_vec(), exponent: key.exponent.as_bytes().to_vec() })
            }
            (EC_PUBLIC_KEY, Some(parameters), _) => {
                let oid = parameters.decode_as::<ObjectIdentifier>().map_err(|_| bad("its curve has no name"))?;
                let curve = curve_of_oid(oid).ok_or_else(|| bad("its curve is unknown"))?;
                Ok(Self::Ec { curve, point: key.to_vec() })
            }
            _ => Err(bad("it is of an unknown kind")),
        }
    }

    /// Checks an ECDSA signature, r ‖ s, over a message hashed with SHA-256: what signs card-verifiable certificates; RSA
    /// keys sign them by PKCS#1 v1.5.
    ///
    /// # Errors
    /// [`ErrorKind::Verification`].
    pub fn verify_certificate(&self, what: &'static str, message: &[u8], signature: &[u8]) -> Result<()> {
        let digest = Hash::Sha256.digest(&[message]);
        let result = match self {
            Self::Ec { curve, point } => ec::verify(*curve, point, digest.as_ref(), signature),
            Self::Rsa { modulus, exponent } if exponent[..] == [1, 0, 1] => {
                verify_pkcs1(modulus, digest.as_ref(), signature)
            }
            Self::Edwards { curve, key } => edwards::verify(*curve, key, message, signature),
            Self::Rsa { .. } | Self::Montgomery { .. } => Err(ferrite_crypto::Error::BadKey),
        };
        result.map_err(|_| Error::new(ErrorKind::Verification, what, "the signature does not match"))
    }
}

/// RFC 8017 §8.2.2 with SHA-256.
fn verify_pkcs1(modulus: &[u8], digest: &[u8], signature: &[u8]) -> std::result::Result<(), ferrite_crypto::Error> {
    let len = modulus.len();
    let mut block = signature.to_vec();
    if signature.len() != len {
        return Err(ferrite_crypto::Error::BadLength);
    }
    rsa::public(modulus, &mut block)?;
    let info = [Hash::Sha256.digest_info_prefix(), digest].concat();
    let padding = len.checked_sub(info.len().saturating_add(3)).ok_or(ferrite_crypto::Error::BadLength)?;
    let expected = [&[0, 1][..], &vec![0xFF; padding], &[0], &info].concat();
    if block == expected { Ok(()) } else { Err(ferrite_crypto::Error::BadSignature) }
}

/// The SubjectPublicKeyInfo of an X.509 certificate (RFC 5280 §4.1): the seventh field of the inner sequence, or the
/// sixth of a certificate of version 1.
fn x509_public_key(certificate: &[u8]) -> der::Result<Vec<u8>> {
    use der::{Reader as _, SliceReader, Tag, TagNumber, Tagged as _};
    let mut outer = SliceReader::new(certificate)?;
    let certificate = AnyRef::decode(&mut outer)?;
    let mut fields = SliceReader::new(certificate.value())?;
    let tbs = AnyRef::decode(&mut fields)?;
    let mut fields = SliceReader::new(tbs.value())?;
    let version = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };
    let mut skip = 5;
    let mut field = AnyRef::decode(&mut fields)?;
    if field.tag() == version {
        skip += 1;
    }
    for _ in 0..skip {
        field = AnyRef::decode(&mut fields)?;
    }
    if !fields.is_finished() || field.tag() == Tag::Sequence {
        field.to_der()
    } else {
        Err(der::ErrorKind::Failed.into())
    }
}

/// Turns an ECDSA signature in DER into r ‖ s, each as long as the curve's order.
///
/// # Errors
/// [`ErrorKind::BadAnswer`].
pub fn raw_ecdsa(curve: ec::Curve, der: &[u8]) -> Result<Vec<u8>> {
    #[derive(Sequence)]
    struct Signature<'a> {
        r: UintRef<'a>,
        s: UintRef<'a>,
    }
    let bad = || Error::new(ErrorKind::BadAnswer, "read the signature", "it is not that of such a key");
    let signature = Signature::from_der(der).map_err(|_| bad())?;
    let len = curve.domain().order.len();
    let mut raw = Vec::with_capacity(2 * len);
    for number in [signature.r.as_bytes(), signature.s.as_bytes()] {
        raw.resize(raw.len() + len.checked_sub(number.len()).ok_or_else(bad)?, 0);
        raw.extend_from_slice(number);
    }
    Ok(raw)
}

fn significant(number: &[u8]) -> Vec<u8> {
    number.iter().copied().skip_while(|byte| *byte == 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_curve_has_an_identifier_of_its_own() {
        for curve in ec::Curve::ALL {
            assert_eq!(curve_of_oid(curve_oid(*curve)), Some(*curve));
        }
    }
}
