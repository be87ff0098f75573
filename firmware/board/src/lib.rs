//! What every board needs and no register knows about: where things lie on flash, how bytes become flash pages, what
//! the LED shows, how a radio chip is told to light one, when a press counts, and how a root key is kept in
//! one-time-programmable memory.
//!
//! The firmware of each chip family puts registers below this; the host runs the tests.
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

pub mod button;
pub mod cyw43;
pub mod layout;
pub mod led;
pub mod otp;
pub mod pages;
pub mod reserved;
