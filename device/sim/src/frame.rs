//! Length-prefixed messages on a stream.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Result, Write};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use zeroize::{Zeroize, Zeroizing};

/// A message; it may carry a PIN.
pub(crate) type Message = Zeroizing<Vec<u8>>;

/// The messages of a connection. A thread of its own reads them, so that what comes while a command is at work is seen.
pub(crate) struct Inbox {
    messages: Receiver<Message>,
    waiting: VecDeque<Message>,
}

impl Inbox {
    /// Messages that may wait before the connection itself does.
    const ROOM: usize = 4;

    /// Reads from `stream`, lengths of `N` bytes, until it ends or a message is over `limit` bytes.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub(crate) fn new<const N: usize>(mut stream: impl Read + Send + 'static, limit: usize) -> Result<Self> {
        let (sender, messages) = mpsc::sync_channel(Self::ROOM);
        thread::Builder::new().name("reader".into()).spawn(move || {
            let mut message = Vec::new();
            while read::<N>(&mut stream, &mut message, limit).is_ok()
                && sender.send(Message::new(message.clone())).is_ok()
            {
                message.zeroize();
            }
            message.zeroize();
        })?;
        Ok(Self { messages, waiting: VecDeque::new() })
    }

    /// The next message; `None` at the end of the connection.
    pub(crate) fn next(&mut self) -> Option<Message> {
        self.waiting.pop_front().or_else(|| self.messages.recv().ok())
    }

    /// Whether the other side still waits for an answer: the connection stands, and no message that `interrupts` has come
    /// in the meantime.
    pub(crate) fn waits(&mut self, interrupts: impl Fn(&[u8]) -> bool) -> bool {
        loop {
            match self.messages.try_recv() {
                Ok(message) => self.waiting.push_back(message),
                Err(TryRecvError::Empty) => return !self.waiting.iter().any(|message| interrupts(message)),
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }
}

/// Reads one message into `message`, its length first as `N` big-endian bytes.
///
/// # Errors
/// The stream ended or failed, or the length is over `limit` bytes ([`ErrorKind::InvalidData`]).
pub(crate) fn read<const N: usize>(stream: &mut impl Read, message: &mut Vec<u8>, limit: usize) -> Result<()> {
    let mut prefix = [0; N];
    stream.read_exact(&mut prefix)?;
    let length = prefix.iter().fold(0, |length: u64, &byte| length << 8 | u64::from(byte));
    let length = usize::try_from(length).ok().filter(|&length| length <= limit).ok_or(ErrorKind::InvalidData)?;
    message.clear();
    message.resize(length, 0);
    stream.read_exact(message)
}

/// Writes one message in one go, its length first as `N` big-endian bytes.
///
/// # Errors
/// The stream failed, or the length does not fit the prefix ([`ErrorKind::InvalidInput`]).
pub(crate) fn write<const N: usize>(stream: &mut impl Write, message: &[u8]) -> Result<()> {
    let length = u64::try_from(message.len()).map_err(|_| ErrorKind::InvalidInput)?.to_be_bytes();
    let (unused, prefix) = length.split_at(length.len().saturating_sub(N));
    if unused.iter().any(|&byte| byte != 0) {
        return Err(ErrorKind::InvalidInput.into());
    }
    stream.write_all(&[prefix, message].concat())?;
    stream.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_carries_its_length_in_front() {
        let mut wire = Vec::new();
        write::<2>(&mut wire, &[0xAA; 258]).expect("fits");
        assert_eq!(wire[..3], [0x01, 0x02, 0xAA]);
        let mut message = vec![1, 2, 3];
        read::<2>(&mut wire.as_slice(), &mut message, 258).expect("whole");
        assert_eq!(message, [0xAA; 258]);
    }

    #[test]
    fn a_message_over_the_limit_or_cut_short_is_an_error() {
        let mut message = Vec::new();
        let over = read::<4>(&mut [0, 1, 0, 9, 0].as_slice(), &mut message, 65544).expect_err("65545 bytes");
        assert_eq!(over.kind(), ErrorKind::InvalidData);
        let cut = read::<2>(&mut [0, 2, 0].as_slice(), &mut message, 10).expect_err("one byte is missing");
        assert_eq!(cut.kind(), ErrorKind::UnexpectedEof);
        let long = write::<2>(&mut Vec::new(), &[0; 0x10000]).expect_err("65536 needs three bytes");
        assert_eq!(long.kind(), ErrorKind::InvalidInput);
    }
}
