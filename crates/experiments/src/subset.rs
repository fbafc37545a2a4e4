//! An order in which the first so many of some data stand for all of them.

use std::collections::BTreeMap;

use variata_datasets::permutation;

/// The indices in an order whose first so many have each class about in proportion, and are chosen by chance within it, the same each
/// time. By their numbers the first ones of a folder of classes would all be of its first class.
pub(crate) fn mixed(indices: &[usize], labels: &[u8]) -> Vec<usize> {
    let mut classes: BTreeMap<u8, Vec<usize>> = BTreeMap::new();
    for k in permutation(indices.len(), 0, 0) {
        classes.entry(labels[indices[k]]).or_default().push(indices[k]);
    }
    // The k-th of n of a class lies at (k + ½)/n of the way.
    let place = |k: usize, n: usize| (k as f64 + 0.5) / n as f64;
    let mut placed: Vec<(f64, usize)> = classes
        .values()
        .flat_map(|all| all.iter().enumerate().map(|(k, &index)| (place(k, all.len()), index)))
        .collect();
    // Stable: of the same place, in the order of the classes.
    placed.sort_by(|a, b| a.0.total_cmp(&b.0));
    placed.into_iter().map(|(_, index)| index).collect()
}

#[cfg(test)]
mod tests {
    use super::mixed;

    #[test]
    fn the_first_so_many_have_the_classes_in_proportion_and_all_are_there() {
        // Class after class, 40, 80 and 40 of them; a part that has the odd ones.
        let labels: Vec<u8> = [(0u8, 40), (1, 80), (2, 40)].iter().flat_map(|&(c, n)| vec![c; n]).collect();
        let part: Vec<usize> = (1..labels.len()).step_by(2).collect();
        let order = mixed(&part, &labels);
        for count in 0..=part.len() {
            let of = |class| order[..count].iter().filter(|&&i| labels[i] == class).count() as f64;
            for (class, share) in [(0, 0.25), (1, 0.5), (2, 0.25)] {
                assert!((of(class) - share * count as f64).abs() <= 1.25, "{count} {class}");
            }
        }
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, part);
        assert_eq!(mixed(&part, &labels), order);
        // By chance within a class, too.
        assert!(!order.iter().filter(|&&i| labels[i] == 1).is_sorted());
        assert!(mixed(&[], &labels).is_empty());
    }
}
