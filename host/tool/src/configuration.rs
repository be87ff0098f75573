//! `config`, `reboot` and `factory-reset`: the board, through the rescue application.

use crate::app::Global;
use crate::options::{on_off, on_or_off};
use crate::progress::during;
use crate::report::{Report, pairs};
use clap::{Args, Subcommand};
use ferrite_client::proto::configuration::{
    BoardOptions, Brightness, ColourOrder, Configuration, Curves, Interfaces, Led, LedDriver, PresenceTimeout, Product,
    UsbIds,
};
use ferrite_client::proto::rescue::Which;
use ferrite_client::{Error, ErrorKind, Result};
use serde_json::json;

/// What is shown while the device waits for its button.
pub(crate) const BUTTON: &str = "Press the device's button while it asks";

/// Look at and change the configuration of the board: LED, USB identifiers, product name
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show what the device goes by, and what was configured
    Show,
    /// Change some of it; the device wants its button pressed
    Set(Set),
    /// Forget all of it: the defaults hold again
    Clear,
}

#[derive(Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Set {
    /// Vendor and product of the USB device, as in 20A0:4230. A pair of somebody else is theirs; drivers know devices by it
    #[arg(long, value_name = "VID:PID", value_parser = parse_usb)]
    usb: Option<UsbIds>,
    /// Name of the product, 1 to 31 characters
    #[arg(long, value_parser = parse_product)]
    product: Option<Product>,
    /// Number of the pin that the LED is on
    #[arg(long)]
    led_pin: Option<u8>,
    /// Brightness of the LED, 0 to 15
    #[arg(long, value_parser = parse_brightness)]
    led_brightness: Option<Brightness>,
    /// What drives the LED: gpio, pimoroni, ws2812, cyw43, neopixel, none; and the order of colours, as in ws2812:grb
    #[arg(long, value_parser = parse_led)]
    led_driver: Option<Led>,
    /// Whether the LED swells and fades, or goes on and off
    #[arg(long, value_name = "on|off", value_parser = on_or_off)]
    led_dimming: Option<bool>,
    /// Whether the LED shines steadily, and does not blink
    #[arg(long, value_name = "on|off", value_parser = on_or_off)]
    led_steady: Option<bool>,
    /// How long the device waits for its button, 1 to 60 seconds
    #[arg(long, value_name = "SECONDS", value_parser = parse_timeout)]
    presence_timeout: Option<PresenceTimeout>,
    /// USB interfaces: ccid, vendor, or both with a comma
    #[arg(long, value_parser = parse_interfaces)]
    interfaces: Option<Interfaces>,
    /// Curves on which keys may be made and imported, with commas; or all. Those without a name here always may
    #[arg(long, value_parser = parse_curves)]
    curves: Option<Curves>,
}

/// Curves that can be switched off, by the names of the kinds of keys.
const CURVES: [(&str, Curves); 11] = [
    ("p256", Curves::P256),
    ("p384", Curves::P384),
    ("p521", Curves::P521),
    ("secp256k1", Curves::SECP256K1),
    ("brainpoolp256r1", Curves::BRAINPOOL_P256),
    ("brainpoolp384r1", Curves::BRAINPOOL_P384),
    ("brainpoolp512r1", Curves::BRAINPOOL_P512),
    ("ed25519", Curves::ED25519),
    ("ed448", Curves::ED448),
    ("x25519", Curves::X25519),
    ("x448", Curves::X448),
];

type Parsed<T> = std::result::Result<T, String>;

fn parse_usb(text: &str) -> Parsed<UsbIds> {
    let number = |digits| u16::from_str_radix(digits, 16).ok();
    let ids = text.split_once(':').and_then(|(vendor, product)| Some((number(vendor)?, number(product)?)));
    ids.map(|(vendor, product)| UsbIds { vendor, product }).ok_or_else(|| "write it as in 20A0:4230".into())
}

fn parse_product(text: &str) -> Parsed<Product> {
    Product::new(text.as_bytes()).ok_or_else(|| "a name has 1 to 31 characters of ASCII".into())
}

fn parse_brightness(text: &str) -> Parsed<Brightness> {
    text.parse().ok().and_then(Brightness::new).ok_or_else(|| "it is 0, dark, to 15".into())
}

fn parse_timeout(text: &str) -> Parsed<PresenceTimeout> {
    text.parse().ok().and_then(PresenceTimeout::new).ok_or_else(|| "it is 1 to 60 seconds".into())
}

