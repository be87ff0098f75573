//! The card built for a chip's instruction set, in QEMU: `bench/chip`, in a process of its own.
//!
//! `cargo xtask test` builds the program for each chip and hands over the command that runs it.

use crate::script::Device;
use crate::temp::TempDir;
use anyhow::{Context, Result, ensure};
use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Bytes of flash: the store of a Pico.
const FLASH: usize = 252 * 4096;

/// An instruction set, by the variable of the environment that holds the command: its words, a line each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Processor {
    /// That of the RP2040.
    CortexM0,
    /// That of the RP2350.
    CortexM33,
}

impl Processor {
    const fn variable(self) -> &'static str {
        match self {
            Self::CortexM0 => "FERRITE_ON_CORTEX_M0",
            Self::CortexM33 => "FERRITE_ON_CORTEX_M33",
        }
    }
}

/// A card on an emulated chip, blank at first.
pub struct OnChip {
    // Dropped in this order: the emulator, its memory.
    running: Option<Emulator>,
    dir: TempDir,
    processor: Processor,
    /// How often it was started. Each start has other random numbers.
    starts: u32,
    instructions: u64,
}

impl OnChip {
    /// A blank card.
    ///
    /// # Errors
    /// The emulator or the program is missing, or the card does not start.
    pub fn blank(processor: Processor) -> Result<Self> {
        let dir = TempDir::new()?;
        fs::write(dir.path().join("flash.bin"), vec![0xFF; FLASH])?;
        let mut chip = Self { running: None, dir, processor, starts: 0, instructions: 0 };
        chip.restart()?;
        Ok(chip)
    }

    /// Instructions executed so far, all starts together.
    #[must_use]
    pub fn instructions(&self) -> u64 {
        self.instructions
    }

    /// Sends a line and returns the words of the answer but the last, which is a count of instructions.
    fn ask(&mut self, line: &str) -> Result<Vec<String>> {
        let answer = self.running.as_mut().context("the card did not start again")?.ask(line)?;
        let mut words: Vec<String> = answer.split(' ').map(str::to_owned).collect();
        let count = words.pop().and_then(|count| count.parse::<u64>().ok());
        self.instructions += count.with_context(|| format!("the card says {answer:?}"))?;
        Ok(words)
    }
}

impl Device for OnChip {
    fn transmit(&mut self, apdu: &[u8]) -> Result<Vec<u8>> {
        let words = self.ask(&format!("apdu {}", hex::encode(apdu)))?;
        let [_, answer] = &words[..] else { anyhow::bail!("the card says {words:?}") };
        Ok(hex::decode(answer)?)
    }

    fn reset(&mut self) -> Result<()> {
        let words = self.ask("reset")?;
        ensure!(words == ["ready"], "the card says {words:?}");
        Ok(())
    }

    fn restart(&mut self) -> Result<()> {
        self.running = None;
        self.running = Some(Emulator::run(self.processor, &self.dir)?);
        self.starts += 1;
        let words = self.ask(&format!("start {:08x}", self.starts))?;
        ensure!(words == ["ready"], "the card says {words:?}");
        Ok(())
    }
}

/// The process.
struct Emulator {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Emulator {
    fn run(processor: Processor, dir: &TempDir) -> Result<Self> {
        let variable = processor.variable();
        let line = env::var(variable).with_context(|| format!("no {variable}: `cargo xtask test` sets it"))?;
        let mut words = line.lines();
        let mut command = Command::new(words.next().context("an empty command")?);
        command.args(words).current_dir(dir.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("{line:?} does not start"))?;
        let input = child.stdin.take().context("no standard input")?;
        let output = BufReader::new(child.stdout.take().context("no standard output")?);
        Ok(Self { child, input, output })
    }

    fn ask(&mut self, line: &str) -> Result<String> {
        writeln!(self.input, "{line}")?;
        let mut answer = String::new();
        ensure!(self.output.read_line(&mut answer)? > 0, "the emulator has stopped");
        Ok(answer.trim_end().to_owned())
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // A process that is gone already needs none of it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
