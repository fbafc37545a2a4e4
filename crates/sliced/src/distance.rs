//! The distances by name, and a sample's discrepancy from a law.

use std::sync::Arc;

use ndarray::{Array1, ArrayRef1};
use variata_distributions::{ArgumentError, check};

use crate::cells::NormalCells;
use crate::column::{Against, Gradient, Scratch};
use crate::cramer_wold::{Smoothed, nodes};
use crate::error::Error;
use crate::target::Target;
use crate::{anderson_darling, cramer_von_mises, cramer_wold, kolmogorov_smirnov, wasserstein};
use variata_distributions::lanes::{Compute, Sample};

/// Larger values are refused: their squares overflow.
pub(crate) const LARGEST: f64 = 1e150;

/// Smoothing of the Cramér–Wold distance: the variance γ of the Gaussian that both densities are convolved with.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Bandwidth {
    /// (4/(3n))^(2/5), from Silverman's rule; with weights, n is 1/Σ w². Source: paper sliced, section SCWAE.
    Silverman,
    /// A given variance, finite and > 0.
    Given(f64),
}

impl Bandwidth {
    /// γ for n points, or for an effective number of weighted ones.
    ///
    /// ```
    /// use variata_sliced::Bandwidth;
    /// assert!((Bandwidth::Silverman.variance(128.0) - 0.161_099).abs() < 1e-6);
    /// ```
    pub fn variance(self, n: f64) -> f64 {
        match self {
            Self::Silverman => cramer_wold::silverman(n),
            Self::Given(gamma) => gamma,
        }
    }

    /// The same, refused where it is narrower than grids that fit into memory, or so wide that nothing is left.
    pub(crate) fn checked(self, n: f64) -> Result<f64, ArgumentError> {
        let gamma = self.variance(n);
        check::scalar("bandwidth", gamma, "in [1e-8, 1e8]", (1e-8..=1e8).contains(&gamma))?;
        Ok(gamma)
    }
}

/// A distance between the empirical law of a sample and a target with distribution function F; N(0, 1) unless said otherwise.
///
/// `y₍ₖ₎` are the sorted points, Fₙ their empirical distribution function, zₖ = F(y₍ₖ₎). Formulas below are for equal
/// weights; with weights wₖ, k/n becomes their sum up to k. Derivations: docs/src/theory/sliced.md.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[non_exhaustive]
pub enum Distance {
    /// Wₚᵖ, the p-th power of the Wasserstein distance, p ≥ 1.
    ///
    /// ```text
    /// Wₚᵖ = ∫₀¹ |Fₙ⁻¹(u) − F⁻¹(u)|ᵖ du
    /// W₂² = (1/n) Σ (y₍ₖ₎ − mₖ)² + (1/n) Σ vₖ     mₖ, vₖ: mean and variance of N(0, 1) between its k-th quantiles
    /// ```
    /// Source: paper sliced, SCFWAE, in a form without cancellation. p = 2 against N(0, 1) is in closed form; others are by
    /// quadrature, to 1e-10 relative for targets with smooth quantile functions and a p-th moment.
    Wasserstein {
        /// The power, finite and ≥ 1.
        p: f64,
    },
    /// The squared Cramér–Wold distance: between densities smoothed by N(0, γ).
    ///
    /// ```text
    /// d² = (1/n²) Σᵢⱼ N(yᵢ − yⱼ; 0, 2γ) + N(0; 0, 2 + 2γ) − (2/n) Σᵢ N(yᵢ; 0, 1 + 2γ)
    /// ```
    /// Source: paper sliced, SCWAE; the second argument is a variance [errata 003-7]. Computed as ∫ (difference)², in O(n).
    CramerWold {
        /// The smoothing.
        bandwidth: Bandwidth,
    },
    /// The Cramér–von Mises criterion.
    ///
    /// ```text
    /// ∫ (Fₙ − F)² dF = 1/(12n²) + (1/n) Σ (zₖ − (2k − 1)/2n)²
    /// ```
    /// Source: paper sliced, SCvMAE, with the sign of its last line corrected [errata 003-1]. n times it is the classical
    /// statistic W².
    CramerVonMises,
    /// The Kolmogorov–Smirnov distance, from both sides of every step.
    ///
    /// ```text
    /// sup |Fₙ − F| = maxₖ max(k/n − zₖ, zₖ − (k − 1)/n)
    /// ```
    /// Source: paper sliced, SKSAE, which prints one side only [errata 003-2]. The gradient is a subgradient: that of the first
    /// gap that attains the maximum.
    KolmogorovSmirnov,
    /// A smooth upper bound of it, at most τ log 2n above: τ log Σ e^(gap/τ) over all gaps. Every point gets a gradient.
    SmoothKolmogorovSmirnov {
        /// τ, finite and > 0.
        temperature: f64,
    },
    /// The Anderson–Darling criterion.
    ///
    /// ```text
    /// ∫ (Fₙ − F)²/(F(1 − F)) dF = −1 − (1/n²) Σ (2k − 1)(log zₖ + log(1 − z₍ₙ₊₁₋ₖ₎))
    /// ```
    /// Source: Anderson and Darling 1952; summed as coin divergences KL(cₖ‖zₖ) ≥ 0, cₖ = (2k − 1)/2n. n times it is A².
    AndersonDarling,
}

