//! Distances over all pairs of points against double loops, around the sizes of their blocks.

use ndarray::{Array1, Array2, s};
use variata_sliced::{Bandwidth, CramerWold, Kernel, Mmd, MmdEstimator, SphereMean};

use crate::support::{close, normal};

/// Numbers of points: blocks have 32.
const SIZES: [usize; 16] = [1, 2, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 95, 96, 97, 300];
const DIMENSIONS: usize = 3;

/// Σᵢⱼ k(‖xᵢ − yⱼ‖²) and its gradient in x, by `kernel`, which gives k and k′.
fn double_loop(x: &Array2<f64>, y: &Array2<f64>, kernel: impl Fn(f64) -> (f64, f64)) -> (f64, Array2<f64>) {
    let (mut sum, mut grad) = (0.0, Array2::zeros(x.dim()));
    let mut gap = Array1::zeros(x.ncols());
    for (x, mut grad) in x.rows().into_iter().zip(grad.rows_mut()) {
        for y in y.rows() {
            gap.assign(&x);
            gap -= &y;
            let (value, slope) = kernel(gap.dot(&gap));
            sum += value;
            grad.scaled_add(2.0 * slope, &gap);
        }
    }
    (sum, grad)
}

fn close_arrays(what: &str, got: &Array2<f64>, want: &Array2<f64>) {
    let scale = want.iter().fold(1e-3f64, |largest, v| largest.max(v.abs()));
    assert!(got.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-13 * scale), "{what}\n{got}\n{want}");
}

fn multiquadric(scale: f64) -> impl Fn(f64) -> (f64, f64) + Copy {
    move |square: f64| {
        let value = scale / (scale + square);
        (value, -value * value / scale)
    }
}

/// MMD² and its gradients in x and y, by double loops.
fn discrepancy(
    unbiased: bool,
    x: &Array2<f64>,
    y: &Array2<f64>,
    kernel: impl Fn(f64) -> (f64, f64) + Copy,
) -> (f64, [Array2<f64>; 2]) {
    let own = |x: &Array2<f64>| {
        let (n, (sum, grad)) = (x.nrows() as f64, double_loop(x, x, kernel));
        let pairs = n * (n - f64::from(u8::from(unbiased)));
        // A point has no distance from itself.
        ((sum - if unbiased { n } else { 0.0 }) / pairs, grad * (2.0 / pairs))
    };
    let mixed = 2.0 / (x.nrows() * y.nrows()) as f64;
    let ((of_x, in_x), (of_y, in_y)) = (own(x), own(y));
    let (of_both, at_x) = double_loop(x, y, kernel);
    let at_y = double_loop(y, x, kernel).1;
    (of_x + of_y - mixed * of_both, [in_x - at_x * mixed, in_y - at_y * mixed])
}

fn check_discrepancy(what: &str, scale: f64, estimator: MmdEstimator, x: &Array2<f64>, y: &Array2<f64>) {
    let mmd = Mmd::new(vec![Kernel::InverseMultiquadric { scale }], estimator).unwrap();
    let unbiased = estimator == MmdEstimator::Unbiased;
    let (want, [in_x, in_y]) = discrepancy(unbiased, x, y, multiquadric(scale));
    let (value, grad) = mmd.value_with_grad(x, y).unwrap();
    // The terms are of order 1, and cancel.
    for got in [value, mmd.value(x, y).unwrap()] {
        assert!((got - want).abs() < 1e-13, "{what}: {got} {want}");
    }
    close_arrays(what, &grad.x, &in_x);
    close_arrays(what, &grad.y, &in_y);
}

#[test]
fn discrepancies_of_any_two_sizes_are_their_double_loops() {
    for estimator in [MmdEstimator::Biased, MmdEstimator::Unbiased] {
        for (n, m) in SIZES.iter().flat_map(|&n| [(n, 40), (40, n), (n, n)]) {
            if estimator == MmdEstimator::Biased || n.min(m) >= 2 {
                let (x, y) = (normal(n, DIMENSIONS, 1), normal(m, DIMENSIONS, 2) * 1.2);
                check_discrepancy(&format!("{estimator:?} {n} {m}"), 1.7, estimator, &x, &y);
            }
        }
    }
}

