//! `doctor`: finds out why a device is not found, and mends what it can.

mod machine;

use crate::app::Global;
use crate::report::Report;
use clap::Args;
use ferrite_client::transport::UDEV_RULE;
use ferrite_client::{Error, ErrorKind, Result};
use machine::{Machine, UsbDevice};
use serde_json::json;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::FileTypeExt as _;
use std::thread;
use std::time::Duration;

/// How often, and how long after each other, it is looked whether the service shows a device after it was mended.
const LOOKS: usize = 20;
const PAUSE: Duration = Duration::from_millis(500);
/// How often what was mended may bring up something else to mend.
const ROUNDS: usize = 4;

/// Find out why a device is not found
#[derive(Args)]
pub(crate) struct Arguments {
    /// Mend what can be mended, after asking
    #[arg(long)]
    fix: bool,
}

/// How a check came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// What was looked at.
    check: &'static str,
    verdict: Verdict,
    /// What was found.
    detail: String,
    /// How to mend it by hand.
    advice: String,
    remedy: Option<Remedy>,
}

/// Names of checks that others depend on.
const READER: &str = "reader";
const DIRECT: &str = "direct USB";

/// What a check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Good,
    Bad,
    /// Cannot be known, or does not matter here.
    Open,
}

/// What this program can do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Install the smart-card service.
    Install,
    /// Start it.
    Start,
    /// Tell its driver about a device, and start it anew.
    AddToDriver(UsbDevice),
    /// Let everybody on this machine talk to it.
    Permit,
    /// Let users of this machine talk to the device directly.
    Admit,
}

impl Finding {
    fn new(check: &'static str, verdict: Verdict, detail: impl Into<String>) -> Self {
        Self { check, verdict, detail: detail.into(), advice: String::new(), remedy: None }
    }

    fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = advice.into();
        self
    }

    fn remedy(mut self, remedy: Remedy) -> Self {
        self.remedy = Some(remedy);
        self
    }
}

impl Arguments {
    /// Looks at everything, in the order in which it must be there.
    ///
    /// # Errors
    /// [`ErrorKind::NoDevice`] if something is amiss that keeps devices from being found.
    pub(crate) fn run(&self, global: &Global) -> Result<Report> {
        let machine = Machine::this();
        let named = || global.device.as_deref().map(|name| named(global, name));
        let mut first = named();
        // What is between a program and a reader or a USB device is not between it and a socket.
        let is_enough = first.as_ref().is_some_and(|(is_socket, named)| *is_socket && named.verdict == Verdict::Good);
        let mut findings = if is_enough { Vec::new() } else { examine(&machine) };
        if self.fix {
            findings = mend(&machine, global, findings)?;
            first = named();
        }
        findings.splice(0..0, first.map(|(_, finding)| finding));
        let is_well = findings.iter().all(|finding| finding.verdict != Verdict::Bad);
        let text = describe(&findings);
        if !is_well && !global.json {
            let advice = if findings.iter().any(|finding| finding.remedy.is_some()) && !self.fix {
                "\n`pico-hsm-tool doctor --fix` mends what it can."
            } else {
                ""
            };
            let is_reached = findings.iter().any(|finding| finding.check == DIRECT && finding.verdict == Verdict::Good);
            let (what, why) = if is_reached {
                ("find the device for every program", "this program reaches it directly, and others need what is bad")
            } else {
                ("find a device", "something is amiss")
            };
            return Err(
                Error::new(ErrorKind::NoDevice, what, why).advise(format!("{text}{advice}").trim_end().to_owned())
            );
        }
        let objects: Vec<_> = findings
            .iter()
            .map(|finding| {
                let verdict = match finding.verdict {
                    Verdict::Good => "good",
                    Verdict::Bad => "bad",
                    Verdict::Open => "open",
                };
                json!({
                    "check": finding.check, "verdict": verdict, "detail": finding.detail, "advice": finding.advice,
                    "can_mend": finding.remedy.is_some(),
                })
            })
            .collect();
        Ok(Report::new(json!({ "well": is_well, "checks": objects }), text))
    }
}

