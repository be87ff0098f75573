//! The program as its users meet it: what it prints, what it leaves behind, what it refuses.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

const STATUS_OF_PIN: [u8; 4] = [0x00, 0x20, 0x00, 0x81];

/// A directory that goes away with the test.
struct TempDir(PathBuf);

impl TempDir {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("ferrite-sim-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a new directory");
        Self(path)
    }

    fn state(&self) -> PathBuf {
        self.0.join("state")
    }

    fn socket(&self) -> PathBuf {
        self.0.join("socket")
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A running simulator, killed with the test.
struct Sim(Child);

impl Sim {
    fn start(dir: &TempDir, arguments: &[&str]) -> Self {
        let mut child = command(dir, arguments).stdout(Stdio::piped()).spawn().expect("the simulator starts");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().expect("piped")).read_line(&mut line).expect("a line");
        assert_eq!(line, "ready\n");
        Self(child)
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.0.id().to_string()]).status().expect("kill runs");
        assert!(status.success());
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn command(dir: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ferrite-sim"));
    command.arg("--state").arg(dir.state()).args(arguments);
    command
}

fn refused(dir: &TempDir) -> Output {
    let output = command(dir, &["--no-vpcd"]).output().expect("the simulator starts");
    assert!(!output.status.success());
    assert!(output.stdout.is_empty(), "it must not say that it is ready");
    output
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it exists").permissions().mode() & 0o777
}

fn exchange(stream: &mut UnixStream, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("short").to_be_bytes();
    stream.write_all(&[&length, message].concat()).expect("sent");
    let mut length = [0; 4];
    stream.read_exact(&mut length).expect("answered");
    let mut answer = vec![0; usize::try_from(u32::from_be_bytes(length)).expect("fits")];
    stream.read_exact(&mut answer).expect("answered in full");
    answer
}

fn socket_sim(dir: &TempDir) -> Sim {
    let socket = dir.socket();
    Sim::start(dir, &["--no-vpcd", "--socket", socket.to_str().expect("UTF-8")])
}

#[test]
fn the_socket_answers_apdus_of_any_length_and_resets() {
    let dir = TempDir::new();
    let _sim = socket_sim(&dir);
    let mut stream = UnixStream::connect(dir.socket()).expect("connected");
    assert_eq!(exchange(&mut stream, &[]), ferrite_card::ATR);
    assert_eq!(exchange(&mut stream, &STATUS_OF_PIN).len(), 2);
    let longest = [&[0x00, 0xFE, 0, 0, 0, 0xFF, 0xFF][..], &[0; 65535], &[0, 0]].concat();
    assert_eq!(exchange(&mut stream, &longest), [0x6D, 0x00]);
    stream.write_all(&[0x00, 0x01, 0x00, 0x09]).expect("sent");
    assert_eq!(stream.read(&mut [0; 1]).expect("closed in order"), 0, "65545 bytes are no APDU");
    let mut another = UnixStream::connect(dir.socket()).expect("connected");
    assert_eq!(exchange(&mut another, &STATUS_OF_PIN).len(), 2);
}

#[test]
fn a_signal_ends_it_cleanly_and_removes_the_socket() {
    for signal in ["INT", "TERM"] {
        let dir = TempDir::new();
        let mut sim = socket_sim(&dir);
        let _open = UnixStream::connect(dir.socket()).expect("connected");
        sim.signal(signal);
        assert_eq!(sim.0.wait().expect("it ends").code(), Some(0), "SIG{signal}");
        assert!(!dir.socket().exists());
    }
}

#[test]
fn everything_is_closed_to_other_users() {
    let dir = TempDir::new();
    let _sim = socket_sim(&dir);
    assert_eq!(mode(&dir.state()), 0o700);
    assert_eq!(mode(&dir.state().join("device.key")), 0o600);
    assert_eq!(mode(&dir.state().join("flash.bin")), 0o600);
    assert_eq!(mode(&dir.socket()), 0o600);
    assert_eq!(fs::read_dir(&dir.0).expect("listed").count(), 2, "nothing is left beside state and socket");
}

#[test]
fn a_second_process_is_kept_out_until_the_first_is_gone() {
    let dir = TempDir::new();
    let mut sim = socket_sim(&dir);
    assert!(text(&refused(&dir)).contains("in use by another virtual device"));
    sim.0.kill().expect("killed");
    sim.0.wait().expect("gone");
    assert!(dir.socket().exists(), "kill -9 leaves the socket behind");
    let _next = socket_sim(&dir);
    let mut stream = UnixStream::connect(dir.socket()).expect("the dead socket was replaced");
    assert_eq!(exchange(&mut stream, &STATUS_OF_PIN).len(), 2);
}

