//! The secure lock: what opens it, what does not, and that nothing is lost.

mod common;

use common::*;
use ferrite_card::Presence;
use ferrite_crypto::drbg::Drbg;
use ferrite_crypto::ec::{Curve, PrivateKey};
use ferrite_crypto::lock::{Agreement, Mask};
use ferrite_store::testing::SharedFlash;
use sha2::{Digest, Sha256};

const MASK: [u8; 32] = *b"the secret that this host keeps!";
const WRONG: [u8; 32] = *b"the secret of some other host---";
const ENABLE: u8 = 2;
const UNLOCK: u8 = 3;
const DISABLE: u8 = 4;

fn extras(p2: u8, data: &[u8]) -> Vec<u8> {
    apdu(0x80, 0x64, 0x3A, p2, data, Some(256))
}

/// The host's half of a key agreement; the mask in a message for it.
fn message(device: &mut Device, mask: &[u8; 32]) -> [u8; 48] {
    let key = PrivateKey::generate(Curve::P256, &mut Drbg::new(b"host", b"", b""));
    let point: [u8; 65] = key.public_key().unwrap().as_ref().try_into().unwrap();
    let answer = device.ok(&extras(1, &point));
    let secret = key.agree(&answer).expect("a point on the curve");
    Agreement::new(secret.as_ref(), &point).seal(&Mask::from_bytes(mask))
}

fn operate(device: &mut Device, operation: u8, mask: &[u8; 32]) -> u16 {
    let message = message(device, mask);
    device.status(&extras(operation, &message))
}

fn is_locked(device: &mut Device) -> bool {
    let fcp = device.ok(&apdu(0, 0xA4, 4, 0, AID, Some(256)));
    let options = fcp.windows(2).position(|window| window == [0x85, 5]).expect("options");
    fcp[options + 2] & 4 != 0
}

/// A device with a key, a private object, a complete DKEK and a seed, and what is signed with the key verifies under.
fn in_use() -> (Device, SharedFlash) {
    let (mut device, flash) = Device::blank();
    let data = [tlv(&[0x80], &[0, 1]), tlv(&[0x81], USER_PIN), tlv(&[0x82], SO_PIN), tlv(&[0x92], &[1])].concat();
    device.ok(&apdu(0x80, 0x50, 0, 0, &data, None));
    device.ok(&apdu(0x80, 0x52, 0, 0, &[7; 32], Some(256)));
    device.ok(&generate_p256(1, &[]));
    device.ok(&generate_secret(2, 0xB2, &[]));
    device.ok(&update(0xCD01, 0, b"private"));
    device.ok(&apdu(0x80, 0x4A, 1, 0, &[9; 32], None));
    (device, flash)
}

/// Everything that a user does with what is sealed.
fn uses() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("SIGN", sign(1, 0x73, b"m")),
        ("SYMMETRIC CIPHER", symmetric(2, 0x10, &[0; 16], Some(256))),
        ("WRAP", apdu(0x80, 0x72, 1, 0x92, &[], Some(65536))),
        ("READ of a private object", read(0xCD01, 0)),
        ("UPDATE of a private object", update(0xCD01, 0, b"private")),
        ("a public node", apdu(0x80, 0x4A, 0x0A, 0, &[2, 1, 0], Some(256))),
        ("GENERATE", generate_p256(9, &[])),
        ("DELETE", delete(0xCC09)),
    ]
}

fn everything_works(device: &mut Device) {
    for (what, command) in uses() {
        assert_eq!(device.status(&command), 0x9000, "{what}");
    }
}

fn nothing_opens(device: &mut Device) {
    for (what, command) in uses() {
        assert_eq!(device.status(&command), 0x6985, "{what}");
    }
}

#[test]
fn without_the_mask_nothing_opens_and_with_it_everything() {
    let (mut device, flash) = in_use();
    assert_eq!(operate(&mut device, ENABLE, &MASK), 0x9000);
    everything_works(&mut device);
    assert!(is_locked(&mut device));
    device.login();
    everything_works(&mut device);

    // A start later.
    drop(device);
    let mut device = Device::start(&flash);
    device.select();
    device.login();
    nothing_opens(&mut device);
    assert_eq!(operate(&mut device, UNLOCK, &MASK), 0x9000);
    everything_works(&mut device);

    // The mask stays until the power fails, so that other programs of this host can work.
    device.card.reset();
    device.select();
    device.login();
    everything_works(&mut device);
    assert_eq!(operate(&mut device, DISABLE, &MASK), 0x9000);
    assert!(!is_locked(&mut device));
    drop(device);
    let mut device = Device::start(&flash);
    device.login();
    everything_works(&mut device);
}

