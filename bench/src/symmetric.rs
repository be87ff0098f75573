//! Ciphers with keys of 256 bits on data of three lengths: through the card, the algorithm alone, and OpenSSL's library.
//!
//! Every candidate expands its key anew for each message, as the card must.

use crate::card::{self, Host};
use ferrite_card::Workspace;
use ferrite_crypto::{aead, cipher};
use ferrite_proto::command::{
    AeadMode, Attributes, CipherMode, Command, Direction, Secret, SecretKeyLen, SymmetricOperation,
};
use ferrite_proto::fid::KeyId;
use std::hint::black_box;

/// Lengths of the data in bytes, and rounds.
const LENGTHS: [(usize, usize); 3] = [(16, 5001), (1024, 2001), (60 * 1024, 301)];
const KEY: KeyId = KeyId::new(1);
/// The key of those that are not the card.
const BYTES: [u8; 32] = [0x5A; 32];
const IV: [u8; 16] = [0xC3; 16];
const NONCE: [u8; 12] = [0xC3; 12];

/// What a row measures.
#[derive(Clone, Copy)]
enum Algorithm {
    Cipher(CipherMode, cipher::Mode),
    Aead(AeadMode, aead::Algorithm),
}

const ALGORITHMS: [(&str, Algorithm); 4] = [
    ("AES-256-CBC", Algorithm::Cipher(CipherMode::Cbc, cipher::Mode::Cbc)),
    ("AES-256-CTR", Algorithm::Cipher(CipherMode::Ctr, cipher::Mode::Ctr)),
    ("AES-256-GCM", Algorithm::Aead(AeadMode::Gcm, aead::Algorithm::AesGcm)),
    ("ChaCha20-Poly1305", Algorithm::Aead(AeadMode::ChaCha20Poly1305, aead::Algorithm::ChaCha20Poly1305)),
];

impl Algorithm {
    /// The command that encrypts the data.
    fn command(self, data: &[u8]) -> Vec<u8> {
        let (direction, key_len, data) = (Direction::Encrypt, BYTES.len(), Secret(data));
        let operation = match self {
            Self::Cipher(mode, _) => SymmetricOperation::Cipher { mode, key_len, direction, iv: IV, data },
            Self::Aead(mode, _) => SymmetricOperation::Aead { mode, key_len, direction, nonce: &NONCE, aad: &[], data },
        };
        let mut objects = vec![0; data.0.len() + 64];
        let (algorithm, len) = operation.write(&mut objects).expect("fits");
        card::encode(&Command::SymmetricCipher { key: KEY, algorithm, data: Secret(&objects[..len]), len: None })
    }

    /// Encrypts in place.
    fn run(self, data: &mut [u8]) {
        match self {
            Self::Cipher(_, mode) => cipher::apply(mode, cipher::Direction::Encrypt, &BYTES, &IV, data).expect("fits"),
            Self::Aead(_, algorithm) => {
                black_box(aead::encrypt(algorithm, &BYTES, &NONCE, &[], data).expect("fits"));
            }
        }
    }

    /// Encrypts with OpenSSL.
    #[cfg(feature = "openssl")]
    fn run_openssl(self, data: &[u8], out: &mut [u8]) {
        use openssl::symm::{Cipher, Crypter, Mode};
        let cipher = match self {
            Self::Cipher(_, cipher::Mode::Cbc) => Cipher::aes_256_cbc(),
            Self::Cipher(..) => Cipher::aes_256_ctr(),
            Self::Aead(_, aead::Algorithm::ChaCha20Poly1305) => Cipher::chacha20_poly1305(),
            Self::Aead(..) => Cipher::aes_256_gcm(),
        };
        let iv = cipher.iv_len().map(|len| &IV[..len]);
        let mut crypter = Crypter::new(cipher, Mode::Encrypt, &BYTES, iv).expect("a key and a vector");
        crypter.pad(false);
        let len = crypter.update(data, out).expect("fits");
        crypter.finalize(&mut out[len..]).expect("whole blocks");
        if let Self::Aead(..) = self {
            crypter.get_tag(&mut [0; aead::TAG]).expect("a tag");
        }
    }
}

/// Prints every row.
pub(crate) fn rows() {
    let mut workspace = Box::new(Workspace::new());
    let mut host = Host::start(&mut workspace);
    let attributes = Attributes::default();
    host.send(&Command::GenerateSecretKey { key: KEY, len: SecretKeyLen::Bits256, attributes });
    for (name, algorithm) in ALGORITHMS {
        for (len, rounds) in LENGTHS {
            let data = vec![7; len];
            let command = algorithm.command(&data);
            let mut buffer = data.clone();
            #[cfg(feature = "openssl")]
            let mut out = vec![0; len + aead::TAG];
            let mut candidates: Vec<crate::Candidate<'_>> = vec![
                ("ferrite, the algorithm", Box::new(|| algorithm.run(black_box(&mut buffer)))),
                ("ferrite, APDU through the card", Box::new(|| _ = black_box(host.transmit(&command)))),
                #[cfg(feature = "openssl")]
                ("OpenSSL", Box::new(|| algorithm.run_openssl(black_box(&data), &mut out))),
            ];
            crate::row(&format!("{name} encrypt, {len} bytes"), rounds, &mut candidates);
        }
    }
}
