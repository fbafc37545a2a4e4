//! Factors stored as halves: what is computed is exact for the rounded factor.

use half::{bf16, f16};
use ndarray::{Array2, Array3};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use variata_lowrank_mvn::{LowRankMvn, Storage};

use crate::support::{factor, matrix};

fn check<S: Storage>(round: fn(f64) -> S) {
    for (n, r) in [(300, 25), (40, 3), (4, 6)] {
        let batch = 2;
        let (loc, x) = (matrix(batch, n, 1).mapv(|v| v as f32), matrix(batch, n, 2).mapv(|v| v as f32));
        let stored: Array3<S> = factor(batch, n, r, 3).mapv(round);
        let exact: Array3<f32> = stored.mapv(|v| v.to_f64() as f32);
        for d in [1.0f32, 1e-5] {
            let columns = stored.view().permuted_axes([0, 2, 1]).as_standard_layout().into_owned();
            let want = LowRankMvn::new(loc.view(), exact.view(), d).unwrap();
            let both = want.log_prob_and_entropy_with_grad(&x).unwrap();
            for view in [stored.view(), columns.view().permuted_axes([0, 2, 1])] {
                let p = LowRankMvn::with_storage(loc.view(), view, d).unwrap();
                assert_eq!(p.log_prob(&x).unwrap(), both.log_prob);
                assert_eq!(p.entropy().unwrap(), both.entropy);
                assert_eq!(p.variance(), want.variance());
                assert_eq!(p.covariance_row(n - 1).unwrap(), want.covariance_row(n - 1).unwrap());
                let near = |got: &Array2<f32>, want: &Array2<f32>| {
                    for (got, want) in got.iter().zip(want) {
                        assert!((got - want).abs() <= 2e-5 * (1.0 + want.abs()), "{got} {want}");
                    }
                };
                near(&p.covariance_times(&x).unwrap(), &want.covariance_times(&x).unwrap());
                let noise = matrix(batch, r, 5).mapv(|v| v as f32);
                near(&p.rsample(&noise, &x).unwrap(), &want.rsample(&noise, &x).unwrap());
                let values = Array2::from_elem((batch, 1), 0.5);
                near(
                    &p.condition(&[1], &values).unwrap().mean(),
                    &want.condition(&[1], &values).unwrap().mean(),
                );
                let found = p.log_prob_and_entropy_with_grad(&x).unwrap();
                for (got, want) in [
                    (&found.log_prob_grad.cov_factor, &both.log_prob_grad.cov_factor),
                    (&found.entropy_grad.cov_factor, &both.entropy_grad.cov_factor),
                ] {
                    let size = want.iter().map(|v| v * v).sum::<f32>().sqrt();
                    let off = (got - want).iter().map(|v| v * v).sum::<f32>().sqrt();
                    assert!(off <= 2e-5 * size, "{n}×{r}, {d}: {off} of {size}");
                }
                let found = p.principal_components().unwrap();
                let sizes = want.principal_components().unwrap().standard_deviations;
                near(&found.standard_deviations, &sizes);
            }
        }
    }
}

#[test]
fn half_precision_is_storage_only() {
    check(f16::from_f64);
}

#[test]
fn brain_floats_are_storage_only() {
    check(bf16::from_f64);
}

/// The documented warning: at the SOS-VAE paper's D and rows of norm 5, rounding P to bf16 is another model.
#[test]
fn brain_floats_change_the_model_of_small_diagonals() {
    let (n, r) = (2000, 25);
    let mut p = factor(1, n, r, 3);
    for mut row in p.index_axis_mut(ndarray::Axis(0), 0).rows_mut() {
        let size = row.iter().map(|v| v * v).sum::<f64>().sqrt();
        row *= 5.0 / size;
    }
    let loc = Array2::zeros((1, n));
    let exact = LowRankMvn::new(loc.view(), p.view(), 1e-5).unwrap();
    let x = exact.sample(&mut ChaCha8Rng::seed_from_u64(1));
    let rounded = LowRankMvn::with_storage(loc.view(), p.mapv(bf16::from_f64), 1e-5).unwrap();
    let ratio = rounded.mahalanobis(&x).unwrap()[0] / exact.mahalanobis(&x).unwrap()[0];
    assert!((3.0..8.0).contains(&ratio), "{ratio}");
}

#[test]
fn elements_that_are_no_numbers_are_found() {
    let mut p = factor(1, 5, 2, 3).mapv(f16::from_f64);
    p[(0, 3, 1)] = f16::INFINITY;
    let error = LowRankMvn::with_storage(Array2::<f32>::zeros((1, 5)), p, 1.0).unwrap_err().to_string();
    assert!(error.starts_with("`cov_factor[7]` is inf"), "{error}");
}
