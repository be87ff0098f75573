//! Numbers as little-endian slices of limbs, with operations whose time depends on the lengths only.

use super::EXPONENT;
use super::kernel::{LIMB_BITS, LIMB_BYTES, Limb, multiply_accumulate, multiply_add, subtract_limb};
use core::hint::black_box;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

/// Reads a big-endian number into `out`, which is filled up with zeros. The number fits.
pub(super) fn from_bytes(bytes: &[u8], out: &mut [Limb]) {
    out.fill(0);
    for (limb, chunk) in out.iter_mut().zip(bytes.rchunks(LIMB_BYTES)) {
        *limb = chunk.iter().fold(0, |limb, byte| (limb << 8) | Limb::from(*byte));
    }
}

/// Writes a number big-endian into all of `out`.
pub(super) fn to_bytes(number: &[Limb], out: &mut [u8]) {
    out.fill(0);
    for (chunk, limb) in out.rchunks_mut(LIMB_BYTES).zip(number) {
        let bytes = limb.to_be_bytes();
        let from = bytes.len() - chunk.len();
        chunk.copy_from_slice(&bytes[from..]);
    }
}

/// `out = a · b`; `out` has the length of both together.
pub(super) fn multiply(a: &[Limb], b: &[Limb], out: &mut [Limb]) {
    out.fill(0);
    for (i, factor) in (0..).step_by(2).zip(b.chunks(2)) {
        let factor = [factor[0], factor.get(1).copied().unwrap_or(0)];
        let carries = multiply_accumulate(&mut out[i..i + a.len()], a, factor, 0);
        out[i + a.len()..].iter_mut().zip(carries).for_each(|(limb, carry)| *limb = carry);
    }
}

/// `a += b`; returns the carry.
pub(super) fn add(a: &mut [Limb], b: &[Limb]) -> Limb {
    let mut carry = false;
    for (a, b) in a.iter_mut().zip(b) {
        let (sum, first) = a.overflowing_add(*b);
        let (sum, second) = sum.overflowing_add(Limb::from(carry));
        *a = sum;
        carry = first | second;
    }
    Limb::from(carry)
}

/// `a -= b`; returns the borrow.
pub(super) fn subtract(a: &mut [Limb], b: &[Limb]) -> Limb {
    let mut borrow = 0;
    for (a, b) in a.iter_mut().zip(b) {
        (*a, borrow) = subtract_limb(*a, *b, borrow);
    }
    borrow
}

/// `a += b` where `mask` is all ones, and nothing where it is zero.
///
/// A compiler that sees that the mask comes from a single bit replaces the addition of nothing by a jump.
pub(super) fn add_masked(a: &mut [Limb], b: &[Limb], mask: Limb) {
    let mask = black_box(mask);
    let mut carry = false;
    for (a, b) in a.iter_mut().zip(b) {
        let (sum, first) = a.overflowing_add(*b & mask);
        let (sum, second) = sum.overflowing_add(Limb::from(carry));
        *a = sum;
        carry = first | second;
    }
}

/// `a -= m` if `a`, extended by `high`, is not below `m`.
pub(super) fn reduce_once(a: &mut [Limb], high: Limb, m: &[Limb]) {
    let borrow = subtract(a, m);
    // The subtraction was too much exactly when it borrowed and there was nothing above to borrow from.
    let mask = Limb::from(0u8).wrapping_sub(borrow & (high ^ 1));
    add_masked(a, m, mask);
}

/// Whether two numbers of the same length are equal.
pub(super) fn is_equal(a: &[Limb], b: &[Limb]) -> Choice {
    a.ct_eq(b)
}

/// Whether `a` is below `b`, both of the same length.
pub(super) fn is_below(a: &[Limb], b: &[Limb]) -> bool {
    a.iter().zip(b).fold(0, |borrow, (a, b)| subtract_limb(*a, *b, borrow).1) == 1
}

/// Copies `table[index]` into `out`, reading every entry.
pub(super) fn lookup<const N: usize>(table: &[[Limb; N]], index: Limb, out: &mut [Limb]) {
    out.fill(0);
    for (i, entry) in table.iter().enumerate() {
        let here = (i as Limb).ct_eq(&index);
        let mask = Limb::conditional_select(&0, &Limb::MAX, here);
        for (out, limb) in out.iter_mut().zip(entry) {
            *out |= *limb & mask;
        }
    }
}

