//! The card for the chips' instruction sets, in QEMU: building it, running it, and the tests that do.

use crate::firmware::{TARGETS, Toolchain};
use crate::install::{self, Consent, OPENSSL, QEMU_ARM};
use crate::run::{cargo, root, run};
use anyhow::Result;

/// A machine of QEMU that stands for a chip.
pub(crate) struct Machine {
    /// What it stands for.
    pub(crate) title: &'static str,
    target: &'static str,
    machine: &'static str,
    processor: &'static str,
    /// The variable that tells the tests how it is run.
    variable: &'static str,
}

/// QEMU has no machine with a Cortex-M0+; a Cortex-M3 runs the same instructions.
pub(crate) const MACHINES: [Machine; 2] = [
    Machine {
        title: "the card for Cortex-M0+ (RP2040): instructions on an emulated Cortex-M3",
        target: TARGETS[0],
        machine: "mps2-an385",
        processor: "cortex-m3",
        variable: "FERRITE_ON_CORTEX_M0",
    },
    Machine {
        title: "the card for Cortex-M33 (RP2350): instructions on an emulated one",
        target: TARGETS[1],
        machine: "mps2-an505",
        processor: "cortex-m33",
        variable: "FERRITE_ON_CORTEX_M33",
    },
];

impl Machine {
    /// The words of the command that runs one of the programs of `bench/chip`. It takes one nanosecond for an instruction;
    /// what the program reads and writes is standard input and output.
    pub(crate) fn command(&self, program: &str) -> Vec<String> {
        let image = root().join("target/firmware").join(self.target).join("release").join(program);
        let options = "-icount shift=0 -display none -monitor none -serial stdio -semihosting -kernel";
        let head = ["qemu-system-arm", "-M", self.machine, "-cpu", self.processor];
        let words = head.into_iter().chain(options.split_whitespace()).map(str::to_owned);
        words.chain([image.display().to_string()]).collect()
    }
}

/// Builds the programs for a machine, and sees that there is an emulator.
pub(crate) fn build(consent: Consent, machine: &Machine) -> Result<()> {
    install::ensure(&[QEMU_ARM], consent)?;
    let mut build = Toolchain::find(consent)?.cargo_build(machine.target);
    run(build.args(["--manifest-path", "bench/chip/Cargo.toml"]))
}

/// Builds the card for every machine and runs the tests with it.
pub(crate) fn tests(consent: Consent) -> Result<()> {
    install::ensure(&[OPENSSL], consent)?;
    let mut tests = cargo();
    tests.args(["test", "-p", "ferrite-tests", "--test", "chip", "--", "--ignored", "--nocapture"]);
    for machine in &MACHINES {
        build(consent, machine)?;
        tests.env(machine.variable, machine.command("ferrite-chip-scripts").join("\n"));
    }
    run(&mut tests)
}
