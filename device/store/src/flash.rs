//! What the store needs of a flash memory.

/// Bytes erased at once.
pub const PAGE_SIZE: usize = 4096;
/// Alignment and granularity of programming, in bytes.
pub const WORD_SIZE: usize = 4;

/// The flash memory reports a failure, or was addressed outside its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlashError;

/// A region of NOR flash: pages of [`PAGE_SIZE`] bytes that erase to `FF`; programming can only clear bits.
///
/// Programming a word a second time is allowed as long as it only clears further bits (the store uses it to destroy
/// erasure keys by programming them to zero).
pub trait Flash {
    /// Number of pages in the region.
    fn pages(&self) -> usize;
    /// Reads from any byte address.
    fn read(&mut self, address: usize, out: &mut [u8]) -> Result<(), FlashError>;
    /// Programs bytes; `address` and `data.len()` are multiples of [`WORD_SIZE`]. Durable on return.
    fn program(&mut self, address: usize, data: &[u8]) -> Result<(), FlashError>;
    /// Erases one page. Durable on return.
    fn erase(&mut self, page: usize) -> Result<(), FlashError>;
}
