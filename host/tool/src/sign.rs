//! `sign` and `verify`.

use crate::app::Global;
use crate::bytes::{self, Output};
use crate::progress::during;
use crate::report::Report;
use clap::{Args, ValueEnum};
use ferrite_client::public_key::raw_ecdsa;
use ferrite_client::{PublicKey, Result, Scheme};
use serde_json::json;
use std::path::PathBuf;

/// Sign a file
#[derive(Args)]
pub(crate) struct Sign {
    /// The key: its number, or its label
    key: String,
    /// What to sign [default: standard input]
    #[arg(default_value = "-", hide_default_value = true)]
    file: PathBuf,
    #[command(flatten)]
    scheme: SchemeArguments,
    /// Form of ECDSA signatures
    #[arg(long, value_enum, default_value_t = Ecdsa::Der)]
    ecdsa: Ecdsa,
    #[command(flatten)]
    output: Output,
}

/// Check a signature; the device does nothing but tell the public key
#[derive(Args)]
pub(crate) struct Verify {
    /// The key: its number, its label, or file:PATH of a public key or certificate
    key: String,
    /// What was signed [default: standard input]
    #[arg(default_value = "-", hide_default_value = true)]
    file: PathBuf,
    /// The signature; ECDSA in DER or r and s
    #[arg(short, long, value_name = "FILE")]
    signature: PathBuf,
    #[command(flatten)]
    scheme: SchemeArguments,
}

#[derive(Args)]
struct SchemeArguments {
    /// Scheme: rsa-sha256, rsa-pss-sha256, ecdsa-sha256, eddsa and others [default: what fits the key]
    #[arg(short, long)]
    algorithm: Option<Scheme>,
    /// The input is a digest already
    #[arg(long)]
    digest: bool,
}

/// The form of an ECDSA signature.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Ecdsa {
    /// A sequence of r and s, as X.509 and OpenSSL have it
    Der,
    /// r and s, each as long as the curve's order
    Raw,
}

impl SchemeArguments {
    fn of(&self, key: &PublicKey) -> Result<Scheme> {
        self.algorithm.map_or_else(|| Scheme::of(key.key_type()), Ok)
    }
}

impl Sign {
    /// Signs.
    ///
    /// # Errors
    /// Those of the client's calls.
    pub(crate) fn run(&self, global: &Global) -> Result<Report> {
        let input = bytes::read(&self.file)?;
        let mut device = global.open()?;
        let id = global.find_key(&mut device, &self.key)?;
        let public = device.public_key(id)?;
        let scheme = self.scheme.of(&public)?;
        global.log_in(&mut device)?;
        let signature = during("Signing", || {
            if self.scheme.digest {
                device.sign_digest(id, scheme, &input)
            } else {
                device.sign_message(id, scheme, &input)
            }
        })?;
        let signature = match (&public, self.ecdsa) {
            (PublicKey::Ec { curve, .. }, Ecdsa::Raw) => raw_ecdsa(*curve, &signature)?,
            _ => signature,
        };
        self.output.deliver("signature", &signature, json!({ "key": id.value(), "algorithm": scheme.to_string() }))
    }
}

impl Verify {
    /// Checks.
    ///
    /// # Errors
    /// [`ferrite_client::ErrorKind::Verification`], and those of the client's calls.
    pub(crate) fn run(&self, global: &Global) -> Result<Report> {
        let input = bytes::read(&self.file)?;
        let signature = bytes::read(&self.signature)?;
        let public = public_key(global, &self.key)?;
        let scheme = self.scheme.of(&public)?;
        if self.scheme.digest {
            public.verify_digest(scheme, &input, &signature)?;
        } else {
            public.verify(scheme, &input, &signature)?;
        }
        let json = json!({ "valid": true, "algorithm": scheme.to_string() });
        Ok(Report::line(json, format!("The signature is valid ({scheme}).")))
    }
}

/// A public key from a file (`file:PATH`) or from the device.
///
/// # Errors
/// Those of reading either.
pub(crate) fn public_key(global: &Global, name: &str) -> Result<PublicKey> {
    if let Some(path) = name.strip_prefix("file:") {
        return PublicKey::from_file(&bytes::read(path.as_ref())?);
    }
    let mut device = global.open()?;
    let id = global.find_key(&mut device, name)?;
    device.public_key(id)
}
