//! Signature schemes by name: how the device is asked for them, and checking signatures without it.

use crate::error::{Error, ErrorKind, Result};
use crate::hsm::Hsm;
use crate::key_type::KeyType;
use crate::public_key::{PublicKey, raw_ecdsa};
use crate::transport::Transport;
use ferrite_crypto::hash::Hash;
use ferrite_crypto::{Error as CryptoError, ec, edwards, rsa};
use ferrite_proto::command::AlgorithmId;
use ferrite_proto::fid::KeyId;
use std::fmt;
use std::str::FromStr;

/// Longest message that is sent to the device as it is, in bytes; of longer ones the host makes the digest.
const MAX_MESSAGE: usize = 16384;

/// A signature scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// RSASSA-PKCS1-v1_5 (RFC 8017 §8.2).
    RsaPkcs1(Hash),
    /// RSASSA-PSS (RFC 8017 §8.1): MGF1 with the same hash, a salt as long as the digest.
    RsaPss(Hash),
    /// ECDSA (FIPS 186-5 §6).
    Ecdsa(Hash),
    /// Ed25519 or Ed448 (RFC 8032), pure.
    EdDsa,
}

/// Names of the schemes, the algorithm that takes the message, and the one that takes its digest.
const TABLE: [(&str, Scheme, AlgorithmId, Option<AlgorithmId>); 16] = {
    use AlgorithmId as Id;
    use Scheme::{Ecdsa, EdDsa, RsaPkcs1, RsaPss};
    let (pkcs1, pss, ecdsa) = (Some(Id::RSA_PKCS1), Some(Id::RSA_PSS), Some(Id::ECDSA));
    [
        ("rsa-sha1", RsaPkcs1(Hash::Sha1), Id::RSA_PKCS1_SHA1, pkcs1),
        ("rsa-sha224", RsaPkcs1(Hash::Sha224), Id::RSA_PKCS1_SHA224, pkcs1),
        ("rsa-sha256", RsaPkcs1(Hash::Sha256), Id::RSA_PKCS1_SHA256, pkcs1),
        ("rsa-sha384", RsaPkcs1(Hash::Sha384), Id::RSA_PKCS1_SHA384, pkcs1),
        ("rsa-sha512", RsaPkcs1(Hash::Sha512), Id::RSA_PKCS1_SHA512, pkcs1),
        ("rsa-pss-sha1", RsaPss(Hash::Sha1), Id::RSA_PSS_SHA1, pss),
        ("rsa-pss-sha224", RsaPss(Hash::Sha224), Id::RSA_PSS_SHA224, pss),
        ("rsa-pss-sha256", RsaPss(Hash::Sha256), Id::RSA_PSS_SHA256, pss),
        ("rsa-pss-sha384", RsaPss(Hash::Sha384), Id::RSA_PSS_SHA384, pss),
        ("rsa-pss-sha512", RsaPss(Hash::Sha512), Id::RSA_PSS_SHA512, pss),
        ("ecdsa-sha1", Ecdsa(Hash::Sha1), Id::ECDSA_SHA1, ecdsa),
        ("ecdsa-sha224", Ecdsa(Hash::Sha224), Id::ECDSA_SHA224, ecdsa),
        ("ecdsa-sha256", Ecdsa(Hash::Sha256), Id::ECDSA_SHA256, ecdsa),
        ("ecdsa-sha384", Ecdsa(Hash::Sha384), Id::ECDSA_SHA384, ecdsa),
        ("ecdsa-sha512", Ecdsa(Hash::Sha512), Id::ECDSA_SHA512, ecdsa),
        ("eddsa", EdDsa, Id::ECDSA, None),
    ]
};

