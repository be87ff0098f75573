//! What SYMMETRIC CIPHER asks for (specification part 2 §4 and §5), read from the algorithm byte and the command's data.

mod algorithms;
mod password;

pub use algorithms::{AeadMode, CipherMode, HmacHash};
pub use password::{Pbes2, Pbkdf2};

use super::{AlgorithmId, Secret};
use crate::status::Status;
use crate::tlv::{Full, Malformed, Reader, Tag, Writer};
use algorithms::{Algorithm, BLOCK};

const OID: u16 = 0x06;
const DATA: u16 = 0x81;
const NONCE: u16 = 0x82;
const AAD: u16 = 0x83;

/// Length of the tag behind a ciphertext, in bytes.
const AEAD_TAG: usize = 16;

/// Encryption or decryption; MACs and key derivations ignore which was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Plaintext becomes ciphertext.
    Encrypt,
    /// Ciphertext becomes plaintext.
    Decrypt,
}

/// An operation with a secret key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SymmetricOperation<'a> {
    /// `10`, `11`: AES-CBC with an initialisation vector of zeros and a key of any length AES has.
    PlainCbc {
        /// Which way.
        direction: Direction,
        /// Whole blocks.
        data: Secret<'a>,
    },
    /// `18`: AES-CMAC with a key of any length AES has.
    Cmac {
        /// The message.
        message: Secret<'a>,
    },
    /// `99`: HKDF-SHA-256 without salt; the output is as long as the parameter.
    Derive {
        /// The derivation parameter.
        parameter: &'a [u8],
    },
    /// `51`, `52`: an unauthenticated mode.
    Cipher {
        /// The mode.
        mode: CipherMode,
        /// Length the key must have, in bytes.
        key_len: usize,
        /// Which way.
        direction: Direction,
        /// Initialisation vector, first counter block or tweak.
        iv: [u8; BLOCK],
        /// What to encrypt or decrypt.
        data: Secret<'a>,
    },
    /// `51`, `52`: authenticated encryption.
    Aead {
        /// The mode.
        mode: AeadMode,
        /// Length the key must have, in bytes.
        key_len: usize,
        /// Which way.
        direction: Direction,
        /// Nonce of a length the mode can take.
        nonce: &'a [u8],
        /// Additional authenticated data.
        aad: &'a [u8],
        /// Plaintext, or ciphertext and tag.
        data: Secret<'a>,
    },
    /// `51`, `52`: HMAC.
    Hmac {
        /// The hash function.
        hash: HmacHash,
        /// The message.
        message: Secret<'a>,
    },
    /// `51`, `52`: HKDF.
    Hkdf {
        /// The hash function.
        hash: HmacHash,
        /// Salt; empty: zeros.
        salt: &'a [u8],
        /// Context information.
        info: &'a [u8],
    },
    /// `51`, `52`: PBKDF2 with the key as its password.
    Pbkdf2(Pbkdf2<'a>),
    /// `51`, `52`: PBES2 with the key as its password.
    Pbes2 {
        /// Which way.
        direction: Direction,
        /// Its parameters.
        parameters: Pbes2<'a>,
        /// What to encrypt or decrypt.
        data: Secret<'a>,
    },
    /// `51`, `52`: AES-256-CBC with a key that the selected symmetric node of a hierarchy stands for (specification part 2
    /// §6.6).
    Node {
        /// Which way.
        direction: Direction,
        /// What separates this use of the node from others, such as the name of what is encrypted.
        associated: &'a [u8],
        /// Initialisation vector; `None`: one that the node and the associated data stand for.
        iv: Option<&'a [u8; BLOCK]>,
        /// What to encrypt or decrypt.
        data: Secret<'a>,
    },
    /// `51`, `52`: the KDF of ANS X9.63 with the key as its shared secret.
    X963 {
        /// The hash function.
        hash: HmacHash,
        /// SharedInfo.
        shared_info: &'a [u8],
    },
}

/// The data objects of the extended interface: of each tag the first, in any order; others are skipped.
struct Objects<'a> {
    oid: &'a [u8],
    data: Option<&'a [u8]>,
    nonce: Option<&'a [u8]>,
    aad: Option<&'a [u8]>,
}

impl<'a> Objects<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut objects = Objects { oid: &[], data: None, nonce: None, aad: None };
        let mut oid = None;
        for object in Reader::lenient(bytes) {
            let (Tag(tag), value) = object?;
            let field = match tag {
                OID => &mut oid,
                DATA => &mut objects.data,
                NONCE => &mut objects.nonce,
                AAD => &mut objects.aad,
                _ => continue,
            };
            field.get_or_insert(value);
        }
        objects.oid = oid.unwrap_or_default();
        Ok(objects)
    }
}

impl<'a> SymmetricOperation<'a> {
    /// Reads the data of a command.
    ///
    /// # Errors
    /// 6B00 for an algorithm byte that stands for nothing here; 6700 for data that is too short or too long, an unknown
    /// object identifier and malformed parameters.
    pub fn parse(algorithm: AlgorithmId, data: &'a [u8]) -> Result<Self, Status> {
        let direction = match algorithm {
            AlgorithmId::AES_CBC_ENCRYPT | AlgorithmId::CIPHER_ENCRYPT => Direction::Encrypt,
            _ => Direction::Decrypt,
        };
        match algorithm {
            AlgorithmId::AES_CBC_ENCRYPT | AlgorithmId::AES_CBC_DECRYPT if data.len().is_multiple_of(BLOCK) => {
                Ok(Self::PlainCbc { direction, data: Secret(data) })
            }
            AlgorithmId::AES_CBC_ENCRYPT | AlgorithmId::AES_CBC_DECRYPT => Err(Status::WRONG_LENGTH),
            AlgorithmId::AES_CMAC => Ok(Self::Cmac { message: Secret(data) }),
            AlgorithmId::AES_DERIVE => Ok(Self::Derive { parameter: data }),
            AlgorithmId::CIPHER_ENCRYPT | AlgorithmId::CIPHER_DECRYPT => Objects::parse(data)
                .and_then(|objects| Self::extended(direction, &objects))
                .map_err(|_| Status::WRONG_LENGTH),
            _ => Err(Status::WRONG_OFFSET),
        }
    }

