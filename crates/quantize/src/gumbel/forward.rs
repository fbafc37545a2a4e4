//! The weighted sums of codes, by an online softmax.

use ndarray::{Array1, Array2, ArrayRef2};
use pulp::{Arch, Simd, WithSimd};
use variata_distributions::lanes::{Compute, NARROW, STEP, Sample};

use super::panel::{Logits, Tile, mix};
use super::{GumbelSoftmax, Noise, SoftQuantized};
use crate::codebook::Codebook;
use crate::error::Error;
use crate::pack::{BLOCK, ROWS, lanes};
use crate::search::Blocks;

/// Outputs of a task.
struct Output<'o, T> {
    soft: &'o mut [T],
    mixture: &'o mut [T],
    indices: &'o mut [usize],
    largest: &'o mut [T],
    sums: &'o mut [f64],
    /// Whether a row was too far away.
    far: &'o mut Option<usize>,
}

pub(crate) fn run<S: Sample<Compute = T>, T: Compute>(
    options: &GumbelSoftmax,
    codebook: &Codebook<T>,
    z: &ArrayRef2<S>,
    noise: Noise<'_, T>,
) -> Result<SoftQuantized<T>, Error> {
    let (rows, depth) = z.dim();
    let codes = codebook.count();
    let blocks = Blocks::new(codebook, "z", z)?;
    let mut soft = vec![T::ZERO; rows * depth];
    let mut mixed = vec![T::ZERO; rows * depth];
    let mut indices = vec![0; rows];
    let mut largest = vec![T::ZERO; rows];
    let mut sums = vec![0.0; rows];
    let parts = blocks.split(&mut soft, depth);
    let mut far = vec![None; parts.len()];
    let outputs = parts
        .into_iter()
        .zip(blocks.split(&mut mixed, depth))
        .zip(blocks.split(&mut indices, 1))
        .zip(blocks.split(&mut largest, 1))
        .zip(blocks.split(&mut sums, 1))
        .zip(&mut far)
        .map(|(((((soft, mixture), indices), largest), sums), far)| Output {
            soft,
            mixture,
            indices,
            largest,
            sums,
            far,
        })
        .collect();
    let mixture = codebook.mixture();
    let logits = Logits::new(options, mixture, noise);
    blocks.each(outputs, |z, memory, first, out| {
        mixture.packed.rows(z, &mut memory.panels, &mut memory.norms);
        *out.far = memory.norms.iter().position(|n| !n.to_f64().is_finite()).map(|row| first + row);
        let mut panel = Online::new(mixture.width());
        for (p, values) in memory.panels.chunks_exact(ROWS * depth).enumerate() {
            let row = p * ROWS;
            Arch::new().dispatch(Step { panel: &mut panel, logits: &logits, values, row: first + row });
            let here = row..out.indices.len().min(row + ROWS);
            for (r, row) in here.enumerate() {
                out.indices[row] = panel.position[r].to_f64() as usize;
                (out.largest[row], out.sums[row]) = (panel.best[r], panel.sum[r]);
                let (factor, unit) = (1.0 / panel.sum[r], 1.0 / mixture.packed.scale.to_f64());
                let here = row * depth..(row + 1) * depth;
                let to = out.soft[here.clone()].iter_mut().zip(&mut out.mixture[here]);
                for (((soft, mixed), c), sums) in to.zip(&mixture.packed.centre).zip(&panel.mixed) {
                    let value = sums[r].to_f64() * factor;
                    *mixed = T::from_f64(value);
                    *soft = T::from_f64(c.to_f64() + value * unit);
                }
            }
        }
    })?;
    if let Some(row) = far.into_iter().flatten().next() {
        let value = z
            .row(row)
            .iter()
            .map(|v| v.compute().to_f64())
            .fold(0.0, |a: f64, v| if v.abs() > a.abs() { v } else { a });
        let must = "at most 1e18 (f64: 1e150) times the size of the codebook, or 1, from its mean";
        return Err(Error::Row { argument: "z", row, value, must });
    }
    let soft = Array2::from_shape_vec((rows, depth), soft).unwrap_or_default();
    let mixture = Array2::from_shape_vec((rows, depth), mixed).unwrap_or_default();
    let mut indices = Array1::from(indices);
    let sharp = options.temperature == 0.0;
    if !(options.hard || sharp) {
        return Ok(SoftQuantized { output: soft, indices, mixture, largest, sums, codes });
    }
    if matches!(noise, Noise::None) {
        indices = codebook.assign(z)?;
    }
    let output = codebook.decode(&indices)?;
    Ok(SoftQuantized { output, indices, mixture, largest, sums, codes })
}

