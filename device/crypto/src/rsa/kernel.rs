//! The one multiplication kernel of RSA. Everything above it is the same on every chip; assembly for a chip replaces
//! [`multiply_accumulate`] and nothing else.

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

/// `accumulator += number * factor`; returns the carry out of the last limb. Both slices have the same length. Runs in
/// time that depends on the length only.
#[inline(always)]
pub(super) fn multiply_accumulate(accumulator: &mut [Limb], number: &[Limb], factor: Limb) -> Limb {
    let mut carry = 0;
    for (sum, limb) in accumulator.iter_mut().zip(number) {
        let wide = Wide::from(*limb) * Wide::from(factor) + Wide::from(*sum) + Wide::from(carry);
        *sum = wide as Limb;
        carry = (wide >> LIMB_BITS) as Limb;
    }
    carry
}
