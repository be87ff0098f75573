//! What fits, and what a full store still does.

mod common;

use common::{blank, kek, mount, pattern, rng};
use ferrite_store::testing::RamFlash;
use ferrite_store::{Change, Error, MAX_CONTENT, MAX_META, ObjectId, Seal, Store};

const KEYS: u16 = 255;
const DATA: u16 = 512;

/// 255 keys with description and certificate and 512 data objects with description, each an object of its own.
fn fill(store: &mut Store<RamFlash>) {
    let kek = kek();
    let bytes = pattern(1, 1200);
    let mut rng = rng();
    let secret = |id, len: usize| Change::Put {
        id: ObjectId(id),
        seal: Seal::Secret(&kek),
        meta: &[],
        content: &bytes[..len],
        counter: None,
    };
    let public = |id, len: usize| Change::Put {
        id: ObjectId(id),
        seal: Seal::Public,
        meta: &[],
        content: &bytes[..len],
        counter: None,
    };
    for key in 0..KEYS {
        let changes = [secret(0x1000 + key, 1200), public(0x2000 + key, 60), public(0x3000 + key, 1200)];
        store.commit(&changes, &mut rng).unwrap_or_else(|error| panic!("key {key}: {error:?}"));
    }
    for data in 0..DATA {
        let changes = [secret(0x4000 + data, 256), public(0x5000 + data, 60)];
        store.commit(&changes, &mut rng).unwrap_or_else(|error| panic!("data {data}: {error:?} {:?}", store.usage()));
    }
}

#[test]
fn a_mebibyte_holds_255_keys_with_certificates_and_512_data_objects() {
    let mut store = blank(256);
    fill(&mut store);
    let mut store = mount(store.into_flash());
    let mut count = 0;
    let mut last = None;
    let mut out = [0; 1200];
    while let Some(id) = store.next(last).expect("enumerates") {
        let len = store.info(id).expect("intact").expect("enumerated").len;
        let kek = kek();
        let seal = if matches!(id.0 >> 12, 1 | 4) { Seal::Secret(&kek) } else { Seal::Public };
        assert_eq!(store.read(id, seal, 0, &mut out), Ok(len));
        (last, count) = (Some(id), count + 1);
    }
    assert_eq!(count, 3 * usize::from(KEYS) + 2 * usize::from(DATA));
}

#[test]
fn a_full_store_still_deletes_and_counts_and_then_takes_more() {
    let mut store = blank(16);
    let content = pattern(1, 2000);
    let mut rng = rng();
    let put = |id, counter| Change::Put { id: ObjectId(id), seal: Seal::Device, meta: &[], content: &content, counter };
    let mut stored = 0;
    let full = loop {
        match store.commit(&[put(stored, Some(0))], &mut rng) {
            Ok(()) => stored += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(full, Error::Full);
    assert!(stored >= 18, "only {stored}");
    for value in 0..2000 {
        store.count(ObjectId(value as u16 % stored), value).expect("a full store counts");
    }
    for id in 0..stored / 2 {
        store.commit(&[Change::Delete { id: ObjectId(id) }], &mut rng).expect("a full store deletes");
    }
    for id in 0..stored / 2 {
        store.commit(&[put(id, None)], &mut rng).expect("there is room again");
    }
    let info = store.info(ObjectId(stored - 1)).expect("intact").expect("exists");
    assert_eq!(info.counter, (0..2000).rev().find(|value| value % u32::from(stored) == u32::from(stored) - 1));
}

#[test]
fn objects_of_all_lengths_up_to_the_longest_come_back() {
    let mut store = blank(64);
    let kek = kek();
    for len in [0, 1, 639, 640, 641, 1280, 1281, 65535, 65536, MAX_CONTENT] {
        let content = pattern(len as u64, len);
        let meta = [1; MAX_META];
        let put =
            Change::Put { id: ObjectId(1), seal: Seal::Secret(&kek), meta: &meta, content: &content, counter: None };
        store.commit(&[put], &mut rng()).expect("fits");
        let mut out = vec![0; len + 1];
        assert_eq!(store.read(ObjectId(1), Seal::Secret(&kek), 0, &mut out), Ok(len));
        assert_eq!(out[..len], content);
        let tail = len / 2;
        assert_eq!(store.read(ObjectId(1), Seal::Secret(&kek), tail, &mut out), Ok(len - tail));
        assert_eq!(out[..len - tail], content[tail..]);
        assert_eq!(store.read(ObjectId(1), Seal::Secret(&kek), len + 1, &mut out), Err(Error::OutOfRange));
    }
    let long = vec![0; MAX_CONTENT + 1];
    let put = |meta, content| Change::Put { id: ObjectId(1), seal: Seal::Public, meta, content, counter: None };
    assert_eq!(store.commit(&[put(&[], &long)], &mut rng()), Err(Error::TooLong));
    assert_eq!(store.commit(&[put(&[0; MAX_META + 1], &[])], &mut rng()), Err(Error::TooLong));
}

#[test]
fn the_store_needs_at_most_24_kib_of_ram() {
    let size = size_of::<Store<RamFlash>>() + size_of::<ferrite_store::Index>();
    assert!(size <= 24 * 1024, "{size}");
    // The store itself is moved about: it must stay small.
    assert!(size_of::<Store<RamFlash>>() - size_of::<RamFlash>() <= 3 * 1024);
}
