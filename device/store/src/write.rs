//! Transactions: from changes to records.

use rand_core::CryptoRng;

use crate::flash::Flash;
use crate::index::{Index, Part};
use crate::log::Packing;
use crate::object::{Change, Error, Kind, MAX_CONTENT, MAX_META, MAX_RECORDS, ObjectId, Seal};
use crate::record::{CHUNK, Header, Tag, size};
use crate::seal::{Binding, MAC, TAG, TagDigest};
use crate::store::{FLOOR, Head, RESERVE, Store, chunk_len, chunks, public_len, seed_len};

/// Records that only counters may use, so that a full store can still count down the uses of 255 keys and the tries of
/// their PINs.
const COUNTER_RESERVE: usize = 260;

/// What a head says, and the content of the object.
struct Object<'a> {
    id: u16,
    seal: Seal<'a>,
    len: usize,
    version: u32,
    counter: Option<u32>,
    meta: &'a [u8],
}

impl<F: Flash> Store<'_, F> {
    /// Makes all changes or none. The changes may come in any order and any number, as long as no two of them name the
    /// same object, and the records of all fit on flash beside what is there.
    ///
    /// # Errors
    /// [`Error::Conflict`], [`Error::TooLong`] and [`Error::Full`]; for a `Write` those of [`Store::read`]. Nothing has
    /// changed then. After [`Error::Flash`] the next mount decides whether the changes are made.
    pub fn commit(&mut self, changes: &[Change<'_>], rng: &mut impl CryptoRng) -> Result<(), Error> {
        self.changing(|store| store.transact(changes, rng))
    }

    fn transact(&mut self, changes: &[Change<'_>], rng: &mut impl CryptoRng) -> Result<(), Error> {
        self.check(changes)?;
        let frees = wipes(changes) || self.none_grows(changes)?;
        let packing = self.reserve(frees, |store| store.plan(changes))?;
        if packing.records == 0 {
            return Ok(());
        }
        let alone = packing.records == 1;
        let start = self.journal.log.end();
        let written = self.append_deletions(changes, alone).and_then(|()| {
            changes.iter().try_for_each(|change| match *change {
                Change::Put { id, seal, meta, content, counter } => {
                    let version = self.journal.log.transaction;
                    let object = Object { id: id.0, seal, len: content.len(), version, counter, meta };
                    self.append_new(&object, content, alone, rng)
                }
                Change::Write { id, seal, offset, content } => {
                    self.append_overwrite(id.0, seal, offset, content, alone, rng)
                }
                Change::Delete { .. } | Change::DeleteAllExcept { .. } => Ok(()),
            })
        });
        match written {
            Ok(()) => self.journal.finish(start, alone),
            Err(Error::Flash) => Err(Error::Flash),
            Err(error) => self.journal.cancel(start).and(Err(error)),
        }
    }

    /// Whether no object takes more room afterwards than before. A full store must take such changes: it could neither
    /// be given a new PIN nor be emptied otherwise.
    fn none_grows(&mut self, changes: &[Change<'_>]) -> Result<bool, Error> {
        for change in changes {
            let grows = match *change {
                Change::Delete { .. } | Change::DeleteAllExcept { .. } => false,
                Change::Put { id, meta, content, .. } => {
                    self.info(id)?.is_none_or(|before| content.len() > before.len || meta.len() > before.meta.len())
                }
                Change::Write { id, offset, content, .. } => {
                    self.info(id)?.is_none_or(|before| offset + content.len() > before.len)
                }
            };
            if grows {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Refuses what can be refused without looking at content.
    fn check(&mut self, changes: &[Change<'_>]) -> Result<(), Error> {
        let mut records = if wipes(changes) { 0 } else { self.journal.index.len() };
        for (at, change) in changes.iter().enumerate() {
            if let Some(id) = named(change)
                && changes.iter().take(at).any(|other| named(other) == Some(id))
            {
                return Err(Error::Conflict);
            }
            match *change {
                Change::Put { id, meta, content, .. } => {
                    if meta.len() > MAX_META || content.len() > MAX_CONTENT {
                        return Err(Error::TooLong);
                    }
                    records = (records + chunks(content.len())).saturating_sub(self.journal.index.parts(id.0));
                }
                Change::Write { id, seal, offset, content } => {
                    let head = self.head_for(id.0, seal)?;
                    if changes.iter().any(|other| matches!(other, Change::DeleteAllExcept { keep } if !keep(id))) {
                        return Err(Error::NotFound);
                    }
                    if offset > head.len {
                        return Err(Error::OutOfRange);
                    }
                    let len = offset.checked_add(content.len()).filter(|&len| len <= MAX_CONTENT);
                    records += chunks(len.ok_or(Error::TooLong)?).saturating_sub(chunks(head.len));
                    self.check_digest(id.0, &head)?;
                }
                Change::Delete { .. } | Change::DeleteAllExcept { .. } => (),
            }
        }
        let grows = records > self.journal.index.len();
        if grows && records > MAX_RECORDS - COUNTER_RESERVE { Err(Error::Full) } else { Ok(()) }
    }

    /// Collects garbage until the records that `plan` counts fit and [`RESERVE`] pages stay blank. A change that
    /// `frees`, or takes no more room than before, collects too, but makes do with [`FLOOR`] pages rather than be refused or go round the whole ring.
    pub(crate) fn reserve(
        &mut self,
        frees: bool,
        mut plan: impl FnMut(&mut Self) -> Result<Packing, Error>,
    ) -> Result<Packing, Error> {
        let floor = if frees { FLOOR } else { RESERVE };
        for collected in 0..=self.journal.log.pages() {
            let packing = plan(self)?;
            let free = self.journal.log.free_pages();
            let bytes = self.journal.live + packing.bytes;
            let enough = packing.pages + floor <= free;
            let tried = packing.pages == 0 || collected > 0 || bytes > self.journal.log.capacity(RESERVE + 1);
            if packing.pages + RESERVE <= free || (enough && frees && tried) {
                return Ok(packing);
            }
            if bytes > self.journal.log.capacity(floor) {
                return Err(Error::Full);
            }
            self.journal.collect()?;
        }
        Err(Error::Full)
    }

    /// Counts the records of a transaction, in the order in which they will be appended.
    fn plan(&mut self, changes: &[Change<'_>]) -> Result<Packing, Error> {
        let mut packing = self.journal.log.packing();
        deletions(self.journal.index, changes, |_, _| {
            packing.add(size(0));
            Ok(())
        })?;
        for change in changes {
            match *change {
                Change::Put { seal, meta, content, .. } => {
                    for part in 1..chunks(content.len()) {
                        packing.add(chunk_size(seal.kind(), content.len(), part));
                    }
                    packing.add(head_size(seal.kind(), meta.len(), content.len()));
                }
                Change::Write { id, seal, offset, content } => {
                    let head = self.head_for(id.0, seal)?;
                    let len = head.len.max(offset + content.len());
                    for part in (1..chunks(len)).filter(|&part| touched(part, offset, content.len())) {
                        packing.add(chunk_size(head.kind, len, part));
                    }
                    packing.add(head_size(head.kind, head.meta.len(), len));
                }
                Change::Delete { .. } | Change::DeleteAllExcept { .. } => (),
            }
        }
        if packing.records > 1 {
            packing.add(size(0));
        }
        Ok(packing)
    }

    fn append_deletions(&mut self, changes: &[Change<'_>], alone: bool) -> Result<(), Error> {
        let journal = &mut self.journal;
        let arg = journal.log.transaction;
        deletions(journal.index, changes, |id, part| {
            journal
                .log
                .append(&Header { tag: Tag::Delete, alone, sealed: false, len: 0, id, part, arg }, &[])
                .map(|_| ())
        })
    }

    fn append_new(
        &mut self,
        object: &Object<'_>,
        content: &[u8],
        alone: bool,
        rng: &mut impl CryptoRng,
    ) -> Result<(), Error> {
        let mut pieces = content.chunks(CHUNK);
        let first = pieces.next().unwrap_or_default();
        let mut digest = TagDigest::new();
        for (part, piece) in (1..).zip(pieces) {
            self.fill_plain(0, piece)?;
            digest.add(&self.append_chunk(object, part, rng)?);
        }
        self.fill_plain(0, first)?;
        self.append_head(object, digest, alone, rng)
    }

    fn append_overwrite(
        &mut self,
        id: u16,
        seal: Seal<'_>,
        offset: usize,
        content: &[u8],
        alone: bool,
        rng: &mut impl CryptoRng,
    ) -> Result<(), Error> {
        let head = self.head_for(id, seal)?;
        let len = head.len.max(offset + content.len());
        let object = Object { id, seal, len, version: head.version, counter: head.counter, meta: &head.meta };
        let mut digest = TagDigest::new();
        for part in 1..chunks(len) {
            if touched(part, offset, content.len()) {
                self.overlay(&object, &head, part, offset, content)?;
                digest.add(&self.append_chunk(&object, part, rng)?);
            } else {
                digest.add(&self.stored_tag(id, part)?);
            }
        }
        self.overlay(&object, &head, 0, offset, content)?;
        self.append_head(&object, digest, alone, rng)
    }

    /// Puts a chunk as it is, overwritten with what belongs into it, into the plaintext buffer.
    fn overlay(
        &mut self,
        object: &Object<'_>,
        head: &Head,
        part: usize,
        offset: usize,
        content: &[u8],
    ) -> Result<(), Error> {
        if part < chunks(head.len) {
            let old = self.open_chunk(object.id, object.seal, head, part)?;
            let old = self.journal.body.get(old).ok_or(Error::Corrupt)?;
            self.plain.get_mut(..old.len()).ok_or(Error::Corrupt)?.copy_from_slice(old);
        }
        let start = part * CHUNK;
        let skipped = start.saturating_sub(offset).min(content.len());
        let at = offset.saturating_sub(start);
        if at < CHUNK {
            let piece = content.get(skipped..).unwrap_or_default();
            self.fill_plain(at, piece.get(..CHUNK - at).unwrap_or(piece))?;
        }
        Ok(())
    }

    fn fill_plain(&mut self, at: usize, piece: &[u8]) -> Result<(), Error> {
        let to = self.plain.get_mut(at..).and_then(|plain| plain.get_mut(..piece.len())).ok_or(Error::OutOfRange)?;
        to.copy_from_slice(piece);
        Ok(())
    }

    /// Seals the plaintext buffer as a chunk.
    fn append_chunk(&mut self, object: &Object<'_>, part: usize, rng: &mut impl CryptoRng) -> Result<[u8; TAG], Error> {
        let kind = object.seal.kind();
        let start = draw_seed(&mut self.journal.body, seed_len(kind), rng);
        let (tag, len) = self.seal_plain(object, part, start, start)?;
        self.append_record(Tag::Chunk, object, part, len, false)?;
        Ok(tag)
    }

    /// Seals the plaintext buffer as the first chunk, with the head before it.
    fn append_head(
        &mut self,
        object: &Object<'_>,
        digest: TagDigest,
        alone: bool,
        rng: &mut impl CryptoRng,
    ) -> Result<(), Error> {
        let kind = object.seal.kind();
        let mut at = draw_seed(&mut self.journal.body, seed_len(kind), rng);
        let fields = Head::fields(kind, object.len, object.version, object.counter, object.meta.len());
        let digest = digest.finish();
        let digest: &[u8] = if object.len > CHUNK { &digest } else { &[] };
        for piece in [&fields, object.meta, digest] {
            at = put(&mut self.journal.body, at, piece)?;
        }
        let mac = self.sealer.head_mac(object.id, self.journal.body.get(..at).ok_or(Error::TooLong)?);
        let start = put(&mut self.journal.body, at, &mac)?;
        let (_, len) = self.seal_plain(object, 0, at, start)?;
        self.append_record(Tag::Head, object, 0, len, alone)
    }

    /// Encrypts a piece of the plaintext buffer to `start` of the body, with the body up to `public` as seed and (for a
    /// head) associated data. Returns the tag and the length of the body.
    fn seal_plain(
        &mut self,
        object: &Object<'_>,
        part: usize,
        public: usize,
        start: usize,
    ) -> Result<([u8; TAG], usize), Error> {
        let kind = object.seal.kind();
        let plain = self.plain.get(..chunk_len(object.len, part)).ok_or(Error::TooLong)?;
        let end = put(&mut self.journal.body, start, plain)?;
        let (before, rest) = self.journal.body.split_at_mut_checked(start).ok_or(Error::TooLong)?;
        let content = rest.get_mut(..end - start).ok_or(Error::TooLong)?;
        let seed = before.get(..seed_len(kind)).ok_or(Error::TooLong)?;
        let aad = if part == 0 { before.get(..public).ok_or(Error::TooLong)? } else { &[] };
        let binding = Binding { kind, id: object.id, part: part as u16, version: object.version };
        let tag = self.sealer.seal(object.seal, seed, binding, aad, content);
        Ok((tag, put(&mut self.journal.body, end, &tag)?))
    }

    fn append_record(
        &mut self,
        tag: Tag,
        object: &Object<'_>,
        part: usize,
        len: usize,
        alone: bool,
    ) -> Result<(), Error> {
        let sealed = object.seal.kind() != Kind::Public;
        let arg = self.journal.log.transaction;
        self.journal.append(&Header { tag, alone, sealed, len: len as u16, id: object.id, part: part as u16, arg })
    }
}

/// Whether nearly everything goes.
fn wipes(changes: &[Change<'_>]) -> bool {
    changes.iter().any(|change| matches!(change, Change::DeleteAllExcept { .. }))
}

/// The object that a change names.
fn named(change: &Change<'_>) -> Option<ObjectId> {
    match *change {
        Change::Put { id, .. } | Change::Write { id, .. } | Change::Delete { id } => Some(id),
        Change::DeleteAllExcept { .. } => None,
    }
}

/// Calls `delete` with the first and last id of every range of objects that has to be deleted.
fn deletions(
    index: &Index,
    changes: &[Change<'_>],
    mut delete: impl FnMut(u16, u16) -> Result<(), Error>,
) -> Result<(), Error> {
    for change in changes {
        match *change {
            Change::Delete { id: ObjectId(id) } if index.parts(id) > 0 => delete(id, id)?,
            // A head replaces a head; what else there is of the old object has to go.
            Change::Put { id: ObjectId(id), .. }
                if index.parts(id) > usize::from(index.address(Part::head(id)).is_some()) =>
            {
                delete(id, id)?;
            }
            Change::DeleteAllExcept { keep } => {
                let mut run: Option<(u16, u16)> = None;
                let mut from = Some(0);
                while let Some(id) = from.and_then(|from| index.first_from(from)) {
                    run = match run {
                        _ if keep(ObjectId(id)) => {
                            if let Some((first, last)) = run {
                                delete(first, last)?;
                            }
                            None
                        }
                        Some((first, _)) => Some((first, id)),
                        None => Some((id, id)),
                    };
                    from = id.checked_add(1);
                }
                if let Some((first, last)) = run {
                    delete(first, last)?;
                }
            }
            _ => (),
        }
    }
    Ok(())
}

/// Whether `len` bytes at `offset` reach into a piece of content.
fn touched(part: usize, offset: usize, len: usize) -> bool {
    offset < (part + 1) * CHUNK && offset + len > part * CHUNK
}

fn chunk_size(kind: Kind, len: usize, part: usize) -> usize {
    size(seed_len(kind) + chunk_len(len, part) + TAG)
}

fn head_size(kind: Kind, meta_len: usize, len: usize) -> usize {
    size(public_len(kind, meta_len, len) + MAC + chunk_len(len, 0) + TAG)
}

/// Starts a body with a fresh erasure key or salt, which is not all zero: that would be a dead record.
fn draw_seed(body: &mut [u8], len: usize, rng: &mut impl CryptoRng) -> usize {
    if let Some(seed) = body.get_mut(..len) {
        rng.fill_bytes(seed);
        if seed.iter().all(|&byte| byte == 0) {
            seed.fill(1);
        }
    }
    len
}

/// Copies bytes into a body, and returns the offset behind them.
fn put(body: &mut [u8], at: usize, bytes: &[u8]) -> Result<usize, Error> {
    let to = body.get_mut(at..).and_then(|body| body.get_mut(..bytes.len())).ok_or(Error::TooLong)?;
    to.copy_from_slice(bytes);
    Ok(at + bytes.len())
}
