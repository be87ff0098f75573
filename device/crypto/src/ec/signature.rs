//! ECDSA signatures and their two forms.

use super::MAX_FIELD;
use crate::Error;

/// Longest DER form of a signature, in bytes: two integers of [`MAX_FIELD`] bytes and a sign byte.
pub const MAX_DER: usize = 3 + 2 * (2 + 1 + MAX_FIELD);

/// An ECDSA signature: two numbers of the order's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    bytes: [u8; 2 * MAX_FIELD],
    half: usize,
}

impl Signature {
    pub(super) fn new(r: &[u8], s: &[u8]) -> Result<Self, Error> {
        let mut signature = Self { bytes: [0; 2 * MAX_FIELD], half: r.len() };
        let total = r.len().saturating_add(s.len());
        let (to_r, to_s) = signature.bytes.get_mut(..total).ok_or(Error::BadLength)?.split_at_mut(r.len());
        to_r.copy_from_slice(r);
        to_s.copy_from_slice(s);
        Ok(signature)
    }

    /// r and s.
    fn halves(&self) -> [&[u8]; 2] {
        let both = self.bytes.get(..self.half.saturating_mul(2)).unwrap_or_default();
        both.split_at_checked(self.half).unwrap_or_default().into()
    }

    /// Writes r ‖ s, each of the order's length, and returns the length.
    pub fn to_raw(&self, out: &mut [u8]) -> Result<usize, Error> {
        crate::Bytes::<{ 2 * MAX_FIELD }>::concat(&self.halves())?.write(out)
    }

    /// Writes `SEQUENCE { INTEGER r, INTEGER s }` in DER and returns its length (SEC 1 §C.5).
    pub fn to_der(&self, out: &mut [u8]) -> Result<usize, Error> {
        let integers = self.halves().map(Integer::new);
        let content: usize = integers.iter().map(Integer::len).sum();
        let mut out_bytes = out.iter_mut();
        let mut len: usize = 0;
        let mut push = |byte: u8| {
            len = len.saturating_add(1);
            out_bytes.next().map(|to| *to = byte).ok_or(Error::BadLength)
        };
        push(0x30)?;
        if content > 0x7F {
            push(0x81)?;
        }
        push(u8::try_from(content).map_err(|_| Error::BadLength)?)?;
        integers.iter().flat_map(Integer::bytes).try_for_each(push)?;
        Ok(len)
    }
}

/// An unsigned number of at most [`MAX_FIELD`] bytes as DER INTEGER.
struct Integer<'a> {
    /// `02`, the length, and `00` if the number would else look negative.
    head: [u8; 3],
    head_len: usize,
    /// Without leading zeros, but for the number zero.
    digits: &'a [u8],
}

impl<'a> Integer<'a> {
    fn new(number: &'a [u8]) -> Self {
        let zeros = number.iter().take_while(|byte| **byte == 0).count().min(number.len().saturating_sub(1));
        let digits = number.get(zeros..).unwrap_or_default();
        let sign = usize::from(digits.first().is_some_and(|byte| byte & 0x80 != 0));
        let len = u8::try_from(digits.len().saturating_add(sign)).unwrap_or(u8::MAX);
        Self { head: [0x02, len, 0x00], head_len: sign.saturating_add(2), digits }
    }

    fn len(&self) -> usize {
        self.head_len.saturating_add(self.digits.len())
    }

    fn bytes(&self) -> impl Iterator<Item = u8> {
        self.head.iter().take(self.head_len).chain(self.digits).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn der_is_minimal_and_signed() {
        for (r, s, expected) in [([0x7F; 32], [0x80; 32], 2 + 2 + 32 + 2 + 33), ([0; 32], [1; 32], 2 + 2 + 1 + 2 + 32)]
        {
            let mut out = [0; 80];
            let len = Signature::new(&r, &s).unwrap().to_der(&mut out).unwrap();
            assert_eq!(len, expected);
            assert_eq!(usize::from(out[1]), len - 2);
        }
        let long = Signature::new(&[0xFF; 66], &[0xFF; 66]).unwrap();
        let mut out = [0; MAX_DER];
        assert_eq!(long.to_der(&mut out), Ok(MAX_DER));
        assert_eq!(out[..3], [0x30, 0x81, 2 * (2 + 67)]);
        assert_eq!(long.to_der(&mut [0; 20]), Err(Error::BadLength));
    }
}
