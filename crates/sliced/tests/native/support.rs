//! Samples and lists that several tests use.

use ndarray::{Array1, Array2};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use variata_distributions::special::ndtri;
use variata_sliced::Distance;

/// The distances that have a gradient everywhere but at ties.
pub(crate) const SMOOTH: [Distance; 7] = [
    Distance::WASSERSTEIN_2,
    Distance::Wasserstein { p: 1.0 },
    Distance::Wasserstein { p: 2.5 },
    Distance::CRAMER_WOLD,
    Distance::CramerVonMises,
    Distance::SmoothKolmogorovSmirnov { temperature: 0.05 },
    Distance::AndersonDarling,
];

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = Distance> {
    SMOOTH.into_iter().chain([Distance::KolmogorovSmirnov])
}

/// Draws from N(0, 1).
pub(crate) fn normal(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Array2::from_shape_simple_fn((rows, columns), || StandardNormal.sample(&mut rng))
}

/// Draws from N(0, 1) on the line.
pub(crate) fn line(n: usize, seed: u64) -> Array1<f64> {
    normal(n, 1, seed).column(0).to_owned()
}

/// The quantiles of (k − ½)/n.
pub(crate) fn grid(n: usize) -> Array1<f64> {
    // Above the median from upper tails: close to 1 a probability has no digits to give.
    let half = |k: usize| ndtri((k as f64 + 0.5) / n as f64);
    (0..n).map(|k| if 2 * k + 1 > n { -half(n - 1 - k) } else { half(k) }).collect()
}

pub(crate) fn close(name: &str, got: f64, want: f64, relative: f64) {
    assert!((got - want).abs() <= relative * want.abs(), "{name}: {got} against {want}");
}
