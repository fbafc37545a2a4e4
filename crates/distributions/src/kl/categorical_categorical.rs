//! Categorical ‖ Categorical and Categorical ‖ uniform.

use ndarray::{ArrayD, IxDyn};

use super::{KlDivergence, KlGrad};
use crate::elementwise::{checked_len, common_shape, shaped};
use crate::parallel::for_each;
use crate::special::expm1mx;
use crate::sums::{sum, two_sum};
use crate::{ArgumentError, Categorical, Error, LogitsGrad, Real};

/// The uniform distribution over as many classes as the other side has.
///
/// ```
/// use ndarray::array;
/// use variata_distributions::{Categorical, KlDivergence, UniformCategories};
///
/// let p = Categorical::new(array![0.0, f64::NEG_INFINITY])?;
/// assert_eq!(p.kl(&UniformCategories)?.sum(), std::f64::consts::LN_2);
/// # Ok::<(), variata_distributions::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UniformCategories;

/// ```text
/// Σₖ pₖ (e^(dₖ) − 1 − dₖ),   dₖ = log qₖ − log pₖ
/// ```
/// which is Σ p log(p/q), because Σ p(eᵈ − 1) = Σ q − Σ p = 0; every term is ≥ 0. A class with pₖ = 0 contributes qₖ,
/// the limit of its term. Derived in docs/src/theory/kl.md.
///
/// The d's are taken from the differences of the logits, so that nearly equal rows keep their digits. +∞ where q excludes
/// a class whose probability under p is not below the smallest number; the gradient in p's logits is then, by convention, +∞ for these classes, and −∞ for the
/// others that p allows.
impl<F: Real> KlDivergence<Categorical<F>> for Categorical<F> {
    type Value = ArrayD<F>;
    type Grad = KlGrad<LogitsGrad<F>, LogitsGrad<F>>;

    fn kl(&self, q: &Categorical<F>) -> Result<ArrayD<F>, Error> {
        Ok(self.kl_with_grad(q)?.0)
    }

    fn kl_with_grad(&self, q: &Categorical<F>) -> Result<(ArrayD<F>, Self::Grad), Error> {
        if q.classes() != self.classes() {
            let want = format!("[.., {}]", self.classes());
            let got = q.logits().shape().to_vec();
            return Err(ArgumentError::Shape { argument: "q.logits", got, want }.into());
        }
        let (value, p, q) = rows(self, q.logits(), q.log_probabilities())?;
        Ok((value, KlGrad { p: LogitsGrad { logits: p }, q: LogitsGrad { logits: q } }))
    }
}

/// ```text
/// log K − entropy
/// ```
/// in the form of Categorical ‖ Categorical, which keeps its digits next to the uniform.
impl<F: Real> KlDivergence<UniformCategories> for Categorical<F> {
    type Value = ArrayD<F>;
    type Grad = LogitsGrad<F>;

    fn kl(&self, q: &UniformCategories) -> Result<ArrayD<F>, Error> {
        Ok(self.kl_with_grad(q)?.0)
    }

    fn kl_with_grad(&self, _: &UniformCategories) -> Result<(ArrayD<F>, LogitsGrad<F>), Error> {
        let uniform = ArrayD::from_elem(IxDyn(&[self.classes()]), F::ZERO);
        let log_probability = -libm::log(self.classes() as f64);
        let log_probabilities = ArrayD::from_elem(IxDyn(&[self.classes()]), log_probability);
        let (value, logits, _) = rows(self, &uniform, &log_probabilities)?;
        Ok((value, LogitsGrad { logits }))
    }
}

