//! Claims, and numbers as text.

use variata_report::{Claim, Criterion, Spread, Verdict, decimals, mean_sd, significant};

fn judged(criterion: Criterion, values: &[f64]) -> Verdict {
    let values: Vec<(u64, f64)> = (0..).zip(values.iter().copied()).collect();
    Claim::new("id", "sentence", "source").judge(criterion, &values).verdict
}

#[test]
fn every_seed_has_to_meet_the_criterion() {
    assert_eq!(judged(Criterion::AtLeast(1.0), &[1.0, 2.0]), Verdict::Held);
    assert_eq!(judged(Criterion::AtLeast(1.0), &[0.999, 200.0]), Verdict::NotHeld);
    assert_eq!(judged(Criterion::Above(1.0), &[1.0]), Verdict::NotHeld);
    assert_eq!(judged(Criterion::AtMost(1.0), &[1.0]), Verdict::Held);
    assert_eq!(judged(Criterion::Below(1.0), &[1.0]), Verdict::NotHeld);
    assert_eq!(judged(Criterion::Within { low: 0.0, high: 1.0 }, &[0.0, 1.0]), Verdict::Held);
    assert_eq!(judged(Criterion::Within { low: 0.0, high: 1.0 }, &[0.0, 1.1]), Verdict::NotHeld);
}

#[test]
fn nan_meets_nothing_and_no_value_is_no_verdict() {
    let all = [
        Criterion::AtLeast(f64::NEG_INFINITY),
        Criterion::AtMost(f64::INFINITY),
        Criterion::Above(-1.0),
        Criterion::Below(1.0),
        Criterion::Within { low: f64::NEG_INFINITY, high: f64::INFINITY },
    ];
    for criterion in all {
        assert_eq!(judged(criterion, &[0.0, f64::NAN]), Verdict::NotHeld, "{criterion:?}");
        assert!(matches!(judged(criterion, &[]), Verdict::NotTested(_)), "{criterion:?}");
    }
}

#[test]
fn what_was_not_tested_has_not_failed() {
    let open = Claim::new("id", "sentence", "source");
    let with = |value: f64| open.clone().judge(Criterion::Above(0.0), &[(0, value)]);
    let (held, failed) = (with(1.0), with(-1.0));
    for (claims, want) in [
        (vec![&held, &failed, &held], "2 of 3 claims held."),
        (vec![&held, &open, &failed], "1 of 2 tested claims held; 1 was not tested."),
        (vec![&open, &failed, &open], "0 of 1 tested claims held; 2 were not tested."),
        (vec![&open], "The one claim was not tested."),
        (vec![&open, &open], "None of the 2 claims was tested."),
        (vec![], "0 of 0 claims held."),
    ] {
        let claims: Vec<Claim> = claims.into_iter().cloned().collect();
        assert_eq!(Claim::outcome(&claims), want);
    }
}

#[test]
fn criteria_as_text() {
    assert_eq!(Criterion::AtLeast(0.99999).text(), "≥ 0.99999");
    assert_eq!(Criterion::AtLeast(0.1 + 0.2).text(), "≥ 0.3");
    assert_eq!(Criterion::Within { low: 0.1, high: 123456.7 }.text(), "0.1 to 123456.7");
    assert_eq!(Criterion::AtLeast(0.9).text(), "≥ 0.9");
    assert_eq!(Criterion::Above(0.0).text(), "> 0");
    assert_eq!(Criterion::AtMost(1e-9).text(), "≤ 1.000×10⁻⁹");
    assert_eq!(Criterion::Within { low: -1.0, high: 100.0 }.text(), "−1 to 100");
}

#[test]
fn significant_digits() {
    for (value, digits, want) in [
        (0.0, 3, "0"),
        (-0.0, 3, "0"),
        (1.0, 3, "1.00"),
        (999.5, 3, "1000"),
        (123_456.0, 3, "123456"),
        (999_999.9, 3, "1.00×10⁶"),
        (0.000_123_4, 3, "0.000123"),
        (0.000_012_34, 3, "1.23×10⁻⁵"),
        (-2.5e-300, 2, "−2.5×10⁻³⁰⁰"),
        (f64::NAN, 3, "NaN"),
        (f64::NEG_INFINITY, 3, "−∞"),
        (std::f64::consts::PI, 0, "3"),
        (0.1, 99, "0.10000000000000001"),
    ] {
        assert_eq!(significant(value, digits), want, "{value:e} to {digits}");
    }
    assert_eq!(decimals(-0.001, 2), "0.00");
    assert_eq!(decimals(-1.005, 1), "−1.0");
}

#[test]
fn mean_and_spread() {
    for (values, want) in [
        (&[][..], "–"),
        (&[0.5], "0.5000"),
        (&[2.0, 2.0], "2.000 ± 0"),
        (&[84.1, 83.7, 84.4], "84.07 ± 0.35"),
        (&[1000.0, 1500.0], "1250 ± 354"),
        (&[1.0, f64::NAN], "NaN"),
        (&[1.0, f64::INFINITY], "∞"),
        (&[1e-9, 2e-9], "1.500×10⁻⁹ ± 7.1×10⁻¹⁰"),
    ] {
        assert_eq!(mean_sd(values), want, "{values:?}");
    }
}

#[test]
fn spread_neither_cancels_nor_overflows() {
    let mut far = vec![f64::MAX; 100];
    far.push(-f64::MAX);
    // Of n values ±1, one of them −1, the variance is 4/n.
    let want = (4.0f64 / 101.0).sqrt();
    let got = variata_report::Spread::of(&far).sd / f64::MAX;
    assert!((got - want).abs() < 1e-12, "{got} {want}");
    // Exact: the mean is 1e9 + 1 and the deviations are −1, 0, 1.
    let spread = Spread::of(&[1e9, 1e9 + 1.0, 1e9 + 2.0]);
    // Three terms, each rounded at 1e9: the deviations carry at most 3 units in its last place.
    let bound = 3.0 * 1e9 * f64::EPSILON;
    assert!((spread.sd - 1.0).abs() <= bound, "{}", spread.sd);
    let spread = Spread::of(&[1e308, 1.2e308, 1.4e308]);
    assert!((spread.sd / 0.2e308 - 1.0).abs() <= 32.0 * f64::EPSILON, "{}", spread.sd);
    assert!(Spread::of(&[1.0]).sd.is_nan() && Spread::of(&[]).mean.is_nan());
}
