//! One batch, and its place in the training.

use ndarray::Array4;

/// A place in the sequence of batches: what a checkpoint keeps so that training resumes with the next batch.
///
/// `batch` counts from 0 within the epoch; at the end of an epoch it equals the number of batches of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Position {
    /// Number of the epoch, from 0.
    pub epoch: u64,
    /// Number of the batch within the epoch, from 0.
    pub batch: u64,
}

impl Position {
    /// The beginning of an epoch.
    pub const fn epoch(epoch: u64) -> Self {
        Self { epoch, batch: 0 }
    }
}

/// Images ready for a network.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// `[batch, channels, height, width]`; of images in \[0, 1\]. What an [`ExampleSource`](crate::ExampleSource) made can
    /// have a multiple of `batch` rows: the first view of all data, then the second of all.
    pub images: Array4<f32>,
    /// The class of each datum, in the order of one view; `i64`, as libtorch indexes.
    pub labels: Vec<i64>,
    /// Which images of the data set these are.
    pub indices: Vec<usize>,
    /// Where the first of these data is in the whole batch; 0 but for a [share](crate::Loader::share).
    pub first_row: usize,
    /// Number of data in the whole batch; their number here, but for a share.
    pub whole_len: usize,
    /// Where this batch stands; the next one is at `batch + 1`.
    pub position: Position,
}

impl Batch {
    /// Number of data: of images, where there is one view of each.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// In how many views each datum is here; 1 but for what an [`ExampleSource`](crate::ExampleSource) made.
    pub fn views(&self) -> usize {
        self.images.dim().0.checked_div(self.len()).unwrap_or(1)
    }

    /// Whether there is no datum; a [`Loader`](crate::Loader) gives no such batch.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }
}
