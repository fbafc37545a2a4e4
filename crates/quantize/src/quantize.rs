//! Quantisation with gradients: straight through, by rotation, and the two losses.

use ndarray::{Array1, Array2, ArrayRef2};
use variata_distributions::check;
use variata_distributions::lanes::{Compute, Sample, widest};
use variata_distributions::parallel::for_each;

use crate::clusters::{Clusters, Of};
use crate::codebook::{Codebook, Metric, check_rows, is_nothing};
use crate::error::Error;
use crate::exact;
use crate::search::Blocks;

/// Rows per task of backward.
const TASK: usize = 512;

/// How the gradient of the quantised vectors reaches the vectors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Estimator {
    /// Unchanged (van den Oord et al. 2017).
    #[default]
    StraightThrough,
    /// As if e = (‖e‖/‖z‖)·R z with the rotation R that turns z/‖z‖ into e/‖e‖, held constant (Fifty et al. 2024): the gradient
    /// keeps its angle to the code. Straight through where z or e is 0; where they are opposite, to 10⁻¹² of their
    /// length, R is the reflection, and next to that u/‖ẑ + ê‖ of the gradient is lost.
    /// The factor ‖e‖/‖z‖ grows without limit towards z = 0.
    Rotation,
}

/// Quantised vectors: what [`Codebook::quantize`] returns.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantized<T> {
    /// The nearest codes [N, D], the very bits of the codebook.
    pub output: Array2<T>,
    /// Their indices `[N]`.
    pub indices: Array1<usize>,
    /// Mean of (z − e)² over all N·D elements, 0 for N = 0: the value both of the codebook loss, whose gradient goes to the codes, and
    /// of the commitment loss, whose gradient goes to z. It does not depend on the size of the batch.
    pub loss: f64,
}

/// What backward starts from: the derivatives of the final loss.
#[derive(Debug, Clone, Copy)]
pub struct Upstream<'a, T> {
    /// In the quantised vectors [N, D].
    pub output: &'a ArrayRef2<T>,
    /// In the codebook loss: its weight, mostly 1; 0 where an EMA moves the codes.
    pub codebook: f64,
    /// In the commitment loss: its weight, mostly 0.25.
    pub commitment: f64,
}

/// Gradients of [`Quantized::backward`].
#[derive(Debug, Clone, PartialEq)]
pub struct QuantizedGrad<T> {
    /// In the vectors [N, D].
    pub z: Array2<T>,
    /// In the codes [K, D].
    pub codes: Array2<T>,
}

impl<T: Compute> Codebook<T> {
    /// The code nearest to each row of `z` [N, D], with the loss.
    ///
    /// ```text
    /// output = e_k,   k = argminⱼ d(z, eⱼ),   loss = (1/ND) Σ (z − e_k)²
    /// ```
    /// Source: van den Oord et al. 2017, eq. (2) and (3), with means in place of sums. With either metric the loss is that of the
    /// plain differences.
    ///
    /// # Errors
    /// As [`assign`](Self::assign).
    ///
    /// ```
    /// use ndarray::array;
    /// use variata_quantize::{Codebook, Estimator, Metric, Upstream};
    ///
    /// let codebook = Codebook::new(array![[0.0, 0.0], [4.0, 0.0]], Metric::SquaredEuclidean)?;
    /// let z = array![[3.0, 1.0]];
    /// let quantized = codebook.quantize(&z)?;
    /// assert_eq!((&quantized.output, quantized.loss), (&array![[4.0, 0.0]], 1.0));
    ///
    /// let upstream = Upstream { output: &array![[0.5, 0.0]], codebook: 1.0, commitment: 0.25 };
    /// let grad = quantized.backward(&codebook, &z, &upstream, Estimator::StraightThrough)?;
    /// // 2(z − e)/ND = (−1, 1).
    /// assert_eq!(grad.z, array![[0.5 - 0.25, 0.25]]);
    /// assert_eq!(grad.codes, array![[0.0, 0.0], [1.0, -1.0]]);
    /// # Ok::<(), variata_quantize::Error>(())
    /// ```
    pub fn quantize<S: Sample<Compute = T>>(&self, z: &ArrayRef2<S>) -> Result<Quantized<T>, Error> {
        let (rows, depth) = z.dim();
        let blocks = Blocks::new(self, "z", z)?;
        let mut output = vec![T::ZERO; rows * depth];
        let mut indices = vec![0; rows];
        let (outputs, found) = (blocks.split(&mut output, depth), blocks.split(&mut indices, 1));
        let mut sums = vec![0.0; outputs.len()];
        let tasks = outputs.into_iter().zip(found).zip(&mut sums).collect();
        blocks.assign(tasks, |z, found, ((output, indices), sum)| {
            indices.copy_from_slice(found);
            widest(
                #[inline(always)]
                || {
                    let vectors = z.chunks_exact(depth).zip(output.chunks_exact_mut(depth));
                    for ((z, output), &k) in vectors.zip(found) {
                        let code = self.code(k);
                        output.copy_from_slice(code);
                        *sum += exact::squared_distance(z, code);
                    }
                },
            );
        })?;
        let loss = mean(sums.iter().sum(), rows * depth);
        let output = Array2::from_shape_vec((rows, depth), output).unwrap_or_default();
        Ok(Quantized { output, indices: Array1::from(indices), loss })
    }
}

