//! `initialize`: everything is deleted, and the device gets its PINs.

use crate::app::{Device, Global};
use crate::dkek;
use crate::progress::during;
use crate::report::{Report, contents};
use crate::secret::{self, Secret, Source, check_length};
use crate::status::option_names;
use crate::terminal::{self, ask};
use clap::Args;
use ferrite_client::hsm::{PinState, Token};
use ferrite_client::proto::command::{Options, PinReference, PublicKeyAuthentication};
use ferrite_client::{Error, ErrorKind, Initialization, Result};
use serde_json::json;

const WHAT: &str = "initialise the device";
/// Wrong user PINs before it is blocked, if nobody says otherwise.
const RETRIES: u8 = 3;

/// Initialise the device: DELETE EVERYTHING on it and set its PINs
///
/// A blank device takes any SO-PIN. An initialised one wants its current SO-PIN, which stays; a wrong one costs a try.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    basics: Basics,
    /// DKEK shares that will make the key that wraps keys; with 0, a key that nobody knows. Without this, keys never leave
    #[arg(long, value_name = "COUNT", conflicts_with = "key_domains")]
    dkek_shares: Option<u8>,
    /// Number of key domains, which are set up later
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u8).range(1..=16))]
    key_domains: Option<u8>,
    /// Public-key authentication: how many of how many registered keys log in, as in 2/3
    #[arg(long, value_name = "NEEDED/TOTAL", value_parser = parse_pka)]
    pka: Option<PublicKeyAuthentication>,
    /// The certificate of an authority whose devices' keys may be registered; may be given several times
    #[arg(long, value_name = "FILE", requires = "pka")]
    trust: Vec<std::path::PathBuf>,
    /// Wrong user PINs before it is blocked
    #[arg(long, default_value_t = RETRIES, value_parser = clap::value_parser!(u8).range(1..=15))]
    retries: u8,
    /// The SO-PIN cannot unblock the user PIN
    #[arg(long)]
    no_unblock: bool,
    /// The SO-PIN unblocks the user PIN but sets no new one
    #[arg(long)]
    unblock_sets_no_pin: bool,
    /// The user PIN is a transport PIN: it must be changed before anything else
    #[arg(long)]
    transport_pin: bool,
    /// Allow session PINs, which end when the device resets, or only when it loses its power. A program that ends resets the
    /// device
    #[arg(long, value_enum, value_name = "LIFE", num_args = 0..=1, default_missing_value = "until-power-off")]
    session_pin: Option<SessionPin>,
    /// With public-key authentication: need the user PIN too
    #[arg(long, requires = "pka")]
    pin_and_pka: bool,
    /// With public-key authentication: registered keys may be replaced
    #[arg(long, requires = "pka")]
    replaceable_public_keys: bool,
    /// Every use of a key waits for the device's button
    #[arg(long)]
    press_to_confirm: bool,
    /// Every new key gets a use counter
    #[arg(long)]
    count_every_key: bool,
}

/// What every initialisation is told.
#[derive(Args, Clone)]
pub(crate) struct Basics {
    /// Where the SO-PIN is: prompt, env:NAME, file:PATH or fd:NUMBER [default: the variable PICO_HSM_SO_PIN, else prompt]
    #[arg(long, value_name = "SOURCE")]
    so_pin: Option<Source>,
    /// Name of the token [default: the device keeps its own]
    #[arg(long)]
    pub(crate) label: Option<String>,
}

/// What initialising a device found and made.
pub(crate) struct Initialized {
    was_blank: bool,
    is_guided: bool,
    is_hex: bool,
    /// The token, as it is now.
    pub(crate) token: Token,
}

impl Initialized {
    /// What was done, in lines.
    pub(crate) fn text(&self) -> String {
        let hex = if self.is_hex { "The SO-PIN was read as hexadecimal digits, as OpenSC has it.\n" } else { "" };
        format!("The device {} is initialised.\n{hex}", self.token.serial)
    }
}

