//! The codebook: K codes in D dimensions, and the codes nearest to vectors.

use std::sync::{Arc, OnceLock};

use ndarray::{Array1, Array2, ArrayRef, ArrayRef1, ArrayRef2, Dimension};
use variata_distributions::lanes::{Compute, Sample};
use variata_distributions::{ArgumentError, Real};

use crate::error::Error;
use crate::pack::{Mixture, Packed, largest};
use crate::search::{self, Blocks};

/// Most codes of a codebook: positions are counted in f32.
const MOST: usize = 1 << 24;

/// How far a vector z is from a code e.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Metric {
    /// ‖z − e‖².
    #[default]
    SquaredEuclidean,
    /// 1 − z·e/(‖z‖‖e‖), which is ½‖z/‖z‖ − e/‖e‖‖². Neither may be 0.
    Cosine,
}

/// Codes [K, D] with a metric.
///
/// ```text
/// assign(z) = argminₖ d(z, eₖ), the lowest k at ties
/// ```
/// Source: van den Oord, Vinyals and Kavukcuoglu 2017, eq. (1); the paper VQ-Diff, section 2. At initialisation the paper
/// draws codes from N(0, σ²) with σ = 2 the standard deviation [errata 001-4]: [`normal`](Self::normal).
///
/// # Numerics
/// Scores ½‖e‖² − z·e are blocked products in the codebook's type, of vectors and codes from which the codes' mean was taken,
/// so that a common offset costs nothing. Every code whose score is within the round-off bound of the best is compared by
/// its distance from differences in f64, and where those tie within their round-off, exactly, in integers if need be: the answer
/// is that of exact arithmetic. No array of size N × K is made. Results do not depend on the number of threads.
///
/// ```
/// use ndarray::array;
/// use variata_quantize::{Codebook, Metric};
///
/// let codebook = Codebook::new(array![[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]], Metric::SquaredEuclidean)?;
/// let (indices, distances) = codebook.assign_with_distances(&array![[3.0, 1.0], [2.0, 0.0]])?;
/// // The second is as far from code 0 as from code 1.
/// assert_eq!((indices, distances), (array![1, 0], array![2.0, 4.0]));
/// # Ok::<(), variata_quantize::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Codebook<T: Compute = f32> {
    codes: Array2<T>,
    metric: Metric,
    packed: OnceLock<Arc<Packed<T>>>,
    mixture: OnceLock<Arc<Mixture<T>>>,
}

impl<T: Compute> PartialEq for Codebook<T> {
    fn eq(&self, other: &Self) -> bool {
        self.metric == other.metric && self.codes == other.codes
    }
}

impl<T: Compute> Codebook<T> {
    /// The given codes [K, D].
    ///
    /// # Errors
    /// [`Error::Argument`] if there are no codes or no dimensions, or more than 2²⁴ codes; [`Error::Row`] if a code is not
    /// finite, larger than 10¹⁵⁰ (f64), or 0 under the cosine metric.
    pub fn new(codes: Array2<T>, metric: Metric) -> Result<Self, Error> {
        let (count, dimensions) = codes.dim();
        if count == 0 || dimensions == 0 || count > MOST {
            let want = "[codes, dimensions], neither 0, at most 16777216 codes".to_owned();
            return Err(ArgumentError::Shape { argument: "codes", got: codes.shape().to_vec(), want }.into());
        }
        check_rows("codes", &codes, metric)?;
        Ok(Self {
            codes: if codes.is_standard_layout() { codes } else { codes.as_standard_layout().into_owned() },
            metric,
            packed: OnceLock::new(),
            mixture: OnceLock::new(),
        })
    }

