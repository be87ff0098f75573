//! Keys: their kinds, their stored form, and what everybody may know of them (decision D11).

use crate::error;
use ferrite_crypto::secret_key::SecretKey;
use ferrite_crypto::{Bytes, Join, ec, edwards, hash::Hash, kdf, montgomery, rsa};
use ferrite_proto::command::{Attributes, KeyAlgorithm};
use ferrite_proto::cvc::{self, IDENTIFIER_LABEL, Identifier, Origin, RsaPadding, SignatureHash};
use ferrite_proto::fid::KeyId;
use ferrite_proto::pkcs15::{self, KeyDescription, KeyType};
use ferrite_proto::status::Status;
use ferrite_store::MAX_META;
use rand_core::CryptoRng;

/// What kind of key a record holds. The byte is part of the storage format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum KeyKind {
    Rsa = 1,
    /// On a Weierstrass curve.
    Ec = 2,
    /// On a curve in Edwards form: signs.
    Edwards = 3,
    /// On a curve in Montgomery form: agrees.
    Montgomery = 4,
    /// A secret key: of AES, or of anything else that takes bytes.
    Aes = 5,
}

impl KeyKind {
    const ALL: [Self; 5] = [Self::Rsa, Self::Ec, Self::Edwards, Self::Montgomery, Self::Aes];
}

/// What a request for a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyParameters {
    Rsa(rsa::ModulusLen),
    Ec(ec::Curve),
    Edwards(edwards::Curve),
    Montgomery(montgomery::Curve),
}

impl KeyParameters {
    /// Recognises a length of modulus (6A80) or a curve (6A81).
    pub(crate) fn new(algorithm: KeyAlgorithm<'_>) -> Result<Self, Status> {
        match algorithm {
            KeyAlgorithm::Rsa { bits } => rsa::ModulusLen::new(bits).map(Self::Rsa).ok_or(Status::WRONG_DATA),
            KeyAlgorithm::Ec { prime, a, b } => match ec::Curve::from_domain(prime, a, b) {
                Some(curve) => Ok(Self::Ec(curve)),
                None => Self::montgomery_or_edwards(prime, b),
            },
        }
    }

    /// One prime stands for two curves; the base point, in tag 83, tells which (specification part 1 §5.9).
    fn montgomery_or_edwards(prime: &[u8], base: Option<&[u8]>) -> Result<Self, Status> {
        let montgomery = montgomery::Curve::ALL.iter().map(|curve| (curve.domain(), Self::Montgomery(*curve)));
        let edwards = edwards::Curve::ALL.iter().map(|curve| (curve.domain(), Self::Edwards(*curve)));
        let mut candidates = montgomery.chain(edwards).filter(|(domain, _)| domain.prime == prime).peekable();
        candidates.peek().ok_or(Status::FUNCTION_NOT_SUPPORTED)?;
        let base = base.ok_or(Status::WRONG_LENGTH)?;
        let found = candidates.find(|(domain, _)| domain.base == base);
        found.map(|(_, parameters)| parameters).ok_or(Status::FUNCTION_NOT_SUPPORTED)
    }
}

/// A private or secret key, opened for one operation.
#[allow(clippy::large_enum_variant, reason = "there is no heap to put the large one on")]
pub(crate) enum Key {
    Rsa(rsa::PrivateKey),
    Ec(ec::PrivateKey),
    Edwards(edwards::PrivateKey),
    Montgomery(montgomery::PrivateKey),
    Aes(SecretKey),
}

/// A public key in the form that certificates carry, with room for its numbers; or what they carry of a secret key.
pub(crate) struct PublicKey {
    domain: Domain,
    number: Bytes<{ rsa::MAX_MODULUS }>,
}

