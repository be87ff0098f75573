//! `decrypt` and `agree`: what private keys do besides signing.

use crate::app::{Device, Global};
use crate::bytes::{self, Output};
use crate::progress::using;
use crate::report::Report;
use clap::{Args, ValueEnum};
use ferrite_client::proto::command::AlgorithmId;
use ferrite_client::proto::fid::KeyId;
use ferrite_client::proto::pkcs15::KeyType as Described;
use ferrite_client::proto::status::Status;
use ferrite_client::{Error, ErrorKind, PublicKey, Result};
use serde_json::json;
use std::path::PathBuf;

/// Decrypt with an RSA key
#[derive(Args)]
pub(crate) struct Decrypt {
    /// The key: its number, or its label
    key: String,
    /// What to decrypt [default: standard input]
    #[arg(default_value = "-", hide_default_value = true)]
    file: PathBuf,
    /// How it was padded
    #[arg(long, value_enum, default_value_t = Padding::OaepSha256)]
    padding: Padding,
    #[command(flatten)]
    output: Output,
}

/// The padding of RSA encryption.
#[derive(Clone, Copy, ValueEnum)]
enum Padding {
    /// OAEP with SHA-1
    OaepSha1,
    /// OAEP with SHA-224
    OaepSha224,
    /// OAEP with SHA-256
    OaepSha256,
    /// OAEP with SHA-384
    OaepSha384,
    /// OAEP with SHA-512
    OaepSha512,
    /// PKCS#1 v1.5
    Pkcs1,
    /// None: the whole block is returned
    Raw,
}

impl Padding {
    fn algorithm(self) -> AlgorithmId {
        match self {
            Self::OaepSha1 => AlgorithmId::RSA_DECRYPT_OAEP_SHA1,
            Self::OaepSha224 => AlgorithmId::RSA_DECRYPT_OAEP_SHA224,
            Self::OaepSha256 => AlgorithmId::RSA_DECRYPT_OAEP,
            Self::OaepSha384 => AlgorithmId::RSA_DECRYPT_OAEP_SHA384,
            Self::OaepSha512 => AlgorithmId::RSA_DECRYPT_OAEP_SHA512,
            Self::Pkcs1 => AlgorithmId::RSA_DECRYPT_PKCS1,
            Self::Raw => AlgorithmId::RSA_DECRYPT_RAW,
        }
    }
}

impl Decrypt {
    /// Decrypts.
    ///
    /// # Errors
    /// Those of the client's calls.
    pub(crate) fn run(&self, global: &Global) -> Result<Report> {
        let input = bytes::read(&self.file)?;
        let mut device = global.open()?;
        let id = global.find_key(&mut device, &self.key)?;
        demand_rsa(&mut device, id)?;
        global.log_in(&mut device)?;
        let plain = using(&mut device, "Decrypting", |device| device.decrypt(id, self.padding.algorithm(), &input)).map_err(|error| {
            let name = self.padding.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
            match (error.status(), error.kind()) {
                (Some(Status::EXECUTION | Status::WRONG_DATA), _) | (None, ErrorKind::Refused) => error
                    .because(format!("it was encrypted for another key, or not padded by {name}"))
                    .advise("Say how it was padded: --padding pkcs1, or oaep- with the hash; OpenSSL takes pkcs1 if not told."),
                _ => error,
            }
        })?;
        self.output.deliver("plaintext", &plain, json!({ "key": id.value() }))
    }
}

/// Only RSA keys decrypt by themselves. A key that nothing is said about may be one.
fn demand_rsa(device: &mut Device, id: KeyId) -> Result<()> {
    let key = device.key_object(id)?;
    let (is, advice) = match key.described {
        Some(Described::Ec) => ("a key on a curve", "Agree with somebody on a secret: pico-hsm-tool agree"),
        Some(Described::Aes) => ("a secret key", "Secret keys decrypt so: pico-hsm-tool cipher decrypt"),
        Some(Described::Rsa) | None => return Ok(()),
    };
    let what = format!("decrypt with key {}", id.value());
    Err(Error::new(ErrorKind::Usage, what, format!("it is {is}, and no RSA key")).advise(advice))
}

/// Agree with somebody on a secret (ECDH, X25519, X448)
#[derive(Args)]
pub(crate) struct Agree {
    /// The key: its number, or its label
    key: String,
    /// The other side's public key or certificate, in PEM or DER
    peer: PathBuf,
    #[command(flatten)]
    output: Output,
}

impl Agree {
    /// Agrees. The result is the bare x or u coordinate: derive keys from it, and never use it as one.
    ///
    /// # Errors
    /// Those of the client's calls.
    pub(crate) fn run(&self, global: &Global) -> Result<Report> {
        let peer = PublicKey::from_file(&bytes::read(&self.peer)?)?;
        let mut device = global.open()?;
        let id = global.find_key(&mut device, &self.key)?;
        let own = device.public_key(id)?;
        if own.key_type() != peer.key_type() {
            let why = format!("the key is of kind {}, the other side's of kind {}", own.key_type(), peer.key_type());
            return Err(Error::new(ErrorKind::Usage, "agree on a secret", why));
        }
        let point = match &peer {
            PublicKey::Ec { point, .. } => point,
            PublicKey::Montgomery { key, .. } => key,
            PublicKey::Rsa { .. } | PublicKey::Edwards { .. } => {
                let why = format!("keys of kind {} do not agree", peer.key_type());
                return Err(Error::new(ErrorKind::Usage, "agree on a secret", why)
                    .advise("Elliptic curves, x25519 and x448 do."));
            }
        };
        global.log_in(&mut device)?;
        let secret = using(&mut device, "Agreeing", |device| device.agree(id, point))?;
        self.output.deliver("secret", &secret, json!({ "key": id.value() }))
    }
}