/// Whether the device that was named is a virtual one behind a socket, and whether it answers.
fn named(global: &Global, name: &str) -> (bool, Finding) {
    const CHECK: &str = "named device";
    let is_socket = fs::metadata(name).is_ok_and(|file| file.file_type().is_socket());
    let finding = match global.open() {
        Ok(_) if is_socket => {
            Finding::new(CHECK, Verdict::Good, format!("{name} answers; a socket needs nothing else"))
        }
        Ok(_) => Finding::new(CHECK, Verdict::Good, format!("{name} answers")),
        Err(error) => Finding::new(CHECK, Verdict::Bad, format!("{name}: {}", error.why()))
            .advise(error.advice().unwrap_or_default().to_owned()),
    };
    (is_socket, finding)
}

/// Mends what can be mended, each thing once, and looks again.
fn mend(machine: &Machine, global: &Global, mut findings: Vec<Finding>) -> Result<Vec<Finding>> {
    let mut done: Vec<Remedy> = Vec::new();
    for _ in 0..ROUNDS {
        let before = done.len();
        for remedy in findings.iter().filter_map(|finding| finding.remedy.as_ref()) {
            if !done.contains(remedy) {
                global.confirm("mend it", &format!("This will be done: {}", machine.plan(remedy)))?;
                machine.mend(remedy)?;
                done.push(remedy.clone());
            }
        }
        if done.len() == before {
            break;
        }
        // A service that has just started needs a moment to find its readers.
        let looks = if machine.usb_devices().is_empty() { 1 } else { LOOKS };
        for _ in 0..looks {
            findings = examine(machine);
            let has_more = findings.iter().filter_map(|finding| finding.remedy.as_ref()).any(|it| !done.contains(it));
            if has_more || findings.iter().all(|finding| finding.verdict != Verdict::Bad) {
                break;
            }
            thread::sleep(PAUSE);
        }
    }
    Ok(findings)
}

