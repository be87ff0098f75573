//! BER-TLV with definite lengths (ISO 7816-4 §5.2.2): tags of one or two bytes, lengths to 16 MiB.
//!
//! There are two ways to read it. The strict one is for everything but the data of SYMMETRIC CIPHER: clients that are in
//! use write every length there as one byte, whatever its value, so that a bare `80` or `83` to `FF` has to be taken for
//! the length itself (specification part 2 §0.7). The lenient way does that, and reads correct lengths up to 65535 as well.

/// A tag of one or two bytes, as a number: `42` or `5F29`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tag(pub u16);

impl Tag {
    /// Whether the value is itself a sequence of data objects.
    pub const fn is_constructed(self) -> bool {
        let first = if self.0 > 0xFF { self.0.to_be_bytes()[0] } else { self.0.to_be_bytes()[1] };
        first & 0x20 != 0
    }
}

/// The bytes are not a sequence of data objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// The output buffer is too small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// One data object and what follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split<'a> {
    /// Its tag.
    pub tag: Tag,
    /// Its value.
    pub value: &'a [u8],
    /// Its complete encoding.
    pub encoded: &'a [u8],
    /// What follows it.
    pub rest: &'a [u8],
}

/// Splits the first data object off.
pub fn split(bytes: &[u8]) -> Result<Split<'_>, Malformed> {
    split_with(bytes, |rest| match rest {
        [len @ 0..=0x7F, rest @ ..] => Ok((usize::from(*len), rest)),
        [0x81, len, rest @ ..] => Ok((usize::from(*len), rest)),
        [0x82, b1, b0, rest @ ..] => Ok((usize::from(u16::from_be_bytes([*b1, *b0])), rest)),
        [0x83, b2, b1, b0, rest @ ..] => {
            let len = u32::from_be_bytes([0, *b2, *b1, *b0]);
            Ok((usize::try_from(len).map_err(|_| Malformed)?, rest))
        }
        _ => Err(Malformed),
    })
}

/// Splits the first data object off, the lenient way: `81` and `82` announce lengths of one and two bytes, any other byte
/// is the length.
pub fn split_lenient(bytes: &[u8]) -> Result<Split<'_>, Malformed> {
    split_with(bytes, |rest| match rest {
        [0x81, len, rest @ ..] => Ok((usize::from(*len), rest)),
        [0x82, b1, b0, rest @ ..] => Ok((usize::from(u16::from_be_bytes([*b1, *b0])), rest)),
        [0x81 | 0x82, ..] | [] => Err(Malformed),
        [len, rest @ ..] => Ok((usize::from(*len), rest)),
    })
}

/// Splits the first data object off; the closure reads its length.
fn split_with(
    bytes: &[u8],
    length: impl FnOnce(&[u8]) -> Result<(usize, &[u8]), Malformed>,
) -> Result<Split<'_>, Malformed> {
    let (tag, rest) = match bytes {
        [first, second, rest @ ..] if first & 0x1F == 0x1F => {
            // Three-byte tags do not occur here.
            if second & 0x80 != 0 {
                return Err(Malformed);
            }
            (Tag(u16::from_be_bytes([*first, *second])), rest)
        }
        [first, rest @ ..] if first & 0x1F != 0x1F => (Tag(u16::from(*first)), rest),
        _ => return Err(Malformed),
    };
    let (len, rest) = length(rest)?;
    let (value, rest) = rest.split_at_checked(len).ok_or(Malformed)?;
    let encoded = bytes.len().checked_sub(rest.len()).and_then(|len| bytes.get(..len)).ok_or(Malformed)?;
    Ok(Split { tag, value, encoded, rest })
}

/// Iterates over a sequence of data objects; ends after the first malformed one.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    split: fn(&[u8]) -> Result<Split<'_>, Malformed>,
}

