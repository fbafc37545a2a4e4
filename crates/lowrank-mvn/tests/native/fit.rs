//! Fits to data.

use ndarray::{Array1, Array2, Array3, ArrayRef2, Axis, concatenate, s};
use proptest::prelude::*;
use variata_distributions::linalg::symmetric_eigen;
use variata_lowrank_mvn::{
    CovDiag, FitOptions, LowRankMvn, OnlinePpca, Pca, fit_factor_analysis, fit_ppca, pca,
};

use crate::support::{matrix, wave};

const EXACT: FitOptions = FitOptions { floor: 0.0, max_iterations: 2000, tolerance: 1e-13 };

/// Samples on a plane of `rank` directions, and noise.
fn data(samples: usize, n: usize, rank: usize, salt: usize) -> Array2<f64> {
    let mut scores = matrix(samples, rank, salt);
    for (k, mut column) in scores.columns_mut().into_iter().enumerate() {
        column *= 4.0 / (1.0 + k as f64);
    }
    scores.dot(&matrix(rank, n, salt + 1))
        + 0.3 * matrix(samples, n, salt + 2)
        + &Array1::from_shape_fn(n, |i| wave(i, salt + 3))
}

fn covariance(data: &Array2<f64>) -> Array2<f64> {
    let centred = data - &data.mean_axis(Axis(0)).unwrap();
    centred.t().dot(&centred) / data.nrows() as f64
}

/// Mean log-likelihood per sample.
fn likelihood(p: &LowRankMvn<'_>, data: &Array2<f64>) -> f64 {
    each(p, data).log_prob(data).unwrap().mean().unwrap()
}

/// A distribution for every sample.
fn each(p: &LowRankMvn<'_>, data: &Array2<f64>) -> LowRankMvn<'static> {
    let (samples, n) = data.dim();
    let (_, _, r) = p.cov_factor().dim();
    LowRankMvn::new(
        p.loc().broadcast((samples, n)).unwrap().to_owned(),
        p.cov_factor().broadcast((samples, n, r)).unwrap().to_owned(),
        own(p).broadcast((samples, n)).unwrap().to_owned(),
    )
    .unwrap()
}

fn own(p: &LowRankMvn<'_>) -> Array1<f64> {
    match p.cov_diag() {
        CovDiag::Scalar(d) => Array1::from_elem(p.dim(), *d),
        CovDiag::Vector(d) => d.to_owned(),
        CovDiag::Batch(d) => d.row(0).to_owned(),
    }
}

fn eigen(data: &Array2<f64>) -> (Vec<f64>, Vec<Vec<f64>>) {
    let (covariance, n) = (covariance(data), data.ncols());
    let (values, vectors) = symmetric_eigen(&covariance.iter().copied().collect::<Vec<_>>(), n);
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| values[j].total_cmp(&values[i]));
    (
        order.iter().map(|&i| values[i]).collect(),
        order.iter().map(|&i| vectors[i * n..(i + 1) * n].to_vec()).collect(),
    )
}

#[test]
fn components_are_the_dense_eigenvectors() {
    for (samples, n, rank) in [(40, 12, 4), (9, 30, 5), (200, 6, 6), (8, 20, 7), (30, 50, 0), (2, 3, 1)] {
        let data = data(samples, n, rank.max(1), 3);
        let (values, vectors) = eigen(&data);
        let found = pca(&data, rank, &EXACT).unwrap();
        for k in 0..rank {
            let value = found.explained_variance[k];
            assert!(
                (value - values[k]).abs() <= 1e-12 * values[0],
                "{samples} {n} {k}: {value} {}",
                values[k]
            );
            let along: f64 = found.directions.row(k).iter().zip(&vectors[k]).map(|(a, b)| a * b).sum();
            let gap =
                (0..n).filter(|&j| j != k).map(|j| (values[j] - values[k]).abs()).fold(f64::MAX, f64::min);
            assert!(
                (along.abs() - 1.0).abs() <= 1e-18 * (values[0] / gap).powi(2) + 1e-13,
                "{samples} {n} {k}"
            );
            let largest =
                found.directions.row(k).iter().fold(0.0f64, |m, v| if v.abs() > m.abs() { *v } else { m });
            assert!(largest > 0.0);
        }
        let product = found.directions.dot(&found.directions.t());
        assert!((product - Array2::<f64>::eye(rank)).iter().all(|v| v.abs() < 1e-14));
        let rest: f64 = values[rank..].iter().sum();
        assert!((found.residual_variance - rest).abs() <= 1e-12 * values[0], "{samples} {n}");
    }
}

