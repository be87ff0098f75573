//! Hierarchical deterministic keys: BIP32 on secp256k1, SLIP-10 on NIST P-256, and symmetric keys by SLIP-21
//! (specification part 2 §6).

use crate::hash::{Digest, Hash};
use crate::{Bytes, Error, ec, mac};
use ripemd::{Digest as _, Ripemd160};
use sha2::Sha256;
use subtle::ConditionallySelectable as _;
use zeroize::Zeroizing;

/// Legal lengths of a seed, in bytes.
pub const SEED: core::ops::RangeInclusive<usize> = 16..=64;
/// Stored form of a master node, in bytes: kind, left half, right half.
pub const STORED: usize = 65;
/// Longest public form of a node, in bytes.
pub const MAX_PUBLIC: usize = 78;
/// Length of the key of the symmetric cipher and of its initialisation vector together, in bytes.
pub const CIPHER_KEY: usize = 48;

/// Children from here on are hardened: they derive from the private key.
const HARDENED: u32 = 0x8000_0000;
/// Version bytes of an extended public key on the main network.
const VERSION: [u8; 4] = [0x04, 0x88, 0xB2, 0x1E];
/// Each half of a node.
const HALF: usize = 32;

/// What kind of hierarchy. The number is part of the storage format, and P1 of the command that makes a master.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Keys on secp256k1 (BIP32).
    Secp256k1 = 1,
    /// Keys on NIST P-256 (SLIP-10).
    P256 = 2,
    /// Symmetric keys (SLIP-21).
    Symmetric = 3,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Secp256k1, Self::P256, Self::Symmetric];

    /// The key with which a seed is hashed.
    fn salt(self) -> &'static [u8] {
        match self {
            Self::Secp256k1 => b"Bitcoin seed",
            Self::P256 => b"Nist256p1 seed",
            Self::Symmetric => b"Symmetric key seed",
        }
    }

    /// The curve; `None` for symmetric keys.
    pub fn curve(self) -> Option<ec::Curve> {
        match self {
            Self::Secp256k1 => Some(ec::Curve::Secp256k1),
            Self::P256 => Some(ec::Curve::P256),
            Self::Symmetric => None,
        }
    }
}

/// A step from a node to a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// A numbered child of a node with a curve; hardened from 2^31 on.
    Number(u32),
    /// A labelled child of a symmetric node.
    Label(&'a [u8]),
}

/// A node: two halves and where it stands. It wipes itself.
pub struct Node {
    kind: Kind,
    /// The private key; of a symmetric node the key for its children.
    left: Zeroizing<[u8; HALF]>,
    /// The chain code; of a symmetric node the key it stands for.
    right: Zeroizing<[u8; HALF]>,
    depth: u8,
    child: u32,
    parent: [u8; 4],
}

impl Node {
    /// The master node of a seed of 16 to 64 bytes.
    pub fn master(kind: Kind, seed: &[u8]) -> Result<Self, Error> {
        if !SEED.contains(&seed.len()) {
            return Err(Error::BadLength);
        }
        let mut digest = mac::hmac(Hash::Sha512, kind.salt(), &[seed]);
        while !is_key(kind, left_of(&digest)) {
            digest = mac::hmac(Hash::Sha512, kind.salt(), &[digest.as_ref()]);
        }
        Ok(Self::from_halves(kind, &digest))
    }

    /// A master node from its stored form.
    pub fn from_bytes(bytes: &[u8; STORED]) -> Result<Self, Error> {
        let [kind, halves @ ..] = bytes;
        let kind = Kind::ALL.into_iter().find(|known| *known as u8 == *kind).ok_or(Error::BadKey)?;
        Ok(Self::from_halves(kind, &Bytes::filled(halves)))
    }

    /// The stored form of a master node, which is secret.
    pub fn to_bytes(&self) -> Zeroizing<[u8; STORED]> {
        let mut bytes = Zeroizing::new([0; STORED]);
        let halves = self.left.iter().chain(self.right.iter());
        bytes.iter_mut().zip([&(self.kind as u8)].into_iter().chain(halves)).for_each(|(to, from)| *to = *from);
        bytes
    }

    /// What kind of node.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// A child. [`Error::BadKey`] for a step that this kind of node does not take, or below depth 255.
    pub fn child(&self, step: Step<'_>) -> Result<Self, Error> {
        let depth = self.depth.checked_add(1).ok_or(Error::BadKey)?;
        let (child, parent, mut node) = match (step, self.private_key()?) {
            (Step::Label(label), None) => {
                let digest = mac::hmac(Hash::Sha512, self.left.as_ref(), &[&[0], label]);
                (0, fingerprint(self.right.as_ref()), Self::from_halves(self.kind, &digest))
            }
            (Step::Number(number), Some(key)) => {
                let point = compressed(&key)?;
                (number, fingerprint(point.as_ref()), self.numbered(number, &key, &point)?)
            }
            (Step::Label(_), Some(_)) | (Step::Number(_), None) => return Err(Error::BadKey),
        };
        (node.depth, node.child, node.parent) = (depth, child, parent);
        Ok(node)
    }

