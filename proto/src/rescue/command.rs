//! The commands of the rescue application (specification part 3 §2.2 to §2.7), and two of our own: a challenge, and the
//! factory reset that it guards.

use crate::apdu::{Apdu, Class};
use crate::clock::{Moment, Months};
use crate::configuration::Configuration;
use crate::status::Status;
use crate::tlv::{Full, Writer};

/// Length of the challenge that guards what cannot be undone, in bytes.
pub const CHALLENGE: usize = 8;
/// What the device key signs to prove that the device has it is the SHA-256 of this, the serial number and the challenge.
pub const PROOF_LABEL: &[u8] = b"rescue-pop";
/// Legal lengths of the challenge to the device key, in bytes.
const PROOF_CHALLENGE: core::ops::RangeInclusive<usize> = 8..=64;
/// Slots for boot keys that any chip has.
const BOOT_KEY_SLOTS: u8 = 4;

const CLA: u8 = 0x80;
const DEVICE_KEY: u8 = 0x10;
const FACTORY_RESET: u8 = 0x1B;
const WRITE: u8 = 0x1C;
const SECURE: u8 = 0x1D;
const READ: u8 = 0x1E;
const REBOOT: u8 = 0x1F;

/// Which configuration is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Which {
    /// What the device goes by: what is stored, and defaults for the rest.
    Effective = 0,
    /// What the owner stored.
    Stored = 1,
}

/// How a moment is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ClockForm {
    /// Eight bytes of date and time, months from 0.
    Calendar = 1,
    /// Seconds since 1970, four bytes.
    Seconds = 2,
}

impl ClockForm {
    fn from_p2(p2: u8) -> Result<Self, Status> {
        match p2 {
            1 => Ok(Self::Calendar),
            2 => Ok(Self::Seconds),
            _ => Err(Status::WRONG_P1P2),
        }
    }

    /// Writes a moment in this form.
    pub fn write(self, moment: Moment, w: &mut Writer<'_>) {
        match self {
            Self::Calendar => w.raw(&moment.to_bytes(Months::FromZero)),
            Self::Seconds => w.raw(&moment.0.to_be_bytes()),
        };
    }

    /// Reads a moment in this form: 6700 for another length, 6A80 for what is no date.
    pub fn parse(self, bytes: &[u8]) -> Result<Moment, Status> {
        match self {
            Self::Calendar => Moment::from_bytes(bytes, Months::FromZero),
            Self::Seconds => {
                let seconds = bytes.try_into().map_err(|_| Status::WRONG_LENGTH)?;
                Ok(Moment(u32::from_be_bytes(seconds)))
            }
        }
    }
}

/// A command of the rescue application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RescueCommand<'a> {
    /// DEVICE KEY 02: the public key of the device.
    DeviceKey,
    /// DEVICE KEY 04: a signature that proves the device key, over [`PROOF_LABEL`], serial number and challenge.
    ProveDeviceKey {
        /// 8 to 64 bytes.
        challenge: &'a [u8],
    },
    /// DEVICE KEY 03: the device's certificate and those of its issuers.
    InstallCertificates {
        /// CV certificates, one behind the other.
        chain: &'a [u8],
    },
    /// READ 01: the device configuration.
    ReadConfiguration(Which),
    /// READ 02: sizes of memories.
    ReadMemory,
    /// READ 03: state of secure boot.
    ReadSecureBoot,
    /// READ 04: date and time.
    ReadClock(ClockForm),
    /// READ 05: a challenge, without which nothing irreversible happens. It serves the next command only.
    ReadChallenge,
    /// WRITE 01: the whole device configuration; what is not in it gets its default.
    WriteConfiguration(Configuration),
    /// WRITE 02: date and time.
    WriteClock {
        /// How it is written.
        form: ClockForm,
        /// The moment.
        moment: Moment,
    },
    /// SECURE: secure boot, for good.
    EnableSecureBoot {
        /// Slot of the boot key.
        slot: u8,
        /// Also shut off what could undo it.
        lock: bool,
        /// What READ 05 answered.
        challenge: &'a [u8; CHALLENGE],
    },
    /// REBOOT 00: the device starts again.
    Restart,
    /// REBOOT 01: the boot loader starts.
    StartBootLoader,
    /// FACTORY RESET: everything goes.
    FactoryReset {
        /// What READ 05 answered.
        challenge: &'a [u8; CHALLENGE],
    },
}

