//! The headers in front of records and pages. Format 1; byte layouts in `docs/src/storage.md`.

use crate::flash::{PAGE_SIZE, WORD_SIZE};

/// Content bytes in one record.
pub(crate) const CHUNK: usize = 640;
/// Bytes of a record header.
pub(crate) const HEADER: usize = 16;
/// Bytes of a page header.
pub(crate) const PAGE_HEADER: usize = 20;
/// Most bytes of records in one page.
pub(crate) const PAGE_ROOM: usize = PAGE_SIZE - PAGE_HEADER;
/// Length of the random salt of a public record.
pub(crate) const PUBLIC_SEED: usize = 8;
/// Length of the erasure key of a device or secret record.
pub(crate) const ERASURE_KEY: usize = 32;

/// First bytes of every page, followed by the version.
const PAGE_MAGIC: [u8; 3] = *b"FRT";
const FORMAT: u8 = 1;
const RECORD_MAGIC: u8 = 0x5f;
const ALONE: u8 = 0x80;
const SEALED: u8 = 0x40;

/// What a record says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tag {
    /// The head of an object: its fields, metadata, and the first piece of content.
    Head = 1,
    /// A further piece of content; `part` numbers it from 1.
    Chunk = 2,
    /// Objects `id..=part` are deleted.
    Delete = 3,
    /// The object's counter is now `arg`; the body is a MAC.
    Counter = 4,
    /// The records of transaction `arg` before this one are valid.
    Commit = 5,
}

/// What stands in front of a record's body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    pub(crate) tag: Tag,
    /// Valid by itself, without a commit.
    pub(crate) alone: bool,
    /// The body begins with an erasure key rather than a short salt.
    pub(crate) sealed: bool,
    /// Bytes of body.
    pub(crate) len: u16,
    pub(crate) id: u16,
    pub(crate) part: u16,
    /// Number of the transaction; the value for a counter.
    pub(crate) arg: u32,
}

impl Header {
    /// Bytes on flash, with the header.
    pub(crate) fn size(&self) -> usize {
        size(usize::from(self.len))
    }

    /// Length of what is programmed to zero when the record is superseded; it starts the body.
    pub(crate) fn seed_len(&self) -> usize {
        match self.tag {
            Tag::Delete | Tag::Commit => 0,
            _ if self.sealed => ERASURE_KEY,
            _ => PUBLIC_SEED,
        }
    }

