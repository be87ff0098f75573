//! The secure channel, from the host's side (specification part 1 §6): a transport around another one. The device proves
//! the key in its certificate, which is checked before; then everything travels encrypted and authenticated.
//!
//! Whatever is wrong with an answer closes the channel for good: nothing more is sent through it, neither protected nor in
//! the clear. One thing only goes beside it: what is for the rescue application, which has no channel. The channel is shut for
//! that, and opened again to the same key.

use crate::certificate::{DeviceCertificate, Trust, chain};
use crate::error::{Error, ErrorKind, Result};
use crate::hsm::{encode_apdu, offset_behind};
use crate::public_key::PublicKey;
use crate::transport::{Transmit, Transport, exchange};
use ferrite_crypto::channel::{self, Channel};
use ferrite_crypto::ec;
use ferrite_proto::aid;
use ferrite_proto::apdu::{Apdu, Class};
use ferrite_proto::command::{Command, SecurityEnvironment, Target};
use ferrite_proto::fid::FileId;
use ferrite_proto::secure_messaging::{
    self, CHECKSUM, OVERHEAD, POINT, ProtectedAnswer, parse_token, token_input, write_checksum, write_cryptogram_head,
    write_le,
};
use ferrite_proto::status::Status;
use ferrite_proto::tlv::Writer;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// The bits of the class byte that say that header and data are protected.
const SECURE_MESSAGING: u8 = 0x0C;
/// Le of every protected command: as much as there is.
const ALL: usize = 0x1_0000;
const OPEN: &str = "open a secure channel";
const USE: &str = "use the secure channel";

/// A transport that protects what goes through another one.
pub struct SecureChannel<T> {
    inner: T,
    state: State,
    device: DeviceCertificate,
}

/// How a channel stands.
enum State {
    Open(Channel),
    /// Shut, to speak to an application that has none; it can be opened again.
    Shut,
    /// Something was wrong: it stays closed.
    Broken,
}

impl State {
    /// The keys, which whoever takes them puts back if all is well.
    fn take(&mut self) -> Result<Channel> {
        match std::mem::replace(self, Self::Broken) {
            Self::Open(channel) => Ok(channel),
            Self::Shut => {
                *self = Self::Shut;
                Err(broken("it is shut"))
            }
            Self::Broken => Err(broken("it is closed")),
        }
    }
}

impl<T: Transport> SecureChannel<T> {
    /// Opens a channel: reads the device's certificates, checks them, and has the device prove the key in them.
    ///
    /// # Errors
    /// [`ErrorKind::Verification`]: the certificate is not to be trusted, or the device has not the key;
    /// [`ErrorKind::Unsupported`]: the device has no such thing, or no key yet.
    pub fn open(mut inner: T, trust: Trust<'_>) -> Result<Self> {
        let (device, channel) = establish(&mut inner, trust)?;
        Ok(Self { inner, state: State::Open(channel), device })
    }

    /// The device at the other end.
    pub fn device(&self) -> &DeviceCertificate {
        &self.device
    }

    /// Whether the channel is still open.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// What it goes through.
    pub fn inner(&mut self) -> &mut T {
        &mut self.inner
    }

    /// Gives the transport back. The device closes its end with the next command in the clear if somebody logged in.
    pub fn into_inner(self) -> T {
        self.inner
    }
}

impl<T: Transport> Transmit for SecureChannel<T> {
    fn transmit(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        through(&mut self.state, &mut self.inner, command)
    }
}

impl<T: Transport> Transport for SecureChannel<T> {
    fn exclusively(&mut self, work: &mut dyn FnMut(&mut dyn Transmit) -> Result<()>) -> Result<()> {
        let state = &mut self.state;
        self.inner.exclusively(&mut |way| work(&mut Through { state: &mut *state, way }))
    }

    fn in_the_clear(&mut self, work: &mut dyn FnMut(&mut dyn Transmit) -> Result<()>) -> Result<()> {
        // A channel that broke is not a reason to go on without one.
        if !matches!(self.state, State::Shut) {
            self.state.take()?;
            self.state = State::Shut;
        }
        self.inner.in_the_clear(work)
    }

    fn resume(&mut self) -> Result<()> {
        match self.state {
            State::Open(_) => return Ok(()),
            State::Broken => return Err(broken("it is closed")),
            State::Shut => {}
        }
        self.state = State::Broken;
        self.inner.resume()?;
        let (device, channel) = establish(&mut self.inner, Trust::Key(&self.device.public_key))?;
        (self.device, self.state) = (device, State::Open(channel));
        Ok(())
    }

    fn reset(&mut self) -> Result<()> {
        self.state = State::Broken;
        self.inner.reset()
    }

    fn name(&self) -> String {
        self.inner.name()
    }
}

