//! Lines of points, one behind the other in one array.

use ndarray::{Array3, ArrayRef2, ArrayRef3, ArrayView2};
use variata_distributions::ArgumentError;
use variata_distributions::parallel::for_each;

use crate::Error;
use crate::coordinate::{Coordinate, sizes};
use crate::error::{scalar, shape};
use crate::resample::{arc_length, resample_into};

/// Streamlines of any numbers of points: the points of all in one contiguous array [points, 3], and where each begins.
///
/// ```
/// use ndarray::array;
/// use variata_streamlines::Streamlines;
///
/// let mut lines = Streamlines::new();
/// lines.push(&array![[0.0f32, 0.0, 0.0], [3.0, 4.0, 0.0]])?;
/// lines.push(&array![[1.0f32, 1.0, 1.0], [1.0, 1.0, 2.0], [1.0, 1.0, 4.0]])?;
/// assert_eq!((lines.len(), lines.offsets()), (2, &[0, 2, 5][..]));
/// assert_eq!(lines.lengths(), [5.0, 3.0]);
/// # Ok::<(), variata_streamlines::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Streamlines<T = f32> {
    points: Vec<[T; 3]>,
    /// One more than there are streamlines; never decreasing, from 0 to the number of points.
    offsets: Vec<usize>,
}

impl<T> Default for Streamlines<T> {
    fn default() -> Self {
        Self { points: Vec::new(), offsets: vec![0] }
    }
}

impl<T> Streamlines<T> {
    /// No streamline.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of streamlines.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where each streamline begins in [`points`](Self::points), and the number of points at the end: [streamlines + 1].
    pub fn offsets(&self) -> &[usize] {
        &self.offsets
    }

    /// The points of all streamlines, [points, 3].
    pub fn points(&self) -> ArrayView2<'_, T> {
        ArrayView2::from(&self.points[..])
    }

    /// The points of streamline `i`, [points, 3], if there is one.
    pub fn get(&self, i: usize) -> Option<ArrayView2<'_, T>> {
        self.slice(i).map(ArrayView2::from)
    }

    /// The points of each streamline in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = ArrayView2<'_, T>> {
        self.slices().map(ArrayView2::from)
    }

    pub(crate) fn slice(&self, i: usize) -> Option<&[[T; 3]]> {
        let (from, to) = (*self.offsets.get(i)?, *self.offsets.get(i + 1)?);
        self.points.get(from..to)
    }

    pub(crate) fn slices(&self) -> impl ExactSizeIterator<Item = &[[T; 3]]> {
        self.offsets.windows(2).map(|ends| &self.points[ends[0]..ends[1]])
    }

    /// The points of all streamlines, for those who add or change points one by one.
    pub(crate) fn flat(&self) -> &[[T; 3]] {
        &self.points
    }

    pub(crate) fn flat_mut(&mut self) -> &mut [[T; 3]] {
        &mut self.points
    }

    /// Makes room, where there is as much: what is reserved in vain may be more than memory holds.
    pub(crate) fn reserve(&mut self, streamlines: usize, points: usize) {
        let _ = self.offsets.try_reserve_exact(streamlines);
        let _ = self.points.try_reserve_exact(points);
    }

    /// Adds a point to the streamline that [`end`](Self::end) will end.
    pub(crate) fn point(&mut self, point: [T; 3]) {
        self.points.push(point);
    }

    /// Ends a streamline behind the points that were added since the last one.
    pub(crate) fn end(&mut self) {
        self.offsets.push(self.points.len());
    }

    /// Points added since the last streamline's end.
    pub(crate) fn open(&self) -> usize {
        self.points.len() - self.offsets.last().copied().unwrap_or_default()
    }
}

impl<T: Coordinate> Streamlines<T> {
    /// Streamlines from all of their points, [points, 3], and where each begins, with the number of points at the end.
    ///
    /// # Errors
    /// [`Error::Argument`] when `points` is not [_, 3], or `offsets` does not begin with 0, decreases, or does not end with
    /// the number of points.
    ///
    /// ```
    /// use ndarray::arr2;
    /// use variata_streamlines::Streamlines;
    ///
    /// let points = arr2(&[[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [5.0, 5.0, 5.0]]);
    /// let lines = Streamlines::from_parts(&points, &[0, 2, 3])?;
    /// assert_eq!(lines.get(1), Some(arr2(&[[5.0, 5.0, 5.0]]).view()));
    /// # Ok::<(), variata_streamlines::Error>(())
    /// ```
    pub fn from_parts(points: &ArrayRef2<T>, offsets: &[usize]) -> Result<Self, Error> {
        three("points", points)?;
        let wrong = offsets
            .iter()
            .enumerate()
            .position(|(i, &at)| if i == 0 { at != 0 } else { at < offsets[i - 1] || at > points.nrows() });
        let last = offsets.last().copied();
        let wrong = wrong.or_else(|| (last != Some(points.nrows())).then(|| offsets.len().saturating_sub(1)));
        if let Some(i) = wrong {
            return Err(ArgumentError::Value {
                argument: "offsets",
                index: Some(i),
                value: offsets.get(i).map_or(f64::NAN, |&at| at as f64),
                must: "from 0 to the number of points, never less than the one before",
            }
            .into());
        }
        Ok(Self { points: rows(points).collect(), offsets: offsets.to_vec() })
    }

