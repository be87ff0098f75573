//! The card in the process of the test.

use crate::script::Device;
use crate::temp::TempDir;
use anyhow::{Context, Result};
use ferrite_sim::{Interface, Options, VirtualDevice};

/// A virtual device with a state directory of its own, blank at first.
pub struct InProcess {
    // Dropped in this order: the interface, the card, its memory.
    running: Option<(Interface, VirtualDevice)>,
    dir: TempDir,
}

impl InProcess {
    /// A blank device.
    ///
    /// # Errors
    /// Its state cannot be created.
    pub fn blank() -> Result<Self> {
        let mut device = Self { running: None, dir: TempDir::new()? };
        device.restart()?;
        Ok(device)
    }
}

impl Device for InProcess {
    fn transmit(&mut self, apdu: &[u8]) -> Result<Vec<u8>> {
        let (card, _) = self.running.as_ref().context("the device did not start again")?;
        Ok(card.transmit(apdu)?)
    }

    fn reset(&mut self) -> Result<()> {
        let (card, _) = self.running.as_ref().context("the device did not start again")?;
        Ok(card.reset()?)
    }

    fn restart(&mut self) -> Result<()> {
        self.running = None;
        let device = VirtualDevice::open(&self.dir.path().join("state"), Options::default())?;
        self.running = Some((device.connect(), device));
        Ok(())
    }
}
