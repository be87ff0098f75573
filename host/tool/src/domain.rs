//! `domain`: key domains.

use crate::app::Global;
use crate::report::Report;
use crate::status::{domain_json, domain_text};
use clap::{Args, Subcommand};
use ferrite_client::Result;
use serde_json::json;

/// List and set up key domains
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the key domains
    List,
    /// Set a domain up, so that it waits for DKEK shares
    Create(Create),
    /// Delete a domain that no key belongs to
    Delete(Number),
    /// Forget a domain's DKEK; it waits for its shares again
    Clear(Number),
}

#[derive(Args)]
pub(crate) struct Number {
    /// The domain, 0 to 15
    #[arg(value_parser = clap::value_parser!(u8).range(..=15))]
    domain: u8,
}

#[derive(Args)]
pub(crate) struct Create {
    #[command(flatten)]
    number: Number,
    /// How many DKEK shares it takes; with none its keys never leave the device
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(..=254))]
    shares: u8,
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// Those of the client's calls.
    pub(crate) fn run(&self, global: &Global) -> Result<Report> {
        match self {
            Self::List => {
                let domains = global.open()?.domains()?;
                let rows: Vec<_> =
                    domains.iter().map(|domain| vec![domain.domain.to_string(), domain_text(&domain.state)]).collect();
                let json = json!({ "domains": domains.iter().map(domain_json).collect::<Vec<_>>() });
                let empty = "The device was initialised without key domains: its keys never leave it.";
                Ok(Report::table(json, &["DOMAIN", "STATE"], &rows, empty))
            }
            Self::Create(create) => {
                let mut device = global.open_and_log_in()?;
                let status = device.create_domain(create.number.domain, create.shares)?;
                let text = format!("Key domain {}: {}", status.domain, domain_text(&status.state));
                Ok(Report::line(domain_json(&status), text))
            }
            Self::Delete(Number { domain }) => {
                let mut device = global.open()?;
                let loss = format!(
                    "Key domain {domain} will be deleted with its DKEK. Keys that were wrapped under it can be restored only\n\
                     where its shares are imported again."
                );
                global.confirm("delete the key domain", &loss)?;
                global.log_in(&mut device)?;
                device.delete_domain(*domain)?;
                Ok(Report::line(json!({ "deleted": domain }), format!("Key domain {domain} is deleted.")))
            }
            Self::Clear(Number { domain }) => {
                let mut device = global.open()?;
                let loss = format!(
                    "The DKEK of key domain {domain} will be forgotten. Its keys stay, and cannot be backed up until the\n\
                     shares are imported again."
                );
                global.confirm("clear the key domain", &loss)?;
                global.log_in(&mut device)?;
                device.clear_domain(*domain)?;
                Ok(Report::line(json!({ "cleared": domain }), format!("Key domain {domain} is cleared.")))
            }
        }
    }
}
