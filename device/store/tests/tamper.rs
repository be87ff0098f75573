//! Whatever is on flash: no panic, no endless loop, and no content that was not stored under that name.

mod common;

use common::{Model, Operation, Step, blank, kek, mount, pattern, rng, root, run, seal};
use ferrite_store::testing::{RamFlash, SeededRng};
use ferrite_store::{Change, Error, Kek, Kind, ObjectId, RootKey, Seal, Store};
use rand_core::Rng;

fn put(id: u16, kind: Kind, content: Vec<u8>) -> Operation {
    Operation::Commit(vec![Step::Put { id, kind, meta: vec![7; 20], content, counter: Some(5) }])
}

/// Addresses and lengths of the bodies of all records of the first page.
fn bodies(flash: &RamFlash) -> Vec<(usize, usize)> {
    let mut bodies = Vec::new();
    let mut at = 20;
    while flash.bytes()[at] == 0x5f {
        let len = usize::from(u16::from_le_bytes([flash.bytes()[at + 2], flash.bytes()[at + 3]]));
        bodies.push((at + 16, len));
        at += 16 + len.next_multiple_of(4);
    }
    bodies
}

fn read(flash: RamFlash, id: u16, kind: Kind) -> Result<Vec<u8>, Error> {
    let mut store = mount(flash);
    let len = store.info(ObjectId(id))?.ok_or(Error::NotFound)?.len;
    let mut out = vec![0; len];
    store.read(ObjectId(id), seal(kind, &kek()), 0, &mut out)?;
    Ok(out)
}

#[test]
fn records_cannot_change_places() {
    for kind in [Kind::Public, Kind::Device, Kind::Secret] {
        let mut store = blank(16);
        for id in [1, 2] {
            run(&mut store, &put(id, kind, pattern(u64::from(id), 300)), &mut rng()).expect("commit");
        }
        let mut flash = store.into_flash();
        assert_eq!(read(flash.clone(), 1, kind), Ok(pattern(1, 300)));
        let [(first, len), (second, _)] = bodies(&flash)[..] else { panic!("two records") };
        let stolen = flash.bytes()[second..second + len].to_vec();
        flash.bytes_mut()[first..first + len].copy_from_slice(&stolen);
        assert_eq!(read(flash.clone(), 1, kind), Err(Error::Corrupt));
        assert_eq!(read(flash, 2, kind), Ok(pattern(2, 300)));
    }
}

#[test]
fn an_older_chunk_cannot_take_the_place_of_a_newer_one() {
    let kind = Kind::Secret;
    let mut store = blank(16);
    run(&mut store, &put(1, kind, pattern(1, 900)), &mut rng()).expect("commit");
    let older = store.flash().clone();
    let step = Step::Write { id: 1, kind, offset: 700, content: pattern(2, 200) };
    run(&mut store, &Operation::Commit(vec![step]), &mut SeededRng::new(2)).expect("commit");
    let mut flash = store.into_flash();
    read(flash.clone(), 1, kind).expect("not damaged yet");
    let (old, len) = bodies(&older)[0];
    // Chunk, head, commit, and then the newer chunk.
    let (new, new_len) = bodies(&flash)[3];
    assert_eq!(len, new_len);
    flash.bytes_mut()[new..new + len].copy_from_slice(&older.bytes()[old..old + len]);
    assert_eq!(read(flash, 1, kind), Err(Error::Corrupt));
}

#[test]
fn nothing_opens_with_another_key_or_as_another_kind() {
    let mut store = blank(16);
    for (id, kind) in [(1, Kind::Public), (2, Kind::Device), (3, Kind::Secret)] {
        run(&mut store, &put(id, kind, pattern(1, 100)), &mut rng()).expect("commit");
    }
    let wrong = Kek::from_bytes(&[0x33; 32]);
    let mut out = [0xaa; 100];
    assert_eq!(store.read(ObjectId(3), Seal::Secret(&wrong), 0, &mut out), Err(Error::Corrupt));
    assert_eq!(out, [0; 100], "nothing released");
    assert_eq!(store.read(ObjectId(3), Seal::Public, 0, &mut out), Err(Error::Sealed));
    assert_eq!(store.read(ObjectId(2), Seal::Public, 0, &mut out), Err(Error::Sealed));
    assert_eq!(store.read(ObjectId(1), Seal::Device, 0, &mut out), Err(Error::Sealed));
    let write = Change::Write { id: ObjectId(3), seal: Seal::Secret(&wrong), offset: 3, content: b"x" };
    assert_eq!(store.commit(&[write], &mut rng()), Err(Error::Corrupt));
    assert_eq!(read(store.into_flash(), 3, Kind::Secret), Ok(pattern(1, 100)));
}

#[test]
fn another_root_key_sees_no_object() {
    let mut store = blank(16);
    run(&mut store, &put(1, Kind::Public, pattern(1, 100)), &mut rng()).expect("commit");
    if let Ok(mut store) = ferrite_store::testing::mount(store.into_flash(), RootKey::from_bytes(&[9; 32])) {
        assert_eq!(store.info(ObjectId(1)), Ok(None));
    }
}

