//! Marginals, and what observed entries say of the noise of the factor.

use std::sync::OnceLock;

use ndarray::{Array2, ArrayRef2, ArrayView2, Axis, s};
use variata_distributions::linalg::{dot, identity, solve_lower, solve_lower_transposed};
use variata_distributions::parallel::collect;
use variata_distributions::{ArgumentError, Real, check};

use crate::diagonal::Diagonal;
use crate::factorisation::{Factorised, from_products};
use crate::panel::Item;
use crate::posterior::Posterior;
use crate::storage::Storage;
use crate::{CovDiag, Error, LowRankMvn};

/// An entry whose value is known, exactly or up to noise: `x[index] + N(0, noise) = value`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// Which entry of x.
    pub index: usize,
    /// Its value.
    pub value: f64,
    /// Variance of the noise of the observation; 0 for an exact value.
    pub noise: f64,
}

impl Observation {
    /// An exact value.
    pub fn exact(index: usize, value: f64) -> Self {
        Self { index, value, noise: 0.0 }
    }
}

/// s/(d + s), d/(d + s) and d·s/(d + s) of two variances, by quotients, because sums and products overflow.
pub(crate) fn shares(d: f64, s: f64) -> (f64, f64, f64) {
    let (less, more) = (d.min(s), d.max(s));
    (1.0 / (1.0 + d / s), 1.0 / (1.0 + s / d), if less > 0.0 { less / (1.0 + less / more) } else { 0.0 })
}

/// The noise ω of the factor given observations: N(z, C⁻¹) with C = L·Lᵀ, and the observations, one per entry.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NoisePosterior {
    pub z: Vec<f64>,
    /// Row-major r×r.
    pub l: Vec<f64>,
    /// log |C|.
    pub log_det: f64,
    /// ‖b − Az‖² + ‖z‖² of the observations, where it fell out.
    pub q: Option<f64>,
    pub observations: Vec<Observation>,
}

/// What the observed entries need of the parameters.
pub(crate) struct Observed<'p, S> {
    observations: Vec<Observation>,
    /// All rows of the factor.
    source: ArrayView2<'p, S>,
    /// Those at the observed entries, once they are needed.
    factor: OnceLock<Array2<S>>,
    /// Variance of each observed value given ω.
    variances: ndarray::Array1<f64>,
    /// Value minus location.
    gaps: Vec<f64>,
    zeros: ndarray::Array1<f64>,
}

