//! Arithmetic modulo an odd number in Montgomery form.
//!
//! A modulus of `len` limbs lives in an array of `N`. The modulus may be secret, its length is not. Nothing here
//! branches or indexes on a value.

use super::kernel::{LIMB_BITS, Limb, multiply_accumulate, multiply_add};
use super::number::{add, lookup, multiply, reduce_once};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Bits of the exponent taken at a time; the table has 2^WINDOW entries.
const WINDOW: usize = 4;

/// An odd modulus with one of its two top bits set, and what multiplication modulo it needs.
#[derive(ZeroizeOnDrop)]
pub(super) struct Modulus<const N: usize> {
    limbs: [Limb; N],
    #[zeroize(skip)]
    len: usize,
    /// −1 / modulus modulo 2^LIMB_BITS.
    inverse: Limb,
    /// R modulo the modulus, R being 2^(LIMB_BITS · len): the number one in Montgomery form.
    one: [Limb; N],
    /// R² modulo the modulus, which takes a number into Montgomery form.
    square: [Limb; N],
}

/// A number in an array as large as its modulus'.
pub(super) type Number<const N: usize> = Zeroizing<[Limb; N]>;

/// Room for a product.
type Product<const N: usize> = Zeroizing<[[Limb; N]; 2]>;

impl<const N: usize> Modulus<N> {
    /// Prepares a modulus, which must be odd and above a quarter of R.
    pub(super) fn new(modulus: &[Limb]) -> Self {
        let len = modulus.len();
        let mut this = Self { limbs: [0; N], len, inverse: 0, one: [0; N], square: [0; N] };
        this.limbs[..len].copy_from_slice(modulus);
        // Newton's iteration doubles the number of right bits; an odd number is its own inverse modulo 8.
        let low = modulus.first().copied().unwrap_or(1);
        let mut inverse = low;
        for _ in 0..LIMB_BITS.ilog2() {
            inverse = inverse.wrapping_mul((2 as Limb).wrapping_sub(low.wrapping_mul(inverse)));
        }
        this.inverse = inverse.wrapping_neg();
        // R / 4 is below the modulus; doubled twice it is R.
        let mut one = Number::<N>::new([0; N]);
        one[len - 1] = 1 << (LIMB_BITS - 2);
        double(&mut one[..len], modulus);
        double(&mut one[..len], modulus);
        this.one = *one;
        // 2^(2^i) in Montgomery form by squaring: R² is 2^(LIMB_BITS · len) in Montgomery form.
        let mut power = one.clone();
        double(&mut power[..len], modulus);
        let exponent = LIMB_BITS * len;
        let mut result = power.clone();
        let mut scratch = Number::<N>::new([0; N]);
        for bit in (0..exponent.ilog2()).rev() {
            this.square_into(&result, &mut scratch);
            core::mem::swap(&mut result, &mut scratch);
            if (exponent >> bit) & 1 == 1 {
                double(&mut result[..len], modulus);
            }
        }
        this.square = *result;
        this
    }

    /// The modulus.
    pub(super) fn limbs(&self) -> &[Limb] {
        &self.limbs[..self.len]
    }

    /// One in Montgomery form.
    pub(super) fn one(&self) -> Number<N> {
        Zeroizing::new(self.one)
    }

    /// `out = a · b / R`.
    pub(super) fn multiply_into(&self, a: &[Limb; N], b: &[Limb; N], out: &mut [Limb; N]) {
        let len = self.len;
        let mut product: Product<N> = Zeroizing::new([[0; N]; 2]);
        let wide = product.as_flattened_mut();
        multiply(&a[..len], &b[..len], &mut wide[..2 * len]);
        self.reduce_into(&mut wide[..2 * len], out);
    }

    /// `out = a² / R`: the products of different limbs are computed once and doubled.
    pub(super) fn square_into(&self, a: &[Limb; N], out: &mut [Limb; N]) {
        let len = self.len;
        let mut product: Product<N> = Zeroizing::new([[0; N]; 2]);
        let wide = &mut product.as_flattened_mut()[..2 * len];
        for i in (0..len - 1).step_by(2) {
            let carry;
            (wide[2 * i + 1], carry) = multiply_add(a[i], a[i + 1], wide[2 * i + 1], 0);
            let rest = &mut wide[2 * i + 2..i + len];
            let carries = multiply_accumulate(rest, &a[i + 2..len], [a[i], a[i + 1]], carry);
            [wide[i + len], wide[i + len + 1]] = carries;
        }
        let mut shifted_out = 0;
        let mut carry = 0;
        for (pair, limb) in wide.chunks_exact_mut(2).zip(&a[..len]) {
            let [low, high] = pair else { continue };
            let next = *high >> (LIMB_BITS - 1);
            *high = (*high << 1) | (*low >> (LIMB_BITS - 1));
            *low = (*low << 1) | shifted_out;
            shifted_out = next;
            let above;
            (*low, above) = multiply_add(*limb, *limb, *low, carry);
            let overflows;
            (*high, overflows) = high.overflowing_add(above);
            carry = Limb::from(overflows);
        }
        self.reduce_into(wide, out);
    }

