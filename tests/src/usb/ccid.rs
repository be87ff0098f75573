//! CCID over USB: the simulator in a process of its own, attached, powered on, and spoken to as drivers do.

use super::Attachment;
use super::descriptors::Configuration;
use crate::script::Device;
use crate::sim::{self, Sim};
use crate::temp::TempDir;
use anyhow::{Context, Result, ensure};
use std::ffi::OsStr;
use std::path::PathBuf;

/// Length of the reads: the longest message and more, in whole packets.
pub const READ: usize = 65600;

/// Header and data of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// bMessageType.
    pub kind: u8,
    /// bSlot.
    pub slot: u8,
    /// bSeq.
    pub seq: u8,
    /// bStatus.
    pub status: u8,
    /// bError.
    pub error: u8,
    /// The last byte of the header.
    pub last: u8,
    /// abData.
    pub data: Vec<u8>,
}

impl Answer {
    /// Reads an answer.
    ///
    /// # Errors
    /// It is shorter or longer than it says.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let (header, data) = bytes.split_first_chunk::<10>().context("less than a header")?;
        let [kind, l0, l1, l2, l3, slot, seq, status, error, last] = *header;
        ensure!(usize::try_from(u32::from_le_bytes([l0, l1, l2, l3]))? == data.len(), "dwLength of {header:02X?}");
        Ok(Self { kind, slot, seq, status, error, last, data: data.to_vec() })
    }
}

/// A message of the host.
pub fn message(message_type: u8, seq: u8, specific: [u8; 3], data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).expect("short").to_le_bytes();
    [&[message_type], &length[..], &[0, seq], &specific, data].concat()
}

/// An interface that speaks CCID: its endpoints and its next number.
#[derive(Debug, Clone, Copy)]
pub struct Pipe {
    /// Address of the bulk OUT endpoint.
    pub bulk_out: u8,
    /// Address of the bulk IN endpoint.
    pub bulk_in: u8,
    seq: u8,
}

impl Pipe {
    /// The interface of this class.
    ///
    /// # Errors
    /// There is none.
    pub fn of_class(configuration: &Configuration, class: u8) -> Result<Self> {
        let interface = configuration.interfaces.iter().find(|interface| interface.class == [class, 0, 0]);
        let (bulk_out, bulk_in) = interface.context("no such interface")?.bulk()?;
        Ok(Self { bulk_out, bulk_in, seq: 0 })
    }

    /// Sends a message and waits for its answer, however often the device asks for time.
    ///
    /// # Errors
    /// The device does not answer, or not this message.
    pub fn exchange(&mut self, usb: &mut Attachment, kind: u8, specific: [u8; 3], data: &[u8]) -> Result<Answer> {
        self.seq = self.seq.wrapping_add(1);
        usb.bulk_out(self.bulk_out, &message(kind, self.seq, specific, data))?;
        self.answer_to(usb, self.seq)
    }

    /// Waits for the answer to a message. Answers to others before it are let go, as drivers do.
    ///
    /// # Errors
    /// The device does not answer.
    pub fn answer_to(&self, usb: &mut Attachment, seq: u8) -> Result<Answer> {
        loop {
            // What is no whole message is the rest of one that was broken off.
            match Answer::parse(&usb.bulk_in(self.bulk_in, READ)?) {
                Ok(answer) if answer.seq == seq && answer.status & 0xC0 != 0x80 => return Ok(answer),
                Ok(_) | Err(_) => {}
            }
        }
    }

    /// Powers the card on and returns its ATR.
    ///
    /// # Errors
    /// It fails.
    pub fn power_on(&mut self, usb: &mut Attachment) -> Result<Vec<u8>> {
        let answer = self.exchange(usb, 0x62, [0; 3], &[])?;
        ensure!((answer.kind, answer.status, answer.error) == (0x80, 0, 0), "no power: {answer:02X?}");
        Ok(answer.data)
    }