/// Selects the application, checks the device's certificates, and agrees on the keys of a channel.
pub(crate) fn establish(way: &mut (impl Transmit + ?Sized), trust: Trust<'_>) -> Result<(DeviceCertificate, Channel)> {
    let mut ask = |command: &Command<'_>| -> Result<Zeroizing<Vec<u8>>> {
        let mut data = vec![0; 256];
        let apdu = command.encode(&mut data).map_err(|_| Error::new(ErrorKind::Usage, OPEN, "it is too long"))?;
        let answer = exchange(way, &encode_apdu(OPEN, &apdu)?)?;
        match answer.status {
            Status::OK | Status::END_OF_FILE => Ok(answer.data),
            status => Err(Error::refused(OPEN, status).explain(
                Status::CONDITIONS,
                ErrorKind::Unsupported,
                "the device has no key yet",
                "Initialise it first.",
            )),
        }
    };
    ask(&Command::SelectApplication { aid: &aid::HSM })?;
    let target = Target::File(FileId::DEVICE_CERTIFICATE);
    let mut certificates = Vec::new();
    loop {
        let offset = offset_behind(OPEN, &certificates)?;
        let part = ask(&Command::ReadBinary { target, offset })?;
        if part.is_empty() {
            break;
        }
        certificates.extend_from_slice(&part);
    }
    let device = chain::verify(&certificates, trust)?;
    let PublicKey::Ec { curve, point } = &device.public_key else {
        return Err(Error::new(ErrorKind::Unsupported, OPEN, "the device key is none that can agree on a secret"));
    };
    let failed = |_| Error::new(ErrorKind::Verification, OPEN, "the device's key is broken");
    let key = ec::PrivateKey::generate(*curve, &mut crate::random::generator()?);
    let own = key.public_key().map_err(failed)?;
    let own: [u8; POINT] = own
        .as_ref()
        .try_into()
        .map_err(|_| Error::new(ErrorKind::Unsupported, OPEN, "the device key is not on a curve of 256 bits"))?;
    let secret = key.agree(point).map_err(failed)?;
    let lacks = |error: Error| error.lacks("this card has no secure channel");
    ask(&Command::ManageSecurityEnvironment(SecurityEnvironment::ChipAuthentication)).map_err(lacks)?;
    let answer = ask(&Command::GeneralAuthenticate { point: &own }).map_err(lacks)?;
    let (nonce, token) =
        parse_token(&answer).ok_or_else(|| Error::new(ErrorKind::BadAnswer, OPEN, "the device answers no token"))?;
    let channel = Channel::new(secret.as_ref(), nonce);
    if !bool::from(channel.token(&token_input(&own)).ct_eq(token)) {
        return Err(Error::new(ErrorKind::Verification, OPEN, "the device has not the key of its certificate")
            .advise("This is another device, or somebody is in between. Send no PIN."));
    }
    Ok((device, channel))
}

struct Through<'a> {
    state: &'a mut State,
    way: &'a mut dyn Transmit,
}

impl Transmit for Through<'_> {
    fn transmit(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        through(self.state, self.way, command)
    }
}

/// Sends one command through the channel. Any error closes it.
fn through(state: &mut State, way: &mut (impl Transmit + ?Sized), command: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let mut keys = state.take()?;
    let protected = protect(&mut keys, command)?;
    let answer = exchange(way, &protected)?;
    if answer.status != Status::OK {
        return Err(broken("the device refused a protected command: it was changed, repeated or lost on its way")
            .caused_by(answer.status.to_string()));
    }
    let plain = unprotect(&mut keys, answer.data)
        .ok_or_else(|| broken("an answer was changed, repeated or lost on its way"))?;
    *state = State::Open(keys);
    Ok(plain)
}

fn broken(why: &'static str) -> Error {
    Error::new(ErrorKind::Channel, USE, why).advise("Open a new secure channel, and find out who is in between.")
}

fn protect(channel: &mut Channel, command: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let too_long = |_| Error::new(ErrorKind::Usage, USE, "that is more than a protected command can carry");
    let apdu = Apdu::parse(command).map_err(|_| Error::new(ErrorKind::Usage, USE, "this is no command"))?;
    channel.count();
    let cla = Class::new(apdu.cla.value() | SECURE_MESSAGING);
    let mut objects = Zeroizing::new(vec![0; apdu.data.len() + OVERHEAD + 16]);
    let mut covered = 0;
    if !apdu.data.is_empty() {
        let cryptogram = channel::padded_len(apdu.data.len());
        covered = write_cryptogram_head(cryptogram, &mut objects).map_err(too_long)?;
        let room = objects.get_mut(covered..).unwrap_or_default();
        room[..apdu.data.len()].copy_from_slice(apdu.data);
        covered += channel
            .encrypt(room, apdu.data.len())
            .map_err(|_| Error::new(ErrorKind::Usage, USE, "that is more than a protected command can carry"))?;
    }
    let mut writer = Writer::new(&mut objects[covered..]);
    write_le(apdu.le, &mut writer);
    covered += writer.finish().map_err(too_long)?;
    let header = secure_messaging::header(cla, apdu.ins, apdu.p1, apdu.p2);
    let checksum: [u8; CHECKSUM] = channel.checksum(&header, &objects[..covered]);
    let mut writer = Writer::new(&mut objects[covered..]);
    write_checksum(&checksum, &mut writer);
    let len = covered + writer.finish().map_err(too_long)?;
    objects.truncate(len);
    encode_apdu(USE, &Apdu { cla, ins: apdu.ins, p1: apdu.p1, p2: apdu.p2, data: &objects, le: ALL })
}

/// Data and status word of a protected answer; `None` if anything is wrong with it.
fn unprotect(channel: &mut Channel, mut answer: Zeroizing<Vec<u8>>) -> Option<Zeroizing<Vec<u8>>> {
    channel.count();
    let parts = ProtectedAnswer::parse(&answer)?;
    if !channel.is_checksum(answer.get(parts.checksum)?, &[], answer.get(..parts.covered)?) {
        return None;
    }
    let plain: &[u8] = match parts.cryptogram {
        Some(range) => {
            let cryptogram = answer.get_mut(range)?;
            let len = channel.decrypt(cryptogram).ok()?;
            &cryptogram[..len]
        }
        None => &[],
    };
    Some(Zeroizing::new([plain, &parts.status.to_bytes()].concat()))
}
