//! Wrapped keys, made and opened on this computer from a DKEK (specification part 2 §10 and §13.3).

use super::key::PrivateKey;
use crate::error::{Error, ErrorKind, Result};
use ferrite_crypto::cipher::Direction;
use ferrite_crypto::dkek::Dkek;
use ferrite_proto::blob::{BLOCK, Blob, CHECK_VALUE, MAC, Payload, RANDOM, write_head};
use rand_core::Rng as _;
use zeroize::Zeroizing;

/// Room for what stands in front of a payload, without the list of algorithms.
const HEAD: usize = CHECK_VALUE + 1 + 4 * 2 + 10;
/// Room for a payload with its padding: RSA-4096 needs the most.
const MAX_PAYLOAD: usize = 2048;

/// A key that was opened, and what its blob allows it for.
pub struct Opened {
    /// The key.
    pub key: PrivateKey,
    /// Algorithms for which it may be used; empty: all.
    pub algorithms: Vec<u8>,
}

/// The check value of the DKEK that a blob was made with.
///
/// # Errors
/// [`ErrorKind::BadInput`]: this is no blob.
pub fn check_value(blob: &[u8]) -> Result<[u8; CHECK_VALUE]> {
    Ok(parse(blob)?.check_value)
}

/// Wraps a key. `algorithms` limits what it may be used for; empty: everything.
///
/// # Errors
/// [`ErrorKind::Io`]: no random numbers.
pub fn wrap(dkek: &Dkek, key: &PrivateKey, algorithms: &[u8]) -> Result<Vec<u8>> {
    let mut random = [0; RANDOM];
    crate::random::generator()?.fill_bytes(&mut random);
    wrap_with(dkek, key, algorithms, &random)
}

fn wrap_with(dkek: &Dkek, key: &PrivateKey, algorithms: &[u8], random: &[u8; RANDOM]) -> Result<Vec<u8>> {
    let failed = || Error::new(ErrorKind::Usage, "wrap the key", "it, or its list of algorithms, is too long");
    key.with_payload(|payload| {
        let mut blob = vec![0; HEAD + algorithms.len()];
        let len = write_head(&dkek.check_value(), payload.blob_type(), algorithms, &mut blob);
        blob.truncate(len.map_err(|_| failed())?);
        let mut content = Zeroizing::new(vec![0; RANDOM + MAX_PAYLOAD]);
        content[..RANDOM].copy_from_slice(random);
        let len = payload.write(RANDOM, &mut content[RANDOM..]).map_err(|_| failed())?;
        content.truncate(RANDOM + len);
        dkek.cipher(Direction::Encrypt, &mut content).map_err(|_| failed())?;
        blob.extend_from_slice(&content);
        let mac = dkek.mac(&blob).map_err(|_| failed())?;
        blob.extend_from_slice(&mac);
        Ok(blob)
    })
}

/// Opens a blob.
///
/// # Errors
/// [`ErrorKind::BadInput`]: this is no blob; [`ErrorKind::Verification`]: another DKEK made it, or it is damaged.
pub fn open(dkek: &Dkek, blob: &[u8]) -> Result<Opened> {
    let blob = parse(blob)?;
    if blob.check_value != dkek.check_value() {
        let [theirs, ours] = [blob.check_value, dkek.check_value()].map(|value| hexadecimal(&value));
        return Err(Error::new(ErrorKind::Verification, WHAT, "it was wrapped under another DKEK")
            .advise(format!("The key check value of its DKEK is {theirs}, that of the shares given {ours}.")));
    }
    let damaged = || Error::new(ErrorKind::Verification, WHAT, "it is damaged");
    dkek.verify(blob.authenticated, &blob.mac).map_err(|_| damaged())?;
    let mut content = Zeroizing::new(blob.encrypted.to_vec());
    dkek.cipher(Direction::Decrypt, &mut content).map_err(|_| damaged())?;
    let payload = content.get(RANDOM..).ok_or_else(damaged)?;
    let payload = Payload::parse(blob.blob_type, payload).map_err(|_| damaged())?;
    let key = PrivateKey::from_payload(&payload, &mut crate::random::generator()?)?;
    Ok(Opened { key, algorithms: blob.algorithms.to_vec() })
}

const WHAT: &str = "open the wrapped key";
const _: () = assert!(MAC == BLOCK, "the code is one block of AES-CMAC");

fn parse(blob: &[u8]) -> Result<Blob<'_>> {
    Blob::parse(blob).map_err(|_| Error::new(ErrorKind::BadInput, WHAT, "this is no wrapped key"))
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

#[cfg(test)]
mod tests;
