//! An authority for devices (specification part 4 §5.3): a root signs an issuer, the issuer signs the keys that devices show.
//!
//! Keys are on P-256. They live in PKCS#8 files under a password, which OpenSSL reads too; certificates in files of their
//! own. A device has room for 1024 bytes: its certificate, its issuer's, and the root's if it fits.

use super::chain::{self, Trust, date, today};
use crate::custody::key::{PrivateKey, seal_ec_key};
use crate::error::{Error, ErrorKind, Result};
use crate::hsm::Hsm;
use crate::import;
use crate::public_key::PublicKey;
use crate::transport::Transport;
use ferrite_crypto::ec::{self, Curve};
use ferrite_crypto::hash::Hash;
use ferrite_proto::cvc::{self, Body, Certificate, DomainParameters, Role, SignatureHash, Validity};
use ferrite_proto::fid::{FileId, KeyId};
use std::time::{SystemTime, UNIX_EPOCH};

/// What OpenSC reads of EF.C_DevAut at most, in bytes.
pub const MAX_INSTALLED: usize = 1024;
/// Longest name of a holder, in bytes.
const MAX_NAME: usize = 16;
/// Authentication terminals (TR-03110-3 appendix C.4.2): what other authorities of such devices use.
const TERMINAL_TYPE: [u8; 9] = [0x04, 0x00, 0x7F, 0x00, 0x07, 0x03, 0x01, 0x02, 0x02];
const ROOT_RIGHTS: [u8; 5] = [0xC0, 0, 0, 0, 4];
const ISSUER_RIGHTS: [u8; 5] = [0x80, 0, 0, 0, 4];
const DEVICE_RIGHTS: [u8; 5] = [0x00, 0, 0, 0, 4];
const CURVE: Curve = Curve::P256;
const DAYS_PER_YEAR: u64 = 365;

/// A root or an issuer, with its private key.
pub struct Authority {
    certificate: Vec<u8>,
    key: ec::PrivateKey,
}

const WHAT: &str = "issue the certificate";

fn failed(_: impl Sized) -> Error {
    Error::new(ErrorKind::Usage, WHAT, "it cannot be written")
}

impl Authority {
    /// A new root, valid for so many years. Its name has a country of two letters, up to nine characters, and a number of
    /// five: `UTMYROOT00001`.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for a name that cannot be.
    pub fn root(name: &str, years: u64) -> Result<Self> {
        check_name(name.as_bytes())?;
        let key = ec::PrivateKey::generate(CURVE, &mut crate::random::generator()?);
        let certificate = issue(name.as_bytes(), &key, name.as_bytes(), &point(&key)?, &ROOT_RIGHTS, years, true)?;
        Ok(Self { certificate, key })
    }

    /// A new issuer under this root.
    ///
    /// # Errors
    /// As [`Authority::root`].
    pub fn issuer(&self, name: &str, years: u64) -> Result<Self> {
        check_name(name.as_bytes())?;
        let key = ec::PrivateKey::generate(CURVE, &mut crate::random::generator()?);
        let car = self.name()?;
        let certificate = issue(&car, &self.key, name.as_bytes(), &point(&key)?, &ISSUER_RIGHTS, years, false)?;
        Ok(Self { certificate, key })
    }

    /// Its certificate.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// Its name.
    ///
    /// # Errors
    /// [`ErrorKind::BadInput`]: its certificate cannot be read.
    pub fn name(&self) -> Result<Vec<u8>> {
        Ok(read(&self.certificate)?.body.chr.to_vec())
    }

    /// Issues a certificate for the device key that a certificate request shows. The request must be signed by that key
    /// twice: by itself, and as the device that attests it. `name` is the device's; `None`: the one in the request, which
    /// comes from the chip's unique number.
    ///
    /// # Errors
    /// [`ErrorKind::Verification`]: the request is not what it claims.
    pub fn issue_device(&self, request: &[u8], name: Option<&str>, years: u64) -> Result<Vec<u8>> {
        let parsed = cvc::Request::parse(request)
            .map_err(|_| Error::new(ErrorKind::BadInput, WHAT, "this is no certificate request"))?;
        let body = parsed.certificate.body;
        let key = PublicKey::from_cvc(&body.public_key, None)?;
        key.verify_certificate(WHAT, parsed.certificate.signed, parsed.certificate.signature)?;
        key.verify_certificate(WHAT, parsed.signed, parsed.signature)?;
        let PublicKey::Ec { curve: CURVE, point } = &key else {
            return Err(Error::new(ErrorKind::Unsupported, WHAT, "the device key is not on P-256"));
        };
        let name = name.map_or(body.chr, str::as_bytes);
        check_name(name)?;
        issue(&self.name()?, &self.key, name, point, &DEVICE_RIGHTS, years, false)
    }

    /// Writes the private key as an encrypted PKCS#8 file in PEM.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`]: the password is empty.
    pub fn key_file(&self, password: &[u8]) -> Result<String> {
        seal_ec_key(&self.key, password)
    }

