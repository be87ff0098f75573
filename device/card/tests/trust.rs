//! Certificates that the card trusts: what the user wrote, what those issued, and nothing else.

mod common;

use common::pki::{DEVICE, HASHES, ISSUER, ROOT, Signer, choose, verify_certificate};
use common::{Device, SO_PIN, apdu, generate_p256, initialize, read, tlv, update, verify};
use ferrite_crypto::ec::Curve;
use ferrite_proto::cvc::{Body, Certificate, PublicKey, Request, Role, RsaPadding, SignatureHash, Validity};

/// A logged-in device whose user trusts a root.
fn trusting(root: &[u8]) -> Device {
    let (mut device, _) = Device::initialised();
    device.login();
    device.ok(&update(0xCA00, 0, root));
    device
}

#[test]
fn what_a_trusted_root_issued_is_believed_down_the_chain() {
    let root = Signer::new("UTROOT00001", Curve::BrainpoolP256r1);
    // Below the root nobody names the curve.
    let issuer = Signer::new("UTISSU00001", Curve::BrainpoolP256r1).without_domain();
    let leaf = Signer::new("UTDEVI00001", Curve::BrainpoolP256r1).without_domain();
    let mut device = trusting(&root.self_signed(ROOT));
    assert_eq!(device.status(&choose(0xB6, &issuer.chr)), 0x6A88);
    device.ok(&choose(0xB6, &root.chr));
    device.ok(&verify_certificate(&root.issue_to(&issuer, ISSUER)));
    device.ok(&choose(0xB6, &issuer.chr));
    // With its 7F21 this time, and by the other values of P2.
    for p2 in [0x92, 0xAE, 0xBE] {
        device.ok(&apdu(0x00, 0x2A, 0x00, p2, &issuer.issue_to(&leaf, DEVICE), None));
    }
    device.ok(&choose(0xB6, &leaf.chr));
    // Until the session ends.
    device.select();
    device.login();
    assert_eq!(device.status(&choose(0xB6, &leaf.chr)), 0x6A88);
    assert_eq!(device.status(&choose(0xB6, &issuer.chr)), 0x6A88);
    device.ok(&choose(0xB6, &root.chr));
}

/// The same with an issuer that the user wrote, too, so that the curve is found from file to file.
#[test]
fn the_curve_is_looked_for_upwards_through_the_files() {
    let root = Signer::new("UTROOT00001", Curve::P384);
    let [first, second] = ["UTISSU00001", "UTISSU00002"].map(|chr| Signer::new(chr, Curve::P384).without_domain());
    let leaf = Signer::new("UTDEVI00001", Curve::P384).without_domain();
    let (mut device, _) = Device::initialised();
    device.login();
    device.ok(&update(0xCA07, 0, &second_chain(&root, &first, &second)));
    device.ok(&choose(0xB6, &second.chr));
    // The root is not there yet: nobody knows the curve.
    assert_eq!(device.status(&verify_certificate(&second.issue_to(&leaf, DEVICE))), 0x6984);
    device.ok(&update(0xCAFF, 0, &root.self_signed(ROOT)));
    device.ok(&verify_certificate(&second.issue_to(&leaf, DEVICE)));
    // Two that point at each other lead nowhere, and to an end.
    let [a, b] = ["UTLOOP00001", "UTLOOP00002"].map(|chr| Signer::new(chr, Curve::P384).without_domain());
    device.ok(&update(0xCA08, 0, &[a.issue_to(&b, ISSUER), b.issue_to(&a, ISSUER)].concat()));
    device.ok(&choose(0xB6, &a.chr));
    assert_eq!(device.status(&verify_certificate(&a.issue_to(&leaf, DEVICE))), 0x6984);
}

fn second_chain(root: &Signer, first: &Signer, second: &Signer) -> Vec<u8> {
    [first.issue_to(second, ISSUER), root.issue_to(first, ROOT)].concat()
}

