//! What the allocator does with freed memory.

/// Lets the process keep freed memory for its next tensors, where the allocator is glibc's; says whether it does.
///
/// libtorch asks for each result of an operation anew. By default glibc hands blocks of some megabytes back to the system when they are freed,
/// and every page of the next one faults: a quarter of the time of a small network's evaluation on the CPU. With this the process stays as large
/// as it has been at its largest; heaps of threads, which have 64 MiB at the most, still come and go. It is for the whole process and cannot be taken back: a program's decision, not a library's.
pub fn keep_freed_memory() -> bool {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // From the heap up to a gigabyte, which is then never trimmed and grows in steps of 64 MiB. Where the first is refused, by an
        // older glibc, the others would only switch its own adaptation off.
        let settings = [
            (libc::M_MMAP_THRESHOLD, 1 << 30),
            (libc::M_TRIM_THRESHOLD, i32::MAX),
            (libc::M_TOP_PAD, 64 << 20),
        ];
        // SAFETY: `mallopt` takes numbers and is safe to call at any time.
        settings.into_iter().all(|(parameter, value)| unsafe { libc::mallopt(parameter, value) } != 0)
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    {
        false
    }
}
