//! Card-verifiable certificates and certificate requests (BSI TR-03110-3, specification part 1 §5.5).
//!
//! ```text
//! 67                               authenticated request
//!    7F21                          certificate
//!       7F4E                       body: 5F29 42 7F49 5F20 [7F4C 5F25 5F24] [65]
//!       5F37                       signature over the complete 7F4E, by the subject's own key in a request; zeros for a key
//!                                  that cannot sign
//!    42                            outer authority reference
//!    5F37                          outer signature over 7F21 and 42, by the device key
//! ```

mod extension;
mod public_key;

pub use extension::{Extensions, Origin};
pub use public_key::{
    DomainParameters, IDENTIFIER_LABEL, Identifier, OID_RI_ECDH_SHA_256, OID_TA_ECDSA_SHA_256, OID_TA_RSA_V1_5_SHA_256,
    PublicKey, RsaPadding, SignatureHash,
};

use crate::tlv::{Full, Malformed, Reader, Split, Tag, Writer, split};

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

impl Role<'_> {
    /// Whether the holder may issue certificates: the two highest bits tell a certification authority or a document
    /// verifier from a terminal, whose bits are zero.
    pub fn is_authority(&self) -> bool {
        self.rights.first().is_some_and(|rights| rights & 0xC0 != 0)
    }
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

    /// Whether a day, written like the dates, lies within.
    pub fn covers(&self, day: [u8; 6]) -> bool {
        (self.from..=self.to).contains(&day)
    }
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

/// A certificate (7F21).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Certificate<'a> {
    /// Its body.
    pub body: Body<'a>,
    /// The complete 7F4E: what the signature covers.
    pub signed: &'a [u8],
    /// The signature.
    pub signature: &'a [u8],
    /// The complete 7F21, or its content alone if the certificate came so.
    pub encoded: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// Reads the first certificate, or the certificate inside a request, and returns what follows it.
    pub fn parse(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Malformed> {
        let first = split(bytes)?;
        match first.tag {
            Tag(CERTIFICATE) => Ok((Self::of_parts(first.value, first.encoded)?, first.rest)),
            Tag(REQUEST) => Ok((Request::parse(bytes)?.certificate, first.rest)),
            _ => Err(Malformed),
        }
    }

    /// Reads one certificate that stands alone, with its 7F21 or, as clients send it to a card, without.
    pub fn parse_alone(bytes: &'a [u8]) -> Result<Self, Malformed> {
        if split(bytes)?.tag == Tag(BODY) {
            return Self::of_parts(bytes, bytes);
        }
        match Self::parse(bytes)? {
            (certificate, []) => Ok(certificate),
            _ => Err(Malformed),
        }
    }

    /// Reads the content of a 7F21.
    fn of_parts(content: &'a [u8], encoded: &'a [u8]) -> Result<Self, Malformed> {
        let body = expect(content, BODY)?;
        let signature = Reader::new(body.rest).expect(Tag(SIGNATURE))?;
        Ok(Self { body: Body::parse(body.value)?, signed: body.encoded, signature, encoded })
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
        Self::parse_content(expect(bytes, REQUEST)?.value)
    }

    /// Reads a request with its 67 or, as clients send it to a card, without.
    pub fn parse_alone(bytes: &'a [u8]) -> Result<Self, Malformed> {
        match split(bytes)? {
            first if first.tag == Tag(REQUEST) && first.rest.is_empty() => Self::parse(bytes),
            _ => Self::parse_content(bytes),
        }
    }

    fn parse_content(content: &'a [u8]) -> Result<Self, Malformed> {
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
mod tests;
