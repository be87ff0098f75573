//! CCID as a host speaks it on the vendor interface: one numbered message at a time, and its answer (CCID 1.1 §6;
//! specification part 4 §7.2). `docs/src/usb.md` shows the device's side.

use super::MAX_ANSWER;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Bytes in the header of a message.
pub(super) const HEADER: usize = 10;
/// How long a device may be silent that is asked for something it does at once, as when it is opened.
const AT_ONCE: Duration = Duration::from_secs(1);
/// How long a device may be silent while it works. It asks for more time every 1.5 seconds.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);
/// How long to wait for a slot in which somebody else's command runs, or one that was given up.
const PATIENCE: Duration = Duration::from_secs(10);
/// The pause between two attempts at a busy slot.
const PAUSE: Duration = Duration::from_millis(100);
/// How often a device is asked to take its power off before it counts as mute.
const ATTEMPTS: usize = 3;
/// Answers to others that are let go before a device counts as one that talks nonsense.
const STRAY_ANSWERS: usize = 64;
/// The same for packets, when a conversation begins: the longest answer that a program left half-read has so many.
const STRAY_PACKETS: usize = 1100;
/// bMessageType of answers with data, and of those without.
const DATA_BLOCK: u8 = 0x80;
const SLOT_STATUS: u8 = 0x81;

/// bMessageType of the messages that are sent, and of the answer that each has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Request {
    PowerOn,
    PowerOff,
    Exchange,
    Abort,
}

impl Request {
    const fn types(self) -> (u8, u8) {
        match self {
            Self::PowerOn => (0x62, DATA_BLOCK),
            Self::PowerOff => (0x63, SLOT_STATUS),
            Self::Exchange => (0x6F, DATA_BLOCK),
            Self::Abort => (0x72, SLOT_STATUS),
        }
    }
}

/// What can go wrong.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The device is not there any more.
    Gone,
    /// It says nothing.
    Silent,
    /// A command of somebody else runs, or one that was given up.
    Busy,
    /// Power and session are gone: the bus was reset, or somebody else had the card.
    PowerLost,
    /// What it says cannot be read.
    Nonsense(&'static str),
    /// The device refuses, with this bError.
    Failed(u8),
    /// The operating system reports something else.
    Other(String),
}

/// The endpoints of an interface.
pub(super) trait Pipes {
    /// wMaxPacketSize of the bulk IN endpoint.
    fn packet(&self) -> usize;

    /// Sends bytes on the bulk OUT endpoint. What the device wants to say meanwhile is kept for [`Pipes::receive`].
    fn send(&mut self, bytes: &[u8], limit: Duration) -> Result<(), Fault>;

    /// The next transfer on the bulk IN endpoint, of a packet if one was awaited already, else of at most `most` bytes; it
    /// ends with a packet that is not full.
    fn receive(&mut self, most: usize, limit: Duration) -> Result<Zeroizing<Vec<u8>>, Fault>;

    /// The half of an abort that goes over the control pipe (CCID 1.1 §5.3.1).
    fn abort(&mut self, value: u16) -> Result<(), Fault>;
}

/// Header and data of an answer.
struct Answer {
    kind: u8,
    seq: u8,
    status: u8,
    error: u8,
    data: Zeroizing<Vec<u8>>,
}

impl Answer {
    /// bmCommandStatus: more time is needed.
    fn asks_for_time(&self) -> bool {
        self.status & 0xC0 == 0x80
    }

    fn into_data(self) -> Result<Zeroizing<Vec<u8>>, Fault> {
        const SLOT_BUSY: u8 = 0xE0;
        const ICC_MUTE: u8 = 0xFE;
        match (self.status & 0xC0, self.error) {
            (0x00, _) => Ok(self.data),
            (_, SLOT_BUSY) => Err(Fault::Busy),
            (_, ICC_MUTE) => Err(Fault::PowerLost),
            (_, error) => Err(Fault::Failed(error)),
        }
    }
}

/// A conversation with the card behind an interface.
pub(super) struct Ccid<P: Pipes> {
    pipes: P,
    seq: u8,
}

impl<P: Pipes> Ccid<P> {
    /// Takes the interface over, whatever the program before left unfinished, and powers the card on. Returns the
    /// conversation, and the answer to reset.
    pub(super) fn open(pipes: P) -> Result<(Self, Vec<u8>), Fault> {
        let mut ccid = Self { pipes, seq: 0 };
        ccid.power_off()?;
        let atr = ccid.power_on()?;
        Ok((ccid, atr))
    }

