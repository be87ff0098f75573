//! Key domains whose members agree on the key that wraps others: the published vector, two devices, and peers that are none.

mod common;

use common::pki::{ISSUER, ROOT, Signer, attest, choose};
use common::{Device, SO_PIN, USER_PIN, apdu, delete, generate_p256, read, sign, tlv, update, verify};
use ferrite_card::Presence;
use ferrite_crypto::ec::{Curve, PrivateKey};
use ferrite_proto::cvc::{Certificate, Extensions, PublicKey, Request};

/// The specification's vector V5.
const DEVICE_SCALAR: [u8; 32] = scalar(0x55);
const V5_DEVICE_CERTIFICATE: &str = "7F2181B47F4E6E5F29010042095554445630303030317F494F060A04007F0007020202020386410407318731C843B0B4ACD788DF9FE01D469EA042A4F986BFA1\
    D6E41907630FC170C3CB1174C53C48532094CF87D8C7700BD270D2812491C1FF4B6D5AEA9D4D61D65F200A555444455630303030315F3740B49B64172DF733C9\
    15AEFF0059C71FB1D4107818F4FEF207FAC3A221FA6883D9EDE0A577F28479787CD06B7F24D483DDAC7976A11B31B4CE22583FE2A91F123E";
const V5_MEMBERSHIP: &str = "7F218201877F4E82013F5F290100420A555447525030303030317F4982011D060A04007F000702020202038120A9FB57DBA1EEA9BC3E660A909D838D726E3BF6\
    23D52620282013481D1F6E537782207D5A0975FC2C3057EEF67530417AFFE7FB8055C126DC5C6CE94A4B44F330B5D9832026DC5C6CE94A4B44F330B5D9BBD77C\
    BF958416295CF7E1CE6BCCDC18FF8C07B68441048BD2AEB9CB7E57CB2C4B482FFC81B7AFB9DE27E1E3BD23C23A4453BD9ACE3262547EF835C3DAC4FD97F8461A\
    14611DC9C27745132DED8E545C1D54C72F0469978520A9FB57DBA1EEA9BC3E660A909D838D718C397AA3B561A6F7901E0E82974856A7864104899EEEE3B1D3A2\
    2B0926E4A7FAD7E4B4643DD93B6FE258B6ABCF80105E799DB50AE6033386573ADD6700471A232BA35CE1EF7790A349D6C146978760B78CA4F28701015F200A55\
    5447525030303030315F37403A774C1ECA6E34E0CEBC1716E8C2665752C26DC6167A118C19F5BCF6D5D434E34566895DF823421A386F2AF115457DE6BC8F6C1F\
    48F5263C6D3ACA5F1F3268CA54409D58177F5CC13A85EB13001D201E3EB90AF8F1F6C35624FD174D5D516C12029D94CDC0461E9A99E654602109D381451F1013\
    6CBE25504D983C17637E394B7E8B";
const V5_UID: &str = "899EEEE3B1D3A22B0926E4A7FAD7E4B4643DD93B6FE258B6ABCF80105E799DB50AE6033386573ADD6700471A232BA35CE1EF7790A349D6C146978760B78CA4F2";
const V5_PEER: &str = "7F218201DA7F4E8201925F290100420A555450454530303030317F4982011D060A04007F000702020202038120A9FB57DBA1EEA9BC3E660A909D838D726E3BF6\
    23D52620282013481D1F6E537782207D5A0975FC2C3057EEF67530417AFFE7FB8055C126DC5C6CE94A4B44F330B5D9832026DC5C6CE94A4B44F330B5D9BBD77C\
    BF958416295CF7E1CE6BCCDC18FF8C07B68441048BD2AEB9CB7E57CB2C4B482FFC81B7AFB9DE27E1E3BD23C23A4453BD9ACE3262547EF835C3DAC4FD97F8461A\
    14611DC9C27745132DED8E545C1D54C72F0469978520A9FB57DBA1EEA9BC3E660A909D838D718C397AA3B561A6F7901E0E82974856A78641049806CA47A727A0\
    D689195FDCC3B5E42E2303CEFCC503252E4AFBAF3ED8CF457477A5A2BFE61BBE72ED6733DD95829A8BFA89A885242AF4F6739DEE5BACAA8C668701015F200A55\
    5450454530303030316551734F060B2B0601040181C31F0302028040899EEEE3B1D3A22B0926E4A7FAD7E4B4643DD93B6FE258B6ABCF80105E799DB50AE60333\
    86573ADD6700471A232BA35CE1EF7790A349D6C146978760B78CA4F25F3740068FB2EB2E12439E3131E1CCBB61817B55D7FCEA72DEF2C1E05E7CA7CC799FC506\
    DF5A67CCEBBADE4A8333F23DDF350769D972A5C30BD56F183BAE2F5DA76868";

