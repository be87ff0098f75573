//! Making keys and opening them for use: GENERATE ASYMMETRIC KEY PAIR, GENERATE SYMMETRIC KEY, and the checks that all uses
//! of a key share (specification part 1 §5.1-5.5, part 2 §0.2).

use crate::access;
use crate::error;
use crate::hsm::Hsm;
use crate::identity::RequestDescription;
use crate::key::{Key, KeyKind, KeyMeta, KeyParameters};
use crate::objects::object;
use crate::platform::Platform;
use crate::response::Response;
use ferrite_crypto::secret_key::{Len, SecretKey};
use ferrite_proto::command::{AlgorithmId, Attributes, Instruction, KeyRequest, SecretKeyLen};
use ferrite_proto::cvc::Origin;
use ferrite_proto::fid::KeyId;
use ferrite_proto::pkcs15;
use ferrite_proto::status::Status;
use ferrite_store::{Change, Flash, Seal};
use zeroize::Zeroizing;

/// Counter given to every key without one of its own while option 0200 is set.
const DEFAULT_COUNTER: u32 = 0xFFFF_FFFE;

/// A use of a key, as the host asks for it.
pub(crate) struct Use<S> {
    pub(crate) key: KeyId,
    /// What the key's list of allowed algorithms must contain.
    pub(crate) algorithm: AlgorithmId,
    pub(crate) instruction: Instruction,
    /// What the algorithm means to the command, or what to answer if it means nothing.
    pub(crate) scheme: Result<S, Status>,
}

/// A key that passed the checks, its origin and its attributes.
pub(crate) struct Opened<'m> {
    pub(crate) key: Key,
    pub(crate) origin: Origin,
    pub(crate) attributes: Attributes<'m>,
}

