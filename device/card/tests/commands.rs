//! What the commands do, as a client sees it.

mod common;

use common::*;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::ecdsa::{DerSignature, VerifyingKey};
use sha2::{Digest, Sha256};

/// The public point in a certificate request: the value of the first 86 41.
fn point(request: &[u8]) -> VerifyingKey {
    let at = request.windows(3).position(|window| window == [0x86, 0x41, 0x04]).expect("a public point");
    VerifyingKey::from_sec1_bytes(&request[at + 2..at + 67]).expect("a point on the curve")
}

#[test]
fn a_blank_card_answers_like_one() {
    let (mut device, _) = Device::blank();
    let fcp = device.ok(&apdu(0, 0xA4, 4, 0, AID, Some(256)));
    assert_eq!(
        hex::encode(fcp),
        "62228102000082010183020000840be82b0601040181c31f02018a01058505 0000ff0606".replace(' ', "")
    );
    assert_eq!(device.ok(&apdu(0x80, 0x58, 0, 0, &[], Some(65536))), [0xC4, 0x00]);
    assert_eq!(device.status(&[0, 0x20, 0, 0x81]), 0x6A88);
    assert_eq!(device.status(&[0, 0x20, 0, 0x85]), 0x6A88);
    assert_eq!(device.ok(&read(0x2F02, 0)), []);
    assert_eq!(device.status(&apdu(0x80, 0x52, 0, 0, &[], Some(256))), 0x6B00);
    assert_eq!(device.status(&apdu(0x80, 0x54, 0, 0, &[], Some(256))), 0x6A86);
}

#[test]
fn an_ecdsa_signature_verifies_and_the_request_is_signed_by_key_and_device() {
    let (mut device, _) = Device::initialised();
    device.login();
    let request = device.ok(&generate_p256(1, &[]));
    assert_eq!(device.ok(&read(0xCE01, 0)), request);
    let key = point(&request);
    let signature = device.ok(&sign(1, 0x73, b"message"));
    let signature = DerSignature::from_bytes(&signature).expect("DER");
    key.verify_prehash(&Sha256::digest(b"message"), &signature).expect("a valid signature");

    let device_key = point(&device.ok(&read(0x2F02, 0)));
    let (signed, outer) = request[4..].split_at(request.len() - 4 - 67);
    assert_eq!(outer[..3], [0x5F, 0x37, 0x40]);
    let outer = p256::ecdsa::Signature::from_slice(&outer[3..]).expect("r and s");
    device_key.verify_prehash(&Sha256::digest(signed), &outer).expect("attested by the device");
}

#[test]
fn a_p521_signature_is_never_so_short_that_opensc_takes_it_for_one_of_512_bits() {
    let (mut device, _) = Device::initialised();
    device.login();
    device.ok(&generate_p521(1));
    // One in sixteen would be.
    let lengths: Vec<_> = (0..100).map(|message| device.ok(&sign(1, 0x73, &[message])).len()).collect();
    assert!(lengths.iter().all(|length| (138..=139).contains(length)), "{lengths:?}");
    assert!(device.ok(&sign(1, 0x70, &[0xFF; 64])).len() >= 138, "a digest made elsewhere");
}

#[test]
fn responses_longer_than_asked_for_come_in_parts() {
    let (mut device, _) = Device::initialised();
    let whole = device.ok(&read(0x2F02, 0));
    let read_le = |le: u8| [&[0x00, 0xB1, 0x2F, 0x02, 0x04, 0x54, 0x02, 0, 0][..], &[le]].concat();
    assert_eq!(device.ok(&read_le(4)), whole[..4]);
    // Without Le there is no room for data: everything is fetched by GET RESPONSE.
    let (data, status) = device.send(&read_le(4)[..9]);
    assert_eq!((data.len(), status), (0, 0x6100));
    let mut fetched = Vec::new();
    loop {
        let (part, status) = device.send(&[0x00, 0xC0, 0x00, 0x00, 0x64]);
        fetched.extend(part);
        match status {
            0x9000 => break,
            more => assert_eq!(more >> 8, 0x61),
        }
    }
    assert_eq!(fetched, whole);
    assert_eq!(device.status(&[0x00, 0xC0, 0x00, 0x00, 0x00]), 0x6D00, "nothing is pending any more");
}

#[test]
fn chained_commands_are_joined() {
    let (mut device, _) = Device::initialised();
    device.login();
    let mut command = update(0xCF01, 0, &[0xAB; 700]);
    let data = command.split_off(7);
    let parts: Vec<&[u8]> = data.chunks(200).collect();
    let (last, first) = parts.split_last().unwrap();
    let part = |cla: u8, data: &[u8]| [&[cla, 0xD7, 0xCF, 0x01, data.len() as u8][..], data].concat();
    for data in first {
        assert_eq!(device.send(&part(0x10, data)), (vec![], 0x9000));
    }
    device.ok(&part(0x00, last));
    assert_eq!(device.ok(&read(0xCF01, 0)), [0xAB; 700]);

    // Another header in between breaks the chain, and nothing is written.
    device.ok(&part(0x10, &[0x54, 0x02]));
    assert_eq!(device.status(&[0x00, 0x84, 0x00, 0x00, 0x08]), 0x6883);
    assert_eq!(device.ok(&read(0xCF01, 0)), [0xAB; 700]);
}

