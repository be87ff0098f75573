//! `pico-hsm-tool` as a process, with a virtual device of its own behind a socket.

use crate::sim::{self, Sim};
use crate::temp::TempDir;
use anyhow::{Context, Result, ensure};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The user PIN that the tool finds in its environment.
pub const PIN: &str = "648219";
/// The SO-PIN that the tool finds in its environment.
pub const SO_PIN: &str = "57621880";
/// Names the socket on which PC/SC's library looks for pcscd: a tool that is told of none does not see the reader, which
/// other tests use meanwhile.
pub const PCSCD_SOCKET: &str = "PCSCLITE_CSOCK_NAME";

/// The tool, a virtual device, and a directory in which it works.
pub struct Tool {
    sim: Option<Sim>,
    program: PathBuf,
    dir: TempDir,
    socket: Option<PathBuf>,
}

/// How a run of the tool ended.
#[derive(Debug)]
pub struct Outcome {
    /// Exit code; -1 if it was killed.
    pub code: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: String,
}

impl Outcome {
    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// Where the tool is: named by `PICO_HSM_TOOL`, or beside this test, brought up to date by cargo.
///
/// # Errors
/// It does not build.
pub fn program() -> Result<PathBuf> {
    sim::built("PICO_HSM_TOOL", "ferrite-tool", "pico-hsm-tool")
}

impl Tool {
    /// With a blank device.
    ///
    /// # Errors
    /// The simulator or the tool does not build or start.
    pub fn blank() -> Result<Self> {
        let mut tool = Self { sim: None, program: program()?, dir: TempDir::new()?, socket: None };
        tool.plug_in()?;
        Ok(tool)
    }

    /// With whatever device listens at a socket.
    ///
    /// # Errors
    /// The tool does not build.
    pub fn behind(socket: &Path) -> Result<Self> {
        Ok(Self { sim: None, program: program()?, dir: TempDir::new()?, socket: Some(socket.into()) })
    }

    /// With a device that was initialised, with further arguments.
    ///
    /// # Errors
    /// As [`Tool::blank`]; the device refuses.
    pub fn initialized(arguments: &[&str]) -> Result<Self> {
        let tool = Self::blank()?;
        tool.succeed(&[&["initialize", "--yes"], arguments].concat())?;
        Ok(tool)
    }

    /// Starts the device, with what it has stored.
    ///
    /// # Errors
    /// The simulator does not build or start.
    pub fn plug_in(&mut self) -> Result<()> {
        self.unplug();
        let socket = self.socket();
        let arguments = [OsStr::new("--no-vpcd"), OsStr::new("--socket"), socket.as_os_str()];
        self.sim = Some(Sim::start(&sim::program()?, &self.dir.path().join("state"), &arguments)?);
        Ok(())
    }

    /// Kills the device.
    pub fn unplug(&mut self) {
        self.sim = None;
    }

    /// The socket of the device.
    pub fn socket(&self) -> PathBuf {
        self.socket.clone().unwrap_or_else(|| self.dir.path().join("socket"))
    }

    /// A file in the directory in which the tool works.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The directory in which the tool works.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Where the tool is.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The tool, ready to be started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env("PICO_HSM_DEVICE", self.socket())
            .env(PCSCD_SOCKET, self.socket().with_extension("no-pcscd"))
            .env("PICO_HSM_PIN", PIN)
            .env("PICO_HSM_SO_PIN", SO_PIN)
            .env("PICO_HSM_BACKUP_PASSWORD", "a password")
            .stdin(Stdio::null());
        command
    }

    /// Runs the tool.
    ///
    /// # Errors
    /// It does not start.
    pub fn run(&self, arguments: &[&str]) -> Result<Outcome> {
        run(&mut self.command(arguments))
    }

    /// Runs the tool, which must succeed, and returns what it prints.
    ///
    /// # Errors
    /// It fails.
    pub fn succeed(&self, arguments: &[&str]) -> Result<String> {
        let outcome = self.run(arguments)?;
        ensure!(outcome.code == 0, "{arguments:?} ended with {}: {}", outcome.code, outcome.stderr);
        Ok(outcome.text())
    }
}

/// Runs a command to its end.
///
/// # Errors
/// It does not start.
pub fn run(command: &mut Command) -> Result<Outcome> {
    let output = command.output().context("pico-hsm-tool does not start")?;
    Ok(Outcome {
        code: output.status.code().unwrap_or(-1),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
