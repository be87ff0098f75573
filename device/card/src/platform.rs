//! What the card needs from the outside, made of small traits.

use core::time::Duration;
use ferrite_crypto::Join;
use ferrite_crypto::rsa::Progress;
use ferrite_proto::configuration::Configuration;

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
    /// The user refused.
    Refused,
    /// Nobody answered in time.
    TimedOut,
    /// The host gave up waiting: it cut the power of the card, reset it or aborted the command.
    Cancelled,
}

/// A button, or whatever stands for one.
pub trait UserPresence {
    /// Waits up to `limit` for the user, and gives up when the host does. Only a new press counts: a button that is held
    /// down when the question is asked must be released first.
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

/// How a device starts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// Into this firmware.
    Firmware,
    /// Into the chip's boot loader, which takes new firmware.
    BootLoader,
}

/// The board around the chip, as far as the rescue application and the configuration are about it (specification part 3
/// §2, §3). The defaults are those of a board that has nothing of it.
pub trait Board {
    /// What holds where the owner configured nothing: USB identifiers, LED. What is absent here too has the defaults of
    /// `ferrite_proto::configuration`.
    fn defaults(&self) -> Configuration {
        Configuration::default()
    }

    /// Whether the LED may be on this pin: one that the board has, and that neither flash nor USB uses.
    fn has_led_pin(&self, _pin: u8) -> bool {
        true
    }

    /// Whether the device can start again in this way.
    fn can_restart(&self, _restart: Restart) -> bool {
        false
    }

    /// Arranges for a restart. The card has closed its sessions, but the answer has not been sent yet: the device restarts
    /// about 100 ms later, and wipes the memory that the card used before a boot loader gets hold of it. Only called if
    /// [`Board::can_restart`].
    fn restart(&mut self, _restart: Restart) {}

    /// Size of the whole flash memory in bytes; 0: it is the region that the store has.
    fn flash_size(&self) -> u32 {
        0
    }

    /// Size of the firmware in bytes; `None` where that means nothing.
    fn firmware_size(&self) -> Option<u32> {
        None
    }
}

/// Whether a chip starts signed firmware only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SecureBootState {
    /// It does.
    pub enabled: bool,
    /// Debugging, other boot keys and what else could undo it are shut off for good.
    pub locked: bool,
    /// The slot of the boot key in use.
    pub boot_key: Option<u8>,
}

/// Why secure boot was not switched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecureBootError {
    /// The firmware that runs is not signed by that key: the device would never start again. Nothing was changed.
    NotSigned,
    /// The hardware reports an error. What was burnt stays burnt.
    Failed,
}

/// Secure boot (specification part 3 §2.6, §6.3, §6.4). The defaults are those of a chip that has none.
pub trait SecureBoot {
    /// Number of slots for boot keys; with none there is no secure boot.
    fn boot_key_slots(&self) -> u8 {
        0
    }

    /// The state, as the hardware has it.
    fn secure_boot(&self) -> SecureBootState {
        SecureBootState::default()
    }

    /// Switches secure boot on, irreversibly, with the boot key in `slot`; with `lock` everything that could undo it goes
    /// too. Only called if there is such a slot, and after the user confirmed it.
    ///
    /// # Errors
    /// See [`SecureBootError`].
    fn enable_secure_boot(&mut self, _slot: u8, _lock: bool) -> Result<(), SecureBootError> {
        Err(SecureBootError::Failed)
    }
}

/// Everything the card needs of its surroundings, except flash, which the store owns.
pub trait Platform:
    Entropy + Clock + UserPresence + Identity + Indicator + Observer + Join + Board + SecureBoot
{
}
impl<T: Entropy + Clock + UserPresence + Identity + Indicator + Observer + Join + Board + SecureBoot> Platform for T {}
