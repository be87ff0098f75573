//! Somebody takes the flash out of a device that was used hard, and searches it for every secret that ever was in there:
//! as it is, reversed, as hexadecimal digits, in Base64, in wide characters, with every byte combined with a constant by
//! XOR or by addition.

mod common;

use common::host::{self, Host};
use common::*;
use ferrite_crypto::drbg::Drbg;
use ferrite_crypto::ec::{Curve, PrivateKey};
use ferrite_crypto::hash::Hash;
use ferrite_crypto::hd::{Kind, Node};
use ferrite_crypto::kdf;
use ferrite_crypto::lock::{Agreement, Mask};
use ferrite_proto::secure_messaging;
use ferrite_store::testing::{SeededRng, SharedFlash};
use rand_core::Rng;
use std::collections::{BTreeSet, HashMap};

/// Long secrets are searched for in pieces of this length: finding any of them is bad enough.
const PIECE: usize = 16;
/// Shortest secret that is searched for: the shortest PIN.
const SHORTEST: usize = 6;

/// A way to write bytes that hides nothing.
struct Encoding {
    name: &'static str,
    /// All ways in which the bytes may appear.
    encode: fn(&[u8]) -> Vec<Vec<u8>>,
}

const ENCODINGS: [Encoding; 8] = [
    Encoding { name: "plain", encode: |bytes| vec![bytes.to_vec()] },
    Encoding { name: "reversed", encode: |bytes| vec![reversed(bytes)] },
    Encoding { name: "hexadecimal", encode: |bytes| vec![hex::encode(bytes).into(), hex::encode_upper(bytes).into()] },
    Encoding {
        name: "reversed hexadecimal",
        encode: |bytes| {
            let bytes = reversed(bytes);
            vec![hex::encode(&bytes).into(), hex::encode_upper(&bytes).into()]
        },
    },
    Encoding { name: "Base64", encode: |bytes| (0..3).map(|before| base64(bytes, before)).collect() },
    Encoding {
        name: "wide characters",
        encode: |bytes| {
            let wide: Vec<u8> = bytes.iter().flat_map(|byte| [*byte, 0]).collect();
            vec![wide[..wide.len() - 1].to_vec()]
        },
    },
    Encoding { name: "swapped digits", encode: |bytes| vec![bytes.iter().map(|byte| byte.rotate_left(4)).collect()] },
    Encoding {
        name: "swapped in words",
        encode: |bytes| {
            let whole = bytes.len() / 4 * 4;
            vec![bytes[..whole].chunks(4).flat_map(reversed).collect()]
        },
    },
];

fn reversed(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().rev().copied().collect()
}

/// The digits that depend on these bytes alone when `before` bytes stand before them.
fn base64(bytes: &[u8], before: usize) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let padded = [&vec![0; before][..], bytes, &[0; 2]].concat();
    let bits = |at: usize| (0..6).fold(0, |value, bit| value << 1 | padded[(at + bit) / 8] >> (7 - (at + bit) % 8) & 1);
    let (start, end) = (before * 8, (before + bytes.len()) * 8);
    (0..)
        .map(|digit| digit * 6)
        .take_while(|at| at + 6 <= end)
        .filter(|at| *at >= start)
        .map(|at| DIGITS[usize::from(bits(at))])
        .collect()
}

/// What stays the same when a constant is combined with every byte.
type Invariant = fn(u8, u8) -> u8;
const INVARIANTS: [(&str, Invariant); 2] = [("XOR", |a, b| a ^ b), ("addition", u8::wrapping_sub)];

fn differences(bytes: &[u8], combine: Invariant) -> Vec<u8> {
    bytes.windows(2).map(|pair| combine(pair[1], pair[0])).collect()
}

/// Needles, by their first four bytes.
struct Needles {
    by_start: HashMap<[u8; 4], Vec<(Vec<u8>, String)>>,
    /// One bit for each start of three bytes that any needle has: most places are passed over quickly.
    starts: Vec<u8>,
}

