//! INITIALIZE DEVICE (specification part 1 §4.8, decision D3).
//!
//! Everything is checked before anything is erased, and erasing, new PINs, new master key and new configuration are one
//! transaction: after a power cut the device is the old one or the new one.

use crate::config::{Config, DKEK, Domain};
use crate::configuration::CONFIGURATION;
use crate::error;
use crate::hierarchy::{LoginKey, Mkek, MkekRecord, PinRecord, Role, SO_TRIES};
use crate::hsm::Hsm;
use crate::objects::object;
use crate::pin::{config_change, mkek_change, pin_change};
use crate::pka::{KeyLogin, MAX_KEYS};
use crate::platform::Platform;
use crate::response::Response;
use crate::trust::TrustStore;
use ferrite_crypto::hash::Hash;
use ferrite_proto::command::Initialize;
use ferrite_proto::fid::{FileId, KeyId};
use ferrite_proto::pkcs15::{KeyDescription, KeyType, MAX_KEY_DESCRIPTION};
use ferrite_proto::status::Status;
use ferrite_store::{Change, Flash, ObjectId, Seal};
use rand_core::Rng;
use zeroize::Zeroizing;

impl<P: Platform, F: Flash> Hsm<'_, P, F> {
    /// The information form: free storage in bytes (4), a zero, our own version (2).
    pub(crate) fn device_info(&mut self, response: &mut Response<'_>) -> Result<(), Status> {
        let free = self.storage.open()?.usage().free;
        response.put(&u32::try_from(free).unwrap_or(u32::MAX).to_be_bytes())?;
        response.put(&[0])?;
        response.put(&crate::FIRMWARE_VERSION)
    }

    /// (Re-)initialises the device.
    pub(crate) fn initialize(&mut self, request: &Initialize<'_>, response: &mut Response<'_>) -> Result<(), Status> {
        if request.user_pin.is_none() && request.so_pin.is_none() {
            return Err(Status::EXECUTION);
        }
        let impossible_pka =
            request.pka.is_some_and(|pka| pka.total > MAX_KEYS || pka.required == 0 || pka.required > pka.total);
        // Only the secure lock itself can lock the device: the bit alone would shut its owner out. So would public-key
        // authentication before any key is registered, on a device without an SO.
        let shuts_out = request.pka.is_some() && request.so_pin.is_none();
        if impossible_pka || shuts_out || request.options.is_some_and(|options| options.secure_lock()) {
            return Err(Status::WRONG_DATA);
        }
        self.authorise_initialize(request, response)?;

        let mut config = Config::new(request, self.config.as_ref());
        let rng = self.random.fresh(&mut self.platform).map_err(error::entropy)?;
        let mkek = Mkek::generate(rng);
        let login = LoginKey::generate(rng);
        let sealed_mkek = MkekRecord::seal(&mkek, &login, None, rng);
        let mut dkek = Zeroizing::new([0; 32]);
        rng.fill_bytes(dkek.as_mut());
        let mut has_dkek = false;
        for domain in &mut config.domains {
            if let Domain::Complete { check_value, .. } = domain {
                let hash = Hash::Sha256.digest(&[dkek.as_ref()]);
                check_value.iter_mut().zip(hash.as_ref()).for_each(|(to, from)| *to = *from);
                has_dkek = true;
            }
        }
        let user = self.new_pin(Role::User, request.user_pin.map(|pin| pin.0), config.user_tries, &login, response)?;
        let officer =
            self.new_pin(Role::SecurityOfficer, request.so_pin.map(|pin| pin.0), SO_TRIES, &login, response)?;
        let identity = if self.has_identity() { None } else { Some(self.make_identity()?) };

        let stored_config = config.to_bytes();
        let mut description = [0; MAX_KEY_DESCRIPTION];
        let kek = mkek.kek();
        let keep = if identity.is_none() { is_identity } else { is_configuration };
        let mut changes: heapless::Vec<Change<'_>, 10> = heapless::Vec::new();
        let mut add = |change| changes.push(change).map_err(|_| Status::INTERNAL);
        add(Change::DeleteAllExcept { keep })?;
        add(config_change(&stored_config))?;
        add(mkek_change(&sealed_mkek))?;
        for (role, record) in [(Role::User, &user), (Role::SecurityOfficer, &officer)] {
            if let Some(record) = record {
                add(pin_change(role, record))?;
            }
        }
        if has_dkek {
            add(Change::Put { id: DKEK, seal: Seal::Secret(&kek), meta: &[], content: dkek.as_ref(), counter: None })?;
        }
        if let Some(identity) = &identity {
            let name = crate::identity::own_name(&self.platform.unique_id());
            let device_key = KeyDescription {
                key_type: KeyType::Ec,
                label: name.get(..name.len().saturating_sub(5)).unwrap_or_default(),
                id: &[0; 20],
                bits: ferrite_crypto::ec::Curve::P256.domain().bits,
            };
            let len = device_key.write(&mut description).map_err(|_| Status::INTERNAL)?;
            let key = identity.key.get(..identity.key_len).unwrap_or_default();
            let id = object(KeyId::DEVICE.key());
            add(Change::Put { id, seal: Seal::Device, meta: &[], content: key, counter: None })?;
            let public = [
                (KeyId::DEVICE.description(), description.get(..len).unwrap_or_default()),
                (KeyId::DEVICE.certificate(), &identity.request),
                (FileId::DEVICE_CERTIFICATE, &identity.certificate),
            ];
            for (file, content) in public {
                add(Change::Put { id: object(file), seal: Seal::Public, meta: &[], content, counter: None })?;
            }
        }
        let rng = self.random.generator(&mut self.platform).map_err(error::entropy)?;
        self.storage.open()?.commit(&changes, rng).map_err(error::storage)?;

        let mut roles = [(Role::User, user.is_some()), (Role::SecurityOfficer, officer.is_some())].into_iter();
        let mut present = roles.by_ref().filter(|(_, set)| *set).map(|(role, _)| role);
        if let Some(first) = present.next() {
            self.session.log_in(first, login, Some(mkek));
            present.for_each(|role| self.session.join(role));
        }
        self.session_pin = None;
        self.mask = None;
        self.session.current = None;
        self.session.trust = TrustStore::default();
        self.session.keys = KeyLogin::default();
        self.session.has_initialised = true;
        self.config = Some(config);
        self.reload_name();
        Ok(())
    }

    /// A locked device must be opened first. D3: free on a blank device; after that the SO-PIN in the command must be the
    /// current one, or an SO session be open, or as many registered keys have logged in as are needed. A device that never
    /// had an SO-PIN belongs to its user.
    fn authorise_initialize(&mut self, request: &Initialize<'_>, response: &mut Response<'_>) -> Result<(), Status> {
        if self.options().secure_lock() && self.mask.is_none() {
            return Err(Status::SECURITY_STATUS);
        }
        if self.session.is_logged_in(Role::SecurityOfficer) || self.is_admitted_by_keys() {
            return Ok(());
        }
        if self.pin_record(Role::SecurityOfficer)?.is_none() {
            // Damaged flash may lose the configuration; a PIN that is left still tells a used device from a blank one.
            let is_blank = self.config.is_none() && self.pin_record(Role::User)?.is_none();
            return if is_blank { Ok(()) } else { self.demand(crate::access::Who::User) };
        }
        let so_pin = request.so_pin.ok_or(Status::SECURITY_STATUS)?;
        self.check_pin(Role::SecurityOfficer, so_pin.0, response.space()).map(|_| ())
    }

    fn new_pin(
        &mut self,
        role: Role,
        pin: Option<&[u8]>,
        tries: u8,
        login: &LoginKey,
        response: &mut Response<'_>,
    ) -> Result<Option<PinRecord>, Status> {
        let Some(pin) = pin else { return Ok(None) };
        let rng = self.random.generator(&mut self.platform).map_err(error::entropy)?;
        let record = PinRecord::seal(role, pin, tries, login, &self.roots, rng, response.space());
        record.map(Some).map_err(error::crypto)
    }
}

/// What INITIALIZE always keeps.
fn is_configuration(id: ObjectId) -> bool {
    id == CONFIGURATION
}

/// What INITIALIZE keeps of a device that has an identity.
fn is_identity(id: ObjectId) -> bool {
    let kept =
        [KeyId::DEVICE.key(), KeyId::DEVICE.description(), KeyId::DEVICE.certificate(), FileId::DEVICE_CERTIFICATE];
    kept.map(object).contains(&id) || is_configuration(id)
}
