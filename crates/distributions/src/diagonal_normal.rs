//! The normal distribution with a diagonal covariance.

use ndarray::{Array1, Array2, ArrayRef2, ArrayView2, Zip};
use rand::Rng;

use crate::elementwise::shaped;
use crate::location_scale::standardised;
use crate::parallel::collect;
use crate::simd::{self, Filled, Kernel, Outputs, exp_fused, ln_fused, take};
use crate::special::HALF_LOG_TWO_PI;
use crate::sums::sum;
use crate::{Error, Real, check, noise};

/// How the spread of a [`DiagonalNormal`] was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpreadKind {
    /// As standard deviations.
    Scale,
    /// As logarithms of variances.
    LogVariance,
}

/// A batch of normal distributions with diagonal covariance on ℝⁿ.
///
/// ```text
/// log p(x) = −½ Σᵢ zᵢ² − Σᵢ log σᵢ − (n/2) log 2π,   zᵢ = (xᵢ − μᵢ)/σᵢ,   σᵢ = scaleᵢ or exp(log_varianceᵢ/2)
/// ```
/// Source: definition; the sign and the determinant as in erratum 000-6.
///
/// # Shapes
/// `loc` and the spread [batch, n]; results that sum over the last axis `[batch]`, in f64 whatever `F`.
///
/// # Numerics
/// The spread is kept as it was given, so that neither logarithms nor exponentials cost the divergences their digits.
///
/// ```
/// use ndarray::array;
/// use variata_distributions::DiagonalNormal;
///
/// let p = DiagonalNormal::from_log_variance(array![[0.0, 1.0]], array![[0.0, 0.0]])?;
/// let entropy = p.entropy()[0];
/// assert!((entropy - (2.0 * std::f64::consts::PI * std::f64::consts::E).ln()).abs() < 1e-14);
/// # Ok::<(), variata_distributions::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct DiagonalNormal<F: Real = f64> {
    loc: Array2<F>,
    spread: Array2<F>,
    kind: SpreadKind,
}

/// Partial derivatives in the parameters of a [`DiagonalNormal`], [batch, n].
#[derive(Debug, Clone, PartialEq)]
pub struct DiagonalNormalGrad<F> {
    /// In the location.
    pub loc: Array2<F>,
    /// In the spread as it was given: the standard deviation or the log-variance.
    pub spread: Array2<F>,
}

/// Partial derivatives of [`DiagonalNormal::log_prob`], [batch, n].
#[derive(Debug, Clone, PartialEq)]
pub struct DiagonalNormalLogProbGrad<F> {
    /// In the point.
    pub x: Array2<F>,
    /// In the location.
    pub loc: Array2<F>,
    /// In the spread as it was given: the standard deviation or the log-variance.
    pub spread: Array2<F>,
}

impl<F: Real> DiagonalNormal<F> {
    /// From location and standard deviation, both [batch, n].
    ///
    /// # Errors
    /// The shapes differ, `loc` is not finite or `scale` is not finite and > 0.
    pub fn new(loc: Array2<F>, scale: Array2<F>) -> Result<Self, Error> {
        check::finite("loc", &loc)?;
        check::shape("scale", scale.shape(), loc.shape())?;
        check::positive("scale", &scale)?;
        Ok(Self::from_parts(loc, scale, SpreadKind::Scale))
    }

    /// From location and logarithm of the variance, both [batch, n].
    ///
    /// # Errors
    /// The shapes differ or an element is not finite.
    pub fn from_log_variance(loc: Array2<F>, log_variance: Array2<F>) -> Result<Self, Error> {
        check::finite("loc", &loc)?;
        check::shape("log_variance", log_variance.shape(), loc.shape())?;
        check::finite("log_variance", &log_variance)?;
        Ok(Self::from_parts(loc, log_variance, SpreadKind::LogVariance))
    }

