//! Numbers far from 1, far from each other, far from 0, or very many of them. Wanted numbers are mpmath's, 60 digits, of the formulas in
//! the docs, where nothing else is said.

use ndarray::{Array1, Array2, Array3, array, s};
use rand::SeedableRng;
use variata_distributions::{
    Categorical, DiagonalNormal, Gumbel, KlDivergence, Laplace, Normal, Standard, StandardGumbel,
    StandardLaplace, StandardLogistic, StandardNormal, Uniform, UniformCategories, jensen_shannon,
    jensen_shannon_batch, jensen_shannon_batch_with_grad, jensen_shannon_probabilities,
    jensen_shannon_with_grad,
};
use variata_testkit::compare::{assert_relative, assert_ulp};

#[test]
fn laplace_of_very_different_scales_keeps_its_gradient() {
    for ([loc, b], want) in [
        ([50.0, 1e-20], -0.01633757753840187671),
        ([35.0, 1e-16], 225.98420336529162263),
        ([30.0, 1e-10], -0.97099136879659545978),
    ] {
        let (p, q) = (Laplace::scalar(loc, 1.0).unwrap(), Laplace::scalar(0.0, b).unwrap());
        let (_, grad) = p.kl_with_grad(&q).unwrap();
        // It is a difference of 1 and of a term that a rounding of the location moves by u times itself.
        let bound = 1e-15 * loc * (1.0 + f64::abs(want)) / f64::abs(want);
        assert_relative("∂b", grad.p.scale[[]], want, bound, 0.0);
    }
}

#[test]
fn uniform_against_laplace_keeps_its_gradient_wherever_the_interval_lies() {
    for ([low, high, m, b], in_low, in_high) in [
        ([1000000000.1, 1000000001.1, 0.0, 7e-4], 715.28571428571429297, 713.28571428571429297),
        ([12345.678, 12345.679, 0.0, 1e-5], 50999.999999796269097, 49000.000000203722723),
        ([0.25, 1.25, 0.7, 1e-3], -196.49999999999994704, 296.50000000000003378),
    ] {
        let (p, q) = (Uniform::scalar(low, high).unwrap(), Laplace::scalar(m, b).unwrap());
        let (_, grad) = p.kl_with_grad(&q).unwrap();
        assert_relative("∂low", grad.p.low[[]], in_low, 1e-14, 0.0);
        assert_relative("∂high", grad.p.high[[]], in_high, 1e-14, 0.0);
    }
    // log 2 + ½ at any scale.
    for scale in [1e-300, 1e-272, 1.0, 1e272, 1e300] {
        let (p, q) = (Uniform::scalar(0.0, scale).unwrap(), Laplace::scalar(0.0, scale).unwrap());
        assert_ulp("of one scale", p.kl(&q).unwrap()[[]], 1.1931471805599453094, 1);
        let twice = Uniform::scalar(-scale, scale).unwrap();
        assert_ulp("of twice the width", p.kl(&twice).unwrap()[[]], std::f64::consts::LN_2, 1);
    }
}

#[test]
fn a_normal_narrow_beside_a_gumbel_keeps_its_gradient() {
    for (beta, want) in
        [(1e3, -5.0000012500002083334e-10), (1e6, -5.00000000000125e-19), (1e9, -5.0000000000000000012e-28)]
    {
        let (p, q) = (Normal::scalar(0.0, 1.0).unwrap(), Gumbel::scalar(0.0, beta).unwrap());
        let (_, grad) = p.kl_with_grad(&q).unwrap();
        assert_relative("∂μ", grad.p.loc[[]], want, 1e-15, 0.0);
        assert_relative("∂m", grad.q.loc[[]], -want, 1e-15, 0.0);
    }
}

