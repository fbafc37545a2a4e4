//! What the operations cost on this machine: the least of some runs.

use std::hint::black_box;
use std::time::Instant;

use ndarray::Array2;
use variata_quantize::{Codebook, Error, Metric};

fn numbers(rows: usize, columns: usize, seed: u64) -> Array2<f32> {
    let mut state = seed;
    Array2::from_shape_simple_fn((rows, columns), || {
        let mut total = 0.0;
        for _ in 0..4 {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            total += (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0;
        }
        total
    })
}

fn time<R>(name: &str, runs: usize, f: impl Fn() -> Result<R, Error>) -> Result<(), Error> {
    let mut least = f64::INFINITY;
    for _ in 0..runs {
        let start = Instant::now();
        black_box(f()?);
        least = least.min(start.elapsed().as_secs_f64());
    }
    println!("{name}: {:.2} ms", 1e3 * least);
    Ok(())
}

fn main() -> Result<(), Error> {
    for (n, k, d, runs) in [(65536, 512, 64, 40), (16384, 8192, 256, 8)] {
        let z = numbers(n, d, 1);
        let codebook = Codebook::new(numbers(k, d, 2), Metric::SquaredEuclidean)?;
        time(&format!("assign {n} x {k} x {d}"), runs, || codebook.assign(&z))?;
    }
    Ok(())
}
