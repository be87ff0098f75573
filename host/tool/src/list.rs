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
            ErrorKind::NoDevice => error.advise_also("`pico-hsm-tool doctor` finds out more."),
            _ => error,
        })?;
        if let (Some(name), []) = (global.device.as_deref().filter(|_| !sockets.is_empty()), found.as_slice()) {
            // This says what is wrong with the path.
            ferrite_client::open(Some(name))?;
        }
        let rows: Vec<_> = found
            .iter()
            .map(|found| {
                // One that is not initialised has no serial number but that of USB.
                let serial = match &found.place {
                    _ if !found.token.serial.is_empty() => found.token.serial.clone(),
                    Place::Usb(usb) => usb.serial.clone(),
                    Place::Reader(_) | Place::Socket(_) => "(blank)".into(),
                };
                vec![serial, found.token.label.clone(), found.place.to_string()]
            })
            .collect();
        let objects: Vec<_> = found
            .iter()
            .map(|found| {
                let (kind, place) = match &found.place {
                    Place::Reader(_) => ("reader", found.place.to_string()),
                    Place::Usb(_) => ("usb", found.place.to_string()),
                    Place::Socket(_) => ("socket", found.place.to_string()),
                };
                let mut object = json!({
                    "serial": found.token.serial, "label": found.token.label, "reader": null, "usb": null, "socket": null,
                });
                object[kind] = place.into();
                object
            })
            .collect();
        let empty = "No device is there. `pico-hsm-tool doctor` finds out why.";
        Ok(Report::table(json!({ "devices": objects }), &["SERIAL", "LABEL", "WHERE"], &rows, empty))
    }
}