#[test]
fn a_wrong_mask_is_noticed_and_changes_nothing() {
    let (mut device, flash) = in_use();
    assert_eq!(operate(&mut device, ENABLE, &MASK), 0x9000);
    let image = flash.lock().bytes().to_vec();
    for operation in [ENABLE, UNLOCK, DISABLE] {
        assert_eq!(operate(&mut device, operation, &WRONG), 0x6A80, "{operation}");
    }
    everything_works(&mut device);
    drop(device);
    let mut device = Device::start(&flash);
    device.login();
    for operation in [ENABLE, UNLOCK, DISABLE] {
        assert_eq!(operate(&mut device, operation, &WRONG), 0x6A80, "{operation}");
    }
    nothing_opens(&mut device);
    drop(device);
    // Everything above but the login's try, and what was used in between, left the flash alone.
    let flash = SharedFlash::from(ferrite_store::testing::RamFlash::from_bytes(image));
    let mut device = Device::start(&flash);
    device.login();
    let before = flash.lock().bytes().to_vec();
    assert_eq!(operate(&mut device, DISABLE, &WRONG), 0x6A80);
    assert!(before == flash.lock().bytes(), "a wrong mask writes");
    assert_eq!(operate(&mut device, DISABLE, &MASK), 0x9000);
    everything_works(&mut device);
}

#[test]
fn one_agreement_serves_one_message() {
    let (mut device, _) = in_use();
    let message = message(&mut device, &MASK);
    device.ok(&extras(ENABLE, &message));
    for operation in [ENABLE, UNLOCK, DISABLE] {
        assert_eq!(device.status(&extras(operation, &message)), 0x6986);
    }
    // A message that was refused has used its agreement up too.
    let good = self::message(&mut device, &MASK);
    let mut bad = good;
    bad[47] ^= 1;
    assert_eq!(device.status(&extras(DISABLE, &bad)), 0x6700);
    assert_eq!(device.status(&extras(DISABLE, &good)), 0x6986);
    // It does not outlive a selection or a reset.
    let good = self::message(&mut device, &MASK);
    device.select();
    device.login();
    assert_eq!(device.status(&extras(DISABLE, &good)), 0x6986);
    assert_eq!(operate(&mut device, DISABLE, &MASK), 0x9000);
}

#[test]
fn what_is_no_point_or_message_is_refused() {
    let (mut device, _) = in_use();
    assert_eq!(device.status(&extras(1, &[])), 0x6700);
    assert_eq!(device.status(&extras(1, &[4; 65])), 0x6700, "not on the curve");
    assert_eq!(device.status(&extras(1, &[2; 33])), 0x6700, "compressed");
    assert_eq!(device.status(&extras(ENABLE, &[0; 48])), 0x6986, "no agreement");
    message(&mut device, &MASK);
    assert_eq!(device.status(&extras(ENABLE, &[0; 47])), 0x6700);
    assert_eq!(device.status(&extras(5, &[0; 48])), 0x6A86);
    assert_eq!(device.status(&extras(0, &[0; 48])), 0x6A86);
}

#[test]
fn a_device_that_is_not_locked_is_neither_opened_nor_unlocked() {
    let (mut device, _) = in_use();
    assert_eq!(operate(&mut device, UNLOCK, &MASK), 0x9000);
    assert_eq!(operate(&mut device, DISABLE, &MASK), 0x9000);
    assert!(!is_locked(&mut device));
}

#[test]
fn only_the_user_and_somebody_who_is_there_locks_and_unlocks() {
    let (mut blank, _) = Device::blank();
    assert_eq!(blank.status(&extras(1, &[4; 65])), 0x6982);
    let (mut device, _) = in_use();
    device.select();
    assert_eq!(device.status(&extras(1, &[4; 65])), 0x6982);
    device.ok(&verify(0x88, SO_PIN));
    assert_eq!(device.status(&extras(1, &[4; 65])), 0x6982);
    device.login();
    for (operation, before) in [(ENABLE, false), (DISABLE, true)] {
        device.card.platform().presence = Presence::TimedOut;
        assert_eq!(operate(&mut device, operation, &MASK), 0x6600);
        assert_eq!(is_locked(&mut device), before);
        device.login();
        device.card.platform().presence = Presence::Confirmed;
        assert_eq!(operate(&mut device, operation, &MASK), 0x9000);
    }
}

