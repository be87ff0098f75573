//! Keys, certificates and data objects as PKCS#15 describes them (specification part 4 §1.6 and §1.7).

use super::Hsm;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::Transport;
use ferrite_proto::cvc;
use ferrite_proto::fid::{FileId, KeyId, prefix};
use ferrite_proto::pkcs15::{KeyDescription, KeyType as Described, Name, ObjectDescription, TokenInfo};
use ferrite_proto::tlv::split;
use zeroize::Zeroizing;

/// What the token says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Token {
    /// Serial number: the holder of the device's certificate without its sequence number. OpenSC shows the same.
    pub serial: String,
    /// Label.
    pub label: String,
    /// Manufacturer.
    pub manufacturer: String,
}

/// A key on the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyObject {
    /// Its identifier.
    pub id: KeyId,
    /// Its label; empty if it has none.
    pub label: String,
    /// CKA_ID.
    pub cka_id: Vec<u8>,
    /// What its description says it is; `None` if there is none that can be read.
    pub described: Option<Described>,
    /// Size in bits, as described.
    pub bits: u16,
    /// What its certificate file holds.
    pub certificate: CertificateKind,
}

/// What lies in a key's certificate file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateKind {
    /// Nothing.
    Nothing,
    /// The request that the device made.
    Request,
    /// An X.509 certificate.
    X509,
    /// Something else.
    Other,
}

impl CertificateKind {
    fn of(file: &[u8]) -> Self {
        match file.first() {
            None => Self::Nothing,
            Some(0x67) => Self::Request,
            Some(0x30) => Self::X509,
            Some(_) => Self::Other,
        }
    }
}

/// A certificate that belongs to no key of the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateObject {
    /// Its number: the index of its files.
    pub number: u8,
    /// Its label.
    pub label: String,
    /// CKA_ID.
    pub cka_id: Vec<u8>,
}

/// A data object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataObject {
    /// Its number: the index of its files.
    pub number: u8,
    /// Its label.
    pub label: String,
    /// Name of the application.
    pub application: String,
    /// Whether reading it needs the user PIN.
    pub is_private: bool,
}

/// Everything on a device that has a description.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Objects {
    /// Keys, by identifier.
    pub keys: Vec<KeyObject>,
    /// Certificates of others.
    pub certificates: Vec<CertificateObject>,
    /// Data objects.
    pub data: Vec<DataObject>,
}

impl<T: Transport> Hsm<T> {
    /// What the token says of itself.
    ///
    /// # Errors
    /// Those of [`Hsm::call`].
    pub fn token(&mut self) -> Result<Token> {
        let certificates = self.device_certificates()?;
        let serial = cvc::Certificate::parse(&certificates).ok().and_then(|(first, _)| first.holder_serial().map(text));
        let info = self.read_file_if_there(FileId::TOKEN_INFO)?.unwrap_or_default();
        let info = TokenInfo::parse(&info).ok();
        Ok(Token {
            serial: serial.unwrap_or_default(),
            label: info.and_then(|info| info.label).map(text).unwrap_or_default(),
            manufacturer: info.and_then(|info| info.manufacturer).map(text).unwrap_or_default(),
        })
    }

    /// Gives the token another label. What else it says of itself stays.
    ///
    /// # Errors
    /// [`ErrorKind::NotLoggedIn`]; [`ErrorKind::Usage`] for a label that is too long.
    pub fn set_label(&mut self, label: &str) -> Result<()> {
        const MAX: usize = 32;
        if label.len() > MAX {
            return Err(Error::new(ErrorKind::Usage, "label the token", "the label is too long")
                .advise(format!("It may have {MAX} bytes.")));
        }
        let there = self.read_file_if_there(FileId::TOKEN_INFO)?.unwrap_or_default();
        let known = TokenInfo::parse(&there).ok();
        let serial = known.and_then(|known| known.serial);
        let info = TokenInfo {
            serial,
            manufacturer: known.and_then(|known| known.manufacturer),
            label: Some(label.as_bytes()),
        };
        let mut out = vec![0; there.len().saturating_add(MAX).saturating_add(16)];
        // The version is 0, as OpenSC writes it.
        let len = info.write(0, &mut out);
        let len = len.map_err(|_| Error::new(ErrorKind::Usage, "label the token", "it is too long"))?;
        out.truncate(len);
        self.write_file(FileId::TOKEN_INFO, &out)
    }

