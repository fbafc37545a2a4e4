//! Products with the covariance and its inverse, and the matrices themselves where they are asked for.

use ndarray::{Array1, Array2, Array3, ArrayRef2, Axis, s};
use variata_distributions::linalg::{solve_lower, solve_lower_transposed};
use variata_distributions::parallel::collect;
use variata_distributions::{ArgumentError, Real, check};

use crate::density::residual;
use crate::factorisation::Factorised;
use crate::{Error, LowRankMvn};

impl<F: Real> LowRankMvn<'_, F> {
    /// Σ·v for each item, v [batch, n] → [batch, n], in O(n r).
    ///
    /// # Errors
    /// `v` has another shape or is not finite.
    pub fn covariance_times(&self, v: &ArrayRef2<F>) -> Result<Array2<F>, Error> {
        check::shape("v", v.shape(), self.loc.shape())?;
        check::finite("v", v)?;
        let rows = collect(self.batch(), |b| {
            let p = self.cov_factor.slice(s![b, .., ..]);
            let mut c = vec![0.0; self.rank()];
            for (row, v) in p.rows().into_iter().zip(v.row(b)) {
                c.iter_mut().zip(row).for_each(|(c, p)| *c += p.to_f64() * v.to_f64());
            }
            let entry = |(i, row): (usize, ndarray::ArrayView1<'_, F>)| {
                let low: f64 = row.iter().zip(&c).map(|(p, c)| p.to_f64() * c).sum();
                F::from_f64(low + self.cov_diag.item(b).at(i) * v[(b, i)].to_f64())
            };
            p.rows().into_iter().enumerate().map(entry).collect::<Array1<F>>()
        });
        Ok(Array2::from_shape_fn(self.loc.raw_dim(), |(b, i)| rows[b][i]))
    }

    /// Σ⁻¹·v for each item, v [batch, n] → [batch, n], in O(n r²).
    ///
    /// ```text
    /// D⁻¹(v − Pz),   z = C⁻¹PᵀD⁻¹v
    /// ```
    /// Source: Woodbury's identity.
    ///
    /// # Errors
    /// `v` has another shape or is not finite; no inverse exists, as for [`log_prob`](Self::log_prob).
    pub fn precision_times(&self, v: &ArrayRef2<F>) -> Result<Array2<F>, Error> {
        check::shape("v", v.shape(), self.loc.shape())?;
        // v is the distance of a point from a location of 0.
        let centred = LowRankMvn {
            loc: Array2::from_elem(self.loc.raw_dim(), F::ZERO).into(),
            cov_factor: self.cov_factor.view().into(),
            cov_diag: self.cov_diag.view(),
        };
        let rows: Vec<Vec<F>> = centred.evaluate(v, |item, found| match &found.factorised {
            Factorised::Capacitance { .. } => {
                let mut solved = Vec::with_capacity(item.n());
                item.for_each_block(Some(v.row(item.b)), |block| {
                    let rows = block.rows.rows().into_iter().zip(&block.weights);
                    solved.extend(rows.map(|(row, w)| F::from_f64(w * residual(&row, &found.z))));
                });
                solved
            }
            Factorised::Dense { l, .. } => {
                let mut solved: Vec<f64> = v.row(item.b).iter().map(|v| v.to_f64()).collect();
                solve_lower(l, item.n(), &mut solved, 1);
                solve_lower_transposed(l, item.n(), &mut solved, 1);
                solved.into_iter().map(F::from_f64).collect()
            }
        })?;
        Ok(Array2::from_shape_fn(self.loc.raw_dim(), |(b, i)| rows[b][i]))
    }

    /// Row i of the covariance of each item, [batch, n]: how a pixel moves with all others.
    ///
    /// # Errors
    /// `index` is not below n.
    pub fn covariance_row(&self, index: usize) -> Result<Array2<F>, Error> {
        let n = self.dim();
        if index >= n {
            let value = index as f64;
            return Err(
                ArgumentError::Value { argument: "index", index: None, value, must: "below n" }.into()
            );
        }
        Ok(Array2::from_shape_fn(self.loc.raw_dim(), |(b, i)| self.covariance_entry(b, i, index)))
    }

    /// P·Pᵀ + D, [batch, n, n].
    pub fn covariance_matrix(&self) -> Array3<F> {
        let (batch, n) = self.loc.dim();
        Array3::from_shape_fn((batch, n, n), |(b, i, j)| self.covariance_entry(b, i, j))
    }

    fn covariance_entry(&self, b: usize, i: usize, j: usize) -> F {
        let p = self.cov_factor.index_axis(Axis(0), b);
        let low: f64 = p.row(i).iter().zip(p.row(j)).map(|(p, q)| p.to_f64() * q.to_f64()).sum();
        F::from_f64(if i == j { low + self.cov_diag.item(b).at(i) } else { low })
    }
}
