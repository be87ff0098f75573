//! Which LED there is: the board's own, or the one that the owner's configuration names.

use crate::cyw43;
use ferrite_proto::configuration::{ColourOrder, Configuration, Led as Configured, LedDriver};

/// Pins that a LED may be on: flash and USB have pins of their own on the chips of these boards.
pub const PINS: u8 = 30;

/// A LED, and what it hangs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Led {
    /// None that can be reached.
    None,
    /// One colour.
    Gpio {
        /// Its pin.
        pin: u8,
        /// Whether it is lit when the pin is high.
        lit_high: bool,
    },
    /// Three outputs, lit when low: red before the green one, blue after it.
    Rgb {
        /// The pin of the green one.
        green: u8,
    },
    /// One addressable pixel.
    Ws2812 {
        /// The pin of its data.
        pin: u8,
        /// The order in which it takes its colours.
        order: ColourOrder,
        /// The pin of its power, on boards that can switch it.
        power: Option<u8>,
    },
    /// One colour, behind the radio chip of a Pico W.
    Cyw43,
}

impl Led {
    /// The fields of a configuration that name this LED, the others empty: what holds on its board where the owner
    /// configured nothing.
    pub fn configuration(self) -> Configuration {
        let (driver, order) = match self {
            Self::None => (LedDriver::None, None),
            Self::Gpio { .. } => (LedDriver::Gpio, None),
            Self::Rgb { .. } => (LedDriver::Pimoroni, None),
            Self::Ws2812 { order, .. } => (LedDriver::Ws2812, Some(order)),
            Self::Cyw43 => (LedDriver::Cyw43, None),
        };
        Configuration { led_pin: self.pin(), led: Some(Configured { driver, order }), ..Configuration::default() }
    }

    /// The LED that a configuration names, on a board that has this one. A driver that the board cannot have is the
    /// board's own LED.
    pub fn configured(self, configuration: &Configuration) -> Self {
        let Some(Configured { driver, order }) = configuration.led else { return self };
        let pin = configuration.led_pin.or(self.pin());
        match (driver, pin) {
            (LedDriver::None, _) => Self::None,
            // The radio is on the board or it is not.
            (LedDriver::Cyw43 | LedDriver::NeoPixel, _) => self,
            (_, None | Some(PINS..)) => Self::None,
            (LedDriver::Gpio, Some(pin)) => match self {
                Self::Gpio { pin: own, .. } if own == pin => self,
                _ => Self::Gpio { pin, lit_high: true },
            },
            (LedDriver::Pimoroni, Some(green)) if (1..PINS.saturating_sub(1)).contains(&green) => Self::Rgb { green },
            (LedDriver::Pimoroni, _) => self,
            (LedDriver::Ws2812, Some(pin)) => {
                let power = match self {
                    Self::Ws2812 { pin: own, power, .. } if own == pin => power,
                    _ => None,
                };
                Self::Ws2812 { pin, order: order.unwrap_or(ColourOrder::Grb), power }
            }
        }
    }

    /// Every pin that it hangs on.
    pub fn pins(self) -> impl Iterator<Item = u8> {
        let pins = match self {
            Self::None => [None; 4],
            Self::Gpio { pin, .. } => [Some(pin), None, None, None],
            Self::Rgb { green } => [green.checked_sub(1), Some(green), green.checked_add(1), None],
            Self::Ws2812 { pin, power, .. } => [Some(pin), power, None, None],
            Self::Cyw43 => cyw43::pins::ALL.map(Some),
        };
        pins.into_iter().flatten()
    }

    /// The pin that a configuration names it by.
    fn pin(self) -> Option<u8> {
        match self {
            Self::None | Self::Cyw43 => None,
            Self::Gpio { pin, .. } | Self::Rgb { green: pin } | Self::Ws2812 { pin, .. } => Some(pin),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// One of every kind.
    const BOARDS: [Led; 6] = [
        Led::None,
        Led::Gpio { pin: 25, lit_high: false },
        Led::Rgb { green: 19 },
        Led::Ws2812 { pin: 16, order: ColourOrder::Rgb, power: None },
        Led::Ws2812 { pin: 12, order: ColourOrder::Grb, power: Some(11) },
        Led::Cyw43,
    ];

    fn named(driver: LedDriver, pin: Option<u8>) -> Configuration {
        Configuration { led_pin: pin, led: Some(Configured { driver, order: None }), ..Configuration::default() }
    }

    #[test]
    fn a_board_s_own_configuration_names_its_own_led() {
        for board in BOARDS {
            assert_eq!(board.configured(&board.configuration()), board);
            assert_eq!(board.configured(&Configuration::default()), board);
        }
    }

    #[test]
    fn another_pin_is_another_led_and_lit_when_high() {
        let board = Led::Gpio { pin: 25, lit_high: false };
        assert_eq!(board.configured(&named(LedDriver::Gpio, Some(3))), Led::Gpio { pin: 3, lit_high: true });
        let pixel = Led::Ws2812 { pin: 12, order: ColourOrder::Grb, power: Some(11) };
        let moved = pixel.configured(&named(LedDriver::Ws2812, Some(5)));
        assert_eq!(moved, Led::Ws2812 { pin: 5, order: ColourOrder::Grb, power: None }, "its power is another pin's");
    }

    #[test]
    fn a_driver_without_a_pin_of_its_own_takes_the_board_s() {
        let board = Led::Gpio { pin: 25, lit_high: true };
        let pixel = Led::Ws2812 { pin: 25, order: ColourOrder::Grb, power: None };
        assert_eq!(board.configured(&named(LedDriver::Ws2812, None)), pixel);
        for board in [Led::None, Led::Cyw43] {
            assert_eq!(board.configured(&named(LedDriver::Gpio, None)), Led::None, "there is none to take");
        }
    }

    #[test]
    fn what_a_board_cannot_have_is_its_own_led() {
        for board in BOARDS {
            for driver in [LedDriver::NeoPixel, LedDriver::Cyw43] {
                assert_eq!(board.configured(&named(driver, None)), board, "{driver:?}");
                assert_eq!(board.configured(&named(driver, Some(PINS))), board, "{driver:?}");
            }
            assert_eq!(board.configured(&named(LedDriver::Pimoroni, Some(0))), board);
            assert_eq!(board.configured(&named(LedDriver::Pimoroni, Some(PINS - 1))), board);
            assert_eq!(board.configured(&named(LedDriver::None, Some(3))), Led::None);
        }
    }

    #[test]
    fn no_configuration_names_a_pin_that_the_chip_has_not() {
        for (board, driver) in BOARDS.into_iter().flat_map(|board| LedDriver::ALL.map(|driver| (board, driver))) {
            for pin in 0..=u8::MAX {
                let led = board.configured(&named(driver, Some(pin)));
                assert!(led.pins().all(|pin| pin < PINS), "{board:?}, {driver:?} on {pin}: {led:?}");
            }
        }
    }

    #[test]
    fn every_pin_of_a_led_is_told() {
        let pins = |led: Led| led.pins().collect::<Vec<_>>();
        assert_eq!(BOARDS.map(pins), [&[][..], &[25], &[18, 19, 20], &[16], &[12, 11], &[23, 24, 25, 29]]);
    }
}
