//! NOR flash memory in a file.

use ferrite_store::{Flash, FlashError, PAGE_SIZE, WORD_SIZE};
use std::fs::File;
use std::os::unix::fs::FileExt;

/// Flash memory in a file, with the manners of the real thing: programming clears bits, erasing sets the bits of a
/// whole page. Every change is on the disk when the call returns.
pub struct FileFlash {
    file: File,
    pages: usize,
}

impl FileFlash {
    /// Takes a file of whole pages, open for reading and writing.
    ///
    /// # Errors
    /// The size cannot be read, or is not a whole number of pages.
    pub fn new(file: File) -> std::io::Result<Self> {
        let size = usize::try_from(file.metadata()?.len()).map_err(std::io::Error::other)?;
        if !size.is_multiple_of(PAGE_SIZE) {
            return Err(std::io::Error::other("the size is not a whole number of flash pages"));
        }
        Ok(Self { file, pages: size / PAGE_SIZE })
    }

    /// Another handle on the same memory, for a device that starts again.
    pub(crate) fn try_clone(&self) -> std::io::Result<Self> {
        Ok(Self { file: self.file.try_clone()?, pages: self.pages })
    }

    /// The file offset of `address` if `len` bytes from there on are inside the memory.
    fn offset(&self, address: usize, len: usize) -> Result<u64, FlashError> {
        let end = address.checked_add(len).ok_or(FlashError)?;
        if end > self.pages * PAGE_SIZE {
            return Err(FlashError);
        }
        u64::try_from(address).map_err(|_| FlashError)
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), FlashError> {
        self.file.write_all_at(bytes, offset).and_then(|()| self.file.sync_data()).map_err(|_| FlashError)
    }
}

impl Flash for FileFlash {
    fn pages(&self) -> usize {
        self.pages
    }

    fn read(&mut self, address: usize, out: &mut [u8]) -> Result<(), FlashError> {
        let offset = self.offset(address, out.len())?;
        self.file.read_exact_at(out, offset).map_err(|_| FlashError)
    }

    fn program(&mut self, address: usize, data: &[u8]) -> Result<(), FlashError> {
        if !address.is_multiple_of(WORD_SIZE) || !data.len().is_multiple_of(WORD_SIZE) {
            return Err(FlashError);
        }
        let offset = self.offset(address, data.len())?;
        let mut cells = vec![0; data.len()];
        self.read(address, &mut cells)?;
        cells.iter_mut().zip(data).for_each(|(cell, byte)| *cell &= byte);
        self.write(offset, &cells)
    }

    fn erase(&mut self, page: usize) -> Result<(), FlashError> {
        let address = page.checked_mul(PAGE_SIZE).ok_or(FlashError)?;
        let offset = self.offset(address, PAGE_SIZE)?;
        self.write(offset, &[0xFF; PAGE_SIZE])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flash(name: &str, pages: usize) -> FileFlash {
        let path = std::env::temp_dir().join(format!("ferrite-flash-{}-{name}", std::process::id()));
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path).expect("temp file");
        std::fs::remove_file(path).expect("just created");
        file.write_all_at(&vec![0xFF; pages * PAGE_SIZE], 0).expect("written");
        FileFlash::new(file).expect("whole pages")
    }

    fn bytes<const N: usize>(flash: &mut FileFlash, address: usize) -> [u8; N] {
        let mut out = [0; N];
        flash.read(address, &mut out).expect("inside");
        out
    }

    #[test]
    fn programming_only_clears_bits_and_erasing_sets_a_whole_page() {
        let mut flash = flash("bits", 2);
        flash.program(PAGE_SIZE, &[0xF0, 0x0F, 0xAA, 0x00]).expect("programmed");
        flash.program(PAGE_SIZE, &[0x3C, 0x3C, 0xFF, 0xFF]).expect("programmed");
        assert_eq!(bytes(&mut flash, PAGE_SIZE), [0x30, 0x0C, 0xAA, 0x00]);
        flash.program(0, &[0; 4]).expect("programmed");
        flash.erase(1).expect("erased");
        assert_eq!(bytes(&mut flash, PAGE_SIZE), [0xFF; 4]);
        assert_eq!(bytes(&mut flash, 0), [0; 4], "the other page is untouched");
    }

    #[test]
    fn nothing_outside_the_memory_or_off_a_word_is_accepted() {
        let mut flash = flash("bounds", 1);
        assert_eq!(flash.program(2, &[0; 4]), Err(FlashError));
        assert_eq!(flash.program(0, &[0; 3]), Err(FlashError));
        assert_eq!(flash.program(PAGE_SIZE - 4, &[0; 8]), Err(FlashError));
        assert_eq!(flash.read(usize::MAX, &mut [0; 2]), Err(FlashError));
        assert_eq!(flash.erase(1), Err(FlashError));
        assert_eq!(flash.erase(usize::MAX), Err(FlashError));
        assert_eq!(bytes(&mut flash, PAGE_SIZE - 4), [0xFF; 4]);
    }
}
