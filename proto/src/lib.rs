//! The language between the two ends: bytes and types, no algorithms.
//!
//! | module | what it is | where it is specified |
//! |---|---|---|
//! | [`apdu`] | command APDUs, short and extended | ISO 7816-4 §5, specification part 1 §1.4 |
//! | [`status`] | status words | part 1 §1.12 |
//! | [`tlv`] | BER-TLV, definite lengths | ISO 7816-4 §5.2.2 |
//! | [`command`] | one variant for each thing a host may ask | part 1 §2 |
//! | [`fid`], [`aid`] | identifiers of files, keys and applications | part 1 §1.2, §3.3 |
//! | [`fcp`] | answers to SELECT | part 1 §4.1 |
//! | [`cvc`] | card-verifiable certificates and requests | BSI TR-03110-3 appendix C/D, part 1 §5.5 |
//! | [`pkcs15`] | descriptions of keys, certificates and data | PKCS#15 / ISO 7816-15, part 4 §1.7 |
//! | [`blob`] | wrapped keys | part 2 §10 |
//! | [`secure_messaging`] | chip authentication, protected commands and answers | BSI TR-03110-3, part 1 §6 |
//! | [`rescue`] | answer of the rescue application | part 3 §2 |
//! | [`configuration`] | what the owner says about board and USB | part 3 §3 |
//! | [`clock`] | date and time | part 3 §1.5, §2.4 |
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic
    )
)]

#[cfg(test)]
extern crate std;

pub mod aid;
pub mod apdu;
pub mod blob;
pub mod clock;
pub mod command;
pub mod configuration;
pub mod cvc;
pub mod fcp;
pub mod fid;
pub mod pkcs15;
pub mod rescue;
pub mod secure_messaging;
pub mod status;
pub mod tlv;
