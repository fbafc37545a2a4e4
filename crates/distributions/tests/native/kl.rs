//! The univariate divergences: reference tables, signs, gradients, limits, invariances.

use ndarray::{Array1, ArrayD, array};
use proptest::prelude::*;
use variata_distributions::{
    Bernoulli, Categorical, Error, Gumbel, KlDivergence, Laplace, Logistic, Normal, Uniform,
    UniformCategories, special::log_sum_exp,
};
use variata_testkit::compare::{Comparison, UNIT_ROUNDOFF_F64};
use variata_testkit::dual::{Formula, Scalar, gradient_by_dual};
use variata_testkit::finite_difference::assert_gradient;
use variata_testkit::golden::Table;
use variata_testkit::quadrature::integrate;

use crate::golden::table;

/// One pair of two-parameter families as functions of the four parameters.
struct Pair {
    name: &'static str,
    table: Table,
    value: fn([f64; 4]) -> Result<f64, Error>,
    value_f32: fn([f32; 4]) -> Result<f32, Error>,
    grad: fn([f64; 4]) -> Result<[f64; 4], Error>,
    /// Both sides are the same family.
    same: bool,
}

/// Builds a [`Pair`] from two families and the names of the fields of their gradients.
macro_rules! pair {
    ($table:literal, $p:ident($p0:ident, $p1:ident), $q:ident($q0:ident, $q1:ident), $same:expr) => {
        Pair {
            name: $table,
            table: table!($table),
            value: |[a, b, c, d]| Ok($p::scalar(a, b)?.kl(&$q::scalar(c, d)?)?.sum()),
            value_f32: |[a, b, c, d]| Ok($p::scalar(a, b)?.kl(&$q::scalar(c, d)?)?.sum()),
            grad: |[a, b, c, d]| {
                let (_, grad) = $p::scalar(a, b)?.kl_with_grad(&$q::scalar(c, d)?)?;
                Ok([grad.p.$p0.sum(), grad.p.$p1.sum(), grad.q.$q0.sum(), grad.q.$q1.sum()])
            },
            same: $same,
        }
    };
}

fn pairs() -> Vec<Pair> {
    vec![
        pair!("kl_normal_normal", Normal(loc, scale), Normal(loc, scale), true),
        pair!("kl_laplace_laplace", Laplace(loc, scale), Laplace(loc, scale), true),
        pair!("kl_gumbel_gumbel", Gumbel(loc, scale), Gumbel(loc, scale), true),
        pair!("kl_normal_gumbel", Normal(loc, scale), Gumbel(loc, scale), false),
        pair!("kl_gumbel_normal", Gumbel(loc, scale), Normal(loc, scale), false),
        pair!("kl_normal_laplace", Normal(loc, scale), Laplace(loc, scale), false),
        pair!("kl_laplace_normal", Laplace(loc, scale), Normal(loc, scale), false),
        pair!("kl_uniform_normal", Uniform(low, high), Normal(loc, scale), false),
        pair!("kl_uniform_laplace", Uniform(low, high), Laplace(loc, scale), false),
        pair!("kl_uniform_uniform", Uniform(low, high), Uniform(low, high), true),
    ]
}

fn four(row: &[f64]) -> [f64; 4] {
    [row[0], row[1], row[2], row[3]]
}

#[test]
fn pairs_agree_with_mpmath_also_next_to_equality() {
    for pair in pairs() {
        // Near equality the tables go down to changes of 1e-12, where the value is 1e-24. The inputs are f64 numbers,
        // so the location difference is a rounded number away from 0: the table has the divergence of what was rounded.
        let mut comparison = Comparison::relative(pair.name, 1e-12, 0.0);
        let mut narrow = Comparison::relative(pair.name, 1e-6, 0.0);
        for row in pair.table.rows() {
            comparison.push((pair.value)(four(row)).unwrap(), row[4]);
            let parameters = four(row).map(|v| v as f32);
            // f32: the f64 divergence of the rounded parameters, rounded once.
            if let (Ok(got), Ok(want)) =
                ((pair.value_f32)(parameters), (pair.value)(parameters.map(f64::from)))
            {
                narrow.push(got as f64, if want > f32::MAX as f64 { f64::INFINITY } else { want });
            }
        }
        println!("{:?}", comparison.expect_count(pair.table.len()).assert());
        narrow.assert();
    }
}

