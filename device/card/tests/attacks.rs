//! What must not be possible, each written as somebody would try it.

mod common;

use common::*;
use ferrite_card::Presence;

#[test]
fn nothing_but_public_commands_works_without_the_pin() {
    let (mut device, _) = Device::initialised();
    device.login();
    device.ok(&generate_p256(1, &[]));
    device.ok(&update(0xCD01, 0, b"private"));
    device.select();
    for command in [
        sign(1, 0x73, b"m"),
        generate_p256(2, &[]),
        update(0xCF01, 0, b"x"),
        update(0x2F02, 0, b"x"),
        delete(0xCC01),
        read(0xCD01, 0),
        // Malformed data is refused for the same reason, not parsed first.
        apdu(0, 0x46, 1, 0, &[0x7F], None),
        apdu(0, 0xD7, 0xCF, 0x01, &[0x53], None),
    ] {
        assert_eq!(device.status(&command), 0x6982, "{}", hex::encode(&command));
    }
}

#[test]
fn the_so_pin_does_not_use_keys_or_files() {
    let (mut device, _) = Device::initialised();
    device.login();
    device.ok(&generate_p256(1, &[]));
    device.ok(&verify(0x88, SO_PIN));
    assert_eq!(device.status(&sign(1, 0x73, b"m")), 0x6982);
    assert_eq!(device.status(&update(0xCF01, 0, b"x")), 0x6982);
    assert_eq!(device.status(&delete(0xCC01)), 0x6982);
    assert_eq!(device.status(&[0, 0x20, 0, 0x81]), 0x63C3);
}

#[test]
fn a_reset_or_a_new_selection_logs_out() {
    let (mut device, _) = Device::initialised();
    device.login();
    device.card.reset();
    assert_eq!(device.status(&update(0xCF01, 0, b"x")), 0x6982);
    device.login();
    device.select();
    assert_eq!(device.status(&update(0xCF01, 0, b"x")), 0x6982);
    device.login();
    device.ok(&apdu(0, 0xA4, 4, 0, &[0xA0, 0x58, 0x3F, 0xC1, 0x9B, 0x7E, 0x4F, 0x21], Some(256)));
    assert_eq!(device.status(&update(0xCF01, 0, b"x")), 0x6E00);
    device.select();
    assert_eq!(device.status(&update(0xCF01, 0, b"x")), 0x6982);
}

#[test]
fn a_wrong_pin_logs_the_user_out() {
    let (mut device, _) = Device::initialised();
    device.login();
    assert_eq!(device.status(&verify(0x81, b"999999")), 0x63C2);
    assert_eq!(device.status(&update(0xCF01, 0, b"x")), 0x6982);
}

#[test]
fn a_used_device_is_not_initialised_without_its_so_pin() {
    let (mut device, _) = Device::initialised();
    device.login();
    device.ok(&update(0xCF01, 0, b"precious"));
    assert_eq!(device.status(&initialize(&[0, 1], USER_PIN, b"00000000")), 0x63CE);
    device.login();
    let without_so_pin = apdu(0x80, 0x50, 0, 0, &tlv(&[0x81], USER_PIN), None);
    assert_eq!(device.status(&without_so_pin), 0x6982);
    assert_eq!(device.ok(&read(0xCF01, 0)), b"precious");
    for left in (1..14).rev() {
        assert_eq!(device.status(&initialize(&[0, 1], USER_PIN, b"00000000")), 0x63C0 | left);
    }
    assert_eq!(device.status(&initialize(&[0, 1], USER_PIN, b"00000000")), 0x6983);
    assert_eq!(device.status(&initialize(&[0, 1], USER_PIN, SO_PIN)), 0x6983, "a blocked SO-PIN is not even compared");
    assert_eq!(device.ok(&read(0xCF01, 0)), b"precious");
}

