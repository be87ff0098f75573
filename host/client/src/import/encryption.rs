//! Decryption under a password: PBES2 (RFC 8018), and the ciphers and the key derivation of PKCS#12 (RFC 7292 appendix B).

use super::asn1::Fields;
use super::{WHAT, bad};
use crate::error::{Error, ErrorKind, Result};
use cbc::cipher::{Array, BlockModeDecrypt, BlockSizeUser, InnerIvInit as _, KeyIvInit as _, consts::U8};
use der::asn1::ObjectIdentifier;
use der::{Decode as _, Tag};
use ferrite_crypto::hash::Hash;
use zeroize::Zeroizing;

/// Three-key and two-key Triple-DES, 128-bit and 40-bit RC2, with SHA-1 (RFC 7292 appendix C).
const PBE_TRIPLE_DES: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.3");
const PBE_DOUBLE_DES: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.4");
const PBE_RC2_128: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.5");
const PBE_RC2_40: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.6");
/// Most iterations that are taken: what a file says must not stop the program for hours.
const MAX_ITERATIONS: u32 = 10_000_000;

/// What the key derivation of PKCS#12 derives.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    Key = 1,
    Iv = 2,
    Mac = 3,
}

pub(super) const WRONG_PASSWORD: fn() -> Error =
    || Error::new(ErrorKind::WrongPassword, WHAT, "the password is wrong").advise("Give the password of the file.");

pub(super) fn no_password() -> Error {
    Error::new(ErrorKind::WrongPassword, WHAT, "it is encrypted").advise("Give the password of the file.")
}

/// Decrypts. `algorithm` is a complete AlgorithmIdentifier.
pub(super) fn decrypt(algorithm: &[u8], password: Option<&[u8]>, data: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let password = password.ok_or_else(no_password)?;
    let mut fields = Fields::of_sequence(algorithm)?;
    let oid = fields.oid()?;
    let key_len = match oid {
        PBE_TRIPLE_DES => 24,
        PBE_DOUBLE_DES | PBE_RC2_128 => 16,
        PBE_RC2_40 => 5,
        _ => return pbes2(algorithm, oid, password, data),
    };
    let mut parameters = Fields::new(fields.expect(Tag::Sequence)?)?;
    let salt = parameters.expect(Tag::OctetString)?;
    let iterations = iterations(parameters.small_number()?)?;
    let mut key = derive(Hash::Sha1, Purpose::Key, password, salt, iterations, key_len)?;
    let iv = derive(Hash::Sha1, Purpose::Iv, password, salt, iterations, 8)?;
    let mut data = Zeroizing::new(data.to_vec());
    match oid {
        PBE_TRIPLE_DES => triple_des(&key, &iv, &mut data)?,
        PBE_DOUBLE_DES => {
            let first = Zeroizing::new(key[..8].to_vec());
            key.extend_from_slice(&first);
            triple_des(&key, &iv, &mut data)?;
        }
        _ => {
            let cipher = rc2::Rc2::new_with_eff_key_len(&key, key_len * 8);
            let iv: &Array<u8, U8> = iv.as_slice().try_into().map_err(|_| bad("it is cut short"))?;
            blocks(cbc::Decryptor::inner_iv_init(cipher, iv), &mut data)?;
        }
    }
    let len = unpad(&data, 8).ok_or_else(WRONG_PASSWORD)?;
    data.truncate(len);
    Ok(data)
}

fn pbes2(algorithm: &[u8], oid: ObjectIdentifier, password: &[u8], data: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let unknown = || {
        Error::new(ErrorKind::Unsupported, WHAT, format!("it is encrypted by an algorithm that is not known ({oid})"))
            .advise("Write the file again with: openssl pkcs8 -topk8 -v2 aes-256-cbc")
    };
    let scheme = pkcs5::EncryptionScheme::from_der(algorithm).map_err(|_| unknown())?;
    if let Some(parameters) = scheme.pbes2().and_then(|parameters| parameters.kdf.pbkdf2()) {
        iterations(parameters.iteration_count)?;
    }
    scheme.decrypt(password, data).map(Zeroizing::new).map_err(|error| match error {
        pkcs5::Error::DecryptFailed | pkcs5::Error::EncryptFailed => WRONG_PASSWORD(),
        _ => unknown().caused_by(error.to_string()),
    })
}

