//! What is encoded is decoded; anything else gets its status word.

use super::*;
use crate::apdu::{Apdu, Class};
use crate::clock::Moment;
use crate::configuration::{Configuration, PresenceTimeout};
use crate::status::Status;
use proptest::prelude::*;
use std::boxed::Box;
use std::vec::Vec;

#[test]
fn the_answer_is_read_back() {
    let answer = SelectAnswer { platform: 3, product: Product::Hsm, version: [6, 6], serial: [1, 2, 3, 4, 5, 6, 7, 8] };
    assert_eq!(answer.to_bytes()[..4], [3, 1, 6, 6]);
    assert_eq!(SelectAnswer::parse(&answer.to_bytes()), Some(answer));
    assert_eq!(SelectAnswer::parse(&[3, 9, 6, 6]), None);
}

fn challenge() -> impl Strategy<Value = &'static [u8; CHALLENGE]> {
    any::<[u8; CHALLENGE]>().prop_map(|challenge| &*Box::leak(Box::new(challenge)))
}

fn bytes(range: core::ops::Range<usize>) -> impl Strategy<Value = &'static [u8]> {
    proptest::collection::vec(any::<u8>(), range).prop_map(|bytes| &*Box::leak(bytes.into_boxed_slice()))
}

fn command() -> impl Strategy<Value = RescueCommand<'static>> {
    let form = proptest::sample::select(std::vec![ClockForm::Calendar, ClockForm::Seconds]);
    let write_clock = (form, any::<u32>());
    let timeout = (1..=60u8).prop_map(|seconds| Configuration {
        presence_timeout: PresenceTimeout::new(seconds),
        ..Configuration::default()
    });
    prop_oneof![
        proptest::sample::select(std::vec![
            RescueCommand::DeviceKey,
            RescueCommand::ReadConfiguration(Which::Effective),
            RescueCommand::ReadConfiguration(Which::Stored),
            RescueCommand::ReadMemory,
            RescueCommand::ReadSecureBoot,
            RescueCommand::ReadClock(ClockForm::Calendar),
            RescueCommand::ReadClock(ClockForm::Seconds),
            RescueCommand::ReadChallenge,
            RescueCommand::Restart,
            RescueCommand::StartBootLoader,
        ]),
        bytes(8..65).prop_map(|challenge| RescueCommand::ProveDeviceKey { challenge }),
        bytes(1..1000).prop_map(|chain| RescueCommand::InstallCertificates { chain }),
        timeout.prop_map(RescueCommand::WriteConfiguration),
        write_clock.prop_map(|(form, seconds)| RescueCommand::WriteClock { form, moment: Moment(seconds) }),
        (0..4u8, any::<bool>(), challenge()).prop_map(|(slot, lock, challenge)| RescueCommand::EnableSecureBoot {
            slot,
            lock,
            challenge
        }),
        challenge().prop_map(|challenge| RescueCommand::FactoryReset { challenge }),
    ]
}

fn status(cla: u8, ins: u8, p1: u8, p2: u8, data: &[u8]) -> Result<(), Status> {
    RescueCommand::decode(&Apdu { cla: Class::new(cla), ins, p1, p2, data, le: 256 }).map(|_| ())
}

/// The recorded refusals of the specification, part 3 §2.4, and those of §2.3 to §2.7.
#[test]
fn what_is_no_command_has_its_status() {
    for (header, data, expected) in [
        ([0x00, 0x1E, 1, 0], &[][..], Status::CLA),
        ([0x80, 0x20, 0, 0], &[], Status::INS),
        ([0x80, 0x1E, 6, 0], &[], Status::WRONG_P1P2),
        ([0x80, 0x1E, 6, 0], &[1], Status::WRONG_LENGTH),
        ([0x80, 0x1E, 1, 2], &[], Status::WRONG_P1P2),
        ([0x80, 0x1E, 4, 0], &[], Status::WRONG_P1P2),
        ([0x80, 0x1C, 9, 0], &[1], Status::WRONG_LENGTH),
        ([0x80, 0x1C, 9, 0], &[1, 2], Status::WRONG_P1P2),
        ([0x80, 0x1C, 1, 0], &[8, 1, 0], Status::WRONG_DATA),
        ([0x80, 0x1C, 2, 2], &[0; 5], Status::WRONG_LENGTH),
        ([0x80, 0x1C, 2, 1], &[0; 8], Status::WRONG_DATA),
        ([0x80, 0x1C, 2, 0], &[0; 4], Status::WRONG_P1P2),
        // What an older tool sends must not be taken for what it says.
        ([0x80, 0x1D, 0, 0], &[], Status::WRONG_LENGTH),
        ([0x80, 0x1D, 4, 0], &[0; 8], Status::WRONG_P1P2),
        ([0x80, 0x1F, 0, 0], &[0], Status::WRONG_LENGTH),
        ([0x80, 0x1F, 2, 0], &[], Status::WRONG_P1P2),
        ([0x80, 0x1B, 0, 0], &[], Status::WRONG_LENGTH),
        ([0x80, 0x1B, 0, 1], &[0; 8], Status::WRONG_P1P2),
        // A signature over anything that the host likes.
        ([0x80, 0x10, 1, 0], &[0; 32], Status::WRONG_P1P2),
        ([0x80, 0x10, 2, 0], &[0], Status::WRONG_LENGTH),
        ([0x80, 0x10, 3, 0], &[], Status::WRONG_LENGTH),
        ([0x80, 0x10, 4, 0], &[0; 7], Status::WRONG_LENGTH),
        ([0x80, 0x10, 4, 0], &[0; 65], Status::WRONG_LENGTH),
    ] {
        let [cla, ins, p1, p2] = header;
        assert_eq!(status(cla, ins, p1, p2, data), Err(expected), "{header:02X?} {data:02X?}");
    }
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(command in command()) {
        let mut scratch = std::vec![0; 2000];
        let apdu = command.encode(&mut scratch).unwrap();
        prop_assert_eq!(RescueCommand::decode(&apdu), Ok(command));
    }

    #[test]
    fn any_bytes_are_a_command_or_a_status(header: [u8; 3], data: Vec<u8>) {
        let [ins, p1, p2] = header;
        let _ = status(0x80, ins, p1, p2, &data);
    }
}
