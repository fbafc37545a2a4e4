//! One binary: lending, gradients, routing, and the traps of tch 0.24.
//!
//! Tests share one process, so that nothing here changes global thread pools except `traps::threads`.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod gradients;
mod lending;
mod mixed;
mod optimizer;
mod traps;
