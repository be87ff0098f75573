//! The card in a thread of its own, and the interfaces that talk to it in turn.

use crate::flash::FileFlash;
use crate::platform::{Cancellation, Candidates, HostPlatform, PresencePolicy};
use crate::state::{StateDir, StateError};
use crate::trace;
use ferrite_card::{Card, CommandBuffer, Workspace};
use ferrite_proto::configuration::Configuration;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Stack of the card's thread, in bytes: far more than a chip has, because unoptimised code wants it.
const STACK: usize = 16 << 20;

/// How often a host that waits for an answer is asked whether it still does.
const POLL: Duration = Duration::from_millis(20);

/// How a virtual device behaves.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// What stands for the button.
    pub presence: PresencePolicy,
    /// Trace commands on standard error: header, lengths, status; never data.
    pub log: bool,
}

/// The device is gone: it was closed, or the card's thread ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the virtual device has stopped")
    }
}

impl std::error::Error for Stopped {}

/// A card at work, until it is closed or dropped.
pub struct VirtualDevice {
    requests: Sender<Request>,
    worker: Mutex<Option<JoinHandle<()>>>,
    interfaces: AtomicU64,
    candidates: Candidates,
    unique_id: [u8; 8],
}

impl VirtualDevice {
    /// Opens the state directory, creating a blank device if there is none, and starts the card.
    ///
    /// # Errors
    /// The state cannot be opened; see [`StateError`].
    pub fn open(dir: &Path, options: Options) -> Result<Self, StateError> {
        let state = StateDir::open(dir)?;
        let (requests, inbox) = mpsc::channel();
        let candidates = Candidates::default();
        let unique_id = state.key.unique_id();
        let watched = candidates.clone();
        let worker = thread::Builder::new()
            .name("card".into())
            .stack_size(STACK)
            .spawn(move || run(state, options, watched, &inbox))
            .map_err(|error| StateError::Io(dir.to_owned(), error))?;
        Ok(Self { requests, worker: Mutex::new(Some(worker)), interfaces: AtomicU64::new(0), candidates, unique_id })
    }

    /// A new interface of the device.
    pub fn connect(&self) -> Interface {
        let id = self.interfaces.fetch_add(1, Ordering::Relaxed);
        Interface { id, requests: self.requests.clone() }
    }

    /// What the owner configured. What is about USB takes effect when the device starts: ask once.
    ///
    /// # Errors
    /// The device is gone.
    pub fn configuration(&self) -> Result<Configuration, Stopped> {
        let (answer, answers) = mpsc::channel();
        self.requests.send(Request::Configuration { answer }).map_err(|_| Stopped)?;
        answers.recv().map_err(|_| Stopped)
    }

    /// The unique id: public, it is the USB serial number.
    pub fn unique_id(&self) -> [u8; 8] {
        self.unique_id
    }

    /// Whether the card still answers.
    pub fn is_running(&self) -> bool {
        self.worker().as_ref().is_some_and(|worker| !worker.is_finished())
    }

    /// Progress of a key generation that runs, or of the last one: how many candidates for primes were tested. A prime of
    /// an RSA-2048 key takes some fifty on average, after sieving; chance decides.
    pub fn candidates_tested(&self) -> u64 {
        self.candidates.tested()
    }

    /// Finishes the running command, stops the card and closes the state directory.
    pub fn close(&self) {
        let worker = self.worker().take();
        if let Some(worker) = worker {
            // A card that is gone hears nothing; one that panicked has said so already.
            let _ = self.requests.send(Request::Stop);
            let _ = worker.join();
        }
    }

