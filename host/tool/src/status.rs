//! `status`: what the device is and how it stands.

use crate::app::Global;
use crate::report::{Report, pairs};
use clap::Args;
use ferrite_client::hsm::{DeviceInfo, DomainState, DomainStatus, PinState};
use ferrite_client::proto::command::{Options, PinReference};
use ferrite_client::{Error, ErrorKind, Result};
use serde_json::{Value, json};

/// Show what the device is, how its PINs stand and what it can do
#[derive(Args)]
pub(crate) struct Arguments {}

impl Arguments {
    /// Asks the device.
    ///
    /// # Errors
    /// Those of opening it.
    pub(crate) fn run(&self, global: &Global) -> Result<Report> {
        let mut device = global.open()?;
        let name = device.transport().name();
        let board = tolerate(device.board())?;
        let application = device.application();
        let [major, minor] = application.version;
        let token = device.token()?;
        let info = tolerate(device.device_info())?;
        let firmware = info.map(firmware_version);
        let memory = tolerate(device.memory())?;
        let user = device.pin_state(PinReference::User)?;
        let so = tolerate(device.pin_state(PinReference::SecurityOfficer))?;
        let domains = tolerate(device.domains())?.unwrap_or_default();
        let keys = device.objects()?.keys.len();

        let platform = board.map(|board| platform(board.platform));
        let options = option_names(application.options);
        let json = json!({
            "serial": token.serial,
            "label": token.label,
            "manufacturer": token.manufacturer,
            "where": name,
            "platform": platform,
            "interface_version": format!("{major}.{minor}"),
            "firmware_version": firmware,
            "initialized": user != PinState::NotSet,
            "user_pin": pin_json(user),
            "so_pin": so.map(pin_json),
            "options": options,
            "key_domains": domains.iter().map(domain_json).collect::<Vec<_>>(),
            "keys": keys,
            "free_bytes": info.map(|info| info.free),
            "memory": memory.map(|memory| json!({
                "used": memory.used, "total": memory.total, "records": memory.records, "flash": memory.flash,
            })),
        });
        let or = |text: String, other: &str| if text.is_empty() { other.to_owned() } else { text };
        let mut lines = vec![
            ("Serial number", or(token.serial, "none yet")),
            ("Label", or(token.label, "none")),
            ("Manufacturer", or(token.manufacturer, "not said")),
            ("Where", name),
            (
                "Platform",
                match platform {
                    // The rescue application says it, which no channel leads to.
                    Some(platform) if global.has_channel() => format!("{platform} (said in the clear)"),
                    platform => platform.unwrap_or("a card that does not say").to_owned(),
                },
            ),
            ("Version", version_text(application.version, firmware)),
            ("User PIN", pin_text(user).to_string()),
        ];
        if let Some(so) = so {
            lines.push(("SO-PIN", pin_text(so)));
        }
        lines.push(("Options", if options.is_empty() { "none".into() } else { options.join(", ") }));
        for domain in &domains {
            lines.push(("Key domain", format!("{}: {}", domain.domain, domain_text(&domain.state))));
        }
        lines.push(("Keys", keys.to_string()));
        if let Some(info) = info {
            let of = memory.map_or_else(String::new, |memory| {
                format!(
                    " of {}, {} records, in {} KiB of flash",
                    memory.total / 1024,
                    memory.records,
                    memory.flash / 1024
                )
            });
            lines.push(("Free", format!("{} KiB{of}", info.free / 1024)));
        }
        let mut text = pairs(&lines);
        if user == PinState::NotSet {
            text.push_str("\nThe device is not initialised: pico-hsm-tool initialize\n");
        }
        Ok(Report::new(json, text))
    }
}

/// The version of the firmware, for cards that say one.
pub(crate) fn firmware_version(info: DeviceInfo) -> String {
    format!("{}.{}", info.firmware[0], info.firmware[1])
}

/// Versions in words.
pub(crate) fn version_text([major, minor]: [u8; 2], firmware: Option<String>) -> String {
    format!("interface {major}.{minor}{}", firmware.map_or_else(String::new, |version| format!(", firmware {version}")))
}

