//! The firmware of a Pico, and of a Pico W, in an emulator, driven over emulated USB: the real image, the real USB driver, the real flash
//! driver. Emulated time is slow; `cargo xtask emulate` runs these, `cargo xtask test` only the first.

use anyhow::{Context, Result, bail, ensure};
use ferrite_proto::command::{AlgorithmId, Attributes, Command, KeyAlgorithm, KeyRequest};
use ferrite_proto::fid::KeyId;
use ferrite_tests::bench::{Bench, PIN, SO_PIN, source};
use ferrite_tests::emulated::{Emulated, Outcome};
use ferrite_tests::in_process::InProcess;
use ferrite_tests::script::{Device, Script};
use std::fmt::Display;
use std::fs;

const SELECT: &[u8] = b"\x00\xA4\x04\x00\x0B\xE8\x2B\x06\x01\x04\x01\x81\xC3\x1F\x02\x01\x00";
const RESCUE: &[u8] = b"\x00\xA4\x04\x00\x08\xA0\x58\x3F\xC1\x9B\x7E\x4F\x21\x00";
const VERIFY: &[u8] = b"\x00\x20\x00\x81\x06648219";
const OK: [u8; 2] = [0x90, 0x00];
/// With one DKEK share, so that keys can come and go.
const INITIALIZE: &[u8] = b"\x80\x50\x00\x00\x19\x80\x02\x00\x01\x81\x06648219\x82\x0857621880\x92\x01\x01";
const READ_FILE: &[u8] = b"\x00\xB1\xCF\x01\x00\x00\x04\x54\x02\x00\x00\x00\x00";

fn share() -> Vec<u8> {
    [&[0x80, 0x52, 0x00, 0x00, 0x20][..], &(0..32).collect::<Vec<u8>>(), &[0]].concat()
}

/// A command as it goes over the wire.
fn encoded(command: &Command<'_>) -> Result<Vec<u8>> {
    let (mut scratch, mut wire) = ([0; 2048], [0; 2100]);
    let apdu = command.encode(&mut scratch).ok().context("the command is too long")?;
    let len = apdu.encode(&mut wire).context("the command is too long")?;
    Ok(wire[..len].to_vec())
}

/// Sends a command that must succeed, and returns its response data.
fn done(device: &mut impl Device, apdu: &[u8]) -> Result<Vec<u8>> {
    let answer = device.transmit(apdu)?;
    let data = answer.strip_suffix(&OK).with_context(|| format!("{apdu:02X?}: {answer:02X?}"))?;
    Ok(data.to_vec())
}

/// Initialised, with a DKEK, and logged in.
fn with_dkek(device: &mut impl Device) -> Result<()> {
    for apdu in [SELECT, INITIALIZE, &share(), VERIFY] {
        done(device, apdu)?;
    }
    Ok(())
}

fn write_file(content: &[u8]) -> Vec<u8> {
    let len = u8::try_from(content.len()).expect("short");
    [&[0x00, 0xD7, 0xCF, 0x01, len + 7, 0x54, 0x02, 0x00, 0x00, 0x53, 0x81, len][..], content].concat()
}

#[test]
#[ignore = "needs the firmware: cargo xtask emulate"]
fn the_firmware_starts_enumerates_and_answers() -> Result<()> {
    let mut device = Emulated::blank()?;
    let descriptors = device.ask("descriptors")?;
    for part in ["FFFEFDFC", "\"manufacturer\":\"Ferrite\"", "\"product\":\"Ferrite HSM\"", "E6616408435C2A31"] {
        ensure!(descriptors.contains(part), "{part} is missing in {descriptors}");
    }
    let selected = done(&mut device, SELECT)?;
    ensure!(selected.starts_with(&[0x62]), "{selected:02X?}");
    let rescue = done(&mut device, RESCUE)?;
    ensure!(rescue == *b"\x00\x01\x06\x06\xE6\x61\x64\x08\x43\x5C\x2A\x31", "{rescue:02X?}");
    Ok(())
}

/// Every script of `tests/scripts`, with the answers that the virtual device gives.
fn holds(name: &str) -> Result<()> {
    let text = fs::read_to_string(source("scripts").join(name))?;
    Script::parse(&text)?.run(&mut Emulated::blank()?).with_context(|| name.to_owned())
}

