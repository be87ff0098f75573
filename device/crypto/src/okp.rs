//! The numbers of curves 25519 and 448 as certificates carry them (specification part 1 §5.9).

use crate::ec::hex;

/// Domain parameters of a curve in Montgomery or Edwards form.
#[derive(Debug)]
pub struct Domain {
    /// Size of a key, in bits, as key descriptions give it.
    pub bits: u16,
    /// The prime, big-endian.
    pub prime: &'static [u8],
    /// Order of the base point, big-endian, padded to the length of the prime.
    pub order: &'static [u8],
    /// The base point, little-endian: its u coordinate, or the point as RFC 8032 encodes it.
    pub base: &'static [u8],
}

const PRIME_25519: [u8; 32] = hex("7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFED");
const ORDER_25519: [u8; 32] = hex("1000000000000000000000000000000014DEF9DEA2F79CD65812631A5CF5D3ED");
const PRIME_448: [u8; 56] = hex(concat!(
    "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFE",
    "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
));
const ORDER_448: [u8; 56] = hex(concat!(
    "3FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
    "7CCA23E9C44EDB49AED63690216CC2728DC58F552378C292AB5844F3"
));

const fn u_coordinate<const N: usize>(first: u8) -> [u8; N] {
    let mut bytes = [0; N];
    bytes[0] = first;
    bytes
}

pub(crate) const X25519: Domain =
    Domain { bits: 256, prime: &PRIME_25519, order: &ORDER_25519, base: &u_coordinate::<32>(9) };
pub(crate) const X448: Domain =
    Domain { bits: 448, prime: &PRIME_448, order: &ORDER_448, base: &u_coordinate::<56>(5) };
pub(crate) const ED25519: Domain = Domain {
    bits: 256,
    prime: &PRIME_25519,
    order: &ORDER_25519,
    base: &hex::<32>("5866666666666666666666666666666666666666666666666666666666666666"),
};
pub(crate) const ED448: Domain = Domain {
    bits: 456,
    prime: &PRIME_448,
    order: &ORDER_448,
    base: &hex::<57>(concat!(
        "14FA30F25B790898ADC8D74E2C13BDFDC4397CE61CFFD33AD7C2A0051E9C78874098A36C73",
        "73EA4B62C7C9563720768824BCB66E71463F6900"
    )),
};
