//! Tests of the native kernels: reference tables, identities, gradients, statistics, bad input.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod errata;
mod errors;
mod families;
mod golden;
mod kl;
mod layouts;
mod sampling;
mod special;
