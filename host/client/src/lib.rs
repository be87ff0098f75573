//! Typed calls to an HSM over any transport.
//!
//! ```no_run
//! use ferrite_client::{Hsm, KeyAttributes, open};
//! use ferrite_proto::command::AlgorithmId;
//!
//! # fn main() -> ferrite_client::Result<()> {
//! let mut hsm = Hsm::open(open(None)?)?;
//! hsm.login(b"648219")?;
//! let id = hsm.free_key_id()?;
//! let key = hsm.generate_key(id, "p256".parse()?, "my key", &KeyAttributes::default())?;
//! let signature = hsm.sign(key.id, AlgorithmId::ECDSA_SHA256, b"a message")?;
//! # Ok(())
//! # }
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | [`transport`] | ways to a device: PC/SC, USB without any service, the socket of a virtual device |
//! | [`discovery`] | finding the device that is meant |
//! | [`hsm`] | [`Hsm`]: one method for each thing a device can be asked |
//! | [`key_type`], [`public_key`] | kinds of keys and their names; public keys, PEM, signatures of certificates |
//! | [`signature`] | signature schemes: asking the device for them, checking without it |
//! | [`custody`] | DKEK shares, thresholds, wrapped keys |
//! | [`import`] | keys and certificates from PKCS#12, PKCS#8, PKCS#1 and SEC 1 files |
//! | [`archive`] | backups of a whole device, or of one key, in one encrypted file |
//! | [`certificate`] | an authority for devices, chains, attestation |
//! | [`channel`] | the secure channel |
//! | [`error`] | what happened, why, and what to do about it |
//!
//! Commands are encoded and answers decoded by `ferrite-proto`, as on the device. Secrets live in types that wipe
//! themselves and cannot be printed.
#![forbid(unsafe_code)]

pub mod archive;
pub mod certificate;
pub mod channel;
pub mod custody;
pub mod discovery;
pub mod error;
pub mod hsm;
pub mod import;
pub mod key_type;
pub mod public_key;
mod random;
pub mod signature;
pub mod transport;

pub use certificate::Trust;
pub use channel::SecureChannel;
pub use discovery::{devices, open};
pub use error::{Error, ErrorKind, Result};
pub use hsm::{Hsm, Initialization, KeyAttributes};
pub use key_type::KeyType;
pub use public_key::PublicKey;
pub use signature::Scheme;
pub use transport::{AnyTransport, Transport};

// What calls take and return.
pub use ferrite_crypto as crypto;
pub use ferrite_proto as proto;
