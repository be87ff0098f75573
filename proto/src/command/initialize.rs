//! The data of INITIALIZE DEVICE (specification part 1 §4.8).

use super::{Options, Secret};
use crate::status::Status;
use crate::tlv::{Reader, Tag, Writer};

/// Public-key authentication: how many keys are registered, and how many of them log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKeyAuthentication {
    /// Number of keys.
    pub total: u8,
    /// How many must authenticate.
    pub required: u8,
}

/// What INITIALIZE DEVICE asks for; absent fields have the card's defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Initialize<'a> {
    /// Tag 80: device options.
    pub options: Option<Options>,
    /// Tag 81: user PIN, 6 to 16 bytes.
    pub user_pin: Option<Secret<'a>>,
    /// Tag 82: PIN of the security officer, 8 to 16 bytes.
    pub so_pin: Option<Secret<'a>>,
    /// Tag 91: tries of the user PIN, 1 to 15.
    pub retries: Option<u8>,
    /// Tag 92: number of DKEK shares of key domain 0; none: the DKEK is made inside.
    pub dkek_shares: Option<u8>,
    /// Tag 93: public-key authentication.
    pub pka: Option<PublicKeyAuthentication>,
    /// Tag 97: number of key domains.
    pub key_domains: Option<u8>,
}

/// Legal lengths of a user PIN, in bytes.
const USER_PIN: core::ops::RangeInclusive<usize> = 6..=16;
/// Legal lengths of an SO-PIN, in bytes.
const SO_PIN: core::ops::RangeInclusive<usize> = 8..=16;

impl<'a> Initialize<'a> {
    /// Reads and checks the request. Every field is checked before anything happens; of repeated tags the last counts.
    pub(super) fn parse(data: &'a [u8]) -> Result<Self, Status> {
        let mut request = Self::default();
        for object in Reader::new(data) {
            let (Tag(tag), value) = object.map_err(|_| Status::WRONG_DATA)?;
            match (tag, value) {
                (0x80, [high, low]) => request.options = Some(Options(u16::from_be_bytes([*high, *low]))),
                (0x81, pin) if USER_PIN.contains(&pin.len()) => request.user_pin = Some(Secret(pin)),
                (0x82, pin) if SO_PIN.contains(&pin.len()) => request.so_pin = Some(Secret(pin)),
                (0x91, [tries @ 1..=15]) => request.retries = Some(*tries),
                (0x92, [shares]) => request.dkek_shares = Some(*shares),
                (0x93, [total, required]) => {
                    request.pka = Some(PublicKeyAuthentication { total: *total, required: *required });
                }
                (0x97, [domains]) => request.key_domains = Some(*domains),
                (0x80..=0x82 | 0x91..=0x93 | 0x97, _) => return Err(Status::WRONG_DATA),
                // Unknown tags, and the biometric templates 95 and 96 of CardContact's cards.
                _ => {}
            }
        }
        Ok(request)
    }

    pub(super) fn write_to(&self, w: &mut Writer<'_>) {
        if let Some(options) = self.options {
            w.put(0x80, &options.0.to_be_bytes());
        }
        if let Some(pin) = self.user_pin {
            w.put(0x81, pin.0);
        }
        if let Some(pin) = self.so_pin {
            w.put(0x82, pin.0);
        }
        if let Some(retries) = self.retries {
            w.put(0x91, &[retries]);
        }
        if let Some(shares) = self.dkek_shares {
            w.put(0x92, &[shares]);
        }
        if let Some(pka) = self.pka {
            w.put(0x93, &[pka.total, pka.required]);
        }
        if let Some(domains) = self.key_domains {
            w.put(0x97, &[domains]);
        }
    }
}