impl Distance {
    /// The squared 2-Wasserstein distance.
    pub const WASSERSTEIN_2: Self = Self::Wasserstein { p: 2.0 };
    /// Cramér–Wold with Silverman's bandwidth.
    pub const CRAMER_WOLD: Self = Self::CramerWold { bandwidth: Bandwidth::Silverman };

    /// What it is called in messages.
    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::Wasserstein { .. } => "the Wasserstein distance",
            Self::CramerWold { .. } => "the Cramér–Wold distance",
            Self::CramerVonMises => "the Cramér–von Mises criterion",
            Self::KolmogorovSmirnov => "the Kolmogorov–Smirnov distance",
            Self::SmoothKolmogorovSmirnov { .. } => "the smooth Kolmogorov–Smirnov distance",
            Self::AndersonDarling => "the Anderson–Darling criterion",
        }
    }

    /// The distance of `y` `[n]`, n ≥ 1, from N(0, 1).
    ///
    /// # Errors
    /// As [`Discrepancy::value`].
    ///
    /// ```
    /// use ndarray::array;
    /// use variata_sliced::Distance;
    ///
    /// let d = Distance::WASSERSTEIN_2.value(&array![-1.0, 1.0])?;
    /// assert!((d - (2.0 - 2.0 * (2.0 / std::f64::consts::PI).sqrt())).abs() < 1e-15);
    /// # Ok::<(), variata_sliced::Error>(())
    /// ```
    pub fn value<S: Sample>(self, y: &ArrayRef1<S>) -> Result<f64, Error> {
        Discrepancy::new(self).value(y)
    }

    /// The same with its gradient in `y`.
    ///
    /// # Errors
    /// As [`Discrepancy::value`].
    ///
    /// ```
    /// use ndarray::array;
    /// use variata_sliced::Distance;
    ///
    /// let (d, grad) = Distance::CramerVonMises.value_with_grad(&array![0.0])?;
    /// assert_eq!((d, grad[0]), (1.0 / 12.0, 0.0));
    /// # Ok::<(), variata_sliced::Error>(())
    /// ```
    pub fn value_with_grad<S: Sample>(self, y: &ArrayRef1<S>) -> Result<(f64, Array1<S::Compute>), Error> {
        Discrepancy::new(self).value_with_grad(y)
    }
}

/// A [`Distance`] with what the sample is compared with and how its points count.
///
/// ```
/// use ndarray::array;
/// use variata_distributions::StandardLaplace;
/// use variata_sliced::{Discrepancy, Distance};
///
/// let y = array![-1.5, 0.2, 0.9];
/// let weighted = Discrepancy::new(Distance::AndersonDarling)
///     .weighted(&[1.0, 1.0, 2.0])
///     .against(&StandardLaplace);
/// let repeated = Discrepancy::new(Distance::AndersonDarling).against(&StandardLaplace);
/// let (a, b) = (weighted.value(&y)?, repeated.value(&array![-1.5, 0.2, 0.9, 0.9])?);
/// assert!((a - b).abs() < 1e-14);
/// # Ok::<(), variata_sliced::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Discrepancy<'a> {
    distance: Distance,
    pub(crate) target: Option<&'a dyn Target>,
    pub(crate) weights: Option<&'a [f64]>,
}

impl<'a> Discrepancy<'a> {
    /// From N(0, 1), all points counting alike.
    pub fn new(distance: Distance) -> Self {
        Self { distance, target: None, weights: None }
    }

    /// From another law.
    #[must_use]
    pub fn against(self, target: &'a dyn Target) -> Self {
        Self { target: Some(target), ..self }
    }

    /// With a weight ≥ 0 for each point; they are divided by their sum.
    #[must_use]
    pub fn weighted(self, weights: &'a [f64]) -> Self {
        Self { weights: Some(weights), ..self }
    }

    /// The distance.
    pub fn distance(&self) -> Distance {
        self.distance
    }

