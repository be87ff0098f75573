//! Keys as they are stored, and GENERATE ASYMMETRIC KEY PAIR (specification part 1 §5.1-5.5, decision D11).

use crate::access;
use crate::error;
use crate::hsm::Hsm;
use crate::objects::object;
use crate::platform::Platform;
use crate::response::Response;
use ferrite_crypto::{ec, rsa};
use ferrite_proto::command::{Attributes, Instruction, KeyAlgorithm, KeyRequest};
use ferrite_proto::fid::KeyId;
use ferrite_proto::pkcs15::{self, KeyDescription, KeyType};
use ferrite_proto::status::Status;
use ferrite_store::{Change, Flash, MAX_META, Seal};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

/// Counter given to every key without one of its own while option 0200 is set.
const DEFAULT_COUNTER: u32 = 0xFFFF_FFFE;

/// A private key, opened for one operation.
#[allow(clippy::large_enum_variant, reason = "there is no heap to put the large one on")]
pub(crate) enum Key {
    Rsa(rsa::PrivateKey),
    Ec(ec::PrivateKey),
}

/// What kind of key a record holds. The byte is part of the storage format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum KeyKind {
    Rsa = 1,
    Ec = 2,
}

impl Key {
    /// Longest stored form of any key, in bytes.
    pub(crate) const MAX_STORED: usize = rsa::MAX_STORED + 1;

    pub(crate) fn kind(&self) -> KeyKind {
        match self {
            Key::Rsa(_) => KeyKind::Rsa,
            Key::Ec(_) => KeyKind::Ec,
        }
    }

    /// Size in bits: of the modulus, or of the curve's field.
    pub(crate) fn bits(&self) -> u16 {
        match self {
            Key::Rsa(key) => key.modulus_len().bits(),
            Key::Ec(key) => key.curve().domain().bits,
        }
    }

    /// Writes the stored form and returns its length: for EC the curve's byte and the scalar.
    pub(crate) fn store(&self, out: &mut [u8; Self::MAX_STORED]) -> Result<usize, Status> {
        match self {
            Key::Rsa(key) => key.to_bytes(out).map_err(error::crypto),
            Key::Ec(key) => {
                let [curve, scalar @ ..] = out;
                *curve = key.curve().id();
                let len = key.to_bytes(scalar).map_err(error::crypto)?;
                len.checked_add(1).ok_or(Status::INTERNAL)
            }
        }
    }

    /// Reads the stored form.
    pub(crate) fn load(kind: KeyKind, stored: &[u8]) -> Result<Self, Status> {
        match kind {
            KeyKind::Rsa => rsa::PrivateKey::from_bytes(stored).map(Key::Rsa).map_err(error::crypto),
            KeyKind::Ec => {
                let (curve, scalar) = stored.split_first().ok_or(Status::EXECUTION)?;
                let curve = ec::Curve::from_id(*curve).ok_or(Status::EXECUTION)?;
                ec::PrivateKey::from_bytes(curve, scalar).map(Key::Ec).map_err(error::crypto)
            }
        }
    }
}

/// What everybody may know of a key, stored in the clear but authenticated beside it: kind, size, attributes.
pub(crate) struct KeyMeta<'a> {
    pub(crate) kind: KeyKind,
    attributes: Attributes<'a>,
}

impl<'a> KeyMeta<'a> {
    const FORMAT: u8 = 1;

    /// Writes the stored form: format, kind, bits (2), attributes as TLVs 91 to 93. The counter is kept elsewhere.
    fn build(key: &Key, attributes: &Attributes<'_>) -> Result<heapless::Vec<u8, MAX_META>, Status> {
        let mut bytes = [0; MAX_META];
        let [format, kind, bits1, bits0, tlvs @ ..] = &mut bytes;
        [*bits1, *bits0] = key.bits().to_be_bytes();
        *format = Self::FORMAT;
        *kind = key.kind() as u8;
        let stored = Attributes { counter: None, ..*attributes };
        let len = stored.write(tlvs).map_err(|_| Status::WRONG_DATA)?;
        let len = len.checked_add(4).ok_or(Status::INTERNAL)?;
        let used = bytes.get(..len).ok_or(Status::INTERNAL)?;
        heapless::Vec::from_slice(used).map_err(|_| Status::INTERNAL)
    }

