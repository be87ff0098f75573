//! AES-GCM (SP 800-38D) with nonces of any length and tags of 16 bytes.
//!
//! Put together from GHASH and counter mode, because the length of the nonce is known only at run time.

use super::Tag;
use crate::Error;
use crate::aes::{Aes, BLOCK};
use aes::cipher::{InnerIvInit as _, StreamCipher as _};
use ctr::flavors::Ctr32BE;
use ghash::GHash;
use ghash::universal_hash::UniversalHash as _;
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

type Keystream<'a> = ctr::Ctr32BE<&'a Aes>;

/// Encrypts in place.
pub(super) fn encrypt(aes: &Aes, nonce: &[u8], aad: &[u8], data: &mut [u8]) -> Result<Tag, Error> {
    let (ghash, mut keystream, mask) = start(aes, nonce)?;
    keystream.try_apply_keystream(data).map_err(|_| Error::BadLength)?;
    Ok(tag(ghash, &mask, aad, data))
}

/// Decrypts in place after the tag was found right; otherwise `data` is unchanged.
pub(super) fn decrypt(aes: &Aes, nonce: &[u8], aad: &[u8], data: &mut [u8], expected: &Tag) -> Result<(), Error> {
    let (ghash, mut keystream, mask) = start(aes, nonce)?;
    if !bool::from(tag(ghash, &mask, aad, data).ct_eq(expected)) {
        return Err(Error::BadSignature);
    }
    keystream.try_apply_keystream(data).map_err(|_| Error::BadLength)
}

/// GHASH under the hash key, the key stream from the second counter block on, and its first block, which masks the tag
/// (SP 800-38D §7.1, steps 1 to 3).
fn start<'a>(aes: &'a Aes, nonce: &[u8]) -> Result<(GHash, Keystream<'a>, Zeroizing<Tag>), Error> {
    let mut hash_key = [0; BLOCK];
    aes.encrypt(&mut hash_key);
    let ghash = GHash::new((&hash_key).into());
    hash_key.zeroize();
    let counter = match nonce {
        [] => return Err(Error::BadLength),
        // Ninety-six bits are taken as they are; the counter behind them begins at 1.
        [n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, n10, n11] => {
            [*n0, *n1, *n2, *n3, *n4, *n5, *n6, *n7, *n8, *n9, *n10, *n11, 0, 0, 0, 1]
        }
        nonce => {
            let mut ghash = ghash.clone();
            ghash.update_padded(nonce);
            ghash.update(&[lengths(0, nonce.len()).into()]);
            ghash.finalize().into()
        }
    };
    let core = ctr::CtrCore::<_, Ctr32BE>::inner_iv_init(aes, (&counter).into());
    let mut keystream = Keystream::from_core(core);
    let mut mask = Zeroizing::new([0; BLOCK]);
    keystream.try_apply_keystream(mask.as_mut()).map_err(|_| Error::BadLength)?;
    Ok((ghash, keystream, mask))
}

/// The tag of additional data and ciphertext.
fn tag(mut ghash: GHash, mask: &Tag, aad: &[u8], ciphertext: &[u8]) -> Tag {
    ghash.update_padded(aad);
    ghash.update_padded(ciphertext);
    ghash.update(&[lengths(aad.len(), ciphertext.len()).into()]);
    let mut tag: Tag = ghash.finalize().into();
    tag.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
    tag
}

/// Two lengths in bytes as a block of two numbers of bits.
fn lengths(first: usize, second: usize) -> [u8; BLOCK] {
    let bits = |bytes: usize| u128::from((bytes as u64).wrapping_mul(8));
    (bits(first) << 64 | bits(second)).to_be_bytes()
}
