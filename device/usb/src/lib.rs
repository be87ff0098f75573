//! The HSM on USB: CCID messages in, APDUs out, and back. It sees APDUs as bytes; never a key, never a PIN.
//!
//! | module | what it is | where it is specified |
//! |---|---|---|
//! | [`message`] | bulk and interrupt messages | CCID 1.1 §6.1-6.3 |
//! | [`ccid`] | one interface as a state machine: packets in, packets out, time in | CCID 1.1 §6, specification part 1 §1.9-1.10 |
//! | [`slot`] | the hand-over between the interfaces and the card they share | specification part 3 §4.4 |
//! | [`descriptor`] | what the device says about itself | specification part 3 §4.1, §4.3 |
//! | `embassy` | the interfaces on embassy-usb (with the feature of this name) | specification part 3 §4.4 |
//!
//! No part of it but the last waits, allocates or knows a USB controller. The large buffers belong to the card's side: command bytes
//! go there packet by packet, response bytes are taken from there packet by packet.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic
    )
)]

#[cfg(test)]
extern crate std;

pub mod ccid;
pub mod descriptor;
#[cfg(feature = "embassy")]
pub mod embassy;
pub mod message;
pub mod slot;
mod time;

pub use ccid::Ccid;
pub use slot::{Interface, Slot, SmartCard};
pub use time::Instant;

/// Bytes in a packet of every endpoint: full speed.
pub const MAX_PACKET: usize = 64;
