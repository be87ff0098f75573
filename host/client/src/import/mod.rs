//! Keys and certificates from files that other programs wrote.
//!
//! | form | standard | encrypted |
//! |---|---|---|
//! | PKCS#8, PEM or DER | RFC 5958, RFC 8410 | PBES2 with AES or Triple-DES, PBKDF2 or scrypt; PKCS#12's own ciphers |
//! | PKCS#1, PEM or DER | RFC 8017 | OpenSSL's old PEM encryption |
//! | SEC 1, PEM or DER | RFC 5915 | OpenSSL's old PEM encryption |
//! | PKCS#12 | RFC 7292 | PBES2, and PKCS#12's own ciphers |
//! | X.509, PEM or DER | RFC 5280 | no |
//!
//! A file that `sc-hsm-tool` or CardContact's shell wrapped needs no import: see [`crate::custody::wrapped`].

mod asn1;
mod encryption;
mod keys;
mod pem;
mod pkcs12;

use crate::custody::blob;
use crate::custody::key::PrivateKey;
use crate::custody::share;
use crate::error::{Error, ErrorKind, Result};
use crate::hsm::{DomainState, Hsm, describe};
use crate::public_key::PublicKey;
use crate::transport::Transport;
use ferrite_crypto::dkek::Dkek;
use ferrite_proto::fid::KeyId;

/// A key from a file.
pub struct ImportedKey {
    /// The key.
    pub key: PrivateKey,
    /// What its file calls it; empty if it has no name there.
    pub label: String,
    /// The number by which its file ties it to a certificate; empty if there is none.
    pub cka_id: Vec<u8>,
    /// Its certificate, X.509 in DER, if the file holds it.
    pub certificate: Option<Vec<u8>>,
}

/// What a file holds.
#[derive(Default)]
pub struct Imported {
    /// The keys.
    pub keys: Vec<ImportedKey>,
    /// Certificates that belong to none of the keys, X.509 in DER: those of authorities.
    pub certificates: Vec<Vec<u8>>,
}

const WHAT: &str = "read the key file";

fn bad(why: &'static str) -> Error {
    Error::new(ErrorKind::BadInput, WHAT, why)
}

/// Whether a file is encrypted as a whole or in part, so that [`read`] wants a password.
pub fn is_encrypted(file: &[u8]) -> bool {
    match pem::blocks(file) {
        Ok(blocks) if !blocks.is_empty() => {
            blocks.iter().any(|block| block.label == pem::ENCRYPTED || block.encryption.is_some())
        }
        _ => keys::is_encrypted_pkcs8(file) || pkcs12::is_pkcs12(file),
    }
}

/// Reads a file of any of the forms. The password is that of what is encrypted in it.
///
/// # Errors
/// [`ErrorKind::BadInput`]; [`ErrorKind::WrongPassword`], also if there is none and one is needed;
/// [`ErrorKind::Unsupported`] for a cipher or kind of key that is not known.
pub fn read(file: &[u8], password: Option<&[u8]>) -> Result<Imported> {
    let blocks = pem::blocks(file)?;
    let mut imported = Imported::default();
    for block in &blocks {
        match block.label.as_str() {
            "CERTIFICATE" => imported.certificates.push(block.content.to_vec()),
            // Names the curve of the key that follows, which names it too.
            "EC PARAMETERS" => {}
            pem::PRIVATE => imported.keys.push(keys::pkcs8(&block.content)?.into()),
            pem::ENCRYPTED => imported.keys.push(keys::encrypted_pkcs8(&block.content, password)?.into()),
            pem::PKCS1 => imported.keys.push(keys::pkcs1(&block.decrypted(password)?)?.into()),
            pem::SEC1 => imported.keys.push(keys::sec1(&block.decrypted(password)?, None)?.into()),
            _ => {}
        }
    }
    if blocks.is_empty() {
        imported = read_der(file, password)?;
    }
    if imported.keys.is_empty() && imported.certificates.is_empty() {
        return Err(bad("it holds no key and no certificate").advise(
            "These are understood: PKCS#12, PKCS#8, PKCS#1 and SEC 1, in PEM or DER, and X.509 certificates.",
        ));
    }
    imported.assign_certificates()?;
    Ok(imported)
}

