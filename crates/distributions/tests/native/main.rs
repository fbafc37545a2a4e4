//! Tests of the native kernels: reference tables, identities, gradients, statistics, bad input.

mod errata;
mod errors;
mod families;
mod golden;
mod kl;
mod layouts;
mod sampling;
mod special;
