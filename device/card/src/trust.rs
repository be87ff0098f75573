//! Whom the card trusts: MANAGE SECURITY ENVIRONMENT for a verification key, and PERFORM SECURITY OPERATION: VERIFY
//! CERTIFICATE (specification part 1 §4.11, §4.12, decisions D12 and D14).
//!
//! Trust starts from what the user wrote: the certificates in EF.C_DevAut and in the files of CA certificates. What those
//! issued is believed for the session and kept in RAM; nothing that comes by VERIFY CERTIFICATE reaches the flash.

use crate::error;
use crate::hsm::Hsm;
use crate::objects::object;
use crate::platform::Platform;
use crate::response::Response;
use crate::verify::{Number, Scheme, Verifier};
use core::ops::Range;
use ferrite_crypto::ec;
use ferrite_proto::command::SecurityEnvironment;
use ferrite_proto::cvc::{Certificate, PublicKey, Role, Validity};
use ferrite_proto::fid::{FileId, prefix};
use ferrite_proto::status::Status;
use ferrite_store::{Flash, ObjectId, Seal, Store};

/// Most certificates that are believed at a time, besides those that the user wrote.
const MAX_IMPORTED: usize = 4;
/// Room for their keys, in bytes: four of RSA-2048, or two of RSA-4096, or any four on curves.
const MAX_NUMBERS: usize = 1024;
/// Longest holder reference of a certificate here; TR-03110 has 16 characters, OpenSC takes 20.
const MAX_REFERENCE: usize = 20;
/// Longest way from a certificate up to the one that names its curve.
const MAX_DEPTH: usize = 8;

/// A holder reference.
type Reference = heapless::Vec<u8, MAX_REFERENCE>;

/// How far somebody may issue certificates, by the role that certificates carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    /// Issues nothing: a device.
    Terminal,
    /// Issues certificates of devices.
    Verifier,
    /// Issues any certificate.
    Authority,
}

impl Level {
    fn of(role: Role<'_>) -> Self {
        match role.rights.first().map_or(0, |rights| rights & 0xC0) {
            0 => Level::Terminal,
            0xC0 => Level::Authority,
            _ => Level::Verifier,
        }
    }
}

/// A certificate that is believed.
struct Trusted {
    verifier: Verifier,
    /// `None` where certificates carry no roles.
    level: Option<Level>,
    validity: Option<Validity>,
}

/// What is kept of an imported certificate; its number lies in the store.
struct Imported {
    chr: Reference,
    scheme: Scheme,
    level: Option<Level>,
    validity: Option<Validity>,
    len: usize,
}

/// What a session knows besides the files: the imported certificates, and which certificate was chosen last.
#[derive(Default)]
pub(crate) struct TrustStore {
    imported: heapless::Vec<Imported, MAX_IMPORTED>,
    /// The numbers of all keys, in the order of the certificates.
    numbers: heapless::Vec<u8, MAX_NUMBERS>,
    chosen: Option<Reference>,
}

impl TrustStore {
    fn find(&self, chr: &[u8]) -> Option<Trusted> {
        let mut start: usize = 0;
        for Imported { chr: known, scheme, level, validity, len } in &self.imported {
            let end = start.saturating_add(*len);
            if known.as_slice() == chr {
                let number = Number::from_slice(self.numbers.get(start..end)?).ok()?;
                let verifier = Verifier { scheme: *scheme, number };
                return Some(Trusted { verifier, level: *level, validity: *validity });
            }
            start = end;
        }
        None
    }

    fn knows(&self, chr: &[u8]) -> bool {
        self.imported.iter().any(|known| known.chr.as_slice() == chr)
    }

    /// Keeps a certificate; the oldest ones make room.
    fn add(&mut self, chr: Reference, trusted: &Trusted) {
        let number = &trusted.verifier.number;
        while self.imported.is_full() || self.numbers.len().saturating_add(number.len()) > MAX_NUMBERS {
            if self.imported.is_empty() {
                return;
            }
            let oldest = self.imported.remove(0);
            self.numbers = self.numbers.iter().copied().skip(oldest.len).collect();
        }
        let Trusted { verifier: Verifier { scheme, .. }, level, validity } = *trusted;
        let entry = Imported { chr, scheme, level, validity, len: number.len() };
        if self.numbers.extend_from_slice(number).is_ok() {
            let _ = self.imported.push(entry);
        }
    }
}

