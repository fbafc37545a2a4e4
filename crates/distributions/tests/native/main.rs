//! Tests of the native kernels: reference tables, identities, gradients, statistics, bad input.

mod golden;
mod special;
