//! UF2: the format in which a chip's boot loader takes a program as a file on a USB drive.
//!
//! The file is blocks of 512 bytes, each with 256 bytes for one page of flash.

const MAGIC: [u32; 2] = [0x0A32_4655, 0x9E5D_5157];
const END_MAGIC: u32 = 0x0AB1_6F30;
/// The field after the counts names the family of the chip.
const HAS_FAMILY: u32 = 0x2000;
const PAGE: usize = 256;
/// Room for data in a block.
const DATA: usize = 476;
/// Flash is erased in these; the boot loader wants every page of one it erases.
const SECTOR: usize = 4096;
const FLASH: u32 = 0x1000_0000;

/// The file for a program that begins at the start of flash.
pub(crate) fn file(program: &[u8], family: u32) -> Vec<u8> {
    let mut program = program.to_vec();
    program.resize(program.len().next_multiple_of(SECTOR), 0xFF);
    let pages = program.len() / PAGE;
    let mut file = Vec::with_capacity(pages * 512);
    for (n, page) in program.chunks_exact(PAGE).enumerate() {
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        let address = FLASH + number(n * PAGE);
        let header = [MAGIC[0], MAGIC[1], HAS_FAMILY, address, number(PAGE), number(n), number(pages), family];
        header.iter().for_each(|word| file.extend_from_slice(&word.to_le_bytes()));
        file.extend_from_slice(page);
        file.resize(file.len() + DATA - PAGE, 0);
        file.extend_from_slice(&END_MAGIC.to_le_bytes());
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a file back: what each block says, and the program.
    fn read(file: &[u8]) -> (Vec<[u32; 8]>, Vec<u8>) {
        let word = |block: &[u8], at: usize| u32::from_le_bytes(block[at..at + 4].try_into().expect("four bytes"));
        let mut program = Vec::new();
        let headers = file.chunks(512).map(|block| {
            assert_eq!(block.len(), 512);
            assert_eq!(word(block, 508), 0x0AB1_6F30);
            program.extend_from_slice(&block[32..32 + 256]);
            assert!(block[32 + 256..508].iter().all(|byte| *byte == 0));
            std::array::from_fn(|n| word(block, 4 * n))
        });
        (headers.collect(), program)
    }

    #[test]
    fn a_file_holds_whole_sectors_in_numbered_blocks() {
        let program: Vec<u8> = (0..5000u32).map(|n| (n % 251) as u8).collect();
        let (headers, read) = read(&file(&program, 0xE48B_FF56));
        assert_eq!(headers.len(), 2 * 16);
        for (n, header) in (0..).zip(&headers) {
            assert_eq!(*header, [0x0A32_4655, 0x9E5D_5157, 0x2000, 0x1000_0000 + 256 * n, 256, n, 32, 0xE48B_FF56]);
        }
        assert_eq!(read[..5000], program);
        assert!(read[5000..].iter().all(|byte| *byte == 0xFF));
    }
}
