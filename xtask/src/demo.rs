//! `cargo xtask demo`: what Ferrite does, shown with the clients people already have.

use crate::install::{self, CLIENTS, Consent};
use crate::run::{capture, cargo, green, grey, headline, root};
use anyhow::{Context, Result, bail};
use std::fs;
use std::io::{IsTerminal, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const USER_PIN: &str = "648219";
/// The SO-PIN in the hexadecimal form that OpenSC's tools take.
const SO_PIN: &str = "3537363231383830";
/// How long the card may take to appear in its reader.
const PATIENCE: Duration = Duration::from_secs(20);

/// A key of the demonstration: its name, PKCS#11 type, identifier, mechanism, and what OpenSSL calls the digest.
struct Key {
    name: &'static str,
    kind: &'static str,
    id: &'static str,
    mechanism: &'static str,
    format: &'static [&'static str],
}

impl Key {
    /// Where the public key is kept.
    fn public_file(&self, folder: &Folder) -> PathBuf {
        folder.file(&format!("public-{}.pem", self.id))
    }
}

const KEYS: [Key; 2] = [
    Key {
        name: "EC P-256",
        kind: "EC:prime256v1",
        id: "01",
        mechanism: "ECDSA-SHA256",
        format: &["--signature-format", "openssl"],
    },
    Key { name: "RSA-2048", kind: "rsa:2048", id: "02", mechanism: "SHA256-RSA-PKCS", format: &[] },
];

/// Runs the demonstration.
pub(crate) fn run(consent: Consent, keep: bool) -> Result<()> {
    headline("Ferrite: an HSM, on this computer, for the clients you already have");
    install::ensure(&CLIENTS, consent)?;
    step("building the virtual HSM", || {
        run_quietly(cargo().args(["build", "--release", "--quiet", "-p", "ferrite-sim"]))
    })?;

    let folder = Folder::new()?;
    let pcscd = Pcscd::start()?;
    step("making sure that no other card is there", no_other_card)?;
    let mut hsm = step("switching it on, with a fresh memory", || Hsm::start(&folder.state()))?;
    step("waiting until it sits in its reader", || wait_for_card(&folder.state()))?;

    headline("Setting it up");
    step("initialising it with a user PIN and an SO-PIN", || {
        let arguments = ["--initialize", "--so-pin", SO_PIN, "--pin", USER_PIN, "--label", "Ferrite demo"];
        client("sc-hsm-tool", &arguments).map(drop)
    })?;
    for key in &KEYS {
        step(&format!("making a key inside: {}", key.name), || {
            let arguments = ["--keypairgen", "--key-type", key.kind, "--id", key.id, "--label", key.name];
            pkcs11(&arguments).map(drop)
        })?;
    }

    headline("Signing a document, and checking the signatures with OpenSSL");
    fs::write(folder.file("document.txt"), "I, the undersigned, trust this device.\n")?;
    for key in &KEYS {
        step(&format!("reading the public key: {}", key.name), || {
            let public = key.public_file(&folder);
            client("pkcs15-tool", &["--read-public-key", key.id, "-o", text(&public)?]).map(drop)
        })?;
        sign_and_verify(key, &folder)?;
    }

    headline("Pulling the plug");
    step("killing the HSM", || {
        hsm.kill()?;
        wait_for_empty_reader()
    })?;
    let hsm = step("switching it on again", || Hsm::start(&folder.state()))?;
    step("waiting until it sits in its reader", || wait_for_card(&folder.state()))?;
    for key in &KEYS {
        sign_and_verify(key, &folder)?;
    }

    headline("Done");
    println!("Both keys were made inside the HSM, never left it, and are still there after the power failed.");
    if keep {
        say_what_next(&folder);
        hsm.leave_running();
        folder.keep();
        pcscd.leave_running();
    } else {
        println!("{}", grey("Everything was thrown away again; `cargo xtask demo --keep` leaves the HSM running."));
    }
    Ok(())
}

fn sign_and_verify(key: &Key, folder: &Folder) -> Result<()> {
    let [document, signature] = ["document.txt", "signature"].map(|name| folder.file(name));
    // The public key is the one read before the plug was pulled.
    let public = key.public_file(folder);
    step(&format!("signing with {} ({})", key.name, key.mechanism), || {
        let (document, signature) = (text(&document)?, text(&signature)?);
        let arguments = ["--sign", "--id", key.id, "--mechanism", key.mechanism, "-i", document, "-o", signature];
        pkcs11(&[&arguments[..], key.format].concat()).map(drop)
    })?;
    step("verifying with OpenSSL", || {
        let (public, signature, document) = (text(&public)?, text(&signature)?, text(&document)?);
        let verify = ["dgst", "-sha256", "-verify", public, "-signature", signature, document];
        client("openssl", &verify).map(drop)
    })
}

