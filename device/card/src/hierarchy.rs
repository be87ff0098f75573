//! The key hierarchy (DESIGN §3): root key -> PIN keys -> login key -> master key-encryption key (MKEK) -> secret objects.
//!
//! A PIN is stretched with Argon2id, mixed with the device's root key and unique id, and yields the key that unwraps
//! that PIN's copy of the login key. Neither the PIN nor a hash of it is stored: a PIN is right exactly when the copy
//! opens. The login key opens the MKEK, alone or, while the secure lock is on, together with the host's mask.

use ferrite_crypto::lock::Mask;
use ferrite_crypto::pin::{self, Cost};
use ferrite_crypto::{Error, aead, kdf};
use ferrite_store::{Kek, ObjectId, RootKey};
use rand_core::CryptoRng;
use zeroize::{ZeroizeOnDrop, Zeroizing};

/// Keys derived from the device's root key, each for one purpose.
#[derive(ZeroizeOnDrop)]
pub(crate) struct Roots {
    pin: [u8; 32],
    #[zeroize(skip)]
    unique_id: [u8; 8],
}

impl Roots {
    /// Derives the purpose keys; the second result is the store's.
    pub(crate) fn derive(root: &[u8; 32], unique_id: [u8; 8]) -> (Self, RootKey) {
        let mut pin = [0; 32];
        let mut store = Zeroizing::new([0; 32]);
        kdf::hkdf_sha256(&unique_id, root, &[b"ferrite pin"], &mut pin);
        kdf::hkdf_sha256(&unique_id, root, &[b"ferrite store"], &mut store);
        (Self { pin, unique_id }, RootKey::from_bytes(&store))
    }
}

/// The master key-encryption key: 256 random bits, new at every INITIALIZE.
#[derive(ZeroizeOnDrop)]
pub(crate) struct Mkek([u8; 32]);

impl Mkek {
    /// A fresh random MKEK.
    pub(crate) fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut key = Self([0; 32]);
        rng.fill_bytes(&mut key.0);
        key
    }

    /// The key that seals secret objects.
    pub(crate) fn kek(&self) -> Kek {
        let mut key = Zeroizing::new([0; 32]);
        kdf::hkdf_sha256(&[], &self.0, &[b"ferrite objects"], &mut key);
        Kek::from_bytes(&key)
    }
}

#[cfg(feature = "testing")]
impl Mkek {
    /// For tests that search for it.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(feature = "testing")]
impl LoginKey {
    /// For tests that search for it.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What a PIN opens: 256 random bits, new at every INITIALIZE.
#[derive(ZeroizeOnDrop)]
pub(crate) struct LoginKey([u8; KEY]);

impl LoginKey {
    /// A fresh random login key.
    pub(crate) fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut key = Self([0; KEY]);
        rng.fill_bytes(&mut key.0);
        key
    }

    /// Seals the login key under a key that seals nothing else.
    pub(crate) fn seal(&self, key: &aead::Key, associated: &[u8]) -> SealedKey {
        SealedKey::seal(&self.0, key, associated)
    }
}

/// 256 bits, encrypted and authenticated under a key that is used once, so that the nonce may be constant.
pub(crate) struct SealedKey {
    sealed: [u8; KEY],
    tag: [u8; TAG],
}

impl SealedKey {
    fn seal(secret: &[u8; KEY], key: &aead::Key, associated: &[u8]) -> Self {
        let mut sealed = *secret;
        let tag = aead::seal(key, &[0; 12], associated, &mut sealed);
        Self { sealed, tag }
    }

    fn open(&self, key: &aead::Key, associated: &[u8]) -> Result<Zeroizing<[u8; KEY]>, Error> {
        let mut secret = Zeroizing::new(self.sealed);
        aead::open(key, &[0; 12], associated, secret.as_mut(), &self.tag)?;
        Ok(secret)
    }

    /// Opens a login key if the key is right. The comparison is the AEAD's tag check, in constant time.
    pub(crate) fn open_login(&self, key: &aead::Key, associated: &[u8]) -> Result<LoginKey, Error> {
        Ok(LoginKey(*self.open(key, associated)?))
    }
}

/// The MKEK under the login key, and under the host's mask too while the secure lock is on.
pub(crate) struct MkekRecord {
    bytes: [u8; MkekRecord::SIZE],
}

impl MkekRecord {
    /// Where the record is kept. No client reaches this id.
    pub(crate) const OBJECT: ObjectId = ObjectId(0xE080);
    /// Bytes of a record: format, whether it needs a mask, salt (16), sealed MKEK (32), tag (16).
    pub(crate) const SIZE: usize = Self::PUBLIC + KEY + TAG;
    const PUBLIC: usize = 2 + SALT;
    const FORMAT: u8 = 1;

