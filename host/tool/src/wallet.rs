//! `wallet`: hierarchical deterministic keys (BIP32, SLIP-10, SLIP-21).

use crate::app::Global;
use crate::bytes::{self, Hex, Output};
use crate::progress::{during, using};
use crate::report::Report;
use clap::{Args, Subcommand, ValueEnum};
use ferrite_client::crypto::hash::Hash;
use ferrite_client::proto::command::{Direction, PathStep, SEEDS, SeedKind};
use ferrite_client::{Error, ErrorKind, Result};
use serde_json::json;
use std::path::PathBuf;

/// The bit of a hardened step.
const HARDENED: u32 = 1 << 31;

/// Deterministic wallets: seeds, public nodes, signatures, encryption
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a wallet, from random bytes or a seed of yours
    Create(Create),
    /// Show the extended public key of a node
    Xpub(Xpub),
    /// Sign a message with a node: ECDSA with SHA-256
    Sign(Sign),
    /// Encrypt whole blocks with a node of a symmetric wallet
    Encrypt(Cipher),
    /// Decrypt whole blocks with a node of a symmetric wallet
    Decrypt(Cipher),
}

#[derive(Args)]
pub(crate) struct Create {
    /// The wallet, 0 to 9
    #[arg(value_parser = number())]
    wallet: u8,
    /// What it is for
    #[arg(long, value_enum, default_value_t = Kind::Secp256k1)]
    kind: Kind,
    /// A file with a seed of yours, 16 to 64 bytes as they are [default: random bytes that never leave the device]
    #[arg(long, value_name = "FILE")]
    seed: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Node {
    /// The wallet, 0 to 9
    #[arg(value_parser = number())]
    wallet: u8,
    /// The node, as in m/44h/0h/0h; labels in symmetric wallets, as in m/SLIP-0021/my key
    #[arg(default_value = "m")]
    path: String,
}

#[derive(Args)]
pub(crate) struct Xpub {
    #[command(flatten)]
    node: Node,
}

#[derive(Args)]
pub(crate) struct Sign {
    #[command(flatten)]
    node: Node,
    /// What to sign
    #[arg(short, long, value_name = "FILE", default_value = "-", hide_default_value = true)]
    input: PathBuf,
    /// The input is a digest of 32 bytes already
    #[arg(long)]
    digest: bool,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
pub(crate) struct Cipher {
    #[command(flatten)]
    node: Node,
    /// What to work on: whole blocks of 16 bytes
    #[arg(short, long, value_name = "FILE", default_value = "-", hide_default_value = true)]
    input: PathBuf,
    /// What separates this use from others
    #[arg(long, default_value = "")]
    associated: String,
    /// Initialisation vector of 16 bytes, in hexadecimal [default: one that stands for node and associated text]
    #[arg(long)]
    iv: Option<Hex>,
    #[command(flatten)]
    output: Output,
}

/// What a wallet is for.
#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// Keys on secp256k1 (BIP32)
    Secp256k1,
    /// Keys on P-256 (SLIP-10)
    P256,
    /// Symmetric keys (SLIP-21)
    Symmetric,
}

fn number() -> clap::builder::RangedI64ValueParser<u8> {
    clap::value_parser!(u8).range(..i64::from(SEEDS))
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// Those of the client's calls.
    pub(crate) fn run(&self, global: &Global) -> Result<Report> {
        match self {
            Self::Create(create) => create.run(global),
            Self::Xpub(xpub) => xpub.run(global),
            Self::Sign(sign) => sign.run(global),
            Self::Encrypt(cipher) => cipher.run(global, Direction::Encrypt),
            Self::Decrypt(cipher) => cipher.run(global, Direction::Decrypt),
        }
    }
}

impl Create {
    fn run(&self, global: &Global) -> Result<Report> {
        let seed = self.seed.as_ref().map(|path| bytes::read(path)).transpose()?;
        let what = format!("make wallet {}", self.wallet);
        let loss = format!("If there is a wallet {} already, it will be replaced, for good.", self.wallet);
        global.confirm(&what, &loss)?;
        let kind = match self.kind {
            Kind::Secp256k1 => SeedKind::Secp256k1,
            Kind::P256 => SeedKind::P256,
            Kind::Symmetric => SeedKind::Symmetric,
        };
        let mut device = global.open_and_log_in()?;
        let seed = seed.as_ref().map(|seed| seed.as_slice());
        during("Making the wallet", || device.create_seed(self.wallet, kind, seed))?;
        Ok(Report::line(json!({ "wallet": self.wallet }), format!("Wallet {} is there.", self.wallet)))
    }
}

impl Node {
    fn steps(&self) -> Result<Vec<PathStep<'_>>> {
        let mut parts = self.path.split('/').filter(|part| !part.is_empty()).peekable();
        parts.next_if_eq(&"m");
        parts.map(step).collect()
    }
}