    /// The private key of a node with a curve; `None` for a symmetric one.
    pub fn private_key(&self) -> Result<Option<ec::PrivateKey>, Error> {
        let key = self.kind.curve().map(|curve| ec::PrivateKey::from_bytes(curve, self.left.as_ref()));
        key.transpose()
    }

    /// The extended public key without checksum (BIP32 "Serialization format"), 78 bytes. Of a symmetric node, which has
    /// none, 77 bytes that identify it: both halves, hashed twice.
    pub fn public(&self) -> Result<Bytes<MAX_PUBLIC>, Error> {
        let head = [&VERSION[..], &[self.depth], &self.parent, &self.child.to_be_bytes()];
        let [version, depth, parent, child] = head;
        match self.private_key()? {
            Some(key) => {
                let point = compressed(&key)?;
                Bytes::concat(&[version, depth, parent, child, self.right.as_ref(), point.as_ref()])
            }
            None => {
                let twice = |half: &[u8]| Hash::Sha256.digest(&[Hash::Sha256.digest(&[half]).as_ref()]);
                let (left, right) = (twice(self.left.as_ref()), twice(self.right.as_ref()));
                Bytes::concat(&[version, depth, parent, child, left.as_ref(), right.as_ref()])
            }
        }
    }

    /// Key (32 bytes) and initialisation vector (16) of the cipher of a symmetric node for some associated data;
    /// `None` for a node with a curve.
    pub fn cipher_key(&self, associated: &[u8]) -> Option<Bytes<CIPHER_KEY>> {
        if self.kind != Kind::Symmetric {
            return None;
        }
        let secret = mac::hmac(Hash::Sha512, self.right.as_ref(), &[associated]);
        Some(Bytes::filled(secret.as_ref().get(..CIPHER_KEY).unwrap_or_default()))
    }

    fn numbered(&self, number: u32, key: &ec::PrivateKey, point: &Bytes<33>) -> Result<Self, Error> {
        let index = number.to_be_bytes();
        let mut digest = if number >= HARDENED {
            mac::hmac(Hash::Sha512, self.right.as_ref(), &[&[0], self.left.as_ref(), &index])
        } else {
            mac::hmac(Hash::Sha512, self.right.as_ref(), &[point.as_ref(), &index])
        };
        loop {
            // SLIP-10: when the left half is no key or the sum is zero, the right half takes the place of the data.
            if let (true, Ok(sum)) = (is_key(self.kind, left_of(&digest)), key.add(left_of(&digest))) {
                let mut node = Self::from_halves(self.kind, &digest);
                sum.to_bytes(node.left.as_mut())?;
                return Ok(node);
            }
            let right = Zeroizing::new(right_of(&digest));
            digest = mac::hmac(Hash::Sha512, self.right.as_ref(), &[&[1], right.as_ref(), &index]);
        }
    }

    fn from_halves(kind: Kind, halves: &Bytes<64>) -> Self {
        let mut node = Self {
            kind,
            left: Zeroizing::new([0; HALF]),
            right: Zeroizing::new(right_of(halves)),
            depth: 0,
            child: 0,
            parent: [0; 4],
        };
        node.left.copy_from_slice(left_of(halves));
        node
    }
}

/// The start of RIPEMD-160(SHA-256(public key)); of a symmetric node, of its right half.
fn fingerprint(hashed: &[u8]) -> [u8; 4] {
    let mut fingerprint = [0; 4];
    fingerprint.iter_mut().zip(Ripemd160::digest(Sha256::digest(hashed))).for_each(|(to, from)| *to = from);
    fingerprint
}

fn left_of(halves: &Digest) -> &[u8] {
    halves.as_ref().get(..HALF).unwrap_or_default()
}

fn right_of(halves: &Digest) -> [u8; HALF] {
    let mut right = [0; HALF];
    right.iter_mut().zip(halves.as_ref().iter().skip(HALF)).for_each(|(to, from)| *to = *from);
    right
}

/// Whether a half is a private key, which all are that are symmetric.
fn is_key(kind: Kind, half: &[u8]) -> bool {
    kind.curve().is_none_or(|curve| ec::PrivateKey::from_bytes(curve, half).is_ok())
}

/// The public key in compressed form (SEC 1 §2.3.3).
fn compressed(key: &ec::PrivateKey) -> Result<Bytes<33>, Error> {
    let point = key.public_key()?;
    let (x, last) = match point.as_ref() {
        [4, coordinates @ ..] if coordinates.len() == 2 * HALF => coordinates.split_at(HALF),
        _ => return Err(Error::BadLength),
    };
    let is_odd = last.last().copied().unwrap_or(0) & 1;
    Bytes::concat(&[&[u8::conditional_select(&2, &3, is_odd.into())], x])
}

#[cfg(test)]
mod tests;