    /// The distance of `y` `[n]`, n ≥ 1; > 0.
    ///
    /// # Numerics
    /// In f64, whatever the element type. Wasserstein 2, Cramér–Wold, Cramér–von Mises and Anderson–Darling: 1e-12 relative,
    /// on perfect quantile grids too; Kolmogorov–Smirnov: 4 units of roundoff absolute. Nearly on a grid, δ standard deviations from
    /// it, where the distance is some δ², the rounding of y/√γ leaves Cramér–Wold some 10⁻¹⁶/δ, relative. For γ > 10 both of its densities are
    /// nearly one, and some 10⁻¹⁴√γ are lost, 10⁻¹⁴γ of a sample with the law's mean, and 10⁻¹⁴γ² with its variance, too. Against a
    /// [`Target`] it takes at most 65,536 nodes, which are enough for N(0, s²) of s ≤ 10³√γ; s = 3·10³√γ loses 10⁻⁵, 10⁴√γ 2·10⁻⁴. Other
    /// Wasserstein distances are within 1e-10.
    /// The bits of points of equal weight do not depend on their order, but for Cramér–Wold, which sorts nothing: there the last ones do.
    ///
    /// # Errors
    /// `y` is empty, or has a value that is not finite or above 1e150; the distance's parameter is out of its range;
    /// weights are not n numbers, finite and ≥ 0 and not all 0; the target gives what no law has; the value overflows.
    pub fn value<S: Sample>(&self, y: &ArrayRef1<S>) -> Result<f64, Error> {
        let y = column(y)?;
        let value = self.prepare(y.len())?.run::<f64>(&y, None, &mut Scratch::default());
        self.finite(value)
    }

    /// The same with its gradient in `y`, exact.
    ///
    /// # Errors
    /// As [`value`](Self::value), and where the gradient overflows as elements of `y`.
    pub fn value_with_grad<S: Sample>(&self, y: &ArrayRef1<S>) -> Result<(f64, Array1<S::Compute>), Error> {
        let y = column(y)?;
        let mut grad = vec![0.0; y.len()];
        let gradient = Gradient { out: &mut grad[..], scale: 1.0 };
        let value = self.prepare(y.len())?.run::<f64>(&y, Some(gradient), &mut Scratch::default());
        let grad: Array1<_> = grad.into_iter().map(variata_distributions::Real::from_f64).collect();
        let value = self.finite(value)?;
        not_too_steep(self.steepness(value), grad.as_slice().unwrap_or_default())?;
        Ok((value, grad))
    }

    pub(crate) fn finite(&self, value: f64) -> Result<f64, Error> {
        if value.is_finite() {
            return Ok(value);
        }
        Err(Error::Overflow { quantity: self.distance.description(), element: "f64" })
    }

    /// How large slopes may be where the value is this.
    pub(crate) fn steepness(&self, value: f64) -> f64 {
        match self.distance {
            // A density may be of any size.
            _ if self.target.is_some() => f64::INFINITY,
            Distance::Wasserstein { p } => steepness(p, value),
            _ => value,
        }
    }

    /// About how many nanoseconds a thread takes for a point, with its gradient; other laws may take any time.
    pub(crate) fn nanoseconds(&self) -> f64 {
        match self.distance {
            _ if self.target.is_some() => f64::INFINITY,
            Distance::Wasserstein { p } if p == 2.0 && self.weights.is_none() => SORTED,
            Distance::Wasserstein { .. } => 500.0,
            Distance::CramerWold { .. } => 26.0,
            Distance::AndersonDarling => 16.0,
            Distance::SmoothKolmogorovSmirnov { .. } => 40.0,
            Distance::CramerVonMises | Distance::KolmogorovSmirnov => 8.0,
        }
    }

    /// What all columns of `n` points share.
    pub(crate) fn prepare(&self, n: usize) -> Result<Prepared<'a>, Error> {
        let weights = self.weights.map(|weights| normalised(weights, n)).transpose()?;
        let plan = match self.distance {
            Distance::Wasserstein { p } => {
                check::scalar("p", p, "finite and >= 1", p >= 1.0 && p.is_finite())?;
                match (p == 2.0, self.target, &weights) {
                    (true, None, None) => Plan::NormalSquared(NormalCells::of(n)),
                    _ => Plan::Wasserstein(p),
                }
            }
            Distance::CramerWold { bandwidth } => {
                let effective =
                    weights.as_ref().map_or(n as f64, |w| 1.0 / w.iter().map(|w| w * w).sum::<f64>());
                let variance = bandwidth.checked(effective)?;
                let nodes = self.target.map(|target| nodes(target, variance.sqrt())).transpose()?;
                Plan::CramerWold(Smoothed::new(variance, nodes))
            }
            Distance::CramerVonMises => Plan::CramerVonMises,
            Distance::KolmogorovSmirnov => Plan::KolmogorovSmirnov,
            Distance::SmoothKolmogorovSmirnov { temperature } => {
                check::scalar(
                    "temperature",
                    temperature,
                    "finite and > 0",
                    temperature > 0.0 && temperature.is_finite(),
                )?;
                Plan::Smooth(temperature)
            }
            Distance::AndersonDarling => Plan::AndersonDarling(anderson_darling::equal_floor(n)),
        };
        Ok(Prepared { plan, target: self.target, weights })
    }
}

