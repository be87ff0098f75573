//! The vocabulary of the store: what an object is, and what may be done to it.

use crate::flash::FlashError;
use crate::record::CHUNK;
use crate::seal::Kek;

/// Longest public metadata of an object, in bytes.
pub const MAX_META: usize = 192;
/// Longest content of an object, in bytes.
pub const MAX_CONTENT: usize = 128 * CHUNK;
/// Most records a store holds: one for each object, one for each 640 bytes of content after the first 640, one for
/// each counter that has moved.
pub const MAX_RECORDS: usize = 3072;

/// Names an object. The store gives no meaning to the number, except that [`Store::next`](crate::Store::next) goes in
/// ascending order.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub u16);

/// Under which key an object's content is sealed.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Under a key derived from the root key: readable without a PIN.
    Public,
    /// Under a key derived from the root key, with erasure keys of full length: PIN records, the device key.
    Device,
    /// Under a key derived from a [`Kek`], with erasure keys of full length.
    Secret,
}

/// A [`Kind`] together with the key it needs.
#[derive(Copy, Clone)]
pub enum Seal<'k> {
    /// See [`Kind::Public`].
    Public,
    /// See [`Kind::Device`].
    Device,
    /// See [`Kind::Secret`]; the session's unlocked key-encryption key.
    Secret(&'k Kek),
}

impl Seal<'_> {
    /// The kind of object that this seals and opens.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Public => Kind::Public,
            Self::Device => Kind::Device,
            Self::Secret(_) => Kind::Secret,
        }
    }
}

/// What is known of an object without opening it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// Length of the content, in bytes.
    pub len: usize,
    /// How the content is sealed.
    pub kind: Kind,
    /// Public, authenticated bytes that belong to the object.
    pub meta: heapless::Vec<u8, MAX_META>,
    /// The object's counter, if it was created with one.
    pub counter: Option<u32>,
}

/// One step of a transaction. At most one step of a transaction may name a given object.
#[derive(Copy, Clone)]
pub enum Change<'a> {
    /// Creates an object or replaces it whole.
    Put {
        /// Which object.
        id: ObjectId,
        /// How to seal it.
        seal: Seal<'a>,
        /// Public metadata, at most [`MAX_META`] bytes.
        meta: &'a [u8],
        /// At most [`MAX_CONTENT`] bytes.
        content: &'a [u8],
        /// Gives the object a counter with this initial value.
        counter: Option<u32>,
    },
    /// Overwrites and extends the content of an existing object; metadata and counter stay.
    Write {
        /// Which object.
        id: ObjectId,
        /// The kind must be the object's own.
        seal: Seal<'a>,
        /// Where to start, at most the object's length.
        offset: usize,
        /// The bytes.
        content: &'a [u8],
    },
    /// Deletes an object; it need not exist.
    Delete {
        /// Which object.
        id: ObjectId,
    },
    /// Deletes all objects that exist before the transaction, except those that `keep` accepts. Takes effect before
    /// the other steps, wherever it stands among them.
    DeleteAllExcept {
        /// True for objects that stay.
        keep: fn(ObjectId) -> bool,
    },
}

/// Why the store refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// No such object, or no counter in it.
    NotFound,
    /// The object is not as it was written, or is sealed under a different key of the same kind.
    Corrupt,
    /// No room on flash, or more than [`MAX_RECORDS`] records.
    Full,
    /// The offset is beyond the end of the object.
    OutOfRange,
    /// The object is of another [`Kind`] than the seal.
    Sealed,
    /// Content or metadata longer than an object can hold.
    TooLong,
    /// Two steps of one transaction name the same object.
    Conflict,
    /// The region was formatted by another version of the store, or for another region size.
    Version,
    /// The flash memory failed. After a failed commit the store accepts no further changes until mounted again.
    Flash,
}

impl From<FlashError> for Error {
    fn from(_: FlashError) -> Self {
        Self::Flash
    }
}

/// How full the store is, in bytes on flash (content, metadata and overhead).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// What can be stored in all.
    pub total: usize,
    /// What is left. An estimate: up to one record in each page cannot be used.
    pub free: usize,
    /// Live records, at most [`MAX_RECORDS`].
    pub records: usize,
}