/// Both PINs lead to the same record: the SO needs no mask to set a PIN, and gets at nothing without it.
#[test]
fn pins_are_changed_and_unblocked_while_the_lock_is_shut() {
    let (mut device, flash) = in_use();
    assert_eq!(operate(&mut device, ENABLE, &MASK), 0x9000);
    drop(device);
    let mut device = Device::start(&flash);
    device.ok(&apdu(0, 0x2C, 0, 0x81, &[SO_PIN, b"second-pin"].concat(), None));
    assert_eq!(device.status(&sign(1, 0x73, b"m")), 0x6982, "that is the SO's session");
    device.ok(&verify(0x81, b"second-pin"));
    nothing_opens(&mut device);
    device.ok(&apdu(0, 0x24, 0, 0x81, &[b"second-pin", USER_PIN].concat(), None));
    nothing_opens(&mut device);
    assert_eq!(operate(&mut device, UNLOCK, &MASK), 0x9000);
    everything_works(&mut device);
}

#[test]
fn a_locked_device_is_not_initialised_without_its_mask() {
    let (mut device, flash) = in_use();
    assert_eq!(operate(&mut device, ENABLE, &MASK), 0x9000);
    drop(device);
    let mut device = Device::start(&flash);
    assert_eq!(device.status(&initialize(&[0, 1], USER_PIN, SO_PIN)), 0x6982);
    device.ok(&verify(0x88, SO_PIN));
    assert_eq!(device.status(&initialize(&[0, 1], USER_PIN, SO_PIN)), 0x6982);
    device.login();
    assert_eq!(operate(&mut device, UNLOCK, &WRONG), 0x6A80);
    assert_eq!(device.status(&initialize(&[0, 1], USER_PIN, SO_PIN)), 0x6982, "any mask opens it");
    assert_eq!(operate(&mut device, UNLOCK, &MASK), 0x9000);
    // Without options of its own: those that were there stay, but not the lock, whose mask the new MKEK does not have.
    let data = [tlv(&[0x81], USER_PIN), tlv(&[0x82], SO_PIN)].concat();
    device.ok(&apdu(0x80, 0x50, 0, 0, &data, None));
    device.ok(&generate_p256(1, &[]));
    assert!(!is_locked(&mut device));
    drop(device);
    let mut device = Device::start(&flash);
    device.login();
    device.ok(&sign(1, 0x73, b"m"));
}

#[test]
fn the_mask_is_never_on_flash() {
    let (mut device, flash) = in_use();
    for operation in [ENABLE, UNLOCK, ENABLE, DISABLE, ENABLE] {
        assert_eq!(operate(&mut device, operation, &MASK), 0x9000);
        let image = flash.lock().bytes().to_vec();
        assert!(!image.windows(8).any(|window| MASK.windows(8).any(|piece| piece == window)));
    }
}

/// The power fails at every flash operation: the device is locked or it is not, and opens accordingly.
#[test]
fn locking_and_unlocking_happen_or_do_not() {
    let (mut device, open) = in_use();
    let request = device.ok(&read(0xCE01, 0));
    let shut = open.fork();
    let mut locked = Device::start(&shut);
    locked.login();
    assert_eq!(operate(&mut locked, ENABLE, &MASK), 0x9000);
    drop(locked);
    for (start, operation) in [(open, ENABLE), (shut, DISABLE)] {
        let mut cuts = 0;
        loop {
            let flash = start.fork();
            let mut device = Device::start(&flash);
            device.login();
            let message = message(&mut device, &MASK);
            flash.lock().cut_after(cuts, cuts);
            let status = device.status(&extras(operation, &message));
            let was_cut = flash.lock().is_off();
            drop(device);
            flash.lock().revive();
            let mut device = Device::start(&flash);
            let locked = is_locked(&mut device);
            if !was_cut {
                assert_eq!((status, locked), (0x9000, operation == ENABLE));
            }
            device.login();
            if locked {
                nothing_opens(&mut device);
                assert_eq!(operate(&mut device, UNLOCK, &WRONG), 0x6A80);
                assert_eq!(operate(&mut device, UNLOCK, &MASK), 0x9000);
            }
            everything_works(&mut device);
            assert_eq!(Sha256::digest(device.ok(&read(0xCE01, 0))), Sha256::digest(&request));
            if !was_cut {
                break;
            }
            cuts += 1;
        }
        assert!(cuts > 2, "{cuts}");
    }
}
