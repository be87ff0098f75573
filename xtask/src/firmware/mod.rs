//! Building for microcontrollers, whichever way works on this machine: the device's crates, and images for boards.

mod boards;
mod elf;
mod uf2;

use crate::install::{self, Consent, RUSTC_WEB};
use crate::run::{capture, cargo, headline, root, run};
use anyhow::{Context, Result, ensure};
use boards::{BOARDS, Board, Chip, UsbIds};
use elf::Program;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// The targets: RP2040, and RP2350 in its Arm state.
pub(crate) const TARGETS: [&str; 2] = ["thumbv6m-none-eabi", "thumbv8m.main-none-eabihf"];
/// The crates that run on a chip. The card brings the others with it.
const CRATES: [&str; 6] =
    ["ferrite-proto", "ferrite-crypto", "ferrite-store", "ferrite-card", "ferrite-usb", "ferrite-board"];
/// What the program may take of the flash, in bytes.
const FLASH_BUDGET: usize = 1 << 20;
/// Where images go, from the root of the workspace.
const IMAGES: &str = "target/firmware/images";

/// How code for a target can be built here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// rustup has the target.
    Rustup,
    /// Debian's compiler, which carries the sources of its library.
    Debian,
}

impl Toolchain {
    /// Finds out which way works, installing what is missing.
    pub(crate) fn find(consent: Consent) -> Result<Self> {
        if has_targets() || (add_targets() && has_targets()) {
            return Ok(Toolchain::Rustup);
        }
        install::ensure(&RUSTC_WEB, consent)
            .context("rustup has no targets to offer, and Debian's compiler could not be installed")?;
        Ok(Toolchain::Debian)
    }

    /// Cargo, building for a target in this way, in a target folder of its own.
    pub(crate) fn cargo_build(self, target: &str) -> Command {
        let mut command = cargo();
        command.args(["build", "--quiet", "--release", "--target", target, "--target-dir", "target/firmware"]);
        if self == Toolchain::Debian {
            command.env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=core,alloc");
        }
        if let Some(linker) = linker() {
            let variable = target.to_uppercase().replace(['-', '.'], "_");
            command.env(format!("CARGO_TARGET_{variable}_LINKER"), linker);
        }
        command
    }
}

/// The linker: the one that comes with rustup's compiler, or LLVM's own, which Debian has as `lld`.
fn linker() -> Option<PathBuf> {
    let sysroot = capture(Command::new("rustc").args(["--print", "sysroot"])).ok()?;
    let host = capture(Command::new("rustc").args(["--print", "host-tuple"])).ok()?;
    let bundled = PathBuf::from(sysroot.trim()).join("lib/rustlib").join(host.trim()).join("bin/rust-lld");
    [bundled, PathBuf::from("/usr/bin/ld.lld")].into_iter().find(|linker| linker.exists())
}

/// Builds the crates of the device for every target.
pub(crate) fn build(consent: Consent) -> Result<()> {
    let toolchain = Toolchain::find(consent)?;
    for target in TARGETS {
        println!("building for {target}");
        let mut command = toolchain.cargo_build(target);
        for name in CRATES {
            command.args(["-p", name]);
        }
        command.args(["--features", "ferrite-usb/embassy"]);
        run(&mut command)?;
    }
    Ok(())
}

/// What `cargo xtask firmware` was asked for.
pub(crate) struct Wanted {
    /// A board's name.
    pub(crate) board: Option<String>,
    /// USB identifiers.
    pub(crate) vidpid: Option<String>,
    /// For publication: every board unless one is named, dependencies exactly as recorded, checksums.
    pub(crate) release: bool,
}

