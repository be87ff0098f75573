//! The secure channel between a host and a card: session keys of chip authentication with AES-128 (BSI TR-03110-3 §A.2.3.2
//! and §A.4, protocol id-CA-ECDH-AES-CBC-CMAC-128), and what secure messaging does with them (§F.2).
//!
//! Both ends hold a [`Channel`] and count every message with [`Channel::count`] before they protect or check it, so that a
//! message which is changed, repeated, left out or out of order has a wrong checksum.

use crate::aes::{Aes, BLOCK};
use crate::cipher::{self, Direction, Mode};
use crate::hash::Hash;
use crate::{Error, mac};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// Length of the card's nonce, from which the session keys derive too, in bytes.
pub const NONCE: usize = 8;
/// Length of the token by which the card proves its key, and of a message's checksum, in bytes.
pub const CHECKSUM: usize = 8;

const KEY: usize = 16;
/// Numbers that separate the two session keys.
const FOR_ENCRYPTION: [u8; 4] = [0, 0, 0, 1];
const FOR_CHECKSUMS: [u8; 4] = [0, 0, 0, 2];

/// Session keys and the counter of messages. It wipes itself.
pub struct Channel {
    encryption: Zeroizing<[u8; KEY]>,
    checksums: Zeroizing<[u8; KEY]>,
    count: u128,
}

impl Channel {
    /// The channel that a shared secret (the x coordinate of ECDH) and the card's nonce make.
    pub fn new(shared_secret: &[u8], nonce: &[u8; NONCE]) -> Self {
        let derive = |number: &[u8]| {
            let digest = Hash::Sha1.digest(&[shared_secret, nonce, number]);
            let mut key = Zeroizing::new([0; KEY]);
            key.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
            key
        };
        Self { encryption: derive(&FOR_ENCRYPTION), checksums: derive(&FOR_CHECKSUMS), count: 0 }
    }

    /// The token over the host's public key, as its data object: the card has computed the same keys.
    pub fn token(&self, public_key: &[u8]) -> [u8; CHECKSUM] {
        shortened(&self.cmac(&[public_key]))
    }

    /// Counts a message, in either direction.
    pub fn count(&mut self) {
        // Nobody sends 2^128 messages.
        self.count = self.count.wrapping_add(1);
    }

    /// The checksum of the message that was counted last: over its header and its data objects, each padded unless empty.
    pub fn checksum(&self, header: &[u8], objects: &[u8]) -> [u8; CHECKSUM] {
        shortened(&self.long_checksum(header, objects))
    }

    /// Whether a checksum of 8 or 16 bytes is that of the message that was counted last.
    pub fn is_checksum(&self, checksum: &[u8], header: &[u8], objects: &[u8]) -> bool {
        let expected = self.long_checksum(header, objects);
        let expected = expected.get(..checksum.len()).unwrap_or_default();
        matches!(checksum.len(), CHECKSUM | BLOCK) && bool::from(expected.ct_eq(checksum))
    }

    /// Pads `len` bytes at the start of `buffer` and encrypts them in place. Returns the length of the cryptogram;
    /// [`Error::BadLength`] if `buffer` is shorter than [`padded_len`].
    pub fn encrypt(&self, buffer: &mut [u8], len: usize) -> Result<usize, Error> {
        let padded = buffer.get_mut(..padded_len(len)).ok_or(Error::BadLength)?;
        let mut padding = padded.iter_mut().skip(len);
        padding.next().into_iter().for_each(|first| *first = 0x80);
        padding.for_each(|byte| *byte = 0);
        cipher::apply(Mode::Cbc, Direction::Encrypt, self.encryption.as_ref(), &self.iv()?, padded)?;
        Ok(padded.len())
    }

