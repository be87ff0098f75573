//! The HSM application: its state, and the one `match` that reads like the specification's table of commands.

use crate::VERSION;
use crate::access;
use crate::config::{CONFIG, Config};
use crate::configuration::DeviceConfiguration;
use crate::error;
use crate::extras::TimeOfDay;
use crate::hierarchy::Roots;
use crate::identity::{self, Name};
use crate::platform::{Activity, Platform, Presence};
use crate::random::Random;
use crate::response::Response;
use crate::session::Session;
use crate::session_pin::SessionPin;
use core::time::Duration;
use ferrite_crypto::lock::Mask;
use ferrite_proto::aid;
use ferrite_proto::apdu::Apdu;
use ferrite_proto::command::{Command, Instruction, Options};
use ferrite_proto::fcp;
use ferrite_proto::status::Status;
use ferrite_store::{Flash, Index, Seal, Store};
use zeroize::Zeroizing;

/// Which application answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Application {
    Hsm,
    Rescue,
}

/// The object store, unless the flash region could not be opened.
#[allow(clippy::large_enum_variant, reason = "there is no heap to put the large one on")]
pub(crate) enum Storage<'w, F: Flash> {
    Open(Store<'w, F>),
    /// What is on flash cannot be made out.
    Damaged(F),
    /// There is no randomness, without which nothing can be sealed: the device does not work on.
    Closed,
}

impl<'w, F: Flash> Storage<'w, F> {
    /// The store; 6581 if there is none.
    pub(crate) fn open(&mut self) -> Result<&mut Store<'w, F>, Status> {
        match self {
            Self::Open(store) => Ok(store),
            Self::Damaged(_) | Self::Closed => Err(Status::MEMORY_FAILURE),
        }
    }

    /// What is on flash is not as it should be.
    fn give_up(&mut self) {
        *self = match core::mem::replace(self, Self::Closed) {
            Self::Open(store) => Self::Damaged(store.into_flash()),
            other => other,
        };
    }

    /// Erases a damaged region whole, so that the next start finds a blank one. Says whether it was damaged.
    pub(crate) fn erase_if_damaged(&mut self) -> Result<bool, Status> {
        let Self::Damaged(flash) = self else { return Ok(false) };
        (0..flash.pages()).try_for_each(|page| flash.erase(page)).map_err(|_| Status::MEMORY_FAILURE)?;
        Ok(true)
    }
}

/// Everything behind the APDU layer. Each family of commands is a module with an `impl` of this type.
pub(crate) struct Hsm<'w, P: Platform, F: Flash> {
    pub(crate) platform: P,
    pub(crate) storage: Storage<'w, F>,
    pub(crate) random: Random,
    pub(crate) roots: Roots,
    pub(crate) session: Session,
    /// Outlives a session.
    pub(crate) session_pin: Option<SessionPin>,
    /// The host's secret while the secure lock is open: until the power fails.
    pub(crate) mask: Option<Mask>,
    pub(crate) configuration: DeviceConfiguration,
    pub(crate) clock: TimeOfDay,
    /// `None` while the device is blank.
    pub(crate) config: Option<Config>,
    pub(crate) name: Name,
    application: Application,
}

impl<'w, P: Platform, F: Flash> Hsm<'w, P, F> {
    /// Opens the storage and reads the configuration. Whatever fails there, the card starts: it then reports the
    /// failure to every command that needs what is missing.
    pub(crate) fn start(mut platform: P, flash: F, index: &'w mut Index) -> Self {
        let unique_id = platform.unique_id();
        let mut root = Zeroizing::new([0; 32]);
        platform.root_key(&mut root);
        let (roots, store_root) = Roots::derive(&root, unique_id);
        let mut random = Random::start(&mut platform, &unique_id);
        let storage = match random.generator(&mut platform) {
            Ok(_) => {
                Store::mount(flash, store_root, index).map_or_else(|(flash, _)| Storage::Damaged(flash), Storage::Open)
            }
            Err(_) => Storage::Closed,
        };
        let name = identity::own_name(&unique_id);
        let session = Session::default();
        let mut hsm = Self {
            platform,
            storage,
            random,
            roots,
            session,
            session_pin: None,
            mask: None,
            configuration: DeviceConfiguration::default(),
            clock: TimeOfDay::default(),
            config: None,
            name,
            application: Application::Hsm,
        };
        match hsm.load_config() {
            Ok(config) => hsm.config = config,
            // Without its configuration the device cannot tell blank from initialised: nothing may be overwritten.
            Err(_) => hsm.storage.give_up(),
        }
        hsm.load_configuration();
        hsm.reload_name();
        hsm
    }

