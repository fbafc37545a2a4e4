//! Sets of pixels.

/// Pixels as runs of neighbours, first and last of each, ascending and apart. What is painted at one go has few runs, however large it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Pixels {
    runs: Vec<[u32; 2]>,
}

impl Pixels {
    /// In any order, each as often as one likes.
    pub(crate) fn new(mut pixels: Vec<u32>) -> Self {
        pixels.sort_unstable();
        Self::merged(pixels.into_iter().map(|p| [p, p]))
    }

    /// Of runs by their first pixels, ascending.
    fn merged(runs: impl Iterator<Item = [u32; 2]>) -> Self {
        let mut merged: Vec<[u32; 2]> = Vec::new();
        for [first, last] in runs {
            match merged.last_mut() {
                Some(before) if first <= before[1].saturating_add(1) => before[1] = before[1].max(last),
                _ => merged.push([first, last]),
            }
        }
        Self { runs: merged }
    }

    /// Ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        self.runs.iter().flat_map(|&[first, last]| first..=last)
    }

    pub(crate) fn len(&self) -> usize {
        self.runs.iter().map(|[first, last]| (last - first) as usize + 1).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// How much memory they take.
    pub(crate) fn runs(&self) -> usize {
        self.runs.len()
    }

    pub(crate) fn last(&self) -> Option<u32> {
        self.runs.last().map(|run| run[1])
    }

    /// All of some sets.
    pub(crate) fn of_all<'a>(sets: impl Iterator<Item = &'a Self>) -> Self {
        let mut all: Vec<_> = sets.flat_map(|set| &set.runs).copied().collect();
        all.sort_unstable();
        Self::merged(all.into_iter())
    }

    /// Those that `keep` names.
    pub(crate) fn filter(&self, mut keep: impl FnMut(u32) -> bool) -> Self {
        Self::merged(self.iter().filter(|p| keep(*p)).map(|p| [p, p]))
    }

    /// Those that are not among the others.
    pub(crate) fn without(&self, other: &Self) -> Self {
        let mut runs = Vec::with_capacity(self.runs.len());
        // Of many small sets each looks at few of the others.
        let from = self.runs.first().map_or(0, |[first, _]| other.runs.partition_point(|[_, to]| to < first));
        let mut others = other.runs[from..].iter().peekable();
        for &[first, last] in &self.runs {
            let mut from = Some(first);
            while let (Some(start), Some(&&[gone, to])) = (from, others.peek()) {
                if gone > last {
                    break;
                }
                if gone > start {
                    runs.push([start, gone - 1]);
                }
                // A run of the others that reaches further may meet the next one, too.
                if to >= last {
                    from = None;
                } else {
                    from = Some(start.max(to + 1));
                    others.next();
                }
            }
            runs.extend(from.map(|from| [from, last]));
        }
        Self { runs }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::Pixels;

    proptest! {
        #[test]
        fn runs_are_sets(a in prop::collection::vec(0u32..40, 0..30), b in prop::collection::vec(0u32..40, 0..30)) {
            let sets = [&a, &b].map(|v| v.iter().copied().collect::<BTreeSet<_>>());
            let runs = [a, b].map(Pixels::new);
            let same = |pixels: &Pixels, set: BTreeSet<u32>| {
                prop_assert_eq!((pixels.len(), pixels.last()), (set.len(), set.last().copied()));
                prop_assert_eq!(pixels, &Pixels::new(set.iter().copied().collect()));
                prop_assert!(pixels.iter().eq(set));
                Ok(())
            };
            same(&runs[0], sets[0].clone())?;
            same(&Pixels::of_all(runs.iter()), &sets[0] | &sets[1])?;
            same(&runs[0].without(&runs[1]), &sets[0] - &sets[1])?;
            same(&runs[0].filter(|p| sets[1].contains(&p)), &sets[0] & &sets[1])?;
        }
    }

    #[test]
    fn the_largest_number_is_a_pixel_like_others() {
        let pixels = Pixels::new(vec![u32::MAX, 0, u32::MAX - 1, 0]);
        assert_eq!((pixels.len(), pixels.runs()), (3, 2));
        assert_eq!(
            pixels.without(&Pixels::new(vec![u32::MAX])).iter().collect::<Vec<_>>(),
            [0, u32::MAX - 1]
        );
    }
}
