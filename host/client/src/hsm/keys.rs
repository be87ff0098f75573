//! Generating keys, their public halves and attributes (specification part 1 §5, part 2 §3).

use super::Hsm;
use crate::error::{Error, ErrorKind, Result};
use crate::key_type::KeyType;
use crate::public_key::PublicKey;
use crate::transport::Transport;
use ferrite_proto::command::{Attributes, Command, KeyAlgorithm, KeyRequest};
use ferrite_proto::cvc;
use ferrite_proto::fid::KeyId;
use ferrite_proto::pkcs15::KeyDescription;
use ferrite_proto::status::Status;
use zeroize::Zeroizing;

/// What limits the use of a new key. What is absent is not limited.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyAttributes {
    /// Uses left.
    pub counter: Option<u32>,
    /// Algorithms for which it may be used; see [`ferrite_proto::command::AlgorithmId`].
    pub algorithms: Option<Vec<u8>>,
    /// Key domain, 0 to 15; absent means domain 0.
    pub domain: Option<u8>,
}

impl KeyAttributes {
    fn as_request(&self) -> Attributes<'_> {
        Attributes {
            counter: self.counter,
            algorithms: self.algorithms.as_deref(),
            domain: self.domain,
            wrapping_key: None,
        }
    }
}

/// What was generated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// Its identifier.
    pub id: KeyId,
    /// Its public half; `None` for a secret key.
    pub public_key: Option<PublicKey>,
    /// The certificate request that the device answered with, signed by the key and by the device. Empty for a secret key:
    /// there the device answers nothing, and [`Hsm::key_request`] reads the request that it keeps.
    pub request: Vec<u8>,
}

impl<T: Transport> Hsm<T> {
    /// The lowest identifier from 1 on that no key has.
    ///
    /// # Errors
    /// [`ErrorKind::Full`].
    pub fn free_key_id(&mut self) -> Result<KeyId> {
        let files = self.enumerate()?;
        let is_free = |id: &KeyId| ![id.key(), id.description(), id.certificate()].iter().any(|f| files.contains(f));
        (1..=u8::MAX).map(KeyId::new).find(is_free).ok_or_else(|| {
            Error::new(ErrorKind::Full, "find a free key identifier", "all 255 are taken").advise("Delete a key.")
        })
    }

    /// Generates a key under an identifier that is free, and gives it a label. RSA takes seconds to minutes on a chip.
    ///
    /// # Errors
    /// [`ErrorKind::NotLoggedIn`], [`ErrorKind::Exists`], [`ErrorKind::Full`], [`ErrorKind::Unsupported`].
    pub fn generate_key(
        &mut self,
        id: KeyId,
        kind: KeyType,
        label: &str,
        attributes: &KeyAttributes,
    ) -> Result<NewKey> {
        let what = format!("generate a key of kind {kind} as key {}", id.value());
        let attributes = attributes.as_request();
        let key_pair = |algorithm| {
            let request = KeyRequest { car: None, chr: None, algorithm, attributes };
            Command::GenerateKeyPair { key: id, request }
        };
        let command = match kind {
            KeyType::Rsa(bits) => key_pair(KeyAlgorithm::Rsa { bits }),
            KeyType::Ec(curve) => {
                let domain = curve.domain();
                key_pair(KeyAlgorithm::Ec { prime: domain.prime, a: Some(domain.a), b: Some(domain.b) })
            }
            KeyType::Edwards(curve) => key_pair(okp(curve.domain())),
            KeyType::Montgomery(curve) => key_pair(okp(curve.domain())),
            KeyType::Aes(len) => Command::GenerateSecretKey { key: id, len, attributes },
        };
        let answer = self.call(&what, &command).map_err(|error| explain_generation(error, id, kind))?;
        let request = if kind.has_public_key() { answer.to_vec() } else { Vec::new() };
        let public_key = if kind.has_public_key() { Some(PublicKey::from_certificate(&request)?) } else { None };
        // SmartCard-HSMs other than this one leave it to the host to keep the request.
        if kind.has_public_key() && !self.has_content(id.certificate())? {
            self.write_file(id.certificate(), &request)?;
        }
        self.label_key(id, kind, label)?;
        Ok(NewKey { id, public_key, request })
    }

    /// Writes the description of a key with another label. The key's CKA_ID stays, or becomes its identifier in decimal.
    ///
    /// # Errors
    /// [`ErrorKind::NotLoggedIn`].
    pub fn label_key(&mut self, id: KeyId, kind: KeyType, label: &str) -> Result<()> {
        let there = self.read_file_if_there(id.description())?.unwrap_or_default();
        let known = KeyDescription::parse(&there).ok();
        let decimal = id.value().to_string();
        let cka_id = known.map_or(decimal.as_bytes(), |known| known.id);
        if known.is_some_and(|known| known.label == label.as_bytes()) {
            return Ok(());
        }
        let description = describe(kind, label, cka_id)?;
        self.write_file(id.description(), &description)
    }

    /// Gives a key that is there another label. Its description says what it is, or else its public half.
    ///
    /// # Errors
    /// [`ErrorKind::NotLoggedIn`]; [`ErrorKind::BadAnswer`]: nothing says what kind of key it is.
    pub fn rename_key(&mut self, id: KeyId, label: &str) -> Result<()> {
        let there = self.read_file_if_there(id.description())?.unwrap_or_default();
        if let Ok(known) = KeyDescription::parse(&there) {
            let description = write(&KeyDescription { label: label.as_bytes(), ..known })?;
            return self.write_file(id.description(), &description);
        }
        let kind = self.public_key(id).map_err(|_| {
            let what = format!("label key {}", id.value());
            Error::new(ErrorKind::BadAnswer, what, "nothing says what kind of key it is")
        })?;
        self.label_key(id, kind.key_type(), label)
    }