const fn scalar(byte: u8) -> [u8; 32] {
    let mut scalar = [0; 32];
    let mut at = 16;
    while at < 32 {
        scalar[at] = byte;
        at += 1;
    }
    scalar
}

fn key_domain(p1: u8, domain: u8, data: &[u8]) -> Vec<u8> {
    apdu(0x80, 0x52, p1, domain, data, Some(256))
}

fn exchange(key: u8, peer: &[u8]) -> Vec<u8> {
    apdu(0x80, 0x62, key, 0x84, peer, Some(256))
}

fn wrap(key: u8) -> Vec<u8> {
    apdu(0x80, 0x72, key, 0x92, &[], Some(65536))
}

fn unwrap(key: u8, blob: &[u8]) -> Vec<u8> {
    apdu(0x80, 0x74, key, 0x93, blob, None)
}

fn initialised(number: u8) -> Device {
    on_flash(number).0
}

fn on_flash(number: u8) -> (Device, ferrite_store::testing::SharedFlash) {
    let (mut device, flash) = Device::numbered(number);
    let data = [tlv(&[0x80], &[0, 1]), tlv(&[0x81], USER_PIN), tlv(&[0x82], SO_PIN), tlv(&[0x97], &[2])].concat();
    device.ok(&apdu(0x80, 0x50, 0, 0, &data, None));
    device.select();
    (device, flash)
}

/// A device whose key and certificate are those of the vector, with the user logged in.
fn of_the_vector() -> (Device, ferrite_store::testing::SharedFlash) {
    let (mut device, flash) = on_flash(1);
    device.login();
    ferrite_card::testing::plant_device_key(&mut device.card, &DEVICE_SCALAR).unwrap();
    device.ok(&update(0x2F02, 0, &hex::decode(V5_DEVICE_CERTIFICATE).unwrap()));
    (device, flash)
}

#[test]
fn the_published_exchange_comes_to_the_published_key() {
    let (mut device, flash) = of_the_vector();
    let membership = hex::decode(V5_MEMBERSHIP).unwrap();
    assert_eq!(hex::encode_upper(device.ok(&key_domain(2, 0, &[]))), "FF000000000000000000");
    let uid_and = |head: &str| format!("{head}{V5_UID}");
    assert_eq!(hex::encode_upper(device.ok(&key_domain(2, 0, &membership))), uid_and("FF000000000000000000"));
    assert_eq!(hex::encode_upper(device.ok(&key_domain(0, 0, &[]))), uid_and("FF000000000000000000"));
    ferrite_card::testing::plant_exchange_key(&mut device.card, 5, Curve::BrainpoolP256r1, &scalar(0x66), 0).unwrap();
    assert_eq!(device.ok(&exchange(5, &hex::decode(V5_PEER).unwrap())), []);
    assert_eq!(hex::encode_upper(device.ok(&key_domain(0, 0, &[]))), uid_and("FF00F312425D95F62FEF"));
    // And the key is what the vector says: it opens what was wrapped under it.
    let agreed = hex::decode("699525E8C9F251066F5ED55A5CD5F33E6327F6806E79C225397D0678E0CC5133").unwrap();
    assert!(!flash.lock().bytes().windows(16).any(|window| agreed.windows(16).any(|part| part == window)));
    device.ok(&generate_p256(1, &tlv(&[0x92], &[0])));
    let blob = device.ok(&wrap(1));
    let mut other = initialised(2);
    other.login();
    other.ok(&key_domain(1, 1, &[1]));
    other.ok(&key_domain(0, 1, &agreed));
    other.ok(&unwrap(9, &blob));
    // The other member comes to the same: own and peer's key exchanged.
    let (uid, own) =
        (hex::decode(V5_UID).unwrap(), PrivateKey::from_bytes(Curve::BrainpoolP256r1, &scalar(0x66)).unwrap());
    let own = Signer::with("UTOWNK00001", own);
    let other_side = own.request(Some(&extension(&uid)), &own);
    ferrite_card::testing::plant_exchange_key(&mut device.card, 6, Curve::BrainpoolP256r1, &scalar(0x77), 0).unwrap();
    device.ok(&exchange(6, &other_side));
    assert_eq!(hex::encode_upper(device.ok(&key_domain(0, 0, &[]))), uid_and("FF00F312425D95F62FEF"));
}

