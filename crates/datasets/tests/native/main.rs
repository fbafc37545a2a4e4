//! Tests of the crate, as one binary.

#![expect(clippy::unwrap_used, reason = "in a test a failure is a panic")]

mod arrays;
mod cifar;
mod cifar_c;
mod corpus;
mod data_set;
mod digits;
mod faces;
mod folder;
mod fuzz;
mod idx;
mod image_folder;
mod loader;
mod made;
mod memory;
mod prefetch;
mod shuffle;
mod source;
mod split;

use std::io::Write as _;

/// An IDX file of `u8`, put together here byte by byte.
fn idx_bytes(lengths: &[u32], content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, lengths.len() as u8];
    bytes.extend(lengths.iter().flat_map(|n| n.to_be_bytes()));
    bytes.extend(content);
    bytes
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}