#[test]
fn bernoulli_agrees_with_mpmath() {
    let table = table!("kl_bernoulli_bernoulli");
    let mut comparison = Comparison::relative("kl_bernoulli", 1e-12, 0.0);
    for row in table.rows() {
        let (p, q) = (Bernoulli::scalar(row[0]).unwrap(), Bernoulli::scalar(row[1]).unwrap());
        comparison.push(p.kl(&q).unwrap().sum(), row[2]);
    }
    comparison.expect_count(table.len()).assert();
}

#[test]
fn categorical_agrees_with_mpmath() {
    let table = table!("kl_categorical_categorical");
    let mut comparison = Comparison::relative("kl_categorical", 1e-12, 0.0);
    for row in table.rows() {
        let p = Categorical::new(Array1::from(row[..3].to_vec())).unwrap();
        let q = Categorical::new(Array1::from(row[3..6].to_vec())).unwrap();
        comparison.push(p.kl(&q).unwrap().sum(), row[6]);
        if row[3..6] == [0.0; 3] {
            let uniform = p.kl(&UniformCategories).unwrap().sum();
            assert_eq!(uniform, p.kl(&q).unwrap().sum());
        }
    }
    comparison.expect_count(table.len()).assert();
}

#[test]
fn gradients_match_the_six_point_stencil() {
    for pair in pairs() {
        for row in pair.table.rows() {
            let x = four(row);
            // A uniform's natural length is its width.
            let width =
                |a: f64, b: f64, uniform: bool| if uniform { [(b - a) * 0.2; 2] } else { [b, 0.5 * b] };
            let [s0, s1] = width(x[0], x[1], pair.name.contains("kl_uniform"));
            let [s2, s3] = width(x[2], x[3], pair.name.ends_with("_uniform"));
            let steps = [s0.min(s2), s1, s2.min(s0), s3];
            // Kinks (equal locations of Laplace, ends of an interval) are the business of another test, and the stencil
            // needs a value that is not next to its own rounding.
            let kink = |step: f64| match pair.name {
                "kl_laplace_laplace" | "kl_uniform_laplace" => {
                    [x[0], x[1]].iter().any(|end| (end - x[2]).abs() < step)
                }
                "kl_uniform_uniform" => (x[0] - x[2]).abs() < 0.2 || (x[1] - x[3]).abs() < 0.2,
                _ => false,
            };
            // Beyond 1e3 the exponentials vary on a shorter scale than the parameters.
            if !(1e-3..1e3).contains(&row[4]) || kink(steps[0].min(steps[2])) || steps[0] < 0.01 {
                continue;
            }
            assert_gradient(
                pair.name,
                |v| (pair.value)(four(v)).unwrap_or(f64::NAN),
                &x,
                &steps,
                |v| (pair.grad)(four(v)).unwrap().to_vec(),
                1e-8,
            );
        }
    }
}

