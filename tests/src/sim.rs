//! The simulator as a process of its own.

use anyhow::{Context, Result, bail, ensure};
use std::env;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running simulator; killed, as by a power cut, when this is dropped.
pub(crate) struct Sim {
    child: Child,
    /// What it said before it was ready.
    announcements: Vec<String>,
}

impl Sim {
    /// Starts the simulator with further arguments and waits until it is ready.
    pub(crate) fn start(program: &Path, state: &Path, arguments: &[&OsStr]) -> Result<Self> {
        Self::run(Command::new(program).arg("--state").arg(state).args(arguments))
    }

    /// Starts any program that stands for a device, and waits until it is ready.
    pub(crate) fn run(command: &mut Command) -> Result<Self> {
        let program = command.get_program().to_owned();
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} does not start", program.display()))?;
        let mut sim = Self { child, announcements: Vec::new() };
        for line in BufReader::new(sim.child.stdout.as_mut().context("no standard output")?).lines() {
            match line? {
                line if line == "ready" => return Ok(sim),
                line => sim.announcements.push(line),
            }
        }
        bail!("the simulator ended before it was ready; it said {:?}", sim.announcements);
    }

    /// Where it serves USB/IP, if it was asked to.
    pub(crate) fn usbip_address(&self) -> Option<&str> {
        self.announcements.iter().find_map(|line| line.strip_prefix("usbip "))
    }
}

impl Sim {
    /// Cuts the power, as `kill -9` does.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill().context("the simulator cannot be killed")
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        // `kill` is SIGKILL; a process that is gone already needs none.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The simulator named by `FERRITE_SIM`, or the one beside this test, brought up to date by cargo.
pub(crate) fn program() -> Result<PathBuf> {
    built("FERRITE_SIM", "ferrite-sim", "ferrite-sim")
}

/// The program named by a variable of the environment, or the one beside this test, brought up to date by cargo.
pub(crate) fn built(variable: &str, package: &str, name: &str) -> Result<PathBuf> {
    if let Some(program) = env::var_os(variable) {
        return Ok(program.into());
    }
    let profile_dir = profile_dir()?;
    let target = target_dir()?;
    let profile = match profile_dir.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let built = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--quiet", "--package", package, "--profile", profile, "--target-dir"])
        .arg(target)
        .status()
        .context("cargo does not start")?;
    ensure!(built.success(), "{package} does not build");
    Ok(profile_dir.join(name))
}

/// Where cargo puts everything it builds.
pub(crate) fn target_dir() -> Result<PathBuf> {
    Ok(profile_dir()?.parent().context("this test is not in a target directory")?.to_path_buf())
}

/// Where cargo puts what it builds with the profile of this test, which is `target/<profile>/deps/<test>`.
fn profile_dir() -> Result<PathBuf> {
    Ok(env::current_exe()?.ancestors().nth(2).context("this test is not in a target directory")?.to_path_buf())
}
