//! The power fails at every single flash operation of a command. Afterwards the card starts, and shows the state from
//! before the command or the one from after it, never a mixture.

mod common;

use common::pki::{self, Signer};
use common::*;
use ferrite_crypto::ec::Curve;
use ferrite_proto::cvc::Extensions;
use ferrite_store::testing::SharedFlash;
use sha2::{Digest, Sha256};

/// Everything a host can find out about a card that tells one state from another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    objects: Vec<u8>,
    /// Hashes of what the card publishes.
    certificates: Vec<Option<String>>,
    /// Answers about the first two key domains.
    domains: Vec<(Vec<u8>, u16)>,
    pin: Option<&'static str>,
    signs: bool,
    wraps: bool,
    /// The master nodes of wallets, as shown.
    nodes: Vec<(Vec<u8>, u16)>,
    /// Answers about public-key authentication and its first two slots.
    keys: Vec<(Vec<u8>, u16)>,
}

const PINS: [(&str, &[u8]); 2] = [("first", USER_PIN), ("second", b"second-pin")];

/// What a host can find out, and the tries left of user PIN and SO-PIN.
fn observe(flash: &SharedFlash) -> (State, [u16; 2]) {
    let mut device = Device::start(flash);
    device.select();
    let objects = device.ok(&apdu(0x80, 0x58, 0, 0, &[], Some(65536)));
    let certificates = [0x2F02, 0xCE00, 0xCE01, 0xCE03, 0xC401]
        .map(|file| {
            let (data, status) = device.send(&read(file, 0));
            (status == 0x9000).then(|| hex::encode(&Sha256::digest(data)[..8]))
        })
        .to_vec();
    let domains = [0, 1].map(|domain| device.send(&apdu(0x80, 0x52, 0, domain, &[], Some(256)))).to_vec();
    let retries = [device.status(&[0, 0x20, 0, 0x81]), device.status(&[0, 0x20, 0, 0x88])];
    let pin = PINS.iter().find(|(_, pin)| device.status(&verify(0x81, pin)) == 0x9000).map(|(name, _)| *name);
    let signs = device.status(&sign(1, 0x73, b"message")) == 0x9000;
    let wraps = device.status(&apdu(0x80, 0x72, 1, 0x92, &[], Some(65536))) == 0x9000;
    let nodes = [0, 1].map(|seed| device.send(&apdu(0x80, 0x4A, 0x0A, 0, &[2, 1, seed], Some(256)))).to_vec();
    let keys = [[0, 0], [2, 0], [2, 1]].map(|[p1, p2]| device.send(&[0x80, 0x54, p1, p2])).to_vec();
    (State { objects, certificates, domains, pin, signs, wraps, nodes, keys }, retries)
}

/// Runs `command` on copies of `flash`, cutting the power after every number of flash operations until it completes.
/// Returns how many cuts were made.
fn cut_everywhere(flash: &SharedFlash, prepare: impl Fn(&mut Device), command: &[u8]) -> u64 {
    let (before, tries_before) = observe(&flash.fork());
    let complete = flash.fork();
    let mut device = Device::start(&complete);
    prepare(&mut device);
    let operations = complete.lock().operations();
    device.send(command);
    let operations = complete.lock().operations() - operations;
    drop(device);
    let (after, tries_after) = observe(&complete.fork());
    assert_ne!(before, after, "the command must change what the test looks at");

    for cut in 0..operations {
        let flash = flash.fork();
        let mut device = Device::start(&flash);
        prepare(&mut device);
        flash.lock().cut_after(cut, cut);
        device.send(command);
        drop(device);
        flash.lock().revive();
        let (state, tries) = observe(&flash);
        let tries_expected = match &state {
            _ if state == before => tries_before,
            _ if state == after => tries_after,
            _ => panic!("cut {cut} of {operations}:\n{state:?}\n{before:?}\n{after:?}"),
        };
        // A try is taken away before a PIN is looked at and given back after: a cut in between costs that try.
        for (tries, expected) in tries.into_iter().zip(tries_expected) {
            assert!(tries == expected || tries + 1 == expected, "cut {cut}: {tries:04X} for {expected:04X}");
        }
        // And again: what recovery did must last.
        assert_eq!(observe(&flash).0, state, "cut {cut}: the state changed at the second start");
    }
    println!("{operations} flash operations, each cut");
    operations
}

