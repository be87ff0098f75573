//! What was acknowledged is there after the power was cut.

use anyhow::Result;
use ferrite_tests::bench::{Bench, expect};

#[test]
fn keys_data_and_pins_survive_a_power_cut() -> Result<()> {
    let mut bench = Bench::initialized()?;
    bench.generate("rsa:2048", "10", "heavy")?;
    bench.generate("EC:prime256v1", "11", "light")?;
    bench.write("note", b"remember")?;
    bench.pkcs11(&["--write-object", "note", "--type", "data", "--label", "note", "--private"])?;
    bench.public_key("11", "before.pem")?;
    bench.cut_power()?;

    expect(&bench.pkcs11(&["--list-objects"])?, &["heavy", "light", "note"])?;
    bench.pkcs11(&["--read-object", "--type", "data", "--label", "note", "--output-file", "read"])?;
    assert_eq!(bench.read("read")?, b"remember");
    let sign = ["--sign", "--input-file", "note", "--output-file", "signature"];
    let ec = ["--id", "11", "--mechanism", "ECDSA-SHA256", "--signature-format", "openssl"];
    bench.pkcs11(&[&sign[..], &ec].concat())?;
    bench.run("openssl", &["dgst", "-sha256", "-verify", "before.pem", "-signature", "signature", "note"])?;
    bench.pkcs11(&[&sign[..], &["--id", "10", "--mechanism", "SHA256-RSA-PKCS"]].concat())?;
    bench.public_key("10", "rsa.pem")?;
    bench.run("openssl", &["dgst", "-sha256", "-verify", "rsa.pem", "-signature", "signature", "note"])?;
    Ok(())
}

#[test]
fn the_identity_stays_the_same_after_a_power_cut() -> Result<()> {
    let mut bench = Bench::initialized()?;
    let serial = |bench: &Bench| -> Result<String> {
        let slots = bench.run("pkcs11-tool", &["--list-slots"])?;
        Ok(slots.lines().find(|line| line.contains("serial num")).unwrap_or_default().to_owned())
    };
    let before = serial(&bench)?;
    assert!(before.split(':').nth(1).is_some_and(|serial| !serial.trim().is_empty()), "{before}");
    bench.cut_power()?;
    assert_eq!(serial(&bench)?, before);
    Ok(())
}
