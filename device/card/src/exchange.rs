//! From APDUs to commands and back: command chaining, responses longer than Ne, GET RESPONSE (ISO 7816-4 §5.3,
//! specification part 1 §1.5-1.7).
//!
//! A chain is collected in the card's large buffer, which is free until the response is written; when its last part
//! arrives it moves in front of that part's data. A response is sent from the same buffer. The two bytes of status
//! word that follow a part overwrite two bytes of the next part; they are put back when that part is asked for.

use crate::buffer::{CommandBuffer, MAX_DATA, MAX_RESPONSE};
use crate::hsm::is_select_application;
use crate::response::Response;
use core::ops::Range;
use ferrite_proto::apdu::{Apdu, Class, GET_RESPONSE};
use ferrite_proto::status::Status;
use zeroize::Zeroize;

/// An answer to one APDU: where its data lies in the workspace, and how it ends.
pub(crate) struct Answer {
    start: usize,
    now: usize,
    end: usize,
    status: Status,
}

impl From<Status> for Answer {
    fn from(status: Status) -> Self {
        Self { start: 0, now: 0, end: 0, status }
    }
}

impl Answer {
    /// A successful command's response.
    pub(crate) fn data(response: &Response<'_>) -> Self {
        let (end, now) = response.lengths();
        Self { start: 0, now, end, status: response.end() }
    }

    /// A protected answer, which carries its own status.
    pub(crate) fn protected(len: usize, wanted: usize) -> Self {
        Self { start: 0, now: len.min(wanted), end: len, status: Status::OK }
    }
}

/// A complete command: its header, and where its data lies in the command buffer.
pub(crate) struct Assembled {
    pub(crate) cla: Class,
    pub(crate) ins: u8,
    pub(crate) p1: u8,
    pub(crate) p2: u8,
    pub(crate) data: Range<usize>,
    pub(crate) le: usize,
}

impl Assembled {
    /// The command as an APDU.
    pub(crate) fn apdu<'c>(&self, buffer: &'c CommandBuffer) -> Apdu<'c> {
        let Self { cla, ins, p1, p2, le, .. } = *self;
        Apdu { cla, ins, p1, p2, data: buffer.data(&self.data), le }
    }
}

/// The header that all parts of a chain share: class without its chaining bit, INS, P1, P2.
type Header = (Class, u8, u8, u8);

fn header(apdu: &Apdu<'_>) -> Header {
    (apdu.cla.unchained(), apdu.ins, apdu.p1, apdu.p2)
}

/// The rest of a response, waiting for GET RESPONSE.
struct Pending {
    start: usize,
    end: usize,
    /// What the last status word overwrote, if it was written behind data.
    covered: Option<[u8; 2]>,
    /// How the last part ends.
    status: Status,
}

/// The state between two APDUs.
#[derive(Default)]
pub(crate) struct Exchange {
    chain: Option<(Header, usize)>,
    pending: Option<Pending>,
    /// How much of the workspace holds data of earlier commands.
    used: usize,
    /// An answer without data: it must not disturb a chain being collected in the workspace.
    bare: [u8; 2],
}

impl Exchange {
    /// Forgets chain and rest of response, and wipes their data.
    pub(crate) fn clear(&mut self, bytes: &mut [u8; MAX_RESPONSE]) {
        self.chain = None;
        self.pending = None;
        bytes.iter_mut().take(self.used).for_each(Zeroize::zeroize);
        self.used = 0;
    }

    /// The next part of a pending response, if that is what the host asks for.
    pub(crate) fn next_part(&mut self, apdu: &Apdu<'_>, bytes: &mut [u8; MAX_RESPONSE]) -> Option<Answer> {
        if apdu.ins != GET_RESPONSE || apdu.cla.is_chained() {
            return None;
        }
        let Pending { start, end, covered, status } = self.pending.take()?;
        let covered = covered.into_iter().flatten();
        bytes.iter_mut().skip(start).zip(covered).for_each(|(byte, covered)| *byte = covered);
        let now = end.saturating_sub(start).min(apdu.le);
        Some(Answer { start, now: start.saturating_add(now), end, status })
    }

    /// Takes a command or a part of a chain. `None`: the part is kept, and the chain goes on.
    pub(crate) fn assemble(
        &mut self,
        command: &mut CommandBuffer,
        bytes: &mut [u8; MAX_RESPONSE],
    ) -> Result<Option<Assembled>, Status> {
        let apdu = Apdu::parse(command.apdu())?;
        self.pending = None;
        let header = header(&apdu);
        let (chain, is_last, le) = (self.chain.take(), !apdu.cla.is_chained(), apdu.le);
        let collected = match chain {
            Some(_) if is_select_application(&apdu) => 0,
            Some((first, _)) if first != header => {
                self.clear(bytes);
                return Err(Status::CHAINING);
            }
            Some((_, collected)) => collected,
            None => 0,
        };
        let total = collected.saturating_add(apdu.data.len());
        if total >= MAX_DATA {
            self.clear(bytes);
            return Err(Status::WRONG_LENGTH);
        }
        if !is_last {
            let room = bytes.get_mut(collected..total).ok_or(Status::WRONG_LENGTH)?;
            room.copy_from_slice(apdu.data);
            self.chain = Some((header, total));
            self.used = self.used.max(total);
            return Ok(None);
        }
        let len = apdu.data.len();
        let data = if collected == 0 {
            command.data_of(len)
        } else {
            command.prepend(bytes.get(..collected).unwrap_or_default(), len)?
        };
        self.clear(bytes);
        let (cla, ins, p1, p2) = header;
        Ok(Some(Assembled { cla, ins, p1, p2, data, le }))
    }

    /// Puts the status word behind the part to be sent and remembers the rest.
    pub(crate) fn deliver<'w>(&'w mut self, answer: Answer, bytes: &'w mut [u8; MAX_RESPONSE]) -> &'w [u8] {
        let Answer { start, now, end, status } = answer;
        let rest = end.saturating_sub(now);
        let last = status;
        let status = if rest == 0 { last } else { Status::more_data(rest) };
        let stop = now.saturating_add(2);
        let tail = if now > start { bytes.get_mut(now..stop) } else { None };
        let covered = tail.map(|tail| {
            let mut covered = [0; 2];
            covered.copy_from_slice(tail);
            tail.copy_from_slice(&status.to_bytes());
            covered
        });
        self.used = self.used.max(end);
        if rest > 0 {
            self.pending = Some(Pending { start: now, end, covered, status: last });
        }
        if covered.is_some() {
            return bytes.get(start..stop).unwrap_or_default();
        }
        self.bare = status.to_bytes();
        &self.bare
    }
}
