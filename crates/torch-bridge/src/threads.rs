//! The sizes of both thread pools, and libtorch's for loops of others.

use std::any::Any;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, PoisonError};

use crate::{Error, ffi};

/// How many threads each pool runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threads {
    /// libtorch's intra-operation threads.
    pub torch: usize,
    /// rayon's.
    pub rayon: usize,
}

/// Most threads that anybody can mean.
const LARGEST: usize = 1 << 16;

/// Sets libtorch's intra-operation threads and rayon's global pool to `n` (0: one per core).
///
/// Call it once, early, from the thread that will call libtorch, and call libtorch from that thread only: every
/// thread that does gets an OpenMP team of its own. The workspace's kernels on tensors run on libtorch's threads ([`on_each_thread`]), all others
/// on rayon's.
///
/// # Errors
/// [`Error::Threads`] when rayon's pool was already started with another size, where libtorch's is set all the same;
/// [`Error::TooManyThreads`] for more than 65,536.
pub fn configure_threads(n: usize) -> Result<Threads, Error> {
    let n = if n == 0 { std::thread::available_parallelism().map_or(1, usize::from) } else { n };
    let count = i32::try_from(n).ok().filter(|_| n <= LARGEST).ok_or(Error::TooManyThreads { asked: n })?;
    tch::set_num_threads(count);
    // Fails when the pool already runs, which is fine if it has the size; where the system refuses so many threads, the message below
    // tells how many there are.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(n).build_global();
    let rayon = rayon::current_num_threads();
    if rayon == n {
        Ok(Threads { torch: tch::get_num_threads() as usize, rayon })
    } else {
        Err(Error::Threads { pool: "rayon", got: rayon, want: n })
    }
}

/// How many of libtorch's threads run a loop of this thread: 1 within such a loop.
pub fn thread_count() -> usize {
    // SAFETY: a question to libtorch without arguments.
    unsafe { ffi::vb_thread_count() }.max(1) as usize
}

/// Runs `task` once on each of libtorch's threads, the calling one among them, and waits for all; where OpenMP grants fewer, one of them
/// runs it for another.
///
/// After an operation of its own libtorch's threads wait for the next one without sleeping, for some milliseconds: another pool would share
/// the processors with them, and they need not be woken. Within such a task, and with one thread, `task` runs once.
///
/// # Errors
/// libtorch refuses.
///
/// # Panics
/// As `task` does, when all threads have ended.
///
/// # Examples
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering};
///
/// let next = AtomicUsize::new(0);
/// let sum = AtomicUsize::new(0);
/// variata_torch_bridge::on_each_thread(|| {
///     loop {
///         let i = next.fetch_add(1, Ordering::Relaxed);
///         if i >= 100 {
///             break;
///         }
///         sum.fetch_add(i, Ordering::Relaxed);
///     }
/// })?;
/// assert_eq!(sum.into_inner(), 4950);
/// # Ok::<(), variata_torch_bridge::Error>(())
/// ```
pub fn on_each_thread<F: Fn() + Sync>(task: F) -> Result<(), Error> {
    struct Shared<F> {
        task: F,
        panic: Mutex<Option<Box<dyn Any + Send>>>,
    }
    unsafe extern "C" fn run<F: Fn() + Sync>(state: *const c_void) {
        // SAFETY: `state` is the value below, which outlives the loop, and is shared by its threads.
        let shared = unsafe { &*state.cast::<Shared<F>>() };
        // A panic must not cross into C++.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(&shared.task)) {
            shared.panic.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(panic);
        }
    }
    let shared = Shared { task, panic: Mutex::new(None) };
    // SAFETY: `run::<F>` is given what it was made for, and does not unwind.
    let failed = unsafe { ffi::vb_on_each_thread(run::<F>, (&raw const shared).cast()) };
    if let Some(panic) = shared.panic.into_inner().unwrap_or_else(PoisonError::into_inner) {
        resume_unwind(panic);
    }
    if failed == 0 { Ok(()) } else { Err(ffi::last_error()) }
}
