//! The native crate against brute force, mpmath, differences and its own identities.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod condition;
mod density;
mod errors;
mod golden;
mod gradient;
mod kl;
mod sampling;
mod support;
