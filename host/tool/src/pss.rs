//! RSASSA-PSS in X.509 (RFC 4055 §3.1): one object identifier, and parameters that say which hash.
//!
//! ```text
//! RSASSA-PSS-params ::= SEQUENCE {
//!   hashAlgorithm    [0] AlgorithmIdentifier DEFAULT sha1,
//!   maskGenAlgorithm [1] AlgorithmIdentifier DEFAULT mgf1 with sha1,
//!   saltLength       [2] INTEGER DEFAULT 20,
//!   trailerField     [3] INTEGER DEFAULT 1 }
//! ```

use ferrite_client::crypto::hash::Hash;
use x509_cert::der::asn1::{Any, ContextSpecificRef, Null, ObjectIdentifier};
use x509_cert::der::{Decode, Encode, Result, Tag, TagMode, TagNumber, Tagged};
use x509_cert::spki::AlgorithmIdentifierOwned;

/// id-RSASSA-PSS.
pub(crate) const RSASSA_PSS: ObjectIdentifier = oid("1.2.840.113549.1.1.10");
/// id-mgf1.
const MGF1: ObjectIdentifier = oid("1.2.840.113549.1.1.8");
/// Hashes by their object identifiers (RFC 4055 §2.1).
const HASHES: [(ObjectIdentifier, Hash); 5] = [
    (oid("1.3.14.3.2.26"), Hash::Sha1),
    (oid("2.16.840.1.101.3.4.2.4"), Hash::Sha224),
    (oid("2.16.840.1.101.3.4.2.1"), Hash::Sha256),
    (oid("2.16.840.1.101.3.4.2.2"), Hash::Sha384),
    (oid("2.16.840.1.101.3.4.2.3"), Hash::Sha512),
];
/// Length of the salt if nobody says otherwise, in bytes.
const DEFAULT_SALT: usize = 20;

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

/// The parameters for a hash, MGF1 with the same hash, and a salt of so many bytes.
///
/// # Errors
/// The salt is longer than an integer here can say.
pub(crate) fn parameters(hash: Hash, salt: usize) -> Result<Any> {
    let mut content = Vec::new();
    if hash != Hash::Sha1 {
        let known = HASHES.iter().find(|(_, known)| *known == hash);
        let (oid, _) = known.ok_or_else(|| Tag::ObjectIdentifier.value_error())?;
        let hash = AlgorithmIdentifierOwned { oid: *oid, parameters: Some(Any::from(Null)) };
        let mask = AlgorithmIdentifierOwned { oid: MGF1, parameters: Some(Any::encode_from(&hash)?) };
        explicit(0, &hash)?.encode_to_vec(&mut content)?;
        explicit(1, &mask)?.encode_to_vec(&mut content)?;
    }
    if salt != DEFAULT_SALT {
        let salt = u16::try_from(salt).map_err(|_| Tag::Integer.value_error())?;
        explicit(2, &salt)?.encode_to_vec(&mut content)?;
    }
    Any::new(Tag::Sequence, content)
}

/// The hash that parameters name, with MGF1 of the same hash; `None` for anything else.
pub(crate) fn hash(parameters: &Any) -> Option<Hash> {
    let is_it = |hash: Hash| {
        let salt = salt(parameters).unwrap_or(DEFAULT_SALT);
        self::parameters(hash, salt).is_ok_and(|known| known == *parameters)
    };
    HASHES.iter().map(|(_, hash)| *hash).find(|hash| is_it(*hash))
}

/// Length of the salt, if it is said.
fn salt(parameters: &Any) -> Option<usize> {
    let mut rest = parameters.value();
    loop {
        let (field, after) = Any::from_der_partial(rest).ok()?;
        if field.tag() == (Tag::ContextSpecific { constructed: true, number: TagNumber(2) }) {
            return u16::from_der(field.value()).ok().map(usize::from);
        }
        rest = after;
    }
}

fn explicit<T>(number: u32, value: &T) -> Result<ContextSpecificRef<'_, T>> {
    Ok(ContextSpecificRef { tag_number: TagNumber(number), tag_mode: TagMode::Explicit, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_written_as_openssl_writes_them_and_read_back() {
        // openssl req -new -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest
        let expected = "3034a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d0609608648016503040201\
                        0500a203020120";
        let written = parameters(Hash::Sha256, 32).and_then(|any| any.to_der()).expect("parameters");
        assert_eq!(hex::encode(&written), expected);
        let read = |der: &str| hash(&Any::from_der(&hex::decode(der).expect("digits")).expect("DER"));
        assert_eq!(read(expected), Some(Hash::Sha256));
        assert_eq!(read("3000"), Some(Hash::Sha1));
        for (_, known) in HASHES {
            for salt in [0, 20, 32, 64, 222] {
                assert_eq!(parameters(known, salt).ok().as_ref().and_then(hash), Some(known));
            }
        }
        // Another hash in the mask, and a trailer of one's own.
        assert_eq!(read(&expected.replacen("0402010500a2", "0402020500a2", 1)), None);
        assert_eq!(read("3005a303020102"), None);
    }
}
