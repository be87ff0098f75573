//! Objects over the journal: reading, enumerating, counting. Transactions are in `write`.

use core::ops::Range;

use zeroize::{Zeroize, Zeroizing};

use crate::flash::Flash;
use crate::index::{Index, Part};
use crate::journal::Journal;
use crate::object::{Error, Info, Kind, MAX_CONTENT, MAX_META, MAX_RECORDS, ObjectId, Seal, Usage};
use crate::record::{CHUNK, ERASURE_KEY, HEADER, Header, PUBLIC_SEED, Tag, size};
use crate::seal::{Binding, DIGEST, FIELDS, MAC, RootKey, Sealer, TAG, TagDigest, same};

/// Pages kept blank: collecting garbage needs one, and more after power cuts have torn its copies.
pub(crate) const RESERVE: usize = 4;
/// Pages kept blank by changes that only free space or set a counter.
pub(crate) const FLOOR: usize = 2;

/// Sealed objects on a region of flash. About 21 KiB of RAM, most of it the index.
pub struct Store<'m, F> {
    pub(crate) journal: Journal<'m, F>,
    pub(crate) sealer: Sealer,
    pub(crate) plain: Zeroizing<[u8; CHUNK]>,
    /// A change failed half way: only a new mount knows what is on flash.
    pub(crate) broken: bool,
}

/// The head of an object, authenticated. Its record lies in the journal's body.
pub(crate) struct Head {
    pub(crate) kind: Kind,
    pub(crate) len: usize,
    pub(crate) version: u32,
    /// Initial value of the counter.
    pub(crate) counter: Option<u32>,
    pub(crate) meta: heapless::Vec<u8, MAX_META>,
    digest: [u8; DIGEST],
    /// Length of what the content's tag authenticates besides the content.
    public: usize,
}

impl<'m, F: Flash> Store<'m, F> {
    /// Opens the store on a region of flash, or formats a region that never held one. Completes erasures and abandons
    /// transactions that a power cut interrupted.
    ///
    /// # Errors
    /// [`Error::Version`] for a region formatted by another version or for another size (and for a region of fewer than
    /// 8 pages or more than 64 MiB), [`Error::Corrupt`] where there has been a store but none of its pages is
    /// recognised, [`Error::Flash`]. The flash is handed back.
    pub fn mount(flash: F, root: RootKey, index: &'m mut Index) -> Result<Self, (F, Error)> {
        let sealer = Sealer::new(root);
        let journal = Journal::new(flash, sealer.check(), index);
        let mut store = Self { journal, sealer, plain: Zeroizing::new([0; CHUNK]), broken: false };
        match store.journal.open() {
            Ok(()) => Ok(store),
            Err(error) => Err((store.into_flash(), error)),
        }
    }

    /// What is known of an object without its key; `None` if there is no such object.
    pub fn info(&mut self, id: ObjectId) -> Result<Option<Info>, Error> {
        let Some(head) = self.head(id.0)? else { return Ok(None) };
        let counter = self.counter(id.0, &head)?;
        Ok(Some(Info { len: head.len, kind: head.kind, meta: head.meta, counter }))
    }

    /// Reads content from `offset` into `out`; returns how many bytes, which is `out.len()` or what the object has
    /// left, whichever is less. Nothing is released unless all of it is authentic.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Sealed`] if the object is of another kind, [`Error::OutOfRange`] if `offset` is
    /// beyond the end, [`Error::Corrupt`] also if the [`Kek`](crate::Kek) is not the one it was sealed under.
    pub fn read(&mut self, id: ObjectId, seal: Seal<'_>, offset: usize, out: &mut [u8]) -> Result<usize, Error> {
        let result = self.read_chunks(id.0, seal, offset, out);
        if result.is_err() {
            out.zeroize();
        }
        self.journal.body.zeroize();
        result
    }

    fn read_chunks(&mut self, id: u16, seal: Seal<'_>, offset: usize, out: &mut [u8]) -> Result<usize, Error> {
        let head = self.head_for(id, seal)?;
        let len = head.len.checked_sub(offset).ok_or(Error::OutOfRange)?.min(out.len());
        self.check_digest(id, &head)?;
        let mut done = 0;
        while done < len {
            let at = offset + done;
            let content = self.open_chunk(id, seal, &head, at / CHUNK)?;
            let piece = self.journal.body.get(content).and_then(|content| content.get(at % CHUNK..));
            let (to, from) = (out.get_mut(done..len), piece.filter(|piece| !piece.is_empty()));
            let (Some(to), Some(from)) = (to, from) else { return Err(Error::Corrupt) };
            for (to, from) in to.iter_mut().zip(from) {
                *to = *from;
            }
            done += to.len().min(from.len());
        }
        Ok(len)
    }

