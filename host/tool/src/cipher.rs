//! `cipher`, `mac` and `kdf`: what secret keys do.

use crate::app::{Device, Global};
use crate::bytes::{self, Hex, Output};
use crate::progress::using;
use crate::report::Report;
use clap::{Args, Subcommand, ValueEnum};
use ferrite_client::hsm::CipherRequest;
use ferrite_client::proto::command::{
    AeadMode, CipherMode, Direction, HmacHash, Pbes2, Pbkdf2, Secret, SymmetricOperation,
};
use ferrite_client::proto::fid::KeyId;
use ferrite_client::proto::pkcs15::KeyType as Described;
use ferrite_client::{Error, ErrorKind, Result};
use serde_json::json;
use std::num::NonZeroU16;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// Length of a block of AES, in bytes.
const BLOCK: usize = 16;
/// Length of the salt of PBES2, in bytes.
const SALT: usize = 16;
/// Length of a nonce that this program chooses, in bytes.
const NONCE: usize = 12;
/// Most that is encrypted in one command: what the device takes, less what goes around it.
const MAX: usize = 65_000;

/// Encrypt and decrypt with a secret key
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Encrypt with a secret key
    Encrypt(Arguments),
    /// Decrypt with a secret key
    Decrypt(Arguments),
}

#[derive(Args)]
pub(crate) struct Arguments {
    /// The key: its number, or its label
    key: String,
    /// What to work on, up to 65000 bytes [default: standard input]
    #[arg(default_value = "-", hide_default_value = true)]
    file: PathBuf,
    /// The mode
    #[arg(long, value_enum, default_value_t = Mode::Gcm)]
    mode: Mode,
    /// Initialisation vector, nonce or tweak, in hexadecimal. Without it, encryption takes a random one and writes it in
    /// front of the result, where decryption finds it
    #[arg(long)]
    iv: Option<Hex>,
    /// Additional data that is authenticated and not encrypted, in hexadecimal (GCM, CCM, ChaCha20-Poly1305)
    #[arg(long)]
    aad: Option<Hex>,
    /// Encrypt whole blocks, and add no padding (CBC and ECB)
    #[arg(long)]
    no_padding: bool,
    /// Iterations of PBES2
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    iterations: u32,
    #[command(flatten)]
    output: Output,
}

/// A mode of encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// AES-GCM: encrypts and authenticates
    Gcm,
    /// AES-CCM: encrypts and authenticates
    Ccm,
    /// ChaCha20-Poly1305: encrypts and authenticates; keys of 256 bits
    Chacha20Poly1305,
    /// AES-CBC with PKCS#7 padding; does not notice changes
    Cbc,
    /// AES-CTR; does not notice changes
    Ctr,
    /// AES-CFB128; does not notice changes
    Cfb,
    /// AES-OFB; does not notice changes
    Ofb,
    /// AES-ECB with PKCS#7 padding; shows which blocks are the same
    Ecb,
    /// AES-XTS; keys of 256 (AES-128) or 512 bits (AES-256); --iv is the tweak
    Xts,
    /// PBES2: PBKDF2 with HMAC-SHA-256 and AES-256-CBC; the key is the password, --iv is salt and vector, 32 bytes
    Pbes2,
}

/// How a mode is asked for.
enum Family {
    Aead(AeadMode),
    Plain(CipherMode),
    Password,
}

impl Mode {
    fn family(self) -> Family {
        match self {
            Self::Gcm => Family::Aead(AeadMode::Gcm),
            Self::Ccm => Family::Aead(AeadMode::Ccm),
            Self::Chacha20Poly1305 => Family::Aead(AeadMode::ChaCha20Poly1305),
            Self::Cbc => Family::Plain(CipherMode::Cbc),
            Self::Ctr => Family::Plain(CipherMode::Ctr),
            Self::Cfb => Family::Plain(CipherMode::Cfb128),
            Self::Ofb => Family::Plain(CipherMode::Ofb),
            Self::Ecb => Family::Plain(CipherMode::Ecb),
            Self::Xts => Family::Plain(CipherMode::Xts),
            Self::Pbes2 => Family::Password,
        }
    }

    /// Length of the vector that is chosen if none is given.
    fn own_iv(self) -> usize {
        match self {
            Self::Gcm | Self::Ccm | Self::Chacha20Poly1305 => NONCE,
            Self::Cbc | Self::Ctr | Self::Cfb | Self::Ofb => BLOCK,
            Self::Ecb | Self::Xts => 0,
            Self::Pbes2 => SALT + BLOCK,
        }
    }

