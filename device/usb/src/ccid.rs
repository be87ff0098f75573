//! One interface that speaks CCID, as a state machine: packets in, packets out, time in (CCID 1.1 §6).
//!
//! The caller, in a loop: sends every packet that [`Ccid::transmit`] gives; then waits for whichever comes first of a
//! packet of the host (if [`Ccid::wants_packet`]), a change of the slot, and [`Ccid::deadline`].
//!
//! Every message gets exactly one answer, with its number: also one that is malformed, out of order or not supported. A
//! message ends with its last byte as dwLength says, or with a packet that is not full; where the two disagree it is
//! refused. After a message that was broken off, whatever follows an abort, or comes [`PACKET_GAP`] later, is a new one.

mod answer;

use crate::MAX_PACKET;
use crate::message::{Error, Header, IccStatus, MAX_COMMAND, Outcome, PARAMETERS, PROTOCOL_T1, Request};
use crate::slot::{Interface, Progress, Slot};
use crate::time::Instant;
use answer::{Answer, Sending};
use core::time::Duration;
use zeroize::Zeroize;

/// How often the host is asked for more time while the card is busy. libccid waits 2.7 seconds (specification part 4 §4.4).
pub const TIME_EXTENSION: Duration = Duration::from_millis(1500);

/// The longest pause between two packets of one message.
pub const PACKET_GAP: Duration = Duration::from_millis(500);

/// How long commands fail while half of an abort is missing.
pub const ABORT_LIMIT: Duration = Duration::from_secs(1);

/// Longest ATR, in bytes (ISO 7816-3 §8.2.1).
const MAX_ATR: usize = 33;

/// Longest clock frequency and data rate, as the class descriptor has them: kHz and bit/s.
pub(crate) const CLOCK_KHZ: u32 = 0x0DFC;
pub(crate) const DATA_RATE: u32 = 9600;

/// bSlot of the only slot.
const SLOT: u8 = 0;

/// bChainParameter: the command is incomplete, the next part may come.
const CONTINUE: u8 = 0x10;

/// wLevelParameter of XfrBlock at extended APDU level (CCID 1.1 §6.1.4).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Whole,
    Begin,
    End,
    Middle,
}

impl Level {
    fn of(header: &Header) -> Option<Self> {
        match header.level() {
            0 => Some(Self::Whole),
            1 => Some(Self::Begin),
            2 => Some(Self::End),
            3 => Some(Self::Middle),
            // 10: the next part of a response. Responses are never sent in parts.
            _ => None,
        }
    }

    const fn is_first(self) -> bool {
        matches!(self, Self::Whole | Self::Begin)
    }

    const fn is_last(self) -> bool {
        matches!(self, Self::Whole | Self::End)
    }
}

/// What becomes of a message whose data are still coming.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The data go to the card.
    Load(Level),
    /// The data do not matter; the message is executed when it is complete.
    Execute,
    Refuse(Error),
}

enum Input {
    /// The next packet starts a message.
    Idle,
    Message {
        header: Header,
        /// How many bytes of data are missing.
        left: u32,
        fate: Fate,
        deadline: Instant,
    },
}

/// A command of this interface that the card has.
#[derive(Clone, Copy)]
struct Pending {
    seq: u8,
    /// When the host has to be asked for more time.
    extension: Instant,
}

/// One interface.
pub struct Ccid<'a> {
    me: Interface,
    atr: &'a [u8],
    powered: bool,
    input: Input,
    /// How many bytes the parts have, of a command that comes in several messages.
    parts: Option<u32>,
    pending: Option<Pending>,
    /// The control pipe asked for this abort; its bulk message is missing.
    aborting: Option<(u8, Instant)>,
    /// A bulk message asked for this abort of a running command; the request on the control pipe is missing.
    held_abort: Option<u8>,
    /// The last message was this abort, and there was nothing to abort.
    last_abort: Option<u8>,
    answers: heapless::Deque<Answer, 4>,
    sending: Option<Sending>,
    /// The packet being filled.
    packet: heapless::Vec<u8, MAX_PACKET>,
}

impl<'a> Ccid<'a> {
    /// An interface whose card answers a reset with `atr`, of at most 33 bytes.
    pub const fn new(me: Interface, atr: &'a [u8]) -> Self {
        Self {
            me,
            atr,
            powered: false,
            input: Input::Idle,
            parts: None,
            pending: None,
            aborting: None,
            held_abort: None,
            last_abort: None,
            answers: heapless::Deque::new(),
            sending: None,
            packet: heapless::Vec::new(),
        }
    }

