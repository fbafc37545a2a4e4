//! Distances of N(m, 1) and N(0, s²) from N(0, 1), by samples of 10,000 quantiles. Prints the plot of docs/src/theory/sliced.md
//! that is named, `shift` or `scale`, as SVG:
//!
//! ```sh
//! cargo run --release -p variata-sliced --example shift_and_scale shift > docs/src/images/sliced-shift.svg
//! cargo run --release -p variata-sliced --example shift_and_scale scale > docs/src/images/sliced-scale.svg
//! ```

use std::error::Error;

use ndarray::Array1;
use variata_report::{Axis, LinePlot, LineSeries, Plot};
use variata_sliced::{Distance, Target};

fn main() -> Result<(), Box<dyn Error>> {
    let shifted = match std::env::args().nth(1).as_deref() {
        Some("shift") => true,
        Some("scale") => false,
        other => return Err(format!("the plot is {other:?}, must be shift or scale").into()),
    };
    let n = 10_000;
    let normal = variata_distributions::StandardNormal;
    let y: Array1<f64> = (0..n).map(|k| normal.quantile((f64::from(k) + 0.5) / f64::from(n))).collect();
    let distances = [
        ("W₂²", Distance::WASSERSTEIN_2),
        ("Anderson–Darling", Distance::AndersonDarling),
        ("Kolmogorov–Smirnov", Distance::KolmogorovSmirnov),
        ("Cramér–Wold", Distance::CRAMER_WOLD),
        ("Cramér–von Mises", Distance::CramerVonMises),
    ];
    let mut series = Vec::new();
    for (k, (name, distance)) in distances.into_iter().enumerate() {
        let mut points = Vec::new();
        for step in 0..=60 {
            let at = f64::from(step) / 60.0;
            let (x, moved) = if shifted {
                let m = 5.0 * at;
                (m, y.mapv(|v| v + m))
            } else {
                let s = 0.05 * 80f64.powf(at);
                (s, y.mapv(|v| v * s))
            };
            points.push((x, distance.value(&moved)?));
        }
        series.push(LineSeries::new(name, points).color(k));
    }
    let x = if shifted { Axis::new("shift m") } else { Axis::new("scale s").log() };
    let plot = LinePlot { x, y: Axis::new("distance from N(0, 1)").log(), series, ..LinePlot::default() };
    println!("{}", plot.to_svg());
    Ok(())
}
