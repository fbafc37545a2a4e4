//! Permutations keep their values for ever.

use proptest::prelude::*;
use variata_datasets::permutation;
use variata_testkit::statistics::{assert_chi_square, assert_rejects, seed, try_chi_square};

#[test]
fn values_are_those_of_an_independent_implementation() {
    let table = include_str!("../golden/permutations.tsv");
    let mut rows = 0;
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let mut cells = line.split('\t');
        let mut next = || cells.next().unwrap();
        let (n, seed, epoch) = (next().parse().unwrap(), next().parse().unwrap(), next().parse().unwrap());
        let want: Vec<usize> = next().split(',').map(|k| k.parse().unwrap()).collect();
        assert_eq!(permutation(n, seed, epoch), want, "n {n}, seed {seed}, epoch {epoch}");
        rows += 1;
    }
    assert_eq!(rows, 7);
}

#[test]
fn nothing_and_one() {
    assert_eq!(permutation(0, 1, 2), [0; 0]);
    assert_eq!(permutation(1, 1, 2), [0]);
}

#[test]
fn every_order_is_as_likely() {
    // χ² over the 120 orders of 5 items, 24,000 epochs of a fixed seed: 200 expected in each. The false-alarm rate of
    // the bound is 5e-9 for fresh seeds: Wilson–Hilferty, k(1 − 2/(9k) + 5.73·√(2/(9k)))³ with k = 119 degrees of
    // freedom. `swap(i, 0..n)` in place of `0..=i` gives some orders 30 % too often and a statistic above 700.
    let mut counts = std::collections::BTreeMap::new();
    for epoch in 0..24_000 {
        *counts.entry(permutation(5, 3, epoch)).or_insert(0u32) += 1;
    }
    assert_eq!(counts.len(), 120);
    let statistic: f64 = counts.values().map(|&c| (f64::from(c) - 200.0).powi(2) / 200.0).sum();
    let v = 2.0 / (9.0 * 119.0);
    let bound = 119.0 * (1.0 - v + 5.73 * f64::sqrt(v)).powi(3);
    assert!(statistic < bound, "{statistic} ≥ {bound}");
}

proptest! {
    #[test]
    fn it_is_a_permutation(n in 0usize..300, seed: u64, epoch: u64) {
        let mut order = permutation(n, seed, epoch);
        order.sort_unstable();
        prop_assert_eq!(order, (0..n).collect::<Vec<_>>());
    }
}

/// Each of the 24 orders of four equally often, over seeds and over epochs; not so where each place is exchanged with any place.
#[test]
fn every_order_is_as_likely_as_any_other() {
    let orders = |draw: &dyn Fn(u64) -> Vec<usize>| {
        let mut counts = [0u64; 64];
        for round in 0..100_000 {
            let order = draw(round);
            counts[order[0] * 16 + order[1] * 4 + order[2]] += 1;
        }
        counts.into_iter().filter(|&count| count > 0).collect::<Vec<_>>()
    };
    let even = [1.0 / 24.0; 24];
    let start = seed(51);
    let over_seeds = orders(&|round| permutation(4, start.wrapping_add(round), 0));
    assert_chi_square("shuffle_uniform", &over_seeds, &even);
    assert_chi_square("shuffle_uniform", &orders(&|round| permutation(4, start, round)), &even);
    let any = |round: u64| {
        let mut order = vec![0, 1, 2, 3];
        let drawn = permutation(256, start, round)[0];
        (0..4).for_each(|i| order.swap(i, drawn >> (2 * i) & 3));
        order
    };
    assert_rejects("shuffle_uniform", &try_chi_square("shuffle_uniform", &orders(&any), &even));
}
