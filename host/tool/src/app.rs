//! What every command needs: the device that is meant, its PINs, and somebody to ask.

use crate::channel::Believed;
use crate::login::{self, Holder};
use crate::secret::{self, Secret, Source};
use crate::session_pin;
use crate::terminal::{self, ask};
use clap::Args;
use ferrite_client::hsm::{PinState, tries};
use ferrite_client::proto::command::PinReference;
use ferrite_client::proto::fid::KeyId;
use ferrite_client::proto::status::Status;
use ferrite_client::{AnyTransport, Error, ErrorKind, Hsm, Result};
use std::cell::Cell;

/// A device behind any transport.
pub(crate) type Device = Hsm<AnyTransport>;

/// Why a command was not carried out that its user, asked, did not want.
pub(crate) const DECLINED: &str = "you said no";

/// Options of every command.
#[derive(Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// The device: its serial number, its reader's name or a part of it, or the path of a USB device or of a
    /// virtual device's socket [default: the variable PICO_HSM_DEVICE, else the only one there is]
    #[arg(long, global = true, env = "PICO_HSM_DEVICE", hide_env = true, value_name = "DEVICE")]
    pub(crate) device: Option<String>,
    /// Print one JSON object instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Ask nothing: do what would need a confirmation
    #[arg(short, long, global = true)]
    pub(crate) yes: bool,
    /// Where the user PIN, or a session PIN, is: prompt, env:NAME, file:PATH or fd:NUMBER [default: the variable PICO_HSM_PIN,
    /// else prompt]
    #[arg(long, global = true, value_name = "SOURCE")]
    pub(crate) pin: Option<Source>,
    /// Talk through a secure channel, to a device that is known: root:FILE, a root's certificate, or key:FILE, its public key
    /// [default: the variable PICO_HSM_CHANNEL, else no channel]
    #[arg(long, global = true, env = "PICO_HSM_CHANNEL", hide_env = true, value_name = "TRUST")]
    channel: Option<Believed>,
    /// Log in by a key of another device that is connected, as in SERIAL#login; may be given several times
    #[arg(long, global = true, value_name = "DEVICE#KEY")]
    login_with: Vec<Holder>,
    /// Where the user PIN of those other devices is [default: the variable PICO_HSM_HOLDER_PIN, else prompt]
    #[arg(long, global = true, value_name = "SOURCE")]
    #[arg(long, value_name = "SOURCE")]
    holder_pin: Option<Source>,
    /// The device that was opened has a secure lock, which may be shut.
    #[arg(skip)]
    has_lock: Cell<bool>,
}

impl Global {
    /// Opens the device that is meant. Nobody is logged in.
    ///
    /// # Errors
    /// [`ErrorKind::NoDevice`], [`ErrorKind::Ambiguous`].
    pub(crate) fn open(&self) -> Result<Device> {
        let transport = ferrite_client::open(self.device.as_deref()).map_err(|error| match error.kind() {
            ErrorKind::NoDevice if self.device.is_none() => error.advise_also(
                "A virtual one behind a socket is named by its path: --device PATH\n`pico-hsm-tool doctor` finds out more.",
            ),
            _ => error,
        })?;
        let device = Hsm::open(match &self.channel {
            Some(believed) => believed.open(transport)?,
            None => transport,
        })?;
        self.has_lock.set(device.application().options.secure_lock());
        Ok(device)
    }

    /// A shut lock answers as if something else forbade the use: says that it may be that.
    pub(crate) fn explain(&self, error: Error) -> Error {
        if !self.has_lock.get() || error.status() != Some(Status::CONDITIONS) {
            return error;
        }
        let why = format!("{}, or the device is locked", error.why());
        error.because(why).advise_also("After a start, open the lock first: pico-hsm-tool lock open FILE")
    }

    /// Whether everything goes through a secure channel.
    pub(crate) fn has_channel(&self) -> bool {
        self.channel.is_some()
    }

    /// Opens the device and logs the user in.
    ///
    /// # Errors
    /// As [`Global::open`]; [`ErrorKind::WrongPin`], [`ErrorKind::PinBlocked`]. The state of the PIN is looked at first, so
    /// that nobody is asked for a PIN in vain.
    pub(crate) fn open_and_log_in(&self) -> Result<Device> {
        let mut device = self.open()?;
        self.log_in(&mut device)?;
        Ok(device)
    }

