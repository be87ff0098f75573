//! Who may do what: every command in every state of authentication, through the secure channel and outside, and every
//! command of the rescue application, against a table that people read.
//!
//! A new command does not compile here until it has a name, and the test fails until it has a row.

mod common;

use common::holders::{Holder, guarded_with};
use common::host::{Host, host_key};
use common::pki::choose;
use common::*;
use ferrite_card::Presence;
use ferrite_crypto::drbg::Drbg;
use ferrite_crypto::ec::{Curve, PrivateKey};
use ferrite_crypto::lock::{Agreement, Mask};
use ferrite_proto::apdu::Apdu;
use ferrite_proto::clock::Moment;
use ferrite_proto::command::*;
use ferrite_proto::configuration::{Configuration, PresenceTimeout};
use ferrite_proto::fid::{FileId, KeyId};
use ferrite_proto::rescue::{ClockForm, RescueCommand, Which};
use ferrite_store::testing::SharedFlash;
use std::collections::BTreeSet;

/// The expected answers: one line for each command, one column for each state. `6982/9000` is 6982 outside the channel and
/// 9000 inside.
const TABLE: &str = include_str!("access.table");
/// The same for the rescue application.
const RESCUE_TABLE: &str = include_str!("rescue.table");

const RESCUE: &[u8] = &[0xA0, 0x58, 0x3F, 0xC1, 0x9B, 0x7E, 0x4F, 0x21];
const MASK: [u8; 32] = [0x4D; 32];

