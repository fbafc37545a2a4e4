//! The tensor home against the native one: values, gradients, routes, errors.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod derivatives;
mod divergence;
mod families;
mod gaussian;
mod kl;
mod odd;
mod routing;
mod special;
mod support;
