//! Backups: keys of a device, and whatever else is on it, in one encrypted file (docs/src/backup-archive.md).
//!
//! Keys stay wrapped under the DKEK of their domain; who has the archive and its password has their names, certificates and
//! the data objects, but no key. To restore keys, a device needs the same DKEK, which means the same shares.

mod format;

use crate::custody::blob;
use crate::custody::wrapped::WrappedKey;
use crate::error::{Error, ErrorKind, Result};
use crate::hsm::{DomainState, Hsm};
use crate::transport::Transport;
use ferrite_crypto::aead::{self, Algorithm};
use ferrite_crypto::pin::{Cost, stretch};
use ferrite_proto::fid::KeyId;
use rand_core::Rng as _;
use zeroize::Zeroizing;

const MAGIC: &[u8; 8] = b"FerriteB";
const VERSION: u8 = 1;
const SALT: usize = 16;
const NONCE: usize = 12;
/// Magic, version, memory and passes of Argon2id, salt, nonce: in the clear, and authenticated.
const HEAD: usize = 8 + 1 + 4 + SALT + NONCE;
/// What deriving a key from a new archive's password costs: 60 MiB, four passes.
const COST: Cost = Cost { memory_kib: 61_440, passes: 4 };
/// Most passes that are taken from a file.
const MAX_PASSES: u16 = 64;

/// A key in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedKey {
    /// The identifier it had.
    pub id: KeyId,
    /// The key, wrapped, with its description and certificate.
    pub wrapped: WrappedKey,
}

/// A certificate in an archive that belongs to no key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedCertificate {
    /// Its label.
    pub label: String,
    /// CKA_ID.
    pub cka_id: Vec<u8>,
    /// The certificate.
    pub content: Vec<u8>,
}

/// A data object in an archive.
#[derive(Clone, PartialEq, Eq)]
pub struct ArchivedData {
    /// Its label.
    pub label: String,
    /// Name of the application.
    pub application: String,
    /// Whether reading it needs the user PIN.
    pub is_private: bool,
    /// Its content, which may be secret.
    pub content: Zeroizing<Vec<u8>>,
}

/// What an archive holds.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Archive {
    /// Serial number of the device it comes from.
    pub serial: String,
    /// That device's label.
    pub label: String,
    /// When it was made: seconds since 1970.
    pub made: u64,
    /// Keys.
    pub keys: Vec<ArchivedKey>,
    /// Certificates of others.
    pub certificates: Vec<ArchivedCertificate>,
    /// Data objects.
    pub data: Vec<ArchivedData>,
}

/// A backup: the archive, and the keys that are not in it, each with the reason.
pub struct Backup {
    /// The archive.
    pub archive: Archive,
    /// Keys that must not leave the device, or cannot.
    pub left_out: Vec<(KeyId, Error)>,
}

/// Where a restored key is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    /// The identifier it had.
    pub was: KeyId,
    /// The one it has now.
    pub is: KeyId,
}

impl Archive {
    /// Encrypts the archive under a password.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`]: the password is empty, or the archive longer than 16 MiB; [`ErrorKind::Io`].
    pub fn seal(&self, password: &[u8]) -> Result<Vec<u8>> {
        const WHAT: &str = "write the backup";
        if password.is_empty() {
            return Err(Error::new(ErrorKind::Usage, WHAT, "the password is empty"));
        }
        let mut head = [0; HEAD];
        head[..8].copy_from_slice(MAGIC);
        head[8] = VERSION;
        head[9..13].copy_from_slice(&COST.to_bytes());
        crate::random::generator()?.fill_bytes(&mut head[13..]);
        let mut content = format::write(self).ok_or_else(|| Error::new(ErrorKind::Usage, WHAT, "it is too long"))?;
        let key = derive(password, &head, COST)?;
        let tag = aead::encrypt(Algorithm::ChaCha20Poly1305, key.as_ref(), &head[13 + SALT..], &head, &mut content)
            .map_err(|_| Error::new(ErrorKind::Usage, WHAT, "it is too long"))?;
        Ok([&head[..], &content, &tag].concat())
    }