#[test]
fn a_socket_in_use_is_not_taken_away() {
    let dir = TempDir::new();
    let other = TempDir::new();
    let _sim = socket_sim(&dir);
    let path = dir.socket();
    let arguments = ["--no-vpcd", "--socket", path.to_str().expect("UTF-8")];
    let output = command(&other, &arguments).output().expect("the simulator starts");
    assert!(!output.status.success());
    fs::write(other.0.join("file"), "precious").expect("written");
    let file = other.0.join("file");
    let arguments = ["--no-vpcd", "--socket", file.to_str().expect("UTF-8")];
    let output = command(&other, &arguments).output().expect("the simulator starts");
    assert!(!output.status.success());
    assert_eq!(fs::read(file).expect("still there"), b"precious");
    UnixStream::connect(path).expect("the first one still serves");
}

#[test]
fn damaged_state_is_refused_and_left_as_it_is() {
    type Damage = fn(&Path);
    let damages: [(&str, &str, Damage); 4] = [
        ("flash.bin", "instead of", |path| fs::write(path, [0xFF; 4096]).expect("cut short")),
        ("device.key", "is damaged", |path| fs::write(path, [0; 56]).expect("zeroed")),
        ("device.key", "is damaged", |path| fs::write(path, []).expect("emptied")),
        ("device.key", "is missing", |path| fs::remove_file(path).expect("removed")),
    ];
    for (name, complaint, damage) in damages {
        let dir = TempDir::new();
        drop(Sim::start(&dir, &["--no-vpcd"]));
        damage(&dir.state().join(name));
        let before: Vec<_> = ["flash.bin", "device.key"].map(|file| fs::read(dir.state().join(file)).ok()).into();
        let message = text(&refused(&dir));
        assert!(message.contains(name) && message.contains(complaint), "{message}");
        let after: Vec<_> = ["flash.bin", "device.key"].map(|file| fs::read(dir.state().join(file)).ok()).into();
        assert!(before == after, "{name} {complaint}: nothing is overwritten");
    }
}

/// The driver's side of the reader.
struct Reader(TcpStream);

impl Reader {
    fn accept(listener: &TcpListener) -> Self {
        Self(listener.accept().expect("the card comes").0)
    }

    fn send(&mut self, message: &[u8]) {
        let length = u16::try_from(message.len()).expect("short").to_be_bytes();
        // In pieces, as a network may deliver it.
        for piece in [&length[..1], &length[1..], message] {
            self.0.write_all(piece).expect("sent");
        }
    }

    fn receive(&mut self) -> Vec<u8> {
        let mut length = [0; 2];
        self.0.read_exact(&mut length).expect("answered");
        let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
        self.0.read_exact(&mut answer).expect("answered in full");
        answer
    }
}

#[test]
fn the_card_sits_in_the_reader_and_comes_back_when_the_reader_does() {
    let dir = TempDir::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    let _sim = Sim::start(&dir, &["--vpcd", &address]);
    for _ in 0..3 {
        let mut reader = Reader::accept(&listener);
        // Power off, power on, reset, a control unknown to it and an empty message have no answer.
        for control in [&[0][..], &[1], &[2], &[9], &[]] {
            reader.send(control);
        }
        reader.send(&[4]);
        assert_eq!(reader.receive(), ferrite_card::ATR);
        reader.send(&STATUS_OF_PIN);
        assert_eq!(reader.receive().len(), 2);
    }
}

#[test]
fn it_is_ready_without_a_reader_and_finds_one_that_starts_later() {
    let dir = TempDir::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let _sim = Sim::start(&dir, &["--vpcd", &address.to_string()]);
    let listener = TcpListener::bind(address).expect("the port is free again");
    let mut reader = Reader::accept(&listener);
    reader.send(&[4]);
    assert_eq!(reader.receive(), ferrite_card::ATR);
}

#[test]
fn the_trace_shows_commands_but_never_their_data() {
    let dir = TempDir::new();
    let socket = dir.socket();
    let arguments = ["--no-vpcd", "--log", "--socket", socket.to_str().expect("UTF-8")];
    let mut child = command(&dir, &arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut stderr = child.stderr.take().expect("piped");
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().expect("piped")).read_line(&mut line).expect("a line");
    let sim = Sim(child);
    let mut stream = UnixStream::connect(&socket).expect("connected");
    exchange(&mut stream, b"\x00\x20\x00\x81\x06648219");
    drop(sim);
    let mut trace = String::new();
    match stderr.read_to_string(&mut trace) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::UnexpectedEof),
    }
    assert!(trace.contains("00 20 00 81 Lc 6 ->") && trace.contains("VERIFY"), "{trace}");
    assert!(!trace.contains("648219") && !trace.contains("36 34") && !trace.contains("3634"), "{trace}");
}

