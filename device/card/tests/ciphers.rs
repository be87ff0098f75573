//! GENERATE SYMMETRIC KEY and SYMMETRIC CIPHER, as a client sees them. Published vectors are in `cipher_vectors.rs`.

mod common;

use common::*;
use ferrite_card::Presence;

const ECB: [&str; 3] = ["608648016503040101", "608648016503040115", "608648016503040129"];
const CBC: [&str; 3] = ["608648016503040102", "608648016503040116", "60864801650304012A"];
const OFB: [&str; 3] = ["608648016503040103", "608648016503040117", "60864801650304012B"];
const CFB: [&str; 3] = ["608648016503040104", "608648016503040118", "60864801650304012C"];
const GCM: [&str; 3] = ["608648016503040106", "60864801650304011A", "60864801650304012E"];
const CCM: [&str; 3] = ["608648016503040107", "60864801650304011B", "60864801650304012F"];
const CTR: [&str; 3] = ["608648016503040109", "60864801650304011D", "608648016503040131"];
const XTS_128: &str = "2B6F028C5300000101";
const XTS_256: &str = "2B6F028C5300000102";
const CHACHA: &str = "2A864886F70D0109100312";
const HMAC_SHA1: &str = "2A864886F70D0207";
const HMAC_SHA256: &str = "2A864886F70D0209";
const HKDF: [&str; 3] = ["2A864886F70D010910031D", "2A864886F70D010910031E", "2A864886F70D010910031F"];
const PBKDF2: &str = "2A864886F70D01050C";
const PBES2: &str = "2A864886F70D01050D";
const X963: &str = "2B81051086483F";
const HD: &str = "2B0601040183A878058D6B";

const ALL: Option<usize> = Some(65536);

fn hex(text: &str) -> Vec<u8> {
    hex::decode(text.replace([' ', '\n'], "")).expect("hexadecimal")
}

/// The bytes 00, 01, 02, …
fn counting(len: usize) -> Vec<u8> {
    (0..len).map(|i| i as u8).collect()
}

/// A card with keys 1 to 4 of 128, 192, 256 and 512 bits: the bytes 00, 01, 02, …
fn device() -> Device {
    let (mut device, _) = Device::initialised();
    device.login();
    for (key, len) in [(1, 16), (2, 24), (3, 32), (4, 64)] {
        device.plant(key, &counting(len));
    }
    device
}

