//! One battery for all continuous families: normalisation, moments, quantiles, gradients, scale laws, support.

use ndarray::{Array1, Axis, arr0, array};
use variata_distributions::{
    Bernoulli, Categorical, Error, Gumbel, Laplace, Logistic, Normal, Standard, StandardGumbel,
    StandardLaplace, StandardLogistic, StandardNormal, Uniform,
};
use variata_testkit::compare::{Comparison, UNIT_ROUNDOFF_F64, assert_relative};
use variata_testkit::dual::{Formula, Scalar, gradient_by_dual};
use variata_testkit::finite_difference::assert_gradient;
use variata_testkit::quadrature::integrate;

/// A continuous family with two parameters, as scalar functions.
struct Family {
    name: &'static str,
    log_prob: fn(f64, [f64; 2]) -> f64,
    grad: fn(f64, [f64; 2]) -> [f64; 3],
    cdf: fn(f64, [f64; 2]) -> f64,
    icdf: fn(f64, [f64; 2]) -> f64,
    rsample: fn(f64, [f64; 2]) -> f64,
    rsample_grad: fn(f64, [f64; 2]) -> [f64; 3],
    /// Entropy, mean, variance.
    moments: fn([f64; 2]) -> [f64; 3],
    parameters: [[f64; 2]; 3],
    /// Where the log-density has a kink, if anywhere.
    kink: bool,
    bounded: bool,
}

macro_rules! family {
    ($family:ident($a:ident, $b:ident), $parameters:expr, $kink:expr, $bounded:expr) => {
        Family {
            name: stringify!($family),
            log_prob: |x, [a, b]| $family::scalar(a, b).unwrap().log_prob(&arr0(x)).unwrap().into_scalar(),
            grad: |x, [a, b]| {
                let (value, g) = $family::scalar(a, b).unwrap().log_prob_with_grad(&arr0(x)).unwrap();
                assert_eq!(value, $family::scalar(a, b).unwrap().log_prob(&arr0(x)).unwrap());
                [g.x.into_scalar(), g.$a.into_scalar(), g.$b.into_scalar()]
            },
            cdf: |x, [a, b]| $family::scalar(a, b).unwrap().cdf(&arr0(x)).unwrap().into_scalar(),
            icdf: |p, [a, b]| $family::scalar(a, b).unwrap().icdf(&arr0(p)).unwrap().into_scalar(),
            rsample: |e, [a, b]| $family::scalar(a, b).unwrap().rsample(&arr0(e)).unwrap().into_scalar(),
            rsample_grad: |e, [a, b]| {
                let (_, g) = $family::scalar(a, b).unwrap().rsample_with_grad(&arr0(e)).unwrap();
                [g.noise.into_scalar(), g.$a.into_scalar(), g.$b.into_scalar()]
            },
            moments: |[a, b]| {
                let p = $family::scalar(a, b).unwrap();
                [p.entropy().sum(), p.mean().sum(), p.variance().sum()]
            },
            parameters: $parameters,
            kink: $kink,
            bounded: $bounded,
        }
    };
}

fn families() -> Vec<Family> {
    let parameters = [[0.0, 1.0], [-3.25, 0.4], [10.0, 7.5]];
    vec![
        family!(Normal(loc, scale), parameters, false, false),
        family!(Laplace(loc, scale), parameters, true, false),
        family!(Gumbel(loc, scale), parameters, false, false),
        family!(Logistic(loc, scale), parameters, false, false),
        family!(Uniform(low, high), [[0.0, 1.0], [-3.25, 0.5], [10.0, 17.0]], false, true),
    ]
}

/// ∫ f over the family's line, in units of its scale and split where densities bend.
fn integral(family: &Family, [a, b]: [f64; 2], f: impl Fn(f64) -> f64) -> f64 {
    if family.bounded {
        return integrate(f, a, b).unwrap().value;
    }
    // Beyond 60 scales every density here is below e⁻⁵⁹.
    let scaled = |z: f64| b * f(a + b * z);
    integrate(scaled, -60.0, 0.0).unwrap().value + integrate(scaled, 0.0, 60.0).unwrap().value
}

