//! The public key in a certificate, and which signatures it checks (BSI TR-03110-3 appendix C, D.3.3). Secret keys, which
//! check none, have a template of our own.

use super::OID;
use crate::tlv::{Malformed, Reader, Tag, Writer};

/// id-TA-RSA, which one byte more makes a scheme.
const ID_TA_RSA: [u8; 9] = [0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x02, 0x01];
/// id-TA-ECDSA, which one byte more makes a scheme.
const ID_TA_ECDSA: [u8; 9] = [0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x02, 0x02];
/// id-TA-RSA-v1-5-SHA-256.
pub const OID_TA_RSA_V1_5_SHA_256: [u8; 10] = [0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x02, 0x01, 0x02];
/// id-TA-ECDSA-SHA-256, for keys on every Weierstrass curve.
pub const OID_TA_ECDSA_SHA_256: [u8; 10] = [0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x02, 0x02, 0x03];
/// id-RI-ECDH-SHA-256, for keys on curves 25519 and 448 in Montgomery or Edwards form.
pub const OID_RI_ECDH_SHA_256: [u8; 10] = [0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x05, 0x02, 0x03];

/// Names a secret key: 2.25 and the UUID 6bdd16cb-1fce-4aa1-b623-4c35658851a8 (ITU-T X.667). Our own.
const OID_SECRET_KEY: [u8; 20] = [
    0x69, 0x81, 0xD7, 0xDD, 0x8B, 0xB2, 0xE3, 0xFC, 0xF2, 0xAA, 0xC3, 0xB6, 0x91, 0xD3, 0x86, 0xD6, 0xAC, 0xA1, 0xA3,
    0x28,
];
/// What a secret key's identifier is derived with.
pub const IDENTIFIER_LABEL: [u8; 16] = *b"ferrite key id 1";

/// What identifies a secret key: HKDF-SHA-256 of the key, without salt, with [`IDENTIFIER_LABEL`] as info. This is what
/// algorithm 99 of the card derives from the key with the label as its data.
pub type Identifier = [u8; 16];

/// Hash function of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureHash {
    /// SHA-1.
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// Padding of an RSA signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RsaPadding {
    /// RSASSA-PKCS1-v1_5.
    Pkcs1,
    /// RSASSA-PSS.
    Pss,
}

/// The schemes of RSA, by the last byte of their object identifiers.
const RSA_SCHEMES: [(u8, RsaPadding, SignatureHash); 6] = [
    (1, RsaPadding::Pkcs1, SignatureHash::Sha1),
    (2, RsaPadding::Pkcs1, SignatureHash::Sha256),
    (3, RsaPadding::Pss, SignatureHash::Sha1),
    (4, RsaPadding::Pss, SignatureHash::Sha256),
    (5, RsaPadding::Pkcs1, SignatureHash::Sha512),
    (6, RsaPadding::Pss, SignatureHash::Sha512),
];

/// The hash functions of ECDSA, by the last byte of their object identifiers.
const ECDSA_HASHES: [(u8, SignatureHash); 5] = [
    (1, SignatureHash::Sha1),
    (2, SignatureHash::Sha224),
    (3, SignatureHash::Sha256),
    (4, SignatureHash::Sha384),
    (5, SignatureHash::Sha512),
];

/// Domain parameters of a Weierstrass curve, big-endian, padded to the length of the prime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DomainParameters<'a> {
    /// Tag 81.
    pub prime: &'a [u8],
    /// Tag 82: coefficient A.
    pub a: &'a [u8],
    /// Tag 83: coefficient B.
    pub b: &'a [u8],
    /// Tag 84: base point, uncompressed.
    pub generator: &'a [u8],
    /// Tag 85: order of the base point.
    pub order: &'a [u8],
    /// Tag 87.
    pub cofactor: u8,
}

/// The public key in a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicKey<'a> {
    /// An RSA key.
    Rsa {
        /// Padding of its signatures.
        padding: RsaPadding,
        /// Hash function of its signatures: SHA-1, SHA-256 or SHA-512, others have no object identifier.
        hash: SignatureHash,
        /// Tag 81, without leading zeros.
        modulus: &'a [u8],
        /// Tag 82, without leading zeros.
        exponent: &'a [u8],
    },
    /// A key on a Weierstrass curve.
    Ec {
        /// Hash function of its signatures.
        hash: SignatureHash,
        /// Absent in certificates of an external PKI below its root.
        domain: Option<DomainParameters<'a>>,
        /// Tag 86: the public point, uncompressed.
        point: &'a [u8],
    },
    /// A key on a curve in Montgomery or Edwards form (RFC 7748, RFC 8032).
    Okp {
        /// Tag 81: the prime, big-endian.
        prime: &'a [u8],
        /// Tag 82: the order of the base point, big-endian.
        order: &'a [u8],
        /// Tag 83: the base point, little-endian, which tells the form.
        base: &'a [u8],
        /// Tag 84: the public key as the RFC encodes it.
        key: &'a [u8],
    },
    /// A secret key, of which nothing is public but this.
    Secret {
        /// Tag 81: size in bits.
        bits: u16,
        /// Tag 82: absent unless the key is certain to be too random for guesses.
        identifier: Option<&'a Identifier>,
    },
}

