//! The second pass over the factor: α, and gradients as combinations of αzᵀ and D⁻¹PC⁻¹.

use ndarray::{Array2, Array3, ArrayViewMut1, ArrayViewMut2, Axis, s};
use variata_distributions::Real;
use variata_distributions::lanes::{Lane, in_large_pages};
use variata_distributions::linalg::{dot, factored_inverse, solve_lower, solve_lower_transposed};
use variata_distributions::parallel::{collect, for_each};

use crate::LowRankMvn;
use crate::factorisation::{Factorised, Solution, TASK};
use crate::kernel;
use crate::panel::{Aligned, Item, Panel, ROWS, Right, Weights};
use crate::rows::{self, Rows, Times};
use crate::storage::Storage;
use crate::transpose::{as_singles, as_singles_mut, to_rows};

/// A gradient as a combination of its two parts: ∂P = outer·αzᵀ + inner·D⁻¹PC⁻¹ and ∂D = ½(outer·α² + inner·(1 − h)/d).
#[derive(Clone, Copy)]
pub(crate) struct Parts {
    pub outer: f64,
    pub inner: f64,
}

impl Parts {
    /// What α counts; it may overflow where it does not.
    fn of_alpha(self, alpha: f64) -> f64 {
        if self.outer == 0.0 { 0.0 } else { self.outer * alpha }
    }
}

pub(crate) const LOG_PROB: Parts = Parts { outer: 1.0, inner: -1.0 };
pub(crate) const ENTROPY: Parts = Parts { outer: 0.0, inner: 1.0 };
pub(crate) const MAHALANOBIS: Parts = Parts { outer: -2.0, inner: 0.0 };

/// Smallest ratio of a pivot to its diagonal entry at which C⁻¹ itself will do.
const INDEPENDENT: f64 = 1.0 / 32.0;
/// From here on up a leverage h is found again in f64, because 1 − h is what counts.
const HIGH_LEVERAGE: f64 = 0.5;

/// Where a gradient goes.
pub(crate) struct Target<'t, F> {
    /// Of each item.
    pub parts: &'t [Parts],
    pub cov_factor: &'t mut Array3<F>,
    pub cov_diag: &'t mut Array2<F>,
}

/// Where a gradient goes, for a run of rows.
struct Output<'o, F> {
    parts: Parts,
    factor: ArrayViewMut2<'o, F>,
    diag: ArrayViewMut1<'o, F>,
}

impl<F: Real, S: Storage> LowRankMvn<'_, F, S> {
    /// Writes α where there is a right-hand side, and the gradients that are wanted; returns the squares of the residuals
    /// per run of rows. The shapes must fit.
    pub(crate) fn slopes(
        &self,
        right: Option<Right<'_>>,
        found: &[(Factorised, Solution)],
        alpha: Option<&mut Array2<F>>,
        targets: Vec<Target<'_, F>>,
    ) -> Vec<f64> {
        let (batch, n) = self.loc.dim();
        let rows = if n <= self.rank() { n.max(1) } else { TASK };
        let runs = n.div_ceil(rows).max(1);
        let mut squares = vec![0.0; batch * runs];
        // Where no target takes anything of D⁻¹PC⁻¹, as in the gradient of log-density and entropy together, C⁻¹ is not found.
        let wanted = |b: usize| targets.iter().any(|target| target.parts[b].inner != 0.0);
        let inverses = collect(if targets.is_empty() { 0 } else { batch }, |b| match &found[b].0 {
            Factorised::Capacitance { .. } if !wanted(b) => vec![0.0; self.rank() * self.rank()],
            Factorised::Capacitance { l, .. } => factored_inverse(l, self.rank()),
            Factorised::Dense { l, .. } => factored_inverse(l, n),
        });
        let mut alphas = alpha.map(|alpha| alpha.axis_iter_mut(Axis(0)).flat_map(|row| pieces(row, rows)));
        let mut targets: Vec<_> = targets
            .into_iter()
            .map(|Target { parts, cov_factor, cov_diag }| {
                let factors = cov_factor.axis_iter_mut(Axis(0)).flat_map(|item| pieces(item, rows));
                let diags = cov_diag.axis_iter_mut(Axis(0)).flat_map(|row| pieces(row, rows));
                (parts, factors.zip(diags))
            })
            .collect();
        let tasks = squares.iter_mut().enumerate().map(|(at, squares)| {
            let outputs = targets.iter_mut().filter_map(|(parts, places)| {
                places.next().map(|(factor, diag)| Output { parts: parts[at / runs], factor, diag })
            });
            let outputs = outputs.collect::<Vec<_>>();
            (at / runs, at % runs * rows, squares, alphas.as_mut().and_then(Iterator::next), outputs)
        });
        for_each(tasks.collect(), |(b, start, squares, alpha, outputs)| {
            let item = self.item(b);
            let (factorised, solution) = &found[b];
            let inverse: &[f64] = inverses.get(b).map_or(&[], |inverse| inverse);
            match factorised {
                Factorised::Capacitance { l, pivot, .. } => {
                    let (z, pivot, columns) = (&*solution.z, *pivot, Vec::new());
                    let mut run = Run { start, l, inverse, z, pivot, alpha, outputs, columns };
                    *squares = run.all(&item, right, n.min(start + rows));
                }
                Factorised::Dense { l, .. } => item.by_covariance(l, inverse, right, alpha, outputs),
            }
        });
        squares
    }

    /// Zeros of the factor's shape, in its memory layout.
    pub(crate) fn like_factor(&self) -> Array3<F> {
        let (batch, n, r) = self.cov_factor.dim();
        let strides = self.cov_factor.strides();
        let turned = n > 1 && r > 1 && strides[1].abs() < strides[2].abs();
        let mut like = Array3::from_elem(if turned { (batch, r, n) } else { (batch, n, r) }, F::ZERO);
        in_large_pages(like.as_slice_mut().unwrap_or_default());
        if turned { like.permuted_axes([0, 2, 1]) } else { like }
    }
}

