//! Device options (specification part 1 §8).

use super::DynamicOptions;

/// The 16 option bits that INITIALIZE sets and SELECT reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options(pub u16);

macro_rules! bits {
    ($($(#[$doc:meta])* $name:ident = $bit:literal;)*) => {
        impl Options {
            $($(#[$doc])* pub const fn $name(self) -> bool { self.0 & $bit != 0 })*
        }
    };
}

bits! {
    /// RESET RETRY COUNTER is enabled.
    reset_retry_counter = 0x0001;
    /// The user PIN is a transport PIN: it can only be changed.
    transport_pin = 0x0002;
    /// Session PINs are enabled.
    session_pin = 0x0004;
    /// A session PIN outlives a card reset.
    session_pin_outlives_reset = 0x0008;
    /// Registered public keys may be replaced.
    replaceable_public_keys = 0x0008;
    /// PIN and public-key authentication are needed together.
    combined_authentication = 0x0010;
    /// RESET RETRY COUNTER resets the counter only and sets no PIN.
    reset_counter_only = 0x0020;
    /// Every use of a private or secret key waits for the user's presence.
    press_to_confirm = 0x0100;
    /// Every new key gets a use counter.
    counts_every_key = 0x0200;
    /// The secure lock is active.
    secure_lock = 0x0400;
}

impl Options {
    /// The options after the transport PIN was changed.
    pub const fn without_transport_pin(self) -> Self {
        self.with(0x0002, false)
    }

    /// The options after the device was locked or unlocked.
    pub const fn with_secure_lock(self, is_locked: bool) -> Self {
        self.with(0x0400, is_locked)
    }

    /// The options after some were changed without INITIALIZE.
    pub const fn with_dynamic(self, options: DynamicOptions) -> Self {
        self.with(0x0100, options.press_to_confirm).with(0x0200, options.counts_every_key)
    }

    const fn with(self, bit: u16, is_set: bool) -> Self {
        Self(if is_set { self.0 | bit } else { self.0 & !bit })
    }
}