fn say_what_next(folder: &Folder) {
    println!("\nThe HSM keeps running. User PIN {USER_PIN}, SO-PIN {SO_PIN} (as OpenSC writes it). Try:\n");
    for line in [
        "pkcs15-tool -D                      # what is on it",
        "sc-hsm-tool                         # its state",
        "pkcs11-tool --login --test          # let OpenSC try everything",
        "opensc-tool -an                     # what kind of card it is",
        "pkill ferrite-sim                   # switch it off",
    ] {
        println!("  {line}");
    }
    println!("\nIts memory is in {}.", folder.state().display());
}

/// Does something, telling what and how long it took.
fn step<T>(what: &str, action: impl FnOnce() -> Result<T>) -> Result<T> {
    let is_terminal = std::io::stdout().is_terminal();
    if is_terminal {
        print!("  … {what}");
        std::io::stdout().flush()?;
    }
    let start = Instant::now();
    let result = action();
    let seconds = start.elapsed().as_secs_f32();
    match result {
        Ok(value) => {
            let line_start = if is_terminal { "\r" } else { "" };
            println!("{line_start}  {} {what} {}", green("✔"), grey(&format!("({seconds:.1} s)")));
            Ok(value)
        }
        Err(error) => {
            println!();
            Err(error.context(format!("while {what}")))
        }
    }
}

fn run_quietly(command: &mut Command) -> Result<()> {
    capture(command).map(drop)
}

/// Runs a client program. Some of them report failure on their error output only, and end with success.
fn client(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output().with_context(|| format!("{program} does not start"))?;
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() || errors.contains("failed with") {
        bail!("{program} {} says:\n{stdout}{errors}", arguments.join(" "));
    }
    Ok(stdout)
}

fn pkcs11(arguments: &[&str]) -> Result<String> {
    client("pkcs11-tool", &[&["--login", "--pin", USER_PIN], arguments].concat())
}

/// The demonstration initialises the card it finds, which erases it: it must find no card but its own. Looks for longer
/// than another virtual HSM needs to come back to its reader.
fn no_other_card() -> Result<()> {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(2) {
        let readers = capture(Command::new("opensc-tool").arg("-l"))?;
        if let Some(reader) = readers.lines().find(|line| line.split_whitespace().nth(1) == Some("Yes")) {
            bail!(
                "there is a card in a reader, and the demonstration would erase it:\n{reader}\n\
                 Remove it, or stop the virtual HSM that is running (`pgrep ferrite-sim`), and try again."
            );
        }
        sleep(Duration::from_millis(200));
    }
    Ok(())
}

/// Waits until the card in the reader is the HSM with this state: its serial number must be the one of that state's
/// identity.
fn wait_for_card(state: &Path) -> Result<()> {
    const SELECT_RESCUE: &str = "00A4040408A0583FC19B7E4F2100";
    let identity = fs::read(state.join("device.key")).context("the virtual HSM has no identity")?;
    let start = Instant::now();
    loop {
        let found = capture(Command::new("opensc-tool").args(["-s", SELECT_RESCUE])).map(|answer| serial(&answer));
        match found {
            Ok(Some(serial)) if identity.windows(serial.len()).any(|part| part == serial) => return Ok(()),
            Ok(Some(_)) => bail!("another virtual HSM sits in the reader; stop it (`pgrep ferrite-sim`) and try again"),
            _ if start.elapsed() < PATIENCE => sleep(Duration::from_millis(200)),
            Ok(None) => bail!("another card sits in the reader; remove it and try again"),
            Err(error) => {
                return Err(error.context(
                    "the card does not appear in its reader; is another virtual HSM running (`pgrep ferrite-sim`), or \
                     does pcscd not read /etc/reader.conf.d (restart it with `systemctl restart pcscd`)?",
                ));
            }
        }
    }
}

