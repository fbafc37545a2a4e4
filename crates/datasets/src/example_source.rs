//! Data that are made when a batch needs them.

use std::fmt::Debug;

use ndarray::Array4;

use crate::Position;

/// Makes the arrays of a batch on demand, such as images that are augmented anew in each epoch; what a
/// [`Loader`](crate::Loader) takes as [`Examples::Made`](crate::Examples::Made).
///
/// What is made must depend on the indices and the position alone: then a batch is the same on any thread, and training
/// that is resumed sees the bits that uninterrupted training would have seen. Random choices come from a generator whose
/// seed holds the position, and one for each datum its index or its row in the batch as well.
///
/// With [`prefetch`](crate::LoaderOptions::prefetch), batches are made on the background thread, as many ahead as it says.
///
/// ```
/// use std::sync::Arc;
/// use ndarray::{Array4, Axis, concatenate, s};
/// use variata_datasets::{
///     ExampleSource, Examples, ImageDataset, Loader, LoaderOptions, Position, digits,
/// };
///
/// /// Each image, and its mirror image.
/// #[derive(Debug)]
/// struct Mirrored(ImageDataset);
///
/// impl ExampleSource for Mirrored {
///     fn labels(&self) -> &[u8] {
///         self.0.labels()
///     }
///     fn make(
///         &self,
///         indices: &[usize],
///         _: Position,
///         _: usize,
///     ) -> Result<Array4<f32>, Box<dyn std::error::Error + Send + Sync>> {
///         let plain = self.0.gather(indices)?;
///         Ok(concatenate(Axis(0), &[plain.view(), plain.slice(s![.., .., .., ..;-1])])?)
///     }
/// }
///
/// let source: Arc<dyn ExampleSource> = Arc::new(Mirrored(digits()));
/// let loader = Loader::new(source, vec![4, 7, 9], LoaderOptions::default())?;
/// for batch in loader.epoch(Position::epoch(0))? {
///     let batch = batch?;
///     assert_eq!((batch.len(), batch.views()), (3, 2));
///     assert_eq!(batch.images.shape(), [6, 1, 8, 8]);
///     assert_eq!(batch.images[[0, 0, 5, 2]], batch.images[[3, 0, 5, 7 - 2]]);
/// }
/// # Ok::<(), variata_datasets::Error>(())
/// ```
pub trait ExampleSource: Send + Sync + Debug {
    /// The class of each datum; as many as there are data, the same at every call.
    fn labels(&self) -> &[u8];

    /// The arrays of the batch at `position`: `[m, channels, height, width]`, where m is the number of `indices`, or a
    /// multiple of it where each datum is seen in several views: the first view of all data, then the second of all.
    /// `indices` are below the number of labels; at least one. `first_row` is the place of the first of them in the batch: 0, but
    /// for a [share](crate::Loader::share) of it, which must be what it is in the whole.
    ///
    /// # Errors
    /// Any; it ends the epoch as [`Error::Made`](crate::Error::Made). Another m ends it as
    /// [`Error::Views`](crate::Error::Views).
    fn make(
        &self,
        indices: &[usize],
        position: Position,
        first_row: usize,
    ) -> Result<Array4<f32>, Box<dyn std::error::Error + Send + Sync>>;
}