/// Specification part 2 §4 and §5.8: the whole command and its answer.
#[test]
fn the_recorded_commands_have_their_recorded_answers() {
    let mut device = device();
    for (command, answer) in [
        ("80 78 01 10 000010 6120736563726574206D657373616765 0000", "08EA255F74730F57FAA1C0C321193BA9 9000"),
        ("80 78 01 11 000010 08EA255F74730F57FAA1C0C321193BA9 0000", "6120736563726574206D657373616765 9000"),
        ("80 78 01 18 000000", "97DD6E5A882CBD564C39AE7D1C5A31AA 9000"),
        ("80 78 01 18 000003 616263 0000", "0A54A6A425D48438C3F8BBE09BF944CC 9000"),
        (
            "80 78 01 99 000020 0000000000000000000000000000000000000000000000000000000000000000 0000",
            "4364106FE803E91A4544D0768110F32B04E648EA536F8AEEB8E40B384737DA6F 9000",
        ),
        ("80 78 01 10 000011 7878787878787878787878787878787878 0000", "6700"),
        ("80 78 09 10 000010 00000000000000000000000000000000 0000", "6A82"),
        (
            "80 78 01 51 00001D 06 09 608648016503040101 81 10 6120736563726574206D657373616765 0000",
            "08EA255F74730F57FAA1C0C321193BA9 9000",
        ),
        (
            "80 78 01 51 00002F 06 09 608648016503040102 81 10 6120736563726574206D657373616765
             82 10 01010101010101010101010101010101 0000",
            "A8D67B59556936C5FA47475462CF948A 9000",
        ),
        (
            "80 78 01 51 000030 06 09 608648016503040106 81 10 6120736563726574206D657373616765
             82 0C 010101010101010101010101 83 03 616164 0000",
            "0896BE9BBE871D21753C14D81953FA17 6CF61A21BC44C6F394EB89A12F4B3CEA 9000",
        ),
        (
            "80 78 03 51 000032 06 0B 2A864886F70D0109100312 81 10 6120736563726574206D657373616765
             82 0C 010101010101010101010101 83 03 616164 0000",
            "FE14FDA36AEDFFA533FCE139690B2B9A 42951B8D9D9A638ECA5991A626DBDCBF 9000",
        ),
        (
            "80 78 01 51 00001C 06 08 2A864886F70D0209 81 10 6120736563726574206D657373616765 0000",
            "C18FD6EE6E8126E0DD51362A87BE994C397CBB2A3F00990F2E2B2D11A28598FF 9000",
        ),
        (
            "80 78 01 51 000019 06 0B 2A864886F70D010910031D 81 04 696E666F 82 04 73616C74 0020",
            "F83A387899F405FB64E48EE655B78972CA99400CB82F5BEC0A484F1D2F1A8AB8 9000",
        ),
        (
            "80 78 01 51 000023 06 09 2A864886F70D01050C 81 16 04 04 4E61436C 02 02 03E8 30 0A 06 08 2A864886F70D0209
             0020",
            "9DF16A1E621181995F36D244C589949F47D782AD884FF28B56D37C84E4410BD8 9000",
        ),
        (
            "80 78 01 51 00005E 06 09 2A864886F70D01050D 81 05 68656C6C6F
             83 4A 30 29 06 09 2A864886F70D01050C 30 1C 04 08 73616C7473616C74 02 02 03E8 30 0C 06 08 2A864886F70D0209 05 00
             30 1D 06 09 60864801650304012A 04 10 01010101010101010101010101010101 0000",
            "0427061F8B3BDBFB31C70FBE7CE1073C 9000",
        ),
        (
            "80 78 01 51 000020 06 07 2B81051086483F 81 08 2A864886F70D0209 83 0B 73686172656420696E666F 0020",
            "925C85EEC337B15C52E0F40FFFF8F93775A4C0AED9AA305FF3061DF6276ADCEE 9000",
        ),
    ] {
        let (data, status) = device.send(&hex(command));
        assert_eq!(hex::encode_upper([&data[..], &status.to_be_bytes()].concat()), answer.replace(' ', ""), "{command}");
    }
}

