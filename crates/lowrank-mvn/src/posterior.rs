//! A distribution some of whose entries have been observed.

use ndarray::{Array1, Array2, Array3, ArrayRef2, Axis, s};
use rand::Rng;
use variata_distributions::special::HALF_LOG_TWO_PI;
use variata_distributions::{Real, check};

use crate::condition::{NoisePosterior, Observation, shares};
use crate::diagonal::fill;
use crate::sampling::standard;
use crate::storage::Storage;
use crate::{Error, LowRankMvn};

/// A [`LowRankMvn`] given observed entries, made by [`LowRankMvn::condition`].
///
/// Images have all n entries, the observed ones in their place.
#[derive(Debug, Clone)]
pub struct Posterior<'p, F: Real, S = F> {
    pub(crate) p: LowRankMvn<'p, F, S>,
    pub(crate) items: Vec<NoisePosterior>,
}

/// What an observation of variance s makes of its entry of variance d: x = share·(μ + p·ω) + rest·y + √variance·ω_d.
struct Mixed {
    share: f64,
    rest: f64,
    variance: f64,
}

impl<F: Real, S: Storage> Posterior<'_, F, S> {
    /// The observations that count of an item: one per entry, in the order of the entries; none where there is no such item.
    pub fn observations(&self, item: usize) -> &[Observation] {
        self.items.get(item).map_or(&[], |found| &found.observations)
    }

    /// Mean of the noise of the factor, [batch, r].
    pub fn noise_mean(&self) -> Array2<F> {
        Array2::from_shape_fn((self.items.len(), self.p.rank()), |(b, j)| F::from_f64(self.items[b].z[j]))
    }

    /// Mean image, [batch, n]: the edited image of the SOS-VAE paper's interactive editing.
    pub fn mean(&self) -> Array2<F> {
        let z: Vec<f64> = self.items.iter().flat_map(|found| found.z.iter().copied()).collect();
        self.images(&z, None)
    }

    /// Variance of each entry, [batch, n]; 0 where an exact value was given.
    pub fn variance(&self) -> Array2<F> {
        let mut variances = Array2::from_elem(self.p.loc.raw_dim(), F::ZERO);
        for (b, found) in self.items.iter().enumerate() {
            let diag = self.p.cov_diag.item(b);
            let row = |i: usize| found.row(self.p.cov_factor.slice(s![b, i, ..]).iter().map(|p| p.to_f64()));
            for (i, to) in variances.row_mut(b).iter_mut().enumerate() {
                *to = F::from_f64(row(i).iter().map(|p| p * p).sum::<f64>() + diag.at(i));
            }
            for o in &found.observations {
                let Mixed { share, variance, .. } = self.mixed(b, o);
                let low: f64 = row(o.index).iter().map(|p| p * p).sum();
                variances[(b, o.index)] = F::from_f64(share * share * low + variance);
            }
        }
        variances
    }

    /// Image from given noise of N(0, 1), `noise_factor` [batch, r] and `noise_diag` [batch, n] → [batch, n]; numbers that overflow are as in
    /// [`LowRankMvn::rsample`].
    ///
    /// # Errors
    /// A noise has another shape or is not finite.
    pub fn rsample(
        &self,
        noise_factor: &ArrayRef2<F>,
        noise_diag: &ArrayRef2<F>,
    ) -> Result<Array2<F>, Error> {
        check::shape("noise_factor", noise_factor.shape(), &[self.items.len(), self.p.rank()])?;
        check::finite("noise_factor", noise_factor)?;
        check::shape("noise_diag", noise_diag.shape(), self.p.loc.shape())?;
        check::finite("noise_diag", noise_diag)?;
        let noise = self.items.iter().enumerate();
        let noise: Vec<f64> = noise
            .flat_map(|(b, found)| found.noise(noise_factor.row(b).iter().map(|w| w.to_f64())))
            .collect();
        Ok(self.images(&noise, Some(noise_diag)))
    }

    /// One draw of each item, [batch, n].
    pub fn sample(&self, rng: &mut impl Rng) -> Array2<F> {
        let mut noise = |columns: usize| standard(self.items.len(), columns, f64::INFINITY, rng);
        let (factor, diag) = (noise(self.p.rank()), noise(self.p.dim()));
        // The noise is finite and has the shapes asked for.
        self.rsample(&factor, &diag).unwrap_or_else(|_| self.mean())
    }

    /// Log-density of the values of [`observations`](Self::observations), `[batch]`. Several of one entry count as the one that
    /// they were merged to; how they differ among themselves, which says nothing of x, is left out.
    pub fn log_evidence(&self) -> Array1<f64> {
        let log_density = |(b, found): (usize, &NoisePosterior)| {
            let again = || self.p.observed(b, found.observations.clone()).distance(b, &found.z);
            let q = found.q.unwrap_or_else(again);
            -0.5 * (q + found.log_det) - found.observations.len() as f64 * HALF_LOG_TWO_PI
        };
        self.items.iter().enumerate().map(log_density).collect()
    }

    /// The distribution of the entries of an item without an exact value: their indices, and a batch of one over them. Exact,
    /// and of the same rank.
    ///
    /// # Errors
    /// There is no such item.
    pub fn rest(&self, item: usize) -> Result<(Vec<usize>, LowRankMvn<'static, F, F>), Error>
    where
        F: Storage,
    {
        check::scalar("item", item as f64, "below the number of items", item < self.items.len())?;
        let found = &self.items[item];
        let mut exact = found.observations.iter().filter(|o| o.noise == 0.0).map(|o| o.index).peekable();
        // Both are in the order of the entries.
        let indices: Vec<usize> = (0..self.p.dim()).filter(|i| exact.next_if_eq(i).is_none()).collect();
        let mean = Posterior { p: self.p.nth(item), items: vec![found.clone()] }.mean();
        let diag = self.p.cov_diag.item(item);
        let loc = mean.select(Axis(1), &indices);
        let mut cov_diag =
            Array2::from_shape_fn((1, indices.len()), |(_, k)| F::from_f64(diag.at(indices[k])));
        let mut factor = Array3::from_elem((1, indices.len(), self.p.rank()), F::ZERO);
        let mut soft = found.observations.iter().filter(|o| o.noise > 0.0).peekable();
        for (k, &i) in indices.iter().enumerate() {
            let mut share = 1.0;
            if let Some(o) = soft.next_if(|o| o.index == i) {
                let mixed = self.mixed(item, o);
                share = mixed.share;
                cov_diag[(0, k)] = F::from_f64(mixed.variance);
            }
            let row = found.row(self.p.cov_factor.slice(s![item, i, ..]).iter().map(|p| p.to_f64()));
            for (to, p) in factor.slice_mut(s![0, k, ..]).iter_mut().zip(row) {
                *to = F::from_f64(share * p);
            }
        }
        Ok((indices, LowRankMvn::new(loc, factor, cov_diag)?))
    }

    fn mixed(&self, b: usize, o: &Observation) -> Mixed {
        let d = self.p.cov_diag.item(b).at(o.index);
        let (share, rest, variance) = shares(d, o.noise);
        Mixed { share, rest, variance }
    }

    /// μ + P·noise + √D·own of all entries, with what the observations make of theirs; noise is [batch, r], row after row.
    fn images(&self, noise: &[f64], own: Option<&ArrayRef2<F>>) -> Array2<F> {
        let r = self.p.rank();
        let noise = Array2::from_shape_fn((self.items.len(), r), |(b, j)| noise[b * r + j]);
        let mut images = self.p.coloured(&noise, &|b, start, to| {
            let rows = s![b, start..start + to.len()];
            let Some(own) = own else { return fill(to, &self.p.loc.slice(rows)) };
            self.p.cov_diag.item(b).deviations(start, to);
            let own = own.slice(rows).into_iter().zip(self.p.loc.slice(rows));
            to.iter_mut().zip(own).for_each(|(to, (w, loc))| *to = loc.to_f64() + *to * w.to_f64());
        });
        for (b, found) in self.items.iter().enumerate() {
            for o in &found.observations {
                let Mixed { share, rest, variance } = self.mixed(b, o);
                if o.noise == 0.0 {
                    images[(b, o.index)] = F::from_f64(o.value);
                    continue;
                }
                let row = self.p.cov_factor.slice(s![b, o.index, ..]);
                let low: f64 = row.iter().zip(noise.row(b)).map(|(p, w)| p.to_f64() * w).sum();
                let own = own.map_or(0.0, |own| own[(b, o.index)].to_f64() * libm::sqrt(variance));
                let prior = self.p.loc[(b, o.index)].to_f64() + low;
                images[(b, o.index)] = F::from_f64(share * prior + rest * o.value + own);
            }
        }
        images
    }
}
