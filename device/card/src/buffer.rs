//! The two large buffers of a card: the command APDU, owned by the transport, and the response, owned by the card.

use core::ops::Range;
use ferrite_proto::status::Status;
use ferrite_store::Index;
use zeroize::Zeroize;

/// Longest response data, in bytes; a command carries one byte less at most.
pub(crate) const MAX_DATA: usize = 65536;
/// Bytes in front of the data of a short command.
const SHORT_HEADER: usize = 5;
/// Bytes in front of the data of an extended command.
const EXTENDED_HEADER: usize = 7;
/// Longest command APDU: extended header, 65535 bytes of data, extended Le.
const MAX_COMMAND: usize = EXTENDED_HEADER + 65535 + 2;
/// Longest response APDU: data and status word.
pub(crate) const MAX_RESPONSE: usize = MAX_DATA + 2;

/// One command APDU as it arrived.
pub struct CommandBuffer {
    bytes: [u8; MAX_COMMAND],
    len: usize,
    /// How far the buffer has been written to.
    reach: usize,
}

impl CommandBuffer {
    /// An empty buffer, fit for a `static`.
    pub const fn new() -> Self {
        Self { bytes: [0; MAX_COMMAND], len: 0, reach: 0 }
    }

    /// Replaces the content by a command APDU. One longer than any legal APDU is kept as an illegal, empty one: the
    /// card answers 6700.
    pub fn load(&mut self, apdu: &[u8]) {
        match self.bytes.get_mut(..apdu.len()) {
            Some(room) => {
                room.copy_from_slice(apdu);
                self.len = apdu.len();
                self.reach = self.reach.max(self.len);
            }
            None => self.len = 0,
        }
    }

    /// Appends bytes of a command APDU that arrives in pieces. One that gets longer than any legal APDU is kept as an
    /// illegal, empty one until it is wiped: the card answers 6700.
    pub fn append(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        match self.bytes.get_mut(self.len..end) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.len = end;
                self.reach = self.reach.max(end);
            }
            None => self.len = usize::MAX,
        }
    }

    /// The command APDU.
    pub fn apdu(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Wipes the command: it may have carried a PIN.
    pub fn wipe(&mut self) {
        self.bytes.iter_mut().take(self.reach).for_each(Zeroize::zeroize);
        (self.len, self.reach) = (0, 0);
    }

    /// Where the command's `len` bytes of data lie.
    pub(crate) fn data_of(&self, len: usize) -> Range<usize> {
        let is_extended = len > 0 && matches!(self.apdu(), [_, _, _, _, 0, ..]);
        let start = if is_extended { EXTENDED_HEADER } else { SHORT_HEADER };
        start..start.saturating_add(len)
    }

    /// Puts the collected data of a chain in front of the last part's `len` bytes of data. Returns where both lie now.
    pub(crate) fn prepend(&mut self, chain: &[u8], len: usize) -> Result<Range<usize>, Status> {
        let Range { start, end } = self.data_of(len);
        let front = EXTENDED_HEADER.saturating_add(chain.len());
        if end > MAX_COMMAND || front.saturating_add(len) > MAX_COMMAND {
            return Err(Status::WRONG_LENGTH);
        }
        self.bytes.copy_within(start..end, front);
        self.reach = self.reach.max(front.saturating_add(len));
        self.bytes.get_mut(EXTENDED_HEADER..front).ok_or(Status::WRONG_LENGTH)?.copy_from_slice(chain);
        Ok(EXTENDED_HEADER..front.saturating_add(len))
    }

    /// Data of a command, where it lies.
    pub(crate) fn data(&self, range: &Range<usize>) -> &[u8] {
        self.bytes.get(range.clone()).unwrap_or_default()
    }

    /// Data of a command, to be decrypted in place.
    pub(crate) fn data_mut(&mut self, range: &Range<usize>) -> &mut [u8] {
        self.bytes.get_mut(range.clone()).unwrap_or_default()
    }
}

impl Default for CommandBuffer {
    fn default() -> Self {
        Self::new()
    }
}

/// The card's own memory: one large buffer for response data, collected fragments of a chain and the stretching of PINs,
/// and the store's index.
pub struct Workspace {
    pub(crate) bytes: [u8; MAX_RESPONSE],
    pub(crate) index: Index,
}

impl Workspace {
    /// An empty workspace, fit for a `static`.
    pub const fn new() -> Self {
        Self { bytes: [0; MAX_RESPONSE], index: Index::new() }
    }
}

impl Default for Workspace {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_in_pieces_is_one_command_and_one_too_long_is_none() {
        let mut buffer = CommandBuffer::new();
        for piece in [&[0x00, 0xA4][..], &[], &[0x04, 0x00]] {
            buffer.append(piece);
        }
        assert_eq!(buffer.apdu(), [0x00, 0xA4, 0x04, 0x00]);
        buffer.append(&[0; MAX_COMMAND - 4]);
        assert_eq!(buffer.apdu().len(), MAX_COMMAND);
        for piece in [&[0][..], &[], &[0; 4]] {
            buffer.append(piece);
            assert!(buffer.apdu().is_empty());
        }
        buffer.wipe();
        buffer.append(&[0x00; 4]);
        assert_eq!(buffer.apdu(), [0; 4]);
    }
}
