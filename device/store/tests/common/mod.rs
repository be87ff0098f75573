//! Keys, a store over RAM, and the model: what a store means, in the simplest data structure there is.
#![allow(dead_code, reason = "each test uses its own part of it")]

use std::collections::BTreeMap;

use ferrite_store::testing::{RamFlash, SeededRng};
use ferrite_store::{Change, Error, Flash, Info, Kek, Kind, ObjectId, RootKey, Seal, Store};

pub(crate) const ROOT: [u8; 32] = [0x11; 32];
pub(crate) const KEK: [u8; 32] = [0x22; 32];

pub(crate) fn rng() -> SeededRng {
    SeededRng::new(1)
}

pub(crate) fn root() -> RootKey {
    RootKey::from_bytes(&ROOT)
}

pub(crate) fn kek() -> Kek {
    Kek::from_bytes(&KEK)
}

pub(crate) fn mount<F: Flash>(flash: F) -> Store<'static, F> {
    match ferrite_store::testing::mount(flash, root()) {
        Ok(store) => store,
        Err((_, error)) => panic!("the store does not mount: {error:?}"),
    }
}

pub(crate) fn blank(pages: usize) -> Store<'static, RamFlash> {
    mount(RamFlash::new(pages))
}

/// Bytes that differ from object to object.
pub(crate) fn pattern(seed: u64, len: usize) -> Vec<u8> {
    use rand_core::Rng;
    let mut out = vec![0; len];
    SeededRng::new(seed).fill_bytes(&mut out);
    out
}

pub(crate) fn seal(kind: Kind, kek: &Kek) -> Seal<'_> {
    match kind {
        Kind::Public => Seal::Public,
        Kind::Device => Seal::Device,
        Kind::Secret => Seal::Secret(kek),
    }
}

/// A change that owns its bytes.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Put { id: u16, kind: Kind, meta: Vec<u8>, content: Vec<u8>, counter: Option<u32> },
    Write { id: u16, kind: Kind, offset: usize, content: Vec<u8> },
    Delete { id: u16 },
    KeepEven,
}

fn is_even(id: ObjectId) -> bool {
    id.0.is_multiple_of(2)
}

impl Step {
    pub(crate) fn change<'a>(&'a self, kek: &'a Kek) -> Change<'a> {
        match self {
            Self::Put { id, kind, meta, content, counter } => {
                Change::Put { id: ObjectId(*id), seal: seal(*kind, kek), meta, content, counter: *counter }
            }
            Self::Write { id, kind, offset, content } => {
                Change::Write { id: ObjectId(*id), seal: seal(*kind, kek), offset: *offset, content }
            }
            Self::Delete { id } => Change::Delete { id: ObjectId(*id) },
            Self::KeepEven => Change::DeleteAllExcept { keep: is_even },
        }
    }

    fn id(&self) -> Option<u16> {
        match self {
            Self::Put { id, .. } | Self::Write { id, .. } | Self::Delete { id } => Some(*id),
            Self::KeepEven => None,
        }
    }
}

/// What is done to a store at once.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Commit(Vec<Step>),
    Count { id: u16, value: u32 },
    Remount,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) kind: Kind,
    pub(crate) meta: Vec<u8>,
    pub(crate) content: Vec<u8>,
    pub(crate) counter: Option<u32>,
}

/// What a store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Model(pub(crate) BTreeMap<u16, Object>);

impl Model {
    /// What the operation ought to do; refuses what a store ought to refuse.
    pub(crate) fn apply(&mut self, operation: &Operation) -> Result<(), Error> {
        let mut next = self.clone();
        match operation {
            Operation::Commit(steps) => next.commit(steps)?,
            Operation::Count { id, value } => {
                let counter = next.0.get_mut(id).and_then(|object| object.counter.as_mut()).ok_or(Error::NotFound)?;
                *counter = *value;
            }
            Operation::Remount => (),
        }
        *self = next;
        Ok(())
    }

    fn commit(&mut self, steps: &[Step]) -> Result<(), Error> {
        for (at, step) in steps.iter().enumerate() {
            if step.id().is_some() && steps[..at].iter().any(|other| other.id() == step.id()) {
                return Err(Error::Conflict);
            }
            if let Step::Write { id, kind, offset, .. } = step {
                let object = self.0.get(id).ok_or(Error::NotFound)?;
                if object.kind != *kind {
                    return Err(Error::Sealed);
                }
                if id % 2 == 1 && steps.iter().any(|step| matches!(step, Step::KeepEven)) {
                    return Err(Error::NotFound);
                }
                if *offset > object.content.len() {
                    return Err(Error::OutOfRange);
                }
            }
        }
        if steps.iter().any(|step| matches!(step, Step::KeepEven)) {
            self.0.retain(|id, _| id % 2 == 0);
        }
        for step in steps {
            match step {
                Step::Put { id, kind, meta, content, counter } => {
                    let object =
                        Object { kind: *kind, meta: meta.clone(), content: content.clone(), counter: *counter };
                    self.0.insert(*id, object);
                }
                Step::Write { id, offset, content, .. } => {
                    let old = &mut self.0.get_mut(id).expect("checked above").content;
                    let end = offset + content.len();
                    old.resize(old.len().max(end), 0);
                    old[*offset..end].copy_from_slice(content);
                }
                Step::Delete { id } => {
                    self.0.remove(id);
                }
                Step::KeepEven => (),
            }
        }
        Ok(())
    }

    /// What a store holds, as seen through its interface.
    pub(crate) fn of<F: Flash>(store: &mut Store<F>) -> Result<Self, Error> {
        let kek = kek();
        let mut model = Self::default();
        let mut last = None;
        while let Some(id) = store.next(last)? {
            let Info { len, kind, meta, counter } = store.info(id)?.expect("enumerated");
            let mut content = vec![0; len];
            assert_eq!(store.read(id, seal(kind, &kek), 0, &mut content)?, len);
            model.0.insert(id.0, Object { kind, meta: meta.to_vec(), content, counter });
            assert!(last < Some(id), "not in ascending order");
            last = Some(id);
        }
        Ok(model)
    }
}

pub(crate) fn run<F: Flash>(store: &mut Store<F>, operation: &Operation, rng: &mut SeededRng) -> Result<(), Error> {
    let kek = kek();
    match operation {
        Operation::Commit(steps) => {
            let changes: Vec<_> = steps.iter().map(|step| step.change(&kek)).collect();
            store.commit(&changes, rng)
        }
        Operation::Count { id, value } => store.count(ObjectId(*id), *value),
        Operation::Remount => Ok(()),
    }
}
