//! RSA with fixed-size numbers and no allocation (RFC 8017, FIPS 186-5 appendix A.1).
//!
//! Private operations use the Chinese remainder theorem, one prime for each of two workers, and are blinded afresh every
//! time: each prime p is replaced by k·p with a random odd 64-bit k, which changes every intermediate value, and each
//! exponent by d + r·(p − 1) with a random 64-bit r. The result is checked with the public exponent before it leaves.

mod kernel;
mod montgomery;
mod number;
pub(crate) mod padding;
mod prime;
mod schemes;
mod transfer;
mod verify;

use crate::drbg::Drbg;
use crate::{Error, Join};
use kernel::{LIMB_BITS, LIMB_BYTES, Limb, multiply_accumulate};
use montgomery::{Modulus, Number};
use number::{
    add, add_masked, add_small, divide_by_exponent, from_bytes, is_below, is_equal, multiply, reduce_by_exponent,
    reduce_once, remainder_by_exponent, subtract, to_bytes,
};
use rand_core::CryptoRng;
pub use schemes::{unpad_oaep, unpad_pkcs1};
pub use transfer::Parts;
#[cfg(test)]
pub(crate) use verify::verified_salt_len;
pub use verify::{verify_pkcs1, verify_pss};
use zeroize::{ZeroizeOnDrop, Zeroizing};

/// Longest modulus, in bytes.
pub const MAX_MODULUS: usize = 512;
/// The public exponent of every key (decision D16).
pub const EXPONENT: u32 = 65537;
/// Longest stored form of a private key, in bytes: length in units of 64 bits, p, q, 1/q modulo p.
pub const MAX_STORED: usize = 1 + 3 * MAX_MODULUS / 2;

/// Limbs of the blinding factors: 64 bits.
const BLIND_LIMBS: usize = 64 / LIMB_BITS;
/// Limbs of the longest prime.
const PRIME_LIMBS: usize = MAX_MODULUS / 2 / LIMB_BYTES;
/// Limbs of the longest blinded prime.
const BLINDED_LIMBS: usize = PRIME_LIMBS + BLIND_LIMBS;
/// Limbs of the longest modulus.
const MODULUS_LIMBS: usize = 2 * PRIME_LIMBS;

/// Length of a modulus: a multiple of 128 bits from 1024 to 4096.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModulusLen(u16);

impl ModulusLen {
    /// The length, if it is one of those supported.
    pub fn new(bits: u16) -> Option<Self> {
        ((1024..=4096).contains(&bits) && bits.is_multiple_of(128)).then_some(Self(bits))
    }

    /// In bits.
    pub fn bits(self) -> u16 {
        self.0
    }

    /// In bytes.
    pub fn bytes(self) -> usize {
        usize::from(self.0) / 8
    }

    /// Limbs of one of its two primes.
    fn prime_limbs(self) -> usize {
        self.bytes() / 2 / LIMB_BYTES
    }
}

/// Told about the progress of a key generation, from either worker.
pub trait Progress: Sync {
    /// One more candidate for a prime is being tested.
    fn candidate(&self);
}

/// Nobody wants to know.
impl Progress for () {
    fn candidate(&self) {}
}

/// A private key. It wipes itself.
#[derive(ZeroizeOnDrop)]
pub struct PrivateKey {
    #[zeroize(skip)]
    len: ModulusLen,
    p: [Limb; PRIME_LIMBS],
    q: [Limb; PRIME_LIMBS],
    /// 1 / q modulo p.
    q_inverse: [Limb; PRIME_LIMBS],
    n: [Limb; MODULUS_LIMBS],
}

impl PrivateKey {
    /// Makes a key. The workers of `join` search one prime each.
    pub fn generate(
        len: ModulusLen,
        rng: &mut impl CryptoRng,
        join: &mut impl Join,
        progress: &impl Progress,
    ) -> Result<Self, Error> {
        let limbs = len.prime_limbs();
        loop {
            let mut p = Zeroizing::new([0; PRIME_LIMBS]);
            let mut q = Zeroizing::new([0; PRIME_LIMBS]);
            let mut rng_p = Drbg::fork(rng, b"p");
            let mut rng_q = Drbg::fork(rng, b"q");
            join.join(
                || prime::search(&mut p[..limbs], &mut rng_p, progress),
                || prime::search(&mut q[..limbs], &mut rng_q, progress),
            );
            if prime::are_far_apart(&p[..limbs], &q[..limbs]) {
                return Self::from_limbs(len, &p, &q, None);
            }
        }
    }