fn extension(uid: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 200];
    let len = Extensions { key_domain: Some(uid), ..Extensions::default() }.write(&mut out).unwrap();
    out.truncate(len);
    out
}

fn group() -> Signer {
    Signer::new("UTGRUP00001", Curve::BrainpoolP256r1)
}

/// GENERATE ASYMMETRIC KEY PAIR on brainpoolP256r1 for exchanges in a domain.
fn generate_exchange_key(key: u8, curve: Curve, attributes: &[u8]) -> Vec<u8> {
    let domain = curve.domain();
    let oid = hex::decode("04007F00070202020203").unwrap();
    let template = [tlv(&[0x06], &oid), tlv(&[0x81], domain.prime), tlv(&[0x82], domain.a), tlv(&[0x83], domain.b)];
    apdu(0x00, 0x46, key, 0, &[tlv(&[0x7F, 0x49], &template.concat()), attributes.to_vec()].concat(), Some(65536))
}

fn for_exchange(domain: u8) -> Vec<u8> {
    [tlv(&[0x91], &[0x84]), tlv(&[0x92], &[domain])].concat()
}

/// A member of the group in a domain, with an exchange key 1 and its request.
fn member(number: u8, domain: u8) -> (Device, Vec<u8>) {
    let mut device = initialised(number);
    device.login();
    let data = device.membership(&group());
    device.ok(&key_domain(2, domain, &data));
    let request = device.ok(&generate_exchange_key(1, Curve::BrainpoolP256r1, &for_exchange(domain)));
    (device, request)
}

#[test]
fn two_members_agree_and_keys_go_from_one_to_the_other() {
    let (mut ours, our_request) = member(1, 0);
    let (mut theirs, their_request) = member(2, 1);
    let uid = Request::parse(&our_request).unwrap().certificate.body.extensions.unwrap().to_vec();
    let uid = Extensions::parse(&uid).unwrap().key_domain.unwrap().to_vec();
    assert_eq!(ours.ok(&key_domain(0, 0, &[]))[10..], uid);
    assert_eq!(theirs.ok(&key_domain(0, 1, &[]))[10..], uid);
    // Nothing leaves before they have agreed.
    ours.ok(&generate_p256(2, &tlv(&[0x92], &[0])));
    assert_eq!(ours.status(&wrap(2)), 0x6A88);
    ours.ok(&exchange(1, &their_request));
    // The bare certificate of a request is as good: no chain was installed here.
    let bare = Request::parse(&our_request).unwrap().certificate.encoded.to_vec();
    theirs.ok(&exchange(1, &bare));
    let (our_state, their_state) = (ours.ok(&key_domain(0, 0, &[])), theirs.ok(&key_domain(0, 1, &[])));
    assert_eq!(our_state, their_state);
    assert_ne!(our_state[2..10], [0; 8]);
    let blob = ours.ok(&wrap(2));
    theirs.ok(&unwrap(7, &blob));
    theirs.ok(&sign(7, 0x73, b"m"));
    let (a, b) = (ours.ok(&read(0xCE02, 0)), theirs.ok(&read(0xCE07, 0)));
    let point = |request: &[u8]| match Request::parse(request).unwrap().certificate.body.public_key {
        PublicKey::Ec { point, .. } => point.to_vec(),
        _ => panic!("no EC key"),
    };
    assert_eq!(point(&a), point(&b));
    // It survives the session, and shows without a login.
    ours.card.reset();
    assert_eq!(ours.ok(&key_domain(0, 0, &[])), our_state);
    ours.login();
    assert_eq!(ours.ok(&wrap(2))[..8], our_state[2..10]);
    // Cleared, the domain keeps its name and waits for another exchange; a key in it keeps it from being deleted.
    let cleared = ours.ok(&key_domain(4, 0, &[]));
    assert_eq!((&cleared[..10], &cleared[10..]), (&[0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0][..], &uid[..]));
    assert_eq!(ours.ok(&key_domain(0, 0, &[]))[..2], [0xFF, 0]);
    assert_eq!(ours.status(&wrap(2)), 0x6A88);
    assert_eq!(ours.status(&key_domain(0, 0, &[1; 32])), 0x6986, "no share fits");
    assert_eq!(ours.status(&key_domain(1, 0, &[1])), 0x6A86);
    assert_eq!(ours.status(&key_domain(3, 0, &[])), 0x6A89);
    ours.ok(&exchange(1, &their_request));
    assert_eq!(ours.ok(&key_domain(0, 0, &[])), our_state);
    for key in [1, 2] {
        ours.ok(&delete(0xCC00 | key));
    }
    assert_eq!(ours.status(&key_domain(3, 0, &[])), 0x6A88, "deleted");
    assert_eq!(ours.status(&key_domain(0, 0, &[])), 0x6A88);
    assert_eq!(ours.status(&unwrap(3, &blob)), 0x6400);
    let data = ours.membership(&group());
    assert_eq!(ours.ok(&key_domain(2, 0, &data))[..10], [0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0], "nothing old comes back");
}

