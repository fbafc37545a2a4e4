//! Projections X·Θᵀ and their adjoint, as blocked products.
//!
//! The sample is copied once into panels of [`ROWS`] rows, depth by depth, so that one load serves several directions; a
//! step holds sums for a few directions and two vectors of rows in registers. In f32 a sum runs over at most [`DEPTH`]
//! dimensions before it is added up in f64.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use ndarray::{ArrayRef2, s};
use pulp::{Arch, Simd, WithSimd};
use variata_distributions::parallel::for_each;

use crate::vectors::fine;
use variata_distributions::lanes::{Compute, NARROW, STEP, Sample, step, tile, transpose, widest};

/// Rows of a panel: two vectors of the widest f32.
const ROWS: usize = 32;
/// Dimensions per run of sums.
const DEPTH: usize = 128;
/// Panels per block, of which projections lie together.
const TASK: usize = 32;
/// About how many tasks a loop has, where there is enough to do.
const SPLIT: usize = 8;
/// Groups, at most, that directions are handed out in.
const GROUPS: usize = 16;
/// A sample [n, d] in panels: [panel][dimension][row], padded with zeros.
#[derive(Debug)]
pub(crate) struct Panels<T> {
    rows: usize,
    depth: usize,
    data: Vec<T>,
}

impl<T: Compute> Panels<T> {
    /// `None` where a value is not finite or too large.
    pub(crate) fn new<S: Sample<Compute = T>>(x: &ArrayRef2<S>) -> Option<Self> {
        let (rows, depth) = x.dim();
        let mut data = vec![T::ZERO; rows.div_ceil(ROWS) * ROWS * depth];
        let each = rows.div_ceil(ROWS).div_ceil(SPLIT).clamp(1, TASK);
        let panels: Vec<_> = data.chunks_mut((ROWS * depth * each).max(1)).enumerate().collect();
        let all_fine = AtomicBool::new(true);
        for_each(panels, |(task, panels)| {
            let mut buffer = vec![T::ZERO; if x.is_standard_layout() { 0 } else { ROWS * depth }];
            for (k, panel) in panels.chunks_mut((ROWS * depth).max(1)).enumerate() {
                let first = (task * each + k) * ROWS;
                let part = x.slice(s![first..rows.min(first + ROWS), ..]);
                if let Some(part) = part.as_slice() {
                    pack(part, depth, |v: S| v.compute(), panel);
                } else {
                    buffer.iter_mut().zip(&part).for_each(|(to, v)| *to = v.compute());
                    pack(&buffer[..part.len()], depth, |v: T| v, panel);
                }
                if !fine(panel) {
                    all_fine.store(false, Ordering::Relaxed);
                }
            }
        });
        if !all_fine.into_inner() {
            return None;
        }
        Some(Self { rows, depth, data })
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Rows with those that pad the last panel.
    pub(crate) fn padded_rows(&self) -> usize {
        self.rows.next_multiple_of(ROWS)
    }

    /// Rows of a block; see [`project`](Self::project).
    const fn block_rows() -> usize {
        ROWS * TASK
    }

    /// Projections on packed directions: [block][direction][row], a block having [`block_rows`](Self::block_rows) rows, padded to
    /// whole panels.
    pub(crate) fn project(&self, theta: &Packed<T>, out: &mut [T]) {
        let block = TASK * ROWS * theta.count;
        // A task is a block, or some of the directions of one.
        let group = (theta.step * self.depth).max(1);
        let groups = theta.data.len().div_ceil(group);
        let each = groups.div_ceil(parts_of(out.len().div_ceil(block.max(1)))).max(1);
        let mut tasks = Vec::new();
        for (b, out) in out.chunks_mut(block.max(1)).enumerate() {
            let rows = out.len() / theta.count.max(1);
            let of_each = theta.data.chunks(each * group);
            tasks
                .extend(out.chunks_mut((each * theta.step * rows).max(1)).zip(of_each).map(|task| (b, task)));
        }
        for_each(tasks, |(b, (out, theta_of))| {
            let size = ROWS * self.depth;
            let panels = &self.data[b * TASK * size..self.data.len().min((b + 1) * TASK * size)];
            let (depth, step) = (self.depth, theta.step);
            Arch::new().dispatch(Project { panels, depth, step, theta: theta_of, out });
        });
    }
}

/// Elements in a vector.
#[inline(always)]
fn lanes<T: Compute, V: Simd>() -> usize {
    ROWS / T::vectors::<V>(&[T::ZERO; ROWS]).len().max(1)
}

/// In how many parts a block is worked on where there are so many.
fn parts_of(blocks: usize) -> usize {
    SPLIT.div_ceil(blocks.max(1))
}

/// Row-major rows into a panel.
fn pack<S: Copy, T: Compute>(rows: &[S], depth: usize, compute: impl Fn(S) -> T, panel: &mut [T]) {
    widest(
        #[inline(always)]
        || transpose::<S, T, ROWS>(rows, depth, |_, v| compute(v), panel),
    );
}

/// Directions in groups of `step` at most, [group][dimension][direction], the last group padded with zeros.
#[derive(Debug)]
pub(crate) struct Packed<T> {
    count: usize,
    step: usize,
    data: Vec<T>,
}

impl<T: Compute> Packed<T> {
    /// From rows of a matrix [directions, depth].
    pub(crate) fn new(rows: &[f64], depth: usize) -> Self {
        let count = rows.len() / depth.max(1);
        // Groups of equal size, so that padding is rare.
        let step = count.div_ceil(count.div_ceil(step()).max(1));
        let step = step.next_multiple_of(2).max(2);
        let mut data = vec![T::ZERO; count.div_ceil(step) * step * depth];
        for (j, row) in rows.chunks(depth.max(1)).enumerate() {
            let group = j / step * step * depth;
            for (d, &v) in row.iter().enumerate() {
                data[group + d * step + j % step] = T::from_f64(v);
            }
        }
        Self { count, step, data }
    }
}

struct Project<'a, T> {
    panels: &'a [T],
    depth: usize,
    step: usize,
    /// Groups of [`Packed`].
    theta: &'a [T],
    out: &'a mut [T],
}