/// Tipping & Bishop prove the optimum; here no step from it in any direction rises, and the gradient vanishes.
#[test]
fn no_neighbour_is_likelier_than_the_closed_form() {
    let (samples, n, rank) = (25, 7, 2);
    let data = data(samples, n, rank, 11);
    let fitted = fit_ppca(&data, rank, &EXACT).unwrap();
    let (factor, best) = (fitted.cov_factor().to_owned(), likelihood(&fitted, &data));
    let epsilon = own(&fitted)[0];
    for trial in 0..1000 {
        let size = 10f64.powi(-(trial as i32 % 5));
        let step = size * matrix(n, rank, 100 + trial).insert_axis(Axis(0));
        let loc = fitted.loc().to_owned() + size * matrix(1, n, 2100 + trial);
        let other = epsilon * (size * wave(trial, 4100)).exp();
        let moved = LowRankMvn::new(loc, &factor + &step, other).unwrap();
        let found = likelihood(&moved, &data);
        assert!(found <= best + 1e-13 * best.abs(), "{trial}: {found} above {best}");
    }
    let every = each(&fitted, &data);
    let (_, grad) = every.log_prob_with_grad(&data).unwrap();
    let mean = |v: f64| v.abs() / samples as f64;
    assert!(grad.loc.sum_axis(Axis(0)).iter().all(|v| mean(*v) < 1e-12));
    assert!(grad.cov_factor.sum_axis(Axis(0)).iter().all(|v| mean(*v) < 1e-11));
    assert!(mean(grad.cov_diag.sum()) < 1e-10);
}

#[test]
fn the_closed_form_has_the_leading_eigenvalues() {
    let (samples, n, rank) = (60, 9, 3);
    let data = data(samples, n, rank, 5);
    let (values, _) = eigen(&data);
    let noise = values[rank..].iter().sum::<f64>() / (n - rank) as f64;
    let fitted = fit_ppca(&data, rank, &EXACT).unwrap();
    let (found, _) = {
        let covariance = fitted.covariance_matrix().index_axis(Axis(0), 0).to_owned();
        symmetric_eigen(&covariance.iter().copied().collect::<Vec<_>>(), n)
    };
    let mut found = found;
    found.sort_by(|a, b| b.total_cmp(a));
    for (k, value) in found.iter().enumerate() {
        let want = if k < rank { values[k] } else { noise };
        assert!((value - want).abs() <= 1e-12 * values[0], "{k}: {value} {want}");
    }
}

#[test]
fn singles_are_fitted_as_their_doubles_are() {
    let data = data(30, 200, 3, 9).mapv(|v| v as f32);
    let wide = data.mapv(f64::from);
    let (single, double) = (pca(&data, 3, &EXACT).unwrap(), pca(&wide, 3, &EXACT).unwrap());
    for (a, b) in single.directions.iter().zip(&double.directions) {
        assert!((f64::from(*a) - b).abs() <= 1e-7);
    }
    assert_eq!(single.explained_variance, double.explained_variance.mapv(|v| v as f32));
}

#[test]
fn components_alone_have_samples_but_no_density() {
    let data = data(30, 8, 2, 9);
    let plane = pca(&data, 2, &EXACT).unwrap().distribution().unwrap();
    let x = plane.sample(&mut support_rng());
    let Pca { mean, directions, .. } = pca(&data, 2, &EXACT).unwrap();
    let gap = &x.row(0) - &mean;
    let rest = &gap - &directions.t().dot(&directions.dot(&gap));
    assert!(rest.iter().all(|v| v.abs() < 1e-14));
    assert!(plane.log_prob(&x).unwrap_err().to_string().contains("cov_diag"));
}

fn support_rng() -> rand_chacha::ChaCha8Rng {
    use rand_chacha::rand_core::SeedableRng;
    rand_chacha::ChaCha8Rng::seed_from_u64(1)
}

#[test]
fn expectation_maximisation_never_falls_and_beats_the_common_variance() {
    for (samples, n, rank) in [(80, 10, 2), (200, 6, 1), (12, 20, 3)] {
        let mut data = data(samples, n, rank, 21);
        for (i, mut column) in data.columns_mut().into_iter().enumerate() {
            column *= 1.0 + i as f64;
        }
        // Without a floor, fewer samples than dimensions let a variance fall to 0.
        let options = FitOptions { floor: 1e-3, max_iterations: 300, ..EXACT };
        let start = fit_ppca(&data, rank, &options).unwrap();
        let found = fit_factor_analysis(&data, rank, &options).unwrap();
        for pair in found.history.windows(2) {
            assert!(pair[1] >= pair[0] - 1e-12 * pair[0].abs(), "{pair:?}");
        }
        let last = *found.history.last().unwrap();
        let now = likelihood(&found.distribution, &data);
        assert!(now >= last - 1e-9 * last.abs(), "{now} {last}");
        assert!(now > likelihood(&start, &data));
        assert!(!found.converged || found.history.len() < 300);
    }
}

