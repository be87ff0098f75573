//! Where the newest record of each part of each object lies. In RAM, rebuilt by every mount.

use core::ops::RangeInclusive;

use crate::object::{Error, MAX_RECORDS};

/// A part of an object: its head, a chunk of content, its counter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Part {
    pub(crate) id: u16,
    pub(crate) number: u8,
}

impl Part {
    /// The number of an object's counter.
    const COUNTER: u8 = 0xff;

    pub(crate) fn head(id: u16) -> Self {
        Self { id, number: 0 }
    }

    pub(crate) fn chunk(id: u16, number: u8) -> Self {
        Self { id, number }
    }

    pub(crate) fn counter(id: u16) -> Self {
        Self { id, number: Self::COUNTER }
    }
}

/// Six bytes: the part and the address in words, which reaches 64 MiB.
#[derive(Clone, Copy)]
struct Entry([u8; 6]);

impl Entry {
    fn new(part: Part, address: usize) -> Self {
        let [i1, i0] = part.id.to_be_bytes();
        let [_, a2, a1, a0] = ((address / 4) as u32).to_be_bytes();
        Self([i1, i0, part.number, a2, a1, a0])
    }

    fn part(&self) -> Part {
        let [i1, i0, number, ..] = self.0;
        Part { id: u16::from_be_bytes([i1, i0]), number }
    }

    fn address(&self) -> usize {
        let [.., a2, a1, a0] = self.0;
        u32::from_be_bytes([0, a2, a1, a0]) as usize * 4
    }
}

/// The RAM a store needs beside itself: 18 KiB, given to it so that it need not be moved. Sorted by part.
pub struct Index {
    entries: heapless::Vec<Entry, MAX_RECORDS>,
}

impl Default for Index {
    fn default() -> Self {
        Self::new()
    }
}

impl Index {
    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    /// An empty index, fit for a `static`.
    pub const fn new() -> Self {
        Self { entries: heapless::Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn address(&self, part: Part) -> Option<usize> {
        let at = self.entries.binary_search_by_key(&part, Entry::part).ok()?;
        self.entries.get(at).map(Entry::address)
    }

    /// Sets the address of a part, and returns the one it had.
    pub(crate) fn set(&mut self, part: Part, address: usize) -> Result<Option<usize>, Error> {
        match self.entries.binary_search_by_key(&part, Entry::part) {
            Ok(at) => {
                Ok(self.entries.get_mut(at).map(|entry| core::mem::replace(entry, Entry::new(part, address)).address()))
            }
            Err(at) => self.entries.insert(at, Entry::new(part, address)).map(|()| None).map_err(|_| Error::Full),
        }
    }

    /// The addresses of all parts of these objects.
    pub(crate) fn addresses(&self, ids: RangeInclusive<u16>) -> impl Iterator<Item = usize> {
        self.entries.get(self.range(ids)).unwrap_or_default().iter().map(Entry::address)
    }

    /// Forgets all parts of these objects.
    pub(crate) fn remove(&mut self, ids: RangeInclusive<u16>) {
        self.entries.drain(self.range(ids));
    }

    /// Number of parts of an object.
    pub(crate) fn parts(&self, id: u16) -> usize {
        self.range(id..=id).len()
    }

    /// The lowest object not below `id`.
    pub(crate) fn first_from(&self, id: u16) -> Option<u16> {
        let at = self.entries.partition_point(|entry| entry.part().id < id);
        self.entries.get(at).map(|entry| entry.part().id)
    }

    fn range(&self, ids: RangeInclusive<u16>) -> core::ops::Range<usize> {
        let from = self.entries.partition_point(|entry| entry.part().id < *ids.start());
        let to = self.entries.partition_point(|entry| entry.part().id <= *ids.end());
        from..to.max(from)
    }
}