fn parse_led(text: &str) -> Parsed<Led> {
    let (driver, order) = text.split_once(':').map_or((text, None), |(driver, order)| (driver, Some(order)));
    let is = |name: &dyn std::fmt::Debug, wanted: &str| format!("{name:?}").eq_ignore_ascii_case(wanted);
    let driver = LedDriver::ALL.into_iter().find(|known| is(known, driver));
    let order = order.map(|order| ColourOrder::ALL.into_iter().find(|known| is(known, order)));
    match (driver, order) {
        (Some(driver), None) => Ok(Led { driver, order: None }),
        (Some(driver), Some(Some(order))) => Ok(Led { driver, order: Some(order) }),
        _ => Err("drivers: gpio, pimoroni, ws2812, cyw43, neopixel, none; orders: rgb, rbg, grb, gbr, brg, bgr".into()),
    }
}

fn parse_curves(text: &str) -> Parsed<Curves> {
    if text == "all" {
        return Ok(Curves::ALL);
    }
    let bit = |name: &str| {
        let name = name.to_ascii_lowercase();
        CURVES.iter().find(|(known, _)| *known == name).map(|(_, curve)| curve.value())
    };
    let bits = text.split(',').map(bit).try_fold(0, |all, bit| bit.map(|bit| all | bit));
    bits.and_then(Curves::new).ok_or_else(|| {
        let names: Vec<_> = CURVES.iter().map(|(name, _)| *name).collect();
        format!("there are {}, or all", names.join(", "))
    })
}

fn parse_interfaces(text: &str) -> Parsed<Interfaces> {
    let bit = |name: &str| match name {
        "ccid" => Some(1),
        "vendor" => Some(2),
        _ => None,
    };
    let mask = text.split(',').map(bit).collect::<Option<Vec<u8>>>().map(|bits| bits.into_iter().fold(0, |a, b| a | b));
    mask.and_then(Interfaces::new).ok_or_else(|| "there are ccid and vendor; the device needs one of them".into())
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// Those of the client's calls.
    pub(crate) fn run(&self, global: &Global) -> Result<Report> {
        let mut device = global.open_for_rescue()?;
        match self {
            Self::Show => {
                let effective = device.configuration(Which::Effective)?;
                Ok(show(&effective, &device.configuration(Which::Stored)?))
            }
            Self::Set(set) => {
                set.warn(global)?;
                // The device takes the whole configuration: what is not changed must be said again.
                let stored = device.configuration(Which::Stored)?;
                let stored = set.configuration(&stored).or(stored);
                during(BUTTON, || device.set_configuration(&stored))?;
                let effective = device.configuration(Which::Effective)?;
                Ok(show(&effective, &stored))
            }
            Self::Clear => {
                global.confirm("clear the configuration", "What was configured is forgotten. Keys stay.")?;
                during(BUTTON, || device.set_configuration(&Configuration::default()))?;
                let effective = device.configuration(Which::Effective)?;
                Ok(show(&effective, &Configuration::default()))
            }
        }
    }
}

impl Set {
    fn configuration(&self, stored: &Configuration) -> Configuration {
        let switches = [(self.led_dimming, BoardOptions::DIMS_LED), (self.led_steady, BoardOptions::STEADY_LED)];
        let said = switches.iter().any(|(switch, _)| switch.is_some());
        let options = switches.iter().fold(stored.options.unwrap_or_default(), |options, (switch, which)| {
            switch.map_or(options, |is_on| options.with(*which, is_on))
        });
        Configuration {
            options: said.then_some(options),
            curves: self.curves,
            usb_ids: self.usb,
            led_pin: self.led_pin,
            brightness: self.led_brightness,
            presence_timeout: self.presence_timeout,
            product: self.product,
            interfaces: self.interfaces,
            led: self.led_driver,
        }
    }

    /// Some settings can hide the device from its programs.
    fn warn(&self, global: &Global) -> Result<()> {
        if self.usb.is_some() {
            global.confirm(
                "change the USB identifiers",
                "After the next start programs know the device by the new identifiers only. If the driver's list lacks them,\n\
                 OpenSC does not find it: pico-hsm-tool doctor --fix adds them. This tool finds it by direct USB.",
            )?;
        }
        if self.interfaces.is_some_and(|interfaces| !interfaces.ccid()) {
            global.confirm(
                "switch the reader off",
                "After the next start the device is no smart-card reader: OpenSC does not find it. This tool does, by direct USB.",
            )?;
        }
        if self.interfaces.is_some_and(|interfaces| !interfaces.vendor()) {
            global.confirm(
                "switch the vendor interface off",
                "After the next start the device is reached through the driver for smart-card readers only. With USB identifiers\n\
                 that are not in the driver's list it is not reached at all.",
            )?;
        }
        Ok(())
    }
}