impl<T: Compute> WithSimd for Project<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<V: Simd>(self, simd: V) {
        match self.step {
            2 => self.run::<V, 2>(simd),
            4 => self.run::<V, 4>(simd),
            6 => self.run::<V, 6>(simd),
            8 => self.run::<V, 8>(simd),
            10 => self.run::<V, 10>(simd),
            _ => self.run::<V, STEP>(simd),
        }
    }
}

impl<T: Compute> Project<'_, T> {
    #[inline(always)]
    fn run<V: Simd, const J: usize>(self, simd: V) {
        let size = (ROWS * self.depth).max(1);
        let rows = (self.panels.len() / self.depth.max(1)).max(1);
        let count = self.out.len() / rows;
        for (p, panel) in self.panels.chunks_exact(size).enumerate() {
            for (group, theta) in self.theta.chunks_exact((J * self.depth).max(1)).enumerate() {
                let mut sums = [[T::ZERO; ROWS]; J];
                let depths = self.depth.div_ceil(DEPTH);
                if depths == 1 {
                    product::<T, V, J>(simd, panel, theta, &mut sums);
                } else {
                    let mut wide = [[0.0f64; ROWS]; J];
                    for (panel, theta) in panel.chunks(DEPTH * ROWS).zip(theta.chunks(DEPTH * J)) {
                        product::<T, V, J>(simd, panel, theta, &mut sums);
                        for (wide, sums) in wide.iter_mut().flatten().zip(sums.iter().flatten()) {
                            *wide += sums.to_f64();
                        }
                    }
                    for (sums, wide) in sums.iter_mut().flatten().zip(wide.iter().flatten()) {
                        *sums = T::from_f64(*wide);
                    }
                }
                for (j, sums) in sums.iter().enumerate().take(count - group * J) {
                    let at = (group * J + j) * rows + p * ROWS;
                    self.out[at..at + ROWS].copy_from_slice(sums);
                }
            }
        }
    }
}

