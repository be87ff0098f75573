//! `attest`: reports in which a device vouches for its keys.

use crate::app::Global;
use crate::authority::read_roots;
use crate::bytes::{self, Output};
use crate::report::{Report, pairs};
use clap::{Args, Subcommand};
use ferrite_client::certificate::attestation::{self, Origin};
use ferrite_client::{Error, ErrorKind, PublicKey, Result, Trust};
use serde_json::json;
use std::path::PathBuf;

/// Let the device vouch for a key, and check what a device vouches for
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Write a report: which device holds the key, and whether it made it
    Key(Vouch),
    /// Check a report; needs no device
    Check(Check),
}

#[derive(Args)]
pub(crate) struct Vouch {
    /// The key: its number, or its label
    key: String,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
pub(crate) struct Check {
    /// The report
    file: PathBuf,
    /// The certificate of a root that is trusted
    #[arg(long, value_name = "FILE", required_unless_present = "device_key")]
    root: Vec<PathBuf>,
    /// The public key of the device itself, known from before
    #[arg(long, value_name = "FILE", conflicts_with = "root")]
    device_key: Option<PathBuf>,
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// [`ErrorKind::Verification`], and those of the client's calls.
    pub(crate) fn run(&self, global: &Global) -> Result<Report> {
        match self {
            Self::Key(report) => {
                let mut device = global.open()?;
                let id = global.find_key(&mut device, &report.key)?;
                report.output.deliver("report", &device.attest(id)?, json!({ "key": id.value() }))
            }
            Self::Check(check) => check.run(),
        }
    }
}

impl Check {
    fn run(&self) -> Result<Report> {
        let file = bytes::read(&self.file)?;
        let roots = read_roots(&self.root)?;
        let attested = match &self.device_key {
            Some(path) => attestation::verify(&file, Trust::Key(&PublicKey::from_file(&bytes::read(path)?)?))?,
            None if roots.is_empty() => {
                return Err(Error::new(ErrorKind::Usage, "check the report", "nobody is trusted"));
            }
            None => attestation::verify(&file, Trust::Roots(&roots))?,
        };
        let (origin, word) = match attested.origin {
            Origin::Generated => ("this device made it, and it never was elsewhere", "generated"),
            Origin::Imported => ("it came into the device wrapped: others may have it", "imported"),
        };
        let kind = attested.public_key.key_type().to_string();
        let uses = attested.attributes.counter.map_or_else(|| "not limited".into(), |counter| counter.to_string());
        let issuers: Vec<_> =
            attested.device.issuers.iter().map(|it| String::from_utf8_lossy(it).into_owned()).collect();
        let pem = attested.public_key.to_pem()?;
        let mut text = pairs(&[
            ("Kind", kind.clone()),
            ("Device", attested.device.serial()),
            (
                "Vouched for by",
                if issuers.is_empty() { "its own key, known from before".into() } else { issuers.join(", ") },
            ),
            ("Origin", origin.into()),
            ("Uses when made", uses),
        ]);
        text.push_str(&pem);
        let json = json!({
            "valid": true, "kind": kind, "device": attested.device.serial(), "issuers": issuers, "origin": word,
            "uses_when_made": attested.attributes.counter, "public_key": pem,
        });
        Ok(Report::new(json, text))
    }
}
