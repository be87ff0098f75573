//! The machine as the doctor sees it: files, USB devices, the smart-card service; and how it is mended.

use super::Remedy;
use ferrite_client::{Error, ErrorKind, Result};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

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

    /// The HSMs on USB, as the kernel knows them.
    pub(super) fn usb_devices(&self) -> Vec<UsbDevice> {
        let entries = fs::read_dir(self.root.join("sys/bus/usb/devices")).into_iter().flatten().flatten();
        let read = |dir: &Path, name: &str| fs::read_to_string(dir.join(name)).map(|text| text.trim().to_owned()).ok();
        let number = |dir: &Path, name: &str| read(dir, name).and_then(|text| u16::from_str_radix(&text, 16).ok());
        let mut devices: Vec<_> = entries
            .filter_map(|entry| {
                let dir = entry.path();
                let (vendor, product) = (number(&dir, "idVendor")?, number(&dir, "idProduct")?);
                let maker = read(&dir, "manufacturer").unwrap_or_default();
                let is_ours = MAKERS.contains(&maker.as_str()) || IDENTIFIERS.contains(&(vendor, product));
                let name = read(&dir, "product").unwrap_or_else(|| "HSM".into());
                is_ours.then_some(UsbDevice { vendor, product, name })
            })
            .collect();
        devices.sort_by_key(|device| (device.vendor, device.product));
        devices
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
        match remedy {
            Remedy::Install => "apt-get install pcscd libccid".into(),
            Remedy::Start => "systemctl enable --now pcscd.socket".into(),
            Remedy::AddToDriver(device) => {
                let path = self.driver_list().map(|list| list.path).unwrap_or_default();
                format!("{device} is added to {}, a copy of which is kept, and pcscd is started anew", path.display())
            }
            Remedy::Permit => format!("a rule that lets every local user talk to pcscd, in /{POLKIT_RULE}"),
        }
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
        write(&list.path.with_extension("plist.before-pico-hsm-tool"), &list.text)?;
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
            let at = text.find(&format!("<key>{key}</key>"))?;
            let array = text.get(at..)?.find("<array>")?.checked_add(at)?.checked_add("<array>".len())?;
            text.insert_str(array, &format!("\n\t\t<string>{value}</string>"));
        }
        Some(text)
    }

    /// The strings of an array.
    fn strings(&self, key: &str) -> Option<Vec<&str>> {
        let (_, rest) = self.text.split_once(&format!("<key>{key}</key>"))?;
        let (_, rest) = rest.split_once("<array>")?;
        let (array, _) = rest.split_once("</array>")?;
        Some(array.split("<string>").skip(1).filter_map(|part| Some(part.split_once("</string>")?.0)).collect())
    }
}

/// Lets every local user talk to the smart-card service.
const POLKIT_TEXT: &str = r#"// Written by pico-hsm-tool doctor --fix.
polkit.addRule(function(action, subject) {
    if (action.id == "org.debian.pcsc-lite.access_pcsc" || action.id == "org.debian.pcsc-lite.access_card") {
        return polkit.Result.YES;
    }
});
"#;

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|error| {
        let advice = match error.kind() {
            io::ErrorKind::PermissionDenied => "Only root may: run it again with sudo.",
            _ => "Look whether the disk is full or cannot be written.",
        };
        Error::new(ErrorKind::Io, format!("write {}", path.display()), error.to_string()).advise(advice)
    })
}

fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let what = format!("run {program} {}", arguments.join(" "));
    let failed = |why: String| {
        Error::new(ErrorKind::Io, what.clone(), why)
            .advise("It may need root: run it again with sudo, or do it by hand.")
    };
    let status = Command::new(program).args(arguments).status().map_err(|error| failed(error.to_string()))?;
    if status.success() { Ok(()) } else { Err(failed(format!("it ended with {status}"))) }
}