    /// Row-major from here on: the kernels read slices.
    fn from_parts(loc: Array2<F>, spread: Array2<F>, kind: SpreadKind) -> Self {
        let row_major = |x: Array2<F>| {
            if x.is_standard_layout() { x } else { x.as_standard_layout().into_owned() }
        };
        Self { loc: row_major(loc), spread: row_major(spread), kind }
    }

    /// Number of distributions.
    pub fn batch(&self) -> usize {
        self.loc.nrows()
    }

    /// Number of dimensions n.
    pub fn dim(&self) -> usize {
        self.loc.ncols()
    }

    /// The location.
    pub fn loc(&self) -> ArrayView2<'_, F> {
        self.loc.view()
    }

    /// The spread as it was given, see [`spread_kind`](Self::spread_kind).
    pub fn spread(&self) -> ArrayView2<'_, F> {
        self.spread.view()
    }

    /// Whether [`spread`](Self::spread) is a standard deviation or a log-variance.
    pub fn spread_kind(&self) -> SpreadKind {
        self.kind
    }

    /// Standard deviation of one spread.
    pub(crate) fn sigma(&self, spread: F) -> f64 {
        match self.kind {
            SpreadKind::Scale => spread.to_f64(),
            SpreadKind::LogVariance => libm::exp(0.5 * spread.to_f64()),
        }
    }

    fn log_sigma(&self, spread: F) -> f64 {
        match self.kind {
            SpreadKind::Scale => libm::log(spread.to_f64()),
            SpreadKind::LogVariance => 0.5 * spread.to_f64(),
        }
    }

    /// σ·noise of one element.
    fn stretch(&self, noise: f64, spread: F) -> f64 {
        match self.kind {
            SpreadKind::Scale => noise * spread.to_f64(),
            SpreadKind::LogVariance => over_sigma(noise, -spread.to_f64()),
        }
    }

    /// Log-density of each row of `x` [batch, n] → `[batch]`; −∞ at ±∞.
    ///
    /// # Errors
    /// `x` has another shape or holds NaN.
    pub fn log_prob(&self, x: &ArrayRef2<F>) -> Result<Array1<f64>, Error> {
        Ok(self.density::<0>(x)?.0)
    }

    /// [`log_prob`](Self::log_prob) and its partial derivatives.
    ///
    /// ```text
    /// ∂x = −z/σ,   ∂loc = z/σ,   ∂scale = (z² − 1)/σ,   ∂log_variance = ½(z² − 1)
    /// ```
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn log_prob_with_grad(
        &self,
        x: &ArrayRef2<F>,
    ) -> Result<(Array1<f64>, DiagonalNormalLogProbGrad<F>), Error> {
        let (value, [x, loc, spread]) = self.density::<3>(x)?;
        Ok((value, DiagonalNormalLogProbGrad { x, loc, spread }))
    }

    fn density<const OUT: usize>(&self, x: &ArrayRef2<F>) -> Result<(Array1<f64>, [Array2<F>; OUT]), Error> {
        check::shape("x", x.shape(), self.loc.shape())?;
        let (rows, n) = self.loc.dim();
        let point = x.as_standard_layout();
        let [loc, spread] = self.slices();
        let inputs = [point.as_slice().unwrap_or_default(), loc, spread];
        let (value, grads, filled) =
            simd::allocate(rows, n, |outputs| log_prob_rows(self.kind, n, inputs, outputs));
        // The kernel counts a NaN as rare, so that only then the points are read a second time.
        if filled.rare() {
            check::not_nan("x", x)?;
        }
        Ok((value.into(), grads.map(|grad| shaped(ndarray::Ix2(rows, n), grad))))
    }

    /// Squared Mahalanobis distance Σᵢ zᵢ² of each row of `x` [batch, n] → `[batch]`; +∞ at ±∞.
    ///
    /// # Errors
    /// `x` has another shape or holds NaN.
    ///
    /// ```
    /// use ndarray::array;
    /// use variata_distributions::DiagonalNormal;
    ///
    /// let p = DiagonalNormal::new(array![[1.0, 0.0]], array![[2.0, 0.5]])?;
    /// assert_eq!(p.mahalanobis(&array![[5.0, 1.0]])?[0], 8.0);
    /// # Ok::<(), variata_distributions::Error>(())
    /// ```
    pub fn mahalanobis(&self, x: &ArrayRef2<F>) -> Result<Array1<f64>, Error> {
        check::shape("x", x.shape(), self.loc.shape())?;
        check::not_nan("x", x)?;
        let square = |((x, loc), &spread): ((&F, &F), &F)| {
            let gap = x.to_f64() - loc.to_f64();
            let z = match self.kind {
                SpreadKind::Scale => gap / spread.to_f64(),
                SpreadKind::LogVariance => over_sigma(gap, spread.to_f64()),
            };
            z * z
        };
        let row = |b| sum(x.row(b).iter().zip(self.loc.row(b)).zip(self.spread.row(b)).map(square));
        Ok(collect(self.batch(), row).into())
    }

    /// Differential entropy Σᵢ log σᵢ + (n/2) log 2πe → `[batch]`.
    pub fn entropy(&self) -> Array1<f64> {
        let term = |&spread: &F| self.log_sigma(spread) + (HALF_LOG_TWO_PI + 0.5);
        self.spread.rows().into_iter().map(|row| sum(row.iter().map(term))).collect()
    }

    /// Mean: the location.
    pub fn mean(&self) -> Array2<F> {
        self.loc.clone()
    }

    /// Variance of each dimension.
    pub fn variance(&self) -> Array2<F> {
        self.spread.mapv(|spread| {
            F::from_f64(match self.kind {
                SpreadKind::Scale => spread.to_f64() * spread.to_f64(),
                SpreadKind::LogVariance => libm::exp(spread.to_f64()),
            })
        })
    }

    /// Standard deviation of each dimension.
    pub fn scale(&self) -> Array2<F> {
        self.spread.mapv(|spread| F::from_f64(self.sigma(spread)))
    }

    /// `loc + σ·noise`, with noise [batch, n] of N(0, 1).
    ///
    /// # Errors
    /// `noise` has another shape or is not finite.
    pub fn rsample(&self, noise: &ArrayRef2<F>) -> Result<Array2<F>, Error> {
        check::shape("noise", noise.shape(), self.loc.shape())?;
        check::finite("noise", noise)?;
        Ok(Zip::from(noise).and(&self.loc).and(&self.spread).map_collect(|noise, loc, &spread| {
            F::from_f64(loc.to_f64() + self.stretch(noise.to_f64(), spread))
        }))
    }

    /// [`rsample`](Self::rsample) and its partial derivatives: in `loc` 1, in the spread `noise` (standard deviation) or
    /// `½ σ·noise` (log-variance).
    ///
    /// # Errors
    /// As [`rsample`](Self::rsample).
    pub fn rsample_with_grad(
        &self,
        noise: &ArrayRef2<F>,
    ) -> Result<(Array2<F>, DiagonalNormalGrad<F>), Error> {
        let value = self.rsample(noise)?;
        let spread = Zip::from(noise).and(&self.spread).map_collect(|&noise, &spread| match self.kind {
            SpreadKind::Scale => noise,
            SpreadKind::LogVariance => F::from_f64(0.5 * self.stretch(noise.to_f64(), spread)),
        });
        Ok((value, DiagonalNormalGrad { loc: Array2::from_elem(self.loc.raw_dim(), F::ONE), spread }))
    }

    /// One draw of each distribution, [batch, n].
    pub fn sample(&self, rng: &mut impl Rng) -> Array2<F> {
        // Row-major order: the draws do not depend on how the parameters were laid out.
        let mut draws = self.loc.clone();
        for (to, &spread) in draws.iter_mut().zip(&self.spread) {
            *to = F::from_f64(to.to_f64() + self.stretch(noise::normal(rng), spread));
        }
        draws
    }

    /// Row-major elements of `loc` and of the spread.
    pub(crate) fn slices(&self) -> [&[F]; 2] {
        // `from_parts` made both contiguous.
        [self.loc.as_slice().unwrap_or_default(), self.spread.as_slice().unwrap_or_default()]
    }
}

