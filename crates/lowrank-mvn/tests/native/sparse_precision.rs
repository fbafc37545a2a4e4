//! The sparse-precision normal against the dense one.

use ndarray::{Array1, Array2, Array3, Axis};
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use variata_distributions::{DiagonalNormal, MultivariateNormal};
use variata_lowrank_mvn::{Error, PixelGrid, SparsePrecisionNormal};

use crate::support::{assert_close, factor, matrix};

fn normal(grid: PixelGrid, salt: usize) -> SparsePrecisionNormal<f64> {
    let n = grid.len();
    let off = factor(2, grid.offsets().len(), n, salt + 2) * 0.4;
    SparsePrecisionNormal::new(grid, matrix(2, n, salt), matrix(2, n, salt + 1) * 0.5, off).unwrap()
}

fn dense(p: &SparsePrecisionNormal<f64>) -> MultivariateNormal<f64> {
    let l = p.precision_tril();
    let mut precision = Array3::zeros(l.raw_dim());
    for (l, mut to) in l.axis_iter(Axis(0)).zip(precision.axis_iter_mut(Axis(0))) {
        to.assign(&l.dot(&l.t()));
    }
    let diag = l.index_axis(Axis(0), 1).diag().to_owned();
    assert_close("diagonal", &diag, &p.log_diag().row(1).mapv(f64::exp), 1e-15);
    MultivariateNormal::from_precision(p.loc().to_owned(), &precision).unwrap()
}

#[test]
fn all_images_agree_with_the_dense_distribution() {
    for (height, width, channels, k) in
        [(3, 4, 1, 3), (4, 3, 2, 5), (1, 7, 1, 3), (6, 1, 1, 5), (2, 2, 3, 7), (5, 5, 1, 1), (4, 6, 1, 5)]
    {
        let grid = PixelGrid::new(height, width, channels, k).unwrap();
        let (p, n) = (normal(grid, k), grid.len());
        let (full, x) = (dense(&p), matrix(2, n, 9));
        let name = format!("{height}×{width}×{channels}, k = {k}");
        // The dense reference inverts the precision, whose condition number is some 1e4 here.
        assert_close(&name, &p.log_prob(&x).unwrap(), &full.log_prob(&x).unwrap(), 1e-10);
        assert_close(&name, &p.mahalanobis(&x).unwrap(), &full.mahalanobis(&x).unwrap(), 1e-10);
        assert_close(&name, &p.entropy(), &full.entropy(), 1e-11);
        let flat = |a: Array2<f64>| Array1::from_iter(a);
        assert_close(&name, &flat(p.variance().unwrap()), &flat(full.variance()), 1e-9);
        let there = p.precision_times(&p.covariance_times(&x).unwrap()).unwrap();
        assert_close(&name, &flat(there), &flat(x.clone()), 1e-9);
        // L is lower triangular, and Lᵀ whitens what noise made.
        let sample = p.rsample(&x).unwrap() - p.mean();
        for b in 0..2 {
            let l = p.precision_tril().index_axis(Axis(0), b).to_owned();
            assert!((0..n).all(|i| (i + 1..n).all(|j| l[(i, j)] == 0.0)));
            assert_close(&name, &l.t().dot(&sample.row(b)), &x.row(b).to_owned(), 1e-10);
        }
    }
}

/// x₀ = ω₀ + x₁ − x₂ and x₁ = e^-0.1·ω₁ + x₂: x₂, whose variance is e^(−2·last), is in neither, and in all terms of the recursion.
#[test]
fn variances_do_not_cancel() {
    let grid = PixelGrid::new(1, 3, 1, 5).unwrap();
    let mut off = Array3::zeros((1, grid.offsets().len(), 3));
    (off[(0, 0, 0)], off[(0, 1, 0)], off[(0, 0, 1)]) = (-1.0, 1.0, -0.1f64.exp());
    for last in [0.0, -5.0, -10.0, -15.0, -17.0, -20.0, -300.0] {
        let diag = Array2::from_shape_vec((1, 3), vec![0.0, 0.1, last]).unwrap();
        let p = SparsePrecisionNormal::new(grid, Array2::zeros((1, 3)), diag, off.clone()).unwrap();
        let got = p.variance().unwrap();
        // Entries of L are rounded: x₂ weighs 10⁻¹⁶ of itself in x₀.
        let slack = 1e-9 + 1e-31 * (-2.0 * f64::max(last, -20.0)).exp();
        let want = 1.0 + (-0.2f64).exp();
        if last >= -20.0 {
            assert!((got[(0, 0)] / want - 1.0).abs() < slack, "{last}: {got}");
        }
        assert!((got[(0, 2)] / (-2.0 * last).exp() - 1.0).abs() < 1e-12, "{last}: {got}");
    }
}

