//! Key domains and their key-encryption keys: KEY DOMAIN (specification part 2 §7, §8).
//!
//! Shares may be imported by anybody, because clients do so before they log in; only a domain that waits for shares takes
//! them. Their sum lies sealed under the root key until it is complete and the user logs in; from then on it is sealed
//! under the MKEK. The key check value of a complete key stands in the configuration, so that it is never a guess.

use crate::access::Who;
use crate::config::{Config, DKEK, Domain, PENDING_DKEK};
use crate::error;
use crate::hierarchy::Role;
use crate::hsm::Hsm;
use crate::key::KeyMeta;
use crate::pin::config_change;
use crate::platform::Platform;
use crate::response::Response;
use crate::xkek::uid_object;
use ferrite_crypto::dkek::{self, Dkek};
use ferrite_proto::fid::prefix;
use ferrite_proto::status::Status;
use ferrite_store::{Change, Flash, ObjectId, Seal};
use zeroize::Zeroizing;

/// Where the complete key of a domain lies.
pub(crate) fn dkek_object(domain: u8) -> ObjectId {
    ObjectId(DKEK.0.saturating_add(u16::from(domain)))
}

/// Where the sum of a domain's shares lies until the user logs in.
fn pending_object(domain: u8) -> ObjectId {
    ObjectId(PENDING_DKEK.0.saturating_add(u16::from(domain)))
}

