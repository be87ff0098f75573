//! The slot: where the interfaces hand commands to the card and take its responses (specification part 3 §4.4).
//!
//! The card runs elsewhere: in thread mode on a chip, in a thread on a PC. Its side owns the two large buffers. Command
//! bytes go there through a window of one packet, and response bytes come back through the same window, so that nothing
//! is stored twice and no memory is shared.
//!
//! ```text
//!             claim               run                finish               last byte taken
//!   free ───────────▶ loading ───────────▶ running ───────────▶ responding ───────────▶ free
//!                        │                    │                     │
//!                        └── abandon: free    └── abandon: free     └── abandon: free
//!                                                when it finishes
//! ```
//!
//! One interface at a time has the slot. The other is told that it is busy, until it is free, or until its owner's host
//! has left a half-sent command or a half-read response alone for [`PATIENCE`]. When the card goes from one interface to
//! the other it is reset in between: a session belongs to the interface that opened it.

use crate::MAX_PACKET;
use crate::time::Instant;
use core::time::Duration;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// How long the host may leave a half-sent command or a half-read response alone before the other interface gets the slot.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// An interface of the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interface {
    /// The smart-card reader.
    Ccid,
    /// The vendor's, for browsers; it starts in the rescue application.
    Vendor,
}

/// The card, as the slot needs it: with a buffer for one command.
pub trait SmartCard {
    /// Closes every session state. The next commands come from `user`; `None` is nobody yet. For [`Interface::Vendor`]
    /// the rescue application is to be selected.
    fn reset(&mut self, user: Option<Interface>);

    /// Forgets and wipes the command collected so far.
    fn clear(&mut self);

    /// Appends bytes to the command; all together never more than [`MAX_COMMAND`](crate::message::MAX_COMMAND).
    fn append(&mut self, bytes: &[u8]);

    /// Runs the collected command and returns response data and status word, at most 65538 bytes.
    fn transmit(&mut self) -> &[u8];
}

/// What the card's side has to do next.
pub enum Job {
    /// [`SmartCard::reset`].
    Reset(Option<Interface>),
    /// [`SmartCard::clear`].
    Clear,
    /// [`SmartCard::append`].
    Append(Window),
    /// [`SmartCard::transmit`], then [`Slot::finish`] with the length of the response, then [`Slot::refill`] with the
    /// response until it returns `false`.
    Run,
}

/// Up to one packet of a command or a response; wiped when it is dropped.
#[derive(Default, Zeroize, ZeroizeOnDrop)]
pub struct Window {
    bytes: heapless::Vec<u8, MAX_PACKET>,
}

impl Window {
    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    const fn new() -> Self {
        Self { bytes: heapless::Vec::new() }
    }

    fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Appends as much of the start of `bytes` as there is room for, and returns how much that is.
    fn fill(&mut self, bytes: &[u8]) -> usize {
        let room = MAX_PACKET.saturating_sub(self.bytes.len());
        let (start, _) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
        // It fits: no longer than the room.
        let _ = self.bytes.extend_from_slice(start);
        start.len()
    }

    /// Moves as much as fits into `out`, and returns how much that is.
    fn drain_into(&mut self, out: &mut [u8]) -> usize {
        let count = self.bytes.len().min(out.len());
        if let (Some(out), Some(bytes)) = (out.get_mut(..count), self.bytes.get(..count)) {
            out.copy_from_slice(bytes);
        }
        let rest = self.bytes.len().saturating_sub(count);
        self.bytes.rotate_left(count);
        self.bytes.iter_mut().skip(rest).for_each(Zeroize::zeroize);
        self.bytes.truncate(rest);
        count
    }
}

/// The slot is busy with a command of the other interface, or with one of this interface that was abandoned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy;

/// The slot is not this interface's, or no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost;

/// How far the command of an interface is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// There is none.
    None,
    /// Its bytes are collected.
    Loading,
    /// The card works.
    Running,
    /// There is a response, so many bytes in all.
    Response(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Free,
    Loading { complete: bool },
    Running { abandoned: bool },
    Responding { len: u32, put: u32, taken: u32 },
}

