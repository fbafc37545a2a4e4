//! Noise of each pixel.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, Poisson, StandardNormal};

use super::planes::Planes;

fn normal(rng: &mut impl Rng) -> f64 {
    StandardNormal.sample(rng)
}

/// x + σZ.
pub(super) fn gaussian(mut image: Planes, level: usize, rng: &mut impl Rng) -> Planes {
    let sd = [0.04, 0.06, 0.08, 0.09, 0.10][level];
    image.data.iter_mut().for_each(|x| *x += sd * normal(rng));
    image
}

/// Poisson(λx)/λ.
pub(super) fn shot(mut image: Planes, level: usize, rng: &mut impl Rng) -> Planes {
    let rate = [500.0, 250.0, 100.0, 75.0, 50.0][level];
    for x in &mut image.data {
        // A mean of 0 has no such law, and gives 0.
        *x = Poisson::new(*x * rate).map_or(0.0, |law| law.sample(rng)) / rate;
    }
    image
}

/// 0 or 1 with this probability.
pub(super) fn impulse(mut image: Planes, level: usize, rng: &mut impl Rng) -> Planes {
    let share = [0.01, 0.02, 0.03, 0.05, 0.07][level];
    for x in &mut image.data {
        // Both numbers are drawn for every pixel, so that severities share their draws.
        let (hit, white) = (rng.random::<f64>() < share, rng.random::<bool>());
        if hit {
            *x = if white { 1.0 } else { 0.0 };
        }
    }
    image
}

/// x + xσZ.
pub(super) fn speckle(mut image: Planes, level: usize, rng: &mut impl Rng) -> Planes {
    let sd = [0.06, 0.1, 0.12, 0.16, 0.2][level];
    image.data.iter_mut().for_each(|x| *x += *x * sd * normal(rng));
    image
}
