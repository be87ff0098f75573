//! What all descriptions have in common, and reading them leniently.

use crate::tlv::Malformed;
use der::asn1::{AnyRef, BitStringRef, OctetStringRef, Utf8StringRef};
use der::{Decode, Reader as _, Sequence, SliceReader, Tag, TagNumber, Tagged as _};

#[derive(Sequence)]
pub(super) struct Common<'a> {
    pub(super) label: Utf8StringRef<'a>,
    #[asn1(optional = "true")]
    pub(super) flags: Option<BitStringRef<'a>>,
}

#[derive(Sequence)]
pub(super) struct Path<'a> {
    pub(super) path: &'a OctetStringRef,
}

#[derive(Sequence)]
pub(super) struct PathHolder<'a> {
    pub(super) path: Path<'a>,
}

/// The tag of a constructed, context-specific object.
pub(super) fn context(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: true, number: TagNumber(number) }
}

/// The first object; what follows it is the tail of an older, longer description.
pub(super) fn first(bytes: &[u8]) -> Result<AnyRef<'_>, Malformed> {
    let mut reader = SliceReader::new(bytes).map_err(|_| Malformed)?;
    AnyRef::decode(&mut reader).map_err(|_| Malformed)
}

/// The objects in a constructed one's content, up to the first that is malformed.
pub(super) fn objects(bytes: &[u8]) -> impl Iterator<Item = AnyRef<'_>> {
    let mut reader = SliceReader::new(bytes).ok();
    core::iter::from_fn(move || {
        let reader = reader.as_mut().filter(|reader| !reader.is_finished())?;
        AnyRef::decode(reader).ok()
    })
}

/// The content of the first object with a tag.
pub(super) fn find(bytes: &[u8], tag: Tag) -> Option<&[u8]> {
    objects(bytes).find(|object| object.tag() == tag).map(|object| object.value())
}

/// Common attributes and class attributes, with which every description starts.
pub(super) fn halves(bytes: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let mut objects = objects(bytes);
    match (objects.next(), objects.next()) {
        (Some(common), Some(class)) if common.tag() == Tag::Sequence && class.tag() == Tag::Sequence => {
            Ok((common.value(), class.value()))
        }
        _ => Err(Malformed),
    }
}
