//! Numbers as little-endian slices of limbs, with operations whose time depends on the lengths only.

use super::kernel::{LIMB_BITS, LIMB_BYTES, Limb, multiply_accumulate};
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
    let mut borrow = false;
    for (a, b) in a.iter_mut().zip(b) {
        let (difference, first) = a.overflowing_sub(*b);
        let (difference, second) = difference.overflowing_sub(Limb::from(borrow));
        *a = difference;
        borrow = first | second;
    }
    Limb::from(borrow)
}

/// `a += b` where `mask` is all ones, and nothing where it is zero.
pub(super) fn add_masked(a: &mut [Limb], b: &[Limb], mask: Limb) {
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
    let mut borrow = false;
    for (a, b) in a.iter().zip(b) {
        let (difference, first) = a.overflowing_sub(*b);
        let (_, second) = difference.overflowing_sub(Limb::from(borrow));
        borrow = first | second;
    }
    borrow
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

/// Remainder of a division by a small number.
pub(super) fn remainder(number: &[Limb], divisor: u32) -> u32 {
    let divisor = u64::from(divisor);
    let mut rest: u64 = 0;
    for limb in number.iter().rev() {
        for half in halves(*limb) {
            rest = ((rest << 32) | u64::from(half)) % divisor;
        }
    }
    rest as u32
}

/// Divides by a small number in place, leaving the quotient.
pub(super) fn divide(number: &mut [Limb], divisor: u32) {
    let divisor = u64::from(divisor);
    let mut rest: u64 = 0;
    for limb in number.iter_mut().rev() {
        let mut quotient: Limb = 0;
        for half in halves(*limb) {
            let part = (rest << 32) | u64::from(half);
            quotient = quotient.wrapping_shl(32) | (part / divisor) as Limb;
            rest = part % divisor;
        }
        *limb = quotient;
    }
}

/// A limb's 32-bit parts, the high one first. With limbs of 32 bits there is just one.
#[allow(clippy::useless_conversion, reason = "the limb's width depends on the target")]
fn halves(limb: Limb) -> impl Iterator<Item = u32> {
    (0..LIMB_BITS / 32).rev().map(move |i| (u64::from(limb) >> (32 * i)) as u32)
}
