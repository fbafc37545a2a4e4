//! Data that are no pictures, and what batches are made of.

use std::sync::Arc;

use ndarray::{Array4, Axis};
use sha2::{Digest, Sha256};

use crate::{Checksum, Error, ExampleSource, ImageDataset, Position};

/// What a [`Loader`](crate::Loader) gathers into batches.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Examples {
    /// Images, in \[0, 1\].
    Images(Arc<ImageDataset>),
    /// Arrays of any numbers.
    Arrays(Arc<ArrayDataset>),
    /// Arrays made on demand, in any number of views.
    Made(Arc<dyn ExampleSource>),
}

impl From<Arc<ImageDataset>> for Examples {
    fn from(data: Arc<ImageDataset>) -> Self {
        Self::Images(data)
    }
}

impl From<Arc<ArrayDataset>> for Examples {
    fn from(data: Arc<ArrayDataset>) -> Self {
        Self::Arrays(data)
    }
}

impl From<Arc<dyn ExampleSource>> for Examples {
    fn from(source: Arc<dyn ExampleSource>) -> Self {
        Self::Made(source)
    }
}

impl Examples {
    /// The class of each datum.
    pub fn labels(&self) -> &[u8] {
        match self {
            Self::Images(data) => data.labels(),
            Self::Arrays(data) => data.labels(),
            Self::Made(source) => source.labels(),
        }
    }

    /// The arrays and the classes of these rows, from `first_row` on, of the batch at `position`; indices below the number of labels that there was before.
    pub(crate) fn batch(
        &self,
        indices: &[usize],
        position: Position,
        first_row: usize,
    ) -> Result<(Array4<f32>, Vec<i64>), Error> {
        let labels = self.labels();
        check_indices(indices, labels.len())?; // nothing keeps a source from changing its labels
        let images = match self {
            Self::Images(data) => data.gather_checked(indices),
            Self::Arrays(data) => data.values.select(Axis(0), indices),
            Self::Made(source) => made(&**source, indices, position, first_row)?,
        };
        Ok((images, indices.iter().map(|&i| i64::from(labels[i])).collect()))
    }
}

/// What a source makes, with its number of arrays checked; in standard layout, as stored data are.
fn made(
    source: &dyn ExampleSource,
    indices: &[usize],
    position: Position,
    first_row: usize,
) -> Result<Array4<f32>, Error> {
    let images =
        source.make(indices, position, first_row).map_err(|source| Error::Made { position, source })?;
    let (found, data) = (images.dim().0, indices.len());
    if found == 0 || !found.is_multiple_of(data) {
        return Err(Error::Views { position, found, data });
    }
    Ok(if images.is_standard_layout() { images } else { images.as_standard_layout().into_owned() })
}

/// Every index is below the number of data.
pub(crate) fn check_indices(indices: &[usize], count: usize) -> Result<(), Error> {
    match indices.iter().position(|&i| i >= count) {
        None => Ok(()),
        Some(at) => Err(Error::Argument {
            argument: "indices",
            value: format!("{} at {at}", indices[at]),
            must: format!("< {count}"),
        }),
    }
}

/// Arrays of finite numbers that are no pictures, such as bundles of streamlines: `[n, channels, height, width]`, with classes.
///
/// ```
/// use ndarray::Array4;
/// use variata_datasets::ArrayDataset;
///
/// let two = ArrayDataset::new("two", Array4::from_elem((2, 3, 4, 4), -0.5), vec![0, 1])?;
/// assert_eq!(two.gather(&[1])?[[0, 2, 0, 0]], -0.5);
/// # Ok::<(), variata_datasets::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ArrayDataset {
    name: String,
    values: Array4<f32>,
    labels: Vec<u8>,
}

impl ArrayDataset {
    /// A data set from its parts; memory of any layout.
    ///
    /// # Errors
    /// [`Error::Argument`] if there is not one class per array, or a number is not finite.
    pub fn new(name: impl Into<String>, values: Array4<f32>, labels: Vec<u8>) -> Result<Self, Error> {
        let n = values.dim().0;
        if labels.len() != n {
            return Err(Error::argument("labels.len()", labels.len(), format!("{n}, one per array")));
        }
        if let Some((i, value)) = values.iter().enumerate().find(|(_, v)| !v.is_finite()) {
            return Err(Error::Argument {
                argument: "values",
                value: format!("{value} at {i}"),
                must: "finite".into(),
            });
        }
        let values =
            if values.is_standard_layout() { values } else { values.as_standard_layout().into_owned() };
        Ok(Self { name: name.into(), values, labels })
    }

    /// Name of the data set.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The class of each array.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// The chosen arrays in the given order.
    ///
    /// # Errors
    /// [`Error::Argument`] for an index outside the data set.
    pub fn gather(&self, indices: &[usize]) -> Result<Array4<f32>, Error> {
        check_indices(indices, self.labels.len())?;
        Ok(self.values.select(Axis(0), indices))
    }

    /// All arrays.
    pub fn array(&self) -> &Array4<f32> {
        &self.values
    }

    /// SHA-256 of the content: the four lengths as little-endian `u64`, the numbers as little-endian `f32`, then the classes.
    pub fn checksum(&self) -> Checksum {
        let (n, channels, height, width) = self.values.dim();
        let mut hash = Sha256::new();
        for length in [n, channels, height, width] {
            hash.update((length as u64).to_le_bytes());
        }
        for value in &self.values {
            hash.update(value.to_le_bytes());
        }
        hash.update(&self.labels);
        Checksum(hash.finalize().into())
    }
}
