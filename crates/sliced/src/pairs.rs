//! Sums over all pairs of points, in blocks: never a matrix of pairs.

use ndarray::{Array2, ArrayRef2};
use pulp::{Arch, Simd, WithSimd};
use variata_distributions::Real;
use variata_distributions::lanes::{Sample, array};
use variata_distributions::parallel::collect;

use crate::distance::{none, sizes};
use crate::error::Error;

/// Points of the first sample per task.
const TASK: usize = 16;
/// Points of the first sample that share what is loaded of the second.
const ROWS: usize = 4;
/// Points of the second sample whose kernel is found together.
pub(crate) const PANEL: usize = 32;
/// Points of the second sample that lie together, and of which the slopes are kept: four rows of them stay in the first-level cache.
const GROUP: usize = 256;
/// Vectors of sums for each of [`ROWS`], which stay in 16 registers with what they are made from.
const TOGETHER: usize = 2;
/// Lanes of the sums of slopes.
const LANES: usize = 8;

/// A number for each point of a panel.
pub(crate) type Pairs = [f64; PANEL];
/// From the beginning of a cache line: a vector that lies in two takes twice the time.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line<T>(T);
/// Lanes of sums for each of some rows.
type Lanes = [Line<[f64; LANES]>; ROWS];

/// A sample as contiguous f64 rows, checked: [n, dimensions], neither 0.
pub(crate) fn points<S: Sample>(argument: &'static str, x: &ArrayRef2<S>) -> Result<Array2<f64>, Error> {
    if x.is_empty() {
        return Err(none(argument, x.shape(), "[n, dimensions], neither 0"));
    }
    sizes(argument, x.iter().map(|v| v.compute().to_f64()))?;
    let mut points = Array2::zeros(x.dim());
    points.zip_mut_with(x, |to, v| *to = v.compute().to_f64());
    Ok(points)
}

/// Points of the second sample: panels [depth][PANEL], the last padded with zeros.
struct Group {
    inside: usize,
    columns: Vec<Line<Pairs>>,
}

impl Group {
    fn new(rows: &[f64], depth: usize) -> Self {
        let inside = rows.len() / depth;
        let mut columns = vec![Line([0.0; PANEL]); inside.div_ceil(PANEL) * depth];
        for (rows, panel) in rows.chunks(PANEL * depth).zip(columns.chunks_exact_mut(depth)) {
            for (i, row) in rows.chunks_exact(depth).enumerate() {
                panel.iter_mut().zip(row).for_each(|(to, v)| to.0[i] = *v);
            }
        }
        Self { inside, columns }
    }

    fn panels(&self) -> usize {
        self.inside.div_ceil(PANEL)
    }
}

/// Σᵢⱼ k(‖xᵢ − yⱼ‖²), and with `wanted` Σⱼ ∂k/∂xᵢ for every i; `kernel` gives k and its derivative at squared distances, and is
/// to be inlined. Both samples are in standard layout and not empty.
pub(crate) fn sum(
    x: &Array2<f64>,
    y: &Array2<f64>,
    wanted: bool,
    kernel: impl Fn(&Pairs) -> (Pairs, Pairs) + Sync + Send,
) -> (f64, Array2<f64>) {
    let (n, depth) = x.dim();
    let (points, others) = (x.as_slice().unwrap_or_default(), y.as_slice().unwrap_or_default());
    let groups: Vec<Group> = others.chunks(GROUP * depth).map(|rows| Group::new(rows, depth)).collect();
    // Of a sample's own pairs (i, j) and (j, i) agree; the points of a task lie in one panel.
    let symmetric = !wanted && std::ptr::eq(x, y);
    let parts = collect(n.div_ceil(TASK), |task| {
        let rows = &points[task * TASK * depth..points.len().min((task + 1) * TASK * depth)];
        let own = symmetric.then_some(task * TASK / PANEL);
        Arch::new().dispatch(Task { rows, depth, groups: &groups, own, wanted, kernel: &kernel })
    });
    let total = parts.iter().map(|(total, _)| total).sum();
    let grads = parts.into_iter().flat_map(|(_, grads)| grads).collect();
    let grads = Array2::from_shape_vec(if wanted { (n, depth) } else { (0, 0) }, grads);
    (total, grads.unwrap_or_default())
}

