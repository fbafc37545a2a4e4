//! The search for nearest codes, in blocks of rows: products, the smallest score, and what round-off leaves undecided.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use ndarray::{ArrayRef2, s};
use pulp::{Arch, Simd, WithSimd};
use variata_distributions::lanes::{Compute, NARROW, STEP, Sample, array, tile, widest};
use variata_distributions::parallel::for_each;
use variata_distributions::{ArgumentError, Real};

use crate::candidates::candidates;
use crate::codebook::{Codebook, Metric, check_row, has_direction};
use crate::exact;
use crate::pack::{Packed, ROWS, lanes, largest, task_rows};
use crate::screen::{self, Verdict};

/// Bytes of packed codes that are used for all panels of a task before the next.
const CODES: usize = 1 << 17;

/// About how many tasks there are, where there are so many panels.
const SPLIT: usize = 8;

/// Vectors [N, D] in blocks of rows, checked as they are read.
pub(crate) struct Blocks<'a, S: Sample> {
    codebook: &'a Codebook<S::Compute>,
    argument: &'static str,
    z: &'a ArrayRef2<S>,
    pub(crate) task: usize,
    pool: Mutex<Vec<Memory<S>>>,
    /// First row that is refused.
    refused: AtomicUsize,
    record: screen::Record,
}

/// Memory of a task, kept for the next.
pub(crate) struct Memory<S: Sample> {
    rows: Vec<S>,
    pub(crate) panels: Vec<S::Compute>,
    pub(crate) norms: Vec<S::Compute>,
    best: Vec<S::Compute>,
    second: Vec<S::Compute>,
    position: Vec<S::Compute>,
    screened: screen::Found,
    indices: Vec<usize>,
}

impl<S: Sample> Default for Memory<S> {
    fn default() -> Self {
        let (rows, indices) = (Vec::new(), Vec::new());
        let [panels, norms, best, second, position] = [const { Vec::new() }; 5];
        Self { rows, panels, norms, best, second, position, screened: screen::Found::default(), indices }
    }
}

impl<'a, S: Sample<Compute = T>, T: Compute> Blocks<'a, S> {
    pub(crate) fn new(
        codebook: &'a Codebook<T>,
        argument: &'static str,
        z: &'a ArrayRef2<S>,
    ) -> Result<Self, ArgumentError> {
        let depth = codebook.dim();
        if z.ncols() != depth {
            let want = format!("[rows, {depth}]");
            return Err(ArgumentError::Shape { argument, got: z.shape().to_vec(), want });
        }
        let refused = AtomicUsize::new(usize::MAX);
        let (pool, record) = (Mutex::default(), screen::Record::default());
        let even = z.nrows().div_ceil(SPLIT).next_multiple_of(ROWS).max(ROWS);
        let task = task_rows(depth).min(even);
        Ok(Self { codebook, argument, z, task, pool, refused, record })
    }

