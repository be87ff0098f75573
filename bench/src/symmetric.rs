//! Ciphers and MACs with keys of 256 bits (two of them for XTS) on data of three lengths: through the card, the algorithm
//! alone, and OpenSSL's library. ECB is not among them: of it the card takes a single block.
//!
//! Every candidate expands its key anew for each message, as the card must.

use crate::card::{self, Host};
use ferrite_card::Workspace;
use ferrite_crypto::hash::Hash;
use ferrite_crypto::{aead, cipher, mac};
use ferrite_proto::command::{
    AeadMode, Attributes, CipherMode, Command, Direction, HmacHash, Secret, SecretKeyLen, SymmetricOperation,
};
use ferrite_proto::fid::KeyId;
use std::hint::black_box;

/// Lengths of the data in bytes, and rounds.
const LENGTHS: [(usize, usize); 3] = [(16, 5001), (1024, 2001), (60 * 1024, 301)];
/// The card's keys.
const KEY: KeyId = KeyId::new(1);
const DOUBLE_KEY: KeyId = KeyId::new(2);
/// The keys of those that are not the card. The halves of a key for XTS differ: OpenSSL insists.
const BYTES: [u8; 32] = [0x5A; 32];
const DOUBLE: [[u8; 32]; 2] = [BYTES, [0xA5; 32]];
const IV: [u8; 16] = [0xC3; 16];
const NONCE: [u8; 12] = [0xC3; 12];

/// What a row measures.
#[derive(Clone, Copy)]
enum Algorithm {
    Cipher(CipherMode, cipher::Mode),
    Aead(AeadMode, aead::Algorithm),
    Cmac,
    HmacSha256,
}

const ALGORITHMS: [(&str, Algorithm); 10] = [
    ("AES-256-CBC", Algorithm::Cipher(CipherMode::Cbc, cipher::Mode::Cbc)),
    ("AES-256-OFB", Algorithm::Cipher(CipherMode::Ofb, cipher::Mode::Ofb)),
    ("AES-256-CFB", Algorithm::Cipher(CipherMode::Cfb128, cipher::Mode::Cfb128)),
    ("AES-256-CTR", Algorithm::Cipher(CipherMode::Ctr, cipher::Mode::Ctr)),
    ("AES-256-XTS", Algorithm::Cipher(CipherMode::Xts, cipher::Mode::Xts)),
    ("AES-256-GCM", Algorithm::Aead(AeadMode::Gcm, aead::Algorithm::AesGcm)),
    ("AES-256-CCM", Algorithm::Aead(AeadMode::Ccm, aead::Algorithm::AesCcm)),
    ("ChaCha20-Poly1305", Algorithm::Aead(AeadMode::ChaCha20Poly1305, aead::Algorithm::ChaCha20Poly1305)),
    ("AES-256-CMAC", Algorithm::Cmac),
    ("HMAC-SHA-256", Algorithm::HmacSha256),
];

impl Algorithm {
    /// The key that the card uses, and the one that the others do.
    fn key(self) -> (KeyId, &'static [u8]) {
        match self {
            Self::Cipher(CipherMode::Xts, _) => (DOUBLE_KEY, DOUBLE.as_flattened()),
            _ => (KEY, &BYTES),
        }
    }

    /// The command that encrypts or authenticates the data.
    fn command(self, data: &[u8]) -> Vec<u8> {
        let (key, bytes) = self.key();
        let (direction, key_len, data) = (Direction::Encrypt, bytes.len(), Secret(data));
        let operation = match self {
            Self::Cipher(mode, _) => SymmetricOperation::Cipher { mode, key_len, direction, iv: IV, data },
            Self::Aead(mode, _) => SymmetricOperation::Aead { mode, key_len, direction, nonce: &NONCE, aad: &[], data },
            Self::Cmac => SymmetricOperation::Cmac { message: data },
            Self::HmacSha256 => SymmetricOperation::Hmac { hash: HmacHash::Sha256, message: data },
        };
        let mut objects = vec![0; data.0.len() + 64];
        let (algorithm, len) = operation.write(&mut objects).expect("fits");
        card::encode(&Command::SymmetricCipher { key, algorithm, data: Secret(&objects[..len]), len: None })
    }

