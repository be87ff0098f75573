//! The vendor interface of a device on USB: it needs no smart-card service, and works whatever the device's identifiers.

use super::ccid::{Ccid, Fault, HEADER, Pipes};
use super::{MAX_ANSWER, Transmit, Transport, is_hsm};
use crate::error::{Error, ErrorKind, Result};
use nusb::descriptors::TransferType;
use nusb::transfer::{Buffer, Bulk, Completion, ControlOut, ControlType, Direction, In, Out, Recipient, TransferError};
use nusb::{DeviceInfo, Endpoint, Interface, InterfaceInfo, MaybeFuture as _};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use zeroize::{Zeroize as _, Zeroizing};

/// bInterfaceClass, bInterfaceSubClass, bInterfaceProtocol.
const CLASS: (u8, u8, u8) = (0xFF, 0x00, 0x00);
/// What follows the product's name in the interface's.
const SUFFIX: &str = " WebCCID Interface";
/// Most characters of a device's strings: longer ones are cut.
const MAX_STRING: usize = 31;
/// How long a request on the control pipe may take.
const CONTROL_LIMIT: Duration = Duration::from_secs(1);
/// How often it is looked whether the device wants to say something while it listens.
const LOOK: Duration = Duration::from_millis(20);
/// Longest message of the device, in bytes: a header, and the longest answer.
const LONGEST: usize = HEADER + MAX_ANSWER;
/// How long a transfer that was taken back may take to come.
const CANCEL_LIMIT: Duration = Duration::from_secs(1);

/// The rule that lets users of this machine open the device: whoever is at the screen, and the group `plugdev`. It knows a
/// device by its manufacturer and its vendor interface, not by its identifiers.
pub const UDEV_RULE: &str = concat!(
    r#"SUBSYSTEM=="usb", ENV{DEVTYPE}=="usb_device", ATTR{manufacturer}=="Ferrite", "#,
    r#"ENV{ID_USB_INTERFACES}=="*:ff0000:*", MODE="0660", GROUP="plugdev", TAG+="uaccess""#
);
/// Where it belongs.
pub const UDEV_RULE_PATH: &str = "/etc/udev/rules.d/70-ferrite-hsm.rules";

/// A device on USB whose vendor interface was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsbDevice {
    /// Where it is: the path of its node, as in `/dev/bus/usb/003/002`; on systems without such, `usb:BUS:ADDRESS`.
    pub location: String,
    /// Its serial number as the USB descriptors have it: the chip's unique id in 16 digits.
    pub serial: String,
    /// Name of the product.
    pub product: String,
    /// idVendor.
    pub vendor: u16,
    /// idProduct.
    pub product_id: u16,
}

/// Lists the devices whose vendor interface can be seen. They need not be HSMs: that is known when they are opened.
pub fn usb_devices() -> Vec<UsbDevice> {
    candidates().map(|(device, _, _)| device).collect()
}

fn candidates() -> impl Iterator<Item = (UsbDevice, DeviceInfo, u8)> {
    // A system without USB has no devices.
    let devices = nusb::list_devices().wait().into_iter().flatten();
    devices.filter_map(|info| {
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let product = text(info.product_string());
        let interface = info.interfaces().find(|interface| is_vendor_interface(interface, &product))?;
        let number = interface.interface_number();
        let device = UsbDevice {
            location: location(&info),
            serial: text(info.serial_number()),
            product,
            vendor: info.vendor_id(),
            product_id: info.product_id(),
        };
        Some((device, info, number))
    })
}

fn is_vendor_interface(interface: &InterfaceInfo, product: &str) -> bool {
    let class = (interface.class(), interface.subclass(), interface.protocol());
    let name = || interface.get_interface_string().wait().ok().flatten().unwrap_or_default();
    class == CLASS && is_vendor_interface_name(&name(), product)
}

/// Whether an interface of class FF, subclass and protocol 0, with this name, is the vendor interface of a product of that
/// name.
pub fn is_vendor_interface_name(name: &str, product: &str) -> bool {
    product.chars().chain(SUFFIX.chars()).take(MAX_STRING).eq(name.chars())
}

#[cfg(target_os = "linux")]
fn location(info: &DeviceInfo) -> String {
    format!("/dev/bus/usb/{:03}/{:03}", info.busnum(), info.device_address())
}

