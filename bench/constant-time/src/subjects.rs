//! The table of subjects: an operation, what is secret in it, and what memcheck is expected to report.
//!
//! Each ends by declaring its result public where the protocol does so. Whether a result is an error is public too.

use crate::keys::{SecretRng, rsa_key, scalar, secret_primes, secret_rsa_key};
use crate::memcheck::{declassify, poison, secret};
use anyhow::{Result, anyhow, ensure};
use ferrite_crypto::drbg::Drbg;
use ferrite_crypto::hash::Hash;
use ferrite_crypto::{Error, Sequential, aead, cipher, ec, edwards, hd, kdf, mac, montgomery, rsa};
use rand_core::Rng as _;
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
        row("agree", ec_agree);
        row("add", ec_add);
    }
    for curve in edwards::Curve::ALL.iter().copied() {
        let mut row = |operation: &str, run: fn(edwards::Curve) -> Result<()>| {
            add(format!("{curve:?} {operation}"), Expected::Nothing, Box::new(move || run(curve)));
        };
        row("public key", edwards_public_key);
        row("sign", edwards_sign);
    }
    for curve in montgomery::Curve::ALL.iter().copied() {
        let mut row = |operation: &str, run: fn(montgomery::Curve) -> Result<()>| {
            add(format!("{curve:?} {operation}"), Expected::Nothing, Box::new(move || run(curve)));
        };
        row("public key", montgomery_public_key);
        row("agree", montgomery_agree);
    }
    for bits in RSA_LENGTHS {
        let mut row = |operation: &str, run: fn(u16) -> Result<()>| {
            add(format!("RSA-{bits} {operation}"), Expected::Nothing, Box::new(move || run(bits)));
        };
        row("from primes", rsa_from_primes);
        row("private operation", rsa_private_operation);
        row("sign PKCS1", rsa_sign_pkcs1);
        row("sign PSS", rsa_sign_pss);
        row("decrypt PKCS1, right padding", |bits| rsa_decrypt_pkcs1(bits, 2));
        row("decrypt PKCS1, wrong padding", |bits| rsa_decrypt_pkcs1(bits, 1));
        row("decrypt OAEP, right padding", |bits| rsa_decrypt_oaep(bits, 0));
        row("decrypt OAEP, wrong padding", |bits| rsa_decrypt_oaep(bits, 1));
    }
    for (name, run) in SYMMETRIC {
        add(name.into(), Expected::Nothing, Box::new(run));
    }
    table
}

/// An operation that needs nothing from outside.
type Run = fn() -> Result<()>;

/// Operations without a curve or a length.
const SYMMETRIC: [(&str, Run); 16] = [
    ("HKDF-SHA-256", hkdf),
    ("HMAC_DRBG", drbg),
    ("ChaCha20-Poly1305 seal", seal),
    ("ChaCha20-Poly1305 open, right tag", || open(0)),
    ("ChaCha20-Poly1305 open, wrong tag", || open(1)),
    ("AES-256-CBC encrypt", || aes(cipher::Mode::Cbc, cipher::Direction::Encrypt)),
    ("AES-256-CBC decrypt", || aes(cipher::Mode::Cbc, cipher::Direction::Decrypt)),
    ("AES-256-CTR", || aes(cipher::Mode::Ctr, cipher::Direction::Encrypt)),
    ("AES-128-XTS encrypt", || aes(cipher::Mode::Xts, cipher::Direction::Encrypt)),
    ("AES-256-GCM encrypt", || authenticated(aead::Algorithm::AesGcm)),
    ("AES-256-CCM encrypt", || authenticated(aead::Algorithm::AesCcm)),
    ("AES-256-CMAC", cmac),
    ("HMAC-SHA-512", hmac),
    ("BIP32 hardened child", || child(hd::Kind::Secp256k1, hd::Step::Number(1 << 31))),
    ("SLIP-10 child on P-256", || child(hd::Kind::P256, hd::Step::Number(1))),
    ("SLIP-21 child", || child(hd::Kind::Symmetric, hd::Step::Label(b"label"))),
];

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
    let mut point = checked(secret_ec_key(curve)?.public_key())?;
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

fn ec_agree(curve: ec::Curve) -> Result<()> {
    let peer = checked(ec::PrivateKey::from_bytes(curve, &scalar(curve, 0x33)).and_then(|peer| peer.public_key()))?;
    black_box(checked(secret_ec_key(curve)?.agree(peer.as_ref()))?);
    Ok(())
}