/// sums[j][row] = Σ theta[d][j]·panel[d][row].
#[inline(always)]
fn product<T: Compute, V: Simd, const J: usize>(
    simd: V,
    panel: &[T],
    theta: &[T],
    sums: &mut [[T; ROWS]; J],
) {
    let lanes = lanes::<T, V>();
    for first in (0..ROWS).step_by(2 * lanes) {
        let zero = T::splat(simd, T::ZERO);
        let acc = tile::<T, V, ROWS, J>(simd, (panel, first), theta, [[zero; 2]; J]);
        for (sums, acc) in sums.iter_mut().zip(acc) {
            T::vectors_mut::<V>(&mut sums[first..])[..2].copy_from_slice(&acc);
        }
    }
}

/// Slopes of the points of a column in place of their projections, which have served.
pub(crate) fn replace<T: Copy>(column: &mut [&mut [T]], mut slopes: &[T]) {
    for part in column {
        let (here, rest) = slopes.split_at(part.len().min(slopes.len()));
        part[..here.len()].copy_from_slice(here);
        slopes = rest;
    }
}

/// Adds Σⱼ slopes[j][row]·theta[j][d] to a row-major [rows, depth] array; `slopes` of `count` directions lie as
/// [`Panels::project`] lays projections out.
pub(crate) fn add_adjoint<T: Compute>(
    slopes: &[T],
    count: usize,
    theta: &[T],
    depth: usize,
    padded: usize,
    out: &mut [T],
) {
    let block = Panels::<T>::block_rows();
    let parts = parts_of(out.len().div_ceil((block * depth).max(1)));
    let mut tasks = Vec::new();
    for (out, slopes) in out.chunks_mut((block * depth).max(1)).zip(slopes.chunks((block * count).max(1))) {
        let rows = (out.len() / depth.max(1)).div_ceil(parts);
        // Whole steps.
        let rows = rows.next_multiple_of(if rows < NEAR { STEP } else { NEAR });
        let of_each = out.chunks_mut((rows * depth).max(1)).enumerate();
        tasks.extend(of_each.map(|(k, out)| (k * rows, out, slopes)));
    }
    for_each(tasks, |(first, out, slopes)| {
        let rows = slopes.len() / count.max(1);
        Arch::new().dispatch(Adjoint { slopes, first, rows, theta, depth, padded, out });
    });
}

/// Directions with rows padded to whole pairs of vectors, for [`add_adjoint`]: the padded length, and the rows.
pub(crate) fn padded<T: Compute>(rows: &[f64], depth: usize) -> (usize, Vec<T>) {
    let padded = depth.next_multiple_of(ROWS);
    let mut data = vec![T::ZERO; rows.len() / depth.max(1) * padded];
    for (to, from) in data.chunks_mut(padded.max(1)).zip(rows.chunks(depth.max(1))) {
        to.iter_mut().zip(from).for_each(|(to, &v)| *to = T::from_f64(v));
    }
    (padded, data)
}

struct Adjoint<'a, T> {
    slopes: &'a [T],
    /// Row of the slopes that belongs to the first of `out`.
    first: usize,
    /// From one direction to the next.
    rows: usize,
    theta: &'a [T],
    depth: usize,
    padded: usize,
    out: &'a mut [T],
}

impl<T: Compute> WithSimd for Adjoint<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<V: Simd>(self, simd: V) {
        if V::F32_LANES >= 16 { self.tiles::<V, STEP>(simd) } else { self.tiles::<V, NARROW>(simd) }
    }
}

