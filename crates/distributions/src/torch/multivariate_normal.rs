//! Normal with a dense covariance, on tensors.

use ndarray::{Array3, ArrayViewD, Ix3};
use tch::{Kind, Tensor};
use variata_torch_bridge::{Element, Route, check_floating, no_grad, route};

use super::diagonal_normal::{DiagonalNormal, matrix};
use super::evaluate::{attached, refused, same_size, size, wanted};
use super::math::{log1pmx, over_sigma, select};
use super::team::lend_all;
use crate::multivariate_normal::unreversed;
use crate::special::HALF_LOG_TWO_PI;
use crate::{ArgumentError, Error, Real, SpreadKind, check};

/// Tensor form of [`crate::MultivariateNormal`], which gives the formulas and shapes.
///
/// The factor is held in f64. Values are checked only where a factorisation finds a matrix indefinite; a diagonal of the
/// factor that is not > 0 and a NaN propagate.
#[derive(Debug)]
pub struct MultivariateNormal {
    loc: Tensor,
    scale_tril: Tensor,
    shape: [usize; 2],
}

impl MultivariateNormal {
    /// From location [batch, n] and lower-triangular factor [batch, n, n], of which the upper triangle is not read.
    ///
    /// # Errors
    /// A tensor is not dense and floating-point, the devices differ, or wrong shapes.
    ///
    /// ```
    /// use variata_distributions::torch::MultivariateNormal;
    /// use variata_torch_bridge::tch::{Device, Kind, Tensor};
    ///
    /// let eye = Tensor::eye(2, (Kind::Double, Device::Cpu)).unsqueeze(0);
    /// let p = MultivariateNormal::new(Tensor::zeros([1, 2], (Kind::Double, Device::Cpu)), &eye)?;
    /// let x = Tensor::from_slice(&[3f64, 4.0]).view([1, 2]);
    /// assert_eq!(p.mahalanobis(&x)?.double_value(&[0]), 25.0);
    /// # Ok::<(), variata_distributions::Error>(())
    /// ```
    pub fn new(loc: Tensor, scale_tril: &Tensor) -> Result<Self, Error> {
        let shape = check_shapes(&loc, "scale_tril", scale_tril)?;
        Ok(Self { loc, scale_tril: scale_tril.to_kind(Kind::Double).tril(0), shape })
    }

    /// From location [batch, n] and covariance [batch, n, n], of which the lower triangle is read.
    ///
    /// # Errors
    /// As [`new`](Self::new), and [`Error::NotPositiveDefinite`].
    pub fn from_covariance(loc: Tensor, covariance: &Tensor) -> Result<Self, Error> {
        let shape = check_shapes(&loc, "covariance", covariance)?;
        let scale_tril = cholesky("covariance", &covariance.to_kind(Kind::Double), false)?;
        Ok(Self { loc, scale_tril, shape })
    }

    /// From location [batch, n] and precision (inverse covariance) [batch, n, n], of which the lower triangle is read.
    ///
    /// # Errors
    /// As [`from_covariance`](Self::from_covariance).
    pub fn from_precision(loc: Tensor, precision: &Tensor) -> Result<Self, Error> {
        let shape = check_shapes(&loc, "precision", precision)?;
        // Cholesky of the matrix with both axes reversed gives U reversed, of precision = U·Uᵀ; the factor is U⁻ᵀ.
        // The lower triangle is then the upper one, which LAPACK reads for Uᵀ's sake; it gives Lᵀ.
        let reversed = cholesky("precision", &precision.to_kind(Kind::Double).flip([-2, -1]), true)
            .map_err(|e| unreversed(e, shape[1]))?;
        let ut = reversed.flip([-2, -1]);
        let eye = Tensor::eye(shape[1] as i64, (Kind::Double, loc.device())).expand_as(&ut);
        let scale_tril = ut.f_linalg_solve_triangular(&eye, false, true, false).map_err(refused)?;
        Ok(Self { loc, scale_tril, shape })
    }

    /// Number of distributions.
    pub fn batch(&self) -> usize {
        self.shape[0]
    }

    /// Number of dimensions n.
    pub fn dim(&self) -> usize {
        self.shape[1]
    }

