//! Algorithms of the HSM; no protocol.
//!
//! | module | what it is | standard |
//! |---|---|---|
//! | [`rsa`] | key generation, private operation, signatures, decryption | RFC 8017, FIPS 186-5 |
//! | [`ec`] | Weierstrass curves as a table, keys, ECDSA, ECDH | FIPS 186-5, SEC 1, SEC 2, RFC 5639, RFC 6979 |
//! | [`edwards`] | Ed25519 and Ed448 | RFC 8032 |
//! | [`montgomery`] | X25519 and X448 | RFC 7748 |
//! | [`hash`] | SHA-1 and SHA-2, DigestInfo | FIPS 180-4, RFC 8017 §9.2 |
//! | [`secret_key`] | keys of ciphers, MACs and key derivation | |
//! | [`cipher`] | AES in ECB, CBC, OFB, CFB-128, CTR and XTS mode | FIPS 197, SP 800-38A, IEEE 1619 |
//! | [`aead`] | AES-GCM, AES-CCM, ChaCha20-Poly1305 | SP 800-38D, SP 800-38C, RFC 8439 |
//! | [`mac`] | CMAC and HMAC | SP 800-38B, RFC 2104 |
//! | [`kdf`] | HKDF, PBKDF2, X9.63 | RFC 5869, RFC 8018, SEC 1 |
//! | [`pbes2`] | password-based encryption | RFC 8018 |
//! | [`hd`] | hierarchical deterministic keys | BIP32, SLIP-10, SLIP-21 |
//! | [`channel`] | session keys and protection of messages | BSI TR-03110-3 |
//! | [`lock`] | how the mask of the secure lock travels | specification part 3 §1.4 |
//! | [`dkek`] | the key that wraps other keys | specification part 2 §7 |
//! | [`pin`] | stretching of PINs with Argon2id | RFC 9106 |
//! | [`drbg`], [`entropy`] | random numbers | SP 800-90A, SP 800-90B |
#![no_std]
#![deny(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod aead;
mod aes;
mod bytes;
pub mod channel;
pub mod cipher;
pub mod dkek;
pub mod drbg;
pub mod ec;
pub mod edwards;
pub mod entropy;
pub mod hash;
pub mod hd;
mod join;
pub mod kdf;
pub mod lock;
pub mod mac;
pub mod montgomery;
pub mod okp;
pub mod pbes2;
pub mod pin;
pub mod rsa;
pub mod secret_key;
#[cfg(test)]
mod wycheproof;

pub use bytes::Bytes;
pub use join::{Join, Sequential};

/// Why an operation failed. Nothing in it depends on a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// A key, or what claims to be one, is not valid.
    BadKey,
    /// An input or output has the wrong length.
    BadLength,
    /// A signature or authentication tag does not match.
    BadSignature,
    /// What a cryptogram decrypts to is not padded as it should be.
    BadPadding,
    /// An input is out of range, such as a number not below the modulus.
    OutOfRange,
    /// The result did not pass its check; nothing was released.
    Fault,
}
