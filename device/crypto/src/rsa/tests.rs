//! RSA against two independent implementations: `num-bigint` for the arithmetic, the `rsa` crate for the signatures.

use super::*;
use crate::Sequential;
use crate::hash::Hash;
use num_bigint::BigUint;
use proptest::prelude::*;
use rsa::signature::hazmat::PrehashVerifier;
use std::vec;
use std::vec::Vec;

fn rng(seed: u8) -> Drbg {
    Drbg::new(&[seed; 32], b"nonce", b"rsa tests")
}

fn key(bits: u16, seed: u8) -> PrivateKey {
    PrivateKey::generate(ModulusLen::new(bits).unwrap(), &mut rng(seed), &mut Sequential, &()).unwrap()
}

fn big(limbs: &[Limb]) -> BigUint {
    let bytes: Vec<u8> = limbs.iter().flat_map(|limb| limb.to_le_bytes()).collect();
    BigUint::from_bytes_le(&bytes)
}

fn limbs(number: &BigUint, len: usize) -> Vec<Limb> {
    let mut limbs = vec![0; len];
    from_bytes(&number.to_bytes_be(), &mut limbs);
    limbs
}

fn public_key(key: &PrivateKey) -> rsa::PublicKey {
    let mut modulus = [0; MAX_MODULUS];
    let len = key.modulus(&mut modulus).unwrap();
    let n = rsa::BoxedUint::from_be_slice(&modulus[..len], key.modulus_len().bits().into()).unwrap();
    rsa::PublicKey::new(n, rsa::BoxedUint::from(EXPONENT)).unwrap()
}

#[test]
fn the_private_operation_inverts_the_public_one_for_every_size() {
    for bits in [1024, 1152, 1536, 2048] {
        let key = key(bits, 7);
        let n = big(&key.n);
        assert_eq!(n.bits(), u64::from(bits));
        for message in [BigUint::from(0u8), BigUint::from(1u8), BigUint::from(2u8), &n - 1u8, &n >> 1, big(&key.p)] {
            let mut block = vec![0; key.len()];
            to_bytes(&limbs(&message, MODULUS_LIMBS), &mut block);
            key.private_operation(&mut block, &mut rng(8), &mut Sequential).unwrap();
            assert_eq!(BigUint::from_bytes_be(&block).modpow(&EXPONENT.into(), &n), message);
        }
    }
}

#[test]
fn signatures_verify_with_the_rsa_crate() {
    let key = key(1024, 3);
    let public = public_key(&key);
    let mut out = [0; MAX_MODULUS];
    macro_rules! check {
        ($hash:expr, $digest:ty) => {
            let digest = $hash.digest(&[b"message"]);
            let len = key.sign_pkcs1_digest($hash, digest.as_ref(), &mut out, &mut rng(1), &mut Sequential).unwrap();
            let signature = rsa::pkcs1v15::Signature::try_from(&out[..len]).unwrap();
            let verifier = rsa::pkcs1v15::VerifyingKey::<$digest>::new(public.clone());
            verifier.verify_prehash(digest.as_ref(), &signature).unwrap();

            let len = key.sign_pss($hash, digest.as_ref(), &mut out, &mut rng(1), &mut Sequential).unwrap();
            let signature = rsa::pss::Signature::try_from(&out[..len]).unwrap();
            let salt_len = if $hash == Hash::Sha512 { 62 } else { $hash.digest_len() };
            let verifier = rsa::pss::VerifyingKey::<$digest>::new_with_salt_len(public.clone(), salt_len);
            verifier.verify_prehash(digest.as_ref(), &signature).unwrap();
        };
    }
    check!(Hash::Sha1, sha1::Sha1);
    check!(Hash::Sha224, sha2::Sha224);
    check!(Hash::Sha256, sha2::Sha256);
    check!(Hash::Sha384, sha2::Sha384);
    check!(Hash::Sha512, sha2::Sha512);
}

