//! Each comparator accepts what is within its bound and rejects one step more.

use variata_testkit::compare::{
    Comparison, Mismatch, MismatchKind, UNIT_ROUNDOFF_F64, try_bits, try_ratio, try_relative, try_ulp,
    try_ulp_f32, ulp_distance, ulp_distance_f32,
};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;
/// Finite in both types.
const MAX: f64 = f32::MAX as f64;

type Try = fn(&[f64], &[f64]) -> bool;

fn forms() -> [(&'static str, Try); 4] {
    [
        ("ulp", |got, want| try_ulp("t", got, want, 4).is_ok()),
        ("ulp f32", |got, want| {
            let narrow = |x: &[f64]| x.iter().map(|&x| x as f32).collect::<Vec<_>>();
            try_ulp_f32("t", &narrow(got), &narrow(want), 4).is_ok()
        }),
        ("ratio", |got, want| {
            let scale: Vec<f64> = want.iter().map(|w| if w.is_finite() { w.abs() } else { 1.0 }).collect();
            try_ratio("t", got, want, &scale, UNIT_ROUNDOFF_F64, 30.0).is_ok()
        }),
        ("relative", |got, want| try_relative("t", got, want, 1e-14, 1e-300).is_ok()),
    ]
}

#[test]
fn every_form_obeys_the_common_rules() {
    for (name, accepts) in forms() {
        assert!(accepts(&[1.0, -2.5], &[1.0, -2.5]), "{name}: equal");
        assert!(!accepts(&[1.0, 2.0, 3.001], &[1.0, 2.0, 3.0]), "{name}: wrong");
        assert!(!accepts(&[-1.0], &[1.0]), "{name}: sign");
        assert!(!accepts(&[], &[]), "{name}: empty");
        assert!(!accepts(&[1.0], &[1.0, 1.0]), "{name}: length");
        for (got, want) in [(NAN, 1.0), (1.0, NAN), (NAN, NAN), (NAN, INF), (INF, NAN)] {
            assert!(!accepts(&[got], &[want]), "{name}: {got} against {want}");
        }
        for (got, want) in [(INF, -INF), (-INF, INF), (INF, MAX), (MAX, -INF), (1.0, INF)] {
            assert!(!accepts(&[got], &[want]), "{name}: {got} against {want}");
        }
        assert!(accepts(&[INF, -INF], &[INF, -INF]), "{name}: infinities");
        assert!(accepts(&[0.0], &[-0.0]), "{name}: zeros");
    }
}

#[test]
fn ulp_distance_counts_representable_numbers() {
    let tiny = f64::from_bits(1);
    assert_eq!(ulp_distance(tiny, -tiny), 2);
    assert_eq!(ulp_distance(f64::MAX, f64::MIN), 2 * f64::MAX.to_bits());
    assert_eq!(ulp_distance(1.0, 1.0 - f64::EPSILON / 2.0), 1);
    assert_eq!(ulp_distance(INF, INF), 0);
    assert_eq!(ulp_distance(NAN, NAN), u64::MAX);
    assert_eq!(ulp_distance_f32(f32::from_bits(1), -0.0), 1);
    assert_eq!(ulp_distance_f32(f32::INFINITY, f32::MAX), u64::MAX);
}

#[test]
fn bounds_are_sharp() {
    let four_up = f64::from_bits(1.0_f64.to_bits() + 4);
    let five_up = f64::from_bits(1.0_f64.to_bits() + 5);
    assert!(try_ulp("t", &[four_up], &[1.0], 4).is_ok());
    assert!(try_ulp("t", &[five_up], &[1.0], 4).is_err());
    let u = UNIT_ROUNDOFF_F64;
    assert!(try_ratio("t", &[30.0 * u], &[0.0], &[1.0], u, 30.0).is_ok());
    assert!(try_ratio("t", &[31.0 * u], &[0.0], &[1.0], u, 30.0).is_err());
    assert!(try_ratio("t", &[1e-320], &[0.0], &[0.0], u, 30.0).is_err(), "scale 0 allows no error");
    assert!(try_ratio("t", &[1e-310], &[0.0], &[1e-310], u, 30.0).is_err(), "u·scale underflows");
    assert!(try_relative("t", &[1e-9], &[0.0], 1e-6, 1e-3).is_ok());
    assert!(try_relative("t", &[1.1e-9], &[0.0], 1e-6, 1e-3).is_err());
    assert!(try_relative("t", &[1e-320], &[0.0], 1e-6, 0.0).is_err());
}

#[test]
fn bits_are_bits() {
    assert!(try_bits("t", &[NAN, 0.0, INF], &[NAN, 0.0, INF]).is_ok());
    assert!(try_bits("t", &[0.0], &[-0.0]).is_err());
    assert!(try_bits("t", &[NAN], &[-NAN]).is_err());
    assert!(try_bits("t", &[], &[]).is_err());
}

#[test]
fn options_are_explicit() {
    assert!(Comparison::ulp("t", 0).nan_equal().push(NAN, NAN).finish().is_ok());
    assert!(Comparison::ulp("t", 9).nan_equal().push(NAN, 1.0).finish().is_err());
    assert!(Comparison::ulp("t", 9).nan_equal().push(1.0, NAN).finish().is_err());
    assert!(Comparison::ulp("t", 9).strict_zero().push(0.0, -0.0).finish().is_err());
    assert!(Comparison::ulp("t", 9).expect_count(2).push(1.0, 1.0).finish().is_err());
}

#[test]
fn meaningless_bounds_are_refused() {
    for bad in [NAN, INF, -1.0] {
        assert!(matches!(
            try_relative("t", &[1.0], &[1.0], bad, 0.0),
            Err(Mismatch { kind: MismatchKind::Bound { .. }, .. })
        ));
        assert!(try_relative("t", &[1.0], &[1.0], 1e-9, bad).is_err());
        assert!(try_ratio("t", &[1.0], &[1.0], &[bad], UNIT_ROUNDOFF_F64, 30.0).is_err());
    }
}

#[test]
fn a_mismatch_says_everything() {
    let mut comparison = Comparison::ulp("exp", 1);
    comparison.context("seed 7, f64, transposed").push_slices(&[1.0, 2.5, 3.0], &[1.0, 2.0, 3.0]);
    let summary = comparison.summary().unwrap();
    assert_eq!((summary.count, summary.worst.index), (3, 1));
    let text = comparison.finish().unwrap_err().to_string();
    for part in ["exp", "seed 7, f64, transposed", "index 1", "got 2.5e0", "want 2e0", "1 of 3", "ulp"] {
        assert!(text.contains(part), "`{part}` is missing from: {text}");
    }
}

#[test]
fn rms_is_the_root_of_the_mean_square() {
    let mut comparison = Comparison::relative("t", 1.0, 1.0);
    comparison.push(0.3, 0.0).push(0.4, 0.0);
    let summary = comparison.finish().unwrap();
    assert!((summary.rms - 0.125_f64.sqrt()).abs() < 1e-16);
    assert_eq!(summary.max, 0.4);
}
