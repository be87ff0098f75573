//! Commands as types: one variant for each thing a host may ask (specification part 1 §2).
//!
//! [`Command::decode`] turns an APDU into a typed, bounded value or a status word, so that no code behind it looks at
//! raw offsets. [`Command::encode`] is its inverse, for the host side: `decode(encode(c)) == c`.

mod algorithm;
mod attributes;
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

use crate::apdu::{Apdu, Class};
use crate::clock::{Moment, Months};
use crate::fid::{FileId, KeyId};
use crate::secure_messaging::{self, POINT};
use crate::status::Status;
use crate::tlv::{self, Full, Reader, Tag, Writer};
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

impl<'a> Command<'a> {
    /// Reads a command. Secure messaging and chaining have been taken off before.
    pub fn decode(apdu: &Apdu<'a>) -> Result<Self, Status> {
        let data = apdu.data;
        match Instruction::from_ins(apdu.ins).ok_or(Status::INS)? {
            Instruction::Select => decode_select(apdu),
            Instruction::ReadBinary => Ok(decode_read_even(apdu)),
            Instruction::ReadBinaryOdd => decode_read(apdu),
            Instruction::UpdateBinaryOdd => decode_update(apdu),
            Instruction::DeleteFile => match data {
                [] => Ok(Command::DeleteFile { target: Target::Current }),
                [high, low] => {
                    let file = FileId::new(u16::from_be_bytes([*high, *low]));
                    Ok(Command::DeleteFile { target: Target::File(file) })
                }
                _ => Err(Status::WRONG_LENGTH),
            },
            Instruction::EnumerateObjects => Ok(Command::EnumerateObjects),
            Instruction::Verify => {
                if apdu.p1 != 0 || apdu.p2 & 0x60 != 0 {
                    return Err(Status::WRONG_OFFSET);
                }
                let pin = (!data.is_empty()).then_some(Secret(data));
                Ok(Command::Verify { reference: PinReference::from_value(apdu.p2), pin })
            }
            Instruction::ChangeReferenceData => match (apdu.p1, PinReference::from_value(apdu.p2)) {
                (0, reference @ (PinReference::User | PinReference::SecurityOfficer)) => {
                    Ok(Command::ChangeReferenceData { reference, data: Secret(data) })
                }
                _ => Err(Status::WRONG_OFFSET),
            },
            Instruction::ResetRetryCounter => {
                if PinReference::from_value(apdu.p2) != PinReference::User {
                    return Err(Status::REFERENCE_NOT_FOUND);
                }
                let mode = match apdu.p1 {
                    0 => UnblockMode::SoPinAndNew,
                    1 => UnblockMode::SoPinOnly,
                    2 => UnblockMode::New,
                    3 => UnblockMode::Nothing,
                    _ => return Err(Status::WRONG_P1P2),
                };
                Ok(Command::ResetRetryCounter { mode, data: Secret(data) })
            }
            Instruction::InitializeDevice if data.is_empty() => Ok(Command::DeviceInfo),
            Instruction::InitializeDevice => Initialize::parse(data).map(Command::Initialize),
            Instruction::ManageSecurityEnvironment => {
                SecurityEnvironment::parse(apdu).map(Command::ManageSecurityEnvironment)
            }
            Instruction::VerifyCertificate if apdu.p1 != 0 || !CERTIFICATE_FORMS.contains(&apdu.p2) => {
                Err(Status::WRONG_P1P2)
            }
            Instruction::VerifyCertificate if data.is_empty() => Err(Status::WRONG_LENGTH),
            Instruction::VerifyCertificate => Ok(Command::VerifyCertificate { certificate: data }),
            Instruction::ExternalAuthenticate if (apdu.p1, apdu.p2) != (0, 0) => Err(Status::WRONG_P1P2),
            Instruction::ExternalAuthenticate => Ok(Command::ExternalAuthenticate { signature: data }),
            Instruction::GeneralAuthenticate if (apdu.p1, apdu.p2) != (0, 0) => Err(Status::WRONG_P1P2),
            Instruction::GeneralAuthenticate => {
                secure_messaging::parse_point(data).map(|point| Command::GeneralAuthenticate { point })
            }
            Instruction::SessionPin => match (apdu.p1, PinReference::from_value(apdu.p2)) {
                (1, PinReference::User) => Ok(Command::MakeSessionPin),
                (2, PinReference::User) => Ok(Command::ClearSessionPin),
                _ => Err(Status::WRONG_P1P2),
            },
            Instruction::GetChallenge => match u16::try_from(apdu.le) {
                Ok(len @ 1..=MAX_CHALLENGE) => Ok(Command::GetChallenge { len }),
                _ => Err(Status::WRONG_LENGTH),
            },
            Instruction::GenerateKeyPair => match KeyId::new(apdu.p1) {
                KeyId::DEVICE => Err(Status::WRONG_P1P2),
                key => Ok(Command::GenerateKeyPair { key, request: KeyRequest::parse(data)? }),
            },
            Instruction::Sign => Ok(Command::Sign { key: KeyId::new(apdu.p1), algorithm: AlgorithmId(apdu.p2), data }),
            Instruction::Decipher => {
                Ok(Command::Decipher { key: KeyId::new(apdu.p1), algorithm: AlgorithmId(apdu.p2), data })
            }
            Instruction::DeriveKey => match (KeyId::new(apdu.p2), data) {
                (KeyId::DEVICE, _) => Err(Status::WRONG_P1P2),
                (target, [algorithm, tweak @ ..]) if AlgorithmId(*algorithm) == AlgorithmId::EC_DERIVE => {
                    Ok(Command::DeriveKey { source: KeyId::new(apdu.p1), target, tweak })
                }
                _ => Err(Status::WRONG_LENGTH),
            },
            Instruction::GenerateSecretKey => match KeyId::new(apdu.p1) {
                KeyId::DEVICE => Err(Status::WRONG_P1P2),
                key => {
                    let len = SecretKeyLen::from_p2(apdu.p2).ok_or(Status::WRONG_P1P2)?;
                    Ok(Command::GenerateSecretKey { key, len, attributes: Attributes::parse(data)? })
                }
            },
            Instruction::SymmetricCipher => {
                // No Le, and an extended Le that asks for everything, leave the length to the card.
                let len = u16::try_from(apdu.le).ok().and_then(NonZeroU16::new);
                let (key, algorithm) = (KeyId::new(apdu.p1), AlgorithmId(apdu.p2));
                Ok(Command::SymmetricCipher { key, algorithm, data: Secret(data), len })
            }
            Instruction::HierarchicalKeys => seed::decode(apdu),
            Instruction::KeyDomain => decode_key_domain(apdu),
            Instruction::Extras => extras::decode(apdu),
            Instruction::WrapKey => match apdu.p2 {
                P2_WRAP => Ok(Command::WrapKey { key: KeyId::new(apdu.p1) }),
                _ => Err(Status::WRONG_OFFSET),
            },
            Instruction::UnwrapKey => match (apdu.p2, KeyId::new(apdu.p1)) {
                (P2_UNWRAP, KeyId::DEVICE) => Err(Status::WRONG_P1P2),
                (P2_UNWRAP, key) => Ok(Command::UnwrapKey { key, blob: (!data.is_empty()).then_some(data) }),
                _ => Err(Status::WRONG_OFFSET),
            },
            Instruction::PublicKeyAuthentication if data.is_empty() => {
                let slot = (apdu.p1 == 2).then_some(apdu.p2);
                Ok(Command::PublicKeyAuthenticationStatus { slot })
            }
            Instruction::PublicKeyAuthentication => match (apdu.p1, apdu.p2) {
                (0, 0) => Ok(Command::RegisterPublicKey { slot: None, request: data }),
                (1, slot) => Ok(Command::RegisterPublicKey { slot: Some(slot), request: data }),
                _ => Err(Status::WRONG_P1P2),
            },
        }
    }

