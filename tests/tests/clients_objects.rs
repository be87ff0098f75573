//! Data objects and certificates.

use anyhow::Result;
use ferrite_tests::bench::{Bench, expect};

/// More than one block of any client.
fn content(seed: u8) -> Vec<u8> {
    (0..3000_u16).map(|index| index.to_be_bytes()[1] ^ seed).collect()
}

const READ: [&str; 3] = ["--read-object", "--type", "data"];
const WRITE: [&str; 3] = ["--type", "data", "--write-object"];
const DELETE: [&str; 3] = ["--delete-object", "--type", "data"];

#[test]
fn a_public_data_object_is_read_by_anybody() -> Result<()> {
    let bench = Bench::initialized()?;
    bench.write("written", &content(1))?;
    bench.pkcs11(&[&WRITE[..], &["written", "--label", "open"]].concat())?;
    bench.run("pkcs11-tool", &[&READ[..], &["--label", "open", "--output-file", "read"]].concat())?;
    assert!(bench.read("read")? == content(1));
    bench.pkcs11(&[&DELETE[..], &["--label", "open"]].concat())?;
    bench.fail("pkcs11-tool", &[&READ[..], &["--label", "open"]].concat())?;
    Ok(())
}

#[test]
fn a_private_data_object_is_read_by_the_user_only() -> Result<()> {
    let bench = Bench::initialized()?;
    bench.write("written", &content(2))?;
    bench.pkcs11(&[&WRITE[..], &["written", "--label", "closed", "--private"]].concat())?;
    bench.fail("pkcs11-tool", &[&READ[..], &["--label", "closed"]].concat())?;
    bench.pkcs11(&[&READ[..], &["--label", "closed", "--output-file", "read"]].concat())?;
    assert!(bench.read("read")? == content(2));
    bench.pkcs11(&[&DELETE[..], &["--label", "closed"]].concat())?;
    bench
        .fail("pkcs11-tool", &["--login", "--pin", "648219", "--read-object", "--type", "data", "--label", "closed"])?;
    Ok(())
}

#[test]
fn data_objects_are_written_by_the_user_only() -> Result<()> {
    let bench = Bench::initialized()?;
    bench.write("written", b"unwelcome")?;
    bench.fail("pkcs11-tool", &[&WRITE[..], &["written", "--label", "stranger"]].concat())?;
    let objects = bench.pkcs11(&["--list-objects"])?;
    assert!(!objects.contains("stranger"), "{objects}");
    Ok(())
}

/// Makes a certificate for a throw-away key.
fn make_certificate(bench: &Bench, name: &str, subject: &str) -> Result<()> {
    let pem = format!("{name}.pem");
    let key = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"];
    bench.run("openssl", &[&key[..], &["-keyout", "key.pem", "-subj", subject, "-out", &pem]].concat())?;
    bench.run("openssl", &["x509", "-in", &pem, "-outform", "DER", "-out", name])?;
    Ok(())
}

#[test]
fn the_certificate_of_a_key_is_stored_listed_and_read_back() -> Result<()> {
    let bench = Bench::initialized()?;
    bench.generate("EC:prime256v1", "05", "owner")?;
    make_certificate(&bench, "written.der", "/CN=owner")?;
    bench.pkcs11(&["--write-object", "written.der", "--type", "cert", "--id", "05", "--label", "owner"])?;
    expect(
        &bench.run("pkcs15-tool", &["--list-certificates"])?,
        &["X.509 Certificate [owner]", "ID             : 05"],
    )?;
    bench.run("pkcs11-tool", &["--read-object", "--type", "cert", "--id", "05", "--output-file", "read.der"])?;
    assert_eq!(bench.read("read.der")?, bench.read("written.der")?);
    expect(&bench.pkcs11(&["--list-objects", "--type", "privkey"])?, &["owner"])
}

#[test]
fn certificates_without_a_key_do_not_overwrite_each_other() -> Result<()> {
    let bench = Bench::initialized()?;
    for (name, subject, id) in [("first.der", "/CN=first", "31"), ("second.der", "/CN=second", "32")] {
        make_certificate(&bench, name, subject)?;
        bench.pkcs11(&["--write-object", name, "--type", "cert", "--id", id, "--label", name])?;
    }
    for (name, id) in [("first.der", "31"), ("second.der", "32")] {
        bench.run("pkcs11-tool", &["--read-object", "--type", "cert", "--id", id, "--output-file", "read.der"])?;
        assert_eq!(bench.read("read.der")?, bench.read(name)?, "{name}");
    }
    bench.pkcs11(&["--delete-object", "--type", "cert", "--id", "31"])?;
    let left = bench.run("pkcs15-tool", &["--list-certificates"])?;
    expect(&left, &["second.der"])?;
    assert!(!left.contains("first.der"), "{left}");
    Ok(())
}
