//! The LED behind a CYW43439 radio chip, without the radio's firmware.
//!
//! The LED of the Pico W and the Pico 2 W hangs on pin 0 of the radio, which vendors' drivers switch by asking the
//! firmware that they have loaded into it. That firmware is not free. The radio's *backplane*, the bus that its parts hang
//! on, can be reached from outside without any: it is the way on which firmware gets there. One of these parts,
//! ChipCommon, has the registers of the radio's pins.
//!
//! Here is what goes over the radio's serial bus (gSPI) for that, from wire levels up; [`Wires`] are the pins. Every call of
//! [`Radio::step`] sends one command at most. A radio that does not answer as it should is switched off.

mod bus;
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

pub use bus::Wires;

use bus::Register;

/// The pins that the radio is on, on every board that has one.
pub mod pins {
    /// WL_REG_ON, its power.
    pub const POWER: u8 = 23;
    /// Data, in both directions.
    pub const DATA: u8 = 24;
    /// Select, low when selected.
    pub const SELECT: u8 = 25;
    /// Clock.
    pub const CLOCK: u8 = 29;
    /// All of them.
    pub const ALL: [u8; 4] = [POWER, DATA, SELECT, CLOCK];
}

/// What the test register holds.
const TEST_PATTERN: u32 = 0xFEED_BEAD;
/// Words of 32 bits; data on the same edge both ways; interrupts high; awake. No status behind an answer.
const BUS_SETTINGS: u32 = 0xB1;
/// Bytes that an answer from the backplane comes late.
const BACKPLANE_DELAY: u32 = 4;
/// The slow clock of the backplane is asked for, and there.
const ALP_REQUEST: u32 = 0x08;
const ALP_AVAILABLE: u32 = 0x40;
/// Where ChipCommon is: what the window shows of the backplane.
const CHIP_COMMON: [u32; 3] = [0x00, 0x00, 0x18];
/// The LED's pin in the registers of pins.
const LED: u32 = 1 << 0;

/// How long an expected value may take to come, in milliseconds.
const PATIENCE: u64 = 100;

/// A step of the start.
#[derive(Debug, Clone, Copy)]
enum Step {
    Power(bool),
    Wait(u64),
    Expect { register: Register, mask: u32, value: u32 },
    Write(Register, u32),
}

/// From no power to a LED that is there and dark.
const START: [Step; 16] = [
    Step::Power(false),
    Step::Wait(20),
    Step::Power(true),
    // It asks for 150.
    Step::Wait(250),
    Step::Expect { register: Register::TEST.swapped(), mask: u32::MAX, value: TEST_PATTERN },
    Step::Write(Register::BUS_CONTROL.swapped(), BUS_SETTINGS),
    Step::Expect { register: Register::TEST, mask: u32::MAX, value: TEST_PATTERN },
    Step::Write(Register::BACKPLANE_DELAY, BACKPLANE_DELAY),
    // Asked for as long as the LED is in use: without firmware nobody else does.
    Step::Write(Register::CLOCK, ALP_REQUEST),
    Step::Expect { register: Register::CLOCK, mask: ALP_AVAILABLE, value: ALP_AVAILABLE },
    Step::Write(Register::WINDOW[0], CHIP_COMMON[0]),
    Step::Write(Register::WINDOW[1], CHIP_COMMON[1]),
    Step::Write(Register::WINDOW[2], CHIP_COMMON[2]),
    // After a reset these registers are zero, so that no other pin is changed.
    Step::Write(Register::PIN_CONTROL, 0),
    Step::Write(Register::PIN_OUTPUT, 0),
    Step::Write(Register::PIN_ENABLE, LED),
];

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// At this step of [`START`], since this time.
    Starting { step: usize, since: u64 },
    /// The LED shows this.
    Ready { is_lit: bool },
    /// It did not answer, and has no power.
    Failed,
}

/// A radio chip whose LED is used.
#[derive(Debug)]
pub struct Radio<W> {
    wires: W,
    progress: Progress,
}

impl<W: Wires> Radio<W> {
    /// The radio on these wires. Its start takes some calls of [`Self::step`].
    pub fn new(wires: W) -> Self {
        Self { wires, progress: Progress::Starting { step: 0, since: 0 } }
    }

    /// Goes on at this time, in milliseconds, to a LED that is lit or dark. Returns whether there is anything to hope for.
    pub fn step(&mut self, now: u64, lit: bool) -> bool {
        self.progress = match self.progress {
            Progress::Starting { step, since } => self.start(step, since, now),
            Progress::Ready { is_lit } => {
                if is_lit != lit {
                    Register::PIN_OUTPUT.write(&mut self.wires, if lit { LED } else { 0 });
                }
                Progress::Ready { is_lit: lit }
            }
            Progress::Failed => Progress::Failed,
        };
        self.progress != Progress::Failed
    }

    fn start(&mut self, step: usize, since: u64, now: u64) -> Progress {
        let waited = now.saturating_sub(since);
        let (is_done, patience) = match START.get(step) {
            None => return Progress::Ready { is_lit: false },
            Some(Step::Power(on)) => {
                self.wires.power(*on);
                (true, 0)
            }
            Some(Step::Wait(time)) => (waited >= *time, *time),
            Some(Step::Expect { register, mask, value }) => (register.read(&mut self.wires) & mask == *value, PATIENCE),
            Some(Step::Write(register, value)) => {
                register.write(&mut self.wires, *value);
                (true, 0)
            }
        };
        if is_done {
            Progress::Starting { step: step.saturating_add(1), since: now }
        } else if waited > patience {
            self.wires.power(false);
            Progress::Failed
        } else {
            Progress::Starting { step, since }
        }
    }
}
