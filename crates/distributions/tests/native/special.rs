//! Special functions against mpmath, and the identities between them.

use proptest::prelude::*;
use variata_distributions::special::*;
use variata_testkit::compare::{assert_ratio, assert_ulp};

use crate::golden::{assert_column, table};

/// The promise of every function here.
const ULP: u64 = 4;

#[test]
fn normal_tails_are_within_four_ulp() {
    let t = table!("ndtr");
    assert_column(&t, "x", "pdf", norm_pdf, ULP);
    assert_column(&t, "x", "ndtr", ndtr, ULP);
    let t = table!("log_ndtr");
    assert_column(&t, "x", "log_ndtr", log_ndtr, ULP);
    assert_column(&t, "x", "grad", log_ndtr_grad, ULP);
    let t = table!("ndtri");
    assert_column(&t, "p", "ndtri", ndtri, ULP);
    assert_column(&t, "p", "ndtri", |p| -isf(p), ULP);
}

#[test]
fn normal_tables_have_two_thousand_rows() {
    assert!(table!("ndtr").len() + table!("log_ndtr").len() + table!("ndtri").len() >= 2000);
}

#[test]
fn exponentials_are_within_four_ulp() {
    assert_column(&table!("log1pmx"), "x", "log1pmx", log1pmx, ULP);
    assert_column(&table!("expm1mx"), "x", "expm1mx", expm1mx, ULP);
    assert_column(&table!("log1mexp"), "x", "log1mexp", log1mexp, ULP);
    let t = table!("softplus");
    assert_column(&t, "x", "softplus", softplus, ULP);
    assert_column(&t, "x", "softplus", |x| -log_sigmoid(-x), ULP);
    assert_column(&t, "x", "sigmoid", sigmoid, ULP);
    assert_column(&table!("softplus_inv"), "y", "softplus_inv", softplus_inv, ULP);
    assert_column(&table!("logit"), "p", "logit", logit, ULP);
}

#[test]
fn gamma_family_is_within_four_ulp() {
    let t = table!("gamma");
    assert_column(&t, "x", "lgamma", lgamma, ULP);
    assert_column(&t, "x", "digamma", digamma, ULP);
}

#[test]
fn digamma_reflects_below_zero() {
    for x in [-0.5, -1.25, -7.9, -100.3] {
        let (a, b) = (digamma(x + 1.0), 1.0 / x);
        assert_ratio("ψ(x) = ψ(x+1) − 1/x", digamma(x), a - b, a.abs() + b.abs(), f64::EPSILON / 2.0, 200.0);
    }
}

/// From mpmath with 30 digits.
#[test]
fn trigamma_is_the_slope_of_digamma() {
    let rows = [
        (1e-8, 1.00000000000000012e16, 8),
        (0.5, 4.93480220054467931, 8),
        (1.0, 1.64493406684822644, 8),
        (2.5, 0.490357756100234865, 8),
        (10.0, 0.105166335681685746, 8),
        (15.9, 0.0649122815990601135, 8),
        (16.0, 0.0644937834032393618, 8),
        (100.0, 0.0100501666633335714, 8),
        (1e8, 1.00000000500000002e-8, 8),
        (-0.5, 8.93480220054467931, 8),
        (-1e-10, 9.99999999999999927e19, 8),
        (-3.3, 14.8177395255159288, 32),
        (-20.7, 15.0322526307167351, 256),
    ];
    for (x, want, ulp) in rows {
        assert_ulp("trigamma", trigamma(x), want, ulp);
    }
    assert_eq!(trigamma(f64::INFINITY), 0.0);
    assert_eq!([0.0, -0.0].map(trigamma), [f64::INFINITY; 2]);
    assert!([-2.0, f64::NEG_INFINITY, f64::NAN].into_iter().all(|x| trigamma(x).is_nan()));
}

#[test]
fn digamma_keeps_its_digits_below_zero() {
    // mpmath.psi(0, x) at 80 digits.
    for (x, want) in [
        (-1e-300, -9.9999999999999997494e299),
        (-1e-20, 1.0000000000000000548e20),
        (-1e-10, 9999999999.4227839706),
        (-1e-5, 99999.422767885629412),
        (-0.0009765625, 1023.4211768067940792),
        (-0.125, 7.1959829284523046177),
    ] {
        let want: f64 = if x == -1e-300 { -want } else { want };
        assert_ulp("digamma", digamma(x), want, 8);
    }
}