    /// A row-major output of `width` per row, in parts of one task each.
    pub(crate) fn split<'o, O>(&self, out: &'o mut [O], width: usize) -> Vec<&'o mut [O]> {
        out.chunks_mut((self.task * width).max(1)).collect()
    }

    /// Runs `f` on every task: memory with its rows, number of the first row, and the task's output.
    pub(crate) fn each<O: Send>(
        &self,
        outputs: Vec<O>,
        f: impl Fn(&[S], &mut Memory<S>, usize, O) + Sync + Send,
    ) -> Result<(), crate::Error> {
        let tasks: Vec<_> = outputs.into_iter().enumerate().collect();
        let open = || self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        for_each(tasks, |(number, output)| {
            let first = number * self.task;
            let part = self.z.slice(s![first..self.z.nrows().min(first + self.task), ..]);
            let mut memory = open().pop().unwrap_or_default();
            let mut rows = std::mem::take(&mut memory.rows);
            let rows_here = if let Some(rows) = part.to_slice() {
                rows
            } else {
                rows.clear();
                rows.extend(part.iter().copied());
                &rows
            };
            if let Some(row) = refused(rows_here, self.codebook.dim(), self.codebook.metric()) {
                self.refused.fetch_min(first + row, Ordering::Relaxed);
            } else {
                f(rows_here, &mut memory, first, output);
            }
            memory.rows = rows;
            open().push(memory);
        });
        match self.refused.load(Ordering::Relaxed) {
            usize::MAX => Ok(()),
            row => check_row(self.argument, row, &self.z.row(row), self.codebook.metric()),
        }
    }

    /// Hands rows and the indices of their nearest codes to `f`, with the output of the task.
    pub(crate) fn assign<O: Send>(
        &self,
        outputs: Vec<O>,
        f: impl Fn(&[S], &[usize], O) + Sync + Send,
    ) -> Result<(), crate::Error> {
        self.each(outputs, |rows, memory, _, output| {
            nearest(self.codebook, rows, memory, &self.record);
            f(rows, &memory.indices, output);
        })
    }

    /// The `count` nearest codes of each row with their distances.
    pub(crate) fn top(
        &self,
        count: usize,
        outputs: Vec<(&mut [usize], &mut [f64])>,
    ) -> Result<(), crate::Error> {
        self.each(outputs, |rows, memory, _, (indices, distances)| {
            let packed = self.codebook.packed();
            packed.rows(rows, &mut memory.panels, &mut memory.norms);
            let candidates = candidates(packed, &memory.panels, &memory.norms, count);
            for (row, candidates) in candidates.into_iter().enumerate() {
                // Codes that occur again were packed once: all are candidates.
                let codes = candidates.iter().flat_map(|&position| packed.codes_at(position));
                let mut found: Vec<(f64, usize)> = codes.map(|k| (0.0, k)).collect();
                let depth = self.codebook.dim();
                let z = &rows[row * depth..(row + 1) * depth];
                exact::order(self.codebook.metric(), z, self.codebook.codes(), count, &mut found);
                let to = row * count..(row + 1) * count;
                let outputs = indices[to.clone()].iter_mut().zip(&mut distances[to]);
                for ((index, distance), (d, k)) in outputs.zip(found) {
                    (*index, *distance) = (k, d);
                }
            }
        })
    }
}

/// The first row that holds what is refused.
fn refused<S: Sample>(rows: &[S], depth: usize, metric: Metric) -> Option<usize> {
    let limit = largest::<S::Compute>();
    let ok = |row: &[S]| row.iter().fold(true, |ok, v| ok & (v.compute().to_f64().abs() <= limit));
    let fine = widest(
        #[inline(always)]
        || ok(rows),
    );
    let zero =
        |row: &[S]| metric == Metric::Cosine && !has_direction(row.iter().map(|v| v.compute().to_f64()));
    if fine && metric != Metric::Cosine {
        return None;
    }
    rows.chunks_exact(depth).position(|row| !ok(row) || zero(row))
}

/// Distances of rows from the codes found for them.
pub(crate) fn distances<S: Sample<Compute = T>, T: Compute>(
    codebook: &Codebook<T>,
    rows: &[S],
    found: &[usize],
    out: &mut [f64],
) {
    let (depth, metric) = (codebook.dim(), codebook.metric());
    widest(
        #[inline(always)]
        || {
            for ((out, z), &k) in out.iter_mut().zip(rows.chunks_exact(depth)).zip(found) {
                *out = exact::distance(metric, z, codebook.code(k));
            }
        },
    );
}

