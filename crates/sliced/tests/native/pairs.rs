//! Distances over all pairs of points against double loops, around the sizes of their blocks.

use ndarray::{Array1, Array2};
use variata_sliced::{Bandwidth, CramerWold, Kernel, Mmd, MmdEstimator, SphereMean};

use crate::support::{close, normal};

/// Numbers of points: tasks have 16, panels 32, and groups of panels 256.
const SIZES: [usize; 16] = [1, 2, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 255, 256, 257, 300];
const DIMENSIONS: usize = 3;

/// Σᵢⱼ k(‖xᵢ − yⱼ‖²) and its gradient in x, by `kernel`, which gives k and k′.
fn double_loop(x: &Array2<f64>, y: &Array2<f64>, kernel: impl Fn(f64) -> (f64, f64)) -> (f64, Array2<f64>) {
    let (mut sum, mut grad) = (0.0, Array2::zeros(x.dim()));
    for (x, mut grad) in x.rows().into_iter().zip(grad.rows_mut()) {
        for y in y.rows() {
            let gap: Array1<f64> = &x - &y;
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

#[test]
fn discrepancies_of_any_two_sizes_are_their_double_loops() {
    let scale = 1.7;
    let kernel = |square: f64| {
        let value = scale / (scale + square);
        (value, -value * value / scale)
    };
    for estimator in [MmdEstimator::Biased, MmdEstimator::Unbiased] {
        let mmd = Mmd::new(vec![Kernel::InverseMultiquadric { scale }], estimator).unwrap();
        for (n, m) in SIZES.iter().flat_map(|&n| [(n, 40), (40, n), (n, n)]) {
            let unbiased = estimator == MmdEstimator::Unbiased;
            if unbiased && n.min(m) < 2 {
                continue;
            }
            let (x, y) = (normal(n, DIMENSIONS, 1), normal(m, DIMENSIONS, 2) * 1.2);
            let own = |x: &Array2<f64>| {
                let (n, (sum, grad)) = (x.nrows() as f64, double_loop(x, x, kernel));
                let pairs = n * (n - f64::from(u8::from(unbiased)));
                // A point has no distance from itself.
                ((sum - if unbiased { n } else { 0.0 }) / pairs, grad * (2.0 / pairs))
            };
            let mixed = 2.0 / (n * m) as f64;
            let ((of_x, in_x), (of_y, in_y)) = (own(&x), own(&y));
            let (of_both, at_x) = double_loop(&x, &y, kernel);
            let want = of_x + of_y - mixed * of_both;
            let (value, grad) = mmd.value_with_grad(&x, &y).unwrap();
            let what = format!("{estimator:?} {n} {m}");
            // The terms are of order 1, and cancel.
            let alone = mmd.value(&x, &y).unwrap();
            for got in [value, alone] {
                assert!((got - want).abs() < 1e-13, "{what}: {got} {want}");
            }
            close_arrays(&what, &grad.x, &(in_x - at_x * mixed));
            close_arrays(&what, &grad.y, &(in_y - double_loop(&y, &x, kernel).1 * mixed));
        }
    }
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
