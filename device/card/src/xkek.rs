//! Exchange key-encryption keys (XKEK): key domains whose members agree on the key that wraps others (specification part 2
//! §9).
//!
//! A group is a key pair that somebody keeps. Its public key names the key domain; its signature over a device's public key
//! makes that device a member. Members make exchange keys in the domain, and two of them agree by ECDH on what wraps keys on
//! the way from one to the other. That a peer's exchange key is one is shown by the device that attests it.

use crate::config::Domain;
use crate::domains::dkek_object;
use crate::error;
use crate::hsm::Hsm;
use crate::identity::MAX_DEVICE_CERTIFICATE;
use crate::key::{Key, KeyParameters};
use crate::platform::Platform;
use crate::response::Response;
use crate::verify::{Scheme, Verifier};
use ferrite_crypto::dkek::{self, Dkek};
use ferrite_crypto::hash::Hash;
use ferrite_crypto::{Error, ec};
use ferrite_proto::command::{AlgorithmId, Attributes, Membership};
use ferrite_proto::cvc::{Certificate, Extensions, Origin, PublicKey, Request};
use ferrite_proto::status::Status;
use ferrite_store::{Change, Flash, ObjectId, Seal};
use zeroize::Zeroizing;

/// The name of domain 0 is kept here, those of the others behind it. No client reaches these ids.
const UID: ObjectId = ObjectId(0xE0D0);
/// What precedes the coordinate in what the group signs.
const MEMBER: u8 = 0x54;
const UNCOMPRESSED: u8 = 0x04;

/// The name of a domain: X and Y of the group's public key.
pub(crate) type Uid = heapless::Vec<u8, { 2 * ec::MAX_FIELD }>;

/// Where the name of a domain is kept.
pub(crate) fn uid_object(domain: u8) -> ObjectId {
    ObjectId(UID.0.saturating_add(u16::from(domain)))
}

