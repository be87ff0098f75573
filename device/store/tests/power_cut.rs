//! After a power cut at any flash operation there is the state before or the state after, never a mixture.

mod common;

use rand_core::Rng;

use common::{Model, Operation, Step, blank, mount, pattern, rng, run};
use ferrite_store::Kind;
use ferrite_store::testing::{RamFlash, SeededRng};

fn put(id: u16, kind: Kind, len: usize, counter: Option<u32>) -> Step {
    Step::Put {
        id,
        kind,
        meta: pattern(u64::from(id), usize::from(id) % 60),
        content: pattern(len as u64, len),
        counter,
    }
}

/// A bit of everything, in a region so small that garbage is collected all the time.
fn scenario() -> Vec<Operation> {
    let mut operations = vec![
        Operation::Commit(vec![put(1, Kind::Secret, 1200, None), put(2, Kind::Public, 1300, None)]),
        Operation::Commit(vec![put(3, Kind::Device, 80, Some(3))]),
        Operation::Count { id: 3, value: 2 },
        Operation::Count { id: 3, value: 3 },
        Operation::Commit(vec![put(4, Kind::Public, 0, Some(7)), put(5, Kind::Secret, 5000, Some(1))]),
        Operation::Commit(vec![Step::Write { id: 5, kind: Kind::Secret, offset: 600, content: pattern(9, 700) }]),
        Operation::Commit(vec![Step::Write { id: 2, kind: Kind::Public, offset: 1300, content: pattern(8, 230) }]),
        Operation::Commit(vec![
            put(1, Kind::Secret, 40, None),
            Step::Delete { id: 2 },
            put(6, Kind::Secret, 700, None),
        ]),
        Operation::Commit(vec![put(3, Kind::Device, 80, Some(3))]),
        Operation::Count { id: 5, value: 99 },
    ];
    for round in 0..12 {
        operations
            .push(Operation::Commit(vec![put(7, Kind::Secret, 2000 + round, None), put(8, Kind::Public, 900, None)]));
        operations.push(Operation::Count { id: 5, value: round as u32 });
    }
    operations.push(Operation::Commit(vec![Step::KeepEven, put(1, Kind::Device, 32, None)]));
    operations
}

/// Runs the scenario on a flash that may lose power: what was held before the operation that failed, and after it.
fn run_until_cut(flash: RamFlash, scenario: &[Operation]) -> (RamFlash, Model, Model) {
    let mut model = Model::default();
    let mut rng = rng();
    let mut store = match ferrite_store::testing::mount(flash, common::root()) {
        Ok(store) => store,
        Err((flash, _)) => return (flash, model.clone(), model),
    };
    for operation in scenario {
        let before = model.clone();
        model.apply(operation).expect("the scenario is valid");
        if run(&mut store, operation, &mut rng).is_err() {
            return (store.into_flash(), before, model);
        }
    }
    (store.into_flash(), model.clone(), model)
}

#[test]
fn the_scenario_erases_pages_and_ends_in_the_state_of_the_model() {
    let (flash, _, model) = run_until_cut(RamFlash::new(10), &scenario());
    assert!(flash.erases().iter().sum::<u32>() > 5, "{:?}", flash.erases());
    assert_eq!(Model::of(&mut mount(flash)), Ok(model));
}

#[test]
fn a_cut_at_any_operation_leaves_the_state_before_or_after() {
    let scenario = scenario();
    let (flash, ..) = run_until_cut(RamFlash::new(10), &scenario);
    for at in 0..flash.operations() {
        for seed in 0..4 {
            let mut flash = RamFlash::new(10);
            flash.cut_after(at, at * 31 + seed);
            let (mut flash, before, after) = run_until_cut(flash, &scenario);
            assert!(flash.is_off());
            flash.revive();
            let mut store = mount(flash);
            let found = Model::of(&mut store).expect("readable");
            assert!(found == before || found == after, "a mixture after a cut at {at}, seed {seed}");
            run(&mut store, &Operation::Commit(vec![put(100, Kind::Secret, 1000, None)]), &mut rng()).expect("usable");
        }
    }
}

#[test]
fn cuts_during_the_mount_after_a_cut_change_nothing() {
    let scenario = scenario();
    let (flash, ..) = run_until_cut(RamFlash::new(10), &scenario);
    for at in (0..flash.operations()).step_by(3) {
        let mut flash = RamFlash::new(10);
        flash.cut_after(at, at);
        let (mut flash, before, after) = run_until_cut(flash, &scenario);
        flash.revive();
        let settled = Model::of(&mut mount(flash.clone())).expect("readable");
        assert!(settled == before || settled == after);
        for step in 0.. {
            let mut flash = flash.clone();
            flash.cut_after(step, at + step);
            let Err((mut flash, _)) = ferrite_store::testing::mount(flash, common::root()) else { break };
            flash.revive();
            assert_eq!(Model::of(&mut mount(flash)).as_ref(), Ok(&settled), "cut at {at}, then at {step} of the mount");
        }
    }
}

