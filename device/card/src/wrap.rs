//! WRAP KEY and UNWRAP KEY: keys as encrypted blobs (specification part 2 §10-§12).

use crate::access::Who;
use crate::config::Domain;
use crate::error;
use crate::hsm::Hsm;
use crate::identity::RequestDescription;
use crate::key::{Key, KeyMeta};
use crate::objects::object;
use crate::platform::Platform;
use crate::response::Response;
use ferrite_crypto::cipher::Direction;
use ferrite_proto::blob::{self, BadBlob, Blob, Payload};
use ferrite_proto::command::{AlgorithmId, Attributes, Instruction};
use ferrite_proto::cvc::Origin;
use ferrite_proto::fid::{FileId, KeyId};
use ferrite_proto::status::Status;
use ferrite_store::{Flash, Seal};
use rand_core::Rng as _;
use zeroize::Zeroizing;

/// Longest encrypted part of a blob that is read (RSA-4096 with all its parts has 1840), in bytes.
const MAX_ENCRYPTED: usize = 2048;
/// Longest blob that is read, in bytes.
const MAX_BLOB: usize = MAX_ENCRYPTED + 512;

impl<P: Platform, F: Flash> Hsm<'_, P, F> {
    /// WRAP KEY. Only keys of a domain with a complete key-encryption key leave the device, and never one with a use
    /// counter: a blob cannot carry it, so the copy would shed it (decision D11).
    pub(crate) fn wrap_key(&mut self, id: KeyId, response: &mut Response<'_>) -> Result<(), Status> {
        let info = self.storage.open()?.info(object(id.key())).map_err(error::storage)?;
        let info = info.filter(|_| id != KeyId::DEVICE).ok_or(Status::NOT_FOUND)?;
        let meta = KeyMeta::parse(&info.meta).ok_or(Status::MEMORY_FAILURE)?;
        let attributes = meta.attributes(info.counter);
        let domain = attributes.domain.unwrap_or(0);
        let check_value = self.domain(domain).ok().and_then(Domain::check_value);
        let check_value = check_value.ok_or(Status::REFERENCE_NOT_FOUND)?;
        if !meta.allows(AlgorithmId::WRAP.0) || attributes.counter.is_some() {
            return Err(Status::CONDITIONS);
        }
        self.confirm_presence(Instruction::WrapKey, Status::PRESENCE)?;
        let key = self.open_key(id, meta.kind)?;
        let dkek = self.dkek(domain)?;

        let mut random = [0; blob::RANDOM];
        self.random.generator(&mut self.platform).map_err(error::entropy)?.fill_bytes(&mut random);
        let algorithms = attributes.algorithms.unwrap_or_default();
        key.with_payload(|payload| {
            let head = blob::write_head(&check_value, payload.blob_type(), algorithms, response.space());
            response.advance(head.map_err(|_| Status::INTERNAL)?)?;
            let start = response.data().len();
            response.put(&random)?;
            let len = payload.write(blob::RANDOM, response.space()).map_err(|_| Status::INTERNAL)?;
            response.advance(len)?;
            let encrypted = response.data_mut().get_mut(start..).ok_or(Status::INTERNAL)?;
            dkek.cipher(Direction::Encrypt, encrypted).map_err(error::crypto)
        })?;
        let mac = dkek.mac(response.data()).map_err(error::crypto)?;
        response.put(&mac)
    }

    /// UNWRAP KEY: nothing is stored unless the blob is authentic and the key in it valid. The key belongs to the domain
    /// whose key-encryption key opened it, and may be used for what the blob says.
    pub(crate) fn unwrap_key(
        &mut self,
        id: KeyId,
        blob: Option<&[u8]>,
        response: &mut Response<'_>,
    ) -> Result<(), Status> {
        self.demand(Who::User)?;
        let mut scratch = [0; MAX_BLOB];
        let bytes = match blob {
            Some(blob) => blob,
            None => {
                let file = object(FileId::WRAP_SCRATCH);
                let len = self.storage.open()?.read(file, Seal::Public, 0, &mut scratch).map_err(error::storage)?;
                scratch.get(..len).filter(|blob| !blob.is_empty()).ok_or(Status::NOT_FOUND)?
            }
        };
        let blob = Blob::parse(bytes).map_err(|bad| match bad {
            BadBlob::Unknown => Status::DATA_INVALID,
            BadBlob::Malformed => Status::EXECUTION,
        })?;
        self.demand_free(id)?;
        let domain = self.domain_with(&blob.check_value).ok_or(Status::EXECUTION)?;
        self.confirm_presence(Instruction::UnwrapKey, Status::EXECUTION)?;

        let dkek = self.dkek(domain)?;
        dkek.verify(blob.authenticated, &blob.mac).map_err(error::crypto)?;
        let mut decrypted = Zeroizing::new([0; MAX_ENCRYPTED]);
        let decrypted = decrypted.get_mut(..blob.encrypted.len()).ok_or(Status::EXECUTION)?;
        decrypted.copy_from_slice(blob.encrypted);
        dkek.cipher(Direction::Decrypt, decrypted).map_err(error::crypto)?;
        let payload = decrypted.get(blob::RANDOM..).ok_or(Status::EXECUTION)?;
        let payload = Payload::parse(blob.blob_type, payload).map_err(|_| Status::EXECUTION)?;
        let rng = self.random.generator(&mut self.platform).map_err(error::entropy)?;
        let key = Key::from_payload(&payload, rng)?;

        let algorithms = (!blob.algorithms.is_empty()).then_some(blob.algorithms);
        let attributes = Attributes { algorithms, domain: Some(domain), ..Attributes::default() };
        if !KeyMeta::fits(&attributes) {
            return Err(Status::EXECUTION);
        }
        let request = RequestDescription { id, origin: Origin::Imported, attributes, car: None, chr: None };
        self.store_new_key(&key, &request, response)?;
        response.discard();
        Ok(())
    }

    /// The first domain whose complete key-encryption key has this check value.
    fn domain_with(&self, check_value: &[u8; blob::CHECK_VALUE]) -> Option<u8> {
        let domains = &self.config.as_ref()?.domains;
        let found = domains.iter().position(|domain| domain.check_value().as_ref() == Some(check_value));
        u8::try_from(found?).ok()
    }
}