/// The names of all variants, and the name of a value; without a way to forget one.
macro_rules! variants {
    ($type:ident: $($name:ident)*) => {
        fn name(command: &$type<'_>) -> &'static str {
            match command {
                $($type::$name { .. } => stringify!($name),)*
            }
        }

        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

mod hsm {
    use super::Command;

    variants! {
        Command:
        SelectApplication SelectFile SelectMasterFile ReadBinary UpdateBinary DeleteFile EnumerateObjects
        Verify ChangeReferenceData ResetRetryCounter DeviceInfo Initialize
        ManageSecurityEnvironment VerifyCertificate ExternalAuthenticate GeneralAuthenticate
        MakeSessionPin ClearSessionPin GetChallenge
        GenerateKeyPair GenerateSecretKey Sign Decipher DeriveKey SymmetricCipher
        CreateSeed PublicNode SelectNode
        KeyDomainStatus ImportShare CreateKeyDomain DeleteKeyDomain ClearKeyDomain CreateExchangeDomain
        WrapKey UnwrapKey
        DynamicOptions SetDynamicOptions Clock SetClock Memory StoredConfiguration SecureLockAgreement SecureLock
        PublicKeyAuthenticationStatus RegisterPublicKey
    }

    pub(crate) fn name_of(command: &Command<'_>) -> &'static str {
        name(command)
    }

    pub(crate) fn names() -> &'static [&'static str] {
        NAMES
    }
}

mod rescue {
    use super::RescueCommand;

    variants! {
        RescueCommand:
        DeviceKey ProveDeviceKey InstallCertificates
        ReadConfiguration ReadMemory ReadSecureBoot ReadClock ReadChallenge
        WriteConfiguration WriteClock EnableSecureBoot Restart StartBootLoader FactoryReset
    }

    pub(crate) fn name_of(command: &RescueCommand<'_>) -> &'static str {
        name(command)
    }

    pub(crate) fn names() -> &'static [&'static str] {
        NAMES
    }
}

/// A state of authentication: a column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Never initialised.
    Blank,
    /// Initialised, nobody logged in.
    Nobody,
    /// The user PIN was verified.
    User,
    /// The SO-PIN was verified.
    Officer,
    /// Both PINs are blocked.
    Blocked,
    /// The user PIN is a transport PIN.
    Transport,
    /// The same, in the session that initialised.
    Fresh,
    /// The secure lock is on, the mask is missing, nobody is logged in.
    Locked,
    /// The same, and the user PIN was verified.
    Shut,
    /// Two of three registered keys are needed; the user PIN was verified.
    Pin,
    /// One of them has logged in too.
    PinAndOne,
    /// Two of them have.
    PinAndTwo,
    /// Two of them have, and no PIN was verified.
    Two,
}

impl State {
    const ALL: [(Self, &'static str); 13] = [
        (Self::Blank, "blank"),
        (Self::Nobody, "nobody"),
        (Self::User, "user"),
        (Self::Officer, "officer"),
        (Self::Blocked, "blocked"),
        (Self::Transport, "transport"),
        (Self::Fresh, "fresh"),
        (Self::Locked, "locked"),
        (Self::Shut, "shut"),
        (Self::Pin, "PIN"),
        (Self::PinAndOne, "PIN+1"),
        (Self::PinAndTwo, "PIN+2"),
        (Self::Two, "2"),
    ];
}

/// How commands reach the card.
enum Line {
    Clear,
    Channel(Box<Host>),
}

impl Line {
    fn send(&mut self, device: &mut Device, command: &[u8]) -> (Vec<u8>, u16) {
        match self {
            Self::Clear => device.send(command),
            Self::Channel(host) => {
                let Apdu { cla, ins, p1, p2, data, le } = Apdu::parse(command).expect("a command");
                host.send(device, [cla.value(), ins, p1, p2], data, le)
            }
        }
    }

    #[track_caller]
    fn ok(&mut self, device: &mut Device, command: &[u8]) -> Vec<u8> {
        let (data, status) = self.send(device, command);
        assert_eq!(status, 0x9000, "{:02X?}", &command[..4]);
        data
    }
}

/// INITIALIZE with options, two PINs, three key domains.
fn initial(options: u8) -> Vec<u8> {
    let pins = [tlv(&[0x81], USER_PIN), tlv(&[0x82], SO_PIN)].concat();
    apdu(0x80, 0x50, 0, 0, &[tlv(&[0x80], &[0, options]), pins, tlv(&[0x97], &[3])].concat(), None)
}

/// Options: RESET RETRY COUNTER, session PINs.
const OPTIONS: u8 = 0x05;
const TRANSPORT: u8 = 0x02;

/// Gives the device what the commands need: a key 1 on P-256, an AES key 2, files, a seed, and three key domains: complete,
/// waiting for shares, not set up. Returns key 1 as a blob.
fn fill(device: &mut Device) -> Vec<u8> {
    device.ok(&apdu(0x80, 0x52, 1, 0, &[1], Some(256)));
    device.ok(&apdu(0x80, 0x52, 0, 0, &[7; 32], Some(256)));
    device.ok(&apdu(0x80, 0x52, 1, 1, &[2], Some(256)));
    device.ok(&generate_p256(1, &[]));
    device.ok(&generate_secret(2, 0xB2, &[]));
    device.ok(&update(0xCF01, 0, b"public"));
    device.ok(&update(0xCD01, 0, b"private"));
    device.ok(&apdu(0x80, 0x4A, 1, 0, &[9; 32], None));
    device.ok(&apdu(0x80, 0x72, 1, 0x92, &[], Some(65536)))
}

/// The devices that the states start from.
struct Scenes {
    plain: SharedFlash,
    blocked: SharedFlash,
    transport: SharedFlash,
    shut: SharedFlash,
    guarded: SharedFlash,
    holders: [Holder; 3],
    blob: Vec<u8>,
}

impl Scenes {
    fn new() -> Self {
        let (mut device, plain) = Device::blank();
        device.ok(&initial(OPTIONS));
        let blob = fill(&mut device);
        drop(device);

        let blocked = plain.fork();
        let mut device = Device::start(&blocked);
        (0..3).for_each(|_| _ = device.status(&verify(0x81, b"000000")));
        (0..15).for_each(|_| _ = device.status(&verify(0x88, b"00000000")));
        drop(device);

        let (mut device, transport) = Device::blank();
        device.ok(&initial(OPTIONS | TRANSPORT));
        drop(device);

        let shut = plain.fork();
        let mut device = Device::start(&shut);
        device.login();
        let key = PrivateKey::generate(Curve::P256, &mut Drbg::new(b"host", b"", b""));
        let point: [u8; 65] = key.public_key().unwrap().as_ref().try_into().unwrap();
        let answer = device.ok(&apdu(0x80, 0x64, 0x3A, 1, &point, Some(256)));
        let agreement = Agreement::new(key.agree(&answer).unwrap().as_ref(), &point);
        device.ok(&apdu(0x80, 0x64, 0x3A, 2, &agreement.seal(&Mask::from_bytes(&MASK)), None));
        drop(device);

        let (device, guarded, holders) = guarded_with([0, OPTIONS], &tlv(&[0x97], &[3]), |device| _ = fill(device));
        drop(device);
        Self { plain, blocked, transport, shut, guarded, holders, blob }
    }

    /// A device in a state, and the line to it; `None` if there is no channel in that state.
    fn enter(&mut self, state: State, in_channel: bool) -> Option<(Device, Line)> {
        if state == State::Blank {
            return (!in_channel).then(|| (Device::blank().0, Line::Clear));
        }
        let flash = match state {
            State::Blank | State::Nobody | State::User | State::Officer => &self.plain,
            State::Blocked => &self.blocked,
            State::Transport | State::Fresh => &self.transport,
            State::Locked | State::Shut => &self.shut,
            State::Pin | State::PinAndOne | State::PinAndTwo | State::Two => &self.guarded,
        };
        let mut device = Device::start(&flash.fork());
        // In the clear, which would end a login through the channel.
        let name = device.name();
        let mut line = if in_channel { Line::Channel(Box::new(Host::open(&mut device))) } else { Line::Clear };
        match state {
            State::Blank | State::Nobody | State::Blocked | State::Transport | State::Locked | State::Two => {}
            State::User | State::Shut | State::Pin | State::PinAndOne | State::PinAndTwo => {
                line.ok(&mut device, &verify(0x81, USER_PIN));
            }
            State::Officer => _ = line.ok(&mut device, &verify(0x88, SO_PIN)),
            State::Fresh => _ = line.ok(&mut device, &initial(OPTIONS | TRANSPORT)),
        }
        let keys = match state {
            State::PinAndOne => 1,
            State::PinAndTwo | State::Two => 2,
            _ => 0,
        };
        for holder in self.holders.iter_mut().take(keys) {
            line.ok(&mut device, &choose(0xA4, &holder.chr));
            let challenge = line.ok(&mut device, &apdu(0x00, 0x84, 0, 0, &[], Some(8)));
            line.ok(&mut device, &holder.answer(&name, &challenge));
        }
        Some((device, line))
    }

    /// Every command at its best: whatever stands in its way is not its form. In the order of the table.
    fn commands(&self) -> Vec<(&'static str, Command<'static>)> {
        fn leak<T: ?Sized>(value: Box<T>) -> &'static T {
            Box::leak(value)
        }
        let bytes = |bytes: &[u8]| leak(bytes.to_vec().into_boxed_slice());
        let secret = |content: &[u8]| Secret(bytes(content));
        let file = |file| Target::File(FileId::new(file));
        let point: &'static [u8; 65] = leak(Box::new(host_key().public_key().unwrap().as_ref().try_into().unwrap()));
        let initialize = |so_pin| {
            Command::Initialize(Initialize {
                options: Some(Options(1)),
                user_pin: Some(secret(b"another")),
                so_pin: Some(secret(so_pin)),
                ..Initialize::default()
            })
        };
        let read = |id| Command::ReadBinary { target: file(id), offset: 0 };
        let write = |id| Command::UpdateBinary { target: file(id), offset: 0, content: secret(b"new") };
        let delete = |id| Command::DeleteFile { target: file(id) };
        let (user, officer) = (PinReference::User, PinReference::SecurityOfficer);
        let key = KeyId::new;
        let path = Path::new(0, bytes(&[2, 4, 0, 0, 0, 1])).unwrap();
        let domain = Curve::P256.domain();
        let algorithm = KeyAlgorithm::Ec { prime: domain.prime, a: Some(domain.a), b: Some(domain.b) };
        let request = KeyRequest { car: None, chr: None, algorithm, attributes: Attributes::default() };
        vec![
            ("SELECT application", Command::SelectApplication { aid: AID }),
            ("SELECT file", Command::SelectFile { file: FileId::new(0x2F02) }),
            ("SELECT a key", Command::SelectFile { file: FileId::new(0xCC01) }),
            ("SELECT an internal record", Command::SelectFile { file: FileId::new(0xE081) }),
            ("SELECT master file", Command::SelectMasterFile),
            ("READ the device certificate", read(0x2F02)),
            ("READ public data", read(0xCF01)),
            ("READ private data", read(0xCD01)),
            ("READ a key", read(0xCC01)),
            ("READ the device key", read(0xCC00)),
            ("READ an internal record", read(0xE081)),
            ("UPDATE public data", write(0xCF01)),
            ("UPDATE private data", write(0xCD01)),
            ("UPDATE the device certificate", write(0x2F02)),
            ("UPDATE a key", write(0xCC01)),
            ("UPDATE the device key", write(0xCC00)),
            ("UPDATE an internal record", write(0xE081)),
            ("DELETE public data", delete(0xCF01)),
            ("DELETE a key", delete(0xCC01)),
            ("DELETE the device key", delete(0xCC00)),
            ("DELETE an internal record", delete(0xE081)),
            ("ENUMERATE", Command::EnumerateObjects),
            ("VERIFY user, query", Command::Verify { reference: user, pin: None }),
            ("VERIFY user, right", Command::Verify { reference: user, pin: Some(secret(USER_PIN)) }),
            ("VERIFY user, wrong", Command::Verify { reference: user, pin: Some(secret(b"000000")) }),
            ("VERIFY SO, query", Command::Verify { reference: officer, pin: None }),
            ("VERIFY SO, right", Command::Verify { reference: officer, pin: Some(secret(SO_PIN)) }),
            ("VERIFY SO, wrong", Command::Verify { reference: officer, pin: Some(secret(b"00000000")) }),
            (
                "CHANGE user PIN",
                Command::ChangeReferenceData { reference: user, data: secret(&[USER_PIN, b"another"].concat()) },
            ),
            (
                "CHANGE SO-PIN",
                Command::ChangeReferenceData { reference: officer, data: secret(&[SO_PIN, b"87654321"].concat()) },
            ),
            (
                "RESET by SO-PIN, new PIN",
                Command::ResetRetryCounter {
                    mode: UnblockMode::SoPinAndNew,
                    data: secret(&[SO_PIN, b"another"].concat()),
                },
            ),
            ("RESET by SO-PIN", Command::ResetRetryCounter { mode: UnblockMode::SoPinOnly, data: secret(SO_PIN) }),
            (
                "RESET in session, new PIN",
                Command::ResetRetryCounter { mode: UnblockMode::New, data: secret(b"another") },
            ),
            ("RESET in session", Command::ResetRetryCounter { mode: UnblockMode::Nothing, data: secret(b"") }),
            ("INITIALIZE, information", Command::DeviceInfo),
            ("INITIALIZE, right SO-PIN", initialize(SO_PIN)),
            ("INITIALIZE, wrong SO-PIN", initialize(b"00000000")),
            ("MSE chip authentication", Command::ManageSecurityEnvironment(SecurityEnvironment::ChipAuthentication)),
            (
                "MSE key of a login",
                Command::ManageSecurityEnvironment(SecurityEnvironment::AuthenticationKey { chr: b"UTNOBODY00001" }),
            ),
            (
                "MSE trusted certificate",
                Command::ManageSecurityEnvironment(SecurityEnvironment::VerificationKey { chr: b"UTNOBODY00001" }),
            ),
            ("MSE nothing", Command::ManageSecurityEnvironment(SecurityEnvironment::Nothing)),
            ("VERIFY CERTIFICATE", Command::VerifyCertificate { certificate: bytes(&[0x7F, 0x21, 0]) }),
            ("EXTERNAL AUTHENTICATE", Command::ExternalAuthenticate { signature: bytes(&[1; 64]) }),
            ("GENERAL AUTHENTICATE", Command::GeneralAuthenticate { point }),
            ("session PIN, make", Command::MakeSessionPin),
            ("session PIN, clear", Command::ClearSessionPin),
            ("GET CHALLENGE", Command::GetChallenge { len: 8 }),
            ("GENERATE a key pair", Command::GenerateKeyPair { key: key(9), request }),
            (
                "GENERATE a secret key",
                Command::GenerateSecretKey {
                    key: key(9),
                    len: SecretKeyLen::Bits256,
                    attributes: Attributes::default(),
                },
            ),
            ("SIGN", Command::Sign { key: key(1), algorithm: AlgorithmId::ECDSA_SHA256, data: b"message" }),
            (
                "SIGN with the device key",
                Command::Sign { key: key(0), algorithm: AlgorithmId::ECDSA_SHA256, data: b"m" },
            ),
            ("DECIPHER", Command::Decipher { key: key(1), algorithm: AlgorithmId(0x80), data: point }),
            ("DERIVE", Command::DeriveKey { source: key(1), target: key(9), tweak: &[1] }),
            (
                "SYMMETRIC CIPHER",
                Command::SymmetricCipher {
                    key: key(2),
                    algorithm: AlgorithmId(0x10),
                    data: secret(&[0; 16]),
                    len: None,
                },
            ),
            ("seed, new", Command::CreateSeed { kind: SeedKind::P256, seed: 1, secret: None }),
            ("seed, public node", Command::PublicNode { path }),
            ("seed, select node", Command::SelectNode { path }),
            ("KEY DOMAIN, query", Command::KeyDomainStatus { domain: 0 }),
            ("KEY DOMAIN, share", Command::ImportShare { domain: 1, share: Share(&[3; 32]) }),
            ("KEY DOMAIN, new", Command::CreateKeyDomain { domain: 2, shares: 1 }),
            ("KEY DOMAIN, delete", Command::DeleteKeyDomain { domain: 1 }),
            ("KEY DOMAIN, clear", Command::ClearKeyDomain { domain: 0 }),
            ("KEY DOMAIN, exchange, query", Command::CreateExchangeDomain { domain: 2, membership: None }),
            ("WRAP", Command::WrapKey { key: key(1) }),
            ("UNWRAP", Command::UnwrapKey { key: key(9), blob: Some(bytes(&self.blob)) }),
            ("EXTRAS options, query", Command::DynamicOptions),
            ("EXTRAS options, change", Command::SetDynamicOptions(DynamicOptions::default())),
            ("EXTRAS clock, query", Command::Clock),
            ("EXTRAS clock, set", Command::SetClock(Moment(1))),
            ("EXTRAS memory", Command::Memory),
            ("EXTRAS configuration", Command::StoredConfiguration),
            ("EXTRAS lock, agreement", Command::SecureLockAgreement { point }),
            ("EXTRAS lock, enable", Command::SecureLock { operation: LockOperation::Enable, message: &[0; 48] }),
            ("EXTRAS lock, unlock", Command::SecureLock { operation: LockOperation::Unlock, message: &[0; 48] }),
            ("EXTRAS lock, disable", Command::SecureLock { operation: LockOperation::Disable, message: &[0; 48] }),
            ("PKA, query", Command::PublicKeyAuthenticationStatus { slot: None }),
            ("PKA, register", Command::RegisterPublicKey { slot: None, request: bytes(&[0x67, 0]) }),
        ]
    }

    /// The answer to a command in a state.
    fn answer(&mut self, state: State, in_channel: bool, command: &Command<'_>) -> Option<u16> {
        let (mut device, mut line) = self.enter(state, in_channel)?;
        let mut prepare = |command| drop(line.send(&mut device, &wire(&command)));
        match command {
            Command::GeneralAuthenticate { .. } => {
                prepare(Command::ManageSecurityEnvironment(SecurityEnvironment::ChipAuthentication));
            }
            Command::ExternalAuthenticate { .. } => prepare(Command::GetChallenge { len: 8 }),
            Command::Clock => prepare(Command::SetClock(Moment(1))),
            _ => {}
        }
        Some(line.send(&mut device, &wire(command)).1)
    }
}

fn wire(command: &Command<'_>) -> Vec<u8> {
    let mut scratch = vec![0; 3000];
    let apdu = command.encode(&mut scratch).expect("room");
    let mut wire = vec![0; 3100];
    let len = apdu.encode(&mut wire).expect("room");
    wire.truncate(len);
    wire
}

/// A table: for each label the answers in the columns' order.
fn rows(table: &str) -> Vec<(&str, Vec<&str>)> {
    let lines = table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (label, cells) = line.split_once('|').expect("a label and cells");
            (label.trim(), cells.split_whitespace().collect())
        })
        .collect()
}