#[test]
fn only_the_user_joins_and_only_with_the_groups_signature_for_this_device() {
    let mut device = initialised(1);
    let mut other = initialised(2);
    let good = device.membership(&group());
    let for_another = other.membership(&group());
    assert_eq!(device.status(&key_domain(2, 0, &good)), 0x6985, "nobody is logged in");
    device.ok(&verify(0x88, SO_PIN));
    assert_eq!(device.status(&key_domain(2, 0, &good)), 0x6985, "the SO is");
    device.login();
    let refuse = |device: &mut Device, data: &[u8], expected: u16| {
        assert_eq!(device.status(&key_domain(2, 0, data)), expected);
        assert_eq!(device.status(&key_domain(0, 0, &[])), 0x6A88, "nothing was created");
    };
    refuse(&mut device, &for_another, 0x6985);
    let signer = group().self_signed(None);
    refuse(&mut device, &signer, 0x6700);
    let signature = good[signer.len()..].to_vec();
    // A group whose certificate is not signed by its own key: somebody else's point in the same name.
    let group_key = group();
    let forged = Signer::new("UTFORG00001", Curve::BrainpoolP256r1).named(&group_key.chr);
    refuse(&mut device, &[forged.issue_to(&group_key, None), signature.clone()].concat(), 0x6985);
    refuse(&mut device, &[forged.self_signed(None), signature.clone()].concat(), 0x6985);
    for at in [5, signer.len() / 2, signer.len() - 1, good.len() - 1] {
        let mut damaged = good.clone();
        damaged[at] ^= 1;
        assert!(matches!(device.status(&key_domain(2, 0, &damaged)), 0x6985 | 0x6A80 | 0x6700), "{at}");
    }
    // An RSA key names no domain.
    let rsa = Signer::rsa("UTGRUP00002", ferrite_proto::cvc::RsaPadding::Pkcs1);
    let data = device.membership(&rsa);
    refuse(&mut device, &data, 0x6985);
    // A certificate in 2F02 that is of another device's key makes this one a member of nothing.
    let own = device.ok(&read(0x2F02, 0));
    let theirs = other.ok(&read(0x2F02, 0));
    device.ok(&update(0x2F02, 0, &theirs));
    refuse(&mut device, &for_another, 0x6400);
    refuse(&mut device, &good, 0x6400);
    device.ok(&update(0x2F02, 0, &own));
    device.ok(&key_domain(2, 0, &good));
    assert_eq!(device.status(&key_domain(2, 0, &good)), 0x6A86, "it is a member already");
    // Neither may a domain with shares be taken over, nor one that does not exist be made.
    device.ok(&key_domain(1, 1, &[2]));
    assert_eq!(device.status(&key_domain(2, 1, &good)), 0x6A86);
    assert_eq!(device.status(&key_domain(2, 2, &good)), 0x6A86);
    assert_eq!(device.status(&key_domain(2, 16, &good)), 0x6B00);
    for file in [0xE0D0, 0xE090, 0x1070, 0x1090] {
        assert_eq!(device.status(&read(file, 0)), 0x6A82);
    }
}

