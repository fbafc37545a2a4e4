//! No public function panics, whatever tensors it is handed, and wrong shapes are named.

use std::panic::{AssertUnwindSafe, catch_unwind};

use variata_distributions::StandardMultivariateNormal;
use variata_distributions::torch::KlDivergence;
use variata_lowrank_mvn::torch::LowRankMvn;
use variata_torch_bridge::tch::{Device, Kind, Tensor};

fn odd() -> Vec<Tensor> {
    let mut all = Vec::new();
    for kind in [Kind::Half, Kind::Float, Kind::Double, Kind::Int64] {
        let shapes: [&[i64]; 12] = [
            &[],
            &[0],
            &[3],
            &[2, 3],
            &[0, 3],
            &[3, 0],
            &[2, 2],
            &[2, 3, 2],
            &[2, 3, 0],
            &[0, 3, 2],
            &[3, 0, 2],
            &[2, 3, 4],
        ];
        all.extend(shapes.map(|shape| Tensor::ones(shape, (kind, Device::Cpu))));
    }
    let base = Tensor::ones([2, 3], (Kind::Double, Device::Cpu));
    all.extend([
        Tensor::new(),
        Tensor::eye(3, (Kind::Float, Device::Cpu)).to_sparse_sparse_dim(2),
        &base * f64::NAN,
        &base * f64::INFINITY,
        &base * -1.0,
        &base * 0.0,
        base.copy().set_requires_grad(true),
        base.narrow(0, 0, 1).expand([2, 3], false),
        base.to_kind(Kind::ComplexFloat),
    ]);
    all
}

fn everything(p: &LowRankMvn, x: &Tensor) {
    let _ = (p.log_prob(x), p.log_prob_composed(x), p.mahalanobis(x), p.mahalanobis_composed(x));
    let _ = (p.entropy(), p.entropy_composed(), p.log_det(), p.log_prob_and_entropy(x));
    let _ = (p.mean(), p.variance(), p.covariance_matrix(), p.precision_matrix(), p.scale_tril());
    let _ = (p.covariance_times(x), p.precision_times(x), p.marginal(x), p.condition(x, x));
    let _ = (p.rsample(x, x), p.rsample_composed(x, x), p.sample(), p.sample_clamped(f64::NAN));
    let _ = (p.scale_components(x), p.kl(p), p.kl_composed(p), p.kl(&StandardMultivariateNormal));
    let _ = (p.lend::<f32, _>(|p| (p.dim(), p.log_det())), p.lend::<f64, _>(|p| (p.dim(), p.entropy())));
}

#[test]
fn nothing_panics() {
    let all = odd();
    let mut built = 0;
    for loc in &all {
        for factor in &all {
            for diag in &all {
                let new =
                    || LowRankMvn::new(loc.shallow_clone(), factor.shallow_clone(), diag.shallow_clone());
                let p = catch_unwind(AssertUnwindSafe(new)).unwrap();
                let Ok(p) = p else { continue };
                built += 1;
                // One argument in 23, by turns: all would take minutes.
                for x in all.iter().skip(built % 23).step_by(23).chain([loc]) {
                    assert!(catch_unwind(AssertUnwindSafe(|| everything(&p, x))).is_ok(), "{p:?} {x:?}");
                }
            }
        }
    }
    assert!(built > 100, "{built}");
}

#[test]
fn wrong_shapes_are_named() {
    let ones = |shape: &[i64]| Tensor::ones(shape, (Kind::Double, Device::Cpu));
    let new = |loc: &[i64], factor: &[i64], diag: &[i64]| {
        LowRankMvn::new(ones(loc), ones(factor), ones(diag)).map(|_| ()).unwrap_err().to_string()
    };
    assert!(new(&[3], &[2, 3, 1], &[]).contains("`loc` has shape [3], must be [batch, n]"));
    assert!(new(&[2, 3], &[2, 4, 1], &[]).contains("`cov_factor` has shape [2, 4, 1], must be [2, 3, rank]"));
    assert!(new(&[2, 3], &[2, 3, 1], &[2]).contains("`cov_diag` has shape [2], must be [], [3] or [2, 3]"));
    let p = LowRankMvn::new(ones(&[2, 3]), ones(&[2, 3, 1]), ones(&[])).unwrap();
    assert!(p.log_prob(&ones(&[3])).unwrap_err().to_string().contains("`x`"));
    assert!(p.rsample(&ones(&[2, 2]), &ones(&[2, 3])).unwrap_err().to_string().contains("`noise_factor`"));
    assert!(p.scale_components(&ones(&[2, 2])).unwrap_err().to_string().contains("`scales`"));
    let singular = LowRankMvn::new(ones(&[2, 3]), ones(&[2, 3, 4]), ones(&[]) * 0.0).unwrap();
    assert!(singular.log_prob(&ones(&[2, 3])).unwrap_err().to_string().contains("covariance"));
}
