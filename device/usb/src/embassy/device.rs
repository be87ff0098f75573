//! The device: descriptors, endpoints, and everything that runs.

use super::control::{Control, Numbers};
use super::interface::{announce, answer};
use super::reader::Reader;
use crate::MAX_PACKET;
use crate::descriptor::{self, Identity, MAX_STRING};
use crate::slot::Interface;
use core::future::pending;
use core::time::Duration;
use embassy_futures::join::join4;
use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_time::Timer;
use embassy_usb::driver::{Driver, EndpointAddress};
use embassy_usb::msos::{
    CompatibleIdFeatureDescriptor, PropertyData, RegistryPropertyFeatureDescriptor, windows_version,
};
use embassy_usb::{Builder, Config, UsbDevice, UsbVersion};
use heapless::String;

/// A bus that sleeps for longer ends every session: its host sleeps, or is gone.
const SUSPEND_LIMIT: Duration = Duration::from_secs(3);

/// Memory of the USB stack: descriptors as they are sent, and one control transfer.
pub struct Buffers<'d, M: RawMutex> {
    configuration: [u8; 192],
    bos: [u8; 64],
    ms_os: [u8; 192],
    control: [u8; 128],
    product: String<MAX_STRING>,
    serial: String<16>,
    handler: Option<Control<'d, M>>,
}

impl<M: RawMutex> Buffers<'_, M> {
    /// Empty buffers, fit for a `static`.
    pub const fn new() -> Self {
        Self {
            configuration: [0; 192],
            bos: [0; 64],
            ms_os: [0; 192],
            control: [0; 128],
            product: String::new(),
            serial: String::new(),
            handler: None,
        }
    }
}

impl<M: RawMutex> Default for Buffers<'_, M> {
    fn default() -> Self {
        Self::new()
    }
}

/// Endpoints of the reader's interface.
struct CcidEndpoints<'d, D: Driver<'d>> {
    bulk_out: D::EndpointOut,
    bulk_in: D::EndpointIn,
    interrupt: D::EndpointIn,
}

/// Endpoints of the vendor interface.
struct VendorEndpoints<'d, D: Driver<'d>> {
    bulk_out: D::EndpointOut,
    bulk_in: D::EndpointIn,
}

/// The USB device.
pub struct Usb<'d, D: Driver<'d>, M: RawMutex> {
    device: UsbDevice<'d, D>,
    ccid: Option<CcidEndpoints<'d, D>>,
    vendor: Option<VendorEndpoints<'d, D>>,
    reader: &'d Reader<M>,
}

impl<'d, D: Driver<'d>, M: RawMutex> Usb<'d, D, M> {
    /// The device, in front of `reader`.
    ///
    /// # Panics
    /// The driver has no endpoints left: it must be one that nobody else uses.
    pub fn new(driver: D, identity: &Identity<'_>, buffers: &'d mut Buffers<'d, M>, reader: &'d Reader<M>) -> Self {
        let Buffers { configuration, bos, ms_os, control, product, serial, handler } = buffers;
        *product = identity.product_name();
        *serial = identity.serial_number();
        let mut config = Config::new(identity.ids.vendor, identity.ids.product);
        config.bcd_usb = UsbVersion::TwoOne;
        config.composite_with_iads = false;
        (config.device_class, config.device_sub_class, config.device_protocol) = (0, 0, 0);
        config.device_release = identity.release();
        config.manufacturer = Some(descriptor::MANUFACTURER);
        config.product = Some(product);
        config.serial_number = Some(serial);
        config.max_power = identity.supply.min(500);
        let mut builder = Builder::new(driver, config, configuration, bos, ms_os, control);
        let handler = handler.insert(Control::new(reader, identity));
        let ccid = identity.interfaces.ccid().then(|| {
            let (numbers, endpoints) = ccid(&mut builder);
            handler.ccid = Some(numbers);
            endpoints
        });
        let vendor = identity.interfaces.vendor().then(|| {
            let (numbers, endpoints) = vendor(&mut builder, identity);
            handler.vendor = Some(numbers);
            endpoints
        });
        builder.handler(handler);
        Self { device: builder.build(), ccid, vendor, reader }
    }

    /// Runs the device, forever.
    pub async fn run(&mut self) -> ! {
        let Self { device, ccid, vendor, reader } = self;
        let as_reader = async {
            match ccid {
                Some(CcidEndpoints { bulk_out, bulk_in, interrupt }) => {
                    select(answer(reader, Interface::Ccid, bulk_out, bulk_in), announce(reader, interrupt)).await;
                }
                None => pending().await,
            }
        };
        let for_pages = async {
            match vendor {
                Some(VendorEndpoints { bulk_out, bulk_in }) => {
                    answer(reader, Interface::Vendor, bulk_out, bulk_in).await;
                }
                None => pending().await,
            }
        };
        join4(device.run(), as_reader, for_pages, close_when_asleep(reader)).await.0
    }
}

