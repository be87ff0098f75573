//! The values that a device configuration holds. A value that exists is a legal one.

use core::fmt;
use core::time::Duration;

/// Vendor and product identifier of a USB device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsbIds {
    /// The vendor.
    pub vendor: u16,
    /// The vendor's product.
    pub product: u16,
}

/// Brightness of an LED, 0 to 15.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Brightness(u8);

impl Brightness {
    /// Full brightness.
    pub const FULL: Self = Self(15);

    /// A brightness; `None` above 15.
    pub const fn new(level: u8) -> Option<Self> {
        if level <= Self::FULL.0 { Some(Self(level)) } else { None }
    }

    /// 0, dark, to 15.
    pub const fn level(self) -> u8 {
        self.0
    }
}

/// Switches of the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BoardOptions(u16);

impl BoardOptions {
    const KNOWN: u16 = 0x000F;

    /// Switches; `None` if there is one that nobody knows. 0001 and 0004 are known and without effect.
    pub const fn new(value: u16) -> Option<Self> {
        if value & !Self::KNOWN == 0 { Some(Self(value)) } else { None }
    }

    /// As a number.
    pub const fn value(self) -> u16 {
        self.0
    }

    /// 0002: the LED can be dimmed.
    pub const DIMS_LED: Self = Self(0x0002);
    /// 0008: the LED does not blink.
    pub const STEADY_LED: Self = Self(0x0008);

    /// Whether all of `other` are on.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These, with `which` on or off.
    #[must_use]
    pub const fn with(self, which: Self, is_on: bool) -> Self {
        if is_on { Self(self.0 | which.0) } else { Self(self.0 & !which.0) }
    }

    /// The LED can be dimmed.
    pub const fn dims_led(self) -> bool {
        self.contains(Self::DIMS_LED)
    }

    /// The LED does not blink.
    pub const fn steady_led(self) -> bool {
        self.contains(Self::STEADY_LED)
    }
}

/// How long the device waits for its user's presence: 1 to 60 seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PresenceTimeout(u8);

impl PresenceTimeout {
    /// What holds where nothing is configured: 15 seconds.
    pub const DEFAULT: Self = Self(15);

    /// A time in seconds; `None` unless it is 1 to 60.
    pub const fn new(seconds: u8) -> Option<Self> {
        if seconds >= 1 && seconds <= 60 { Some(Self(seconds)) } else { None }
    }

    /// In seconds.
    pub const fn seconds(self) -> u8 {
        self.0
    }

    /// As a duration.
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0 as u64)
    }
}

/// Name of the product: 1 to 31 printable ASCII characters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Product {
    bytes: [u8; Self::MAX],
    len: u8,
}

impl Product {
    /// Longest name.
    pub const MAX: usize = 31;

    /// A name; `None` unless it is 1 to 31 printable ASCII characters.
    pub fn new(name: &[u8]) -> Option<Self> {
        let is_printable = name.iter().all(|byte| (b' '..=b'~').contains(byte));
        let len = u8::try_from(name.len()).ok().filter(|len| *len > 0 && is_printable)?;
        let mut bytes = [0; Self::MAX];
        bytes.get_mut(..name.len())?.copy_from_slice(name);
        Some(Self { bytes, len })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        let name = self.bytes.get(..usize::from(self.len)).unwrap_or_default();
        core::str::from_utf8(name).unwrap_or_default()
    }
}

impl fmt::Debug for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

/// Curves on which keys may be made and imported. Those without a bit here always may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Curves(u32);

