//! What the status LED shows (specification part 3 §5).
//!
//! | | colour | lit, dark (ms) |
//! |---|---|---|
//! | no host yet | red | 500, 500 |
//! | ready | green | 500, 500 |
//! | idle: powered off by the host | blue | 1000, 2000 |
//! | working on a command | green | 50, 50 |
//! | waiting for a press | yellow | 1000, 100 |
//! | storage or entropy failed | red | always lit |
//!
//! The times are literal: lit for so long, dark for so long. A LED of one colour shows the rhythm only.

use super::Rgb;

/// What there is to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// No host has powered the card yet.
    NotMounted,
    /// The host has powered the card.
    Mounted,
    /// The host has powered the card off, or the bus sleeps.
    Suspended,
    /// A command is being worked on.
    Processing,
    /// Somebody should press the button.
    Presence,
    /// Storage or entropy failed.
    Fault,
}

/// How the owner wants it shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// 0 (dark) to 15.
    pub brightness: u8,
    /// Rise and fall instead of blinking, on LEDs that can.
    pub dimmable: bool,
    /// No rhythm: the colour alone tells.
    pub steady: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self { brightness: MAX_BRIGHTNESS, dimmable: false, steady: false }
    }
}

/// Full brightness.
pub const MAX_BRIGHTNESS: u8 = 15;
/// The least that the LED shows while it waits for a press: a request nobody can see would be granted by accident.
const LEAST_FOR_PRESENCE: u8 = 4;

/// Colour, time lit and time dark in milliseconds.
fn pattern(status: Status) -> (Rgb, u32, u32) {
    match status {
        Status::NotMounted => (Rgb::RED, 500, 500),
        Status::Mounted => (Rgb::GREEN, 500, 500),
        Status::Suspended => (Rgb::BLUE, 1000, 2000),
        Status::Processing => (Rgb::GREEN, 50, 50),
        Status::Presence => (Rgb::YELLOW, 1000, 100),
        Status::Fault => (Rgb::RED, 1, 0),
    }
}

/// What to show this many milliseconds after the status began.
pub fn frame(status: Status, millis: u64, style: Style) -> Rgb {
    let (colour, on, off) = pattern(status);
    let period = u64::from(on.saturating_add(off)).max(1);
    let phase = u32::try_from(millis.checked_rem(period).unwrap_or(0)).unwrap_or(0);
    let brightness = match status {
        Status::Presence => style.brightness.max(LEAST_FOR_PRESENCE),
        _ => style.brightness,
    };
    let full = u32::from(brightness.min(MAX_BRIGHTNESS));
    // How far the LED is lit, as a fraction.
    let (numerator, denominator) = match (style.steady || off == 0, style.dimmable) {
        (true, _) => (1, 1),
        (false, false) => (u32::from(phase < on), 1),
        (false, true) if phase < on => (phase, on.max(1)),
        (false, true) => (off.saturating_sub(phase.saturating_sub(on)), off.max(1)),
    };
    let scale = |component: u8| {
        let lit = u32::from(component).saturating_mul(full).saturating_mul(numerator);
        let whole = u32::from(MAX_BRIGHTNESS).saturating_mul(denominator).max(1);
        u8::try_from(lit.checked_div(whole).unwrap_or(0)).unwrap_or(u8::MAX)
    };
    Rgb(colour.0.map(scale))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn times_are_literal() {
        for (status, on, off) in [
            (Status::NotMounted, 500, 500),
            (Status::Mounted, 500, 500),
            (Status::Suspended, 1000, 2000),
            (Status::Processing, 50, 50),
            (Status::Presence, 1000, 100),
        ] {
            for start in [0, 3 * (on + off)] {
                let lit = (start..start + on + off).filter(|t| frame(status, *t, Style::default()).is_lit());
                assert_eq!(lit.collect::<Vec<_>>(), (start..start + on).collect::<Vec<_>>(), "{status:?}");
            }
        }
        assert!((0..5000).all(|t| frame(Status::Fault, t, Style::default()) == Rgb::RED));
    }

    #[test]
    fn brightness_scales_and_zero_is_dark_but_for_presence() {
        let dim = Style { brightness: 5, ..Style::default() };
        assert_eq!(frame(Status::Mounted, 0, dim), Rgb([0, 85, 0]));
        let dark = Style { brightness: 0, ..Style::default() };
        assert!((0..1000).all(|t| !frame(Status::Mounted, t, dark).is_lit()));
        assert!(frame(Status::Presence, 0, dark).is_lit());
        let bright = Style { brightness: 200, ..Style::default() };
        assert_eq!(frame(Status::Mounted, 0, bright), Rgb::GREEN);
    }

    #[test]
    fn a_dimmed_led_rises_and_falls() {
        let style = Style { dimmable: true, ..Style::default() };
        let at = |t| frame(Status::Suspended, t, style).0[2];
        assert_eq!((at(0), at(500), at(1000), at(2000)), (0, 127, 255, 127));
        assert!((0..999).all(|t| at(t) <= at(t + 1)) && (1000..2999).all(|t| at(t) >= at(t + 1)));
    }

    #[test]
    fn a_steady_led_never_goes_dark() {
        let style = Style { steady: true, ..Style::default() };
        for status in [Status::NotMounted, Status::Suspended, Status::Processing, Status::Presence] {
            assert!((0..4000).all(|t| frame(status, t, style).is_lit()), "{status:?}");
        }
    }
}