impl Default for Needles {
    fn default() -> Self {
        Self { by_start: HashMap::new(), starts: vec![0; 1 << 21] }
    }
}

/// The place of a start's bit.
fn bit(start: &[u8]) -> (usize, u8) {
    (usize::from(start[0]) << 13 | usize::from(start[1]) << 5 | usize::from(start[2] >> 3), 1 << (start[2] & 7))
}

impl Needles {
    fn add(&mut self, needle: Vec<u8>, name: String) {
        // A needle of one byte repeated would be found in blank flash.
        if needle.len() >= SHORTEST - 1 && needle.iter().any(|byte| *byte != needle[0]) {
            let (byte, mask) = bit(&needle);
            self.starts[byte] |= mask;
            self.by_start.entry(needle[..4].try_into().unwrap()).or_default().push((needle, name));
        }
    }

    fn find(&self, image: &[u8]) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for (at, start) in image.windows(4).enumerate() {
            let (byte, mask) = bit(start);
            if self.starts[byte] & mask == 0 {
                continue;
            }
            let candidates = self.by_start.get(start).into_iter().flatten();
            found
                .extend(candidates.filter(|(needle, _)| image[at..].starts_with(needle)).map(|(_, name)| name.clone()));
        }
        found
    }
}

/// Every secret that was used, and how to find it.
#[derive(Default)]
struct Secrets {
    known: BTreeSet<Vec<u8>>,
    needles: Needles,
    invariant: [Needles; 2],
}

impl Secrets {
    fn add(&mut self, name: &str, secret: &[u8]) {
        assert!(secret.len() >= SHORTEST, "{name}");
        for piece in secret.chunks(PIECE).filter(|piece| piece.len() >= SHORTEST) {
            if !self.known.insert(piece.to_vec()) {
                continue;
            }
            for encoding in &ENCODINGS {
                for needle in (encoding.encode)(piece) {
                    self.needles.add(needle, format!("{name}, {}", encoding.name));
                }
            }
            for (needles, (combination, combine)) in self.invariant.iter_mut().zip(INVARIANTS) {
                needles.add(differences(piece, combine), format!("{name}, {combination}"));
                needles.add(differences(&reversed(piece), combine), format!("{name}, reversed, {combination}"));
            }
        }
    }

    fn find(&self, image: &[u8]) -> BTreeSet<String> {
        let mut found = self.needles.find(image);
        for (needles, (_, combine)) in self.invariant.iter().zip(INVARIANTS) {
            found.extend(needles.find(&differences(image, combine)));
        }
        found
    }

    /// Adds what the card keeps to itself, and searches its flash.
    #[track_caller]
    fn search(&mut self, device: &mut Device, flash: &SharedFlash, when: &str) {
        let _ = ferrite_card::testing::secrets(&mut device.card, &mut |name, bytes| {
            // Behind the byte that says which curve or length it is.
            let secret = if name == "key" && bytes.len() % 2 == 1 { &bytes[1..] } else { bytes };
            self.add(name, secret);
        });
        let found = self.find(flash.lock().bytes());
        assert!(found.is_empty(), "after {when}: {found:?}");
    }
}

/// Random bytes for PINs and keys: none is found by chance.
struct Source(SeededRng);

impl Source {
    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// A PIN as people have it.
    fn digits(&mut self, len: usize) -> Vec<u8> {
        let mut digits: Vec<u8> = (0..len).map(|_| b'0' + (self.0.next_u32() % 10) as u8).collect();
        digits[0] = b'0' + (digits[1] - b'0' + 1) % 10;
        digits
    }
}

