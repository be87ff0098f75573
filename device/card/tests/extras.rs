//! EXTRAS: options, clock, memory, configuration; and what the options do.

mod common;

use common::*;
use ferrite_card::Presence;

fn extras(function: u8, p2: u8, data: &[u8]) -> Vec<u8> {
    apdu(0x80, 0x64, function, p2, data, Some(256))
}

/// The recorded exchange of the specification, part 3 §1.3.
#[test]
fn options_change_as_recorded() {
    let (mut device, flash) = Device::initialised();
    device.login();
    device.ok(&extras(6, 0, &[1]));
    assert_eq!(device.ok(&extras(6, 0, &[])), [0x01, 0x01]);
    device.ok(&extras(6, 0, &[3]));
    assert_eq!(device.ok(&extras(6, 0, &[])), [0x03, 0x01]);
    assert_eq!(device.status(&extras(6, 1, &[1])), 0x6A86);
    assert_eq!(device.status(&extras(6, 0, &[1, 1])), 0x6700);
    assert_eq!(device.status(&extras(6, 0, &[0x10])), 0x6A80);
    drop(device);
    let mut device = Device::start(&flash);
    let fcp = device.ok(&apdu(0, 0xA4, 4, 0, AID, Some(256)));
    assert!(fcp.windows(4).any(|window| window == [0x85, 5, 0x03, 0x01]), "{}", hex::encode(fcp));
}

#[test]
fn options_are_the_users_and_the_officers_and_nobody_elses() {
    let (mut device, _) = Device::initialised();
    for function in [0x06, 0x0A, 0x3A, 0x4C, 0xFB, 0x00] {
        assert_eq!(device.status(&extras(function, 0, &[])), 0x6982, "{function:02X}");
    }
    device.ok(&verify(0x88, SO_PIN));
    device.ok(&extras(6, 0, &[2]));
    assert_eq!(device.status(&extras(0x3A, 1, &[4; 65])), 0x6982, "the lock is the user's");
    device.login();
    for function in [0x4C, 0xFB, 0x00] {
        assert_eq!(device.status(&extras(function, 0, &[])), 0x6A86, "{function:02X}");
    }
}

#[test]
fn whoever_may_set_options_cannot_lock_or_unlock_with_them() {
    let (mut device, _) = Device::initialised();
    device.login();
    device.ok(&extras(6, 0, &[4]));
    assert_eq!(device.ok(&extras(6, 0, &[])), [0, 1]);
}

#[test]
fn press_to_confirm_is_not_switched_off_by_somebody_who_is_not_there() {
    let (mut device, _) = Device::initialised();
    device.login();
    device.ok(&extras(6, 0, &[1]));
    device.card.platform().presence = Presence::TimedOut;
    assert_eq!(device.status(&extras(6, 0, &[0])), 0x6600);
    assert_eq!(device.status(&extras(0x0A, 0, &[7, 0xE6, 4, 6, 3, 1, 2, 3])), 0x6600);
    let asked = device.card.platform().asked;
    assert_eq!(device.ok(&extras(6, 0, &[])), [1, 1]);
    assert_eq!(device.card.platform().asked, asked, "a question changes nothing");
}

#[test]
fn with_the_option_every_new_key_has_a_counter() {
    let (mut device, _) = Device::initialised();
    device.login();
    device.ok(&generate_p256(1, &[]));
    device.ok(&extras(6, 0, &[2]));
    device.ok(&generate_p256(2, &[]));
    device.ok(&generate_secret(3, 0xB2, &[]));
    device.ok(&generate_p256(4, &[0x90, 4, 0, 0, 0, 7]));
    for (key, counter) in [(1, None), (2, Some(0xFFFF_FFFE_u32)), (3, Some(0xFFFF_FFFE)), (4, Some(7))] {
        let fcp = device.ok(&select_file(0xCC00 | key));
        let found = fcp.windows(2).position(|window| window == [0x90, 4]);
        let found = found.map(|at| u32::from_be_bytes(fcp[at + 2..at + 6].try_into().unwrap()));
        assert_eq!(found, counter, "{key}");
    }
    device.ok(&sign(2, 0x73, b"m"));
    let fcp = device.ok(&select_file(0xCC02));
    assert!(fcp.windows(6).any(|window| window == [0x90, 4, 0xFF, 0xFF, 0xFF, 0xFD]));
}

#[test]
fn the_clock_goes_until_the_power_fails() {
    let (mut device, flash) = Device::initialised();
    device.login();
    assert_eq!(device.status(&extras(0x0A, 0, &[])), 0x6985, "nobody has set it");
    // 31 December, with a weekday that is wrong: it is computed.
    device.ok(&extras(0x0A, 0, &[0x07, 0xE6, 12, 31, 3, 23, 59, 58]));
    device.card.platform().millis += 1999;
    assert_eq!(device.ok(&extras(0x0A, 0, &[])), [0x07, 0xE6, 12, 31, 6, 23, 59, 59]);
    device.card.platform().millis += 1;
    assert_eq!(device.ok(&extras(0x0A, 0, &[])), [0x07, 0xE7, 1, 1, 0, 0, 0, 0]);
    assert_eq!(device.status(&extras(0x0A, 0, &[0x07, 0xE6, 2, 29, 0, 0, 0, 0])), 0x6A80);
    assert_eq!(device.status(&extras(0x0A, 0, &[0; 7])), 0x6700);
    assert_eq!(device.status(&extras(0x0A, 1, &[])), 0x6A86);
    device.card.reset();
    device.login();
    device.ok(&extras(0x0A, 0, &[]));
    drop(device);
    let mut device = Device::start(&flash);
    device.login();
    assert_eq!(device.status(&extras(0x0A, 0, &[])), 0x6985);
}

#[test]
fn memory_and_configuration_are_shown_to_anybody_and_changed_by_nobody() {
    let (mut device, _) = Device::initialised();
    let numbers = |bytes: Vec<u8>| -> Vec<u32> {
        bytes.chunks(4).map(|number| u32::from_be_bytes(number.try_into().unwrap())).collect()
    };
    let before = numbers(device.ok(&extras(5, 0, &[])));
    assert_eq!(before[0] + before[1], before[2]);
    assert_eq!(before[4], (PAGES * 4096) as u32);
    device.login();
    device.ok(&update(0xCF01, 0, &[1; 3000]));
    let after = numbers(device.ok(&extras(5, 0, &[])));
    assert!(before[0] >= after[0] + 3000 && after[3] > before[3], "{before:?} {after:?}");

    assert_eq!(device.ok(&extras(0x1B, 0, &[])), []);
    for p2 in [0, 4, 5, 6] {
        assert_eq!(device.status(&extras(0x1B, p2, &[8])), 0x6A86);
    }
    assert_eq!(device.ok(&extras(0x1B, 0, &[])), []);
}