    /// A key from its primes, big-endian, of the same whole number of 64-bit words, each with its top bit set. They are
    /// taken to be prime.
    pub fn from_primes(p: &[u8], q: &[u8]) -> Result<Self, Error> {
        let bits = u16::try_from(p.len().saturating_mul(16)).map_err(|_| Error::BadLength)?;
        let len = ModulusLen::new(bits).filter(|_| p.len() == q.len()).ok_or(Error::BadLength)?;
        let (p, q) = (Self::prime(p)?, Self::prime(q)?);
        let limbs = len.prime_limbs();
        if is_equal(&p[..limbs], &q[..limbs]).into() {
            return Err(Error::BadKey);
        }
        Self::from_limbs(len, &p, &q, None)
    }

    /// Writes the stored form and returns its length, at most [`MAX_STORED`].
    pub fn to_bytes(&self, out: &mut [u8]) -> Result<usize, Error> {
        let prime_len = self.len.bytes() / 2;
        let total = 1 + 3 * prime_len;
        let (first, rest) = out.get_mut(..total).and_then(|out| out.split_first_mut()).ok_or(Error::BadLength)?;
        *first = u8::try_from(self.len.bits() / 64).map_err(|_| Error::BadLength)?;
        for (chunk, number) in rest.chunks_exact_mut(prime_len).zip([&self.p, &self.q, &self.q_inverse]) {
            to_bytes(&number[..self.len.prime_limbs()], chunk);
        }
        Ok(total)
    }

    /// Reads the stored form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let (first, rest) = bytes.split_first().ok_or(Error::BadLength)?;
        let len = ModulusLen::new(u16::from(*first).saturating_mul(64)).ok_or(Error::BadLength)?;
        let prime_len = len.bytes() / 2;
        let (p, rest) = rest.split_at_checked(prime_len).ok_or(Error::BadLength)?;
        let (q, inverse) = rest.split_at_checked(prime_len).ok_or(Error::BadLength)?;
        if inverse.len() != prime_len {
            return Err(Error::BadLength);
        }
        let mut q_inverse = Zeroizing::new([0; PRIME_LIMBS]);
        from_bytes(inverse, q_inverse.as_mut());
        Self::from_limbs(len, &*Self::prime(p)?, &*Self::prime(q)?, Some(&*q_inverse))
    }

    /// Length of modulus and signatures, in bytes.
    #[expect(clippy::len_without_is_empty, reason = "the length of a modulus is never zero")]
    pub fn len(&self) -> usize {
        self.len.bytes()
    }

    /// Length of the modulus.
    pub fn modulus_len(&self) -> ModulusLen {
        self.len
    }

    /// Writes the modulus, big-endian, and returns its length.
    pub fn modulus(&self, out: &mut [u8]) -> Result<usize, Error> {
        let out = out.get_mut(..self.len()).ok_or(Error::BadLength)?;
        to_bytes(&self.n[..2 * self.len.prime_limbs()], out);
        Ok(self.len())
    }

    /// The private operation (RFC 8017 §5.1.2 RSADP, §5.2.1 RSASP1) on a block of the modulus' length, in place. After an
    /// error the block is wiped.
    pub fn private_operation(
        &self,
        block: &mut [u8],
        rng: &mut impl CryptoRng,
        join: &mut impl Join,
    ) -> Result<(), Error> {
        if block.len() != self.len() {
            return Err(Error::BadLength);
        }
        let limbs = 2 * self.len.prime_limbs();
        let mut input = Zeroizing::new([0; MODULUS_LIMBS]);
        from_bytes(block, &mut input[..limbs]);
        block.fill(0);
        if !is_below(&input[..limbs], &self.n[..limbs]) {
            return Err(Error::OutOfRange);
        }
        let output = self.crt(&input[..limbs], rng, join);
        if bool::from(is_equal(&public_operation(&self.n[..limbs], &output[..limbs])[..limbs], &input[..limbs])) {
            to_bytes(&output[..limbs], block);
            return Ok(());
        }
        Err(Error::Fault)
    }

    /// Garner's recombination: q-part + q · ((p-part − q-part) / q modulo p).
    fn crt(&self, input: &[Limb], rng: &mut impl CryptoRng, join: &mut impl Join) -> Zeroizing<[Limb; MODULUS_LIMBS]> {
        let limbs = self.len.prime_limbs();
        let (p, q) = (&self.p[..limbs], &self.q[..limbs]);
        let (blind_p, blind_q) = (Blinding::new(rng), Blinding::new(rng));
        let (mut part_p, part_q) = join.join(|| half(p, input, &blind_p), || half(q, input, &blind_q));

        let modulus = Modulus::<PRIME_LIMBS>::new(p);
        // q < 2p, because both have their top bit set: one subtraction takes the q-part below p.
        let mut reduced = part_q.clone();
        reduce_once(&mut reduced[..limbs], 0, p);
        let borrow = subtract(&mut part_p[..limbs], &reduced[..limbs]);
        add_masked(&mut part_p[..limbs], p, (0 as Limb).wrapping_sub(borrow));
        let mut form = Number::<PRIME_LIMBS>::new([0; PRIME_LIMBS]);
        modulus.enter(&part_p[..limbs], &mut form);
        let mut h = Number::<PRIME_LIMBS>::new([0; PRIME_LIMBS]);
        modulus.multiply_into(&form, &self.q_inverse, &mut h);

        let mut output = Zeroizing::new([0; MODULUS_LIMBS]);
        multiply(&h[..limbs], q, &mut output[..2 * limbs]);
        let mut wide = Zeroizing::new([0; MODULUS_LIMBS]);
        wide[..limbs].copy_from_slice(&part_q[..limbs]);
        add(&mut output[..2 * limbs], &wide[..2 * limbs]);
        output
    }

    fn prime(bytes: &[u8]) -> Result<Zeroizing<[Limb; PRIME_LIMBS]>, Error> {
        let mut prime = Zeroizing::new([0; PRIME_LIMBS]);
        from_bytes(bytes, prime.as_mut());
        let top = bytes.first().copied().unwrap_or(0);
        let has_form = top & 0x80 != 0 && prime[0] & 1 == 1 && remainder_by_exponent(prime.as_ref()) != 1;
        if has_form { Ok(prime) } else { Err(Error::BadKey) }
    }

    fn from_limbs(
        len: ModulusLen,
        p: &[Limb; PRIME_LIMBS],
        q: &[Limb; PRIME_LIMBS],
        q_inverse: Option<&[Limb; PRIME_LIMBS]>,
    ) -> Result<Self, Error> {
        let limbs = len.prime_limbs();
        let mut key = Self { len, p: *p, q: *q, q_inverse: [0; PRIME_LIMBS], n: [0; MODULUS_LIMBS] };
        multiply(&p[..limbs], &q[..limbs], &mut key.n[..2 * limbs]);
        if key.n[2 * limbs - 1] >> (LIMB_BITS - 1) == 0 {
            return Err(Error::BadKey);
        }
        match q_inverse {
            Some(inverse) => key.q_inverse = *inverse,
            None => inverse_modulo_prime(&q[..limbs], &p[..limbs], &mut key.q_inverse),
        }
        Ok(key)
    }
}

