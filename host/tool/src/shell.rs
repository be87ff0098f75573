//! `completions` and `man`: what a shell and `man` need to know about this program.

use crate::cli::Cli;
use crate::report::Report;
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use ferrite_client::{Error, ErrorKind, Result};
use serde_json::json;
use std::fs;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// Print a script that completes commands in a shell
#[derive(Args)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// Prints it.
    pub(crate) fn run(&self) -> Result<Report> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "pico-hsm-tool", &mut script);
        let text = String::from_utf8_lossy(&script).into_owned();
        Ok(Report::bytes(json!({ "script": text }), Zeroizing::new(script)))
    }
}

/// Write the manual pages, one for each command
#[derive(Args)]
pub(crate) struct Man {
    /// The directory they go to; it is made if it is missing
    directory: PathBuf,
}

impl Man {
    /// Writes them.
    ///
    /// # Errors
    /// [`ErrorKind::Io`].
    pub(crate) fn run(&self) -> Result<Report> {
        let written = fs::create_dir_all(&self.directory).and_then(|()| {
            clap_mangen::generate_to(Cli::command(), &self.directory)?;
            Ok(fs::read_dir(&self.directory)?.count())
        });
        let count = written.map_err(|error| {
            Error::new(ErrorKind::Io, format!("write to {}", self.directory.display()), error.to_string())
        })?;
        let text = format!("{count} pages in {}", self.directory.display());
        Ok(Report::line(json!({ "pages": count, "directory": self.directory }), text))
    }
}
