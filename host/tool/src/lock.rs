//! `lock`: the secure lock, which ties a device to a secret on this computer.

use crate::app::Global;
use crate::bytes;
use crate::progress::during;
use crate::report::Report;
use clap::{Args, Subcommand};
use ferrite_client::crypto::lock::Mask;
use ferrite_client::{Error, ErrorKind, Result};
use serde_json::json;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Tie the device to a secret on this computer
///
/// A locked device opens nothing without that secret, not even with the PIN, from each start until it is opened again.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Lock: a new secret is written to the file, unless there is one already
    Enable(File),
    /// Open a locked device, until the power fails
    Open(File),
    /// Unlock for good
    Disable(File),
}

#[derive(Args)]
pub(crate) struct File {
    /// The file with the secret, 64 hexadecimal digits
    file: PathBuf,
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// [`ErrorKind::Verification`]: the secret is another; those of the client's calls.
    pub(crate) fn run(&self, global: &Global) -> Result<Report> {
        match self {
            Self::Enable(File { file }) => {
                let loss = format!(
                    "From now on nothing on the device can be used without the secret in {0}. Copy it to a safe place:\n\
                     without it only a factory reset helps, which deletes every key.",
                    file.display()
                );
                global.confirm("lock the device", &loss)?;
                let mut device = global.open_and_log_in()?;
                if !file.exists() {
                    let mut secret = Zeroizing::new([0; 32]);
                    device.random(secret.as_mut())?;
                    let text = Zeroizing::new(hex::encode(secret.as_ref()) + "\n");
                    bytes::write_private(file, text.as_bytes())?;
                }
                let mask = read(file)?;
                during("Locking", || device.enable_lock(&mask))?;
                let text = format!("The device is locked. Copy {} to a safe place now.", file.display());
                Ok(Report::line(json!({ "locked": true, "file": file }), text))
            }
            Self::Open(File { file }) => {
                let mask = read(file)?;
                global.open_and_log_in()?.open_lock(&mask)?;
                Ok(Report::line(json!({ "locked": true, "open": true }), "The device is open until the power fails."))
            }
            Self::Disable(File { file }) => {
                let mask = read(file)?;
                let mut device = global.open_and_log_in()?;
                // A locked device must be open to be unlocked.
                device.open_lock(&mask)?;
                during("Unlocking", || device.disable_lock(&mask))?;
                Ok(Report::line(json!({ "locked": false }), "The device is unlocked."))
            }
        }
    }
}

fn read(path: &Path) -> Result<Mask> {
    let text = bytes::read(path)?;
    let mut secret = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim_ascii(), secret.as_mut()).map_err(|_| {
        Error::new(ErrorKind::BadInput, format!("read {}", path.display()), "it holds no 64 hexadecimal digits")
    })?;
    Ok(Mask::from_bytes(&secret))
}
