//! Cramér–Wold on the line: its mean, samples and laws of any width.

use ndarray::{Array1, Array2, array, s};
use variata_distributions::StandardNormal;
use variata_sliced::{Affine, Bandwidth, CramerWold, Discrepancy, Distance, Target};

use crate::support::{close, grid, line};

#[test]
fn fixed_bandwidth_cramer_wold_has_its_known_mean() {
    // E d² = (N(0; 0, 2γ) − N(0; 0, 2 + 2γ))/n for draws of the target.
    let (gamma, n, rounds) = (0.3, 200, 2000);
    let distance = Distance::CramerWold { bandwidth: Bandwidth::Given(gamma) };
    let values: Vec<f64> = (0..rounds).map(|k| distance.value(&line(n, 77 + k)).unwrap()).collect();
    let mean = values.iter().sum::<f64>() / rounds as f64;
    let peak = |variance: f64| 1.0 / (2.0 * std::f64::consts::PI * variance).sqrt();
    let want = (peak(2.0 * gamma) - peak(2.0 + 2.0 * gamma)) / n as f64;
    let spread = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>().sqrt() / rounds as f64;
    assert!((mean - want).abs() < 6.0 * spread, "{mean} {want} {spread}");
}

/// Points so far apart that their cells are made piece by piece: value and slopes are those of the double sum.
#[test]
fn thin_samples_are_made_in_pieces() {
    // y/√γ is exact.
    let g = 1.0 / 16384.0;
    let distance = Distance::CramerWold { bandwidth: Bandwidth::Given(g) };
    // A chain of points some widths apart, which is one window, pairs, and lone points.
    let n = 3000;
    let at = |i: usize| match i % 3 {
        0 => 0.15 * (i / 3) as f64 - 60.0,
        1 => 1e5 + 3.0 * (i / 3) as f64,
        _ => 1e5 + 3.0 * (i / 3) as f64 + 0.005,
    };
    let y: Array1<f64> = (0..n).map(at).collect();
    let normal = |x: f64, v: f64| (-x * x / (2.0 * v)).exp() / (2.0 * std::f64::consts::PI * v).sqrt();
    let size = n as f64;
    let mut want = normal(0.0, 2.0 + 2.0 * g);
    let mut slopes = Array1::zeros(n);
    for i in 0..n {
        let (one, wide) = (y[i], 1.0 + 2.0 * g);
        want -= 2.0 / size * normal(one, wide);
        slopes[i] += 2.0 / size * normal(one, wide) * one / wide;
        for &b in &y {
            let gap = one - b;
            let term = normal(gap, 2.0 * g) / (size * size);
            want += term;
            slopes[i] -= term * gap / g;
        }
    }
    let (value, grad) = distance.value_with_grad(&y).unwrap();
    close("value", value, want, 1e-12);
    let largest = slopes.iter().fold(0.0, |m: f64, s: &f64| m.max(s.abs()));
    for (got, want) in grad.iter().zip(&slopes) {
        assert!((got - want).abs() < 1e-9 * largest, "{got} {want}");
    }
    let turned = y.slice(s![..;-1]).to_owned();
    close("turned", distance.value(&turned).unwrap(), value, 1e-13);
    // Against the same law as nodes, which stand for it under a wider smoothing.
    let wide = Discrepancy::new(Distance::CramerWold { bandwidth: Bandwidth::Given(1.0 / 64.0) });
    let lone = Array1::from_shape_fn(400, |i| 90.0 * (i as f64 - 200.0));
    let nodes = wide.against(&StandardNormal).value(&lone).unwrap();
    close("nodes", nodes, wide.value(&lone).unwrap(), 1e-10);
}

/// A point where the target's square is nothing, and its product with the point's own density is not. mpmath, 40 digits: the integral over
/// frequencies of the tests' grid, trapezoid of step 0.1.
#[test]
fn outliers_beyond_the_target_keep_their_digits() {
    for (n, far, want) in [
        (1000, 7.5, 1.929_370_921_576_619e-6),
        (1000, 8.0, 1.929_370_935_987_806_6e-6),
        (100_000, 7.6, 4.614_060_368_548_337e-10),
    ] {
        let mut y = grid(n);
        y[n - 1] = far;
        for y in [y.mapv(|v| -v), y] {
            close(&format!("{n} {far}"), Distance::CRAMER_WOLD.value(&y).unwrap(), want, 1e-12);
        }
    }
    // The point's own slope is that of one term: 2/n·∂N(y; 0, 1 + 2γ), beside which its neighbours are nothing.
    let n = 100_000;
    let mut y = grid(n);
    y[n - 1] = 7.8;
    let (_, grad) = Distance::CRAMER_WOLD.value_with_grad(&y).unwrap();
    close("slope", grad[n - 1], 7.2157692412202247e-18, 1e-6);
}

#[derive(Debug)]
struct Cauchy;

impl Target for Cauchy {
    fn cdf(&self, x: f64) -> f64 {
        0.5 + x.atan() / std::f64::consts::PI
    }
    fn pdf(&self, x: f64) -> f64 {
        1.0 / (std::f64::consts::PI * (1.0 + x * x))
    }
    fn quantile(&self, p: f64) -> f64 {
        assert!(p > 0.0 && p < 1.0, "{p} is not in the domain");
        -1.0 / (std::f64::consts::PI * p).tan()
    }
    fn upper_quantile(&self, p: f64) -> f64 {
        -self.quantile(p)
    }
}