impl<T: Compute> Codebook<T> {
    /// [`quantize`](Self::quantize) of what other codes left of vectors: under the cosine metric all codes are as near to a row that
    /// is 0, which gets the first.
    pub(crate) fn quantize_rest<S: Sample<Compute = T>>(
        &self,
        rest: &ArrayRef2<S>,
    ) -> Result<Quantized<T>, Error> {
        let fits = self.metric() == Metric::Cosine && rest.ncols() == self.dim();
        let nothing = |row: &usize| is_nothing(rest.row(*row).iter().map(|v| v.compute().to_f64()));
        let none: Vec<usize> = (0..rest.nrows()).filter(|row| fits && nothing(row)).collect();
        if none.is_empty() {
            return self.quantize(rest);
        }
        // The first code finds itself; what it is away from 0 is what the loss lacks then.
        let mut known = rest.map(|v| v.compute());
        let mut missing = 0.0;
        for &row in &none {
            for (v, e) in known.row_mut(row).iter_mut().zip(self.code(0)) {
                let gap = v.to_f64() - e.to_f64();
                missing += gap * gap;
                *v = *e;
            }
        }
        let mut quantized = self.quantize(&known)?;
        quantized.loss += mean(missing, rest.len());
        Ok(quantized)
    }
}

/// 0/0 is 0.
pub(crate) fn mean(sum: f64, count: usize) -> f64 {
    if count == 0 { 0.0 } else { sum / count as f64 }
}

