//! The wires to the radio chip, whose LED `ferrite_board::cyw43` switches.

use super::driver::pin;
use embassy_rp::gpio::{Flex, Level, Output};
use ferrite_board::cyw43::{self, pins};

/// How long the clock stays at a level at least, in cycles of the processor: the radio takes 50 MHz.
const HALF_A_PULSE: u32 = 12;

/// The radio's pins.
pub(super) struct Wires {
    power: Output<'static>,
    select: Output<'static>,
    clock: Output<'static>,
    data: Flex<'static>,
}

impl Wires {
    /// The pins of a radio that has no power.
    pub(super) fn new() -> Self {
        let output = |number, level| Output::new(pin(number), level);
        let mut data = Flex::new(pin(pins::DATA));
        data.set_low();
        data.set_as_output();
        Self {
            power: output(pins::POWER, Level::Low),
            select: output(pins::SELECT, Level::High),
            clock: output(pins::CLOCK, Level::Low),
            data,
        }
    }
}

impl cyw43::Wires for Wires {
    fn power(&mut self, on: bool) {
        self.power.set_level(Level::from(on));
    }

    fn select(&mut self, selected: bool) {
        self.select.set_level(Level::from(!selected));
    }

    fn clock(&mut self, high: bool) {
        self.clock.set_level(Level::from(high));
        cortex_m::asm::delay(HALF_A_PULSE);
    }

    fn drive(&mut self, level: Option<bool>) {
        match level {
            Some(high) => {
                self.data.set_level(Level::from(high));
                self.data.set_as_output();
            }
            None => self.data.set_as_input(),
        }
    }

    fn level(&mut self) -> bool {
        self.data.is_high()
    }
}
