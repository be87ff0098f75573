//! Key domains, DKEK shares, wrapping (specification part 2 §7-§12).

use super::Hsm;
use crate::error::{Error, ErrorKind, ONLY_SOME, Result};
use crate::transport::Transport;
use ferrite_crypto::dkek;
use ferrite_proto::command::{Command, KEY_DOMAINS, Share};
use ferrite_proto::fid::KeyId;
use ferrite_proto::status::Status;

/// How a key domain stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DomainState {
    /// Not set up.
    Empty,
    /// Set up without a DKEK: nothing leaves it, ever.
    WithoutDkek,
    /// Waits for shares.
    Waiting {
        /// How many are missing.
        missing: u8,
        /// How many it takes.
        total: u8,
    },
    /// Has its DKEK.
    Complete {
        /// The DKEK's key check value.
        check_value: [u8; dkek::CHECK_VALUE],
        /// How many shares made it.
        total: u8,
    },
    /// Belongs to a group whose members agree on a DKEK (XKEK).
    Group {
        /// The group's identifier: its signer's public point, X and Y.
        uid: Vec<u8>,
        /// The check value of the DKEK that was agreed on last, if one was.
        check_value: Option<[u8; dkek::CHECK_VALUE]>,
    },
}

/// A key domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainStatus {
    /// Its number.
    pub domain: u8,
    /// How it stands.
    pub state: DomainState,
}

