//! Wrapped keys: the key blob of the SmartCard-HSM (specification part 2 §10).
//!
//! ```text
//! key check value of the DKEK (8)
//! key type (1)
//! algorithm, allowed algorithms, access conditions, key identifier: each two bytes of length, then content
//! encrypted: 8 random bytes, payload, padding; a multiple of 16
//! message authentication code (16) over everything before it
//! ```
//!
//! Lengths are big-endian. Numbers in a payload are big-endian with two bytes of length in front. Encryption and
//! authentication are for whoever has the keys; here are only the forms.

use crate::tlv::{Full, Malformed};

/// Length of a key check value, in bytes.
pub const CHECK_VALUE: usize = 8;
/// Length of the random bytes in front of a payload.
pub const RANDOM: usize = 8;
/// Length of a block of the cipher, of which the encrypted part is a multiple.
pub const BLOCK: usize = 16;
/// Length of the message authentication code.
pub const MAC: usize = 16;

const ALGORITHM_RSA: [u8; 10] = [0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x02, 0x01, 0x02];
const ALGORITHM_EC: [u8; 10] = [0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x02, 0x02, 0x03];
const ALGORITHM_AES: [u8; 8] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01];

/// What kind of key a blob holds, and in which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum BlobType {
    /// RSA: private exponent and modulus.
    Rsa = 5,
    /// RSA: all parts.
    RsaCrt = 6,
    /// A key on a curve.
    Ec = 12,
    /// An AES key.
    Aes = 15,
}

impl BlobType {
    /// Every type.
    pub const ALL: [Self; 4] = [Self::Rsa, Self::RsaCrt, Self::Ec, Self::Aes];

    /// The object identifier of the default algorithm.
    fn algorithm(self) -> &'static [u8] {
        match self {
            Self::Rsa | Self::RsaCrt => &ALGORITHM_RSA,
            Self::Ec => &ALGORITHM_EC,
            Self::Aes => &ALGORITHM_AES,
        }
    }
}

/// Why a blob cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadBlob {
    /// It is too short, or of no known type: not a blob at all (6984).
    Unknown,
    /// It starts like one, but is not put together right (6400).
    Malformed,
}

/// A blob, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blob<'a> {
    /// Key check value of the DKEK it was made with.
    pub check_value: [u8; CHECK_VALUE],
    /// What is inside.
    pub blob_type: BlobType,
    /// The key's list of allowed algorithms; empty if it has none.
    pub algorithms: &'a [u8],
    /// The encrypted part.
    pub encrypted: &'a [u8],
    /// What the code covers: everything before it.
    pub authenticated: &'a [u8],
    /// The code.
    pub mac: [u8; MAC],
}

impl<'a> Blob<'a> {
    /// Reads a blob.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BadBlob> {
        let (check_value, rest) = bytes.split_first_chunk::<CHECK_VALUE>().ok_or(BadBlob::Unknown)?;
        let (byte, rest) = rest.split_first().ok_or(BadBlob::Unknown)?;
        let known = BlobType::ALL.into_iter().find(|known| *known as u8 == *byte);
        let blob_type = known.ok_or(BadBlob::Unknown)?;
        let (authenticated, mac) = bytes.split_last_chunk::<MAC>().ok_or(BadBlob::Malformed)?;
        let mut fields = Fields(rest);
        let mut field = || fields.next().ok_or(BadBlob::Malformed);
        let [algorithm, algorithms, _, _] = [field()?, field()?, field()?, field()?];
        let len = fields.0.len().checked_sub(MAC).ok_or(BadBlob::Malformed)?;
        let encrypted = fields.0.get(..len).ok_or(BadBlob::Malformed)?;
        if algorithm != blob_type.algorithm() || encrypted.is_empty() || !encrypted.len().is_multiple_of(BLOCK) {
            return Err(BadBlob::Malformed);
        }
        Ok(Self { check_value: *check_value, blob_type, algorithms, encrypted, authenticated, mac: *mac })
    }
}

/// Writes what stands in front of the encrypted part, and returns its length.
pub fn write_head(
    check_value: &[u8; CHECK_VALUE],
    blob_type: BlobType,
    algorithms: &[u8],
    out: &mut [u8],
) -> Result<usize, Full> {
    let mut writer = FieldWriter { out, len: 0 };
    writer.raw(check_value)?;
    writer.raw(&[blob_type as u8])?;
    [blob_type.algorithm(), algorithms, &[], &[]].into_iter().try_for_each(|field| writer.field(field))?;
    Ok(writer.len)
}