/// How long a session PIN lives.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum SessionPin {
    /// Until the device resets
    UntilReset,
    /// Until the device loses its power
    UntilPowerOff,
}

fn parse_pka(text: &str) -> std::result::Result<PublicKeyAuthentication, String> {
    let parts = text.split_once('/').and_then(|(required, total)| Some((required.parse().ok()?, total.parse().ok()?)));
    match parts {
        Some((required, total)) if required >= 1 && required <= total => {
            Ok(PublicKeyAuthentication { total, required })
        }
        _ => Err("say how many of how many, as in 2/3".into()),
    }
}

impl Arguments {
    /// An initialisation for one DKEK share, and nothing out of the ordinary.
    pub(crate) fn with_one_share(basics: Basics) -> Self {
        Self {
            basics,
            dkek_shares: Some(1),
            key_domains: None,
            pka: None,
            trust: Vec::new(),
            retries: RETRIES,
            no_unblock: false,
            unblock_sets_no_pin: false,
            transport_pin: false,
            session_pin: None,
            pin_and_pka: false,
            replaceable_public_keys: false,
            press_to_confirm: false,
            count_every_key: false,
        }
    }

    /// Initialises the device.
    ///
    /// # Errors
    /// [`ErrorKind::WrongPin`], [`ErrorKind::PinBlocked`] about the SO-PIN; [`ErrorKind::Usage`].
    pub(crate) fn run(mut self, global: &Global) -> Result<Report> {
        if self.basics.label.is_some() && (self.transport_pin || self.pka.is_some()) {
            let why = "nobody can log in yet to write the label";
            return Err(Error::new(ErrorKind::Usage, WHAT, why)
                .advise("Leave --label out. Once the PIN is changed or the keys are registered: pico-hsm-tool label"));
        }
        if self.pka.is_some() && self.session_pin == Some(SessionPin::UntilPowerOff) && !self.replaceable_public_keys {
            let why = "session PINs that live until power-off and registered keys that stay exclude each other";
            return Err(Error::new(ErrorKind::Usage, WHAT, why).advise(
                "Both are one option of the device. Add --replaceable-public-keys, or take --session-pin=until-reset.",
            ));
        }
        let mut device = global.open()?;
        let done = self.initialize(global, &mut device)?;
        let share = if done.is_guided && self.dkek_shares == Some(1) { dkek::offer_share(&mut device)? } else { None };
        let json = json!({
            "serial": done.token.serial,
            "label": done.token.label,
            "so_pin_read_as": if done.is_hex { "hexadecimal" } else { "text" },
            "options": option_names(device.application().options),
        });
        let mut text = done.text();
        text.push_str(&match (self.dkek_shares, self.key_domains) {
            (Some(0), _) | (None, None) => "Keys cannot leave it: there will be no backups.\n".to_owned(),
            (Some(_), _) if share.is_some() => share.unwrap_or_default(),
            (Some(count), _) => format!(
                "Next, {}:\n  pico-hsm-tool dkek create-share FILE     if it is a new one\n  pico-hsm-tool dkek import-share FILE\n",
                if count == 1 { "with the share of its DKEK".to_owned() } else { format!("with each of the {count} shares of its DKEK") }
            ),
            (None, Some(_)) => {
                "Next, for each key domain: pico-hsm-tool domain create, or pico-hsm-tool group join\n".to_owned()
            }
        });
        // Who had keys here may have a backup.
        let restore = if done.was_blank || self.dkek_shares.is_none() { "" } else { "\npico-hsm-tool restore FILE" };
        Ok(Report::new(json, text).next(format!("pico-hsm-tool key generate p256 --label NAME{restore}")))
    }