/// The curve of a public key.
enum Domain {
    Rsa,
    /// No curve, but a size in bits.
    Secret(u16),
    Ec(&'static ec::Domain),
    Okp(&'static ferrite_crypto::okp::Domain),
}

impl PublicKey {
    /// The modulus, the point, the key as its RFC encodes it; a secret key's identifier, if it has one.
    pub(crate) fn number(&self) -> &[u8] {
        self.number.as_ref()
    }

    /// As certificates carry it.
    pub(crate) fn as_cvc(&self) -> cvc::PublicKey<'_> {
        let number = self.number.as_ref();
        match self.domain {
            Domain::Rsa => cvc::PublicKey::Rsa {
                padding: RsaPadding::Pkcs1,
                hash: SignatureHash::Sha256,
                modulus: number,
                exponent: &[1, 0, 1],
            },
            Domain::Ec(domain) => cvc::PublicKey::Ec {
                hash: SignatureHash::Sha256,
                domain: Some(cvc::DomainParameters {
                    prime: domain.prime,
                    a: domain.a,
                    b: domain.b,
                    generator: domain.generator,
                    order: domain.order,
                    cofactor: 1,
                }),
                point: number,
            },
            Domain::Okp(domain) => {
                cvc::PublicKey::Okp { prime: domain.prime, order: domain.order, base: domain.base, key: number }
            }
            Domain::Secret(bits) => cvc::PublicKey::Secret { bits, identifier: number.try_into().ok() },
        }
    }
}

impl Key {
    /// Longest stored form of any key, in bytes.
    pub(crate) const MAX_STORED: usize = rsa::MAX_STORED + 1;

    /// Makes a key pair.
    pub(crate) fn generate(
        parameters: KeyParameters,
        rng: &mut impl CryptoRng,
        join: &mut impl Join,
        progress: &impl rsa::Progress,
    ) -> Result<Self, Status> {
        Ok(match parameters {
            KeyParameters::Rsa(len) => {
                Key::Rsa(rsa::PrivateKey::generate(len, rng, join, progress).map_err(error::crypto)?)
            }
            KeyParameters::Ec(curve) => Key::Ec(ec::PrivateKey::generate(curve, rng)),
            KeyParameters::Edwards(curve) => Key::Edwards(edwards::PrivateKey::generate(curve, rng)),
            KeyParameters::Montgomery(curve) => Key::Montgomery(montgomery::PrivateKey::generate(curve, rng)),
        })
    }

    pub(crate) fn kind(&self) -> KeyKind {
        match self {
            Key::Rsa(_) => KeyKind::Rsa,
            Key::Ec(_) => KeyKind::Ec,
            Key::Edwards(_) => KeyKind::Edwards,
            Key::Montgomery(_) => KeyKind::Montgomery,
            Key::Aes(_) => KeyKind::Aes,
        }
    }

    /// Size in bits: of the modulus, of the curve's field, or of a secret key.
    pub(crate) fn bits(&self) -> u16 {
        match self {
            Key::Rsa(key) => key.modulus_len().bits(),
            Key::Ec(key) => key.curve().domain().bits,
            Key::Edwards(key) => key.curve().domain().bits,
            Key::Montgomery(key) => key.curve().domain().bits,
            Key::Aes(key) => key.len().bits(),
        }
    }

    /// Writes the stored form and returns its length: for RSA what its module writes, for AES the bytes of the key, for
    /// the others the curve's byte and the scalar or seed.
    pub(crate) fn store(&self, out: &mut [u8; Self::MAX_STORED]) -> Result<usize, Status> {
        let [curve, rest @ ..] = out;
        let (id, len) = match self {
            Key::Rsa(key) => return key.to_bytes(out).map_err(error::crypto),
            Key::Aes(key) => return key.to_bytes(out).map_err(error::crypto),
            Key::Ec(key) => (key.curve().id(), key.to_bytes(rest)),
            Key::Edwards(key) => (key.curve() as u8, key.to_bytes(rest)),
            Key::Montgomery(key) => (key.curve() as u8, key.to_bytes(rest)),
        };
        *curve = id;
        len.map_err(error::crypto)?.checked_add(1).ok_or(Status::INTERNAL)
    }

