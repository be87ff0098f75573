//! Randomness: raw source -> health tests -> conditioning -> DRBG (SP 800-90A/B).

use crate::platform::{Entropy, EntropyError};
use ferrite_crypto::drbg::Drbg;
use ferrite_crypto::entropy::{Conditioner, SAMPLES_FOR_SEED};
use zeroize::Zeroizing;

/// The card's random bit generator with its health-tested source. A source that fails its tests leaves it without a
/// generator: everything that needs randomness is then refused.
pub(crate) struct Random {
    drbg: Option<Drbg>,
    conditioner: Conditioner,
}

impl Random {
    /// Seeds the generator.
    pub(crate) fn start(source: &mut impl Entropy, personalization: &[u8]) -> Self {
        let mut conditioner = Conditioner::new();
        let drbg = seed(source, &mut conditioner).and_then(|entropy| {
            let nonce = seed(source, &mut conditioner)?;
            Ok(Drbg::new(entropy.as_ref(), nonce.as_ref(), personalization))
        });
        Self { drbg: drbg.ok(), conditioner }
    }

    /// The generator, reseeded from the source when its time has come.
    pub(crate) fn generator(&mut self, source: &mut impl Entropy) -> Result<&mut Drbg, EntropyError> {
        if self.drbg.as_ref().is_some_and(Drbg::needs_reseed) {
            return self.fresh(source);
        }
        self.drbg.as_mut().ok_or(EntropyError)
    }

    /// The generator, reseeded now: for keys that live long. Fails if the source has gone bad.
    pub(crate) fn fresh(&mut self, source: &mut impl Entropy) -> Result<&mut Drbg, EntropyError> {
        let entropy = seed(source, &mut self.conditioner)?;
        let drbg = self.drbg.as_mut().ok_or(EntropyError)?;
        drbg.reseed(entropy.as_ref(), &[]);
        Ok(drbg)
    }
}

fn seed(source: &mut impl Entropy, conditioner: &mut Conditioner) -> Result<Zeroizing<[u8; 32]>, EntropyError> {
    let mut samples = Zeroizing::new([0; SAMPLES_FOR_SEED]);
    let mut seed = Zeroizing::new([0; 32]);
    source.sample(samples.as_mut())?;
    conditioner.condition(samples.as_ref(), &mut seed).map_err(|_| EntropyError)?;
    Ok(seed)
}
