#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod error;

// Files.
mod idx;
mod npy;

// Data sets.
mod array_dataset;
mod cifar;
mod cifar_c;
mod digits;
mod example_source;
mod faces;
mod folder;
mod image_dataset;
mod image_folder;
mod source;

// From a data set to batches.
mod batch;
mod loader;
mod prefetch;
mod shuffle;
mod split;

pub use array_dataset::{ArrayDataset, Examples};
pub use batch::{Batch, Position};
pub use cifar::{read_cifar10, read_cifar100};
pub use cifar_c::{CIFAR_CORRUPTIONS, read_corrupted_cifar};
pub use digits::{digits, digits_of};
pub use error::Error;
pub use example_source::ExampleSource;
pub use faces::{FaceFactors, FaceOptions, FaceRegion, Faces, HairShape, faces};
pub use folder::{FASHION_MNIST_FOLDER, FASHION_MNIST_PACKAGE, read_idx_folder};
pub use idx::{
    IdxArray, IdxElement, IdxEncoding, MAX_IDX_BYTES, read_idx, read_idx_any, read_idx_from, write_idx,
};
pub use image_dataset::{Checksum, ImageDataset};
pub use image_folder::{ImageFolder, ImageFolderOptions, Unreadable, read_image_folder};
pub use loader::{Batches, Epoch, Loader, LoaderOptions};
pub use npy::NpyFault;
pub use prefetch::Prefetch;
pub use shuffle::permutation;
pub use source::Source;
pub use split::{SplitOptions, Splits};