impl Scheme {
    /// Every scheme.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|(_, scheme, ..)| *scheme)
    }

    /// What a kind of key signs with if nobody says otherwise: PKCS#1 v1.5 with SHA-256, ECDSA with a hash that fits the
    /// curve, EdDSA.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`]: such a key does not sign.
    pub fn of(key: KeyType) -> Result<Self> {
        match key {
            KeyType::Rsa(_) => Ok(Self::RsaPkcs1(Hash::Sha256)),
            KeyType::Ec(curve) => Ok(Self::Ecdsa(match curve.domain().bits {
                ..=256 => Hash::Sha256,
                257..=384 => Hash::Sha384,
                _ => Hash::Sha512,
            })),
            KeyType::Edwards(_) => Ok(Self::EdDsa),
            KeyType::Montgomery(_) | KeyType::Aes(_) => Err(Error::new(
                ErrorKind::Usage,
                "choose a signature scheme",
                format!("keys of kind {key} do not sign"),
            )),
        }
    }

    /// Its hash function, if it has one that can be done before.
    pub fn hash(self) -> Option<Hash> {
        match self {
            Self::RsaPkcs1(hash) | Self::RsaPss(hash) | Self::Ecdsa(hash) => Some(hash),
            Self::EdDsa => None,
        }
    }

    /// The algorithm that takes the message.
    pub fn on_message(self) -> AlgorithmId {
        TABLE.iter().find(|(_, scheme, ..)| *scheme == self).map_or(AlgorithmId::ECDSA, |(_, _, id, _)| *id)
    }

    /// The algorithm that takes the digest; for RSA by PKCS#1 v1.5, the DigestInfo.
    pub fn on_digest(self) -> Option<AlgorithmId> {
        TABLE.iter().find(|(_, scheme, ..)| *scheme == self).and_then(|(_, _, _, id)| *id)
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(TABLE.iter().find(|(_, scheme, ..)| scheme == self).map_or("", |(name, ..)| name))
    }
}

impl FromStr for Scheme {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wanted = text.to_ascii_lowercase().replace('_', "-");
        TABLE.iter().find(|(name, ..)| *name == wanted).map(|(_, scheme, ..)| *scheme).ok_or_else(|| {
            let names: Vec<_> = TABLE.iter().map(|(name, ..)| *name).collect();
            Error::new(ErrorKind::Usage, format!("sign by {text:?}"), "there is no such scheme")
                .advise(format!("Schemes: {}", names.join(", ")))
        })
    }
}

impl<T: Transport> Hsm<T> {
    /// Signs a message. Of long ones, and where the device does not know the hash function, only the digest goes to it.
    ///
    /// # Errors
    /// As [`Hsm::sign`]; [`ErrorKind::Usage`] for a message that is too long where the whole of it is needed.
    pub fn sign_message(&mut self, key: KeyId, scheme: Scheme, message: &[u8]) -> Result<Vec<u8>> {
        match scheme.hash() {
            Some(hash) if message.len() > MAX_MESSAGE => {
                self.sign_digest(key, scheme, hash.digest(&[message]).as_ref())
            }
            hash => match (self.sign(key, scheme.on_message(), message), hash) {
                // Other cards know fewer hash functions, and sign what the host made with them.
                (Err(error), Some(hash)) if error.kind() == ErrorKind::Unsupported => {
                    self.sign_digest(key, scheme, hash.digest(&[message]).as_ref()).map_err(|_| error)
                }
                (result, _) => result,
            },
        }
    }

    /// Signs a digest that was made before.
    ///
    /// # Errors
    /// As [`Hsm::sign`]; [`ErrorKind::Usage`] for a digest of another length, and for EdDSA.
    pub fn sign_digest(&mut self, key: KeyId, scheme: Scheme, digest: &[u8]) -> Result<Vec<u8>> {
        let what = || format!("sign a digest by {scheme}");
        let (Some(hash), Some(algorithm)) = (scheme.hash(), scheme.on_digest()) else {
            return Err(Error::new(ErrorKind::Usage, what(), "this scheme needs the message itself"));
        };
        if digest.len() != hash.digest_len() {
            let why = format!("it has {} bytes, not {}", digest.len(), hash.digest_len());
            return Err(Error::new(ErrorKind::Usage, what(), why));
        }
        match scheme {
            Scheme::RsaPkcs1(_) => self.sign(key, algorithm, &[hash.digest_info_prefix(), digest].concat()),
            _ => self.sign(key, algorithm, digest),
        }
    }
}

impl PublicKey {
    /// Checks a signature over a message. ECDSA signatures may be in DER or r ‖ s.
    ///
    /// # Errors
    /// [`ErrorKind::Verification`]; [`ErrorKind::Usage`]: the scheme is not one of this kind of key.
    pub fn verify(&self, scheme: Scheme, message: &[u8], signature: &[u8]) -> Result<()> {
        match (scheme.hash(), self) {
            (Some(hash), _) => self.verify_digest(scheme, hash.digest(&[message]).as_ref(), signature),
            (None, Self::Edwards { curve, key }) => {
                edwards::verify(*curve, key, message, signature).map_err(|_| mismatch())
            }
            (None, _) => Err(self.wrong_scheme(scheme)),
        }
    }