fn describe(findings: &[Finding]) -> String {
    findings.iter().fold(String::new(), |mut text, finding| {
        let sign = match finding.verdict {
            Verdict::Good => "good",
            Verdict::Bad => "BAD ",
            Verdict::Open => "-   ",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{sign}  {}: {}", finding.check, finding.detail);
        for line in finding.advice.lines() {
            let _ = writeln!(text, "      {line}");
        }
        text
    })
}

/// Everything that must be there, one after the other.
fn examine(machine: &Machine) -> Vec<Finding> {
    let usb = machine.usb_devices();
    let mut findings = vec![service_installed(machine), usb_found(&usb)];
    findings.extend(usb.iter().map(|device| driver_knows(machine, device)));
    findings.extend(service_answers(machine, usb.is_empty() || usb.iter().any(|device| device.has_reader)));
    let is_shown = findings.iter().any(|finding| finding.check == READER && finding.verdict == Verdict::Good);
    findings.extend(reached_directly(machine.direct(), is_shown));
    findings
}

fn service_installed(machine: &Machine) -> Finding {
    const CHECK: &str = "smart-card service";
    match machine.program("pcscd") {
        Some(path) => Finding::new(CHECK, Verdict::Good, format!("installed, {}", path.display())),
        None => Finding::new(CHECK, Verdict::Bad, "pcscd is not installed")
            .advise("Install it: apt-get install pcscd libccid (or what your system calls it)")
            .remedy(Remedy::Install),
    }
}

fn usb_found(devices: &[UsbDevice]) -> Finding {
    const CHECK: &str = "USB";
    match devices {
        [] => Finding::new(CHECK, Verdict::Open, "no HSM is plugged in; virtual devices need none"),
        devices => {
            let list: Vec<_> = devices.iter().map(ToString::to_string).collect();
            Finding::new(CHECK, Verdict::Good, list.join(", "))
        }
    }
}

/// Whether devices can be reached without the service: with it that matters less.
fn reached_directly(devices: Vec<(String, Result<()>)>, is_shown: bool) -> Vec<Finding> {
    let finding = |(name, result): (String, Result<()>)| match result {
        Ok(()) => Finding::new(DIRECT, Verdict::Good, format!("{name}, answers")),
        Err(error) => {
            let verdict = if is_shown { Verdict::Open } else { Verdict::Bad };
            let finding = Finding::new(DIRECT, verdict, format!("{name}: {}", error.why()));
            match error.advice() {
                _ if is_shown => finding,
                Some(advice) if advice.contains(UDEV_RULE) => finding.advise(advice).remedy(Remedy::Admit),
                advice => finding.advise(advice.unwrap_or_default()),
            }
        }
    };
    devices.into_iter().map(finding).collect()
}

fn driver_knows(machine: &Machine, device: &UsbDevice) -> Finding {
    const CHECK: &str = "CCID driver";
    if !device.has_reader {
        return Finding::new(CHECK, Verdict::Open, format!("not for {device}, whose reader is switched off"))
            .advise("pico-hsm-tool config set --interfaces ccid,vendor switches it on.");
    }
    match machine.driver_list() {
        None => Finding::new(CHECK, Verdict::Bad, "the driver for USB smart-card readers is not installed")
            .advise("Install it: apt-get install libccid")
            .remedy(Remedy::Install),
        Some(list) if list.contains(device.vendor, device.product) => {
            Finding::new(CHECK, Verdict::Good, format!("knows {device}"))
        }
        Some(list) => Finding::new(CHECK, Verdict::Bad, format!("does not know {device}"))
            .advise(format!(
                "Its list is {}: add the identifiers to ifdVendorID, ifdProductID and ifdFriendlyName, and start pcscd anew.",
                list.path.display()
            ))
            .remedy(Remedy::AddToDriver(device.clone())),
    }
}

/// What the service says. `expected`: it ought to show a device.
fn service_answers(machine: &Machine, expected: bool) -> Vec<Finding> {
    const CHECK: &str = "connection";
    let missing = if expected { Verdict::Bad } else { Verdict::Open };
    if machine.program("pcscd").is_none() {
        return vec![Finding::new(CHECK, Verdict::Open, "not tried without the service")];
    }
    match machine.readers() {
        Ok(readers) if readers.is_empty() => {
            vec![
                Finding::new(CHECK, Verdict::Good, "the service answers"),
                Finding::new("readers", missing, "the service knows no reader")
                    .advise("Plug the device in, or start a virtual one: ferrite-sim"),
            ]
        }
        Ok(readers) => {
            let mut findings = vec![Finding::new(CHECK, Verdict::Good, "the service answers")];
            findings.extend(readers.iter().map(|(name, has_hsm)| {
                let (verdict, detail) =
                    if *has_hsm { (Verdict::Good, "an HSM is in it") } else { (Verdict::Open, "no HSM is in it") };
                Finding::new(READER, verdict, format!("{name}: {detail}"))
            }));
            if !readers.iter().any(|(_, has_hsm)| *has_hsm) {
                findings.push(
                    Finding::new("HSM", missing, "no reader has an HSM in it")
                        .advise("Plug the device in, or start a virtual one: ferrite-sim"),
                );
            }
            findings
        }
        Err(machine::NoService::Stopped) => {
            vec![
                Finding::new(CHECK, Verdict::Bad, "the service is installed and does not run")
                    .advise("Start it: systemctl enable --now pcscd.socket")
                    .remedy(Remedy::Start),
            ]
        }
        Err(machine::NoService::Forbidden) => {
            vec![
                Finding::new(CHECK, Verdict::Bad, "the service runs and does not let you in")
                    .advise("Its rules (polkit) let only users at the screen talk to it. Over SSH, add a rule for your user.")
                    .remedy(Remedy::Permit),
            ]
        }
        Err(machine::NoService::Other(why)) => {
            vec![Finding::new(CHECK, Verdict::Bad, why).advise("Look at its log: journalctl -u pcscd")]
        }
    }
}

#[cfg(test)]
mod tests;
