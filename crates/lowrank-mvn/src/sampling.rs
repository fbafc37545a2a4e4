//! Draws, from given noise or from a generator.

use ndarray::{Array2, Array3, ArrayRef2, ArrayRef3, Axis, s};
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use variata_distributions::lanes::in_large_pages;
use variata_distributions::parallel::for_each;
use variata_distributions::{Real, check};

use crate::factorisation::TASK;
use crate::storage::Storage;
use crate::{Error, LowRankMvn};

/// Numbers of N(0, 1), limited to [−`limit`, `limit`]. The generator gives the key of a ChaCha8 generator with a stream of its own
/// for every [`TASK`] numbers, so that they are drawn in parallel and do not depend on the number of threads.
pub(crate) fn standard<F: Real>(rows: usize, columns: usize, limit: f64, rng: &mut impl Rng) -> Array2<F> {
    let key: [u8; 32] = rng.random();
    let mut noise = vec![F::ZERO; rows * columns];
    for_each(noise.chunks_mut(TASK).enumerate().collect(), |(stream, noise)| {
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(stream as u64);
        for to in noise {
            let drawn: f64 = StandardNormal.sample(&mut rng);
            *to = F::from_f64(drawn.clamp(-limit, limit));
        }
    });
    // rows·columns numbers.
    Array2::from_shape_vec((rows, columns), noise).unwrap_or_default()
}

impl<F: Real, S: Storage> LowRankMvn<'_, F, S> {
    /// Reparameterised sample from given noise of N(0, 1): `noise_factor` [batch, r] and `noise_diag` [batch, n] →
    /// [batch, n].
    ///
    /// ```text
    /// μ + P·ω_p + √D·ω_d
    /// ```
    /// Source: SOS-VAE paper, eq. 4.
    ///
    /// Entries beyond the largest number are infinite, or NaN where infinite parts of theirs meet.
    ///
    /// # Errors
    /// A noise has another shape or is not finite.
    pub fn rsample(
        &self,
        noise_factor: &ArrayRef2<F>,
        noise_diag: &ArrayRef2<F>,
    ) -> Result<Array2<F>, Error> {
        check::shape("noise_factor", noise_factor.shape(), &[self.batch(), self.rank()])?;
        check::finite("noise_factor", noise_factor)?;
        check::shape("noise_diag", noise_diag.shape(), self.loc.shape())?;
        check::finite("noise_diag", noise_diag)?;
        Ok(self.coloured(noise_factor, &|b, start, to| {
            let rows = s![b, start..start + to.len()];
            let diag = self.cov_diag.item(b);
            diag.deviations(start, to);
            let own = noise_diag.slice(rows).into_iter().zip(self.loc.slice(rows));
            to.iter_mut().zip(own).for_each(|(to, (w, loc))| *to = loc.to_f64() + *to * w.to_f64());
        }))
    }

    /// Samples from given noise whose own part is the same for every sample: `noise_factor` [batch, samples, r] and one
    /// `noise_diag` [batch, n] → [batch, samples, n]. Images differ only in what moves together, as in the figures of the
    /// SOS-VAE paper; with a `noise_diag` of zeros, pixels have no noise of their own.
    ///
    /// # Errors
    /// As [`rsample`](Self::rsample).
    pub fn rsample_many(
        &self,
        noise_factor: &ArrayRef3<F>,
        noise_diag: &ArrayRef2<F>,
    ) -> Result<Array3<F>, Error> {
        let (batch, samples) = (self.batch(), noise_factor.dim().1);
        check::shape("noise_factor", noise_factor.shape(), &[batch, samples, self.rank()])?;
        check::shape("noise_diag", noise_diag.shape(), self.loc.shape())?;
        check::finite("noise_diag", noise_diag)?;
        let mut images = Array3::from_elem((batch, samples, self.dim()), F::ZERO);
        in_large_pages(images.as_slice_mut().unwrap_or_default());
        for (k, mut to) in images.axis_iter_mut(Axis(1)).enumerate() {
            to.assign(&self.rsample(&noise_factor.index_axis(Axis(1), k), noise_diag)?);
        }
        Ok(images)
    }

    /// One draw of each distribution, [batch, n].
    pub fn sample(&self, rng: &mut impl Rng) -> Array2<F> {
        self.sample_clamped(f64::INFINITY, rng).unwrap_or_else(|_| self.loc.to_owned())
    }

    /// `samples` draws of each distribution, [batch, samples, n].
    pub fn sample_n(&self, samples: usize, rng: &mut impl Rng) -> Array3<F> {
        let mut draws = Array3::from_elem((self.batch(), samples, self.dim()), F::ZERO);
        in_large_pages(draws.as_slice_mut().unwrap_or_default());
        draws.axis_iter_mut(Axis(1)).for_each(|mut to| to.assign(&self.sample(rng)));
        draws
    }

    /// One draw of each distribution with the noise of D limited to [−`limit`, `limit`] standard deviations, [batch, n]: no
    /// pixel stands out of a smooth image by chance.
    ///
    /// # Errors
    /// `limit` is NaN or < 0.
    pub fn sample_clamped(&self, limit: f64, rng: &mut impl Rng) -> Result<Array2<F>, Error> {
        check::scalar("limit", limit, ">= 0", limit >= 0.0)?;
        let factor = standard(self.batch(), self.rank(), f64::INFINITY, rng);
        let diag = standard(self.batch(), self.dim(), limit, rng);
        self.rsample(&factor, &diag)
    }
}
