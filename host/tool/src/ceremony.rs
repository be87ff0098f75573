//! `ceremony`: a DKEK share in the hands of custodians, from the blank device to the signed minutes.

use crate::app::{Device, Global};
use crate::bytes;
use crate::dkek::{self, ONE_MISSING};
use crate::initialize::{self, Basics, Initialized};
use crate::minutes::Minutes;
use crate::parts;
use crate::rehearsal::Rehearse;
use crate::report::Report;
use crate::status::{domain_text, firmware_version, tolerate, version_text};
use crate::terminal::{self, ask};
use clap::{Args, Subcommand};
use ferrite_client::crypto::dkek::CHECK_VALUE;
use ferrite_client::crypto::hash::Hash;
use ferrite_client::custody::share::{self, Share};
use ferrite_client::custody::threshold::Part;
use ferrite_client::hsm::{DomainState, PinState, Token};
use ferrite_client::proto::command::PinReference;
use ferrite_client::{Error, ErrorKind, Result};
use serde_json::json;
use std::path::PathBuf;
use std::slice;

const WHAT: &str = "hold the ceremony";

/// A ceremony with n of m custodians: rehearse it, then hold it
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Play it on a virtual device: share, parts, key, backup, loss, restore
    Rehearse(Rehearse),
    /// Hold it: make a share, hand out its parts, prove that they open it, import it
    ///
    /// The device gets a DKEK whose only share is in the hands of custodians. One that is not initialised is initialised first.
    /// Stopped before the parts are proved to open it, the share is removed, and the ceremony can begin again.
    Hold(Hold),
}

/// How many custodians there are.
#[derive(Args, Clone, Copy)]
pub(crate) struct Custodians {
    /// Number of custodians
    #[arg(long, value_parser = clap::value_parser!(u32).range(3..=255))]
    pub(crate) parts: u32,
    /// How many of them are needed
    #[arg(long, value_parser = clap::value_parser!(u32).range(2..=255))]
    pub(crate) needed: u32,
}

impl Custodians {
    /// Whether they can be.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`].
    pub(crate) fn check(self, what: &'static str) -> Result<()> {
        if self.needed > self.parts {
            return Err(Error::new(ErrorKind::Usage, what, "more parts are needed than there are"));
        }
        Ok(())
    }
}

#[derive(Args)]
pub(crate) struct Hold {
    /// The file of the share, which is made
    file: PathBuf,
    #[command(flatten)]
    custodians: Custodians,
    /// The key domain that gets the DKEK
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(..=15))]
    domain: u8,
    /// Write each part to a file in this directory, instead of showing it to its custodian
    #[arg(long, value_name = "DIR")]
    parts_to: Option<PathBuf>,
    /// Write a record for the minutes to this file: no secrets, and lines to sign on
    #[arg(long, value_name = "FILE")]
    minutes: Option<PathBuf>,
    /// Initialise a device that is initialised: DELETE EVERYTHING on it
    #[arg(long)]
    initialize: bool,
    #[command(flatten)]
    basics: Basics,
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// Whatever goes wrong.
    pub(crate) fn run(&self, global: &Global) -> Result<Report> {
        match self {
            Self::Rehearse(rehearse) => rehearse.run(),
            Self::Hold(hold) => hold.run(global),
        }
    }
}

impl Hold {
    fn run(&self, global: &Global) -> Result<Report> {
        self.check()?;
        let mut device = global.open()?;
        let initializes = self.must_initialize(&mut device)?;
        if terminal::is_interactive() && !global.yes {
            eprintln!("{}", self.plan(&device.token()?.serial, initializes));
            ask("Press Enter to begin, Ctrl-C to stop")?;
        }
        let initialized = match initializes {
            true => Some(initialize::Arguments::with_one_share(self.basics.clone()).initialize(global, &mut device)?),
            false => None,
        };
        let share = self.make_and_prove().map_err(|error| {
            error.advise_also(match initializes {
                true => {
                    "The device is initialised, and waits for a share. Hold the ceremony again, without --initialize and --label."
                }
                false => "The device is as it was. The ceremony can be held again.",
            })
        })?;
        let check_value = self.import(&mut device, &share).map_err(|error| {
            error.advise_also(&format!(
                "{} stands, and its parts open it. See whether the device has it: pico-hsm-tool domain list\n\
                 While it waits for the share: {}",
                self.file.display(),
                self.import_command()
            ))
        })?;
        self.report(&mut device, initialized.as_ref(), &hex::encode(check_value))
    }

