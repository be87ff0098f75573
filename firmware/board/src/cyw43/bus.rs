//! gSPI: commands of 32 bits, highest bit first, over one data line that turns around for an answer.
//!
//! | bits | |
//! |---|---|
//! | 31 | write |
//! | 30 | addresses count up |
//! | 29, 28 | function: 0 the bus itself, 1 the backplane |
//! | 27 to 11 | address |
//! | 10 to 0 | bytes of data |
//!
//! After its reset the radio takes words of 16 bits, the lower half of a command first.

/// The wires to the radio.
pub trait Wires {
    /// Switches its power.
    fn power(&mut self, on: bool);
    /// Selects it, or does not.
    fn select(&mut self, selected: bool);
    /// Sets the clock, and leaves it so for long enough.
    fn clock(&mut self, high: bool);
    /// Drives the data line; `None` lets go of it, for the radio to drive.
    fn drive(&mut self, level: Option<bool>);
    /// What the data line is at.
    fn level(&mut self) -> bool;
}

/// Which part of the radio a command is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    Bus = 0,
    Backplane = 1,
}

/// A register, and how it is reached.
#[derive(Debug, Clone, Copy)]
pub(super) struct Register {
    function: Function,
    address: u32,
    bytes: u32,
    is_swapped: bool,
}

/// Registers of the backplane itself lie above its window, which ends here.
const WINDOW_SIZE: u32 = 0x8000;

impl Register {
    pub(super) const BUS_CONTROL: Self = Self::new(Function::Bus, 0x00, 4);
    pub(super) const TEST: Self = Self::new(Function::Bus, 0x14, 4);
    /// How late answers from the backplane come.
    pub(super) const BACKPLANE_DELAY: Self = Self::new(Function::Bus, 0x1D, 1);
    /// What the window shows: bits 8 to 15, 16 to 23, 24 to 31 of an address.
    pub(super) const WINDOW: [Self; 3] = [
        Self::new(Function::Backplane, 0x1000A, 1),
        Self::new(Function::Backplane, 0x1000B, 1),
        Self::new(Function::Backplane, 0x1000C, 1),
    ];
    pub(super) const CLOCK: Self = Self::new(Function::Backplane, 0x1000E, 1);
    pub(super) const PIN_OUTPUT: Self = Self::chip_common(0x64);
    pub(super) const PIN_ENABLE: Self = Self::chip_common(0x68);
    /// Pins that something else than ChipCommon drives.
    pub(super) const PIN_CONTROL: Self = Self::chip_common(0x6C);

    const fn new(function: Function, address: u32, bytes: u32) -> Self {
        Self { function, address, bytes, is_swapped: false }
    }

    /// A register of ChipCommon, when the window shows that. The bit above the window says that it has 32 bits.
    const fn chip_common(offset: u32) -> Self {
        Self::new(Function::Backplane, WINDOW_SIZE | offset, 4)
    }

    /// The same, in the order of words that holds after a reset.
    pub(super) const fn swapped(self) -> Self {
        Self { is_swapped: true, ..self }
    }

    /// The command that reads or writes it.
    pub(super) const fn command(self, is_write: bool) -> u32 {
        (is_write as u32) << 31 | 1 << 30 | (self.function as u32) << 28 | (self.address & 0x1_FFFF) << 11 | self.bytes
    }

    fn ordered(self, word: u32) -> u32 {
        if self.is_swapped { word.rotate_left(16) } else { word }
    }

    /// Writes it.
    pub(super) fn write(self, wires: &mut impl Wires, value: u32) {
        wires.select(true);
        send(wires, self.ordered(self.command(true)));
        send(wires, self.ordered(value));
        finish(wires);
    }

    /// Reads it. What is no answer is some number.
    pub(super) fn read(self, wires: &mut impl Wires) -> u32 {
        wires.select(true);
        send(wires, self.ordered(self.command(false)));
        wires.drive(None);
        if self.function == Function::Backplane {
            receive(wires);
        }
        let value = receive(wires);
        finish(wires);
        self.ordered(value)
    }
}

/// The radio takes a bit when the clock rises.
fn send(wires: &mut impl Wires, word: u32) {
    for n in (0..u32::BITS).rev() {
        wires.drive(Some(word >> n & 1 != 0));
        wires.clock(true);
        wires.clock(false);
    }
}

/// A bit is there before the clock rises; the next one comes with it.
fn receive(wires: &mut impl Wires) -> u32 {
    (0..u32::BITS).fold(0, |word, _| {
        let bit = u32::from(wires.level());
        wires.clock(true);
        wires.clock(false);
        word << 1 | bit
    })
}

fn finish(wires: &mut impl Wires) {
    wires.select(false);
    wires.drive(Some(false));
}
