//! `sign` and `verify`.

use crate::app::{Device, Global};
use crate::bytes::{self, Output};
use crate::progress::using;
use crate::report::Report;
use crate::status::tolerate;
use clap::{Args, ValueEnum};
use ferrite_client::crypto::hash::Hash;
use ferrite_client::proto::fid::KeyId;
use ferrite_client::proto::pkcs15::KeyType as Described;
use ferrite_client::public_key::raw_ecdsa;
use ferrite_client::{Error, ErrorKind, PublicKey, Result, Scheme};
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
    #[arg(short, long, value_parser = crate::named::parse::<Scheme>)]
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
        // Some cards keep none of derived keys.
        let public = tolerate(device.public_key(id))?;
        let scheme = match &public {
            Some(public) => self.scheme.of(public)?,
            None => self.scheme.algorithm.map_or_else(|| as_described(&mut device, id), Ok)?,
        };
        global.log_in(&mut device)?;
        let signature = using(&mut device, "Signing", |device| {
            if self.scheme.digest {
                device.sign_digest(id, scheme, &input)
            } else {
                device.sign_message(id, scheme, &input)
            }
        })?;
        let signature = match (&public, self.ecdsa) {
            (Some(PublicKey::Ec { curve, .. }), Ecdsa::Raw) => raw_ecdsa(*curve, &signature)?,
            (None, Ecdsa::Raw) => {
                let what = format!("write the signature of key {} as r and s", id.value());
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    what,
                    "the device has no public half that tells its curve",
                )
                .advise("Take the other form: --ecdsa der"));
            }
            _ => signature,
        };
        self.output.deliver("signature", &signature, json!({ "key": id.value(), "algorithm": scheme.to_string() }))
    }
}

/// The scheme that fits what a key's description says of it.
fn as_described(device: &mut Device, id: KeyId) -> Result<Scheme> {
    let keys = device.objects()?.keys;
    match keys.iter().find(|key| key.id == id).map(|key| (key.described, key.bits)) {
        Some((Some(Described::Ec), bits)) => Ok(Scheme::Ecdsa(match bits {
            ..=256 => Hash::Sha256,
            257..=384 => Hash::Sha384,
            _ => Hash::Sha512,
        })),
        Some((Some(Described::Rsa), _)) => Ok(Scheme::RsaPkcs1(Hash::Sha256)),
        Some((Some(Described::Aes), _)) => {
            Err(Error::new(ErrorKind::Usage, format!("sign with key {}", id.value()), "it is a secret key").advise(
                "Authenticate with it: pico-hsm-tool mac. Or make one that signs: pico-hsm-tool key generate p256",
            ))
        }
        // This says that there is no such key, or none that signs.
        _ => device.public_key(id).and_then(|public| Scheme::of(public.key_type())),
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