/// Specification part 2 §5.8: examples that say only what is different.
#[test]
fn the_recorded_results_come_out_of_their_parameters() {
    let mut device = device();
    let (text, zeros, ones) = (&b"a secret message"[..], [0; 16], [1; 16]);
    let nonce = &ones[..12];
    let salted = &[(0x81, &b"info"[..]), (0x82, b"salt")][..];
    let x963 = |last: u8| [&hex("2A864886F70D02")[..], &[last]].concat();
    let x963_parameters = [0x07, 0x08, 0x0A, 0x0B].map(x963);
    let x963 = x963_parameters.each_ref().map(|oid| [(0x81, &oid[..]), (0x83, &b"shared info"[..])]);
    let salt_and_iterations = hex("0404 4E61436C 0202 03E8");
    for (key, oid, objects, le, expected) in [
        (2, CBC[1], &[(0x81, text), (0x82, &zeros)][..], ALL, "9B4B6B88683AF4B8FD97352167F60D13"),
        (3, CBC[2], &[(0x81, text)], ALL, "F61F876085C670E15914F171A7E9C71E"),
        (1, OFB[0], &[(0x81, b"a secret messagexyz")], ALL, "A7814852E4FD3EF64F22E411D2A9BF1CD7E4E3"),
        (1, CFB[0], &[(0x81, b"a secret messagexyz")], ALL, "A7814852E4FD3EF64F22E411D2A9BF1C1CBEBD"),
        (1, CTR[0], &[(0x81, b"a secret messagexyz")], ALL, "A7814852E4FD3EF64F22E411D2A9BF1C0B3F69"),
        (1, GCM[0], &[(0x82, nonce)], ALL, "D3CED75578A992E0382499B2A159F330"),
        (1, GCM[0], &[(0x81, b""), (0x82, nonce)], ALL, "D3CED75578A992E0382499B2A159F330"),
        (
            1,
            CCM[0],
            &[(0x81, text), (0x82, nonce), (0x83, b"aad")],
            ALL,
            "43920C96FC014106DC74C90D6E9FD409E1BDFF42A31BFDF0F0770FAA98FE53F3",
        ),
        (1, CCM[0], &[(0x82, nonce)], ALL, "1F39D6DAC065CF46223298E370AAE19F"),
        (3, XTS_128, &[(0x81, text)], ALL, "D9AA2B919E91097D3DA149B3ECEBFF4C"),
        (3, XTS_128, &[(0x81, text), (0x82, &ones)], ALL, "883E5C03819C2D2E19C0F80F4D0F0483"),
        (3, XTS_128, &[(0x81, b"a secret messageabc")], ALL, "6E3CFF26B092DCE00F1008C95A8B5A23D9AA2B"),
        (4, XTS_256, &[(0x81, text)], ALL, "7A069B03C445D200128CEE4D2FF68986"),
        (1, HMAC_SHA1, &[(0x81, text)], ALL, "B655A1DD885FA0B34C56F565C200A6C53A77EB83"),
        (1, "2A864886F70D0208", &[(0x81, text)], ALL, "FE55018F46672C0EFB4F9402C38DCD9A87BDAE854FCE1A7714A8480C"),
        (
            1,
            "2A864886F70D020A",
            &[(0x81, text)],
            ALL,
            "DFC003673CF0AEB03D2E19EBEDD71DEA3CED41CD110B93902AFC2A89388AAACFB9D2BFF780C63B6DC29F24D91CB119B6",
        ),
        (
            1,
            "2A864886F70D020B",
            &[(0x81, text)],
            ALL,
            "E8F8BB5B40838E39D8F2878987FC380E1F550E64E19F6B14BD7FD1B7EF95155D
             61AD92135B2C24EAA2EB57D9B0948F5DE3B86406CCE0CF5B29CC9DD50572901B",
        ),
        (1, HKDF[0], &[], ALL, "4E24185F0CF7D7413CCBE2BA72D38DFC4BCD6C86D0A1ED59ADBA67DC9C99F7E0"),
        (
            1,
            HKDF[1],
            salted,
            Some(48),
            "37AB70AF0408496C1FAED15197EF7CB6253CD24F303BB327E470F8FA359744ED420705932BD74006AFAFE0518E262FD2",
        ),
        (
            1,
            HKDF[2],
            salted,
            ALL,
            "83348CFB90E12E0DA963828C5B0D9E84CB276DB90BE9660C5FAFEC8BD23CFAE9
             91D3033C774E50EFDA35CE278E8761436F2F2426537FA29FC91632693BDD35AE",
        ),
        (
            1,
            PBKDF2,
            &[(0x81, &salt_and_iterations)],
            ALL,
            "9B99653103E3749779C0340C87E15E6EE427F1D911447D75B2EB11472A24E12D",
        ),
        (1, X963, &x963[0], ALL, "A1C8ABC77CADF0809FD49447F169ABDE53B685CC3307A652707CFCA9CC2979C3"),
        (1, X963, &x963[0][1..], ALL, "A1C8ABC77CADF0809FD49447F169ABDE53B685CC3307A652707CFCA9CC2979C3"),
        (1, X963, &x963[1], ALL, "8BBA44CDA414AEA7E3296727DA01686B4B809B061F0AB8B205C61BFDEEDAED45"),
        (1, X963, &x963[2], ALL, "B06161286248A5B376BB195D51FCF9CEE4327518C702390BFE9622FD7267DA1F"),
        (1, X963, &x963[3], Some(32), "5309C1B663B8695CF991F868C2B22DD5FA628473FE9B349DDEF2672F60932607"),
    ] {
        let result = device.ok(&symmetric(key, 0x51, &extended(oid, objects), le));
        assert_eq!(hex::encode_upper(result), expected.replace([' ', '\n'], ""), "{oid} {objects:02X?}");
    }
}

