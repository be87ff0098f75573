//! The conversation with devices that answer as they are told, rightly and wrongly.

use super::*;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

const PACKET: usize = 64;

/// What a device does when a message comes.
type Reaction = Box<dyn FnMut(&[u8]) -> Vec<Vec<u8>>>;

#[derive(Default)]
struct State {
    /// Messages that came, and aborts on the control pipe as two bytes of wValue.
    heard: Vec<Vec<u8>>,
    /// Transfers that wait for the host.
    transfers: VecDeque<Vec<u8>>,
    is_gone: bool,
}

/// A device; its state can be looked at from outside.
struct Device {
    state: Rc<RefCell<State>>,
    react: Reaction,
}

impl Device {
    fn new(react: impl FnMut(&[u8]) -> Vec<Vec<u8>> + 'static) -> (Self, Rc<RefCell<State>>) {
        let state = Rc::new(RefCell::new(State::default()));
        (Self { state: Rc::clone(&state), react: Box::new(react) }, state)
    }
}

impl Pipes for Device {
    fn packet(&self) -> usize {
        PACKET
    }

    fn send(&mut self, bytes: &[u8], _: Duration) -> Result<(), Fault> {
        let mut state = self.state.borrow_mut();
        if state.is_gone {
            return Err(Fault::Gone);
        }
        state.heard.push(bytes.to_vec());
        state.transfers.extend((self.react)(bytes));
        Ok(())
    }

    fn receive(&mut self, most: usize, _: Duration) -> Result<Zeroizing<Vec<u8>>, Fault> {
        assert!(most > 0 && most.is_multiple_of(PACKET), "transfers have whole packets");
        let mut state = self.state.borrow_mut();
        let mut transfer = state.transfers.pop_front().ok_or(Fault::Silent)?;
        if transfer.len() > most {
            let rest = transfer.split_off(most);
            state.transfers.push_front(rest);
        } else if transfer.len() == most {
            // The packet that ends it, as the next transfer.
            state.transfers.push_front(Vec::new());
        }
        Ok(Zeroizing::new(transfer))
    }

    fn abort(&mut self, value: u16) -> Result<(), Fault> {
        self.state.borrow_mut().heard.push(value.to_le_bytes().to_vec());
        Ok(())
    }
}

/// An answer to the message of this header.
fn answer(to: &[u8], kind: u8, status: u8, error: u8, data: &[u8]) -> Vec<u8> {
    let len = u32::try_from(data.len()).expect("short").to_le_bytes();
    [&[kind], &len[..], &[0, to[6], status, error, 0], data].concat()
}

/// What a device does in any case: power, aborts, and `respond` to commands.
fn well(respond: impl Fn(&[u8]) -> Vec<Vec<u8>> + 'static) -> impl FnMut(&[u8]) -> Vec<Vec<u8>> {
    move |message| match message[0] {
        0x62 => vec![answer(message, 0x80, 0, 0, b"ATR")],
        0x63 => vec![answer(message, 0x81, 1, 0, &[])],
        0x72 => vec![answer(message, 0x81, 0, 0, &[])],
        _ => respond(message),
    }
}

fn opened(react: impl FnMut(&[u8]) -> Vec<Vec<u8>> + 'static) -> (Ccid<Device>, Rc<RefCell<State>>) {
    let (device, state) = Device::new(react);
    let (ccid, atr) = Ccid::open(device).unwrap_or_else(|fault| panic!("{fault:?}"));
    assert_eq!(atr, b"ATR");
    (ccid, state)
}

#[test]
fn responses_of_every_length_come_back_whole() {
    let (mut ccid, state) = opened(well(|message| {
        let len = usize::from(message[10]) << 8 | usize::from(message[11]);
        vec![answer(message, 0x80, 0, 0, &vec![0xA5; len])]
    }));
    // 54 and 118 bytes fill one and two packets with the header.
    for len in [0, 1, 53, 54, 55, 117, 118, 119, 4086, 65526, 65535_u16] {
        let response = ccid.transmit(&len.to_be_bytes()).expect("a response");
        assert_eq!(response.as_slice(), vec![0xA5; usize::from(len)], "{len} bytes");
    }
    assert_eq!(state.borrow().heard[2], [0x6F, 2, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0]);
}

#[test]
fn a_device_that_asks_for_time_gets_it() {
    let (mut ccid, _) = opened(well(|message| {
        let mut answers = vec![answer(message, 0x80, 0x80, 1, &[]); 500];
        answers.push(answer(message, 0x80, 0, 0, &[0x90, 0x00]));
        answers
    }));
    assert_eq!(ccid.transmit(&[0]).expect("a response").as_slice(), [0x90, 0x00]);
}

#[test]
fn what_belongs_to_a_conversation_before_is_let_go() {
    let (mut ccid, _) = opened(well(|message| {
        let mut other = message.to_vec();
        other[6] ^= 0x55;
        let answers = [(&other[..], 0x80, "no"), (message, 0x81, ""), (message, 0x80, "yes")];
        answers.iter().map(|(to, kind, data)| answer(to, *kind, 0, 0, data.as_bytes())).collect()
    }));
    assert_eq!(ccid.transmit(&[0]).expect("a response").as_slice(), b"yes");
}