/// An image with objects of all kinds, chunks, counters, garbage and a deletion.
fn image() -> (RamFlash, Model) {
    let mut store = blank(8);
    let mut model = Model::default();
    let mut operations = vec![
        put(1, Kind::Public, pattern(1, 100)),
        put(2, Kind::Device, pattern(2, 2000)),
        put(3, Kind::Secret, pattern(3, 1500)),
        Operation::Count { id: 2, value: 4 },
        put(1, Kind::Public, pattern(4, 700)),
        put(5, Kind::Secret, pattern(5, 300)),
        Operation::Commit(vec![Step::Delete { id: 5 }]),
        Operation::Commit(vec![Step::Write { id: 3, kind: Kind::Secret, offset: 1400, content: pattern(6, 600) }]),
    ];
    operations.push(put(7, Kind::Secret, pattern(7, 50)));
    for operation in &operations {
        run(&mut store, operation, &mut rng()).expect("valid");
        model.apply(operation).expect("valid");
    }
    (store.into_flash(), model)
}

/// Reads all there is; what can be read is something that was once stored under that name.
fn inspect(store: &mut Store<RamFlash>, model: &Model) {
    let mut last = None;
    let mut seen = 0;
    while let Ok(Some(id)) = store.next(last) {
        last = Some(id);
        seen += 1;
        assert!(seen <= 65536);
        let Ok(Some(info)) = store.info(id) else { continue };
        let mut out = vec![0; info.len];
        if store.read(id, seal(info.kind, &kek()), 0, &mut out).is_ok() {
            let known = model.0.get(&id.0).is_some_and(|object| object.content == out);
            // The first object 1, the first object 3 and object 5 were true once.
            let older = out == pattern(1, 100) || out == pattern(3, 1500) || out == pattern(5, 300);
            assert!(known || older, "object {id:?} reads as something that it never was");
        }
    }
}

#[test]
fn a_damaged_byte_harms_one_object_at_most_and_the_others_stay() {
    let (flash, model) = image();
    let used = flash.bytes().iter().rposition(|&byte| byte != 0xff).expect("written") + 1;
    for at in (20..used).filter(|at| !(4096..4116).contains(at)) {
        let mut damaged = flash.clone();
        damaged.bytes_mut()[at] ^= 0x10 << (at % 4);
        let mut store = mount(damaged);
        inspect(&mut store, &model);
        let intact = model.0.iter().filter(|(id, object)| {
            let mut out = vec![0; object.content.len()];
            store.read(ObjectId(**id), seal(object.kind, &kek()), 0, &mut out).is_ok() && out == object.content
        });
        assert!(intact.count() + 1 >= model.0.len(), "byte {at}");
    }
}

#[test]
fn random_damage_neither_panics_nor_hangs() {
    let (flash, model) = image();
    for seed in 0..3000 {
        let mut rng = SeededRng::new(seed);
        let mut damaged = flash.clone();
        for _ in 0..1 + rng.next_u32() % 40 {
            let at = rng.next_u32() as usize % damaged.bytes().len() % 9000;
            damaged.bytes_mut()[at] = rng.next_u32() as u8;
        }
        if let Ok(mut store) = ferrite_store::testing::mount(damaged, root()) {
            inspect(&mut store, &model);
            for operation in [put(1, Kind::Secret, pattern(1, 5000)), put(2, Kind::Public, pattern(1, 100))] {
                let _ = run(&mut store, &operation, &mut rng);
            }
            let _ = store.count(ObjectId(2), 1);
        }
    }
}

#[test]
fn random_images_neither_panic_nor_hang() {
    let (valid, model) = image();
    for seed in 0..300 {
        let mut flash = RamFlash::from_bytes(pattern(seed, 8 * 4096));
        if seed % 2 == 1 {
            // With valid pages in front of and behind noise.
            let page = seed as usize % 8 * 4096;
            flash.bytes_mut()[..4096].copy_from_slice(&valid.bytes()[..4096]);
            flash.bytes_mut()[page..page + 4096].copy_from_slice(&valid.bytes()[4096..8192]);
        }
        if let Ok(mut store) = ferrite_store::testing::mount(flash, root()) {
            inspect(&mut store, &model);
            let _ = run(&mut store, &put(1, Kind::Secret, pattern(1, 5000)), &mut rng());
        }
    }
}

#[test]
fn a_damaged_page_header_costs_nothing_between_tail_and_head() {
    let mut store = blank(16);
    for id in 0..24 {
        run(&mut store, &put(id, Kind::Secret, pattern(u64::from(id), 1000)), &mut rng()).expect("commit");
    }
    let flash = store.into_flash();
    let used = flash.bytes().chunks(4096).take_while(|page| page[..3] == *b"FRT").count();
    assert!(used > 5, "{used}");
    for page in 1..used - 1 {
        for offset in [0, 3, 8, 16] {
            let mut damaged = flash.clone();
            damaged.bytes_mut()[page * 4096 + offset] &= 0x50;
            for id in 0..24 {
                // Twice, because a mount mends.
                assert_eq!(
                    read(damaged.clone(), id, Kind::Secret),
                    Ok(pattern(u64::from(id), 1000)),
                    "{page} {offset}"
                );
            }
            let mended = mount(damaged).into_flash();
            assert_eq!(read(mended, 23, Kind::Secret), Ok(pattern(23, 1000)));
        }
    }
}