macro_rules! scripts {
    ($($test:ident: $file:literal)*) => {
        $(#[test] #[ignore = "needs the firmware: cargo xtask emulate"] fn $test() -> Result<()> { holds($file) })*

        #[test]
        fn every_script_is_run() -> Result<()> {
            let known = [$($file),*];
            for file in fs::read_dir(source("scripts"))? {
                let name = file?.file_name();
                ensure!(known.iter().any(|known| name == *known), "{name:?} is run by no test");
            }
            Ok(())
        }
    };
}

scripts! {
    a_blank_card_answers_as_the_virtual_one_does: "blank-card.apdu"
    initialising_goes_as_on_the_virtual_card: "initialize.apdu"
    wrong_pins_count_down_as_on_the_virtual_card: "pin-countdown.apdu"
    files_are_kept_as_on_the_virtual_card: "files.apdu"
    recorded_keys_compute_what_the_virtual_card_computes: "known-answers.apdu"
    certificates_and_keys_are_trusted_as_by_the_virtual_card: "trust.apdu"
}

/// An RSA-2048 key made on a virtual device comes to the emulated one and signs the same.
#[test]
#[ignore = "needs the firmware: cargo xtask emulate"]
fn an_imported_rsa_2048_key_signs_as_where_it_came_from() -> Result<()> {
    let key = KeyId::new(1);
    let sign = encoded(&Command::Sign { key, algorithm: AlgorithmId::RSA_PKCS1_SHA256, data: b"message" })?;
    let mut origin = InProcess::blank()?;
    with_dkek(&mut origin)?;
    done(&mut origin, &generate_rsa(key, 2048)?)?;
    let blob = done(&mut origin, &encoded(&Command::WrapKey { key })?)?;
    let expected = done(&mut origin, &sign)?;
    ensure!(expected.len() == 256);

    let mut device = Emulated::blank()?;
    with_dkek(&mut device)?;
    done(&mut device, &encoded(&Command::UnwrapKey { key, blob: Some(&blob) })?)?;
    let (answer, effort) = device.measure(&sign)?;
    ensure!(answer == [&expected[..], &OK].concat(), "another signature");
    ensure!(effort.second_stack > 10_000, "the second core had no part in it");
    ensure!(effort.extensions > 0, "a command that takes {} cycles asks for no time", effort.time);
    Ok(())
}

/// GENERATE of an RSA key.
fn generate_rsa(key: KeyId, bits: u16) -> Result<Vec<u8>> {
    let algorithm = KeyAlgorithm::Rsa { bits };
    let request = KeyRequest { car: None, chr: None, algorithm, attributes: Attributes::default() };
    encoded(&Command::GenerateKeyPair { key, request })
}

/// Each core looks for one prime of an RSA key. The emulator ends the test if core 1's stack is too small for that.
#[test]
#[ignore = "needs the firmware: cargo xtask emulate"]
fn both_cores_make_an_rsa_key() -> Result<()> {
    let key = KeyId::new(1);
    let mut device = Emulated::blank()?;
    with_dkek(&mut device)?;
    let (answer, effort) = device.measure(&generate_rsa(key, 1024)?)?;
    ensure!(answer.ends_with(&OK), "{answer:02X?}");
    ensure!(effort.second_stack > 5_000, "the second core had no part in it");
    let sign = Command::Sign { key, algorithm: AlgorithmId::RSA_PKCS1_SHA256, data: b"message" };
    ensure!(done(&mut device, &encoded(&sign)?)?.len() == 128);
    Ok(())
}

/// A fault of core 1 in a job ends the firmware as one of core 0 does, when core 0 looks for the result.
#[test]
#[ignore = "needs the firmware: cargo xtask emulate"]
fn a_fault_of_the_second_core_is_found_and_memory_wiped() -> Result<()> {
    let mut device = Emulated::blank()?;
    with_dkek(&mut device)?;
    device.ask("fault second")?;
    let error = device.exchange(&generate_rsa(KeyId::new(1), 1024)?).expect_err("the end of the firmware").to_string();
    ensure!(error.contains("its watchdog"), "{error}");
    ensure_wiped(&mut device)?;
    ensure!(device.ask("restart")?.starts_with("atr 3B"), "it starts again");
    done(&mut device, SELECT)?;
    done(&mut device, VERIFY)?;
    Ok(())
}

/// The power goes within every flash operation of a write, early and late in it.
#[test]
#[ignore = "needs the firmware: cargo xtask emulate"]
fn a_power_cut_within_a_flash_write_leaves_the_old_or_the_new() -> Result<()> {
    let (old, new) = (vec![0x11; 200], vec![0x22; 200]);
    let mut device = Emulated::blank()?;
    with_dkek(&mut device)?;
    done(&mut device, &write_file(&old))?;
    let mut current = old.clone();
    let mut outcomes = (0, 0);
    'operations: for operation in 0.. {
        for bytes in [0, 3, 37, 256] {
            let wanted = if current == old { &new } else { &old };
            device.ask(&format!("cut {operation} {bytes}"))?;
            if let Outcome::Answer(answer, _) = device.exchange(&write_file(wanted))? {
                ensure!(answer == OK, "{answer:02X?}");
                break 'operations;
            }
            device.restart()?;
            done(&mut device, SELECT)?;
            done(&mut device, VERIFY)?;
            let found = done(&mut device, READ_FILE)?;
            let is_new = found == *wanted;
            ensure!(is_new || found == current, "operation {operation}, {bytes} bytes: {found:02X?}");
            *(if is_new { &mut outcomes.1 } else { &mut outcomes.0 }) += 1;
            current = found;
        }
        ensure!(operation < 100, "a write of many operations");
    }
    ensure!(outcomes.0 > 0 && outcomes.1 > 0, "old and new after a cut: {outcomes:?}");
    Ok(())
}

