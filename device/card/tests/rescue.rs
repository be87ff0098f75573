//! The rescue application: what it tells, and what it does only for somebody who is there.

mod common;

use common::*;
use ferrite_card::{Presence, Restart};
use ferrite_store::testing::{RamFlash, SharedFlash};
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::ecdsa::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};
use std::time::Duration;

const RESCUE: &[u8] = &[0xA0, 0x58, 0x3F, 0xC1, 0x9B, 0x7E, 0x4F, 0x21];
const READ_CONFIGURATION: (u8, u8, u8) = (0x1E, 1, 0);
const READ_STORED: (u8, u8, u8) = (0x1E, 1, 1);
const READ_CHALLENGE: (u8, u8, u8) = (0x1E, 5, 0);
const WRITE_CONFIGURATION: (u8, u8, u8) = (0x1C, 1, 0);
const FACTORY_RESET: (u8, u8, u8) = (0x1B, 0, 0);

fn command((ins, p1, p2): (u8, u8, u8), data: &[u8]) -> Vec<u8> {
    apdu(0x80, ins, p1, p2, data, Some(256))
}

fn select(device: &mut Device) -> Vec<u8> {
    device.ok(&apdu(0, 0xA4, 4, 4, RESCUE, Some(256)))
}

/// A device with keys, in the rescue application.
fn in_use() -> (Device, SharedFlash) {
    let (mut device, flash) = Device::initialised();
    device.login();
    device.ok(&generate_p256(1, &[]));
    device.ok(&update(0xCF01, 0, b"precious"));
    select(&mut device);
    (device, flash)
}

fn reset_to_factory(device: &mut Device) -> u16 {
    let challenge = device.ok(&command(READ_CHALLENGE, &[]));
    device.status(&command(FACTORY_RESET, &challenge))
}

