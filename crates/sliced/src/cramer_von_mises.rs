//! Cramér–von Mises: mean squared gap between the distribution functions.

use crate::column::{Against, Gradient, Scratch, steps};
use crate::vectors::LANES;
use variata_distributions::lanes::{Compute, widest};

/// ∫ (Fₙ − F)² dF as a sum of squares, Σ wₖ (zₖ − cₖ)² + Σ wₖ³/12 with zₖ = F(y₍ₖ₎) and cₖ the middle of its step.
pub(crate) fn run<T: Compute>(
    y: &[T],
    against: Against<'_>,
    mut gradient: Option<Gradient<'_, T>>,
    scratch: &mut Scratch,
) -> f64 {
    scratch.sort(y);
    scratch.distribution::<T>(against.target);
    let Some(_) = against.weights else { return equal(y.len(), gradient, scratch) };
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
    squares + cubes / 12.0
}

/// The same for n equal weights, of which the distribution functions are in `scratch`.
fn equal<T: Compute>(n: usize, gradient: Option<Gradient<'_, T>>, scratch: &mut Scratch) -> f64 {
    let each = 1.0 / n as f64;
    // What 1/n lost: it would be the same part of every middle.
    let rest = (-each).mul_add(n as f64, 1.0) * each;
    let Scratch { places, first, second, .. } = scratch;
    let sums = widest(
        #[inline(always)]
        || {
            let mut sums = [0.0; LANES];
            let blocks = first.chunks(LANES).zip(second.chunks_mut(LANES));
            for (b, (z, slopes)) in blocks.enumerate() {
                let start = (b * LANES) as f64 + 0.5;
                for (i, ((z, slope), sum)) in z.iter().zip(slopes).zip(&mut sums).enumerate() {
                    let middle = start + i as f64;
                    let gap = (z - middle * each) - middle * rest;
                    *sum += gap * gap;
                    *slope *= gap;
                }
            }
            sums
        },
    );
    if let Some(mut gradient) = gradient {
        gradient.scatter(places, second, 2.0 * each);
    }
    // Adding 1/n³ n times would lose digits.
    sums.iter().sum::<f64>() * each + each * each / 12.0
}