    /// Decrypts a cryptogram, whose checksum was right, in place and returns the length of what was padded;
    /// [`Error::BadPadding`] if it has no whole blocks or no padding.
    pub fn decrypt(&self, cryptogram: &mut [u8]) -> Result<usize, Error> {
        cipher::apply(Mode::Cbc, Direction::Decrypt, self.encryption.as_ref(), &self.iv()?, cryptogram)
            .map_err(|_| Error::BadPadding)?;
        let zeros = cryptogram.iter().rev().take_while(|byte| **byte == 0).count();
        let len = cryptogram.len().checked_sub(zeros.saturating_add(1)).ok_or(Error::BadPadding)?;
        let is_padding = zeros < BLOCK && cryptogram.get(len) == Some(&0x80);
        if is_padding { Ok(len) } else { Err(Error::BadPadding) }
    }

    /// The counter, encrypted.
    fn iv(&self) -> Result<[u8; BLOCK], Error> {
        let mut iv = self.count.to_be_bytes();
        Aes::new(self.encryption.as_ref())?.encrypt(&mut iv);
        Ok(iv)
    }

    fn long_checksum(&self, header: &[u8], objects: &[u8]) -> [u8; BLOCK] {
        const PADDING: [u8; BLOCK] = {
            let mut padding = [0; BLOCK];
            padding[0] = 0x80;
            padding
        };
        let padding = |field: &[u8]| {
            let len = if field.is_empty() { 0 } else { padded_len(field.len()).saturating_sub(field.len()) };
            PADDING.get(..len).unwrap_or_default()
        };
        self.cmac(&[&self.count.to_be_bytes(), header, padding(header), objects, padding(objects)])
    }

    fn cmac(&self, parts: &[&[u8]]) -> [u8; BLOCK] {
        // The key has a length of AES: the error cannot occur.
        mac::cmac(self.checksums.as_ref(), parts).unwrap_or_default()
    }
}

/// Length of `len` bytes with their padding (ISO 7816-4 §11.2.3: `80`, then zeros to a whole block).
pub const fn padded_len(len: usize) -> usize {
    (len / BLOCK).saturating_add(1).saturating_mul(BLOCK)
}