fn show(effective: &Configuration, stored: &Configuration) -> Report {
    let describe = |configuration: &Configuration| {
        let led = configuration.led.map(|led| {
            let order = led.order.map_or_else(String::new, |order| format!(":{order:?}"));
            format!("{:?}{order}", led.driver).to_lowercase()
        });
        let interfaces = configuration.interfaces.map(|it| {
            let names = [(it.ccid(), "ccid"), (it.vendor(), "vendor")];
            names.into_iter().filter_map(|(is_on, name)| is_on.then_some(name)).collect::<Vec<_>>().join(",")
        });
        let switch = |which| configuration.options.map(|options| on_off(options.contains(which)).to_owned());
        let curves = configuration.curves.map(|curves| match curves {
            Curves::ALL => "all".to_owned(),
            curves => {
                let on = CURVES.iter().filter(|(_, curve)| curves.contains(*curve)).map(|(name, _)| *name);
                let on: Vec<_> = on.collect();
                if on.is_empty() { "none".to_owned() } else { on.join(",") }
            }
        });
        [
            ("usb", configuration.usb_ids.map(|ids| format!("{:04X}:{:04X}", ids.vendor, ids.product))),
            ("product", configuration.product.map(|product| product.as_str().to_owned())),
            ("led_pin", configuration.led_pin.map(|pin| pin.to_string())),
            ("led_brightness", configuration.brightness.map(|brightness| brightness.level().to_string())),
            ("led_driver", led),
            ("led_dimming", switch(BoardOptions::DIMS_LED)),
            ("led_steady", switch(BoardOptions::STEADY_LED)),
            ("presence_timeout", configuration.presence_timeout.map(|timeout| timeout.seconds().to_string())),
            ("interfaces", interfaces),
            ("curves", curves),
        ]
    };
    let (now, own) = (describe(effective), describe(stored));
    let object = |fields: &[(&str, Option<String>)]| {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), json!(value)));
        serde_json::Value::Object(fields.collect())
    };
    let lines: Vec<_> = now
        .iter()
        .zip(&own)
        .map(|((name, value), (_, configured))| {
            let value = value.clone().unwrap_or_else(|| "not set".into());
            let note = if configured.is_some() { "" } else { " (default)" };
            (*name, format!("{value}{note}"))
        })
        .collect();
    Report::new(json!({ "effective": object(&now), "configured": object(&own) }), pairs(&lines))
}

/// Start the device again, or its boot loader
#[derive(Args)]
pub(crate) struct Reboot {
    /// Start the boot loader, which takes new firmware
    #[arg(long)]
    bootloader: bool,
}

impl Reboot {
    /// Starts it again.
    ///
    /// # Errors
    /// [`ErrorKind::NotConfirmed`], and those of the client's calls.
    pub(crate) fn run(&self, global: &Global) -> Result<Report> {
        let mut device = global.open_for_rescue()?;
        during("Restarting", || device.restart_device(self.bootloader))?;
        let text = if self.bootloader { "The boot loader starts." } else { "The device starts again." };
        Ok(Report::line(json!({ "restarted": true, "bootloader": self.bootloader }), text))
    }
}

/// Erase everything without any PIN: the way out for a lost SO-PIN
#[derive(Args)]
pub(crate) struct FactoryReset {
    /// The serial number of the device, so that it is not the wrong one
    serial: String,
}

impl FactoryReset {
    /// Erases it.
    ///
    /// # Errors
    /// [`ErrorKind::NotConfirmed`]: nobody pressed the device's button; [`ErrorKind::Usage`]: it is another device.
    pub(crate) fn run(&self, global: &Global) -> Result<Report> {
        const WHAT: &str = "reset the device to its factory state";
        let mut device = global.open_for_rescue()?;
        let serial = device.token()?.serial;
        if serial != self.serial {
            return Err(Error::new(ErrorKind::Usage, WHAT, format!("this device is {serial}, not {}", self.serial)));
        }
        let loss = format!(
            "EVERYTHING on the device {serial} will be erased: keys, certificates, data, PINs. Only what was backed up can\n\
             come back. Press the device's button when it asks."
        );
        global.confirm(WHAT, &loss)?;
        during(BUTTON, || device.factory_reset())?;
        Ok(Report::line(json!({ "erased": serial }), "The device is blank."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_and_wrong_ones_refused() {
        assert_eq!(parse_usb("20A0:4230").map(|ids| (ids.vendor, ids.product)), Ok((0x20A0, 0x4230)));
        assert_eq!(parse_led("WS2812:grb").map(|led| led.driver), Ok(LedDriver::Ws2812));
        assert_eq!(parse_led("none").map(|led| led.driver), Ok(LedDriver::None));
        assert_eq!(parse_interfaces("ccid,vendor").map(Interfaces::value), Ok(3));
        assert_eq!(parse_curves("P256,x448").map(Curves::value), Ok(0x401));
        assert_eq!(parse_curves("all"), Ok(Curves::ALL));
        assert!(parse_curves("p256,").is_err() && parse_curves("").is_err() && parse_curves("rsa").is_err());
        assert!(parse_usb("20A04230").is_err() && parse_led("lamp").is_err() && parse_led("gpio:xyz").is_err());
        assert!(parse_interfaces("").is_err() && parse_brightness("16").is_err() && parse_timeout("0").is_err());
    }
}
