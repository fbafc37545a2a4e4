//! Images with labels.

use std::fmt;
use std::ops::Range;

use ndarray::{Array4, ArrayView4};
use sha2::{Digest, Sha256};

use crate::Error;
use crate::array_dataset::check_indices;

/// Images with labels, in the bytes of their file.
///
/// Invariants, checked by the constructor: one label per image, labels < classes, grey levels ≤
/// [`max_value`](Self::max_value).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageDataset {
    name: String,
    images: Array4<u8>,
    labels: Vec<u8>,
    classes: usize,
    class_names: Vec<String>,
    max_value: u8,
    official_test: Option<Range<usize>>,
}

impl ImageDataset {
    /// A data set from its parts: `images` is `[n, channels, height, width]`, in any memory layout.
    ///
    /// Classes are named by their number until [`with_class_names`](Self::with_class_names).
    ///
    /// # Errors
    /// [`Error::Argument`] if an invariant does not hold, or `max_value` is 0, or `classes` > 256.
    ///
    /// ```
    /// use ndarray::Array4;
    /// use variata_datasets::ImageDataset;
    ///
    /// let two = ImageDataset::new("two", Array4::zeros((2, 1, 8, 8)), vec![0, 1], 2, 255)?;
    /// assert_eq!(two.len(), 2);
    /// # Ok::<(), variata_datasets::Error>(())
    /// ```
    pub fn new(
        name: impl Into<String>,
        images: Array4<u8>,
        labels: Vec<u8>,
        classes: usize,
        max_value: u8,
    ) -> Result<Self, Error> {
        let n = images.dim().0;
        if labels.len() != n {
            return Err(Error::argument("labels.len()", labels.len(), format!("{n}, one per image")));
        }
        if classes > 256 {
            return Err(Error::argument("classes", classes, "at most 256"));
        }
        if max_value == 0 {
            return Err(Error::argument("max_value", 0, "at least 1"));
        }
        if let Some(i) = labels.iter().position(|&label| label as usize >= classes) {
            return Err(Error::Argument {
                argument: "labels",
                value: format!("{} at {i}", labels[i]),
                must: format!("< {classes}"),
            });
        }
        let images =
            if images.is_standard_layout() { images } else { images.as_standard_layout().into_owned() };
        if let Some(i) = images.iter().position(|&grey| grey > max_value) {
            let grey = images.iter().nth(i).copied().unwrap_or_default();
            return Err(Error::Argument {
                argument: "images",
                value: format!("{grey} at {i}"),
                must: format!("<= {max_value}"),
            });
        }
        Ok(Self {
            name: name.into(),
            images,
            labels,
            classes,
            class_names: (0..classes).map(|c| c.to_string()).collect(),
            max_value,
            official_test: None,
        })
    }

    /// Names the classes.
    ///
    /// # Errors
    /// [`Error::Argument`] if there is not one name per class.
    pub fn with_class_names<S: Into<String>>(
        mut self,
        names: impl IntoIterator<Item = S>,
    ) -> Result<Self, Error> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        if names.len() != self.classes {
            return Err(Error::argument("names.len()", names.len(), format!("{}", self.classes)));
        }
        self.class_names = names;
        Ok(self)
    }

    /// Marks images that the authors of the data set aside for the test.
    ///
    /// # Errors
    /// [`Error::Argument`] if the range does not lie within the data set.
    pub fn with_official_test(mut self, range: Range<usize>) -> Result<Self, Error> {
        if range.start > range.end || range.end > self.len() {
            return Err(Error::argument("range", format!("{range:?}"), format!("within 0..{}", self.len())));
        }
        self.official_test = Some(range);
        Ok(self)
    }

    /// Name of the data set.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All images, `[n, channels, height, width]`.
    pub fn images(&self) -> ArrayView4<'_, u8> {
        self.images.view()
    }

    /// The class of each image.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// `[channels, height, width]` of every image.
    pub fn image_shape(&self) -> [usize; 3] {
        let (_, channels, height, width) = self.images.dim();
        [channels, height, width]
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Names of the classes.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// The grey level that [`to_f32`](Self::to_f32) maps to 1: 16 for the digits, 255 for the MNIST family.
    pub fn max_value(&self) -> u8 {
        self.max_value
    }

    /// The images that the authors set aside for the test, if they did.
    pub fn official_test(&self) -> Option<Range<usize>> {
        self.official_test.clone()
    }

    /// All images in \[0, 1\]: x / [`max_value`](Self::max_value), correctly rounded (exact for the digits).
    pub fn to_f32(&self) -> Array4<f32> {
        let levels = self.levels();
        self.images.mapv(|grey| levels[grey as usize])
    }

    /// The chosen images in \[0, 1\], in the given order, as [`to_f32`](Self::to_f32).
    ///
    /// # Errors
    /// [`Error::Argument`] for an index outside the data set.
    pub fn gather(&self, indices: &[usize]) -> Result<Array4<f32>, Error> {
        check_indices(indices, self.len())?;
        Ok(self.gather_checked(indices))
    }

    /// SHA-256 of the content: the lengths `n, channels, height, width, classes, max_value` as little-endian `u64`,
    /// then the images, then the labels. Names do not enter.
    pub fn checksum(&self) -> Checksum {
        let (n, channels, height, width) = self.images.dim();
        let mut hash = Sha256::new();
        for length in [n, channels, height, width, self.classes, self.max_value as usize] {
            hash.update((length as u64).to_le_bytes());
        }
        // Standard layout is an invariant of the constructor, so that this is one slice.
        self.images.as_slice().into_iter().for_each(|bytes| hash.update(bytes));
        hash.update(&self.labels);
        Checksum(hash.finalize().into())
    }

    /// [`gather`](Self::gather) for indices that were checked before.
    pub(crate) fn gather_checked(&self, indices: &[usize]) -> Array4<f32> {
        let levels = self.levels();
        let [channels, height, width] = self.image_shape();
        let mut out = Array4::zeros((indices.len(), channels, height, width));
        for (mut row, &i) in out.outer_iter_mut().zip(indices) {
            row.zip_mut_with(&self.images.index_axis(ndarray::Axis(0), i), |to, &grey| {
                *to = levels[grey as usize];
            });
        }
        out
    }

    /// Grey level → \[0, 1\]; levels above `max_value` do not occur.
    fn levels(&self) -> [f32; 256] {
        std::array::from_fn(|grey| grey as f32 / self.max_value as f32)
    }
}

/// A SHA-256 sum; displayed in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Checksum(pub [u8; 32]);

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&variata_files::hex(&self.0))
    }
}