    /// Streamlines of equal numbers of points, [streamlines, points, 3].
    ///
    /// # Errors
    /// [`Error::Argument`] when the last axis is not 3, or there are more than 2²⁴ streamlines without points, for which memory may have no room.
    pub fn from_array(lines: &ArrayRef3<T>) -> Result<Self, Error> {
        if lines.dim().2 != 3 || lines.is_empty() && lines.dim().0 > 1 << 24 {
            return Err(shape(
                "lines",
                lines.shape(),
                "[streamlines, points, 3], at most 2^24 without points",
            ));
        }
        let mut out = Self::new();
        out.reserve(lines.dim().0, lines.len() / 3);
        for line in lines.outer_iter() {
            out.points.extend(rows(&line));
            out.end();
        }
        Ok(out)
    }

    /// Adds a streamline, [points, 3].
    ///
    /// # Errors
    /// [`Error::Argument`] when `line` is not [_, 3].
    pub fn push(&mut self, line: &ArrayRef2<T>) -> Result<(), Error> {
        three("line", line)?;
        self.points.extend(rows(line));
        self.end();
        Ok(())
    }

    /// The streamlines at `indices`, in that order.
    ///
    /// # Errors
    /// [`Error::Argument`] for an index that is not below the number of streamlines.
    pub fn select(&self, indices: &[usize]) -> Result<Self, Error> {
        let mut out = Self::new();
        for (i, &index) in indices.iter().enumerate() {
            let line = self.slice(index).ok_or(ArgumentError::Value {
                argument: "indices",
                index: Some(i),
                value: index as f64,
                must: "less than the number of streamlines",
            })?;
            out.points.extend_from_slice(line);
            out.end();
        }
        Ok(out)
    }

    /// Turns streamline `i` round, so that its last point becomes its first; does nothing if there is none.
    pub fn reverse(&mut self, i: usize) {
        if let (Some(&from), Some(&to)) = (self.offsets.get(i), self.offsets.get(i + 1)) {
            self.points[from..to].reverse();
        }
    }

    /// The arc length of each streamline, the sum of the lengths of its segments, in the coordinates' unit.
    pub fn lengths(&self) -> Vec<f64> {
        self.slices().map(arc_length).collect()
    }

    /// Every streamline as `k` points that are equidistant in arc length, [streamlines, k, 3].
    ///
    /// As [`resample`](crate::resample), on all cores.
    ///
    /// # Errors
    /// [`Error::Argument`] when `k` is not 2 to 2²⁴, a coordinate is not finite, or a streamline has fewer than 2 points.
    ///
    /// ```
    /// use ndarray::array;
    /// use variata_streamlines::Streamlines;
    ///
    /// let mut lines = Streamlines::new();
    /// lines.push(&array![[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 3.0, 0.0]])?;
    /// assert_eq!(lines.resample(3)?, array![[[0.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0, 3.0, 0.0]]]);
    /// # Ok::<(), variata_streamlines::Error>(())
    /// ```
    pub fn resample(&self, k: usize) -> Result<Array3<T>, Error> {
        const TASK: usize = 64;
        crate::resample::check_k(k)?;
        sizes("points", &self.points())?;
        if let Some(i) = self.slices().position(|line| line.len() < 2) {
            let points = self.slice(i).map_or(0, <[_]>::len);
            return Err(ArgumentError::Value {
                argument: "points of streamline",
                index: Some(i),
                value: points as f64,
                must: "at least 2",
            }
            .into());
        }
        let size = self.len().checked_mul(k).ok_or_else(|| scalar("k", k as f64, "addressable"))?;
        let mut out = vec![[T::ZERO; 3]; size];
        let lines: Vec<&[[T; 3]]> = self.slices().collect();
        let tasks = out.chunks_mut(TASK * k).zip(lines.chunks(TASK)).collect();
        for_each(tasks, |(out, lines): (&mut [[T; 3]], &[&[[T; 3]]])| {
            let mut arc = Vec::new();
            for (to, line) in out.chunks_mut(k).zip(lines) {
                resample_into(line, &mut arc, to);
            }
        });
        Array3::from_shape_vec((self.len(), k, 3), out.into_flattened())
            .map_err(|_| scalar("k", k as f64, "addressable"))
    }
}

impl<T: Coordinate> FromIterator<Vec<[T; 3]>> for Streamlines<T> {
    fn from_iter<I: IntoIterator<Item = Vec<[T; 3]>>>(lines: I) -> Self {
        let mut out = Self::new();
        for line in lines {
            out.points.extend(line);
            out.end();
        }
        out
    }
}

/// The array is [_, 3].
pub(crate) fn three<T>(argument: &'static str, points: &ArrayRef2<T>) -> Result<(), Error> {
    if points.ncols() == 3 { Ok(()) } else { Err(shape(argument, points.shape(), "[points, 3]")) }
}

/// The rows of an array [_, 3] of any layout.
pub(crate) fn rows<T: Copy>(points: &ArrayRef2<T>) -> impl Iterator<Item = [T; 3]> {
    points.rows().into_iter().map(|row| [row[0], row[1], row[2]])
}
