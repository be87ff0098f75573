//! The data of GENERATE ASYMMETRIC KEY PAIR (specification part 1 §5.1), and the lengths that GENERATE SYMMETRIC KEY knows
//! (§5.3).

use super::Attributes;
use crate::cvc::{OID_TA_ECDSA_SHA_256, OID_TA_RSA_V1_5_SHA_256};
use crate::status::Status;
use crate::tlv::{self, Reader, Tag, Writer};

/// Longest authority or holder reference, in bytes.
pub const MAX_REFERENCE: usize = 64;
/// The only public exponent (decision D16).
const EXPONENT: [u8; 3] = [1, 0, 1];
/// Modulus length when the host names none, in bits.
const DEFAULT_BITS: u16 = 2048;

/// Length of a secret key, as P2 of GENERATE SYMMETRIC KEY names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum SecretKeyLen {
    /// 128 bits.
    Bits128 = 0xB0,
    /// 192 bits.
    Bits192 = 0xB1,
    /// 256 bits.
    Bits256 = 0xB2,
    /// 512 bits: two keys of 256 bits, for XTS.
    Bits512 = 0xB3,
}

impl SecretKeyLen {
    /// Every length.
    pub const ALL: [Self; 4] = [Self::Bits128, Self::Bits192, Self::Bits256, Self::Bits512];

    pub(super) fn from_p2(p2: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|len| *len as u8 == p2)
    }
}

/// Which key to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyAlgorithm<'a> {
    /// RSA with public exponent 65537.
    Rsa {
        /// Length of the modulus.
        bits: u16,
    },
    /// A key on an elliptic curve, which its domain parameters name.
    Ec {
        /// Tag 81: the prime.
        prime: &'a [u8],
        /// Tag 82: coefficient A; for curves 25519 and 448 the order.
        a: Option<&'a [u8]>,
        /// Tag 83: coefficient B; for curves 25519 and 448 the base point.
        b: Option<&'a [u8]>,
    },
}

/// A request for a key pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyRequest<'a> {
    /// Inner authority reference; absent: the device's name.
    pub car: Option<&'a [u8]>,
    /// Holder reference; absent: the device's name.
    pub chr: Option<&'a [u8]>,
    /// Which key.
    pub algorithm: KeyAlgorithm<'a>,
    /// Its attributes.
    pub attributes: Attributes<'a>,
}

impl<'a> KeyRequest<'a> {
    pub(super) fn parse(data: &'a [u8]) -> Result<Self, Status> {
        if Reader::new(data).any(|object| object.is_err()) {
            return Err(Status::WRONG_DATA);
        }
        let template = tlv::find(data, Tag(0x7F49)).filter(|template| !template.is_empty());
        Ok(Self {
            car: reference(data, Tag(0x42))?,
            chr: reference(data, Tag(0x5F20))?,
            algorithm: KeyAlgorithm::parse(template.ok_or(Status::WRONG_LENGTH)?)?,
            attributes: Attributes::parse(data)?,
        })
    }

    pub(super) fn write_to(&self, w: &mut Writer<'_>) {
        w.put(0x5F29, &[0]);
        if let Some(car) = self.car {
            w.put(0x42, car);
        }
        w.nest(0x7F49, |w| self.algorithm.write_to(w));
        if let Some(chr) = self.chr {
            w.put(0x5F20, chr);
        }
        self.attributes.write_to(w);
    }
}

impl<'a> KeyAlgorithm<'a> {
    fn parse(template: &'a [u8]) -> Result<Self, Status> {
        if Reader::new(template).any(|object| object.is_err()) {
            return Err(Status::WRONG_DATA);
        }
        let find = |tag| tlv::find(template, Tag(tag));
        let oid = find(0x06).ok_or(Status::WRONG_DATA)?;
        if oid == OID_TA_RSA_V1_5_SHA_256 {
            if find(0x82).is_some_and(|exponent| number(exponent) != Some(0x1_0001)) {
                return Err(Status::WRONG_DATA);
            }
            let bits = find(0x02).map_or(Some(DEFAULT_BITS), |bits| number(bits)?.try_into().ok());
            return Ok(KeyAlgorithm::Rsa { bits: bits.ok_or(Status::WRONG_DATA)? });
        }
        if oid == OID_TA_ECDSA_SHA_256 {
            let prime = find(0x81).ok_or(Status::WRONG_LENGTH)?;
            return Ok(KeyAlgorithm::Ec { prime, a: find(0x82), b: find(0x83) });
        }
        Err(Status::WRONG_DATA)
    }

    fn write_to(&self, w: &mut Writer<'_>) {
        match *self {
            KeyAlgorithm::Rsa { bits } => {
                w.put(0x06, &OID_TA_RSA_V1_5_SHA_256).put(0x82, &EXPONENT).put(0x02, &bits.to_be_bytes());
            }
            KeyAlgorithm::Ec { prime, a, b } => {
                w.put(0x06, &OID_TA_ECDSA_SHA_256).put(0x81, prime);
                if let Some(a) = a {
                    w.put(0x82, a);
                }
                if let Some(b) = b {
                    w.put(0x83, b);
                }
            }
        }
    }
}

/// A reference that is present and not empty.
fn reference(data: &[u8], tag: Tag) -> Result<Option<&[u8]>, Status> {
    match tlv::find(data, tag) {
        None | Some([]) => Ok(None),
        Some(reference) if reference.len() <= MAX_REFERENCE => Ok(Some(reference)),
        Some(_) => Err(Status::WRONG_DATA),
    }
}

/// A big-endian number of up to eight bytes.
fn number(bytes: &[u8]) -> Option<u64> {
    (bytes.len() <= 8).then(|| bytes.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
}
