//! The device itself: options, clock, memory, configuration, secure lock, and what the rescue application does
//! (specification part 3 §1 and §2).

use super::{Hsm, accept, encode_apdu};
use crate::certificate::Trust;
use crate::channel;
use crate::error::{Error, ErrorKind, ONLY_SOME, Result, UNKNOWN_TO_SOME};
use crate::transport::{Transport, exchange};
use ferrite_crypto::ec::{Curve, PrivateKey};
use ferrite_crypto::lock::{Agreement, Mask};
use ferrite_proto::aid;
use ferrite_proto::clock::{Moment, Months};
use ferrite_proto::command::{Command, DynamicOptions, LOCK_POINT, LockOperation, Options};
use ferrite_proto::configuration::{BoardOptions, Configuration};
use ferrite_proto::rescue::{CHALLENGE, ClockForm, RescueCommand, SelectAnswer, Which};
use ferrite_proto::status::Status;
use zeroize::Zeroizing;

/// Sizes of memories, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Free for objects.
    pub free: u32,
    /// Used by objects.
    pub used: u32,
    /// Both together.
    pub total: u32,
    /// Number of records.
    pub records: u32,
    /// Size of the flash.
    pub flash: u32,
}

/// State of secure boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecureBoot {
    /// Only signed firmware starts.
    pub enabled: bool,
    /// What could undo it is shut off.
    pub locked: bool,
    /// Slot of the boot key, if there is one.
    pub boot_key: Option<u8>,
}

const NO_OPTIONS: &str = "the options of this card stay as they were set when it was initialised";

/// Of a card that has a clock neither here nor in a rescue application.
fn without_clock(error: Error, status: Status) -> Error {
    if error.status() != Some(Status::NOT_FOUND) {
        return error;
    }
    Error::refused(error.what().to_owned(), status).lacks("this card has no clock")
}

fn no_presence(error: Error) -> Error {
    error.explain(
        Status::CONDITIONS,
        ErrorKind::NotConfirmed,
        "nobody confirmed at the device, or the device is not ready for it",
        "Press the button of the device while it asks.",
    )
}

impl<T: Transport> Hsm<T> {
    /// The options as they are now.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`]: the card has no such thing.
    pub fn options(&mut self) -> Result<Options> {
        const WHAT: &str = "read the options";
        let answer = self.call(WHAT, &Command::DynamicOptions).map_err(|error| error.lacks(NO_OPTIONS))?;
        match **answer {
            [high, low] => Ok(Options(u16::from_be_bytes([high, low]))),
            _ => Err(Error::new(ErrorKind::BadAnswer, WHAT, "the answer has another length")),
        }
    }

    /// Changes the options that can be changed without initialising.
    ///
    /// # Errors
    /// [`ErrorKind::NotLoggedIn`].
    pub fn set_options(&mut self, options: DynamicOptions) -> Result<()> {
        let answer = self.call("change the options", &Command::SetDynamicOptions(options));
        answer.map(drop).map_err(|error| error.lacks(NO_OPTIONS))
    }

    /// The device's clock; `None` if nobody has set it since the device has power.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`]: the card has no clock.
    pub fn clock(&mut self) -> Result<Option<Moment>> {
        const WHAT: &str = "read the clock";
        let answer = self.attempt(WHAT, &Command::Clock)?;
        match answer.status {
            Status::CONDITIONS => Ok(None),
            Status::OK => Moment::from_bytes(&answer.data, Months::FromOne)
                .map(Some)
                .map_err(|_| Error::new(ErrorKind::BadAnswer, WHAT, "the answer is no date")),
            status if !UNKNOWN_TO_SOME.contains(&status) => Err(Error::refused(WHAT, status)),
            status => self.clock_in_rescue(WHAT).map_err(|error| without_clock(error, status)),
        }
    }

    /// The clock of a board whose HSM application does not tell it.
    fn clock_in_rescue(&mut self, what: &'static str) -> Result<Option<Moment>> {
        match self.rescue(what, &RescueCommand::ReadClock(ClockForm::Seconds)) {
            Err(error) if error.status() == Some(Status::CONDITIONS) => Ok(None),
            answer => match answer?.as_slice() {
                [s3, s2, s1, s0] => Ok(Some(Moment(u32::from_be_bytes([*s3, *s2, *s1, *s0])))),
                _ => Err(Error::new(ErrorKind::BadAnswer, what, "the answer is no date")),
            },
        }
    }

