//! What the device says about itself over USB, byte for byte and through a strict parser (specification part 3 §4).

use anyhow::{Context, Result, ensure};
use ferrite_proto::configuration::{Configuration as DeviceConfiguration, Interfaces, Product, UsbIds};
use ferrite_sim::usbip::UsbIp;
use ferrite_sim::{Options, VirtualDevice};
use ferrite_tests::TempDir;
use ferrite_tests::usb::descriptors::{Configuration, Device, Endpoint, capabilities};
use ferrite_tests::usb::{Attachment, STALL, device_list};
use ferrite_usb::descriptor::LandingPage;

/// Class descriptor of the reader.
const CCID: &str = "36 21 10 01 00 01 03 00 00 00 FC 0D 00 00 FC 0D 00 00 00 80 25 00 00 80 25 00 00 00 FE 00 00 00 \
                    00 00 00 00 00 00 00 00 40 08 04 00 12 00 01 00 FF FF 00 00 00 01";
const USB_2_0_EXTENSION: &str = "07 10 02 00 00 00 00";
const WEBUSB: &str = "18 10 05 00 38 B6 08 34 A9 09 A0 47 8B FD A0 76 88 15 B6 65 00 01 01";
const MS_OS: &str = "1C 10 05 00 DF 60 DD D8 89 45 C7 4C 9C D2 65 9D 9E 64 8A 9F 00 00 03 06 B2 00 02 00";

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text.replace(' ', "")).expect("hexadecimal")
}

/// A device of this configuration, in this process.
struct Plugged {
    usb: Attachment,
    address: String,
    device: VirtualDevice,
    _dir: TempDir,
}

fn plug_in(configuration: &DeviceConfiguration, page: Option<LandingPage<'static>>) -> Result<Plugged> {
    let dir = TempDir::new()?;
    let device = VirtualDevice::open(dir.path(), Options::default())?;
    let mut identity = UsbIp::identity(&device, configuration);
    if let Some(page) = page {
        identity = identity.with_landing_page(page);
    }
    let server = UsbIp::bind("127.0.0.1:0", &device, identity)?;
    let address = server.address()?.to_string();
    server.serve()?;
    let usb = Attachment::new(&address, "1-1")?.context("refused")?;
    Ok(Plugged { usb, address, device, _dir: dir })
}

fn plain() -> Result<Plugged> {
    plug_in(&DeviceConfiguration::default(), None)
}

fn with_interfaces(mask: u8) -> Result<Plugged> {
    let interfaces = Some(Interfaces::new(mask).context("no interface")?);
    plug_in(&DeviceConfiguration { interfaces, ..DeviceConfiguration::default() }, None)
}

impl Plugged {
    fn descriptor(&mut self, kind: u8) -> Result<Vec<u8>> {
        self.usb.descriptor(kind, 0, 0, 512)?.with_context(|| format!("no descriptor {kind}"))
    }

    fn configuration(&mut self) -> Result<Configuration> {
        Configuration::parse(&self.descriptor(2)?)
    }
}

#[test]
fn the_device_descriptor_is_as_it_must_be() -> Result<()> {
    let mut plugged = plain()?;
    let descriptor = plugged.descriptor(1)?;
    assert_eq!(descriptor, bytes("12 01 10 02 00 00 00 40 FF FE FD FC 10 00 01 02 03 01"));
    assert_eq!(Device::parse(&descriptor)?, Device { ids: (0xFEFF, 0xFCFD), release: 0x0010, strings: [1, 2, 3] });
    let first_packet = plugged.usb.descriptor(1, 0, 0, 8)?.context("no descriptor")?;
    assert_eq!(first_packet, descriptor[..8], "a host that asks for less gets less");
    assert_eq!(plugged.usb.record[300..306], [0xFE, 0xFF, 0xFC, 0xFD, 0x00, 0x10], "as USB/IP says");
    let list = device_list(&plugged.address)?;
    assert_eq!(list[4..316], plugged.usb.record);
    Ok(())
}

