//! `ca`: an authority of your own that vouches for devices.

use crate::app::Global;
use crate::bytes::{self, Output};
use crate::progress::{PROVING, during};
use crate::report::{Report, pairs};
use crate::secret::{self, Source};
use clap::{Args, Subcommand};
use ferrite_client::certificate::{Authority, chain};
use ferrite_client::{Error, ErrorKind, PublicKey, Result, Trust};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Variable of the environment with the password of an authority's or a group's keys.
pub(crate) const PASSWORD: &str = "PICO_HSM_CA_PASSWORD";

/// An authority of your own that vouches for devices
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make an authority, a root and an issuer, in a directory; needs no device
    Create(Create),
    /// Certify the device: its key proves itself, and the certificate is installed
    Certify(Certify),
    /// Check that an authority vouches for the device, and that it has the key of its certificate
    Check(Check),
    /// Get the public key of the device itself, to know it again
    DeviceKey(DeviceKey),
}

#[derive(Args)]
pub(crate) struct Create {
    /// The directory; root.cvcert in it is what others trust
    directory: PathBuf,
    /// Name of the root: a country of two letters, up to nine letters or digits, five digits
    #[arg(long, default_value = "UTMYROOT00001")]
    root: String,
    /// Name of the issuer
    #[arg(long, default_value = "UTMYISSUE00001")]
    issuer: String,
    /// How long they are valid
    #[arg(long, default_value_t = 20)]
    years: u64,
    #[command(flatten)]
    password: Password,
}

#[derive(Args)]
pub(crate) struct Certify {
    /// The directory of the authority
    directory: PathBuf,
    /// Name of the device [default: the one it has]
    #[arg(long)]
    name: Option<String>,
    /// How long the certificate is valid
    #[arg(long, default_value_t = 10)]
    years: u64,
    #[command(flatten)]
    password: Password,
}

#[derive(Args)]
pub(crate) struct Check {
    /// The root's certificate
    #[arg(long, value_name = "FILE", required = true)]
    root: Vec<PathBuf>,
}

#[derive(Args)]
pub(crate) struct DeviceKey {
    #[command(flatten)]
    output: Output,
}

/// The password of the files with private keys.
#[derive(Args)]
pub(crate) struct Password {
    /// Where the password of the key files is [default: the variable PICO_HSM_CA_PASSWORD, else prompt]
    #[arg(long, value_name = "SOURCE")]
    password: Option<Source>,
}

impl Password {
    /// The password of files that are there.
    ///
    /// # Errors
    /// As [`secret::get`].
    pub(crate) fn get(&self) -> Result<secret::Secret> {
        secret::get(self.password.as_ref(), PASSWORD, "--password", "password of the key files")
    }

    /// The password of files that are made now.
    ///
    /// # Errors
    /// As [`secret::get_new`].
    pub(crate) fn get_new(&self) -> Result<secret::Secret> {
        secret::get_new(self.password.as_ref(), PASSWORD, "--password", "password of the key files")
    }
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// Those of the client's calls.
    pub(crate) fn run(&self, global: &Global) -> Result<Report> {
        match self {
            Self::Create(create) => create.run(),
            Self::Certify(certify) => certify.run(global),
            Self::Check(check) => check.run(global),
            Self::DeviceKey(key) => key.run(global),
        }
    }
}

impl Create {
    fn run(&self) -> Result<Report> {
        let password = self.password.get_new()?;
        let root = Authority::root(&self.root, self.years)?;
        let issuer = root.issuer(&self.issuer, self.years)?;
        bytes::create_private_directory(&self.directory).map_err(|error| {
            Error::new(ErrorKind::Io, format!("make the directory {}", self.directory.display()), error.to_string())
        })?;
        for (name, authority) in [("root", &root), ("issuer", &issuer)] {
            let file = |extension: &str| self.directory.join(format!("{name}.{extension}"));
            let key = during("Encrypting the key", || authority.key_file(&password))?;
            bytes::write_private(&file("key.pem"), key.as_bytes())?;
            bytes::write_private(&file("cvcert"), authority.certificate())?;
        }
        let text = format!(
            "The authority is in {0}: root {1}, issuer {2}.\nTake root.key.pem away to a safe place: certifying devices needs the issuer only.\n",
            self.directory.display(),
            self.root,
            self.issuer
        );
        Ok(Report::new(json!({ "directory": self.directory, "root": self.root, "issuer": self.issuer }), text))
    }
}

impl Certify {
    fn run(&self, global: &Global) -> Result<Report> {
        let file = |name: &str| bytes::read(&self.directory.join(name));
        let (root, issuer) = (file("root.cvcert")?, file("issuer.cvcert")?);
        let issuer = Authority::open(&issuer, &file("issuer.key.pem")?, Some(&self.password.get()?))?;
        let mut device = global.open()?;
        let request = device.device_request()?;
        // A request can be copied; only the device can sign fresh bytes.
        let key = PublicKey::from_certificate(&request)?;
        during(PROVING, || device.prove_device_key(&key))?;
        let certificate = issuer.issue_device(&request, self.name.as_deref(), self.years)?;
        global.log_in(&mut device)?;
        device.install_device_certificate(&certificate, &[issuer.certificate(), &root])?;
        device.select()?;
        let serial = device.token()?.serial;
        let text = format!("The device {serial} is certified for {} years.", self.years);
        Ok(Report::line(json!({ "serial": serial, "years": self.years }), text))
    }
}

impl Check {
    fn run(&self, global: &Global) -> Result<Report> {
        let roots = read_roots(&self.root)?;
        let mut device = global.open()?;
        let checked = chain::verify(&device.device_certificates()?, Trust::Roots(&roots))?;
        during(PROVING, || device.prove_device_key(&checked.public_key))?;
        let issuers: Vec<_> = checked.issuers.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
        let text = pairs(&[
            ("Device", checked.serial()),
            ("Vouched for by", issuers.join(", ")),
            ("Has its key", "yes, it proved it".into()),
        ]);
        Ok(Report::new(json!({ "serial": checked.serial(), "issuers": issuers, "proved": true }), text))
    }
}

impl DeviceKey {
    fn run(&self, global: &Global) -> Result<Report> {
        let mut device = global.open()?;
        let key = PublicKey::from_certificate(&device.device_certificates()?)?;
        during(PROVING, || device.prove_device_key(&key))?;
        self.output.deliver_text("public_key", &key.to_pem()?, json!({}))
    }
}

/// Certificates that are trusted, each from a file.
///
/// # Errors
/// [`ErrorKind::Io`], [`ErrorKind::BadInput`].
pub(crate) fn read_roots(paths: &[PathBuf]) -> Result<Vec<Vec<u8>>> {
    paths.iter().map(|path| read_root(path)).collect()
}

fn read_root(path: &Path) -> Result<Vec<u8>> {
    let content = bytes::read(path)?;
    match chain::split(&content)?.as_slice() {
        [root] => Ok(root.encoded.to_vec()),
        _ => Err(Error::new(ErrorKind::BadInput, format!("read {}", path.display()), "it is not one certificate")
            .advise("Take the file root.cvcert of an authority.")),
    }
}
