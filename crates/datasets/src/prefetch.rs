//! An iterator run ahead on a thread of its own.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

use crate::Error;

/// Most items ahead.
pub(crate) const MOST_AHEAD: usize = 1 << 16;

/// Runs a fallible iterator on a background thread, at most `ahead` items ahead of the consumer.
///
/// Items come in order. The first error ends the iteration, and a panic of the iterator becomes one
/// [`Error::WorkerPanicked`]. Dropping a `Prefetch` ends the thread and waits for it: for the item that is being made,
/// at most.
///
/// ```
/// use variata_datasets::Prefetch;
///
/// let squares = Prefetch::new((0..4).map(|i| Ok(i * i)), 2)?;
/// assert_eq!(squares.collect::<Result<Vec<i32>, _>>()?, [0, 1, 4, 9]);
/// # Ok::<(), variata_datasets::Error>(())
/// ```
#[derive(Debug)]
pub struct Prefetch<T> {
    /// `None` once the iteration is over.
    receiver: Option<Receiver<Result<T, Error>>>,
    worker: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Prefetch<T> {
    /// Starts the thread.
    ///
    /// # Errors
    /// [`Error::Argument`] if `ahead` is 0 or more than 65,536, [`Error::Io`] if the system gives no thread.
    pub fn new<I>(items: I, ahead: usize) -> Result<Self, Error>
    where
        I: Iterator<Item = Result<T, Error>> + Send + 'static,
    {
        if !(1..=MOST_AHEAD).contains(&ahead) {
            return Err(Error::argument("ahead", ahead, "from 1 to 65536"));
        }
        // One item waits in the worker's hand; the channel holds the others.
        let (sender, receiver) = sync_channel(ahead - 1);
        let worker =
            Builder::new().name("variata-prefetch".to_owned()).spawn(move || work(items, &sender)).map_err(
                |source| Error::Io { file: PathBuf::from("prefetch thread"), action: "start", source },
            )?;
        Ok(Self { receiver: Some(receiver), worker: Some(worker) })
    }
}

fn work<T>(mut items: impl Iterator<Item = Result<T, Error>>, sender: &SyncSender<Result<T, Error>>) {
    loop {
        // The iterator is dropped after a panic, so that nobody sees its broken state.
        let item = match catch_unwind(AssertUnwindSafe(|| items.next())) {
            Ok(None) => return,
            Ok(Some(item)) => item,
            Err(panic) => Err(panicked(&*panic)),
        };
        let last = item.is_err();
        // Sending fails when the consumer has gone.
        if sender.send(item).is_err() || last {
            return;
        }
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Error {
    let message = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "no message".to_owned(),
    };
    Error::WorkerPanicked { message }
}

impl<T> Iterator for Prefetch<T> {
    type Item = Result<T, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Ok(item) = self.receiver.as_ref()?.recv() {
            if item.is_err() {
                self.receiver = None;
            }
            return Some(item);
        }
        self.receiver = None;
        // The worker is at its end. A panic here is one of the iterator's own `drop`.
        let panic = self.worker.take()?.join().err()?;
        Some(Err(panicked(&*panic)))
    }
}

impl<T> std::iter::FusedIterator for Prefetch<T> {}

impl<T> Drop for Prefetch<T> {
    fn drop(&mut self) {
        self.receiver = None; // wakes a worker that waits to send
        if let Some(worker) = self.worker.take() {
            let _ = worker.join(); // nobody is left to hear of a panic
        }
    }
}
