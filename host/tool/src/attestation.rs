//! `attest`: reports in which a device vouches for its keys.

use crate::app::Global;
use crate::authority::read_roots;
use crate::bytes::{self, Output};
use crate::report::{Report, pairs};
use clap::{Args, Subcommand};
use ferrite_client::certificate::attestation::{self, Attested, AttestedKey, Origin};
use ferrite_client::proto::fid::KeyId;
use ferrite_client::{Error, ErrorKind, PublicKey, Result, Trust};
use serde_json::json;
use std::path::PathBuf;

/// Let the device vouch for a key, and check what a device vouches for
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Write a report: which device holds the key, whether it made it, and what limits its use
    Key(Vouch),
    /// Check a report; needs no device, unless a key is compared
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
    #[arg(long, value_name = "FILE")]
    root: Vec<PathBuf>,
    /// The public key of the device itself, known from before
    #[arg(long, value_name = "FILE", conflicts_with = "root")]
    device_key: Option<PathBuf>,
    /// A secret key of the device, by number or label, which must be the one in the report; costs one use of it
    #[arg(long, value_name = "KEY")]
    compare: Option<String>,
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
            Self::Check(check) => check.run(global),
        }
    }
}

impl Check {
    fn run(&self, global: &Global) -> Result<Report> {
        let file = bytes::read(&self.file)?;
        let roots = read_roots(&self.root)?;
        let attested = match &self.device_key {
            Some(path) => attestation::verify(&file, Trust::Key(&PublicKey::from_file(&bytes::read(path)?)?))?,
            None if roots.is_empty() => {
                return Err(Error::new(ErrorKind::Usage, "check the report", "nobody was said to be trusted").advise(
                    "Say who vouches for the device: --root FILE, the certificate of an authority's root, or --device-key FILE, the \
                     public key of the device, known from before.",
                ));
            }
            None => attestation::verify(&file, Trust::Roots(&roots))?,
        };
        let compared = self.compare.as_ref().map(|name| compare(&attested, name, global)).transpose()?;
        let (origin, word) = match attested.origin {
            Origin::Generated => ("this device made it", "generated"),
            Origin::Derived => ("this device derived it from a key that it made", "derived"),
            Origin::Imported => ("it came wrapped, or was derived from a key that did: others may have it", "imported"),
        };
        let domain = attested.attributes.domain.unwrap_or(0);
        let may_leave = attested.may_be_wrapped();
        let leaves = if may_leave { format!("wrapped, if key domain {domain} has a DKEK") } else { "never".into() };
        let kind = attested.key.kind().to_string();
        let uses = attested.attributes.counter.map_or_else(|| "not limited".into(), |counter| counter.to_string());
        let issuers: Vec<_> =
            attested.device.issuers.iter().map(|it| String::from_utf8_lossy(it).into_owned()).collect();
        let serial = attested.device.serial();
        let (device, voucher) = if issuers.is_empty() {
            (format!("that of the key given; it calls itself {serial}"), "its own key, known from before".into())
        } else {
            (serial, issuers.join(", "))
        };
        let mut rows = vec![
            ("Kind", kind.clone()),
            ("Device", device),
            ("Vouched for by", voucher),
            ("Origin", origin.into()),
            ("Leaves the device", leaves),
            ("Uses when made", uses),
        ];
        let mut json = json!({
            "valid": true, "kind": kind, "device": attested.device.serial(), "issuers": issuers, "origin": word,
            "may_leave": may_leave, "uses_when_made": attested.attributes.counter,
        });
        let mut pem = String::new();
        match &attested.key {
            AttestedKey::Public(key) => {
                pem = key.to_pem()?;
                json["public_key"] = json!(pem);
            }
            AttestedKey::Secret { id, identifier, .. } => {
                let identifier = identifier.map(hex::encode);
                json["key"] = json!(id.value());
                json["identifier"] = json!(identifier);
                rows.push(("Number when made", id.value().to_string()));
                rows.push(("Identifier", identifier.unwrap_or_else(|| "none, as it was imported".into())));
            }
        }
        if let Some(id) = compared {
            json["compared"] = json!(id.value());
            rows.push(("Compared with", format!("key {} of the device: it is the same", id.value())));
        }
        Ok(Report::new(json, pairs(&rows) + &pem))
    }
}

/// Asks the device whether a key of it is the one in a report.
fn compare(attested: &Attested, name: &str, global: &Global) -> Result<KeyId> {
    const WHAT: &str = "compare the key with the report";
    let identifier = match &attested.key {
        AttestedKey::Public(_) => {
            return Err(Error::new(ErrorKind::Usage, WHAT, "the report is of a key with a public half")
                .advise("Let the key sign something, and verify it with the public key in the report."));
        }
        AttestedKey::Secret { identifier, .. } => identifier.ok_or_else(|| {
            Error::new(ErrorKind::Usage, WHAT, "the report is of an imported key, and has no identifier")
        })?,
    };
    let mut device = global.open_and_log_in()?;
    let id = global.find_key(&mut device, name)?;
    if !device.is_key(id, &identifier)? {
        let why = format!("key {} of the device is another one", id.value());
        return Err(Error::new(ErrorKind::Verification, WHAT, why));
    }
    Ok(id)
}
