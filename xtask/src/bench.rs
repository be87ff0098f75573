//! `cargo xtask bench`: speed beside other implementations, and the memory a chip needs.

use crate::firmware::{TARGETS, Toolchain};
use crate::install::{self, Consent, OPENSSL, QEMU_ARM};
use crate::run::{capture, cargo, headline, root, run};
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// What the card may need on a chip, in bytes: all in all 200 KiB.
const MEMORY_LIMIT: usize = 200 * 1024;

/// Runs the benchmarks.
pub(crate) fn run_all(consent: Consent) -> Result<()> {
    headline("memory of the card on a chip");
    memory(consent)?;
    headline("speed, beside other implementations in the same run");
    install::ensure(&[OPENSSL], consent)?;
    run(cargo().args(["run", "--release", "--quiet", "-p", "ferrite-bench"]))
}

/// Runs the card on an emulated Cortex-M and adds up what it says about its memory.
fn memory(consent: Consent) -> Result<()> {
    install::ensure(&[QEMU_ARM], consent)?;
    let [target, _] = TARGETS;
    let mut build = Toolchain::find(consent)?.cargo_build(target);
    build.args(["--manifest-path", "bench/chip/Cargo.toml"]);
    if let Some(linker) = linker() {
        build.env("CARGO_TARGET_THUMBV6M_NONE_EABI_LINKER", linker);
    }
    run(&mut build)?;
    let image = root().join("target/firmware").join(target).join("release/ferrite-bench-chip");
    let mut emulator = Command::new("timeout");
    emulator.args([
        "300",
        "qemu-system-arm",
        "-M",
        "mps2-an385",
        "-cpu",
        "cortex-m3",
        "-icount",
        "shift=0",
        "-nographic",
    ]);
    emulator.args(["-monitor", "none", "-serial", "none", "-semihosting", "-kernel"]).arg(image).stdin(Stdio::null());
    let report = capture(&mut emulator)?;
    if !report.lines().any(|line| line == "done") {
        bail!("the card on the emulated chip did not finish:\n{report}");
    }

    let lines: Vec<(&str, &str, usize)> = report.lines().filter_map(parse).collect();
    for (kind, name, bytes) in &lines {
        println!("  {kind:<7} {name:<20} {bytes:>7} bytes");
    }
    let statics: usize = lines.iter().filter(|(kind, ..)| *kind == "static").map(|(.., bytes)| bytes).sum();
    let stack = lines.iter().filter(|(kind, ..)| *kind == "stack").map(|(.., bytes)| *bytes).max();
    let total = statics + stack.context("the report names no stack")?;
    println!(
        "  in all, with the deepest stack {total:>12} bytes, {:.1} KiB of {} KiB",
        total as f64 / 1024.0,
        MEMORY_LIMIT / 1024
    );
    if total > MEMORY_LIMIT {
        bail!("the card needs more memory than it may");
    }
    Ok(())
}

/// A line of the report: `static` or `stack`, what for, how many bytes.
fn parse(line: &str) -> Option<(&str, &str, usize)> {
    let (kind, rest) = line.split_once(' ').filter(|(kind, _)| ["static", "stack"].contains(kind))?;
    let (name, bytes) = rest.rsplit_once(' ')?;
    Some((kind, name, bytes.parse().ok()?))
}

/// The linker that comes with rustup's compiler; Debian's is a package of its own.
fn linker() -> Option<PathBuf> {
    let sysroot = capture(Command::new("rustc").args(["--print", "sysroot"])).ok()?;
    let host = capture(Command::new("rustc").args(["--print", "host-tuple"])).ok()?;
    let linker = PathBuf::from(sysroot.trim()).join("lib/rustlib").join(host.trim()).join("bin/rust-lld");
    linker.exists().then_some(linker)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_read() {
        assert_eq!(parse("stack SIGN RSA PSS 23748"), Some(("stack", "SIGN RSA PSS", 23748)));
        assert_eq!(parse("done"), None);
    }
}
