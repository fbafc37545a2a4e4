//! Gradients of the weighted sums of codes: the weights are made again, block by block.

use ndarray::{Array2, ArrayRef2, s};
use pulp::{Arch, Simd, WithSimd};
use variata_distributions::check;
use variata_distributions::lanes::{Compute, NARROW, STEP, Sample, array};

use super::panel::{Logits, Tile, finite, mix, scores};
use super::{GumbelSoftmax, Noise, SoftQuantized};
use crate::codebook::{Codebook, Metric, check_rows};
use crate::error::Error;
use crate::pack::{BLOCK, ROWS, lanes, task_rows};
use crate::search::Blocks;

/// Sums over rows are made in this many parts, which are added in order; fewer for few rows.
const PARTS: usize = 16;

/// Gradients of [`GumbelSoftmax::backward`].
#[derive(Debug, Clone, PartialEq)]
pub struct GumbelGrad<T> {
    /// In the vectors [N, D].
    pub z: Array2<T>,
    /// In the codes [K, D].
    pub codes: Array2<T>,
    /// In the temperature.
    pub temperature: f64,
}

/// Sums over the rows of a part.
struct Sums<T> {
    /// Σ wG + (2/τ)δ(z − c) [code][padded dimension].
    codes: Vec<T>,
    /// Σ δ of each code.
    slopes: Vec<f64>,
    temperature: f64,
}