    /// The device's certificate, then its issuers', as the device keeps them; empty before it is initialised.
    ///
    /// # Errors
    /// Those of [`Hsm::call`].
    pub fn device_certificates(&mut self) -> Result<Vec<u8>> {
        Ok(self.read_file_if_there(FileId::DEVICE_CERTIFICATE)?.map(|file| file.to_vec()).unwrap_or_default())
    }

    /// Lists what is on the device. The device's own key is left out.
    ///
    /// # Errors
    /// Those of [`Hsm::call`]. A description that cannot be read only leaves its object without a label.
    pub fn objects(&mut self) -> Result<Objects> {
        let mut files = self.enumerate()?;
        files.sort();
        let mut objects = Objects::default();
        for file in files {
            let number = file.index();
            match file.prefix() {
                prefix::KEY if number != 0 => objects.keys.push(self.key_object(KeyId::new(number))?),
                prefix::CA_DESCRIPTION => {
                    let description = self.read_file(file)?;
                    let read = ObjectDescription::parse(&description).ok();
                    let cka_id = match read.map(|read| read.name) {
                        Some(Name::Id(id)) => id.to_vec(),
                        _ => Vec::new(),
                    };
                    let label = read.map(|read| text(read.label)).unwrap_or_default();
                    objects.certificates.push(CertificateObject { number, label, cka_id });
                }
                prefix::DATA_DESCRIPTION => {
                    let description = self.read_file(file)?;
                    let Ok(read) = ObjectDescription::parse(&description) else { continue };
                    let application = match read.name {
                        Name::Application(application) => text(application),
                        Name::Id(_) => String::new(),
                    };
                    let is_private = read.value.prefix() == prefix::PRIVATE_DATA;
                    objects.data.push(DataObject { number, label: text(read.label), application, is_private });
                }
                _ => {}
            }
        }
        Ok(objects)
    }

    /// Describes one key.
    ///
    /// # Errors
    /// Those of [`Hsm::call`].
    pub fn key_object(&mut self, id: KeyId) -> Result<KeyObject> {
        let description = self.read_file_if_there(id.description())?.unwrap_or_default();
        let read = KeyDescription::parse(&description).ok();
        let certificate = self.read_file_if_there(id.certificate())?.unwrap_or_default();
        Ok(KeyObject {
            id,
            label: read.map(|read| text(read.label)).unwrap_or_default(),
            cka_id: read.map(|read| read.id.to_vec()).unwrap_or_default(),
            described: read.map(|read| read.key_type),
            bits: read.map_or(0, |read| read.bits),
            certificate: CertificateKind::of(&certificate),
        })
    }

    /// The X.509 certificate of a key, in DER; `None` if there is none.
    ///
    /// # Errors
    /// Those of [`Hsm::call`].
    pub fn certificate_of_key(&mut self, id: KeyId) -> Result<Option<Vec<u8>>> {
        let file = self.read_file_if_there(id.certificate())?.unwrap_or_default();
        Ok((CertificateKind::of(&file) == CertificateKind::X509).then(|| first_object(&file)))
    }

    /// Puts an X.509 certificate, in DER, in the place of a key's certificate request.
    ///
    /// # Errors
    /// [`ErrorKind::NotLoggedIn`], [`ErrorKind::Full`].
    pub fn store_certificate_of_key(&mut self, id: KeyId, certificate: &[u8]) -> Result<()> {
        self.write_file(id.certificate(), certificate)
    }

    /// Stores a certificate that belongs to no key; returns its number.
    ///
    /// # Errors
    /// [`ErrorKind::NotLoggedIn`], [`ErrorKind::Full`].
    pub fn store_certificate(&mut self, label: &str, cka_id: &[u8], certificate: &[u8]) -> Result<u8> {
        let number = self.free_number(&[prefix::CA_CERTIFICATE, prefix::CA_DESCRIPTION])?;
        let value = file(prefix::CA_CERTIFICATE, number);
        self.write_file(value, certificate)?;
        let description = describe(label, Name::Id(cka_id), value)?;
        self.write_file(file(prefix::CA_DESCRIPTION, number), &description)?;
        Ok(number)
    }

