//! Codes that follow the exponential moving average of the vectors that choose them.

use ndarray::{Array1, Array2, Zip};
use variata_distributions::lanes::Compute;
use variata_distributions::{Real, check};

use crate::clusters::Clusters;
use crate::codebook::{Codebook, Metric};
use crate::error::Error;

/// How sizes of clusters are kept from 0 when a sum is divided by them.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Smoothing {
    /// Not at all: a code in use is exactly sum/size.
    None,
    /// (Nₖ + α)/(N + Kα)·N in place of Nₖ, N = Σ Nₖ (Razavi et al. 2019): draws codes with few vectors towards 0, and under the
    /// cosine metric, where length does not count, does nothing.
    Laplace(f64),
    /// (sum + α·code)/(Nₖ + α): draws them towards where they were, whatever the origin. Under the cosine metric the unit vector along sum + α·code/‖code‖.
    Hold(f64),
}

/// Exponential moving averages of sizes `[K]` and sums [K, D] of the codes' clusters.
///
/// ```text
/// Nₖ ← γNₖ + (1 − γ)nₖ,   mₖ ← γmₖ + (1 − γ)Σz,   eₖ ← mₖ/Nₖ for the codes that were chosen
/// ```
/// Source: van den Oord et al. 2017, appendix A.1; smoothing from Razavi, van den Oord and Vinyals 2019.
///
/// The averages start at Nₖ = 1, mₖ = eₖ, so that they agree with the codes from the first step on, and a code that no vector
/// chose keeps its value to the bit. (Starting at 0, or with sums that are drawn apart from the codes, sends the unused ones to
/// sizes of 10² to 10⁵ in one step, and they are never chosen again.)
///
/// ```
/// use ndarray::array;
/// use variata_quantize::{Clusters, Codebook, Ema, Metric, Smoothing};
///
/// let mut codebook = Codebook::new(array![[0.0], [9.0]], Metric::SquaredEuclidean)?;
/// let mut ema = Ema::new(&codebook, 0.5, Smoothing::None)?;
/// let z = array![[1.0], [3.0]];
/// let mut clusters = Clusters::new(&codebook);
/// clusters.add(&codebook, &z, &codebook.assign(&z)?)?;
/// ema.update(&mut codebook, &clusters)?;
/// // (½·0 + ½·4)/(½·1 + ½·2); the other stays.
/// assert_eq!(codebook.codes(), array![[4.0 / 3.0], [9.0]]);
/// # Ok::<(), variata_quantize::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "stored::Ema"))]
pub struct Ema {
    decay: f64,
    smoothing: Smoothing,
    sizes: Array1<f64>,
    sums: Array2<f64>,
}

impl Ema {
    /// Averages that agree with the codes; `decay` γ in [0, 1), mostly 0.99. With 0 each step is one of k-means.
    ///
    /// # Errors
    /// [`Error::Argument`] if γ or α is out of range.
    pub fn new<T: Compute>(codebook: &Codebook<T>, decay: f64, smoothing: Smoothing) -> Result<Self, Error> {
        Self::check(decay, smoothing)?;
        let sums = codebook.codes().mapv(Real::to_f64);
        let mut ema = Self { decay, smoothing, sizes: Array1::ones(codebook.count()), sums };
        for index in 0..codebook.count() {
            ema.reset(codebook, index);
        }
        Ok(ema)
    }

    pub(crate) fn check(decay: f64, smoothing: Smoothing) -> Result<(), Error> {
        check::scalar("decay", decay, "in [0, 1)", (0.0..1.0).contains(&decay))?;
        if let Smoothing::Laplace(alpha) | Smoothing::Hold(alpha) = smoothing {
            check::scalar("smoothing", alpha, "finite and >= 0", alpha >= 0.0 && alpha.is_finite())?;
        }
        Ok(())
    }

    /// Averages that were saved: sizes `[K]` and sums [K, D].
    ///
    /// # Errors
    /// As [`new`](Self::new), and if shapes do not fit, a number is not finite or a size negative.
    pub fn from_averages(
        decay: f64,
        smoothing: Smoothing,
        sizes: Array1<f64>,
        sums: Array2<f64>,
    ) -> Result<Self, Error> {
        Self::check(decay, smoothing)?;
        check::shape("sizes", sizes.shape(), &[sums.nrows()])?;
        check::finite("sizes", &sizes)?;
        for &size in &sizes {
            check::scalar("sizes", size, ">= 0", size >= 0.0)?;
        }
        check::finite("sums", &sums)?;
        Ok(Self { decay, smoothing, sizes, sums })
    }