/// A row as it should stand in the table.
fn row(label: &str, cells: &[String]) -> String {
    let cells: Vec<_> = cells.iter().map(|cell| format!("{cell:9}")).collect();
    format!("{label:30}| {}", cells.join(" ")).trim_end().to_owned()
}

#[test]
fn every_command_answers_in_every_state_as_the_table_says() {
    let mut scenes = Scenes::new();
    let commands = scenes.commands();
    let named: BTreeSet<_> = commands.iter().map(|(_, command)| hsm::name_of(command)).collect();
    let missing: Vec<_> = hsm::names().iter().filter(|name| !named.contains(*name)).collect();
    assert!(missing.is_empty(), "no row for {missing:?}");
    let instructions: BTreeSet<_> = commands.iter().map(|(_, command)| wire(command)[1]).collect();
    // READ BINARY has two instructions for one command.
    let missing = Instruction::ALL.iter().filter(|instruction| !instructions.contains(&instruction.ins()));
    assert_eq!(missing.copied().collect::<Vec<_>>(), [Instruction::ReadBinary]);

    let states = State::ALL.map(|(_, name)| name.to_owned());
    let mut actual = vec![row("#", &states)];
    for (label, command) in &commands {
        let cells = State::ALL.map(|(state, _)| {
            let clear = scenes.answer(state, false, command).expect("there is always the clear");
            match scenes.answer(state, true, command) {
                Some(inside) if inside != clear => format!("{clear:04X}/{inside:04X}"),
                _ => format!("{clear:04X}"),
            }
        });
        actual.push(row(label, &cells));
    }
    let expected = rows(TABLE);
    let actual = actual.join("\n");
    assert!(expected == rows(&actual), "the card answers\n\n{actual}\n");
}

