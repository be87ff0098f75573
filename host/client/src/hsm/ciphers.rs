//! Operations with secret keys: ciphers, MACs, key derivation (specification part 2 §4 and §5).

use super::operations::explain_use;
use super::{Hsm, MAX_DATA};
use crate::error::{Error, ErrorKind, ONLY_SOME, Result};
use crate::transport::Transport;
use ferrite_proto::command::{CipherMode, Command, Direction, Secret, SymmetricOperation as Operation};
use ferrite_proto::fid::KeyId;
use ferrite_proto::status::Status;
use std::num::NonZeroU16;
use zeroize::Zeroizing;

/// An operation with a secret key, and how long a derived output is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CipherRequest<'a> {
    /// The operation.
    pub operation: Operation<'a>,
    /// Length of what a key derivation returns, in bytes; `None`: its default.
    pub len: Option<NonZeroU16>,
}

impl<'a> From<Operation<'a>> for CipherRequest<'a> {
    fn from(operation: Operation<'a>) -> Self {
        Self { operation, len: None }
    }
}

impl<T: Transport> Hsm<T> {
    /// Encrypts, decrypts, authenticates or derives with a secret key.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::NotLoggedIn`], [`ErrorKind::Verification`] for a tag that does not match,
    /// [`ErrorKind::Refused`] if the key may not be used so.
    pub fn cipher(&mut self, key: KeyId, request: &CipherRequest<'_>) -> Result<Zeroizing<Vec<u8>>> {
        let answer = self.send_cipher(key, request);
        match (answer, request.operation) {
            (Err(error), Operation::Cipher { mode: CipherMode::Cbc, direction, iv, data, .. })
                if error.kind() == ErrorKind::Unsupported =>
            {
                self.plain_cbc(key, direction, &iv, data.0).map_err(|_| error)
            }
            (answer, _) => answer,
        }
    }

    /// CBC as every SmartCard-HSM with secret keys has it: with a vector of zeros. Another vector is added to the first block of
    /// the plaintext.
    fn plain_cbc(&mut self, key: KeyId, direction: Direction, iv: &[u8], data: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let mut input = Zeroizing::new(data.to_vec());
        let add = |data: &mut [u8]| data.iter_mut().zip(iv).for_each(|(byte, iv)| *byte ^= iv);
        if direction == Direction::Encrypt {
            add(&mut input);
        }
        let operation = Operation::PlainCbc { direction, data: Secret(&input) };
        let mut output = self.send_cipher(key, &operation.into())?;
        if direction == Direction::Decrypt {
            add(&mut output);
        }
        Ok(output)
    }

    fn send_cipher(&mut self, key: KeyId, request: &CipherRequest<'_>) -> Result<Zeroizing<Vec<u8>>> {
        let what = format!("use secret key {}", key.value());
        let is_opening = matches!(request.operation, Operation::Aead { direction: Direction::Decrypt, .. });
        let mut data = Zeroizing::new(vec![0; MAX_DATA]);
        let (algorithm, len) = request
            .operation
            .write(&mut data)
            .map_err(|_| Error::new(ErrorKind::Usage, what.clone(), "that is more than a command can carry"))?;
        data.truncate(len);
        let command = Command::SymmetricCipher { key, algorithm, data: Secret(&data), len: request.len };
        self.call(&what, &command).map_err(explain_use).map_err(|error| {
            if is_opening && error.status() == Some(Status::EXECUTION) {
                return error
                    .of_kind(ErrorKind::Verification)
                    .because("the tag does not match, or the key has another length")
                    .advise("Key, nonce, additional data or ciphertext is not the one that was used to encrypt.");
            }
            match error.kind() {
                ErrorKind::Unsupported => lacks(error, &request.operation),
                _ => error,
            }
        })
    }
}

/// What a card lacks that does not know an operation.
fn lacks(error: Error, operation: &Operation<'_>) -> Error {
    let (why, advice) = match operation {
        Operation::Cipher { .. } | Operation::Aead { .. } | Operation::Pbes2 { .. } => {
            ("this card has no such cipher", "A SmartCard-HSM that has secret keys has AES-CBC.")
        }
        Operation::Hmac { .. } => {
            ("this card computes no HMAC", "A SmartCard-HSM that has secret keys computes CMACs.")
        }
        _ => ("this card has no such operation with secret keys", ONLY_SOME),
    };
    error.because(why).advise(advice)
}
