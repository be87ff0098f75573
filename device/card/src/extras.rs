//! EXTRAS: options, clock, memory, configuration (specification part 3 §1). The secure lock is in [`crate::lock`].

use crate::error;
use crate::hsm::Hsm;
use crate::pin::config_change;
use crate::platform::Platform;
use crate::response::Response;
use ferrite_proto::clock::{Moment, Months};
use ferrite_proto::command::{DynamicOptions, Instruction};
use ferrite_proto::configuration::Configuration;
use ferrite_proto::status::Status;
use ferrite_store::{Flash, PAGE_SIZE};

impl<P: Platform, F: Flash> Hsm<'_, P, F> {
    /// The option word.
    pub(crate) fn dynamic_options(&mut self, response: &mut Response<'_>) -> Result<(), Status> {
        response.put(&self.options().0.to_be_bytes())
    }

    /// Changes options, in the configuration's one record.
    pub(crate) fn set_dynamic_options(&mut self, options: DynamicOptions) -> Result<(), Status> {
        self.confirm_presence(Instruction::Extras, Status::PRESENCE)?;
        let mut config = self.config.clone().ok_or(Status::CONDITIONS)?;
        config.options = config.options.with_dynamic(options);
        if self.config.as_ref() == Some(&config) {
            return Ok(());
        }
        let rng = self.random.generator(&mut self.platform).map_err(error::entropy)?;
        self.storage.open()?.commit(&[config_change(&config.to_bytes())], rng).map_err(error::storage)?;
        self.config = Some(config);
        Ok(())
    }

    /// Date and time; 6985 if nobody has set them since the start.
    pub(crate) fn clock(&mut self, response: &mut Response<'_>) -> Result<(), Status> {
        response.put(&self.now()?.to_bytes(Months::FromOne))
    }

    /// Sets date and time.
    pub(crate) fn set_clock(&mut self, moment: Moment) -> Result<(), Status> {
        self.confirm_presence(Instruction::Extras, Status::PRESENCE)?;
        self.clock.set(moment, self.platform.millis());
        Ok(())
    }

    /// Five numbers of four bytes: free, used and whole memory for objects, records in it, size of the flash.
    pub(crate) fn memory(&mut self, response: &mut Response<'_>) -> Result<(), Status> {
        let store = self.storage.open()?;
        let usage = store.usage();
        let region = store.flash().pages().saturating_mul(PAGE_SIZE);
        let flash = match self.platform.flash_size() {
            0 => region,
            size => usize::try_from(size).unwrap_or(usize::MAX),
        };
        let used = usage.total.saturating_sub(usage.free);
        for number in [usage.free, used, usage.total, usage.records, flash] {
            response.put(&u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes())?;
        }
        Ok(())
    }

    /// The configuration that the owner stored.
    pub(crate) fn stored_configuration(&mut self, response: &mut Response<'_>) -> Result<(), Status> {
        put_configuration(&self.configuration.stored, response)
    }

    /// The moment it is; 6985 if nobody has told since the start.
    pub(crate) fn now(&mut self) -> Result<Moment, Status> {
        self.clock.now(self.platform.millis()).ok_or(Status::CONDITIONS)
    }
}

/// Puts a configuration into an answer.
pub(crate) fn put_configuration(configuration: &Configuration, response: &mut Response<'_>) -> Result<(), Status> {
    let written = configuration.write(response.space());
    response.advance(written.map_err(|_| Status::INTERNAL)?)
}

/// The time of day: what it was when somebody told, and how the device's own clock stood then. Gone with the power;
/// until then the dates of certificates are compared with it, and nothing else.
#[derive(Default)]
pub(crate) struct TimeOfDay {
    set: Option<(Moment, u64)>,
}

impl TimeOfDay {
    fn now(&self, millis: u64) -> Option<Moment> {
        let (Moment(seconds), at) = self.set?;
        let passed = u32::try_from(millis.saturating_sub(at) / 1000).unwrap_or(u32::MAX);
        Some(Moment(seconds.saturating_add(passed)))
    }

    pub(crate) fn set(&mut self, moment: Moment, millis: u64) {
        self.set = Some((moment, millis));
    }
}
