//! Tensors lent to kernels whose loops run on libtorch's threads.

use ndarray::{ArrayView, ArrayViewD, Dimension};
use tch::Tensor;
use variata_torch_bridge::{self as bridge, Element, Error};

use crate::parallel::{Team, on_team};

/// libtorch's threads. After an operation they wait for the next one without sleeping, for some milliseconds.
struct Torch;

impl Team for Torch {
    fn threads(&self) -> usize {
        bridge::thread_count()
    }

    fn on_each(&self, task: &(dyn Fn() + Sync)) -> bool {
        bridge::on_each_thread(task).is_ok()
    }
}

/// [`bridge::lend`], with the loops of `f` on libtorch's threads; each thread that calls it has a team of them, as for any operation.
///
/// # Errors
/// Its own.
pub fn lend<F: Element, R>(
    argument: &'static str,
    tensor: &Tensor,
    f: impl FnOnce(ArrayViewD<'_, F>) -> R,
) -> Result<R, Error> {
    bridge::lend(argument, tensor, |view| on_team(&Torch, || f(view)))
}

/// [`bridge::lend_all`].
///
/// # Errors
/// Its own.
pub fn lend_all<F: Element, R, const N: usize>(
    tensors: [(&'static str, &Tensor); N],
    f: impl FnOnce([ArrayViewD<'_, F>; N]) -> R,
) -> Result<R, Error> {
    bridge::lend_all(tensors, |views| on_team(&Torch, || f(views)))
}

/// [`bridge::lend2`].
///
/// # Errors
/// Its own.
pub fn lend2<F: Element, A: Dimension, B: Dimension, R>(
    a: (&'static str, &Tensor),
    b: (&'static str, &Tensor),
    f: impl FnOnce(ArrayView<'_, F, A>, ArrayView<'_, F, B>) -> R,
) -> Result<R, Error> {
    bridge::lend2(a, b, |a, b| on_team(&Torch, || f(a, b)))
}

#[cfg(feature = "rayon")]
#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::thread::ThreadId;

    use super::*;
    use crate::parallel::{collect, count, for_each, within};

    fn here() -> ThreadId {
        std::thread::current().id()
    }

    /// Which threads a loop of some length was run by.
    fn threads() -> HashSet<ThreadId> {
        collect(64, |_| here()).into_iter().collect()
    }

    #[test]
    fn loops_over_lent_tensors_run_on_the_threads_of_libtorch() {
        let outside: HashSet<ThreadId> = rayon::broadcast(|_| here()).into_iter().collect();
        let lent = |work: &(dyn Fn() + Sync)| {
            let tensor = tch::Tensor::from_slice(&[1f64]);
            lend("t", &tensor, |_: ndarray::ArrayViewD<'_, f64>| work()).unwrap();
        };
        // A thread's first question sets what the whole process was told last.
        let before = tch::get_num_threads();
        tch::set_num_threads(3);
        lent(&|| {
            assert_eq!(count(), 3);
            for n in [2, 23, 24, 25, 47, 48, 64, 1000] {
                assert_eq!(collect(n, |i| i * i), (0..n).map(|i| i * i).collect::<Vec<_>>());
            }
            assert!(threads().is_disjoint(&outside));
            // Loops within are their thread's own.
            let inner = collect(8, |_| (count(), threads().len()));
            assert!(inner.iter().all(|found| *found == (1, 1)), "{inner:?}");
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
        tch::set_num_threads(before);
    }
}
