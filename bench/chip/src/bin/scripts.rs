//! The card on an emulated Cortex-M as a device for scripts: the host asks over the serial line and hears by semihosting, a
//! line each.
//!
//! | host | card |
//! |---|---|
//! | `start SEED` | `ready INSTRUCTIONS` |
//! | `apdu HEX` | `answer HEX INSTRUCTIONS` |
//! | `reset` | `ready INSTRUCTIONS` |
//!
//! `start` comes first, with the seed of what stands for entropy, as eight hexadecimal digits and not zero. The flash is the
//! file `flash.bin` of the host, so that the device starts anew by being ended and run again.
#![no_std]
#![no_main]

use core::fmt::Write;
use core::ptr::addr_of_mut;
use cortex_m_rt::entry;
use cortex_m_semihosting::hio::{HostStream, hstdout};
use cortex_m_semihosting::nr;
use cortex_m_semihosting::syscall;
use ferrite_bench_chip::{Chip, clock};
use ferrite_card::{Card, CommandBuffer, Workspace};
use ferrite_store::{Flash, FlashError, PAGE_SIZE};

/// Bytes of a page that go to or come from the host at once.
const CHUNK: usize = 256;

static mut COMMAND: CommandBuffer = CommandBuffer::new();
static mut WORKSPACE: Workspace = Workspace::new();

/// Asks the host by semihosting.
macro_rules! ask {
    ($($call:tt)*) => {
        // SAFETY: a call as Arm's specification of semihosting has it; what its pointers name lives longer, and has the
        // length given beside it.
        unsafe { syscall!($($call)*) }
    };
}

/// NOR flash in a file of the host: programming clears bits only.
struct HostFlash {
    file: usize,
    pages: usize,
}

impl HostFlash {
    fn open(name: &str) -> Self {
        let file = ask!(OPEN, name.as_ptr(), nr::open::RW_BINARY, name.len() - 1);
        assert!(file as isize != -1, "{name} cannot be opened");
        let len = ask!(FLEN, file);
        Self { file, pages: len / PAGE_SIZE }
    }

    fn seek(&mut self, address: usize, len: usize) -> Result<(), FlashError> {
        let end = address.checked_add(len).ok_or(FlashError)?;
        let is_there = end <= self.pages * PAGE_SIZE && ask!(SEEK, self.file, address) == 0;
        if is_there { Ok(()) } else { Err(FlashError) }
    }

    fn write(&mut self, address: usize, data: &[u8]) -> Result<(), FlashError> {
        self.seek(address, data.len())?;
        let missing = ask!(WRITE, self.file, data.as_ptr(), data.len());
        if missing == 0 { Ok(()) } else { Err(FlashError) }
    }
}

impl Flash for HostFlash {
    fn pages(&self) -> usize {
        self.pages
    }

    fn read(&mut self, address: usize, out: &mut [u8]) -> Result<(), FlashError> {
        self.seek(address, out.len())?;
        let missing = ask!(READ, self.file, out.as_mut_ptr(), out.len());
        if missing == 0 { Ok(()) } else { Err(FlashError) }
    }

    fn program(&mut self, address: usize, data: &[u8]) -> Result<(), FlashError> {
        for (n, data) in data.chunks(CHUNK).enumerate() {
            let mut cells = [0; CHUNK];
            let (address, cells) = (address + n * CHUNK, &mut cells[..data.len()]);
            self.read(address, cells)?;
            cells.iter_mut().zip(data).for_each(|(cell, byte)| *cell &= byte);
            self.write(address, cells)?;
        }
        Ok(())
    }

    fn erase(&mut self, page: usize) -> Result<(), FlashError> {
        (0..PAGE_SIZE).step_by(CHUNK).try_for_each(|at| self.write(page * PAGE_SIZE + at, &[0xFF; CHUNK]))
    }
}

/// The board's first serial line, a CMSDK UART: it holds one byte, and QEMU waits with the next.
struct Serial;

