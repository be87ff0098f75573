//! Descriptions of certificates and data objects.

use super::common::{Common, Path, PathHolder, context, find, first, halves, objects};
use crate::fid::FileId;
use crate::tlv::{Full, Malformed};
use der::asn1::{BitStringRef, OctetStringRef, Utf8StringRef};
use der::{Encode, Sequence, Tag, Tagged as _};

/// Description of a certificate (CD) or a data object (DCOD): what OpenSC stores beside the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectDescription<'a> {
    /// Label, UTF-8.
    pub label: &'a [u8],
    /// Certificate: CKA_ID. Data object: name of the application.
    pub name: Name<'a>,
    /// The file with the value.
    pub value: FileId,
}

/// The class attribute that tells a certificate's description from a data object's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name<'a> {
    /// CKA_ID of a certificate.
    Id(&'a [u8]),
    /// Application name of a data object.
    Application(&'a [u8]),
}

impl<'a> ObjectDescription<'a> {
    /// Writes the description of a public, modifiable object. [`Full`] also for a text that is not UTF-8.
    pub fn write(&self, out: &mut [u8]) -> Result<usize, Full> {
        self.encode(out).map_err(|_| Full)
    }

    fn encode(&self, out: &mut [u8]) -> der::Result<usize> {
        let flags = Some(BitStringRef::new(6, &[0x40])?);
        let common = Common { label: Utf8StringRef::new(self.label)?, flags };
        let file = self.value.to_bytes();
        let path = Path { path: OctetStringRef::new(&file)? };
        let encoded = match self.name {
            Name::Id(id) => {
                let class = CertificateClass { id: OctetStringRef::new(id)? };
                Certificate { common, class, value: PathHolder { path } }.encode_to_slice(out)
            }
            Name::Application(application) => {
                let class = DataClass { application: Utf8StringRef::new(application)? };
                Data { common, class, value: path }.encode_to_slice(out)
            }
        };
        encoded.map(<[u8]>::len)
    }

    /// Reads a description.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let description = first(bytes)?;
        if description.tag() != Tag::Sequence {
            return Err(Malformed);
        }
        let (common, class) = halves(description.value())?;
        let name = match objects(class).next().map(|object| (object.tag(), object.value())) {
            Some((Tag::OctetString, id)) => Name::Id(id),
            Some((Tag::Utf8String, application)) => Name::Application(application),
            // A data object may do with the identifier of its application, or with nothing.
            Some((Tag::ObjectIdentifier, _)) | None => Name::Application(&[]),
            Some(_) => return Err(Malformed),
        };
        let path = find(description.value(), context(1)).and_then(|holder| find(holder, Tag::Sequence));
        let path = match name {
            Name::Id(_) => path.and_then(|holder| find(holder, Tag::Sequence)),
            Name::Application(_) => path,
        };
        let Some([high, low]) = path.and_then(|path| find(path, Tag::OctetString)) else { return Err(Malformed) };
        let value = FileId::new(u16::from_be_bytes([*high, *low]));
        Ok(Self { label: find(common, Tag::Utf8String).unwrap_or_default(), name, value })
    }
}

#[derive(Sequence)]
struct CertificateClass<'a> {
    id: &'a OctetStringRef,
}

#[derive(Sequence)]
struct DataClass<'a> {
    application: Utf8StringRef<'a>,
}

#[derive(Sequence)]
struct Certificate<'a> {
    common: Common<'a>,
    class: CertificateClass<'a>,
    #[asn1(context_specific = "1")]
    value: PathHolder<'a>,
}

#[derive(Sequence)]
struct Data<'a> {
    common: Common<'a>,
    class: DataClass<'a>,
    #[asn1(context_specific = "1")]
    value: Path<'a>,
}