    /// Reads a certificate that belongs to no key.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`].
    pub fn certificate(&mut self, number: u8) -> Result<Vec<u8>> {
        Ok(first_object(&self.read_file(file(prefix::CA_CERTIFICATE, number))?))
    }

    /// Deletes a certificate that belongs to no key.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::NotLoggedIn`].
    pub fn delete_certificate(&mut self, number: u8) -> Result<()> {
        self.delete_file(file(prefix::CA_CERTIFICATE, number))?;
        self.delete_file_if_there(file(prefix::CA_DESCRIPTION, number))
    }

    /// Stores a data object; returns its number.
    ///
    /// # Errors
    /// [`ErrorKind::NotLoggedIn`], [`ErrorKind::Full`].
    pub fn store_data(&mut self, label: &str, application: &str, is_private: bool, content: &[u8]) -> Result<u8> {
        let values = [prefix::PUBLIC_DATA, prefix::PRIVATE_DATA];
        let number = self.free_number(&[prefix::DATA_DESCRIPTION, values[0], values[1]])?;
        let value = file(if is_private { prefix::PRIVATE_DATA } else { prefix::PUBLIC_DATA }, number);
        self.write_file(value, content)?;
        let description = describe(label, Name::Application(application.as_bytes()), value)?;
        self.write_file(file(prefix::DATA_DESCRIPTION, number), &description)?;
        Ok(number)
    }

    /// Reads a data object.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; [`ErrorKind::NotLoggedIn`] for a private one.
    pub fn data(&mut self, number: u8) -> Result<Zeroizing<Vec<u8>>> {
        let value = self.data_value(number)?;
        self.read_file(value)
    }

    /// Deletes a data object.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::NotLoggedIn`].
    pub fn delete_data(&mut self, number: u8) -> Result<()> {
        let value = self.data_value(number)?;
        self.delete_file_if_there(value)?;
        self.delete_file(file(prefix::DATA_DESCRIPTION, number))
    }

    fn data_value(&mut self, number: u8) -> Result<FileId> {
        let description = self.read_file(file(prefix::DATA_DESCRIPTION, number))?;
        let read = ObjectDescription::parse(&description);
        let what = format!("find data object {number}");
        Ok(read.map_err(|_| Error::new(ErrorKind::BadAnswer, what, "its description cannot be read"))?.value)
    }

    /// The lowest number that no file with one of the prefixes has.
    fn free_number(&mut self, prefixes: &[u8]) -> Result<u8> {
        let files = self.enumerate()?;
        let is_taken = |number: u8| prefixes.iter().any(|prefix| files.contains(&file(*prefix, number)));
        (0..=u8::MAX).find(|number| !is_taken(*number)).ok_or_else(|| {
            Error::new(ErrorKind::Full, "find a free number", "all 256 are taken").advise("Delete an object.")
        })
    }
}

fn describe(label: &str, name: Name<'_>, value: FileId) -> Result<Vec<u8>> {
    let name_len = match name {
        Name::Id(name) | Name::Application(name) => name.len(),
    };
    let mut out = vec![0; label.len().saturating_add(name_len).saturating_add(64)];
    let len = ObjectDescription { label: label.as_bytes(), name, value }.write(&mut out);
    let len = len.map_err(|_| Error::new(ErrorKind::Usage, "describe the object", "a name is too long"))?;
    out.truncate(len);
    Ok(out)
}

/// The first object of a file: what follows it is the tail of an older, longer content.
pub(crate) fn first_object(bytes: &[u8]) -> Vec<u8> {
    split(bytes).map_or(bytes, |first| first.encoded).to_vec()
}

fn file(prefix: u8, index: u8) -> FileId {
    FileId::new(u16::from_be_bytes([prefix, index]))
}

/// Text as somebody wrote it, readable in any case.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