/// The attack of Boneh, DeMillo and Lipton: one wrong half of the result gives the factors away.
#[test]
fn a_faulty_computation_releases_nothing() {
    let mut key = key(1024, 4);
    key.q_inverse[0] ^= 1;
    let mut block = vec![0x11; key.len()];
    assert_eq!(key.private_operation(&mut block, &mut rng(5), &mut Sequential), Err(Error::Fault));
    assert!(block.iter().all(|byte| *byte == 0));
    key.q_inverse[0] ^= 1;
    key.p[3] ^= 4;
    let mut block = vec![0x11; key.len()];
    assert_eq!(key.private_operation(&mut block, &mut rng(5), &mut Sequential), Err(Error::Fault));
    assert!(block.iter().all(|byte| *byte == 0));
}

#[test]
fn blocks_out_of_range_are_refused() {
    let key = key(1024, 6);
    let mut modulus = vec![0; key.len()];
    key.modulus(&mut modulus).unwrap();
    for mut block in [modulus, vec![0xFF; 128]] {
        assert_eq!(key.private_operation(&mut block, &mut rng(1), &mut Sequential), Err(Error::OutOfRange));
    }
    assert_eq!(key.private_operation(&mut [0; 127], &mut rng(1), &mut Sequential), Err(Error::BadLength));
    let mut out = [0; 128];
    assert_eq!(key.sign_pkcs1_prepared(&[0; 118], &mut out, &mut rng(1), &mut Sequential), Err(Error::BadLength));
    assert_eq!(key.sign_pkcs1_prepared(&[0; 117], &mut out, &mut rng(1), &mut Sequential), Ok(128));
    assert_eq!(key.sign_pss(Hash::Sha256, &[0; 31], &mut out, &mut rng(1), &mut Sequential), Err(Error::BadLength));
}

#[test]
fn a_key_is_the_same_after_storage() {
    let first = key(1536, 9);
    let mut stored = [0; MAX_STORED];
    let len = first.to_bytes(&mut stored).unwrap();
    assert_eq!(len, 1 + 3 * 96);
    let second = PrivateKey::from_bytes(&stored[..len]).unwrap();
    assert!((first.p, first.q, first.q_inverse, first.n) == (second.p, second.q, second.q_inverse, second.n));
    for wrong in [&stored[..0], &stored[..len - 1], &stored[..len + 1]] {
        assert_eq!(PrivateKey::from_bytes(wrong).err(), Some(Error::BadLength));
    }
    assert_eq!(PrivateKey::from_primes(&[0xFF; 64], &[0xFF; 64]).err(), Some(Error::BadKey));
    assert_eq!(ModulusLen::new(1025).or(ModulusLen::new(512)).or(ModulusLen::new(4224)), None);
}

