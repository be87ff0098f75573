//! The cryptography of records: ChaCha20-Poly1305 (RFC 8439) under a key of its own for each record, which HKDF-SHA-256
//! (RFC 5869) derives from the root key or a [`Kek`] (secret), the record's erasure key or salt, and what the record is.
//!
//! A record's key seals one plaintext only, so the nonce is constant.

use ferrite_crypto::aead;
use ferrite_crypto::hash::Sha256Stream;
use ferrite_crypto::kdf::{hkdf_sha256, hmac_sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::object::{Error, Kind, MAX_META, Seal};
use crate::record::{CHUNK, ERASURE_KEY};

/// A record's key seals one plaintext only.
const NONCE: [u8; 12] = [0; 12];
/// Bytes of an AEAD tag.
pub(crate) const TAG: usize = 16;
/// Bytes of the MAC over the public part of a head, and of a counter.
pub(crate) const MAC: usize = 8;
/// Bytes of the digest over the tags of all further chunks.
pub(crate) const DIGEST: usize = 16;
/// Bytes of the fixed fields of a head.
pub(crate) const FIELDS: usize = 16;
/// Longest body of a head.
pub(crate) const MAX_HEAD: usize = ERASURE_KEY + FIELDS + MAX_META + DIGEST + MAC + CHUNK + TAG;

/// The device's root key: 32 bytes that never leave it.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct RootKey([u8; 32]);

impl RootKey {
    /// Takes a copy of the key.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(*bytes)
    }
}

/// A key-encryption key: 32 bytes that a session holds after the PIN was presented.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Kek([u8; 32]);

impl Kek {
    /// Takes a copy of the key.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(*bytes)
    }
}

/// What a chunk's key is bound to besides its seed.
#[derive(Clone, Copy)]
pub(crate) struct Binding {
    pub(crate) kind: Kind,
    pub(crate) id: u16,
    /// 0 for the content in the head.
    pub(crate) part: u16,
    /// Number of the transaction that created the object.
    pub(crate) version: u32,
}

impl Binding {
    fn bytes(&self) -> [u8; 9] {
        let [i0, i1] = self.id.to_le_bytes();
        let [p0, p1] = self.part.to_le_bytes();
        let [v0, v1, v2, v3] = self.version.to_le_bytes();
        [self.kind as u8, i0, i1, p0, p1, v0, v1, v2, v3]
    }
}

/// Keys derived once from the root key.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Sealer {
    content: [u8; 32],
    mac: [u8; 32],
    #[zeroize(skip)]
    check: u32,
}

impl Sealer {
    pub(crate) fn new(root: RootKey) -> Self {
        let mut sealer = Self { content: [0; 32], mac: [0; 32], check: 0 };
        hkdf_sha256(&[], &root.0, &[b"ferrite store content"], &mut sealer.content);
        hkdf_sha256(&[], &root.0, &[b"ferrite store mac"], &mut sealer.mac);
        let mut check = [0; 4];
        hkdf_sha256(&[], &root.0, &[b"ferrite store check"], &mut check);
        sealer.check = u32::from_le_bytes(check);
        sealer
    }

    /// Start value of the CRC of record headers, so that nobody who chooses content can make bytes look like a header.
    pub(crate) fn check(&self) -> u32 {
        self.check
    }

    /// Encrypts in place; `aad` is authenticated with it.
    pub(crate) fn seal(
        &self,
        seal: Seal<'_>,
        seed: &[u8],
        binding: Binding,
        aad: &[u8],
        content: &mut [u8],
    ) -> [u8; TAG] {
        aead::seal(&self.key(seal, seed, binding), &NONCE, aad, content)
    }

    /// Decrypts in place.
    pub(crate) fn open(
        &self,
        seal: Seal<'_>,
        seed: &[u8],
        binding: Binding,
        aad: &[u8],
        content: &mut [u8],
        tag: &[u8; TAG],
    ) -> Result<(), Error> {
        aead::open(&self.key(seal, seed, binding), &NONCE, aad, content, tag).map_err(|_| Error::Corrupt)
    }

    fn key(&self, seal: Seal<'_>, seed: &[u8], binding: Binding) -> aead::Key {
        let secret = match seal {
            Seal::Public | Seal::Device => &self.content,
            Seal::Secret(kek) => &kek.0,
        };
        let mut key = Zeroizing::new([0; 32]);
        hkdf_sha256(seed, secret, &[b"ferrite store record", &binding.bytes()], &mut key);
        aead::Key::from_bytes(&key)
    }

    /// Authenticates the public part of a head.
    pub(crate) fn head_mac(&self, id: u16, public: &[u8]) -> [u8; MAC] {
        self.mac(b"head", id, public)
    }

    /// Authenticates a counter's value as one of this version of the object. Never all zero.
    pub(crate) fn counter_mac(&self, id: u16, version: u32, value: u32) -> [u8; MAC] {
        let [v0, v1, v2, v3] = version.to_le_bytes();
        let [n0, n1, n2, n3] = value.to_le_bytes();
        let mut mac = self.mac(b"counter", id, &[v0, v1, v2, v3, n0, n1, n2, n3]);
        mac[0] |= 1;
        mac
    }

    fn mac(&self, what: &[u8], id: u16, bytes: &[u8]) -> [u8; MAC] {
        truncate(&hmac_sha256(&self.mac, &[&[what.len() as u8], what, &id.to_le_bytes(), bytes]))
    }
}

/// Compares two MACs or digests in constant time.
pub(crate) fn same(a: &[u8], b: &[u8]) -> Result<(), Error> {
    if a.ct_eq(b).into() { Ok(()) } else { Err(Error::Corrupt) }
}

/// Binds the chunks of an object together: a hash over their tags, in order.
pub(crate) struct TagDigest(Sha256Stream);

impl TagDigest {
    pub(crate) fn new() -> Self {
        Self(Sha256Stream::new())
    }

    pub(crate) fn add(&mut self, tag: &[u8]) {
        self.0.update(tag);
    }

    pub(crate) fn finish(self) -> [u8; DIGEST] {
        truncate(&self.0.finish())
    }
}

fn truncate<const N: usize>(hash: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    for (out, byte) in out.iter_mut().zip(hash) {
        *out = *byte;
    }
    out
}
