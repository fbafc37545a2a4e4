//! Gumbel-softmax: weights over all codes, and the weighted sum of codes, without the matrix of weights.

mod backward;
mod forward;
pub(crate) mod noise;
mod panel;
mod schedule;

use ndarray::{Array1, Array2, ArrayRef2};
use variata_distributions::check;
use variata_distributions::lanes::{Compute, Sample, sum};

use crate::codebook::{Codebook, Metric, check_rows};
use crate::error::Error;
use crate::usage::SoftUsage;

pub use backward::GumbelGrad;
pub use noise::gumbel_noise;
pub use schedule::Schedule;

/// Largest noise that is accepted: differences of logits are to be finite, in f32 too.
const LOUDEST: f64 = 1e37;

/// Noise of the logits.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub enum Noise<'a, T> {
    /// None, for evaluation: hard and at temperature 0 the code is the nearest one, exactly.
    #[default]
    None,
    /// [`gumbel_noise`](crate::gumbel_noise) of a seed; the first row of the batch counts as row `first_row`, so that batches of one
    /// step draw apart, and a step is split into micro-batches without a change. Each step has its own seed.
    Seeded {
        /// The seed.
        seed: u64,
        /// Number of the first row.
        first_row: u64,
    },
    /// Given [N, K], finite and at most 1e37 in size.
    Given(&'a ArrayRef2<T>),
}

/// Weights of all codes by a softmax of perturbed negative distances, and the codes' weighted sum.
///
/// ```text
/// wₖ = softmaxₖ((−‖z − eₖ‖² + gₖ)/τ),   output = Σ wₖ eₖ,   gₖ ~ Gumbel(0, 1)
/// ```
/// Source: the paper VQ-Diff, section 2, with negative distances [errata 001-5], weights on the simplex [001-7] over all K codes
/// [001-9] and τ apart from the scale of the noise, which is 1 [001-6]; Jang, Gu and Poole 2017, eq. (2); Maddison, Mnih and Teh 2017.
///
/// # Numerics
/// Products, noise, weights and sums are made block by block of codes with a running maximum (online softmax), in the codebook's type
/// after a common offset was taken off; neither logits nor weights [N, K] are held, forward or backward. The maximum is subtracted
/// before the division by τ, so that any logits and any τ ≥ 0 give weights that are finite and sum to 1: τ = 0 gives the code of the
/// largest logit, the lowest index at ties, τ = ∞ the mean of all codes. Before noise and but for what a row's logits
/// share, they are within 2u((D + 4)‖z‖‖e‖ + (D + 3)·½‖e‖²), u = 2⁻²⁴ in f32, z and e counted from the mean code. Results do not depend on the number of threads.
///
/// ```
/// use ndarray::array;
/// use variata_quantize::{Codebook, GumbelSoftmax, Metric, Noise};
///
/// let codebook = Codebook::new(array![[0.0], [2.0]], Metric::SquaredEuclidean)?;
/// let soft = GumbelSoftmax { temperature: 1.0, hard: false };
/// let found = soft.forward(&codebook, &array![[1.0f64], [0.5]], Noise::None)?;
/// // In the middle both weigh ½; at ½ the logits are −¼ and −9/4.
/// assert!((found.output[[0, 0]] - 1.0).abs() < 1e-15);
/// assert!((found.output[[1, 0]] - 2.0 / (1.0 + 2f64.exp())).abs() < 1e-15);
/// # Ok::<(), variata_quantize::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct GumbelSoftmax {
    /// τ ≥ 0.
    pub temperature: f64,
    /// The output is the code of the largest logit, to the bit, with the gradient of the weighted sum (straight through).
    pub hard: bool,
}

impl Default for GumbelSoftmax {
    /// τ = 10 as in the paper VQ-Diff, section 2.3, soft.
    fn default() -> Self {
        Self { temperature: 10.0, hard: false }
    }
}

/// What [`GumbelSoftmax::forward`] returns, and its [backward](GumbelSoftmax::backward) needs.
#[derive(Debug, Clone, PartialEq)]
pub struct SoftQuantized<T> {
    /// Weighted sums of codes [N, D], or codes where hard.
    pub output: Array2<T>,
    /// The code of the largest logit `[N]`.
    pub indices: Array1<usize>,
    /// Weighted sums of the centred codes, in the units of the panel.
    mixture: Array2<T>,
    /// Largest logit of each row, and the sum of e^(logit − largest), in the units of the panel.
    largest: Vec<T>,
    sums: Vec<f64>,
    /// Of how many codes.
    codes: usize,
}

impl GumbelSoftmax {
    /// The weighted sum of codes for each row of `z` [N, D].
    ///
    /// # Errors
    /// [`Error::Argument`] for a temperature that is negative or NaN, or shapes that do not fit; [`Error::Metric`] for the cosine;
    /// [`Error::Row`] for a row of `z` or of given noise that is not finite, or of `z` farther from the mean code than 10¹⁸ (f32; f64: 10¹⁵⁰)
    /// times the size of the codebook, or 1 if that is smaller.
    pub fn forward<S: Sample<Compute = T>, T: Compute>(
        &self,
        codebook: &Codebook<T>,
        z: &ArrayRef2<S>,
        noise: Noise<'_, T>,
    ) -> Result<SoftQuantized<T>, Error> {
        self.check(codebook, z, &noise)?;
        forward::run(self, codebook, z, noise)
    }

