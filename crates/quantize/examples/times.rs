//! What the operations cost on this machine: the least of some runs.

use std::hint::black_box;
use std::time::Instant;

use ndarray::Array2;
use variata_quantize::{Clusters, Codebook, Ema, Error, GumbelSoftmax, Metric, Noise, Smoothing};

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
    let z = numbers(65536, 64, 1);
    let mut codebook = Codebook::new(numbers(512, 64, 2), Metric::SquaredEuclidean)?;
    let soft = GumbelSoftmax::default();
    for (name, noise) in [("no", Noise::None), ("seeded", Noise::Seeded { seed: 1, first_row: 0 })] {
        time(&format!("gumbel forward, {name} noise"), 10, || soft.forward(&codebook, &z, noise))?;
        time(&format!("gumbel forward and backward, {name} noise"), 10, || {
            let found = soft.forward(&codebook, &z, noise)?;
            soft.backward(&codebook, &z, noise, &found, &z)
        })?;
    }
    let mut ema = Ema::new(&codebook, 0.8, Smoothing::Laplace(1e-5))?;
    time("quantize", 10, || codebook.quantize(&z))?;
    let mut step = || {
        let quantized = codebook.quantize(&z)?;
        let mut clusters = Clusters::new(&codebook);
        clusters.add(&codebook, &z, &quantized.indices)?;
        ema.update(&mut codebook, &clusters)?;
        Ok::<_, Error>(quantized)
    };
    let mut least = f64::INFINITY;
    for _ in 0..10 {
        let start = Instant::now();
        black_box(step()?);
        least = least.min(start.elapsed().as_secs_f64());
    }
    println!("EMA step: {:.2} ms", 1e3 * least);
    for (n, k, d, runs) in [(65536, 512, 64, 40), (16384, 8192, 256, 8)] {
        let z = numbers(n, d, 1);
        let codebook = Codebook::new(numbers(k, d, 2), Metric::SquaredEuclidean)?;
        time(&format!("assign {n} x {k} x {d}"), runs, || codebook.assign(&z))?;
    }
    Ok(())
}