    /// The location, [batch, n].
    pub fn loc(&self) -> &Tensor {
        &self.loc
    }

    /// The factor L, [batch, n, n], in f64.
    pub fn scale_tril(&self) -> &Tensor {
        &self.scale_tril
    }

    /// Squared Mahalanobis distance of each row of `x` [batch, n] → `[batch]`, f64.
    ///
    /// # Errors
    /// `x` has another shape, is not dense and floating-point, or lies on another device.
    pub fn mahalanobis(&self, x: &Tensor) -> Result<Tensor, Error> {
        self.check("x", x)?;
        Ok(self.standardised(x)?.square().sum_dim_intlist(-1, false, Kind::Double))
    }

    /// Log-density of each row of `x` [batch, n] → `[batch]`, f64. At ±∞, where the native form is −∞, it may be NaN.
    ///
    /// # Errors
    /// As [`mahalanobis`](Self::mahalanobis).
    pub fn log_prob(&self, x: &Tensor) -> Result<Tensor, Error> {
        let log_det = self.diagonal().log().sum_dim_intlist(-1, false, Kind::Double);
        Ok(self.mahalanobis(x)? * -0.5 - log_det - self.dim() as f64 * HALF_LOG_TWO_PI)
    }

    /// Differential entropy of each item → `[batch]`, f64.
    pub fn entropy(&self) -> Tensor {
        (self.diagonal().log() + (HALF_LOG_TWO_PI + 0.5)).sum_dim_intlist(-1, false, Kind::Double)
    }

    /// Mean: the location.
    pub fn mean(&self) -> Tensor {
        self.loc.shallow_clone()
    }

    /// Variance of each dimension, [batch, n], f64.
    pub fn variance(&self) -> Tensor {
        self.scale_tril.square().sum_dim_intlist(-1, false, Kind::Double)
    }

    /// L·Lᵀ, [batch, n, n], f64.
    pub fn covariance_matrix(&self) -> Tensor {
        self.scale_tril.matmul(&self.scale_tril.transpose(-2, -1))
    }

    /// L⁻ᵀL⁻¹, [batch, n, n], f64.
    ///
    /// # Errors
    /// The diagonal of the factor holds a 0.
    pub fn precision_matrix(&self) -> Result<Tensor, Error> {
        let eye =
            Tensor::eye(self.dim() as i64, (Kind::Double, self.loc.device())).expand_as(&self.scale_tril);
        let inverse = solve(&self.scale_tril, &eye)?;
        Ok(inverse.transpose(-2, -1).matmul(&inverse))
    }

    /// `loc + L·noise`, with noise [batch, n] of N(0, 1), in the kind of `loc`.
    ///
    /// # Errors
    /// As [`mahalanobis`](Self::mahalanobis), for `noise`.
    pub fn rsample(&self, noise: &Tensor) -> Result<Tensor, Error> {
        self.check("noise", noise)?;
        let shift = self.scale_tril.matmul(&noise.to_kind(Kind::Double).unsqueeze(-1)).squeeze_dim(-1);
        Ok((self.loc.to_kind(Kind::Double) + shift).to_kind(self.loc.kind()))
    }

    /// One draw of each distribution, [batch, n], without a gradient, from libtorch's generator.
    ///
    /// # Errors
    /// libtorch refuses.
    pub fn sample(&self) -> Result<Tensor, Error> {
        no_grad(|| self.rsample(&Tensor::randn(self.loc.size(), (Kind::Double, self.loc.device()))))
    }

    fn check(&self, argument: &'static str, x: &Tensor) -> Result<(), Error> {
        check_floating(&[("loc", &self.loc), (argument, x)])?;
        same_size(argument, x, &self.shape)
    }

    fn diagonal(&self) -> Tensor {
        self.scale_tril.diagonal(0, -2, -1)
    }

    /// L⁻¹(x − μ).
    fn standardised(&self, x: &Tensor) -> Result<Tensor, Error> {
        let gap = x.to_kind(Kind::Double) - self.loc.to_kind(Kind::Double);
        Ok(solve(&self.scale_tril, &gap.unsqueeze(-1))?.squeeze_dim(-1))
    }
}