/// What a card that does not know the question does not say.
pub(crate) fn tolerate<R>(result: Result<R>) -> Result<Option<R>> {
    let is_unknown = |error: &Error| {
        matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::NotFound | ErrorKind::Refused | ErrorKind::BadAnswer)
    };
    match result {
        Err(error) if is_unknown(&error) => Ok(None),
        result => result.map(Some),
    }
}

fn platform(byte: u8) -> &'static str {
    match byte {
        0 => "RP2040",
        1 => "RP2350",
        2 => "ESP32-S3",
        3 => "virtual device",
        4 => "ESP32-S2",
        _ => "unknown board",
    }
}

/// How a PIN stands, in words.
pub(crate) fn pin_text(state: PinState) -> String {
    match state {
        PinState::LoggedIn => "logged in".into(),
        PinState::Tries(1) => "1 try left".into(),
        PinState::Tries(tries) => format!("{tries} tries left"),
        PinState::Blocked => "blocked".into(),
        PinState::Transport => "transport PIN: change it first".into(),
        PinState::NotSet => "not set".into(),
    }
}

/// How a PIN stands, for programs.
pub(crate) fn pin_json(state: PinState) -> Value {
    let (word, tries) = match state {
        PinState::LoggedIn => ("logged-in", None),
        PinState::Tries(tries) => ("ready", Some(tries)),
        PinState::Blocked => ("blocked", Some(0)),
        PinState::Transport => ("transport", None),
        PinState::NotSet => ("not-set", None),
    };
    json!({ "state": word, "tries_left": tries })
}

/// How a key domain stands, in words.
pub(crate) fn domain_text(state: &DomainState) -> String {
    match state {
        DomainState::Empty => "not set up".into(),
        DomainState::WithoutDkek => "no DKEK: its keys never leave the device".into(),
        DomainState::Waiting { missing, total } => {
            format!("waits for DKEK shares: {} of {total} are there", total.saturating_sub(*missing))
        }
        DomainState::Complete { check_value, total } => {
            format!(
                "DKEK of {total} share{}, check value {}",
                if *total == 1 { "" } else { "s" },
                hex::encode(check_value)
            )
        }
        DomainState::Group { uid, check_value } => {
            let uid: String = hex::encode(uid).chars().take(16).collect();
            match check_value {
                Some(value) => format!("group {uid}..., agreed on a DKEK, check value {}", hex::encode(value)),
                None => format!("group {uid}..., no DKEK agreed on yet"),
            }
        }
    }
}

/// How a key domain stands, for programs.
pub(crate) fn domain_json(status: &DomainStatus) -> Value {
    let domain = status.domain;
    match &status.state {
        DomainState::Empty => json!({ "domain": domain, "state": "empty" }),
        DomainState::WithoutDkek => json!({ "domain": domain, "state": "without-dkek" }),
        DomainState::Waiting { missing, total } => {
            json!({ "domain": domain, "state": "waiting", "missing": missing, "shares": total })
        }
        DomainState::Complete { check_value, total } => {
            json!({ "domain": domain, "state": "complete", "check_value": hex::encode(check_value), "shares": total })
        }
        DomainState::Group { uid, check_value } => json!({
            "domain": domain, "state": "group", "uid": hex::encode(uid), "check_value": check_value.map(hex::encode),
        }),
    }
}

/// The options that are on, by name.
pub(crate) fn option_names(options: Options) -> Vec<&'static str> {
    let all = [
        (options.reset_retry_counter(), "pin-unblock"),
        (options.transport_pin(), "transport-pin"),
        (options.session_pin(), "session-pin"),
        (options.combined_authentication(), "pin-and-pka"),
        (options.reset_counter_only(), "unblock-sets-no-pin"),
        (options.press_to_confirm(), "press-to-confirm"),
        (options.counts_every_key(), "count-every-key"),
        (options.secure_lock(), "secure-lock"),
    ];
    all.into_iter().filter_map(|(is_on, name)| is_on.then_some(name)).collect()
}
