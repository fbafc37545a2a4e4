//! Residual quantisation: each stage quantises what the stages before it left.

use ndarray::{Array2, ArrayRef2, Axis};
use variata_distributions::lanes::{Compute, Sample};
use variata_distributions::{ArgumentError, check};

use crate::codebook::{Codebook, Metric, check_rows};
use crate::error::Error;
use crate::quantize::{Estimator, Quantized, Upstream};

/// Codebooks [K, D] in stages.
///
/// ```text
/// r₁ = z,   rᵢ₊₁ = rᵢ − eᵢ(rᵢ),   output = Σ eᵢ
/// ```
/// Source: Zeghidour et al. 2021 (SoundStream), algorithm 1. A stage under the cosine metric for which nothing is left, rᵢ = 0, takes its
/// first code: all are as near.
///
/// ```
/// use ndarray::array;
/// use variata_quantize::{Codebook, Metric, Residual};
///
/// let coarse = Codebook::new(array![[0.0], [8.0]], Metric::SquaredEuclidean)?;
/// let fine = Codebook::new(array![[-1.0], [0.0], [1.0]], Metric::SquaredEuclidean)?;
/// let residual = Residual::new(vec![coarse, fine])?;
/// let quantized = residual.quantize(&array![[7.2]], 2)?;
/// assert_eq!((quantized.output, quantized.indices), (array![[7.0]], array![[1, 0]]));
/// # Ok::<(), variata_quantize::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Vec<Codebook<T>>", into = "Vec<Codebook<T>>"))]
#[cfg_attr(
    feature = "serde",
    serde(bound(serialize = "T: serde::Serialize", deserialize = "T: serde::Deserialize<'de>"))
)]
pub struct Residual<T: Compute> {
    stages: Vec<Codebook<T>>,
}

/// What [`Residual::quantize`] returns.
#[derive(Debug, Clone, PartialEq)]
pub struct ResidualQuantized<T> {
    /// The sum of the codes [N, D], added stage by stage.
    pub output: Array2<T>,
    /// The index of each stage that was used [N, stages].
    pub indices: Array2<usize>,
    /// Mean of (rᵢ − eᵢ)² of each stage.
    pub losses: Vec<f64>,
    parts: Vec<(Array2<T>, Quantized<T>)>,
}

/// Gradients of [`ResidualQuantized::backward`].
#[derive(Debug, Clone, PartialEq)]
pub struct ResidualGrad<T> {
    /// In the vectors [N, D].
    pub z: Array2<T>,
    /// In the codes of each stage that was used [K, D].
    pub codes: Vec<Array2<T>>,
}

impl<T: Compute> TryFrom<Vec<Codebook<T>>> for Residual<T> {
    type Error = Error;

    fn try_from(stages: Vec<Codebook<T>>) -> Result<Self, Error> {
        Self::new(stages)
    }
}

impl<T: Compute> From<Residual<T>> for Vec<Codebook<T>> {
    fn from(residual: Residual<T>) -> Self {
        residual.stages
    }
}

impl<T: Compute> Residual<T> {
    /// The given codebooks, coarse first.
    ///
    /// # Errors
    /// [`Error::Argument`] if there are none, or their dimensions differ.
    pub fn new(stages: Vec<Codebook<T>>) -> Result<Self, Error> {
        let Some(first) = stages.first() else {
            let want = "[stages], not 0".to_owned();
            return Err(ArgumentError::Shape { argument: "stages", got: vec![0], want }.into());
        };
        let depth = first.dim();
        for stage in &stages {
            check::shape("stages", &[stage.dim()], &[depth])?;
        }
        Ok(Self { stages })
    }

    /// The codebooks.
    pub fn stages(&self) -> &[Codebook<T>] {
        &self.stages
    }

    /// The codebooks, to be changed.
    pub fn stages_mut(&mut self) -> &mut [Codebook<T>] {
        &mut self.stages
    }