#[test]
fn the_configuration_is_as_it_must_be() -> Result<()> {
    let mut plugged = plain()?;
    let expected = [
        "09 02 A9 00 02 01 00 80 32",
        "09 04 00 00 03 0B 00 00 04",
        CCID,
        "07 05 01 02 40 00 00",
        "07 05 81 02 40 00 00",
        "07 05 82 03 40 00 0A",
        "09 04 01 00 02 FF 00 00 05",
        &CCID.replace("36 21", "35 21")[..53 * 3 - 1],
        "07 05 03 02 40 00 00",
        "07 05 83 02 40 00 00",
    ];
    let descriptor = plugged.descriptor(2)?;
    assert_eq!(descriptor, bytes(&expected.join(" ")));
    let parsed = Configuration::parse(&descriptor)?;
    assert_eq!((parsed.attributes, parsed.max_power), (0x80, 100));
    assert_eq!(parsed.interfaces[0].endpoints[2], Endpoint { address: 0x82, kind: 3, interval: 10 });
    Ok(())
}

#[test]
fn an_interface_that_is_switched_off_is_not_there() -> Result<()> {
    let mut plugged = with_interfaces(1)?;
    let parsed = plugged.configuration()?;
    assert_eq!(parsed.interfaces.len(), 1);
    assert_eq!((parsed.interfaces[0].number, parsed.interfaces[0].class), (0, [0x0B, 0, 0]));
    assert_eq!(plugged.descriptor(2)?.len(), 169 - 76);
    assert_eq!(plugged.descriptor(15)?, bytes(&format!("05 0F 0C 00 01 {USB_2_0_EXTENSION}")), "nothing for pages");
    assert_eq!(plugged.usb.control_in([0xC0, 2], 0, 7, 512)?.status, STALL, "nothing for Windows");

    let mut plugged = with_interfaces(2)?;
    let parsed = plugged.configuration()?;
    assert_eq!(parsed.interfaces.len(), 1);
    assert_eq!((parsed.interfaces[0].number, parsed.interfaces[0].class), (0, [0xFF, 0, 0]));
    assert_eq!(parsed.interfaces[0].bulk()?, (0x03, 0x83), "endpoints keep their addresses");
    assert_eq!(plugged.descriptor(2)?.len(), 169 - 84);
    let set = plugged.usb.control_in([0xC0, 2], 0, 7, 512)?.data;
    assert_eq!(set[0x16], 0, "the function begins with interface 0");
    assert_eq!(plugged.usb.string(parsed.interfaces[0].string)?, "Ferrite HSM WebCCID Interface");
    Ok(())
}

#[test]
fn strings_name_the_device() -> Result<()> {
    let mut plugged = plain()?;
    assert_eq!(plugged.usb.descriptor(3, 0, 0, 255)?, Some(bytes("04 03 09 04")));
    let serial: String = plugged.device.unique_id().iter().map(|byte| format!("{byte:02X}")).collect();
    let expected = ["Ferrite", "Ferrite HSM", &serial, "Ferrite HSM CCID Interface", "Ferrite HSM WebCCID Interface"];
    for (number, text) in (1..).zip(expected) {
        assert_eq!(plugged.usb.string(number)?, text);
    }
    for number in [6, 7, 0x7F, 0xFF] {
        assert_eq!(plugged.usb.descriptor(3, number, 0x0409, 255)?, None, "string {number}");
    }
    Ok(())
}

#[test]
fn the_owner_decides_about_names_and_numbers() -> Result<()> {
    let configuration = DeviceConfiguration {
        usb_ids: Some(UsbIds { vendor: 0x1209, product: 0xABCD }),
        product: Product::new(b"The safe of accounts receivable"),
        ..DeviceConfiguration::default()
    };
    let mut plugged = plug_in(&configuration, None)?;
    assert_eq!(Device::parse(&plugged.descriptor(1)?)?.ids, (0x1209, 0xABCD));
    assert_eq!(plugged.usb.string(2)?, "The safe of accounts receivable");
    assert_eq!(plugged.usb.string(4)?, "The safe of accounts receivable", "31 characters at most");
    Ok(())
}