fn read_der(file: &[u8], password: Option<&[u8]>) -> Result<Imported> {
    if pkcs12::is_pkcs12(file) {
        return pkcs12::read(file, password);
    }
    let mut imported = Imported::default();
    if keys::is_encrypted_pkcs8(file) {
        imported.keys.push(keys::encrypted_pkcs8(file, password)?.into());
    } else if let Some(key) = keys::any_plain(file)? {
        imported.keys.push(key.into());
    } else if PublicKey::from_any_certificate(file).is_ok() {
        imported.certificates.push(file.to_vec());
    }
    Ok(imported)
}

impl From<PrivateKey> for ImportedKey {
    fn from(key: PrivateKey) -> Self {
        Self { key, label: String::new(), cka_id: Vec::new(), certificate: None }
    }
}

impl Imported {
    /// Gives each key the certificate with its public half.
    fn assign_certificates(&mut self) -> Result<()> {
        for key in &mut self.keys {
            let public = key.key.public_key()?;
            let is_its =
                |certificate: &Vec<u8>| public.is_some() && PublicKey::from_any_certificate(certificate).ok() == public;
            if let Some(at) = self.certificates.iter().position(is_its) {
                key.certificate = Some(self.certificates.remove(at));
            }
        }
        Ok(())
    }
}

impl<T: Transport> Hsm<T> {
    /// Puts a key of this computer into the device under an identifier that is free, in the domain whose DKEK is given. The
    /// user must be logged in. `algorithms` limits what the key may be used for; empty: everything.
    ///
    /// # Errors
    /// [`ErrorKind::Verification`]: the device has another DKEK, or none; those of [`Hsm::unwrap_key`].
    pub fn import_key(&mut self, id: KeyId, dkek: &Dkek, key: &ImportedKey, algorithms: &[u8]) -> Result<()> {
        self.domain_of_dkek(dkek)?;
        self.unwrap_key(id, &blob::wrap(dkek, &key.key, algorithms)?)?;
        let decimal = id.value().to_string();
        let cka_id = if key.cka_id.is_empty() { decimal.as_bytes() } else { &key.cka_id };
        self.write_file(id.description(), &describe(key.key.key_type(), &key.label, cka_id)?)?;
        match &key.certificate {
            Some(certificate) => self.store_certificate_of_key(id, certificate),
            None => Ok(()),
        }
    }

    /// The number of the key domain that has this DKEK.
    ///
    /// # Errors
    /// [`ErrorKind::Verification`]: none has.
    pub fn domain_of_dkek(&mut self, dkek: &Dkek) -> Result<u8> {
        let ours = dkek.check_value();
        let domains = self.domains()?;
        let values: Vec<_> = domains
            .iter()
            .filter_map(|domain| match domain.state {
                DomainState::Complete { check_value, .. } => Some((domain.domain, check_value)),
                DomainState::Group { check_value: Some(check_value), .. } => Some((domain.domain, check_value)),
                _ => None,
            })
            .collect();
        let list = |values: &[(u8, [u8; 8])]| {
            values
                .iter()
                .map(|(domain, value)| format!("{} (domain {domain})", blob::hexadecimal(value)))
                .collect::<Vec<_>>()
        };
        values.iter().find(|(_, value)| *value == ours).map(|(domain, _)| *domain).ok_or_else(|| {
            let error = Error::new(
                ErrorKind::Verification,
                "use the DKEK shares",
                format!("no key domain of the device has the DKEK that they make ({})", blob::hexadecimal(&ours)),
            );
            if values.is_empty() {
                error.advise("The device has no DKEK. Import the shares first; if it waits for none, initialise it anew with shares.")
            } else {
                error.advise(format!("Key check values of the device: {}", list(&values).join(", ")))
            }
        })
    }

    /// Imports shares into a domain until it is complete, and returns the DKEK that they make.
    ///
    /// # Errors
    /// Those of [`Hsm::import_share`] and [`share::join`].
    pub fn import_shares(&mut self, domain: u8, shares: &[share::Share]) -> Result<Dkek> {
        let dkek = share::join(shares)?;
        for share in shares {
            self.import_share(domain, share.as_bytes())?;
        }
        Ok(dkek)
    }
}
