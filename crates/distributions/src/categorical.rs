//! The categorical distribution, by its logits.

use ndarray::{Array, ArrayD, ArrayRef, Axis, Dimension, IntoDimension, IxDyn, RemoveAxis};
use rand::Rng;

use crate::elementwise::{broadcasts_to, checked_len, shaped};
use crate::parallel::for_each;
use crate::sums::{Sum, sum};
use crate::{ArgumentError, Error, Real, check, noise};

/// A batch of categorical distributions over 0, …, K − 1, with unnormalised log-probabilities on the last axis.
///
/// ```text
/// log P(k) = lₖ − log Σⱼ e^(lⱼ),   entropy −Σ P(k) log P(k)
/// ```
/// A logit of −∞ is an impossible class. Mean, variance, cdf and icdf are those of the class number.
///
/// Source: definition.
///
/// # Shapes
/// `logits` [batch…, K]; the batch shape broadcasts to that of any `x`. Everything is computed in f64 and rounded once.
///
/// ```
/// use ndarray::array;
/// use variata_distributions::Categorical;
///
/// let p = Categorical::new(array![0.0, 0.0, f64::NEG_INFINITY])?;
/// assert_eq!(p.log_prob(&array![0, 2])?, array![-2_f64.ln(), f64::NEG_INFINITY]);
/// # Ok::<(), variata_distributions::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Categorical<F: Real = f64> {
    logits: ArrayD<F>,
    /// Normalised, row by row, in f64: [batch…, K].
    log_probabilities: ArrayD<f64>,
}

/// Partial derivatives of `log_prob`.
#[derive(Debug, Clone, PartialEq)]
pub struct CategoricalLogProbGrad<F> {
    /// In the logits of each element of `x`: [x…, K], one-hot minus probabilities; 0 outside the support.
    pub logits: ArrayD<F>,
}

impl<F: Real> Categorical<F> {
    /// A batch with these logits.
    ///
    /// # Errors
    /// `logits` has no last axis or no class, holds a NaN or +∞, or a row of −∞ only.
    pub fn new<D: Dimension>(logits: Array<F, D>) -> Result<Self, Error> {
        let must = "below +inf";
        check::not_nan("logits", &logits)?;
        if let Some(index) = logits.iter().position(|l| l.to_f64() == f64::INFINITY) {
            return Err(ArgumentError::Value {
                argument: "logits",
                index: Some(index),
                value: f64::INFINITY,
                must,
            }
            .into());
        }
        let logits = logits.into_dyn();
        let classes = match logits.shape().last() {
            Some(&classes) if classes > 0 => classes,
            _ => {
                let want = "[batch.., classes] with at least one class".to_owned();
                let got = logits.shape().to_vec();
                return Err(ArgumentError::Shape { argument: "logits", got, want }.into());
            }
        };
        let mut rows: Vec<f64> = logits.iter().map(|l| l.to_f64()).collect();
        for (row, values) in rows.chunks_exact_mut(classes).enumerate() {
            if values.iter().all(|&l| l == f64::NEG_INFINITY) {
                return Err(Error::AllLogitsNegInf { argument: "logits", row });
            }
            normalise(values);
        }
        let log_probabilities = shaped(IxDyn(logits.shape()), rows);
        Ok(Self { logits, log_probabilities })
    }

    /// The logits, as given.
    pub fn logits(&self) -> &ArrayD<F> {
        &self.logits
    }

    /// Number of classes K.
    pub fn classes(&self) -> usize {
        self.logits.shape().last().copied().unwrap_or(0)
    }

    /// The shape of the logits without the last axis.
    pub fn batch_shape(&self) -> &[usize] {
        self.logits.shape().split_last().map_or(&[], |(_, batch)| batch)
    }

    /// Probability of every class, [batch…, K].
    pub fn probabilities(&self) -> ArrayD<F> {
        self.log_probabilities.mapv(|l| F::from_f64(libm::exp(l)))
    }

    /// Log-probability lₓ − log Σₖ e^(lₖ) of class numbers; −∞ for K and above. Shape of `x`, to which the batch broadcasts.
    ///
    /// # Errors
    /// The batch does not broadcast to the shape of `x`.
    pub fn log_prob<D: Dimension>(&self, x: &ArrayRef<usize, D>) -> Result<Array<F, D>, Error> {
        let rows = self.rows_for(x.shape())?;
        let classes = self.classes();
        let values = x
            .iter()
            .zip(&rows)
            .map(|(&k, &row)| F::from_f64(if k < classes { self.row(row)[k] } else { f64::NEG_INFINITY }));
        let values = values.collect();
        Ok(shaped(x.raw_dim(), values))
    }

