//! DECIPHER: decryption and key agreement (specification part 2 §2).
//!
//! That a padding is wrong cannot be hidden: the status word says so, and anybody with a session may ask again. What can
//! be done is done. All failures answer alike, finding out takes the same time whatever is wrong, each attempt costs one
//! use of a key with a counter, and a key's list of allowed algorithms can leave PKCS#1 v1.5 out.

use crate::error;
use crate::hsm::Hsm;
use crate::key::Key;
use crate::keys::{Failure, Use};
use crate::platform::Platform;
use crate::response::Response;
use ferrite_crypto::Error;
use ferrite_crypto::hash::Hash;
use ferrite_proto::command::{AlgorithmId, Instruction};
use ferrite_proto::fid::KeyId;
use ferrite_proto::status::Status;
use ferrite_store::Flash;

/// What an algorithm byte asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    /// The whole block, padding included.
    RsaRaw,
    /// What PKCS#1 v1.5 padding surrounds.
    RsaPkcs1,
    /// What OAEP with this hash, and MGF1 of it, surrounds; without label.
    RsaOaep(Hash),
    /// ECDH, X25519 or X448.
    Agreement,
    /// ECDH with the key of a member of the same group, whose result stays here as key-encryption key.
    Exchange,
}

/// Every algorithm of DECIPHER. The bytes 24 to 27 are our own: clients know OAEP with SHA-256 only.
const SCHEMES: [(AlgorithmId, Scheme); 9] = [
    (AlgorithmId::RSA_DECRYPT_RAW, Scheme::RsaRaw),
    (AlgorithmId::RSA_DECRYPT_PKCS1, Scheme::RsaPkcs1),
    (AlgorithmId::RSA_DECRYPT_OAEP, Scheme::RsaOaep(Hash::Sha256)),
    (AlgorithmId::RSA_DECRYPT_OAEP_SHA1, Scheme::RsaOaep(Hash::Sha1)),
    (AlgorithmId::RSA_DECRYPT_OAEP_SHA224, Scheme::RsaOaep(Hash::Sha224)),
    (AlgorithmId::RSA_DECRYPT_OAEP_SHA384, Scheme::RsaOaep(Hash::Sha384)),
    (AlgorithmId::RSA_DECRYPT_OAEP_SHA512, Scheme::RsaOaep(Hash::Sha512)),
    (AlgorithmId::ECDH, Scheme::Agreement),
    (AlgorithmId::ECDH_XKEK, Scheme::Exchange),
];

/// What an agreed secret is preceded by, as if it were a point.
const SECRET_PREFIX: u8 = 0x04;

impl<P: Platform, F: Flash> Hsm<'_, P, F> {
    /// DECIPHER.
    pub(crate) fn decipher(
        &mut self,
        key: KeyId,
        algorithm: AlgorithmId,
        data: &[u8],
        response: &mut Response<'_>,
    ) -> Result<(), Status> {
        let scheme = SCHEMES.iter().find(|(byte, _)| *byte == algorithm).map(|(_, scheme)| *scheme);
        let scheme = scheme.ok_or(Status::WRONG_OFFSET);
        self.use_key(Use { key, algorithm, instruction: Instruction::Decipher, scheme }, |hsm, opened, scheme| {
            if scheme == Scheme::Exchange {
                return Ok(hsm.exchange(&opened.key, &opened.attributes, data, response)?);
            }
            hsm.plaintext(&opened.key, scheme, data, response)
        })
    }

    fn plaintext(
        &mut self,
        key: &Key,
        scheme: Scheme,
        data: &[u8],
        response: &mut Response<'_>,
    ) -> Result<(), Failure> {
        let rng = self.random.generator(&mut self.platform).map_err(error::entropy)?;
        let join = &mut self.platform;
        let out = response.space();
        let written = match (key, scheme) {
            (Key::Ec(key), Scheme::Agreement) => return Ok(agreed(key.agree(data), response)?),
            (Key::Montgomery(key), Scheme::Agreement) => return Ok(agreed(key.agree(data), response)?),
            (_, Scheme::Exchange)
            | (Key::Rsa(_) | Key::Edwards(_) | Key::Aes(_), Scheme::Agreement)
            | (
                Key::Ec(_) | Key::Montgomery(_) | Key::Edwards(_) | Key::Aes(_),
                Scheme::RsaRaw | Scheme::RsaPkcs1 | Scheme::RsaOaep(_),
            ) => return Err(Status::EXECUTION.into()),
            (Key::Rsa(key), _) if data.len() != key.len() => Err(Error::BadLength),
            (Key::Rsa(key), Scheme::RsaRaw) => {
                let block = out.get_mut(..data.len()).ok_or(Status::INTERNAL)?;
                block.copy_from_slice(data);
                key.private_operation(block, rng, join).map(|()| data.len())
            }
            (Key::Rsa(key), Scheme::RsaPkcs1) => key.decrypt_pkcs1(data, out, rng, join),
            (Key::Rsa(key), Scheme::RsaOaep(hash)) => key.decrypt_oaep(hash, data, out, rng, join),
        };
        let len = written
            .map_err(|error| Failure { status: error::crypto(error), costs_a_use: error == Error::BadPadding })?;
        Ok(response.advance(len)?)
    }
}

/// The agreed secret.
fn agreed(secret: Result<impl AsRef<[u8]>, Error>, response: &mut Response<'_>) -> Result<(), Status> {
    let secret = secret.map_err(error::agreement)?;
    response.put(&[SECRET_PREFIX])?;
    response.put(secret.as_ref())
}
