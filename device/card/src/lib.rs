//! The HSM itself: one command in, one response out.
#![no_std]
#![forbid(unsafe_code)]

use ferrite_store::Flash;

mod buffer;
mod platform;

pub use buffer::{CommandBuffer, Workspace};
pub use platform::{
    Activity, Clock, Entropy, EntropyError, Identity, Indicator, Platform, PlatformKind, Presence, UserPresence,
};

/// Answer to reset of the card.
pub const ATR: [u8; 24] = [
    0x3B, 0xFE, 0x18, 0x00, 0x00, 0x81, 0x31, 0xFE, 0x45, 0x80, 0x31, 0x81, 0x54, 0x48, 0x53, 0x4D, 0x31, 0x73, 0x80,
    0x21, 0x40, 0x81, 0x07, 0xFA,
];

/// The card: owns its platform and its storage.
pub struct Card<'w, P: Platform, F: Flash> {
    platform: P,
    flash: F,
    workspace: &'w mut Workspace,
}

impl<'w, P: Platform, F: Flash> Card<'w, P, F> {
    /// Starts the card. Storage that cannot be opened does not stop it: commands that need it answer 6581.
    pub fn new(platform: P, flash: F, workspace: &'w mut Workspace) -> Self {
        Self { platform, flash, workspace }
    }

    /// Power on, power off, card reset or change of interface: closes every session state.
    pub fn reset(&mut self) {}

    /// The platform, for the program that owns the card.
    pub fn platform(&mut self) -> &mut P {
        &mut self.platform
    }

    /// Answers one command APDU. The answer is response data and status word.
    pub fn transmit(&mut self, command: &mut CommandBuffer) -> &[u8] {
        let _ = (command, self.flash.pages(), &self.workspace);
        &[0x6D, 0x00]
    }
}