    /// Opens an archive.
    ///
    /// # Errors
    /// [`ErrorKind::BadInput`]: this is none, or of a later version; [`ErrorKind::WrongPassword`]: the password is wrong, or
    /// the file was changed.
    pub fn open(file: &[u8], password: &[u8]) -> Result<Self> {
        let bad = |why: &'static str| Error::new(ErrorKind::BadInput, WHAT, why);
        let (head, rest) = file.split_first_chunk::<HEAD>().ok_or_else(|| bad("this is no backup"))?;
        if !head.starts_with(MAGIC) {
            return Err(bad("this is no backup"));
        }
        if head[8] != VERSION {
            return Err(bad("it was made by a later version of this program").advise("Take that version to read it."));
        }
        let cost = Cost {
            memory_kib: u16::from_be_bytes([head[9], head[10]]),
            passes: u16::from_be_bytes([head[11], head[12]]),
        };
        if !(8..=COST.memory_kib).contains(&cost.memory_kib) || !(1..=MAX_PASSES).contains(&cost.passes) {
            return Err(bad("its head is damaged"));
        }
        let (content, tag) = rest.split_last_chunk().ok_or_else(|| bad("it is cut short"))?;
        let mut content = Zeroizing::new(content.to_vec());
        let key = derive(password, head, cost)?;
        aead::decrypt(Algorithm::ChaCha20Poly1305, key.as_ref(), &head[13 + SALT..], head, &mut content, tag).map_err(
            |_| {
                Error::new(ErrorKind::WrongPassword, WHAT, "the password is wrong, or the file was changed")
                    .advise("Try again. Nothing counts the tries.")
            },
        )?;
        format::read(&content).ok_or_else(|| bad("its content has another form"))
    }
}

const WHAT: &str = "open the backup";

fn derive(password: &[u8], head: &[u8; HEAD], cost: Cost) -> Result<Zeroizing<[u8; 32]>> {
    let salt = std::array::from_fn(|at| head[13 + at]);
    let mut memory = vec![0; 1024 * usize::from(cost.memory_kib) + 64];
    let mut key = Zeroizing::new([0; 32]);
    stretch(password, &salt, cost, &mut memory, &mut key)
        .map_err(|_| Error::new(ErrorKind::BadInput, WHAT, "its head is damaged"))?;
    Ok(key)
}

impl<T: Transport> Hsm<T> {
    /// Makes a backup of one key, or of everything. The user must be logged in. `progress` is told how many of how many
    /// objects are done.
    ///
    /// # Errors
    /// Those of the connection; [`ErrorKind::NotLoggedIn`]. A key that cannot leave is named in the result.
    pub fn back_up(&mut self, only: Option<KeyId>, progress: &mut dyn FnMut(usize, usize)) -> Result<Backup> {
        let token = self.token()?;
        let objects = self.objects()?;
        let mut archive = Archive { serial: token.serial, label: token.label, made: now(), ..Archive::default() };
        let mut left_out = Vec::new();
        let keys: Vec<KeyId> = match only {
            Some(key) => vec![key],
            None => objects.keys.iter().map(|key| key.id).collect(),
        };
        let others = if only.is_some() { 0 } else { objects.certificates.len() + objects.data.len() };
        let (mut done, all) = (0, keys.len() + others);
        let mut advance = || {
            done += 1;
            progress(done, all);
        };
        for id in keys {
            match self.export_key(id) {
                Ok(wrapped) => archive.keys.push(ArchivedKey { id, wrapped }),
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Refused) && only.is_none() => {
                    left_out.push((id, error));
                }
                Err(error) => return Err(error),
            }
            advance();
        }
        if only.is_none() {
            for certificate in objects.certificates {
                let content = self.certificate(certificate.number)?;
                let (label, cka_id) = (certificate.label, certificate.cka_id);
                archive.certificates.push(ArchivedCertificate { label, cka_id, content });
                advance();
            }
            for data in objects.data {
                let content = self.data(data.number)?;
                let (label, application, is_private) = (data.label, data.application, data.is_private);
                archive.data.push(ArchivedData { label, application, is_private, content });
                advance();
            }
        }
        Ok(Backup { archive, left_out })
    }

    /// Puts what is in an archive onto the device. The user must be logged in. A key gets the identifier it had if that is
    /// free, otherwise another one. Nothing is stored unless the device has the DKEK of every key.
    ///
    /// # Errors
    /// [`ErrorKind::Verification`]: a DKEK is missing; [`ErrorKind::Full`]; [`ErrorKind::NotLoggedIn`].
    pub fn restore(&mut self, archive: &Archive, progress: &mut dyn FnMut(usize, usize)) -> Result<Vec<Restored>> {
        self.demand_dkeks(archive)?;
        let mut restored = Vec::new();
        let (mut done, all) = (0, archive.keys.len() + archive.certificates.len() + archive.data.len());
        let mut advance = || {
            done += 1;
            progress(done, all);
        };
        for key in &archive.keys {
            let taken = self.enumerate()?;
            let is_free = ![key.id.key(), key.id.description(), key.id.certificate()].iter().any(|f| taken.contains(f));
            let is = if is_free && key.id != KeyId::DEVICE { key.id } else { self.free_key_id()? };
            self.restore_key(is, &key.wrapped)?;
            restored.push(Restored { was: key.id, is });
            advance();
        }
        for certificate in &archive.certificates {
            self.store_certificate(&certificate.label, &certificate.cka_id, &certificate.content)?;
            advance();
        }
        for data in &archive.data {
            self.store_data(&data.label, &data.application, data.is_private, &data.content)?;
            advance();
        }
        Ok(restored)
    }

    /// Whether the device has the DKEK of every key.
    fn demand_dkeks(&mut self, archive: &Archive) -> Result<()> {
        let domains = self.domains()?;
        let known: Vec<_> = domains
            .iter()
            .filter_map(|domain| match domain.state {
                DomainState::Complete { check_value, .. } => Some(check_value),
                DomainState::Group { check_value, .. } => check_value,
                _ => None,
            })
            .collect();
        for key in &archive.keys {
            let value = blob::check_value(&key.wrapped.blob)?;
            if !known.contains(&value) {
                let (id, value) = (key.id.value(), blob::hexadecimal(&value));
                let why = format!("the device has not the DKEK that key {id} is wrapped under ({value})");
                return Err(Error::new(ErrorKind::Verification, "restore the backup", why)
                    .advise("Import the DKEK shares that the first device had, then restore again."));
            }
        }
        Ok(())
    }
}

