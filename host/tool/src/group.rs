//! `group`: devices that agree on a DKEK among themselves, without shares (XKEK).

use crate::app::Global;
use crate::authority::Password;
use crate::bytes;
use crate::progress::{PROVING, during};
use crate::report::Report;
use crate::status::{domain_json, domain_text};
use clap::{Args, Subcommand};
use ferrite_client::certificate::{Trust, chain};
use ferrite_client::custody::group::Group;
use ferrite_client::hsm::Introduction;
use ferrite_client::{Error, ErrorKind, PublicKey, Result};
use serde_json::json;
use std::path::PathBuf;

/// Devices that agree on a DKEK among themselves, without shares
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a group in a directory; needs no device
    Create(Create),
    /// Make the device a member: a key domain becomes the group's
    Join(Join),
    /// Make an exchange key, and write its introduction for the other member
    Offer(Offer),
    /// Agree with another member, whose introduction is given
    Agree(Agree),
}

#[derive(Args)]
pub(crate) struct Create {
    /// The directory
    directory: PathBuf,
    /// Name, of 8 to 16 letters and digits
    #[arg(long, default_value = "UTGROUP00001")]
    name: String,
    #[command(flatten)]
    password: Password,
}

#[derive(Args)]
pub(crate) struct Join {
    /// The directory of the group
    directory: PathBuf,
    /// The key domain, which must not be set up
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(..=15))]
    domain: u8,
    #[command(flatten)]
    password: Password,
}

#[derive(Args)]
pub(crate) struct Offer {
    /// The file for the other member
    file: PathBuf,
    /// The group's key domain
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(..=15))]
    domain: u8,
}

#[derive(Args)]
pub(crate) struct Agree {
    /// The exchange key of this device: its number, or its label
    key: String,
    /// The other member's introduction
    file: PathBuf,
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// Those of the client's calls.
    pub(crate) fn run(&self, global: &Global) -> Result<Report> {
        match self {
            Self::Create(create) => create.run(),
            Self::Join(join) => join.run(global),
            Self::Offer(offer) => offer.run(global),
            Self::Agree(agree) => agree.run(global),
        }
    }
}

impl Create {
    fn run(&self) -> Result<Report> {
        let password = self.password.get_new()?;
        let group = Group::new(&self.name)?;
        bytes::create_private_directory(&self.directory).map_err(|error| {
            Error::new(ErrorKind::Io, format!("make the directory {}", self.directory.display()), error.to_string())
        })?;
        let key = during("Encrypting the key", || group.key_file(&password))?;
        bytes::write_private(&self.directory.join("group.key.pem"), key.as_bytes())?;
        bytes::write_private(&self.directory.join("group.cvcert"), group.certificate())?;
        let text = format!("The group {} is in {}.", self.name, self.directory.display());
        Ok(Report::line(json!({ "directory": self.directory, "name": self.name }), text))
    }
}

impl Join {
    fn run(&self, global: &Global) -> Result<Report> {
        let file = |name: &str| bytes::read(&self.directory.join(name));
        let group = Group::open(&file("group.cvcert")?, &file("group.key.pem")?, Some(&self.password.get()?))?;
        let mut device = global.open()?;
        let certificates = device.device_certificates()?;
        // The device in hand vouches for itself, and proves its key; whether it is the right one is for who holds it.
        let key = PublicKey::from_certificate(&certificates)?;
        chain::verify(&certificates, Trust::Key(&key))?;
        during(PROVING, || device.prove_device_key(&key))?;
        global.log_in(&mut device)?;
        let status = device.join_group(self.domain, &group.admit(&certificates)?)?;
        let text = format!("Key domain {}: {}", status.domain, domain_text(&status.state));
        Ok(Report::line(domain_json(&status), text))
    }
}

impl Offer {
    fn run(&self, global: &Global) -> Result<Report> {
        let mut device = global.open_and_log_in()?;
        let id = device.free_key_id()?;
        during("Generating the exchange key", || device.generate_exchange_key(id, self.domain))?;
        bytes::write_private(&self.file, &device.introduce_key(id)?.to_bytes()?)?;
        let text = format!("Exchange key {} is there; its introduction is in {}.", id.value(), self.file.display());
        Ok(Report::line(json!({ "id": id.value(), "file": self.file }), text))
    }
}

impl Agree {
    fn run(&self, global: &Global) -> Result<Report> {
        let peer = Introduction::parse(&bytes::read(&self.file)?)?;
        let mut device = global.open()?;
        let id = global.find_key(&mut device, &self.key)?;
        global.log_in(&mut device)?;
        during("Agreeing", || device.agree_on_dkek(id, &peer))?;
        let domain = device.key_attributes(id)?.domain.unwrap_or_default();
        let status = device.domain(domain)?;
        let text = format!("Key domain {domain}: {}", domain_text(&status.state));
        Ok(Report::line(domain_json(&status), text))
    }
}
