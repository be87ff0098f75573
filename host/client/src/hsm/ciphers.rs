//! Operations with secret keys: ciphers, MACs, key derivation (specification part 2 §4 and §5).

use super::operations::explain_use;
use super::{Hsm, MAX_DATA};
use crate::error::{Error, ErrorKind, Result};
use crate::transport::Transport;
use ferrite_proto::command::{Command, Secret, SymmetricOperation};
use ferrite_proto::fid::KeyId;
use ferrite_proto::status::Status;
use std::num::NonZeroU16;
use zeroize::Zeroizing;

/// An operation with a secret key, and how long a derived output is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CipherRequest<'a> {
    /// The operation.
    pub operation: SymmetricOperation<'a>,
    /// Length of what a key derivation returns, in bytes; `None`: its default.
    pub len: Option<NonZeroU16>,
}

impl<'a> From<SymmetricOperation<'a>> for CipherRequest<'a> {
    fn from(operation: SymmetricOperation<'a>) -> Self {
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
        let what = format!("use secret key {}", key.value());
        let is_opening = matches!(
            request.operation,
            SymmetricOperation::Aead { direction: ferrite_proto::command::Direction::Decrypt, .. }
        );
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
            error
        })
    }
}
