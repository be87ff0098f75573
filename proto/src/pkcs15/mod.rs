//! PKCS#15 descriptions of keys, certificates and data objects, and the token's own (ISO 7816-15, specification part 1
//! §5.4, part 4 §1.7), in DER.
//!
//! ```text
//! object ::= tag { 30 common, 30 class, [A0 subclass], A1 type }
//! common ::= 0C label, [03 flags], [04 authentication id]
//! ```
//! Readers skip what they do not know, because OpenSC adds elements and leaves tails of older, longer descriptions.

mod common;
mod keys;
mod objects;
mod token;

pub use keys::{KeyDescription, KeyType, MAX_KEY_DESCRIPTION, decimal};
pub use objects::{Name, ObjectDescription};
pub use token::{LABEL, MANUFACTURER, TokenInfo, default_token_info, ef_dir};

#[cfg(test)]
mod tests;