impl<'a> Reader<'a> {
    /// Reads the data objects in `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, split }
    }

    /// Reads the data objects in `bytes` the lenient way.
    pub const fn lenient(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, split: split_lenient }
    }

    /// The next data object, which must have this tag.
    pub fn expect(&mut self, tag: Tag) -> Result<&'a [u8], Malformed> {
        match self.next() {
            Some(Ok((found, value))) if found == tag => Ok(value),
            _ => Err(Malformed),
        }
    }

    /// The next data object if it has this tag; otherwise nothing is consumed.
    pub fn optional(&mut self, tag: Tag) -> Result<Option<&'a [u8]>, Malformed> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let next = (self.split)(self.rest)?;
        if next.tag != tag {
            return Ok(None);
        }
        self.rest = next.rest;
        Ok(Some(next.value))
    }

    /// What has not been read yet.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<(Tag, &'a [u8]), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match (self.split)(self.rest) {
            Ok(next) => {
                self.rest = next.rest;
                Some(Ok((next.tag, next.value)))
            }
            Err(Malformed) => {
                self.rest = &[];
                Some(Err(Malformed))
            }
        }
    }
}

/// The value of the first data object with a tag.
pub fn find(bytes: &[u8], tag: Tag) -> Option<&[u8]> {
    Reader::new(bytes).map_while(Result::ok).find(|(found, _)| *found == tag).map(|(_, value)| value)
}

/// Writes data objects into a buffer, lengths minimal. A buffer that is too small is reported by [`Writer::finish`].
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut [u8],
    len: usize,
    is_full: bool,
}

impl<'a> Writer<'a> {
    /// Writes from the start of `out`.
    pub fn new(out: &'a mut [u8]) -> Self {
        Self { out, len: 0, is_full: false }
    }

