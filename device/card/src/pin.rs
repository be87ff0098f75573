//! VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER (specification part 1 §4.5-4.7 and §7, decisions D4, D9).

use crate::config::CONFIG;
use crate::error;
use crate::hierarchy::{LoginKey, MAX_PIN, MkekRecord, PinRecord, Role};
use crate::hsm::Hsm;
use crate::platform::Platform;
use crate::response::Response;
use ferrite_proto::command::{PinReference, UnblockMode};
use ferrite_proto::status::Status;
use ferrite_store::{Change, Flash, Seal};

impl<P: Platform, F: Flash> Hsm<'_, P, F> {
    /// VERIFY with a PIN, or without one: how many tries are left.
    pub(crate) fn verify(
        &mut self,
        reference: PinReference,
        pin: Option<&[u8]>,
        response: &mut Response<'_>,
    ) -> Result<(), Status> {
        let role = role_of(reference)?;
        if role == Role::User && self.options().transport_pin() {
            return Err(Status::DATA_INVALID);
        }
        match pin {
            Some(pin) => {
                let login = match role {
                    Role::User => self.check_user(pin, response.space())?,
                    Role::SecurityOfficer => self.check_pin(role, pin, response.space())?,
                };
                self.log_in(role, login)?;
                self.adopt_dkeks();
                Ok(())
            }
            None if self.session.is_logged_in(role) => Ok(()),
            None => {
                let (_, tries) = self.pin_record(role)?.ok_or(Status::REFERENCE_NOT_FOUND)?;
                Err(tries_left(tries))
            }
        }
    }

    /// CHANGE REFERENCE DATA: the old PIN, then the new one, split at the old one's length.
    pub(crate) fn change_reference_data(
        &mut self,
        reference: PinReference,
        data: &[u8],
        response: &mut Response<'_>,
    ) -> Result<(), Status> {
        let role = role_of(reference)?;
        let (record, _) = self.pin_record(role)?.ok_or(Status::REFERENCE_NOT_FOUND)?;
        let (old, new) = split_pins(data, record.pin_len(), role, role)?;
        let login = self.check_pin(role, old, response.space())?;
        self.log_in(role, login)?;
        // A transport PIN that stays the same has not been changed: who had it before would have it still (D9).
        if role == Role::User && self.options().transport_pin() && new == old {
            return Err(Status::WRONG_DATA);
        }
        self.replace_pin(role, new, record.tries(), response.space())
    }

    /// RESET RETRY COUNTER of the user PIN by the SO, with or without a new PIN.
    ///
    /// Options have CardContact's meaning: 0001 enables the command, 0020 restricts it to the counter.
    pub(crate) fn reset_retry_counter(
        &mut self,
        mode: UnblockMode,
        data: &[u8],
        response: &mut Response<'_>,
    ) -> Result<(), Status> {
        let (officer, _) = self.pin_record(Role::SecurityOfficer)?.ok_or(Status::REFERENCE_NOT_FOUND)?;
        let options = self.options();
        let sets_pin = matches!(mode, UnblockMode::SoPinAndNew | UnblockMode::New);
        if !options.reset_retry_counter() || (sets_pin && options.reset_counter_only()) {
            return Err(Status::NOT_ALLOWED);
        }
        let (so_pin, new) = match mode {
            UnblockMode::SoPinAndNew => {
                let (so_pin, new) = split_pins(data, officer.pin_len(), Role::SecurityOfficer, Role::User)?;
                (Some(so_pin), Some(new))
            }
            UnblockMode::SoPinOnly if Role::SecurityOfficer.length_is_legal(data.len()) => (Some(data), None),
            UnblockMode::New => (None, Some(data)),
            UnblockMode::Nothing if data.is_empty() => (None, None),
            UnblockMode::SoPinOnly | UnblockMode::Nothing => return Err(Status::WRONG_LENGTH),
        };
        match so_pin {
            Some(so_pin) => {
                let login = self.check_pin(Role::SecurityOfficer, so_pin, response.space())?;
                self.log_in(Role::SecurityOfficer, login)?;
            }
            None if self.session.is_logged_in(Role::SecurityOfficer) => {}
            None => return Err(Status::CONDITIONS),
        }
        match new {
            Some(new) => {
                let tries = self.config.as_ref().ok_or(Status::REFERENCE_NOT_FOUND)?.user_tries;
                self.replace_pin(Role::User, new, tries, response.space())
            }
            None => {
                let (record, _) = self.pin_record(Role::User)?.ok_or(Status::REFERENCE_NOT_FOUND)?;
                let tries = u32::from(record.tries());
                self.storage.open()?.count(Role::User.object(), tries).map_err(error::storage)
            }
        }
    }

    /// Tries a PIN: the counter goes down, durably, before the comparison, and is restored after a right PIN.
    /// Whoever was logged in is logged out. A blocked PIN is not compared at all.
    pub(crate) fn check_pin(&mut self, role: Role, pin: &[u8], memory: &mut [u8]) -> Result<LoginKey, Status> {
        let (record, tries) = self.pin_record(role)?.ok_or(Status::REFERENCE_NOT_FOUND)?;
        self.session.log_out();
        let left = tries.checked_sub(1).ok_or(Status::BLOCKED)?;
        self.storage.open()?.count(role.object(), left).map_err(error::storage)?;
        match record.open(role, pin, &self.roots, memory) {
            Ok(login) => {
                let full = u32::from(record.tries());
                self.storage.open()?.count(role.object(), full).map_err(error::storage)?;
                Ok(login)
            }
            Err(_) => Err(tries_left(left)),
        }
    }

    /// Logs one role in with what its PIN opened. While the secure lock is on and the mask has not been given, the role is
    /// logged in and nothing that is sealed opens.
    pub(crate) fn log_in(&mut self, role: Role, login: LoginKey) -> Result<(), Status> {
        let record = self.mkek_record()?;
        let mkek = match (record.needs_mask(), &self.mask) {
            (true, None) => None,
            (_, mask) => Some(record.open(&login, mask.as_ref()).map_err(|_| Status::MEMORY_FAILURE)?),
        };
        self.session.log_in(role, login, mkek);
        Ok(())
    }

    /// The sealed MKEK.
    pub(crate) fn mkek_record(&mut self) -> Result<MkekRecord, Status> {
        let mut bytes = [0; MkekRecord::SIZE];
        let len = self.storage.open()?.read(MkekRecord::OBJECT, Seal::Device, 0, &mut bytes).map_err(error::storage)?;
        let record = if len == bytes.len() { MkekRecord::from_bytes(bytes) } else { None };
        record.ok_or(Status::MEMORY_FAILURE)
    }

    /// The record of a PIN and its tries left; `None` if that PIN was never set.
    pub(crate) fn pin_record(&mut self, role: Role) -> Result<Option<(PinRecord, u32)>, Status> {
        let store = self.storage.open()?;
        let Some(info) = store.info(role.object()).map_err(error::storage)? else { return Ok(None) };
        let mut bytes = [0; PinRecord::SIZE];
        let read = store.read(role.object(), Seal::Device, 0, &mut bytes).map_err(error::storage)?;
        if read != PinRecord::SIZE || info.len != PinRecord::SIZE {
            return Err(Status::MEMORY_FAILURE);
        }
        let record = PinRecord::from_bytes(bytes).ok_or(Status::MEMORY_FAILURE)?;
        Ok(Some((record, info.counter.unwrap_or(0))))
    }

    /// Stores a PIN in place of the old one, for the session's login key; the tries start anew. A new user PIN ends the
    /// transport PIN's state (D9).
    fn replace_pin(&mut self, role: Role, pin: &[u8], tries: u8, memory: &mut [u8]) -> Result<(), Status> {
        match pin.len() {
            0 => return Err(Status::WRONG_LENGTH),
            len if !role.length_is_legal(len) => return Err(Status::WRONG_DATA),
            _ => {}
        }
        let login = self.session.login()?;
        let rng = self.random.generator(&mut self.platform).map_err(error::entropy)?;
        let record = PinRecord::seal(role, pin, tries, login, &self.roots, rng, memory).map_err(error::crypto)?;
        let mut config = self.config.clone().ok_or(Status::REFERENCE_NOT_FOUND)?;
        if role == Role::User {
            self.session_pin = None;
            config.options = config.options.without_transport_pin();
        }
        let stored = config.to_bytes();
        let changes = [pin_change(role, &record), config_change(&stored)];
        // The configuration is rewritten only when it changed: PIN changes are frequent, flash is not for ever.
        let changes = if self.config.as_ref() == Some(&config) { changes.get(..1) } else { changes.get(..) };
        self.storage.open()?.commit(changes.unwrap_or_default(), rng).map_err(error::storage)?;
        self.config = Some(config);
        Ok(())
    }
}

