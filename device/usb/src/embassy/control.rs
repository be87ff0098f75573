//! Events of the bus, and requests on the control pipe that are not standard ones.

use super::reader::{Reader, now};
use crate::descriptor::{Identity, MAX_STRING, MAX_URL, WEBUSB_VENDOR_CODE};
use crate::slot::Interface;
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_usb::Handler;
use embassy_usb::control::{InResponse, OutResponse, Recipient, Request, RequestType};
use embassy_usb::types::{InterfaceNumber, StringIndex};
use heapless::{String, Vec};

/// An interface as the control pipe knows it.
pub(super) struct Numbers {
    pub(super) interface: InterfaceNumber,
    pub(super) string: StringIndex,
}

/// The handler.
pub(super) struct Control<'d, M: RawMutex> {
    reader: &'d Reader<M>,
    pub(super) ccid: Option<Numbers>,
    pub(super) vendor: Option<Numbers>,
    ccid_name: String<MAX_STRING>,
    vendor_name: String<MAX_STRING>,
    url: Option<Vec<u8, { 3 + MAX_URL }>>,
}

impl<'d, M: RawMutex> Control<'d, M> {
    pub(super) fn new(reader: &'d Reader<M>, identity: &Identity<'_>) -> Self {
        Self {
            reader,
            ccid: None,
            vendor: None,
            ccid_name: identity.ccid_name(),
            vendor_name: identity.vendor_name(),
            url: identity.landing_page.map(|page| page.descriptor()),
        }
    }

    /// The interface that a request is for.
    fn recipient(&self, request: &Request) -> Option<Interface> {
        let is = |numbers: &Option<Numbers>| {
            numbers.as_ref().is_some_and(|numbers| u16::from(numbers.interface.0) == request.index)
        };
        match request.recipient {
            Recipient::Interface if is(&self.ccid) => Some(Interface::Ccid),
            Recipient::Interface if is(&self.vendor) => Some(Interface::Vendor),
            _ => None,
        }
    }
}

impl<M: RawMutex> Handler for Control<'_, M> {
    fn enabled(&mut self, _enabled: bool) {
        self.reader.with(|shared| shared.connect(false));
    }

    fn reset(&mut self) {
        self.reader.with(|shared| shared.connect(false));
    }

    fn configured(&mut self, configured: bool) {
        self.reader.with(|shared| shared.connect(configured));
    }

    fn suspended(&mut self, suspended: bool) {
        self.reader.with(|shared| shared.suspend(suspended));
    }

    fn control_out(&mut self, request: Request, _data: &[u8]) -> Option<OutResponse> {
        /// Sent by pages when they open the device; it has nothing to do.
        const PAGE_CONNECTED: u8 = 0x22;
        if request.request_type != RequestType::Class {
            return None;
        }
        let interface = self.recipient(&request)?;
        let is_accepted = match request.request {
            PAGE_CONNECTED => interface == Interface::Vendor,
            _ if request.length != 0 => false,
            code => self.reader.with(|shared| {
                shared.notify();
                let (ccid, slot) = shared.interface(interface);
                ccid.control(code, request.value, slot, now())
            }),
        };
        Some(if is_accepted { OutResponse::Accepted } else { OutResponse::Rejected })
    }

    fn control_in<'a>(&'a mut self, request: Request, _buf: &'a mut [u8]) -> Option<InResponse<'a>> {
        /// wIndex of WebUSB's GET_URL.
        const GET_URL: u16 = 2;
        /// wValue: the URL that the capability names.
        const LANDING_PAGE: u16 = 1;
        let is_vendor = (request.request_type, request.recipient) == (RequestType::Vendor, Recipient::Device);
        let is_url = (request.request, request.value, request.index) == (WEBUSB_VENDOR_CODE, LANDING_PAGE, GET_URL);
        if !is_vendor || !is_url {
            return None;
        }
        self.url.as_deref().map(InResponse::Accepted)
    }

    fn get_string(&mut self, index: StringIndex, _language: u16) -> Option<&str> {
        let is = |numbers: &Option<Numbers>| numbers.as_ref().is_some_and(|numbers| numbers.string == index);
        if is(&self.ccid) {
            Some(&self.ccid_name)
        } else if is(&self.vendor) {
            Some(&self.vendor_name)
        } else {
            None
        }
    }
}
