//! Two blocks of points: their pairs' kernel, and what it gives to the gradients of both.

use ndarray::ArrayViewMut2;
use pulp::{Simd, WithSimd};
use variata_distributions::lanes::array;

/// Points of a block.
pub(crate) const PANEL: usize = 32;
/// Points of one block that share what is loaded of the other.
const ROWS: usize = 4;
/// Vectors of sums for each of [`ROWS`], which stay in 16 registers with what they are made from.
const TOGETHER: usize = 2;
/// Numbers of a cache line.
const LINE: usize = 8;
/// Points of which a dimension lies together: as many as the longest vectors take at once.
const HALF: usize = 2 * LINE;
/// Dimensions that are gone through together: of both blocks they stay in the first-level cache.
const DEPTH: usize = 64;
/// From so many dimensions on products are taken. Below, many pairs are too close for them, and the kernel takes the time.
const PRODUCTS_FROM: usize = 8;
/// A squared distance below this share of ‖x‖² + ‖y‖² is found from differences: products have lost more than 6 of its bits.
const CLOSE: f64 = 1.0 / 64.0;

/// A number for each point of a panel.
pub(crate) type Pairs = [f64; PANEL];
/// From the beginning of a cache line: a vector that lies in two takes twice the time.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line<T>(T);
/// Some dimensions of a point.
type Numbers = Line<[f64; LINE]>;
/// A number for each pair of two blocks.
type Square = [Line<Pairs>; PANEL];

/// Up to [`PANEL`] points about the centre, padded with zeros.
pub(super) struct Block {
    pub(super) sample: usize,
    pub(super) points: usize,
    /// [dimensions][HALF] of each half.
    columns: [Vec<Line<[f64; HALF]>>; PANEL / HALF],
    /// The points' numbers by lines of them, [lines][PANEL]: what is read together lies together.
    lines: Vec<Numbers>,
    /// ‖x‖².
    norms: Pairs,
}

impl Block {
    /// Of contiguous rows.
    pub(super) fn new(sample: usize, rows: &[f64], centre: &[f64]) -> Self {
        let depth = centre.len();
        let mut columns = [(); PANEL / HALF].map(|()| vec![Line([0.0; HALF]); depth]);
        let (mut lines, mut norms) = (zeros(depth), [0.0; PANEL]);
        for ((first, centre), lines) in
            (0..).step_by(LINE).zip(centre.chunks(LINE)).zip(lines.chunks_exact_mut(PANEL))
        {
            for ((row, to), norm) in rows.chunks_exact(depth).zip(lines.iter_mut()).zip(&mut norms) {
                for ((to, v), c) in to.0.iter_mut().zip(&row[first..]).zip(centre) {
                    *to = v - c;
                }
                *norm += total(to.0.map(|v| v * v));
            }
            for (columns, lines) in columns.iter_mut().zip(lines.as_chunks::<HALF>().0) {
                for (k, column) in columns[first..].iter_mut().enumerate().take(LINE) {
                    column.0 = std::array::from_fn(|i| lines[i].0[k]);
                }
            }
        }
        Self { sample, points: rows.len() / depth, columns, lines, norms }
    }

    pub(super) fn depth(&self) -> usize {
        self.columns[0].len()
    }
}

/// For the numbers of a block.
fn zeros(depth: usize) -> Vec<Numbers> {
    vec![Line([0.0; LINE]); depth.div_ceil(LINE) * PANEL]
}

/// What a block's gradient is made of: with c = −w k′, Σ c and Σ c·y over all pairs so far; those from differences are Σ c·(y − x) at once.
pub(super) struct Slopes {
    coefficients: Pairs,
    /// As those of the block.
    lines: Vec<Numbers>,
}

impl Slopes {
    pub(super) fn new(wanted: bool, depth: usize) -> Self {
        Self { coefficients: [0.0; PANEL], lines: zeros(if wanted { depth } else { 0 }) }
    }

