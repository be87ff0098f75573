//! Keys to work with, and random numbers. All of them are fixed, so that a run can be repeated exactly.

use crate::memcheck::{poison, secret};
use anyhow::{Context, Result, anyhow};
use core::convert::Infallible;
use ferrite_crypto::drbg::Drbg;
use ferrite_crypto::ec::Curve;
use ferrite_crypto::rsa;
use rand_core::{TryCryptoRng, TryRng};

/// A generator whose output is secret.
pub(crate) struct SecretRng(Drbg);

impl SecretRng {
    /// A generator with a fixed seed.
    pub(crate) fn new() -> Self {
        Self(Drbg::new(&[7; 32], &[], &[]))
    }
}

impl TryRng for SecretRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let bytes = self.0.try_next_u32()?.to_le_bytes();
        Ok(u32::from_le_bytes(secret(bytes)))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let bytes = self.0.try_next_u64()?.to_le_bytes();
        Ok(u64::from_le_bytes(secret(bytes)))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        self.0.try_fill_bytes(out)?;
        poison(out);
        Ok(())
    }
}

impl TryCryptoRng for SecretRng {}

/// A scalar of a curve, not secret yet: a zero byte and then a pattern, which is below the order of every curve.
pub(crate) fn scalar(curve: Curve, pattern: u8) -> Vec<u8> {
    let mut scalar = vec![pattern; curve.domain().order.len()];
    scalar[0] = 0;
    scalar
}

/// Two primes for a modulus of 1024 bits.
const PRIMES_1024: [&str; 2] = [
    "C7F74672F3F2F017A9199623F23881070815164B8F200E6EFC8CCC8A9E7C6A09\
     C615132371EBC9AB3DF2BDBC7AA5B0630892B66B24705BCB855E53829300890F",
    "D7C78E3EB9BECCA634D00A9F3CAC3E819DD9F17F42CC0E2F357839770483274E\
     A26D349778D12064214B9A37E54BF70A2A75CBEF55A81B68C9D5E296A6DD2053",
];
/// Two primes for a modulus of 2048 bits.
const PRIMES_2048: [&str; 2] = [
    "C809ED83E51D00CB0B7D1D8135993BA7A7408409547944C1D188A4DE840B0C6E\
     AF34DF5F182A14AD50A42F1029D012753E2ADF173961936A9AF1821ED14CC58F\
     B95A52046ECD128954686F5178F36CE140863E48166FC93BA625EFBF065F0A4E\
     A09B0A9BA3F9A58D4A66F839E1C9BF1A7F7B1A4597E913511104D00B91D77103",
    "EC4D555503FEEC25AE476A0B5F863D15B02B8A78A6D2C2ABB472B2A1CAD967DE\
     D83707BC4E8531DD1F794746B1EFE1FB34E0C124AD3E6A3ABE9B5973E3323A9E\
     EBE06D74714638AD632978BA5DB57C962C3C773A915BD6EAF3B0858D23D2031B\
     0FF0993E91F1E532A366DDEC2CEDE8DA10CC9CCC62E363EC7655CDB8B16B62D7",
];

/// The primes of an RSA key.
fn primes(bits: u16) -> [Vec<u8>; 2] {
    let primes = if bits == 1024 { PRIMES_1024 } else { PRIMES_2048 };
    primes.map(|prime| hex::decode(prime).unwrap_or_default())
}

/// The primes of an RSA key, secret.
pub(crate) fn secret_primes(bits: u16) -> [Vec<u8>; 2] {
    let mut primes = primes(bits);
    primes.iter_mut().for_each(|prime| poison(prime));
    primes
}

/// An RSA key that is not secret yet.
pub(crate) fn rsa_key(bits: u16) -> Result<rsa::PrivateKey> {
    let [p, q] = primes(bits);
    rsa::PrivateKey::from_primes(&p, &q).map_err(|error| anyhow!("{error:?}"))
}

/// The same key, read from a stored form of which all but the length is secret.
pub(crate) fn secret_rsa_key(bits: u16) -> Result<rsa::PrivateKey> {
    let mut stored = [0; rsa::MAX_STORED];
    let len = rsa_key(bits)?.to_bytes(&mut stored).map_err(|error| anyhow!("{error:?}"))?;
    let stored = stored.get_mut(..len).context("the stored form is too long")?;
    poison(&mut stored[1..]);
    rsa::PrivateKey::from_bytes(stored).map_err(|error| anyhow!("{error:?}"))
}