    /// [`log_prob`](Self::log_prob) and its partial derivatives.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob), or the gradient's shape is too large.
    pub fn log_prob_with_grad<D: Dimension>(
        &self,
        x: &ArrayRef<usize, D>,
    ) -> Result<(Array<F, D>, CategoricalLogProbGrad<F>), Error> {
        let value = self.log_prob(x)?;
        let classes = self.classes();
        let mut shape = x.shape().to_vec();
        shape.push(classes);
        let len = checked_len(&shape)?;
        let mut gradient = vec![F::ZERO; len];
        let rows = self.rows_for(x.shape())?;
        let items: Vec<_> = gradient.chunks_exact_mut(classes).zip(x.iter().copied().zip(rows)).collect();
        for_each(items, |(out, (k, row))| {
            if k < classes {
                for (j, (out, &l)) in out.iter_mut().zip(self.row(row)).enumerate() {
                    // 1 − P by expm1: a class that is nearly sure keeps the digits of its gradient.
                    *out = F::from_f64(if j == k { -libm::expm1(l) } else { -libm::exp(l) });
                }
            }
        });
        Ok((value, CategoricalLogProbGrad { logits: shaped(IxDyn(&shape), gradient) }))
    }

    /// Distribution function P(X ≤ x) of class numbers.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn cdf<D: Dimension>(&self, x: &ArrayRef<usize, D>) -> Result<Array<F, D>, Error> {
        let rows = self.rows_for(x.shape())?;
        let values = x.iter().zip(&rows).map(|(&k, &row)| {
            let row = self.row(row);
            F::from_f64(if k >= row.len().saturating_sub(1) {
                1.0
            } else {
                // Rounding may carry the sum beyond 1, which `icdf` would refuse.
                sum(row[..=k].iter().map(|&l| libm::exp(l))).min(1.0)
            })
        });
        let values = values.collect();
        Ok(shaped(x.raw_dim(), values))
    }

    /// Quantile function: the smallest class k with P(X ≤ k) ≥ p.
    ///
    /// # Errors
    /// `p` is outside [0, 1], or the batch does not broadcast to its shape.
    pub fn icdf<D: Dimension>(&self, p: &ArrayRef<F, D>) -> Result<Array<usize, D>, Error> {
        check::probability("p", p)?;
        let rows = self.rows_for(p.shape())?;
        let values = p.iter().zip(&rows).map(|(&p, &row)| {
            let row = self.row(row);
            let mut sum = Sum::default();
            row.iter()
                .position(|&l| {
                    sum.add(libm::exp(l));
                    sum.value() >= p.to_f64()
                })
                // Sums that rounding keeps below p: the last class that can be.
                .or_else(|| row.iter().rposition(|&l| l > f64::NEG_INFINITY))
                .unwrap_or(row.len() - 1)
        });
        let values = values.collect();
        Ok(shaped(p.raw_dim(), values))
    }

    /// Entropy of each item, in nats.
    pub fn entropy(&self) -> ArrayD<F> {
        self.each_row(|row| {
            sum(row.iter().map(|&l| if l == f64::NEG_INFINITY { 0.0 } else { -libm::exp(l) * l }))
        })
    }

    /// Mean class number of each item.
    pub fn mean(&self) -> ArrayD<F> {
        self.each_row(mean)
    }

    /// Variance of the class number of each item.
    pub fn variance(&self) -> ArrayD<F> {
        self.each_row(|row| {
            let mean = mean(row);
            let term = |(k, &l): (usize, &f64)| libm::exp(l) * (k as f64 - mean) * (k as f64 - mean);
            sum(row.iter().enumerate().map(term))
        })
    }

    /// Classes for given noise, which is standard Gumbel: argmaxₖ (lₖ + noiseₖ), the first one at a tie.
    ///
    /// This is the deterministic part of [`sample`](Self::sample). Its derivative is 0 wherever it exists: no
    /// reparameterised gradient passes through a discrete outcome.
    ///
    /// Source: the Gumbel-max identity.
    ///
    /// # Shapes
    /// `noise` [shape…, K] → [shape…], to which the batch broadcasts.
    ///
    /// # Errors
    /// `noise` is not finite, has not K entries on its last axis, or the batch does not broadcast to the rest.
    pub fn sample_from_noise<D: RemoveAxis>(
        &self,
        noise: &ArrayRef<F, D>,
    ) -> Result<Array<usize, D::Smaller>, Error> {
        check::finite("noise", noise)?;
        let classes = self.classes();
        let shape = match noise.shape().split_last() {
            Some((&last, shape)) if last == classes => shape,
            _ => {
                let want = format!("[.., {classes}]");
                return Err(
                    ArgumentError::Shape { argument: "noise", got: noise.shape().to_vec(), want }.into()
                );
            }
        };
        let rows = self.rows_for(shape)?;
        let draws = noise.lanes(Axis(shape.len())).into_iter().zip(&rows).map(|(noise, &row)| {
            let mut noise = noise.iter().map(|v| v.to_f64());
            winner(self.row(row), || noise.next().unwrap_or(0.0))
        });
        let draws = draws.collect();
        Ok(shaped(noise.raw_dim().remove_axis(Axis(shape.len())), draws))
    }

    /// Independent draws of the given shape, to which the batch broadcasts.
    ///
    /// # Errors
    /// The batch does not broadcast to `shape`, or `shape` is too large.
    pub fn sample<I: IntoDimension>(
        &self,
        shape: I,
        rng: &mut impl Rng,
    ) -> Result<Array<usize, I::Dim>, Error> {
        let shape = shape.into_dimension();
        checked_len(shape.slice())?;
        let rows = self.rows_for(shape.slice())?;
        let draws = rows.iter().map(|&row| winner(self.row(row), || noise::gumbel(rng)));
        let draws = draws.collect();
        Ok(shaped(shape, draws))
    }

    /// Normalised log-probabilities, [batch…, K], in f64.
    pub(crate) fn log_probabilities(&self) -> &ArrayD<f64> {
        &self.log_probabilities
    }

    /// Normalised log-probabilities of one item.
    fn row(&self, row: usize) -> &[f64] {
        let classes = self.classes();
        let all = self.log_probabilities.as_slice().unwrap_or_default(); // Built contiguous in `new`.
        &all[row * classes..(row + 1) * classes]
    }

    /// The item that belongs to each element of an array of this shape.
    fn rows_for(&self, shape: &[usize]) -> Result<Vec<usize>, Error> {
        let batch = self.batch_shape();
        broadcasts_to("batch", batch, shape)?;
        let numbers = shaped(IxDyn(batch), (0..batch.iter().product()).collect());
        Ok(numbers.broadcast(IxDyn(shape)).map_or_else(Vec::new, |rows| rows.iter().copied().collect()))
    }

    /// `f` of the log-probabilities of each item.
    fn each_row(&self, f: impl Fn(&[f64]) -> f64) -> ArrayD<F> {
        let items: usize = self.batch_shape().iter().product();
        let values = (0..items).map(|row| F::from_f64(f(self.row(row)))).collect();
        shaped(IxDyn(self.batch_shape()), values)
    }
}

/// Subtracts log Σ exp, keeping the digits of log P for a class that is nearly sure: −log1p(rest), not l − log Σ.
pub(crate) fn normalise(logits: &mut [f64]) {
    let mut at = 0;
    for (i, &l) in logits.iter().enumerate() {
        if l > logits[at] {
            at = i;
        }
    }
    let max = logits[at];
    let rest = sum(logits.iter().enumerate().filter(|&(i, _)| i != at).map(|(_, l)| libm::exp(l - max)));
    let log_total = libm::log1p(rest);
    for l in logits {
        *l = (*l - max) - log_total;
    }
}

/// Σ k·P(k).
fn mean(row: &[f64]) -> f64 {
    sum(row.iter().enumerate().map(|(k, &l)| k as f64 * libm::exp(l)))
}

/// The class with the largest perturbed log-probability.
fn winner(row: &[f64], mut noise: impl FnMut() -> f64) -> usize {
    let (mut at, mut best) = (0, f64::NEG_INFINITY);
    for (k, &l) in row.iter().enumerate() {
        let score = l + noise();
        if score > best {
            (at, best) = (k, score);
        }
    }
    at
}
