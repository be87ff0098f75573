//! Every message of the host, in order and out of order, and what it is answered (CCID 1.1 §6; specification part 1 §1.9).

mod common;

use common::{ATR, Bench, echo, message};
use ferrite_usb::ccid::{ABORT_LIMIT, PACKET_GAP, TIME_EXTENSION};
use ferrite_usb::slot::PATIENCE;
use ferrite_usb::{Interface, message as wire};
use std::time::Duration;

const ABORT: u8 = 0x01;

/// A message's type, its three specific bytes and its data; the answer's type, status, error and last byte, and its data.
type Exchange<'a> = (u8, [u8; 3], &'a [u8], [u8; 4], &'a [u8]);

fn xfr(seq: u8, apdu: &[u8]) -> Vec<u8> {
    message(0x6F, seq, [0; 3], apdu)
}

fn part(seq: u8, level: u8, apdu: &[u8]) -> Vec<u8> {
    message(0x6F, seq, [0, level, 0], apdu)
}

fn abort_value(seq: u8) -> u16 {
    u16::from_be_bytes([seq, 0])
}

#[test]
fn every_message_has_its_answer() {
    let parameters = [0x11, 0x10, 0xFE, 0x55, 0x03, 0xFE, 0x00];
    let clock = [0xFC, 0x0D, 0, 0, 0x80, 0x25, 0, 0];
    let cases: [Exchange; 18] = [
        (0x65, [0; 3], &[], [0x81, 0x01, 0, 0], &[]),
        (0x6F, [0; 3], &[0, 0xA4, 4, 0], [0x80, 0x41, 0xFE, 0], &[]),
        (0x62, [0; 3], &[], [0x80, 0x00, 0, 0], &ATR),
        (0x65, [0; 3], &[], [0x81, 0x00, 0, 0], &[]),
        (0x6F, [0; 3], &[0, 0xA4, 4, 0], [0x80, 0x00, 0, 0], &[0, 0xA4, 4, 0, 0x90, 0]),
        (0x6C, [0; 3], &[], [0x82, 0x00, 0, 1], &parameters),
        (0x6D, [0; 3], &[], [0x82, 0x00, 0, 1], &parameters),
        (0x61, [1, 0, 0], &parameters, [0x82, 0x00, 0, 1], &parameters),
        (0x61, [0, 0, 0], &[0x11, 0, 0, 10, 0], [0x82, 0x40, 7, 0], &[]),
        (0x61, [1, 0, 0], &[0x11, 0, 0, 10, 0], [0x82, 0x40, 1, 0], &[]),
        (0x73, [0; 3], &[0; 8], [0x84, 0x00, 0, 0], &clock),
        (0x6B, [0; 3], &[1, 2, 3], [0x83, 0x40, 0, 0], &[]),
        (0x6E, [0; 3], &[], [0x81, 0x40, 0, 0], &[]),
        (0x6A, [0; 3], &[], [0x81, 0x40, 0, 0], &[]),
        (0x69, [0; 3], &[0; 20], [0x80, 0x40, 0, 0], &[]),
        (0x71, [0; 3], &[], [0x81, 0x40, 0, 0], &[]),
        (0x00, [0; 3], &[9; 5], [0x81, 0x40, 0, 0], &[]),
        (0x63, [0; 3], &[], [0x81, 0x01, 0, 0], &[]),
    ];
    let mut bench = Bench::new();
    for (seq, (message_type, specific, data, [kind, status, error, last], answer)) in (0x20..).zip(cases) {
        let length = u32::try_from(answer.len()).expect("short").to_le_bytes();
        let expected = [&[kind], &length[..], &[0, seq, status, error, last], answer].concat();
        assert_eq!(bench.exchange(&message(message_type, seq, specific, data)), expected, "{message_type:02X}");
        assert_eq!(bench.answer(), None, "one answer for each message");
    }
}

#[test]
fn power_on_and_power_off_reset_the_card() {
    let mut bench = Bench::new();
    bench.exchange(&message(0x62, 0, [0; 3], &[]));
    bench.exchange(&message(0x63, 0, [0; 3], &[]));
    assert_eq!(bench.card.resets, [Some(Interface::Ccid); 2]);
    assert_eq!(bench.exchange(&message(0x65, 0, [0; 3], &[]))[7], 0x01);
    bench.card.resets.clear();
    bench.ccid.reset(&mut bench.slot);
    bench.card.turn(&mut bench.slot);
    assert_eq!(bench.card.resets, [None], "and so does a reset of the bus");
}