#[test]
fn differences_and_ratios_that_overflow_do_not_show() {
    let log_prob = Normal::scalar(-1e308, 1e308).unwrap().log_prob(&array![1e308]).unwrap()[0];
    assert_relative("two standard deviations", log_prob, -712.11514717537074343, 1e-15, 0.0);
    let cdf = Normal::scalar(-1e308, 1e308).unwrap().cdf(&array![1e308]).unwrap()[0];
    assert_relative("Φ(2)", cdf, 0.97724986805182079279, 1e-15, 0.0);
    let pair = |loc: f64| Normal::scalar(loc, 1e308).unwrap();
    assert_relative("3²/2", pair(1.5e308).kl(&pair(-1.5e308)).unwrap()[[]], 4.5, 1e-15, 0.0);
    let pair = |loc: f64| DiagonalNormal::new(array![[loc]], array![[1e308]]).unwrap();
    assert_relative("3²/2", pair(1.5e308).kl(&pair(-1.5e308)).unwrap()[0], 4.5, 1e-15, 0.0);
    let pair = |loc: f64| Laplace::scalar(loc, 1e308).unwrap();
    // a − 1 + e⁻ᵃ of a = 3.
    assert_relative(
        "a = 3",
        pair(1.5e308).kl(&pair(-1.5e308)).unwrap()[[]],
        2.0497870683678639430,
        1e-15,
        0.0,
    );
    let log_kl = Normal::scalar(1e308, 1.0).unwrap().log_kl(&Gumbel::scalar(0.0, 1e-2).unwrap()).unwrap();
    assert_relative("log 1e310", log_kl[[]], 713.80137882815416204, 1e-15, 0.0);
    assert_relative("w²/12", Uniform::scalar(0.0, 2e154).unwrap().variance()[[]], 1e308 / 3.0, 1e-15, 0.0);

    let of_scales =
        |a: f64| Normal::scalar(0.0, a).unwrap().kl(&Normal::scalar(0.0, 1.0).unwrap()).unwrap()[[]];
    assert_relative("r² − 1 − log r²", of_scales(1e150), 4.9999999999999998084e299, 1e-15, 0.0);
    let diagonal = |a: f64| DiagonalNormal::new(array![[0.0]], array![[a]]).unwrap();
    let d = diagonal(1e150).kl(&diagonal(1.0)).unwrap()[0];
    assert_relative("r² − 1 − log r²", d, 4.9999999999999998084e299, 1e-15, 0.0);
    let of_scales =
        |b: f64| Laplace::scalar(0.0, b).unwrap().kl(&Laplace::scalar(0.0, 1.0).unwrap()).unwrap()[[]];
    assert_relative("r − 1 − log r", of_scales(1e50), 1.0000000000000000763e50, 1e-15, 0.0);
}

/// Common offsets that differences of these logits do not feel: both are multiples of 2⁻⁵ or more.
#[test]
fn jensen_shannon_does_not_depend_on_an_offset() {
    let rows = array![[1.0, 2.0, 3.5], [1.03125, 2.0, 3.5]];
    let far = array![[1.0, 2.0, 3.5], [9.0, -2.0, 0.25]];
    for (rows, want) in [(&rows, Some(7.2929828292371605276e-6)), (&far, None)] {
        let batch = |offset: f64| {
            let item = rows.mapv(|l| l + offset);
            jensen_shannon_batch_with_grad(&item.insert_axis(ndarray::Axis(1)), None).unwrap()
        };
        let one = |offset: f64| jensen_shannon_with_grad(&rows.mapv(|l| l + offset), None).unwrap();
        for offset in [-1e3, 1024.0, 1e6, 1e8, 1e10] {
            assert_eq!(batch(offset), batch(0.0), "{offset}");
            assert_eq!(one(offset), one(0.0), "{offset}");
        }
        if let Some(want) = want {
            // The rounding of the logarithms shows where the value is above 1e-7.
            assert_relative("batch", batch(1e8).0[0], want, 1e-15 / want, 0.0);
            assert_relative("one", one(1e8).0, want, 1e-14, 0.0);
        }
    }
    for row in [[2e9, 2e9 + 1.5, 2e9 + 6.0], [10000000001.052746, 9999999996.61465, 9999999996.798065]] {
        let views = Array3::from_shape_fn((2, 1, 3), |(.., k)| row[k]);
        let (value, grad) = jensen_shannon_batch_with_grad(&views, None).unwrap();
        assert_eq!((value[0], grad.iter().all(|g| *g == 0.0)), (0.0, true));
        assert_eq!(jensen_shannon_batch(&views, None).unwrap()[0], 0.0);
        assert_eq!(jensen_shannon(&views.slice(s![.., 0, ..]).to_owned(), None).unwrap(), 0.0);
    }
}

