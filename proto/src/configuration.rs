//! The device configuration: what the owner says about the board and its USB interface (specification part 3 §3).
//!
//! On the wire it is a sequence of data objects with tags and lengths of one byte each, not BER. Reading is strict: an
//! unknown tag, a wrong length, a value out of range or a tag that comes twice makes all of it malformed.

mod fields;
#[cfg(test)]
mod tests;

pub use fields::{
    BoardOptions, Brightness, ColourOrder, Curves, Interfaces, Led, LedDriver, PresenceTimeout, Product, UsbIds,
};

use crate::tlv::{Full, Malformed, Writer};

/// What the owner configured, or what a device goes by. An absent field has its default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Configuration {
    /// Tag 00: vendor and product identifier of the USB device. Takes effect at the next start.
    pub usb_ids: Option<UsbIds>,
    /// Tag 04: number of the pin that the LED is on. Takes effect with the next command.
    pub led_pin: Option<u8>,
    /// Tag 05: brightness of the LED.
    pub brightness: Option<Brightness>,
    /// Tag 06: switches.
    pub options: Option<BoardOptions>,
    /// Tag 08: how long the device waits for its user's presence.
    pub presence_timeout: Option<PresenceTimeout>,
    /// Tag 09: name of the product in USB strings. Takes effect at the next start.
    pub product: Option<Product>,
    /// Tag 0A: curves on which keys may be made and imported.
    pub curves: Option<Curves>,
    /// Tag 0B: USB interfaces. Takes effect at the next start.
    pub interfaces: Option<Interfaces>,
    /// Tag 0C: what drives the LED. Takes effect with the next command.
    pub led: Option<Led>,
}

impl Configuration {
    /// Longest encoding, in bytes.
    pub const MAX_SIZE: usize = 6 + 3 + 3 + 4 + 3 + 2 + Product::MAX + 6 + 3 + 4;

    /// Reads a configuration.
    ///
    /// # Errors
    /// [`Malformed`] if anything in it is not as it should be.
    pub fn parse(mut bytes: &[u8]) -> Result<Self, Malformed> {
        let mut read = Self::default();
        while let [tag, len, rest @ ..] = bytes {
            let (value, rest) = rest.split_at_checked(usize::from(*len)).ok_or(Malformed)?;
            bytes = rest;
            match (*tag, value) {
                (0x00, [v1, v0, p1, p0]) => {
                    let [vendor, product] = [[*v1, *v0], [*p1, *p0]].map(u16::from_be_bytes);
                    once(&mut read.usb_ids, Some(UsbIds { vendor, product }))
                }
                (0x04, [pin]) => once(&mut read.led_pin, Some(*pin)),
                (0x05, [level]) => once(&mut read.brightness, Brightness::new(*level)),
                (0x06, [high, low]) => once(&mut read.options, BoardOptions::new(u16::from_be_bytes([*high, *low]))),
                (0x08, [seconds]) => once(&mut read.presence_timeout, PresenceTimeout::new(*seconds)),
                (0x09, name) => once(&mut read.product, Product::new(name.strip_suffix(&[0]).unwrap_or(name))),
                (0x0A, [b3, b2, b1, b0]) => {
                    once(&mut read.curves, Curves::new(u32::from_be_bytes([*b3, *b2, *b1, *b0])))
                }
                (0x0B, [mask]) => once(&mut read.interfaces, Interfaces::new(*mask)),
                (0x0C, [driver]) => once(&mut read.led, Led::parse(*driver, None)),
                (0x0C, [driver, order]) => once(&mut read.led, Led::parse(*driver, Some(*order))),
                _ => Err(Malformed),
            }?;
        }
        if bytes.is_empty() { Ok(read) } else { Err(Malformed) }
    }

    /// Writes the fields that are there, in the order of their tags, and returns how many bytes they take.
    ///
    /// # Errors
    /// [`Full`] if `out` is too small; [`Configuration::MAX_SIZE`] always suffices.
    pub fn write(&self, out: &mut [u8]) -> Result<usize, Full> {
        let mut w = Writer::new(out);
        // No value is longer than 31 bytes, so that a length is one byte here as there.
        if let Some(UsbIds { vendor, product }) = self.usb_ids {
            let ([v1, v0], [p1, p0]) = (vendor.to_be_bytes(), product.to_be_bytes());
            w.put(0x00, &[v1, v0, p1, p0]);
        }
        if let Some(pin) = self.led_pin {
            w.put(0x04, &[pin]);
        }
        if let Some(brightness) = self.brightness {
            w.put(0x05, &[brightness.level()]);
        }
        if let Some(options) = self.options {
            w.put(0x06, &options.value().to_be_bytes());
        }
        if let Some(timeout) = self.presence_timeout {
            w.put(0x08, &[timeout.seconds()]);
        }
        if let Some(product) = &self.product {
            w.put(0x09, product.as_str().as_bytes());
        }
        if let Some(curves) = self.curves {
            w.put(0x0A, &curves.value().to_be_bytes());
        }
        if let Some(interfaces) = self.interfaces {
            w.put(0x0B, &[interfaces.value()]);
        }
        match self.led {
            Some(Led { driver, order: None }) => _ = w.put(0x0C, &[driver as u8]),
            Some(Led { driver, order: Some(order) }) => _ = w.put(0x0C, &[driver as u8, order as u8]),
            None => {}
        }
        w.finish()
    }

    /// These fields, and those of `defaults` where one is absent.
    #[must_use]
    pub fn or(self, defaults: Self) -> Self {
        Self {
            usb_ids: self.usb_ids.or(defaults.usb_ids),
            led_pin: self.led_pin.or(defaults.led_pin),
            brightness: self.brightness.or(defaults.brightness),
            options: self.options.or(defaults.options),
            presence_timeout: self.presence_timeout.or(defaults.presence_timeout),
            product: self.product.or(defaults.product),
            curves: self.curves.or(defaults.curves),
            interfaces: self.interfaces.or(defaults.interfaces),
            led: self.led.or(defaults.led),
        }
    }
}

/// Keeps a field that was read; malformed if it is out of range or was there before.
fn once<T>(field: &mut Option<T>, value: Option<T>) -> Result<(), Malformed> {
    let value = value.ok_or(Malformed)?;
    if field.replace(value).is_some() { Err(Malformed) } else { Ok(()) }
}