fn now() -> u64 {
    use std::time::{SystemTime, UNIX_EPOCH};
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive() -> Archive {
        let blob = hex::decode(
            "66687AADF862BD770F000860864801650304010000000000006A63CB154E2634FD6012DE71EC6D0C86E64F938F0DE0A73CE777F789287693FC8F36E\
             1130912E8D0F6B8D499DA897A99",
        );
        let wrapped = WrappedKey { blob: blob.expect("hexadecimal"), description: Vec::new(), certificate: Vec::new() };
        Archive {
            serial: "UTABCDEFGHI".into(),
            label: "a device".into(),
            made: 1_800_000_000,
            keys: vec![ArchivedKey { id: KeyId::new(7), wrapped }],
            certificates: vec![ArchivedCertificate { label: "ä".into(), cka_id: vec![1], content: vec![0x30, 0] }],
            data: vec![ArchivedData {
                label: "note".into(),
                application: String::new(),
                is_private: true,
                content: Zeroizing::new(vec![9; 70_000]),
            }],
        }
    }

    #[test]
    fn an_archive_opens_with_its_password_only_and_shows_nothing_without() {
        let file = archive().seal(b"a password").expect("sealed");
        assert!(Archive::open(&file, b"a password").is_ok_and(|read| read == archive()));
        let kind = |file: &[u8], password: &[u8]| Archive::open(file, password).err().map(|error| error.kind());
        assert_eq!(kind(&file, b"a passwore"), Some(ErrorKind::WrongPassword));
        assert!(!file.windows(8).any(|window| window == b"a device" || window == [9; 8]));
        assert_ne!(file, archive().seal(b"a password").expect("sealed"), "salt and nonce are new");
        assert!(archive().seal(b"").is_err());
    }

    #[test]
    fn a_changed_archive_does_not_open() {
        let small = Archive { data: Vec::new(), ..archive() };
        let file = small.seal(b"a password").expect("sealed");
        for at in (0..HEAD).chain((HEAD..file.len()).step_by(97)).chain([file.len() - 1]) {
            let mut changed = file.clone();
            changed[at] ^= 0x02;
            assert!(Archive::open(&changed, b"a password").is_err(), "byte {at}");
        }
        for len in [0, 8, HEAD, HEAD + 15, file.len() - 1] {
            assert!(Archive::open(&file[..len], b"a password").is_err(), "length {len}");
        }
    }
}
