//! The file that `sc-hsm-tool --wrap-key` writes, and CardContact's `.wky` (specification part 4 §6.5): the blob, the key's
//! description and its certificate, in a sequence. Only the blob is secret, and encrypted.

use crate::error::{Error, ErrorKind, Result};
use crate::hsm::{Hsm, describe, first_object};
use crate::import::ImportedKey;
use crate::transport::Transport;
use ferrite_crypto::dkek::Dkek;
use ferrite_proto::fid::KeyId;
use ferrite_proto::pkcs15::KeyDescription;
use ferrite_proto::tlv::{Reader, Tag, Writer, split};

const SEQUENCE: u16 = 0x30;
const OCTET_STRING: u16 = 0x04;
/// First bytes of descriptions of keys: RSA, EC, AES. A certificate starts as an RSA key's description does.
const DESCRIPTIONS: [u8; 3] = [0x30, 0xA0, 0xA8];

/// A wrapped key with what describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// The blob.
    pub blob: Vec<u8>,
    /// The key's PKCS#15 description; empty if there is none.
    pub description: Vec<u8>,
    /// Its certificate, or its certificate request; empty if there is none.
    pub certificate: Vec<u8>,
}

impl WrappedKey {
    /// Wraps a key of this computer, with its description and certificate. `algorithms` limits what it may be used for;
    /// empty: everything.
    ///
    /// # Errors
    /// Those of [`super::blob::wrap`].
    pub fn new(dkek: &Dkek, key: &ImportedKey, algorithms: &[u8]) -> Result<Self> {
        Ok(Self {
            blob: super::blob::wrap(dkek, &key.key, algorithms)?,
            description: describe(key.key.key_type(), &key.label, &key.cka_id)?,
            certificate: key.certificate.clone().unwrap_or_default(),
        })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`ErrorKind::BadInput`].
    pub fn parse(file: &[u8]) -> Result<Self> {
        let bad = || Error::new(ErrorKind::BadInput, "read the wrapped key", "the file holds none");
        let content = Reader::new(file).expect(Tag(SEQUENCE)).map_err(|_| bad())?;
        let mut fields = Reader::new(content);
        let blob = fields.expect(Tag(OCTET_STRING)).map_err(|_| bad())?;
        super::blob::check_value(blob)?;
        let mut wrapped = Self { blob: blob.to_vec(), description: Vec::new(), certificate: Vec::new() };
        let mut rest = fields.rest();
        while !rest.is_empty() {
            let object = split(rest).map_err(|_| bad())?;
            let is_description = object.encoded.first().is_some_and(|first| DESCRIPTIONS.contains(first))
                && KeyDescription::parse(object.encoded).is_ok();
            match is_description && wrapped.description.is_empty() {
                true => wrapped.description = object.encoded.to_vec(),
                false => wrapped.certificate = object.encoded.to_vec(),
            }
            rest = object.rest;
        }
        Ok(wrapped)
    }

    /// Writes a file.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`]: it is longer than 16 MiB.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut out = vec![0; self.blob.len() + self.description.len() + self.certificate.len() + 16];
        let mut writer = Writer::new(&mut out);
        writer.nest(SEQUENCE, |w| {
            w.put(OCTET_STRING, &self.blob).raw(&self.description).raw(&self.certificate);
        });
        let len = writer.finish();
        let len = len.map_err(|_| Error::new(ErrorKind::Usage, "write the wrapped key", "it is too long"))?;
        out.truncate(len);
        Ok(out)
    }

    /// The key's label; empty if it has none.
    pub fn label(&self) -> String {
        let description = KeyDescription::parse(&self.description);
        description.map(|description| String::from_utf8_lossy(description.label).into_owned()).unwrap_or_default()
    }
}

impl<T: Transport> Hsm<T> {
    /// Takes a key out of the device, wrapped, with its description and certificate. The user must be logged in.
    ///
    /// # Errors
    /// As [`Hsm::wrap_key`].
    pub fn export_key(&mut self, key: KeyId) -> Result<WrappedKey> {
        let blob = self.wrap_key(key)?;
        let mut first = |file| -> Result<Vec<u8>> {
            Ok(self.read_file_if_there(file)?.map(|content| first_object(&content)).unwrap_or_default())
        };
        Ok(WrappedKey { blob, description: first(key.description())?, certificate: first(key.certificate())? })
    }

