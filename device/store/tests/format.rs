//! Images of every released format open. An image is a list of pages that are not blank: page number and length
//! (16 bits each, little-endian) and the bytes, without the blank ones at the end.

mod common;

use common::{Model, Operation, Step, mount, pattern, rng, root, run};
use ferrite_store::testing::RamFlash;
use ferrite_store::{Error, Kind};

const FORMAT_1: &[u8] = include_bytes!("images/format-1.bin");
const PAGES: usize = 256;
const PAGE: usize = 4096;

fn put(id: u16, kind: Kind, len: usize, counter: Option<u32>) -> Step {
    Step::Put { id, kind, meta: pattern(u64::from(id), usize::from(id)), content: pattern(len as u64, len), counter }
}

/// What was done to the store whose image is saved.
fn history() -> Vec<Operation> {
    vec![
        Operation::Commit(vec![put(1, Kind::Secret, 1200, None), put(2, Kind::Public, 1300, None)]),
        Operation::Commit(vec![put(3, Kind::Device, 80, Some(3)), put(190, Kind::Device, 0, Some(9))]),
        Operation::Count { id: 3, value: 2 },
        Operation::Commit(vec![Step::Write { id: 2, kind: Kind::Public, offset: 1300, content: pattern(8, 230) }]),
        Operation::Commit(vec![put(5, Kind::Secret, 300, None), put(7, Kind::Secret, 640, None)]),
        Operation::Commit(vec![Step::Delete { id: 5 }, put(7, Kind::Secret, 641, None)]),
        Operation::Commit(vec![put(8, Kind::Public, 100, None)]),
    ]
}

fn expected() -> Model {
    let mut model = Model::default();
    for operation in history() {
        model.apply(&operation).expect("valid");
    }
    model
}

fn unpack(mut image: &[u8]) -> RamFlash {
    let mut flash = RamFlash::new(PAGES);
    while let Some(([p0, p1, l0, l1], rest)) = image.split_first_chunk() {
        let page = usize::from(u16::from_le_bytes([*p0, *p1]));
        let (bytes, rest) = rest.split_at(usize::from(u16::from_le_bytes([*l0, *l1])));
        flash.bytes_mut()[page * PAGE..][..bytes.len()].copy_from_slice(bytes);
        image = rest;
    }
    flash
}

#[test]
fn the_image_of_format_1_opens() {
    assert_eq!(Model::of(&mut mount(unpack(FORMAT_1))), Ok(expected()));
}

#[test]
fn what_is_written_today_is_the_image_of_format_1() {
    assert_eq!(written_today().bytes(), unpack(FORMAT_1).bytes());
}

#[test]
fn a_newer_format_or_another_size_is_refused_and_left_alone() {
    let mut newer = unpack(FORMAT_1);
    newer.bytes_mut()[3] = 2;
    let crc = crc32(&newer.bytes()[..16]);
    newer.bytes_mut()[16..20].copy_from_slice(&crc.to_le_bytes());
    let smaller = RamFlash::from_bytes(unpack(FORMAT_1).bytes()[..PAGES / 2 * PAGE].to_vec());
    for flash in [newer, smaller] {
        let before = flash.bytes().to_vec();
        let Err((flash, error)) = ferrite_store::testing::mount(flash, root()) else { panic!("mounted") };
        assert_eq!(error, Error::Version);
        assert_eq!(flash.bytes(), before);
    }
}

/// Bit by bit, from the definition.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

fn written_today() -> RamFlash {
    let mut store = mount(RamFlash::new(PAGES));
    let mut rng = rng();
    for operation in history() {
        run(&mut store, &operation, &mut rng).expect("valid");
    }
    store.into_flash()
}

#[test]
#[ignore = "writes the image; to be run once for each new format"]
fn write_image() {
    let flash = written_today();
    let mut image = Vec::new();
    for (page, bytes) in flash.bytes().chunks(PAGE).enumerate() {
        if let Some(last) = bytes.iter().rposition(|&byte| byte != 0xff) {
            image.extend((page as u16).to_le_bytes());
            image.extend((last as u16 + 1).to_le_bytes());
            image.extend(&bytes[..=last]);
        }
    }
    std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/images/format-1.bin"), image).expect("written");
}