/// BOOTSEL is the button: a key that wants a press gets one, or is not used.
#[test]
#[ignore = "needs the firmware: cargo xtask emulate"]
fn a_key_is_used_after_a_press_only() -> Result<()> {
    let mut device = Emulated::blank()?;
    done(&mut device, SELECT)?;
    let with_press = b"\x80\x50\x00\x00\x16\x80\x02\x01\x01\x81\x06648219\x82\x0857621880";
    done(&mut device, with_press)?;
    done(&mut device, VERIFY)?;
    let generate = b"\x80\x46\x01\x00";
    let domain = p256()?;
    let generate = [&generate[..], &domain].concat();
    device.ask("press 300")?;
    done(&mut device, &generate)?;
    let sign = b"\x80\x68\x01\x73\x05hello\x00";
    let (answer, effort) = device.measure(sign)?;
    ensure!(answer == [0x66, 0x00], "without a press: {answer:02X?}");
    ensure!(effort.time > 14 * 125_000_000, "it waited {} cycles only", effort.time);
    device.ask("press 1000")?;
    let signature = done(&mut device, sign)?;
    ensure!(signature.starts_with(&[0x30]), "{signature:02X?}");
    Ok(())
}

/// What the firmware does with a pin.
#[derive(Debug)]
struct Pin {
    low: u32,
    high: u32,
    free: u32,
    changes: u32,
}

impl Pin {
    /// What it does for a second, and how often it has changed since it was looked at last.
    fn of(device: &mut Emulated, name: impl Display) -> Result<Self> {
        let answer = device.ask(&format!("pin {name} 1000"))?;
        let numbers = answer.strip_prefix("pin ").context("no pin")?.split(' ').map(str::parse);
        match numbers.collect::<Result<Vec<_>, _>>()?[..] {
            [low, high, free, changes] => Ok(Self { low, high, free, changes }),
            _ => bail!("{answer}"),
        }
    }

    /// Half a second low, half a second high: a LED that says "ready".
    fn blinks(&self) -> bool {
        self.free == 0 && self.low.abs_diff(self.high) <= 50
    }

    fn is_free(&self) -> bool {
        self.free == 1000
    }
}

/// Writes the device configuration, with the press that this needs. The next command goes by it.
fn configure(device: &mut Emulated, record: &[u8]) -> Result<()> {
    done(device, RESCUE)?;
    device.ask("press 300")?;
    let len = u8::try_from(record.len())?;
    done(device, &[&[0x80, 0x1C, 0x01, 0x00, len][..], record].concat())?;
    done(device, SELECT)?;
    // The LED is looked after a hundred times a second.
    device.ask("pause 50")?;
    Ok(())
}

