#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod coordinate;
mod error;

// Streamlines and their files.
mod affine;
mod file;
mod streamlines;
mod tractogram;

// One streamline at a time.
mod group;
mod normalization;
mod resample;

// Distances.
mod mam;
mod mdf;
mod panels;
mod quick_bundles;
mod similarity;

// Data.
mod bundles;
mod folder;

pub use affine::Affine;
pub use bundles::{Phantom, Tract};
pub use coordinate::Coordinate;
pub use error::Error;
pub use file::{ByteOrder, Format, ReadOptions, TckDatatype, TckHeader, TrkHeader};
pub use folder::{BundleFile, Folder, FolderOptions, FolderSummary};
pub use group::{GroupOptions, Groups, ungroup};
pub use mam::Mam;
pub use mdf::{Nearest, mdf, mdf_matrix, nearest};
pub use normalization::Normalization;
pub use quick_bundles::{Clusters, QuickBundlesX};
pub use resample::{align, length, resample};
pub use similarity::{ShapeSimilarity, bundle_adjacency};
pub use streamlines::Streamlines;
pub use tractogram::{Columns, Space, Tractogram};
