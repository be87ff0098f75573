//! The client library on a card in the process of the test, or on an emulated chip.

use crate::in_process::InProcess;
use crate::on_chip::OnChip;
use crate::script::Device;
use anyhow::Result;
use ferrite_client::hsm::Initialization;
use ferrite_client::proto::command::Options;
use ferrite_client::transport::{Transmit, Transport};
use ferrite_client::{Error, ErrorKind, Hsm};
use zeroize::Zeroizing;

/// The user PIN of these tests.
pub const PIN: &[u8] = b"648219";
/// The SO-PIN of these tests.
pub const SO_PIN: &[u8] = b"57621880";

/// What [`initialized`] initialises with.
pub const INITIALIZATION: Initialization<'static> = Initialization {
    options: Options(1),
    user_pin: PIN,
    so_pin: SO_PIN,
    retries: None,
    dkek_shares: None,
    key_domains: None,
    pka: None,
};

/// Devices of scripts as transports.
macro_rules! transports {
    ($($device:ident: $name:literal)*) => {$(
        impl Transmit for $device {
            fn transmit(&mut self, command: &[u8]) -> ferrite_client::Result<Zeroizing<Vec<u8>>> {
                Device::transmit(self, command).map(Zeroizing::new).map_err(|error| gone(&error))
            }
        }

        impl Transport for $device {
            fn exclusively(
                &mut self,
                work: &mut dyn FnMut(&mut dyn Transmit) -> ferrite_client::Result<()>,
            ) -> ferrite_client::Result<()> {
                work(self)
            }

            fn reset(&mut self) -> ferrite_client::Result<()> {
                Device::reset(self).map_err(|error| gone(&error))
            }

            fn name(&self) -> String {
                $name.into()
            }
        }
    )*};
}

transports! {
    InProcess: "in the process"
    OnChip: "on a chip"
}

fn gone(error: &anyhow::Error) -> Error {
    Error::new(ErrorKind::Connection, "talk to the card", error.to_string())
}

/// A device initialised as given, with the user logged in.
///
/// # Errors
/// It does not start, or refuses.
pub fn initialized(with: &Initialization<'_>) -> Result<Hsm<InProcess>> {
    log_in_to(InProcess::blank()?, with)
}

/// A blank device initialised as given, with the user logged in.
///
/// # Errors
/// It refuses.
pub fn log_in_to<T: Transport>(device: T, with: &Initialization<'_>) -> Result<Hsm<T>> {
    let mut hsm = Hsm::open(device)?;
    hsm.initialize(with)?;
    hsm.login(with.user_pin)?;
    Ok(hsm)
}

/// Takes the power away and brings it back. Nobody is logged in then.
///
/// # Errors
/// The device does not start again.
pub fn cut_power(hsm: Hsm<InProcess>) -> Result<Hsm<InProcess>> {
    let mut device = hsm.into_transport();
    device.restart()?;
    Ok(Hsm::open(device)?)
}