#[test]
fn initialize_destroys_what_was_there() {
    let (mut device, flash) = Device::initialised();
    device.login();
    device.ok(&generate_p256(1, &[]));
    device.ok(&update(0xCD01, 0, b"private"));
    device.ok(&initialize(&[0, 1], USER_PIN, SO_PIN));
    assert_eq!(device.ok(&apdu(0x80, 0x58, 0, 0, &[], Some(65536))), [0xC4, 0, 0xCC, 0]);
    drop(device);
    let mut device = Device::start(&flash);
    device.login();
    assert_eq!(device.status(&sign(1, 0x73, b"m")), 0x6A82);
    assert_eq!(device.status(&read(0xCD01, 0)), 0x6A82);
}

#[test]
fn the_device_key_signs_nothing_for_a_host_and_cannot_be_replaced() {
    let (mut device, _) = Device::initialised();
    device.login();
    assert_eq!(device.status(&sign(0, 0x73, b"forged attestation")), 0x6985);
    assert_eq!(device.status(&generate_p256(0, &[])), 0x6A86);
    for file in [0xCC00, 0xC400, 0xCE00] {
        assert_eq!(device.status(&update(file, 0, b"x")), 0x6982);
        assert_eq!(device.status(&delete(file)), 0x6982);
    }
}

#[test]
fn internal_records_are_as_if_they_did_not_exist() {
    let (mut device, _) = Device::initialised();
    device.login();
    for file in [0xE000, 0xE081, 0xE088, 0xE090, 0x1081, 0x1090, 0xC700, 0xD000, 0xFFFF, 0x0000] {
        assert_eq!(device.status(&select_file(file)), 0x6A82, "{file:04X}");
        if file != 0 {
            assert_eq!(device.status(&read(file, 0)), 0x6A82, "{file:04X}");
            assert_eq!(device.status(&update(file, 0, b"x")), 0x6982, "{file:04X}");
            assert_eq!(device.status(&delete(file)), 0x6A82, "{file:04X}");
        }
    }
}

#[test]
fn key_records_are_neither_read_nor_planted() {
    let (mut device, _) = Device::initialised();
    device.login();
    device.ok(&generate_p256(1, &[]));
    assert_eq!(device.status(&read(0xCC01, 0)), 0x6982);
    assert_eq!(device.status(&update(0xCC01, 0, &[2, 1, 7])), 0x6982);
    assert_eq!(device.status(&update(0xCC02, 0, &[2, 1, 7])), 0x6982);
}

#[test]
fn an_occupied_key_id_is_never_overwritten() {
    let (mut device, _) = Device::initialised();
    device.login();
    let request = device.ok(&generate_p256(1, &[]));
    assert_eq!(device.status(&generate_p256(1, &[])), 0x6A89);
    assert_eq!(device.ok(&read(0xCE01, 0)), request);
}

#[test]
fn a_key_does_only_what_its_attributes_allow_and_as_often() {
    let (mut device, flash) = Device::initialised();
    device.login();
    device.ok(&generate_p256(1, &[tlv(&[0x90], &[0, 0, 0, 2]), tlv(&[0x91], &[0x73])].concat()));
    assert_eq!(device.status(&sign(1, 0x70, &[1; 32])), 0x6985);
    device.ok(&sign(1, 0x73, b"one"));
    drop(device);
    let mut device = Device::start(&flash);
    device.login();
    let fcp = device.ok(&select_file(0xCC01));
    assert!(fcp.windows(6).any(|window| window == [0x90, 4, 0, 0, 0, 1]), "{}", hex::encode(&fcp));
    device.ok(&sign(1, 0x73, b"two"));
    assert_eq!(device.status(&sign(1, 0x73, b"three")), 0x6A84);
}

#[test]
fn the_transport_pin_opens_nothing_until_it_is_changed() {
    let (mut device, _) = Device::blank();
    device.ok(&initialize(&[0x00, 0x03], USER_PIN, SO_PIN));
    device.select();
    assert_eq!(device.status(&verify(0x81, USER_PIN)), 0x6984);
    assert_eq!(device.status(&[0, 0x20, 0, 0x81]), 0x6984);
    device.ok(&apdu(0, 0x24, 0, 0x81, &[USER_PIN, b"my own pin"].concat(), None));
    device.select();
    device.ok(&verify(0x81, b"my own pin"));
}