    /// The public half of a key, from its certificate or the request that was made with it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; [`ErrorKind::BadAnswer`] for a certificate that is none of a card: see
    /// [`Hsm::certificate_of_key`].
    pub fn public_key(&mut self, id: KeyId) -> Result<PublicKey> {
        let file = self.read_file(id.certificate()).map_err(|error| {
            error.while_doing(format!("read the public half of key {}", id.value())).explain(
                Status::NOT_FOUND,
                ErrorKind::NotFound,
                "there is no such key, or the device has no public half of it",
                "List the keys. Secret keys have none, and some cards keep none of derived keys.",
            )
        })?;
        PublicKey::from_any_certificate(&file)
    }

    /// What limits the use of a key.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`].
    pub fn key_attributes(&mut self, id: KeyId) -> Result<KeyAttributes> {
        let found = self.key_attributes_of(id.key())?;
        Ok(KeyAttributes { counter: found.counter, algorithms: found.algorithms, domain: found.domain })
    }

    /// Derives a key: its scalar is that of the source plus a tweak (specification part 2 §3). The device answers nothing;
    /// [`Hsm::key_request`] reads the request that it keeps.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::Exists`], [`ErrorKind::Refused`].
    pub fn derive_key(&mut self, source: KeyId, target: KeyId, tweak: &[u8]) -> Result<()> {
        let what = format!("derive key {} from key {}", target.value(), source.value());
        self.call(&what, &Command::DeriveKey { source, target, tweak })
            .map(drop)
            .map_err(|error| explain_key(error).lacks("this card derives no keys"))
    }

    /// Deletes a key with its description and certificate.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::NotLoggedIn`].
    pub fn delete_key(&mut self, id: KeyId) -> Result<()> {
        self.delete_file(id.key())?;
        self.delete_file_if_there(id.description())?;
        self.delete_file_if_there(id.certificate())
    }

    /// The certificate request of a key, as the device made it: see [`crate::certificate::attestation`].
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]: there is none any more, or it was replaced by a certificate.
    pub fn key_request(&mut self, id: KeyId) -> Result<Zeroizing<Vec<u8>>> {
        let what = format!("read the request of key {}", id.value());
        let file = self.read_file(id.certificate()).map_err(|error| {
            error.while_doing(what.clone()).explain(
                Status::NOT_FOUND,
                ErrorKind::NotFound,
                "there is no such key, or the device has made no request for it",
                "List the keys. Some cards make requests for key pairs that they generate, and for no other key.",
            )
        })?;
        match cvc::Request::parse(&file) {
            Ok(_) => Ok(file),
            Err(_) => Err(Error::new(ErrorKind::NotFound, what, "a certificate has taken its place")),
        }
    }
}

/// A description as the card writes it, with a label.
pub(crate) fn describe(kind: KeyType, label: &str, cka_id: &[u8]) -> Result<Vec<u8>> {
    use ferrite_proto::pkcs15::KeyType as Described;
    let key_type = match kind {
        KeyType::Rsa(_) => Described::Rsa,
        KeyType::Ec(_) | KeyType::Edwards(_) | KeyType::Montgomery(_) => Described::Ec,
        KeyType::Aes(_) => Described::Aes,
    };
    write(&KeyDescription { key_type, label: label.as_bytes(), id: cka_id, bits: kind.bits() })
}

fn write(description: &KeyDescription<'_>) -> Result<Vec<u8>> {
    let mut out = vec![0; description.label.len().saturating_add(description.id.len()).saturating_add(96)];
    let len = description.write(&mut out);
    let len = len.map_err(|_| Error::new(ErrorKind::Usage, "describe the key", "its label is too long"))?;
    out.truncate(len);
    Ok(out)
}

fn okp(domain: &'static ferrite_crypto::okp::Domain) -> KeyAlgorithm<'static> {
    KeyAlgorithm::Ec { prime: domain.prime, a: Some(domain.order), b: Some(domain.base) }
}

/// What status words mean where a key is generated.
fn explain_generation(error: Error, id: KeyId, kind: KeyType) -> Error {
    const WHY: &str = "this card makes no keys of this kind, or none with these limits";
    const ADVICE: &str = "Every SmartCard-HSM makes rsa:2048 and p256, most aes:256. Some take no limits, or fewer. On a board with \
        Ferrite, the configuration may have switched the curve off.";
    let unknown = [Status::FUNCTION_NOT_SUPPORTED, Status::WRONG_DATA, Status::DATA_INVALID];
    // Parameter 2 says which secret key.
    let parameter = (id != KeyId::DEVICE && !kind.has_public_key()).then_some([Status::WRONG_P1P2, Status::INS]);
    unknown
        .into_iter()
        .chain(parameter.into_iter().flatten())
        .fold(explain_key(error), |error, status| error.explain(status, ErrorKind::Unsupported, WHY, ADVICE))
}

/// What status words mean where a key is made.
fn explain_key(error: Error) -> Error {
    error
        .explain(
            Status::REFERENCE_NOT_FOUND,
            ErrorKind::NotFound,
            "there is no such key domain",
            "Set the domain up first, or name another one.",
        )
        .explain(
            Status::WRONG_P1P2,
            ErrorKind::Usage,
            "no key can be put there",
            "Key 0 is the device's own; take 1 to 255.",
        )
}
