//! RP2040.

use super::Facts;
use crate::entropy::Rosc;
use crate::flash;
use core::ops::Range;
use embassy_rp::rom_data;
use ferrite_card::PlatformKind;
use ferrite_store::FlashError;

/// Which chip this is.
pub(crate) const KIND: PlatformKind = PlatformKind::Rp2040;

/// RAM: where it starts and ends.
pub(crate) const RAM: Range<u32> = 0x2000_0000..0x2004_2000;
/// What a reset takes with it, as the power-on state machine counts it: all but the two oscillators.
pub(crate) const RESETS: u32 = 0x0001_FFFC;

/// The second stage of the boot loader, at the start of flash: it sets the flash controller up for fast reading.
pub(super) const XIP_SETUP: *const u32 = 0x1000_0000 as *const u32;
/// Chip select of the flash: control of its pin.
pub(super) const SELECT: *mut u32 = 0x4001_800C as *mut u32;
const SELECT_OUTPUT: u32 = 0b11 << 8;
const SELECT_LOW: u32 = 0b10 << 8;
const SELECT_HIGH: u32 = 0b11 << 8;
pub(super) const SELECT_ENABLE: u32 = 0b11 << 12;
pub(super) const SELECT_FLOATING: u32 = 0b10 << 12;
/// Levels of the flash's pins, and the bit of its chip select.
pub(super) const LEVELS: *const u32 = 0xD000_0008 as *const u32;
pub(super) const SELECT_LEVEL: u32 = 1 << 1;
/// Status and data of the flash controller.
const SSI_STATUS: *const u32 = 0x1800_0028 as *const u32;
const SSI_DATA: *mut u32 = 0x1800_0060 as *mut u32;
const SSI_MAY_SEND: u32 = 1 << 1;
const SSI_RECEIVED: u32 = 1 << 3;

/// Size and number of the flash chip; the RP2040 has no number of its own.
pub(crate) fn facts() -> Result<Facts, FlashError> {
    let [_, jedec @ ..] = flash::command([0x9F, 0, 0, 0])?;
    // The command, four bytes of nothing, and the number.
    let [_, _, _, _, _, unique_id @ ..] = flash::command([0x4B, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])?;
    Ok(Facts { jedec, unique_id })
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

/// Ends in the boot loader. Uses nothing that lies in RAM.
pub(crate) extern "C" fn enter_boot_loader() -> ! {
    rom_data::reset_to_usb_boot(0, 0);
    crate::power::trigger_reset()
}
