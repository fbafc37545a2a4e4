//! What the operations hold at most: never all vectors against all codes. One test, since others would be counted with it.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use ndarray::Array2;
use variata_quantize::{Codebook, GumbelSoftmax, Metric, Noise};
use variata_testkit::alloc::{CountingAllocator, measure_process};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

#[test]
fn grows_with_vectors_plus_codes() {
    let (n, k, d) = (16_384, 1024, 8);
    let numbers =
        |rows, by: usize| Array2::from_shape_fn((rows, d), |(i, j)| ((i * by + j * 29) as f32 * 0.37).sin());
    let (z, codebook) = (numbers(n, 31), Codebook::new(numbers(k, 17), Metric::SquaredEuclidean).unwrap());
    let all = (4 * n * k) as u64;
    let (_, stats) = measure_process(|| codebook.assign_with_distances(&z).unwrap());
    assert!(stats.peak < all / 16, "assign holds {} bytes", stats.peak);
    let soft = GumbelSoftmax::default();
    let noise = Noise::Seeded { seed: 1, first_row: 0 };
    let (found, stats) = measure_process(|| soft.forward(&codebook, &z, noise).unwrap());
    assert!(stats.peak < all / 16, "forward holds {} bytes", stats.peak);
    let (_, stats) = measure_process(|| soft.backward(&codebook, &z, noise, &found, &z).unwrap());
    assert!(stats.peak < all / 8, "backward holds {} bytes", stats.peak);
}
