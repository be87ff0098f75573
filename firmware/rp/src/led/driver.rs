//! What each kind of LED needs to show a colour.

use super::cyw43::Wires;
use super::ws2812::Pixel;
use core::mem;
use embassy_rp::Peri;
use embassy_rp::gpio::{AnyPin, Level, Output};
use embassy_rp::pac;
use ferrite_board::cyw43::Radio;
use ferrite_board::led::{Led, Rgb};

/// What a pad's register holds after a reset of the chip: pulled down; on the RP2350 also isolated.
const PAD_AT_RESET: u32 = if cfg!(feature = "rp2350") { 0x116 } else { 0x56 };

/// Nothing drives the pin.
const NO_FUNCTION: u8 = 31;

/// A LED, set up.
pub(super) enum Driver {
    None,
    Gpio { pin: Output<'static>, lit_high: bool },
    Rgb([Output<'static>; 3]),
    Pixel { pixel: Pixel, _power: Option<Output<'static>> },
    Cyw43 { radio: Radio<Wires>, lit: bool },
}

impl Driver {
    /// Sets this LED up, dark.
    pub(super) fn new(led: Led) -> Self {
        match led {
            Led::None => Self::None,
            Led::Gpio { pin, lit_high } => Self::Gpio { pin: output(pin, !lit_high), lit_high },
            Led::Rgb { green } => {
                Self::Rgb([green.saturating_sub(1), green, green.saturating_add(1)].map(|pin| output(pin, true)))
            }
            Led::Ws2812 { pin, order, power } => {
                let power = power.map(|pin| output(pin, true));
                Self::Pixel { pixel: Pixel::start(pin, order), _power: power }
            }
            Led::Cyw43 => Self::Cyw43 { radio: Radio::new(Wires::new()), lit: false },
        }
    }

    /// Gives the LED up: its pins are as they were after the chip's reset.
    pub(super) fn release(self, led: Led) {
        drop(self);
        for pin in led.pins().map(usize::from) {
            pac::IO_BANK0.gpio(pin).ctrl().write(|w| w.set_funcsel(NO_FUNCTION));
            pac::PADS_BANK0.gpio(pin).write_value(pac::pads::regs::GpioCtrl(PAD_AT_RESET));
        }
    }

    /// Whether it knows more than lit and dark.
    pub(super) fn can_dim(&self) -> bool {
        matches!(self, Self::Pixel { .. })
    }

    /// Shows a colour, or whether there is one.
    pub(super) fn show(&mut self, colour: Rgb) {
        match self {
            Self::None => {}
            Self::Gpio { pin, lit_high } => pin.set_level(Level::from(colour.is_lit() == *lit_high)),
            Self::Rgb(pins) => {
                pins.iter_mut().zip(colour.0).for_each(|(pin, part)| pin.set_level(Level::from(part == 0)));
            }
            Self::Pixel { pixel, .. } => pixel.show(colour),
            Self::Cyw43 { lit, .. } => *lit = colour.is_lit(),
        }
    }

    /// Does what takes more than one call of [`Self::show`], at this time in milliseconds. A radio that does not answer is
    /// given up.
    pub(super) fn step(&mut self, now: u64) {
        if let Self::Cyw43 { radio, lit } = self
            && !radio.step(now, *lit)
        {
            mem::replace(self, Self::None).release(Led::Cyw43);
        }
    }
}

fn output(number: u8, high: bool) -> Output<'static> {
    Output::new(pin(number), Level::from(high))
}

/// A pin of the LED in force.
pub(super) fn pin(number: u8) -> Peri<'static, AnyPin> {
    // SAFETY: the LED's pins belong to this task alone.
    unsafe { AnyPin::steal(number) }
}
