//! A parser of USB descriptors that is stricter than hosts are: every length, number and address is checked.

use anyhow::{Context, Result, bail, ensure};

/// A device descriptor.
#[derive(Debug, PartialEq, Eq)]
pub struct Device {
    /// Vendor and product.
    pub ids: (u16, u16),
    /// Version of the device.
    pub release: u16,
    /// Numbers of the strings: manufacturer, product, serial number.
    pub strings: [u8; 3],
}

/// A configuration.
#[derive(Debug, PartialEq, Eq)]
pub struct Configuration {
    /// bmAttributes.
    pub attributes: u8,
    /// Milliamperes.
    pub max_power: u16,
    /// Its interfaces, in order.
    pub interfaces: Vec<Interface>,
}

/// An interface.
#[derive(Debug, PartialEq, Eq)]
pub struct Interface {
    /// bInterfaceNumber.
    pub number: u8,
    /// Class, subclass, protocol.
    pub class: [u8; 3],
    /// Number of its string.
    pub string: u8,
    /// Its class-specific descriptor, whole.
    pub functional: Vec<u8>,
    /// Its endpoints.
    pub endpoints: Vec<Endpoint>,
}

/// An endpoint.
#[derive(Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// bEndpointAddress.
    pub address: u8,
    /// Type: 2 bulk, 3 interrupt.
    pub kind: u8,
    /// bInterval.
    pub interval: u8,
}

impl Interface {
    /// Addresses of bulk OUT and bulk IN.
    ///
    /// # Errors
    /// One is missing.
    pub fn bulk(&self) -> Result<(u8, u8)> {
        let find = |is_in| {
            let found =
                self.endpoints.iter().find(|endpoint| endpoint.kind == 2 && (endpoint.address >= 0x80) == is_in);
            found.map(|endpoint| endpoint.address)
        };
        Ok((find(false).context("no bulk OUT endpoint")?, find(true).context("no bulk IN endpoint")?))
    }
}

impl Device {
    /// Reads a device descriptor of a full-speed device whose interfaces have the classes.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let &[18, 1, 0x10, 0x02, 0, 0, 0, 64, v0, v1, p0, p1, r0, r1, manufacturer, product, serial, 1] = bytes else {
            bail!("no device descriptor: {bytes:02X?}");
        };
        Ok(Self {
            ids: (u16::from_le_bytes([v0, v1]), u16::from_le_bytes([p0, p1])),
            release: u16::from_le_bytes([r0, r1]),
            strings: [manufacturer, product, serial],
        })
    }
}

/// Cuts bytes into descriptors.
fn descriptors(mut bytes: &[u8]) -> Result<Vec<&[u8]>> {
    let mut found = Vec::new();
    while let [len, ..] = bytes {
        ensure!(*len >= 2, "a descriptor of {len} bytes");
        let (one, rest) = bytes.split_at_checked(usize::from(*len)).context("a descriptor is cut off")?;
        found.push(one);
        bytes = rest;
    }
    Ok(found)
}

impl Configuration {
    /// Reads a configuration with everything that belongs to it.
    ///
    /// # Errors
    /// Anything in it is not as it must be.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let all = descriptors(bytes)?;
        let (head, mut rest) = all.split_first().context("nothing")?;
        let &[9, 2, t0, t1, count, 1, 0, attributes, power] = *head else { bail!("no configuration: {head:02X?}") };
        ensure!(usize::from(u16::from_le_bytes([t0, t1])) == bytes.len(), "wTotalLength");
        ensure!(attributes & 0x9F == 0x80, "reserved bits of bmAttributes");
        let mut interfaces = Vec::new();
        let mut addresses = Vec::new();
        while let Some((head, body)) = rest.split_first() {
            let &[9, 4, number, 0, endpoints, class, subclass, protocol, string] = *head else {
                bail!("no interface: {head:02X?}");
            };
            ensure!(usize::from(number) == interfaces.len(), "interfaces are numbered in their order");
            let (functional, body) = body.split_first().context("no class-specific descriptor")?;
            ensure!(functional[1] == 0x21, "type of the class-specific descriptor");
            let (own, after) = body.split_at_checked(usize::from(endpoints)).context("bNumEndpoints")?;
            let mut parsed = Vec::new();
            for endpoint in own {
                let &[7, 5, address, kind @ (2 | 3), 64, 0, interval] = *endpoint else {
                    bail!("no endpoint: {endpoint:02X?}");
                };
                ensure!(address & 0x70 == 0 && address & 0x0F != 0, "address {address:02X}");
                ensure!(!addresses.contains(&address), "address {address:02X} twice");
                addresses.push(address);
                parsed.push(Endpoint { address, kind, interval });
            }
            interfaces.push(Interface {
                number,
                class: [class, subclass, protocol],
                string,
                functional: functional.to_vec(),
                endpoints: parsed,
            });
            rest = after;
        }
        ensure!(interfaces.len() == usize::from(count), "bNumInterfaces");
        Ok(Self { attributes, max_power: u16::from(power) * 2, interfaces })
    }
}

/// The capabilities of a binary device object store: type and data of each.
///
/// # Errors
/// It is none.
pub fn capabilities(bytes: &[u8]) -> Result<Vec<(u8, Vec<u8>)>> {
    let all = descriptors(bytes)?;
    let (head, rest) = all.split_first().context("nothing")?;
    let &[5, 0x0F, t0, t1, count] = *head else { bail!("no BOS: {head:02X?}") };
    ensure!(usize::from(u16::from_le_bytes([t0, t1])) == bytes.len(), "wTotalLength");
    ensure!(usize::from(count) == rest.len(), "bNumDeviceCaps");
    rest.iter()
        .map(|capability| match capability {
            [_, 0x10, kind, data @ ..] => Ok((*kind, data.to_vec())),
            other => bail!("no capability: {other:02X?}"),
        })
        .collect()
}
