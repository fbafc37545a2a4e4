#![doc = include_str!("../README.md")]

pub mod compare;
pub mod finite_difference;

pub mod dual;
pub mod quadrature;

pub mod golden;
pub mod statistics;

pub mod families;

pub mod alloc;
pub mod faults;
pub mod process;
