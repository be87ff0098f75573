//! Command APDUs (ISO 7816-4 §5.1, specification part 1 §1.3-1.4): cases 1 to 4, short and extended.

use crate::status::Status;

/// INS of GET RESPONSE, which the layer below the applications answers.
pub const GET_RESPONSE: u8 = 0xC0;

/// The class byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Class(u8);

impl Class {
    const CHAINED: u8 = 0x10;
    const SECURE_MESSAGING: u8 = 0x0C;

    /// A class byte of any value.
    pub const fn new(value: u8) -> Self {
        Self(value)
    }

    /// As a number.
    pub const fn value(self) -> u8 {
        self.0
    }

    /// More parts of this command follow.
    pub const fn is_chained(self) -> bool {
        self.0 & Self::CHAINED != 0
    }

    /// The class without its chaining bit.
    pub const fn unchained(self) -> Self {
        Self(self.0 & !Self::CHAINED)
    }

    /// The command claims secure messaging.
    pub const fn secure_messaging(self) -> bool {
        self.0 & Self::SECURE_MESSAGING != 0
    }
}

/// A command APDU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Apdu<'a> {
    /// Class byte.
    pub cla: Class,
    /// Instruction.
    pub ins: u8,
    /// First parameter.
    pub p1: u8,
    /// Second parameter.
    pub p2: u8,
    /// Command data, up to 65535 bytes.
    pub data: &'a [u8],
    /// Ne: how many bytes of response data the host takes, 0 to 65536. A command without data and without Le takes 256
    /// (specification part 1 §1.4).
    pub le: usize,
}

/// What a missing Le in a command without data means.
const CASE_1_LE: usize = 256;

impl<'a> Apdu<'a> {
    /// Reads a command APDU. Lengths that do not add up exactly are [`Status::WRONG_LENGTH`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Status> {
        let [cla, ins, p1, p2, body @ ..] = bytes else { return Err(Status::WRONG_LENGTH) };
        let (data, le) = match body {
            [] => (&[][..], CASE_1_LE),
            [le] => (&[][..], short_le(*le)),
            [0, high, low] => (&[][..], extended_le(*high, *low)),
            [0, high, low, rest @ ..] => {
                let lc = usize::from(u16::from_be_bytes([*high, *low]));
                let (data, tail) = rest.split_at_checked(lc).ok_or(Status::WRONG_LENGTH)?;
                match tail {
                    _ if lc == 0 => return Err(Status::WRONG_LENGTH),
                    [] => (data, 0),
                    [high, low] => (data, extended_le(*high, *low)),
                    _ => return Err(Status::WRONG_LENGTH),
                }
            }
            [lc, rest @ ..] => {
                let (data, tail) = rest.split_at_checked(usize::from(*lc)).ok_or(Status::WRONG_LENGTH)?;
                match tail {
                    _ if *lc == 0 => return Err(Status::WRONG_LENGTH),
                    [] => (data, 0),
                    [le] => (data, short_le(*le)),
                    _ => return Err(Status::WRONG_LENGTH),
                }
            }
        };
        Ok(Self { cla: Class(*cla), ins: *ins, p1: *p1, p2: *p2, data, le })
    }

    /// Writes the APDU, short if it can be, and returns its length; `None` if `out` is too small or a length is beyond
    /// its field.
    pub fn encode(&self, out: &mut [u8]) -> Option<usize> {
        let is_extended = self.data.len() > 255 || self.le > 256;
        let lc = u16::try_from(self.data.len()).ok()?.to_be_bytes();
        let le = u16::try_from(self.le & 0xFFFF).ok().filter(|_| self.le <= 0x1_0000)?.to_be_bytes();
        let header = [self.cla.0, self.ins, self.p1, self.p2];
        let has_data = !self.data.is_empty();
        let has_le = if has_data { self.le > 0 } else { self.le != CASE_1_LE };
        let (lc, le): (&[u8], &[u8]) = match (is_extended, has_data, has_le) {
            // A command with neither data nor Le wants 256 bytes; one that wants none cannot be written.
            (_, false, true) if self.le == 0 => return None,
            (true, true, true) => (&[0, lc[0], lc[1]], &le),
            (true, true, false) => (&[0, lc[0], lc[1]], &[]),
            (true, false, _) => (&[], &[0, le[0], le[1]]),
            (false, true, true) => (&lc[1..], &le[1..]),
            (false, true, false) => (&lc[1..], &[]),
            (false, false, true) => (&[], &le[1..]),
            (false, false, false) => (&[], &[]),
        };
        let mut len: usize = 0;
        for part in [&header[..], lc, self.data, le] {
            let end = len.checked_add(part.len())?;
            out.get_mut(len..end)?.copy_from_slice(part);
            len = end;
        }
        Some(len)
    }
}

fn short_le(le: u8) -> usize {
    if le == 0 { 256 } else { usize::from(le) }
}

fn extended_le(high: u8, low: u8) -> usize {
    match u16::from_be_bytes([high, low]) {
        0 => 0x1_0000,
        le => usize::from(le),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    fn parts(bytes: &[u8]) -> Option<(usize, usize)> {
        Apdu::parse(bytes).ok().map(|apdu| (apdu.data.len(), apdu.le))
    }

    #[test]
    fn every_case_has_its_lengths() {
        for (bytes, expected) in [
            (&[0, 0xA4, 0, 0][..], Some((0, 256))),
            (&[0, 0xA4, 0, 0, 0], Some((0, 256))),
            (&[0, 0xA4, 0, 0, 7], Some((0, 7))),
            (&[0, 0xA4, 0, 0, 0, 0, 0], Some((0, 65536))),
            (&[0, 0xA4, 0, 0, 0, 1, 0], Some((0, 256))),
            (&[0, 0xA4, 0, 0, 2, 1, 2], Some((2, 0))),
            (&[0, 0xA4, 0, 0, 2, 1, 2, 0], Some((2, 256))),
            (&[0, 0xA4, 0, 0, 0, 0, 2, 1, 2], Some((2, 0))),
            (&[0, 0xA4, 0, 0, 0, 0, 2, 1, 2, 0, 0], Some((2, 65536))),
            (&[], None),
            (&[0, 0xA4, 0], None),
            (&[0, 0xA4, 0, 0, 3, 1, 2], None),
            (&[0, 0xA4, 0, 0, 1, 1, 2, 3], None),
            (&[0, 0xA4, 0, 0, 0, 1], None),
            (&[0, 0xA4, 0, 0, 0, 0, 2, 1], None),
            (&[0, 0xA4, 0, 0, 0, 0, 2, 1, 2, 3], None),
            (&[0, 0xA4, 0, 0, 0, 0, 0, 1], None),
        ] {
            assert_eq!(parts(bytes), expected, "{bytes:02X?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_parsed_back(
            header: [u8; 4],
            data in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..4),
                proptest::collection::vec(any::<u8>(), 250..260),
                Just(vec![7; 65535]),
            ],
            le in prop_oneof![0..=2usize, 255..=257usize, 65535..=65536usize],
        ) {
            let apdu = Apdu { cla: Class(header[0]), ins: header[1], p1: header[2], p2: header[3], data: &data, le };
            let mut out = vec![0; 65535 + 9];
            match apdu.encode(&mut out) {
                Some(len) => prop_assert_eq!(Apdu::parse(&out[..len]), Ok(apdu)),
                None => prop_assert!(data.is_empty() && le == 0),
            }
        }

        #[test]
        fn any_bytes_are_an_apdu_or_a_status(bytes: Vec<u8>) {
            let _ = Apdu::parse(&bytes);
        }
    }
}