macro_rules! curves {
    ($($(#[$doc:meta])* $name:ident = $bit:literal;)*) => {
        impl Curves {
            $($(#[$doc])* pub const $name: Self = Self($bit);)*
            /// Every curve that has a bit.
            pub const ALL: Self = Self($($bit |)* 0);
        }
    };
}

curves! {
    /// NIST P-256.
    P256 = 0x001;
    /// NIST P-384.
    P384 = 0x002;
    /// NIST P-521.
    P521 = 0x004;
    /// secp256k1.
    SECP256K1 = 0x008;
    /// brainpoolP256r1.
    BRAINPOOL_P256 = 0x010;
    /// brainpoolP384r1.
    BRAINPOOL_P384 = 0x020;
    /// brainpoolP512r1.
    BRAINPOOL_P512 = 0x040;
    /// Ed25519.
    ED25519 = 0x080;
    /// Ed448.
    ED448 = 0x100;
    /// X25519.
    X25519 = 0x200;
    /// X448.
    X448 = 0x400;
}

impl Curves {
    /// A set of curves; `None` if it has one that nobody knows.
    pub const fn new(value: u32) -> Option<Self> {
        if value & !Self::ALL.0 == 0 { Some(Self(value)) } else { None }
    }

    /// As a number.
    pub const fn value(self) -> u32 {
        self.0
    }

    /// Whether all of `other` are among these.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// USB interfaces. CCID or the vendor's own is always among them: a device without both could not be spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interfaces(u8);

impl Interfaces {
    const CCID: u8 = 0x01;
    const VENDOR: u8 = 0x02;
    /// Also keyboards and the like of other products, which have no effect here.
    const KNOWN: u8 = 0x1F;
    /// What holds where nothing is configured: CCID and the vendor's own.
    pub const DEFAULT: Self = Self(Self::CCID | Self::VENDOR);

    /// A set of interfaces; `None` without CCID and the vendor's own, or with one that nobody knows.
    pub const fn new(mask: u8) -> Option<Self> {
        let can_be_spoken_to = mask & (Self::CCID | Self::VENDOR) != 0;
        if can_be_spoken_to && mask & !Self::KNOWN == 0 { Some(Self(mask)) } else { None }
    }

    /// As a number.
    pub const fn value(self) -> u8 {
        self.0
    }

    /// A smart-card reader (CCID).
    pub const fn ccid(self) -> bool {
        self.0 & Self::CCID != 0
    }

    /// The vendor's own interface, for WebUSB and tools.
    pub const fn vendor(self) -> bool {
        self.0 & Self::VENDOR != 0
    }
}

/// What drives the LED, and the order of its colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Led {
    /// What drives it.
    pub driver: LedDriver,
    /// The order of its colours; `None`: as usual for the driver.
    pub order: Option<ColourOrder>,
}

impl Led {
    pub(super) fn parse(driver: u8, order: Option<u8>) -> Option<Self> {
        let driver = LedDriver::ALL.into_iter().find(|known| *known as u8 == driver)?;
        let order = match order {
            Some(order) => Some(ColourOrder::ALL.into_iter().find(|known| *known as u8 == order)?),
            None => None,
        };
        Some(Self { driver, order })
    }
}

/// What drives the LED.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum LedDriver {
    /// A pin, active high.
    Gpio = 1,
    /// Three pins, active low: red, green, blue.
    Pimoroni = 2,
    /// A WS2812 pixel.
    Ws2812 = 3,
    /// The LED of the CYW43 radio chip.
    Cyw43 = 4,
    /// A pixel on the remote-control peripheral of an ESP32.
    NeoPixel = 5,
    /// None: the LED stays dark.
    None = 0xFF,
}

impl LedDriver {
    /// Every driver.
    pub const ALL: [Self; 6] = [Self::Gpio, Self::Pimoroni, Self::Ws2812, Self::Cyw43, Self::NeoPixel, Self::None];
}

/// The order in which a pixel takes its colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are the orders")]
pub enum ColourOrder {
    Rgb = 0,
    Rbg = 1,
    Grb = 2,
    Gbr = 3,
    Brg = 4,
    Bgr = 5,
}

impl ColourOrder {
    /// Every order.
    pub const ALL: [Self; 6] = [Self::Rgb, Self::Rbg, Self::Grb, Self::Gbr, Self::Brg, Self::Bgr];
}