/// log(σ₂/σ₁) + (σ₁² + Δ²)/(2σ₂²) − ½
struct NormalNormal;
impl Formula for NormalNormal {
    fn eval<S: Scalar>(&self, v: &[S]) -> S {
        let (d, half) = (v[0] - v[2], S::from(0.5));
        (v[3] / v[1]).ln() + (v[1].powi(2) + d.powi(2)) / v[3].powi(2) * half - half
    }
}
/// log(b₂/b₁) + |Δ|/b₂ + b₁/b₂·e^(−|Δ|/b₁) − 1
struct LaplaceLaplace;
impl Formula for LaplaceLaplace {
    fn eval<S: Scalar>(&self, v: &[S]) -> S {
        let d = (v[0] - v[2]).abs();
        (v[3] / v[1]).ln() + d / v[3] + v[1] / v[3] * (-d / v[1]).exp() - S::from(1.0)
    }
}
/// log β − ½ log 2πσ² − ½ + δ + exp(σ²/2β² − δ)
struct NormalGumbel;
impl Formula for NormalGumbel {
    fn eval<S: Scalar>(&self, v: &[S]) -> S {
        let (half, d) = (S::from(0.5), (v[0] - v[2]) / v[3]);
        let exponential = ((v[1] / v[3]).powi(2) * half - d).exp();
        v[3].ln() - (v[1].powi(2) * S::from(std::f64::consts::TAU)).ln() * half - half + d + exponential
    }
}
/// −log r + γ(r − 1) + δ − 1 + e^(−δ) Γ(1 + r)
struct GumbelGumbel;
impl Formula for GumbelGumbel {
    fn eval<S: Scalar>(&self, v: &[S]) -> S {
        let (one, r, d) = (S::from(1.0), v[1] / v[3], (v[0] - v[2]) / v[3]);
        -r.ln() + S::from(std::f64::consts::EULER_GAMMA) * (r - one) + d - one
            + ((one + r).lgamma() - d).exp()
    }
}

fn assert_dual(name: &str, formula: &impl Formula) {
    let pair = pairs().into_iter().find(|pair| pair.name == name).unwrap();
    let mut comparison = Comparison::ratio(name, UNIT_ROUNDOFF_F64, 1e5);
    for row in pair.table.rows().filter(|row| row[4].is_finite()) {
        let x = four(row);
        if x[0] == x[2] {
            continue; // |Δ| has its kink there.
        }
        let want = gradient_by_dual(formula, &x);
        let got = (pair.grad)(x).unwrap();
        // 1e5·u = 1.1e-11 on the scale of the terms of the textbook gradient: the value's size and 1 over the scale.
        for ((got, want), i) in got.into_iter().zip(want).zip(0..) {
            let own = if i < 2 { x[1] } else { x[3] };
            let scale = (1.0 + row[4].abs()) * (1.0 + (x[0] - x[2]).abs() / x[3] + (x[1] / x[3]).powi(2));
            comparison.push_scaled(got, want, scale / own.min(x[3]));
        }
    }
    comparison.assert();
}

#[test]
fn gradients_match_dual_numbers() {
    assert_dual("kl_normal_normal", &NormalNormal);
    assert_dual("kl_laplace_laplace", &LaplaceLaplace);
    assert_dual("kl_normal_gumbel", &NormalGumbel);
    assert_dual("kl_gumbel_gumbel", &GumbelGumbel);
}

#[test]
fn gradients_of_logits_match_the_stencil() {
    let bernoulli =
        |v: &[f64]| Bernoulli::scalar(v[0]).unwrap().kl(&Bernoulli::scalar(v[1]).unwrap()).unwrap().sum();
    for (a, b) in [(0.3, -0.4), (2.0, 2.2), (-5.0, 1.0), (6.0, 3.0), (0.0, 0.1), (-1.0, -3.5)] {
        let grad = |v: &[f64]| {
            let (_, g) =
                Bernoulli::scalar(v[0]).unwrap().kl_with_grad(&Bernoulli::scalar(v[1]).unwrap()).unwrap();
            vec![g.p.logits.sum(), g.q.logits.sum()]
        };
        assert_gradient("bernoulli", bernoulli, &[a, b], &[1.0, 1.0], grad, 1e-8);
    }
    let row = |v: &[f64]| Categorical::new(Array1::from(v.to_vec())).unwrap();
    for x in
        [[0.0, 1.0, -1.0, 0.5, 0.5, 2.0], [3.0, -2.0, 0.0, -4.0, 1.0, 1.0], [0.1, 0.2, 0.3, 0.11, 0.19, 0.3]]
    {
        let value = |v: &[f64]| row(&v[..3]).kl(&row(&v[3..])).unwrap().sum();
        let grad = |v: &[f64]| {
            let (_, g) = row(&v[..3]).kl_with_grad(&row(&v[3..])).unwrap();
            g.p.logits.iter().chain(&g.q.logits).copied().collect()
        };
        assert_gradient("categorical", value, &x, &[1.0; 6], grad, 1e-8);
        let to_uniform = |v: &[f64]| row(v).kl(&UniformCategories).unwrap().sum();
        let grad =
            |v: &[f64]| row(v).kl_with_grad(&UniformCategories).unwrap().1.logits.iter().copied().collect();
        assert_gradient("categorical to uniform", to_uniform, &x[..3], &[1.0; 3], grad, 1e-8);
    }
}

