//! The status LED: which one it is (`wiring`), what it shows (`pattern`), and in which colours (`colour`).

mod colour;
mod pattern;
mod wiring;

pub use colour::Rgb;
pub use pattern::{MAX_BRIGHTNESS, Status, Style, frame};
pub use wiring::{Led, PINS};
