//! `random`: random bytes of the device.

use crate::app::Global;
use crate::bytes::Output;
use crate::progress::during;
use crate::report::Report;
use clap::Args;
use ferrite_client::Result;
use serde_json::json;
use zeroize::Zeroizing;

/// Get random bytes from the device
#[derive(Args)]
pub(crate) struct Arguments {
    /// How many bytes
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    count: u32,
    #[command(flatten)]
    output: Output,
}

impl Arguments {
    /// Gets them.
    ///
    /// # Errors
    /// The device refuses: its generator failed its tests.
    pub(crate) fn run(&self, global: &Global) -> Result<Report> {
        let mut bytes = Zeroizing::new(vec![0; usize::try_from(self.count).unwrap_or_default()]);
        let mut device = global.open()?;
        during("Getting random bytes", || device.random(&mut bytes))?;
        self.output.deliver("random", &bytes, json!({}))
    }
}
