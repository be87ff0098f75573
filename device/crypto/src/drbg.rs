//! HMAC_DRBG with SHA-256 (SP 800-90A revision 1 §10.1.2).

use crate::kdf::hmac_sha256;
use core::convert::Infallible;
use rand_core::{TryCryptoRng, TryRng};
use zeroize::ZeroizeOnDrop;

/// Requests between two reseedings. The standard allows 2^48; reseeding is cheap here.
const RESEED_INTERVAL: u32 = 1 << 12;

/// A deterministic random bit generator.
#[derive(ZeroizeOnDrop)]
pub struct Drbg {
    key: [u8; 32],
    value: [u8; 32],
    requests: u32,
}

impl Drbg {
    /// Instantiates the generator from at least 32 bytes of full entropy and a nonce.
    pub fn new(entropy: &[u8], nonce: &[u8], personalization: &[u8]) -> Self {
        let mut drbg = Self { key: [0; 32], value: [1; 32], requests: 1 };
        drbg.update(&[entropy, nonce, personalization]);
        drbg
    }

    /// Mixes fresh entropy in.
    pub fn reseed(&mut self, entropy: &[u8], additional: &[u8]) {
        self.update(&[entropy, additional]);
        self.requests = 1;
    }

    /// Whether it is time for fresh entropy.
    pub fn needs_reseed(&self) -> bool {
        self.requests >= RESEED_INTERVAL
    }

    /// An independent generator for a second worker, seeded from this one.
    pub fn fork(rng: &mut impl rand_core::CryptoRng, label: &[u8]) -> Self {
        let mut seed = zeroize::Zeroizing::new([0; 48]);
        rng.fill_bytes(seed.as_mut());
        Self::new(seed.as_ref(), &[], label)
    }

    fn update(&mut self, parts: &[&[u8]]) {
        let [a, b, c] = [0, 1, 2].map(|i| parts.get(i).copied().unwrap_or_default());
        let is_empty = parts.iter().all(|part| part.is_empty());
        for round in [0x00, 0x01] {
            self.key = hmac_sha256(&self.key, &[&self.value, &[round], a, b, c]);
            self.value = hmac_sha256(&self.key, &[&self.value]);
            if is_empty {
                break;
            }
        }
    }
}

impl TryRng for Drbg {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// One request for each 64 KiB, the standard's largest.
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for request in out.chunks_mut(1 << 16) {
            for block in request.chunks_mut(32) {
                self.value = hmac_sha256(&self.key, &[&self.value]);
                block.copy_from_slice(self.value.get(..block.len()).unwrap_or_default());
            }
            self.update(&[]);
            self.requests = self.requests.saturating_add(1);
        }
        Ok(())
    }
}

impl TryCryptoRng for Drbg {}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::Rng as _;

    /// NIST CAVP drbgvectors_no_reseed, HMAC_DRBG SHA-256, no personalization, COUNT = 0.
    #[test]
    fn output_is_the_published_one() {
        let entropy = hex::decode("ca851911349384bffe89de1cbdc46e6831e44d34a4fb935ee285dd14b71a7488").unwrap();
        let nonce = hex::decode("659ba96c601dc69fc902940805ec0ca8").unwrap();
        let mut drbg = Drbg::new(&entropy, &nonce, &[]);
        let mut out = [0; 128];
        drbg.fill_bytes(&mut out);
        drbg.fill_bytes(&mut out);
        assert_eq!(
            hex::encode(out),
            "e528e9abf2dece54d47c7e75e5fe302149f817ea9fb4bee6f4199697d04d5b89d54fbb978a15b5c443c9ec21036d2460b6f73\
             ebad0dc2aba6e624abf07745bc107694bb7547bb0995f70de25d6b29e2d3011bb19d27676c07162c8b5ccde0668961df86803\
             482cb37ed6d5c0bb8d50cf1f50d476aa0458bdaba806f48be9dcb8"
        );
    }

    #[test]
    fn the_generator_asks_for_fresh_entropy() {
        let mut drbg = Drbg::new(&[1; 32], &[2; 16], b"test");
        let mut twin = Drbg::new(&[1; 32], &[2; 16], b"test");
        for _ in 0..RESEED_INTERVAL {
            drbg.next_u32();
        }
        assert!(drbg.needs_reseed());
        drbg.reseed(&[3; 32], &[]);
        assert!(!drbg.needs_reseed());
        (0..RESEED_INTERVAL).for_each(|_| _ = twin.next_u32());
        assert_ne!(drbg.next_u64(), twin.next_u64(), "fresh entropy changes the stream");
    }
}
