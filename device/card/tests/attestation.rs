//! What the device vouches for: that a key is in it, whether it made the key, and what limits it; for keys of every kind.

mod common;

use common::*;
use ferrite_crypto::ec::{self, Curve};
use ferrite_crypto::hash::Hash;
use ferrite_crypto::kdf;
use ferrite_proto::command::Attributes;
use ferrite_proto::cvc::{Certificate, Extensions, IDENTIFIER_LABEL, Identifier, Origin, PublicKey, Request};

/// The data of DERIVE ASYMMETRIC KEY.
const TWEAK: &[u8] = &[0x98, 5];
const LABEL: [u8; 16] = IDENTIFIER_LABEL;

/// A device, its user logged in, whose domain 0 has a key-encryption key.
fn device() -> Device {
    let (mut device, _) = Device::blank();
    let data = [tlv(&[0x81], USER_PIN), tlv(&[0x82], SO_PIN), tlv(&[0x92], &[0])].concat();
    device.ok(&apdu(0x80, 0x50, 0, 0, &data, None));
    device
}

fn derive(device: &mut Device, source: u8, target: u8) {
    // It answers nothing: neither with a Le nor without.
    let le = target.is_multiple_of(2).then_some(256);
    assert_eq!(device.ok(&apdu(0x80, 0x76, source, target, TWEAK, le)), []);
    assert_eq!(device.send(&apdu(0, 0xC0, 0, 0, &[], Some(256))).0, []);
}

fn wrap(device: &mut Device, key: u8) -> Vec<u8> {
    device.ok(&apdu(0x80, 0x72, key, 0x92, &[], Some(65536)))
}

fn unwrap(device: &mut Device, key: u8, blob: &[u8]) {
    assert_eq!(device.ok(&apdu(0x80, 0x74, key, 0x93, blob, Some(256))), []);
}

/// The request of a key, after a check of the device's signature.
fn request(device: &mut Device, key: u8) -> Vec<u8> {
    let file = device.ok(&read(0xCE00 | u16::from(key), 0));
    let request = Request::parse(&file).expect("a request");
    let own = device.ok(&read(0x2F02, 0));
    let (own, _) = Certificate::parse(&own).expect("a certificate");
    let PublicKey::Ec { point, .. } = own.body.public_key else { panic!("no EC key") };
    let digest = Hash::Sha256.digest(&[request.signed]);
    ec::verify(Curve::P256, point, digest.as_ref(), request.signature).expect("the device's signature");
    file
}

fn origin(device: &mut Device, key: u8) -> Origin {
    let file = request(device, key);
    let extensions = Request::parse(&file).expect("a request").certificate.body.extensions.unwrap_or_default();
    Extensions::parse(extensions).expect("extensions").origin
}

#[test]
fn no_way_leads_from_a_key_that_others_may_have_to_one_that_was_made_here() {
    let mut device = device();
    device.ok(&generate_p256(1, &[]));
    derive(&mut device, 1, 2);
    derive(&mut device, 2, 3);
    assert_eq!([1, 2, 3].map(|key| origin(&mut device, key)), [Origin::Generated, Origin::Derived, Origin::Derived]);
    // A key that left and came back is one that others may have, and so is whatever is derived from it, at any depth.
    for (left, back) in [(1, 11), (2, 12), (3, 13)] {
        let blob = wrap(&mut device, left);
        unwrap(&mut device, back, &blob);
        derive(&mut device, back, back + 10);
        derive(&mut device, back + 10, back + 20);
        for key in [back, back + 10, back + 20] {
            assert_eq!(origin(&mut device, key), Origin::Imported, "{key}");
        }
        // What is derived of what is imported, out and in again.
        let blob = wrap(&mut device, back + 20);
        unwrap(&mut device, back + 30, &blob);
        assert_eq!(origin(&mut device, back + 30), Origin::Imported);
        // The one that stayed is what it was.
        derive(&mut device, left, left + 100);
        assert_eq!(origin(&mut device, left + 100), Origin::Derived);
    }
    // A request that the user writes over another changes nothing in what the key is: only in what the file says.
    let honest = device.ok(&read(0xCE01, 0));
    device.ok(&update(0xCE0B, 0, &honest));
    derive(&mut device, 11, 200);
    assert_eq!(origin(&mut device, 200), Origin::Imported);
}

