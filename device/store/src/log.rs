//! A ring of pages to which records are appended.
//!
//! Pages are used in ring order, and each carries its position in the log, so that the order of records is known after
//! a start without any other table. A record's header is programmed after its body: it is there whole, or not at all.
//! The oldest page (the tail) is the only one that is ever reclaimed.

use crate::flash::{Flash, PAGE_SIZE, WORD_SIZE};
use crate::object::Error;
use crate::record::{HEADER, Header, PAGE_HEADER, PAGE_ROOM, Page, PageHeader};

/// The log, and where it stands.
pub(crate) struct Log<F> {
    pub(crate) flash: F,
    check: u32,
    /// Pages in the region; at least [`MIN_PAGES`].
    pages: usize,
    /// The page that is being filled.
    head: usize,
    /// Position of the head page in the log.
    sequence: u32,
    /// Where the next record goes, as an offset in the head page.
    end: usize,
    /// Pages from tail to head, both included.
    used: usize,
    /// Number of the next transaction.
    pub(crate) transaction: u32,
}

/// A place between records: pages from the tail, and an offset in that page.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Cursor {
    page: usize,
    offset: usize,
}

/// A log needs room for a head, a tail and the pages kept free to collect garbage.
pub(crate) const MIN_PAGES: usize = 8;
/// The index holds addresses up to here.
const MAX_PAGES: usize = (1 << 26) / PAGE_SIZE;

const BLANK: [u8; WORD_SIZE] = [0xff; WORD_SIZE];
const ZERO: [u8; WORD_SIZE] = [0; WORD_SIZE];
/// Torn records are overwritten in large pieces, so that a mount takes few operations and gets done between cuts.
const FILLER: [u8; 256] = [0; 256];

impl<F: Flash> Log<F> {
    /// A log that has not looked at the flash yet.
    pub(crate) fn new(flash: F, check: u32) -> Self {
        let pages = flash.pages();
        Self { flash, check, pages, head: 0, sequence: 0, end: PAGE_SIZE, used: 0, transaction: 1 }
    }

    /// Finds the log on flash, or formats a region that never held one. Completes what a power cut interrupted:
    /// afterwards every page outside of the log is blank, and so is everything after the last record.
    pub(crate) fn open(&mut self) -> Result<(), Error> {
        if !(MIN_PAGES..=MAX_PAGES).contains(&self.pages) {
            return Err(Error::Version);
        }
        if let Some((head, header)) = self.newest()? {
            (self.head, self.sequence, self.transaction) = (head, header.sequence, header.transaction);
            self.used = 1;
            for distance in (1..self.pages).rev() {
                if self.is_used(distance)? {
                    self.used = distance + 1;
                    break;
                }
            }
        }
        for distance in self.used..self.pages {
            self.clean(self.back(distance))?;
        }
        if self.used == 0 { self.open_page() } else { self.find_end() }
    }

    /// The page with the highest position.
    fn newest(&mut self) -> Result<Option<(usize, PageHeader)>, Error> {
        let mut newest: Option<(usize, PageHeader)> = None;
        let mut damaged = false;
        for page in 0..self.pages {
            match self.page_header(page)? {
                Page::Free => (),
                Page::Foreign => return Err(Error::Version),
                Page::Damaged => damaged = true,
                Page::Valid(header) if header.pages as usize != self.pages => return Err(Error::Version),
                Page::Valid(header) => {
                    if newest.is_none_or(|(_, other)| header.sequence > other.sequence) {
                        newest = Some((page, header));
                    }
                }
            }
        }
        if newest.is_none() && damaged { Err(Error::Corrupt) } else { Ok(newest) }
    }

    /// The page that lies so many before the head in the ring.
    fn back(&self, distance: usize) -> usize {
        (self.head + self.pages - distance % self.pages) % self.pages
    }

    fn page_header(&mut self, page: usize) -> Result<Page, Error> {
        let mut bytes = [0; PAGE_HEADER];
        self.flash.read(page * PAGE_SIZE, &mut bytes)?;
        Ok(PageHeader::decode(&bytes))
    }

    /// Whether the page so many before the head carries the position that belongs there.
    fn is_used(&mut self, distance: usize) -> Result<bool, Error> {
        let expected = self.sequence.checked_sub(distance as u32);
        let Page::Valid(header) = self.page_header(self.back(distance))? else { return Ok(false) };
        Ok(Some(header.sequence) == expected)
    }