/// Fields of two bytes of length and content.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (len, rest) = self.0.split_first_chunk::<2>()?;
        let (field, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
        self.0 = rest;
        Some(field)
    }
}

struct FieldWriter<'a> {
    out: &'a mut [u8],
    len: usize,
}

impl FieldWriter<'_> {
    fn raw(&mut self, bytes: &[u8]) -> Result<(), Full> {
        let end = self.len.checked_add(bytes.len()).ok_or(Full)?;
        self.out.get_mut(self.len..end).ok_or(Full)?.copy_from_slice(bytes);
        self.len = end;
        Ok(())
    }

    fn field(&mut self, content: &[u8]) -> Result<(), Full> {
        self.raw(&u16::try_from(content.len()).map_err(|_| Full)?.to_be_bytes())?;
        self.raw(content)
    }
}

/// The secret part of a blob, decrypted. Numbers are as the blob has them, with or without leading zeros.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Payload<'a> {
    /// An AES key.
    Aes {
        /// The key.
        key: &'a [u8],
    },
    /// RSA: private exponent and modulus.
    Rsa {
        /// Length of the modulus.
        bits: u16,
        /// d.
        d: &'a [u8],
        /// n.
        modulus: &'a [u8],
        /// e.
        exponent: &'a [u8],
    },
    /// RSA: all parts.
    RsaCrt {
        /// Length of the modulus.
        bits: u16,
        /// d modulo p − 1.
        d_p: &'a [u8],
        /// d modulo q − 1.
        d_q: &'a [u8],
        /// p.
        p: &'a [u8],
        /// 1 / q modulo p.
        q_inverse: &'a [u8],
        /// q.
        q: &'a [u8],
        /// n.
        modulus: &'a [u8],
        /// e.
        exponent: &'a [u8],
    },
    /// A key on a curve.
    Ec {
        /// Length of the prime.
        bits: u16,
        /// Coefficient A.
        a: &'a [u8],
        /// Coefficient B.
        b: &'a [u8],
        /// The prime.
        prime: &'a [u8],
        /// Order of the base point.
        order: &'a [u8],
        /// The base point.
        generator: &'a [u8],
        /// The private key.
        d: &'a [u8],
        /// The public key.
        point: &'a [u8],
    },
}

impl<'a> Payload<'a> {
    /// Reads a payload, without the random bytes in front of it. Behind it padding may follow: nothing, or `80` and zeros
    /// up to a multiple of 16.
    pub fn parse(blob_type: BlobType, bytes: &'a [u8]) -> Result<Self, Malformed> {
        if blob_type == BlobType::Aes {
            let mut fields = Fields(bytes);
            let key = fields.next().ok_or(Malformed)?;
            return is_padding(fields.0).then_some(Payload::Aes { key }).ok_or(Malformed);
        }
        let (bits, rest) = bytes.split_first_chunk::<2>().ok_or(Malformed)?;
        let bits = u16::from_be_bytes(*bits);
        let mut fields = Fields(rest);
        let mut next = || fields.next().ok_or(Malformed);
        let payload = match blob_type {
            BlobType::Rsa => Payload::Rsa { bits, d: next()?, modulus: next()?, exponent: next()? },
            BlobType::RsaCrt => Payload::RsaCrt {
                bits,
                d_p: next()?,
                d_q: next()?,
                p: next()?,
                q_inverse: next()?,
                q: next()?,
                modulus: next()?,
                exponent: next()?,
            },
            BlobType::Ec | BlobType::Aes => Payload::Ec {
                bits,
                a: next()?,
                b: next()?,
                prime: next()?,
                order: next()?,
                generator: next()?,
                d: next()?,
                point: next()?,
            },
        };
        is_padding(fields.0).then_some(payload).ok_or(Malformed)
    }

    /// What kind of blob it belongs into.
    pub fn blob_type(&self) -> BlobType {
        match self {
            Payload::Aes { .. } => BlobType::Aes,
            Payload::Rsa { .. } => BlobType::Rsa,
            Payload::RsaCrt { .. } => BlobType::RsaCrt,
            Payload::Ec { .. } => BlobType::Ec,
        }
    }