#[test]
fn keys_are_generated_with_their_lengths_descriptions_and_attributes() {
    let (mut device, flash) = Device::initialised();
    assert_eq!(device.status(&generate_secret(1, 0xB0, &[])), 0x6982);
    device.login();
    let attributes = hex("90 04 00000003 91 04 10 11 18 99 92 01 00");
    let mut macs = Vec::new();
    for (key, len, bits) in [(1, 0xB0, "0080"), (16, 0xB1, "00C0"), (200, 0xB2, "0100"), (255, 0xB3, "0200")] {
        assert_eq!(device.send(&generate_secret(key, len, &attributes)), (vec![], 0x9000));
        let id = hex::encode(key.to_string());
        let id = format!("04{:02X}{id}", id.len() / 2);
        let description = format!(
            "A8{:02X} 3002 0C00 30{:02X} {id} 030307C080 A006 3004 0202{bits} A106 3004 3002 0400",
            0x1B + hex(&id).len(),
            5 + hex(&id).len(),
        );
        assert_eq!(device.ok(&read(0xC400 | u16::from(key), 0)), hex(&description));
        let fcp = device.ok(&select_file(0xCC00 | u16::from(key)));
        assert!(fcp.windows(attributes.len()).any(|window| window == attributes), "{}", hex::encode(fcp));
        assert_eq!(device.status(&read(0xCE00 | u16::from(key), 0)), 0x9000, "a certificate request");
        assert_eq!(device.status(&read(0xCC00 | u16::from(key), 0)), 0x6982, "the key itself is never read");
        let mac = device.ok(&symmetric(key, 0x99, &[0; 32], ALL));
        assert!(!macs.contains(&mac), "two keys are one");
        macs.push(mac);
    }
    let listed = device.ok(&apdu(0x80, 0x58, 0, 0, &[], ALL));
    for file in [[0xC4, 0x01], [0xCC, 0x01], [0xC4, 0xFF], [0xCC, 0xFF]] {
        assert!(listed.chunks(2).any(|entry| entry == file), "{file:02X?} in {listed:02X?}");
    }
    for (command, status) in [
        (generate_secret(1, 0xB0, &[]), 0x6A89),
        (generate_secret(0, 0xB0, &[]), 0x6A86),
        (generate_secret(5, 0xAF, &[]), 0x6A86),
        (generate_secret(5, 0xB4, &[]), 0x6A86),
        (generate_secret(5, 0x00, &[]), 0x6A86),
        (generate_secret(5, 0xB0, &[0x90, 1, 0]), 0x6A80),
        (generate_secret(5, 0xB0, &[0x90]), 0x6A80),
        (generate_secret(5, 0xB0, &[0x92, 1, 16]), 0x6A80),
    ] {
        assert_eq!(device.status(&command), status, "{}", hex::encode(command));
    }
    assert_eq!(device.status(&symmetric(5, 0x18, b"", ALL)), 0x6A82, "a refused key does not exist");
    drop(device);
    let mut device = Device::start(&flash);
    device.login();
    assert_eq!(device.ok(&symmetric(1, 0x99, &[0; 32], ALL)), macs[0], "the key is the same after a restart");
}