#[cfg(not(target_os = "linux"))]
fn location(info: &DeviceInfo) -> String {
    format!("usb:{}:{:03}", info.bus_id(), info.device_address())
}

/// A device, opened by its vendor interface. Nobody else can open that meanwhile; when it is dropped the session ends.
pub struct Usb {
    ccid: Ccid<Endpoints>,
    location: String,
}

impl Usb {
    /// Opens the device at this location.
    ///
    /// # Errors
    /// [`ErrorKind::NoDevice`]: it is gone, this user may not open it, or it is no HSM; [`ErrorKind::Connection`]: another
    /// program has it, or it does not answer.
    pub fn connect(location: &str) -> Result<Self> {
        let what = || format!("open the USB device {location}");
        let (_, info, number) = candidates()
            .find(|(device, _, _)| device.location == location)
            .ok_or_else(|| Error::new(ErrorKind::NoDevice, what(), "no HSM is there").advise("List the devices."))?;
        let endpoints = Endpoints::open(&info, number).map_err(|error| not_opened(what(), error))?;
        let (ccid, atr) = Ccid::open(endpoints).map_err(lost)?;
        if is_hsm(&atr) {
            return Ok(Self { ccid, location: location.to_owned() });
        }
        Err(Error::new(ErrorKind::NoDevice, what(), "what answers there is no HSM"))
    }

    /// After an error in which the power was lost the card is powered on again; the error stays one.
    fn explain(&mut self, fault: Fault) -> Error {
        if fault == Fault::PowerLost {
            // If that fails too, the next command says so.
            let _ = self.ccid.power_on();
        }
        lost(fault)
    }
}

impl Transmit for Usb {
    fn transmit(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        self.ccid.transmit(command).map_err(|fault| self.explain(fault))
    }
}

impl Transport for Usb {
    fn exclusively(&mut self, work: &mut dyn FnMut(&mut dyn Transmit) -> Result<()>) -> Result<()> {
        // Nobody else has this interface, and a command on the reader's ends the session: nothing slips in unnoticed.
        work(self)
    }

    fn reset(&mut self) -> Result<()> {
        self.ccid.reset().map(drop).map_err(lost)
    }

    fn name(&self) -> String {
        self.location.clone()
    }
}

/// The endpoints of the vendor interface.
struct Endpoints {
    interface: Interface,
    bulk_out: Endpoint<Bulk, Out>,
    bulk_in: Endpoint<Bulk, In>,
    /// What came while something was sent.
    early: VecDeque<Completion>,
}

impl Endpoints {
    fn open(info: &DeviceInfo, number: u8) -> std::result::Result<Self, nusb::Error> {
        let interface = info.open().wait()?.claim_interface(number).wait()?;
        // The numbers of endpoints are the device's to choose. Where one is missing, nusb says so of number 0.
        let address = |direction: Direction| {
            let descriptor = interface.descriptor()?;
            let bulk = descriptor.endpoints().filter(|endpoint| endpoint.transfer_type() == TransferType::Bulk);
            bulk.map(|endpoint| endpoint.address()).find(|address| address & 0x80 == direction as u8)
        };
        let bulk_out = interface.endpoint(address(Direction::Out).unwrap_or(Direction::Out as u8))?;
        let bulk_in = interface.endpoint(address(Direction::In).unwrap_or(Direction::In as u8))?;
        Ok(Self { interface, bulk_out, bulk_in, early: VecDeque::new() })
    }

    fn await_packet(&mut self, len: usize) {
        if self.bulk_in.pending() == 0 {
            self.bulk_in.submit(Buffer::new(len));
        }
    }
}

impl Pipes for Endpoints {
    fn packet(&self) -> usize {
        self.bulk_in.max_packet_size().max(1)
    }

    fn send(&mut self, bytes: &[u8], limit: Duration) -> std::result::Result<(), Fault> {
        let end = Instant::now() + limit;
        self.await_packet(self.packet());
        self.bulk_out.submit(Buffer::from(bytes));
        let mut sent = loop {
            if let Some(sent) = self.bulk_out.wait_next_complete(LOOK) {
                break sent;
            }
            // A device that still has something to say does not listen.
            if let Some(early) = self.bulk_in.wait_next_complete(Duration::ZERO) {
                // After a full packet comes more, up to the end of an answer that somebody left half-read.
                let is_full = early.buffer.len() == self.packet();
                let len = if is_full { LONGEST.next_multiple_of(self.packet()) } else { self.packet() };
                let is_broken = early.status.is_err();
                self.early.push_back(early);
                if !is_broken {
                    self.await_packet(len);
                }
            }
            if Instant::now() >= end {
                self.bulk_out.cancel_all();
                break self.bulk_out.wait_next_complete(CANCEL_LIMIT).ok_or(Fault::Silent)?;
            }
        };
        sent.buffer.zeroize();
        sent.status.map_err(fault)
    }