/// x/σ = x·exp(−log_variance/2), in two steps, so that 0 and ∞ stay themselves where the exponential alone over- or
/// underflows.
pub(crate) fn over_sigma(x: f64, log_variance: f64) -> f64 {
    if x == 0.0 || x.is_infinite() {
        return x;
    }
    let root = libm::exp(-0.25 * log_variance);
    x * root * root
}

/// Log-densities of rows; inputs are point, location and spread, row-major [rows, n].
pub(crate) fn log_prob_rows<F: Real, const OUT: usize>(
    kind: SpreadKind,
    n: usize,
    inputs: [&[F]; 3],
    outputs: Outputs<'_, F, OUT>,
) -> Filled {
    match kind {
        SpreadKind::Scale => simd::sum_rows::<DensityFromScale, F, 3, OUT>(n, inputs, outputs),
        SpreadKind::LogVariance => simd::sum_rows::<DensityFromLogVariance, F, 3, OUT>(n, inputs, outputs),
    }
}

/// The spread is the standard deviation.
pub(crate) struct DensityFromScale;

impl<const OUT: usize> Kernel<3, OUT> for DensityFromScale {
    #[inline(always)]
    fn term<const FUSED: bool>([x, loc, sigma]: [f64; 3]) -> (f64, [f64; OUT]) {
        let over = 1.0 / sigma;
        let z = (x - loc) * over;
        let slope = z * over;
        (
            -0.5 * z * z - ln_fused::<FUSED>(sigma) - HALF_LOG_TWO_PI,
            take([-slope, slope, (z - 1.0) * (z + 1.0) * over]),
        )
    }