    /// What would fail later for sure fails before anything is done.
    fn check(&self) -> Result<()> {
        self.custodians.check(WHAT)?;
        if self.parts_to.is_none() {
            parts::need_screen()?;
        }
        if self.minutes.as_ref() == Some(&self.file) {
            return Err(Error::new(ErrorKind::Usage, WHAT, "the share and the minutes cannot be one file"));
        }
        let parts = self.parts_to.iter();
        let parts = parts.flat_map(|directory| (1..=self.custodians.parts).map(|id| parts::path(directory, id)));
        [&self.file].into_iter().chain(&self.minutes).cloned().chain(parts).try_for_each(|path| bytes::check_new(&path))
    }

    /// Whether the device has to be initialised first; if it is initialised and has no use for a share, what to do instead.
    fn must_initialize(&self, device: &mut Device) -> Result<bool> {
        if self.initialize || device.pin_state(PinReference::User)? == PinState::NotSet {
            if self.domain != 0 {
                let why = "a device that is initialised for one share has key domain 0 only";
                return Err(Error::new(ErrorKind::Usage, WHAT, why).advise(
                    "Leave --domain out, or make the domains first: pico-hsm-tool initialize --key-domains N",
                ));
            }
            return Ok(true);
        }
        if self.basics.label.is_some() {
            return Err(Error::new(ErrorKind::Usage, WHAT, "the device is initialised, and keeps its label")
                .advise("Leave --label out; to change it: pico-hsm-tool label"));
        }
        let domain = self.domain;
        let found = device.domains()?.into_iter().find(|status| status.domain == domain);
        let Some(state) = found.map(|status| status.state) else {
            let why = format!("the device was initialised without key domain {domain}");
            return Err(Error::new(ErrorKind::Refused, WHAT, why).advise(ANEW));
        };
        let instead = match &state {
            state if *state == ONE_MISSING => return Ok(false),
            DomainState::Empty => {
                format!("Set it up for one share: pico-hsm-tool domain create {domain} --shares 1")
            }
            DomainState::Waiting { .. } => "The ceremony makes an only share. Where several shares make the DKEK, each has custodians of its own:\n  \
                 pico-hsm-tool dkek create-share FILE --parts N --needed M\n  \
                 pico-hsm-tool dkek import-share FILE --ask-parts M"
                .into(),
            DomainState::Complete { .. } => format!(
                "Its shares are what restores its keys: keep them. For another DKEK, which opens no backup under this one:\n  \
                 pico-hsm-tool domain clear {domain}"
            ),
            DomainState::WithoutDkek | DomainState::Group { .. } => "It takes no share.".into(),
        };
        let why = format!("key domain {domain} does not wait for one share: {}", domain_text(&state));
        Err(Error::new(ErrorKind::Refused, WHAT, why).advise(instead).advise_also(ANEW))
    }

    /// What will happen, and who must be there.
    fn plan(&self, serial: &str, initializes: bool) -> String {
        let Custodians { parts, needed } = self.custodians;
        let mut steps = Vec::new();
        if initializes {
            steps.push(format!("The device {serial} is initialised: nothing on it is left, and it gets its PINs."));
        }
        steps.push(format!(
            "A DKEK share is made, in {}, under a random password in {parts} parts.",
            self.file.display()
        ));
        match &self.parts_to {
            None => {
                steps.push(format!(
                    "The {parts} custodians come to the screen, one after the other, each alone: each writes their part\n    \
                     down and types it back."
                ));
                steps.push(format!("Any {needed} of them type their parts again: proof that these open the share."));
            }
            Some(directory) => {
                let directory = directory.display();
                steps.push(format!("The parts are written to {directory}, a file for each custodian."));
                steps.push(format!("The share is opened with {needed} of these files: proof that they do."));
            }
        }
        steps.push(format!(
            "The device {serial} takes the share into key domain {}, and says the check value of the DKEK.",
            self.domain
        ));
        if let Some(minutes) = &self.minutes {
            steps.push(format!(
                "The record for the minutes is written to {}, to be printed and signed.",
                minutes.display()
            ));
        }
        let steps: String = (1..).zip(steps).map(|(at, step)| format!("{at:2}. {step}\n")).collect();
        let pins = if initializes { ", and whoever chooses or knows the PINs" } else { "" };
        format!(
            "What will happen:\n{steps}Who must be here: all {parts} custodians{pins}. Nobody else sees the screen, and no camera.\n\
             Ctrl-C at any question stops it; what stands then is said."
        )
    }

