//! The tests of the testkit: above all, that it rejects what is wrong.

mod compare;
mod finite_difference;
mod golden;
mod statistics;
