//! Kullback–Leibler divergences on tensors: the registry of [`crate::kl`].

use std::f64::consts::{EULER_GAMMA, LN_2, PI};

use tch::{Kind, Tensor};

use super::diagonal_normal::{kl_diagonal, kl_diagonal_composed, standard_composed};
use super::evaluate::{Elementwise, Named, broadcast_shape, signed, size};
use super::math::{expm1mx, expm1mx_over_square, log_ratio, log1pmx, product, select, softplus};
use super::multivariate_normal::{kl_dense, kl_dense_composed};
use super::{
    Bernoulli, Categorical, DiagonalNormal, Gumbel, Laplace, LocationScale, MultivariateNormal, Normal,
    TensorStandard, Uniform, categorical,
};
use crate::kl::gumbel_gumbel::ZETA_MINUS_ONE;
use crate::special::HALF_LOG_TWO_PI;
use crate::{ArgumentError, Error, StandardMultivariateNormal, UniformCategories, kl};

/// KL(`self` ‖ `q`) in closed form, differentiable in the parameters of both sides.
///
/// Formulas, limits and sources are given at the native [`crate::KlDivergence`]. Sums over dimensions are f64; element-wise
/// divergences have the kind of the parameters and are computed in f64.
///
/// ```
/// use variata_distributions::torch::{KlDivergence, Normal};
/// use variata_torch_bridge::tch::Tensor;
///
/// let mean = Tensor::from(1f64).set_requires_grad(true);
/// let (p, q) = (Normal::new(mean.shallow_clone(), Tensor::from(1f64))?, Normal::new(Tensor::from(0f64), Tensor::from(1f64))?);
/// let kl = p.kl(&q)?;
/// kl.backward();
/// assert_eq!((kl.double_value(&[]), mean.grad().double_value(&[])), (0.5, 1.0));
/// # Ok::<(), variata_distributions::Error>(())
/// ```
pub trait KlDivergence<Q: ?Sized = Self> {
    /// The divergence: by the native kernel on plain CPU tensors where that is faster, else composed.
    ///
    /// # Errors
    /// The parameters of `self` and `q` do not broadcast together, or lie on different devices.
    fn kl(&self, q: &Q) -> Result<Tensor, Error>;

    /// The divergence as tensor operations: any device, any derivative order.
    ///
    /// # Errors
    /// As [`kl`](Self::kl).
    fn kl_composed(&self, q: &Q) -> Result<Tensor, Error>;
}

type Scalar = fn([f64; 4]) -> [f64; 5];
type Composed = fn([Tensor; 4]) -> Tensor;

fn four<'a>([a, b]: [Named<'a>; 2], [c, d]: [Named<'a>; 2]) -> [Named<'a>; 4] {
    [a, b, c, d]
}

/// An element-wise pair: both methods from its scalar kernel and its composed form.
macro_rules! pair {
    ($p:ty, $q:ty, $native:ident, $composed:expr $(, $standard:ident)?) => {
        impl $(<$standard: TensorStandard>)? KlDivergence<$q> for $p {
            fn kl(&self, q: &$q) -> Result<Tensor, Error> {
                let (name, scalar): (_, Scalar) = (stringify!($native), kl::$native::scalar);
                let composed: Composed = $composed;
                Elementwise { name, scalar, composed }.routed(four(self.parameters(), q.parameters()))
            }

            fn kl_composed(&self, q: &$q) -> Result<Tensor, Error> {
                let (name, scalar): (_, Scalar) = (stringify!($native), kl::$native::scalar);
                let composed: Composed = $composed;
                Elementwise { name, scalar, composed }.composed(four(self.parameters(), q.parameters()))
            }
        }
    };
}

pair!(Normal, Normal, normal_normal, |[mp, sp, mq, sq]| {
    let d = (mp - mq) / &sq;
    (expm1mx(&(log_ratio(&sp, &sq) * 2.0)) + d.square()) * 0.5
});

pair!(Laplace, Laplace, laplace_laplace, |[mp, bp, mq, bq]| {
    let (signed, ratio) = (mp - mq, &bp / &bq);
    let gap = signed.abs();
    let a = &gap / &bp;
    let far = a.gt(1.0);
    // The square is of the signed gap: |gap| has no curvature at 0, where the divergence has.
    let square = (signed / &bp).masked_fill(&far, 0.0).square();
    let near = &ratio * (square * expm1mx_over_square(&-a.masked_fill(&far, 0.0)));
    let shift = select(&far, &(&gap / &bq + &ratio * (-&a).expm1()), &near);
    expm1mx(&log_ratio(&bp, &bq)) + shift
});

pair!(Normal, Gumbel, normal_gumbel, |[mu, sigma, m, beta]| {
    let d = (mu - m) / &beta;
    let exponent = (&sigma / &beta).square() * 0.5 - &d;
    log_ratio(&beta, &sigma) - (HALF_LOG_TWO_PI + 0.5) + (d + exponent.exp())
});

