//! Public-key authentication: keys of other devices log in to this one (specification part 1 §4.13-4.15, decisions D3, D4,
//! D12, D14).
//!
//! A key is registered with the request that its device attests: the key signed it, which shows that there is a private
//! part, and a device whose certificate this card trusts signed that. From then on the key's holder answers challenges.
//! When as many of the registered keys as INITIALIZE demanded have answered, the user is authenticated. A PIN alone does not
//! do that any more; but keys of this device are sealed under the PINs, so that using one takes the user PIN as well.

use crate::access::Who;
use crate::error;
use crate::hsm::Hsm;
use crate::platform::Platform;
use crate::response::Response;
use crate::verify::{Number, Scheme, Verifier};
use ferrite_crypto::hash::Sha256Stream;
use ferrite_proto::command::{MAX_REFERENCE, PublicKeyAuthentication};
use ferrite_proto::cvc::Request;
use ferrite_proto::status::Status;
use ferrite_store::{Change, Flash, ObjectId, Seal};
use rand_core::Rng as _;

/// Slots for registered keys (specification part 1 §1.8).
pub(crate) const MAX_KEYS: u8 = 8;
/// The key in slot 0 is kept here, the others behind it. No client reaches these ids.
const KEYS: ObjectId = ObjectId(0xE0C0);
const FORMAT: u8 = 1;
/// Longest stored form: format, scheme, length of the holder reference, the reference, the number.
const MAX_STORED: usize = 2 + Scheme::SIZE + MAX_REFERENCE + ferrite_crypto::rsa::MAX_MODULUS;

/// Lengths of a challenge that keys may answer, in bytes. A shorter one could be met again.
const CHALLENGE: core::ops::RangeInclusive<usize> = 8..=256;

/// What a session knows of keys that log in.
#[derive(Default)]
pub(crate) struct KeyLogin {
    /// The key that answers next.
    chosen: Option<u8>,
    /// SHA-256 of the device's name and the challenge, until it is used up.
    challenge: Option<[u8; 32]>,
    /// A bit for each slot whose key has answered.
    authenticated: u8,
    /// A key answered through the secure channel.
    pub(crate) was_protected: bool,
}

impl KeyLogin {
    /// How many keys have answered.
    pub(crate) fn count(&self) -> u8 {
        u8::try_from(self.authenticated.count_ones()).unwrap_or(0)
    }

    fn has(&self, slot: u8) -> bool {
        self.authenticated & bit(slot) != 0
    }
}

fn bit(slot: u8) -> u8 {
    1u8.checked_shl(u32::from(slot)).unwrap_or(0)
}

/// A registered key.
struct RegisteredKey {
    chr: heapless::Vec<u8, MAX_REFERENCE>,
    verifier: Verifier,
}

impl RegisteredKey {
    fn to_bytes(&self) -> heapless::Vec<u8, MAX_STORED> {
        let len = u8::try_from(self.chr.len()).unwrap_or(0);
        let head = [FORMAT].into_iter().chain(self.verifier.scheme.to_bytes()).chain([len]);
        head.chain(self.chr.iter().copied()).chain(self.verifier.number.iter().copied()).collect()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let [FORMAT, a, b, c, len, rest @ ..] = bytes else { return None };
        let (chr, number) = rest.split_at_checked(usize::from(*len))?;
        let verifier = Verifier { scheme: Scheme::from_bytes([*a, *b, *c])?, number: Number::from_slice(number).ok()? };
        Some(Self { chr: heapless::Vec::from_slice(chr).ok()?, verifier })
    }
}

fn key_object(slot: u8) -> ObjectId {
    ObjectId(KEYS.0.saturating_add(u16::from(slot)))
}

