//! Keys outside of a device: shares of a DKEK, the blobs it wraps keys in, and the files they are kept in.
//!
//! | module | what it is |
//! |---|---|
//! | [`share`] | a DKEK share in a file under a password, as `sc-hsm-tool` makes and reads it |
//! | [`threshold`] | a password in n parts, of which m give it back, as `sc-hsm-tool` makes and reads them |
//! | [`key`] | a private or secret key on this computer |
//! | [`blob`] | wrapped keys, made and opened here |
//! | [`group`] | devices that agree on a DKEK among themselves (XKEK) |
//! | [`wrapped`] | the file that `sc-hsm-tool --wrap-key` writes |

pub mod blob;
pub mod group;
pub mod key;
pub mod share;
pub mod threshold;
pub mod wrapped;

pub use ferrite_crypto::dkek::Dkek;
