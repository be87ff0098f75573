//! Writing flash, through the functions in the boot ROM.
//!
//! While the ROM erases or programs, nothing can be read from flash: the code that calls it lies in RAM, interrupts are
//! off, and the second core sleeps in RAM. Afterwards the chip's own code for reading flash fast is run again; it is
//! copied to RAM first.

use crate::chip::{self, Rom};
use crate::second_core;
use ferrite_board::layout::SECTOR;
use ferrite_board::pages::{PAGE, pages};
use ferrite_store::{Flash, FlashError, PAGE_SIZE, WORD_SIZE};

/// Where flash is mapped.
const MAPPED: usize = 0x1000_0000;
/// A sector's size and the command that erases it, as the ROM wants to be told about blocks: none larger is used.
const BLOCK: u32 = 1 << 31;

/// The store's region of the board's flash.
pub(crate) struct BoardFlash {
    start: u32,
    pages: u32,
}

impl BoardFlash {
    /// A region of sectors.
    pub(crate) fn new(start: u32, pages: u32) -> Self {
        Self { start, pages }
    }

    /// Makes the region empty: nothing can be opened there. For a device that lost its root key.
    pub(crate) fn close(&mut self) {
        self.pages = 0;
    }

    /// Whether nothing was ever written to the region.
    pub(crate) fn is_blank(&self) -> bool {
        let len = self.pages as usize * PAGE_SIZE;
        let mapped = (MAPPED + self.start as usize) as *const u32;
        // SAFETY: the region lies within the flash, which is mapped there and read as words.
        (0..len / 4).all(|word| unsafe { mapped.add(word).read_volatile() } == u32::MAX)
    }

    fn offset(&self, address: usize, len: usize) -> Result<u32, FlashError> {
        let end = address.checked_add(len).ok_or(FlashError)?;
        let size = self.pages as usize * PAGE_SIZE;
        let address = u32::try_from(address).map_err(|_| FlashError)?;
        if end <= size { self.start.checked_add(address).ok_or(FlashError) } else { Err(FlashError) }
    }
}

impl Flash for BoardFlash {
    fn pages(&self) -> usize {
        self.pages as usize
    }

    fn read(&mut self, address: usize, out: &mut [u8]) -> Result<(), FlashError> {
        let offset = self.offset(address, out.len())?;
        read(offset, out);
        Ok(())
    }

    fn program(&mut self, address: usize, data: &[u8]) -> Result<(), FlashError> {
        if !address.is_multiple_of(WORD_SIZE) || !data.len().is_multiple_of(WORD_SIZE) {
            return Err(FlashError);
        }
        let offset = self.offset(address, data.len())?;
        program(offset, data)
    }

    fn erase(&mut self, page: usize) -> Result<(), FlashError> {
        let address = page.checked_mul(PAGE_SIZE).ok_or(FlashError)?;
        let offset = self.offset(address, PAGE_SIZE)?;
        erase(offset)
    }
}

/// Reads flash. `offset` and length must lie within it.
pub(crate) fn read(offset: u32, out: &mut [u8]) {
    let mapped = (MAPPED + offset as usize) as *const u8;
    for (n, byte) in out.iter_mut().enumerate() {
        // SAFETY: flash is mapped there; volatile, because writes to flash go another way.
        *byte = unsafe { mapped.add(n).read_volatile() };
    }
}

/// Programs bytes, and compares what is read back: every bit that was to be cleared must be.
pub(crate) fn program(offset: u32, data: &[u8]) -> Result<(), FlashError> {
    for page in pages(offset, data) {
        let rom = chip::rom();
        exclusively(|| {
            // SAFETY: interrupts are off and the other core sleeps; the page lies in RAM.
            unsafe { program_from_ram(&rom, page.offset, page.bytes.as_ptr()) }
        })?;
        let mut cells = [0; PAGE];
        read(page.offset, &mut cells);
        if cells.iter().zip(&page.bytes).any(|(cell, byte)| cell & !byte != 0) {
            return Err(FlashError);
        }
    }
    Ok(())
}

/// Erases one sector.
pub(crate) fn erase(offset: u32) -> Result<(), FlashError> {
    let rom = chip::rom();
    exclusively(|| {
        // SAFETY: interrupts are off and the other core sleeps.
        unsafe { erase_from_ram(&rom, offset) }
    })?;
    let mut cells = [0; PAGE];
    let is_blank = (0..SECTOR).step_by(PAGE).all(|at| {
        read(offset.saturating_add(at), &mut cells);
        cells.iter().all(|cell| *cell == 0xFF)
    });
    if is_blank { Ok(()) } else { Err(FlashError) }
}

/// Runs something that must have the flash for itself.
pub(crate) fn exclusively<R>(action: impl FnOnce() -> R) -> Result<R, FlashError> {
    critical_section::with(|_| if second_core::is_parked() { Ok(action()) } else { Err(FlashError) })
}

/// # Safety
/// Interrupts are off, the other core sleeps in RAM, `page` points to 256 bytes in RAM.
#[inline(never)]
#[unsafe(link_section = ".data.ram")]
unsafe fn program_from_ram(rom: &Rom, offset: u32, page: *const u8) {
    // SAFETY: the functions are the ROM's own, in the order in which it wants them called.
    unsafe {
        (rom.connect)();
        (rom.leave_xip)();
        (rom.program)(offset, page, PAGE);
        (rom.flush)();
        (rom.enter_xip)();
    }
}

/// # Safety
/// Interrupts are off, the other core sleeps in RAM.
#[inline(never)]
#[unsafe(link_section = ".data.ram")]
unsafe fn erase_from_ram(rom: &Rom, offset: u32) {
    // SAFETY: as above.
    unsafe {
        (rom.connect)();
        (rom.leave_xip)();
        (rom.erase)(offset, SECTOR as usize, BLOCK, 0);
        (rom.flush)();
        (rom.enter_xip)();
    }
}

/// Sends a serial command to the flash chip, and returns what came in meanwhile.
pub(crate) fn command<const N: usize>(mut bytes: [u8; N]) -> Result<[u8; N], FlashError> {
    let rom = chip::rom();
    exclusively(|| {
        // SAFETY: interrupts are off and the other core sleeps; the bytes lie on the stack.
        unsafe { command_from_ram(&rom, bytes.as_mut_ptr(), N) }
    })?;
    Ok(bytes)
}

/// # Safety
/// Interrupts are off, the other core sleeps in RAM, `bytes` lies in RAM.
#[inline(never)]
#[unsafe(link_section = ".data.ram")]
unsafe fn command_from_ram(rom: &Rom, bytes: *mut u8, len: usize) {
    // SAFETY: as above; `exchange` touches the flash controller's registers only.
    unsafe {
        (rom.connect)();
        (rom.leave_xip)();
        chip::exchange(bytes, len);
        (rom.flush)();
        (rom.enter_xip)();
    }
}