impl<T: Compute> Adjoint<'_, T> {
    #[inline(always)]
    fn tiles<V: Simd, const R: usize>(self, simd: V) {
        let here = self.out.len() / self.depth.max(1);
        // Slopes of a few rows, side by side: in place they are a power of two apart, which defeats caches.
        let mut near = vec![[T::ZERO; NEAR]; self.slopes.len() / self.rows.max(1)];
        for (k, out) in self.out.chunks_mut(NEAR * self.depth).enumerate() {
            let count = NEAR.min(here - k * NEAR);
            let first = self.first + k * NEAR;
            for (near, slopes) in near.iter_mut().zip(self.slopes.chunks_exact(self.rows)) {
                near[..count].copy_from_slice(&slopes[first..first + count]);
            }
            let tile = Tile { slopes: &near, theta: self.theta, depth: self.depth, padded: self.padded };
            let whole = count / R * R;
            for row in (0..whole).step_by(R) {
                tile.add::<V, R>(simd, row, out);
            }
            for row in whole..count {
                tile.add::<V, 1>(simd, row, out);
            }
        }
    }
}

/// Rows of slopes held side by side; a multiple of both steps.
const NEAR: usize = 48;

struct Tile<'a, T> {
    slopes: &'a [[T; NEAR]],
    theta: &'a [T],
    depth: usize,
    padded: usize,
}

impl<T: Compute> Tile<'_, T> {
    /// Rows [row, row + R), all dimensions.
    #[inline(always)]
    fn add<V: Simd, const R: usize>(&self, simd: V, row: usize, out: &mut [T]) {
        let lanes = lanes::<T, V>();
        for d in (0..self.depth).step_by(2 * lanes) {
            let zero = T::splat(simd, T::ZERO);
            let mut acc = [[zero; 2]; R];
            for (theta, slopes) in self.theta.chunks_exact(self.padded).zip(self.slopes) {
                let t = T::vectors::<V>(&theta[d..d + 2 * lanes]);
                let Some(slopes) = slopes[row..].first_chunk::<R>() else { continue };
                let (a, b) = (t[0], t[1]);
                for r in 0..R {
                    let s = T::splat(simd, slopes[r]);
                    acc[r][0] = T::mul_add(simd, a, s, acc[r][0]);
                    acc[r][1] = T::mul_add(simd, b, s, acc[r][1]);
                }
            }
            let width = (2 * lanes).min(self.depth - d);
            for (r, acc) in acc.iter().enumerate() {
                let mut sums = [T::ZERO; ROWS];
                T::vectors_mut::<V>(&mut sums)[..2].copy_from_slice(acc);
                let at = (row + r) * self.depth + d;
                for (out, sum) in out[at..at + width].iter_mut().zip(&sums) {
                    *out = *out + *sum;
                }
            }
        }
    }
}

/// The parts of each direction of projections as [`Panels::project`] lays them out.
pub(crate) fn columns<T: Compute>(projections: &mut [T], count: usize) -> Vec<Vec<&mut [T]>> {
    let mut columns: Vec<Vec<_>> = (0..count).map(|_| Vec::new()).collect();
    for task in projections.chunks_mut((Panels::<T>::block_rows() * count).max(1)) {
        let here = (task.len() / count.max(1)).max(1);
        columns.iter_mut().zip(task.chunks_mut(here)).for_each(|(column, part)| column.push(part));
    }
    columns
}

/// The parts of direction `j`.
pub(crate) fn parts<T: Compute>(
    projections: &[T],
    count: usize,
    j: usize,
) -> impl ExactSizeIterator<Item = &[T]> {
    projections.chunks((Panels::<T>::block_rows() * count).max(1)).map(move |task| {
        let here = task.len() / count;
        &task[j * here..(j + 1) * here]
    })
}

/// The parts of a direction, one after the other, without the padding: a single one as it lies, several in `memory`.
pub(crate) fn joined<'t, T: Compute>(
    mut parts: impl ExactSizeIterator<Item = &'t [T]>,
    rows: usize,
    memory: &'t mut Vec<T>,
) -> &'t [T] {
    if parts.len() == 1
        && let Some(only) = parts.next()
    {
        return &only[..rows];
    }
    memory.clear();
    parts.for_each(|part| memory.extend_from_slice(part));
    &memory[..rows]
}

