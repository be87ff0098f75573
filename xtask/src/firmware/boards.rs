//! The boards: chip, flash, LED. What the firmware finds out by itself, such as the size of the flash, is here for people.

use anyhow::{Context, Result, bail};

/// A chip and what its builds need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chip {
    /// Two Cortex-M0+, 264 KiB of memory.
    Rp2040,
    /// Two Cortex-M33, 520 KiB of memory, one-time-programmable memory.
    Rp2350,
}

impl Chip {
    /// The compiler's target.
    pub(crate) fn target(self) -> &'static str {
        match self {
            Self::Rp2040 => "thumbv6m-none-eabi",
            Self::Rp2350 => "thumbv8m.main-none-eabihf",
        }
    }

    /// The feature of the firmware.
    pub(crate) fn feature(self) -> &'static str {
        match self {
            Self::Rp2040 => "rp2040",
            Self::Rp2350 => "rp2350",
        }
    }

    /// Its family in UF2 files.
    pub(crate) fn family(self) -> u32 {
        match self {
            Self::Rp2040 => 0xE48B_FF56,
            Self::Rp2350 => 0xE48B_FF59,
        }
    }

    /// Memory, in bytes.
    pub(crate) fn memory(self) -> usize {
        match self {
            Self::Rp2040 => 264 * 1024,
            Self::Rp2350 => 520 * 1024,
        }
    }
}

/// A board.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Board {
    /// What it is called on the command line.
    pub(crate) name: &'static str,
    /// What its maker calls it.
    pub(crate) title: &'static str,
    /// Its chip.
    pub(crate) chip: Chip,
    /// Its flash, in MiB.
    pub(crate) flash: u32,
    /// Its LED, as `FERRITE_LED` says it (`firmware/rp/build.rs`).
    pub(crate) led: &'static str,
    /// Whether the second stage of the boot loader must do with two data lines: the flash of these boards is switched to
    /// four in another way.
    pub(crate) dual: bool,
}

const fn rp2040(name: &'static str, title: &'static str, flash: u32, led: &'static str) -> Board {
    Board { name, title, chip: Chip::Rp2040, flash, led, dual: false }
}

const fn rp2350(name: &'static str, title: &'static str, flash: u32, led: &'static str) -> Board {
    Board { name, title, chip: Chip::Rp2350, flash, led, dual: false }
}

const fn dual(board: Board) -> Board {
    Board { dual: true, ..board }
}

/// Every board.
pub(crate) const BOARDS: [Board; 20] = [
    rp2040("pico", "Raspberry Pi Pico", 2, "gpio:25"),
    rp2040("pico-w", "Raspberry Pi Pico W", 2, "cyw43"),
    rp2350("pico2", "Raspberry Pi Pico 2", 4, "gpio:25"),
    rp2350("pico2-w", "Raspberry Pi Pico 2 W", 4, "cyw43"),
    rp2040("waveshare-rp2040-zero", "Waveshare RP2040-Zero", 2, "ws2812:16:grb"),
    rp2040("waveshare-rp2040-one", "Waveshare RP2040-One", 4, "ws2812:16:grb"),
    rp2040("waveshare-rp2040-plus", "Waveshare RP2040-Plus", 4, "gpio:25"),
    rp2350("waveshare-rp2350-zero", "Waveshare RP2350-Zero", 4, "ws2812:16:grb"),
    rp2040("pimoroni-tiny2040", "Pimoroni Tiny 2040", 8, "rgb:19"),
    rp2350("pimoroni-tiny2350", "Pimoroni Tiny 2350", 4, "rgb:19"),
    rp2040("pimoroni-pico-lipo", "Pimoroni Pico LiPo", 16, "gpio:25"),
    rp2350("pimoroni-pico-plus-2", "Pimoroni Pico Plus 2", 16, "gpio:25"),
    dual(rp2040("adafruit-trinkey-qt2040", "Adafruit Trinkey QT2040", 8, "ws2812:27:grb")),
    dual(rp2040("adafruit-qt-py-rp2040", "Adafruit QT Py RP2040", 8, "ws2812:12:grb:11")),
    dual(rp2040("adafruit-feather-rp2040", "Adafruit Feather RP2040", 8, "gpio:13")),
    dual(rp2040("adafruit-kb2040", "Adafruit KB2040", 8, "ws2812:17:grb")),
    rp2350("adafruit-feather-rp2350", "Adafruit Feather RP2350", 8, "gpio:7"),
    rp2040("seeed-xiao-rp2040", "Seeed XIAO RP2040", 2, "ws2812:12:grb:11"),
    rp2350("seeed-xiao-rp2350", "Seeed XIAO RP2350", 2, "ws2812:22:grb:23"),
    rp2040("sparkfun-pro-micro-rp2040", "SparkFun Pro Micro RP2040", 16, "ws2812:25:grb"),
];