    /// Writes the command's data into `scratch` and returns the APDU.
    pub fn encode<'b>(&self, scratch: &'b mut [u8]) -> Result<Apdu<'b>, Full> {
        /// What a command wants that answers with data, and one that does not.
        const ALL: usize = 0x1_0000;
        const NOTHING: usize = 0;
        let mut w = Writer::new(scratch);
        let (cla, instruction, [p1, p2], le) = match *self {
            Command::SelectApplication { aid } => {
                w.raw(aid);
                (0x00, Instruction::Select, [0x04, 0x00], 256)
            }
            Command::SelectFile { file } => {
                w.raw(&file.to_bytes());
                (0x00, Instruction::Select, [0x00, 0x00], 256)
            }
            Command::SelectMasterFile => (0x00, Instruction::Select, [0x00, 0x00], 256),
            Command::ReadBinary { target, offset } => {
                w.put(0x54, &offset.to_be_bytes());
                (0x00, Instruction::ReadBinaryOdd, target.to_p1p2(), ALL)
            }
            Command::UpdateBinary { target, offset, content } => {
                w.put(0x54, &offset.to_be_bytes()).put(0x53, content.0);
                (0x00, Instruction::UpdateBinaryOdd, target.to_p1p2(), NOTHING)
            }
            Command::DeleteFile { target } => {
                if let Target::File(file) = target {
                    w.raw(&file.to_bytes());
                }
                (0x00, Instruction::DeleteFile, [0x02, 0x00], if target == Target::Current { 256 } else { NOTHING })
            }
            Command::EnumerateObjects => (0x80, Instruction::EnumerateObjects, [0, 0], ALL),
            Command::Verify { reference, pin } => {
                w.raw(pin.map_or(&[], |pin| pin.0));
                let le = if pin.is_some() { NOTHING } else { 256 };
                (0x00, Instruction::Verify, [0, reference.value()], le)
            }
            Command::ChangeReferenceData { reference, data } => {
                w.raw(data.0);
                (0x00, Instruction::ChangeReferenceData, [0, reference.value()], no_answer(data))
            }
            Command::ResetRetryCounter { mode, data } => {
                w.raw(data.0);
                (0x00, Instruction::ResetRetryCounter, [mode as u8, PinReference::User.value()], no_answer(data))
            }
            Command::DeviceInfo => (0x80, Instruction::InitializeDevice, [0, 0], 256),
            Command::Initialize(request) => {
                request.write_to(&mut w);
                (0x80, Instruction::InitializeDevice, [0, 0], NOTHING)
            }
            Command::ManageSecurityEnvironment(environment) => {
                let p1p2 = environment.write(&mut w);
                let le = if environment == SecurityEnvironment::Nothing { 256 } else { NOTHING };
                (0x00, Instruction::ManageSecurityEnvironment, p1p2, le)
            }
            Command::VerifyCertificate { certificate } => {
                w.raw(certificate);
                (0x00, Instruction::VerifyCertificate, [0, P2_SELF_DESCRIPTIVE], NOTHING)
            }
            Command::ExternalAuthenticate { signature } => {
                w.raw(signature);
                let le = if signature.is_empty() { 256 } else { NOTHING };
                (0x00, Instruction::ExternalAuthenticate, [0, 0], le)
            }
            Command::GeneralAuthenticate { point } => {
                secure_messaging::write_point(point, &mut w);
                (0x00, Instruction::GeneralAuthenticate, [0, 0], 256)
            }
            Command::MakeSessionPin => (0x00, Instruction::SessionPin, [1, PinReference::User.value()], 256),
            Command::ClearSessionPin => (0x00, Instruction::SessionPin, [2, PinReference::User.value()], 256),
            Command::GetChallenge { len } => (0x00, Instruction::GetChallenge, [0, 0], usize::from(len)),
            Command::GenerateKeyPair { key, request } => {
                request.write_to(&mut w);
                (0x00, Instruction::GenerateKeyPair, [key.value(), 0], ALL)
            }
            Command::Sign { key, algorithm, data } => {
                w.raw(data);
                (0x80, Instruction::Sign, [key.value(), algorithm.0], ALL)
            }
            Command::Decipher { key, algorithm, data } => {
                w.raw(data);
                (0x80, Instruction::Decipher, [key.value(), algorithm.0], ALL)
            }
            Command::DeriveKey { source, target, tweak } => {
                w.raw(&[AlgorithmId::EC_DERIVE.0]).raw(tweak);
                (0x80, Instruction::DeriveKey, [source.value(), target.value()], NOTHING)
            }
            Command::GenerateSecretKey { key, len, attributes } => {
                attributes.write_to(&mut w);
                let le = if attributes.is_empty() { 256 } else { NOTHING };
                (0x00, Instruction::GenerateSecretKey, [key.value(), len as u8], le)
            }
            Command::SymmetricCipher { key, algorithm, data, len } => {
                w.raw(data.0);
                let le = len.map_or(ALL, |len| usize::from(len.get()));
                (0x80, Instruction::SymmetricCipher, [key.value(), algorithm.0], le)
            }
            Command::CreateSeed { kind, seed, secret } => {
                w.raw(secret.map_or(&[], |secret| secret.0));
                let le = if secret.is_some() { NOTHING } else { 256 };
                (0x80, Instruction::HierarchicalKeys, [kind as u8, seed], le)
            }
            Command::PublicNode { path } => {
                let p1p2 = seed::write_public_node(path, &mut w);
                (0x80, Instruction::HierarchicalKeys, p1p2, 256)
            }
            Command::SelectNode { path } => {
                let p1p2 = seed::write_select_node(path, &mut w);
                (0x80, Instruction::HierarchicalKeys, p1p2, NOTHING)
            }
            Command::DynamicOptions => (0x80, Instruction::Extras, [ExtrasFunction::Options as u8, 0], 256),
            Command::SetDynamicOptions(options) => {
                w.raw(&[options.to_byte()]);
                (0x80, Instruction::Extras, [ExtrasFunction::Options as u8, 0], NOTHING)
            }
            Command::Clock => (0x80, Instruction::Extras, [ExtrasFunction::Clock as u8, 0], 256),
            Command::SetClock(moment) => {
                w.raw(&moment.to_bytes(Months::FromOne));
                (0x80, Instruction::Extras, [ExtrasFunction::Clock as u8, 0], NOTHING)
            }
            Command::Memory => (0x80, Instruction::Extras, [ExtrasFunction::Memory as u8, 0], 256),
            Command::StoredConfiguration => (0x80, Instruction::Extras, [ExtrasFunction::Configuration as u8, 0], 256),
            Command::SecureLockAgreement { point } => {
                w.raw(point);
                (0x80, Instruction::Extras, [ExtrasFunction::SecureLock as u8, extras::P2_AGREEMENT], 256)
            }
            Command::SecureLock { operation, message } => {
                w.raw(message);
                (0x80, Instruction::Extras, [ExtrasFunction::SecureLock as u8, operation as u8], NOTHING)
            }
            Command::KeyDomainStatus { domain } => (0x80, Instruction::KeyDomain, [0, domain], 256),
            Command::ImportShare { domain, share } => {
                w.raw(share.0);
                (0x80, Instruction::KeyDomain, [0, domain], 256)
            }
            Command::CreateKeyDomain { domain, shares } => {
                w.raw(&[shares]);
                (0x80, Instruction::KeyDomain, [1, domain], 256)
            }
            Command::DeleteKeyDomain { domain } => (0x80, Instruction::KeyDomain, [3, domain], 256),
            Command::ClearKeyDomain { domain } => (0x80, Instruction::KeyDomain, [4, domain], 256),
            Command::CreateExchangeDomain { domain, membership } => {
                if let Some(Membership { signer, signature }) = membership {
                    w.raw(signer).put(MEMBERSHIP_SIGNATURE, signature);
                }
                (0x80, Instruction::KeyDomain, [2, domain], 256)
            }
            Command::WrapKey { key } => (0x80, Instruction::WrapKey, [key.value(), P2_WRAP], ALL),
            Command::UnwrapKey { key, blob } => {
                w.raw(blob.unwrap_or_default());
                let le = if blob.is_some() { NOTHING } else { 256 };
                (0x80, Instruction::UnwrapKey, [key.value(), P2_UNWRAP], le)
            }
            Command::PublicKeyAuthenticationStatus { slot } => {
                let p1p2 = slot.map_or([0, 0], |slot| [2, slot]);
                (0x80, Instruction::PublicKeyAuthentication, p1p2, 256)
            }
            Command::RegisterPublicKey { slot, request } => {
                w.raw(request);
                let p1p2 = slot.map_or([0, 0], |slot| [1, slot]);
                (0x80, Instruction::PublicKeyAuthentication, p1p2, 256)
            }
        };
        let len = w.finish()?;
        let data = scratch.get(..len).ok_or(Full)?;
        Ok(Apdu { cla: Class::new(cla), ins: instruction.ins(), p1, p2, data, le })
    }
}