    pub(crate) fn encode(&self, check: u32) -> [u8; HEADER] {
        let flags = if self.alone { ALONE } else { 0 } | if self.sealed { SEALED } else { 0 };
        let mut out = [0; HEADER];
        out[0] = RECORD_MAGIC;
        out[1] = self.tag as u8 | flags;
        out[2..4].copy_from_slice(&self.len.to_le_bytes());
        out[4..6].copy_from_slice(&self.id.to_le_bytes());
        out[6..8].copy_from_slice(&self.part.to_le_bytes());
        out[8..12].copy_from_slice(&self.arg.to_le_bytes());
        let crc = crc32(check, &out[..12]);
        out[12..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// `None` unless the bytes are a header made with the same `check`, of a record with a body of possible length.
    pub(crate) fn decode(bytes: &[u8; HEADER], check: u32) -> Option<Self> {
        let [magic, tag, l0, l1, i0, i1, p0, p1, a0, a1, a2, a3, c0, c1, c2, c3] = *bytes;
        if magic != RECORD_MAGIC || crc32(check, &bytes[..12]) != u32::from_le_bytes([c0, c1, c2, c3]) {
            return None;
        }
        let header = Self {
            tag: match tag & !(ALONE | SEALED) {
                1 => Tag::Head,
                2 => Tag::Chunk,
                3 => Tag::Delete,
                4 => Tag::Counter,
                5 => Tag::Commit,
                _ => return None,
            },
            alone: tag & ALONE != 0,
            sealed: tag & SEALED != 0,
            len: u16::from_le_bytes([l0, l1]),
            id: u16::from_le_bytes([i0, i1]),
            part: u16::from_le_bytes([p0, p1]),
            arg: u32::from_le_bytes([a0, a1, a2, a3]),
        };
        (header.size() <= MAX_RECORD && usize::from(header.len) >= header.seed_len()).then_some(header)
    }
}

/// Bytes on flash of a record with a body of `len` bytes.
pub(crate) const fn size(len: usize) -> usize {
    HEADER + len.next_multiple_of(WORD_SIZE)
}

/// Largest record on flash: a head with everything.
pub(crate) const MAX_RECORD: usize = size(crate::seal::MAX_HEAD);

/// What stands in front of a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PageHeader {
    /// Pages in the region.
    pub(crate) pages: u32,
    /// Position in the log: one more than the page before.
    pub(crate) sequence: u32,
    /// First transaction number not yet used when the page was opened.
    pub(crate) transaction: u32,
}

/// What the first bytes of a page turn out to be.
pub(crate) enum Page {
    /// Not in use.
    Free,
    /// Of a version this code does not know.
    Foreign,
    /// Has the magic number but is damaged.
    Damaged,
    /// In use.
    Valid(PageHeader),
}

impl PageHeader {
    pub(crate) fn encode(&self) -> [u8; PAGE_HEADER] {
        let mut out = [0; PAGE_HEADER];
        out[..3].copy_from_slice(&PAGE_MAGIC);
        out[3] = FORMAT;
        out[4..8].copy_from_slice(&self.pages.to_le_bytes());
        out[8..12].copy_from_slice(&self.sequence.to_le_bytes());
        out[12..16].copy_from_slice(&self.transaction.to_le_bytes());
        let crc = crc32(0, &out[..16]);
        out[16..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8; PAGE_HEADER]) -> Page {
        let [m0, m1, m2, version, p0, p1, p2, p3, s0, s1, s2, s3, t0, t1, t2, t3, c0, c1, c2, c3] = *bytes;
        if [m0, m1, m2] != PAGE_MAGIC {
            return Page::Free;
        }
        if crc32(0, &bytes[..16]) != u32::from_le_bytes([c0, c1, c2, c3]) {
            return Page::Damaged;
        }
        if version != FORMAT {
            return Page::Foreign;
        }
        Page::Valid(Self {
            pages: u32::from_le_bytes([p0, p1, p2, p3]),
            sequence: u32::from_le_bytes([s0, s1, s2, s3]),
            transaction: u32::from_le_bytes([t0, t1, t2, t3]),
        })
    }
}

/// CRC-32 (IEEE 802.3, reflected), started from `start` (0 gives the standard CRC).
pub(crate) fn crc32(start: u32, bytes: &[u8]) -> u32 {
    const TABLE: [u32; 16] = {
        let mut table = [0; 16];
        let mut i = 0;
        while i < 16 {
            let mut value = i as u32;
            let mut bit = 0;
            while bit < 4 {
                value = if value & 1 != 0 { value >> 1 ^ 0xedb8_8320 } else { value >> 1 };
                bit += 1;
            }
            table[i] = value;
            i += 1;
        }
        table
    };
    !bytes.iter().fold(!start, |crc, &byte| {
        let crc = crc ^ u32::from(byte);
        let crc = crc >> 4 ^ TABLE[(crc & 15) as usize];
        crc >> 4 ^ TABLE[(crc & 15) as usize]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc32_has_the_standard_check_value() {
        assert_eq!(crc32(0, b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn a_header_made_under_another_check_is_none() {
        let header =
            Header { tag: Tag::Chunk, alone: true, sealed: true, len: 99, id: 0xcc01, part: 7, arg: 0xdead_beef };
        let bytes = header.encode(5);
        assert_eq!(Header::decode(&bytes, 5), Some(header));
        assert_eq!(Header::decode(&bytes, 6), None);
    }
}