#[test]
fn initialize_of_a_blank_card_happens_or_does_not() {
    let (_, flash) = Device::blank();
    assert!(cut_everywhere(&flash, Device::select, &initialize(&[0, 1], USER_PIN, SO_PIN)) > 5);
}

#[test]
fn initialize_of_a_used_card_happens_or_does_not() {
    let (mut device, flash) = Device::initialised();
    device.login();
    device.ok(&generate_p256(1, &[]));
    drop(device);
    assert!(cut_everywhere(&flash, Device::select, &initialize(&[0, 1], b"second-pin", SO_PIN)) > 5);
}

#[test]
fn key_generation_happens_or_does_not() {
    let (_, flash) = Device::initialised();
    assert!(cut_everywhere(&flash, Device::login, &generate_p256(1, &[])) > 5);
    assert!(cut_everywhere(&flash, Device::login, &generate_rsa(1, 1024)) > 5);
    assert!(cut_everywhere(&flash, Device::login, &generate_secret(1, 0xB2, &[0x90, 4, 0, 0, 0, 9])) > 3);
}

/// The key and its request come together, also where an earlier key has left its own.
#[test]
fn derivation_of_a_key_happens_or_does_not() {
    let (mut device, flash) = Device::initialised();
    device.login();
    device.ok(&generate_p256(1, &[]));
    device.ok(&generate_p256(3, &[]));
    device.ok(&delete(0xCC03));
    drop(device);
    for target in [2, 3] {
        assert!(cut_everywhere(&flash, Device::login, &apdu(0x80, 0x76, 1, target, &[0x98, 5], None)) > 5);
    }
}

#[test]
fn a_seed_is_made_or_replaced_or_is_not() {
    let (mut device, flash) = Device::initialised();
    device.login();
    let create = |seed, byte| apdu(0x80, 0x4A, 1, seed, &[byte; 64], None);
    device.ok(&create(0, 1));
    drop(device);
    assert!(cut_everywhere(&flash, Device::login, &create(1, 2)) > 1);
    assert!(cut_everywhere(&flash, Device::login, &create(0, 2)) > 1);
}

/// A device with two key domains, the first waiting for two shares, the user logged in.
fn with_domains() -> (Device, SharedFlash) {
    let (mut device, flash) = Device::blank();
    let data = [tlv(&[0x80], &[0, 1]), tlv(&[0x81], USER_PIN), tlv(&[0x82], SO_PIN), tlv(&[0x97], &[2])].concat();
    device.ok(&apdu(0x80, 0x50, 0, 0, &data, None));
    device.ok(&apdu(0x80, 0x52, 1, 0, &[2], Some(256)));
    (device, flash)
}

#[test]
fn a_share_is_imported_or_is_not() {
    let (mut device, flash) = with_domains();
    device.ok(&generate_p256(1, &[]));
    let import = |share| apdu(0x80, 0x52, 0, 0, &[share; 32], Some(256));
    assert!(cut_everywhere(&flash, Device::select, &import(1)) > 2);
    device.ok(&import(1));
    drop(device);
    // The last share: with nobody logged in, and with the user, whose session then seals the key.
    assert!(cut_everywhere(&flash, Device::select, &import(2)) > 2);
    assert!(cut_everywhere(&flash, Device::login, &import(2)) > 4);
}

#[test]
fn a_login_that_seals_a_waiting_key_loses_nothing() {
    let (mut device, flash) = with_domains();
    device.ok(&generate_p256(1, &[]));
    device.select();
    for share in [1, 2] {
        device.ok(&apdu(0x80, 0x52, 0, 0, &[share; 32], Some(256)));
    }
    drop(device);
    let complete = flash.fork();
    let mut device = Device::start(&complete);
    let operations = complete.lock().operations();
    device.login();
    let operations = complete.lock().operations() - operations;
    for cut in 0..operations {
        let flash = flash.fork();
        let mut device = Device::start(&flash);
        flash.lock().cut_after(cut, cut);
        device.status(&verify(0x81, USER_PIN));
        drop(device);
        flash.lock().revive();
        let mut device = Device::start(&flash);
        device.login();
        let blob = device.ok(&apdu(0x80, 0x72, 1, 0x92, &[], Some(65536)));
        assert_eq!(hex::encode_upper(&blob[..8]), "648AA5C579FB30F3", "cut {cut}");
    }
}

