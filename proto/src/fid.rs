//! File and key identifiers (specification part 1 §3.3, part 4 §1.7.1).

/// A two-byte file identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u16);

impl FileId {
    /// The master file.
    pub const MASTER_FILE: Self = Self(0x3F00);
    /// EF.DIR: the list of applications.
    pub const EF_DIR: Self = Self(0x2F00);
    /// EF.ATR: empty.
    pub const EF_ATR: Self = Self(0x2F01);
    /// EF.C_DevAut: the device's certificate, then its issuers'.
    pub const DEVICE_CERTIFICATE: Self = Self(0x2F02);
    /// EF.TokenInfo: label and manufacturer.
    pub const TOKEN_INFO: Self = Self(0x2F03);
    /// The scratch file through which OpenSC hands over a wrapped key.
    pub const WRAP_SCRATCH: Self = Self(0x2F10);
    /// The directory of the HSM application.
    pub const HSM_DF: Self = Self(0x5015);

    /// A file identifier of any value.
    pub const fn new(value: u16) -> Self {
        Self(value)
    }

    /// As a number.
    pub const fn value(self) -> u16 {
        self.0
    }

    /// As it stands on the wire.
    pub const fn to_bytes(self) -> [u8; 2] {
        self.0.to_be_bytes()
    }

    /// The first byte: what kind of object it is.
    pub const fn prefix(self) -> u8 {
        self.to_bytes()[0]
    }

    /// The second byte: which object of its kind.
    pub const fn index(self) -> u8 {
        self.to_bytes()[1]
    }
}

/// First bytes of file identifiers.
pub mod prefix {
    /// Key objects.
    pub const KEY: u8 = 0xCC;
    /// PKCS#15 descriptions of keys.
    pub const KEY_DESCRIPTION: u8 = 0xC4;
    /// Certificates and certificate requests of keys.
    pub const KEY_CERTIFICATE: u8 = 0xCE;
    /// Descriptions of CA certificates.
    pub const CA_DESCRIPTION: u8 = 0xC8;
    /// CA certificates.
    pub const CA_CERTIFICATE: u8 = 0xCA;
    /// Descriptions of data objects.
    pub const DATA_DESCRIPTION: u8 = 0xC9;
    /// PIN-protected data objects.
    pub const PRIVATE_DATA: u8 = 0xCD;
    /// Public data objects.
    pub const PUBLIC_DATA: u8 = 0xCF;
    /// Static token data.
    pub const TOKEN_DATA: u8 = 0xCB;
}

/// A key identifier: one name space for all key types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(u8);

impl KeyId {
    /// The device key.
    pub const DEVICE: Self = Self(0);

    /// A key identifier of any value.
    pub const fn new(value: u8) -> Self {
        Self(value)
    }

    /// As a number.
    pub const fn value(self) -> u8 {
        self.0
    }

    /// `CCxx`: the key itself.
    pub const fn key(self) -> FileId {
        self.file(prefix::KEY)
    }

    /// `C4xx`: its PKCS#15 description.
    pub const fn description(self) -> FileId {
        self.file(prefix::KEY_DESCRIPTION)
    }

    /// `CExx`: its certificate or certificate request.
    pub const fn certificate(self) -> FileId {
        self.file(prefix::KEY_CERTIFICATE)
    }

    const fn file(self, prefix: u8) -> FileId {
        FileId(u16::from_be_bytes([prefix, self.0]))
    }
}
