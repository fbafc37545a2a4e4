//! Tables that are costly to make and depend on one number only: the last few are kept for the next call.

use std::sync::{Arc, Mutex, PoisonError};

/// Tables kept.
const KEPT: usize = 8;

/// Recent tables with the number that each depends on.
#[derive(Debug)]
pub(crate) struct Recent<T>(Mutex<Vec<(usize, Arc<T>)>>);

impl<T> Recent<T> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// The table of a number, made if it is not there; not under the lock, so that others need not wait.
    pub(crate) fn get(&self, number: usize, make: impl FnOnce() -> T) -> Arc<T> {
        let kept = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept().iter().find(|(of, _)| *of == number).map(|(_, table)| table.clone());
        found.unwrap_or_else(|| {
            let made = Arc::new(make());
            let mut kept = kept();
            if kept.len() == KEPT {
                kept.remove(0);
            }
            kept.push((number, made.clone()));
            made
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recent_table_is_made_once_and_an_old_one_again() {
        let recent = Recent::new();
        let first = recent.get(1, || 10);
        assert!(Arc::ptr_eq(&first, &recent.get(1, || panic!("it is there"))));
        for number in 2..=KEPT + 1 {
            recent.get(number, || 0);
        }
        assert_eq!(*recent.get(1, || 11), 11);
    }
}
