//! The response under construction, written straight into the card's large buffer.

use ferrite_proto::status::Status;
use zeroize::Zeroize;

/// Response data of the command being answered.
pub(crate) struct Response<'w> {
    bytes: &'w mut [u8],
    len: usize,
    wanted: usize,
    whole: bool,
    end: Status,
}

impl<'w> Response<'w> {
    /// An empty response for a command that wants up to `wanted` bytes (Ne).
    pub(crate) fn new(bytes: &'w mut [u8], wanted: usize) -> Self {
        Self { bytes, len: 0, wanted, whole: false, end: Status::OK }
    }

    /// Ne of the command: 0 if it has no Le field.
    pub(crate) fn wanted(&self) -> usize {
        self.wanted
    }

    /// What has been written so far, to be changed in place.
    pub(crate) fn data_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.len).unwrap_or_default()
    }

    /// Wipes what has been written: the command failed, or answers without data.
    pub(crate) fn discard(&mut self) {
        self.data_mut().zeroize();
        self.len = 0;
    }

    /// Sends all data at once even if the command did not ask for any, as GENERATE ASYMMETRIC KEY PAIR and RSA
    /// signatures do; without this, data beyond Ne is fetched by GET RESPONSE.
    pub(crate) fn send_whole(&mut self) {
        self.whole = true;
    }

    /// Ends with another status word than 9000, though the command succeeded.
    pub(crate) fn end_with(&mut self, status: Status) {
        self.end = status;
    }

    /// The status word of a command that succeeded.
    pub(crate) fn end(&self) -> Status {
        self.end
    }

    /// Appends data.
    pub(crate) fn put(&mut self, data: &[u8]) -> Result<(), Status> {
        let room = self.space().get_mut(..data.len()).ok_or(Status::INTERNAL)?;
        room.copy_from_slice(data);
        self.advance(data.len())
    }

    /// The unused rest of the buffer, to be written to and then claimed by [`Response::advance`].
    pub(crate) fn space(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.len..).unwrap_or_default()
    }

    /// Claims `count` bytes written into [`Response::space`].
    pub(crate) fn advance(&mut self, count: usize) -> Result<(), Status> {
        let len = self.len.checked_add(count).filter(|len| *len <= self.bytes.len()).ok_or(Status::INTERNAL)?;
        self.len = len;
        Ok(())
    }

    /// What has been written so far.
    pub(crate) fn data(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Data length, and how much of it goes out with this response.
    pub(crate) fn lengths(&self) -> (usize, usize) {
        let now = if self.whole { self.len } else { self.len.min(self.wanted) };
        (self.len, now)
    }
}
