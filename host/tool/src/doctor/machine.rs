//! The machine as the doctor sees it: files, USB devices, the smart-card service; and how it is mended.

use super::Remedy;
use ferrite_client::transport::{UDEV_RULE, UDEV_RULE_PATH, Usb, is_vendor_interface_name, usb_devices};
use ferrite_client::{Error, ErrorKind, Result};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// Where the driver's list of devices is.
const DRIVER_LISTS: [&str; 3] = [
    "usr/lib/pcsc/drivers/ifd-ccid.bundle/Contents/Info.plist",
    "usr/lib64/pcsc/drivers/ifd-ccid.bundle/Contents/Info.plist",
    "etc/libccid_Info.plist",
];
const PROGRAMS: [&str; 5] = ["usr/sbin", "usr/bin", "usr/local/sbin", "usr/local/bin", "sbin"];
const POLKIT_RULE: &str = "etc/polkit-1/rules.d/50-pico-hsm-tool.rules";
/// Who makes HSMs of this kind, as their USB strings say.
const MAKERS: [&str; 2] = ["Ferrite", "Pol Henarejos"];
/// The identifiers they come with (specification part 4 §4.1).
const IDENTIFIERS: [(u16, u16); 3] = [(0x2E8A, 0x10FD), (0xFEFF, 0xFCFD), (0x20A0, 0x42B1)];

/// bInterfaceClass of readers.
const SMART_CARD: u16 = 0x0B;

/// A machine, by the root of its files.
pub(super) struct Machine {
    root: PathBuf,
}

/// An HSM on USB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UsbDevice {
    pub(super) vendor: u16,
    pub(super) product: u16,
    pub(super) name: String,
    /// Whether it has the interface of a reader: its owner can switch that off.
    pub(super) has_reader: bool,
}

impl fmt::Display for UsbDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:04X}:{:04X})", self.name, self.vendor, self.product)
    }
}

/// The list of devices that the driver for USB smart-card readers takes.
pub(super) struct DriverList {
    pub(super) path: PathBuf,
    text: String,
}

/// Why the service does not answer.
pub(super) enum NoService {
    Stopped,
    Forbidden,
    Other(String),
}

impl Machine {
    /// This machine.
    pub(super) fn this() -> Self {
        Self { root: "/".into() }
    }

    /// A machine whose files lie elsewhere.
    #[cfg(test)]
    pub(super) fn at(root: &Path) -> Self {
        Self { root: root.into() }
    }

    /// Where a program is.
    pub(super) fn program(&self, name: &str) -> Option<PathBuf> {
        PROGRAMS.iter().map(|dir| self.root.join(dir).join(name)).find(|path| path.is_file())
    }

    /// The HSMs on USB, as the kernel knows them: by their maker, their identifiers, or their vendor interface.
    pub(super) fn usb_devices(&self) -> Vec<UsbDevice> {
        let mut devices: Vec<_> = entries(&self.root.join("sys/bus/usb/devices"))
            .filter_map(|dir| {
                let (vendor, product) = (number(&dir, "idVendor")?, number(&dir, "idProduct")?);
                let maker = read(&dir, "manufacturer").unwrap_or_default();
                let name = read(&dir, "product").unwrap_or_else(|| "HSM".into());
                let is_ours = MAKERS.contains(&maker.as_str())
                    || IDENTIFIERS.contains(&(vendor, product))
                    || entries(&dir).any(|interface| is_vendor_interface(&interface, &name));
                let mut classes =
                    entries(&dir).filter_map(|interface| number(&interface, "bInterfaceClass")).peekable();
                let has_reader = classes.peek().is_none() || classes.any(|class| class == SMART_CARD);
                is_ours.then_some(UsbDevice { vendor, product, name, has_reader })
            })
            .collect();
        devices.sort_by_key(|device| (device.vendor, device.product));
        devices
    }

    /// The devices whose vendor interface can be seen, in words, and whether this user can talk to each.
    pub(super) fn direct(&self) -> Vec<(String, Result<()>)> {
        usb_devices()
            .into_iter()
            .map(|device| {
                let name = format!("{}, serial number {}, at {}", device.product, device.serial, device.location);
                (name, Usb::connect(&device.location).map(drop))
            })
            .collect()
    }

    /// The driver's list, if the driver is there.
    pub(super) fn driver_list(&self) -> Option<DriverList> {
        DRIVER_LISTS.iter().map(|path| self.root.join(path)).find_map(|path| {
            let text = fs::read_to_string(&path).ok()?;
            Some(DriverList { path, text })
        })
    }