fn ec_add(curve: ec::Curve) -> Result<()> {
    let mut tweak = scalar(curve, 0x33);
    poison(&mut tweak);
    black_box(checked(secret_ec_key(curve)?.add(&tweak))?);
    Ok(())
}

/// A private key of which all is secret.
fn secret_edwards_key(curve: edwards::Curve) -> Result<edwards::PrivateKey> {
    let mut seed = vec![0x5A; curve.key_len()];
    poison(&mut seed);
    checked(edwards::PrivateKey::from_bytes(curve, &seed))
}

fn edwards_public_key(curve: edwards::Curve) -> Result<()> {
    let mut point = checked(secret_edwards_key(curve)?.public_key())?;
    declassify(&mut point);
    black_box(point);
    Ok(())
}

fn edwards_sign(curve: edwards::Curve) -> Result<()> {
    let mut signature = checked(secret_edwards_key(curve)?.sign(&DIGEST))?;
    declassify(&mut signature);
    black_box(signature);
    Ok(())
}

/// A private key of which all is secret.
fn secret_montgomery_key(curve: montgomery::Curve) -> Result<montgomery::PrivateKey> {
    let mut scalar = vec![0x5A; curve.key_len()];
    poison(&mut scalar);
    checked(montgomery::PrivateKey::from_bytes(curve, &scalar))
}

fn montgomery_public_key(curve: montgomery::Curve) -> Result<()> {
    let mut coordinate = checked(secret_montgomery_key(curve)?.public_key())?;
    declassify(&mut coordinate);
    black_box(coordinate);
    Ok(())
}

fn montgomery_agree(curve: montgomery::Curve) -> Result<()> {
    let peer = montgomery::PrivateKey::from_bytes(curve, &vec![0x33; curve.key_len()]);
    let peer = checked(peer.and_then(|peer| peer.public_key()))?;
    black_box(checked(secret_montgomery_key(curve)?.agree(peer.as_ref()))?);
    Ok(())
}

/// A number below every modulus, that of a cryptogram whose contents nobody may learn.
fn block(len: usize) -> Vec<u8> {
    let mut block = vec![0x5A; len];
    block[0] = 0;
    block
}

