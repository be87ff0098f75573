//! Keys of other devices log in: registration, n of m, and everything that must not be taken for either.

mod common;

use common::holders::*;
use common::pki::{DEVICE, ROOT, Signer, attest, choose, content};
use common::{Device, SO_PIN, USER_PIN, apdu, generate_p256, read, sign, tlv, update, verify};
use ferrite_crypto::ec::Curve;
use ferrite_proto::cvc::{Body, PublicKey, Request, RsaPadding, write_certificate};

/// Whether somebody is a user: may write files, and use keys.
fn rights(target: &mut Device) -> (u16, u16) {
    (target.status(&update(0xCF01, 0, b"x")), target.status(&sign(1, 0x73, b"m")))
}

#[test]
fn two_of_three_devices_log_in_to_a_fourth_and_keys_take_the_pin_as_well() {
    let (mut target, [mut a, mut b, mut c]) = guarded([0, 1]);
    for (slot, holder) in (0..).zip([&a, &b, &c]) {
        assert_eq!(target.send(&[0x80, 0x54, 0x02, slot]), (holder.chr.clone().into_bytes(), 0x9000));
    }
    assert_eq!(target.status(&[0x80, 0x54, 0x02, 3]), 0x6A86);
    // The PIN alone does nothing.
    target.login();
    assert_eq!(rights(&mut target), (0x6982, 0x6982));
    assert_eq!(target.status(&[0x00, 0x20, 0x00, 0x81]), 0x9000);
    // One of two does nothing.
    a.log_in_at(&mut target);
    assert_eq!(target.ok(&STATUS), [3, 0, 2, 1]);
    assert_eq!(target.send(&[0x80, 0x54, 0x02, 0]), (a.chr.clone().into_bytes(), 0x9001));
    // The status of an authenticated key survives being fetched in parts.
    assert_eq!(target.send(&[0x80, 0x54, 0x02, 0, 4]), (a.chr.as_bytes()[..4].to_vec(), 0x610A));
    assert_eq!(target.send(&[0, 0xC0, 0, 0, 0]), (a.chr.as_bytes()[4..].to_vec(), 0x9001));
    assert_eq!(target.send(&[0x80, 0x54, 0x02, 1]), (b.chr.clone().into_bytes(), 0x9000));
    assert_eq!(rights(&mut target), (0x6982, 0x6982));
    // It does not count twice.
    assert_eq!(target.status(&choose(0xA4, &a.chr)), 0x6985);
    c.log_in_at(&mut target);
    assert_eq!(rights(&mut target), (0x9000, 0x9000));
    // Without the PIN files, but no keys. PINs do not touch what keys have done, right or wrong ones.
    target.select();
    b.log_in_at(&mut target);
    a.log_in_at(&mut target);
    assert_eq!(rights(&mut target), (0x9000, 0x6400));
    assert_eq!(target.status(&generate_p256(2, &[])), 0x6400);
    assert_eq!(target.status(&apdu(0x00, 0x48, 3, 0xB2, &[], Some(256))), 0x6581);
    assert_eq!(target.status(&apdu(0x80, 0x52, 4, 0, &[], Some(256))), 0x6985);
    target.login();
    assert_eq!(rights(&mut target), (0x9000, 0x9000));
    assert_eq!(target.status(&verify(0x81, b"000000")), 0x63C2);
    assert_eq!(rights(&mut target), (0x9000, 0x6400));
    // A session ends with a selection, a reset, a loss of power.
    target.card.reset();
    target.login();
    assert_eq!(rights(&mut target), (0x6982, 0x6982));
    assert_eq!(target.ok(&STATUS), [3, 0, 2, 0]);
}

