//! SYMMETRIC CIPHER: ciphers, message authentication and key derivation with a secret key (specification part 2 §4, §5).
//!
//! Data is copied into the space of the response once and worked on there. What cannot be finished is wiped there.

use crate::error;
use crate::hsm::Hsm;
use crate::key::Key;
use crate::keys::{Failure, Use};
use crate::platform::Platform;
use crate::response::Response;
use core::num::NonZeroU16;
use ferrite_crypto::hash::Hash;
use ferrite_crypto::secret_key::SecretKey;
use ferrite_crypto::{Error, aead, cipher, kdf, mac, pbes2};
use ferrite_proto::command::{
    AeadMode, AlgorithmId, CipherMode, Direction, HmacHash, Instruction, Pbes2, Pbkdf2, SymmetricOperation,
};
use ferrite_proto::fid::KeyId;
use ferrite_proto::status::Status;
use ferrite_store::Flash;
use zeroize::Zeroize as _;

/// Length of what PBKDF2 and X9.63 derive when nothing names one, in bytes.
const DEFAULT_DERIVED: usize = 32;

impl<P: Platform, F: Flash> Hsm<'_, P, F> {
    /// SYMMETRIC CIPHER. A key that is on a curve answers 6700, an RSA key 6400; only then is the data looked at.
    pub(crate) fn symmetric_cipher(
        &mut self,
        key: KeyId,
        algorithm: AlgorithmId,
        data: &[u8],
        len: Option<NonZeroU16>,
        response: &mut Response<'_>,
    ) -> Result<(), Status> {
        // While a node is selected, one algorithm uses it; all others are as if there were none.
        if key == KeyId::DEVICE && self.session.selected.is_some() {
            let operation = SymmetricOperation::parse(algorithm, data);
            if let Ok(SymmetricOperation::Node { direction, associated, iv, data }) = operation {
                return self.encrypt_with_node(direction, associated, iv, data.0, response);
            }
        }
        let usage = Use { key, algorithm, instruction: Instruction::SymmetricCipher, scheme: Ok(()) };
        self.use_key(usage, |_, opened, ()| {
            let key = match &opened.key {
                Key::Aes(key) => key,
                Key::Rsa(_) => return Err(Status::EXECUTION.into()),
                Key::Ec(_) | Key::Edwards(_) | Key::Montgomery(_) => return Err(Status::WRONG_LENGTH.into()),
            };
            perform(key, SymmetricOperation::parse(algorithm, data)?, len, response)
        })
    }
}

fn perform(
    key: &SecretKey,
    operation: SymmetricOperation<'_>,
    len: Option<NonZeroU16>,
    response: &mut Response<'_>,
) -> Result<(), Failure> {
    use SymmetricOperation as Op;
    let secret = key.as_bytes();
    let wanted = |len: Option<NonZeroU16>, default| len.map_or(default, |len| usize::from(len.get()));
    match operation {
        Op::PlainCbc { direction, data } => cbc(direction, secret, &[0; cipher::BLOCK], data.0, response),
        Op::Cmac { message } => {
            let tag = mac::cmac(secret, &[message.0]).map_err(|_| Status::WRONG_LENGTH)?;
            Ok(response.put(&tag)?)
        }
        Op::Derive { parameter } => {
            derive(response, parameter.len(), |out| kdf::hkdf(Hash::Sha256, &[], secret, parameter, out))
        }
        Op::Cipher { key_len, .. } | Op::Aead { key_len, .. } if key_len != secret.len() => {
            Err(Status::WRONG_LENGTH.into())
        }
        Op::Cipher { mode, direction, iv, data, .. } => in_place(response, data.0, 0, |data| {
            cipher::apply(mode_of(mode), way(direction), secret, &iv, data)?;
            Ok(data.len())
        }),
        Op::Aead { mode, direction: Direction::Encrypt, nonce, aad, data, .. } => {
            in_place(response, data.0, aead::TAG, |buffer| {
                let len = buffer.len();
                let (data, tag) = buffer.split_last_chunk_mut().ok_or(Error::BadLength)?;
                *tag = aead::encrypt(algorithm_of(mode), secret, nonce, aad, data)?;
                Ok(len)
            })
        }
        Op::Aead { mode, nonce, aad, data, .. } => in_place(response, data.0, 0, |buffer| {
            let (data, tag) = buffer.split_last_chunk_mut().ok_or(Error::BadLength)?;
            aead::decrypt(algorithm_of(mode), secret, nonce, aad, data, tag)?;
            Ok(data.len())
        })
        // The codes for a wrong tag differ by algorithm (specification part 2 §5.2, §5.3).
        .map_err(|failure| match mode {
            AeadMode::Gcm | AeadMode::Ccm => failure,
            AeadMode::ChaCha20Poly1305 => Status::WRONG_LENGTH.into(),
        }),
        Op::Hmac { hash, message } => Ok(response.put(mac::hmac(hash_of(hash), secret, &[message.0]).as_ref())?),
        Op::Hkdf { hash, salt, info } => {
            let hash = hash_of(hash);
            derive(response, wanted(len, hash.digest_len()), |out| kdf::hkdf(hash, salt, secret, info, out))
        }
        Op::Pbkdf2(Pbkdf2 { salt, iterations, key_len, prf }) => {
            derive(response, wanted(key_len.or(len), DEFAULT_DERIVED), |out| {
                kdf::pbkdf2(hash_of(prf), secret, salt, iterations, out)
            })
        }
        Op::Pbes2 { direction, parameters: Pbes2 { kdf, key_len, iv }, data } => {
            let (hash, salt, iterations) = (hash_of(kdf.prf), kdf.salt, kdf.iterations);
            let parameters = pbes2::Parameters { hash, salt, iterations, key_len, iv };
            let worked = match direction {
                Direction::Encrypt => in_place(response, data.0, cipher::BLOCK, |buffer| {
                    pbes2::encrypt(secret, &parameters, buffer, data.0.len())
                }),
                Direction::Decrypt => {
                    in_place(response, data.0, 0, |buffer| pbes2::decrypt(secret, &parameters, buffer))
                }
            };
            // Every failure answers alike; that a padding is wrong cannot be hidden, so each attempt costs a use.
            worked.map_err(|failure| Failure { status: Status::WRONG_LENGTH, ..failure })
        }
        // A node encrypts, not a key.
        Op::Node { .. } => Err(Status::WRONG_DATA.into()),
        Op::X963 { hash, shared_info } => derive(response, wanted(len, DEFAULT_DERIVED), |out| {
            kdf::x963(hash_of(hash), secret, shared_info, out);
            Ok(())
        }),
    }
}