/// Where expectation–maximisation stands still the likelihood's gradient is 0.
#[test]
fn expectation_maximisation_ends_where_the_gradient_vanishes() {
    let data = data(400, 6, 1, 31);
    let options = FitOptions { max_iterations: 20_000, tolerance: 1e-16, floor: 0.0 };
    let found = fit_factor_analysis(&data, 1, &options).unwrap();
    let every = each(&found.distribution, &data);
    let (_, grad) = every.log_prob_with_grad(&data).unwrap();
    let count = data.nrows() as f64;
    let own = own(&found.distribution);
    for (slope, d) in grad.cov_diag.sum_axis(Axis(0)).iter().zip(&own) {
        assert!((slope * d / count).abs() < 1e-5, "{slope} {d}");
    }
    assert!(grad.cov_factor.sum_axis(Axis(0)).iter().all(|v| (v / count).abs() < 1e-4));
}

#[test]
fn batches_give_what_the_whole_gives() {
    let (samples, n, rank) = (150, 12, 3);
    let data = data(samples, n, rank, 41);
    let whole = fit_ppca(&data, rank, &EXACT).unwrap();
    // With as many spare directions as there are dimensions nothing is truncated.
    let mut online = OnlinePpca::new(n, rank, n).unwrap();
    for start in (0..samples).step_by(37) {
        online.update(&data.slice(s![start..samples.min(start + 37), ..])).unwrap();
    }
    assert_eq!(online.count(), samples);
    let batched = online.distribution::<f64>(&EXACT).unwrap();
    let gap = batched.covariance_matrix() - whole.covariance_matrix();
    assert!(gap.iter().all(|v| v.abs() < 1e-12), "{gap}");
    assert!((&batched.loc() - &whole.loc()).iter().all(|v| v.abs() < 1e-14));
    // Truncated: the total variance stays exact, the likelihood falls short by little.
    let mut short = OnlinePpca::new(n, rank, 2).unwrap();
    for row in data.axis_chunks_iter(Axis(0), 10) {
        short.update(&row).unwrap();
    }
    let short = short.distribution::<f64>(&EXACT).unwrap();
    assert!((short.variance().sum() - whole.variance().sum()).abs() < 1e-11);
    let (a, b) = (likelihood(&short, &data), likelihood(&whole, &data));
    assert!(a <= b + 1e-12 && a > b - 0.1, "{a} {b}");
}

#[test]
fn dimensions_that_do_not_vary_need_a_floor_of_their_own_only_where_each_has_its_variance() {
    let mut data = data(40, 6, 2, 51);
    data.column_mut(3).fill(7.0);
    let common = fit_ppca(&data, 2, &EXACT).unwrap();
    assert!(common.variance()[(0, 3)] > 0.0);
    let refused = fit_factor_analysis(&data, 2, &EXACT).unwrap_err().to_string();
    assert!(refused.contains("[3]") && refused.contains("floor"), "{refused}");
    let floor = FitOptions { floor: 1e-6, ..EXACT };
    let free = fit_factor_analysis(&data, 2, &floor).unwrap().distribution;
    assert!((free.variance()[(0, 3)] - 1e-6).abs() < 1e-12);
    assert_eq!(free.loc()[(0, 3)], 7.0);
}

#[test]
fn data_that_lie_on_the_plane_need_a_floor() {
    let data = matrix(30, 2, 1).dot(&matrix(2, 8, 2));
    let floor = FitOptions { floor: 1e-5, ..EXACT };
    // Rounding leaves some variance: the floor decides.
    let fitted = fit_ppca(&data, 2, &floor).unwrap();
    assert!((own(&fitted)[0] - 1e-5).abs() < 1e-12);
    let constant = Array2::from_elem((10, 4), 3.0);
    assert!(fit_ppca(&constant, 1, &EXACT).unwrap_err().to_string().contains("floor"));
    let still: LowRankMvn<'_, f64> = fit_ppca(&constant, 1, &floor).unwrap();
    assert!(still.cov_factor().iter().all(|v| *v == 0.0));
    assert!((still.variance()[(0, 0)] - 1e-5).abs() < 1e-18);
}