/// The slot.
pub struct Slot {
    phase: Phase,
    /// Who has the slot, unless it is free.
    owner: Option<Interface>,
    /// Whose session the card is in.
    session: Option<Interface>,
    /// The card has to be reset before it gets anything else.
    reset: bool,
    /// What the card's side collected has to go.
    clear: bool,
    window: Window,
    /// When the host last moved a half-sent command or a half-read response; `None`: nobody has looked at a clock since.
    moved: Option<Instant>,
    /// Something happened that the others may be waiting for.
    changed: bool,
}

/// The side of the interfaces.
impl Slot {
    /// A free slot, fit for a `static`.
    pub const fn new() -> Self {
        Self {
            phase: Phase::Free,
            owner: None,
            session: None,
            reset: false,
            clear: false,
            window: Window::new(),
            moved: None,
            changed: false,
        }
    }

    /// Takes the slot for a new command of `me`, or for the next part of one that is being loaded.
    ///
    /// # Errors
    /// It is busy.
    pub fn claim(&mut self, me: Interface, is_first_part: bool, now: Instant) -> Result<(), Busy> {
        let mine = self.owner == Some(me);
        match self.phase {
            Phase::Free => {}
            Phase::Loading { complete: false } if mine && !is_first_part => {
                self.moved = Some(now);
                return Ok(());
            }
            Phase::Loading { complete: false } if mine => {}
            Phase::Running { .. } | Phase::Loading { complete: true } => return Err(Busy),
            Phase::Loading { .. } | Phase::Responding { .. } => {
                let moved = *self.moved.get_or_insert(now);
                if !mine && now < moved.after(PATIENCE) {
                    return Err(Busy);
                }
            }
        }
        if !is_first_part {
            return Err(Busy);
        }
        self.window.zeroize();
        self.clear = true;
        if self.session != Some(me) {
            self.session = Some(me);
            self.reset = true;
        }
        self.owner = Some(me);
        self.moved = Some(now);
        self.enter(Phase::Loading { complete: false });
        Ok(())
    }

    /// Whether [`Slot::put`] can take a packet of `me`, or will say that the slot is lost.
    pub fn has_room(&self, me: Interface) -> bool {
        self.progress(me) != Progress::Loading || self.window.is_empty()
    }

    /// Hands over bytes of the command, at most a packet, and only when there is room.
    ///
    /// # Errors
    /// The slot is lost.
    pub fn put(&mut self, me: Interface, bytes: &[u8], now: Instant) -> Result<(), Lost> {
        if self.owner != Some(me) || self.phase != (Phase::Loading { complete: false }) || !self.window.is_empty() {
            return Err(Lost);
        }
        self.window.fill(bytes);
        self.moved = Some(now);
        self.changed = true;
        Ok(())
    }

    /// The command is complete: the card may run it.
    ///
    /// # Errors
    /// The slot is lost.
    pub fn run(&mut self, me: Interface) -> Result<(), Lost> {
        if self.owner != Some(me) || self.phase != (Phase::Loading { complete: false }) {
            return Err(Lost);
        }
        self.enter(Phase::Loading { complete: true });
        Ok(())
    }

    /// How far the command of `me` is.
    pub fn progress(&self, me: Interface) -> Progress {
        match self.phase {
            _ if self.owner != Some(me) => Progress::None,
            Phase::Free | Phase::Running { abandoned: true } => Progress::None,
            Phase::Loading { complete: false } => Progress::Loading,
            Phase::Loading { complete: true } | Phase::Running { abandoned: false } => Progress::Running,
            Phase::Responding { len, .. } => Progress::Response(len),
        }
    }