/// A number, hardened if it ends in `h`, `H` or `'`; anything else is a label.
fn step(text: &str) -> Result<PathStep<'_>> {
    let (digits, hardened) = match text.strip_suffix(['h', 'H', '\'']) {
        Some(digits) => (digits, HARDENED),
        None => (text, 0),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(PathStep::Label(text.as_bytes()));
    }
    match digits.parse::<u32>().ok().filter(|number| *number < HARDENED) {
        Some(number) => Ok(PathStep::Number(number | hardened)),
        None => Err(Error::new(ErrorKind::Usage, format!("read the step {text:?}"), "the number is too great")),
    }
}

impl Xpub {
    fn run(&self, global: &Global) -> Result<Report> {
        let mut device = global.open_and_log_in()?;
        let steps = self.node.steps()?;
        let node = during("Deriving", || device.public_node(self.node.wallet, &steps))?;
        // A serialised key has 78 bytes; a symmetric node has a fingerprint only.
        let (name, text) =
            if node.len() == 78 { ("xpub", base58check(&node)) } else { ("fingerprint", hex::encode(&node)) };
        Ok(Report::line(json!({ "path": self.node.path, name: text }), text))
    }
}

impl Sign {
    fn run(&self, global: &Global) -> Result<Report> {
        let input = bytes::read(&self.input)?;
        let digest = if self.digest { input.to_vec() } else { Hash::Sha256.digest(&[&input]).as_ref().to_vec() };
        let steps = self.node.steps()?;
        let mut device = global.open_and_log_in()?;
        let signature =
            using(&mut device, "Signing", |device| device.sign_with_node(self.node.wallet, &steps, &digest))?;
        self.output.deliver("signature", &signature, json!({ "path": self.node.path }))
    }
}

impl Cipher {
    fn run(&self, global: &Global, direction: Direction) -> Result<Report> {
        let input = bytes::read(&self.input)?;
        let iv = match &self.iv {
            None => None,
            Some(iv) => Some(<&[u8; 16]>::try_from(iv.0.as_slice()).map_err(|_| {
                Error::new(ErrorKind::Usage, "use the node", format!("the vector has {} bytes, not 16", iv.0.len()))
            })?),
        };
        let steps = self.node.steps()?;
        let mut device = global.open_and_log_in()?;
        let associated = self.associated.as_bytes();
        let message = if direction == Direction::Encrypt { "Encrypting" } else { "Decrypting" };
        let result = using(&mut device, message, |device| {
            device.cipher_with_node(self.node.wallet, &steps, direction, associated, iv, &input)
        })?;
        self.output.deliver("result", &result, json!({ "path": self.node.path }))
    }
}

/// Base58 with four bytes of a double SHA-256 behind, as BIP32 writes extended keys.
fn base58check(payload: &[u8]) -> String {
    const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let digest = Hash::Sha256.digest(&[Hash::Sha256.digest(&[payload]).as_ref()]);
    let checked = [payload, digest.as_ref().get(..4).unwrap_or_default()].concat();
    // Digits of base 58, the lowest first.
    let mut digits: Vec<u32> = Vec::new();
    for byte in &checked {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            carry += *digit << 8;
            *digit = carry % 58;
            carry /= 58;
        }
        while carry > 0 {
            digits.push(carry % 58);
            carry /= 58;
        }
    }
    let zeros = checked.iter().take_while(|byte| **byte == 0).map(|_| '1');
    let letter =
        |digit: &u32| usize::try_from(*digit).ok().and_then(|at| ALPHABET.get(at)).map_or('?', |c| char::from(*c));
    zeros.chain(digits.iter().rev().map(letter)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base58check_of_bitcoins_developers() {
        // The address of the Bitcoin wiki, "Technical background of version 1 Bitcoin addresses".
        let payload = hex::decode("00f54a5851e9372b87810a8e60cdd2e7cfd80b6e31").expect("hexadecimal");
        assert_eq!(base58check(&payload), "1PMycacnJaSqwwJqjawXBErnLsZ7RkXUAs");
    }

    #[test]
    fn steps_are_numbers_hardened_numbers_or_labels() {
        assert_eq!(step("44h").expect("a step"), PathStep::Number(44 | HARDENED));
        assert_eq!(step("44'").expect("a step"), PathStep::Number(44 | HARDENED));
        assert_eq!(step("7").expect("a step"), PathStep::Number(7));
        assert_eq!(step("SLIP-0021").expect("a step"), PathStep::Label(b"SLIP-0021"));
        assert_eq!(step("h").expect("a step"), PathStep::Label(b"h"));
        step("4294967295").expect_err("too great");
    }
}