/// KEY DOMAIN: P1 says what to do.
fn decode_key_domain<'a>(apdu: &Apdu<'a>) -> Result<Command<'a>, Status> {
    let domain = apdu.p2;
    if domain >= KEY_DOMAINS {
        return Err(Status::WRONG_OFFSET);
    }
    match (apdu.p1, apdu.data) {
        (0, []) => Ok(Command::KeyDomainStatus { domain }),
        (0, data) => match data.first_chunk() {
            Some(share) => Ok(Command::ImportShare { domain, share: Share(share) }),
            None => Err(Status::WRONG_LENGTH),
        },
        (1, [shares]) if *shares != u8::MAX => Ok(Command::CreateKeyDomain { domain, shares: *shares }),
        (1, [_]) => Err(Status::WRONG_DATA),
        (1, _) => Err(Status::WRONG_LENGTH),
        (2, []) => Ok(Command::CreateExchangeDomain { domain, membership: None }),
        (2, data) => Ok(Command::CreateExchangeDomain { domain, membership: Some(Membership::parse(data)?) }),
        (3, _) => Ok(Command::DeleteKeyDomain { domain }),
        (4, _) => Ok(Command::ClearKeyDomain { domain }),
        _ => Err(Status::WRONG_P1P2),
    }
}

/// Le of a command that answers without data: none, which a command without data cannot say.
fn no_answer(data: Secret<'_>) -> usize {
    if data.0.is_empty() { 256 } else { 0 }
}

