//! The algorithms of the extended interface and their object identifiers (specification part 2 §5.1).

/// Length of a block of AES, in bytes.
pub(super) const BLOCK: usize = 16;

/// An unauthenticated mode of AES.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CipherMode {
    /// One block by itself.
    Ecb,
    /// Cipher block chaining, no padding.
    Cbc,
    /// Output feedback.
    Ofb,
    /// Cipher feedback with segments of 128 bits.
    Cfb128,
    /// Counter mode, 128 bits, big-endian.
    Ctr,
    /// XTS with ciphertext stealing, one data unit.
    Xts,
}

/// An authenticated mode, with a tag of 16 bytes behind the ciphertext.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AeadMode {
    /// AES-GCM.
    Gcm,
    /// AES-CCM.
    Ccm,
    /// ChaCha20-Poly1305.
    ChaCha20Poly1305,
}

impl AeadMode {
    /// Legal lengths of a nonce, in bytes.
    pub(super) fn nonce_len(self) -> core::ops::RangeInclusive<usize> {
        match self {
            AeadMode::Gcm => 1..=usize::MAX,
            AeadMode::Ccm => 7..=13,
            AeadMode::ChaCha20Poly1305 => 12..=12,
        }
    }
}

/// The hash function of an HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HmacHash {
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

/// What an object identifier stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// A mode, and the length of its key in bytes.
    Cipher(CipherMode, usize),
    /// A mode, and the length of its key in bytes.
    Aead(AeadMode, usize),
    Hmac(HmacHash),
    Hkdf(HmacHash),
    Pbkdf2,
    Pbes2,
    Node,
    X963,
}

/// Arc `aes` of NIST (2.16.840.1.101.3.4.1).
const fn aes(last: u8) -> [u8; 9] {
    [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, last]
}

/// IEEE 1619 (1.3.111.2.1619.0.1).
const fn ieee_1619(last: u8) -> [u8; 9] {
    [0x2B, 0x6F, 0x02, 0x8C, 0x53, 0x00, 0x00, 0x01, last]
}

/// Arc `digestAlgorithm` of RSADSI (1.2.840.113549.2).
const fn hmac(last: u8) -> [u8; 8] {
    [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x02, last]
}

/// Arc `pkcs-5` (1.2.840.113549.1.5).
const fn pkcs5(last: u8) -> [u8; 9] {
    [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x05, last]
}

/// Arc `id-smime alg` (1.2.840.113549.1.9.16.3).
const fn smime(last: u8) -> [u8; 11] {
    [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x10, 0x03, last]
}

/// PBKDF2.
pub(super) const PBKDF2_OID: [u8; 9] = pkcs5(0x0C);

/// Every object identifier of the extended interface (specification part 2 §5.1). They are compared as a whole.
pub(super) const ALGORITHMS: [(&[u8], Algorithm); 36] = [
    (&aes(0x01), Algorithm::Cipher(CipherMode::Ecb, 16)),
    (&aes(0x02), Algorithm::Cipher(CipherMode::Cbc, 16)),
    (&aes(0x03), Algorithm::Cipher(CipherMode::Ofb, 16)),
    (&aes(0x04), Algorithm::Cipher(CipherMode::Cfb128, 16)),
    (&aes(0x06), Algorithm::Aead(AeadMode::Gcm, 16)),
    (&aes(0x07), Algorithm::Aead(AeadMode::Ccm, 16)),
    (&aes(0x09), Algorithm::Cipher(CipherMode::Ctr, 16)),
    (&aes(0x15), Algorithm::Cipher(CipherMode::Ecb, 24)),
    (&aes(0x16), Algorithm::Cipher(CipherMode::Cbc, 24)),
    (&aes(0x17), Algorithm::Cipher(CipherMode::Ofb, 24)),
    (&aes(0x18), Algorithm::Cipher(CipherMode::Cfb128, 24)),
    (&aes(0x1A), Algorithm::Aead(AeadMode::Gcm, 24)),
    (&aes(0x1B), Algorithm::Aead(AeadMode::Ccm, 24)),
    (&aes(0x1D), Algorithm::Cipher(CipherMode::Ctr, 24)),
    (&aes(0x29), Algorithm::Cipher(CipherMode::Ecb, 32)),
    (&aes(0x2A), Algorithm::Cipher(CipherMode::Cbc, 32)),
    (&aes(0x2B), Algorithm::Cipher(CipherMode::Ofb, 32)),
    (&aes(0x2C), Algorithm::Cipher(CipherMode::Cfb128, 32)),
    (&aes(0x2E), Algorithm::Aead(AeadMode::Gcm, 32)),
    (&aes(0x2F), Algorithm::Aead(AeadMode::Ccm, 32)),
    (&aes(0x31), Algorithm::Cipher(CipherMode::Ctr, 32)),
    (&ieee_1619(0x01), Algorithm::Cipher(CipherMode::Xts, 32)),
    (&ieee_1619(0x02), Algorithm::Cipher(CipherMode::Xts, 64)),
    (&smime(0x12), Algorithm::Aead(AeadMode::ChaCha20Poly1305, 32)),
    (&hmac(0x07), Algorithm::Hmac(HmacHash::Sha1)),
    (&hmac(0x08), Algorithm::Hmac(HmacHash::Sha224)),
    (&hmac(0x09), Algorithm::Hmac(HmacHash::Sha256)),
    (&hmac(0x0A), Algorithm::Hmac(HmacHash::Sha384)),
    (&hmac(0x0B), Algorithm::Hmac(HmacHash::Sha512)),
    (&smime(0x1D), Algorithm::Hkdf(HmacHash::Sha256)),
    (&smime(0x1E), Algorithm::Hkdf(HmacHash::Sha384)),
    (&smime(0x1F), Algorithm::Hkdf(HmacHash::Sha512)),
    (&PBKDF2_OID, Algorithm::Pbkdf2),
    (&pkcs5(0x0D), Algorithm::Pbes2),
    // An object identifier of the Pico HSM's own.
    (&[0x2B, 0x06, 0x01, 0x04, 0x01, 0x83, 0xA8, 0x78, 0x05, 0x8D, 0x6B], Algorithm::Node),
    // dhSinglePass-stdDH-kdf schemes of SEC 1.
    (&[0x2B, 0x81, 0x05, 0x10, 0x86, 0x48, 0x3F], Algorithm::X963),
];

impl Algorithm {
    pub(super) fn from_oid(oid: &[u8]) -> Option<Self> {
        ALGORITHMS.iter().find(|(known, _)| *known == oid).map(|(_, algorithm)| *algorithm)
    }

    pub(super) fn oid(self) -> &'static [u8] {
        ALGORITHMS.iter().find(|(_, known)| *known == self).map_or(&[], |(oid, _)| oid)
    }
}

impl HmacHash {
    /// The hash function that the object identifier of an HMAC names.
    pub(super) fn from_oid(oid: &[u8]) -> Option<Self> {
        match Algorithm::from_oid(oid) {
            Some(Algorithm::Hmac(hash)) => Some(hash),
            _ => None,
        }
    }

    pub(super) fn oid(self) -> &'static [u8] {
        Algorithm::Hmac(self).oid()
    }
}
