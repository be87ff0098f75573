//! PKCS#15 descriptions of keys, certificates and data objects, and the token's own (ISO 7816-15, specification part 1
//! §5.4, part 4 §1.7).
//!
//! ```text
//! object ::= tag { 30 common, 30 class, [A0 subclass], A1 type }
//! common ::= 0C label, [03 flags], [04 authentication id]
//! ```
//! Readers skip what they do not know, because OpenSC adds elements and leaves tails of older, longer descriptions.

use crate::fid::{FileId, KeyId};
use crate::tlv::{Full, Malformed, Reader, Tag, Writer, find, split};

/// Longest description the card writes for a key, in bytes.
pub const MAX_KEY_DESCRIPTION: usize = 96;

/// What kind of key a description is about: its outer tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum KeyType {
    /// `30`: RSA private key.
    Rsa = 0x30,
    /// `A0`: private key on an elliptic curve.
    Ec = 0xA0,
    /// `A8`: AES key.
    Aes = 0xA8,
}

/// Description of a private key (PrKD) or a secret key (SKD).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyDescription<'a> {
    /// Kind of key.
    pub key_type: KeyType,
    /// Label, UTF-8; empty when the card wrote it.
    pub label: &'a [u8],
    /// CKA_ID.
    pub id: &'a [u8],
    /// Size in bits: modulus, field, or key length.
    pub bits: u16,
}

impl<'a> KeyDescription<'a> {
    /// Writes the description as the card does at generation.
    pub fn write(&self, out: &mut [u8]) -> Result<usize, Full> {
        // Named bits from the most significant: decrypt, sign, signRecover, unwrap; sign, derive; encrypt, decrypt,
        // derive. The first byte counts the unused bits.
        let usage: &[u8] = match self.key_type {
            KeyType::Rsa => &[0x02, 0x74],
            KeyType::Ec => &[0x07, 0x20, 0x80],
            KeyType::Aes => &[0x07, 0xC0, 0x80],
        };
        let bits = self.bits.to_be_bytes();
        let path = |w: &mut Writer<'_>| _ = w.nest(0x30, |w| _ = w.put(0x04, &[]));
        Writer::new(out)
            .nest(u16::from(self.key_type as u8), |w| {
                w.nest(0x30, |w| _ = w.put(0x0C, self.label));
                w.nest(0x30, |w| _ = w.put(0x04, self.id).put(0x03, usage));
                match self.key_type {
                    KeyType::Rsa | KeyType::Ec => {
                        w.nest(0xA1, |w| {
                            w.nest(0x30, |w| {
                                path(w);
                                w.put(0x02, &bits);
                            });
                        });
                    }
                    KeyType::Aes => {
                        w.nest(0xA0, |w| _ = w.nest(0x30, |w| _ = w.put(0x02, &bits)));
                        w.nest(0xA1, |w| _ = w.nest(0x30, path));
                    }
                }
            })
            .finish()
    }

    /// Reads a description, the card's own or a client's.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let description = split(bytes)?;
        let key_type = match description.tag {
            Tag(0x30) => KeyType::Rsa,
            Tag(0xA0) => KeyType::Ec,
            Tag(0xA8) => KeyType::Aes,
            _ => return Err(Malformed),
        };
        let mut reader = Reader::new(description.value);
        let common = reader.expect(Tag(0x30))?;
        let class = reader.expect(Tag(0x30))?;
        let holder = match key_type {
            KeyType::Rsa | KeyType::Ec => find(reader.rest(), Tag(0xA1)),
            KeyType::Aes => find(reader.rest(), Tag(0xA0)),
        };
        let sized = holder.and_then(|holder| find(holder, Tag(0x30))).ok_or(Malformed)?;
        let bits = match find(sized, Tag(0x02)).ok_or(Malformed)? {
            [low] => u16::from(*low),
            [high, low] | [0, high, low] => u16::from_be_bytes([*high, *low]),
            _ => return Err(Malformed),
        };
        let label = find(common, Tag(0x0C)).unwrap_or_default();
        Ok(Self { key_type, label, id: find(class, Tag(0x04)).ok_or(Malformed)?, bits })
    }
}

/// A key identifier in ASCII decimal, as the card puts it into a new key's description.
pub fn decimal(key: KeyId) -> ([u8; 3], usize) {
    let value = key.value();
    let digit = |divisor: u8| b'0'.saturating_add(value.checked_div(divisor).unwrap_or(0) % 10);
    match value {
        0..=9 => ([digit(1), 0, 0], 1),
        10..=99 => ([digit(10), digit(1), 0], 2),
        _ => ([digit(100), digit(10), digit(1)], 3),
    }
}

