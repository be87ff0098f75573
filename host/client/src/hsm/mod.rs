//! An HSM: one method for each thing it can be asked.
//!
//! | file | what |
//! |---|---|
//! | this one | selection, device information, random numbers, raw APDUs |
//! | `pins` | PINs, logging in and out, initialisation |
//! | `files` | reading, writing, deleting, enumerating |
//! | `objects` | keys, certificates and data objects as PKCS#15 describes them |
//! | `introduction` | keys of other devices: registration, login |
//! | `keys` | generation, public keys, attributes |
//! | `operations` | signatures, decryption, agreement |
//! | `ciphers` | operations with secret keys |
//! | `wallets` | hierarchical deterministic keys |
//! | `device` | options, clock, memory, configuration, secure lock, rescue application |
//! | `domains` | key domains, DKEK shares, wrapping |

mod ciphers;
mod device;
mod domains;
mod files;
mod introduction;
mod keys;
mod objects;
mod operations;
mod pins;
mod wallets;

pub use ciphers::CipherRequest;
pub use device::{Memory, SecureBoot};
pub use domains::{DomainState, DomainStatus};
pub(crate) use files::offset_behind;
pub use introduction::{Introduction, KeySlot, PublicKeyLogin};
pub(crate) use keys::describe;
pub use keys::{KeyAttributes, NewKey};
pub(crate) use objects::first_object;
pub use objects::{CertificateKind, CertificateObject, DataObject, KeyObject, Objects, Token};
pub use pins::{Initialization, PinState, tries};

use crate::error::{Error, ErrorKind, Result};
use crate::transport::{Answer, Transmit, Transport, exchange};
use ferrite_proto::aid;
use ferrite_proto::apdu::Apdu;
use ferrite_proto::command::{Command, MAX_CHALLENGE, Options};
use ferrite_proto::rescue::SelectAnswer;
use ferrite_proto::status::Status;
use ferrite_proto::tlv::{Tag, find};
use zeroize::Zeroizing;

/// Room for a command's data: what an extended APDU carries.
const MAX_DATA: usize = 65535;
/// Room for a command: header, extended Lc and Le, data.
const MAX_COMMAND: usize = MAX_DATA + 9;

/// What the application says of itself when it is selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Application {
    /// Options.
    pub options: Options,
    /// Version of the interface: major, minor.
    pub version: [u8; 2],
}

/// What the device says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Free storage, in bytes.
    pub free: u32,
    /// Version of the firmware: major, minor.
    pub firmware: [u8; 2],
}

/// A device whose application is selected.
pub struct Hsm<T> {
    transport: T,
    application: Application,
}

impl<T: Transport> Hsm<T> {
    /// Selects the application. Nobody is logged in then.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`]: it is no HSM; [`ErrorKind::Connection`].
    pub fn open(mut transport: T) -> Result<Self> {
        let application = select(&mut transport)?;
        Ok(Self { transport, application })
    }

    /// Gives the transport back.
    pub fn into_transport(self) -> T {
        self.transport
    }

    /// The transport.
    pub fn transport(&mut self) -> &mut T {
        &mut self.transport
    }

    /// What the application said of itself when it was selected last.
    pub fn application(&self) -> Application {
        self.application
    }

    /// Selects the application again, which logs everybody out.
    ///
    /// # Errors
    /// [`ErrorKind::Connection`].
    pub fn select(&mut self) -> Result<Application> {
        self.application = select(&mut self.transport)?;
        Ok(self.application)
    }

    /// What the device says of itself.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for a card that does not say.
    pub fn device_info(&mut self) -> Result<DeviceInfo> {
        const WHAT: &str = "ask what the device is";
        let answer = self.call(WHAT, &Command::DeviceInfo)?;
        match **answer {
            [f3, f2, f1, f0, _, major, minor, ..] => {
                Ok(DeviceInfo { free: u32::from_be_bytes([f3, f2, f1, f0]), firmware: [major, minor] })
            }
            _ => Err(Error::new(ErrorKind::BadAnswer, WHAT, "the answer is too short")),
        }
    }

    /// Selects the rescue application to ask which board this is, and the HSM application again: that logs out.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for a card without it.
    pub fn board(&mut self) -> Result<SelectAnswer> {
        const WHAT: &str = "ask which board it is";
        let answer = self.in_rescue(WHAT, &mut |selected, _| Ok(Zeroizing::new(selected.to_vec())));
        self.come_back()?;
        let answer = answer?;
        // Some answer a serial number of another length.
        let mut bytes = [0; 12];
        bytes.iter_mut().zip(answer.iter()).for_each(|(to, from)| *to = *from);
        let answer = (answer.len() >= 4).then(|| SelectAnswer::parse(&bytes)).flatten();
        answer.ok_or_else(|| Error::new(ErrorKind::BadAnswer, WHAT, "the answer is not that of the rescue application"))
    }

