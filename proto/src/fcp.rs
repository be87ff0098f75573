//! File control parameters: the answers to SELECT (ISO 7816-4 §7.4.3, specification part 1 §4.1).

use crate::aid;
use crate::command::{Attributes, Options};
use crate::fid::FileId;
use crate::tlv::{Full, Writer};

const TRANSPARENT_FILE: u8 = 0x01;
const INTERNAL_FILE: u8 = 0x08;
const DIRECTORY: u8 = 0x38;
const ACTIVATED: u8 = 0x05;
/// Platform byte of tag 85: unknown, which clients show as a plain SmartCard-HSM.
const PLATFORM_UNKNOWN: u8 = 0xFF;

/// The HSM application: its name and, in tag 85, the options, platform and interface version.
pub fn application(options: Options, version: [u8; 2], out: &mut [u8]) -> Result<usize, Full> {
    let [o1, o0] = options.0.to_be_bytes();
    let [major, minor] = version;
    template(out, 0, TRANSPARENT_FILE, FileId::new(0), |w| {
        w.put(0x84, &aid::HSM);
        w.put(0x8A, &[ACTIVATED]).put(0x85, &[o1, o0, PLATFORM_UNKNOWN, major, minor]);
    })
}

/// A file with its size in bytes (`FFFF` when larger).
pub fn file(file: FileId, size: usize, out: &mut [u8]) -> Result<usize, Full> {
    let descriptor = if matches!(file.value(), 0xC400 | 0xCE00) { INTERNAL_FILE } else { TRANSPARENT_FILE };
    template(out, size, descriptor, file, |w| _ = w.put(0x8A, &[ACTIVATED]))
}

/// A key with its attributes.
pub fn key(file: FileId, size: usize, attributes: &Attributes<'_>, out: &mut [u8]) -> Result<usize, Full> {
    let descriptor = if file.index() == 0 { INTERNAL_FILE } else { TRANSPARENT_FILE };
    template(out, size, descriptor, file, |w| {
        w.put(0x8A, &[ACTIVATED]);
        if !attributes.is_empty() {
            w.nest(0xA5, |w| attributes.write_to(w));
        }
    })
}

/// The master file.
pub fn master_file(out: &mut [u8]) -> Result<usize, Full> {
    template(out, 0, DIRECTORY, FileId::MASTER_FILE, |w| _ = w.put(0x8A, &[ACTIVATED]))
}

fn template(
    out: &mut [u8],
    size: usize,
    descriptor: u8,
    file: FileId,
    rest: impl FnOnce(&mut Writer<'_>),
) -> Result<usize, Full> {
    let size = u16::try_from(size).unwrap_or(u16::MAX);
    Writer::new(out)
        .nest(0x62, |w| {
            w.put(0x81, &size.to_be_bytes()).put(0x82, &[descriptor]).put(0x83, &file.to_bytes());
            rest(w);
        })
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlv::{self, Tag};

    #[test]
    fn a_file_is_described_as_on_the_wire() {
        let mut out = [0; 64];
        let len = file(FileId::DEVICE_CERTIFICATE, 443, &mut out).unwrap();
        assert_eq!(out[..len], [0x62, 0x0E, 0x81, 2, 1, 0xBB, 0x82, 1, 1, 0x83, 2, 0x2F, 2, 0x8A, 1, 5]);
    }

    #[test]
    fn the_application_ends_with_options_platform_and_version() {
        let mut out = [0; 64];
        let len = application(Options(1), [6, 6], &mut out).unwrap();
        let start = [0x62, 0x22, 0x81, 2, 0, 0, 0x82, 1, 1, 0x83, 2, 0, 0, 0x84, 0x0B];
        let end = [0x8A, 1, 5, 0x85, 5, 0, 1, 0xFF, 6, 6];
        assert_eq!(out[..len], [&start[..], &aid::HSM, &end].concat());
    }

    #[test]
    fn the_master_file_is_a_directory() {
        let mut out = [0; 64];
        let len = master_file(&mut out).unwrap();
        assert_eq!(out[..len], [0x62, 0x0E, 0x81, 2, 0, 0, 0x82, 1, 0x38, 0x83, 2, 0x3F, 0, 0x8A, 1, 5]);
    }

    #[test]
    fn long_attributes_keep_the_template_readable() {
        let attributes = Attributes { algorithms: Some(&[0x70; 200]), ..Attributes::default() };
        let mut out = [0; 300];
        let len = key(FileId::new(0xCC03), 70_000, &attributes, &mut out).unwrap();
        let template = tlv::find(&out[..len], Tag(0x62)).unwrap();
        let found = Attributes::parse(tlv::find(template, Tag(0xA5)).unwrap());
        assert_eq!((found, tlv::find(template, Tag(0x81))), (Ok(attributes), Some(&[0xFF, 0xFF][..])));
    }

    #[test]
    fn key_attributes_stand_in_a5() {
        let attributes =
            Attributes { counter: Some(5), algorithms: Some(&[0x73, 0x70]), domain: Some(0), wrapping_key: None };
        let mut out = [0; 64];
        let len = key(FileId::new(0xCC03), 8, &attributes, &mut out).unwrap();
        assert_eq!(out[16..len], [0xA5, 0x0D, 0x90, 4, 0, 0, 0, 5, 0x91, 2, 0x73, 0x70, 0x92, 1, 0]);
    }
}