    /// Says what will be lost, asks for what was not said, and initialises this device.
    ///
    /// # Errors
    /// As [`Arguments::run`].
    pub(crate) fn initialize(&mut self, global: &Global, device: &mut Device) -> Result<Initialized> {
        let was_blank = device.pin_state(PinReference::User)? == PinState::NotSet;
        if !was_blank {
            let serial = device.token()?.serial;
            global.confirm(WHAT, &loss(device, &serial)?)?;
        }
        let is_guided = terminal::is_interactive() && !global.yes;
        if is_guided {
            self.ask_what_was_not_said()?;
            if was_blank {
                eprintln!(
                    "Two PINs: the user PIN is for every day. The SO-PIN unblocks it, and initialises the device again; nothing\n\
                     opens a blocked SO-PIN."
                );
            }
        }
        let so_pin_name = if was_blank { "SO-PIN (8 to 16 characters)" } else { "SO-PIN, as it is now" };
        let check = |typed: &Secret| check_length(WHAT, "SO-PIN", &secret::so_pin(typed), 8);
        let source = self.basics.so_pin.as_ref();
        let typed = secret::get_checked(source, "PICO_HSM_SO_PIN", "--so-pin", so_pin_name, was_blank, &check)?;
        let so_pin = secret::so_pin(&typed);
        let is_hex = so_pin.len() != typed.len();
        let pin_name = "new user PIN (6 to 16 characters)";
        let check = |pin: &Secret| check_length(WHAT, "user PIN", pin, 6);
        let pin = secret::get_checked(global.pin.as_ref(), "PICO_HSM_PIN", "--pin", pin_name, true, &check)?;

        let roots = crate::authority::read_roots(&self.trust)?;
        let roots: Vec<_> = roots.iter().map(Vec::as_slice).collect();
        let with = Initialization {
            options: self.options(),
            user_pin: &pin,
            so_pin: &so_pin,
            retries: Some(self.retries),
            dkek_shares: self.dkek_shares,
            key_domains: self.key_domains,
            pka: self.pka,
        };
        during("Initialising", || device.initialize_trusting(&with, &roots))?;
        if let Some(label) = &self.basics.label {
            device.login(&pin)?;
            device.set_label(label)?;
        }
        Ok(Initialized { was_blank, is_guided, is_hex, token: device.token()? })
    }

    fn options(&self) -> Options {
        let bits = [
            (!self.no_unblock, 0x0001),
            (self.transport_pin, 0x0002),
            (self.session_pin.is_some(), 0x0004),
            (self.replaceable_public_keys || self.session_pin == Some(SessionPin::UntilPowerOff), 0x0008),
            (self.pin_and_pka, 0x0010),
            (self.unblock_sets_no_pin, 0x0020),
            (self.press_to_confirm, 0x0100),
            (self.count_every_key, 0x0200),
        ];
        Options(bits.into_iter().filter_map(|(is_on, bit)| is_on.then_some(bit)).fold(0, |all, bit| all | bit))
    }

    /// On a terminal, the two things that cannot be changed later are asked for if they were not said.
    fn ask_what_was_not_said(&mut self) -> Result<()> {
        if self.basics.label.is_none() && !self.transport_pin && self.pka.is_none() {
            self.basics.label =
                Some(ask("Name of the token (empty: keep the device's)")?).filter(|label| !label.is_empty());
        }
        if self.dkek_shares.is_none() && self.key_domains.is_none() {
            eprintln!(
                "Shall keys be backed up? They leave the device encrypted under a key (DKEK) that is made of shares: files that\n\
                 you keep. One share is enough if you alone keep it; with more, each for another person, all are needed."
            );
            self.dkek_shares = loop {
                let answer = ask("Number of shares, 1 to 16 (empty: no backups, keys never leave)")?;
                match answer.parse() {
                    _ if answer.is_empty() => break None,
                    Ok(count @ 1..=16) => break Some(count),
                    _ => eprintln!("That is no number from 1 to 16."),
                }
            };
        }
        Ok(())
    }
}

/// What initialising this device deletes.
fn loss(device: &mut Device, serial: &str) -> Result<String> {
    let objects = device.objects()?;
    Ok(format!(
        "Everything on the device {serial} will be deleted, for good:\n\
         {}, its key domains and registered public keys.\n\
         Only what was backed up can come back.",
        contents(objects.keys.len(), objects.certificates.len(), objects.data.len()),
    ))
}
