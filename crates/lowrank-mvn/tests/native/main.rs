//! The native crate against brute force, mpmath, differences and its own identities.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod components;
mod condition;
mod density;
mod errors;
mod fit;
mod golden;
mod gradient;
mod kl;
mod path;
mod sampling;
mod singles;
mod sparse_precision;
#[cfg(feature = "half")]
mod storage;
mod support;
