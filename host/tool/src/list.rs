//! `list`: the devices that are there.

use crate::app::Global;
use crate::report::Report;
use clap::Args;
use ferrite_client::discovery::{Place, devices};
use ferrite_client::{ErrorKind, Result};
use serde_json::json;
use std::path::PathBuf;

/// List the devices that are there
#[derive(Args)]
pub(crate) struct Arguments {}

impl Arguments {
    /// Lists them.
    ///
    /// # Errors
    /// [`ErrorKind::NoDevice`]: the smart-card service does not answer.
    pub(crate) fn run(&self, global: &Global) -> Result<Report> {
        let sockets: Vec<_> = global.device.iter().filter(|name| name.contains('/')).map(PathBuf::from).collect();
        let found = devices(&sockets).map_err(|error| match error.kind() {
            ErrorKind::NoDevice => {
                let advice = error.advice().map_or_else(String::new, |advice| format!("{advice}\n"));
                error.advise(advice + "`pico-hsm-tool doctor` finds out more.")
            }
            _ => error,
        })?;
        let rows: Vec<_> = found
            .iter()
            .map(|found| {
                vec![
                    if found.token.serial.is_empty() { "(blank)".into() } else { found.token.serial.clone() },
                    found.token.label.clone(),
                    found.place.to_string(),
                ]
            })
            .collect();
        let objects: Vec<_> = found
            .iter()
            .map(|found| {
                let (reader, socket) = match &found.place {
                    Place::Reader(name) => (Some(name), None),
                    Place::Socket(path) => (None, Some(path)),
                };
                json!({ "serial": found.token.serial, "label": found.token.label, "reader": reader, "socket": socket })
            })
            .collect();
        let empty = "No device is there. `pico-hsm-tool doctor` finds out why.";
        Ok(Report::table(json!({ "devices": objects }), &["SERIAL", "LABEL", "WHERE"], &rows, empty))
    }
}
