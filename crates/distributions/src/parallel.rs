//! Loops that run on all cores when the feature `rayon` is on, for the crates of this workspace; no promise is made to
//! others. Results come in order, so they do not depend on the number of threads. Kernels on tensors run on libtorch's threads, all others
//! on rayon's.

/// `f` of 0, …, n − 1 in order, computed in parallel when the feature `rayon` is on.
pub fn collect<T: Send>(n: usize, f: impl Fn(usize) -> T + Sync + Send) -> Vec<T> {
    #[cfg(feature = "rayon")]
    match pool::of(n) {
        pool::Threads::Own => {}
        pool::Threads::Rayon => {
            use rayon::iter::{IntoParallelIterator, ParallelIterator};
            return (0..n).into_par_iter().map(f).collect();
        }
        #[cfg(feature = "torch")]
        pool::Threads::Torch => return team::collect(n, f),
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
    return pool::count();
    #[cfg(not(feature = "rayon"))]
    1
}

/// Runs `task` on every item, in parallel when there is more than one and the feature `rayon` is on.
pub fn for_each<T: Send>(items: Vec<T>, task: impl Fn(T) + Sync + Send) {
    #[cfg(feature = "rayon")]
    match pool::of(items.len()) {
        pool::Threads::Own => {}
        pool::Threads::Rayon => {
            use rayon::iter::{IntoParallelIterator, ParallelIterator};
            items.into_par_iter().for_each(task);
            return;
        }
        #[cfg(feature = "torch")]
        pool::Threads::Torch => {
            team::for_each(items, task);
            return;
        }
    }
    items.into_iter().for_each(task);
}

#[cfg(feature = "rayon")]
mod pool {
    use std::cell::Cell;

    /// What it costs in nanoseconds to wake the pool and to be woken by it, where that goes badly: 30,000 were seen where threads
    /// sleep, and 100,000 where the system keeps them on one core.
    const WAKING: f64 = 60e3;
    /// The same for libtorch's threads, which are awake between its operations: some 2,000 for each loop.
    #[cfg(feature = "torch")]
    const BEGINNING: f64 = 10e3;

    thread_local! {
        static ALONE: Cell<bool> = const { Cell::new(false) };
    }

    /// Who runs a loop.
    pub(super) enum Threads {
        /// The thread that calls it.
        Own,
        Rayon,
        /// Those of libtorch, while tensors are lent: the pool's would share the processors with them.
        #[cfg(feature = "torch")]
        Torch,
    }

    /// Of libtorch's threads, how many run this thread's loops: none of a thread of the pool, whose team would be one more.
    #[cfg(feature = "torch")]
    fn team() -> Option<usize> {
        if rayon::current_thread_index().is_some() { None } else { variata_torch_bridge::lending_threads() }
    }
    #[cfg(not(feature = "torch"))]
    fn team() -> Option<usize> {
        None
    }

    /// Who runs a loop of so many steps.
    pub(super) fn of(steps: usize) -> Threads {
        if steps < 2 || ALONE.get() {
            return Threads::Own;
        }
        match team() {
            #[cfg(feature = "torch")]
            Some(1) => Threads::Own,
            // Fewer steps have loops within, which libtorch's threads would run alone.
            #[cfg(feature = "torch")]
            Some(threads) if steps >= threads => Threads::Torch,
            _ => Threads::Rayon,
        }
    }

    pub(super) fn count() -> usize {
        if ALONE.get() { 1 } else { team().unwrap_or_else(rayon::current_num_threads) }
    }

    /// A stretch that a thread runs alone; it ends also by a panic.
    pub(super) struct Alone {
        before: bool,
    }

    impl Alone {
        pub(super) fn begin() -> Self {
            Self { before: ALONE.replace(true) }
        }
    }

    impl Drop for Alone {
        fn drop(&mut self) {
            ALONE.set(self.before);
        }
    }

    pub(super) fn within<T: Send>(nanoseconds: f64, f: impl FnOnce() -> T + Send) -> T {
        if ALONE.get() || rayon::current_thread_index().is_some() {
            return f();
        }
        let saved = |threads: usize| nanoseconds * (1.0 - 1.0 / threads as f64);
        #[cfg(feature = "torch")]
        if let Some(threads) = team() {
            let _alone = (saved(threads) <= BEGINNING).then(Alone::begin);
            return f();
        }
        if saved(rayon::current_num_threads()) > WAKING {
            return rayon::scope(|_| f());
        }
        let _alone = Alone::begin();
        f()
    }
}

/// Loops on libtorch's threads.
#[cfg(all(feature = "rayon", feature = "torch"))]
mod team {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Mutex, PoisonError};

    use super::pool::Alone;

    /// Calls `visit` on each thread with the next step, as long as there is one.
    fn share(steps: usize, visit: impl Fn(&mut dyn FnMut() -> Option<usize>) + Sync) {
        let next = AtomicUsize::new(0);
        let all = || {
            let _alone = Alone::begin();
            visit(&mut || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|&step| step < steps));
        };
        // Where libtorch refuses, this thread does what is left.
        if variata_torch_bridge::on_each_thread(all).is_err() {
            all();
        }
    }

    pub(super) fn collect<T: Send>(n: usize, f: impl Fn(usize) -> T + Sync) -> Vec<T> {
        let found = Mutex::new(Vec::with_capacity(n));
        share(n, |next| {
            let mut own = Vec::new();
            while let Some(i) = next() {
                own.push((i, f(i)));
            }
            // A thread that panics does not come here.
            found.lock().unwrap_or_else(PoisonError::into_inner).extend(own);
        });
        let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        found.sort_unstable_by_key(|(i, _)| *i);
        found.into_iter().map(|(_, value)| value).collect()
    }

    pub(super) fn for_each<T: Send>(items: Vec<T>, task: impl Fn(T) + Sync) {
        let items: Vec<Mutex<Option<T>>> = items.into_iter().map(|item| Mutex::new(Some(item))).collect();
        share(items.len(), |next| {
            while let Some(i) = next() {
                if let Some(item) = items[i].lock().unwrap_or_else(PoisonError::into_inner).take() {
                    task(item);
                }
            }
        });
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
        assert_eq!(count(), rayon::current_num_threads());
    }

    #[cfg(all(feature = "rayon", feature = "torch"))]
    #[test]
    fn loops_over_lent_tensors_run_on_the_threads_of_libtorch() {
        use std::collections::HashSet;
        use std::thread::ThreadId;

        let outside: HashSet<ThreadId> =
            rayon::broadcast(|_| std::thread::current().id()).into_iter().collect();
        let lent = |work: &(dyn Fn() + Sync)| {
            let tensor = tch::Tensor::from_slice(&[1f64]);
            variata_torch_bridge::lend("t", &tensor, |_: ndarray::ArrayViewD<'_, f64>| work()).unwrap();
        };
        tch::set_num_threads(3);
        lent(&|| {
            assert_eq!(count(), 3);
            assert_eq!(collect(64, |i| i * i), (0..64).map(|i| i * i).collect::<Vec<_>>());
            assert!(threads().iter().all(|id| !outside.contains(id)));
            // Loops within are their thread's own.
            let inner = collect(8, |_| (count(), threads().len()));
            assert!(inner.iter().all(|found| *found == (1, 1)), "{inner:?}");
            // Fewer steps than threads go to the pool, where loops within are shared out again.
            assert!(collect(2, |_| std::thread::current().id()).iter().all(|id| outside.contains(id)));
            let seen = std::sync::Mutex::new(Vec::new());
            for_each((0..50).collect(), |i| seen.lock().unwrap().push(i));
            let mut seen = seen.into_inner().unwrap();
            seen.sort_unstable();
            assert_eq!(seen, (0..50).collect::<Vec<_>>());
            assert_eq!(within(100.0, count), 1);
            assert_eq!(within(1e9, count), 3);
            // A loop of a thread of the pool stays there.
            assert_eq!(rayon::scope(|_| count()), rayon::current_num_threads());
        });
        tch::set_num_threads(1);
        lent(&|| assert_eq!((count(), threads().len()), (1, 1)));
        assert_eq!(count(), rayon::current_num_threads());
        tch::set_num_threads(3);
        let panics = std::panic::catch_unwind(|| lent(&|| drop(collect(9, |i| 9 / (8 - i)))));
        assert!(panics.is_err());
        // Nothing is lent any more, and nobody alone.
        assert_eq!(count(), rayon::current_num_threads());
    }
}