#[test]
fn density_entropy_mean_and_variance_agree_with_quadrature() {
    for family in families() {
        for parameters in family.parameters {
            let p = |x: f64| (family.log_prob)(x, parameters).exp();
            let p_log_p = |x: f64| {
                let log_p = (family.log_prob)(x, parameters);
                if log_p < -745.0 { 0.0 } else { -log_p.exp() * log_p }
            };
            let [entropy, mean, variance] = (family.moments)(parameters);
            let integral = |f: &dyn Fn(f64) -> f64| integral(&family, parameters, f);
            let scale = 1.0 + mean.abs() + variance;
            assert_relative(family.name, integral(&p), 1.0, 1e-12, 0.0);
            assert_relative(family.name, integral(&p_log_p), entropy, 1e-10, 1e-10);
            assert_relative(family.name, integral(&|x| x * p(x)), mean, 1e-10, 1e-10 * scale);
            assert_relative(family.name, integral(&|x| (x - mean) * (x - mean) * p(x)), variance, 1e-10, 0.0);
        }
    }
}

#[test]
fn cdf_is_the_integral_of_the_density() {
    for family in families() {
        for [a, b] in family.parameters {
            for t in [0.1, 0.5, 0.9] {
                let x = (family.icdf)(t, [a, b]);
                let p = |x: f64| (family.log_prob)(x, [a, b]).exp();
                let low = if family.bounded { a } else { a - 60.0 * b };
                let middle = if family.bounded { x } else { a.min(x) };
                let total = integrate(p, low, middle).unwrap().value
                    + if middle < x { integrate(p, middle, x).unwrap().value } else { 0.0 };
                assert_relative(family.name, (family.cdf)(x, [a, b]), total, 1e-12, 0.0);
            }
        }
    }
}

#[test]
fn quantile_returns_from_cdf_within_its_conditioning() {
    for family in families() {
        for parameters in family.parameters {
            let mut comparison = Comparison::ratio(family.name, UNIT_ROUNDOFF_F64, 30.0);
            for p in [1e-300, 1e-20, 1e-5, 0.01, 0.3, 0.5, 0.7, 0.99, 1.0 - 1e-10] {
                let x = (family.icdf)(p, parameters);
                // d cdf = density·|x|·u, and the rounding of p itself.
                let spread = parameters[0].abs() + parameters[1].abs() + x.abs();
                let density = (family.log_prob)(x, parameters).exp();
                comparison.push_scaled((family.cdf)(x, parameters), p, p + density * spread);
            }
            comparison.assert();
            let ends = [(family.icdf)(0.0, parameters), (family.icdf)(1.0, parameters)];
            let want = if family.bounded { parameters } else { [f64::NEG_INFINITY, f64::INFINITY] };
            assert_eq!(ends, want, "{}", family.name);
        }
    }
}

#[test]
fn gradients_match_the_six_point_stencil() {
    for family in families() {
        for [a, b] in family.parameters {
            for t in [0.03, 0.4, 0.8, 0.999] {
                let (x, scale) =
                    ((family.icdf)(t, [a, b]), if family.bounded { 0.02 * (b - a) } else { 0.3 * b });
                if family.kink && (x - a).abs() < scale {
                    continue;
                }
                assert_gradient(
                    family.name,
                    |v| (family.log_prob)(v[0], [v[1], v[2]]),
                    &[x, a, b],
                    &[scale; 3],
                    |v| (family.grad)(v[0], [v[1], v[2]]).to_vec(),
                    1e-8,
                );
                let noise = if family.bounded { t } else { 4.0 * t - 2.0 };
                assert_gradient(
                    family.name,
                    |v| (family.rsample)(v[0], [v[1], v[2]]),
                    &[noise, a, b],
                    &[1e-3, scale, scale],
                    |v| (family.rsample_grad)(v[0], [v[1], v[2]]).to_vec(),
                    1e-8,
                );
            }
        }
    }
}