    /// `out = number · R modulo m`, for a number of up to twice the modulus' length: takes it into Montgomery form.
    pub(super) fn enter(&self, number: &[Limb], out: &mut [Limb; N]) {
        let len = self.len;
        // number = high · R + low, so number · R = high · R² + low · R = (high in form) in form + low in form.
        let (low, high) = number.split_at(len.min(number.len()));
        let mut part = Number::<N>::new([0; N]);
        let mut form = Number::<N>::new([0; N]);
        part[..high.len()].copy_from_slice(high);
        self.multiply_into(&part, &self.square, &mut form);
        self.multiply_into(&form.clone(), &self.square, &mut form);
        part.fill(0);
        part[..low.len()].copy_from_slice(low);
        self.multiply_into(&part, &self.square, out);
        let carry = add(&mut out[..len], &form[..len]);
        reduce_once(&mut out[..len], carry, self.limbs());
    }

    /// `out = number / R`: takes a number out of Montgomery form.
    pub(super) fn leave(&self, number: &[Limb; N], out: &mut [Limb; N]) {
        let mut wide: Product<N> = Zeroizing::new([[0; N]; 2]);
        let wide = &mut wide.as_flattened_mut()[..2 * self.len];
        wide[..self.len].copy_from_slice(&number[..self.len]);
        self.reduce_into(wide, out);
    }

    /// `out = number modulo m`, for a number of up to twice the modulus' length.
    pub(super) fn remainder(&self, number: &[Limb], out: &mut [Limb; N]) {
        let mut form = Number::<N>::new([0; N]);
        self.enter(number, &mut form);
        self.leave(&form, out);
    }

    /// `out = base ^ exponent`, base and result in Montgomery form. Every bit of the exponent's limbs is worked through,
    /// leading zeros too.
    pub(super) fn power(&self, base: &[Limb; N], exponent: &[Limb], out: &mut [Limb; N]) {
        let mut table: Zeroizing<[[Limb; N]; 1 << WINDOW]> = Zeroizing::new([[0; N]; 1 << WINDOW]);
        table[0] = self.one;
        table[1] = *base;
        for i in 2..1 << WINDOW {
            let (done, rest) = table.split_at_mut(i);
            if i % 2 == 0 {
                self.square_into(&done[i / 2], &mut rest[0]);
            } else {
                self.multiply_into(&done[i - 1], base, &mut rest[0]);
            }
        }
        let mut result = self.one();
        let mut factor = Number::<N>::new([0; N]);
        let mut scratch = Number::<N>::new([0; N]);
        for limb in exponent.iter().rev() {
            for window in (0..LIMB_BITS / WINDOW).rev() {
                for _ in 0..WINDOW / 2 {
                    self.square_into(&result, &mut scratch);
                    self.square_into(&scratch, &mut result);
                }
                let index = (limb >> (window * WINDOW)) & ((1 << WINDOW) - 1);
                lookup(table.as_ref(), index, &mut factor[..self.len]);
                self.multiply_into(&result, &factor, &mut scratch);
                core::mem::swap(&mut result, &mut scratch);
            }
        }
        *out = *result;
    }

    /// `out = wide / R modulo m`. `wide` has twice the modulus' length and is below m · R; it is used up.
    fn reduce_into(&self, wide: &mut [Limb], out: &mut [Limb; N]) {
        let len = self.len;
        let mut top = 0;
        for i in (0..len - 1).step_by(2) {
            let first = wide[i].wrapping_mul(self.inverse);
            // What the next limb will be once the first multiple of the modulus was added decides the second.
            let (_, carry) = multiply_add(first, self.limbs[0], wide[i], 0);
            let (next, _) = multiply_add(first, self.limbs[1], wide[i + 1], carry);
            let second = next.wrapping_mul(self.inverse);
            let carries = multiply_accumulate(&mut wide[i..i + len], self.limbs(), [first, second], 0);
            for (sum, carry) in wide[i + len..].iter_mut().zip(carries) {
                top = add_carries(sum, carry, top);
            }
        }
        if len % 2 == 1 {
            let factor = wide[len - 1].wrapping_mul(self.inverse);
            let [carry, _] = multiply_accumulate(&mut wide[len - 1..2 * len - 1], self.limbs(), [factor, 0], 0);
            top = add_carries(&mut wide[2 * len - 1], carry, top);
        }
        out[len..].zeroize();
        out[..len].copy_from_slice(&wide[len..]);
        reduce_once(&mut out[..len], top, self.limbs());
    }
}

/// `sum += carry + top`; returns the carry out of it.
fn add_carries(sum: &mut Limb, carry: Limb, top: Limb) -> Limb {
    let (first, overflows) = sum.overflowing_add(carry);
    let (second, overflows_again) = first.overflowing_add(top);
    *sum = second;
    Limb::from(overflows | overflows_again)
}

/// Doubles a number modulo `modulus`.
fn double(number: &mut [Limb], modulus: &[Limb]) {
    let mut carry = 0;
    for limb in number.iter_mut() {
        let next = *limb >> (LIMB_BITS - 1);
        *limb = (*limb << 1) | carry;
        carry = next;
    }
    reduce_once(number, carry, modulus);
}