/// L⁻¹B.
fn solve(factor: &Tensor, b: &Tensor) -> Result<Tensor, Error> {
    factor.f_linalg_solve_triangular(b, false, true, false).map_err(refused)
}

fn check_shapes(loc: &Tensor, argument: &'static str, square: &Tensor) -> Result<[usize; 2], Error> {
    check_floating(&[("loc", loc), (argument, square)])?;
    let shape = <[usize; 2]>::try_from(size(loc)).map_err(|got| ArgumentError::Shape {
        argument: "loc",
        got,
        want: "[batch, n]".to_owned(),
    })?;
    same_size(argument, square, &[shape[0], shape[1], shape[1]])?;
    Ok(shape)
}

/// Lower factor of each item, or `upper` its transpose from the upper triangle; names the first item and pivot that fail.
fn cholesky(argument: &'static str, square: &Tensor, upper: bool) -> Result<Tensor, Error> {
    let (factor, info) = square.f_linalg_cholesky_ex(upper, false).map_err(refused)?;
    let info: Vec<i64> = Vec::try_from(info.to_kind(Kind::Int64).reshape(-1)).map_err(refused)?;
    match info.iter().position(|&i| i != 0) {
        None => Ok(factor),
        Some(batch) => {
            // LAPACK reports the order of the first leading minor that is not positive.
            let pivot = usize::try_from(info[batch] - 1).unwrap_or(0);
            Err(Error::NotPositiveDefinite { argument, batch, pivot, value: f64::NAN })
        }
    }
}

/// One side of a divergence: location and factor, in f64.
pub(super) struct Side {
    loc: Tensor,
    factor: Tensor,
    /// Of a diagonal factor that was given by it.
    log_variance: Option<Tensor>,
    shape: [usize; 2],
}

impl Side {
    /// Log of the factor's diagonal.
    fn log_diagonal(&self) -> Tensor {
        self.log_variance.as_ref().map_or_else(|| self.factor.diagonal(0, -2, -1).log(), |s| s * 0.5)
    }
}

impl From<&MultivariateNormal> for Side {
    fn from(p: &MultivariateNormal) -> Self {
        let loc = p.loc.to_kind(Kind::Double);
        Self { loc, factor: p.scale_tril.shallow_clone(), log_variance: None, shape: p.shape }
    }
}

impl From<&DiagonalNormal> for Side {
    fn from(p: &DiagonalNormal) -> Self {
        let loc = p.loc().to_kind(Kind::Double);
        let log_variance =
            (p.spread_kind() == SpreadKind::LogVariance).then(|| p.spread().to_kind(Kind::Double));
        Self { loc, factor: p.sigma().diag_embed(0, -2, -1), log_variance, shape: [p.batch(), p.dim()] }
    }
}

fn check_pair(p: &Side, q: &Side) -> Result<(), Error> {
    check_floating(&[("p.loc", &p.loc), ("q.loc", &q.loc)])?;
    Ok(check::shape("q", &q.shape, &p.shape)?)
}

/// KL of two dense normals, by the native kernel where it applies.
pub(super) fn kl_dense(p: &Side, q: &Side) -> Result<Tensor, Error> {
    check_pair(p, q)?;
    match route(&[&p.loc, &p.factor, &q.loc, &q.factor], &[]) {
        Route::Native => match dense_native::<f64>(p, q)? {
            Some(value) => Ok(value),
            None => dense_composed(p, q),
        },
        Route::Composed => dense_composed(p, q),
    }
}

/// [`kl_dense`] as tensor operations.
pub(super) fn kl_dense_composed(p: &Side, q: &Side) -> Result<Tensor, Error> {
    check_pair(p, q)?;
    dense_composed(p, q)
}