impl<T: Compute> Quantized<T> {
    /// Gradients of a final loss that depends on the output, on the codebook loss and on the commitment loss.
    ///
    /// ```text
    /// ∂/∂z = estimator(G) + b·2(z − e)/ND,   ∂/∂eₖ = a·(2/ND) Σ over rows of code k of (eₖ − z)
    /// ```
    /// where G, a, b are the derivatives in output, codebook loss and commitment loss. `z` and `codebook` are those that were
    /// quantised. The [estimator](Estimator) says what G becomes.
    ///
    /// # Errors
    /// [`Error::Argument`] for shapes that do not fit or weights that are not finite, [`Error::Index`] for a codebook that has too few
    /// codes, [`Error::Row`] for a gradient or vector that [`Codebook::assign`] would refuse.
    pub fn backward<S: Sample<Compute = T>>(
        &self,
        codebook: &Codebook<T>,
        z: &ArrayRef2<S>,
        upstream: &Upstream<'_, T>,
        estimator: Estimator,
    ) -> Result<QuantizedGrad<T>, Error> {
        let (rows, depth) = self.output.dim();
        check::shape("z", z.shape(), &[rows, depth])?;
        check::shape("output", upstream.output.shape(), &[rows, depth])?;
        check::scalar("codebook", upstream.codebook, "finite", upstream.codebook.is_finite())?;
        check::scalar("commitment", upstream.commitment, "finite", upstream.commitment.is_finite())?;
        check_rows("output", upstream.output, Metric::SquaredEuclidean)?;
        let clusters = Clusters::of(codebook, z, &self.indices, Of::Gaps)?;
        let scale = mean(2.0, rows * depth);
        let codes = clusters.sums().mapv(|gap| T::from_f64(scale * upstream.codebook * (0.0 - gap)));
        let mut grad = Array2::from_elem((rows, depth), T::ZERO);
        let tasks: Vec<_> = grad
            .axis_chunks_iter_mut(ndarray::Axis(0), TASK)
            .zip(z.axis_chunks_iter(ndarray::Axis(0), TASK))
            .zip(upstream.output.axis_chunks_iter(ndarray::Axis(0), TASK))
            .zip(self.indices.axis_chunks_iter(ndarray::Axis(0), TASK))
            .collect();
        let pull = scale * upstream.commitment;
        for_each(tasks, |(((mut grad, z), upstream), indices)| {
            let (mut vector, mut gradient) = (vec![0.0; depth], vec![0.0; depth]);
            let rows = grad.rows_mut().into_iter().zip(z.rows()).zip(upstream.rows()).zip(&indices);
            for (((grad, z), upstream), &k) in rows {
                vector.iter_mut().zip(&z).for_each(|(to, v)| *to = v.compute().to_f64());
                gradient.iter_mut().zip(&upstream).for_each(|(to, v)| *to = v.to_f64());
                let code = codebook.code(k);
                if estimator == Estimator::Rotation {
                    rotate(&vector, code, &mut gradient);
                }
                let parts = gradient.iter().zip(&vector).zip(code);
                for (grad, ((g, z), e)) in grad.into_iter().zip(parts) {
                    *grad = T::from_f64(g + pull * (z - e.to_f64()));
                }
            }
        });
        Ok(QuantizedGrad { z: grad, codes })
    }
}

/// g ← (‖e‖/‖z‖)·Rᵀg with R = I − 2rrᵀ + 2êẑᵀ, r the unit vector along ẑ + ê.
fn rotate<T: Compute>(z: &[f64], e: &[T], g: &mut [f64]) {
    let (power_z, norm_z, unit_z) = directed(z);
    let (power_e, norm_e, unit_e) = directed(e);
    if norm_z == 0.0 || norm_e == 0.0 {
        return;
    }
    let middle: Vec<f64> = unit_z.iter().zip(&unit_e).map(|(a, b)| a + b).collect();
    let square = exact::squared_norm(&middle);
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    // The half turn between opposite vectors has no middle.
    let along = if square > 1e-24 { 2.0 * dot(&middle, g) / square } else { 0.0 };
    let across = 2.0 * dot(&unit_e, g);
    for ((g, r), z) in g.iter_mut().zip(&middle).zip(&unit_z) {
        *g = (norm_e / norm_z) * (*g - along * r + across * z) * (power_z / power_e);
    }
}

/// A power of two, the norm of v times it, and v/‖v‖.
fn directed<T: Compute>(v: &[T]) -> (f64, f64, Vec<f64>) {
    let largest = v.iter().fold(0.0, |largest: f64, v| largest.max(v.to_f64().abs()));
    // Squares of smaller numbers are not normal; those of the smallest, times this, are.
    let power = if largest < 1e-140 { 2f64.powi(900) } else { 1.0 };
    let mut unit: Vec<f64> = v.iter().map(|v| v.to_f64() * power).collect();
    let norm = exact::squared_norm(&unit).sqrt();
    for v in &mut unit {
        *v /= norm;
    }
    (power, norm, unit)
}