    /// The readers of the service, and whether an HSM is in each.
    pub(super) fn readers(&self) -> std::result::Result<Vec<(String, bool)>, NoService> {
        ferrite_client::transport::readers()
            .map(|readers| readers.into_iter().map(|reader| (reader.name, reader.has_hsm)).collect())
            .map_err(|error| {
                // The reason lies in the error of the service's library.
                let reason = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                let reason = reason.to_lowercase();
                if error.why().contains("does not run") {
                    NoService::Stopped
                } else if reason.contains("security violation") || reason.contains("access denied") {
                    NoService::Forbidden
                } else {
                    NoService::Other(error.why().to_owned())
                }
            })
    }

    /// What mending would do, in words.
    pub(super) fn plan(&self, remedy: &Remedy) -> String {
        let plan = match remedy {
            Remedy::Install => "apt-get install pcscd libccid".into(),
            Remedy::Start => "systemctl enable --now pcscd.socket".into(),
            Remedy::AddToDriver(device) => {
                let path = self.driver_list().map(|list| list.path).unwrap_or_default();
                format!("{device} is added to {}, a copy of which is kept, and pcscd is started anew", path.display())
            }
            Remedy::Permit => format!("a rule that lets every local user talk to pcscd, in /{POLKIT_RULE}"),
            Remedy::Admit => format!("a rule that lets the group plugdev use the device, in {UDEV_RULE_PATH}"),
        };
        if needs_sudo() { format!("{plan} (with sudo)") } else { plan }
    }

    /// Mends it.
    ///
    /// # Errors
    /// [`ErrorKind::Io`]: mostly because only root may.
    pub(super) fn mend(&self, remedy: &Remedy) -> Result<()> {
        match remedy {
            Remedy::Install => run("apt-get", &["install", "-y", "pcscd", "libccid"]),
            Remedy::Start => run("systemctl", &["enable", "--now", "pcscd.socket"]),
            Remedy::AddToDriver(device) => {
                self.add_to_driver(device)?;
                run("systemctl", &["try-restart", "pcscd.service"])
            }
            Remedy::Permit => write(&self.root.join(POLKIT_RULE), POLKIT_TEXT),
            Remedy::Admit => {
                write(Path::new(UDEV_RULE_PATH), &format!("# Written by pico-hsm-tool doctor --fix.\n{UDEV_RULE}\n"))?;
                run("udevadm", &["control", "--reload"])?;
                run("udevadm", &["trigger", "--action=add", "--subsystem-match=usb"])?;
                run("udevadm", &["settle"])
            }
        }
    }

    /// Adds a device to the driver's list.
    ///
    /// # Errors
    /// [`ErrorKind::Io`], [`ErrorKind::BadInput`].
    pub(super) fn add_to_driver(&self, device: &UsbDevice) -> Result<()> {
        const WHAT: &str = "add the device to the driver's list";
        let missing = || Error::new(ErrorKind::Io, WHAT, "the driver is not installed");
        let list = self.driver_list().ok_or_else(missing)?;
        let changed =
            list.with(device).ok_or_else(|| Error::new(ErrorKind::BadInput, WHAT, "the list has another form"))?;
        // The packaged list is what is worth keeping, not one that was changed before.
        let kept = list.path.with_extension("plist.before-pico-hsm-tool");
        if !kept.exists() {
            write(&kept, &list.text)?;
        }
        write(&list.path, &changed)
    }
}

impl DriverList {
    /// Whether the list has a pair of identifiers.
    pub(super) fn contains(&self, vendor: u16, product: u16) -> bool {
        let numbers = |key| {
            self.strings(key)
                .into_iter()
                .flatten()
                .map(|text| u16::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok())
        };
        numbers("ifdVendorID").zip(numbers("ifdProductID")).any(|pair| pair == (Some(vendor), Some(product)))
    }

    /// The list with a device in front. The three arrays of a list belong together by position.
    fn with(&self, device: &UsbDevice) -> Option<String> {
        let name: String = device.name.chars().filter(|c| !matches!(c, '<' | '>' | '&')).collect();
        let values = [
            ("ifdVendorID", format!("0x{:04X}", device.vendor)),
            ("ifdProductID", format!("0x{:04X}", device.product)),
            ("ifdFriendlyName", name),
        ];
        let mut text = self.text.clone();
        for (key, value) in values {
            let behind = array_behind(&text, key)?.len();
            text.insert_str(text.len().checked_sub(behind)?, &format!("\n\t\t<string>{value}</string>"));
        }
        Some(text)
    }

