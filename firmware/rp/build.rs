//! Hands the linker the memory layout of the chip, and the program what is known about the board.
//!
//! `FERRITE_LED` names the LED: `none`, `gpio:PIN`, `gpio-low:PIN` (lit when low), `rgb:PIN` (three outputs around the
//! green one, lit when low), `ws2812:PIN:ORDER[:POWER-PIN]`, `cyw43` (behind the radio of a Pico W). `FERRITE_VIDPID` is `VID:PID` in hexadecimal.

use std::env;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let (chip, memory) = match (env::var_os("CARGO_FEATURE_RP2040"), env::var_os("CARGO_FEATURE_RP2350")) {
        (Some(_), None) => ("rp2040", include_str!("memory/rp2040.x")),
        (None, Some(_)) => ("rp2350", include_str!("memory/rp2350.x")),
        _ => panic!("exactly one of the features rp2040 and rp2350 must be given"),
    };
    fs::write(out.join("memory.x"), memory).expect("OUT_DIR can be written");
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rustc-link-arg-bins=--nmagic");
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    if chip == "rp2040" {
        println!("cargo:rustc-link-arg-bins=-Tlink-rp.x");
    }
    println!("cargo:rerun-if-changed=memory");

    let led = env::var("FERRITE_LED").unwrap_or_else(|_| "gpio:25".into());
    let ids = env::var("FERRITE_VIDPID").unwrap_or_else(|_| "FEFF:FCFD".into());
    println!("cargo:rerun-if-env-changed=FERRITE_LED");
    println!("cargo:rerun-if-env-changed=FERRITE_VIDPID");
    let (vid, pid) = ids.split_once(':').expect("FERRITE_VIDPID is VID:PID");
    let hex = |text: &str| u16::from_str_radix(text, 16).expect("FERRITE_VIDPID is VID:PID in hexadecimal");
    let mut text = String::new();
    writeln!(text, "/// The board's LED.\npub(crate) const LED: Led = {};", parse_led(&led))
        .expect("a string takes all");
    writeln!(text, "/// USB vendor id.\npub(crate) const VID: u16 = {:#06x};", hex(vid)).expect("a string takes all");
    writeln!(text, "/// USB product id.\npub(crate) const PID: u16 = {:#06x};", hex(pid)).expect("a string takes all");
    fs::write(out.join("board.rs"), text).expect("OUT_DIR can be written");
}

fn parse_led(text: &str) -> String {
    let pin = |text: &str| text.parse::<u8>().ok().filter(|pin| *pin < 30).expect("FERRITE_LED names a pin below 30");
    match text.split(':').collect::<Vec<_>>()[..] {
        ["none"] => "Led::None".into(),
        ["cyw43"] => "Led::Cyw43".into(),
        ["gpio", number] => format!("Led::Gpio {{ pin: {}, lit_high: true }}", pin(number)),
        ["gpio-low", number] => format!("Led::Gpio {{ pin: {}, lit_high: false }}", pin(number)),
        ["rgb", green] => format!("Led::Rgb {{ green: {} }}", pin(green)),
        ["ws2812", number, order, ref rest @ ..] => {
            let order = match order {
                "rgb" => "Rgb",
                "rbg" => "Rbg",
                "grb" => "Grb",
                "gbr" => "Gbr",
                "brg" => "Brg",
                "bgr" => "Bgr",
                _ => panic!("FERRITE_LED names an unknown order of colours: {order}"),
            };
            let power = match rest {
                [] => "None".into(),
                [power] => format!("Some({})", pin(power)),
                _ => panic!("FERRITE_LED has too many parts: {text}"),
            };
            format!(
                "Led::Ws2812 {{ pin: {}, order: ferrite_proto::configuration::ColourOrder::{order}, power: {power} }}",
                pin(number)
            )
        }
        _ => panic!("FERRITE_LED is not understood: {text}"),
    }
}
