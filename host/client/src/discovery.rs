//! Finding the device that is meant.

use crate::error::{Error, ErrorKind, Result};
use crate::hsm::{Hsm, Token};
use crate::transport::{AnyTransport, Socket};
use std::path::{Path, PathBuf};

/// A device that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it is.
    pub place: Place,
    /// What it says of itself; empty strings while it is not initialised.
    pub token: Token,
}

/// Where a device is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a reader, by its name.
    Reader(String),
    /// Behind a virtual device's socket.
    Socket(PathBuf),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Reader(name) => f.write_str(name),
            Place::Socket(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Place {
    /// Connects to what is there.
    ///
    /// # Errors
    /// [`ErrorKind::NoDevice`], [`ErrorKind::Connection`].
    pub fn connect(&self) -> Result<AnyTransport> {
        match self {
            #[cfg(feature = "pcsc")]
            Place::Reader(name) => Ok(Box::new(crate::transport::Pcsc::connect(name)?)),
            #[cfg(not(feature = "pcsc"))]
            Place::Reader(_) => {
                Err(Error::new(ErrorKind::Unsupported, "open a reader", "this program knows no readers"))
            }
            Place::Socket(path) => Ok(Box::new(Socket::connect(path)?)),
        }
    }
}

/// Lists the devices in readers, and behind the sockets given. Readers with other cards are left out, and so is what does
/// not answer.
///
/// # Errors
/// [`ErrorKind::NoDevice`]: the smart-card service does not answer, and no sockets were given.
pub fn devices(sockets: &[PathBuf]) -> Result<Vec<Found>> {
    let mut places: Vec<Place> = sockets.iter().cloned().map(Place::Socket).collect();
    #[cfg(feature = "pcsc")]
    match crate::transport::readers() {
        Ok(readers) => {
            places.extend(readers.into_iter().filter(|reader| reader.has_hsm).map(|reader| Place::Reader(reader.name)));
        }
        Err(error) if sockets.is_empty() => return Err(error),
        Err(_) => {}
    }
    let ask = |place: Place| {
        let token = place.connect().and_then(Hsm::open).and_then(|mut hsm| hsm.token()).ok()?;
        Some(Found { place, token })
    };
    Ok(places.into_iter().filter_map(ask).collect())
}

/// Connects to the device that `name` means: a socket's path, a device's serial number, a reader's name or a part of it. Without
/// a name there must be one device only.
///
/// # Errors
/// [`ErrorKind::NoDevice`], [`ErrorKind::Ambiguous`].
pub fn open(name: Option<&str>) -> Result<AnyTransport> {
    const WHAT: &str = "choose a device";
    if let Some(path) = name.filter(|name| name.contains('/')).map(Path::new) {
        return Place::Socket(path.to_owned()).connect();
    }
    let found = devices(&[])?;
    let list = |found: &[Found]| {
        let line = |found: &Found| format!("  {}  {}", found.token.serial, found.place);
        found.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    let fits = |found: &Found| match (&found.place, name) {
        (_, None) => true,
        (_, Some(name)) if found.token.serial == name => true,
        (Place::Reader(reader), Some(name)) => reader == name,
        (Place::Socket(_), Some(_)) => false,
    };
    let partly = |found: &Found| name.is_some_and(|name| found.place.to_string().contains(name));
    let mut fitting: Vec<_> = found.iter().filter(|found| fits(found)).collect();
    if fitting.is_empty() {
        fitting = found.iter().filter(|found| partly(found)).collect();
    }
    match fitting.as_slice() {
        [one] => one.place.connect(),
        [] if found.is_empty() => Err(Error::new(ErrorKind::NoDevice, WHAT, "no device is there")
            .advise("Plug one in, or start a virtual one: ferrite-sim. Is pcscd running?")),
        [] => Err(Error::new(ErrorKind::NoDevice, WHAT, "no device has this name")
            .advise(format!("These are there:\n{}", list(&found)))),
        _ => Err(Error::new(ErrorKind::Ambiguous, WHAT, "there are several")
            .advise(format!("Name one by its serial number or reader:\n{}", list(&found)))),
    }
}
