//! PINs of every form, options in every combination, and what is blocked for good.

mod common;

use common::*;
use ferrite_store::testing::SharedFlash;

fn with_options(options: u8) -> (Device, SharedFlash) {
    let (mut device, flash) = Device::blank();
    device.ok(&initialize(&[0, options], USER_PIN, SO_PIN));
    device.select();
    (device, flash)
}

fn change(reference: u8, old: &[u8], new: &[u8]) -> Vec<u8> {
    apdu(0, 0x24, 0, reference, &[old, new].concat(), None)
}

fn reset(p1: u8, data: &[&[u8]]) -> Vec<u8> {
    apdu(0, 0x2C, p1, 0x81, &data.concat(), None)
}

/// A PIN of any bytes: not only digits, zeros and all ones among them.
fn any_bytes(len: usize) -> Vec<u8> {
    [0x00, 0xFF, b'1', 0x80, 0x0A, 0x7F, 0x00, 0x20].iter().copied().cycle().take(len).collect()
}

#[test]
fn a_pin_is_6_to_16_of_any_bytes_and_an_so_pin_8_to_16() {
    for len in 0..=18 {
        let pin = any_bytes(len);
        let (mut device, _) = Device::blank();
        let set = device.status(&initialize(&[0, 1], &pin, SO_PIN));
        assert_eq!(set, if (6..=16).contains(&len) { 0x9000 } else { 0x6A80 }, "user PIN of {len}");
        if set == 0x9000 {
            device.select();
            device.ok(&verify(0x81, &pin));
            device.ok(&change(0x81, &pin, USER_PIN));
        } else {
            assert_eq!(device.status(&[0, 0x20, 0, 0x81]), 0x6A88, "nothing was set");
        }

        let (mut device, _) = Device::blank();
        let set = device.status(&initialize(&[0, 1], USER_PIN, &pin));
        assert_eq!(set, if (8..=16).contains(&len) { 0x9000 } else { 0x6A80 }, "SO-PIN of {len}");
        if set == 0x9000 {
            device.select();
            device.ok(&verify(0x88, &pin));
            device.ok(&change(0x88, &pin, SO_PIN));
        }
    }
    // The same when they are changed, and by the SO.
    for len in 6..=16 {
        let pin = any_bytes(len);
        let (mut device, flash) = with_options(1);
        device.ok(&change(0x81, USER_PIN, &pin));
        device.ok(&reset(0, &[SO_PIN, &any_bytes(22 - len)]));
        device.ok(&verify(0x81, &any_bytes(22 - len)));
        drop(device);
        let mut device = Device::start(&flash);
        device.ok(&verify(0x81, &any_bytes(22 - len)));
    }
}

#[test]
fn a_longer_or_shorter_pin_with_the_same_beginning_is_wrong() {
    let (mut device, _) = with_options(1);
    for wrong in [&b"6482190"[..], b"64821", b"648219\0", b"6482190000000000000", b"\x00648219"] {
        assert_eq!(device.status(&verify(0x81, wrong)), 0x63C2, "{wrong:02X?}");
        device.login();
    }
}

/// RESET RETRY COUNTER: option 0001 enables it, 0020 restricts it to the counter; P1 02 and 03 take the SO's session.
#[test]
fn the_reset_options_hold_in_every_combination() {
    // Options, whether the SO is logged in, and the answers to P1 00 to 04.
    let table = [
        (0x00, false, [0x6986, 0x6986, 0x6986, 0x6986, 0x6A86]),
        (0x00, true, [0x6986, 0x6986, 0x6986, 0x6986, 0x6A86]),
        (0x20, false, [0x6986, 0x6986, 0x6986, 0x6986, 0x6A86]),
        (0x20, true, [0x6986, 0x6986, 0x6986, 0x6986, 0x6A86]),
        (0x01, false, [0x9000, 0x9000, 0x6985, 0x6985, 0x6A86]),
        (0x01, true, [0x9000, 0x9000, 0x9000, 0x9000, 0x6A86]),
        (0x21, false, [0x6986, 0x9000, 0x6986, 0x6985, 0x6A86]),
        (0x21, true, [0x6986, 0x9000, 0x6986, 0x9000, 0x6A86]),
    ];
    for (options, has_session, answers) in table {
        for (p1, expected) in (0..).zip(answers) {
            let (mut device, _) = with_options(options);
            (0..3).for_each(|_| _ = device.status(&verify(0x81, b"000000")));
            if has_session {
                device.ok(&verify(0x88, SO_PIN));
            }
            let data: &[&[u8]] = match p1 {
                0 => &[SO_PIN, b"new-pin"],
                1 => &[SO_PIN],
                2 => &[b"new-pin"],
                _ => &[],
            };
            let what = format!("options {options:02X}, P1 {p1:02X}, session {has_session}");
            assert_eq!(device.status(&reset(p1, data)), expected, "{what}");
            assert_eq!(device.status(&update(0xCF01, 0, b"x")), 0x6982, "{what}: the SO is no user");
            let (old, new) = match (expected, p1) {
                (0x9000, 0 | 2) => (0x63C2, 0x9000),
                (0x9000, _) => (0x9000, 0x63C2),
                _ => (0x6983, 0x6983),
            };
            let attempt = |device: &mut Device, pin| {
                device.select();
                device.status(&verify(0x81, pin))
            };
            assert_eq!(attempt(&mut device, USER_PIN), old, "{what}: the old PIN");
            assert_eq!(attempt(&mut device, b"new-pin"), new, "{what}: the new PIN");
        }
    }
}

