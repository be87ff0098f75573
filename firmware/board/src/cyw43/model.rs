//! The radio's end of the wires, as far as its publisher and free drivers describe it.

use super::bus::Wires;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::vec::Vec;

/// How long it takes from power to the first answer, in milliseconds.
const BOOT: u64 = 150;

/// What a radio can be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    /// It is there at all.
    pub(super) is_there: bool,
    /// It is in words of 32 bits from the start.
    pub(super) starts_in_long_words: bool,
    /// How often its clock register is read before the clock runs.
    pub(super) clock_after: u32,
}

impl Kind {
    pub(super) const GOOD: Self = Self { is_there: true, starts_in_long_words: false, clock_after: 3 };
}

/// What a reset brings about.
#[derive(Debug)]
struct Chip {
    since: u64,
    has_long_words: bool,
    backplane_delay: usize,
    window: [u8; 3],
    clock: u8,
    clock_reads: u32,
    pin_output: u32,
    pin_enable: u32,
    pin_control: u32,
}

impl Chip {
    fn new(since: u64, kind: Kind) -> Self {
        Self {
            since,
            has_long_words: kind.starts_in_long_words,
            backplane_delay: 0,
            window: [0; 3],
            clock: 0,
            clock_reads: 0,
            pin_output: 0,
            pin_enable: 0,
            // As if something else had the pin.
            pin_control: 1,
        }
    }

    fn ordered(&self, word: u32) -> u32 {
        if self.has_long_words { word } else { word.rotate_left(16) }
    }

    fn clock_runs(&self, kind: Kind) -> bool {
        self.clock & 0x08 != 0 && self.clock_reads > kind.clock_after
    }

    /// The register of ChipCommon that an access of 32 bits through the window reaches.
    fn through_window(&mut self, address: u32, bytes: u32) -> Option<&mut u32> {
        let [low, mid, high] = self.window.map(u32::from);
        let base = high << 24 | mid << 16 | (low & 0x80) << 8;
        match (base | (address & 0x7FFF), address & 0x8000, bytes) {
            (0x1800_0064, 0x8000, 4) => Some(&mut self.pin_output),
            (0x1800_0068, 0x8000, 4) => Some(&mut self.pin_enable),
            (0x1800_006C, 0x8000, 4) => Some(&mut self.pin_control),
            _ => None,
        }
    }

    fn read(&mut self, kind: Kind, function: u32, address: u32) -> u32 {
        match (function, address) {
            (0, 0x14) => 0xFEED_BEAD,
            (1, 0x1000E) => {
                self.clock_reads += 1;
                u32::from(self.clock) | if self.clock_runs(kind) { 0x40 } else { 0 }
            }
            other => panic!("nothing is known of reading {other:X?}"),
        }
    }

    fn write(&mut self, kind: Kind, function: u32, address: u32, bytes: u32, value: u32) {
        let byte = value as u8;
        match (function, address, bytes) {
            (0, 0x00, 4) => {
                self.has_long_words = value & 0x01 != 0;
                assert_eq!(value & 0x0E, 0, "byte order and clock stay as they are");
                assert_eq!(value & 0x01_0000, 0, "nobody reads a status behind an answer");
            }
            (0, 0x1D, 1) => self.backplane_delay = usize::from(byte),
            (1, 0x1000A, 1) => self.window[0] = byte,
            (1, 0x1000B, 1) => self.window[1] = byte,
            (1, 0x1000C, 1) => self.window[2] = byte,
            (1, 0x1000E, 1) => self.clock = byte,
            (1, ..0x10000, _) if self.clock_runs(kind) => {
                *self.through_window(address, bytes).expect("a register of pins") = value;
            }
            other => panic!("nothing is known of writing {other:X?}"),
        }
    }
}

/// A command on its way.
#[derive(Debug, Default)]
struct Exchange {
    received: Vec<bool>,
    answer: VecDeque<bool>,
    is_answering: bool,
    level: bool,
}

#[derive(Debug)]
struct State {
    kind: Kind,
    now: u64,
    chip: Option<Chip>,
    selected: Option<Exchange>,
    clock: bool,
    host: Option<bool>,
    pulses: u32,
}

