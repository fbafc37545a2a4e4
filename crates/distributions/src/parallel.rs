//! Loops that run on all cores when the feature `rayon` is on, for the crates of this workspace; no promise is made to
//! others. Results come in order, so they do not depend on the number of threads.

/// `f` of 0, …, n − 1 in order, computed in parallel when the feature `rayon` is on.
pub fn collect<T: Send>(n: usize, f: impl Fn(usize) -> T + Sync + Send) -> Vec<T> {
    #[cfg(feature = "rayon")]
    if n > 1 && !pool::alone() {
        use rayon::iter::{IntoParallelIterator, ParallelIterator};
        return (0..n).into_par_iter().map(f).collect();
    }
    (0..n).map(f).collect()
}

/// Runs `f`, which takes so many nanoseconds on one thread, where its loops are done soonest. A caller outside of the pool hands it
/// over once, and not each loop anew, which takes as long as thousands of numbers; or runs it alone, with all loops that it calls, where
/// threads that have to be woken would cost more than they save.
pub fn within<T: Send>(nanoseconds: f64, f: impl FnOnce() -> T + Send) -> T {
    #[cfg(feature = "rayon")]
    return pool::within(nanoseconds, f);
    #[cfg(not(feature = "rayon"))]
    {
        let _ = nanoseconds;
        f()
    }
}

/// How many threads a loop of this thread is run by.
pub fn count() -> usize {
    #[cfg(feature = "rayon")]
    if !pool::alone() {
        return rayon::current_num_threads();
    }
    1
}

/// Runs `task` on every item, in parallel when there is more than one and the feature `rayon` is on.
pub fn for_each<T: Send>(items: Vec<T>, task: impl Fn(T) + Sync + Send) {
    #[cfg(feature = "rayon")]
    if items.len() > 1 && !pool::alone() {
        use rayon::iter::{IntoParallelIterator, ParallelIterator};
        items.into_par_iter().for_each(task);
        return;
    }
    items.into_iter().for_each(task);
}

#[cfg(feature = "rayon")]
mod pool {
    use std::cell::Cell;

    /// What it costs in nanoseconds to wake the pool and to be woken by it, where that goes badly: 30,000 were seen where threads
    /// sleep, and 100,000 where the system keeps them on one core.
    const WAKING: f64 = 60e3;

    thread_local! {
        static ALONE: Cell<bool> = const { Cell::new(false) };
    }

    /// Whether loops of this thread are its own.
    pub(super) fn alone() -> bool {
        ALONE.get()
    }

    /// Ends a stretch that a thread runs alone, also by a panic.
    struct End;

    impl Drop for End {
        fn drop(&mut self) {
            ALONE.set(false);
        }
    }

    pub(super) fn within<T: Send>(nanoseconds: f64, f: impl FnOnce() -> T + Send) -> T {
        if alone() || rayon::current_thread_index().is_some() {
            return f();
        }
        let saved = nanoseconds * (1.0 - 1.0 / rayon::current_num_threads() as f64);
        if saved > WAKING {
            return rayon::scope(|_| f());
        }
        ALONE.set(true);
        let _end = End;
        f()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which threads a loop of some length was run by.
    fn threads() -> Vec<std::thread::ThreadId> {
        let mut threads = collect(64, |_| std::thread::current().id());
        threads.sort_by_key(|id| format!("{id:?}"));
        threads.dedup();
        threads
    }

    #[test]
    fn short_work_stays_with_its_caller_and_long_work_goes_to_the_pool() {
        let caller = vec![std::thread::current().id()];
        assert_eq!(within(100.0, threads), caller);
        assert_eq!(within(100.0, || within(1e9, threads)), caller);
        if cfg!(feature = "rayon") {
            // With one thread nothing is ever saved.
            assert_eq!(within(1e9, threads) == caller, count() == 1);
            assert_eq!(within(100.0, count), 1);
        }
        // Loops of a caller that has panicked are not its own for ever.
        let panics = std::panic::catch_unwind(|| within(100.0, || assert_eq!(threads(), [])));
        assert!(panics.is_err());
        #[cfg(feature = "rayon")]
        assert!(!pool::alone());
    }
}