#[test]
fn bad_input_is_named() {
    let good = data(10, 4, 1, 61);
    let mut holed = good.clone();
    holed[(2, 1)] = f64::NAN;
    let huge = good.mapv(|v| v * 1e200);
    let options = FitOptions::default();
    let fails = |data: &ArrayRef2<f64>, rank: usize, options: &FitOptions, names: &str| {
        for error in [
            pca(data, rank, options).unwrap_err(),
            fit_ppca(data, rank, options).unwrap_err(),
            fit_factor_analysis(data, rank, options).unwrap_err(),
        ] {
            assert!(error.to_string().contains(names), "{error} does not name {names}");
        }
    };
    fails(&good.slice(s![..1, ..]), 0, &options, "samples");
    fails(&Array2::zeros((0, 4)), 0, &options, "samples");
    fails(&good, 5, &options, "rank");
    fails(&good.slice(s![..3, ..]), 3, &options, "rank");
    fails(&holed, 1, &options, "data");
    fails(&huge, 1, &options, "variance");
    fails(&good, 1, &FitOptions { floor: -1.0, ..options }, "floor");
    fails(&good, 1, &FitOptions { tolerance: f64::NAN, ..options }, "tolerance");
    let mut online = OnlinePpca::new(4, 1, 2).unwrap();
    assert!(online.distribution::<f64>(&options).unwrap_err().to_string().contains("samples"));
    assert!(online.update(&good.slice(s![.., ..3])).unwrap_err().to_string().contains("batch"));
    assert!(online.update(&holed).unwrap_err().to_string().contains("batch"));
    assert_eq!(online.count(), 0);
    assert_eq!(OnlinePpca::new(4, 5, 0).unwrap_err().to_string(), "`rank` is 5, must be at most n");
}

/// Whose mean is rounded: what is left varies by less than the rounding of the data.
#[test]
fn constant_data_have_directions_at_once() {
    for value in [3.7, 1e10 / 3.0, -1e-3] {
        let data = Array2::from_elem((300, 40), value);
        let found = pca(&data, 5, &FitOptions { max_iterations: 3, ..EXACT }).unwrap();
        assert!(found.converged, "{value}");
        let rounding = (300.0 * f64::EPSILON * value).powi(2) * 40.0;
        assert!(
            found.explained_variance.iter().all(|v| *v <= rounding),
            "{value}: {}",
            found.explained_variance
        );
    }
}

