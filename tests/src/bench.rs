//! A workbench for real clients: a virtual device in the virtual reader, and the command lines around it.

use crate::emulated;
use crate::pcscd::Pcscd;
use crate::sim::{self, Sim, target_dir};
use crate::temp::TempDir;
use anyhow::{Context, Result, bail, ensure};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// The user PIN of every test.
pub const PIN: &str = "648219";
/// The SO-PIN of every test, as OpenSC takes it: 16 hexadecimal digits.
pub const SO_PIN: &str = "3537363231383830";

const INSERTION: Duration = Duration::from_secs(20);

/// A virtual device in the reader, and a directory for the files of the test.
pub struct Bench {
    // Dropped in this order; the lock goes last.
    sim: Option<Sim>,
    _pcscd: Pcscd,
    dir: TempDir,
    kind: Kind,
    _turn: File,
}

/// What is in the reader.
enum Kind {
    /// The simulator.
    Virtual(PathBuf),
    /// The firmware of a Pico, in the emulator.
    Emulated,
}

impl Bench {
    /// A blank device.
    ///
    /// # Errors
    /// Something is missing or does not start; the message says what to do.
    pub fn blank() -> Result<Self> {
        Self::with(Kind::Virtual(sim::program()?))
    }

    /// A blank emulated Pico. It is some hundred times slower than a virtual device.
    ///
    /// # Errors
    /// As for [`Bench::blank`], or there is no firmware image.
    pub fn emulated() -> Result<Self> {
        Self::with(Kind::Emulated)
    }

    fn with(kind: Kind) -> Result<Self> {
        let turn = File::create(std::env::temp_dir().join("ferrite-tests.lock"))?;
        turn.lock()?;
        let dir = TempDir::new()?;
        let pcscd = Pcscd::run()?;
        let mut bench = Self { sim: None, _pcscd: pcscd, dir, kind, _turn: turn };
        bench.insert()?;
        Ok(bench)
    }

    /// A device initialised with [`PIN`] and [`SO_PIN`].
    ///
    /// # Errors
    /// As for [`Bench::blank`], or initialisation fails.
    pub fn initialized() -> Result<Self> {
        let bench = Self::blank()?;
        bench.run("sc-hsm-tool", &["--initialize", "--so-pin", SO_PIN, "--pin", PIN])?;
        Ok(bench)
    }

    /// Kills the device as `kill -9` does, and starts it again.
    ///
    /// # Errors
    /// It does not start again.
    pub fn cut_power(&mut self) -> Result<()> {
        self.sim = None;
        self.insert()
    }

    fn insert(&mut self) -> Result<()> {
        self.wait_for_reader(false)?;
        self.sim = Some(match &self.kind {
            Kind::Virtual(program) => Sim::start(program, &self.dir.path().join("state"), &[])?,
            Kind::Emulated => Sim::run(emulated::command(&self.dir.path().join("flash.bin"))?.arg("--vpcd"))?,
        });
        self.wait_for_reader(true)
    }

    /// Waits until the first reader has a card, or none.
    fn wait_for_reader(&self, full: bool) -> Result<()> {
        let start = Instant::now();
        loop {
            let readers = self.command("opensc-tool", &["-l"])?.text;
            let first = readers.lines().find(|line| line.starts_with("0 "));
            if first.is_some_and(|line| line.contains("Virtual PCD") && line.contains("Yes") == full) {
                return Ok(());
            }
            let wanted = if full { "no card comes into" } else { "another card is in" };
            ensure!(start.elapsed() < INSERTION, "{wanted} the virtual reader:\n{readers}");
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// The path of a file of this test.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file of this test.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<()> {
        Ok(fs::write(self.path(name), content)?)
    }

    /// Reads a file of this test.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&self, name: &str) -> Result<Vec<u8>> {
        fs::read(self.path(name)).with_context(|| format!("the file {name}"))
    }

