//! What a key on a Weierstrass curve can do, written once for all curves over `primeorder`.

use super::{MAX_FIELD, PublicKey, SharedSecret, Signature};
use crate::Error;
use core::marker::PhantomData;
use ecdsa::elliptic_curve::array::Array;
use ecdsa::elliptic_curve::bigint::Encoding as _;
use ecdsa::elliptic_curve::ops::Reduce as _;
use ecdsa::elliptic_curve::point::AffineCoordinates as _;
use ecdsa::elliptic_curve::sec1::{FromSec1Point, ModulusSize, Sec1Point, ToSec1Point};
use ecdsa::elliptic_curve::{AffinePoint, CurveArithmetic, FieldBytes, FieldBytesSize, Group as _, NonZeroScalar};
use ecdsa::elliptic_curve::{ProjectivePoint, Scalar, ff::PrimeField as _, group::Curve as _};
use ecdsa::{EcdsaCurve, hazmat};
use sha2::digest::block_api::BlockSizeUser;
use zeroize::Zeroizing;

/// The operations of a curve. Scalars are big-endian and have the order's length.
pub(super) trait Operations: Sync {
    /// Whether a scalar lies between 1 and the order − 1, and has the right length.
    fn check(&self, scalar: &[u8]) -> Result<(), Error>;
    /// The public point.
    fn public_key(&self, scalar: &[u8]) -> Result<PublicKey, Error>;
    /// ECDSA with the nonce of RFC 6979 over `additional` as §3.6 of it allows.
    fn sign(&self, scalar: &[u8], digest: &[u8], additional: &[u8]) -> Result<Signature, Error>;
    /// Checks an ECDSA signature, r ‖ s.
    fn verify(&self, point: &[u8], digest: &[u8], signature: &[u8]) -> Result<(), Error>;
    /// The X coordinate of scalar · point.
    fn agree(&self, scalar: &[u8], point: &[u8]) -> Result<SharedSecret, Error>;
    /// Replaces the scalar by scalar + tweak modulo the order.
    fn add(&self, scalar: &mut [u8], tweak: &[u8]) -> Result<(), Error>;
}

/// A curve, and the hash that draws its nonces: as strong as the curve.
pub(super) struct Weierstrass<C, D>(PhantomData<fn() -> (C, D)>);

impl<C, D> Weierstrass<C, D> {
    pub(super) const OPERATIONS: Self = Self(PhantomData);
}

/// A secret scalar, read.
fn scalar<C: CurveArithmetic>(bytes: &[u8]) -> Result<Zeroizing<NonZeroScalar<C>>, Error> {
    let bytes: Zeroizing<FieldBytes<C>> = Zeroizing::new(Array::try_from(bytes).map_err(|_| Error::BadLength)?);
    NonZeroScalar::from_repr(*bytes).into_option().map(Zeroizing::new).ok_or(Error::BadKey)
}

/// A public point, uncompressed or compressed, which must lie on the curve. As the cofactor is 1, it then is in the
/// right subgroup. The point at infinity is refused.
fn point<C>(bytes: &[u8]) -> Result<AffinePoint<C>, Error>
where
    C: CurveArithmetic,
    FieldBytesSize<C>: ModulusSize,
    AffinePoint<C>: FromSec1Point<C>,
{
    let field = size_of::<FieldBytes<C>>();
    match bytes {
        [0x04, coordinates @ ..] if coordinates.len() == field.saturating_mul(2) => {}
        [0x02 | 0x03, x @ ..] if x.len() == field => {}
        [0x00] => return Err(Error::BadKey),
        _ => return Err(Error::BadLength),
    }
    let encoded = Sec1Point::<C>::from_bytes(bytes).map_err(|_| Error::BadKey)?;
    AffinePoint::<C>::from_sec1_point(&encoded).into_option().ok_or(Error::BadKey)
}

/// An empty digest stands for the number zero, which `ecdsa` wants to see as a byte.
fn at_least_zero(digest: &[u8]) -> &[u8] {
    if digest.is_empty() { &[0] } else { digest }
}

impl<C, D> Operations for Weierstrass<C, D>
where
    C: CurveArithmetic + EcdsaCurve,
    FieldBytesSize<C>: ModulusSize,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    D: sha2::Digest + BlockSizeUser,
{
    fn check(&self, bytes: &[u8]) -> Result<(), Error> {
        scalar::<C>(bytes).map(|_| ())
    }

    fn public_key(&self, bytes: &[u8]) -> Result<PublicKey, Error> {
        let point = ProjectivePoint::<C>::mul_by_generator(scalar::<C>(bytes)?.as_ref());
        PublicKey::concat(&[point.to_affine().to_sec1_point(false).as_bytes()])
    }

    fn sign(&self, bytes: &[u8], digest: &[u8], additional: &[u8]) -> Result<Signature, Error> {
        let digest = at_least_zero(digest);
        let (signature, _) = hazmat::sign_prehashed_rfc6979::<C, D>(&*scalar::<C>(bytes)?, digest, additional);
        let (r, s) = signature.split_bytes();
        Signature::new(&r, &s)
    }

    fn verify(&self, bytes: &[u8], digest: &[u8], signature: &[u8]) -> Result<(), Error> {
        let point = ProjectivePoint::<C>::from(point::<C>(bytes)?);
        // Some curves' `ecdsa` takes the smaller of the two possible s only.
        let signature = ecdsa::Signature::<C>::from_slice(signature).map_err(|_| Error::BadSignature)?;
        let signature = if C::NORMALIZE_S { signature.normalize_s() } else { signature };
        hazmat::verify_prehashed(&point, at_least_zero(digest), &signature).map_err(|_| Error::BadSignature)
    }

    fn agree(&self, bytes: &[u8], peer: &[u8]) -> Result<SharedSecret, Error> {
        let scalar = scalar::<C>(bytes)?;
        let peer = ProjectivePoint::<C>::from(point::<C>(peer)?);
        let product = Zeroizing::new((peer * **scalar).to_affine());
        SharedSecret::concat(&[&Zeroizing::new(product.x())])
    }

    fn add(&self, bytes: &mut [u8], tweak: &[u8]) -> Result<(), Error> {
        let mut padded = [0; MAX_FIELD];
        let padded = padded.get_mut(..bytes.len()).ok_or(Error::BadLength)?;
        let start = padded.len().checked_sub(tweak.len()).ok_or(Error::BadLength)?;
        padded.get_mut(start..).ok_or(Error::BadLength)?.copy_from_slice(tweak);
        let bits = u32::try_from(padded.len().saturating_mul(8)).map_err(|_| Error::BadLength)?;
        let tweak = Scalar::<C>::reduce(&C::Uint::from_be_slice_truncated(padded, bits));
        let sum = Zeroizing::new(**scalar::<C>(bytes)? + tweak);
        let sum = Zeroizing::new(NonZeroScalar::<C>::new(*sum).into_option().ok_or(Error::BadKey)?);
        bytes.copy_from_slice(&Zeroizing::new(sum.to_repr()));
        Ok(())
    }
}
