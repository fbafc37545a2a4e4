//! One projected sample: its sorted order, its weights, and where its gradient goes.

use variata_distributions::lanes::{Compute, Sum};

use crate::normal;
use crate::order::Order;
use crate::target::Target;

/// What a sample is compared with, and how its points count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Against<'a> {
    /// `None` is N(0, 1), which has kernels of its own.
    pub target: Option<&'a dyn Target>,
    /// ≥ 0 and adding to 1; `None` is 1/n each.
    pub weights: Option<&'a [f64]>,
}

/// Where the gradient goes: `out[i]` becomes `scale`·∂/∂yᵢ.
#[derive(Debug)]
pub(crate) struct Gradient<'a, T> {
    pub out: &'a mut [T],
    pub scale: f64,
}

impl<T: Compute> Gradient<'_, T> {
    #[inline(always)]
    pub(crate) fn set(&mut self, i: usize, slope: f64) {
        self.out[i] = T::from_f64(self.scale * slope);
    }

    /// Factor times the slopes, for the points from number `first` on.
    #[inline(always)]
    pub(crate) fn set_from(&mut self, first: usize, slopes: &[f64], factor: f64) {
        let factor = self.scale * factor;
        for (out, slope) in self.out[first..].iter_mut().zip(slopes) {
            *out = T::from_f64(factor * slope);
        }
    }

    /// Factor times the slopes, for the points at `places`.
    pub(crate) fn scatter(&mut self, places: &[u32], slopes: &[f64], factor: f64) {
        let factor = self.scale * factor;
        for (&place, slope) in places.iter().zip(slopes) {
            self.out[place as usize] = T::from_f64(factor * slope);
        }
    }
}

/// Memory kept between columns.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub order: Order,
    /// Positions in ascending order of the values.
    pub places: Vec<u32>,
    /// The values in that order, and what is made of them.
    pub sorted: Vec<f64>,
    pub first: Vec<f64>,
    pub second: Vec<f64>,
    pub third: Vec<f64>,
}

/// The empirical distribution function around a sorted point: below it, at it, 1 less either, and its weight.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub before: f64,
    pub after: f64,
    pub before_rest: f64,
    pub after_rest: f64,
    pub weight: f64,
}

impl Step {
    /// Number `k` of `n` equal ones, with 1/n. Upper tails are multiples of it, too: 1 − k/n has lost digits of them.
    pub(crate) fn equal(k: usize, n: usize, each: f64) -> Self {
        // n·(1/n) need not be 1, and what lies at the end of the line is taken differently.
        let part = |k: usize| if k == n { 1.0 } else { k as f64 * each };
        let (before, after) = (part(k), part(k + 1));
        Self { before, after, before_rest: part(n - k), after_rest: part(n - k - 1), weight: each }
    }

    /// Middle of the step.
    pub(crate) fn middle(&self) -> f64 {
        0.5 * (self.before + self.after)
    }

    /// 1 less the middle.
    pub(crate) fn middle_rest(&self) -> f64 {
        0.5 * (self.before_rest + self.after_rest)
    }
}

impl Scratch {
    /// Sorts the column into `places` and `sorted`.
    pub(crate) fn sort<T: Compute>(&mut self, y: &[T]) {
        self.order.sort(y, &mut self.places, &mut self.sorted);
    }

    /// `first` and `second`: distribution function and density of the target at the sorted points, which are of type `T`.
    pub(crate) fn distribution<T: Compute>(&mut self, target: Option<&dyn Target>) {
        let n = self.sorted.len();
        self.first.resize(n, 0.0);
        self.second.resize(n, 0.0);
        let Some(target) = target else {
            return normal::distribution::<T>(&self.sorted, &mut self.first, &mut self.second);
        };
        for ((&x, cdf), pdf) in self.sorted.iter().zip(&mut self.first).zip(&mut self.second) {
            (*cdf, *pdf) = (target.cdf(x), target.pdf(x));
        }
    }
}

/// The steps of the empirical distribution function at the sorted points, given the weights of the points in that order.
/// Equal weights give multiples of 1/n, others a compensated sum.
pub(crate) fn steps<'a>(
    places: &'a [u32],
    weights: Option<&'a [f64]>,
) -> impl ExactSizeIterator<Item = (usize, Step)> + use<'a> {
    let n = places.len();
    let each = 1.0 / n as f64;
    let mut sum = Sum::default();
    // Where the last point that counts is: what lies beyond has no part of what rounding left.
    let last =
        weights.map_or(n, |weights| places.iter().rposition(|&k| weights[k as usize] > 0.0).unwrap_or(0));
    places.iter().enumerate().map(move |(k, &place)| {
        let place = place as usize;
        let step = match weights {
            None => Step::equal(k, n, each),
            Some(weights) => {
                let (weight, before) = (weights[place], if k > last { 1.0 } else { sum.value() });
                sum.add(weight);
                // Rounding must not leave the last step short of 1 or beyond it.
                let after = if k >= last { 1.0 } else { sum.value().min(1.0) };
                let before = before.min(after);
                Step { before, after, before_rest: 1.0 - before, after_rest: 1.0 - after, weight }
            }
        };
        (place, step)
    })
}
