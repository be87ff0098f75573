//! Certificates and requests are read back; what is recorded elsewhere is in `tests/recorded_exchanges.rs`.

use super::*;
use crate::command::Attributes;
use proptest::prelude::*;
use std::vec::Vec;

/// The bare device certificate that OpenSC accepts (specification part 4 §1.3.1).
#[test]
fn a_certificate_without_domain_parameters_is_read() {
    let body = Body {
        car: b"ESDVCA00001",
        public_key: PublicKey::Ec { hash: SignatureHash::Sha256, domain: None, point: &[4; 65] },
        chr: b"ESTESTDV00001",
        role: None,
        validity: None,
        extensions: None,
    };
    let mut tlv = [0; 300];
    let len = body.write(&mut tlv).unwrap();
    assert_eq!(tlv[..3], [0x7F, 0x4E, 0x73]);
    let mut out = [0; 300];
    let total = write_certificate(&tlv[..len], &[9; 64], &mut out).unwrap();
    assert_eq!(out[..4], [0x7F, 0x21, 0x81, 0xB9]);
    let (certificate, rest) = Certificate::parse(&out[..total]).unwrap();
    assert_eq!((certificate.body, certificate.signed, certificate.signature), (body, &tlv[..len], &[9; 64][..]));
    assert_eq!((certificate.holder_serial(), rest), (Some(&b"ESTESTDV"[..]), &[][..]));
}

#[test]
fn a_request_is_read_back_with_what_its_outer_signature_covers() {
    let body = Body {
        car: b"UTCA00001",
        public_key: PublicKey::Rsa {
            padding: RsaPadding::Pkcs1,
            hash: SignatureHash::Sha256,
            modulus: &[0xC1; 256],
            exponent: &[1, 0, 1],
        },
        chr: b"UTTEST00001",
        role: Some(Role::SELF_ISSUED),
        validity: Some(Validity::SELF_ISSUED),
        extensions: Some(&[0x73, 0]),
    };
    let (mut a, mut b, mut c) = ([0; 900], [0; 900], [0; 900]);
    let len = body.write(&mut a).unwrap();
    let len = write_certificate(&a[..len], &[7; 256], &mut b).unwrap();
    let certificate = &b[..len];
    let len = write_request(certificate, b"DEVICE00001", &[8; 64], &mut c).unwrap();
    let request = Request::parse(&c[..len]).unwrap();
    assert_eq!(request.certificate.body, body);
    assert_eq!(request.outer_car, b"DEVICE00001");
    let mut outer = [0; 20];
    let outer_len = write_outer_car(b"DEVICE00001", &mut outer).unwrap();
    assert_eq!(request.signed, [certificate, &outer[..outer_len]].concat());
    assert_eq!(Certificate::parse(&c[..len]).unwrap().0.encoded, certificate);
    // As clients send it to a card: without the header of the 67.
    assert_eq!(Request::parse_alone(&c[4..len]), Ok(request));
    assert_eq!(Request::parse_alone(&c[..len]), Ok(request));
    assert_eq!(Request::parse_alone(&[&c[..len], &[0x42, 0]].concat()), Err(Malformed));
    let alone = Certificate::parse_alone(certificate).unwrap();
    assert_eq!(alone, request.certificate);
    let bare = Certificate::parse_alone(&certificate[5..]).unwrap();
    assert_eq!((bare.body, bare.signed, bare.signature), (alone.body, alone.signed, alone.signature));
    assert_eq!(Certificate::parse_alone(&[certificate, certificate].concat()), Err(Malformed));
}

#[test]
fn a_key_in_montgomery_form_is_read_back() {
    let public_key = PublicKey::Okp { prime: &[0x7F; 32], order: &[0x10; 32], base: &[9; 32], key: &[5; 32] };
    let body =
        Body { car: b"UTCA00001", public_key, chr: b"UTTEST00001", role: None, validity: None, extensions: None };
    let (mut tlv, mut out) = ([0; 300], [0; 400]);
    let len = body.write(&mut tlv).unwrap();
    // The template as on the wire (specification part 1 §5.9).
    assert!(tlv.windows(4).any(|window| window == [0x7F, 0x49, 0x81, 0x94]));
    let len = write_certificate(&tlv[..len], &[0; 64], &mut out).unwrap();
    assert_eq!(Certificate::parse(&out[..len]).unwrap().0.body, body);
}