type Density<'a> = Box<dyn Fn(f64) -> f64 + 'a>;

#[test]
fn pairs_agree_with_quadrature() {
    let parameters = [[0.3, 0.8, -0.4, 1.1], [1.0, 1.5, 1.2, 0.9], [-2.0, 0.7, -1.0, 2.0]];
    for [a, b, c, d] in parameters {
        let at = |x: f64| array![x];
        let normal = (Normal::scalar(a, b).unwrap(), Normal::scalar(c, d).unwrap());
        let gumbel = (Gumbel::scalar(a, b).unwrap(), Gumbel::scalar(c, d).unwrap());
        let laplace = (Laplace::scalar(a, b).unwrap(), Laplace::scalar(c, d).unwrap());
        let logs: [(&str, Density<'_>, Density<'_>, f64); 6] = [
            (
                "normal normal",
                Box::new(|x| normal.0.log_prob(&at(x)).unwrap()[0]),
                Box::new(|x| normal.1.log_prob(&at(x)).unwrap()[0]),
                normal.0.kl(&normal.1).unwrap().sum(),
            ),
            (
                "normal gumbel",
                Box::new(|x| normal.0.log_prob(&at(x)).unwrap()[0]),
                Box::new(|x| gumbel.1.log_prob(&at(x)).unwrap()[0]),
                normal.0.kl(&gumbel.1).unwrap().sum(),
            ),
            (
                "gumbel gumbel",
                Box::new(|x| gumbel.0.log_prob(&at(x)).unwrap()[0]),
                Box::new(|x| gumbel.1.log_prob(&at(x)).unwrap()[0]),
                gumbel.0.kl(&gumbel.1).unwrap().sum(),
            ),
            (
                "gumbel normal",
                Box::new(|x| gumbel.0.log_prob(&at(x)).unwrap()[0]),
                Box::new(|x| normal.1.log_prob(&at(x)).unwrap()[0]),
                gumbel.0.kl(&normal.1).unwrap().sum(),
            ),
            (
                "normal laplace",
                Box::new(|x| normal.0.log_prob(&at(x)).unwrap()[0]),
                Box::new(|x| laplace.1.log_prob(&at(x)).unwrap()[0]),
                normal.0.kl(&laplace.1).unwrap().sum(),
            ),
            (
                "laplace laplace",
                Box::new(|x| laplace.0.log_prob(&at(x)).unwrap()[0]),
                Box::new(|x| laplace.1.log_prob(&at(x)).unwrap()[0]),
                laplace.0.kl(&laplace.1).unwrap().sum(),
            ),
        ];
        for (name, p, q, kl) in logs {
            let integrand = |x: f64| {
                let log_p = p(x);
                if log_p == f64::NEG_INFINITY { 0.0 } else { log_p.exp() * (log_p - q(x)) }
            };
            // Split at the kinks.
            let mut ends = [f64::NEG_INFINITY, a.min(c), a.max(c), f64::INFINITY];
            // Finite ends where p has less than e⁻³⁰ left, so that e^(−z) of a Gumbel cannot overflow against it.
            (ends[0], ends[3]) = (a - 40.0 * b, a + 60.0 * b);
            let total: f64 = ends.windows(2).map(|w| integrate(integrand, w[0], w[1]).unwrap().value).sum();
            assert!((total - kl).abs() <= 1e-10 * (1.0 + kl), "{name}: {total} {kl}");
        }
    }
}