#[test]
fn discrepancies_in_any_number_of_dimensions_are_their_double_loops() {
    // From 8 dimensions on distances come from products; 8 lie in a line, 64 are gone through together.
    for d in [1, 2, 7, 8, 9, 15, 16, 17, 63, 64, 65, 130] {
        let (x, y) = (normal(70, d, 1), normal(37, d, 2) * 1.2);
        check_discrepancy(&format!("{d} dimensions"), d as f64, MmdEstimator::Unbiased, &x, &y);
    }
    // Blocks in groups, with two and with three of them; the last of either sample is incomplete.
    for (n, m) in [(1500, 700), (2500, 650)] {
        let (x, y) = (normal(n, 8, 1), normal(m, 8, 2) * 1.2);
        check_discrepancy(&format!("{n} {m}"), 3.0, MmdEstimator::Biased, &x, &y);
    }
}

#[test]
fn points_that_are_close_and_far_from_the_others_keep_their_digits() {
    let d = 12;
    // Two clusters 10⁶ apart, in which points are 10⁻³ apart: ‖x‖² + ‖y‖² − 2x·y has no digit of their squares.
    let clusters = |seed: u64| {
        let mut points = normal(70, d, seed) * 1e-3;
        points.slice_mut(s![35.., ..]).map_inplace(|v| *v += 3e5);
        points
    };
    check_discrepancy("clusters", 2e-5, MmdEstimator::Unbiased, &clusters(1), &clusters(2));
    // One cluster far from 0, on either side of it.
    let offset = |seed: u64| {
        let mut points = normal(70, d, seed);
        points.columns_mut().into_iter().enumerate().for_each(|(k, mut column)| {
            column += if k % 2 == 0 { 1e9 } else { -1e7 };
        });
        points
    };
    check_discrepancy("offset", d as f64, MmdEstimator::Unbiased, &offset(1), &offset(2));
    // One point that keeps the others from being centred.
    let mut outlier = offset(1);
    outlier.row_mut(3).fill(0.0);
    check_discrepancy("outlier", d as f64, MmdEstimator::Unbiased, &outlier, &offset(2));
    // Twins, and twins nearly.
    let x = normal(70, d, 1);
    let y = &x + &(normal(70, d, 2) * 1e-9);
    check_discrepancy("twins", 1e-17, MmdEstimator::Biased, &x, &y);
    check_discrepancy("the same", d as f64, MmdEstimator::Biased, &x, &x.clone());
}

#[test]
fn direct_distances_of_any_size_are_their_double_loops() {
    let (gamma, pi) = (0.3, std::f64::consts::PI);
    let steep = 4.0 / (2.0 * DIMENSIONS as f64 - 3.0);
    let mean = |s: f64| {
        let value = (1.0 + steep * s).powf(-0.5);
        (value, -0.5 * steep * value.powi(3))
    };
    let distance = CramerWold { sphere_mean: SphereMean::Asymptotic, bandwidth: Bandwidth::Given(gamma) };
    for n in SIZES {
        let x = normal(n, DIMENSIONS, 3) * 1.4;
        let (inner, outer, count) = (1.0 / (4.0 * gamma), 1.0 / (2.0 + 4.0 * gamma), n as f64);
        let scaled = |by: f64| {
            move |square: f64| {
                let (value, slope) = mean(by * square);
                (value, by * slope)
            }
        };
        let own = 1.0 / (4.0 * pi * gamma).sqrt() / (count * count);
        let cross = 2.0 / (2.0 * pi * (1.0 + 2.0 * gamma)).sqrt() / count;
        let (pairs, in_pairs) = double_loop(&x, &x, scaled(inner));
        let (singles, in_singles) = double_loop(&x, &Array2::zeros((1, DIMENSIONS)), scaled(outer));
        let want = own * pairs + 1.0 / (4.0 * pi * (1.0 + gamma)).sqrt() - cross * singles;
        let (value, grad) = distance.value_with_grad(&x).unwrap();
        close("value", value, want, 1e-13);
        close("value alone", distance.value(&x).unwrap(), want, 1e-13);
        close_arrays("gradient", &grad, &(in_pairs * (2.0 * own) - in_singles * cross));
    }
}
