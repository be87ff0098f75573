//! Keys that come from elsewhere or go there: from primes or from the private exponent, and the private exponent of a key.

use super::kernel::{LIMB_BITS, Limb};
use super::montgomery::{Modulus, Number};
use super::number::{
    add_small, from_bytes, is_equal, multiply, shift_right, subtract, subtract_small, to_bytes, trailing_zeros,
};
use super::prime::is_probable_prime;
use super::{
    EXPONENT, MAX_MODULUS, MODULUS_LIMBS, ModulusLen, PRIME_LIMBS, PrivateKey, multiply_accumulate, private_exponent,
};
use crate::Error;
use crate::drbg::Drbg;
use rand_core::CryptoRng;
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};
use zeroize::Zeroizing;

/// Bases tried before a key is given up. Each finds the primes of a good key with a probability of at least one half.
const BASES: usize = 64;

/// The parts of a key as PKCS#1 names them (RFC 8017 §A.1.2), big-endian; leading zeros are allowed.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    /// n.
    pub modulus: &'a [u8],
    /// p.
    pub p: &'a [u8],
    /// q.
    pub q: &'a [u8],
    /// d modulo p − 1.
    pub d_p: &'a [u8],
    /// d modulo q − 1.
    pub d_q: &'a [u8],
    /// 1 / q modulo p.
    pub q_inverse: &'a [u8],
}

impl PrivateKey {
    /// A key from all its parts. [`Error::BadKey`] unless both primes are prime and the parts belong together and to
    /// the exponent 65537.
    pub fn from_parts(parts: &Parts<'_>, rng: &mut impl CryptoRng) -> Result<Self, Error> {
        let modulus = significant(parts.modulus);
        let half = modulus.len() / 2;
        let key = Self::from_primes(&padded(parts.p, half)?[..half], &padded(parts.q, half)?[..half])?;
        key.check(modulus, rng)?;
        let limbs = key.len.prime_limbs();
        for (prime, given) in [(&key.p, parts.d_p), (&key.q, parts.d_q)] {
            let mut minus_one = Zeroizing::new(*prime);
            minus_one[0] &= !1;
            let mut d = Zeroizing::new([0; PRIME_LIMBS + 1]);
            private_exponent(&minus_one[..limbs], &mut d[..=limbs]);
            demand_equal(&d[..limbs], given, half)?;
        }
        demand_equal(&key.q_inverse[..limbs], parts.q_inverse, half)?;
        Ok(key)
    }

    /// A key from modulus and private exponent for 65537: the primes are found with them (SP 800-56B appendix C.1).
    /// [`Error::BadKey`] if they do not belong together.
    pub fn from_private_exponent(modulus: &[u8], d: &[u8], rng: &mut impl CryptoRng) -> Result<Self, Error> {
        let modulus = significant(modulus);
        let bits = u16::try_from(modulus.len().saturating_mul(8)).map_err(|_| Error::BadLength)?;
        let len = ModulusLen::new(bits).ok_or(Error::BadLength)?;
        let limbs = 2 * len.prime_limbs();
        let mut n = [0; MODULUS_LIMBS];
        from_bytes(modulus, &mut n[..limbs]);
        if n[limbs - 1] >> (LIMB_BITS - 1) == 0 || n[0] & 1 == 0 {
            return Err(Error::BadKey);
        }
        let (p, q) = factor(&n[..limbs], significant(d), rng)?;
        let half = modulus.len() / 2;
        let mut bytes = Zeroizing::new([0; MAX_MODULUS]);
        let (p_bytes, q_bytes) = bytes[..modulus.len()].split_at_mut(half);
        to_bytes(&p[..limbs / 2], p_bytes);
        to_bytes(&q[..limbs / 2], q_bytes);
        let key = Self::from_primes(p_bytes, q_bytes)?;
        key.check(modulus, rng)?;
        Ok(key)
    }

    /// Writes the private exponent, 1/65537 modulo (p − 1)·(q − 1), big-endian and of the modulus' length, which it
    /// returns.
    pub fn private_exponent(&self, out: &mut [u8]) -> Result<usize, Error> {
        let out = out.get_mut(..self.len()).ok_or(Error::BadLength)?;
        let limbs = self.len.prime_limbs();
        let (mut p, mut q) = (Zeroizing::new(self.p), Zeroizing::new(self.q));
        p[0] &= !1;
        q[0] &= !1;
        let mut order = Zeroizing::new([0; MODULUS_LIMBS]);
        multiply(&p[..limbs], &q[..limbs], &mut order[..2 * limbs]);
        let mut d = Zeroizing::new([0; MODULUS_LIMBS + 1]);
        private_exponent(&order[..2 * limbs], &mut d[..=2 * limbs]);
        to_bytes(&d[..2 * limbs], out);
        Ok(self.len())
    }

    /// Whether the primes are prime and their product is this modulus.
    fn check(&self, modulus: &[u8], rng: &mut impl CryptoRng) -> Result<(), Error> {
        let limbs = self.len.prime_limbs();
        let mut rng = Drbg::fork(rng, b"import");
        demand_equal(&self.n[..2 * limbs], modulus, self.len())?;
        let is_prime = |prime: &[Limb], rng: &mut Drbg| is_probable_prime(&prime[..limbs], rng);
        if is_prime(&self.p, &mut rng) && is_prime(&self.q, &mut rng) { Ok(()) } else { Err(Error::BadKey) }
    }
}