    /// Reads the stored form.
    pub(crate) fn load(kind: KeyKind, stored: &[u8]) -> Result<Self, Status> {
        let (id, rest) = stored.split_first().ok_or(Status::EXECUTION)?;
        let read = match kind {
            KeyKind::Rsa => rsa::PrivateKey::from_bytes(stored).map(Key::Rsa),
            KeyKind::Aes => SecretKey::from_bytes(stored).map(Key::Aes),
            KeyKind::Ec => {
                let curve = ec::Curve::from_id(*id).ok_or(Status::EXECUTION)?;
                ec::PrivateKey::from_bytes(curve, rest).map(Key::Ec)
            }
            KeyKind::Edwards => {
                let mut curves = edwards::Curve::ALL.iter().copied();
                let curve = curves.find(|curve| *curve as u8 == *id).ok_or(Status::EXECUTION)?;
                edwards::PrivateKey::from_bytes(curve, rest).map(Key::Edwards)
            }
            KeyKind::Montgomery => {
                let mut curves = montgomery::Curve::ALL.iter().copied();
                let curve = curves.find(|curve| *curve as u8 == *id).ok_or(Status::EXECUTION)?;
                montgomery::PrivateKey::from_bytes(curve, rest).map(Key::Montgomery)
            }
        };
        read.map_err(error::crypto)
    }

    /// The public key; 6400 for a secret key, which has none.
    pub(crate) fn public_key(&self) -> Result<PublicKey, Status> {
        let (domain, number) = match self {
            Key::Rsa(key) => {
                let mut modulus = [0; rsa::MAX_MODULUS];
                let len = key.modulus(&mut modulus).map_err(error::crypto)?;
                (Domain::Rsa, Bytes::concat(&[modulus.get(..len).unwrap_or_default()]))
            }
            Key::Ec(key) => (Domain::Ec(key.curve().domain()), key.public_key().and_then(widen)),
            Key::Edwards(key) => (Domain::Okp(key.curve().domain()), key.public_key().and_then(widen)),
            Key::Montgomery(key) => (Domain::Okp(key.curve().domain()), key.public_key().and_then(widen)),
            Key::Aes(_) => return Err(Status::EXECUTION),
        };
        Ok(PublicKey { domain, number: number.map_err(error::crypto)? })
    }

    /// What a request carries of the key: its public key; the size of a secret key and, if it was made here, what identifies
    /// it. A secret key that came from elsewhere may be a bad one, which its identifier would let everybody guess.
    pub(crate) fn shown(&self, origin: Origin) -> Result<PublicKey, Status> {
        let Key::Aes(key) = self else { return self.public_key() };
        let mut identifier: Identifier = Default::default();
        let number: &[u8] = match origin {
            Origin::Generated => {
                kdf::hkdf_sha256(&[], key.as_bytes(), &[&IDENTIFIER_LABEL], &mut identifier);
                &identifier
            }
            Origin::Imported | Origin::Derived => &[],
        };
        let number = Bytes::concat(&[number]).map_err(error::crypto)?;
        Ok(PublicKey { domain: Domain::Secret(key.len().bits()), number })
    }

    /// Signs the body of a certificate for this key (specification part 1 §5.5, §5.9): RSA PKCS#1 v1.5 or ECDSA with
    /// SHA-256, the latter as r ‖ s; EdDSA over the body itself; for a key that cannot sign, zeros of twice its length.
    pub(crate) fn sign_body(
        &self,
        body: &[u8],
        out: &mut [u8],
        rng: &mut impl CryptoRng,
        join: &mut impl Join,
    ) -> Result<usize, Status> {
        let digest = Hash::Sha256.digest(&[body]);
        match self {
            Key::Rsa(key) => key.sign_pkcs1_digest(Hash::Sha256, digest.as_ref(), out, rng, join),
            Key::Ec(key) => key.sign(digest.as_ref(), rng).and_then(|signature| signature.to_raw(out)),
            Key::Edwards(key) => key.sign(body).and_then(|signature| signature.write(out)),
            Key::Montgomery(key) => return zeros(out, key.curve().key_len()),
            Key::Aes(key) => return zeros(out, key.len().bytes()),
        }
        .map_err(error::crypto)
    }

