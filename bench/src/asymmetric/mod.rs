//! Asymmetric operations: those of Ferrite, of the bare crates and of OpenSSL, each written once and put together here.

mod crates;
mod ferrite;
#[cfg(feature = "openssl")]
mod openssl;

use ferrite_crypto::ec::{Curve, PrivateKey};
use ferrite_crypto::{Sequential, edwards, montgomery};
use rsa::traits::RandomizedEncryptor as _;
use sha2::Sha256;
use std::hint::black_box;

/// Rounds of a row of a curve.
const CURVE_ROUNDS: usize = 501;
/// Lengths of RSA and the rounds of their rows: of signatures and decryption, and of key generation. Times of the latter
/// scatter widely, so there must be enough for the median to mean something.
const RSA: [(u16, usize, usize); 3] = [(2048, 301, 101), (3072, 101, 41), (4096, 61, 31)];
/// What is signed: a digest, or a message that stands for one.
const DIGEST: [u8; 32] = [0x5A; 32];

/// What can be done with keys of an algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Generate,
    Sign,
    Agree,
    Decrypt,
}

impl Operation {
    const ALL: [Self; 4] = [Self::Generate, Self::Sign, Self::Agree, Self::Decrypt];

    fn name(self) -> &'static str {
        match self {
            Self::Generate => "key generation",
            Self::Sign => "sign",
            Self::Agree => "agree",
            Self::Decrypt => "decrypt",
        }
    }
}

/// Somebody's implementation of an algorithm: what it can do, each with a key of its own inside.
struct Implementation {
    name: &'static str,
    actions: Vec<(Operation, Box<dyn FnMut()>)>,
}

impl Implementation {
    fn new(name: &'static str) -> Self {
        Self { name, actions: Vec::new() }
    }

    /// Adds an operation. The compiler must not see that nobody looks at its result.
    fn with<T>(mut self, operation: Operation, mut action: impl FnMut() -> T + 'static) -> Self {
        self.actions.push((operation, Box::new(move || drop(black_box(action())))));
        self
    }

    fn action(&mut self, wanted: Operation) -> Option<crate::Candidate<'_>> {
        let (_, action) = self.actions.iter_mut().find(|(operation, _)| *operation == wanted)?;
        Some((self.name, Box::new(action)))
    }
}

/// Prints a row for each operation that any of the implementations has.
fn compare(algorithm: &str, rounds: impl Fn(Operation) -> usize, mut implementations: Vec<Implementation>) {
    for operation in Operation::ALL {
        let mut candidates: Vec<_> = implementations.iter_mut().filter_map(|one| one.action(operation)).collect();
        if !candidates.is_empty() {
            crate::row(&format!("{algorithm} {}", operation.name()), rounds(operation), &mut candidates);
        }
    }
}

/// The material that all implementations of a curve work with, so that none has the easier numbers. Encoded as the
/// curve's standard says.
struct Keys {
    private: Vec<u8>,
    #[cfg_attr(
        not(feature = "openssl"),
        expect(dead_code, reason = "the crates compute it, OpenSSL wants to be told")
    )]
    public: Vec<u8>,
    /// Somebody else's public key.
    peer: Vec<u8>,
}

fn weierstrass(curve: Curve) {
    let mut rng = crate::rng();
    let [key, peer] = [(), ()].map(|()| PrivateKey::generate(curve, &mut rng));
    let [public, peer] = [&key, &peer].map(|key| key.public_key().expect("a public key").as_ref().to_vec());
    let mut private = vec![0; curve.domain().order.len()];
    key.to_bytes(&mut private).expect("as long as the order");
    let keys = Keys { private, public, peer };
    let implementations = [
        Some(ferrite::weierstrass(curve, &keys)),
        crates::weierstrass(curve, &keys),
        #[cfg(feature = "openssl")]
        Some(openssl::weierstrass(curve, &keys)),
    ];
    compare(&format!("{curve:?}"), |_| CURVE_ROUNDS, implementations.into_iter().flatten().collect());
}

fn montgomery(curve: montgomery::Curve) {
    let mut rng = crate::rng();
    let [key, peer] = [(), ()].map(|()| montgomery::PrivateKey::generate(curve, &mut rng));
    let [public, peer] = [&key, &peer].map(|key| key.public_key().expect("a public key").as_ref().to_vec());
    let mut private = vec![0; curve.key_len()];
    key.to_bytes(&mut private).expect("as long as a key");
    let keys = Keys { private, public, peer };
    let implementations = vec![
        ferrite::montgomery(curve, &keys),
        crates::montgomery(curve, &keys),
        #[cfg(feature = "openssl")]
        openssl::montgomery(curve, &keys),
    ];
    compare(&format!("{curve:?}"), |_| CURVE_ROUNDS, implementations);
}

fn edwards(curve: edwards::Curve) {
    let mut seed = vec![0; curve.key_len()];
    let key = edwards::PrivateKey::generate(curve, &mut crate::rng());
    key.to_bytes(&mut seed).expect("as long as a key");
    let implementations = vec![
        ferrite::edwards(curve, &seed),
        crates::edwards(curve, &seed),
        #[cfg(feature = "openssl")]
        openssl::edwards(curve, &seed),
    ];
    compare(&format!("{curve:?}"), |_| CURVE_ROUNDS, implementations);
}

fn rsa((bits, rounds, rounds_of_generation): (u16, usize, usize)) {
    let mut rng = crate::rng();
    let key = rsa::PrivateKey::new(&mut rng, usize::from(bits)).expect("a key");
    let encrypting = rsa::oaep::EncryptingKey::<Sha256>::new(key.to_public_key());
    let cryptogram = encrypting.encrypt_with_rng(&mut rng, &DIGEST).expect("fits");
    let implementations = vec![
        ferrite::rsa("ferrite, one after the other", || Sequential, bits, &key, &cryptogram),
        ferrite::rsa("ferrite, two workers", || crate::Threads, bits, &key, &cryptogram),
        crates::rsa(bits, &key, &cryptogram),
        #[cfg(feature = "openssl")]
        openssl::rsa(bits, &key, &cryptogram),
    ];
    let rounds = |operation| if operation == Operation::Generate { rounds_of_generation } else { rounds };
    compare(&format!("RSA-{bits}"), rounds, implementations);
}

/// Prints every row.
pub(crate) fn rows() {
    Curve::ALL.iter().copied().for_each(weierstrass);
    montgomery::Curve::ALL.iter().copied().for_each(montgomery);
    edwards::Curve::ALL.iter().copied().for_each(edwards);
    RSA.into_iter().for_each(rsa);
}
