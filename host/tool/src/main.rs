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
mod minutes;
mod named;
mod options;
mod parts;
mod pins;
mod progress;
mod pss;
mod random;
mod rehearsal;
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

use clap::error::{ContextKind, ContextValue, ErrorKind as ClapErrorKind};
use clap::{CommandFactory as _, Parser as _};
use cli::Cli;
use exit::Exit;
use ferrite_client::{Error, ErrorKind};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let error = without_secret(error);
            let is_help = matches!(error.kind(), ClapErrorKind::DisplayHelp | ClapErrorKind::DisplayVersion);
            if !is_help && std::env::args().any(|argument| argument == "--json") {
                report::print_error(&usage(&error), true);
                return Exit::Usage.into();
            }
            if error.kind() == ClapErrorKind::MissingSubcommand {
                let _ = family().print_help();
                return Exit::Usage.into();
            }
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

/// What was written where a source of a secret belongs may be the secret itself: it is not repeated.
fn without_secret(mut error: clap::Error) -> clap::Error {
    let is_source =
        matches!(error.get(ContextKind::InvalidArg), Some(ContextValue::String(name)) if name.contains("<SOURCE>"));
    if is_source {
        error.insert(ContextKind::InvalidValue, ContextValue::String("...".into()));
    }
    error
}

/// What is wrong with the command line, as a failure like others.
fn usage(error: &clap::Error) -> Error {
    if matches!(
        error.kind(),
        ClapErrorKind::MissingSubcommand | ClapErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        return Error::new(ErrorKind::Usage, "read the command line", "a command is missing");
    }
    let text = error.render().to_string();
    let first = text.split("\n\n").next().unwrap_or_default();
    let why = first.strip_prefix("error: ").unwrap_or(first).split_whitespace().collect::<Vec<_>>().join(" ");
    Error::new(ErrorKind::Usage, "read the command line", why)
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
