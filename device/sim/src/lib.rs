//! The HSM on a PC: a virtual device that answers as the real one does.
//!
//! A [`VirtualDevice`] is the card running in a thread of its own, with its flash memory and its root key in the files
//! of a [`StateDir`]. Any number of [`Interface`]s talk to it in turn: the virtual reader of pcscd ([`vpcd`]), the
//! connections of a local socket ([`socket`]), Linux over USB/IP ([`usbip`]), or a test in the same process.
#![forbid(unsafe_code)]

mod device;
mod flash;
mod frame;
mod identity;
mod platform;
pub mod socket;
mod state;
mod trace;
pub mod usbip;
pub mod vpcd;

pub use device::{Interface, Options, Stopped, VirtualDevice};
pub use flash::FileFlash;
pub use identity::DeviceKey;
pub use platform::PresencePolicy;
pub use state::{FLASH_SIZE, StateDir, StateError};
