//! Checking a device's certificate: the device's, its issuer's, up to a root that is trusted. No device is asked.

use crate::error::{Error, ErrorKind, Result};
use crate::public_key::PublicKey;
use ferrite_crypto::ec;
use ferrite_proto::cvc::Certificate;
use std::time::{SystemTime, UNIX_EPOCH};

/// Certificates that may stand between a device and its root.
const MAX_DEPTH: usize = 4;
/// The top bits of an authorisation: what its holder is (TR-03110-3 appendix C.4).
const ROLE: u8 = 0xC0;
const ROOT: u8 = 0xC0;
const TERMINAL: u8 = 0x00;

const WHAT: &str = "trust the device's certificate";

/// What a device's certificate is believed for.
#[derive(Clone, Copy)]
pub enum Trust<'a> {
    /// One of these roots signed it, or signed who did: certificates (7F21), each by itself.
    Roots(&'a [Vec<u8>]),
    /// It holds this key, which is known from before.
    Key(&'a PublicKey),
}

/// What a device's certificate says, once it is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceCertificate {
    /// The holder: the device's name. Nobody vouches for it if the key itself was known: the user may put another
    /// certificate for the same key into the device.
    pub chr: Vec<u8>,
    /// The device's key.
    pub public_key: PublicKey,
    /// Who vouches for it, from its issuer to the root; empty if the key itself was known.
    pub issuers: Vec<Vec<u8>>,
}

impl DeviceCertificate {
    /// The serial number: the name without the five characters that count its certificates.
    pub fn serial(&self) -> String {
        String::from_utf8_lossy(self.chr.get(..self.chr.len().saturating_sub(5)).unwrap_or_default()).into_owned()
    }
}

fn distrust(why: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Verification, WHAT, why)
}

/// Certificates that stand one behind the other.
///
/// # Errors
/// [`ErrorKind::BadInput`].
pub fn split(mut bytes: &[u8]) -> Result<Vec<Certificate<'_>>> {
    let mut certificates = Vec::new();
    while !bytes.is_empty() {
        let (certificate, rest) = Certificate::parse(bytes)
            .map_err(|_| Error::new(ErrorKind::BadInput, WHAT, "the certificates cannot be read"))?;
        certificates.push(certificate);
        bytes = rest;
    }
    Ok(certificates)
}

/// Checks the content of EF.C_DevAut: the device's certificate, then its issuers'. Where certificates carry dates, today
/// must lie between them.
///
/// # Errors
/// [`ErrorKind::Verification`], and [`ErrorKind::BadInput`] for what is no certificate.
pub fn verify(certificates: &[u8], trust: Trust<'_>) -> Result<DeviceCertificate> {
    verify_on(certificates, trust, today())
}

/// Checks as [`verify`] does, on another day: six digits, YYMMDD.
///
/// # Errors
/// As [`verify`].
pub fn verify_on(certificates: &[u8], trust: Trust<'_>, day: [u8; 6]) -> Result<DeviceCertificate> {
    let found = split(certificates)?;
    let device = found.first().ok_or_else(|| distrust("the device has none"))?;
    let chr = device.body.chr.to_vec();
    let roots = match trust {
        Trust::Key(known) => {
            let key = key_of(device, None)?;
            if key != *known {
                return Err(distrust("it holds another key than the one that is known")
                    .advise("This is another device, or somebody in between. Compare serial numbers."));
            }
            return Ok(DeviceCertificate { chr, public_key: key, issuers: Vec::new() });
        }
        Trust::Roots(roots) => roots.iter().map(|root| read_root(root, day)).collect::<Result<Vec<_>>>()?,
    };
    // From the device up, each by the name of its issuer.
    let mut path = vec![device];
    let root = loop {
        let last = path.last().copied().unwrap_or(device);
        if let Some(root) = roots.iter().find(|root| root.body.chr == last.body.car) {
            break root;
        }
        let issuer = found.iter().find(|issuer| issuer.body.chr == last.body.car && !path.contains(issuer));
        match issuer.filter(|_| path.len() < MAX_DEPTH) {
            Some(issuer) => path.push(issuer),
            None => {
                let car = String::from_utf8_lossy(last.body.car).into_owned();
                return Err(distrust(format!("its issuer {car} is unknown, and no root that is trusted"))
                    .advise("Give the root certificate of the authority that issued it."));
            }
        }
    };
    // From the root down, each signature by the key above.
    let mut signer = key_of(root, None)?;
    let curve = match &signer {
        PublicKey::Ec { curve, .. } => Some(*curve),
        _ => None,
    };
    for (below, certificate) in path.iter().enumerate().rev() {
        signer.verify_certificate(WHAT, certificate.signed, certificate.signature)?;
        check_dates(certificate, day)?;
        check_role(certificate, below == 0)?;
        signer = key_of(certificate, curve)?;
    }
    let above = path.iter().skip(1).map(|issuer| issuer.body.chr.to_vec());
    let issuers = above.chain([root.body.chr.to_vec()]).collect();
    Ok(DeviceCertificate { chr, public_key: signer, issuers })
}

