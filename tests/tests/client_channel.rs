//! The secure channel of the client library, with somebody between host and card who changes, repeats, drops and reorders
//! messages.

use anyhow::{Result, ensure};
use ferrite_client::certificate::{Authority, chain};
use ferrite_client::hsm::PinState;
use ferrite_client::proto::command::{AlgorithmId, Options, PinReference};
use ferrite_client::proto::fid::KeyId;
use ferrite_client::proto::rescue::Which;
use ferrite_client::transport::{Transmit, Transport};
use ferrite_client::{ErrorKind, Hsm, Initialization, KeyAttributes, PublicKey, SecureChannel, Trust};
use ferrite_tests::client::{INITIALIZATION, PIN, initialized};
use ferrite_tests::in_process::InProcess;
use std::cell::RefCell;
use std::rc::Rc;
use zeroize::Zeroizing;

/// What somebody on the line does to the next message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Attack {
    Nothing,
    /// Flips a bit of this byte of the command.
    ChangeCommand(usize),
    /// Flips a bit of this byte of the answer.
    ChangeAnswer(usize),
    /// Sends the command before this one in its place.
    ReplayCommand,
    /// Gives the answer before this one in its place.
    ReplayAnswer,
    /// Sends the command twice and gives the second answer.
    SendTwice,
    /// Keeps the command for itself, and answers that all is well.
    SwallowCommand,
    /// Keeps the answer for itself, and answers that all is well.
    SwallowAnswer,
    /// Sends a command of its own, in the clear, first.
    Insert,
    /// Keeps the command, and sends it after the next one.
    Swap,
    /// Takes the protection off the answer, as if the card had answered in the clear.
    Strip,
}

/// Somebody on the line.
struct Between {
    card: InProcess,
    attack: Rc<RefCell<Attack>>,
    seen: Rc<RefCell<Vec<Vec<u8>>>>,
    last: (Vec<u8>, Vec<u8>),
    held: Option<Vec<u8>>,
}

const WELL: [u8; 2] = [0x90, 0x00];

impl Transmit for Between {
    fn transmit(&mut self, command: &[u8]) -> ferrite_client::Result<Zeroizing<Vec<u8>>> {
        let attack = self.attack.replace(Attack::Nothing);
        let mut sent = command.to_vec();
        match attack {
            Attack::ChangeCommand(at) => sent[at] ^= 0x10,
            Attack::ReplayCommand => sent = self.last.0.clone(),
            Attack::SendTwice => drop(Transmit::transmit(&mut self.card, command)?),
            Attack::SwallowCommand => return Ok(Zeroizing::new(WELL.to_vec())),
            Attack::Insert => drop(Transmit::transmit(&mut self.card, &[0x00, 0x84, 0x00, 0x00, 0x08])?),
            Attack::Swap => {
                self.held = Some(sent);
                return Ok(Zeroizing::new(WELL.to_vec()));
            }
            _ => {}
        }
        let mut answer = Transmit::transmit(&mut self.card, &sent)?.to_vec();
        if let Some(held) = self.held.take() {
            Transmit::transmit(&mut self.card, &held)?;
        }
        self.seen.borrow_mut().extend([sent.clone(), answer.clone()]);
        let true_answer = answer.clone();
        match attack {
            Attack::ChangeAnswer(at) => answer[at] ^= 0x10,
            Attack::ReplayAnswer => answer = self.last.1.clone(),
            Attack::SwallowAnswer => answer = WELL.to_vec(),
            Attack::Strip => answer = [&[1; 8][..], &WELL].concat(),
            _ => {}
        }
        self.last = (sent, true_answer);
        Ok(Zeroizing::new(answer))
    }
}

impl Transport for Between {
    fn exclusively(
        &mut self,
        work: &mut dyn FnMut(&mut dyn Transmit) -> ferrite_client::Result<()>,
    ) -> ferrite_client::Result<()> {
        work(self)
    }

    fn reset(&mut self) -> ferrite_client::Result<()> {
        Transport::reset(&mut self.card)
    }

    fn name(&self) -> String {
        "somebody on the line".into()
    }
}

struct Line {
    attack: Rc<RefCell<Attack>>,
    seen: Rc<RefCell<Vec<Vec<u8>>>>,
    key: PublicKey,
}

/// A card whose key is known, and somebody before it who does nothing yet.
fn line() -> Result<(Between, Line)> {
    let mut hsm = initialized(&INITIALIZATION)?;
    hsm.generate_key(KeyId::new(1), "p256".parse()?, "", &KeyAttributes::default())?;
    hsm.logout()?;
    let key = PublicKey::from_certificate(&hsm.device_certificates()?)?;
    let (attack, seen) = (Rc::new(RefCell::new(Attack::Nothing)), Rc::new(RefCell::new(Vec::new())));
    let card = hsm.into_transport();
    let between =
        Between { card, attack: attack.clone(), seen: seen.clone(), last: (WELL.to_vec(), WELL.to_vec()), held: None };
    Ok((between, Line { attack, seen, key }))
}

