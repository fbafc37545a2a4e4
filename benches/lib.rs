//! Shared inputs and byte counts of the benches.
