//! Ferrite's own.

use super::{DIGEST, Implementation, Keys, Operation};
use ferrite_crypto::hash::Hash;
use ferrite_crypto::rsa::{MAX_MODULUS, ModulusLen, PrivateKey};
use ferrite_crypto::{Join, ec, edwards, montgomery};
use rsa::traits::PrivateKeyParts as _;
use std::rc::Rc;

const NAME: &str = "ferrite";

/// Signatures are hedged with random bytes; a peer's point is read and checked.
pub(super) fn weierstrass(curve: ec::Curve, keys: &Keys) -> Implementation {
    let key = Rc::new(ec::PrivateKey::from_bytes(curve, &keys.private).expect("a key"));
    let (same_key, peer) = (key.clone(), keys.peer.clone());
    let [mut generating, mut signing] = [crate::rng(), crate::rng()];
    Implementation::new(NAME)
        .with(Operation::Generate, move || {
            ec::PrivateKey::generate(curve, &mut generating).public_key().expect("a public key")
        })
        .with(Operation::Sign, move || key.sign(&DIGEST, &mut signing).expect("signs"))
        .with(Operation::Agree, move || same_key.agree(&peer).expect("agrees"))
}

pub(super) fn montgomery(curve: montgomery::Curve, keys: &Keys) -> Implementation {
    let key = montgomery::PrivateKey::from_bytes(curve, &keys.private).expect("a key");
    let peer = keys.peer.clone();
    let mut rng = crate::rng();
    Implementation::new(NAME)
        .with(Operation::Generate, move || {
            montgomery::PrivateKey::generate(curve, &mut rng).public_key().expect("a public key")
        })
        .with(Operation::Agree, move || key.agree(&peer).expect("agrees"))
}

/// Signatures are checked before they leave.
pub(super) fn edwards(curve: edwards::Curve, seed: &[u8]) -> Implementation {
    let key = edwards::PrivateKey::from_bytes(curve, seed).expect("a key");
    let mut rng = crate::rng();
    Implementation::new(NAME)
        .with(Operation::Generate, move || {
            edwards::PrivateKey::generate(curve, &mut rng).public_key().expect("a public key")
        })
        .with(Operation::Sign, move || key.sign(&DIGEST).expect("signs"))
}

/// Private operations are blinded, and checked with the public exponent. How the workers are joined is the caller's choice.
pub(super) fn rsa<J: Join + 'static>(
    name: &'static str,
    join: impl Fn() -> J,
    bits: u16,
    key: &rsa::PrivateKey,
    cryptogram: &[u8],
) -> Implementation {
    let len = ModulusLen::new(bits).expect("a legal length");
    let primes = key.primes();
    let [p, q] = [0, 1].map(|i| primes[i].to_be_bytes());
    let key = Rc::new(PrivateKey::from_primes(&p, &q).expect("the same key"));
    let (same_key, cryptogram) = (key.clone(), cryptogram.to_vec());
    let [mut generating, mut signing, mut decrypting] = [crate::rng(), crate::rng(), crate::rng()];
    let [mut join, mut join_signing, mut join_decrypting] = [join(), join(), join()];
    Implementation::new(name)
        .with(Operation::Generate, move || {
            PrivateKey::generate(len, &mut generating, &mut join, &()).expect("a key");
        })
        .with(Operation::Sign, move || {
            let mut out = [0; MAX_MODULUS];
            key.sign_pkcs1_digest(Hash::Sha256, &DIGEST, &mut out, &mut signing, &mut join_signing).expect("signs");
            out
        })
        .with(Operation::Decrypt, move || {
            let mut out = [0; MAX_MODULUS];
            same_key
                .decrypt_oaep(Hash::Sha256, &cryptogram, &mut out, &mut decrypting, &mut join_decrypting)
                .expect("decrypts");
            out
        })
}
