//! Faults on demand: writers and readers that fail at a chosen point, and a file system that crashes after any operation.

mod io;
mod simulated_fs;

pub use io::{FailAt, FailingReader, FailingWriter};
pub use simulated_fs::SimulatedFs;