/// Builds images, or, if nothing is asked for, the crates of the device.
pub(crate) fn images(consent: Consent, wanted: &Wanted) -> Result<()> {
    if wanted.board.is_none() && wanted.vidpid.is_none() && !wanted.release {
        return build(consent);
    }
    let ids = wanted.vidpid.as_deref().map_or(Ok(UsbIds::DEFAULT), UsbIds::parse)?;
    let boards: Vec<&Board> = match (&wanted.board, wanted.release) {
        (Some(name), _) => vec![Board::by_name(name)?],
        (None, true) => BOARDS.iter().collect(),
        (None, false) => vec![Board::by_name("pico")?],
    };
    let files = boards
        .into_iter()
        .map(|board| image(consent, board, ids, wanted.release).map(|image| image.uf2))
        .collect::<Result<Vec<_>>>()?;
    if wanted.release {
        let sums = capture(Command::new("sha256sum").args(&files).current_dir(root().join(IMAGES)))?;
        fs::write(root().join(IMAGES).join("SHA256SUMS"), &sums)?;
        print!("{sums}");
    }
    Ok(())
}

/// Builds an image that runs in the emulator, as anybody would flash it to this board. Returns its ELF file.
pub(crate) fn for_emulator(consent: Consent, board: &str) -> Result<PathBuf> {
    image(consent, Board::by_name(board)?, UsbIds::DEFAULT, false).map(|image| image.elf)
}

/// Files that were built.
struct Image {
    elf: PathBuf,
    /// Its name, in the folder of images.
    uf2: String,
}

/// Builds the image for a board.
fn image(consent: Consent, board: &Board, ids: UsbIds, locked: bool) -> Result<Image> {
    headline(&format!("firmware for {}, {} MiB of flash, USB {}", board.title, board.flash, ids.argument()));
    let mut command = Toolchain::find(consent)?.cargo_build(board.chip.target());
    command.args(["--manifest-path", "firmware/rp/Cargo.toml", "--features", board.chip.feature()]);
    if board.dual {
        command.args(["--features", "boot2-dual"]);
    }
    if locked {
        command.arg("--locked");
    }
    run(command.env("FERRITE_LED", board.led).env("FERRITE_VIDPID", ids.argument()))?;

    let built = root().join("target/firmware").join(board.chip.target()).join("release/ferrite-rp");
    let elf = fs::read(&built).with_context(|| format!("{} cannot be read", built.display()))?;
    let program = Program::parse(&elf)?;
    report(board.chip, &program)?;
    let folder = root().join(IMAGES);
    fs::create_dir_all(&folder)?;
    let name = match ids == UsbIds::DEFAULT {
        true => format!("ferrite-{}", board.name),
        false => format!("ferrite-{}-{}", board.name, ids.argument().replace(':', "-").to_lowercase()),
    };
    let image = Image { elf: folder.join(format!("{name}.elf")), uf2: format!("{name}.uf2") };
    fs::write(&image.elf, &elf)?;
    fs::write(folder.join(&image.uf2), uf2::file(&program.flash, board.chip.family()))?;
    println!("  {IMAGES}/{name}.uf2 and .elf");
    Ok(image)
}

/// Prints sizes, and holds them to the budget.
fn report(chip: Chip, program: &Program) -> Result<()> {
    let line = |name, bytes: usize, limit: usize| {
        println!("  {name:<24} {bytes:>8} bytes {:>7.1} KiB of {}", bytes as f64 / 1024.0, limit / 1024);
    };
    line("flash", program.flash.len(), FLASH_BUDGET);
    line("memory, with stacks", program.memory, chip.memory());
    ensure!(program.flash.len() <= FLASH_BUDGET, "the program takes more flash than it may");
    ensure!(program.memory <= chip.memory(), "the program takes more memory than there is");
    Ok(())
}

fn has_targets() -> bool {
    let installed = Command::new("rustup").args(["target", "list", "--installed"]).output();
    installed.is_ok_and(|output| {
        let installed = String::from_utf8_lossy(&output.stdout).into_owned();
        TARGETS.iter().all(|target| installed.lines().any(|line| line == *target))
    })
}

fn add_targets() -> bool {
    let output = Command::new("rustup").args(["target", "add"]).args(TARGETS).output();
    output.is_ok_and(|output| output.status.success())
}
