//! The bare crates, used as Ferrite could. They have the features that Ferrite gives them, without tables of multiples of
//! the base point: a second set of features cannot be in one program.

use super::{DIGEST, Implementation, Keys, Operation};
use ecdsa::elliptic_curve::sec1::{FromSec1Point, ModulusSize, ToSec1Point};
use ecdsa::elliptic_curve::{AffinePoint, CurveArithmetic, FieldBytesSize, PublicKey, SecretKey, ecdh};
use ecdsa::{EcdsaCurve, hazmat};
use ed448_goldilocks as ed448;
use ed25519_dalek::Signer as _;
use ferrite_crypto::{ec, edwards, montgomery};
use rand_core::Rng as _;
use rsa::Generate as _;
use rsa::signature::RandomizedSigner as _;
use rsa::traits::RandomizedDecryptor as _;
use sha2::digest::block_api::BlockSizeUser;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// The crate of a curve, if there is one.
pub(super) fn weierstrass(curve: ec::Curve, keys: &Keys) -> Option<Implementation> {
    Some(match curve {
        ec::Curve::P192 => generic::<p192::NistP192, Sha256>("p192 crate", keys),
        ec::Curve::P224 => generic::<p224::NistP224, Sha256>("p224 crate", keys),
        ec::Curve::P256 => generic::<p256::NistP256, Sha256>("p256 crate", keys),
        ec::Curve::P384 => generic::<p384::NistP384, Sha384>("p384 crate", keys),
        ec::Curve::P521 => generic::<p521::NistP521, Sha512>("p521 crate", keys),
        ec::Curve::Secp256k1 => generic::<k256::Secp256k1, Sha256>("k256 crate", keys),
        ec::Curve::BrainpoolP256r1 => generic::<bp256::BrainpoolP256r1, Sha256>("bp256 crate", keys),
        ec::Curve::BrainpoolP384r1 => generic::<bp384::BrainpoolP384r1, Sha384>("bp384 crate", keys),
        ec::Curve::Secp192k1 | ec::Curve::BrainpoolP512r1 => return None,
    })
}

/// Signatures are hedged with random bytes, and nonces drawn with the same hash as Ferrite's.
fn generic<C, D>(name: &'static str, keys: &Keys) -> Implementation
where
    C: CurveArithmetic + EcdsaCurve,
    FieldBytesSize<C>: ModulusSize,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    D: Digest + BlockSizeUser,
{
    let key = SecretKey::<C>::from_slice(&keys.private).expect("a scalar").to_nonzero_scalar();
    let peer = keys.peer.clone();
    let [mut generating, mut signing] = [crate::rng(), crate::rng()];
    Implementation::new(name)
        .with(Operation::Generate, move || SecretKey::<C>::generate_from_rng(&mut generating).public_key())
        .with(Operation::Sign, move || {
            let mut hedge = [0; 32];
            signing.fill_bytes(&mut hedge);
            hazmat::sign_prehashed_rfc6979::<C, D>(&key, &DIGEST, &hedge)
        })
        .with(Operation::Agree, move || {
            let peer = PublicKey::<C>::from_sec1_bytes(&peer).expect("a point");
            ecdh::diffie_hellman::<C>(key, peer.as_affine())
        })
}

pub(super) fn montgomery(curve: montgomery::Curve, keys: &Keys) -> Implementation {
    let mut rng = crate::rng();
    match curve {
        montgomery::Curve::X25519 => {
            let [key, peer] = [&keys.private, &keys.peer].map(|key| *key.first_chunk().expect("32 bytes"));
            Implementation::new("x25519-dalek crate")
                .with(Operation::Generate, move || {
                    x25519_dalek::PublicKey::from(&x25519_dalek::EphemeralSecret::random_from_rng(&mut rng))
                })
                .with(Operation::Agree, move || x25519_dalek::x25519(key, peer))
        }
        montgomery::Curve::X448 => {
            let [key, peer] = [&keys.private, &keys.peer].map(|key| *key.first_chunk().expect("56 bytes"));
            Implementation::new("x448 crate")
                .with(Operation::Generate, move || {
                    x448::PublicKey::from(&x448::EphemeralSecret::generate_from_rng(&mut rng))
                })
                .with(Operation::Agree, move || x448::x448(key, peer).expect("agrees"))
        }
    }
}

/// The public key, which signing needs, is computed beforehand; signatures are not checked.
pub(super) fn edwards(curve: edwards::Curve, seed: &[u8]) -> Implementation {
    let mut rng = crate::rng();
    match curve {
        edwards::Curve::Ed25519 => {
            let key = ed25519_dalek::SigningKey::from_bytes(seed.first_chunk().expect("32 bytes"));
            Implementation::new("ed25519-dalek crate, unchecked")
                .with(Operation::Generate, move || {
                    let mut seed = [0; 32];
                    rng.fill_bytes(&mut seed);
                    ed25519_dalek::SigningKey::from_bytes(&seed)
                })
                .with(Operation::Sign, move || key.sign(&DIGEST))
        }
        edwards::Curve::Ed448 => {
            let key = ed448::SigningKey::try_from(seed).expect("57 bytes");
            Implementation::new("ed448-goldilocks crate, unchecked")
                .with(Operation::Generate, move || ed448::SigningKey::generate_from_rng(&mut rng))
                .with(Operation::Sign, move || key.sign_raw(&DIGEST))
        }
    }
}

/// Private operations are blinded and checked, as Ferrite's are.
pub(super) fn rsa(bits: u16, key: &rsa::PrivateKey, cryptogram: &[u8]) -> Implementation {
    let signer = rsa::pkcs1v15::SigningKey::<Sha256>::new(key.clone());
    let decrypter = rsa::oaep::DecryptingKey::<Sha256>::new(key.clone());
    let cryptogram = cryptogram.to_vec();
    let [mut generating, mut signing, mut decrypting] = [crate::rng(), crate::rng(), crate::rng()];
    Implementation::new("rsa crate")
        .with(Operation::Generate, move || rsa::PrivateKey::new(&mut generating, usize::from(bits)).expect("a key"))
        .with(Operation::Sign, move || signer.sign_with_rng(&mut signing, &DIGEST))
        .with(Operation::Decrypt, move || decrypter.decrypt_with_rng(&mut decrypting, &cryptogram).expect("decrypts"))
}
