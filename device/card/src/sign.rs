//! SIGN (specification part 2 §1).

use crate::error;
use crate::hsm::Hsm;
use crate::key::Key;
use crate::keys::Use;
use crate::platform::Platform;
use crate::response::Response;
use ferrite_crypto::Error;
use ferrite_crypto::ec::{Curve, PrivateKey};
use ferrite_crypto::hash::Hash;
use ferrite_proto::command::{AlgorithmId, Instruction};
use ferrite_proto::fid::KeyId;
use ferrite_proto::status::Status;
use ferrite_store::Flash;
use rand_core::CryptoRng;

/// What an algorithm byte asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    /// A block of modulus length padded by the host, or a DigestInfo.
    RsaRaw,
    /// PKCS#1 v1.5 around a DigestInfo prepared by the host.
    RsaPkcs1Prepared,
    /// PKCS#1 v1.5 over a message.
    RsaPkcs1(Hash),
    /// PSS over a digest or DigestInfo.
    RsaPssDigest,
    /// PSS over a message.
    RsaPss(Hash),
    /// ECDSA over a digest, EdDSA over a message.
    Ecdsa,
    /// ECDSA over a message.
    EcdsaHashed(Hash),
}

/// Every algorithm of SIGN (specification part 2 §1.1).
const SCHEMES: [(AlgorithmId, Scheme); 19] = [
    (AlgorithmId::RSA_RAW, Scheme::RsaRaw),
    (AlgorithmId::RSA_PKCS1, Scheme::RsaPkcs1Prepared),
    (AlgorithmId::RSA_PKCS1_SHA1, Scheme::RsaPkcs1(Hash::Sha1)),
    (AlgorithmId::RSA_PKCS1_SHA224, Scheme::RsaPkcs1(Hash::Sha224)),
    (AlgorithmId::RSA_PKCS1_SHA256, Scheme::RsaPkcs1(Hash::Sha256)),
    (AlgorithmId::RSA_PKCS1_SHA384, Scheme::RsaPkcs1(Hash::Sha384)),
    (AlgorithmId::RSA_PKCS1_SHA512, Scheme::RsaPkcs1(Hash::Sha512)),
    (AlgorithmId::RSA_PSS, Scheme::RsaPssDigest),
    (AlgorithmId::RSA_PSS_SHA1, Scheme::RsaPss(Hash::Sha1)),
    (AlgorithmId::RSA_PSS_SHA224, Scheme::RsaPss(Hash::Sha224)),
    (AlgorithmId::RSA_PSS_SHA256, Scheme::RsaPss(Hash::Sha256)),
    (AlgorithmId::RSA_PSS_SHA384, Scheme::RsaPss(Hash::Sha384)),
    (AlgorithmId::RSA_PSS_SHA512, Scheme::RsaPss(Hash::Sha512)),
    (AlgorithmId::ECDSA, Scheme::Ecdsa),
    (AlgorithmId::ECDSA_SHA1, Scheme::EcdsaHashed(Hash::Sha1)),
    (AlgorithmId::ECDSA_SHA224, Scheme::EcdsaHashed(Hash::Sha224)),
    (AlgorithmId::ECDSA_SHA256, Scheme::EcdsaHashed(Hash::Sha256)),
    (AlgorithmId::ECDSA_SHA384, Scheme::EcdsaHashed(Hash::Sha384)),
    (AlgorithmId::ECDSA_SHA512, Scheme::EcdsaHashed(Hash::Sha512)),
];