impl<P: Platform, F: Flash> Hsm<'_, P, F> {
    /// Status of a key domain: total and missing shares, key check value; for an exchange domain also who its members are.
    pub(crate) fn key_domain_status(&mut self, domain: u8, response: &mut Response<'_>) -> Result<(), Status> {
        let state = self.domain(domain)?;
        response.put(&state.report().ok_or(Status::REFERENCE_NOT_FOUND)?)?;
        match state {
            Domain::Exchange { .. } => response.put(&self.domain_uid(domain)?),
            _ => Ok(()),
        }
    }

    /// Adds a share. The last one completes the key, which is sealed under the MKEK at once if the user is logged in.
    pub(crate) fn import_share(
        &mut self,
        domain: u8,
        share: &[u8; dkek::LEN],
        response: &mut Response<'_>,
    ) -> Result<(), Status> {
        let Domain::Shares { total, present } = self.domain(domain)? else { return Err(Status::NOT_ALLOWED) };
        let mut sum = if present == 0 { Dkek::empty() } else { self.pending_sum(domain)? };
        sum.add(share);
        let present = present.saturating_add(1);
        let state = if present < total {
            Domain::Shares { total, present }
        } else {
            Domain::Complete { total, check_value: sum.check_value() }
        };
        let pending = Change::Put {
            id: pending_object(domain),
            seal: Seal::Device,
            meta: &[],
            content: sum.as_bytes(),
            counter: None,
        };
        self.change_domain(domain, state, &[pending])?;
        self.adopt_dkeks();
        self.key_domain_status(domain, response)
    }

    /// Sets a domain up: it waits for this many shares, or never has a key.
    pub(crate) fn create_key_domain(
        &mut self,
        domain: u8,
        shares: u8,
        response: &mut Response<'_>,
    ) -> Result<(), Status> {
        self.demand_domain_owner()?;
        if self.domain(domain)? != Domain::NotSetUp {
            return Err(Status::WRONG_P1P2);
        }
        let state = match shares {
            0 => Domain::WithoutDkek,
            total => Domain::Shares { total, present: 0 },
        };
        self.change_domain(domain, state, &[])?;
        self.key_domain_status(domain, response)
    }

    /// Deletes a domain that no key names. Success is told by 6A88, as clients expect: there is no such domain any more.
    pub(crate) fn delete_key_domain(&mut self, domain: u8) -> Result<(), Status> {
        self.demand_domain_owner()?;
        if self.domain(domain)? == Domain::NotSetUp {
            return Err(Status::WRONG_P1P2);
        }
        if self.is_named_by_a_key(domain)? {
            return Err(Status::EXISTS);
        }
        self.forget_dkek(domain, Domain::NotSetUp)?;
        Err(Status::REFERENCE_NOT_FOUND)
    }

    /// Forgets a domain's key: it waits for all its shares again.
    pub(crate) fn clear_key_domain(&mut self, domain: u8, response: &mut Response<'_>) -> Result<(), Status> {
        self.demand_domain_owner()?;
        let state = match self.domain(domain)? {
            Domain::NotSetUp => return Err(Status::WRONG_P1P2),
            Domain::WithoutDkek => Domain::WithoutDkek,
            Domain::Shares { total, .. } | Domain::Complete { total, .. } => Domain::Shares { total, present: 0 },
            Domain::Exchange { .. } => Domain::Exchange { check_value: None },
        };
        self.forget_dkek(domain, state)?;
        self.key_domain_status(domain, response)?;
        if let (Domain::Exchange { .. }, [_, missing, ..]) = (state, response.data_mut()) {
            // Clients of such a domain expect this answer, though a query says that nothing is missing.
            *missing = u8::MAX;
        }
        Ok(())
    }

    /// The complete key of a domain.
    pub(crate) fn dkek(&mut self, domain: u8) -> Result<Dkek, Status> {
        self.adopt_dkeks();
        let kek = self.session.mkek()?.kek();
        let mut bytes = Zeroizing::new([0; dkek::LEN]);
        let len = self.storage.open()?.read(dkek_object(domain), Seal::Secret(&kek), 0, bytes.as_mut());
        if len.map_err(error::storage)? == dkek::LEN { Ok(Dkek::from_bytes(&bytes)) } else { Err(Status::EXECUTION) }
    }

    /// Seals under the MKEK what was completed while nobody was logged in. That must not keep the user from working: what
    /// cannot be done now, for want of room, is done at the next opportunity.
    pub(crate) fn adopt_dkeks(&mut self) {
        if self.session.is_logged_in(Role::User) {
            for domain in 0..ferrite_proto::command::KEY_DOMAINS {
                if matches!(self.domain(domain), Ok(Domain::Complete { .. })) {
                    let _ = self.adopt_dkek(domain);
                }
            }
        }
    }

    fn adopt_dkek(&mut self, domain: u8) -> Result<(), Status> {
        let pending = pending_object(domain);
        if self.storage.open()?.info(pending).map_err(error::storage)?.is_none() {
            return Ok(());
        }
        let sum = self.pending_sum(domain)?;
        let kek = self.session.mkek()?.kek();
        let changes = [
            Change::Put {
                id: dkek_object(domain),
                seal: Seal::Secret(&kek),
                meta: &[],
                content: sum.as_bytes(),
                counter: None,
            },
            Change::Delete { id: pending },
        ];
        let rng = self.random.generator(&mut self.platform).map_err(error::entropy)?;
        self.storage.open()?.commit(&changes, rng).map_err(error::storage)
    }

    fn pending_sum(&mut self, domain: u8) -> Result<Dkek, Status> {
        let mut bytes = Zeroizing::new([0; dkek::LEN]);
        let len = self.storage.open()?.read(pending_object(domain), Seal::Device, 0, bytes.as_mut());
        if len.map_err(error::storage)? == dkek::LEN {
            Ok(Dkek::from_bytes(&bytes))
        } else {
            Err(Status::MEMORY_FAILURE)
        }
    }

    fn forget_dkek(&mut self, domain: u8, state: Domain) -> Result<(), Status> {
        // The members' public key names an exchange domain for as long as that is one.
        let keeps_uid = matches!(state, Domain::Exchange { .. });
        let gone = [dkek_object(domain), pending_object(domain), uid_object(domain)].map(|id| Change::Delete { id });
        let gone = if keeps_uid { gone.get(..2) } else { gone.get(..) };
        self.change_domain(domain, state, gone.unwrap_or_default())
    }

    /// Writes a domain's new state together with other changes.
    pub(crate) fn change_domain(&mut self, domain: u8, state: Domain, others: &[Change<'_>]) -> Result<(), Status> {
        let mut config = self.config.clone().ok_or(Status::WRONG_OFFSET)?;
        *config.domains.get_mut(usize::from(domain)).ok_or(Status::WRONG_P1P2)? = state;
        let stored = config.to_bytes();
        let mut changes: heapless::Vec<Change<'_>, 4> = heapless::Vec::new();
        changes.push(config_change(&stored)).map_err(|_| Status::INTERNAL)?;
        others.iter().try_for_each(|change| changes.push(*change).map_err(|_| Status::INTERNAL))?;
        let rng = self.random.generator(&mut self.platform).map_err(error::entropy)?;
        self.storage.open()?.commit(&changes, rng).map_err(error::storage)?;
        self.config = Some(config);
        Ok(())
    }

    /// Only the user, with the user PIN, decides about domains; 6985 for everybody else.
    pub(crate) fn demand_domain_owner(&self) -> Result<(), Status> {
        let holds_pin = self.session.is_logged_in(Role::User);
        self.demand(Who::User).ok().filter(|()| holds_pin).ok_or(Status::CONDITIONS)
    }

    /// A domain's state: 6B00 before INITIALIZE, 6A86 beyond the number of domains that it made.
    pub(crate) fn domain(&self, domain: u8) -> Result<Domain, Status> {
        let config: &Config = self.config.as_ref().ok_or(Status::WRONG_OFFSET)?;
        config.domains.get(usize::from(domain)).copied().ok_or(Status::WRONG_P1P2)
    }

    /// Whether a key's attributes name the domain. Keys without that attribute belong to domain 0 and do not count.
    fn is_named_by_a_key(&mut self, domain: u8) -> Result<bool, Status> {
        let store = self.storage.open()?;
        let last = u16::from_be_bytes([prefix::KEY, 0xFF]);
        let mut after = ObjectId(u16::from_be_bytes([prefix::KEY, 0]));
        while let Some(found) = store.next(Some(after)).map_err(error::storage)?.filter(|found| found.0 <= last) {
            if let Some(info) = store.info(found).map_err(error::storage)? {
                let meta = KeyMeta::parse(&info.meta).ok_or(Status::MEMORY_FAILURE)?;
                if meta.attributes(None).domain == Some(domain) {
                    return Ok(true);
                }
            }
            after = found;
        }
        Ok(false)
    }
}
