//! The HSM itself: one command in, one response out.
//!
//! [`Card`] is what a transport sees: it takes APDUs, joins chained ones, splits long responses (ISO 7816-4 §5.3) and
//! hands complete commands to the HSM application behind it. `hsm` holds the table of commands, `access` who may send
//! each, and every family of commands is a module of its own.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic
    )
)]

use ferrite_proto::apdu::Apdu;
use ferrite_proto::configuration::Configuration;
use ferrite_proto::status::Status;
use ferrite_store::Flash;

mod access;
mod buffer;
mod channel;
mod cipher;
mod config;
mod configuration;
mod decipher;
mod derive;
mod domains;
mod error;
mod exchange;
mod extras;
mod files;
mod hd;
mod hierarchy;
mod hsm;
mod identity;
mod initialize;
mod key;
mod keys;
mod lock;
mod objects;
mod pin;
mod pka;
mod platform;
mod random;
mod rescue;
mod response;
mod session;
mod session_pin;
mod sign;
#[cfg(feature = "testing")]
pub mod testing;
mod transfer;
mod trust;
mod verify;
mod wrap;
mod xkek;

use exchange::{Assembled, Exchange};
use hsm::Hsm;
use response::Response;

pub use buffer::{CommandBuffer, Workspace};
pub use platform::{
    Activity, Board, Clock, Entropy, EntropyError, Identity, Indicator, Observer, Platform, PlatformKind, Presence,
    Restart, SecureBoot, SecureBootError, SecureBootState, UserPresence,
};

/// Answer to reset of the card: the one by which OpenSC recognises a SmartCard-HSM (specification part 1 §1.1).
pub const ATR: [u8; 24] = [
    0x3B, 0xFE, 0x18, 0x00, 0x00, 0x81, 0x31, 0xFE, 0x45, 0x80, 0x31, 0x81, 0x54, 0x48, 0x53, 0x4D, 0x31, 0x73, 0x80,
    0x21, 0x40, 0x81, 0x07, 0xFA,
];

/// Version of the interface, as SELECT reports it (decision D1).
pub const VERSION: [u8; 2] = [6, 6];

/// Our own version, as the device information reports it (decision D1).
pub const FIRMWARE_VERSION: [u8; 2] = [0, 1];

/// Longest response data that goes through the secure channel, in bytes.
const MAX_PROTECTED: usize = buffer::MAX_DATA - ferrite_proto::secure_messaging::OVERHEAD;

/// The card: owns its platform and its storage.
pub struct Card<'w, P: Platform, F: Flash> {
    hsm: Hsm<'w, P, F>,
    exchange: Exchange,
    bytes: &'w mut [u8; buffer::MAX_RESPONSE],
}

impl<'w, P: Platform, F: Flash> Card<'w, P, F> {
    /// Starts the card. Storage that cannot be opened does not stop it: commands that need it answer 6581.
    pub fn new(platform: P, flash: F, workspace: &'w mut Workspace) -> Self {
        let Workspace { bytes, index } = workspace;
        Self { hsm: Hsm::start(platform, flash, index), exchange: Exchange::default(), bytes }
    }

    /// Power on, power off, card reset or change of interface: closes every session state (decision D5).
    pub fn reset(&mut self) {
        self.hsm.reset();
        self.exchange.clear(self.bytes);
    }

    /// The platform, for the program that owns the card.
    pub fn platform(&mut self) -> &mut P {
        &mut self.hsm.platform
    }

    /// The device configuration that holds: what the owner stored, and defaults for the rest. USB identifiers, interfaces
    /// and the LED's pin take effect at the start, so that they are to be read once after [`Card::new`].
    pub fn configuration(&self) -> &Configuration {
        &self.hsm.configuration.effective
    }

    /// Ends the card and hands back its platform, for a restart.
    pub fn into_platform(self) -> P {
        self.hsm.platform
    }

    /// Answers one command APDU, and wipes it. The answer is response data and status word.
    pub fn transmit(&mut self, command: &mut CommandBuffer) -> &[u8] {
        self.hsm.platform.show(Activity::Busy);
        let answer = self.answer(command);
        command.wipe();
        self.hsm.platform.show(self.hsm.idle_activity());
        self.exchange.deliver(answer, self.bytes)
    }

    /// Works out the answer: how much response data lies in the workspace, and the status word.
    fn answer(&mut self, command: &mut CommandBuffer) -> exchange::Answer {
        let apdu = match Apdu::parse(command.apdu()) {
            Ok(apdu) => apdu,
            Err(status) => {
                self.exchange.clear(self.bytes);
                return status.into();
            }
        };
        if let Some(next) = self.exchange.next_part(&apdu, self.bytes) {
            return next;
        }
        let assembled = match self.exchange.assemble(command, self.bytes) {
            Ok(Some(assembled)) => assembled,
            Ok(None) => return Status::OK.into(),
            Err(status) => return status.into(),
        };
        if assembled.cla.secure_messaging() {
            return self.answer_protected(assembled, command);
        }
        self.hsm.admit_unprotected();
        let room = self.bytes.get_mut(..buffer::MAX_DATA).unwrap_or_default();
        let mut response = Response::new(room, assembled.le);
        match self.hsm.execute(&assembled.apdu(command), &mut response) {
            status if status.is_success() => exchange::Answer::data(&response),
            status => status.into(),
        }
    }

    /// Works out the answer to a command that comes through the secure channel.
    fn answer_protected(&mut self, mut assembled: Assembled, command: &mut CommandBuffer) -> exchange::Answer {
        let wanted = assembled.le;
        if let Err(status) = self.hsm.unprotect(&mut assembled, command) {
            return status.into();
        }
        let room = self.bytes.get_mut(..MAX_PROTECTED).unwrap_or_default();
        let mut response = Response::new(room, assembled.le);
        let status = self.hsm.execute(&assembled.apdu(command), &mut response);
        let (len, _) = response.lengths();
        match self.hsm.protect(self.bytes, len, status) {
            Ok(len) => exchange::Answer::protected(len, wanted),
            Err(status) => status.into(),
        }
    }
}