    /// Sets the clock, in UTC.
    ///
    /// # Errors
    /// [`ErrorKind::NotLoggedIn`].
    pub fn set_clock(&mut self, moment: Moment) -> Result<()> {
        const WHAT: &str = "set the clock";
        match self.attempt(WHAT, &Command::SetClock(moment))?.status {
            Status::OK => Ok(()),
            status if UNKNOWN_TO_SOME.contains(&status) => {
                self.set_clock_in_rescue(moment).map_err(|error| without_clock(error, status))
            }
            status => Err(Error::refused(WHAT, status)),
        }
    }

    /// Sizes of memories.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`]: the card does not say.
    pub fn memory(&mut self) -> Result<Memory> {
        const WHAT: &str = "ask for the memory";
        let answer = self.call(WHAT, &Command::Memory);
        let answer = answer.map_err(|error| error.lacks("this card does not tell its memory"))?;
        let (numbers, rest) = answer.as_chunks::<4>();
        match (numbers, rest) {
            ([free, used, total, records, flash], []) => {
                let [free, used, total, records, flash] =
                    [free, used, total, records, flash].map(|n| u32::from_be_bytes(*n));
                Ok(Memory { free, used, total, records, flash })
            }
            _ => Err(Error::new(ErrorKind::BadAnswer, WHAT, "the answer has another length")),
        }
    }

    /// Locks the device to this mask: from now on nothing opens without it, not even with the PIN. The user must be logged
    /// in, and present.
    ///
    /// # Errors
    /// [`ErrorKind::NotLoggedIn`], [`ErrorKind::NotConfirmed`], [`ErrorKind::Verification`] if it is locked to another.
    pub fn enable_lock(&mut self, mask: &Mask) -> Result<()> {
        self.lock(LockOperation::Enable, "lock the device", mask)
    }

    /// Opens a locked device until the power fails. The user must be logged in.
    ///
    /// # Errors
    /// As [`Hsm::enable_lock`].
    pub fn open_lock(&mut self, mask: &Mask) -> Result<()> {
        self.lock(LockOperation::Unlock, "open the locked device", mask)
    }

    /// Unlocks the device for good. The user must be logged in, and present.
    ///
    /// # Errors
    /// As [`Hsm::enable_lock`].
    pub fn disable_lock(&mut self, mask: &Mask) -> Result<()> {
        self.lock(LockOperation::Disable, "unlock the device", mask)
    }

    fn lock(&mut self, operation: LockOperation, what: &'static str, mask: &Mask) -> Result<()> {
        let broken = |_| Error::new(ErrorKind::BadAnswer, what, "the device answered no point of the curve");
        let key = PrivateKey::generate(Curve::P256, &mut crate::random::generator()?);
        let own = key.public_key().map_err(broken)?;
        let own: [u8; LOCK_POINT] = own.as_ref().try_into().map_err(|_| broken(ferrite_crypto::Error::BadLength))?;
        let theirs = self.call(what, &Command::SecureLockAgreement { point: &own });
        let theirs = theirs.map_err(|error| error.lacks("this card has no secure lock"))?;
        let secret = key.agree(&theirs).map_err(broken)?;
        let message = Agreement::new(secret.as_ref(), &own).seal(mask);
        self.call(what, &Command::SecureLock { operation, message: &message }).map(drop).map_err(|error| {
            error.explain(
                Status::WRONG_DATA,
                ErrorKind::Verification,
                "it is locked to another computer",
                "Use the key of the computer that locked it, or its copy. Without it, only a factory reset helps.",
            )
        })
    }

    /// Sends a command to the rescue application, and selects the HSM application again: that logs out. No secure channel
    /// leads there: the command goes in the clear, and a channel is opened again afterwards, to the same device.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for a card without it; [`ErrorKind::NotConfirmed`] where the device wants its button pressed.
    pub fn rescue(&mut self, what: &str, command: &RescueCommand<'_>) -> Result<Zeroizing<Vec<u8>>> {
        let answer = self.in_rescue(what, &mut |_, send| send(command));
        // After a restart there is nothing to select yet.
        if answer.is_ok() && matches!(command, RescueCommand::Restart | RescueCommand::StartBootLoader) {
            return answer;
        }
        self.come_back()?;
        const OTHER: &str = "the firmware of this board does not do that";
        const ADVICE: &str = "Ferrite's does, on boards that can. Everything else works as before.";
        [Status::INS, Status::WRONG_P1P2].into_iter().fold(answer.map_err(no_presence), |answer, status| {
            answer.map_err(|error| error.explain(status, ErrorKind::Unsupported, OTHER, ADVICE))
        })
    }

