//! The stencil against known derivatives, and gradients that must be rejected.

use std::cell::Cell;

use variata_testkit::compare::{Mismatch, MismatchKind, assert_relative};
use variata_testkit::finite_difference::{assert_gradient, derivative, directional, gradient, try_gradient};

fn f(x: &[f64]) -> f64 {
    (x[0] / 1e-3).sin() * x[1].ln() + x[2].powi(2) / 1e8
}

fn grad(x: &[f64]) -> Vec<f64> {
    vec![(x[0] / 1e-3).cos() * x[1].ln() / 1e-3, (x[0] / 1e-3).sin() / x[1], 2.0 * x[2] / 1e8]
}

const X: [f64; 3] = [7e-4, 3.0, 2e4];
/// Lengths over which f changes in each coordinate.
const SCALES: [f64; 3] = [1e-3, 1.0, 1e4];

#[test]
fn six_points_reach_their_order() {
    // Truncation and rounding, both u^(6/7) = 2.1e-14 of |f|/scale, times 2 for the sum of |coefficients|.
    for k in [-80, 0, 80] {
        let s = libm::scalbn(1.0, k);
        assert_relative("exp'", derivative(|t| (t / s).exp(), 0.5 * s, s), 0.5_f64.exp() / s, 1e-13, 0.0);
    }
}

#[test]
fn gradients_and_directions_agree_with_the_formula() {
    let want = grad(&X);
    for (got, want) in gradient(f, &X, &SCALES).into_iter().zip(&want) {
        assert_relative("partial", got, *want, 1e-12, 0.0);
    }
    let along: f64 = want.iter().zip(&SCALES).map(|(g, s)| g * s).sum();
    assert_relative("along", directional(f, &X, &SCALES), along, 1e-11, 0.0);
    assert_gradient("f", f, &X, &SCALES, grad, 1e-11);
}

#[test]
fn wrong_gradients_are_rejected() {
    let wrong = |i: usize, factor: f64| {
        try_gradient(
            "f",
            f,
            &X,
            &SCALES,
            |x| {
                let mut g = grad(x);
                g[i] *= factor;
                g
            },
            1e-8,
        )
    };
    for i in 0..2 {
        assert!(wrong(i, 1.0 + 1e-6).is_err(), "coordinate {i}");
        assert!(wrong(i, 0.0).is_err(), "coordinate {i}");
        assert!(wrong(i, f64::NAN).is_err(), "coordinate {i}");
    }
    // The third is small beside the others, so that only an error of the size of S·rel_bound shows.
    assert!(wrong(2, -1.0).is_err());
    let short = try_gradient("f", f, &X, &SCALES, |x| grad(x)[..2].to_vec(), 1e-8);
    assert!(matches!(short, Err(Mismatch { kind: MismatchKind::Length { got: 2, want: 3 }, .. })));
    let empty = try_gradient("f", |_| 1.0, &[], &[], |_| vec![], 1e-8);
    assert!(matches!(empty, Err(Mismatch { kind: MismatchKind::Empty, .. })));
}

#[test]
fn a_second_call_must_give_the_same_bits() {
    let calls = Cell::new(0_u32);
    let drifting = |x: &[f64]| {
        calls.set(calls.get() + 1);
        let mut g = grad(x);
        if calls.get() > 1 {
            g[1] = f64::from_bits(g[1].to_bits() ^ 1);
        }
        g
    };
    let result = try_gradient("f", f, &X, &SCALES, drifting, 1e-8);
    assert!(matches!(result, Err(Mismatch { kind: MismatchKind::NotRepeatable { index: 1, .. }, .. })));
}
