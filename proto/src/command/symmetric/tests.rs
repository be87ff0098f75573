//! What is written is read; anything else gets its status word.

use super::algorithms::ALGORITHMS;
use super::*;
use core::num::NonZeroU16;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::boxed::Box;
use std::vec;
use std::vec::Vec;

fn bytes(range: core::ops::Range<usize>) -> impl Strategy<Value = &'static [u8]> {
    vec(any::<u8>(), range).prop_map(|bytes| &*bytes.leak())
}

fn secret(range: core::ops::Range<usize>) -> impl Strategy<Value = Secret<'static>> {
    bytes(range).prop_map(Secret)
}

fn direction() -> impl Strategy<Value = Direction> {
    select(&[Direction::Encrypt, Direction::Decrypt][..])
}

fn hash() -> impl Strategy<Value = HmacHash> {
    select(&[HmacHash::Sha1, HmacHash::Sha224, HmacHash::Sha256, HmacHash::Sha384, HmacHash::Sha512][..])
}

fn pbkdf2() -> impl Strategy<Value = Pbkdf2<'static>> {
    (bytes(0..300), 1..=1_000_000u32, any::<u16>(), hash()).prop_map(|(salt, iterations, len, prf)| Pbkdf2 {
        salt,
        iterations,
        key_len: NonZeroU16::new(len),
        prf,
    })
}

fn pbes2() -> impl Strategy<Value = Pbes2<'static>> {
    (pbkdf2(), select(&[16u16, 24, 32][..]), any::<bool>(), any::<[u8; 16]>()).prop_map(|(kdf, len, named, iv)| {
        let key_len = if named { NonZeroU16::new(len) } else { None };
        Pbes2 { kdf: Pbkdf2 { key_len, ..kdf }, key_len: usize::from(len), iv: Box::leak(Box::new(iv)) }
    })
}

