//! The virtual HSM plugged into a Debian guest over USB/IP: its kernel, usbip, pcscd, libccid and OpenSC use it.

use crate::install::{self, Consent, USB_GUEST};
use crate::run::{cargo, green, root, run};
use anyhow::{Context, Result, bail, ensure};
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What the guest has beside the essential packages.
const PACKAGES: &str = "linux-image-amd64,usbip,pcscd,libccid,opensc,opensc-pkcs11,openssl,kmod,udev,iproute2";
const SUITE: &str = "bookworm";
const MIRROR: &str = "deb http://deb.debian.org/debian bookworm main";
/// Seconds for all of it, on a slow machine that emulates the processor.
const LIMIT: &str = "900";

/// A process that ends with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // One that is gone already needs no killing.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Boots the guest and reports what it did.
pub(crate) fn check(consent: Consent) -> Result<()> {
    ensure!(install::is_root(), "making the guest's file system needs root");
    install::ensure(&USB_GUEST, consent)?;
    run(cargo().args(["build", "--quiet", "--release", "-p", "ferrite-sim"]))?;
    let dir = root().join("target/usbip-guest");
    fs::create_dir_all(&dir)?;
    let system = install_system(&dir)?;
    let image = make_image(&dir, &system)?;
    let (_sim, port) = start_sim(&dir)?;
    boot(&system, &image, &port)?;
    println!("{}", green("the guest is content"));
    Ok(())
}

/// The guest's files; installed once.
fn install_system(dir: &Path) -> Result<PathBuf> {
    let (system, partial) = (dir.join("root"), dir.join("root.partial"));
    if !system.exists() {
        println!("installing the guest's system");
        if partial.exists() {
            fs::remove_dir_all(&partial)?;
        }
        let include = format!("--include={PACKAGES}");
        run(Command::new("mmdebstrap")
            .args(["--quiet", "--variant=minbase", &include, SUITE])
            .arg(&partial)
            .arg(MIRROR))?;
        fs::rename(&partial, &system)?;
    }
    Ok(system)
}

/// A disk with these files and the script that the guest runs.
fn make_image(dir: &Path, system: &Path) -> Result<PathBuf> {
    let image = dir.join("disk.img");
    let script = system.join("guest.sh");
    fs::copy(root().join("tests/guest/guest.sh"), &script)?;
    run(Command::new("chmod").arg("755").arg(&script))?;
    fs::File::create(&image)?.set_len(1200 << 20)?;
    run(Command::new("mke2fs").args(["-q", "-t", "ext4", "-d"]).arg(system).arg(&image))?;
    Ok(image)
}

/// The virtual HSM, blank, and the port at which it serves USB/IP.
fn start_sim(dir: &Path) -> Result<(Running, String)> {
    let state = dir.join("state");
    if state.exists() {
        fs::remove_dir_all(&state)?;
    }
    let mut command = Command::new(root().join("target/release/ferrite-sim"));
    command.args(["--no-vpcd", "--usbip", "127.0.0.1:0", "--state"]).arg(&state);
    let mut sim = Running(command.stdout(Stdio::piped()).spawn().context("the simulator does not start")?);
    let output = sim.0.stdout.as_mut().context("no standard output")?;
    for line in BufReader::new(output).lines() {
        if let Some(address) = line?.strip_prefix("usbip ") {
            let (_, port) = address.rsplit_once(':').context("an address without a port")?;
            return Ok((sim, port.to_owned()));
        }
    }
    bail!("the simulator does not say where it serves USB/IP");
}

/// The file in the guest's `/boot` whose name begins so.
fn boot_file(system: &Path, start: &str) -> Result<PathBuf> {
    for entry in fs::read_dir(system.join("boot"))? {
        let path = entry?.path();
        if path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with(start)) {
            return Ok(path);
        }
    }
    bail!("the guest has no {start}");
}

/// Runs the guest to its end. The whole of its console is shown if it is not content.
fn boot(system: &Path, image: &Path, port: &str) -> Result<()> {
    let mut drive = OsStr::new("if=virtio,format=raw,snapshot=on,file=").to_owned();
    drive.push(image);
    let kernel = format!("root=/dev/vda rw init=/guest.sh console=ttyS0 quiet usbip_port={port}");
    let mut qemu = Command::new("timeout");
    qemu.args([
        LIMIT,
        "qemu-system-x86_64",
        // In software everywhere: hardware acceleration inside a virtual machine is not to be relied on.
        "-accel",
        "tcg",
        "-m",
        "1024",
        "-nographic",
        "-no-reboot",
    ])
    .arg("-kernel")
    .arg(boot_file(system, "vmlinuz-")?)
    .arg("-initrd")
    .arg(boot_file(system, "initrd.img-")?)
    .arg("-drive")
    .arg(drive)
    .args(["-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net", "-append", &kernel])
    .stdin(Stdio::null())
    .stdout(Stdio::piped());
    let mut qemu = Running(qemu.spawn().context("qemu does not start")?);
    let mut console = Vec::new();
    let mut is_content = false;
    for line in BufReader::new(qemu.0.stdout.as_mut().context("no standard output")?).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).trim_end().to_owned();
        if let Some(report) = line.strip_prefix("guest: ") {
            println!("{report}");
            is_content = report == "ok";
        }
        console.push(line);
    }
    ensure!(is_content, "the guest is not content; its console:\n{}", console.join("\n"));
    Ok(())
}
