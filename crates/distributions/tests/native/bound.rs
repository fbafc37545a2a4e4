//! ELBO and importance-weighted bound: exact shifts, a conjugate model, growth with K, gradient, bad input.

use ndarray::{Array2, array};
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use variata_distributions::{
    ArgumentError, Error, Normal, effective_sample_size, elbo, iwae_bound, iwae_bound_with_grad,
};
use variata_testkit::compare::UNIT_ROUNDOFF_F64;
use variata_testkit::finite_difference::assert_gradient;
use variata_testkit::statistics::{assert_mean, assert_rejects, seed, try_mean};

/// z ~ N(0, 1), x|z ~ N(z, 1), proposal q(z|x) = N(x/2, σ²): log-weights of K draws in each row, for x = 1.
///
/// The posterior is N(x/2, ½) and the evidence N(x; 0, 2).
fn log_weights(rows: usize, k: usize, sd: f64, fixed: u64) -> Array2<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed(fixed));
    let q = Normal::scalar(0.5, sd).unwrap();
    let z = q.sample((rows, k), &mut rng).unwrap();
    let prior = Normal::scalar(0.0, 1.0).unwrap();
    let joint = prior.log_prob(&z).unwrap() + prior.log_prob(&z.mapv(|z| 1.0 - z)).unwrap();
    joint - q.log_prob(&z).unwrap()
}

fn log_evidence() -> f64 {
    -0.25 - 0.5 * (4.0 * std::f64::consts::PI).ln()
}

#[test]
fn the_exact_posterior_gives_the_evidence_with_every_draw() {
    let weights = log_weights(50, 3, 0.5f64.sqrt(), 5);
    for bound in iwae_bound(&weights).unwrap() {
        assert!((bound - log_evidence()).abs() <= 1e-14 * 8.0, "{bound}");
    }
    for size in effective_sample_size(&weights).unwrap() {
        assert!((size - 3.0).abs() < 1e-12, "{size}");
    }
}

#[test]
fn the_weights_average_to_the_evidence() {
    // exp(bound) is the unbiased estimate, whatever K; with σ = 1 the weight is at most √2·e^¼ of its largest value.
    let (rows, k) = (10_000, 4);
    let ratios: Vec<f64> = iwae_bound(&log_weights(rows, k, 1.0, 6))
        .unwrap()
        .iter()
        .map(|bound| (bound - log_evidence()).exp())
        .collect();
    // w/E w = √2 e^(−y²/2) with y ~ N(0, 1): second moment 2/√3.
    let sd = ((2.0 / 3f64.sqrt() - 1.0) / k as f64).sqrt();
    assert_mean("iwae_bound", &ratios, 1.0, sd);
    let summed: Vec<f64> = ratios.iter().map(|r| r * k as f64).collect();
    assert_rejects("iwae_bound", &try_mean("iwae_bound", &summed, 1.0, sd));
}

#[test]
fn the_bound_grows_with_the_number_of_draws_for_the_same_draws() {
    // Jensen: the bound of all draws is at least the mean of the bounds of equal parts, in every row.
    let weights = log_weights(2000, 16, 1.5, 7);
    let all = iwae_bound(&weights).unwrap();
    for part in [1, 2, 4, 8] {
        let parts = weights.to_shape((2000 * 16 / part, part)).unwrap().to_owned();
        let bounds = iwae_bound(&parts).unwrap();
        for (row, all) in all.iter().enumerate() {
            let per_row = 16 / part;
            let mean = (0..per_row).map(|i| bounds[row * per_row + i]).sum::<f64>() / per_row as f64;
            assert!(mean <= all + 1e-13, "row {row}, K = {part}");
        }
    }
    let one = weights.slice(ndarray::s![.., ..1]).to_owned();
    assert_eq!(iwae_bound(&one).unwrap(), one.column(0));
}

#[test]
fn a_shift_of_all_weights_shifts_the_bound_exactly() {
    // Multiples of 2⁻²⁰, so that the shift itself is exact.
    let weights = log_weights(100, 5, 1.0, 8).mapv(|w| (w * 1048576.0).round() / 1048576.0);
    let (base, grad) = iwae_bound_with_grad(&weights).unwrap();
    let (moved, moved_grad) = iwae_bound_with_grad(&weights.mapv(|w| w - 5e5)).unwrap();
    assert_eq!(grad, moved_grad);
    for (base, moved) in base.iter().zip(&moved) {
        // Half an ulp of 5e5 is 2.9e-11.
        assert!((moved + 5e5 - base).abs() <= 6e-11, "{moved}");
    }
}