impl Board {
    /// The board of this name.
    pub(crate) fn by_name(name: &str) -> Result<&'static Self> {
        let known = || BOARDS.map(|board| format!("  {:<28} {}", board.name, board.title)).join("\n");
        BOARDS
            .iter()
            .find(|board| board.name == name)
            .with_context(|| format!("no board {name}; there are\n{}", known()))
    }
}

/// USB identifiers that other makers' devices have. They belong to those makers: for private use only, never for devices
/// that are given away.
const PRESETS: [(&str, u16, u16); 10] = [
    ("NitroHSM", 0x20A0, 0x4230),
    ("NitroFIDO2", 0x20A0, 0x42B1),
    ("NitroStart", 0x20A0, 0x4211),
    ("NitroPro", 0x20A0, 0x4108),
    ("Nitro3", 0x20A0, 0x42B2),
    ("Yubikey5", 0x1050, 0x0407),
    ("YubikeyNeo", 0x1050, 0x0116),
    ("YubiHSM", 0x1050, 0x0030),
    ("Gnuk", 0x234B, 0x0000),
    ("GnuPG", 0x1209, 0x2440),
];

/// Vendor and product identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UsbIds {
    pub(crate) vendor: u16,
    pub(crate) product: u16,
}

impl UsbIds {
    /// What a build has that names none.
    pub(crate) const DEFAULT: Self = Self { vendor: 0xFEFF, product: 0xFCFD };

    /// A preset's name, or `VID:PID` in hexadecimal.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        if let Some((_, vendor, product)) = PRESETS.iter().find(|(name, ..)| name.eq_ignore_ascii_case(text)) {
            return Ok(Self { vendor: *vendor, product: *product });
        }
        let digits = |text: &str| {
            let is_hexadecimal = text.len() == 4 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
            is_hexadecimal.then(|| u16::from_str_radix(text, 16).ok()).flatten()
        };
        match text.split_once(':').map(|(vendor, product)| (digits(vendor), digits(product))) {
            Some((Some(vendor), Some(product))) => Ok(Self { vendor, product }),
            _ => bail!(
                "{text} is neither VID:PID in hexadecimal, such as FEFF:FCFD, nor one of {}",
                PRESETS.map(|(name, ..)| name).join(", ")
            ),
        }
    }

    /// As the firmware's build script wants it.
    pub(crate) fn argument(self) -> String {
        format!("{:04X}:{:04X}", self.vendor, self.product)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boards_are_found_by_their_names_and_no_other() {
        for board in &BOARDS {
            assert_eq!(Board::by_name(board.name).expect("known").title, board.title, "names are unique");
            assert!(board.flash >= 2 && board.flash.is_power_of_two(), "{}", board.name);
            assert!(!board.dual || board.chip == Chip::Rp2040, "{}: the RP2350 has no second stage", board.name);
        }
        let message = Board::by_name("pico3").expect_err("unknown").to_string();
        assert!(message.contains("pico2-w"), "{message}");
    }

    #[test]
    fn usb_identifiers_are_read() {
        let ids = |vendor, product| UsbIds { vendor, product };
        assert_eq!(UsbIds::parse("NitroHSM").expect("a preset"), ids(0x20A0, 0x4230));
        assert_eq!(UsbIds::parse("gnuk").expect("a preset"), ids(0x234B, 0));
        assert_eq!(UsbIds::parse("feff:FCFD").expect("hexadecimal"), UsbIds::DEFAULT);
        for wrong in ["", "feff", "feff:", "feff:fcfd:1", "+eff:fcfd", "1feff:fcfd", "Nitro"] {
            assert!(UsbIds::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(UsbIds::DEFAULT.argument(), "FEFF:FCFD");
    }
}
