//! Maximum mean discrepancy between two samples.

use ndarray::{Array2, ArrayRef2};
use variata_distributions::{Real, check};

use crate::distance::none;
use crate::error::Error;
use crate::pairs::{Pairs, points, sums};
use crate::two_sample::TwoSampleGrad;
use variata_distributions::lanes::{Compute, Sample};

/// A kernel of the squared distance.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[non_exhaustive]
pub enum Kernel {
    /// exp(−‖x − y‖²/(2·variance)).
    Rbf {
        /// Finite and > 0, not subnormal.
        variance: f64,
    },
    /// scale/(scale + ‖x − y‖²).
    InverseMultiquadric {
        /// Finite and > 0, not subnormal.
        scale: f64,
    },
}

impl Kernel {
    /// Adds values and derivatives in the squared distances.
    #[inline(always)]
    fn add(self, squares: &Pairs, values: &mut Pairs, slopes: &mut Pairs) {
        let to = squares.iter().zip(values).zip(slopes).map(|((&square, v), s)| (square, v, s));
        match self {
            Self::Rbf { variance } => {
                let factor = -0.5 / variance;
                to.for_each(|(square, v, s)| {
                    let value = Compute::exp(factor * square);
                    *v += value;
                    *s += factor * value;
                });
            }
            Self::InverseMultiquadric { scale } => {
                let over = -1.0 / scale;
                to.for_each(|(square, v, s)| {
                    let value = scale / (scale + square);
                    *v += value;
                    *s += over * value * value;
                });
            }
        }
    }
}

/// Which mean over pairs estimates it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum MmdEstimator {
    /// All pairs, a point with itself included: ≥ 0.
    Biased,
    /// No point with itself: unbiased, and negative at times. Needs two points on each side.
    Unbiased,
}

/// Squared maximum mean discrepancy, summed over kernels.
///
/// ```text
/// MMD² = mean k(xᵢ, xⱼ) + mean k(yᵢ, yⱼ) − 2 mean k(xᵢ, yⱼ)
/// ```
/// Source: Gretton et al. 2012, eq. 3 and 5; as a regulariser WAE-MMD, which paper sliced compares with. O((n + m)² D) time, no
/// matrix of pairs.
///
/// # Numerics
/// f64, with squared distances to a relative 1e-13 however close points are, and however far from 0: products where they keep the
/// digits, differences where they do not.
///
/// ```
/// use ndarray::array;
/// use variata_sliced::{Kernel, Mmd, MmdEstimator};
///
/// let mmd = Mmd::new(vec![Kernel::Rbf { variance: 0.5 }], MmdEstimator::Biased)?;
/// let far = mmd.value(&array![[0.0]], &array![[1.0]])?;
/// assert!((far - (2.0 - 2.0 * (-1.0f64).exp())).abs() < 1e-15);
/// # Ok::<(), variata_sliced::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(try_from = "Unchecked"))]
pub struct Mmd {
    pub(crate) kernels: Vec<Kernel>,
    pub(crate) estimator: MmdEstimator,
}

/// As it comes from a file.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    kernels: Vec<Kernel>,
    estimator: MmdEstimator,
}

#[cfg(feature = "serde")]
impl TryFrom<Unchecked> for Mmd {
    type Error = Error;

    fn try_from(read: Unchecked) -> Result<Self, Error> {
        Self::new(read.kernels, read.estimator)
    }
}

impl Mmd {
    /// From kernels, whose values are added.
    ///
    /// # Errors
    /// No kernel, or a variance or scale that is not finite and > 0, or subnormal.
    pub fn new(kernels: Vec<Kernel>, estimator: MmdEstimator) -> Result<Self, Error> {
        if kernels.is_empty() {
            return Err(none("kernels", &[0], "[n] with n >= 1"));
        }
        for kernel in &kernels {
            let (name, value) = match *kernel {
                Kernel::Rbf { variance } => ("variance", variance),
                Kernel::InverseMultiquadric { scale } => ("scale", scale),
            };
            // Their reciprocals are to be numbers.
            check::scalar(name, value, "finite, > 0 and not subnormal", value > 0.0 && value.is_normal())?;
        }
        Ok(Self { kernels, estimator })
    }