    /// Reads an authority from its certificate and its key's file, which may be of any form that [`import::read`] knows.
    ///
    /// # Errors
    /// Those of [`import::read`]; [`ErrorKind::Verification`] if key and certificate do not belong together.
    pub fn open(certificate: &[u8], key_file: &[u8], password: Option<&[u8]>) -> Result<Self> {
        const OPEN: &str = "open the authority";
        let public = PublicKey::from_cvc(&read(certificate)?.body.public_key, Some(CURVE))?;
        let keys = import::read(key_file, password)?.keys;
        let Some(PrivateKey::Ec(key)) = keys.into_iter().next().map(|key| key.key) else {
            return Err(Error::new(ErrorKind::BadInput, OPEN, "the file holds no key of an authority"));
        };
        if public != (PublicKey::Ec { curve: key.curve(), point: point(&key)? }) {
            return Err(Error::new(ErrorKind::Verification, OPEN, "key and certificate do not belong together"));
        }
        Ok(Self { certificate: certificate.to_vec(), key })
    }
}

impl<T: Transport> Hsm<T> {
    /// The request for the device's own key, signed by it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]: the device is not initialised.
    pub fn device_request(&mut self) -> Result<Vec<u8>> {
        let request = self.read_file(KeyId::DEVICE.certificate())?;
        if request.is_empty() {
            return Err(Error::new(ErrorKind::NotFound, "read the device's request", "there is none")
                .advise("Initialise the device first."));
        }
        Ok(request.to_vec())
    }

    /// Installs a device's certificate with those of its issuers: `issuers` from the one that signed it to the root, which
    /// is left out if there is no room for it. The chain is checked from the last one before, and the device's key must be
    /// the one that the device shows. The user must be logged in.
    ///
    /// # Errors
    /// [`ErrorKind::Verification`]; [`ErrorKind::NotLoggedIn`]; [`ErrorKind::Full`] if even device and issuer do not fit.
    pub fn install_device_certificate(&mut self, certificate: &[u8], issuers: &[&[u8]]) -> Result<()> {
        const INSTALL: &str = "install the device's certificate";
        let root = issuers.last().ok_or_else(|| Error::new(ErrorKind::Usage, INSTALL, "the root is missing"))?;
        let mut chain = [&[certificate], issuers].concat().concat();
        let checked = chain::verify(&chain, Trust::Roots(&[root.to_vec()]))?;
        if checked.public_key != chain::public_key_in(&self.device_request()?)? {
            return Err(Error::new(ErrorKind::Verification, INSTALL, "it is for another device"));
        }
        if chain.len() > MAX_INSTALLED {
            chain.truncate(chain.len().saturating_sub(root.len()));
        }
        if chain.len() > MAX_INSTALLED {
            return Err(Error::new(ErrorKind::Full, INSTALL, "the certificates are longer than 1024 bytes")
                .advise("OpenSC reads no more. Shorten the chain."));
        }
        self.write_file(FileId::DEVICE_CERTIFICATE, &chain)
    }
}

fn read(certificate: &[u8]) -> Result<Certificate<'_>> {
    Certificate::parse(certificate)
        .map(|(certificate, _)| certificate)
        .map_err(|_| Error::new(ErrorKind::BadInput, "read the certificate", "it is none"))
}

/// Two letters, up to nine characters, five digits or letters: eight to sixteen in all, as OpenSC wants it.
fn check_name(name: &[u8]) -> Result<()> {
    let is_legal = (8..=MAX_NAME).contains(&name.len())
        && name.iter().take(2).all(u8::is_ascii_uppercase)
        && name.iter().all(u8::is_ascii_alphanumeric);
    if is_legal {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Usage, WHAT, "the name cannot be")
        .advise("A name has a country of two capital letters, up to nine letters or digits, and a number of five: UTMYROOT00001."))
}

fn point(key: &ec::PrivateKey) -> Result<Vec<u8>> {
    Ok(key.public_key().map_err(failed)?.as_ref().to_vec())
}

fn issue(
    car: &[u8],
    signer: &ec::PrivateKey,
    chr: &[u8],
    point: &[u8],
    rights: &[u8; 5],
    years: u64,
    is_root: bool,
) -> Result<Vec<u8>> {
    let domain = CURVE.domain();
    let parameters = DomainParameters {
        prime: domain.prime,
        a: domain.a,
        b: domain.b,
        generator: domain.generator,
        order: domain.order,
        cofactor: 1,
    };
    let days = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / 86400);
    let validity = Validity { from: today(), to: date(days.saturating_add(years.saturating_mul(DAYS_PER_YEAR))) };
    // Dates have two digits for the year.
    if years == 0 || validity.to <= validity.from {
        return Err(Error::new(ErrorKind::Usage, WHAT, "it would end in another century, or before it begins"));
    }
    let body = Body {
        car,
        public_key: cvc::PublicKey::Ec { hash: SignatureHash::Sha256, domain: is_root.then_some(parameters), point },
        chr,
        role: Some(Role { oid: &TERMINAL_TYPE, rights }),
        validity: Some(validity),
        extensions: None,
    };
    let mut signed = vec![0; 1024];
    let len = body.write(&mut signed).map_err(failed)?;
    signed.truncate(len);
    let digest = Hash::Sha256.digest(&[&signed]);
    let signature = signer.sign(digest.as_ref(), &mut crate::random::generator()?).map_err(failed)?;
    let mut raw = [0; 2 * ec::MAX_FIELD];
    let len = signature.to_raw(&mut raw).map_err(failed)?;
    let mut out = vec![0; 1280];
    let len = cvc::write_certificate(&signed, &raw[..len], &mut out).map_err(failed)?;
    out.truncate(len);
    Ok(out)
}
