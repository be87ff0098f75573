//! Hierarchical deterministic keys: master seeds and the paths from them (INS 4A, specification part 2 §6).

use super::{Command, Secret};
use crate::apdu::Apdu;
use crate::status::Status;
use crate::tlv::{Reader, Tag, Writer};

/// Number of master seeds there may be.
pub const SEEDS: u8 = 10;

const NUMBER: u16 = 0x02;
const LABEL: u16 = 0x04;
const P1_PUBLIC_NODE: u8 = 0x0A;
const P1_SELECT: u8 = 0x10;

/// What a master seed is for. The number is P1 of the command that makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum SeedKind {
    /// Keys on secp256k1 (BIP32).
    Secp256k1 = 1,
    /// Keys on NIST P-256 (SLIP-10).
    P256 = 2,
    /// Symmetric keys (SLIP-21).
    Symmetric = 3,
}

impl SeedKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Secp256k1, Self::P256, Self::Symmetric];
}

/// A step of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathStep<'a> {
    /// A child by number; hardened from 2^31 on.
    Number(u32),
    /// A child by label, of a symmetric node.
    Label(&'a [u8]),
}

impl PathStep<'_> {
    /// Writes the step as its data object.
    pub fn write_to(&self, w: &mut Writer<'_>) {
        match self {
            Self::Number(number) => w.put(NUMBER, &number.to_be_bytes()),
            Self::Label(label) => w.put(LABEL, label),
        };
    }
}

/// A path from a master seed: at most 255 steps, each of which can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path<'a> {
    seed: u8,
    steps: &'a [u8],
}

impl<'a> Path<'a> {
    /// A path from a seed, with its steps as data objects.
    ///
    /// # Errors
    /// 6A80 for a seed that there cannot be, and for anything but up to 255 numbers of four bytes and labels.
    pub fn new(seed: u8, steps: &'a [u8]) -> Result<Self, Status> {
        let mut count: u8 = 0;
        for step in Reader::new(steps) {
            step.ok().and_then(|(tag, value)| read(tag, value)).ok_or(Status::WRONG_DATA)?;
            count = count.checked_add(1).ok_or(Status::WRONG_DATA)?;
        }
        if seed < SEEDS { Ok(Self { seed, steps }) } else { Err(Status::WRONG_DATA) }
    }

    fn parse(data: &'a [u8]) -> Result<Self, Status> {
        match data {
            [0x02, 0x01, seed, steps @ ..] => Self::new(*seed, steps),
            _ => Err(Status::WRONG_DATA),
        }
    }

    /// The master seed from which the path starts, 0 to 9.
    pub fn seed(&self) -> u8 {
        self.seed
    }

    /// The steps, from the master on.
    pub fn steps(&self) -> impl Iterator<Item = PathStep<'a>> + use<'a> {
        // All can be read: they were when the path was made.
        Reader::new(self.steps).map_while(|step| step.ok().and_then(|(tag, value)| read(tag, value)))
    }

    fn write_to(self, w: &mut Writer<'_>) {
        w.put(NUMBER, &[self.seed]).raw(self.steps);
    }
}

fn read(Tag(tag): Tag, value: &[u8]) -> Option<PathStep<'_>> {
    match (tag, value) {
        (NUMBER, value) => value.try_into().ok().map(|number| PathStep::Number(u32::from_be_bytes(number))),
        (LABEL, label) => Some(PathStep::Label(label)),
        _ => None,
    }
}

/// P1 says what to do.
pub(super) fn decode<'a>(apdu: &Apdu<'a>) -> Result<Command<'a>, Status> {
    if let Some(kind) = SeedKind::ALL.into_iter().find(|kind| *kind as u8 == apdu.p1) {
        let secret = (!apdu.data.is_empty()).then_some(Secret(apdu.data));
        return if apdu.p2 < SEEDS {
            Ok(Command::CreateSeed { kind, seed: apdu.p2, secret })
        } else {
            Err(Status::WRONG_P1P2)
        };
    }
    match (apdu.p1, apdu.data) {
        (P1_PUBLIC_NODE, []) => Err(Status::WRONG_LENGTH),
        (P1_PUBLIC_NODE, path) => Ok(Command::PublicNode { path: Path::parse(path)? }),
        (P1_SELECT, path) => Ok(Command::SelectNode { path: Path::parse(path)? }),
        _ => Err(Status::WRONG_P1P2),
    }
}

/// Writes the data of [`Command::PublicNode`] and returns P1 and P2.
pub(super) fn write_public_node(path: Path<'_>, w: &mut Writer<'_>) -> [u8; 2] {
    path.write_to(w);
    [P1_PUBLIC_NODE, 0]
}

/// Writes the data of [`Command::SelectNode`] and returns P1 and P2.
pub(super) fn write_select_node(path: Path<'_>, w: &mut Writer<'_>) -> [u8; 2] {
    path.write_to(w);
    [P1_SELECT, 0]
}
