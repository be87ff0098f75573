//! `cargo xtask emulate`: the RP2040 firmware in an emulator, driven over emulated USB.

use crate::firmware;
use crate::install::{self, CLIENTS, Consent, NODE};
use crate::run::{cargo, headline, root, run};
use anyhow::Result;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds the firmware and runs every test with it.
pub(crate) fn all(consent: Consent) -> Result<()> {
    install::ensure(&CLIENTS, consent)?;
    let with_radio = firmware::for_emulator(consent, "pico-w")?;
    tests(consent, &[("FERRITE_FIRMWARE_PICO_W", with_radio)], &["--ignored"])
}

/// Builds the firmware and sees that it starts, enumerates and answers.
pub(crate) fn smoke(consent: Consent) -> Result<()> {
    tests(consent, &[], &["--ignored", "the_firmware_starts_enumerates_and_answers"])
}

fn tests(consent: Consent, more_images: &[(&str, PathBuf)], arguments: &[&str]) -> Result<()> {
    let image = firmware::for_emulator(consent, "pico")?;
    prepare(consent)?;
    headline("the firmware in the emulator");
    let mut command = cargo();
    command.args(["test", "-p", "ferrite-tests", "--test", "emulator", "--"]).args(arguments);
    command.env("FERRITE_FIRMWARE", image).envs(more_images.iter().cloned());
    run(&mut command)
}

/// Installs the emulator where the tests look for it, in exactly the version that they name.
pub(crate) fn prepare(consent: Consent) -> Result<()> {
    install::ensure(&NODE, consent)?;
    let folder = root().join("tests/emulator");
    let wanted = fs::read_to_string(folder.join("package.json"))?;
    // Written last: what was interrupted is made again.
    let made_from = folder.join("node_modules/made-from.json");
    if is_same(&made_from, &wanted) {
        return Ok(());
    }
    headline("the emulator");
    run(Command::new("npm").current_dir(&folder).args([
        "install",
        "--no-package-lock",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
    ]))?;
    Ok(fs::write(made_from, wanted)?)
}

fn is_same(path: &Path, wanted: &str) -> bool {
    fs::read_to_string(path).is_ok_and(|found| found == wanted)
}
