//! Cramér–von Mises: mean squared gap between the distribution functions.

use crate::column::{Against, Gradient, Scratch, steps};
use variata_distributions::lanes::Compute;

/// ∫ (Fₙ − F)² dF as a sum of squares, Σ wₖ (zₖ − cₖ)² + Σ wₖ³/12 with zₖ = F(y₍ₖ₎) and cₖ the middle of its step.
pub(crate) fn run<T: Compute>(
    y: &[T],
    against: Against<'_>,
    mut gradient: Option<Gradient<'_, T>>,
    scratch: &mut Scratch,
) -> f64 {
    scratch.sort(y);
    scratch.distribution::<T>(against.target);
    let (mut squares, mut cubes) = (0.0, 0.0);
    let values = scratch.first.iter().zip(&scratch.second);
    for ((place, step), (z, density)) in steps(&scratch.places, against.weights).zip(values) {
        let gap = z - step.middle();
        squares += step.weight * gap * gap;
        cubes += step.weight * step.weight * step.weight;
        if let Some(gradient) = &mut gradient {
            gradient.set(place, 2.0 * step.weight * gap * density);
        }
    }
    // Adding one number n times would lose digits.
    let n = y.len() as f64;
    squares + if against.weights.is_some() { cubes / 12.0 } else { 1.0 / (12.0 * n * n) }
}