#[test]
fn commands_and_responses_of_any_length_pass() {
    let mut bench = Bench::powered();
    for len in [1, 4, 53, 54, 55, 117, 118, 119, 182, 255, 2038, 2039, 65535, 65543, 65544] {
        let apdu: Vec<u8> = (0..len).map(|index| (index % 251) as u8).collect();
        for response in [2, 53, 54, 55, 118, 65538] {
            let expected: Vec<u8> = (0..response).map(|index| (index % 241) as u8).collect();
            bench.card.response = Some(expected.clone());
            let answer = bench.exchange(&xfr(9, &apdu));
            assert!(bench.card.ran.pop().expect("it ran") == apdu, "command of {len} bytes");
            assert_eq!(answer[1..5], u32::try_from(response).expect("short").to_le_bytes());
            assert!(answer[10..] == expected, "response of {response} bytes");
        }
    }
}

#[test]
fn a_command_in_several_messages_is_one_command() {
    let mut bench = Bench::powered();
    let apdu: Vec<u8> = (0..=255).cycle().take(3000).collect();
    for (seq, level, range) in [(1, 1, 0..1000), (2, 3, 1000..2500)] {
        assert_eq!(bench.exchange(&part(seq, level, &apdu[range])), [0x80, 0, 0, 0, 0, 0, seq, 0, 0, 0x10]);
    }
    let answer = bench.exchange(&part(3, 2, &apdu[2500..]));
    assert_eq!(answer[10..], echo(&apdu));
    assert_eq!(bench.card.ran, [apdu]);
}

#[test]
fn parts_that_do_not_fit_together_are_refused() {
    let mut bench = Bench::powered();
    for level in [2, 3, 4, 0x10, 0xFF] {
        assert_eq!(bench.exchange(&part(1, level, &[0; 5]))[7..9], [0x40, 8], "level {level} without a beginning");
    }
    let half = vec![0; 40000];
    assert_eq!(bench.exchange(&part(1, 1, &half))[7..9], [0, 0]);
    assert_eq!(bench.exchange(&part(2, 2, &half))[7..9], [0x40, 1], "80000 bytes are no APDU");
    assert_eq!(bench.exchange(&part(3, 2, &[0; 5]))[7..9], [0x40, 8], "and the beginning is gone");
    assert_eq!(bench.exchange(&part(4, 1, &[0xAA; 5]))[7..9], [0, 0]);
    assert_eq!(bench.exchange(&xfr(5, &[0; 4]))[10..], echo(&[0; 4]), "a whole command replaces a begun one");
    assert_eq!(bench.card.ran, [[0; 4]]);
}

#[test]
fn wrong_lengths_are_refused_and_the_next_command_works() {
    let mut longer = message(0x62, 7, [0; 3], &[]);
    longer[1] = 5;
    let mut shorter = xfr(7, &[0; 300]);
    shorter[1..3].copy_from_slice(&200_u16.to_le_bytes());
    let mut endless = xfr(7, &[0; 300]);
    endless[1..5].copy_from_slice(&[0xFF; 4]);
    let too_long = xfr(7, &vec![0; wire::MAX_COMMAND as usize + 1]);
    let cases = [
        ("data that never come", longer),
        ("data that nobody announced", message(0x65, 7, [0; 3], &[]).into_iter().chain([1, 2, 3]).collect()),
        ("data in a message without", message(0x63, 7, [0; 3], &[1; 70])),
        ("two messages in one transfer", [message(0x65, 7, [0; 3], &[]), message(0x65, 8, [0; 3], &[])].concat()),
        ("more data than announced", shorter),
        ("a length beyond everything", endless),
        ("a command longer than any", too_long),
        ("no command", xfr(7, &[])),
        ("no parameters", message(0x61, 7, [1, 0, 0], &[])),
        ("half a data rate", message(0x73, 7, [0; 3], &[0; 4])),
    ];
    for (what, transfer) in cases {
        let mut bench = Bench::powered();
        let answer = bench.exchange(&transfer);
        assert_eq!((answer.len(), &answer[5..9]), (10, &[0, 7, 0x40, 1][..]), "{what}");
        assert_eq!(bench.answer(), None, "{what}");
        assert!(bench.card.ran.is_empty(), "{what}");
        bench.works();
    }
}