    /// The weights [N, K] themselves: for a look at few rows; nothing else makes an array of this size.
    ///
    /// # Numerics
    /// Of the logits of the forward pass in f64, each with one rounding.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn weights<S: Sample<Compute = T>, T: Compute>(
        &self,
        codebook: &Codebook<T>,
        z: &ArrayRef2<S>,
        noise: Noise<'_, T>,
    ) -> Result<Array2<T>, Error> {
        let soft = Self { hard: false, ..*self };
        let found = soft.forward(codebook, z, noise)?;
        let mut weights = Array2::from_elem((z.nrows(), codebook.count()), T::ZERO);
        backward::visit(self, codebook, z, noise, &found, |row, below| {
            let total = sum(below.iter().map(|b| libm::exp(-b)));
            let to = weights.row_mut(row).into_iter().zip(below);
            to.for_each(|(w, b)| *w = T::from_f64(libm::exp(-b) / total));
        });
        Ok(weights)
    }

    /// How the weights without noise are spread over the codes.
    ///
    /// # Numerics
    /// The entropy of a row is log Σ e^−bₖ + Σ wₖbₖ, b how far a logit is below the largest, in f64: its terms are not negative, and it
    /// keeps its digits where one code has nearly all the weight.
    ///
    /// # Errors
    /// As [`forward`](Self::forward), and [`Error::Argument`] for no rows.
    pub fn usage<S: Sample<Compute = T>, T: Compute>(
        &self,
        codebook: &Codebook<T>,
        z: &ArrayRef2<S>,
    ) -> Result<SoftUsage, Error> {
        check::scalar("rows of z", z.nrows() as f64, "at least 1", z.nrows() > 0)?;
        let found = Self { hard: false, ..*self }.forward(codebook, z, Noise::None)?;
        let mut weights = Array1::<f64>::zeros(codebook.count());
        let mut entropy = 0.0;
        let mut powers = vec![0.0; codebook.count()];
        backward::visit(self, codebook, z, Noise::None, &found, |row, below| {
            // The row's code, whose power is 1, is left out: its rounding would hide the others.
            let (mut others, mut along) = (0.0, 0.0);
            for (k, (to, b)) in powers.iter_mut().zip(below).enumerate() {
                *to = libm::exp(-b);
                if k != found.indices[row] && *to > 0.0 {
                    others += *to;
                    along += *to * b;
                }
            }
            let sum = 1.0 + others;
            entropy += libm::log1p(others) + along / sum;
            weights.iter_mut().zip(&powers).for_each(|(w, power)| *w += power / sum);
        });
        Ok(SoftUsage::from_sums(weights, entropy, z.nrows() as u64))
    }

    /// Gradients of a loss with derivative `upstream` [N, D] in the output; `z` and `noise` are those of the forward pass.
    ///
    /// ```text
    /// hₖ = G·eₖ,   δₖ = wₖ(hₖ − Σ wh)
    /// ∂/∂z = (2/τ) Σ δₖ eₖ,   ∂/∂eₖ = Σ over rows of wₖG + (2/τ) δₖ(z − eₖ),   ∂/∂τ = −(1/τ) Σ δₖ·logitₖ
    /// ```
    /// with logitₖ the bracket over τ. Derived in the book, *Quantisation*. Weights are made again from the largest logits and sums of
    /// the forward pass. At τ = 0 codes have the gradient of the one-hot weights, and z and τ have none.
    ///
    /// # Numerics
    /// Where the weights of all codes but one are together below an eighth of an ulp, that one counts as alone: δ is 0. In f32 a factor
    /// 2/τ is 10³⁷ at most (f64: 10³⁰⁰), in units of the codes, whose spread it has to be divided by twice: τ below 10⁻³⁶, and codes more than 10¹⁸ apart,
    /// leave f32.
    ///
    /// # Errors
    /// As [`forward`](Self::forward), for `upstream` too; [`Error::Argument`] if `found` is of another shape or another number of codes.
    pub fn backward<S: Sample<Compute = T>, T: Compute>(
        &self,
        codebook: &Codebook<T>,
        z: &ArrayRef2<S>,
        noise: Noise<'_, T>,
        found: &SoftQuantized<T>,
        upstream: &ArrayRef2<T>,
    ) -> Result<GumbelGrad<T>, Error> {
        self.check(codebook, z, &noise)?;
        check::shape("found", found.output.shape(), z.shape())?;
        check::shape("found", found.mixture.shape(), z.shape())?;
        check::shape("found", found.indices.shape(), &[z.nrows()])?;
        check::shape("codes of found", &[found.codes], &[codebook.count()])?;
        check::shape("upstream", upstream.shape(), z.shape())?;
        check_rows("upstream", upstream, Metric::SquaredEuclidean)?;
        backward::run(self, codebook, z, noise, found, upstream)
    }

    fn check<S: Sample, T: Compute>(
        &self,
        codebook: &Codebook<T>,
        z: &ArrayRef2<S>,
        noise: &Noise<'_, T>,
    ) -> Result<(), Error> {
        check::scalar("temperature", self.temperature, ">= 0", self.temperature >= 0.0)?;
        if codebook.metric() != Metric::SquaredEuclidean {
            return Err(Error::Metric { operation: "Gumbel-softmax", metric: codebook.metric() });
        }
        if let Noise::Given(noise) = noise {
            check::shape("noise", noise.shape(), &[z.nrows(), codebook.count()])?;
            for (row, values) in noise.rows().into_iter().enumerate() {
                if let Some(value) = values.iter().map(|v| v.to_f64()).find(|v| !(v.abs() <= LOUDEST)) {
                    return Err(Error::Row {
                        argument: "noise",
                        row,
                        value,
                        must: "finite, at most 1e37 in size",
                    });
                }
            }
        }
        Ok(())
    }
}