impl<P: Platform, F: Flash> Hsm<'_, P, F> {
    /// MANAGE SECURITY ENVIRONMENT: what the next commands refer to.
    pub(crate) fn manage_security_environment(
        &mut self,
        environment: SecurityEnvironment<'_>,
        response: &mut Response<'_>,
    ) -> Result<(), Status> {
        match environment {
            SecurityEnvironment::ChipAuthentication => self.choose_chip_authentication(),
            SecurityEnvironment::AuthenticationKey { chr } => self.choose_registered_key(chr),
            SecurityEnvironment::VerificationKey { chr } => self.choose_certificate(chr, response.space()),
            SecurityEnvironment::Nothing => Ok(()),
        }
    }

    /// Chooses the trusted certificate with this holder reference: 6A88 if there is none.
    fn choose_certificate(&mut self, chr: &[u8], scratch: &mut [u8]) -> Result<(), Status> {
        let reference = Reference::from_slice(chr).map_err(|_| Status::REFERENCE_NOT_FOUND)?;
        let is_known = self.session.trust.knows(chr) || self.locate_anchor(chr, scratch)?.is_some();
        if !is_known {
            return Err(Status::REFERENCE_NOT_FOUND);
        }
        self.session.trust.chosen = Some(reference);
        Ok(())
    }

    /// VERIFY CERTIFICATE: believes a certificate that the chosen one issued, until the session ends.
    pub(crate) fn verify_certificate(&mut self, bytes: &[u8], response: &mut Response<'_>) -> Result<(), Status> {
        let scratch = response.space();
        let (issuer_name, issuer) = self.chosen(scratch)?;
        let certificate = Certificate::parse_alone(bytes).map_err(|_| Status::CONDITIONS)?;
        let body = certificate.body;
        let level = body.role.map(Level::of);
        let may_issue = match (issuer.level, level) {
            (None | Some(Level::Authority), _) => true,
            (Some(Level::Verifier), level) => level.is_none_or(|level| level < Level::Verifier),
            (Some(Level::Terminal), _) => false,
        };
        if body.car != issuer_name.as_slice() || !may_issue || !self.is_in_time(body.validity) {
            return Err(Status::CONDITIONS);
        }
        issuer.verifier.verify(certificate.signed, certificate.signature).map_err(|_| Status::CONDITIONS)?;
        let chr = Reference::from_slice(body.chr).ok().filter(|chr| !chr.is_empty()).ok_or(Status::WRONG_LENGTH)?;
        // Below an issuer that has a role, somebody without one is nobody who issues.
        let level = level.or(issuer.level.map(|_| Level::Terminal));
        let verifier = Verifier::new(&body.public_key, issuer.verifier.curve())?;
        let trusted = Trusted { verifier, level, validity: body.validity };
        match self.trusted(&chr, scratch)? {
            Some(known) if known.verifier == trusted.verifier => Ok(()),
            // Two keys of one name: nobody could tell whom a signature is from.
            Some(_) => Err(Status::CONDITIONS),
            None => {
                self.session.trust.add(chr, &trusted);
                Ok(())
            }
        }
    }

    /// The key of the certificate that was chosen, if its holder reference is this one: 6A88 if none was chosen, 6985 if it
    /// was another or is out of date, 6984 if its key cannot be used.
    pub(crate) fn chosen_verifier(&mut self, chr: &[u8], scratch: &mut [u8]) -> Result<Verifier, Status> {
        let (name, trusted) = self.chosen(scratch)?;
        if name.as_slice() == chr { Ok(trusted.verifier) } else { Err(Status::CONDITIONS) }
    }

    /// The key of a trusted certificate by its holder reference: 6A88 if there is none, 6984 if its key cannot be used, 6985
    /// if it is out of date.
    pub(crate) fn trusted_verifier(&mut self, chr: &[u8], scratch: &mut [u8]) -> Result<Verifier, Status> {
        let trusted = self.trusted(chr, scratch)?.ok_or(Status::REFERENCE_NOT_FOUND)?;
        if self.is_in_time(trusted.validity) { Ok(trusted.verifier) } else { Err(Status::CONDITIONS) }
    }

    fn chosen(&mut self, scratch: &mut [u8]) -> Result<(Reference, Trusted), Status> {
        let chr = self.session.trust.chosen.clone().ok_or(Status::REFERENCE_NOT_FOUND)?;
        let trusted = self.trusted(&chr, scratch)?.ok_or(Status::REFERENCE_NOT_FOUND)?;
        if self.is_in_time(trusted.validity) { Ok((chr, trusted)) } else { Err(Status::CONDITIONS) }
    }

    /// Whether today lies within the dates of a certificate. Until somebody tells the device the time it cannot know.
    fn is_in_time(&mut self, validity: Option<Validity>) -> bool {
        match (validity, self.now()) {
            (Some(validity), Ok(now)) => validity.covers(now.to_certificate_date()),
            (None, _) | (_, Err(_)) => true,
        }
    }

    /// What is known of the holder of a reference. The user's certificates come before imported ones.
    fn trusted(&mut self, chr: &[u8], scratch: &mut [u8]) -> Result<Option<Trusted>, Status> {
        let Some(anchor) = self.anchor(chr, scratch)? else { return Ok(self.session.trust.find(chr)) };
        let inherits = matches!(anchor.body.public_key, PublicKey::Ec { domain: None, .. });
        let curve = if inherits { Some(anchor.body.car) } else { None };
        let curve = match curve.and_then(|car| Reference::from_slice(car).ok()) {
            Some(car) => self.inherited_curve(car, scratch)?,
            None => None,
        };
        // The way up used the scratch memory.
        let Some(anchor) = self.anchor(chr, scratch)? else { return Ok(None) };
        let verifier = Verifier::new(&anchor.body.public_key, curve).map_err(|_| Status::DATA_INVALID)?;
        Ok(Some(Trusted { verifier, level: anchor.body.role.map(Level::of), validity: anchor.body.validity }))
    }

    /// The curve of keys below an authority: its own, or that of the next one above that names one.
    pub(crate) fn curve_below(&mut self, car: &[u8], scratch: &mut [u8]) -> Result<Option<ec::Curve>, Status> {
        match Reference::from_slice(car) {
            Ok(car) => self.inherited_curve(car, scratch),
            Err(_) => Ok(None),
        }
    }

    fn inherited_curve(&mut self, mut car: Reference, scratch: &mut [u8]) -> Result<Option<ec::Curve>, Status> {
        for _ in 0..MAX_DEPTH {
            let Some(anchor) = self.anchor(&car, scratch)? else {
                return Ok(self.session.trust.find(&car).and_then(|trusted| trusted.verifier.curve()));
            };
            match anchor.body.public_key {
                PublicKey::Ec { domain: None, .. } => {}
                key => return Ok(Verifier::new(&key, None).ok().and_then(|verifier| verifier.curve())),
            }
            car = match Reference::from_slice(anchor.body.car) {
                Ok(above) if above != car => above,
                _ => return Ok(None),
            };
        }
        Ok(None)
    }

    /// The first certificate in the user's files that has this holder reference.
    fn anchor<'s>(&mut self, chr: &[u8], scratch: &'s mut [u8]) -> Result<Option<Certificate<'s>>, Status> {
        let Some(place) = self.locate_anchor(chr, scratch)? else { return Ok(None) };
        Ok(Certificate::parse(scratch.get(place).unwrap_or_default()).ok().map(|(certificate, _)| certificate))
    }

    /// Where in the scratch memory that certificate lies: EF.C_DevAut is searched first, then the CA certificates.
    fn locate_anchor(&mut self, chr: &[u8], scratch: &mut [u8]) -> Result<Option<Range<usize>>, Status> {
        if chr.is_empty() {
            return Ok(None);
        }
        let store = self.storage.open()?;
        if let Some(place) = locate(store, object(FileId::DEVICE_CERTIFICATE), chr, scratch)? {
            return Ok(Some(place));
        }
        let [first, last] = [0, 0xFF].map(|index| u16::from_be_bytes([prefix::CA_CERTIFICATE, index]));
        let mut after = ObjectId(first.saturating_sub(1));
        while let Some(found) = store.next(Some(after)).map_err(error::storage)?.filter(|found| found.0 <= last) {
            if let Some(place) = locate(store, found, chr, scratch)? {
                return Ok(Some(place));
            }
            after = found;
        }
        Ok(None)
    }
}

/// Reads a file and finds the certificate with this holder reference in it. Requests are skipped: nobody issued them. What
/// is no CV certificate, as a CA's in X.509, ends the search.
fn locate<F: Flash>(
    store: &mut Store<'_, F>,
    file: ObjectId,
    chr: &[u8],
    scratch: &mut [u8],
) -> Result<Option<Range<usize>>, Status> {
    if store.info(file).map_err(error::storage)?.is_none() {
        return Ok(None);
    }
    let len = store.read(file, Seal::Public, 0, scratch).map_err(error::storage)?;
    let content = scratch.get(..len).unwrap_or_default();
    let mut rest = content;
    while let Ok((certificate, next)) = Certificate::parse(rest) {
        let start = content.len().saturating_sub(rest.len());
        let end = content.len().saturating_sub(next.len());
        let is_certificate = content.get(start..end) == Some(certificate.encoded);
        if is_certificate && certificate.body.chr == chr {
            return Ok(Some(start..end));
        }
        rest = next;
    }
    Ok(None)
}
