//! The Cramér–Wold distance in D dimensions without slicing: the mean over all directions, in closed form.

use std::sync::Arc;

use ndarray::{Array2, ArrayRef2};
use variata_distributions::{Real, check};

use crate::distance::Bandwidth;
use crate::error::Error;
use crate::kummer::Kummer;
use crate::pairs::{Pairs, points, sums};
use variata_distributions::lanes::Sample;

/// The mean of e^(−s v²) over a coordinate v of the sphere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum SphereMean {
    /// ₁F₁(½; D/2; −s), to 1e-13.
    Exact,
    /// (1 + 4s/(2D − 3))^(−1/2), for D ≥ 2. Its relative error is at most 0.21/D from D = 20 on, 4 % at D = 7 and 31 % at
    /// D = 2; it is what CWAE trains with.
    Asymptotic,
}

/// The squared Cramér–Wold distance of a sample from N(0, I), averaged over all directions of the sphere.
///
/// ```text
/// d² = (1/n²) Σᵢⱼ (4πγ)^(−½) M(‖xᵢ − xⱼ‖²/4γ) + (4π(1 + γ))^(−½) − (2/n) Σᵢ (2π(1 + 2γ))^(−½) M(‖xᵢ‖²/(2 + 4γ))
/// M(s) = ₁F₁(½; D/2; −s) ≈ (1 + 4s/(2D − 3))^(−½)
/// ```
/// Source: Tabor et al., Cramér–Wold autoencoder, 2018, which paper sliced builds on; derivation in docs/src/theory/sliced.md.
/// O(n² D) time, no matrix of pairs; [`SphereMean::Exact`] makes a table for each D, some 10⁵·√D steps, and keeps the last few.
///
/// ```
/// use ndarray::array;
/// use variata_sliced::{CramerWold, Discrepancy, Distance, Directions, Bandwidth};
///
/// // In one dimension there is one direction only.
/// let x = array![[-0.3], [0.1], [1.7]];
/// let direct = CramerWold::default().value(&x)?;
/// let line = Distance::CRAMER_WOLD.value(&x.column(0))?;
/// assert!((direct - line).abs() < 1e-15);
/// # Ok::<(), variata_sliced::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct CramerWold {
    /// The smoothing.
    pub bandwidth: Bandwidth,
    /// How the mean over the sphere is found.
    pub sphere_mean: SphereMean,
}

impl Default for CramerWold {
    fn default() -> Self {
        Self { bandwidth: Bandwidth::Silverman, sphere_mean: SphereMean::Exact }
    }
}

impl CramerWold {
    /// The distance of `x` [n, dimensions].
    ///
    /// # Numerics
    /// f64; the terms are of order 1, so that the error is some 1e-15 absolute. With [`SphereMean::Asymptotic`] the result may be
    /// slightly negative.
    ///
    /// # Errors
    /// `x` is empty, or has a value that is not finite or above 1e150; a bandwidth out of range; the asymptotic form in one
    /// dimension.
    pub fn value<S: Sample>(&self, x: &ArrayRef2<S>) -> Result<f64, Error> {
        Ok(self.evaluate(x, false)?.0)
    }

    /// The same, to a rounding, with its gradient in `x`.
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub fn value_with_grad<S: Sample>(&self, x: &ArrayRef2<S>) -> Result<(f64, Array2<S::Compute>), Error> {
        let (value, grad) = self.evaluate(x, true)?;
        Ok((value, grad.mapv(S::Compute::from_f64)))
    }

    fn evaluate<S: Sample>(&self, x: &ArrayRef2<S>, wanted: bool) -> Result<(f64, Array2<f64>), Error> {
        let x = points("x", x)?;
        let (n, d) = (x.nrows() as f64, x.ncols());
        let gamma = self.bandwidth.checked(n)?;
        let table = match self.sphere_mean {
            SphereMean::Exact => Some(Kummer::of(d)),
            SphereMean::Asymptotic => {
                check::scalar("dimensions", d as f64, ">= 2 for the asymptotic form", d >= 2)?;
                None
            }
        };
        let pi = std::f64::consts::PI;
        let (own, cross) =
            (1.0 / libm::sqrt(4.0 * pi * gamma), 1.0 / libm::sqrt(2.0 * pi * (1.0 + 2.0 * gamma)));
        let inner = 1.0 / (4.0 * gamma);
        let mean = Mean { table, steep: 4.0 / (2.0 * d as f64 - 3.0) };
        let ([[pairs]], [mut grad]) = sums(
            [&x],
            [wanted],
            [[own * inner / (n * n)]],
            #[inline(always)]
            |squares: &Pairs| mean.of_pairs(squares, inner),
        );
        let mut singles = 0.0;
        for (i, row) in x.rows().into_iter().enumerate() {
            let width = 2.0 + 4.0 * gamma;
            let (value, slope) = mean.at(row.dot(&row) / width);
            singles += cross * value;
            if wanted {
                grad.row_mut(i).scaled_add(-4.0 * cross * slope / (width * n), &row);
            }
        }
        let value = own * pairs / (n * n) + 1.0 / libm::sqrt(4.0 * pi * (1.0 + gamma)) - 2.0 * singles / n;
        Ok((value, grad))
    }
}

/// Φ and its derivative: by the table, or by the asymptotic form.
struct Mean {
    table: Option<Arc<Kummer>>,
    steep: f64,
}

impl Mean {
    fn at(&self, s: f64) -> (f64, f64) {
        self.table.as_ref().map_or_else(|| self.asymptotic(s), |table| table.at(s))
    }

    #[inline(always)]
    fn asymptotic(&self, s: f64) -> (f64, f64) {
        let value = 1.0 / (1.0 + self.steep * s).sqrt();
        (value, -0.5 * self.steep * value * value * value)
    }

    /// At each `factor`·square.
    #[inline(always)]
    fn of_pairs(&self, squares: &Pairs, factor: f64) -> (Pairs, Pairs) {
        if let Some(table) = &self.table {
            return table.of_pairs(squares, factor);
        }
        let (mut values, mut slopes) = (*squares, *squares);
        values.iter_mut().zip(&mut slopes).for_each(|(v, s)| (*v, *s) = self.asymptotic(factor * *v));
        (values, slopes)
    }
}
