//! The platform that the card runs on: nobody has to press anything, and nothing is secret.

use crate::clock;
use core::time::Duration;
use ferrite_card::{
    Activity, Board, Clock, Entropy, EntropyError, Identity, Indicator, Observer, PlatformKind, Presence, SecureBoot,
    UserPresence,
};
use ferrite_crypto::Join;

/// A platform with a stream in place of entropy that its seed decides, so that every run with that seed does the same.
pub struct Chip(u32);

impl Chip {
    /// A platform whose stream starts from a seed other than 0.
    pub const fn new(seed: u32) -> Self {
        Self(seed)
    }
}

impl Entropy for Chip {
    fn sample(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        for byte in out {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 17;
            self.0 ^= self.0 << 5;
            *byte = (self.0 >> 16) as u8;
        }
        Ok(())
    }
}

impl Clock for Chip {
    fn millis(&mut self) -> u64 {
        clock::instructions() / 1_000_000
    }
}

impl UserPresence for Chip {
    fn confirm(&mut self, _: Duration) -> Presence {
        Presence::Confirmed
    }
}

impl Identity for Chip {
    fn root_key(&mut self, out: &mut [u8; 32]) {
        out.fill(1);
    }
    fn unique_id(&self) -> [u8; 8] {
        [2; 8]
    }
    fn kind(&self) -> PlatformKind {
        if cfg!(target_abi = "eabihf") { PlatformKind::Rp2350 } else { PlatformKind::Rp2040 }
    }
}

impl Indicator for Chip {
    fn show(&mut self, _: Activity) {}
}

impl Board for Chip {}

impl SecureBoot for Chip {}

impl Observer for Chip {
    type Progress = ();

    fn progress(&mut self) {}
}

impl Join for Chip {
    fn join<A: Send, B: Send>(&mut self, a: impl FnOnce() -> A + Send, b: impl FnOnce() -> B + Send) -> (A, B) {
        (a(), b())
    }
}
