//! A sliced distance as a regulariser without any framework: a linear encoder whose codes are brought to N(0, I) by gradient
//! descent on log d, its gradient by the chain rule in one line. See docs/src/how-to/regularise.md.
//!
//! ```sh
//! cargo run --release -p variata-sliced --example regularize_native
//! ```

use ndarray::{Array2, Axis};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use variata_sliced::{Directions, Discrepancy, Distance, Error, Loss};

fn main() -> Result<(), Error> {
    let (n, inputs, latent) = (512, 6, 3);
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    // Data of very different spreads, off the origin, and not normal: the squares have a tail.
    let x = Array2::from_shape_fn((n, inputs), |(_, j)| {
        let e: f64 = StandardNormal.sample(&mut rng);
        (1.0 + j as f64) * (e + 0.2 * e * e)
    });
    let mut weights = Array2::from_shape_fn((inputs, latent), |(i, j)| ((2 * i + 3 * j) as f64).sin());
    let discrepancy = Discrepancy::new(Distance::CRAMER_WOLD);
    for step in 0..=400u32 {
        let mean = x.mean_axis(Axis(0)).unwrap_or_default();
        let centred = &x - &mean;
        let codes = centred.dot(&weights);
        // Fresh directions at each step.
        let directions = Directions::uniform(50, latent, u64::from(step))?;
        let (sliced, grad) = discrepancy.sliced_with_grad(&codes, &directions)?;
        let (term, slope) = Loss::Log.apply(sliced.mean);
        if step % 100 == 0 {
            println!("step {step}: log d = {term:.3}");
        }
        // codes = x·W, so ∂/∂W = xᵀ·∂/∂codes. The step is as long for any slope: log d is steep near its end.
        let gradient = centred.t().dot(&grad) * slope;
        let norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
        weights -= &(gradient * (0.3 / (1.0 + f64::from(step)).sqrt() / norm));
    }
    Ok(())
}