    /// Makes a page blank.
    fn clean(&mut self, page: usize) -> Result<(), Error> {
        if self.last_written(page * PAGE_SIZE, PAGE_SIZE)?.is_some() {
            self.flash.erase(page)?;
        }
        Ok(())
    }

    /// The offset, from `address`, after the last word that is not blank.
    fn last_written(&mut self, address: usize, len: usize) -> Result<Option<usize>, Error> {
        let mut last = None;
        let mut buffer = [0; 64];
        for at in (0..len).step_by(buffer.len()) {
            let part = &mut buffer[..(len - at).min(64)];
            self.flash.read(address + at, part)?;
            for (word, at) in part.chunks(WORD_SIZE).zip((at..).step_by(WORD_SIZE)) {
                if word != &BLANK[..word.len()] {
                    last = Some(at + word.len());
                }
            }
        }
        Ok(last)
    }

    /// Finds where the head page goes on, and fills the remains of a torn record with zeros.
    fn find_end(&mut self) -> Result<(), Error> {
        let start = self.head * PAGE_SIZE;
        let mut end = start + PAGE_HEADER;
        while let Some((address, header)) = self.record_from(end)? {
            end = address + header.size();
        }
        while end < start + PAGE_SIZE && self.is_filler(end)? {
            end += WORD_SIZE;
        }
        let room = start + PAGE_SIZE - end;
        if let Some(torn) = self.last_written(end, room)? {
            for at in (end..end + torn).step_by(FILLER.len()) {
                let len = (end + torn - at).min(FILLER.len());
                self.flash.program(at, &FILLER[..len])?;
            }
            end += torn;
        }
        self.end = end - start;
        Ok(())
    }

    fn is_filler(&mut self, address: usize) -> Result<bool, Error> {
        let mut word = BLANK;
        self.flash.read(address, &mut word)?;
        Ok(word == ZERO)
    }

    /// Begins the next page of the ring. The magic number comes last, so that a torn header is no header.
    fn open_page(&mut self) -> Result<(), Error> {
        let page = if self.used == 0 { 0 } else { (self.head + 1) % self.pages };
        if self.used >= self.pages {
            return Err(Error::Full);
        }
        let sequence = self.sequence.checked_add(1).ok_or(Error::Full)?;
        let header = PageHeader { pages: self.pages as u32, sequence, transaction: self.transaction }.encode();
        let address = page * PAGE_SIZE;
        self.flash.program(address + WORD_SIZE, &header[WORD_SIZE..])?;
        self.flash.program(address, &header[..WORD_SIZE])?;
        self.head = page;
        self.sequence = sequence;
        self.used += 1;
        self.end = PAGE_HEADER;
        Ok(())
    }

    /// Appends a record. `body` is `header.len` bytes, filled up to a whole word. Returns its address.
    pub(crate) fn append(&mut self, header: &Header, body: &[u8]) -> Result<usize, Error> {
        if self.end + header.size() > PAGE_SIZE {
            self.open_page()?;
        }
        let address = self.head * PAGE_SIZE + self.end;
        if !body.is_empty() {
            self.flash.program(address + HEADER, body)?;
        }
        self.flash.program(address, &header.encode(self.check))?;
        self.end += header.size();
        Ok(address)
    }

    /// Programs the erasure key or salt of a record to zero, unless it is already.
    pub(crate) fn kill(&mut self, address: usize) -> Result<(), Error> {
        let Some(header) = self.header(address)? else { return Ok(()) };
        if header.seed_len() == 0 || self.is_dead(address, &header)? {
            return Ok(());
        }
        self.flash.program(address + HEADER, &[0; crate::record::ERASURE_KEY][..header.seed_len()])?;
        Ok(())
    }

    /// Whether [`kill`](Self::kill) was completed on a record.
    pub(crate) fn is_dead(&mut self, address: usize, header: &Header) -> Result<bool, Error> {
        let mut seed = [0xff; crate::record::ERASURE_KEY];
        let seed = &mut seed[..header.seed_len()];
        self.flash.read(address + HEADER, seed)?;
        Ok(!seed.is_empty() && seed.iter().all(|&byte| byte == 0))
    }

