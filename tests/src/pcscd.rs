//! The PC/SC daemon: the one that runs, or one of our own.

use anyhow::{Context, Result, ensure};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const SOCKET: &str = "/run/pcscd/pcscd.comm";
const READER: &str = "/etc/reader.conf.d/vpcd";
const START: Duration = Duration::from_secs(10);

/// A running pcscd with the virtual reader. One that was started for a test stops with it.
pub(crate) struct Pcscd(Option<Child>);

impl Pcscd {
    pub(crate) fn run() -> Result<Self> {
        ensure!(
            Path::new(READER).exists(),
            "pcscd has no virtual reader ({READER} of the package vsmartcard-vpcd): `cargo xtask test` installs it"
        );
        if UnixStream::connect(SOCKET).is_ok() {
            return Ok(Self(None));
        }
        let child = Command::new("pcscd")
            .arg("--foreground")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("pcscd does not start: `cargo xtask test` installs it")?;
        let daemon = Self(Some(child));
        let start = Instant::now();
        while UnixStream::connect(SOCKET).is_err() {
            ensure!(start.elapsed() < START, "pcscd does not listen on {SOCKET}: it needs the rights of root");
            thread::sleep(Duration::from_millis(50));
        }
        Ok(daemon)
    }
}

impl Drop for Pcscd {
    fn drop(&mut self) {
        let Some(child) = &mut self.0 else { return };
        // Asked politely, it removes its socket; the next one would start all the same.
        let asked = Command::new("kill").arg(child.id().to_string()).status().is_ok_and(|status| status.success());
        if !asked {
            let _ = child.kill();
        }
        let _ = child.wait();
    }
}