#[test]
fn the_origin_outlives_a_restart() {
    let (mut first, flash) = Device::blank();
    let data = [tlv(&[0x81], USER_PIN), tlv(&[0x82], SO_PIN), tlv(&[0x92], &[0])].concat();
    first.ok(&apdu(0x80, 0x50, 0, 0, &data, None));
    first.ok(&generate_p256(1, &[]));
    let blob = wrap(&mut first, 1);
    unwrap(&mut first, 2, &blob);
    drop(first);
    let mut device = Device::start(&flash);
    device.select();
    device.login();
    derive(&mut device, 1, 3);
    derive(&mut device, 2, 4);
    assert_eq!([3, 4].map(|key| origin(&mut device, key)), [Origin::Derived, Origin::Imported]);
}

#[test]
fn a_derived_key_has_a_request_of_its_own_with_the_limits_it_inherits() {
    let mut device = device();
    let limits = Attributes { algorithms: Some(&[0x73, 0x98]), domain: Some(0), ..Attributes::default() };
    let mut written = [0; 40];
    let len = limits.write(&mut written).expect("room");
    device.ok(&generate_p256(1, &written[..len]));
    derive(&mut device, 1, 2);
    let file = request(&mut device, 2);
    let certificate = Request::parse(&file).expect("a request").certificate;
    let expected = Extensions { origin: Origin::Derived, attributes: limits, ..Extensions::default() };
    assert_eq!(Extensions::parse(certificate.body.extensions.unwrap_or_default()), Ok(expected));
    let name = device.name();
    assert_eq!((certificate.body.car, certificate.body.chr), (name.as_bytes(), name.as_bytes()));
    // The derived key signed it, and signs what comes.
    let PublicKey::Ec { point, domain: Some(_), .. } = certificate.body.public_key else { panic!("no EC key") };
    let digest = Hash::Sha256.digest(&[certificate.signed]);
    ec::verify(Curve::P256, point, digest.as_ref(), certificate.signature).expect("the key's signature");
    let signature = device.sign_raw(2, b"message");
    ec::verify(Curve::P256, point, Hash::Sha256.digest(&[b"message"]).as_ref(), &signature).expect("a signature");
    // The request of a key that is gone does not vouch for the next one in its place.
    device.ok(&delete(0xCC02));
    device.ok(&generate_secret(2, 0xB0, &[]));
    assert_ne!(request(&mut device, 2), file);
}

/// What a request says of a secret key: size, identifier, number, origin, limits.
fn secret_key(file: &[u8]) -> (u16, Option<Identifier>, Extensions<'_>) {
    let body = Request::parse(file).expect("a request").certificate.body;
    let PublicKey::Secret { bits, identifier } = body.public_key else { panic!("no secret key") };
    let extensions = Extensions::parse(body.extensions.unwrap_or_default()).expect("extensions");
    (bits, identifier.copied(), extensions)
}

#[test]
fn a_secret_key_made_here_is_named_by_what_only_it_derives() {
    let mut device = device();
    for (key, p2, bits) in [(1, 0xB0, 128), (2, 0xB1, 192), (3, 0xB2, 256), (5, 0xB3, 512)] {
        assert_eq!(device.ok(&generate_secret(key, p2, &[])), []);
        let file = request(&mut device, key);
        let (found, identifier, extensions) = secret_key(&file);
        assert_eq!((found, extensions), (bits, Extensions { key: Some(key), ..Extensions::default() }));
        let derived = device.ok(&symmetric(key, 0x99, &LABEL, Some(256)));
        assert_eq!(identifier.expect("an identifier").as_slice(), derived);
        let signature = Request::parse(&file).expect("a request").certificate.signature;
        assert_eq!(signature, vec![0; usize::from(bits) / 4]);
    }
    let limits = Attributes { counter: Some(9), algorithms: Some(&[0x10]), domain: Some(0), wrapping_key: None };
    let mut written = [0; 40];
    let len = limits.write(&mut written).expect("room");
    device.ok(&generate_secret(4, 0xB2, &written[..len]));
    let file = request(&mut device, 4);
    assert_eq!(secret_key(&file).2, Extensions { key: Some(4), attributes: limits, ..Extensions::default() });
}

/// Somebody replaces a key by one that they know, and puts the report of the old one back.
#[test]
fn a_report_does_not_pass_for_one_of_another_key_in_the_same_place() {
    let mut device = device();
    device.ok(&generate_secret(1, 0xB2, &[]));
    let old = request(&mut device, 1);
    device.ok(&delete(0xCC01));
    device.plant(1, &[7; 32]);
    assert_eq!(origin(&mut device, 1), Origin::Imported);
    device.ok(&update(0xCE01, 0, &old));
    assert_eq!(request(&mut device, 1), old);
    let derived = device.ok(&symmetric(1, 0x99, &LABEL, Some(256)));
    assert_ne!(secret_key(&old).1.expect("an identifier").as_slice(), derived);
}

