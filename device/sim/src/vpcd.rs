//! The card's end of vpcd, the virtual reader of pcscd (part 4, section 2).
//!
//! pcscd's driver listens, the card connects. Every message is preceded by its length in two bytes; a message of one
//! byte is a control of the reader, a longer one a command APDU.

use crate::device::{Interface, Stopped, VirtualDevice};
use crate::frame::{self, Inbox};
use ferrite_card::ATR;
#[cfg(target_os = "linux")]
use socket2::SockRef;
use std::io::{self, ErrorKind, Read};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// Where the driver of Debian's package listens for the card in its first slot.
pub const DEFAULT_ADDRESS: &str = "127.0.0.1:35963";

const RETRY: Duration = Duration::from_millis(200);
const POWER_OFF: u8 = 0;
const POWER_ON: u8 = 1;
const RESET: u8 = 2;
const GET_ATR: u8 = 4;

/// Sits in the reader at `address` (`HOST:PORT`) until the device stops. Tries again, without a word, while nobody listens
/// there and after pcscd was restarted.
pub fn serve(device: &VirtualDevice, address: &str, connected: impl Fn()) {
    while device.is_running() {
        if let Ok(stream) = TcpStream::connect(address) {
            connected();
            // The end of a connection, whatever the reason, is an empty reader; the next one fills it again.
            let _ = sit(stream, &device.connect());
        }
        std::thread::sleep(RETRY);
    }
}

/// A connection that acknowledges at once what it receives. The driver sends a message's length and body one by one, and
/// the second waits for the acknowledgement of the first: 40 ms for each command where it comes late.
struct Prompt(TcpStream);

impl Read for Prompt {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        #[cfg(target_os = "linux")]
        SockRef::from(&self.0).set_tcp_quickack(true)?;
        self.0.read(out)
    }
}

/// Answers one reader until it closes the connection or the device stops.
fn sit(mut stream: TcpStream, card: &Interface) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut inbox = Inbox::new::<2>(Prompt(stream.try_clone()?), usize::from(u16::MAX))?;
    let ended = answer(&mut inbox, &mut stream, card);
    // The reader's thread has the stream too.
    let _ = stream.shutdown(Shutdown::Both);
    ended
}

/// A reader that cuts the power or resets the card does not wait for an answer any more.
fn interrupts(message: &[u8]) -> bool {
    matches!(message, [POWER_OFF | POWER_ON | RESET])
}

fn answer(inbox: &mut Inbox, stream: &mut TcpStream, card: &Interface) -> io::Result<()> {
    while let Some(message) = inbox.next() {
        match message.as_slice() {
            [GET_ATR] => frame::write::<2>(stream, &ATR)?,
            [POWER_OFF | POWER_ON | RESET] => card.reset().map_err(stopped)?,
            // Nothing, or a control that this version of the driver does not have.
            [] | [_] => {}
            apdu => {
                let response = card.transmit_while(apdu, || inbox.waits(interrupts)).map_err(stopped)?;
                match frame::write::<2>(stream, &response) {
                    // Longer than a message can be: the reader cannot carry what the host asked for.
                    Err(error) if error.kind() == ErrorKind::InvalidInput => {
                        frame::write::<2>(stream, &[0x67, 0x00])?;
                    }
                    written => written?,
                }
            }
        }
    }
    Ok(())
}

fn stopped(stopped: Stopped) -> io::Error {
    io::Error::other(stopped)
}
