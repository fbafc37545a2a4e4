//! Tests that need no libtorch.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod assign;
mod ema;
mod errata;
mod errors;
mod fsq;
mod gumbel;
mod quantize;
mod store;
mod support;
mod threads;
mod usage;
