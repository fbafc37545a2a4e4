//! The categorical distribution on tensors.

use tch::{Kind, Tensor};
use variata_torch_bridge::{check_floating, no_grad};

use super::evaluate::{asked, exponential, fits, signed, size};
use super::math::{product, select};
use crate::elementwise::broadcasts_to;
use crate::{ArgumentError, Error};

/// Tensor form of [`crate::Categorical`], which gives the formulas and shapes.
///
/// Class numbers are tensors of kind `Int64`. Runs as tensor operations in f64 on every device. No value is checked: NaN
/// and +∞ propagate, and a row of −∞ is NaN.
#[derive(Debug)]
pub struct Categorical {
    logits: Tensor,
    /// Normalised, in f64.
    log_probabilities: Tensor,
    shape: Vec<usize>,
}

impl Categorical {
    /// A batch with these logits, [batch…, K].
    ///
    /// # Errors
    /// `logits` is not dense and floating-point, or has no last axis or no class.
    ///
    /// ```
    /// use variata_distributions::torch::Categorical;
    /// use variata_torch_bridge::tch::Tensor;
    ///
    /// let p = Categorical::new(Tensor::from_slice(&[0f64, 0.0, f64::NEG_INFINITY]))?;
    /// let value = p.log_prob(&Tensor::from_slice(&[0i64, 2]))?;
    /// assert_eq!(value.double_value(&[0]), -std::f64::consts::LN_2);
    /// # Ok::<(), variata_distributions::Error>(())
    /// ```
    pub fn new(logits: Tensor) -> Result<Self, Error> {
        check_floating(&[("logits", &logits)])?;
        let shape = size(&logits);
        if shape.last().is_none_or(|&classes| classes == 0) {
            let want = "[batch.., classes] with at least one class".to_owned();
            return Err(ArgumentError::Shape { argument: "logits", got: shape, want }.into());
        }
        let log_probabilities = normalised(&logits.to_kind(Kind::Double));
        Ok(Self { logits, log_probabilities, shape })
    }

    /// The logits, as given.
    pub fn logits(&self) -> &Tensor {
        &self.logits
    }

    /// Number of classes K.
    pub fn classes(&self) -> usize {
        self.shape.last().copied().unwrap_or(0)
    }

    /// The shape of the logits without the last axis.
    pub fn batch_shape(&self) -> &[usize] {
        self.shape.split_last().map_or(&[], |(_, batch)| batch)
    }

    /// Probability of every class, [batch…, K].
    pub fn probabilities(&self) -> Tensor {
        self.round(&self.log_probabilities.exp())
    }

    /// Log-probability of class numbers, shaped like `x`; −∞ outside 0, …, K − 1.
    ///
    /// # Errors
    /// `x` is not dense and `Int64` or on another device, or the batch does not broadcast to its shape.
    pub fn log_prob(&self, x: &Tensor) -> Result<Tensor, Error> {
        self.check(x)?;
        let outside = x.lt(0).logical_or(&x.ge(self.classes() as i64));
        let at = x.masked_fill(&outside, 0).unsqueeze(-1);
        let value = self.rows(&size(x)).gather(-1, &at, false).squeeze_dim(-1);
        Ok(self.round(&value.masked_fill(&outside, f64::NEG_INFINITY)))
    }

