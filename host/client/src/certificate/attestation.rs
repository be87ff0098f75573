//! Attestation: that a key was made in a device, and in which, proved by the device's signature and its certificates.
//!
//! A report is what the device made when it generated the key, a certificate request (67) that the key and the device
//! signed, and behind it the device's certificates (7F21): nothing else, so that other programs can read it.

use super::chain::{self, DeviceCertificate, Trust};
use crate::error::{Error, ErrorKind, Result};
use crate::hsm::{Hsm, KeyAttributes, first_object};
use crate::public_key::PublicKey;
use crate::transport::Transport;
pub use ferrite_proto::cvc::Origin;
use ferrite_proto::cvc::{Extensions, Request};
use ferrite_proto::fid::KeyId;

const WHAT: &str = "believe the report";

/// What a report proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attested {
    /// The key's public half, which says its kind, curve and size.
    pub public_key: PublicKey,
    /// The device that made it.
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

/// Checks a report. No device is asked.
///
/// # Errors
/// [`ErrorKind::Verification`]; [`ErrorKind::BadInput`] for what is no report.
pub fn verify(report: &[u8], trust: Trust<'_>) -> Result<Attested> {
    let bad = || Error::new(ErrorKind::BadInput, WHAT, "this is no report of a device");
    let request = Request::parse(report).map_err(|_| bad())?;
    let encoded = first_object(report);
    let certificates = report.get(encoded.len()..).unwrap_or_default();
    let device = chain::verify(certificates, trust)?;
    let body = request.certificate.body;
    let public_key = PublicKey::from_cvc(&body.public_key, None)?;
    // A key of curves 25519 and 448 in Montgomery form cannot sign; for it the device alone vouches.
    if !matches!(public_key, PublicKey::Montgomery { .. }) {
        public_key.verify_certificate(WHAT, request.certificate.signed, request.certificate.signature)?;
    }
    if request.outer_car != device.chr {
        return Err(Error::new(
            ErrorKind::Verification,
            WHAT,
            "another device vouches for the key than the one certified",
        ));
    }
    device.public_key.verify_certificate(WHAT, request.signed, request.signature)?;
    let extensions = Extensions::parse(body.extensions.unwrap_or_default()).map_err(|_| bad())?;
    let limits = extensions.attributes;
    Ok(Attested {
        public_key,
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

impl<T: Transport> Hsm<T> {
    /// The report of a key that was generated in this device.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]: no such key, or a certificate has taken the place of its request.
    pub fn attest(&mut self, key: KeyId) -> Result<Vec<u8>> {
        let request = first_object(&self.key_request(key)?);
        Ok([request, self.device_certificates()?].concat())
    }
}
