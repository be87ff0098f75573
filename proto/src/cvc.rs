//! Card-verifiable certificates and certificate requests (BSI TR-03110-3, specification part 1 §5.5).
//!
//! ```text
//! 67                               authenticated request
//!    7F21                          certificate
//!       7F4E                       body: 5F29 42 7F49 5F20 [7F4C 5F25 5F24] [65]
//!       5F37                       signature over the complete 7F4E, by the subject's own key in a request
//!    42                            outer authority reference
//!    5F37                          outer signature over 7F21 and 42, by the device key
//! ```

use crate::tlv::{Full, Malformed, Reader, Split, Tag, Writer, split};

/// id-TA-RSA-v1-5-SHA-256.
pub const OID_TA_RSA_V1_5_SHA_256: [u8; 10] = [0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x02, 0x01, 0x02];
/// id-TA-ECDSA-SHA-256, for keys on every Weierstrass curve.
pub const OID_TA_ECDSA_SHA_256: [u8; 10] = [0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x02, 0x02, 0x03];
/// id-RI-ECDH-SHA-256, for keys on curves 25519 and 448 in Montgomery or Edwards form.
pub const OID_RI_ECDH_SHA_256: [u8; 10] = [0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x05, 0x02, 0x03];

const CERTIFICATE: u16 = 0x7F21;
const BODY: u16 = 0x7F4E;
const PROFILE: u16 = 0x5F29;
const CAR: u16 = 0x42;
const PUBLIC_KEY: u16 = 0x7F49;
const CHR: u16 = 0x5F20;
const CHAT: u16 = 0x7F4C;
const VALID_FROM: u16 = 0x5F25;
const VALID_TO: u16 = 0x5F24;
const EXTENSIONS: u16 = 0x65;
const SIGNATURE: u16 = 0x5F37;
const REQUEST: u16 = 0x67;
const OID: u16 = 0x06;

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
        /// Tag 81, without leading zeros.
        modulus: &'a [u8],
        /// Tag 82, without leading zeros.
        exponent: &'a [u8],
    },
    /// A key on a Weierstrass curve.
    Ec {
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
}

/// Certificate holder authorisation template: a role and its rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Role<'a> {
    /// Object identifier of the terminal type.
    pub oid: &'a [u8],
    /// Discretionary data.
    pub rights: &'a [u8],
}

impl Role<'static> {
    /// What a self-issued device certificate carries.
    pub const SELF_ISSUED: Self =
        Self { oid: &[0x04, 0x00, 0x7F, 0x00, 0x07, 0x03, 0x01, 0x02, 0x02], rights: &[0x00] };
}

/// Dates of a certificate: six unpacked BCD digits each, YYMMDD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// First day.
    pub from: [u8; 6],
    /// Last day.
    pub to: [u8; 6],
}

impl Validity {
    /// What a self-issued device certificate carries: 2023-03-21 to 2070-12-31. The device has no clock.
    pub const SELF_ISSUED: Self = Self { from: [2, 3, 0, 3, 2, 1], to: [7, 0, 1, 2, 3, 1] };
}

/// The body of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Body<'a> {
    /// Certification authority reference.
    pub car: &'a [u8],
    /// The key.
    pub public_key: PublicKey<'a>,
    /// Certificate holder reference.
    pub chr: &'a [u8],
    /// Role; absent in requests.
    pub role: Option<Role<'a>>,
    /// Dates; absent in requests.
    pub validity: Option<Validity>,
    /// Content of the extensions (65).
    pub extensions: Option<&'a [u8]>,
}

impl<'a> Body<'a> {
    /// Writes the complete 7F4E, which is what the certificate's signature covers.
    pub fn write(&self, out: &mut [u8]) -> Result<usize, Full> {
        Writer::new(out)
            .nest(BODY, |w| {
                w.put(PROFILE, &[0]).put(CAR, self.car);
                w.nest(PUBLIC_KEY, |w| self.public_key.write_to(w)).put(CHR, self.chr);
                if let Some(role) = self.role {
                    w.nest(CHAT, |w| _ = w.put(OID, role.oid).put(0x53, role.rights));
                }
                if let Some(validity) = self.validity {
                    w.put(VALID_FROM, &validity.from).put(VALID_TO, &validity.to);
                }
                if let Some(extensions) = self.extensions {
                    w.put(EXTENSIONS, extensions);
                }
            })
            .finish()
    }

