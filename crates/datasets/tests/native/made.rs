//! Data made on demand: the same on every thread and after every pause, and errors that end the epoch.

use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::Array4;
use variata_datasets::{Batch, Error, ExampleSource, Examples, Loader, LoaderOptions, Position};

const DATA: usize = 23;

type Made = Result<Array4<f32>, Box<dyn std::error::Error + Send + Sync>>;

/// A source whose arrays a function makes.
struct From<F> {
    labels: Vec<u8>,
    make: F,
}

impl<F> std::fmt::Debug for From<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("From")
    }
}

impl<F: Fn(&[usize], Position) -> Made + Send + Sync> ExampleSource for From<F> {
    fn labels(&self) -> &[u8] {
        &self.labels
    }
    fn make(&self, indices: &[usize], position: Position, _: usize) -> Made {
        (self.make)(indices, position)
    }
}

fn loader(prefetch: usize, make: impl Fn(&[usize], Position) -> Made + Send + Sync + 'static) -> Loader {
    let labels = (0..DATA).map(|i| (i % 10) as u8).collect();
    let source: Arc<dyn ExampleSource> = Arc::new(From { labels, make });
    let options = LoaderOptions { batch_size: 5, seed: 3, prefetch, ..LoaderOptions::default() };
    Loader::new(source, (0..DATA).collect::<Vec<_>>(), options).unwrap()
}

/// Pixel c of view v of datum i.
fn pixel(view: usize, datum: usize, channel: usize, position: Position) -> f32 {
    (((position.epoch * 100 + position.batch) as usize * 10 + view) * 100 + datum * 2 + channel) as f32
}

/// Two views of two channels of one pixel, in a layout that is not the standard one.
#[expect(clippy::unnecessary_wraps, reason = "the signature of `make`")]
fn two_views(indices: &[usize], position: Position) -> Made {
    let m = indices.len();
    let turned = Array4::from_shape_fn((1, 2, 1, 2 * m), |(_, channel, _, row)| {
        pixel(row / m, indices[row % m], channel, position)
    });
    Ok(turned.permuted_axes([3, 1, 2, 0]))
}

fn collect(loader: &Loader, from: Position) -> Vec<Batch> {
    loader.epoch(from).unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn views_follow_one_another_and_the_length_is_that_of_the_data() {
    let batches = collect(&loader(2, two_views), Position::epoch(4));
    assert_eq!(batches.iter().map(Batch::len).collect::<Vec<_>>(), [5, 5, 5, 5, 3]);
    for batch in &batches {
        assert_eq!((batch.views(), batch.labels.len()), (2, batch.len()));
        assert_eq!(batch.images.shape(), [2 * batch.len(), 2, 1, 1]);
        assert!(batch.images.is_standard_layout());
        for (row, &datum) in batch.indices.iter().enumerate() {
            assert_eq!(batch.labels[row], (datum % 10) as i64);
            for (view, channel) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                let found = batch.images[[view * batch.len() + row, channel, 0, 0]];
                assert_eq!(found, pixel(view, datum, channel, batch.position));
            }
        }
    }
    let examples = loader(0, two_views);
    assert!(matches!(examples.data(), Examples::Made(source) if source.labels().len() == DATA));
}

#[test]
fn resumed_and_prefetched_epochs_hold_the_same_bits() {
    let whole = collect(&loader(0, two_views), Position::epoch(7));
    for prefetch in [0, 1, 2] {
        for from in 0..=5 {
            let rest = collect(&loader(prefetch, two_views), Position { epoch: 7, batch: from as u64 });
            assert_eq!(rest, whole[from..]);
        }
    }
    assert_ne!(collect(&loader(0, two_views), Position::epoch(8)), whole);
}

#[test]
fn an_error_is_the_last_item_and_keeps_its_source() {
    let at = Position { epoch: 1, batch: 2 };
    for prefetch in [0, 2] {
        let failing = loader(prefetch, move |indices, position| {
            if position == at { Err("the lamp broke".into()) } else { two_views(indices, position) }
        });
        let mut batches = failing.epoch(Position::epoch(1)).unwrap();
        assert!(batches.next().unwrap().is_ok() && batches.next().unwrap().is_ok());
        let error = batches.next().unwrap().unwrap_err();
        assert!(matches!(&error, Error::Made { position, .. } if *position == at), "{error:?}");
        assert_eq!(error.source().unwrap().to_string(), "the lamp broke");
        assert_eq!(error.to_string(), "batch 2 of epoch 1 cannot be made: the lamp broke");
        assert!(batches.next().is_none() && batches.next().is_none());
        assert_eq!(batches.position(), at);
        // The plan alone is at its end too.
        let plan = failing.plan(Position::epoch(1)).unwrap();
        assert_eq!(plan.size_hint(), (1, Some(5)));
        assert_eq!(plan.map(|batch| batch.is_ok()).collect::<Vec<_>>(), [true, true, false]);
    }
}