/// A panel while blocks of codes go by.
struct Online<T> {
    tile: Box<Tile<T>>,
    /// Largest logit of each row, and its code.
    best: [T; ROWS],
    position: [T; ROWS],
    sum: [f64; ROWS],
    /// Weighted sums [dimension][row].
    mixed: Vec<[T; ROWS]>,
}

impl<T: Compute> Online<T> {
    fn new(width: usize) -> Self {
        Self {
            tile: Box::new([[T::ZERO; ROWS]; BLOCK]),
            best: [T::ZERO; ROWS],
            position: [T::ZERO; ROWS],
            sum: [0.0; ROWS],
            mixed: vec![[T::ZERO; ROWS]; width],
        }
    }
}

struct Step<'a, T> {
    panel: &'a mut Online<T>,
    logits: &'a Logits<'a, T>,
    values: &'a [T],
    row: usize,
}

impl<T: Compute> WithSimd for Step<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<V: Simd>(self, simd: V) {
        if self.logits.mixture.packed.step == STEP {
            self.run::<V, STEP>(simd);
        } else {
            self.run::<V, NARROW>(simd);
        }
    }
}

impl<T: Compute> Step<'_, T> {
    #[inline(always)]
    fn run<V: Simd, const J: usize>(self, simd: V) {
        let Online { tile, best, position, sum, mixed } = self.panel;
        let (mixture, kappa) = (self.logits.mixture, self.logits.kappa);
        *best = [T::from_f64(f64::NEG_INFINITY); ROWS];
        *sum = [0.0; ROWS];
        mixed.fill([T::ZERO; ROWS]);
        for b in 0..mixture.blocks() {
            let inside = self.logits.block::<V, J>(simd, self.values, self.row, b, tile);
            let before = *best;
            largest::<T, V>(simd, &tile[..inside], &mixture.packed.numbers[b * BLOCK..], best, position);
            if b > 0 {
                let mut factors = [T::ONE; ROWS];
                let mut risen = false;
                for r in 0..ROWS {
                    factors[r] = ((before[r] - best[r]) * kappa).exp();
                    risen |= best[r] > before[r];
                    sum[r] *= factors[r].to_f64();
                }
                if risen {
                    for sums in mixed.iter_mut() {
                        sums.iter_mut().zip(&factors).for_each(|(sum, f)| *sum = *sum * *f);
                    }
                }
            }
            let mut total = [T::ZERO; ROWS];
            for x in &mut tile[..inside] {
                for r in 0..ROWS {
                    x[r] = ((x[r] - best[r]) * kappa).exp();
                    total[r] = total[r] + x[r];
                }
            }
            sum.iter_mut().zip(&total).for_each(|(sum, total)| *sum += total.to_f64());
            mix::<T, V, J>(simd, &tile[..inside], mixture.block(b).1, mixed);
        }
    }
}

/// The largest logit of each row so far, and its code's number.
#[inline(always)]
fn largest<T: Compute, V: Simd>(
    simd: V,
    tile: &[[T; ROWS]],
    numbers: &[T],
    best: &mut [T; ROWS],
    position: &mut [T; ROWS],
) {
    let lanes = lanes::<T, V>();
    for first in (0..ROWS).step_by(2 * lanes) {
        let best = T::vectors_mut::<V>(&mut best[first..]);
        let position = T::vectors_mut::<V>(&mut position[first..]);
        let (mut most, mut which) = ([best[0], best[1]], [position[0], position[1]]);
        for (x, number) in tile.iter().zip(numbers) {
            let (x, number) = (T::vectors::<V>(&x[first..]), T::splat(simd, *number));
            for i in 0..2 {
                which[i] = T::where_less(simd, (most[i], x[i]), number, which[i]);
                most[i] = T::max(simd, most[i], x[i]);
            }
        }
        best[..2].copy_from_slice(&most);
        position[..2].copy_from_slice(&which);
    }
}