#[test]
fn exchange_keys_are_made_in_a_domain_of_a_group_only() {
    let (mut device, _) = member(1, 0);
    let list = tlv(&[0x91], &[0x84]);
    assert_eq!(device.status(&generate_exchange_key(2, Curve::BrainpoolP256r1, &list)), 0x6700, "no domain is named");
    assert_eq!(device.status(&generate_exchange_key(2, Curve::P256, &for_exchange(1))), 0x6700, "not of a group");
    assert_eq!(device.status(&generate_exchange_key(2, Curve::P256, &for_exchange(9))), 0x6A88, "no such domain");
    for curve in Curve::ALL.iter().copied().filter(|curve| curve.domain().prime.len() != 32) {
        assert_eq!(device.status(&generate_exchange_key(2, curve, &for_exchange(0))), 0x6A81, "{curve:?}");
    }
    // A key without that entry is none, wherever it is.
    device.ok(&generate_exchange_key(2, Curve::BrainpoolP256r1, &tlv(&[0x91], &[0x73])));
    let (_, peer) = member(2, 0);
    assert_eq!(device.status(&exchange(2, &peer)), 0x6985);
    device.ok(&generate_exchange_key(3, Curve::BrainpoolP256r1, &[]));
    assert_eq!(device.status(&exchange(3, &peer)), 0x9000, "without a list domain 0 is its own");
    assert_eq!(device.status(&exchange(9, &peer)), 0x6A82);
}

#[test]
fn a_peer_that_cannot_show_who_it_is_agrees_on_nothing() {
    let (mut device, _) = member(1, 0);
    let uid = device.ok(&key_domain(0, 0, &[]))[10..].to_vec();
    let before = device.ok(&key_domain(0, 0, &[]));
    let peer = Signer::new("UTPEER00001", Curve::BrainpoolP256r1);
    let thief = Signer::new("UTTHIE00001", Curve::BrainpoolP256r1);
    let good = peer.request(Some(&extension(&uid)), &peer);
    let inner = |good: &[u8]| Request::parse(good).unwrap().certificate.encoded.to_vec();
    let mut refuse = |data: &[u8], expected: u16, what: &str| {
        assert_eq!(device.status(&exchange(1, data)), expected, "{what}");
        assert_eq!(device.ok(&key_domain(0, 0, &[])), before, "{what}");
    };
    refuse(&[], 0x6984, "nothing");
    refuse(&[1, 2, 3], 0x6984, "no certificate");
    let mut forged = inner(&good);
    *forged.last_mut().unwrap() ^= 1;
    refuse(&forged, 0x6985, "a damaged signature");
    let parsed = Request::parse(&good).unwrap();
    refuse(&thief.certify(&parsed.certificate.body), 0x6985, "the signature of another");
    let without = peer.request(None, &peer);
    refuse(&without, 0x6700, "no domain");
    let other_uid = [&uid[1..], &uid[..1]].concat();
    refuse(&peer.request(Some(&extension(&other_uid)), &peer), 0x6A88, "another domain");
    refuse(&peer.request(Some(&extension(&uid[..63])), &peer), 0x6A88, "the start of this domain's name");
    refuse(&peer.request(Some(&extension(&[])), &peer), 0x6A88, "an empty name");
    let p256 = Signer::new("UTPEER00001", Curve::P256);
    refuse(&p256.request(Some(&extension(&uid)), &p256), 0x6400, "a key on another curve");
    // A point that is not on the curve.
    let mut off = inner(&good);
    let PublicKey::Ec { point, .. } = parsed.certificate.body.public_key else { panic!("no EC key") };
    let at = off.windows(65).position(|window| window == point).unwrap();
    off[at + 64] ^= 1;
    refuse(&off, 0x6400, "a point off the curve");
    off[at] = 2;
    refuse(&off, 0x6984, "no point");
    device.ok(&exchange(1, &good));
    assert_ne!(device.ok(&key_domain(0, 0, &[])), before);
    // A use counts, a failure does not; the SO does not use keys, nor does anybody unless present if the options say so.
    device.ok(&verify(0x88, SO_PIN));
    assert_eq!(device.status(&exchange(1, &good)), 0x6982);
    device.card.reset();
    assert_eq!(device.status(&exchange(1, &good)), 0x6982);
}

#[test]
fn a_key_of_one_domain_does_not_set_the_key_of_another() {
    let (mut device, _) = member(1, 0);
    // The same device is a member of a second group.
    let second = Signer::new("UTGRUP00002", Curve::P256);
    let data = device.membership(&second);
    device.ok(&key_domain(2, 1, &data));
    device.ok(&generate_exchange_key(2, Curve::BrainpoolP256r1, &for_exchange(1)));
    let states = [0, 1].map(|domain| device.ok(&key_domain(0, domain, &[])));
    let peer = Signer::new("UTPEER00001", Curve::BrainpoolP256r1);
    for (key, other) in [(1, 1), (2, 0)] {
        let request = peer.request(Some(&extension(&states[other][10..])), &peer);
        assert_eq!(device.status(&exchange(key, &request)), 0x6A88);
    }
    assert_eq!([0, 1].map(|domain| device.ok(&key_domain(0, domain, &[]))), states);
    device.ok(&exchange(2, &peer.request(Some(&extension(&states[1][10..])), &peer)));
    assert_eq!(device.ok(&key_domain(0, 0, &[])), states[0]);
}

