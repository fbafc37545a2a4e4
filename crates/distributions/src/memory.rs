//! Where results are put.

/// Smaller blocks come from the heap anyway.
const SMALL: usize = 128 << 10;
/// glibc's thresholds stop growing here.
const LARGE: usize = 32 << 20;

/// Makes `arrays` results of `len` elements, made and dropped call after call, cheap to make again.
///
/// glibc hands freed memory at the heap's end back to the system once it exceeds a threshold, and then every page of the
/// next result faults, which costs more than the arithmetic: 3.2 ms against 0.6 ms for the gradients of a divergence of
/// [4096, 128]. The threshold grows with the largest single block that was ever freed, so one block larger than all results,
/// never touched, keeps them. With other allocators this does nothing but ask and return.
pub fn keep_together<T>(arrays: usize, len: usize) {
    // Twice their size, because other memory is freed beside them.
    let elements = arrays.saturating_mul(len).saturating_mul(2);
    if (SMALL..=LARGE).contains(&elements.saturating_mul(size_of::<T>())) {
        drop(std::hint::black_box(Vec::<T>::with_capacity(elements)));
    }
}
