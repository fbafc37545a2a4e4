//! Kolmogorov–Smirnov: the largest gap between the distribution functions, from either side of every step.

use crate::column::{Against, Gradient, Scratch, Step, steps};
use crate::vectors::LANES;
use variata_distributions::lanes::{Compute, widest};

/// maxₖ max(F̂(y₍ₖ₎) − zₖ, zₖ − F̂(y₍ₖ₎−)), with the subgradient of the first gap that attains it.
pub(crate) fn run<T: Compute>(
    y: &[T],
    against: Against<'_>,
    gradient: Option<Gradient<'_, T>>,
    scratch: &mut Scratch,
) -> f64 {
    scratch.sort(y);
    scratch.distribution::<T>(against.target);
    let (largest, (place, slope)) =
        if against.weights.is_some() { weighted(against, scratch) } else { equal(scratch) };
    if let Some(mut gradient) = gradient {
        gradient.out.fill(T::ZERO);
        gradient.set(place, slope);
    }
    largest
}

/// The largest gap, and the point with the derivative there, of weighted points.
fn weighted(against: Against<'_>, scratch: &Scratch) -> (f64, (usize, f64)) {
    let (mut largest, mut at) = (f64::NEG_INFINITY, (0, 0.0));
    let values = scratch.first.iter().zip(&scratch.second);
    for ((place, step), (z, density)) in steps(&scratch.places, against.weights).zip(values) {
        if !(step.weight > 0.0) {
            continue;
        }
        for (gap, slope) in [(step.after - z, -density), (z - step.before, *density)] {
            if gap > largest {
                (largest, at) = (gap, (place, slope));
            }
        }
    }
    (largest, at)
}

/// The same of equal weights: first the largest gap, in vectors, then where it is.
fn equal(scratch: &Scratch) -> (f64, (usize, f64)) {
    let z = &scratch.first[..];
    let each = 1.0 / z.len() as f64;
    let gaps = |k: f64, z: f64| [(k + 1.0) * each - z, z - k * each];
    let largest = widest(
        #[inline(always)]
        || {
            let mut largest = [f64::NEG_INFINITY; LANES];
            for (b, z) in z.chunks(LANES).enumerate() {
                let start = (b * LANES) as f64;
                for (i, (z, largest)) in z.iter().zip(&mut largest).enumerate() {
                    let [above, below] = gaps(start + i as f64, *z);
                    let gap = if above > below { above } else { below };
                    *largest = if gap > *largest { gap } else { *largest };
                }
            }
            largest
        },
    );
    let largest = largest.into_iter().fold(f64::NEG_INFINITY, f64::max);
    let found = z.iter().enumerate().find_map(|(k, &z)| {
        let [above, below] = gaps(k as f64, z);
        let sign = if above == largest { -1.0 } else { 1.0 };
        (above == largest || below == largest).then_some((k, sign))
    });
    let (k, sign) = found.unwrap_or((0, 0.0));
    (largest, (scratch.places[k] as usize, sign * scratch.second[k]))
}

/// τ log Σ e^(gap/τ) over all 2n gaps: between the largest gap and τ log 2n above it.
pub(crate) fn run_smooth<T: Compute>(
    y: &[T],
    temperature: f64,
    against: Against<'_>,
    mut gradient: Option<Gradient<'_, T>>,
    scratch: &mut Scratch,
) -> f64 {
    scratch.sort(y);
    scratch.distribution::<T>(against.target);
    let gaps = |step: Step, z: f64| [step.after - z, z - step.before];
    let terms = || {
        let values = scratch.first.iter().zip(&scratch.second);
        steps(&scratch.places, against.weights).zip(values).filter(|((_, step), _)| step.weight > 0.0)
    };
    let largest = terms().flat_map(|((_, step), (&z, _))| gaps(step, z)).fold(f64::NEG_INFINITY, f64::max);
    let soft = |gap: f64| libm::exp((gap - largest) / temperature);
    let sum: f64 = terms().flat_map(|((_, step), (&z, _))| gaps(step, z).map(soft)).sum();
    if let Some(gradient) = &mut gradient {
        gradient.out.fill(T::ZERO);
        for ((place, step), (&z, density)) in terms() {
            let [above, below] = gaps(step, z).map(soft);
            gradient.set(place, density * (below - above) / sum);
        }
    }
    largest + temperature * libm::log(sum)
}
