//! Several heads: the dimensions in equal parts, each with its codebook.

use ndarray::{Array2, ArrayRef2, Axis, s};
use variata_distributions::lanes::{Compute, Sample};
use variata_distributions::{ArgumentError, check};

use crate::codebook::Codebook;
use crate::error::Error;
use crate::quantize::{Estimator, Quantized, Upstream};

/// H codebooks [K, D] for vectors of H·D dimensions, part h of which is quantised by codebook h.
///
/// ```
/// use ndarray::array;
/// use variata_quantize::{Codebook, Heads, Metric};
///
/// let book = Codebook::new(array![[0.0], [4.0]], Metric::SquaredEuclidean)?;
/// let heads = Heads::new(vec![book.clone(), book])?;
/// let quantized = heads.quantize(&array![[3.0, 1.0]])?;
/// assert_eq!((quantized.indices, quantized.output), (array![[1, 0]], array![[4.0, 0.0]]));
/// # Ok::<(), variata_quantize::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    allow(
        clippy::unsafe_derive_deserialize,
        reason = "it is in ndarray's macro `s!`; what is read is checked"
    )
)]
#[cfg_attr(feature = "serde", serde(try_from = "Vec<Codebook<T>>", into = "Vec<Codebook<T>>"))]
#[cfg_attr(
    feature = "serde",
    serde(bound(serialize = "T: serde::Serialize", deserialize = "T: serde::Deserialize<'de>"))
)]
pub struct Heads<T: Compute> {
    books: Vec<Codebook<T>>,
}

/// What [`Heads::quantize`] returns.
#[derive(Debug, Clone, PartialEq)]
pub struct HeadsQuantized<T> {
    /// The codes side by side [N, H·D].
    pub output: Array2<T>,
    /// The index of each head [N, H].
    pub indices: Array2<usize>,
    /// Mean of (z − e)² over all elements.
    pub loss: f64,
    parts: Vec<Quantized<T>>,
}

/// Gradients of [`HeadsQuantized::backward`].
#[derive(Debug, Clone, PartialEq)]
pub struct HeadsGrad<T> {
    /// In the vectors [N, H·D].
    pub z: Array2<T>,
    /// In the codes of each head [K, D].
    pub codes: Vec<Array2<T>>,
}

impl<T: Compute> TryFrom<Vec<Codebook<T>>> for Heads<T> {
    type Error = Error;

    fn try_from(books: Vec<Codebook<T>>) -> Result<Self, Error> {
        Self::new(books)
    }
}

impl<T: Compute> From<Heads<T>> for Vec<Codebook<T>> {
    fn from(heads: Heads<T>) -> Self {
        heads.books
    }
}

impl<T: Compute> Heads<T> {
    /// The given codebooks.
    ///
    /// # Errors
    /// [`Error::Argument`] if there are none, or their dimensions differ.
    pub fn new(books: Vec<Codebook<T>>) -> Result<Self, Error> {
        let Some(first) = books.first() else {
            let want = "[heads], not 0".to_owned();
            return Err(ArgumentError::Shape { argument: "books", got: vec![0], want }.into());
        };
        let depth = first.dim();
        for book in &books {
            check::shape("books", &[book.dim()], &[depth])?;
        }
        Ok(Self { books })
    }

    /// The codebooks.
    pub fn books(&self) -> &[Codebook<T>] {
        &self.books
    }

    /// The codebooks, to be changed.
    pub fn books_mut(&mut self) -> &mut [Codebook<T>] {
        &mut self.books
    }

    fn depth(&self) -> usize {
        self.books.first().map_or(0, Codebook::dim)
    }

    /// The code of each head nearest to its part of each row of `z` [N, H·D].
    ///
    /// # Errors
    /// As [`Codebook::quantize`].
    pub fn quantize<S: Sample<Compute = T>>(&self, z: &ArrayRef2<S>) -> Result<HeadsQuantized<T>, Error> {
        let (heads, depth) = (self.books.len(), self.depth());
        check::shape("z", z.shape(), &[z.nrows(), heads * depth])?;
        let mut output = Array2::from_elem(z.dim(), T::ZERO);
        let mut indices = Array2::zeros((z.nrows(), heads));
        let mut parts = Vec::with_capacity(heads);
        for (h, book) in self.books.iter().enumerate() {
            let columns = s![.., h * depth..(h + 1) * depth];
            let part = book.quantize(&z.slice(columns))?;
            output.slice_mut(columns).assign(&part.output);
            indices.column_mut(h).assign(&part.indices);
            parts.push(part);
        }
        let loss = parts.iter().map(|part| part.loss).sum::<f64>() / heads as f64;
        Ok(HeadsQuantized { output, indices, loss, parts })
    }

    /// The codes side by side [N, H·D] of indices [N, H].
    ///
    /// # Errors
    /// [`Error::Argument`] for another number of heads, [`Error::Index`] for an index that names no code of its head, with its row as
    /// position.
    pub fn decode(&self, indices: &ArrayRef2<usize>) -> Result<Array2<T>, Error> {
        check::shape("indices", indices.shape(), &[indices.nrows(), self.books.len()])?;
        let parts = self.books.iter().zip(indices.columns());
        let parts: Vec<_> = parts.map(|(book, column)| book.decode(&column)).collect::<Result<_, _>>()?;
        let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
        Ok(ndarray::concatenate(Axis(1), &views).unwrap_or_default())
    }
}

impl<T: Compute> HeadsQuantized<T> {
    /// Gradients, as [`Quantized::backward`] of each head; the losses are means over all elements.
    ///
    /// # Errors
    /// As [`Quantized::backward`].
    pub fn backward<S: Sample<Compute = T>>(
        &self,
        heads: &Heads<T>,
        z: &ArrayRef2<S>,
        upstream: &Upstream<'_, T>,
        estimator: Estimator,
    ) -> Result<HeadsGrad<T>, Error> {
        check::shape("z", z.shape(), self.output.shape())?;
        check::shape("output", upstream.output.shape(), self.output.shape())?;
        check::shape("heads", &[heads.books.len()], &[self.parts.len()])?;
        let (count, depth) = (self.parts.len() as f64, heads.depth());
        check::shape("heads", &[heads.books.len() * depth], &[self.output.ncols()])?;
        for book in &heads.books {
            check::shape("heads", &[book.dim()], &[depth])?;
        }
        let mut grad = HeadsGrad { z: Array2::from_elem(z.dim(), T::ZERO), codes: Vec::new() };
        for (h, (part, book)) in self.parts.iter().zip(&heads.books).enumerate() {
            let columns = s![.., h * depth..(h + 1) * depth];
            let upstream = Upstream {
                output: &upstream.output.slice(columns),
                codebook: upstream.codebook / count,
                commitment: upstream.commitment / count,
            };
            let found = part.backward(book, &z.slice(columns), &upstream, estimator)?;
            grad.z.slice_mut(columns).assign(&found.z);
            grad.codes.push(found.codes);
        }
        Ok(grad)
    }
}
