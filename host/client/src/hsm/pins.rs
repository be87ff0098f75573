//! PINs, logging in and out, initialisation (specification part 1 §4.5-4.8).

use super::Hsm;
use crate::certificate::chain;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::Transport;
use ferrite_proto::command::{
    Command, Initialize, Options, PinReference, PublicKeyAuthentication, Secret, UnblockMode,
};
use ferrite_proto::status::Status;
use zeroize::Zeroizing;

/// How a PIN stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinState {
    /// Its owner is logged in.
    LoggedIn,
    /// So many tries are left.
    Tries(u8),
    /// It is blocked.
    Blocked,
    /// It is a transport PIN: it can only be changed.
    Transport,
    /// There is none.
    NotSet,
}

/// What a device is initialised with.
#[derive(Clone, Copy, Default)]
pub struct Initialization<'a> {
    /// Options.
    pub options: Options,
    /// User PIN, 6 to 16 bytes.
    pub user_pin: &'a [u8],
    /// PIN of the security officer, 8 to 16 bytes; OpenSC knows 8 only.
    pub so_pin: &'a [u8],
    /// Tries of the user PIN, 1 to 15; 3 if not said.
    pub retries: Option<u8>,
    /// Shares that make the DKEK of domain 0. With 0 the device makes a DKEK that nobody knows.
    pub dkek_shares: Option<u8>,
    /// Number of key domains, instead of one; they are set up later.
    pub key_domains: Option<u8>,
    /// Public-key authentication.
    pub pka: Option<PublicKeyAuthentication>,
}

impl<T: Transport> Hsm<T> {
    /// Asks how a PIN stands. Costs no try.
    ///
    /// # Errors
    /// Those of [`Hsm::call`].
    pub fn pin_state(&mut self, pin: PinReference) -> Result<PinState> {
        const WHAT: &str = "ask how the PIN stands";
        let status = self.attempt(WHAT, &Command::Verify { reference: pin, pin: None })?.status;
        match status {
            Status::OK => Ok(PinState::LoggedIn),
            Status::BLOCKED => Ok(PinState::Blocked),
            Status::DATA_INVALID => Ok(PinState::Transport),
            Status::REFERENCE_NOT_FOUND => Ok(PinState::NotSet),
            status => status.tries().map(PinState::Tries).ok_or_else(|| Error::refused(WHAT, status)),
        }
    }

    /// Logs in. A wrong PIN costs a try.
    ///
    /// # Errors
    /// [`ErrorKind::WrongPin`], [`ErrorKind::PinBlocked`]; [`ErrorKind::NotFound`] if the device is not initialised.
    pub fn verify(&mut self, pin: PinReference, value: &[u8]) -> Result<()> {
        let command = Command::Verify { reference: pin, pin: Some(Secret(value)) };
        self.call("log in", &command).map(drop).map_err(explain_pin)
    }

    /// Logs the user in.
    ///
    /// # Errors
    /// As [`Hsm::verify`].
    pub fn login(&mut self, pin: &[u8]) -> Result<()> {
        self.verify(PinReference::User, pin)
    }

    /// Logs everybody out.
    ///
    /// # Errors
    /// [`ErrorKind::Connection`].
    pub fn logout(&mut self) -> Result<()> {
        self.select().map(drop)
    }

    /// Makes a session PIN: eight random bytes that log the user in in place of the PIN, through a secure channel only, until
    /// the device resets or loses its power, as its options say. The user must be logged in by PIN, through the channel. One
    /// that was made before ends.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`]: the device was initialised without; [`ErrorKind::NotLoggedIn`]: nobody is logged in, or there
    /// is no channel.
    pub fn make_session_pin(&mut self) -> Result<Zeroizing<Vec<u8>>> {
        self.call("make a session PIN", &Command::MakeSessionPin).map_err(explain_session_pin)
    }

    /// Ends the session PIN, under the same conditions.
    ///
    /// # Errors
    /// As [`Hsm::make_session_pin`].
    pub fn clear_session_pin(&mut self) -> Result<()> {
        self.call("end the session PIN", &Command::ClearSessionPin).map(drop).map_err(explain_session_pin)
    }

    /// Changes a PIN. A wrong old one costs a try.
    ///
    /// # Errors
    /// As [`Hsm::verify`]; [`ErrorKind::Refused`] for a new PIN of a length that cannot be.
    pub fn change_pin(&mut self, pin: PinReference, old: &[u8], new: &[u8]) -> Result<()> {
        let both = Zeroizing::new([old, new].concat());
        let command = Command::ChangeReferenceData { reference: pin, data: Secret(&both) };
        self.call("change the PIN", &command).map(drop).map_err(explain_pin)
    }

