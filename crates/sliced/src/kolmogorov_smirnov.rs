//! Kolmogorov–Smirnov: the largest gap between the distribution functions, from either side of every step.

use crate::column::{Against, Gradient, Scratch, Step, steps};
use variata_distributions::lanes::Compute;

/// maxₖ max(F̂(y₍ₖ₎) − zₖ, zₖ − F̂(y₍ₖ₎−)), with the subgradient of the first gap that attains it.
pub(crate) fn run<T: Compute>(
    y: &[T],
    against: Against<'_>,
    gradient: Option<Gradient<'_, T>>,
    scratch: &mut Scratch,
) -> f64 {
    scratch.sort(y);
    scratch.distribution::<T>(against.target);
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
    if let Some(mut gradient) = gradient {
        gradient.out.fill(T::ZERO);
        gradient.set(at.0, at.1);
    }
    largest
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
