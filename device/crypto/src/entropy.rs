//! From raw samples to full entropy: health tests (SP 800-90B §4.4) and conditioning with SHA-256 (§3.1.5).
//!
//! A raw sample is one byte that holds at least one bit of min-entropy. [`SAMPLES_FOR_SEED`] samples then carry 512
//! bits, twice what the 256 bits of output need, as SP 800-90C asks for full entropy.

use crate::hash::Hash;

/// Raw samples, one byte each, for 32 bytes of full entropy.
pub const SAMPLES_FOR_SEED: usize = 512;

/// Repetition count test: cutoff for one bit of min-entropy and a false alarm once in 2^30: 1 + 30 / 1.
const REPETITION_CUTOFF: u32 = 31;
/// Adaptive proportion test: window for non-binary sources.
const WINDOW: u32 = 512;
/// Its cutoff for one bit of min-entropy and a false alarm once in 2^30: 1 + critbinom(512, 1/2, 1 − 2^-30).
const PROPORTION_CUTOFF: u32 = 325;

/// The source fails a health test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthError;

/// The health tests' state and the conditioning function.
pub struct Conditioner {
    last: Option<u8>,
    repeated: u32,
    first_of_window: u8,
    seen: u32,
    matching: u32,
    has_failed: bool,
}

impl Conditioner {
    /// Starts the health tests.
    pub const fn new() -> Self {
        Self { last: None, repeated: 0, first_of_window: 0, seen: 0, matching: 0, has_failed: false }
    }

    /// Tests raw samples and condenses them into 32 bytes. After a failed test nothing comes out any more.
    pub fn condition(&mut self, samples: &[u8], out: &mut [u8; 32]) -> Result<(), HealthError> {
        for sample in samples {
            self.test(*sample);
        }
        if self.has_failed || samples.len() < SAMPLES_FOR_SEED {
            return Err(HealthError);
        }
        let digest = Hash::Sha256.digest(&[samples]);
        out.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
        Ok(())
    }

    fn test(&mut self, sample: u8) {
        self.repeated = if self.last == Some(sample) { self.repeated.saturating_add(1) } else { 1 };
        self.last = Some(sample);
        if self.seen == 0 {
            self.first_of_window = sample;
            self.matching = 0;
        }
        self.matching = self.matching.saturating_add(u32::from(sample == self.first_of_window));
        self.seen = (self.seen.saturating_add(1)) % WINDOW;
        self.has_failed |= self.repeated >= REPETITION_CUTOFF || self.matching >= PROPORTION_CUTOFF;
    }
}

impl Default for Conditioner {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drbg::Drbg;
    use rand_core::Rng as _;

    #[test]
    fn a_stuck_source_is_noticed_and_stays_refused() {
        let mut conditioner = Conditioner::new();
        let mut samples = [0; SAMPLES_FOR_SEED];
        Drbg::new(&[1; 32], &[], &[]).fill_bytes(&mut samples);
        let mut out = [0; 32];
        assert_eq!(conditioner.condition(&samples, &mut out), Ok(()));
        let mut stuck = samples;
        stuck[100..131].fill(7);
        assert_eq!(conditioner.condition(&stuck, &mut out), Err(HealthError));
        assert_eq!(conditioner.condition(&samples, &mut out), Err(HealthError));
    }

    #[test]
    fn a_biased_source_is_noticed() {
        let mut samples = [0; SAMPLES_FOR_SEED];
        Drbg::new(&[1; 32], &[], &[]).fill_bytes(&mut samples);
        samples.iter_mut().enumerate().filter(|(i, _)| i % 3 != 2).for_each(|(_, sample)| *sample = 9);
        assert_eq!(Conditioner::new().condition(&samples, &mut [0; 32]), Err(HealthError));
    }
}
