#![doc = include_str!("../README.md")]

pub mod alloc;
pub mod compare;
pub mod dual;
pub mod families;
pub mod faults;
pub mod finite_difference;
pub mod golden;
pub mod quadrature;
pub mod statistics;
