//! What real clients and the reference device put on the wire is read as what it means, and written back byte for byte.

use ferrite_proto::apdu::Apdu;
use ferrite_proto::command::{
    Attributes, Command, Initialize, KeyAlgorithm, KeyRequest, Options, PinReference, Secret, Target,
};
use ferrite_proto::cvc::{self, Certificate, PublicKey, Request};
use ferrite_proto::fid::{FileId, KeyId};
use ferrite_proto::pkcs15::{KeyDescription, KeyType, Name, ObjectDescription};

/// OpenSC generates a P-256 key pair in key 2.
const GENERATE_P256: &str = "004602000001005f29010042095554434130303030317f4981da060a04007f000702020202038120ffffffff00000001\
    000000000000000000000000ffffffffffffffffffffffff8220ffffffff00000001000000000000000000000000ffff\
    fffffffffffffffffffc83205ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b8441046b\
    17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162b\
    ce33576b315ececbb6406837bf51f58520ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc6325\
    518701015f201045535049434f48534d545230303030310000";

/// What the device answers: an authenticated request.
const REQUEST_P256: &str = "678201e67f2182018c7f4e8201445f29010042095554434130303030317f4982011d060a04007f000702020202038120\
    ffffffff00000001000000000000000000000000ffffffffffffffffffffffff8220ffffffff00000001000000000000\
    000000000000fffffffffffffffffffffffc83205ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e\
    27d2604b8441046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8e\
    e7eb4a7c0f9e162bce33576b315ececbb6406837bf51f58520ffffffff00000000ffffffffffffffffbce6faada7179e\
    84f3b9cac2fc63255186410493e29dcdd2a87fefd22fa4b4cbb05f4b910b28a126a9ce7b0c9af4e9e0cf353811b2e70f\
    607405e004e32d2c3284b0e6b78f1d0e40e446fa1ed0146c4c87fce18701015f201045535049434f48534d5452303030\
    30315f3740316f909efbbd36592eb2e7ac4be93af416396f8a8f15e6fc0b2f0c69522fc950b40b4a58bfc6599c7e41d6\
    728d55dc5f64286e69af8b65aa3f12b22bc9bbe415421045535049434f48534d545230303030315f374062e7517f3d5f\
    b2fc5510931843d966063a0c91c0bdde283d329b466529e3a09749eebda70be8d56cba921ca8c90298d2b3afab83500a\
    1f9dfded870745e41ccb";

/// OpenSC generates an RSA-2048 key pair in key 1.
const GENERATE_RSA: &str = "0046010000003a5f29010042095554434130303030317f4915060a04007f000702020201028203010001020208005f20\
    1045535049434f48534d545230303030310000";

const DEVICE_NAME: &[u8] = b"ESPICOHSMTR00001";

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex digits")).collect()
}

fn assert_decodes(text: &str, expected: Command<'_>) {
    let bytes = hex(text);
    let apdu = Apdu::parse(&bytes).expect("a command APDU");
    assert_eq!(Command::decode(&apdu), Ok(expected), "{text}");
}

#[test]
fn commands_of_opensc_mean_what_they_say() {
    let device_certificate = Target::File(FileId::DEVICE_CERTIFICATE);
    for (text, expected) in [
        ("00a404000be82b0601040181c31f020100", Command::SelectApplication { aid: &ferrite_proto::aid::HSM }),
        ("00a40800022f0000", Command::SelectFile { file: FileId::EF_DIR }),
        ("00200088", Command::Verify { reference: PinReference::SecurityOfficer, pin: None }),
        ("0020008106363438323139", Command::Verify { reference: PinReference::User, pin: Some(Secret(b"648219")) }),
        ("8052000000", Command::KeyDomainStatus { domain: 0 }),
        ("8058000000", Command::EnumerateObjects),
        ("00b12f02000004540200000400", Command::ReadBinary { target: device_certificate, offset: 0 }),
        ("00b10000000004540200030000", Command::ReadBinary { target: Target::Current, offset: 3 }),
        (
            "00d70000085402000053023132",
            Command::UpdateBinary { target: Target::Current, offset: 0, content: Secret(b"12") },
        ),
        ("00e4020002cc01", Command::DeleteFile { target: Target::File(KeyId::new(1).key()) }),
        ("0084000008", Command::GetChallenge { len: 8 }),
    ] {
        assert_decodes(text, expected);
    }
}

