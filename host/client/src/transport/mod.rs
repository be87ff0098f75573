//! Ways to a device: they carry APDUs and know nothing of what is in them.

#[cfg(feature = "usb")]
mod ccid;
#[cfg(feature = "pcsc")]
mod pcsc;
mod socket;
#[cfg(feature = "usb")]
mod usb;

#[cfg(feature = "pcsc")]
pub use self::pcsc::{Pcsc, Reader, readers};
pub use socket::Socket;
#[cfg(feature = "usb")]
pub use usb::{UDEV_RULE, UDEV_RULE_PATH, Usb, UsbDevice, is_vendor_interface_name, usb_devices};

use crate::error::{Error, ErrorKind, Result};
use ferrite_proto::apdu::GET_RESPONSE;
use ferrite_proto::status::Status;
use zeroize::Zeroizing;

/// The answer to reset of a SmartCard-HSM, and of Ferrite.
pub const ATR: [u8; 24] = [
    0x3B, 0xFE, 0x18, 0x00, 0x00, 0x81, 0x31, 0xFE, 0x45, 0x80, 0x31, 0x81, 0x54, 0x48, 0x53, 0x4D, 0x31, 0x73, 0x80,
    0x21, 0x40, 0x81, 0x07, 0xFA,
];
/// The answers to reset of other SmartCard-HSMs (specification part 4 §1.1).
const OTHER_ATRS: [&[u8]; 3] = [
    &[0x3B, 0x8E, 0x80, 0x01, 0x80, 0x31, 0x81, 0x54, 0x48, 0x53, 0x4D, 0x31, 0x73, 0x80, 0x21, 0x40, 0x81, 0x07, 0x18],
    &[
        0x3B, 0xDE, 0x18, 0xFF, 0x81, 0x91, 0xFE, 0x1F, 0xC3, 0x80, 0x31, 0x81, 0x54, 0x48, 0x53, 0x4D, 0x31, 0x73,
        0x80, 0x21, 0x40, 0x81, 0x07, 0x1C,
    ],
    &[
        0x3B, 0xDE, 0x96, 0xFF, 0x81, 0x91, 0xFE, 0x1F, 0xC3, 0x80, 0x31, 0x81, 0x54, 0x48, 0x53, 0x4D, 0x31, 0x73,
        0x80, 0x21, 0x40, 0x81, 0x07, 0x92,
    ],
];

/// Whether an answer to reset is that of a SmartCard-HSM.
pub fn is_hsm(atr: &[u8]) -> bool {
    atr == ATR || OTHER_ATRS.contains(&atr)
}

/// Longest answer, in bytes: 65536 of data, and the status word.
const MAX_ANSWER: usize = 65538;

/// Data and status word of an answer. The data may be secret, and is wiped.
pub struct Answer {
    /// The data.
    pub data: Zeroizing<Vec<u8>>,
    /// The status word.
    pub status: Status,
}

/// Something that carries one APDU there and its answer back.
pub trait Transmit {
    /// Sends a command APDU and returns the response: data, and a status word in its last two bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Connection`].
    fn transmit(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>>;
}

/// A way to a device.
pub trait Transport: Transmit {
    /// Lets nobody else's command come between those that `work` sends, if the way is shared.
    ///
    /// # Errors
    /// [`ErrorKind::Connection`], and those of `work`.
    fn exclusively(&mut self, work: &mut dyn FnMut(&mut dyn Transmit) -> Result<()>) -> Result<()>;

    /// As [`Transport::exclusively`], for an application that no secure channel leads to: what `work` sends goes in the clear,
    /// and a channel is shut until [`Transport::resume`].
    ///
    /// # Errors
    /// As [`Transport::exclusively`].
    fn in_the_clear(&mut self, work: &mut dyn FnMut(&mut dyn Transmit) -> Result<()>) -> Result<()> {
        self.exclusively(work)
    }

    /// Opens a channel again that was shut for [`Transport::in_the_clear`].
    ///
    /// # Errors
    /// Those of opening it: [`ErrorKind::Verification`] if another device is there now.
    fn resume(&mut self) -> Result<()> {
        Ok(())
    }

    /// Resets the card, which ends its session.
    ///
    /// # Errors
    /// [`ErrorKind::Connection`].
    fn reset(&mut self) -> Result<()>;