/// The nearest code of each row, into `memory.indices`: by a first look where that pays, by products in f32 (f64), and by distances
/// in f64, then exactly, each for what the one before left open.
fn nearest<S: Sample<Compute = T>, T: Compute>(
    codebook: &Codebook<T>,
    rows: &[S],
    memory: &mut Memory<S>,
    record: &screen::Record,
) {
    let packed = codebook.packed();
    let depth = packed.depth;
    let count = rows.len() / depth;
    memory.indices.clear();
    memory.indices.resize(count, 0);
    if packed.ids.len() == 1 {
        return;
    }
    packed.rows(rows, &mut memory.panels, &mut memory.norms);
    let (mut open, mut near): (Vec<usize>, Vec<_>) = (Vec::new(), Vec::new());
    match packed.screen.as_ref().filter(|_| record.pays()) {
        Some(screen) => {
            let found = &mut memory.screened;
            screen.look(&memory.panels, depth, found);
            for row in 0..count {
                let norm = memory.norms[row].to_f64().sqrt();
                match screen.verdict(found, row, norm, packed.doubt(norm)) {
                    Verdict::One(position) => memory.indices[row] = packed.ids[position],
                    Verdict::Two(positions) => {
                        let z = &rows[row * depth..(row + 1) * depth];
                        memory.indices[row] = settle(codebook, z, &positions, &mut near);
                    }
                    Verdict::Few(positions) => {
                        let z = &rows[row * depth..(row + 1) * depth];
                        memory.indices[row] = settle(codebook, z, &positions, &mut near);
                    }
                    Verdict::Open => open.push(row),
                }
            }
            record.add(count, open.len());
            if open.is_empty() {
                return;
            }
            let vectors = at_rows(rows, depth, &open);
            packed.rows(&vectors, &mut memory.panels, &mut memory.norms);
        }
        None => open.extend(0..count),
    }
    smallest(packed, memory);
    let mut left = Vec::new();
    for (at, row) in open.into_iter().enumerate() {
        let [norm, best, second, position] =
            [&memory.norms, &memory.best, &memory.second, &memory.position].map(|of| of[at].to_f64());
        if !(second - best > packed.doubt(norm.sqrt())) {
            left.push(row);
        }
        memory.indices[row] = packed.ids[position as usize];
    }
    for left in left.chunks(ROWS) {
        let vectors = at_rows(rows, depth, left);
        packed.rows(&vectors, &mut memory.panels, &mut memory.norms);
        let candidates = candidates(packed, &memory.panels, &memory.norms, 1);
        for ((&row, z), candidates) in left.iter().zip(vectors.chunks_exact(depth)).zip(candidates) {
            memory.indices[row] = settle(codebook, z, &candidates, &mut near);
        }
    }
}

/// The vectors of some rows, one after the other.
fn at_rows<S: Copy>(rows: &[S], depth: usize, at: &[usize]) -> Vec<S> {
    at.iter().flat_map(|&row| &rows[row * depth..(row + 1) * depth]).copied().collect()
}

/// The nearest of the codes at these positions; `found` is memory.
fn settle<S: Sample<Compute = T>, T: Compute>(
    codebook: &Codebook<T>,
    z: &[S],
    positions: &[usize],
    found: &mut Vec<(f64, usize)>,
) -> usize {
    found.clear();
    found.extend(positions.iter().map(|&position| (0.0, codebook.packed().ids[position])));
    exact::order(codebook.metric(), z, codebook.codes(), 1, found);
    found.first().map_or(0, |&(_, k)| k)
}

/// The smallest score, the second smallest and the position of the smallest, of all rows in the panels.
fn smallest<S: Sample<Compute = T>, T: Compute>(packed: &Packed<T>, memory: &mut Memory<S>) {
    let padded = memory.panels.len() / packed.depth;
    for scores in [&mut memory.best, &mut memory.second] {
        scores.clear();
        scores.resize(padded, T::from_f64(f64::INFINITY));
    }
    memory.position.clear();
    memory.position.resize(padded, T::ZERO);
    Arch::new().dispatch(Smallest {
        panels: &memory.panels,
        codes: packed,
        best: &mut memory.best,
        second: &mut memory.second,
        position: &mut memory.position,
    });
}

/// The smallest score of each row, the second smallest and the position of the smallest.
struct Smallest<'a, T> {
    panels: &'a [T],
    codes: &'a Packed<T>,
    best: &'a mut [T],
    second: &'a mut [T],
    position: &'a mut [T],
}

impl<T: Compute> WithSimd for Smallest<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<V: Simd>(self, simd: V) {
        if self.codes.step == STEP { self.run::<V, STEP>(simd) } else { self.run::<V, NARROW>(simd) }
    }
}

