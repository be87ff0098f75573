//! MANAGE SECURITY ENVIRONMENT: what the commands that follow refer to (specification part 1 §4.11).

use crate::apdu::Apdu;
use crate::secure_messaging::PROTOCOL;
use crate::status::Status;
use crate::tlv::{Reader, Tag, Writer};

const AUTHENTICATION: u8 = 0xA4;
const VERIFICATION: u8 = 0xB6;
/// The templates there are: authentication, key agreement, hash, checksum, signature, confidentiality.
const TEMPLATES: [u8; 6] = [AUTHENTICATION, 0xA6, 0xAA, 0xB4, VERIFICATION, 0xB8];
const SET: u8 = 0x41;
const SET_VERIFICATION: u8 = 0x81;
const PROTOCOL_TAG: u16 = 0x80;
const REFERENCE_TAG: u16 = 0x83;

/// What the commands that follow refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecurityEnvironment<'a> {
    /// GENERAL AUTHENTICATE: chip authentication with AES-128.
    ChipAuthentication,
    /// EXTERNAL AUTHENTICATE: the registered key with this holder reference.
    AuthenticationKey {
        /// The holder reference, of any length but one byte.
        chr: &'a [u8],
    },
    /// VERIFY CERTIFICATE and the registration of keys: the trusted certificate with this holder reference.
    VerificationKey {
        /// The holder reference, of any length but one byte.
        chr: &'a [u8],
    },
    /// Nothing that the card knows.
    Nothing,
}

impl<'a> SecurityEnvironment<'a> {
    /// Reads the command.
    ///
    /// # Errors
    /// 6A86 for another P1 or P2, 6A80 for data that is no sequence of data objects or names another protocol, 6A88 for a
    /// reference in a template that has none.
    pub(super) fn parse(apdu: &Apdu<'a>) -> Result<Self, Status> {
        if !TEMPLATES.contains(&apdu.p2) || apdu.p1 & 1 == 0 {
            return Err(Status::WRONG_P1P2);
        }
        let mut environment = Self::Nothing;
        for object in Reader::new(apdu.data) {
            let (tag, value) = object.map_err(|_| Status::WRONG_DATA)?;
            match (tag, value) {
                (Tag(PROTOCOL_TAG), value) if apdu.p2 == AUTHENTICATION => {
                    if value != PROTOCOL {
                        return Err(Status::WRONG_DATA);
                    }
                    environment = Self::ChipAuthentication;
                }
                // The number of a private key: there is only one that the card could mean.
                (Tag(REFERENCE_TAG), [_]) => {}
                (Tag(REFERENCE_TAG), chr) => {
                    return match apdu.p2 {
                        AUTHENTICATION => Ok(Self::AuthenticationKey { chr }),
                        VERIFICATION => Ok(Self::VerificationKey { chr }),
                        _ => Err(Status::REFERENCE_NOT_FOUND),
                    };
                }
                _ => {}
            }
        }
        Ok(environment)
    }

    /// Writes the data and returns P1 and P2.
    pub(super) fn write(self, w: &mut Writer<'_>) -> [u8; 2] {
        match self {
            Self::ChipAuthentication => {
                w.put(PROTOCOL_TAG, &PROTOCOL);
                [SET, AUTHENTICATION]
            }
            Self::AuthenticationKey { chr } => {
                w.put(REFERENCE_TAG, chr);
                [SET_VERIFICATION, AUTHENTICATION]
            }
            Self::VerificationKey { chr } => {
                w.put(REFERENCE_TAG, chr);
                [SET_VERIFICATION, VERIFICATION]
            }
            Self::Nothing => [SET, AUTHENTICATION],
        }
    }
}
