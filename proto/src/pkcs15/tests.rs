//! Vectors of the specification, and any bytes.

use super::*;
use crate::fid::{FileId, KeyId};
use crate::tlv::Malformed;
use proptest::prelude::*;
use std::vec::Vec;

fn written(key_type: KeyType, id: u8, bits: u16) -> Vec<u8> {
    let (digits, len) = decimal(KeyId::new(id));
    let mut out = [0; MAX_KEY_DESCRIPTION];
    let description = KeyDescription { key_type, label: b"", id: &digits[..len], bits };
    let len = description.write(&mut out).unwrap();
    assert_eq!(KeyDescription::parse(&out[..len]), Ok(description));
    out[..len].to_vec()
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b' ').collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// Specification part 1 §5.4; the usage of AES keys is the corrected one of part 4 §1.7.5.
#[test]
fn descriptions_of_new_keys_are_as_on_the_wire() {
    for (key_type, id, bits, expected) in [
        (KeyType::Ec, 1, 256, "A01A30020C0030080401310303072080A10A30083002040002020100"),
        (KeyType::Rsa, 2, 2048, "301930020C0030070401320302 0274A10A30083002040002020800"),
        (KeyType::Aes, 16, 128, "A81F30020C003009040231360303 07C080A00630040202 0080A106300430020400"),
    ] {
        assert_eq!(written(key_type, id, bits), hex(expected));
    }
    assert_eq!(decimal(KeyId::new(255)), (*b"255", 3));
    assert_eq!(decimal(KeyId::new(107)), (*b"107", 3));
}

/// Specification part 4 §1.7.
#[test]
fn what_opensc_writes_is_read() {
    let rsa = hex("302A30100C07525341206B6579030206C0040101300A040122030204700201 02A10A30083002040002020800");
    let expected = KeyDescription { key_type: KeyType::Rsa, label: b"RSA key", id: &[0x22], bits: 2048 };
    assert_eq!(KeyDescription::parse(&rsa), Ok(expected));
    let with_subject =
        hex("A04130100C074543206365 7274030206C0040101300F0401110303073080030203B8020101A010300E300C310A300806035504\
         030C0178A10A30083002040002020100");
    let description = KeyDescription::parse(&with_subject).unwrap();
    assert_eq!((description.label, description.bits), (&b"EC cert"[..], 256));
    let data = hex("301D300B0C05646174613103020640 30060C0461707031A10630040402CF00");
    let expected = ObjectDescription { label: b"data1", name: Name::Application(b"app1"), value: FileId::new(0xCF00) };
    assert_eq!(ObjectDescription::parse(&data), Ok(expected));
    let mut out = [0; 64];
    let len = expected.write(&mut out).unwrap();
    assert_eq!(out[..len], data);
    let nameless = hex("301B300B0C056461746131030206403004 06022A03A1 0630040402CF00");
    let expected_nameless = ObjectDescription { name: Name::Application(b""), ..expected };
    assert_eq!(ObjectDescription::parse(&nameless), Ok(expected_nameless));
    let certificate = hex("301E300D0C0743412063657274030206403003040199A10830063004 0402CA00");
    let expected = ObjectDescription { label: b"CA cert", name: Name::Id(&[0x99]), value: FileId::new(0xCA00) };
    assert_eq!(ObjectDescription::parse(&certificate), Ok(expected));
    let len = expected.write(&mut out).unwrap();
    assert_eq!(out[..len], certificate);
}

#[test]
fn the_token_describes_itself() {
    let mut out = [0; 64];
    let len = default_token_info(6, &[1, 2, 3, 4, 5, 6, 7, 8], &mut out).unwrap();
    assert_eq!(out[..len], hex("3027020106040801020304050607080C0746657272697465800B466572726974652048534D03020430"));
    let info = TokenInfo::parse(&out[..len]).unwrap();
    assert_eq!((info.label, info.manufacturer), (Some(LABEL), Some(MANUFACTURER)));
    assert_eq!(info.serial, Some(&[1, 2, 3, 4, 5, 6, 7, 8][..]));
    let by_opensc = hex("300C020100800374 6F6B03020520");
    let expected = TokenInfo { serial: None, manufacturer: None, label: Some(b"tok") };
    assert_eq!(TokenInfo::parse(&by_opensc), Ok(expected));
    assert_eq!(TokenInfo::parse(&by_opensc[..by_opensc.len() - 1]), Err(Malformed));
    let len = ef_dir(&mut out).unwrap();
    assert_eq!(out[..len], hex("611A4F0BE82B0601040181C31F0201500B466572726974652048534D"));
}

proptest! {
    #[test]
    fn any_bytes_are_a_description_or_malformed(bytes: Vec<u8>) {
        let _ = KeyDescription::parse(&bytes);
        let _ = ObjectDescription::parse(&bytes);
        let _ = TokenInfo::parse(&bytes);
    }
}
