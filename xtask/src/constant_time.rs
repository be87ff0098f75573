//! `cargo xtask constant-time`: whether the algorithms jump or index on secrets, as valgrind's memcheck sees it.

use crate::install::{self, Consent, VALGRIND};
use crate::run::{capture, cargo, green, grey, headline, red, root, run};
use anyhow::{Context, Result, bail, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// How the program is optimised: the profile, and what for; and flags for the compiler.
const PROFILES: [(&str, &str, &str); 2] =
    [("constant-time", "speed", ""), ("constant-time-size", "size", AS_ON_A_CHIP)];
/// Has the crates compute as they do on a chip: without the instructions for AES, carry-less products and vectors that a PC
/// has, on words of 32 bits.
const AS_ON_A_CHIP: &str = "--cfg aes_backend=\"soft\" --cfg polyval_backend=\"soft\" --cfg chacha20_backend=\"soft\" \
                            --cfg poly1305_backend=\"soft\" --cfg sha1_backend=\"soft\" --cfg sha2_backend=\"soft\" \
                            --cfg curve25519_dalek_backend=\"serial\" --cfg curve25519_dalek_bits=\"32\"";
/// Where it is built.
const TARGET_DIR: &str = "target/constant-time";
/// The places that are declared harmless.
const SUPPRESSIONS: &str = "bench/constant-time/valgrind.supp";
/// What valgrind ends with if there was something to report.
const REPORTED: i32 = 99;

/// Runs every subject, or those in whose names `only` occurs, in every way it is built.
pub(crate) fn check(consent: Consent, only: Option<&str>) -> Result<()> {
    install::ensure(&[VALGRIND], consent)?;
    let mut programs = Vec::new();
    for (profile, _, flags) in PROFILES {
        let mut build = cargo();
        build.args(["build", "--quiet", "-p", "ferrite-constant-time", "--profile", profile]);
        run(build.args(["--target-dir", TARGET_DIR]).env("RUSTFLAGS", flags))?;
        programs.push(root().join(TARGET_DIR).join(profile).join("ferrite-constant-time"));
    }
    let list = capture(&mut Command::new(programs.first().context("nothing was built")?))?;

    headline("places that depend on a secret: jumps and addresses, as memcheck sees them");
    let [first, second] = PROFILES.map(|(_, aim, _)| format!("for {aim}"));
    println!("  {:<40} {first:>9} {second:>9} {:>9}", "subject, reported when optimised", "declared");
    let mut totals = Totals::default();
    for line in list.lines() {
        let (expected, name) = line.split_once(' ').context("the list of subjects is not one")?;
        let expected = Expected::parse(expected)?;
        if expected == Expected::Nothing && only.is_some_and(|only| !name.contains(only)) {
            continue;
        }
        let reports = programs.iter().map(|program| observe(program, name)).collect::<Result<Vec<_>>>()?;
        totals.add(name, expected, &reports);
    }
    if only.is_none() {
        totals.name_unused()?;
    }
    ensure!(totals.failed.is_empty(), "not as expected: {}", totals.failed.join(", "));
    Ok(())
}

/// What memcheck is expected to report.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    Nothing,
    Jump,
    Address,
}

impl Expected {
    fn parse(word: &str) -> Result<Self> {
        Ok(match word {
            "nothing" => Expected::Nothing,
            "jump" => Expected::Jump,
            "address" => Expected::Address,
            _ => bail!("nobody can expect `{word}` of a subject"),
        })
    }

    /// Whether a report is as expected. What is there to be found must be found, and nothing else.
    fn is_met(self, report: &Report) -> bool {
        let kind = match self {
            Expected::Nothing => return report.places.is_empty(),
            Expected::Jump => "UninitCondition",
            Expected::Address => "UninitValue",
        };
        !report.places.is_empty() && report.places.keys().all(|place| place.kind == kind)
    }
}

/// What the whole run came to.
#[derive(Default)]
struct Totals {
    used: BTreeSet<String>,
    failed: Vec<String>,
}

