//! The secure lock: EXTRAS 3A (specification part 3 §1.4).
//!
//! A locked device opens nothing without a secret of its host's, the mask: the MKEK is sealed under the login key and the
//! mask together. Locking and unlocking rewrite that one record, in one transaction with the option that tells of it. The
//! mask is tried on the record before anything changes, so that a wrong one does no harm.

use crate::access::Who;
use crate::error;
use crate::hierarchy::{MkekRecord, Role};
use crate::hsm::Hsm;
use crate::pin::{config_change, mkek_change};
use crate::platform::Platform;
use crate::response::Response;
use ferrite_crypto::ec::{Curve, PrivateKey};
use ferrite_crypto::lock::{Agreement, MESSAGE, Mask, POINT};
use ferrite_proto::command::{Instruction, LockOperation};
use ferrite_proto::status::Status;
use ferrite_store::Flash;

impl<P: Platform, F: Flash> Hsm<'_, P, F> {
    /// The key agreement that the next message needs: 6982 if the user has verified no PIN, 6700 for what is no point on the curve.
    pub(crate) fn secure_lock_agreement(
        &mut self,
        point: &[u8; POINT],
        response: &mut Response<'_>,
    ) -> Result<(), Status> {
        self.session.agreement = None;
        // A user by registered keys alone has opened nothing that could be locked.
        if !self.session.is_logged_in(Role::User) {
            return Err(Status::SECURITY_STATUS);
        }
        let rng = self.random.fresh(&mut self.platform).map_err(error::entropy)?;
        let key = PrivateKey::generate(Curve::P256, rng);
        let secret = key.agree(point).map_err(|_| Status::WRONG_LENGTH)?;
        response.put(key.public_key().map_err(error::crypto)?.as_ref())?;
        self.session.agreement = Some(Agreement::new(secret.as_ref(), point));
        Ok(())
    }

    /// Locks, opens or unlocks. 6986 without a key agreement for this very message, 6700 for a message that is not one of
    /// its, 6600 if nobody confirms, 6A80 for another mask than the one that the device is locked with.
    pub(crate) fn secure_lock(&mut self, operation: LockOperation, message: &[u8; MESSAGE]) -> Result<(), Status> {
        let agreement = self.session.agreement.take().ok_or(Status::NOT_ALLOWED)?;
        let mask = agreement.open(message).map_err(|_| Status::WRONG_LENGTH)?;
        match operation {
            LockOperation::Unlock => self.confirm_presence(Instruction::Extras, Status::PRESENCE)?,
            LockOperation::Enable | LockOperation::Disable => self.ask_presence(Status::PRESENCE)?,
        }
        let record = self.mkek_record()?;
        if !record.needs_mask() {
            return match operation {
                LockOperation::Enable => self.seal_mkek(Some(mask)),
                LockOperation::Unlock | LockOperation::Disable => Ok(()),
            };
        }
        let mkek = record.open(self.session.login()?, Some(&mask)).map_err(|_| Status::WRONG_DATA)?;
        self.session.mkek = Some(mkek);
        self.mask = Some(mask);
        match operation {
            LockOperation::Enable => {}
            LockOperation::Unlock => self.adopt_dkeks(),
            LockOperation::Disable => self.seal_mkek(None)?,
        }
        Ok(())
    }

    /// Seals the MKEK anew, with a mask or without, and tells of it in the options.
    fn seal_mkek(&mut self, mask: Option<Mask>) -> Result<(), Status> {
        self.demand(Who::User)?;
        let mut config = self.config.clone().ok_or(Status::CONDITIONS)?;
        config.options = config.options.with_secure_lock(mask.is_some());
        let rng = self.random.fresh(&mut self.platform).map_err(error::entropy)?;
        let record = MkekRecord::seal(self.session.mkek()?, self.session.login()?, mask.as_ref(), rng);
        let stored = config.to_bytes();
        self.storage.open()?.commit(&[mkek_change(&record), config_change(&stored)], rng).map_err(error::storage)?;
        self.config = Some(config);
        self.mask = mask;
        Ok(())
    }
}
