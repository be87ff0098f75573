//! OpenSSL's library, which uses hand-written assembly for many of these on this processor. What needs to be set up once
//! for many operations is set up once.

use super::{DIGEST, Implementation, Keys, Operation};
use ferrite_crypto::{ec, edwards, montgomery};
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::error::ErrorStack;
use openssl::md::Md;
use openssl::nid::Nid;
use openssl::pkey::{HasPrivate, Id, PKey, PKeyRef, Private};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::{Padding, Rsa};
use openssl::sign::Signer;
use rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};

const NAME: &str = "OpenSSL";

/// A context for one kind of operation with a key.
fn context<T: HasPrivate>(
    key: &PKeyRef<T>,
    set_up: impl FnOnce(&mut PkeyCtx<T>) -> Result<(), ErrorStack>,
) -> Result<PkeyCtx<T>, ErrorStack> {
    let mut context = PkeyCtx::new(key)?;
    set_up(&mut context)?;
    Ok(context)
}

/// The shared secret with a peer.
fn agree(context: &mut PkeyCtx<Private>, peer: Result<PKey<openssl::pkey::Public>, ErrorStack>) -> Vec<u8> {
    let mut out = Vec::new();
    context.derive_set_peer(&*peer.expect("a public key")).expect("fits the key");
    context.derive_to_vec(&mut out).expect("agrees");
    out
}

pub(super) fn weierstrass(curve: ec::Curve, keys: &Keys) -> Implementation {
    let nid = match curve {
        ec::Curve::P192 => Nid::X9_62_PRIME192V1,
        ec::Curve::P224 => Nid::SECP224R1,
        ec::Curve::P256 => Nid::X9_62_PRIME256V1,
        ec::Curve::P384 => Nid::SECP384R1,
        ec::Curve::P521 => Nid::SECP521R1,
        ec::Curve::Secp192k1 => Nid::SECP192K1,
        ec::Curve::Secp256k1 => Nid::SECP256K1,
        ec::Curve::BrainpoolP256r1 => Nid::BRAINPOOL_P256R1,
        ec::Curve::BrainpoolP384r1 => Nid::BRAINPOOL_P384R1,
        ec::Curve::BrainpoolP512r1 => Nid::BRAINPOOL_P512R1,
    };
    named_curve(nid, keys).expect("OpenSSL knows the curve")
}

fn named_curve(nid: Nid, keys: &Keys) -> Result<Implementation, ErrorStack> {
    let group = EcGroup::from_curve_name(nid)?;
    let mut numbers = BigNumContext::new()?;
    let public = EcPoint::from_bytes(&group, &keys.public, &mut numbers)?;
    let key = EcKey::from_private_components(&group, &*BigNum::from_slice(&keys.private)?, &public)?;
    let key = PKey::from_ec_key(key)?;
    let mut generating = PkeyCtx::new_id(Id::EC)?;
    generating.keygen_init()?;
    generating.set_ec_paramgen_curve_nid(nid)?;
    let mut signing = context(&key, |context| context.sign_init())?;
    let mut agreeing = context(&key, |context| context.derive_init())?;
    let peer = keys.peer.clone();
    Ok(Implementation::new(NAME)
        .with(Operation::Generate, move || generating.keygen().expect("a key"))
        .with(Operation::Sign, move || {
            let mut out = Vec::new();
            signing.sign_to_vec(&DIGEST, &mut out).expect("signs");
            out
        })
        .with(Operation::Agree, move || {
            let peer = EcPoint::from_bytes(&group, &peer, &mut numbers).expect("a point");
            agree(&mut agreeing, EcKey::from_public_key(&group, &peer).and_then(PKey::from_ec_key))
        }))
}