    fn pads(self) -> bool {
        matches!(self, Self::Cbc | Self::Ecb)
    }
}

impl Command {
    /// Encrypts or decrypts.
    ///
    /// # Errors
    /// Those of the client's calls.
    pub(crate) fn run(&self, global: &Global) -> Result<Report> {
        match self {
            Self::Encrypt(arguments) => arguments.run(global, Direction::Encrypt),
            Self::Decrypt(arguments) => arguments.run(global, Direction::Decrypt),
        }
    }
}

impl Arguments {
    fn run(&self, global: &Global, direction: Direction) -> Result<Report> {
        let what = if direction == Direction::Encrypt { "encrypt" } else { "decrypt" };
        let usage = |why: String| Error::new(ErrorKind::Usage, what, why);
        let mut input = bytes::read(&self.file)?;
        if input.len() > MAX {
            return Err(usage(format!("{} bytes are too much for one command", input.len())).advise(format!(
                "Take up to {MAX}; of more, encrypt a key here and the rest with that key elsewhere."
            )));
        }
        if self.mode == Mode::Xts && self.iv.is_none() {
            return Err(usage("XTS needs a tweak".into()).advise("Give it with --iv: the number of the sector, say."));
        }
        if self.aad.is_some() && !matches!(self.mode.family(), Family::Aead(_)) {
            return Err(usage(format!("the mode {:?} authenticates nothing", self.mode)));
        }
        let mut device = global.open()?;
        let id = global.find_key(&mut device, &self.key)?;
        let key_len = secret_key_len(&mut device, id, what)?;
        global.log_in(&mut device)?;

        let own = if self.iv.is_some() { 0 } else { self.mode.own_iv() };
        let mut iv = self.iv.as_ref().map_or_else(Vec::new, |iv| iv.0.clone());
        match direction {
            Direction::Encrypt if own > 0 => {
                iv = vec![0; own];
                device.random(&mut iv)?;
            }
            Direction::Decrypt if own > 0 => {
                let (front, rest) = input
                    .split_at_checked(own)
                    .ok_or_else(|| usage(format!("the input is shorter than the {own} bytes of its vector")))?;
                (iv, input) = (front.to_vec(), Zeroizing::new(rest.to_vec()));
            }
            _ => {}
        }
        let pads = self.mode.pads() && !self.no_padding;
        if pads && direction == Direction::Encrypt {
            pad(&mut input);
        }
        let whole = Zeroizing::new([0; BLOCK]);
        let operation = match self.mode.family() {
            Family::Aead(mode) => {
                let aad = self.aad.as_ref().map_or(&[][..], |aad| &aad.0);
                SymmetricOperation::Aead { mode, key_len, direction, nonce: &iv, aad, data: Secret(&input) }
            }
            Family::Plain(mode) => {
                let iv = if iv.is_empty() { &whole[..] } else { &iv };
                let iv = iv.try_into().map_err(|_| usage(format!("the vector has {} bytes, not {BLOCK}", iv.len())))?;
                SymmetricOperation::Cipher { mode, key_len, direction, iv, data: Secret(&input) }
            }
            Family::Password => {
                let (salt, iv) = iv
                    .split_last_chunk::<BLOCK>()
                    .filter(|(salt, _)| salt.len() == SALT)
                    .ok_or_else(|| usage(format!("salt and vector have {} bytes, not {}", iv.len(), SALT + BLOCK)))?;
                let kdf = Pbkdf2 { salt, iterations: self.iterations, key_len: None, prf: HmacHash::Sha256 };
                let parameters = Pbes2 { kdf, key_len: 32, iv };
                SymmetricOperation::Pbes2 { direction, parameters, data: Secret(&input) }
            }
        };
        let message = if direction == Direction::Encrypt { "Encrypting" } else { "Decrypting" };
        let mut result = using(&mut device, message, |device| device.cipher(id, &operation.into()))?;
        if direction == Direction::Encrypt && own > 0 {
            result = Zeroizing::new([iv.as_slice(), &result].concat());
        }
        if pads && direction == Direction::Decrypt {
            unpad(&mut result)?;
        }
        let name = if direction == Direction::Encrypt { "ciphertext" } else { "plaintext" };
        self.output.deliver(name, &result, json!({ "key": id.value(), "iv_in_front": own }))
    }
}

