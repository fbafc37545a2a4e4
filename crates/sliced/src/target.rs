//! Laws that a sample is compared with.

use variata_distributions::{Standard, check};

/// A continuous law on the line, given by its distribution function, density and quantiles.
///
/// Implemented for the standard members of the location-scale families of `variata_distributions`
/// ([`StandardNormal`](variata_distributions::StandardNormal), `StandardLaplace`, `StandardGumbel`, `StandardLogistic`) and
/// for [`Affine`] maps of any target. Where both tails have digits to give, override the complementary functions: the
/// provided ones subtract from 1.
///
/// ```
/// use ndarray::array;
/// use variata_sliced::{Discrepancy, Distance, Target};
///
/// /// Uniform on [0, 1].
/// #[derive(Debug)]
/// struct Unit;
/// impl Target for Unit {
///     fn cdf(&self, x: f64) -> f64 { x.clamp(0.0, 1.0) }
///     fn pdf(&self, x: f64) -> f64 { if (0.0..=1.0).contains(&x) { 1.0 } else { 0.0 } }
///     fn quantile(&self, p: f64) -> f64 { p }
/// }
/// let two = Discrepancy::new(Distance::KolmogorovSmirnov).against(&Unit).value(&array![0.25, 0.75])?;
/// assert_eq!(two, 0.25);
/// # Ok::<(), variata_sliced::Error>(())
/// ```
pub trait Target: std::fmt::Debug + Sync {
    /// P(X ≤ x).
    fn cdf(&self, x: f64) -> f64;
    /// Density at x.
    fn pdf(&self, x: f64) -> f64;
    /// The x with P(X ≤ x) = p, for p in (0, 1).
    fn quantile(&self, p: f64) -> f64;
    /// P(X > x).
    fn sf(&self, x: f64) -> f64 {
        1.0 - self.cdf(x)
    }
    /// The x with P(X > x) = p, for p in (0, 1). The provided one has no digits for small p: for p below 2⁻⁵³ it is that of 2⁻⁵³.
    fn upper_quantile(&self, p: f64) -> f64 {
        // 1 itself is not in the domain of `quantile`.
        self.quantile((1.0 - p).min(1.0 - 0.5 * f64::EPSILON))
    }
    /// log P(X ≤ x).
    fn log_cdf(&self, x: f64) -> f64 {
        libm::log(self.cdf(x))
    }
    /// log P(X > x).
    fn log_sf(&self, x: f64) -> f64 {
        libm::log(self.sf(x))
    }
    /// Logarithm of the density at x.
    fn log_pdf(&self, x: f64) -> f64 {
        libm::log(self.pdf(x))
    }
    /// Derivative of [`log_cdf`](Self::log_cdf), density/P(X ≤ x). The provided one is e to the difference of their logarithms, which has no
    /// digits where these are large.
    fn log_cdf_grad(&self, x: f64) -> f64 {
        libm::exp(self.log_pdf(x) - self.log_cdf(x))
    }
    /// Derivative of [`log_sf`](Self::log_sf), −density/P(X > x); as [`log_cdf_grad`](Self::log_cdf_grad).
    fn log_sf_grad(&self, x: f64) -> f64 {
        -libm::exp(self.log_pdf(x) - self.log_sf(x))
    }
}

impl<S: Standard> Target for S {
    fn cdf(&self, x: f64) -> f64 {
        S::cdf(x)
    }
    fn pdf(&self, x: f64) -> f64 {
        libm::exp(S::log_density(x).0)
    }
    fn quantile(&self, p: f64) -> f64 {
        S::icdf(p)
    }
    fn sf(&self, x: f64) -> f64 {
        S::sf(x)
    }
    fn upper_quantile(&self, p: f64) -> f64 {
        S::isf(p)
    }
    fn log_cdf(&self, x: f64) -> f64 {
        S::log_cdf(x)
    }
    fn log_sf(&self, x: f64) -> f64 {
        S::log_sf(x)
    }
    fn log_pdf(&self, x: f64) -> f64 {
        S::log_density(x).0
    }
    fn log_cdf_grad(&self, x: f64) -> f64 {
        S::log_cdf_grad(x)
    }
    fn log_sf_grad(&self, x: f64) -> f64 {
        S::log_sf_grad(x)
    }
}

/// The law of loc + scale·X.
///
/// ```
/// use variata_distributions::StandardLaplace;
/// use variata_sliced::{Affine, Target};
///
/// let wide = Affine::new(StandardLaplace, 1.0, 2.0)?;
/// assert_eq!((wide.cdf(1.0), wide.quantile(0.5)), (0.5, 1.0));
/// # Ok::<(), variata_sliced::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Affine<T> {
    target: T,
    loc: f64,
    scale: f64,
}

impl<T: Target> Affine<T> {
    /// From the law of X.
    ///
    /// # Errors
    /// `loc` is not finite, or `scale` not finite and > 0.
    pub fn new(target: T, loc: f64, scale: f64) -> Result<Self, crate::Error> {
        check::scalar("loc", loc, "finite", loc.is_finite())?;
        check::scalar("scale", scale, "finite and > 0", scale > 0.0 && scale.is_finite())?;
        Ok(Self { target, loc, scale })
    }

    fn standardised(&self, x: f64) -> f64 {
        (x - self.loc) / self.scale
    }
}

impl<T: Target> Target for Affine<T> {
    fn cdf(&self, x: f64) -> f64 {
        self.target.cdf(self.standardised(x))
    }
    fn pdf(&self, x: f64) -> f64 {
        self.target.pdf(self.standardised(x)) / self.scale
    }
    fn quantile(&self, p: f64) -> f64 {
        self.loc + self.scale * self.target.quantile(p)
    }
    fn sf(&self, x: f64) -> f64 {
        self.target.sf(self.standardised(x))
    }
    fn upper_quantile(&self, p: f64) -> f64 {
        self.loc + self.scale * self.target.upper_quantile(p)
    }
    fn log_cdf(&self, x: f64) -> f64 {
        self.target.log_cdf(self.standardised(x))
    }
    fn log_sf(&self, x: f64) -> f64 {
        self.target.log_sf(self.standardised(x))
    }
    fn log_pdf(&self, x: f64) -> f64 {
        self.target.log_pdf(self.standardised(x)) - libm::log(self.scale)
    }
    fn log_cdf_grad(&self, x: f64) -> f64 {
        self.target.log_cdf_grad(self.standardised(x)) / self.scale
    }
    fn log_sf_grad(&self, x: f64) -> f64 {
        self.target.log_sf_grad(self.standardised(x)) / self.scale
    }
}
