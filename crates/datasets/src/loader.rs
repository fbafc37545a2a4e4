//! The batches of an epoch.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::array_dataset::check_indices;
use crate::prefetch::MOST_AHEAD;
use crate::{Batch, Error, Examples, Position, Prefetch, permutation};

/// How batches are made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct LoaderOptions {
    /// Data in a batch; 64.
    pub batch_size: usize,
    /// Whether each epoch has an order of its own; true. Otherwise the order of the indices.
    pub shuffle: bool,
    /// Seed of the orders; 0.
    pub seed: u64,
    /// Whether a last batch of fewer than `batch_size` images is left out; false.
    pub drop_last: bool,
    /// Batches made ahead on a background thread, at most 65,536; 2. With 0 each is made when it is asked for. The batches are the
    /// same.
    pub prefetch: usize,
}

impl Default for LoaderOptions {
    fn default() -> Self {
        Self { batch_size: 64, shuffle: true, seed: 0, drop_last: false, prefetch: 2 }
    }
}

/// Gives the batches of any epoch, from any position.
///
/// What a batch holds depends on the indices, the options and its [`Position`] alone, so that training that is resumed
/// from a position sees exactly what uninterrupted training would have seen. Data that are made on demand, such as
/// augmented images, are an [`ExampleSource`](crate::ExampleSource).
///
/// ```
/// use std::sync::Arc;
/// use variata_datasets::{Loader, LoaderOptions, Position, digits};
///
/// let data = Arc::new(digits());
/// let all: Vec<usize> = (0..data.len()).collect();
/// let loader = Loader::new(data, all, LoaderOptions { batch_size: 100, ..Default::default() })?;
/// assert_eq!(loader.batches_per_epoch(), 18);
/// for batch in loader.epoch(Position { epoch: 3, batch: 16 })? {
///     let batch = batch?;
///     assert_eq!(batch.images.shape(), [batch.len(), 1, 8, 8]);
/// }
/// # Ok::<(), variata_datasets::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Loader {
    data: Examples,
    indices: Arc<[usize]>,
    options: LoaderOptions,
    share: Share,
    before: Hook,
}

/// One of `count` equal parts of each batch.
#[derive(Debug, Clone, Copy)]
struct Share {
    index: usize,
    count: usize,
}

impl Share {
    /// Its rows of a batch of `n`.
    fn rows(self, n: usize) -> Range<usize> {
        // In u128, where no product is too large.
        let at = |k: usize| (n as u128 * k as u128 / self.count as u128) as usize;
        at(self.index)..at(self.index + 1)
    }
}

/// What is called before each batch.
#[derive(Clone, Default)]
struct Hook(Option<Arc<dyn Fn(Position) + Send + Sync>>);

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "a function" } else { "nothing" })
    }
}

impl Loader {
    /// Batches of the images at `indices`, as from [`Splits`](crate::Splits).
    ///
    /// # Errors
    /// [`Error::Argument`] for a batch size of 0, an index outside the data set, or an epoch without a batch.
    pub fn new(
        data: impl Into<Examples>,
        indices: impl Into<Arc<[usize]>>,
        options: LoaderOptions,
    ) -> Result<Self, Error> {
        let (data, indices) = (data.into(), indices.into());
        check_indices(&indices, data.labels().len())?;
        if options.batch_size == 0 {
            return Err(Error::argument("batch_size", 0, "at least 1"));
        }
        if options.prefetch > MOST_AHEAD {
            return Err(Error::argument("prefetch", options.prefetch, format!("at most {MOST_AHEAD}")));
        }
        let least = if options.drop_last { options.batch_size } else { 1 };
        if indices.len() < least {
            return Err(Error::argument(
                "indices.len()",
                indices.len(),
                format!("at least {least}, or an epoch has no batch"),
            ));
        }
        let share = Share { index: 0, count: 1 };
        Ok(Self { data, indices, options, share, before: Hook::default() })
    }

    /// Calls `hook` before each batch is made, on the thread that makes it: to log positions, to slow the data down, or
    /// to fail there in a test. The batches stay the same. A panic of the hook is one of the worker: with `prefetch` it
    /// reaches the consumer as [`Error::WorkerPanicked`].
    #[must_use]
    pub fn before_batch(mut self, hook: impl Fn(Position) + Send + Sync + 'static) -> Self {
        self.before = Hook(Some(Arc::new(hook)));
        self
    }

    /// The rows of each batch that belong to worker `index` of `count`: consecutive ones, in equal parts as far as the batch can be
    /// divided. All shares together give each batch once, with the bits of the undivided one.
    ///
    /// # Errors
    /// [`Error::Argument`] for an index that is not below the count, or a batch of fewer rows than `count`.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use variata_datasets::{Loader, LoaderOptions, Position, digits};
    ///
    /// let loader = Loader::new(Arc::new(digits()), (0..100).collect::<Vec<_>>(), LoaderOptions::default())?;
    /// let whole = loader.epoch(Position::epoch(0))?.next().unwrap()?;
    /// let third = loader.share(2, 3)?.epoch(Position::epoch(0))?.next().unwrap()?;
    /// assert_eq!((third.first_row, third.len(), third.whole_len), (42, 22, 64));
    /// assert_eq!(third.indices, whole.indices[42..]);
    /// # Ok::<(), variata_datasets::Error>(())
    /// ```
    pub fn share(&self, index: usize, count: usize) -> Result<Self, Error> {
        if index >= count {
            return Err(Error::argument("index", index, format!("below count = {count}")));
        }
        let (n, size) = (self.indices.len(), self.options.batch_size);
        // Every batch but the last is full.
        let least = if self.options.drop_last || n.is_multiple_of(size) { size } else { n % size };
        if count > least {
            return Err(Error::argument(
                "count",
                count,
                format!("at most {least}, the rows of the smallest batch"),
            ));
        }
        Ok(Self { share: Share { index, count }, ..self.clone() })
    }

