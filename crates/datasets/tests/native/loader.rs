//! Batches depend on their position alone.

use std::sync::Arc;

use proptest::prelude::*;
use variata_datasets::{Batch, Error, ImageDataset, Loader, LoaderOptions, Position, digits, permutation};

fn data() -> Arc<ImageDataset> {
    static DATA: std::sync::OnceLock<Arc<ImageDataset>> = std::sync::OnceLock::new();
    Arc::clone(DATA.get_or_init(|| Arc::new(digits())))
}

fn loader(n: usize, options: LoaderOptions) -> Loader {
    Loader::new(data(), (100..100 + n).collect::<Vec<_>>(), options).unwrap()
}

fn collect(loader: &Loader, from: Position) -> Vec<Batch> {
    loader.epoch(from).unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn a_batch_holds_the_images_of_its_indices() {
    let loader = loader(50, LoaderOptions { batch_size: 20, seed: 5, ..Default::default() });
    let batches = collect(&loader, Position::epoch(2));
    assert_eq!(batches.iter().map(Batch::len).collect::<Vec<_>>(), [20, 20, 10]);
    let order: Vec<usize> = batches.iter().flat_map(|b| b.indices.clone()).collect();
    assert_eq!(order, permutation(50, 5, 2).iter().map(|k| k + 100).collect::<Vec<_>>());
    for (number, batch) in batches.iter().enumerate() {
        assert_eq!(batch.position, Position { epoch: 2, batch: number as u64 });
        assert_eq!(batch.images, data().gather(&batch.indices).unwrap());
        let labels: Vec<i64> = batch.indices.iter().map(|&i| i64::from(data().labels()[i])).collect();
        assert_eq!(batch.labels, labels);
    }
}

#[test]
fn without_shuffling_the_order_is_the_given_one() {
    let options = LoaderOptions { batch_size: 3, shuffle: false, ..Default::default() };
    let loader = Loader::new(data(), vec![9, 4, 4, 7], options).unwrap();
    for epoch in 0..2 {
        let batches = collect(&loader, Position::epoch(epoch));
        assert_eq!(batches.iter().map(|b| b.indices.clone()).collect::<Vec<_>>(), [vec![9, 4, 4], vec![7]]);
    }
}

#[test]
fn the_position_is_that_of_the_next_batch() {
    for prefetch in [0, 2] {
        let loader = loader(10, LoaderOptions { batch_size: 4, prefetch, ..Default::default() });
        let mut batches = loader.epoch(Position { epoch: 6, batch: 1 }).unwrap();
        assert_eq!(batches.position(), Position { epoch: 6, batch: 1 });
        batches.next().unwrap().unwrap();
        assert_eq!(batches.position(), Position { epoch: 6, batch: 2 });
        batches.next().unwrap().unwrap();
        assert_eq!(batches.position(), Position::epoch(7));
        assert!(batches.next().is_none());
        assert!(batches.next().is_none());
        assert_eq!(batches.position(), Position::epoch(7));
        // The position at the end, as it is counted, begins an epoch without batches.
        assert!(loader.epoch(Position { epoch: 6, batch: 3 }).unwrap().next().is_none());
    }
}

#[test]
fn arguments_are_checked() {
    let refused = |indices: &[usize], options: LoaderOptions| match Loader::new(data(), indices, options)
        .unwrap_err()
    {
        Error::Argument { argument, .. } => argument,
        other => panic!("{other:?}"),
    };
    let options = LoaderOptions::default();
    assert_eq!(refused(&[0], LoaderOptions { batch_size: 0, ..options.clone() }), "batch_size");
    assert_eq!(refused(&[1797], options.clone()), "indices");
    assert_eq!(refused(&[usize::MAX], options.clone()), "indices");
    assert_eq!(refused(&[], options.clone()), "indices.len()");
    assert_eq!(
        refused(&[0, 1], LoaderOptions { batch_size: 3, drop_last: true, ..options }),
        "indices.len()"
    );
    let loader = loader(10, LoaderOptions { batch_size: usize::MAX, ..Default::default() });
    let error = loader.epoch(Position { epoch: 0, batch: 2 }).unwrap_err();
    assert!(matches!(error, Error::Argument { argument: "from.batch", .. }), "{error:?}");
    assert_eq!(collect(&loader, Position::epoch(u64::MAX)).len(), 1);
}

#[test]
fn an_epoch_may_be_left_at_any_batch() {
    let loader = loader(64, LoaderOptions { batch_size: 1, prefetch: 3, ..Default::default() });
    for taken in 0..64 {
        let batches: Vec<_> = loader.epoch(Position::epoch(0)).unwrap().take(taken).collect();
        assert_eq!(batches.len(), taken);
    }
}

proptest! {
    #[test]
    fn resuming_anywhere_gives_the_rest_of_the_same_epoch(
        n in 1usize..60,
        batch_size in 1usize..20,
        seed: u64,
        epoch: u64,
        drop_last: bool,
        prefetch in 0usize..4,
        at: prop::sample::Index,
    ) {
        let drop_last = drop_last && n >= batch_size;
        let options = LoaderOptions { batch_size, shuffle: true, seed, drop_last, prefetch };
        let whole: Vec<Batch> = loader(n, options.clone()).plan(Position::epoch(epoch)).unwrap().map(Result::unwrap).collect();
        let resumed = loader(n, options);
        prop_assert_eq!(whole.len(), resumed.batches_per_epoch());
        let batch = at.index(whole.len() + 1);
        prop_assert_eq!(&collect(&resumed, Position { epoch, batch: batch as u64 })[..], &whole[batch..]);
        let seen: std::collections::BTreeSet<usize> = whole.iter().flat_map(|b| b.indices.clone()).collect();
        prop_assert_eq!(seen.len(), if drop_last { n / batch_size * batch_size } else { n });
        prop_assert!(whole.iter().all(|b| b.len() == batch_size || !drop_last));
    }
}

#[test]
fn the_hook_sees_every_position_before_its_batch_and_its_panic_is_the_workers() {
    use std::sync::Mutex;
    let seen = Arc::new(Mutex::new(Vec::new()));
    for prefetch in [0, 2] {
        let plain = loader(50, LoaderOptions { batch_size: 20, prefetch, ..Default::default() });
        let log = Arc::clone(&seen);
        let hooked = plain.clone().before_batch(move |position| log.lock().unwrap().push(position));
        assert_eq!(
            collect(&hooked, Position { epoch: 4, batch: 1 }),
            collect(&plain, Position { epoch: 4, batch: 1 })
        );
        let positions = std::mem::take(&mut *seen.lock().unwrap());
        assert_eq!(positions, [1, 2].map(|batch| Position { epoch: 4, batch }));
    }
    let broken = loader(50, LoaderOptions { batch_size: 20, ..Default::default() })
        .before_batch(|position| assert!(position.batch < 2, "the disk is gone"));
    let items: Vec<_> = broken.epoch(Position::epoch(0)).unwrap().collect();
    assert_eq!(items.len(), 3);
    assert!(
        matches!(&items[2], Err(Error::WorkerPanicked { message }) if message == "the disk is gone"),
        "{:?}",
        items[2]
    );
}
