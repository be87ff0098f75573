//! Malformed and out-of-order CCID and control transfers, from a list and from a generator with a known seed: never a hang,
//! never a reset, and the next good command works.

use anyhow::{Context, Result, bail, ensure};
use ferrite_tests::script::Device;
use ferrite_tests::usb::ccid::{OverUsb, Pipe, READ, message};
use ferrite_tests::usb::descriptors::Configuration;
use ferrite_tests::usb::{Attachment, Ticket};

const SELECT: &[u8] = b"\x00\xA4\x04\x00\x0B\xE8\x2B\x06\x01\x04\x01\x81\xC3\x1F\x02\x01\x00";

/// How a host gets in step with the device again: the two halves of an abort (CCID 1.1 §5.3.1).
fn abort(usb: &mut Attachment, pipe: &Pipe, interface: u16, seq: u8) -> Result<()> {
    ensure!(usb.control_out([0x21, 0x01], u16::from_be_bytes([seq, 0]), interface, &[])?.status == 0, "ABORT");
    usb.bulk_out(pipe.bulk_out, &message(0x72, seq, [0; 3], &[]))?;
    let answer = pipe.answer_to(usb, seq)?;
    ensure!(answer.kind == 0x81 && answer.error == 0, "{answer:02X?}");
    Ok(())
}

/// A good command works: at once, or as soon as the card has finished one that was aborted.
fn works(usb: &mut Attachment, pipe: &mut Pipe) -> Result<()> {
    ensure!(pipe.power_on(usb)?.starts_with(&[0x3B]), "no ATR");
    for _ in 0..10_000 {
        let answer = pipe.exchange(usb, 0x6F, [0; 3], SELECT)?;
        if (answer.status, answer.error) != (0x40, 0xE0) {
            ensure!(answer.status == 0 && answer.data.ends_with(&[0x90, 0x00]), "{answer:02X?}");
            return Ok(());
        }
    }
    bail!("the slot stays busy");
}

fn with_length(mut message: Vec<u8>, length: u32) -> Vec<u8> {
    message[1..5].copy_from_slice(&length.to_le_bytes());
    message
}

#[test]
fn the_next_good_command_works_after_each_malformed_one() -> Result<()> {
    let mut device = OverUsb::blank()?;
    let select = message(0x6F, 0xA0, [0; 3], SELECT);
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", vec![]),
        ("one byte", vec![0x6F]),
        ("half a header", message(0x6F, 0xA0, [0; 3], &[])[..6].to_vec()),
        ("a header without its last byte", message(0x65, 0xA0, [0; 3], &[])[..9].to_vec()),
        ("a message that promises more", with_length(select.clone(), 500)),
        ("a message that promises the world", with_length(select.clone(), u32::MAX)),
        ("a message that promises less", with_length(select.clone(), 4)),
        ("a message that promises nothing", with_length(select.clone(), 0)),
        ("whole packets that promise more", with_length(message(0x6F, 0xA0, [0; 3], &[0; 118]), 70000)),
        ("whole packets that promise a little more", with_length(message(0x6F, 0xA0, [0; 3], &[0; 118]), 200)),
        ("power on with data", message(0x62, 0xA0, [0; 3], &[1; 100])),
        ("an APDU longer than any", message(0x6F, 0xA0, [0; 3], &[0; 65545])),
        ("an APDU of no bytes", message(0x6F, 0xA0, [0; 3], &[])),
        ("an APDU of one byte", message(0x6F, 0xA0, [0; 3], &[0])),
        ("the end of a chain that never began", message(0x6F, 0xA0, [0, 2, 0], SELECT)),
        ("the beginning of a chain", message(0x6F, 0xA0, [0, 1, 0], SELECT)),
        ("the next part of a response that is whole", message(0x6F, 0xA0, [0, 0x10, 0], &[])),
        ("another slot", [&select[..5], &[9], &select[6..]].concat()),
        ("two messages at once", [select.clone(), select.clone()].concat()),
        ("an abort of nothing", message(0x72, 0xA0, [0; 3], &[])),
        ("a message of the reader's", message(0x80, 0xA0, [0; 3], &[0x90, 0x00])),
        ("half a packet of FF", vec![0xFF; 32]),
        ("a packet of FF", vec![0xFF; 64]),
        ("many packets of FF", vec![0xFF; 6400]),
        ("many packets of 00", vec![0; 6400]),
    ];
    for (what, transfer) in cases {
        let (usb, pipe) = device.usb()?;
        // Reads wait for whatever is answered, so that nothing is held up.
        let reads = listen(usb, pipe, 3)?;
        let sent = usb.submit(pipe.bulk_out, [0; 8], transfer.len(), &transfer)?;
        ensure!(usb.wait(sent)?.status == 0, "{what} is not taken");
        hang_up(usb, reads)?;
        abort(usb, pipe, 0, 0xC7).with_context(|| format!("after {what}"))?;
        works(usb, pipe).with_context(|| format!("after {what}"))?;
    }
    Ok(())
}

#[test]
fn a_message_broken_off_is_given_up_after_a_while_without_an_abort() -> Result<()> {
    let mut device = OverUsb::blank()?;
    let (usb, pipe) = device.usb()?;
    usb.bulk_out(pipe.bulk_out, &with_length(message(0x6F, 0xA0, [0; 3], &[0; 54]), 70000))?;
    let answer = pipe.answer_to(usb, 0xA0)?;
    assert_eq!((answer.kind, answer.status, answer.error), (0x80, 0x40, 1));
    works(usb, pipe)
}