/// A law that enters as nodes is resolved under narrow smoothing, too.
#[test]
fn nodes_stand_for_a_law_at_any_bandwidth() {
    let y = Array1::from_shape_fn(60, |i| 0.1 * (i as f64 - 25.0) + 0.01 * (i * i % 7) as f64);
    for bandwidth in [1.0, 1e-2, 1e-4, 1e-6] {
        let distance = Discrepancy::new(Distance::CramerWold { bandwidth: Bandwidth::Given(bandwidth) });
        let (want, want_grad) = distance.value_with_grad(&y).unwrap();
        let (got, grad) = distance.against(&StandardNormal).value_with_grad(&y).unwrap();
        close("nodes", got, want, 1e-12);
        let largest = want_grad.iter().fold(0.0f64, |m, g| m.max(g.abs()));
        for (got, want) in grad.iter().zip(&want_grad) {
            assert!((got - want).abs() < 1e-8 * largest, "{bandwidth}: {got} {want}");
        }
    }
    // As far as memory goes: standard deviations in smoothing widths, and what is lost.
    for (widths, bound) in [(1e3, 1e-12), (3e3, 1e-5), (1e4, 2e-4)] {
        let bandwidth = Bandwidth::Given(1.0 / (widths * widths));
        let distance = Discrepancy::new(Distance::CramerWold { bandwidth });
        let (want, got) = (distance.value(&y).unwrap(), distance.against(&StandardNormal).value(&y).unwrap());
        close(&format!("{widths}"), got, want, bound);
        let bandwidth = Bandwidth::Given(1.0);
        let wide = Affine::new(StandardNormal, 0.0, widths).unwrap();
        let got = Discrepancy::new(Distance::CramerWold { bandwidth }).against(&wide).value(&(&y * widths));
        close(&format!("{widths}, scaled"), got.unwrap(), want / widths, bound);
    }
    // Heavy tails, which have no end, too: the integral over frequencies by Simpson's rule.
    let gamma = Bandwidth::Silverman.variance(60.0);
    let (step, count) = (1e-3, 14_000);
    let square = |k: usize| {
        let t = step * k as f64;
        let (cos, sin) =
            (y.iter().map(|v| (t * v).cos()).sum::<f64>(), y.iter().map(|v| (t * v).sin()).sum::<f64>());
        ((cos / 60.0 - (-t).exp()).powi(2) + (sin / 60.0).powi(2)) * (-gamma * t * t).exp()
    };
    let inner: f64 = (1..count).map(|k| square(k) * if k % 2 == 1 { 4.0 } else { 2.0 }).sum();
    let want = (inner + square(0) + square(count)) * step / 3.0 / std::f64::consts::PI;
    let value = Discrepancy::new(Distance::CRAMER_WOLD).against(&Cauchy).value(&y).unwrap();
    close("Cauchy", value, want, 1e-10);
}

/// Wide smoothing leaves less of two laws than of their rounding. mpmath, 80 digits: the double sum.
#[test]
fn wide_smoothing_loses_what_it_says() {
    let samples = [array![0.3, -0.2, 1.5], array![0.0], array![-1.0, 1.0]];
    let rows = [
        (1.0, [0.017_230_540_802_982_2, 0.020_907_066_012_813_8, 0.002_467_661_819_747_49]),
        (10.0, [0.001_148_915_758_153_66, 0.000_148_300_263_492_146, 3.316_500_620_397_57e-7]),
        (100.0, [3.971_968_392_860_5e-5, 5.223_829_865_547_44e-7, 1.258_956_860_582_1e-11]),
        (1e4, [4.011_611_907_854_83e-8, 5.288_616_253_578_87e-12, 1.285_318_307_246_05e-20]),
        (1e6, [4.012_010_787_009_77e-11, 5.289_270_734_170_28e-17, 1.285_585_544_029_55e-29]),
        (1e8, [4.012_014_776_046_28e-14, 5.289_277_279_644_25e-22, 1.285_588_216_763_81e-38]),
    ];
    for (gamma, values) in rows {
        let distance = Distance::CramerWold { bandwidth: Bandwidth::Given(gamma) };
        // Other means; equal means; equal variances, too.
        let losses = [1e-14 * gamma.sqrt(), 1e-14 * gamma, 1e-14 * gamma * gamma];
        for ((y, want), loss) in samples.iter().zip(values).zip(losses) {
            let value = distance.value(y).unwrap();
            assert!(value > 0.0);
            // Of all digits, no more is said.
            if loss < 1.0 {
                close(&format!("{gamma} of {y}"), value, want, loss.max(1e-12));
            }
        }
    }
}

#[test]
fn far_outliers_cost_no_memory_and_keep_their_digits() {
    // Clusters far apart do not interact: the double sum in closed form.
    let bandwidth = Bandwidth::Given(0.1);
    let distance = Distance::CramerWold { bandwidth };
    let y = array![1e6, -3e8, 40.0, 0.0, 1e6 + 0.2, -1e140];
    let g: f64 = 0.1;
    let normal = |x: f64, v: f64| (-x * x / (2.0 * v)).exp() / (2.0 * std::f64::consts::PI * v).sqrt();
    let mut want = normal(0.0, 2.0 + 2.0 * g);
    for &a in &y {
        want -= 2.0 / 6.0 * normal(a, 1.0 + 2.0 * g);
        for &b in &y {
            want += normal(a - b, 2.0 * g) / 36.0;
        }
    }
    close("clusters", distance.value(&y).unwrap(), want, 1e-9);
    let wide = Array2::from_shape_vec((6, 1), y.to_vec()).unwrap();
    close("direct", CramerWold { bandwidth, ..CramerWold::default() }.value(&wide).unwrap(), want, 1e-9);
}
