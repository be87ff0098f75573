//! `pka`: keys of other devices that log in, instead of a PIN or with it.

use crate::app::{Device, Global};
use crate::bytes::{self, Output};
use crate::progress::{during, using};
use crate::report::Report;
use crate::secret::{self, Source};
use clap::{Args, Subcommand};
use ferrite_client::hsm::{Introduction, KeySlot, PublicKeyLogin};
use ferrite_client::{Error, ErrorKind, Hsm, Result};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Keys of other devices that log in (public-key authentication)
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show which keys are registered
    Status,
    /// Write the introduction of a key of this device, to be registered at another
    Introduce(Introduce),
    /// Register a key of another device
    Register(Register),
}

#[derive(Args)]
pub(crate) struct Introduce {
    /// The key: its number, or its label
    key: String,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
pub(crate) struct Register {
    /// The introduction, written by introduce or by sc-hsm-tool --export-for-pub-key-auth
    file: PathBuf,
    /// The slot whose key it replaces [default: the first that is free]
    #[arg(long)]
    slot: Option<u8>,
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// Those of the client's calls.
    pub(crate) fn run(&self, global: &Global) -> Result<Report> {
        match self {
            Self::Status => status(global),
            Self::Introduce(introduce) => {
                let mut device = global.open()?;
                let id = global.find_key(&mut device, &introduce.key)?;
                let file = device.introduce_key(id)?.to_bytes()?;
                introduce.output.deliver("introduction", &file, json!({ "key": id.value() }))
            }
            Self::Register(register) => {
                let introduction = Introduction::parse(&bytes::read(&register.file)?)?;
                let mut device = global.open_and_log_in()?;
                let state = during("Registering the key", || device.register_key(&introduction, register.slot))?;
                let holder = String::from_utf8_lossy(&introduction.holder()?).into_owned();
                let text = format!("{holder} is registered. {}", describe(state));
                Ok(Report::line(login_json(state, &[holder.into()]), text))
            }
        }
    }
}

fn describe(state: PublicKeyLogin) -> String {
    let there = state.total.saturating_sub(state.missing);
    format!("{there} of {} keys are registered; {} log in.", state.total, state.required)
}

fn login_json(state: PublicKeyLogin, keys: &[Value]) -> Value {
    json!({ "slots": state.total, "free": state.missing, "needed": state.required, "keys": keys })
}

fn status(global: &Global) -> Result<Report> {
    let mut device = global.open()?;
    let Some(state) = device.public_key_login()? else {
        let text = "The device was initialised without public-key authentication.";
        return Ok(Report::line(json!({ "slots": 0, "free": 0, "needed": 0, "keys": [] }), text));
    };
    let mut text = describe(state) + "\n";
    let mut keys = Vec::new();
    for slot in 0..state.total {
        let holder = match device.key_slot(slot)? {
            KeySlot::Free => None,
            KeySlot::Registered { holder, .. } => Some(String::from_utf8_lossy(&holder).into_owned()),
        };
        text.push_str(&format!("{slot}  {}\n", holder.as_deref().unwrap_or("free")));
        keys.push(json!(holder));
    }
    Ok(Report::new(login_json(state, &keys), text))
}

/// A key of another device that is connected, which logs in here.
#[derive(Debug, Clone)]
pub(crate) struct Holder {
    device: String,
    key: String,
}

impl std::str::FromStr for Holder {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text.rsplit_once('#') {
            Some((device, key)) if !device.is_empty() && !key.is_empty() => {
                Ok(Self { device: device.into(), key: key.into() })
            }
            _ => Err("say the other device and its key, as in SERIAL#login".into()),
        }
    }
}

/// Logs in by keys of other devices, each of which asks for its own PIN.
///
/// # Errors
/// [`ErrorKind::NotFound`]: a key is not registered; [`ErrorKind::Refused`]: they are too few.
pub(crate) fn log_in(device: &mut Device, holders: &[Holder], pin: Option<&Source>) -> Result<()> {
    for holder in holders {
        let mut theirs = Hsm::open(ferrite_client::open(Some(&holder.device))?)?;
        let id = crate::app::find_key(&mut theirs, &holder.key)?;
        let name = theirs.introduce_key(id)?.holder()?;
        let what = format!("user PIN of the device {}", holder.device);
        theirs.login(&secret::get(pin, "PICO_HSM_HOLDER_PIN", "--holder-pin", &what)?)?;
        let challenge = device.login_challenge()?;
        let answer = using(&mut theirs, "The other device signs", |theirs| theirs.answer_challenge(id, &challenge))?;
        device.login_with_answer(&name, &answer)?;
    }
    match device.public_key_login()? {
        Some(state) if state.authenticated < state.required => {
            let why =
                format!("{} of the registered keys have to answer, and {} did", state.required, state.authenticated);
            Err(Error::new(ErrorKind::NotLoggedIn, "log in", why).advise("Give more of them: --login-with DEVICE#KEY"))
        }
        _ => Ok(()),
    }
}
