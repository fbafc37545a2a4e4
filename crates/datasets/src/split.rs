//! Training, validation and test parts.

use std::ops::Range;

use crate::shuffle::{Purpose, shuffle};
use crate::{Error, ImageDataset};

/// How a data set is divided.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct SplitOptions {
    /// Seed of the choice; 0.
    pub seed: u64,
    /// Fraction for validation, of all data or, where there is an official test part, of the others; 0.1.
    pub validation: f64,
    /// Fraction of the data for the test; 0.2. Not used where the data set has an official test part.
    pub test: f64,
    /// Whether every class is represented in proportion, to within one image; true.
    pub stratified: bool,
}

impl Default for SplitOptions {
    fn default() -> Self {
        Self { seed: 0, validation: 0.1, test: 0.2, stratified: true }
    }
}

/// Indices of the three parts: disjoint, together every image once, each ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Splits {
    /// For training.
    pub train: Vec<usize>,
    /// For choices made during training.
    pub validation: Vec<usize>,
    /// For the numbers that are reported.
    pub test: Vec<usize>,
}

impl Splits {
    /// Divides a data set. An official test part is taken as it is, and the rest is divided into training and
    /// validation. Sizes are the fractions rounded to the nearest whole number, that of the validation part to within one; the seed alone decides who
    /// goes where.
    ///
    /// Numerics: the images are put in order, by class if `stratified`, shuffled within it, and selected at equal
    /// distances: position p belongs to a part of fraction f iff round(f·(p+1)) > round(f·p). Any stretch of m images
    /// then holds between f·m − 1 and f·m + 1 of the part, which is why classes are represented to within one image
    /// (two for the validation part, selected from what the test part left).
    ///
    /// # Errors
    /// [`Error::Argument`] for a fraction outside [0, 1), and where nothing is left for training of data that are not empty.
    ///
    /// ```
    /// use variata_datasets::{SplitOptions, Splits, digits};
    ///
    /// let splits = Splits::new(&digits(), &SplitOptions::default())?;
    /// assert_eq!((splits.train.len(), splits.validation.len(), splits.test.len()), (1258, 180, 359));
    /// # Ok::<(), variata_datasets::Error>(())
    /// ```
    pub fn new(data: &ImageDataset, options: &SplitOptions) -> Result<Self, Error> {
        Self::of_labels(data.labels(), data.official_test().as_ref(), options)
    }

    /// The same for any data of which the classes are known, such as an [`ArrayDataset`](crate::ArrayDataset); `official` are the data set
    /// aside for the test, if any are.
    ///
    /// # Errors
    /// As [`new`](Self::new); `official` reaches beyond the data.
    ///
    /// ```
    /// use variata_datasets::{SplitOptions, Splits};
    ///
    /// let splits = Splits::of_labels(&[0; 50], None, &SplitOptions::default())?;
    /// assert_eq!((splits.train.len(), splits.validation.len(), splits.test.len()), (35, 5, 10));
    /// # Ok::<(), variata_datasets::Error>(())
    /// ```
    pub fn of_labels(
        labels: &[u8],
        official: Option<&Range<usize>>,
        options: &SplitOptions,
    ) -> Result<Self, Error> {
        let SplitOptions { seed, validation, test, stratified } = *options;
        for (argument, fraction) in [("validation", validation), ("test", test)] {
            if !(0.0..1.0).contains(&fraction) {
                return Err(Error::argument(argument, fraction, "in [0, 1)"));
            }
        }
        if let Some(range) = official.filter(|range| range.start > range.end || range.end > labels.len()) {
            return Err(Error::argument(
                "official",
                format!("{range:?}"),
                format!("within 0..{}", labels.len()),
            ));
        }
        if official.is_none() && validation + test >= 1.0 {
            return Err(Error::argument("validation + test", validation + test, "< 1"));
        }
        let (given, pool): (Vec<usize>, Vec<usize>) =
            (0..labels.len()).partition(|i| official.is_some_and(|range| range.contains(i)));
        let pool = in_order(labels, pool, seed, stratified);
        let (mut test_part, rest, of_rest) = if official.is_some() {
            (given, pool, validation)
        } else {
            let (chosen, rest) = every(pool, test);
            (chosen, rest, validation / (1.0 - test))
        };
        let (mut validation, mut train) = every(rest, of_rest);
        for part in [&mut train, &mut validation, &mut test_part] {
            part.sort_unstable();
        }
        if train.is_empty() && !labels.is_empty() {
            return Err(Error::argument(
                "number of data",
                labels.len(),
                "enough, after rounding, to leave one for training",
            ));
        }
        Ok(Self { train, validation, test: test_part })
    }
}

/// The pool, shuffled; by class if `stratified`, with a stream of random numbers for each class.
fn in_order(labels: &[u8], mut pool: Vec<usize>, seed: u64, stratified: bool) -> Vec<usize> {
    if !stratified {
        shuffle(&mut pool, Purpose::Split, seed, 0);
        return pool;
    }
    pool.sort_by_key(|&i| labels[i]); // stable
    for class in pool.chunk_by_mut(|&i, &j| labels[i] == labels[j]) {
        // `chunk_by_mut` gives no empty chunk. Stream 0 is that of the split without classes.
        let stream = 1 + u64::from(labels[class[0]]);
        shuffle(class, Purpose::Split, seed, stream);
    }
    pool
}

/// A fraction of the items at equal distances, and the others.
fn every(items: Vec<usize>, fraction: f64) -> (Vec<usize>, Vec<usize>) {
    let (mut chosen, mut others) = (Vec::new(), Vec::with_capacity(items.len()));
    for (p, i) in items.into_iter().enumerate() {
        let taken = (fraction * (p + 1) as f64).round() > (fraction * p as f64).round();
        if taken { chosen.push(i) } else { others.push(i) }
    }
    (chosen, others)
}