#[test]
fn sc_hsm_tool_initialises_with_one_dkek_share() {
    let request = Initialize {
        options: Some(Options(0x0001)),
        user_pin: Some(Secret(b"648219")),
        so_pin: Some(Secret(b"57621880")),
        retries: Some(3),
        dkek_shares: Some(1),
        ..Initialize::default()
    };
    let text = "805000001c80020001810636343832313982083537363231383830910103920101";
    assert_decodes(text, Command::Initialize(request));
    let mut scratch = [0; 64];
    let mut wire = [0; 64];
    let len = Command::Initialize(request).encode(&mut scratch).expect("room").encode(&mut wire).expect("room");
    assert_eq!(wire[..len], hex(text));
}

#[test]
fn opensc_asks_for_key_pairs() {
    let rsa = KeyRequest {
        car: Some(b"UTCA00001"),
        chr: Some(DEVICE_NAME),
        algorithm: KeyAlgorithm::Rsa { bits: 2048 },
        attributes: Attributes::default(),
    };
    assert_decodes(GENERATE_RSA, Command::GenerateKeyPair { key: KeyId::new(1), request: rsa });

    let wire = hex(GENERATE_P256);
    let command = Command::decode(&Apdu::parse(&wire).expect("a command APDU"));
    let Ok(Command::GenerateKeyPair { key, request }) = command else { panic!("{command:?}") };
    let KeyAlgorithm::Ec { prime, a, b } = request.algorithm else { panic!("{request:?}") };
    assert_eq!((key, request.car, request.chr), (KeyId::new(2), rsa.car, rsa.chr));
    assert_eq!((prime.len(), a.map(<[u8]>::len), b.map(<[u8]>::len)), (32, Some(32), Some(32)));
    assert_eq!(prime[..5], [0xFF, 0xFF, 0xFF, 0xFF, 0x00]);
}

#[test]
fn a_request_of_the_device_is_read_and_written_back_byte_for_byte() {
    let wire = hex(REQUEST_P256);
    let request = Request::parse(&wire).expect("a request");
    let certificate = request.certificate;
    assert_eq!((certificate.body.car, certificate.body.chr), (&b"UTCA00001"[..], DEVICE_NAME));
    assert_eq!((request.outer_car, certificate.holder_serial()), (DEVICE_NAME, Some(&b"ESPICOHSMTR"[..])));
    let PublicKey::Ec { domain: Some(domain), point, .. } = certificate.body.public_key else {
        panic!("{certificate:?}")
    };
    assert_eq!((domain.prime.len(), domain.cofactor, point.len()), (32, 1, 65));

    let (mut body, mut inner, mut outer) = ([0; 512], [0; 512], [0; 512]);
    let len = certificate.body.write(&mut body).expect("room");
    assert_eq!(body[..len], *certificate.signed);
    let len = cvc::write_certificate(&body[..len], certificate.signature, &mut inner).expect("room");
    assert_eq!(inner[..len], *certificate.encoded);
    let len = cvc::write_request(&inner[..len], request.outer_car, request.signature, &mut outer).expect("room");
    assert_eq!(outer[..len], wire);
}

#[test]
fn a_request_cut_or_damaged_in_its_structure_is_never_accepted_whole() {
    let wire = hex(REQUEST_P256);
    for len in 0..wire.len() {
        assert!(Request::parse(&wire[..len]).is_err(), "{len}");
        assert!(Certificate::parse(&wire[..len]).is_err(), "{len}");
    }
    for at in 0..wire.len() {
        for bit in 0..8 {
            let mut damaged = wire.clone();
            damaged[at] ^= 1 << bit;
            if let Ok(request) = Request::parse(&damaged) {
                assert_ne!(request, Request::parse(&wire).expect("a request"), "byte {at} bit {bit}");
            }
        }
    }
}

#[test]
fn descriptions_with_everything_a_client_may_add_are_read() {
    let device = hex("a038300d0c0b45535049434f48534d5452301b04140000000000000000000000000000000000000000\
        0303072080a10a30083002040002020100");
    let device = KeyDescription::parse(&device).expect("a description");
    assert_eq!((device.key_type, device.label, device.bits), (KeyType::Ec, &b"ESPICOHSMTR"[..], 256));
    assert_eq!(device.id, [0; 20]);
    let private = hex("3026300e0c056461746132030206c0040101300c0c05646174613206032a0304a10630040402cd01");
    let private = ObjectDescription::parse(&private).expect("a description");
    let expected = ObjectDescription { label: b"data2", name: Name::Application(b"data2"), value: FileId::new(0xCD01) };
    assert_eq!(private, expected);
}
