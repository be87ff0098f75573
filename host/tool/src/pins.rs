//! `pin` and `so-pin`: how the PINs stand; changing and unblocking them. Session PINs are in [`session_pin`].

use crate::app::Global;
use crate::report::{Report, pairs};
use crate::secret::{self, Source};
use crate::session_pin;
use crate::status::{pin_json, pin_text, tolerate};
use clap::{Args, Subcommand};
use ferrite_client::proto::command::PinReference;
use ferrite_client::{Error, ErrorKind, Result};
use serde_json::json;

/// Look at, change or unblock the user PIN
#[derive(Subcommand)]
pub(crate) enum PinCommand {
    /// Show how the PINs stand; costs no try
    Status,
    /// Change the user PIN
    Change(NewPin),
    /// Unblock the user PIN with the SO-PIN, and set a new one
    Unblock(Unblock),
    #[command(subcommand)]
    Session(session_pin::Command),
}

/// Change the SO-PIN
#[derive(Subcommand)]
pub(crate) enum SoPinCommand {
    /// Change the SO-PIN
    Change(NewSoPin),
}

#[derive(Args)]
pub(crate) struct NewPin {
    /// Where the new PIN is: prompt, env:NAME, file:PATH or fd:NUMBER [default: the variable PICO_HSM_NEW_PIN, else prompt]
    #[arg(long, value_name = "SOURCE")]
    new_pin: Option<Source>,
}

#[derive(Args)]
pub(crate) struct Unblock {
    /// Where the SO-PIN is [default: the variable PICO_HSM_SO_PIN, else prompt]
    #[arg(long, value_name = "SOURCE")]
    so_pin: Option<Source>,
    #[command(flatten)]
    new: NewPin,
    /// Set no new PIN: the old one works again
    #[arg(long, conflicts_with = "new_pin")]
    keep: bool,
}

#[derive(Args)]
pub(crate) struct NewSoPin {
    /// Where the SO-PIN is, as it is now [default: the variable PICO_HSM_SO_PIN, else prompt]
    #[arg(long, value_name = "SOURCE")]
    so_pin: Option<Source>,
    /// Where the new SO-PIN is [default: the variable PICO_HSM_NEW_SO_PIN, else prompt]
    #[arg(long, value_name = "SOURCE")]
    new_so_pin: Option<Source>,
}

impl NewPin {
    fn get(&self) -> Result<secret::Secret> {
        let name = "new user PIN (6 to 16 characters)";
        let check = |pin: &secret::Secret| secret::check_length("set the user PIN", "user PIN", pin, 6);
        secret::get_checked(self.new_pin.as_ref(), "PICO_HSM_NEW_PIN", "--new-pin", name, true, &check)
    }
}

fn current_so_pin(source: Option<&Source>) -> Result<secret::Secret> {
    secret::get(source, "PICO_HSM_SO_PIN", "--so-pin", "SO-PIN").map(|typed| secret::so_pin(&typed))
}

impl PinCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// Those of the client's calls.
    pub(crate) fn run(self, global: &Global) -> Result<Report> {
        if let Self::Session(command) = self {
            return command.run(global);
        }
        let mut device = global.open()?;
        match self {
            Self::Session(command) => command.run(global),
            Self::Status => {
                let user = device.pin_state(PinReference::User)?;
                let so = tolerate(device.pin_state(PinReference::SecurityOfficer))?;
                let json = json!({ "user_pin": pin_json(user), "so_pin": so.map(pin_json) });
                let so = so.map_or_else(|| "not said".into(), pin_text);
                Ok(Report::new(json, pairs(&[("User PIN", pin_text(user)), ("SO-PIN", so)])))
            }
            Self::Change(new) => {
                let old = global.user_pin()?;
                if session_pin::read(&old)?.is_some() {
                    return Err(Error::new(ErrorKind::Usage, "change the PIN", "a session PIN changes nothing")
                        .advise("Give the user PIN itself."));
                }
                device.change_pin(PinReference::User, &old, &new.get()?)?;
                Ok(Report::line(json!({ "changed": "user-pin" }), "The user PIN is changed."))
            }
            Self::Unblock(unblock) => {
                let so_pin = current_so_pin(unblock.so_pin.as_ref())?;
                let new = if unblock.keep { None } else { Some(unblock.new.get()?) };
                device.unblock(&so_pin, new.as_ref().map(|new| new.as_slice()))?;
                let text =
                    if unblock.keep { "The user PIN is unblocked." } else { "The user PIN is unblocked, and new." };
                Ok(Report::line(json!({ "unblocked": true, "changed": !unblock.keep }), text))
            }
        }
    }
}

impl SoPinCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// Those of the client's calls.
    pub(crate) fn run(self, global: &Global) -> Result<Report> {
        let Self::Change(change) = self;
        let mut device = global.open()?;
        let old = current_so_pin(change.so_pin.as_ref())?;
        let name = "new SO-PIN (8 to 16 characters)";
        let check = |pin: &secret::Secret| secret::check_length("change the SO-PIN", "SO-PIN", &secret::so_pin(pin), 8);
        let source = change.new_so_pin.as_ref();
        let new = secret::get_checked(source, "PICO_HSM_NEW_SO_PIN", "--new-so-pin", name, true, &check)?;
        device.change_pin(PinReference::SecurityOfficer, &old, &secret::so_pin(&new))?;
        Ok(Report::line(json!({ "changed": "so-pin" }), "The SO-PIN is changed."))
    }
}