#[test]
fn limits_are_the_documented_ones() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let table: [(&str, f64, f64); 35] = [
        ("ndtr", ndtr(-inf), 0.0),
        ("ndtr", ndtr(inf), 1.0),
        ("ndtr", ndtr(-1e300), 0.0),
        ("pdf", norm_pdf(1e300), 0.0),
        ("log_pdf", norm_log_pdf(inf), -inf),
        ("log_ndtr", log_ndtr(-inf), -inf),
        ("log_ndtr", log_ndtr(inf), 0.0),
        ("log_ndtr", log_ndtr(-1e200), -inf),
        ("log_sf", log_sf(inf), -inf),
        ("grad", log_ndtr_grad(-inf), inf),
        ("grad", log_ndtr_grad(inf), 0.0),
        ("ndtri", ndtri(0.0), -inf),
        ("ndtri", ndtri(1.0), inf),
        ("isf", isf(0.0), inf),
        ("log1pmx", log1pmx(-1.0), -inf),
        ("log1pmx", log1pmx(inf), -inf),
        ("log1pmx", log1pmx(0.0), 0.0),
        ("expm1mx", expm1mx(inf), inf),
        ("expm1mx", expm1mx(-inf), inf),
        ("expm1mx", expm1mx(0.0), 0.0),
        ("log1mexp", log1mexp(0.0), -inf),
        ("log1mexp", log1mexp(-inf), 0.0),
        ("softplus", softplus(inf), inf),
        ("softplus", softplus(-inf), 0.0),
        ("softplus_inv", softplus_inv(0.0), -inf),
        ("softplus_inv", softplus_inv(inf), inf),
        ("sigmoid", sigmoid(-inf), 0.0),
        ("sigmoid", sigmoid(inf), 1.0),
        ("logit", logit(0.0), -inf),
        ("logit", logit(1.0), inf),
        ("lgamma", lgamma(0.0), inf),
        ("digamma", digamma(inf), inf),
        ("digamma", digamma(0.0), -inf),
        ("digamma", digamma(-0.0), inf),
        ("log_add_exp", log_add_exp(-inf, 3.0), 3.0),
    ];
    for (name, got, want) in table {
        assert_ulp(name, got, want, 0);
    }
    let not_numbers = [
        ndtri(-f64::MIN_POSITIVE),
        ndtri(1.0 + f64::EPSILON),
        log1mexp(1e-300),
        log1pmx(-1.1),
        softplus_inv(-1.0),
        logit(1.5),
        logit(-0.1),
        digamma(-3.0),
        digamma(-inf),
    ];
    assert!(not_numbers.iter().all(|x| x.is_nan()), "{not_numbers:?}");
    let functions: [fn(f64) -> f64; 20] = [
        ndtr,
        sf,
        log_ndtr,
        log_sf,
        log_ndtr_grad,
        norm_pdf,
        norm_log_pdf,
        ndtri,
        isf,
        log1mexp,
        log1pmx,
        expm1mx,
        softplus,
        softplus_inv,
        sigmoid,
        log_sigmoid,
        logit,
        lgamma,
        digamma,
        |x| log_sum_exp(&[0.0, x]),
    ];
    assert!(functions.iter().all(|f| f(nan).is_nan()));
}

#[test]
fn log_sum_exp_of_edges() {
    let inf = f64::INFINITY;
    assert_eq!(log_sum_exp(&[]), -inf);
    assert_eq!(log_sum_exp(&[-inf, -inf]), -inf);
    assert_eq!(log_sum_exp(&[1.0, inf, -inf]), inf);
    assert_eq!(log_sum_exp(&[-inf, 2.5]), 2.5);
    assert!(log_sum_exp(&[inf, f64::NAN]).is_nan());
    assert!(log_mean_exp(&[]).is_nan());
    assert_ulp("ten ones", log_sum_exp(&[1.0; 10]), 1.0 + 10f64.ln(), 1);
    // A dominant term does not swallow the small one: log(1 + e⁻⁴⁰) = e⁻⁴⁰ − ….
    assert_ulp("small second term", log_sum_exp(&[0.0, -40.0]), (-40f64).exp(), 2);
}