pub(crate) fn run<S: Sample<Compute = T>, T: Compute>(
    options: &GumbelSoftmax,
    codebook: &Codebook<T>,
    z: &ArrayRef2<S>,
    noise: Noise<'_, T>,
    found: &SoftQuantized<T>,
    upstream: &ArrayRef2<T>,
) -> Result<GumbelGrad<T>, Error> {
    let (rows, depth) = z.dim();
    let count = codebook.count();
    if options.temperature == 0.0 {
        check::shape("z", z.shape(), &[rows, codebook.dim()])?;
        check_rows("z", z, Metric::SquaredEuclidean)?;
        let mut codes = Array2::<f64>::zeros((count, depth));
        for (row, (g, &k)) in upstream.rows().into_iter().zip(&found.indices).enumerate() {
            codebook.check_index("found", row, k)?;
            codes.row_mut(k).zip_mut_with(&g, |sum, g| *sum += g.to_f64());
        }
        let z = Array2::from_elem((rows, depth), T::ZERO);
        return Ok(GumbelGrad { z, codes: codes.mapv(T::from_f64), temperature: 0.0 });
    }
    let mixture = codebook.mixture();
    let logits = Logits::new(options, mixture, noise);
    let scale = mixture.packed.scale.to_f64();
    // (2/τ)/scale²: δ and z − c are in units of the panel.
    let slope = finite::<T>(2.0 / options.temperature / (scale * scale));
    let wide = depth.next_multiple_of(ROWS);
    let mut blocks = Blocks::new(codebook, "z", z)?;
    let parts = (4 * rows / count).clamp(4, PARTS);
    blocks.task = rows.div_ceil(parts).next_multiple_of(ROWS).max(ROWS);
    let mut grad = vec![T::ZERO; rows * depth];
    let outputs = blocks.split(&mut grad, depth);
    let mut sums: Vec<Option<Sums<T>>> = outputs.iter().map(|_| None).collect();
    let outputs = outputs.into_iter().zip(&mut sums).collect();
    blocks.each(outputs, |z, memory, first, (grad, to)| {
        let codes = vec![T::ZERO; mixture.blocks() * BLOCK * wide];
        let mut sums = Sums { codes, slopes: vec![0.0; count], temperature: 0.0 };
        let mut work = Work::new(mixture.width(), depth);
        let chunk = task_rows(depth) * depth;
        for (c, (z, grad)) in z.chunks(chunk).zip(grad.chunks_mut(chunk)).enumerate() {
            mixture.packed.rows(z, &mut memory.panels, &mut memory.norms);
            for (p, values) in memory.panels.chunks_exact(ROWS * depth).enumerate() {
                let start = c * task_rows(depth) + p * ROWS;
                let here =
                    first + start..(first + start + ROWS).min(first + c * task_rows(depth) + z.len() / depth);
                work.rows(
                    values,
                    &upstream.slice(s![here.clone(), ..]),
                    &found.mixture.slice(s![here.clone(), ..]),
                );
                let mut normal = [[T::ZERO; ROWS]; 3];
                // Rows that only fill the panel get no weight.
                normal[0] = [T::from_f64(1e30); ROWS];
                for (r, row) in here.clone().enumerate() {
                    normal[0][r] = found.largest[row];
                    normal[1][r] = T::from_f64(1.0 / found.sums[row]);
                    // What rounding leaves of h − Σ wh where one code has all the weight is not to be divided by τ.
                    let open = found.sums[row] - 1.0 > 0.125 * T::UNIT_ROUNDOFF;
                    normal[2][r] = if open { T::ONE } else { T::ZERO };
                }
                let step = Step {
                    work: &mut work,
                    sums: &mut sums,
                    logits: &logits,
                    values,
                    row: here.start,
                    normal,
                    slope,
                };
                Arch::new().dispatch(step);
                for (r, grad) in grad[p * ROWS * depth..].chunks_exact_mut(depth).take(here.len()).enumerate()
                {
                    // Σ δ is 0: what rounding left of it takes the same part of every dimension along.
                    let (rest, mixture) = (work.rest[r].to_f64(), found.mixture.row(here.start + r));
                    for ((to, sums), m) in grad.iter_mut().zip(&work.mixed).zip(mixture) {
                        *to = T::from_f64((sums[r].to_f64() - rest * m.to_f64()) * slope);
                    }
                }
            }
        }
        *to = Some(sums);
    })?;
    let mut codes = Array2::<f64>::zeros((count, depth));
    let mut slopes = vec![0.0; count];
    let mut temperature = 0.0;
    for part in sums.into_iter().flatten() {
        for (mut to, from) in codes.rows_mut().into_iter().zip(part.codes.chunks_exact(wide)) {
            to.iter_mut().zip(from).for_each(|(to, v)| *to += v.to_f64());
        }
        slopes.iter_mut().zip(&part.slopes).for_each(|(to, v)| *to += v);
        temperature += part.temperature;
    }
    for ((k, mut to), total) in codes.rows_mut().into_iter().enumerate().zip(&slopes) {
        for (d, to) in to.iter_mut().enumerate() {
            // The packed element is negated.
            *to += slope * total * mixture.packed.element(k, d).to_f64();
        }
    }
    let z = Array2::from_shape_vec((rows, depth), grad).unwrap_or_default();
    // Σ δ·logit is 0 at both ends of the temperatures, where the factor is not finite.
    let temperature = if temperature == 0.0 || options.temperature.is_infinite() {
        0.0
    } else {
        -temperature / (scale * logits.unit) / options.temperature / options.temperature
    };
    Ok(GumbelGrad { z, codes: codes.mapv(T::from_f64), temperature })
}

/// Buffers of a panel.
struct Work<T> {
    /// Logits, then weights; h, then δ.
    weights: Box<Tile<T>>,
    slopes: Box<Tile<T>>,
    /// G in a panel [dimension][row], and with z [panel of dimensions][row][dimension].
    upstream: Vec<T>,
    by_rows: [Vec<[T; ROWS]>; 2],
    /// Σ wh of each row.
    means: [T; ROWS],
    /// Σ δ of each row.
    rest: [T; ROWS],
    /// Σ δe [dimension][row].
    mixed: Vec<[T; ROWS]>,
}

impl<T: Compute> Work<T> {
    fn new(width: usize, depth: usize) -> Self {
        let zero = [T::ZERO; ROWS];
        let by_rows = vec![zero; depth.div_ceil(ROWS) * ROWS];
        Self {
            weights: Box::new([zero; BLOCK]),
            slopes: Box::new([zero; BLOCK]),
            upstream: vec![T::ZERO; depth * ROWS],
            by_rows: [by_rows.clone(), by_rows],
            means: zero,
            rest: zero,
            mixed: vec![zero; width],
        }
    }

