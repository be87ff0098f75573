//! `cargo xtask bench`: what the card needs on a chip, and speed beside other implementations.

use crate::chip::{self, MACHINES, Machine};
use crate::install::{self, Consent, LIBSSL};
use crate::run::{capture, cargo, headline, run};
use crate::{emulate, firmware};
use anyhow::{Context, Result, bail};
use std::process::{Command, Stdio};

/// What the card may need on a chip, in bytes: all in all 200 KiB.
const MEMORY_LIMIT: usize = 200 * 1024;

/// Runs the benchmarks.
pub(crate) fn all(consent: Consent) -> Result<()> {
    chip(consent)?;
    headline("speed, beside other implementations in the same run");
    install::ensure(&LIBSSL, consent)?;
    run(cargo().args(["run", "--release", "--quiet", "-p", "ferrite-bench", "--features", "openssl"]))
}

/// Runs the card on emulated Cortex-Ms and the firmware on an emulated RP2040, and shows what they say about themselves.
pub(crate) fn chip(consent: Consent) -> Result<()> {
    for machine in &MACHINES {
        headline(machine.title);
        instructions(consent, machine)?;
    }
    cycles(consent)
}

fn instructions(consent: Consent, machine: &Machine) -> Result<()> {
    chip::build(consent, machine)?;
    let words = machine.command("ferrite-bench-chip");
    let mut emulator = Command::new("timeout");
    emulator.arg("300").args(words).stdin(Stdio::null());
    let report = capture(&mut emulator)?;
    if !report.lines().any(|line| line == "done") {
        bail!("the card on the emulated chip did not finish:\n{report}");
    }
    let report: Report<'_> = report.lines().filter_map(parse).collect();
    print!("{}", report.tables());
    if report.memory()? > MEMORY_LIMIT {
        bail!("the card needs more memory than it may");
    }
    Ok(())
}

/// Runs the firmware of a Pico in the emulator, and shows the cycles that each operation takes there.
fn cycles(consent: Consent) -> Result<()> {
    let image = firmware::for_emulator(consent, "pico")?;
    emulate::prepare(consent)?;
    headline("the firmware on an emulated RP2040: cycles, of 125 million in a second");
    let mut example = cargo();
    example.args(["run", "--quiet", "-p", "ferrite-tests", "--example", "cycles"]);
    let report = capture(example.env("FERRITE_FIRMWARE", image))?;
    if !report.lines().any(|line| line == "done") {
        bail!("the firmware in the emulator did not finish:\n{report}");
    }
    println!(
        "  {:<26} {:<16} {:>14} {:>10} {:>12} {:>8} {:>8}",
        "command", "algorithm", "million cycles", "seconds", "flash (ms)", "stack", "core 1's"
    );
    for line in report.lines() {
        let fields: Vec<&str> = line.split('|').collect();
        let ["cycles", name, algorithm, cycles, flash, stack, second_stack] = fields[..] else { continue };
        let (cycles, flash) = (cycles.parse::<f64>()?, flash.parse::<f64>()?);
        let (millions, seconds, millis) = (cycles / 1e6, cycles / 125e6, flash / 125e3);
        println!(
            "  {name:<26} {algorithm:<16} {millions:>14.2} {seconds:>10.3} {millis:>12.1} {stack:>8} {second_stack:>8}"
        );
    }
    Ok(())
}

/// A line of the emulated chip's report.
#[derive(Debug, PartialEq, Eq)]
enum Line<'a> {
    /// A section of the program and its bytes.
    Program(&'a str, usize),
    /// Something static and its bytes.
    Static(&'a str, usize),
    /// A command.
    Command(Measured<'a>),
}

/// What a command took.
#[derive(Debug, PartialEq, Eq)]
struct Measured<'a> {
    name: &'a str,
    /// Empty for commands that use no key.
    algorithm: &'a str,
    /// The deepest stack, in bytes.
    stack: usize,
    instructions: u64,
}

/// Reads a line, if it is part of the report.
fn parse(line: &str) -> Option<Line<'_>> {
    match line.split('|').collect::<Vec<_>>()[..] {
        ["program", section, bytes] => Some(Line::Program(section, bytes.parse().ok()?)),
        ["static", name, bytes] => Some(Line::Static(name, bytes.parse().ok()?)),
        ["command", name, algorithm, stack, instructions] => Some(Line::Command(Measured {
            name,
            algorithm,
            stack: stack.parse().ok()?,
            instructions: instructions.parse().ok()?,
        })),
        _ => None,
    }
}

