//! The card on USB: a smart-card reader and the vendor's interface.

use embassy_rp::Peri;
use embassy_rp::bind_interrupts;
use embassy_rp::peripherals::USB;
use embassy_rp::usb::{Driver, InterruptHandler};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use ferrite_proto::configuration::Configuration;
use ferrite_usb::descriptor::Identity;
use ferrite_usb::embassy::{Buffers, Reader, Usb};
use static_cell::ConstStaticCell;

/// What the board draws from the bus at most, in milliamperes.
const SUPPLY: u16 = 100;

/// What the interfaces and the card share.
pub(crate) static READER: Reader<CriticalSectionRawMutex> = Reader::new(&ferrite_card::ATR);

static BUFFERS: ConstStaticCell<Buffers<'static, CriticalSectionRawMutex>> = ConstStaticCell::new(Buffers::new());

bind_interrupts!(struct Interrupts {
    USBCTRL_IRQ => InterruptHandler<USB>;
});

/// Serves the bus for ever, as the owner configured it.
#[embassy_executor::task]
pub(crate) async fn run(usb: Peri<'static, USB>, configuration: Configuration, unique_id: [u8; 8]) -> ! {
    let identity = Identity::new(&configuration, unique_id, ferrite_card::FIRMWARE_VERSION, SUPPLY);
    let driver = Driver::new(usb, Interrupts);
    Usb::new(driver, &identity, BUFFERS.take(), &READER).run().await
}