    fn receive(&mut self, most: usize, limit: Duration) -> std::result::Result<Zeroizing<Vec<u8>>, Fault> {
        let completion = match self.early.pop_front() {
            Some(early) => early,
            None => {
                self.await_packet(most);
                match self.bulk_in.wait_next_complete(limit) {
                    Some(completion) => completion,
                    None => {
                        self.bulk_in.cancel_all();
                        self.bulk_in.wait_next_complete(CANCEL_LIMIT).ok_or(Fault::Silent)?
                    }
                }
            }
        };
        let data = Zeroizing::new(completion.buffer.into_vec());
        completion.status.map_err(fault).map(|()| data)
    }

    fn abort(&mut self, value: u16) -> std::result::Result<(), Fault> {
        const ABORT: u8 = 0x01;
        let request = ControlOut {
            control_type: ControlType::Class,
            recipient: Recipient::Interface,
            request: ABORT,
            value,
            index: self.interface.interface_number().into(),
            data: &[],
        };
        self.interface.control_out(request, CONTROL_LIMIT).wait().map_err(fault)
    }
}

fn fault(error: TransferError) -> Fault {
    match error {
        TransferError::Disconnected => Fault::Gone,
        TransferError::Cancelled => Fault::Silent,
        other => Fault::Other(other.to_string()),
    }
}

fn not_opened(what: String, error: nusb::Error) -> Error {
    let (kind, why, advice) = match error.kind() {
        nusb::ErrorKind::PermissionDenied => (
            ErrorKind::NoDevice,
            "this user may not".to_owned(),
            format!("Write this line into {UDEV_RULE_PATH} and plug the device in again:\n{UDEV_RULE}"),
        ),
        nusb::ErrorKind::Busy => {
            (ErrorKind::Connection, "another program has it".to_owned(), "Close the other program.".to_owned())
        }
        nusb::ErrorKind::Disconnected => (ErrorKind::NoDevice, "it is gone".to_owned(), "Plug it in again.".to_owned()),
        _ => (ErrorKind::Connection, error.to_string(), "Plug the device out and in again.".to_owned()),
    };
    Error::new(kind, what, why).advise(advice).caused_by(error)
}

fn lost(fault: Fault) -> Error {
    const WHAT: &str = "talk to the device";
    const AGAIN: &str = "Plug the device out and in again.";
    let (kind, why, advice) = match fault {
        Fault::Gone => {
            (ErrorKind::Connection, "the device is gone".into(), "Plug it in again; what it acknowledged is kept.")
        }
        Fault::Silent => (ErrorKind::Connection, "it does not answer".into(), AGAIN),
        Fault::Busy => (
            ErrorKind::Connection,
            "it is busy with a command of another program, or with one that was given up".into(),
            "Try again when it has finished.",
        ),
        Fault::PowerLost => (ErrorKind::Connection, "another program reset the device".into(), "Log in again."),
        Fault::Nonsense(why) => (ErrorKind::BadAnswer, why.to_owned(), AGAIN),
        Fault::Failed(error) => (ErrorKind::BadAnswer, format!("it refuses the message (error {error:02X})"), AGAIN),
        Fault::Other(why) => (ErrorKind::Connection, why, AGAIN),
    };
    Error::new(kind, WHAT, why).advise(advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interface_is_named_after_the_product_and_the_name_is_cut() {
        assert!(is_vendor_interface_name("Ferrite HSM WebCCID Interface", "Ferrite HSM"));
        assert!(is_vendor_interface_name("Seventeen letters WebCCID Inter", "Seventeen letters"));
        assert!(is_vendor_interface_name("A product with quite a long nam", "A product with quite a long name"));
        assert!(!is_vendor_interface_name("Ferrite HSM CCID Interface", "Ferrite HSM"));
        assert!(!is_vendor_interface_name("Ferrite HSM WebCCID Interface", "Other"));
        assert!(!is_vendor_interface_name("", ""));
    }
}
