//! What was known about the board when the firmware was built; `cargo xtask firmware` has the table of boards.

use core::ptr;
use ferrite_board::led::Led;
use ferrite_proto::configuration::{Configuration, UsbIds};

/// What holds where the owner configured nothing.
pub(crate) fn defaults() -> Configuration {
    Configuration { usb_ids: Some(UsbIds { vendor: VID, product: PID }), ..LED.configuration() }
}

/// Bytes of flash that the firmware takes.
pub(crate) fn firmware_size() -> u32 {
    unsafe extern "C" {
        static __sidata: u8;
        static __sdata: u8;
        static __edata: u8;
    }
    const FLASH: usize = 0x1000_0000;
    let end = ptr::addr_of!(__sidata) as usize + ptr::addr_of!(__edata) as usize - ptr::addr_of!(__sdata) as usize;
    (end - FLASH) as u32
}

include!(concat!(env!("OUT_DIR"), "/board.rs"));
