//! `cargo xtask bench`: speed beside other implementations, and the memory a chip needs.

use crate::install::Consent;
use crate::run::{cargo, headline, run};
use anyhow::Result;

/// Runs the benchmarks.
pub(crate) fn run_all(_: Consent) -> Result<()> {
    headline("speed, beside other implementations in the same run");
    run(cargo().args(["run", "--release", "--quiet", "-p", "ferrite-bench"]))
}