    /// Averaged sizes `[K]`.
    pub fn sizes(&self) -> &Array1<f64> {
        &self.sizes
    }

    /// Averaged sums [K, D].
    pub fn sums(&self) -> &Array2<f64> {
        &self.sums
    }

    /// One step with the clusters of a batch, of several micro-batches or of several workers.
    ///
    /// # Errors
    /// [`Error::Argument`] if the shapes do not fit; [`Error::Row`] if a code would not be finite. Nothing changes then.
    pub fn update<T: Compute>(
        &mut self,
        codebook: &mut Codebook<T>,
        clusters: &Clusters,
    ) -> Result<(), Error> {
        let shape = self.sums.shape();
        check::shape("codebook", codebook.codes().shape(), shape)?;
        check::shape("clusters", clusters.sums().shape(), shape)?;
        let (old, new) = (self.decay, 1.0 - self.decay);
        let mut next = self.clone();
        next.sizes.zip_mut_with(clusters.sizes(), |to, n| *to = old * *to + new * n);
        next.sums.zip_mut_with(clusters.sums(), |to, s| *to = old * *to + new * s);
        let (count, total) = (next.sizes.len() as f64, next.sizes.sum());
        let mut codes = codebook.codes().clone();
        let parts = Zip::from(codes.rows_mut()).and(next.sums.rows()).and(&next.sizes);
        parts.and(clusters.sizes()).for_each(|mut code, sums, &size, &chosen| {
            if chosen == 0.0 {
                return;
            }
            let (hold, size) = match (codebook.metric(), self.smoothing) {
                // Only the direction counts: unit length.
                (Metric::Cosine, Smoothing::Hold(alpha)) => {
                    let hold = alpha / norm(code.iter().map(|e| e.to_f64()));
                    (hold, norm(sums.iter().zip(&code).map(|(s, e)| s + hold * e.to_f64())))
                }
                (Metric::Cosine, _) => (0.0, norm(sums.iter().copied())),
                (_, Smoothing::None) => (0.0, size),
                (_, Smoothing::Laplace(alpha)) => (0.0, (size + alpha) / (total + count * alpha) * total),
                (_, Smoothing::Hold(alpha)) => (alpha, size + alpha),
            };
            // Directions may cancel.
            if size > 0.0 {
                code.zip_mut_with(&sums, |e, s| *e = T::from_f64((s + hold * e.to_f64()) / size));
            }
        });
        for (row, sums) in next.sums.rows().into_iter().enumerate() {
            if let Some(&value) = sums.iter().find(|v| !v.is_finite()) {
                return Err(Error::Row { argument: "sums", row, value, must: "finite" });
            }
        }
        codebook.set_codes(codes)?;
        *self = next;
        Ok(())
    }

    /// Makes the averages of one code agree with its present value, as after a revival: Nₖ = 1, mₖ = eₖ (under the cosine metric its
    /// direction).
    pub(crate) fn reset<T: Compute>(&mut self, codebook: &Codebook<T>, index: usize) {
        let code: Vec<f64> = codebook.code(index).iter().map(|v| v.to_f64()).collect();
        let norm = match codebook.metric() {
            Metric::SquaredEuclidean => 1.0,
            Metric::Cosine => norm(code.iter().copied()),
        };
        self.sizes[index] = 1.0;
        self.sums.row_mut(index).iter_mut().zip(&code).for_each(|(to, v)| *to = v / norm);
    }

    /// As [`reset`](Self::reset) of both, each with half of the size of code `from`.
    pub(crate) fn split<T: Compute>(&mut self, codebook: &Codebook<T>, from: usize, to: usize) {
        let half = 0.5 * self.sizes[from];
        for index in [from, to] {
            self.reset(codebook, index);
            self.sizes[index] = half;
            self.sums.row_mut(index).mapv_inplace(|v| v * half);
        }
    }
}

fn norm(v: impl Iterator<Item = f64>) -> f64 {
    v.map(|v| v * v).sum::<f64>().sqrt()
}

/// What a file may hold, before it is checked.
#[cfg(feature = "serde")]
mod stored {
    use super::Smoothing;
    use crate::error::Error;
    use ndarray::{Array1, Array2};

    #[derive(serde::Deserialize)]
    pub(super) struct Ema {
        decay: f64,
        smoothing: Smoothing,
        sizes: Array1<f64>,
        sums: Array2<f64>,
    }

    impl TryFrom<Ema> for super::Ema {
        type Error = Error;

        fn try_from(Ema { decay, smoothing, sizes, sums }: Ema) -> Result<Self, Error> {
            Self::from_averages(decay, smoothing, sizes, sums)
        }
    }
}
