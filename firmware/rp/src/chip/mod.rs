//! What differs between the two chips (registers of the flash controller and its pins, the unique id, entropy, fuses),
//! and what they do alike with it.

#[cfg(feature = "rp2040")]
mod rp2040;
#[cfg(feature = "rp2350")]
mod rp2350;

#[cfg(feature = "rp2040")]
pub(crate) use rp2040::*;
#[cfg(feature = "rp2350")]
pub(crate) use rp2350::*;

use core::mem::transmute;
use core::ptr;
use embassy_rp::rom_data;
use ferrite_board::layout::{self, Layout};

/// Words of the code that lets flash be read fast.
const XIP_SETUP_WORDS: usize = 64;

/// That code, in RAM.
static mut XIP_SETUP_IN_RAM: [u32; XIP_SETUP_WORDS] = [0; XIP_SETUP_WORDS];

/// The functions of the boot ROM that write flash, and the code that lets flash be read fast again. Looked up while flash
/// can still be read.
pub(crate) struct Rom {
    pub(crate) connect: unsafe extern "C" fn(),
    pub(crate) leave_xip: unsafe extern "C" fn(),
    pub(crate) erase: unsafe extern "C" fn(u32, usize, u32, u8),
    pub(crate) program: unsafe extern "C" fn(u32, *const u8, usize),
    pub(crate) flush: unsafe extern "C" fn(),
    pub(crate) enter_xip: unsafe extern "C" fn(),
}

/// The functions that write flash.
pub(crate) fn rom() -> Rom {
    let setup = ptr::addr_of_mut!(XIP_SETUP_IN_RAM);
    for word in 0..XIP_SETUP_WORDS {
        // SAFETY: only core 0 in thread mode comes here, and what is copied can be read now.
        unsafe { setup.cast::<u32>().add(word).write_volatile(XIP_SETUP.add(word).read_volatile()) };
    }
    Rom {
        connect: rom_data::connect_internal_flash::ptr(),
        leave_xip: rom_data::flash_exit_xip::ptr(),
        erase: rom_data::flash_range_erase::ptr(),
        program: rom_data::flash_range_program::ptr(),
        flush: rom_data::flash_flush_cache::ptr(),
        // SAFETY: this code returns when it is called as a function. Thumb code in RAM is called at an odd address.
        enter_xip: unsafe { transmute::<usize, unsafe extern "C" fn()>(setup as usize + 1) },
    }
}

/// Whether the BOOTSEL button is pressed: it pulls the flash's chip select low, so the pin is let go for a moment.
///
/// # Safety
/// Interrupts are off and the other core sleeps in RAM.
#[inline(never)]
#[unsafe(link_section = ".data.ram")]
pub(crate) unsafe fn is_button_pressed() -> bool {
    // SAFETY: registers of one pin; nothing reads flash while it floats.
    unsafe {
        let before = SELECT.read_volatile();
        SELECT.write_volatile(before & !SELECT_ENABLE | SELECT_FLOATING);
        for _ in 0..1000 {
            core::arch::asm!("nop");
        }
        let level = LEVELS.read_volatile() & SELECT_LEVEL;
        SELECT.write_volatile(before);
        level == 0
    }
}

/// What the hardware says about itself.
pub(crate) struct Facts {
    jedec: [u8; 3],
    unique_id: [u8; 8],
}

impl Facts {
    /// Where things lie on the flash; `None` if it is too small or does not say how large it is.
    pub(crate) fn layout(&self) -> Option<Layout> {
        layout::size_by_jedec(self.jedec).and_then(Layout::of)
    }

    /// The unique id; `None` if there is none.
    pub(crate) fn unique_id(&self) -> Option<[u8; 8]> {
        (self.unique_id != [0; 8] && self.unique_id != [0xFF; 8]).then_some(self.unique_id)
    }
}
