//! Calibration of a classifier: how far confidence is from accuracy.
//!
//! Source: paper fourier-aug, section 3 (RMS calibration error with adaptive bins); Hendrycks, Mazeika, Dietterich 2019;
//! Kumar, Liang, Ma 2019 (debiased estimates); Guo et al. 2017 (ECE, MCE, temperature); Kull et al. 2019 (class-wise); Murphy 1973 and Stephenson, Coelho, Jolliffe
//! 2008 (decomposition of the Brier score).

mod binomial;
mod bootstrap;
mod brier;
mod reliability;
mod temperature;

use ndarray::{ArrayRef1, ArrayRef2};
use variata_distributions::lanes::Sum;
use variata_distributions::{ArgumentError, Categorical, Real, check};

pub use bootstrap::{Bootstrap, Interval, Statistic};
pub use brier::{BrierDecomposition, brier_decomposition, brier_score};
use reliability::bins;
pub use reliability::{Bin, Reliability};
pub use temperature::{fit_temperature, negative_log_likelihood};

use crate::Error;

/// How predictions are put into bins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[non_exhaustive]
pub enum Binning {
    /// Bins of neighbours in confidence: a bin closes when it holds at least `size` examples, the next confidence is
    /// another, and at least `size` examples are left. Equal confidences are never split, every example is in a bin, and
    /// the order of the examples does not matter. Fewer than `size` examples make one bin.
    Adaptive {
        /// Examples per bin, at least 1. The paper does not state its own; the value depends on it (docs, calibration).
        size: usize,
    },
    /// Bins `[b/bins, (b + 1)/bins)`; the last one holds confidence 1 too. Empty bins stay in the list, with weight 0.
    EqualWidth {
        /// Number of bins, at least 1.
        bins: usize,
    },
    /// As the authors' library: ⌊n/size⌋ bins of `size` examples in order of confidence; what is left over, the most
    /// confident examples, is dropped, but counts in the weights. To compare tables only: where no bin is left, every error is 0.
    /// Ties keep the order given.
    PublishedDropsRest {
        /// Examples per bin, at least 1.
        size: usize,
    },
    /// As the tool of Hendrycks et al.: the last of the ⌊n/size⌋ bins is extended to all that is left and then skipped. To
    /// compare tables only: where no bin is left, every error is 0. Ties keep the order given.
    PublishedSkipsLast {
        /// Examples per bin, at least 1.
        size: usize,
    },
}

/// Confidence in the predicted class of each example, and whether that was right.
///
/// ```
/// use ndarray::array;
/// use variata_fourier_aug::{Binning, Predictions};
///
/// // Right half of the time at confidence 0.7: a gap of 0.2.
/// let predictions = Predictions::new(&array![0.7, 0.7, 0.7, 0.7], &[true, false, true, false])?;
/// let reliability = predictions.reliability(Binning::Adaptive { size: 2 })?;
/// assert!((reliability.rms() - 0.2).abs() < 1e-15);
/// # Ok::<(), variata_fourier_aug::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Predictions {
    confidence: Vec<f64>,
    correct: Vec<bool>,
}

impl Predictions {
    /// From confidences in [0, 1] and whether each prediction was right.
    ///
    /// # Errors
    /// No example; a confidence outside [0, 1]; lengths that differ.
    pub fn new<F: Real>(confidence: &ArrayRef1<F>, correct: &[bool]) -> Result<Self, Error> {
        not_empty("confidence", confidence.shape())?;
        check::probability("confidence", confidence)?;
        check::shape("correct", &[correct.len()], confidence.shape())?;
        Ok(Self { confidence: confidence.iter().map(|c| c.to_f64()).collect(), correct: correct.to_vec() })
    }

    /// From probabilities [n, classes] and the true classes `[n]`. The predicted class is the likeliest, the first one at a
    /// tie.
    ///
    /// # Errors
    /// No example or class; a probability outside [0, 1]; a row that does not add to 1 within 1e-5 (f32) or 1e-12 (f64), or the
    /// rounding of so many classes; a label that is no class; lengths that differ.
    pub fn from_probabilities<F: Real>(
        probabilities: &ArrayRef2<F>,
        labels: &[usize],
    ) -> Result<Self, Error> {
        checked_rows(probabilities, labels)?;
        Ok(Self::of_tops(probabilities, probabilities, labels))
    }

