//! RP2350, in its Arm state.

use super::Facts;
use crate::entropy::{Failure, Raw, Rosc};
use crate::flash;
use crate::identity::RootKey;
use core::ops::Range;
use embassy_rp::pac::otp::vals::{SwLockNsec, SwLockSec};
use embassy_rp::pac::{self, TRNG};
use embassy_rp::{otp, rom_data};
use ferrite_board::otp::{Otp, OtpError};
use ferrite_card::PlatformKind;
use ferrite_store::FlashError;

/// Which chip this is.
pub(crate) const KIND: PlatformKind = PlatformKind::Rp2350;

/// RAM: where it starts and ends.
pub(crate) const RAM: Range<u32> = 0x2000_0000..0x2008_2000;
/// What a reset takes with it, as the power-on state machine counts it: all but the two oscillators. The registers that
/// hide the root key are among it: after a reset it must be found again.
pub(crate) const RESETS: u32 = 0x01FF_FFF3;

/// Where the boot ROM leaves its code for reading flash fast.
pub(super) const XIP_SETUP: *const u32 = 0x400E_0000 as *const u32;
/// Chip select of the flash: control of its pin.
pub(super) const SELECT: *mut u32 = 0x4003_001C as *mut u32;
pub(super) const SELECT_ENABLE: u32 = 0b11 << 14;
pub(super) const SELECT_FLOATING: u32 = 0b10 << 14;
/// Levels of the flash's pins, and the bit of its chip select.
pub(super) const LEVELS: *const u32 = 0xD000_0008 as *const u32;
pub(super) const SELECT_LEVEL: u32 = 1 << 27;
/// The flash controller's direct mode: control, data out, data in.
const DIRECT: *mut u32 = 0x400D_0000 as *mut u32;
const DIRECT_SEND: *mut u32 = 0x400D_0004 as *mut u32;
const DIRECT_RECEIVE: *const u32 = 0x400D_0008 as *const u32;
const DIRECT_ENABLE: u32 = 1 << 0;
const DIRECT_BUSY: u32 = 1 << 1;
const DIRECT_SELECT: u32 = 1 << 2;
const DIRECT_NOTHING_RECEIVED: u32 = 1 << 16;

/// Size of the flash chip, number of the processor.
pub(crate) fn facts() -> Result<Facts, FlashError> {
    let [_, jedec @ ..] = flash::command([0x9F, 0, 0, 0])?;
    Ok(Facts { jedec, unique_id: otp::get_chipid().unwrap_or(0).to_be_bytes() })
}

/// Sends and receives bytes with the flash chip selected.
///
/// # Safety
/// The flash controller is set up for serial commands, and nothing reads flash. Code in RAM calls it, which it joins.
#[inline(always)]
pub(crate) unsafe fn exchange(bytes: *mut u8, len: usize) {
    // SAFETY: registers of the flash controller; `bytes` has `len` bytes by the caller's contract.
    unsafe {
        DIRECT.write_volatile(DIRECT.read_volatile() | DIRECT_ENABLE);
        while DIRECT.read_volatile() & DIRECT_BUSY != 0 {}
        DIRECT.write_volatile(DIRECT.read_volatile() | DIRECT_SELECT);
        for n in 0..len {
            DIRECT_SEND.write_volatile(u32::from(bytes.add(n).read_volatile()));
            while DIRECT.read_volatile() & DIRECT_NOTHING_RECEIVED != 0 {}
            bytes.add(n).write_volatile(DIRECT_RECEIVE.read_volatile() as u8);
        }
        while DIRECT.read_volatile() & DIRECT_BUSY != 0 {}
        DIRECT.write_volatile(DIRECT.read_volatile() & !(DIRECT_SELECT | DIRECT_ENABLE));
    }
}

/// The entropy source: bytes from the random number generator and from the ring oscillator in turn, so that the health
/// tests see both and neither is trusted alone.
pub(crate) struct Source {
    trng: Trng,
    rosc: Rosc,
    turn: bool,
}

impl Source {
    /// Starts both.
    pub(crate) fn start() -> Self {
        Self { trng: Trng::start(), rosc: Rosc::start(), turn: false }
    }
}

impl Raw for Source {
    fn byte(&mut self) -> Result<u8, Failure> {
        self.turn = !self.turn;
        if self.turn { self.trng.byte() } else { self.rosc.byte() }
    }
}

