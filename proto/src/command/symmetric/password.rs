//! Parameters of PBKDF2 and PBES2 (RFC 8018 appendix A), without the SEQUENCE around them (specification part 2 §5.5,
//! §5.6). Lengths are read the lenient way, like everything in the data of this command; otherwise nothing may be missing,
//! superfluous or in another order.

use super::OID;
use super::algorithms::{Algorithm, BLOCK, CipherMode, HmacHash, PBKDF2_OID};
use crate::tlv::{Malformed, Reader, Tag, Writer};
use core::num::NonZeroU16;

const INTEGER: u16 = 0x02;
const OCTET_STRING: u16 = 0x04;
const NULL: u16 = 0x05;
const SEQUENCE: u16 = 0x30;

/// Most iterations of PBKDF2: a million take minutes on a chip, and nothing can interrupt them.
const MAX_ITERATIONS: u32 = 1_000_000;

/// Parameters of PBKDF2 (RFC 8018 appendix A.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pbkdf2<'a> {
    /// Salt.
    pub salt: &'a [u8],
    /// Iterations, 1 to a million.
    pub iterations: u32,
    /// Length of the derived key in bytes, if it is named.
    pub key_len: Option<NonZeroU16>,
    /// Pseudo-random function.
    pub prf: HmacHash,
}

/// Parameters of PBES2 with AES-CBC (RFC 8018 appendix A.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pbes2<'a> {
    /// How the key is made.
    pub kdf: Pbkdf2<'a>,
    /// Length of the AES key in bytes: 16, 24 or 32.
    pub key_len: usize,
    /// Initialisation vector.
    pub iv: &'a [u8; BLOCK],
}

impl<'a> Pbkdf2<'a> {
    /// Reads the contents of PBKDF2-params, without the SEQUENCE around them.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::lenient(bytes);
        let salt = reader.expect(Tag(OCTET_STRING))?;
        let iterations = number(reader.expect(Tag(INTEGER))?)?;
        if !(1..=MAX_ITERATIONS).contains(&iterations) {
            return Err(Malformed);
        }
        let key_len = match reader.optional(Tag(INTEGER))? {
            None => None,
            Some(len) => Some(u16::try_from(number(len)?).ok().and_then(NonZeroU16::new).ok_or(Malformed)?),
        };
        let prf = match reader.optional(Tag(SEQUENCE))? {
            None => HmacHash::Sha1,
            Some(prf) => {
                let mut prf = Reader::lenient(prf);
                let hash = HmacHash::from_oid(prf.expect(Tag(OID))?).ok_or(Malformed)?;
                if prf.optional(Tag(NULL))?.is_some_and(|null| !null.is_empty()) {
                    return Err(Malformed);
                }
                at_end(&prf)?;
                hash
            }
        };
        at_end(&reader)?;
        Ok(Self { salt, iterations, key_len, prf })
    }

    pub(super) fn write_to(&self, w: &mut Writer<'_>) {
        w.put(OCTET_STRING, self.salt);
        put_number(w, self.iterations);
        if let Some(len) = self.key_len {
            put_number(w, len.get().into());
        }
        w.nest(SEQUENCE, |w| _ = w.put(OID, self.prf.oid()).put(NULL, &[]));
    }
}

impl<'a> Pbes2<'a> {
    /// Reads the contents of PBES2-params, without the SEQUENCE around them.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::lenient(bytes);
        let mut kdf = Reader::lenient(reader.expect(Tag(SEQUENCE))?);
        let mut scheme = Reader::lenient(reader.expect(Tag(SEQUENCE))?);
        at_end(&reader)?;
        if kdf.expect(Tag(OID))? != PBKDF2_OID {
            return Err(Malformed);
        }
        let parameters = Pbkdf2::parse(kdf.expect(Tag(SEQUENCE))?)?;
        at_end(&kdf)?;
        let key_len = match Algorithm::from_oid(scheme.expect(Tag(OID))?) {
            Some(Algorithm::Cipher(CipherMode::Cbc, key_len)) => key_len,
            _ => return Err(Malformed),
        };
        // A length that is named must be the cipher's.
        if parameters.key_len.is_some_and(|len| usize::from(len.get()) != key_len) {
            return Err(Malformed);
        }
        let iv = scheme.expect(Tag(OCTET_STRING))?.try_into().map_err(|_| Malformed)?;
        at_end(&scheme)?;
        Ok(Self { kdf: parameters, key_len, iv })
    }

    pub(super) fn write_to(&self, w: &mut Writer<'_>) {
        w.nest(SEQUENCE, |w| {
            w.put(OID, &PBKDF2_OID).nest(SEQUENCE, |w| self.kdf.write_to(w));
        });
        w.nest(SEQUENCE, |w| {
            w.put(OID, Algorithm::Cipher(CipherMode::Cbc, self.key_len).oid()).put(OCTET_STRING, self.iv);
        });
    }
}

fn at_end(reader: &Reader<'_>) -> Result<(), Malformed> {
    if reader.rest().is_empty() { Ok(()) } else { Err(Malformed) }
}

/// An INTEGER that is not negative and has at most 32 bits.
fn number(bytes: &[u8]) -> Result<u32, Malformed> {
    match bytes {
        [0x80..=0xFF, ..] | [] => Err(Malformed),
        bytes => {
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            let digits = bytes.get(zeros..).unwrap_or_default();
            if digits.len() > 4 {
                return Err(Malformed);
            }
            Ok(digits.iter().fold(0, |number, byte| (number << 8) | u32::from(*byte)))
        }
    }
}

/// Writes an INTEGER that is not negative, as short as it can be.
fn put_number(w: &mut Writer<'_>, number: u32) {
    let bytes = u64::from(number).to_be_bytes();
    let superfluous = bytes.windows(2).take_while(|pair| matches!(pair, [0, 0..=0x7F])).count();
    w.put(INTEGER, bytes.get(superfluous..).unwrap_or_default());
}