    /// What to call it: a reader's name, or a path.
    fn name(&self) -> String;
}

/// A way of any kind.
pub type AnyTransport = Box<dyn Transport + Send>;

impl Transmit for AnyTransport {
    fn transmit(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        self.as_mut().transmit(command)
    }
}

impl Transport for AnyTransport {
    fn exclusively(&mut self, work: &mut dyn FnMut(&mut dyn Transmit) -> Result<()>) -> Result<()> {
        self.as_mut().exclusively(work)
    }

    fn in_the_clear(&mut self, work: &mut dyn FnMut(&mut dyn Transmit) -> Result<()>) -> Result<()> {
        self.as_mut().in_the_clear(work)
    }

    fn resume(&mut self) -> Result<()> {
        self.as_mut().resume()
    }

    fn reset(&mut self) -> Result<()> {
        self.as_mut().reset()
    }

    fn name(&self) -> String {
        self.as_ref().name()
    }
}

/// Sends a command and fetches the rest of a long answer (ISO 7816-4 §5.3.4); takes the status word off.
///
/// # Errors
/// [`ErrorKind::Connection`], [`ErrorKind::BadAnswer`].
pub fn exchange(way: &mut (impl Transmit + ?Sized), command: &[u8]) -> Result<Answer> {
    let (mut data, mut status) = take_status(way.transmit(command)?)?;
    while let [0x61, rest] = status.to_bytes() {
        let (more, next) = take_status(way.transmit(&[0x00, GET_RESPONSE, 0x00, 0x00, rest])?)?;
        if more.is_empty() && next.to_bytes()[0] == 0x61 {
            return Err(Error::new(
                ErrorKind::BadAnswer,
                "read the answer",
                "the device promises more and sends nothing",
            ));
        }
        if data.len().saturating_add(more.len()) > MAX_ANSWER {
            return Err(Error::new(ErrorKind::BadAnswer, "read the answer", "it is longer than any answer"));
        }
        // A vector that grows leaves its old content behind; this one is made anew, and the old one wiped.
        data = Zeroizing::new([data.as_slice(), more.as_slice()].concat());
        status = next;
    }
    Ok(Answer { data, status })
}

fn take_status(mut response: Zeroizing<Vec<u8>>) -> Result<(Zeroizing<Vec<u8>>, Status)> {
    let Some((_, status)) = response.split_last_chunk::<2>() else {
        return Err(Error::new(ErrorKind::BadAnswer, "read the answer", "it has no status word"));
    };
    let status = Status::from_bytes(*status);
    let len = response.len().saturating_sub(2);
    response.truncate(len);
    Ok((response, status))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers what it was given, one after the other.
    struct Canned(Vec<Vec<u8>>, Vec<Vec<u8>>);

    impl Transmit for Canned {
        fn transmit(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
            self.1.push(command.to_vec());
            Ok(Zeroizing::new(self.0.remove(0)))
        }
    }

    #[test]
    fn the_rest_of_a_long_answer_is_fetched() {
        let mut way = Canned(vec![vec![1, 2, 0x61, 0x00], vec![3, 0x61, 0x01], vec![4, 0x90, 0x00]], Vec::new());
        let answer = exchange(&mut way, &[0, 0xB1, 0, 0]).expect("an answer");
        assert_eq!((answer.data.as_slice(), answer.status), (&[1, 2, 3, 4][..], Status::OK));
        assert_eq!(way.1[1..], [vec![0, 0xC0, 0, 0, 0], vec![0, 0xC0, 0, 0, 1]]);
    }

    #[test]
    fn an_answer_that_never_ends_and_one_without_a_status_are_errors() {
        let mut way = Canned(vec![vec![0x61, 0x00], vec![0x61, 0x00]], Vec::new());
        assert_eq!(exchange(&mut way, &[]).err().map(|error| error.kind()), Some(ErrorKind::BadAnswer));
        let endless = [vec![7; 254], vec![0x61, 0x00]].concat();
        let mut way = Canned(vec![endless; 300], Vec::new());
        assert_eq!(exchange(&mut way, &[]).err().map(|error| error.kind()), Some(ErrorKind::BadAnswer));
        let mut way = Canned(vec![vec![0x90]], Vec::new());
        assert_eq!(exchange(&mut way, &[]).err().map(|error| error.kind()), Some(ErrorKind::BadAnswer));
    }
}
