//! Random numbers of this computer, for what is made here: shares, blobs, certificates.

use crate::error::{Error, ErrorKind, Result};
use ferrite_crypto::drbg::Drbg;
use zeroize::Zeroizing;

/// A generator with fresh entropy of the operating system.
///
/// # Errors
/// [`ErrorKind::Io`]: the operating system has none.
pub(crate) fn generator() -> Result<Drbg> {
    let mut entropy = Zeroizing::new([0; 48]);
    getrandom::fill(entropy.as_mut()).map_err(|error| {
        Error::new(ErrorKind::Io, "get random numbers", "the operating system has none").caused_by(error)
    })?;
    Ok(Drbg::new(entropy.as_ref(), &[], b"ferrite client"))
}
