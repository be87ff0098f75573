//! Objects on NOR flash: sealed, transactional, power-safe.
//!
//! A [`Store`] keeps numbered objects of up to [`MAX_CONTENT`] bytes on raw flash. Every [`Store::commit`] is atomic:
//! after a power cut at any flash operation the next [`Store::mount`] shows the state before or the state after.
//! Every object is encrypted and authenticated, and what is deleted or replaced cannot be decrypted any more, because
//! each record carries its own random erasure key, which is programmed to zero when the record is superseded.
//!
//! How the bytes lie on flash, and why this is safe: `docs/src/storage.md`. From the bottom up:
//!
//! - `record`: the header in front of every record, and of every page;
//! - `log`: a ring of pages to which records are appended;
//! - `index`: where the newest record of each part of each object lies, in RAM;
//! - `seal`: the cryptography;
//! - `journal`: what the records mean: replay after a start, transactions, collection of garbage;
//! - `store`: objects over all this, with `write` building the records of a transaction.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(feature = "testing")]
extern crate std;

mod flash;
mod index;
mod journal;
mod log;
mod object;
mod record;
mod seal;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod write;

pub use flash::{Flash, FlashError, PAGE_SIZE, WORD_SIZE};
pub use index::Index;
pub use object::{Change, Error, Info, Kind, MAX_CONTENT, MAX_META, MAX_RECORDS, ObjectId, Seal, Usage};
pub use seal::{Kek, RootKey};
pub use store::Store;