/// Description of a certificate (CD) or a data object (DCOD): what OpenSC stores beside the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectDescription<'a> {
    /// Label, UTF-8.
    pub label: &'a [u8],
    /// Certificate: CKA_ID. Data object: name of the application.
    pub name: Name<'a>,
    /// The file with the value.
    pub value: FileId,
}

/// The class attribute that tells a certificate's description from a data object's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name<'a> {
    /// CKA_ID of a certificate.
    Id(&'a [u8]),
    /// Application name of a data object.
    Application(&'a [u8]),
}

impl<'a> ObjectDescription<'a> {
    /// Writes the description of a public, modifiable object.
    pub fn write(&self, out: &mut [u8]) -> Result<usize, Full> {
        let (tag, name) = match self.name {
            Name::Id(id) => (0x04, id),
            Name::Application(application) => (0x0C, application),
        };
        Writer::new(out)
            .nest(0x30, |w| {
                w.nest(0x30, |w| _ = w.put(0x0C, self.label).put(0x03, &[0x06, 0x40]));
                w.nest(0x30, |w| _ = w.put(tag, name));
                let path = |w: &mut Writer<'_>| _ = w.nest(0x30, |w| _ = w.put(0x04, &self.value.to_bytes()));
                match self.name {
                    Name::Id(_) => w.nest(0xA1, |w| _ = w.nest(0x30, path)),
                    Name::Application(_) => w.nest(0xA1, path),
                };
            })
            .finish()
    }

    /// Reads a description.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(Reader::new(bytes).expect(Tag(0x30))?);
        let common = reader.expect(Tag(0x30))?;
        let class = reader.expect(Tag(0x30))?;
        let name = match Reader::new(class).next() {
            Some(Ok((Tag(0x04), id))) => Name::Id(id),
            Some(Ok((Tag(0x0C), application))) => Name::Application(application),
            // A data object may do with the identifier of its application, or with nothing.
            Some(Ok((Tag(0x06), _))) | None => Name::Application(&[]),
            _ => return Err(Malformed),
        };
        let path = find(reader.rest(), Tag(0xA1)).and_then(|holder| find(holder, Tag(0x30)));
        let path = match name {
            Name::Id(_) => path.and_then(|holder| find(holder, Tag(0x30))),
            Name::Application(_) => path,
        };
        let Some([high, low]) = path.and_then(|path| find(path, Tag(0x04))) else { return Err(Malformed) };
        let value = FileId::new(u16::from_be_bytes([*high, *low]));
        Ok(Self { label: find(common, Tag(0x0C)).unwrap_or_default(), name, value })
    }
}

/// EF.DIR: the HSM application and its label.
pub fn ef_dir(out: &mut [u8]) -> Result<usize, Full> {
    Writer::new(out).nest(0x61, |w| _ = w.put(0x4F, &crate::aid::HSM).put(0x50, LABEL)).finish()
}

/// Token label (decision D2).
pub const LABEL: &[u8] = b"Ferrite HSM";
/// Manufacturer (decision D2).
pub const MANUFACTURER: &[u8] = b"Ferrite";

/// EF.TokenInfo as it is until the owner writes another: version, serial, manufacturer, label, flags for a random
/// generator and EID compliance.
pub fn default_token_info(version: u8, serial: &[u8; 8], out: &mut [u8]) -> Result<usize, Full> {
    Writer::new(out)
        .nest(0x30, |w| {
            w.put(0x02, &[version]).put(0x04, serial).put(0x0C, MANUFACTURER);
            w.put(0x80, LABEL).put(0x03, &[0x04, 0x30]);
        })
        .finish()
}

/// What EF.TokenInfo says, whoever wrote it. OpenSC leaves serial and manufacturer out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenInfo<'a> {
    /// Serial number.
    pub serial: Option<&'a [u8]>,
    /// Manufacturer, UTF-8.
    pub manufacturer: Option<&'a [u8]>,
    /// Label of the token, UTF-8.
    pub label: Option<&'a [u8]>,
}

