//! The interfaces on embassy-usb, over any of its drivers.
//!
//! A firmware has a [`Reader`] in a `static`. Its interrupt executor runs [`Usb::run`]; its thread, which has the card,
//! runs [`Reader::serve`]. A virtual device runs the same two over a driver of its own.

mod control;
mod device;
mod interface;
mod reader;

pub use device::{Buffers, Usb};
pub use reader::Reader;
