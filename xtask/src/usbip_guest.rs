//! The virtual HSM plugged into a Debian guest over USB/IP: its kernel, usbip, pcscd, libccid, OpenSC and `pico-hsm-tool` use
//! it.

use crate::install::{self, Consent, USB_GUEST};
use crate::run::{cargo, green, root, run};
use anyhow::{Context, Result, bail, ensure};
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What the guest has beside the essential packages.
const PACKAGES: &str = "linux-image-amd64,systemd-sysv,dbus,sudo,usbip,pcscd,libccid,opensc,opensc-pkcs11,openssl,\
                        kmod,udev,iproute2";
const SUITE: &str = "bookworm";
/// Seconds for all of it, on a slow machine that emulates the processor.
const LIMIT: &str = "1800";
/// The service as which systemd runs the script: all it says goes to the console.
const UNIT: &str = "[Unit]\nAfter=dbus.service systemd-udevd.service\n\
                    [Service]\nType=oneshot\nExecStart=/guest.sh\nTimeoutStartSec=infinity\n\
                    StandardOutput=tty\nStandardError=tty\nTTYPath=/dev/ttyS0\n";
/// What the script says to have the device without power for a moment, as boards need to take on a new configuration.
const POWER_CYCLE: &str = "power-cycle";

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
    install::ensure(&install::LIBPCSC, consent)?;
    run(cargo().args(["build", "--quiet", "--release", "-p", "ferrite-sim", "-p", "ferrite-tool"]))?;
    let dir = root().join("target/usbip-guest");
    fs::create_dir_all(&dir)?;
    let system = install_system(&dir)?;
    let image = make_image(&dir, &system)?;
    boot(&dir, &system, &image)?;
    println!("{}", green("the guest is content"));
    Ok(())
}

/// The guest's files; installed once for each list of packages.
fn install_system(dir: &Path) -> Result<PathBuf> {
    let (system, partial, list) = (dir.join("root"), dir.join("root.partial"), dir.join("packages"));
    // Without the note of an earlier installation there is none that counts.
    if fs::read_to_string(&list).unwrap_or_default() != PACKAGES {
        println!("installing the guest's system");
        for old in [&system, &partial] {
            if old.exists() {
                fs::remove_dir_all(old)?;
            }
        }
        let include = format!("--include={PACKAGES}");
        run(Command::new("mmdebstrap").args(["--quiet", "--variant=minbase", &include, SUITE]).arg(&partial))?;
        fs::rename(&partial, &system)?;
        fs::write(&list, PACKAGES)?;
    }
    Ok(system)
}

/// A disk with these files, the tool, and the script that the guest runs.
fn make_image(dir: &Path, system: &Path) -> Result<PathBuf> {
    let image = dir.join("disk.img");
    for (from, to) in [("tests/guest/guest.sh", "guest.sh"), ("target/release/pico-hsm-tool", "usr/bin/pico-hsm-tool")]
    {
        fs::copy(root().join(from), system.join(to))?;
        fs::set_permissions(system.join(to), fs::Permissions::from_mode(0o755))?;
    }
    fs::write(system.join("etc/systemd/system/guest.service"), UNIT)?;
    fs::File::create(&image)?.set_len(1600 << 20)?;
    run(Command::new("mke2fs").args(["-q", "-t", "ext4", "-d"]).arg(system).arg(&image))?;
    Ok(image)
}

/// The virtual HSM with this memory, and the port at which it serves USB/IP: 0 is any.
fn start_sim(state: &Path, port: u16) -> Result<(Running, u16)> {
    let mut command = Command::new(root().join("target/release/ferrite-sim"));
    command.args(["--no-vpcd", "--usbip", &format!("127.0.0.1:{port}"), "--state"]).arg(state);
    let mut sim = Running(command.stdout(Stdio::piped()).spawn().context("the simulator does not start")?);
    let output = sim.0.stdout.as_mut().context("no standard output")?;
    for line in BufReader::new(output).lines() {
        if let Some(address) = line?.strip_prefix("usbip ") {
            let (_, port) = address.rsplit_once(':').context("an address without a port")?;
            return Ok((sim, port.parse().context("a port that is no number")?));
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
fn boot(dir: &Path, system: &Path, image: &Path) -> Result<()> {
    let state = &dir.join("state");
    if state.exists() {
        fs::remove_dir_all(state)?;
    }
    let (sim, port) = start_sim(state, 0)?;
    let mut sim = Some(sim);
    let mut drive = OsStr::new("if=virtio,format=raw,snapshot=on,file=").to_owned();
    drive.push(image);
    let kernel = format!(
        "root=/dev/vda rw console=ttyS0 quiet systemd.show_status=false systemd.mask=serial-getty@ttyS0.service \
         systemd.wants=guest.service usbip_port={port}"
    );
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
    let mut console = fs::File::create(dir.join("console.log"))?;
    let mut is_content = false;
    for line in BufReader::new(qemu.0.stdout.as_mut().context("no standard output")?).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).trim_end().to_owned();
        match line.strip_prefix("guest: ") {
            Some(POWER_CYCLE) => {
                // The one before must be gone, and its lock with it, when the next one starts.
                drop(sim.take());
                sim = Some(start_sim(state, port)?.0);
            }
            Some(report) => {
                println!("{report}");
                is_content = report == "ok";
            }
            None => {}
        }
        writeln!(console, "{line}")?;
    }
    ensure!(is_content, "the guest is not content; its console:\n{}", fs::read_to_string(dir.join("console.log"))?);
    Ok(())
}