fn operation() -> impl Strategy<Value = SymmetricOperation<'static>> {
    use SymmetricOperation as Op;
    let cipher = (select(&ALGORITHMS[..]), direction(), any::<[u8; 16]>(), bytes(0..300)).prop_filter_map(
        "another kind of algorithm",
        |((_, algorithm), direction, iv, data)| match algorithm {
            Algorithm::Cipher(CipherMode::Ecb, key_len) => {
                let block = [data, &[0; 16]].concat().leak();
                let data = Secret(&block[..16]);
                Some(Op::Cipher { mode: CipherMode::Ecb, key_len, direction, iv, data })
            }
            Algorithm::Cipher(mode, key_len) => Some(Op::Cipher { mode, key_len, direction, iv, data: Secret(data) }),
            _ => None,
        },
    );
    let aead = (select(&ALGORITHMS[..]), direction(), bytes(1..30), bytes(0..300), secret(16..300)).prop_filter_map(
        "another kind of algorithm, or no nonce of it",
        |((_, algorithm), direction, nonce, aad, data)| match algorithm {
            Algorithm::Aead(mode, key_len) if mode.nonce_len().contains(&nonce.len()) => {
                Some(Op::Aead { mode, key_len, direction, nonce, aad, data })
            }
            _ => None,
        },
    );
    let hkdf_hash = select(&[HmacHash::Sha256, HmacHash::Sha384, HmacHash::Sha512][..]);
    prop_oneof![
        (direction(), 0..20usize)
            .prop_map(|(direction, blocks)| { Op::PlainCbc { direction, data: Secret(vec![7; 16 * blocks].leak()) } }),
        secret(0..300).prop_map(|message| Op::Cmac { message }),
        bytes(0..300).prop_map(|parameter| Op::Derive { parameter }),
        cipher,
        aead,
        (hash(), secret(0..300)).prop_map(|(hash, message)| Op::Hmac { hash, message }),
        (hkdf_hash, bytes(0..300), bytes(0..300)).prop_map(|(hash, salt, info)| Op::Hkdf { hash, salt, info }),
        pbkdf2().prop_map(Op::Pbkdf2),
        (direction(), pbes2(), secret(0..300)).prop_map(|(direction, parameters, data)| Op::Pbes2 {
            direction,
            parameters,
            data
        }),
        (direction(), bytes(0..300), proptest::option::of(any::<[u8; 16]>()), secret(0..300)).prop_map(
            |(direction, associated, iv, data)| {
                let iv = iv.map(|iv| &*Box::leak(Box::new(iv)));
                Op::Node { direction, associated, iv, data }
            }
        ),
        (hash(), bytes(0..300)).prop_map(|(hash, shared_info)| Op::X963 { hash, shared_info }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_written_is_read(operation in operation()) {
        let mut out = [0; 2048];
        let (algorithm, len) = operation.write(&mut out).unwrap();
        prop_assert_eq!(SymmetricOperation::parse(algorithm, &out[..len]), Ok(operation));
    }

    #[test]
    fn any_bytes_are_an_operation_or_a_status(
        algorithm in prop_oneof![select(&[0x10u8, 0x11, 0x18, 0x51, 0x52, 0x99][..]), any::<u8>()],
        (oid, _) in select(&ALGORITHMS[..]),
        with_oid: bool,
        tag in select(&[0x81u8, 0x82, 0x83, 0x30, 0x04][..]),
        tail in vec(any::<u8>(), 0..200),
    ) {
        let head = if with_oid { [&[0x06, oid.len() as u8][..], oid, &[tag, tail.len() as u8]].concat() } else { Vec::new() };
        let _ = SymmetricOperation::parse(AlgorithmId(algorithm), &[head, tail].concat());
    }
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b' ').collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

#[test]
fn no_object_identifier_stands_for_two_algorithms() {
    for (at, (oid, algorithm)) in ALGORITHMS.iter().enumerate() {
        assert_eq!(ALGORITHMS.iter().position(|(other, _)| other == oid), Some(at));
        assert_eq!(ALGORITHMS.iter().position(|(_, other)| other == algorithm), Some(at));
    }
}

/// Lengths of one byte whatever their value, as pypicohsm writes them, and tags in any order, of which the first counts.
#[test]
fn what_clients_write_is_read() {
    let oid = hex("0608 2A864886F70D0209");
    let message = [0xA5; 0x90];
    for objects in [
        [&oid[..], &[0x81, 0x90], &message].concat(),
        [&oid[..], &[0x81, 0x81, 0x90], &message].concat(),
        [&[0x9F, 0x10, 0x01, 0xFF][..], &[0x81, 0x90], &message, &oid, &[0x81, 0x01, 0x00], &[0x06, 0x01, 0x2A]]
            .concat(),
    ] {
        let expected = SymmetricOperation::Hmac { hash: HmacHash::Sha256, message: Secret(&message) };
        assert_eq!(SymmetricOperation::parse(AlgorithmId::CIPHER_DECRYPT, &objects), Ok(expected));
    }
}

#[test]
fn everything_malformed_has_its_status() {
    const GCM: &str = "0609 608648016503040106";
    const CBC: &str = "0609 608648016503040102";
    const ECB: &str = "0609 608648016503040101";
    const CCM: &str = "0609 608648016503040107";
    const CHACHA: &str = "060B 2A864886F70D0109100312";
    const PBKDF2: &str = "0609 2A864886F70D01050C";
    const PBES2: &str = "0609 2A864886F70D01050D";
    const X963: &str = "0607 2B81051086483F";
    let iv = "8210 01010101010101010101010101010101";
    let pbkdf2 = |parameters: &str| std::format!("{PBKDF2} 81{:02X} {parameters}", hex(parameters).len());
    let kdf = "3015 0609 2A864886F70D01050C 3008 0402 0102 0202 03E8";
    let scheme = "301D 0609 60864801650304012A 0410 01010101010101010101010101010101";
    let pbes2 = |parameters: &str| std::format!("{PBES2} 8101 00 83{:02X} {parameters}", hex(parameters).len());
    for (algorithm, data, expected) in [
        (0x10, "00", 0x6700),
        (0x11, "000102030405060708090A0B0C0D0E0F 00", 0x6700),
        (0x12, "", 0x6B00),
        (0x50, "", 0x6B00),
        (0x51, "", 0x6700),
        (0x51, "8101 00", 0x6700),
        (0x51, "0600 8101 00", 0x6700),
        // Object identifiers too short, too long, of no algorithm.
        (0x51, "0601 2A 8101 00", 0x6700),
        (0x51, "0607 2A864886F70D02 8101 00", 0x6700),
        (0x51, "0608 6086480165030401 8101 00", 0x6700),
        (0x51, "060A 60864801650304010200 8100", 0x6700),
        (0x51, "0609 608648016503040105 8101 00", 0x6700),
        (0x51, "0609 608648016503040108 8101 00", 0x6700),
        (0x51, "0609 60864801650304010A 8101 00", 0x6700),
        (0x51, "0609 608648016503040133 8101 00", 0x6700),
        (0x51, "0609 2B6F028C5300000103 8101 00", 0x6700),
        (0x51, "060B 2A864886F70D010910031C 8101 00", 0x6700),
        (0x51, "0608 2A864886F70D0206 8101 00", 0x6700),
        (0x51, "060B 2B0601040183A878058D6C 8100", 0x6700),
        (0x51, "060B 2B0601040183A878058D6B 8100", 0x9000),
        (0x51, "060B 2B0601040183A878058D6B 8100 8200", 0x9000),
        (0x51, "060B 2B0601040183A878058D6B 8100 8201 00", 0x6700),
        // Data objects that do not end.
        (0x51, &std::format!("{CBC} 8110 00"), 0x6700),
        (0x51, &std::format!("{CBC} 8100 82"), 0x6700),
        (0x51, &std::format!("{CBC} 8100"), 0x9000),
        (0x51, CBC, 0x9000),
        (0x51, &std::format!("{CBC} 8100 {iv}"), 0x9000),
        (0x51, &std::format!("{CBC} 8100 8200"), 0x6700),
        (0x51, &std::format!("{CBC} 8100 8201 00"), 0x6700),
        (0x51, &std::format!("{CBC} 8100 8211 0101010101010101010101010101010101"), 0x6700),
        (0x51, &std::format!("{ECB} 8100"), 0x6700),
        (0x51, &std::format!("{ECB} 810F 010101010101010101010101010101"), 0x6700),
        (0x51, &std::format!("{GCM} 8101 00"), 0x6700),
        (0x51, &std::format!("{GCM} 8101 00 8200"), 0x6700),
        (0x51, &std::format!("{GCM} 8201 00"), 0x9000),
        (0x52, &std::format!("{GCM} 8201 00"), 0x6700),
        (0x52, &std::format!("{GCM} 8201 00 810F 010101010101010101010101010101"), 0x6700),
        (0x51, &std::format!("{CCM} 8206 010101010101"), 0x6700),
        (0x51, &std::format!("{CCM} 8207 01010101010101"), 0x9000),
        (0x51, &std::format!("{CCM} 820E 0101010101010101010101010101"), 0x6700),
        (0x51, &std::format!("{CHACHA} 820B 0101010101010101010101"), 0x6700),
        (0x51, &std::format!("{CHACHA} 820C 010101010101010101010101"), 0x9000),
        (0x51, &std::format!("{CHACHA} 820D 01010101010101010101010101"), 0x6700),
        (0x51, PBKDF2, 0x6700),
        (0x51, &pbkdf2("0400 0201 01"), 0x9000),
        (0x51, &pbkdf2("3005 0400 0201 01"), 0x6700),
        (0x51, &pbkdf2("0201 01"), 0x6700),
        (0x51, &pbkdf2("0400"), 0x6700),
        (0x51, &pbkdf2("0400 0200"), 0x6700),
        (0x51, &pbkdf2("0400 0201 00"), 0x6700),
        (0x51, &pbkdf2("0400 0201 FF"), 0x6700),
        (0x51, &pbkdf2("0400 0203 0F4240"), 0x9000),
        (0x51, &pbkdf2("0400 0203 0F4241"), 0x6700),
        (0x51, &pbkdf2("0400 0205 0100000000"), 0x6700),
        (0x51, &pbkdf2("0400 0201 01 0201 00"), 0x6700),
        (0x51, &pbkdf2("0400 0201 01 0201 01"), 0x9000),
        (0x51, &pbkdf2("0400 0201 01 0203 010000"), 0x6700),
        (0x51, &pbkdf2("0400 0201 01 0201 01 0201 01"), 0x6700),
        (0x51, &pbkdf2("0400 0201 01 300A 0608 2A864886F70D0209"), 0x9000),
        (0x51, &pbkdf2("0400 0201 01 300C 0608 2A864886F70D0209 0500"), 0x9000),
        (0x51, &pbkdf2("0400 0201 01 300D 0608 2A864886F70D0209 050100"), 0x6700),
        (0x51, &pbkdf2("0400 0201 01 300A 0608 2A864886F70D0206"), 0x6700),
        (0x51, &pbkdf2("0400 0201 01 300B 0609 608648016503040102"), 0x6700),
        (0x51, &pbkdf2("0400 0201 01 300A 0608 2A864886F70D0209 0500"), 0x6700),
        (0x51, PBES2, 0x6700),
        (0x51, &pbes2(&std::format!("{kdf} {scheme}")), 0x9000),
        (0x51, &pbes2(kdf), 0x6700),
        (0x51, &pbes2(&std::format!("{scheme} {kdf}")), 0x6700),
        (0x51, &pbes2(&std::format!("{kdf} {scheme} 0500")), 0x6700),
        (0x51, &pbes2(&std::format!("{kdf} 3016 0609 608648016503040101 0409 010101010101010101")), 0x6700),
        (
            0x51,
            &pbes2(&std::format!("{kdf} 301D 0609 608648016503040103 0410 01010101010101010101010101010101")),
            0x6700,
        ),
        (0x51, &pbes2(&std::format!("{kdf} 3014 0608 2A864886F70D0307 0408 0101010101010101")), 0x6700),
        (0x51, &pbes2(&std::format!("3018 0609 2A864886F70D01050C 300B 0402 0102 0202 03E8 0201 10 {scheme}")), 0x6700),
        (0x51, &pbes2(&std::format!("3018 0609 2A864886F70D01050C 300B 0402 0102 0202 03E8 0201 20 {scheme}")), 0x9000),
        (0x51, X963, 0x9000),
        (0x51, &std::format!("{X963} 8108 2A864886F70D0209"), 0x9000),
        (0x51, &std::format!("{X963} 8100"), 0x6700),
        (0x51, &std::format!("{X963} 8108 2A864886F70D0206"), 0x6700),
    ] {
        let bytes = hex(data);
        let parsed = SymmetricOperation::parse(AlgorithmId(algorithm), &bytes);
        let status = parsed.map_or_else(|status| status, |_| Status::OK);
        assert_eq!(status.value(), expected, "{algorithm:02X} {data}");
    }
}