#[test]
fn a_hundred_thousand_numbers_are_refused_in_no_layout() {
    for categories in [100_000, 1_000_000] {
        let p = Array2::from_elem((2, categories), 1.0 / categories as f64);
        let columns = p.t().as_standard_layout().into_owned();
        assert_eq!(jensen_shannon_probabilities(&p, None).unwrap(), 0.0);
        assert_eq!(jensen_shannon_probabilities(&columns.t().to_owned(), None).unwrap(), 0.0);
        assert_eq!(jensen_shannon_probabilities(&columns.t(), None).unwrap(), 0.0);
    }
    let logits = Array2::from_elem((100_000, 1), 0.5);
    let spaced = Array1::from_elem(200_000, 1e-5);
    assert_eq!(jensen_shannon(&logits, Some(&spaced.slice(s![..;2]))).unwrap(), 0.0);
}

#[test]
fn categories_near_equality_keep_their_digits_beside_one_that_moves() {
    // Its mass is e⁻¹⁰⁰ or so, and moves by e⁻².
    for (p, q, want) in [
        (vec![0.0, 1.0, -100.0], vec![1e-8, 1.0, -102.0], 9.830596677217050969e-18),
        (vec![0.0, 1.0, 2.0, -30.0], vec![1e-5, 1.0, 2.0, -32.0], 4.1058295390936266452e-12),
    ] {
        let of = |logits: Vec<f64>| Categorical::new(Array1::from(logits)).unwrap();
        assert_relative("moved", of(p).kl(&of(q)).unwrap()[[]], want, 1e-12, 0.0);
    }
}

/// Density over distribution function, and over upper tail, where these are numbers; far out their limits.
fn derivatives_of_tails<S: Standard>(far: impl Fn(f64) -> [f64; 2]) {
    for k in -40..=40 {
        let z = f64::from(k) / 8.0;
        let density = S::log_density(z).0.exp();
        for (got, tail) in [(S::log_cdf_grad(z), S::cdf(z)), (-S::log_sf_grad(z), S::sf(z))] {
            assert!((got * tail / density - 1.0).abs() <= 64.0 * f64::EPSILON * (1.0 + z.abs()), "{z}");
        }
    }
    for z in [30.0, 600.0, 1e8] {
        let [below, above] = far(z);
        // Infinite on both sides where e^z is.
        assert!(
            S::log_cdf_grad(-z) == below
                || (S::log_cdf_grad(-z) / below - 1.0).abs() <= 2.0 / (z * z) + 1e-15,
            "{z}"
        );
        assert!((-S::log_sf_grad(z) / above - 1.0).abs() <= 2.0 / (z * z) + 1e-15, "{z}");
    }
}

#[test]
fn derivatives_of_logarithms_of_tails_go_on_far_out() {
    derivatives_of_tails::<StandardNormal>(|z| [z, z]);
    derivatives_of_tails::<StandardLaplace>(|_| [1.0, 1.0]);
    derivatives_of_tails::<StandardLogistic>(|_| [1.0, 1.0]);
    // e^z below.
    derivatives_of_tails::<StandardGumbel>(|z| [z.exp(), 1.0]);
}