#[test]
fn primes_from_elsewhere_make_the_same_key() {
    let mut oracle_rng = rng(10);
    let oracle = rsa::PrivateKey::new(&mut oracle_rng, 1024).unwrap();
    let primes = rsa::traits::PrivateKeyParts::primes(&oracle);
    let [p, q] = [0, 1].map(|i| primes[i].to_be_bytes());
    let key = PrivateKey::from_primes(&p[p.len() - 64..], &q[q.len() - 64..]).unwrap();
    assert!(public_key(&key) == oracle.to_public_key());
    let mut out = [0; 128];
    key.sign_pkcs1_prepared(b"digest info", &mut out, &mut rng(1), &mut Sequential).unwrap();
    let expected = oracle.sign(rsa::Pkcs1v15Sign::new_unprefixed(), b"digest info").unwrap();
    assert_eq!(&out[..], expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn modular_arithmetic_agrees_with_num_bigint(
        m in prop_oneof![proptest::collection::vec(any::<u8>(), 64), Just(vec![0xFF; 64])],
        a in prop_oneof![proptest::collection::vec(any::<u8>(), 128), Just(vec![0xFF; 128])],
        b in proptest::collection::vec(any::<u8>(), 64),
    ) {
        let mut m = m;
        m[0] |= 0x40;
        m[63] |= 1;
        let len = 64 / LIMB_BYTES;
        let m_big = BigUint::from_bytes_be(&m);
        let (a_big, b_big) = (BigUint::from_bytes_be(&a), BigUint::from_bytes_be(&b));
        let modulus = Modulus::<PRIME_LIMBS>::new(&limbs(&m_big, len));
        let mut a_form = Number::<PRIME_LIMBS>::new([0; PRIME_LIMBS]);
        let mut b_form = a_form.clone();
        let mut out = a_form.clone();
        modulus.enter(&limbs(&a_big, 2 * len), &mut a_form);
        modulus.enter(&limbs(&b_big, len), &mut b_form);
        modulus.multiply_into(&a_form, &b_form, &mut out);
        modulus.leave(&out.clone(), &mut out);
        prop_assert_eq!(big(out.as_ref()), &a_big * &b_big % &m_big);
        modulus.square_into(&a_form, &mut out);
        modulus.leave(&out.clone(), &mut out);
        prop_assert_eq!(big(out.as_ref()), &a_big * &a_big % &m_big);
        modulus.power(&a_form, &limbs(&b_big, len), &mut out);
        modulus.leave(&out.clone(), &mut out);
        prop_assert_eq!(big(out.as_ref()), a_big.modpow(&b_big, &m_big));
        modulus.remainder(&limbs(&a_big, 2 * len), &mut out);
        prop_assert_eq!(big(out.as_ref()), &a_big % &m_big);
    }

    #[test]
    fn small_divisions_agree_with_num_bigint(
        a in prop_oneof![proptest::collection::vec(any::<u8>(), 0..250), Just(vec![0xFF; 250]), Just(vec![0xFF, 0])],
        d in prop_oneof![2..=u16::MAX, Just(u16::MAX), Just(3)],
    ) {
        let number = BigUint::from_bytes_be(&a);
        let a = limbs(&number, PRIME_LIMBS);
        prop_assert_eq!(BigUint::from(number::remainder(&a, d)), &number % d);
        prop_assert_eq!(BigUint::from(remainder_by_exponent(&a)), &number % EXPONENT);
        let mut multiple = limbs(&(&number * EXPONENT), PRIME_LIMBS);
        divide_by_exponent(&mut multiple);
        prop_assert_eq!(big(&multiple), number);
    }

    #[test]
    fn products_are_reduced(a in 0..1u64 << 48) {
        prop_assert_eq!(u64::from(reduce_by_exponent(a)), a % u64::from(EXPONENT));
    }
}

/// Vector V4 of the specification, part 2 §14: a foreign key, with d modulo the least common multiple.
const FOREIGN: [&str; 4] = [
    "EE96772232487FB3A058D58F2C310023E07E4017C94D56CC5FAE4B54B44605F42A75B0B1F358991F8C6CBE9B68B64E5B2A09D0AD23FCAC07EE9A9198\
     A745E1EB",
    "D29872838CB9CFE6578E11F0A323438AEE5AE7F61D41412D62DB72B25DAC52019DE2D6A355EB2D033336FB70E73F0EC0AFECA3EF36DD8A90D83F998F\
     EE23B81B",
    "C44581CA64C0FA56527AA08823C81090396BDF45C869432BFE8E0ECD5B04062C0830B82BD03D7891548BF6068120464E09831924B0F103D5355A462C\
     97B1B2B55373C5A53407AE232A9221E64CFA8BA2C403DC4930CC98E7536416C510A117D4F86DF5DE5F71C9ED6998DE04A3FCC618209B20F0F43B9E12\
     2B388F2F3BE0BBC9",
    "67FC737169C41C5DD3C108805884CCD1BCBA7C469A91BA76FA9D0516A3DC13F10C3DD3B5D2D45EA690E6BE685FCD5BB248B3DE846402AD872E872F9A\
     BC9BF713D0B10EE5DF7802C829C23264CEB96471CA38DFD871D33BE6A1D22D262C632560F836C2A37ACED24F73905F8857ECBD20BBC4CF50DB1A9219\
     ECA55DD57028BA09",
];

fn number(text: &str) -> BigUint {
    BigUint::parse_bytes(text.as_bytes(), 16).unwrap()
}

#[test]
fn the_primes_of_a_foreign_key_are_found() {
    let [p, q, n, d] = FOREIGN.map(number);
    let key = PrivateKey::from_private_exponent(&n.to_bytes_be(), &d.to_bytes_be(), &mut rng(1)).unwrap();
    let mut found = [big(&key.p), big(&key.q)];
    found.sort();
    assert_eq!(found, [q, p]);
}

#[test]
fn every_key_comes_back_from_its_private_exponent() {
    for bits in [1024, 1152, 2048] {
        let key = key(bits, 9);
        let (p, q, n) = (big(&key.p), big(&key.q), big(&key.n));
        let mut d = vec![0; key.len()];
        assert_eq!(key.private_exponent(&mut d), Ok(key.len()));
        let order = (&p - 1u8) * (&q - 1u8);
        assert_eq!(BigUint::from_bytes_be(&d) * EXPONENT % &order, BigUint::from(1u8));
        assert!(BigUint::from_bytes_be(&d) < order);
        let again = PrivateKey::from_private_exponent(&n.to_bytes_be(), &d, &mut rng(2)).unwrap();
        let mut primes = [big(&again.p), big(&again.q)];
        primes.sort();
        assert_eq!(primes, if p < q { [p, q] } else { [q, p] });
    }
}

#[test]
fn a_key_is_read_from_its_parts_and_only_if_they_belong_together() {
    let [p, q, n, d] = FOREIGN.map(number);
    let one = BigUint::from(1u8);
    let q_inverse = q.modpow(&(&p - 2u8), &p);
    let numbers = [n.clone(), p.clone(), q.clone(), &d % (&p - &one), &d % (&q - &one), q_inverse];
    let import = |numbers: &[BigUint; 6]| {
        let bytes = numbers.each_ref().map(BigUint::to_bytes_be);
        let [modulus, p, q, d_p, d_q, q_inverse] = bytes.each_ref().map(Vec::as_slice);
        PrivateKey::from_parts(&Parts { modulus, p, q, d_p, d_q, q_inverse }, &mut rng(3))
    };
    assert_eq!(big(&import(&numbers).unwrap().n), n);
    for wrong in 0..numbers.len() {
        let mut numbers = numbers.clone();
        numbers[wrong] += 2u8;
        assert_eq!(import(&numbers).err(), Some(Error::BadKey), "part {wrong}");
    }
    // Two composite numbers that are otherwise consistent.
    let (p, q) = (&p - 2u8, &q - 2u8);
    let exponent = BigUint::from(EXPONENT);
    if let (Some(d_p), Some(d_q), Some(q_inverse)) =
        (exponent.modinv(&(&p - &one)), exponent.modinv(&(&q - &one)), q.modinv(&p))
    {
        assert_eq!(import(&[&p * &q, p, q, d_p, d_q, q_inverse]).err(), Some(Error::BadKey));
    }
}

#[test]
fn what_is_no_key_is_refused() {
    let [_, _, n, d] = FOREIGN.map(number);
    let import = |n: &BigUint, d: &BigUint| {
        PrivateKey::from_private_exponent(&n.to_bytes_be(), &d.to_bytes_be(), &mut rng(4)).err()
    };
    assert_eq!(import(&n, &(&d + 2u8)), Some(Error::BadKey));
    assert_eq!(import(&(&n + 2u8), &d), Some(Error::BadKey));
    assert_eq!(import(&n, &BigUint::from(0u8)), Some(Error::BadKey));
    assert_eq!(import(&n, &BigUint::from(1u8)), Some(Error::BadKey));
    assert_eq!(import(&(&n + 1u8), &d), Some(Error::BadKey));
    assert_eq!(import(&(&n >> 8), &d), Some(Error::BadLength));
    assert_eq!(import(&n, &(&d << 1024)), Some(Error::BadKey));
}
