//! Loops that run on all cores when the feature `rayon` is on, for the crates of this workspace; no promise is made to
//! others. Results come in order, so they do not depend on the number of threads.

/// `f` of 0, …, n − 1 in order, computed in parallel when the feature `rayon` is on.
pub fn collect<T: Send>(n: usize, f: impl Fn(usize) -> T + Sync + Send) -> Vec<T> {
    #[cfg(feature = "rayon")]
    if n > 1 {
        use rayon::iter::{IntoParallelIterator, ParallelIterator};
        return (0..n).into_par_iter().map(f).collect();
    }
    (0..n).map(f).collect()
}

/// Runs `f` where its loops run: a caller outside of the pool hands it over once, and not each loop anew, which takes as long
/// as thousands of numbers.
pub fn within<T: Send>(f: impl FnOnce() -> T + Send) -> T {
    #[cfg(feature = "rayon")]
    return rayon::scope(|_| f());
    #[cfg(not(feature = "rayon"))]
    f()
}

/// Runs `task` on every item, in parallel when there is more than one and the feature `rayon` is on.
pub fn for_each<T: Send>(items: Vec<T>, task: impl Fn(T) + Sync + Send) {
    #[cfg(feature = "rayon")]
    if items.len() > 1 {
        use rayon::iter::{IntoParallelIterator, ParallelIterator};
        items.into_par_iter().for_each(task);
        return;
    }
    items.into_iter().for_each(task);
}
