//! What a user sees first: the reader, the card, its state, its initialisation.

use anyhow::Result;
use ferrite_tests::bench::{Bench, PIN, SO_PIN, expect};

const ATR: &str = "3b:fe:18:00:00:81:31:fe:45:80:31:81:54:48:53:4d:31:73:80:21:40:81:07:fa";

#[test]
fn opensc_recognises_a_blank_card() -> Result<()> {
    let bench = Bench::blank()?;
    expect(&bench.run("opensc-tool", &["-an"])?, &[ATR, "SmartCard-HSM"])?;
    expect(&bench.run("sc-hsm-tool", &[])?, &["Version              : 6.6", "has never been initialized"])
}

#[test]
fn sc_hsm_tool_initialises_and_reports_tries() -> Result<()> {
    let bench = Bench::initialized()?;
    let report = bench.run("sc-hsm-tool", &[])?;
    expect(
        &report,
        &[
            "Version              : 6.6",
            "User PIN reset with SO-PIN enabled",
            "SO-PIN tries left    : 15",
            "User PIN tries left  : 3",
        ],
    )
}

#[test]
fn a_label_given_at_initialisation_names_the_token() -> Result<()> {
    let bench = Bench::blank()?;
    bench.run("sc-hsm-tool", &["--initialize", "--so-pin", SO_PIN, "--pin", PIN, "--label", "Vault 7"])?;
    expect(&bench.run("pkcs11-tool", &["--list-slots"])?, &["Vault 7", "PIN initialized"])?;
    expect(&bench.run("pkcs15-tool", &["-D"])?, &["PKCS#15 Card [Vault 7]"])
}

#[test]
fn without_a_label_the_token_has_the_name_of_the_product() -> Result<()> {
    let bench = Bench::initialized()?;
    expect(&bench.run("pkcs11-tool", &["--list-slots"])?, &["Ferrite HSM", "token manufacturer : Ferrite"])
}

#[test]
fn initialising_again_with_a_wrong_so_pin_changes_nothing() -> Result<()> {
    let bench = Bench::initialized()?;
    bench.generate("EC:prime256v1", "10", "survivor")?;
    // sc-hsm-tool exits with 0 although the card refuses: only the state tells.
    bench.attempt("sc-hsm-tool", &["--initialize", "--so-pin", "3030303030303030", "--pin", "111111"])?;
    expect(&bench.run("sc-hsm-tool", &[])?, &["SO-PIN tries left    : 14", "User PIN tries left  : 3"])?;
    expect(&bench.pkcs11(&["--list-objects"])?, &["survivor"])
}

#[test]
fn initialising_again_with_the_so_pin_leaves_no_key() -> Result<()> {
    let bench = Bench::initialized()?;
    bench.generate("EC:prime256v1", "10", "casualty")?;
    bench.run("sc-hsm-tool", &["--initialize", "--so-pin", SO_PIN, "--pin", "123456"])?;
    bench.fail("pkcs11-tool", &["--login", "--pin", PIN, "--list-objects"])?;
    let objects = bench.run("pkcs11-tool", &["--login", "--pin", "123456", "--list-objects"])?;
    assert!(!objects.contains("casualty"), "{objects}");
    Ok(())
}

#[test]
fn random_numbers_come_in_the_length_asked_for_and_differ() -> Result<()> {
    let bench = Bench::initialized()?;
    for (length, name) in [("1", "one"), ("64", "some"), ("64", "others"), ("1024", "many")] {
        bench.run("pkcs11-tool", &["--generate-random", length, "--output-file", name])?;
        assert_eq!(bench.read(name)?.len().to_string(), length);
    }
    assert_ne!(bench.read("some")?, bench.read("others")?);
    Ok(())
}