#[test]
fn the_largest_command_and_response_work() {
    let (mut device, _) = Device::initialised();
    device.login();
    let content: Vec<u8> = (0..65535 - 8).map(|i| (i % 251) as u8).collect();
    device.ok(&update(0xCF01, 0, &content));
    assert_eq!(device.ok(&read(0xCF01, 0)), content);
}

#[test]
fn files_are_created_written_in_blocks_and_deleted_as_opensc_does_it() {
    let (mut device, _) = Device::initialised();
    device.login();
    assert_eq!(device.status(&select_file(0xCF03)), 0x6A82);
    device.ok(&update(0xCF03, 0, &[]));
    let content: Vec<u8> = (0..1000).map(|i| i as u8).collect();
    for (index, block) in content.chunks(230).enumerate() {
        device.ok(&update(0x0000, (index * 230) as u16, block));
    }
    assert_eq!(device.ok(&read(0xCF03, 0)), content);
    assert_eq!(device.ok(&read(0xCF03, 1000)), []);
    assert_eq!(device.status(&read(0xCF03, 1001)), 0x6282);
    let fcp = device.ok(&select_file(0xCF03));
    assert_eq!(hex::encode(fcp), "620e810203e88201018302cf038a0105");
    device.ok(&update(0xCF03, 0, b"short"));
    assert_eq!(device.ok(&read(0xCF03, 0)), b"short");
    device.ok(&delete(0xCF03));
    assert_eq!(device.status(&read(0xCF03, 0)), 0x6A82);
}

#[test]
fn the_token_information_is_a_real_file() {
    let (mut device, _) = Device::initialised();
    let default = device.ok(&read(0x2F03, 0));
    assert!(default.windows(11).any(|window| window == b"Ferrite HSM"));
    device.login();
    let label = hex::decode("301202010080 09486f73742073706563 03020520".replace(' ', "")).unwrap();
    device.ok(&update(0x2F03, 0, &label));
    assert_eq!(device.ok(&read(0x2F03, 0)), label);
    device.ok(&initialize(&[0, 1], USER_PIN, SO_PIN));
    assert_eq!(device.ok(&read(0x2F03, 0)), default);
}

#[test]
fn the_so_pin_unblocks_the_user_pin() {
    let (mut device, _) = Device::initialised();
    for status in [0x63C2, 0x63C1, 0x6983] {
        assert_eq!(device.status(&verify(0x81, b"000000")), status);
    }
    device.ok(&apdu(0, 0x2C, 1, 0x81, SO_PIN, None));
    assert_eq!(device.status(&[0, 0x20, 0, 0x81]), 0x63C3);
    device.ok(&apdu(0, 0x2C, 0, 0x81, &[SO_PIN, b"another"].concat(), None));
    device.select();
    device.ok(&verify(0x81, b"another"));
}

#[test]
fn the_reset_command_obeys_its_options() {
    for (options, resets_pin, resets_counter) in [([0, 0x00], 0x6986, 0x6986), ([0, 0x21], 0x6986, 0x9000)] {
        let (mut device, _) = Device::blank();
        device.ok(&initialize(&options, USER_PIN, SO_PIN));
        device.select();
        assert_eq!(device.status(&apdu(0, 0x2C, 0, 0x81, &[SO_PIN, b"another"].concat(), None)), resets_pin);
        assert_eq!(device.status(&apdu(0, 0x2C, 1, 0x81, SO_PIN, None)), resets_counter);
    }
}

#[test]
fn keys_and_pins_survive_a_restart_and_a_pin_change() {
    let (mut device, flash) = Device::initialised();
    device.login();
    let request = device.ok(&generate_p256(1, &[]));
    device.ok(&apdu(0, 0x24, 0, 0x81, &[USER_PIN, b"changed"].concat(), None));
    device.ok(&apdu(0, 0x24, 0, 0x88, &[SO_PIN, b"12345678"].concat(), None));
    drop(device);
    let mut device = Device::start(&flash);
    assert_eq!(device.status(&verify(0x81, USER_PIN)), 0x63C2);
    device.ok(&verify(0x81, b"changed"));
    let signature = device.ok(&sign(1, 0x70, &Sha256::digest(b"m")));
    let signature = DerSignature::from_bytes(&signature).expect("DER");
    point(&request).verify_prehash(&Sha256::digest(b"m"), &signature).expect("the same key");
    assert_eq!(device.status(&verify(0x88, SO_PIN)), 0x63CE);
    device.ok(&verify(0x88, b"12345678"));
}

#[test]
fn the_device_keeps_its_name_and_certificate_over_initialize() {
    let (mut device, _) = Device::initialised();
    let certificate = device.ok(&read(0x2F02, 0));
    device.ok(&initialize(&[0, 1], USER_PIN, SO_PIN));
    assert_eq!(device.ok(&read(0x2F02, 0)), certificate);
}

