//! What the card needs of its surroundings, on these chips.

use crate::chip;
use crate::clock::millis;
use crate::entropy::Raw;
use crate::identity::RootKey;
use crate::{board, button, led, power, second_core};
use core::time::Duration;
use ferrite_card::{
    Activity, Board, Clock, Entropy, EntropyError, Identity, Indicator, Observer, PlatformKind, Presence, Restart,
    SecureBoot, UserPresence,
};
use ferrite_crypto::Join;
use ferrite_proto::configuration::Configuration;

/// The platform of a board.
pub(crate) struct BoardPlatform {
    unique_id: [u8; 8],
    /// Until the card has derived from it what it needs.
    root_key: RootKey,
    source: chip::Source,
    flash_size: u32,
}

impl BoardPlatform {
    /// A platform with this identity.
    pub(crate) fn new(unique_id: [u8; 8], root_key: RootKey, flash_size: u32) -> Self {
        Self { unique_id, root_key, source: chip::Source::start(), flash_size }
    }
}

impl Entropy for BoardPlatform {
    fn sample(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        for byte in out {
            *byte = self.source.byte().map_err(|_| EntropyError)?;
        }
        Ok(())
    }
}

impl Clock for BoardPlatform {
    fn millis(&mut self) -> u64 {
        millis()
    }
}

impl UserPresence for BoardPlatform {
    fn confirm(&mut self, limit: Duration) -> Presence {
        button::confirm(limit)
    }
}

impl Identity for BoardPlatform {
    fn root_key(&mut self, out: &mut [u8; 32]) {
        *out = *self.root_key;
        // Asked for once, at the start.
        self.root_key = RootKey::default();
    }

    fn unique_id(&self) -> [u8; 8] {
        self.unique_id
    }

    fn kind(&self) -> PlatformKind {
        chip::KIND
    }
}

impl Indicator for BoardPlatform {
    fn show(&mut self, activity: Activity) {
        led::set_activity(activity);
    }
}

impl Observer for BoardPlatform {
    type Progress = ();

    fn progress(&mut self) {}
}

impl Join for BoardPlatform {
    fn join<A: Send, B: Send>(&mut self, a: impl FnOnce() -> A + Send, b: impl FnOnce() -> B + Send) -> (A, B) {
        second_core::join(a, b)
    }
}

impl Board for BoardPlatform {
    fn defaults(&self) -> Configuration {
        board::defaults()
    }

    fn has_led_pin(&self, pin: u8) -> bool {
        pin < ferrite_board::led::PINS
    }

    fn can_restart(&self, _: Restart) -> bool {
        true
    }

    fn restart(&mut self, restart: Restart) {
        power::ask_for_restart(restart);
    }

    fn flash_size(&self) -> u32 {
        self.flash_size
    }

    fn firmware_size(&self) -> Option<u32> {
        Some(board::firmware_size())
    }
}

/// The image is not signed: switching secure boot on would end the board's life.
impl SecureBoot for BoardPlatform {}