    /// Seals the MKEK.
    pub(crate) fn seal(mkek: &Mkek, login: &LoginKey, mask: Option<&Mask>, rng: &mut impl CryptoRng) -> Self {
        let mut bytes = [0; Self::SIZE];
        let (public, secret) = bytes.split_at_mut(Self::PUBLIC);
        let (head, salt) = public.split_at_mut(2);
        head.copy_from_slice(&[Self::FORMAT, u8::from(mask.is_some())]);
        rng.fill_bytes(salt);
        let key = mkek_key(login, mask, salt);
        let under_login = SealedKey::seal(&mkek.0, &key, public);
        let (sealed, tag) = secret.split_at_mut(KEY);
        sealed.copy_from_slice(&under_login.sealed);
        tag.copy_from_slice(&under_login.tag);
        Self { bytes }
    }

    /// Reads a record back; `None` if it is not one of this format.
    pub(crate) fn from_bytes(bytes: [u8; Self::SIZE]) -> Option<Self> {
        matches!(bytes, [Self::FORMAT, 0 | 1, ..]).then_some(Self { bytes })
    }

    /// The record as it is stored.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether a mask is needed to open it.
    pub(crate) fn needs_mask(&self) -> bool {
        let [_, needs_mask, ..] = self.bytes;
        needs_mask != 0
    }

    /// Opens the MKEK if login key and mask are right. Without need of a mask, none is used.
    pub(crate) fn open(&self, login: &LoginKey, mask: Option<&Mask>) -> Result<Mkek, Error> {
        let (public, secret) = self.bytes.split_at(Self::PUBLIC);
        let (sealed, tag) = secret.split_at(KEY);
        let salt = public.get(2..).unwrap_or_default();
        let key = mkek_key(login, mask.filter(|_| self.needs_mask()), salt);
        let sealed = sealed.try_into().map_err(|_| Error::BadLength)?;
        let tag = tag.try_into().map_err(|_| Error::BadLength)?;
        Ok(Mkek(*SealedKey { sealed, tag }.open(&key, public)?))
    }
}

/// The key over the MKEK. It is used for one record only (its salt is random).
fn mkek_key(login: &LoginKey, mask: Option<&Mask>, salt: &[u8]) -> aead::Key {
    let mut material = Zeroizing::new([0; 2 * KEY]);
    let (from_login, from_mask) = material.split_at_mut(KEY);
    from_login.copy_from_slice(&login.0);
    let (len, label): (_, &[u8]) = match mask {
        Some(mask) => {
            from_mask.copy_from_slice(mask.as_bytes());
            (2 * KEY, b"ferrite masked mkek")
        }
        None => (KEY, b"ferrite mkek"),
    };
    let mut key = Zeroizing::new([0; KEY]);
    kdf::hkdf_sha256(salt, material.get(..len).unwrap_or_default(), &[label], &mut key);
    aead::Key::from_bytes(&key)
}

/// Longest PIN, in bytes.
pub(crate) const MAX_PIN: usize = 16;

/// Whose PIN it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    User,
    SecurityOfficer,
}

/// Tries of the SO-PIN (specification part 1 §7.1: always 15).
pub(crate) const SO_TRIES: u8 = 15;

impl Role {
    /// Where the PIN's record is kept. No client reaches these ids.
    pub(crate) const fn object(self) -> ObjectId {
        match self {
            Role::User => ObjectId(0xE081),
            Role::SecurityOfficer => ObjectId(0xE088),
        }
    }

    /// Shortest PIN, in bytes (any bytes).
    pub(crate) fn shortest_pin(self) -> usize {
        match self {
            Role::User => 6,
            Role::SecurityOfficer => 8,
        }
    }

    /// Whether a PIN may have this length, in bytes.
    pub(crate) fn length_is_legal(self, len: usize) -> bool {
        (self.shortest_pin()..=MAX_PIN).contains(&len)
    }

    fn label(self) -> &'static [u8] {
        match self {
            Role::User => b"user",
            Role::SecurityOfficer => b"security officer",
        }
    }
}