fn shortened(long: &[u8; BLOCK]) -> [u8; CHECKSUM] {
    let mut short = [0; CHECKSUM];
    short.iter_mut().zip(long).for_each(|(to, from)| *to = *from);
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ec::{Curve, PrivateKey};
    use proptest::prelude::*;
    use std::vec::Vec;

    /// The worked example of the specification, part 1 §6.5.
    fn recorded() -> Channel {
        let key = |byte: u8| {
            let mut scalar = [0; 32];
            scalar[16..].fill(byte);
            PrivateKey::from_bytes(Curve::P256, &scalar).unwrap()
        };
        let peer = key(0x22).public_key().unwrap();
        let secret = key(0x11).agree(peer.as_ref()).unwrap();
        assert_eq!(hex::encode(&secret), "7566a9ad04770d75ed93f2ebf9af87b112c686b5f18a368f9473c8c26215a7e3");
        Channel::new(secret.as_ref(), &[1, 2, 3, 4, 5, 6, 7, 8])
    }

    #[test]
    fn session_keys_token_and_messages_are_the_recorded_ones() {
        let mut channel = recorded();
        assert_eq!(hex::encode(channel.encryption.as_ref()), "1c616c4b3852388a9f37a71c189da5e6");
        assert_eq!(hex::encode(channel.checksums.as_ref()), "5e4895f9650b0260e21b1b0e445b5cf0");
        let host = "7f494f060a04007f000702020302028641044047af09c51fa5bb8a05fe54e313b87c7de37d71fd14e9aa7f6189af8371122f\
                    ec5637d093eca1b6a21a386c24069ef58ef706f1a90c8b7b0d45fae34963098c";
        assert_eq!(hex::encode(channel.token(&hex::decode(host).unwrap())), "9a0f113e0b7a1e5a");

        // VERIFY, and its answer.
        channel.count();
        let mut buffer = [0; 16];
        buffer[..6].copy_from_slice(b"648219");
        assert_eq!(channel.encrypt(&mut buffer, 6), Ok(16));
        assert_eq!(hex::encode(buffer), "83d367536fd9056866a81982c22291cc");
        let objects = hex::decode("87110183d367536fd9056866a81982c22291cc").unwrap();
        let checksum = channel.checksum(&[0x0C, 0x20, 0x00, 0x81], &objects);
        assert_eq!(hex::encode(checksum), "469d522d743543fd");
        assert!(channel.is_checksum(&checksum, &[0x0C, 0x20, 0x00, 0x81], &objects));
        assert_eq!(channel.decrypt(&mut buffer), Ok(6));
        assert_eq!(&buffer[..6], b"648219");
        channel.count();
        assert_eq!(hex::encode(channel.checksum(&[], &[0x99, 0x02, 0x90, 0x00])), "8ed656793111bef9");

        // GET CHALLENGE, and its answer.
        channel.count();
        assert_eq!(hex::encode(channel.checksum(&[0x0C, 0x84, 0, 0], &[0x97, 1, 8])), "025a6a26a544eed4");
        channel.count();
        let mut buffer = [0; 16];
        buffer[..8].copy_from_slice(&[0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7]);
        channel.encrypt(&mut buffer, 8).unwrap();
        assert_eq!(hex::encode(buffer), "f19afd1057c21105b9d4db4f4bfd3364");
        let objects = hex::decode("871101f19afd1057c21105b9d4db4f4bfd336499029000").unwrap();
        assert_eq!(hex::encode(channel.checksum(&[], &objects)), "2a4a9e3c8aa823c9");
    }

    #[test]
    fn only_whole_checksums_of_this_message_are_right() {
        let mut channel = recorded();
        channel.count();
        let long = channel.long_checksum(b"head", b"objects");
        for len in 0..=16 {
            assert_eq!(channel.is_checksum(&long[..len], b"head", b"objects"), len == 8 || len == 16, "{len}");
        }
        for bit in 0..128 {
            let mut other = long;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!channel.is_checksum(&other, b"head", b"objects"));
            assert_eq!(channel.is_checksum(&other[..8], b"head", b"objects"), bit >= 64);
        }
        // The border between header and objects counts, and so does the counter.
        assert!(!channel.is_checksum(&long, b"heado", b"bjects"));
        channel.count();
        assert!(!channel.is_checksum(&long, b"head", b"objects"));
    }

    #[test]
    fn what_is_no_padding_is_refused() {
        let channel = recorded();
        let encrypted = |mut plain: [u8; 32]| {
            let iv = channel.iv().unwrap();
            cipher::apply(Mode::Cbc, Direction::Encrypt, channel.encryption.as_ref(), &iv, &mut plain).unwrap();
            plain
        };
        let mut last = [7; 32];
        last[31] = 0x80;
        let mut block = [7; 32];
        block[16..].copy_from_slice(&[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let mut too_long = [0; 32];
        too_long[15] = 0x80;
        for (plain, expected) in
            [(last, Ok(31)), (block, Ok(16)), (too_long, Err(Error::BadPadding)), ([0; 32], Err(Error::BadPadding))]
        {
            assert_eq!(channel.decrypt(&mut encrypted(plain)), expected);
        }
        assert_eq!(channel.decrypt(&mut [1; 15]), Err(Error::BadPadding));
        assert_eq!(channel.decrypt(&mut []), Err(Error::BadPadding));
        assert_eq!(channel.encrypt(&mut [0; 16], 16), Err(Error::BadLength));
    }

    proptest! {
        #[test]
        fn what_is_encrypted_is_decrypted(data: Vec<u8>, messages in 1..5) {
            let mut channel = recorded();
            (0..messages).for_each(|_| channel.count());
            let mut buffer = data.clone();
            buffer.resize(padded_len(data.len()), 0xFF);
            let len = channel.encrypt(&mut buffer, data.len()).unwrap();
            prop_assert_eq!(channel.decrypt(&mut buffer[..len]), Ok(data.len()));
            prop_assert_eq!(&buffer[..data.len()], &data[..]);
        }
    }
}
