//! Latency of APDUs through the whole card, in-process, with flash in RAM.

use ferrite_card::{
    Activity, Board, Card, Clock, CommandBuffer, Entropy, EntropyError, Identity, Indicator, Observer, PlatformKind,
    Presence, SecureBoot, UserPresence, Workspace,
};
use ferrite_crypto::Join;
use ferrite_proto::command::{
    AlgorithmId, Attributes, Command, Initialize, KeyAlgorithm, KeyRequest, Options, PinReference, Secret,
};
use ferrite_proto::fid::KeyId;
use ferrite_store::testing::RamFlash;
use std::time::{Duration, Instant};

const PIN: Secret<'static> = Secret(b"648219");
const SO_PIN: Secret<'static> = Secret(b"57621880");

/// A platform that is always ready.
struct Bench;

impl Entropy for Bench {
    fn sample(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        getrandom::fill(out).map_err(|_| EntropyError)
    }
}

impl Clock for Bench {
    fn millis(&mut self) -> u64 {
        0
    }
}

impl UserPresence for Bench {
    fn confirm(&mut self, _: Duration) -> Presence {
        Presence::Confirmed
    }
}

impl Identity for Bench {
    fn root_key(&mut self, out: &mut [u8; 32]) {
        out.fill(1);
    }
    fn unique_id(&self) -> [u8; 8] {
        [2; 8]
    }
    fn kind(&self) -> PlatformKind {
        PlatformKind::Virtual
    }
}

impl Indicator for Bench {
    fn show(&mut self, _: Activity) {}
}

impl Board for Bench {}

impl SecureBoot for Bench {}

impl Observer for Bench {
    type Progress = ();

    fn progress(&mut self) {}
}

impl Join for Bench {
    fn join<A: Send, B: Send>(&mut self, a: impl FnOnce() -> A + Send, b: impl FnOnce() -> B + Send) -> (A, B) {
        crate::Threads.join(a, b)
    }
}

/// A card with its user logged in.
pub(crate) struct Host<'w> {
    card: Card<'w, Bench, RamFlash>,
    buffer: Box<CommandBuffer>,
}

impl<'w> Host<'w> {
    /// An initialised card.
    pub(crate) fn start(workspace: &'w mut Workspace) -> Self {
        let card = Card::new(Bench, RamFlash::new(256), workspace);
        let mut host = Self { card, buffer: Box::new(CommandBuffer::new()) };
        let options = Some(Options(1));
        host.send(&Command::Initialize(Initialize {
            options,
            user_pin: Some(PIN),
            so_pin: Some(SO_PIN),
            ..Initialize::default()
        }));
        host
    }

    /// Sends a command, which must succeed, and returns the card's time for it.
    pub(crate) fn send(&mut self, command: &Command<'_>) -> Duration {
        self.transmit(&encode(command))
    }

    /// Sends an APDU, which must succeed, and returns the card's time for it.
    pub(crate) fn transmit(&mut self, apdu: &[u8]) -> Duration {
        self.buffer.load(apdu);
        let start = Instant::now();
        let answer = self.card.transmit(&mut self.buffer);
        let elapsed = start.elapsed();
        assert!(answer.ends_with(&[0x90, 0x00]), "{:02X?}", &apdu[..4]);
        elapsed
    }

    fn report(&mut self, name: &str, rounds: usize, command: &Command<'_>) {
        let mut times: Vec<Duration> = (0..rounds).map(|_| self.send(command)).collect();
        println!("  {name:<34} {:>12.1} µs", crate::median(&mut times).as_secs_f64() * 1e6);
    }
}

/// A command as it travels.
pub(crate) fn encode(command: &Command<'_>) -> Vec<u8> {
    let (mut scratch, mut wire) = (vec![0; 0x1_0000], vec![0; 0x1_0010]);
    let apdu = command.encode(&mut scratch).expect("fits");
    let len = apdu.encode(&mut wire).expect("fits");
    wire.truncate(len);
    wire
}

/// Prints the median latency of typical commands.
pub(crate) fn latencies() {
    let mut workspace = Box::new(Workspace::new());
    let mut host = Host::start(&mut workspace);
    let domain = ferrite_crypto::ec::Curve::P256.domain();
    let algorithms = [
        KeyAlgorithm::Ec { prime: domain.prime, a: Some(domain.a), b: Some(domain.b) },
        KeyAlgorithm::Rsa { bits: 2048 },
        KeyAlgorithm::Rsa { bits: 4096 },
    ];
    for (id, algorithm) in (1..).zip(algorithms) {
        let request = KeyRequest { car: None, chr: None, algorithm, attributes: Attributes::default() };
        host.send(&Command::GenerateKeyPair { key: KeyId::new(id), request });
    }
    println!("latency of an APDU through the card, two workers, flash in RAM");
    let sign =
        |id, algorithm| Command::Sign { key: KeyId::new(id), algorithm: AlgorithmId(algorithm), data: b"message" };
    host.report("GET CHALLENGE, 8 bytes", 2001, &Command::GetChallenge { len: 8 });
    host.report("SELECT application", 501, &Command::SelectApplication { aid: &ferrite_proto::aid::HSM });
    host.report(
        "VERIFY (Argon2id, 56 KiB, 16 passes)",
        101,
        &Command::Verify { reference: PinReference::User, pin: Some(PIN) },
    );
    host.report("SIGN, P-256 with SHA-256", 501, &sign(1, 0x73));
    host.report("SIGN, RSA-2048 with SHA-256", 101, &sign(2, 0x33));
    host.report("SIGN, RSA-4096 with SHA-256", 31, &sign(3, 0x33));
}
