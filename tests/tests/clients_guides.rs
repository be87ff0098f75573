//! Every command of the guides that use OpenSC, with a fresh virtual device in the reader.

use anyhow::Result;
use ferrite_tests::bench::Bench;
use ferrite_tests::guide::run_in;

#[test]
fn quick_start() -> Result<()> {
    let bench = Bench::blank()?;
    run_in("quick-start.md", &bench.path(""), None)
}

#[test]
fn openssl() -> Result<()> {
    let bench = Bench::blank()?;
    run_in("guides/openssl.md", &bench.path(""), None)
}

#[test]
fn openssh() -> Result<()> {
    let bench = Bench::blank()?;
    run_in("guides/openssh.md", &bench.path(""), None)
}
