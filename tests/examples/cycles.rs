//! Cycles of the emulated RP2040 for each operation: `cargo xtask bench --chip` runs this.
//!
//! Lines of fields with `|` between them: `cycles`, command, algorithm or nothing, cycles of the processors, cycles of
//! waiting for the flash chip, bytes of stack of either core, and `done` at the end.

use anyhow::{Context, Result, ensure};
use ferrite_crypto::{ec, edwards, montgomery};
use ferrite_proto::command::{AlgorithmId, Attributes, Command, KeyAlgorithm, KeyRequest, Secret, Target};
use ferrite_proto::fid::{FileId, KeyId};
use ferrite_tests::emulated::{Effort, Emulated};
use ferrite_tests::in_process::InProcess;
use ferrite_tests::script::Device;

const SELECT: &[u8] = b"\x00\xA4\x04\x00\x0B\xE8\x2B\x06\x01\x04\x01\x81\xC3\x1F\x02\x01\x00";
const INITIALIZE: &[u8] = b"\x80\x50\x00\x00\x19\x80\x02\x00\x01\x81\x06648219\x82\x0857621880\x92\x01\x01";
const VERIFY: &[u8] = b"\x00\x20\x00\x81\x06648219";

fn encoded(command: &Command<'_>) -> Result<Vec<u8>> {
    let (mut scratch, mut wire) = ([0; 2048], [0; 2100]);
    let apdu = command.encode(&mut scratch).ok().context("the command is too long")?;
    let len = apdu.encode(&mut wire).context("the command is too long")?;
    Ok(wire[..len].to_vec())
}

fn done(device: &mut impl Device, apdu: &[u8]) -> Result<Vec<u8>> {
    let answer = device.transmit(apdu)?;
    let data = answer.strip_suffix(&[0x90, 0x00]).with_context(|| format!("{apdu:02X?}: {answer:02X?}"))?;
    Ok(data.to_vec())
}

fn report(device: &mut Emulated, name: &str, algorithm: &str, apdu: &[u8]) -> Result<()> {
    let (answer, effort) = device.measure(apdu)?;
    ensure!(answer.ends_with(&[0x90, 0x00]), "{name} {algorithm}: {answer:02X?}");
    let Effort { cycles, flash, stack, second_stack, .. } = effort;
    println!("cycles|{name}|{algorithm}|{cycles}|{flash}|{stack}|{second_stack}");
    Ok(())
}

fn main() -> Result<()> {
    let mut device = Emulated::blank()?;
    let device = &mut device;
    let share = [&[0x80, 0x52, 0x00, 0x00, 0x20][..], &(0..32).collect::<Vec<u8>>(), &[0]].concat();
    report(device, "SELECT", "", SELECT)?;
    report(device, "INITIALIZE", "", INITIALIZE)?;
    done(device, &share)?;
    report(device, "VERIFY", "", VERIFY)?;
    let file = Target::File(FileId::new(0xCD01));
    let update = Command::UpdateBinary { target: file, offset: 0, content: Secret(&[7; 512]) };
    report(device, "UPDATE BINARY, 512 bytes", "", &encoded(&update)?)?;
    report(device, "READ BINARY, 512 bytes", "", &encoded(&Command::ReadBinary { target: file, offset: 0 })?)?;
    report(device, "ENUMERATE", "", &encoded(&Command::EnumerateObjects)?)?;

    let key = KeyId::new(1);
    let generate = |algorithm| {
        encoded(&Command::GenerateKeyPair {
            key,
            request: KeyRequest { car: None, chr: None, algorithm, attributes: Attributes::default() },
        })
    };
    let sign = encoded(&Command::Sign { key, algorithm: AlgorithmId::ECDSA, data: &[0x5A; 32] })?;
    let agree = |point| encoded(&Command::Decipher { key, algorithm: AlgorithmId::ECDH, data: point });
    let delete = encoded(&Command::DeleteFile { target: Target::File(key.key()) })?;
    for curve in [ec::Curve::P256, ec::Curve::Secp256k1, ec::Curve::BrainpoolP256r1, ec::Curve::P384, ec::Curve::P521] {
        let (name, domain) = (format!("{curve:?}"), curve.domain());
        let algorithm = KeyAlgorithm::Ec { prime: domain.prime, a: Some(domain.a), b: Some(domain.b) };
        report(device, "GENERATE", &name, &generate(algorithm)?)?;
        report(device, "SIGN", &name, &sign)?;
        report(device, "DECIPHER", &name, &agree(domain.generator)?)?;
        done(device, &delete)?;
    }
    let domain = edwards::Curve::Ed25519.domain();
    let algorithm = KeyAlgorithm::Ec { prime: domain.prime, a: None, b: Some(domain.base) };
    report(device, "GENERATE", "Ed25519", &generate(algorithm)?)?;
    report(device, "SIGN", "Ed25519", &sign)?;
    done(device, &delete)?;
    let domain = montgomery::Curve::X25519.domain();
    let algorithm = KeyAlgorithm::Ec { prime: domain.prime, a: None, b: Some(domain.base) };
    report(device, "GENERATE", "X25519", &generate(algorithm)?)?;
    report(device, "DECIPHER", "X25519", &agree(&[9; 32])?)?;
    done(device, &delete)?;

    // RSA keys come from a virtual device: making one takes luck, and long.
    let mut origin = InProcess::blank()?;
    for apdu in [SELECT, INITIALIZE, &share, VERIFY] {
        done(&mut origin, apdu)?;
    }
    for bits in [1024, 2048] {
        let name = format!("RSA-{bits}");
        done(&mut origin, &generate(KeyAlgorithm::Rsa { bits })?)?;
        let blob = done(&mut origin, &encoded(&Command::WrapKey { key })?)?;
        report(device, "UNWRAP", &name, &encoded(&Command::UnwrapKey { key, blob: Some(&blob) })?)?;
        let sign = Command::Sign { key, algorithm: AlgorithmId::RSA_PKCS1_SHA256, data: b"message" };
        report(device, "SIGN", &name, &encoded(&sign)?)?;
        for device in [device as &mut dyn Device, &mut origin] {
            let answer = device.transmit(&delete)?;
            ensure!(answer == [0x90, 0x00], "{answer:02X?}");
        }
    }
    println!("done");
    Ok(())
}