    /// Makes the share, hands its parts out, and opens it with what they were handed out as.
    fn make_and_prove(&self) -> Result<Share> {
        let _signals = terminal::hold_signals();
        let Custodians { parts, needed } = self.custodians;
        let made = dkek::create_in_parts(&self.file, parts, needed, self.parts_to.as_deref())?;
        self.prove(&made).map_err(|error| {
            if let Some(directory) = &self.parts_to {
                parts::remove(directory, 1..=parts);
            }
            dkek::discard(&self.file, error)
        })
    }

    fn prove(&self, made: &[Part]) -> Result<Share> {
        let needed = self.custodians.needed;
        let file = bytes::read(&self.file)?;
        let Some(directory) = &self.parts_to else {
            eprintln!("Now the proof: any {needed} of the custodians type their parts again.");
            return dkek::open_with_custodians(&file, needed);
        };
        let paths: Vec<_> = made.iter().map(|part| parts::path(directory, part.id)).collect();
        let read = parts::read(&paths)?;
        if read != made {
            return Err(Error::new(ErrorKind::Verification, WHAT, "the files of the parts hold something else"));
        }
        let needed = usize::try_from(needed).unwrap_or(usize::MAX);
        dkek::open_with_parts(&file, read.get(..needed).unwrap_or(&read))
    }

    /// Imports the share; returns the DKEK's check value.
    fn import(&self, device: &mut Device, share: &Share) -> Result<[u8; CHECK_VALUE]> {
        let check_value = share::join(slice::from_ref(share))?.check_value();
        match device.import_share(self.domain, share.as_bytes())?.state {
            DomainState::Complete { check_value: theirs, .. } if theirs == check_value => Ok(check_value),
            other => {
                let why = format!("the device does not have the DKEK of this share: {}", domain_text(&other));
                Err(Error::new(ErrorKind::BadAnswer, WHAT, why))
            }
        }
    }

    /// The command that imports the share another time.
    fn import_command(&self) -> String {
        let from = match &self.parts_to {
            None => format!("--ask-parts {}", self.custodians.needed),
            Some(directory) => {
                let option = |id| format!("--part {}", parts::path(directory, id).display());
                (1..=self.custodians.needed).map(option).collect::<Vec<_>>().join(" ")
            }
        };
        format!("pico-hsm-tool dkek import-share {} {from}", self.file.display())
    }

    /// Writes the minutes, if they are wanted; returns what they say of the device, and the digest of the share's file.
    fn record(&self, device: &mut Device, check_value: &str) -> Result<(Token, String)> {
        let token = device.token()?;
        let firmware = tolerate(device.device_info())?.map(firmware_version);
        let digest = hex::encode(Hash::Sha256.digest(&[&bytes::read(&self.file)?]));
        if let Some(path) = &self.minutes {
            let minutes = Minutes {
                token: &token,
                versions: version_text(device.application().version, firmware),
                domain: self.domain,
                check_value,
                share: &self.file,
                digest: &digest,
                parts: self.custodians.parts,
                needed: self.custodians.needed,
            };
            minutes.write(path)?;
        }
        Ok((token, digest))
    }

    fn report(&self, device: &mut Device, initialized: Option<&Initialized>, check_value: &str) -> Result<Report> {
        let Custodians { parts, needed } = self.custodians;
        let file = self.file.display();
        let (token, digest) = self.record(device, check_value).map_err(|error| {
            error.advise_also(&format!(
                "The device has the share, and {file} stands; the check value of the DKEK is {check_value}."
            ))
        })?;
        let json = json!({
            "serial": token.serial,
            "label": token.label,
            "initialized": initialized.is_some(),
            "domain": self.domain,
            "check_value": check_value,
            "file": self.file,
            "sha256": digest,
            "parts": parts,
            "needed": needed,
            "parts_to": self.parts_to,
            "minutes": self.minutes,
        });
        let mut text = initialized.map_or_else(String::new, Initialized::text);
        text.push_str(&format!("The share is in {file}. Any {needed} of {parts} parts open it.\n"));
        match &self.parts_to {
            None => text.push_str(&format!("It was opened with the parts of {needed} custodians.\n")),
            Some(directory) => text.push_str(&format!(
                "The parts are in {}, and it was opened with {needed} of them: take each to its custodian, and leave none here.\n",
                directory.display()
            )),
        }
        text.push_str(&format!("Key domain {}: DKEK of 1 share, check value {check_value}\n", self.domain));
        if let Some(minutes) = &self.minutes {
            text.push_str(&format!("The record for the minutes is in {}.\n", minutes.display()));
        }
        Ok(Report::new(json, text).next("pico-hsm-tool key generate p256 --label NAME"))
    }
}

/// What to do where nothing on the device has to stay.
const ANEW: &str = "To begin anew, which deletes everything on the device: --initialize";
