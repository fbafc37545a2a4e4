//! Second derivatives of the composed divergence where both distributions are equal: the Fisher information.

use variata_distributions::torch::KlDivergence;
use variata_torch_bridge::tch::Tensor;

use crate::support::{distribution, leaf, numbers, positive};

/// Rounding leaves a little less or more than nothing of the value; the curvature is there in either case.
#[test]
fn equal_distributions_have_a_curved_divergence() {
    use variata_torch_bridge::tch::Kind::Double;
    for salt in 0..30 {
        let [loc, factor, diag] =
            [numbers(&[1, 6], salt), numbers(&[1, 6, 2], salt + 50), positive(&[1, 6], salt + 100)];
        let leaves = [&loc, &factor, &diag].map(|a| leaf(a, Double));
        let (p, q) = (distribution(&leaves), distribution(&leaves.each_ref().map(Tensor::detach)));
        let value = p.kl_composed(&q).unwrap().sum(Double);
        assert!(value.double_value(&[]) >= 0.0);
        let probe = leaf(&numbers(&[1, 6, 2], salt + 7), Double).detach();
        let first = Tensor::run_backward(&[&value], &[&leaves[1]], true, true).remove(0);
        assert!(first.abs().max().double_value(&[]) < 1e-12);
        let along = (first * &probe).sum(Double);
        let second = Tensor::run_backward(&[&along], &[&leaves[1]], false, false).remove(0);
        // vᵀHv > 0 but along what leaves PPᵀ as it is.
        let curvature = (second * probe).sum(Double).double_value(&[]);
        assert!(curvature > 1e-3, "salt {salt}: {curvature}");
    }
}