/// A root: self-signed, and a root by its role.
fn read_root(bytes: &[u8], day: [u8; 6]) -> Result<Certificate<'_>> {
    let (root, rest) = Certificate::parse(bytes).map_err(|_| distrust("a root certificate cannot be read"))?;
    if !rest.is_empty() || root.body.car != root.body.chr {
        return Err(distrust("what was given as a root is none"));
    }
    key_of(&root, None)?.verify_certificate(WHAT, root.signed, root.signature)?;
    check_dates(&root, day)?;
    match root.body.role.and_then(|role| role.rights.first().copied()) {
        Some(rights) if rights & ROLE == ROOT => Ok(root),
        _ => Err(distrust("what was given as a root may not issue certificates")),
    }
}

/// Whoever issues is an issuer, and a device is none.
fn check_role(certificate: &Certificate<'_>, is_device: bool) -> Result<()> {
    let role = certificate.body.role.and_then(|role| role.rights.first().map(|rights| rights & ROLE));
    match (is_device, role) {
        (true, Some(TERMINAL) | None) => Ok(()),
        (false, Some(role)) if role != TERMINAL && role != ROOT => Ok(()),
        (true, Some(_)) => Err(distrust("it is that of an authority, not of a device")),
        (false, _) => Err(distrust("one of its issuers may not issue certificates")),
    }
}

fn check_dates(certificate: &Certificate<'_>, day: [u8; 6]) -> Result<()> {
    match certificate.body.validity {
        Some(validity) if !(validity.from..=validity.to).contains(&day) => {
            let holder = String::from_utf8_lossy(certificate.body.chr).into_owned();
            Err(distrust(format!("the certificate of {holder} is not valid today"))
                .advise("Is this computer's clock right? If so, the authority has to issue a new one."))
        }
        _ => Ok(()),
    }
}

fn key_of(certificate: &Certificate<'_>, issuer_curve: Option<ec::Curve>) -> Result<PublicKey> {
    PublicKey::from_cvc(&certificate.body.public_key, issuer_curve)
}

/// Today in UTC, as certificates write it.
pub fn today() -> [u8; 6] {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    date(seconds / 86400)
}

/// A day, counted from 1970-01-01, as certificates write it: YYMMDD.
pub(crate) fn date(days: u64) -> [u8; 6] {
    // Howard Hinnant's algorithm: years start in March, eras have 400 of them.
    let shifted = days + 719_468;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + shifted / 146_097 * 400 + u64::from(month <= 2);
    let digits = |number: u64| [(number / 10 % 10) as u8, (number % 10) as u8];
    let [[y1, y0], [m1, m0], [d1, d0]] = [digits(year), digits(month), digits(day)];
    [y1, y0, m1, m0, d1, d0]
}

/// The certificate or request by itself, without what follows it.
pub(crate) fn public_key_in(bytes: &[u8]) -> Result<PublicKey> {
    let certificate = Certificate::parse(bytes).map_err(|_| distrust("it cannot be read"))?.0;
    key_of(&certificate, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_their_dates() {
        for (days, expected) in [
            (0, [7, 0, 0, 1, 0, 1]),
            (11_016, [0, 0, 0, 2, 2, 9]),
            (11_017, [0, 0, 0, 3, 0, 1]),
            (20_787, [2, 6, 1, 1, 3, 0]),
            (20_818, [2, 6, 1, 2, 3, 1]),
        ] {
            assert_eq!(date(days), expected, "{days}");
        }
    }
}
