//! The IDX format of the MNIST files: `00 00 type rank`, one big-endian `u32` per axis, then the elements, big-endian,
//! last axis fastest.

mod element;
mod input;
mod read;
mod write;

pub use element::IdxElement;
pub(crate) use read::read_idx_bytes;
pub use read::{IdxArray, MAX_IDX_BYTES, read_idx, read_idx_any, read_idx_from};
pub use write::{IdxEncoding, write_idx};