/// A use that failed.
pub(crate) struct Failure {
    pub(crate) status: Status,
    /// Whether it takes one off the key's counter all the same, because the answer is a hint for an attacker.
    pub(crate) costs_a_use: bool,
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self { status, costs_a_use: false }
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
        self.demand_free(id)?;
        let parameters = KeyParameters::new(request.algorithm)?;
        self.demand_curves(parameters.curves())?;
        let attributes = self.complete(request.attributes)?;
        self.demand_exchange_domain(parameters, &attributes)?;
        // Without a PIN there is nothing to seal the key under, which had better be known before it is made.
        self.session.mkek()?;
        self.confirm_presence(Instruction::GenerateKeyPair, Status::EXECUTION)?;
        let progress = self.platform.progress();
        let rng = self.random.fresh(&mut self.platform).map_err(error::entropy)?;
        let key = Key::generate(parameters, rng, &mut self.platform, &progress)?;
        if response.wanted() == 0 {
            response.send_whole();
        }
        let (origin, car, chr) = (Origin::Generated, request.car, request.chr);
        self.store_new_key(&key, &RequestDescription { id, origin, attributes, car, chr }, response)
    }

    /// GENERATE SYMMETRIC KEY: the key, its description and its certificate request appear together or not at all.
    pub(crate) fn generate_secret_key(
        &mut self,
        id: KeyId,
        len: SecretKeyLen,
        attributes: Attributes<'_>,
        response: &mut Response<'_>,
    ) -> Result<(), Status> {
        self.demand_free(id)?;
        let attributes = self.complete(attributes)?;
        // As cards of this family say it (specification part 1 §5.3).
        self.session
            .mkek()
            .map_err(|status| if status == Status::EXECUTION { Status::MEMORY_FAILURE } else { status })?;
        let len = match len {
            SecretKeyLen::Bits128 => Len::Bits128,
            SecretKeyLen::Bits192 => Len::Bits192,
            SecretKeyLen::Bits256 => Len::Bits256,
            SecretKeyLen::Bits512 => Len::Bits512,
        };
        let rng = self.random.fresh(&mut self.platform).map_err(error::entropy)?;
        let key = Key::Aes(SecretKey::generate(len, rng));
        let origin = Origin::Generated;
        self.store_new_key(&key, &RequestDescription { id, origin, attributes, car: None, chr: None }, response)?;
        response.discard();
        Ok(())
    }

    /// The attributes of a new key, with what the device's options add; refused as [`Hsm::demand_attributes`] does.
    fn complete<'r>(&self, mut attributes: Attributes<'r>) -> Result<Attributes<'r>, Status> {
        if attributes.counter.is_none() && self.options().counts_every_key() {
            attributes.counter = Some(DEFAULT_COUNTER);
        }
        self.demand_attributes(&attributes)?;
        Ok(attributes)
    }

    /// Stores a key with its description and its certificate request, which it leaves in the response. The request
    /// replaces any that an earlier key has left, which must not vouch for this one.
    pub(crate) fn store_new_key(
        &mut self,
        key: &Key,
        request: &RequestDescription<'_>,
        response: &mut Response<'_>,
    ) -> Result<(), Status> {
        self.demand_curves(key.curves())?;
        self.write_request(key, request, response)?;
        self.commit_new_key(key, request, response.data())
    }

    /// Stores key, description and request at once. What it needs of the stack is not there while the key signs.
    #[inline(never)]
    fn commit_new_key(
        &mut self,
        key: &Key,
        described_by: &RequestDescription<'_>,
        request: &[u8],
    ) -> Result<(), Status> {
        let RequestDescription { id, origin, attributes, .. } = *described_by;
        let meta = KeyMeta::build(key, origin, &attributes)?;
        let mut stored = Zeroizing::new([0; Key::MAX_STORED]);
        let stored_len = key.store(&mut stored)?;
        let mut description = [0; pkcs15::MAX_KEY_DESCRIPTION];
        let described = key.describe(id, &mut description)?;
        let kek = self.session.mkek()?.kek();
        let public =
            |id, content| Change::Put { id: object(id), seal: Seal::Public, meta: &[], content, counter: None };
        let secret = Change::Put {
            id: object(id.key()),
            seal: Seal::Secret(&kek),
            meta: &meta,
            content: stored.get(..stored_len).unwrap_or_default(),
            counter: attributes.counter,
        };
        let changes = [secret, public(id.description(), described), public(id.certificate(), request)];
        let rng = self.random.generator(&mut self.platform).map_err(error::entropy)?;
        self.storage.open()?.commit(&changes, rng).map_err(error::storage)
    }

    /// Refuses attributes that are too long to be stored (6A80), and a key domain that the device does not have (6A88).
    pub(crate) fn demand_attributes(&self, attributes: &Attributes<'_>) -> Result<(), Status> {
        if !KeyMeta::fits(attributes) {
            return Err(Status::WRONG_DATA);
        }
        match attributes.domain {
            Some(domain) => self.domain(domain).map(|_| ()).map_err(|_| Status::REFERENCE_NOT_FOUND),
            None => Ok(()),
        }
    }

    /// Refuses a key id that is taken.
    pub(crate) fn demand_free(&mut self, id: KeyId) -> Result<(), Status> {
        let occupant = self.storage.open()?.info(object(id.key())).map_err(error::storage)?;
        if occupant.is_some() { Err(Status::EXISTS) } else { Ok(()) }
    }

    /// Uses a key: the checks of the specification in their order, the operation, and the counter, which goes down,
    /// durably, before the result leaves.
    pub(crate) fn use_key<S>(
        &mut self,
        Use { key: id, algorithm, instruction, scheme }: Use<S>,
        operate: impl FnOnce(&mut Self, &Opened<'_>, S) -> Result<(), Failure>,
    ) -> Result<(), Status> {
        // SYMMETRIC CIPHER asks for presence before anything else (specification part 2 §4).
        let asks_first = instruction == Instruction::SymmetricCipher;
        if asks_first {
            self.confirm_presence(instruction, Status::PRESENCE)?;
        }
        let info = self.storage.open()?.info(object(id.key())).map_err(error::storage)?.ok_or(Status::NOT_FOUND)?;
        // The device key attests other keys; using it on a host's data would forge attestations (D10).
        if id == KeyId::DEVICE {
            return Err(Status::CONDITIONS);
        }
        let meta = KeyMeta::parse(&info.meta).ok_or(Status::MEMORY_FAILURE)?;
        if info.counter == Some(0) {
            return Err(Status::FULL);
        }
        if !meta.allows(algorithm.0) {
            return Err(Status::CONDITIONS);
        }
        let scheme = scheme?;
        if !asks_first {
            self.confirm_presence(instruction, Status::PRESENCE)?;
        }
        let KeyMeta { kind, origin, .. } = meta;
        let opened = Opened { key: self.open_key(id, kind)?, origin, attributes: meta.attributes(info.counter) };
        let result = operate(self, &opened, scheme);
        let counts = result.as_ref().err().is_none_or(|failure| failure.costs_a_use);
        if let Some(counter) = info.counter.filter(|_| counts) {
            let left = counter.saturating_sub(1);
            self.storage.open()?.count(object(id.key()), left).map_err(error::storage)?;
        }
        result.map_err(|failure| failure.status)
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
