//! One item of the batch: the capacitance matrix C = I + PᵀD⁻¹P and its factor, without forming anything n×n.
//!
//! With A = D^-½P and b = D^-½(x − μ), z = C⁻¹Aᵀb is the least-squares solution of [A; I]·z ≈ [b; 0].

use ndarray::{ArrayRef2, Axis, s};
use variata_distributions::Real;
use variata_distributions::lanes::widest;
use variata_distributions::linalg::{dot, solve_lower, solve_lower_transposed};
use variata_distributions::parallel::collect;

use crate::kernel::{self, Gram};
use crate::panel::{Aligned, Item, Panel, ROWS, Right, Weights};
use crate::reflections::{Triangle, lower, reflect};
use crate::rows::Times;
use crate::storage::{Storage, check_finite};
use crate::{Error, LowRankMvn};

/// Rows per task. Sums are formed per task and added in order, so that no result depends on the number of threads.
pub(crate) const TASK: usize = 32 * ROWS;

/// About how many parts the rows of one item have, where they are long enough.
const PARTS: usize = 4;

/// Smallest ratio of a pivot to its diagonal entry at which the normal equations keep enough digits for elements `F`: they
/// lose as many as the ratio has zeros.
fn worst_pivot<F: Real>() -> f64 {
    if F::UNIT_ROUNDOFF > 1e-10 { 1e-7 } else { 1e-2 }
}

/// Largest ‖b‖²/q over the pivot ratio at which q = ‖b‖² − ‖L⁻¹Aᵀb‖², which loses as many digits, is good enough for
/// elements `F`: 2⁻⁵³·2²³ = 10⁻⁹ for f32, a few units in the last place for f64.
fn worst_difference<F: Real>() -> f64 {
    if F::UNIT_ROUNDOFF > 1e-10 { 8388608.0 } else { 4.0 }
}

/// The factorised covariance of one item.
#[derive(Debug)]
pub(crate) enum Factorised {
    /// r < n: C = L·Lᵀ, r×r; `pivot` is the smallest ratio of a pivot to its diagonal entry.
    Capacitance { l: Vec<f64>, log_det: f64, pivot: f64 },
    /// n ≤ r: the covariance itself, L·Lᵀ, n×n.
    Dense { l: Vec<f64>, log_det: f64 },
}

/// What a factorisation says of a point.
#[derive(Debug, Default)]
pub(crate) struct Solution {
    /// C⁻¹Aᵀb; empty where n ≤ r.
    pub z: Vec<f64>,
    /// The squared Mahalanobis distance, where it falls out.
    pub q: Option<f64>,
}

impl<F: Real, S: Storage> LowRankMvn<'_, F, S> {
    /// Item b.
    pub(crate) fn item(&self, b: usize) -> Item<'_, F, S> {
        Item {
            b,
            loc: self.loc.row(b),
            factor: self.cov_factor.slice(s![b, .., ..]),
            diag: self.cov_diag.item(b),
        }
    }

    /// `f` of each item and each run of rows [start, end), in parallel; item after item.
    pub(crate) fn over_tasks<T: Send>(
        &self,
        f: impl Fn(&Item<'_, F, S>, usize, usize) -> T + Sync + Send,
    ) -> Vec<T> {
        let tasks = self.tasks();
        collect(self.batch() * tasks, |at| {
            let start = at % tasks * TASK;
            f(&self.item(at / tasks), start, self.dim().min(start + TASK))
        })
    }

    /// Runs of rows per item; 1 for no row.
    pub(crate) fn tasks(&self) -> usize {
        self.dim().div_ceil(TASK).max(1)
    }

    /// x − μ.
    pub(crate) fn gap(&self, x: &ArrayRef2<F>) -> impl Fn(usize, usize, &mut [f64]) + Sync {
        move |b, start, to| {
            let rows = s![b, start..start + to.len()];
            let (x, loc) = (x.slice(rows), self.loc.slice(rows));
            let gap = |(to, (x, loc)): (&mut f64, (&F, &F))| *to = x.to_f64() - loc.to_f64();
            if let (Some(x), Some(loc)) = (x.to_slice(), loc.to_slice()) {
                widest(
                    #[inline(always)]
                    || to.iter_mut().zip(x.iter().zip(loc)).for_each(gap),
                );
            } else {
                to.iter_mut().zip(x.iter().zip(loc)).for_each(gap);
            }
        }
    }

    /// The factor of each covariance, and what it says of each right-hand side.
    pub(crate) fn factorise(&self, right: Option<Right<'_>>) -> Result<Vec<(Factorised, Solution)>, Error> {
        if self.dim() <= self.rank() {
            return collect(self.batch(), |b| self.item(b).dense(right)).into_iter().collect();
        }
        let sums = self.over_tasks(|item, start, end| item.gram(right, start, end));
        let tasks = self.tasks();
        let found = collect(self.batch(), |b| {
            let gram = added(&sums[b * tasks..(b + 1) * tasks]);
            self.item(b).capacitance(&gram, right)
        });
        found.into_iter().collect()
    }
}

