//! What is written is read back; everything else is refused.

use super::*;
use proptest::option::of;
use proptest::prelude::*;
use std::vec::Vec;

fn configuration() -> impl Strategy<Value = Configuration> {
    let ids = of(any::<[u16; 2]>().prop_map(|[vendor, product]| UsbIds { vendor, product }));
    let product = of("[ -~]{1,31}".prop_map(|name| Product::new(name.as_bytes()).expect("printable")));
    let driver = proptest::sample::select(LedDriver::ALL.to_vec());
    let order = of(proptest::sample::select(ColourOrder::ALL.to_vec()));
    let led = of((driver, order).prop_map(|(driver, order)| Led { driver, order }));
    (
        ids,
        any::<Option<u8>>(),
        of((0..=15u8).prop_map(|level| Brightness::new(level).expect("in range"))),
        of((0..16u16).prop_map(|bits| BoardOptions::new(bits).expect("known"))),
        of((1..=60u8).prop_map(|seconds| PresenceTimeout::new(seconds).expect("in range"))),
        product,
        of((0..0x800u32).prop_map(|bits| Curves::new(bits).expect("known"))),
        of((1..0x20u8).prop_filter_map("without both", Interfaces::new)),
        led,
    )
        .prop_map(|(usb_ids, led_pin, brightness, options, presence_timeout, product, curves, interfaces, led)| {
            Configuration { usb_ids, led_pin, brightness, options, presence_timeout, product, curves, interfaces, led }
        })
}

/// The example of the specification, part 3 §3.2.
#[test]
fn the_recorded_configuration_is_read_and_written() {
    let bytes = hex::decode("000420A04230060200 0208010F0B0103".replace(' ', "")).unwrap();
    let read = Configuration::parse(&bytes).unwrap();
    assert_eq!(read.usb_ids, Some(UsbIds { vendor: 0x20A0, product: 0x4230 }));
    assert_eq!(read.presence_timeout, Some(PresenceTimeout::DEFAULT));
    assert!(read.options.unwrap().dims_led() && read.interfaces == Some(Interfaces::DEFAULT));
    let mut out = [0; Configuration::MAX_SIZE];
    let len = read.write(&mut out).unwrap();
    assert_eq!(out[..len], bytes);
}

#[test]
fn the_longest_configuration_fits() {
    let whole = Configuration {
        usb_ids: Some(UsbIds { vendor: 1, product: 2 }),
        led_pin: Some(25),
        brightness: Some(Brightness::FULL),
        options: BoardOptions::new(8),
        presence_timeout: PresenceTimeout::new(60),
        product: Product::new(&[b'x'; Product::MAX]),
        curves: Some(Curves::ALL),
        interfaces: Interfaces::new(0x1F),
        led: Some(Led { driver: LedDriver::Ws2812, order: Some(ColourOrder::Grb) }),
    };
    assert_eq!(whole.write(&mut [0; Configuration::MAX_SIZE]), Ok(Configuration::MAX_SIZE));
    assert_eq!(whole.or(Configuration::default()), whole);
    assert_eq!(Configuration::default().or(whole), whole);
}

#[test]
fn what_is_malformed_unknown_or_out_of_range_is_refused_as_a_whole() {
    for bytes in [
        "00",
        "0004",
        "000420A042",
        "000320A042",
        "000520A0423001",
        "0400",
        "04020102",
        "050110",
        "06020010",
        "060100",
        "080100",
        "08013D",
        "0900",
        "090100",
        "09020A41",
        "0904416CE442",
        "0A0400000800",
        "0A03000001",
        "0B0100",
        "0B0104",
        "0B0118",
        "0B0121",
        "0C0100",
        "0C0106",
        "0C020106",
        "0C03010000",
        "070100",
        "0D0100",
        "FF00",
        "040119040119",
    ] {
        let bytes = hex::decode(bytes).unwrap();
        assert_eq!(Configuration::parse(&bytes), Err(Malformed), "{bytes:02X?}");
        let after_a_good_one = [&[0x08, 1, 15][..], &bytes].concat();
        assert_eq!(Configuration::parse(&after_a_good_one), Err(Malformed), "{bytes:02X?}");
    }
    let long = [&[0x09, 32][..], &[b'x'; 32]].concat();
    assert_eq!(Configuration::parse(&long), Err(Malformed));
    // Tools may write the terminating zero of a C string.
    let terminated = Configuration::parse(&[9, 3, b'o', b'k', 0]).unwrap();
    assert_eq!(terminated.product.unwrap().as_str(), "ok");
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(configuration in configuration()) {
        let mut out = [0; Configuration::MAX_SIZE];
        let len = configuration.write(&mut out).unwrap();
        prop_assert_eq!(Configuration::parse(&out[..len]), Ok(configuration));
    }

    #[test]
    fn what_is_read_is_written_to_the_same_values(bytes: Vec<u8>) {
        if let Ok(read) = Configuration::parse(&bytes) {
            let mut out = [0; Configuration::MAX_SIZE];
            let len = read.write(&mut out).unwrap();
            prop_assert_eq!(Configuration::parse(&out[..len]), Ok(read));
        }
    }
}