    /// Reads the stored form.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let [Self::FORMAT, kind, _, _, tlvs @ ..] = bytes else { return None };
        let kind = match kind {
            1 => KeyKind::Rsa,
            2 => KeyKind::Ec,
            _ => return None,
        };
        Some(Self { kind, attributes: Attributes::parse(tlvs).ok()? })
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

impl<P: Platform, F: Flash> Hsm<'_, P, F> {
    /// GENERATE ASYMMETRIC KEY PAIR: the key, its description and its certificate request appear together or not at
    /// all. An occupied key id is refused, so that no key is ever replaced by accident.
    pub(crate) fn generate_key_pair(
        &mut self,
        id: KeyId,
        request: &KeyRequest<'_>,
        response: &mut Response<'_>,
    ) -> Result<(), Status> {
        if self.storage.open()?.info(object(id.key())).map_err(error::storage)?.is_some() {
            return Err(Status::EXISTS);
        }
        self.confirm_presence(Instruction::GenerateKeyPair, Status::EXECUTION)?;
        let rng = self.random.fresh(&mut self.platform).map_err(error::entropy)?;
        let key = match request.algorithm {
            KeyAlgorithm::Rsa { bits } => {
                let len = rsa::ModulusLen::new(bits).ok_or(Status::WRONG_DATA)?;
                Key::Rsa(rsa::PrivateKey::generate(len, rng, &mut self.platform, &()).map_err(error::crypto)?)
            }
            KeyAlgorithm::Ec { prime, a, b } => {
                let curve = ec::Curve::from_domain(prime, a, b).ok_or(Status::FUNCTION_NOT_SUPPORTED)?;
                Key::Ec(ec::PrivateKey::generate(curve, rng))
            }
        };
        self.write_request(&key, request.car, request.chr, response)?;
        response.send_whole();

        let mut attributes = request.attributes;
        if attributes.counter.is_none() && self.options().counts_every_key() {
            attributes.counter = Some(DEFAULT_COUNTER);
        }
        let meta = KeyMeta::build(&key, &attributes)?;
        let mut stored = Zeroizing::new([0; Key::MAX_STORED]);
        let stored_len = key.store(&mut stored)?;
        let mut description = [0; pkcs15::MAX_KEY_DESCRIPTION];
        let described = describe(&key, id, &mut description)?;
        let kek = self.session.mkek()?.kek();
        let changes = [
            Change::Put {
                id: object(id.key()),
                seal: Seal::Secret(&kek),
                meta: &meta,
                content: stored.get(..stored_len).unwrap_or_default(),
                counter: attributes.counter,
            },
            Change::Put {
                id: object(id.description()),
                seal: Seal::Public,
                meta: &[],
                content: described,
                counter: None,
            },
            Change::Put {
                id: object(id.certificate()),
                seal: Seal::Public,
                meta: &[],
                content: response.data(),
                counter: None,
            },
        ];
        let rng = self.random.generator(&mut self.platform).map_err(error::entropy)?;
        self.storage.open()?.commit(&changes, rng).map_err(error::storage)
    }

    /// Opens a key for use. Its record says what kind it is; bytes are never reinterpreted.
    pub(crate) fn open_key(&mut self, id: KeyId, kind: KeyKind) -> Result<Key, Status> {
        let kek = self.session.mkek()?.kek();
        let mut stored = Zeroizing::new([0; Key::MAX_STORED]);
        let store = self.storage.open()?;
        let len = store.read(object(id.key()), Seal::Secret(&kek), 0, stored.as_mut()).map_err(error::storage)?;
        Key::load(kind, stored.get(..len).unwrap_or_default())
    }

    /// Asks for the user's presence if the options and the command's row in the access table want it.
    pub(crate) fn confirm_presence(&mut self, instruction: Instruction, refused: Status) -> Result<(), Status> {
        let asked = access::rule_of(instruction).is_none_or(|rule| rule.presence);
        if asked && self.options().press_to_confirm() { self.ask_presence(refused) } else { Ok(()) }
    }
}

/// The PKCS#15 description the card writes for a new key: no label, the key id in ASCII decimal as its identifier.
fn describe<'b>(key: &Key, id: KeyId, out: &'b mut [u8]) -> Result<&'b [u8], Status> {
    let key_type = match key.kind() {
        KeyKind::Rsa => KeyType::Rsa,
        KeyKind::Ec => KeyType::Ec,
    };
    let (digits, len) = pkcs15::decimal(id);
    let id = digits.get(..len).unwrap_or_default();
    let len = KeyDescription { key_type, label: &[], id, bits: key.bits() }.write(out);
    out.get(..len.map_err(|_| Status::INTERNAL)?).ok_or(Status::INTERNAL)
}

/// The body's self-signature: RSA PKCS#1 v1.5 with SHA-256, or ECDSA with SHA-256 as r ‖ s (specification §5.5).
pub(crate) fn sign_body(
    key: &Key,
    body: &[u8],
    out: &mut [u8],
    rng: &mut impl CryptoRng,
    join: &mut impl ferrite_crypto::Join,
) -> Result<usize, Status> {
    let digest = ferrite_crypto::hash::Hash::Sha256.digest(&[body]);
    match key {
        Key::Rsa(key) => key.sign_pkcs1_digest(ferrite_crypto::hash::Hash::Sha256, digest.as_ref(), out, rng, join),
        Key::Ec(key) => key.sign(digest.as_ref(), rng).and_then(|signature| signature.to_raw(out)),
    }
    .map_err(error::crypto)
}
