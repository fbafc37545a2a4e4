//! Samples: the formula, and statistical tests that each reject their declared mutants.

use ndarray::{Array2, Array3, Axis, array};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use variata_distributions::special::ndtr;
use variata_lowrank_mvn::LowRankMvn;
use variata_testkit::statistics::{
    assert_ks, assert_mean, assert_rejects, chi_square_survival, seed, try_ks, try_mean,
};

use crate::support::{factor, matrix, solve, variances};

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

const DRAWS: usize = 1_000_000;

fn rng(fixed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed(fixed))
}

fn normal(n: usize, r: usize) -> LowRankMvn<'static> {
    LowRankMvn::new(matrix(1, n, 1), factor(1, n, r, 2), variances(1, n, 3)).unwrap()
}

/// The squared distances of draws from the mean follow χ² with n degrees of freedom, by the dense inverse.
#[test]
fn distances_follow_chi_square() {
    let n = 6;
    let p = normal(n, 2);
    let x = p.sample_n(DRAWS, &mut rng(5)).index_axis_move(Axis(0), 0);
    let covariance = p.covariance_matrix().index_axis(Axis(0), 0).to_owned();
    let precision = solve(covariance, Array2::eye(n));
    let q: Vec<f64> = x
        .outer_iter()
        .map(|x| {
            let gap = &x - &p.loc().row(0);
            gap.dot(&precision.dot(&gap))
        })
        .collect();
    let cdf = |q: f64| 1.0 - chi_square_survival(q, n as f64);
    assert_ks("ks_low_rank_mahalanobis", &q, cdf);
    assert_rejects("ks_low_rank_mahalanobis", &try_ks("ks_low_rank_mahalanobis", &q, |q| cdf(q / 1.02)));
}

/// A fixed combination of the dimensions is normal with the covariance's variance.
#[test]
fn projections_are_normal() {
    let n = 5;
    let p = normal(n, 2);
    let a = matrix(1, n, 7).row(0).to_owned();
    let along = p.sample_n(DRAWS, &mut rng(6)).index_axis_move(Axis(0), 0).dot(&a).to_vec();
    let mean = p.loc().row(0).dot(&a);
    let covariance = p.covariance_matrix().index_axis(Axis(0), 0).to_owned();
    let own: Vec<f64> = (0..n).map(|i| variances(1, n, 3)[(0, i)]).collect();
    let variance = a.dot(&covariance.dot(&a));
    let name = "ks_low_rank_projection";
    assert_ks(name, &along, |x| ndtr((x - mean) / variance.sqrt()));
    assert_rejects(name, &try_ks(name, &along, |x| ndtr((x - mean) / variance.sqrt() - 0.02)));
    assert_rejects(name, &try_ks(name, &along, |x| ndtr((x - mean) / (1.06 * variance).sqrt())));
    // A sampler that multiplies the noise by D.
    let squared: f64 = (0..n).map(|i| a[i] * a[i] * (own[i] * own[i] - own[i])).sum();
    assert_rejects(name, &try_ks(name, &along, |x| ndtr((x - mean) / (variance + squared).sqrt())));
}

/// Draws given some entries: those stay, another has the posterior's mean and variance, which dense formulas give.
#[test]
fn posterior_draws_follow_the_conditional_law() {
    let n = 5;
    let p = normal(n, 2);
    let posterior = p.condition(&[1, 4], &array![[0.3, -0.2]]).unwrap();
    let mut rng = rng(7);
    let draws: Vec<f64> = (0..DRAWS)
        .map(|_| {
            let x = posterior.sample(&mut rng);
            assert_eq!((x[(0, 1)], x[(0, 4)]), (0.3, -0.2));
            x[(0, 2)]
        })
        .collect();
    let c = p.covariance_matrix().index_axis(Axis(0), 0).to_owned();
    let seen = array![[c[(1, 1)], c[(1, 4)]], [c[(4, 1)], c[(4, 4)]]];
    let cross = array![[c[(2, 1)]], [c[(2, 4)]]];
    let weights = solve(seen, cross.clone());
    let gaps = array![0.3 - p.loc()[(0, 1)], -0.2 - p.loc()[(0, 4)]];
    let mean = p.loc()[(0, 2)] + weights.column(0).dot(&gaps);
    let variance = c[(2, 2)] - weights.column(0).dot(&cross.column(0));
    let name = "ks_low_rank_posterior";
    assert_ks(name, &draws, |x| ndtr((x - mean) / variance.sqrt()));
    assert_rejects(name, &try_ks(name, &draws, |x| ndtr((x - mean) / variance.sqrt() - 0.02)));
    assert_rejects(name, &try_ks(name, &draws, |x| ndtr((x - mean) / c[(2, 2)].sqrt())));
}

