//! What INITIALIZE DEVICE decided: options, tries, key domains, public-key authentication. One authenticated record.

use ferrite_proto::command::{Initialize, Options, PublicKeyAuthentication};
use ferrite_store::ObjectId;

/// Where the record is kept. No client reaches this id.
pub(crate) const CONFIG: ObjectId = ObjectId(0xE000);
/// The device key-encryption key of key domain 0 is kept here, those of the others behind it.
pub(crate) const DKEK: ObjectId = ObjectId(0xE090);

/// The master seed of number 0 is kept here, the others behind it.
pub(crate) const SEED: ObjectId = ObjectId(0xE0A0);

/// Sums of DKEK shares are kept here until they are complete and the user logs in, one for each key domain.
pub(crate) const PENDING_DKEK: ObjectId = ObjectId(0xE0B0);

/// Largest number of key domains (specification part 1 §1.8).
pub(crate) const MAX_DOMAINS: usize = 16;
const FORMAT: u8 = 1;

/// State of one key domain (specification part 2 §8.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Domain {
    /// Room for a domain, not set up.
    #[default]
    NotSetUp,
    /// Set up without a DKEK: its keys are never exported.
    WithoutDkek,
    /// Waiting for DKEK shares.
    Shares { total: u8, present: u8 },
    /// The DKEK is complete, with this key check value.
    Complete { total: u8, check_value: [u8; 8] },
    /// For members of a group, who agree on a key-encryption key (XKEK): with this key check value, once they have.
    Exchange { check_value: Option<[u8; 8]> },
}

impl Domain {
    /// Bytes of a stored domain: kind, total, present, key check value (8).
    const SIZE: usize = 11;

    fn to_bytes(self) -> [u8; Self::SIZE] {
        let (kind, total, present, kcv) = match self {
            Domain::NotSetUp => (0, 0, 0, [0; 8]),
            Domain::WithoutDkek => (1, 0, 0, [0; 8]),
            Domain::Shares { total, present } => (2, total, present, [0; 8]),
            Domain::Complete { total, check_value } => (3, total, total, check_value),
            Domain::Exchange { check_value: None } => (4, 0, 0, [0; 8]),
            Domain::Exchange { check_value: Some(check_value) } => (5, 0, 0, check_value),
        };
        let mut bytes = [0; Self::SIZE];
        bytes.iter_mut().zip([kind, total, present].into_iter().chain(kcv)).for_each(|(to, from)| *to = from);
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let [kind, total, present, kcv @ ..] = bytes else { return None };
        Some(match kind {
            0 => Domain::NotSetUp,
            1 => Domain::WithoutDkek,
            2 => Domain::Shares { total: *total, present: *present },
            3 => Domain::Complete { total: *total, check_value: kcv.try_into().ok()? },
            4 => Domain::Exchange { check_value: None },
            5 => Domain::Exchange { check_value: Some(kcv.try_into().ok()?) },
            _ => return None,
        })
    }

    /// The key check value of a complete key-encryption key.
    pub(crate) fn check_value(self) -> Option<[u8; 8]> {
        match self {
            Domain::NotSetUp | Domain::WithoutDkek | Domain::Shares { .. } => None,
            Domain::Complete { check_value, .. } => Some(check_value),
            Domain::Exchange { check_value } => check_value,
        }
    }

    /// The answer to a query: total, missing, key check value; `None` for a domain that is not set up.
    pub(crate) fn report(self) -> Option<[u8; 10]> {
        let (total, missing, kcv) = match self {
            Domain::NotSetUp => return None,
            Domain::WithoutDkek => (0, 0, [0; 8]),
            Domain::Shares { total, present } => (total, total.saturating_sub(present), [0; 8]),
            Domain::Complete { total, check_value } => (total, 0, check_value),
            Domain::Exchange { check_value } => (u8::MAX, 0, check_value.unwrap_or_default()),
        };
        let mut report = [0; 10];
        report.iter_mut().zip([total, missing].into_iter().chain(kcv)).for_each(|(to, from)| *to = from);
        Some(report)
    }
}

/// The device's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    pub(crate) options: Options,
    /// Tries of the user PIN, 1 to 15; kept here too because a first PIN may be set after INITIALIZE.
    pub(crate) user_tries: u8,
    pub(crate) pka: Option<PublicKeyAuthentication>,
    pub(crate) domains: heapless::Vec<Domain, MAX_DOMAINS>,
}

impl Config {
    /// Longest stored form.
    pub(crate) const MAX_SIZE: usize = 8 + MAX_DOMAINS * Domain::SIZE;

    /// The configuration that INITIALIZE asks for. A DKEK made inside (tag 92 with no shares) is completed by the
    /// caller, who has the random numbers.
    pub(crate) fn new(request: &Initialize<'_>, previous: Option<&Config>) -> Self {
        let mut domains = heapless::Vec::new();
        match (request.key_domains, request.dkek_shares) {
            (Some(count), _) => {
                for _ in 0..usize::from(count).min(MAX_DOMAINS) {
                    let _ = domains.push(Domain::NotSetUp);
                }
            }
            (None, Some(0)) => _ = domains.push(Domain::Complete { total: 1, check_value: [0; 8] }),
            (None, Some(total)) => _ = domains.push(Domain::Shares { total, present: 0 }),
            (None, None) => _ = domains.push(Domain::WithoutDkek),
        }
        Self {
            // The new MKEK needs no mask.
            options: request
                .options
                .or(previous.map(|config| config.options))
                .unwrap_or_default()
                .with_secure_lock(false),
            user_tries: request.retries.unwrap_or(3),
            pka: request.pka,
            domains,
        }
    }

    /// The stored form.
    pub(crate) fn to_bytes(&self) -> heapless::Vec<u8, { Self::MAX_SIZE }> {
        let options = self.options.0.to_be_bytes();
        let pka = self.pka.map_or([0, 0, 0], |pka| [1, pka.total, pka.required]);
        let count = u8::try_from(self.domains.len()).unwrap_or(u8::MAX);
        let head = [FORMAT].into_iter().chain(options).chain([self.user_tries]).chain(pka).chain([count]);
        let body = self.domains.iter().flat_map(|domain| domain.to_bytes());
        head.chain(body).collect()
    }

    /// Reads the stored form; `None` if it is not one of this format.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let [FORMAT, o1, o0, user_tries, has_pka, total, required, count, rest @ ..] = bytes else { return None };
        let mut domains = heapless::Vec::new();
        for domain in rest.chunks_exact(Domain::SIZE).take(usize::from(*count)) {
            domains.push(Domain::from_bytes(domain)?).ok()?;
        }
        Some(Self {
            options: Options(u16::from_be_bytes([*o1, *o0])),
            user_tries: *user_tries,
            pka: (*has_pka == 1).then_some(PublicKeyAuthentication { total: *total, required: *required }),
            domains,
        })
    }
}