    /// The data set.
    pub fn data(&self) -> &Examples {
        &self.data
    }

    /// The images that the batches are made of.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }

    /// The options.
    pub fn options(&self) -> &LoaderOptions {
        &self.options
    }

    /// Number of batches in every epoch, at least 1.
    pub fn batches_per_epoch(&self) -> usize {
        let (n, size) = (self.indices.len(), self.options.batch_size);
        if self.options.drop_last { n / size } else { n.div_ceil(size) }
    }

    /// The batches of the epoch `from.epoch` from number `from.batch` on, made ahead on a background thread. An error of an
    /// [`ExampleSource`](crate::ExampleSource) is one item, the last.
    ///
    /// # Errors
    /// [`Error::Argument`] for a position behind the end of the epoch, [`Error::Io`] if the system gives no thread.
    pub fn epoch(&self, from: Position) -> Result<Batches, Error> {
        let plan = self.plan(from)?;
        let (epoch, next, end) = (plan.position.epoch, plan.position.batch, plan.end);
        let items = match self.options.prefetch {
            0 => Items::Here(plan),
            ahead => Items::Ahead(Prefetch::new(plan, ahead)?),
        };
        Ok(Batches { items, next: Position { epoch, batch: next }, end })
    }

    /// The same batches, each made by the caller's thread when it is asked for; to put one's own work on the
    /// background thread, map this and give it to [`Prefetch`]. The first error ends the epoch; stored data give none.
    ///
    /// # Errors
    /// [`Error::Argument`] for a position behind the end of the epoch.
    pub fn plan(&self, from: Position) -> Result<Epoch, Error> {
        let end = self.batches_per_epoch() as u64;
        if from.batch > end {
            return Err(Error::argument("from.batch", from.batch, format!("at most {end}")));
        }
        let order = if self.options.shuffle {
            let order = permutation(self.indices.len(), self.options.seed, from.epoch);
            order.into_iter().map(|k| self.indices[k]).collect()
        } else {
            Arc::clone(&self.indices)
        };
        Ok(Epoch {
            data: self.data.clone(),
            order,
            size: self.options.batch_size,
            share: self.share,
            position: from,
            end,
            before: self.before.clone(),
        })
    }
}

/// The batches of an epoch, each made when it is asked for; from [`Loader::plan`].
#[derive(Debug, Clone)]
pub struct Epoch {
    data: Examples,
    order: Arc<[usize]>,
    size: usize,
    share: Share,
    position: Position,
    end: u64,
    before: Hook,
}

impl Iterator for Epoch {
    type Item = Result<Batch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.position.batch == self.end {
            return None;
        }
        if let Some(hook) = &self.before.0 {
            hook(self.position);
        }
        let batch = self.order.chunks(self.size).nth(self.position.batch as usize)?;
        let (whole_len, rows) = (batch.len(), self.share.rows(batch.len()));
        let (first_row, indices) = (rows.start, batch[rows].to_vec());
        let position = self.position;
        let made = self.data.batch(&indices, position, first_row);
        // Behind an error nothing comes.
        self.position.batch = if made.is_ok() { position.batch + 1 } else { self.end };
        Some(made.map(|(images, labels)| Batch { images, labels, indices, first_row, whole_len, position }))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let rest = (self.end - self.position.batch) as usize;
        (rest.min(1), Some(rest)) // an error is the last item
    }
}

impl std::iter::FusedIterator for Epoch {}

/// The batches of an epoch, made ahead; from [`Loader::epoch`].
#[derive(Debug)]
pub struct Batches {
    items: Items,
    next: Position,
    end: u64,
}

#[derive(Debug)]
enum Items {
    Here(Epoch),
    Ahead(Prefetch<Batch>),
}

impl Batches {
    /// The position of the batch that comes next: what a checkpoint keeps. Behind the last batch it is the beginning of
    /// the next epoch; behind an error, that of the batch that failed.
    pub fn position(&self) -> Position {
        if self.next.batch == self.end {
            Position::epoch(self.next.epoch.saturating_add(1))
        } else {
            self.next
        }
    }
}

impl Iterator for Batches {
    type Item = Result<Batch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = match &mut self.items {
            Items::Here(epoch) => epoch.next(),
            Items::Ahead(prefetch) => prefetch.next(),
        };
        if let Some(Ok(_)) = item {
            self.next.batch += 1;
        }
        item
    }
}

impl std::iter::FusedIterator for Batches {}
