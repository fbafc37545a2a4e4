//! DiagonalNormal ‖ N(0, I).

use ndarray::{Array1, Array2, ArrayRef2};

use super::KlDivergence;
use crate::elementwise::shaped;
use crate::simd::{self, Comparison, Filled, Kernel, Outputs, expm1_expm1mx, mul_add, take};
use crate::special::expm1mx;
use crate::{DiagonalNormal, DiagonalNormalGrad, Error, Real, SpreadKind, check};

/// The standard normal on ℝⁿ, N(0, I), as the second argument of a divergence.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StandardMultivariateNormal;

/// One divergence per row, in f64: ½ Σᵢ [eˢ − 1 − s + μ²] with s the log-variance (erratum 000-2).
impl<F: Real> KlDivergence<StandardMultivariateNormal> for DiagonalNormal<F> {
    type Value = Array1<f64>;
    type Grad = DiagonalNormalGrad<F>;

    fn kl(&self, _: &StandardMultivariateNormal) -> Result<Self::Value, Error> {
        Ok(run::<F, 0>(self).0)
    }

    fn kl_with_grad(&self, _: &StandardMultivariateNormal) -> Result<(Self::Value, Self::Grad), Error> {
        let (value, [loc, spread]) = run::<F, 2>(self);
        Ok((value, DiagonalNormalGrad { loc, spread }))
    }
}

/// KL(N(loc, diag(e^log_variance)) ‖ N(0, I)) of each row → `[batch]`, in f64: the VAE's regulariser.
///
/// ```text
/// ½ Σᵢ [(e^sᵢ − 1 − sᵢ) + μᵢ²],   ∂μ = μ,   ∂s = ½(eˢ − 1)
/// ```
/// Source: Kingma & Welling, "Auto-encoding variational Bayes" (2014), appendix B; the tutorial's exponent is
/// misprinted (erratum 000-2).
///
/// # Shapes
/// `loc` and `log_variance` [batch, n].
///
/// # Errors
/// The shapes differ or an element is not finite.
///
/// # Numerics
/// Never negative, 0 exactly at the prior, ≤ 64 ulp relative elsewhere: no term cancels another.
///
/// ```
/// use ndarray::array;
/// use variata_distributions::kl::kl_standard_normal;
///
/// let kl = kl_standard_normal(&array![[0.5, -1.0]], &array![[0.3, -0.7]])?;
/// assert!((kl[0] - 0.748_222_055_683_706_4).abs() < 1e-14);
/// # Ok::<(), variata_distributions::Error>(())
/// ```
pub fn kl_standard_normal<F: Real>(
    loc: &ArrayRef2<F>,
    log_variance: &ArrayRef2<F>,
) -> Result<Array1<f64>, Error> {
    Ok(checked::<F, 0>(loc, log_variance)?.0)
}

/// [`kl_standard_normal`] and its partial derivatives in `loc` and `log_variance`.
///
/// # Errors
/// As [`kl_standard_normal`].
pub fn kl_standard_normal_with_grad<F: Real>(
    loc: &ArrayRef2<F>,
    log_variance: &ArrayRef2<F>,
) -> Result<(Array1<f64>, DiagonalNormalGrad<F>), Error> {
    let (value, [loc, spread]) = checked::<F, 2>(loc, log_variance)?;
    Ok((value, DiagonalNormalGrad { loc, spread }))
}

/// [`kl_standard_normal_with_grad`] into the arrays of an earlier call, for loops in which fresh memory would cost more
/// than the arithmetic. Nothing in them is read.
///
/// # Errors
/// As [`kl_standard_normal`]; the shape of `value` or `grad` is wrong, or an array is not in row-major order. After an
/// element that is not finite the outputs hold no sensible numbers.
///
/// ```
/// use ndarray::array;
/// use variata_distributions::kl::{kl_standard_normal_with_grad, kl_standard_normal_with_grad_into};
///
/// let (loc, s) = (array![[0.5, -1.0]], array![[0.0, 0.0]]);
/// let (mut value, mut grad) = kl_standard_normal_with_grad(&loc, &s)?;
/// kl_standard_normal_with_grad_into(&s, &s, &mut value, &mut grad)?;
/// assert_eq!(value, array![0.0]);
/// # Ok::<(), variata_distributions::Error>(())
/// ```
pub fn kl_standard_normal_with_grad_into<F: Real>(
    loc: &ArrayRef2<F>,
    log_variance: &ArrayRef2<F>,
    value: &mut Array1<f64>,
    grad: &mut DiagonalNormalGrad<F>,
) -> Result<(), Error> {
    check::shape("log_variance", log_variance.shape(), loc.shape())?;
    let (rows, n) = loc.dim();
    let sums = simd::sums("value", value, rows)?;
    let partials = [
        simd::partials("grad.loc", &mut grad.loc, rows, n)?,
        simd::partials("grad.spread", &mut grad.spread, rows, n)?,
    ];
    let (a, b) = (loc.as_standard_layout(), log_variance.as_standard_layout());
    let inputs = [a.as_slice().unwrap_or_default(), b.as_slice().unwrap_or_default()];
    let filled = fill(SpreadKind::LogVariance, n, inputs, Outputs { sums, partials });
    refuse_what_is_not_finite(&filled, loc, log_variance)
}

