//! RP2040.

use super::{Facts, Rom};
use crate::entropy::Rosc;
use crate::flash;
use core::mem::transmute;
use core::ptr;
use embassy_rp::rom_data;
use ferrite_card::PlatformKind;

/// Which chip this is.
pub(crate) const KIND: PlatformKind = PlatformKind::Rp2040;

/// Words of the second stage of the boot loader, at the start of flash.
const BOOT2_WORDS: usize = 64;
const FLASH: *const u32 = 0x1000_0000 as *const u32;
/// Chip select of the flash: control of its pin.
const SELECT: *mut u32 = 0x4001_800C as *mut u32;
const SELECT_OUTPUT: u32 = 0b11 << 8;
const SELECT_LOW: u32 = 0b10 << 8;
const SELECT_HIGH: u32 = 0b11 << 8;
const SELECT_ENABLE: u32 = 0b11 << 12;
const SELECT_FLOATING: u32 = 0b10 << 12;
/// Levels of the flash's pins, and the bit of its chip select.
const LEVELS: *const u32 = 0xD000_0008 as *const u32;
const SELECT_LEVEL: u32 = 1 << 1;
/// Status and data of the flash controller.
const SSI_STATUS: *const u32 = 0x1800_0028 as *const u32;
const SSI_DATA: *mut u32 = 0x1800_0060 as *mut u32;
const SSI_MAY_SEND: u32 = 1 << 1;
const SSI_RECEIVED: u32 = 1 << 3;

/// The second stage of the boot loader, in RAM: it sets the flash controller up for fast reading.
static mut BOOT2: [u32; BOOT2_WORDS] = [0; BOOT2_WORDS];

/// The functions that write flash.
pub(crate) fn rom() -> Rom {
    let boot2 = ptr::addr_of_mut!(BOOT2);
    for word in 0..BOOT2_WORDS {
        // SAFETY: only core 0 in thread mode comes here, and flash can be read. Code in RAM is called at an odd address.
        unsafe { boot2.cast::<u32>().add(word).write_volatile(FLASH.add(word).read_volatile()) };
    }
    Rom {
        connect: rom_data::connect_internal_flash::ptr(),
        leave_xip: rom_data::flash_exit_xip::ptr(),
        erase: rom_data::flash_range_erase::ptr(),
        program: rom_data::flash_range_program::ptr(),
        flush: rom_data::flash_flush_cache::ptr(),
        // SAFETY: the second stage returns when it is called as a function.
        enter_xip: unsafe { transmute::<usize, unsafe extern "C" fn()>(boot2 as usize + 1) },
    }
}

/// Size and number of the flash chip.
///
/// # Safety
/// Nothing else runs.
pub(crate) unsafe fn facts() -> Facts {
    let rom = rom();
    let mut size = [0x9F, 0, 0, 0];
    // The command, four bytes of nothing, and the number. The RP2040 has none of its own.
    let mut number = [0x4B, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    // SAFETY: by the contract above; both buffers lie on the stack.
    unsafe {
        flash::command_from_ram(&rom, size.as_mut_ptr(), size.len());
        flash::command_from_ram(&rom, number.as_mut_ptr(), number.len());
    }
    let [_, jedec @ ..] = size;
    let [_, _, _, _, _, unique_id @ ..] = number;
    Facts { jedec, unique_id }
}

/// Sends and receives bytes with the flash chip selected.
///
/// # Safety
/// The flash controller is set up for serial commands, and nothing reads flash. Code in RAM calls it, which it joins.
#[inline(always)]
pub(crate) unsafe fn exchange(bytes: *mut u8, len: usize) {
    // SAFETY: registers of the flash controller and of its pin; `bytes` has `len` bytes by the caller's contract.
    unsafe {
        SELECT.write_volatile(SELECT.read_volatile() & !SELECT_OUTPUT | SELECT_LOW);
        for n in 0..len {
            while SSI_STATUS.read_volatile() & SSI_MAY_SEND == 0 {}
            SSI_DATA.write_volatile(u32::from(bytes.add(n).read_volatile()));
            while SSI_STATUS.read_volatile() & SSI_RECEIVED == 0 {}
            bytes.add(n).write_volatile(SSI_DATA.read_volatile() as u8);
        }
        SELECT.write_volatile(SELECT.read_volatile() | SELECT_HIGH);
        SELECT.write_volatile(SELECT.read_volatile() & !SELECT_OUTPUT);
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

/// The entropy source: the ring oscillator.
pub(crate) type Source = Rosc;

/// Burning a root key into the chip: there is no memory for that.
pub(crate) fn take_fused_root_key() -> Option<crate::identity::RootKey> {
    None
}

/// There is nothing to burn a key into.
pub(crate) const CAN_FUSE: bool = false;

/// Never called.
pub(crate) fn fuse_root_key(_: &[u8; 32]) -> bool {
    false
}

/// Ends in the boot loader.
pub(crate) fn enter_boot_loader() -> ! {
    rom_data::reset_to_usb_boot(0, 0);
    crate::power::reset()
}