#[test]
fn tails_never_step_back_by_more_than_their_error() {
    // Neighbouring floats around each branch, and the grid of relative step 2⁻²⁰ on which the order is strict.
    for start in [-38.0, -37.416573867739416, -1.0, 0.0, 1.0] {
        let mut x: f64 = start;
        let mut before = (ndtr(x), log_ndtr(x));
        for _ in 0..20_000 {
            x = x.next_up();
            let now = (ndtr(x), log_ndtr(x));
            assert!(now.0 >= before.0 * (1.0 - 8.0 * f64::EPSILON), "ndtr at {x:e}");
            assert!(now.1 >= before.1 * (1.0 + 8.0 * f64::EPSILON), "log_ndtr at {x:e}");
            before = now;
        }
    }
    let mut x: f64 = -38.0;
    while x < -1e-3 {
        let next = x * (1.0 - 2f64.powi(-20) * 64.0);
        assert!(ndtr(next) > ndtr(x) && log_ndtr(next) > log_ndtr(x), "{x:e}");
        x = next;
    }
}

proptest! {
    #[test]
    fn ndtr_and_sf_mirror_bit_for_bit(x in -40.0..40.0f64) {
        prop_assert_eq!(ndtr(-x).to_bits(), sf(x).to_bits());
        prop_assert_eq!(log_ndtr(-x).to_bits(), log_sf(x).to_bits());
    }

    #[test]
    fn quantile_inverts_cdf_within_conditioning(x in -38.0..8.0f64) {
        // dx = dp/φ: 4 ulp of p become 8u·Φ/φ, plus 4 ulp of x.
        let bound = 8.0 * f64::EPSILON * (ndtr(x) / norm_pdf(x) + x.abs());
        // Rounding of a subnormal p, an absolute 2⁻¹⁰⁷⁵, counts as well.
        let bound = bound + 5e-324 / norm_pdf(x);
        prop_assert!((ndtri(ndtr(x)) - x).abs() <= bound, "{} vs {x}", ndtri(ndtr(x)));
    }

    #[test]
    fn inverses_return(y in 1e-3..700.0f64, x in -30.0..30.0f64) {
        prop_assert!((softplus(softplus_inv(y)) / y - 1.0).abs() <= 16.0 * f64::EPSILON);
        // dx = dp/(p(1 − p)): the rounding of p near 1 is amplified by eˣ.
        let bound = 8.0 * f64::EPSILON * (1.0 + x.abs() + x.max(0.0).exp());
        prop_assert!((logit(sigmoid(x)) - x).abs() <= bound);
    }

    #[test]
    fn log_sum_exp_shifts(v in prop::collection::vec(-50.0..50.0f64, 1..20), c in -5e5..5e5f64) {
        let shifted: Vec<f64> = v.iter().map(|x| x + c).collect();
        let (a, b) = (log_sum_exp(&shifted), log_sum_exp(&v) + c);
        prop_assert!((a - b).abs() <= 4.0 * f64::EPSILON * (c.abs() + 60.0), "{a} {b}");
        prop_assert!((log_mean_exp(&v) - (log_sum_exp(&v) - (v.len() as f64).ln())).abs() < 1e-13);
    }

    #[test]
    fn no_number_becomes_nan_inside_the_domain(bits in any::<u64>(), more in any::<u64>()) {
        let (x, y) = (f64::from_bits(bits), f64::from_bits(more));
        prop_assume!(!x.is_nan() && !y.is_nan());
        for f in [ndtr, log_ndtr, log_ndtr_grad, norm_pdf, norm_log_pdf, expm1mx, softplus, sigmoid, lgamma] {
            prop_assert!(!f(x).is_nan(), "{x:e}");
        }
        for f in [log1pmx, softplus_inv, digamma] {
            prop_assert!(x == 0.0 || !f(x.abs()).is_nan(), "{x:e}");
        }
        prop_assert!(!log1mexp(-x.abs()).is_nan());
        prop_assert!(!log_add_exp(x, y).is_nan());
        let _ = (ndtri(x), logit(x), digamma(x)); // NaN outside their domain, and they return.
    }
}