/// Runs of `rows` along the first axis; one, empty, where that is empty.
fn pieces<F, D: ndarray::RemoveAxis>(
    view: ndarray::ArrayViewMut<'_, F, D>,
    rows: usize,
) -> Vec<ndarray::ArrayViewMut<'_, F, D>> {
    let (mut pieces, mut rest) = (Vec::new(), view);
    while rest.len_of(Axis(0)) > rows {
        let (piece, after) = rest.split_at(Axis(0), rows);
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces
}

/// Whether D⁻¹PC⁻¹ in singles has relative error ≤ 10⁻⁵, and nothing over- or underflows.
fn fits_singles(l: &[f64], r: usize, pivot: f64) -> bool {
    pivot >= INDEPENDENT && l.chunks_exact(r.max(1)).all(|row| dot(row, row) <= 1e20)
}

/// A run of rows of one item with r < n.
struct Run<'o, F> {
    start: usize,
    l: &'o [f64],
    /// C⁻¹; empty where there is no output.
    inverse: &'o [f64],
    z: &'o [f64],
    /// Smallest ratio of a pivot to its diagonal entry: where columns are nearly dependent C⁻¹ has lost digits, which L has not.
    pivot: f64,
    alpha: Option<ArrayViewMut1<'o, F>>,
    outputs: Vec<Output<'o, F>>,
    /// Columns of A at rows whose leverage is found again.
    columns: Vec<f64>,
}

/// Blocks on their way, in one element type.
struct Buffers<E> {
    /// C⁻¹.
    inverse: Vec<E>,
    /// C⁻¹A, turned.
    solved: Aligned<E>,
    /// A gradient.
    out: Aligned<E>,
    /// Per row, of α·z and of C⁻¹A.
    factors: [Aligned<E>; 2],
    /// The leverage.
    dots: Aligned<E>,
}

impl<E: Real> Buffers<E> {
    fn new(inverse: &[f64], r: usize) -> Self {
        Self {
            inverse: inverse.iter().map(|&v| E::from_f64(v)).collect(),
            solved: Aligned::new(ROWS * r),
            out: Aligned::new(ROWS * r),
            factors: [Aligned::new(ROWS), Aligned::new(ROWS)],
            dots: Aligned::new(ROWS),
        }
    }
}

/// What blocks of rows of singles need.
struct AlongRows {
    rows: Rows,
    times: Times,
    wide: Vec<f32>,
    dots: [f32; ROWS],
    scratch: Aligned<f32>,
    /// Per output and row, of α·z and of P·C⁻¹.
    factors: [[[f32; ROWS]; 2]; 2],
}