    /// Reads the content of a 7F4E.
    fn parse(content: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(content);
        if reader.expect(Tag(PROFILE))? != [0] {
            return Err(Malformed);
        }
        let car = reader.optional(Tag(CAR))?.unwrap_or_default();
        let public_key = PublicKey::parse(reader.expect(Tag(PUBLIC_KEY))?)?;
        let chr = reader.expect(Tag(CHR))?;
        let role = match reader.optional(Tag(CHAT))? {
            Some(chat) => {
                let mut chat = Reader::new(chat);
                Some(Role { oid: chat.expect(Tag(OID))?, rights: chat.expect(Tag(0x53))? })
            }
            None => None,
        };
        let date = |value: &[u8]| value.try_into().map_err(|_| Malformed);
        let validity = match reader.optional(Tag(VALID_FROM))? {
            Some(from) => Some(Validity { from: date(from)?, to: date(reader.expect(Tag(VALID_TO))?)? }),
            None => None,
        };
        let extensions = reader.optional(Tag(EXTENSIONS))?;
        Ok(Self { car, public_key, chr, role, validity, extensions })
    }
}

impl<'a> PublicKey<'a> {
    fn write_to(&self, w: &mut Writer<'_>) {
        match *self {
            PublicKey::Rsa { modulus, exponent } => {
                w.put(OID, &OID_TA_RSA_V1_5_SHA_256).put_minimal(0x81, modulus).put_minimal(0x82, exponent);
            }
            PublicKey::Ec { domain, point } => {
                w.put(OID, &OID_TA_ECDSA_SHA_256);
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
        }
    }

    fn parse(content: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(content);
        let oid = reader.expect(Tag(OID))?;
        if oid == OID_TA_RSA_V1_5_SHA_256 {
            return Ok(PublicKey::Rsa { modulus: reader.expect(Tag(0x81))?, exponent: reader.expect(Tag(0x82))? });
        }
        if oid == OID_RI_ECDH_SHA_256 {
            let prime = reader.expect(Tag(0x81))?;
            let order = reader.expect(Tag(0x82))?;
            let base = reader.expect(Tag(0x83))?;
            return Ok(PublicKey::Okp { prime, order, base, key: reader.expect(Tag(0x84))? });
        }
        if oid != OID_TA_ECDSA_SHA_256 {
            return Err(Malformed);
        }
        let Some(prime) = reader.optional(Tag(0x81))? else {
            return Ok(PublicKey::Ec { domain: None, point: reader.expect(Tag(0x86))? });
        };
        let a = reader.expect(Tag(0x82))?;
        let b = reader.expect(Tag(0x83))?;
        let generator = reader.expect(Tag(0x84))?;
        let order = reader.expect(Tag(0x85))?;
        let point = reader.expect(Tag(0x86))?;
        let [cofactor] = *reader.expect(Tag(0x87))? else { return Err(Malformed) };
        Ok(PublicKey::Ec { domain: Some(DomainParameters { prime, a, b, generator, order, cofactor }), point })
    }
}

/// A certificate (7F21).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Certificate<'a> {
    /// Its body.
    pub body: Body<'a>,
    /// The complete 7F4E: what the signature covers.
    pub signed: &'a [u8],
    /// The signature.
    pub signature: &'a [u8],
    /// The complete 7F21.
    pub encoded: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// Reads the first certificate, or the certificate inside a request, and returns what follows it.
    pub fn parse(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Malformed> {
        let first = split(bytes)?;
        match first.tag {
            Tag(CERTIFICATE) => {
                let body = expect(first.value, BODY)?;
                let signature = Reader::new(body.rest).expect(Tag(SIGNATURE))?;
                let (signed, encoded) = (body.encoded, first.encoded);
                Ok((Self { body: Body::parse(body.value)?, signed, signature, encoded }, first.rest))
            }
            Tag(REQUEST) => Ok((Request::parse(bytes)?.certificate, first.rest)),
            _ => Err(Malformed),
        }
    }

    /// The holder's serial number as OpenSC shows it: the holder reference without its five-character sequence number;
    /// `None` if the reference is shorter than eight characters.
    pub fn holder_serial(&self) -> Option<&'a [u8]> {
        let len = self.body.chr.len();
        if len < 8 { None } else { self.body.chr.get(..len.saturating_sub(5)) }
    }
}

/// An authenticated certificate request (67).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    /// The certificate, signed by the key it holds.
    pub certificate: Certificate<'a>,
    /// Who attests it.
    pub outer_car: &'a [u8],
    /// What the outer signature covers: the complete 7F21 and the complete 42.
    pub signed: &'a [u8],
    /// The outer signature.
    pub signature: &'a [u8],
}

impl<'a> Request<'a> {
    /// Reads a request.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let content = expect(bytes, REQUEST)?.value;
        let inner = expect(content, CERTIFICATE)?;
        let (certificate, _) = Certificate::parse(inner.encoded)?;
        let outer = expect(inner.rest, CAR)?;
        let signature = Reader::new(outer.rest).expect(Tag(SIGNATURE))?;
        let covered = content.len().checked_sub(outer.rest.len()).and_then(|len| content.get(..len));
        Ok(Self { certificate, outer_car: outer.value, signed: covered.ok_or(Malformed)?, signature })
    }
}

