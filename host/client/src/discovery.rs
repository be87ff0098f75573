//! Finding the device that is meant.

use crate::error::{Error, ErrorKind, Result};
use crate::hsm::{Hsm, Token};
use crate::transport::{AnyTransport, Socket};
use std::path::PathBuf;

/// Where Linux has the nodes of USB devices.
const USB_NODES: &str = "/dev/bus/usb/";

/// A device that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it is.
    pub place: Place,
    /// What it says of itself; empty strings while it is not initialised.
    pub token: Token,
}

/// Where a device is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a reader, by its name.
    Reader(String),
    /// On USB, reached by its vendor interface: this device has no reader, or the smart-card service does not show it.
    Usb(UsbPlace),
    /// Behind a virtual device's socket.
    Socket(PathBuf),
}

/// A device on USB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsbPlace {
    /// Where it is: the path of its node, as in `/dev/bus/usb/003/002`, or what stands for it on other systems.
    pub location: String,
    /// Its serial number as the USB descriptors have it.
    pub serial: String,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Reader(name) => f.write_str(name),
            Place::Usb(usb) => f.write_str(&usb.location),
            Place::Socket(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Place {
    /// Connects to what is there.
    ///
    /// # Errors
    /// [`ErrorKind::NoDevice`], [`ErrorKind::Connection`].
    pub fn connect(&self) -> Result<AnyTransport> {
        match self {
            #[cfg(feature = "pcsc")]
            Place::Reader(name) => Ok(Box::new(crate::transport::Pcsc::connect(name)?)),
            #[cfg(not(feature = "pcsc"))]
            Place::Reader(_) => {
                Err(Error::new(ErrorKind::Unsupported, "open a reader", "this program knows no readers"))
            }
            #[cfg(feature = "usb")]
            Place::Usb(usb) => Ok(Box::new(crate::transport::Usb::connect(&usb.location)?)),
            #[cfg(not(feature = "usb"))]
            Place::Usb(_) => Err(Error::new(ErrorKind::Unsupported, "open a USB device", "this program knows none")),
            Place::Socket(path) => Ok(Box::new(Socket::connect(path)?)),
        }
    }

    /// Whether a person means this place by `name`.
    fn is_called(&self, name: &str) -> bool {
        match self {
            Place::Reader(reader) => reader == name,
            Place::Usb(usb) => usb.location == name || usb.serial == name,
            Place::Socket(path) => path.as_os_str() == name,
        }
    }
}

/// Lists the devices in readers, those on USB that no reader shows, and those behind the sockets given. Readers with other
/// cards are left out, and so is what does not answer.
///
/// # Errors
/// [`ErrorKind::NoDevice`]: nothing is there, and the smart-card service does not answer; and what keeps the only device that
/// is there from answering.
pub fn devices(sockets: &[PathBuf]) -> Result<Vec<Found>> {
    let Search { found, mut mute } = search(sockets)?;
    match mute.pop() {
        Some((_, error)) if found.is_empty() && sockets.is_empty() => Err(error),
        _ => Ok(found),
    }
}

/// Connects to the device that `name` means: the path of a socket or of a USB device, a device's serial number, a reader's name
/// or a part of it. Without a name there must be one device only.
///
/// # Errors
/// [`ErrorKind::NoDevice`], [`ErrorKind::Ambiguous`], and what keeps the only device that is there from answering.
pub fn open(name: Option<&str>) -> Result<AnyTransport> {
    const WHAT: &str = "choose a device";
    if let Some(path) = name.filter(|name| name.contains('/')) {
        let elsewhere = || match path.starts_with(USB_NODES) {
            true => Place::Usb(UsbPlace { location: path.into(), serial: String::new() }),
            false => Place::Socket(path.into()),
        };
        return places_on_usb().into_iter().find(|place| place.is_called(path)).unwrap_or_else(elsewhere).connect();
    }
    let Search { found, mut mute } = search(&[])?;
    let list = |found: &[Found]| {
        let line = |found: &Found| format!("  {}  {}", found.token.serial, found.place);
        found.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    let fits = |found: &Found| name.is_none_or(|name| found.token.serial == name || found.place.is_called(name));
    let partly = |place: &Place| name.is_some_and(|name| place.to_string().contains(name));
    let mut fitting: Vec<_> = found.iter().filter(|found| fits(found)).collect();
    if fitting.is_empty() {
        fitting = found.iter().filter(|found| partly(&found.place)).collect();
    }
    if fitting.is_empty() {
        mute.retain(|(place, _)| name.is_none_or(|name| place.is_called(name)) || partly(place));
    }
    match (fitting.as_slice(), mute.pop()) {
        ([one], _) => one.place.connect(),
        ([], Some((_, error))) => Err(error),
        ([], None) if found.is_empty() => Err(Error::new(ErrorKind::NoDevice, WHAT, "no device is there")
            .advise("Plug one in, or start a virtual one: ferrite-sim. Is pcscd running?")),
        ([], None) => Err(Error::new(ErrorKind::NoDevice, WHAT, "no device has this name")
            .advise(format!("These are there:\n{}", list(&found)))),
        _ => Err(Error::new(ErrorKind::Ambiguous, WHAT, "there are several")
            .advise(format!("Name one by its serial number or reader:\n{}", list(&found)))),
    }
}

/// What is there.
struct Search {
    found: Vec<Found>,
    /// What seems to be a device and does not answer, and why.
    mute: Vec<(Place, Error)>,
}

fn search(sockets: &[PathBuf]) -> Result<Search> {
    let mut usb = places_on_usb();
    let (readers, without_service) = match places_in_readers() {
        Ok(readers) => (readers, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    let mut result = Search { found: Vec::new(), mute: Vec::new() };
    for place in sockets.iter().cloned().map(Place::Socket).chain(readers) {
        // libccid puts the serial number of the USB device into the reader's name.
        usb.retain(|other| !matches!((other, &place), (Place::Usb(usb), Place::Reader(name)) if usb.is_in(name)));
        result.ask(place, &mut usb);
    }
    for place in usb {
        result.ask(place, &mut Vec::new());
    }
    match without_service {
        Some(error) if result.found.is_empty() && result.mute.is_empty() && sockets.is_empty() => Err(error),
        _ => Ok(result),
    }
}

impl Search {
    /// Asks what is at this place. One of `others` that turns out to be the same device is taken from them.
    fn ask(&mut self, place: Place, others: &mut Vec<Place>) {
        let ask = || {
            let mut hsm = Hsm::open(place.connect()?)?;
            let token = hsm.token()?;
            // Asked only where it matters: it takes two commands.
            let unique_id = if others.is_empty() { None } else { hsm.board().ok().map(|board| board.serial) };
            Ok((token, unique_id))
        };
        match ask() {
            Ok((token, unique_id)) => {
                if let Some(unique_id) = unique_id {
                    let serial: String = unique_id.iter().map(|byte| format!("{byte:02X}")).collect();
                    others.retain(|other| !other.is_called(&serial));
                }
                self.found.push(Found { place, token });
            }
            Err(error) => self.mute.push((place, error)),
        }
    }
}

impl UsbPlace {
    /// Whether the name of a reader has this device's serial number in it.
    fn is_in(&self, reader: &str) -> bool {
        !self.serial.is_empty() && reader.contains(&format!("({})", self.serial))
    }
}

#[cfg(feature = "pcsc")]
fn places_in_readers() -> Result<Vec<Place>> {
    let readers = crate::transport::readers()?;
    Ok(readers.into_iter().filter(|reader| reader.has_hsm).map(|reader| Place::Reader(reader.name)).collect())
}

#[cfg(not(feature = "pcsc"))]
fn places_in_readers() -> Result<Vec<Place>> {
    Ok(Vec::new())
}

#[cfg(feature = "usb")]
fn places_on_usb() -> Vec<Place> {
    let place =
        |device: crate::transport::UsbDevice| Place::Usb(UsbPlace { location: device.location, serial: device.serial });
    crate::transport::usb_devices().into_iter().map(place).collect()
}

#[cfg(not(feature = "usb"))]
fn places_on_usb() -> Vec<Place> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_on_usb_is_known_in_its_readers_name_and_by_what_people_call_it() {
        let usb = UsbPlace { location: "/dev/bus/usb/003/002".into(), serial: "0ABC0001020304FF".into() };
        assert!(usb.is_in("Ferrite HSM [Ferrite HSM CCID Interface] (0ABC0001020304FF) 00 00"));
        assert!(!usb.is_in("Ferrite HSM [Ferrite HSM CCID Interface] (0ABC000102030400) 00 00"));
        let nameless = UsbPlace { location: "/dev/bus/usb/003/003".into(), serial: String::new() };
        assert!(!nameless.is_in("Virtual PCD () 00 00"));
        let place = Place::Usb(usb);
        assert!(place.is_called("/dev/bus/usb/003/002") && place.is_called("0ABC0001020304FF"));
        assert!(!place.is_called("0ABC"));
    }
}
