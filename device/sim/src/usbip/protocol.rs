//! Messages of USB/IP, protocol version 1.1.1. Everything is big-endian but the setup packet.

use ferrite_usb::descriptor::{CLASS_SMART_CARD, CLASS_VENDOR, Identity};
use std::io::{self, ErrorKind, Read};

/// The device's name on its bus, and the only one there is.
pub(super) const BUS_ID: &str = "1-1";

const VERSION: u16 = 0x0111;
const LIST_DEVICES: u16 = 0x8005;
const IMPORT: u16 = 0x8003;
const LIST_DEVICES_REPLY: u16 = 0x0005;
const IMPORT_REPLY: u16 = 0x0003;
const SUBMIT: u32 = 1;
const UNLINK: u32 = 2;
const SUBMIT_REPLY: u32 = 3;
const UNLINK_REPLY: u32 = 4;

/// Most bytes in a transfer. Linux splits at a quarter of that.
const MAX_TRANSFER: usize = 1 << 20;
/// Flag of a transfer that ends with an empty packet if its last packet is full.
const ZERO_PACKET: u32 = 0x0040;

/// Status of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(super) enum Status {
    Done = 0,
    /// EPIPE: the endpoint is stalled.
    Stalled = -32,
    /// EPROTO: there is no such endpoint.
    NoAnswer = -71,
    /// EOVERFLOW: more came than was asked for.
    Overflow = -75,
}

/// What a new connection asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Operation {
    ListDevices,
    Import(String),
}

/// A message of a client that has the device.
pub(super) enum Command {
    Submit(Urb),
    Unlink { seqnum: u32, victim: u32 },
}

/// A transfer.
pub(super) struct Urb {
    pub(super) seqnum: u32,
    pub(super) is_in: bool,
    pub(super) endpoint: u8,
    /// How many bytes the client sends or takes.
    pub(super) length: usize,
    pub(super) setup: [u8; 8],
    /// What the client sends.
    pub(super) data: Vec<u8>,
    pub(super) ends_with_empty_packet: bool,
}