#[test]
fn another_slot_than_the_first_does_not_exist() {
    let mut bench = Bench::powered();
    for message_type in 0..=255 {
        let mut transfer = message(message_type, 3, [0; 3], &[]);
        transfer[5] = 1;
        assert_eq!(bench.exchange(&transfer)[5..9], [1, 3, 0x42, 5], "{message_type:02X}");
    }
    bench.works();
}

#[test]
fn less_than_a_header_is_no_message() {
    let mut bench = Bench::powered();
    for len in 0..10 {
        bench.send(&vec![0x62; len]);
        assert!(bench.offer(Interface::Ccid, &[]));
        assert_eq!(bench.answer(), None);
    }
    bench.works();
}

#[test]
fn a_message_broken_off_is_answered_after_a_while_and_the_next_one_works() {
    let mut bench = Bench::powered();
    let mut transfer = xfr(7, &[0x55; 54]);
    transfer[1] = 200;
    bench.send(&transfer);
    assert_eq!(bench.answer(), None);
    assert!(bench.ccid.deadline().is_some_and(|deadline| deadline == bench.now.after(PACKET_GAP)));
    bench.wait(PACKET_GAP);
    assert_eq!(bench.answer().expect("an answer")[5..9], [0, 7, 0x40, 1]);
    bench.works();
    assert_eq!(bench.card.ran, [[0x00, 0xA4, 0x04, 0x00]], "nothing of the broken message is left");
}

#[test]
fn a_busy_card_asks_for_time_every_one_and_a_half_seconds() {
    let mut bench = Bench::powered();
    bench.card.is_slow = true;
    bench.send(&xfr(0x42, &[0; 4]));
    for _ in 0..3 {
        assert_eq!(bench.answer(), None);
        bench.wait(TIME_EXTENSION - Duration::from_millis(1));
        assert_eq!(bench.answer(), None);
        bench.wait(Duration::from_millis(1));
        assert_eq!(bench.answer().expect("an extension"), [0x80, 0, 0, 0, 0, 0, 0x42, 0x80, 1, 0]);
    }
    bench.card.is_slow = false;
    assert_eq!(bench.answer().expect("the response")[5..], [&[0, 0x42, 0, 0, 0][..], &echo(&[0; 4])].concat());
    assert_eq!(bench.ccid.deadline(), None);
}

#[test]
fn messages_while_the_card_is_busy_are_told_so() {
    let mut bench = Bench::powered();
    bench.card.is_slow = true;
    bench.send(&xfr(1, &[0; 4]));
    for message_type in [0x62, 0x63, 0x65, 0x6F, 0x6C] {
        let data = if message_type == 0x6F { vec![1; 500] } else { vec![] };
        let answer = bench.exchange(&message(message_type, 2, [0; 3], &data));
        assert_eq!((answer.len(), &answer[6..9]), (10, &[2, 0x40, 0xE0][..]), "{message_type:02X}");
    }
    bench.card.is_slow = false;
    assert_eq!(bench.answer().expect("the response")[6], 1);
    assert_eq!(bench.card.ran, [[0; 4]]);
    bench.works();
}

#[test]
fn an_abort_ends_a_command_in_whichever_order_its_halves_come() {
    for control_first in [true, false] {
        let mut bench = Bench::powered();
        bench.card.is_slow = true;
        bench.send(&xfr(1, &[0; 4]));
        let bulk = message(0x72, 9, [0; 3], &[]);
        if control_first {
            assert!(bench.control(ABORT, abort_value(9)));
        } else {
            bench.send(&bulk);
            assert_eq!(bench.answer(), None, "half an abort");
            assert!(bench.control(ABORT, abort_value(9)));
        }
        assert_eq!(bench.answer().expect("the command's")[6..9], [1, 0x40, 0xFF]);
        if control_first {
            assert_eq!(bench.exchange(&message(0x65, 5, [0; 3], &[]))[6..9], [5, 0x40, 0xFF]);
            bench.send(&bulk);
        }
        assert_eq!(bench.answer().expect("the abort's"), [0x81, 0, 0, 0, 0, 0, 9, 0, 0, 0]);
        let answer = bench.exchange(&xfr(2, &[0; 4]));
        assert_eq!(answer[6..9], [2, 0x40, 0xE0], "the card still works on what nobody waits for");
        bench.card.is_slow = false;
        assert_eq!(bench.answer(), None, "its response goes nowhere");
        bench.works();
    }
}