    #[inline(always)]
    fn rare([x, loc, sigma]: [f64; 3]) -> bool {
        !(sigma > 1e-50 && sigma < 1e50 && (x - loc).abs() < 1e100)
    }

    fn exact([x, loc, sigma]: [f64; 3]) -> (f64, [f64; OUT]) {
        let z = standardised(x, loc, sigma);
        let slope = z / sigma;
        let value = -0.5 * z * z - libm::log(sigma) - HALF_LOG_TWO_PI;
        (value, take([-slope, slope, (z - 1.0) * (z + 1.0) / sigma]))
    }
}

/// The spread is the log-variance.
pub(crate) struct DensityFromLogVariance;

impl<const OUT: usize> Kernel<3, OUT> for DensityFromLogVariance {
    #[inline(always)]
    fn term<const FUSED: bool>([x, loc, s]: [f64; 3]) -> (f64, [f64; OUT]) {
        let root = exp_fused::<FUSED>(-0.5 * s);
        let z = (x - loc) * root;
        let slope = z * root;
        (-0.5 * z * z - 0.5 * s - HALF_LOG_TWO_PI, take([-slope, slope, 0.5 * ((z - 1.0) * (z + 1.0))]))
    }

    #[inline(always)]
    fn rare([x, loc, s]: [f64; 3]) -> bool {
        !(s.abs() < 200.0 && (x - loc).abs() < 1e100)
    }

    fn exact([x, loc, s]: [f64; 3]) -> (f64, [f64; OUT]) {
        let z = over_sigma(x - loc, s);
        let slope = over_sigma(z, s);
        let value = -0.5 * z * z - 0.5 * s - HALF_LOG_TWO_PI;
        (value, take([-slope, slope, 0.5 * ((z - 1.0) * (z + 1.0))]))
    }
}
