//! Usage, perplexity, dead codes.

use ndarray::{Array1, array, s};
use variata_quantize::{Codebook, GumbelSoftmax, Metric, Usage, UsageWindow};
use variata_testkit::compare::assert_relative;

use crate::support::normal;

#[test]
fn soft_usage_of_parts_is_that_of_the_whole() {
    let codebook = Codebook::new(normal(11, 3, 1), Metric::SquaredEuclidean).unwrap();
    let (options, z) = (GumbelSoftmax { temperature: 0.7, hard: false }, normal(50, 3, 2));
    let whole = options.usage(&codebook, &z).unwrap();
    let mut merged = options.usage(&codebook, &z.slice(s![..13, ..])).unwrap();
    merged.merge(&options.usage(&codebook, &z.slice(s![13.., ..])).unwrap()).unwrap();
    assert_eq!(merged.rows, 50);
    // 50 positive terms in another order.
    let near = |a: f64, b: f64| (a - b).abs() <= 100.0 * f64::EPSILON * b;
    assert!(near(merged.row_entropy, whole.row_entropy) && near(merged.mean_entropy, whole.mean_entropy));
    assert!(merged.weights.iter().zip(&whole.weights).all(|(a, b)| near(*a, *b)));
    let other = Codebook::new(normal(4, 3, 1), Metric::SquaredEuclidean).unwrap();
    assert!(merged.merge(&options.usage(&other, &z).unwrap()).is_err());
}

#[test]
fn perplexity_of_all_codes_alike_and_of_one() {
    for codes in [1usize, 2, 3, 7, 512, 1000] {
        let mut usage = Usage::new(codes).unwrap();
        assert_eq!((usage.perplexity(), usage.entropy(), usage.kl_from_uniform()), (None, None, None));
        usage.add(&Array1::from_elem(40, codes - 1)).unwrap();
        assert_eq!((usage.perplexity(), usage.entropy()), (Some(1.0), Some(0.0)));
        let kl = usage.kl_from_uniform().unwrap();
        assert!((kl - (codes as f64).ln()).abs() <= 4.0 * f64::EPSILON * kl.max(0.1));
        let mut usage = Usage::new(codes).unwrap();
        for _ in 0..3 {
            usage.add(&Array1::from_iter(0..codes)).unwrap();
        }
        let perplexity = usage.perplexity().unwrap();
        // exp turns the relative error of log K into log K times as much.
        assert!((perplexity / codes as f64 - 1.0).abs() < 20.0 * f64::EPSILON, "{perplexity}");
        assert_eq!(usage.kl_from_uniform(), Some(0.0));
    }
}

/// log K − H in floating point is off by the rounding of log K; near uniform nothing of it would be left.
#[test]
fn the_divergence_from_uniform_keeps_its_digits() {
    let mut usage = Usage::new(2).unwrap();
    usage.add(&Array1::from_iter((0..20_001).map(|i| i % 2))).unwrap();
    // p = ½ ± δ with δ = 1/40002: KL = 2δ² + 4δ⁴/3 + …
    let delta: f64 = 0.5 / 20_001.0;
    let want = 2.0 * delta * delta + 4.0 / 3.0 * delta.powi(4);
    let got = usage.kl_from_uniform().unwrap();
    assert!((got / want - 1.0).abs() < 1e-6, "{got:e} {want:e}");
    for counts in [[3, 1, 0, 9], [5, 5, 5, 6], [1, 0, 0, 100]] {
        let indices: Vec<usize> = (0..4).flat_map(|k| std::iter::repeat_n(k, counts[k])).collect();
        let mut usage = Usage::new(4).unwrap();
        usage.add(&Array1::from(indices)).unwrap();
        let want = 4f64.ln() - usage.entropy().unwrap();
        assert!((usage.kl_from_uniform().unwrap() - want).abs() < 1e-15);
    }
}

/// Counts of any size, by doubling.
fn of(counts: &[u64]) -> Usage {
    let mut all = Usage::new(counts.len()).unwrap();
    for (k, &count) in counts.iter().enumerate() {
        let mut power = Usage::new(counts.len()).unwrap();
        power.add(&array![k]).unwrap();
        for bit in 0..64 {
            if count >> bit & 1 == 1 {
                all.merge(&power).unwrap();
            }
            power.merge(&power.clone()).unwrap();
        }
    }
    assert_eq!(all.counts(), counts);
    all
}

/// Values by mpmath with 50 digits: Σ (n/N) log(Kn/N).
#[test]
fn the_divergence_of_counts_that_differ_by_one() {
    for (counts, want) in [
        (&[100_000_000, 100_000_001][..], 1.249999987500000099e-17),
        (&[1_000_001, 999_999, 1_000_000, 1_000_000], 2.5000000000004166667e-13),
        (&[1 << 62, (1 << 62) + (1 << 20)], 6.462348535569059342e-27),
        (&[1, 0, 0, 7], 1.0095241998634538325),
        (&[1, 1 << 60, 1 << 60], 0.40546510810816436351),
    ] {
        assert_relative("KL", of(counts).kl_from_uniform().unwrap(), want, 1e-14, 0.0);
    }
}

/// Values by mpmath with 50 digits: −Σ (n/N) log(n/N).
#[test]
fn the_entropy_of_codes_of_which_one_has_nearly_all() {
    for (counts, want) in [
        (&[999_999, 1][..], 1.4815510057964107437e-5),
        (&[1 << 40, 1], 2.6126042232474120357e-11),
        (&[1, 3, 0, 1 << 50], 1.2375309598942884728e-13),
    ] {
        assert_relative("H", of(counts).entropy().unwrap(), want, 1e-14, 0.0);
    }
}

#[test]
fn batches_merge_to_the_epoch() {
    let batches = [array![0, 1, 1], array![2, 2, 2], array![1, 4, 0]];
    let mut window = UsageWindow::new(5, 2).unwrap();
    let mut total = Usage::new(5).unwrap();
    for (i, batch) in batches.iter().enumerate() {
        assert_eq!(window.dead(1).unwrap().len(), if i < 2 { 0 } else { 2 });
        let mut usage = Usage::new(5).unwrap();
        usage.add(batch).unwrap();
        total.merge(&usage).unwrap();
        assert_eq!(window.push(batch).unwrap(), &usage);
    }
    assert_eq!(window.epoch(), &total);
    assert_eq!(total.counts(), [2, 3, 3, 0, 1]);
    assert_eq!(window.recent().counts(), [1, 1, 3, 0, 1]);
    assert_eq!(window.dead(1).unwrap(), [3]);
    assert_eq!(window.dead(2).unwrap(), [0, 1, 3, 4]);
    window.start_epoch();
    assert_eq!((window.epoch().total(), window.recent().total()), (0, 6));
}

/// Millions of terms leave their roundings to a plain sum.
#[test]
fn entropies_of_many_codes_keep_their_digits() {
    for codes in [512, 4096, 1_000_000, 1 << 22] {
        let mut usage = Usage::new(codes).unwrap();
        usage.add(&Array1::from_iter(0..codes)).unwrap();
        let want = libm::log(codes as f64);
        assert_relative("entropy", usage.entropy().unwrap(), want, 1e-14, 0.0);
        assert!(usage.entropy().unwrap() <= want);
        assert_eq!(usage.kl_from_uniform().unwrap(), 0.0);
    }
}
