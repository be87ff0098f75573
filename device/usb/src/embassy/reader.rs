//! What the tasks of the USB side and the card's side share.

use crate::ccid::Ccid;
use crate::slot::{Interface, Job, Slot, SmartCard};
use crate::time::Instant;
use core::cell::RefCell;
use core::future::poll_fn;
use core::task::Poll;
use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_sync::waitqueue::MultiWakerRegistration;

/// The reader: its slot, its two interfaces, and who waits for them.
pub struct Reader<M: RawMutex> {
    shared: Mutex<M, RefCell<Shared>>,
}

pub(super) struct Shared {
    pub(super) slot: Slot,
    ccid: Ccid<'static>,
    vendor: Ccid<'static>,
    pub(super) is_suspended: bool,
    /// Counts connections; `None` while the host has not configured the device.
    connection: Option<u32>,
    connections: u32,
    /// Counts changes that somebody may wait for.
    changes: u32,
    has_changed: bool,
    waiting: MultiWakerRegistration<4>,
}

impl Shared {
    pub(super) fn interface(&mut self, interface: Interface) -> (&mut Ccid<'static>, &mut Slot) {
        match interface {
            Interface::Ccid => (&mut self.ccid, &mut self.slot),
            Interface::Vendor => (&mut self.vendor, &mut self.slot),
        }
    }

    /// How many changes there were.
    pub(super) fn changes(&self) -> u32 {
        self.changes
    }

    /// The connection that stands, if one does.
    pub(super) fn connection(&self) -> Option<u32> {
        self.connection
    }

    /// The host has configured the device, or the bus was reset or lost its power: in any case a new beginning. A bus that
    /// slept is awake with it; nobody says so apart.
    pub(super) fn connect(&mut self, is_configured: bool) {
        self.is_suspended = false;
        self.ccid.reset(&mut self.slot);
        self.vendor.reset(&mut self.slot);
        self.connections = self.connections.wrapping_add(1);
        self.connection = is_configured.then_some(self.connections);
        self.has_changed = true;
    }

    /// The bus fell asleep or woke up.
    pub(super) fn suspend(&mut self, is_suspended: bool) {
        self.is_suspended = is_suspended;
        self.has_changed = true;
    }

    /// Something happened on an interface outside its own task.
    pub(super) fn notify(&mut self) {
        self.has_changed = true;
    }
}

impl<M: RawMutex> Reader<M> {
    /// A reader whose card answers a reset with `atr`, of at most 33 bytes; fit for a `static`.
    pub const fn new(atr: &'static [u8]) -> Self {
        Self {
            shared: Mutex::new(RefCell::new(Shared {
                slot: Slot::new(),
                ccid: Ccid::new(Interface::Ccid, atr),
                vendor: Ccid::new(Interface::Vendor, atr),
                is_suspended: false,
                connection: None,
                connections: 0,
                changes: 0,
                has_changed: false,
                waiting: MultiWakerRegistration::new(),
            })),
        }
    }

    /// The card's side: does for the hosts what they ask, forever. While the card runs a command this does not return to
    /// its executor; the USB side has to run in another one, which interrupts it, or in another thread.
    pub async fn serve(&self, card: &mut impl SmartCard) -> ! {
        loop {
            match self.wait(|shared| shared.slot.job()).await {
                Job::Reset(user) => card.reset(user),
                Job::Clear => card.clear(),
                Job::Append(bytes) => card.append(bytes.as_slice()),
                Job::Run => {
                    let response = card.transmit();
                    self.with(|shared| shared.slot.finish(response.len()));
                    self.wait(|shared| (!shared.slot.refill(response)).then_some(())).await;
                }
            }
        }
    }

    /// Whether nobody waits for the command that runs: its host aborted it, or is gone. A card that waits for its user may
    /// stop waiting.
    pub fn is_abandoned(&self) -> bool {
        self.with(|shared| shared.slot.is_abandoned())
    }

    /// Does something with what is shared, and wakes the others if it changed.
    pub(super) fn with<R>(&self, action: impl FnOnce(&mut Shared) -> R) -> R {
        self.shared.lock(|shared| {
            let mut shared = shared.borrow_mut();
            let result = action(&mut shared);
            if shared.slot.take_changed() | core::mem::take(&mut shared.has_changed) {
                shared.changes = shared.changes.wrapping_add(1);
                shared.waiting.wake();
            }
            result
        })
    }

    /// Waits until `condition` gives something.
    pub(super) async fn wait<R>(&self, mut condition: impl FnMut(&mut Shared) -> Option<R>) -> R {
        poll_fn(|context| {
            self.with(|shared| match condition(shared) {
                Some(result) => Poll::Ready(result),
                None => {
                    shared.waiting.register(context.waker());
                    Poll::Pending
                }
            })
        })
        .await
    }
}

/// The time of embassy's driver.
pub(super) fn now() -> Instant {
    Instant::from_millis(embassy_time::Instant::now().as_millis())
}
