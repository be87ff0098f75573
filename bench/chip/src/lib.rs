//! What the programs of an emulated Cortex-M share: the platform that the card runs on, a count of the instructions
//! executed, and what happens at a panic.
#![no_std]

pub mod clock;
mod platform;

pub use platform::Chip;

use core::panic::PanicInfo;
use cortex_m_semihosting::{debug, hprintln};

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    hprintln!("{}", info);
    debug::exit(debug::EXIT_FAILURE);
    loop {}
}