impl<'a> RescueCommand<'a> {
    /// Reads a command.
    ///
    /// # Errors
    /// 6E00 for another class than 80, 6D00 for an instruction that there is not, 6700, 6A86 and 6A80 for lengths,
    /// parameters and data.
    pub fn decode(apdu: &Apdu<'a>) -> Result<Self, Status> {
        if apdu.cla.value() != CLA {
            return Err(Status::CLA);
        }
        let data = apdu.data;
        let nothing = |command| if data.is_empty() { Ok(command) } else { Err(Status::WRONG_LENGTH) };
        match (apdu.ins, apdu.p1, apdu.p2) {
            (DEVICE_KEY, 2, _) => nothing(Self::DeviceKey),
            (DEVICE_KEY, 3, _) if data.is_empty() => Err(Status::WRONG_LENGTH),
            (DEVICE_KEY, 3, _) => Ok(Self::InstallCertificates { chain: data }),
            (DEVICE_KEY, 4, _) if PROOF_CHALLENGE.contains(&data.len()) => Ok(Self::ProveDeviceKey { challenge: data }),
            (DEVICE_KEY, 4, _) => Err(Status::WRONG_LENGTH),
            (READ, _, _) if !data.is_empty() => Err(Status::WRONG_LENGTH),
            (READ, 1, 0) => Ok(Self::ReadConfiguration(Which::Effective)),
            (READ, 1, 1) => Ok(Self::ReadConfiguration(Which::Stored)),
            (READ, 2, _) => Ok(Self::ReadMemory),
            (READ, 3, _) => Ok(Self::ReadSecureBoot),
            (READ, 4, form) => ClockForm::from_p2(form).map(Self::ReadClock),
            (READ, 5, _) => Ok(Self::ReadChallenge),
            (WRITE, _, _) if data.len() < 2 => Err(Status::WRONG_LENGTH),
            (WRITE, 1, _) => Configuration::parse(data).map(Self::WriteConfiguration).map_err(|_| Status::WRONG_DATA),
            (WRITE, 2, form) => {
                let form = ClockForm::from_p2(form)?;
                Ok(Self::WriteClock { form, moment: form.parse(data)? })
            }
            (SECURE, slot, lock) => match data.try_into() {
                Ok(_) if slot >= BOOT_KEY_SLOTS => Err(Status::WRONG_P1P2),
                Ok(challenge) => Ok(Self::EnableSecureBoot { slot, lock: lock == 1, challenge }),
                Err(_) => Err(Status::WRONG_LENGTH),
            },
            (REBOOT, 0, _) => nothing(Self::Restart),
            (REBOOT, 1, _) => nothing(Self::StartBootLoader),
            (FACTORY_RESET, 0, 0) => {
                data.try_into().map(|challenge| Self::FactoryReset { challenge }).map_err(|_| Status::WRONG_LENGTH)
            }
            (DEVICE_KEY | READ | WRITE | REBOOT | FACTORY_RESET, _, _) => Err(Status::WRONG_P1P2),
            _ => Err(Status::INS),
        }
    }

    /// Writes the command's data into `scratch` and returns the APDU.
    ///
    /// # Errors
    /// `scratch` is too small.
    pub fn encode<'b>(&self, scratch: &'b mut [u8]) -> Result<Apdu<'b>, Full> {
        let mut w = Writer::new(scratch);
        let (ins, p1, p2, le) = match *self {
            Self::DeviceKey => (DEVICE_KEY, 2, 0, 256),
            Self::ProveDeviceKey { challenge } => {
                w.raw(challenge);
                (DEVICE_KEY, 4, 0, 256)
            }
            Self::InstallCertificates { chain } => {
                w.raw(chain);
                (DEVICE_KEY, 3, 0, 0)
            }
            Self::ReadConfiguration(which) => (READ, 1, which as u8, 256),
            Self::ReadMemory => (READ, 2, 0, 256),
            Self::ReadSecureBoot => (READ, 3, 0, 256),
            Self::ReadClock(form) => (READ, 4, form as u8, 256),
            Self::ReadChallenge => (READ, 5, 0, 256),
            Self::WriteConfiguration(configuration) => {
                let mut bytes = [0; Configuration::MAX_SIZE];
                let len = configuration.write(&mut bytes)?;
                w.raw(bytes.get(..len).unwrap_or_default());
                (WRITE, 1, 0, 0)
            }
            Self::WriteClock { form, moment } => {
                form.write(moment, &mut w);
                (WRITE, 2, form as u8, 0)
            }
            Self::EnableSecureBoot { slot, lock, challenge } => {
                w.raw(challenge);
                (SECURE, slot, u8::from(lock), 0)
            }
            Self::Restart => (REBOOT, 0, 0, 256),
            Self::StartBootLoader => (REBOOT, 1, 0, 256),
            Self::FactoryReset { challenge } => {
                w.raw(challenge);
                (FACTORY_RESET, 0, 0, 0)
            }
        };
        let len = w.finish()?;
        let data = scratch.get(..len).ok_or(Full)?;
        Ok(Apdu { cla: Class::new(CLA), ins, p1, p2, data, le })
    }
}
