//! A host, two interfaces and a card, with a clock that the test moves.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]

use ferrite_usb::slot::Job;
use ferrite_usb::{Ccid, Instant, Interface, MAX_PACKET, Slot};
use std::time::Duration;

pub const ATR: [u8; 24] = [
    0x3B, 0xFE, 0x18, 0x00, 0x00, 0x81, 0x31, 0xFE, 0x45, 0x80, 0x31, 0x81, 0x54, 0x48, 0x53, 0x4D, 0x31, 0x73, 0x80,
    0x21, 0x40, 0x81, 0x07, 0xFA,
];

/// A card that records what happens to it. The response is `echo` of the command unless one is set.
#[derive(Default)]
pub struct Card {
    pub command: Vec<u8>,
    pub ran: Vec<Vec<u8>>,
    pub resets: Vec<Option<Interface>>,
    /// Whose session it is in.
    pub user: Option<Interface>,
    /// How many commands it began to run.
    pub begun: usize,
    pub response: Option<Vec<u8>>,
    /// The card is not finished with a command while this is set.
    pub is_slow: bool,
    running: bool,
    responding: Option<Vec<u8>>,
}

/// The command itself, and 9000.
pub fn echo(command: &[u8]) -> Vec<u8> {
    [command, &[0x90, 0x00]].concat()
}

impl Card {
    /// Does what can be done without waiting.
    pub fn turn(&mut self, slot: &mut Slot) {
        loop {
            if self.running {
                if self.is_slow {
                    return;
                }
                self.running = false;
                let response = self.response.clone().unwrap_or_else(|| echo(&self.command));
                self.ran.push(std::mem::take(&mut self.command));
                slot.finish(response.len());
                self.responding = Some(response);
            }
            if let Some(response) = &self.responding {
                if slot.refill(response) {
                    return;
                }
                self.responding = None;
            }
            match slot.job() {
                Some(Job::Reset(user)) => {
                    self.resets.push(user);
                    self.user = user;
                }
                Some(Job::Clear) => self.command.clear(),
                Some(Job::Append(bytes)) => self.command.extend_from_slice(bytes.as_slice()),
                Some(Job::Run) => {
                    self.running = true;
                    self.begun += 1;
                }
                None => return,
            }
        }
    }
}

pub struct Bench {
    pub slot: Slot,
    pub ccid: Ccid<'static>,
    pub vendor: Ccid<'static>,
    pub card: Card,
    pub now: Instant,
}

impl Bench {
    pub fn new() -> Self {
        Self {
            slot: Slot::new(),
            ccid: Ccid::new(Interface::Ccid, &ATR),
            vendor: Ccid::new(Interface::Vendor, &ATR),
            card: Card::default(),
            now: Instant::default(),
        }
    }

    /// A bench whose card is powered, for both interfaces.
    pub fn powered() -> Self {
        let mut bench = Self::new();
        for interface in [Interface::Vendor, Interface::Ccid] {
            assert_eq!(bench.exchange_on(interface, &message(0x62, 0, [0; 3], &[]))[10..], ATR);
        }
        bench.card.resets.clear();
        bench
    }

    pub fn wait(&mut self, duration: Duration) {
        self.now = self.now.after(duration);
    }

    fn parts(&mut self, interface: Interface) -> (&mut Ccid<'static>, &mut Slot) {
        match interface {
            Interface::Ccid => (&mut self.ccid, &mut self.slot),
            Interface::Vendor => (&mut self.vendor, &mut self.slot),
        }
    }

    /// Offers one packet; `false` if the interface does not take it. A command that it completes runs in a session of this
    /// interface.
    pub fn offer(&mut self, interface: Interface, packet: &[u8]) -> bool {
        self.card.turn(&mut self.slot);
        let begun = self.card.begun;
        let now = self.now;
        let (ccid, slot) = self.parts(interface);
        if !ccid.wants_packet(slot) {
            return false;
        }
        ccid.receive(packet, slot, now);
        self.card.turn(&mut self.slot);
        assert!(self.card.begun == begun || self.card.user == Some(interface), "a session of {:?}", self.card.user);
        true
    }

    /// Sends one transfer, without an empty packet at its end.
    pub fn send_on(&mut self, interface: Interface, transfer: &[u8]) {
        for packet in transfer.chunks(MAX_PACKET) {
            assert!(self.offer(interface, packet), "the interface takes no packet");
        }
    }

    pub fn send(&mut self, transfer: &[u8]) {
        self.send_on(Interface::Ccid, transfer);
    }

    /// One packet of the device, if it has one.
    pub fn packet_of(&mut self, interface: Interface) -> Option<Vec<u8>> {
        self.card.turn(&mut self.slot);
        let now = self.now;
        let (ccid, slot) = self.parts(interface);
        let mut packet = [0xEE; MAX_PACKET];
        let len = ccid.transmit(&mut packet, slot, now)?;
        Some(packet[..len].to_vec())
    }

    /// One transfer of the device, up to a packet that is not full.
    pub fn answer_of(&mut self, interface: Interface) -> Option<Vec<u8>> {
        let mut answer = self.packet_of(interface)?;
        let mut last = answer.len();
        while last == MAX_PACKET {
            let packet = self.packet_of(interface).expect("a transfer ends with a packet that is not full");
            last = packet.len();
            answer.extend(packet);
        }
        Some(answer)
    }

    pub fn answer(&mut self) -> Option<Vec<u8>> {
        self.answer_of(Interface::Ccid)
    }

    pub fn exchange_on(&mut self, interface: Interface, transfer: &[u8]) -> Vec<u8> {
        self.send_on(interface, transfer);
        self.answer_of(interface).expect("every message has an answer")
    }

    pub fn exchange(&mut self, transfer: &[u8]) -> Vec<u8> {
        self.exchange_on(Interface::Ccid, transfer)
    }

    /// A good command works.
    pub fn works_on(&mut self, interface: Interface) {
        let power_on = message(0x62, 0x71, [0; 3], &[]);
        let answer = self.exchange_on(interface, &power_on);
        assert_eq!(answer, [&[0x80, 24, 0, 0, 0, 0, 0x71, 0, 0, 0][..], &ATR].concat());
        let apdu = [0x00, 0xA4, 0x04, 0x00];
        let answer = self.exchange_on(interface, &message(0x6F, 0x72, [0; 3], &apdu));
        assert_eq!(answer, [&[0x80, 6, 0, 0, 0, 0, 0x72, 0, 0, 0][..], &echo(&apdu)].concat());
    }

    pub fn control(&mut self, request: u8, value: u16) -> bool {
        let now = self.now;
        self.ccid.control(request, value, &mut self.slot, now)
    }

    pub fn works(&mut self) {
        self.works_on(Interface::Ccid);
    }
}

/// A message of the host.
pub fn message(message_type: u8, seq: u8, specific: [u8; 3], data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).expect("short").to_le_bytes();
    [&[message_type], &length[..], &[0, seq], &specific, data].concat()
}
