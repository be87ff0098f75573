//! EXTRAS (INS 64): device options, secure lock, clock, memory, configuration (specification part 3 §1). P1 is the
//! function.

use super::Command;
use crate::apdu::Apdu;
use crate::clock::{Moment, Months};
use crate::status::Status;

/// Length of a public key on P-256, uncompressed, in bytes.
pub const LOCK_POINT: usize = 65;
/// Length of the encrypted mask of the secure lock, in bytes.
pub const LOCK_MESSAGE: usize = 48;

/// A function of EXTRAS. The number is P1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExtrasFunction {
    /// Free and used memory.
    Memory = 0x05,
    /// The options that can be changed without INITIALIZE.
    Options = 0x06,
    /// Date and time.
    Clock = 0x0A,
    /// The device configuration, to be read only.
    Configuration = 0x1B,
    /// The secure lock.
    SecureLock = 0x3A,
}

impl ExtrasFunction {
    /// Every function.
    pub const ALL: [Self; 5] = [Self::Memory, Self::Options, Self::Clock, Self::Configuration, Self::SecureLock];

    /// The function of P1.
    pub fn from_p1(p1: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|function| *function as u8 == p1)
    }
}

/// Options that can be changed without INITIALIZE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DynamicOptions {
    /// 0100: every use of a private or secret key waits for the user's presence.
    pub press_to_confirm: bool,
    /// 0200: every new key gets a use counter.
    pub counts_every_key: bool,
}

impl DynamicOptions {
    const PRESS_TO_CONFIRM: u8 = 0x01;
    const COUNTS_EVERY_KEY: u8 = 0x02;
    /// The secure lock. Tools read the byte, change a bit and write it back; this one is not changed that way.
    const SECURE_LOCK: u8 = 0x04;

    fn from_byte(byte: u8) -> Result<Self, Status> {
        if byte & !(Self::PRESS_TO_CONFIRM | Self::COUNTS_EVERY_KEY | Self::SECURE_LOCK) != 0 {
            return Err(Status::WRONG_DATA);
        }
        Ok(Self {
            press_to_confirm: byte & Self::PRESS_TO_CONFIRM != 0,
            counts_every_key: byte & Self::COUNTS_EVERY_KEY != 0,
        })
    }

    pub(super) fn to_byte(self) -> u8 {
        let bit = |is_set, bit| if is_set { bit } else { 0 };
        bit(self.press_to_confirm, Self::PRESS_TO_CONFIRM) | bit(self.counts_every_key, Self::COUNTS_EVERY_KEY)
    }
}

/// What the secure lock is told to do with a mask. The number is P2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum LockOperation {
    /// From now on nothing opens without this mask.
    Enable = 2,
    /// Here is the mask, until the power fails.
    Unlock = 3,
    /// The mask is not needed any more.
    Disable = 4,
}

impl LockOperation {
    /// Every operation.
    pub const ALL: [Self; 3] = [Self::Enable, Self::Unlock, Self::Disable];
}

pub(super) const P2_AGREEMENT: u8 = 1;

pub(super) fn decode<'a>(apdu: &Apdu<'a>) -> Result<Command<'a>, Status> {
    let data = apdu.data;
    match (ExtrasFunction::from_p1(apdu.p1).ok_or(Status::WRONG_P1P2)?, apdu.p2) {
        (ExtrasFunction::Memory, _) => Ok(Command::Memory),
        (ExtrasFunction::Options, 0) => match data {
            [] => Ok(Command::DynamicOptions),
            [byte] => Ok(Command::SetDynamicOptions(DynamicOptions::from_byte(*byte)?)),
            _ => Err(Status::WRONG_LENGTH),
        },
        (ExtrasFunction::Clock, 0) => match data {
            [] => Ok(Command::Clock),
            _ => Moment::from_bytes(data, Months::FromOne).map(Command::SetClock),
        },
        (ExtrasFunction::Configuration, _) if data.is_empty() => Ok(Command::StoredConfiguration),
        (ExtrasFunction::SecureLock, _) if data.is_empty() => Err(Status::WRONG_LENGTH),
        (ExtrasFunction::SecureLock, P2_AGREEMENT) => match <&[u8; LOCK_POINT]>::try_from(data) {
            Ok(point @ [0x04, ..]) => Ok(Command::SecureLockAgreement { point }),
            _ => Err(Status::WRONG_LENGTH),
        },
        (ExtrasFunction::SecureLock, p2) => {
            let operation = LockOperation::ALL.into_iter().find(|known| *known as u8 == p2);
            let operation = operation.ok_or(Status::WRONG_P1P2)?;
            let message = data.try_into().map_err(|_| Status::WRONG_LENGTH)?;
            Ok(Command::SecureLock { operation, message })
        }
        (ExtrasFunction::Options | ExtrasFunction::Clock | ExtrasFunction::Configuration, _) => Err(Status::WRONG_P1P2),
    }
}
