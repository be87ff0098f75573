//! A host's end of USB: a client of USB/IP, a parser of descriptors, and CCID on top.

pub mod ccid;
pub mod descriptors;

use anyhow::{Context, Result, bail, ensure};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long a device may take before it counts as hung: far longer than anything it does.
const WATCHDOG: Duration = Duration::from_secs(120);

/// Status of a transfer that the device stalled.
pub const STALL: i32 = -32;

/// Status of the reply to an unlink if the transfer was still there.
pub const UNLINKED: i32 = -104;

/// A transfer that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket(u32);

/// How a transfer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// 0, or a negative error number.
    pub status: i32,
    /// How many bytes went.
    pub actual: usize,
    /// What came in.
    pub data: Vec<u8>,
}

/// A connection that has the device.
pub struct Attachment {
    stream: TcpStream,
    next: u32,
    /// Transfers on their way, and whether they bring data.
    pending: HashMap<u32, bool>,
    completed: HashMap<u32, Completion>,
    /// The device record of the reply.
    pub record: Vec<u8>,
}

fn connect(address: &str) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).with_context(|| format!("nobody listens at {address}"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(WATCHDOG))?;
    Ok(stream)
}

/// The reply to a request for the list of devices, without the header.
///
/// # Errors
/// It is none.
pub fn device_list(address: &str) -> Result<Vec<u8>> {
    let mut stream = connect(address)?;
    stream.write_all(&[0x01, 0x11, 0x80, 0x05, 0, 0, 0, 0])?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply)?;
    ensure!(reply.starts_with(&[0x01, 0x11, 0x00, 0x05, 0, 0, 0, 0]), "no list of devices: {reply:02X?}");
    Ok(reply.split_off(8))
}

impl Attachment {
    /// Attaches the device `bus_id`; `None` if the server refuses.
    ///
    /// # Errors
    /// The server does not speak the protocol.
    pub fn new(address: &str, bus_id: &str) -> Result<Option<Self>> {
        let mut stream = connect(address)?;
        let mut name = bus_id.as_bytes().to_vec();
        name.resize(32, 0);
        stream.write_all(&[&[0x01, 0x11, 0x80, 0x03, 0, 0, 0, 0], &name[..]].concat())?;
        let mut reply = [0; 8];
        stream.read_exact(&mut reply)?;
        match reply {
            [0x01, 0x11, 0x00, 0x03, 0, 0, 0, 0] => {}
            [0x01, 0x11, 0x00, 0x03, 0, 0, 0, 1] => return Ok(None),
            other => bail!("no reply to an import: {other:02X?}"),
        }
        let mut record = vec![0; 312];
        stream.read_exact(&mut record)?;
        Ok(Some(Self { stream, next: 1, pending: HashMap::new(), completed: HashMap::new(), record }))
    }

    /// Sends a message of 48 bytes and data.
    fn send(&mut self, command: u32, is_in: bool, endpoint: u8, rest: [u8; 28], data: &[u8]) -> Result<Ticket> {
        let seqnum = self.next;
        self.next += 1;
        let mut message = Vec::new();
        for number in [command, seqnum, 0x0001_0001, u32::from(is_in), u32::from(endpoint)] {
            message.extend(number.to_be_bytes());
        }
        self.stream.write_all(&[&message, &rest[..], data].concat())?;
        Ok(Ticket(seqnum))
    }