/// Nanoseconds that a point takes to be sorted and subtracted.
pub(crate) const SORTED: f64 = 5.0;

/// How large slopes of a mean p-th power of gaps may be where its value is this: p·gap^(p − 1) ≤ p·max(1, gapᵖ).
pub(crate) fn steepness(p: f64, value: f64) -> f64 {
    p * value.max(1.0)
}

/// A gradient of elements `T` holds slopes that may be as large as `steepness`.
pub(crate) fn not_too_steep<T: Compute>(steepness: f64, grad: &[T]) -> Result<(), Error> {
    // A power of a gap as large as f32 holds is this at least, over as many points as there may be.
    const STEEP: f64 = 1e28;
    if steepness > STEEP && !grad.iter().all(|slope| slope.to_f64().is_finite()) {
        return Err(Error::Overflow { quantity: "gradient", element: T::NAME });
    }
    Ok(())
}

/// A discrepancy with what its columns share.
#[derive(Debug)]
pub(crate) struct Prepared<'a> {
    plan: Plan,
    target: Option<&'a dyn Target>,
    weights: Option<Vec<f64>>,
}

#[derive(Debug)]
enum Plan {
    NormalSquared(Arc<NormalCells>),
    Wasserstein(f64),
    CramerWold(Smoothed),
    CramerVonMises,
    KolmogorovSmirnov,
    Smooth(f64),
    AndersonDarling(f64),
}

impl Prepared<'_> {
    pub(crate) fn sorts(&self) -> bool {
        !matches!(self.plan, Plan::CramerWold(_))
    }

    /// The distance of one column of finite values.
    pub(crate) fn run<T: Compute>(
        &self,
        y: &[T],
        gradient: Option<Gradient<'_, T>>,
        scratch: &mut Scratch,
    ) -> f64 {
        let against = Against { target: self.target, weights: self.weights.as_deref() };
        match &self.plan {
            Plan::NormalSquared(cells) => wasserstein::run_normal_squared(y, cells, gradient, scratch),
            Plan::Wasserstein(p) => wasserstein::run(y, *p, against, gradient, scratch),
            Plan::CramerWold(smoothed) => smoothed.run(y, against.weights, gradient, scratch),
            Plan::CramerVonMises => cramer_von_mises::run(y, against, gradient, scratch),
            Plan::KolmogorovSmirnov => kolmogorov_smirnov::run(y, against, gradient, scratch),
            Plan::Smooth(t) => kolmogorov_smirnov::run_smooth(y, *t, against, gradient, scratch),
            Plan::AndersonDarling(floor) => anderson_darling::run(y, *floor, against, gradient, scratch),
        }
    }
}

/// The column in f64, checked.
fn column<S: Sample>(y: &ArrayRef1<S>) -> Result<Vec<f64>, Error> {
    if y.is_empty() {
        return Err(none("y", &[0], "[n] with n >= 1"));
    }
    let values: Vec<f64> = y.iter().map(|v| variata_distributions::Real::to_f64(v.compute())).collect();
    sizes("y", values.iter().copied())?;
    Ok(values)
}

/// Every value is finite and of a size whose square is.
pub(crate) fn sizes(argument: &'static str, values: impl Iterator<Item = f64>) -> Result<(), ArgumentError> {
    for (index, value) in values.enumerate() {
        if !(value.abs() <= LARGEST) {
            let must = "finite, at most 1e150 in size";
            return Err(ArgumentError::Value { argument, index: Some(index), value, must });
        }
    }
    Ok(())
}

pub(crate) fn none(argument: &'static str, got: &[usize], want: &str) -> Error {
    ArgumentError::Shape { argument, got: got.to_vec(), want: want.to_owned() }.into()
}

/// The weights divided by their sum.
pub(crate) fn normalised(weights: &[f64], n: usize) -> Result<Vec<f64>, ArgumentError> {
    check::shape("weights", &[weights.len()], &[n])?;
    for (index, &value) in weights.iter().enumerate() {
        if !(value >= 0.0 && value.is_finite()) {
            let must = "finite and >= 0";
            return Err(ArgumentError::Value { argument: "weights", index: Some(index), value, must });
        }
    }
    // Divided by the largest first, so that the sum cannot overflow.
    let largest = weights.iter().copied().fold(0.0, f64::max);
    check::scalar("weights", largest, "not all 0", largest > 0.0)?;
    let sum: f64 = weights.iter().map(|w| w / largest).sum();
    Ok(weights.iter().map(|w| w / largest / sum).collect())
}
