//! Signatures, decryption, agreement (specification part 2 §1 and §2).

use super::Hsm;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::Transport;
use ferrite_crypto::hash::Hash;
use ferrite_crypto::rsa;
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

    /// Decrypts with an RSA key. Where the device does not know the padding, the host takes it off, in constant time.
    ///
    /// # Errors
    /// As [`Hsm::sign`].
    pub fn decrypt(&mut self, key: KeyId, algorithm: AlgorithmId, cryptogram: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let what = format!("decrypt with key {}", key.value());
        let answer = self.call(&what, &Command::Decipher { key, algorithm, data: cryptogram }).map_err(explain_use);
        match (answer, unpadding(algorithm)) {
            // Other cards leave the padding to the host.
            (Err(error), Some(unpad)) if error.kind() == ErrorKind::Unsupported => {
                let raw = Command::Decipher { key, algorithm: AlgorithmId::RSA_DECRYPT_RAW, data: cryptogram };
                let mut block = self.call(&what, &raw).map_err(|_| error)?;
                let message = unpad(&mut block).map_err(|_| {
                    Error::new(ErrorKind::Refused, what, "it was encrypted for another key, or padded otherwise")
                        .advise("Say how it was padded.")
                })?;
                Ok(Zeroizing::new(message.to_vec()))
            }
            (answer, _) => answer,
        }
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

/// Takes the message out of an opened block.
type Unpad = for<'a> fn(&'a mut [u8]) -> std::result::Result<&'a [u8], ferrite_crypto::Error>;

/// How the host takes the padding off that an algorithm would.
fn unpadding(algorithm: AlgorithmId) -> Option<Unpad> {
    let all: [(_, Unpad); 6] = [
        (AlgorithmId::RSA_DECRYPT_PKCS1, rsa::unpad_pkcs1),
        (AlgorithmId::RSA_DECRYPT_OAEP, |block| rsa::unpad_oaep(Hash::Sha256, block)),
        (AlgorithmId::RSA_DECRYPT_OAEP_SHA1, |block| rsa::unpad_oaep(Hash::Sha1, block)),
        (AlgorithmId::RSA_DECRYPT_OAEP_SHA224, |block| rsa::unpad_oaep(Hash::Sha224, block)),
        (AlgorithmId::RSA_DECRYPT_OAEP_SHA384, |block| rsa::unpad_oaep(Hash::Sha384, block)),
        (AlgorithmId::RSA_DECRYPT_OAEP_SHA512, |block| rsa::unpad_oaep(Hash::Sha512, block)),
    ];
    all.into_iter().find(|(known, _)| *known == algorithm).map(|(_, unpad)| unpad)
}

const NO_ALGORITHM: &str = "this card has no such algorithm, or not for keys of this kind";

/// What status words mean where a key is used.
pub(super) fn explain_use(error: Error) -> Error {
    error
        .explain(Status::NOT_FOUND, ErrorKind::NotFound, "there is no such key", "List the keys.")
        .explain(
            Status::WRONG_P1P2,
            ErrorKind::Unsupported,
            NO_ALGORITHM,
            "Take another: every SmartCard-HSM signs with RSA and ECDSA, agrees by ECDH, and opens RSA without padding.",
        )
        .explain(
            Status::FUNCTION_NOT_SUPPORTED,
            ErrorKind::Unsupported,
            NO_ALGORITHM,
            "Take another: every SmartCard-HSM signs with RSA and ECDSA, agrees by ECDH, and opens RSA without padding.",
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
