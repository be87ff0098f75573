//! OpenSC and the requests of keys that it did not ask for: derived keys and secret keys.

use anyhow::{Result, ensure};
use ferrite_tests::bench::{Bench, PIN, expect};

/// Sends commands to the device after a login; all of them must succeed.
fn send(bench: &Bench, commands: &[&str]) -> Result<String> {
    let select = "00:A4:04:00:0B:E8:2B:06:01:04:01:81:C3:1F:02:01";
    let verify = format!("0020008106{}", hex::encode(PIN));
    let commands = [&[select, &verify], commands].concat();
    let arguments: Vec<_> = commands.iter().flat_map(|command| ["--send-apdu", command]).collect();
    let text = bench.run("opensc-tool", &arguments)?;
    ensure!(text.matches("SW1=0x90, SW2=0x00").count() == commands.len(), "{text}");
    Ok(text)
}

/// Everything that OpenSC lists, for those who log in and those who do not.
fn listed(bench: &Bench) -> Result<String> {
    let lists = [
        bench.run("pkcs15-tool", &["--dump"])?,
        bench.run("pkcs11-tool", &["--list-objects"])?,
        bench.pkcs11(&["--list-objects"])?,
    ]
    .concat();
    // OpenSC 0.23 calls an object that it has no name for by an address of its memory.
    Ok(lists.lines().filter(|line| !line.starts_with("Profile object")).collect::<Vec<_>>().join("\n"))
}

#[test]
fn the_public_half_of_a_derived_key_is_there_without_help_of_the_host() -> Result<()> {
    let bench = Bench::initialized()?;
    bench.generate("EC:prime256v1", "10", "source")?;
    // DERIVE ASYMMETRIC KEY: key 2 is key 1 and 5.
    send(&bench, &["80:76:01:02:02:98:05"])?;
    bench.public_key("32", "derived.pem")?;
    bench.public_key("10", "source.pem")?;
    ensure!(bench.read("derived.pem")? != bench.read("source.pem")?);
    expect(&bench.pkcs11(&["--list-objects", "--type", "pubkey"])?, &["ID:         10", "ID:         32"])?;
    bench.write("message", b"made of another")?;
    let sign = ["--sign", "--mechanism", "ECDSA-SHA256", "--signature-format", "openssl", "--id", "32"];
    bench.pkcs11(&[&sign[..], &["--input-file", "message", "--output-file", "signature"]].concat())?;
    let verify = ["dgst", "-sha256", "-verify", "derived.pem", "-signature", "signature", "message"];
    expect(&bench.run("openssl", &verify)?, &["Verified OK"])?;
    bench.fail("openssl", &["dgst", "-sha256", "-verify", "source.pem", "-signature", "signature", "message"])?;
    Ok(())
}

/// OpenSC shows a device with a secret key as it does without the key's request, whether it knows secret keys of this card
/// or not.
#[test]
fn the_request_of_a_secret_key_disturbs_nobody() -> Result<()> {
    let bench = Bench::initialized()?;
    bench.generate("EC:prime256v1", "10", "signer")?;
    for (key, len) in [(2, "B0"), (3, "B2"), (4, "B3")] {
        send(&bench, &[&format!("00:48:{key:02X}:{len}")])?;
    }
    let with = listed(&bench)?;
    for key in 2..=4 {
        // READ BINARY finds a request, DELETE FILE removes it.
        let file = format!("CE:{key:02X}");
        expect(&send(&bench, &[&format!("00:B1:{file}:04:54:02:00:00:00")])?, &["67 "])?;
        send(&bench, &[&format!("00:E4:02:00:02:{file}")])?;
    }
    ensure!(with == listed(&bench)?, "with requests:\n{with}");
    expect(&with, &["signer"])
}
