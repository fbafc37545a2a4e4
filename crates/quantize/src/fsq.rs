//! Finite scalar quantisation: each dimension rounded to a few levels, no codebook to collapse.

use ndarray::{Array1, Array2, ArrayRef, ArrayRef2, Dimension};
use variata_distributions::lanes::{Compute, Sample};
use variata_distributions::{ArgumentError, check};

use crate::codebook::{Metric, check_rows};
use crate::error::Error;

/// Finite scalar quantisation of D dimensions with Lᵢ levels each: Π Lᵢ codes without a codebook.
///
/// ```text
/// bounded(z) = tanh(z + s)·h − o,   h = (L − 1)(1 + ε)/2,   o = ½ for even L, else 0,   s = artanh(o/h),   ε = 10⁻³
/// code = round(bounded(z)),   output = code/⌊L/2⌋ in [−1, 1],   index = Σ (codeᵢ + ⌊Lᵢ/2⌋)·Π over j < i of Lⱼ
/// ```
/// Source: Mentzer, Minnen, Agustsson and Tschannen 2023, section 3.1 and appendix A.1; halves are rounded to even. The gradient goes
/// straight through the rounding.
///
/// ```
/// use ndarray::array;
/// use variata_quantize::Fsq;
///
/// let fsq = Fsq::new(vec![8, 5])?;
/// let quantized = fsq.quantize(&array![[0.0, 9.0]])?;
/// assert_eq!((quantized.output, quantized.indices), (array![[0.0, 1.0]], array![4 + 8 * 4]));
/// assert_eq!(fsq.decode::<f32>(&array![36])?, array![[0.0, 1.0]]);
/// # Ok::<(), variata_quantize::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Vec<usize>", into = "Vec<usize>"))]
pub struct Fsq {
    levels: Vec<usize>,
    count: usize,
}

/// What [`Fsq::quantize`] returns.
#[derive(Debug, Clone, PartialEq)]
pub struct FsqQuantized<T> {
    /// Quantised vectors [N, D], in [−1, 1].
    pub output: Array2<T>,
    /// Their indices `[N]`.
    pub indices: Array1<usize>,
}

/// ε of the bound: the outermost levels are reached.
const MARGIN: f64 = 1e-3;

impl Fsq {
    /// The given levels; the paper has [8, 6, 5] for 240 codes and [8, 5, 5, 5] for 1000.
    ///
    /// # Errors
    /// [`Error::Argument`] if there are none, one is less than 2 or more than 2²⁴, or the codes are more than 2⁶³.
    pub fn new(levels: Vec<usize>) -> Result<Self, Error> {
        if levels.is_empty() {
            let want = "[dimensions], not 0".to_owned();
            return Err(ArgumentError::Shape { argument: "levels", got: vec![0], want }.into());
        }
        for &level in &levels {
            check::scalar("levels", level as f64, "from 2 to 16777216", (2..=1 << 24).contains(&level))?;
        }
        let count = levels.iter().try_fold(1usize, |product, &level| product.checked_mul(level));
        let count = count.filter(|count| *count <= 1 << (usize::BITS - 1));
        let product = levels.iter().map(|&level| level as f64).product();
        check::scalar("product of levels", product, "at most 2^63", count.is_some())?;
        Ok(Self { levels, count: count.unwrap_or(0) })
    }

    /// Levels of each dimension `[D]`.
    pub fn levels(&self) -> &[usize] {
        &self.levels
    }

    /// The number of codes.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The number of dimensions D.
    pub fn dim(&self) -> usize {
        self.levels.len()
    }

    /// Shift, half width and offset of a dimension.
    pub(crate) fn bound(level: usize) -> (f64, f64, f64) {
        let half = (level - 1) as f64 * (1.0 + MARGIN) / 2.0;
        let offset = if level.is_multiple_of(2) { 0.5 } else { 0.0 };
        (libm::atanh(offset / half), half, offset)
    }

    fn check<S: Sample>(&self, z: &ArrayRef2<S>) -> Result<(), Error> {
        check::shape("z", z.shape(), &[z.nrows(), self.levels.len()])?;
        check_rows("z", z, Metric::SquaredEuclidean)
    }

