//! Signatures, decryption, agreement (specification part 2 §1 and §2).

use super::Hsm;
use crate::error::{Error, ErrorKind, Result, UNKNOWN};
use crate::transport::Transport;
use ferrite_proto::command::{AlgorithmId, Command};
use ferrite_proto::fid::KeyId;
use ferrite_proto::status::Status;
use zeroize::Zeroizing;

impl<T: Transport> Hsm<T> {
    /// Signs. The algorithm says whether `data` is a message, a digest or a padded block. RSA and EdDSA return the bare
    /// signature, ECDSA the DER form; see [`crate::public_key::raw_ecdsa`].
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::NotLoggedIn`], [`ErrorKind::NotConfirmed`]; [`ErrorKind::Refused`] if the key
    /// may not be used so.
    pub fn sign(&mut self, key: KeyId, algorithm: AlgorithmId, data: &[u8]) -> Result<Vec<u8>> {
        let what = format!("sign with key {}", key.value());
        let answer = self.call(&what, &Command::Sign { key, algorithm, data }).map_err(explain_use)?;
        Ok(answer.to_vec())
    }

    /// Decrypts with an RSA key.
    ///
    /// # Errors
    /// As [`Hsm::sign`].
    pub fn decrypt(&mut self, key: KeyId, algorithm: AlgorithmId, cryptogram: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let what = format!("decrypt with key {}", key.value());
        self.call(&what, &Command::Decipher { key, algorithm, data: cryptogram }).map_err(explain_use)
    }

    /// Agrees with a peer on a secret (ECDH, X25519, X448): the x or u coordinate. `peer` is its public key, uncompressed
    /// or as RFC 7748 has it.
    ///
    /// # Errors
    /// As [`Hsm::sign`]; [`ErrorKind::Refused`] for a peer's key that is not on the curve.
    pub fn agree(&mut self, key: KeyId, peer: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let what = format!("agree on a secret with key {}", key.value());
        let command = Command::Decipher { key, algorithm: AlgorithmId::ECDH, data: peer };
        let answer = self.call(&what, &command).map_err(explain_use)?;
        // Some cards answer the whole point.
        let coordinate = match peer {
            [4, xy @ ..] if xy.len() % 2 == 0 => xy.len() / 2,
            other => other.len(),
        };
        match answer.as_slice() {
            [4, rest @ ..] if rest.len() >= coordinate => {
                Ok(Zeroizing::new(rest.iter().copied().take(coordinate).collect()))
            }
            _ => Err(Error::new(ErrorKind::BadAnswer, what, "the device answered no coordinate")),
        }
    }
}

/// What status words mean where a key is used.
pub(super) fn explain_use(error: Error) -> Error {
    error
        .explain(Status::NOT_FOUND, ErrorKind::NotFound, "there is no such key", "List the keys.")
        .explain(
            Status::WRONG_P1P2,
            ErrorKind::Unsupported,
            UNKNOWN,
            "It has no such algorithm, or not for keys of this kind.",
        )
        .explain(
            Status::CONDITIONS,
            ErrorKind::Refused,
            "the key may not be used for this",
            "Its list of algorithms, or its use counter, says so.",
        )
        .explain(
            Status::DATA_INVALID,
            ErrorKind::Refused,
            "this kind of key, or these data, do not go with the operation",
            "Look at the kind of the key.",
        )
}