    /// The PKCS#15 description the card writes for a new key: no label, the key id in ASCII decimal as its identifier.
    pub(crate) fn describe<'b>(&self, id: KeyId, out: &'b mut [u8]) -> Result<&'b [u8], Status> {
        let key_type = match self {
            Key::Rsa(_) => KeyType::Rsa,
            Key::Ec(_) | Key::Edwards(_) | Key::Montgomery(_) => KeyType::Ec,
            Key::Aes(_) => KeyType::Aes,
        };
        let (digits, len) = pkcs15::decimal(id);
        let id = digits.get(..len).unwrap_or_default();
        let len = KeyDescription { key_type, label: &[], id, bits: self.bits() }.write(out);
        out.get(..len.map_err(|_| Status::INTERNAL)?).ok_or(Status::INTERNAL)
    }
}

/// What stands for the signature of a key of `len` bytes that cannot sign.
fn zeros(out: &mut [u8], len: usize) -> Result<usize, Status> {
    let zeros = out.get_mut(..len.saturating_mul(2)).ok_or(Status::INTERNAL)?;
    zeros.fill(0);
    Ok(zeros.len())
}

fn widen<const N: usize, const M: usize>(bytes: Bytes<N>) -> Result<Bytes<M>, ferrite_crypto::Error> {
    Bytes::concat(&[bytes.as_ref()])
}

/// What everybody may know of a key, stored in the clear but authenticated beside it: kind, origin, size, attributes.
pub(crate) struct KeyMeta<'a> {
    pub(crate) kind: KeyKind,
    pub(crate) origin: Origin,
    attributes: Attributes<'a>,
}

impl<'a> KeyMeta<'a> {
    /// 1 said nothing of the origin, and is not read.
    const FORMAT: u8 = 2;
    /// Bytes before the attributes.
    const HEAD: usize = 5;

    /// Whether the attributes fit; to be asked before a key is made.
    pub(crate) fn fits(attributes: &Attributes<'_>) -> bool {
        attributes.write(&mut [0; MAX_META - Self::HEAD]).is_ok()
    }

    /// Writes the stored form: format, kind, origin, bits (2), attributes as TLVs 91 to 93. The counter is kept elsewhere.
    pub(crate) fn build(
        key: &Key,
        origin: Origin,
        attributes: &Attributes<'_>,
    ) -> Result<heapless::Vec<u8, MAX_META>, Status> {
        let mut bytes = [0; MAX_META];
        let [bits1, bits0] = key.bits().to_be_bytes();
        let (head, tlvs) = bytes.split_first_chunk_mut().ok_or(Status::INTERNAL)?;
        *head = [Self::FORMAT, key.kind() as u8, origin as u8, bits1, bits0];
        let stored = Attributes { counter: None, ..*attributes };
        let len = stored.write(tlvs).map_err(|_| Status::WRONG_DATA)?;
        let len = len.checked_add(Self::HEAD).ok_or(Status::INTERNAL)?;
        let used = bytes.get(..len).ok_or(Status::INTERNAL)?;
        heapless::Vec::from_slice(used).map_err(|_| Status::INTERNAL)
    }

    /// Reads the stored form.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let [Self::FORMAT, kind, origin, _, _, tlvs @ ..] = bytes else { return None };
        let kind = KeyKind::ALL.into_iter().find(|known| *known as u8 == *kind)?;
        Some(Self { kind, origin: Origin::from_byte(*origin)?, attributes: Attributes::parse(tlvs).ok()? })
    }

    /// The attributes as clients see them, with the counter's current value.
    pub(crate) fn attributes(&self, counter: Option<u32>) -> Attributes<'a> {
        Attributes { counter, ..self.attributes }
    }

    /// Whether the key may be used with an algorithm; a key without a list may be used with all.
    pub(crate) fn allows(&self, algorithm: u8) -> bool {
        self.attributes.algorithms.is_none_or(|list| list.is_empty() || list.contains(&algorithm))
    }
}