    /// Bus reset, change of configuration, loss of power: forgets everything and closes this interface's session.
    pub fn reset(&mut self, slot: &mut Slot) {
        slot.disconnect(self.me);
        self.packet.zeroize();
        *self = Self::new(self.me, self.atr);
    }

    /// Whether [`Ccid::receive`] can take a packet now.
    pub fn wants_packet(&self, slot: &Slot) -> bool {
        self.sending.is_none() && self.answers.is_empty() && slot.has_room(self.me)
    }

    /// Takes a packet of the bulk OUT endpoint, at most [`MAX_PACKET`] bytes.
    pub fn receive(&mut self, packet: &[u8], slot: &mut Slot, now: Instant) {
        self.keep_time(slot, now);
        let is_last = packet.len() < MAX_PACKET;
        let deadline = now.after(PACKET_GAP);
        if self.is_awaited_abort(packet) {
            self.end_message();
        }
        let (header, left, fate, data) = match self.input {
            Input::Idle => {
                // Fewer bytes than a header, or the empty packet after a message that ends with a full one.
                let Some((header, data)) = Header::parse(packet) else { return };
                self.last_abort = None;
                (header, header.length, self.admit(&header, slot, now), data)
            }
            Input::Message { header, left, fate, .. } => (header, left, fate, packet),
        };
        self.input = Input::Idle;
        let rest = u32::try_from(data.len()).ok().and_then(|count| left.checked_sub(count));
        let (left, fate) = match rest {
            Some(rest) => (rest, self.pass_on(data, fate, slot, now)),
            // More than the message has: it goes on until a packet is not full.
            None => (u32::MAX, self.give_up(fate, Error::BAD_LENGTH, slot)),
        };
        if left == 0 {
            self.complete(&header, fate, slot, now);
        } else if is_last {
            let fate = self.give_up(fate, Error::BAD_LENGTH, slot);
            self.complete(&header, fate, slot, now);
        } else {
            self.input = Input::Message { header, left, fate, deadline };
        }
    }

    /// The next packet for the bulk IN endpoint, if there is one: written to `out`, and its length, which may be 0.
    pub fn transmit(&mut self, out: &mut [u8; MAX_PACKET], slot: &mut Slot, now: Instant) -> Option<usize> {
        self.keep_time(slot, now);
        if self.sending.is_none() && matches!(self.input, Input::Idle) {
            self.sending = self.next_answer(slot, now).map(|answer| Sending { answer, sent: 0 });
        }
        let is_complete = self.fill_packet(slot, now)?;
        let count = self.packet.len();
        out.get_mut(..count)?.copy_from_slice(&self.packet);
        self.packet.zeroize();
        if is_complete {
            self.sending = None;
        }
        Some(count)
    }

    /// When [`Ccid::transmit`] has to be called again, even if nothing happens before.
    pub fn deadline(&self) -> Option<Instant> {
        let aborting = self.aborting.map(|(_, deadline)| deadline);
        let next = match self.input {
            Input::Message { deadline, .. } => Some(deadline),
            Input::Idle if self.sending.is_some() => None,
            Input::Idle => self.pending.map(|pending| pending.extension),
        };
        [aborting, next].into_iter().flatten().min()
    }

    /// A class-specific request without data on the control pipe (CCID 1.1 §5.3). `false`: stall it. Requests that return
    /// data, GET_CLOCK_FREQUENCIES and GET_DATA_RATES, are to be stalled: the descriptor says that there are no tables.
    pub fn control(&mut self, request: u8, value: u16, slot: &mut Slot, now: Instant) -> bool {
        const ABORT: u8 = 0x01;
        let [number, seq] = value.to_le_bytes();
        if request != ABORT || number != SLOT {
            return false;
        }
        self.keep_time(slot, now);
        if self.held_abort == Some(seq) {
            self.cancel(slot);
        } else if self.last_abort != Some(seq) {
            self.cancel(slot);
            self.aborting = Some((seq, now.after(ABORT_LIMIT)));
        }
        true
    }
}

