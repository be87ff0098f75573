//! The edge of the card: errors of the rooms below become status words here and nowhere else.

use crate::platform::EntropyError;
use ferrite_proto::status::Status;

/// The status word a host sees for a storage error.
pub(crate) fn storage(error: ferrite_store::Error) -> Status {
    use ferrite_store::Error;
    match error {
        Error::NotFound => Status::NOT_FOUND,
        Error::Full | Error::TooLong => Status::FULL,
        Error::OutOfRange => Status::DATA_INVALID,
        Error::Sealed => Status::EXECUTION,
        Error::Corrupt | Error::Flash | Error::Version => Status::MEMORY_FAILURE,
        Error::Conflict => Status::INTERNAL,
    }
}

/// The status word a host sees for an error of the mathematics.
pub(crate) fn crypto(error: ferrite_crypto::Error) -> Status {
    match error {
        ferrite_crypto::Error::BadLength => Status::WRONG_LENGTH,
        _ => Status::EXECUTION,
    }
}

/// The status word for a peer's public key: 6984 if it does not have the form of one, 6400 if it is not valid.
pub(crate) fn agreement(error: ferrite_crypto::Error) -> Status {
    match error {
        ferrite_crypto::Error::BadLength => Status::DATA_INVALID,
        _ => Status::EXECUTION,
    }
}

/// The status word a host sees when there is no trustworthy randomness.
pub(crate) fn entropy(_: EntropyError) -> Status {
    Status::EXECUTION
}
