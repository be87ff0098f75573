//! The rescue application: what can be asked and done without a PIN (specification part 3 §2, decisions D3 and D17).
//!
//! It answers even when storage is damaged. Whatever changes the device waits for somebody who is there, for at least as
//! long as the default, whatever the configuration says; what cannot be undone needs a challenge of the device's as well,
//! so that no single command that went astray does it.

use crate::VERSION;
use crate::error;
use crate::extras::put_configuration;
use crate::hsm::Hsm;
use crate::objects::object;
use crate::platform::{Platform, Restart, SecureBootError};
use crate::response::Response;
use ferrite_crypto::hash::Hash;
use ferrite_proto::apdu::Apdu;
use ferrite_proto::configuration::{Configuration, PresenceTimeout};
use ferrite_proto::cvc::{Certificate, PublicKey};
use ferrite_proto::fid::FileId;
use ferrite_proto::rescue::{self, CHALLENGE, Product, RescueCommand, Which};
use ferrite_proto::status::Status;
use ferrite_proto::tlv::Writer;
use ferrite_store::{Change, Flash, Seal};
use rand_core::Rng as _;
use subtle::ConstantTimeEq as _;

/// Length of a signature by the device key, r and s, in bytes.
const SIGNATURE: usize = 64;

impl<P: Platform, F: Flash> Hsm<'_, P, F> {
    /// The answer to SELECT: platform, product, version, serial.
    pub(crate) fn select_rescue(&mut self, response: &mut Response<'_>) -> Result<(), Status> {
        let answer = rescue::SelectAnswer {
            platform: self.platform.kind() as u8,
            product: Product::Hsm,
            version: VERSION,
            serial: self.platform.unique_id(),
        };
        response.put(&answer.to_bytes())
    }

    /// Executes a command of the rescue application.
    pub(crate) fn rescue(&mut self, apdu: &Apdu<'_>, response: &mut Response<'_>) -> Result<(), Status> {
        // A challenge serves the next command, whatever that is.
        let challenge = self.session.challenge.take();
        match RescueCommand::decode(apdu)? {
            RescueCommand::DeviceKey => self.show_device_key(response),
            RescueCommand::ProveDeviceKey { challenge } => self.prove_device_key(challenge, response),
            RescueCommand::InstallCertificates { chain } => self.install_certificates(chain),
            RescueCommand::ReadConfiguration(Which::Effective) => {
                put_configuration(&self.configuration.effective, response)
            }
            RescueCommand::ReadConfiguration(Which::Stored) => self.stored_configuration(response),
            RescueCommand::ReadMemory => {
                self.memory(response)?;
                match self.platform.firmware_size() {
                    Some(size) => response.put(&size.to_be_bytes()),
                    None => Ok(()),
                }
            }
            RescueCommand::ReadSecureBoot => {
                let state = self.platform.secure_boot();
                response.put(&[state.enabled.into(), state.locked.into(), state.boot_key.unwrap_or(0xFF)])
            }
            RescueCommand::ReadClock(form) => {
                let mut w = Writer::new(response.space());
                form.write(self.now()?, &mut w);
                let written = w.finish();
                response.advance(written.map_err(|_| Status::INTERNAL)?)
            }
            RescueCommand::ReadChallenge => {
                let mut challenge = [0; CHALLENGE];
                self.random.generator(&mut self.platform).map_err(error::entropy)?.fill_bytes(&mut challenge);
                self.session.challenge = Some(challenge);
                response.put(&challenge)
            }
            RescueCommand::WriteConfiguration(configuration) => self.write_configuration(configuration),
            RescueCommand::WriteClock { moment, .. } => {
                self.demand_presence()?;
                self.clock.set(moment, self.platform.millis());
                Ok(())
            }
            RescueCommand::EnableSecureBoot { slot, lock, challenge: given } => {
                if self.platform.boot_key_slots() == 0 {
                    return Err(Status::INS);
                }
                if slot >= self.platform.boot_key_slots() {
                    return Err(Status::WRONG_P1P2);
                }
                demand_challenge(challenge, given)?;
                self.demand_presence()?;
                self.platform.enable_secure_boot(slot, lock).map_err(|error| match error {
                    SecureBootError::NotSigned => Status::CONDITIONS,
                    SecureBootError::Failed => Status::EXECUTION,
                })
            }
            RescueCommand::Restart => self.restart(Restart::Firmware),
            RescueCommand::StartBootLoader => self.restart(Restart::BootLoader),
            RescueCommand::FactoryReset { challenge: given } => {
                demand_challenge(challenge, given)?;
                self.demand_presence()?;
                self.factory_reset()
            }
        }
    }

    fn show_device_key(&mut self, response: &mut Response<'_>) -> Result<(), Status> {
        let key = self.device_key().map_err(|_| Status::EXECUTION)?;
        response.put(key.public_key().map_err(error::crypto)?.as_ref())
    }

    /// Proves that the device has its key, over a text that is no certificate request: nothing can be attested with it.
    fn prove_device_key(&mut self, challenge: &[u8], response: &mut Response<'_>) -> Result<(), Status> {
        let key = self.device_key().map_err(|_| Status::EXECUTION)?;
        if self.options().press_to_confirm() {
            self.demand_presence()?;
        }
        let digest = Hash::Sha256.digest(&[rescue::PROOF_LABEL, &self.platform.unique_id(), challenge]);
        let rng = self.random.generator(&mut self.platform).map_err(error::entropy)?;
        let signature = key.sign(digest.as_ref(), rng).map_err(error::crypto)?;
        let mut raw = [0; SIGNATURE];
        let len = signature.to_raw(&mut raw).map_err(error::crypto)?;
        response.put(raw.get(..len).unwrap_or_default())
    }

    /// Installs certificates for the device key: 6A80 unless the first one is for it, 6986 if an authority's is there
    /// already.
    fn install_certificates(&mut self, chain: &[u8]) -> Result<(), Status> {
        let key = self.device_key().map_err(|_| Status::EXECUTION)?;
        let public_key = key.public_key().map_err(error::crypto)?;
        let (first, _) = Certificate::parse(chain).map_err(|_| Status::WRONG_DATA)?;
        let is_ours = matches!(first.body.public_key, PublicKey::Ec { point, .. } if point == public_key.as_ref());
        if !is_ours {
            return Err(Status::WRONG_DATA);
        }
        if self.is_certified() {
            return Err(Status::NOT_ALLOWED);
        }
        self.demand_presence()?;
        let id = object(FileId::DEVICE_CERTIFICATE);
        let change = Change::Put { id, seal: Seal::Public, meta: &[], content: chain, counter: None };
        let rng = self.random.generator(&mut self.platform).map_err(error::entropy)?;
        self.storage.open()?.commit(&[change], rng).map_err(error::storage)?;
        self.reload_name();
        Ok(())
    }

    fn write_configuration(&mut self, configuration: Configuration) -> Result<(), Status> {
        if configuration.led_pin.is_some_and(|pin| !self.platform.has_led_pin(pin)) {
            return Err(Status::WRONG_DATA);
        }
        self.demand_presence()?;
        self.store_configuration(configuration)
    }

    fn restart(&mut self, restart: Restart) -> Result<(), Status> {
        if !self.platform.can_restart(restart) {
            return Err(Status::INS);
        }
        if restart == Restart::BootLoader {
            self.demand_presence()?;
        }
        self.forget();
        self.platform.restart(restart);
        Ok(())
    }

    /// Erases everything: the way out for a lost SO-PIN or a lost mask, and for storage that is damaged beyond use. The
    /// device is blank afterwards, with another device key once it is initialised.
    fn factory_reset(&mut self) -> Result<(), Status> {
        if self.storage.erase_if_damaged()? {
            self.forget();
            if self.platform.can_restart(Restart::Firmware) {
                self.platform.restart(Restart::Firmware);
            }
            return Ok(());
        }
        let everything = [Change::DeleteAllExcept { keep: |_| false }];
        let rng = self.random.generator(&mut self.platform).map_err(error::entropy)?;
        self.storage.open()?.commit(&everything, rng).map_err(error::storage)?;
        self.forget();
        self.config = None;
        self.load_configuration();
        self.reload_name();
        Ok(())
    }

    /// Forgets whatever is secret and lives in RAM between two commands.
    fn forget(&mut self) {
        self.session.restart();
        self.session_pin = None;
        self.mask = None;
    }

    /// Waits for somebody who is there, at least as long as the default.
    fn demand_presence(&mut self) -> Result<(), Status> {
        let limit = self.presence_limit().max(PresenceTimeout::DEFAULT.duration());
        self.wait_for_presence(limit, Status::CONDITIONS)
    }
}

/// 6A80 unless the challenge is the one that the command before asked for.
fn demand_challenge(expected: Option<[u8; CHALLENGE]>, given: &[u8; CHALLENGE]) -> Result<(), Status> {
    match expected {
        Some(expected) if bool::from(expected.ct_eq(given)) => Ok(()),
        _ => Err(Status::WRONG_DATA),
    }
}
