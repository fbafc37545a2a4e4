#![doc = include_str!("../README.md")]

pub mod compare;
pub mod finite_difference;
pub mod golden;
pub mod statistics;
