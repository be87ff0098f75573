//! What goes out: answers in their order, packet by packet.

use super::{Ccid, MAX_ATR, Pending, SLOT, TIME_EXTENSION};
use crate::MAX_PACKET;
use crate::message::{AnswerHeader, AnswerType, Error, HEADER, IccStatus, Outcome, Request};
use crate::slot::{Progress, Slot};
use crate::time::Instant;

/// An answer to be sent. Its data are short; only a response of the card is not here, but comes from the slot.
pub(super) struct Answer {
    pub(super) header: AnswerHeader,
    pub(super) data: heapless::Vec<u8, MAX_ATR>,
}

/// An answer being sent.
pub(super) struct Sending {
    pub(super) answer: Answer,
    /// How much of it, header included, is in packets already.
    pub(super) sent: u32,
}

impl Ccid<'_> {
    /// An answer without data.
    pub(super) fn status(&self, request: Request, seq: u8, outcome: Outcome) -> Answer {
        let icc = if self.powered { IccStatus::Active } else { IccStatus::Inactive };
        let kind = request.answer();
        let header = AnswerHeader { kind, length: 0, slot: SLOT, seq, icc, outcome, specific: 0 };
        Answer { header, data: heapless::Vec::new() }
    }

    /// A data block whose data, if any, come from the slot.
    pub(super) fn block(&self, seq: u8, length: u32, chain: u8) -> Answer {
        let mut answer = self.status(Request::XfrBlock, seq, Outcome::Processed);
        answer.header.length = length;
        answer.header.specific = chain;
        answer
    }

    pub(super) fn push(&mut self, answer: Answer) {
        // There is room: no message is read while an answer waits, and a request on the control pipe adds three at most.
        let _ = self.answers.push_back(answer);
    }

    /// The next answer to be sent.
    pub(super) fn next_answer(&mut self, slot: &mut Slot, now: Instant) -> Option<Answer> {
        if let Some(answer) = self.answers.pop_front() {
            return Some(answer);
        }
        let pending = self.pending?;
        let answer = match slot.progress(self.me) {
            Progress::Response(length) => self.block(pending.seq, length, 0),
            Progress::Running if now < pending.extension => return None,
            Progress::Running => {
                self.pending = Some(Pending { extension: now.after(TIME_EXTENSION), ..pending });
                let mut answer = self.status(Request::XfrBlock, pending.seq, Outcome::TimeExtension);
                answer.header.kind = AnswerType::DataBlock;
                return Some(answer);
            }
            // The host left the response alone, and the other interface took the slot; or the bus slept before the command ran.
            Progress::None | Progress::Loading => {
                self.status(Request::XfrBlock, pending.seq, Outcome::Failed(Error::ABORTED))
            }
        };
        self.pending = None;
        if let Some(seq) = self.held_abort.take() {
            self.push(self.status(Request::Abort, seq, Outcome::Processed));
        }
        Some(answer)
    }

    /// Fills the packet as far as possible. `Some`: it can go, and whether the answer ends with it. A packet that is not
    /// full ends a transfer; so an answer that fills its last packet is followed by an empty one.
    pub(super) fn fill_packet(&mut self, slot: &mut Slot, now: Instant) -> Option<bool> {
        let Sending { answer, sent } = self.sending.as_mut()?;
        let header = answer.header.to_bytes();
        let total = answer.header.length.saturating_add(header.len() as u32);
        while !self.packet.is_full() {
            if *sent >= total {
                return Some(true);
            }
            let start = self.packet.len();
            let position = usize::try_from(*sent).unwrap_or(usize::MAX);
            let written = if let Some(rest) = header.get(position..).filter(|rest| !rest.is_empty()) {
                self.packet.extend_from_slice(rest).map(|()| rest.len()).ok()
            } else if !answer.data.is_empty() {
                let rest = answer.data.get(position.saturating_sub(HEADER)..).unwrap_or_default();
                let count = rest.len().min(MAX_PACKET.saturating_sub(start));
                self.packet.extend_from_slice(rest.get(..count)?).map(|()| count).ok()
            } else {
                let _ = self.packet.resize(MAX_PACKET, 0);
                let taken = slot.take(self.me, self.packet.get_mut(start..).unwrap_or_default(), now);
                self.packet.truncate(start.saturating_add(taken.unwrap_or_default()));
                taken.ok()
            };
            match written {
                Some(0) => return None,
                Some(count) => *sent = sent.saturating_add(u32::try_from(count).unwrap_or(u32::MAX)),
                // The slot is lost: the answer is broken off, by a packet that is not full.
                None => return Some(true),
            }
        }
        Some(false)
    }
}