fn decode_select<'a>(apdu: &Apdu<'a>) -> Result<Command<'a>, Status> {
    const PATH_ROOTS: [[u8; 2]; 2] = [[0x3F, 0x00], [0x50, 0x15]];
    match (apdu.p1, apdu.p2, apdu.data) {
        (0x04, 0x00 | 0x04 | 0x0C, aid) => Ok(Command::SelectApplication { aid }),
        (0x04, 0x01..=0x07, _) => Err(Status::NOT_FOUND),
        (0x00..=0x02 | 0x08 | 0x09, 0x00..=0x07, [high, low]) => {
            Ok(Command::SelectFile { file: FileId::new(u16::from_be_bytes([*high, *low])) })
        }
        (0x00, 0x00..=0x07, []) => Ok(Command::SelectMasterFile),
        (0x08 | 0x09, 0x00..=0x07, path) if path.len() <= 8 => {
            let mut path = path;
            for root in PATH_ROOTS {
                path = path.strip_prefix(&root).unwrap_or(path);
            }
            match path {
                [high, low] => Ok(Command::SelectFile { file: FileId::new(u16::from_be_bytes([*high, *low])) }),
                _ => Err(Status::NOT_FOUND),
            }
        }
        (0x01 | 0x02, 0x00..=0x07, _) => Err(Status::NOT_FOUND),
        (0x00 | 0x08 | 0x09, 0x00..=0x07, _) => Err(Status::WRONG_LENGTH),
        _ => Err(Status::WRONG_P1P2),
    }
}