    /// Runs a program among the files of this test; it must succeed. Returns what it printed, on both streams.
    ///
    /// # Errors
    /// It is missing, or fails.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Result<String> {
        let Finished { success, text } = self.command(program, arguments)?;
        ensure!(success, "{program} {} fails:\n{text}", arguments.join(" "));
        Ok(text)
    }

    /// Runs a program that asks for input, and types it; it must succeed. Returns what it printed, on both streams.
    ///
    /// # Errors
    /// It is missing, or fails.
    pub fn run_with_input(&self, program: &str, arguments: &[&str], input: &str) -> Result<String> {
        self.write("input", input.as_bytes())?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.dir.path()).stdin(File::open(self.path("input"))?);
        let Finished { success, text } = finish(&mut command)?;
        ensure!(success, "{program} {} fails:\n{text}", arguments.join(" "));
        Ok(text)
    }

    /// Takes the device out of the reader and puts another one in, which is blank.
    ///
    /// # Errors
    /// It does not start.
    pub fn exchange_device(&mut self) -> Result<()> {
        self.sim = None;
        fs::remove_dir_all(self.dir.path().join("state"))?;
        self.insert()
    }

    /// Runs a program that must fail. Returns what it printed, on both streams.
    ///
    /// # Errors
    /// It is missing, or succeeds.
    pub fn fail(&self, program: &str, arguments: &[&str]) -> Result<String> {
        let Finished { success, text } = self.command(program, arguments)?;
        ensure!(!success, "{program} {} succeeds:\n{text}", arguments.join(" "));
        Ok(text)
    }

    /// Runs a program that may succeed or fail. Returns what it printed, on both streams.
    ///
    /// # Errors
    /// It is missing.
    pub fn attempt(&self, program: &str, arguments: &[&str]) -> Result<String> {
        Ok(self.command(program, arguments)?.text)
    }

    /// Runs `pkcs11-tool` with the user logged in; it must succeed.
    ///
    /// # Errors
    /// It is missing, or fails.
    pub fn pkcs11(&self, arguments: &[&str]) -> Result<String> {
        self.run("pkcs11-tool", &[&["--login", "--pin", PIN], arguments].concat())
    }

    /// Generates a key pair of a type that `pkcs11-tool` understands, with CKA_ID `id` (hexadecimal).
    ///
    /// # Errors
    /// It fails.
    pub fn generate(&self, kind: &str, id: &str, label: &str) -> Result<String> {
        self.pkcs11(&["--keypairgen", "--key-type", kind, "--id", id, "--label", label])
    }

    /// Writes the public key with CKA_ID `id` to the file `name` as PEM, read from the token by OpenSC.
    ///
    /// Not by `pkcs11-tool --read-object`, which in OpenSC 0.23 spoils the points of some curves before it writes them.
    ///
    /// # Errors
    /// There is none, or OpenSSL does not understand it.
    pub fn public_key(&self, id: &str, name: &str) -> Result<()> {
        self.run("pkcs15-tool", &["--read-public-key", id, "--output", name])?;
        self.run("openssl", &["pkey", "-pubin", "-in", name, "-noout"])?;
        Ok(())
    }

    /// Runs a script of `tests/python`; it must succeed.
    ///
    /// # Errors
    /// It fails, or the Python environment is missing.
    pub fn python(&self, script: &str, arguments: &[&str]) -> Result<()> {
        let python = target_dir()?.join("python/bin/python");
        ensure!(python.exists(), "there is no {}: `cargo xtask test` makes it", python.display());
        let path = source("python").join(script);
        let mut command = Command::new(python);
        // No compiled modules beside the sources.
        command.arg("-B").arg(path).args(arguments).current_dir(self.dir.path());
        let Finished { success, text } = finish(&mut command)?;
        ensure!(success, "{script} {} fails:\n{text}", arguments.join(" "));
        Ok(())
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Result<Finished> {
        finish(Command::new(program).args(arguments).current_dir(self.dir.path()))
    }
}

/// Runs a command until it ends.
fn finish(command: &mut Command) -> Result<Finished> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = match command.output() {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("{program} is missing: `cargo xtask test` installs it")
        }
        Err(error) => return Err(error).with_context(|| format!("{program} does not start")),
    };
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    Ok(Finished { success: output.status.success(), text })
}

struct Finished {
    success: bool,
    text: String,
}

/// Fails unless `text` holds every one of `parts`.
///
/// # Errors
/// One is missing; the message shows the text.
pub fn expect(text: &str, parts: &[&str]) -> Result<()> {
    match parts.iter().find(|part| !text.contains(**part)) {
        Some(part) => bail!("{part:?} is missing in:\n{text}"),
        None => Ok(()),
    }
}

/// The path of a file beside the tests of this crate.
pub fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}
