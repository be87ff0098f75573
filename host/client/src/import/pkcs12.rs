//! PKCS#12 (RFC 7292): keys and certificates under one password.

use super::asn1::{Fields, context};
use super::encryption::{Purpose, WRONG_PASSWORD, derive, no_password};
use super::keys::{IMPLICIT_OCTETS, encrypted_pkcs8, pkcs8};
use super::{Imported, ImportedKey, WHAT, bad, encryption};
use crate::error::{Error, ErrorKind, Result};
use crate::public_key::PublicKey;
use der::asn1::ObjectIdentifier;
use der::{Encode as _, Tag};
use ferrite_crypto::hash::Hash;
use ferrite_crypto::mac::hmac;
use zeroize::Zeroizing;

const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const ENCRYPTED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.6");
const KEY_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.1");
const SHROUDED_KEY_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.2");
const CERTIFICATE_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.3");
const NESTED_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.6");
const X509: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.22.1");
const FRIENDLY_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.20");
const LOCAL_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.21");
const VERSION: u32 = 3;
/// Safe contents may hold safe contents; so deep at most.
const MAX_DEPTH: u8 = 4;

/// Whether a file is of this form.
pub(super) fn is_pkcs12(file: &[u8]) -> bool {
    let version = || Fields::of_sequence(file)?.small_number();
    let content = || -> Result<ObjectIdentifier> {
        let mut fields = Fields::of_sequence(file)?;
        fields.small_number()?;
        Fields::new(fields.expect(Tag::Sequence)?)?.oid()
    };
    version().is_ok_and(|version| version == VERSION) && content().is_ok_and(|oid| oid == DATA)
}

/// Reads a file: its code first, then its contents.
pub(super) fn read(file: &[u8], password: Option<&[u8]>) -> Result<Imported> {
    let password = password.ok_or_else(no_password)?;
    let mut fields = Fields::of_sequence(file)?;
    fields.small_number()?;
    let safe = content_data(fields.expect(Tag::Sequence)?)?;
    if let Some(mac) = fields.optional(Tag::Sequence)? {
        verify(mac, password, safe)?;
    }
    let mut imported = Imported::default();
    let mut contents = Fields::of_sequence(safe)?;
    while !contents.is_empty() {
        let content = contents.expect(Tag::Sequence)?;
        let mut info = Fields::new(content)?;
        match info.oid()? {
            DATA => bags(content_data(content)?, password, &mut imported, 0)?,
            ENCRYPTED_DATA => {
                let plain = encrypted_data(info.expect(context(0))?, password)?;
                bags(&plain, password, &mut imported, 0)?;
            }
            other => {
                let why = format!("a part of it is protected by public keys, or not known ({other})");
                return Err(Error::new(ErrorKind::Unsupported, WHAT, why));
            }
        }
    }
    Ok(imported)
}

/// The octets of a ContentInfo of type data.
fn content_data(content: &[u8]) -> Result<&[u8]> {
    let mut info = Fields::new(content)?;
    info.oid()?;
    Fields::new(info.expect(context(0))?)?.expect(Tag::OctetString)
}

/// EncryptedData (RFC 5652 §8).
fn encrypted_data(content: &[u8], password: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let mut fields = Fields::of_sequence(content)?;
    fields.small_number()?;
    let mut info = Fields::new(fields.expect(Tag::Sequence)?)?;
    info.oid()?;
    let algorithm = info.next()?.to_der().map_err(|_| bad("it has another form"))?;
    encryption::decrypt(&algorithm, Some(password), info.expect(IMPLICIT_OCTETS)?)
}

/// MacData.
fn verify(mac: &[u8], password: &[u8], safe: &[u8]) -> Result<()> {
    let mut fields = Fields::new(mac)?;
    let info = fields.next()?.to_der().map_err(|_| bad("it has another form"))?;
    let salt = fields.expect(Tag::OctetString)?;
    let iterations = if fields.is_empty() { 1 } else { fields.small_number()? };
    let (hash, expected) = Hash::from_digest_info(&info).ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, WHAT, "the code that authenticates it is of a kind that is not known")
    })?;
    let key = derive(hash, Purpose::Mac, password, salt, iterations, hash.digest_len())?;
    if hmac(hash, &key, &[safe]).as_ref() == expected { Ok(()) } else { Err(WRONG_PASSWORD()) }
}

/// SafeContents.
fn bags(content: &[u8], password: &[u8], imported: &mut Imported, depth: u8) -> Result<()> {
    if depth > MAX_DEPTH {
        return Err(bad("its parts are nested too deep"));
    }
    let mut all = Fields::of_sequence(content)?;
    while !all.is_empty() {
        let mut bag = Fields::new(all.expect(Tag::Sequence)?)?;
        let oid = bag.oid()?;
        let value = bag.expect(context(0))?;
        let (label, cka_id) = attributes(bag.optional(Tag::Set)?)?;
        match oid {
            KEY_BAG => imported.keys.push(ImportedKey { key: pkcs8(value)?, label, cka_id, certificate: None }),
            SHROUDED_KEY_BAG => {
                let key = encrypted_pkcs8(value, Some(password))?;
                imported.keys.push(ImportedKey { key, label, cka_id, certificate: None });
            }
            CERTIFICATE_BAG => {
                let mut fields = Fields::of_sequence(value)?;
                if fields.oid()? == X509 {
                    let certificate = Fields::new(fields.expect(context(0))?)?.expect(Tag::OctetString)?;
                    if PublicKey::from_any_certificate(certificate).is_ok() {
                        imported.certificates.push(certificate.to_vec());
                    }
                }
            }
            NESTED_BAG => bags(value, password, imported, depth + 1)?,
            // Certificate revocation lists and secrets of other programs.
            _ => {}
        }
    }
    Ok(())
}

/// Name and number of a bag.
fn attributes(set: Option<&[u8]>) -> Result<(String, Vec<u8>)> {
    let (mut label, mut id) = (String::new(), Vec::new());
    let mut all = Fields::new(set.unwrap_or_default())?;
    while !all.is_empty() {
        let mut attribute = Fields::new(all.expect(Tag::Sequence)?)?;
        let oid = attribute.oid()?;
        let mut values = Fields::new(attribute.expect(Tag::Set)?)?;
        if values.is_empty() {
            continue;
        }
        let value = values.next()?.value();
        match oid {
            FRIENDLY_NAME => {
                let (units, _) = value.as_chunks::<2>();
                let units: Vec<u16> = units.iter().map(|unit| u16::from_be_bytes(*unit)).collect();
                label = String::from_utf16_lossy(&units);
            }
            LOCAL_KEY_ID => id = value.to_vec(),
            _ => {}
        }
    }
    Ok((label, id))
}