/// Entropy = −E log p.
#[test]
fn entropy_is_the_mean_of_minus_log_prob() {
    let n = 4;
    let p = normal(n, 2);
    let x = p.sample_n(DRAWS, &mut rng(8));
    let (loc, factor) = (p.loc(), p.cov_factor());
    let every = LowRankMvn::new(
        loc.broadcast((DRAWS, n)).unwrap(),
        factor.broadcast((DRAWS, n, 2)).unwrap(),
        variances(1, n, 3).row(0).to_owned(),
    )
    .unwrap();
    let minus: Vec<f64> =
        every.log_prob(&x.index_axis(Axis(0), 0)).unwrap().iter().map(|value| -value).collect();
    let (mean, sd) = (p.entropy().unwrap()[0], (n as f64 / 2.0).sqrt());
    let name = "mean_low_rank_entropy";
    assert_mean(name, &minus, mean, sd);
    assert_rejects(name, &try_mean(name, &minus, mean + 0.0106 * sd, sd));
}

#[test]
fn many_samples_are_single_ones() {
    let (batch, n, r, samples) = (2, 7, 3, 4);
    let p = LowRankMvn::new(matrix(batch, n, 1), factor(batch, n, r, 2), variances(batch, n, 3)).unwrap();
    let noise = factor(batch, samples, r, 4);
    let own = matrix(batch, n, 5);
    let many = p.rsample_many(&noise, &own).unwrap();
    assert_eq!(many.dim(), (batch, samples, n));
    for k in 0..samples {
        let one = p.rsample(&noise.index_axis(Axis(1), k), &own).unwrap();
        assert_eq!(many.index_axis(Axis(1), k), one);
    }
    let (mut a, mut b) = (rng(1), rng(1));
    let draws = p.sample_n(samples, &mut a);
    for k in 0..samples {
        assert_eq!(draws.index_axis(Axis(1), k), p.sample(&mut b));
    }
    assert!(
        p.rsample_many(&factor(batch, samples, r + 1, 4), &own)
            .unwrap_err()
            .to_string()
            .contains("noise_factor")
    );
}

/// Without a factor, clamped noise is what leaves the mean.
#[test]
fn clamped_noise_stays_within_its_limit() {
    let n = 2000;
    let p: LowRankMvn<'_, f64> =
        LowRankMvn::new(Array2::zeros((1, n)), Array3::zeros((1, n, 1)), 4.0).unwrap();
    let x = p.sample_clamped(1.5, &mut rng(2)).unwrap();
    assert!(x.iter().all(|v| v.abs() <= 3.0));
    assert!(x.iter().any(|v| *v == 3.0) && x.iter().any(|v| *v == -3.0));
    let same = p.sample_clamped(f64::INFINITY, &mut rng(2)).unwrap();
    assert!(x.iter().zip(&same).all(|(x, y)| *x == y.clamp(-3.0, 3.0)));
    for limit in [-1.0, f64::NAN] {
        assert!(p.sample_clamped(limit, &mut rng(2)).unwrap_err().to_string().contains("`limit`"));
    }
    assert_eq!(p.sample_clamped(0.0, &mut rng(2)).unwrap(), p.mean());
}