#[test]
fn every_algorithm_is_verified_and_a_wrong_signature_never_believed() {
    let mut issuers = Vec::new();
    for hash in HASHES {
        for curve in Curve::ALL {
            issuers.push(Signer::new("UTROOT00001", *curve).hashing(hash));
        }
        for padding in [RsaPadding::Pkcs1, RsaPadding::Pss] {
            if matches!(hash.0, SignatureHash::Sha1 | SignatureHash::Sha256 | SignatureHash::Sha512) {
                issuers.push(Signer::rsa("UTROOT00001", padding).hashing(hash));
            }
        }
    }
    let leaf = Signer::new("UTDEVI00001", Curve::P256);
    let (mut device, _) = Device::initialised();
    for issuer in issuers {
        device.select();
        device.login();
        device.ok(&update(0xCA00, 0, &issuer.self_signed(ROOT)));
        device.ok(&choose(0xB6, &issuer.chr));
        let certificate = issuer.issue_to(&leaf, DEVICE);
        let (parsed, _) = Certificate::parse(&certificate).unwrap();
        let start = certificate.len() - parsed.signature.len();
        for at in [start - 30, start, start + parsed.signature.len() / 2, certificate.len() - 1] {
            let mut forged = certificate.clone();
            forged[at] ^= 1;
            assert_eq!(device.status(&verify_certificate(&forged)), 0x6985, "{:?} {at}", issuer.public_key());
        }
        assert_eq!(device.status(&choose(0xB6, &leaf.chr)), 0x6A88);
        device.ok(&choose(0xB6, &issuer.chr));
        device.ok(&verify_certificate(&certificate));
        device.ok(&choose(0xB6, &leaf.chr));
    }
}

#[test]
fn nothing_is_believed_for_nobody_and_nothing_reaches_the_flash() {
    let root = Signer::new("UTROOT00001", Curve::P256);
    let issuer = Signer::new("UTISSU00001", Curve::P256);
    let (mut device, flash) = Device::initialised();
    device.login();
    device.ok(&update(0xCA00, 0, &root.self_signed(ROOT)));
    device.select();
    device.ok(&choose(0xB6, &root.chr));
    let certificate = verify_certificate(&root.issue_to(&issuer, ISSUER));
    assert_eq!(device.status(&certificate), 0x6982);
    for (reference, pin) in [(0x81, common::USER_PIN), (0x88, SO_PIN)] {
        device.select();
        device.ok(&verify(reference, pin));
        device.ok(&choose(0xB6, &root.chr));
        let operations = flash.lock().operations();
        device.ok(&certificate);
        assert_eq!(flash.lock().operations(), operations);
    }
    assert_eq!(device.ok(&apdu(0x80, 0x58, 0, 0, &[], Some(65536))), [0xC4, 0, 0xCC, 0, 0xCA, 0]);
    // A reset forgets it as a selection does.
    device.card.reset();
    device.login();
    assert_eq!(device.status(&choose(0xB6, &issuer.chr)), 0x6A88);
}

#[test]
fn who_may_not_issue_is_no_issuer() {
    let root = Signer::new("UTROOT00001", Curve::P256);
    let issuer = Signer::new("UTISSU00001", Curve::P256);
    let leaf = Signer::new("UTDEVI00001", Curve::P256);
    let other = Signer::new("UTOTHE00001", Curve::P256);
    let mut device = trusting(&root.self_signed(ROOT));
    device.import(&root.issue_to(&issuer, ISSUER));
    device.import(&issuer.issue_to(&leaf, DEVICE));
    // A device issues nothing; an issuer issues no issuers; nobody below somebody with a role issues without one.
    device.ok(&choose(0xB6, &leaf.chr));
    assert_eq!(device.status(&verify_certificate(&leaf.issue_to(&other, DEVICE))), 0x6985);
    assert_eq!(device.status(&verify_certificate(&leaf.issue_to(&other, None))), 0x6985);
    device.ok(&choose(0xB6, &issuer.chr));
    for rights in [ISSUER, ROOT] {
        assert_eq!(device.status(&verify_certificate(&issuer.issue_to(&other, rights))), 0x6985);
    }
    device.ok(&verify_certificate(&issuer.issue_to(&other, None)));
    device.ok(&choose(0xB6, &other.chr));
    let last = Signer::new("UTLAST00001", Curve::P256);
    assert_eq!(device.status(&verify_certificate(&other.issue_to(&last, DEVICE))), 0x6985);
    // The device's own certificate is trusted, but for nothing.
    let name = device.name();
    device.ok(&choose(0xB6, &name));
    let forged = Signer::new("UTFORG00001", Curve::P256).named(&name);
    assert_eq!(device.status(&verify_certificate(&forged.issue_to(&last, DEVICE))), 0x6985);
    // Where nobody has a role, whoever is trusted may issue.
    device.ok(&update(0xCA00, 0, &root.self_signed(None)));
    device.select();
    device.login();
    device.import(&root.issue_to(&issuer, None));
    device.import(&issuer.issue_to(&leaf, None));
    device.import(&leaf.issue_to(&last, None));
}

