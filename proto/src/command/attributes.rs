//! Attributes of a key: use counter, allowed algorithms, key domain (specification part 2 §0.4).

use crate::status::Status;
use crate::tlv::{Full, Reader, Tag, Writer};

const COUNTER: u16 = 0x90;
const ALGORITHMS: u16 = 0x91;
const DOMAIN: u16 = 0x92;
const WRAPPING_KEY: u16 = 0x93;
/// Highest key domain.
const MAX_DOMAIN: u8 = 15;

/// What a key may be used for, and how often. What is absent is not limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attributes<'a> {
    /// Uses left.
    pub counter: Option<u32>,
    /// Allowed algorithm bytes.
    pub algorithms: Option<&'a [u8]>,
    /// Key domain, 0 to 15; absent means domain 0.
    pub domain: Option<u8>,
    /// Wrapping key identifier: kept, not interpreted.
    pub wrapping_key: Option<&'a [u8]>,
}

impl<'a> Attributes<'a> {
    /// Reads attributes out of a sequence of data objects; others are skipped. The first of each tag counts.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Status> {
        let mut attributes = Self::default();
        for object in Reader::new(bytes) {
            let (tag, value) = object.map_err(|_| Status::WRONG_DATA)?;
            match tag {
                Tag(COUNTER) if attributes.counter.is_none() => {
                    let counter = value.try_into().map_err(|_| Status::WRONG_DATA)?;
                    attributes.counter = Some(u32::from_be_bytes(counter));
                }
                // An empty list allows everything, as an absent one does.
                Tag(ALGORITHMS) if attributes.algorithms.is_none() && !value.is_empty() => {
                    attributes.algorithms = Some(value);
                }
                Tag(DOMAIN) if attributes.domain.is_none() => match value {
                    [domain @ 0..=MAX_DOMAIN] => attributes.domain = Some(*domain),
                    _ => return Err(Status::WRONG_DATA),
                },
                Tag(WRAPPING_KEY) if attributes.wrapping_key.is_none() => attributes.wrapping_key = Some(value),
                _ => {}
            }
        }
        Ok(attributes)
    }

    /// Whether no attribute is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Writes the attributes as data objects, in the order of their tags.
    pub fn write(&self, out: &mut [u8]) -> Result<usize, Full> {
        let mut writer = Writer::new(out);
        self.write_to(&mut writer);
        writer.finish()
    }

    pub(crate) fn write_to(&self, w: &mut Writer<'_>) {
        if let Some(counter) = self.counter {
            w.put(COUNTER, &counter.to_be_bytes());
        }
        if let Some(algorithms) = self.algorithms {
            w.put(ALGORITHMS, algorithms);
        }
        if let Some(domain) = self.domain {
            w.put(DOMAIN, &[domain]);
        }
        if let Some(wrapping_key) = self.wrapping_key {
            w.put(WRAPPING_KEY, wrapping_key);
        }
    }
}
