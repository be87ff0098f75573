//! Private keys by themselves: PKCS#8 (RFC 5958), PKCS#1 (RFC 8017 §A.1.2), SEC 1 (RFC 5915), RFC 8410.

use super::asn1::{Fields, context, primitive};
use super::{WHAT, bad, encryption};
use crate::custody::key::PrivateKey;
use crate::error::{Error, ErrorKind, Result};
use crate::public_key::{EC_PUBLIC_KEY, RSA_ENCRYPTION, curve_of_oid, okp_of_oid};
use der::Tag;
use der::asn1::ObjectIdentifier;
use ferrite_crypto::{ec, rsa};

/// A key in DER, whichever of the forms it has; `None` if it has none of them.
pub(super) fn any_plain(bytes: &[u8]) -> Result<Option<PrivateKey>> {
    let Ok(mut fields) = Fields::of_sequence(bytes) else { return Ok(None) };
    let Ok(version) = fields.small_number() else { return Ok(None) };
    let Ok(second) = fields.next() else { return Ok(None) };
    match (version, der::Tagged::tag(&second)) {
        (0 | 1, Tag::Sequence) => pkcs8(bytes).map(Some),
        (0, Tag::Integer) => pkcs1(bytes).map(Some),
        (1, Tag::OctetString) => sec1(bytes, None).map(Some),
        _ => Ok(None),
    }
}

/// PrivateKeyInfo.
pub(super) fn pkcs8(bytes: &[u8]) -> Result<PrivateKey> {
    let mut fields = Fields::of_sequence(bytes)?;
    let version = fields.small_number()?;
    if version > 1 {
        return Err(bad("its version is unknown"));
    }
    let mut algorithm = Fields::new(fields.expect(Tag::Sequence)?)?;
    let oid = algorithm.oid()?;
    let content = fields.expect(Tag::OctetString)?;
    if oid == RSA_ENCRYPTION {
        return pkcs1(content);
    }
    if oid == EC_PUBLIC_KEY {
        return sec1(content, Some(named_curve(&mut algorithm)?));
    }
    match okp_of_oid(oid) {
        Some(kind) => {
            let mut inner = Fields::new(content)?;
            let key = inner.expect(Tag::OctetString)?;
            inner.end()?;
            PrivateKey::okp(kind, key)
        }
        None => Err(Error::new(ErrorKind::Unsupported, WHAT, format!("it is of a kind that is not known ({oid})"))
            .advise("RSA keys, keys on elliptic curves and those of curves 25519 and 448 can be imported.")),
    }
}

/// Whether it is an EncryptedPrivateKeyInfo.
pub(super) fn is_encrypted_pkcs8(bytes: &[u8]) -> bool {
    let fields = || -> Result<()> {
        let mut fields = Fields::of_sequence(bytes)?;
        Fields::new(fields.expect(Tag::Sequence)?)?.oid()?;
        fields.expect(Tag::OctetString)?;
        fields.end()
    };
    fields().is_ok()
}

/// EncryptedPrivateKeyInfo.
pub(super) fn encrypted_pkcs8(bytes: &[u8], password: Option<&[u8]>) -> Result<PrivateKey> {
    let mut fields = Fields::of_sequence(bytes)?;
    let algorithm = der::Encode::to_der(&fields.next()?).map_err(|_| bad("it has another form"))?;
    let content = fields.expect(Tag::OctetString)?;
    let plain = encryption::decrypt(&algorithm, password, content)?;
    // A wrong password is noticed by the padding in most cases, and by the form in the others.
    pkcs8(&plain).map_err(|error| match error.kind() {
        ErrorKind::BadInput => encryption::WRONG_PASSWORD().caused_by(error),
        _ => error,
    })
}

/// RSAPrivateKey.
pub(super) fn pkcs1(bytes: &[u8]) -> Result<PrivateKey> {
    let mut fields = Fields::of_sequence(bytes)?;
    if fields.small_number()? != 0 {
        return Err(Error::new(ErrorKind::Unsupported, WHAT, "it has more than two primes"));
    }
    let mut number = || fields.number();
    let [modulus, exponent, _, p, q, d_p, d_q, q_inverse] =
        [number()?, number()?, number()?, number()?, number()?, number()?, number()?, number()?];
    fields.end()?;
    let parts = rsa::Parts { modulus, p, q, d_p, d_q, q_inverse };
    PrivateKey::rsa(&parts, exponent, &mut crate::random::generator()?)
}

/// ECPrivateKey. The curve is named outside, or inside.
pub(super) fn sec1(bytes: &[u8], curve: Option<ec::Curve>) -> Result<PrivateKey> {
    let mut fields = Fields::of_sequence(bytes)?;
    if fields.small_number()? != 1 {
        return Err(bad("its version is unknown"));
    }
    let scalar = fields.expect(Tag::OctetString)?;
    let inside = match fields.optional(context(0))? {
        Some(parameters) => Some(named_curve(&mut Fields::new(parameters)?)?),
        None => None,
    };
    let curve = match (curve, inside) {
        (Some(outside), Some(inside)) if outside != inside => return Err(bad("it names two curves")),
        (outside, inside) => outside.or(inside).ok_or_else(|| bad("it does not name its curve"))?,
    };
    let point = match fields.optional(context(1))? {
        Some(holder) => Fields::new(holder)?.expect(Tag::BitString)?.split_first(),
        None => None,
    };
    fields.end()?;
    PrivateKey::ec(curve, scalar, point.map(|(_, point)| point))
}

fn named_curve(fields: &mut Fields<'_>) -> Result<ec::Curve> {
    let oid: ObjectIdentifier = fields.oid().map_err(|_| {
        Error::new(ErrorKind::Unsupported, WHAT, "its curve is given by numbers, not by name")
            .advise("Write it again with: openssl ec -param_enc named_curve")
    })?;
    curve_of_oid(oid).ok_or_else(|| Error::new(ErrorKind::Unsupported, WHAT, format!("its curve is not known ({oid})")))
}

/// Content of a primitive, context-specific field.
pub(super) const IMPLICIT_OCTETS: Tag = primitive(0);