    /// Distribution function P(X ≤ x) of class numbers.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn cdf(&self, x: &Tensor) -> Result<Tensor, Error> {
        self.check(x)?;
        let last = self.classes() as i64 - 1;
        let sums = self.rows(&size(x)).exp().cumsum(-1, Kind::Double);
        // Rounding may carry a sum beyond 1.
        let value = sums.gather(-1, &x.clamp(0, last).unsqueeze(-1), false).squeeze_dim(-1).clamp_max(1.0);
        Ok(self.round(&value.masked_fill(&x.lt(0), 0.0).masked_fill(&x.ge(last), 1.0)))
    }

    /// Quantile function: the smallest class k with P(X ≤ k) ≥ p.
    ///
    /// # Errors
    /// `p` is not dense and floating-point or on another device, or the batch does not broadcast to its shape.
    pub fn icdf(&self, p: &Tensor) -> Result<Tensor, Error> {
        check_floating(&[("logits", &self.logits), ("p", p)])?;
        fits(self.batch_shape(), ("p", p))?;
        let rows = self.rows(&size(p));
        let sums = rows.exp().cumsum(-1, Kind::Double);
        let below =
            sums.lt_tensor(&p.to_kind(Kind::Double).unsqueeze(-1)).sum_dim_intlist(-1, false, Kind::Int64);
        // Sums that rounding keeps below p: the last class that can be.
        let classes = Tensor::arange(self.classes() as i64, (Kind::Int64, rows.device()));
        let last =
            (rows.gt(f64::NEG_INFINITY).to_kind(Kind::Int64) * classes).amax([-1i64].as_slice(), false);
        Ok(below.minimum(&last))
    }

    /// Entropy of each item, in nats.
    pub fn entropy(&self) -> Tensor {
        let p = self.log_probabilities.exp();
        self.round(&-product(&p, &self.log_probabilities).sum_dim_intlist(-1, false, Kind::Double))
    }

    /// Mean class number of each item.
    pub fn mean(&self) -> Tensor {
        self.round(&self.moment(&self.numbers()))
    }

    /// Variance of the class number of each item.
    pub fn variance(&self) -> Tensor {
        let numbers = self.numbers();
        let gap = &numbers - self.moment(&numbers).unsqueeze(-1);
        self.round(&self.moment(&gap.square()))
    }

    /// Classes for standard Gumbel noise [shape…, K]: argmaxₖ (lₖ + noiseₖ). Without a gradient.
    ///
    /// # Errors
    /// `noise` is not dense and floating-point or on another device, has not K entries on its last axis, or the batch
    /// does not broadcast to the rest.
    pub fn sample_from_noise(&self, noise: &Tensor) -> Result<Tensor, Error> {
        check_floating(&[("logits", &self.logits), ("noise", noise)])?;
        let got = size(noise);
        match got.split_last() {
            Some((&last, shape)) if last == self.classes() => {
                broadcasts_to("batch", self.batch_shape(), shape)?;
                Ok((&self.log_probabilities + noise.to_kind(Kind::Double)).argmax(-1, false))
            }
            _ => {
                let want = format!("[.., {}]", self.classes());
                Err(ArgumentError::Shape { argument: "noise", got, want }.into())
            }
        }
    }

    /// Independent draws of the given shape, to which the batch broadcasts, from libtorch's generator.
    ///
    /// # Errors
    /// The batch does not broadcast to `shape`, or `shape` is too large.
    pub fn sample(&self, shape: &[usize]) -> Result<Tensor, Error> {
        asked(shape, self.batch_shape())?;
        let full: Vec<usize> = shape.iter().copied().chain([self.classes()]).collect();
        let size = asked(&full, &self.shape)?;
        no_grad(|| self.sample_from_noise(&-exponential(&size, self.logits.device()).log()))
    }

    /// Normalised log-probabilities, [batch…, K], in f64.
    pub(super) fn log_probabilities(&self) -> &Tensor {
        &self.log_probabilities
    }

    /// [`log_probabilities`](Self::log_probabilities) expanded to a shape that [`check`](Self::check) has seen.
    fn rows(&self, shape: &[usize]) -> Tensor {
        let mut full = signed(shape);
        full.push(self.classes() as i64);
        self.log_probabilities.expand(&full, true)
    }

    fn check(&self, x: &Tensor) -> Result<(), Error> {
        use variata_torch_bridge::Error as Bridge;
        variata_torch_bridge::check_dense("x", x)?;
        if x.kind() != Kind::Int64 {
            return Err(Bridge::Kind { argument: "x", got: x.kind(), want: Kind::Int64 }.into());
        }
        if x.device() != self.logits.device() {
            return Err(Bridge::Devices { argument: "x", got: x.device(), want: self.logits.device() }.into());
        }
        Ok(broadcasts_to("batch", self.batch_shape(), &size(x))?)
    }

    fn numbers(&self) -> Tensor {
        Tensor::arange(self.classes() as i64, (Kind::Double, self.logits.device()))
    }

    /// Σ P(k)·value(k).
    fn moment(&self, value: &Tensor) -> Tensor {
        (self.log_probabilities.exp() * value).sum_dim_intlist(-1, false, Kind::Double)
    }

    fn round(&self, value: &Tensor) -> Tensor {
        value.to_kind(self.logits.kind())
    }
}

/// log softmax over the last axis that keeps the digits of a nearly sure class: −log1p(rest), not l − log Σ.
pub(super) fn normalised(logits: &Tensor) -> Tensor {
    let top = logits.argmax(-1, true);
    let d = logits - logits.gather(-1, &top, false);
    let rest = d.exp().scatter_value(-1, &top, 0.0).sum_dim_intlist(-1, true, Kind::Double);
    d - rest.log1p()
}

/// KL of rows of log-probabilities, in f64 → [batch…]; the native form is at
/// [`KlDivergence`](crate::KlDivergence).
///
/// First the logits of p and q, whose differences are exact next to equality; all four of one shape.
pub(super) fn kl([a, b]: &[Tensor; 2], [log_p, log_q]: &[Tensor; 2]) -> Tensor {
    let (p, q) = (log_p.exp(), log_q.exp());
    let impossible = log_p.eq(f64::NEG_INFINITY);
    // A class that p excludes takes no part in d.
    let (a, b) = (a.masked_fill(&impossible, 0.0), b.masked_fill(&impossible, 0.0));
    let top = log_p.argmax(-1, true);
    let gap = &b - &a;
    let d = &gap - gap.gather(-1, &top, false);
    let far = d.abs().lt(1.0).logical_not().any_dim(-1, true).expand_as(&d);
    let near = d.masked_fill(&far, 0.0);
    let shift = (&p * near.expm1()).sum_dim_intlist(-1, true, Kind::Double).log1p();
    let excluded = log_q.eq(f64::NEG_INFINITY).logical_and(&impossible.logical_not());
    let difference = log_q.masked_fill(&impossible, 0.0) - log_p.masked_fill(&impossible, 0.0);
    let d = select(&far, &difference.masked_fill(&excluded, 0.0), &(near - shift));
    let small = d.le(1.0);
    let inside = super::math::expm1mx(&select(&small, &d, &d.zeros_like())) * &p;
    let term = select(&small, &inside, &(&q - &p * (&d + 1.0)));
    let term = select(&impossible, &q, &term).masked_fill(&excluded, f64::INFINITY);
    term.sum_dim_intlist(-1, false, Kind::Double)
}
