//! Ill-conditioned factors against mpmath.

use ndarray::{Array2, Array3};
use variata_lowrank_mvn::LowRankMvn;
use variata_testkit::golden::Table;

/// As in tests/golden/generate.py.
fn entry(kind: usize, i: usize, j: usize) -> f64 {
    let base = |j: usize| (((i * 7 + j * 13) % 17) as f64 - 8.0) / 8.0;
    match kind {
        1 if j == 1 => base(0) * (1.0 + if i == 2 { 2f64.powi(-24) } else { 0.0 }),
        2 if j == 1 => base(0),
        3 => base(j) * 2f64.powi(-10 * j as i32),
        _ => base(j),
    }
}

#[test]
fn distance_and_determinant_of_ill_conditioned_factors() {
    let table = Table::parse(include_str!("../golden/density.tsv")).unwrap();
    let columns =
        ["kind", "n", "r", "k", "q", "log_det", "condition"].map(|name| table.column(name).unwrap());
    let mut seen = 0;
    for at in 0..table.len() {
        let [kind, n, r, k, q, log_det, condition] = columns.each_ref().map(|column| column[at]);
        let (n, r, d) = (n as usize, r as usize, 2f64.powi(-k as i32));
        let p = Array3::from_shape_fn((1, n, r), |(_, i, j)| entry(kind as usize, i, j));
        let x = Array2::from_shape_fn((1, n), |(_, i)| (((i * 5) % 11) as f64 - 5.0) / 4.0);
        let p = LowRankMvn::new(Array2::zeros((1, n)), p, d).unwrap();
        let name = format!("kind {kind}, n {n}, r {r}, d 2^-{k}");
        // A backward stable solution has u times the condition number of the least-squares form; at n ≤ r that of
        // [Pᵀ; D^½], the root of the covariance's.
        let kappa = if n > r { condition } else { (16.0 / d).max(1.0).sqrt() };
        let found = p.mahalanobis(&x).unwrap()[0];
        let bound = 30.0 * f64::EPSILON * kappa;
        assert!(
            (found / q - 1.0).abs() <= bound,
            "{name}: q {found} against {q}, {}",
            (found / q - 1.0) / bound
        );
        let found = p.log_det().unwrap()[0];
        // A pivot ratio of 1e-2 may cost two digits of the capacitance's determinant; below it the smallest pivot of
        // [A; I] has the error u times the condition number, the inverse of the angle between the columns.
        let angle = [0.0, 2f64.powi(26), f64::INFINITY, 0.0][kind as usize];
        let smallest = if n > r { (16.0 / d).sqrt().min(angle).max(1e2) } else { kappa };
        let scale = log_det.abs() + n as f64 + smallest;
        assert!(
            (found - log_det).abs() <= 30.0 * f64::EPSILON * scale,
            "{name}: log|Σ| {found} against {log_det}"
        );
        seen += 1;
    }
    assert_eq!(seen, 80);
}

/// The promise for f32 parameters: 2e-7 of q + |log |Σ|| + n log 2π. Only kinds whose entries f32 holds exactly.
#[test]
fn single_precision_keeps_its_digits_at_every_diagonal() {
    let table = Table::parse(include_str!("../golden/density.tsv")).unwrap();
    let columns = ["kind", "n", "r", "k", "q", "log_det"].map(|name| table.column(name).unwrap());
    let mut seen = 0;
    for at in 0..table.len() {
        let [kind, n, r, k, q, log_det] = columns.each_ref().map(|column| column[at]);
        if kind == 1.0 {
            continue;
        }
        let (n, r, d) = (n as usize, r as usize, 2f32.powi(-k as i32));
        let p = Array3::from_shape_fn((1, n, r), |(_, i, j)| entry(kind as usize, i, j) as f32);
        let x = Array2::from_shape_fn((1, n), |(_, i)| (((i * 5) % 11) as f32 - 5.0) / 4.0);
        let p = LowRankMvn::new(Array2::zeros((1, n)), p, d).unwrap();
        let log_two_pi = n as f64 * (2.0 * std::f64::consts::PI).ln();
        let want = -0.5 * (q + log_det + log_two_pi);
        let bound = 2e-7 * (q + log_det.abs() + log_two_pi);
        let found = p.log_prob(&x).unwrap()[0];
        assert!((found - want).abs() <= bound, "kind {kind}, n {n}, r {r}, d 2^-{k}: {found} against {want}");
        seen += 1;
    }
    assert_eq!(seen, 60);
}
