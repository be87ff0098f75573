//! SELECT, READ BINARY, UPDATE BINARY, DELETE FILE, ENUMERATE OBJECTS (specification part 1 §4.1-4.4, 4.9).

use crate::VERSION;
use crate::access::Who;
use crate::error;
use crate::files::{self, FileRule};
use crate::hierarchy::Role;
use crate::hsm::Hsm;
use crate::key::KeyMeta;
use crate::platform::Platform;
use crate::response::Response;
use ferrite_proto::command::{Attributes, Target};
use ferrite_proto::fid::{FileId, KeyId, prefix};
use ferrite_proto::status::Status;
use ferrite_proto::{fcp, pkcs15};
use ferrite_store::{Change, Flash, Info, ObjectId, Seal};

/// Longest content that a file has before anything is written to it.
const MAX_DEFAULT: usize = 64;

/// A file that exists.
enum File {
    Stored(Info),
    Default(heapless::Vec<u8, MAX_DEFAULT>),
}

impl File {
    fn len(&self) -> usize {
        match self {
            File::Stored(info) => info.len,
            File::Default(content) => content.len(),
        }
    }
}

/// The store keeps a file under its own identifier.
pub(crate) fn object(file: FileId) -> ObjectId {
    ObjectId(file.value())
}

impl<P: Platform, F: Flash> Hsm<'_, P, F> {
    /// SELECT of a file by its identifier: answers its FCP and makes it current.
    pub(crate) fn select_file(&mut self, file: FileId, response: &mut Response<'_>) -> Result<(), Status> {
        let (_, found) = self.find(file)?;
        let written = match &found {
            // The device key has no attributes.
            File::Stored(info) if file.prefix() == prefix::KEY && file != KeyId::DEVICE.key() => {
                let meta = KeyMeta::parse(&info.meta).ok_or(Status::MEMORY_FAILURE)?;
                fcp::key(file, info.len, &meta.attributes(info.counter), response.space())
            }
            File::Stored(info) if file == KeyId::DEVICE.key() => {
                fcp::key(file, info.len, &Attributes::default(), response.space())
            }
            _ => fcp::file(file, found.len(), response.space()),
        };
        response.advance(written.map_err(|_| Status::INTERNAL)?)?;
        self.session.current = Some(file);
        Ok(())
    }

    /// SELECT of the master file.
    pub(crate) fn select_master_file(&mut self, response: &mut Response<'_>) -> Result<(), Status> {
        let written = fcp::master_file(response.space()).map_err(|_| Status::INTERNAL)?;
        response.advance(written)
    }

    /// READ BINARY: from `offset` to the end, or as much as the host wants.
    pub(crate) fn read_binary(
        &mut self,
        target: Target,
        offset: usize,
        response: &mut Response<'_>,
    ) -> Result<(), Status> {
        let file = self.resolve(target)?;
        let (rule, found) = self.find(file)?;
        self.demand(rule.read)?;
        let rest = found.len().checked_sub(offset).ok_or(Status::END_OF_FILE)?;
        let wanted = if response.wanted() == 0 { rest } else { rest.min(response.wanted()) };
        let wanted = wanted.min(response.space().len());
        let read = match found {
            File::Default(content) => {
                let part = content.get(offset..).and_then(|rest| rest.get(..wanted)).ok_or(Status::INTERNAL)?;
                return response.put(part);
            }
            File::Stored(_) => {
                let kek = if rule.secret { Some(self.session.mkek()?.kek()) } else { None };
                let seal = kek.as_ref().map_or(Seal::Public, Seal::Secret);
                let room = response.space().get_mut(..wanted).ok_or(Status::INTERNAL)?;
                self.storage.open()?.read(object(file), seal, offset, room).map_err(error::storage)?
            }
        };
        response.advance(read)
    }

    /// UPDATE BINARY. An empty content at offset 0 creates the file if need be; content at offset 0 replaces the
    /// whole file; content behind that overwrites and extends. The file becomes the current one.
    pub(crate) fn update_binary(&mut self, target: Target, offset: usize, content: &[u8]) -> Result<(), Status> {
        let file = self.resolve(target)?;
        let rule = files::rule_of(file).ok_or(Status::SECURITY_STATUS)?;
        self.demand(rule.update)?;
        let stored = self.storage.open()?.info(object(file)).map_err(error::storage)?.map(|info| info.len);
        let kek = if rule.secret { Some(self.session.mkek()?.kek()) } else { None };
        let seal = kek.as_ref().map_or(Seal::Public, Seal::Secret);
        let id = object(file);
        let change = match (offset, stored) {
            (0, Some(_)) if content.is_empty() => None,
            (0, _) => Some(Change::Put { id, seal, meta: &[], content, counter: None }),
            (_, None | Some(0)) => return Err(Status::DATA_INVALID),
            (_, Some(len)) if offset > len => return Err(Status::MEMORY_FAILURE),
            _ => Some(Change::Write { id, seal, offset, content }),
        };
        if let Some(change) = change {
            let rng = self.random.generator(&mut self.platform).map_err(error::entropy)?;
            self.storage.open()?.commit(&[change], rng).map_err(error::storage)?;
        }
        self.session.current = Some(file);
        Ok(())
    }

    /// DELETE FILE. Deleting a key keeps its description and certificate; clients delete those themselves.
    pub(crate) fn delete_file(&mut self, target: Target) -> Result<(), Status> {
        let file = self.resolve(target)?;
        let (rule, _) = self.find(file)?;
        self.demand(rule.delete)?;
        let rng = self.random.generator(&mut self.platform).map_err(error::entropy)?;
        self.storage.open()?.commit(&[Change::Delete { id: object(file) }], rng).map_err(error::storage)?;
        if self.session.current == Some(file) {
            self.session.current = None;
        }
        Ok(())
    }

    /// ENUMERATE OBJECTS: the description of the device key, the device key, then every listed file that exists.
    pub(crate) fn enumerate(&mut self, response: &mut Response<'_>) -> Result<(), Status> {
        let device = [KeyId::DEVICE.description(), KeyId::DEVICE.key()];
        response.put(&device[0].to_bytes())?;
        let store = self.storage.open()?;
        if store.info(object(device[1])).map_err(error::storage)?.is_some() {
            response.put(&device[1].to_bytes())?;
        }
        for prefix in files::LISTED {
            let first = u16::from_be_bytes([prefix, 0x00]);
            let last = u16::from_be_bytes([prefix, 0xFF]);
            let mut after = ObjectId(first.saturating_sub(1));
            while let Some(found) = store.next(Some(after)).map_err(error::storage)? {
                if found.0 > last {
                    break;
                }
                let file = FileId::new(found.0);
                if !device.contains(&file) && file != KeyId::DEVICE.certificate() {
                    response.put(&file.to_bytes())?;
                }
                after = found;
            }
        }
        Ok(())
    }

    fn resolve(&self, target: Target) -> Result<FileId, Status> {
        match target {
            Target::File(file) => Ok(file),
            Target::Current => self.session.current.ok_or(Status::NOT_FOUND),
        }
    }

    /// The file and its rules, if a client may know it and it exists.
    fn find(&mut self, file: FileId) -> Result<(&'static FileRule, File), Status> {
        let rule = files::rule_of(file).ok_or(Status::NOT_FOUND)?;
        if let Some(info) = self.storage.open()?.info(object(file)).map_err(error::storage)? {
            return Ok((rule, File::Stored(info)));
        }
        if !rule.always {
            return Err(Status::NOT_FOUND);
        }
        let mut content = [0; MAX_DEFAULT];
        let len = match file {
            FileId::EF_DIR => pkcs15::ef_dir(&mut content),
            FileId::TOKEN_INFO => {
                let [major, _] = VERSION;
                pkcs15::default_token_info(major, &self.platform.unique_id(), &mut content)
            }
            _ => Ok(0),
        };
        let len = len.map_err(|_| Status::INTERNAL)?;
        let content = content.get(..len).and_then(|content| heapless::Vec::from_slice(content).ok());
        Ok((rule, File::Default(content.ok_or(Status::INTERNAL)?)))
    }

    /// Whether the session may do what only `who` may: 6982 if not, 6985 if only the secure lock is in the way.
    pub(crate) fn demand(&self, who: Who) -> Result<(), Status> {
        let [user, officer] = [Role::User, Role::SecurityOfficer].map(|role| self.session.is_logged_in(role));
        let allowed = match who {
            Who::Anyone => true,
            Who::User if self.session.is_shut() => {
                self.demand(Who::UserOfShutDevice)?;
                return Err(Status::CONDITIONS);
            }
            // With a transport PIN nobody is a user until it is changed (D9).
            Who::User | Who::UserOfShutDevice if self.options().transport_pin() => false,
            // With public-key authentication configured not the PIN but registered keys make a user (specification §4.13),
            // and never in a session of the SO (D4).
            Who::User | Who::UserOfShutDevice if self.config.as_ref().is_some_and(|config| config.pka.is_some()) => {
                let is_officer_only = officer && !user;
                (self.is_admitted_by_keys() || self.session.has_initialised) && !is_officer_only
            }
            Who::User | Who::UserOfShutDevice => user && self.config.is_some(),
            Who::UserOrOfficer => officer || self.demand(Who::UserOfShutDevice).is_ok(),
            Who::PinHolder => officer || (user && !self.options().transport_pin()),
            Who::Nobody => false,
        };
        if allowed { Ok(()) } else { Err(Status::SECURITY_STATUS) }
    }
}
