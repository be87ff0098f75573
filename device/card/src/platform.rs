//! What the card needs from the outside, made of small traits.

use core::time::Duration;
use ferrite_crypto::Join;
use ferrite_crypto::rsa::Progress;

/// The entropy source failed its health tests or the hardware reports a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntropyError;

/// A raw, unconditioned entropy source; the card adds health tests, conditioning and a DRBG.
pub trait Entropy {
    /// Fills `out` with raw samples of one byte each.
    fn sample(&mut self, out: &mut [u8]) -> Result<(), EntropyError>;
}

/// A clock that only has to move forward.
pub trait Clock {
    /// Milliseconds since some fixed point.
    fn millis(&mut self) -> u64;
}

/// Answer to a request for user presence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// The user pressed the button.
    Confirmed,
    /// The user or the host refused.
    Refused,
    /// Nobody answered in time.
    TimedOut,
}

/// A button, or whatever stands for one.
pub trait UserPresence {
    /// Waits up to `limit` for the user.
    fn confirm(&mut self, limit: Duration) -> Presence;
}

/// What the device knows about itself and nobody can change: its root secret and its identity.
pub trait Identity {
    /// The 256-bit root key (OTP, eFuse, or a reserved flash page).
    fn root_key(&mut self, out: &mut [u8; 32]);
    /// The chip's unique id: public, it is the USB serial number.
    fn unique_id(&self) -> [u8; 8];
    /// Platform byte of the rescue application's answer.
    fn kind(&self) -> PlatformKind;
}

/// The platform byte of the rescue application's SELECT answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum PlatformKind {
    /// Raspberry Pi RP2040.
    Rp2040 = 0,
    /// Raspberry Pi RP2350.
    Rp2350 = 1,
    /// Espressif ESP32-S3.
    Esp32S3 = 2,
    /// A virtual device.
    Virtual = 3,
}

/// What the status indicator (an LED) should show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// Waiting for a command.
    Idle,
    /// Working on a command.
    Busy,
    /// Waiting for the user's presence.
    Presence,
    /// Storage or entropy failed; the device needs attention.
    Fault,
}

/// A status indicator.
pub trait Indicator {
    /// Shows the activity until the next call.
    fn show(&mut self, activity: Activity);
}

/// Somebody who wants to know how far long work is: an indicator, or a tool that shows a bar.
pub trait Observer {
    /// What the workers of a key generation report to, from either of them, while it lasts.
    type Progress: Progress;

    /// A new key generation begins.
    fn progress(&mut self) -> Self::Progress;
}

/// Everything the card needs of its surroundings, except flash, which the store owns.
pub trait Platform: Entropy + Clock + UserPresence + Identity + Indicator + Observer + Join {}
impl<T: Entropy + Clock + UserPresence + Identity + Indicator + Observer + Join> Platform for T {}
