//! Samples and oracles that several tests use.

use ndarray::{Array1, Array2, ArrayView1};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use variata_quantize::{Codebook, Compute, Error, Metric};

pub(crate) fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Draws from N(0, 1).
pub(crate) fn normal(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
    let mut rng = rng(seed);
    Array2::from_shape_simple_fn((rows, columns), || StandardNormal.sample(&mut rng))
}

/// Rounded to f32.
pub(crate) fn single(x: &Array2<f64>) -> Array2<f32> {
    x.mapv(|v| v as f32)
}

pub(crate) fn euclidean<T: Compute>(codes: Array2<T>) -> Codebook<T> {
    Codebook::new(codes, Metric::SquaredEuclidean).unwrap()
}

/// The distance of the metric, by its definition, in f64.
pub(crate) fn distance<T: Compute>(metric: Metric, z: &ArrayView1<'_, T>, e: &ArrayView1<'_, T>) -> f64 {
    let pairs: Vec<(f64, f64)> = z.iter().zip(e).map(|(z, e)| (z.to_f64(), e.to_f64())).collect();
    let sum = |f: &dyn Fn(f64, f64) -> f64| pairs.iter().map(|&(z, e)| f(z, e)).sum::<f64>();
    match metric {
        Metric::Cosine => {
            let (a, b) = (sum(&|z, _| z * z).sqrt(), sum(&|_, e| e * e).sqrt());
            0.5 * sum(&|z, e| (z / a - e / b) * (z / a - e / b))
        }
        _ => sum(&|z, e| (z - e) * (z - e)),
    }
}

/// Every index is that of the nearest code by brute force, or of one whose distance is the same to within 4 ulp.
#[track_caller]
pub(crate) fn check_nearest<T: Compute>(codebook: &Codebook<T>, z: &Array2<T>, found: &Array1<usize>) {
    assert_eq!(found.len(), z.nrows());
    for (row, &index) in z.rows().into_iter().zip(found) {
        let all: Vec<f64> =
            codebook.codes().rows().into_iter().map(|e| distance(codebook.metric(), &row, &e)).collect();
        let least = all.iter().copied().fold(f64::INFINITY, f64::min);
        // Of 1 − cos the terms are of size 1 before they are squared.
        let floor = if codebook.metric() == Metric::Cosine { least.sqrt() } else { least };
        let ulp = 4.0 * f64::EPSILON * floor.max(least);
        assert!(all[index] <= least + ulp, "{index} at {:e} instead of {least:e}", all[index]);
    }
}

/// The name of the argument that is refused.
#[track_caller]
pub(crate) fn argument<R: std::fmt::Debug>(result: Result<R, Error>) -> &'static str {
    use variata_distributions::ArgumentError;
    match result {
        Err(
            Error::Argument(ArgumentError::Value { argument, .. } | ArgumentError::Shape { argument, .. })
            | Error::Row { argument, .. }
            | Error::Index { argument, .. },
        ) => argument,
        other => panic!("{other:?}"),
    }
}