pair!(Gumbel, Gumbel, gumbel_gumbel, |[mp, bp, mq, bq]| {
    let (t, log_r) = ((&bp - &bq) / &bq, log_ratio(&bp, &bq));
    let (h, next) = at_ratio(&t, &log_r);
    expm1mx(&(next - (mp - mq) / bq)) + h
});

pair!(Gumbel, Normal, gumbel_normal, |[m, beta, mu, sigma]| {
    let (s, d) = (&beta / &sigma, ((m - mu) + &beta * EULER_GAMMA) / &sigma);
    log_ratio(&sigma, &beta)
        + (HALF_LOG_TWO_PI - EULER_GAMMA - 1.0)
        + (s.square() * (PI * PI / 6.0) + d.square()) * 0.5
});

pair!(Normal, Laplace, normal_laplace, |[mu, sigma, m, b]| {
    let gap = mu - m;
    let d = &gap / &sigma;
    // 2φ(δ)
    let folded = (d.square() * -0.5 + (LN_2 - HALF_LOG_TWO_PI)).exp();
    let erf = (d * std::f64::consts::FRAC_1_SQRT_2).erf();
    log_ratio(&b, &sigma)
        + (LN_2 - HALF_LOG_TWO_PI - 0.5)
        + product(&folded, &(sigma / &b))
        + product(&erf, &(gap / &b))
});

pair!(Laplace, Normal, laplace_normal, |[m, b, mu, sigma]| {
    let (s, d) = (&b / &sigma, (m - mu) / &sigma);
    log_ratio(&sigma, &b) + (HALF_LOG_TWO_PI - LN_2 - 1.0) + (s.square() + d.square() * 0.5)
});

pair!(Uniform, Normal, uniform_normal, |[low, high, mu, sigma]| {
    let s = ((&high * 0.5 - &low * 0.5) / &sigma) * 2.0;
    let d = (&high * 0.5 + &low * 0.5 - mu) / &sigma;
    sigma.log() - log_width(&low, &high) + HALF_LOG_TWO_PI + (s.square() / 24.0 + d.square() * 0.5)
});

pair!(Uniform, Laplace, uniform_laplace, |[low, high, m, b]| {
    let (to_low, to_high) = ((&m - &low) / &b, (&high - &m) / &b);
    let inside = to_low.ge(0.0).logical_and(&to_high.ge(0.0));
    let width = (&high - &low) / &b;
    let within = (to_low.square() + to_high.square()) / (width * 2.0);
    let beyond = (&to_high - &to_low).abs() * 0.5;
    b.log() + LN_2 - log_width(&low, &high) + select(&inside, &within, &beyond)
});

pair!(Uniform, Uniform, uniform_uniform, |[lp, hp, lq, hq]| {
    let outside = lp.lt_tensor(&lq).logical_or(&hp.gt_tensor(&hq));
    let excess = ((&lp - lq) + (hq - &hp)) / (&hp - &lp);
    excess.masked_fill(&outside, 0.0).log1p().masked_fill(&outside, f64::INFINITY)
});

pair!(
    LocationScale<S>,
    Uniform,
    unbounded_uniform,
    |[a, b, c, d]| {
        // 0 times each parameter: the shape, the derivative 0 and a NaN.
        (a + b + c + d) * 0.0 + f64::INFINITY
    },
    S
);

impl KlDivergence for Bernoulli {
    fn kl(&self, q: &Self) -> Result<Tensor, Error> {
        BERNOULLI.routed([self.parameter(), q.parameter()])
    }

    fn kl_composed(&self, q: &Self) -> Result<Tensor, Error> {
        BERNOULLI.composed([self.parameter(), q.parameter()])
    }
}

type TwoScalar = fn([f64; 2]) -> [f64; 3];
type TwoComposed = fn([Tensor; 2]) -> Tensor;

const BERNOULLI: Elementwise<TwoScalar, TwoComposed> = Elementwise {
    name: "bernoulli_bernoulli",
    scalar: |[a, b]| kl::bernoulli_bernoulli::scalar(a, b),
    composed: |[a, b]| {
        // The side where the first probability is at most ½.
        let flip = a.gt(0.0);
        let (a, b) = (select(&flip, &-&a, &a), select(&flip, &-&b, &b));
        let sure = a.eq(f64::NEG_INFINITY);
        let missed = b.isinf().logical_and(&sure.logical_not());
        let d = b.masked_fill(&missed, 0.0) - a.masked_fill(&sure, 0.0);
        let pi = a.sigmoid();
        let far = d.abs().gt(2.0).logical_or(&sure);
        let near = d.masked_fill(&far, 0.0);
        let close = &pi * expm1mx(&near) + log1pmx(&(&pi * near.expm1()));
        let distant = softplus(&b) - softplus(&a) - product(&pi, &d);
        select(&far, &distant, &close).masked_fill(&missed, f64::INFINITY)
    },
};