/// READ BINARY with even INS: a short file identifier and an offset of one byte, or an offset in the current file.
fn decode_read_even<'a>(apdu: &Apdu<'a>) -> Command<'a> {
    if apdu.p1 & 0x80 != 0 {
        let file = FileId::new(u16::from(apdu.p1 & 0x1F));
        return Command::ReadBinary { target: Target::File(file), offset: u32::from(apdu.p2) };
    }
    let offset = u32::from(u16::from_be_bytes([apdu.p1, apdu.p2]));
    Command::ReadBinary { target: Target::Current, offset }
}

/// READ BINARY with odd INS: the offset stands in a data object 54.
fn decode_read<'a>(apdu: &Apdu<'a>) -> Result<Command<'a>, Status> {
    if apdu.p1 == 0 && (0x01..=0x1E).contains(&apdu.p2) {
        let file = FileId::new(u16::from(apdu.p2));
        // A short file identifier; the offset may be left out.
        let offset = if apdu.data.is_empty() { 0 } else { read_offset(apdu.data)? };
        return Ok(Command::ReadBinary { target: Target::File(file), offset });
    }
    Ok(Command::ReadBinary { target: Target::from_p1p2(apdu), offset: read_offset(apdu.data)? })
}

fn read_offset(data: &[u8]) -> Result<u32, Status> {
    match Reader::new(data).next() {
        Some(Ok((OFFSET, value))) => parse_offset(value),
        _ => Err(Status::WRONG_LENGTH),
    }
}

const OFFSET: Tag = Tag(0x54);
const CONTENT: Tag = Tag(0x53);

/// An offset of up to four bytes; absent bytes mean zero.
fn parse_offset(value: &[u8]) -> Result<u32, Status> {
    if value.len() > 4 {
        return Err(Status::WRONG_LENGTH);
    }
    Ok(value.iter().fold(0, |offset, byte| (offset << 8) | u32::from(*byte)))
}

fn decode_update<'a>(apdu: &Apdu<'a>) -> Result<Command<'a>, Status> {
    let mut offset = 0;
    let mut content = &[][..];
    for object in Reader::new(apdu.data) {
        match object.map_err(|_| Status::WRONG_DATA)? {
            (OFFSET, value) => offset = parse_offset(value)?,
            (CONTENT, value) => content = value,
            _ => {}
        }
    }
    Ok(Command::UpdateBinary { target: Target::from_p1p2(apdu), offset, content: Secret(content) })
}

#[cfg(test)]
mod tests;