#[test]
fn a_gradient_that_overflows_is_no_nan() {
    let grid = PixelGrid::new(1, 2, 1, 3).unwrap();
    let diag = Array2::from_shape_vec((1, 2), vec![350.0, 0.0]).unwrap();
    let off = Array3::zeros((1, grid.offsets().len(), 2));
    let p = SparsePrecisionNormal::new(grid, Array2::zeros((1, 2)), diag, off).unwrap();
    let x = Array2::from_shape_vec((1, 2), vec![1e200, 0.0]).unwrap();
    let refused = p.log_prob_with_grad(&x).unwrap_err();
    assert_eq!(refused, Error::Overflow { quantity: "the gradient", batch: 0 });
}

#[test]
fn a_neighbourhood_of_one_is_a_diagonal_normal() {
    let grid = PixelGrid::new(2, 3, 1, 1).unwrap();
    assert!(grid.offsets().is_empty());
    let (loc, log_diag) = (matrix(2, 6, 1), matrix(2, 6, 2));
    let p =
        SparsePrecisionNormal::new(grid, loc.clone(), log_diag.clone(), Array3::zeros((2, 0, 6))).unwrap();
    let diagonal = DiagonalNormal::new(loc, log_diag.mapv(|v| (-v).exp())).unwrap();
    let x = matrix(2, 6, 3);
    assert_close("log_prob", &p.log_prob(&x).unwrap(), &diagonal.log_prob(&x).unwrap(), 1e-13);
    assert_close("entropy", &p.entropy(), &diagonal.entropy(), 1e-13);
}

#[test]
fn gradients_match_differences() {
    let grid = PixelGrid::new(3, 3, 1, 3).unwrap();
    let (loc, log_diag, off) = (matrix(1, 9, 1), matrix(1, 9, 2), factor(1, 4, 9, 3));
    let x = matrix(1, 9, 4);
    let value = |x: &Array2<f64>, loc: &Array2<f64>, log_diag: &Array2<f64>, off: &Array3<f64>| {
        let p = SparsePrecisionNormal::new(grid, loc.clone(), log_diag.clone(), off.clone()).unwrap();
        p.log_prob(x).unwrap()[0]
    };
    let p = SparsePrecisionNormal::new(grid, loc.clone(), log_diag.clone(), off.clone()).unwrap();
    let (found, grad) = p.log_prob_with_grad(&x).unwrap();
    assert_eq!(found, p.log_prob(&x).unwrap());
    let slope = |f: &dyn Fn(f64) -> f64| {
        let d = |k: f64| (f(k * 1e-2) - f(-k * 1e-2)) / (2e-2 * k);
        1.5 * d(1.0) - 0.6 * d(2.0) + 0.1 * d(3.0)
    };
    let near = |got: f64, want: f64, name: &str| {
        assert!((got - want).abs() <= 1e-8 * (1.0 + want.abs()), "{name}: {got} {want}");
    };
    let moved = |a: &Array2<f64>, i: usize, h: f64| {
        let mut a = a.clone();
        a[(0, i)] += h;
        a
    };
    for i in 0..9 {
        near(grad.x[(0, i)], slope(&|h| value(&moved(&x, i, h), &loc, &log_diag, &off)), "x");
        near(grad.loc[(0, i)], slope(&|h| value(&x, &moved(&loc, i, h), &log_diag, &off)), "loc");
        near(grad.log_diag[(0, i)], slope(&|h| value(&x, &loc, &moved(&log_diag, i, h), &off)), "log_diag");
        for o in 0..4 {
            let want = slope(&|h| {
                let mut off = off.clone();
                off[(0, o, i)] += h;
                value(&x, &loc, &log_diag, &off)
            });
            near(grad.off_diag[(0, o, i)], want, "off_diag");
        }
    }
}