impl<T: Transport> Hsm<T> {
    /// The key domains that the device was initialised with.
    ///
    /// # Errors
    /// Those of [`Hsm::call`].
    pub fn domains(&mut self) -> Result<Vec<DomainStatus>> {
        let mut domains = Vec::new();
        for domain in 0..KEY_DOMAINS {
            match self.domain(domain) {
                Ok(status) => domains.push(status),
                // The first number beyond; a card without any says that it does not know the command.
                Err(error)
                    if matches!(
                        error.status(),
                        Some(Status::WRONG_P1P2 | Status::WRONG_OFFSET | Status::INS | Status::WRONG_LENGTH)
                    ) =>
                {
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(domains)
    }

    /// How a key domain stands.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`]: there is no domain of this number.
    pub fn domain(&mut self, domain: u8) -> Result<DomainStatus> {
        let what = format!("ask how key domain {domain} stands");
        let answer = self.attempt(&what, &Command::KeyDomainStatus { domain })?;
        match answer.status {
            Status::OK => Ok(DomainStatus { domain, state: parse_state(&what, &answer.data)? }),
            Status::REFERENCE_NOT_FOUND => Ok(DomainStatus { domain, state: DomainState::Empty }),
            status => Err(Error::refused(what, status)),
        }
    }

    /// Adds a share of a domain's DKEK. Nobody need be logged in.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`]: the domain waits for no share.
    pub fn import_share(&mut self, domain: u8, share: &[u8; dkek::LEN]) -> Result<DomainStatus> {
        let what = format!("import a share into key domain {domain}");
        let answer = self.call(&what, &Command::ImportShare { domain, share: Share(share) }).map_err(|error| {
            error.explain(
                Status::NOT_ALLOWED,
                ErrorKind::Refused,
                "the domain waits for no share",
                "It has all of them, or was set up without; look at its state.",
            )
        })?;
        Ok(DomainStatus { domain, state: parse_state(&what, &answer)? })
    }

    /// Sets a domain up that waits for shares; with none it never has a DKEK.
    ///
    /// # Errors
    /// [`ErrorKind::NotLoggedIn`]; [`ErrorKind::Exists`] if it is set up already.
    pub fn create_domain(&mut self, domain: u8, shares: u8) -> Result<DomainStatus> {
        let what = format!("set key domain {domain} up");
        let answer = self.call(&what, &Command::CreateKeyDomain { domain, shares }).map_err(|error| {
            explain_domain(error).explain(
                Status::WRONG_P1P2,
                ErrorKind::Exists,
                "it is set up already, or the device has no domain of this number",
                "List the key domains.",
            )
        })?;
        Ok(DomainStatus { domain, state: parse_state(&what, &answer)? })
    }

    /// Deletes a domain that no key belongs to.
    ///
    /// # Errors
    /// [`ErrorKind::NotLoggedIn`]; [`ErrorKind::Exists`] while keys belong to it.
    pub fn delete_domain(&mut self, domain: u8) -> Result<()> {
        let what = format!("delete key domain {domain}");
        // "Not set up" is the answer of success.
        match self.attempt(&what, &Command::DeleteKeyDomain { domain })?.status {
            Status::REFERENCE_NOT_FOUND | Status::OK => Ok(()),
            status => Err(explain_domain(Error::refused(what, status)).explain(
                Status::EXISTS,
                ErrorKind::Exists,
                "keys belong to it",
                "Delete its keys first.",
            )),
        }
    }

    /// Forgets a domain's DKEK; it waits for shares again.
    ///
    /// # Errors
    /// [`ErrorKind::NotLoggedIn`].
    pub fn clear_domain(&mut self, domain: u8) -> Result<()> {
        let what = format!("clear key domain {domain}");
        self.call(&what, &Command::ClearKeyDomain { domain }).map(drop).map_err(explain_domain)
    }

    /// The key as a blob, encrypted under the DKEK of its domain.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]: no such key, or its domain has no DKEK; [`ErrorKind::Refused`]: it must not leave.
    pub fn wrap_key(&mut self, key: KeyId) -> Result<Vec<u8>> {
        let what = format!("wrap key {}", key.value());
        let answer = self.call(&what, &Command::WrapKey { key }).map_err(|error| {
            error
                .explain(Status::NOT_FOUND, ErrorKind::NotFound, "there is no such key", "List the keys.")
                .explain(
                    Status::REFERENCE_NOT_FOUND,
                    ErrorKind::NotFound,
                    "its key domain has no DKEK",
                    "Keys can leave a device only if it was initialised with DKEK shares, and all were imported.",
                )
                .explain(
                    Status::CONDITIONS,
                    ErrorKind::Refused,
                    "it was made so that it cannot leave the device",
                    "A key with a use counter, or with a list of algorithms without wrapping, stays where it is.",
                )
        })?;
        Ok(answer.to_vec())
    }

    /// Stores the key of a blob under an identifier that is free. It belongs to the domain whose DKEK opens it.
    ///
    /// # Errors
    /// [`ErrorKind::Exists`], [`ErrorKind::Full`]; [`ErrorKind::Verification`]: no DKEK of this device opens the blob, or
    /// it is damaged.
    pub fn unwrap_key(&mut self, key: KeyId, blob: &[u8]) -> Result<()> {
        let what = format!("unwrap a key as key {}", key.value());
        self.call(&what, &Command::UnwrapKey { key, blob: Some(blob) }).map(drop).map_err(|error| {
            const WHY: &str = "no DKEK of this device opens it, or it is damaged";
            const ADVICE: &str = "Compare the key check values of the file and of the device's key domains.";
            error
                .explain(Status::EXECUTION, ErrorKind::Verification, WHY, ADVICE)
                .explain(Status::WRONG_DATA, ErrorKind::Verification, WHY, ADVICE)
                .explain(
                    Status::DATA_INVALID,
                    ErrorKind::BadInput,
                    "this is no wrapped key",
                    "Take a file that a device or this program wrapped.",
                )
        })
    }
}

fn parse_state(what: &str, answer: &[u8]) -> Result<DomainState> {
    let bad = |why: &'static str| Error::new(ErrorKind::BadAnswer, what.to_owned(), why);
    let (head, rest) = answer.split_first_chunk::<2>().ok_or_else(|| bad("the answer is too short"))?;
    let (check_value, uid) = rest.split_first_chunk::<8>().ok_or_else(|| bad("the answer is too short"))?;
    let known = (*check_value != [0; dkek::CHECK_VALUE]).then_some(*check_value);
    Ok(match (head, uid) {
        (_, uid) if !uid.is_empty() => DomainState::Group { uid: uid.to_vec(), check_value: known },
        ([0xFF, _], _) => DomainState::Empty,
        ([0, _], _) => DomainState::WithoutDkek,
        ([total, 0], _) => DomainState::Complete { check_value: *check_value, total: *total },
        ([total, missing], _) => DomainState::Waiting { missing: *missing, total: *total },
    })
}

fn explain_domain(error: Error) -> Error {
    error
        .explain(Status::CONDITIONS, ErrorKind::NotLoggedIn, "the user must be logged in", "Log in with the user PIN.")
        .explain(
            Status::INS,
            ErrorKind::Unsupported,
            "this card has one key domain, set up when it is initialised",
            ONLY_SOME,
        )
}