    /// Encrypts in place, or authenticates.
    fn run(self, data: &mut [u8]) {
        let (_, key) = self.key();
        match self {
            Self::Cipher(_, mode) => cipher::apply(mode, cipher::Direction::Encrypt, key, &IV, data).map(drop),
            Self::Aead(_, algorithm) => aead::encrypt(algorithm, key, &NONCE, &[], data).map(|tag| _ = black_box(tag)),
            Self::Cmac => mac::cmac(key, &[data]).map(|mac| _ = black_box(mac)),
            Self::HmacSha256 => {
                black_box(mac::hmac(Hash::Sha256, key, &[data]));
                Ok(())
            }
        }
        .expect("fits");
    }

    /// Encrypts or authenticates with OpenSSL.
    #[cfg(feature = "openssl")]
    fn run_openssl(self, data: &[u8], out: &mut [u8]) {
        use openssl::{cipher::Cipher, cipher_ctx::CipherCtx, hash::MessageDigest, pkey::PKey, sign::Signer};
        let (_, key) = self.key();
        let cipher = match self {
            Self::Cipher(mode, _) => match mode {
                CipherMode::Ecb => Cipher::aes_256_ecb(),
                CipherMode::Cbc => Cipher::aes_256_cbc(),
                CipherMode::Ofb => Cipher::aes_256_ofb(),
                CipherMode::Cfb128 => Cipher::aes_256_cfb128(),
                CipherMode::Ctr => Cipher::aes_256_ctr(),
                CipherMode::Xts => Cipher::aes_256_xts(),
            },
            Self::Aead(mode, _) => match mode {
                AeadMode::Gcm => Cipher::aes_256_gcm(),
                AeadMode::Ccm => Cipher::aes_256_ccm(),
                AeadMode::ChaCha20Poly1305 => Cipher::chacha20_poly1305(),
            },
            Self::Cmac => {
                let key = PKey::cmac(&openssl::symm::Cipher::aes_256_cbc(), key).expect("a key");
                let mut signer = Signer::new_without_digest(&key).expect("a key for CMAC");
                signer.sign_oneshot(out, data).expect("fits");
                return;
            }
            Self::HmacSha256 => {
                let key = PKey::hmac(key).expect("a key");
                let mut signer = Signer::new(MessageDigest::sha256(), &key).expect("a key for HMAC");
                signer.sign_oneshot(out, data).expect("fits");
                return;
            }
        };
        let mut context = CipherCtx::new().expect("memory");
        context.encrypt_init(Some(cipher), None, None).expect("a cipher");
        let iv: &[u8] = match self {
            Self::Aead(mode, _) => {
                context.set_iv_length(NONCE.len()).expect("a length");
                if mode == AeadMode::Ccm {
                    context.set_tag_length(aead::TAG).expect("a length");
                }
                &NONCE
            }
            _ => &IV,
        };
        context.encrypt_init(None, Some(key), Some(iv)).expect("a key and a vector");
        context.set_padding(false);
        if matches!(self, Self::Aead(AeadMode::Ccm, _)) {
            context.set_data_len(data.len()).expect("a length");
        }
        let len = context.cipher_update(data, Some(out)).expect("fits");
        context.cipher_final(&mut out[len..]).expect("whole blocks");
        if let Self::Aead(..) = self {
            context.tag(&mut [0; aead::TAG]).expect("a tag");
        }
    }
}

/// Prints every row.
pub(crate) fn rows() {
    let mut workspace = Box::new(Workspace::new());
    let mut host = Host::start(&mut workspace);
    let attributes = Attributes::default();
    host.send(&Command::GenerateSecretKey { key: KEY, len: SecretKeyLen::Bits256, attributes });
    host.send(&Command::GenerateSecretKey { key: DOUBLE_KEY, len: SecretKeyLen::Bits512, attributes });
    for (name, algorithm) in ALGORITHMS {
        for (len, rounds) in LENGTHS {
            let data = vec![7; len];
            let command = algorithm.command(&data);
            let mut buffer = data.clone();
            #[cfg(feature = "openssl")]
            let mut out = vec![0; len + 2 * aead::TAG];
            let mut candidates: Vec<crate::Candidate<'_>> = vec![
                ("ferrite, the algorithm", Box::new(|| algorithm.run(black_box(&mut buffer)))),
                ("ferrite, APDU through the card", Box::new(|| _ = black_box(host.transmit(&command)))),
                #[cfg(feature = "openssl")]
                ("OpenSSL", Box::new(|| algorithm.run_openssl(black_box(&data), &mut out))),
            ];
            crate::row(&format!("{name}, {len} bytes"), rounds, &mut candidates);
        }
    }
}