/// Both holders sign the same challenge, as other cards demand.
#[test]
fn one_challenge_may_be_answered_by_each_key_once() {
    let (mut target, [mut a, mut b, _]) = guarded([0, 1]);
    let name = target.name();
    let number = challenge(&mut target, 32);
    target.ok(&choose(0xA4, &a.chr));
    let by_a = a.answer(&name, &number);
    target.ok(&by_a);
    assert_eq!(target.status(&by_a), 0x6985, "a second time");
    target.ok(&choose(0xA4, &b.chr));
    assert_eq!(target.status(&by_a), 0x6985, "in another's name");
    // That used the challenge up.
    let by_b = b.answer(&name, &number);
    assert_eq!(target.status(&by_b), 0x6985);
    // The first key stays authenticated across challenges.
    let number = challenge(&mut target, 8);
    let by_b = b.answer(&name, &number);
    target.ok(&by_b);
    assert_eq!(target.ok(&STATUS), [3, 0, 2, 2]);
    // Everything that was answered is worth nothing later.
    target.select();
    for (holder, old) in [(&a, &by_a), (&b, &by_b)] {
        target.ok(&choose(0xA4, &holder.chr));
        assert_eq!(target.status(old), 0x6985, "no challenge");
        challenge(&mut target, 8);
        assert_eq!(target.status(old), 0x6985, "another challenge");
    }
    // Too short or too long a challenge is none.
    for len in [1, 7, 257, 1024] {
        let number = challenge(&mut target, len);
        let late = a.answer(&name, &number);
        target.ok(&choose(0xA4, &a.chr));
        assert_eq!(target.status(&late), 0x6985, "{len}");
    }
}

#[test]
fn a_signature_must_be_for_this_device_and_by_a_registered_key() {
    let (mut target, [mut a, _, _]) = guarded([0, 1]);
    let name = target.name();
    assert_eq!(target.status(&answer(&[1; 64])), 0x6A88, "no key was chosen");
    for chr in [&a.chr[..a.chr.len() - 1], &format!("{}1", a.chr), "", "UTNONE00001"] {
        assert_eq!(target.status(&choose(0xA4, chr)), 0x6A88, "{chr}");
    }
    target.ok(&choose(0xA4, &a.chr));
    assert_eq!(target.status(&apdu(0x00, 0x82, 0, 0, &[], Some(256))), 0x6700);
    assert_eq!(target.status(&apdu(0x00, 0x82, 0, 1, &[1; 64], None)), 0x6A86);
    for wrong in [&name[..name.len() - 1], "UTOTHER00001", "", &format!("{name}\0")] {
        let number = challenge(&mut target, 8);
        let for_another = a.answer(wrong, &number);
        assert_eq!(target.status(&for_another), 0x6985, "{wrong}");
    }
    // The bare challenge, the challenge cut, another key, bytes of any length.
    let number = challenge(&mut target, 8);
    let cut = a.answer(&name, &number[..7]);
    assert_eq!(target.status(&cut), 0x6985);
    challenge(&mut target, 8);
    for len in [1, 2, 63, 64, 65, 132, 134, 600] {
        assert_eq!(target.status(&answer(&vec![0; len])), 0x6985);
        assert_eq!(target.status(&answer(&vec![0xFF; len])), 0x6985);
        challenge(&mut target, 8);
    }
    let number = challenge(&mut target, 8);
    let mut other = Holder::new(4);
    let by_another = other.answer(&name, &number);
    assert_eq!(target.status(&by_another), 0x6985);
    // Halves of r and s without leading zeros, or with more, are the same signature.
    let number = challenge(&mut target, 8);
    let signature = a.device.sign_raw(1, &[name.as_bytes(), &number].concat());
    let long = [&[0; 34], &signature[..32], &[0; 34], &signature[32..]].concat();
    target.ok(&answer(&long));
}

#[test]
fn a_session_of_the_so_never_uses_keys_even_with_all_holders_there() {
    let (mut target, [mut a, mut b, _]) = guarded([0, 1]);
    target.ok(&verify(0x88, SO_PIN));
    a.log_in_at(&mut target);
    b.log_in_at(&mut target);
    assert_eq!(rights(&mut target), (0x6982, 0x6982));
    assert_eq!(target.status(&apdu(0x80, 0x52, 4, 0, &[], Some(256))), 0x6985);
    target.login();
    assert_eq!(rights(&mut target), (0x9000, 0x9000));
}