    fn extended(direction: Direction, objects: &Objects<'a>) -> Result<Self, Malformed> {
        let bytes = objects.data.unwrap_or_default();
        let data = Secret(bytes);
        Ok(match Algorithm::from_oid(objects.oid).ok_or(Malformed)? {
            Algorithm::Cipher(CipherMode::Ecb, _) if bytes.len() != BLOCK => return Err(Malformed),
            Algorithm::Cipher(mode, key_len) => {
                let iv = objects.nonce.map_or(Ok([0; BLOCK]), |iv| iv.try_into().map_err(|_| Malformed))?;
                Self::Cipher { mode, key_len, direction, iv, data }
            }
            Algorithm::Aead(mode, key_len) => {
                let nonce = objects.nonce.filter(|nonce| mode.nonce_len().contains(&nonce.len())).ok_or(Malformed)?;
                if direction == Direction::Decrypt && bytes.len() < AEAD_TAG {
                    return Err(Malformed);
                }
                Self::Aead { mode, key_len, direction, nonce, aad: objects.aad.unwrap_or_default(), data }
            }
            Algorithm::Hmac(hash) => Self::Hmac { hash, message: data },
            Algorithm::Hkdf(hash) => Self::Hkdf { hash, salt: objects.nonce.unwrap_or_default(), info: bytes },
            Algorithm::Pbkdf2 => Self::Pbkdf2(Pbkdf2::parse(bytes)?),
            Algorithm::Pbes2 => {
                let parameters = Pbes2::parse(objects.aad.unwrap_or_default())?;
                Self::Pbes2 { direction, parameters, data }
            }
            Algorithm::Node => {
                let iv = objects.nonce.filter(|iv| !iv.is_empty()).map(|iv| iv.try_into().map_err(|_| Malformed));
                Self::Node { direction, associated: objects.aad.unwrap_or_default(), iv: iv.transpose()?, data }
            }
            Algorithm::X963 => {
                let hash = match objects.data {
                    None => HmacHash::Sha1,
                    Some(oid) => HmacHash::from_oid(oid).ok_or(Malformed)?,
                };
                Self::X963 { hash, shared_info: objects.aad.unwrap_or_default() }
            }
        })
    }

    /// Writes the data of a command, and returns the algorithm byte and the length of the data. MACs and key derivations
    /// of the extended interface are written as encryptions.
    pub fn write(&self, out: &mut [u8]) -> Result<(AlgorithmId, usize), Full> {
        let mut w = Writer::new(out);
        let algorithm = match *self {
            Self::PlainCbc { direction, data } => {
                w.raw(data.0);
                match direction {
                    Direction::Encrypt => AlgorithmId::AES_CBC_ENCRYPT,
                    Direction::Decrypt => AlgorithmId::AES_CBC_DECRYPT,
                }
            }
            Self::Cmac { message } => {
                w.raw(message.0);
                AlgorithmId::AES_CMAC
            }
            Self::Derive { parameter } => {
                w.raw(parameter);
                AlgorithmId::AES_DERIVE
            }
            Self::Cipher { mode, key_len, direction, ref iv, data } => {
                w.put(OID, Algorithm::Cipher(mode, key_len).oid()).put(DATA, data.0).put(NONCE, iv);
                extended_byte(direction)
            }
            Self::Aead { mode, key_len, direction, nonce, aad, data } => {
                w.put(OID, Algorithm::Aead(mode, key_len).oid()).put(DATA, data.0).put(NONCE, nonce);
                if !aad.is_empty() {
                    w.put(AAD, aad);
                }
                extended_byte(direction)
            }
            Self::Hmac { hash, message } => {
                w.put(OID, hash.oid()).put(DATA, message.0);
                AlgorithmId::CIPHER_ENCRYPT
            }
            Self::Hkdf { hash, salt, info } => {
                w.put(OID, Algorithm::Hkdf(hash).oid()).put(DATA, info).put(NONCE, salt);
                AlgorithmId::CIPHER_ENCRYPT
            }
            Self::Pbkdf2(parameters) => {
                w.put(OID, Algorithm::Pbkdf2.oid()).nest(DATA, |w| parameters.write_to(w));
                AlgorithmId::CIPHER_ENCRYPT
            }
            Self::Pbes2 { direction, parameters, data } => {
                w.put(OID, Algorithm::Pbes2.oid()).put(DATA, data.0).nest(AAD, |w| parameters.write_to(w));
                extended_byte(direction)
            }
            Self::Node { direction, associated, iv, data } => {
                w.put(OID, Algorithm::Node.oid()).put(DATA, data.0).put(AAD, associated);
                if let Some(iv) = iv {
                    w.put(NONCE, iv);
                }
                extended_byte(direction)
            }
            Self::X963 { hash, shared_info } => {
                w.put(OID, Algorithm::X963.oid()).put(DATA, hash.oid()).put(AAD, shared_info);
                AlgorithmId::CIPHER_ENCRYPT
            }
        };
        Ok((algorithm, w.finish()?))
    }
}

fn extended_byte(direction: Direction) -> AlgorithmId {
    match direction {
        Direction::Encrypt => AlgorithmId::CIPHER_ENCRYPT,
        Direction::Decrypt => AlgorithmId::CIPHER_DECRYPT,
    }
}

#[cfg(test)]
mod tests;
