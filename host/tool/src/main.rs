//! `pico-hsm-tool`: everything a device can do, from the command line.
//!
//! | module | what it is |
//! |---|---|
//! | [`cli`] | the command line, and which module runs which command |
//! | [`app`] | what every command needs: the device, PINs, questions |
//! | [`report`], [`exit`] | what a command says, for people and for programs; how it ends |
//! | [`secret`], [`terminal`] | PINs and passwords: where they come from; the person at the terminal |
//! | [`bytes`], [`progress`] | input and output of bytes; something to look at while it takes long |
//! | the others | one family of commands each |
#![forbid(unsafe_code)]

mod apdu;
mod app;
mod attestation;
mod authority;
mod backup;
mod bytes;
mod ceremony;
mod certificates;
mod channel;
mod cipher;
mod cli;
mod clock;
mod configuration;
mod data;
mod decrypt;
mod dkek;
mod doctor;
mod domain;
mod exit;
mod group;
mod import;
mod initialize;
mod keys;
mod label;
mod list;
mod lock;
mod login;
mod named;
mod options;
mod parts;
mod pins;
mod progress;
mod pss;
mod random;
mod report;
mod secret;
mod secure_boot;
mod session_pin;
mod shell;
mod sign;
mod ssh;
mod status;
mod terminal;
mod wallet;
mod x509;

use clap::error::ErrorKind as ClapErrorKind;
use clap::{CommandFactory as _, Parser as _};
use cli::Cli;
use exit::Exit;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            if error.kind() == ClapErrorKind::MissingSubcommand {
                let _ = family().print_help();
                return Exit::Usage.into();
            }
            let is_help = matches!(error.kind(), ClapErrorKind::DisplayHelp | ClapErrorKind::DisplayVersion);
            // Nobody is there to be told that the terminal is gone.
            let _ = error.print();
            return if is_help { Exit::Success } else { Exit::Usage }.into();
        }
    };
    let json = cli.global.json;
    match cli.run().and_then(|report| report.print(json)) {
        Ok(()) => Exit::Success.into(),
        Err(error) => {
            report::print_error(&error, json);
            Exit::of(&error).into()
        }
    }
}

/// The family of commands that the command line names, without saying which of them.
fn family() -> clap::Command {
    let mut command = Cli::command();
    command.build();
    for argument in std::env::args().skip(1) {
        if let Some(found) = command.find_subcommand(&argument).cloned() {
            command = found;
        }
    }
    command
}