#[test]
fn only_what_key_and_device_signed_is_registered() {
    let device = Signer::new("UTDEVI00001", Curve::P256).without_domain();
    let key = Signer::new("UTKEY00001", Curve::P256);
    let (mut target, _) = Device::blank();
    target.ok(&with_keys([0, 1], 2, 1, &[]));
    target.ok(&update(0xCA00, 0, &root().self_signed(ROOT)));
    let good = key.request(None, &device);
    assert_eq!(target.status(&register(&good)), 0x6A88, "no certificate was chosen");
    target.import(&root().issue_to(&device, DEVICE));
    target.ok(&choose(0xB6, &device.chr));
    let parsed = Request::parse(&good).unwrap();
    // Any byte changed, any end missing.
    for at in (4..good.len()).step_by(3) {
        let mut forged = good.clone();
        forged[at] ^= 0x01;
        let status = target.status(&apdu(0x80, 0x54, 0, 0, &forged[4..], Some(256)));
        assert!(matches!(status, 0x6985 | 0x6A80 | 0x6984 | 0x6700), "{at}: {status:04X}");
    }
    for len in 5..good.len() {
        let status = target.status(&apdu(0x80, 0x54, 0, 0, &good[4..len], Some(256)));
        assert_eq!(status, 0x6A80, "{len}");
    }
    // The inner signature by somebody else: the key's holder does not agree.
    let thief = Signer::new("UTTHIE00001", Curve::P256);
    let stolen = thief.issue(&key.chr, key.public_key(), None);
    assert_eq!(target.status(&register(&attest(&stolen, &device.chr, &device))), 0x6985);
    // The outer one by somebody else, under the device's name or their own.
    let inner = parsed.certificate.encoded;
    assert_eq!(target.status(&register(&attest(inner, &device.chr, &thief))), 0x6985);
    assert_eq!(target.status(&register(&attest(inner, &thief.chr, &thief))), 0x6985);
    // By the device, but in a name that is not the chosen one's, or by a key that attests itself.
    for name in ["UTDEVI0000", "UTDEVI000011", "UTROOT00001", ""] {
        assert_eq!(target.status(&register(&attest(inner, name, &device))), 0x6985, "{name}");
    }
    assert_eq!(target.status(&register(&attest(inner, &device.chr, &key))), 0x6985);
    // Another trusted certificate was chosen.
    target.ok(&choose(0xB6, "UTROOT00001"));
    assert_eq!(target.status(&register(&good)), 0x6985);
    target.ok(&choose(0xB6, &device.chr));
    // Keys that cannot sign a challenge.
    for unfit in [
        Signer::rsa("UTKEY00002", RsaPadding::Pss).hashing(common::pki::HASHES[4]),
        Signer::rsa("UTKEY00002", RsaPadding::Pkcs1).hashing(common::pki::HASHES[0]),
    ] {
        assert_eq!(target.status(&register(&unfit.request(None, &device))), 0x6985);
    }
    // Nor does a secret key, which has a request all the same.
    let public_key = PublicKey::Secret { bits: 256, identifier: Some(&[7; 16]) };
    let body = Body { car: b"UTKEY", public_key, chr: b"UTKEY00002", role: None, validity: None, extensions: None };
    let (mut written, mut secret) = ([0; 200], [0; 300]);
    let len = body.write(&mut written).unwrap();
    let len = write_certificate(&written[..len], &[0; 64], &mut secret).unwrap();
    assert_eq!(target.status(&register(&attest(&secret[..len], &device.chr, &device))), 0x6984);
    assert_eq!(target.ok(&STATUS), [2, 2, 1, 0], "nothing has been registered");
    // With its 67 as well as without.
    assert_eq!(target.ok(&apdu(0x80, 0x54, 0, 0, &good, Some(256))), [2, 1, 1, 0]);
    assert_eq!(target.status(&register(&good)), 0x6A89, "the same key twice");
    let renamed = thief_of_name(&key);
    assert_eq!(target.status(&register(&renamed.request(None, &device))), 0x6A89, "the same name twice");
    let again = Signer::new("UTKEY00001", Curve::P256).named("UTKEY00003");
    assert_eq!(target.status(&register(&again.request(None, &device))), 0x6A89, "the same key by another name");
    let rsa = Signer::rsa("UTRSA00001", RsaPadding::Pss);
    assert_eq!(target.ok(&register(&rsa.request(None, &device))), [2, 0, 1, 0]);
    let third = Signer::new("UTTHIR00001", Curve::P521);
    assert_eq!(target.status(&register(&third.request(None, &device))), 0x6A84, "no slot is left");
    // An RSA key logs in by its own padding.
    target.select();
    let number = challenge(&mut target, 8);
    target.ok(&choose(0xA4, &rsa.chr));
    let message = [target.name().as_bytes(), &number].concat();
    target.ok(&answer(&rsa.sign(&message)));
    assert_eq!(target.status(&update(0xCF01, 0, b"x")), 0x9000);
    // None of it is a file.
    for file in [0xE0C0, 0xE0C1, 0x10D0, 0x10C0] {
        assert_eq!(target.status(&read(file, 0)), 0x6A82);
        assert_eq!(target.status(&update(file, 0, b"x")), 0x6982);
        assert_eq!(target.status(&common::delete(file)), 0x6A82);
        assert_eq!(target.status(&common::select_file(file)), 0x6A82);
    }
}