#[test]
fn a_number_of_arrays_that_is_no_multiple_is_refused() {
    for (found, prefetch) in [(0, 0), (1, 2), (4, 0), (6, 2), (9, 0)] {
        let wrong = loader(prefetch, move |_, _| Ok(Array4::zeros((found, 1, 2, 2))));
        let items: Vec<_> = wrong.epoch(Position { epoch: 0, batch: 1 }).unwrap().collect();
        let [Err(error)] = &items[..] else { panic!("{items:?}") };
        let position = Position { epoch: 0, batch: 1 };
        assert!(
            matches!(error, Error::Views { position: at, found: n, data: 5 } if (*at, *n) == (position, found)),
            "{error:?}"
        );
        assert!(error.to_string().contains(&format!("{found} arrays")), "{error}");
    }
}

#[test]
fn labels_that_vanish_are_an_error_and_no_panic() {
    /// Half of its labels are gone after the first two calls.
    #[derive(Debug)]
    struct Fading(Vec<u8>, AtomicUsize);
    impl ExampleSource for Fading {
        fn labels(&self) -> &[u8] {
            let kept = if self.1.fetch_add(1, Ordering::Relaxed) < 2 { DATA } else { DATA / 2 };
            &self.0[..kept]
        }
        fn make(&self, indices: &[usize], position: Position, _: usize) -> Made {
            two_views(indices, position)
        }
    }
    let source: Arc<dyn ExampleSource> = Arc::new(Fading(vec![0; DATA], AtomicUsize::new(0)));
    let loader = Loader::new(source, vec![DATA - 1; 9], LoaderOptions::default()).unwrap();
    let items: Vec<_> =
        loader.plan(Position::epoch(0)).unwrap().chain(loader.plan(Position::epoch(1)).unwrap()).collect();
    let [Ok(first), Err(error)] = &items[..] else { panic!("{items:?}") };
    assert_eq!(first.labels, [0; 9]);
    assert!(matches!(error, Error::Argument { argument: "indices", .. }), "{error:?}");
}

#[test]
fn the_thread_makes_no_more_than_it_is_told_ahead() {
    let made = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&made);
    let counted = loader(2, move |indices, position| {
        count.fetch_add(1, Ordering::SeqCst);
        two_views(indices, position)
    });
    let mut batches = counted.epoch(Position::epoch(0)).unwrap();
    for taken in 0..3 {
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert!(made.load(Ordering::SeqCst) <= taken + 2, "{made:?} made when {taken} were taken");
        batches.next().unwrap().unwrap();
    }
    drop(batches);
    assert!(made.load(Ordering::SeqCst) <= 5);
}

/// Row k of the batch, whatever the share.
#[derive(Debug)]
struct RowNumbers;
impl ExampleSource for RowNumbers {
    fn labels(&self) -> &[u8] {
        &[0; DATA]
    }
    fn make(&self, indices: &[usize], position: Position, first_row: usize) -> Made {
        Ok(Array4::from_shape_fn((indices.len(), 1, 1, 2), |(k, .., c)| {
            ((first_row + k) * 2 + c) as f32 + 100.0 * position.batch as f32
        }))
    }
}

#[test]
fn shares_together_are_the_batch() {
    let source: Arc<dyn ExampleSource> = Arc::new(RowNumbers);
    let options = LoaderOptions { batch_size: 5, seed: 3, prefetch: 0, ..LoaderOptions::default() };
    let whole = Loader::new(source, (0..DATA).collect::<Vec<_>>(), options).unwrap();
    let from = Position::epoch(2);
    let smallest = DATA % 5;
    assert!((2..5).contains(&smallest), "the last batch is a short one");
    for count in 1..=smallest {
        let shares: Vec<_> = (0..count).map(|i| collect(&whole.share(i, count).unwrap(), from)).collect();
        for (k, batch) in collect(&whole, from).iter().enumerate() {
            let mut next = 0;
            for share in &shares {
                let part = &share[k];
                assert_eq!(
                    (part.first_row, part.whole_len, part.position),
                    (next, batch.len(), batch.position)
                );
                let rows = next..next + part.len();
                assert!(!part.is_empty());
                assert_eq!(part.indices, batch.indices[rows.clone()]);
                assert_eq!(part.labels, batch.labels[rows.clone()]);
                assert_eq!(part.images, batch.images.slice(ndarray::s![rows, .., .., ..]));
                next += part.len();
            }
            assert_eq!(next, batch.len());
        }
    }
    for (index, count) in [(0, smallest + 1), (1, 1), (0, 0)] {
        assert!(matches!(whole.share(index, count), Err(Error::Argument { .. })), "{index} of {count}");
    }
}
