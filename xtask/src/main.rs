//! `cargo xtask`: the commands of Ferrite's developers, and the demonstration for everybody else.

mod bench;
mod checks;
mod chip;
mod constant_time;
mod demo;
mod emulate;
mod firmware;
mod install;
mod python;
mod run;
mod test;
mod usbip_guest;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// The commands of Ferrite's developers, and the demonstration for everybody else.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Install missing packages without asking (always so for root and in CI).
    #[arg(long, global = true)]
    yes: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Show what Ferrite does: make keys on a virtual HSM, sign, verify, restart, sign again.
    Demo {
        /// Leave the virtual HSM running afterwards.
        #[arg(long)]
        keep: bool,
    },
    /// Run every check and test there is.
    Test,
    /// Run the end-to-end tests with real clients only.
    E2e,
    /// Build for microcontrollers: the crates of the device, or, with any option, images for boards.
    Firmware {
        /// Build the image for this board, as ELF and UF2; an unknown name lists them.
        #[arg(long)]
        board: Option<String>,
        /// USB identifiers, in hexadecimal, or the name of a preset [default: FEFF:FCFD]
        #[arg(long, value_name = "NAME|VID:PID")]
        vidpid: Option<String>,
        /// For publication: every board unless one is named, dependencies exactly as recorded, checksums.
        #[arg(long)]
        release: bool,
    },
    /// Run the RP2040 firmware in an emulator: scripts, power cuts, presses, OpenSC. Takes some minutes.
    Emulate,
    /// Measure: what the card needs on a chip, and its speed beside other implementations.
    Bench {
        /// Measure the card on an emulated chip only.
        #[arg(long)]
        chip: bool,
    },
    /// Plug the virtual HSM into a Debian guest over USB/IP and use it there (root only; not part of `test`).
    UsbipGuest,
    /// Look for jumps and addresses that depend on secrets, with valgrind.
    ConstantTime {
        /// Only the subjects in whose names this occurs, such as "RSA-2048", and the controls.
        name: Option<String>,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let consent = install::Consent::new(arguments.yes);
    let result = match arguments.command {
        Command::Demo { keep } => demo::run(consent, keep),
        Command::Test => test::all(consent),
        Command::E2e => test::end_to_end(consent),
        Command::Firmware { board, vidpid, release } => {
            firmware::images(consent, &firmware::Wanted { board, vidpid, release })
        }
        Command::Emulate => emulate::all(consent),
        Command::Bench { chip: true } => bench::chip(consent),
        Command::Bench { chip: false } => bench::all(consent),
        Command::UsbipGuest => usbip_guest::check(consent),
        Command::ConstantTime { name } => constant_time::check(consent, name.as_deref()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\n{}: {error:#}", run::red("failed"));
            ExitCode::FAILURE
        }
    }
}
