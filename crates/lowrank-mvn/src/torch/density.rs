//! Log-density, Mahalanobis distance, determinant, entropy.

use ndarray::{Array1, Array2, ArrayD, ArrayView2};
use tch::{Kind, Tensor};
use variata_distributions::Error;
use variata_distributions::special::HALF_LOG_TWO_PI;
use variata_distributions::torch::support::same_size;
use variata_torch_bridge::{Error as Refused, Saved, attach_backward, check_floating, tensor_from_array};

use super::LowRankMvn;
use super::basis::{Basis, squares};
use super::native::{Kernel, Native, TensorElement, in_place};
use crate::density::Evaluated;
use crate::factorisation::{Factorised, Solution};
use crate::slopes::{LOG_PROB, MAHALANOBIS, Parts};
use crate::{LowRankMvnEntropyGrad, LowRankMvnLogProbGrad};

/// Which numbers of an item.
#[derive(Debug, Clone, Copy)]
enum Quantity {
    LogProb,
    Mahalanobis,
    /// Log-density and entropy, [2, batch].
    Both,
}

impl Quantity {
    fn name(self) -> &'static str {
        match self {
            Self::LogProb => "LowRankMvn::log_prob",
            Self::Mahalanobis => "LowRankMvn::mahalanobis",
            Self::Both => "LowRankMvn::log_prob_and_entropy",
        }
    }

    /// What upstream gradients make of the parts of the gradient.
    fn parts(self, upstream: &[f64]) -> Vec<Parts> {
        let scaled =
            |Parts { outer, inner }: Parts| move |u: &f64| Parts { outer: u * outer, inner: u * inner };
        match self {
            Self::LogProb => upstream.iter().map(scaled(LOG_PROB)).collect(),
            Self::Mahalanobis => upstream.iter().map(scaled(MAHALANOBIS)).collect(),
            Self::Both => {
                let (of_density, of_entropy) = upstream.split_at(upstream.len() / 2);
                of_density.iter().zip(of_entropy).map(|(u, v)| Parts { outer: *u, inner: v - u }).collect()
            }
        }
    }
}

/// Values at a point, and what they were made of.
struct Values(Quantity);

impl Kernel<(Evaluated, ArrayD<f64>)> for Values {
    fn run<F: TensorElement>(
        self,
        p: &Native<'_, F>,
        x: ArrayView2<'_, F>,
    ) -> Result<(Evaluated, ArrayD<f64>), Error> {
        let evaluated = p.evaluate(&x)?;
        let value = match self.0 {
            Quantity::LogProb => p.log_densities(&evaluated).into_dyn(),
            Quantity::Mahalanobis => Array1::from(evaluated.q.clone()).into_dyn(),
            Quantity::Both => {
                let rows = [p.log_densities(&evaluated), p.entropies(&evaluated.found)];
                Array2::from_shape_fn((2, p.batch()), |(k, b)| rows[k][b]).into_dyn()
            }
        };
        Ok((evaluated, value))
    }
}

/// Gradients at a point: in it, and in the parameters.
struct Slopes<'e> {
    evaluated: &'e Evaluated,
    parts: Vec<Parts>,
}

impl Kernel<[Tensor; 4]> for Slopes<'_> {
    fn run<F: TensorElement>(self, p: &Native<'_, F>, x: ArrayView2<'_, F>) -> Result<[Tensor; 4], Error> {
        let mut grad = LowRankMvnLogProbGrad::zeros(p);
        p.slopes_from(&x, &self.evaluated.found, &self.parts, &mut grad, None);
        let LowRankMvnLogProbGrad { x, loc, cov_factor, cov_diag } = grad;
        Ok([
            tensor_from_array(x)?,
            tensor_from_array(loc)?,
            in_place(cov_factor)?,
            tensor_from_array(cov_diag)?,
        ])
    }
}

/// Entropies, and what they were made of.
struct Entropies;

impl Kernel<(Vec<(Factorised, Solution)>, Array1<f64>)> for Entropies {
    fn run<F: TensorElement>(
        self,
        p: &Native<'_, F>,
        _: ArrayView2<'_, F>,
    ) -> Result<(Vec<(Factorised, Solution)>, Array1<f64>), Error> {
        let found = p.factorise(None)?;
        let value = p.entropies(&found);
        Ok((found, value))
    }
}

/// Gradients of entropies.
struct EntropySlopes<'e> {
    found: &'e [(Factorised, Solution)],
    parts: Vec<Parts>,
}