impl<F: Real, S: Storage> LowRankMvn<'_, F, S> {
    /// The distribution of the entries at `indices`, in that order: [batch, indices].
    ///
    /// # Errors
    /// An index is not below n, or occurs twice: the two entries would be one, whose diagonal cannot be split.
    pub fn marginal(&self, indices: &[usize]) -> Result<LowRankMvn<'static, F, S>, Error> {
        self.check_indices("indices", indices)?;
        let mut sorted = indices.to_vec();
        sorted.sort_unstable();
        if let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            let value = twice[0] as f64;
            return Err(
                ArgumentError::Value { argument: "indices", index: None, value, must: "given once" }.into()
            );
        }
        let cov_diag = match &self.cov_diag {
            CovDiag::Scalar(d) => CovDiag::Scalar(*d),
            CovDiag::Vector(d) => CovDiag::from(d.select(Axis(0), indices)),
            CovDiag::Batch(d) => CovDiag::from(d.select(Axis(1), indices)),
        };
        let loc = self.loc.select(Axis(1), indices);
        LowRankMvn::trusted(loc, self.cov_factor.select(Axis(1), indices), cov_diag)
    }

    /// The distribution given that the entries at `indices` have the `values` [batch, indices] exactly.
    ///
    /// ```text
    /// ω | x₂ ~ N(z, C⁻¹),   C = I + P₂ᵀD₂⁻¹P₂,   z = C⁻¹P₂ᵀD₂⁻¹(x₂ − μ₂),
    /// x₁ | x₂ ~ N(μ₁ + P₁z, (P₁L⁻ᵀ)(P₁L⁻ᵀ)ᵀ + D₁),   C = L·Lᵀ
    /// ```
    /// Source: SOS-VAE paper, eq. 7, by Woodbury's identity: the paper's Σ₁₂Σ₂₂⁻¹ is m×m for m edits and loses all digits of
    /// an `f32` at m = 1000. Work is O(m r² + n r).
    ///
    /// ```
    /// use ndarray::{Array3, array};
    /// use variata_lowrank_mvn::LowRankMvn;
    ///
    /// let p = LowRankMvn::<f64>::new(array![[0.0, 0.0, 0.0]], Array3::ones((1, 3, 1)), 1e-6)?;
    /// // Three pixels that move together follow the one that is set.
    /// let image = p.condition(&[1], &array![[5.0]])?.mean();
    /// assert!((image[(0, 0)] - 5.0).abs() < 1e-4 && image[(0, 1)] == 5.0);
    /// # Ok::<(), variata_lowrank_mvn::Error>(())
    /// ```
    ///
    /// # Errors
    /// An index is not below n, a value is not finite, one entry has two values ([`Error::ConflictingEdit`]), or the diagonal
    /// is 0 at an observed entry.
    pub fn condition(&self, indices: &[usize], values: &ArrayRef2<F>) -> Result<Posterior<'_, F, S>, Error> {
        self.check_indices("indices", indices)?;
        check::shape("values", values.shape(), &[self.batch(), indices.len()])?;
        check::finite("values", values)?;
        let each: Vec<Vec<Observation>> = values
            .rows()
            .into_iter()
            .map(|row| indices.iter().zip(row).map(|(&i, v)| Observation::exact(i, v.to_f64())).collect())
            .collect();
        self.posterior(&each, "values", indices.len())
    }

    /// The distribution given observations that differ from item to item in number, place and noise; one list per item.
    ///
    /// An observation with noise variance s leaves its entry uncertain: with v = d + s in place of d the formulas of
    /// [`condition`](Self::condition) hold, and x has mean (s·(μ + pz) + d·y)/v. Several observations of one entry are
    /// averaged by their precisions; beside an exact one the others say nothing.
    ///
    /// # Errors
    /// As [`condition`](Self::condition), or a noise is < 0, or there is another number of lists than of items.
    pub fn condition_each(&self, observations: &[Vec<Observation>]) -> Result<Posterior<'_, F, S>, Error> {
        check::shape("observations", &[observations.len()], &[self.batch()])?;
        self.posterior(observations, "observations.value", 0)
    }

    /// The same; `argument` is the caller's name of the values, of which each item has `per_item` in one array.
    fn posterior(
        &self,
        observations: &[Vec<Observation>],
        argument: &'static str,
        per_item: usize,
    ) -> Result<Posterior<'_, F, S>, Error> {
        let found = collect(self.batch(), |b| {
            let observed = self.observed(b, self.merged(b, &observations[b], (argument, b * per_item))?);
            let item = observed.item(b);
            if item.n() <= 2 * item.r() {
                return observed.by_reflections(b);
            }
            observed.by_products(b, &item.gram_in_parts(&|_, start, to| observed.fill(start, to)))
        });
        Ok(Posterior { p: self.view(), items: found.into_iter().collect::<Result<_, _>>()? })
    }

    /// What accepted observations of item b, one per entry, need of the parameters.
    pub(crate) fn observed(&self, b: usize, observations: Vec<Observation>) -> Observed<'_, S> {
        let diag = self.cov_diag.item(b);
        let variances = observations.iter().map(|o| diag.at(o.index) + o.noise).collect();
        let gaps = observations.iter().map(|o| o.value - self.loc[(b, o.index)].to_f64()).collect();
        let (source, factor) = (self.cov_factor.slice(s![b, .., ..]), OnceLock::new());
        let zeros = ndarray::Array1::zeros(observations.len());
        Observed { observations, source, factor, variances, gaps, zeros }
    }

    /// Observations of item b that can be used; `argument` and `first` are the caller's name of their values and the index of the
    /// first there.
    fn check_observations(
        &self,
        b: usize,
        observations: &[Observation],
        (argument, first): (&'static str, usize),
    ) -> Result<(), Error> {
        let refused = |argument, at, value, must| -> Result<(), Error> {
            Err(ArgumentError::Value { argument, index: Some(at), value, must }.into())
        };
        let diag = self.cov_diag.item(b);
        for (at, o) in observations.iter().enumerate() {
            if o.index >= self.dim() {
                return refused("observations.index", at, o.index as f64, "below n");
            }
            if !o.value.is_finite() {
                return refused(argument, first + at, o.value, "finite");
            }
            if !(o.noise >= 0.0 && o.noise.is_finite()) {
                return refused("observations.noise", at, o.noise, "finite and >= 0");
            }
            // What an image of elements F can hold, and differences and sums that f64 can.
            let gap = o.value - self.loc[(b, o.index)].to_f64();
            if !(F::from_f64(o.value).to_f64().is_finite() && gap.is_finite()) {
                let must = "finite as an element, and as a difference from the location";
                return refused(argument, first + at, o.value, must);
            }
            let variance = diag.at(o.index) + o.noise;
            if !variance.is_finite() {
                return refused("observations.noise", at, o.noise, "finite when added to the diagonal");
            }
            if !(variance > 0.0) {
                let (index, must) = (diag.place(o.index), "> 0 where an exact value is given");
                return Err(ArgumentError::Value { argument: "cov_diag", index, value: 0.0, must }.into());
            }
        }
        Ok(())
    }

    /// One observation per entry, in the order of the entries; `named` as in [`check_observations`](Self::check_observations).
    pub(crate) fn merged(
        &self,
        b: usize,
        observations: &[Observation],
        named: (&'static str, usize),
    ) -> Result<Vec<Observation>, Error> {
        self.check_observations(b, observations, named)?;
        let mut entries = observations.to_vec();
        // Stable: of one entry, in the order given.
        entries.sort_by_key(|o| o.index);
        let mut kept: Vec<Observation> = Vec::with_capacity(entries.len());
        for new in entries {
            let Some(old) = kept.last_mut().filter(|old| old.index == new.index) else {
                kept.push(new);
                continue;
            };
            match (old.noise == 0.0, new.noise == 0.0) {
                (true, true) if old.value != new.value => {
                    let (index, first, second) = (new.index, old.value, new.value);
                    return Err(Error::ConflictingEdit { batch: b, index, first, second });
                }
                (true, _) => {}
                (false, true) => *old = new,
                (false, false) => {
                    let (share, rest, noise) = shares(new.noise, old.noise);
                    old.value = rest * old.value + share * new.value;
                    // What has noise stays so.
                    old.noise = noise.max(f64::from_bits(1));
                }
            }
        }
        Ok(kept)
    }
}

impl<S: Storage> Observed<'_, S> {
    /// The observed entries as a distribution of their own.
    pub(crate) fn item(&self, b: usize) -> Item<'_, f64, S> {
        let factor = self.factor.get_or_init(|| self.gathered()).view();
        Item { b, loc: self.zeros.view(), factor, diag: self.diag() }
    }

    fn diag(&self) -> Diagonal<'_, f64> {
        Diagonal::Values { variances: self.variances.view(), offset: 0 }
    }

    fn gathered(&self) -> Array2<S> {
        let r = self.source.ncols();
        let mut rows = Vec::with_capacity(self.observations.len() * r);
        for o in &self.observations {
            let row = self.source.row(o.index);
            match row.to_slice() {
                Some(row) => rows.extend_from_slice(row),
                None => rows.extend(row.iter().copied()),
            }
        }
        // That many rows of r.
        Array2::from_shape_vec((self.observations.len(), r), rows).unwrap_or_default()
    }

    /// ‖b − Az‖² + ‖z‖².
    pub(crate) fn distance(&self, b: usize, z: &[f64]) -> f64 {
        let item = self.item(b);
        let fill = |_: usize, start: usize, to: &mut [f64]| self.fill(start, to);
        item.residual_squares(&fill, z, 0, item.n()) + dot(z, z)
    }

    pub(crate) fn fill(&self, start: usize, to: &mut [f64]) {
        to.copy_from_slice(&self.gaps[start..start + to.len()]);
    }

    pub(crate) fn observations(&self) -> &[Observation] {
        &self.observations
    }

    /// From the products of the columns of [A, b].
    pub(crate) fn by_products(&self, b: usize, gram: &[f64]) -> Result<NoisePosterior, Error> {
        let log_diag = self.diag().log_det(self.observations.len())?;
        let (found, solution) = match from_products::<f64>(gram, self.source.ncols(), true, log_diag) {
            Some(found) => found,
            None => self.item(b).capacitance(gram, Some(&|_, start, to| self.fill(start, to)))?,
        };
        let Factorised::Capacitance { l, log_det, .. } = found else { return self.by_reflections(b) };
        let (z, q, observations) = (solution.z, solution.q, self.observations.clone());
        Ok(NoisePosterior { z, l, log_det, q, observations })
    }

    /// By reflections of [I; A]: for few observations, where C has eigenvalues 1 beside those of σ²/ε.
    pub(crate) fn by_reflections(&self, b: usize) -> Result<NoisePosterior, Error> {
        let item = self.item(b);
        let r = item.r();
        let (l, solution) = item.by_reflections(Some(&|_, start, to| self.fill(start, to)));
        let log_det: f64 =
            (0..r).map(|j| 2.0 * libm::log(l[j * r + j].abs())).sum::<f64>() + item.diag.log_det(item.n())?;
        if !(log_det.is_finite() && solution.z.iter().all(|z| z.is_finite())) {
            return Err(Error::Overflow { quantity: "D^-1/2 P of the observed entries", batch: b });
        }
        let (z, q, observations) = (solution.z, solution.q, self.observations.clone());
        Ok(NoisePosterior { z, l, log_det, q, observations })
    }
}

impl NoisePosterior {
    /// Without observations: N(0, I).
    pub(crate) fn prior(r: usize) -> Self {
        let l = identity(r);
        Self { z: vec![0.0; r], l, log_det: 0.0, q: Some(0.0), observations: Vec::new() }
    }

    /// z + L⁻ᵀ·ω.
    pub(crate) fn noise(&self, omega: impl Iterator<Item = f64>) -> Vec<f64> {
        let r = self.z.len();
        let mut noise: Vec<f64> = omega.take(r).collect();
        solve_lower_transposed(&self.l, r, &mut noise, 1);
        noise.iter_mut().zip(&self.z).for_each(|(noise, z)| *noise += z);
        noise
    }

    /// L⁻¹ of a row of the factor: its row under the posterior.
    pub(crate) fn row(&self, p: impl Iterator<Item = f64>) -> Vec<f64> {
        let mut row: Vec<f64> = p.collect();
        solve_lower(&self.l, self.z.len(), &mut row, 1);
        row
    }
}