#[test]
fn every_way_to_hide_a_secret_is_seen_through() {
    let mut source = Source(SeededRng::new(1));
    let mut secrets = Secrets::default();
    let blank = vec![0xFF; 1000];
    let pin = source.digits(6);
    let key: [u8; 32] = source.bytes();
    secrets.add("PIN", &pin);
    secrets.add("key", &key);
    assert!(secrets.find(&blank).is_empty());
    for secret in [&pin[..], &key] {
        let mut hidden: Vec<Vec<u8>> = ENCODINGS.iter().flat_map(|encoding| (encoding.encode)(secret)).collect();
        // All of Base64, not only the digits that depend on nothing else; and among others.
        hidden.push(base64(&[b"before", secret, b"behind"].concat(), 0));
        hidden.extend((1..=255).map(|constant| secret.iter().map(|byte| byte ^ constant).collect()));
        hidden.extend((1..=255).map(|constant| secret.iter().map(|byte| byte.wrapping_add(constant)).collect()));
        for (number, hidden) in hidden.iter().filter(|hidden| hidden.len() >= 6).enumerate() {
            let mut image = blank.clone();
            let at = source.0.next_u32() as usize % (image.len() - hidden.len());
            image[at..at + hidden.len()].copy_from_slice(hidden);
            assert!(!secrets.find(&image).is_empty(), "{number}: {hidden:02X?}");
        }
    }
}

/// The control in the real thing: were a PIN written as it is, this test would see it.
#[test]
fn a_planted_secret_is_found_in_a_used_flash() {
    let (mut device, flash) = Device::initialised();
    let mut secrets = Secrets::default();
    secrets.add("the user PIN", USER_PIN);
    device.login();
    secrets.search(&mut device, &flash, "login");
    // A public file with the PIN in it, which the store writes sealed under the root key; and a page by hand.
    device.ok(&update(0xCF01, 0, USER_PIN));
    secrets.search(&mut device, &flash, "a note of the PIN in a file");
    let end = flash.lock().bytes().len() - 100;
    flash.lock().bytes_mut()[end..end + 6].copy_from_slice(USER_PIN);
    let found = secrets.find(flash.lock().bytes());
    assert!(found.contains("the user PIN, plain"), "{found:?}");
}

#[test]
fn after_heavy_use_no_secret_is_found_on_flash() {
    let flash = SharedFlash::new(32);
    let mut device = Device::start(&flash);
    let mut secrets = Secrets::default();
    let mut source = Source(SeededRng::new(2));
    secrets.add("root key", &[0x5A; 32]);
    for round in 0..3 {
        let life = Life { device: &mut device, flash: &flash, secrets: &mut secrets, source: &mut source };
        life.live(round);
    }
    // The whole of it once more, after a start.
    drop(device);
    let mut device = Device::start(&flash);
    secrets.search(&mut device, &flash, "everything");
    println!("{} secrets, {} erasures", secrets.known.len(), flash.lock().erases().iter().sum::<u32>());
    assert!(secrets.known.len() > 150);
}

/// One life of a device, from INITIALIZE to the next.
struct Life<'a> {
    device: &'a mut Device,
    flash: &'a SharedFlash,
    secrets: &'a mut Secrets,
    source: &'a mut Source,
}