/// Random factors for one use of one prime.
#[derive(ZeroizeOnDrop)]
struct Blinding {
    modulus: [Limb; BLIND_LIMBS],
    exponent: [Limb; BLIND_LIMBS],
}

impl Blinding {
    fn new(rng: &mut impl CryptoRng) -> Self {
        let mut draw = || {
            let mut bytes = Zeroizing::new([0; 8]);
            rng.fill_bytes(bytes.as_mut());
            let mut limbs = [0; BLIND_LIMBS];
            from_bytes(bytes.as_ref(), &mut limbs);
            limbs
        };
        let mut this = Self { modulus: draw(), exponent: draw() };
        this.modulus[0] |= 1;
        this
    }
}

/// One half of the private operation: input ^ d modulo p, for d = 1/65537 modulo p − 1.
fn half(p: &[Limb], input: &[Limb], blinding: &Blinding) -> Number<PRIME_LIMBS> {
    let limbs = p.len();
    let blinded_limbs = limbs + BLIND_LIMBS;

    // d + r·(p − 1)
    let mut minus_one = Zeroizing::new([0; BLINDED_LIMBS]);
    minus_one[..limbs].copy_from_slice(p);
    minus_one[0] &= !1;
    let mut exponent = Zeroizing::new([0; BLINDED_LIMBS]);
    multiply(&minus_one[..limbs], &blinding.exponent, &mut exponent[..blinded_limbs]);
    let mut d = Zeroizing::new([0; BLINDED_LIMBS]);
    private_exponent(&minus_one[..limbs], &mut d[..=limbs]);
    // The sum stays below 2^64 · (p − 1).
    add(&mut exponent[..blinded_limbs], &d[..blinded_limbs]);

    // k·p, with k chosen so that the product has its top bit set.
    let mut k = Zeroizing::new(blinding.modulus);
    let mut modulus = Zeroizing::new([0; BLINDED_LIMBS]);
    k[BLIND_LIMBS - 1] |= 0b11 << (LIMB_BITS - 2);
    multiply(p, k.as_ref(), &mut modulus[..blinded_limbs]);
    let modulus = Modulus::<BLINDED_LIMBS>::new(&modulus[..blinded_limbs]);

    let mut base = Number::<BLINDED_LIMBS>::new([0; BLINDED_LIMBS]);
    modulus.enter(input, &mut base);
    let mut power = Number::<BLINDED_LIMBS>::new([0; BLINDED_LIMBS]);
    modulus.power(&base, &exponent[..blinded_limbs], &mut power);
    modulus.leave(&power.clone(), &mut power);

    let mut result = Number::<PRIME_LIMBS>::new([0; PRIME_LIMBS]);
    Modulus::<PRIME_LIMBS>::new(p).remainder(&power[..blinded_limbs], &mut result);
    result
}