impl<'a> TokenInfo<'a> {
    /// Reads EF.TokenInfo; version and flags must be there, and are not interpreted.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let content = Reader::new(bytes).expect(Tag(0x30))?;
        let mut reader = Reader::new(content);
        reader.expect(Tag(0x02))?;
        let serial = reader.optional(Tag(0x04))?;
        let manufacturer = reader.optional(Tag(0x0C))?;
        let label = reader.optional(Tag(0x80))?;
        find(reader.rest(), Tag(0x03)).ok_or(Malformed)?;
        Ok(Self { serial, manufacturer, label })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn written(key_type: KeyType, id: u8, bits: u16) -> Vec<u8> {
        let (digits, len) = decimal(KeyId::new(id));
        let mut out = [0; MAX_KEY_DESCRIPTION];
        let description = KeyDescription { key_type, label: b"", id: &digits[..len], bits };
        let len = description.write(&mut out).unwrap();
        assert_eq!(KeyDescription::parse(&out[..len]), Ok(description));
        out[..len].to_vec()
    }

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b' ').collect();
        digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    /// Specification part 1 §5.4; the usage of AES keys is the corrected one of part 4 §1.7.5.
    #[test]
    fn descriptions_of_new_keys_are_as_on_the_wire() {
        for (key_type, id, bits, expected) in [
            (KeyType::Ec, 1, 256, "A01A30020C0030080401310303072080A10A30083002040002020100"),
            (KeyType::Rsa, 2, 2048, "301930020C0030070401320302 0274A10A30083002040002020800"),
            (KeyType::Aes, 16, 128, "A81F30020C003009040231360303 07C080A00630040202 0080A106300430020400"),
        ] {
            assert_eq!(written(key_type, id, bits), hex(expected));
        }
        assert_eq!(decimal(KeyId::new(255)), (*b"255", 3));
        assert_eq!(decimal(KeyId::new(107)), (*b"107", 3));
    }

    /// Specification part 4 §1.7.
    #[test]
    fn what_opensc_writes_is_read() {
        let rsa = hex("302A30100C07525341206B6579030206C0040101300A040122030204700201 02A10A30083002040002020800");
        let expected = KeyDescription { key_type: KeyType::Rsa, label: b"RSA key", id: &[0x22], bits: 2048 };
        assert_eq!(KeyDescription::parse(&rsa), Ok(expected));
        let with_subject = hex(
            "A04130100C074543206365 7274030206C0040101300F0401110303073080030203B8020101A010300E300C310A300806035504\
             030C0178A10A30083002040002020100",
        );
        let description = KeyDescription::parse(&with_subject).unwrap();
        assert_eq!((description.label, description.bits), (&b"EC cert"[..], 256));
        let data = hex("301D300B0C05646174613103020640 30060C0461707031A10630040402CF00");
        let expected =
            ObjectDescription { label: b"data1", name: Name::Application(b"app1"), value: FileId::new(0xCF00) };
        assert_eq!(ObjectDescription::parse(&data), Ok(expected));
        let mut out = [0; 64];
        let len = expected.write(&mut out).unwrap();
        assert_eq!(out[..len], data);
        let nameless = hex("301B300B0C056461746131030206403004 06022A03A1 0630040402CF00");
        let expected_nameless = ObjectDescription { name: Name::Application(b""), ..expected };
        assert_eq!(ObjectDescription::parse(&nameless), Ok(expected_nameless));
        let certificate = hex("301E300D0C0743412063657274030206403003040199A10830063004 0402CA00");
        let expected = ObjectDescription { label: b"CA cert", name: Name::Id(&[0x99]), value: FileId::new(0xCA00) };
        assert_eq!(ObjectDescription::parse(&certificate), Ok(expected));
        let len = expected.write(&mut out).unwrap();
        assert_eq!(out[..len], certificate);
    }

    #[test]
    fn the_token_describes_itself() {
        let mut out = [0; 64];
        let len = default_token_info(6, &[1, 2, 3, 4, 5, 6, 7, 8], &mut out).unwrap();
        assert_eq!(
            out[..len],
            hex("3027020106040801020304050607080C0746657272697465800B466572726974652048534D03020430")
        );
        let info = TokenInfo::parse(&out[..len]).unwrap();
        assert_eq!((info.label, info.manufacturer), (Some(LABEL), Some(MANUFACTURER)));
        assert_eq!(info.serial, Some(&[1, 2, 3, 4, 5, 6, 7, 8][..]));
        let by_opensc = hex("300C020100800374 6F6B03020520");
        let expected = TokenInfo { serial: None, manufacturer: None, label: Some(b"tok") };
        assert_eq!(TokenInfo::parse(&by_opensc), Ok(expected));
        assert_eq!(TokenInfo::parse(&by_opensc[..by_opensc.len() - 1]), Err(Malformed));
        let len = ef_dir(&mut out).unwrap();
        assert_eq!(out[..len], hex("611A4F0BE82B0601040181C31F0201500B466572726974652048534D"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_description_or_malformed(bytes: Vec<u8>) {
            let _ = KeyDescription::parse(&bytes);
            let _ = ObjectDescription::parse(&bytes);
            let _ = TokenInfo::parse(&bytes);
        }
    }
}