/// The pairs of some points of the first sample: their sum, and with `wanted` its gradient in these points.
struct Task<'a, K> {
    rows: &'a [f64],
    depth: usize,
    groups: &'a [Group],
    /// Where pairs of panels after this one count twice, and those before it not at all.
    own: Option<usize>,
    wanted: bool,
    kernel: &'a K,
}

impl<K: Fn(&Pairs) -> (Pairs, Pairs)> WithSimd for Task<'_, K> {
    type Output = (f64, Vec<f64>);

    #[inline(always)]
    fn with_simd<V: Simd>(self, simd: V) -> Self::Output {
        let (depth, points) = (self.depth, self.rows.len() / self.depth);
        // Rows that are missing are zeros, and looked at in vain.
        let mut rows = vec![[0.0; ROWS]; points.div_ceil(ROWS) * depth];
        for (i, from) in self.rows.chunks_exact(depth).enumerate() {
            let block = &mut rows[i / ROWS * depth..][..depth];
            block.iter_mut().zip(from).for_each(|(to, v)| to[i % ROWS] = *v);
        }
        let mut lanes = vec![[Line([0.0; LANES]); ROWS]; if self.wanted { rows.len() } else { 0 }];
        // Squared distances, and after the kernel slopes.
        let stride = self.groups.first().map_or(0, Group::panels);
        let mut pairs = vec![Line([0.0; PANEL]); points.next_multiple_of(ROWS) * stride];
        let mut total = 0.0;
        let own = self.own.unwrap_or_default();
        for (g, group) in self.groups.iter().enumerate().skip(own * PANEL / GROUP) {
            let before = g * GROUP / PANEL;
            for panel in own.saturating_sub(before)..group.panels() {
                let columns = &group.columns[panel * depth..][..depth];
                for (x, pairs) in rows.chunks_exact(depth).zip(pairs.chunks_exact_mut(ROWS * stride)) {
                    squared_distances::<V>(simd, x, columns, &mut pairs[panel..], stride);
                }
                let times = if self.own.is_some_and(|own| own < before + panel) { 2.0 } else { 1.0 };
                let inside = PANEL.min(group.inside - panel * PANEL);
                for pairs in pairs[panel..].iter_mut().step_by(stride).take(points) {
                    let (values, slopes) = (self.kernel)(&pairs.0);
                    total += times * values[..inside].iter().sum::<f64>();
                    if self.wanted {
                        pairs.0 = slopes;
                        pairs.0[inside..].fill(0.0);
                    }
                }
            }
            let lanes = lanes.chunks_exact_mut(depth);
            let slopes = pairs.chunks_exact(ROWS * stride);
            for ((x, slopes), lanes) in rows.chunks_exact(depth).zip(slopes).zip(lanes) {
                add_gaps::<V>(simd, x, group, array(|r| &slopes[r * stride..][..stride]), lanes);
            }
        }
        let mut grads = vec![0.0; if self.wanted { self.rows.len() } else { 0 }];
        for (i, grads) in grads.chunks_exact_mut(depth).enumerate() {
            for (grad, lanes) in grads.iter_mut().zip(&lanes[i / ROWS * depth..]) {
                let [a, b, c, d, e, f, g, h] = lanes[i % ROWS].0;
                *grad = 2.0 * (((a + e) + (c + g)) + ((b + f) + (d + h)));
            }
        }
        (total, grads)
    }
}

/// Squared distances of [`ROWS`] points from those of a panel, from the differences themselves; `stride` is the way from one point's to the next.
#[inline(always)]
fn squared_distances<V: Simd>(
    simd: V,
    x: &[[f64; ROWS]],
    columns: &[Line<Pairs>],
    to: &mut [Line<Pairs>],
    stride: usize,
) {
    for first in (0..PANEL).step_by(TOGETHER * V::F64_LANES) {
        let mut sums = [[simd.splat_f64s(0.0); TOGETHER]; ROWS];
        for (x, column) in x.iter().zip(columns) {
            let y = vectors::<V>(&column.0[first..]);
            for r in 0..ROWS {
                let x = simd.splat_f64s(x[r]);
                for k in 0..TOGETHER {
                    let gap = simd.sub_f64s(x, y[k]);
                    sums[r][k] = simd.mul_add_e_f64s(gap, gap, sums[r][k]);
                }
            }
        }
        for (to, sums) in to.iter_mut().step_by(stride).zip(&sums) {
            V::as_mut_simd_f64s(&mut to.0[first..]).0[..TOGETHER].copy_from_slice(sums);
        }
    }
}