#[test]
fn an_abort_ends_a_message_that_was_broken_off() {
    let mut bench = Bench::powered();
    bench.send(&xfr(1, &[0; 500])[..128]);
    assert!(bench.control(ABORT, abort_value(9)));
    assert_eq!(bench.answer().expect("the message's")[6..9], [1, 0x40, 0xFF]);
    assert_eq!(bench.exchange(&message(0x72, 9, [0; 3], &[]))[6..9], [9, 0, 0]);
    bench.works();
}

#[test]
fn an_abort_ends_a_message_of_which_a_packet_comes_after_its_first_half() {
    let mut bench = Bench::powered();
    assert!(bench.control(ABORT, abort_value(9)));
    bench.send(&xfr(1, &[0; 500])[..64]);
    assert_eq!(bench.answer(), None, "the rest may come");
    bench.send(&message(0x72, 9, [0; 3], &[]));
    assert_eq!(bench.answer().expect("the message's")[6..9], [1, 0x40, 0xFF]);
    assert_eq!(bench.answer().expect("the abort's")[5..9], [0, 9, 0, 0]);
    bench.works();
    assert_eq!(bench.card.ran.len(), 1, "nothing else reached the card");
}

#[test]
fn an_abort_with_another_number_ends_one_that_waits_for_its_second_half() {
    let mut bench = Bench::powered();
    bench.card.is_slow = true;
    bench.send(&xfr(1, &[0; 4]));
    bench.send(&message(0x72, 5, [0; 3], &[]));
    assert!(bench.control(ABORT, abort_value(9)));
    assert_eq!(bench.answer().expect("the command's")[6..9], [1, 0x40, 0xFF]);
    assert_eq!(bench.answer().expect("the first abort's")[6..9], [5, 0, 0]);
    assert_eq!(bench.exchange(&message(0x72, 9, [0; 3], &[]))[6..9], [9, 0, 0]);
    bench.card.is_slow = false;
    assert_eq!(bench.answer(), None);
    bench.works();
}

#[test]
fn an_abort_among_the_data_of_a_message_is_data() {
    let mut bench = Bench::powered();
    let abort = message(0x72, 9, [0; 3], &[]);
    let apdu = [&[0x55; 54][..], &abort].concat();
    let answer = bench.exchange(&xfr(1, &apdu));
    assert_eq!(answer[10..], echo(&apdu));
}

#[test]
fn half_an_abort_does_no_harm() {
    let mut bench = Bench::powered();
    let bulk = message(0x72, 9, [0; 3], &[]);
    assert_eq!(bench.exchange(&bulk)[6..9], [9, 0, 0], "nothing to abort");
    assert!(bench.control(ABORT, abort_value(9)), "the other half, late");
    bench.works();

    bench.card.is_slow = true;
    bench.send(&xfr(1, &[0; 4]));
    bench.send(&bulk);
    bench.card.is_slow = false;
    assert_eq!(bench.answer().expect("the command's")[6..9], [1, 0, 0], "it was not aborted");
    assert_eq!(bench.answer().expect("the abort's")[6..9], [9, 0, 0]);
    bench.works();

    assert!(bench.control(ABORT, abort_value(3)));
    assert_eq!(bench.exchange(&message(0x65, 5, [0; 3], &[]))[6..9], [5, 0x40, 0xFF]);
    bench.wait(ABORT_LIMIT);
    bench.works();
}

#[test]
fn other_control_requests_are_refused() {
    let mut bench = Bench::powered();
    for request in [0x00, 0x02, 0x03, 0x22, 0xFF] {
        assert!(!bench.control(request, 0), "{request:02X}");
    }
    assert!(!bench.control(ABORT, 0x0901), "there is no second slot");
    bench.works();
}