/// A simulator whose user sits at the terminal, and that user's keyboard.
fn attended_sim(dir: &TempDir, arguments: &[&str]) -> (Sim, ChildStdin) {
    let mut child = command(dir, &[&["--presence", "ask"], arguments].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the simulator starts");
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().expect("piped")).read_line(&mut line).expect("a line");
    assert_eq!(line, "ready\n");
    let keyboard = child.stdin.take().expect("piped");
    (Sim(child), keyboard)
}

impl Sim {
    /// Reads what it says until the device asks for its user.
    fn waits_for_the_user(&mut self) {
        let stderr = self.0.stderr.as_mut().expect("piped");
        let mut said = Vec::new();
        while !said.ends_with(b"[y/n] ") {
            let mut byte = [0];
            stderr.read_exact(&mut byte).expect("it asks");
            said.push(byte[0]);
        }
    }
}

const SELECT_RESCUE: &[u8] = &[0x00, 0xA4, 0x04, 0x04, 0x08, 0xA0, 0x58, 0x3F, 0xC1, 0x9B, 0x7E, 0x4F, 0x21, 0x00];
/// The presence timeout: one second.
const ONE_SECOND: &[u8] = &[0x80, 0x1C, 0x01, 0x00, 0x03, 0x08, 0x01, 0x01];
const READ_STORED: &[u8] = &[0x80, 0x1E, 0x01, 0x01, 0x00];

fn send(stream: &mut impl Write, apdu: &[u8]) {
    let length = u32::try_from(apdu.len()).expect("short").to_be_bytes();
    stream.write_all(&[&length, apdu].concat()).expect("sent");
}

fn receive(stream: &mut impl Read) -> Vec<u8> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).expect("answered");
    let mut answer = vec![0; usize::try_from(u32::from_be_bytes(length)).expect("fits")];
    stream.read_exact(&mut answer).expect("answered in full");
    answer
}

#[test]
fn the_user_confirms_or_refuses_at_the_keyboard() {
    let dir = TempDir::new();
    let socket = dir.socket();
    let (mut sim, mut keyboard) = attended_sim(&dir, &["--no-vpcd", "--socket", socket.to_str().expect("UTF-8")]);
    let mut stream = UnixStream::connect(&socket).expect("connected");
    assert_eq!(exchange(&mut stream, SELECT_RESCUE).len(), 14);
    for (typed, status, stored) in [("n\n", [0x69, 0x85], 2), ("y\n", [0x90, 0x00], 5)] {
        send(&mut stream, ONE_SECOND);
        sim.waits_for_the_user();
        keyboard.write_all(typed.as_bytes()).expect("typed");
        assert_eq!(receive(&mut stream), status);
        assert_eq!(exchange(&mut stream, READ_STORED).len(), stored);
    }
}

#[test]
fn a_host_that_goes_away_or_resets_ends_the_waiting() {
    let dir = TempDir::new();
    let socket = dir.socket();
    let (mut sim, _keyboard) = attended_sim(&dir, &["--no-vpcd", "--socket", socket.to_str().expect("UTF-8")]);
    let mut stream = UnixStream::connect(&socket).expect("connected");
    exchange(&mut stream, SELECT_RESCUE);
    send(&mut stream, ONE_SECOND);
    sim.waits_for_the_user();
    send(&mut stream, &[]);
    assert_eq!(receive(&mut stream), [0x69, 0x85], "the command ends");
    assert_eq!(receive(&mut stream), ferrite_card::ATR, "and then the card is reset");
    // The reset selected the HSM application.
    assert_eq!(exchange(&mut stream, READ_STORED), [0x6D, 0x00]);

    exchange(&mut stream, SELECT_RESCUE);
    send(&mut stream, ONE_SECOND);
    sim.waits_for_the_user();
    drop(stream);
    // The next one need not wait for the user that the first one wanted.
    let mut next = UnixStream::connect(&socket).expect("connected");
    assert_eq!(exchange(&mut next, SELECT_RESCUE).len(), 14);
    assert_eq!(exchange(&mut next, READ_STORED), [0x90, 0x00], "nothing was stored");
    let mut said = String::new();
    drop(sim.0.kill());
    sim.0.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
    assert!(said.contains("the host has given up"), "{said}");
}

