//! Installing what is missing, with the user's consent.

use crate::python;
use crate::run::{exists, run};
use anyhow::{Result, bail};
use std::env;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::Path;
use std::process::Command;

/// Whether packages may be installed without asking.
#[derive(Clone, Copy)]
pub(crate) struct Consent {
    given: bool,
}

impl Consent {
    /// Given by `--yes`, by root, and in CI.
    pub(crate) fn new(yes: bool) -> Self {
        Self { given: yes || is_root() || env::var_os("CI").is_some() }
    }
}

/// A Debian or Ubuntu package and how to tell that it is there.
pub(crate) struct Package {
    name: &'static str,
    is_there: fn() -> bool,
}

/// The smart-card service.
pub(crate) const PCSCD: Package = Package { name: "pcscd", is_there: || exists("pcscd") };
/// The virtual reader.
pub(crate) const VPCD: Package = Package {
    name: "vsmartcard-vpcd",
    is_there: || Path::new("/etc/reader.conf.d/vpcd").exists() || Path::new("/etc/reader.conf.d/vpcd.conf").exists(),
};
/// OpenSC and its PKCS#11 module.
pub(crate) const OPENSC: Package = Package { name: "opensc", is_there: || exists("pkcs11-tool") };
/// OpenSSL.
pub(crate) const OPENSSL: Package = Package { name: "openssl", is_there: || exists("openssl") };
/// A compiler with the sources of its library, for machines where rustup has no targets.
pub(crate) const RUSTC_WEB: [Package; 3] = [
    Package { name: "rustc-web", is_there: || is_installed("rustc-web") },
    Package { name: "rust-web-src", is_there: || is_installed("rust-web-src") },
    Package { name: "libstd-rust-web-dev", is_there: || is_installed("libstd-rust-web-dev") },
];

/// What finds libraries for linking.
const PKG_CONFIG: Package = Package { name: "pkg-config", is_there: || exists("pkg-config") };
/// OpenSSL's library for linking, and what finds it.
pub(crate) const LIBSSL: [Package; 2] =
    [PKG_CONFIG, Package { name: "libssl-dev", is_there: || has_library("openssl") }];
/// The smart-card service's library for linking, without which the client library does not build.
pub(crate) const LIBPCSC: [Package; 2] =
    [PKG_CONFIG, Package { name: "libpcsclite-dev", is_there: || has_library("libpcsclite") }];
/// An emulator of microcontrollers.
pub(crate) const QEMU_ARM: Package = Package { name: "qemu-system-arm", is_there: || exists("qemu-system-arm") };

/// Python's virtual environments, which Debian packs apart.
pub(crate) const PYTHON_VENV: Package = Package { name: "python3-venv", is_there: || python::knows("ensurepip") };
/// PC/SC for Python.
pub(crate) const PYSCARD: Package = Package { name: "python3-pyscard", is_there: || python::knows("smartcard") };
/// What runs the emulator of an RP2040, and what installs it.
pub(crate) const NODE: [Package; 2] =
    [Package { name: "nodejs", is_there: || exists("node") }, Package { name: "npm", is_there: || exists("npm") }];
/// A processor in software that watches what a program does with its memory.
pub(crate) const VALGRIND: Package = Package { name: "valgrind", is_there: || exists("valgrind") };

/// An emulator of PCs, and what installs Debian into a folder and makes a disk of it.
pub(crate) const USB_GUEST: [Package; 3] = [
    Package { name: "qemu-system-x86", is_there: || exists("qemu-system-x86_64") },
    Package { name: "mmdebstrap", is_there: || exists("mmdebstrap") },
    Package { name: "e2fsprogs", is_there: || exists("mke2fs") },
];

/// What a virtual HSM and its clients need.
pub(crate) const CLIENTS: [Package; 4] = [PCSCD, VPCD, OPENSC, OPENSSL];

/// What dpkg says: Debian's ordinary compiler lies in the same place as the one wanted.
fn is_installed(package: &str) -> bool {
    let status = Command::new("dpkg-query").args(["-W", "-f", "${Status}", package]).output();
    status.is_ok_and(|output| output.stdout == b"install ok installed")
}

/// Whether programs can be linked with a library.
fn has_library(name: &str) -> bool {
    Command::new("pkg-config").args(["--exists", name]).status().is_ok_and(|status| status.success())
}

/// Installs those of the packages that are missing.
pub(crate) fn ensure(packages: &[Package], consent: Consent) -> Result<()> {
    let missing: Vec<&str> = packages.iter().filter(|p| !(p.is_there)()).map(|p| p.name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if !exists("apt-get") {
        bail!("these packages are missing, and there is no apt-get to install them: {list}");
    }
    println!("To be installed: {list}");
    if !consent.given && !ask("Install them now?")? {
        bail!("these packages are missing: {list}\ninstall them with `sudo apt-get install {list}`");
    }
    let apt = |arguments: &[&str]| {
        let mut command = Command::new(if is_root() { "apt-get" } else { "sudo" });
        if !is_root() {
            command.arg("apt-get");
        }
        command.args(["-q", "-y"]).args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        run(&mut command)
    };
    apt(&["update"])?;
    apt(&[&["install", "--no-install-recommends"], &missing[..]].concat())?;
    let still: Vec<&str> = packages.iter().filter(|p| !(p.is_there)()).map(|p| p.name).collect();
    if !still.is_empty() {
        bail!("installed, but not found where they were expected: {}", still.join(" "));
    }
    Ok(())
}

fn ask(question: &str) -> Result<bool> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    print!("{question} [y/N] ");
    io::stdout().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Whether this is root.
pub(crate) fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}
