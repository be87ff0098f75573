//! What the device says about itself: the parts of its descriptors that are its own (specification part 3 §4.1, §4.3).
//!
//! The USB stack puts them into the standard frames; `docs/src/usb.md` shows the result.

use crate::ccid::{CLOCK_KHZ, DATA_RATE};
use crate::message::MAX_MESSAGE;
use core::fmt::Write;
use ferrite_proto::configuration::{Configuration, Interfaces, Product, UsbIds};
use heapless::String;

/// The identifiers of a device whose owner configured none. They belong to nobody.
pub const DEFAULT_IDS: UsbIds = UsbIds { vendor: 0xFEFF, product: 0xFCFD };

/// iManufacturer (decision D2).
pub const MANUFACTURER: &str = "Ferrite";

/// iProduct of a device whose owner configured none (decision D2).
pub const DEFAULT_PRODUCT: &str = "Ferrite HSM";

/// Most characters in a string: what fits one packet of the control endpoint.
pub const MAX_STRING: usize = 31;

/// bInterfaceClass of smart-card readers.
pub const CLASS_SMART_CARD: u8 = 0x0B;

/// bInterfaceClass of the vendor's own.
pub const CLASS_VENDOR: u8 = 0xFF;

/// bDescriptorType of the class descriptor of readers.
pub const FUNCTIONAL: u8 = 0x21;

/// Endpoints: CCID bulk OUT and IN and interrupt IN, vendor bulk OUT and IN. The same whichever interfaces are enabled.
pub const CCID_OUT: u8 = 0x01;
/// See [`CCID_OUT`].
pub const CCID_IN: u8 = 0x81;
/// See [`CCID_OUT`].
pub const CCID_INTERRUPT: u8 = 0x82;
/// See [`CCID_OUT`].
pub const VENDOR_OUT: u8 = 0x03;
/// See [`CCID_OUT`].
pub const VENDOR_IN: u8 = 0x83;

/// How often the interrupt endpoint is asked, in milliseconds.
pub const INTERRUPT_INTERVAL: u8 = 10;

/// bRequest of the request for the landing page (WebUSB §5.1).
pub const WEBUSB_VENDOR_CODE: u8 = 1;

/// bRequest of the request for the Microsoft OS 2.0 descriptor set.
pub const MS_OS_VENDOR_CODE: u8 = 2;

/// Compatible id by which Windows takes its generic driver.
pub const WINUSB: &str = "WINUSB";

/// Name of the registry property that holds the GUIDs of the interface.
pub const GUIDS_PROPERTY: &str = "DeviceInterfaceGUIDs";

/// By which programs on Windows find the vendor interface.
pub const INTERFACE_GUID: &str = "{C96BF04E-1599-47E4-BB8B-83DD5584FBF3}";

/// bDevCapabilityType of capabilities that platforms define.
pub const PLATFORM_CAPABILITY: u8 = 0x05;

/// Longest URL of a landing page, without its scheme.
pub const MAX_URL: usize = 60;

const BUSY_SLOTS: u8 = 1;

/// Class descriptor of a reader, without bLength and bDescriptorType (CCID 1.1 §5.1): one slot, 5 V, T=0 and T=1,
/// exchange of short and extended APDUs.
pub const fn class_descriptor() -> [u8; 52] {
    const FEATURES: u32 = 0x0004_0840;
    const MAX_IFSD: u32 = 0xFE;
    let [c0, c1, c2, c3] = CLOCK_KHZ.to_le_bytes();
    let [d0, d1, d2, d3] = DATA_RATE.to_le_bytes();
    let [i0, i1, i2, i3] = MAX_IFSD.to_le_bytes();
    let [f0, f1, f2, f3] = FEATURES.to_le_bytes();
    let [m0, m1, m2, m3] = MAX_MESSAGE.to_le_bytes();
    [
        0x10, 0x01, // bcdCCID
        0,    // bMaxSlotIndex
        0x01, // bVoltageSupport
        0x03, 0, 0, 0, // dwProtocols
        c0, c1, c2, c3, c0, c1, c2, c3, 0, // dwDefaultClock, dwMaximumClock, bNumClockSupported
        d0, d1, d2, d3, d0, d1, d2, d3, 0, // dwDataRate, dwMaxDataRate, bNumDataRatesSupported
        i0, i1, i2, i3, // dwMaxIFSD
        0, 0, 0, 0, // dwSynchProtocols
        0, 0, 0, 0, // dwMechanical
        f0, f1, f2, f3, // dwFeatures
        m0, m1, m2, m3, // dwMaxCCIDMessageLength
        0xFF, 0xFF, // bClassGetResponse, bClassEnvelope
        0, 0, // wLcdLayout
        0, // bPINSupport
        BUSY_SLOTS,
    ]
}

/// The same for the vendor interface, one byte shorter: libccid takes an interface of class FF for a reader if its class
/// descriptor has 54 bytes (specification part 4 §4.1), and browsers want this one.
pub fn vendor_class_descriptor() -> [u8; 51] {
    let mut shorter = [0; 51];
    shorter.iter_mut().zip(class_descriptor()).for_each(|(to, from)| *to = from);
    shorter
}

/// Platform capability of WebUSB, without its first three bytes (WebUSB §4.1): version 1.00, our vendor code, and 1 if
/// there is a landing page.
pub const fn webusb_capability(has_landing_page: bool) -> [u8; 21] {
    const VERSION: [u8; 2] = [0x00, 0x01];
    let [low, high] = VERSION;
    [
        0x00, // bReserved
        0x38,
        0xB6,
        0x08,
        0x34,
        0xA9,
        0x09,
        0xA0,
        0x47,
        0x8B,
        0xFD,
        0xA0,
        0x76,
        0x88,
        0x15,
        0xB6,
        0x65, // UUID
        low,
        high,
        WEBUSB_VENDOR_CODE,
        has_landing_page as u8,
    ]
}