/// The LED moves to where the owner's configuration says, and back; the pin that it left is free.
#[test]
#[ignore = "needs the firmware: cargo xtask emulate"]
fn the_led_goes_where_it_is_configured_and_back() -> Result<()> {
    const OWN: u8 = 25;
    let mut device = Emulated::blank()?;
    ensure!(Pin::of(&mut device, OWN)?.blinks());
    let other = |pin| [0x04, 0x01, pin, 0x0C, 0x01, 0x01];
    configure(&mut device, &other(3))?;
    ensure!(Pin::of(&mut device, 3)?.blinks());
    ensure!(Pin::of(&mut device, OWN)?.is_free());
    device.restart()?;
    done(&mut device, SELECT)?;
    ensure!(Pin::of(&mut device, 3)?.blinks() && Pin::of(&mut device, OWN)?.is_free(), "after a restart");

    // A steady LED of one colour does not change at all, whatever is asked of the device.
    configure(&mut device, &[&other(3)[..], &[0x06, 0x02, 0x00, 0x08]].concat())?;
    Pin::of(&mut device, 3)?;
    for _ in 0..5 {
        done(&mut device, SELECT)?;
    }
    let steady = Pin::of(&mut device, 3)?;
    ensure!(steady.high == 1000 && steady.changes == 0, "{steady:?}");

    // A pixel is on a state machine's pin, which has to let go as well.
    configure(&mut device, &[0x04, 0x01, 0x05, 0x0C, 0x02, 0x03, 0x02])?;
    let pixel = Pin::of(&mut device, 5)?;
    ensure!(pixel.free == 0 && pixel.changes > 0, "{pixel:?}");
    ensure!(Pin::of(&mut device, 3)?.is_free());

    // Nothing of the LED is configured any more.
    configure(&mut device, &[0x05, 0x01, 0x0F])?;
    ensure!(Pin::of(&mut device, OWN)?.blinks());
    ensure!(Pin::of(&mut device, 3)?.is_free() && Pin::of(&mut device, 5)?.is_free());
    Ok(())
}

/// The LED of a Pico W is lit by the radio, without firmware in that; where there is no radio, its pins are let go.
#[test]
#[ignore = "needs the firmware: cargo xtask emulate"]
fn the_led_behind_a_radio_blinks_and_a_radio_that_is_not_used_has_no_power() -> Result<()> {
    let no_radio_is_held = |device: &mut Emulated| -> Result<()> {
        for pin in [23, 24, 25, 29] {
            let seen = Pin::of(device, pin)?;
            ensure!(seen.is_free(), "{pin}: {seen:?}");
        }
        Ok(())
    };
    let mut device = Emulated::pico_w()?;
    device.ask("pause 1000")?;
    no_radio_is_held(&mut device)?;

    device.ask("radio 1")?;
    device.restart()?;
    device.ask("pause 1000")?;
    let led = Pin::of(&mut device, "radio")?;
    ensure!(led.blinks(), "{led:?}");

    // No LED, and then the board's own again.
    configure(&mut device, &[0x0C, 0x01, 0xFF])?;
    no_radio_is_held(&mut device)?;
    let led = Pin::of(&mut device, "radio")?;
    ensure!(led.low == 1000, "{led:?}");
    configure(&mut device, &[0x0C, 0x01, 0x04])?;
    device.ask("pause 1000")?;
    let led = Pin::of(&mut device, "radio")?;
    ensure!(led.blinks(), "{led:?}");
    Ok(())
}

/// Data of GENERATE for a key on P-256, with their length, as the wire has them.
fn p256() -> Result<Vec<u8>> {
    let mut origin = Vec::new();
    let prime = hex::decode("FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF")?;
    let request = KeyRequest {
        car: None,
        chr: None,
        algorithm: KeyAlgorithm::Ec { prime: &prime, a: None, b: None },
        attributes: Attributes::default(),
    };
    origin.extend_from_slice(&encoded(&Command::GenerateKeyPair { key: KeyId::new(1), request })?[4..]);
    Ok(origin)
}

/// An oscillator that stands still makes no keys.
#[test]
#[ignore = "needs the firmware: cargo xtask emulate"]
fn a_dead_entropy_source_makes_no_keys() -> Result<()> {
    let mut device = Emulated::blank()?;
    with_dkek(&mut device)?;
    device.ask("stuck 1")?;
    let answer = device.transmit(&[&b"\x80\x46\x01\x00"[..], &p256()?].concat())?;
    ensure!(answer == [0x64, 0x00], "{answer:02X?}");
    ensure!(done(&mut device, VERIFY)?.is_empty(), "what needs no new randomness goes on");
    Ok(())
}

/// Bytes of memory that are not zero, and whether the PIN is among them.
fn remains(device: &mut Emulated) -> Result<(usize, bool)> {
    let answer = device.ask("remains 648219")?;
    let words: Vec<&str> = answer.split(' ').collect();
    let ["remains", count, holds_pin] = words[..] else { anyhow::bail!("{answer}") };
    Ok((count.parse()?, holds_pin.parse()?))
}

/// Nothing is left in RAM.
fn ensure_wiped(device: &mut Emulated) -> Result<()> {
    /// What the stack of the code that comes after the wiping may hold.
    const STACK: usize = 64;
    let (count, holds_pin) = remains(device)?;
    ensure!(count <= STACK && !holds_pin, "{count} bytes are left in memory");
    Ok(())
}