#[test]
fn with_press_to_confirm_no_signature_without_the_user() {
    let (mut device, _) = Device::blank();
    device.ok(&initialize(&[0x01, 0x01], USER_PIN, SO_PIN));
    device.select();
    device.login();
    device.ok(&generate_p256(1, &[]));
    device.ok(&sign(1, 0x73, b"m"));
    assert_eq!(device.card.platform().asked, 2);
    for presence in [Presence::Refused, Presence::TimedOut] {
        device.card.platform().presence = presence;
        assert_eq!(device.status(&sign(1, 0x73, b"m")), 0x6600);
        assert_eq!(device.status(&generate_p256(2, &[])), 0x6400);
    }
}

#[test]
fn a_broken_entropy_source_makes_no_keys() {
    let (mut device, _) = Device::initialised();
    device.login();
    device.card.platform().broken_entropy = true;
    assert_eq!(device.status(&generate_p256(1, &[])), 0x6400);
    assert_eq!(device.status(&select_file(0xCC01)), 0x6A82);
}

#[test]
fn pins_of_illegal_length_change_nothing() {
    let (mut device, _) = Device::initialised();
    // Data too short for any two PINs is refused before a try is spent.
    for (new, expected) in [(&b"12345"[..], 0x6700), (&[b'1'; 17], 0x6A80)] {
        assert_eq!(device.status(&apdu(0, 0x24, 0, 0x81, &[USER_PIN, new].concat(), None)), expected);
        assert_eq!(device.status(&apdu(0, 0x2C, 0, 0x81, &[SO_PIN, new].concat(), None)), expected);
    }
    device.select();
    assert_eq!(device.status(&apdu(0, 0x24, 0, 0x81, USER_PIN, None)), 0x6700);
    assert_eq!(device.status(&[0, 0x20, 0, 0x81]), 0x63C3);
    assert_eq!(device.status(&[0, 0x20, 0, 0x88]), 0x63CF);
    device.login();
}

#[test]
fn a_secret_on_flash_is_never_in_the_clear() {
    let (mut device, flash) = Device::initialised();
    device.login();
    let secret = b"a private data object that nobody else may read";
    device.ok(&update(0xCD01, 0, secret));
    let image = flash.lock().bytes().to_vec();
    for needle in [&secret[..16], USER_PIN, SO_PIN] {
        assert!(!image.windows(needle.len()).any(|window| window == needle));
    }
}

#[test]
fn a_chained_pin_works_and_is_wiped_with_its_chain() {
    let (mut device, _) = Device::initialised();
    device.ok(&[0x10, 0x20, 0x00, 0x81, 0x03, b'6', b'4', b'8']);
    device.ok(&[0x00, 0x20, 0x00, 0x81, 0x03, b'2', b'1', b'9']);
    device.ok(&update(0xCF01, 0, b"logged in"));
    // A chain given up by a reset leaves nothing for the next command to join.
    device.ok(&[0x10, 0x20, 0x00, 0x81, 0x03, b'6', b'4', b'8']);
    device.card.reset();
    assert_eq!(device.status(&[0x00, 0x20, 0x00, 0x81, 0x03, b'2', b'1', b'9']), 0x63C2);
}

/// Fills the store to the last byte with files of decreasing size.
fn fill(device: &mut Device, first_size: usize) {
    let (mut file, mut size) = (1, first_size);
    while size > 0 {
        match device.status(&update(file, 0, &vec![7; size])) {
            0x9000 => file += 1,
            status => {
                assert_eq!(status, 0x6A84);
                size /= 2;
            }
        }
    }
}

