//! Public keys as OpenSSH writes them (RFC 4253 §6.6, RFC 5656 §3.1, RFC 8709 §4).

use crate::bytes::base64;
use ferrite_client::crypto::ec::Curve;
use ferrite_client::crypto::edwards;
use ferrite_client::{Error, ErrorKind, PublicKey, Result};

/// A line for `authorized_keys`.
///
/// # Errors
/// [`ErrorKind::Usage`]: OpenSSH has no such kind of key.
pub(crate) fn line(key: &PublicKey, comment: &str) -> Result<String> {
    let (name, blob) = blob(key)?;
    Ok(format!("{name} {} {comment}", base64(&blob)).trim_end().to_owned() + "\n")
}

fn blob(key: &PublicKey) -> Result<(String, Vec<u8>)> {
    let unknown = || {
        Error::new(
            ErrorKind::Usage,
            "write the key for OpenSSH",
            format!("OpenSSH knows no key of kind {}", key.key_type()),
        )
        .advise("It knows RSA, P-256, P-384, P-521 and Ed25519.")
    };
    let (name, fields): (String, Vec<Vec<u8>>) = match key {
        PublicKey::Rsa { modulus, exponent } => ("ssh-rsa".into(), vec![integer(exponent), integer(modulus)]),
        PublicKey::Ec { curve, point } => {
            let curve = match curve {
                Curve::P256 => "nistp256",
                Curve::P384 => "nistp384",
                Curve::P521 => "nistp521",
                _ => return Err(unknown()),
            };
            (format!("ecdsa-sha2-{curve}"), vec![curve.into(), point.clone()])
        }
        PublicKey::Edwards { curve: edwards::Curve::Ed25519, key } => ("ssh-ed25519".into(), vec![key.clone()]),
        PublicKey::Edwards { .. } | PublicKey::Montgomery { .. } => return Err(unknown()),
    };
    let mut out = Vec::new();
    for field in std::iter::once(name.as_bytes()).chain(fields.iter().map(Vec::as_slice)) {
        let len = u32::try_from(field.len()).map_err(|_| unknown())?;
        out.extend_from_slice(&len.to_be_bytes());
        out.extend_from_slice(field);
    }
    Ok((name, out))
}

/// An `mpint` (RFC 4251 §5) of a positive number without leading zeros.
fn integer(number: &[u8]) -> Vec<u8> {
    let sign = number.first().is_some_and(|first| *first >= 0x80);
    [&[0][..usize::from(sign)], number].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_the_form_of_rfc_8709() {
        // The blob of such a key begins with its name and the length of the key (RFC 8709 §4).
        let key = hex::decode("b8e1a1d4c5bc6f7f0b3b1e0ad2e0f0a5d6b9d3c0a1b2c3d4e5f60718293a4b5c").expect("hexadecimal");
        let line = line(&PublicKey::Edwards { curve: edwards::Curve::Ed25519, key }, "me").expect("a line");
        assert!(line.starts_with("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI") && line.ends_with(" me\n"), "{line}");
        assert_eq!(integer(&[0x80]), [0, 0x80]);
        assert_eq!(integer(&[0x7F]), [0x7F]);
    }
}
