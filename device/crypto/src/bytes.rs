//! Results of a length that is known only when they are there.

use crate::Error;
use zeroize::Zeroize;

/// Up to `N` bytes. They are wiped when dropped, because some of them are secret.
#[derive(Clone)]
pub struct Bytes<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Bytes<N> {
    /// The parts, one after the other.
    pub fn concat(parts: &[&[u8]]) -> Result<Self, Error> {
        let mut this = Self { bytes: [0; N], len: 0 };
        for part in parts {
            let end = this.len.saturating_add(part.len());
            this.bytes.get_mut(this.len..end).ok_or(Error::BadLength)?.copy_from_slice(part);
            this.len = end;
        }
        Ok(this)
    }

    /// As many of the given bytes as fit.
    pub(crate) fn filled(bytes: &[u8]) -> Self {
        let mut this = Self { bytes: [0; N], len: bytes.len().min(N) };
        this.bytes.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        this
    }

    /// Writes the bytes and returns their number.
    pub fn write(&self, out: &mut [u8]) -> Result<usize, Error> {
        let bytes = self.as_ref();
        out.get_mut(..bytes.len()).ok_or(Error::BadLength)?.copy_from_slice(bytes);
        Ok(bytes.len())
    }
}

impl<const N: usize> AsRef<[u8]> for Bytes<N> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl<const N: usize> Drop for Bytes<N> {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}
