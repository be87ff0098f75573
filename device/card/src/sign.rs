//! SIGN (specification part 2 §1).

use crate::error;
use crate::hsm::Hsm;
use crate::keys::{Key, KeyMeta};
use crate::objects::object;
use crate::platform::Platform;
use crate::response::Response;
use ferrite_crypto::hash::Hash;
use ferrite_proto::command::{AlgorithmId, Instruction};
use ferrite_proto::fid::KeyId;
use ferrite_proto::status::Status;
use ferrite_store::Flash;

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
    /// ECDSA over a digest.
    Ecdsa,
    /// ECDSA over a message.
    EcdsaHashed(Hash),
}

/// Every algorithm of SIGN (specification part 2 §1.1).
const SCHEMES: [(u8, Scheme); 19] = [
    (0x20, Scheme::RsaRaw),
    (0x30, Scheme::RsaPkcs1Prepared),
    (0x31, Scheme::RsaPkcs1(Hash::Sha1)),
    (0x32, Scheme::RsaPkcs1(Hash::Sha224)),
    (0x33, Scheme::RsaPkcs1(Hash::Sha256)),
    (0x34, Scheme::RsaPkcs1(Hash::Sha384)),
    (0x35, Scheme::RsaPkcs1(Hash::Sha512)),
    (0x40, Scheme::RsaPssDigest),
    (0x41, Scheme::RsaPss(Hash::Sha1)),
    (0x42, Scheme::RsaPss(Hash::Sha224)),
    (0x43, Scheme::RsaPss(Hash::Sha256)),
    (0x44, Scheme::RsaPss(Hash::Sha384)),
    (0x45, Scheme::RsaPss(Hash::Sha512)),
    (0x70, Scheme::Ecdsa),
    (0x71, Scheme::EcdsaHashed(Hash::Sha1)),
    (0x72, Scheme::EcdsaHashed(Hash::Sha224)),
    (0x73, Scheme::EcdsaHashed(Hash::Sha256)),
    (0x74, Scheme::EcdsaHashed(Hash::Sha384)),
    (0x75, Scheme::EcdsaHashed(Hash::Sha512)),
];

impl<P: Platform, F: Flash> Hsm<'_, P, F> {
    /// SIGN. The use counter goes down, durably, before the signature leaves.
    pub(crate) fn sign(
        &mut self,
        id: KeyId,
        algorithm: AlgorithmId,
        data: &[u8],
        response: &mut Response<'_>,
    ) -> Result<(), Status> {
        let info = self.storage.open()?.info(object(id.key())).map_err(error::storage)?.ok_or(Status::NOT_FOUND)?;
        // The device key attests other keys; signing a host's data with it would forge attestations (D10).
        if id == KeyId::DEVICE {
            return Err(Status::CONDITIONS);
        }
        let meta = KeyMeta::parse(&info.meta).ok_or(Status::MEMORY_FAILURE)?;
        if info.counter == Some(0) {
            return Err(Status::FULL);
        }
        if !meta.allows(algorithm.0) {
            return Err(Status::CONDITIONS);
        }
        let scheme = SCHEMES.iter().find(|(byte, _)| *byte == algorithm.0).ok_or(Status::WRONG_P1P2)?.1;
        self.confirm_presence(Instruction::Sign, Status::PRESENCE)?;
        let key = self.open_key(id, meta.kind)?;
        self.signature(&key, scheme, data, response)?;
        if let Some(counter) = info.counter {
            let left = counter.saturating_sub(1);
            self.storage.open()?.count(object(id.key()), left).map_err(error::storage)?;
        }
        Ok(())
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
            (Key::Ec(key), Scheme::Ecdsa) => key.sign(data, rng).and_then(|signature| signature.to_der(out)),
            (Key::Ec(key), Scheme::EcdsaHashed(hash)) => {
                key.sign(hash.digest(&[data]).as_ref(), rng).and_then(|signature| signature.to_der(out))
            }
            (Key::Rsa(_), Scheme::Ecdsa | Scheme::EcdsaHashed(_))
            | (
                Key::Ec(_),
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