impl Life<'_> {
    fn search(&mut self, when: &str) {
        self.secrets.search(self.device, self.flash, when);
    }

    fn live(mut self, round: u8) {
        let mut user = self.source.digits(6 + usize::from(round));
        let mut officer = self.source.bytes::<8>().to_vec();
        self.secrets.add("first user PIN", &user);
        self.secrets.add("first SO-PIN", &officer);
        // Only the SO-PIN of before may initialise: a factory reset is not what this test is about.
        self.factory_reset();
        let fields = [(0x80, vec![0, 0x0D]), (0x81, user.clone()), (0x82, officer.clone()), (0x97, vec![3])];
        let data: Vec<u8> = fields.iter().flat_map(|(tag, value)| tlv(&[*tag], value)).collect();
        self.device.ok(&apdu(0x80, 0x50, 0, 0, &data, None));
        self.search("INITIALIZE");

        self.domains(&user);
        self.keys();
        self.wallets();
        for _ in 0..6 {
            let new = self.source.digits(8);
            self.secrets.add("user PIN", &new);
            self.device.ok(&apdu(0, 0x24, 0, 0x81, &[&user[..], &new].concat(), None));
            user = new;
            self.device.ok(&verify(0x81, &user));
            let new = self.source.bytes::<8>();
            self.secrets.add("SO-PIN", &new);
            self.device.ok(&apdu(0, 0x24, 0, 0x88, &[&officer[..], &new].concat(), None));
            officer = new.to_vec();
            let new = self.source.digits(7);
            self.secrets.add("user PIN by the SO", &new);
            self.device.ok(&apdu(0, 0x2C, 0, 0x81, &[&officer[..], &new].concat(), None));
            user = new;
            let guess = self.source.digits(6);
            self.secrets.add("a wrong guess", &guess);
            self.device.status(&verify(0x81, &guess));
            self.device.ok(&verify(0x81, &user));
            self.search("changes of PINs");
        }
        self.channel(&user);
        self.device.ok(&verify(0x81, &user));
        self.lock();
        // Enough to send the store round its memory.
        for _ in 0..60 {
            let content = self.source.bytes::<1200>();
            self.secrets.add("private data", &content[..32]);
            self.device.ok(&update(0xCD01, 0, &content));
        }
        self.search("heavy use");
    }

    fn factory_reset(&mut self) {
        self.device.ok(&apdu(0, 0xA4, 4, 4, &[0xA0, 0x58, 0x3F, 0xC1, 0x9B, 0x7E, 0x4F, 0x21], Some(256)));
        let challenge = self.device.ok(&apdu(0x80, 0x1E, 5, 0, &[], Some(256)));
        self.device.ok(&apdu(0x80, 0x1B, 0, 0, &challenge, None));
        self.device.select();
        self.search("a factory reset");
    }

    /// A DKEK of two shares while nobody is logged in, and one while somebody is.
    fn domains(&mut self, user: &[u8]) {
        for domain in [0, 1] {
            self.device.ok(&verify(0x81, user));
            self.device.ok(&apdu(0x80, 0x52, 1, domain, &[2], Some(256)));
            if domain == 0 {
                self.device.select();
            }
            let shares = [self.source.bytes::<32>(), self.source.bytes()];
            for share in shares {
                self.secrets.add("DKEK share", &share);
                self.device.ok(&apdu(0x80, 0x52, 0, domain, &share, Some(256)));
                self.search("a share");
            }
            let sum: Vec<u8> = shares[0].iter().zip(shares[1]).map(|(a, b)| a ^ b).collect();
            self.secrets.add("DKEK", &sum);
            self.search("a complete DKEK");
        }
        self.device.ok(&verify(0x81, user));
        self.search("login");
    }

    fn keys(&mut self) {
        for key in 1..12 {
            match key {
                1..=6 => _ = self.device.ok(&generate_p256(key, &[])),
                7 => _ = self.device.ok(&generate_rsa(key, 1024)),
                8 => _ = self.device.ok(&generate_p521(key)),
                9 => {
                    self.device.ok(&generate_secret(key, 0xB2, &[]));
                    self.identifier(key);
                }
                _ => {
                    let bytes = self.source.bytes::<32>();
                    self.secrets.add("AES key", &bytes);
                    self.device.plant(key, &bytes);
                }
            }
            self.search("a new key");
            if key != 7 && key < 9 {
                self.device.ok(&sign(key, 0x73, b"message"));
            }
            if key < 9 {
                let blob = self.device.ok(&apdu(0x80, 0x72, key, 0x92, &[], Some(65536)));
                self.device.ok(&delete(0xCC00 | u16::from(key)));
                self.search("a key that left");
                self.device.ok(&apdu(0x80, 0x74, key, 0x93, &blob, None));
                self.search("a key that came");
            }
        }
        let message = self.source.bytes::<32>();
        self.secrets.add("plaintext", &message);
        let cryptogram = self.device.ok(&symmetric(10, 0x10, &message, Some(256)));
        assert_eq!(self.device.ok(&symmetric(10, 0x11, &cryptogram, Some(256))), message);
        self.search("ciphers");
    }

    /// The identifier of a secret key is public, but the pseudorandom key of HKDF, one step before it, derives everything
    /// that algorithm 99 does.
    fn identifier(&mut self, key: u8) {
        let _ = ferrite_card::testing::secrets(&mut self.device.card, &mut |name, bytes| {
            if name == "key" && bytes.len() == 32 {
                self.secrets.add("pseudorandom key", &kdf::hmac_sha256(&[], &[bytes]));
            }
        });
        let file = self.device.ok(&read(0xCE00 | u16::from(key), 0));
        let body = ferrite_proto::cvc::Request::parse(&file).expect("a request").certificate.body;
        let ferrite_proto::cvc::PublicKey::Secret { identifier: Some(identifier), .. } = body.public_key else {
            panic!("no identifier")
        };
        // What stands in a file is one that the store seals under the root key, as it does with all others.
        self.secrets.add("identifier", identifier);
    }

    fn wallets(&mut self) {
        for (number, kind) in [(1, Kind::Secp256k1), (2, Kind::P256), (3, Kind::Symmetric)] {
            let seed = self.source.bytes::<64>();
            self.secrets.add("seed", &seed);
            self.secrets.add("master node", &Node::master(kind, &seed).unwrap().to_bytes()[1..]);
            self.device.ok(&apdu(0x80, 0x4A, number, number, &seed, None));
            self.search("a seed");
        }
        self.device.ok(&apdu(0x80, 0x4A, 0x10, 0, &[2, 1, 1, 2, 4, 0x80, 0, 0, 44], None));
        self.device.ok(&sign(0, 0xA0, &[5; 32]));
        self.search("a signature of a wallet");
    }

    /// A channel with a session PIN.
    fn channel(&mut self, user: &[u8]) {
        self.device.select();
        let mut host = Host::open(self.device);
        let secret = host::host_key().agree(&host::device_point(self.device)).unwrap();
        self.secrets.add("shared secret", secret.as_ref());
        // The session keys: the channel does not show them, but they derive from what crossed the line.
        host.ok(self.device, [0x00, 0x20, 0x00, 0x81], user);
        let session_pin = host.ok(self.device, [0x00, 0x5A, 0x01, 0x81], &[]);
        self.secrets.add("session PIN", &session_pin);
        self.search("a session PIN");
        host.ok(self.device, [0x00, 0xA4, 0x04, 0x00], AID);
        host.ok(self.device, [0x00, 0x20, 0x00, 0x81], &session_pin);
        self.search("a login by it");
        self.device.select();
        // Once more by hand, to have the nonce.
        self.device.ok(&host::choose());
        let point = host::host_key().public_key().unwrap();
        let answer = self.device.ok(&host::authenticate(point.as_ref()));
        let (nonce, _) = secure_messaging::parse_token(&answer).unwrap();
        for number in [1, 2] {
            let digest = Hash::Sha1.digest(&[secret.as_ref(), nonce, &[0, 0, 0, number]]);
            self.secrets.add("session key", &digest.as_ref()[..16]);
        }
        self.search("a channel");
        self.device.select();
    }

    fn lock(&mut self) {
        let mask = self.source.bytes::<32>();
        self.secrets.add("mask of the lock", &mask);
        for operation in [2, 3, 4, 2, 4] {
            let key = PrivateKey::generate(Curve::P256, &mut Drbg::new(&mask, &[operation], b""));
            let point: [u8; 65] = key.public_key().unwrap().as_ref().try_into().unwrap();
            let answer = self.device.ok(&apdu(0x80, 0x64, 0x3A, 1, &point, Some(256)));
            let secret = key.agree(&answer).unwrap();
            let mut output = [0; 44];
            kdf::hkdf_sha256(&[], secret.as_ref(), &[&point], &mut output);
            self.secrets.add("key of a message", &output[12..]);
            let message = Agreement::new(secret.as_ref(), &point).seal(&Mask::from_bytes(&mask));
            self.device.ok(&apdu(0x80, 0x64, 0x3A, operation, &message, None));
            self.search("the secure lock");
        }
    }
}
