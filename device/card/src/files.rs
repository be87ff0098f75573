//! Which files a client can see, and who may read, change and delete each: one table (specification part 1 §3.3,
//! decision D12). A file identifier without a row is as if it did not exist.

use crate::access::Who;
use ferrite_proto::fid::FileId;

/// The rules of a range of file identifiers.
#[derive(Debug)]
pub(crate) struct FileRule {
    first: u16,
    last: u16,
    pub(crate) read: Who,
    pub(crate) update: Who,
    pub(crate) delete: Who,
    /// Sealed under the MKEK, not only under the device's root key.
    pub(crate) secret: bool,
    /// Exists even before anything was written to it.
    pub(crate) always: bool,
}

const fn row(first: u16, last: u16, read: Who, update: Who, delete: Who) -> FileRule {
    FileRule { first, last, read, update, delete, secret: false, always: false }
}

const fn always(rule: FileRule) -> FileRule {
    FileRule { always: true, ..rule }
}

const fn secret(rule: FileRule) -> FileRule {
    FileRule { secret: true, ..rule }
}

use Who::{Anyone, Nobody, User};

/// The first row that covers an identifier counts.
const RULES: &[FileRule] = &[
    // EF.DIR, computed.
    always(row(0x2F00, 0x2F00, Anyone, Nobody, Nobody)),
    // EF.ATR, EF.C_DevAut (device certificates), EF.TokenInfo: always there, never deleted.
    always(row(0x2F01, 0x2F03, Anyone, User, Nobody)),
    // Free use; 2F10 is where OpenSC hands over a wrapped key.
    row(0x2F04, 0x2FFF, Anyone, User, User),
    row(0x0001, 0x0FFF, Anyone, User, User),
    // EF.ODF, EF.UnusedSpace and the other PKCS#15 directories, unused by every known client.
    always(row(0x5031, 0x5033, Anyone, User, Nobody)),
    always(row(0x6040, 0x6045, Anyone, User, Nobody)),
    // The device key, its description and its certificate request (D10).
    row(0xCC00, 0xCC00, Nobody, Nobody, Nobody),
    always(row(0xC400, 0xC400, Anyone, Nobody, Nobody)),
    always(row(0xCE00, 0xCE00, Anyone, Nobody, Nobody)),
    // Keys, their descriptions, their certificates.
    secret(row(0xCC01, 0xCCFF, Nobody, Nobody, User)),
    row(0xC401, 0xC4FF, Anyone, User, User),
    row(0xCE01, 0xCEFF, Anyone, User, User),
    // CA certificates and their descriptions.
    row(0xC800, 0xC8FF, Anyone, User, User),
    row(0xCA00, 0xCAFF, Anyone, User, User),
    // Data objects: descriptions, static token data, PIN-protected values, public values.
    row(0xC900, 0xC9FF, Anyone, User, User),
    row(0xCB00, 0xCBFF, Anyone, User, User),
    secret(row(0xCD00, 0xCDFF, User, User, User)),
    row(0xCF00, 0xCFFF, Anyone, User, User),
];

/// The rules of a file; `None` if no client may know whether it exists.
pub(crate) fn rule_of(file: FileId) -> Option<&'static FileRule> {
    RULES.iter().find(|rule| (rule.first..=rule.last).contains(&file.value()))
}

/// The prefixes that ENUMERATE OBJECTS lists, in its order: keys first (decision D13).
pub(crate) const LISTED: [u8; 8] = [0xCC, 0xC4, 0xC8, 0xC9, 0xCA, 0xCD, 0xCE, 0xCF];