#[test]
fn cuts_one_after_the_other_never_stop_the_store() {
    let mut flash = blank(10).into_flash();
    let mut model = Model::default();
    let mut cuts = SeededRng::new(7);
    for round in 0..2000u64 {
        let len = (round % 3000) as usize;
        let operation = Operation::Commit(vec![put((round % 5) as u16, Kind::Secret, len, None)]);
        let mut after = model.clone();
        after.apply(&operation).expect("valid");
        flash.cut_after(cuts.next_u64() % 12, round);
        flash = match ferrite_store::testing::mount(flash, common::root()) {
            Ok(mut store) => {
                let _ = run(&mut store, &operation, &mut SeededRng::new(round));
                store.into_flash()
            }
            Err((flash, _)) => flash,
        };
        flash.revive();
        let found = Model::of(&mut mount(flash.clone())).expect("readable");
        assert!(found == model || found == after, "round {round}");
        model = found;
    }
}

#[test]
fn what_is_left_of_a_torn_erasure_does_not_come_back() {
    let mut flash = RamFlash::new(8);
    let mut rng = rng();
    let mut torn = 0;
    for round in 0..600u16 {
        // Nothing newer speaks of the same object.
        let id = round / 2;
        let step = if round % 2 == 0 { put(id, Kind::Public, 30, None) } else { Step::Delete { id } };
        let operation = Operation::Commit(vec![step]);
        let before = flash.clone();
        let mut store = mount(flash);
        let held = Model::of(&mut store).expect("readable");
        run(&mut store, &operation, &mut rng).expect("room");
        flash = store.into_flash();
        if flash.erases() == before.erases() {
            continue;
        }
        let mut after = held.clone();
        after.apply(&operation).expect("valid");
        for at in 0..flash.operations() - before.operations() {
            for seed in 0..60 {
                let mut cutting = before.clone();
                cutting.cut_after(at, seed);
                let mut store = mount(cutting);
                run(&mut store, &operation, &mut rng).expect_err("cut");
                let mut cut = store.into_flash();
                torn += u32::from(cut.erases() != before.erases());
                cut.revive();
                let found = Model::of(&mut mount(cut)).expect("readable");
                assert!(found == held || found == after, "round {round}, cut at {at}, seed {seed}");
            }
        }
    }
    assert!(torn >= 200, "only {torn} erasures torn");
}

#[test]
fn a_mount_with_nothing_to_complete_leaves_the_flash_alone() {
    let scenario = scenario();
    let (flash, ..) = run_until_cut(RamFlash::new(10), &scenario);
    for at in (0..flash.operations()).step_by(5) {
        let mut flash = RamFlash::new(10);
        flash.cut_after(at, at);
        let (mut flash, ..) = run_until_cut(flash, &scenario);
        flash.revive();
        let flash = mount(flash).into_flash();
        let operations = flash.operations();
        assert_eq!(mount(flash).into_flash().operations(), operations, "cut at {at}");
    }
}

#[test]
fn a_store_that_never_had_time_for_ten_operations_works_when_it_has() {
    for run_number in 0..6 {
        let mut cuts = SeededRng::new(run_number);
        let mut flash = RamFlash::new(8);
        let mut model = Model::default();
        for round in 0..3000 {
            let id = (cuts.next_u32() % 9) as u16;
            let operation = if cuts.next_u32().is_multiple_of(4) {
                Operation::Count { id, value: round }
            } else {
                Operation::Commit(vec![put(id, Kind::Secret, cuts.next_u32() as usize % 3600, Some(1))])
            };
            let mut after = model.clone();
            let _ = after.apply(&operation);
            flash.cut_after(cuts.next_u64() % 9, u64::from(round));
            flash = match ferrite_store::testing::mount(flash, common::root()) {
                Ok(mut store) => {
                    let _ = run(&mut store, &operation, &mut cuts);
                    store.into_flash()
                }
                Err((flash, _)) => flash,
            };
            flash.revive();
            let found = Model::of(&mut mount(flash.clone())).expect("readable");
            assert!(found == model || found == after, "run {run_number}, round {round}");
            model = found;
        }
        let mut store = mount(flash);
        let mut changes: Vec<Step> = model.0.keys().map(|&id| Step::Delete { id }).collect();
        changes.push(put(100, Kind::Public, 5000, None));
        run(&mut store, &Operation::Commit(changes), &mut cuts).expect("works");
    }
}
