//! Algorithms of the HSM; no protocol.
#![no_std]

mod join;
pub use join::{Join, Sequential};