/// The serial number in the rescue application's answer, as opensc-tool prints it: a line that ends in `90, SW2=0x00):`,
/// then lines of hexadecimal bytes, of which the serial number is the last eight of twelve.
fn serial(answer: &str) -> Option<[u8; 8]> {
    let (_, bytes) = answer.split_once("SW1=0x90, SW2=0x00)")?;
    let bytes =
        bytes.split_whitespace().filter_map(|word| (word.len() == 2).then(|| u8::from_str_radix(word, 16).ok())?);
    let bytes: Vec<u8> = bytes.take(12).collect();
    bytes.get(4..)?.try_into().ok()
}

/// The smart-card service looks into its readers a few times a second: until it has noticed, a card put back would be
/// taken for the old one.
fn wait_for_empty_reader() -> Result<()> {
    let start = Instant::now();
    while capture(Command::new("opensc-tool").arg("-n")).is_ok() {
        if start.elapsed() > PATIENCE {
            bail!("the reader still holds a card; is another virtual HSM running (`pgrep ferrite-sim`)?");
        }
        sleep(Duration::from_millis(100));
    }
    Ok(())
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("the folder for temporary files has a name that is not Unicode")
}

/// A folder that is removed at the end.
struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("ferrite-demo-{}", std::process::id()));
        // Not one that somebody else made, and nobody else's business.
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("{} cannot be made", path.display()))?;
        Ok(Self { path, keep: false })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn state(&self) -> PathBuf {
        self.file("state")
    }

    fn keep(mut self) {
        self.keep = true;
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.keep {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// The smart-card service, if it was started here.
struct Pcscd(Option<Child>);

impl Pcscd {
    fn start() -> Result<Self> {
        if Command::new("pgrep").args(["-x", "pcscd"]).output().is_ok_and(|output| output.status.success()) {
            return Ok(Self(None));
        }
        let started = step("starting the smart-card service", || {
            if Path::new("/run/systemd/system").exists() {
                let mut command = Command::new(if install::is_root() { "systemctl" } else { "sudo" });
                if !install::is_root() {
                    command.arg("systemctl");
                }
                run_quietly(command.args(["restart", "pcscd"]))?;
                return Ok(None);
            }
            let mut command = Command::new(if install::is_root() { "pcscd" } else { "sudo" });
            if !install::is_root() {
                command.arg("pcscd");
            }
            let child = command.arg("--foreground").stdout(Stdio::null()).stderr(Stdio::null()).spawn();
            let child = child.context("pcscd does not start")?;
            sleep(Duration::from_millis(500));
            Ok(Some(child))
        })?;
        Ok(Self(started))
    }

    fn leave_running(mut self) {
        self.0 = None;
    }
}

impl Drop for Pcscd {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            if install::is_root() {
                let _ = child.kill();
            } else {
                // It belongs to root; sudo passes the signal on.
                let _ = Command::new("sudo").args(["kill", &child.id().to_string()]).status();
            }
            let _ = child.wait();
        }
    }
}

/// The virtual HSM as a process.
struct Hsm(Option<Child>);

impl Hsm {
    /// Starts it with its output in a file, so that it can outlive this program, and waits until it is ready.
    fn start(state: &Path) -> Result<Self> {
        let log = state.with_extension("log");
        let output = fs::File::create(&log).with_context(|| format!("{} cannot be written", log.display()))?;
        let mut command = Command::new(root().join("target/release/ferrite-sim"));
        command.arg("--state").arg(state).stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let mut child = command.spawn().context("the virtual HSM does not start")?;
        let start = Instant::now();
        loop {
            let said = fs::read_to_string(&log)?;
            if said.lines().any(|line| line == "ready") {
                return Ok(Self(Some(child)));
            }
            if child.try_wait()?.is_some() {
                bail!("the virtual HSM stopped:\n{said}");
            }
            if start.elapsed() > PATIENCE {
                child.kill()?;
                child.wait()?;
                bail!("the virtual HSM does not get ready:\n{said}");
            }
            sleep(Duration::from_millis(20));
        }
    }

    fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.0.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    fn leave_running(mut self) {
        self.0 = None;
    }
}

impl Drop for Hsm {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_serial_number_is_found_in_what_opensc_tool_prints() {
        let answer = "Sending: 00 A4 04 04 08 A0 58 3F C1 9B 7E 4F 21 00 \nReceived (SW1=0x90, SW2=0x00):\n\
                      03 01 06 06 01 02 03 04 05 06 07 AB ............\n";
        assert_eq!(serial(answer), Some([1, 2, 3, 4, 5, 6, 7, 0xAB]));
        assert_eq!(serial("Received (SW1=0x6A, SW2=0x82)"), None);
    }
}
