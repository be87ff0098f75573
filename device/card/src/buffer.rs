//! The two large buffers of a card: the command APDU, owned by the transport, and the response, owned by the card.

/// Longest command APDU: extended header, 65535 bytes of data, extended Le.
pub const MAX_COMMAND: usize = 4 + 3 + 65535 + 2;
/// Longest response APDU: 65536 bytes of data and the status word.
pub const MAX_RESPONSE: usize = 65536 + 2;

/// One command APDU as it arrived.
pub struct CommandBuffer {
    bytes: [u8; MAX_COMMAND],
    len: usize,
}

impl CommandBuffer {
    /// An empty buffer, fit for a `static`.
    pub const fn new() -> Self {
        Self { bytes: [0; MAX_COMMAND], len: 0 }
    }

    /// Replaces the content by a command APDU. One longer than any legal APDU is kept as an illegal, empty one: the
    /// card answers 6700.
    pub fn load(&mut self, apdu: &[u8]) {
        match self.bytes.get_mut(..apdu.len()) {
            Some(room) => {
                room.copy_from_slice(apdu);
                self.len = apdu.len();
            }
            None => self.len = 0,
        }
    }

    /// The command APDU.
    pub fn apdu(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Default for CommandBuffer {
    fn default() -> Self {
        Self::new()
    }
}

/// The card's own large buffer: response data, collected fragments of a chain, memory of the PIN stretching.
pub struct Workspace {
    pub(crate) bytes: [u8; MAX_RESPONSE],
}

impl Workspace {
    /// An empty workspace, fit for a `static`.
    pub const fn new() -> Self {
        Self { bytes: [0; MAX_RESPONSE] }
    }
}

impl Default for Workspace {
    fn default() -> Self {
        Self::new()
    }
}
