//! The content of an archive: data objects in BER-TLV.
//!
//! ```text
//! E0 the device   80 serial number, 81 label, 82 seconds since 1970 (8 bytes)
//! E1 a key        80 identifier (1 byte), 81 the wrapped key's file
//! E2 certificate  80 label, 81 CKA_ID, 82 the certificate
//! E3 data object  80 label, 81 application, 82 whether private (00 or 01), 83 content
//! ```

use super::{Archive, ArchivedCertificate, ArchivedData, ArchivedKey};
use crate::custody::wrapped::WrappedKey;
use ferrite_proto::fid::KeyId;
use ferrite_proto::tlv::{Reader, Tag, Writer};
use zeroize::Zeroizing;

const DEVICE: u16 = 0xE0;
const KEY: u16 = 0xE1;
const CERTIFICATE: u16 = 0xE2;
const DATA: u16 = 0xE3;
/// Heads of the data objects of one entry.
const HEADS: usize = 48;

/// Writes an archive; `None` if it is too long for its lengths.
pub(super) fn write(archive: &Archive) -> Option<Zeroizing<Vec<u8>>> {
    let keys: Vec<Vec<u8>> = archive.keys.iter().map(|key| key.wrapped.to_bytes().ok()).collect::<Option<_>>()?;
    let size = archive.serial.len()
        + archive.label.len()
        + keys.iter().map(|key| key.len() + HEADS).sum::<usize>()
        + archive.certificates.iter().map(|c| c.label.len() + c.cka_id.len() + c.content.len() + HEADS).sum::<usize>()
        + archive.data.iter().map(|d| d.label.len() + d.application.len() + d.content.len() + HEADS).sum::<usize>()
        + HEADS;
    let mut out = Zeroizing::new(vec![0; size]);
    let mut writer = Writer::new(&mut out);
    writer.nest(DEVICE, |w| {
        w.put(0x80, archive.serial.as_bytes())
            .put(0x81, archive.label.as_bytes())
            .put(0x82, &archive.made.to_be_bytes());
    });
    for (key, file) in archive.keys.iter().zip(&keys) {
        writer.nest(KEY, |w| _ = w.put(0x80, &[key.id.value()]).put(0x81, file));
    }
    for certificate in &archive.certificates {
        writer.nest(CERTIFICATE, |w| {
            w.put(0x80, certificate.label.as_bytes()).put(0x81, &certificate.cka_id).put(0x82, &certificate.content);
        });
    }
    for data in &archive.data {
        writer.nest(DATA, |w| {
            w.put(0x80, data.label.as_bytes()).put(0x81, data.application.as_bytes());
            w.put(0x82, &[u8::from(data.is_private)]).put(0x83, &data.content);
        });
    }
    let len = writer.finish().ok()?;
    out.truncate(len);
    Some(out)
}

/// Reads an archive; what is not known in it is skipped. `None` for anything malformed.
pub(super) fn read(bytes: &[u8]) -> Option<Archive> {
    let mut archive = Archive::default();
    for object in Reader::new(bytes) {
        let (Tag(tag), content) = object.ok()?;
        let mut fields = Reader::new(content);
        let mut field = |tag: u16| fields.expect(Tag(tag)).ok();
        match tag {
            DEVICE => {
                (archive.serial, archive.label) = (text(field(0x80)?)?, text(field(0x81)?)?);
                archive.made = u64::from_be_bytes(field(0x82)?.try_into().ok()?);
            }
            KEY => {
                let [id] = *field(0x80)? else { return None };
                archive.keys.push(ArchivedKey { id: KeyId::new(id), wrapped: WrappedKey::parse(field(0x81)?).ok()? });
            }
            CERTIFICATE => archive.certificates.push(ArchivedCertificate {
                label: text(field(0x80)?)?,
                cka_id: field(0x81)?.to_vec(),
                content: field(0x82)?.to_vec(),
            }),
            DATA => archive.data.push(ArchivedData {
                label: text(field(0x80)?)?,
                application: text(field(0x81)?)?,
                is_private: field(0x82)? != [0],
                content: Zeroizing::new(field(0x83)?.to_vec()),
            }),
            _ => {}
        }
    }
    Some(archive)
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}
