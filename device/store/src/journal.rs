//! What the records of the log mean: replay after a start, transactions, collection of garbage.
//!
//! The order of events that makes a power cut harmless: the records of a transaction, then its commit, then the
//! superseded records are killed. A cut before the commit leaves records without one, a cut after it leaves superseded
//! records alive; replay kills both.

use crate::flash::Flash;
use crate::index::{Index, Part};
use crate::log::{Cursor, Log};
use crate::object::Error;
use crate::record::{HEADER, Header, MAX_RECORD, Tag};

/// Highest number of a chunk.
const MAX_PART: u16 = 0xfd;

/// The log with its index.
pub(crate) struct Journal<'m, F> {
    pub(crate) log: Log<F>,
    pub(crate) index: &'m mut Index,
    /// The body of the record that is being read or built.
    pub(crate) body: [u8; MAX_RECORD - HEADER],
    /// Bytes of live records on flash.
    pub(crate) live: usize,
}

impl<'m, F: Flash> Journal<'m, F> {
    pub(crate) fn new(flash: F, check: u32, index: &'m mut Index) -> Self {
        index.clear();
        Self { log: Log::new(flash, check), index, body: [0; MAX_RECORD - HEADER], live: 0 }
    }

    /// Opens the log and rebuilds the index from it.
    pub(crate) fn open(&mut self) -> Result<(), Error> {
        self.log.open()?;
        self.replay().map_err(|error| if error == Error::Full { Error::Corrupt } else { error })
    }

    fn replay(&mut self) -> Result<(), Error> {
        let mut at = self.log.start();
        let mut pending: Option<(Cursor, u32)> = None;
        loop {
            let before = at;
            let Some((address, header)) = self.log.next(&mut at)? else { break };
            if header.tag != Tag::Counter {
                self.log.transaction = self.log.transaction.max(header.arg.saturating_add(1));
            }
            if header.alone {
                self.abandon(pending.take(), before)?;
                self.apply(address, &header)?;
            } else if header.tag == Tag::Commit {
                match pending.take() {
                    Some((start, transaction)) if transaction == header.arg => self.apply_between(start, before)?,
                    other => self.abandon(other, before)?,
                }
            } else if pending.is_none_or(|(_, transaction)| transaction != header.arg) {
                self.abandon(pending.replace((before, header.arg)), before)?;
            }
        }
        self.abandon(pending, at)
    }

    /// Kills the records of a transaction that was not committed.
    fn abandon(&mut self, pending: Option<(Cursor, u32)>, until: Cursor) -> Result<(), Error> {
        let Some((mut at, _)) = pending else { return Ok(()) };
        while let Some((address, _)) = self.log.next(&mut at)? {
            if at > until {
                break;
            }
            self.log.kill(address)?;
        }
        Ok(())
    }

    fn apply_between(&mut self, mut at: Cursor, until: Cursor) -> Result<(), Error> {
        while let Some((address, header)) = self.log.next(&mut at)? {
            if at > until {
                break;
            }
            self.apply(address, &header)?;
        }
        Ok(())
    }

    /// Makes a valid record the newest word on what it speaks of.
    fn apply(&mut self, address: usize, header: &Header) -> Result<(), Error> {
        if header.tag == Tag::Delete {
            for address in self.index.addresses(header.id..=header.part) {
                retire(&mut self.log, &mut self.live, address)?;
            }
            self.index.remove(header.id..=header.part);
        } else if let Some(part) = part(header)
            && !self.log.is_dead(address, header)?
        {
            let older = self.index.set(part, address)?;
            self.live += header.size();
            if let Some(older) = older.filter(|&older| older != address) {
                retire(&mut self.log, &mut self.live, older)?;
            }
        }
        Ok(())
    }

    /// Appends the record whose body lies in [`Self::body`].
    pub(crate) fn append(&mut self, header: &Header) -> Result<(), Error> {
        let padded = header.size() - HEADER;
        let body = self.body.get_mut(..padded).ok_or(Error::TooLong)?;
        if let Some(padding) = body.get_mut(usize::from(header.len)..) {
            padding.fill(0xff);
        }
        self.log.append(header, body).map(|_| ())
    }

    /// Commits what was appended since `start`; if `alone`, that is one record which needs no commit.
    pub(crate) fn finish(&mut self, start: Cursor, alone: bool) -> Result<(), Error> {
        if !alone {
            self.append(&Header {
                tag: Tag::Commit,
                alone: false,
                sealed: false,
                len: 0,
                id: 0,
                part: 0,
                arg: self.log.transaction,
            })?;
        }
        self.log.transaction = self.log.transaction.checked_add(1).ok_or(Error::Full)?;
        self.apply_between(start, self.log.end())
    }

    /// Gives up what was appended since `start`.
    pub(crate) fn cancel(&mut self, start: Cursor) -> Result<(), Error> {
        let until = self.log.end();
        self.log.transaction = self.log.transaction.checked_add(1).ok_or(Error::Full)?;
        self.abandon(Some((start, 0)), until)
    }

    /// Reads the body of a part's record into [`Self::body`]. The header is that of the very part.
    pub(crate) fn load(&mut self, wanted: Part) -> Result<Option<Header>, Error> {
        let Some(address) = self.index.address(wanted) else { return Ok(None) };
        let header = self.log.header(address)?.filter(|header| part(header) == Some(wanted)).ok_or(Error::Corrupt)?;
        let body = self.body.get_mut(..usize::from(header.len)).ok_or(Error::Corrupt)?;
        self.log.flash.read(address + HEADER, body)?;
        Ok(Some(header))
    }

    /// Copies what is live in the oldest page to the end of the log, and erases the page.
    pub(crate) fn collect(&mut self) -> Result<(), Error> {
        if self.log.is_single() {
            return Err(Error::Full);
        }
        let mut at = self.log.start();
        while let Some((address, header)) = self.log.next(&mut at)? {
            if !self.log.in_tail(&at) {
                break;
            }
            if let Some(part) = part(&header)
                && self.index.address(part) == Some(address)
            {
                let padded = header.size() - HEADER;
                let body = self.body.get_mut(..padded).ok_or(Error::Corrupt)?;
                self.log.flash.read(address + HEADER, body)?;
                let copy = self.log.append(&Header { alone: true, ..header }, body)?;
                self.index.set(part, copy)?;
            }
        }
        self.log.drop_tail()
    }
}

/// Which part of an object a record carries.
fn part(header: &Header) -> Option<Part> {
    match header.tag {
        Tag::Head => Some(Part::head(header.id)),
        Tag::Chunk if (1..=MAX_PART).contains(&header.part) => Some(Part::chunk(header.id, header.part as u8)),
        Tag::Counter => Some(Part::counter(header.id)),
        Tag::Chunk | Tag::Delete | Tag::Commit => None,
    }
}

/// Kills a record that is live no more.
fn retire<F: Flash>(log: &mut Log<F>, live: &mut usize, address: usize) -> Result<(), Error> {
    if let Some(header) = log.header(address)? {
        *live = live.saturating_sub(header.size());
    }
    log.kill(address)
}
