//! The store does what the model does, whatever the operations, with and without power cuts.

mod common;

use common::{Model, Operation, Step, blank, mount, pattern, rng, run};
use ferrite_store::Kind;
use ferrite_store::testing::RamFlash;
use proptest::prelude::*;

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Public), Just(Kind::Device), Just(Kind::Secret)]
}

/// Lengths around the sizes at which the format changes its mind.
fn len() -> impl Strategy<Value = usize> {
    prop_oneof![0..100usize, 630..650usize, 1270..1290usize, 0..4000usize]
}

/// Ids 0 to 7 are of kind `id % 3` in nearly all cases, so that most writes find their object.
fn step() -> impl Strategy<Value = Step> {
    let id = 0..8u16;
    prop_oneof![
        5 => (id.clone(), kind(), any::<bool>(), len(), 0..=192usize, any::<Option<u32>>(), any::<u64>()).prop_map(
            |(id, kind, usual, len, meta, counter, seed)| Step::Put {
                id,
                kind: if usual { usual_kind(id) } else { kind },
                meta: pattern(seed, meta),
                content: pattern(seed ^ 1, len),
                counter,
            }
        ),
        5 => (id.clone(), len(), len(), any::<u64>()).prop_map(|(id, offset, len, seed)| Step::Write {
            id,
            kind: usual_kind(id),
            offset: offset / 2,
            content: pattern(seed, len / 2),
        }),
        2 => id.prop_map(|id| Step::Delete { id }),
        1 => Just(Step::KeepEven),
    ]
}

fn usual_kind(id: u16) -> Kind {
    [Kind::Public, Kind::Device, Kind::Secret][usize::from(id % 3)]
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        6 => proptest::collection::vec(step(), 1..4).prop_map(Operation::Commit),
        3 => (0..8u16, any::<u32>()).prop_map(|(id, value)| Operation::Count { id, value }),
        1 => Just(Operation::Remount),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_does_what_the_model_does(operations in proptest::collection::vec(operation(), 1..40)) {
        let mut model = Model::default();
        let mut store = blank(24);
        let mut rng = rng();
        for operation in &operations {
            if matches!(operation, Operation::Remount) {
                store = mount(store.into_flash());
            }
            prop_assert_eq!(run(&mut store, operation, &mut rng), model.apply(operation));
            prop_assert_eq!(&Model::of(&mut store).expect("readable"), &model);
        }
    }

    #[test]
    fn a_cut_in_any_operation_leaves_the_state_before_or_after(
        operations in proptest::collection::vec((operation(), 0..20u64, any::<u64>()), 1..30),
    ) {
        let mut model = Model::default();
        let mut flash = RamFlash::new(24);
        let mut rng = rng();
        for (operation, cut, seed) in &operations {
            let mut store = mount(flash);
            let mut after = model.clone();
            let expected = after.apply(operation);
            let mut cutting = store.into_flash();
            cutting.cut_after(*cut, *seed);
            flash = match ferrite_store::testing::mount(cutting, common::root()) {
                Ok(mut cut) => {
                    let result = run(&mut cut, operation, &mut rng);
                    let off = cut.flash().is_off();
                    prop_assert!(off || result == expected);
                    cut.into_flash()
                }
                Err((flash, _)) => flash,
            };
            flash.revive();
            store = mount(flash);
            let found = Model::of(&mut store).expect("readable");
            prop_assert!(found == model || found == after);
            model = found;
            flash = store.into_flash();
        }
    }
}
