//! The rescue application: its answer to SELECT, and its commands (specification part 3 §2).

mod command;
#[cfg(test)]
mod tests;

pub use command::{CHALLENGE, ClockForm, PROOF_LABEL, RescueCommand, Which};

/// Which product the firmware is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Product {
    /// Unknown, or a firmware with nothing but the rescue application.
    Rescue = 0,
    /// An HSM.
    Hsm = 1,
}

/// Platform, product, version and serial number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SelectAnswer {
    /// Platform byte: 0 RP2040, 1 RP2350, 2 ESP32-S3, 3 virtual, 4 ESP32-S2.
    pub platform: u8,
    /// The product.
    pub product: Product,
    /// Version of the interface: major, minor.
    pub version: [u8; 2],
    /// The chip's unique id.
    pub serial: [u8; 8],
}

impl SelectAnswer {
    /// The answer as it stands on the wire.
    pub fn to_bytes(&self) -> [u8; 12] {
        let [major, minor] = self.version;
        let [s0, s1, s2, s3, s4, s5, s6, s7] = self.serial;
        [self.platform, self.product as u8, major, minor, s0, s1, s2, s3, s4, s5, s6, s7]
    }

    /// Reads the answer; `None` if it is not one.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let [platform, product, major, minor, serial @ ..] = bytes else { return None };
        let product = match product {
            0 => Product::Rescue,
            1 => Product::Hsm,
            _ => return None,
        };
        Some(Self { platform: *platform, product, version: [*major, *minor], serial: serial.try_into().ok()? })
    }
}