#[test]
fn gradient_matches_the_stencil() {
    let row = |v: &[f64]| Array2::from_shape_vec((1, 4), v.to_vec()).unwrap();
    assert_gradient(
        "iwae_bound",
        |v| iwae_bound(&row(v)).unwrap()[0],
        &[0.3, -1.0, 2.0, 1.4],
        &[0.5; 4],
        |v| iwae_bound_with_grad(&row(v)).unwrap().1.into_iter().collect(),
        1e-8,
    );
}

#[test]
fn infinite_weights_have_their_limits() {
    let inf = f64::INFINITY;
    let (bound, grad) = iwae_bound_with_grad(&array![[-inf, -inf], [0.0, -inf], [inf, 0.0]]).unwrap();
    assert_eq!(bound, array![-inf, -std::f64::consts::LN_2, inf]);
    assert_eq!(grad, array![[0.5, 0.5], [1.0, 0.0], [1.0, 0.0]]);
}

#[test]
fn bad_input_is_refused_by_name() {
    let name = |e: Error| match e {
        Error::Argument(ArgumentError::Value { argument, .. } | ArgumentError::Shape { argument, .. }) => {
            argument
        }
        other => panic!("{other}"),
    };
    assert_eq!(name(iwae_bound(&Array2::zeros((3, 0))).unwrap_err()), "log_weights");
    assert_eq!(name(effective_sample_size(&array![[0.0, f64::NAN]]).unwrap_err()), "log_weights");
    let one = array![1.0];
    assert_eq!(name(elbo(&array![f64::NAN], &one, 1.0).unwrap_err()), "reconstruction");
    assert_eq!(name(elbo(&one, &array![1.0, 2.0], 1.0).unwrap_err()), "kl");
    for bad in [f64::NAN, -1e-9] {
        assert_eq!(name(elbo(&one, &array![bad], 1.0).unwrap_err()), "kl");
    }
    for bad in [f64::NAN, -1.0, f64::INFINITY] {
        assert_eq!(name(elbo(&one, &one, bad).unwrap_err()), "weight");
    }
    assert_eq!(elbo(&array![-3.0], &array![2.0], 0.5).unwrap(), array![-4.0]);
    assert_eq!(elbo(&array![-3.0], &array![f64::INFINITY], 0.0).unwrap(), array![-3.0]);
}

proptest! {
    #[test]
    fn arbitrary_weights_never_panic(v in prop::collection::vec(any::<f64>(), 6)) {
        let weights = Array2::from_shape_vec((2, 3), v).unwrap();
        if let Ok((bound, grad)) = iwae_bound_with_grad(&weights) {
            for (row, bound) in weights.rows().into_iter().zip(&bound) {
                let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                // (K + 4)u of log-sum-exp and one u of the subtraction, on the scale max(1, |result|).
                let slack = 8.0 * UNIT_ROUNDOFF_F64 * (max.abs() + 2.0);
                prop_assert!(*bound <= max + slack || *bound == max, "{bound}");
            }
            prop_assert!(grad.iter().all(|g| (0.0..=1.0).contains(g)));
            let sizes = effective_sample_size(&weights).unwrap();
            prop_assert!(sizes.iter().all(|s| (1.0 - 1e-15..=3.0 + 1e-15).contains(s)), "{sizes}");
        }
    }
}

#[test]
fn infinite_terms_have_no_difference_and_sizes_stay_in_their_range() {
    let infinite = array![f64::INFINITY];
    assert!(elbo(&infinite, &infinite, 1.0).unwrap_err().to_string().contains("kl"));
    assert_eq!(elbo(&infinite, &infinite, 0.0).unwrap(), infinite);
    for n in [1, 2, 3, 7, 1000, 2953] {
        let size = effective_sample_size(&Array2::zeros((1, n))).unwrap()[0];
        assert!(size <= n as f64 && (size - n as f64).abs() < 1e-12 * n as f64, "{n}: {size}");
    }
}
