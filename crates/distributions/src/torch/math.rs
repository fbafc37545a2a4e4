//! The pieces of [`crate::special`] as tensor operations in f64, for the composed forms.
//!
//! Where a formula has branches, the branch that is not taken is evaluated at a harmless argument: autograd multiplies
//! its derivative by 0, and 0·∞ would be NaN.

use tch::Tensor;

/// `a` where the condition holds, else `b`.
pub(super) fn select(condition: &Tensor, a: &Tensor, b: &Tensor) -> Tensor {
    a.where_self(condition, b)
}

/// c₀ + x(c₁ + x(c₂ + …)).
fn horner(x: &Tensor, coefficients: impl DoubleEndedIterator<Item = f64>) -> Tensor {
    coefficients.rev().fold(x.zeros_like(), |sum, c| sum * x + c)
}

/// eˣ − 1 − x; the native one is [`crate::special::expm1mx`].
pub fn expm1mx(x: &Tensor) -> Tensor {
    let far = x.abs().gt(1.0);
    let near = x.masked_fill(&far, 0.0);
    // ∞ − ∞ is no number.
    let least = x.masked_fill(&x.eq(f64::INFINITY), 0.0);
    select(&far, &(x.expm1() - least), &(near.square() * expm1mx_over_square(&near)))
}

/// (eˣ − 1 − x)/x² for |x| ≤ 1: 1/2!, 1/3!, … up to x¹⁸/20!.
pub(super) fn expm1mx_over_square(x: &Tensor) -> Tensor {
    let mut factor = 1.0;
    let reciprocals = (2..=20).map(|k| {
        factor /= f64::from(k);
        factor
    });
    horner(x, reciprocals.collect::<Vec<_>>().into_iter())
}

/// log(1 + x) − x; the native one is [`crate::special::log1pmx`].
pub(super) fn log1pmx(x: &Tensor) -> Tensor {
    let near = x.abs().le(0.5);
    let inside = select(&near, x, &x.zeros_like());
    let s = &inside / (&inside + 2.0);
    let s2 = s.square();
    let tail = horner(&s2, (1..=18).map(|k| 1.0 / f64::from(2 * k + 1)));
    let outside = x.masked_fill(&near, 1.0);
    // Of an infinite x the logarithm is nothing beside it.
    let log = outside.masked_fill(&outside.eq(f64::INFINITY), 1.0).log1p();
    select(&near, &(&s * (&s2 * 2.0 * tail - &inside)), &(log - &outside))
}

/// log(a/b) of positive numbers, exact next to a = b.
pub fn log_ratio(a: &Tensor, b: &Tensor) -> Tensor {
    let excess = (a - b) / b;
    let near = excess.abs().lt(0.5);
    let inside = select(&near, &excess, &excess.zeros_like());
    select(&near, &inside.log1p(), &(a.log() - b.log()))
}

/// x/σ = x·exp(−log_variance/2); see [`crate::diagonal_normal::over_sigma`].
pub(super) fn over_sigma(x: &Tensor, log_variance: &Tensor) -> Tensor {
    let root = (log_variance * -0.25).exp();
    // 0·∞ and ∞·0.
    let empty = x.eq(0.0).logical_and(&root.isinf()).logical_or(&x.isinf().logical_and(&root.eq(0.0)));
    let root = root.masked_fill(&empty, 1.0);
    x * &root * root
}

/// softplus(x) = log(1 + eˣ).
pub(super) fn softplus(x: &Tensor) -> Tensor {
    -(-x).log_sigmoid()
}

/// a·b with 0·∞ = 0. A finite b stays, because it is the derivative in a.
pub(super) fn product(a: &Tensor, b: &Tensor) -> Tensor {
    a * b.masked_fill(&a.eq(0.0).logical_and(&b.isinf()), 0.0)
}
