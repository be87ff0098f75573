//! What is encoded is decoded; anything else gets its status word.

use super::*;
use crate::apdu::Class;
use crate::tlv::Writer;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::boxed::Box;
use std::vec;
use std::vec::Vec;

fn leak(bytes: Vec<u8>) -> &'static [u8] {
    Box::leak(bytes.into_boxed_slice())
}

fn bytes(range: core::ops::Range<usize>) -> impl Strategy<Value = &'static [u8]> {
    vec(any::<u8>(), range).prop_map(leak)
}

fn secret(range: core::ops::Range<usize>) -> impl Strategy<Value = Secret<'static>> {
    bytes(range).prop_map(Secret)
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![Just(Target::Current), (0x1F..=0xFFFFu16).prop_map(|file| Target::File(FileId::new(file)))]
}

fn attributes() -> impl Strategy<Value = Attributes<'static>> {
    (any::<Option<u32>>(), option::of(bytes(1..20)), option::of(0..16u8), option::of(bytes(0..9))).prop_map(
        |(counter, algorithms, domain, wrapping_key)| Attributes { counter, algorithms, domain, wrapping_key },
    )
}

fn key_request() -> impl Strategy<Value = KeyRequest<'static>> {
    let algorithm =
        prop_oneof![
            any::<u16>().prop_map(|bits| KeyAlgorithm::Rsa { bits }),
            (bytes(0..70), option::of(bytes(0..70)), option::of(bytes(0..70)))
                .prop_map(|(prime, a, b)| KeyAlgorithm::Ec { prime, a, b }),
        ];
    (option::of(bytes(1..65)), option::of(bytes(1..65)), algorithm, attributes())
        .prop_map(|(car, chr, algorithm, attributes)| KeyRequest { car, chr, algorithm, attributes })
}

fn initialize() -> impl Strategy<Value = Initialize<'static>> {
    let pka = option::of(any::<[u8; 2]>().prop_map(|[total, required]| PublicKeyAuthentication { total, required }));
    (
        option::of(any::<u16>().prop_map(Options)),
        secret(6..17),
        option::of(secret(8..17)),
        option::of(1..16u8),
        any::<Option<u8>>(),
        pka,
        any::<Option<u8>>(),
    )
        .prop_map(|(options, user_pin, so_pin, retries, dkek_shares, pka, key_domains)| Initialize {
            options,
            user_pin: Some(user_pin),
            so_pin,
            retries,
            dkek_shares,
            pka,
            key_domains,
        })
}

fn path() -> impl Strategy<Value = Path<'static>> {
    let step = prop_oneof![any::<u32>().prop_map(PathStep::Number), bytes(0..200).prop_map(PathStep::Label)];
    (0..SEEDS, vec(step, 0..6)).prop_map(|(seed, steps)| {
        let mut objects = [0; 1300];
        let mut w = Writer::new(&mut objects);
        steps.iter().for_each(|step| step.write_to(&mut w));
        let len = w.finish().unwrap();
        let path = Path::new(seed, leak(objects[..len].to_vec())).unwrap();
        assert_eq!(path.steps().collect::<Vec<_>>(), steps);
        path
    })
}