    /// The gradient in the points of a block.
    pub(super) fn gradient(&self, block: &Block, mut to: ArrayViewMut2<'_, f64>) {
        for (i, (mut to, c)) in to.rows_mut().into_iter().zip(self.coefficients).enumerate() {
            for (d, to) in to.iter_mut().enumerate() {
                let at = d / LINE * PANEL + i;
                // A pair is in the double sum twice, and ∇‖x‖² is 2x.
                *to = 4.0 * (self.lines[at].0[d % LINE] - c * block.lines[at].0[d % LINE]);
            }
        }
    }
}

/// The pairs of two blocks: their sum, and slopes for those of both that are given.
pub(super) struct Task<'a, K> {
    pub(super) x: &'a Block,
    pub(super) y: &'a Block,
    /// Of `x`, and of `y` where that is another.
    pub(super) slopes: [Option<&'a mut Slopes>; 2],
    pub(super) weight: f64,
    pub(super) kernel: &'a K,
}

impl<K: Fn(&Pairs) -> (Pairs, Pairs)> WithSimd for Task<'_, K> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<V: Simd>(self, simd: V) -> f64 {
        let Self { x, y, slopes: [mut of_x, mut of_y], weight, kernel } = self;
        let itself = std::ptr::eq(x, y);
        // Squared distances, and after the kernel coefficients.
        let mut pairs: Square = [Line([0.0; PANEL]); PANEL];
        let mut apart = [false; PANEL / ROWS];
        if x.depth() >= PRODUCTS_FROM {
            over_dimensions::<V, true>(simd, x, y, [true; _], &mut pairs);
            for (i, pairs) in pairs.iter_mut().enumerate() {
                let mut far = true;
                if itself {
                    // Not close, and 0 below.
                    pairs.0[i] = 0.0;
                }
                for (pair, norm) in pairs.0.iter_mut().zip(&y.norms) {
                    let both = x.norms[i] + norm;
                    *pair = both - 2.0 * *pair;
                    far &= *pair >= CLOSE * both;
                }
                if itself {
                    pairs.0[i] = 0.0;
                }
                apart[i / ROWS] = (i % ROWS == 0 || apart[i / ROWS]) && far;
            }
        }
        over_dimensions::<V, false>(simd, x, y, apart.map(|apart| !apart), &mut pairs);
        let wanted = of_x.is_some() || of_y.is_some();
        let mut sums = [0.0; LINE];
        for (i, pairs) in pairs[..x.points].iter_mut().enumerate() {
            let (mut values, slopes) = kernel(&pairs.0);
            values[y.points..].fill(0.0);
            for values in values.as_chunks::<LINE>().0 {
                sums.iter_mut().zip(values).for_each(|(sum, v)| *sum += v);
            }
            if wanted {
                pairs.0.iter_mut().zip(slopes).for_each(|(to, slope)| *to = -weight * slope);
                pairs.0[y.points..].fill(0.0);
                if itself {
                    // That of x − x, which products would leave a rounding of.
                    pairs.0[i] = 0.0;
                }
            }
        }
        if wanted {
            pairs[x.points..].fill(Line([0.0; PANEL]));
            for group in (0..PANEL / ROWS).filter(|&group| !apart[group]) {
                add_differences(x, y, group, &pairs, [&mut of_x, &mut of_y]);
                pairs[group * ROWS..][..ROWS].fill(Line([0.0; PANEL]));
            }
            let apart = apart.contains(&true);
            if let Some(slopes) = of_x.filter(|_| apart) {
                add_products(simd, |i, k| pairs[i].0[k], y, slopes);
            }
            if let Some(slopes) = of_y.filter(|_| apart) {
                add_products(simd, |i, k| pairs[k].0[i], x, slopes);
            }
        }
        total(sums)
    }
}