    /// Asks for a transfer. `endpoint` is an address: IN endpoints have their highest bit set.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn submit(&mut self, endpoint: u8, setup: [u8; 8], length: usize, data: &[u8]) -> Result<Ticket> {
        let is_in = endpoint & 0x80 != 0;
        let mut rest = [0; 28];
        rest[4..8].copy_from_slice(&u32::try_from(length)?.to_be_bytes());
        rest[20..].copy_from_slice(&setup);
        let ticket = self.send(1, is_in, endpoint & 0x0F, rest, data)?;
        self.pending.insert(ticket.0, is_in);
        Ok(ticket)
    }

    /// Waits for the end of a transfer.
    ///
    /// # Errors
    /// The device hangs, or the connection is gone.
    pub fn wait(&mut self, ticket: Ticket) -> Result<Completion> {
        loop {
            if let Some(completion) = self.completed.remove(&ticket.0) {
                return Ok(completion);
            }
            let (seqnum, completion) = self.read_reply().context("the device does not answer")?;
            self.completed.insert(seqnum, completion);
        }
    }

    fn read_reply(&mut self) -> Result<(u32, Completion)> {
        let mut header = [0; 48];
        self.stream.read_exact(&mut header)?;
        let number = |at: usize| u32::from_be_bytes(header[at..at + 4].try_into().expect("four bytes"));
        let (command, seqnum) = (number(0), number(4));
        let status = i32::from_be_bytes(header[20..24].try_into()?);
        ensure!(header[8..20] == [0; 12], "device, direction and endpoint of a reply are 0");
        match command {
            3 => {
                let is_in = self.pending.remove(&seqnum).context("a reply to what nobody asked for")?;
                let actual = usize::try_from(number(24))?;
                let mut data = vec![0; if is_in { actual } else { 0 }];
                self.stream.read_exact(&mut data)?;
                Ok((seqnum, Completion { status, actual, data }))
            }
            4 => Ok((seqnum, Completion { status, actual: 0, data: Vec::new() })),
            other => bail!("no reply: {other}"),
        }
    }

    /// Takes a transfer back. `None`: it was; otherwise how it ended.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn unlink(&mut self, ticket: Ticket) -> Result<Option<Completion>> {
        let mut rest = [0; 28];
        rest[..4].copy_from_slice(&ticket.0.to_be_bytes());
        let unlink = self.send(2, false, 0, rest, &[])?;
        if self.wait(unlink)?.status == UNLINKED {
            self.pending.remove(&ticket.0);
            return Ok(None);
        }
        self.wait(ticket).map(Some)
    }

    /// A control transfer that brings data.
    ///
    /// # Errors
    /// The device does not answer.
    pub fn control_in(&mut self, request: [u8; 2], value: u16, index: u16, length: u16) -> Result<Completion> {
        let ticket = self.submit(0x80, setup(request, value, index, length), usize::from(length), &[])?;
        self.wait(ticket)
    }

    /// A control transfer that takes data, or has none.
    ///
    /// # Errors
    /// The device does not answer.
    pub fn control_out(&mut self, request: [u8; 2], value: u16, index: u16, data: &[u8]) -> Result<Completion> {
        let length = u16::try_from(data.len())?;
        let ticket = self.submit(0x00, setup(request, value, index, length), data.len(), data)?;
        self.wait(ticket)
    }

    /// A descriptor, of at most `length` bytes; `None` if the device stalls.
    ///
    /// # Errors
    /// The device does not answer.
    pub fn descriptor(&mut self, kind: u8, number: u8, language: u16, length: u16) -> Result<Option<Vec<u8>>> {
        let completion = self.control_in([0x80, 0x06], u16::from_be_bytes([kind, number]), language, length)?;
        Ok((completion.status == 0).then_some(completion.data))
    }

    /// A string, as text.
    ///
    /// # Errors
    /// There is none, or it is malformed.
    pub fn string(&mut self, number: u8) -> Result<String> {
        let descriptor = self.descriptor(3, number, 0x0409, 255)?.context("there is no such string")?;
        let [len, 3, text @ ..] = &descriptor[..] else { bail!("no string: {descriptor:02X?}") };
        ensure!(usize::from(*len) == descriptor.len() && text.len() % 2 == 0, "length of {descriptor:02X?}");
        Ok(String::from_utf16(&text.chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect::<Vec<_>>())?)
    }

    /// Sends data to an endpoint.
    ///
    /// # Errors
    /// The device does not take them.
    pub fn bulk_out(&mut self, endpoint: u8, data: &[u8]) -> Result<()> {
        let ticket = self.submit(endpoint, [0; 8], data.len(), data)?;
        let completion = self.wait(ticket)?;
        ensure!(completion.status == 0 && completion.actual == data.len(), "{completion:?}");
        Ok(())
    }

    /// Waits for data from an endpoint.
    ///
    /// # Errors
    /// The device sends none.
    pub fn bulk_in(&mut self, endpoint: u8, length: usize) -> Result<Vec<u8>> {
        let ticket = self.submit(endpoint, [0; 8], length, &[])?;
        let completion = self.wait(ticket)?;
        ensure!(completion.status == 0, "{completion:?}");
        Ok(completion.data)
    }

    /// Selects the configuration: the device is ready.
    ///
    /// # Errors
    /// It refuses.
    pub fn configure(&mut self) -> Result<()> {
        ensure!(self.control_out([0x00, 0x09], 1, 0, &[])?.status == 0, "SET_CONFIGURATION fails");
        Ok(())
    }
}

/// A setup packet: bmRequestType and bRequest, wValue, wIndex, wLength.
fn setup([request_type, request]: [u8; 2], value: u16, index: u16, length: u16) -> [u8; 8] {
    let ([v0, v1], [i0, i1], [l0, l1]) = (value.to_le_bytes(), index.to_le_bytes(), length.to_le_bytes());
    [request_type, request, v0, v1, i0, i1, l0, l1]
}