/// Textbook log-densities of a family by number, for the dual oracle.
struct LogDensity(usize);
impl Formula for LogDensity {
    fn eval<S: Scalar>(&self, v: &[S]) -> S {
        let (z, two) = ((v[0] - v[1]) / v[2], S::from(2.0));
        match self.0 {
            0 => -z * z / two - v[2].ln(),
            1 => -z.abs() - v[2].ln(),
            2 => -z - (-z).exp() - v[2].ln(),
            _ => -z - two * (-z).exp().ln_1p() - v[2].ln(),
        }
    }
}

#[test]
fn gradients_match_dual_numbers() {
    for (i, family) in families().iter().enumerate().filter(|(_, family)| !family.bounded) {
        let mut comparison = Comparison::ratio(family.name, UNIT_ROUNDOFF_F64, 30.0);
        for [a, b] in family.parameters {
            for z in [-4.0, -0.7, 0.3, 2.0, 9.0] {
                let x = a + b * z;
                let want = gradient_by_dual(&LogDensity(i), &[x, a, b]);
                for (got, want) in (family.grad)(x, [a, b]).into_iter().zip(want) {
                    // Terms of the derivative: 1, z and e⁻ᶻ z over the scale; z has the rounding of x − a.
                    let rounding = 1.0 + (x.abs() + a.abs()) / b;
                    comparison.push_scaled(got, want, (1.0 + z.abs()) * (1.0 + (-z).exp()) * rounding / b);
                }
            }
        }
        comparison.assert();
    }
}

#[test]
fn powers_of_two_scale_exactly() {
    for family in families() {
        for k in [-120, -7, 1, 120] {
            let s = 2f64.powi(k);
            for [a, b] in family.parameters {
                let scaled = [a * s, b * s];
                for t in [0.2, 0.5, 0.9] {
                    let x = (family.icdf)(t, [a, b]);
                    assert_eq!((family.icdf)(t, scaled), x * s, "{}", family.name);
                    assert_eq!((family.cdf)(x * s, scaled), (family.cdf)(x, [a, b]), "{}", family.name);
                    assert_eq!((family.rsample)(t, scaled), (family.rsample)(t, [a, b]) * s);
                    let (g, h) = ((family.grad)(x, [a, b]), (family.grad)(x * s, scaled));
                    assert_eq!(g.map(|g| g / s), h, "{}", family.name);
                    // The density itself shifts by log s, which is rounded.
                    let shift = k as f64 * std::f64::consts::LN_2;
                    let moved = (family.log_prob)(x * s, scaled) + shift - (family.log_prob)(x, [a, b]);
                    assert!(moved.abs() <= 8.0 * UNIT_ROUNDOFF_F64 * (20.0 + shift.abs()), "{moved}");
                }
                assert_eq!((family.moments)(scaled)[2], (family.moments)([a, b])[2] * s * s);
            }
        }
    }
}

#[test]
fn symmetric_families_mirror() {
    for family in families().iter().filter(|family| family.name != "Gumbel" && !family.bounded) {
        for x in [0.1, 1.0, 7.5, 300.0] {
            assert_eq!((family.log_prob)(x, [0.0, 1.0]), (family.log_prob)(-x, [0.0, 1.0]));
        }
        for p in [0.25, 0.125, 2f64.powi(-40)] {
            assert_eq!((family.icdf)(p, [0.0, 1.0]), -(family.icdf)(1.0 - p, [0.0, 1.0]), "{}", family.name);
        }
    }
}