#[test]
fn zero_exactly_at_equality_and_never_negative_on_random_pairs() {
    // A plain multiplicative generator: 10⁵ pairs over twelve decades.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut unit = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let n = 100_000;
    let draw = |unit: &mut dyn FnMut() -> f64| -> (Array1<f64>, Array1<f64>) {
        let loc = (0..n).map(|_| (unit() - 0.5) * 10f64.powf(6.0 * unit() - 3.0)).collect();
        let scale = (0..n).map(|_| 10f64.powf(6.0 * unit() - 3.0)).collect();
        (loc, scale)
    };
    let ((a, b), (c, d)) = (draw(&mut unit), draw(&mut unit));
    // Every third pair is made nearly equal.
    let near = |x: &Array1<f64>, y: &Array1<f64>| {
        Array1::from_iter(
            x.iter()
                .zip(y)
                .enumerate()
                .map(|(i, (&x, &y))| if i % 3 == 0 { x * (1.0 + 1e-15 * (i % 100) as f64) } else { y }),
        )
    };
    let (c, d) = (near(&a, &c), near(&b, &d));
    let check = |name: &str, kl: ArrayD<f64>, zero: ArrayD<f64>| {
        assert!(kl.iter().all(|&v| v >= 0.0), "{name}: {:?}", kl.iter().find(|&&v| v.is_nan() || v < 0.0));
        assert!(zero.iter().all(|&v| v == 0.0), "{name} at equality");
    };
    let normal = (Normal::new(a.clone(), b.clone()).unwrap(), Normal::new(c.clone(), d.clone()).unwrap());
    let laplace = (Laplace::new(a.clone(), b.clone()).unwrap(), Laplace::new(c.clone(), d.clone()).unwrap());
    let gumbel = (Gumbel::new(a.clone(), b.clone()).unwrap(), Gumbel::new(c.clone(), d.clone()).unwrap());
    let uniform = (Uniform::new(a.clone(), &a + &b).unwrap(), Uniform::new(c.clone(), &c + &d).unwrap());
    let bernoulli = (Bernoulli::new(a.clone()).unwrap(), Bernoulli::new(c.clone()).unwrap());
    let rows = |x: &Array1<f64>| Categorical::new(x.to_shape((n / 4, 4)).unwrap().to_owned()).unwrap();
    let categorical = (rows(&a), rows(&c));
    check("normal", normal.0.kl(&normal.1).unwrap(), normal.0.kl(&normal.0).unwrap());
    check("laplace", laplace.0.kl(&laplace.1).unwrap(), laplace.0.kl(&laplace.0).unwrap());
    check("gumbel", gumbel.0.kl(&gumbel.1).unwrap(), gumbel.0.kl(&gumbel.0).unwrap());
    check("uniform", uniform.0.kl(&uniform.1).unwrap(), uniform.0.kl(&uniform.0).unwrap());
    check("bernoulli", bernoulli.0.kl(&bernoulli.1).unwrap(), bernoulli.0.kl(&bernoulli.0).unwrap());
    check(
        "categorical",
        categorical.0.kl(&categorical.1).unwrap(),
        categorical.0.kl(&categorical.0).unwrap(),
    );
    let none = ArrayD::zeros(vec![0]);
    check("uniform categories", categorical.0.kl(&UniformCategories).unwrap(), none.clone());
    check("normal gumbel", normal.0.kl(&gumbel.1).unwrap(), none.clone());
    check("gumbel normal", gumbel.0.kl(&normal.1).unwrap(), none.clone());
    check("normal laplace", normal.0.kl(&laplace.1).unwrap(), none.clone());
    check("laplace normal", laplace.0.kl(&normal.1).unwrap(), none.clone());
    check("uniform normal", uniform.0.kl(&normal.1).unwrap(), none.clone());
    check("uniform laplace", uniform.0.kl(&laplace.1).unwrap(), none);
}

#[test]
fn gradients_vanish_at_equality() {
    for pair in pairs().iter().filter(|pair| pair.same && pair.name != "kl_uniform_uniform") {
        assert!((pair.grad)([0.3, 1.7, 0.3, 1.7]).unwrap().iter().all(|&g| g == 0.0), "{}", pair.name);
    }
}