    /// Takes the next bytes of the response; 0 if none are there yet. With the last byte the slot is free.
    ///
    /// # Errors
    /// The slot is lost.
    pub fn take(&mut self, me: Interface, out: &mut [u8], now: Instant) -> Result<usize, Lost> {
        let Phase::Responding { len, put, taken } = self.phase else { return Err(Lost) };
        if self.owner != Some(me) {
            return Err(Lost);
        }
        let count = self.window.drain_into(out);
        let taken = taken.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        self.moved = Some(now);
        if taken >= len {
            self.free();
        } else if count > 0 {
            self.enter(Phase::Responding { len, put, taken });
        }
        Ok(count)
    }

    /// Gives up the command of `me`, if there is one. What the card is running it finishes; nobody hears the response.
    pub fn abandon(&mut self, me: Interface) {
        if self.owner != Some(me) {
            return;
        }
        match self.phase {
            Phase::Free => {}
            Phase::Running { .. } => self.enter(Phase::Running { abandoned: true }),
            Phase::Loading { .. } | Phase::Responding { .. } => {
                self.clear = true;
                self.free();
            }
        }
    }

    /// Power on or off by `me`: resets the card, unless the session is the other interface's.
    pub fn reset_card(&mut self, me: Interface) {
        self.abandon(me);
        if self.session.is_none_or(|session| session == me) {
            self.session = Some(me);
            self.reset = true;
            self.changed = true;
        }
    }

    /// `me` is gone from the bus: its command is given up, its session closed.
    pub fn disconnect(&mut self, me: Interface) {
        self.abandon(me);
        if self.session == Some(me) {
            self.session = None;
            self.reset = true;
            self.changed = true;
        }
    }

    /// Ends whatever session there is, once a command that runs has ended. One that has not come whole is given up: it would
    /// run in the next session.
    pub fn close_session(&mut self) {
        if let (Some(owner), Phase::Loading { .. }) = (self.owner, self.phase) {
            self.abandon(owner);
        }
        self.session = None;
        self.reset = true;
        self.changed = true;
    }

    /// Whether nobody waits for the command that runs.
    pub fn is_abandoned(&self) -> bool {
        self.phase == Phase::Running { abandoned: true }
    }

    /// Whether anything changed since this was asked last.
    pub fn take_changed(&mut self) -> bool {
        core::mem::take(&mut self.changed)
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.changed = true;
    }

    fn free(&mut self) {
        self.window.zeroize();
        self.owner = None;
        self.moved = None;
        self.enter(Phase::Free);
    }
}

/// The card's side.
impl Slot {
    /// What to do next; `None`: nothing yet.
    pub fn job(&mut self) -> Option<Job> {
        if core::mem::take(&mut self.reset) {
            return Some(Job::Reset(self.session));
        }
        if core::mem::take(&mut self.clear) {
            return Some(Job::Clear);
        }
        let Phase::Loading { complete } = self.phase else { return None };
        if !self.window.is_empty() {
            self.changed = true;
            return Some(Job::Append(core::mem::take(&mut self.window)));
        }
        if !complete {
            return None;
        }
        self.enter(Phase::Running { abandoned: false });
        Some(Job::Run)
    }

    /// The card has a response of so many bytes.
    pub fn finish(&mut self, len: usize) {
        match self.phase {
            Phase::Running { abandoned: false } if len > 0 => {
                self.moved = None;
                let len = u32::try_from(len).unwrap_or(u32::MAX);
                self.enter(Phase::Responding { len, put: 0, taken: 0 });
            }
            Phase::Running { .. } => self.free(),
            Phase::Free | Phase::Loading { .. } | Phase::Responding { .. } => {}
        }
    }

    /// Shows the next bytes of the response, the whole of which is `response`, as far as the window has room. `false`:
    /// nobody needs the response any more.
    pub fn refill(&mut self, response: &[u8]) -> bool {
        let Phase::Responding { len, put, taken } = self.phase else { return false };
        let rest = usize::try_from(put).ok().and_then(|put| response.get(put..)).unwrap_or_default();
        let count = self.window.fill(rest);
        if count > 0 {
            let put = put.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
            self.enter(Phase::Responding { len, put, taken });
        }
        true
    }
}

impl Default for Slot {
    fn default() -> Self {
        Self::new()
    }
}
