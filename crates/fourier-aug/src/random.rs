//! Random weights, and random choices by weight.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, Exp1, Gamma};
use variata_distributions::check;

use crate::calibration::countable;
use crate::error::Error;

/// Weights of `count` parts by the symmetric Dirichlet law: positive or 0, and of sum 1.
///
/// Gamma variates are drawn as logarithms, log Γ(α) = log Γ(α + 1) + log(U)/α, so that α near 0 gives one part everything and no
/// 0/0. At α = ∞ all parts are alike.
///
/// # Errors
/// [`Error::Argument`] if there are no parts or more than 2²⁴, or `alpha` is not greater than 0.
///
/// ```
/// use rand::SeedableRng;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
/// let weights = variata_fourier_aug::dirichlet(1e-9, 3, &mut rng)?;
/// assert!(weights.iter().any(|w| *w > 1.0 - 1e-12));
/// # Ok::<(), variata_fourier_aug::Error>(())
/// ```
pub fn dirichlet(alpha: f64, count: usize, rng: &mut (impl Rng + ?Sized)) -> Result<Vec<f64>, Error> {
    countable("count", count)?;
    check::scalar("alpha", alpha, "> 0", alpha > 0.0)?;
    let mut weights = vec![0.0; count];
    weights_into(alpha, &mut weights, rng);
    Ok(weights)
}

/// [`dirichlet`] into memory that is there.
pub(crate) fn weights_into(alpha: f64, weights: &mut [f64], rng: &mut (impl Rng + ?Sized)) {
    if alpha == 1.0 {
        weights.fill_with(|| Exp1.sample(rng));
    } else {
        // Where the law is as good as its mean, or no generator can be had, it is its mean.
        let above = Gamma::new(alpha + 1.0, 1.0).ok().filter(|_| alpha < 1e30);
        // log U, 10⁻¹⁶ to 37 in size, over a smaller one would not be a number; one part has everything long before.
        let alpha = alpha.max(1e-300);
        weights.fill_with(|| {
            above.as_ref().map_or(0.0, |above| {
                let u = 1.0 - rng.random::<f64>();
                libm::log(above.sample(rng)) + libm::log(u) / alpha
            })
        });
        let largest = weights.iter().fold(f64::NEG_INFINITY, |largest, w| largest.max(*w));
        for w in weights.iter_mut() {
            *w = if *w == largest { 1.0 } else { libm::exp(*w - largest) };
        }
    }
    let sum: f64 = weights.iter().sum();
    for w in weights {
        *w /= sum;
    }
}

/// An index with the probability of its share of the sum.
pub(crate) fn pick(cumulative: &[f64], rng: &mut (impl Rng + ?Sized)) -> usize {
    let total = cumulative.last().copied().unwrap_or(0.0);
    let u = rng.random::<f64>() * total;
    cumulative.partition_point(|sum| *sum <= u).min(cumulative.len().saturating_sub(1))
}