    /// The strings of an array.
    fn strings(&self, key: &str) -> Option<Vec<&str>> {
        let (array, _) = array_behind(&self.text, key)?.split_once("</array>")?;
        Some(array.split("<string>").skip(1).filter_map(|part| Some(part.split_once("</string>")?.0)).collect())
    }
}

/// What follows the start of the array under this key; nothing if something else than an array with elements is there.
fn array_behind<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(&format!("<key>{key}</key>"))?;
    rest.trim_start().strip_prefix("<array>")
}

/// Lets every local user talk to the smart-card service.
const POLKIT_TEXT: &str = r#"// Written by pico-hsm-tool doctor --fix.
polkit.addRule(function(action, subject) {
    if (action.id == "org.debian.pcsc-lite.access_pcsc" || action.id == "org.debian.pcsc-lite.access_card") {
        return polkit.Result.YES;
    }
});
"#;

/// What lies in a directory; nothing if there is none.
fn entries(dir: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// An attribute of sysfs.
fn read(dir: &Path, name: &str) -> Option<String> {
    fs::read_to_string(dir.join(name)).map(|text| text.trim().to_owned()).ok()
}

fn number(dir: &Path, name: &str) -> Option<u16> {
    read(dir, name).and_then(|text| u16::from_str_radix(&text, 16).ok())
}

/// Whether a directory is that of the vendor interface of a product.
fn is_vendor_interface(dir: &Path, product: &str) -> bool {
    let class = ["bInterfaceClass", "bInterfaceSubClass", "bInterfaceProtocol"].map(|name| number(dir, name));
    class == [Some(0xFF), Some(0), Some(0)]
        && read(dir, "interface").is_some_and(|name| is_vendor_interface_name(&name, product))
}

/// Whether what only root may goes through sudo.
fn needs_sudo() -> bool {
    let is_root = fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0);
    !is_root && Machine::this().program("sudo").is_some()
}

/// Writes a file whole or not at all: a new one is written beside it, gets its mode, and takes its place.
fn write(path: &Path, text: &str) -> Result<()> {
    // The driver's list may be a link, which stays one.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut new = path.clone().into_os_string();
    new.push(".new");
    let new = Path::new(&new);
    match replace(path, new, text) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && needs_sudo() => {
            let result = replace_as_root(path, new, text);
            if result.is_err() {
                let _ = execute(sudo("rm", &["-f".as_ref(), new.as_ref()]), "");
            }
            result
        }
        result => result.map_err(|error| {
            let _ = fs::remove_file(new);
            let advice = match error.kind() {
                io::ErrorKind::PermissionDenied => "Only root may: run it again with sudo.",
                _ => "Look whether the disk is full or cannot be written.",
            };
            Error::new(ErrorKind::Io, format!("write {}", path.display()), error.to_string()).advise(advice)
        }),
    }
}

fn replace(path: &Path, new: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::File::create(new)?;
    file.write_all(text.as_bytes())?;
    if let Ok(metadata) = fs::metadata(path) {
        file.set_permissions(metadata.permissions())?;
    }
    file.sync_all()?;
    fs::rename(new, path)
}

fn replace_as_root(path: &Path, new: &Path, text: &str) -> Result<()> {
    execute(sudo("cp", &["/dev/stdin".as_ref(), new.as_ref()]), text)?;
    if path.exists() {
        let mut reference = OsString::from("--reference=");
        reference.push(path);
        execute(sudo("chmod", &[&reference, new.as_ref()]), "")?;
    }
    execute(sudo("mv", &["-T".as_ref(), new.as_ref(), path.as_ref()]), "")
}

fn sudo(program: &str, arguments: &[&OsStr]) -> Command {
    let mut command = Command::new("sudo");
    command.arg(program).args(arguments);
    command
}

fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let command = if needs_sudo() {
        sudo(program, &arguments.iter().map(OsStr::new).collect::<Vec<_>>())
    } else {
        let mut command = Command::new(program);
        command.args(arguments);
        command
    };
    execute(command, "")
}

/// Runs a program to its end. What it says belongs to standard error: on standard output is the report.
fn execute(mut command: Command, input: &str) -> Result<()> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let what = format!("run {}", words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" "));
    let failed = |why: String| {
        Error::new(ErrorKind::Io, what.clone(), why)
            .advise("It may need root: run it again with sudo, or do it by hand.")
    };
    let mut finish = || -> io::Result<ExitStatus> {
        let mut child = command.stdin(Stdio::piped()).stdout(io::stderr()).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes())?;
        }
        child.wait()
    };
    let status = finish().map_err(|error| failed(error.to_string()))?;
    if status.success() { Ok(()) } else { Err(failed(format!("it ended with {status}"))) }
}
