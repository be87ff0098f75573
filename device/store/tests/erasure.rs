//! What is erased is gone, even for somebody who has the flash, the root key and the key-encryption key: the erasure
//! keys, without which no record can be decrypted, are nowhere on flash any more.

mod common;

use common::{Operation, Step, blank, kek, mount, pattern, rng, run};
use core::convert::Infallible;
use ferrite_store::testing::{RamFlash, SeededRng};
use ferrite_store::{Change, Kind, ObjectId, Seal};
use rand_core::{Rng, TryCryptoRng, TryRng};

/// Remembers all erasure keys that the store has drawn.
struct Recorder {
    rng: SeededRng,
    keys: Vec<[u8; 32]>,
}

impl TryRng for Recorder {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.rng.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.rng.try_next_u64()
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        self.rng.fill_bytes(dst);
        self.keys.extend(<[u8; 32]>::try_from(&*dst).ok());
        Ok(())
    }
}

impl TryCryptoRng for Recorder {}

fn recorder(seed: u64) -> Recorder {
    Recorder { rng: SeededRng::new(seed), keys: Vec::new() }
}

/// How many of the keys are on flash, if only by a quarter.
fn present(flash: &RamFlash, keys: &[[u8; 32]]) -> usize {
    let windows: std::collections::HashSet<&[u8]> = flash.bytes().windows(8).collect();
    keys.iter().filter(|key| key.chunks(8).any(|part| windows.contains(part))).count()
}

/// A store in which object 1, of five records, is the last thing written.
fn with_secret() -> (RamFlash, Vec<[u8; 32]>) {
    let mut store = blank(16);
    let mut rng = recorder(5);
    let kek = kek();
    for (id, len) in [(2, 500), (1, 3000)] {
        rng.keys.clear();
        let content = pattern(1, len);
        let put =
            Change::Put { id: ObjectId(id), seal: Seal::Secret(&kek), meta: b"m", content: &content, counter: None };
        store.commit(&[put], &mut rng).expect("commit");
    }
    let flash = store.into_flash();
    assert_eq!((rng.keys.len(), present(&flash, &rng.keys)), (5, 5), "the keys are looked for in the right place");
    (flash, rng.keys)
}

fn ways_to_go() -> Vec<Step> {
    let (meta, content) = (Vec::new(), pattern(2, 100));
    vec![
        Step::Delete { id: 1 },
        Step::KeepEven,
        Step::Put { id: 1, kind: Kind::Secret, meta: meta.clone(), content: content.clone(), counter: None },
        Step::Put { id: 1, kind: Kind::Public, meta, content, counter: Some(1) },
        Step::Write { id: 1, kind: Kind::Secret, offset: 0, content: pattern(3, 3000) },
    ]
}

#[test]
fn a_secret_that_is_deleted_replaced_or_overwritten_is_gone() {
    let (flash, keys) = with_secret();
    for step in ways_to_go() {
        let mut store = mount(flash.clone());
        run(&mut store, &Operation::Commit(vec![step.clone()]), &mut rng()).expect("commit");
        assert_eq!(present(store.flash(), &keys), 0, "{step:?}");
    }
}

#[test]
fn after_a_power_cut_the_next_mount_completes_the_erasure() {
    let (flash, keys) = with_secret();
    for step in ways_to_go() {
        let mut gone = 0;
        for at in 0.. {
            let mut store = mount(flash.clone());
            let mut cutting = store.into_flash();
            cutting.cut_after(at, at);
            store =
                ferrite_store::testing::mount(cutting, common::root()).unwrap_or_else(|(_, error)| panic!("{error:?}"));
            let done = run(&mut store, &Operation::Commit(vec![step.clone()]), &mut rng()).is_ok();
            let mut flash = store.into_flash();
            flash.revive();
            let store = mount(flash);
            match present(store.flash(), &keys) {
                0 => gone += 1,
                found => assert_eq!(found, 5, "{step:?} cut at {at}: half a secret"),
            }
            if done {
                break;
            }
        }
        assert!(gone >= 5, "{step:?}: the cuts have not met the erasures");
    }
}

#[test]
fn a_secret_that_was_never_committed_is_gone() {
    let (flash, _) = with_secret();
    let kek = kek();
    let content = pattern(9, 3000);
    for at in 0..9 {
        let mut store = mount(flash.clone());
        let mut rng = recorder(6);
        let mut cutting = store.into_flash();
        cutting.cut_after(at, at);
        store = ferrite_store::testing::mount(cutting, common::root()).unwrap_or_else(|(_, error)| panic!("{error:?}"));
        let put =
            Change::Put { id: ObjectId(3), seal: Seal::Secret(&kek), meta: &[], content: &content, counter: None };
        store.commit(&[put], &mut rng).expect_err("cut");
        let mut flash = store.into_flash();
        flash.revive();
        let store = mount(flash);
        assert!(!rng.keys.is_empty());
        assert_eq!(present(store.flash(), &rng.keys), 0, "cut at {at}");
    }
}

#[test]
fn collecting_garbage_leaves_no_copy_of_a_secret_behind() {
    let (flash, keys) = with_secret();
    let mut store = mount(flash);
    for round in 0..40 {
        let content = pattern(round, 3500);
        let put = Change::Put { id: ObjectId(9), seal: Seal::Public, meta: &[], content: &content, counter: None };
        store.commit(&[put], &mut rng()).expect("commit");
    }
    assert!(store.flash().erases().iter().all(|&erases| erases > 0), "the secret has moved");
    assert_eq!(present(store.flash(), &keys), 5);
    store.commit(&[Change::Delete { id: ObjectId(1) }], &mut rng()).expect("commit");
    assert_eq!(present(store.flash(), &keys), 0);
}