/// AES-CBC without padding.
pub(crate) fn cbc(
    direction: Direction,
    key: &[u8],
    iv: &[u8; cipher::BLOCK],
    data: &[u8],
    response: &mut Response<'_>,
) -> Result<(), Failure> {
    in_place(response, data, 0, |data| {
        cipher::apply(cipher::Mode::Cbc, way(direction), key, iv, data)?;
        Ok(data.len())
    })
}

/// Copies data into the response, with `room` bytes behind it, and lets `work` turn it into the answer, whose length it
/// returns. If it fails, nothing of the data stays.
fn in_place(
    response: &mut Response<'_>,
    data: &[u8],
    room: usize,
    work: impl FnOnce(&mut [u8]) -> Result<usize, Error>,
) -> Result<(), Failure> {
    let len = data.len().checked_add(room).ok_or(Status::WRONG_LENGTH)?;
    let buffer = response.space().get_mut(..len).ok_or(Status::WRONG_LENGTH)?;
    buffer.get_mut(..data.len()).ok_or(Status::INTERNAL)?.copy_from_slice(data);
    match work(buffer) {
        Ok(len) => Ok(response.advance(len)?),
        Err(error) => {
            buffer.zeroize();
            Err(Failure { status: Status::EXECUTION, costs_a_use: error == Error::BadPadding })
        }
    }
}

/// Lets `work` fill `len` bytes of the response; 6700 if it cannot derive that many.
fn derive(
    response: &mut Response<'_>,
    len: usize,
    work: impl FnOnce(&mut [u8]) -> Result<(), Error>,
) -> Result<(), Failure> {
    let out = response.space().get_mut(..len).ok_or(Status::WRONG_LENGTH)?;
    work(out).map_err(error::crypto)?;
    Ok(response.advance(len)?)
}

fn way(direction: Direction) -> cipher::Direction {
    match direction {
        Direction::Encrypt => cipher::Direction::Encrypt,
        Direction::Decrypt => cipher::Direction::Decrypt,
    }
}

fn mode_of(mode: CipherMode) -> cipher::Mode {
    match mode {
        CipherMode::Ecb => cipher::Mode::Ecb,
        CipherMode::Cbc => cipher::Mode::Cbc,
        CipherMode::Ofb => cipher::Mode::Ofb,
        CipherMode::Cfb128 => cipher::Mode::Cfb128,
        CipherMode::Ctr => cipher::Mode::Ctr,
        CipherMode::Xts => cipher::Mode::Xts,
    }
}

fn algorithm_of(mode: AeadMode) -> aead::Algorithm {
    match mode {
        AeadMode::Gcm => aead::Algorithm::AesGcm,
        AeadMode::Ccm => aead::Algorithm::AesCcm,
        AeadMode::ChaCha20Poly1305 => aead::Algorithm::ChaCha20Poly1305,
    }
}

fn hash_of(hash: HmacHash) -> Hash {
    match hash {
        HmacHash::Sha1 => Hash::Sha1,
        HmacHash::Sha224 => Hash::Sha224,
        HmacHash::Sha256 => Hash::Sha256,
        HmacHash::Sha384 => Hash::Sha384,
        HmacHash::Sha512 => Hash::Sha512,
    }
}
