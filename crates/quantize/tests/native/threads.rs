//! The same bits on any number of threads.

use variata_quantize::{Clusters, Codebook, Estimator, Metric, Upstream};

use crate::support::{euclidean, normal, rng, single};

/// Runs `f` on pools of several sizes; all results must agree.
#[track_caller]
pub(crate) fn on_any<R: PartialEq + std::fmt::Debug + Send>(f: impl Fn() -> R + Sync) {
    let run = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(&f);
    let one = run(1);
    for threads in [2, 3, 8] {
        assert!(run(threads) == one, "{threads} threads");
    }
}

#[test]
fn assignments_losses_gradients_and_clusters() {
    let (z, codebook) = (single(&normal(5000, 24, 1)), euclidean(single(&normal(37, 24, 2))));
    on_any(|| {
        let quantized = codebook.quantize(&z).unwrap();
        let upstream = Upstream { output: &*z, codebook: 1.0, commitment: 0.25 };
        let grad = quantized.backward(&codebook, &z, &upstream, Estimator::Rotation).unwrap();
        let mut clusters = Clusters::new(&codebook);
        clusters.add(&codebook, &z, &quantized.indices).unwrap();
        (quantized, grad, clusters, codebook.top_k(&z, 3).unwrap())
    });
    on_any(|| Codebook::k_means(&z, 5, 3, Metric::Cosine, &mut rng(1)).unwrap().objectives);
}
