//! The secure channel: chip authentication, protected commands and answers, and the session PIN that only works inside
//! (specification part 1 §6, decisions D7 and D8).
//!
//! The device key proves the device and agrees on session keys before anybody logs in, so that PINs can travel inside.
//! Whatever is wrong with a protected command closes the channel. Whoever logged in through it is logged out when it closes,
//! and a command outside closes it then: otherwise somebody on the line could go on in the user's name.

use crate::buffer::CommandBuffer;
use crate::error;
use crate::exchange::Assembled;
use crate::hsm::Hsm;
use crate::platform::Platform;
use crate::response::Response;
use core::ops::Range;
use ferrite_crypto::channel::{self, Channel};
use ferrite_proto::apdu::Class;
use ferrite_proto::command::Instruction;
use ferrite_proto::secure_messaging::{self, POINT, ProtectedCommand};
use ferrite_proto::status::Status;
use ferrite_proto::tlv::{Full, Writer};
use ferrite_store::Flash;
use rand_core::Rng as _;

/// The bits of the class byte that say that header and data are protected.
const SECURE_MESSAGING: u8 = 0x0C;

impl<P: Platform, F: Flash> Hsm<'_, P, F> {
    /// MANAGE SECURITY ENVIRONMENT for chip authentication. A new one ends the channel that there is.
    pub(crate) fn choose_chip_authentication(&mut self) -> Result<(), Status> {
        self.demand_outside()?;
        self.session.close_channel();
        self.session.authenticates_chip = true;
        Ok(())
    }

    /// GENERAL AUTHENTICATE: agrees on session keys. 6985 unless MANAGE SECURITY ENVIRONMENT chose the protocol, or on a
    /// blank device, which has no key.
    pub(crate) fn general_authenticate(
        &mut self,
        point: &[u8; POINT],
        response: &mut Response<'_>,
    ) -> Result<(), Status> {
        self.demand_outside()?;
        if !core::mem::take(&mut self.session.authenticates_chip) {
            return Err(Status::CONDITIONS);
        }
        let key = self.device_key().map_err(|_| Status::CONDITIONS)?;
        self.confirm_presence(Instruction::GeneralAuthenticate, Status::PRESENCE)?;
        let secret = key.agree(point).map_err(error::agreement)?;
        let rng = self.random.generator(&mut self.platform).map_err(error::entropy)?;
        let mut nonce = [0; channel::NONCE];
        rng.fill_bytes(&mut nonce);
        let channel = Channel::new(secret.as_ref(), &nonce);
        let token = channel.token(&secure_messaging::token_input(point));
        let written = secure_messaging::write_token(&nonce, &token, response.space());
        self.session.channel = Some(channel);
        response.advance(written.map_err(full)?)
    }

    /// Checks and decrypts a protected command in place. If anything is wrong with it, the channel closes.
    pub(crate) fn unprotect(&mut self, command: &mut Assembled, buffer: &mut CommandBuffer) -> Result<(), Status> {
        let result = self.session.channel.as_mut().ok_or(Status::SM_OBJECTS_MISSING);
        let result = result.and_then(|channel| unprotect(channel, command, buffer));
        match result {
            Ok(()) => self.session.is_protected = true,
            Err(_) => self.session.close_channel(),
        }
        result
    }

    /// Notes that a command comes in the clear.
    pub(crate) fn admit_unprotected(&mut self) {
        self.session.is_protected = false;
        if self.session.login_was_protected || self.session.keys.was_protected {
            self.session.close_channel();
        }
    }

    /// Encrypts `len` bytes of an answer in place and adds its status word and checksum. Returns the length of the whole.
    pub(crate) fn protect(&mut self, bytes: &mut [u8], len: usize, status: Status) -> Result<usize, Status> {
        let channel = self.session.channel.as_mut().ok_or(Status::INTERNAL)?;
        channel.count();
        let mut covered: usize = 0;
        if len > 0 {
            let cryptogram = channel::padded_len(len);
            let mut head = [0; 6];
            let written = secure_messaging::write_cryptogram_head(cryptogram, &mut head);
            let head = head.get(..written.map_err(full)?).unwrap_or_default();
            covered = head.len().saturating_add(cryptogram);
            let room = bytes.get_mut(..covered).ok_or(Status::INTERNAL)?;
            room.copy_within(..len, head.len());
            let (front, plain) = room.split_at_mut(head.len());
            front.copy_from_slice(head);
            channel.encrypt(plain, len).map_err(error::crypto)?;
        }
        let mut w = Writer::new(bytes.get_mut(covered..).unwrap_or_default());
        secure_messaging::write_status(status, &mut w);
        covered = covered.saturating_add(w.finish().map_err(full)?);
        let checksum = channel.checksum(&[], bytes.get(..covered).unwrap_or_default());
        let mut w = Writer::new(bytes.get_mut(covered..).unwrap_or_default());
        secure_messaging::write_checksum(&checksum, &mut w);
        Ok(covered.saturating_add(w.finish().map_err(full)?))
    }

    /// A channel is not opened through a channel: 6986.
    fn demand_outside(&self) -> Result<(), Status> {
        if self.session.is_protected { Err(Status::NOT_ALLOWED) } else { Ok(()) }
    }
}

/// Checks a command and decrypts its data in place.
fn unprotect(channel: &mut Channel, command: &mut Assembled, buffer: &mut CommandBuffer) -> Result<(), Status> {
    if command.cla.value() & SECURE_MESSAGING != SECURE_MESSAGING {
        // Without a checksum over the header.
        return Err(Status::SM_NOT_SUPPORTED);
    }
    channel.count();
    let data = buffer.data_mut(&command.data);
    let parts = ProtectedCommand::parse(data)?;
    let header = secure_messaging::header(command.cla, command.ins, command.p1, command.p2);
    let objects = data.get(..parts.covered).unwrap_or_default();
    if !channel.is_checksum(data.get(parts.checksum).unwrap_or_default(), &header, objects) {
        return Err(Status::SM_OBJECTS_WRONG);
    }
    let start = command.data.start;
    command.data = match parts.cryptogram {
        Some(Range { start: from, end: to }) => {
            let cryptogram = data.get_mut(from..to).ok_or(Status::INTERNAL)?;
            let len = channel.decrypt(cryptogram).map_err(|_| Status::SM_OBJECTS_WRONG)?;
            let start = start.saturating_add(from);
            start..start.saturating_add(len)
        }
        None => start..start,
    };
    command.le = parts.le;
    command.cla = Class::new(command.cla.value() & !SECURE_MESSAGING);
    Ok(())
}

fn full(_: Full) -> Status {
    Status::INTERNAL
}