    /// Writes bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        let end = self.len.checked_add(bytes.len());
        match end.and_then(|end| Some((end, self.out.get_mut(self.len..end)?))) {
            Some((end, room)) => {
                room.copy_from_slice(bytes);
                self.len = end;
            }
            None => self.is_full = true,
        }
        self
    }

    /// Writes a primitive data object.
    pub fn put(&mut self, tag: u16, value: &[u8]) -> &mut Self {
        self.head(tag, value.len());
        self.raw(value)
    }

    /// Writes an INTEGER-like value without superfluous leading zeros, at least one byte.
    pub fn put_minimal(&mut self, tag: u16, value: &[u8]) -> &mut Self {
        let zeros = value.iter().take_while(|byte| **byte == 0).count();
        let zeros = zeros.min(value.len().saturating_sub(1));
        self.put(tag, value.get(zeros..).unwrap_or_default())
    }

    /// Writes a constructed data object whose content the closure writes.
    pub fn nest(&mut self, tag: u16, content: impl FnOnce(&mut Writer<'_>)) -> &mut Self {
        let start = self.len;
        content(self);
        let content_len = self.len.saturating_sub(start);
        let mut header = [0; 6];
        let mut writer = Writer::new(&mut header);
        writer.head(tag, content_len);
        let header_len = writer.len;
        let end = self.len.checked_add(header_len).filter(|end| *end <= self.out.len());
        let moved = start.checked_add(header_len);
        match (end, moved) {
            (Some(end), Some(moved)) if !self.is_full => {
                self.out.copy_within(start..self.len, moved);
                if let (Some(room), Some(header)) = (self.out.get_mut(start..moved), header.get(..header_len)) {
                    room.copy_from_slice(header);
                }
                self.len = end;
            }
            _ => self.is_full = true,
        }
        self
    }

    /// How many bytes were written.
    pub fn finish(&self) -> Result<usize, Full> {
        if self.is_full { Err(Full) } else { Ok(self.len) }
    }

    /// Writes tag and length of a data object whose value follows.
    pub fn head(&mut self, tag: u16, len: usize) -> &mut Self {
        match tag.to_be_bytes() {
            [0, low] => self.raw(&[low]),
            both => self.raw(&both),
        };
        let len = u32::try_from(len).ok().filter(|len| *len < 1 << 24).map(u32::to_be_bytes);
        match len {
            Some([_, 0, 0, low @ 0..=0x7F]) => self.raw(&[low]),
            Some([_, 0, 0, low]) => self.raw(&[0x81, low]),
            Some([_, 0, high, low]) => self.raw(&[0x82, high, low]),
            Some([_, b2, b1, b0]) => self.raw(&[0x83, b2, b1, b0]),
            None => {
                self.is_full = true;
                self
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    #[test]
    fn nested_lengths_are_minimal() {
        let mut out = [0; 400];
        let len = Writer::new(&mut out)
            .nest(0x7F4E, |w| {
                w.put(0x5F29, &[0]).nest(0x7F49, |w| {
                    w.put(0x81, &[0xAA; 127]).put(0x82, &[0xBB; 128]);
                });
            })
            .finish()
            .unwrap();
        assert_eq!(out[..10], [0x7F, 0x4E, 0x82, 0x01, 0x0D, 0x5F, 0x29, 0x01, 0x00, 0x7F]);
        assert_eq!(len, 5 + 0x10D);
        assert_eq!(Writer::new(&mut [0; 3]).put(0x81, &[1, 2]).finish(), Err(Full));
        assert_eq!(Writer::new(&mut [0; 5]).nest(0x30, |w| _ = w.put(0x04, &[1, 2])).finish(), Err(Full));
    }

    #[test]
    fn malformed_objects_are_refused() {
        for bytes in
            [&[0x30][..], &[0x30, 0x80], &[0x30, 2, 1], &[0x1F], &[0x1F, 0x81, 1, 0], &[0x30, 0x84, 0, 0, 0, 0]]
        {
            assert_eq!(split(bytes).map(|_| ()), Err(Malformed), "{bytes:02X?}");
        }
    }

    #[test]
    fn the_lenient_way_takes_odd_bytes_for_lengths() {
        let read = |bytes: &[u8]| split_lenient(bytes).map(|split| (split.tag.0, split.value.len(), split.rest.len()));
        let data = [&[0x81][..], &[0x90], &[7; 144]].concat();
        assert_eq!(read(&data), Ok((0x81, 144, 0)));
        assert_eq!(read(&[&[0x81, 0x81, 0x90][..], &[7; 146]].concat()), Ok((0x81, 144, 2)));
        assert_eq!(read(&[&[0x82, 0x82, 0x01, 0x00][..], &[7; 256]].concat()), Ok((0x82, 256, 0)));
        for len in [0x80, 0x83, 0x84, 0xFF] {
            assert_eq!(
                read(&[&[0x83, len][..], &[7; 255]].concat()),
                Ok((0x83, usize::from(len), 255 - usize::from(len)))
            );
        }
        for bytes in [&[][..], &[0x06], &[0x81, 0x81], &[0x81, 0x82, 0x01], &[0x81, 0x02, 0], &[0x81, 0x90, 0]] {
            assert_eq!(read(bytes), Err(Malformed), "{bytes:02X?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            tag in prop_oneof![0..0x1Eu16, 0x40..0x5Eu16, 0x5F01..0x5F7Fu16, 0x7F01..0x7F7Fu16],
            len in prop_oneof![0..3usize, 126..130usize, 254..258usize, 65534..65538usize],
        ) {
            let value = vec![0x5A; len];
            let mut out = vec![0; len + 8];
            let len = Writer::new(&mut out).put(tag, &value).finish().unwrap();
            let lenient = if value.len() > 0xFFFF { Reader::new(&out[..len]) } else { Reader::lenient(&out[..len]) };
            for mut reader in [Reader::new(&out[..len]), lenient] {
                prop_assert_eq!(reader.next(), Some(Ok((Tag(tag), &value[..]))));
                prop_assert_eq!(reader.next(), None);
            }
        }

        #[test]
        fn any_bytes_end_the_reader(bytes: Vec<u8>) {
            prop_assert!(Reader::new(&bytes).count() <= bytes.len());
            prop_assert!(Reader::lenient(&bytes).count() <= bytes.len());
        }
    }
}
