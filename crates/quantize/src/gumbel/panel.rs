//! Logits of a panel of rows, block by block of codes, and products with the blocks.

use ndarray::s;
use pulp::Simd;
use variata_distributions::lanes::{Compute, array, tile};

use super::noise;
use super::{GumbelSoftmax, Noise};
use crate::pack::{BLOCK, Mixture, ROWS, lanes};

/// A number per row of a panel, for each code of a block.
pub(crate) type Tile<T> = [[T; ROWS]; BLOCK];

/// What turns scores into logits and logits into weights.
pub(crate) struct Logits<'a, T> {
    pub(crate) mixture: &'a Mixture<T>,
    pub(crate) noise: Noise<'a, T>,
    /// Logit per noise: in units in which neither overflows.
    beta: T,
    /// Exponent per logit.
    pub(crate) kappa: T,
    /// Logits of this kind per logit of the formula.
    pub(crate) unit: f64,
}

impl<'a, T: Compute> Logits<'a, T> {
    pub(crate) fn new(options: &GumbelSoftmax, mixture: &'a Mixture<T>, noise: Noise<'a, T>) -> Self {
        // −‖z − e‖² is −2·score/scale² but for what is the same for all codes.
        let unit = mixture.packed.scale.to_f64().powi(2);
        let kappa = finite::<T>(1.0 / (options.temperature * unit));
        Self { mixture, noise, beta: T::from_f64(unit), kappa: T::from_f64(kappa), unit }
    }

    /// Logits of a panel for block `b`, whose first row is row `row` of the batch; how many codes the block has.
    #[inline(always)]
    pub(crate) fn block<V: Simd, const J: usize>(
        &self,
        simd: V,
        panel: &[T],
        row: usize,
        b: usize,
        out: &mut Tile<T>,
    ) -> usize {
        let packed = &self.mixture.packed;
        let inside = self.mixture.block(b).0;
        let bias = packed.bias[b * BLOCK..].as_chunks::<J>().0;
        scores::<T, V, J>(simd, panel, &packed.data[b * BLOCK * packed.depth..], bias, inside, out);
        let (alpha, beta) = (T::from_f64(-2.0), self.beta);
        match self.noise {
            Noise::None => out[..inside].as_flattened_mut().iter_mut().for_each(|x| *x = alpha * *x),
            Noise::Seeded { seed, first_row } => {
                for (pair, out) in out[..inside].chunks_mut(2).enumerate() {
                    let first = first_row.wrapping_add(row as u64);
                    let noise = noise::pair::<T>(seed, first, (b * BLOCK / 2 + pair) as u32);
                    for (out, noise) in out.iter_mut().zip(&noise) {
                        out.iter_mut().zip(noise).for_each(|(x, g)| *x = alpha * *x + beta * *g);
                    }
                }
            }
            Noise::Given(noise) => {
                for (k, out) in out[..inside].iter_mut().enumerate() {
                    let rows = row..noise.nrows().min(row + ROWS);
                    for x in out.iter_mut() {
                        *x = alpha * *x;
                    }
                    let given = out.iter_mut().zip(noise.slice(s![rows, b * BLOCK + k]));
                    given.for_each(|(x, g)| *x = *x + beta * *g);
                }
            }
        }
        inside
    }
}

/// No more than what a factor may be for 0 times it to stay 0: with small τ a difference is 0 or leaves no weight.
pub(crate) fn finite<T: Compute>(factor: f64) -> f64 {
    factor.min(if T::SINGLE { 1e37 } else { 1e300 })
}

/// bias − z·e of a panel for the first `inside` codes of `data`.
#[inline(always)]
pub(crate) fn scores<T: Compute, V: Simd, const J: usize>(
    simd: V,
    panel: &[T],
    data: &[T],
    bias: &[[T; J]],
    inside: usize,
    out: &mut Tile<T>,
) {
    let lanes = lanes::<T, V>();
    let group = panel.len() / ROWS * J;
    let groups = inside.div_ceil(J);
    for first in (0..ROWS).step_by(2 * lanes) {
        let parts = data.chunks_exact(group).zip(bias).take(groups).zip(out.chunks_mut(J));
        for ((codes, bias), out) in parts {
            let start: [_; J] = array(|j| [T::splat(simd, bias[j]); 2]);
            let found = tile::<T, V, ROWS, J>(simd, (panel, first), codes, start);
            for (out, found) in out.iter_mut().zip(found) {
                T::vectors_mut::<V>(&mut out[first..])[..2].copy_from_slice(&found);
            }
        }
    }
}

/// sums[d][row] += Σₖ weights[k][row]·e[k][d]; `codes` is [group of dimensions][code][J].
#[inline(always)]
pub(crate) fn mix<T: Compute, V: Simd, const J: usize>(
    simd: V,
    weights: &[[T; ROWS]],
    codes: &[T],
    sums: &mut [[T; ROWS]],
) {
    let lanes = lanes::<T, V>();
    let weights = weights.as_flattened();
    let group = weights.len() / ROWS * J;
    for first in (0..ROWS).step_by(2 * lanes) {
        for (codes, sums) in codes.chunks_exact(group.max(1)).zip(sums.as_chunks_mut::<J>().0) {
            let start: [_; J] = array(|j| {
                let sums = T::vectors::<V>(&sums[j][first..]);
                [sums[0], sums[1]]
            });
            let found = tile::<T, V, ROWS, J>(simd, (weights, first), codes, start);
            for (sums, found) in sums.iter_mut().zip(found) {
                T::vectors_mut::<V>(&mut sums[first..])[..2].copy_from_slice(&found);
            }
        }
    }
}
