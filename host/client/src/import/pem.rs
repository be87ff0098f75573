//! PEM (RFC 7468), and the encryption that OpenSSL once put into its headers (RFC 1421 §4.6).

use super::bad;
use super::encryption::{WRONG_PASSWORD, unpad};
use crate::error::{Error, ErrorKind, Result};
use base64ct::{Base64, Encoding as _};
use ferrite_crypto::cipher::{Direction, Mode, apply};
use md5::Digest as _;
use zeroize::Zeroizing;

pub(super) const PRIVATE: &str = "PRIVATE KEY";
pub(super) const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";
pub(super) const PKCS1: &str = "RSA PRIVATE KEY";
pub(super) const SEC1: &str = "EC PRIVATE KEY";

/// One block of a file.
pub(super) struct Block {
    pub(super) label: String,
    pub(super) content: Zeroizing<Vec<u8>>,
    /// Content of `DEK-Info`: cipher and initialisation vector.
    pub(super) encryption: Option<String>,
}

/// The blocks of a file; none if it is no PEM. What stands between them does not count.
pub(super) fn blocks(file: &[u8]) -> Result<Vec<Block>> {
    const BEGIN: &str = "-----BEGIN ";
    const DASHES: &str = "-----";
    let Ok(text) = std::str::from_utf8(file) else { return Ok(Vec::new()) };
    let mut blocks = Vec::new();
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        let Some(label) = line.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(DASHES)) else { continue };
        let end = format!("-----END {label}{DASHES}");
        let mut encoded = Zeroizing::new(String::with_capacity(file.len()));
        let mut encryption = None;
        loop {
            let line = lines.next().ok_or_else(|| bad("a block in it does not end"))?;
            if line == end {
                break;
            }
            match line.split_once(':') {
                Some(("DEK-Info", value)) => encryption = Some(value.trim().to_owned()),
                Some(_) => {}
                None => encoded.push_str(line),
            }
        }
        let content = Base64::decode_vec(&encoded).map_err(|_| bad("a block in it is not Base64"))?;
        blocks.push(Block { label: label.to_owned(), content: Zeroizing::new(content), encryption });
    }
    Ok(blocks)
}

impl Block {
    /// The content, decrypted if it is encrypted.
    pub(super) fn decrypted(&self, password: Option<&[u8]>) -> Result<Zeroizing<Vec<u8>>> {
        let Some(encryption) = &self.encryption else { return Ok(self.content.clone()) };
        let password = password.ok_or_else(super::encryption::no_password)?;
        let unknown = || Error::new(ErrorKind::Unsupported, super::WHAT, format!("it is encrypted with {encryption}"));
        let (cipher, iv) = encryption.split_once(',').ok_or_else(unknown)?;
        let iv = hexadecimal(iv.trim()).ok_or_else(unknown)?;
        let key_len = match cipher.trim() {
            "AES-128-CBC" => 16,
            "AES-192-CBC" | "DES-EDE3-CBC" => 24,
            "AES-256-CBC" => 32,
            _ => return Err(unknown()),
        };
        let salt = iv.get(..8).ok_or_else(unknown)?;
        let key = stretch(password, salt, key_len);
        let mut content = self.content.clone();
        let block = if cipher.trim() == "DES-EDE3-CBC" {
            super::encryption::triple_des(&key, &iv, &mut content)?;
            8
        } else {
            let iv = iv.as_slice().try_into().map_err(|_| unknown())?;
            apply(Mode::Cbc, Direction::Decrypt, &key, &iv, &mut content).map_err(|_| bad("it is cut short"))?;
            16
        };
        let len = unpad(&content, block).ok_or_else(WRONG_PASSWORD)?;
        content.truncate(len);
        Ok(content)
    }
}

/// EVP_BytesToKey with MD5, once.
fn stretch(password: &[u8], salt: &[u8], len: usize) -> Zeroizing<Vec<u8>> {
    let mut key = Zeroizing::new(Vec::with_capacity(48));
    let mut last: Vec<u8> = Vec::new();
    while key.len() < len {
        last = md5::Md5::new().chain_update(&last).chain_update(password).chain_update(salt).finalize().to_vec();
        key.extend_from_slice(&last);
    }
    key.truncate(len);
    key
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.iter().map(byte).collect()
}
