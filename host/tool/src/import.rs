//! `key import`: a key that another program made goes into the device.

use crate::app::Global;
use crate::bytes;
use crate::dkek::Password;
use crate::progress::during;
use crate::report::Report;
use crate::secret::{self, Source};
use clap::Args;
use ferrite_client::custody::share;
use ferrite_client::import::{self, ImportedKey};
use ferrite_client::proto::fid::KeyId;
use ferrite_client::{Error, ErrorKind, Result};
use serde_json::json;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Import keys of another program: PKCS#12, PKCS#8, PKCS#1 or SEC 1
#[derive(Args)]
pub(crate) struct Arguments {
    /// The file with the key, in PEM or DER
    file: PathBuf,
    /// Where the password of that file is [default: the variable PICO_HSM_FILE_PASSWORD, else prompt]
    #[arg(long, value_name = "SOURCE")]
    file_password: Option<Source>,
    /// The file of a DKEK share of the device; give all of them
    #[arg(long = "share", value_name = "FILE", required = true)]
    shares: Vec<PathBuf>,
    #[command(flatten)]
    password: Password,
    /// Label [default: the file's]
    #[arg(long)]
    label: Option<String>,
    /// Number, if it is one key [default: the lowest that is free]
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..))]
    id: Option<u8>,
}

impl Arguments {
    /// Imports. A device takes no key in the clear: it is wrapped here under the DKEK, which all shares together make.
    ///
    /// # Errors
    /// [`ErrorKind::Verification`]: the shares are not those of the device.
    pub(crate) fn run(&self, global: &Global) -> Result<Report> {
        const WHAT: &str = "import the key";
        let file = bytes::read(&self.file)?;
        let password = if import::is_encrypted(&file) {
            let name = format!("password of {}", self.file.display());
            Some(secret::get(self.file_password.as_ref(), "PICO_HSM_FILE_PASSWORD", "--file-password", &name)?)
        } else {
            None
        };
        let imported = import::read(&file, password.as_ref().map(|password| password.as_slice()))?;
        if imported.keys.is_empty() {
            return Err(Error::new(ErrorKind::BadInput, WHAT, "the file holds certificates only")
                .advise("Store them: pico-hsm-tool cert put"));
        }
        let shares = self.shares.iter().map(|path| self.password.open(path)).collect::<Result<Vec<_>>>()?;
        let dkek = share::join(&shares)?;
        let mut device = global.open()?;
        device.domain_of_dkek(&dkek)?;
        global.log_in(&mut device)?;
        let mut text = String::new();
        let mut keys = Vec::new();
        let count = imported.keys.len();
        for mut key in imported.keys {
            let id = match self.id {
                Some(id) if count == 1 => KeyId::new(id),
                _ => device.free_key_id()?,
            };
            key.label = self.name(&key, id);
            during(format!("Importing {:?}", key.label), || device.import_key(id, &dkek, &key, &[]))?;
            let kind = key.key.key_type().to_string();
            // Writing to a string cannot fail.
            let _ = writeln!(text, "Key {} is there: {kind}, {:?}.", id.value(), key.label);
            keys.push(
                json!({ "id": id.value(), "label": key.label, "kind": kind, "certificate": key.certificate.is_some() }),
            );
        }
        for certificate in &imported.certificates {
            let number = device.store_certificate("imported", &[], certificate)?;
            let _ = writeln!(text, "Certificate {number} came with it.");
        }
        let _ = writeln!(text, "{} still holds it: delete it where nobody needs it.", self.file.display());
        Ok(Report::new(json!({ "keys": keys, "certificates": imported.certificates.len() }), text))
    }

    fn name(&self, key: &ImportedKey, id: KeyId) -> String {
        match (&self.label, key.label.as_str()) {
            (Some(label), _) => label.clone(),
            (None, "") => format!("Key {}", id.value()),
            (None, label) => label.to_owned(),
        }
    }
}