    /// Checks a signature over a digest.
    ///
    /// # Errors
    /// As [`PublicKey::verify`].
    pub fn verify_digest(&self, scheme: Scheme, digest: &[u8], signature: &[u8]) -> Result<()> {
        match (scheme, self) {
            (Scheme::RsaPkcs1(hash), Self::Rsa { modulus, exponent }) => {
                opened(modulus, exponent, signature).and_then(|block| check_pkcs1(hash, digest, &block))
            }
            (Scheme::RsaPss(hash), Self::Rsa { modulus, exponent }) => {
                opened(modulus, exponent, signature).and_then(|block| check_pss(hash, digest, &block))
            }
            (Scheme::Ecdsa(_), Self::Ec { curve, point }) => {
                let raw = match raw_ecdsa(*curve, signature) {
                    Ok(raw) => raw,
                    Err(_) => signature.to_vec(),
                };
                ec::verify(*curve, point, digest, &raw)
            }
            _ => return Err(self.wrong_scheme(scheme)),
        }
        .map_err(|_| mismatch())
    }

    fn wrong_scheme(&self, scheme: Scheme) -> Error {
        let why = format!("a key of kind {} does not sign by {scheme}", self.key_type());
        Error::new(ErrorKind::Usage, "check the signature", why)
    }
}

fn mismatch() -> Error {
    Error::new(ErrorKind::Verification, "accept the signature", "it does not match")
        .advise("The message was changed, or another key or scheme signed it.")
}

/// What the owner of an RSA key signed.
fn opened(modulus: &[u8], exponent: &[u8], signature: &[u8]) -> std::result::Result<Vec<u8>, CryptoError> {
    if exponent != [1, 0, 1] || signature.len() != modulus.len() {
        return Err(CryptoError::BadKey);
    }
    let mut block = signature.to_vec();
    rsa::public(modulus, &mut block)?;
    Ok(block)
}

/// RFC 8017 §8.2.2: the block is made anew and compared.
fn check_pkcs1(hash: Hash, digest: &[u8], block: &[u8]) -> std::result::Result<(), CryptoError> {
    let info = [hash.digest_info_prefix(), digest].concat();
    let padding = block.len().checked_sub(info.len().saturating_add(3)).ok_or(CryptoError::BadLength)?;
    let expected = [&[0, 1][..], &vec![0xFF; padding], &[0], &info].concat();
    if block == expected { Ok(()) } else { Err(CryptoError::BadSignature) }
}

/// RFC 8017 §9.1.2, for moduli of whole bytes and a salt of any length.
fn check_pss(hash: Hash, digest: &[u8], block: &[u8]) -> std::result::Result<(), CryptoError> {
    let bad = CryptoError::BadSignature;
    let (trailer, block) = block.split_last().ok_or(bad)?;
    let at = block.len().checked_sub(hash.digest_len()).ok_or(bad)?;
    let (masked, fingerprint) = block.split_at_checked(at).ok_or(bad)?;
    if *trailer != 0xBC || masked.first().is_none_or(|first| first & 0x80 != 0) {
        return Err(bad);
    }
    let mut data: Vec<_> = masked.iter().zip(mgf1(hash, fingerprint, masked.len())).map(|(a, b)| a ^ b).collect();
    // One bit more than the modulus has is never set.
    data.iter_mut().take(1).for_each(|first| *first &= 0x7F);
    let one = data.iter().position(|byte| *byte != 0).ok_or(bad)?;
    let salt = match data.get(one..) {
        Some([1, salt @ ..]) => salt,
        _ => return Err(bad),
    };
    let expected = hash.digest(&[&[0; 8], digest, salt]);
    if expected.as_ref() == fingerprint { Ok(()) } else { Err(bad) }
}

/// RFC 8017 appendix B.2.1.
fn mgf1(hash: Hash, seed: &[u8], len: usize) -> Vec<u8> {
    let blocks = (0_u32..).map(|counter| hash.digest(&[seed, &counter.to_be_bytes()]).as_ref().to_vec());
    blocks.flatten().take(len).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for scheme in Scheme::all() {
            assert_eq!(scheme.to_string().parse::<Scheme>().expect("a name"), scheme);
        }
        assert_eq!("rsa-md5".parse::<Scheme>().expect_err("none").kind(), ErrorKind::Usage);
    }
}
