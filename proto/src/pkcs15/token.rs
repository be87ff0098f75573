//! What the token says of itself: EF.DIR and EF.TokenInfo. Their application-class tags make them BER, not DER.

use crate::tlv::{self, Full, Malformed};

/// EF.DIR: the HSM application and its label.
pub fn ef_dir(out: &mut [u8]) -> Result<usize, Full> {
    tlv::Writer::new(out).nest(0x61, |w| _ = w.put(0x4F, &crate::aid::HSM).put(0x50, LABEL)).finish()
}

/// Token label (decision D2).
pub const LABEL: &[u8] = b"Ferrite HSM";
/// Manufacturer (decision D2).
pub const MANUFACTURER: &[u8] = b"Ferrite";

/// EF.TokenInfo as it is until the owner writes another: version, serial, manufacturer, label, flags for a random
/// generator and EID compliance.
pub fn default_token_info(version: u8, serial: &[u8; 8], out: &mut [u8]) -> Result<usize, Full> {
    TokenInfo { serial: Some(serial), manufacturer: Some(MANUFACTURER), label: Some(LABEL) }.write(version, out)
}

/// What EF.TokenInfo says, whoever wrote it. OpenSC leaves serial and manufacturer out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenInfo<'a> {
    /// Serial number.
    pub serial: Option<&'a [u8]>,
    /// Manufacturer, UTF-8.
    pub manufacturer: Option<&'a [u8]>,
    /// Label of the token, UTF-8.
    pub label: Option<&'a [u8]>,
}

impl<'a> TokenInfo<'a> {
    /// Reads EF.TokenInfo; version and flags must be there, and are not interpreted.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let content = tlv::Reader::new(bytes).expect(tlv::Tag(0x30))?;
        let mut reader = tlv::Reader::new(content);
        reader.expect(tlv::Tag(0x02))?;
        let serial = reader.optional(tlv::Tag(0x04))?;
        let manufacturer = reader.optional(tlv::Tag(0x0C))?;
        let label = reader.optional(tlv::Tag(0x80))?;
        tlv::find(reader.rest(), tlv::Tag(0x03)).ok_or(Malformed)?;
        Ok(Self { serial, manufacturer, label })
    }

    /// Writes EF.TokenInfo, with the flags for a random generator and EID compliance.
    ///
    /// # Errors
    /// [`Full`].
    pub fn write(&self, version: u8, out: &mut [u8]) -> Result<usize, Full> {
        let fields = [(0x04, self.serial), (0x0C, self.manufacturer), (0x80, self.label)];
        tlv::Writer::new(out)
            .nest(0x30, |w| {
                w.put(0x02, &[version]);
                for (tag, value) in fields {
                    if let Some(value) = value {
                        w.put(tag, value);
                    }
                }
                w.put(0x03, &[0x04, 0x30]);
            })
            .finish()
    }
}
