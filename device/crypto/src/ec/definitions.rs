//! Curves over `primeorder` and `primefield`, whose arithmetic serves every prime of a length.
//!
//! Those that no crate defines, and some whose crates unroll it for their own prime: on a Cortex-M0+ that makes them a
//! tenth to a fifth faster, and the program larger by 200 KiB (docs/src/benchmarks.md).

use super::domain;
/// A curve in a module of its own. Its numbers are those of the module with the same name in [`domain`].
macro_rules! define_curve {
    (
        $(#[$doc:meta])* $module:ident, $name:ident, $uint:ident, $size:ident, $equation:ident,
        no_square_modulo_prime: $prime_non_residue:literal,
        no_square_modulo_order: $order_non_residue:literal,
    ) => {
        pub(super) use $module::$name;

        #[allow(deprecated, unreachable_pub, reason = "the macros of `primefield` want it so")]
        mod $module {
            use super::domain::$module::{A, B, ORDER as ORDER_HEX, PRIME, X, Y};
            use ecdsa::elliptic_curve::bigint::{Odd, $uint};
            use ecdsa::elliptic_curve::consts::$size;
            use ecdsa::elliptic_curve::ff::PrimeField;
            use ecdsa::elliptic_curve::hazmat::FieldArithmetic;
            use ecdsa::elliptic_curve::ops::BatchInvert;
            use ecdsa::elliptic_curve::point::PointCompression;
            use ecdsa::elliptic_curve::scalar::{FromUintUnchecked, IsHigh};
            use ecdsa::elliptic_curve::subtle::{Choice, ConstantTimeEq, ConstantTimeGreater, CtOption};
            use ecdsa::elliptic_curve::{self, Curve, CurveArithmetic, PrimeCurve, PrimeCurveArithmetic};
            use primeorder::{PrimeCurveParams, mul_backend, point_arithmetic};

            const ORDER: Odd<$uint> = Odd::<$uint>::from_be_hex(ORDER_HEX);

            $(#[$doc])*
            #[derive(Copy, Clone, Debug, Default, Eq, PartialEq, PartialOrd, Ord)]
            pub struct $name;

            // What is needed of a "multiplicative generator" is that it is no square: roots of unity derive from it.
            mod field {
                use super::*;

                primefield::monty_field_params! {
                    name: FieldParams,
                    modulus: PRIME,
                    uint: $uint,
                    byte_order: primefield::ByteOrder::BigEndian,
                    multiplicative_generator: $prime_non_residue,
                    doc: "The field."
                }
                primefield::monty_field_element! {
                    name: FieldElement,
                    params: FieldParams,
                    uint: $uint,
                    doc: "An element of the field."
                }
                primefield::monty_field_arithmetic! { name: FieldElement, params: FieldParams, uint: $uint }
                impl BatchInvert for FieldElement {}
            }
            pub use field::FieldElement;

            mod scalar {
                use super::*;

                primefield::monty_field_params! {
                    name: ScalarParams,
                    modulus: ORDER_HEX,
                    uint: $uint,
                    byte_order: primefield::ByteOrder::BigEndian,
                    multiplicative_generator: $order_non_residue,
                    doc: "The scalars."
                }
                primefield::monty_field_element! {
                    name: Scalar,
                    params: ScalarParams,
                    uint: $uint,
                    doc: "A number modulo the order."
                }
                primefield::monty_field_arithmetic! { name: Scalar, params: ScalarParams, uint: $uint }
                primefield::monty_field_reduce! { name: Scalar, params: ScalarParams, uint: $uint, }
            }
            pub use scalar::Scalar;

            elliptic_curve::scalar_impls!($name, Scalar);
            primeorder::wnaf::impl_wnaf_size_for_scalar!(Scalar);

            impl AsRef<Scalar> for Scalar {
                fn as_ref(&self) -> &Scalar {
                    self
                }
            }

            impl FromUintUnchecked for Scalar {
                type Uint = $uint;

                fn from_uint_unchecked(uint: $uint) -> Self {
                    Self::from_uint_unchecked(uint)
                }
            }

            impl IsHigh for Scalar {
                fn is_high(&self) -> Choice {
                    const HALF: $uint = ORDER.as_ref().shr_vartime(1);
                    self.to_canonical().ct_gt(&HALF)
                }
            }

            impl Curve for $name {
                type FieldBytesSize = $size;
                type Uint = $uint;
                const ORDER: Odd<$uint> = ORDER;
            }

            impl PrimeCurve for $name {}

            impl PointCompression for $name {
                const COMPRESS_POINTS: bool = false;
            }

            impl CurveArithmetic for $name {
                type AffinePoint = primeorder::AffinePoint<$name>;
                type ProjectivePoint = primeorder::ProjectivePoint<$name>;
                type Scalar = Scalar;
            }

            impl FieldArithmetic for $name {
                type FieldElement = FieldElement;
            }

            impl PrimeCurveArithmetic for $name {
                type CurveGroup = primeorder::ProjectivePoint<$name>;
            }

            impl PrimeCurveParams for $name {
                type PointArithmetic = point_arithmetic::$equation;
                type Backend = mul_backend::VariableOnly;
                const EQUATION_A: FieldElement = FieldElement::from_hex_vartime(A);
                const EQUATION_B: FieldElement = FieldElement::from_hex_vartime(B);
                const GENERATOR: (FieldElement, FieldElement) =
                    (FieldElement::from_hex_vartime(X), FieldElement::from_hex_vartime(Y));
            }

            impl ecdsa::EcdsaCurve for $name {
                const NORMALIZE_S: bool = false;
            }
        }
    };
}

define_curve! {
    /// secp192r1.
    p192, NistP192, U192, U24, EquationAIsMinusThree,
    no_square_modulo_prime: 11,
    no_square_modulo_order: 3,
}

define_curve! {
    /// secp192k1.
    secp192k1, Secp192k1, U192, U24, EquationAIsZero,
    no_square_modulo_prime: 3,
    no_square_modulo_order: 2,
}

define_curve! {
    /// brainpoolP256r1.
    brainpool_p256r1, BrainpoolP256r1, U256, U32, EquationAIsGeneric,
    no_square_modulo_prime: 11,
    no_square_modulo_order: 3,
}

define_curve! {
    /// brainpoolP384r1.
    brainpool_p384r1, BrainpoolP384r1, U384, U48, EquationAIsGeneric,
    no_square_modulo_prime: 2,
    no_square_modulo_order: 2,
}

define_curve! {
    /// brainpoolP512r1.
    brainpool_p512r1, BrainpoolP512r1, U512, U64, EquationAIsGeneric,
    no_square_modulo_prime: 2,
    no_square_modulo_order: 7,
}
