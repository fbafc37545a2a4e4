//! Independent jobs side by side, each on a share of the threads.
//!
//! A small network leaves most of a second thread idle: its matrices are too small to be worth splitting. Two networks
//! trained side by side on one thread each use both, and give the same bits as one after the other.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use variata_models::tch;
use variata_models::train::{StopFlag, Workers};

/// How many jobs run at the same time, and libtorch's threads in each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shares {
    /// Jobs at the same time, at least 1.
    pub(crate) workers: usize,
    /// Threads of each, at least 1.
    pub(crate) threads: usize,
}

impl Shares {
    /// Whole shares of `threads` for `jobs`; each job gets the same, so that a result does not depend on its turn.
    pub(crate) fn new(threads: usize, jobs: usize) -> Self {
        let workers = threads.min(jobs).max(1);
        Self { workers, threads: (threads / workers).max(1) }
    }
}

/// A job that panics asks the others to stop.
struct StopOnPanic<'a>(&'a StopFlag);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.request();
        }
    }
}

/// Calls `job(0)` to `job(count - 1)`, and returns the results in this order; `None` when a job was stopped. The first
/// job that fails, panics or is stopped asks the others to stop through `stop`, and no further one begins.
///
/// # Errors
/// That of the first of the failed jobs; workers with other numbers of jobs.
pub(crate) fn run<T: Send>(
    shares: Shares,
    count: usize,
    stop: &StopFlag,
    workers: &Workers,
    job: impl Fn(usize) -> Result<Option<T>> + Sync,
) -> Result<Option<Vec<T>>> {
    // With other numbers of jobs one would wait for the others for ever.
    workers.same(&count)?;
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<Result<Option<T>>>>> = Mutex::new((0..count).map(|_| None).collect());
    let work = || {
        // A setting of the calling thread: libtorch asks OpenMP, which keeps it by thread.
        tch::set_num_threads(shares.threads as i32);
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= count {
                return;
            }
            // Others that train together begin the next job when this one does. Their end is the error of the job.
            if !workers.all(!stop.is_requested()).unwrap_or(true) {
                stop.request();
                return;
            }
            let result = {
                let _others = StopOnPanic(stop);
                job(i)
            };
            if !matches!(result, Ok(Some(_))) && !stop.is_requested() {
                stop.request();
            }
            // Nothing in the lock can panic.
            results.lock().unwrap_or_else(PoisonError::into_inner)[i] = Some(result);
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..shares.workers).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            if let Err(panic) = worker.join() {
                resume_unwind(panic);
            }
        }
    });
    let mut done = Vec::with_capacity(count);
    let mut whole = true;
    for result in results.into_inner().unwrap_or_else(PoisonError::into_inner) {
        match result.transpose()?.flatten() {
            Some(value) => done.push(value),
            None => whole = false,
        }
    }
    Ok(whole.then_some(done))
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn shares_are_whole_and_equal() {
        let share = |threads, jobs| {
            let s = Shares::new(threads, jobs);
            (s.workers, s.threads)
        };
        assert_eq!(share(2, 24), (2, 1));
        assert_eq!(share(1, 24), (1, 1));
        assert_eq!(share(16, 3), (3, 5));
        assert_eq!(share(0, 0), (1, 1));
    }

    #[test]
    fn results_come_in_the_order_of_the_jobs() {
        for workers in [1, 2, 5] {
            let shares = Shares { workers, threads: 1 };
            let got = run(shares, 40, &StopFlag::default(), &Workers::alone(), |i| Ok(Some(i * i)))
                .unwrap()
                .unwrap();
            assert!(got.into_iter().eq((0..40).map(|i| i * i)));
        }
    }

    #[test]
    fn a_panic_stops_the_others_and_comes_through() {
        let begun = AtomicUsize::new(0);
        let stop = StopFlag::default();
        let shares = Shares { workers: 2, threads: 1 };
        let got = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            run(shares, 1000, &stop, &Workers::alone(), |i| -> Result<Option<()>> {
                begun.fetch_add(1, Ordering::Relaxed);
                assert_ne!(i, 0, "job 0");
                while !stop.is_requested() {
                    std::thread::yield_now();
                }
                Ok(None)
            })
        }));
        assert!(got.is_err() && begun.load(Ordering::Relaxed) <= 2, "{begun:?}");
    }

    #[test]
    fn a_stopped_job_stops_the_others_and_an_error_comes_through() {
        for fails in [false, true] {
            let stop = StopFlag::default();
            let begun = AtomicUsize::new(0);
            let got = run(Shares { workers: 2, threads: 1 }, 1000, &stop, &Workers::alone(), |i| {
                begun.fetch_add(1, Ordering::Relaxed);
                match i {
                    3 if fails => bail!("job 3"),
                    3 => Ok(None),
                    _ if i > 3 => {
                        // As a training does: it goes on until it is asked to stop.
                        while !stop.is_requested() {
                            std::thread::yield_now();
                        }
                        Ok(None)
                    }
                    _ => Ok(Some(())),
                }
            });
            match got {
                Err(error) => assert!(fails && error.to_string() == "job 3"),
                Ok(results) => assert!(!fails && results.is_none()),
            }
            assert!(begun.load(Ordering::Relaxed) <= 6, "{begun:?}");
        }
    }
}
