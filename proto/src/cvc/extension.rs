//! What a certificate request says of its key besides the key: extensions (65), each a discretionary data template (73) that
//! an object identifier names (BSI TR-03110-3 §C.3.2).

use super::OID;
use crate::command::Attributes;
use crate::tlv::{Full, Malformed, Reader, Tag, Writer};

const TEMPLATE: u16 = 0x73;
const VALUE: u16 = 0x80;
const KEY: u16 = 0x81;
/// Names the key domain of an exchange key (specification part 1 §5.6): 1.3.6.1.4.1.24991.3.2.2.
const OID_KEY_DOMAIN: [u8; 11] = [0x2B, 0x06, 0x01, 0x04, 0x01, 0x81, 0xC3, 0x1F, 0x03, 0x02, 0x02];
/// Names origin and limits of a key: 2.25 and the UUID 8414c2c5-9e1d-49a3-a69e-06a5aac019c7 (ITU-T X.667). Our own.
const OID_LIMITS: [u8; 20] = [
    0x69, 0x82, 0x88, 0x94, 0xE1, 0xB1, 0xB3, 0xE1, 0xEA, 0xA6, 0xC7, 0xA6, 0xCF, 0x81, 0xD4, 0xDA, 0xD6, 0x80, 0xB3,
    0x47,
];

/// Where a key comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum Origin {
    /// The device made it, and it has never been elsewhere unless the device wrapped it.
    #[default]
    Generated = 0,
    /// It came in a blob, or was derived from a key that did: others may have it.
    Imported = 1,
    /// The device derived it from a key that the device made.
    Derived = 2,
}

impl Origin {
    /// Every origin.
    pub const ALL: [Self; 3] = [Self::Generated, Self::Imported, Self::Derived];

    /// Reads the byte of an origin.
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|origin| *origin as u8 == byte)
    }
}

/// The extensions of a request. A key pair that the device made, without limits and in no key domain, needs none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extensions<'a> {
    /// X and Y of the group key of the exchange key's domain.
    pub key_domain: Option<&'a [u8]>,
    /// Where the key comes from.
    pub origin: Origin,
    /// The number of a secret key, which nothing else in the request names.
    pub key: Option<u8>,
    /// What the key may be used for and how often, as it was when the request was made.
    pub attributes: Attributes<'a>,
}

impl<'a> Extensions<'a> {
    /// Writes the content of a 65 and returns its length, 0 if there is nothing to say. The key domain comes first, where
    /// other devices look for it.
    pub fn write(&self, out: &mut [u8]) -> Result<usize, Full> {
        let mut w = Writer::new(out);
        if let Some(uid) = self.key_domain {
            w.nest(TEMPLATE, |w| _ = w.put(OID, &OID_KEY_DOMAIN).put(VALUE, uid));
        }
        if self.origin != Origin::Generated || self.key.is_some() || !self.attributes.is_empty() {
            w.nest(TEMPLATE, |w| {
                w.put(OID, &OID_LIMITS).put(VALUE, &[self.origin as u8]);
                if let Some(key) = self.key {
                    w.put(KEY, &[key]);
                }
                self.attributes.write_to(w);
            });
        }
        w.finish()
    }

    /// Reads the content of a 65. Templates under other object identifiers are skipped.
    pub fn parse(content: &'a [u8]) -> Result<Self, Malformed> {
        let mut extensions = Self::default();
        for object in Reader::new(content) {
            let (Tag(TEMPLATE), template) = object? else { continue };
            let mut reader = Reader::new(template);
            let oid = reader.expect(Tag(OID))?;
            if oid == OID_KEY_DOMAIN {
                extensions.key_domain = Some(reader.expect(Tag(VALUE))?);
            } else if oid == OID_LIMITS {
                let [origin] = *reader.expect(Tag(VALUE))? else { return Err(Malformed) };
                extensions.origin = Origin::from_byte(origin).ok_or(Malformed)?;
                extensions.key = match reader.optional(Tag(KEY))? {
                    Some([key]) => Some(*key),
                    Some(_) => return Err(Malformed),
                    None => None,
                };
                extensions.attributes = Attributes::parse(reader.rest()).map_err(|_| Malformed)?;
            }
        }
        Ok(extensions)
    }
}
