//! Tasks on libtorch's threads, whose number is the process's: a binary of its own.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::sync::atomic::{AtomicUsize, Ordering};

use variata_torch_bridge::tch::set_num_threads;
use variata_torch_bridge::{on_each_thread, thread_count};

#[test]
fn a_task_runs_once_on_each_of_libtorchs_threads() {
    let runs = |threads| {
        set_num_threads(threads);
        let runs = AtomicUsize::new(0);
        on_each_thread(|| {
            runs.fetch_add(1, Ordering::Relaxed);
        })
        .unwrap();
        runs.into_inner()
    };
    assert_eq!((runs(1), runs(3)), (1, 3));
    let panic = std::panic::catch_unwind(|| on_each_thread(|| panic!("as told"))).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"as told"));
    // Within a task there is one thread.
    let inner = AtomicUsize::new(0);
    on_each_thread(|| {
        assert_eq!(thread_count(), 1);
        let count = || {
            inner.fetch_add(1, Ordering::Relaxed);
        };
        on_each_thread(count).unwrap();
    })
    .unwrap();
    assert_eq!(inner.into_inner(), 3);
    assert_eq!(thread_count(), 3);
}
