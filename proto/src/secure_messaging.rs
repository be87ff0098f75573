//! Chip authentication and secure messaging: their data objects (BSI TR-03110-3 §B.2 and §F.2, ISO 7816-4 §11;
//! specification part 1 §6). What is encrypted and what proves it is for the caller to compute.

use crate::apdu::Class;
use crate::status::Status;
use crate::tlv::{self, Full, Reader, Tag, Writer};
use core::ops::Range;

/// id-CA-ECDH-AES-CBC-CMAC-128: the one protocol of chip authentication that the card speaks.
pub const PROTOCOL: [u8; 10] = [0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x03, 0x02, 0x02];
/// Length of a public key on the device key's curve, uncompressed, in bytes.
pub const POINT: usize = 65;
/// Length of the card's nonce and of its token, in bytes.
pub const NONCE: usize = 8;
/// Length of the data whose checksum is the token, in bytes.
pub const TOKEN_INPUT: usize = 82;
/// How much longer protected data may be than plain data, in bytes: padding, padding indicator, tag and length.
pub const OVERHEAD: usize = 16 + 1 + 4 + STATUS_AND_CHECKSUM;
/// Length of the status word and the checksum of an answer, as data objects, in bytes.
pub const STATUS_AND_CHECKSUM: usize = 4 + 10;
/// Length of a checksum, in bytes.
pub const CHECKSUM: usize = 8;

const CRYPTOGRAM_ODD: u16 = 0x85;
const CRYPTOGRAM: u16 = 0x87;
const LE: u16 = 0x97;
const STATUS: u16 = 0x99;
const CHECKSUM_TAG: u16 = 0x8E;
const AUTHENTICATION: u16 = 0x7C;
const HOST_POINT: u16 = 0x80;
const CARD_NONCE: u16 = 0x81;
const CARD_TOKEN: u16 = 0x82;
/// The padding indicator: `80`, then zeros.
const PADDED: u8 = 0x01;

/// The data of GENERAL AUTHENTICATE: the host's ephemeral public key.
pub fn write_point(point: &[u8; POINT], w: &mut Writer<'_>) {
    w.nest(AUTHENTICATION, |w| _ = w.put(HOST_POINT, point));
}

/// The host's public key in the data of GENERAL AUTHENTICATE.
///
/// # Errors
/// 6700 for data without it or with something behind it, 6A80 for data of another kind, 6984 for a key of another length.
pub fn parse_point(data: &[u8]) -> Result<&[u8; POINT], Status> {
    match data {
        [] => return Err(Status::WRONG_LENGTH),
        [0x7C, ..] => {}
        _ => return Err(Status::WRONG_DATA),
    }
    let mut objects = Reader::new(data);
    let inner = objects.expect(Tag(AUTHENTICATION)).map_err(|_| Status::WRONG_LENGTH)?;
    if objects.next().is_some() {
        return Err(Status::WRONG_LENGTH);
    }
    let point = tlv::find(inner, Tag(HOST_POINT)).ok_or(Status::WRONG_LENGTH)?;
    point.try_into().map_err(|_| Status::DATA_INVALID)
}

/// Writes the answer to GENERAL AUTHENTICATE.
///
/// # Errors
/// [`Full`]: there is no room.
pub fn write_token(nonce: &[u8; NONCE], token: &[u8; CHECKSUM], out: &mut [u8]) -> Result<usize, Full> {
    let mut w = Writer::new(out);
    w.nest(AUTHENTICATION, |w| _ = w.put(CARD_NONCE, nonce).put(CARD_TOKEN, token));
    w.finish()
}

/// Nonce and token in the answer to GENERAL AUTHENTICATE.
pub fn parse_token(answer: &[u8]) -> Option<(&[u8; NONCE], &[u8; CHECKSUM])> {
    let inner = tlv::find(answer, Tag(AUTHENTICATION))?;
    let value = |tag| tlv::find(inner, Tag(tag));
    Some((value(CARD_NONCE)?.try_into().ok()?, value(CARD_TOKEN)?.try_into().ok()?))
}

/// What the token is a checksum of: the host's public key with its protocol (TR-03110-3 §A.2.3.2).
pub fn token_input(point: &[u8; POINT]) -> [u8; TOKEN_INPUT] {
    let mut input = [0; TOKEN_INPUT];
    let mut w = Writer::new(&mut input);
    w.nest(0x7F49, |w| _ = w.put(0x06, &PROTOCOL).put(0x86, point));
    // The length is the sum of the parts: it fits.
    debug_assert_eq!(w.finish(), Ok(TOKEN_INPUT));
    input
}

/// The header of a command, padded into its checksum: class as sent, INS, P1, P2.
pub fn header(cla: Class, ins: u8, p1: u8, p2: u8) -> [u8; 4] {
    [cla.value(), ins, p1, p2]
}