    /// Quantises `z` [N, D].
    ///
    /// # Errors
    /// [`Error::Argument`] for another number of columns, [`Error::Row`] for a row that is not finite.
    pub fn quantize<S: Sample<Compute = T>, T: Compute>(
        &self,
        z: &ArrayRef2<S>,
    ) -> Result<FsqQuantized<T>, Error> {
        self.check(z)?;
        let mut output = Array2::from_elem(z.dim(), T::ZERO);
        let mut indices = Array1::zeros(z.nrows());
        let mut place = 1;
        for ((z, mut output), &level) in z.columns().into_iter().zip(output.columns_mut()).zip(&self.levels) {
            let (shift, half, offset) = Self::bound(level);
            let middle = (level / 2) as f64;
            for ((z, output), index) in z.iter().zip(&mut output).zip(&mut indices) {
                let bounded = libm::tanh(z.compute().to_f64() + shift) * half - offset;
                // With a thousand levels and more the margin alone would lead beyond the last.
                let code = libm::rint(bounded).clamp(-middle, (level - 1) as f64 - middle);
                *output = T::from_f64(code / middle);
                *index += (code + middle) as usize * place;
            }
            // The product of all was checked.
            place = place.wrapping_mul(level);
        }
        Ok(FsqQuantized { output, indices })
    }

    /// Gradient in `z` [N, D] of a loss with derivative `upstream` [N, D] in the output: upstream·(1 − tanh²(z + s))·h/⌊L/2⌋.
    ///
    /// # Errors
    /// As [`quantize`](Self::quantize), for `upstream` too.
    pub fn backward<S: Sample<Compute = T>, T: Compute>(
        &self,
        z: &ArrayRef2<S>,
        upstream: &ArrayRef2<T>,
    ) -> Result<Array2<T>, Error> {
        self.check(z)?;
        check::shape("upstream", upstream.shape(), z.shape())?;
        check_rows("upstream", upstream, Metric::SquaredEuclidean)?;
        let mut grad = upstream.to_owned();
        for ((z, mut grad), &level) in z.columns().into_iter().zip(grad.columns_mut()).zip(&self.levels) {
            let (shift, half, _) = Self::bound(level);
            let factor = half / (level / 2) as f64;
            for (z, grad) in z.iter().zip(&mut grad) {
                // 1 − tanh² as 1/cosh², which keeps its digits far out.
                let inverse = 1.0 / libm::cosh(z.compute().to_f64() + shift);
                *grad = T::from_f64(grad.to_f64() * factor * inverse * inverse);
            }
        }
        Ok(grad)
    }

    /// The quantised vectors [N, D] of N indices, in an array of any shape.
    ///
    /// # Errors
    /// [`Error::Index`] with the first index that is not less than the number of codes.
    pub fn decode<T: Compute>(&self, indices: &ArrayRef<usize, impl Dimension>) -> Result<Array2<T>, Error> {
        let mut output = Array2::from_elem((indices.len(), self.levels.len()), T::ZERO);
        for (position, (&index, mut row)) in indices.iter().zip(output.rows_mut()).enumerate() {
            if index >= self.count {
                return Err(Error::Index {
                    argument: "indices",
                    position,
                    index: index as i128,
                    codes: self.count,
                });
            }
            let mut rest = index;
            for (to, &level) in row.iter_mut().zip(&self.levels) {
                let middle = level / 2;
                *to = T::from_f64(((rest % level) as f64 - middle as f64) / middle as f64);
                rest /= level;
            }
        }
        Ok(output)
    }

    /// The index of the code nearest to each row of quantised vectors [N, D], as [`decode`](Self::decode) made them.
    ///
    /// # Errors
    /// [`Error::Argument`] for another number of columns, [`Error::Row`] for an element that is not in [−1, 1], or, where the number L of levels
    /// is even, is more than 1 − 1/L, half-way from the last level to 1, or, where L/2 is even, that.
    pub fn encode<T: Compute>(&self, quantized: &ArrayRef2<T>) -> Result<Array1<usize>, Error> {
        check::shape("quantized", quantized.shape(), &[quantized.nrows(), self.levels.len()])?;
        let mut indices = Array1::zeros(quantized.nrows());
        for (row, (values, index)) in quantized.rows().into_iter().zip(&mut indices).enumerate() {
            let mut place = 1;
            for (v, &level) in values.iter().zip(&self.levels) {
                let value = v.to_f64();
                let middle = (level / 2) as f64;
                let code = libm::rint(value * middle) + middle;
                if !(value.abs() <= 1.0) || code > (level - 1) as f64 {
                    let must =
                        "in [-1, 1], and nearer to the last level than to 1 where their number is even";
                    return Err(Error::Row { argument: "quantized", row, value, must });
                }
                *index += code as usize * place;
                place = place.wrapping_mul(level);
            }
        }
        Ok(indices)
    }
}

#[cfg(feature = "serde")]
impl TryFrom<Vec<usize>> for Fsq {
    type Error = Error;

    fn try_from(levels: Vec<usize>) -> Result<Self, Error> {
        Self::new(levels)
    }
}

#[cfg(feature = "serde")]
impl From<Fsq> for Vec<usize> {
    fn from(fsq: Fsq) -> Self {
        fsq.levels
    }
}