impl<P: Platform, F: Flash> Hsm<'_, P, F> {
    /// SIGN.
    pub(crate) fn sign(
        &mut self,
        key: KeyId,
        algorithm: AlgorithmId,
        data: &[u8],
        response: &mut Response<'_>,
    ) -> Result<(), Status> {
        // The selected node signs, not a key: clients give the number of the device key.
        if (algorithm, key) == (AlgorithmId::HD_SIGN, KeyId::DEVICE) {
            return self.sign_with_node(data, response);
        }
        let scheme = SCHEMES.iter().find(|(byte, _)| *byte == algorithm).map(|(_, scheme)| *scheme);
        let scheme = scheme.ok_or(Status::WRONG_P1P2);
        self.use_key(Use { key, algorithm, instruction: Instruction::Sign, scheme }, |hsm, opened, scheme| {
            Ok(hsm.signature(&opened.key, scheme, data, response)?)
        })
    }

    fn signature(&mut self, key: &Key, scheme: Scheme, data: &[u8], response: &mut Response<'_>) -> Result<(), Status> {
        let rng = self.random.generator(&mut self.platform).map_err(error::entropy)?;
        let join = &mut self.platform;
        let out = response.space();
        let written = match (key, scheme) {
            (Key::Rsa(key), Scheme::RsaRaw) => match Hash::from_digest_info(data) {
                Some((hash, digest)) => key.sign_pkcs1_digest(hash, digest, out, rng, join),
                None => {
                    let block = out.get_mut(..key.len()).ok_or(Status::INTERNAL)?;
                    if data.len() != block.len() {
                        return Err(Status::WRONG_LENGTH);
                    }
                    block.copy_from_slice(data);
                    key.private_operation(block, rng, join).map(|()| data.len())
                }
            },
            (Key::Rsa(key), Scheme::RsaPkcs1Prepared) => key.sign_pkcs1_prepared(data, out, rng, join),
            (Key::Rsa(key), Scheme::RsaPkcs1(hash)) => {
                key.sign_pkcs1_digest(hash, hash.digest(&[data]).as_ref(), out, rng, join)
            }
            (Key::Rsa(key), Scheme::RsaPssDigest) => {
                let (hash, digest) = Hash::from_digest_info(data)
                    .or_else(|| Hash::from_digest_len(data.len()).map(|hash| (hash, data)))
                    .ok_or(Status::WRONG_LENGTH)?;
                key.sign_pss(hash, digest, out, rng, join)
            }
            (Key::Rsa(key), Scheme::RsaPss(hash)) => key.sign_pss(hash, hash.digest(&[data]).as_ref(), out, rng, join),
            (Key::Ec(key), Scheme::Ecdsa) => ecdsa(key, data, rng, out),
            (Key::Ec(key), Scheme::EcdsaHashed(hash)) => ecdsa(key, hash.digest(&[data]).as_ref(), rng, out),
            (Key::Edwards(key), Scheme::Ecdsa) => key.sign(data).and_then(|signature| signature.write(out)),
            (Key::Edwards(_), Scheme::EcdsaHashed(_)) => return Err(Status::WRONG_P1P2),
            (Key::Rsa(_), Scheme::Ecdsa | Scheme::EcdsaHashed(_))
            | (Key::Montgomery(_) | Key::Aes(_), _)
            | (
                Key::Ec(_) | Key::Edwards(_),
                Scheme::RsaRaw
                | Scheme::RsaPkcs1Prepared
                | Scheme::RsaPkcs1(_)
                | Scheme::RsaPssDigest
                | Scheme::RsaPss(_),
            ) => return Err(Status::EXECUTION),
        };
        response.advance(written.map_err(error::crypto)?)?;
        if matches!(key, Key::Rsa(_)) {
            response.send_whole();
        }
        Ok(())
    }
}

/// Shortest signature by secp521r1 that OpenSC reads. It infers the field from the length of the whole, and the longest
/// signature of a field of 64 bytes has 137.
const SHORTEST_P521: usize = 138;

/// ECDSA over a digest, in DER. One signature by secp521r1 in sixteen is too short for OpenSC: it is dropped, and another
/// made with a nonce of its own. Which are dropped depends on r and s only, which tell nothing of the key.
pub(crate) fn ecdsa(key: &PrivateKey, digest: &[u8], rng: &mut impl CryptoRng, out: &mut [u8]) -> Result<usize, Error> {
    // A generator that repeats itself is no reason to go on for ever.
    let mut further = 0..8;
    loop {
        let written = key.sign(digest, rng)?.to_der(out)?;
        let too_short = key.curve() == Curve::P521 && written < SHORTEST_P521;
        if !too_short || further.next().is_none() {
            return Ok(written);
        }
    }
}