#[test]
fn outside_the_support_is_minus_infinity_and_no_error() {
    let p = Uniform::scalar(-1.0, 3.0).unwrap();
    let inf = f64::INFINITY;
    let x = array![-1.0, (-1f64).next_down(), 3.0, 3f64.next_up(), -inf, inf];
    let log = -2.0 * std::f64::consts::LN_2;
    assert_eq!(p.log_prob(&x).unwrap(), array![log, -inf, log, -inf, -inf, -inf]);
    assert_eq!(p.cdf(&x).unwrap(), array![0.0, 0.0, 1.0, 1.0, 0.0, 1.0]);
    let (_, grad) = p.log_prob_with_grad(&x).unwrap();
    assert_eq!(grad.low, array![0.25, 0.0, 0.25, 0.0, 0.0, 0.0]);
    for family in families() {
        for x in [-inf, inf] {
            assert_eq!((family.log_prob)(x, [0.0, 1.0]), -inf, "{}", family.name);
            assert!(!(family.grad)(x, [0.0, 1.0]).iter().any(|g| g.is_nan()), "{}", family.name);
        }
    }
    let p = Bernoulli::scalar(0.5).unwrap();
    assert_eq!(p.log_prob(&array![-1e-300, 1f64.next_up(), -inf]).unwrap(), array![-inf, -inf, -inf]);
}

#[test]
fn uniform_at_the_ends_of_the_number_line() {
    let p = Uniform::scalar(-f64::MAX, f64::MAX).unwrap();
    let log = f64::MAX.ln() + std::f64::consts::LN_2;
    assert_eq!(p.log_prob(&array![0.0]).unwrap(), array![-log]);
    assert_eq!(p.cdf(&array![0.0]).unwrap(), array![0.5]);
    assert_eq!(p.icdf(&array![0.5, 1.0]).unwrap(), array![0.0, f64::MAX]);
    let p = Uniform::scalar(0.0, 5e-324).unwrap();
    assert_eq!(p.cdf(&array![0.0, 5e-324]).unwrap(), array![0.0, 1.0]);
}

#[test]
fn bernoulli_is_exact_where_the_textbook_form_cancels() {
    let p = Bernoulli::new(array![40.0, -40.0, 0.0, f64::INFINITY, f64::NEG_INFINITY]).unwrap();
    // log σ(40) = −e⁻⁴⁰(1 + …): x·l − softplus(l) gives 0.
    let small = -(-40f64).exp();
    let got = p.log_prob(&array![1.0, 0.0, 1.0, 1.0, 0.0]).unwrap();
    assert_relative("log σ(40)", got[0], small, 1e-15, 0.0);
    assert_eq!([got[1], got[3], got[4]], [got[0], 0.0, 0.0]);
    assert_eq!(p.log_prob(&array![0.5, 0.5, 0.5, 0.0, 1.0]).unwrap()[3], f64::NEG_INFINITY);
    assert_eq!(p.entropy()[[2]], std::f64::consts::LN_2);
    assert_eq!([p.entropy()[[3]], p.entropy()[[4]]], [0.0, 0.0]);
    assert_eq!(p.mean().as_slice().unwrap()[2..], [0.5, 1.0, 0.0]);
    assert_eq!(p.variance().as_slice().unwrap()[2..], [0.25, 0.0, 0.0]);
    assert_eq!(p.cdf(&array![-0.1, 0.5, 0.0, 1.0, 0.0]).unwrap().as_slice().unwrap()[2..], [0.5, 1.0, 1.0]);
    let p = Bernoulli::scalar(1.0).unwrap();
    assert_eq!(p.icdf(&array![0.0, 0.26, 0.27, 1.0]).unwrap(), array![0.0, 0.0, 1.0, 1.0]);
}

#[test]
fn bernoulli_gradient_for_soft_targets() {
    for (x, logit) in [(0.3, 0.7), (0.0, -2.0), (0.999, 5.0)] {
        let value = |v: &[f64]| Bernoulli::scalar(v[0]).unwrap().log_prob(&arr0(x)).unwrap().into_scalar();
        let grad = |v: &[f64]| {
            let (_, g) = Bernoulli::scalar(v[0]).unwrap().log_prob_with_grad(&arr0(x)).unwrap();
            assert_eq!(g.x.into_scalar(), v[0]);
            vec![g.logits.into_scalar()]
        };
        assert_gradient("bernoulli", value, &[logit], &[1.0], grad, 1e-8);
    }
}

