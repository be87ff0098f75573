//! A local stream socket for tools and tests.
//!
//! Every message, in both directions, is preceded by its length as four big-endian bytes. A message to the device is one
//! command APDU, up to 65544 bytes, and is answered by one message: response data and status word. An empty message
//! resets the card and is answered by its ATR; sent while the device waits for its user's presence, it ends the waiting, and
//! so does the end of the connection. A longer message ends the connection. Each connection is an interface of its
//! own: taking turns with another one, or closing it, ends the session.

use crate::device::{Interface, Stopped, VirtualDevice};
use crate::frame::{self, Inbox};
use ferrite_card::ATR;
use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

/// Longest message, in bytes: extended header, 65535 bytes of data, extended Le.
pub const MAX_MESSAGE: usize = 65544;

/// A bound socket; its file is removed when this is dropped.
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Binds a socket that only its owner may open (mode 0600). A dead socket left behind at `path` is replaced.
    ///
    /// # Errors
    /// A live socket or something else is there ([`ErrorKind::AddrInUse`]), or the operating system reports an error.
    pub fn bind(path: &Path) -> io::Result<Self> {
        match fs::symlink_metadata(path) {
            Ok(there) if !there.file_type().is_socket() || UnixStream::connect(path).is_ok() => {
                return Err(ErrorKind::AddrInUse.into());
            }
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // Bound out of everybody's reach and moved once it is closed to others: there is no moment at which it is open.
        let mut nest = path.as_os_str().to_owned();
        nest.push(format!(".{}", std::process::id()));
        let nest = PathBuf::from(nest);
        DirBuilder::new().mode(0o700).create(&nest)?;
        let egg = nest.join("s");
        let bound = UnixListener::bind(&egg).and_then(|listener| {
            fs::set_permissions(&egg, Permissions::from_mode(0o600))?;
            fs::rename(&egg, path)?;
            Ok(listener)
        });
        fs::remove_dir_all(&nest)?;
        Ok(Self { listener: bound?, path: path.to_owned() })
    }

    /// Serves every connection from now on, each in a thread of its own.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn serve(&self, device: Arc<VirtualDevice>) -> io::Result<()> {
        let listener = self.listener.try_clone()?;
        thread::Builder::new().name("socket".into()).spawn(move || {
            for stream in listener.incoming().flatten() {
                let card = device.connect();
                // The end of a connection, whatever the reason, concerns nobody else; without a thread for it, it ends.
                let _ = thread::Builder::new().name("connection".into()).spawn(move || converse(stream, &card));
            }
        })?;
        Ok(())
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Somebody may have removed it already.
        let _ = fs::remove_file(&self.path);
    }
}

fn converse(mut stream: UnixStream, card: &Interface) -> io::Result<()> {
    let mut inbox = Inbox::new::<4>(stream.try_clone()?, MAX_MESSAGE)?;
    let ended = answer(&mut inbox, &mut stream, card);
    // The reader's thread has the stream too.
    let _ = stream.shutdown(Shutdown::Both);
    ended
}

fn answer(inbox: &mut Inbox, stream: &mut UnixStream, card: &Interface) -> io::Result<()> {
    let stopped = |stopped: Stopped| io::Error::other(stopped);
    while let Some(message) = inbox.next() {
        if message.is_empty() {
            card.reset().map_err(stopped)?;
            frame::write::<4>(stream, &ATR)?;
        } else {
            let response = card.transmit_while(&message, || inbox.waits(<[u8]>::is_empty)).map_err(stopped)?;
            frame::write::<4>(stream, &response)?;
        }
    }
    Ok(())
}