#[test]
fn a_reader_that_cuts_the_power_ends_the_waiting() {
    let dir = TempDir::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    let (mut sim, _keyboard) = attended_sim(&dir, &["--vpcd", &address]);
    let mut reader = Reader::accept(&listener);
    for control in [0, 1, 2] {
        reader.send(SELECT_RESCUE);
        assert_eq!(reader.receive().len(), 14);
        reader.send(ONE_SECOND);
        sim.waits_for_the_user();
        reader.send(&[control]);
        assert_eq!(reader.receive(), [0x69, 0x85], "control {control}");
    }
    // A reader that goes away, too.
    reader.send(SELECT_RESCUE);
    reader.receive();
    reader.send(ONE_SECOND);
    sim.waits_for_the_user();
    drop(reader);
    let mut reader = Reader::accept(&listener);
    reader.send(SELECT_RESCUE);
    assert_eq!(reader.receive().len(), 14);
    reader.send(READ_STORED);
    assert_eq!(reader.receive(), [0x90, 0x00], "nothing was stored");
}

#[test]
fn nobody_at_the_keyboard_is_a_refusal_in_time() {
    let dir = TempDir::new();
    let socket = dir.socket();
    let (mut sim, mut keyboard) = attended_sim(&dir, &["--no-vpcd", "--socket", socket.to_str().expect("UTF-8")]);
    let mut stream = UnixStream::connect(&socket).expect("connected");
    exchange(&mut stream, SELECT_RESCUE);
    send(&mut stream, ONE_SECOND);
    sim.waits_for_the_user();
    keyboard.write_all(b"y\n").expect("typed");
    assert_eq!(receive(&mut stream), [0x90, 0x00]);
    // A key that waits for its user, one second now.
    let initialize = b"\x80\x50\x00\x00\x16\x80\x02\x01\x01\x81\x06648219\x82\x0857621880";
    assert_eq!(exchange(&mut stream, SELECT_HSM).last(), Some(&0));
    assert_eq!(exchange(&mut stream, initialize), [0x90, 0x00]);
    assert_eq!(exchange(&mut stream, b"\x00\x48\x01\xB2"), [0x90, 0x00]);
    let encrypt = [&[0x80, 0x78, 0x01, 0x10, 0x10][..], &[0; 16], &[0]].concat();
    send(&mut stream, &encrypt);
    sim.waits_for_the_user();
    assert_eq!(receive(&mut stream), [0x66, 0x00]);
}

const SELECT_HSM: &[u8] =
    &[0x00, 0xA4, 0x04, 0x00, 0x0B, 0xE8, 0x2B, 0x06, 0x01, 0x04, 0x01, 0x81, 0xC3, 0x1F, 0x02, 0x01, 0x00];

#[test]
fn a_device_that_starts_again_keeps_its_memory_and_forgets_its_session() {
    let dir = TempDir::new();
    let _sim = socket_sim(&dir);
    let mut stream = UnixStream::connect(dir.socket()).expect("connected");
    let initialize = b"\x80\x50\x00\x00\x16\x80\x02\x00\x01\x81\x06648219\x82\x0857621880";
    assert_eq!(exchange(&mut stream, initialize), [0x90, 0x00]);
    assert_eq!(exchange(&mut stream, b"\x00\x48\x01\xB2"), [0x90, 0x00]);
    exchange(&mut stream, SELECT_RESCUE);
    // The clock, which the power takes with it.
    assert_eq!(exchange(&mut stream, &[0x80, 0x1C, 2, 2, 4, 1, 2, 3, 4]), [0x90, 0x00]);
    assert_eq!(exchange(&mut stream, &[0x80, 0x1E, 4, 2, 0]).len(), 6);
    assert_eq!(exchange(&mut stream, &[0x80, 0x1F, 1, 0]), [0x6D, 0x00], "there is no boot loader");
    assert_eq!(exchange(&mut stream, &[0x80, 0x1F, 0, 0]), [0x90, 0x00]);
    assert_eq!(exchange(&mut stream, b"\x00\x48\x02\xB2"), [0x69, 0x82], "the HSM application, and nobody logged in");
    exchange(&mut stream, SELECT_RESCUE);
    assert_eq!(exchange(&mut stream, &[0x80, 0x1E, 4, 2, 0]), [0x69, 0x85]);
    exchange(&mut stream, SELECT_HSM);
    assert_eq!(exchange(&mut stream, b"\x00\x20\x00\x81\x06648219"), [0x90, 0x00]);
    assert_eq!(exchange(&mut stream, b"\x00\x48\x01\xB2"), [0x6A, 0x89], "the key is there");
}