fn open(between: Between, line: &Line) -> Result<Hsm<SecureChannel<Between>>> {
    Ok(Hsm::open(SecureChannel::open(between, Trust::Key(&line.key))?)?)
}

/// The channel is closed, and nothing goes through it any more: back to the line.
fn closed(mut hsm: Hsm<SecureChannel<Between>>, line: &Line) -> Result<Between> {
    ensure!(!hsm.transport().is_open(), "the channel is still open");
    let sent = line.seen.borrow().len();
    let error = hsm.login(PIN).expect_err("a closed channel");
    ensure!(error.kind() == ErrorKind::Channel, "{error}");
    ensure!(line.seen.borrow().len() == sent, "something was sent after the channel broke");
    Ok(hsm.into_transport().into_inner())
}

#[test]
fn pins_and_signatures_travel_inside_and_nothing_of_them_outside() -> Result<()> {
    let (between, line) = line()?;
    let mut hsm = open(between, &line)?;
    hsm.login(PIN)?;
    let secret = b"what nobody shall read";
    let number = hsm.store_data("note", "test", true, secret)?;
    assert_eq!(hsm.data(number)?.as_slice(), secret);
    let long: Vec<u8> = (0..=255).cycle().take(20_000).collect();
    let number = hsm.store_data("long", "test", true, &long)?;
    assert_eq!(*hsm.data(number)?, long);
    let signature = hsm.sign(KeyId::new(1), AlgorithmId::ECDSA_SHA256, b"m")?;
    let seen = line.seen.borrow();
    for hidden in [PIN, secret, &signature, &long[..64]] {
        assert!(!seen.iter().any(|message| message.windows(hidden.len()).any(|window| window == hidden)));
    }
    assert!(seen.len() > 20);
    Ok(())
}

/// Every byte of a command and of its answer. Only the length that the outer header asks for is nobody's secret: with
/// another one the answer is the same, or it is refused.
#[test]
fn a_change_of_any_byte_closes_the_channel() -> Result<()> {
    let (mut between, line) = line()?;
    let mut out = [0; 8];
    let lengths = {
        let mut hsm = open(between, &line)?;
        hsm.random(&mut out)?;
        let seen = line.seen.borrow();
        let lengths = (seen[seen.len() - 2].len(), seen[seen.len() - 1].len());
        between = hsm.into_transport().into_inner();
        lengths
    };
    for at in 0..lengths.0 {
        let mut hsm = open(between, &line)?;
        *line.attack.borrow_mut() = Attack::ChangeCommand(at);
        let result = hsm.random(&mut out);
        between = match result {
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Channel, "byte {at} of the command: {error}");
                closed(hsm, &line)?
            }
            Ok(()) => {
                assert!(at >= lengths.0 - 2, "byte {at} of the command");
                hsm.into_transport().into_inner()
            }
        };
    }
    for at in 0..lengths.1 {
        let mut hsm = open(between, &line)?;
        *line.attack.borrow_mut() = Attack::ChangeAnswer(at);
        let error = hsm.random(&mut out).expect_err("a changed answer");
        assert_eq!(error.kind(), ErrorKind::Channel, "byte {at} of the answer: {error}");
        between = closed(hsm, &line)?;
    }
    Ok(())
}

#[test]
fn messages_that_are_repeated_dropped_inserted_or_swapped_close_the_channel() -> Result<()> {
    let (mut between, line) = line()?;
    for attack in [
        Attack::ReplayCommand,
        Attack::ReplayAnswer,
        Attack::SendTwice,
        Attack::SwallowCommand,
        Attack::SwallowAnswer,
        Attack::Swap,
        Attack::Strip,
    ] {
        let mut hsm = open(between, &line)?;
        hsm.login(PIN)?;
        hsm.random(&mut [0; 8])?;
        *line.attack.borrow_mut() = attack;
        let error = hsm.sign(KeyId::new(1), AlgorithmId::ECDSA_SHA256, b"m").expect_err("an attack");
        assert_eq!(error.kind(), ErrorKind::Channel, "{error}");
        between = closed(hsm, &line)?;
    }
    // A command in the clear logs a protected user out, and whoever sent it gains nothing.
    let mut hsm = open(between, &line)?;
    hsm.login(PIN)?;
    *line.attack.borrow_mut() = Attack::Insert;
    assert!(hsm.sign(KeyId::new(1), AlgorithmId::ECDSA_SHA256, b"m").is_err());
    let between = closed(hsm, &line)?;
    let mut plain = Hsm::open(between)?;
    assert!(matches!(plain.pin_state(PinReference::User)?, PinState::Tries(3)));
    Ok(())
}

