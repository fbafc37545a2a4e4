//! What a comparison found.

use std::fmt;

/// One compared pair. `error` and `bound` are in the comparison's unit (see [`Mismatch::unit`]).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// Position in the sequence.
    pub index: usize,
    /// The value under test.
    pub got: f64,
    /// The reference.
    pub want: f64,
    /// The error found; +∞ where the pair cannot be compared (NaN, infinities, signs of zero).
    pub error: f64,
    /// The largest error allowed.
    pub bound: f64,
}

/// A comparison that held.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// How many pairs were compared; at least 1.
    pub count: usize,
    /// Largest error.
    pub max: f64,
    /// Root of the mean squared error.
    pub rms: f64,
    /// The pair with the largest error.
    pub worst: Row,
}

/// A comparison that failed, with everything needed to look into it.
#[derive(Debug, Clone, PartialEq)]
pub struct Mismatch {
    /// What was compared.
    pub name: Box<str>,
    /// Seed, dtype, layout: whatever the test gave to [`Comparison::context`](super::Comparison::context).
    pub context: Box<str>,
    /// Unit of errors and bounds, as in "ulp".
    pub unit: &'static str,
    /// What is wrong.
    pub kind: MismatchKind,
}

/// Why a comparison failed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum MismatchKind {
    /// Nothing was compared.
    Empty,
    /// The sequences have unequal lengths.
    Length {
        /// Length of the sequence under test.
        got: usize,
        /// Length of the reference.
        want: usize,
    },
    /// Not as many pairs were compared as the test expects.
    Count {
        /// Compared.
        got: usize,
        /// Expected.
        want: usize,
    },
    /// Pairs are further apart than allowed.
    Values {
        /// The worst of them.
        worst: Row,
        /// How many exceed the bound.
        failed: usize,
        /// How many were compared.
        count: usize,
    },
    /// A scale, floor or bound is negative or not finite, so that it would bound nothing.
    Bound {
        /// Position in the sequence.
        index: usize,
        /// The value found.
        value: f64,
    },
    /// A second evaluation of the same thing gave other bits.
    NotRepeatable {
        /// Position in the sequence.
        index: usize,
        /// Value of the first evaluation.
        first: f64,
        /// Value of the second evaluation.
        second: f64,
    },
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        if !self.context.is_empty() {
            write!(f, " ({})", self.context)?;
        }
        match &self.kind {
            MismatchKind::Empty => write!(f, ": nothing compared"),
            MismatchKind::Length { got, want } => write!(f, ": got {got} values, want {want}"),
            MismatchKind::Count { got, want } => write!(f, ": compared {got} pairs, the test expects {want}"),
            MismatchKind::Values { worst, failed, count } => write!(
                f,
                ": {failed} of {count} exceed the bound; worst at index {}: got {:e} ({:#018x}), want {:e} \
                 ({:#018x}), error {:.4e} {unit}, bound {:.4e} {unit}",
                worst.index,
                worst.got,
                worst.got.to_bits(),
                worst.want,
                worst.want.to_bits(),
                worst.error,
                worst.bound,
                unit = self.unit,
            ),
            MismatchKind::Bound { index, value } => {
                write!(f, ": scale or bound at index {index} is {value}, must be finite and >= 0")
            }
            MismatchKind::NotRepeatable { index, first, second } => write!(
                f,
                ": the second call differs at index {index}: {first:e} ({:#018x}), then {second:e} ({:#018x})",
                first.to_bits(),
                second.to_bits()
            ),
        }
    }
}

impl std::error::Error for Mismatch {}