/// However the firmware ends, it leaves nothing in RAM: neither stacks nor variables nor packets.
#[test]
#[ignore = "needs the firmware: cargo xtask emulate"]
fn a_restart_the_boot_loader_and_a_fault_find_memory_wiped() -> Result<()> {
    let select_rescue = b"\x00\xA4\x04\x04\x08\xA0\x58\x3F\xC1\x9B\x7E\x4F\x21\x00";
    let (restart, boot_loader) = (b"\x80\x1F\x00\x00", b"\x80\x1F\x01\x00");
    for (ending, how) in
        [(Some(restart), "its watchdog"), (Some(boot_loader), "the boot loader"), (None, "its watchdog")]
    {
        let mut device = Emulated::blank()?;
        with_dkek(&mut device)?;
        ensure!(remains(&mut device)?.0 > 1000, "memory is in use");
        match ending {
            Some(command) => {
                done(&mut device, select_rescue)?;
                device.ask("press 300")?;
                done(&mut device, command)?;
            }
            None => drop(device.ask("fault")?),
        }
        let error = device.ask("pause 300").expect_err("the end of the firmware").to_string();
        ensure!(error.contains(how), "{error}");
        ensure_wiped(&mut device).with_context(|| format!("after {how}"))?;
        ensure!(device.ask("restart")?.starts_with("atr 3B"), "it starts again");
    }
    Ok(())
}

/// Whatever comes over the bus, the next good command works.
#[test]
#[ignore = "needs the firmware: cargo xtask emulate"]
fn malformed_messages_and_requests_disturb_nothing() -> Result<()> {
    let mut device = Emulated::blank()?;
    done(&mut device, SELECT)?;
    for message in [
        // types that nobody knows, a wrong slot, lengths that are not true
        "99000000000001000000",
        "65000000000702000000",
        "62FFFFFFFF0003000000",
        "6F000000000004000000",
        "6F0500000000050000000084000008",
        "6B00000000000600000000",
        "61020000000007000000FFFF",
        "72000000000008000000",
    ] {
        device.ask(&format!("packet {message}"))?;
        let answer = device.ask("message")?;
        ensure!(answer.len() >= "message ".len() + 20, "{message}: {answer}");
    }
    for request in [
        "21 01 0000 0000",
        "21 02 0000 0000",
        "A1 02 0000 0000",
        "A1 03 0000 0000",
        "40 77 0000 0000",
        "C0 01 0009 0009",
    ] {
        let answer = device.ask(&format!("control {request}"))?;
        ensure!(answer == "ok" || answer == "stall", "{request}: {answer}");
    }
    // The first of these requests began an abort, which has a second half; what is no message has no answer.
    for (packet, is_message) in [("72000000000000000000", true), ("00", false), ("6F", false)] {
        device.ask(&format!("packet {packet}"))?;
        if is_message {
            device.ask("message")?;
        }
    }
    device.reset()?;
    ensure!(!done(&mut device, SELECT)?.is_empty());
    Ok(())
}

/// OpenSC through pcscd: the emulated Pico is in the virtual reader.
#[test]
#[ignore = "needs the firmware: cargo xtask emulate"]
fn opensc_initialises_generates_signs_and_finds_it_again() -> Result<()> {
    let mut bench = Bench::emulated()?;
    bench.run("sc-hsm-tool", &["--initialize", "--so-pin", SO_PIN, "--pin", PIN])?;
    bench.generate("EC:prime256v1", "10", "emulated")?;
    bench.write("data", b"what is signed")?;
    let sign = ["--sign", "--id", "10", "--mechanism", "ECDSA-SHA256", "--signature-format", "openssl"];
    let files = ["--input-file", "data", "--output-file", "signature"];
    bench.pkcs11(&[&sign[..], &files].concat())?;
    bench.public_key("10", "public.pem")?;
    bench.run("openssl", &["dgst", "-sha256", "-verify", "public.pem", "-signature", "signature", "data"])?;
    bench.write("note", b"a note to keep")?;
    bench.pkcs11(&["--write-object", "note", "--type", "data", "--label", "note", "--private"])?;

    bench.cut_power()?;
    bench.pkcs11(&[&sign[..], &files].concat())?;
    bench.run("openssl", &["dgst", "-sha256", "-verify", "public.pem", "-signature", "signature", "data"])?;
    bench.pkcs11(&["--read-object", "--type", "data", "--label", "note", "--output-file", "read"])?;
    ensure!(bench.read("read")? == b"a note to keep");
    Ok(())
}
