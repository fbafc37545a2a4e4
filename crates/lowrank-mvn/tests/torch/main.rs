//! The tensor home against the native one: values, gradients, routes, errors.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod agreement;
mod derivatives;
mod odd;
mod posterior;
mod sparse_precision;
mod support;
