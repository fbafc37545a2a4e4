//! A global allocator that counts: for promises such as "allocates nothing" or "at most twice the input".
//!
//! ```
//! use variata_testkit::alloc::{CountingAllocator, measure};
//!
//! #[global_allocator]
//! static ALLOCATOR: CountingAllocator = CountingAllocator;
//!
//! let (_, stats) = measure(|| vec![0_u8; 1000]);
//! assert_eq!((stats.total, stats.count), (1000, 1));
//! ```

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

/// The system's allocator, counted. Install it with `#[global_allocator]` in the test binary.
#[derive(Debug, Clone, Copy, Default)]
pub struct CountingAllocator;

/// What was allocated during a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AllocStats {
    /// Bytes still allocated at the end, less those at the start; negative if older memory was freed.
    pub current: i64,
    /// The most bytes allocated at one time, above those at the start.
    pub peak: u64,
    /// Sum of all allocations, in bytes; growing a block counts its new size.
    pub total: u64,
    /// Number of allocations and reallocations.
    pub count: u64,
}

#[derive(Clone, Copy)]
struct Counters {
    current: i64,
    peak: i64,
    total: u64,
    count: u64,
}

thread_local! {
    // Constant and without destructor: touching it never allocates, which an allocator must not.
    static THREAD: Cell<Counters> =
        const { Cell::new(Counters { current: 0, peak: 0, total: 0, count: 0 }) };
}

static CURRENT: AtomicI64 = AtomicI64::new(0);
static PEAK: AtomicI64 = AtomicI64::new(0);
static TOTAL: AtomicU64 = AtomicU64::new(0);
static COUNT: AtomicU64 = AtomicU64::new(0);

fn allocated(bytes: usize, freed: usize) {
    let change = bytes as i64 - freed as i64;
    let calls = u64::from(bytes > 0);
    // While a thread is torn down there may be no counter left; the process-wide ones go on.
    let _ = THREAD.try_with(|cell| {
        let mut counters = cell.get();
        counters.current += change;
        counters.peak = counters.peak.max(counters.current);
        counters.total += bytes as u64;
        counters.count += calls;
        cell.set(counters);
    });
    let current = CURRENT.fetch_add(change, Relaxed) + change;
    PEAK.fetch_max(current, Relaxed);
    TOTAL.fetch_add(bytes as u64, Relaxed);
    COUNT.fetch_add(calls, Relaxed);
}

// SAFETY: every call is handed to `System` unchanged, which keeps the contract; counting touches no memory of the caller,
// does not allocate and does not unwind.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `alloc`.
        let pointer = unsafe { System.alloc(layout) };
        if !pointer.is_null() {
            allocated(layout.size(), 0);
        }
        pointer
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        let pointer = unsafe { System.alloc_zeroed(layout) };
        if !pointer.is_null() {
            allocated(layout.size(), 0);
        }
        pointer
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`; all memory came from `System`.
        unsafe { System.dealloc(pointer, layout) };
        allocated(0, layout.size());
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `realloc`; all memory came from `System`.
        let moved = unsafe { System.realloc(pointer, layout, new_size) };
        if !moved.is_null() {
            allocated(new_size, layout.size());
        }
        moved
    }
}

/// Runs `f` and counts what this thread allocates and frees meanwhile; other threads do not disturb it. Memory that another
/// thread frees still counts as current here.
///
/// # Panics
/// If [`CountingAllocator`] is not the global allocator: everything would count as nothing.
#[track_caller]
pub fn measure<R>(f: impl FnOnce() -> R) -> (R, AllocStats) {
    require_installed();
    let before = THREAD.with(|cell| {
        let counters = cell.get();
        cell.set(Counters { peak: counters.current, ..counters });
        counters
    });
    let result = f();
    let after = THREAD.with(|cell| {
        let counters = cell.get();
        // An enclosing measurement has seen both peaks.
        cell.set(Counters { peak: counters.peak.max(before.peak), ..counters });
        counters
    });
    let stats = AllocStats {
        current: after.current - before.current,
        peak: after.peak.abs_diff(before.current),
        total: after.total - before.total,
        count: after.count - before.count,
    };
    (result, stats)
}

/// Runs `f` and counts what all threads of the process allocate meanwhile: for code that works on a thread pool. Exact only
/// while nothing else runs; with tests in parallel it is an upper bound of `total` and `count`, and measurements must
/// not overlap.
///
/// # Panics
/// If [`CountingAllocator`] is not the global allocator.
#[track_caller]
pub fn measure_process<R>(f: impl FnOnce() -> R) -> (R, AllocStats) {
    require_installed();
    let (current, total, count) = (CURRENT.load(Relaxed), TOTAL.load(Relaxed), COUNT.load(Relaxed));
    PEAK.store(current, Relaxed);
    let result = f();
    let stats = AllocStats {
        current: CURRENT.load(Relaxed) - current,
        peak: u64::try_from(PEAK.load(Relaxed) - current).unwrap_or(0),
        total: TOTAL.load(Relaxed) - total,
        count: COUNT.load(Relaxed) - count,
    };
    (result, stats)
}

#[track_caller]
fn require_installed() {
    let before = THREAD.with(Cell::get).count;
    drop(black_box(Box::new(0_u8)));
    assert!(
        THREAD.with(Cell::get).count > before,
        "CountingAllocator is not the #[global_allocator] of this binary"
    );
}
