//! Against the tables of tests/golden, made with mpmath.

use ndarray::{Array1, Array2};
use variata_sliced::{CramerWold, Discrepancy, Distance};
use variata_testkit::compare::{Comparison, UNIT_ROUNDOFF_F64, assert_relative};
use variata_testkit::golden::Table;

use crate::support::grid;

/// The samples of generate.py.
fn sample(kind: usize, n: usize) -> Array1<f64> {
    let at = |i: usize| match kind {
        0 => ((i * 37) % 101) as f64 / 16.0 - 50.0 / 16.0,
        1 => (((i * 5) % 7) as f64 - 3.0) / 2.0,
        2 => (40.0 - i as f64 / 8.0) * if i.is_multiple_of(2) { 1.0 } else { -1.0 },
        _ => 0.75,
    };
    (0..n).map(at).collect()
}

/// Every sample in three orders, and from f32, which holds it exactly.
fn orders(y: &Array1<f64>) -> [Array1<f64>; 3] {
    let mut sorted = y.to_vec();
    sorted.sort_by(f64::total_cmp);
    let reversed = sorted.iter().rev().copied().collect();
    [y.clone(), sorted.into(), reversed]
}

#[test]
fn distances_on_the_line_are_within_their_bounds() {
    let table = Table::parse(include_str!("../golden/line.tsv")).unwrap();
    let distances = [
        Distance::WASSERSTEIN_2,
        Distance::CRAMER_WOLD,
        Distance::CramerVonMises,
        Distance::KolmogorovSmirnov,
        Distance::AndersonDarling,
    ];
    for row in table.rows() {
        let (kind, n) = (row[0] as usize, row[1] as usize);
        for y in orders(&sample(kind, n)) {
            for (distance, want) in distances.iter().zip(&row[2..]) {
                let name = format!("{distance:?} of sample {kind}, n = {n}");
                let got = distance.value(&y).unwrap();
                if *distance == Distance::KolmogorovSmirnov {
                    assert!((got - want).abs() <= 4.0 * UNIT_ROUNDOFF_F64, "{name}: {got} {want}");
                } else {
                    assert_relative(&name, got, *want, 1e-12, 0.0);
                }
                let single = distance.value(&y.mapv(|v| v as f32)).unwrap();
                assert_relative(&name, single, *want, 1e-12, 1e-15);
                let weighted = Discrepancy::new(*distance).weighted(&vec![0.7; n]).value(&y).unwrap();
                assert_relative(&name, weighted, *want, 1e-11, 1e-15);
            }
        }
    }
}

#[test]
fn powers_are_within_their_bound() {
    let table = Table::parse(include_str!("../golden/wasserstein.tsv")).unwrap();
    for row in table.rows() {
        let (y, p) = (sample(row[0] as usize, row[1] as usize), row[2]);
        let got = Distance::Wasserstein { p }.value(&y).unwrap();
        assert_relative(&format!("{row:?}"), got, row[3], 1e-10, 0.0);
    }
}

#[test]
fn perfect_grids_keep_their_digits() {
    let table = Table::parse(include_str!("../golden/grid.tsv")).unwrap();
    for row in table.rows() {
        let n = row[0];
        let y = grid(n as usize);
        let value = |distance: Distance| distance.value(&y).unwrap();
        assert_relative("W2", value(Distance::WASSERSTEIN_2), row[1], 1e-12, 0.0);
        if !row[2].is_nan() {
            assert_relative("CW", value(Distance::CRAMER_WOLD), row[2], 1e-12, 0.0);
        }
        assert_relative("AD", value(Distance::AndersonDarling), row[3], 1e-12, 0.0);
        assert_relative("CvM", value(Distance::CramerVonMises), 1.0 / (12.0 * n * n), 1e-12, 0.0);
        let ks = value(Distance::KolmogorovSmirnov);
        assert!((ks - 0.5 / n).abs() <= 4.0 * UNIT_ROUNDOFF_F64, "{n}: {ks}");
    }
}

