//! `cargo xtask test`: every check and test there is, in one command.

use crate::install::{self, CLIENTS, Consent, LIBPCSC};
use crate::run::{cargo, green, headline, run};
use crate::{checks, chip, emulate, firmware, python};
use anyhow::Result;
use std::time::Instant;

/// A step's name and what it does.
type Step = (&'static str, fn(Consent) -> Result<()>);

/// Every step, cheap ones first.
const STEPS: [Step; 8] = [
    ("formatting", |_| run(cargo().args(["fmt", "--all", "--check"]))),
    ("dependencies and licences", |_| checks::dependencies()),
    ("links in the documentation", |_| checks::links()),
    ("lints", |consent| {
        install::ensure(&LIBPCSC, consent)?;
        run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    }),
    ("build for microcontrollers", firmware::build),
    ("the card for chips, in QEMU", chip::tests),
    ("firmware in an emulator", emulate::smoke),
    ("tests, with real clients", |consent| {
        prepare(consent)?;
        tests(&["--workspace"])
    }),
];

/// Runs every step and says how long each took.
pub(crate) fn all(consent: Consent) -> Result<()> {
    let mut summary = Vec::new();
    for (name, step) in STEPS {
        headline(name);
        let start = Instant::now();
        step(consent)?;
        summary.push((name, start.elapsed()));
    }
    headline("all is well");
    for (name, elapsed) in summary {
        println!("  {} {name} ({} s)", green("✔"), elapsed.as_secs());
    }
    Ok(())
}

/// Runs the end-to-end tests only.
pub(crate) fn end_to_end(consent: Consent) -> Result<()> {
    prepare(consent)?;
    tests(&["-p", "ferrite-tests"])
}

/// What the end-to-end tests need: clients, Python's packages, and the simulator and the tool, which they start as programs.
fn prepare(consent: Consent) -> Result<()> {
    install::ensure(&CLIENTS, consent)?;
    install::ensure(&LIBPCSC, consent)?;
    python::prepare(consent)?;
    run(cargo().args(["build", "-p", "ferrite-sim", "-p", "ferrite-tool"]))
}

/// cargo-nextest where there is one, else cargo's own test runner, one test at a time because the virtual reader takes
/// one card only.
fn tests(packages: &[&str]) -> Result<()> {
    let has_nextest = cargo().args(["nextest", "--version"]).output().is_ok_and(|output| output.status.success());
    if has_nextest {
        run(cargo().args(["nextest", "run", "--no-fail-fast"]).args(packages))
    } else {
        run(cargo().args(["test", "--no-fail-fast"]).args(packages).args(["--", "--test-threads=1"]))
    }
}