fn take<const N: usize>(stream: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn number(stream: &mut impl Read) -> io::Result<u32> {
    take(stream).map(u32::from_be_bytes)
}

/// Reads the first message of a connection.
pub(super) fn read_operation(stream: &mut impl Read) -> io::Result<Operation> {
    let version = u16::from_be_bytes(take(stream)?);
    let code = u16::from_be_bytes(take(stream)?);
    let _status = number(stream)?;
    match (version, code) {
        (VERSION, LIST_DEVICES) => Ok(Operation::ListDevices),
        (VERSION, IMPORT) => {
            let bus_id: [u8; 32] = take(stream)?;
            let name = bus_id.split(|byte| *byte == 0).next().unwrap_or_default();
            Ok(Operation::Import(String::from_utf8_lossy(name).into_owned()))
        }
        _ => Err(ErrorKind::InvalidData.into()),
    }
}

/// Reads a message of a client that has the device.
pub(super) fn read_command(stream: &mut impl Read) -> io::Result<Command> {
    let command = number(stream)?;
    let seqnum = number(stream)?;
    let _device = number(stream)?;
    let is_in = number(stream)? != 0;
    let endpoint = number(stream)?;
    match command {
        SUBMIT => {
            let flags = number(stream)?;
            let length = usize::try_from(number(stream)?).unwrap_or(usize::MAX);
            let [_start_frame, _packets, _interval] = [number(stream)?, number(stream)?, number(stream)?];
            let setup = take(stream)?;
            if length > MAX_TRANSFER {
                return Err(ErrorKind::InvalidData.into());
            }
            let mut data = vec![0; if is_in { 0 } else { length }];
            stream.read_exact(&mut data)?;
            let endpoint = u8::try_from(endpoint).unwrap_or(u8::MAX);
            let ends_with_empty_packet = flags & ZERO_PACKET != 0;
            Ok(Command::Submit(Urb { seqnum, is_in, endpoint, length, setup, data, ends_with_empty_packet }))
        }
        UNLINK => {
            let victim = number(stream)?;
            let _unused: [u8; 24] = take(stream)?;
            Ok(Command::Unlink { seqnum, victim })
        }
        _ => Err(ErrorKind::InvalidData.into()),
    }
}

/// The reply to a transfer. `data` is what came in; `sent` how many bytes went out.
pub(super) fn submit_reply(seqnum: u32, status: Status, sent: usize, data: &[u8]) -> Vec<u8> {
    let actual = u32::try_from(sent.max(data.len())).unwrap_or(u32::MAX);
    let mut reply = header(SUBMIT_REPLY, seqnum, status as i32);
    reply[24..28].copy_from_slice(&actual.to_be_bytes());
    reply.extend_from_slice(data);
    reply
}

/// The reply to an unlink: whether the transfer was still there.
pub(super) fn unlink_reply(seqnum: u32, was_there: bool) -> Vec<u8> {
    const CONNECTION_RESET: i32 = -104;
    header(UNLINK_REPLY, seqnum, if was_there { CONNECTION_RESET } else { 0 })
}

fn header(command: u32, seqnum: u32, status: i32) -> Vec<u8> {
    let mut reply = vec![0; 48];
    reply[..4].copy_from_slice(&command.to_be_bytes());
    reply[4..8].copy_from_slice(&seqnum.to_be_bytes());
    reply[20..24].copy_from_slice(&status.to_be_bytes());
    reply
}

fn operation_reply(code: u16, status: u32) -> Vec<u8> {
    [&VERSION.to_be_bytes()[..], &code.to_be_bytes(), &status.to_be_bytes()].concat()
}

/// The list of devices: this one, with its interfaces.
pub(super) fn device_list(identity: &Identity<'_>) -> Vec<u8> {
    let mut reply = operation_reply(LIST_DEVICES_REPLY, 0);
    reply.extend(1_u32.to_be_bytes());
    reply.extend(device(identity));
    for class in classes(identity) {
        reply.extend([class, 0, 0, 0]);
    }
    reply
}

/// The client has the device.
pub(super) fn import_reply(identity: &Identity<'_>) -> Vec<u8> {
    [operation_reply(IMPORT_REPLY, 0), device(identity)].concat()
}

/// The client does not get it: there is no such device, or somebody has it.
pub(super) fn import_refused() -> Vec<u8> {
    operation_reply(IMPORT_REPLY, 1)
}

fn classes(identity: &Identity<'_>) -> impl Iterator<Item = u8> {
    let ccid = identity.interfaces.ccid().then_some(CLASS_SMART_CARD);
    let vendor = identity.interfaces.vendor().then_some(CLASS_VENDOR);
    ccid.into_iter().chain(vendor)
}

fn device(identity: &Identity<'_>) -> Vec<u8> {
    const BUS: u32 = 1;
    const DEVICE: u32 = 1;
    const FULL_SPEED: u32 = 2;
    let padded = |text: &str, size: usize| {
        let mut bytes = text.as_bytes().to_vec();
        bytes.resize(size, 0);
        bytes
    };
    let interfaces = u8::try_from(classes(identity).count()).unwrap_or_default();
    let mut record = padded("/sys/devices/ferrite/usb1/1-1", 256);
    record.extend(padded(BUS_ID, 32));
    for number in [BUS, DEVICE, FULL_SPEED] {
        record.extend(number.to_be_bytes());
    }
    for number in [identity.ids.vendor, identity.ids.product, identity.release()] {
        record.extend(number.to_be_bytes());
    }
    // bDeviceClass, bDeviceSubClass, bDeviceProtocol, bConfigurationValue (none yet), bNumConfigurations, bNumInterfaces
    record.extend([0, 0, 0, 0, 1, interfaces]);
    record
}

#[cfg(test)]
mod tests {
    use super::*;
    use ferrite_proto::configuration::Configuration;

    #[test]
    fn a_device_record_has_312_bytes_and_its_fields_in_place() {
        let identity = Identity::new(&Configuration::default(), [1; 8], [1, 2], 100);
        let record = device(&identity);
        assert_eq!(record.len(), 312);
        assert_eq!(record[256..260], *b"1-1\0");
        assert_eq!(record[288..300], [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2]);
        assert_eq!(record[300..], [0xFE, 0xFF, 0xFC, 0xFD, 0x01, 0x20, 0, 0, 0, 0, 1, 2]);
        let list = device_list(&identity);
        assert_eq!(list[..12], [0x01, 0x11, 0x00, 0x05, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(list[324..], [0x0B, 0, 0, 0, 0xFF, 0, 0, 0]);
    }

    #[test]
    fn replies_have_48_bytes_and_their_data() {
        let reply = submit_reply(7, Status::Stalled, 0, &[]);
        assert_eq!(reply.len(), 48);
        assert_eq!(reply[..8], [0, 0, 0, 3, 0, 0, 0, 7]);
        assert_eq!(reply[20..28], [0xFF, 0xFF, 0xFF, 0xE0, 0, 0, 0, 0]);
        assert_eq!(submit_reply(7, Status::Done, 5, &[])[24..28], [0, 0, 0, 5]);
        assert_eq!(submit_reply(7, Status::Done, 0, &[1, 2])[24..28], [0, 0, 0, 2]);
        assert_eq!(unlink_reply(9, true)[20..24], [0xFF, 0xFF, 0xFF, 0x98]);
        assert_eq!(unlink_reply(9, false)[20..24], [0; 4]);
    }

    #[test]
    fn what_is_no_message_of_the_protocol_ends_the_connection() {
        for bytes in [&[0x01, 0x10, 0x80, 0x05, 0, 0, 0, 0][..], &[0x01, 0x11, 0x80, 0x06, 0, 0, 0, 0], &[0x01]] {
            assert!(read_operation(&mut { bytes }).is_err());
        }
        let mut huge = [0; 48];
        huge[3] = 1;
        huge[24] = 0xFF;
        assert!(read_command(&mut &huge[..]).is_err(), "a transfer of 4 GB");
        assert!(read_command(&mut &[9; 48][..]).is_err());
    }
}