/// The random number generator, with its own tests left on: it gives 192 bits at a time.
struct Trng {
    block: [u8; 24],
    left: usize,
}

impl Trng {
    /// Clock cycles between samples of its ring oscillator: many, for less correlation.
    const SAMPLE_CYCLES: u32 = 100;
    /// How often the block may fail its own tests in a row.
    const ATTEMPTS: usize = 20;

    fn start() -> Self {
        TRNG.trng_sw_reset().write(|w| w.set_trng_sw_reset(true));
        // A read gives the reset the time it needs.
        let _ = TRNG.trng_sw_reset().read();
        TRNG.rng_imr().write(|w| w.0 = u32::MAX);
        TRNG.trng_config().write(|w| w.set_rnd_src_sel(1));
        TRNG.sample_cnt1().write_value(Self::SAMPLE_CYCLES);
        TRNG.trng_debug_control().write(|w| w.0 = 0);
        TRNG.rnd_source_enable().write(|w| w.set_rnd_src_en(true));
        Self { block: [0; 24], left: 0 }
    }

    /// Waits for a block that passed the tests of the hardware.
    fn refill(&mut self) -> Result<(), Failure> {
        for _ in 0..Self::ATTEMPTS {
            let is_valid = (0..1_000_000).any(|_| {
                let flags = TRNG.rng_isr().read();
                flags.ehr_valid() || flags.autocorr_err() || flags.crngt_err() || flags.vn_err()
            });
            if is_valid && TRNG.trng_valid().read().ehr_valid() {
                let words = [
                    TRNG.ehr_data0(),
                    TRNG.ehr_data1(),
                    TRNG.ehr_data2(),
                    TRNG.ehr_data3(),
                    TRNG.ehr_data4(),
                    TRNG.ehr_data5(),
                ];
                for (to, word) in self.block.chunks_exact_mut(4).zip(words) {
                    to.copy_from_slice(&word.read().to_le_bytes());
                }
                TRNG.rng_icr().write(|w| w.0 = u32::MAX);
                self.left = self.block.len();
                return Ok(());
            }
            *self = Self::start();
        }
        Err(Failure)
    }

    fn byte(&mut self) -> Result<u8, Failure> {
        if self.left == 0 {
            self.refill()?;
        }
        self.left -= 1;
        self.block.get_mut(self.left).map(core::mem::take).ok_or(Failure)
    }
}

/// One-time-programmable memory, through the boot ROM.
struct Fuses;

impl Otp for Fuses {
    fn read_raw(&mut self, row: u16) -> Result<u32, OtpError> {
        otp::read_raw_word(usize::from(row)).map(|bits| bits & 0xFF_FFFF).map_err(|_| OtpError)
    }
    fn write_raw(&mut self, row: u16, bits: u32) -> Result<(), OtpError> {
        otp::write_raw_word(usize::from(row), bits).map_err(|_| OtpError)
    }
    fn read_ecc(&mut self, row: u16) -> Result<u16, OtpError> {
        otp::read_ecc_word(usize::from(row)).map_err(|_| OtpError)
    }
    fn write_ecc(&mut self, row: u16, data: u16) -> Result<(), OtpError> {
        otp::write_ecc_word(usize::from(row), data).map_err(|_| OtpError)
    }
    fn hide(&mut self, page: u16) {
        pac::OTP.sw_lock(usize::from(page)).write(|w| {
            w.set_sec(SwLockSec::INACCESSIBLE);
            w.set_nsec(SwLockNsec::INACCESSIBLE);
        });
    }
}

/// The root key from the chip's fuses, if one was burnt. Hidden afterwards, until the next reset.
pub(crate) fn take_fused_root_key() -> Option<RootKey> {
    ferrite_board::otp::take(&mut Fuses)
}

/// A root key can be burnt.
pub(crate) const CAN_FUSE: bool = true;

/// Burns a root key. Not to be undone.
pub(crate) fn fuse_root_key(key: &[u8; 32]) -> bool {
    ferrite_board::otp::provision(&mut Fuses, key).is_ok()
}

/// Ends in the boot loader. Uses nothing that lies in RAM.
pub(crate) extern "C" fn enter_boot_loader() -> ! {
    rom_data::reset_to_usb_boot(0, 0);
    crate::power::trigger_reset()
}
