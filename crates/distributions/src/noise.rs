//! Draws from the standard members of the families, in f64 whatever the output type.
//!
//! Inversion of a uniform number cuts the tail where its grid ends (16.6 for a Gumbel in f32, with an infinity at the
//! end of the grid). An exponential draw has no such end, and the other tails follow from it by exact identities.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, Exp1, StandardNormal};

/// N(0, 1).
pub(crate) fn normal(rng: &mut impl Rng) -> f64 {
    StandardNormal.sample(rng)
}

/// Exponential with mean 1, never 0.
pub(crate) fn exponential(rng: &mut impl Rng) -> f64 {
    loop {
        let e: f64 = Exp1.sample(rng);
        if e > 0.0 {
            return e;
        }
    }
}

/// Gumbel(0, 1): −log of an exponential.
pub(crate) fn gumbel(rng: &mut impl Rng) -> f64 {
    -libm::log(exponential(rng))
}

/// Laplace(0, 1): an exponential with a random sign.
pub(crate) fn laplace(rng: &mut impl Rng) -> f64 {
    let e = exponential(rng);
    if rng.random::<bool>() { e } else { -e }
}

/// Logistic(0, 1): log of the ratio of two exponentials.
pub(crate) fn logistic(rng: &mut impl Rng) -> f64 {
    let (a, b) = (exponential(rng), exponential(rng));
    libm::log(a) - libm::log(b)
}

/// Uniform on [0, 1), a multiple of 2⁻⁵³.
pub(crate) fn uniform(rng: &mut impl Rng) -> f64 {
    rng.random()
}
