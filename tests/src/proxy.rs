//! A card behind a socket of the test's own, which may answer otherwise, or hang up in the middle of a command.

use crate::in_process::InProcess;
use crate::script::Device;
use crate::temp::TempDir;
use anyhow::Result;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread;

/// What happens to a command.
pub enum Fate {
    /// The card answers it.
    Pass,
    /// It is answered with this status word, and the card never sees it.
    Refuse(u16),
    /// The card answers it, and then gets these commands, whose answers nobody sees.
    PassThen(Vec<Vec<u8>>),
    /// The connection breaks, as when the device is unplugged.
    HangUp,
}

/// A blank card behind a socket.
pub struct Proxy {
    dir: TempDir,
}

impl Proxy {
    /// Serves a card until the test ends; `fate` looks at every command.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn serve(fate: impl Fn(&[u8]) -> Fate + Send + 'static) -> Result<Self> {
        let dir = TempDir::new()?;
        let listener = UnixListener::bind(dir.path().join("socket"))?;
        thread::spawn(move || {
            let Ok(mut card) = InProcess::blank() else { return };
            for stream in listener.incoming().map_while(Result::ok) {
                // A host that goes away is no failure here.
                let _ = converse(stream, &mut card, &fate);
                let _ = card.reset();
            }
        });
        Ok(Self { dir })
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("socket")
    }
}

fn converse(mut stream: UnixStream, card: &mut InProcess, fate: &impl Fn(&[u8]) -> Fate) -> Result<()> {
    loop {
        let mut len = [0; 4];
        stream.read_exact(&mut len)?;
        let mut command = vec![0; usize::try_from(u32::from_be_bytes(len))?];
        stream.read_exact(&mut command)?;
        let answer = match fate(&command) {
            Fate::HangUp => return Ok(()),
            Fate::Refuse(status) => status.to_be_bytes().to_vec(),
            Fate::Pass => card.transmit(&command)?,
            Fate::PassThen(more) => {
                let answer = card.transmit(&command)?;
                more.iter().try_for_each(|command| card.transmit(command).map(drop))?;
                answer
            }
        };
        stream.write_all(&[&u32::try_from(answer.len())?.to_be_bytes(), answer.as_slice()].concat())?;
    }
}