#[test]
fn categorical_values() -> Result<(), Error> {
    let inf = f64::INFINITY;
    let p = Categorical::new(array![[0.0, 2f64.ln(), -inf, 0.0], [700.0, 0.0, 0.0, 0.0]])?;
    assert_eq!((p.classes(), p.batch_shape()), (4, [2].as_slice()));
    let log = p.log_prob(&array![[0, 0], [1, 1], [2, 2], [4, 4]])?;
    assert_relative("¼", log[[0, 0]], 0.25f64.ln(), 1e-15, 0.0);
    assert_relative("½", log[[1, 0]], 0.5f64.ln(), 1e-15, 0.0);
    assert_eq!([log[[2, 0]], log[[3, 0]], log[[3, 1]]], [-inf; 3]);
    // The sure class keeps its digits: −3e⁻⁷⁰⁰, not 0.
    assert_relative("sure", log[[0, 1]], -3.0 * (-700f64).exp(), 1e-14, 0.0);
    assert_relative("entropy", p.entropy()[[0]], 1.5 * std::f64::consts::LN_2, 1e-15, 0.0);
    assert_relative("mean", p.mean()[[0]], 1.25, 1e-15, 0.0);
    assert_relative("variance", p.variance()[[0]], 1.1875, 1e-15, 0.0);
    assert_relative("cdf", p.cdf(&array![1, 0])?[0], 0.75, 1e-15, 0.0);
    assert_eq!(p.cdf(&array![3, 9])?, array![1.0, 1.0]);
    assert_eq!(p.icdf(&array![0.5, 0.5])?, array![1, 0]);
    assert_eq!(p.icdf(&array![1.0, 0.0])?[1], 0);
    // The first 57 probabilities add to 1 + 1.6e-15.
    let mut logits = [0.0; 58];
    logits[57] = -60.0;
    let near_one = Categorical::new(Array1::from(logits.to_vec()))?;
    assert_eq!(near_one.cdf(&arr0(56))?.into_scalar(), 1.0);
    assert!(near_one.icdf(&near_one.cdf(&arr0(56))?)?.into_scalar() <= 57);
    // Nine equal probabilities sum to less than 1: the last class that can be, not the last.
    for possible in 1..20 {
        let mut logits = vec![0.0; possible + 1];
        logits[possible] = -inf;
        let p = Categorical::new(ndarray::Array2::from_shape_vec((1, possible + 1), logits).unwrap())?;
        assert_eq!(p.icdf(&array![1.0])?, array![possible - 1]);
    }
    assert_eq!(
        p.sample_from_noise(&array![[9.0, 0.0, 99.0, 0.0], [0.0, 800.0, 0.0, 0.0]].into_dyn())?,
        array![0, 1].into_dyn()
    );
    let (_, grad) = p.log_prob_with_grad(&array![1, 9])?;
    assert_eq!(grad.logits.shape(), [2, 4]);
    assert!(grad.logits.index_axis(Axis(0), 0).sum().abs() < 1e-15);
    assert!(grad.logits.index_axis(Axis(0), 1).iter().all(|&g| g == 0.0));
    Ok(())
}

#[test]
fn categorical_gradient_matches_the_stencil() {
    let x = [0.3, -1.0, 2.0];
    for k in 0..3 {
        let p = |v: &[f64]| Categorical::new(Array1::from(v.to_vec())).unwrap();
        let value = |v: &[f64]| p(v).log_prob(&arr0(k)).unwrap().into_scalar();
        let grad = |v: &[f64]| p(v).log_prob_with_grad(&arr0(k)).unwrap().1.logits.iter().copied().collect();
        assert_gradient("categorical", value, &x, &[1.0; 3], grad, 1e-8);
    }
}

