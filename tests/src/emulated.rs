//! The firmware of a Pico in an emulator, as a USB host sees it: `tests/emulator`, in a process of its own.
//!
//! Time stands still for the device between commands. The image is the one that `FERRITE_FIRMWARE` names, and
//! `FERRITE_FIRMWARE_PICO_W` for a Pico W; `cargo xtask emulate` builds them and sets these.

use crate::bench::source;
use crate::script::Device;
use crate::temp::TempDir;
use anyhow::{Context, Result, bail, ensure};
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// What names the image for a board.
const PICO: &str = "FERRITE_FIRMWARE";
const PICO_W: &str = "FERRITE_FIRMWARE_PICO_W";

/// The command that starts the emulator with a flash memory in this file.
pub(crate) fn command(flash: &Path) -> Result<Command> {
    command_with(PICO, flash)
}

fn command_with(image: &str, flash: &Path) -> Result<Command> {
    let image = env::var_os(image)
        .with_context(|| format!("{image} names no firmware image: `cargo xtask emulate` builds one"))?;
    let folder = source("emulator");
    ensure!(folder.join("node_modules").exists(), "the emulator is missing: `cargo xtask emulate` installs it");
    let mut command = Command::new("node");
    command.arg(folder.join("main.mjs")).arg(image).arg(flash);
    Ok(command)
}

/// What a command took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    /// Cycles in which a processor worked, at 125 MHz.
    pub cycles: u64,
    /// Cycles of waiting for the flash chip.
    pub flash: u64,
    /// Cycles from the command to its answer, sleep included.
    pub time: u64,
    /// Time extensions that the host was asked for.
    pub extensions: u64,
    /// Bytes of stack, those of interrupts included.
    pub stack: u64,
    /// Bytes of the second core's stack; a few words if it had nothing to do.
    pub second_stack: u64,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered.
    Answer(Vec<u8>, Effort),
    /// The power went; [`Device::restart`] brings the device back.
    PowerCut,
}

/// An emulated Pico or Pico W, blank at first.
pub struct Emulated {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    _dir: TempDir,
}

impl Emulated {
    /// A blank device, enumerated and powered.
    ///
    /// # Errors
    /// Something is missing, or the device does not enumerate.
    pub fn blank() -> Result<Self> {
        Self::with(PICO)
    }

    /// A blank device with the image for a Pico W. The radio comes with the emulator's command `radio` and a restart.
    ///
    /// # Errors
    /// As for [`Self::blank`].
    pub fn pico_w() -> Result<Self> {
        Self::with(PICO_W)
    }

    fn with(image: &str) -> Result<Self> {
        let dir = TempDir::new()?;
        let mut child = command_with(image, &dir.path().join("flash.bin"))?
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("node does not start: `cargo xtask emulate` installs it")?;
        let input = child.stdin.take().context("no standard input")?;
        let output = BufReader::new(child.stdout.take().context("no standard output")?);
        let mut device = Self { child, input, output, _dir: dir };
        let ready = device.line()?;
        ensure!(ready.starts_with("ready 3B"), "the emulator says {ready:?}");
        Ok(device)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        ensure!(self.output.read_line(&mut line)? > 0, "the emulator has stopped");
        Ok(line.trim_end().to_owned())
    }

    /// Gives the emulator a command, as `tests/emulator/main.mjs` lists them, and returns its answer.
    ///
    /// # Errors
    /// It reports an error.
    pub fn ask(&mut self, command: &str) -> Result<String> {
        writeln!(self.input, "{command}")?;
        let answer = self.line()?;
        match answer.strip_prefix("error ") {
            Some(error) => bail!("{command:.60}: {error}"),
            None => Ok(answer),
        }
    }

    /// Sends an APDU.
    ///
    /// # Errors
    /// The device does not answer although it has power.
    pub fn exchange(&mut self, apdu: &[u8]) -> Result<Outcome> {
        writeln!(self.input, "apdu {}", hex::encode(apdu))?;
        let line = self.line()?;
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["answer", answer, cycles, flash, time, extensions, stack, second_stack] => {
                let effort = Effort {
                    cycles: cycles.parse()?,
                    flash: flash.parse()?,
                    time: time.parse()?,
                    extensions: extensions.parse()?,
                    stack: stack.parse()?,
                    second_stack: second_stack.parse()?,
                };
                Ok(Outcome::Answer(hex::decode(answer)?, effort))
            }
            ["error", "power"] => Ok(Outcome::PowerCut),
            _ => bail!("the emulator says {line:?}"),
        }
    }

    /// Sends an APDU; returns its answer and what it took.
    ///
    /// # Errors
    /// The device does not answer.
    pub fn measure(&mut self, apdu: &[u8]) -> Result<(Vec<u8>, Effort)> {
        match self.exchange(apdu)? {
            Outcome::Answer(answer, effort) => Ok((answer, effort)),
            Outcome::PowerCut => bail!("the power was cut"),
        }
    }
}

impl Device for Emulated {
    fn transmit(&mut self, apdu: &[u8]) -> Result<Vec<u8>> {
        Ok(self.measure(apdu)?.0)
    }

    fn reset(&mut self) -> Result<()> {
        let answer = self.ask("reset")?;
        ensure!(answer.starts_with("atr 3B"), "{answer}");
        Ok(())
    }

    fn restart(&mut self) -> Result<()> {
        let answer = self.ask("restart")?;
        ensure!(answer.starts_with("atr 3B"), "{answer}");
        Ok(())
    }
}

impl Drop for Emulated {
    fn drop(&mut self) {
        // A process that is gone already needs none of it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