impl<P: Platform, F: Flash> Hsm<'_, P, F> {
    /// Makes this device a member of a group, and a domain of its. Without a membership: the state of the domain.
    ///
    /// # Errors
    /// 6985 for anybody but the user, and for a signature that does not make this device a member; 6A86 for a domain that
    /// there is; 6400 if the device's certificate is not one of its own key.
    pub(crate) fn create_exchange_domain(
        &mut self,
        domain: u8,
        membership: Option<Membership<'_>>,
        response: &mut Response<'_>,
    ) -> Result<(), Status> {
        let state = self.domain(domain)?;
        let Some(membership) = membership else {
            return match state {
                Domain::NotSetUp => response.put(&[u8::MAX, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
                _ => self.key_domain_status(domain, response),
            };
        };
        self.demand_domain_owner()?;
        if state != Domain::NotSetUp {
            return Err(Status::WRONG_P1P2);
        }
        let uid = self.verify_membership(&membership, response.space())?;
        let named = Change::Put { id: uid_object(domain), seal: Seal::Public, meta: &[], content: &uid, counter: None };
        self.change_domain(domain, Domain::Exchange { check_value: None }, &[named])?;
        self.key_domain_status(domain, response)
    }

    /// The name of the group, if its signature makes this device a member.
    fn verify_membership(&mut self, membership: &Membership<'_>, scratch: &mut [u8]) -> Result<Uid, Status> {
        let own = self.device_key().and_then(|key| key.public_key().map_err(error::crypto))?;
        let certified = self.first_certificate(scratch).is_some_and(|(certificate, _)| {
            matches!(certificate.body.public_key, PublicKey::Ec { point, .. } if point == own.as_ref())
        });
        let [UNCOMPRESSED, coordinates @ ..] = own.as_ref() else { return Err(Status::EXECUTION) };
        if !certified {
            return Err(Status::EXECUTION);
        }
        let (x, _) = coordinates.split_at(coordinates.len().div_euclid(2));
        let mut digest = [0; 32];
        digest.copy_from_slice(Hash::Sha256.digest(&[&[MEMBER], x]).as_ref());

        let (signer, _) = Certificate::parse(membership.signer).map_err(|_| Status::CONDITIONS)?;
        let curve = self.curve_below(signer.body.car, scratch)?;
        let verifier = Verifier::new(&signer.body.public_key, curve).map_err(|_| Status::CONDITIONS)?;
        verifier.verify_sha256(&digest, membership.signature).map_err(|_| Status::CONDITIONS)?;
        verifier.verify(signer.signed, signer.signature).map_err(|_| Status::CONDITIONS)?;
        match (verifier.scheme, verifier.number.as_slice()) {
            (Scheme::Ecdsa(..), [UNCOMPRESSED, uid @ ..]) => Uid::from_slice(uid).map_err(|_| Status::INTERNAL),
            _ => Err(Status::CONDITIONS),
        }
    }

    /// DECIPHER 84: agrees with a peer on the key-encryption key of the own key's domain, in place of one that there was.
    ///
    /// # Errors
    /// 6400 for a key of another kind and for a peer's point that is not on its curve; 6984 for what is no certificate;
    /// 6700 for one that names no domain; 6A88 for another domain than the own key's, or an attesting device that is not
    /// known; 6985 for a signature that is missing or wrong.
    pub(crate) fn exchange(
        &mut self,
        key: &Key,
        attributes: &Attributes<'_>,
        peer: &[u8],
        response: &mut Response<'_>,
    ) -> Result<(), Status> {
        let Key::Ec(key) = key else { return Err(Status::EXECUTION) };
        if !is_exchange_curve(key.curve()) {
            return Err(Status::EXECUTION);
        }
        let (certificate, _) = Certificate::parse(peer).map_err(|_| Status::DATA_INVALID)?;
        let own_curve = Some(key.curve());
        let verifier = Verifier::new(&certificate.body.public_key, own_curve).map_err(|_| Status::DATA_INVALID)?;
        if verifier.curve() != own_curve {
            return Err(Status::EXECUTION);
        }
        let extensions = Extensions::parse(certificate.body.extensions.unwrap_or_default());
        let named = extensions.map_err(|_| Status::WRONG_LENGTH)?.key_domain.ok_or(Status::WRONG_LENGTH)?;
        let domain = attributes.domain.unwrap_or(0);
        let Domain::Exchange { .. } = self.domain(domain).map_err(|_| Status::REFERENCE_NOT_FOUND)? else {
            return Err(Status::REFERENCE_NOT_FOUND);
        };
        if self.domain_uid(domain)?.as_slice() != named {
            return Err(Status::REFERENCE_NOT_FOUND);
        }
        verifier.verify(certificate.signed, certificate.signature).map_err(|error| match error {
            Error::BadKey => Status::EXECUTION,
            _ => Status::CONDITIONS,
        })?;
        self.demand_attestation(peer, response.space())?;

        let secret = key.agree(&verifier.number).map_err(error::agreement)?;
        let mut bytes = Zeroizing::new([0; dkek::LEN]);
        bytes.copy_from_slice(secret.as_ref().get(..dkek::LEN).ok_or(Status::EXECUTION)?);
        let agreed = Dkek::from_bytes(&bytes);
        let kek = self.session.mkek()?.kek();
        let put = Change::Put {
            id: dkek_object(domain),
            seal: Seal::Secret(&kek),
            meta: &[],
            content: agreed.as_bytes(),
            counter: None,
        };
        self.change_domain(domain, Domain::Exchange { check_value: Some(agreed.check_value()) }, &[put])
    }

    /// On a device whose certificate comes with its issuer's, a peer's key must be attested by a device that is trusted too, and
    /// not as an imported one: whoever has that would know what is agreed on.
    fn demand_attestation(&mut self, peer: &[u8], scratch: &mut [u8]) -> Result<(), Status> {
        let mut own = [0; MAX_DEVICE_CERTIFICATE];
        let has_issuer = self.first_certificate(&mut own).is_some_and(|(_, issuer)| !issuer.is_empty());
        if !has_issuer {
            return Ok(());
        }
        let request = Request::parse(peer).map_err(|_| Status::CONDITIONS)?;
        let device = self.trusted_verifier(request.outer_car, scratch)?;
        device.verify(request.signed, request.signature).map_err(|_| Status::CONDITIONS)?;
        let extensions = Extensions::parse(request.certificate.body.extensions.unwrap_or_default());
        match extensions.map(|extensions| extensions.origin) {
            Ok(Origin::Generated | Origin::Derived) => Ok(()),
            Ok(Origin::Imported) | Err(_) => Err(Status::CONDITIONS),
        }
    }

    /// Refuses a key for exchanges that is on another curve than one of 256 bits (6A81), or not in an exchange domain (6700).
    pub(crate) fn demand_exchange_domain(
        &self,
        parameters: KeyParameters,
        attributes: &Attributes<'_>,
    ) -> Result<(), Status> {
        if !is_for_exchange(attributes) {
            return Ok(());
        }
        let domain = attributes.domain.map(|domain| self.domain(domain));
        match (parameters, domain) {
            (KeyParameters::Rsa(_), _) => Ok(()),
            (KeyParameters::Ec(curve), Some(Ok(Domain::Exchange { .. }))) if is_exchange_curve(curve) => Ok(()),
            (KeyParameters::Ec(curve), _) if is_exchange_curve(curve) => Err(Status::WRONG_LENGTH),
            _ => Err(Status::FUNCTION_NOT_SUPPORTED),
        }
    }

    /// The name that the request for a key carries: that of its domain, if the key is for exchanges.
    pub(crate) fn exchange_domain_of(&mut self, key: &Key, attributes: &Attributes<'_>) -> Result<Option<Uid>, Status> {
        match (key, attributes.domain) {
            (Key::Ec(_), Some(domain)) if is_for_exchange(attributes) => match self.domain(domain)? {
                Domain::Exchange { .. } => self.domain_uid(domain).map(Some),
                _ => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// The name of an exchange domain.
    pub(crate) fn domain_uid(&mut self, domain: u8) -> Result<Uid, Status> {
        let mut uid = [0; 2 * ec::MAX_FIELD];
        let len = self.storage.open()?.read(uid_object(domain), Seal::Public, 0, &mut uid).map_err(error::storage)?;
        Uid::from_slice(uid.get(..len).unwrap_or_default()).map_err(|_| Status::MEMORY_FAILURE)
    }
}

/// Whether a list names the algorithm of exchanges; a key without a list has no place in a group.
fn is_for_exchange(attributes: &Attributes<'_>) -> bool {
    attributes.algorithms.is_some_and(|list| list.contains(&AlgorithmId::ECDH_XKEK.0))
}

/// What two keys agree on is the key-encryption key itself, so that it must have that length.
fn is_exchange_curve(curve: ec::Curve) -> bool {
    curve.domain().prime.len() == dkek::LEN
}
