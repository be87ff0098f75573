//! Reading commands: parse, don't validate. Past this point no code looks at raw offsets.

use super::{
    AlgorithmId, Attributes, CERTIFICATE_FORMS, Command, Initialize, Instruction, KEY_DOMAINS, KeyRequest,
    MAX_CHALLENGE, Membership, P2_UNWRAP, P2_WRAP, PinReference, Secret, SecretKeyLen, SecurityEnvironment, Share,
    Target, UnblockMode, extras, seed,
};
use crate::apdu::Apdu;
use crate::fid::{FileId, KeyId};
use crate::secure_messaging;
use crate::status::Status;
use crate::tlv::{Reader, Tag};
use core::num::NonZeroU16;

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
