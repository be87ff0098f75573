//! Public keys of others, and the signatures they check: in certificates, in requests, over challenges.

use ferrite_crypto::hash::Hash;
use ferrite_crypto::{Error, ec, edwards, rsa};
use ferrite_proto::cvc::{PublicKey, RsaPadding, SignatureHash};
use ferrite_proto::status::Status;

/// The modulus, the point, or the key as its RFC encodes it.
pub(crate) type Number = heapless::Vec<u8, { rsa::MAX_MODULUS }>;

/// Public exponent of RSA keys (decision D16).
const EXPONENT: [u8; 3] = [1, 0, 1];

/// How a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Rsa(RsaPadding, Hash),
    Ecdsa(ec::Curve, Hash),
    Eddsa(edwards::Curve),
}

impl Scheme {
    /// Whether the key can answer a challenge, which is always a signature of a SHA-256.
    pub(crate) fn signs_challenges(self) -> bool {
        match self {
            Scheme::Rsa(_, hash) => hash == Hash::Sha256,
            Scheme::Ecdsa(..) => true,
            Scheme::Eddsa(_) => false,
        }
    }

    /// Length of the stored form.
    pub(crate) const SIZE: usize = 3;

    /// The stored form: kind, padding or curve, length of the hash.
    pub(crate) fn to_bytes(self) -> [u8; Self::SIZE] {
        let hash = |hash: Hash| u8::try_from(hash.digest_len()).unwrap_or_default();
        match self {
            Scheme::Rsa(RsaPadding::Pkcs1, with) => [1, 1, hash(with)],
            Scheme::Rsa(RsaPadding::Pss, with) => [1, 2, hash(with)],
            Scheme::Ecdsa(curve, with) => [2, curve.id(), hash(with)],
            Scheme::Eddsa(curve) => [3, curve as u8, 0],
        }
    }

    /// Reads the stored form.
    pub(crate) fn from_bytes([kind, which, hash]: [u8; Self::SIZE]) -> Option<Self> {
        let hash = Hash::from_digest_len(usize::from(hash));
        Some(match (kind, which) {
            (1, 1) => Scheme::Rsa(RsaPadding::Pkcs1, hash?),
            (1, 2) => Scheme::Rsa(RsaPadding::Pss, hash?),
            (2, curve) => Scheme::Ecdsa(ec::Curve::from_id(curve)?, hash?),
            (3, curve) => Scheme::Eddsa(edwards::Curve::ALL.iter().copied().find(|known| *known as u8 == curve)?),
            _ => return None,
        })
    }
}

/// A public key that checks signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verifier {
    pub(crate) scheme: Scheme,
    pub(crate) number: Number,
}

impl Verifier {
    /// The key in a certificate; `inherited` is the curve of a key that carries no domain parameters.
    ///
    /// # Errors
    /// 6984 for a key that cannot check signatures here, 6700 for a point that does not have the curve's form.
    pub(crate) fn new(key: &PublicKey<'_>, inherited: Option<ec::Curve>) -> Result<Self, Status> {
        let (scheme, number) = match *key {
            PublicKey::Rsa { padding, hash, modulus, exponent } => {
                let modulus = significant(modulus);
                let bits = u16::try_from(modulus.len().saturating_mul(8)).unwrap_or(u16::MAX);
                let is_ours = rsa::ModulusLen::new(bits).is_some()
                    && modulus.first().is_some_and(|top| top & 0x80 != 0)
                    && modulus.last().is_some_and(|low| low & 1 == 1)
                    && significant(exponent) == EXPONENT;
                if !is_ours {
                    return Err(Status::DATA_INVALID);
                }
                (Scheme::Rsa(padding, hash_of(hash)), modulus)
            }
            PublicKey::Ec { hash, domain, point } => {
                let curve = match domain {
                    Some(domain) => ec::Curve::from_domain(domain.prime, Some(domain.a), Some(domain.b)),
                    None => inherited,
                };
                let curve = curve.ok_or(Status::DATA_INVALID)?;
                let len = curve.domain().generator.len();
                if point.len() != len || point.first() != Some(&0x04) {
                    return Err(Status::WRONG_LENGTH);
                }
                (Scheme::Ecdsa(curve, hash_of(hash)), point)
            }
            PublicKey::Okp { prime, base, key, .. } => {
                let mut curves = edwards::Curve::ALL.iter().copied();
                let curve = curves.find(|curve| curve.domain().prime == prime && curve.domain().base == base);
                let curve = curve.ok_or(Status::DATA_INVALID)?;
                if key.len() != curve.key_len() {
                    return Err(Status::WRONG_LENGTH);
                }
                (Scheme::Eddsa(curve), key)
            }
            PublicKey::Secret { .. } => return Err(Status::DATA_INVALID),
        };
        Ok(Self { scheme, number: Number::from_slice(number).map_err(|_| Status::DATA_INVALID)? })
    }