/// Remainder of a division by a small number, which is public. Processors without a division of constant time divide in
/// software whose time depends on the number: here the quotient is estimated with a reciprocal and corrected.
pub(super) fn remainder(number: &[Limb], divisor: u16) -> u32 {
    let divisor = u32::from(divisor);
    let reciprocal = (1u64 << 32) / u64::from(divisor);
    number.iter().rev().flat_map(|limb| digits(*limb)).fold(0, |rest, digit| {
        let part = (rest << 16) | digit;
        // The estimate is right or one too small.
        let quotient = ((u64::from(part) * reciprocal) >> 32) as u32;
        subtract_once(part.wrapping_sub(quotient.wrapping_mul(divisor)), divisor)
    })
}

/// Remainder of a division by 65537. 2^16 is −1 there: digits are added and subtracted in turn.
pub(super) fn remainder_by_exponent(number: &[Limb]) -> u32 {
    // Each of at most 256 digits is below the modulus; the sum starts high enough never to become negative.
    let digits = number.iter().flat_map(|limb| digits(*limb).rev());
    let (sum, _) = digits.fold((256 * EXPONENT, 0u32), |(sum, sign), digit| {
        (sum.wrapping_add((digit ^ sign).wrapping_sub(sign)), !sign)
    });
    reduce_by_exponent(u64::from(sum))
}

/// A number below 2^48 modulo 65537.
pub(super) fn reduce_by_exponent(number: u64) -> u32 {
    let digit = |i: u32| ((number >> (16 * i)) & 0xFFFF) as u32;
    // Between 1 and less than three times the modulus.
    let folded = digit(0) + digit(2) + EXPONENT - digit(1);
    subtract_once(subtract_once(folded, EXPONENT), EXPONENT)
}

/// `number − modulus` if that is not negative, otherwise the number. Both are below 2^31.
fn subtract_once(number: u32, modulus: u32) -> u32 {
    let lower = number.wrapping_sub(modulus);
    // The sign, in every bit; hidden from the compiler for the same reason as in `add_masked`.
    let mask = black_box((lower as i32 >> 31) as u32);
    lower.wrapping_add(modulus & mask)
}

/// Divides a multiple of 65537 by it, in place. Without a remainder the quotient can be had from the low end, by
/// multiplying with the inverse modulo 2^LIMB_BITS.
pub(super) fn divide_by_exponent(number: &mut [Limb]) {
    const DIVISOR: Limb = EXPONENT as Limb;
    let mut inverse = DIVISOR;
    for _ in 0..LIMB_BITS.ilog2() {
        inverse = inverse.wrapping_mul((2 as Limb).wrapping_sub(DIVISOR.wrapping_mul(inverse)));
    }
    let mut taken = 0;
    for limb in number {
        let (rest, borrow) = subtract_limb(*limb, taken, 0);
        *limb = rest.wrapping_mul(inverse);
        let (_, high) = multiply_add(*limb, DIVISOR, 0, 0);
        taken = high + borrow;
    }
}

/// A limb's 16-bit digits, the high one first.
#[allow(clippy::unnecessary_cast, reason = "the limb's width depends on the target")]
fn digits(limb: Limb) -> impl DoubleEndedIterator<Item = u32> {
    (0..LIMB_BITS / 16).rev().map(move |i| ((limb >> (16 * i)) & 0xFFFF) as u32)
}

/// `number += small`; returns the carry.
pub(super) fn add_small(number: &mut [Limb], small: Limb) -> Limb {
    let Some((first, rest)) = number.split_first_mut() else { return small };
    let (sum, mut carry) = first.overflowing_add(small);
    *first = sum;
    for limb in rest {
        carry = add(core::slice::from_mut(limb), &[Limb::from(carry)]) != 0;
    }
    Limb::from(carry)
}

/// How often two divides the number.
pub(super) fn trailing_zeros(number: &[Limb]) -> usize {
    let zeros = number.iter().take_while(|limb| **limb == 0).count();
    zeros * LIMB_BITS + number.get(zeros).map_or(0, |limb| limb.trailing_zeros() as usize)
}

/// Divides by two `count` times.
pub(super) fn shift_right(number: &mut [Limb], count: usize) {
    let (limbs, bits) = (count / LIMB_BITS, count % LIMB_BITS);
    let len = number.len();
    for i in 0..len {
        let low = number.get(i + limbs).copied().unwrap_or(0);
        let high = number.get(i + limbs + 1).copied().unwrap_or(0);
        number[i] = if bits == 0 { low } else { (low >> bits) | (high << (LIMB_BITS - bits)) };
    }
}

/// `number -= small`, which must not be greater.
pub(super) fn subtract_small(number: &mut [Limb], small: Limb) {
    let mut borrow = small;
    for limb in number {
        let (rest, above) = subtract_limb(*limb, borrow, 0);
        *limb = rest;
        borrow = above;
    }
}
