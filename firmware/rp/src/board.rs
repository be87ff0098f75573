//! What was known about the board when the firmware was built; `cargo xtask firmware` has the table of boards.

use core::ptr;
use ferrite_board::led::Order;
use ferrite_proto::configuration::{ColourOrder, Configuration, LedDriver, UsbIds};

/// Pins that a LED may be on: flash and USB have pins of their own on these chips.
pub(crate) const PINS: u8 = 30;

/// A board's LED.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "a board has one of these")]
pub(crate) enum Led {
    /// None that can be reached.
    None,
    /// One colour.
    Gpio { pin: u8, lit_high: bool },
    /// Three outputs, lit when low: red before the green one, blue after it.
    Rgb { green: u8 },
    /// One addressable pixel, on some boards with its power on another pin.
    Ws2812 { pin: u8, order: Order, power: Option<u8> },
}

/// What holds where the owner configured nothing.
pub(crate) fn defaults() -> Configuration {
    use ferrite_proto::configuration::Led as Configured;
    let (driver, pin, order) = match LED {
        Led::None => (LedDriver::None, None, None),
        Led::Gpio { pin, .. } => (LedDriver::Gpio, Some(pin), None),
        Led::Rgb { green } => (LedDriver::Pimoroni, Some(green), None),
        Led::Ws2812 { pin, order, .. } => {
            let order = ColourOrder::ALL.into_iter().find(|colours| *colours as u8 == order as u8);
            (LedDriver::Ws2812, Some(pin), order)
        }
    };
    Configuration {
        usb_ids: Some(UsbIds { vendor: VID, product: PID }),
        led_pin: pin,
        led: Some(Configured { driver, order }),
        ..Configuration::default()
    }
}

/// The LED that the owner's configuration names. A driver that these chips do not have is the board's.
pub(crate) fn led(configuration: &Configuration) -> Led {
    let Some(configured) = configuration.led else { return LED };
    let (board_pin, power) = match LED {
        Led::None => (None, None),
        Led::Gpio { pin, .. } | Led::Rgb { green: pin } => (Some(pin), None),
        Led::Ws2812 { pin, power, .. } => (Some(pin), power),
    };
    let Some(pin) = configuration.led_pin.or(board_pin).filter(|pin| *pin < PINS) else { return Led::None };
    match (configured.driver, LED) {
        (LedDriver::Gpio, Led::Gpio { pin: own, lit_high }) if own == pin => Led::Gpio { pin, lit_high },
        (LedDriver::Gpio, _) => Led::Gpio { pin, lit_high: true },
        (LedDriver::Pimoroni, _) if pin > 0 && pin < PINS - 1 => Led::Rgb { green: pin },
        (LedDriver::Ws2812, _) => {
            let order = configured.order.and_then(|order| Order::by_number(order as u8)).unwrap_or(Order::Grb);
            Led::Ws2812 { pin, order, power: power.filter(|_| board_pin == Some(pin)) }
        }
        (LedDriver::None, _) => Led::None,
        (LedDriver::Pimoroni | LedDriver::Cyw43 | LedDriver::NeoPixel, _) => LED,
    }
}

/// Bytes of flash that the firmware takes.
pub(crate) fn firmware_size() -> u32 {
    unsafe extern "C" {
        static __sidata: u8;
        static __sdata: u8;
        static __edata: u8;
    }
    const FLASH: usize = 0x1000_0000;
    let end = ptr::addr_of!(__sidata) as usize + ptr::addr_of!(__edata) as usize - ptr::addr_of!(__sdata) as usize;
    (end - FLASH) as u32
}

include!(concat!(env!("OUT_DIR"), "/board.rs"));