impl<'a> PublicKey<'a> {
    /// Writes the content of a 7F49. What has no object identifier is written as if the hash were SHA-256.
    pub(super) fn write_to(&self, w: &mut Writer<'_>) {
        match *self {
            PublicKey::Rsa { padding, hash, modulus, exponent } => {
                let scheme = RSA_SCHEMES.iter().find(|scheme| (scheme.1, scheme.2) == (padding, hash));
                let last = scheme.map_or(if padding == RsaPadding::Pkcs1 { 2 } else { 4 }, |scheme| scheme.0);
                w.head(OID, 10).raw(&ID_TA_RSA).raw(&[last]);
                w.put_minimal(0x81, modulus).put_minimal(0x82, exponent);
            }
            PublicKey::Ec { hash, domain, point } => {
                let last = ECDSA_HASHES.iter().find(|scheme| scheme.1 == hash).map_or(3, |scheme| scheme.0);
                w.head(OID, 10).raw(&ID_TA_ECDSA).raw(&[last]);
                if let Some(domain) = domain {
                    w.put(0x81, domain.prime).put(0x82, domain.a).put(0x83, domain.b);
                    w.put(0x84, domain.generator).put(0x85, domain.order);
                }
                w.put(0x86, point);
                if let Some(domain) = domain {
                    w.put(0x87, &[domain.cofactor]);
                }
            }
            PublicKey::Okp { prime, order, base, key } => {
                w.put(OID, &OID_RI_ECDH_SHA_256).put(0x81, prime).put(0x82, order).put(0x83, base).put(0x84, key);
            }
            PublicKey::Secret { bits, identifier } => {
                w.put(OID, &OID_SECRET_KEY).put(0x81, &bits.to_be_bytes());
                if let Some(identifier) = identifier {
                    w.put(0x82, identifier);
                }
            }
        }
    }

    /// Reads the content of a 7F49.
    pub(super) fn parse(content: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(content);
        let oid = reader.expect(Tag(OID))?;
        if let Some([last]) = oid.strip_prefix(&ID_TA_RSA) {
            let (_, padding, hash) = RSA_SCHEMES.iter().find(|scheme| scheme.0 == *last).ok_or(Malformed)?;
            let (modulus, exponent) = (reader.expect(Tag(0x81))?, reader.expect(Tag(0x82))?);
            return Ok(PublicKey::Rsa { padding: *padding, hash: *hash, modulus, exponent });
        }
        if oid == OID_RI_ECDH_SHA_256 {
            let prime = reader.expect(Tag(0x81))?;
            let order = reader.expect(Tag(0x82))?;
            let base = reader.expect(Tag(0x83))?;
            return Ok(PublicKey::Okp { prime, order, base, key: reader.expect(Tag(0x84))? });
        }
        if oid == OID_SECRET_KEY {
            let bits = reader.expect(Tag(0x81))?.try_into().map_err(|_| Malformed)?;
            let identifier = reader.optional(Tag(0x82))?.map(|it| it.try_into().map_err(|_| Malformed)).transpose()?;
            return Ok(PublicKey::Secret { bits: u16::from_be_bytes(bits), identifier });
        }
        let Some([last]) = oid.strip_prefix(&ID_TA_ECDSA) else { return Err(Malformed) };
        let (_, hash) = *ECDSA_HASHES.iter().find(|scheme| scheme.0 == *last).ok_or(Malformed)?;
        let Some(prime) = reader.optional(Tag(0x81))? else {
            return Ok(PublicKey::Ec { hash, domain: None, point: reader.expect(Tag(0x86))? });
        };
        let a = reader.expect(Tag(0x82))?;
        let b = reader.expect(Tag(0x83))?;
        let generator = reader.expect(Tag(0x84))?;
        let order = reader.expect(Tag(0x85))?;
        let point = reader.expect(Tag(0x86))?;
        let [cofactor] = *reader.expect(Tag(0x87))? else { return Err(Malformed) };
        Ok(PublicKey::Ec { hash, domain: Some(DomainParameters { prime, a, b, generator, order, cofactor }), point })
    }
}