impl<F: Real, S: Storage> Item<'_, F, S> {
    pub(crate) fn n(&self) -> usize {
        self.loc.len()
    }

    pub(crate) fn r(&self) -> usize {
        self.factor.ncols()
    }

    /// Calls `f` with block after block of the factor, and of a right-hand side if there is one, of the rows [start, end).
    pub(crate) fn for_each_block(
        &self,
        by: Weights,
        right: Option<Right<'_>>,
        start: usize,
        end: usize,
        mut f: impl FnMut(&Panel),
    ) {
        let mut panel = Panel::new(end - start, self.r());
        for at in (start..end).step_by(ROWS) {
            panel.load(self, by, right, at, ROWS.min(end - at)).fetch_all();
            f(&panel);
        }
    }

    /// Products of the columns of [A, b]: the lower triangle.
    pub(crate) fn gram(&self, right: Option<Right<'_>>, start: usize, end: usize) -> Vec<f64> {
        let mut gram = Gram::new(self.r() + usize::from(right.is_some()));
        let mut panel = Panel::new(end - start, self.r());
        for at in (start..end).step_by(ROWS) {
            let ahead = panel.load(self, Weights::Whitening, right, at, ROWS.min(end - at));
            gram.add(panel.columns(), panel.stride, panel.padded(), ahead);
        }
        gram.sums()
    }

    /// The same of all rows, of one item whose rows are few: in parts that are worked on at the same time.
    pub(crate) fn gram_in_parts(&self, right: Right<'_>) -> Vec<f64> {
        let rows = self.n().div_ceil(PARTS).next_multiple_of(2 * ROWS).clamp(1, TASK);
        added(&collect(self.n().div_ceil(rows), |part| {
            self.gram(Some(right), part * rows, self.n().min((part + 1) * rows))
        }))
    }

    /// Calls `f` with block after block of the rows [start, end) and the residuals b − W·P·z of its rows. Where the rows of
    /// the factor lie one after the other nothing is turned, and the blocks hold weights and right-hand side alone.
    pub(crate) fn for_each_residual(
        &self,
        by: Weights,
        right: Right<'_>,
        z: &[f64],
        [start, end]: [usize; 2],
        mut f: impl FnMut(&Panel, &mut [f64]),
    ) {
        let mut panel = Panel::new(end - start, self.r());
        let (mut out, mut wide, mut times) = (Aligned::new(ROWS), Vec::new(), Times::new(z));
        for at in (start..end).step_by(ROWS) {
            let (rows, out) = (ROWS.min(end - at), out.get_mut());
            if let Some(p) = self.rows_of_singles(at, rows, &mut wide) {
                panel.begin(self, by, Some(right), at, rows);
                times.residual(p, panel.weights(), panel.column(self.r()), &mut out[..rows]);
            } else {
                panel.load(self, by, Some(right), at, rows).fetch_all();
                kernel::residual(panel.columns(), panel.stride, z, &mut out[..panel.padded()]);
            }
            f(&panel, &mut out[..rows]);
        }
    }

    /// ‖b − A·z‖² of the rows [start, end).
    pub(crate) fn residual_squares(&self, right: Right<'_>, z: &[f64], start: usize, end: usize) -> f64 {
        let mut sum = 0.0;
        self.for_each_residual(Weights::Whitening, right, z, [start, end], |_, out| sum += dot(out, out));
        sum
    }

    /// From the products of the columns of [A, b].
    pub(crate) fn capacitance(
        &self,
        gram: &[f64],
        right: Option<Right<'_>>,
    ) -> Result<(Factorised, Solution), Error> {
        let r = self.r();
        let log_diag = self.diag.log_det(self.n())?;
        // Squares may overflow; if they did not, an entry of the factor is no number.
        if !gram.iter().all(|v| v.is_finite()) {
            check_finite(&self.factor.insert_axis(Axis(0)))?;
        }
        if let Some(found) = from_products::<F>(gram, r, right.is_some(), log_diag) {
            return Ok(found);
        }
        let (l, solution) = self.by_reflections(right);
        let log_det: f64 = (0..r).map(|j| 2.0 * libm::log(l[j * r + j].abs())).sum();
        let q = solution.q.unwrap_or_default();
        if !(log_det.is_finite() && q.is_finite() && solution.z.iter().all(|z| z.is_finite())) {
            return Err(Error::Overflow { quantity: "D^-1/2 P or its products", batch: self.b });
        }
        Ok((Factorised::Capacitance { l, log_det: log_diag + log_det, pivot: 0.0 }, solution))
    }

    /// L with C = L·Lᵀ and z, by Householder reflections of [I, 0; A, b], block after block.
    ///
    /// For columns that are nearly parallel, where the squares of the normal equations would lose twice as many digits.
    pub(crate) fn by_reflections(&self, right: Option<Right<'_>>) -> (Vec<f64>, Solution) {
        let r = self.r();
        let mut triangle = Triangle::new(r, usize::from(right.is_some()), true);
        self.for_each_block(Weights::Whitening, right, 0, self.n(), |block| {
            triangle.add(block.rows, |j| block.column(j));
        });
        let (l, mut z) = (triangle.lower(), triangle.right());
        if right.is_none() {
            return (l, Solution::default());
        }
        solve_lower_transposed(&l, r, &mut z, 1);
        (l, Solution { q: Some(triangle.residual()), z })
    }

    /// For n ≤ r.
    fn dense(&self, right: Option<Right<'_>>) -> Result<(Factorised, Solution), Error> {
        let n = self.n();
        let (l, log_det) = self.root()?;
        let q = right.map(|right| {
            let mut gap = vec![0.0; n];
            right(self.b, 0, &mut gap);
            // A difference that is infinite would be NaN in the end, or not, by its neighbours.
            let finite = gap.iter().all(|v| v.is_finite());
            solve_lower(&l, n, &mut gap, 1);
            if finite { dot(&gap, &gap) } else { f64::NAN }
        });
        if q.is_some_and(f64::is_nan) {
            return Err(Error::Overflow { quantity: "the squared distance", batch: self.b });
        }
        Ok((Factorised::Dense { l, log_det }, Solution { z: Vec::new(), q }))
    }

    /// Row-major L with P·Pᵀ + D = L·Lᵀ and a positive diagonal, and log |L·Lᵀ|, by reflections of [Pᵀ; D^½], whose squares would lose twice as many
    /// digits.
    pub(crate) fn root(&self) -> Result<(Vec<f64>, f64), Error> {
        let n = self.n();
        check_finite(&self.factor.insert_axis(Axis(0)))?;
        let mut columns: Vec<Vec<f64>> = (0..n)
            .map(|i| {
                let own = (0..n).map(|j| if i == j { libm::sqrt(self.diag.at(i)) } else { 0.0 });
                self.factor.row(i).iter().map(|p| p.to_f64()).chain(own).collect()
            })
            .collect();
        let mut log_det = 0.0;
        for j in 0..n {
            let size = libm::sqrt(dot(&columns[j], &columns[j]));
            if !size.is_finite() {
                return Err(Error::Overflow { quantity: "the covariance", batch: self.b });
            }
            let (done, rest) = columns.split_at_mut(j + 1);
            reflect(&mut done[j], rest, j);
            let pivot = done[j][j].abs();
            // What rounding leaves of a column that depends on those before it.
            if !(pivot > 8.0 * f64::EPSILON * size && pivot.is_finite()) {
                return Err(Error::SingularCovariance { batch: self.b, rank: j, n });
            }
            log_det += 2.0 * libm::log(pivot);
        }
        let mut l = lower(&columns, n);
        for j in 0..n {
            // The sign of a column is free.
            if l[j * n + j] < 0.0 {
                (j..n).for_each(|i| l[i * n + j] = -l[i * n + j]);
            }
        }
        Ok((l, log_det))
    }
}