fn checked<F: Real, const OUT: usize>(
    loc: &ArrayRef2<F>,
    log_variance: &ArrayRef2<F>,
) -> Result<(Array1<f64>, [Array2<F>; OUT]), Error> {
    check::shape("log_variance", log_variance.shape(), loc.shape())?;
    let (rows, n) = loc.dim();
    let (a, b) = (loc.as_standard_layout(), log_variance.as_standard_layout());
    let inputs = [a.as_slice().unwrap_or_default(), b.as_slice().unwrap_or_default()];
    let (value, grads, filled) =
        simd::allocate(rows, n, |outputs| fill(SpreadKind::LogVariance, n, inputs, outputs));
    refuse_what_is_not_finite(&filled, loc, log_variance)?;
    Ok((value.into(), grads.map(|grad| shaped(ndarray::Ix2(rows, n), grad))))
}

/// The kernel counts such an element as rare, so that only then the inputs are read a second time.
fn refuse_what_is_not_finite<F: Real>(
    filled: &Filled,
    loc: &ArrayRef2<F>,
    log_variance: &ArrayRef2<F>,
) -> Result<(), Error> {
    if filled.rare() {
        check::finite("loc", loc)?;
        check::finite("log_variance", log_variance)?;
    }
    Ok(())
}

/// Value and, for `OUT` = 2, gradient in fresh memory.
fn run<F: Real, const OUT: usize>(p: &DiagonalNormal<F>) -> (Array1<f64>, [Array2<F>; OUT]) {
    let (rows, n) = (p.batch(), p.dim());
    let (value, grads, _) = simd::allocate(rows, n, |outputs| fill(p.spread_kind(), n, p.slices(), outputs));
    (value.into(), grads.map(|grad| shaped(ndarray::Ix2(rows, n), grad)))
}

/// Chooses the kernel by how the spread was given.
pub(crate) fn fill<F: Real, const OUT: usize>(
    kind: SpreadKind,
    n: usize,
    inputs: [&[F]; 2],
    outputs: Outputs<'_, F, OUT>,
) -> Filled {
    match kind {
        SpreadKind::Scale => simd::sum_rows::<StandardFromScale, F, 2, OUT>(n, inputs, outputs),
        SpreadKind::LogVariance => simd::sum_rows::<StandardFromLogVariance, F, 2, OUT>(n, inputs, outputs),
    }
}

/// The spread is the log-variance.
pub(crate) struct StandardFromLogVariance;

impl<const OUT: usize> Kernel<2, OUT> for StandardFromLogVariance {
    #[inline(always)]
    fn term<const FUSED: bool>([mu, s]: [f64; 2]) -> (f64, [f64; OUT]) {
        let (excess, rest) = expm1_expm1mx::<FUSED>(s);
        (0.5 * mul_add::<FUSED>(mu, mu, rest), take([mu, 0.5 * excess]))
    }

    #[inline(always)]
    fn rare([mu, s]: [f64; 2]) -> bool {
        !(s.abs() < 700.0 && mu.abs() < f64::INFINITY)
    }

    fn exact([mu, s]: [f64; 2]) -> (f64, [f64; OUT]) {
        (0.5 * (expm1mx(s) + mu * mu), take([mu, 0.5 * libm::expm1(s)]))
    }
}

/// The spread is the standard deviation.
pub(crate) struct StandardFromScale;

impl<const OUT: usize> Kernel<2, OUT> for StandardFromScale {
    #[inline(always)]
    fn term<const FUSED: bool>([mu, sigma]: [f64; 2]) -> (f64, [f64; OUT]) {
        let Comparison { excess: t, log1pmx, over_a, .. } = simd::compare::<FUSED>(sigma, 1.0);
        (mul_add::<FUSED>(0.5, mul_add::<FUSED>(t, t, mu * mu), -log1pmx), take([mu, t * (t + 2.0) * over_a]))
    }

    #[inline(always)]
    fn rare([_, sigma]: [f64; 2]) -> bool {
        !(sigma > 1e-100 && sigma < 1e100)
    }

    fn exact([mu, sigma]: [f64; 2]) -> (f64, [f64; OUT]) {
        let l = 2.0 * super::log_ratio(sigma, 1.0);
        (0.5 * (expm1mx(l) + mu * mu), take([mu, libm::expm1(l) / sigma]))
    }
}