fn rsa_from_primes(bits: u16) -> Result<()> {
    let [p, q] = secret_primes(bits);
    black_box(checked(rsa::PrivateKey::from_primes(&p, &q))?);
    Ok(())
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

/// What is encrypted.
const MESSAGE: &[u8] = b"a message that nobody else may read";

/// Encrypts a block with an RSA key's public half.
fn rsa_encrypt(key: &rsa::PrivateKey, block: &mut [u8]) -> Result<()> {
    let mut modulus = vec![0; key.len()];
    checked(key.modulus(&mut modulus))?;
    checked(rsa::public(&modulus, block))
}

/// Decrypts PKCS#1 v1.5 with a byte that says what the padding is for; 2 is right.
fn rsa_decrypt_pkcs1(bits: u16, kind: u8) -> Result<()> {
    let mut block = vec![0xFF; usize::from(bits / 8)];
    let (padding, message) = block.split_at_mut(usize::from(bits / 8) - MESSAGE.len());
    message.copy_from_slice(MESSAGE);
    (padding[0], padding[1], padding[padding.len() - 1]) = (0, kind, 0);
    rsa_encrypt(&rsa_key(bits)?, &mut block)?;
    let mut out = vec![0; block.len()];
    let key = secret_rsa_key(bits)?;
    let decrypted = key.decrypt_pkcs1(&block, &mut out, &mut SecretRng::new(), &mut Sequential);
    rsa_decrypted(decrypted, out, kind == 2)
}

/// Decrypts OAEP with a first byte; 0 is right.
fn rsa_decrypt_oaep(bits: u16, first: u8) -> Result<()> {
    const HASH: Hash = Hash::Sha256;
    let mut block = vec![0; usize::from(bits / 8)];
    block[0] = first;
    let (seed, db) = block[1..].split_at_mut(HASH.digest_len());
    seed.fill(0x77);
    let (header, message) = db.split_at_mut(db.len() - MESSAGE.len());
    message.copy_from_slice(MESSAGE);
    header[..HASH.digest_len()].copy_from_slice(HASH.digest(&[]).as_ref());
    header[header.len() - 1] = 1;
    mask(HASH, seed, db);
    mask(HASH, db, seed);
    rsa_encrypt(&rsa_key(bits)?, &mut block)?;
    let mut out = vec![0; block.len()];
    let key = secret_rsa_key(bits)?;
    let decrypted = key.decrypt_oaep(HASH, &block, &mut out, &mut SecretRng::new(), &mut Sequential);
    rsa_decrypted(decrypted, out, first == 0)
}

/// Adds MGF1 of a seed to a part of a block (RFC 8017 §B.2.1).
fn mask(hash: Hash, seed: &[u8], part: &mut [u8]) {
    for (counter, chunk) in (0u32..).zip(part.chunks_mut(hash.digest_len())) {
        let mask = hash.digest(&[seed, &counter.to_be_bytes()]);
        chunk.iter_mut().zip(mask.as_ref()).for_each(|(byte, mask)| *byte ^= mask);
    }
}

/// Checks that the padding was found right or wrong. That is public, and so is the length of the message.
fn rsa_decrypted(mut decrypted: Result<usize, Error>, mut out: Vec<u8>, is_right: bool) -> Result<()> {
    declassify(&mut decrypted);
    declassify(out.as_mut_slice());
    let found = decrypted.ok().and_then(|len| out.get(..len));
    ensure!(found == is_right.then_some(MESSAGE), "the padding is not what it should be");
    Ok(())
}

fn hkdf() -> Result<()> {
    let mut out = [0; 64];
    kdf::hkdf_sha256(&[1; 32], &secret([2; 32]), &[b"label"], &mut out);
    black_box(out);
    Ok(())
}

fn drbg() -> Result<()> {
    let mut drbg = Drbg::new(&secret([3; 48]), &[], &[]);
    drbg.reseed(&secret([4; 48]), &[]);
    let mut out = [0; 100];
    drbg.fill_bytes(&mut out);
    black_box(out);
    Ok(())
}

/// A mode of AES; key and data are secret.
fn aes(mode: cipher::Mode, direction: cipher::Direction) -> Result<()> {
    let mut data = secret([5; 96]);
    checked(cipher::apply(mode, direction, &secret([6; 32]), &[7; 16], &mut data))?;
    black_box(data);
    Ok(())
}

/// An authenticated mode, of which nonce and additional data are public.
fn authenticated(algorithm: aead::Algorithm) -> Result<()> {
    let mut data = secret([5; 100]);
    let tag = checked(aead::encrypt(algorithm, &secret([6; 32]), &[0; 12], b"header", &mut data))?;
    black_box((data, tag));
    Ok(())
}

fn cmac() -> Result<()> {
    black_box(checked(mac::cmac(&secret([6; 32]), &[&secret([5; 100])]))?);
    Ok(())
}

fn hmac() -> Result<()> {
    black_box(mac::hmac(Hash::Sha512, &secret([6; 64]), &[&secret([5; 100])]));
    Ok(())
}

/// A child of a node of which all but its kind is secret.
fn child(kind: hd::Kind, step: hd::Step<'_>) -> Result<()> {
    let mut stored = checked(hd::Node::master(kind, &[8; 32]))?.to_bytes();
    poison(stored.split_first_mut().map(|(_, halves)| halves).unwrap_or_default());
    black_box(checked(checked(hd::Node::from_bytes(&stored))?.child(step))?.to_bytes());
    Ok(())
}

/// What is sealed, under a key and a nonce that are fixed.
fn seal() -> Result<()> {
    let mut data = secret([5; 100]);
    let mut tag = aead::seal(&aead::Key::from_bytes(&secret([6; 32])), &[0; 12], b"header", &mut data);
    declassify(&mut data);
    declassify(&mut tag);
    black_box((data, tag));
    Ok(())
}

/// Opens what was sealed, with `change` in a byte of the tag.
fn open(change: u8) -> Result<()> {
    let mut data = [5; 100];
    let mut tag = aead::seal(&aead::Key::from_bytes(&[6; 32]), &[0; 12], b"header", &mut data);
    tag[7] ^= change;
    let opened = aead::open(&aead::Key::from_bytes(&secret([6; 32])), &[0; 12], b"header", &mut data, &tag);
    ensure!(opened.is_ok() == (change == 0), "the tag is not what it should be");
    black_box(data);
    Ok(())
}