/// The factors of n, each at least one limb shorter than n, given an exponent d that undoes 65537.
///
/// 65537·d − 1 = 2^twos · odd is a multiple of the order of every number. So g^odd squared again and again becomes 1; a
/// root of 1 other than 1 and −1 on the way shares one factor with n when decreased by 1, and the other when increased.
fn factor(
    n: &[Limb],
    d: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<(Number<MODULUS_LIMBS>, Number<MODULUS_LIMBS>), Error> {
    let len = n.len();
    let mut d_limbs = Zeroizing::new([0; MODULUS_LIMBS]);
    if d.len() > len * LIMB_BITS / 8 {
        return Err(Error::BadKey);
    }
    from_bytes(d, &mut d_limbs[..len]);
    let mut exponent = Zeroizing::new([0; MODULUS_LIMBS + 1]);
    let [carry, _] = multiply_accumulate(&mut exponent[..len], &d_limbs[..len], [EXPONENT as Limb, 0], 0);
    exponent[len] = carry;
    subtract_small(&mut exponent[..=len], 1);
    let twos = trailing_zeros(&exponent[..=len]);
    if twos == 0 || twos >= len * LIMB_BITS {
        return Err(Error::BadKey);
    }
    shift_right(&mut exponent[..=len], twos);

    let modulus = Modulus::<MODULUS_LIMBS>::new(n);
    let one = modulus.one();
    let mut minus_one = Number::<MODULUS_LIMBS>::new([0; MODULUS_LIMBS]);
    minus_one[..len].copy_from_slice(n);
    subtract(&mut minus_one[..len], &one[..len]);
    let is = |a: &[Limb; MODULUS_LIMBS], b: &[Limb; MODULUS_LIMBS]| bool::from(is_equal(&a[..len], &b[..len]));
    let mut root = Number::<MODULUS_LIMBS>::new([0; MODULUS_LIMBS]);
    let mut square = Number::<MODULUS_LIMBS>::new([0; MODULUS_LIMBS]);
    for _ in 0..BASES {
        let mut bytes = Zeroizing::new([0; MAX_MODULUS]);
        rng.fill_bytes(bytes.as_mut());
        from_bytes(&bytes[..len * LIMB_BITS / 8], &mut square[..len]);
        let mut base = Number::<MODULUS_LIMBS>::new([0; MODULUS_LIMBS]);
        modulus.enter(&square[..len], &mut base);
        modulus.power(&base, &exponent[..=len], &mut root);
        if is(&root, &one) {
            continue;
        }
        for _ in 0..twos {
            if is(&root, &minus_one) {
                break;
            }
            modulus.square_into(&root, &mut square);
            if is(&square, &one) {
                let mut plain = Number::<MODULUS_LIMBS>::new([0; MODULUS_LIMBS]);
                modulus.leave(&root, &mut plain);
                subtract_small(&mut plain[..len], 1);
                let p = common_factor(&plain, n);
                add_small(&mut plain[..len], 2);
                return Ok((p, common_factor(&plain, n)));
            }
            core::mem::swap(&mut root, &mut square);
        }
    }
    Err(Error::BadKey)
}

/// The greatest common divisor of a number and an odd one, in time that depends on their length only: in each step an odd
/// number is first made even by subtracting the smaller from the larger, and then halved.
fn common_factor(number: &[Limb; MODULUS_LIMBS], odd: &[Limb]) -> Number<MODULUS_LIMBS> {
    let len = odd.len();
    let mut a = Zeroizing::new(*number);
    let mut b = Number::<MODULUS_LIMBS>::new([0; MODULUS_LIMBS]);
    b[..len].copy_from_slice(odd);
    for _ in 0..2 * len * LIMB_BITS {
        let is_odd = (a[0] & 1).ct_eq(&1);
        let mut difference = a.clone();
        let is_below = subtract(&mut difference[..len], &b[..len]).ct_eq(&1);
        let exchanges = is_odd & is_below;
        for (a, b) in a[..len].iter_mut().zip(&mut b[..len]) {
            Limb::conditional_swap(a, b, exchanges);
        }
        let mut halved = a.clone();
        subtract(&mut halved[..len], &b[..len]);
        for (a, halved) in a[..len].iter_mut().zip(&halved[..len]) {
            a.conditional_assign(halved, is_odd);
        }
        shift_right(&mut a[..len], 1);
    }
    b
}

/// Whether a number is the one given, of at most `len` bytes.
fn demand_equal(number: &[Limb], given: &[u8], len: usize) -> Result<(), Error> {
    let mut bytes = Zeroizing::new([0; MAX_MODULUS]);
    let bytes = &mut bytes[..len];
    to_bytes(number, bytes);
    let is_equal: Choice = bytes.ct_eq(&padded(given, len)?[..len]);
    if is_equal.into() { Ok(()) } else { Err(Error::BadKey) }
}

/// A number in front of which zeros fill up to `len` bytes.
fn padded(number: &[u8], len: usize) -> Result<Zeroizing<[u8; MAX_MODULUS]>, Error> {
    let number = significant(number);
    let mut bytes = Zeroizing::new([0; MAX_MODULUS]);
    let start = len.checked_sub(number.len()).ok_or(Error::BadKey)?;
    bytes.get_mut(start..len).ok_or(Error::BadLength)?.copy_from_slice(number);
    Ok(bytes)
}

/// A number without leading zeros.
fn significant(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}