    /// Selects the HSM application after the rescue application, through the channel if there was one.
    pub(super) fn come_back(&mut self) -> Result<()> {
        self.transport.resume()?;
        self.select().map(drop)
    }

    /// Sends commands to the rescue application, which is selected first; `work` gets the answer to that.
    pub(super) fn in_rescue(&mut self, what: &str, work: &mut RescueWork<'_>) -> Result<Zeroizing<Vec<u8>>> {
        let mut last = Zeroizing::new(Vec::new());
        self.transport.in_the_clear(&mut |way| {
            let too_long = || Error::new(ErrorKind::Usage, what.to_owned(), "that is more than a command can carry");
            let mut data = Zeroizing::new(vec![0; 64]);
            let select = Command::SelectApplication { aid: &aid::RESCUE };
            let apdu = select.encode(&mut data).map_err(|_| too_long())?;
            let selected = accept(what, exchange(way, &encode_apdu(what, &apdu)?)?).map_err(|error| {
                error.explain(
                    Status::NOT_FOUND,
                    ErrorKind::Unsupported,
                    "this card has no rescue application",
                    ONLY_SOME,
                )
            })?;
            last = work(&selected, &mut |command| {
                let mut data = Zeroizing::new(vec![0; 4096]);
                let apdu = command.encode(&mut data).map_err(|_| too_long())?;
                accept(what, exchange(way, &encode_apdu(what, &apdu)?)?)
            })?;
            Ok(())
        })?;
        Ok(last)
    }

    /// The device configuration. Logs out.
    ///
    /// # Errors
    /// As [`Hsm::rescue`].
    pub fn configuration(&mut self, which: Which) -> Result<Configuration> {
        const WHAT: &str = "read the device configuration";
        let answer = self.rescue(WHAT, &RescueCommand::ReadConfiguration(which))?;
        Configuration::parse(&answer).map_err(|_| Error::new(ErrorKind::BadAnswer, WHAT, "it cannot be read"))
    }

    /// Writes the whole device configuration; what is not in it gets its default. The device wants its button pressed.
    /// Logs out.
    ///
    /// # Errors
    /// As [`Hsm::rescue`].
    pub fn set_configuration(&mut self, configuration: &Configuration) -> Result<()> {
        let mut configuration = *configuration;
        // No device takes an empty one (specification part 3 §2.4); switches that are all off say the same.
        if configuration == Configuration::default() {
            configuration.options = BoardOptions::new(0);
        }
        self.rescue("write the device configuration", &RescueCommand::WriteConfiguration(configuration)).map(drop)
    }

    /// State of secure boot. Logs out.
    ///
    /// # Errors
    /// As [`Hsm::rescue`].
    pub fn secure_boot(&mut self) -> Result<SecureBoot> {
        const WHAT: &str = "ask for secure boot";
        let answer = self.rescue(WHAT, &RescueCommand::ReadSecureBoot)?;
        match **answer {
            [enabled, locked, key] => {
                Ok(SecureBoot { enabled: enabled != 0, locked: locked != 0, boot_key: (key != 0xFF).then_some(key) })
            }
            _ => Err(Error::new(ErrorKind::BadAnswer, WHAT, "the answer has another length")),
        }
    }

    /// Lets only firmware start that the boot key in `slot` signed; with `lock` what could undo it is shut off. IRREVERSIBLE:
    /// fuses are burnt. The device wants its button pressed. Logs out.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`]: chip or firmware has no secure boot; [`ErrorKind::Usage`]: there is no such slot; as
    /// [`Hsm::rescue`].
    pub fn enable_secure_boot(&mut self, slot: u8, lock: bool) -> Result<()> {
        const WHAT: &str = "switch secure boot on";
        self.with_challenge(WHAT, |challenge| RescueCommand::EnableSecureBoot { slot, lock, challenge }).map_err(|error| {
            error
                .explain(
                    Status::INS,
                    ErrorKind::Unsupported,
                    "the chip of this device, or its firmware, has no secure boot",
                    "Nothing was changed. An RP2040 and a virtual device have none at all.",
                )
                .explain(
                    Status::WRONG_P1P2,
                    ErrorKind::Usage,
                    "the chip has no such slot for a boot key",
                    "Nothing was changed. An RP2350 has slots 0 to 3, an ESP32-S3 0 to 2.",
                )
                .explain(
                    Status::CONDITIONS,
                    ErrorKind::NotConfirmed,
                    "nobody pressed the device's button, or the firmware that runs is not signed by that boot key",
                    "Nothing was changed. Start signed firmware first; then press the button of the device while it asks.",
                )
                .explain(
                    Status::EXECUTION,
                    ErrorKind::Refused,
                    "the chip could not burn its fuses",
                    "Read how it stands now: pico-hsm-tool secure-boot status",
                )
        })?;
        self.come_back()
    }

