//! Counts are exact, thread by thread.

use std::hint::black_box;
use std::sync::Barrier;

use variata_testkit::alloc::{measure, measure_process};

#[test]
fn counts_are_exact() {
    let (kept, stats) = measure(|| {
        let kept = black_box(vec![0_u8; 1000]);
        drop(black_box(vec![0_u8; 5000]));
        kept
    });
    assert_eq!((stats.current, stats.peak, stats.total, stats.count), (1000, 6000, 6000, 2));
    let ((), stats) = measure(move || drop(kept));
    assert_eq!((stats.current, stats.peak, stats.total, stats.count), (-1000, 0, 0, 0));
    let (sum, stats) = measure(|| (0..1000).sum::<u64>());
    assert_eq!((sum, stats.count), (499_500, 0));
}

#[test]
fn growth_counts_the_new_size() {
    let (_, stats) = measure(|| {
        let mut v = black_box(Vec::<u8>::with_capacity(10));
        v.reserve_exact(100);
        v
    });
    assert_eq!((stats.current, stats.total, stats.count), (100, 110, 2));
}

#[test]
fn measurements_nest() {
    let (inner, outer) = measure(|| {
        drop(black_box(vec![0_u8; 9000]));
        measure(|| drop(black_box(vec![0_u8; 10]))).1
    });
    assert_eq!(inner.peak, 10);
    assert_eq!(outer.peak, 9000);
}

#[test]
fn other_threads_do_not_disturb() {
    let start = Barrier::new(2);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            start.wait();
            (0..1000).for_each(|_| drop(black_box(vec![0_u8; 100_000])));
        });
        start.wait();
        let ((), stats) = measure(|| (0..1000).for_each(|_| drop(black_box(vec![0_u8; 10]))));
        assert_eq!((stats.peak, stats.total, stats.count), (10, 10_000, 1000));
    });
}

#[test]
fn the_process_counts_its_threads() {
    let (_, stats) = measure_process(|| {
        std::thread::spawn(|| black_box(vec![0_u8; 1_000_000])).join().expect("the thread does not panic")
    });
    assert!(stats.total >= 1_000_000 && stats.count >= 1);
}
