//! Time since the start, from the chip's timer of 1 MHz.

use embassy_time::Instant;

/// Milliseconds since the start.
pub(crate) fn millis() -> u64 {
    Instant::now().as_millis()
}