#[test]
fn supports_that_do_not_nest_give_infinity() {
    let q = Uniform::scalar(0.0, 1.0).unwrap();
    let inf = f64::INFINITY;
    assert_eq!(Normal::scalar(0.5, 0.1).unwrap().kl(&q).unwrap().sum(), inf);
    assert_eq!(Laplace::scalar(0.5, 0.1).unwrap().kl(&q).unwrap().sum(), inf);
    assert_eq!(Gumbel::scalar(0.5, 0.1).unwrap().kl(&q).unwrap().sum(), inf);
    assert_eq!(Logistic::scalar(0.5, 0.1).unwrap().kl(&q).unwrap().sum(), inf);
    // One ulp outside.
    assert_eq!(Uniform::scalar(0.0, 1f64.next_up()).unwrap().kl(&q).unwrap().sum(), inf);
    assert_eq!(Uniform::scalar(-5e-324, 1.0).unwrap().kl(&q).unwrap().sum(), inf);
    let (value, grad) = Normal::scalar(0.5, 0.1).unwrap().kl_with_grad(&q).unwrap();
    assert!(value.sum() == inf && grad.p.loc.sum() == 0.0 && grad.q.high.sum() == 0.0);
    // p allows a class that q excludes; the reverse is finite.
    let (p, q) = (array![0.0, 0.0], array![0.0, f64::NEG_INFINITY]);
    let (p, q) = (Categorical::new(p).unwrap(), Categorical::new(q).unwrap());
    assert_eq!(p.kl(&q).unwrap().sum(), inf);
    assert_eq!(q.kl(&p).unwrap().sum(), std::f64::consts::LN_2);
    assert_eq!(q.kl(&q).unwrap().sum(), 0.0);
}

#[test]
fn sure_bernoulli_outcomes() {
    let inf = f64::INFINITY;
    let kl = |a: f64, b: f64| Bernoulli::scalar(a).unwrap().kl(&Bernoulli::scalar(b).unwrap()).unwrap().sum();
    let table = [
        (inf, inf, 0.0),
        (-inf, -inf, 0.0),
        (inf, -inf, inf),
        (-inf, inf, inf),
        (0.0, inf, inf),
        (3.0, -inf, inf),
        (inf, 0.0, std::f64::consts::LN_2),
        (-inf, 0.0, std::f64::consts::LN_2),
        (1e300, -1e300, 1e300 * 2.0),
        (-800.0, 800.0, 800.0),
    ];
    for (a, b, want) in table {
        // Two units: the infinite and the exact cases are exact anyway.
        let got = kl(a, b);
        assert!(
            got == want || (got / want - 1.0).abs() < 1e-15 || a == 1e300,
            "KL({a}, {b}) = {got}, not {want}"
        );
    }
}

#[test]
fn normal_gumbel_overflows_to_infinity_with_a_finite_logarithm() {
    let p = Normal::scalar(0.0, 1000.0).unwrap();
    let q = Gumbel::scalar(0.0, 1.0).unwrap();
    let (value, grad) = p.kl_with_grad(&q).unwrap();
    assert_eq!(value.sum(), f64::INFINITY);
    assert!([&grad.p.loc, &grad.p.scale, &grad.q.loc, &grad.q.scale].iter().all(|g| !g.sum().is_nan()));
    assert_eq!(p.log_kl(&q).unwrap().sum(), 500_000.0);
    // f32 overflows earlier: e^(14²/2) = 3.6e42.
    let (p, q) = (Normal::scalar(0.0f32, 14.0).unwrap(), Gumbel::scalar(0.0f32, 1.0).unwrap());
    assert_eq!(p.kl(&q).unwrap().sum(), f32::INFINITY);
    assert_eq!(p.log_kl(&q).unwrap().sum(), 98.0);
    // Where nothing overflows it is the logarithm; σ/β = 34.6 crosses from one form to the other.
    for sigma in [0.5, 5.0, 34.5, 34.7] {
        let (p, q) = (Normal::scalar(0.3, sigma).unwrap(), Gumbel::scalar(0.0, 1.0).unwrap());
        let (log, value) = (p.log_kl(&q).unwrap().sum(), p.kl(&q).unwrap().sum());
        assert!((log - value.ln()).abs() <= 1e-13 * log.abs().max(1.0), "{sigma}: {log} {}", value.ln());
    }
}