impl AlongRows {
    fn new(inverse: &[f64], z: &[f64], r: usize) -> Self {
        let rows = Rows::new(inverse, z, r);
        let scratch = Aligned::new(ROWS * rows::WIDE);
        let times = Times::new(z);
        Self { rows, times, wide: Vec::new(), dots: [0.0; ROWS], scratch, factors: [[[0.0; ROWS]; 2]; 2] }
    }
}

impl<F: Real> Run<'_, F> {
    /// Rows up to `end`; returns the sum of the squares of the residuals.
    fn all<S: Storage>(&mut self, item: &Item<'_, F, S>, right: Option<Right<'_>>, end: usize) -> f64 {
        let (r, inverse, mut squares) = (item.r(), self.inverse, 0.0);
        if self.outputs.is_empty() {
            if let Some(right) = right {
                item.for_each_residual(
                    Weights::Whitening,
                    right,
                    self.z,
                    [self.start, end],
                    |block, alpha| {
                        squares += dot(alpha, alpha);
                        self.keep_alpha(block, alpha);
                    },
                );
            }
            return squares;
        }
        let fast = F::UNIT_ROUNDOFF > 1e-10 && fits_singles(self.l, r, self.pivot);
        let mut rows_of = (fast && self.in_rows(item)).then(|| AlongRows::new(inverse, self.z, r));
        let (mut singles, mut doubles) = (None, None);
        let mut alpha = Aligned::new(ROWS);
        let mut panel = Panel::new(end - self.start, r);
        for start in (self.start..end).step_by(ROWS) {
            let rows = ROWS.min(end - start);
            let alpha = alpha.get_mut();
            if let Some(rows_of) = &mut rows_of {
                panel.begin(item, Weights::Whitening, right, start, rows);
                if panel.is_tame() {
                    squares += self.along_rows(item, &panel, rows_of, &mut alpha[..rows]);
                    continue;
                }
            }
            // Gradients of singles are found in singles; what decides their digits, z and the residual, in f64.
            if !(fast && panel.load_singles(item, right, start, rows) && panel.is_tame()) {
                panel.load(item, Weights::Whitening, right, start, rows).fetch_all();
            }
            let alpha = &mut alpha[..panel.padded()];
            if self.alpha.is_some() {
                squares += if let Some(p) = panel.singles() {
                    let right = panel.column(r);
                    kernel::residual_of_singles(p, panel.stride, panel.weights(), right, self.z, alpha)
                } else {
                    kernel::residual(panel.columns(), panel.stride, self.z, alpha);
                    // As `residual_squares` adds them, so that the value is the same with gradients and without.
                    dot(&alpha[..rows], &alpha[..rows])
                };
                self.keep_alpha(&panel, alpha);
            }
            if let Some(p) = panel.singles() {
                let buffers = singles.get_or_insert_with(|| Buffers::new(inverse, r));
                self.block(&panel, p, true, alpha, buffers);
            } else {
                let buffers = doubles.get_or_insert_with(|| Buffers::new(inverse, r));
                self.block(&panel, panel.columns(), false, alpha, buffers);
            }
        }
        squares
    }

    /// From residuals to α, which is written.
    fn keep_alpha(&mut self, block: &Panel, alpha: &mut [f64]) {
        let Some(to) = &mut self.alpha else { return };
        alpha.iter_mut().zip(block.weights()).for_each(|(a, w)| *a *= w);
        let first = block.start - self.start;
        store(to.slice_mut(s![first..first + block.rows]), alpha.iter().copied());
    }

    /// Whether factor and gradients are rows of singles that follow each other.
    fn in_rows<S: Storage>(&mut self, item: &Item<'_, F, S>) -> bool {
        let flat =
            |output: &mut Output<'_, F>| output.factor.as_slice_mut().and_then(as_singles_mut).is_some();
        item.rows_of_singles(0, 0, &mut Vec::new()).is_some() && self.outputs.iter_mut().all(flat)
    }

    /// One block of rows of singles; returns the sum of the squares of the residuals.
    fn along_rows<S: Storage>(
        &mut self,
        item: &Item<'_, F, S>,
        block: &Panel,
        AlongRows { rows: kernel, times, wide, dots, scratch, factors }: &mut AlongRows,
        alpha: &mut [f64],
    ) -> f64 {
        let (r, count, first) = (block.r, block.rows, block.start - self.start);
        // As `in_rows` has found.
        let Some(p) = item.rows_of_singles(block.start, count, wide) else { return f64::NAN };
        let mut squares = 0.0;
        if self.alpha.is_some() {
            times.residual(p, block.weights(), block.column(r), alpha);
            squares = dot(alpha, alpha);
            self.keep_alpha(block, alpha);
        }
        let weights = &block.weights()[..count];
        for (Output { parts, .. }, [of_point, of_solved]) in self.outputs.iter().zip(&mut *factors) {
            for (i, (w, a)) in weights.iter().zip(&*alpha).enumerate() {
                of_point[i] = parts.of_alpha(*a) as f32;
                of_solved[i] = (parts.inner * w * w) as f32;
            }
        }
        let mut outputs = Vec::with_capacity(2);
        for (Output { factor, .. }, [of_point, of_solved]) in self.outputs.iter_mut().zip(&*factors) {
            if let Some(to) = factor.as_slice_mut().and_then(as_singles_mut) {
                let to = &mut to[first * r..(first + count) * r];
                outputs.push(rows::Output { of_point, of_solved, to });
            }
        }
        let dots = &mut dots[..count];
        kernel.gradients(p, &mut outputs, dots, scratch.get_mut());
        let mut leverages = [0.0; ROWS];
        let leverages = &mut leverages[..count];
        leverages.iter_mut().zip(&*dots).zip(weights).for_each(|((h, dot), w)| *h = f64::from(*dot) * w * w);
        self.own(block, alpha, leverages, |i, j| weights[i] * f64::from(p[i * r + j]));
        squares
    }

    /// The gradients in the diagonal, from leverages, and from A, entry by entry, where a leverage is high.
    fn own(
        &mut self,
        block: &Panel,
        alpha: &[f64],
        leverages: &mut [f64],
        entry: impl Fn(usize, usize) -> f64,
    ) {
        let first = block.start - self.start;
        let again = |h: f64| self.pivot < INDEPENDENT || h > HIGH_LEVERAGE;
        let again: Vec<_> = (0..leverages.len()).filter(|&i| again(leverages[i])).collect();
        if !again.is_empty() {
            // All at once: in a training whose columns become dependent it is every row of every step.
            let count = again.len();
            self.columns.resize(block.r * count, 0.0);
            for (j, column) in self.columns.chunks_exact_mut(count).enumerate() {
                column.iter_mut().zip(&again).for_each(|(to, &i)| *to = entry(i, j));
            }
            solve_lower(self.l, block.r, &mut self.columns, count);
            let mut squares = [0.0; ROWS];
            for column in self.columns.chunks_exact(count) {
                squares.iter_mut().zip(column).for_each(|(sum, v)| *sum += v * v);
            }
            for (i, sum) in again.into_iter().zip(squares) {
                leverages[i] = sum.min(1.0);
            }
        }
        for Output { parts, diag, .. } in &mut self.outputs {
            let slopes = leverages.iter().zip(block.weights()).zip(alpha);
            let slopes =
                slopes.map(|((h, w), a)| 0.5 * (parts.of_alpha(*a) * a + parts.inner * w * w * (1.0 - h)));
            store(diag.slice_mut(s![first..first + block.rows]), slopes);
        }
    }

    /// One block. `columns` are those of P where `raw`, else of A.
    fn block<E: Lane>(
        &mut self,
        block: &Panel,
        columns: &[E],
        raw: bool,
        alpha: &[f64],
        buffers: &mut Buffers<E>,
    ) {
        let (r, rows, stride) = (block.r, block.rows, block.stride);
        let first = block.start - self.start;
        let weights = block.weights();
        let Buffers { inverse, solved, out, factors: [of_point, of_solved], dots } = buffers;
        let (solved, out) = (&mut solved.get_mut()[..r * stride], &mut out.get_mut()[..r * stride]);
        let dots = &mut dots.get_mut()[..block.padded()];
        // Else `solved` and `dots` stay 0, as they were made.
        if self.outputs.iter().any(|output| output.parts.inner != 0.0) {
            kernel::product(inverse, &columns[..r * stride], solved, dots, stride);
        }
        for Output { parts, factor, .. } in &mut self.outputs {
            let (of_point, of_solved) = (of_point.get_mut(), of_solved.get_mut());
            for (i, (w, a)) in weights.iter().zip(alpha).enumerate() {
                of_point[i] = E::from_f64(parts.of_alpha(*a));
                of_solved[i] = E::from_f64(parts.inner * if raw { w * w } else { *w });
            }
            // What has no part in it may have overflowed.
            let z = if parts.outer == 0.0 { &[] } else { self.z };
            kernel::combine(of_point, z, of_solved, solved, out, stride);
            write(out, stride, factor.slice_mut(s![first..first + rows, ..]));
        }
        let mut leverages = [0.0; ROWS];
        for ((h, dot), w) in leverages.iter_mut().zip(&*dots).zip(weights) {
            *h = dot.to_f64() * if raw { w * w } else { 1.0 };
        }
        self.own(block, alpha, &mut leverages[..rows], |i, j| block.entry(i, j));
    }
}