#[test]
fn key_domains_and_public_key_authentication_are_reported_as_set_up() {
    let (mut device, _) = Device::blank();
    let pins = [tlv(&[0x81], USER_PIN), tlv(&[0x82], SO_PIN)].concat();
    let init = |extra: &[u8]| apdu(0x80, 0x50, 0, 0, &[&pins, extra].concat(), None);
    let domain = |index: u8| apdu(0x80, 0x52, 0, index, &[], Some(256));
    device.ok(&init(&[]));
    assert_eq!(device.ok(&domain(0)), [0; 10]);
    assert_eq!(device.status(&domain(1)), 0x6A86);
    assert_eq!(device.status(&domain(16)), 0x6B00);
    device.ok(&init(&[0x92, 1, 2]));
    assert_eq!(device.ok(&domain(0)), [2, 2, 0, 0, 0, 0, 0, 0, 0, 0]);
    device.ok(&init(&[0x92, 1, 0]));
    let complete = device.ok(&domain(0));
    assert_eq!(complete[..2], [1, 0]);
    assert_ne!(complete[2..], [0; 8]);
    device.ok(&init(&[0x97, 1, 3]));
    assert_eq!(device.status(&domain(2)), 0x6A88);
    assert_eq!(device.status(&domain(3)), 0x6A86);
    device.ok(&init(&[0x93, 2, 3, 2]));
    assert_eq!(device.ok(&apdu(0x80, 0x54, 0, 0, &[], Some(256))), [3, 3, 2, 0]);
    assert_eq!(device.status(&apdu(0x80, 0x54, 2, 0, &[], Some(256))), 0x6A88);
    device.select();
    device.ok(&verify(0x81, USER_PIN));
    assert_eq!(device.status(&generate_p256(1, &[])), 0x6982, "the PIN alone does not make a user any more");
}

#[test]
fn rsa_signatures_come_whole_and_wrong_uses_have_their_status() {
    let (mut device, _) = Device::initialised();
    device.login();
    device.ok(&generate_rsa(1, 1024));
    device.ok(&generate_p256(2, &[]));
    let without_le = |key, algorithm, data: &[u8]| apdu(0x80, 0x68, key, algorithm, data, None);
    assert_eq!(device.ok(&without_le(1, 0x33, b"m")).len(), 128);
    for (key, algorithm, data, status) in [
        (1, 0x20, &[0; 127][..], 0x6700),
        (1, 0x20, &[0xFF; 128], 0x6400),
        (1, 0x20, &[0; 128], 0x9000),
        (1, 0x30, &[0; 118], 0x6700),
        (1, 0x30, &[0; 117], 0x9000),
        (1, 0x40, &[0; 33], 0x6700),
        (1, 0x45, &[0; 64], 0x9000),
        (1, 0x73, &[0; 32], 0x6400),
        (1, 0x46, &[0; 32], 0x6A86),
        (2, 0x20, &[0; 32], 0x6400),
        (2, 0x00, &[0; 32], 0x6A86),
        (3, 0x46, &[0; 32], 0x6A82),
    ] {
        assert_eq!(device.status(&sign(key, algorithm, data)), status, "{key} {algorithm:02X} {}", data.len());
    }
    for bits in [512, 1025, 4098, 8192] {
        assert_eq!(device.status(&generate_rsa(5, bits)), 0x6A80, "{bits}");
    }
}

#[test]
fn malformed_and_unknown_commands_get_their_status_word() {
    let (mut device, _) = Device::initialised();
    for (command, status) in [
        ("", 0x6700),
        ("00", 0x6700),
        ("00A404", 0x6700),
        ("00A4040003E82B", 0x6700),
        ("00A40400000100", 0x6A82),
        ("00FF0000", 0x6D00),
        ("005A0181", 0x6D00),
        ("0C84000008", 0x6987),
        ("0484000008", 0x6987),
        ("00200181", 0x6B00),
        ("0022000000", 0x6A86),
        ("0022410000", 0x6A86),
        ("00A4040005A000000000", 0x6A82),
        ("0084000000", 0x9000),
        ("00840000000500", 0x6700),
    ] {
        let command = hex::decode(command).unwrap();
        assert_eq!(device.status(&command), status, "{}", hex::encode(&command));
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]

    #[test]
    fn no_bytes_stop_the_card(commands in proptest::collection::vec(
        (proptest::sample::select(vec![0x00u8, 0x80, 0x10, 0x0C]),
         proptest::sample::select(vec![0x20u8, 0x24, 0x2C, 0x46, 0x48, 0x50, 0x52, 0x54, 0x58, 0x68, 0x78, 0x84, 0xA4, 0xB0, 0xB1, 0xC0, 0xD7, 0xE4, 0x77]),
         proptest::prelude::any::<[u8; 2]>(),
         proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)),
        1..12)) {
        let (mut device, _) = Device::initialised();
        device.login();
        for (cla, ins, p, tail) in commands {
            let status = device.status(&[&[cla, ins, p[0], p[1]][..], &tail].concat());
            proptest::prop_assert!(status >> 12 == 6 || status >> 12 == 9);
        }
        device.card.reset();
        device.select();
    }
}
