//! DERIVE ASYMMETRIC KEY: a key whose scalar is greater by a public tweak (specification part 2 §3).

use crate::error;
use crate::hsm::Hsm;
use crate::identity::RequestDescription;
use crate::key::Key;
use crate::keys::Use;
use crate::platform::Platform;
use crate::response::Response;
use ferrite_proto::command::{AlgorithmId, Instruction};
use ferrite_proto::cvc::Origin;
use ferrite_proto::fid::KeyId;
use ferrite_proto::status::Status;
use ferrite_store::Flash;

impl<P: Platform, F: Flash> Hsm<'_, P, F> {
    /// DERIVE ASYMMETRIC KEY. The new key inherits what its source may be used for and its key domain; a key with a use
    /// counter cannot be derived from, because the new one would shed it (decision D11).
    ///
    /// The tweak is public: whoever has the source has the new key, so that a key that comes from an imported one counts as
    /// imported.
    pub(crate) fn derive_key(
        &mut self,
        source: KeyId,
        target: KeyId,
        tweak: &[u8],
        response: &mut Response<'_>,
    ) -> Result<(), Status> {
        let scheme = self.demand_free(target);
        let instruction = Instruction::DeriveKey;
        self.use_key(Use { key: source, algorithm: AlgorithmId::EC_DERIVE, instruction, scheme }, |hsm, opened, ()| {
            let Key::Ec(key) = &opened.key else { return Err(Status::EXECUTION.into()) };
            if opened.attributes.counter.is_some() {
                return Err(Status::CONDITIONS.into());
            }
            let derived = Key::Ec(key.add(tweak).map_err(error::crypto)?);
            let origin = match opened.origin {
                Origin::Generated | Origin::Derived => Origin::Derived,
                Origin::Imported => Origin::Imported,
            };
            let attributes = opened.attributes;
            let request = RequestDescription { id: target, origin, attributes, car: None, chr: None };
            hsm.store_new_key(&derived, &request, response)?;
            response.discard();
            Ok(())
        })
    }
}