fn command() -> impl Strategy<Value = Command<'static>> {
    let role = prop_oneof![Just(PinReference::User), Just(PinReference::SecurityOfficer)];
    let mode = prop_oneof![
        Just(UnblockMode::SoPinAndNew),
        Just(UnblockMode::SoPinOnly),
        Just(UnblockMode::New),
        Just(UnblockMode::Nothing)
    ];
    prop_oneof![
        bytes(1..20).prop_map(|aid| Command::SelectApplication { aid }),
        any::<u16>().prop_map(|file| Command::SelectFile { file: FileId::new(file) }),
        Just(Command::SelectMasterFile),
        (target(), any::<u32>()).prop_map(|(target, offset)| Command::ReadBinary { target, offset }),
        (target(), any::<u32>(), secret(0..400)).prop_map(|(target, offset, content)| Command::UpdateBinary {
            target,
            offset,
            content
        }),
        target().prop_map(|target| Command::DeleteFile { target }),
        Just(Command::EnumerateObjects),
        (role.clone(), option::of(secret(1..20))).prop_map(|(reference, pin)| Command::Verify { reference, pin }),
        Just(Command::Verify { reference: PinReference::Other(0x85), pin: None }),
        (role, secret(0..33)).prop_map(|(reference, data)| Command::ChangeReferenceData { reference, data }),
        (mode, secret(0..33)).prop_map(|(mode, data)| Command::ResetRetryCounter { mode, data }),
        Just(Command::DeviceInfo),
        initialize().prop_map(Command::Initialize),
        Just(Command::ManageSecurityEnvironment(SecurityEnvironment::ChipAuthentication)),
        Just(Command::ManageSecurityEnvironment(SecurityEnvironment::Nothing)),
        bytes(2..30)
            .prop_map(|chr| { Command::ManageSecurityEnvironment(SecurityEnvironment::AuthenticationKey { chr }) }),
        bytes(2..30)
            .prop_map(|chr| { Command::ManageSecurityEnvironment(SecurityEnvironment::VerificationKey { chr }) }),
        bytes(1..400).prop_map(|certificate| Command::VerifyCertificate { certificate }),
        bytes(0..400).prop_map(|signature| Command::ExternalAuthenticate { signature }),
        any::<[u8; 32]>().prop_map(|half| {
            let point: [u8; POINT] = [&[4][..], &half, &half].concat().try_into().unwrap();
            Command::GeneralAuthenticate { point: Box::leak(Box::new(point)) }
        }),
        Just(Command::MakeSessionPin),
        Just(Command::ClearSessionPin),
        (1..=MAX_CHALLENGE).prop_map(|len| Command::GetChallenge { len }),
        (1..=255u8, key_request())
            .prop_map(|(key, request)| Command::GenerateKeyPair { key: KeyId::new(key), request }),
        (any::<u8>(), any::<u8>(), bytes(0..600)).prop_map(|(key, algorithm, data)| Command::Sign {
            key: KeyId::new(key),
            algorithm: AlgorithmId(algorithm),
            data
        }),
        (any::<u8>(), any::<u8>(), bytes(0..600)).prop_map(|(key, algorithm, data)| Command::Decipher {
            key: KeyId::new(key),
            algorithm: AlgorithmId(algorithm),
            data
        }),
        (any::<u8>(), 1..=255u8, bytes(0..70)).prop_map(|(source, target, tweak)| Command::DeriveKey {
            source: KeyId::new(source),
            target: KeyId::new(target),
            tweak
        }),
        (1..=255u8, proptest::sample::select(&SecretKeyLen::ALL[..]), attributes()).prop_map(
            |(key, len, attributes)| { Command::GenerateSecretKey { key: KeyId::new(key), len, attributes } }
        ),
        (any::<u8>(), any::<u8>(), secret(0..600), any::<u16>()).prop_map(|(key, algorithm, data, len)| {
            let len = NonZeroU16::new(len);
            Command::SymmetricCipher { key: KeyId::new(key), algorithm: AlgorithmId(algorithm), data, len }
        }),
        (proptest::sample::select(&SeedKind::ALL[..]), 0..SEEDS, option::of(secret(1..70)))
            .prop_map(|(kind, seed, secret)| Command::CreateSeed { kind, seed, secret }),
        path().prop_map(|path| Command::PublicNode { path }),
        path().prop_map(|path| Command::SelectNode { path }),
        (0..KEY_DOMAINS).prop_map(|domain| Command::KeyDomainStatus { domain }),
        (0..KEY_DOMAINS, any::<[u8; DKEK]>())
            .prop_map(|(domain, share)| Command::ImportShare { domain, share: Share(Box::leak(Box::new(share))) }),
        (0..KEY_DOMAINS, 0..255u8).prop_map(|(domain, shares)| Command::CreateKeyDomain { domain, shares }),
        (0..KEY_DOMAINS).prop_map(|domain| Command::DeleteKeyDomain { domain }),
        (0..KEY_DOMAINS).prop_map(|domain| Command::ClearKeyDomain { domain }),
        any::<u8>().prop_map(|key| Command::WrapKey { key: KeyId::new(key) }),
        (1..=255u8, option::of(bytes(1..600)))
            .prop_map(|(key, blob)| Command::UnwrapKey { key: KeyId::new(key), blob }),
        proptest::sample::select(
            &[Command::DynamicOptions, Command::Clock, Command::Memory, Command::StoredConfiguration,][..]
        ),
        any::<[bool; 2]>().prop_map(|[press_to_confirm, counts_every_key]| {
            Command::SetDynamicOptions(DynamicOptions { press_to_confirm, counts_every_key })
        }),
        any::<u32>().prop_map(|seconds| Command::SetClock(Moment(seconds))),
        any::<[u8; 32]>().prop_map(|half| {
            let point: [u8; LOCK_POINT] = [&[4][..], &half, &half].concat().try_into().unwrap();
            Command::SecureLockAgreement { point: Box::leak(Box::new(point)) }
        }),
        (proptest::sample::select(&LockOperation::ALL[..]), any::<[u8; LOCK_MESSAGE / 2]>()).prop_map(
            |(operation, half)| {
                let message: [u8; LOCK_MESSAGE] = [half, half].concat().try_into().unwrap();
                Command::SecureLock { operation, message: Box::leak(Box::new(message)) }
            }
        ),
        any::<Option<u8>>().prop_map(|slot| Command::PublicKeyAuthenticationStatus { slot }),
        (any::<Option<u8>>(), bytes(1..400)).prop_map(|(slot, request)| Command::RegisterPublicKey { slot, request }),
        (0..KEY_DOMAINS, option::of((bytes(0..300), bytes(0..130)))).prop_map(|(domain, membership)| {
            let membership = membership.map(|(content, signature)| {
                let mut signer = [0; 310];
                let len = Writer::new(&mut signer).put(0x7F21, content).finish().unwrap();
                Membership { signer: leak(signer[..len].to_vec()), signature }
            });
            Command::CreateExchangeDomain { domain, membership }
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_encoded_is_decoded(command in command()) {
        let mut scratch = [0; 2048];
        let mut wire = [0; 2100];
        let apdu = command.encode(&mut scratch).unwrap();
        let len = apdu.encode(&mut wire).unwrap();
        let apdu = Apdu::parse(&wire[..len]).unwrap();
        prop_assert_eq!(Command::decode(&apdu), Ok(command));
    }

    #[test]
    fn any_bytes_are_a_command_or_a_status(
        cla: u8,
        ins in prop_oneof![proptest::sample::select(Instruction::ALL).prop_map(Instruction::ins), any::<u8>()],
        p1: u8,
        p2: u8,
        tail in vec(any::<u8>(), 0..200),
    ) {
        let wire = [&[cla, ins, p1, p2][..], &tail].concat();
        if let Ok(apdu) = Apdu::parse(&wire) {
            let _ = Command::decode(&apdu);
        }
        let apdu = Apdu { cla: Class::new(cla), ins, p1, p2, data: &tail, le: 0 };
        let _ = Command::decode(&apdu);
    }
}

fn status(ins: u8, p1: u8, p2: u8, data: &[u8]) -> Status {
    let apdu = Apdu { cla: Class::new(0), ins, p1, p2, data, le: 0 };
    Command::decode(&apdu).map_or_else(|status| status, |_| Status::OK)
}

#[test]
fn every_malformed_command_gets_its_status() {
    for (ins, p1, p2, data, expected) in [
        (0x20, 1, 0x81, &[][..], 0x6B00),
        (0x20, 0, 0xE1, &[], 0x6B00),
        (0x22, 0x41, 0xA0, &[], 0x6A86),
        (0x22, 0x40, 0xA4, &[], 0x6A86),
        (0x22, 0x41, 0xA4, &[0x80, 1, 0], 0x6A80),
        (0x22, 0x41, 0xA4, &[0x80, 1], 0x6A80),
        (0x22, 0x41, 0xA6, &[0x83, 2, 0, 0], 0x6A88),
        (0x22, 0x81, 0xA4, &[0x83, 2, 0, 0], 0x9000),
        (0x22, 0x81, 0xB6, &[0x83, 2, 0, 0], 0x9000),
        (0x2A, 1, 0xBE, &[0], 0x6A86),
        (0x2A, 0, 0x9E, &[0], 0x6A86),
        (0x2A, 0, 0xBE, &[], 0x6700),
        (0x82, 0, 1, &[0], 0x6A86),
        (0x54, 0, 1, &[0], 0x6A86),
        (0x54, 2, 0, &[0], 0x6A86),
        (0x52, 2, 0, &[0x7F, 0x21, 0], 0x6700),
        (0x52, 2, 0, &[0x7F, 0x21, 1], 0x6A80),
        (0x22, 0x41, 0xA6, &[0x80, 1, 0], 0x9000),
        (0x22, 0x41, 0xA4, &[0x83, 1, 0], 0x9000),
        (0x86, 0, 1, &[0x7C], 0x6A86),
        (0x86, 0, 0, &[], 0x6700),
        (0x86, 0, 0, &[0x7C, 3, 0x80, 1, 4], 0x6984),
        (0x5A, 0, 0x81, &[], 0x6A86),
        (0x5A, 1, 0x88, &[], 0x6A86),
        (0x24, 0, 0x85, &[], 0x6B00),
        (0x2C, 0, 0x88, &[], 0x6A88),
        (0x2C, 4, 0x81, &[], 0x6A86),
        (0x46, 0, 0, &[], 0x6A86),
        (0x46, 1, 0, &[], 0x6700),
        (0x46, 1, 0, &[0x7F, 0x49, 2, 0x06, 0], 0x6A80),
        (0x46, 1, 0, &[0x7F, 0x49, 9], 0x6A80),
        (0x48, 0, 0xB0, &[], 0x6A86),
        (0x48, 1, 0xAF, &[], 0x6A86),
        (0x48, 1, 0xB4, &[], 0x6A86),
        (0x48, 1, 0xB3, &[0x90, 1, 0], 0x6A80),
        (0x4A, 0, 0, &[], 0x6A86),
        (0x4A, 1, 10, &[1; 16], 0x6A86),
        (0x4A, 1, 9, &[], 0x9000),
        (0x4A, 4, 0, &[2, 1, 0], 0x6A86),
        (0x4A, 0x0A, 0, &[], 0x6700),
        (0x4A, 0x10, 0, &[], 0x6A80),
        (0x4A, 0x0A, 0, &[2, 1, 9], 0x9000),
        // A seed that there cannot be, in two bytes or none, behind a label or something else.
        (0x4A, 0x0A, 0, &[2, 1, 10], 0x6A80),
        (0x4A, 0x10, 0, &[2, 1, 0x10], 0x6A80),
        (0x4A, 0x0A, 0, &[2, 2, 0, 0], 0x6A80),
        (0x4A, 0x0A, 0, &[2, 0], 0x6A80),
        (0x4A, 0x0A, 0, &[2, 1], 0x6A80),
        (0x4A, 0x0A, 0, &[4, 1, 0], 0x6A80),
        (0x4A, 0x0A, 0, &[5, 1, 0, 2, 1, 0], 0x6A80),
        // Numbers of other than four bytes, other objects, objects that do not end.
        (0x4A, 0x0A, 0, &[2, 1, 0, 2, 1, 0], 0x6A80),
        (0x4A, 0x0A, 0, &[2, 1, 0, 2, 5, 0, 0, 0, 0, 0], 0x6A80),
        (0x4A, 0x0A, 0, &[2, 1, 0, 5, 4, 0, 0, 0, 0], 0x6A80),
        (0x4A, 0x0A, 0, &[2, 1, 0, 2, 4, 0, 0, 0], 0x6A80),
        (0x4A, 0x0A, 0, &[2, 1, 0, 4], 0x6A80),
        (0x50, 0, 0, &[0x80, 1, 0], 0x6A80),
        (0x50, 0, 0, &[0x81, 5, 1, 2, 3, 4, 5], 0x6A80),
        (0x50, 0, 0, &[0x91, 1, 0], 0x6A80),
        (0x50, 0, 0, &[0x91, 1, 16], 0x6A80),
        (0x50, 0, 0, &[0x81], 0x6A80),
        (0x84, 0, 0, &[], 0x6700),
        (0xA4, 3, 0, &[], 0x6A86),
        (0xA4, 0, 0, &[1], 0x6700),
        (0xA4, 1, 0, &[], 0x6A82),
        (0xA4, 2, 0, &[1, 2, 3], 0x6A82),
        (0xA4, 5, 0, &[], 0x6A86),
        (0xA4, 0, 0x0C, &[0x2F, 0x02], 0x6A86),
        (0xA4, 8, 0, &[0x50, 0x15, 0x49, 0x46], 0x9000),
        (0xA4, 8, 0, &[0x50, 0x16, 0x49, 0x46], 0x6A82),
        (0xB1, 0x2F, 0x02, &[0x53, 0], 0x6700),
        (0xB1, 0x2F, 0x02, &[0x54, 5, 0, 0, 0, 0, 0], 0x6700),
        (0xD7, 0x2F, 0x02, &[0x54, 2, 0], 0x6A80),
        (0xE4, 0, 0, &[1], 0x6700),
        (0x52, 0, 16, &[], 0x6B00),
        (0x52, 0, 0, &[1; 31], 0x6700),
        (0x52, 1, 0, &[], 0x6700),
        (0x52, 1, 0, &[255], 0x6A80),
        (0x52, 5, 0, &[], 0x6A86),
        (0x64, 0x06, 1, &[1], 0x6A86),
        (0x64, 0x06, 0, &[1, 1], 0x6700),
        (0x64, 0x06, 0, &[8], 0x6A80),
        (0x64, 0x06, 0, &[7], 0x9000),
        (0x64, 0x0A, 1, &[], 0x6A86),
        (0x64, 0x0A, 0, &[0; 7], 0x6700),
        (0x64, 0x0A, 0, &[7, 0xE6, 13, 1, 0, 0, 0, 0], 0x6A80),
        (0x64, 0x1B, 5, &[8], 0x6A86),
        (0x64, 0x1B, 5, &[], 0x9000),
        (0x64, 0x05, 7, &[1], 0x9000),
        (0x64, 0x3A, 9, &[], 0x6700),
        (0x64, 0x3A, 1, &[4; 64], 0x6700),
        (0x64, 0x3A, 1, &[2; 65], 0x6700),
        (0x64, 0x3A, 1, &[4; 65], 0x9000),
        (0x64, 0x3A, 2, &[0; 47], 0x6700),
        (0x64, 0x3A, 4, &[0; 48], 0x9000),
        (0x64, 0x3A, 5, &[0; 48], 0x6A86),
        (0x64, 0x4C, 0, &[], 0x6A86),
        (0x64, 0xFB, 0, &[], 0x6A86),
        (0x72, 1, 0x91, &[], 0x6B00),
        (0x74, 1, 0x92, &[], 0x6B00),
        (0x74, 0, 0x93, &[1], 0x6A86),
        (0x76, 1, 0, &[0x98], 0x6A86),
        (0x76, 1, 2, &[], 0x6700),
        (0x76, 1, 2, &[0x99, 1], 0x6700),
        (0x77, 0, 0, &[], 0x6D00),
    ] {
        assert_eq!(status(ins, p1, p2, data).value(), expected, "{ins:02X} {p1:02X} {p2:02X} {data:02X?}");
    }
}

#[test]
fn a_path_has_at_most_255_steps() {
    let steps = [4, 0].repeat(256);
    assert_eq!(Path::new(0, &steps[2..]).map(|path| path.steps().count()), Ok(255));
    assert_eq!(Path::new(0, &steps), Err(Status::WRONG_DATA));
}

#[test]
fn a_pin_does_not_show_in_debug_output() {
    let command = Command::Verify { reference: PinReference::User, pin: Some(Secret(b"648219")) };
    let text = std::format!("{command:?}");
    assert!(text.contains("6 secret bytes") && !text.contains("54, 52") && !text.contains("648219"), "{text}");
}