#[test]
fn once_the_device_knows_the_date_certificates_out_of_date_are_not_believed() {
    let root = Signer::new("UTROOT00001", Curve::P256);
    let leaf = Signer::new("UTDEVI00001", Curve::P256);
    let dated = |signer: &Signer, subject: &Signer, rights: Option<u8>, to| {
        let rights = [rights.unwrap()];
        signer.certify(&Body {
            car: signer.chr.as_bytes(),
            public_key: subject.public_key(),
            chr: subject.chr.as_bytes(),
            role: Some(Role { rights: &rights, ..Role::SELF_ISSUED }),
            validity: Some(Validity { from: [2, 0, 0, 1, 0, 1], to }),
            extensions: None,
        })
    };
    let clock = |year: u16, month: u8| {
        let [high, low] = year.to_be_bytes();
        apdu(0x80, 0x64, 0x0A, 0, &[high, low, month, 1, 0, 0, 0, 0], None)
    };
    let mut device = trusting(&dated(&root, &root, ROOT, [3, 0, 0, 1, 0, 1]));
    let certificate = verify_certificate(&dated(&root, &leaf, DEVICE, [2, 6, 0, 3, 0, 1]));
    device.ok(&choose(0xB6, &root.chr));
    device.ok(&clock(2026, 4));
    assert_eq!(device.status(&certificate), 0x6985);
    device.ok(&clock(2019, 12));
    assert_eq!(device.status(&certificate), 0x6985, "before its first day, and the root's");
    device.ok(&clock(2026, 3));
    device.ok(&certificate);
    device.ok(&clock(2031, 1));
    assert_eq!(device.status(&verify_certificate(&root.issue_to(&leaf, DEVICE))), 0x6985, "the root is out of date");
    // After a loss of power the device does not know the date.
    let (mut device, flash) = Device::initialised();
    device.login();
    device.ok(&clock(2031, 1));
    device.ok(&update(0xCA00, 0, &dated(&root, &root, ROOT, [3, 0, 0, 1, 0, 1])));
    drop(device);
    let mut device = Device::start(&flash);
    device.login();
    device.ok(&choose(0xB6, &root.chr));
    device.ok(&certificate);
}

#[test]
fn references_are_compared_as_a_whole() {
    let root = Signer::new("UTROOT00001", Curve::P256);
    let mut device = trusting(&root.self_signed(ROOT));
    for chr in ["UTROOT0000", "UTROOT000011", "UTROOT00001 ", "UT", "", "UTROOT00002", &"U".repeat(65)] {
        assert_eq!(device.status(&choose(0xB6, chr)), 0x6A88, "{chr}");
    }
    let leaf = Signer::new("UTDEVI00001", Curve::P256);
    let certificate = root.issue_to(&leaf, DEVICE);
    assert_eq!(device.status(&verify_certificate(&certificate)), 0x6A88, "no issuer was chosen");
    device.ok(&choose(0xB6, &root.chr));
    // The root's signature under another authority's name.
    let renamed = Signer::new("UTROOT00001", Curve::P256).named("UTROOT0000");
    assert_eq!(device.status(&verify_certificate(&renamed.issue_to(&leaf, DEVICE))), 0x6985);
    // The key of another authority under this name.
    let imposter = Signer::new("UTFORG00001", Curve::P256).named(&root.chr);
    assert_eq!(device.status(&verify_certificate(&imposter.issue_to(&leaf, DEVICE))), 0x6985);
    // A second key of one name.
    device.ok(&verify_certificate(&certificate));
    device.ok(&verify_certificate(&certificate));
    let second = Signer::new("UTFORG00001", Curve::P256).named(&leaf.chr);
    assert_eq!(device.status(&verify_certificate(&root.issue_to(&second, DEVICE))), 0x6985);
}

