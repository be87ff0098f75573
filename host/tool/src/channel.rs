//! `--channel`: everything goes through a secure channel to a device that is known.

use crate::authority::read_roots;
use crate::bytes;
use crate::progress::during;
use ferrite_client::{AnyTransport, PublicKey, Result, SecureChannel, Trust};
use std::path::PathBuf;

/// What the device at the other end is believed for.
#[derive(Debug, Clone)]
pub(crate) enum Believed {
    /// A root vouches for it.
    Root(PathBuf),
    /// Its key is known from before.
    Key(PathBuf),
}

impl std::str::FromStr for Believed {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text.split_once(':') {
            Some(("root", path)) if !path.is_empty() => Ok(Self::Root(path.into())),
            Some(("key", path)) if !path.is_empty() => Ok(Self::Key(path.into())),
            _ => Err("say root:FILE, a root's certificate, or key:FILE, the device's public key".into()),
        }
    }
}

/// What is shown meanwhile.
const OPENING: &str = "Opening a secure channel";

impl Believed {
    /// Opens a secure channel through a transport.
    ///
    /// # Errors
    /// [`ferrite_client::ErrorKind::Verification`]: it is another device.
    pub(crate) fn open(&self, transport: AnyTransport) -> Result<AnyTransport> {
        Ok(Box::new(match self {
            Self::Root(path) => {
                let roots = read_roots(std::slice::from_ref(path))?;
                during(OPENING, || SecureChannel::open(transport, Trust::Roots(&roots)))?
            }
            Self::Key(path) => {
                let key = PublicKey::from_file(&bytes::read(path)?)?;
                during(OPENING, || SecureChannel::open(transport, Trust::Key(&key)))?
            }
        }))
    }
}