/// PKCS#7 padding (RFC 5652 §6.3).
fn pad(data: &mut Zeroizing<Vec<u8>>) {
    let missing = BLOCK - data.len() % BLOCK;
    let padding = vec![u8::try_from(missing).unwrap_or_default(); missing];
    // A vector that grows leaves its old content behind; this one is made anew, and the old one wiped.
    *data = Zeroizing::new([data.as_slice(), &padding].concat());
}

fn unpad(data: &mut Zeroizing<Vec<u8>>) -> Result<()> {
    let wrong = || {
        Error::new(ErrorKind::Verification, "decrypt", "the padding is not what encryption adds")
            .advise("It is another key, vector or mode, or the data were changed. Without padding: --no-padding")
    };
    let count = usize::from(*data.last().ok_or_else(wrong)?);
    let at = data.len().checked_sub(count).ok_or_else(wrong)?;
    let is_padding = (1..=BLOCK).contains(&count)
        && data.get(at..).is_some_and(|padding| padding.iter().all(|byte| usize::from(*byte) == count));
    if !is_padding {
        return Err(wrong());
    }
    data.truncate(at);
    Ok(())
}

/// Length of a secret key, in bytes, as its description says.
fn secret_key_len(device: &mut Device, id: KeyId, what: &str) -> Result<usize> {
    let key = device.key_object(id)?;
    match key.described {
        Some(Described::Aes) => Ok(usize::from(key.bits / 8)),
        Some(_) => Err(Error::new(ErrorKind::Usage, what.to_owned(), format!("key {} is no secret key", id.value()))
            .advise("Make one: pico-hsm-tool key generate aes:256")),
        None => Err(Error::new(ErrorKind::NotFound, what.to_owned(), format!("there is no key {}", id.value()))
            .advise("List the keys: pico-hsm-tool key list")),
    }
}

/// The hash function of a MAC or key derivation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Cmac,
    Hmac(HmacHash),
    Hkdf(HmacHash),
    Pbkdf2(HmacHash),
    X963(HmacHash),
    Card,
}

const HASHES: [(&str, HmacHash); 5] = [
    ("sha1", HmacHash::Sha1),
    ("sha224", HmacHash::Sha224),
    ("sha256", HmacHash::Sha256),
    ("sha384", HmacHash::Sha384),
    ("sha512", HmacHash::Sha512),
];

fn hash(name: &str) -> Option<HmacHash> {
    HASHES.iter().find(|(known, _)| *known == name).map(|(_, hash)| *hash)
}

fn parse_mac(text: &str) -> std::result::Result<Algorithm, String> {
    let hmac = |text: &str| text.strip_prefix("hmac-").and_then(hash).map(Algorithm::Hmac);
    let found = if text == "cmac" { Some(Algorithm::Cmac) } else { hmac(text) };
    found.ok_or_else(|| "there are cmac, hmac-sha1, hmac-sha224, hmac-sha256, hmac-sha384 and hmac-sha512".into())
}

fn parse_kdf(text: &str) -> std::result::Result<Algorithm, String> {
    let parts = text.split_once('-').and_then(|(kdf, name)| Some((kdf, hash(name)?)));
    match parts {
        _ if text == "card" => Ok(Algorithm::Card),
        Some(("hkdf", hash @ (HmacHash::Sha256 | HmacHash::Sha384 | HmacHash::Sha512))) => Ok(Algorithm::Hkdf(hash)),
        Some(("pbkdf2", hash)) => Ok(Algorithm::Pbkdf2(hash)),
        Some(("x963", hash)) => Ok(Algorithm::X963(hash)),
        _ => {
            Err("there are hkdf-sha256, hkdf-sha384, hkdf-sha512, pbkdf2- and x963- with sha1 to sha512, and card"
                .into())
        }
    }
}

/// Authenticate a message with a secret key
#[derive(Args)]
pub(crate) struct Mac {
    /// The key: its number, or its label
    key: String,
    /// The message, up to 65000 bytes [default: standard input]
    #[arg(default_value = "-", hide_default_value = true)]
    file: PathBuf,
    /// cmac, or hmac- with sha1, sha224, sha256, sha384 or sha512
    #[arg(short, long, default_value = "cmac", value_parser = parse_mac)]
    algorithm: Algorithm,
    /// Compare with this code, in hexadecimal, instead of printing it
    #[arg(long, value_name = "CODE")]
    check: Option<Hex>,
    #[command(flatten)]
    output: Output,
}

