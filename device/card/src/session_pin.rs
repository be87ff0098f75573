//! The session PIN: eight random bytes that stand for the user PIN inside the secure channel, so that a host need not keep the
//! PIN itself (decision D8). It is never in flash: power that fails, fails it too.

use crate::access::Who;
use crate::error;
use crate::hierarchy::{LoginKey, Role, SealedKey};
use crate::hsm::Hsm;
use crate::platform::Platform;
use crate::response::Response;
use ferrite_crypto::{aead, kdf};
use ferrite_proto::status::Status;
use ferrite_store::Flash;
use rand_core::CryptoRng;
use rand_core::Rng as _;
use zeroize::Zeroizing;

/// Length of a session PIN, in bytes.
const LEN: usize = 8;
/// Wrong tries that it takes.
const TRIES: u8 = 3;
const SALT: usize = 16;

/// The login key under a session PIN.
pub(crate) struct SessionPin {
    salt: [u8; SALT],
    sealed: SealedKey,
    tries: u8,
}

impl SessionPin {
    fn seal(pin: &[u8; LEN], login: &LoginKey, rng: &mut impl CryptoRng) -> Self {
        let mut salt = [0; SALT];
        rng.fill_bytes(&mut salt);
        Self { salt, sealed: login.seal(&key(pin, &salt), &[]), tries: TRIES }
    }

    /// What is left of it; `None` after the last try.
    fn after_wrong_try(self) -> Option<Self> {
        let tries = self.tries.saturating_sub(1);
        (tries > 0).then_some(Self { tries, ..self })
    }
}

/// Used for one session PIN only, so that the nonce may be constant.
fn key(pin: &[u8], salt: &[u8; SALT]) -> aead::Key {
    let mut key = Zeroizing::new([0; 32]);
    kdf::hkdf_sha256(salt, pin, &[b"ferrite session pin"], &mut key);
    aead::Key::from_bytes(&key)
}

impl<P: Platform, F: Flash> Hsm<'_, P, F> {
    /// Makes a session PIN. 6D00 without option 0004; 6982 unless the user is logged in and asks through the channel.
    pub(crate) fn make_session_pin(&mut self, response: &mut Response<'_>) -> Result<(), Status> {
        self.demand_session_pins()?;
        let rng = self.random.generator(&mut self.platform).map_err(error::entropy)?;
        let mut pin = Zeroizing::new([0; LEN]);
        rng.fill_bytes(pin.as_mut());
        self.session_pin = Some(SessionPin::seal(&pin, self.session.login()?, rng));
        response.put(pin.as_ref())
    }

    /// Forgets the session PIN, under the same conditions.
    pub(crate) fn clear_session_pin(&mut self) -> Result<(), Status> {
        self.demand_session_pins()?;
        self.session_pin = None;
        Ok(())
    }

    /// The login key if this is the user PIN or, given through the channel while the user PIN is not blocked, the session PIN.
    /// What is neither costs a try of both; the third forgets the session PIN.
    pub(crate) fn check_user(&mut self, pin: &[u8], memory: &mut [u8]) -> Result<LoginKey, Status> {
        if !self.may_be_session_pin(pin) {
            return self.check_pin(Role::User, pin, memory);
        }
        if let Some(login) = self.open_with_session_pin(pin) {
            return Ok(login);
        }
        let checked = self.check_pin(Role::User, pin, memory);
        if checked.is_err() {
            self.session_pin = self.session_pin.take().and_then(SessionPin::after_wrong_try);
        }
        checked
    }

    fn may_be_session_pin(&mut self, pin: &[u8]) -> bool {
        self.session.is_protected
            && pin.len() == LEN
            && self.options().session_pin()
            && self.session_pin.is_some()
            && self.pin_record(Role::User).ok().flatten().is_some_and(|(_, tries)| tries > 0)
    }

    fn open_with_session_pin(&mut self, pin: &[u8]) -> Option<LoginKey> {
        let session_pin = self.session_pin.as_mut()?;
        let login = session_pin.sealed.open_login(&key(pin, &session_pin.salt), &[]).ok()?;
        session_pin.tries = TRIES;
        Some(login)
    }

    fn demand_session_pins(&self) -> Result<(), Status> {
        if !self.options().session_pin() {
            return Err(Status::INS);
        }
        // A user by registered keys alone has verified no PIN that another could stand for.
        let has_pin = self.session.is_protected && self.session.is_logged_in(Role::User);
        if has_pin { self.demand(Who::UserOfShutDevice) } else { Err(Status::SECURITY_STATUS) }
    }
}