#[test]
fn vanishing_scale_grows_like_minus_its_logarithm() {
    for pair in pairs().iter().filter(|pair| !pair.name.starts_with("kl_uniform")) {
        let at = |k: i32| (pair.value)([0.3, 2f64.powi(-k), -0.1, 1.0]).unwrap();
        let slope = (at(80) - at(40)) / (40.0 * std::f64::consts::LN_2);
        assert!((slope - 1.0).abs() < 1e-9, "{}: {slope}", pair.name);
    }
}

#[test]
fn batches_broadcast_and_refuse_what_does_not() {
    let p = Normal::new(array![[0.0], [1.0]], array![1.0]).unwrap();
    let q = Normal::new(array![0.0, 1.0, 2.0], array![1.0]).unwrap();
    assert_eq!(p.kl(&q).unwrap(), array![[0.0, 0.5, 2.0], [0.5, 0.0, 0.5]].into_dyn());
    let q = Normal::new(array![[0.0], [0.0], [0.0]], array![1.0]).unwrap();
    assert!(matches!(p.kl(&q), Err(Error::Argument(_))));
    let p = Categorical::new(array![0.0, 0.0]).unwrap();
    let q = Categorical::new(array![0.0, 0.0, 0.0]).unwrap();
    let message = p.kl(&q).unwrap_err().to_string();
    assert_eq!(message, "`q.logits` has shape [3], must be [.., 2]");
}

#[test]
fn categorical_is_a_sum_over_classes() {
    let (a, b) = ([0.3, -1.0, 2.0, 0.0], [1.0, 1.5, -0.5, 0.2]);
    let (za, zb) = (log_sum_exp(&a), log_sum_exp(&b));
    let want: f64 = a.iter().zip(&b).map(|(x, y)| (x - za).exp() * ((x - za) - (y - zb))).sum();
    let got = Categorical::new(array![0.3, -1.0, 2.0, 0.0])
        .unwrap()
        .kl(&Categorical::new(array![1.0, 1.5, -0.5, 0.2]).unwrap())
        .unwrap()
        .sum();
    assert!((got / want - 1.0).abs() < 1e-14);
}

proptest! {
    #[test]
    fn affine_maps_leave_the_divergence(a in -5.0..5.0f64, b in 0.1..5.0f64, c in -5.0..5.0f64, d in 0.1..5.0f64,
                                        k in -60i32..60) {
        let s = 2f64.powi(k);
        for pair in pairs().iter().filter(|pair| !pair.name.contains("uniform")) {
            let (one, other) = ((pair.value)([a, b, c, d]).unwrap(), (pair.value)([a * s, b * s, c * s, d * s]).unwrap());
            prop_assert_eq!(one.to_bits(), other.to_bits(), "{}", pair.name);
        }
    }

    #[test]
    fn any_parameters_give_a_number(a in any::<f64>(), b in any::<f64>(), c in any::<f64>(), d in any::<f64>()) {
        for pair in pairs() {
            let x = if pair.name.starts_with("kl_uniform") { [a.min(b), a.max(b)] } else { [a, b.abs()] };
            let y = if pair.name.ends_with("_uniform") { [c.min(d), c.max(d)] } else { [c, d.abs()] };
            if let Ok(kl) = (pair.value)([x[0], x[1], y[0], y[1]]) {
                prop_assert!(kl >= 0.0, "{} at {:?} {:?}: {kl}", pair.name, x, y);
                let _ = (pair.grad)([x[0], x[1], y[0], y[1]]);
            }
        }
        if let (Ok(p), Ok(q)) = (Bernoulli::scalar(a), Bernoulli::scalar(b)) {
            prop_assert!(p.kl(&q).unwrap().sum() >= 0.0);
        }
        if let (Ok(p), Ok(q)) = (Categorical::new(array![a, b]), Categorical::new(array![c, d])) {
            prop_assert!(p.kl(&q).unwrap().sum() >= 0.0);
        }
    }
}