impl Kernel<[Tensor; 2]> for EntropySlopes<'_> {
    fn run<F: TensorElement>(self, p: &Native<'_, F>, _: ArrayView2<'_, F>) -> Result<[Tensor; 2], Error> {
        let LowRankMvnEntropyGrad { cov_factor, cov_diag } = p.entropy_gradient_from(self.found, &self.parts);
        Ok([in_place(cov_factor)?, tensor_from_array(cov_diag)?])
    }
}

/// The parameters, for a backward pass.
struct SavedParameters {
    parameters: [Saved; 3],
    shape: [usize; 3],
}

impl SavedParameters {
    fn restored(&self) -> Result<LowRankMvn, Refused> {
        let [loc, cov_factor, cov_diag] = &self.parameters;
        Ok(LowRankMvn {
            loc: loc.get()?.shallow_clone(),
            cov_factor: cov_factor.get()?.shallow_clone(),
            cov_diag: cov_diag.get()?.shallow_clone(),
            shape: self.shape,
        })
    }
}

/// Upstream gradients, one after the other.
fn numbers(upstream: &Tensor) -> Result<Vec<f64>, Refused> {
    Ok(Vec::try_from(upstream.f_to_kind(Kind::Double)?.f_reshape([-1])?)?)
}

/// What the native home gives in a backward pass; it has accepted the same numbers in the forward pass.
fn given<R>(found: Result<Option<R>, Error>) -> Result<R, Refused> {
    match found {
        Ok(Some(found)) => Ok(found),
        Ok(None) => {
            Err(Refused::Torch { message: "a parameter changed between value and gradient".to_owned() })
        }
        Err(Error::Tensor(error)) => Err(error),
        Err(other) => Err(Refused::Torch { message: other.to_string() }),
    }
}

impl LowRankMvn {
    /// Log-density of each row of `x` [batch, n] → `[batch]`, f64. Formula: [`crate::LowRankMvn::log_prob`].
    ///
    /// # Errors
    /// `x` has another shape, is not dense and floating-point, or lies on another device; the covariance of a CPU tensor is
    /// singular.
    pub fn log_prob(&self, x: &Tensor) -> Result<Tensor, Error> {
        match self.at_point(x, Quantity::LogProb)? {
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
        match self.at_point(x, Quantity::Mahalanobis)? {
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
        let Some((found, value)) = self.with_native(None, Entropies)? else { return self.entropy_composed() };
        let value = tensor_from_array(value)?;
        let (saved, spread) = (self.saved(), self.spread());
        let inputs = [&self.cov_factor, &spread];
        let needed = inputs.map(Tensor::requires_grad);
        Ok(attach_backward("LowRankMvn::entropy", value, &inputs, move |upstream| {
            let parts = numbers(upstream)?.iter().map(|v| Parts { outer: 0.0, inner: *v }).collect();
            let p = saved.restored()?;
            let grads = given(p.with_native(None, EntropySlopes { found: &found, parts }))?;
            Ok(grads.into_iter().zip(needed).map(|(grad, needed)| needed.then_some(grad)).collect())
        })?)
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
        if let Some(both) = self.at_point(x, Quantity::Both)? {
            return Ok((both.get(0), both.get(1)));
        }
        let (q, log_det) = self.terms(x)?;
        Ok((self.log_density(&q, &log_det), self.entropy_of(&log_det)))
    }

    pub(super) fn check(&self, argument: &'static str, x: &Tensor) -> Result<(), Error> {
        check_floating(&[("loc", &self.loc), (argument, x)])?;
        same_size(argument, x, &self.shape[..2])
    }

    /// By the native kernel, where it applies. The backward pass is the kernel's second pass, from what the first has found.
    fn at_point(&self, x: &Tensor, quantity: Quantity) -> Result<Option<Tensor>, Error> {
        self.check("x", x)?;
        let Some((evaluated, value)) = self.with_native(Some(x), Values(quantity))? else { return Ok(None) };
        let value = tensor_from_array(value)?;
        let (saved, of_x, spread) = (self.saved(), Saved::new("x", x), self.spread());
        let inputs = [x, &self.loc, &self.cov_factor, &spread];
        let needed = inputs.map(Tensor::requires_grad);
        let value = attach_backward(quantity.name(), value, &inputs, move |upstream| {
            let parts = quantity.parts(&numbers(upstream)?);
            let p = saved.restored()?;
            let grads = given(p.with_native(Some(of_x.get()?), Slopes { evaluated: &evaluated, parts }))?;
            Ok(grads.into_iter().zip(needed).map(|(grad, needed)| needed.then_some(grad)).collect())
        })?;
        Ok(Some(value))
    }

    fn saved(&self) -> SavedParameters {
        let parameters = self.named().map(|(name, tensor)| Saved::new(name, tensor));
        SavedParameters { parameters, shape: self.shape }
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