    /// The object that follows `after` in ascending order, or the first one.
    pub fn next(&mut self, after: Option<ObjectId>) -> Result<Option<ObjectId>, Error> {
        let from = match after {
            None => Some(0),
            Some(ObjectId(id)) => id.checked_add(1),
        };
        Ok(from.and_then(|from| self.journal.index.first_from(from)).map(ObjectId))
    }

    /// Sets an object's counter, durably: one small append, no page erase except when a page is full.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the object does not exist or was created without a counter.
    pub fn count(&mut self, id: ObjectId, value: u32) -> Result<(), Error> {
        self.changing(|store| store.append_counter(id.0, value))
    }

    fn append_counter(&mut self, id: u16, value: u32) -> Result<(), Error> {
        let head = self.head(id)?.ok_or(Error::NotFound)?;
        if head.counter.is_none() {
            return Err(Error::NotFound);
        }
        if self.journal.index.len() >= MAX_RECORDS && self.journal.index.address(Part::counter(id)).is_none() {
            return Err(Error::Full);
        }
        self.reserve(true, |store| {
            let mut packing = store.journal.log.packing();
            packing.add(size(MAC));
            Ok(packing)
        })?;
        let start = self.journal.log.end();
        let mac = self.sealer.counter_mac(id, head.version, value);
        self.journal.body[..MAC].copy_from_slice(&mac);
        let len = MAC as u16;
        self.journal.append(&Header { tag: Tag::Counter, alone: true, sealed: false, len, id, part: 0, arg: value })?;
        self.journal.finish(start, true)
    }

    /// How full the store is.
    pub fn usage(&mut self) -> Usage {
        let total = self.journal.log.capacity(RESERVE);
        Usage { total, free: total.saturating_sub(self.journal.live), records: self.journal.index.len() }
    }

    /// The flash under the store.
    pub fn flash(&self) -> &F {
        &self.journal.log.flash
    }

    /// Ends the store and hands back the flash.
    pub fn into_flash(self) -> F {
        self.journal.log.flash
    }

    /// Runs a change; if it fails half way, the store is of no use for further ones.
    pub(crate) fn changing(&mut self, change: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        if self.broken {
            return Err(Error::Flash);
        }
        let result = change(self);
        self.broken = result == Err(Error::Flash);
        self.journal.body.zeroize();
        self.plain.zeroize();
        result
    }

    /// The head of an object that must exist and be of the seal's kind.
    pub(crate) fn head_for(&mut self, id: u16, seal: Seal<'_>) -> Result<Head, Error> {
        let head = self.head(id)?.ok_or(Error::NotFound)?;
        if head.kind == seal.kind() { Ok(head) } else { Err(Error::Sealed) }
    }

    /// Loads and authenticates the head of an object.
    pub(crate) fn head(&mut self, id: u16) -> Result<Option<Head>, Error> {
        let Some(header) = self.journal.load(Part::head(id))? else {
            return if self.journal.index.parts(id) == 0 { Ok(None) } else { Err(Error::Corrupt) };
        };
        let body = self.journal.body.get(..usize::from(header.len)).ok_or(Error::Corrupt)?;
        let head = Head::parse(&header, body).ok_or(Error::Corrupt)?;
        let (public, rest) = body.split_at_checked(head.public).ok_or(Error::Corrupt)?;
        same(rest.get(..MAC).ok_or(Error::Corrupt)?, &self.sealer.head_mac(id, public))?;
        Ok(Some(head))
    }

    fn counter(&mut self, id: u16, head: &Head) -> Result<Option<u32>, Error> {
        let Some(initial) = head.counter else { return Ok(None) };
        let Some(header) = self.journal.load(Part::counter(id))? else { return Ok(Some(initial)) };
        same(&self.journal.body[..MAC], &self.sealer.counter_mac(id, head.version, header.arg))?;
        Ok(Some(header.arg))
    }

    /// Checks that the chunks on flash are the ones the head was written with.
    pub(crate) fn check_digest(&mut self, id: u16, head: &Head) -> Result<(), Error> {
        let chunks = chunks(head.len);
        if chunks < 2 {
            return Ok(());
        }
        let mut digest = TagDigest::new();
        for part in 1..chunks {
            digest.add(&self.stored_tag(id, part)?);
        }
        same(&digest.finish(), &head.digest)
    }