/// A landing page: where a browser sends the user to who plugs the device in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LandingPage<'a>(&'a str);

impl<'a> LandingPage<'a> {
    /// A page under `https://`, which `url` does not repeat; `None` if it is longer than [`MAX_URL`].
    pub const fn https(url: &'a str) -> Option<Self> {
        if url.len() <= MAX_URL { Some(Self(url)) } else { None }
    }

    /// URL descriptor (WebUSB §4.3.1).
    pub fn descriptor(&self) -> heapless::Vec<u8, { 3 + MAX_URL }> {
        const TYPE: u8 = 0x03;
        const HTTPS: u8 = 0x01;
        let mut descriptor = heapless::Vec::new();
        let len = u8::try_from(self.0.len()).unwrap_or_default().saturating_add(3);
        // It fits: an URL that exists is short enough.
        let _ = descriptor.extend_from_slice(&[len, TYPE, HTTPS]);
        let _ = descriptor.extend_from_slice(self.0.as_bytes());
        descriptor
    }
}

/// Which device this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity<'a> {
    /// Identifiers of vendor and product.
    pub ids: UsbIds,
    /// Name of the product; `None`: [`DEFAULT_PRODUCT`].
    pub product: Option<Product>,
    /// Which interfaces there are.
    pub interfaces: Interfaces,
    /// The chip's unique id, which is the serial number.
    pub serial: [u8; 8],
    /// Version of the firmware: major, minor.
    pub version: [u8; 2],
    /// What the board draws from the bus at most, in milliamperes: up to 500.
    pub supply: u16,
    /// Where browsers send users to.
    pub landing_page: Option<LandingPage<'a>>,
}

impl<'a> Identity<'a> {
    /// The identity that the owner's configuration gives a device.
    pub fn new(configuration: &Configuration, serial: [u8; 8], version: [u8; 2], supply: u16) -> Self {
        Self {
            ids: configuration.usb_ids.unwrap_or(DEFAULT_IDS),
            product: configuration.product,
            interfaces: configuration.interfaces.unwrap_or(Interfaces::DEFAULT),
            serial,
            version,
            supply,
            landing_page: None,
        }
    }

    /// The same device with a landing page.
    #[must_use]
    pub fn with_landing_page(self, page: LandingPage<'a>) -> Self {
        Self { landing_page: Some(page), ..self }
    }

    /// bcdDevice: major.minor.
    pub fn release(&self) -> u16 {
        let [major, minor] = self.version;
        u16::from_be_bytes([major, minor << 4])
    }

    /// iProduct.
    pub fn product_name(&self) -> String<MAX_STRING> {
        let mut name = String::new();
        push(&mut name, self.product.as_ref().map_or(DEFAULT_PRODUCT, Product::as_str));
        name
    }

    /// iSerialNumber: 16 upper-case hexadecimal digits.
    pub fn serial_number(&self) -> String<16> {
        let mut digits = String::new();
        for byte in self.serial {
            // It fits: eight bytes.
            let _ = write!(digits, "{byte:02X}");
        }
        digits
    }

    /// iInterface of the reader.
    pub fn ccid_name(&self) -> String<MAX_STRING> {
        self.interface_name(" CCID Interface")
    }

    /// iInterface of the vendor interface.
    pub fn vendor_name(&self) -> String<MAX_STRING> {
        self.interface_name(" WebCCID Interface")
    }

    fn interface_name(&self, suffix: &str) -> String<MAX_STRING> {
        let mut name = self.product_name();
        push(&mut name, suffix);
        name
    }
}

/// Appends characters as long as there is room.
fn push(string: &mut String<MAX_STRING>, more: &str) {
    for character in more.chars() {
        let _ = string.push(character);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(configuration: Configuration) -> Identity<'static> {
        Identity::new(&configuration, [0x0A, 0xBC, 0, 1, 2, 3, 4, 0xFF], [3, 12], 100)
    }

    #[test]
    fn a_device_without_configuration_is_a_ferrite_hsm() {
        let identity = identity(Configuration::default());
        assert_eq!((identity.ids.vendor, identity.ids.product), (0xFEFF, 0xFCFD));
        assert_eq!(identity.product_name(), "Ferrite HSM");
        assert_eq!(identity.serial_number(), "0ABC0001020304FF");
        assert_eq!(identity.ccid_name(), "Ferrite HSM CCID Interface");
        assert_eq!(identity.vendor_name(), "Ferrite HSM WebCCID Interface");
        assert_eq!(identity.release(), 0x03C0);
        assert!(identity.interfaces.ccid() && identity.interfaces.vendor());
    }

    #[test]
    fn the_configuration_decides_and_long_names_are_cut() {
        let configuration = Configuration {
            usb_ids: Some(UsbIds { vendor: 0x1234, product: 0x5678 }),
            product: Product::new(b"A product with quite a long name"[..31].try_into().expect("31 characters")),
            interfaces: Interfaces::new(0x02),
            ..Configuration::default()
        };
        let identity = identity(configuration);
        assert_eq!((identity.ids.vendor, identity.ids.product), (0x1234, 0x5678));
        assert_eq!(identity.vendor_name(), "A product with quite a long nam");
        assert!(!identity.interfaces.ccid() && identity.interfaces.vendor());
    }
}