    /// Logs the user in.
    ///
    /// # Errors
    /// As [`Global::open_and_log_in`].
    pub(crate) fn log_in(&self, device: &mut Device) -> Result<()> {
        const WHAT: &str = "log in";
        if !self.login_with.is_empty() {
            // The PIN comes behind the keys: what is on the device is sealed under it.
            login::log_in(device, &self.login_with, self.holder_pin.as_ref())?;
        }
        let state = device.pin_state(PinReference::User)?;
        match state {
            PinState::Blocked => {
                return Err(Error::new(ErrorKind::PinBlocked, WHAT, "the user PIN is blocked")
                    .advise("Unblock it with the SO-PIN: pico-hsm-tool pin unblock"));
            }
            PinState::Transport => {
                return Err(Error::new(ErrorKind::Refused, WHAT, "the user PIN is a transport PIN")
                    .advise("Change it first; then it is yours alone: pico-hsm-tool pin change"));
            }
            PinState::NotSet => {
                return Err(Error::new(ErrorKind::NotFound, WHAT, "the device is not initialised")
                    .advise("Initialise it first: pico-hsm-tool initialize"));
            }
            PinState::LoggedIn | PinState::Tries(_) => {}
        }
        let pin = self.user_pin()?;
        let Some(session_pin) = session_pin::read(&pin)? else { return device.login(&pin) };
        if !self.has_channel() {
            return Err(Error::new(ErrorKind::Usage, WHAT, "a session PIN works through a secure channel only")
                .advise("Add --channel, or give the user PIN."));
        }
        if state == PinState::Tries(1) {
            return Err(Error::new(ErrorKind::Refused, WHAT, "a session PIN that has ended would block the user PIN")
                .advise("One try is left: log in with the user PIN once, which gives it all its tries again."));
        }
        device.login(&session_pin).map_err(|error| match error.kind() {
            ErrorKind::WrongPin { tries_left } => error
                .because(format!("the session PIN has ended, or is another device's; {}", tries(tries_left)))
                .advise("Log in with the user PIN, and make another: pico-hsm-tool pin session make"),
            _ => error,
        })
    }

    /// Opens the device for a command of the rescue application, and says that no channel protects that.
    ///
    /// # Errors
    /// As [`Global::open`].
    pub(crate) fn open_for_rescue(&self) -> Result<Device> {
        let device = self.open()?;
        if self.has_channel() && !self.json {
            eprintln!("Note: the board is asked in the clear, because its rescue application knows no secure channel.");
        }
        Ok(device)
    }

    /// The user PIN, as it is now.
    ///
    /// # Errors
    /// As [`secret::get`].
    pub(crate) fn user_pin(&self) -> Result<Secret> {
        secret::get(self.pin.as_ref(), "PICO_HSM_PIN", "--pin", "user PIN")
    }

    /// Asks before something that cannot be undone. `loss` are whole sentences that say what will be lost.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`]: the answer was no, or there is nobody to ask.
    pub(crate) fn confirm(&self, what: &str, loss: &str) -> Result<()> {
        if self.yes {
            return Ok(());
        }
        if !terminal::is_interactive() {
            return Err(Error::new(
                ErrorKind::Usage,
                what.to_owned(),
                "it needs a confirmation, and this is no terminal",
            )
            .advise(format!("{loss}\nIf that is what you want, add --yes.")));
        }
        if ask(&format!("{loss}\nType yes to go on"))?.eq_ignore_ascii_case("yes") {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Usage, what.to_owned(), DECLINED))
    }

    /// Finds the key that is meant, by number or label.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::Ambiguous`].
    pub(crate) fn find_key(&self, device: &mut Device, name: &str) -> Result<KeyId> {
        find_key(device, name)
    }
}

/// Finds the key that is meant, by number or label.
///
/// # Errors
/// [`ErrorKind::NotFound`], [`ErrorKind::Ambiguous`].
pub(crate) fn find_key(device: &mut Device, name: &str) -> Result<KeyId> {
    let what = || format!("find key {name:?}");
    if let Some(number) = key_number(name) {
        return if number == 0 {
            Err(Error::new(ErrorKind::Usage, what(), "key 0 is the device's own; nobody else uses it"))
        } else {
            Ok(KeyId::new(number))
        };
    }
    let keys = device.objects()?.keys;
    let fitting: Vec<_> = keys.iter().filter(|key| key.label == name).collect();
    match fitting.as_slice() {
        [key] => Ok(key.id),
        [] => Err(Error::new(ErrorKind::NotFound, what(), "no key has this label")
            .advise("List the keys: pico-hsm-tool key list")),
        several => {
            let numbers: Vec<_> = several.iter().map(|key| key.id.value().to_string()).collect();
            Err(Error::new(ErrorKind::Ambiguous, what(), "several keys have this label")
                .advise(format!("Name one by its number: {}", numbers.join(", "))))
        }
    }
}

/// A key's number: decimal, or hexadecimal after `0x`.
fn key_number(text: &str) -> Option<u8> {
    match text.strip_prefix("0x") {
        Some(digits) => u8::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}
