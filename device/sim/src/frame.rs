//! Length-prefixed messages on a stream.

use std::io::{ErrorKind, Read, Result, Write};

/// Reads one message into `message`, its length first as `N` big-endian bytes.
///
/// # Errors
/// The stream ended or failed, or the length is over `limit` bytes ([`ErrorKind::InvalidData`]).
pub(crate) fn read<const N: usize>(stream: &mut impl Read, message: &mut Vec<u8>, limit: usize) -> Result<()> {
    let mut prefix = [0; N];
    stream.read_exact(&mut prefix)?;
    let length = prefix.iter().fold(0, |length: u64, &byte| length << 8 | u64::from(byte));
    let length = usize::try_from(length).ok().filter(|&length| length <= limit).ok_or(ErrorKind::InvalidData)?;
    message.clear();
    message.resize(length, 0);
    stream.read_exact(message)
}

/// Writes one message in one go, its length first as `N` big-endian bytes.
///
/// # Errors
/// The stream failed, or the length does not fit the prefix ([`ErrorKind::InvalidInput`]).
pub(crate) fn write<const N: usize>(stream: &mut impl Write, message: &[u8]) -> Result<()> {
    let length = u64::try_from(message.len()).map_err(|_| ErrorKind::InvalidInput)?.to_be_bytes();
    let (unused, prefix) = length.split_at(length.len().saturating_sub(N));
    if unused.iter().any(|&byte| byte != 0) {
        return Err(ErrorKind::InvalidInput.into());
    }
    stream.write_all(&[prefix, message].concat())?;
    stream.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_carries_its_length_in_front() {
        let mut wire = Vec::new();
        write::<2>(&mut wire, &[0xAA; 258]).expect("fits");
        assert_eq!(wire[..3], [0x01, 0x02, 0xAA]);
        let mut message = vec![1, 2, 3];
        read::<2>(&mut wire.as_slice(), &mut message, 258).expect("whole");
        assert_eq!(message, [0xAA; 258]);
    }

    #[test]
    fn a_message_over_the_limit_or_cut_short_is_an_error() {
        let mut message = Vec::new();
        let over = read::<4>(&mut [0, 1, 0, 9, 0].as_slice(), &mut message, 65544).expect_err("65545 bytes");
        assert_eq!(over.kind(), ErrorKind::InvalidData);
        let cut = read::<2>(&mut [0, 2, 0].as_slice(), &mut message, 10).expect_err("one byte is missing");
        assert_eq!(cut.kind(), ErrorKind::UnexpectedEof);
        let long = write::<2>(&mut Vec::new(), &[0; 0x10000]).expect_err("65536 needs three bytes");
        assert_eq!(long.kind(), ErrorKind::InvalidInput);
    }
}
