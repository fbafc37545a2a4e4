//! Where results are put.
#![cfg_attr(target_os = "linux", expect(unsafe_code, reason = "the call that asks for large pages"))]

/// Smaller blocks come from the heap anyway.
const SMALL: usize = 128 << 10;
/// glibc's thresholds stop growing here.
const LARGE: usize = 32 << 20;
/// Bytes of a large page.
#[cfg(any(target_os = "linux", test))]
const LARGE_PAGE: usize = 2 << 20;

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

/// Asks for large pages under a result that is too large for the heap to keep, before it is written: one fault for 2 MiB instead of
/// one for 4 KiB. Faults are half of the time of a kernel that is bound by memory. Elsewhere than on Linux this does nothing.
pub fn in_large_pages<T>(memory: &mut [T]) {
    #[cfg(target_os = "linux")]
    if size_of_val(memory) >= LARGE + LARGE_PAGE {
        let whole = memory.as_mut_ptr_range();
        let skipped = whole.start.addr().next_multiple_of(LARGE_PAGE) - whole.start.addr();
        let bytes = (size_of_val(memory) - skipped) / LARGE_PAGE * LARGE_PAGE;
        // SAFETY: these pages lie in `memory`, and of what size they are changes nothing that can be read or written. A refusal is no
        // error: they then are small.
        unsafe { libc::madvise(whole.start.byte_add(skipped).cast(), bytes, libc::MADV_HUGEPAGE) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = memory;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_memory_holds_stays() {
        for (skip, len) in [
            (0, 0),
            (0, 100),
            (0, LARGE + LARGE_PAGE - 1),
            (1, 3 * LARGE / 2),
            (LARGE_PAGE - 1, LARGE + LARGE_PAGE),
        ] {
            let mut memory: Vec<u8> = (0..skip + len).map(|i| (i % 251) as u8).collect();
            in_large_pages(&mut memory[skip..]);
            assert!(memory.iter().enumerate().all(|(i, &v)| v == (i % 251) as u8), "{skip} {len}");
        }
        in_large_pages(&mut [(); 3]);
    }
}