    /// The kernels of WAE-MMD for a prior N(0, I): inverse multiquadrics of scale 2·dimensions times 0.1, 0.2, 0.5, 1, 2, 5
    /// and 10. Source: Tolstikhin et al. 2018, section 4.
    ///
    /// # Errors
    /// `dimensions` is 0.
    pub fn inverse_multiquadric(dimensions: usize, estimator: MmdEstimator) -> Result<Self, Error> {
        check::scalar("dimensions", dimensions as f64, "at least 1", dimensions > 0)?;
        let scales = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];
        let kernel = |s: f64| Kernel::InverseMultiquadric { scale: 2.0 * dimensions as f64 * s };
        Self::new(scales.map(kernel).to_vec(), estimator)
    }

    /// MMD² between `x` [n, dimensions] and `y` [m, dimensions].
    ///
    /// # Errors
    /// A sample is empty, has one point only where [`MmdEstimator::Unbiased`] needs two, or a value that is not finite or above
    /// 1e150; the dimensions differ.
    pub fn value<S: Sample>(&self, x: &ArrayRef2<S>, y: &ArrayRef2<S>) -> Result<f64, Error> {
        Ok(self.evaluate(x, y, [false; 2])?.0)
    }

    /// The same, to a rounding, with its gradients.
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub fn value_with_grad<S: Sample>(
        &self,
        x: &ArrayRef2<S>,
        y: &ArrayRef2<S>,
    ) -> Result<(f64, TwoSampleGrad<Array2<S::Compute>>), Error> {
        let (value, [in_x, in_y]) = self.evaluate(x, y, [true; 2])?;
        let rounded = |grad: Array2<f64>| grad.mapv(S::Compute::from_f64);
        Ok((value, TwoSampleGrad { x: rounded(in_x), y: rounded(in_y) }))
    }

    /// MMD², and its gradients in f64 in the samples for which they are `wanted`.
    pub(crate) fn evaluate<S: Sample>(
        &self,
        x: &ArrayRef2<S>,
        y: &ArrayRef2<S>,
        wanted: [bool; 2],
    ) -> Result<(f64, [Array2<f64>; 2]), Error> {
        let (x, y) = (points("x", x)?, points("y", y)?);
        check::shape("y", &y.shape()[1..], &x.shape()[1..])?;
        let biased = self.estimator == MmdEstimator::Biased;
        for (argument, points) in [("x", &x), ("y", &y)] {
            if !biased && points.nrows() < 2 {
                return Err(none(argument, points.shape(), "[n, d] with n >= 2"));
            }
        }
        let (n, m) = (x.nrows() as f64, y.nrows() as f64);
        let own = |n: f64| 1.0 / (n * if biased { n } else { n - 1.0 });
        let mixed = -1.0 / (n * m);
        let (sums, grads) = sums(
            [&x, &y],
            wanted,
            [[own(n), mixed], [mixed, own(m)]],
            #[inline(always)]
            |squares: &Pairs| {
                let (mut values, mut slopes) = ([0.0; _], [0.0; _]);
                self.kernels.iter().for_each(|kernel| kernel.add(squares, &mut values, &mut slopes));
                (values, slopes)
            },
        );
        // Every kernel is 1 at 0.
        let themselves = |n: f64| if biased { 0.0 } else { n * self.kernels.len() as f64 };
        let [[of_x, of_both], [_, of_y]] = sums;
        let value = own(n) * (of_x - themselves(n)) + own(m) * (of_y - themselves(m)) + 2.0 * mixed * of_both;
        // Of samples that agree rounding may leave less than nothing. `max` would take NaN for 0.
        Ok((if biased && value < 0.0 { 0.0 } else { value }, grads))
    }
}