#[test]
fn what_is_no_certificate_or_no_key_is_refused() {
    let root = Signer::new("UTROOT00001", Curve::P256);
    let mut device = trusting(&root.self_signed(ROOT));
    device.ok(&choose(0xB6, &root.chr));
    assert_eq!(device.status(&apdu(0x00, 0x2A, 0x00, 0xBE, &[], Some(256))), 0x6700);
    assert_eq!(device.status(&apdu(0x00, 0x2A, 0x00, 0x9E, &[1], None)), 0x6A86);
    let leaf = Signer::new("UTDEVI00001", Curve::P256);
    let good = root.issue_to(&leaf, DEVICE);
    for len in 1..good.len() - 5 {
        assert_eq!(device.status(&apdu(0x00, 0x2A, 0x00, 0xBE, &good[..len], None)), 0x6985, "{len}");
    }
    let point = |point: &[u8]| {
        root.issue("UTDEVI00001", PublicKey::Ec { hash: SignatureHash::Sha256, domain: None, point }, DEVICE)
    };
    for wrong in [&[4; 64][..], &[2; 33], &[5; 65], &[]] {
        assert_eq!(device.status(&verify_certificate(&point(wrong))), 0x6700);
    }
    let body = Body {
        car: root.chr.as_bytes(),
        public_key: leaf.public_key(),
        chr: b"",
        role: Some(Role::SELF_ISSUED),
        validity: None,
        extensions: None,
    };
    assert_eq!(device.status(&verify_certificate(&root.certify(&body))), 0x6700);
    let chr = [b'U'; 21];
    assert_eq!(device.status(&verify_certificate(&root.certify(&Body { chr: &chr, ..body }))), 0x6700);
    // Issuers with keys that cannot sign, or not here.
    let x25519 = ferrite_crypto::montgomery::Curve::ALL[0].domain();
    let unusable = [
        PublicKey::Okp { prime: x25519.prime, order: x25519.order, base: x25519.base, key: &[9; 32] },
        PublicKey::Rsa { padding: RsaPadding::Pss, hash: SignatureHash::Sha256, modulus: &[0xC1; 128], exponent: &[3] },
        PublicKey::Rsa {
            padding: RsaPadding::Pkcs1,
            hash: SignatureHash::Sha1,
            modulus: &[0x41; 128],
            exponent: &[1, 0, 1],
        },
        PublicKey::Ec { hash: SignatureHash::Sha256, domain: None, point: &[4; 64] },
    ];
    for (file, key) in (0xCA10..).zip(unusable) {
        device.ok(&update(file, 0, &root.issue("UTSTRA00001", key, ROOT)));
        device.ok(&choose(0xB6, "UTSTRA00001"));
        let by_it = Signer::new("UTFORG00001", Curve::P256).named("UTSTRA00001");
        assert_eq!(device.status(&verify_certificate(&by_it.issue_to(&leaf, DEVICE))), 0x6984, "{key:?}");
        device.ok(&common::delete(file));
    }
    assert_eq!(device.status(&choose(0xB6, &leaf.chr)), 0x6A88);
}

#[test]
fn the_four_latest_are_kept_and_the_users_own_are_never_displaced() {
    let root = Signer::new("UTROOT00001", Curve::P256);
    let leaves: Vec<_> = (1..=6).map(|n| Signer::new(&format!("UTDEVI0000{n}"), Curve::P521)).collect();
    let mut device = trusting(&root.self_signed(ROOT));
    for leaf in &leaves {
        device.import(&root.issue_to(leaf, DEVICE));
    }
    for (n, leaf) in leaves.iter().enumerate() {
        assert_eq!(device.status(&choose(0xB6, &leaf.chr)), if n < 2 { 0x6A88 } else { 0x9000 });
    }
    device.ok(&choose(0xB6, &root.chr));
    // Large keys need more room than four have.
    for n in 1..=9 {
        let modulus = [&[0xC0 | n][..], &[0x11; 511]].concat();
        let key = PublicKey::Rsa {
            padding: RsaPadding::Pss,
            hash: SignatureHash::Sha512,
            modulus: &modulus,
            exponent: &[1, 0, 1],
        };
        device.import(&root.issue(&format!("UTLARG0000{n}"), key, DEVICE));
    }
    for (n, expected) in [(7, 0x6A88), (8, 0x9000), (9, 0x9000)] {
        assert_eq!(device.status(&choose(0xB6, &format!("UTLARG0000{n}"))), expected);
    }
    // Nobody takes the place of one that the user wrote, not even with the root's signature.
    let double = Signer::new("UTFORG00001", Curve::P256).named(&root.chr);
    device.ok(&choose(0xB6, &root.chr));
    assert_eq!(device.status(&verify_certificate(&root.issue_to(&double, ROOT))), 0x6985);
}

