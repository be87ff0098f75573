//! The device over USB/IP: Linux attaches it as if it were plugged in (specification part 4 §3).
//!
//! The USB stack is the one that firmware runs, descriptors and CCID included. `bus` stands for the controller of a chip,
//! `protocol` has the messages, and this module the server: one device, `1-1`, and one client at a time that has it.

mod bus;
mod card;
mod protocol;

use crate::device::VirtualDevice;
use bus::{BusDriver, VirtualBus};
use card::UsbCard;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use ferrite_card::{ATR, FIRMWARE_VERSION};
use ferrite_proto::configuration::Configuration;
use ferrite_usb::descriptor::Identity;
use ferrite_usb::embassy::{Buffers, Reader, Usb};
use protocol::{Command, Operation, Urb};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

/// Where `usbip attach` looks for devices of this machine.
pub const DEFAULT_ADDRESS: &str = "127.0.0.1:3240";

/// What a virtual device draws from its bus, in milliamperes: what a board would announce.
const SUPPLY: u16 = 100;

/// A server for one device.
pub struct UsbIp {
    listener: TcpListener,
    bus: Arc<VirtualBus>,
    identity: Identity<'static>,
}

impl UsbIp {
    /// The identity of a device with this configuration.
    pub fn identity(device: &VirtualDevice, configuration: &Configuration) -> Identity<'static> {
        Identity::new(configuration, device.unique_id(), FIRMWARE_VERSION, SUPPLY)
    }

    /// Listens at an address, and starts the device's USB side.
    ///
    /// # Errors
    /// The address is taken, or the operating system gives no thread.
    pub fn bind(address: impl ToSocketAddrs, device: &VirtualDevice, identity: Identity<'static>) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let bus = Arc::new(VirtualBus::default());
        let reader = Arc::new(Reader::<CriticalSectionRawMutex>::new(&ATR));
        let mut card = UsbCard::new(device.connect());
        let card_side = Arc::clone(&reader);
        thread::Builder::new().name("usb card".into()).spawn(move || {
            pollster::block_on(card_side.serve(&mut card));
        })?;
        let driver = BusDriver::new(Arc::clone(&bus));
        thread::Builder::new().name("usb".into()).spawn(move || {
            let mut buffers = Buffers::new();
            let mut usb = Usb::new(driver, &identity, &mut buffers, &reader);
            pollster::block_on(usb.run());
        })?;
        Ok(Self { listener, bus, identity })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The operating system reports one.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves clients from now on, in threads of their own.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn serve(self) -> io::Result<()> {
        let server = Arc::new(self);
        thread::Builder::new().name("usbip".into()).spawn(move || {
            for stream in server.listener.incoming().flatten() {
                let server = Arc::clone(&server);
                // The end of a connection, whatever the reason, concerns nobody else; without a thread for it, it ends.
                let _ = thread::Builder::new().name("usbip client".into()).spawn(move || server.converse(stream));
            }
        })?;
        Ok(())
    }

    /// Tells a client which devices there are, or gives it the device.
    fn converse(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        match protocol::read_operation(&mut stream)? {
            Operation::ListDevices => stream.write_all(&protocol::device_list(&self.identity)),
            Operation::Import(bus_id) => {
                let (completions, completed) = mpsc::channel();
                if bus_id != protocol::BUS_ID || !self.bus.attach(completions) {
                    return stream.write_all(&protocol::import_refused());
                }
                let attached = Attached(&self.bus);
                stream.write_all(&protocol::import_reply(&self.identity))?;
                let mut outgoing = stream.try_clone()?;
                // Ends when the device is detached: nobody is left then who completes anything.
                thread::Builder::new().name("usbip replies".into()).spawn(move || {
                    for reply in completed {
                        if outgoing.write_all(&reply).is_err() {
                            break;
                        }
                    }
                })?;
                attached.take_commands(&mut stream)
            }
        }
    }
}

/// A client has the device; when this is dropped it is unplugged.
struct Attached<'a>(&'a VirtualBus);

impl Attached<'_> {
    fn take_commands(&self, stream: &mut impl Read) -> io::Result<()> {
        loop {
            match protocol::read_command(stream)? {
                Command::Submit(urb) => self.submit(urb),
                Command::Unlink { seqnum, victim } => self.0.unlink(seqnum, victim),
            }
        }
    }

    fn submit(&self, urb: Urb) {
        self.0.submit(urb);
    }
}

impl Drop for Attached<'_> {
    fn drop(&mut self) {
        self.0.detach();
    }
}