    /// Powers the card off.
    ///
    /// # Errors
    /// It fails.
    pub fn power_off(&mut self, usb: &mut Attachment) -> Result<()> {
        let answer = self.exchange(usb, 0x63, [0; 3], &[])?;
        ensure!((answer.kind, answer.status, answer.error) == (0x81, 1, 0), "still powered: {answer:02X?}");
        Ok(())
    }

    /// Sends a command APDU and returns response data and status word.
    ///
    /// # Errors
    /// It fails.
    pub fn transmit(&mut self, usb: &mut Attachment, apdu: &[u8]) -> Result<Vec<u8>> {
        let answer = self.exchange(usb, 0x6F, [0; 3], apdu)?;
        ensure!((answer.kind, answer.status, answer.error) == (0x80, 0, 0), "no response: {answer:02X?}");
        Ok(answer.data)
    }
}

/// A virtual device in a process of its own, blank at first, attached over USB/IP.
pub struct OverUsb {
    // Dropped in this order: the connection, the process, its memory.
    connected: Option<(Attachment, Pipe)>,
    sim: Option<Sim>,
    program: PathBuf,
    dir: TempDir,
}

impl OverUsb {
    /// A blank device.
    ///
    /// # Errors
    /// The simulator does not build or start, or cannot be attached.
    pub fn blank() -> Result<Self> {
        let mut device = Self { connected: None, sim: None, program: sim::program()?, dir: TempDir::new()? };
        device.restart()?;
        Ok(device)
    }

    /// Where it serves USB/IP.
    ///
    /// # Errors
    /// It does not run.
    pub fn address(&self) -> Result<&str> {
        self.sim.as_ref().and_then(Sim::usbip_address).context("it does not serve USB/IP")
    }

    /// The connection and the reader's interface.
    ///
    /// # Errors
    /// It is not attached.
    pub fn usb(&mut self) -> Result<(&mut Attachment, &mut Pipe)> {
        self.connected.as_mut().map(|(usb, pipe)| (usb, pipe)).context("not attached")
    }

    /// Unplugs it.
    pub fn unplug(&mut self) {
        self.connected = None;
    }

    /// Plugs it in, and does nothing with it.
    ///
    /// # Errors
    /// It cannot be attached.
    pub fn attach(&self) -> Result<Attachment> {
        // The server may still be busy with the end of the connection before.
        loop {
            if let Some(usb) = Attachment::new(self.address()?, "1-1")? {
                return Ok(usb);
            }
            std::thread::yield_now();
        }
    }

    /// Plugs it in, enumerates it and powers the card on.
    ///
    /// # Errors
    /// It cannot be attached.
    pub fn plug_in(&mut self) -> Result<()> {
        let mut usb = self.attach()?;
        let configuration = usb.descriptor(2, 0, 0, 512)?.context("no configuration")?;
        let mut pipe = Pipe::of_class(&Configuration::parse(&configuration)?, 0x0B)?;
        usb.configure()?;
        pipe.power_on(&mut usb)?;
        self.connected = Some((usb, pipe));
        Ok(())
    }
}

impl Device for OverUsb {
    fn transmit(&mut self, apdu: &[u8]) -> Result<Vec<u8>> {
        let (usb, pipe) = self.usb()?;
        pipe.transmit(usb, apdu)
    }

    fn reset(&mut self) -> Result<()> {
        let (usb, pipe) = self.usb()?;
        pipe.power_off(usb)?;
        pipe.power_on(usb).map(|_| ())
    }

    fn restart(&mut self) -> Result<()> {
        self.connected = None;
        // The one before must be gone, and its lock with it, when the next one starts.
        self.sim = None;
        let arguments = ["--no-vpcd", "--usbip", "127.0.0.1:0"].map(OsStr::new);
        self.sim = Some(Sim::start(&self.program, &self.dir.path().join("state"), &arguments)?);
        self.plug_in()
    }
}