impl Totals {
    /// Prints the row of a subject, and below it every place nobody expected.
    fn add(&mut self, name: &str, expected: Expected, reports: &[Report]) {
        let declared: BTreeSet<&String> = reports.iter().flat_map(|report| &report.suppressions).collect();
        let is_met = reports.iter().all(|report| expected.is_met(report));
        let verdict = match (is_met, expected) {
            (true, Expected::Nothing) => green("constant time"),
            (true, _) => green("reported, as it must be"),
            (false, Expected::Nothing) => red("DEPENDS ON A SECRET"),
            (false, _) => red("NOT REPORTED AS IT MUST BE"),
        };
        let counts: String = reports.iter().map(|report| format!("{:>10}", report.places.len())).collect();
        println!("  {name:<40}{counts} {:>9}  {verdict}", declared.len());
        if !is_met {
            self.failed.push(name.to_owned());
            for (report, (_, aim, _)) in reports.iter().zip(PROFILES) {
                for (place, stack) in &report.places {
                    println!("      {} (optimised for {aim})", place.describe());
                    stack.iter().for_each(|caller| println!("        {}", grey(&format!("called from {caller}"))));
                }
            }
        }
        self.used.extend(declared.into_iter().cloned());
    }

    /// Names the suppressions that no subject needed.
    fn name_unused(&self) -> Result<()> {
        let path = root().join(SUPPRESSIONS);
        let text = std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        for name in names(&text).filter(|name| !self.used.contains(*name)) {
            println!("  nothing needed the suppression `{name}`");
        }
        Ok(())
    }
}

/// The names of the suppressions in a file: each is the line after an opening brace.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(str::trim);
    lines.clone().zip(lines.skip(1)).filter(|(brace, _)| *brace == "{").map(|(_, name)| name)
}

/// Runs a subject under memcheck.
fn observe(program: &Path, subject: &str) -> Result<Report> {
    let xml: PathBuf = root().join(TARGET_DIR).join("report.xml");
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=memcheck", "--num-callers=60", "--error-limit=no", "--xml=yes"]);
    valgrind.arg(format!("--error-exitcode={REPORTED}")).arg(format!("--xml-file={}", xml.display()));
    valgrind.arg(format!("--suppressions={}", root().join(SUPPRESSIONS).display()));
    let output = valgrind.arg(program).arg(subject).output().context("`valgrind` does not start")?;
    let text = std::fs::read_to_string(&xml).with_context(|| format!("{} cannot be read", xml.display()))?;
    let report = Report::parse(&text);
    let code = if report.places.is_empty() { 0 } else { REPORTED };
    if output.status.code() != Some(code) {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("{subject}: {} places, and yet valgrind ended with {}\n{stderr}", report.places.len(), output.status);
    }
    Ok(report)
}

/// A place in the program that depends on a secret.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// Valgrind's word for what happens there.
    kind: String,
    /// Function, file and line.
    location: String,
}

impl Place {
    fn describe(&self) -> String {
        let what = match self.kind.as_str() {
            "UninitCondition" => "jump",
            "UninitValue" => "address",
            other => other,
        };
        format!("{what} in {}", self.location)
    }
}

/// What memcheck says about one run.
#[derive(Debug, Default, PartialEq, Eq)]
struct Report {
    /// Each distinct place, with the functions that led there the first time.
    places: BTreeMap<Place, Vec<String>>,
    /// The names of the suppressions that were used.
    suppressions: BTreeSet<String>,
}

impl Report {
    /// Reads valgrind's XML (protocol version 4).
    fn parse(xml: &str) -> Self {
        let mut report = Self::default();
        for error in elements(xml, "error") {
            let kind = elements(error, "kind").next().unwrap_or_default().to_owned();
            let stack = elements(error, "stack").next().unwrap_or_default();
            let mut frames = elements(stack, "frame").map(location);
            let place = Place { kind, location: frames.next().unwrap_or_default() };
            let callers = frames.take_while(|caller| !caller.starts_with("ferrite_constant_time"));
            report.places.entry(place).or_insert_with(|| callers.take(6).collect());
        }
        let used = elements(xml, "suppcounts").flat_map(|counts| elements(counts, "name"));
        report.suppressions = used.map(unescape).collect();
        report
    }
}

/// The contents of every element of a name, none of which lies in another of the same name.
fn elements<'a>(xml: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut rest = xml;
    std::iter::from_fn(move || {
        let (_, inside) = rest.split_once(&open)?;
        let (content, after) = inside.split_once(&close)?;
        rest = after;
        Some(content)
    })
}

