//! Maximum likelihood from data, with no network.

mod eigen;
mod factor_analysis;
mod online;
mod samples;

use ndarray::{Array1, Array2, Array3, ArrayRef2, Axis};
use variata_distributions::{ArgumentError, Real, check};

pub use factor_analysis::{FactorAnalysis, fit_factor_analysis};
pub use online::OnlinePpca;

use crate::storage::Storage;
use crate::{Error, LowRankMvn};
use eigen::Leading;
use samples::Samples;

/// What fits share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FitOptions {
    /// Smallest variance that the diagonal may take; 0 for none, in which case a variance of 0 is refused.
    pub floor: f64,
    /// Most iterations, of expectation–maximisation or of the eigensolver, which begins anew for directions whose variances are below 10⁻⁸ of
    /// those before them.
    pub max_iterations: usize,
    /// An iteration ends where it changes less than this, relatively.
    pub tolerance: f64,
}

impl Default for FitOptions {
    fn default() -> Self {
        Self { floor: 0.0, max_iterations: 500, tolerance: 1e-10 }
    }
}

impl FitOptions {
    fn check(&self) -> Result<(), Error> {
        check::scalar(
            "options.floor",
            self.floor,
            "finite and >= 0",
            self.floor >= 0.0 && self.floor.is_finite(),
        )?;
        let tolerance = self.tolerance;
        Ok(check::scalar("options.tolerance", tolerance, ">= 0", tolerance >= 0.0)?)
    }
}

/// Principal component analysis of data: mean, directions and variances along them.
#[derive(Debug, Clone, PartialEq)]
pub struct Pca<F> {
    /// Mean of the samples, `[n]`.
    pub mean: Array1<F>,
    /// Orthonormal directions [rank, n], that of the largest variance first; the entry of largest magnitude is positive.
    pub directions: Array2<F>,
    /// Variance along each direction, `[rank]`, divided by the number of samples.
    pub explained_variance: Array1<F>,
    /// Variance in all other directions together.
    pub residual_variance: f64,
    /// Whether all directions came within the tolerance before the last iteration that the options allow.
    pub converged: bool,
}

impl<F: Real + Storage> Pca<F> {
    /// The normal distribution on the plane of the components, a batch of one: what the SOS-VAE paper samples from in section
    /// 4.5. Its diagonal is 0, so that it has samples but no density.
    ///
    /// # Errors
    /// The numbers were changed to something that is no number.
    pub fn distribution(&self) -> Result<LowRankMvn<'static, F>, Error> {
        let (rank, n) = self.directions.dim();
        let factor = Array3::from_shape_fn((1, n, rank), |(_, i, k)| {
            let deviation = libm::sqrt(Real::to_f64(self.explained_variance[k]));
            F::from_f64(Real::to_f64(self.directions[(k, i)]) * deviation)
        });
        LowRankMvn::new(self.mean.clone().insert_axis(Axis(0)), factor, F::ZERO)
    }
}

/// The `rank` leading principal components of `data` [samples, n], by block Krylov iteration: nothing n×n or
/// samples×samples is formed.
///
/// # Errors
/// There are fewer than 2 samples, an element is not finite, `rank` exceeds min(n, samples − 1), or a variance exceeds the largest number of the
/// data's type.
pub fn pca<F: Real>(data: &ArrayRef2<F>, rank: usize, options: &FitOptions) -> Result<Pca<F>, Error> {
    let (samples, found) = leading(data, rank, options)?;
    let (n, round) = (samples.mean().len(), |v: f64| F::from_f64(v));
    // The largest, as it will be stored.
    if let Some(&value) = found.variances.first().filter(|v| !round(**v).to_f64().is_finite()) {
        let must = "a finite number in the type of the data: change the units";
        return Err(ArgumentError::Value { argument: "variance", index: Some(0), value, must }.into());
    }
    Ok(Pca {
        mean: samples.mean().mapv(round),
        directions: Array2::from_shape_fn((rank, n), |(k, i)| round(found.directions[k][i])),
        explained_variance: found.variances.iter().copied().map(round).collect(),
        residual_variance: found.residual,
        converged: found.converged,
    })
}

/// Probabilistic principal component analysis in closed form: the most likely N(μ, P·Pᵀ + σ²·I), a batch of one.
///
/// ```text
/// P = U(Λ − σ²I)^½,   σ² = (1/(n − r))·Σ_{k > r} λ_k
/// ```
/// of the leading eigenvectors U and eigenvalues λ of the sample covariance (divided by the number of samples). Source: Tipping
/// & Bishop, "Probabilistic principal component analysis" (1999), eqs 7 and 8. σ² is a sum of squares of residuals, not a
/// difference of variances. Whether the directions have converged, [`pca`] tells of the same data and options.
///
/// ```
/// use ndarray::Array2;
/// use variata_lowrank_mvn::{FitOptions, fit_ppca};
///
/// let data = Array2::from_shape_fn((50, 3), |(s, i)| (s as f64).sin() * 5.0 + ((7 * s + i) as f64).cos());
/// let p = fit_ppca(&data, 1, &FitOptions::default())?;
/// assert!(p.variance().iter().all(|v| *v > 5.0));
/// # Ok::<(), variata_lowrank_mvn::Error>(())
/// ```
///
/// # Errors
/// As [`pca`]; no variance that the type of the data can hold is left for σ², and the options have no floor that it can.
pub fn fit_ppca<F: Real + Storage>(
    data: &ArrayRef2<F>,
    rank: usize,
    options: &FitOptions,
) -> Result<LowRankMvn<'static, F>, Error> {
    let (samples, found) = leading(data, rank, options)?;
    ppca(samples.mean(), &found, options)
}

fn leading<'d, F: Real>(
    data: &'d ArrayRef2<F>,
    rank: usize,
    options: &FitOptions,
) -> Result<(Samples<'d, F>, Leading), Error> {
    options.check()?;
    let samples = Samples::new(data)?;
    let largest = samples.mean().len().min(data.nrows() - 1);
    check::scalar("rank", rank as f64, "at most min(n, samples - 1)", rank <= largest)?;
    let found = Leading::of(&samples, rank, options);
    Ok((samples, found))
}

/// From the leading directions.
fn ppca<F: Real + Storage>(
    mean: &Array1<f64>,
    found: &Leading,
    options: &FitOptions,
) -> Result<LowRankMvn<'static, F>, Error> {
    let (n, rank) = (mean.len(), found.variances.len());
    let left = if n > rank { found.residual / (n - rank) as f64 } else { 0.0 };
    let own = variance::<F>(left, options, None)?;
    let sizes: Vec<f64> = found.variances.iter().map(|v| libm::sqrt((v - own).max(0.0))).collect();
    let factor =
        Array3::from_shape_fn((1, n, rank), |(_, i, k)| F::from_f64(found.directions[k][i] * sizes[k]));
    LowRankMvn::new(mean.mapv(F::from_f64).insert_axis(Axis(0)), factor, F::from_f64(own))
}

/// A variance for the diagonal.
fn variance<F: Real>(found: f64, options: &FitOptions, index: Option<usize>) -> Result<f64, Error> {
    let own = found.max(options.floor);
    // As it will be stored.
    let stored = F::from_f64(own).to_f64();
    let must = if stored > 0.0 && stored.is_finite() {
        return Ok(own);
    } else if own > 0.0 {
        "a finite number > 0 in the type of the result: change the units or options.floor"
    } else {
        "left in the data for the diagonal, or options.floor > 0"
    };
    Err(ArgumentError::Value { argument: "variance", index, value: own, must }.into())
}