    /// Quantises `z` [N, D] by the first `stages` stages: fewer than all, drawn at random in training, make every prefix a code of its
    /// own (quantiser dropout).
    ///
    /// # Errors
    /// As [`Codebook::quantize`], and [`Error::Argument`] if `stages` is 0 or more than there are.
    pub fn quantize<S: Sample<Compute = T>>(
        &self,
        z: &ArrayRef2<S>,
        stages: usize,
    ) -> Result<ResidualQuantized<T>, Error> {
        let ok = (1..=self.stages.len()).contains(&stages);
        check::scalar("stages", stages as f64, "from 1 to the number of stages", ok)?;
        let mut rest = z.map(|v| v.compute());
        let mut output = Array2::from_elem(z.dim(), T::ZERO);
        let mut indices = Array2::zeros((z.nrows(), stages));
        let (mut losses, mut parts) = (Vec::new(), Vec::new());
        for (i, stage) in self.stages[..stages].iter().enumerate() {
            let part = if i == 0 { stage.quantize(&rest) } else { stage.quantize_rest(&rest) }?;
            let mut next = rest.clone();
            next.zip_mut_with(&part.output, |r, e| *r = *r - *e);
            check_rows("residual", &next, Metric::SquaredEuclidean)?;
            output.zip_mut_with(&part.output, |sum, e| *sum = *sum + *e);
            check_rows("sum of codes", &output, Metric::SquaredEuclidean)?;
            indices.column_mut(i).assign(&part.indices);
            losses.push(part.loss);
            parts.push((std::mem::replace(&mut rest, next), part));
        }
        Ok(ResidualQuantized { output, indices, losses, parts })
    }

    /// The sums of codes [N, D] of indices [N, stages], of as many stages as there are columns: the bits of
    /// [`quantize`](Self::quantize)'s output.
    ///
    /// # Errors
    /// [`Error::Argument`] for no columns or too many, [`Error::Index`] for an index that names no code of its stage, with its row as
    /// position.
    pub fn decode(&self, indices: &ArrayRef2<usize>) -> Result<Array2<T>, Error> {
        let stages = indices.ncols();
        let ok = (1..=self.stages.len()).contains(&stages);
        check::scalar("columns of indices", stages as f64, "from 1 to the number of stages", ok)?;
        let depth = self.stages.first().map_or(0, Codebook::dim);
        let mut output = Array2::from_elem((indices.nrows(), depth), T::ZERO);
        for (stage, column) in self.stages.iter().zip(indices.axis_iter(Axis(1))) {
            check::shape("stages", &[stage.dim()], &[depth])?;
            output.zip_mut_with(&stage.decode(&column)?, |sum, e| *sum = *sum + *e);
            check_rows("sum of codes", &output, Metric::SquaredEuclidean)?;
        }
        Ok(output)
    }
}

impl<T: Compute> ResidualQuantized<T> {
    /// Gradients of a final loss in the output (straight through) and in each stage's two losses, all with the same weights.
    ///
    /// ```text
    /// ∂/∂z = G + b·(2/ND) Σᵢ (rᵢ − eᵢ),   ∂/∂codes of stage i as for a codebook that quantises rᵢ
    /// ```
    /// Codes reach later stages' residuals as constants, so that each stage is moved by its own loss only.
    ///
    /// # Errors
    /// As [`Quantized::backward`].
    pub fn backward(
        &self,
        residual: &Residual<T>,
        upstream: &Upstream<'_, T>,
    ) -> Result<ResidualGrad<T>, Error> {
        check::shape("output", upstream.output.shape(), self.output.shape())?;
        let stages = residual.stages.len();
        let must = "at least as many as were quantised with";
        check::scalar("number of stages", stages as f64, must, stages >= self.parts.len())?;
        let none = Array2::from_elem(self.output.dim(), T::ZERO);
        let mut total = upstream.output.map(|v| v.to_f64());
        let mut codes = Vec::with_capacity(self.parts.len());
        for ((z, part), stage) in self.parts.iter().zip(&residual.stages) {
            let upstream = Upstream { output: &*none, ..*upstream };
            let grad = part.backward(stage, z, &upstream, Estimator::StraightThrough)?;
            total.zip_mut_with(&grad.z, |sum, g| *sum += g.to_f64());
            codes.push(grad.codes);
        }
        Ok(ResidualGrad { z: total.mapv(T::from_f64), codes })
    }
}