    /// Power on or off, or a card reset: every session state is forgotten, and a session PIN unless the options say that it
    /// outlives a reset; the HSM application is selected.
    pub(crate) fn reset(&mut self) {
        self.session = Session::default();
        self.session_pin = self.session_pin.take().filter(|_| self.options().session_pin_outlives_reset());
        self.application = Application::Hsm;
    }

    /// What the indicator shows between commands.
    pub(crate) fn idle_activity(&self) -> Activity {
        if matches!(self.storage, Storage::Open(_)) { Activity::Idle } else { Activity::Fault }
    }

    /// Executes one complete command. If it fails, nothing of a response is left, and no node of a wallet is selected.
    pub(crate) fn execute(&mut self, apdu: &Apdu<'_>, response: &mut Response<'_>) -> Status {
        match self.run(apdu, response) {
            Ok(()) => response.end(),
            Err(status) => {
                self.session.selected = None;
                response.discard();
                status
            }
        }
    }

    fn run(&mut self, apdu: &Apdu<'_>, response: &mut Response<'_>) -> Result<(), Status> {
        if self.application == Application::Rescue && !is_select_application(apdu) {
            return self.rescue(apdu, response);
        }
        let instruction = Instruction::from_ins(apdu.ins).ok_or(Status::INS)?;
        let rule = access::rule_of(instruction).ok_or(Status::INS)?;
        self.demand(access::who(rule, apdu.p1))?;
        match Command::decode(apdu)? {
            Command::SelectApplication { aid } => self.select_application(aid, response),
            Command::SelectFile { file } => self.select_file(file, response),
            Command::SelectMasterFile => self.select_master_file(response),
            Command::ReadBinary { target, offset } => self.read_binary(target, offset as usize, response),
            Command::UpdateBinary { target, offset, content } => self.update_binary(target, offset as usize, content.0),
            Command::DeleteFile { target } => self.delete_file(target),
            Command::EnumerateObjects => self.enumerate(response),
            Command::Verify { reference, pin } => self.verify(reference, pin.map(|pin| pin.0), response),
            Command::ChangeReferenceData { reference, data } => self.change_reference_data(reference, data.0, response),
            Command::ResetRetryCounter { mode, data } => self.reset_retry_counter(mode, data.0, response),
            Command::DeviceInfo => self.device_info(response),
            Command::Initialize(request) => self.initialize(&request, response),
            Command::ManageSecurityEnvironment(environment) => self.manage_security_environment(environment, response),
            Command::VerifyCertificate { certificate } => self.verify_certificate(certificate, response),
            Command::ExternalAuthenticate { signature } => self.external_authenticate(signature),
            Command::GeneralAuthenticate { point } => self.general_authenticate(point, response),
            Command::MakeSessionPin => self.make_session_pin(response),
            Command::ClearSessionPin => self.clear_session_pin(),
            Command::GetChallenge { len } => self.get_challenge(usize::from(len), response),
            Command::GenerateKeyPair { key, request } => self.generate_key_pair(key, &request, response),
            Command::Sign { key, algorithm, data } => self.sign(key, algorithm, data, response),
            Command::Decipher { key, algorithm, data } => self.decipher(key, algorithm, data, response),
            Command::DeriveKey { source, target, tweak } => self.derive_key(source, target, tweak, response),
            Command::GenerateSecretKey { key, len, attributes } => {
                self.generate_secret_key(key, len, attributes, response)
            }
            Command::SymmetricCipher { key, algorithm, data, len } => {
                self.symmetric_cipher(key, algorithm, data.0, len, response)
            }
            Command::CreateSeed { kind, seed, secret } => self.create_seed(kind, seed, secret.map(|secret| secret.0)),
            Command::PublicNode { path } => self.public_node(path, response),
            Command::SelectNode { path } => self.select_node(path),
            Command::KeyDomainStatus { domain } => self.key_domain_status(domain, response),
            Command::ImportShare { domain, share } => self.import_share(domain, share.0, response),
            Command::CreateKeyDomain { domain, shares } => self.create_key_domain(domain, shares, response),
            Command::DeleteKeyDomain { domain } => self.delete_key_domain(domain),
            Command::ClearKeyDomain { domain } => self.clear_key_domain(domain, response),
            Command::CreateExchangeDomain { domain, membership } => {
                self.create_exchange_domain(domain, membership, response)
            }
            Command::WrapKey { key } => self.wrap_key(key, response),
            Command::UnwrapKey { key, blob } => self.unwrap_key(key, blob, response),
            Command::DynamicOptions => self.dynamic_options(response),
            Command::SetDynamicOptions(options) => self.set_dynamic_options(options),
            Command::Clock => self.clock(response),
            Command::SetClock(moment) => self.set_clock(moment),
            Command::Memory => self.memory(response),
            Command::StoredConfiguration => self.stored_configuration(response),
            Command::SecureLockAgreement { point } => self.secure_lock_agreement(point, response),
            Command::SecureLock { operation, message } => self.secure_lock(operation, message),
            Command::PublicKeyAuthenticationStatus { slot } => self.pka_status(slot, response),
            Command::RegisterPublicKey { slot, request } => self.register_public_key(slot, request, response),
        }
    }