    /// The curve of a key on a Weierstrass curve, which certificates below inherit.
    pub(crate) fn curve(&self) -> Option<ec::Curve> {
        match self.scheme {
            Scheme::Ecdsa(curve, _) => Some(curve),
            Scheme::Rsa(..) | Scheme::Eddsa(_) => None,
        }
    }

    /// Checks a signature over a message. [`Error::BadKey`] for a point that is not on its curve.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        match self.scheme {
            Scheme::Rsa(_, hash) | Scheme::Ecdsa(_, hash) => {
                self.verify_digest(hash, hash.digest(&[message]).as_ref(), signature)
            }
            Scheme::Eddsa(curve) => edwards::verify(curve, &self.number, message, signature),
        }
    }

    /// Checks a signature over the SHA-256 of what both sides put together, whatever hash the certificate names; an RSA key
    /// must name this one, because its padding does.
    pub(crate) fn verify_sha256(&self, digest: &[u8; 32], signature: &[u8]) -> Result<(), Error> {
        self.verify_digest(Hash::Sha256, digest, signature)
    }

    fn verify_digest(&self, hash: Hash, digest: &[u8], signature: &[u8]) -> Result<(), Error> {
        match self.scheme {
            Scheme::Rsa(RsaPadding::Pkcs1, own) if own == hash => {
                rsa::verify_pkcs1(hash, &self.number, digest, signature)
            }
            Scheme::Rsa(RsaPadding::Pss, own) if own == hash => rsa::verify_pss(hash, &self.number, digest, signature),
            Scheme::Ecdsa(curve, _) => {
                let mut raw = [0; 2 * ec::MAX_FIELD];
                let raw = resize(signature, curve.domain().order.len(), &mut raw)?;
                ec::verify(curve, &self.number, digest, raw)
            }
            Scheme::Rsa(..) | Scheme::Eddsa(_) => Err(Error::BadSignature),
        }
    }
}

/// r ‖ s, two halves of any equal length, with halves of the order's length.
fn resize<'o>(signature: &[u8], len: usize, out: &'o mut [u8; 2 * ec::MAX_FIELD]) -> Result<&'o [u8], Error> {
    if !signature.len().is_multiple_of(2) {
        return Err(Error::BadSignature);
    }
    let out = out.get_mut(..len.saturating_mul(2)).ok_or(Error::BadLength)?;
    let (r, s) = signature.split_at(signature.len().div_euclid(2));
    let (to_r, to_s) = out.split_at_mut(len);
    for (half, to) in [(r, to_r), (s, to_s)] {
        let half = significant(half);
        let start = to.len().checked_sub(half.len()).ok_or(Error::BadSignature)?;
        to.get_mut(start..).ok_or(Error::BadLength)?.copy_from_slice(half);
    }
    Ok(out)
}

/// A number without leading zeros.
fn significant(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

fn hash_of(hash: SignatureHash) -> Hash {
    match hash {
        SignatureHash::Sha1 => Hash::Sha1,
        SignatureHash::Sha224 => Hash::Sha224,
        SignatureHash::Sha256 => Hash::Sha256,
        SignatureHash::Sha384 => Hash::Sha384,
        SignatureHash::Sha512 => Hash::Sha512,
    }
}
