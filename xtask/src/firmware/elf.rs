//! What a chip's ELF file holds: the bytes for its flash, and how much memory it takes.

use anyhow::{Context, Result, ensure};

/// Where flash and memory are mapped.
const FLASH: u32 = 0x1000_0000;
const FLASH_END: u32 = 0x1100_0000;
const MEMORY: u32 = 0x2000_0000;
const MEMORY_END: u32 = 0x2009_0000;

/// A program.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Program {
    /// Its bytes from the start of flash on; gaps are `FF`.
    pub(crate) flash: Vec<u8>,
    /// The highest byte of memory that is taken by the stack and what is static, from the start of memory.
    pub(crate) memory: usize,
}

impl Program {
    /// Reads an ELF file of 32 bits, little-endian.
    pub(crate) fn parse(elf: &[u8]) -> Result<Self> {
        ensure!(elf.starts_with(b"\x7FELF\x01\x01"), "this is no ELF file of 32 bits, little-endian");
        let table = word(elf, 28)? as usize;
        let (size, count) = (half(elf, 42)?, half(elf, 44)?);
        let mut program = Self { flash: Vec::new(), memory: 0 };
        for header in (0..count).map(|n| table + n * size) {
            let field = |n: usize| word(elf, header + 4 * n);
            let [kind, offset, virtual_address, address, stored, taken] =
                [field(0)?, field(1)?, field(2)?, field(3)?, field(4)?, field(5)?];
            if kind != 1 {
                continue;
            }
            if (MEMORY..MEMORY_END).contains(&virtual_address) {
                program.memory = program.memory.max((virtual_address - MEMORY + taken) as usize);
            }
            if stored == 0 {
                continue;
            }
            ensure!((FLASH..FLASH_END).contains(&address), "a segment is to be loaded to {address:#x}");
            let bytes = elf.get(offset as usize..(offset + stored) as usize).context("a segment is cut short")?;
            let start = (address - FLASH) as usize;
            let end = start + bytes.len();
            if program.flash.len() < end {
                program.flash.resize(end, 0xFF);
            }
            program.flash[start..end].copy_from_slice(bytes);
        }
        ensure!(!program.flash.is_empty(), "there is nothing to be loaded");
        Ok(program)
    }
}

fn word(bytes: &[u8], at: usize) -> Result<u32> {
    let word = bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    word.map(u32::from_le_bytes).context("the ELF file is cut short")
}

fn half(bytes: &[u8], at: usize) -> Result<usize> {
    let half = bytes.get(at..at + 2).and_then(|bytes| bytes.try_into().ok());
    half.map(|half| u16::from_le_bytes(half).into()).context("the ELF file is cut short")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with these segments: virtual address, physical address, bytes, bytes in memory.
    fn elf(segments: &[(u32, u32, &[u8], u32)]) -> Vec<u8> {
        let mut file = b"\x7FELF\x01\x01".to_vec();
        file.resize(52, 0);
        file[28..32].copy_from_slice(&52u32.to_le_bytes());
        file[42..44].copy_from_slice(&32u16.to_le_bytes());
        file[44..46].copy_from_slice(&u16::try_from(segments.len()).expect("few").to_le_bytes());
        let mut data = Vec::new();
        let start = 52 + 32 * segments.len();
        for (virtual_address, address, bytes, taken) in segments {
            let offset = u32::try_from(start + data.len()).expect("small");
            let stored = u32::try_from(bytes.len()).expect("small");
            for field in [1, offset, *virtual_address, *address, stored, *taken, 0, 0] {
                file.extend_from_slice(&field.to_le_bytes());
            }
            data.extend_from_slice(bytes);
        }
        file.extend_from_slice(&data);
        file
    }

    #[test]
    fn flash_is_put_together_and_memory_is_measured() {
        let file = elf(&[
            (FLASH, FLASH, &[1, 2], 2),
            (MEMORY + 100, FLASH + 4, &[3], 1),
            (MEMORY + 104, MEMORY + 104, &[], 50),
        ]);
        let program = Program::parse(&file).expect("well formed");
        assert_eq!(program, Program { flash: vec![1, 2, 0xFF, 0xFF, 3], memory: 154 });
    }

    #[test]
    fn what_is_no_program_is_refused() {
        let good = elf(&[(FLASH, FLASH, &[1, 2], 2)]);
        for len in 0..good.len() {
            assert!(Program::parse(&good[..len]).is_err(), "{len} bytes");
        }
        assert!(Program::parse(&elf(&[(0, 0, &[1], 1)])).is_err(), "outside of flash");
        assert!(Program::parse(&elf(&[])).is_err(), "empty");
    }
}