    /// Writes the payload and the padding that `before` bytes in front of it make necessary; returns their length.
    pub fn write(&self, before: usize, out: &mut [u8]) -> Result<usize, Full> {
        let mut writer = FieldWriter { out, len: 0 };
        let bits = match *self {
            Payload::Aes { .. } => None,
            Payload::Rsa { bits, .. } | Payload::RsaCrt { bits, .. } | Payload::Ec { bits, .. } => Some(bits),
        };
        if let Some(bits) = bits {
            writer.raw(&bits.to_be_bytes())?;
        }
        let mut fields = |fields: &[&[u8]]| fields.iter().try_for_each(|field| writer.field(field));
        match *self {
            Payload::Aes { key } => fields(&[key]),
            Payload::Rsa { d, modulus, exponent, .. } => fields(&[d, modulus, exponent]),
            Payload::RsaCrt { d_p, d_q, p, q_inverse, q, modulus, exponent, .. } => {
                fields(&[d_p, d_q, p, q_inverse, q, modulus, exponent])
            }
            Payload::Ec { a, b, prime, order, generator, d, point, .. } => {
                fields(&[a, b, prime, order, generator, d, point])
            }
        }?;
        let is_open = |len: usize| !before.saturating_add(len).is_multiple_of(BLOCK);
        if is_open(writer.len) {
            writer.raw(&[0x80])?;
        }
        while is_open(writer.len) {
            writer.raw(&[0])?;
        }
        Ok(writer.len)
    }
}

fn is_padding(rest: &[u8]) -> bool {
    match rest {
        [] => true,
        [0x80, zeros @ ..] => zeros.len() < BLOCK && zeros.iter().all(|byte| *byte == 0),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    /// Vector V1 of the specification, part 2 §14.
    const V1: &str = "66687AADF862BD770F000860864801650304010006101118995152000000006A63CB154E2634FD6012DE71EC6D0C86E64F938F0D\
                      E0A73CE777F789287693FCD815FCDB691CA929AE206C9CDAA38115";

    #[test]
    fn a_recorded_blob_is_taken_apart_and_its_head_written_again() {
        let bytes = hex::decode(V1).unwrap();
        let blob = Blob::parse(&bytes).unwrap();
        assert_eq!(blob.blob_type, BlobType::Aes);
        assert_eq!(blob.algorithms, [0x10, 0x11, 0x18, 0x99, 0x51, 0x52]);
        assert_eq!((blob.encrypted.len(), blob.authenticated.len()), (32, bytes.len() - 16));
        let mut head = [0; 64];
        let len = write_head(&blob.check_value, blob.blob_type, blob.algorithms, &mut head).unwrap();
        assert_eq!(head[..len], bytes[..bytes.len() - 48]);
    }

    #[test]
    fn what_is_no_blob_is_told_from_what_is_damaged() {
        let bytes = hex::decode(V1).unwrap();
        assert_eq!(Blob::parse(&bytes[..8]), Err(BadBlob::Unknown));
        for len in 9..bytes.len() {
            // A shorter blob may be one by its form; the code then does not match.
            assert_ne!(Blob::parse(&bytes[..len]).err(), Some(BadBlob::Unknown), "{len}");
        }
        let mut other = bytes.clone();
        other[8] = 7;
        assert_eq!(Blob::parse(&other), Err(BadBlob::Unknown));
        let mut other = bytes;
        other[12] ^= 1;
        assert_eq!(Blob::parse(&other), Err(BadBlob::Malformed));
    }

    proptest! {
        #[test]
        fn a_payload_is_read_back(parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..70), 7),
                                  bits: u16, kind in 0..4usize) {
            let [a, b, c, d, e, f, g] = core::array::from_fn(|i| parts[i].as_slice());
            let payload = match BlobType::ALL[kind] {
                BlobType::Aes => Payload::Aes { key: a },
                BlobType::Rsa => Payload::Rsa { bits, d: a, modulus: b, exponent: c },
                BlobType::RsaCrt => {
                    Payload::RsaCrt { bits, d_p: a, d_q: b, p: c, q_inverse: d, q: e, modulus: f, exponent: g }
                }
                BlobType::Ec => Payload::Ec { bits, a, b, prime: c, order: d, generator: e, d: f, point: g },
            };
            let mut out = [0; 600];
            let len = payload.write(RANDOM, &mut out).unwrap();
            prop_assert!((RANDOM + len).is_multiple_of(BLOCK));
            prop_assert!(Payload::parse(payload.blob_type(), &out[..len]).is_ok_and(|read| read == payload));
        }

        #[test]
        fn any_bytes_are_a_blob_or_not(bytes: Vec<u8>, kind in 0..4usize) {
            let _ = Blob::parse(&bytes);
            let _ = Payload::parse(BlobType::ALL[kind], &bytes);
        }
    }
}
