//! Every function of a dual number against the stencil and against known derivatives.

use variata_testkit::compare::assert_relative;
use variata_testkit::dual::{Dual, Formula, Scalar, gradient_by_dual};
use variata_testkit::finite_difference::{assert_gradient, derivative};

type Pair = (&'static str, fn(f64) -> f64, fn(Dual) -> Dual);

macro_rules! pair {
    ($name:literal, $f:expr) => {{
        fn eval<S: Scalar>(x: S) -> S {
            let f: fn(S) -> S = $f;
            f(x)
        }
        ($name, eval::<f64> as fn(f64) -> f64, eval::<Dual> as fn(Dual) -> Dual)
    }};
}

#[test]
fn every_function_has_its_derivative() {
    let pairs: [Pair; 17] = [
        pair!("exp", |x| x.exp()),
        pair!("exp_m1", |x| x.exp_m1()),
        pair!("ln", |x| x.ln()),
        pair!("ln_1p", |x| x.ln_1p()),
        pair!("sqrt", |x| x.sqrt()),
        pair!("powi", |x| x.powi(5)),
        pair!("powi, negative", |x| x.powi(-3)),
        pair!("abs", |x| (x - S::from(9.0)).abs()),
        pair!("sin", |x| x.sin()),
        pair!("cos", |x| x.cos()),
        pair!("tanh", |x| x.tanh()),
        pair!("erf", |x| x.erf()),
        pair!("erfc", |x| x.erfc()),
        pair!("lgamma", |x| x.lgamma()),
        pair!("normal_cdf", |x| x.normal_cdf()),
        pair!("quotient", |x| x / (x * x + S::from(1.0)) - x),
        pair!("larger", |x| (-x).larger(x * x)),
    ];
    for (name, f, dual) in pairs {
        for x in [0.3, 0.9, 1.7, 3.1] {
            let got = dual(Dual::variable(x));
            assert_eq!(got.value.to_bits(), f(x).to_bits(), "{name}({x})");
            // The stencil loses 2·10⁻¹⁴·max|f| over the scale 0.1; truncation is below that for these functions.
            assert_relative(&format!("{name}'({x})"), got.tangent, derivative(f, x, 0.1), 1e-10, 0.01);
        }
    }
}

#[test]
fn known_derivatives_are_exact() {
    let d = |f: fn(Dual) -> Dual, x: f64| f(Dual::variable(x)).tangent;
    let euler = 0.577_215_664_901_532_9;
    // The recurrence adds ten terms of alternating size with the asymptotic value: 10 u of their sum, about 5.
    assert_relative("ψ(1)", d(Scalar::lgamma, 1.0), -euler, 1e-14, 0.0);
    assert_relative("ψ(½)", d(Scalar::lgamma, 0.5), -euler - 2.0 * 2.0_f64.ln(), 1e-14, 0.0);
    assert_relative("ψ(−½)", d(Scalar::lgamma, -0.5), 2.0 - euler - 2.0 * 2.0_f64.ln(), 1e-14, 1.0);
    assert_relative("φ(−30)", d(Scalar::normal_cdf, -30.0), 1.473_646_134_878_547_5e-196, 1e-15, 0.0);
    assert_eq!(Dual::from(0.0).sqrt().tangent, 0.0, "a constant has no slope, not NaN");
    assert!(Dual::new(1.0, 5.0) == Dual::new(1.0, -5.0) && Dual::new(1.0, 5.0) < Dual::new(2.0, 0.0));
}

struct NormalGumbel;

impl Formula for NormalGumbel {
    /// KL(N(0, σ²) ‖ Gumbel(0, β)) without its constant: ln(β/σ) + exp(σ²/2β²)
    fn eval<S: Scalar>(&self, x: &[S]) -> S {
        (x[1] / x[0]).ln() + ((x[0] / x[1]).powi(2) * S::from(0.5)).exp()
    }
}

#[test]
fn gradients_agree_with_the_stencil() {
    let x = [0.7, 1.3];
    assert_gradient("KL", |x| NormalGumbel.eval(x), &x, &x, |x| gradient_by_dual(&NormalGumbel, x), 1e-11);
    assert!(gradient_by_dual(&NormalGumbel, &x)[1] > 0.0);
}