/// The data of a protected command, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub struct ProtectedCommand {
    /// Where the cryptogram lies in the data; `None` if the command has no data.
    pub cryptogram: Option<Range<usize>>,
    /// Le of the command; 0 if it has none.
    pub le: usize,
    /// How much of the data the checksum covers.
    pub covered: usize,
    /// Where the checksum lies.
    pub checksum: Range<usize>,
}

impl ProtectedCommand {
    /// Reads the data objects of a protected command: cryptogram (`87`, or `85` without padding indicator) and Le (`97`) if
    /// they are there, then the checksum (`8E`), and nothing else.
    ///
    /// # Errors
    /// 6987 without a checksum, 6988 for anything else that is not so.
    pub fn parse(data: &[u8]) -> Result<Self, Status> {
        let (mut cryptogram, mut le, mut rest) = (None, 0, data);
        loop {
            let at = data.len().saturating_sub(rest.len());
            let object = match rest {
                [] => return Err(Status::SM_OBJECTS_MISSING),
                _ => tlv::split(rest).map_err(|_| Status::SM_OBJECTS_WRONG)?,
            };
            let end = at.saturating_add(object.encoded.len());
            let start = end.saturating_sub(object.value.len());
            match (object.tag.0, object.value) {
                (CRYPTOGRAM, [PADDED, _, ..]) if at == 0 => cryptogram = Some(start.saturating_add(1)..end),
                (CRYPTOGRAM_ODD, [_, ..]) if at == 0 => cryptogram = Some(start..end),
                (LE, [0]) if le == 0 => le = 0x100,
                (LE, [0, 0]) if le == 0 => le = 0x1_0000,
                (LE, [short]) if le == 0 => le = usize::from(*short),
                (LE, [high, low]) if le == 0 => le = usize::from(u16::from_be_bytes([*high, *low])),
                (CHECKSUM_TAG, _) if object.rest.is_empty() => {
                    return Ok(Self { cryptogram, le, covered: at, checksum: start..end });
                }
                _ => return Err(Status::SM_OBJECTS_WRONG),
            }
            rest = object.rest;
        }
    }
}

/// Writes tag, length and padding indicator of a cryptogram that follows; returns their length.
///
/// # Errors
/// [`Full`]: there is no room.
pub fn write_cryptogram_head(cryptogram: usize, out: &mut [u8]) -> Result<usize, Full> {
    let mut w = Writer::new(out);
    w.head(CRYPTOGRAM, cryptogram.saturating_add(1)).raw(&[PADDED]);
    w.finish()
}

/// Writes Le of a command, 1 to 65536, in as many bytes as it needs; nothing for 0.
pub fn write_le(le: usize, w: &mut Writer<'_>) {
    let [.., high, low] = le.to_be_bytes();
    match le {
        0 => w,
        1..=0x100 => w.put(LE, &[low]),
        _ => w.put(LE, &[high, low]),
    };
}

/// Writes the checksum of a message.
pub fn write_checksum(checksum: &[u8; CHECKSUM], w: &mut Writer<'_>) {
    w.put(CHECKSUM_TAG, checksum);
}

/// Writes the status word of an answer.
pub fn write_status(status: Status, w: &mut Writer<'_>) {
    w.put(STATUS, &status.to_bytes());
}

/// The data of a protected answer, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub struct ProtectedAnswer {
    /// Where the cryptogram lies in the data; `None` if the answer has no data.
    pub cryptogram: Option<Range<usize>>,
    /// The status word.
    pub status: Status,
    /// How much of the data the checksum covers.
    pub covered: usize,
    /// Where the checksum lies.
    pub checksum: Range<usize>,
}

