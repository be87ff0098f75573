//! Readers of the operating system's smart-card service (PC/SC).

use super::{MAX_ANSWER, Transmit, Transport, is_hsm};
use crate::error::{Error, ErrorKind, Result};
use ::pcsc::{Card, Context, Disposition, Protocols, ReaderState, Scope, ShareMode, State};
use std::ffi::{CStr, CString};
use zeroize::Zeroizing;

/// A reader of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    /// Its name.
    pub name: String,
    /// Whether a card that answers like a SmartCard-HSM is in it.
    pub has_hsm: bool,
}

/// Lists the readers, in the order of the service. Without the service, or without readers, there are none.
///
/// # Errors
/// [`ErrorKind::NoDevice`]: the service does not answer.
pub fn readers() -> Result<Vec<Reader>> {
    let context = context()?;
    let names = match context.list_readers_owned() {
        Ok(names) => names,
        Err(::pcsc::Error::NoReadersAvailable) => return Ok(Vec::new()),
        Err(error) => return Err(no_service(error)),
    };
    let mut states: Vec<_> = names.into_iter().map(|name| ReaderState::new(name, State::UNAWARE)).collect();
    if !states.is_empty() {
        // With no time to wait it returns what is; a reader that went away meanwhile has no card.
        match context.get_status_change(std::time::Duration::ZERO, &mut states) {
            Ok(()) | Err(::pcsc::Error::Timeout | ::pcsc::Error::UnknownReader) => {}
            Err(error) => return Err(no_service(error)),
        }
    }
    let reader = |state: &ReaderState| Reader {
        name: state.name().to_string_lossy().into_owned(),
        has_hsm: state.event_state().contains(State::PRESENT) && is_hsm(state.atr()),
    };
    Ok(states.iter().map(reader).collect())
}

/// A card in a reader, shared with other programs.
pub struct Pcsc {
    card: Card,
    name: String,
}

impl Pcsc {
    /// Connects to the card in the reader of this name.
    ///
    /// # Errors
    /// [`ErrorKind::NoDevice`], and [`ErrorKind::Connection`] if another program has the card to itself.
    pub fn connect(name: &str) -> Result<Self> {
        let context = context()?;
        let reader = CString::new(name)
            .map_err(|_| Error::new(ErrorKind::Usage, "open the reader", "its name has a zero byte in it"))?;
        let card = connect(&context, &reader).map_err(|error| {
            let what = format!("open the reader {name:?}");
            match error {
                ::pcsc::Error::UnknownReader => {
                    Error::new(ErrorKind::NoDevice, what, "there is no such reader").advise("List the devices.")
                }
                ::pcsc::Error::NoSmartcard | ::pcsc::Error::RemovedCard | ::pcsc::Error::UnresponsiveCard => {
                    Error::new(ErrorKind::NoDevice, what, "no card is in it").advise("Plug the device in.")
                }
                ::pcsc::Error::SharingViolation => {
                    Error::new(ErrorKind::Connection, what, "another program has the card to itself")
                        .advise("Close the other program.")
                }
                other => Error::new(ErrorKind::Connection, what, other.to_string()),
            }
            .caused_by(error)
        })?;
        Ok(Self { card, name: name.to_owned() })
    }
}

impl Transmit for Pcsc {
    fn transmit(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        match transmit(&self.card, command) {
            // Somebody reset the card. The connection is taken up again; the session is gone.
            Err(::pcsc::Error::ResetCard) => {
                let _ = self.card.reconnect(ShareMode::Shared, Protocols::ANY, Disposition::LeaveCard);
                Err(lost(::pcsc::Error::ResetCard))
            }
            result => result.map_err(lost),
        }
    }
}

impl Transport for Pcsc {
    fn exclusively(&mut self, work: &mut dyn FnMut(&mut dyn Transmit) -> Result<()>) -> Result<()> {
        if self.card.status2_owned().is_err_and(|error| error == ::pcsc::Error::ResetCard) {
            let _ = self.card.reconnect(ShareMode::Shared, Protocols::ANY, Disposition::LeaveCard);
            return Err(lost(::pcsc::Error::ResetCard));
        }
        let transaction = self.card.transaction().map_err(lost)?;
        work(&mut InTransaction(&transaction))
    }

    fn reset(&mut self) -> Result<()> {
        self.card.reconnect(ShareMode::Shared, Protocols::ANY, Disposition::ResetCard).map_err(lost)
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

struct InTransaction<'a>(&'a Card);

impl Transmit for InTransaction<'_> {
    fn transmit(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        transmit(self.0, command).map_err(lost)
    }
}

fn transmit(card: &Card, command: &[u8]) -> std::result::Result<Zeroizing<Vec<u8>>, ::pcsc::Error> {
    let mut buffer = Zeroizing::new(vec![0; MAX_ANSWER]);
    let len = card.transmit(command, &mut buffer)?.len();
    buffer.truncate(len);
    Ok(buffer)
}

fn connect(context: &Context, reader: &CStr) -> std::result::Result<Card, ::pcsc::Error> {
    context.connect(reader, ShareMode::Shared, Protocols::ANY)
}

fn context() -> Result<Context> {
    Context::establish(Scope::User).map_err(no_service)
}

fn no_service(error: ::pcsc::Error) -> Error {
    let (why, advice) = match error {
        ::pcsc::Error::NoService | ::pcsc::Error::ServiceStopped => (
            "the smart-card service (pcscd) does not run".to_owned(),
            "Install pcscd and start it: systemctl enable --now pcscd.socket",
        ),
        other => (other.to_string(), "Look at the log of the smart-card service (pcscd)."),
    };
    Error::new(ErrorKind::NoDevice, "ask the smart-card service", why).advise(advice).caused_by(error)
}

fn lost(error: ::pcsc::Error) -> Error {
    let (why, advice) = match error {
        ::pcsc::Error::ResetCard => ("another program reset the device".to_owned(), "Log in again."),
        ::pcsc::Error::RemovedCard | ::pcsc::Error::NoSmartcard | ::pcsc::Error::ReaderUnavailable => {
            ("the device is gone".to_owned(), "Plug it in again; what it acknowledged is kept.")
        }
        other => (other.to_string(), "Plug the device out and in again."),
    };
    Error::new(ErrorKind::Connection, "talk to the device", why).advise(advice).caused_by(error)
}