impl KlDivergence for Categorical {
    fn kl(&self, q: &Self) -> Result<Tensor, Error> {
        let shape = signed(&broadcast_shape(&[("p.logits", self.logits()), ("q.logits", q.logits())])?);
        if q.classes() != self.classes() {
            let (got, want) = (size(q.logits()), format!("[.., {}]", self.classes()));
            return Err(ArgumentError::Shape { argument: "q.logits", got, want }.into());
        }
        let full = |x: &Tensor| x.to_kind(Kind::Double).expand(&shape, true);
        let logits = [self.logits(), q.logits()].map(full);
        let logs = [self.log_probabilities(), q.log_probabilities()].map(full);
        Ok(categorical::kl(&logits, &logs).to_kind(self.logits().kind()))
    }

    fn kl_composed(&self, q: &Self) -> Result<Tensor, Error> {
        self.kl(q)
    }
}

impl KlDivergence<UniformCategories> for Categorical {
    fn kl(&self, _: &UniformCategories) -> Result<Tensor, Error> {
        self.kl(&Categorical::new(self.logits().zeros_like())?)
    }

    fn kl_composed(&self, q: &UniformCategories) -> Result<Tensor, Error> {
        self.kl(q)
    }
}

impl KlDivergence for DiagonalNormal {
    fn kl(&self, q: &Self) -> Result<Tensor, Error> {
        kl_diagonal(self, q)
    }

    fn kl_composed(&self, q: &Self) -> Result<Tensor, Error> {
        kl_diagonal_composed(self, q)
    }
}

impl KlDivergence<StandardMultivariateNormal> for DiagonalNormal {
    fn kl(&self, _: &StandardMultivariateNormal) -> Result<Tensor, Error> {
        self.kl_standard_normal()
    }

    fn kl_composed(&self, _: &StandardMultivariateNormal) -> Result<Tensor, Error> {
        Ok(standard_composed(self))
    }
}

impl Normal {
    /// log KL(`self` ‖ `q`) against a Gumbel, finite also where the divergence itself overflows; see
    /// [`crate::Normal::log_kl`]. As tensor operations on every device.
    ///
    /// # Errors
    /// As [`KlDivergence::kl`].
    pub fn log_kl(&self, q: &Gumbel) -> Result<Tensor, Error> {
        let composed: Composed = |[mu, sigma, m, beta]| {
            let d = (mu - m) / &beta;
            let exponent = (&sigma / &beta).square() * 0.5 - &d;
            // Above 600 the other terms vanish beside the exponential.
            let far = exponent.gt(600.0);
            let near = exponent.masked_fill(&far, 0.0).exp() + d - (HALF_LOG_TWO_PI + 0.5);
            let rest = (near + log_ratio(&beta, &sigma)).masked_fill(&far, 1.0);
            select(&far, &exponent, &rest.log())
        };
        Elementwise { name: "Normal::log_kl", scalar: (), composed }
            .composed(four(self.parameters(), q.parameters()))
    }
}

/// Pairs with a dense covariance on at least one side.
macro_rules! dense {
    ($p:ty, $q:ty) => {
        impl KlDivergence<$q> for $p {
            fn kl(&self, q: &$q) -> Result<Tensor, Error> {
                kl_dense(&self.into(), &q.into())
            }

            fn kl_composed(&self, q: &$q) -> Result<Tensor, Error> {
                kl_dense_composed(&self.into(), &q.into())
            }
        }
    };
}

dense!(MultivariateNormal, MultivariateNormal);
dense!(DiagonalNormal, MultivariateNormal);
dense!(MultivariateNormal, DiagonalNormal);

/// log(high − low), also where the difference overflows.
fn log_width(low: &Tensor, high: &Tensor) -> Tensor {
    (high * 0.5 - low * 0.5).log() + LN_2
}

/// h(r) = log Γ(r) + γ(r − 1) and log Γ(1 + r) from t = r − 1 and log r.
fn at_ratio(t: &Tensor, log_r: &Tensor) -> (Tensor, Tensor) {
    let near = t.abs().le(0.25);
    let inside = select(&near, t, &t.zeros_like());
    let mut sum = inside.zeros_like();
    for (i, &zeta) in ZETA_MINUS_ONE.iter().enumerate().rev() {
        sum = -(&inside * sum) + zeta / (i + 2) as f64;
    }
    let close = inside.square() * sum - log1pmx(&inside);
    let beyond = (t.masked_fill(&near, 1.0) + 2.0).lgamma();
    let distant = &beyond - log_r + t * EULER_GAMMA;
    let next = select(&near, &(log_r - t * EULER_GAMMA + &close), &beyond);
    (select(&near, &close, &distant), next)
}
