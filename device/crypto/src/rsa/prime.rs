//! Probable primes for RSA (FIPS 186-5 appendix A.1.3, B.3.1): random starting points, an incremental sieve over small
//! primes, then Miller-Rabin with random bases.

use super::kernel::{LIMB_BITS, Limb};
use super::montgomery::{Modulus, Number};
use super::number::{
    add_small, is_below, is_equal, remainder, remainder_by_exponent, shift_right, subtract, trailing_zeros,
};
use super::{PRIME_LIMBS, Progress};
use crate::drbg::Drbg;
use rand_core::Rng as _;
use zeroize::{Zeroize as _, Zeroizing};

/// Small odd primes the sieve strikes out multiples of.
static SMALL_PRIMES: [u16; 2048] = small_primes();
/// Odd candidates in one run of the sieve.
const SIEVE: usize = 2048;

/// The first odd primes.
const fn small_primes() -> [u16; 2048] {
    let mut primes = [3; 2048];
    let mut count = 1;
    let mut candidate: u16 = 5;
    while count < primes.len() {
        let mut i = 0;
        let mut is_prime = true;
        while i < count && primes[i] * primes[i] <= candidate {
            if candidate.is_multiple_of(primes[i]) {
                is_prime = false;
                break;
            }
            i += 1;
        }
        if is_prime {
            primes[count] = candidate;
            count += 1;
        }
        candidate += 2;
    }
    primes
}

/// Rounds of Miller-Rabin for a prime of this many bits (FIPS 186-5 table B.1 asks for at most 5 for primes of 1024 bits
/// and more; shorter primes are outside the standard and get more).
fn rounds(bits: usize) -> usize {
    if bits < 1024 { 8 } else { 5 }
}

/// Searches a prime of `out.len()` limbs with its two highest bits set, so that two of them make a modulus of full
/// length, and with p − 1 coprime to the public exponent.
pub(super) fn search(out: &mut [Limb], rng: &mut Drbg, progress: &dyn Progress) {
    let len = out.len();
    loop {
        random(out, rng);
        out[len - 1] |= 0b11 << (LIMB_BITS - 2);
        out[0] |= 1;
        let mut composite = [false; SIEVE];
        for prime in &SMALL_PRIMES {
            // start + 2·i ≡ 0 modulo the prime, for i = −start / 2.
            let rest = remainder(out, *prime);
            let prime = u32::from(*prime);
            // The candidate itself is no multiple of a small prime unless the rest is 0: then the gap is a whole prime.
            let gap = if rest == 0 { 0 } else { prime - rest };
            let first = if gap.is_multiple_of(2) { gap / 2 } else { (gap + prime) / 2 };
            composite.iter_mut().skip(first as usize).step_by(prime as usize).for_each(|mark| *mark = true);
        }
        let mut distance: Limb = 0;
        for (i, is_composite) in composite.into_iter().enumerate() {
            if is_composite {
                continue;
            }
            let offset = 2 * i as Limb;
            if add_small(out, offset - distance) != 0 {
                break;
            }
            distance = offset;
            progress.candidate();
            // 65537 is prime: p − 1 is coprime to it unless p ≡ 1.
            if remainder_by_exponent(out) != 1 && is_probable_prime(out, rng) {
                return;
            }
        }
    }
}

/// Miller-Rabin with random bases (FIPS 186-5 B.3.1). The exponentiations take the same time for every candidate of a
/// length; that a candidate was composite is no secret.
pub(super) fn is_probable_prime(candidate: &[Limb], rng: &mut Drbg) -> bool {
    let len = candidate.len();
    let modulus = Modulus::<PRIME_LIMBS>::new(candidate);
    let one = modulus.one();
    let mut minus_one = Number::<PRIME_LIMBS>::new([0; PRIME_LIMBS]);
    minus_one[..len].copy_from_slice(candidate);
    subtract(&mut minus_one[..len], &one[..len]);
    // candidate − 1 = 2^twos · odd
    let mut odd = Number::<PRIME_LIMBS>::new([0; PRIME_LIMBS]);
    odd[..len].copy_from_slice(candidate);
    odd[0] &= !1;
    let twos = trailing_zeros(&odd[..len]);
    shift_right(&mut odd[..len], twos);

    (0..rounds(len * LIMB_BITS)).all(|_| {
        let mut base = Number::<PRIME_LIMBS>::new([0; PRIME_LIMBS]);
        // A random number below the modulus; in Montgomery form it is as random as before. 0, 1 and −1 say nothing.
        loop {
            random(&mut base[..len], rng);
            let is_useless = is_equal(&base[..len], &one[..len]) | is_equal(&base[..len], &minus_one[..len]);
            if is_below(&base[..len], candidate) && !bool::from(is_useless) && base.iter().any(|limb| *limb != 0) {
                break;
            }
        }
        let mut power = Number::<PRIME_LIMBS>::new([0; PRIME_LIMBS]);
        modulus.power(&base, &odd[..len], &mut power);
        if bool::from(is_equal(&power[..len], &one[..len]) | is_equal(&power[..len], &minus_one[..len])) {
            return true;
        }
        (1..twos).any(|_| {
            let mut square = Number::<PRIME_LIMBS>::new([0; PRIME_LIMBS]);
            modulus.square_into(&power, &mut square);
            power = square;
            bool::from(is_equal(&power[..len], &minus_one[..len]))
        })
    })
}

