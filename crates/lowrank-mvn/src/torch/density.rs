//! Log-density, Mahalanobis distance, determinant, entropy.

use ndarray::{Array1, ArrayView2};
use tch::{Kind, Tensor};
use variata_distributions::Error;
use variata_distributions::special::HALF_LOG_TWO_PI;
use variata_distributions::torch::support::same_size;
use variata_torch_bridge::{check_floating, tensor_from_array};

use super::LowRankMvn;
use super::basis::{Basis, squares};
use super::native::{Kernel, Native, TensorElement, in_place, of_point};
use crate::LowRankMvnGrad;

/// Which number of an item.
#[derive(Clone, Copy)]
enum Quantity {
    LogProb,
    Mahalanobis,
}

/// Value, gradient in the point, gradients in the parameters.
type AtPoint = (Array1<f64>, Option<(Tensor, [Option<Tensor>; 3])>);

struct Density {
    quantity: Quantity,
    with_grad: bool,
}

impl Kernel<AtPoint> for Density {
    fn run<F: TensorElement>(self, p: &Native<'_, F>, x: ArrayView2<'_, F>) -> Result<AtPoint, Error> {
        let (value, grad) = match (self.quantity, self.with_grad) {
            (Quantity::LogProb, false) => return Ok((p.log_prob(&x)?, None)),
            (Quantity::Mahalanobis, false) => return Ok((p.mahalanobis(&x)?, None)),
            (Quantity::LogProb, true) => p.log_prob_with_grad(&x)?,
            (Quantity::Mahalanobis, true) => p.mahalanobis_with_grad(&x)?,
        };
        Ok((value, Some(of_point(grad)?)))
    }
}

/// Value, gradients in the parameters.
type OfItem = (Array1<f64>, [Option<Tensor>; 3]);

fn of_item<F: TensorElement>(grad: LowRankMvnGrad<F>) -> Result<[Option<Tensor>; 3], Error> {
    Ok([None, Some(in_place(grad.cov_factor)?), Some(tensor_from_array(grad.cov_diag)?)])
}

struct Entropy {
    with_grad: bool,
}

impl Kernel<OfItem> for Entropy {
    fn run<F: TensorElement>(self, p: &Native<'_, F>, _: ArrayView2<'_, F>) -> Result<OfItem, Error> {
        if !self.with_grad {
            return Ok((p.entropy()?, [None, None, None]));
        }
        let (value, grad) = p.entropy_with_grad()?;
        Ok((value, of_item(grad)?))
    }
}

struct Both;

impl Kernel<(AtPoint, OfItem)> for Both {
    fn run<F: TensorElement>(
        self,
        p: &Native<'_, F>,
        x: ArrayView2<'_, F>,
    ) -> Result<(AtPoint, OfItem), Error> {
        let both = p.log_prob_and_entropy_with_grad(&x)?;
        Ok((
            (both.log_prob, Some(of_point(both.log_prob_grad)?)),
            (both.entropy, of_item(both.entropy_grad)?),
        ))
    }
}

impl LowRankMvn {
    /// Log-density of each row of `x` [batch, n] → `[batch]`, f64. Formula: [`crate::LowRankMvn::log_prob`].
    ///
    /// # Errors
    /// `x` has another shape, is not dense and floating-point, or lies on another device; the covariance of a CPU tensor is
    /// singular.
    pub fn log_prob(&self, x: &Tensor) -> Result<Tensor, Error> {
        match self.at_point("LowRankMvn::log_prob", x, Quantity::LogProb)? {
            Some(value) => Ok(value),
            None => self.density(x),
        }
    }

    /// [`log_prob`](Self::log_prob) as tensor operations: any device, any derivative order.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob), but for singular covariances, whose densities are not numbers.
    pub fn log_prob_composed(&self, x: &Tensor) -> Result<Tensor, Error> {
        self.check("x", x)?;
        self.density(x)
    }

