//! The tensor home: the same class on `tch::Tensor`, differentiable, on the CPU or a GPU.
//!
//! Densities, divergences and samples of plain CPU tensors come from the native kernels, with their closed-form gradients;
//! elsewhere, and in the `_composed` forms, from tensor operations that autograd differentiates to any order. These work in
//! f64 on an orthonormal basis of the factor's columns, so that they keep their digits where the textbook's form of
//! Woodbury's identity loses them. Shapes, kinds and devices are checked; values are not, and a NaN propagates.
//!
//! Errors are those of [`variata_distributions::Error`], which has libtorch's among them.

mod basis;
mod condition;
mod density;
mod kl;
mod native;
mod products;
mod sampling;
mod sparse_precision;

use tch::{Kind, Tensor};
use variata_distributions::torch::support::{signed, size};
use variata_distributions::{ArgumentError, Error};
use variata_torch_bridge::check_floating;

pub use condition::Posterior;
pub use native::TensorElement;
pub use sparse_precision::SparsePrecisionNormal;

use basis::Basis;

/// Tensor form of [`crate::LowRankMvn`], which gives the formulas.
///
/// `loc` [batch, n], `cov_factor` [batch, n, r], `cov_diag` a number, `[n]` or [batch, n]. Strides do not matter: a
/// convolutional head's [batch, r, n] is `transpose(1, 2)`.
#[derive(Debug)]
pub struct LowRankMvn {
    loc: Tensor,
    cov_factor: Tensor,
    cov_diag: Tensor,
    shape: [usize; 3],
}

impl LowRankMvn {
    /// From location, factor and diagonal.
    ///
    /// # Errors
    /// A tensor is not dense and floating-point, the devices differ, or wrong shapes.
    ///
    /// ```
    /// use variata_lowrank_mvn::torch::LowRankMvn;
    /// use variata_torch_bridge::tch::{Device, Kind, Tensor};
    ///
    /// let cpu = (Kind::Double, Device::Cpu);
    /// let factor = (Tensor::ones([1, 3, 2], cpu) * 2.0).set_requires_grad(true);
    /// let p = LowRankMvn::new(Tensor::zeros([1, 3], cpu), factor.shallow_clone(), Tensor::from(1e-8))?;
    /// let log_prob = p.log_prob(&Tensor::ones([1, 3], cpu))?;
    /// log_prob.sum(Kind::Double).backward();
    /// assert_eq!(factor.grad().size(), [1, 3, 2]);
    /// # Ok::<(), variata_distributions::Error>(())
    /// ```
    pub fn new(loc: Tensor, cov_factor: Tensor, cov_diag: Tensor) -> Result<Self, Error> {
        check_floating(&[("loc", &loc), ("cov_factor", &cov_factor), ("cov_diag", &cov_diag)])?;
        let wrong = |argument, got, want: String| Error::from(ArgumentError::Shape { argument, got, want });
        let [batch, n] =
            <[usize; 2]>::try_from(size(&loc)).map_err(|got| wrong("loc", got, "[batch, n]".to_owned()))?;
        let found = size(&cov_factor);
        let rank = match found[..] {
            [b, rows, rank] if (b, rows) == (batch, n) => rank,
            _ => return Err(wrong("cov_factor", found, format!("[{batch}, {n}, rank]"))),
        };
        let found = size(&cov_diag);
        if !(found.is_empty() || found == [n] || found == [batch, n]) {
            return Err(wrong("cov_diag", found, format!("[], [{n}] or [{batch}, {n}]")));
        }
        Ok(Self { loc, cov_factor, cov_diag, shape: [batch, n, rank] })
    }

    /// Number of distributions.
    pub fn batch(&self) -> usize {
        self.shape[0]
    }

    /// Number of dimensions n.
    pub fn dim(&self) -> usize {
        self.shape[1]
    }

    /// Number of columns r of the factor.
    pub fn rank(&self) -> usize {
        self.shape[2]
    }

    /// The location, [batch, n].
    pub fn loc(&self) -> &Tensor {
        &self.loc
    }

    /// The factor P, [batch, n, r].
    pub fn cov_factor(&self) -> &Tensor {
        &self.cov_factor
    }

    /// The diagonal D, as given.
    pub fn cov_diag(&self) -> &Tensor {
        &self.cov_diag
    }

    /// Mean: the location.
    pub fn mean(&self) -> Tensor {
        self.loc.shallow_clone()
    }

    /// Variance of each dimension, [batch, n], f64.
    pub fn variance(&self) -> Tensor {
        self.factor().square().sum_dim_intlist(-1, false, Kind::Double) + self.variances()
    }

    /// The diagonal, [batch, n], in its own kind.
    fn spread(&self) -> Tensor {
        self.cov_diag.expand(signed(&self.shape[..2]), true)
    }

    /// The diagonal in f64, [batch, n].
    fn variances(&self) -> Tensor {
        self.spread().to_kind(Kind::Double)
    }

    /// The factor in f64.
    fn factor(&self) -> Tensor {
        self.cov_factor.to_kind(Kind::Double)
    }

    /// x − μ in f64.
    fn gap(&self, x: &Tensor) -> Tensor {
        x.to_kind(Kind::Double) - self.loc.to_kind(Kind::Double)
    }

    /// The orthonormal basis of the columns of [D^-½P; I].
    fn basis(&self) -> Result<Basis, Error> {
        Basis::of(&(self.factor() / self.variances().sqrt().unsqueeze(-1)))
    }
}