/// lanes += slope·(x − y) over a group.
///
/// The order in which a lane is added up does not depend on the length of vectors.
#[inline(always)]
fn add_gaps<V: Simd>(
    simd: V,
    x: &[[f64; ROWS]],
    group: &Group,
    slopes: [&[Line<Pairs>]; ROWS],
    lanes: &mut [Lanes],
) {
    for first in (0..PANEL).step_by(TOGETHER * V::F64_LANES) {
        for (d, (lanes, here)) in lanes.iter_mut().zip(x).enumerate() {
            let mut sums = [[simd.splat_f64s(0.0); TOGETHER]; ROWS];
            let here: [V::f64s; ROWS] = array(|r| simd.splat_f64s(here[r]));
            for (panel, columns) in group.columns.chunks_exact(x.len()).enumerate() {
                let y = vectors::<V>(&columns[d].0[first..]);
                for r in 0..ROWS {
                    let slope = vectors::<V>(&slopes[r][panel].0[first..]);
                    for k in 0..TOGETHER {
                        sums[r][k] = simd.mul_add_e_f64s(slope[k], simd.sub_f64s(here[r], y[k]), sums[r][k]);
                    }
                }
            }
            for (lanes, sums) in lanes.iter_mut().zip(&sums) {
                let lanes = V::as_mut_simd_f64s(&mut lanes.0).0;
                for (k, sum) in sums.iter().enumerate() {
                    let lane = (first / V::F64_LANES + k) % lanes.len();
                    lanes[lane] = simd.add_f64s(lanes[lane], *sum);
                }
            }
        }
    }
}

/// The first vectors of a slice that has as many.
#[inline(always)]
fn vectors<V: Simd>(slice: &[f64]) -> [V::f64s; TOGETHER] {
    let vectors = V::as_simd_f64s(&slice[..TOGETHER * V::F64_LANES]).0;
    array(|k| vectors[k])
}

#[cfg(test)]
mod tests {
    use pulp::{Scalar, Simd};

    use super::*;

    #[test]
    fn vectors_of_any_length_give_the_same_sums() {
        // Two groups, the last panel and the last block of rows incomplete.
        let (n, m, depth) = (7, 290, 5);
        let value = |i: usize| ((i * 37 + 11) % 101) as f64 * 0.03 - 1.5;
        let (x, y): (Vec<f64>, Vec<f64>) =
            ((0..n * depth).map(value).collect(), (0..m * depth).map(|i| value(i + 13)).collect());
        let groups: Vec<Group> = y.chunks(GROUP * depth).map(|rows| Group::new(rows, depth)).collect();
        let kernel = |squares: &Pairs| {
            (squares.map(|s| 1.0 / (1.0 + s)), squares.map(|s| -1.0 / ((1.0 + s) * (1.0 + s))))
        };
        let task = || Task { rows: &x, depth, groups: &groups, own: None, wanted: true, kernel: &kernel };
        let (total, grads) = Scalar::new().vectorize(task());
        let widest = Arch::new().dispatch(task());
        assert!((widest.0 - total).abs() < 1e-12 * total);
        assert!(widest.1.iter().zip(&grads).all(|(a, b)| (a - b).abs() < 1e-12));
        #[cfg(target_arch = "x86_64")]
        for other in [
            pulp::x86::V3::try_new().map(|v| Simd::vectorize(v, task())),
            pulp::x86::V4::try_new().map(|v| Simd::vectorize(v, task())),
        ] {
            // To the bit.
            assert!(other.is_none_or(|other| other == widest));
        }
    }
}