#[test]
fn f32_is_the_f64_result_rounded_once() {
    let x = array![-3.7f32, 0.1, 2.5, 30.0];
    let wide = x.mapv(f64::from);
    let (p, q) =
        (Gumbel::scalar(0.3f32, 1.7).unwrap(), Gumbel::scalar(0.3f32 as f64, 1.7f32 as f64).unwrap());
    assert_eq!(p.log_prob(&x).unwrap(), q.log_prob(&wide).unwrap().mapv(|v| v as f32));
    assert_eq!(p.cdf(&x).unwrap(), q.cdf(&wide).unwrap().mapv(|v| v as f32));
    let (p, q) = (Bernoulli::scalar(0.3f32).unwrap(), Bernoulli::scalar(0.3f32 as f64).unwrap());
    assert_eq!(p.log_prob(&array![1f32]).unwrap()[0], q.log_prob(&array![1.0]).unwrap()[0] as f32);
}

#[test]
fn logarithms_of_tails_go_on_where_the_tails_are_zero() {
    use variata_distributions::{StandardGumbel, StandardLaplace, StandardLogistic};
    let ln2 = std::f64::consts::LN_2;
    for z in [40.0, 300.0, 800.0, 1e6, 1e300] {
        assert_eq!((StandardLogistic::log_cdf(-z), StandardLogistic::log_sf(z)), (-z, -z));
        assert_eq!((StandardLaplace::log_cdf(-z), StandardLaplace::log_sf(z)), (-z - ln2, -z - ln2));
        assert!((StandardGumbel::log_sf(z) + z).abs() <= 1e-9, "{z}");
    }
    // Near 1 they are as small as the other tail; both forms of the Gumbel's meet.
    for z in [3.0, 12.0, 19.9, 30.0, 36.0] {
        let near = |got: f64, want: f64| assert!((got / want - 1.0).abs() < 4e-15, "{z}: {got} {want}");
        near(StandardLaplace::log_cdf(z), (-0.5 * (-z).exp()).ln_1p());
        near(StandardLogistic::log_cdf(z), -(-z).exp().ln_1p());
        near(StandardGumbel::log_sf(z), (-(-(-z).exp()).exp_m1()).ln());
        near(StandardGumbel::log_sf(-z / 9.0), (-StandardGumbel::cdf(-z / 9.0)).ln_1p());
    }
}

/// Upper tails of a standard law: complements, their inverses, logarithms, and digits where 1 − cdf has none.
fn tails_are_sound<S: Standard>(name: &str) {
    for k in -60..=60 {
        let z = f64::from(k) / 6.0;
        let (cdf, sf) = (S::cdf(z), S::sf(z));
        assert!((cdf + sf - 1.0).abs() <= 2.0 * f64::EPSILON, "{name} at {z}");
        assert!((S::log_cdf(z).exp() - cdf).abs() <= 4.0 * f64::EPSILON, "{name} at {z}");
        assert!((S::log_sf(z).exp() - sf).abs() <= 4.0 * f64::EPSILON, "{name} at {z}");
        // d isf = −d sf/density: a rounding of the tail moves its quantile by that much.
        let spread = sf * f64::EPSILON / S::log_density(z).0.exp();
        if sf > 0.0 && sf < 1.0 && spread.is_finite() {
            let back = S::isf(sf);
            assert!((back - z).abs() <= 8.0 * (spread + z.abs() * f64::EPSILON), "{name} at {z}: {back}");
        }
    }
    let far = S::isf(1e-30);
    assert!(far.is_finite() && (S::sf(far) / 1e-30 - 1.0).abs() < 1e-12, "{name}: {far}");
    assert_eq!(S::cdf(far), 1.0);
}

#[test]
fn upper_tails_have_digits_of_their_own() {
    tails_are_sound::<StandardNormal>("normal");
    tails_are_sound::<StandardLaplace>("Laplace");
    tails_are_sound::<StandardLogistic>("logistic");
    tails_are_sound::<StandardGumbel>("Gumbel");
}
