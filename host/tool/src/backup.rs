//! `backup` and `restore`: one key, or everything, in a file.

use crate::app::Global;
use crate::bytes;
use crate::progress::{during, steps};
use crate::report::{Report, contents};
use crate::secret::{self, Source};
use clap::Args;
use ferrite_client::archive::Archive;
use ferrite_client::custody::wrapped::WrappedKey;
use ferrite_client::proto::fid::KeyId;
use ferrite_client::{Error, ErrorKind, Result};
use serde_json::json;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Variable of the environment with the password of a backup.
const PASSWORD: &str = "PICO_HSM_BACKUP_PASSWORD";

/// Back up one key, or all keys, certificates and data, in an encrypted file
///
/// Keys in it open only on a device with the same DKEK: keep the DKEK shares as well as the backup and its password.
#[derive(Args)]
pub(crate) struct Backup {
    /// The file to write
    file: PathBuf,
    /// Only this key, in the form that sc-hsm-tool reads, which has no password
    #[arg(long)]
    key: Option<String>,
    /// Where the password is [default: the variable PICO_HSM_BACKUP_PASSWORD, else prompt]
    #[arg(long, value_name = "SOURCE", conflicts_with = "key")]
    password: Option<Source>,
}

/// Restore a backup of one key, or of everything
///
/// What is there stays. A key gets the number that it had, or a free one if that is taken.
#[derive(Args)]
pub(crate) struct Restore {
    /// The file, written by backup or by sc-hsm-tool --wrap-key
    file: PathBuf,
    /// Number for a single key [default: the lowest that is free]
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..))]
    id: Option<u8>,
    /// Where the password is [default: the variable PICO_HSM_BACKUP_PASSWORD, else prompt]
    #[arg(long, value_name = "SOURCE")]
    password: Option<Source>,
}

impl Backup {
    /// Backs up.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]: no key can leave the device.
    pub(crate) fn run(&self, global: &Global) -> Result<Report> {
        if self.file.exists() {
            return Err(Error::new(
                ErrorKind::Usage,
                "back up",
                format!("there is a file {} already", self.file.display()),
            )
            .advise("It may be the only copy of something. Take another name, or move it away."));
        }
        let mut device = global.open()?;
        if let Some(name) = &self.key {
            let id = global.find_key(&mut device, name)?;
            global.log_in(&mut device)?;
            let wrapped = device.export_key(id)?;
            bytes::write_private(&self.file, &wrapped.to_bytes()?)?;
            let json = json!({ "file": self.file, "keys": [id.value()] });
            return Ok(Report::line(json, format!("Key {} is in {}.", id.value(), self.file.display())));
        }
        global.log_in(&mut device)?;
        let bar = steps("Backing up");
        let backup = device.back_up(None, &mut |done, of| bar(done, of))?;
        if let ([], [(id, error), ..]) = (backup.archive.keys.as_slice(), backup.left_out.as_slice()) {
            let why = format!("no key can leave the device: of key {}, {}", id.value(), error.why());
            return Err(Error::new(ErrorKind::NotFound, "back the device up", why).advise(
                "Is a DKEK share missing? Then import it: pico-hsm-tool dkek import-share FILE\nA device initialised without DKEK shares has no backups.",
            ));
        }
        let name = "password of the backup";
        let password = secret::get_new(self.password.as_ref(), PASSWORD, "--password", name)?;
        let sealed = during("Encrypting", || backup.archive.seal(&password))?;
        bytes::write_private(&self.file, &sealed)?;

        let Archive { keys, certificates, data, .. } = &backup.archive;
        let mut text =
            format!("In {}: {}.\n", self.file.display(), contents(keys.len(), certificates.len(), data.len()));
        for (id, error) in &backup.left_out {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "NOT in it: key {}: {}.", id.value(), error.why());
        }
        text.push_str(
            "Keys open only where the same DKEK shares were imported: keep those and the password too, elsewhere.\n",
        );
        let ids: Vec<_> = keys.iter().map(|key| key.id.value()).collect();
        let left_out: Vec<_> =
            backup.left_out.iter().map(|(id, error)| json!({ "id": id.value(), "why": error.why() })).collect();
        let json = json!({
            "file": self.file, "keys": ids, "certificates": certificates.len(), "data": data.len(), "left_out": left_out,
        });
        Ok(Report::new(json, text))
    }
}

impl Restore {
    /// Restores.
    ///
    /// # Errors
    /// [`ErrorKind::Verification`]: the device has another DKEK.
    pub(crate) fn run(&self, global: &Global) -> Result<Report> {
        let file = bytes::read(&self.file)?;
        // A wrapped key is a sequence.
        if file.first() == Some(&0x30) {
            return self.restore_key(global, &WrappedKey::parse(&file)?);
        }
        let name = format!("password of {}", self.file.display());
        let password = secret::get(self.password.as_ref(), PASSWORD, "--password", &name)?;
        let archive = during("Decrypting", || Archive::open(&file, &password))?;
        let mut device = global.open_and_log_in()?;
        let bar = steps("Restoring");
        let restored = device.restore(&archive, &mut |done, of| bar(done, of)).map_err(|error| {
            let is_other_dkek = error.kind() == ErrorKind::Verification;
            if is_other_dkek { error.advise_also("  pico-hsm-tool dkek import-share FILE") } else { error }
        })?;
        let mut text = format!(
            "Restored from {}: {}.\n",
            archive.serial,
            contents(restored.len(), archive.certificates.len(), archive.data.len())
        );
        let mut keys = Vec::new();
        for (key, now) in archive.keys.iter().zip(&restored) {
            let (was, is, label) = (now.was.value(), now.is.value(), key.wrapped.label());
            if was != is {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "Key {was} ({label:?}) is now key {is}: its number was taken.");
            }
            keys.push(json!({ "id": is, "was": was, "label": label }));
        }
        let json = json!({
            "serial": archive.serial, "keys": keys, "certificates": archive.certificates.len(), "data": archive.data.len(),
        });
        Ok(Report::new(json, text))
    }

    fn restore_key(&self, global: &Global, key: &WrappedKey) -> Result<Report> {
        let mut device = global.open_and_log_in()?;
        let id = self.id.map_or_else(|| device.free_key_id(), |id| Ok(KeyId::new(id)))?;
        during("Restoring", || device.restore_key(id, key))?;
        let json = json!({ "keys": [{ "id": id.value(), "was": null, "label": key.label() }] });
        Ok(Report::line(json, format!("Key {} is restored: {:?}.", id.value(), key.label())))
    }
}