    /// Random bytes of the device, as many as fit `out`.
    ///
    /// # Errors
    /// The device refuses: its generator failed its tests.
    pub fn random(&mut self, out: &mut [u8]) -> Result<()> {
        const WHAT: &str = "get random bytes";
        for part in out.chunks_mut(usize::from(MAX_CHALLENGE)) {
            let len = u16::try_from(part.len()).unwrap_or(MAX_CHALLENGE);
            let answer = self.call(WHAT, &Command::GetChallenge { len })?;
            if answer.len() != part.len() {
                return Err(Error::new(ErrorKind::BadAnswer, WHAT, "the device returned another number of bytes"));
            }
            part.copy_from_slice(&answer);
        }
        Ok(())
    }

    /// Sends a command APDU as it is and returns the answer, whatever its status word.
    ///
    /// # Errors
    /// [`ErrorKind::Connection`].
    pub fn raw(&mut self, command: &[u8]) -> Result<Answer> {
        let answer = exchange(&mut self.transport, command);
        self.reselect_when_lost(answer)
    }

    /// Sends a command that must succeed, and returns the answer's data. `what` is for the message, as in
    /// [`Error::new`].
    ///
    /// # Errors
    /// Those of the connection, and [`Error::refused`].
    pub fn call(&mut self, what: &str, command: &Command<'_>) -> Result<Zeroizing<Vec<u8>>> {
        let answer = self.attempt(what, command)?;
        accept(what, answer)
    }

    /// Sends a command and returns the answer, whatever its status word.
    ///
    /// # Errors
    /// Those of the connection; [`ErrorKind::Usage`] if the data is longer than a command can carry.
    pub fn attempt(&mut self, what: &str, command: &Command<'_>) -> Result<Answer> {
        let command = encode(what, command)?;
        let answer = exchange(&mut self.transport, &command);
        self.reselect_when_lost(answer)
    }

    /// Sends commands one after the other, with nobody else's in between, until one is refused; returns the last one's
    /// data.
    ///
    /// # Errors
    /// As [`Hsm::call`].
    pub fn call_in_turn(&mut self, what: &str, commands: &[Command<'_>]) -> Result<Zeroizing<Vec<u8>>> {
        let commands: Vec<_> = commands.iter().map(|command| encode(what, command)).collect::<Result<_>>()?;
        let mut last = Zeroizing::new(Vec::new());
        let result = self.transport.exclusively(&mut |way| {
            for command in &commands {
                last = accept(what, exchange(way, command)?)?;
            }
            Ok(())
        });
        self.reselect_when_lost(result)?;
        Ok(last)
    }

    /// After another program reset the card the application must be selected anew; the error stays one.
    fn reselect_when_lost<R>(&mut self, result: Result<R>) -> Result<R> {
        if result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Connection) {
            // If that fails too, the next command says so.
            let _ = self.select();
        }
        result
    }
}

fn accept(what: &str, answer: Answer) -> Result<Zeroizing<Vec<u8>>> {
    match answer.status {
        Status::OK => Ok(answer.data),
        status => Err(Error::refused(what.to_owned(), status)),
    }
}

/// Encodes a command. What it carries may be secret.
fn encode(what: &str, command: &Command<'_>) -> Result<Zeroizing<Vec<u8>>> {
    let mut data = Zeroizing::new(vec![0; MAX_DATA]);
    let apdu = command.encode(&mut data);
    let apdu =
        apdu.map_err(|_| Error::new(ErrorKind::Usage, what.to_owned(), "that is more than a command can carry"))?;
    encode_apdu(what, &apdu)
}

pub(crate) fn encode_apdu(what: &str, apdu: &Apdu<'_>) -> Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(vec![0; MAX_COMMAND]);
    let len = apdu.encode(&mut bytes);
    let len =
        len.ok_or_else(|| Error::new(ErrorKind::Usage, what.to_owned(), "that is more than a command can carry"))?;
    bytes.truncate(len);
    Ok(bytes)
}

fn select(way: &mut (impl Transmit + ?Sized)) -> Result<Application> {
    const WHAT: &str = "select the HSM application";
    let command = encode(WHAT, &Command::SelectApplication { aid: &aid::HSM })?;
    let answer = exchange(way, &command)?;
    if answer.status == Status::NOT_FOUND {
        return Err(Error::new(ErrorKind::Unsupported, WHAT, "this card is no SmartCard-HSM"));
    }
    let answer = accept(WHAT, answer)?;
    let about = find(&answer, Tag(0x62)).and_then(|template| find(template, Tag(0x85)));
    match about {
        Some([o1, o0, .., _, major, minor]) => {
            Ok(Application { options: Options(u16::from_be_bytes([*o1, *o0])), version: [*major, *minor] })
        }
        // Older cards of this kind have no options there.
        Some([.., major, minor]) => Ok(Application { options: Options::default(), version: [*major, *minor] }),
        _ => Err(Error::new(ErrorKind::BadAnswer, WHAT, "the answer names no version")),
    }
}
