//! The virtual device's card as the USB side needs it.

use crate::device::Interface;
use ferrite_proto::aid::RESCUE;
use ferrite_usb::{Interface as UsbInterface, SmartCard};
use zeroize::Zeroize;

/// One interface of the virtual device.
pub(super) struct UsbCard {
    card: Interface,
    command: Vec<u8>,
    response: Vec<u8>,
    /// The next command comes from a page or a tool, which starts in the rescue application.
    starts_in_rescue: bool,
}

impl UsbCard {
    pub(super) fn new(card: Interface) -> Self {
        Self { card, command: Vec::new(), response: Vec::new(), starts_in_rescue: false }
    }

    /// The card's answer; 6F00 from a card that is gone.
    fn answer(&self, apdu: &[u8]) -> Vec<u8> {
        self.card.transmit(apdu).unwrap_or_else(|_| vec![0x6F, 0x00])
    }
}

impl SmartCard for UsbCard {
    fn reset(&mut self, user: Option<UsbInterface>) {
        // A card that is gone has no session left.
        let _ = self.card.reset();
        // Not selected yet: that would take the card from who has it now.
        self.starts_in_rescue = user == Some(UsbInterface::Vendor);
    }

    fn clear(&mut self) {
        self.command.zeroize();
        self.response.zeroize();
    }

    fn append(&mut self, bytes: &[u8]) {
        self.command.extend_from_slice(bytes);
    }

    fn transmit(&mut self) -> &[u8] {
        if std::mem::take(&mut self.starts_in_rescue) {
            let length = u8::try_from(RESCUE.len()).unwrap_or_default();
            self.answer(&[&[0x00, 0xA4, 0x04, 0x04, length], &RESCUE[..], &[0x00]].concat());
        }
        self.response = self.answer(&self.command);
        self.command.zeroize();
        &self.response
    }
}
