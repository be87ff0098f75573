//! Speed of Ferrite beside other implementations.
//!
//! The candidates of a row take turns within one run, so that whatever else the machine does hits them alike; the row
//! shows the median time of each and its ratio to Ferrite's. See `docs/src/benchmarks.md`.

mod card;
mod openssl;

use ferrite_crypto::drbg::Drbg;
use ferrite_crypto::ec::{Curve, PrivateKey};
use ferrite_crypto::hash::Hash;
use ferrite_crypto::rsa::{self as ferrite_rsa, ModulusLen};
use ferrite_crypto::{Join, Sequential};
use p256::ecdsa::SigningKey;
use p256::ecdsa::signature::hazmat::RandomizedPrehashSigner;
use rsa::signature::RandomizedSigner;
use sha2::Sha256;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// A second worker in a thread of its own.
struct Threads;

impl Join for Threads {
    fn join<A: Send, B: Send>(&mut self, a: impl FnOnce() -> A + Send, b: impl FnOnce() -> B + Send) -> (A, B) {
        std::thread::scope(|scope| {
            let b = scope.spawn(b);
            (a(), b.join().expect("the worker does not panic"))
        })
    }
}

/// One way of doing what a row measures.
type Candidate<'a> = (&'static str, Box<dyn FnMut() + 'a>);

/// Lets the candidates take turns and prints a row. The first is what the others are compared with.
fn row(name: &str, rounds: usize, candidates: &mut [Candidate<'_>]) {
    let mut times = vec![Vec::with_capacity(rounds); candidates.len()];
    for round in 0..rounds {
        for turn in 0..candidates.len() {
            // Each round starts with another candidate.
            let index = (turn + round) % candidates.len();
            let start = Instant::now();
            (candidates[index].1)();
            times[index].push(start.elapsed());
        }
    }
    let medians: Vec<Duration> = times.iter_mut().map(|times| median(times)).collect();
    println!("\n{name}   ({rounds} rounds)");
    for ((candidate, _), time) in candidates.iter().zip(&medians) {
        print_line(candidate, *time, medians[0]);
    }
}

/// The middle one of the times.
fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Prints one candidate: its time, and how many times that of the first candidate it is.
fn print_line(candidate: &str, time: Duration, first: Duration) {
    println!(
        "  {candidate:<34} {:>12.1} µs   × {:.2}",
        time.as_secs_f64() * 1e6,
        time.as_secs_f64() / first.as_secs_f64()
    );
}

fn rng() -> Drbg {
    let mut seed = [0; 48];
    getrandom::fill(&mut seed).expect("the system has randomness");
    Drbg::new(&seed, &[], b"ferrite bench")
}

fn p256() {
    let (mut ours, mut theirs) = (rng(), rng());
    let key = PrivateKey::generate(Curve::P256, &mut ours);
    let mut scalar = [0; 32];
    key.to_bytes(&mut scalar).expect("32 bytes");
    let bare = SigningKey::from_slice(&scalar).expect("a valid scalar");
    let digest = [0x5A; 32];
    row(
        "P-256 sign",
        2001,
        &mut [
            ("ferrite", Box::new(|| _ = black_box(key.sign(&digest, &mut ours)))),
            ("p256 crate, hedged as we do", {
                Box::new(|| {
                    let signature: p256::ecdsa::Signature =
                        bare.sign_prehash_with_rng(&mut theirs, &digest).expect("signs");
                    black_box(signature);
                })
            }),
        ],
    );
}

fn rsa_sign(bits: u16, rounds: usize) {
    let mut rngs = [rng(), rng(), rng()];
    let [first, second, third] = &mut rngs;
    let theirs = rsa::PrivateKey::new(third, usize::from(bits)).expect("a key");
    let primes = rsa::traits::PrivateKeyParts::primes(&theirs);
    let [p, q] = [0, 1].map(|i| primes[i].to_be_bytes());
    let ours = ferrite_rsa::PrivateKey::from_primes(&p, &q).expect("the same key");
    let their_signer = rsa::pkcs1v15::SigningKey::<Sha256>::new(theirs);
    let digest = Hash::Sha256.digest(&[b"message"]);
    let digest = digest.as_ref();
    row(
        &format!("RSA-{bits} sign, PKCS#1 v1.5, blinded and checked"),
        rounds,
        &mut [
            ("ferrite, one after the other", {
                Box::new(|| {
                    let mut out = [0; ferrite_rsa::MAX_MODULUS];
                    black_box(ours.sign_pkcs1_digest(Hash::Sha256, digest, &mut out, first, &mut Sequential))
                        .expect("signs");
                })
            }),
            ("ferrite, two workers", {
                Box::new(|| {
                    let mut out = [0; ferrite_rsa::MAX_MODULUS];
                    black_box(ours.sign_pkcs1_digest(Hash::Sha256, digest, &mut out, second, &mut Threads))
                        .expect("signs");
                })
            }),
            ("rsa crate", Box::new(|| drop(black_box(their_signer.sign_with_rng(third, b"message"))))),
        ],
    );
}

/// Times of key generation scatter widely: enough rounds for the median to mean something.
fn rsa_generate(bits: u16, rounds: usize) {
    let (mut first, mut second, mut third) = (rng(), rng(), rng());
    let len = ModulusLen::new(bits).expect("a legal length");
    row(
        &format!("RSA-{bits} key generation"),
        rounds,
        &mut [
            ("ferrite, one after the other", {
                Box::new(|| drop(black_box(ferrite_rsa::PrivateKey::generate(len, &mut first, &mut Sequential, &()))))
            }),
            ("ferrite, two workers", {
                Box::new(|| drop(black_box(ferrite_rsa::PrivateKey::generate(len, &mut second, &mut Threads, &()))))
            }),
            ("rsa crate", Box::new(|| drop(black_box(rsa::PrivateKey::new(&mut third, usize::from(bits)))))),
            ("openssl genrsa, process included", Box::new(|| openssl::generate(bits))),
        ],
    );
}

fn main() -> anyhow::Result<()> {
    card::latencies();
    p256();
    rsa_sign(2048, 301);
    rsa_sign(4096, 61);
    rsa_generate(2048, 101);
    rsa_generate(4096, 41);
    openssl::speed()
}
