//! Draws, from given noise or from a generator.

use ndarray::{Array1, Array2, ArrayRef2};
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;
use variata_distributions::parallel::collect;
use variata_distributions::{Real, check};

use crate::{Error, LowRankMvn};

impl<F: Real> LowRankMvn<'_, F> {
    /// Reparameterised sample from given noise of N(0, 1): `noise_factor` [batch, r] and `noise_diag` [batch, n].
    ///
    /// ```text
    /// μ + P·ω_p + √D·ω_d
    /// ```
    /// Source: SOS-VAE paper, eq. 4.
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
        let rows = collect(self.batch(), |b| {
            let item = self.item(b);
            let omega: Vec<f64> = noise_factor.row(b).iter().map(|w| w.to_f64()).collect();
            let entry = |(i, row): (usize, ndarray::ArrayView1<'_, F>)| {
                let moved: f64 = row.iter().zip(&omega).map(|(p, w)| p.to_f64() * w).sum();
                let own = libm::sqrt(item.diag.at(i)) * noise_diag[(b, i)].to_f64();
                F::from_f64(item.loc[i].to_f64() + moved + own)
            };
            item.factor.rows().into_iter().enumerate().map(entry).collect::<Array1<F>>()
        });
        Ok(Array2::from_shape_fn(self.loc.raw_dim(), |(b, i)| rows[b][i]))
    }

    /// One draw of each distribution, [batch, n].
    pub fn sample(&self, rng: &mut impl Rng) -> Array2<F> {
        let mut noise = |rows: usize, columns: usize| {
            Array2::from_shape_simple_fn((rows, columns), || {
                F::from_f64(rng.sample::<f64, _>(StandardNormal))
            })
        };
        let factor = noise(self.batch(), self.rank());
        let diag = noise(self.batch(), self.dim());
        // The noise is finite and has the shapes asked for.
        self.rsample(&factor, &diag).unwrap_or_else(|_| self.loc.to_owned())
    }
}