/// What a request was before a key came, whoever wrote it, says nothing of that key; and a key that does not come changes none.
#[test]
fn whatever_lies_where_a_request_belongs_gives_way_to_that_of_the_key() {
    let mut device = device();
    device.ok(&generate_p256(1, &[]));
    device.ok(&generate_secret(2, 0xB2, &[]));
    let [pair, secret] = [1, 2].map(|key| wrap(&mut device, key));
    let honest = request(&mut device, 1);
    let mut broken = pair.clone();
    broken[pair.len() - 1] ^= 1;
    let no_key = [apdu(0x80, 0x74, 9, 0x93, &broken, None), apdu(0x80, 0x76, 8, 9, TWEAK, None)];
    // A request that the user puts there, and something longer than whatever comes.
    let long = [honest.as_slice(), &[0x67; 2000]].concat();
    for before in [&honest, &long] {
        device.ok(&update(0xCE09, 0, before));
        for command in &no_key {
            assert_ne!(device.status(command), 0x9000);
            assert_eq!(device.status(&read(0xCC09, 0)), 0x6A82);
            assert_eq!(device.ok(&read(0xCE09, 0)), **before);
        }
    }
    for before in [&honest, &long] {
        for blob in [&pair, &secret] {
            device.ok(&update(0xCE09, 0, before));
            unwrap(&mut device, 9, blob);
            assert_eq!(origin(&mut device, 9), Origin::Imported);
            assert!(device.ok(&read(0xCE09, 0)).len() < long.len());
            device.ok(&delete(0xCC09));
        }
    }
    // The same places under a former owner.
    device.ok(&initialize(&[0, 1], USER_PIN, SO_PIN));
    for key in [1, 2, 9] {
        assert_eq!(device.status(&read(0xCE00 | key, 0)), 0x6A82);
    }
    // The number of the device key is nobody else's.
    for command in [generate_p256(0, &[]), apdu(0x80, 0x76, 1, 0, TWEAK, None), apdu(0x80, 0x74, 0, 0x93, &pair, None)]
    {
        assert_ne!(device.status(&command), 0x9000);
    }
    assert_eq!(device.status(&update(0xCE00, 0, &honest)), 0x6982);
    assert_eq!(device.status(&delete(0xCC00)), 0x6982);
}

/// An imported key may be a password, padded: nothing of it may be seen that a guess could be compared with.
#[test]
fn nothing_about_an_imported_secret_key_depends_on_its_bytes() {
    let mut device = device();
    let guess = *b"password\0\0\0\0\0\0\0\0";
    let mut seen = Vec::new();
    for key in [guess, [7; 16]] {
        device.plant(5, &key);
        let blob = wrap(&mut device, 5);
        unwrap(&mut device, 6, &blob);
        let file = request(&mut device, 6);
        let (bits, identifier, extensions) = secret_key(&file);
        let domain = Attributes { domain: Some(0), ..Attributes::default() };
        let expected = Extensions { origin: Origin::Imported, key: Some(6), attributes: domain, key_domain: None };
        assert_eq!((bits, identifier, extensions), (128, None, expected));
        // Nor does it hide elsewhere in what the device signed; its signature is random.
        let mut derived: Identifier = Default::default();
        kdf::hkdf_sha256(&[], &key, &[&LABEL], &mut derived);
        assert!(!file.windows(8).any(|window| derived.windows(8).any(|piece| piece == window)));
        seen.push(Request::parse(&file).expect("a request").signed.to_vec());
        device.ok(&delete(0xCC06));
    }
    assert_eq!(seen[0], seen[1]);
    // A key that was made here, and left and came back, is imported and has lost its identifier.
    device.ok(&generate_secret(1, 0xB2, &[]));
    let blob = wrap(&mut device, 1);
    unwrap(&mut device, 2, &blob);
    assert_eq!(secret_key(&request(&mut device, 2)).1, None);
}

/// A secret key's request is no certificate of anything that signs or agrees.
#[test]
fn no_device_agrees_with_the_request_of_a_secret_key() {
    let mut device = device();
    device.ok(&generate_secret(1, 0xB2, &[]));
    let file = request(&mut device, 1);
    device.ok(&generate_p256(2, &[]));
    assert_eq!(device.status(&apdu(0x80, 0x62, 2, 0x84, &file, Some(256))), 0x6984);
}