/// Asks for several answers in advance.
fn listen(usb: &mut Attachment, pipe: &Pipe, count: usize) -> Result<Vec<Ticket>> {
    (0..count).map(|_| usb.submit(pipe.bulk_in, [0; 8], READ, &[])).collect()
}

/// Takes back what was not answered.
fn hang_up(usb: &mut Attachment, reads: Vec<Ticket>) -> Result<()> {
    for read in reads {
        usb.unlink(read)?;
    }
    Ok(())
}

/// Numbers that look like chance and are the same every time (xorshift64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn byte(&mut self) -> u8 {
        self.next() as u8
    }

    fn bytes(&mut self, count: u64) -> Vec<u8> {
        (0..count).map(|_| self.byte()).collect()
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// A transfer to a bulk endpoint: nearly good messages, parts of them, and noise.
    fn transfer(&mut self) -> Vec<u8> {
        let kinds = [0x61, 0x62, 0x63, 0x65, 0x69, 0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x6F, 0x6F, 0x6F, 0x71, 0x72, 0x73];
        let limit = self.one_of(&[1, 12, 55, 200, 3000]);
        let count = self.below(limit);
        let data = self.bytes(count);
        let specific = [self.one_of(&[0, 0, 1, 2]), self.one_of(&[0, 0, 0, 1, 2, 3, 0x10]), 0];
        let mut transfer = message(self.one_of(&kinds), self.byte() & 0x7F, specific, &data);
        match self.below(8) {
            0 => self.bytes(limit),
            1 => {
                let length = self.below(100_000);
                with_length(transfer, u32::try_from(length).unwrap_or_default())
            }
            2 => {
                let keep = self.below(transfer.len() as u64);
                transfer.truncate(keep as usize);
                transfer
            }
            3 => {
                transfer[5] = self.byte();
                transfer
            }
            _ => transfer,
        }
    }

    /// Any request on the control pipe, but mostly those that mean something.
    fn request(&mut self) -> [u8; 6] {
        let request_type = self.one_of(&[0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0x21, 0xA1, 0xC0, 0x40, 0x23, 0xFF]);
        let request = self.byte() % if self.below(4) == 0 { 255 } else { 13 };
        let small = |chance: &mut Self| if chance.below(4) == 0 { chance.byte() } else { chance.byte() % 4 };
        let (value, index) = ([small(self), self.byte() % 18], [self.one_of(&[0, 1, 2, 3, 7, 0x81, 0x83]), 0]);
        [request_type, request, value[0], value[1], index[0], index[1]]
    }
}

/// After whatever chance did, a host clears halts, sees to it that the device is configured, and aborts.
fn recover(usb: &mut Attachment, pipes: &mut [Pipe; 2]) -> Result<()> {
    for pipe in &*pipes {
        for endpoint in [pipe.bulk_out, pipe.bulk_in] {
            ensure!(usb.control_out([0x02, 0x01], 0, endpoint.into(), &[])?.status == 0, "CLEAR_FEATURE");
        }
    }
    if usb.control_in([0x80, 0x08], 0, 0, 1)?.data != [1] {
        usb.configure()?;
    }
    for (interface, pipe) in (0..).zip(&*pipes) {
        abort(usb, pipe, interface, 0xC7)?;
    }
    pipes.iter_mut().try_for_each(|pipe| works(usb, pipe))
}

fn chance_does_no_harm(seed: u64) -> Result<()> {
    let mut device = OverUsb::blank()?;
    let mut chance = Chance(seed);
    let (usb, _) = device.usb()?;
    let configuration = usb.descriptor(2, 0, 0, 512)?.context("no configuration")?;
    let configuration = Configuration::parse(&configuration)?;
    let mut pipes = [Pipe::of_class(&configuration, 0x0B)?, Pipe::of_class(&configuration, 0xFF)?];
    for round in 0..100 {
        let mut reads = listen(usb, &pipes[0], 40)?;
        reads.extend(listen(usb, &pipes[1], 40)?);
        let mut writes = Vec::new();
        for _ in 0..20 {
            if chance.below(3) > 0 {
                let transfer = chance.transfer();
                let endpoint = chance.one_of(&[pipes[0].bulk_out, pipes[0].bulk_out, pipes[1].bulk_out]);
                writes.push(usb.submit(endpoint, [0; 8], transfer.len(), &transfer)?);
            } else {
                let [request_type, request, v0, v1, i0, i1] = chance.request();
                let (value, index) = (u16::from_le_bytes([v0, v1]), u16::from_le_bytes([i0, i1]));
                if request_type & 0x80 != 0 {
                    let length = chance.one_of(&[0, 1, 8, 64, 255, 4096]);
                    usb.control_in([request_type, request], value, index, length)?;
                } else {
                    let limit = chance.one_of(&[1, 1, 9, 200]);
                    let count = chance.below(limit);
                    usb.control_out([request_type, request], value, index, &chance.bytes(count))?;
                }
            }
        }
        hang_up(usb, writes)?;
        hang_up(usb, reads)?;
        recover(usb, &mut pipes).with_context(|| format!("seed {seed:X}, round {round}"))?;
    }
    device.transmit(SELECT).map(|_| ())
}

#[test]
fn chance_does_no_harm_1() -> Result<()> {
    chance_does_no_harm(0x0001_9E37_79B9_7F4A)
}

#[test]
fn chance_does_no_harm_2() -> Result<()> {
    chance_does_no_harm(0x7C15_F39C_C060_5CED)
}