/// From the products of the columns of [A, b], or of A alone; `None` where they have lost too many digits.
pub(crate) fn from_products<F: Real>(
    gram: &[f64],
    r: usize,
    with_right: bool,
    log_diag: f64,
) -> Option<(Factorised, Solution)> {
    let columns = r + usize::from(with_right);
    // Products with the right-hand side that overflow, too: reflections square nothing.
    if with_right && !gram[r * columns..].iter().all(|v| v.is_finite()) {
        return None;
    }
    let mut l: Vec<f64> = (0..r).flat_map(|i| &gram[i * columns..i * columns + r]).copied().collect();
    let (log_det, pivot) = capacitance_factor(&mut l, r, worst_pivot::<F>())?;
    let factorised = Factorised::Capacitance { l, log_det: log_diag + log_det, pivot };
    let solution =
        if with_right { solve::<F>(&factorised, &gram[r * columns..]) } else { Solution::default() };
    Some((factorised, solution))
}

/// z, and q where the difference is good enough, from the row Aᵀb, ‖b‖² of the products.
fn solve<F: Real>(factorised: &Factorised, row: &[f64]) -> Solution {
    let (Factorised::Capacitance { l, pivot, .. }, Some((&squares, right))) = (factorised, row.split_last())
    else {
        return Solution::default();
    };
    let (r, mut z) = (right.len(), right.to_vec());
    solve_lower(l, r, &mut z, 1);
    let q = squares - dot(&z, &z);
    solve_lower_transposed(l, r, &mut z, 1);
    Solution { z, q: (q * pivot * worst_difference::<F>() >= squares).then_some(q) }
}

