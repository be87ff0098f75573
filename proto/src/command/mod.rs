//! Commands as types: one variant for each thing a host may ask (specification part 1 §2).
//!
//! [`Command::decode`] turns an APDU into a typed, bounded value or a status word, so that no code behind it looks at
//! raw offsets. [`Command::encode`] is its inverse, for the host side: `decode(encode(c)) == c`.

mod algorithm;
mod attributes;
mod decode;
mod encode;
mod environment;
mod extras;
mod generate;
mod initialize;
mod instruction;
mod options;
mod seed;
mod symmetric;

pub use algorithm::AlgorithmId;
pub use attributes::Attributes;
pub use environment::SecurityEnvironment;
pub use extras::{DynamicOptions, ExtrasFunction, LOCK_MESSAGE, LOCK_POINT, LockOperation};
pub use generate::{KeyAlgorithm, KeyRequest, MAX_REFERENCE, SecretKeyLen};
pub use initialize::{Initialize, PublicKeyAuthentication};
pub use instruction::Instruction;
pub use options::Options;
pub use seed::{Path, PathStep, SEEDS, SeedKind};
pub use symmetric::{AeadMode, CipherMode, Direction, HmacHash, Pbes2, Pbkdf2, SymmetricOperation};

use crate::apdu::Apdu;
use crate::clock::Moment;
use crate::fid::{FileId, KeyId};
use crate::secure_messaging::POINT;
use crate::status::Status;
use crate::tlv::{self, Tag};
use core::fmt;
use core::num::NonZeroU16;

/// Longest random number one GET CHALLENGE returns, in bytes.
pub const MAX_CHALLENGE: u16 = 1024;

/// Number of key domains there may be.
pub const KEY_DOMAINS: u8 = 16;
/// Length of a DKEK and of each of its shares, in bytes.
pub const DKEK: usize = 32;
/// P2 of VERIFY CERTIFICATE: the certificate describes itself. Clients also say 92 and AE.
const P2_SELF_DESCRIPTIVE: u8 = 0xBE;
const CERTIFICATE_FORMS: [u8; 3] = [0x92, 0xAE, P2_SELF_DESCRIPTIVE];
const MEMBERSHIP_SIGNATURE: u16 = 0x54;
const P2_WRAP: u8 = 0x92;
const P2_UNWRAP: u8 = 0x93;

/// A DKEK share. It must not be printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Share<'a>(pub &'a [u8; DKEK]);

impl fmt::Debug for Share<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret share")
    }
}

/// Bytes that must not be printed: PINs and the content of private objects.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret<'a>(pub &'a [u8]);

impl fmt::Debug for Secret<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secret bytes", self.0.len())
    }
}

/// The file a command works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The current elementary file.
    Current,
    /// A file by its identifier.
    File(FileId),
}

impl Target {
    fn from_p1p2(apdu: &Apdu<'_>) -> Self {
        match u16::from_be_bytes([apdu.p1, apdu.p2]) {
            0 => Target::Current,
            file => Target::File(FileId::new(file)),
        }
    }

    fn to_p1p2(self) -> [u8; 2] {
        match self {
            Target::Current => [0, 0],
            Target::File(file) => file.to_bytes(),
        }
    }
}

/// Whose PIN a command is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinReference {
    /// `81`: the user PIN.
    User,
    /// `88`: the PIN of the security officer.
    SecurityOfficer,
    /// A reference the card does not have; OpenSC probes 85 and 86.
    Other(u8),
}

impl PinReference {
    /// The reference in P2.
    pub const fn value(self) -> u8 {
        match self {
            PinReference::User => 0x81,
            PinReference::SecurityOfficer => 0x88,
            PinReference::Other(value) => value,
        }
    }

    const fn from_value(value: u8) -> Self {
        match value {
            0x81 => PinReference::User,
            0x88 => PinReference::SecurityOfficer,
            other => PinReference::Other(other),
        }
    }
}

/// What RESET RETRY COUNTER does, and what its data holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum UnblockMode {
    /// SO-PIN and new user PIN: sets the PIN.
    SoPinAndNew = 0,
    /// SO-PIN: resets the counter.
    SoPinOnly = 1,
    /// New user PIN, in an SO session: sets the PIN.
    New = 2,
    /// Nothing, in an SO session: resets the counter.
    Nothing = 3,
}

/// What makes a device a member of a key domain (specification part 2 §9.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership<'a> {
    /// The complete CV certificate, or request, of the group signer.
    pub signer: &'a [u8],
    /// The group signer's signature over the X coordinate of the device's public key, behind a byte 54: r and s.
    pub signature: &'a [u8],
}

