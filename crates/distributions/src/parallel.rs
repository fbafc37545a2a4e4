//! Loops that run on all cores when the feature `rayon` is on, for the crates of this workspace; no promise is made to
//! others. Results come in order, so they do not depend on the number of threads. They run on rayon's threads, or on those of a [`Team`].

/// Threads of somebody else, for the loops of a thread of theirs: a second pool would share the processors with them.
pub trait Team: Sync {
    /// How many run a loop of this thread: 1 within one.
    fn threads(&self) -> usize;

    /// Runs `task` once on each, this thread among them; `false` where nothing was run.
    fn on_each(&self, task: &(dyn Fn() + Sync)) -> bool;
}

/// Runs `f`, whose loops are the team's.
pub fn on_team<R>(team: &'static dyn Team, f: impl FnOnce() -> R) -> R {
    #[cfg(feature = "rayon")]
    return pool::on_team(team, f);
    #[cfg(not(feature = "rayon"))]
    {
        let _ = team;
        f()
    }
}

/// `f` of 0, …, n − 1 in order, computed in parallel when the feature `rayon` is on.
pub fn collect<T: Send>(n: usize, f: impl Fn(usize) -> T + Sync + Send) -> Vec<T> {
    #[cfg(feature = "rayon")]
    match pool::of(n) {
        pool::Threads::Own => {}
        pool::Threads::Rayon => {
            use rayon::iter::{IntoParallelIterator, ParallelIterator};
            return (0..n).into_par_iter().map(f).collect();
        }
        pool::Threads::Team(team) => return pool::collect(team, n, f),
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
        pool::Threads::Team(team) => {
            pool::for_each(team, items, task);
            return;
        }
    }
    items.into_iter().for_each(task);
}

#[cfg(feature = "rayon")]
mod pool {
    use std::cell::Cell;
    use std::ops::Range;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Mutex, PoisonError};

    use super::Team;

    /// What it costs in nanoseconds to wake the pool and to be woken by it, where that goes badly: 30,000 were seen where threads
    /// sleep, and 100,000 where the system keeps them on one core.
    const WAKING: f64 = 60e3;
    /// The same for a team, whose threads are awake between its own loops: some 2,000 for each loop.
    const BEGINNING: f64 = 10e3;

    thread_local! {
        static ALONE: Cell<bool> = const { Cell::new(false) };
        static TEAM: Cell<Option<&'static dyn Team>> = const { Cell::new(None) };
    }

    /// Who runs a loop.
    pub(super) enum Threads {
        /// The thread that calls it.
        Own,
        Rayon,
        Team(&'static dyn Team),
    }

    /// A thread's setting for a while; it ends also by a panic.
    struct Setting<T: Copy + 'static> {
        of: &'static std::thread::LocalKey<Cell<T>>,
        before: T,
    }

    impl<T: Copy> Setting<T> {
        fn begin(of: &'static std::thread::LocalKey<Cell<T>>, value: T) -> Self {
            Self { of, before: of.replace(value) }
        }
    }

    impl<T: Copy> Drop for Setting<T> {
        fn drop(&mut self) {
            self.of.set(self.before);
        }
    }

    /// This thread's team; none of a thread of the pool, for which it would be one more.
    fn team() -> Option<&'static dyn Team> {
        if rayon::current_thread_index().is_some() { None } else { TEAM.get() }
    }

    pub(super) fn on_team<R>(team: &'static dyn Team, f: impl FnOnce() -> R) -> R {
        let _setting = Setting::begin(&TEAM, Some(team));
        f()
    }

    /// Who runs a loop of so many steps.
    pub(super) fn of(steps: usize) -> Threads {
        if steps < 2 || ALONE.get() {
            return Threads::Own;
        }
        let Some(team) = team() else { return Threads::Rayon };
        // Loops within are run by one thread each.
        if team.threads() == 1 { Threads::Own } else { Threads::Team(team) }
    }

    pub(super) fn count() -> usize {
        if ALONE.get() { 1 } else { team().map_or_else(rayon::current_num_threads, Team::threads) }
    }

    pub(super) fn within<T: Send>(nanoseconds: f64, f: impl FnOnce() -> T + Send) -> T {
        if ALONE.get() || rayon::current_thread_index().is_some() {
            return f();
        }
        let team = team().is_some();
        let saved = nanoseconds * (1.0 - 1.0 / count() as f64);
        if saved <= if team { BEGINNING } else { WAKING } {
            let _alone = Setting::begin(&ALONE, true);
            return f();
        }
        if team { f() } else { rayon::scope(|_| f()) }
    }

    /// Runs of steps that a thread is given, of many short ones: neighbours write to the same cache lines.
    const RUNS: usize = 8;

    /// Calls `visit` on the team's threads with runs of steps, until all have been given out.
    fn share(team: &dyn Team, steps: usize, visit: impl Fn(Range<usize>) + Sync) {
        let length = (steps / (RUNS * team.threads())).max(1);
        let next = AtomicUsize::new(0);
        let task = || {
            let _alone = Setting::begin(&ALONE, true);
            loop {
                let first = next.fetch_add(length, Ordering::Relaxed);
                if first >= steps {
                    break;
                }
                visit(first..steps.min(first + length));
            }
        };
        if !team.on_each(&task) {
            task();
        }
    }

    pub(super) fn collect<T: Send>(team: &dyn Team, n: usize, f: impl Fn(usize) -> T + Sync) -> Vec<T> {
        let found = Mutex::new(Vec::new());
        share(team, n, |run| {
            let (first, own) = (run.start, run.map(&f).collect::<Vec<T>>());
            found.lock().unwrap_or_else(PoisonError::into_inner).push((first, own));
        });
        let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        found.sort_unstable_by_key(|(first, _)| *first);
        found.into_iter().flat_map(|(_, own)| own).collect()
    }

    pub(super) fn for_each<T: Send>(team: &dyn Team, items: Vec<T>, task: impl Fn(T) + Sync) {
        let items: Vec<Mutex<Option<T>>> = items.into_iter().map(|item| Mutex::new(Some(item))).collect();
        share(team, items.len(), |run| {
            for item in &items[run] {
                // It is there: nobody else has been given this step.
                item.lock().unwrap_or_else(PoisonError::into_inner).take().into_iter().for_each(&task);
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
}