#[test]
fn a_device_takes_its_name_from_the_certificate_that_an_authority_gave_it() {
    let root = Signer::new("UTROOT00001", Curve::P256);
    let issuer = Signer::new("UTISSU00001", Curve::P256).without_domain();
    let (mut device, _) = Device::initialised();
    let own_name = device.name();
    let above = [root.issue_to(&issuer, ISSUER), root.self_signed(ROOT)];
    let certificate = device.enrol("UTFERRITE00001", &issuer, &above);
    device.login();
    let request = device.ok(&generate_p256(1, &[]));
    let request = Request::parse(&request).unwrap();
    assert_eq!(request.outer_car, b"UTFERRITE00001");
    // The request is attested by the key in the certificate.
    let (device_certificate, _) = Certificate::parse(&certificate).unwrap();
    let PublicKey::Ec { point, .. } = device_certificate.body.public_key else { panic!("no EC key") };
    let digest = ferrite_crypto::hash::Hash::Sha256.digest(&[request.signed]);
    ferrite_crypto::ec::verify(Curve::P256, point, digest.as_ref(), request.signature).unwrap();
    // Its issuers are trusted, and can introduce others.
    let other = Signer::new("UTOTHE00001", Curve::P256).without_domain();
    device.import(&issuer.issue_to(&other, DEVICE));
    // INITIALIZE keeps it; its own name would come back only without the certificate.
    device.ok(&initialize(&[0, 1], b"another-pin", SO_PIN));
    device.select();
    assert_eq!(device.name(), "UTFERRITE00001");
    device.ok(&verify(0x81, b"another-pin"));
    let request = device.ok(&generate_p256(1, &[]));
    assert_eq!(Request::parse(&request).unwrap().outer_car, b"UTFERRITE00001");
    // A certificate for another device's key is not kept.
    let stranger = Signer::new("UTSTRA00001", Curve::P256).without_domain();
    device.ok(&update(0x2F02, 0, &issuer.issue_to(&stranger, DEVICE)));
    device.ok(&initialize(&[0, 1], b"another-pin", SO_PIN));
    assert_eq!(device.name(), own_name);
}

/// Requests say where keys come from and what limits them; a plain one says nothing and looks as it always did.
#[test]
fn attestation_tells_made_keys_from_others_and_carries_their_limits() {
    use ferrite_proto::command::Attributes;
    use ferrite_proto::cvc::{Extensions, Origin};
    let (mut device, _) = Device::blank();
    let data = [tlv(&[0x81], common::USER_PIN), tlv(&[0x82], SO_PIN), tlv(&[0x92], &[0])].concat();
    device.ok(&apdu(0x80, 0x50, 0, 0, &data, None));
    let extensions = |device: &mut Device, key: u16| {
        let file = device.ok(&read(0xCE00 | key, 0));
        let request = Request::parse(&file).unwrap();
        let digest = ferrite_crypto::hash::Hash::Sha256.digest(&[request.signed]);
        let own = device.ok(&read(0x2F02, 0));
        let (own, _) = Certificate::parse(&own).unwrap();
        let PublicKey::Ec { point, .. } = own.body.public_key else { panic!("no EC key") };
        ferrite_crypto::ec::verify(Curve::P256, point, digest.as_ref(), request.signature).unwrap();
        request.certificate.body.extensions.map(<[u8]>::to_vec)
    };
    device.ok(&generate_p256(1, &[]));
    assert_eq!(extensions(&mut device, 1), None);
    let limits = Attributes { counter: Some(7), algorithms: Some(&[0x73, 0x98]), domain: Some(0), wrapping_key: None };
    let mut written = [0; 40];
    let len = limits.write(&mut written).unwrap();
    device.ok(&generate_p256(2, &written[..len]));
    let found = extensions(&mut device, 2).unwrap();
    let expected = Extensions { attributes: limits, ..Extensions::default() };
    assert_eq!(Extensions::parse(&found), Ok(expected));
    // Imported.
    let blob = device.ok(&apdu(0x80, 0x72, 1, 0x92, &[], Some(65536)));
    device.ok(&apdu(0x80, 0x74, 3, 0x93, &blob, None));
    let found = extensions(&mut device, 3).unwrap();
    let domain = Attributes { domain: Some(0), ..Attributes::default() };
    assert_eq!(
        Extensions::parse(&found),
        Ok(Extensions { origin: Origin::Imported, attributes: domain, ..Extensions::default() })
    );
}
