//! The power goes at any moment, in the middle of a command too.

use anyhow::{Context, Result, ensure};
use ferrite_tests::over_socket::OverSocket;
use ferrite_tests::script::{Device, Script};
use std::thread;
use std::time::Duration;

const SELECT: &[u8] = b"\x00\xA4\x04\x00\x0B\xE8\x2B\x06\x01\x04\x01\x81\xC3\x1F\x02\x01\x00";
const VERIFY: &[u8] = b"\x00\x20\x00\x81\x06648219";
const READ: &[u8] = b"\x00\xB1\xCF\x01\x00\x00\x04\x54\x02\x00\x00\x00\x00";

fn write(counter: u32) -> Vec<u8> {
    // The counter many times over, so that half a write would show.
    let content = counter.to_be_bytes().repeat(50);
    [&b"\x00\xD7\xCF\x01\xCF\x54\x02\x00\x00\x53\x81\xC8"[..], &content].concat()
}

/// The counter in the file, which must be whole.
fn counter(answer: &[u8]) -> Result<u32> {
    let content = answer.strip_suffix(&[0x90, 0x00]).with_context(|| format!("{answer:02X?}"))?;
    let (first, _) = content.split_first_chunk::<4>().context("too short")?;
    ensure!(content == first.repeat(50), "half a write: {content:02X?}");
    Ok(u32::from_be_bytes(*first))
}

#[test]
fn every_acknowledged_write_is_there_and_every_other_one_whole_or_absent() -> Result<()> {
    let initialize = "> 80 50 00 00 19 80 02 00 01 81 06 \"648219\" 82 08 \"57621880\" 91 01 03\n< 90 00\n";
    let mut device = OverSocket::blank()?;
    device.transmit(SELECT)?;
    Script::parse(initialize)?.run(&mut device)?;
    ensure!(device.transmit(&write(0))? == [0x90, 0x00]);
    let mut acknowledged = 0;
    for round in 0..20_u64 {
        device.restart()?;
        device.transmit(SELECT)?;
        ensure!(device.transmit(VERIFY)? == [0x90, 0x00], "round {round}: the PIN");
        let found = counter(&device.transmit(READ)?).with_context(|| format!("round {round}"))?;
        ensure!(
            found == acknowledged || found == acknowledged + 1,
            "round {round}: {acknowledged} was acknowledged, {found} is there"
        );
        let switch = device.power_switch();
        let cut = thread::spawn(move || {
            thread::sleep(Duration::from_micros(3000 + round * 1700));
            switch.cut()
        });
        acknowledged = found;
        while let Ok(answer) = device.transmit(&write(acknowledged + 1)) {
            ensure!(answer == [0x90, 0x00], "round {round}: {answer:02X?}");
            acknowledged += 1;
        }
        cut.join().map_err(|_| anyhow::anyhow!("the power switch broke"))??;
    }
    ensure!(acknowledged > 0, "no write was ever acknowledged");
    Ok(())
}