    /// SELECT by application identifier: logs out, whatever was selected before (decision D5).
    fn select_application(&mut self, aid: &[u8], response: &mut Response<'_>) -> Result<(), Status> {
        if aid.starts_with(&aid::HSM) {
            self.session.restart();
            self.application = Application::Hsm;
            self.reload_name();
            let written = fcp::application(self.options(), VERSION, response.space());
            return response.advance(written.map_err(|_| Status::INTERNAL)?);
        }
        if aid.starts_with(&aid::RESCUE) {
            self.session.restart();
            self.application = Application::Rescue;
            return self.select_rescue(response);
        }
        Err(Status::NOT_FOUND)
    }

    /// The device's options; none while it is blank.
    pub(crate) fn options(&self) -> Options {
        self.config.as_ref().map(|config| config.options).unwrap_or_default()
    }

    /// Waits for the user's presence, as long as the configuration says; `refused` if it does not come.
    pub(crate) fn ask_presence(&mut self, refused: Status) -> Result<(), Status> {
        self.wait_for_presence(self.presence_limit(), refused)
    }

    /// Waits for the user's presence; `refused` if it does not come, or the host gives up.
    pub(crate) fn wait_for_presence(&mut self, limit: Duration, refused: Status) -> Result<(), Status> {
        self.platform.show(Activity::Presence);
        let presence = self.platform.confirm(limit);
        self.platform.show(Activity::Busy);
        match presence {
            Presence::Confirmed => Ok(()),
            Presence::Refused | Presence::TimedOut | Presence::Cancelled => Err(refused),
        }
    }

    fn load_config(&mut self) -> Result<Option<Config>, Status> {
        let store = self.storage.open()?;
        if store.info(CONFIG).map_err(error::storage)?.is_none() {
            return Ok(None);
        }
        let mut stored = [0; Config::MAX_SIZE];
        let len = store.read(CONFIG, Seal::Public, 0, &mut stored).map_err(error::storage)?;
        let config = Config::from_bytes(stored.get(..len).unwrap_or_default());
        config.map(Some).ok_or(Status::MEMORY_FAILURE)
    }
}

/// SELECT by application identifier is answered whatever application is selected, and ends a command chain.
pub(crate) fn is_select_application(apdu: &Apdu<'_>) -> bool {
    Instruction::from_ins(apdu.ins) == Some(Instruction::Select)
        && apdu.p1 == 0x04
        && matches!(apdu.p2, 0x00 | 0x04 | 0x0C)
}
