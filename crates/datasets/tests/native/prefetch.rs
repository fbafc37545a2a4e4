//! The background thread: order, errors, panics, and leaving early.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use variata_datasets::{Error, Prefetch};

/// Fails the test when `work` hangs; the limit is far above any time that it can take.
fn watched<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = channel();
    let worker = thread::spawn(move || sender.send(work()).unwrap());
    match receiver.recv_timeout(Duration::from_mins(1)) {
        Ok(value) => value,
        Err(RecvTimeoutError::Timeout) => panic!("hangs"),
        Err(RecvTimeoutError::Disconnected) => {
            worker.join().unwrap();
            unreachable!("the worker sent nothing and did not panic")
        }
    }
}

#[test]
fn order_is_kept_for_every_depth() {
    for ahead in [1, 2, 3, 100] {
        let items = Prefetch::new((0..50).map(Ok), ahead).unwrap();
        assert!(items.map(Result::unwrap).eq(0..50));
    }
}

#[test]
fn zero_ahead_and_more_than_fits_are_refused() {
    for ahead in [0, usize::MAX] {
        let error = Prefetch::new(std::iter::empty::<Result<(), Error>>(), ahead).unwrap_err();
        assert!(matches!(error, Error::Argument { argument: "ahead", .. }), "{error:?}");
    }
}

#[test]
fn the_thread_is_never_further_ahead_than_told() {
    let made = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&made);
    let items = (0..100).map(move |i| {
        counter.fetch_add(1, Ordering::SeqCst);
        Ok(i)
    });
    let mut items = Prefetch::new(items, 3).unwrap();
    for taken in 0..100 {
        assert_eq!(items.next().unwrap().unwrap(), taken);
        // One is taken, three are ahead.
        assert!(made.load(Ordering::SeqCst) <= taken + 1 + 3);
    }
}

#[test]
fn an_error_in_the_middle_comes_once_and_is_the_end() {
    let items =
        (0..10).map(|i| if i == 4 { Err(Error::WorkerPanicked { message: "four".into() }) } else { Ok(i) });
    let results: Vec<_> = watched(move || Prefetch::new(items, 2).unwrap().collect());
    assert_eq!(results.len(), 5);
    assert!(results[..4].iter().all(Result::is_ok) && results[4].is_err());
}

#[test]
fn a_panic_in_the_middle_comes_once_as_an_error() {
    for ahead in [1, 2, 20] {
        let items = (0..10).map(|i| {
            assert!(i != 4, "no item {i}");
            Ok(i)
        });
        let results: Vec<_> = watched(move || Prefetch::new(items, ahead).unwrap().collect());
        assert_eq!(results.len(), 5);
        assert!(
            matches!(&results[4], Err(Error::WorkerPanicked { message }) if message == "no item 4"),
            "{:?}",
            results[4]
        );
    }
}

#[test]
fn a_panic_with_any_payload_is_an_error() {
    let items = (0..1).map(|_| -> Result<(), Error> { std::panic::panic_any(42) });
    let results: Vec<_> = watched(move || Prefetch::new(items, 1).unwrap().collect());
    assert!(matches!(&results[..], [Err(Error::WorkerPanicked { message })] if message == "no message"));
}

#[test]
fn a_panic_while_the_iterator_is_dropped_is_an_error_too() {
    struct Bad;
    impl Iterator for Bad {
        type Item = Result<(), Error>;
        fn next(&mut self) -> Option<Self::Item> {
            None
        }
    }
    impl Drop for Bad {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    let results: Vec<_> = watched(|| Prefetch::new(Bad, 1).unwrap().collect());
    assert!(matches!(&results[..], [Err(Error::WorkerPanicked { message })] if message == "in drop"));
}

#[test]
fn leaving_early_ends_the_thread_and_drops_the_iterator() {
    let alive = Arc::new(());
    for taken in [0, 1, 5] {
        let guard = Arc::clone(&alive);
        watched(move || {
            let endless = std::iter::repeat_with(move || Ok(Arc::strong_count(&guard)));
            let mut items = Prefetch::new(endless, 2).unwrap();
            for _ in 0..taken {
                items.next().unwrap().unwrap();
            }
        });
        assert_eq!(Arc::strong_count(&alive), 1, "the worker outlived its consumer");
    }
}