impl ProtectedAnswer {
    /// Reads the data objects of a protected answer: cryptogram (`87`) if there is one, status word (`99`), checksum (`8E`),
    /// and nothing else.
    pub fn parse(data: &[u8]) -> Option<Self> {
        let mut rest = data;
        let mut next = |tag: u16| {
            let object = tlv::split(rest).ok().filter(|object| object.tag == Tag(tag))?;
            rest = object.rest;
            let end = data.len().saturating_sub(rest.len());
            Some((object.value, end.saturating_sub(object.value.len())..end))
        };
        let cryptogram = match next(CRYPTOGRAM) {
            Some(([PADDED, _, ..], range)) => Some(range.start.saturating_add(1)..range.end),
            Some(_) => return None,
            None => None,
        };
        let (status, range) = next(STATUS)?;
        let status = Status::from_bytes(status.try_into().ok()?);
        let (_, checksum) = next(CHECKSUM_TAG)?;
        rest.is_empty().then_some(Self { cryptogram, status, covered: range.end, checksum })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn command(data: &[u8]) -> Result<ProtectedCommand, u16> {
        ProtectedCommand::parse(data).map_err(Status::value)
    }

    #[test]
    fn commands_are_taken_apart() {
        let checksum = [0x8E, 8, 1, 2, 3, 4, 5, 6, 7, 8];
        for (objects, cryptogram, le) in [
            (&[][..], None, 0),
            (&[0x97, 1, 8], None, 8),
            (&[0x97, 1, 0], None, 256),
            (&[0x97, 2, 0, 0], None, 65536),
            (&[0x97, 2, 1, 2], None, 258),
            (&[0x87, 3, 1, 0xAA, 0xBB], Some(3..5), 0),
            (&[0x85, 2, 0xAA, 0xBB, 0x97, 1, 1], Some(2..4), 1),
        ] {
            let covered = objects.len();
            let expected = ProtectedCommand { cryptogram, le, covered, checksum: covered + 2..covered + 10 };
            assert_eq!(command(&[objects, &checksum].concat()), Ok(expected), "{objects:02X?}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let checksum = [0x8E, 1, 1];
        assert_eq!(command(&[]), Err(0x6987));
        assert_eq!(command(&[0x97, 1, 8]), Err(0x6987));
        for objects in [
            &[0x87, 0][..],
            &[0x87, 1, 1],
            &[0x87, 2, 2, 0xAA],
            &[0x85, 0],
            &[0x97, 0],
            &[0x97, 3, 0, 0, 1],
            &[0x97, 1, 8, 0x97, 1, 8],
            // The cryptogram comes first, and once.
            &[0x97, 1, 8, 0x87, 2, 1, 0xAA],
            &[0x87, 2, 1, 0xAA, 0x87, 2, 1, 0xAA],
            &[0x87, 2, 1, 0xAA, 0x85, 1, 0xAA],
            &[0x99, 2, 0x90, 0],
            &[0x80, 1, 0],
            &[0x87],
        ] {
            assert_eq!(command(&[objects, &checksum].concat()), Err(0x6988), "{objects:02X?}");
        }
        // Nothing follows the checksum.
        assert_eq!(command(&[0x8E, 1, 1, 0x97, 1, 8]), Err(0x6988));
        assert_eq!(command(&[0x8E, 9, 1]), Err(0x6988));
    }

    #[test]
    fn answers_are_taken_apart() {
        let status = Status::OK;
        let plain = [0x99, 2, 0x90, 0, 0x8E, 1, 7];
        let expected = ProtectedAnswer { cryptogram: None, status, covered: 4, checksum: 6..7 };
        assert_eq!(ProtectedAnswer::parse(&plain), Some(expected));
        let with_data = [&[0x87, 2, 1, 0xAA][..], &plain].concat();
        let expected = ProtectedAnswer { cryptogram: Some(3..4), status, covered: 8, checksum: 10..11 };
        assert_eq!(ProtectedAnswer::parse(&with_data), Some(expected));
        for wrong in [
            &[0x99, 2, 0x90, 0][..],
            &[0x8E, 1, 7],
            &[0x99, 1, 0x90, 0x8E, 1, 7],
            &[0x87, 1, 1, 0x99, 2, 0x90, 0, 0x8E, 1, 7],
            &[0x87, 2, 0, 0xAA, 0x99, 2, 0x90, 0, 0x8E, 1, 7],
            &[0x99, 2, 0x90, 0, 0x8E, 1, 7, 0],
        ] {
            assert_eq!(ProtectedAnswer::parse(wrong), None, "{wrong:02X?}");
        }
    }

    #[test]
    fn the_data_of_chip_authentication_is_read() {
        let mut data = [0; 69];
        let mut w = Writer::new(&mut data);
        write_point(&[4; POINT], &mut w);
        assert_eq!(w.finish(), Ok(69));
        assert_eq!(data[..4], [0x7C, 67, 0x80, 65]);
        assert_eq!(parse_point(&data), Ok(&[4; POINT]));
        for (data, expected) in [
            (&[][..], 0x6700),
            (&[0x80, 1, 4], 0x6A80),
            (&[0x7C], 0x6700),
            (&[0x7C, 0], 0x6700),
            (&[0x7C, 1, 0x80], 0x6700),
            (&[0x7C, 3, 0x81, 1, 4], 0x6700),
            (&[0x7C, 3, 0x80, 1, 4], 0x6984),
            (&[0x7C, 0, 0], 0x6700),
        ] {
            assert_eq!(parse_point(data).map_err(Status::value), Err(expected), "{data:02X?}");
        }
        let mut out = [0; 22];
        assert_eq!(write_token(&[1; 8], &[2; 8], &mut out), Ok(22));
        assert_eq!(parse_token(&out), Some((&[1; 8], &[2; 8])));
        assert_eq!(token_input(&[4; POINT])[..5], [0x7F, 0x49, 0x4F, 0x06, 0x0A]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_protected_or_not(data: Vec<u8>) {
            let _ = ProtectedCommand::parse(&data);
            let _ = ProtectedAnswer::parse(&data);
            let _ = parse_point(&data);
            let _ = parse_token(&data);
        }

        #[test]
        fn le_is_read_back(le in 0..=0x1_0000usize) {
            let mut out = [0; 20];
            let mut w = Writer::new(&mut out);
            write_le(le, &mut w);
            write_checksum(&[0; 8], &mut w);
            let len = w.finish().unwrap();
            prop_assert_eq!(ProtectedCommand::parse(&out[..len]).unwrap().le, le);
        }
    }
}