fn dense_composed(p: &Side, q: &Side) -> Result<Tensor, Error> {
    let (e, w) = match (&p.log_variance, &q.log_variance) {
        (_, Some(s)) => over_diagonal(p, q, s),
        (Some(s), None) => of_diagonal(p, q, s)?,
        (None, None) => {
            let e = solve(&q.factor, &(&p.factor - &q.factor))?;
            (e, solve(&q.factor, &(&p.loc - &q.loc).unsqueeze(-1))?)
        }
    };
    let squares = e.square().sum_dim_intlist([-2i64, -1].as_slice(), false, Kind::Double)
        + w.square().sum_dim_intlist([-2i64, -1].as_slice(), false, Kind::Double);
    // Towards −1 the sum 1 + E has lost the digits of a ratio that is small, and E may be infinite.
    let excess = e.diagonal(0, -2, -1);
    let far = excess.lt(-0.5).logical_or(&excess.gt(1.0));
    let by_logs = p.log_diagonal() - q.log_diagonal() - &excess;
    let logs = select(&far, &by_logs, &log1pmx(&excess.masked_fill(&far, 0.0)));
    Ok(squares * 0.5 - logs.sum_dim_intlist(-1, false, Kind::Double))
}

/// Where σ or 1/σ is no number, and the log-variance there and elsewhere, with 0 in place of the other.
fn split(log_variance: &Tensor) -> (Tensor, Tensor, Tensor) {
    let far = log_variance.abs().ge(1400.0);
    let (there, here) =
        (log_variance.masked_fill(&far.logical_not(), 0.0), log_variance.masked_fill(&far, 0.0));
    (far, there, here)
}

/// E and w for L_q = diag(σ), by rows.
fn over_diagonal(p: &Side, q: &Side, log_variance: &Tensor) -> (Tensor, Tensor) {
    let (far, there, here) = split(&log_variance.unsqueeze(-1));
    let sigma = (here * 0.5).exp();
    let own = sigma.squeeze_dim(-1).diag_embed(0, -2, -1);
    let unit = own.ones_like().tril(0).triu(0);
    let e = select(&far, &(over_sigma(&p.factor, &there) - unit), &((&p.factor - own) / sigma));
    (e, over_sigma(&(&p.loc - &q.loc).unsqueeze(-1), &log_variance.unsqueeze(-1)))
}

/// E and w for L_p = diag(σ), by columns.
fn of_diagonal(p: &Side, q: &Side, log_variance: &Tensor) -> Result<(Tensor, Tensor), Error> {
    let (far, there, here) = split(&log_variance.unsqueeze(-2));
    let own = (here * 0.5).exp().squeeze_dim(-2).diag_embed(0, -2, -1);
    let unit = own.ones_like().tril(0).triu(0);
    let stretched = over_sigma(&solve(&q.factor, &unit)?, &-there) - &unit;
    let e = select(&far, &stretched, &solve(&q.factor, &(own - &q.factor))?);
    Ok((e, solve(&q.factor, &(&p.loc - &q.loc).unsqueeze(-1))?))
}

fn dense_native<F: Real + Element>(p: &Side, q: &Side) -> Result<Option<Tensor>, Error> {
    use crate::KlDivergence;
    let inputs = [&p.loc, &p.factor, &q.loc, &q.factor];
    let wanted = wanted(&inputs);
    let names = ["p.loc", "p.scale_tril", "q.loc", "q.scale_tril"];
    let named: [_; 4] = std::array::from_fn(|i| (names[i], inputs[i]));
    let found = lend_all(named, |[a, b, c, d]: [ArrayViewD<'_, F>; 4]| {
        let (p, q) = (on_host(a, &b)?, on_host(c, &d)?);
        if !wanted {
            return p.kl(&q).map(|value| (value, Vec::new()));
        }
        let (value, grad) = p.kl_with_grad(&q)?;
        let (p, q) = (grad.p, grad.q);
        Ok((
            value,
            vec![p.loc.into_dyn(), p.scale_tril.into_dyn(), q.loc.into_dyn(), q.scale_tril.into_dyn()],
        ))
    })?;
    attached("kl of multivariate normals", found, &inputs)
}

/// The native distribution.
fn on_host<F: Real>(
    loc: ArrayViewD<'_, F>,
    factor: &ArrayViewD<'_, F>,
) -> Result<crate::MultivariateNormal<F>, Error> {
    let got = factor.shape().to_vec();
    let factor: Array3<F> = factor.to_owned().into_dimensionality::<Ix3>().map_err(|_| {
        ArgumentError::Shape { argument: "scale_tril", got, want: "[batch, n, n]".to_owned() }
    })?;
    crate::MultivariateNormal::new(matrix("loc", loc)?.to_owned(), &factor)
}
