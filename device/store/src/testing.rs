//! Flash memories in RAM for tests: they check what is done to them, count it, and lose power on request.

use core::convert::Infallible;
use std::boxed::Box;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::vec;
use std::vec::Vec;

use rand_core::{Rng, TryCryptoRng, TryRng};

use crate::flash::{Flash, FlashError, PAGE_SIZE, WORD_SIZE};
use crate::{Error, Index, RootKey, Store};

/// A power cut that waits for its moment.
#[derive(Clone)]
struct Cut {
    operations_left: u64,
    seed: u64,
}

/// Flash in RAM.
///
/// Panics if it is used against the rules of [`Flash`]: misaligned, out of bounds, or programming that sets bits.
#[derive(Clone)]
pub struct RamFlash {
    bytes: Vec<u8>,
    erases: Vec<u32>,
    operations: u64,
    programmed: u64,
    cut: Option<Cut>,
    off: bool,
}

impl RamFlash {
    /// A blank region of so many pages.
    pub fn new(pages: usize) -> Self {
        Self::from_bytes(vec![0xff; pages * PAGE_SIZE])
    }

    /// A region with these bytes, a whole number of pages.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        assert_eq!(bytes.len() % PAGE_SIZE, 0, "not a whole number of pages");
        let erases = vec![0; bytes.len() / PAGE_SIZE];
        Self { bytes, erases, operations: 0, programmed: 0, cut: None, off: false }
    }

    /// Lets `operations` more programs and erasures succeed and cuts the power within the one after, which is left
    /// torn in a way that `seed` chooses. From then on everything fails until [`revive`](Self::revive).
    pub fn cut_after(&mut self, operations: u64, seed: u64) {
        self.cut = Some(Cut { operations_left: operations, seed });
    }

    /// Power is back; a cut that has not happened yet is called off.
    pub fn revive(&mut self) {
        self.cut = None;
        self.off = false;
    }

    /// Whether the power is cut.
    pub fn is_off(&self) -> bool {
        self.off
    }

    /// Programs and erasures so far, torn ones included.
    pub fn operations(&self) -> u64 {
        self.operations
    }

    /// Bytes programmed so far.
    pub fn programmed(&self) -> u64 {
        self.programmed
    }

    /// Erasures so far of each page.
    pub fn erases(&self) -> &[u32] {
        &self.erases
    }

    /// What is on flash.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What is on flash, for tests that damage it.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Counts an operation; gives the source of randomness for tearing it if the power goes.
    fn step(&mut self) -> Result<Option<SeededRng>, FlashError> {
        if self.off {
            return Err(FlashError);
        }
        self.operations += 1;
        match &mut self.cut {
            Some(Cut { operations_left: 0, seed }) => {
                self.off = true;
                Ok(Some(SeededRng::new(*seed)))
            }
            Some(cut) => {
                cut.operations_left -= 1;
                Ok(None)
            }
            None => Ok(None),
        }
    }
}

impl Flash for RamFlash {
    fn pages(&self) -> usize {
        self.erases.len()
    }

    fn read(&mut self, address: usize, out: &mut [u8]) -> Result<(), FlashError> {
        if self.off {
            return Err(FlashError);
        }
        out.copy_from_slice(&self.bytes[address..address + out.len()]);
        Ok(())
    }

    fn program(&mut self, address: usize, data: &[u8]) -> Result<(), FlashError> {
        assert!(address.is_multiple_of(WORD_SIZE) && data.len().is_multiple_of(WORD_SIZE), "misaligned program");
        let torn = self.step()?;
        let target = &mut self.bytes[address..address + data.len()];
        assert!(target.iter().zip(data).all(|(old, new)| old & new == *new), "programming cannot set bits");
        let Some(mut rng) = torn else {
            target.copy_from_slice(data);
            self.programmed += data.len() as u64;
            return Ok(());
        };
        let words = data.len() / WORD_SIZE;
        let whole = rng.next_u32() as usize % (words + 1) * WORD_SIZE;
        target[..whole].copy_from_slice(&data[..whole]);
        for (old, new) in target[whole..].iter_mut().zip(&data[whole..]).take(WORD_SIZE) {
            *old &= new | rng.next_u32() as u8;
        }
        Err(FlashError)
    }

    fn erase(&mut self, page: usize) -> Result<(), FlashError> {
        let torn = self.step()?;
        let target = &mut self.bytes[page * PAGE_SIZE..(page + 1) * PAGE_SIZE];
        self.erases[page] += 1;
        let Some(mut rng) = torn else {
            target.fill(0xff);
            return Ok(());
        };
        let style = rng.next_u32() % 4;
        // In half of the cases the beginning of the page is as it was.
        let intact = (rng.next_u32() as usize % (2 * PAGE_SIZE)).saturating_sub(PAGE_SIZE);
        for word in target[intact..].chunks_mut(WORD_SIZE) {
            for byte in word.iter_mut() {
                let noise = rng.next_u32() as u8;
                match (style, rng.next_u32() % 3) {
                    (0, _) | (1, 0) => (),
                    (1, 1) => *byte |= noise,
                    (2, 0) => *byte = noise,
                    _ => *byte = 0xff,
                }
            }
        }
        Err(FlashError)
    }
}

/// A handle on a [`RamFlash`] that a test keeps while the store owns another.
#[derive(Clone)]
pub struct SharedFlash(Arc<Mutex<RamFlash>>);

impl SharedFlash {
    /// A blank region of so many pages.
    pub fn new(pages: usize) -> Self {
        Self::from(RamFlash::new(pages))
    }

    /// A copy of the flash as it is now, to try something out on.
    pub fn fork(&self) -> Self {
        Self(Arc::new(Mutex::new(self.lock().clone())))
    }

    /// The flash itself, for setting up cuts and looking at what happened. Don't hold it while the store works.
    pub fn lock(&self) -> MutexGuard<'_, RamFlash> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<RamFlash> for SharedFlash {
    fn from(flash: RamFlash) -> Self {
        Self(Arc::new(Mutex::new(flash)))
    }
}

impl Flash for SharedFlash {
    fn pages(&self) -> usize {
        self.lock().pages()
    }

    fn read(&mut self, address: usize, out: &mut [u8]) -> Result<(), FlashError> {
        self.lock().read(address, out)
    }

    fn program(&mut self, address: usize, data: &[u8]) -> Result<(), FlashError> {
        self.lock().program(address, data)
    }

    fn erase(&mut self, page: usize) -> Result<(), FlashError> {
        self.lock().erase(page)
    }
}

/// Mounts a store with an index of its own, which is never given back.
///
/// # Errors
/// Those of [`Store::mount`].
pub fn mount<F: Flash>(flash: F, root: RootKey) -> Result<Store<'static, F>, (F, Error)> {
    Store::mount(flash, root, Box::leak(Box::new(Index::new())))
}

/// Reproducible numbers (SplitMix64). It is a `CryptoRng` by name only, so that tests can be repeated.
#[derive(Clone)]
pub struct SeededRng(u64);

impl SeededRng {
    /// The same seed gives the same numbers.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }
}

impl TryRng for SeededRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|number| (number >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Ok(z ^ (z >> 31))
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        for chunk in dst.chunks_mut(8) {
            let number = self.try_next_u64()?.to_le_bytes();
            chunk.copy_from_slice(&number[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for SeededRng {}
