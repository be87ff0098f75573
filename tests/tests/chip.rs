//! The card built for the chips' instruction sets, in QEMU: the scripts, and signatures that OpenSSL verifies.
//! `cargo xtask test` builds it and runs these.

use anyhow::{Context, Result};
use ferrite_client::custody::share::Share;
use ferrite_client::import::read;
use ferrite_client::key_type::KeyType;
use ferrite_client::proto::command::AlgorithmId;
use ferrite_client::proto::fid::KeyId;
use ferrite_client::{Hsm, Initialization, KeyAttributes};
use ferrite_crypto::ec;
use ferrite_tests::bench::source;
use ferrite_tests::client::{INITIALIZATION, log_in_to};
use ferrite_tests::files::Files;
use ferrite_tests::on_chip::OnChip;
use ferrite_tests::on_chip::Processor::{self, CortexM0, CortexM33};
use ferrite_tests::script::Script;
use std::fs;

const MESSAGE: &[u8] = b"what is signed";

/// Every script of `tests/scripts`, with the answers that the virtual device gives.
fn scripts_hold(processor: Processor) -> Result<()> {
    let mut names: Vec<_> = fs::read_dir(source("scripts"))?.collect::<Result<_, _>>()?;
    names.sort_by_key(fs::DirEntry::file_name);
    for name in names {
        let script = Script::parse(&fs::read_to_string(name.path())?)?;
        let mut chip = OnChip::blank(processor)?;
        script.run(&mut chip).with_context(|| name.path().display().to_string())?;
        let millions = chip.instructions() as f64 / 1e6;
        println!("{processor:?}, {}: {millions:.1} million instructions", name.file_name().display());
    }
    Ok(())
}

/// Lets a key sign, and OpenSSL verify.
fn sign(hsm: &mut Hsm<OnChip>, files: &Files, key: KeyId, algorithm: AlgorithmId) -> Result<()> {
    files.write("public.pem", hsm.public_key(key)?.to_pem()?.as_bytes())?;
    files.write("message", MESSAGE)?;
    files.write("signature", &hsm.sign(key, algorithm, MESSAGE)?)?;
    let verify = "dgst -sha256 -verify public.pem -signature signature message";
    files.openssl(verify)?;
    files.write("message", b"something else")?;
    files.openssl(verify).expect_err("another message");
    Ok(())
}

/// A P-256 key made by the chip, and an RSA-2048 key made by OpenSSL: to make that one may take minutes here.
fn signatures_verify(processor: Processor) -> Result<()> {
    let files = Files::new()?;
    let with = Initialization { dkek_shares: Some(1), ..INITIALIZATION };
    let mut hsm = log_in_to(OnChip::blank(processor)?, &with)?;
    let dkek = hsm.import_shares(0, &[Share::generate()?])?;

    let id = hsm.free_key_id()?;
    hsm.generate_key(id, KeyType::Ec(ec::Curve::P256), "made here", &KeyAttributes::default())?;
    sign(&mut hsm, &files, id, AlgorithmId::ECDSA_SHA256).context("P-256")?;

    files.openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.pem")?;
    let imported = read(&files.read("rsa.pem")?, None)?;
    let id = hsm.free_key_id()?;
    hsm.import_key(id, &dkek, imported.keys.first().context("a key")?, &[])?;
    sign(&mut hsm, &files, id, AlgorithmId::RSA_PKCS1_SHA256).context("RSA-2048")
}

#[test]
#[ignore = "needs the card for a chip: cargo xtask test"]
fn scripts_hold_on_a_cortex_m33() -> Result<()> {
    scripts_hold(CortexM33)
}

#[test]
#[ignore = "needs the card for a chip: cargo xtask test"]
fn scripts_hold_with_the_instructions_of_a_cortex_m0() -> Result<()> {
    scripts_hold(CortexM0)
}

#[test]
#[ignore = "needs the card for a chip: cargo xtask test"]
fn signatures_of_a_cortex_m33_verify() -> Result<()> {
    signatures_verify(CortexM33)
}

#[test]
#[ignore = "needs the card for a chip: cargo xtask test"]
fn signatures_with_the_instructions_of_a_cortex_m0_verify() -> Result<()> {
    signatures_verify(CortexM0)
}