impl Factorised {
    pub(crate) fn log_det(&self) -> f64 {
        match self {
            Self::Capacitance { log_det, .. } | Self::Dense { log_det, .. } => *log_det,
        }
    }
}

/// Sums of parts, in order.
fn added(parts: &[Vec<f64>]) -> Vec<f64> {
    let mut parts = parts.iter();
    let mut sums = parts.next().cloned().unwrap_or_default();
    for part in parts {
        sums.iter_mut().zip(part).for_each(|(to, part)| *to += part);
    }
    sums
}

/// L of I + G in place of G, log |I + G| and the smallest ratio of a pivot to its diagonal entry; `None` where that is too
/// small. Reads the lower triangle.
///
/// Pivots are kept as their excess over 1, so that the determinant of a small G keeps its digits.
fn capacitance_factor(g: &mut [f64], r: usize, worst_pivot: f64) -> Option<(f64, f64)> {
    let (mut log_det, mut smallest) = (0.0, 1.0f64);
    for i in 0..r {
        let (above, rest) = g.split_at_mut(i * r);
        let row = &mut rest[..r];
        for j in 0..i {
            let other = &above[j * r..j * r + r];
            row[j] = (row[j] - dot(&row[..j], &other[..j])) / other[j];
        }
        let diagonal = 1.0 + row[i];
        let excess = row[i] - dot(&row[..i], &row[..i]);
        // Also refuses NaN.
        if !(1.0 + excess > worst_pivot * diagonal && diagonal.is_finite()) {
            return None;
        }
        smallest = smallest.min((1.0 + excess) / diagonal);
        log_det += libm::log1p(excess);
        row[i] = libm::sqrt(1.0 + excess);
        row[i + 1..].fill(0.0);
    }
    Some((log_det, smallest))
}