    fn worker(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.worker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for VirtualDevice {
    fn drop(&mut self) {
        self.close();
    }
}

/// One way to the card. A command that arrives on another interface than the one before finds a card that was reset
/// (decision D5); so does the next one after an interface is dropped.
pub struct Interface {
    id: u64,
    requests: Sender<Request>,
}

impl Interface {
    /// Sends one command APDU and waits for the answer: response data and status word.
    ///
    /// # Errors
    /// The device is gone.
    pub fn transmit(&self, apdu: &[u8]) -> Result<Vec<u8>, Stopped> {
        self.transmit_while(apdu, || true)
    }

    /// Does the same for a host that may stop waiting: `waits` is asked again and again until the answer is there. Once it
    /// says no, the device no longer waits for its user either; an answer comes all the same.
    ///
    /// # Errors
    /// The device is gone.
    pub fn transmit_while(&self, apdu: &[u8], mut waits: impl FnMut() -> bool) -> Result<Vec<u8>, Stopped> {
        let (answer, answers) = mpsc::channel();
        let (interface, apdu) = (self.id, Zeroizing::new(apdu.to_vec()));
        let cancellation = Cancellation::default();
        let request = Request::Transmit { interface, apdu, cancellation: cancellation.clone(), answer };
        self.requests.send(request).map_err(|_| Stopped)?;
        loop {
            match answers.recv_timeout(POLL) {
                Ok(answer) => return Ok(answer),
                Err(RecvTimeoutError::Timeout) if waits() => {}
                Err(RecvTimeoutError::Timeout) => cancellation.cancel(),
                Err(RecvTimeoutError::Disconnected) => return Err(Stopped),
            }
        }
    }

    /// Closes the session of this interface, if it has one. Does not wait; a later command comes later.
    ///
    /// # Errors
    /// The device is gone.
    pub fn reset(&self) -> Result<(), Stopped> {
        self.requests.send(Request::Reset { interface: self.id }).map_err(|_| Stopped)
    }
}

impl Drop for Interface {
    fn drop(&mut self) {
        // A device that is gone has no session left.
        let _ = self.reset();
    }
}

enum Request {
    Transmit { interface: u64, apdu: Zeroizing<Vec<u8>>, cancellation: Cancellation, answer: Sender<Vec<u8>> },
    Reset { interface: u64 },
    Configuration { answer: Sender<Configuration> },
    Stop,
}

fn run(state: StateDir, options: Options, candidates: Candidates, inbox: &Receiver<Request>) {
    let StateDir { flash, key, lock: _lock } = state;
    let mut command = Box::new(CommandBuffer::new());
    let mut platform = HostPlatform::new(key, options.presence, options.log, candidates);
    loop {
        let Ok(flash) = flash.try_clone() else { return };
        let mut workspace = Box::new(Workspace::new());
        let mut card = Card::new(platform, flash, &mut workspace);
        let end = serve(&mut card, &mut command, options.log, inbox);
        card.reset();
        match end {
            End::Restart => platform = card.into_platform(),
            End::Stop => return,
        }
    }
}

/// Why a card is no longer served.
enum End {
    /// It starts again.
    Restart,
    /// The device goes out of service.
    Stop,
}

fn serve(
    card: &mut Card<'_, HostPlatform, FileFlash>,
    command: &mut CommandBuffer,
    log: bool,
    inbox: &Receiver<Request>,
) -> End {
    // The interface that has the session.
    let mut owner = None;
    while let Ok(request) = inbox.recv() {
        match request {
            Request::Transmit { interface, apdu, cancellation, answer } => {
                if owner.replace(interface).is_some_and(|owner| owner != interface) {
                    card.reset();
                }
                let start = Instant::now();
                card.platform().begin(cancellation);
                command.load(&apdu);
                let response = card.transmit(command);
                if log {
                    eprintln!("{}", trace::line(&apdu, response, start.elapsed()));
                }
                // Whoever asked may be gone by now.
                let _ = answer.send(response.to_vec());
                if card.platform().takes_restart() {
                    return End::Restart;
                }
            }
            // The session of any other interface has ended when this one's began.
            Request::Reset { interface } if owner == Some(interface) => card.reset(),
            Request::Reset { .. } => {}
            Request::Configuration { answer } => _ = answer.send(*card.configuration()),
            Request::Stop => break,
        }
    }
    End::Stop
}