    /// The AEAD tag of a chunk, from flash.
    pub(crate) fn stored_tag(&mut self, id: u16, part: usize) -> Result<[u8; TAG], Error> {
        let address = self.journal.index.address(Part::chunk(id, part as u8)).ok_or(Error::Corrupt)?;
        let header = self.journal.log.header(address)?.ok_or(Error::Corrupt)?;
        let offset = usize::from(header.len).checked_sub(TAG).ok_or(Error::Corrupt)?;
        let mut tag = [0; TAG];
        self.journal.log.flash.read(address + HEADER + offset, &mut tag)?;
        Ok(tag)
    }

    /// Decrypts a chunk in the journal's body, and says where the content lies in it.
    pub(crate) fn open_chunk(
        &mut self,
        id: u16,
        seal: Seal<'_>,
        head: &Head,
        part: usize,
    ) -> Result<Range<usize>, Error> {
        let number = u8::try_from(part).map_err(|_| Error::Corrupt)?;
        let header = self.journal.load(Part::chunk(id, number))?.ok_or(Error::Corrupt)?;
        let seed_len = seed_len(head.kind);
        let start = if part == 0 { head.public + MAC } else { seed_len };
        let end = start + chunk_len(head.len, part);
        if usize::from(header.len) != end + TAG || header.sealed != (head.kind != Kind::Public) {
            return Err(Error::Corrupt);
        }
        let body = self.journal.body.get_mut(..end + TAG).ok_or(Error::Corrupt)?;
        let (public, rest) = body.split_at_mut_checked(start).ok_or(Error::Corrupt)?;
        let (content, tag) = rest.split_last_chunk_mut::<TAG>().ok_or(Error::Corrupt)?;
        let (seed, _) = public.split_at_checked(seed_len).ok_or(Error::Corrupt)?;
        let aad = if part == 0 { public.get(..head.public).ok_or(Error::Corrupt)? } else { &[] };
        let binding = Binding { kind: head.kind, id, part: u16::from(number), version: head.version };
        self.sealer.open(seal, seed, binding, aad, content, tag)?;
        Ok(start..end)
    }
}

impl Head {
    const HAS_COUNTER: u8 = 0x10;

    /// Parses the public part of a head's body.
    fn parse(header: &Header, body: &[u8]) -> Option<Self> {
        let (_, rest) = body.split_at_checked(header.seed_len())?;
        let (fields, rest) = rest.split_first_chunk::<FIELDS>()?;
        let [l0, l1, l2, l3, v0, v1, v2, v3, c0, c1, c2, c3, meta_len, flags, _, _] = *fields;
        let len = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        let (meta, rest) = rest.split_at_checked(usize::from(meta_len))?;
        let kind = match flags & !Self::HAS_COUNTER {
            0 => Kind::Public,
            1 => Kind::Device,
            2 => Kind::Secret,
            _ => return None,
        };
        let digest = if len > CHUNK { *rest.first_chunk::<DIGEST>()? } else { [0; DIGEST] };
        if len > MAX_CONTENT || header.sealed != (kind != Kind::Public) {
            return None;
        }
        Some(Self {
            kind,
            len,
            version: u32::from_le_bytes([v0, v1, v2, v3]),
            counter: (flags & Self::HAS_COUNTER != 0).then_some(u32::from_le_bytes([c0, c1, c2, c3])),
            meta: heapless::Vec::from_slice(meta).ok()?,
            digest,
            public: public_len(kind, meta.len(), len),
        })
    }

    /// The fixed fields, as on flash.
    pub(crate) fn fields(kind: Kind, len: usize, version: u32, counter: Option<u32>, meta_len: usize) -> [u8; FIELDS] {
        let [l0, l1, l2, l3] = (len as u32).to_le_bytes();
        let [v0, v1, v2, v3] = version.to_le_bytes();
        let [c0, c1, c2, c3] = counter.unwrap_or(0).to_le_bytes();
        let flags = kind as u8 | if counter.is_some() { Self::HAS_COUNTER } else { 0 };
        [l0, l1, l2, l3, v0, v1, v2, v3, c0, c1, c2, c3, meta_len as u8, flags, 0, 0]
    }
}

/// Length of the erasure key or salt of an object's records.
pub(crate) fn seed_len(kind: Kind) -> usize {
    if kind == Kind::Public { PUBLIC_SEED } else { ERASURE_KEY }
}

/// Length of a head's body up to its MAC.
pub(crate) fn public_len(kind: Kind, meta_len: usize, len: usize) -> usize {
    seed_len(kind) + FIELDS + meta_len + if len > CHUNK { DIGEST } else { 0 }
}

/// Pieces of content, the one in the head included.
pub(crate) fn chunks(len: usize) -> usize {
    len.div_ceil(CHUNK).max(1)
}

/// Length of one piece of content.
pub(crate) fn chunk_len(len: usize, part: usize) -> usize {
    len.saturating_sub(part * CHUNK).min(CHUNK)
}