    /// Sends a command APDU; the response has the status word at its end.
    pub(super) fn transmit(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.exchange(Request::Exchange, command, SIGN_OF_LIFE) {
                Err(Fault::Busy) if Instant::now() < end => std::thread::sleep(PAUSE),
                result => return result,
            }
        }
    }

    /// Resets the card; returns the answer to reset.
    pub(super) fn reset(&mut self) -> Result<Vec<u8>, Fault> {
        self.power_off()?;
        self.power_on()
    }

    /// Powers the card on; returns the answer to reset.
    pub(super) fn power_on(&mut self) -> Result<Vec<u8>, Fault> {
        Ok(self.exchange(Request::PowerOn, &[], SIGN_OF_LIFE)?.to_vec())
    }

    /// Powers the card off, which ends the session. A command that still runs is given up first. What is left of a message
    /// that was broken off swallows the first attempt.
    pub(super) fn power_off(&mut self) -> Result<(), Fault> {
        let mut result = Err(Fault::Silent);
        for _ in 0..ATTEMPTS {
            result = self.exchange(Request::PowerOff, &[], AT_ONCE).map(drop);
            match result {
                Err(Fault::Busy) => self.abort()?,
                Err(Fault::Silent) => {}
                _ => break,
            }
        }
        result
    }

    /// Gives up the command that runs. The card may need a while until it notices.
    fn abort(&mut self) -> Result<(), Fault> {
        let [slot, next] = [0, self.seq.wrapping_add(1)];
        self.pipes.abort(u16::from_le_bytes([slot, next]))?;
        self.exchange(Request::Abort, &[], AT_ONCE).map(drop)
    }

    /// Sends a message and waits for its answer, however often the device asks for time.
    fn exchange(&mut self, request: Request, data: &[u8], silence: Duration) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let (kind, answer_kind) = request.types();
        self.seq = self.seq.wrapping_add(1);
        self.pipes.send(&message(kind, self.seq, data)?, silence)?;
        if answer_kind == SLOT_STATUS {
            return self.find_status(silence);
        }
        let mut strays = 0;
        loop {
            let answer = self.read_answer(silence)?;
            if answer.seq != self.seq || answer.kind != answer_kind {
                // The end of a conversation of somebody who was there before.
                strays += 1;
                if strays > STRAY_ANSWERS {
                    return Err(Fault::Nonsense("it answers what nobody asked"));
                }
            } else if !answer.asks_for_time() {
                return answer.into_data();
            }
        }
    }

    /// Waits for an answer that is a header alone. The messages that have such are sent to put an end to what was before, so
    /// anything may be in front of it, also the middle of an answer.
    fn find_status(&mut self, silence: Duration) -> Result<Zeroizing<Vec<u8>>, Fault> {
        for _ in 0..STRAY_PACKETS {
            let packet = self.pipes.receive(self.pipes.packet(), silence)?;
            if let [kind @ SLOT_STATUS, 0, 0, 0, 0, _slot, seq, status, error, _] = **packet
                && seq == self.seq
            {
                return Answer { kind, seq, status, error, data: Zeroizing::default() }.into_data();
            }
        }
        Err(Fault::Nonsense("it answers what nobody asked"))
    }

    /// Reads transfers until an answer is complete.
    fn read_answer(&mut self, silence: Duration) -> Result<Answer, Fault> {
        let packet = self.pipes.packet();
        let mut bytes = self.pipes.receive(packet, silence)?;
        // An answer that fills its last packet may be followed by an empty one.
        if bytes.is_empty() {
            bytes = self.pipes.receive(packet, silence)?;
        }
        let [kind, l0, l1, l2, l3, _slot, seq, status, error, _] =
            *bytes.first_chunk::<HEADER>().ok_or(Fault::Nonsense("its answer is shorter than a header"))?;
        let len = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).ok().filter(|len| *len <= MAX_ANSWER);
        let total = HEADER + len.ok_or(Fault::Nonsense("its answer is too long"))?;
        // With room for all of it from the start nothing is left behind in a vector that grew.
        let mut data = Zeroizing::new(Vec::with_capacity(total.next_multiple_of(packet)));
        data.extend_from_slice(bytes.get(HEADER..).unwrap_or_default());
        let mut is_full = bytes.len() % packet == 0;
        while data.len() + HEADER < total {
            if !is_full {
                return Err(Fault::Nonsense("its answer breaks off"));
            }
            let most = (total - HEADER - data.len()).next_multiple_of(packet);
            let more = self.pipes.receive(most, silence)?;
            is_full = !more.is_empty() && more.len() % packet == 0;
            data.extend_from_slice(&more);
        }
        if data.len() + HEADER > total {
            return Err(Fault::Nonsense("its answer is longer than it says"));
        }
        Ok(Answer { kind, seq, status, error, data })
    }
}

impl<P: Pipes> Drop for Ccid<P> {
    /// Nobody else finds the session open. A device that is gone has none.
    fn drop(&mut self) {
        let _ = self.power_off();
    }
}

/// A message for slot 0.
fn message(kind: u8, seq: u8, data: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let [l0, l1, l2, l3] =
        u32::try_from(data.len()).map_err(|_| Fault::Nonsense("the command is too long"))?.to_le_bytes();
    Ok(Zeroizing::new([&[kind, l0, l1, l2, l3, 0, seq, 0, 0, 0], data].concat()))
}

#[cfg(test)]
mod tests;
