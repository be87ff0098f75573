//! What went wrong, why, and what to do about it.

use ferrite_proto::status::Status;
use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What kind of failure it is. Programs decide by it; people read the [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The caller asked for something that cannot be: a PIN of a wrong length, an unknown curve.
    Usage,
    /// There is no device, or not the one that was named.
    NoDevice,
    /// Several devices fit.
    Ambiguous,
    /// The PIN is wrong.
    WrongPin {
        /// Tries left before it is blocked.
        tries_left: u8,
    },
    /// The PIN is blocked.
    PinBlocked,
    /// Somebody has to log in first, or this role may not do it.
    NotLoggedIn,
    /// There is no such key, file, domain or PIN.
    NotFound,
    /// Something is there already.
    Exists,
    /// No room is left.
    Full,
    /// This device does not know the command or algorithm.
    Unsupported,
    /// Nobody confirmed at the device.
    NotConfirmed,
    /// The device refused for another reason.
    Refused,
    /// The connection failed, or the device was unplugged or reset by somebody else.
    Connection,
    /// The device answered something that cannot be read.
    BadAnswer,
    /// The secure channel broke: messages were changed, repeated or lost.
    Channel,
    /// A signature, certificate, check value or code does not match.
    Verification,
    /// A password opens nothing.
    WrongPassword,
    /// A file has not the form that was expected.
    BadInput,
    /// A file cannot be read or written.
    Io,
}

/// A failure.
///
/// `Display` says what happened and why, with the status word in words; the alternate form (`{:#}`) adds what to do.
pub struct Error {
    kind: ErrorKind,
    what: Cow<'static, str>,
    why: Cow<'static, str>,
    advice: Option<Cow<'static, str>>,
    status: Option<Status>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// A failure to do something: `what` follows the word "cannot", as in "sign with key 3"; `why` is a clause.
    pub fn new(kind: ErrorKind, what: impl Into<Cow<'static, str>>, why: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, what: what.into(), why: why.into(), advice: None, status: None, source: None }
    }

    /// The device refused with a status word.
    pub fn refused(what: impl Into<Cow<'static, str>>, status: Status) -> Self {
        let (kind, advice) = meaning(status);
        let why = if kind == ErrorKind::Unsupported { UNKNOWN } else { status.describe() };
        let mut error = Self::new(kind, what, why);
        error.status = Some(status);
        error.advice = advice.map(Cow::Borrowed);
        error
    }

    /// Says what to do: whole sentences.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<Cow<'static, str>>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// Adds advice behind what there is.
    #[must_use]
    pub fn advise_also(self, advice: &str) -> Self {
        match self.advice() {
            Some(first) => {
                let both = format!("{first}\n{advice}");
                self.advise(both)
            }
            None => self.advise(advice.to_owned()),
        }
    }

    /// Says what the whole was that was attempted, as in [`Error::new`].
    #[must_use]
    pub fn while_doing(mut self, what: impl Into<Cow<'static, str>>) -> Self {
        self.what = what.into();
        self
    }

    /// Says more exactly why: a clause.
    #[must_use]
    pub fn because(mut self, why: impl Into<Cow<'static, str>>) -> Self {
        self.why = why.into();
        self
    }

    /// Gives it another kind.
    #[must_use]
    pub fn of_kind(mut self, kind: ErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// If the device answered with this status word, says more exactly why, and what to do.
    #[must_use]
    pub fn explain(self, status: Status, kind: ErrorKind, why: &'static str, advice: &'static str) -> Self {
        if self.status == Some(status) { self.of_kind(kind).because(why).advise(advice) } else { self }
    }

    /// If the device does not know a command that only some cards have, says what it lacks: a clause.
    #[must_use]
    pub fn lacks(self, why: &'static str) -> Self {
        UNKNOWN_TO_SOME
            .into_iter()
            .fold(self, |error, status| error.explain(status, ErrorKind::Unsupported, why, ONLY_SOME))
    }

    /// Adds the error that caused it.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What was attempted, without the word "cannot".
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Why it failed.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// What to do about it.
    pub fn advice(&self) -> Option<&str> {
        self.advice.as_deref()
    }

    /// The device's status word, if it was the device that refused.
    pub fn status(&self) -> Option<Status> {
        self.status
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: {}", self.what, self.why)?;
        if let Some(status) = self.status {
            write!(f, " (status {:04X})", status.value())?;
        }
        match &self.advice {
            Some(advice) if f.alternate() => write!(f, "\n{advice}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#} [{:?}]", self.kind)?;
        self.source.iter().try_for_each(|source| write!(f, " {source:?}"))
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as &(dyn StdError + 'static))
    }
}

/// Why a card refuses what it was never taught.
pub(crate) const UNKNOWN: &str = "this card does not know how";

/// How cards answer a command that they do not know.
pub(crate) const UNKNOWN_TO_SOME: [Status; 4] =
    [Status::INS, Status::CLA, Status::FUNCTION_NOT_SUPPORTED, Status::WRONG_P1P2];

/// What to do about a card that lacks what this one has.
pub(crate) const ONLY_SOME: &str =
    "Not every SmartCard-HSM has it: boards with Ferrite do. Everything else works with this card as before.";

/// What a status word means to a program, and what to do about it.
fn meaning(status: Status) -> (ErrorKind, Option<&'static str>) {
    if let Some(tries_left) = status.tries() {
        return (ErrorKind::WrongPin { tries_left }, Some("At zero tries the PIN is blocked."));
    }
    match status {
        Status::BLOCKED => (ErrorKind::PinBlocked, Some("The security officer can unblock the user PIN.")),
        Status::SECURITY_STATUS => (ErrorKind::NotLoggedIn, Some("Log in with the PIN that this needs.")),
        Status::NOT_FOUND | Status::REFERENCE_NOT_FOUND => (ErrorKind::NotFound, Some("List what is there.")),
        Status::EXISTS => (ErrorKind::Exists, Some("Delete what is there, or take another identifier.")),
        Status::FULL => (ErrorKind::Full, Some("Delete what is no longer needed.")),
        Status::INS | Status::CLA | Status::FUNCTION_NOT_SUPPORTED => {
            (ErrorKind::Unsupported, Some("This device, or its present configuration, does not offer it."))
        }
        Status::PRESENCE => (ErrorKind::NotConfirmed, Some("Press the button of the device while it asks.")),
        Status::SM_OBJECTS_MISSING | Status::SM_OBJECTS_WRONG => {
            (ErrorKind::Channel, Some("Open a new secure channel, and find out who is in between."))
        }
        _ => (ErrorKind::Refused, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_why_and_what_to_do() {
        let error = Error::refused("log in", Status::tries_left(2));
        assert_eq!(error.kind(), ErrorKind::WrongPin { tries_left: 2 });
        let text = format!("{error:#}");
        assert!(text.starts_with("cannot log in: the PIN is wrong"), "{text}");
        assert!(text.contains("63C2") && text.ends_with("blocked."), "{text}");
        let error = error.explain(Status::BLOCKED, ErrorKind::Usage, "no", "no");
        assert_eq!(error.status(), Some(Status::tries_left(2)));
        assert_ne!(error.why(), "no");
    }
}