/// Whether a message that was sent in the clear is one for the HSM application: none of the kind that PINs travel in.
fn is_protected(command: &[u8]) -> bool {
    command.first().is_some_and(|class| class & 0x0C == 0x0C)
}

#[test]
fn the_rescue_application_is_asked_beside_the_channel_and_everything_after_it_is_protected_again() -> Result<()> {
    let (between, line) = line()?;
    let mut hsm = open(between, &line)?;
    hsm.login(PIN)?;
    hsm.board()?;
    assert!(hsm.transport().is_open());
    assert!(matches!(hsm.pin_state(PinReference::User)?, PinState::Tries(3)), "it logs out");
    hsm.configuration(Which::Effective)?;
    hsm.prove_device_key(&line.key)?;
    let before = line.seen.borrow().len();
    hsm.login(PIN)?;
    hsm.sign(KeyId::new(1), AlgorithmId::ECDSA_SHA256, b"m")?;
    let seen = line.seen.borrow();
    let commands: Vec<_> = seen.iter().skip(before).step_by(2).collect();
    assert!(commands.len() >= 2 && commands.iter().all(|command| is_protected(command)), "{commands:02X?}");
    assert!(!seen.iter().any(|message| message.windows(PIN.len()).any(|window| window == PIN)));
    Ok(())
}

/// Somebody exchanges the device while the rescue application is asked.
#[test]
fn a_device_that_was_exchanged_meanwhile_gets_no_pin() -> Result<()> {
    let (between, line) = line()?;
    let (mut other, others) = self::line()?;
    let mut hsm = open(between, &line)?;
    hsm.login(PIN)?;
    std::mem::swap(&mut hsm.transport().inner().card, &mut other.card);
    let error = hsm.board().expect_err("another device");
    assert_eq!(error.kind(), ErrorKind::Verification, "{error}");
    closed(hsm, &line)?;
    let pin_commands = |line: &Line| line.seen.borrow().iter().step_by(2).filter(|c| c.get(1) == Some(&0x20)).count();
    assert_eq!(pin_commands(&line) + pin_commands(&others), 1, "the login before");
    Ok(())
}

#[test]
fn a_channel_that_broke_is_not_left_for_the_rescue_application_either() -> Result<()> {
    let (between, line) = line()?;
    let mut hsm = open(between, &line)?;
    *line.attack.borrow_mut() = Attack::SwallowAnswer;
    assert!(hsm.random(&mut [0; 8]).is_err());
    let sent = line.seen.borrow().len();
    assert_eq!(hsm.board().expect_err("a broken channel").kind(), ErrorKind::Channel);
    assert_eq!(hsm.configuration(Which::Stored).expect_err("a broken channel").kind(), ErrorKind::Channel);
    assert_eq!(line.seen.borrow().len(), sent, "something was sent after the channel broke");
    closed(hsm, &line)?;
    Ok(())
}

#[test]
fn a_session_pin_is_made_used_and_ended_through_the_channel_only() -> Result<()> {
    let with = |options| Initialization { options: Options(options), ..INITIALIZATION };
    // Without the option, and without a channel.
    assert_eq!(initialized(&with(1))?.make_session_pin().expect_err("no option").kind(), ErrorKind::Unsupported);
    let mut plain = initialized(&with(0x000D))?;
    assert_eq!(plain.make_session_pin().expect_err("no channel").kind(), ErrorKind::NotLoggedIn);
    let key = PublicKey::from_certificate(&plain.device_certificates()?)?;
    let mut hsm = Hsm::open(SecureChannel::open(plain.into_transport(), Trust::Key(&key))?)?;
    assert_eq!(hsm.make_session_pin().expect_err("nobody").kind(), ErrorKind::NotLoggedIn);
    hsm.login(PIN)?;
    let pin = hsm.make_session_pin()?;
    assert_eq!(pin.len(), 8);
    hsm.logout()?;
    hsm.login(&pin)?;
    // It outlives the session, and is worth nothing outside a channel.
    let mut plain = Hsm::open(hsm.into_transport().into_inner())?;
    assert!(matches!(plain.login(&pin).expect_err("no channel").kind(), ErrorKind::WrongPin { tries_left: 2 }));
    let mut hsm = Hsm::open(SecureChannel::open(plain.into_transport(), Trust::Key(&key))?)?;
    hsm.login(&pin)?;
    hsm.clear_session_pin()?;
    hsm.logout()?;
    assert!(matches!(hsm.login(&pin).expect_err("ended").kind(), ErrorKind::WrongPin { .. }));
    Ok(())
}

