//! `secure-boot`: whether only signed firmware starts, through the rescue application (specification part 3 §2.6).

use crate::app::Global;
use crate::configuration::BUTTON;
use crate::progress::during;
use crate::report::{Report, pairs};
use clap::{Args, Subcommand};
use ferrite_client::hsm::SecureBoot;
use ferrite_client::{Error, ErrorKind, Result};
use serde_json::json;

/// Platforms whose chip has no secure boot: RP2040, virtual device.
const WITHOUT: [u8; 2] = [0, 3];

/// Show whether only signed firmware starts, and switch that on FOR GOOD
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show how it stands
    Status,
    /// Switch it on: fuses are burnt, nothing takes it back
    Enable(Enable),
}

#[derive(Args)]
pub(crate) struct Enable {
    /// The serial number of the device, so that it is not the wrong one
    serial: String,
    /// Slot of the boot key that signs the firmware
    #[arg(long, default_value_t = 0)]
    slot: u8,
    /// Also shut off what could undo it: other boot keys, debugging
    #[arg(long)]
    lock: bool,
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`]: the device has none; [`ErrorKind::NotConfirmed`]; and those of the client's calls.
    pub(crate) fn run(&self, global: &Global) -> Result<Report> {
        let mut device = global.open_for_rescue()?;
        if let Self::Enable(enable) = self {
            const WHAT: &str = "switch secure boot on";
            let serial = device.token()?.serial;
            if serial != enable.serial {
                let why = format!("this device is {serial}, not {}", enable.serial);
                return Err(Error::new(ErrorKind::Usage, WHAT, why));
            }
            global.confirm(WHAT, &enable.loss(&serial))?;
            during(BUTTON, || device.enable_secure_boot(enable.slot, enable.lock))?;
        }
        let is_there = !WITHOUT.contains(&device.board()?.platform);
        Ok(show(is_there, device.secure_boot()?))
    }
}

impl Enable {
    fn loss(&self, serial: &str) -> String {
        let lock = if self.lock {
            "\nLOCKED, it takes no other boot key, and no debugger, any more. Without the private key of this slot there is no new\n\
             firmware ever."
        } else {
            ""
        };
        format!(
            "Fuses of the device {serial} will be burnt, FOR GOOD: it starts only firmware that the boot key in slot {} signed.\n\
             With a wrong key, or unsigned firmware, it never starts again, and its keys are lost. Back them up first.{lock}",
            self.slot
        )
    }
}

fn show(is_there: bool, state: SecureBoot) -> Report {
    if !is_there {
        let json = json!({ "available": false, "enabled": false, "locked": false, "boot_key": null });
        return Report::line(json, "This device has no secure boot: its chip starts any firmware.");
    }
    let yes = |is_so: bool, yes: &str, no: &str| if is_so { yes } else { no }.to_owned();
    let text = pairs(&[
        ("Secure boot", yes(state.enabled, "on: only signed firmware starts", "off: any firmware starts")),
        ("Locked", yes(state.locked, "yes", "no")),
        ("Boot key", state.boot_key.map_or_else(|| "none".into(), |slot| format!("slot {slot}"))),
    ]);
    let json =
        json!({ "available": true, "enabled": state.enabled, "locked": state.locked, "boot_key": state.boot_key });
    Report::new(json, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chip_without_secure_boot_is_told_from_one_where_it_is_off() {
        let off = SecureBoot { enabled: false, locked: false, boot_key: None };
        assert!(show(true, off).text().contains("off: any firmware starts"));
        assert!(show(false, off).text().contains("has no secure boot"));
        let on = SecureBoot { enabled: true, locked: true, boot_key: Some(2) };
        assert!(show(true, on).text().contains("slot 2"));
    }
}
