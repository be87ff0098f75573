//! Hash functions (FIPS 180-4) and the DigestInfo that names them (RFC 8017 §9.2).

use crate::Bytes;
use sha2::Sha256;

/// Evaluates an expression in which a name stands for the type behind a [`Hash`].
macro_rules! with_hash {
    ($hash:expr, $name:ident => $body:expr) => {{
        macro_rules! with_type {
            ($type:ty) => {{
                type $name = $type;
                $body
            }};
        }
        match $hash {
            $crate::hash::Hash::Sha1 => with_type!(sha1::Sha1),
            $crate::hash::Hash::Sha224 => with_type!(sha2::Sha224),
            $crate::hash::Hash::Sha256 => with_type!(sha2::Sha256),
            $crate::hash::Hash::Sha384 => with_type!(sha2::Sha384),
            $crate::hash::Hash::Sha512 => with_type!(sha2::Sha512),
        }
    }};
}
pub(crate) use with_hash;

/// A hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// SHA-1.
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// Longest digest, in bytes.
pub const MAX_DIGEST: usize = 64;

/// A digest.
pub type Digest = Bytes<MAX_DIGEST>;

/// What is known of each hash function: output length in bytes, and the DER of its DigestInfo up to the digest, with
/// NULL parameters.
const TABLE: [(Hash, usize, &[u8]); 5] = [
    (Hash::Sha1, 20, &[0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2B, 0x0E, 0x03, 0x02, 0x1A, 0x05, 0x00, 0x04, 0x14]),
    (Hash::Sha224, 28, &sha2_prefix(0x2D, 0x04, 0x1C)),
    (Hash::Sha256, 32, &sha2_prefix(0x31, 0x01, 0x20)),
    (Hash::Sha384, 48, &sha2_prefix(0x41, 0x02, 0x30)),
    (Hash::Sha512, 64, &sha2_prefix(0x51, 0x03, 0x40)),
];

const fn sha2_prefix(total: u8, arc: u8, len: u8) -> [u8; 19] {
    [0x30, total, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, arc, 0x05, 0x00, 0x04, len]
}

impl Hash {
    /// Every hash function.
    pub const ALL: [Hash; 5] = [Hash::Sha1, Hash::Sha224, Hash::Sha256, Hash::Sha384, Hash::Sha512];

    fn row(self) -> &'static (Hash, usize, &'static [u8]) {
        let [sha1, sha224, sha256, sha384, sha512] = &TABLE;
        match self {
            Hash::Sha1 => sha1,
            Hash::Sha224 => sha224,
            Hash::Sha256 => sha256,
            Hash::Sha384 => sha384,
            Hash::Sha512 => sha512,
        }
    }

    /// Length of a digest, in bytes.
    pub fn digest_len(self) -> usize {
        self.row().1
    }

    /// The DER of a DigestInfo up to the digest itself.
    pub fn digest_info_prefix(self) -> &'static [u8] {
        self.row().2
    }

    /// The hash function with digests of this length, in bytes.
    pub fn from_digest_len(len: usize) -> Option<Self> {
        Self::ALL.into_iter().find(|hash| hash.digest_len() == len)
    }

    /// Takes a DigestInfo apart, with or without the NULL parameters (both are legal, RFC 8017 appendix A.2.4).
    pub fn from_digest_info(info: &[u8]) -> Option<(Self, &[u8])> {
        Self::ALL.into_iter().find_map(|hash| {
            let (_, len, prefix) = hash.row();
            let digest = match info.strip_prefix(*prefix) {
                Some(digest) => digest,
                None => {
                    // 30 xx 30 xx OID [05 00] 04 len
                    let (head, oid_and_rest) = prefix.split_at_checked(4)?;
                    let (oid, tail) = oid_and_rest.split_at_checked(oid_and_rest.len().checked_sub(4)?)?;
                    let [sequence, total, inner, algorithm] = head else { return None };
                    let short = [*sequence, total.checked_sub(2)?, *inner, algorithm.checked_sub(2)?];
                    info.strip_prefix(&short)?.strip_prefix(oid)?.strip_prefix(tail.get(2..)?)?
                }
            };
            (digest.len() == *len).then_some((hash, digest))
        })
    }

    /// The digest of the parts, one after the other.
    pub fn digest(self, parts: &[&[u8]]) -> Digest {
        use sha2::Digest as _;
        with_hash!(self, D => {
            let mut state = D::new();
            parts.iter().for_each(|part| state.update(part));
            Digest::filled(&state.finalize())
        })
    }
}

/// SHA-256 of data that comes piece by piece.
#[derive(Default)]
pub struct Sha256Stream(Sha256);

impl Sha256Stream {
    /// Nothing hashed yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        sha2::Digest::update(&mut self.0, piece);
    }

    /// The digest of all pieces, one after the other.
    pub fn finish(self) -> [u8; 32] {
        sha2::Digest::finalize(self.0).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-4 examples: "abc".
    #[test]
    fn digests_of_abc_are_the_published_ones() {
        for (hash, expected) in [
            (Hash::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (Hash::Sha224, "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"),
            (Hash::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                Hash::Sha384,
                "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
            ),
            (
                Hash::Sha512,
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                 2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            ),
        ] {
            assert_eq!(hex::encode(hash.digest(&[b"a", b"bc"])), expected);
            assert_eq!(Hash::from_digest_len(hash.digest_len()), Some(hash));
        }
    }

    #[test]
    fn a_digest_info_is_read_with_and_without_parameters() {
        for hash in Hash::ALL {
            let digest = hash.digest(&[b"x"]);
            let info = [hash.digest_info_prefix(), digest.as_ref()].concat();
            assert_eq!(Hash::from_digest_info(&info), Some((hash, digest.as_ref())));
            let mut short = info.clone();
            let null = hash.digest_info_prefix().len() - 4;
            short.drain(null..null + 2);
            short[1] -= 2;
            short[3] -= 2;
            assert_eq!(Hash::from_digest_info(&short), Some((hash, digest.as_ref())));
            for cut in 0..info.len() {
                assert_eq!(Hash::from_digest_info(&info[..cut]), None);
            }
            assert_eq!(Hash::from_digest_info(&[&info[..], &[0]].concat()), None);
        }
    }
}
