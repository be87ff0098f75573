//! The simulator in a process of its own, reached over its local socket, and killed at any moment.

use crate::script::Device;
use crate::sim::{self, Sim};
use crate::temp::TempDir;
use anyhow::{Context, Result, ensure};
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// A virtual device, blank at first.
pub struct OverSocket {
    stream: Option<UnixStream>,
    sim: Arc<Mutex<Option<Sim>>>,
    program: PathBuf,
    dir: TempDir,
}

/// Cuts the power of a device from another thread.
pub struct PowerSwitch(Arc<Mutex<Option<Sim>>>);

impl PowerSwitch {
    /// Kills the process.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn cut(&self) -> Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut().context("not running")?.kill()
    }
}

impl OverSocket {
    /// A blank device.
    ///
    /// # Errors
    /// The simulator does not build or start.
    pub fn blank() -> Result<Self> {
        let (program, dir) = (sim::program()?, TempDir::new()?);
        let mut device = Self { stream: None, sim: Arc::new(Mutex::new(None)), program, dir };
        device.restart()?;
        Ok(device)
    }

    /// A switch for the process that runs now.
    pub fn power_switch(&self) -> PowerSwitch {
        PowerSwitch(Arc::clone(&self.sim))
    }

    /// Sends one message and returns the answer.
    fn exchange(&mut self, message: &[u8]) -> Result<Vec<u8>> {
        let stream = self.stream.as_mut().context("not connected")?;
        let length = u32::try_from(message.len())?.to_be_bytes();
        stream.write_all(&[&length, message].concat())?;
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let mut answer = vec![0; usize::try_from(u32::from_be_bytes(length))?];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    }
}

impl Device for OverSocket {
    fn transmit(&mut self, apdu: &[u8]) -> Result<Vec<u8>> {
        ensure!(!apdu.is_empty(), "an empty message is a reset");
        self.exchange(apdu)
    }

    fn reset(&mut self) -> Result<()> {
        let atr = self.exchange(&[])?;
        ensure!(atr.first() == Some(&0x3B), "no answer to reset: {atr:02X?}");
        Ok(())
    }

    fn restart(&mut self) -> Result<()> {
        self.stream = None;
        let mut sim = self.sim.lock().unwrap_or_else(PoisonError::into_inner);
        // The one before must be gone, and its lock with it, when the next one starts.
        *sim = None;
        let socket = self.dir.path().join("socket");
        let arguments = [OsStr::new("--no-vpcd"), OsStr::new("--socket"), socket.as_os_str()];
        *sim = Some(Sim::start(&self.program, &self.dir.path().join("state"), &arguments)?);
        self.stream = Some(UnixStream::connect(socket)?);
        Ok(())
    }
}
