//! Keys generated and used through PKCS#11; every signature is verified by OpenSSL with the public key the token shows.

use anyhow::{Context, Result, ensure};
use ferrite_tests::bench::{Bench, PIN, expect};
use ferrite_tests::signatures::{ecdsa, expect_complete, mechanisms, oaep, rsa, verify_all};

/// Short enough for every padding of every key.
const SECRET: &[u8] = b"for the token only";

/// Generates an RSA key and lets it sign by every mechanism that the token offers.
fn an_rsa_key_signs(bits: usize) -> Result<()> {
    let bench = Bench::initialized()?;
    let generated = bench.generate(&format!("rsa:{bits}"), "10", "modulus")?;
    expect(&generated, &["Private Key Object; RSA", &format!("Public Key Object; RSA {bits} bits")])?;
    expect_complete(&bench, "RSA", &rsa(bits))?;
    verify_all(&bench, "10", bits, &rsa(bits))
}

#[test]
fn an_rsa_1024_key_signs_by_every_mechanism() -> Result<()> {
    an_rsa_key_signs(1024)
}

#[test]
fn an_rsa_2048_key_signs_by_every_mechanism() -> Result<()> {
    an_rsa_key_signs(2048)
}

#[test]
fn an_rsa_3072_key_signs_by_every_mechanism() -> Result<()> {
    an_rsa_key_signs(3072)
}

#[test]
fn an_rsa_4096_key_signs_by_every_mechanism() -> Result<()> {
    an_rsa_key_signs(4096)
}

/// A number of `len` bytes that is below any modulus of that length.
fn block(len: usize) -> Vec<u8> {
    (0..=u8::MAX).cycle().map(|index| index.wrapping_mul(7) ^ 0x5A).take(len).collect()
}

/// Encrypts `plain` with OpenSSL under `options`, and lets `pkcs11-tool` decrypt it.
fn decrypts(bench: &Bench, id: &str, plain: &[u8], mechanism: &[&str], options: &[&str]) -> Result<()> {
    bench.write("plain", plain)?;
    let encrypt = ["pkeyutl", "-encrypt", "-pubin", "-inkey", "public.pem", "-in", "plain", "-out", "cipher"];
    let options: Vec<_> = options.iter().flat_map(|&option| ["-pkeyopt", option]).collect();
    bench.run("openssl", &[&encrypt[..], &options].concat())?;
    let decrypt = ["--decrypt", "--id", id, "--input-file", "cipher", "--output-file", "decrypted", "--mechanism"];
    bench.pkcs11(&[&decrypt[..], mechanism].concat())?;
    let decrypted = bench.read("decrypted")?;
    ensure!(decrypted == plain, "{mechanism:?} decrypts to {}", hex::encode(decrypted));
    Ok(())
}

/// Lets `pkcs15-crypt` decipher what [`decrypts`] encrypted last.
fn deciphers(bench: &Bench, id: &str, padding: &[&str]) -> Result<()> {
    let decipher = ["--decipher", "--key", id, "--pin", PIN, "--raw", "--input", "cipher", "--output", "deciphered"];
    bench.run("pkcs15-crypt", &[&decipher[..], padding].concat())?;
    let (deciphered, plain) = (bench.read("deciphered")?, bench.read("plain")?);
    ensure!(deciphered == plain, "pkcs15-crypt {padding:?} deciphers {}", hex::encode(deciphered));
    Ok(())
}

#[test]
fn rsa_keys_decrypt_what_openssl_encrypted() -> Result<()> {
    let bench = Bench::initialized()?;
    let offered = mechanisms(&bench, "decrypt")?;
    assert_eq!(offered, ["RSA-X-509", "RSA-PKCS", "RSA-PKCS-OAEP"], "each is used below");
    for (bits, id) in [(1024, "10"), (2048, "20"), (3072, "30")] {
        bench.generate(&format!("rsa:{bits}"), id, "modulus")?;
        bench.public_key(id, "public.pem")?;
        let all_paddings = || -> Result<()> {
            decrypts(&bench, id, &block(bits / 8), &["RSA-X-509"], &["rsa_padding_mode:none"])?;
            deciphers(&bench, id, &[])?;
            decrypts(&bench, id, SECRET, &["RSA-PKCS"], &["rsa_padding_mode:pkcs1"])?;
            deciphers(&bench, id, &["--pkcs1"])?;
            for (mechanism, options) in oaep(bits, SECRET.len()) {
                let [hash, name, mask, function] = mechanism.each_ref().map(String::as_str);
                let options = options.each_ref().map(String::as_str);
                decrypts(&bench, id, SECRET, &["RSA-PKCS-OAEP", hash, name, mask, function], &options)?;
            }
            Ok(())
        };
        all_paddings().with_context(|| format!("RSA-{bits}"))?;
    }
    Ok(())
}

#[test]
fn the_self_test_of_pkcs11_tool_finds_no_errors() -> Result<()> {
    let bench = Bench::initialized()?;
    for (kind, id, label) in
        [("rsa:1024", "10", "one"), ("rsa:2048", "11", "two"), ("EC:secp256r1", "12", "p"), ("EC:secp521r1", "13", "q")]
    {
        bench.generate(kind, id, label)?;
    }
    let report = bench.pkcs11(&["--test"])?;
    // Every mechanism with the first key, one with the second. What it says about the rest is said of any card: the module
    // gives no seed to a card (C_SeedRandom), and the tool tests signatures and decryption of RSA keys only.
    expect(&report, &["testing key 0 (one)", "RIPEMD160-RSA-PKCS: OK", "SHA256-RSA-PKCS: OK", "RSA-PKCS-OAEP: "])?;
    expect(&report, &["testing key 1 (two)", "seems to be OK", "(p) with 1 mechanism -- non-RSA, skipping"])?;
    expect(&report, &["seeding (C_SeedRandom) not supported", "\nNo errors"])?;
    let complaint = report.lines().find(|line| ["ERR", "error: ", "failed"].iter().any(|word| line.contains(word)));
    assert_eq!(complaint, None, "{report}");
    Ok(())
}

/// OpenSC 0.23 reads no descriptions of secret keys: it skips them and shows the rest.
#[test]
fn secret_keys_do_not_disturb_what_opensc_shows() -> Result<()> {
    let bench = Bench::initialized()?;
    bench.generate("EC:prime256v1", "11", "before")?;
    let commands =
        ["00A404000BE82B0601040181C31F0201", "0020008106363438323139", "004820B0", "004821B1", "004822B2", "004823B3"];
    let made = bench.run("opensc-tool", &commands.map(|command| ["-s", command]).concat())?;
    assert_eq!(made.matches("SW1=0x90, SW2=0x00").count(), commands.len(), "{made}");
    bench.generate("EC:prime256v1", "12", "after")?;
    for listing in [bench.run("pkcs15-tool", &["-D"])?, bench.pkcs11(&["--list-objects"])?] {
        expect(&listing, &["before", "after"])?;
    }
    verify_all(&bench, "12", 256, &ecdsa())
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
    bench.write("message", SECRET)?;
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
    verify_all(&bench, "12", 256, &ecdsa())
}