/// A radio, seen by its wires and by whoever looks at its LED.
#[derive(Debug, Clone)]
pub(super) struct Model(Rc<RefCell<State>>);

impl Model {
    pub(super) fn new(kind: Kind) -> Self {
        Self(Rc::new(RefCell::new(State {
            kind,
            now: 0,
            chip: None,
            selected: None,
            clock: false,
            host: Some(false),
            pulses: 0,
        })))
    }

    pub(super) fn at(&self, now: u64) {
        self.0.borrow_mut().now = now;
    }

    pub(super) fn has_power(&self) -> bool {
        self.0.borrow().chip.is_some()
    }

    pub(super) fn is_lit(&self) -> bool {
        self.0.borrow().chip.as_ref().is_some_and(|chip| chip.pin_output & chip.pin_enable & !chip.pin_control & 1 != 0)
    }

    /// Which of the radio's pins are outputs.
    pub(super) fn outputs(&self) -> u32 {
        self.0.borrow().chip.as_ref().map_or(0, |chip| chip.pin_enable)
    }

    /// Pulses of the clock since this was asked last.
    pub(super) fn pulses(&self) -> u32 {
        std::mem::take(&mut self.0.borrow_mut().pulses)
    }
}

impl State {
    /// The clock rises while the radio is selected.
    fn rise(&mut self) {
        let Self { kind, now, chip: Some(chip), selected: Some(exchange), host, .. } = self else { return };
        if !kind.is_there || now.saturating_sub(chip.since) < BOOT {
            return;
        }
        if exchange.is_answering {
            exchange.level = exchange.answer.pop_front().unwrap_or(false);
            return;
        }
        exchange.received.push(host.expect("the host drives what it sends"));
        let bits = exchange.received.len();
        if bits % 32 != 0 {
            return;
        }
        let word = |bits: &[bool]| chip.ordered(bits.iter().fold(0, |word, bit| word << 1 | u32::from(*bit)));
        let command = word(&exchange.received[..32]);
        let [function, address, bytes] = [command >> 28 & 3, command >> 11 & 0x1_FFFF, command & 0x7FF];
        if command & 1 << 30 == 0 {
            // Nothing that the host means looks so: it takes the words in another order.
            exchange.is_answering = true;
            return;
        }
        match (command >> 31 != 0, bits) {
            (true, 32) => {}
            (true, 64) => {
                let value = word(&exchange.received[32..]);
                chip.write(*kind, function, address, bytes, value);
            }
            (true, _) => panic!("more than one word was written"),
            (false, _) => {
                let value = chip.read(*kind, function, address);
                let value = chip.ordered(value);
                let delay = if function == 1 { 8 * chip.backplane_delay } else { 0 };
                exchange.answer.extend(std::iter::repeat_n(true, delay));
                exchange.answer.extend((0..32).rev().map(|n| value >> n & 1 != 0));
                exchange.is_answering = true;
                exchange.level = exchange.answer.pop_front().unwrap_or(false);
            }
        }
    }
}

impl Wires for Model {
    fn power(&mut self, on: bool) {
        let mut state = self.0.borrow_mut();
        if on && state.chip.is_none() {
            assert_eq!(state.host, Some(false), "a data line that is low now chooses this bus");
            state.chip = Some(Chip::new(state.now, state.kind));
        } else if !on {
            state.chip = None;
        }
    }

    fn select(&mut self, selected: bool) {
        let mut state = self.0.borrow_mut();
        assert!(!state.clock, "the clock is low between commands");
        state.selected = selected.then(Exchange::default);
    }

    fn clock(&mut self, high: bool) {
        let mut state = self.0.borrow_mut();
        assert_ne!(state.clock, high, "an edge");
        state.clock = high;
        if high {
            state.pulses += 1;
            state.rise();
        }
    }

    fn drive(&mut self, level: Option<bool>) {
        self.0.borrow_mut().host = level;
    }

    fn level(&mut self) -> bool {
        let state = self.0.borrow();
        assert_eq!(state.host, None, "only one drives the line");
        state.selected.as_ref().is_some_and(|exchange| exchange.level)
    }
}