fn iterations(count: u32) -> Result<u32> {
    if (1..=MAX_ITERATIONS).contains(&count) { Ok(count) } else { Err(bad("it wants the password hashed too often")) }
}

/// Triple-DES in CBC mode.
pub(super) fn triple_des(key: &[u8], iv: &[u8], data: &mut [u8]) -> Result<()> {
    let cipher = cbc::Decryptor::<des::TdesEde3>::new_from_slices(key, iv).map_err(|_| bad("it is cut short"))?;
    blocks(cipher, data)
}

fn blocks<C: BlockSizeUser<BlockSize = U8> + BlockModeDecrypt>(mut cipher: C, data: &mut [u8]) -> Result<()> {
    let (blocks, rest) = Array::slice_as_chunks_mut(data);
    if !rest.is_empty() {
        return Err(bad("it is cut short"));
    }
    cipher.decrypt_blocks(blocks);
    Ok(())
}

/// The length without the padding of PKCS#7.
pub(super) fn unpad(data: &[u8], block: usize) -> Option<usize> {
    let padding = usize::from(*data.last()?);
    let len = data.len().checked_sub(padding).filter(|_| (1..=block).contains(&padding))?;
    data.get(len..)?.iter().all(|byte| usize::from(*byte) == padding).then_some(len)
}

/// The key derivation of PKCS#12 (RFC 7292 appendix B.2).
pub(super) fn derive(
    hash: Hash,
    purpose: Purpose,
    password: &[u8],
    salt: &[u8],
    iterations_wanted: u32,
    len: usize,
) -> Result<Zeroizing<Vec<u8>>> {
    let count = iterations(iterations_wanted)?;
    let block = if hash.digest_len() > 32 { 128 } else { 64 };
    // The password as big-endian UTF-16 with a zero behind it.
    let text = std::str::from_utf8(password).map_err(|_| WRONG_PASSWORD().because("the password is not UTF-8"))?;
    let mut wide = Zeroizing::new(Vec::with_capacity(4 * text.len() + 2));
    text.encode_utf16().chain([0]).for_each(|unit| wide.extend_from_slice(&unit.to_be_bytes()));
    let filled = |bytes: &[u8]| -> Zeroizing<Vec<u8>> {
        let len = bytes.len().next_multiple_of(block);
        Zeroizing::new(bytes.iter().copied().cycle().take(if bytes.is_empty() { 0 } else { len }).collect())
    };
    let mut input = Zeroizing::new([filled(salt).as_slice(), filled(&wide).as_slice()].concat());
    let diversifier = vec![purpose as u8; block];
    let mut out = Zeroizing::new(Vec::with_capacity(len + 64));
    while out.len() < len {
        let mut digest = hash.digest(&[&diversifier, &input]);
        for _ in 1..count {
            digest = hash.digest(&[digest.as_ref()]);
        }
        out.extend_from_slice(digest.as_ref());
        // Each block of the input grows by the digest, repeated, and one.
        let addend: Zeroizing<Vec<u8>> = Zeroizing::new(digest.as_ref().iter().copied().cycle().take(block).collect());
        for part in input.chunks_mut(block) {
            let mut carry = 1;
            for (byte, add) in part.iter_mut().rev().zip(addend.iter().rev()) {
                carry += u16::from(*byte) + u16::from(*add);
                *byte = carry as u8;
                carry >>= 8;
            }
        }
    }
    out.truncate(len);
    Ok(out)
}
