//! The local socket of a virtual device: messages with four bytes of length in front; an empty one resets the card.

use super::{MAX_ANSWER, Transmit, Transport};
use crate::error::{Error, ErrorKind, Result};
use std::io::{self, ErrorKind as IoErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A connection to a virtual device.
pub struct Socket {
    stream: UnixStream,
    path: PathBuf,
}

impl Socket {
    /// Connects to the socket at `path`.
    ///
    /// # Errors
    /// [`ErrorKind::NoDevice`].
    pub fn connect(path: &Path) -> Result<Self> {
        let stream = UnixStream::connect(path).map_err(|error| {
            let what = format!("reach the virtual device at {}", path.display());
            let why = match error.kind() {
                IoErrorKind::NotFound => "there is no such socket".into(),
                IoErrorKind::ConnectionRefused => "nobody listens there".into(),
                IoErrorKind::PermissionDenied => "it belongs to another user".into(),
                _ => error.to_string(),
            };
            Error::new(ErrorKind::NoDevice, what, why)
                .advise(format!("Start one: ferrite-sim --socket {}", path.display()))
                .caused_by(error)
        })?;
        Ok(Self { stream, path: path.to_owned() })
    }

    fn message(&mut self, message: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        self.converse(message).map_err(|error| {
            Error::new(ErrorKind::Connection, "talk to the virtual device", error.to_string())
                .advise("The virtual device has stopped. Start it again; what it acknowledged is kept.")
                .caused_by(error)
        })
    }

    fn converse(&mut self, message: &[u8]) -> io::Result<Zeroizing<Vec<u8>>> {
        let len = u32::try_from(message.len()).map_err(io::Error::other)?;
        let framed = Zeroizing::new([&len.to_be_bytes(), message].concat());
        self.stream.write_all(&framed)?;
        let mut len = [0; 4];
        self.stream.read_exact(&mut len)?;
        let len = usize::try_from(u32::from_be_bytes(len)).ok().filter(|len| *len <= MAX_ANSWER);
        let len = len.ok_or_else(|| io::Error::new(IoErrorKind::InvalidData, "the answer is too long"))?;
        let mut answer = Zeroizing::new(vec![0; len]);
        self.stream.read_exact(&mut answer)?;
        Ok(answer)
    }
}

impl Transmit for Socket {
    fn transmit(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        if command.is_empty() {
            return Err(Error::new(ErrorKind::Usage, "send a command", "it is empty"));
        }
        self.message(command)
    }
}

impl Transport for Socket {
    fn exclusively(&mut self, work: &mut dyn FnMut(&mut dyn Transmit) -> Result<()>) -> Result<()> {
        // A command of another connection ends this one's session: nothing can slip in unnoticed.
        work(self)
    }

    fn reset(&mut self) -> Result<()> {
        let atr = self.message(&[])?;
        if super::is_hsm(&atr) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::BadAnswer, "reset the virtual device", "what answers there is no HSM"))
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }
}