/// q of a draw is χ² with n degrees of freedom: the mean of 4000 lies within 5 standard errors, a false alarm once in
/// 1.7·10⁶. A sampler that solves with L instead of Lᵀ fails.
#[test]
fn draws_have_the_distance_of_the_distribution() {
    let grid = PixelGrid::new(3, 4, 1, 3).unwrap();
    let (n, draws) = (grid.len(), 4000);
    let repeat = |a: Array2<f64>| Array2::from_shape_fn((draws, a.ncols()), |(_, i)| a[(0, i)]);
    let off = factor(1, 4, n, 3);
    let p = SparsePrecisionNormal::new(
        grid,
        repeat(matrix(1, n, 1)),
        repeat(matrix(1, n, 2)),
        Array3::from_shape_fn((draws, 4, n), |(_, o, i)| off[(0, o, i)]),
    )
    .unwrap();
    let x = p.sample(&mut ChaCha8Rng::seed_from_u64(7)).unwrap();
    let bound = 5.0 * (2.0 * n as f64 / draws as f64).sqrt();
    let far = |x: &Array2<f64>| (p.mahalanobis(x).unwrap().mean().unwrap() - n as f64).abs();
    assert!(far(&x) <= bound, "{}", far(&x));
    let mirrored = x.slice(ndarray::s![.., ..;-1]).to_owned();
    assert!(far(&mirrored) > bound);
}

#[test]
fn bad_input_is_refused_by_name() {
    let error = PixelGrid::new(3, 3, 1, 4).unwrap_err().to_string();
    assert_eq!(error, "`neighbourhood` is 4, must be odd");
    assert!(PixelGrid::new(usize::MAX, 2, 1, 3).is_err() && PixelGrid::new(2, 2, 1, 0).is_err());
    let grid = PixelGrid::new(2, 2, 1, 3).unwrap();
    let zero: Array2<f64> = Array2::zeros((1, 4));
    let off = Array3::zeros((1, 4, 4));
    let message = |loc: &Array2<f64>, diag: &Array2<f64>, off: &Array3<f64>| {
        SparsePrecisionNormal::new(grid, loc.clone(), diag.clone(), off.clone()).unwrap_err().to_string()
    };
    let three = Array2::zeros((1, 3));
    assert_eq!(message(&three, &zero, &off), "`loc` has shape [1, 3], must be [1, 4]");
    assert!(message(&zero, &three, &off).starts_with("`log_diag`"));
    assert!(message(&zero, &zero, &Array3::zeros((1, 3, 4))).starts_with("`off_diag`"));
    assert!(message(&zero, &zero.mapv(|_| f64::NAN), &off).starts_with("`log_diag[0]` is NaN"));
    let p = SparsePrecisionNormal::new(grid, zero.clone(), zero.clone(), off.clone()).unwrap();
    assert!(p.log_prob(&three).is_err() && p.rsample(&three).is_err() && p.precision_times(&three).is_err());
    // Too small a precision for a number.
    let flat = SparsePrecisionNormal::new(grid, zero.clone(), zero.mapv(|_| -800.0), off).unwrap();
    assert_eq!(flat.variance().unwrap_err(), Error::Overflow { quantity: "variance", batch: 0 });
    let empty = PixelGrid::new(0, 5, 1, 3).unwrap();
    assert!(empty.is_empty());
    let p = SparsePrecisionNormal::<f64>::new(
        empty,
        Array2::zeros((1, 0)),
        Array2::zeros((1, 0)),
        Array3::zeros((1, 4, 0)),
    );
    assert_eq!(p.unwrap().log_prob(&Array2::zeros((1, 0))).unwrap()[0], 0.0);
}

proptest! {
    #[test]
    fn arbitrary_numbers_never_panic(v in prop::collection::vec(any::<f64>(), 56)) {
        let grid = PixelGrid::new(2, 4, 1, 3).unwrap();
        let rows = |from: usize| Array2::from_shape_vec((1, 8), v[from..from + 8].to_vec()).unwrap();
        let off = Array3::from_shape_vec((1, 4, 8), v[24..56].to_vec()).unwrap();
        if let Ok(p) = SparsePrecisionNormal::new(grid, rows(0), rows(8), off) {
            let x = rows(16);
            let _ = (p.log_prob_with_grad(&x), p.rsample(&x), p.variance(), p.precision_times(&x), p.covariance_times(&x));
        }
    }
}

#[test]
fn grids_narrower_than_their_reach_have_the_variances_of_dense_ones() {
    for (height, width) in [(1, 12), (12, 1), (2, 7), (7, 2)] {
        let p = normal(PixelGrid::new(height, width, 1, 5).unwrap(), 3);
        let want = dense(&p).variance();
        assert!((p.variance().unwrap() - want).iter().all(|gap| gap.abs() < 1e-12), "{height} x {width}");
    }
    let nothing = normal(PixelGrid::new(0, usize::MAX, 1, 3).unwrap(), 3);
    assert_eq!(nothing.variance().unwrap().dim(), (2, 0));
}
