//! No public function panics, whatever tensors it is handed.

use std::panic::{AssertUnwindSafe, catch_unwind};

use variata_distributions::torch::{
    Bernoulli, Categorical, DiagonalNormal, Gumbel, KlDivergence, MultivariateNormal, Normal, Uniform,
    effective_sample_size, elbo, frechet_distance, frechet_distance_from_features, iwae_bound,
    iwae_bound_composed, jensen_shannon, jensen_shannon_composed, jensen_shannon_probabilities, special,
};
use variata_torch_bridge::tch::{Device, Kind, Tensor};

/// Tensors of many kinds, shapes, layouts and values.
fn odd() -> Vec<(String, Tensor)> {
    let mut all = Vec::new();
    for kind in [Kind::Half, Kind::Float, Kind::Double, Kind::Int64] {
        let shapes: [&[i64]; 10] =
            [&[], &[0], &[3], &[2, 3], &[0, 3], &[3, 0], &[2, 1, 3], &[2, 3, 3], &[2, 0, 0], &[3, 3]];
        for shape in shapes {
            all.push((format!("{kind:?} {shape:?}"), Tensor::ones(shape, (kind, Device::Cpu))));
        }
    }
    let base = Tensor::ones([2, 3], (Kind::Double, Device::Cpu));
    let row = Tensor::ones([1, 3], (Kind::Double, Device::Cpu));
    all.extend([
        ("undefined".to_owned(), Tensor::new()),
        ("sparse".to_owned(), Tensor::eye(3, (Kind::Float, Device::Cpu)).to_sparse_sparse_dim(2)),
        ("NaN".to_owned(), &base * f64::NAN),
        ("∞".to_owned(), &base * f64::INFINITY),
        ("negative".to_owned(), &base * -1.0),
        ("leaf".to_owned(), base.copy().set_requires_grad(true)),
        ("expanded".to_owned(), row.expand([2, 3], false)),
        ("complex".to_owned(), base.to_kind(Kind::ComplexFloat)),
        ("boolean".to_owned(), base.to_kind(Kind::Bool)),
    ]);
    all
}

/// Everything that can be done with one tensor.
fn one(a: &Tensor) {
    let c = Tensor::shallow_clone;
    if let Ok(p) = Bernoulli::new(c(a)) {
        let _ = (p.entropy(), p.mean(), p.variance());
        let _ = (p.sample(p.batch_shape()), p.sample(&[2, 3]), p.sample(&[usize::MAX]));
    }
    if let Ok(p) = Categorical::new(c(a)) {
        let _ = (p.entropy(), p.mean(), p.variance(), p.probabilities());
        let _ = (p.sample(p.batch_shape()), p.sample(&[4, 2]), p.sample(&[usize::MAX]));
    }
    let _ =
        (jensen_shannon(a, None), jensen_shannon_composed(a, None), jensen_shannon_probabilities(a, None));
    let _ = (iwae_bound(a), iwae_bound_composed(a), effective_sample_size(a));
    let _ =
        (special::ndtr(a), special::log_ndtr(a), special::ndtri(a), special::lgamma(a), special::log1mexp(a));
}

/// Everything that can be done with two.
fn two(a: &Tensor, b: &Tensor) {
    let c = Tensor::shallow_clone;
    if let Ok(p) = Bernoulli::new(c(a)) {
        let _ = (p.log_prob(b), p.cdf(b), p.icdf(b), p.sample_from_noise(b));
        let _ = Bernoulli::new(c(b)).map(|q| (p.kl(&q), p.kl_composed(&q)));
    }
    if let Ok(p) = Categorical::new(c(a)) {
        let _ = (p.log_prob(b), p.cdf(b), p.icdf(b), p.sample_from_noise(b));
        let _ = Categorical::new(c(b)).map(|q| p.kl(&q));
    }
    if let Ok(p) = Normal::new(c(a), c(b)) {
        let _ =
            (p.entropy(), p.mean(), p.variance(), p.sample(p.batch_shape()), p.cdf(b), p.icdf_composed(b));
    }
    if let Ok(p) = Gumbel::new(c(a), c(b)) {
        let _ = (p.log_prob(a), p.cdf_composed(a), p.icdf(b), p.rsample(b), p.kl(&p), p.kl_composed(&p));
    }
    if let Ok(p) = Uniform::new(c(a), c(b)) {
        let _ = (p.log_prob(a), p.cdf_composed(a), p.icdf(b), p.sample(p.batch_shape()), p.entropy());
        let _ = (p.kl(&p), p.kl_composed(&p));
    }
    for p in [DiagonalNormal::new(c(a), c(b)), DiagonalNormal::from_log_variance(c(a), c(b))].iter().flatten()
    {
        let _ = (p.entropy(), p.variance(), p.scale(), p.sample(), p.log_prob(a), p.rsample(b));
        let _ = (p.kl_standard_normal(), p.kl(p), p.kl_composed(p));
    }
    let dense = [
        MultivariateNormal::new(c(a), b),
        MultivariateNormal::from_covariance(c(a), b),
        MultivariateNormal::from_precision(c(a), b),
    ];
    for p in dense.iter().flatten() {
        let _ = (p.entropy(), p.variance(), p.covariance_matrix(), p.precision_matrix(), p.sample());
        let _ = (p.log_prob(a), p.rsample(a), p.kl(p), p.kl_composed(p));
    }
    let _ = (frechet_distance_from_features(a, b), frechet_distance(a, b, a, b), elbo(a, b, 1.0));
}

#[test]
fn nothing_panics() {
    let all = odd();
    for (name_a, a) in &all {
        assert!(catch_unwind(AssertUnwindSafe(|| one(a))).is_ok(), "{name_a}");
        for (name_b, b) in &all {
            assert!(catch_unwind(AssertUnwindSafe(|| two(a, b))).is_ok(), "{name_a} with {name_b}");
        }
    }
}
