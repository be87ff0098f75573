//! Attestation: that a key is in a device, in which, and where the key comes from, proved by the device's signature and its
//! certificates.
//!
//! A report is what the device made when the key came into being, a certificate request (67) that the key and the device
//! signed, and behind it the device's certificates (7F21): nothing else, so that other programs can read it. A secret key and
//! a key on curves 25519 and 448 in Montgomery form cannot sign: for them the device alone vouches.

use super::chain::{self, DeviceCertificate, Trust};
use crate::error::{Error, ErrorKind, Result};
use crate::hsm::{Hsm, KeyAttributes, first_object};
use crate::key_type::KeyType;
use crate::public_key::PublicKey;
use crate::transport::Transport;
use ferrite_proto::command::{AlgorithmId, SymmetricOperation};
use ferrite_proto::cvc::{self, Extensions, IDENTIFIER_LABEL, Request};
pub use ferrite_proto::cvc::{Identifier, Origin};
use ferrite_proto::fid::KeyId;

const WHAT: &str = "believe the report";

/// Which key a report is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttestedKey {
    /// A key pair, named by its public half.
    Public(PublicKey),
    /// A secret key.
    Secret {
        /// Kind and size.
        kind: KeyType,
        /// The number it had when the report was made. Another key may have it now.
        id: KeyId,
        /// What tells it from other keys: see [`Hsm::is_key`]. Absent for an imported key, which might be guessed from it.
        identifier: Option<Identifier>,
    },
}

impl AttestedKey {
    fn read(key: &cvc::PublicKey<'_>, number: Option<u8>) -> Result<Self> {
        let cvc::PublicKey::Secret { bits, identifier } = *key else {
            return PublicKey::from_cvc(key, None).map(Self::Public);
        };
        let (kind, id) = KeyType::aes(bits).zip(number.map(KeyId::new)).ok_or_else(no_report)?;
        Ok(Self::Secret { kind, id, identifier: identifier.copied() })
    }

    /// Kind and size.
    pub fn kind(&self) -> KeyType {
        match self {
            Self::Public(key) => key.key_type(),
            Self::Secret { kind, .. } => *kind,
        }
    }
}

/// What a report proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attested {
    /// The key.
    pub key: AttestedKey,
    /// The device that it is in.
    pub device: DeviceCertificate,
    /// Whom the request names as the key's holder.
    pub holder: Vec<u8>,
    /// Whether the device made the key. A key that came in a blob is attested too, and others may have it.
    pub origin: Origin,
    /// What limited the key's use when the request was made.
    pub attributes: KeyAttributes,
    /// The group of an exchange key: X and Y of the group's key.
    pub group: Option<Vec<u8>>,
}

impl Attested {
    /// Whether the key, by its limits, may leave the device wrapped under the key-encryption key of its key domain, if that
    /// domain has one.
    pub fn may_be_wrapped(&self) -> bool {
        let allows = |list: &Vec<u8>| list.contains(&AlgorithmId::WRAP.0);
        self.attributes.counter.is_none() && self.attributes.algorithms.as_ref().is_none_or(allows)
    }
}

/// Checks a report. No device is asked.
///
/// # Errors
/// [`ErrorKind::Verification`]; [`ErrorKind::BadInput`] for what is no report.
pub fn verify(report: &[u8], trust: Trust<'_>) -> Result<Attested> {
    let request = Request::parse(report).map_err(|_| no_report())?;
    let encoded = first_object(report);
    let certificates = report.get(encoded.len()..).unwrap_or_default();
    let device = chain::verify(certificates, trust)?;
    let body = request.certificate.body;
    let extensions = Extensions::parse(body.extensions.unwrap_or_default()).map_err(|_| no_report())?;
    let key = AttestedKey::read(&body.public_key, extensions.key)?;
    match &key {
        AttestedKey::Public(PublicKey::Montgomery { .. }) | AttestedKey::Secret { .. } => {}
        AttestedKey::Public(signer) => {
            signer.verify_certificate(WHAT, request.certificate.signed, request.certificate.signature)?;
        }
    }
    if request.outer_car != device.chr {
        return Err(Error::new(
            ErrorKind::Verification,
            WHAT,
            "another device vouches for the key than the one certified",
        ));
    }
    device.public_key.verify_certificate(WHAT, request.signed, request.signature)?;
    let limits = extensions.attributes;
    Ok(Attested {
        key,
        holder: body.chr.to_vec(),
        origin: extensions.origin,
        attributes: KeyAttributes {
            counter: limits.counter,
            algorithms: limits.algorithms.map(<[u8]>::to_vec),
            domain: limits.domain,
        },
        group: extensions.key_domain.map(<[u8]>::to_vec),
        device,
    })
}

fn no_report() -> Error {
    Error::new(ErrorKind::BadInput, WHAT, "this is no report of a device")
}

impl<T: Transport> Hsm<T> {
    /// The report of a key in this device.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]: no such key, or a certificate has taken the place of its request.
    pub fn attest(&mut self, key: KeyId) -> Result<Vec<u8>> {
        // A request outlives its key if only that was deleted, as OpenSC does it.
        if !self.enumerate()?.contains(&key.key()) {
            let what = format!("attest key {}", key.value());
            return Err(Error::new(ErrorKind::NotFound, what, "there is no such key").advise("List the keys."));
        }
        let request = first_object(&self.key_request(key)?);
        Ok([request, self.device_certificates()?].concat())
    }

    /// Whether a secret key in this device is the one that an identifier names: the device derives it anew. The user must
    /// be logged in; it costs one use. Everybody may read identifiers, so ask a device that is known to be genuine, through
    /// a secure channel.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::NotLoggedIn`]; [`ErrorKind::Refused`] if the key may not be used for algorithm
    /// 99, or has a public half.
    pub fn is_key(&mut self, key: KeyId, identifier: &Identifier) -> Result<bool> {
        let derive = SymmetricOperation::Derive { parameter: &IDENTIFIER_LABEL };
        Ok(self.cipher(key, &derive.into())?.as_slice() == identifier)
    }
}