    /// Sets the clock through the rescue application, with nobody logged in. The device wants its button pressed.
    ///
    /// # Errors
    /// As [`Hsm::rescue`].
    pub fn set_clock_in_rescue(&mut self, moment: Moment) -> Result<()> {
        self.rescue("set the clock", &RescueCommand::WriteClock { form: ClockForm::Seconds, moment }).map(drop)
    }

    /// Lets the device start again, or its boot loader if asked to.
    ///
    /// # Errors
    /// As [`Hsm::rescue`].
    pub fn restart_device(&mut self, boot_loader: bool) -> Result<()> {
        let command = if boot_loader { RescueCommand::StartBootLoader } else { RescueCommand::Restart };
        self.rescue("restart the device", &command).map(drop).map_err(|error| {
            error.explain(
                Status::INS,
                ErrorKind::Unsupported,
                "this device has no boot loader that it can start",
                "A virtual device has none. A board starts its own when it is plugged in with the BOOT button held.",
            )
        })
    }

    /// Erases everything: the way out for a lost SO-PIN. The device wants its button pressed; it is blank then.
    ///
    /// # Errors
    /// As [`Hsm::rescue`].
    pub fn factory_reset(&mut self) -> Result<()> {
        const WHAT: &str = "reset the device to its factory state";
        self.with_challenge(WHAT, |challenge| RescueCommand::FactoryReset { challenge }).map_err(no_presence)?;
        // The device of a channel is no more: nothing goes through it from now on.
        match self.come_back() {
            Err(error) if !matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::Verification) => Err(error),
            _ => Ok(()),
        }
    }

    /// Sends a command that carries a challenge of the device. The rescue application stays selected if it succeeds.
    fn with_challenge(
        &mut self,
        what: &'static str,
        command: impl Fn(&'_ [u8; CHALLENGE]) -> RescueCommand<'_>,
    ) -> Result<()> {
        let done = self.in_rescue(what, &mut |_, send| {
            let challenge = send(&RescueCommand::ReadChallenge)?;
            let challenge = challenge.as_slice().try_into();
            let challenge =
                challenge.map_err(|_| Error::new(ErrorKind::BadAnswer, what, "the challenge has another length"))?;
            send(&command(challenge))
        });
        if done.is_err() {
            self.come_back()?;
        }
        done.map(drop)
    }

    /// Has the device prove that it has the key of this certificate: it signs fresh random bytes, or, where it has no rescue
    /// application for that, agrees on the keys of a secure channel. Logs out.
    ///
    /// # Errors
    /// [`ErrorKind::Verification`]; as [`Hsm::rescue`].
    pub fn prove_device_key(&mut self, key: &crate::PublicKey) -> Result<()> {
        const WHAT: &str = "have the device prove its key";
        let board: SelectAnswer = match self.board() {
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                let proof = self.transport.in_the_clear(&mut |way| channel::establish(way, Trust::Key(key)).map(drop));
                self.come_back()?;
                return proof.map_err(|error| match error.kind() {
                    ErrorKind::Unsupported => error
                        .while_doing(WHAT)
                        .because("this card has neither a rescue application nor a secure channel to do so"),
                    _ => error,
                });
            }
            board => board?,
        };
        let mut challenge = [0; 32];
        rand_core::Rng::fill_bytes(&mut crate::random::generator()?, &mut challenge);
        let signature = self.rescue(WHAT, &RescueCommand::ProveDeviceKey { challenge: &challenge })?;
        let message = [ferrite_proto::rescue::PROOF_LABEL, &board.serial, &challenge].concat();
        key.verify_certificate(WHAT, &message, &signature)
    }
}

/// What is done while the rescue application is selected: it gets a way to send commands.
type RescueWork<'a> = dyn FnMut(&[u8], &mut dyn FnMut(&RescueCommand<'_>) -> Result<Zeroizing<Vec<u8>>>) -> Result<Zeroizing<Vec<u8>>>
    + 'a;
