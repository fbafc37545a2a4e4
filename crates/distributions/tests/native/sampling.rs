//! Samplers against their distribution functions; each test also rejects a declared mutant.

use ndarray::array;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use variata_distributions::special::{ndtr, sf};
use variata_distributions::{
    Bernoulli, Categorical, DiagonalNormal, Gumbel, KlDivergence, Laplace, Logistic, MultivariateNormal,
    Normal, Uniform, kl::monte_carlo,
};
use variata_testkit::statistics::{
    assert_binomial, assert_chi_square, assert_ks, assert_mean, assert_rejects, seed, try_binomial,
    try_chi_square, try_ks, try_mean,
};

const N: usize = 1_000_000;

fn rng(fixed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed(fixed))
}

/// KS of a family's sample against its own cdf, and the mutant moved by `shift` of its scale.
macro_rules! ks {
    ($test:ident, $name:literal, $family:ident, $a:literal, $b:literal, $cdf:expr, $shift:literal) => {
        #[test]
        fn $test() {
            let p: $family = $family::scalar($a, $b).unwrap();
            let x = p.sample(N, &mut rng(1)).unwrap();
            assert!(x.iter().all(|x| x.is_finite()));
            let x = x.to_vec();
            let cdf: fn(f64) -> f64 = $cdf;
            assert_ks($name, &x, cdf);
            assert_rejects($name, &try_ks($name, &x, |x| cdf(x + $shift)));
        }
    };
}

// The distribution functions are written out once more here, as the textbook has them.
ks!(normal_follows_its_cdf, "ks_normal", Normal, 1.0, 2.0, |x| ndtr((x - 1.0) / 2.0), 0.04);
ks!(
    laplace_follows_its_cdf,
    "ks_laplace",
    Laplace,
    0.0,
    1.0,
    |x| if x < 0.0 { 0.5 * x.exp() } else { 1.0 - 0.5 * (-x).exp() },
    0.02
);
ks!(gumbel_follows_its_cdf, "ks_gumbel", Gumbel, 0.0, 1.0, |x| (-(-x).exp()).exp(), 0.02);
ks!(logistic_follows_its_cdf, "ks_logistic", Logistic, 0.0, 1.0, |x| 1.0 / (1.0 + (-x).exp()), 0.03);
ks!(uniform_follows_its_cdf, "ks_uniform", Uniform, 2.0, 3.0, |x| (x - 2.0).clamp(0.0, 1.0), 0.01);

#[test]
fn gumbel_tail_is_not_cut_in_f32() {
    let p = Gumbel::scalar(0.0f32, 1.0).unwrap();
    let x = p.sample(N, &mut rng(2)).unwrap();
    assert!(x.iter().all(|x| x.is_finite()));
    let beyond = |limit: f32| x.iter().filter(|&&x| x > 8.0 && x <= limit).count() as u64;
    let probability = -(-(-8f64).exp()).exp_m1();
    assert_binomial("tail_gumbel", beyond(f32::INFINITY), N as u64, probability);
    assert_rejects("tail_gumbel", &try_binomial("tail_gumbel", beyond(8.0), N as u64, probability));
}

#[test]
fn normal_tail_has_its_share() {
    let x = Normal::scalar(0.0f64, 1.0).unwrap().sample(N, &mut rng(3)).unwrap();
    let beyond = |limit: f64| x.iter().filter(|x| x.abs() > 4.0 && x.abs() <= limit).count() as u64;
    assert_binomial("tail_normal", beyond(f64::INFINITY), N as u64, 2.0 * sf(4.0));
    assert_rejects("tail_normal", &try_binomial("tail_normal", beyond(4.0), N as u64, 2.0 * sf(4.0)));
}

#[test]
fn bernoulli_has_its_frequency() {
    let x = Bernoulli::scalar(-1.0).unwrap().sample(N, &mut rng(4)).unwrap();
    let ones = x.iter().filter(|&&x| x == 1.0).count() as u64;
    let p = 1.0 / (1.0 + 1f64.exp());
    assert_binomial("freq_bernoulli", ones, N as u64, p);
    assert_rejects("freq_bernoulli", &try_binomial("freq_bernoulli", ones, N as u64, 1.0 - p));
    let sure = Bernoulli::new(array![f64::INFINITY, f64::NEG_INFINITY]).unwrap();
    let x = sure.sample((100, 2), &mut rng(4)).unwrap();
    assert!(x.rows().into_iter().all(|row| row[0] == 1.0 && row[1] == 0.0));
}

#[test]
fn categorical_has_its_frequencies() {
    let p = Categorical::new(array![0.0, 1.0, f64::NEG_INFINITY, -1.0]).unwrap();
    let x = p.sample(N, &mut rng(5)).unwrap();
    let mut counts = [0u64; 4];
    x.iter().for_each(|&k| counts[k] += 1);
    assert_eq!(counts[2], 0);
    let total = 1.0 + 1f64.exp() + (-1f64).exp();
    let (counts, p) =
        ([counts[0], counts[1], counts[3]], [1.0, 1f64.exp(), (-1f64).exp()].map(|w| w / total));
    assert_chi_square("chi2_categorical", &counts, &p);
    let moved = [p[0] + 0.005, p[1] - 0.005, p[2]];
    assert_rejects("chi2_categorical", &try_chi_square("chi2_categorical", &counts, &moved));
}