impl Serial {
    const REGISTERS: *mut u32 = if cfg!(target_abi = "eabihf") { 0x5020_0000 } else { 0x4000_4000 } as *mut u32;
    const STATE: usize = 1;
    const CONTROL: usize = 2;
    const DIVIDER: usize = 4;
    const HAS_RECEIVED: u32 = 1 << 1;
    const RECEIVE: u32 = 1 << 1;

    fn start() {
        // SAFETY: registers of the serial line, which nobody else uses.
        unsafe {
            Self::REGISTERS.add(Self::DIVIDER).write_volatile(16);
            Self::REGISTERS.add(Self::CONTROL).write_volatile(Self::RECEIVE);
        }
    }

    /// The next byte from the host.
    fn byte() -> u8 {
        // SAFETY: as above.
        unsafe {
            while Self::REGISTERS.add(Self::STATE).read_volatile() & Self::HAS_RECEIVED == 0 {}
            Self::REGISTERS.read_volatile() as u8
        }
    }
}

/// The next word from the host, if it is one of eight letters at most, and what ended it.
fn word(room: &mut [u8; 8]) -> (&[u8], u8) {
    let mut len = 0;
    loop {
        match Serial::byte() {
            end @ (b' ' | b'\n') => return (&room[..len], end),
            letter => room[len] = letter,
        }
        len += 1;
    }
}

/// The value of a hexadecimal digit; `None`: the line has ended.
fn digit() -> Option<u8> {
    match Serial::byte() {
        b'\n' => None,
        digit => Some((digit as char).to_digit(16).expect("a hexadecimal digit") as u8),
    }
}

/// Bytes that end with the line, as two hexadecimal digits each.
fn bytes() -> impl Iterator<Item = u8> {
    core::iter::from_fn(|| Some(digit()? << 4 | digit().expect("the second digit")))
}

/// Instructions that an action takes.
fn counted<R>(action: impl FnOnce() -> R) -> (R, u64) {
    let start = clock::instructions();
    let result = action();
    (result, clock::instructions() - start)
}

fn say(host: &mut HostStream, line: core::fmt::Arguments<'_>) {
    host.write_fmt(format_args!("{line}\n")).expect("the host listens");
}

#[entry]
fn main() -> ! {
    clock::start();
    Serial::start();
    let mut host = hstdout().expect("the host has a standard output");
    // SAFETY: taken once, here, by the only thread.
    let (command, workspace) = unsafe { (&mut *addr_of_mut!(COMMAND), &mut *addr_of_mut!(WORKSPACE)) };
    let mut room = [0; 8];
    assert!(word(&mut room).0 == b"start", "the first line is `start SEED`");
    let seed = bytes().fold(0, |seed, byte| seed << 8 | u32::from(byte));
    let flash = HostFlash::open("flash.bin\0");
    let (mut card, instructions) = counted(|| Card::new(Chip::new(seed), flash, workspace));
    say(&mut host, format_args!("ready {instructions}"));
    loop {
        match word(&mut room) {
            (b"apdu", b' ') => {
                command.wipe();
                bytes().for_each(|byte| command.append(&[byte]));
                let (answer, instructions) = counted(|| card.transmit(command));
                host.write_str("answer ").expect("the host listens");
                for bytes in answer.chunks(CHUNK) {
                    let mut digits = [0; 2 * CHUNK];
                    let digits = hex(bytes, &mut digits);
                    host.write_all(digits).expect("the host listens");
                }
                say(&mut host, format_args!(" {instructions}"));
            }
            (b"reset", b'\n') => {
                let ((), instructions) = counted(|| card.reset());
                say(&mut host, format_args!("ready {instructions}"));
            }
            (other, _) => panic!("{:?} is neither apdu nor reset", core::str::from_utf8(other)),
        }
    }
}

/// Writes bytes as hexadecimal digits.
fn hex<'a>(bytes: &[u8], out: &'a mut [u8]) -> &'a [u8] {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    &out[..2 * bytes.len()]
}
