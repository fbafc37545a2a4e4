//! Statistical assertions that state how often they are wrong, and what they must not miss.
//!
//! Every assertion belongs to an entry of the [`LEDGER`]: its false-alarm rate α, how often it may be used in one run, the
//! sample size it needs, and the discrepancy that it must catch. The rates of a complete run with fresh seeds add up to
//! at most [`TOTAL_ALPHA`], so that a failure is a bug and never a reason to try another seed. That a declared discrepancy is
//! caught is what [`assert_rejects`] says, next to the assertion, or for the tool with a sampler written for that in this crate's own tests.
//!
//! The `try_*` forms return the [`Evidence`] or a [`Failure`]; the `assert_*` forms panic with its message and count
//! against the ledger.

mod binomial;
mod chi_square;
mod kolmogorov_smirnov;
mod ledger;
mod mean;
mod special;

pub use binomial::{assert_binomial, binomial_p_value, try_binomial};
pub use chi_square::{LEAST_EXPECTED, assert_chi_square, try_chi_square};
pub use kolmogorov_smirnov::{
    assert_ks, assert_ks_two_sample, dkw_critical, ks_distance, ks_two_sample_distance, try_ks,
    try_ks_two_sample,
};
pub use ledger::{Entry, Evidence, Failure, LEDGER, TOTAL_ALPHA, assert_rejects, entry, seed};
pub use mean::{assert_mean, try_mean};
pub use special::{chi_square_survival, gamma_q};