    /// Unblocks the user PIN with the SO-PIN, and sets a new one if it is given.
    ///
    /// # Errors
    /// As [`Hsm::verify`], about the SO-PIN; [`ErrorKind::Unsupported`] if the device was initialised without that.
    pub fn unblock(&mut self, so_pin: &[u8], new: Option<&[u8]>) -> Result<()> {
        let data = Zeroizing::new([so_pin, new.unwrap_or_default()].concat());
        let mode = if new.is_some() { UnblockMode::SoPinAndNew } else { UnblockMode::SoPinOnly };
        let command = Command::ResetRetryCounter { mode, data: Secret(&data) };
        self.call("unblock the user PIN", &command).map(drop).map_err(|error| {
            error
                .explain(
                    Status::BLOCKED,
                    ErrorKind::PinBlocked,
                    "the SO-PIN is blocked",
                    "Nothing opens it again. Keys can still be used with the user PIN; back them up.",
                )
                .explain(
                    Status::INS,
                    ErrorKind::Unsupported,
                    "this device was initialised so that the user PIN cannot be unblocked",
                    "It can be initialised anew, which deletes everything.",
                )
        })
    }

    /// (Re-)initialises the device: every key, certificate and data object is deleted. An initialised device wants its
    /// current SO-PIN. Nobody is logged in then.
    ///
    /// # Errors
    /// [`ErrorKind::WrongPin`] and [`ErrorKind::PinBlocked`] about the SO-PIN; [`ErrorKind::Refused`] for parameters that
    /// cannot be.
    pub fn initialize(&mut self, with: &Initialization<'_>) -> Result<()> {
        self.initialize_trusting(with, &[])
    }

    /// Initialises as [`Hsm::initialize`] does, and stores the certificates of authorities that the device shall trust: for
    /// public-key authentication the only moment, because no key is registered yet, and a PIN alone does not do.
    ///
    /// # Errors
    /// As [`Hsm::initialize`].
    pub fn initialize_trusting(&mut self, with: &Initialization<'_>, roots: &[&[u8]]) -> Result<()> {
        let request = Initialize {
            options: Some(with.options),
            user_pin: Some(Secret(with.user_pin)),
            so_pin: Some(Secret(with.so_pin)),
            retries: with.retries.or(Some(3)),
            dkek_shares: with.dkek_shares,
            pka: with.pka,
            key_domains: with.key_domains,
        };
        self.call("initialise the device", &Command::Initialize(request)).map_err(|error| {
            let error = match error.kind() {
                ErrorKind::WrongPin { tries_left } => error
                    .because(format!("the SO-PIN is not the device's; {}", tries(tries_left)))
                    .advise("At zero tries it is blocked for good: then only a factory reset helps."),
                _ => error,
            };
            error.explain(
                Status::WRONG_DATA,
                ErrorKind::Usage,
                "a PIN has the wrong length, or the parameters do not go together",
                "The user PIN has 6 to 16 characters, the SO-PIN 8 to 16.",
            )
        })?;
        for root in roots {
            let name = chain::split(root)?.first().map(|root| root.body.chr.to_vec()).unwrap_or_default();
            self.store_certificate(&String::from_utf8_lossy(&name), &name, root)?;
        }
        self.select().map(drop)
    }
}

/// How many tries are left, in words.
pub fn tries(left: u8) -> String {
    match left {
        0 => "no try is left: it is blocked now".into(),
        1 => "1 try is left".into(),
        _ => format!("{left} tries are left"),
    }
}

/// What status words mean where a PIN was sent.
fn explain_pin(error: Error) -> Error {
    let error = match error.kind() {
        ErrorKind::WrongPin { tries_left } => error.because(format!("the PIN is wrong; {}", tries(tries_left))),
        _ => error,
    };
    error
        .explain(
            Status::DATA_INVALID,
            ErrorKind::Refused,
            "it is a transport PIN",
            "Change it first; then it is yours alone.",
        )
        .explain(
            Status::REFERENCE_NOT_FOUND,
            ErrorKind::NotFound,
            "the device has no such PIN: it is not initialised",
            "Initialise it first.",
        )
        .explain(Status::WRONG_LENGTH, ErrorKind::Usage, "the PIN has a wrong length", "PINs have 6 to 16 characters.")
}

fn explain_session_pin(error: Error) -> Error {
    error
        .explain(
            Status::INS,
            ErrorKind::Unsupported,
            "this device was initialised without session PINs, or has none at all",
            "Session PINs are allowed when a device is initialised, which deletes everything.",
        )
        .explain(
            Status::SECURITY_STATUS,
            ErrorKind::NotLoggedIn,
            "the user has to be logged in with a PIN, through a secure channel",
            "Open a secure channel first, and log in through it.",
        )
}
