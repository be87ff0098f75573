//! The certificate request of a new key, taken apart here and verified by OpenSSL (part 1, sections 5.1 and 5.5).

use anyhow::{Context, Result, bail, ensure};
use ferrite_sim::{Options, VirtualDevice};
use ferrite_tests::TempDir;
use std::fs;
use std::path::Path;
use std::process::Command;

const SELECT: &[u8] = b"\x00\xA4\x04\x00\x0B\xE8\x2B\x06\x01\x04\x01\x81\xC3\x1F\x02\x01\x00";
const INITIALIZE: &[u8] = b"\x80\x50\x00\x00\x19\x80\x02\x00\x01\x81\x06648219\x82\x0857621880\x91\x01\x03";
const READ_DEVICE_CERTIFICATE: &[u8] = b"\x00\xB1\x2F\x02\x00\x00\x04\x54\x02\x00\x00\x00\x00";
/// OpenSC's command for a P-256 key with id 02, as recorded.
const GENERATE_P256: &str = "004602000001005f29010042095554434130303030317f4981da060a04007f000702020202038120ffffffff0000000100\
    0000000000000000000000ffffffffffffffffffffffff8220ffffffff00000001000000000000000000000000fffffffffffffffffffffffc8320\
    5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b8441046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0\
    f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f58520ffffffff00000000ffffffffffffffffbc\
    e6faada7179e84f3b9cac2fc6325518701015f201045535049434f48534d545230303030310000";
/// What precedes the point in the SubjectPublicKeyInfo of a P-256 key (RFC 5480).
const P256_KEY: &str = "3059301306072a8648ce3d020106082a8648ce3d030107034200";

/// One TLV: all its bytes, and its value.
struct Element<'a> {
    whole: &'a [u8],
    value: &'a [u8],
}

/// The first element with this tag among the elements of `bytes`.
fn find<'a>(bytes: &'a [u8], tag: &[u8]) -> Result<Element<'a>> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let tag_len = if rest[0] & 0x1F == 0x1F { 2 } else { 1 };
        let (header, length) = match rest[tag_len] {
            short @ 0..=0x7F => (tag_len + 1, usize::from(short)),
            0x81 => (tag_len + 2, usize::from(rest[tag_len + 1])),
            0x82 => (tag_len + 3, usize::from(u16::from_be_bytes([rest[tag_len + 1], rest[tag_len + 2]]))),
            other => bail!("length byte {other:02X}"),
        };
        let (whole, next) = rest.split_at_checked(header + length).context("cut short")?;
        if whole.starts_with(tag) {
            return Ok(Element { whole, value: &whole[header..] });
        }
        rest = next;
    }
    bail!("no element {}", hex::encode_upper(tag))
}

/// The public point in the body of a certificate or a request.
fn point(certificate: &[u8]) -> Result<Vec<u8>> {
    let body = find(certificate, &[0x7F, 0x4E])?;
    Ok(find(find(body.value, &[0x7F, 0x49])?.value, &[0x86])?.value.to_vec())
}

/// A DER INTEGER of an unsigned number.
fn integer(number: &[u8]) -> Vec<u8> {
    let digits = number.iter().position(|&byte| byte != 0).map_or(&[][..], |start| &number[start..]);
    let padded = [if digits.first().is_none_or(|&byte| byte >= 0x80) { &[0][..] } else { &[] }, digits].concat();
    [&[0x02, padded.len() as u8][..], &padded].concat()
}

/// Whether OpenSSL accepts `signature` (r and s side by side) over the SHA-256 of `message`.
fn verifies(dir: &Path, point: &[u8], message: &[u8], signature: &[u8]) -> Result<bool> {
    let (r, s) = signature.split_at(signature.len() / 2);
    let numbers = [integer(r), integer(s)].concat();
    fs::write(dir.join("signature"), [&[0x30, u8::try_from(numbers.len())?][..], &numbers].concat())?;
    fs::write(dir.join("message"), message)?;
    fs::write(dir.join("key"), [&hex::decode(P256_KEY)?[..], point].concat())?;
    let openssl = Command::new("openssl")
        .args(["dgst", "-sha256", "-keyform", "DER", "-verify", "key", "-signature", "signature", "message"])
        .current_dir(dir)
        .output()
        .context("openssl does not start: `cargo xtask test` installs it")?;
    let said = String::from_utf8_lossy(&openssl.stdout).into_owned();
    ensure!(said.contains("Verified OK") || said.contains("Verification failure"), "{openssl:?}");
    Ok(openssl.status.success())
}

#[test]
fn openssl_verifies_the_request_of_a_new_key_and_the_device_key_that_vouches_for_it() -> Result<()> {
    let dir = TempDir::new()?;
    let device = VirtualDevice::open(&dir.path().join("state"), Options::default())?;
    let card = device.connect();
    let send = |command: &[u8]| -> Result<Vec<u8>> {
        let answer = card.transmit(command)?;
        Ok(answer.strip_suffix(&[0x90, 0x00]).with_context(|| hex::encode_upper(&answer))?.to_vec())
    };
    send(SELECT)?;
    send(INITIALIZE)?;
    let generated = send(&hex::decode(GENERATE_P256)?)?;
    let request = find(&generated, &[0x67])?;
    let inner = find(request.value, &[0x7F, 0x21])?;
    let body = find(inner.value, &[0x7F, 0x4E])?;
    let own = find(inner.value, &[0x5F, 0x37])?.value;
    let key = point(inner.value)?;
    ensure!(verifies(dir.path(), &key, body.whole, own)?, "the request is not signed by its own key");
    ensure!(!verifies(dir.path(), &key, &body.whole[1..], own)?, "this verification accepts anything");

    let stored = send(READ_DEVICE_CERTIFICATE)?;
    let certificate = find(&stored, &[0x7F, 0x21])?;
    let device_key = point(certificate.value)?;
    let outer = find(request.value, &[0x5F, 0x37])?.value;
    let vouched = [inner.whole, find(request.value, &[0x42])?.whole].concat();
    ensure!(verifies(dir.path(), &device_key, &vouched, outer)?, "the request is not signed by the device key");
    ensure!(!verifies(dir.path(), &key, &vouched, outer)?, "the key vouches for itself");
    Ok(())
}