    /// Puts a wrapped key into the device under an identifier that is free, with its description and certificate. The
    /// user must be logged in.
    ///
    /// A certificate replaces the request that the device makes for the key. A request does not: the new one names this
    /// device, and it alone is attested by it. Where the device makes none, the old one stays: nothing else has the public key.
    ///
    /// # Errors
    /// As [`Hsm::unwrap_key`].
    pub fn restore_key(&mut self, key: KeyId, wrapped: &WrappedKey) -> Result<()> {
        self.unwrap_key(key, &wrapped.blob)?;
        if !wrapped.description.is_empty() {
            self.write_file(key.description(), &wrapped.description)?;
        }
        let is_certificate = wrapped.certificate.first() == Some(&0x30);
        if wrapped.certificate.is_empty() || !is_certificate && self.has_content(key.certificate())? {
            return Ok(());
        }
        self.write_file(key.certificate(), &wrapped.certificate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::custody::blob;
    use crate::custody::share::Share;

    const GOLDEN: &str = "308203030482014b3071685b92c4c61f0c000a04007f00070202020203000000000000347a577b420fe45badbf7405072cf6619c\
        714029bd8d975c11a65ef7084a6cdfc6451b1e05b5dc3537ee92e7e2c22ba02b9cde6b5b16d7fdc2e428699524a37763de8830a2\
        092c141a69ce80311bca733cf7a7ed602e3ab34b509984d0bfacf6c9345f82858c43f6aeb2117f71c3a637fbd6ab4a44c5c29ab1\
        3ba0ce4d9984e047ce4a079e861394aced5772e3f87915dd73e308935bb07d6ae9d90537a7e3746a5101a449dc884a9f64c1f465\
        cbf33b7a47bb989996557e14be57ae1b76bf91fc51571e956ddb6349e7f62123565c0755170ff2e837c34bd84d3b3c210687494b\
        2a128b5d4e15aea10ee129be91a1b017357778476d228be2b404941acb3cf3a32b6262c0263e6fdc704390c1b888b662f4868451\
        322182d2e49d71fcb234f285bd7ee1b1d12af4c9c14817f03b4f89a04130100c0745432063657274030206c0040101300f040111\
        0303073080030203b8020101a010300e300c310a300806035504030c0178a10a300830020400020201003082016d30820113a003\
        0201020214706555a59a5c2fa814b9bfdec1a8893f35febc53300a06082a8648ce3d040302300c310a300806035504030c017830\
        1e170d3236313132333134323931335a170d3236313230333134323931335a300c310a300806035504030c01783059301306072a\
        8648ce3d020106082a8648ce3d030107034200045862d7eff0b97e81a077776c1fad9a183363678d92716d8d494ef2fda2bd9fb7\
        ac43191718cbb9ce3eddc6b1ae6813836ee55a04ae10e42c32ba6021202bcbf9a3533051301d0603551d0e04160414fe13e0bb33\
        a7c45786462311b0f3fcca5b387ce4301f0603551d23041830168014fe13e0bb33a7c45786462311b0f3fcca5b387ce4300f0603\
        551d130101ff040530030101ff300a06082a8648ce3d04030203480030450221008585b61cc53e806d25df9a31b14dcdae4801e2\
        4c887ca9e3eaf226632900a6f30220097318bc591636aed89fa7b6b89fecd53efda83e48efc7d7c7a2dd1064944214";

    /// Specification part 4 §6.5: wrapped by another device under the DKEK of §6.1, written by OpenSC.
    #[test]
    fn the_file_of_another_program_is_read_opened_and_written_again() {
        let file = hex::decode(GOLDEN).expect("hexadecimal");
        let wrapped = WrappedKey::parse(&file).expect("a wrapped key");
        assert_eq!((wrapped.label().as_str(), wrapped.certificate[0]), ("EC cert", 0x30));
        assert_eq!(wrapped.to_bytes().expect("a file"), file);
        let share =
            hex::decode("575e345301a0c77c865006526f7fa962f6728825dd37096c5befb0ec9b7e23e6").expect("hexadecimal");
        let share = Share::from_bytes(share.as_slice().try_into().expect("32 bytes"));
        let opened =
            blob::open(&Dkek::from_bytes(share.as_bytes()), &wrapped.blob).unwrap_or_else(|error| panic!("{error}"));
        // The public half in the blob was checked against the private one. The certificate was made with another key.
        assert_eq!(opened.key.key_type().to_string(), "p256");
        assert!(crate::PublicKey::from_any_certificate(&wrapped.certificate).is_ok());
        for len in 0..file.len() {
            assert!(WrappedKey::parse(&file[..len]).is_err(), "{len}");
        }
    }
}
