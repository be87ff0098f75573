//! Any packets at any time, on both interfaces and the control pipe: never a hang, no command in the other interface's
//! session, and the next good command works.

mod common;

use common::{Bench, message};
use ferrite_usb::{Interface, MAX_PACKET};
use proptest::collection::vec;
use proptest::prelude::*;
use std::time::Duration;

/// What a host, or chance, does next.
#[derive(Debug, Clone)]
enum Step {
    Packet(bool, Vec<u8>),
    Read(bool),
    Control(u8, u16),
    Wait(u64),
    CardIsSlow(bool),
    BusReset(bool),
    Sleep(bool),
}

fn interface(is_vendor: bool) -> Interface {
    if is_vendor { Interface::Vendor } else { Interface::Ccid }
}

/// A message that is nearly good: a known type, a length that often fits.
fn nearly_good() -> impl Strategy<Value = Vec<u8>> {
    let types = prop::sample::select(vec![
        0x61, 0x62, 0x63, 0x65, 0x69, 0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x6F, 0x6F, 0x6F, 0x6F, 0x71, 0x72, 0x73, 0x80,
    ]);
    let level = prop::sample::select(vec![0_u8, 0, 0, 1, 2, 3, 0x10]);
    (types, any::<u8>(), 0..2_u8, level, vec(any::<u8>(), 0..=54), prop::option::weighted(0.2, any::<u32>())).prop_map(
        |(message_type, seq, first, level, data, length)| {
            let mut message = message(message_type, seq, [first, level, 0], &data);
            if let Some(length) = length {
                message[1..5].copy_from_slice(&(length % 300).to_le_bytes());
            }
            message
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (any::<bool>(), nearly_good()).prop_map(|(who, packet)| Step::Packet(who, packet)),
        2 => (any::<bool>(), vec(any::<u8>(), 0..=MAX_PACKET)).prop_map(|(who, packet)| Step::Packet(who, packet)),
        1 => any::<bool>().prop_map(|who| Step::Packet(who, vec![0x62; MAX_PACKET])),
        6 => any::<bool>().prop_map(Step::Read),
        1 => (0..4_u8, any::<u16>()).prop_map(|(request, value)| Step::Control(request, value & 0xFF00)),
        2 => (0..2000_u64).prop_map(Step::Wait),
        1 => any::<bool>().prop_map(Step::CardIsSlow),
        1 => prop::bool::weighted(0.2).prop_map(Step::BusReset),
        1 => prop::bool::weighted(0.5).prop_map(Step::Sleep),
    ]
}

fn take(bench: &mut Bench, step: Step) {
    match step {
        // A packet that is not taken waits on the bus.
        Step::Packet(who, packet) => {
            bench.offer(interface(who), &packet);
        }
        Step::Read(who) => {
            bench.packet_of(interface(who));
        }
        Step::Control(request, value) => {
            bench.control(request, value);
        }
        Step::Wait(millis) => bench.wait(Duration::from_millis(millis)),
        Step::CardIsSlow(is_slow) => bench.card.is_slow = is_slow,
        Step::BusReset(true) => bench.ccid.reset(&mut bench.slot),
        Step::Sleep(true) => bench.slot.close_session(),
        Step::BusReset(false) | Step::Sleep(false) => {}
    }
}

/// The host reads what there is, and gives the device time to give up what it waits for.
fn settle(bench: &mut Bench) {
    bench.card.is_slow = false;
    for _ in 0..3 {
        for who in [Interface::Ccid, Interface::Vendor] {
            let mut packets = 0;
            while bench.packet_of(who).is_some() {
                packets += 1;
                assert!(packets < 1100, "no end of answers");
            }
        }
        bench.wait(Duration::from_secs(1));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_next_good_command_works(steps in vec(step(), 0..60)) {
        let mut bench = Bench::new();
        for step in steps {
            take(&mut bench, step);
        }
        settle(&mut bench);
        bench.works_on(Interface::Ccid);
        bench.works_on(Interface::Vendor);
    }

    #[test]
    fn every_whole_message_has_exactly_one_answer(messages in vec((any::<bool>(), nearly_good()), 1..30)) {
        let mut bench = Bench::new();
        for (who, message) in messages {
            let who = interface(who);
            bench.send_on(who, &message);
            if bench.answer_of(who).is_none_or(|answer| answer[6] != message[6]) {
                // A message that promises more than it has is answered when the device gives up waiting. Only a full packet
                // can be waited for.
                prop_assert_eq!(message.len(), MAX_PACKET);
                bench.wait(Duration::from_millis(500));
                let answer = bench.answer_of(who).expect("an answer");
                prop_assert_eq!(answer[6], message[6]);
            }
            prop_assert!(bench.packet_of(who).is_none());
        }
    }
}
