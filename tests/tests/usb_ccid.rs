//! CCID as a host speaks it to the simulator over USB/IP: sessions, lengths, the two interfaces, plugging in and out.

use anyhow::{Context, Result, ensure};
use ferrite_tests::script::Device;
use ferrite_tests::usb::ccid::{Answer, OverUsb, Pipe, READ, message};
use ferrite_tests::usb::descriptors::Configuration;
use ferrite_tests::usb::{Attachment, UNLINKED};

const SELECT: &[u8] = b"\x00\xA4\x04\x00\x0B\xE8\x2B\x06\x01\x04\x01\x81\xC3\x1F\x02\x01\x00";
const INITIALIZE: &[u8] = b"\x80\x50\x00\x00\x19\x80\x02\x00\x01\x81\x06648219\x82\x0857621880\x91\x01\x03";
const VERIFY: &[u8] = b"\x00\x20\x00\x81\x06648219";
const LOGGED_IN: &[u8] = b"\x00\x20\x00\x81";
const OK: [u8; 2] = [0x90, 0x00];

fn initialized() -> Result<OverUsb> {
    let mut device = OverUsb::blank()?;
    device.transmit(SELECT)?;
    ensure!(device.transmit(INITIALIZE)? == OK);
    Ok(device)
}

fn log_in(device: &mut OverUsb) -> Result<()> {
    device.transmit(SELECT)?;
    ensure!(device.transmit(VERIFY)? == OK);
    ensure!(device.transmit(LOGGED_IN)? == OK);
    Ok(())
}

/// Whether the user is logged in, after a selection that a reset may have undone.
fn logged_in(device: &mut OverUsb) -> Result<bool> {
    Ok(device.transmit(LOGGED_IN)? == OK || {
        device.transmit(SELECT)?;
        device.transmit(LOGGED_IN)? == OK
    })
}

fn vendor(usb: &mut Attachment) -> Result<Pipe> {
    let configuration = usb.descriptor(2, 0, 0, 512)?.context("no configuration")?;
    Pipe::of_class(&Configuration::parse(&configuration)?, 0xFF)
}

#[test]
fn the_longest_commands_and_responses_pass() -> Result<()> {
    let mut device = initialized()?;
    let longest = [&[0x00, 0xFE, 0, 0, 0, 0xFF, 0xFF][..], &[0x5A; 65535], &[0, 0]].concat();
    assert_eq!(device.transmit(&longest)?, [0x6D, 0x00], "an unknown instruction with all the data there can be");
    log_in(&mut device)?;
    // The header of the data object and its 60000 bytes, in one command.
    let content: Vec<u8> = (0..60000_u32).map(|index| (index % 253) as u8).collect();
    let body = [&[0x54, 0x02, 0x00, 0x00, 0x53, 0x82, 0xEA, 0x60][..], &content].concat();
    let length = u16::try_from(body.len())?.to_be_bytes();
    let update = [&[0x00, 0xD7, 0xCF, 0x01, 0x00][..], &length, &body].concat();
    assert_eq!(device.transmit(&update)?, OK);
    let read = [0x00, 0xB1, 0xCF, 0x01, 0x00, 0x00, 0x04, 0x54, 0x02, 0x00, 0x00, 0x00, 0x00];
    let response = device.transmit(&read)?;
    assert!(response == [&content[..], &OK].concat(), "{} bytes", response.len());
    Ok(())
}

#[test]
fn a_command_may_come_in_several_messages() -> Result<()> {
    let mut device = initialized()?;
    let (usb, pipe) = device.usb()?;
    for (level, part) in [(1, &SELECT[..3]), (3, &SELECT[3..10])] {
        let answer = pipe.exchange(usb, 0x6F, [0, level, 0], part)?;
        assert_eq!((answer.status, answer.last, answer.data), (0, 0x10, vec![]));
    }
    let answer = pipe.exchange(usb, 0x6F, [0, 2, 0], &SELECT[10..])?;
    assert!(answer.data.starts_with(&[0x62]) && answer.data.ends_with(&OK), "{answer:02X?}");
    Ok(())
}

#[test]
fn power_off_power_on_unplugging_and_a_new_configuration_end_the_session() -> Result<()> {
    let mut device = initialized()?;
    type Step = fn(&mut OverUsb) -> Result<()>;
    let steps: [(&str, Step); 4] = [
        ("power on", |device| {
            let (usb, pipe) = device.usb()?;
            pipe.power_on(usb).map(|_| ())
        }),
        ("power off and on", Device::reset),
        ("unplugging", |device| {
            device.unplug();
            device.plug_in()
        }),
        ("a new configuration", |device| {
            let (usb, pipe) = device.usb()?;
            usb.configure()?;
            pipe.power_on(usb).map(|_| ())
        }),
    ];
    for (what, step) in steps {
        log_in(&mut device)?;
        step(&mut device)?;
        ensure!(!logged_in(&mut device)?, "{what} leaves the session open");
    }
    Ok(())
}

#[test]
fn a_session_belongs_to_its_interface() -> Result<()> {
    let mut device = initialized()?;
    log_in(&mut device)?;
    let (usb, _) = device.usb()?;
    let mut page = vendor(usb)?;
    page.power_on(usb)?;
    ensure!(logged_in(&mut device)?, "powering on the other interface ends no session");
    let (usb, _) = device.usb()?;
    assert_ne!(page.transmit(usb, LOGGED_IN)?, OK, "the other interface inherits the session");
    ensure!(!logged_in(&mut device)?, "and it is not there to come back to");
    Ok(())
}

