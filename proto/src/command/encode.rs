//! Writing commands: what [`Command::decode`] reads.

use super::{
    AlgorithmId, Command, ExtrasFunction, Instruction, MEMBERSHIP_SIGNATURE, Membership, P2_SELF_DESCRIPTIVE,
    P2_UNWRAP, P2_WRAP, PinReference, Secret, SecurityEnvironment, Target, extras, seed,
};
use crate::apdu::{Apdu, Class};
use crate::clock::Months;
use crate::secure_messaging;
use crate::tlv::{Full, Writer};

impl Command<'_> {
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

/// Le of a command that answers without data: none, which a command without data cannot say.
fn no_answer(data: Secret<'_>) -> usize {
    if data.0.is_empty() { 256 } else { 0 }
}
