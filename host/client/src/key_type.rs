//! Kinds of keys, and their names.

use crate::error::{Error, ErrorKind};
use ferrite_crypto::{ec, edwards, montgomery, rsa};
use ferrite_proto::command::SecretKeyLen;
use std::fmt;
use std::str::FromStr;

/// A kind of key, with its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    /// RSA, with the length of the modulus in bits.
    Rsa(u16),
    /// A Weierstrass curve: ECDSA and ECDH.
    Ec(ec::Curve),
    /// A curve in Edwards form: EdDSA.
    Edwards(edwards::Curve),
    /// A curve in Montgomery form: agreement.
    Montgomery(montgomery::Curve),
    /// AES, with its length.
    Aes(SecretKeyLen),
}

/// Kinds by their names. The first name of a kind is the one it is shown with.
const NAMES: &[(&str, KeyType)] = &[
    ("p256", KeyType::Ec(ec::Curve::P256)),
    ("secp256r1", KeyType::Ec(ec::Curve::P256)),
    ("prime256v1", KeyType::Ec(ec::Curve::P256)),
    ("p192", KeyType::Ec(ec::Curve::P192)),
    ("secp192r1", KeyType::Ec(ec::Curve::P192)),
    ("prime192v1", KeyType::Ec(ec::Curve::P192)),
    ("p224", KeyType::Ec(ec::Curve::P224)),
    ("secp224r1", KeyType::Ec(ec::Curve::P224)),
    ("p384", KeyType::Ec(ec::Curve::P384)),
    ("secp384r1", KeyType::Ec(ec::Curve::P384)),
    ("p521", KeyType::Ec(ec::Curve::P521)),
    ("secp521r1", KeyType::Ec(ec::Curve::P521)),
    ("secp192k1", KeyType::Ec(ec::Curve::Secp192k1)),
    ("secp256k1", KeyType::Ec(ec::Curve::Secp256k1)),
    ("brainpoolp256r1", KeyType::Ec(ec::Curve::BrainpoolP256r1)),
    ("brainpoolp384r1", KeyType::Ec(ec::Curve::BrainpoolP384r1)),
    ("brainpoolp512r1", KeyType::Ec(ec::Curve::BrainpoolP512r1)),
    ("ed25519", KeyType::Edwards(edwards::Curve::Ed25519)),
    ("ed448", KeyType::Edwards(edwards::Curve::Ed448)),
    ("x25519", KeyType::Montgomery(montgomery::Curve::X25519)),
    ("x448", KeyType::Montgomery(montgomery::Curve::X448)),
    ("aes:128", KeyType::Aes(SecretKeyLen::Bits128)),
    ("aes:192", KeyType::Aes(SecretKeyLen::Bits192)),
    ("aes:256", KeyType::Aes(SecretKeyLen::Bits256)),
    ("aes:512", KeyType::Aes(SecretKeyLen::Bits512)),
    ("rsa:1024", KeyType::Rsa(1024)),
    ("rsa:2048", KeyType::Rsa(2048)),
    ("rsa:3072", KeyType::Rsa(3072)),
    ("rsa:4096", KeyType::Rsa(4096)),
];

impl KeyType {
    /// Every kind, by the name it is shown with.
    pub fn all() -> impl Iterator<Item = (&'static str, Self)> {
        NAMES.iter().enumerate().filter_map(|(at, (name, kind))| {
            let is_first = !NAMES.iter().take(at).any(|(_, earlier)| earlier == kind);
            is_first.then_some((*name, *kind))
        })
    }

    /// AES with a number of bits.
    pub(crate) fn aes(bits: u16) -> Option<Self> {
        SecretKeyLen::ALL.into_iter().find(|len| secret_key_bits(*len) == bits).map(Self::Aes)
    }

    /// Whether it has a public key.
    pub fn has_public_key(self) -> bool {
        !matches!(self, Self::Aes(_))
    }

    /// Size in bits: modulus, field or key.
    pub fn bits(self) -> u16 {
        match self {
            Self::Rsa(bits) => bits,
            Self::Ec(curve) => curve.domain().bits,
            Self::Edwards(curve) => curve.domain().bits,
            Self::Montgomery(curve) => curve.domain().bits,
            Self::Aes(len) => secret_key_bits(len),
        }
    }
}

/// Length of a secret key, in bits.
fn secret_key_bits(len: SecretKeyLen) -> u16 {
    match len {
        SecretKeyLen::Bits128 => 128,
        SecretKeyLen::Bits192 => 192,
        SecretKeyLen::Bits256 => 256,
        SecretKeyLen::Bits512 => 512,
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (NAMES.iter().find(|(_, kind)| kind == self), self) {
            (Some((name, _)), _) => f.write_str(name),
            (None, Self::Rsa(bits)) => write!(f, "rsa:{bits}"),
            (None, other) => write!(f, "{other:?}"),
        }
    }
}

impl FromStr for KeyType {
    type Err = Error;

    /// Reads names as `p256`, `ec:p256`, `EC:prime256v1`, `rsa:2048`, `rsa2048`, `aes:256`, `ed25519`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let plain = |text: &str| text.to_ascii_lowercase().replace([':', '-', '_'], "");
        let wanted = plain(text);
        let wanted = wanted.strip_prefix("ec").unwrap_or(&wanted);
        let named = NAMES.iter().find(|(name, _)| plain(name) == wanted).map(|(_, kind)| *kind);
        let rsa = || wanted.strip_prefix("rsa").and_then(|bits| rsa::ModulusLen::new(bits.parse().ok()?));
        named.or_else(|| rsa().map(|len| Self::Rsa(len.bits()))).ok_or_else(|| {
            let names: Vec<_> = Self::all().map(|(name, _)| name).collect();
            let what = format!("make a key of kind {text:?}");
            Error::new(ErrorKind::Usage, what, "there is no such kind").advise(format!("Kinds: {}", names.join(", ")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_however_they_are_written() {
        let mut count = 0;
        for (name, kind) in KeyType::all() {
            count += 1;
            assert_eq!(kind.to_string(), name);
            assert_eq!(name.parse::<KeyType>().expect(name), kind);
            assert_eq!(name.to_uppercase().replace(':', "-").parse::<KeyType>().expect(name), kind);
        }
        assert_eq!(count, ec::Curve::ALL.len() + edwards::Curve::ALL.len() + montgomery::Curve::ALL.len() + 4 + 4);
        assert_eq!("EC:prime256v1".parse::<KeyType>().expect("a curve"), KeyType::Ec(ec::Curve::P256));
        assert_eq!("rsa:1536".parse::<KeyType>().expect("a length"), KeyType::Rsa(1536));
        assert_eq!("rsa:2047".parse::<KeyType>().expect_err("no such size").kind(), ErrorKind::Usage);
    }
}