#[test]
fn every_scheme_of_a_signature_has_its_own_object_identifier() {
    use SignatureHash::{Sha1, Sha224, Sha256, Sha384, Sha512};
    let rsa = [RsaPadding::Pkcs1, RsaPadding::Pss].map(|padding| {
        [Sha1, Sha256, Sha512].map(|hash| PublicKey::Rsa { padding, hash, modulus: &[0xC1; 128], exponent: &[1, 0, 1] })
    });
    let ec = [Sha1, Sha224, Sha256, Sha384, Sha512].map(|hash| PublicKey::Ec { hash, domain: None, point: &[4; 65] });
    let mut identifiers = Vec::new();
    for public_key in rsa.as_flattened().iter().chain(&ec) {
        let mut out = [0; 200];
        let mut w = Writer::new(&mut out);
        public_key.write_to(&mut w);
        let len = w.finish().unwrap();
        assert_eq!(PublicKey::parse(&out[..len]), Ok(*public_key));
        identifiers.push(out[2..12].to_vec());
    }
    // BSI TR-03110-3 §A.6.4: v1.5 with SHA-1, SHA-256, SHA-512; PSS with the same; ECDSA in the order of the hashes.
    assert_eq!(
        identifiers.iter().map(|oid| oid[8..].to_vec()).collect::<Vec<_>>(),
        [[1, 1], [1, 2], [1, 5], [1, 3], [1, 4], [1, 6], [2, 1], [2, 2], [2, 3], [2, 4], [2, 5]]
    );
    for oid in [&[4, 0, 0x7F, 0, 7, 2, 2, 2, 1, 7][..], &[4, 0, 0x7F, 0, 7, 2, 2, 2, 2, 6], &[4, 0]] {
        let mut out = [0; 200];
        let len = Writer::new(&mut out).put(0x06, oid).put(0x81, &[1; 128]).put(0x82, &[1, 0, 1]).finish().unwrap();
        assert_eq!(PublicKey::parse(&out[..len]), Err(Malformed), "{oid:02X?}");
    }
}

#[test]
fn a_secret_key_is_read_back_with_its_identifier_or_without() {
    for identifier in [Some(&[7; 16]), None] {
        let public_key = PublicKey::Secret { bits: 256, identifier };
        let mut out = [0; 60];
        let mut w = Writer::new(&mut out);
        public_key.write_to(&mut w);
        let len = w.finish().unwrap();
        assert_eq!(PublicKey::parse(&out[..len]), Ok(public_key));
        assert_eq!(out[22..26], [0x81, 2, 1, 0]);
        // A size that is none, and an identifier that is too short.
        assert_eq!(PublicKey::parse(&out[..22]), Err(Malformed));
        let short = [&out[..26], &[0x82, 15], &[7; 15]].concat();
        assert_eq!(PublicKey::parse(&short), Err(Malformed));
    }
}

#[test]
fn extensions_are_read_back_and_the_key_domain_is_where_others_look_for_it() {
    let attributes = Attributes { counter: Some(9), algorithms: Some(&[0x84]), domain: Some(2), wrapping_key: None };
    let extensions = Extensions { key_domain: Some(&[7; 64]), origin: Origin::Imported, key: None, attributes };
    let mut out = [0; 200];
    let len = extensions.write(&mut out).unwrap();
    assert_eq!(Extensions::parse(&out[..len]), Ok(extensions));
    // Specification part 1 §5.6.
    assert_eq!(out[..17], [0x73, 0x4F, 6, 11, 0x2B, 6, 1, 4, 1, 0x81, 0xC3, 0x1F, 3, 2, 2, 0x80, 0x40]);
    for origin in Origin::ALL {
        // A secret key's number is always said, and so its origin is.
        let extensions = Extensions { origin, key: Some(0xFF), ..Extensions::default() };
        let len = extensions.write(&mut out).unwrap();
        assert_eq!(Extensions::parse(&out[..len]), Ok(extensions));
        assert_eq!(out[24..len], [0x80, 1, origin as u8, 0x81, 1, 0xFF]);
        // Another origin, and two numbers.
        assert_eq!(Extensions::parse(&[&out[..26], &[3], &out[27..len]].concat()), Err(Malformed));
        assert_eq!(Extensions::parse(&[&[0x73, 29], &out[2..27], &[0x81, 2, 1, 1]].concat()), Err(Malformed));
    }
    assert_eq!(Extensions::default().write(&mut out), Ok(0));
    assert_eq!(Extensions::parse(&[]), Ok(Extensions::default()));
    // What others say there is skipped; what ends early is not.
    assert_eq!(Extensions::parse(&[0x73, 5, 6, 1, 1, 0x80, 0]), Ok(Extensions::default()));
    assert_eq!(Extensions::parse(&[0x04, 1, 1]), Ok(Extensions::default()));
    assert_eq!(Extensions::parse(&[0x73, 3, 6, 2, 1]), Err(Malformed));
}

#[test]
fn a_day_is_within_the_dates_or_is_not() {
    let validity = Validity { from: [2, 4, 0, 2, 2, 9], to: [2, 6, 1, 2, 3, 1] };
    for (day, expected) in [
        ([2, 4, 0, 2, 2, 8], false),
        ([2, 4, 0, 2, 2, 9], true),
        ([2, 5, 0, 1, 0, 1], true),
        ([2, 6, 1, 2, 3, 1], true),
        ([2, 7, 0, 1, 0, 1], false),
    ] {
        assert_eq!(validity.covers(day), expected, "{day:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_certificate_or_malformed(bytes: Vec<u8>, tag in prop_oneof![Just(0x7F21u16), Just(0x67)]) {
        let _ = (Certificate::parse(&bytes), Certificate::parse_alone(&bytes), Request::parse_alone(&bytes));
        let _ = Extensions::parse(&bytes);
        let mut out = std::vec![0; bytes.len() + 8];
        let len = Writer::new(&mut out).nest(tag, |w| _ = w.put(0x7F4E, &bytes).put(0x42, &bytes)).finish();
        if let Ok(len) = len {
            let _ = Certificate::parse(&out[..len]);
        }
    }
}