/// For each point of `x` in the groups that are wanted and each of `y`: their product, or their squared distance from the differences themselves.
#[inline(always)]
fn over_dimensions<V: Simd, const PRODUCT: bool>(
    simd: V,
    x: &Block,
    y: &Block,
    groups: [bool; PANEL / ROWS],
    to: &mut Square,
) {
    for (group, to) in to.as_chunks_mut::<ROWS>().0.iter_mut().enumerate() {
        if groups[group] {
            to.fill(Line([0.0; PANEL]));
        }
    }
    for from in (0..x.depth()).step_by(DEPTH) {
        for (half, y) in y.columns.iter().enumerate() {
            for group in (0..PANEL / ROWS).filter(|&group| groups[group]) {
                let (first, x) = (group * ROWS % HALF, &x.columns[group * ROWS / HALF]);
                let both = x[from..].iter().zip(&y[from..]).take(DEPTH);
                let to = &mut to[group * ROWS..][..ROWS];
                for part in (0..HALF).step_by(TOGETHER * V::F64_LANES) {
                    let at = half * HALF + part;
                    let mut sums: [[V::f64s; TOGETHER]; ROWS] =
                        array(|r| vectors::<V, TOGETHER>(&to[r].0[at..]));
                    for (x, y) in both.clone() {
                        let (x, y) = (&x.0[first..][..ROWS], vectors::<V, TOGETHER>(&y.0[part..]));
                        for r in 0..ROWS {
                            let x = simd.splat_f64s(x[r]);
                            for k in 0..TOGETHER {
                                sums[r][k] = if PRODUCT {
                                    simd.mul_add_e_f64s(x, y[k], sums[r][k])
                                } else {
                                    let gap = simd.sub_f64s(x, y[k]);
                                    simd.mul_add_e_f64s(gap, gap, sums[r][k])
                                };
                            }
                        }
                    }
                    for (to, sums) in to.iter_mut().zip(&sums) {
                        V::as_mut_simd_f64s(&mut to.0[at..]).0[..TOGETHER].copy_from_slice(sums);
                    }
                }
            }
        }
    }
}

/// Coefficients c(i, k) of the other block's points k added to Σ c and Σ c·y of each point i.
#[inline(always)]
fn add_products<V: Simd>(simd: V, c: impl Fn(usize, usize) -> f64, other: &Block, slopes: &mut Slopes) {
    for (i, to) in slopes.coefficients.iter_mut().enumerate() {
        *to += (0..PANEL).fold(0.0, |sum, k| sum + c(i, k));
    }
    let all = other.lines.len() / PANEL * (LINE / V::F64_LANES);
    for first in (0..all).step_by(TOGETHER) {
        if first + TOGETHER <= all {
            add_vectors::<V, TOGETHER>(simd, &c, other, first, &mut slopes.lines);
        } else {
            add_vectors::<V, 1>(simd, &c, other, first, &mut slopes.lines);
        }
    }
}

/// The same for K vectors of each point.
#[inline(always)]
fn add_vectors<V: Simd, const K: usize>(
    simd: V,
    c: impl Fn(usize, usize) -> f64,
    other: &Block,
    first: usize,
    to: &mut [Numbers],
) {
    let per_line = LINE / V::F64_LANES;
    let (line, part): ([usize; K], [usize; K]) =
        (array(|v| (first + v) / per_line * PANEL), array(|v| (first + v) % per_line * V::F64_LANES));
    let others: [&[Numbers]; K] = array(|v| &other.lines[line[v]..][..other.points]);
    for group in (0..PANEL).step_by(ROWS) {
        let mut sums: [[V::f64s; K]; ROWS] =
            array(|r| array(|v| vectors::<V, 1>(&to[line[v] + group + r].0[part[v]..])[0]));
        for k in (0..PANEL).take(other.points) {
            let y: [V::f64s; K] = array(|v| vectors::<V, 1>(&others[v][k].0[part[v]..])[0]);
            for (r, sums) in sums.iter_mut().enumerate() {
                let c = simd.splat_f64s(c(group + r, k));
                for v in 0..K {
                    sums[v] = simd.mul_add_e_f64s(c, y[v], sums[v]);
                }
            }
        }
        for r in 0..ROWS {
            for v in 0..K {
                V::as_mut_simd_f64s(&mut to[line[v] + group + r].0[part[v]..]).0[0] = sums[r][v];
            }
        }
    }
}

