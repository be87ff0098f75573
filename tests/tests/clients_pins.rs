//! PINs: tries, blocking, unblocking, change.

use anyhow::Result;
use ferrite_tests::bench::{Bench, PIN, SO_PIN, expect};

fn login(pin: &str) -> [&str; 4] {
    ["--login", "--pin", pin, "--list-objects"]
}

#[test]
fn a_wrong_pin_counts_down_and_the_right_one_restores_the_tries() -> Result<()> {
    let bench = Bench::initialized()?;
    for left in ["User PIN tries left  : 2", "User PIN tries left  : 1"] {
        expect(&bench.fail("pkcs11-tool", &login("111111"))?, &["CKR_PIN_INCORRECT"])?;
        expect(&bench.run("sc-hsm-tool", &[])?, &[left])?;
    }
    bench.run("pkcs11-tool", &login(PIN))?;
    expect(&bench.run("sc-hsm-tool", &[])?, &["User PIN tries left  : 3"])
}

#[test]
fn three_wrong_pins_block_even_after_a_power_cut_and_the_so_pin_unblocks() -> Result<()> {
    let mut bench = Bench::initialized()?;
    bench.generate("EC:prime256v1", "11", "patient")?;
    for answer in ["CKR_PIN_INCORRECT", "CKR_PIN_INCORRECT", "CKR_PIN_LOCKED"] {
        expect(&bench.fail("pkcs11-tool", &login("111111"))?, &[answer])?;
    }
    expect(&bench.fail("pkcs11-tool", &login(PIN))?, &["CKR_PIN_LOCKED"])?;
    bench.cut_power()?;
    expect(&bench.fail("pkcs11-tool", &login(PIN))?, &["CKR_PIN_LOCKED"])?;
    let so = ["--login", "--login-type", "so", "--so-pin"];
    bench.fail("pkcs11-tool", &[&so[..], &["3030303030303030", "--init-pin", "--new-pin", "123456"]].concat())?;
    expect(&bench.run("sc-hsm-tool", &[])?, &["SO-PIN tries left    : 14"])?;
    bench.run("pkcs11-tool", &[&so[..], &[SO_PIN, "--init-pin", "--new-pin", "123456"]].concat())?;
    expect(&bench.run("pkcs11-tool", &login("123456"))?, &["patient"])?;
    expect(&bench.run("sc-hsm-tool", &[])?, &["SO-PIN tries left    : 15", "User PIN tries left  : 3"])
}

#[test]
fn a_changed_pin_replaces_the_old_one() -> Result<()> {
    let bench = Bench::initialized()?;
    bench.generate("EC:prime256v1", "11", "loyal")?;
    bench.pkcs11(&["--change-pin", "--new-pin", "12345678"])?;
    expect(&bench.fail("pkcs11-tool", &login(PIN))?, &["CKR_PIN_INCORRECT"])?;
    expect(&bench.run("pkcs11-tool", &login("12345678"))?, &["loyal"])
}

#[test]
fn a_changed_so_pin_replaces_the_old_one() -> Result<()> {
    let bench = Bench::initialized()?;
    let so = ["--login", "--login-type", "so", "--so-pin"];
    let new = "0123456789012345";
    bench.run("pkcs11-tool", &[&so[..], &[SO_PIN, "--change-pin", "--new-pin", new]].concat())?;
    bench.fail("pkcs11-tool", &[&so[..], &[SO_PIN, "--init-pin", "--new-pin", PIN]].concat())?;
    bench.run("pkcs11-tool", &[&so[..], &[new, "--init-pin", "--new-pin", "123456"]].concat())?;
    bench.run("pkcs11-tool", &login("123456"))?;
    Ok(())
}