impl<P: Platform, F: Flash> Hsm<'_, P, F> {
    /// Whether as many keys have answered as are needed.
    pub(crate) fn is_admitted_by_keys(&self) -> bool {
        self.pka().is_some_and(|pka| self.session.keys.count() >= pka.required)
    }

    /// GET CHALLENGE: random bytes, which registered keys may sign. Keys that have answered an earlier challenge stay
    /// authenticated.
    pub(crate) fn get_challenge(&mut self, len: usize, response: &mut Response<'_>) -> Result<(), Status> {
        let rng = self.random.generator(&mut self.platform).map_err(error::entropy)?;
        let challenge = response.space().get_mut(..len).ok_or(Status::WRONG_LENGTH)?;
        rng.fill_bytes(challenge);
        self.session.keys.challenge = CHALLENGE.contains(&len).then(|| {
            let mut hash = Sha256Stream::new();
            hash.update(&self.name);
            hash.update(challenge);
            hash.finish()
        });
        response.advance(len)
    }

    /// Chooses the registered key that answers next: 6A88 if none has this holder reference, 6985 if it has answered.
    pub(crate) fn choose_registered_key(&mut self, chr: &[u8]) -> Result<(), Status> {
        let total = self.pka().map_or(0, |pka| pka.total);
        for slot in 0..total {
            if self.registered(slot)?.is_some_and(|key| key.chr.as_slice() == chr) {
                self.session.keys.chosen = Some(slot);
                return if self.session.keys.has(slot) { Err(Status::CONDITIONS) } else { Ok(()) };
            }
        }
        Err(Status::REFERENCE_NOT_FOUND)
    }

    /// EXTERNAL AUTHENTICATE: the chosen key's answer to the challenge. A wrong answer uses the challenge up, and so does the
    /// last one that was needed.
    pub(crate) fn external_authenticate(&mut self, signature: &[u8]) -> Result<(), Status> {
        let slot = self.session.keys.chosen.ok_or(Status::REFERENCE_NOT_FOUND)?;
        if signature.is_empty() {
            return Err(Status::WRONG_LENGTH);
        }
        let challenge = self.session.keys.challenge.ok_or(Status::CONDITIONS)?;
        if self.session.keys.has(slot) {
            return Err(Status::CONDITIONS);
        }
        let key = self.registered(slot)?.ok_or(Status::REFERENCE_NOT_FOUND)?;
        if key.verifier.verify_sha256(&challenge, signature).is_err() {
            self.session.keys.challenge = None;
            return Err(Status::CONDITIONS);
        }
        self.session.keys.authenticated |= bit(slot);
        self.session.keys.was_protected |= self.session.is_protected;
        if self.is_admitted_by_keys() {
            self.session.keys.challenge = None;
        }
        Ok(())
    }

    /// Status of public-key authentication, or of one slot: 6A86 if it is not configured.
    pub(crate) fn pka_status(&mut self, slot: Option<u8>, response: &mut Response<'_>) -> Result<(), Status> {
        let pka = self.pka().ok_or(Status::WRONG_P1P2)?;
        let Some(slot) = slot else { return self.report_pka(pka, response) };
        if slot >= pka.total {
            return Err(Status::WRONG_P1P2);
        }
        let key = self.registered(slot)?.ok_or(Status::REFERENCE_NOT_FOUND)?;
        if self.session.keys.has(slot) {
            response.end_with(Status::KEY_AUTHENTICATED);
        }
        response.put(&key.chr)
    }

    /// Registers a key, in the first free slot or in the place of another, which takes the authenticated user and option
    /// 0008. The request for it must be signed by the key and by the device whose certificate was chosen.
    pub(crate) fn register_public_key(
        &mut self,
        slot: Option<u8>,
        request: &[u8],
        response: &mut Response<'_>,
    ) -> Result<(), Status> {
        let pka = self.pka().ok_or(Status::NOT_FOUND)?;
        self.demand(Who::PinHolder)?;
        let slot = match slot {
            Some(_) if !self.options().replaceable_public_keys() => return Err(Status::CONDITIONS),
            Some(slot) if slot >= pka.total => return Err(Status::WRONG_P1P2),
            Some(slot) => {
                self.demand(Who::User)?;
                self.registered(slot)?.map(|_| slot).ok_or(Status::REFERENCE_NOT_FOUND)?
            }
            None => self.free_slot(pka)?.ok_or(Status::FULL)?,
        };
        let key = self.attested_key(request, response.space())?;
        for other in 0..pka.total {
            let is_known = |known: RegisteredKey| known.chr == key.chr || known.verifier.number == key.verifier.number;
            if self.registered(other)?.is_some_and(is_known) {
                return Err(Status::EXISTS);
            }
        }
        let stored = key.to_bytes();
        let put = Change::Put { id: key_object(slot), seal: Seal::Public, meta: &[], content: &stored, counter: None };
        let rng = self.random.generator(&mut self.platform).map_err(error::entropy)?;
        self.storage.open()?.commit(&[put], rng).map_err(error::storage)?;
        // What the old key has answered does not speak for the new one.
        self.session.keys.authenticated &= !bit(slot);
        self.report_pka(pka, response)
    }

    /// The key in a request: 6A80 for what is none, 6985 if one of the two signatures is wrong or not by whom it should be,
    /// or if the key cannot sign challenges.
    fn attested_key(&mut self, bytes: &[u8], scratch: &mut [u8]) -> Result<RegisteredKey, Status> {
        let request = Request::parse_alone(bytes).map_err(|_| Status::WRONG_DATA)?;
        let device = self.chosen_verifier(request.outer_car, scratch)?;
        device.verify(request.signed, request.signature).map_err(|_| Status::CONDITIONS)?;
        let inner = request.certificate;
        let curve = self.curve_below(inner.body.car, scratch)?;
        let verifier = Verifier::new(&inner.body.public_key, curve)?;
        verifier.verify(inner.signed, inner.signature).map_err(|_| Status::CONDITIONS)?;
        if !verifier.scheme.signs_challenges() {
            return Err(Status::CONDITIONS);
        }
        let chr = heapless::Vec::from_slice(inner.body.chr).ok().filter(|chr| !chr.is_empty());
        Ok(RegisteredKey { chr: chr.ok_or(Status::WRONG_DATA)?, verifier })
    }

    /// Total, missing, required and authenticated keys.
    fn report_pka(&mut self, pka: PublicKeyAuthentication, response: &mut Response<'_>) -> Result<(), Status> {
        let mut missing: u8 = 0;
        for slot in 0..pka.total {
            if self.registered(slot)?.is_none() {
                missing = missing.saturating_add(1);
            }
        }
        response.put(&[pka.total, missing, pka.required, self.session.keys.count()])
    }

    fn free_slot(&mut self, pka: PublicKeyAuthentication) -> Result<Option<u8>, Status> {
        for slot in 0..pka.total {
            if self.registered(slot)?.is_none() {
                return Ok(Some(slot));
            }
        }
        Ok(None)
    }

    fn registered(&mut self, slot: u8) -> Result<Option<RegisteredKey>, Status> {
        let store = self.storage.open()?;
        if store.info(key_object(slot)).map_err(error::storage)?.is_none() {
            return Ok(None);
        }
        let mut stored = [0; MAX_STORED];
        let len = store.read(key_object(slot), Seal::Public, 0, &mut stored).map_err(error::storage)?;
        let key = RegisteredKey::from_bytes(stored.get(..len).unwrap_or_default());
        key.map(Some).ok_or(Status::MEMORY_FAILURE)
    }

    fn pka(&self) -> Option<PublicKeyAuthentication> {
        self.config.as_ref()?.pka
    }
}
