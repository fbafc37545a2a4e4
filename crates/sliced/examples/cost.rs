//! Time of a sliced distance with its gradient against the number of points, and of directions, f32, 32 dimensions. Prints the
//! plot of docs/src/results/speed.md that is named, `points` or `directions`, as SVG, and the numbers on standard error:
//!
//! ```sh
//! cargo run --release -p variata-sliced --example cost points > docs/src/images/sliced-cost-points.svg
//! cargo run --release -p variata-sliced --example cost directions > docs/src/images/sliced-cost-directions.svg
//! ```

use std::error::Error;
use std::time::Instant;

use ndarray::Array2;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use variata_report::{Axis, LinePlot, LineSeries, Plot};
use variata_sliced::{Directions, Discrepancy, Distance};

const DIMENSIONS: usize = 32;

/// Median of three runs after one that warms up, in milliseconds.
fn time(distance: Distance, x: &Array2<f32>, directions: &Directions) -> Result<f64, Box<dyn Error>> {
    let mut times = Vec::new();
    for run in 0..4 {
        let start = Instant::now();
        Discrepancy::new(distance).sliced_with_grad(x, directions)?;
        if run > 0 {
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(times[1])
}

fn main() -> Result<(), Box<dyn Error>> {
    let points = match std::env::args().nth(1).as_deref() {
        Some("points") => true,
        Some("directions") => false,
        other => return Err(format!("the plot is {other:?}, must be points or directions").into()),
    };
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let shapes: Vec<(usize, usize)> = if points {
        [100, 316, 1000, 3162, 10_000, 31_623, 100_000, 316_228, 1_000_000].map(|n| (n, 10)).to_vec()
    } else {
        [1, 3, 10, 32, 100, 316, 1000].map(|l| (4096, l)).to_vec()
    };
    let distances = [
        ("W₂²", Distance::WASSERSTEIN_2),
        ("Cramér–Wold", Distance::CRAMER_WOLD),
        ("Cramér–von Mises", Distance::CramerVonMises),
        ("Anderson–Darling", Distance::AndersonDarling),
    ];
    let mut curves: Vec<Vec<(f64, f64)>> = vec![Vec::new(); distances.len()];
    for (n, l) in shapes {
        let x = Array2::from_shape_simple_fn((n, DIMENSIONS), || StandardNormal.sample(&mut rng));
        let directions = Directions::uniform(l, DIMENSIONS, 2)?;
        for ((name, distance), curve) in distances.iter().zip(&mut curves) {
            let took = time(*distance, &x, &directions)?;
            eprintln!("{name}: n = {n}, {l} directions: {took:.3} ms");
            curve.push((if points { n as f64 } else { l as f64 }, took));
        }
    }
    let named = distances.iter().zip(curves).enumerate();
    let series = named.map(|(k, ((name, _), points))| LineSeries::new(*name, points).color(k)).collect();
    let label = if points { "points" } else { "directions" };
    let plot = LinePlot {
        x: Axis::new(label).log(),
        y: Axis::new("milliseconds, value and gradient").log(),
        series,
        ..LinePlot::default()
    };
    println!("{}", plot.to_svg());
    Ok(())
}