#[test]
fn the_card_is_reset_when_it_goes_from_one_interface_to_the_other() {
    let mut bench = Bench::powered();
    let (ccid, vendor) = (Interface::Ccid, Interface::Vendor);
    for (interface, resets) in
        [(ccid, vec![Some(ccid)]), (ccid, vec![]), (vendor, vec![Some(vendor)]), (vendor, vec![])]
    {
        bench.card.resets.clear();
        assert_eq!(bench.exchange_on(interface, &xfr(1, &[0; 4]))[10..], echo(&[0; 4]));
        assert_eq!(bench.card.resets, resets);
    }
    bench.card.resets.clear();
    for message_type in [0x65, 0x63, 0x62] {
        bench.exchange_on(ccid, &message(message_type, 1, [0; 3], &[]));
    }
    assert_eq!(bench.card.resets, [], "no message but a command ends the other's session");
}

#[test]
fn a_command_of_the_other_interface_is_told_that_the_slot_is_busy() {
    let mut bench = Bench::powered();
    bench.card.is_slow = true;
    bench.send(&xfr(1, &[0; 4]));
    bench.wait(PATIENCE * 100);
    assert_eq!(bench.exchange_on(Interface::Vendor, &xfr(2, &[1; 700]))[6..9], [2, 0x40, 0xE0]);
    assert_eq!(bench.exchange_on(Interface::Vendor, &message(0x65, 3, [0; 3], &[]))[6..9], [3, 0, 0]);
    bench.card.is_slow = false;
    assert_eq!(bench.answer().expect("the response")[6..9], [1, 0, 0]);
    bench.works_on(Interface::Vendor);
}

#[test]
fn a_host_that_leaves_a_command_or_a_response_alone_loses_the_slot() {
    let mut bench = Bench::powered();
    let other = xfr(2, &[1; 4]);
    bench.send(&part(1, 1, &[0; 30]));
    assert_eq!(bench.answer().expect("continue")[9], 0x10);
    assert_eq!(bench.exchange_on(Interface::Vendor, &other)[6..9], [2, 0x40, 0xE0]);
    bench.wait(PATIENCE);
    assert_eq!(bench.exchange_on(Interface::Vendor, &other)[10..], echo(&[1; 4]));
    assert_eq!(bench.exchange(&part(1, 2, &[0; 30]))[6..9], [1, 0x40, 0xE0], "the rest comes too late");

    bench.card.response = Some(vec![7; 1000]);
    bench.send(&xfr(3, &[0; 4]));
    assert_eq!(bench.packet_of(Interface::Ccid).expect("the start of the response").len(), 64);
    bench.wait(PATIENCE);
    bench.card.response = None;
    assert_eq!(bench.exchange_on(Interface::Vendor, &other)[10..], echo(&[1; 4]));
    assert!(bench.answer().is_some_and(|rest| rest.len() < 64), "the response is broken off");
    assert_eq!(bench.answer(), None);
    bench.works();
}

#[test]
fn a_bus_reset_in_the_middle_of_a_command_closes_the_session_when_it_ends() {
    let mut bench = Bench::powered();
    bench.exchange(&xfr(0, &[0; 4]));
    bench.card.resets.clear();
    bench.card.is_slow = true;
    bench.send(&xfr(1, &[0; 4]));
    bench.ccid.reset(&mut bench.slot);
    bench.card.turn(&mut bench.slot);
    assert_eq!(bench.card.resets, [], "a running command is not disturbed");
    bench.card.is_slow = false;
    assert_eq!(bench.answer(), None);
    assert_eq!(bench.card.resets, [None]);
    bench.works();
}

/// A bus that sleeps in the middle of a command: the rest of it must not run in the session of whoever comes next.
#[test]
fn half_a_command_does_not_outlive_its_session() {
    for other_comes in [false, true] {
        let mut bench = Bench::powered();
        let vendor = Interface::Vendor;
        assert_eq!(bench.exchange_on(vendor, &part(1, 1, &[0; 30]))[9], 0x10);
        bench.slot.close_session();
        if other_comes {
            bench.exchange(&message(0x62, 2, [0; 3], &[]));
        }
        assert_eq!(bench.exchange_on(vendor, &part(3, 2, &[0; 30]))[6..9], [3, 0x40, 0xE0]);
        assert!(bench.card.ran.is_empty() && bench.card.command.is_empty());
        bench.works();
        bench.works_on(vendor);
    }
}
