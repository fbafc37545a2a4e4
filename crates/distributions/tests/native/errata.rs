//! Misprints of the papers, each shown wrong next to what is implemented. Numbers are those of docs/src/errata.md.

use ndarray::array;
use variata_distributions::{Gumbel, KlDivergence, Normal};
use variata_testkit::quadrature::integrate;

/// 000-2: the printed KL of the VAE, ½ Σ exp(s + μ² − 1 − s), has the sum inside the exponential.
#[test]
fn vae_kl_exponent_swallowed_the_sum() {
    let right = |mu: f64, s: f64| 0.5 * (s.exp() + mu * mu - 1.0 - s);
    let printed = |mu: f64, s: f64| 0.5 * (s + mu * mu - 1.0 - s).exp();
    let kl = |mu: f64, s: f64| {
        let (p, q) = (Normal::scalar(mu, (0.5 * s).exp()).unwrap(), Normal::scalar(0.0, 1.0).unwrap());
        p.kl(&q).unwrap().sum()
    };
    let points = [(0.5, 0.3), (-1.0, -0.7)];
    let total = |f: &dyn Fn(f64, f64) -> f64| points.iter().map(|&(mu, s)| f(mu, s)).sum::<f64>();
    assert!((total(&kl) - total(&right)).abs() < 1e-15);
    assert!((total(&kl) - 0.748_22).abs() < 5e-6);
    assert!((total(&printed) - 0.736_18).abs() < 5e-6);
    // At the prior it must vanish; printed: k/(2e).
    assert_eq!(kl(0.0, 0.0), 0.0);
    assert!((2.0 * printed(0.0, 0.0) - 0.367_88).abs() < 5e-6);
    // As printed the variance has no gradient at all.
    assert_eq!(printed(0.5, 0.25), printed(0.5, -2.0));
}

/// 000-5: z = μ + ε·Σ has variance Σ², not Σ.
#[test]
fn reparameterisation_multiplies_by_the_square_root() {
    let variance = 4.0;
    let p = Normal::scalar(1.0, f64::sqrt(variance)).unwrap();
    let noise = array![-1.0, 1.0];
    // Of noise ±1 (variance 1), the sample's spread is the standard deviation.
    let z = p.rsample(&noise).unwrap();
    assert_eq!(((z[1] - z[0]) / 2.0).powi(2), p.variance().sum());
    let printed = noise.mapv(|e| 1.0 + e * variance);
    assert_eq!(((printed[1] - printed[0]) / 2.0).powi(2), variance * variance);
}

/// 000-6: log p(x|z) ∝ (x − m)ᵀΣ⁻¹(x − m) has the wrong sign, and log |Σ| must stay when Σ is learned.
#[test]
fn log_density_falls_with_the_distance_and_with_a_growing_variance() {
    let log_prob = |x: f64, sd: f64| Normal::scalar(0.0, sd).unwrap().log_prob(&array![x]).unwrap()[0];
    let printed = |x: f64, sd: f64| x * x / (sd * sd);
    assert!(log_prob(2.0, 1.0) < log_prob(1.0, 1.0) && printed(2.0, 1.0) > printed(1.0, 1.0));
    assert!((log_prob(2.0, 1.0) - log_prob(0.0, 1.0) + 0.5 * printed(2.0, 1.0)).abs() < 1e-15);
    // Without log |Σ| an infinite variance would be free.
    let without = |x: f64, sd: f64| -0.5 * x * x / (sd * sd);
    assert!(without(1.0, 1e6) > without(1.0, 1.0) && log_prob(1.0, 1e6) < log_prob(1.0, 1.0));
}

/// 001-1: completing the square gives +σ²/(2β²), not −.
#[test]
fn normal_gumbel_exponent_has_a_plus() {
    let (s, b) = (2.0, 10.0);
    let (p, q) = (Normal::scalar(0.0, s).unwrap(), Gumbel::scalar(0.0, b).unwrap());
    let kl = p.kl(&q).unwrap().sum();
    let log = |x: f64| (p.log_prob(&array![x]).unwrap()[0], q.log_prob(&array![x]).unwrap()[0]);
    let integrand = |x: f64| {
        let (log_p, log_q) = log(x);
        log_p.exp() * (log_p - log_q)
    };
    let quadrature = integrate(integrand, -60.0, 60.0).unwrap().value;
    assert!((kl - quadrature).abs() < 1e-11 && (kl - 1.210_701).abs() < 5e-7);
    let e = s * s / (2.0 * b * b);
    let printed = kl - e.exp() + (-e).exp();
    assert!((printed - 1.170_698).abs() < 5e-7);
}

/// 001-2: the Gumbel of location 0 has mean γβ, not 0.
#[test]
fn gumbel_of_location_zero_is_not_of_zero_mean() {
    let q = Gumbel::scalar(0.0f64, 10.0).unwrap();
    assert!((q.mean().sum() - 5.772).abs() < 5e-4);
    assert!((q.variance().sum().sqrt() - 12.83).abs() < 5e-3);
    let density = |x: f64| x * q.log_prob(&array![x]).unwrap()[0].exp();
    let mean = integrate(density, -60.0, 500.0).unwrap().value;
    assert!((q.mean().sum() - mean).abs() < 1e-10);
}

/// 000-1: ½{log|Σ₁|/|Σ₂|} − E_p[Q₁] + E_p[Q₂], as printed, is not the divergence; the one with the logarithm upright and
/// all of it halved is.
#[test]
fn general_gaussian_divergence_as_printed_is_wrong() {
    use ndarray::{Axis, array};
    use variata_distributions::{KlDivergence, MultivariateNormal};

    let p = array![[[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [-0.25, 1.0, 2.0]]];
    let q = array![[[2.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.5, -0.5, 1.0]]];
    let p = MultivariateNormal::new(array![[0.5, -1.0, 0.25]], &p).unwrap();
    let q = MultivariateNormal::new(array![[0.0, 0.0, 0.0]], &q).unwrap();
    let kl = p.kl(&q).unwrap()[0];
    let log_det = |d: &MultivariateNormal| -> f64 {
        d.scale_tril().index_axis(Axis(0), 0).diag().iter().map(|l| 2.0 * l.ln()).sum()
    };
    // E_p[Q₁] = k and E_p[Q₂] = tr(Σ₂⁻¹Σ₁) + Q₂(μ₁).
    let trace = (&p.covariance_matrix() * &q.precision_matrix()).sum();
    let second = trace + q.mahalanobis(&p.loc().to_owned()).unwrap()[0];
    let printed = 0.5 * (log_det(&p) - log_det(&q)) - 3.0 + second;
    let corrected = 0.5 * (log_det(&q) - log_det(&p) - 3.0 + second);
    assert!((corrected - kl).abs() < 1e-13, "{corrected} {kl}");
    assert!((printed - kl).abs() > 1.0, "{printed} {kl}");
}