fn thief_of_name(key: &Signer) -> Signer {
    Signer::new("UTTHIE00001", Curve::P384).named(&key.chr)
}

#[test]
fn registration_takes_a_pin_and_a_device_that_has_slots() {
    let device = Signer::new("UTDEVI00001", Curve::P256).without_domain();
    let key = Signer::new("UTKEY00001", Curve::P256);
    let request = key.request(None, &device);
    let (mut plain, _) = Device::initialised();
    assert_eq!(plain.status(&STATUS), 0x6A86);
    assert_eq!(plain.status(&register(&request)), 0x6A82);
    assert_eq!(plain.status(&choose(0xA4, &key.chr)), 0x6A88);
    let (mut target, _) = Device::blank();
    target.ok(&with_keys([0, 1], 1, 1, &[]));
    target.ok(&update(0xCA00, 0, &root().self_signed(ROOT)));
    target.select();
    assert_eq!(target.status(&register(&request)), 0x6982);
    // The SO may register, too.
    target.ok(&verify(0x88, SO_PIN));
    target.import(&root().issue_to(&device, DEVICE));
    target.ok(&choose(0xB6, &device.chr));
    for (p1, p2) in [(0, 1), (2, 0), (3, 0)] {
        assert_eq!(target.status(&apdu(0x80, 0x54, p1, p2, &content(&request), Some(256))), 0x6A86);
    }
    assert_eq!(target.ok(&register(&request)), [1, 0, 1, 0]);
    // Impossible numbers, and keys that would shut the owner out.
    let (mut blank, _) = Device::blank();
    for (total, required) in [(9, 1), (2, 3), (2, 0), (0, 0)] {
        assert_eq!(blank.status(&with_keys([0, 1], total, required, &[])), 0x6A80);
    }
    let without_so = [tlv(&[0x81], USER_PIN), tlv(&[0x93], &[1, 1])].concat();
    assert_eq!(blank.status(&apdu(0x80, 0x50, 0, 0, &without_so, None)), 0x6A80);
}

#[test]
fn a_key_is_replaced_by_its_user_where_the_options_say_so() {
    let (mut target, [mut a, mut b, c]) = guarded([0, 1]);
    let newcomer = Holder::new(5);
    a.log_in_at(&mut target);
    b.log_in_at(&mut target);
    target.login();
    newcomer.introduce_to(&mut target);
    assert_eq!(target.status(&replace(2, &newcomer.request)), 0x6985, "without option 0008");

    let (mut target, [mut a, mut b, mut c2]) = guarded([0, 9]);
    target.login();
    newcomer.introduce_to(&mut target);
    assert_eq!(target.status(&replace(2, &newcomer.request)), 0x6982, "with the PIN alone");
    a.log_in_at(&mut target);
    assert_eq!(target.status(&replace(2, &newcomer.request)), 0x6982, "with one of two");
    b.log_in_at(&mut target);
    assert_eq!(target.status(&replace(3, &newcomer.request)), 0x6A86);
    c.introduce_to(&mut target);
    assert_eq!(target.status(&replace(0, &c.request)), 0x6A89, "a key that is registered");
    newcomer.introduce_to(&mut target);
    // Replacing the key of somebody who is logged in logs them out, and the user with them.
    assert_eq!(target.ok(&replace(0, &newcomer.request)), [3, 0, 2, 1]);
    assert_eq!(rights(&mut target), (0x6982, 0x6982));
    assert_eq!(target.status(&choose(0xA4, &a.chr)), 0x6A88);
    c2.log_in_at(&mut target);
    assert_eq!(rights(&mut target), (0x9000, 0x9000));
}