#[test]
fn a_key_is_unwrapped_or_is_not() {
    let (mut device, flash) = with_domains();
    for share in [1, 2] {
        device.ok(&apdu(0x80, 0x52, 0, 0, &[share; 32], Some(256)));
    }
    device.ok(&generate_p256(1, &[]));
    let blob = device.ok(&apdu(0x80, 0x72, 1, 0x92, &[], Some(65536)));
    device.ok(&delete(0xCC01));
    drop(device);
    assert!(cut_everywhere(&flash, Device::login, &apdu(0x80, 0x74, 1, 0x93, &blob, None)) > 5);
}

#[test]
fn a_domain_is_cleared_or_deleted_or_is_not() {
    let (mut device, flash) = with_domains();
    for share in [1, 2] {
        device.ok(&apdu(0x80, 0x52, 0, 0, &[share; 32], Some(256)));
    }
    device.ok(&generate_p256(1, &[]));
    drop(device);
    assert!(cut_everywhere(&flash, Device::login, &apdu(0x80, 0x52, 4, 0, &[], Some(256))) > 2);
    assert!(cut_everywhere(&flash, Device::login, &apdu(0x80, 0x52, 3, 0, &[], Some(256))) > 2);
    assert!(cut_everywhere(&flash, Device::login, &apdu(0x80, 0x52, 1, 1, &[3], Some(256))) > 2);
}

#[test]
fn a_key_that_logs_in_is_registered_or_is_not() {
    let root = Signer::new("UTROOT00001", Curve::P256);
    let holder = Signer::new("UTHOLD00001", Curve::P256).without_domain();
    let (mut device, flash) = Device::blank();
    let pins = [tlv(&[0x80], &[0, 9]), tlv(&[0x81], USER_PIN), tlv(&[0x82], SO_PIN), tlv(&[0x93], &[2, 1])].concat();
    device.ok(&apdu(0x80, 0x50, 0, 0, &pins, None));
    device.ok(&update(0xCA00, 0, &root.self_signed(pki::ROOT)));
    drop(device);
    let introduce = |device: &mut Device| {
        device.login();
        device.import(&root.issue_to(&holder, pki::DEVICE));
        device.ok(&pki::choose(0xB6, &holder.chr));
    };
    let first = Signer::new("UTKEYA00001", Curve::P256);
    let register =
        |p1, slot, key: &Signer| apdu(0x80, 0x54, p1, slot, &pki::content(&key.request(None, &holder)), Some(256));
    assert!(cut_everywhere(&flash, introduce, &register(0, 0, &first)) > 1);
    let mut device = Device::start(&flash);
    introduce(&mut device);
    device.ok(&register(0, 0, &first));
    drop(device);
    // And in the place of another, by the first key's holder.
    let log_in = |device: &mut Device| {
        introduce(device);
        let challenge = device.ok(&apdu(0x00, 0x84, 0, 0, &[], Some(8)));
        let message = [device.name().as_bytes(), &challenge].concat();
        device.ok(&pki::choose(0xA4, &first.chr));
        device.ok(&apdu(0x00, 0x82, 0, 0, &first.sign(&message), None));
    };
    let second = Signer::new("UTKEYB00001", Curve::P521);
    assert!(cut_everywhere(&flash, log_in, &register(1, 0, &second)) > 1);
}

