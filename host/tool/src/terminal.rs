//! The person at the terminal: lines that are typed, seen or unseen.
//!
//! While a line is typed the terminal sends no signals: Ctrl-C ends the line like Enter (termios(3), VEOL). So nothing stays as
//! it is only while we ask, neither an echo that is off nor a secret on the screen.

use ferrite_client::{Error, ErrorKind, Result};
use rustix::io::{ioctl_fionread, read};
use rustix::termios::{
    LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, tcflush, tcgetattr, tcsetattr,
};
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::AsFd;
use zeroize::Zeroizing;

/// Why a command was not carried out whose user, asked, pressed Ctrl-C or Ctrl-D.
pub(crate) const STOPPED: &str = "you stopped it";
const WHAT: &str = "ask on the terminal";
/// Ctrl-C.
const INTERRUPT: u8 = 3;
/// Longest line that a terminal gives, in bytes.
const MAX_LINE: usize = 4096;

/// A line that a secret is in; it wipes itself.
pub(crate) type Line = Zeroizing<Vec<u8>>;

/// Whether there is a person to ask.
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks a question; the answer is a line without its blanks at both ends.
///
/// # Errors
/// [`ErrorKind::Io`]; [`ErrorKind::Usage`]: Ctrl-C or Ctrl-D.
pub(crate) fn ask(question: &str) -> Result<String> {
    if is_interactive() {
        let line = read_line(question, true)?;
        return Ok(String::from_utf8_lossy(&line).trim().to_owned());
    }
    let mut answer = String::new();
    let _ = write!(io::stderr(), "{question}: ");
    io::stdin().read_line(&mut answer).map_err(failed)?;
    Ok(answer.trim().to_owned())
}

/// Asks for a secret, which is not seen.
///
/// # Errors
/// As [`ask`]; [`ErrorKind::Usage`]: there is no terminal.
pub(crate) fn ask_unseen(question: &str) -> Result<Line> {
    read_line(question, false)
}

/// Forgets what was typed before it was asked for: it answers no question that nobody has seen.
///
/// # Errors
/// [`ErrorKind::Usage`]: Ctrl-C was typed, while [`hold_signals`] made nothing of it.
pub(crate) fn forget_typed() -> Result<()> {
    let mut typed = Zeroizing::new([0; MAX_LINE]);
    let is_waiting = is_interactive() && ioctl_fionread(io::stdin()).is_ok_and(|len| len > 0);
    let len = if is_waiting { read(io::stdin(), typed.as_mut()).unwrap_or_default() } else { 0 };
    // Without a terminal nothing was typed.
    let _ = tcflush(io::stdin(), QueueSelector::IFlush);
    if typed.iter().take(len).any(|byte| *byte == INTERRUPT) { Err(stopped()) } else { Ok(()) }
}

/// Clears screen and scrollback.
pub(crate) fn clear() {
    // A terminal that is gone shows nothing.
    let _ = write!(io::stderr(), "\x1b[3J\x1b[H\x1b[2J");
}

/// While this lives Ctrl-C ends nothing at once; typed before a question, it is the answer to it. For work that leaves behind
/// what somebody has to be told about. `None` without a terminal.
pub(crate) fn hold_signals() -> Option<impl Drop> {
    if is_interactive() { Terminal::open(false).ok() } else { None }
}

fn stopped() -> Error {
    Error::new(ErrorKind::Usage, "go on", STOPPED)
}

fn failed(error: io::Error) -> Error {
    Error::new(ErrorKind::Io, WHAT, error.to_string()).caused_by(error)
}

/// The terminal, with the modes that it gets back.
struct Terminal {
    file: File,
    modes: Termios,
}

impl Terminal {
    /// The terminal of this process, whatever standard input is; or else standard input, if that is one.
    fn open(is_seen: bool) -> Result<Self> {
        let file = File::options().read(true).write(true).open("/dev/tty");
        let file = file.or_else(|_| io::stdin().as_fd().try_clone_to_owned().map(File::from)).map_err(failed)?;
        let modes = tcgetattr(&file).map_err(|error| {
            Error::new(ErrorKind::Usage, WHAT, "there is no terminal").caused_by(io::Error::from(error))
        })?;
        let mut typing = modes.clone();
        typing.local_modes.remove(LocalModes::ISIG);
        typing.local_modes.insert(LocalModes::ICANON);
        typing.local_modes.set(LocalModes::ECHO, is_seen);
        typing.special_codes[SpecialCodeIndex::VEOL] = INTERRUPT;
        tcsetattr(&file, OptionalActions::Now, &typing).map_err(|error| failed(error.into()))?;
        Ok(Self { file, modes })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A terminal that is gone has no modes.
        let _ = tcsetattr(&self.file, OptionalActions::Now, &self.modes);
    }
}

fn read_line(question: &str, is_seen: bool) -> Result<Line> {
    let mut terminal = Terminal::open(is_seen)?;
    let mut out = io::stderr();
    write!(out, "{question}: ").and_then(|()| out.flush()).map_err(failed)?;
    let mut line = Zeroizing::new(Vec::with_capacity(MAX_LINE));
    let mut part = Zeroizing::new([0; MAX_LINE]);
    loop {
        let len = terminal.file.read(part.as_mut()).map_err(failed)?;
        line.extend_from_slice(part.get(..len).unwrap_or_default());
        let is_stopped = line.contains(&INTERRUPT) || len == 0;
        if is_stopped || !is_seen && line.ends_with(b"\n") {
            let _ = writeln!(out);
        }
        if is_stopped {
            return Err(stopped());
        }
        if line.ends_with(b"\n") {
            line.pop();
            return Ok(line);
        }
    }
}