/// What `f` gives for the items, in order, in groups that begin at `least` items: `f` gets scratch memory, which comes from the pool and returns to it,
/// which item is the group's first, and its items.
pub(crate) fn per_group<I: Send, R: Send, C: Default + Send>(
    items: &mut [I],
    least: usize,
    pool: &Mutex<Vec<C>>,
    f: impl Fn(&mut C, usize, &mut [I]) -> Vec<R> + Sync + Send,
) -> Vec<R> {
    let groups = items.len().div_ceil(least).clamp(1, GROUPS);
    let size = items.len().div_ceil(groups).max(1);
    let mut found: Vec<Vec<R>> = Vec::new();
    found.resize_with(items.len().div_ceil(size), Vec::new);
    let tasks: Vec<_> = items.chunks_mut(size).zip(&mut found).enumerate().collect();
    let open = || pool.lock().unwrap_or_else(PoisonError::into_inner);
    for_each(tasks, |(g, (items, found))| {
        let mut memory = open().pop().unwrap_or_default();
        *found = f(&mut memory, g * size, items);
        open().push(memory);
    });
    found.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, s};

    use super::*;

    fn numbers(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
        let mut state = seed;
        Array2::from_shape_simple_fn((rows, columns), || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 40) as f64 / (1u64 << 23) as f64 - 1.0
        })
    }

    fn check<T: Compute>(n: usize, depth: usize, count: usize, tolerance: f64) {
        let (x, theta) = (numbers(n, depth, 1), numbers(count, depth, 2));
        let (x, theta) = (x.mapv(T::from_f64), theta.mapv(|v| T::from_f64(v).to_f64()));
        let exact = x.mapv(T::to_f64);
        let flat = theta.as_slice().unwrap();
        // Reversed columns: not contiguous.
        let strided = x.slice(s![.., ..;-1]).to_owned();
        let mut out = vec![T::ZERO; n.div_ceil(ROWS) * ROWS * count];
        for x in [x.view(), strided.slice(s![.., ..;-1])] {
            let panels = Panels::new(&x).unwrap();
            panels.project(&Packed::new(flat, depth), &mut out);
            let want = exact.dot(&theta.t());
            let mut y = Vec::new();
            for j in 0..count {
                let y = joined(parts(&out, count, j), n, &mut y);
                for (got, want) in y.iter().zip(want.column(j)) {
                    assert!((got.to_f64() - want).abs() <= tolerance, "{n} {depth} {count}");
                }
                assert_eq!(y.len(), n);
            }
        }
        let slopes = numbers(count, n, 3).mapv(T::from_f64);
        for (column, slopes) in columns(&mut out, count).into_iter().zip(slopes.rows()) {
            let to = column.into_iter().flatten();
            to.zip(slopes).for_each(|(to, v)| *to = *v);
        }
        let (padded, rows) = padded::<T>(flat, depth);
        let mut grad = vec![T::ONE; n * depth];
        add_adjoint(&out, count, &rows, depth, padded, &mut grad);
        let want = slopes.mapv(T::to_f64).t().dot(&theta) + 1.0;
        for (got, want) in grad.iter().zip(&want) {
            assert!((got.to_f64() - want).abs() <= tolerance, "{n} {depth} {count}");
        }
    }

    #[test]
    fn products_agree_with_the_plain_ones_at_every_edge() {
        for n in [1, 12, 31, 32, 33, 1024, 1500] {
            for depth in [1, 3, 32, 33, 128, 300] {
                for count in [1, 2, 7, 12, 13, 50] {
                    if n * depth * count <= 4_000_000 {
                        check::<f64>(n, depth, count, 1e-12);
                        check::<f32>(n, depth, count, 3e-5);
                    }
                }
            }
        }
    }
}
