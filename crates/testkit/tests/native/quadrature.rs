//! Integrals with closed forms, and integrands that must be refused.

use std::f64::consts::PI;

use variata_testkit::compare::assert_relative;
use variata_testkit::quadrature::integrate;

const INF: f64 = f64::INFINITY;

#[test]
fn closed_forms_are_met_to_1e_12() {
    type Case = (&'static str, fn(f64) -> f64, f64, f64, f64);
    let cases: [Case; 13] = [
        ("eˣ on [0, 1]", f64::exp, 0.0, 1.0, 1.0_f64.exp_m1()),
        ("reversed", f64::exp, 1.0, 0.0, -1.0_f64.exp_m1()),
        ("ln, singular end", f64::ln, 0.0, 1.0, -1.0),
        ("1/√x", |x| x.sqrt().recip(), 0.0, 4.0, 4.0),
        ("1/√(1−x²)", |x| 1.0 / ((1.0 - x) * (1.0 + x)).sqrt(), 0.0, 0.5, PI / 6.0),
        // The nodes of the first levels all miss it.
        ("narrow peak", |x| (-((x - 0.3) / 0.01).powi(2) / 2.0).exp(), 0.0, 1.0, 0.01 * (2.0 * PI).sqrt()),
        ("exponential", |x| (-x).exp(), 0.0, INF, 1.0),
        ("exponential from −∞", f64::exp, -INF, 2.0, 2.0_f64.exp()),
        ("Γ(½)", |x| (-x).exp() / x.sqrt(), 0.0, INF, PI.sqrt()),
        ("Gauss", |x| (-x * x / 2.0).exp(), -INF, INF, (2.0 * PI).sqrt()),
        ("Gauss, shifted", |x| (-(x - 5.0).powi(2) / 2.0).exp(), -INF, INF, (2.0 * PI).sqrt()),
        ("Cauchy", |x| 1.0 / (1.0 + x * x), -INF, INF, PI),
        ("sin over a period", f64::sin, 0.0, PI, 2.0),
    ];
    for (name, f, a, b, want) in cases {
        let got = integrate(f, a, b).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_relative(name, got.value, want, 1e-12, 0.0);
        assert!(got.error <= 1e-13, "{name}: {}", got.error);
    }
    assert_eq!(integrate(f64::exp, 2.0, 2.0).unwrap().value, 0.0);
}

#[test]
fn what_does_not_converge_is_refused() {
    assert!(integrate(|x| if x < 0.3 { 0.0 } else { 1.0 }, 0.0, 1.0).is_err(), "jump");
    assert!(integrate(|_| f64::NAN, 0.0, 1.0).is_err(), "NaN");
    assert!(integrate(|x| (1e6 * x * x).sin(), 0.0, 1.0).is_err(), "oscillation");
    assert!(integrate(f64::exp, f64::NAN, 1.0).is_err(), "NaN end");
    assert!(integrate(|x| (x - 0.4).abs().recip(), 0.0, 1.0).is_err(), "diverges");
}
