//! A block of rows of one item, turned so that vectors run along the rows: what the kernels work on.

use ndarray::{ArrayView1, ArrayView2, Axis, s};
use variata_distributions::Real;

use crate::diagonal::Diagonal;
use crate::kernel::weigh;
use crate::rows;
use crate::storage::Storage;
use crate::transpose::{Ahead, LINE, prefetch, to_columns, to_weighted_columns};

/// Rows per block: with 26 columns in f64 it fits the first-level cache.
pub(crate) const ROWS: usize = 128;
/// Rows are padded to a multiple of this with zeros, the longest vector of f32.
const LANES: usize = 16;

/// Fills a run of rows of a right-hand side: item, first row, where to.
pub(crate) type Right<'f> = &'f (dyn Fn(usize, usize, &mut [f64]) + Sync);

/// What rows are multiplied by on their way into a block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Weights {
    /// D^-½: columns of A = D^-½P, and of b.
    Whitening,
    /// 1: columns of P.
    One,
}

/// One item, by reference.
pub(crate) struct Item<'p, F, S = F> {
    pub b: usize,
    pub loc: ArrayView1<'p, F>,
    pub factor: ArrayView2<'p, S>,
    pub diag: Diagonal<'p, F>,
}

impl<F: Real, S: Storage> Item<'_, F, S> {
    /// The block of rows of the factor from `start` on, to be fetched into the cache; nothing of unusual layouts.
    fn ahead(&self, start: usize) -> Ahead {
        let ((n, r), strides) = (self.factor.dim(), self.factor.strides());
        let start = start.min(n);
        let rows = ROWS.min(n - start);
        let first = self.factor.as_ptr().wrapping_offset(start as isize * strides[0]);
        if self.factor.is_standard_layout() {
            Ahead::new(first, rows * r, 1, 0)
        } else if strides[0] == 1 {
            Ahead::new(first, rows, r, strides[1])
        } else {
            Ahead::new(first, 0, 0, 0)
        }
    }

    /// Rows [start, start + rows) of the factor, one after the other, where they lie so, are singles or narrower, and are long
    /// enough for [`crate::rows`].
    pub(crate) fn rows_of_singles<'s>(
        &'s self,
        start: usize,
        rows: usize,
        wide: &'s mut Vec<f32>,
    ) -> Option<&'s [f32]> {
        let r = self.factor.ncols();
        let flat = if r < rows::SHORTEST { None } else { self.factor.as_slice() };
        S::as_singles(&flat?[start * r..(start + rows) * r], wide)
    }
}

/// Memory whose first element lies at the start of a cache line.
#[derive(Debug)]
pub(crate) struct Aligned<T> {
    memory: Vec<T>,
    first: usize,
    len: usize,
}

impl<T: Copy + Default> Aligned<T> {
    pub(crate) fn new(len: usize) -> Self {
        let memory = vec![T::default(); len + LINE / size_of::<T>()];
        let first = memory.as_ptr().align_offset(LINE).min(LINE / size_of::<T>());
        Self { memory, first, len }
    }

    pub(crate) fn get(&self) -> &[T] {
        &self.memory[self.first..self.first + self.len]
    }

    pub(crate) fn get_mut(&mut self) -> &mut [T] {
        &mut self.memory[self.first..self.first + self.len]
    }
}

/// A block of rows.
pub(crate) struct Panel {
    /// First row.
    pub start: usize,
    /// Rows in it; the rest of each column is 0.
    pub rows: usize,
    /// From one column to the next.
    pub stride: usize,
    /// Columns of the factor.
    pub r: usize,
    weights: Aligned<f64>,
    /// Columns of the weighted factor, and after them that of the right-hand side.
    scaled: Aligned<f64>,
    /// Columns of P, where they were loaded as singles.
    singles: Aligned<f32>,
    turned: bool,
    wide: Vec<f32>,
}

impl Panel {
    /// For blocks of items with n rows and r columns.
    pub(crate) fn new(n: usize, r: usize) -> Self {
        let stride = ROWS.min(n.max(1).next_multiple_of(LANES));
        Self {
            start: 0,
            rows: 0,
            stride,
            r,
            weights: Aligned::new(stride),
            scaled: Aligned::new(stride * (r + 1)),
            singles: Aligned::new(stride * r),
            turned: false,
            wide: Vec::new(),
        }
    }

    /// Padded length of what is loaded: a multiple of the vector.
    pub(crate) fn padded(&self) -> usize {
        self.rows.next_multiple_of(LANES)
    }

    /// What each row was multiplied by.
    pub(crate) fn weights(&self) -> &[f64] {
        &self.weights.get()[..self.padded()]
    }

    /// Column j of the factor, or the right-hand side for j = r.
    pub(crate) fn column(&self, j: usize) -> &[f64] {
        &self.scaled.get()[j * self.stride..j * self.stride + self.padded()]
    }

    /// All columns, [`stride`](Self::stride) apart.
    pub(crate) fn columns(&self) -> &[f64] {
        self.scaled.get()
    }

    /// All columns of P as singles, `stride` apart, where they were loaded as such.
    pub(crate) fn singles(&self) -> Option<&[f32]> {
        self.turned.then(|| self.singles.get())
    }