/// What the emulated chip reports.
#[derive(Default)]
struct Report<'a> {
    program: Vec<(&'a str, usize)>,
    statics: Vec<(&'a str, usize)>,
    commands: Vec<Measured<'a>>,
}

impl<'a> FromIterator<Line<'a>> for Report<'a> {
    fn from_iter<T: IntoIterator<Item = Line<'a>>>(lines: T) -> Self {
        let mut report = Report::default();
        for line in lines {
            match line {
                Line::Program(section, bytes) => report.program.push((section, bytes)),
                Line::Static(name, bytes) => report.statics.push((name, bytes)),
                Line::Command(measured) => report.commands.push(measured),
            }
        }
        report
    }
}

impl Report<'_> {
    /// The command with the deepest stack.
    fn deepest(&self) -> Result<&Measured<'_>> {
        self.commands.iter().max_by_key(|measured| measured.stack).context("the report names no command")
    }

    /// Memory in all, in bytes.
    fn memory(&self) -> Result<usize> {
        Ok(sum(&self.statics) + self.deepest()?.stack)
    }

    /// The report for people. Deletions are left out but for their stacks: they are between the others to make room.
    fn tables(&self) -> String {
        let mut text =
            format!("  {:<20} {:<16} {:>20} {:>12}\n", "command", "algorithm", "million instructions", "stack");
        for Measured { name, algorithm, stack, instructions } in &self.commands {
            if *name != "DELETE" {
                let millions = *instructions as f64 / 1e6;
                text += &format!("  {name:<20} {algorithm:<16} {millions:>20.3} {stack:>6} bytes\n");
            }
        }
        let mut line = |name: &str, bytes: usize| {
            text += &format!("  {name:<32} {bytes:>8} bytes  {:>6.1} KiB\n", bytes as f64 / 1024.0);
        };
        for (section, bytes) in &self.program {
            line(&format!("program, {section}"), *bytes);
        }
        line("program in all", sum(&self.program));
        for (name, bytes) in &self.statics {
            line(&format!("memory, {name}"), *bytes);
        }
        if let (Ok(deepest), Ok(memory)) = (self.deepest(), self.memory()) {
            line(&format!("deepest stack, {} {}", deepest.name, deepest.algorithm), deepest.stack);
            line(&format!("memory in all, of {} KiB", MEMORY_LIMIT / 1024), memory);
        }
        text
    }
}

fn sum(parts: &[(&str, usize)]) -> usize {
    parts.iter().map(|(_, bytes)| bytes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "\
program|.text|500000
program|.rodata|60000
static|workspace|80000
static|card|2000
command|start||10596|4321000
command|SIGN, PSS|RSA-1024|23748|12345678
command|DELETE|P256|9000|1000
done
";

    #[test]
    fn lines_are_read() {
        assert_eq!(parse("program|.text|500000"), Some(Line::Program(".text", 500_000)));
        assert_eq!(parse("static|command buffer|65552"), Some(Line::Static("command buffer", 65552)));
        let measured =
            Measured { name: "SIGN, PSS", algorithm: "RSA-1024", stack: 23748, instructions: 12_345_678_901 };
        assert_eq!(parse("command|SIGN, PSS|RSA-1024|23748|12345678901"), Some(Line::Command(measured)));
        for other in ["done", "", "static|card", "static|card|many", "command|SIGN|P256|1", "static|card|1|2"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn memory_is_what_is_static_and_the_deepest_stack() {
        let report: Report<'_> = REPORT.lines().filter_map(parse).collect();
        assert_eq!(report.memory().unwrap(), 80000 + 2000 + 23748);
        assert!(Report::default().memory().is_err());
    }

    #[test]
    fn tables_show_everything_but_deletions() {
        let tables = REPORT.lines().filter_map(parse).collect::<Report<'_>>().tables();
        let lines: Vec<Vec<&str>> = tables.lines().map(|line| line.split_whitespace().collect()).collect();
        assert!(lines.contains(&vec!["SIGN,", "PSS", "RSA-1024", "12.346", "23748", "bytes"]), "{tables}");
        assert!(lines.contains(&vec!["start", "4.321", "10596", "bytes"]), "{tables}");
        assert!(lines.contains(&vec!["program", "in", "all", "560000", "bytes", "546.9", "KiB"]), "{tables}");
        assert!(!tables.contains("DELETE"), "{tables}");
    }
}
