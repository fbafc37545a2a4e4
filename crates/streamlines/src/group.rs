//! Bundles of equal size for networks.

use ndarray::{Array4, ArrayView4, Axis, Slice};
use variata_distributions::ArgumentError;

use crate::error::scalar;
use crate::resample::MOST;
use crate::{Coordinate, Error, Streamlines};

/// How streamlines become data: so many streamlines of so many points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupOptions {
    /// Streamlines of a datum; 64 in paper vq-diff.
    pub streamlines: usize,
    /// Points of a streamline, equidistant in arc length; 64 in the paper.
    pub points: usize,
}

impl Default for GroupOptions {
    fn default() -> Self {
        Self { streamlines: 64, points: 64 }
    }
}

/// Data of equal size with what they are: [data, streamlines, 3, points], class and subject of each.
///
/// Source: paper vq-diff's code. Streamlines are taken as they come, `streamlines` at a time; what is left over is dropped. The
/// axes are streamline, coordinate, point; a network for images takes [3, streamline, point].
///
/// ```
/// use variata_streamlines::{GroupOptions, Groups, Streamlines};
///
/// let lines: Streamlines = (0..10).map(|y| vec![[0.0, y as f32, 0.0], [9.0, y as f32, 0.0]]).collect();
/// let mut groups = Groups::new(GroupOptions { streamlines: 4, points: 8 })?;
/// groups.add(0, 17, &lines)?;
/// groups.add(1, 17, &lines.select(&[0, 1, 2, 3])?)?;
/// assert_eq!(groups.data().dim(), (3, 4, 3, 8)); // two of class 0, one of class 1
/// assert_eq!(groups.balanced().classes(), [0, 1]);
/// # Ok::<(), variata_streamlines::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Groups<T = f32> {
    options: GroupOptions,
    data: Array4<T>,
    classes: Vec<usize>,
    subjects: Vec<usize>,
    dropped: usize,
}

impl<T: Coordinate> Groups<T> {
    /// No datum.
    ///
    /// # Errors
    /// [`Error::Argument`] for data of no streamlines, of fewer than 2 points, or of more than 2²⁴ of either.
    pub fn new(options: GroupOptions) -> Result<Self, Error> {
        if !(1..=MOST).contains(&options.streamlines) {
            return Err(scalar("streamlines", options.streamlines as f64, "1 to 16777216"));
        }
        crate::resample::check_k(options.points)?;
        let data = Array4::from_elem((0, options.streamlines, 3, options.points), T::ZERO);
        Ok(Self { options, data, classes: Vec::new(), subjects: Vec::new(), dropped: 0 })
    }

    /// Adds the streamlines of one class of one subject, in order, as many whole data as they give.
    ///
    /// # Errors
    /// As [`Streamlines::resample`]; nothing is added then.
    pub fn add(&mut self, class: usize, subject: usize, lines: &Streamlines<T>) -> Result<(), Error> {
        let size = self.options.streamlines;
        let resampled = lines.resample(self.options.points)?;
        let whole = lines.len() / size;
        let data = resampled.slice_axis(Axis(0), Slice::from(..whole * size));
        // [n · size, points, 3] → [n, size, 3, points].
        let split = data.to_shape((whole, size, self.options.points, 3));
        let split = split.map_err(|_| scalar("lines", lines.len() as f64, "addressable"))?;
        let split = split.view().permuted_axes([0, 1, 3, 2]);
        self.data.append(Axis(0), split).map_err(|_| scalar("lines", lines.len() as f64, "addressable"))?;
        self.classes.extend(std::iter::repeat_n(class, whole));
        self.subjects.extend(std::iter::repeat_n(subject, whole));
        self.dropped += lines.len() - whole * size;
        Ok(())
    }

    /// The data, [data, streamlines, 3, points].
    pub fn data(&self) -> ArrayView4<'_, T> {
        self.data.view()
    }

    /// The data alone.
    pub fn into_data(self) -> Array4<T> {
        self.data
    }

    /// Class of each datum.
    pub fn classes(&self) -> &[usize] {
        &self.classes
    }

    /// Subject of each datum, for splits that keep a subject together.
    pub fn subjects(&self) -> &[usize] {
        &self.subjects
    }

    /// Streamlines that made no whole datum.
    pub fn dropped(&self) -> usize {
        self.dropped
    }

    /// The same number of data from every class that occurs, the first of each: as many as the smallest class has.
    ///
    /// The paper's 135,060 data are 12 classes of 11,255.
    #[must_use]
    pub fn balanced(&self) -> Self {
        let mut counts: Vec<(usize, usize)> = Vec::new();
        for &class in &self.classes {
            match counts.iter_mut().find(|(known, _)| *known == class) {
                Some((_, count)) => *count += 1,
                None => counts.push((class, 1)),
            }
        }
        let each = counts.iter().map(|(_, count)| *count).min().unwrap_or_default();
        let mut taken: Vec<(usize, usize)> = counts.iter().map(|(class, _)| (*class, 0)).collect();
        let mut kept = Vec::with_capacity(each * counts.len());
        for (i, class) in self.classes.iter().enumerate() {
            if let Some((_, taken)) = taken.iter_mut().find(|(known, taken)| known == class && *taken < each)
            {
                *taken += 1;
                kept.push(i);
            }
        }
        self.picked(&kept)
    }

    /// The data at `indices`, in that order.
    ///
    /// # Errors
    /// [`Error::Argument`] for an index that is not below the number of data.
    pub fn select(&self, indices: &[usize]) -> Result<Self, Error> {
        match indices.iter().position(|&i| i >= self.classes.len()) {
            None => Ok(self.picked(indices)),
            Some(i) => Err(ArgumentError::Value {
                argument: "indices",
                index: Some(i),
                value: indices[i] as f64,
                must: "less than the number of data",
            }
            .into()),
        }
    }

    /// `indices` are in range.
    fn picked(&self, indices: &[usize]) -> Self {
        Self {
            options: self.options,
            data: self.data.select(Axis(0), indices),
            classes: indices.iter().map(|&i| self.classes[i]).collect(),
            subjects: indices.iter().map(|&i| self.subjects[i]).collect(),
            dropped: self.dropped,
        }
    }
}

/// The streamlines of one datum, [streamlines, 3, points], for whoever compares or writes them.
///
/// # Errors
/// [`Error::Argument`] when the axis of coordinates is not 3.
///
/// ```
/// use ndarray::array;
/// use variata_streamlines::ungroup;
///
/// let datum = array![[[0.0, 1.0], [0.0, 2.0], [0.0, 3.0]]]; // one streamline, x, y, z of two points
/// let lines = ungroup(&datum)?;
/// assert_eq!(lines.get(0), Some(array![[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]].view()));
/// # Ok::<(), variata_streamlines::Error>(())
/// ```
pub fn ungroup<T: Coordinate>(datum: &ndarray::ArrayRef3<T>) -> Result<Streamlines<T>, Error> {
    if datum.dim().1 != 3 {
        return Err(crate::error::shape("datum", datum.shape(), "[streamlines, 3, points]"));
    }
    Streamlines::from_array(&datum.view().permuted_axes([0, 2, 1]))
}
