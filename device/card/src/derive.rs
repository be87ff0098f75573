//! DERIVE ASYMMETRIC KEY: a key whose scalar is greater by a public tweak (specification part 2 §3).

use crate::error;
use crate::hsm::Hsm;
use crate::key::Key;
use crate::keys::Use;
use crate::platform::Platform;
use ferrite_proto::command::{AlgorithmId, Instruction};
use ferrite_proto::fid::KeyId;
use ferrite_proto::status::Status;
use ferrite_store::Flash;

impl<P: Platform, F: Flash> Hsm<'_, P, F> {
    /// DERIVE ASYMMETRIC KEY. The new key inherits what its source may be used for and its key domain; a key with a use
    /// counter cannot be derived from, because the new one would shed it (decision D11).
    pub(crate) fn derive_key(&mut self, source: KeyId, target: KeyId, tweak: &[u8]) -> Result<(), Status> {
        let scheme = self.demand_free(target);
        let instruction = Instruction::DeriveKey;
        self.use_key(Use { key: source, algorithm: AlgorithmId::EC_DERIVE, instruction, scheme }, |hsm, opened, ()| {
            let Key::Ec(key) = &opened.key else { return Err(Status::EXECUTION.into()) };
            if opened.attributes.counter.is_some() {
                return Err(Status::CONDITIONS.into());
            }
            let derived = Key::Ec(key.add(tweak).map_err(error::crypto)?);
            Ok(hsm.store_new_key(target, &derived, &opened.attributes, None)?)
        })
    }
}
