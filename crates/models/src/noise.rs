//! All randomness of a model, addressed by (seed, purpose, step, row): nothing to save, nothing to restore.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use tch::{Device, Tensor};

use crate::Error;

/// What a draw is for. Draws for different purposes are independent at the same step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Purpose {
    /// Initial parameters; the step is a hash of the parameter's name.
    Init,
    /// The latent code of a training step.
    Latent,
    /// The latent code of a validation batch.
    Validation,
    /// Figures and final measurements.
    Report,
    /// Where dead codes begin anew.
    Revival,
}

/// FNV-1a, 64 bit, of numbers.
pub(crate) fn fnv1a(numbers: impl Iterator<Item = u64>) -> u64 {
    numbers.fold(0xcbf2_9ce4_8422_2325, |hash, n| (hash ^ n).wrapping_mul(0x0100_0000_01b3))
}

/// Numbers of `n` rows of which the first is `first`.
pub(crate) fn rows_from(first: u64, n: i64) -> std::ops::Range<u64> {
    first..first.saturating_add(n.max(0).unsigned_abs())
}

/// A source of noise that has no state: the same address always gives the same numbers.
///
/// Each row is a stream of its own (ChaCha8, stream = row), so that a row's numbers do not depend on how rows are
/// grouped into batches or spread over threads. libtorch's generator is never used: this is what makes a resumed run
/// equal to an uninterrupted one.
///
/// # Examples
/// ```
/// use variata_models::{Noise, Purpose};
/// let noise = Noise::new(7);
/// let batch = noise.normal_rows(Purpose::Latent, 3, 0..4, 2);
/// let tail = noise.normal_rows(Purpose::Latent, 3, 2..4, 2);
/// assert_eq!(batch[4..], tail[..]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noise {
    seed: u64,
}

impl Noise {
    /// Noise of a seed.
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The seed.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// The generator of one row.
    pub fn stream(&self, purpose: Purpose, step: u64, row: u64) -> impl Rng + use<> {
        let mut key = [0u8; 32];
        key[..8].copy_from_slice(&self.seed.to_le_bytes());
        key[8..16].copy_from_slice(&step.to_le_bytes());
        key[16] = match purpose {
            Purpose::Init => 1,
            Purpose::Latent => 2,
            Purpose::Validation => 3,
            Purpose::Report => 4,
            Purpose::Revival => 5,
        };
        // Part of the key, so that no other use of ChaCha8 with the same seed shares the stream.
        key[24..].copy_from_slice(b"variata1");
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(row);
        rng
    }

    /// Standard normal draws, `width` per row, row after row; drawn in f64 and rounded once.
    pub fn normal_rows(
        &self,
        purpose: Purpose,
        step: u64,
        rows: std::ops::Range<u64>,
        width: usize,
    ) -> Vec<f32> {
        let mut out =
            Vec::with_capacity((rows.end.saturating_sub(rows.start) as usize).saturating_mul(width));
        for row in rows {
            let mut rng = self.stream(purpose, step, row);
            out.extend((0..width).map(|_| {
                let z: f64 = StandardNormal.sample(&mut rng);
                z as f32
            }));
        }
        out
    }

    /// [`Noise::normal_rows`] as a tensor [rows, width] on `device`.
    ///
    /// # Errors
    /// libtorch cannot allocate.
    pub fn normal(
        &self,
        purpose: Purpose,
        step: u64,
        rows: std::ops::Range<u64>,
        width: i64,
        device: Device,
    ) -> Result<Tensor, Error> {
        let (n, w) = (rows.end.saturating_sub(rows.start) as usize, width.max(0) as usize);
        let data = self.normal_rows(purpose, step, rows, w);
        Ok(variata_torch_bridge::tensor_from_slice(&data, &[n, w])?.to_device(device))
    }
}