/// Messages of the host.
impl Ccid<'_> {
    /// Decides about a message from its header.
    fn admit(&mut self, header: &Header, slot: &mut Slot, now: Instant) -> Fate {
        let (least, most) = header.request.data_limits();
        if header.slot != SLOT {
            return Fate::Refuse(Error::BAD_SLOT);
        }
        if header.length < least || header.length > most {
            return Fate::Refuse(Error::BAD_LENGTH);
        }
        if header.request == Request::Abort {
            return Fate::Execute;
        }
        if self.aborting.is_some() {
            return Fate::Refuse(Error::ABORTED);
        }
        if self.pending.is_some() {
            return Fate::Refuse(Error::SLOT_BUSY);
        }
        match header.request {
            Request::XfrBlock => match self.admit_command(header, slot, now) {
                Ok(level) => Fate::Load(level),
                Err(error) => Fate::Refuse(error),
            },
            Request::Escape
            | Request::IccClock
            | Request::T0Apdu
            | Request::Secure
            | Request::Mechanical
            | Request::Unknown => Fate::Refuse(Error::NOT_SUPPORTED),
            Request::IccPowerOn
            | Request::IccPowerOff
            | Request::GetSlotStatus
            | Request::GetParameters
            | Request::ResetParameters
            | Request::SetParameters
            | Request::SetDataRateAndClockFrequency
            | Request::Abort => Fate::Execute,
        }
    }

    /// Decides about a command APDU or a part of one, and claims the slot for it.
    fn admit_command(&mut self, header: &Header, slot: &mut Slot, now: Instant) -> Result<Level, Error> {
        if !self.powered {
            return Err(Error::ICC_MUTE);
        }
        let level = Level::of(header).ok_or(Error::BAD_LEVEL)?;
        let parts = self.parts.take();
        let before = if level.is_first() { 0 } else { parts.ok_or(Error::BAD_LEVEL)? };
        let total = before.saturating_add(header.length);
        if header.length == 0 || total > MAX_COMMAND {
            slot.abandon(self.me);
            return Err(Error::BAD_LENGTH);
        }
        slot.claim(self.me, level.is_first(), now).map_err(|_| Error::SLOT_BUSY)?;
        self.parts = (!level.is_last()).then_some(total);
        Ok(level)
    }

    /// Data of a message go where they belong.
    fn pass_on(&mut self, data: &[u8], fate: Fate, slot: &mut Slot, now: Instant) -> Fate {
        match fate {
            Fate::Load(_) if !data.is_empty() && slot.put(self.me, data, now).is_err() => {
                self.give_up(fate, Error::SLOT_BUSY, slot)
            }
            Fate::Load(_) | Fate::Execute | Fate::Refuse(_) => fate,
        }
    }

    /// A message is to be refused that was welcome until now.
    fn give_up(&mut self, fate: Fate, error: Error, slot: &mut Slot) -> Fate {
        match fate {
            Fate::Refuse(_) => fate,
            Fate::Execute => Fate::Refuse(error),
            Fate::Load(_) => {
                slot.abandon(self.me);
                self.parts = None;
                Fate::Refuse(error)
            }
        }
    }

    /// A message has ended.
    fn complete(&mut self, header: &Header, fate: Fate, slot: &mut Slot, now: Instant) {
        let result = match fate {
            Fate::Refuse(error) => Err(error),
            Fate::Execute => self.execute(header, slot),
            Fate::Load(level) if level.is_last() => self.run(header, slot, now),
            Fate::Load(_) => Ok(Some(self.block(header.seq, 0, CONTINUE))),
        };
        match result {
            Ok(Some(answer)) => self.push(answer),
            Ok(None) => {}
            Err(error) => {
                let mut answer = self.status(header.request, header.seq, Outcome::Failed(error));
                answer.header.slot = header.slot;
                if header.slot != SLOT {
                    answer.header.icc = IccStatus::Absent;
                }
                self.push(answer);
            }
        }
    }

    /// A complete command goes to the card; the answer comes later.
    fn run(&mut self, header: &Header, slot: &mut Slot, now: Instant) -> Result<Option<Answer>, Error> {
        slot.run(self.me).map_err(|_| Error::SLOT_BUSY)?;
        self.pending = Some(Pending { seq: header.seq, extension: now.after(TIME_EXTENSION) });
        Ok(None)
    }

    /// Any other message; `None`: the answer comes later.
    fn execute(&mut self, header: &Header, slot: &mut Slot) -> Result<Option<Answer>, Error> {
        let [first, ..] = header.specific;
        let (request, seq) = (header.request, header.seq);
        let done = |ccid: &Self, data: &[u8], specific| {
            let mut answer = ccid.status(request, seq, Outcome::Processed);
            // It fits: an ATR or less. The length is that of what is sent, in any case.
            let _ = answer.data.extend_from_slice(data);
            answer.header.length = u32::try_from(answer.data.len()).unwrap_or_default();
            answer.header.specific = specific;
            Ok(Some(answer))
        };
        match request {
            Request::IccPowerOn | Request::IccPowerOff => {
                self.parts = None;
                slot.reset_card(self.me);
                self.powered = request == Request::IccPowerOn;
                done(self, if self.powered { self.atr } else { &[] }, 0)
            }
            Request::SetParameters if first != PROTOCOL_T1 => Err(Error::BAD_PROTOCOL),
            Request::SetParameters if header.length != 7 => Err(Error::BAD_LENGTH),
            Request::SetParameters | Request::GetParameters | Request::ResetParameters => {
                done(self, &PARAMETERS, PROTOCOL_T1)
            }
            Request::SetDataRateAndClockFrequency => {
                let [c0, c1, c2, c3] = CLOCK_KHZ.to_le_bytes();
                let [d0, d1, d2, d3] = DATA_RATE.to_le_bytes();
                done(self, &[c0, c1, c2, c3, d0, d1, d2, d3], 0)
            }
            Request::Abort => self.abort(seq, slot),
            Request::GetSlotStatus
            | Request::XfrBlock
            | Request::Escape
            | Request::IccClock
            | Request::T0Apdu
            | Request::Secure
            | Request::Mechanical
            | Request::Unknown => done(self, &[], 0),
        }
    }

    /// The bulk half of an abort. Whichever half comes first, the answer is sent after the second (CCID 1.1 §5.3.1).
    fn abort(&mut self, seq: u8, slot: &mut Slot) -> Result<Option<Answer>, Error> {
        match self.aborting {
            Some((expected, _)) if expected == seq => self.aborting = None,
            Some(_) => return Err(Error::ABORTED),
            None if self.held_abort.is_some() => return Err(Error::SLOT_BUSY),
            None if self.pending.is_some() => {
                self.held_abort = Some(seq);
                return Ok(None);
            }
            None => self.last_abort = Some(seq),
        }
        self.cancel(slot);
        Ok(Some(self.status(Request::Abort, seq, Outcome::Processed)))
    }

    /// Gives up whatever is going on. A message that is incomplete, and a command that the card has, are answered as
    /// aborted; what follows is a new message.
    fn cancel(&mut self, slot: &mut Slot) {
        self.parts = None;
        if self.pending.is_some() || !matches!(slot.progress(self.me), Progress::Response(_)) {
            slot.abandon(self.me);
        }
        if let Some(Pending { seq, .. }) = self.pending.take() {
            self.push(self.status(Request::XfrBlock, seq, Outcome::Failed(Error::ABORTED)));
        }
        if let Some(seq) = self.held_abort.take() {
            self.push(self.status(Request::Abort, seq, Outcome::Processed));
        }
        self.end_message();
    }

    /// Answers a message that is incomplete as aborted; what follows is a new one.
    fn end_message(&mut self) {
        if let Input::Message { header, .. } = core::mem::replace(&mut self.input, Input::Idle) {
            self.push(self.status(header.request, header.seq, Outcome::Failed(Error::ABORTED)));
        }
    }

    /// Whether this packet is the bulk half of the abort whose other half was on the control pipe. Nothing else can begin
    /// behind a message that was broken off: a host may have given that up when a packet of it had not been read yet.
    fn is_awaited_abort(&self, packet: &[u8]) -> bool {
        let awaited = self.aborting.map(|(seq, _)| seq);
        match Header::parse(packet) {
            Some((header, [])) => {
                (header.request, header.length, header.slot) == (Request::Abort, 0, SLOT) && awaited == Some(header.seq)
            }
            _ => false,
        }
    }

    /// What happens because time passes.
    fn keep_time(&mut self, slot: &mut Slot, now: Instant) {
        if self.aborting.is_some_and(|(_, deadline)| now >= deadline) {
            self.aborting = None;
        }
        if let Input::Message { header, fate, deadline, .. } = self.input
            && now >= deadline
        {
            self.input = Input::Idle;
            let fate = self.give_up(fate, Error::BAD_LENGTH, slot);
            self.complete(&header, fate, slot, now);
        }
    }
}