#[test]
fn monte_carlo_agrees_with_the_closed_form() {
    let (p, q) = (Normal::scalar(0.3, 1.2).unwrap(), Laplace::scalar(0.0, 1.0).unwrap());
    let exact = p.kl(&q).unwrap().sum();
    let estimate = monte_carlo::kl(&p, &q, 20_000, &mut rng(6)).unwrap();
    assert_eq!(estimate.n, 20_000);
    let (mean, error) = (estimate.mean.sum(), estimate.standard_error.sum());
    assert!((mean - exact).abs() <= 6.0 * error && error < 0.01, "{mean} ± {error}, {exact}");
    // The terms themselves, as the ledger has them.
    let x = p.sample(100_000, &mut rng(7)).unwrap();
    let terms = (&p.log_prob(&x).unwrap() - &q.log_prob(&x).unwrap()).to_vec();
    let mean = terms.iter().sum::<f64>() / terms.len() as f64;
    let sd = (terms.iter().map(|t| (t - mean).powi(2)).sum::<f64>() / terms.len() as f64).sqrt();
    assert_mean("mc_kl", &terms, exact, sd);
    let exchanged = q.kl(&p).unwrap().sum();
    assert_rejects("mc_kl", &try_mean("mc_kl", &terms, exchanged, sd));
}

#[test]
fn monte_carlo_of_normals_on_many_dimensions() {
    let loc = || array![[0.5, -1.0], [0.0, 2.0]];
    let p = DiagonalNormal::from_log_variance(loc(), array![[0.3, -0.4], [1.0, 0.0]]).unwrap();
    let tril = array![[[1.2, 0.0], [0.4, 0.9]], [[2.0, 0.0], [-0.5, 1.1]]];
    let q = MultivariateNormal::new(loc() * 0.5, &tril).unwrap();
    let there = (monte_carlo::kl(&p, &q, 5000, &mut rng(13)).unwrap(), p.kl(&q).unwrap());
    let back = (monte_carlo::kl(&q, &p, 5000, &mut rng(14)).unwrap(), q.kl(&p).unwrap());
    for (estimate, exact) in [there, back] {
        for ((mean, error), exact) in estimate.mean.iter().zip(&estimate.standard_error).zip(&exact) {
            assert!((mean - exact).abs() <= 6.0 * error && *error < 0.1, "{mean} ± {error}, {exact}");
        }
    }
}

#[test]
fn monte_carlo_of_discrete_pairs_and_of_supports_that_do_not_nest() {
    let (p, q) = (
        Categorical::new(array![[0.0, 1.0], [2.0, 0.0]]).unwrap(),
        Categorical::new(array![0.5, 0.0]).unwrap(),
    );
    let estimate = monte_carlo::kl(&p, &q, 5000, &mut rng(8)).unwrap();
    let exact = p.kl(&q).unwrap();
    for ((mean, error), exact) in estimate.mean.iter().zip(&estimate.standard_error).zip(&exact) {
        assert!((mean - exact).abs() <= 6.0 * error, "{mean} ± {error}, {exact}");
    }
    let (p, q) = (Normal::scalar(0.0, 1.0).unwrap(), Uniform::scalar(-1.0, 1.0).unwrap());
    let estimate = monte_carlo::kl(&p, &q, 100, &mut rng(9)).unwrap();
    assert_eq!([estimate.mean.sum(), estimate.standard_error.sum()], [f64::INFINITY; 2]);
    let message = monte_carlo::kl(&p, &q, 1, &mut rng(9)).unwrap_err().to_string();
    assert_eq!(message, "`n` is 1, must be >= 2");
}

#[test]
fn draws_are_the_transformed_noise_and_depend_on_the_seed_alone() {
    let p = Normal::new(array![0.0, 10.0], array![[1.0], [2.0], [3.0]]).unwrap();
    let (a, b) = (p.sample((3, 2), &mut rng(10)).unwrap(), p.sample((3, 2), &mut rng(10)).unwrap());
    assert_eq!(a, b);
    let noise = Normal::scalar(0.0, 1.0).unwrap().sample((3, 2), &mut rng(10)).unwrap();
    assert_eq!(p.rsample(&noise).unwrap(), a);
    let logistic = Logistic::scalar(0.0, 1.0).unwrap().sample(50, &mut rng(11)).unwrap();
    let p = Bernoulli::scalar(0.3).unwrap();
    assert_eq!(p.sample_from_noise(&logistic).unwrap(), p.sample(50, &mut rng(11)).unwrap());
    let gumbel = Gumbel::scalar(0.0, 1.0).unwrap().sample((50, 3), &mut rng(12)).unwrap().into_dyn();
    let p = Categorical::new(array![0.3, 0.0, -0.5]).unwrap();
    assert_eq!(p.sample_from_noise(&gumbel).unwrap(), p.sample([50], &mut rng(12)).unwrap().into_dyn());
    let matrix = gumbel.into_dimensionality::<ndarray::Ix2>().unwrap();
    assert_eq!(p.sample_from_noise(&matrix).unwrap(), p.sample(50, &mut rng(12)).unwrap());
}
