//! Keys generated and used through PKCS#11; every signature is verified by OpenSSL with the public key the token shows.

use anyhow::{Context, Result};
use ferrite_tests::bench::{Bench, expect};

const MESSAGE: &[u8] = b"What the token signs, OpenSSL must verify.";

/// One signature mechanism: what `pkcs11-tool` signs, and how OpenSSL verifies it.
struct Mechanism {
    name: &'static str,
    /// The file that is signed.
    input: &'static str,
    sign: &'static [&'static str],
    verify: &'static [&'static str],
}

const DIGEST: [&str; 3] = ["dgst", "-sha256", "-verify"];
const RAW: [&str; 4] = ["pkeyutl", "-verify", "-pubin", "-inkey"];

const RSA: [Mechanism; 4] = [
    Mechanism { name: "RSA-PKCS", input: "message", sign: &[], verify: &["-pkeyopt", "rsa_padding_mode:pkcs1"] },
    Mechanism { name: "SHA256-RSA-PKCS", input: "message", sign: &[], verify: &[] },
    Mechanism {
        name: "RSA-PKCS-PSS",
        input: "hash",
        sign: &["--hash-algorithm", "SHA256", "--mgf", "MGF1-SHA256"],
        verify: &["-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "digest:sha256", "-pkeyopt", "rsa_pss_saltlen:32"],
    },
    Mechanism {
        name: "SHA256-RSA-PKCS-PSS",
        input: "message",
        sign: &[],
        verify: &["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"],
    },
];

const EC: [Mechanism; 2] = [
    Mechanism { name: "ECDSA", input: "hash", sign: &["--signature-format", "openssl"], verify: &[] },
    Mechanism { name: "ECDSA-SHA256", input: "message", sign: &["--signature-format", "openssl"], verify: &[] },
];

/// Signs with each mechanism and verifies; then verifies that a changed signature is refused, so that the check is one.
fn signs(bench: &Bench, id: &str, mechanisms: &[Mechanism]) -> Result<()> {
    bench.write("message", MESSAGE)?;
    bench.run("openssl", &["dgst", "-sha256", "-binary", "-out", "hash", "message"])?;
    bench.public_key(id, "public.pem")?;
    for Mechanism { name, input, sign, verify } in mechanisms {
        let arguments =
            ["--sign", "--id", id, "--mechanism", name, "--input-file", input, "--output-file", "signature"];
        bench.pkcs11(&[&arguments[..], sign].concat()).context(*name)?;
        let hashes = name.contains("SHA256");
        let verification = match hashes {
            true => [&DIGEST[..], &["public.pem"], verify, &["-signature", "signature", input]].concat(),
            false => [&RAW[..], &["public.pem"], verify, &["-in", input, "-sigfile", "signature"]].concat(),
        };
        bench.run("openssl", &verification).context(*name)?;
        let mut signature = bench.read("signature")?;
        *signature.last_mut().context("an empty signature")? ^= 1;
        bench.write("signature", &signature)?;
        bench.fail("openssl", &verification).context(*name)?;
    }
    Ok(())
}

#[test]
fn an_rsa_2048_key_signs_by_every_mechanism() -> Result<()> {
    let bench = Bench::initialized()?;
    expect(&bench.generate("rsa:2048", "10", "two")?, &["Private Key Object; RSA", "Public Key Object; RSA 2048"])?;
    signs(&bench, "10", &RSA)
}

#[test]
fn an_rsa_4096_key_signs_by_every_mechanism() -> Result<()> {
    let bench = Bench::initialized()?;
    expect(&bench.generate("rsa:4096", "10", "four")?, &["Private Key Object; RSA", "Public Key Object; RSA 4096"])?;
    signs(&bench, "10", &RSA)
}

#[test]
fn a_p256_key_signs_hashes_and_messages() -> Result<()> {
    let bench = Bench::initialized()?;
    expect(&bench.generate("EC:prime256v1", "11", "curve")?, &["Private Key Object; EC", "EC_POINT 256 bits"])?;
    signs(&bench, "11", &EC)
}

#[test]
fn pkcs15_tool_lists_keys_with_their_sizes_and_labels() -> Result<()> {
    let bench = Bench::initialized()?;
    bench.generate("rsa:2048", "10", "two")?;
    bench.generate("EC:prime256v1", "11", "curve")?;
    let listing = bench.run("pkcs15-tool", &["-D"])?;
    for (object, size, id) in [
        ("Private RSA Key [two]", "ModLength      : 2048", "ID             : 10"),
        ("Public RSA Key [two]", "ModLength      : 2048", "ID             : 10"),
        ("Private EC Key [curve]", "FieldLength    : 256", "ID             : 11"),
        ("Public EC Key [curve]", "FieldLength    : 256", "ID             : 11"),
    ] {
        let start = listing.find(object).with_context(|| format!("{object} is missing in:\n{listing}"))?;
        let entry = listing[start..].split("\n\n").next().unwrap_or_default();
        expect(entry, &[size, id])?;
    }
    Ok(())
}

#[test]
fn a_key_is_neither_used_nor_generated_without_the_pin() -> Result<()> {
    let bench = Bench::initialized()?;
    bench.generate("EC:prime256v1", "11", "curve")?;
    bench.write("message", MESSAGE)?;
    bench.fail("pkcs11-tool", &["--sign", "--id", "11", "--mechanism", "ECDSA-SHA256", "--input-file", "message"])?;
    bench.fail("pkcs11-tool", &["--keypairgen", "--key-type", "EC:prime256v1", "--id", "12"])?;
    Ok(())
}

#[test]
fn a_deleted_key_is_gone_and_leaves_the_others() -> Result<()> {
    let bench = Bench::initialized()?;
    bench.generate("EC:prime256v1", "11", "first")?;
    bench.generate("EC:prime256v1", "12", "second")?;
    bench.pkcs11(&["--delete-object", "--type", "privkey", "--id", "11"])?;
    let objects = bench.pkcs11(&["--list-objects", "--type", "privkey"])?;
    assert!(!objects.contains("first"), "{objects}");
    expect(&objects, &["second"])?;
    signs(&bench, "12", &EC)
}