/// 1 was a record that held the MKEK itself.
const FORMAT: u8 = 2;
const SALT: usize = 16;
const TAG: usize = 16;
const KEY: usize = 32;
const PUBLIC: usize = 3 + 4 + SALT;

/// One PIN's copy of the login key, with all that is needed to try a PIN on it.
pub(crate) struct PinRecord {
    bytes: [u8; PinRecord::SIZE],
}

impl PinRecord {
    /// Bytes of a record: format, PIN length, tries, cost (4), salt (16), sealed login key (32), tag (16).
    pub(crate) const SIZE: usize = PUBLIC + KEY + TAG;

    /// Seals the login key under a PIN. `memory` is working memory for the stretching; it is wiped.
    pub(crate) fn seal(
        role: Role,
        pin: &[u8],
        tries: u8,
        login: &LoginKey,
        roots: &Roots,
        rng: &mut impl CryptoRng,
        memory: &mut [u8],
    ) -> Result<Self, Error> {
        let mut salt = [0; SALT];
        rng.fill_bytes(&mut salt);
        let pin_len = u8::try_from(pin.len()).map_err(|_| Error::BadLength)?;
        let cost = Cost::DEFAULT;
        let mut bytes = [0; Self::SIZE];
        let mut fields = bytes.iter_mut();
        let header = [FORMAT, pin_len, tries].into_iter().chain(cost.to_bytes()).chain(salt);
        header.zip(&mut fields).for_each(|(value, field)| *field = value);

        let key = pin_key(role, pin, &salt, cost, roots, memory)?;
        let (public, secret) = bytes.split_at_mut(PUBLIC);
        let (sealed, tag) = secret.split_at_mut(KEY);
        let under_pin = login.seal(&key, public);
        sealed.copy_from_slice(&under_pin.sealed);
        tag.copy_from_slice(&under_pin.tag);
        Ok(Self { bytes })
    }

    /// Reads a record back; `None` if it is not one of this format.
    pub(crate) fn from_bytes(bytes: [u8; Self::SIZE]) -> Option<Self> {
        matches!(bytes, [FORMAT, ..]).then_some(Self { bytes })
    }

    /// The record as it is stored.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Length of the PIN in bytes: where CHANGE REFERENCE DATA splits old from new.
    pub(crate) fn pin_len(&self) -> usize {
        let [_, len, ..] = self.bytes;
        usize::from(len)
    }

    /// Tries granted after a right PIN.
    pub(crate) fn tries(&self) -> u8 {
        let [_, _, tries, ..] = self.bytes;
        tries
    }

    /// Opens the login key if the PIN is right. The comparison is the AEAD's tag check, in constant time.
    pub(crate) fn open(&self, role: Role, pin: &[u8], roots: &Roots, memory: &mut [u8]) -> Result<LoginKey, Error> {
        let (public, secret) = self.bytes.split_at(PUBLIC);
        let (sealed, tag) = secret.split_at(KEY);
        let [_, _, _, c0, c1, c2, c3, salt @ ..] = public else { return Err(Error::BadLength) };
        let cost = Cost::from_bytes([*c0, *c1, *c2, *c3]).ok_or(Error::BadLength)?;
        let salt = salt.try_into().map_err(|_| Error::BadLength)?;
        let sealed = sealed.try_into().map_err(|_| Error::BadLength)?;
        let tag = tag.try_into().map_err(|_| Error::BadLength)?;
        let key = pin_key(role, pin, salt, cost, roots, memory)?;
        SealedKey { sealed, tag }.open_login(&key, public)
    }
}

/// The key a PIN yields. It is used for one record only (its salt is random), so the AEAD's nonce may be constant.
fn pin_key(
    role: Role,
    pin: &[u8],
    salt: &[u8; SALT],
    cost: Cost,
    roots: &Roots,
    memory: &mut [u8],
) -> Result<aead::Key, Error> {
    let mut stretched = Zeroizing::new([0; 32]);
    pin::stretch(pin, salt, cost, memory, &mut stretched)?;
    let mut material = Zeroizing::new([0; 64]);
    let (from_root, from_pin) = material.split_at_mut(32);
    from_root.copy_from_slice(&roots.pin);
    from_pin.copy_from_slice(stretched.as_ref());
    let mut key = Zeroizing::new([0; 32]);
    kdf::hkdf_sha256(&roots.unique_id, material.as_ref(), &[b"ferrite pin record ", role.label()], &mut key);
    Ok(aead::Key::from_bytes(&key))
}