    /// From the probability of one class: whether an example is of it, whatever class is the likeliest. Confidence is that probability,
    /// and right are the examples of the class.
    ///
    /// # Errors
    /// As [`from_probabilities`](Self::from_probabilities); `class` is none.
    ///
    /// ```
    /// use ndarray::array;
    /// use variata_fourier_aug::{Binning, Predictions};
    ///
    /// let (probabilities, labels) = (array![[0.7, 0.3], [0.7, 0.3]], [0, 1]);
    /// let second = Predictions::of_class(&probabilities, &labels, 1)?;
    /// assert_eq!((second.confidence(), second.correct()), (&[0.3, 0.3][..], &[false, true][..]));
    /// # Ok::<(), variata_fourier_aug::Error>(())
    /// ```
    pub fn of_class<F: Real>(
        probabilities: &ArrayRef2<F>,
        labels: &[usize],
        class: usize,
    ) -> Result<Self, Error> {
        checked_rows(probabilities, labels)?;
        let known = class < probabilities.ncols();
        check::scalar("class", class as f64, "below the number of classes", known)?;
        Ok(Self::of_column(probabilities, labels, class))
    }

    fn of_column<F: Real>(probabilities: &ArrayRef2<F>, labels: &[usize], class: usize) -> Self {
        let confidence = probabilities.column(class).iter().map(|p| p.to_f64()).collect();
        Self { confidence, correct: labels.iter().map(|&label| label == class).collect() }
    }

    /// The class of each row is the first with the largest score, its confidence the probability.
    fn of_tops<F: Real, S: Real>(
        scores: &ArrayRef2<S>,
        probabilities: &ArrayRef2<F>,
        labels: &[usize],
    ) -> Self {
        let rows = scores.rows().into_iter().zip(probabilities.rows()).zip(labels);
        let found = rows.map(|((scores, row), &label)| {
            let top = (0..scores.len()).fold(0, |top, k| if scores[k] > scores[top] { k } else { top });
            (row[top].to_f64(), top == label)
        });
        let (confidence, correct) = found.unzip();
        Self { confidence, correct }
    }

    /// From logits [n, classes] and the true classes `[n]`.
    ///
    /// # Errors
    /// No example or class; a logit of NaN or +∞, a row of −∞; a label that is no class; lengths that differ.
    pub fn from_logits<F: Real>(logits: &ArrayRef2<F>, labels: &[usize]) -> Result<Self, Error> {
        not_empty("logits", logits.shape())?;
        checked_labels(labels, logits.dim())?;
        let probabilities = Categorical::new(logits.mapv(Real::to_f64))?.probabilities();
        let rows: ndarray::Array2<f64> =
            probabilities.into_dimensionality().map_err(|_| ArgumentError::Shape {
                argument: "logits",
                got: logits.shape().to_vec(),
                want: "[n, classes]".to_owned(),
            })?;
        // Logits that differ by less than a rounding of their probabilities still say which class leads.
        Ok(Self::of_tops(logits, &rows, labels))
    }

    /// Confidence of each example, negative where the prediction is wrong; −0 too.
    pub(crate) fn signed(&self) -> impl Iterator<Item = f64> {
        self.confidence.iter().zip(&self.correct).map(|(c, right)| if *right { *c } else { -*c })
    }

    /// The inverse of [`signed`](Self::signed).
    pub(crate) fn from_signed(signed: impl Iterator<Item = f64>) -> Result<Self, Error> {
        let (confidence, correct): (Vec<f64>, Vec<bool>) =
            signed.map(|c| (c.abs(), c.is_sign_positive())).unzip();
        Self::new(&ndarray::Array1::from(confidence), &correct)
    }

    /// Takes in the examples of another set, such as the next batch.
    ///
    /// ```
    /// use ndarray::array;
    /// use variata_fourier_aug::Predictions;
    ///
    /// let mut all = Predictions::new(&array![0.75], &[true])?;
    /// all.merge(&Predictions::new(&array![0.5], &[false])?);
    /// assert_eq!((all.len(), all.error_rate()), (2, 0.5));
    /// # Ok::<(), variata_fourier_aug::Error>(())
    /// ```
    pub fn merge(&mut self, other: &Self) {
        self.confidence.extend_from_slice(&other.confidence);
        self.correct.extend_from_slice(&other.correct);
    }

    /// Number of examples.
    pub fn len(&self) -> usize {
        self.confidence.len()
    }

    /// Always false: there is no empty set of predictions.
    pub fn is_empty(&self) -> bool {
        self.confidence.is_empty()
    }

    /// Confidence of each example.
    pub fn confidence(&self) -> &[f64] {
        &self.confidence
    }

    /// Whether each prediction was right.
    pub fn correct(&self) -> &[bool] {
        &self.correct
    }

    /// Share of wrong predictions.
    pub fn error_rate(&self) -> f64 {
        self.correct.iter().filter(|right| !**right).count() as f64 / self.len() as f64
    }