/// Where a frame of a stack is: the function without its type parameters, the last folder, file and line.
fn location(frame: &str) -> String {
    let part = |name| elements(frame, name).next().map(unescape).unwrap_or_default();
    let mut depth = 0u32;
    let mut function = String::new();
    for character in part("fn").replace("->", "").chars() {
        match character {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            other if depth == 0 => function.push(other),
            _ => {}
        }
    }
    let dir = part("dir");
    let folder = dir.rsplit_once('/').map(|(_, last)| format!("{last}/")).unwrap_or_default();
    format!("{function} ({folder}{}:{})", part("file"), part("line"))
}

/// Text with the characters that XML writes in another way.
fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&apos;", "'").replace("&quot;", "\"").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two errors in the same line, one in another, and two suppressions.
    const XML: &str = "
        <valgrindoutput>
        <error><unique>0x0</unique><kind>UninitCondition</kind><what>Conditional jump</what>
          <stack>
            <frame>
              <ip>0x1</ip><fn>sign&lt;a::Rng&lt;T&gt;, B&gt;</fn><dir>/x/src</dir><file>ec.rs</file><line>17</line>
            </frame>
            <frame><ip>0x1</ip><fn>card::sign</fn><file>sign.rs</file><line>3</line></frame>
            <frame><ip>0x1</ip><fn>ferrite_constant_time::main</fn><file>main.rs</file><line>9</line></frame>
          </stack>
        </error>
        <error><unique>0x1</unique><kind>UninitCondition</kind>
          <stack>
            <frame><ip>0x2</ip><fn>sign&lt;u8&gt;</fn><dir>/x/src</dir><file>ec.rs</file><line>17</line></frame>
          </stack>
        </error>
        <error><unique>0x2</unique><kind>UninitValue</kind>
          <stack><frame><ip>0x3</ip><fn>lookup</fn><file>ec.rs</file><line>20</line></frame></stack>
        </error>
        <errorcounts><pair><count>1</count><unique>0x0</unique></pair></errorcounts>
        <suppcounts>
          <pair><count>2</count><name>the nonce is drawn again</name></pair>
          <pair><count>1</count><name>r &amp; s are public</name></pair>
        </suppcounts>
        </valgrindoutput>";

    fn place(kind: &str, location: &str) -> Place {
        Place { kind: kind.to_owned(), location: location.to_owned() }
    }

    #[test]
    fn a_report_names_each_place_once() {
        let report = Report::parse(XML);
        let expected = [
            (place("UninitCondition", "sign (src/ec.rs:17)"), vec!["card::sign (sign.rs:3)".to_owned()]),
            (place("UninitValue", "lookup (ec.rs:20)"), vec![]),
        ];
        assert_eq!(report.places, BTreeMap::from(expected));
        assert_eq!(report.suppressions.iter().collect::<Vec<_>>(), ["r & s are public", "the nonce is drawn again"]);
        assert_eq!(Report::parse("<valgrindoutput></valgrindoutput>"), Report::default());
    }

    #[test]
    fn a_control_is_met_only_by_what_it_does() {
        let with = |kind| {
            let places = BTreeMap::from([(place(kind, "control (subjects.rs:1)"), vec![])]);
            Report { places, suppressions: BTreeSet::new() }
        };
        let (jump, address) = (with("UninitCondition"), with("UninitValue"));
        for (expected, met, unmet) in [
            (Expected::Nothing, &Report::default(), [&jump, &address]),
            (Expected::Jump, &jump, [&address, &Report::default()]),
            (Expected::Address, &address, [&jump, &Report::default()]),
        ] {
            assert!(expected.is_met(met));
            assert!(unmet.iter().all(|report| !expected.is_met(report)));
        }
    }

    /// The comment before a suppression says why the place is harmless.
    #[test]
    fn every_suppression_has_its_reason() {
        let text = std::fs::read_to_string(root().join(SUPPRESSIONS)).unwrap();
        let blocks: Vec<&str> = text.split("\n\n").filter(|block| block.lines().any(|line| line == "{")).collect();
        assert!(!blocks.is_empty());
        for block in blocks {
            assert!(block.trim_start().starts_with('#'), "no reason: {block}");
            assert_eq!(names(block).count(), 1, "one reason for several suppressions: {block}");
        }
    }
}