#[test]
fn a_full_device_still_gets_new_pins_and_is_emptied_by_its_so() {
    for first_size in [300, 1200, 30_000] {
        let (mut device, flash) = Device::initialised();
        device.login();
        fill(&mut device, first_size);
        device.ok(&apdu(0, 0x24, 0, 0x81, &[USER_PIN, b"second-pin"].concat(), None));
        device.ok(&apdu(0, 0x24, 0, 0x81, &[b"second-pin", USER_PIN].concat(), None));
        device.ok(&apdu(0, 0x2C, 0, 0x81, &[SO_PIN, b"third-pin"].concat(), None));
        drop(device);
        let mut device = Device::start(&flash);
        device.select();
        device.ok(&verify(0x81, b"third-pin"));
        device.ok(&initialize(&[0, 1], USER_PIN, SO_PIN));
        device.ok(&update(0xCF01, 0, &[1; 5000]));
    }
}

#[test]
fn a_certificate_for_somebody_elses_name_does_not_outlive_initialize() {
    let (mut device, _) = Device::initialised();
    device.login();
    let genuine = device.ok(&read(0x2F02, 0));
    let name = genuine.windows(2).position(|pair| pair == b"UT").unwrap();
    let name = genuine[name..name + 16].to_vec();
    let mut forged = genuine.clone();
    for at in 0..forged.len() - name.len() {
        if forged[at..].starts_with(&name) {
            forged[at..at + name.len()].copy_from_slice(b"UTVICTIM00000001");
        }
    }
    let foreign = [&genuine[..], &genuine].concat();
    for planted in [&forged, &foreign] {
        device.ok(&update(0x2F02, 0, planted));
        device.ok(&initialize(&[0, 1], USER_PIN, SO_PIN));
        let kept = device.ok(&read(0x2F02, 0));
        assert_ne!(&kept, planted);
        assert!(kept.windows(name.len()).any(|window| window == name));
    }
}

#[test]
fn guessing_the_length_of_a_pin_costs_tries() {
    let (mut device, _) = Device::initialised();
    // Too short for any old and new PIN: refused at once.
    assert_eq!(device.status(&apdu(0, 0x24, 0, 0x81, &[b'0'; 11], None)), 0x6700);
    assert_eq!(device.status(&apdu(0, 0x2C, 1, 0x81, &[b'0'; 7], None)), 0x6700);
    assert_eq!(device.status(&apdu(0, 0x24, 0, 0x81, &[b'0'; 12], None)), 0x63C2);
    assert_eq!(device.status(&apdu(0, 0x24, 0, 0x81, &[b'0'; 32], None)), 0x63C1);
    assert_eq!(device.status(&apdu(0, 0x2C, 1, 0x81, &[b'0'; 9], None)), 0x63CE);
    assert_eq!(device.status(&apdu(0, 0x2C, 0, 0x81, &[b'0'; 30], None)), 0x63CD);
    assert_eq!(device.status(&apdu(0, 0x24, 0, 0x88, &[b'0'; 16], None)), 0x63CC);
}

#[test]
fn with_a_transport_pin_the_session_that_initialised_does_nothing_either() {
    let (mut device, _) = Device::blank();
    device.ok(&initialize(&[0, 3], USER_PIN, SO_PIN));
    assert_eq!(device.status(&generate_p256(1, &[])), 0x6982);
    assert_eq!(device.status(&update(0xCF01, 0, b"x")), 0x6982);
    device.ok(&apdu(0, 0x24, 0, 0x81, &[USER_PIN, b"second-pin"].concat(), None));
    device.ok(&generate_p256(1, &[]));
}

#[test]
fn public_key_authentication_without_an_so_pin_is_refused_before_it_shuts_everybody_out() {
    let (mut device, _) = Device::blank();
    let request = [tlv(&[0x80], &[0, 1]), tlv(&[0x81], USER_PIN), tlv(&[0x93], &[1, 1])].concat();
    assert_eq!(device.status(&apdu(0x80, 0x50, 0, 0, &request, None)), 0x6A80);
}

#[test]
fn the_device_key_is_listed_and_selected_like_any_other() {
    let (mut device, _) = Device::initialised();
    let fcp = device.ok(&select_file(0xCC00));
    assert_eq!(fcp[..2], [0x62, fcp.len() as u8 - 2]);
    assert_eq!(fcp[6..9], [0x82, 1, 8]);
}
