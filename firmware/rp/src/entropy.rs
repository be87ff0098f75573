//! Raw entropy. Health tests, conditioning and the generator behind them are the card's.

use embassy_rp::pac::ROSC;

/// The source does not deliver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failure;

/// A source of raw bytes with at least one bit of entropy each.
pub(crate) trait Raw {
    /// One byte.
    fn byte(&mut self) -> Result<u8, Failure>;
}

/// The ring oscillator, read against the crystal's clock.
///
/// A bit is one reading that differs from the reading before it in a pair (von Neumann): pairs that agree are thrown
/// away, so a level that is preferred does not show. A byte takes eight bits, of which one bit of entropy in all is
/// counted on.
pub(crate) struct Rosc;

impl Rosc {
    /// Turns of a short loop between two readings, so that the oscillator's drift adds up.
    const SPACING: u32 = 25;
    /// Pairs that may agree in a row. A source of independent bits reaches this once in 2^64.
    const MOST_EQUAL_PAIRS: usize = 64;

    /// The oscillator runs since power-up.
    pub(crate) fn start() -> Self {
        Self
    }

    fn reading() -> bool {
        for _ in 0..Self::SPACING {
            cortex_m::asm::nop();
        }
        ROSC.randombit().read().randombit()
    }
}

impl Raw for Rosc {
    fn byte(&mut self) -> Result<u8, Failure> {
        let bit = || (0..Self::MOST_EQUAL_PAIRS).map(|_| (Self::reading(), Self::reading())).find(|(a, b)| a != b);
        let mut byte = 0;
        for _ in 0..8 {
            let (first, _) = bit().ok_or(Failure)?;
            byte = byte << 1 | u8::from(first);
        }
        Ok(byte)
    }
}