    /// The header of a record that lies whole within a page.
    pub(crate) fn header(&mut self, address: usize) -> Result<Option<Header>, Error> {
        let room = PAGE_SIZE - address % PAGE_SIZE;
        if room < HEADER || address / PAGE_SIZE >= self.pages {
            return Ok(None);
        }
        let mut bytes = [0; HEADER];
        self.flash.read(address, &mut bytes)?;
        Ok(Header::decode(&bytes, self.check).filter(|header| header.size() <= room))
    }

    /// The first record of a page at or after an address. Steps over fillers and over what has been damaged.
    fn record_from(&mut self, address: usize) -> Result<Option<(usize, Header)>, Error> {
        let page_end = (address / PAGE_SIZE + 1) * PAGE_SIZE;
        let mut damaged = false;
        for at in (address..page_end).step_by(WORD_SIZE) {
            if at % PAGE_SIZE == 0 {
                return Ok(None);
            }
            if let Some(header) = self.header(at)? {
                return Ok(Some((at, header)));
            }
            let mut word = ZERO;
            self.flash.read(at, &mut word)?;
            if word == BLANK && !damaged {
                return Ok(None);
            }
            damaged |= word != ZERO && word != BLANK;
        }
        Ok(None)
    }

    /// The place before the oldest record.
    pub(crate) fn start(&self) -> Cursor {
        Cursor { page: 0, offset: PAGE_HEADER }
    }

    /// The place after the newest record.
    pub(crate) fn end(&self) -> Cursor {
        Cursor { page: self.used.saturating_sub(1), offset: self.end }
    }

    /// The next record up to the end; moves the cursor behind it.
    pub(crate) fn next(&mut self, cursor: &mut Cursor) -> Result<Option<(usize, Header)>, Error> {
        while cursor.page < self.used {
            let distance = self.used - 1 - cursor.page;
            let page = self.back(distance) * PAGE_SIZE;
            // Every page between tail and head belongs to the log, even one whose own header was damaged: its place in
            // the ring says which it is, and its records vouch for themselves.
            if cursor.offset < PAGE_SIZE
                && let Some((address, header)) = self.record_from(page + cursor.offset)?
            {
                cursor.offset = address - page + header.size();
                return Ok(Some((address, header)));
            }
            *cursor = Cursor { page: cursor.page + 1, offset: PAGE_HEADER };
        }
        Ok(None)
    }

    /// Erases the tail. Its magic number goes first, so that nothing in a torn erasure is taken for records.
    pub(crate) fn drop_tail(&mut self) -> Result<(), Error> {
        if self.used < 2 {
            return Err(Error::Full);
        }
        let tail = self.back(self.used - 1);
        self.flash.program(tail * PAGE_SIZE, &ZERO)?;
        self.flash.erase(tail)?;
        self.used -= 1;
        Ok(())
    }

    /// Whether a cursor is still in the tail page.
    pub(crate) fn in_tail(&self, cursor: &Cursor) -> bool {
        cursor.page == 0
    }

    /// Whether the tail is the page that is being filled.
    pub(crate) fn is_single(&self) -> bool {
        self.used < 2
    }

    /// Pages in the region.
    pub(crate) fn pages(&self) -> usize {
        self.pages
    }

    /// Blank pages.
    pub(crate) fn free_pages(&self) -> usize {
        self.pages - self.used
    }

    /// Most bytes of records, with `reserve` pages kept free.
    pub(crate) fn capacity(&self, reserve: usize) -> usize {
        self.pages.saturating_sub(reserve) * PAGE_ROOM
    }

    /// Begins a simulation of appending.
    pub(crate) fn packing(&self) -> Packing {
        Packing { pages: 0, end: self.end, bytes: 0, records: 0 }
    }
}

/// A simulation of appending: how many pages a transaction will begin.
pub(crate) struct Packing {
    pub(crate) pages: usize,
    end: usize,
    pub(crate) bytes: usize,
    pub(crate) records: usize,
}

impl Packing {
    /// Accounts for one more record with its header.
    pub(crate) fn add(&mut self, size: usize) {
        if self.end + size > PAGE_SIZE {
            self.pages += 1;
            self.end = PAGE_HEADER;
        }
        self.end += size;
        self.bytes += size;
        self.records += 1;
    }
}