    /// Takes in the rows of a panel.
    fn rows(
        &mut self,
        values: &[T],
        upstream: &ndarray::ArrayView2<'_, T>,
        mixture: &ndarray::ArrayView2<'_, T>,
    ) {
        self.upstream.fill(T::ZERO);
        self.means = [T::ZERO; ROWS];
        for (d, z) in values.as_chunks::<ROWS>().0.iter().enumerate() {
            for (r, z) in z.iter().enumerate() {
                let at = d / ROWS * ROWS + r;
                let g = if r < upstream.nrows() { upstream[[r, d]] } else { T::ZERO };
                self.upstream[d * ROWS + r] = g;
                self.by_rows[0][at][d % ROWS] = g;
                self.by_rows[1][at][d % ROWS] = *z;
            }
        }
        for (r, (g, m)) in upstream.rows().into_iter().zip(mixture.rows()).enumerate() {
            let mean: f64 = g.iter().zip(&m).map(|(g, m)| g.to_f64() * m.to_f64()).sum();
            self.means[r] = T::from_f64(mean);
        }
    }
}

struct Step<'a, T> {
    work: &'a mut Work<T>,
    sums: &'a mut Sums<T>,
    logits: &'a Logits<'a, T>,
    values: &'a [T],
    row: usize,
    /// Of each row the largest logit, one over its sum of exponentials, and 1 if a second code has weight, otherwise 0.
    normal: [[T; ROWS]; 3],
    slope: f64,
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
        let Work { weights, slopes, upstream, by_rows, means, rest, mixed } = self.work;
        *rest = [T::ZERO; ROWS];
        let (mixture, kappa) = (self.logits.mixture, self.logits.kappa);
        let packed = &mixture.packed;
        let [largest, inverse, open] = self.normal;
        let slope = T::from_f64(self.slope);
        mixed.fill([T::ZERO; ROWS]);
        let none = [[T::ZERO; J]; BLOCK];
        let wide = packed.depth.next_multiple_of(ROWS);
        let mut temperature = [0.0; ROWS];
        for b in 0..mixture.blocks() {
            let inside = self.logits.block::<V, J>(simd, self.values, self.row, b, weights);
            // −G·e.
            scores::<T, V, J>(
                simd,
                upstream,
                &packed.data[b * BLOCK * packed.depth..],
                &none,
                inside,
                slopes,
            );
            let mut along = [T::ZERO; ROWS];
            for (k, (w, h)) in weights[..inside].iter_mut().zip(slopes[..inside].iter_mut()).enumerate() {
                for r in 0..ROWS {
                    let gap = w[r] - largest[r];
                    w[r] = (gap * kappa).exp() * inverse[r];
                    h[r] = T::ZERO - w[r] * open[r] * (h[r] + means[r]);
                    along[r] = along[r] + h[r] * gap;
                    rest[r] = rest[r] + h[r];
                }
                self.sums.slopes[b * BLOCK + k] += total(h);
            }
            temperature.iter_mut().zip(&along).for_each(|(to, v)| *to += v.to_f64());
            mix::<T, V, J>(simd, &slopes[..inside], mixture.block(b).1, mixed);
            for h in slopes[..inside].as_flattened_mut() {
                *h = *h * slope;
            }
            let codes = &mut self.sums.codes[b * BLOCK * wide..(b + 1) * BLOCK * wide];
            outer::<T, V, J>(simd, [weights, slopes], by_rows, inside, codes);
        }
        self.sums.temperature += temperature.iter().sum::<f64>();
    }
}

/// The sum over the rows of a panel, in f64: in f32 slopes of opposite signs may overflow before they meet.
#[inline(always)]
fn total<T: Compute>(values: &[T; ROWS]) -> f64 {
    let mut sums = [0.0; 8];
    for values in values.as_chunks::<8>().0 {
        sums.iter_mut().zip(values).for_each(|(sum, v)| *sum += v.to_f64());
    }
    let pairs = [sums[0] + sums[4], sums[1] + sums[5], sums[2] + sums[6], sums[3] + sums[7]];
    (pairs[0] + pairs[2]) + (pairs[1] + pairs[3])
}