#[test]
fn sums_of_very_many_terms_keep_their_digits() {
    let n = 100_000;
    let p = DiagonalNormal::new(Array2::zeros((1, n)), Array2::from_elem((1, n), 0.3)).unwrap();
    let x = Array2::from_elem((1, n), 0.7);
    assert_relative("entropy", p.entropy()[0], 21496.572887873671215, 1e-14, 0.0);
    assert_relative("q", p.mahalanobis(&x).unwrap()[0], 544444.44444444441566, 1e-15, 0.0);
    assert_relative("log p", p.log_prob(&x).unwrap()[0], -243718.79511009587905, 1e-15, 0.0);

    let logits = Array1::from_shape_fn(n, |k| if k == 0 { 0.0 } else { -3.3076 });
    let p = Categorical::new(logits).unwrap();
    assert_relative("entropy", p.entropy()[[]], 11.512285243785881548, 1e-14, 0.0);
    let uniform = p.kl(&UniformCategories).unwrap()[[]];
    // log 100000 − H, which is 6.4·10⁻⁴: what it has lost is a rounding of log K.
    assert_relative("to uniform", uniform, (n as f64).ln() - 11.512285243785881548, 4e-15 / uniform, 0.0);
    // Of equal classes: (K − 1)/2, (K² − 1)/12, and (k + 1)/K.
    let p = Categorical::new(Array1::<f64>::zeros(n)).unwrap();
    let k = n as f64;
    assert_relative("mean", p.mean()[[]], (k - 1.0) / 2.0, 4e-15, 0.0);
    assert_relative("variance", p.variance()[[]], (k * k - 1.0) / 12.0, 4e-15, 0.0);
    assert_relative("cdf", p.cdf(&array![77_776]).unwrap()[0], 0.77777, 4e-15, 0.0);
}

/// The same distributions divided by 10³⁰⁸ have the same divergence.
#[test]
fn locations_whose_difference_overflows() {
    let big = 1e308;
    let near =
        |what: &str, got: f64, want: f64| assert!((got - want).abs() < 1e-12 * want, "{what}: {got} {want}");
    let kl = |s: f64| Normal::scalar(-s, s).unwrap().kl(&Laplace::scalar(s, s).unwrap()).unwrap().sum();
    near("normal, Laplace", kl(big), kl(1.0));
    let kl = |s: f64| Gumbel::scalar(-s, s).unwrap().kl(&Normal::scalar(s, s).unwrap()).unwrap().sum();
    near("Gumbel, normal", kl(big), kl(1.0));
    for [low, high, m] in [[-1.5, 1.5, 1.0], [-1.5, -1.0, 1.2]] {
        let kl = |s: f64| {
            let p = Uniform::scalar(low * s, high * s).unwrap();
            p.kl(&Laplace::scalar(m * s, s).unwrap()).unwrap().sum()
        };
        near("uniform, Laplace", kl(big), kl(1.0));
    }
    let (_, grad) =
        Gumbel::scalar(-big, big).unwrap().kl_with_grad(&Normal::scalar(big, big).unwrap()).unwrap();
    let (_, unit) =
        Gumbel::scalar(-1.0, 1.0).unwrap().kl_with_grad(&Normal::scalar(1.0, 1.0).unwrap()).unwrap();
    near("in β", -grad.p.scale.sum() * big, -unit.p.scale.sum());
}

#[test]
fn excluded_classes_have_infinite_gradients_that_are_numbers() {
    let p = Categorical::new(ndarray::array![0.0, 0.0]).unwrap();
    let q = Categorical::new(ndarray::array![0.0, f64::NEG_INFINITY]).unwrap();
    let (value, grad) = p.kl_with_grad(&q).unwrap();
    assert_eq!(value.sum(), f64::INFINITY);
    assert_eq!(grad.p.logits, ndarray::array![f64::NEG_INFINITY, f64::INFINITY].into_dyn());
}

#[test]
fn draws_that_overflow_are_told() {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let (p, q) = (Normal::scalar(3e38f32, 3e38).unwrap(), Normal::scalar(0f32, 3e38).unwrap());
    let error = variata_distributions::kl::monte_carlo::kl(&p, &q, 1000, &mut rng).unwrap_err();
    assert!(error.to_string().contains("draws that are finite"), "{error}");
}
