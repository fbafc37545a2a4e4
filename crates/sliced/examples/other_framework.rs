//! A sliced distance as an operation of a framework that differentiates by itself. `CustomOperation` stands in for the framework's own
//! trait (candle's `CustomOp1`, burn's `Backward`): no framework is built here. See docs/src/how-to/other-frameworks.md.
//!
//! ```sh
//! cargo run --release -p variata-sliced --example other_framework
//! ```

use ndarray::Array2;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use variata_sliced::{Directions, Discrepancy, Distance, Error, Loss};

/// A stand-in: what frameworks ask of an operation with one input and a number as its result.
trait CustomOperation {
    /// What backward needs of forward.
    type Saved;

    fn forward(&self, input: &Array2<f32>) -> Result<(f32, Self::Saved), Error>;
    /// The slope in the input, given that in the result.
    fn backward(&self, saved: Self::Saved, slope: f32) -> Array2<f32>;
}

/// The logarithm of the sliced W₂² of codes from N(0, I).
struct LogWasserstein {
    directions: Directions,
}

impl CustomOperation for LogWasserstein {
    /// The gradient: it comes in the same pass as the value, and forward is not run again.
    type Saved = Array2<f32>;

    fn forward(&self, codes: &Array2<f32>) -> Result<(f32, Array2<f32>), Error> {
        let distance = Discrepancy::new(Distance::WASSERSTEIN_2);
        let (sliced, grad) = distance.sliced_with_grad(codes, &self.directions)?;
        let (value, slope) = Loss::Log.apply(sliced.mean);
        Ok((value as f32, grad * slope as f32))
    }

    fn backward(&self, saved: Array2<f32>, slope: f32) -> Array2<f32> {
        saved * slope
    }
}

fn main() -> Result<(), Error> {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut codes = Array2::from_shape_simple_fn((256, 3), || {
        let e: f32 = StandardNormal.sample(&mut rng);
        2.0 + 0.5 * e
    });
    for step in 0..=200u32 {
        let operation = LogWasserstein { directions: Directions::uniform(50, 3, u64::from(step))? };
        let (value, saved) = operation.forward(&codes)?;
        if step % 50 == 0 {
            println!("step {step}: log W₂² = {value:.2}");
        }
        // The part of the framework: it knows the slope of the loss in this term (here 1) and moves what the codes are made of.
        let grad = operation.backward(saved, 1.0);
        let norm = grad.iter().map(|g| g * g).sum::<f32>().sqrt();
        codes -= &(grad * (2.0 / (1.0 + step as f32).sqrt() / norm));
    }
    Ok(())
}
