//! The host's end of the secure channel.

use super::*;
use ferrite_crypto::channel::{Channel, padded_len};
use ferrite_crypto::ec::{Curve, PrivateKey};
use ferrite_proto::cvc::{Certificate, PublicKey};
use ferrite_proto::secure_messaging::{self, ProtectedAnswer};
use ferrite_proto::tlv::Writer;

/// Bytes of PINs and answers that must not be seen on the line.
pub type Seen = Vec<Vec<u8>>;

/// The host's end of a channel.
pub struct Host {
    pub channel: Channel,
    pub seen: Seen,
}

impl Host {
    /// Opens a channel; the device proves the key in its certificate.
    pub fn open(device: &mut Device) -> Self {
        device.ok(&choose());
        let key = host_key();
        let point: [u8; 65] = key.public_key().unwrap().as_ref().try_into().unwrap();
        let answer = device.ok(&authenticate(&point));
        let (nonce, token) = secure_messaging::parse_token(&answer).unwrap();
        let secret = key.agree(&device_point(device)).unwrap();
        let channel = Channel::new(secret.as_ref(), nonce);
        assert_eq!(channel.token(&secure_messaging::token_input(&point)), *token);
        Self { channel, seen: Vec::new() }
    }

    /// Protects a command: extended, with its data as cryptogram.
    pub fn protect(&mut self, header: [u8; 4], data: &[u8], le: usize) -> Vec<u8> {
        self.channel.count();
        let mut header = header;
        header[0] |= 0x0C;
        let mut out = vec![0; data.len() + 100];
        let mut w = Writer::new(&mut out);
        if !data.is_empty() {
            let mut cryptogram = data.to_vec();
            cryptogram.resize(padded_len(data.len()), 0);
            self.channel.encrypt(&mut cryptogram, data.len()).unwrap();
            w.put(0x87, &[&[1], &cryptogram[..]].concat());
        }
        secure_messaging::write_le(le, &mut w);
        let covered = w.finish().unwrap();
        let checksum = self.channel.checksum(&header, &out[..covered]);
        let mut w = Writer::new(&mut out[covered..]);
        secure_messaging::write_checksum(&checksum, &mut w);
        let len = covered + w.finish().unwrap();
        out.truncate(len);
        apdu(header[0], header[1], header[2], header[3], &out, Some(65536))
    }

    /// Checks and decrypts an answer.
    pub fn unprotect(&mut self, answer: &[u8]) -> Option<(Vec<u8>, u16)> {
        self.channel.count();
        let parts = ProtectedAnswer::parse(answer)?;
        if !self.channel.is_checksum(&answer[parts.checksum], &[], &answer[..parts.covered]) {
            return None;
        }
        let mut data = parts.cryptogram.map(|range| answer[range].to_vec()).unwrap_or_default();
        let len = if data.is_empty() { 0 } else { self.channel.decrypt(&mut data).ok()? };
        data.truncate(len);
        Some((data, parts.status.value()))
    }

    /// Sends a command through the channel, which must carry it.
    #[track_caller]
    pub fn send(&mut self, device: &mut Device, header: [u8; 4], data: &[u8], le: usize) -> (Vec<u8>, u16) {
        let command = self.protect(header, data, le);
        let (answer, outer) = device.send(&command);
        assert_eq!(outer, 0x9000);
        self.seen.extend([command, answer.clone()]);
        self.unprotect(&answer).expect("an answer that was changed")
    }

    #[track_caller]
    pub fn ok(&mut self, device: &mut Device, header: [u8; 4], data: &[u8]) -> Vec<u8> {
        let (data, status) = self.send(device, header, data, 65536);
        assert_eq!(status, 0x9000, "{header:02X?}");
        data
    }

    #[track_caller]
    pub fn login(&mut self, device: &mut Device) {
        self.ok(device, [0x00, 0x20, 0x00, 0x81], USER_PIN);
    }
}

pub fn choose() -> Vec<u8> {
    apdu(0x00, 0x22, 0x41, 0xA4, &tlv(&[0x80], &secure_messaging::PROTOCOL), None)
}

pub fn authenticate(point: &[u8]) -> Vec<u8> {
    apdu(0x00, 0x86, 0x00, 0x00, &tlv(&[0x7C], &tlv(&[0x80], point)), Some(256))
}

pub fn host_key() -> PrivateKey {
    PrivateKey::from_bytes(Curve::P256, &[0x42; 32]).unwrap()
}

/// The public key in the device's certificate.
pub fn device_point(device: &mut Device) -> Vec<u8> {
    let file = device.ok(&read(0x2F02, 0));
    let (certificate, _) = Certificate::parse(&file).unwrap();
    match certificate.body.public_key {
        PublicKey::Ec { point, .. } => point.to_vec(),
        other => panic!("{other:?}"),
    }
}