/// `out = 1/65537 modulo order`, given p − 1 or (p − 1)·(q − 1); `out` is one limb longer.
///
/// The smallest d with 65537·d = 1 + c·order is found through c = −1/order modulo 65537, which is a small number.
fn private_exponent(order: &[Limb], out: &mut [Limb]) {
    let rest = u64::from(remainder_by_exponent(order));
    // By Fermat: 1/x = x^(65537 − 2) = x^65535, sixteen ones in binary.
    let reduce = |product: u64| u64::from(reduce_by_exponent(product));
    let inverse = (0..16).fold(1, |power, _| reduce(reduce(power * power) * rest));
    let c = u64::from(EXPONENT) - inverse;
    let (low, high) = out.split_at_mut(order.len());
    low.fill(0);
    let [carry, _] = multiply_accumulate(low, order, [c as Limb, 0], 0);
    high.fill(0);
    high[0] = carry;
    add_small(out, 1);
    divide_by_exponent(out);
}

/// `out = 1/a modulo p`, by Fermat: a^(p − 2).
fn inverse_modulo_prime(a: &[Limb], p: &[Limb], out: &mut [Limb; PRIME_LIMBS]) {
    let modulus = Modulus::<PRIME_LIMBS>::new(p);
    let mut form = Number::<PRIME_LIMBS>::new([0; PRIME_LIMBS]);
    modulus.enter(a, &mut form);
    let mut exponent = Zeroizing::new([0; PRIME_LIMBS]);
    let mut two = [0; PRIME_LIMBS];
    two[0] = 2;
    exponent[..p.len()].copy_from_slice(p);
    subtract(&mut exponent[..p.len()], &two[..p.len()]);
    let mut power = Number::<PRIME_LIMBS>::new([0; PRIME_LIMBS]);
    modulus.power(&form, &exponent[..p.len()], &mut power);
    modulus.leave(&power, out);
}

/// The public operation: number ^ 65537 modulo n.
fn public_operation(n: &[Limb], number: &[Limb]) -> Zeroizing<[Limb; MODULUS_LIMBS]> {
    let modulus = Modulus::<MODULUS_LIMBS>::new(n);
    let mut base = Number::<MODULUS_LIMBS>::new([0; MODULUS_LIMBS]);
    modulus.enter(number, &mut base);
    let mut power = base.clone();
    let mut square = Number::<MODULUS_LIMBS>::new([0; MODULUS_LIMBS]);
    for _ in 0..16 {
        modulus.square_into(&power, &mut square);
        core::mem::swap(&mut power, &mut square);
    }
    modulus.multiply_into(&power, &base, &mut square);
    let mut result = Zeroizing::new([0; MODULUS_LIMBS]);
    modulus.leave(&square, &mut result);
    result
}

/// The public operation on a block of the modulus' length, in place; both big-endian. The modulus is odd and has its top
/// bit set.
pub fn public(modulus: &[u8], block: &mut [u8]) -> Result<(), Error> {
    if modulus.len() != block.len() || modulus.len() > MAX_MODULUS || !modulus.len().is_multiple_of(LIMB_BYTES) {
        return Err(Error::BadLength);
    }
    let limbs = modulus.len() / LIMB_BYTES;
    let mut n = [0; MODULUS_LIMBS];
    let mut number = [0; MODULUS_LIMBS];
    from_bytes(modulus, &mut n[..limbs]);
    from_bytes(block, &mut number[..limbs]);
    if modulus.first().is_none_or(|top| top & 0x80 == 0) || n[0] & 1 == 0 {
        return Err(Error::BadKey);
    }
    if !is_below(&number[..limbs], &n[..limbs]) {
        return Err(Error::OutOfRange);
    }
    to_bytes(&public_operation(&n[..limbs], &number[..limbs])[..limbs], block);
    Ok(())
}

#[cfg(test)]
mod tests;