/// Every byte of the card's nonce and token.
#[test]
fn a_changed_nonce_or_token_opens_no_channel() -> Result<()> {
    let (between, line) = line()?;
    let mut waiting = Waiting { inner: between, at: None };
    for at in (4..12).chain(14..22) {
        waiting.at = Some(at);
        let error = SecureChannel::open(&mut waiting, Trust::Key(&line.key)).err();
        assert!(error.is_some_and(|error| error.kind() == ErrorKind::Verification), "byte {at}");
    }
    waiting.at = None;
    SecureChannel::open(&mut waiting, Trust::Key(&line.key))?;
    Ok(())
}

/// Changes a byte of the answer to GENERAL AUTHENTICATE.
struct Waiting<T> {
    inner: T,
    at: Option<usize>,
}

impl<T: Transmit> Transmit for &mut Waiting<T> {
    fn transmit(&mut self, command: &[u8]) -> ferrite_client::Result<Zeroizing<Vec<u8>>> {
        let mut answer = self.inner.transmit(command)?;
        if let Some(at) = self.at.filter(|_| command.get(1) == Some(&0x86)) {
            answer[at] ^= 0x01;
        }
        Ok(answer)
    }
}

impl<T: Transport> Transport for &mut Waiting<T> {
    fn exclusively(
        &mut self,
        work: &mut dyn FnMut(&mut dyn Transmit) -> ferrite_client::Result<()>,
    ) -> ferrite_client::Result<()> {
        self.inner.exclusively(work)
    }

    fn reset(&mut self) -> ferrite_client::Result<()> {
        self.inner.reset()
    }

    fn name(&self) -> String {
        self.inner.name()
    }
}

#[test]
fn no_pin_is_sent_to_a_device_that_is_not_the_one_trusted() -> Result<()> {
    let (between, line) = line()?;
    let other = self::line()?.1;
    // Another key than the one known.
    let error = SecureChannel::open(between, Trust::Key(&other.key)).err();
    assert!(error.is_some_and(|error| error.kind() == ErrorKind::Verification));
    // A certificate that no trusted root signed.
    let (between, _) = self::line()?;
    let root = Authority::root("UTROOT00001", 1)?.certificate().to_vec();
    let error = SecureChannel::open(between, Trust::Roots(&[root])).err();
    assert!(error.is_some_and(|error| error.kind() == ErrorKind::Verification));
    assert!(line.seen.borrow().iter().all(|message| message.get(1) != Some(&0x86)), "no agreement was begun");
    Ok(())
}

/// Somebody shows the certificate of the device that is trusted, and has another key.
#[test]
fn a_device_that_only_shows_the_certificate_is_found_out() -> Result<()> {
    let mut genuine = initialized(&INITIALIZATION)?;
    let certificates = genuine.device_certificates()?;
    let key = PublicKey::from_certificate(&certificates)?;
    let mut impostor = initialized(&INITIALIZATION)?;
    impostor.write_file(ferrite_client::proto::fid::FileId::DEVICE_CERTIFICATE, &certificates)?;
    assert!(chain::verify(&impostor.device_certificates()?, Trust::Key(&key)).is_ok());
    let error = SecureChannel::open(impostor.into_transport(), Trust::Key(&key)).err();
    assert!(
        error.is_some_and(
            |error| error.kind() == ErrorKind::Verification && error.to_string().contains("has not the key")
        )
    );
    SecureChannel::open(genuine.into_transport(), Trust::Key(&key))?;
    Ok(())
}

/// A card whose files do not end.
struct Endless(InProcess);

impl Transmit for Endless {
    fn transmit(&mut self, command: &[u8]) -> ferrite_client::Result<Zeroizing<Vec<u8>>> {
        const READ_BINARY: u8 = 0xB1;
        match command {
            [_, READ_BINARY, ..] => Ok(Zeroizing::new([&[0x7F; 60_000][..], &WELL].concat())),
            _ => Transmit::transmit(&mut self.0, command),
        }
    }
}

impl Transport for Endless {
    fn exclusively(
        &mut self,
        work: &mut dyn FnMut(&mut dyn Transmit) -> ferrite_client::Result<()>,
    ) -> ferrite_client::Result<()> {
        work(self)
    }

    fn reset(&mut self) -> ferrite_client::Result<()> {
        Transport::reset(&mut self.0)
    }

    fn name(&self) -> String {
        "endless".into()
    }
}

#[test]
fn a_file_that_does_not_end_is_not_read_for_ever() -> Result<()> {
    let (between, line) = line()?;
    let mut hsm = Hsm::open(Endless(between.card))?;
    let error = hsm.device_certificates().expect_err("a file without an end");
    ensure!(error.kind() == ErrorKind::BadAnswer, "{error}");
    let error = SecureChannel::open(hsm.into_transport(), Trust::Key(&line.key)).err();
    ensure!(error.is_some_and(|error| error.kind() == ErrorKind::BadAnswer), "the channel was opened");
    Ok(())
}