/// The commands of the rescue application, with somebody at the device and without, and a login before, which must not
/// count for anything.
#[test]
fn every_rescue_command_answers_as_the_table_says() {
    let scenes = Scenes::new();
    let enter = |is_blank: bool, presence: Presence| {
        let flash = if is_blank { SharedFlash::new(PAGES) } else { scenes.plain.fork() };
        let mut platform = TestPlatform::new(1);
        platform.restarts = Some(vec![]);
        platform.boot_keys.0 = 4;
        let mut device = Device::with(&flash, platform);
        if !is_blank {
            device.login();
        }
        device.ok(&apdu(0, 0xA4, 4, 4, RESCUE, Some(256)));
        device.card.platform().presence = presence;
        device
    };
    let certificate = Device::start(&scenes.plain.fork()).ok(&read(0x2F02, 0));
    let configuration = Configuration { presence_timeout: PresenceTimeout::new(9), ..Configuration::default() };
    let any = &[0; 8];
    let commands = [
        RescueCommand::DeviceKey,
        RescueCommand::ProveDeviceKey { challenge: b"challenge" },
        RescueCommand::InstallCertificates { chain: &certificate },
        RescueCommand::ReadConfiguration(Which::Effective),
        RescueCommand::ReadConfiguration(Which::Stored),
        RescueCommand::ReadMemory,
        RescueCommand::ReadSecureBoot,
        RescueCommand::ReadClock(ClockForm::Seconds),
        RescueCommand::ReadChallenge,
        RescueCommand::WriteConfiguration(configuration),
        RescueCommand::WriteClock { form: ClockForm::Seconds, moment: Moment(1) },
        RescueCommand::EnableSecureBoot { slot: 0, lock: true, challenge: any },
        RescueCommand::Restart,
        RescueCommand::StartBootLoader,
        RescueCommand::FactoryReset { challenge: any },
    ];
    let named: BTreeSet<_> = commands.iter().map(rescue::name_of).collect();
    assert_eq!(named, rescue::names().iter().copied().collect());

    let mut actual = vec![row("#", &["there", "away", "blank"].map(str::to_owned))];
    for command in &commands {
        let cells = [(false, Presence::Confirmed), (false, Presence::TimedOut), (true, Presence::Confirmed)];
        let cells = cells.map(|(is_blank, presence)| {
            let mut device = enter(is_blank, presence);
            let mut command = *command;
            let given: [u8; 8];
            if let RescueCommand::EnableSecureBoot { challenge, .. } | RescueCommand::FactoryReset { challenge } =
                &mut command
            {
                given = device.ok(&apdu(0x80, 0x1E, 5, 0, &[], Some(256))).try_into().expect("a challenge");
                *challenge = &given;
            }
            let mut scratch = vec![0; 2000];
            let apdu = command.encode(&mut scratch).expect("room");
            let mut wire = vec![0; 2100];
            let len = apdu.encode(&mut wire).expect("room");
            format!("{:04X}", device.status(&wire[..len]))
        });
        let stored = matches!(command, RescueCommand::ReadConfiguration(Which::Stored));
        let label = format!("{}{}", rescue::name_of(command), if stored { ", stored" } else { "" });
        actual.push(row(&label, &cells));
    }
    let actual = actual.join("\n");
    assert!(rows(RESCUE_TABLE) == rows(&actual), "the card answers\n\n{actual}\n");
}
