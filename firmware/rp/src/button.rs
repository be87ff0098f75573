//! BOOTSEL as the button that confirms.

use crate::chip;
use crate::clock::millis;
use crate::flash::exclusively;
use crate::usb;
use core::time::Duration;
use ferrite_board::button::Press;
use ferrite_card::Presence;

/// Between two samples, in milliseconds.
const EVERY: u64 = 5;

/// Waits for a new press. What is held at the start does not count until it was let go.
pub(crate) fn confirm(limit: Duration) -> Presence {
    let start = millis();
    let mut press = Press::new(start);
    loop {
        let now = millis();
        if usb::READER.is_abandoned() {
            return Presence::Cancelled;
        }
        // SAFETY: within `exclusively` interrupts are off and the other core sleeps in RAM.
        let Ok(is_pressed) = exclusively(|| unsafe { chip::is_button_pressed() }) else { return Presence::Refused };
        if press.sample(is_pressed, now) {
            return Presence::Confirmed;
        }
        if u128::from(now.saturating_sub(start)) >= limit.as_millis() {
            return Presence::TimedOut;
        }
        // The LED's task interrupts often enough.
        while millis() < now.saturating_add(EVERY) {
            cortex_m::asm::wfe();
        }
    }
}
