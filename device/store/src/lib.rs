//! Objects on NOR flash: sealed, transactional, power-safe.
#![no_std]
#![forbid(unsafe_code)]

mod flash;
pub use flash::{Flash, FlashError, PAGE_SIZE, WORD_SIZE};
