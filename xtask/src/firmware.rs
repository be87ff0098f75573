//! Building the device's crates for microcontrollers, whichever way works on this machine.

use crate::install::{self, Consent, RUSTC_WEB};
use crate::run::{cargo, run};
use anyhow::{Context, Result};
use std::process::Command;

/// The targets: RP2040, and RP2350 in its Arm state.
pub(crate) const TARGETS: [&str; 2] = ["thumbv6m-none-eabi", "thumbv8m.main-none-eabihf"];
/// The crates that run on a chip. The card brings the others with it.
const CRATES: [&str; 5] = ["ferrite-proto", "ferrite-crypto", "ferrite-store", "ferrite-card", "ferrite-usb"];

/// How code for a target can be built here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// rustup has the target.
    Rustup,
    /// Debian's compiler, which carries the sources of its library.
    Debian,
}

impl Toolchain {
    /// Finds out which way works, installing what is missing.
    pub(crate) fn find(consent: Consent) -> Result<Self> {
        if has_targets() || (add_targets() && has_targets()) {
            return Ok(Toolchain::Rustup);
        }
        install::ensure(&RUSTC_WEB, consent)
            .context("rustup has no targets to offer, and Debian's compiler could not be installed")?;
        Ok(Toolchain::Debian)
    }

    /// Cargo, building for a target in this way, in a target folder of its own.
    pub(crate) fn cargo_build(self, target: &str) -> Command {
        let mut command = cargo();
        command.args(["build", "--quiet", "--release", "--target", target, "--target-dir", "target/firmware"]);
        if self == Toolchain::Debian {
            command.env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=core,alloc");
        }
        command
    }
}

/// Builds the crates of the device for every target.
pub(crate) fn build(consent: Consent) -> Result<()> {
    let toolchain = Toolchain::find(consent)?;
    for target in TARGETS {
        println!("building for {target}");
        let mut command = toolchain.cargo_build(target);
        for name in CRATES {
            command.args(["-p", name]);
        }
        command.args(["--features", "ferrite-usb/embassy"]);
        run(&mut command)?;
    }
    Ok(())
}

fn has_targets() -> bool {
    let installed = Command::new("rustup").args(["target", "list", "--installed"]).output();
    installed.is_ok_and(|output| {
        let installed = String::from_utf8_lossy(&output.stdout).into_owned();
        TARGETS.iter().all(|target| installed.lines().any(|line| line == *target))
    })
}

fn add_targets() -> bool {
    let output = Command::new("rustup").args(["target", "add"]).args(TARGETS).output();
    output.is_ok_and(|output| output.status.success())
}