#[test]
fn a_device_joins_a_group_and_agrees_on_a_key_or_does_not() {
    let group = Signer::new("UTGRUP00001", Curve::BrainpoolP256r1);
    let (mut device, flash) = Device::blank();
    let data = [tlv(&[0x80], &[0, 1]), tlv(&[0x81], USER_PIN), tlv(&[0x82], SO_PIN), tlv(&[0x97], &[2])].concat();
    device.ok(&apdu(0x80, 0x50, 0, 0, &data, None));
    let join = apdu(0x80, 0x52, 2, 0, &device.membership(&group), Some(256));
    drop(device);
    assert!(cut_everywhere(&flash, Device::login, &join) > 2);
    let mut device = Device::start(&flash);
    device.login();
    let uid = device.ok(&join)[10..].to_vec();
    device.ok(&generate_p256(1, &tlv(&[0x92], &[0])));
    device.ok(&generate_p256(2, &[tlv(&[0x91], &[0x84]), tlv(&[0x92], &[0]), tlv(&[0x90], &[0, 0, 0, 9])].concat()));
    drop(device);
    let mut extension = [0; 100];
    let extensions = Extensions { key_domain: Some(&uid), ..Extensions::default() };
    let len = extensions.write(&mut extension).unwrap();
    let exchange = |peer: &Signer| {
        let data = peer.request(Some(&extension[..len]), peer);
        apdu(0x80, 0x62, 2, 0x84, &data, Some(256))
    };
    let [first, second] = ["UTPEER00001", "UTPEER00002"].map(|chr| Signer::new(chr, Curve::P256));
    // For the first time, in place of another key, and away with it.
    assert!(cut_everywhere(&flash, Device::login, &exchange(&first)) > 2);
    let mut device = Device::start(&flash);
    device.login();
    device.ok(&exchange(&first));
    drop(device);
    assert!(cut_everywhere(&flash, Device::login, &exchange(&second)) > 2);
    assert!(cut_everywhere(&flash, Device::login, &apdu(0x80, 0x52, 4, 0, &[], Some(256))) > 2);
    let mut device = Device::start(&flash);
    device.login();
    device.ok(&delete(0xCC01));
    device.ok(&delete(0xCC02));
    drop(device);
    assert!(cut_everywhere(&flash, Device::login, &apdu(0x80, 0x52, 3, 0, &[], Some(256))) > 2);
}

#[test]
fn a_pin_change_happens_or_does_not() {
    let (mut device, flash) = Device::initialised();
    device.login();
    device.ok(&generate_p256(1, &[]));
    drop(device);
    let change = apdu(0, 0x24, 0, 0x81, &[USER_PIN, b"second-pin"].concat(), None);
    assert!(cut_everywhere(&flash, Device::select, &change) > 2);
}

#[test]
fn a_wrong_pin_costs_a_try_however_the_power_fails() {
    let (_, flash) = Device::initialised();
    let mut cuts = 0;
    loop {
        let flash = flash.fork();
        let mut device = Device::start(&flash);
        let operations = flash.lock().operations();
        flash.lock().cut_after(cuts, 7);
        let status = device.status(&verify(0x81, b"000000"));
        let done = flash.lock().operations() - operations;
        drop(device);
        flash.lock().revive();
        let mut device = Device::start(&flash);
        let tries = device.status(&[0, 0x20, 0, 0x81]);
        match status {
            // The comparison was made: the try must be gone for good.
            0x63C2 => assert_eq!(tries, 0x63C2, "cut {cuts}"),
            // The decrement failed, so the PIN was never looked at.
            0x6581 => assert!(tries == 0x63C3 || tries == 0x63C2, "cut {cuts}: {tries:04X}"),
            other => panic!("cut {cuts}: {other:04X}"),
        }
        device.login();
        if done < cuts {
            break;
        }
        cuts += 1;
    }
    assert!(cuts >= 1);
}

#[test]
fn a_blocked_pin_stays_blocked_after_power_loss() {
    let (mut device, flash) = Device::initialised();
    assert_eq!(device.status(&verify(0x81, b"000000")), 0x63C2);
    assert_eq!(device.status(&verify(0x81, b"000000")), 0x63C1);
    assert_eq!(device.status(&verify(0x81, b"000000")), 0x6983);
    drop(device);
    let mut device = Device::start(&flash);
    assert_eq!(device.status(&verify(0x81, USER_PIN)), 0x6983);
    assert_eq!(device.status(&[0, 0x20, 0, 0x81]), 0x6983);
}