impl Mac {
    /// Computes or checks the code.
    ///
    /// # Errors
    /// [`ErrorKind::Verification`], and those of the client's calls.
    pub(crate) fn run(&self, global: &Global) -> Result<Report> {
        let message = bytes::read(&self.file)?;
        let mut device = global.open()?;
        let id = global.find_key(&mut device, &self.key)?;
        secret_key_len(&mut device, id, "compute the code")?;
        global.log_in(&mut device)?;
        let message = Secret(&message);
        let operation = match self.algorithm {
            Algorithm::Hmac(hash) => SymmetricOperation::Hmac { hash, message },
            _ => SymmetricOperation::Cmac { message },
        };
        let code = using(&mut device, "Authenticating", |device| device.cipher(id, &operation.into()))?;
        match &self.check {
            None => self.output.deliver("mac", &code, json!({ "key": id.value() })),
            // What is compared comes from the host, and so does the answer: time tells nobody anything new.
            Some(expected) if expected.0 == *code => {
                Ok(Report::line(json!({ "key": id.value(), "valid": true }), "The code is the message's."))
            }
            Some(_) => Err(Error::new(ErrorKind::Verification, "accept the code", "it is not this message's")
                .advise("The message was changed, or another key or algorithm made the code.")),
        }
    }
}

/// Derive bytes from a secret key
#[derive(Args)]
pub(crate) struct Kdf {
    /// The key: its number, or its label
    key: String,
    /// hkdf-sha256, hkdf-sha384, hkdf-sha512, pbkdf2- or x963- with sha1 to sha512; or card, the one derivation that other
    /// cards have too, from --info alone and as long as that
    #[arg(short, long, default_value = "hkdf-sha256", value_parser = parse_kdf)]
    algorithm: Algorithm,
    /// Length of the result in bytes
    #[arg(short, long, default_value = "32")]
    length: NonZeroU16,
    /// Salt, in hexadecimal (HKDF, PBKDF2)
    #[arg(long)]
    salt: Option<Hex>,
    /// Context that separates this use from others, in hexadecimal (HKDF, X9.63)
    #[arg(long)]
    info: Option<Hex>,
    /// Iterations of PBKDF2
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    iterations: u32,
    #[command(flatten)]
    output: Output,
}

impl Kdf {
    /// Derives.
    ///
    /// # Errors
    /// Those of the client's calls.
    pub(crate) fn run(&self, global: &Global) -> Result<Report> {
        let mut device = global.open()?;
        let id = global.find_key(&mut device, &self.key)?;
        secret_key_len(&mut device, id, "derive")?;
        global.log_in(&mut device)?;
        let salt = self.salt.as_ref().map_or(&[][..], |salt| &salt.0);
        let info = self.info.as_ref().map_or(&[][..], |info| &info.0);
        let operation = match self.algorithm {
            Algorithm::Pbkdf2(prf) => {
                SymmetricOperation::Pbkdf2(Pbkdf2 { salt, iterations: self.iterations, key_len: None, prf })
            }
            Algorithm::X963(hash) => SymmetricOperation::X963 { hash, shared_info: info },
            Algorithm::Card if info.is_empty() => {
                return Err(Error::new(ErrorKind::Usage, "derive", "this algorithm derives from --info alone")
                    .advise("Give --info, as long as the result is to be."));
            }
            Algorithm::Card => SymmetricOperation::Derive { parameter: info },
            Algorithm::Hkdf(hash) | Algorithm::Hmac(hash) => SymmetricOperation::Hkdf { hash, salt, info },
            Algorithm::Cmac => SymmetricOperation::Hkdf { hash: HmacHash::Sha256, salt, info },
        };
        let len = Some(self.length).filter(|_| self.algorithm != Algorithm::Card);
        let derived = using(&mut device, "Deriving", |device| device.cipher(id, &CipherRequest { operation, len }))?;
        self.output.deliver("derived", &derived, json!({ "key": id.value() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_comes_off_again_and_other_bytes_are_no_padding() {
        for len in 0..40 {
            let plain = Zeroizing::new(vec![7; len]);
            let mut data = plain.clone();
            pad(&mut data);
            assert_eq!(data.len() % BLOCK, 0);
            unpad(&mut data).expect("padding");
            assert_eq!(data, plain);
        }
        for wrong in [&[][..], &[0; 16], &[17; 32], &[1, 2, 2, 3, 3]] {
            unpad(&mut Zeroizing::new(wrong.to_vec())).expect_err("no padding");
        }
    }
}
