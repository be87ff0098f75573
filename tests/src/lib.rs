//! End-to-end tests of Ferrite.
//!
//! [`script`] runs scripts of APDUs with expected answers against any device; [`in_process`] is the card in the same process,
//! [`over_socket`] one in a process of its own that can be killed at any moment, [`on_chip`] one for a chip's instruction set,
//! [`emulated`] the firmware of a Pico, both in an emulator. [`client`] lets the client library talk to
//! the first.
//! [`usb`] is a host's end of USB, by which the same scripts reach the device through its USB stack.
//! [`bench`] is a workbench for real clients: a virtual device in pcscd's reader, and OpenSC's tools around it;
//! [`tool`] runs `pico-hsm-tool` against a virtual device on a socket, [`proxy`] against a card that answers otherwise,
//! [`terminal`] on a terminal with somebody who types;
//! [`guide`] runs the guides of the documentation.
//! [`signatures`] is what these sign and OpenSSL verifies.
#![forbid(unsafe_code)]

pub mod bench;
pub mod client;
pub mod emulated;
pub mod files;
pub mod guide;
pub mod in_process;
pub mod on_chip;
pub mod over_socket;
mod pcscd;
pub mod proxy;
pub mod script;
pub mod signatures;
mod sim;
mod temp;
pub mod terminal;
pub mod tool;
pub mod usb;

pub use temp::TempDir;