/// Two directions and beside them noise of 10⁻⁹, whose variance is below the rounding of theirs.
#[test]
fn weak_directions_are_found_beside_strong_ones() {
    let (samples, n) = (200, 8);
    let data = Array2::from_shape_fn((samples, n), |(s, i)| {
        let (t, u) = ((s * 37 % 101) as f64 / 10.0, (s * 53 % 89) as f64 / 7.0);
        let noise = ((s * 7919 + i * 104_729) % 1000) as f64 / 500.0 - 1.0;
        t * (i + 1) as f64 + u * ((i * i) as f64).cos() + 1e-9 * noise
    });
    let found = pca(&data, 4, &EXACT).unwrap();
    assert!(found.converged);
    let centred = &data - &data.mean_axis(Axis(0)).unwrap();
    for (k, direction) in found.directions.rows().into_iter().enumerate() {
        let along = centred.dot(&direction).mapv(|v| v * v).sum() / samples as f64;
        let got = found.explained_variance[k];
        assert!((got / along - 1.0).abs() < 1e-6, "{k}: {got} {along}");
        assert!(k == 0 || got <= found.explained_variance[k - 1]);
    }
    // More directions never fit worse, and as well as those of the batches' own way.
    let fits: Vec<f64> =
        (0..=6).map(|rank| likelihood(&fit_ppca(&data, rank, &EXACT).unwrap(), &data)).collect();
    assert!(fits.windows(2).all(|pair| pair[1] >= pair[0] - 1e-6), "{fits:?}");
    let mut online = OnlinePpca::new(n, 4, 4).unwrap();
    online.update(&data).unwrap();
    let online = likelihood(&online.distribution(&EXACT).unwrap(), &data);
    assert!(fits[4] > online - 1e-3, "{} {online}", fits[4]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    /// Appending samples one by one or at once is the same.
    #[test]
    fn order_of_batches_does_not_matter(samples in 3usize..40, n in 1usize..8, split in 1usize..39, salt in 0usize..1000) {
        let data = data(samples, n, 1, salt);
        let split = split.min(samples - 1);
        let (first, second) = data.view().split_at(Axis(0), split);
        let mut a = OnlinePpca::new(n, 1, n).unwrap();
        a.update(&data).unwrap();
        let mut b = OnlinePpca::new(n, 1, n).unwrap();
        b.update(&second).unwrap();
        b.update(&first).unwrap();
        let options = FitOptions { floor: 1e-3, ..EXACT };
        let (a, b) = (a.distribution::<f64>(&options).unwrap(), b.distribution::<f64>(&options).unwrap());
        let gap = a.covariance_matrix() - b.covariance_matrix();
        prop_assert!(gap.iter().all(|v| v.abs() < 1e-10), "{}", gap);
        let joined = concatenate(Axis(0), &[second, first]).unwrap();
        let whole = fit_ppca(&joined, 1, &options).unwrap();
        let gap = whole.covariance_matrix() - a.covariance_matrix();
        prop_assert!(gap.iter().all(|v| v.abs() < 1e-10), "{}", gap);
        let none: Array3<f64> = fit_ppca(&joined, 0, &options).unwrap().cov_factor().to_owned();
        prop_assert_eq!(none.len(), 0);
    }
}

/// A direction that is a million times as strong as the noise hides it from no fit.
#[test]
fn strong_directions_leave_the_noise_its_variance() {
    let (samples, n) = (400, 50);
    let along = matrix(1, n, 2);
    for strength in [1.0, 1e4, 1e6] {
        let data = strength * matrix(samples, 1, 1).dot(&along) + 0.1 * matrix(samples, n, 3);
        let mut online = OnlinePpca::new(n, 1, 6).unwrap();
        for rows in data.axis_chunks_iter(Axis(0), 64) {
            online.update(&rows).unwrap();
        }
        // The variance as it is stored, not as a difference from that of the pixel.
        let batched = own(&online.distribution(&EXACT).unwrap())[0];
        let exact = own(&fit_ppca(&data, 1, &EXACT).unwrap())[0];
        assert!((batched / exact - 1.0).abs() < 1e-3, "{strength}: {batched} {exact}");
    }
}

#[test]
fn likelihoods_do_not_fall_at_small_floors() {
    let mut data = matrix(30, 5, 4);
    let first = data.column(0).to_owned();
    data.column_mut(1).assign(&first);
    for floor in [1e-6, 1e-8, 1e-10, 1e-12, 1e-14] {
        let found = fit_factor_analysis(&data, 2, &FitOptions { floor, ..EXACT }).unwrap();
        assert!(found.history.windows(2).all(|pair| pair[1] >= pair[0]), "{floor}");
        let (last, now) = (found.history.last().unwrap(), likelihood(&found.distribution, &data));
        assert!((now - last).abs() <= 1e-5 * now.abs(), "{floor}: {now} {last}");
    }
}

#[test]
fn units_that_over_or_underflow_are_refused() {
    let data = matrix(60, 40, 3);
    for scale in [1e80, 1e-85, 1e200] {
        let scaled = &data * scale;
        let refused = pca(&scaled, 3, &EXACT).unwrap_err().to_string();
        assert!(refused.contains("data") || refused.contains("variance"), "{refused}");
    }
    for scale in [1e60, 1e-60] {
        let (plain, scaled) = (pca(&data, 3, &EXACT).unwrap(), pca(&(&data * scale), 3, &EXACT).unwrap());
        for (a, b) in plain.explained_variance.iter().zip(&scaled.explained_variance) {
            assert!((b / (a * scale * scale) - 1.0).abs() < 1e-9);
        }
    }
    let refused = OnlinePpca::new(40, 3, 2).unwrap().update(&(&data * 1e80)).unwrap_err().to_string();
    assert!(refused.contains("`batch["), "{refused}");
}

#[test]
fn variances_that_the_type_does_not_hold_are_refused() {
    let data = |size: f32| Array2::from_shape_fn((9, 3), |(s, i)| size * ((s * 3 + i) as f32).sin());
    let options = FitOptions::default();
    for size in [1e-25f32, 1e20] {
        let refused = [
            fit_ppca(&data(size), 1, &options).map(|_| ()),
            fit_factor_analysis(&data(size), 1, &options).map(|_| ()),
        ];
        for result in refused {
            let text = result.unwrap_err().to_string();
            assert!(text.contains("variance") && text.contains("change the units"), "{size}: {text}");
        }
    }
    assert!(pca(&data(1e20), 1, &options).unwrap_err().to_string().contains("variance"));
    let flat = Array2::<f32>::ones((5, 2));
    let tiny = FitOptions { floor: 1e-60, ..options };
    assert!(fit_ppca(&flat, 1, &tiny).unwrap_err().to_string().contains("options.floor"));
    assert!(OnlinePpca::new(usize::MAX, 1, 1).is_err());
}