/// The first data object, which must have this tag.
fn expect(bytes: &[u8], tag: u16) -> Result<Split<'_>, Malformed> {
    split(bytes).and_then(|first| if first.tag == Tag(tag) { Ok(first) } else { Err(Malformed) })
}

/// Puts a signed body and its signature together.
pub fn write_certificate(body: &[u8], signature: &[u8], out: &mut [u8]) -> Result<usize, Full> {
    Writer::new(out).nest(CERTIFICATE, |w| _ = w.raw(body).put(SIGNATURE, signature)).finish()
}

/// Writes the complete 42 of an outer authority reference, which the outer signature covers behind the certificate.
pub fn write_outer_car(car: &[u8], out: &mut [u8]) -> Result<usize, Full> {
    Writer::new(out).put(CAR, car).finish()
}

/// Puts a certificate, the outer authority reference and the outer signature together.
pub fn write_request(certificate: &[u8], car: &[u8], signature: &[u8], out: &mut [u8]) -> Result<usize, Full> {
    Writer::new(out).nest(REQUEST, |w| _ = w.raw(certificate).put(CAR, car).put(SIGNATURE, signature)).finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    /// The bare device certificate that OpenSC accepts (specification part 4 §1.3.1).
    #[test]
    fn a_certificate_without_domain_parameters_is_read() {
        let body = Body {
            car: b"ESDVCA00001",
            public_key: PublicKey::Ec { domain: None, point: &[4; 65] },
            chr: b"ESTESTDV00001",
            role: None,
            validity: None,
            extensions: None,
        };
        let mut tlv = [0; 300];
        let len = body.write(&mut tlv).unwrap();
        assert_eq!(tlv[..3], [0x7F, 0x4E, 0x73]);
        let mut out = [0; 300];
        let total = write_certificate(&tlv[..len], &[9; 64], &mut out).unwrap();
        assert_eq!(out[..4], [0x7F, 0x21, 0x81, 0xB9]);
        let (certificate, rest) = Certificate::parse(&out[..total]).unwrap();
        assert_eq!((certificate.body, certificate.signed, certificate.signature), (body, &tlv[..len], &[9; 64][..]));
        assert_eq!((certificate.holder_serial(), rest), (Some(&b"ESTESTDV"[..]), &[][..]));
    }

    #[test]
    fn a_request_is_read_back_with_what_its_outer_signature_covers() {
        let body = Body {
            car: b"UTCA00001",
            public_key: PublicKey::Rsa { modulus: &[0xC1; 256], exponent: &[1, 0, 1] },
            chr: b"UTTEST00001",
            role: Some(Role::SELF_ISSUED),
            validity: Some(Validity::SELF_ISSUED),
            extensions: Some(&[0x73, 0]),
        };
        let (mut a, mut b, mut c) = ([0; 900], [0; 900], [0; 900]);
        let len = body.write(&mut a).unwrap();
        let len = write_certificate(&a[..len], &[7; 256], &mut b).unwrap();
        let certificate = &b[..len];
        let len = write_request(certificate, b"DEVICE00001", &[8; 64], &mut c).unwrap();
        let request = Request::parse(&c[..len]).unwrap();
        assert_eq!(request.certificate.body, body);
        assert_eq!(request.outer_car, b"DEVICE00001");
        let mut outer = [0; 20];
        let outer_len = write_outer_car(b"DEVICE00001", &mut outer).unwrap();
        assert_eq!(request.signed, [certificate, &outer[..outer_len]].concat());
        assert_eq!(Certificate::parse(&c[..len]).unwrap().0.encoded, certificate);
    }

    #[test]
    fn a_key_in_montgomery_form_is_read_back() {
        let public_key = PublicKey::Okp { prime: &[0x7F; 32], order: &[0x10; 32], base: &[9; 32], key: &[5; 32] };
        let body =
            Body { car: b"UTCA00001", public_key, chr: b"UTTEST00001", role: None, validity: None, extensions: None };
        let (mut tlv, mut out) = ([0; 300], [0; 400]);
        let len = body.write(&mut tlv).unwrap();
        // The template as on the wire (specification part 1 §5.9).
        assert!(tlv.windows(4).any(|window| window == [0x7F, 0x49, 0x81, 0x94]));
        let len = write_certificate(&tlv[..len], &[0; 64], &mut out).unwrap();
        assert_eq!(Certificate::parse(&out[..len]).unwrap().0.body, body);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_certificate_or_malformed(bytes: Vec<u8>, tag in prop_oneof![Just(0x7F21u16), Just(0x67)]) {
            let _ = Certificate::parse(&bytes);
            let mut out = std::vec![0; bytes.len() + 8];
            let len = Writer::new(&mut out).nest(tag, |w| _ = w.put(0x7F4E, &bytes).put(0x42, &bytes)).finish();
            if let Ok(len) = len {
                let _ = Certificate::parse(&out[..len]);
            }
        }
    }
}