#[test]
fn the_reset_takes_an_so_pin_that_is_there_and_right() {
    let (mut device, _) = Device::blank();
    assert_eq!(device.status(&reset(0, &[SO_PIN, b"new-pin"])), 0x6A88, "a blank device");
    device.ok(&apdu(0x80, 0x50, 0, 0, &[tlv(&[0x80], &[0, 1]), tlv(&[0x81], USER_PIN)].concat(), None));
    for p1 in 0..4 {
        assert_eq!(device.status(&reset(p1, &[SO_PIN])), 0x6A88, "no SO-PIN was ever set");
    }
    let (mut device, _) = with_options(1);
    assert_eq!(device.status(&reset(0, &[b"00000000", b"new-pin"])), 0x63CE);
    assert_eq!(device.status(&reset(1, &[b"00000000"])), 0x63CD);
    device.ok(&verify(0x88, SO_PIN));
    assert_eq!(device.status(&reset(3, &[b"x"])), 0x6700);
    assert_eq!(device.status(&reset(2, &[])), 0x6700);
    assert_eq!(device.status(&reset(2, &[b"short"])), 0x6A80);
    device.select();
    device.login();
}

#[test]
fn a_blocked_so_pin_is_blocked_for_good() {
    let (mut device, flash) = with_options(1);
    for left in (1..15).rev() {
        assert_eq!(device.status(&verify(0x88, b"00000000")), 0x63C0 | left);
    }
    assert_eq!(device.status(&verify(0x88, b"00000000")), 0x6983);
    for restarted in [false, true] {
        if restarted {
            drop(device);
            device = Device::start(&flash);
        }
        for (what, command) in [
            ("query", vec![0, 0x20, 0, 0x88]),
            ("VERIFY", verify(0x88, SO_PIN)),
            ("CHANGE", change(0x88, SO_PIN, b"87654321")),
            ("RESET with a PIN", reset(0, &[SO_PIN, b"new-pin"])),
            ("RESET", reset(1, &[SO_PIN])),
            ("INITIALIZE", initialize(&[0, 1], USER_PIN, SO_PIN)),
        ] {
            assert_eq!(device.status(&command), 0x6983, "{what}");
        }
        // The user is not the SO's hostage.
        device.login();
        assert_eq!(device.status(&initialize(&[0, 1], USER_PIN, SO_PIN)), 0x6983, "nor in a user's session");
        device.login();
        device.ok(&change(0x81, USER_PIN, USER_PIN));
    }
}

/// D9: as long as the transport PIN is in force, nobody has had the device; afterwards it cannot be put back.
#[test]
fn a_transport_pin_shows_whether_it_was_used() {
    let (mut device, flash) = with_options(0x03);
    let is_unused = |device: &mut Device| {
        let fcp = device.ok(&apdu(0, 0xA4, 4, 0, AID, Some(256)));
        let options = fcp.windows(2).position(|window| window == [0x85, 5]).expect("options");
        let by_option = fcp[options + 3] & 2 != 0;
        assert_eq!(device.status(&[0, 0x20, 0, 0x81]) == 0x6984, by_option);
        by_option
    };
    assert!(is_unused(&mut device));
    // Nothing but CHANGE; and what goes wrong changes nothing.
    assert_eq!(device.status(&verify(0x81, USER_PIN)), 0x6984);
    assert_eq!(device.status(&change(0x81, b"000000", b"my-own")), 0x63C2);
    assert_eq!(device.status(&change(0x81, USER_PIN, b"short")), 0x6700);
    assert_eq!(device.status(&change(0x81, USER_PIN, USER_PIN)), 0x6A80, "that is no change");
    assert!(is_unused(&mut device));
    assert_eq!(device.status(&update(0xCF01, 0, b"x")), 0x6982);
    drop(device);
    let mut device = Device::start(&flash);
    assert!(is_unused(&mut device));
    device.ok(&change(0x81, USER_PIN, b"my-own"));
    device.ok(&update(0xCF01, 0, b"x"));
    assert!(!is_unused(&mut device));
    // Neither user nor SO puts it back; INITIALIZE, which does, erases everything and wants the SO-PIN.
    device.ok(&verify(0x81, b"my-own"));
    device.ok(&change(0x81, b"my-own", USER_PIN));
    device.ok(&apdu(0x80, 0x64, 6, 0, &[3], None));
    device.ok(&reset(0, &[SO_PIN, USER_PIN]));
    assert!(!is_unused(&mut device));
    drop(device);
    assert!(!is_unused(&mut Device::start(&flash)));
}

#[test]
fn a_transport_pin_gets_its_tries_and_the_so_replaces_it() {
    let (mut device, _) = with_options(0x03);
    for status in [0x63C2, 0x63C1, 0x6983, 0x6983] {
        assert_eq!(device.status(&change(0x81, b"000000", b"my-own")), status);
    }
    assert_eq!(device.status(&change(0x81, USER_PIN, b"my-own")), 0x6983);
    // The counter alone does not end the transport.
    device.ok(&reset(1, &[SO_PIN]));
    assert_eq!(device.status(&verify(0x81, USER_PIN)), 0x6984);
    device.ok(&reset(0, &[SO_PIN, b"my-own"]));
    device.ok(&verify(0x81, b"my-own"));
    device.ok(&update(0xCF01, 0, b"x"));
}