#[test]
fn a_command_that_nobody_waits_for_is_aborted_before_the_device_is_used() {
    let is_busy = RefCell::new(true);
    let mut well = well(|_| Vec::new());
    let (_ccid, state) = opened(move |message| match message[0] {
        0x63 if *is_busy.borrow() => vec![answer(message, 0x81, 0x40, 0xE0, &[])],
        0x72 => {
            is_busy.replace(false);
            // The answer of the command that was given up comes first.
            vec![vec![0x80, 0, 0, 0, 0, 0, 0x99, 0x40, 0xFF, 0], answer(message, 0x81, 0, 0, &[])]
        }
        _ => well(message),
    });
    let heard: Vec<_> = state.borrow().heard.iter().map(|message| message[..message.len().min(7)].to_vec()).collect();
    let expected: [&[u8]; 5] = [
        &[0x63, 0, 0, 0, 0, 0, 1],
        // Both halves of the abort have the number of the slot and that of the message.
        &[0, 2],
        &[0x72, 0, 0, 0, 0, 0, 2],
        &[0x63, 0, 0, 0, 0, 0, 3],
        &[0x62, 0, 0, 0, 0, 0, 4],
    ];
    assert_eq!(heard, expected);
}

#[test]
fn an_answer_that_was_left_half_read_is_read_to_its_end() {
    // From the middle of the longest response there is.
    let rest: Vec<u8> = (0..65538_u32 - 54).map(|index| (index % 251) as u8).collect();
    let (device, state) = Device::new(well(|message| vec![answer(message, 0x80, 0, 0, b"new")]));
    state.borrow_mut().transfers.push_back(rest);
    let (mut ccid, _) = Ccid::open(device).unwrap_or_else(|fault| panic!("{fault:?}"));
    assert_eq!(ccid.transmit(&[0]).expect("a response").as_slice(), b"new");
}

#[test]
fn a_message_that_was_broken_off_swallows_one_attempt_and_no_more() {
    let mut is_first = true;
    let mut well = well(|_| Vec::new());
    let (_ccid, state) = opened(move |message| if std::mem::take(&mut is_first) { Vec::new() } else { well(message) });
    assert_eq!(state.borrow().heard.iter().map(|message| message[0]).collect::<Vec<_>>(), [0x63, 0x63, 0x62]);
    let (mute, _) = Device::new(|_| Vec::new());
    assert_eq!(Ccid::open(mute).err(), Some(Fault::Silent));
}

#[test]
fn a_busy_slot_is_tried_again() {
    let tries = RefCell::new(0);
    let (mut ccid, _) = opened(well(move |message| {
        *tries.borrow_mut() += 1;
        let is_busy = *tries.borrow() < 3;
        vec![if is_busy { answer(message, 0x80, 0x40, 0xE0, &[]) } else { answer(message, 0x80, 0, 0, b"at last") }]
    }));
    assert_eq!(ccid.transmit(&[0]).expect("a response").as_slice(), b"at last");
}

#[test]
fn refusals_are_told_apart() {
    for (error, fault) in [(0xFE, Fault::PowerLost), (0xFF, Fault::Failed(0xFF)), (1, Fault::Failed(1))] {
        let (mut ccid, _) = opened(well(move |message| vec![answer(message, 0x80, 0x40, error, &[])]));
        assert_eq!(ccid.transmit(&[0]).err(), Some(fault));
    }
}

#[test]
fn a_device_that_goes_away_is_noticed_and_one_that_falls_silent() {
    let (mut ccid, state) = opened(well(|_| Vec::new()));
    assert_eq!(ccid.transmit(&[0]).err(), Some(Fault::Silent));
    state.borrow_mut().is_gone = true;
    assert_eq!(ccid.transmit(&[0]).err(), Some(Fault::Gone));
}

#[test]
fn answers_that_lie_about_their_length_are_errors() {
    type Lie = fn(&mut Vec<u8>);
    let lies: [(Lie, &str); 5] = [
        (|answer| answer.truncate(9), "shorter than a header"),
        (|answer| answer.push(0), "longer than it says"),
        (|answer| answer.truncate(answer.len() - 1), "breaks off"),
        (|answer| answer[1..5].copy_from_slice(&[0x03, 0, 1, 0]), "too long"),
        (|answer| answer[1..5].copy_from_slice(&[0xFF; 4]), "too long"),
    ];
    for (lie, why) in lies {
        for len in [5, 55, 100] {
            let (mut ccid, _) = opened(well(move |message| {
                let mut answer = answer(message, 0x80, 0, 0, &vec![0; len]);
                lie(&mut answer);
                vec![answer]
            }));
            match ccid.transmit(&[0]) {
                Err(Fault::Nonsense(found)) => assert!(found.contains(why), "{found}, not {why}"),
                other => panic!("{why}: {:?}", other.map(|data| data.len())),
            }
        }
    }
}

#[test]
fn a_device_that_talks_without_end_is_not_listened_to_for_ever() {
    for message in [answer(&[0; 7], 0x80, 0, 0, &[]), Vec::new()] {
        let (mut ccid, _) = opened(well(move |_| vec![message.clone(); 10_000]));
        assert!(matches!(ccid.transmit(&[0]), Err(Fault::Nonsense(_))));
    }
}

#[test]
fn the_session_ends_with_the_conversation() {
    let (ccid, state) = opened(well(|_| Vec::new()));
    drop(ccid);
    assert_eq!(state.borrow().heard.last().map(|message| message[0]), Some(0x63));
}
