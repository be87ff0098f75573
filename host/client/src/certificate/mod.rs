//! Card-verifiable certificates of devices: who made this device's key known, and can it be believed (specification part 4
//! §5.3, BSI TR-03110-3 appendix C).
//!
//! | module | what it is |
//! |---|---|
//! | [`chain`] | checking a device's certificate from a root that is trusted |
//! | [`authority`] | an authority for devices: root, issuer, certificates for the keys that devices show |
//! | [`attestation`] | the proof that a key was made in a device, checked without the device |

pub mod attestation;
pub mod authority;
pub mod chain;

pub use authority::Authority;
pub use chain::{DeviceCertificate, Trust};
