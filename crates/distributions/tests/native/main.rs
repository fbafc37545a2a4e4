//! Tests of the native kernels: reference tables, identities, gradients, statistics, bad input.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod bound;
mod diagonal;
mod divergence;
mod divergence_batch;
mod errata;
mod errors;
mod extremes;
mod families;
mod frechet;
mod golden;
mod kl;
mod layouts;
mod mvn;
mod sampling;
mod special;
