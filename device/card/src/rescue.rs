//! The rescue application: which device is this? It answers even when storage is damaged (specification part 3 §2).

use crate::VERSION;
use crate::hsm::Hsm;
use crate::platform::Platform;
use crate::response::Response;
use ferrite_proto::rescue::{self, Product};
use ferrite_proto::status::Status;
use ferrite_store::Flash;

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
}
