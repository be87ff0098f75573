//! OpenSC and a device that an authority certified; a key that OpenSC exports for logging in elsewhere.

use anyhow::{Context, Result, ensure};
use ferrite_proto::cvc::Certificate;
use ferrite_proto::tlv::{Reader, Tag, Writer, split};
use ferrite_tests::bench::{Bench, PIN, SO_PIN, expect};
use ferrite_tests::in_process::InProcess;
use ferrite_tests::script::Device as _;

/// Sends an extended command to the device in this process; answers the data of a 9000.
fn send(device: &mut InProcess, header: [u8; 4], data: &[u8]) -> Result<Vec<u8>> {
    let length = u16::try_from(data.len())?.to_be_bytes();
    let command = [&header[..], &[0], &length, data, &[0, 0]].concat();
    let answer = device.transmit(&command)?;
    Ok(answer.strip_suffix(&[0x90, 0x00]).with_context(|| format!("{header:02X?}: {answer:02X?}"))?.to_vec())
}

fn tlv(tag: u16, value: &[u8]) -> Result<Vec<u8>> {
    let mut out = vec![0; value.len() + 8];
    let len = Writer::new(&mut out).put(tag, value).finish().ok().context("no room")?;
    out.truncate(len);
    Ok(out)
}

/// A data object: tag, value, all of its bytes.
struct Element {
    tag: u16,
    value: Vec<u8>,
    whole: Vec<u8>,
}

fn elements(bytes: &[u8]) -> Result<Vec<Element>> {
    let mut found = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let first = split(rest).ok().context("no data object")?;
        found.push(Element { tag: first.tag.0, value: first.value.to_vec(), whole: first.encoded.to_vec() });
        rest = first.rest;
    }
    Ok(found)
}

#[test]
fn opensc_takes_an_authoritys_certificate_and_hands_a_key_to_another_device() -> Result<()> {
    let bench = Bench::blank()?;
    bench.python("enrol.py", &[])?;
    expect(&bench.run("pkcs11-tool", &["--list-slots"])?, &["serial num         : UTENROLLED\n"])?;
    bench.generate("EC:prime256v1", "10", "for logging in")?;
    bench.run("sc-hsm-tool", &["--export-for-pub-key-auth", "key.pka", "--key-reference", "1"])?;

    // SEQUENCE of the key's request, the device's certificate, its issuer's, the root's.
    let file = bench.read("key.pka")?;
    let [outer] = &elements(&file)?[..] else { anyhow::bail!("more than one element") };
    let parts = elements(&outer.value)?;
    let tags: Vec<_> = parts.iter().map(|part| part.tag).collect();
    ensure!(outer.tag == 0x30 && tags == [0x67, 0x7F21, 0x7F21, 0x7F21], "{tags:04X?}");
    let [request, device, issuer, root] = &parts[..] else { anyhow::bail!("{tags:04X?}") };

    // Another device registers it, as OpenSC would: issuer and device are introduced, then chosen.
    let mut target = InProcess::blank()?;
    let pins = [tlv(0x81, PIN.as_bytes())?, tlv(0x82, &hex::decode(SO_PIN)?)?, tlv(0x93, &[1, 1])?].concat();
    send(&mut target, [0x80, 0x50, 0, 0], &pins)?;
    let content = [tlv(0x54, &[0, 0])?, tlv(0x53, &root.whole)?].concat();
    send(&mut target, [0x00, 0xD7, 0xCA, 0x00], &content)?;
    let choose = |target: &mut InProcess, name: &[u8]| send(target, [0x00, 0x22, 0x81, 0xB6], &tlv(0x83, name)?);
    for certificate in [issuer, device] {
        let (parsed, _) = Certificate::parse(&certificate.whole).ok().context("no certificate")?;
        ensure!(choose(&mut target, parsed.body.chr).is_err(), "it is known already");
        choose(&mut target, parsed.body.car)?;
        send(&mut target, [0x00, 0x2A, 0x00, 0xBE], &certificate.value)?;
    }
    let outer_car = Reader::new(&request.value).filter_map(Result::ok).find(|(tag, _)| *tag == Tag(0x42));
    choose(&mut target, outer_car.context("no outer authority reference")?.1)?;
    let mut forged = request.value.clone();
    *forged.last_mut().context("an empty request")? ^= 1;
    ensure!(send(&mut target, [0x80, 0x54, 0, 0], &forged).is_err(), "a forged request is registered");
    ensure!(send(&mut target, [0x80, 0x54, 0, 0], &request.value)? == [1, 0, 1, 0], "the status after it");
    Ok(())
}

#[test]
fn opensc_initialises_for_registered_keys_and_shows_how_many_are_missing() -> Result<()> {
    let bench = Bench::blank()?;
    let keys = ["--public-key-auth", "3", "--required-pub-keys", "2"];
    bench.run("sc-hsm-tool", &[&["--initialize", "--so-pin", SO_PIN, "--pin", PIN], &keys[..]].concat())?;
    let status = bench.run("sc-hsm-tool", &["--public-key-auth-status"])?;
    let lines = ["public keys:     3", "Missing public keys:       3", "for auth: 2", "Authenticated public keys: 0"];
    expect(&status, &lines)?;
    // The PIN alone makes no keys any more.
    let arguments = ["--login", "--pin", PIN, "--keypairgen", "--key-type", "EC:prime256v1", "--id", "10"];
    bench.fail("pkcs11-tool", &arguments)?;
    Ok(())
}