#[test]
fn with_press_to_confirm_nobody_agrees_on_anything_unseen() {
    let (mut device, _) = Device::blank();
    let data = [tlv(&[0x80], &[1, 1]), tlv(&[0x81], USER_PIN), tlv(&[0x82], SO_PIN), tlv(&[0x97], &[1])].concat();
    device.ok(&apdu(0x80, 0x50, 0, 0, &data, None));
    let data = device.membership(&group());
    device.ok(&key_domain(2, 0, &data));
    device.ok(&generate_exchange_key(
        1,
        Curve::BrainpoolP256r1,
        &[for_exchange(0), tlv(&[0x90], &[0, 0, 0, 1])].concat(),
    ));
    let uid = device.ok(&key_domain(0, 0, &[]))[10..].to_vec();
    let peer = Signer::new("UTPEER00001", Curve::BrainpoolP256r1);
    let request = peer.request(Some(&extension(&uid)), &peer);
    device.card.platform().presence = Presence::Refused;
    assert_eq!(device.status(&exchange(1, &request)), 0x6600);
    device.card.platform().presence = Presence::Confirmed;
    device.ok(&exchange(1, &request));
    assert_eq!(device.status(&exchange(1, &request)), 0x6A84, "its one use was that");
}

/// Where certificates come from an authority, a peer's key must be attested by a device with one.
#[test]
fn below_an_authority_peers_are_attested_by_devices_of_it() {
    let root = Signer::new("UTROOT00001", Curve::P256);
    let issuer = Signer::new("UTISSU00001", Curve::P256).without_domain();
    let above = [root.issue_to(&issuer, ISSUER), root.self_signed(ROOT)];
    let enrolled = |number: u8| {
        let mut device = initialised(number);
        let certificate = device.enrol(&format!("UTMEMB{number:03}00001"), &issuer, &above);
        device.login();
        let data = device.membership(&group());
        device.ok(&key_domain(2, 0, &data));
        let request = device.ok(&generate_exchange_key(1, Curve::BrainpoolP256r1, &for_exchange(0)));
        (device, certificate, request)
    };
    let (mut ours, our_certificate, our_request) = enrolled(1);
    let (mut theirs, their_certificate, their_request) = enrolled(2);
    let before = ours.ok(&key_domain(0, 0, &[]));
    let bare = Request::parse(&their_request).unwrap().certificate.encoded.to_vec();
    assert_eq!(ours.status(&exchange(1, &bare)), 0x6985, "nobody attests it");
    assert_eq!(ours.status(&exchange(1, &their_request)), 0x6A88, "nobody knows who attests it");
    ours.import(&their_certificate);
    // A key that its host made, in the name of a device that is known.
    let uid = before[10..].to_vec();
    let software = Signer::new("UTSOFT00001", Curve::BrainpoolP256r1);
    let own = software.request(Some(&extension(&uid)), &software);
    assert_eq!(ours.status(&exchange(1, &own)), 0x6A88);
    let inner = Request::parse(&own).unwrap().certificate.encoded.to_vec();
    assert_eq!(ours.status(&exchange(1, &attest(&inner, "UTMEMB00200001", &software))), 0x6985);
    // Even the device's own certificate does not help a self-made one.
    let (parsed, _) = Certificate::parse(&our_certificate).unwrap();
    assert_eq!(parsed.body.chr, b"UTMEMB00100001");
    assert_eq!(ours.status(&exchange(1, &attest(&inner, "UTMEMB00100001", &software))), 0x6985);
    // A key that others may have: what is agreed on with it would be known to them.
    ferrite_card::testing::plant_exchange_key(&mut theirs.card, 5, Curve::BrainpoolP256r1, &scalar(0x77), 0).unwrap();
    let imported = theirs.ok(&read(0xCE05, 0));
    assert_eq!(ours.status(&exchange(1, &imported)), 0x6985);
    assert_eq!(ours.ok(&key_domain(0, 0, &[])), before);
    ours.ok(&exchange(1, &their_request));
    theirs.ok(&choose(0xB6, &issuer.chr));
    theirs.import(&our_certificate);
    theirs.ok(&exchange(1, &our_request));
    assert_eq!(ours.ok(&key_domain(0, 0, &[])), theirs.ok(&key_domain(0, 0, &[])));
}
