//! Reading DER, field by field.

use super::bad;
use crate::error::Result;
use der::asn1::{AnyRef, ObjectIdentifier};
use der::{Decode as _, Reader as _, SliceReader, Tag, TagNumber, Tagged as _};

/// Fields of a constructed object, one after the other.
pub(super) struct Fields<'a>(SliceReader<'a>);

/// The tag of a constructed, context-specific object.
pub(super) const fn context(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: true, number: TagNumber(number) }
}

/// The tag of a primitive, context-specific object.
pub(super) const fn primitive(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: false, number: TagNumber(number) }
}

impl<'a> Fields<'a> {
    /// The objects in `bytes`.
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self> {
        SliceReader::new(bytes).map(Self).map_err(|_| bad("it is too long"))
    }

    /// The fields of a sequence, which must be all there is.
    pub(super) fn of_sequence(bytes: &'a [u8]) -> Result<Self> {
        let mut outer = Self::new(bytes)?;
        let content = outer.expect(Tag::Sequence)?;
        outer.end()?;
        Self::new(content)
    }

    /// The next field, whatever it is.
    pub(super) fn next(&mut self) -> Result<AnyRef<'a>> {
        AnyRef::decode(&mut self.0).map_err(|_| bad("it is not DER, or cut short"))
    }

    /// The content of the next field, which must have a tag.
    pub(super) fn expect(&mut self, tag: Tag) -> Result<&'a [u8]> {
        let field = self.next()?;
        if field.tag() == tag { Ok(field.value()) } else { Err(bad("it has another form")) }
    }

    /// The content of the next field if it has a tag; otherwise nothing is consumed.
    pub(super) fn optional(&mut self, tag: Tag) -> Result<Option<&'a [u8]>> {
        if Tag::peek(&self.0).is_ok_and(|next| next == tag) {
            return self.expect(tag).map(Some);
        }
        Ok(None)
    }

    /// The next field, an object identifier.
    pub(super) fn oid(&mut self) -> Result<ObjectIdentifier> {
        ObjectIdentifier::from_bytes(self.expect(Tag::ObjectIdentifier)?)
            .map_err(|_| bad("an identifier in it is none"))
    }

    /// The next field, a non-negative number, without leading zeros.
    pub(super) fn number(&mut self) -> Result<&'a [u8]> {
        let bytes = self.expect(Tag::Integer)?;
        if bytes.first().is_none_or(|first| first & 0x80 != 0) {
            return Err(bad("a number in it is negative"));
        }
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        Ok(bytes.get(zeros..).unwrap_or_default())
    }

    /// The next field, a number that fits 32 bits.
    pub(super) fn small_number(&mut self) -> Result<u32> {
        let bytes = self.number()?;
        if bytes.len() > 4 {
            return Err(bad("a number in it is too large"));
        }
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_finished()
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<()> {
        if self.is_empty() { Ok(()) } else { Err(bad("something follows where it should end")) }
    }
}