    /// Codes [K, D] that are stored in another type, such as f16 or bf16: their exact values.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn from_stored<S: Sample<Compute = T>>(codes: &ArrayRef2<S>, metric: Metric) -> Result<Self, Error> {
        Self::new(codes.map(|v| v.compute()), metric)
    }

    /// The codes [K, D].
    pub fn codes(&self) -> &Array2<T> {
        &self.codes
    }

    /// The number of codes K.
    pub fn count(&self) -> usize {
        self.codes.nrows()
    }

    /// The number of dimensions D.
    pub fn dim(&self) -> usize {
        self.codes.ncols()
    }

    /// The metric.
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// Other codes of the same shape, as after a step of an optimiser.
    ///
    /// # Errors
    /// As [`new`](Self::new), and [`Error::Argument`] if the shape is another. The codebook stays as it was.
    pub fn set_codes(&mut self, codes: Array2<T>) -> Result<(), Error> {
        variata_distributions::check::shape("codes", codes.shape(), self.codes.shape())?;
        *self = Self::new(codes, self.metric)?;
        Ok(())
    }

    /// Another value of one code.
    ///
    /// # Errors
    /// [`Error::Index`] if there is no such code; as [`set_codes`](Self::set_codes) for the value.
    pub fn set_code(&mut self, index: usize, code: &ArrayRef1<T>) -> Result<(), Error> {
        self.check_index("index", 0, index)?;
        variata_distributions::check::shape("code", code.shape(), &[self.dim()])?;
        check_row("code", index, code, self.metric)?;
        self.codes.row_mut(index).assign(code);
        (self.packed, self.mixture) = (OnceLock::new(), OnceLock::new());
        Ok(())
    }

    /// Index of the code nearest to each row of `z` [N, D], the lowest at ties: `[N]`.
    ///
    /// # Errors
    /// [`Error::Argument`] if `z` has not D columns, [`Error::Row`] with the first row that is not finite, larger than 10¹⁵⁰
    /// (f64), or 0 under the cosine metric.
    pub fn assign<S: Sample<Compute = T>>(&self, z: &ArrayRef2<S>) -> Result<Array1<usize>, Error> {
        let blocks = Blocks::new(self, "z", z)?;
        let mut indices = vec![0; z.nrows()];
        blocks.assign(blocks.split(&mut indices, 1), |_, found, out| out.copy_from_slice(found))?;
        Ok(Array1::from(indices))
    }

    /// [`assign`](Self::assign) with the distances of the metric, `[N]` each.
    ///
    /// # Errors
    /// As [`assign`](Self::assign).
    pub fn assign_with_distances<S: Sample<Compute = T>>(
        &self,
        z: &ArrayRef2<S>,
    ) -> Result<(Array1<usize>, Array1<f64>), Error> {
        let blocks = Blocks::new(self, "z", z)?;
        let (mut indices, mut distances) = (vec![0; z.nrows()], vec![0.0; z.nrows()]);
        let outputs =
            blocks.split(&mut indices, 1).into_iter().zip(blocks.split(&mut distances, 1)).collect();
        blocks.assign(outputs, |rows, found, (indices, distances)| {
            indices.copy_from_slice(found);
            search::distances(self, rows, found, distances);
        })?;
        Ok((Array1::from(indices), Array1::from(distances)))
    }

    /// The `count` nearest codes of each row, nearest first and the lower index at ties, with their distances: [N, count].
    ///
    /// # Errors
    /// As [`assign`](Self::assign), and [`Error::Argument`] if `count` is 0 or more than K.
    pub fn top_k<S: Sample<Compute = T>>(
        &self,
        z: &ArrayRef2<S>,
        count: usize,
    ) -> Result<(Array2<usize>, Array2<f64>), Error> {
        let ok = (1..=self.count()).contains(&count);
        variata_distributions::check::scalar("count", count as f64, "from 1 to the number of codes", ok)?;
        let blocks = Blocks::new(self, "z", z)?;
        let mut indices = Array2::zeros((z.nrows(), count));
        let mut distances = Array2::zeros((z.nrows(), count));
        if let (Some(i), Some(d)) = (indices.as_slice_mut(), distances.as_slice_mut()) {
            let outputs = blocks.split(i, count).into_iter().zip(blocks.split(d, count)).collect();
            blocks.top(count, outputs)?;
        }
        Ok((indices, distances))
    }

    /// The codes [N, D] of N indices, in an array of any shape: the very bits of the codebook.
    ///
    /// # Errors
    /// [`Error::Index`] with the first index that is not less than K.
    pub fn decode<D: Dimension>(&self, indices: &ArrayRef<usize, D>) -> Result<Array2<T>, Error> {
        let mut out = Vec::with_capacity(indices.len() * self.dim());
        for (position, &index) in indices.iter().enumerate() {
            self.check_index("indices", position, index)?;
            out.extend(self.codes.row(index));
        }
        let shape = (indices.len(), self.dim());
        Ok(Array2::from_shape_vec(shape, out).unwrap_or_default())
    }

    pub(crate) fn packed(&self) -> &Packed<T> {
        self.packed.get_or_init(|| Arc::new(Packed::new(&self.codes, self.metric, true)))
    }

    pub(crate) fn mixture(&self) -> &Mixture<T> {
        self.mixture.get_or_init(|| Arc::new(Mixture::new(&self.codes)))
    }

    /// A code as a slice.
    pub(crate) fn code(&self, index: usize) -> &[T] {
        // Codes are in standard layout from `new` on.
        self.codes.row(index).to_slice().unwrap_or_default()
    }

    pub(crate) fn check_index(
        &self,
        argument: &'static str,
        position: usize,
        index: usize,
    ) -> Result<(), Error> {
        let codes = self.count();
        if index < codes {
            Ok(())
        } else {
            Err(Error::Index { argument, position, index: index as i128, codes })
        }
    }
}

/// Every element is finite and not too large, and under the cosine metric no row is 0.
pub(crate) fn check_rows<S: Sample>(
    argument: &'static str,
    x: &ArrayRef2<S>,
    metric: Metric,
) -> Result<(), Error> {
    for (row, values) in x.rows().into_iter().enumerate() {
        check_row(argument, row, &values, metric)?;
    }
    Ok(())
}

pub(crate) fn check_row<S: Sample>(
    argument: &'static str,
    row: usize,
    values: &ArrayRef1<S>,
    metric: Metric,
) -> Result<(), Error> {
    let limit = largest::<S::Compute>();
    let numbers = values.iter().map(|v| v.compute().to_f64());
    if let Some(value) = numbers.clone().find(|v| !(v.abs() <= limit)) {
        let must = if limit < f64::from(f32::MAX) * 2.0 { "finite" } else { "finite, at most 1e150 in size" };
        return Err(Error::Row { argument, row, value, must });
    }
    if metric == Metric::Cosine && !has_direction(numbers.clone()) {
        let value = numbers.fold(0.0, |largest: f64, v| if v.abs() > largest.abs() { v } else { largest });
        return Err(Error::Row {
            argument,
            row,
            value,
            must: "a vector that is not 0 (norm at least 1e-140)",
        });
    }
    Ok(())
}

/// From this sum on the squares of numbers keep their digits.
pub(crate) const LEAST_SQUARE: f64 = 1e-280;

/// Whether the squares of the numbers keep their digits.
pub(crate) fn has_direction(numbers: impl Iterator<Item = f64>) -> bool {
    numbers.map(|v| v * v).sum::<f64>() >= LEAST_SQUARE
}

/// Whether the numbers are 0, or so small that they have no direction; NaN is neither.
pub(crate) fn is_nothing(numbers: impl Iterator<Item = f64>) -> bool {
    numbers.map(|v| v * v).sum::<f64>() < LEAST_SQUARE
}
