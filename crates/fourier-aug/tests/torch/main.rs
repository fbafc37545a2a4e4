//! Tests of the tensor home.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod augmix;
mod classifiers;
mod waves;