/// The change that stores a PIN record with all its tries.
pub(crate) fn pin_change(role: Role, record: &PinRecord) -> Change<'_> {
    Change::Put {
        id: role.object(),
        seal: Seal::Device,
        meta: &[],
        content: record.as_bytes(),
        counter: Some(u32::from(record.tries())),
    }
}

/// The change that stores the sealed MKEK.
pub(crate) fn mkek_change(record: &MkekRecord) -> Change<'_> {
    Change::Put { id: MkekRecord::OBJECT, seal: Seal::Device, meta: &[], content: record.as_bytes(), counter: None }
}

/// The change that stores the configuration.
pub(crate) fn config_change(stored: &[u8]) -> Change<'_> {
    Change::Put { id: CONFIG, seal: Seal::Public, meta: &[], content: stored, counter: None }
}

/// The status word for a wrong PIN or a query: x tries left, or blocked.
fn tries_left(left: u32) -> Status {
    match u8::try_from(left) {
        Ok(0) => Status::BLOCKED,
        Ok(left) => Status::tries_left(left),
        Err(_) => Status::MEMORY_FAILURE,
    }
}

/// Splits `old ‖ new`. Only data that is too short or too long for any two PINs is refused (6700): the length of the old
/// one must not be found out without spending a try.
fn split_pins(data: &[u8], old_len: usize, old: Role, new: Role) -> Result<(&[u8], &[u8]), Status> {
    let shortest = old.shortest_pin().saturating_add(new.shortest_pin());
    if !(shortest..=MAX_PIN.saturating_mul(2)).contains(&data.len()) {
        return Err(Status::WRONG_LENGTH);
    }
    Ok(data.split_at_checked(old_len).unwrap_or((data, &[])))
}

fn role_of(reference: PinReference) -> Result<Role, Status> {
    match reference {
        PinReference::User => Ok(Role::User),
        PinReference::SecurityOfficer => Ok(Role::SecurityOfficer),
        // OpenSC probes 85 and 86 (biometric templates) and needs exactly this.
        PinReference::Other(_) => Err(Status::REFERENCE_NOT_FOUND),
    }
}