/// codes[k][d] += Σ over rows of both factors[k][row]·values[row][d], which are [panel of dimensions][row][dimension].
#[inline(always)]
fn outer<T: Compute, V: Simd, const J: usize>(
    simd: V,
    factors: [&Tile<T>; 2],
    values: &[Vec<[T; ROWS]>; 2],
    inside: usize,
    codes: &mut [T],
) {
    let lanes = lanes::<T, V>();
    let wide = values[0].len();
    for (group, codes) in codes.chunks_exact_mut(J * wide).take(inside.div_ceil(J)).enumerate() {
        for d in (0..wide).step_by(2 * lanes) {
            let mut acc: [_; J] = array(|j| {
                let sums = T::vectors::<V>(&codes[j * wide + d..j * wide + d + 2 * lanes]);
                [sums[0], sums[1]]
            });
            for (factors, values) in factors.iter().zip(values) {
                let Some(factors) = factors[group * J..].first_chunk::<J>() else { continue };
                let panel = d / ROWS * ROWS;
                for (r, values) in values[panel..panel + ROWS].iter().enumerate() {
                    let v = T::vectors::<V>(&values[d % ROWS..]);
                    let (a, b) = (v[0], v[1]);
                    for j in 0..J {
                        let f = T::splat(simd, factors[j][r]);
                        acc[j][0] = T::mul_add(simd, a, f, acc[j][0]);
                        acc[j][1] = T::mul_add(simd, b, f, acc[j][1]);
                    }
                }
            }
            for (j, acc) in acc.iter().enumerate() {
                let at = j * wide + d;
                T::vectors_mut::<V>(&mut codes[at..at + 2 * lanes])[..2].copy_from_slice(acc);
            }
        }
    }
}

/// Hands to `f` every row with (largest logit − logit)/τ of all its codes; rows in order.
///
/// The quotients are made in f64; at τ = 0 they are 0 for the row's code and ∞ for the others.
pub(crate) fn visit<S: Sample<Compute = T>, T: Compute>(
    options: &GumbelSoftmax,
    codebook: &Codebook<T>,
    z: &ArrayRef2<S>,
    noise: Noise<'_, T>,
    found: &SoftQuantized<T>,
    mut f: impl FnMut(usize, &[f64]),
) {
    let mixture = codebook.mixture();
    let (depth, count) = (codebook.dim(), codebook.count());
    let logits = Logits::new(options, mixture, noise);
    let unit = logits.unit;
    let (mut panels, mut norms) = (Vec::new(), Vec::new());
    let mut tile = Box::new([[T::ZERO; ROWS]; BLOCK]);
    let mut below = vec![0.0; ROWS.min(z.nrows()) * count];
    for (start, part) in (0..).step_by(ROWS).zip(z.axis_chunks_iter(ndarray::Axis(0), ROWS)) {
        let rows: Vec<S> = part.iter().copied().collect();
        mixture.packed.rows(&rows, &mut panels, &mut norms);
        let here = found.largest[start..].iter().zip(&found.indices.as_slice().unwrap_or_default()[start..]);
        for b in 0..mixture.blocks() {
            let block = Block { logits: &logits, values: &panels, row: start, b, tile: &mut tile };
            let inside = Arch::new().dispatch(block);
            for (r, (below, (largest, &index))) in below.chunks_exact_mut(count).zip(here.clone()).enumerate()
            {
                let below = below[b * BLOCK..][..inside].iter_mut().zip(tile.iter());
                for (k, (to, logits)) in (b * BLOCK..).zip(below) {
                    *to = match options.temperature {
                        0.0 if k == index => 0.0,
                        0.0 => f64::INFINITY,
                        tau => (largest.to_f64() - logits[r].to_f64()) / unit / tau,
                    };
                }
            }
        }
        for (row, below) in (start..).zip(below.chunks_exact(count).take(rows.len() / depth)) {
            f(row, below);
        }
    }
}

/// Makes the logits of a block.
struct Block<'a, T> {
    logits: &'a Logits<'a, T>,
    values: &'a [T],
    row: usize,
    b: usize,
    tile: &'a mut Tile<T>,
}

impl<T: Compute> WithSimd for Block<'_, T> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<V: Simd>(self, simd: V) -> usize {
        let Self { logits, values, row, b, tile } = self;
        if logits.mixture.packed.step == STEP {
            logits.block::<V, STEP>(simd, values, row, b, tile)
        } else {
            logits.block::<V, NARROW>(simd, values, row, b, tile)
        }
    }
}
