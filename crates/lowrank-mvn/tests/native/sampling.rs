//! Samples.

use ndarray::{Array2, s};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use variata_lowrank_mvn::LowRankMvn;

use crate::support::{factor, matrix, variances};

#[test]
fn given_noise_is_the_formula() {
    let (batch, n, r) = (2, 7, 3);
    let (loc, p, d) = (matrix(batch, n, 1), factor(batch, n, r, 2), variances(batch, n, 3));
    let (wp, wd) = (matrix(batch, r, 4), matrix(batch, n, 5));
    let found = LowRankMvn::new(loc.view(), p.view(), d.view()).unwrap().rsample(&wp, &wd).unwrap();
    for ((b, i), x) in found.indexed_iter() {
        let low: f64 = (0..r).map(|j| p[(b, i, j)] * wp[(b, j)]).sum();
        let own = d[(b, i)].sqrt() * wd[(b, i)];
        // The kernel fuses and orders the r + 1 additions in its own way: one rounding each.
        let size: f64 =
            (0..r).map(|j| (p[(b, i, j)] * wp[(b, j)]).abs()).sum::<f64>() + own.abs() + loc[(b, i)].abs();
        assert!((x - (loc[(b, i)] + low + own)).abs() <= (r + 2) as f64 * f64::EPSILON / 2.0 * size);
    }
}

/// The mean of q over the draws is n: a false alarm once in 1.7·10⁶ (|z| ≤ 5 with Var q = 2n). A sampler that forgets the
/// diagonal, or takes D for √D, is far outside.
#[test]
fn draws_have_the_distance_of_the_distribution() {
    let (n, r, draws) = (6, 2, 4000);
    let (p, d) = (factor(1, n, r, 2), variances(1, n, 3));
    let parameters = LowRankMvn::new(
        Array2::from_shape_fn((draws, n), |(_, i)| i as f64),
        p.broadcast((draws, n, r)).unwrap(),
        d.row(0),
    )
    .unwrap();
    let x = parameters.sample(&mut ChaCha8Rng::seed_from_u64(5));
    let bound = 5.0 * (2.0 * n as f64 / draws as f64).sqrt();
    let mean = |x: &Array2<f64>| parameters.mahalanobis(x).unwrap().mean().unwrap();
    assert!((mean(&x) - n as f64).abs() <= bound, "{}", mean(&x));
    let mut wrong = x.clone();
    wrong.slice_mut(s![.., 0]).mapv_inplace(|v| 1.3 * v);
    assert!((mean(&wrong) - n as f64).abs() > bound);
}