    /// The bins, for every calibration error and for the reliability diagram.
    ///
    /// # Errors
    /// A bin size or number of bins of 0.
    pub fn reliability(&self, binning: Binning) -> Result<Reliability, Error> {
        let (order, ends) = bins(&self.confidence, &self.correct, binning)?;
        let mut start = 0;
        let mut bins = Vec::with_capacity(ends.len());
        for end in ends {
            let members = &order[start..end];
            let confidence: f64 = members.iter().map(|&i| self.confidence[i]).sum();
            let correct = members.iter().filter(|&&i| self.correct[i]).count();
            let at = |i: Option<&usize>| i.map_or(f64::NAN, |&i| self.confidence[i]);
            let (low, high) = match binning {
                Binning::EqualWidth { bins: all } => {
                    (bins.len() as f64 / all as f64, (bins.len() + 1) as f64 / all as f64)
                }
                _ => (at(members.first()), at(members.last())),
            };
            bins.push(Bin { low, high, count: members.len(), confidence, correct });
            start = end;
        }
        Ok(Reliability { bins, total: self.len() })
    }

    /// Decomposition of the Brier score of "this prediction is right", mean (confidence − right)².
    ///
    /// # Errors
    /// As [`reliability`](Self::reliability); a published binning, which loses examples.
    pub fn brier(&self, binning: Binning) -> Result<BrierDecomposition, Error> {
        brier::decompose(&self.confidence, &self.correct, binning)
    }
}

/// Class-wise calibration error of probabilities [n, classes] for the true classes `[n]`: the mean over classes of the
/// [`ece`](Reliability::ece) of [`Predictions::of_class`]. It sees all probabilities, not only those of the likeliest classes.
///
/// Source: Kull, Perelló-Nieto, Kängsepp, Silva Filho, Song, Flach 2019, eq. 3.
///
/// # Errors
/// As [`Predictions::from_probabilities`]; a bin size or number of bins of 0.
///
/// ```
/// use ndarray::array;
/// use variata_fourier_aug::{Binning, classwise_ece};
///
/// let ece = classwise_ece(&array![[0.7, 0.3], [0.7, 0.3]], &[0, 1], Binning::EqualWidth { bins: 10 })?;
/// assert!((ece - 0.2).abs() < 1e-15);
/// # Ok::<(), variata_fourier_aug::Error>(())
/// ```
pub fn classwise_ece<F: Real>(
    probabilities: &ArrayRef2<F>,
    labels: &[usize],
    binning: Binning,
) -> Result<f64, Error> {
    checked_rows(probabilities, labels)?;
    let mut sum = 0.0;
    for class in 0..probabilities.ncols() {
        sum += Predictions::of_column(probabilities, labels, class).reliability(binning)?.ece();
    }
    Ok(sum / probabilities.ncols() as f64)
}

fn at_least_one(argument: &'static str, value: usize) -> Result<(), ArgumentError> {
    check::scalar(argument, value as f64, "at least 1", value > 0)
}

/// What is held in memory, so many of it.
pub(crate) fn countable(argument: &'static str, value: usize) -> Result<(), ArgumentError> {
    check::scalar(argument, value as f64, "from 1 to 16777216", (1..=1 << 24).contains(&value))
}

pub(crate) fn not_empty(argument: &'static str, shape: &[usize]) -> Result<(), ArgumentError> {
    if shape.contains(&0) {
        return Err(ArgumentError::Shape { argument, got: shape.to_vec(), want: "not empty".to_owned() });
    }
    Ok(())
}

pub(crate) fn checked_labels(labels: &[usize], (n, classes): (usize, usize)) -> Result<(), ArgumentError> {
    check::shape("labels", &[labels.len()], &[n])?;
    match labels.iter().position(|&label| label >= classes) {
        None => Ok(()),
        Some(i) => Err(ArgumentError::Value {
            argument: "labels",
            index: Some(i),
            value: labels[i] as f64,
            must: "a class, below the number of classes",
        }),
    }
}

fn checked_rows<F: Real>(probabilities: &ArrayRef2<F>, labels: &[usize]) -> Result<(), Error> {
    not_empty("probabilities", probabilities.shape())?;
    check::probability("probabilities", probabilities)?;
    checked_labels(labels, probabilities.dim())?;
    // As much as normalising by a plain sum leaves.
    let slack = if F::UNIT_ROUNDOFF > 1e-10 { 1e-5 } else { 1e-12 };
    let slack = f64::max(slack, probabilities.ncols() as f64 * F::UNIT_ROUNDOFF);
    for (i, row) in probabilities.rows().into_iter().enumerate() {
        let mut sum = Sum::default();
        row.iter().for_each(|p| sum.add(p.to_f64()));
        let sum = sum.value();
        if (sum - 1.0).abs() > slack {
            let (argument, index, must) = ("sum of probabilities", Some(i), "1");
            return Err(ArgumentError::Value { argument, index, value: sum, must }.into());
        }
    }
    Ok(())
}
