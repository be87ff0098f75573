//! `pin session`: a PIN for a while, which stands for the user PIN inside a secure channel.
//!
//! As text it is `session:` and sixteen hexadecimal digits. That is longer than any user PIN, so that whatever takes a PIN
//! can take either.

use crate::app::Global;
use crate::bytes;
use crate::report::Report;
use crate::secret::Secret;
use clap::{Args, Subcommand};
use ferrite_client::{Error, ErrorKind, Result};
use serde_json::json;
use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const PREFIX: &str = "session:";
/// Length of a session PIN, in bytes.
const LEN: usize = 8;

/// Make and end a PIN for a while, for programs that shall not keep the user PIN (needs --channel)
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a session PIN. Whatever takes the user PIN takes it, through a secure channel, until it ends
    Make(Make),
    /// End the session PIN before its time
    Clear,
}

#[derive(Args)]
pub(crate) struct Make {
    /// Write it to this file, for --pin file:FILE, instead of standard output. Only its owner can read the file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// The session PIN, if this text is one.
///
/// # Errors
/// [`ErrorKind::Usage`]: it is a damaged one.
pub(crate) fn read(text: &[u8]) -> Result<Option<Secret>> {
    let Some(digits) = text.strip_prefix(PREFIX.as_bytes()) else { return Ok(None) };
    match hex::decode(digits).map(Zeroizing::new) {
        Ok(pin) if pin.len() == LEN => Ok(Some(pin)),
        _ => Err(Error::new(ErrorKind::Usage, "read the session PIN", "it is damaged")),
    }
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// Those of the client's calls.
    pub(crate) fn run(&self, global: &Global) -> Result<Report> {
        if !global.has_channel() {
            let what = "make or end a session PIN";
            return Err(Error::new(ErrorKind::Usage, what, "that needs a secure channel")
                .advise("Add --channel: see pico-hsm-tool ca device-key, or pico-hsm-tool ca create."));
        }
        match self {
            Self::Make(make) => make.run(global),
            Self::Clear => {
                global.open_and_log_in()?.clear_session_pin()?;
                Ok(Report::line(json!({ "cleared": true }), "There is no session PIN any more."))
            }
        }
    }
}

impl Make {
    fn run(&self, global: &Global) -> Result<Report> {
        const WHAT: &str = "make a session PIN";
        match &self.output {
            Some(path) => check_place(path)?,
            None if io::stdout().is_terminal() && !global.json => {
                return Err(Error::new(ErrorKind::Usage, WHAT, "it would stay on the screen").advise(
                    "Write it to a file with --output FILE, or into a variable: PICO_HSM_PIN=$(pico-hsm-tool ...)",
                ));
            }
            None => {}
        }
        let pin = global.open_and_log_in()?.make_session_pin()?;
        let text = Zeroizing::new(format!("{PREFIX}{}\n", *Zeroizing::new(hex::encode(&*pin))));
        let Some(path) = &self.output else {
            let bytes = Zeroizing::new(text.as_bytes().to_vec());
            return Ok(Report::bytes(json!({ "session_pin": text.trim_end() }), bytes));
        };
        if path.exists() {
            fs::remove_file(path).map_err(|error| {
                Error::new(ErrorKind::Io, format!("replace {}", path.display()), error.to_string()).caused_by(error)
            })?;
        }
        bytes::write_private(path, text.as_bytes())?;
        let line = format!("The session PIN is in {0}: --pin file:{0}", path.display());
        Ok(Report::line(json!({ "file": path }), line))
    }
}

/// Before the device makes a new one: a file may be replaced only if a session PIN is in it.
fn check_place(path: &Path) -> Result<()> {
    match fs::read(path).map(Zeroizing::new) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(content) if content.starts_with(PREFIX.as_bytes()) => Ok(()),
        _ => Err(Error::new(ErrorKind::Usage, format!("write {}", path.display()), "something else is there already")
            .advise("Take another name, or move it away.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_pin_is_told_from_a_pin() {
        assert_eq!(read(b"648219").expect("a PIN"), None);
        assert_eq!(read(b"session:").map_err(|error| error.kind()), Err(ErrorKind::Usage));
        assert_eq!(read(b"session:00ff0A0000000001").expect("one"), Some(vec![0, 255, 10, 0, 0, 0, 0, 1].into()));
        assert_eq!(read(b"session:00ff0a00000000").map_err(|error| error.kind()), Err(ErrorKind::Usage));
    }
}
