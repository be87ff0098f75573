//! The one multiplication kernel of RSA. Everything above it is the same on every chip; assembly for a chip replaces
//! [`multiply_accumulate`], and [`multiply_add`] where it likes, and nothing else.

/// A limb of a number: the machine's natural word.
#[cfg(target_pointer_width = "64")]
pub(super) type Limb = u64;
/// A limb of a number: the machine's natural word.
#[cfg(not(target_pointer_width = "64"))]
pub(super) type Limb = u32;

#[cfg(target_pointer_width = "64")]
type Wide = u128;
#[cfg(not(target_pointer_width = "64"))]
type Wide = u64;

/// Bits of a limb.
pub(super) const LIMB_BITS: usize = Limb::BITS as usize;
/// Bytes of a limb.
pub(super) const LIMB_BYTES: usize = LIMB_BITS / 8;

/// `a · b + c + d`, low and high half. It cannot overflow.
#[inline(always)]
pub(super) fn multiply_add(a: Limb, b: Limb, c: Limb, d: Limb) -> (Limb, Limb) {
    let wide = Wide::from(a) * Wide::from(b) + Wide::from(c) + Wide::from(d);
    (wide as Limb, (wide >> LIMB_BITS) as Limb)
}

/// `a − b − borrow`, and the borrow out of it. A comparison of two limbs, from which the borrow could be had as well,
/// becomes a jump on processors that cannot do without, such as a Cortex-M0+.
#[inline(always)]
pub(super) fn subtract_limb(a: Limb, b: Limb, borrow: Limb) -> (Limb, Limb) {
    let wide = Wide::from(a).wrapping_sub(Wide::from(b)).wrapping_sub(Wide::from(borrow));
    (wide as Limb, (wide >> LIMB_BITS) as Limb & 1)
}

/// `accumulator += number · factor + carry`, where the factor has two limbs, low and high; returns the two limbs that do
/// not fit. Accumulator and number have the same length, and the time depends on that only.
///
/// Two limbs of the factor at a time make two chains of carries that a processor can work on at once, and touch the
/// accumulator half as often.
#[inline(always)]
pub(super) fn multiply_accumulate(
    accumulator: &mut [Limb],
    number: &[Limb],
    factor: [Limb; 2],
    carry: Limb,
) -> [Limb; 2] {
    let [low, high] = factor;
    let (mut carry_low, mut carry_high, mut previous) = (carry, 0, 0);
    for (sum, limb) in accumulator.iter_mut().zip(number) {
        let part;
        (part, carry_low) = multiply_add(*limb, low, *sum, carry_low);
        (*sum, carry_high) = multiply_add(previous, high, part, carry_high);
        previous = *limb;
    }
    let (first, second) = multiply_add(previous, high, carry_low, carry_high);
    [first, second]
}