#[test]
fn the_vendor_interface_starts_in_the_rescue_application() -> Result<()> {
    const RESCUE: &[u8] = b"\x00\xA4\x04\x04\x08\xA0\x58\x3F\xC1\x9B\x7E\x4F\x21\x00";
    // An instruction that the rescue application does not have, in a class that it does not have.
    const FOREIGN: &[u8] = b"\x00\xFE\x00\x00";
    let mut device = initialized()?;
    let (usb, reader) = device.usb()?;
    let mut page = vendor(usb)?;
    page.power_on(usb)?;
    let at_first = page.transmit(usb, FOREIGN)?;
    let selected = page.transmit(usb, RESCUE)?;
    assert_eq!(selected[..2], [3, 1], "a virtual device, an HSM");
    assert_eq!(page.transmit(usb, FOREIGN)?, at_first, "as after selecting it");
    page.transmit(usb, SELECT)?;
    page.power_off(usb)?;
    page.power_on(usb)?;
    assert_eq!(page.transmit(usb, FOREIGN)?, at_first, "and again after every reset");
    reader.transmit(usb, SELECT)?;
    assert_eq!(page.transmit(usb, FOREIGN)?, at_first, "and when it gets the card back");
    Ok(())
}

#[test]
fn what_the_owner_configures_holds_after_a_restart() -> Result<()> {
    const WRITE: &[u8] = b"\x80\x1C\x01\x00\x0F\x00\x04\x12\x09\xAB\xCD\x09\x04Safe\x0B\x01\x02";
    let mut device = OverUsb::blank()?;
    let (usb, reader) = device.usb()?;
    let mut page = vendor(usb)?;
    page.power_on(usb)?;
    assert_eq!(page.transmit(usb, WRITE)?, OK, "to identifiers, name, and the vendor interface alone");
    assert_eq!(usb.string(2)?, "Ferrite HSM", "not while the device is plugged in");
    reader.power_on(usb)?;
    // There is no reader any more that could be powered on.
    ensure!(device.restart().is_err());
    let mut usb = device.attach()?;
    assert_eq!(usb.descriptor(1, 0, 0, 18)?.context("no descriptor")?[8..12], [0x09, 0x12, 0xCD, 0xAB]);
    assert_eq!(usb.string(2)?, "Safe");
    let mut page = vendor(&mut usb)?;
    usb.configure()?;
    page.power_on(&mut usb)?;
    Ok(())
}

#[test]
fn a_card_is_announced_once_for_each_configuration() -> Result<()> {
    let mut device = OverUsb::blank()?;
    let (usb, _) = device.usb()?;
    assert_eq!(usb.bulk_in(0x82, 64)?, [0x50, 0x03]);
    let waiting = usb.submit(0x82, [0; 8], 64, &[])?;
    assert_eq!(usb.unlink(waiting)?, None, "nothing else happens");
    usb.configure()?;
    assert_eq!(usb.bulk_in(0x82, 64)?, [0x50, 0x03]);
    Ok(())
}

#[test]
fn one_client_at_a_time_has_the_device() -> Result<()> {
    let mut device = OverUsb::blank()?;
    ensure!(Attachment::new(device.address()?, "1-1")?.is_none(), "two have it");
    ensure!(Attachment::new(device.address()?, "1-2")?.is_none(), "there is no such device");
    let (usb, pipe) = device.usb()?;
    pipe.power_on(usb)?;
    device.unplug();
    device.plug_in()
}

#[test]
fn transfers_wait_for_data_and_can_be_taken_back() -> Result<()> {
    let mut device = OverUsb::blank()?;
    let (usb, pipe) = device.usb()?;
    let early = usb.submit(pipe.bulk_in, [0; 8], READ, &[])?;
    let late = usb.submit(pipe.bulk_in, [0; 8], READ, &[])?;
    assert_eq!(usb.unlink(late)?, None);
    usb.bulk_out(pipe.bulk_out, &message(0x65, 0x33, [0; 3], &[]))?;
    let completion = usb.wait(early)?;
    let answer = Answer::parse(&completion.data)?;
    assert_eq!((answer.kind, answer.seq, answer.status), (0x81, 0x33, 0));
    assert_eq!(UNLINKED, -104);
    assert_eq!(usb.submit(0x84, [0; 8], 64, &[]).and_then(|ticket| usb.wait(ticket))?.status, -71, "no such endpoint");
    Ok(())
}

#[test]
fn a_halted_endpoint_works_again_when_the_halt_is_cleared() -> Result<()> {
    let mut device = OverUsb::blank()?;
    let (usb, pipe) = device.usb()?;
    for endpoint in [pipe.bulk_out, pipe.bulk_in] {
        assert_eq!(usb.control_out([0x02, 0x03], 0, endpoint.into(), &[])?.status, 0);
        assert_eq!(usb.control_in([0x82, 0x00], 0, endpoint.into(), 2)?.data, [1, 0]);
        ensure!(usb.control_out([0x02, 0x01], 0, endpoint.into(), &[])?.status == 0);
        assert_eq!(usb.control_in([0x82, 0x00], 0, endpoint.into(), 2)?.data, [0, 0]);
        pipe.power_on(usb)?;
    }
    Ok(())
}
