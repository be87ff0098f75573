//! What the card needs of its surroundings, on a PC.

use crate::identity::DeviceKey;
use ferrite_card::{
    Activity, Board, Clock, Entropy, EntropyError, Identity, Indicator, Observer, PlatformKind, Presence, Restart,
    SecureBoot, UserPresence,
};
use ferrite_crypto::Join;
use ferrite_crypto::rsa::Progress;
use std::io::{BufRead, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// What stands for the button of a real device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PresencePolicy {
    /// Every request is confirmed.
    #[default]
    Auto,
    /// The person at the terminal is asked.
    Ask,
    /// Every request is refused.
    Never,
}

/// How long the device takes to notice that the host has given up waiting.
const POLL: Duration = Duration::from_millis(20);

/// Set by a host that gives up waiting for the answer to a command.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cancellation(Arc<AtomicBool>);

impl Cancellation {
    pub(crate) fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The platform of a virtual device.
pub(crate) struct HostPlatform {
    key: DeviceKey,
    start: Instant,
    button: Button,
    indicator: Option<TerminalIndicator>,
    candidates: Candidates,
    /// Of the command that is at work.
    cancellation: Cancellation,
    restarts: bool,
}

/// How many candidates for primes the last key generation has tested so far, for whoever wants to watch.
#[derive(Debug, Clone, Default)]
pub(crate) struct Candidates(Arc<AtomicU64>);

impl Candidates {
    pub(crate) fn tested(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Progress for Candidates {
    fn candidate(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl HostPlatform {
    /// A platform with this identity. `lines` shows what the indicator shows as one line for each change; otherwise it
    /// is shown in place if standard error is a terminal.
    pub(crate) fn new(key: DeviceKey, presence: PresencePolicy, lines: bool, candidates: Candidates) -> Self {
        let indicator = (lines || std::io::stderr().is_terminal()).then_some(TerminalIndicator { lines, last: None });
        Self {
            key,
            start: Instant::now(),
            button: Button::new(presence),
            indicator,
            candidates,
            cancellation: Cancellation::default(),
            restarts: false,
        }
    }

    /// A new command begins, which its host may cancel.
    pub(crate) fn begin(&mut self, cancellation: Cancellation) {
        self.cancellation = cancellation;
    }

    /// Whether a restart was arranged since the last time.
    pub(crate) fn takes_restart(&mut self) -> bool {
        std::mem::take(&mut self.restarts)
    }
}

impl Entropy for HostPlatform {
    fn sample(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        getrandom::fill(out).map_err(|_| EntropyError)
    }
}

impl Clock for HostPlatform {
    fn millis(&mut self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl UserPresence for HostPlatform {
    fn confirm(&mut self, limit: Duration) -> Presence {
        self.button.confirm(limit, &self.cancellation)
    }
}

impl Identity for HostPlatform {
    fn root_key(&mut self, out: &mut [u8; 32]) {
        *out = *self.key.root_key();
    }

    fn unique_id(&self) -> [u8; 8] {
        self.key.unique_id()
    }

    fn kind(&self) -> PlatformKind {
        PlatformKind::Virtual
    }
}

impl Indicator for HostPlatform {
    fn show(&mut self, activity: Activity) {
        if let Some(indicator) = &mut self.indicator {
            indicator.show(activity);
        }
    }
}

impl Board for HostPlatform {
    fn can_restart(&self, restart: Restart) -> bool {
        restart == Restart::Firmware
    }

    fn restart(&mut self, _: Restart) {
        self.restarts = true;
    }
}

impl SecureBoot for HostPlatform {}

impl Observer for HostPlatform {
    type Progress = Candidates;

    fn progress(&mut self) -> Candidates {
        self.candidates.0.store(0, Ordering::Relaxed);
        self.candidates.clone()
    }
}

impl Join for HostPlatform {
    fn join<A: Send, B: Send>(&mut self, a: impl FnOnce() -> A + Send, b: impl FnOnce() -> B + Send) -> (A, B) {
        std::thread::scope(|scope| {
            let other = scope.spawn(b);
            let a = a();
            match other.join() {
                Ok(b) => (a, b),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }
}

enum Button {
    Fixed(Presence),
    Keyboard(Receiver<String>),
}

impl Button {
    fn new(policy: PresencePolicy) -> Self {
        match policy {
            PresencePolicy::Auto => Self::Fixed(Presence::Confirmed),
            PresencePolicy::Never => Self::Fixed(Presence::Refused),
            PresencePolicy::Ask => Self::Keyboard(typed_lines()),
        }
    }

    fn confirm(&mut self, limit: Duration, cancellation: &Cancellation) -> Presence {
        let lines = match self {
            Self::Fixed(answer) => return *answer,
            Self::Keyboard(lines) => lines,
        };
        // What was typed before the question is no answer to it.
        while lines.try_recv().is_ok() {}
        let ask = || eprint!("\nThe device asks for your presence ({} s). Confirm? [y/n] ", limit.as_secs());
        let start = Instant::now();
        ask();
        loop {
            if cancellation.is_cancelled() {
                eprintln!("\nthe host has given up");
                return Presence::Cancelled;
            }
            let left = limit.saturating_sub(start.elapsed());
            match lines.recv_timeout(left.min(POLL)) {
                Ok(line) if line.trim().eq_ignore_ascii_case("y") => return Presence::Confirmed,
                Ok(line) if line.trim().eq_ignore_ascii_case("n") => return Presence::Refused,
                Ok(_) => ask(),
                Err(RecvTimeoutError::Timeout) if left > POLL => {}
                Err(RecvTimeoutError::Timeout) => {
                    eprintln!("\nno answer in time");
                    return Presence::TimedOut;
                }
                // Standard input is closed: nobody can answer.
                Err(RecvTimeoutError::Disconnected) => return Presence::Refused,
            }
        }
    }
}

/// The lines typed on standard input, read by a thread of its own so that waiting for one can have a limit.
fn typed_lines() -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

/// The LED, on standard error.
struct TerminalIndicator {
    lines: bool,
    last: Option<Activity>,
}

impl TerminalIndicator {
    fn show(&mut self, activity: Activity) {
        if self.last.replace(activity) == Some(activity) {
            return;
        }
        let text = match activity {
            Activity::Idle => "idle",
            Activity::Busy => "busy",
            Activity::Presence => "waiting for your presence",
            Activity::Fault => "FAULT: storage or entropy failed",
        };
        if self.lines {
            eprintln!("led: {text}");
        } else {
            let mut stderr = std::io::stderr();
            // A terminal that is gone is no reason to stop serving.
            let _ = write!(stderr, "\r\x1b[K[{text}] ").and_then(|()| stderr.flush());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(presence: PresencePolicy) -> HostPlatform {
        HostPlatform::new(DeviceKey::generate().expect("random numbers"), presence, false, Candidates::default())
    }

    #[test]
    fn presence_follows_the_policy() {
        let limit = Duration::from_secs(1);
        assert_eq!(platform(PresencePolicy::Auto).confirm(limit), Presence::Confirmed);
        assert_eq!(platform(PresencePolicy::Never).confirm(limit), Presence::Refused);
    }

    #[test]
    fn the_keyboard_answers_only_what_was_asked() {
        let (sender, lines) = mpsc::channel();
        let mut button = Button::Keyboard(lines);
        sender.send("y".to_owned()).expect("open");
        let (short, long) = (Duration::from_millis(1), Duration::from_secs(60));
        let waiting = Cancellation::default();
        assert_eq!(button.confirm(short, &waiting), Presence::TimedOut, "typed before the question");
        let given_up = Cancellation::default();
        given_up.cancel();
        assert_eq!(button.confirm(long, &given_up), Presence::Cancelled, "nobody waits any more");
        drop(sender);
        assert_eq!(button.confirm(long, &waiting), Presence::Refused, "nobody can answer");
    }

    #[test]
    fn both_halves_of_a_join_run() {
        assert_eq!(platform(PresencePolicy::Auto).join(|| 6 * 7, || "other"), (42, "other"));
    }
}