impl<'a> Membership<'a> {
    /// Reads a data object, whatever it is, and behind it, or behind others, the signature in a 54: 6700 if there is none.
    fn parse(data: &'a [u8]) -> Result<Self, Status> {
        let first = tlv::split(data).map_err(|_| Status::WRONG_DATA)?;
        let signature = tlv::find(first.rest, Tag(MEMBERSHIP_SIGNATURE)).ok_or(Status::WRONG_LENGTH)?;
        Ok(Self { signer: first.encoded, signature })
    }
}

/// A command with its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command<'a> {
    /// SELECT by application identifier; what follows a known identifier is ignored.
    SelectApplication {
        /// The identifier.
        aid: &'a [u8],
    },
    /// SELECT by file identifier, or by a path that ends in one.
    SelectFile {
        /// The file.
        file: FileId,
    },
    /// SELECT of the master file.
    SelectMasterFile,
    /// READ BINARY.
    ReadBinary {
        /// The file.
        target: Target,
        /// First byte to read.
        offset: u32,
    },
    /// UPDATE BINARY with odd INS.
    UpdateBinary {
        /// The file.
        target: Target,
        /// First byte to write.
        offset: u32,
        /// What to write.
        content: Secret<'a>,
    },
    /// DELETE FILE.
    DeleteFile {
        /// The file.
        target: Target,
    },
    /// ENUMERATE OBJECTS.
    EnumerateObjects,
    /// VERIFY.
    Verify {
        /// Whose PIN.
        reference: PinReference,
        /// The PIN; `None` asks for its state.
        pin: Option<Secret<'a>>,
    },
    /// CHANGE REFERENCE DATA.
    ChangeReferenceData {
        /// Whose PIN: user or security officer.
        reference: PinReference,
        /// Old and new PIN, one after the other.
        data: Secret<'a>,
    },
    /// RESET RETRY COUNTER of the user PIN.
    ResetRetryCounter {
        /// What to do.
        mode: UnblockMode,
        /// As the mode says.
        data: Secret<'a>,
    },
    /// INITIALIZE DEVICE without data: information about the device.
    DeviceInfo,
    /// INITIALIZE DEVICE.
    Initialize(Initialize<'a>),
    /// MANAGE SECURITY ENVIRONMENT.
    ManageSecurityEnvironment(SecurityEnvironment<'a>),
    /// PERFORM SECURITY OPERATION: VERIFY CERTIFICATE. Which certificate it is, and whether it is one, is said only after the
    /// issuer was looked for, so that it is read by [`Certificate::parse_alone`](crate::cvc::Certificate::parse_alone) then.
    VerifyCertificate {
        /// A CV certificate, or the content of one.
        certificate: &'a [u8],
    },
    /// EXTERNAL AUTHENTICATE: login by the key that MANAGE SECURITY ENVIRONMENT named.
    ExternalAuthenticate {
        /// Signature of the device's name and the challenge: r and s, or an RSA signature.
        signature: &'a [u8],
    },
    /// GENERAL AUTHENTICATE: chip authentication, which opens a secure channel.
    GeneralAuthenticate {
        /// The host's ephemeral public key, uncompressed.
        point: &'a [u8; POINT],
    },
    /// A session PIN, in place of any that there was.
    MakeSessionPin,
    /// No session PIN any more.
    ClearSessionPin,
    /// GET CHALLENGE.
    GetChallenge {
        /// Number of random bytes, 1 to [`MAX_CHALLENGE`].
        len: u16,
    },
    /// GENERATE ASYMMETRIC KEY PAIR.
    GenerateKeyPair {
        /// Where the key goes; never the device key.
        key: KeyId,
        /// What key, and what its request says.
        request: KeyRequest<'a>,
    },
    /// SIGN.
    Sign {
        /// The key.
        key: KeyId,
        /// The algorithm.
        algorithm: AlgorithmId,
        /// Digest or message.
        data: &'a [u8],
    },
    /// DECIPHER.
    Decipher {
        /// The key.
        key: KeyId,
        /// The algorithm.
        algorithm: AlgorithmId,
        /// Cryptogram, or a peer's public key.
        data: &'a [u8],
    },
    /// DERIVE ASYMMETRIC KEY: a new key whose scalar is greater by a tweak.
    DeriveKey {
        /// The key that exists.
        source: KeyId,
        /// Where the new key goes; never the device key.
        target: KeyId,
        /// The tweak, big-endian.
        tweak: &'a [u8],
    },
    /// GENERATE SYMMETRIC KEY.
    GenerateSecretKey {
        /// Where the key goes; never the device key.
        key: KeyId,
        /// Its length.
        len: SecretKeyLen,
        /// Its attributes.
        attributes: Attributes<'a>,
    },
    /// SYMMETRIC CIPHER. What is wrong with its data is said only after the key was looked at (specification part 2 §4), so
    /// it is read by [`SymmetricOperation::parse`] then.
    SymmetricCipher {
        /// The key.
        key: KeyId,
        /// The algorithm.
        algorithm: AlgorithmId,
        /// Data or data objects, as the algorithm says.
        data: Secret<'a>,
        /// Length of what a key derivation returns, in bytes; `None`: its default.
        len: Option<NonZeroU16>,
    },
    /// Hierarchical keys: a master from a seed, in the place of the one that was there.
    CreateSeed {
        /// What the seed is for.
        kind: SeedKind,
        /// Its number, below [`SEEDS`].
        seed: u8,
        /// The seed, 16 to 64 bytes; `None`: one of random bytes.
        secret: Option<Secret<'a>>,
    },
    /// Hierarchical keys: the public form of a node.
    PublicNode {
        /// The way to the node.
        path: Path<'a>,
    },
    /// Hierarchical keys: the node that the next signature or encryption uses.
    SelectNode {
        /// The way to the node.
        path: Path<'a>,
    },
    /// KEY DOMAIN: query of one domain.
    KeyDomainStatus {
        /// Its number.
        domain: u8,
    },
    /// KEY DOMAIN: import of a DKEK share.
    ImportShare {
        /// The domain's number.
        domain: u8,
        /// The share.
        share: Share<'a>,
    },
    /// KEY DOMAIN: a domain that waits for shares.
    CreateKeyDomain {
        /// Its number.
        domain: u8,
        /// How many shares make its DKEK, 0 to 254; with none it never has one.
        shares: u8,
    },
    /// KEY DOMAIN: deletion of a domain.
    DeleteKeyDomain {
        /// Its number.
        domain: u8,
    },
    /// KEY DOMAIN: its DKEK is forgotten, and it waits for shares again.
    ClearKeyDomain {
        /// Its number.
        domain: u8,
    },
    /// KEY DOMAIN: a domain whose key-encryption key its members agree on.
    CreateExchangeDomain {
        /// Its number.
        domain: u8,
        /// What makes this device a member; `None` asks for the domain's state.
        membership: Option<Membership<'a>>,
    },
    /// WRAP KEY: the key as a blob, encrypted under the DKEK of its domain.
    WrapKey {
        /// The key.
        key: KeyId,
    },
    /// UNWRAP KEY: a key from a blob.
    UnwrapKey {
        /// Where the key goes; never the device key.
        key: KeyId,
        /// The blob; `None` if it lies in the scratch file.
        blob: Option<&'a [u8]>,
    },
    /// EXTRAS: the option word.
    DynamicOptions,
    /// EXTRAS: options that can be changed without INITIALIZE.
    SetDynamicOptions(DynamicOptions),
    /// EXTRAS: date and time.
    Clock,
    /// EXTRAS: sets date and time.
    SetClock(Moment),
    /// EXTRAS: sizes of memories.
    Memory,
    /// EXTRAS: the device configuration that the owner stored.
    StoredConfiguration,
    /// EXTRAS: the key agreement by which the next command of the secure lock is encrypted.
    SecureLockAgreement {
        /// The host's ephemeral public key, uncompressed.
        point: &'a [u8; LOCK_POINT],
    },
    /// EXTRAS: the secure lock.
    SecureLock {
        /// What to do.
        operation: LockOperation,
        /// The mask, encrypted.
        message: &'a [u8; LOCK_MESSAGE],
    },
    /// PUBLIC KEY AUTHENTICATION: query of the whole, or of one slot.
    PublicKeyAuthenticationStatus {
        /// The slot.
        slot: Option<u8>,
    },
    /// PUBLIC KEY AUTHENTICATION: registration of a key. Whether the request is one is said after whether keys may be
    /// registered at all, so that it is read by [`Request::parse_alone`](crate::cvc::Request::parse_alone) then.
    RegisterPublicKey {
        /// The slot whose key it replaces; `None`: the first free one.
        slot: Option<u8>,
        /// The content of an authenticated request (67) for the key, or the whole.
        request: &'a [u8],
    },
}

#[cfg(test)]
mod tests;