/// The same for a group of points of `x` from differences, for both sides.
#[inline(always)]
fn add_differences(
    x: &Block,
    y: &Block,
    group: usize,
    c: &Square,
    [of_x, of_y]: [&mut Option<&mut Slopes>; 2],
) {
    for d in 0..x.depth() {
        let (line, place) = (d / LINE * PANEL, d % LINE);
        let mut to_y = [[0.0; LINE]; PANEL / LINE];
        for i in group * ROWS..(group + 1) * ROWS {
            let here = x.columns[i / HALF][d].0[i % HALF];
            let mut to_x = [0.0; LINE];
            let others = y.columns.iter().flat_map(|half| half[d].0.as_chunks::<LINE>().0);
            for ((other, c), to_y) in others.zip(c[i].0.as_chunks::<LINE>().0).zip(&mut to_y) {
                for k in 0..LINE {
                    let term = c[k] * (here - other[k]);
                    to_x[k] -= term;
                    to_y[k] += term;
                }
            }
            if let Some(slopes) = of_x {
                slopes.lines[line + i].0[place] += total(to_x);
            }
        }
        if let Some(slopes) = of_y {
            let to = slopes.lines[line..].iter_mut().zip(to_y.as_flattened());
            to.for_each(|(to, term)| to.0[place] += term);
        }
    }
}

/// Of all lanes.
#[inline(always)]
fn total([a, b, c, d, e, f, g, h]: [f64; LINE]) -> f64 {
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

/// The first vectors of a slice that has as many.
#[inline(always)]
fn vectors<V: Simd, const K: usize>(slice: &[f64]) -> [V::f64s; K] {
    let vectors = V::as_simd_f64s(&slice[..K * V::F64_LANES]).0;
    array(|k| vectors[k])
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use pulp::{Arch, Scalar};

    use super::*;

    #[test]
    fn vectors_of_any_length_give_the_same_sums() {
        // A block and an incomplete one; far apart, so that products are taken, but for two points.
        for depth in [5, 9, 70] {
            let value = |(i, d): (usize, usize)| ((i * 37 + d * 59 + 11) % 101) as f64 * 0.03 - 1.5;
            let x = Array2::from_shape_fn((PANEL, depth), value);
            let mut y = Array2::from_shape_fn((7, depth), |(i, d)| value((i + 50, d)));
            y.row_mut(3).assign(&x.row(6));
            let [x, y] = [(0, &x), (1, &y)]
                .map(|(k, points)| Block::new(k, points.as_slice().unwrap(), &vec![0.0; depth]));
            let kernel = |squares: &Pairs| {
                (squares.map(|s| 1.0 / (1.0 + s)), squares.map(|s| -1.0 / ((1.0 + s) * (1.0 + s))))
            };
            let run = |with: &dyn Fn(Task<'_, _>) -> f64| {
                let mut slopes = [(); 2].map(|()| Slopes::new(true, depth));
                let [of_x, of_y] = slopes.each_mut();
                let slopes_of = [Some(of_x), Some(of_y)];
                let total = with(Task { x: &x, y: &y, slopes: slopes_of, weight: 0.3, kernel: &kernel });
                (
                    total,
                    slopes.map(|slopes| {
                        [
                            slopes.coefficients.to_vec(),
                            slopes.lines.iter().flat_map(|line| line.0).collect::<Vec<_>>(),
                        ]
                        .concat()
                    }),
                )
            };
            let scalar = run(&|task| Scalar::new().vectorize(task));
            let widest = run(&|task| Arch::new().dispatch(task));
            assert!((widest.0 - scalar.0).abs() < 1e-12 * scalar.0);
            let both = widest.1.iter().flatten().zip(scalar.1.iter().flatten());
            both.for_each(|(a, b)| assert!((a - b).abs() < 1e-12, "{a} {b}"));
            #[cfg(target_arch = "x86_64")]
            {
                // To the bit.
                if let Some(v) = pulp::x86::V3::try_new() {
                    assert!(run(&|task| Simd::vectorize(v, task)) == widest);
                }
                if let Some(v) = pulp::x86::V4::try_new() {
                    assert!(run(&|task| Simd::vectorize(v, task)) == widest);
                }
            }
        }
    }
}