/// Ends every session when the bus sleeps for long.
async fn close_when_asleep<M: RawMutex>(reader: &Reader<M>) -> ! {
    loop {
        reader.wait(|shared| shared.is_suspended.then_some(())).await;
        let awake = reader.wait(|shared| (!shared.is_suspended).then_some(()));
        let limit = Timer::after(SUSPEND_LIMIT.try_into().unwrap_or(embassy_time::Duration::MAX));
        if let Either::Second(()) = select(awake, limit).await {
            reader.with(|shared| shared.slot.close_session());
            reader.wait(|shared| (!shared.is_suspended).then_some(())).await;
        }
    }
}

fn address(address: u8) -> Option<EndpointAddress> {
    Some(EndpointAddress::from(address))
}

/// The reader's interface.
fn ccid<'d, D: Driver<'d>>(builder: &mut Builder<'d, D>) -> (Numbers, CcidEndpoints<'d, D>) {
    let name = builder.string();
    let mut function = builder.function(descriptor::CLASS_SMART_CARD, 0, 0);
    let mut interface = function.interface();
    let numbers = Numbers { interface: interface.interface_number(), string: name };
    let mut alternate = interface.alt_setting(descriptor::CLASS_SMART_CARD, 0, 0, Some(name));
    alternate.descriptor(descriptor::FUNCTIONAL, &descriptor::class_descriptor());
    let bulk_out = alternate.endpoint_bulk_out(address(descriptor::CCID_OUT), MAX_PACKET as u16);
    let bulk_in = alternate.endpoint_bulk_in(address(descriptor::CCID_IN), MAX_PACKET as u16);
    let interrupt = alternate.endpoint_interrupt_in(
        address(descriptor::CCID_INTERRUPT),
        MAX_PACKET as u16,
        descriptor::INTERRUPT_INTERVAL,
    );
    (numbers, CcidEndpoints { bulk_out, bulk_in, interrupt })
}

/// The vendor interface: no driver is needed for it in browsers and on Windows.
fn vendor<'d, D: Driver<'d>>(
    builder: &mut Builder<'d, D>,
    identity: &Identity<'_>,
) -> (Numbers, VendorEndpoints<'d, D>) {
    let name = builder.string();
    builder.msos_descriptor(windows_version::WIN8_1, descriptor::MS_OS_VENDOR_CODE);
    let mut function = builder.function(descriptor::CLASS_VENDOR, 0, 0);
    function.msos_feature(CompatibleIdFeatureDescriptor::new(descriptor::WINUSB, ""));
    function.msos_feature(RegistryPropertyFeatureDescriptor::new(
        descriptor::GUIDS_PROPERTY,
        PropertyData::RegMultiSz(&[descriptor::INTERFACE_GUID]),
    ));
    let mut interface = function.interface();
    let numbers = Numbers { interface: interface.interface_number(), string: name };
    let mut alternate = interface.alt_setting(descriptor::CLASS_VENDOR, 0, 0, Some(name));
    alternate.bos_capability(
        descriptor::PLATFORM_CAPABILITY,
        &descriptor::webusb_capability(identity.landing_page.is_some()),
    );
    alternate.descriptor(descriptor::FUNCTIONAL, &descriptor::vendor_class_descriptor());
    let bulk_out = alternate.endpoint_bulk_out(address(descriptor::VENDOR_OUT), MAX_PACKET as u16);
    let bulk_in = alternate.endpoint_bulk_in(address(descriptor::VENDOR_IN), MAX_PACKET as u16);
    (numbers, VendorEndpoints { bulk_out, bulk_in })
}