/// Value [batch…] and both gradients [batch…, K], over the batches broadcast together.
fn rows<F: Real>(
    p: &Categorical<F>,
    q_logits: &ArrayD<F>,
    q_log: &ArrayD<f64>,
) -> Result<(ArrayD<F>, ArrayD<F>, ArrayD<F>), Error> {
    let full = common_shape(&[("p.logits", p.logits().shape()), ("q.logits", q_logits.shape())])?;
    let len = checked_len(&full)?;
    let classes = p.classes();
    let batch = &full[..full.len().saturating_sub(1)];
    let items: usize = batch.iter().product();
    let [p_logits, q_logits] = [p.logits(), q_logits].map(|logits| spread(&logits.mapv(Real::to_f64), &full));
    let [p_log, q_log] = [p.log_probabilities(), q_log].map(|log| spread(log, &full));
    let mut value = vec![F::ZERO; items];
    let (mut in_p, mut in_q) = (vec![F::ZERO; len], vec![F::ZERO; len]);
    let tasks: Vec<_> = value
        .iter_mut()
        .zip(in_p.chunks_exact_mut(classes).zip(in_q.chunks_exact_mut(classes)))
        .enumerate()
        .collect();
    for_each(tasks, |(i, (value, (in_p, in_q)))| {
        let at = i * classes..(i + 1) * classes;
        let d =
            log_ratios(&p_logits[at.clone()], &q_logits[at.clone()], &p_log[at.clone()], &q_log[at.clone()]);
        let (p, q) = (&p_log[at.clone()], &q_log[at]);
        let sum = sum((0..classes).map(|k| term(p[k], q[k], d[k])));
        *value = F::from_f64(sum);
        for k in 0..classes {
            let (pk, qk) = (libm::exp(p[k]), libm::exp(q[k]));
            in_p[k] = F::from_f64(match pk {
                0.0 => 0.0,
                _ if d[k] == f64::NEG_INFINITY => f64::INFINITY,
                _ => pk * (-d[k] - sum),
            });
            in_q[k] = F::from_f64(if d[k].abs() < 1.0 { pk * libm::expm1(d[k]) } else { qk - pk });
        }
    });
    Ok((shaped(IxDyn(batch), value), shaped(IxDyn(&full), in_p), shaped(IxDyn(&full), in_q)))
}

/// The elements broadcast to `shape`, in row-major order.
fn spread(x: &ArrayD<f64>, shape: &[usize]) -> Vec<f64> {
    // `shape` is the common shape of both sides, so this is never None.
    x.broadcast(IxDyn(shape)).map_or_else(Vec::new, |x| x.iter().copied().collect())
}

/// p(eᵈ − 1 − d) from log p, log q and d.
fn term(log_p: f64, log_q: f64, d: f64) -> f64 {
    let p = libm::exp(log_p);
    if p == 0.0 {
        libm::exp(log_q)
    } else if d > 1.0 {
        libm::exp(log_q) - p * (1.0 + d)
    } else {
        p * expm1mx(d)
    }
}

/// log q − log p of each class.
///
/// Next to equality from differences of the logits: with δ = b − a relative to the likeliest class of p, the
/// normalisers differ by log Σ p e^δ = log1p(Σ p·expm1(δ)), which is small where δ is.
fn log_ratios(a: &[f64], b: &[f64], log_p: &[f64], log_q: &[f64]) -> Vec<f64> {
    let top = (0..a.len()).fold(0, |top, k| if a[k] > a[top] { k } else { top });
    let (head, tail) = two_sum(b[top], -a[top]);
    let mut d: Vec<f64> = a
        .iter()
        .zip(b)
        .map(|(&a, &b)| {
            let (high, low) = two_sum(b, -a);
            (high - head) + (low - tail)
        })
        .collect();
    let moved = |((&p, &q), &d): ((&f64, &f64), &f64)| {
        if p == f64::NEG_INFINITY && q == f64::NEG_INFINITY { 0.0 } else { libm::exp(p) * libm::expm1(d) }
    };
    let moved = sum(log_p.iter().zip(log_q).zip(&d).map(moved));
    // Also false for a NaN. Where so much of the mass has moved, nothing cancels between the normalisers.
    if (-0.5..1e300).contains(&moved) {
        let shift = libm::log1p(moved);
        for d in &mut d {
            *d -= shift;
        }
    } else {
        for (d, (p, q)) in d.iter_mut().zip(log_p.iter().zip(log_q)) {
            *d = if p == q { 0.0 } else { q - p }; // Both may be −∞.
        }
    }
    d
}
