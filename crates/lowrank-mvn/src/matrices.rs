//! Products with the covariance and its inverse, and the matrices themselves where they are asked for.

use ndarray::{Array2, Array3, ArrayRef2, Axis, s};
use variata_distributions::parallel::{collect, for_each};
use variata_distributions::{ArgumentError, Real, check};

use crate::diagonal::fill;
use crate::factorisation::TASK;
use crate::panel::{Right, Weights};
use crate::storage::Storage;
use crate::{Error, LowRankMvn, kernel};

/// A power of two beyond the root of the largest number.
const LARGE: f64 = f64::from_bits(0x5FF0_0000_0000_0000);

impl<F: Real, S: Storage> LowRankMvn<'_, F, S> {
    /// Σ·v for each item, v [batch, n] → [batch, n], in O(n r).
    ///
    /// # Errors
    /// `v` has another shape or is not finite; a product overflows ([`Error::Overflow`]).
    pub fn covariance_times(&self, v: &ArrayRef2<F>) -> Result<Array2<F>, Error> {
        self.check_vector(v)?;
        let projected = self.projected(Weights::One, &vectors(v));
        let found = self.coloured(&projected, &|b, start, to| {
            self.cov_diag.item(b).variances(start, to);
            let v = v.slice(s![b, start..start + to.len()]);
            to.iter_mut().zip(v).for_each(|(to, v)| *to *= v.to_f64());
        });
        no_overflow("covariance_times", found)
    }

    /// Σ⁻¹·v for each item, v [batch, n] → [batch, n], in O(n r²).
    ///
    /// ```text
    /// D⁻¹(v − Pz),   z = C⁻¹PᵀD⁻¹v
    /// ```
    /// Source: Woodbury's identity.
    ///
    /// # Errors
    /// `v` has another shape or is not finite; no inverse exists, as for [`log_prob`](Self::log_prob); a product overflows
    /// ([`Error::Overflow`]).
    pub fn precision_times(&self, v: &ArrayRef2<F>) -> Result<Array2<F>, Error> {
        self.check_vector(v)?;
        let right = vectors(v);
        let found = self.factorise(Some(&right))?;
        let mut solved = Array2::from_elem(self.loc.raw_dim(), F::ZERO);
        self.slopes(Some(&right), &found, Some(&mut solved), Vec::new());
        no_overflow("precision_times", solved)
    }

    /// Row i of the covariance of each item, [batch, n]: how a pixel moves with all others.
    ///
    /// # Errors
    /// `index` is not below n.
    pub fn covariance_row(&self, index: usize) -> Result<Array2<F>, Error> {
        check::scalar("index", index as f64, "below n", index < self.dim())?;
        Ok(self.covariance_block(&[index], None)?.index_axis_move(Axis(1), 0))
    }

    /// Entries of the covariance at `rows` × `columns`, [batch, rows, columns]; all columns for `None`.
    ///
    /// # Errors
    /// An index is not below n.
    pub fn covariance_block(&self, rows: &[usize], columns: Option<&[usize]>) -> Result<Array3<F>, Error> {
        self.check_indices("rows", rows)?;
        self.check_indices("columns", columns.unwrap_or_default())?;
        let width = columns.map_or(self.dim(), <[usize]>::len);
        let at = |j: usize| columns.map_or(j, |columns| columns[j]);
        Ok(Array3::from_shape_fn((self.batch(), rows.len(), width), |(b, i, j)| {
            F::from_f64(self.covariance_entry(b, rows[i], at(j)))
        }))
    }

    /// P·Pᵀ + D, [batch, n, n].
    pub fn covariance_matrix(&self) -> Array3<F> {
        let (batch, n) = self.loc.dim();
        Array3::from_shape_fn((batch, n, n), |(b, i, j)| F::from_f64(self.covariance_entry(b, i, j)))
    }

    /// Σ⁻¹, [batch, n, n].
    ///
    /// # Errors
    /// No inverse exists, as for [`log_prob`](Self::log_prob).
    pub fn precision_matrix(&self) -> Result<Array3<F>, Error> {
        let (batch, n) = self.loc.dim();
        let mut inverse = Array3::from_elem((batch, n, n), F::ZERO);
        // One column for all items at a time: O(n²r²) work, but only for whoever asks for n² numbers.
        let mut unit = Array2::from_elem((batch, n), F::ZERO);
        for j in 0..n {
            unit.column_mut(j).fill(F::ONE);
            inverse.slice_mut(s![.., .., j]).assign(&self.precision_times(&unit)?);
            unit.column_mut(j).fill(F::ZERO);
        }
        Ok(inverse)
    }

    /// Lower triangular L with L·Lᵀ = Σ, [batch, n, n], for code that wants a dense normal.
    ///
    /// # Errors
    /// The covariance is singular to rounding: [`Error::SingularCovariance`].
    pub fn scale_tril(&self) -> Result<Array3<F>, Error> {
        let (batch, n) = self.loc.dim();
        let mut l = Array3::from_elem((batch, n, n), F::ZERO);
        let found = collect(batch, |b| self.item(b).root());
        for (mut to, found) in l.axis_iter_mut(Axis(0)).zip(found) {
            let (root, _) = found?;
            to.iter_mut().zip(root).for_each(|(to, v)| *to = F::from_f64(v));
        }
        Ok(l)
    }

    /// Entry (i, j) of the covariance of item b.
    pub(crate) fn covariance_entry(&self, b: usize, i: usize, j: usize) -> f64 {
        let p = self.cov_factor.index_axis(Axis(0), b);
        let product = |by: f64| -> f64 {
            p.row(i).iter().zip(p.row(j)).map(|(p, q)| (by * p.to_f64()) * (by * q.to_f64())).sum()
        };
        let low = match product(1.0) {
            // Products that overflow against each other.
            low if !low.is_finite() => product(1.0 / LARGE) * LARGE * LARGE,
            low => low,
        };
        if i == j { low + self.cov_diag.item(b).at(i) } else { low }
    }

    pub(crate) fn check_vector(&self, v: &ArrayRef2<F>) -> Result<(), Error> {
        check::shape("v", v.shape(), self.loc.shape())?;
        Ok(check::finite("v", v)?)
    }

    pub(crate) fn check_indices(&self, argument: &'static str, indices: &[usize]) -> Result<(), Error> {
        match indices.iter().enumerate().find(|(_, i)| **i >= self.dim()) {
            None => Ok(()),
            Some((at, &i)) => {
                Err(ArgumentError::Value { argument, index: Some(at), value: i as f64, must: "below n" }
                    .into())
            }
        }
    }

    /// Products of the weighted columns of each factor with a right-hand side that is weighted too, [batch, r].
    pub(crate) fn projected(&self, by: Weights, right: Right<'_>) -> Array2<f64> {
        let parts = self.over_tasks(|item, start, end| {
            let mut sums = vec![0.0; item.r()];
            item.for_each_block(by, Some(right), start, end, |block| {
                kernel::project(block.columns(), block.stride, block.padded(), &mut sums);
            });
            sums
        });
        let tasks = self.tasks();
        Array2::from_shape_fn((self.batch(), self.rank()), |(b, j)| {
            parts[b * tasks..(b + 1) * tasks].iter().map(|part| part[j]).sum()
        })
    }

    /// P·c + own, c [batch, r] → [batch, n].
    pub(crate) fn coloured<C: Real>(&self, c: &ArrayRef2<C>, own: Right<'_>) -> Array2<F> {
        self.coloured_by(Weights::One, c, own)
    }

    /// The same with rows weighted, those of `own` too.
    pub(crate) fn coloured_by<C: Real>(&self, by: Weights, c: &ArrayRef2<C>, own: Right<'_>) -> Array2<F> {
        let (batch, n) = self.loc.dim();
        let mut values = vec![F::ZERO; batch * n];
        let runs = values
            .chunks_mut(n.max(1))
            .enumerate()
            .flat_map(|(b, row)| row.chunks_mut(TASK).enumerate().map(move |(k, run)| (b, k * TASK, run)));
        for_each(runs.collect(), |(b, start, to)| {
            let minus: Vec<f64> = c.row(b).iter().map(|c| -c.to_f64()).collect();
            let range = [start, start + to.len()];
            self.item(b).for_each_residual(by, own, &minus, range, |block, out| {
                let to = &mut to[block.start - start..];
                to.iter_mut().zip(out).for_each(|(to, v)| *to = F::from_f64(*v));
            });
        });
        // batch·n values.
        Array2::from_shape_vec((batch, n), values).unwrap_or_default()
    }
}

/// Refuses what is not finite.
pub(crate) fn no_overflow<F: Real>(quantity: &'static str, found: Array2<F>) -> Result<Array2<F>, Error> {
    match found.indexed_iter().find(|(_, v)| !v.to_f64().is_finite()) {
        Some(((batch, _), _)) => Err(Error::Overflow { quantity, batch }),
        None => Ok(found),
    }
}

/// Rows of `v` as right-hand sides.
pub(crate) fn vectors<F: Real>(v: &ArrayRef2<F>) -> impl Fn(usize, usize, &mut [f64]) + Sync {
    move |b, start, to| {
        fill(to, &v.slice(s![b, start..start + to.len()]));
    }
}