#[test]
fn it_says_what_device_it_is_and_logs_out() {
    let (mut device, _) = Device::initialised();
    device.login();
    assert_eq!(select(&mut device), [3, 1, 6, 6, 1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(select(&mut device).len(), 12);
    assert_eq!(device.status(&command((0x20, 0, 0x81), &[])), 0x6D00);
    assert_eq!(device.status(&apdu(0, 0x1E, 1, 0, &[], Some(256))), 0x6E00);
    assert_eq!(device.status(&[0x00, 0x20, 0x00, 0x81]), 0x6E00);
    device.select();
    assert_eq!(device.status(&sign(1, 0x73, b"m")), 0x6982);
}

#[test]
fn the_state_of_the_device_is_told_without_anybody_there() {
    let (mut device, _) = in_use();
    device.card.platform().presence = Presence::TimedOut;
    let memory = device.ok(&command((0x1E, 2, 0), &[]));
    assert_eq!(memory.len(), 20);
    assert_eq!(device.ok(&command((0x1E, 3, 0), &[])), [0, 0, 0xFF]);
    assert_eq!(device.status(&command((0x1E, 4, 1), &[])), 0x6985, "the clock was never set");
    assert_eq!(device.status(&command((0x1E, 4, 3), &[])), 0x6A86);
    assert_eq!(device.ok(&command(READ_STORED, &[])), []);
    let effective = device.ok(&command(READ_CONFIGURATION, &[]));
    assert_eq!(
        hex::encode(effective),
        "05010f060200 0008010f090b466572726974652048534d0a04000007ff0b0103".replace(' ', "")
    );
    let point = device.ok(&command((0x10, 2, 0), &[]));
    device.select();
    let certificate = device.ok(&read(0x2F02, 0));
    assert!(certificate.windows(65).any(|window| window == point), "the key in the device's certificate");
    assert_eq!(device.card.platform().asked, 0);
}

/// The example of the specification, part 3 §3.2.
#[test]
fn the_configuration_is_written_as_recorded_and_survives_initialize_but_not_a_factory_reset() {
    let (mut device, flash) = in_use();
    let data = hex::decode("000420A042300602000208010F0B0103").unwrap();
    device.ok(&command(WRITE_CONFIGURATION, &data));
    assert_eq!(device.ok(&command(READ_STORED, &[])), data);
    assert_eq!(device.card.configuration().usb_ids.expect("stored").vendor, 0x20A0);
    device.select();
    assert_eq!(device.ok(&apdu(0x80, 0x64, 0x1B, 0, &[], Some(256))), data);
    device.ok(&initialize(&[0, 1], USER_PIN, SO_PIN));
    drop(device);
    let mut device = Device::start(&flash);
    select(&mut device);
    assert_eq!(device.ok(&command(READ_STORED, &[])), data);
    // What is not in it goes back to its default.
    device.ok(&command(WRITE_CONFIGURATION, &[8, 1, 20]));
    assert_eq!(device.ok(&command(READ_STORED, &[])), [8, 1, 20]);
    assert_eq!(reset_to_factory(&mut device), 0x9000);
    select(&mut device);
    assert_eq!(device.ok(&command(READ_STORED, &[])), []);
}

#[test]
fn a_configuration_that_is_wrong_anywhere_is_refused_as_a_whole() {
    let (mut device, _) = in_use();
    device.ok(&command(WRITE_CONFIGURATION, &[8, 1, 20]));
    for (data, expected) in [
        ("0801", 0x6A80),
        ("080100", 0x6A80),
        ("08013D", 0x6A80),
        // Without CCID and the vendor's own interface nobody could speak to it any more.
        ("0B0100", 0x6A80),
        ("0B0104", 0x6A80),
        ("0501100801 05", 0x6A80),
        // No pin for an LED here.
        ("04011E", 0x6A80),
        ("08", 0x6700),
    ] {
        let data = hex::decode(data.replace(' ', "")).unwrap();
        assert_eq!(device.status(&command(WRITE_CONFIGURATION, &data)), expected, "{data:02X?}");
    }
    assert_eq!(device.ok(&command(READ_STORED, &[])), [8, 1, 20]);
}

#[test]
fn whatever_changes_the_device_waits_for_somebody() {
    let (mut device, _) = in_use();
    device.card.platform().restarts = Some(vec![]);
    device.card.platform().boot_keys.0 = 4;
    // The shortest time that can be configured does not make these shorter.
    device.ok(&command(WRITE_CONFIGURATION, &[8, 1, 1]));
    let mut certificate = vec![];
    device.select();
    certificate.extend(device.ok(&read(0x2F02, 0)));
    select(&mut device);
    for presence in [Presence::Refused, Presence::TimedOut, Presence::Cancelled] {
        device.card.platform().presence = presence;
        for (what, header, data, guarded) in [
            ("configuration", WRITE_CONFIGURATION, &[8, 1, 5][..], false),
            ("clock", (0x1C, 2, 2), &[0, 0, 0, 1], false),
            ("certificates", (0x10, 3, 0), &certificate, false),
            ("boot loader", (0x1F, 1, 0), &[], false),
            ("secure boot", (0x1D, 0, 1), &[], true),
            ("factory reset", FACTORY_RESET, &[], true),
        ] {
            let data = if guarded { device.ok(&command(READ_CHALLENGE, &[])) } else { data.to_vec() };
            device.card.platform().limits.clear();
            device.card.platform().shown.clear();
            assert_eq!(device.status(&command(header, &data)), 0x6985, "{what}");
            assert_eq!(device.card.platform().limits, [Duration::from_secs(15)], "{what}");
            assert!(device.card.platform().shown.contains(&ferrite_card::Activity::Presence), "{what}");
        }
    }
    assert_eq!(device.ok(&command(READ_STORED, &[])), [8, 1, 1]);
    assert_eq!(device.status(&command((0x1E, 4, 2), &[])), 0x6985);
    assert_eq!(device.card.platform().restarts, Some(vec![]));
    assert!(device.card.platform().boot_keys.1.is_empty());
    device.select();
    assert_eq!(device.ok(&read(0xCF01, 0)), b"precious");
}

#[test]
fn the_clock_is_set_and_read_in_both_forms() {
    let (mut device, _) = in_use();
    device.ok(&command((0x1C, 2, 1), &[0x07, 0xEA, 0x0A, 0x17, 0x05, 0x0E, 0x2E, 0x0E]));
    assert_eq!(device.ok(&command((0x1E, 4, 1), &[])), [0x07, 0xEA, 0x0A, 0x17, 0x01, 0x0E, 0x2E, 0x0E]);
    assert_eq!(device.ok(&command((0x1E, 4, 2), &[])), 1_795_445_174_u32.to_be_bytes());
    device.ok(&command((0x1C, 2, 2), &[0, 0, 0, 0]));
    assert_eq!(device.ok(&command((0x1E, 4, 1), &[])), [0x07, 0xB2, 0, 1, 4, 0, 0, 0]);
}

#[test]
fn the_device_key_signs_a_proof_and_nothing_of_the_hosts() {
    let (mut device, _) = in_use();
    let point = device.ok(&command((0x10, 2, 0), &[]));
    assert_eq!(device.status(&command((0x10, 1, 0), &[7; 32])), 0x6A86);
    let signature = device.ok(&command((0x10, 4, 0), b"challenge"));
    let digest = Sha256::digest([b"rescue-pop".as_slice(), &[1, 2, 3, 4, 5, 6, 7, 8], b"challenge"].concat());
    let key = VerifyingKey::from_sec1_bytes(&point).expect("a point on the curve");
    key.verify_prehash(&digest, &Signature::from_slice(&signature).expect("r and s")).expect("a valid signature");
    // A digest as its own challenge signs something else.
    let signature = device.ok(&command((0x10, 4, 0), &[7; 32]));
    assert!(key.verify_prehash(&[7; 32], &Signature::from_slice(&signature).unwrap()).is_err());
    let (mut blank, _) = Device::blank();
    select(&mut blank);
    assert_eq!(blank.status(&command((0x10, 2, 0), &[])), 0x6400);
    assert_eq!(blank.status(&command((0x10, 4, 0), &[7; 32])), 0x6400);
}

#[test]
fn certificates_are_installed_for_the_device_key_only() {
    let (mut device, _) = in_use();
    device.select();
    let own = device.ok(&read(0x2F02, 0));
    let (mut other, _) = Device::with_seed(77);
    let foreign = other.ok(&read(0x2F02, 0));
    assert_ne!(own, foreign);
    select(&mut device);
    assert_eq!(device.status(&command((0x10, 3, 0), &foreign)), 0x6A80);
    assert_eq!(device.status(&command((0x10, 3, 0), b"nonsense")), 0x6A80);
    // An authority's: the issuer is somebody else. (Who checks signatures checks this one too.)
    let mut certified = own.clone();
    let car = certified.windows(2).position(|window| window == [0x42, 0x10]).expect("an issuer");
    certified[car + 2..car + 18].copy_from_slice(b"UTAUTHORITY00001");
    device.ok(&command((0x10, 3, 0), &certified));
    assert_eq!(device.status(&command((0x10, 3, 0), &own)), 0x6986, "an authority's is not replaced");
    device.select();
    assert_eq!(device.ok(&read(0x2F02, 0)), certified);
}

#[test]
fn a_board_without_restart_or_secure_boot_says_so_and_asks_nobody() {
    let (mut device, _) = in_use();
    for header in [(0x1F, 0, 0), (0x1F, 1, 0)] {
        assert_eq!(device.status(&command(header, &[])), 0x6D00);
    }
    let challenge = device.ok(&command(READ_CHALLENGE, &[]));
    assert_eq!(device.status(&command((0x1D, 0, 0), &challenge)), 0x6D00);
    assert_eq!(device.card.platform().asked, 0);
}

#[test]
fn a_restart_closes_the_session_and_is_the_boards() {
    let (mut device, _) = in_use();
    device.card.platform().restarts = Some(vec![]);
    device.ok(&command((0x1F, 0, 0), &[]));
    assert_eq!(device.card.platform().asked, 0);
    device.ok(&command((0x1F, 1, 0), &[]));
    assert_eq!(device.card.platform().asked, 1);
    assert_eq!(device.card.platform().restarts, Some(vec![Restart::Firmware, Restart::BootLoader]));
}

#[test]
fn secure_boot_takes_a_slot_that_there_is_and_a_challenge() {
    let (mut device, _) = in_use();
    device.card.platform().boot_keys.0 = 3;
    let secure = |device: &mut Device, slot, lock| {
        let challenge = device.ok(&command(READ_CHALLENGE, &[]));
        device.status(&command((0x1D, slot, lock), &challenge))
    };
    assert_eq!(secure(&mut device, 3, 0), 0x6A86);
    assert_eq!(secure(&mut device, 4, 0), 0x6A86);
    assert_eq!(secure(&mut device, 2, 0), 0x9000);
    assert_eq!(secure(&mut device, 1, 1), 0x9000);
    assert_eq!(device.card.platform().boot_keys.1, [(2, false), (1, true)]);
}

#[test]
fn a_challenge_is_the_devices_and_serves_the_next_command_only() {
    let (mut device, flash) = in_use();
    assert_eq!(device.status(&command(FACTORY_RESET, &[0; 8])), 0x6A80, "none was asked for");
    let challenge = device.ok(&command(READ_CHALLENGE, &[]));
    let mut wrong = challenge.clone();
    wrong[7] ^= 1;
    assert_eq!(device.status(&command(FACTORY_RESET, &wrong)), 0x6A80);
    assert_eq!(device.status(&command(FACTORY_RESET, &challenge)), 0x6A80, "used up");
    let challenge = device.ok(&command(READ_CHALLENGE, &[]));
    device.ok(&command((0x1E, 3, 0), &[]));
    assert_eq!(device.status(&command(FACTORY_RESET, &challenge)), 0x6A80, "something came in between");
    let challenge = device.ok(&command(READ_CHALLENGE, &[]));
    select(&mut device);
    assert_eq!(device.status(&command(FACTORY_RESET, &challenge)), 0x6A80, "another selection");
    let challenge = device.ok(&command(READ_CHALLENGE, &[]));
    device.card.reset();
    select(&mut device);
    assert_eq!(device.status(&command(FACTORY_RESET, &challenge)), 0x6A80, "a reset");
    assert_eq!(device.card.platform().asked, 0);
    drop(device);
    let mut device = Device::start(&flash);
    assert_eq!(device.ok(&read(0xCF01, 0)), b"precious");
}

/// D3: with the SO-PIN lost, this is the way out.
#[test]
fn a_factory_reset_erases_everything_and_leaves_a_blank_device() {
    let (mut device, flash) = in_use();
    device.select();
    for _ in 0..15 {
        device.status(&verify(0x88, b"no such PIN"));
    }
    assert_eq!(device.status(&initialize(&[0, 1], USER_PIN, SO_PIN)), 0x6983);
    let old = device.ok(&read(0x2F02, 0));
    select(&mut device);
    assert_eq!(reset_to_factory(&mut device), 0x9000);
    assert_eq!(device.card.platform().asked, 1);
    for restarted in [false, true] {
        if restarted {
            drop(device);
            device = Device::with(&flash, TestPlatform::new(99));
        }
        device.select();
        assert_eq!(device.ok(&apdu(0x80, 0x58, 0, 0, &[], Some(65536))), [0xC4, 0x00]);
        assert_eq!(device.status(&[0, 0x20, 0, 0x81]), 0x6A88);
        assert_eq!(device.status(&[0, 0x20, 0, 0x88]), 0x6A88);
        assert_eq!(device.status(&read(0xCF01, 0)), 0x6A82);
        assert_eq!(device.ok(&read(0x2F02, 0)), []);
    }
    device.ok(&initialize(&[0, 1], USER_PIN, SO_PIN));
    assert_ne!(device.ok(&read(0x2F02, 0)), old, "another device key");
    device.ok(&generate_p256(1, &[]));
}

#[test]
fn a_factory_reset_happens_or_does_not() {
    let (device, flash) = in_use();
    drop(device);
    let mut cuts = 0;
    loop {
        let flash = flash.fork();
        let mut device = Device::start(&flash);
        select(&mut device);
        flash.lock().cut_after(cuts, cuts);
        reset_to_factory(&mut device);
        let was_cut = flash.lock().is_off();
        drop(device);
        flash.lock().revive();
        let mut device = Device::start(&flash);
        if device.status(&[0, 0x20, 0, 0x81]) == 0x63C3 {
            assert!(was_cut);
            device.login();
            device.ok(&sign(1, 0x73, b"m"));
            assert_eq!(device.ok(&read(0xCF01, 0)), b"precious");
        } else {
            assert_eq!(device.status(&[0, 0x20, 0, 0x81]), 0x6A88);
            assert_eq!(device.status(&read(0xCF01, 0)), 0x6A82);
            device.ok(&initialize(&[0, 1], USER_PIN, SO_PIN));
        }
        if !was_cut {
            break;
        }
        cuts += 1;
    }
    assert!(cuts > 1);
}

#[test]
fn a_device_with_damaged_storage_answers_and_is_brought_back_by_a_factory_reset() {
    // Half of a store.
    let (device, whole) = in_use();
    drop(device);
    let image = whole.lock().bytes()[..PAGES / 2 * 4096].to_vec();
    let flash = SharedFlash::from(RamFlash::from_bytes(image.clone()));
    let mut device = Device::start(&flash);
    device.card.platform().restarts = Some(vec![]);
    assert_eq!(device.status(&initialize(&[0, 1], USER_PIN, SO_PIN)), 0x6581, "nothing is overwritten");
    assert_eq!(select(&mut device)[..4], [3, 1, 6, 6]);
    device.ok(&command(READ_CONFIGURATION, &[]));
    assert_eq!(device.status(&command((0x1E, 2, 0), &[])), 0x6581);
    device.card.platform().presence = Presence::TimedOut;
    assert_eq!(reset_to_factory(&mut device), 0x6985);
    assert!(flash.lock().bytes() == image, "nothing was erased");
    device.card.platform().presence = Presence::Confirmed;
    assert_eq!(reset_to_factory(&mut device), 0x9000);
    assert_eq!(device.card.platform().restarts, Some(vec![Restart::Firmware]));
    drop(device);
    let mut device = Device::start(&flash);
    device.ok(&initialize(&[0, 1], USER_PIN, SO_PIN));
}

#[test]
fn a_configuration_is_written_or_is_not() {
    let (mut device, flash) = in_use();
    device.ok(&command(WRITE_CONFIGURATION, &[8, 1, 20]));
    drop(device);
    let mut cuts = 0;
    loop {
        let flash = flash.fork();
        let mut device = Device::start(&flash);
        select(&mut device);
        flash.lock().cut_after(cuts, cuts);
        device.status(&command(WRITE_CONFIGURATION, &[8, 1, 30, 0x0B, 1, 1]));
        let was_cut = flash.lock().is_off();
        drop(device);
        flash.lock().revive();
        let mut device = Device::start(&flash);
        select(&mut device);
        let stored = device.ok(&command(READ_STORED, &[]));
        assert!(stored == [8, 1, 20] || stored == [8, 1, 30, 0x0B, 1, 1], "{stored:02X?}");
        if !was_cut {
            assert_eq!(stored.len(), 6);
            break;
        }
        cuts += 1;
    }
    assert!(cuts > 0);
}

#[test]
fn curves_that_are_switched_off_make_no_keys() {
    let (mut device, _) = in_use();
    // All but P-256.
    device.ok(&command(WRITE_CONFIGURATION, &[0x0A, 4, 0, 0, 0x07, 0xFE]));
    device.select();
    device.login();
    assert_eq!(device.status(&generate_p256(2, &[])), 0x6A81);
    assert_eq!(device.status(&apdu(0x80, 0x4A, 2, 0, &[9; 32], None)), 0x6A81, "a seed for its keys");
    device.ok(&generate_p521(2));
    device.ok(&generate_secret(3, 0xB2, &[]));
    // A key that is there goes on working.
    device.ok(&sign(1, 0x73, b"m"));
    assert_eq!(device.status(&apdu(0x80, 0x76, 1, 9, &[0x98, 1], None)), 0x6A81, "a key derived from it");
}
