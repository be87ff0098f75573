//! AES-CCM (SP 800-38C) with nonces of 7 to 13 bytes and tags of 16 bytes.
//!
//! The tag of CCM is that of the plaintext, so whoever checks it must decrypt first. This implementation decrypts twice:
//! block by block into a scratch block for the tag, then in place once the tag is right. The length of the nonce is known
//! only at run time.

use super::Tag;
use crate::Error;
use crate::aes::{Aes, BLOCK};
use aes::cipher::{InnerIvInit as _, StreamCipher as _};
use ctr::flavors::Ctr128BE;
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

type Keystream<'a> = ctr::Ctr128BE<&'a Aes>;

/// Encrypts in place.
pub(super) fn encrypt(aes: &Aes, nonce: &[u8], aad: &[u8], data: &mut [u8]) -> Result<Tag, Error> {
    let mut mac = CbcMac::start(aes, nonce, aad, data.len())?;
    mac.update(data);
    let (mut keystream, mask) = keystream(aes, nonce)?;
    keystream.try_apply_keystream(data).map_err(|_| Error::BadLength)?;
    Ok(mac.finish(&mask))
}

/// Decrypts in place after the tag was found right; otherwise `data` is unchanged.
pub(super) fn decrypt(aes: &Aes, nonce: &[u8], aad: &[u8], data: &mut [u8], expected: &Tag) -> Result<(), Error> {
    let mut mac = CbcMac::start(aes, nonce, aad, data.len())?;
    let (mut first, mask) = keystream(aes, nonce)?;
    let mut scratch = Zeroizing::new([0; BLOCK]);
    for chunk in data.chunks(BLOCK) {
        let block = scratch.get_mut(..chunk.len()).ok_or(Error::BadLength)?;
        block.copy_from_slice(chunk);
        first.try_apply_keystream(block).map_err(|_| Error::BadLength)?;
        mac.update(block);
    }
    if !bool::from(mac.finish(&mask).ct_eq(expected)) {
        return Err(Error::BadSignature);
    }
    let (mut second, _) = keystream(aes, nonce)?;
    second.try_apply_keystream(data).map_err(|_| Error::BadLength)
}

/// A block of flags, nonce and a number in the bytes that the nonce leaves free: two to eight (SP 800-38C appendix A).
/// [`Error::BadLength`] if nonce or number do not fit.
fn block(flags: u8, nonce: &[u8], number: usize) -> Result<[u8; BLOCK], Error> {
    if !(7..=13).contains(&nonce.len()) {
        return Err(Error::BadLength);
    }
    let mut block = [0; BLOCK];
    let [first, rest @ ..] = &mut block;
    let (room, field) = rest.split_at_mut_checked(nonce.len()).ok_or(Error::BadLength)?;
    room.copy_from_slice(nonce);
    *first = flags | (field.len() as u8).wrapping_sub(1);
    let number = (number as u64).to_be_bytes();
    let (high, low) = number.split_at_checked(number.len().saturating_sub(field.len())).ok_or(Error::BadLength)?;
    if high.iter().any(|byte| *byte != 0) {
        return Err(Error::BadLength);
    }
    field.copy_from_slice(low);
    Ok(block)
}

/// The key stream from the second counter block on, and its first block, which masks the tag (appendix A.3).
fn keystream<'a>(aes: &'a Aes, nonce: &[u8]) -> Result<(Keystream<'a>, Zeroizing<Tag>), Error> {
    let counter = block(0, nonce, 0)?;
    let core = ctr::CtrCore::<_, Ctr128BE>::inner_iv_init(aes, (&counter).into());
    let mut keystream = Keystream::from_core(core);
    let mut mask = Zeroizing::new([0; BLOCK]);
    keystream.try_apply_keystream(mask.as_mut()).map_err(|_| Error::BadLength)?;
    Ok((keystream, mask))
}

/// CBC-MAC of the formatted input.
struct CbcMac<'a> {
    aes: &'a Aes,
    state: Zeroizing<[u8; BLOCK]>,
    /// Bytes already mixed into the current block.
    filled: usize,
}

impl<'a> CbcMac<'a> {
    /// Flags: there is additional data.
    const HAS_AAD: u8 = 0x40;
    /// Flags: a tag of 16 bytes.
    const TAG_LEN: u8 = 7 << 3;

    /// Takes the first block and the additional data (appendix A.2.1 and A.2.2).
    fn start(aes: &'a Aes, nonce: &[u8], aad: &[u8], data_len: usize) -> Result<Self, Error> {
        let flags = if aad.is_empty() { Self::TAG_LEN } else { Self::TAG_LEN | Self::HAS_AAD };
        let mut state = Zeroizing::new(block(flags, nonce, data_len)?);
        aes.encrypt(&mut state);
        let mut mac = Self { aes, state, filled: 0 };
        match (aad.len(), u32::try_from(aad.len())) {
            (0, _) => {}
            (len @ 1..0xFF00, _) => mac.update(&(len as u16).to_be_bytes()),
            (_, Ok(len)) => {
                mac.update(&[0xFF, 0xFE]);
                mac.update(&len.to_be_bytes());
            }
            (_, Err(_)) => return Err(Error::BadLength),
        }
        mac.update(aad);
        mac.pad();
        Ok(mac)
    }

    fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK.saturating_sub(self.filled)));
            self.state.iter_mut().skip(self.filled).zip(now).for_each(|(state, byte)| *state ^= byte);
            self.filled = self.filled.saturating_add(now.len());
            if self.filled == BLOCK {
                self.pad();
            }
            bytes = later;
        }
    }

    /// Ends a block that has been begun, as if zeros followed.
    fn pad(&mut self) {
        if self.filled > 0 {
            self.aes.encrypt(&mut self.state);
            self.filled = 0;
        }
    }

    fn finish(mut self, mask: &Tag) -> Tag {
        self.pad();
        let mut tag = *self.state;
        self.state.zeroize();
        tag.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
        tag
    }
}
