//! How the program ends. The numbers are documented and stay.

use crate::app::DECLINED;
use crate::terminal::STOPPED;
use ferrite_client::{Error, ErrorKind};
use std::process::ExitCode;

/// Exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// It was done.
    Success = 0,
    /// The command line, or a file given, is not as it should be.
    Usage = 1,
    /// There is no device, or it is not clear which is meant.
    NoDevice = 2,
    /// The PIN is wrong.
    WrongPin = 3,
    /// The PIN is blocked.
    PinBlocked = 4,
    /// There is no such key, file or domain.
    NotFound = 5,
    /// The device refused, or does not know the command.
    Refused = 6,
    /// The connection failed, or a file cannot be read or written.
    Io = 7,
    /// A signature, certificate, tag, check value or password does not match.
    Verification = 8,
    /// The person at the terminal said no, or stopped it.
    Declined = 9,
}

impl Exit {
    /// The exit code of a failure.
    pub(crate) fn of(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::Usage if [DECLINED, STOPPED].contains(&error.why()) => Self::Declined,
            ErrorKind::Usage | ErrorKind::BadInput => Self::Usage,
            ErrorKind::NoDevice | ErrorKind::Ambiguous => Self::NoDevice,
            ErrorKind::WrongPin { .. } => Self::WrongPin,
            ErrorKind::PinBlocked => Self::PinBlocked,
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::NotLoggedIn
            | ErrorKind::Exists
            | ErrorKind::Full
            | ErrorKind::Unsupported
            | ErrorKind::NotConfirmed
            | ErrorKind::Refused
            | ErrorKind::BadAnswer => Self::Refused,
            ErrorKind::Connection | ErrorKind::Io => Self::Io,
            ErrorKind::Channel | ErrorKind::Verification | ErrorKind::WrongPassword => Self::Verification,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The word that `--json` has for a kind of failure. Documented, and stays.
pub(crate) fn word(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Usage => "usage",
        ErrorKind::NoDevice => "no-device",
        ErrorKind::Ambiguous => "ambiguous",
        ErrorKind::WrongPin { .. } => "wrong-pin",
        ErrorKind::PinBlocked => "pin-blocked",
        ErrorKind::NotLoggedIn => "not-logged-in",
        ErrorKind::NotFound => "not-found",
        ErrorKind::Exists => "exists",
        ErrorKind::Full => "full",
        ErrorKind::Unsupported => "unsupported",
        ErrorKind::NotConfirmed => "not-confirmed",
        ErrorKind::Refused => "refused",
        ErrorKind::Connection => "connection",
        ErrorKind::BadAnswer => "bad-answer",
        ErrorKind::Channel => "channel",
        ErrorKind::Verification => "verification",
        ErrorKind::WrongPassword => "wrong-password",
        ErrorKind::BadInput => "bad-input",
        ErrorKind::Io => "io",
    }
}
