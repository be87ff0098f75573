//! The table of subjects: an operation, what is secret in it, and what memcheck is expected to report.
//!
//! Each ends by declaring its result public where the protocol does so. Whether a result is an error is public too.

use crate::keys::{SecretRng, scalar, secret_rsa_key};
use crate::memcheck::{declassify, poison, secret};
use anyhow::{Result, anyhow};
use ferrite_crypto::hash::Hash;
use ferrite_crypto::{Error, Sequential, ec};
use std::hint::black_box;

/// What memcheck is expected to report.
#[derive(Clone, Copy)]
pub(crate) enum Expected {
    /// Nothing.
    Nothing,
    /// A jump: the subject is there to show that one is found.
    Jump,
    /// An address: the subject is there to show that one is found.
    Address,
}

impl Expected {
    /// How the list of subjects says it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Expected::Nothing => "nothing",
            Expected::Jump => "jump",
            Expected::Address => "address",
        }
    }
}

/// An operation on secrets.
pub(crate) struct Subject {
    pub(crate) name: String,
    pub(crate) expected: Expected,
    pub(crate) run: Box<dyn Fn() -> Result<()>>,
}

/// The digest that is signed. It is public.
const DIGEST: [u8; 32] = [0x3C; 32];
/// Lengths of RSA keys, in bits.
const RSA_LENGTHS: [u16; 2] = [1024, 2048];

/// Every subject, those first that must be reported.
pub(crate) fn all() -> Vec<Subject> {
    let mut table = Vec::new();
    let mut add = |name: String, expected, run: Box<dyn Fn() -> Result<()>>| {
        table.push(Subject { name, expected, run });
    };
    add("control: jump on a secret".into(), Expected::Jump, Box::new(jump));
    add("control: address from a secret".into(), Expected::Address, Box::new(address));
    for curve in ec::Curve::ALL.iter().copied() {
        let mut row = |operation: &str, run: fn(ec::Curve) -> Result<()>| {
            add(format!("{curve:?} {operation}"), Expected::Nothing, Box::new(move || run(curve)));
        };
        row("generate", ec_generate);
        row("public key", ec_public_key);
        row("sign", ec_sign);
    }
    for bits in RSA_LENGTHS {
        let mut row = |operation: &str, run: fn(u16) -> Result<()>| {
            add(format!("RSA-{bits} {operation}"), Expected::Nothing, Box::new(move || run(bits)));
        };
        row("private operation", rsa_private_operation);
        row("sign PKCS1", rsa_sign_pkcs1);
        row("sign PSS", rsa_sign_pss);
    }
    table
}

/// The value, or what went wrong.
fn checked<T>(result: Result<T, Error>) -> Result<T> {
    result.map_err(|error| anyhow!("{error:?}"))
}

/// Jumps where a secret bit says so.
fn jump() -> Result<()> {
    let [byte] = secret([black_box(0x5A)]);
    if byte & 1 == 1 {
        // A call with an effect cannot be turned into a choice without a jump.
        println!("the secret is odd");
    }
    Ok(())
}

/// Looks a secret up in a table.
fn address() -> Result<()> {
    let [byte] = secret([black_box(0x5A)]);
    let table: [u8; 256] = black_box(std::array::from_fn(|i| i as u8 ^ 0xFF));
    black_box(table[usize::from(byte)]);
    Ok(())
}

/// A private key whose scalar is secret.
fn secret_ec_key(curve: ec::Curve) -> Result<ec::PrivateKey> {
    let mut scalar = scalar(curve, 0x5A);
    poison(&mut scalar);
    checked(ec::PrivateKey::from_bytes(curve, &scalar))
}

fn ec_generate(curve: ec::Curve) -> Result<()> {
    black_box(ec::PrivateKey::generate(curve, &mut SecretRng::new()));
    Ok(())
}

fn ec_public_key(curve: ec::Curve) -> Result<()> {
    let mut point = secret_ec_key(curve)?.public_key();
    declassify(&mut point);
    black_box(point);
    Ok(())
}

fn ec_sign(curve: ec::Curve) -> Result<()> {
    let mut signature = checked(secret_ec_key(curve)?.sign(&DIGEST, &mut SecretRng::new()))?;
    declassify(&mut signature);
    black_box(signature);
    Ok(())
}

/// A number below every modulus, that of a cryptogram whose contents nobody may learn.
fn block(len: usize) -> Vec<u8> {
    let mut block = vec![0x5A; len];
    block[0] = 0;
    block
}

fn rsa_private_operation(bits: u16) -> Result<()> {
    let key = secret_rsa_key(bits)?;
    let mut block = block(key.len());
    checked(key.private_operation(&mut block, &mut SecretRng::new(), &mut Sequential))?;
    declassify(block.as_mut_slice());
    black_box(block);
    Ok(())
}

fn rsa_sign_pkcs1(bits: u16) -> Result<()> {
    let key = secret_rsa_key(bits)?;
    let mut out = vec![0; key.len()];
    checked(key.sign_pkcs1_digest(Hash::Sha256, &DIGEST, &mut out, &mut SecretRng::new(), &mut Sequential))?;
    declassify(out.as_mut_slice());
    black_box(out);
    Ok(())
}

fn rsa_sign_pss(bits: u16) -> Result<()> {
    let key = secret_rsa_key(bits)?;
    let mut out = vec![0; key.len()];
    checked(key.sign_pss(Hash::Sha256, &DIGEST, &mut out, &mut SecretRng::new(), &mut Sequential))?;
    declassify(out.as_mut_slice());
    black_box(out);
    Ok(())
}