#[test]
fn each_use_counts_and_only_what_is_listed_is_allowed() {
    let mut device = device();
    device.ok(&generate_secret(5, 0xB0, &hex("90 04 00000004")));
    let encrypt = |key, p2| symmetric(key, p2, &extended(GCM[0], &[(0x82, &[1; 12])]), ALL);
    let tag = device.ok(&encrypt(5, 0x51));
    let wrong = extended(GCM[0], &[(0x81, &[0; 16]), (0x82, &[1; 12])]);
    for refused in [symmetric(5, 0x52, &wrong, ALL), symmetric(5, 0x51, b"", ALL), symmetric(5, 0x12, b"", ALL)] {
        assert_ne!(device.status(&refused), 0x9000);
    }
    device.ok(&symmetric(5, 0x52, &extended(GCM[0], &[(0x81, &tag), (0x82, &[1; 12])]), ALL));
    device.ok(&symmetric(5, 0x18, b"", ALL));
    device.ok(&symmetric(5, 0x10, b"", ALL));
    for algorithm in [0x10, 0x18, 0x51, 0x12] {
        assert_eq!(device.status(&symmetric(5, algorithm, b"", ALL)), 0x6A84, "{algorithm:02X}");
    }
    for allowed in [0x10, 0x11, 0x18, 0x51, 0x52, 0x99] {
        device.ok(&generate_secret(allowed, 0xB0, &[0x91, 1, allowed]));
        for algorithm in [0x10, 0x11, 0x18, 0x51, 0x52, 0x99, 0x12] {
            let expected = match algorithm == allowed {
                true if [0x51, 0x52].contains(&algorithm) => 0x6700,
                true => 0x9000,
                false => 0x6985,
            };
            assert_eq!(
                device.status(&symmetric(allowed, algorithm, b"", ALL)),
                expected,
                "{allowed:02X} {algorithm:02X}"
            );
        }
    }
}

#[test]
fn wrong_padding_costs_a_use_because_the_answer_is_a_hint() {
    let mut device = device();
    device.ok(&generate_secret(5, 0xB0, &hex("90 04 00000004")));
    let command = |p2, data: &[u8], last_of_iv: u8| {
        let parameters = [
            &hex("3015 0609 2A864886F70D01050C 3008 0402 0102 0202 0001")[..],
            &hex("301D 0609 60864801650304012A 0410 010101010101010101010101010101"),
            &[last_of_iv],
        ];
        symmetric(5, p2, &extended(PBES2, &[(0x81, data), (0x83, &parameters.concat())]), ALL)
    };
    let cryptogram = device.ok(&command(0x51, b"hello", 1));
    assert_eq!(device.send(&command(0x52, &cryptogram[1..], 1)), (vec![], 0x6700), "no whole blocks: costs nothing");
    assert_eq!(device.ok(&command(0x52, &cryptogram, 1)), b"hello");
    for _ in 0..2 {
        // The last byte of padding becomes 0A, those before it stay 0B.
        assert_eq!(device.send(&command(0x52, &cryptogram, 0)), (vec![], 0x6700));
    }
    assert_eq!(device.send(&command(0x52, &cryptogram, 1)), (vec![], 0x6A84));
}

#[test]
fn keys_of_another_kind_are_refused_everywhere() {
    let mut device = device();
    device.ok(&generate_p256(10, &[]));
    device.ok(&generate_rsa(11, 1024));
    for algorithm in [0x10, 0x18, 0x51, 0x52, 0x99, 0x12] {
        assert_eq!(device.send(&symmetric(10, algorithm, &[0; 16], ALL)), (vec![], 0x6700), "{algorithm:02X}");
        assert_eq!(device.send(&symmetric(11, algorithm, &[0; 16], ALL)), (vec![], 0x6400), "{algorithm:02X}");
    }
    for algorithm in [0x20, 0x30, 0x33, 0x40, 0x43, 0x70, 0x73] {
        assert_eq!(device.send(&sign(1, algorithm, &[0; 32])), (vec![], 0x6400), "SIGN {algorithm:02X}");
    }
    for algorithm in [0x21, 0x22, 0x23, 0x80] {
        let command = apdu(0x80, 0x62, 1, algorithm, &[4; 65], ALL);
        assert_eq!(device.send(&command), (vec![], 0x6400), "DECIPHER {algorithm:02X}");
    }
    assert_eq!(device.status(&apdu(0x80, 0x76, 1, 20, &[0x98, 1, 2], None)), 0x6400);
    assert_eq!(device.status(&apdu(0x80, 0x76, 1, 2, &[0x98, 1, 2], None)), 0x6A89);
    assert_eq!(device.status(&symmetric(0, 0x18, b"", ALL)), 0x6985, "the device key is for attestation alone");
    device.select();
    assert_eq!(device.status(&symmetric(1, 0x18, b"", ALL)), 0x6982);
    assert_eq!(device.status(&symmetric(9, 0x12, b"", ALL)), 0x6982);
    device.ok(&verify(0x88, SO_PIN));
    assert_eq!(device.status(&symmetric(1, 0x18, b"", ALL)), 0x6982, "the officer uses no keys");
    assert_eq!(device.status(&generate_secret(30, 0xB0, &[])), 0x6982);
}