/// n = 10⁵, where mpmath takes too long: the integral over frequencies, another form than that of the crate.
#[test]
fn cramer_wold_of_a_large_grid_agrees_with_the_integral_over_frequencies() {
    let n = 100_000;
    let y = grid(n);
    let gamma = variata_sliced::Bandwidth::Silverman.variance(n as f64);
    let step = 0.2;
    let nodes = ((37.0 / gamma).sqrt() / step) as usize;
    let (mut total, mut angles) = (0.0, vec![]);
    for k in 1..=nodes {
        let t = step * k as f64;
        // Pairs of opposite points, small terms first.
        angles.clear();
        angles.extend(y.iter().map(|v| -2.0 * (0.5 * t * v).sin().powi(2)));
        let mean = compensated(&angles) / n as f64;
        let gap = mean - (-0.5 * t * t).exp_m1();
        total += gap * gap * (-gamma * t * t).exp();
    }
    let want = total * step / std::f64::consts::PI;
    assert_relative("CW", Distance::CRAMER_WOLD.value(&y).unwrap(), want, 1e-10, 0.0);
}

/// Neumaier's compensated sum.
fn compensated(values: &[f64]) -> f64 {
    let (mut sum, mut rest) = (0.0f64, 0.0f64);
    for &v in values {
        let next = sum + v;
        rest += if sum.abs() >= v.abs() { (sum - next) + v } else { (v - next) + sum };
        sum = next;
    }
    sum + rest
}

#[test]
fn single_precision_columns_are_within_a_millionth() {
    // Through slices along the axis, where f32 columns have kernels of their own.
    let axis = variata_sliced::Directions::given(&ndarray::array![[1.0]]).unwrap();
    for n in [1usize, 7, 128, 1000, 20_000] {
        for (kind, y) in [("grid", grid(n)), ("normal", crate::support::line(n, n as u64))] {
            let single = y.mapv(|v| v as f32).insert_axis(ndarray::Axis(1));
            let exact = single.column(0).to_owned();
            for distance in crate::support::all() {
                let want = distance.value(&exact).unwrap();
                let got = Discrepancy::new(distance).sliced(&single, &axis).unwrap().mean;
                // Kolmogorov–Smirnov: a difference of numbers near ½, whose table is within 6e-12.
                let floor = if distance == Distance::KolmogorovSmirnov { 6e-12 } else { 0.0 };
                assert_relative(&format!("{distance:?} {kind} {n}"), got, want, 1e-6, floor);
            }
        }
    }
}

#[test]
fn the_direct_distance_agrees_with_mpmath() {
    let table = Table::parse(include_str!("../golden/direct.tsv")).unwrap();
    let mut comparison = Comparison::ratio("direct Cramér–Wold", 8.0, UNIT_ROUNDOFF_F64);
    for row in table.rows() {
        let (n, d) = (row[0] as usize, row[1] as usize);
        let x = Array2::from_shape_fn((n, d), |(i, j)| (((i * 7 + j * 13) % 17) as f64 - 8.0) / 4.0);
        // The terms are of order 1.
        comparison.push_scaled(CramerWold::default().value(&x).unwrap(), row[2], 1.0);
    }
    comparison.finish().unwrap();
}

#[test]
fn p_values_of_kolmogorov_and_smirnov_are_within_their_bounds() {
    let table = Table::parse(include_str!("../golden/kolmogorov.tsv")).unwrap();
    for row in table.rows() {
        let got = Distance::KolmogorovSmirnov.p_value(row[1], row[0] as usize).unwrap();
        let error = (got - row[2]).abs();
        let bound = if row[0] <= 200.0 { 1e-10 } else { 2e-4 };
        let relative = if row[2] <= 0.01 { 1e-6 * row[2] } else { f64::INFINITY };
        assert!(error <= relative.min(bound), "{row:?}: {got}");
    }
}

#[test]
fn cramer_and_von_mises_law_is_the_inverse_of_its_transform() {
    let table = Table::parse(include_str!("../golden/omega.tsv")).unwrap();
    for row in table.rows() {
        let got = Distance::CramerVonMises.p_value(row[1] / row[0], row[0] as usize).unwrap();
        assert!((got - row[2]).abs() <= 1e-14, "{row:?}: {got}");
    }
}