#[test]
fn the_session_that_initialises_is_its_users_until_the_next_selection() {
    let (mut target, _) = Device::blank();
    target.ok(&with_keys([0, 1], 2, 2, &[]));
    target.ok(&generate_p256(1, &[]));
    target.login();
    assert_eq!(rights(&mut target), (0x9000, 0x9000));
    target.select();
    target.login();
    assert_eq!(rights(&mut target), (0x6982, 0x6982));
    // With a transport PIN not even that session is.
    target.ok(&with_keys([0, 3], 2, 2, &[]));
    assert_eq!(rights(&mut target), (0x6982, 0x6982));
}

#[test]
fn holders_may_initialise_and_nothing_of_theirs_is_left_after_it() {
    let (mut target, [mut a, mut b, _]) = guarded([0, 1]);
    let without_officer = [tlv(&[0x80], &[0, 1]), tlv(&[0x81], b"new-pin"), tlv(&[0x82], b"new-officer")].concat();
    let initialise = apdu(0x80, 0x50, 0, 0, &without_officer, None);
    // With another SO-PIN than the current one.
    a.log_in_at(&mut target);
    assert_eq!(target.status(&initialise), 0x63CE);
    b.log_in_at(&mut target);
    target.ok(&initialise);
    assert_eq!(target.status(&STATUS), 0x6A86);
    target.select();
    target.ok(&verify(0x81, b"new-pin"));
    target.ok(&update(0xCF01, 0, b"x"));
    // Keys registered before are not there after.
    target.select();
    target.ok(&verify(0x88, b"new-officer"));
    target.ok(&with_keys([0, 1], 3, 2, &[]));
    assert_eq!(target.ok(&STATUS), [3, 3, 2, 0]);
    assert_eq!(target.status(&choose(0xA4, &a.chr)), 0x6A88);
}

/// What keys did through the secure channel is worth nothing outside it: somebody on the line could go on in their name.
#[test]
fn keys_that_answer_through_the_channel_are_logged_out_with_it() {
    use common::host::Host;
    let (mut target, [mut a, mut b, _]) = guarded([0, 1]);
    let name = target.name();
    let mut host = Host::open(&mut target);
    for holder in [&mut a, &mut b] {
        host.ok(&mut target, [0x00, 0x22, 0x81, 0xA4], &tlv(&[0x83], holder.chr.as_bytes()));
        let (challenge, _) = host.send(&mut target, [0x00, 0x84, 0, 0], &[], 8);
        let signature = holder.device.sign_raw(1, &[name.as_bytes(), &challenge].concat());
        host.ok(&mut target, [0x00, 0x82, 0, 0], &signature);
    }
    let write = [tlv(&[0x54], &[0, 0]), tlv(&[0x53], b"x")].concat();
    host.ok(&mut target, [0x00, 0xD7, 0xCF, 0x01], &write);
    assert_eq!(host.ok(&mut target, [0x80, 0x54, 0, 0], &[]), [3, 0, 2, 2]);
    // The answer 9001 travels inside.
    let (chr, status) = host.send(&mut target, [0x80, 0x54, 2, 1], &[], 256);
    assert_eq!((chr.as_slice(), status), (b.chr.as_bytes(), 0x9001));
    assert_eq!(target.ok(&STATUS), [3, 0, 2, 0]);
    assert_eq!(target.status(&update(0xCF01, 0, b"x")), 0x6982);
    // What they did in the clear a channel does not disturb, and a wrong message in it neither.
    a.log_in_at(&mut target);
    b.log_in_at(&mut target);
    let mut host = Host::open(&mut target);
    host.ok(&mut target, [0x00, 0xD7, 0xCF, 0x01], &write);
    target.ok(&update(0xCF01, 0, b"x"));
    // A selection inside the channel ends the session.
    host.ok(&mut target, [0x00, 0xA4, 0x04, 0x00], common::AID);
    assert_eq!(host.ok(&mut target, [0x80, 0x54, 0, 0], &[]), [3, 0, 2, 0]);
}
