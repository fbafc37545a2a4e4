//! Principal components of the factor: what moves together, one direction at a time.

use ndarray::{Array2, Array3, ArrayRef2, Axis, s};
use variata_distributions::linalg::orthonormal;
use variata_distributions::parallel::collect;
use variata_distributions::{Real, check};

use crate::panel::Weights;
use crate::reflections::Triangle;
use crate::roots::spectrum;
use crate::storage::Storage;
use crate::{Error, LowRankMvn};

/// Singular value decomposition P = U·S·Vᵀ of each factor, with k = min(n, r) components, the largest first.
#[derive(Debug, Clone, PartialEq)]
pub struct PrincipalComponents<F> {
    /// U, orthonormal images [batch, n, k]. The entry of largest magnitude is positive, the first of them if there are several.
    pub directions: Array3<F>,
    /// S, the standard deviation along each direction, without the diagonal's part: [batch, k].
    pub standard_deviations: Array2<F>,
    /// V, how noise of the factor maps to the components: [batch, r, k].
    pub rotation: Array3<F>,
}

/// Directions, standard deviations and rotations of one item, the largest first.
type Decomposed = (Vec<Vec<f64>>, Vec<f64>, Vec<Vec<f64>>);

impl<F: Real, S: Storage> LowRankMvn<'_, F, S> {
    /// The principal components of each factor, by a QR decomposition and an r×r singular value decomposition: O(n r²).
    ///
    /// Standard deviations have absolute errors of a few units in the last place of the largest one. Components of equal size
    /// span the right space, in no particular basis of it.
    ///
    /// ```
    /// use ndarray::{Array3, array};
    /// use variata_lowrank_mvn::LowRankMvn;
    ///
    /// let p = LowRankMvn::new(array![[0.0, 0.0]], Array3::from_elem((1, 2, 1), -3.0), 1.0)?;
    /// let found = p.principal_components()?;
    /// assert!((found.standard_deviations[(0, 0)] - 18f64.sqrt()).abs() < 1e-14 && found.directions[(0, 0, 0)] > 0.7);
    /// # Ok::<(), variata_lowrank_mvn::Error>(())
    /// ```
    ///
    /// # Errors
    /// The factor was not checked, and an element is not finite; a standard deviation overflows.
    pub fn principal_components(&self) -> Result<PrincipalComponents<F>, Error> {
        let (batch, n, r) = self.cov_factor.dim();
        let k = n.min(r);
        let found = collect(batch, |b| self.decomposed(b)).into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(PrincipalComponents {
            directions: Array3::from_shape_fn((batch, n, k), |(b, i, c)| F::from_f64(found[b].0[c][i])),
            standard_deviations: Array2::from_shape_fn((batch, k), |(b, c)| F::from_f64(found[b].1[c])),
            rotation: Array3::from_shape_fn((batch, r, k), |(b, j, c)| F::from_f64(found[b].2[c][j])),
        })
    }

    /// The distribution with component k of each item multiplied by `scales` [batch, k] (SOS-VAE paper, eq. 5): 1 changes
    /// nothing, to the bit; 0 removes the component; −1 turns it round.
    ///
    /// ```text
    /// P' = U·diag(a)·S·Vᵀ = P + P·V·diag(a − 1)·Vᵀ
    /// ```
    ///
    /// # Errors
    /// `scales` has another shape than [batch, min(n, r)] or is not finite; and as
    /// [`principal_components`](Self::principal_components).
    pub fn scale_components(&self, scales: &ArrayRef2<F>) -> Result<LowRankMvn<'static, F, F>, Error>
    where
        F: Storage,
    {
        let k = self.dim().min(self.rank());
        check::shape("scales", scales.shape(), &[self.batch(), k])?;
        check::finite("scales", scales)?;
        let mut factor = self.cov_factor.map(|p| F::from_f64(p.to_f64()));
        for (b, mut to) in factor.axis_iter_mut(Axis(0)).enumerate() {
            let less: Vec<f64> = scales.row(b).iter().map(|a| Real::to_f64(*a) - 1.0).collect();
            if less.iter().all(|a| *a == 0.0) {
                continue;
            }
            let (_, _, rotation) = self.decomposed(b)?;
            for mut row in to.rows_mut() {
                let p: Vec<f64> = row.iter().map(|p| Real::to_f64(*p)).collect();
                let shift = shifted(&p, &less, &rotation);
                row.iter_mut().zip(p.iter().zip(shift)).for_each(|(to, (p, d))| *to = F::from_f64(p + d));
            }
        }
        LowRankMvn::new(self.loc.to_owned(), factor, self.cov_diag.owned())
    }

    /// Images for a range of scales of one component, all others multiplied by `others`, for given noise: `noise_factor`
    /// [batch, r] and `noise_diag` [batch, n] → [batch, scales, n].
    ///
    /// The SOS-VAE paper's figure sets `others` to 0.03 and goes from −5 to 5 (erratum 002-6).
    ///
    /// # Errors
    /// There is no such component; a number is not finite; a noise has another shape.
    pub fn component_sweep(
        &self,
        component: usize,
        scales: &[f64],
        others: f64,
        noise_factor: &ArrayRef2<F>,
        noise_diag: &ArrayRef2<F>,
    ) -> Result<Array3<F>, Error> {
        let k = self.dim().min(self.rank());
        check::scalar("component", component as f64, "below min(n, r)", component < k)?;
        check::scalar("others", others, "finite", others.is_finite())?;
        check::shape("noise_factor", noise_factor.shape(), &[self.batch(), self.rank()])?;
        check::finite("noise_factor", noise_factor)?;
        let scales_array = ndarray::ArrayView1::from(scales);
        check::finite("scales", &scales_array)?;
        let mut noise = Array3::from_elem((self.batch(), scales.len(), self.rank()), F::ZERO);
        for b in 0..self.batch() {
            let (_, _, rotation) = self.decomposed(b)?;
            let omega: Vec<f64> = noise_factor.row(b).iter().map(|w| w.to_f64()).collect();
            for (step, scale) in scales.iter().enumerate() {
                // V·diag(a)·Vᵀ is its own transpose: scaling the factor scales the noise.
                let less: Vec<f64> =
                    (0..k).map(|c| if c == component { scale - 1.0 } else { others - 1.0 }).collect();
                let shift = shifted(&omega, &less, &rotation);
                let row = noise.slice_mut(s![b, step, ..]);
                row.into_iter()
                    .zip(omega.iter().zip(shift))
                    .for_each(|(to, (w, d))| *to = F::from_f64(w + d));
                if !noise.slice(s![b, step, ..]).iter().all(|w| w.to_f64().is_finite()) {
                    return Err(Error::Overflow { quantity: "scaled noise", batch: b });
                }
            }
        }
        self.rsample_many(&noise, noise_diag)
    }

    fn decomposed(&self, b: usize) -> Result<Decomposed, Error> {
        let item = self.item(b);
        let (n, r) = (item.n(), item.r());
        let (found, images): (_, Vec<Vec<f64>>) = if n < r {
            // Pᵀ = W·S·Zᵀ, so that P = Z·S·Wᵀ.
            let rows: Vec<Vec<f64>> =
                item.factor.rows().into_iter().map(|row| row.iter().map(|p| p.to_f64()).collect()).collect();
            let found = spectrum(&rows)?;
            let images = found.iter().map(|(s, z)| z.iter().map(|z| s * z).collect()).collect();
            let columns: Vec<Vec<f64>> = found
                .iter()
                .map(|(_, z)| (0..r).map(|j| (0..n).map(|i| rows[i][j] * z[i]).sum()).collect())
                .collect();
            let directions = orthonormal(columns.iter(), r).unwrap_or_default();
            (found.iter().map(|(s, _)| *s).zip(directions).collect::<Vec<_>>(), images)
        } else {
            let mut triangle = Triangle::new(r, 0, false);
            item.for_each_block(Weights::One, None, 0, n, |block| {
                triangle.add(block.rows, |j| block.column(j));
            });
            let found = spectrum(triangle.upper())?;
            let mut images = vec![Vec::with_capacity(n); r];
            item.for_each_block(Weights::One, None, 0, n, |block| {
                for (image, (_, v)) in images.iter_mut().zip(&found) {
                    let mut rows = vec![0.0; block.rows];
                    for (j, v) in v.iter().enumerate() {
                        rows.iter_mut().zip(block.column(j)).for_each(|(to, p)| *to += v * p);
                    }
                    image.extend(rows);
                }
            });
            (found, images)
        };
        if !found.iter().all(|(size, _)| size.is_finite()) {
            return Err(Error::Overflow { quantity: "a standard deviation", batch: b });
        }
        let directions = orthonormal(images.iter(), n).unwrap_or_default();
        let (mut sizes, mut rotation) = (Vec::new(), Vec::new());
        let mut signed = Vec::new();
        for ((size, v), u) in found.into_iter().zip(directions) {
            // The first entry of the largest magnitude.
            let largest = u.iter().fold(0.0f64, |m, x| if x.abs() > m.abs() { *x } else { m });
            let sign = if largest < 0.0 { -1.0 } else { 1.0 };
            signed.push(u.into_iter().map(|x| sign * x).collect());
            rotation.push(v.into_iter().map(|x| sign * x).collect());
            sizes.push(size);
        }
        Ok((signed, sizes, rotation))
    }
}

/// V·diag(less)·Vᵀ·row.
fn shifted(row: &[f64], less: &[f64], rotation: &[Vec<f64>]) -> Vec<f64> {
    let mut shift = vec![0.0; row.len()];
    for (less, v) in less.iter().zip(rotation) {
        let share = less * row.iter().zip(v).map(|(p, v)| p * v).sum::<f64>();
        shift.iter_mut().zip(v).for_each(|(to, v)| *to += share * v);
    }
    shift
}
