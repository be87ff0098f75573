//! The device configuration: kept apart from all secrets, in a record that INITIALIZE leaves alone (specification part 3
//! §3).

use crate::error;
use crate::hsm::Hsm;
use crate::key::Key;
use crate::key::KeyParameters;
use crate::platform::Platform;
use core::time::Duration;
use ferrite_crypto::{ec, edwards, montgomery};
use ferrite_proto::command::SeedKind;
use ferrite_proto::configuration::{
    BoardOptions, Brightness, Configuration, Curves, Interfaces, PresenceTimeout, Product,
};
use ferrite_proto::status::Status;
use ferrite_store::{Change, Flash, ObjectId, Seal};

/// Where the record is kept. No client reaches this id.
pub(crate) const CONFIGURATION: ObjectId = ObjectId(0xE001);

/// The device configuration as it is stored, and as it holds.
#[derive(Default)]
pub(crate) struct DeviceConfiguration {
    pub(crate) stored: Configuration,
    /// With defaults for what is not stored.
    pub(crate) effective: Configuration,
}

impl DeviceConfiguration {
    pub(crate) fn new(stored: Configuration, board: Configuration) -> Self {
        let defaults = Configuration {
            brightness: Some(Brightness::FULL),
            options: Some(BoardOptions::default()),
            presence_timeout: Some(PresenceTimeout::DEFAULT),
            product: Product::new(b"Ferrite HSM"),
            curves: Some(Curves::ALL),
            interfaces: Some(Interfaces::DEFAULT),
            ..Configuration::default()
        };
        Self { stored, effective: stored.or(board).or(defaults) }
    }
}

impl<P: Platform, F: Flash> Hsm<'_, P, F> {
    /// Reads the record. One that cannot be read is as one that is not there: the device must start whatever it says.
    pub(crate) fn load_configuration(&mut self) {
        let mut bytes = [0; Configuration::MAX_SIZE];
        let read =
            self.storage.open().ok().and_then(|store| store.read(CONFIGURATION, Seal::Public, 0, &mut bytes).ok());
        let stored = read.and_then(|len| Configuration::parse(bytes.get(..len)?).ok());
        self.configuration = DeviceConfiguration::new(stored.unwrap_or_default(), self.platform.defaults());
    }

    /// Stores a configuration in place of the one that was there.
    pub(crate) fn store_configuration(&mut self, configuration: Configuration) -> Result<(), Status> {
        let mut bytes = [0; Configuration::MAX_SIZE];
        let len = configuration.write(&mut bytes).map_err(|_| Status::INTERNAL)?;
        let content = bytes.get(..len).unwrap_or_default();
        let change = Change::Put { id: CONFIGURATION, seal: Seal::Public, meta: &[], content, counter: None };
        let rng = self.random.generator(&mut self.platform).map_err(error::entropy)?;
        self.storage.open()?.commit(&[change], rng).map_err(error::storage)?;
        self.configuration = DeviceConfiguration::new(configuration, self.platform.defaults());
        Ok(())
    }

    /// How long to wait for the user's presence.
    pub(crate) fn presence_limit(&self) -> Duration {
        self.configuration.effective.presence_timeout.unwrap_or(PresenceTimeout::DEFAULT).duration()
    }

    /// Refuses curves that the owner switched off: 6A81.
    pub(crate) fn demand_curves(&self, curves: Option<Curves>) -> Result<(), Status> {
        let enabled = self.configuration.effective.curves.unwrap_or(Curves::ALL);
        match curves {
            Some(curves) if !enabled.contains(curves) => Err(Status::FUNCTION_NOT_SUPPORTED),
            _ => Ok(()),
        }
    }
}

impl KeyParameters {
    /// The curve, if the owner can switch it off.
    pub(crate) fn curves(&self) -> Option<Curves> {
        match self {
            Self::Rsa(_) => None,
            Self::Ec(curve) => of_ec(*curve),
            Self::Edwards(curve) => Some(of_edwards(*curve)),
            Self::Montgomery(curve) => Some(of_montgomery(*curve)),
        }
    }
}

impl Key {
    /// The curve, if the owner can switch it off.
    pub(crate) fn curves(&self) -> Option<Curves> {
        match self {
            Self::Rsa(_) | Self::Aes(_) => None,
            Self::Ec(key) => of_ec(key.curve()),
            Self::Edwards(key) => Some(of_edwards(key.curve())),
            Self::Montgomery(key) => Some(of_montgomery(key.curve())),
        }
    }
}

/// The curve of a master seed.
pub(crate) fn of_seed(kind: SeedKind) -> Option<Curves> {
    match kind {
        SeedKind::Secp256k1 => Some(Curves::SECP256K1),
        SeedKind::P256 => Some(Curves::P256),
        SeedKind::Symmetric => None,
    }
}

fn of_ec(curve: ec::Curve) -> Option<Curves> {
    match curve {
        ec::Curve::P256 => Some(Curves::P256),
        ec::Curve::P384 => Some(Curves::P384),
        ec::Curve::P521 => Some(Curves::P521),
        ec::Curve::Secp256k1 => Some(Curves::SECP256K1),
        ec::Curve::BrainpoolP256r1 => Some(Curves::BRAINPOOL_P256),
        ec::Curve::BrainpoolP384r1 => Some(Curves::BRAINPOOL_P384),
        ec::Curve::BrainpoolP512r1 => Some(Curves::BRAINPOOL_P512),
        ec::Curve::P192 | ec::Curve::P224 | ec::Curve::Secp192k1 => None,
    }
}

fn of_edwards(curve: edwards::Curve) -> Curves {
    match curve {
        edwards::Curve::Ed25519 => Curves::ED25519,
        edwards::Curve::Ed448 => Curves::ED448,
    }
}

fn of_montgomery(curve: montgomery::Curve) -> Curves {
    match curve {
        montgomery::Curve::X25519 => Curves::X25519,
        montgomery::Curve::X448 => Curves::X448,
    }
}
