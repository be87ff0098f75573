//! Descriptions of private and secret keys.

use super::common::{Common, Path, PathHolder, context, find, first, halves};
use crate::fid::KeyId;
use crate::tlv::{Full, Malformed};
use der::asn1::{BitStringRef, ContextSpecificRef, OctetStringRef, Utf8StringRef};
use der::{Encode, Sequence, Tag, TagMode, TagNumber, Tagged as _};

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
    /// Writes the description as the card does at generation. [`Full`] also for a label that is not UTF-8.
    pub fn write(&self, out: &mut [u8]) -> Result<usize, Full> {
        self.encode(out).map_err(|_| Full)
    }

    fn encode(&self, out: &mut [u8]) -> der::Result<usize> {
        // Named bits from the most significant: decrypt, sign, signRecover, unwrap; sign, derive; encrypt, decrypt,
        // derive.
        let usage = match self.key_type {
            KeyType::Rsa => BitStringRef::new(2, &[0x74]),
            KeyType::Ec => BitStringRef::new(7, &[0x20, 0x80]),
            KeyType::Aes => BitStringRef::new(7, &[0xC0, 0x80]),
        }?;
        let common = Common { label: Utf8StringRef::new(self.label)?, flags: None };
        let class = KeyClass { id: OctetStringRef::new(self.id)?, usage };
        let path = Path { path: OctetStringRef::new(&[])? };
        let bits = self.bits;
        let encoded = match self.key_type {
            KeyType::Rsa => PrivateKey { common, class, value: KeyValue { path, bits } }.encode_to_slice(out),
            KeyType::Ec => {
                implicit(0, &PrivateKey { common, class, value: KeyValue { path, bits } }).encode_to_slice(out)
            }
            KeyType::Aes => {
                let key = SecretKey { common, class, size: KeySize { bits }, value: PathHolder { path } };
                implicit(8, &key).encode_to_slice(out)
            }
        };
        encoded.map(<[u8]>::len)
    }

    /// Reads a description, the card's own or a client's.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let description = first(bytes)?;
        let (key_type, sized) = match description.tag() {
            Tag::Sequence => (KeyType::Rsa, PRIVATE_KEY_SIZE),
            tag if tag == context(0) => (KeyType::Ec, PRIVATE_KEY_SIZE),
            tag if tag == context(8) => (KeyType::Aes, SECRET_KEY_SIZE),
            _ => return Err(Malformed),
        };
        let (common, class) = halves(description.value())?;
        let sized = find(description.value(), context(sized))
            .and_then(|holder| find(holder, Tag::Sequence))
            .ok_or(Malformed)?;
        let bits = match find(sized, Tag::Integer).ok_or(Malformed)? {
            [low] => u16::from(*low),
            [high, low] | [0, high, low] => u16::from_be_bytes([*high, *low]),
            _ => return Err(Malformed),
        };
        let label = find(common, Tag::Utf8String).unwrap_or_default();
        Ok(Self { key_type, label, id: find(class, Tag::OctetString).ok_or(Malformed)?, bits })
    }
}

/// Number of the tag around a private key's size.
const PRIVATE_KEY_SIZE: u32 = 1;
/// Number of the tag around a secret key's size.
const SECRET_KEY_SIZE: u32 = 0;

#[derive(Sequence)]
struct KeyClass<'a> {
    id: &'a OctetStringRef,
    usage: BitStringRef<'a>,
}

#[derive(Sequence)]
struct KeyValue<'a> {
    path: Path<'a>,
    bits: u16,
}

#[derive(Sequence)]
struct KeySize {
    bits: u16,
}

#[derive(Sequence)]
struct PrivateKey<'a> {
    common: Common<'a>,
    class: KeyClass<'a>,
    #[asn1(context_specific = "1")]
    value: KeyValue<'a>,
}

#[derive(Sequence)]
struct SecretKey<'a> {
    common: Common<'a>,
    class: KeyClass<'a>,
    #[asn1(context_specific = "0")]
    size: KeySize,
    #[asn1(context_specific = "1")]
    value: PathHolder<'a>,
}

/// A sequence under another tag.
fn implicit<T>(number: u32, value: &T) -> ContextSpecificRef<'_, T> {
    ContextSpecificRef { tag_number: TagNumber(number), tag_mode: TagMode::Implicit, value }
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