/// Rounds values into `to`.
fn store<F: Real>(mut to: ArrayViewMut1<'_, F>, values: impl Iterator<Item = f64>) {
    match to.as_slice_mut() {
        Some(to) => to.iter_mut().zip(values).for_each(|(to, v)| *to = F::from_f64(v)),
        None => to.iter_mut().zip(values).for_each(|(to, v)| *to = F::from_f64(v)),
    }
}

/// The columns of a block into the rows of `to`.
fn write<E: Lane, F: Real>(block: &[E], stride: usize, mut to: ArrayViewMut2<'_, F>) {
    let (rows, r) = to.dim();
    let singles = as_singles(block);
    if let Some(from) = singles
        && let Some(to) = to.as_slice_mut().and_then(as_singles_mut)
    {
        to_rows(from, stride, rows, r, to);
        return;
    }
    for (j, mut to) in to.columns_mut().into_iter().enumerate() {
        let here = j * stride..j * stride + rows;
        match (singles, to.as_slice_mut().and_then(as_singles_mut)) {
            (Some(from), Some(to)) => to.copy_from_slice(&from[here]),
            _ => to.iter_mut().zip(&block[here]).for_each(|(to, v)| *to = F::from_f64(v.to_f64())),
        }
    }
}

impl<F: Real, S: Storage> Item<'_, F, S> {
    /// For n ≤ r: ∂P = outer·αzᵀ + inner·Σ⁻¹P with z = Pᵀα, and ∂D = ½(outer·α² + inner·diag Σ⁻¹).
    fn by_covariance(
        &self,
        l: &[f64],
        inverse: &[f64],
        right: Option<Right<'_>>,
        to: Option<ArrayViewMut1<'_, F>>,
        outputs: Vec<Output<'_, F>>,
    ) {
        let n = self.n();
        let mut alpha = vec![0.0; n];
        if let (Some(right), Some(to)) = (right, to) {
            right(self.b, 0, &mut alpha);
            solve_lower(l, n, &mut alpha, 1);
            solve_lower_transposed(l, n, &mut alpha, 1);
            to.into_iter().zip(&alpha).for_each(|(to, a)| *to = F::from_f64(*a));
        }
        let r = self.r();
        let mut z = vec![0.0; r];
        for (p, a) in self.factor.rows().into_iter().zip(&alpha) {
            z.iter_mut().zip(p).for_each(|(z, p)| *z += a * p.to_f64());
        }
        // Not Σ⁻¹ times P: an entry of it may be infinite beside one of P that is 0.
        let mut solved: Vec<f64> = self.factor.iter().map(|p| p.to_f64()).collect();
        solve_lower(l, n, &mut solved, r);
        solve_lower_transposed(l, n, &mut solved, r);
        for Output { parts, mut factor, mut diag } in outputs {
            let inner = |v: f64| if parts.inner == 0.0 { 0.0 } else { parts.inner * v };
            for (i, a) in alpha.iter().enumerate() {
                let outer = parts.of_alpha(*a);
                diag[i] = F::from_f64(0.5 * (outer * a + inner(inverse[i * n + i])));
                let row = z.iter().zip(&solved[i * r..(i + 1) * r]);
                for (to, (z, solved)) in factor.row_mut(i).iter_mut().zip(row) {
                    *to = F::from_f64(outer * z + inner(*solved));
                }
            }
        }
    }
}