    /// Loads rows [start, start + rows) of the factor, and of the right-hand side if there is one; returns the rows after them, to
    /// be fetched meanwhile.
    pub(crate) fn load<F: Real, S: Storage>(
        &mut self,
        item: &Item<'_, F, S>,
        by: Weights,
        right: Option<Right<'_>>,
        start: usize,
        rows: usize,
    ) -> Ahead {
        self.begin(item, by, right, start, rows);
        self.turned = false;
        let (stride, padded) = (self.stride, self.padded());
        let source = item.factor.slice(s![start..start + rows, ..]);
        let scaled = self.scaled.get_mut();
        let weights = self.weights.get();
        let together = source.to_slice().and_then(|flat| S::as_singles(flat, &mut self.wide));
        if let Some(flat) = together {
            to_weighted_columns(flat, rows, self.r, weights, scaled, stride);
        } else if source.strides()[0].abs() < source.strides()[1].abs() {
            for (column, to) in source.columns().into_iter().zip(scaled.chunks_exact_mut(stride)) {
                if let Some(column) = column.to_slice().and_then(|c| S::as_singles(c, &mut self.wide)) {
                    weigh(weights, column, to);
                } else {
                    to.iter_mut().zip(column).zip(weights).for_each(|((to, p), w)| *to = w * p.to_f64());
                }
            }
        } else {
            for (i, (row, w)) in source.rows().into_iter().zip(weights).enumerate() {
                for (p, to) in row.iter().zip(scaled.chunks_exact_mut(stride)) {
                    to[i] = w * p.to_f64();
                }
            }
        }
        for column in scaled.chunks_exact_mut(stride).take(self.r) {
            column[rows..padded].fill(0.0);
        }
        item.ahead(start + rows)
    }

    /// Loads rows of P as singles and the right-hand side, but no weighted columns; `false` where the storage is wider.
    pub(crate) fn load_singles<F: Real, S: Storage>(
        &mut self,
        item: &Item<'_, F, S>,
        right: Option<Right<'_>>,
        start: usize,
        rows: usize,
    ) -> bool {
        self.begin(item, Weights::Whitening, right, start, rows);
        self.turned = self.turn(item);
        self.turned
    }

    /// Whether squares of the weights neither over- nor underflow as singles.
    pub(crate) fn is_tame(&self) -> bool {
        self.weights()[..self.rows].iter().all(|w| (1e-10..=1e10).contains(w))
    }

    /// Weighted column j at row i, whatever was loaded.
    pub(crate) fn entry(&self, i: usize, j: usize) -> f64 {
        match self.singles() {
            Some(p) => self.weights()[i] * f64::from(p[j * self.stride + i]),
            None => self.column(j)[i],
        }
    }

    /// Loads weights and the right-hand side alone.
    pub(crate) fn begin<F: Real, S>(
        &mut self,
        item: &Item<'_, F, S>,
        by: Weights,
        right: Option<Right<'_>>,
        start: usize,
        rows: usize,
    ) {
        (self.start, self.rows) = (start, rows);
        let (r, stride, padded) = (self.r, self.stride, self.padded());
        let weights = &mut self.weights.get_mut()[..padded];
        match by {
            Weights::Whitening => item.diag.weights(start, &mut weights[..rows]),
            Weights::One => weights[..rows].fill(1.0),
        }
        weights[rows..].fill(0.0);
        if let Some(right) = right {
            let b = &mut self.scaled.get_mut()[r * stride..r * stride + padded];
            right(item.b, start, &mut b[..rows]);
            b.iter_mut().zip(self.weights.get()).for_each(|(b, w)| *b *= w);
            b[rows..].fill(0.0);
        }
    }

    /// The loaded rows of P as columns of singles, where they are singles or narrower.
    fn turn<F: Real, S: Storage>(&mut self, item: &Item<'_, F, S>) -> bool {
        let (start, rows, stride, padded) = (self.start, self.rows, self.stride, self.padded());
        let source = item.factor.slice(s![start..start + rows, ..]);
        let to = self.singles.get_mut();
        if let Some(flat) = source.to_slice() {
            let Some(flat) = S::as_singles(flat, &mut self.wide) else { return false };
            to_columns(flat, rows, self.r, to, stride);
        } else if rows == 1 || source.strides()[0] == 1 {
            for (column, to) in source.axis_iter(Axis(1)).zip(to.chunks_exact_mut(stride)) {
                prefetch(column.as_ptr().wrapping_add(rows), rows);
                let Some(column) = column.to_slice().and_then(|c| S::as_singles(c, &mut self.wide)) else {
                    return false;
                };
                to[..rows].copy_from_slice(column);
            }
        } else if S::as_singles(&[], &mut self.wide).is_some() {
            // One by one: in f64 the same numbers would have gradients with other last bits.
            for (row, i) in source.rows().into_iter().zip(0..rows) {
                row.iter().zip(to.chunks_exact_mut(stride)).for_each(|(p, to)| to[i] = p.to_f64() as f32);
            }
        } else {
            return false;
        }
        for column in to.chunks_exact_mut(stride) {
            column[rows..padded].fill(0.0);
        }
        true
    }
}
