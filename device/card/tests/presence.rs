//! Press to confirm: with option 0100 no private or secret key works without somebody there.

mod common;

use common::*;
use ferrite_card::{Activity, Presence};
use std::time::Duration;

const RESCUE: &[u8] = &[0xA0, 0x58, 0x3F, 0xC1, 0x9B, 0x7E, 0x4F, 0x21];
const REFUSALS: [Presence; 3] = [Presence::Refused, Presence::TimedOut, Presence::Cancelled];

/// A device with option 0100, a complete DKEK, a P-256 key, an RSA key, an AES key and a seed; the user logged in.
fn device() -> Device {
    let (mut device, _) = Device::blank();
    let data = [tlv(&[0x80], &[1, 1]), tlv(&[0x81], USER_PIN), tlv(&[0x82], SO_PIN), tlv(&[0x92], &[1])].concat();
    device.ok(&apdu(0x80, 0x50, 0, 0, &data, None));
    device.ok(&apdu(0x80, 0x52, 0, 0, &[7; 32], Some(256)));
    device.ok(&generate_p256(1, &[]));
    device.ok(&generate_rsa(2, 1024));
    device.ok(&generate_secret(3, 0xB2, &[]));
    device.ok(&apdu(0x80, 0x4A, 1, 0, &[9; 32], None));
    device
}

/// A use of a key: what it is, what must come before it, the command, and the answer when nobody is there.
type Use = (&'static str, Option<Vec<u8>>, Vec<u8>, u16);

/// Every use of a private or secret key.
fn uses(device: &mut Device) -> Vec<Use> {
    let point = {
        let request = device.ok(&read(0xCE01, 0));
        let at = request.windows(3).position(|window| window == [0x86, 0x41, 0x04]).expect("a point");
        request[at + 2..at + 67].to_vec()
    };
    let blob = device.ok(&apdu(0x80, 0x72, 1, 0x92, &[], Some(65536)));
    let node = apdu(0x80, 0x4A, 0x10, 0, &[2, 1, 0], None);
    vec![
        ("ECDSA", None, sign(1, 0x73, b"m"), 0x6600),
        ("RSA signature", None, sign(2, 0x20, &[1; 128]), 0x6600),
        ("RSA decryption", None, apdu(0x80, 0x62, 2, 0x21, &[1; 128], Some(256)), 0x6600),
        ("key agreement", None, apdu(0x80, 0x62, 1, 0x80, &point, Some(256)), 0x6600),
        ("cipher", None, symmetric(3, 0x10, &[0; 16], Some(256)), 0x6600),
        ("MAC", None, symmetric(3, 0x18, &[0; 16], Some(256)), 0x6600),
        ("key derivation", None, symmetric(3, 0x99, &[0; 16], Some(256)), 0x6600),
        ("derived key", None, apdu(0x80, 0x76, 1, 0x20, &[0x98, 1], None), 0x6600),
        ("wrapping", None, apdu(0x80, 0x72, 1, 0x92, &[], Some(65536)), 0x6600),
        ("unwrapping", None, apdu(0x80, 0x74, 0x21, 0x93, &blob, None), 0x6400),
        ("key generation, attested by the device key", None, generate_p256(0x22, &[]), 0x6400),
        ("signature of a wallet", Some(node), sign(0, 0xA0, &[5; 32]), 0x6600),
        ("new seed", None, apdu(0x80, 0x4A, 1, 1, &[9; 32], None), 0x6600),
    ]
}

#[test]
fn every_use_of_a_key_waits_for_somebody_once() {
    let mut device = device();
    for (what, before, command, refused) in uses(&mut device) {
        let send = |device: &mut Device, presence| {
            if let Some(before) = &before {
                device.card.platform().presence = Presence::Confirmed;
                device.ok(before);
            }
            device.card.platform().presence = presence;
            device.card.platform().limits.clear();
            device.card.platform().shown.clear();
            device.send(&command)
        };
        for presence in REFUSALS {
            let (data, status) = send(&mut device, presence);
            assert_eq!((data.len(), status), (0, refused), "{what}, {presence:?}");
            assert_eq!(device.card.platform().limits, [Duration::from_secs(15)], "{what}");
            let shown = [Activity::Busy, Activity::Presence, Activity::Busy, Activity::Idle];
            assert_eq!(device.card.platform().shown, shown, "{what}");
        }
        let (_, status) = send(&mut device, Presence::Confirmed);
        assert!(!matches!(status, 0x6600 | 0x6982 | 0x6985 | 0x6A82), "{what}: {status:04X}");
        assert_eq!(device.card.platform().limits.len(), 1, "{what}");
    }
}

#[test]
fn the_device_key_opens_no_channel_without_somebody() {
    let mut device = device();
    device.card.platform().presence = Presence::TimedOut;
    device.ok(&apdu(0x00, 0x22, 0x41, 0xA4, &hex::decode("800A04007F00070202030202").unwrap(), None));
    let request = device.ok(&read(0x2F02, 0));
    let at = request.windows(3).position(|window| window == [0x86, 0x41, 0x04]).expect("a point");
    let data = tlv(&[0x7C], &tlv(&[0x80], &request[at + 2..at + 67]));
    assert_eq!(device.status(&apdu(0x00, 0x86, 0, 0, &data, Some(256))), 0x6600);
}

#[test]
fn without_the_option_nobody_is_asked() {
    let (mut device, _) = Device::initialised();
    device.login();
    device.card.platform().presence = Presence::Refused;
    device.ok(&generate_p256(1, &[]));
    device.ok(&sign(1, 0x73, b"m"));
    assert_eq!(device.card.platform().asked, 0);
    assert!(!device.card.platform().shown.contains(&Activity::Presence));
}

#[test]
fn the_time_is_what_the_owner_configured() {
    let mut device = device();
    for seconds in [1, 60, 15] {
        device.ok(&apdu(0, 0xA4, 4, 0, RESCUE, Some(256)));
        device.ok(&apdu(0x80, 0x1C, 1, 0, &[8, 1, seconds], None));
        device.select();
        device.login();
        device.card.platform().limits.clear();
        device.ok(&sign(1, 0x73, b"m"));
        assert_eq!(device.card.platform().limits, [Duration::from_secs(seconds.into())]);
    }
}

/// A refusal takes nothing: not a use of the key, not the session.
#[test]
fn a_refusal_costs_no_use_and_no_session() {
    let mut device = device();
    device.ok(&generate_p256(5, &[0x90, 4, 0, 0, 0, 1]));
    for presence in REFUSALS {
        device.card.platform().presence = presence;
        assert_eq!(device.status(&sign(5, 0x73, b"m")), 0x6600);
    }
    device.card.platform().presence = Presence::Confirmed;
    device.ok(&sign(5, 0x73, b"m"));
    assert_eq!(device.status(&sign(5, 0x73, b"m")), 0x6A84);
}