impl<T: Compute> Smallest<'_, T> {
    #[inline(always)]
    fn run<V: Simd, const J: usize>(self, simd: V) {
        let Packed { depth, data, bias, numbers, .. } = self.codes;
        let lanes = lanes::<T, V>();
        let group = J * depth;
        let block = (CODES / size_of::<T>() / group).max(1);
        for (b, data) in data.chunks(block * group).enumerate() {
            let (bias, numbers) = (&bias[b * block * J..], &numbers[b * block * J..]);
            for (p, panel) in self.panels.chunks_exact(ROWS * depth).enumerate() {
                for first in (0..ROWS).step_by(2 * lanes) {
                    let at = p * ROWS + first..p * ROWS + first + 2 * lanes;
                    let best = T::vectors_mut::<V>(&mut self.best[at.clone()]);
                    let second = T::vectors_mut::<V>(&mut self.second[at.clone()]);
                    let position = T::vectors_mut::<V>(&mut self.position[at]);
                    let (mut b, mut s, mut i) =
                        ([best[0], best[1]], [second[0], second[1]], [position[0], position[1]]);
                    let columns = bias.as_chunks::<J>().0.iter().zip(numbers.as_chunks::<J>().0);
                    for (codes, (bias, numbers)) in data.chunks_exact(group).zip(columns) {
                        let start: [_; J] = array(|j| [T::splat(simd, bias[j]); 2]);
                        let scores = tile::<T, V, ROWS, J>(simd, (panel, first), codes, start);
                        for (scores, &number) in scores.iter().zip(numbers) {
                            let number = T::splat(simd, number);
                            for v in 0..2 {
                                s[v] = T::min(simd, s[v], T::max(simd, scores[v], b[v]));
                                i[v] = T::where_less(simd, (scores[v], b[v]), number, i[v]);
                                b[v] = T::min(simd, scores[v], b[v]);
                            }
                        }
                    }
                    (best[0], best[1]) = (b[0], b[1]);
                    (second[0], second[1]) = (s[0], s[1]);
                    (position[0], position[1]) = (i[0], i[1]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Numbers in [−1, 1).
    fn numbers(rows: usize, columns: usize, seed: u64) -> Array2<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Array2::from_shape_simple_fn((rows, columns), || rng.random_range(-1.0..1.0))
    }

    /// The indices with a first look in bf16, where the processor has it, and without.
    fn both(codes: &Array2<f32>, metric: Metric, rows: &Array2<f32>) -> [Vec<usize>; 2] {
        let codebook = Codebook::new(codes.clone(), metric).unwrap();
        let exhausted = screen::Record::default();
        exhausted.add(1 << 20, 1 << 20);
        [screen::Record::default(), exhausted].map(|record| {
            let mut memory = Memory::default();
            nearest(&codebook, rows.as_slice().unwrap(), &mut memory, &record);
            memory.indices
        })
    }

    #[test]
    fn a_first_look_changes_nothing() {
        for metric in [Metric::SquaredEuclidean, Metric::Cosine] {
            for (count, depth) in
                [(64, 1), (64, 2), (77, 3), (300, 16), (513, 33), (1000, 64), (130, 255), (2100, 70)]
            {
                let codes = numbers(count, depth, 1);
                let rows = numbers(257, depth, 2);
                let mut cases = vec![(codes.clone(), rows.clone())];
                // A common offset, sizes far apart, rows on codes and half-way between two, codes that hardly differ.
                cases.push((&codes + 1e3, &rows + 1e3));
                cases.push((&codes * 1e-20, &rows * 1e-20));
                cases.push((codes.clone(), &rows * 1e15));
                cases.push((codes.clone(), &rows * 1e-12));
                let on = Array2::from_shape_fn((200, depth), |(r, d)| codes[[r * 7 % count, d]]);
                let between = Array2::from_shape_fn((200, depth), |(r, d)| {
                    0.5 * (codes[[r * 7 % count, d]] + codes[[r * 5 % count, d]])
                });
                cases.push((codes.clone(), on));
                cases.push((codes.clone(), between));
                cases.push((&codes * 1e-4 + 1.0, rows.clone()));
                for (case, (codes, rows)) in cases.iter().enumerate() {
                    let [with, without] = both(codes, metric, rows);
                    assert_eq!(with, without, "{metric:?} {count} {depth}, case {case}");
                }
            }
        }
    }
}