    /// Squared Mahalanobis distance of each row of `x` [batch, n] → `[batch]`, f64.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn mahalanobis(&self, x: &Tensor) -> Result<Tensor, Error> {
        match self.at_point("LowRankMvn::mahalanobis", x, Quantity::Mahalanobis)? {
            Some(value) => Ok(value),
            None => self.distance(x),
        }
    }

    /// [`mahalanobis`](Self::mahalanobis) as tensor operations: any device, any derivative order.
    ///
    /// # Errors
    /// As [`log_prob_composed`](Self::log_prob_composed).
    pub fn mahalanobis_composed(&self, x: &Tensor) -> Result<Tensor, Error> {
        self.check("x", x)?;
        self.distance(x)
    }

    /// log |Σ| of each item → `[batch]`, f64.
    ///
    /// # Errors
    /// The covariance of a CPU tensor is singular.
    pub fn log_det(&self) -> Result<Tensor, Error> {
        Ok((self.entropy()? - self.dim() as f64 * (HALF_LOG_TWO_PI + 0.5)) * 2.0)
    }

    /// Differential entropy of each item → `[batch]`, f64.
    ///
    /// # Errors
    /// As [`log_det`](Self::log_det).
    pub fn entropy(&self) -> Result<Tensor, Error> {
        let with_grad = self.differentiable(None);
        match self.with_native(None, Entropy { with_grad })? {
            Some((value, grads)) => {
                self.attach("LowRankMvn::entropy", tensor_from_array(value)?, grads, Vec::new())
            }
            None => self.entropy_composed(),
        }
    }

    /// [`entropy`](Self::entropy) as tensor operations: any device, any derivative order.
    ///
    /// # Errors
    /// libtorch refuses.
    pub fn entropy_composed(&self) -> Result<Tensor, Error> {
        Ok(self.entropy_of(&self.determinant(&self.basis()?)))
    }

    /// Log-density at `x` [batch, n] and entropy, each `[batch]`, f64, from one factorisation: what a training step needs that
    /// holds the entropy at a target (SOS-VAE paper, section 3).
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn log_prob_and_entropy(&self, x: &Tensor) -> Result<(Tensor, Tensor), Error> {
        self.check("x", x)?;
        if !self.differentiable(Some(x)) {
            return Ok((self.log_prob(x)?, self.entropy()?));
        }
        let Some(((log_prob, slopes), (entropy, of_entropy))) = self.with_native(Some(x), Both)? else {
            let (q, log_det) = self.terms(x)?;
            return Ok((self.log_density(&q, &log_det), self.entropy_of(&log_det)));
        };
        let log_prob = self.attach_point("LowRankMvn::log_prob", x, (log_prob, slopes))?;
        let entropy =
            self.attach("LowRankMvn::entropy", tensor_from_array(entropy)?, of_entropy, Vec::new())?;
        Ok((log_prob, entropy))
    }

    pub(super) fn check(&self, argument: &'static str, x: &Tensor) -> Result<(), Error> {
        check_floating(&[("loc", &self.loc), (argument, x)])?;
        same_size(argument, x, &self.shape[..2])
    }

    fn at_point(&self, name: &str, x: &Tensor, quantity: Quantity) -> Result<Option<Tensor>, Error> {
        self.check("x", x)?;
        let with_grad = self.differentiable(Some(x));
        self.with_native(Some(x), Density { quantity, with_grad })?
            .map(|found| self.attach_point(name, x, found))
            .transpose()
    }

    fn attach_point(&self, name: &str, x: &Tensor, (value, grads): AtPoint) -> Result<Tensor, Error> {
        let value = tensor_from_array(value)?;
        match grads {
            None => Ok(value),
            Some((of_x, own)) => self.attach(name, value, own, vec![(x, of_x)]),
        }
    }

    /// D^-½(x − μ) as a column.
    fn whitened(&self, x: &Tensor) -> Tensor {
        (self.gap(x) / self.variances().sqrt()).unsqueeze(-1)
    }

    fn distance(&self, x: &Tensor) -> Result<Tensor, Error> {
        Ok(squares(&self.basis()?.rest(&self.whitened(x))?))
    }

    fn density(&self, x: &Tensor) -> Result<Tensor, Error> {
        let (q, log_det) = self.terms(x)?;
        Ok(self.log_density(&q, &log_det))
    }

    /// Squared distance and log-determinant.
    fn terms(&self, x: &Tensor) -> Result<(Tensor, Tensor), Error> {
        let basis = self.basis()?;
        Ok((squares(&basis.rest(&self.whitened(x))?), self.determinant(&basis)))
    }

    fn determinant(&self, basis: &Basis) -> Tensor {
        &basis.log_det + self.variances().log().sum_dim_intlist(-1, false, Kind::Double)
    }

    fn log_density(&self, q: &Tensor, log_det: &Tensor) -> Tensor {
        (q + log_det) * -0.5 - self.dim() as f64 * HALF_LOG_TWO_PI
    }

    fn entropy_of(&self, log_det: &Tensor) -> Tensor {
        log_det * 0.5 + self.dim() as f64 * (HALF_LOG_TWO_PI + 0.5)
    }
}