/// Whether p and q differ enough (FIPS 186-5 A.1.3 step 5.4): |p − q| > 2^(nlen/2 − 100).
pub(super) fn are_far_apart(p: &[Limb], q: &[Limb]) -> bool {
    let mut difference = Zeroizing::new([0; PRIME_LIMBS]);
    let difference = &mut difference[..p.len()];
    let (large, small) = if is_below(p, q) { (q, p) } else { (p, q) };
    difference.copy_from_slice(large);
    subtract(difference, small);
    // One of the 100 highest bits must be set; of these, as many are looked at as make whole limbs.
    difference.iter().rev().take(100 / LIMB_BITS).any(|limb| *limb != 0)
}

fn random(out: &mut [Limb], rng: &mut Drbg) {
    for limb in out {
        let mut bytes = Limb::to_le_bytes(0);
        rng.fill_bytes(&mut bytes);
        *limb = Limb::from_le_bytes(bytes);
        bytes.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rsa::number::from_bytes;
    use std::vec;

    #[test]
    fn the_small_primes_are_the_first_odd_primes() {
        assert_eq!(SMALL_PRIMES[..8], [3, 5, 7, 11, 13, 17, 19, 23]);
        for (i, prime) in SMALL_PRIMES.iter().enumerate() {
            assert!((2..*prime).take_while(|d| u32::from(*d).pow(2) <= u32::from(*prime)).all(|d| prime % d != 0));
            assert!(i == 0 || SMALL_PRIMES[i - 1] < *prime);
        }
        assert_eq!(SMALL_PRIMES[2047], 17_881);
    }

    #[test]
    fn composites_that_fool_weaker_tests_are_refused() {
        let mut rng = Drbg::new(&[1; 32], &[], &[]);
        // 2^521 − 1 is prime, but not of whole limbs: take the published primes of the NIST curves instead.
        for (hex, is_prime) in [
            ("FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF", true),
            ("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551", true),
            ("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632553", false),
            // The square of a 64-bit prime, and a product of two.
            ("FFFFFFFFFFFFFF8A0000000000000D99", false),
        ] {
            let bytes = hex::decode(hex).unwrap();
            let mut limbs = vec![0; bytes.len() * 8 / LIMB_BITS];
            from_bytes(&bytes, &mut limbs);
            assert_eq!(is_probable_prime(&limbs, &mut rng), is_prime, "{hex}");
        }
    }

    #[test]
    fn primes_found_have_full_length() {
        let mut rng = Drbg::new(&[2; 32], &[], &[]);
        let mut prime = vec![0; 512 / LIMB_BITS];
        search(&mut prime, &mut rng, &());
        assert_eq!(prime[prime.len() - 1] >> (LIMB_BITS - 2), 3);
        assert!(is_probable_prime(&prime, &mut rng));
    }

    /// A product of primes p and 2p − 1 with p ≡ 3 modulo 4: about a quarter of all bases call it prime.
    #[test]
    fn one_round_is_not_enough_and_the_rounds_made_are() {
        let bytes = hex::decode("EF6C05F5AC8A891EEF4FC7A61A37F0CB").unwrap();
        let mut limbs = vec![0; bytes.len() * 8 / LIMB_BITS];
        from_bytes(&bytes, &mut limbs);
        let mut rng = Drbg::new(&[3; 32], &[], &[]);
        assert!((0..500).all(|_| !is_probable_prime(&limbs, &mut rng)));
        assert_eq!([512, 768, 1024, 1536, 2048].map(rounds), [8, 8, 5, 5, 5]);
    }

    #[test]
    fn primes_too_close_to_each_other_are_refused() {
        let p = vec![Limb::MAX; 1024 / LIMB_BITS];
        let mut q = p.clone();
        assert!(!are_far_apart(&p, &q));
        // The lower 924 bits do not count.
        q[..924 / LIMB_BITS].fill(0);
        assert!(!are_far_apart(&p, &q) && !are_far_apart(&q, &p));
        *q.last_mut().unwrap() -= 1;
        assert!(are_far_apart(&p, &q) && are_far_apart(&q, &p));
    }
}