#[test]
fn presence_is_asked_for_first_and_once() {
    let (mut device, _) = Device::blank();
    device.ok(&initialize(&[0x01, 0x01], USER_PIN, SO_PIN));
    device.select();
    device.login();
    device.plant(1, &[0; 16]);
    let asked = |device: &mut Device| device.card.platform().asked;
    let before = asked(&mut device);
    device.ok(&generate_secret(2, 0xB0, &[]));
    assert_eq!(asked(&mut device), before, "making a secret key opens none");
    device.ok(&symmetric(1, 0x18, b"", ALL));
    assert_eq!(asked(&mut device), before + 1);
    device.card.platform().presence = Presence::Refused;
    for command in [symmetric(1, 0x18, b"", ALL), symmetric(9, 0x18, b"", ALL), symmetric(1, 0x12, b"", ALL)] {
        assert_eq!(device.send(&command), (vec![], 0x6600));
    }
    device.select();
    assert_eq!(device.status(&symmetric(1, 0x18, b"", ALL)), 0x6982, "nobody is asked before the PIN");
    assert_eq!(asked(&mut device), before + 4);
}

#[test]
fn lengths_of_keys_and_data_have_their_status_words() {
    let mut device = device();
    for (algorithm, status) in [(0x10, 0x6400), (0x11, 0x6400), (0x18, 0x6700), (0x99, 0x9000)] {
        assert_eq!(device.send(&symmetric(4, algorithm, &[], ALL)).1, status, "64 bytes, {algorithm:02X}");
    }
    // Each object identifier takes keys of one length.
    let lens = [16, 24, 32, 64];
    let takes = |oids: [&'static str; 3]| [(oids[0], 16), (oids[1], 24), (oids[2], 32)];
    let algorithms = [ECB, CBC, OFB, CFB, GCM, CCM, CTR].into_iter().flat_map(takes);
    let others = [(XTS_128, 32), (XTS_256, 64), (CHACHA, 32)];
    for (oid, key_len) in algorithms.chain(others) {
        for (key, len) in (1..).zip(lens) {
            let nonce: &[u8] =
                if GCM.contains(&oid) || CCM.contains(&oid) || oid == CHACHA { &[1; 12] } else { &[1; 16] };
            let data = extended(oid, &[(0x81, &[0; 16]), (0x82, nonce)]);
            let expected = if len == key_len { 0x9000 } else { 0x6700 };
            assert_eq!(device.send(&symmetric(key, 0x51, &data, ALL)).1, expected, "{oid} {len}");
        }
    }
    for (key, oid, p2, data, status) in [
        (1, CBC[0], 0x51, &[0; 15][..], 0x6400),
        (1, CBC[0], 0x52, &[0; 17], 0x6400),
        (1, CBC[0], 0x52, &[], 0x9000),
        (2, CBC[0], 0x51, &[0; 15], 0x6700),
        (1, ECB[0], 0x51, &[0; 32], 0x6700),
        (1, CTR[0], 0x51, &[], 0x9000),
        (1, OFB[0], 0x51, &[], 0x9000),
        (1, CFB[0], 0x52, &[], 0x9000),
        (3, XTS_128, 0x51, &[0; 15], 0x6400),
        (3, XTS_128, 0x52, &[], 0x6400),
        (4, XTS_128, 0x52, &[], 0x6700),
        (1, HD, 0x51, &[0; 16], 0x6A80),
    ] {
        let (answer, found) = device.send(&symmetric(key, p2, &extended(oid, &[(0x81, data)]), ALL));
        assert_eq!(
            (found, answer.len()),
            (status, if status == 0x9000 { data.len() } else { 0 }),
            "{oid} {}",
            data.len()
        );
    }
}

#[test]
fn nothing_is_released_without_a_right_tag() {
    let mut device = device();
    for (key, oid, status) in [(1, GCM[0], 0x6400), (3, CCM[2], 0x6400), (3, CHACHA, 0x6700)] {
        for text in [&b""[..], b"a", b"a secret message", &[7; 1000]] {
            let nonce = [3; 12];
            let command = |p2, data: &[u8], nonce: &[u8], aad: &[u8]| {
                symmetric(key, p2, &extended(oid, &[(0x81, data), (0x82, nonce), (0x83, aad)]), ALL)
            };
            let sealed = device.ok(&command(0x51, text, &nonce, b"header"));
            assert_eq!(sealed.len(), text.len() + 16);
            assert_eq!(device.ok(&command(0x52, &sealed, &nonce, b"header")), text);
            for at in [0, text.len() / 2, text.len(), text.len() + 15] {
                let mut changed = sealed.clone();
                changed[at] ^= 0x40;
                assert_eq!(device.send(&command(0x52, &changed, &nonce, b"header")), (vec![], status), "{oid} {at}");
            }
            assert_eq!(device.send(&command(0x52, &sealed, &[4; 12], b"header")), (vec![], status));
            assert_eq!(device.send(&command(0x52, &sealed, &nonce, b"headet")), (vec![], status));
            assert_eq!(device.send(&command(0x52, &sealed, &nonce, b"")), (vec![], status));
            assert_eq!(
                device.send(&command(0x52, &sealed[1..], &nonce, b"header")).1,
                if text.is_empty() { 0x6700 } else { status }
            );
            // Nor does GET RESPONSE hand out what was worked on.
            assert_eq!(device.send(&[0x00, 0xC0, 0x00, 0x00, 0x00]), (vec![], 0x6D00));
        }
    }
}

#[test]
fn outputs_of_key_derivation_are_as_long_as_asked_for() {
    let mut device = device();
    let pbkdf2 = hex("0400 0201 01");
    let with_len = hex("0400 0201 01 0202 0100");
    let x963: [(u8, &[u8]); 1] = [(0x83, b"")];
    for (oid, objects, default, limit) in [
        (HKDF[0], &[][..], 32, 255 * 32),
        (HKDF[1], &[], 48, 255 * 48),
        (HKDF[2], &[], 64, 255 * 64),
        (PBKDF2, &[(0x81, &pbkdf2[..])], 32, 65535),
        (X963, &x963, 32, 65535),
    ] {
        let data = extended(oid, objects);
        let longest = device.ok(&symmetric(1, 0x51, &data, Some(limit)));
        assert_eq!(longest.len(), limit);
        for len in [1, 31, 32, 33, 255, 256, 257, 1000] {
            assert_eq!(device.ok(&symmetric(1, 0x52, &data, Some(len))), longest[..len], "{oid} {len}");
        }
        assert_eq!(device.ok(&symmetric(1, 0x51, &data, ALL)), longest[..default], "{oid}");
        if limit < 65535 {
            assert_eq!(device.send(&symmetric(1, 0x51, &data, Some(limit + 1))), (vec![], 0x6700));
        }
        // Without Le: the default, through GET RESPONSE.
        assert_eq!(device.send(&symmetric(1, 0x51, &data, None)), (vec![], 0x6100 | default as u16));
        assert_eq!(device.ok(&[0x00, 0xC0, 0x00, 0x00, default as u8]), longest[..default]);
        // A short Le of 00 is 256.
        let short = [&[0x80, 0x78, 1, 0x51, data.len() as u8][..], &data, &[0]].concat();
        assert_eq!(device.ok(&short), longest[..256]);
    }
    let data = extended(PBKDF2, &[(0x81, &with_len)]);
    assert_eq!(device.ok(&symmetric(1, 0x51, &data, ALL)).len(), 256, "the length in the parameters wins");
    assert_eq!(device.send(&symmetric(1, 0x51, &data, Some(16))).0.len(), 16);
    for len in [0, 1, 32, 33, 8160] {
        assert_eq!(device.ok(&symmetric(1, 0x99, &counting(len), ALL)).len(), len);
    }
    assert_eq!(device.send(&symmetric(1, 0x99, &[0; 8161], ALL)), (vec![], 0x6700));
    // A message authentication code is never cut, only delivered in parts.
    let data = extended(HMAC_SHA256, &[(0x81, b"m")]);
    assert_eq!(device.send(&symmetric(1, 0x51, &data, Some(10))).1, 0x6116);
}

#[test]
fn data_as_long_as_a_command_can_carry_is_worked_on() {
    let mut device = device();
    let nonce = [9; 12];
    let iv = [9; 16];
    for (key, oid, nonce) in [
        (1, CBC[0], &iv[..]),
        (1, CTR[0], &iv),
        (2, OFB[1], &iv),
        (3, CFB[2], &iv),
        (3, XTS_128, &iv),
        (4, XTS_256, &iv),
        (1, GCM[0], &nonce),
        (3, CCM[2], &nonce),
        (3, CHACHA, &nonce),
    ] {
        let overhead = extended(oid, &[(0x82, nonce), (0x81, &[0; 256])]).len() - 256;
        let longest = 65535 - overhead;
        // Decryption takes 16 bytes more where there is a tag.
        let len = if oid == CBC[0] { longest / 16 * 16 } else { longest - 16 };
        let text: Vec<u8> = (0..len).map(|i| (i % 253) as u8).collect();
        let command = |p2, data: &[u8]| symmetric(key, p2, &extended(oid, &[(0x82, nonce), (0x81, data)]), ALL);
        let sealed = device.ok(&command(0x51, &text));
        assert_ne!(sealed[..len], text);
        assert_eq!(device.ok(&command(0x52, &sealed)), text, "{oid}");
        if oid == GCM[0] || oid == CHACHA {
            let text = vec![5; longest];
            assert_eq!(device.ok(&command(0x51, &text)).len(), longest + 16);
        }
    }
    let text = vec![7; 65520];
    let sealed = device.ok(&symmetric(1, 0x10, &text, ALL));
    assert_eq!(device.ok(&symmetric(1, 0x11, &sealed, ALL)), text);
    assert_eq!(device.ok(&symmetric(1, 0x18, &[7; 65535], ALL)).len(), 16);
}

/// Answers longer than Ne, and commands in parts, as hosts without extended lengths send them.
#[test]
fn short_commands_and_answers_in_parts_give_the_same() {
    let mut device = device();
    let text = counting(1008);
    let whole = device.ok(&symmetric(1, 0x10, &text, ALL));
    let parts: Vec<&[u8]> = text.chunks(255).collect();
    let (last, first) = parts.split_last().unwrap();
    let part = |cla: u8, data: &[u8]| [&[cla, 0x78, 1, 0x10, data.len() as u8][..], data].concat();
    for data in first {
        assert_eq!(device.send(&part(0x90, data)), (vec![], 0x9000));
    }
    let (mut answer, mut status) = device.send(&[part(0x80, last), vec![0]].concat());
    while status >> 8 == 0x61 {
        let (more, next) = device.send(&[0x80, 0xC0, 0x00, 0x00, 0x00]);
        answer.extend(more);
        status = next;
    }
    assert_eq!((answer, status), (whole, 0x9000));
}