pub(super) fn montgomery(curve: montgomery::Curve, keys: &Keys) -> Implementation {
    let id = match curve {
        montgomery::Curve::X25519 => Id::X25519,
        montgomery::Curve::X448 => Id::X448,
    };
    let key = PKey::private_key_from_raw_bytes(&keys.private, id).expect("a key");
    let mut agreeing = context(&key, |context| context.derive_init()).expect("can agree");
    let peer = keys.peer.clone();
    generator(id).with(Operation::Agree, move || agree(&mut agreeing, PKey::public_key_from_raw_bytes(&peer, id)))
}

/// The public key, which signing needs, is computed beforehand; signatures are not checked.
pub(super) fn edwards(curve: edwards::Curve, seed: &[u8]) -> Implementation {
    let id = match curve {
        edwards::Curve::Ed25519 => Id::ED25519,
        edwards::Curve::Ed448 => Id::ED448,
    };
    let key = PKey::private_key_from_raw_bytes(seed, id).expect("a key");
    let mut signer = Signer::new_without_digest(&key).expect("can sign");
    generator(id).with(Operation::Sign, move || signer.sign_oneshot_to_vec(&DIGEST).expect("signs"))
}

/// An implementation that can make keys, for which nothing but the algorithm needs to be said.
fn generator(id: Id) -> Implementation {
    let mut generating = PkeyCtx::new_id(id).expect("OpenSSL knows the curve");
    generating.keygen_init().expect("can make keys");
    Implementation::new(NAME).with(Operation::Generate, move || generating.keygen().expect("a key"))
}

/// Private operations are blinded, as OpenSSL does unless told otherwise, and checked.
pub(super) fn rsa(bits: u16, key: &rsa::PrivateKey, cryptogram: &[u8]) -> Implementation {
    from_parts(bits, key, cryptogram).expect("OpenSSL takes the key")
}

fn from_parts(bits: u16, key: &rsa::PrivateKey, cryptogram: &[u8]) -> Result<Implementation, ErrorStack> {
    let number = |number: &rsa::BoxedUint| BigNum::from_slice(&number.to_be_bytes());
    let [d, p, q] = [number(key.d())?, number(&key.primes()[0])?, number(&key.primes()[1])?];
    let mut numbers = BigNumContext::new()?;
    let one = BigNum::from_u32(1)?;
    let mut exponent = |prime: &BigNum| {
        let (mut minus_one, mut exponent) = (BigNum::new()?, BigNum::new()?);
        minus_one.checked_sub(prime, &one)?;
        exponent.nnmod(&d, &minus_one, &mut numbers)?;
        Ok::<_, ErrorStack>(exponent)
    };
    let [dp, dq] = [exponent(&p)?, exponent(&q)?];
    let mut inverse = BigNum::new()?;
    inverse.mod_inverse(&q, &p, &mut numbers)?;
    let key = Rsa::from_private_components(number(key.n())?, number(key.e())?, d, p, q, dp, dq, inverse)?;
    let key = PKey::from_rsa(key)?;

    let mut generating = PkeyCtx::new_id(Id::RSA)?;
    generating.keygen_init()?;
    generating.set_rsa_keygen_bits(u32::from(bits))?;
    let mut signing = context(&key, |context| {
        context.sign_init()?;
        context.set_rsa_padding(Padding::PKCS1)?;
        context.set_signature_md(Md::sha256())
    })?;
    let mut decrypting = context(&key, |context| {
        context.decrypt_init()?;
        context.set_rsa_padding(Padding::PKCS1_OAEP)?;
        context.set_rsa_oaep_md(Md::sha256())?;
        context.set_rsa_mgf1_md(Md::sha256())
    })?;
    let cryptogram = cryptogram.to_vec();
    Ok(Implementation::new(NAME)
        .with(Operation::Generate, move || generating.keygen().expect("a key"))
        .with(Operation::Sign, move || {
            let mut out = Vec::new();
            signing.sign_to_vec(&DIGEST, &mut out).expect("signs");
            out
        })
        .with(Operation::Decrypt, move || {
            let mut out = Vec::new();
            decrypting.decrypt_to_vec(&cryptogram, &mut out).expect("decrypts");
            out
        }))
}
