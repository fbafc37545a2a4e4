//! The tests of the testkit: above all, that it rejects what is wrong.

#![expect(clippy::unwrap_used, reason = "in the helpers too a panic is the failure")]

mod alloc;
mod compare;
mod dual;
mod families;
mod faults;
mod finite_difference;
mod golden;
mod process;
mod quadrature;
mod statistics;

#[global_allocator]
static ALLOCATOR: variata_testkit::alloc::CountingAllocator = variata_testkit::alloc::CountingAllocator;