#[test]
fn browsers_and_windows_find_the_vendor_interface() -> Result<()> {
    let mut plugged = plain()?;
    let bos = plugged.descriptor(15)?;
    assert_eq!(bos, bytes(&format!("05 0F 40 00 03 {USB_2_0_EXTENSION} {WEBUSB} 00 {MS_OS}")));
    assert_eq!(capabilities(&bos)?.len(), 3);

    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    let expected = [
        bytes("0A 00 00 00 00 00 03 06 B2 00"),
        bytes("08 00 01 00 00 00 A8 00"),
        bytes("08 00 02 00 01 00 A0 00"),
        [&bytes("14 00 03 00")[..], b"WINUSB\0\0", &[0; 8]].concat(),
        [bytes("84 00 04 00 07 00 2A 00"), utf16("DeviceInterfaceGUIDs\0")].concat(),
        [bytes("50 00"), utf16("{C96BF04E-1599-47E4-BB8B-83DD5584FBF3}\0\0")].concat(),
    ];
    let set = plugged.usb.control_in([0xC0, 2], 0, 7, 512)?;
    assert_eq!(set.data, expected.concat());
    assert_eq!(set.data.len(), 0xB2);
    assert_eq!(plugged.usb.control_in([0xC0, 2], 0, 8, 512)?.status, STALL, "there is no other index");
    Ok(())
}

#[test]
fn a_landing_page_is_told_only_if_there_is_one() -> Result<()> {
    let mut plugged = plain()?;
    assert_eq!(plugged.usb.control_in([0xC0, 1], 1, 2, 255)?.status, STALL);

    let page = LandingPage::https("hsm.example/start").context("too long")?;
    let mut plugged = plug_in(&DeviceConfiguration::default(), Some(page))?;
    let bos = plugged.descriptor(15)?;
    assert_eq!(bos, bytes(&format!("05 0F 40 00 03 {USB_2_0_EXTENSION} {WEBUSB} 01 {MS_OS}")));
    let url = plugged.usb.control_in([0xC0, 1], 1, 2, 255)?.data;
    assert_eq!(url, [&[20, 3, 1][..], b"hsm.example/start"].concat());
    for (value, index) in [(0, 2), (2, 2), (1, 1), (1, 0)] {
        assert_eq!(plugged.usb.control_in([0xC0, 1], value, index, 255)?.status, STALL, "{value} {index}");
    }
    Ok(())
}

#[test]
fn class_requests_do_what_the_class_says() -> Result<()> {
    let mut plugged = plain()?;
    plugged.usb.configure()?;
    let cases = [
        ("GET_CLOCK_FREQUENCIES", 0xA1, 0x02, 0, STALL),
        ("GET_DATA_RATES", 0xA1, 0x03, 0, STALL),
        ("an unknown request", 0xA1, 0x55, 0, STALL),
        ("a request to an interface that is not there", 0xA1, 0x02, 5, STALL),
    ];
    for (what, request_type, request, interface, status) in cases {
        let completion = plugged.usb.control_in([request_type, request], 0, interface, 64)?;
        assert_eq!(completion.status, status, "{what}");
    }
    let cases = [
        ("ABORT", 0x01, 0x0700, 0, vec![], 0),
        ("ABORT for the vendor interface", 0x01, 0x0700, 1, vec![], 0),
        ("ABORT of a slot that is not there", 0x01, 0x0701, 0, vec![], STALL),
        ("ABORT with data", 0x01, 0x0700, 0, vec![1, 2], STALL),
        ("a page that says hello", 0x22, 1, 1, vec![], 0),
        ("a page that says hello to the reader", 0x22, 1, 0, vec![], STALL),
        ("an unknown request", 0x55, 0, 0, vec![], STALL),
        ("more data than the device has room for", 0x22, 0, 1, vec![0; 1000], STALL),
    ];
    for (what, request, value, interface, data, status) in cases {
        let completion = plugged.usb.control_out([0x21, request], value, interface, &data)?;
        ensure!(completion.status == status, "{what}: {completion:?}");
    }
    Ok(())
}
