//! Moving averages, and the revival of dead codes.

use ndarray::{Array1, Array2, array, concatenate, s};
use variata_quantize::{Clusters, Codebook, Ema, Metric, Revival, Smoothing, Usage};

use crate::support::{euclidean, normal, rng, single};

fn clusters(codebook: &Codebook<f64>, z: &Array2<f64>) -> Clusters {
    let mut clusters = Clusters::new(codebook);
    clusters.add(codebook, z, &codebook.assign(z).unwrap()).unwrap();
    clusters
}

#[test]
fn without_memory_codes_become_the_means_of_the_batch() {
    let z = normal(500, 3, 1);
    let mut codebook = euclidean(normal(20, 3, 2));
    let indices = codebook.assign(&z).unwrap();
    let before = codebook.clone();
    let found = clusters(&codebook, &z);
    assert_eq!(found.sizes().sum(), 500.0);
    Ema::new(&codebook, 0.0, Smoothing::None).unwrap().update(&mut codebook, &found).unwrap();
    for k in 0..20 {
        let members: Vec<_> = (0..500).filter(|&i| indices[i] == k).map(|i| z.row(i)).collect();
        if members.is_empty() {
            assert_eq!(codebook.codes().row(k), before.codes().row(k));
            continue;
        }
        let sum = members.iter().fold(Array1::zeros(3), |sum: Array1<f64>, row| sum + row);
        let gap = &codebook.codes().row(k) - &(sum / members.len() as f64);
        assert!(gap.iter().all(|v| v.abs() < 1e-14));
    }
}

/// A mutant that starts from sizes of 0 moves them by 10² and more.
#[test]
fn codes_that_nobody_chose_keep_their_bits() {
    for smoothing in [Smoothing::None, Smoothing::Laplace(1e-5), Smoothing::Hold(1e-3)] {
        for metric in [Metric::SquaredEuclidean, Metric::Cosine] {
            let mut codebook = Codebook::new(normal(64, 4, 1), metric).unwrap();
            let before = codebook.codes().clone();
            let mut ema = Ema::new(&codebook, 0.99, smoothing).unwrap();
            let z = normal(10, 4, 2);
            let mut chosen = [false; 64];
            for _ in 0..3 {
                let found = clusters(&codebook, &z);
                ema.update(&mut codebook, &found).unwrap();
                for (k, chosen) in chosen.iter_mut().enumerate() {
                    *chosen |= found.sizes()[k] > 0.0;
                    assert!(*chosen || codebook.codes().row(k) == before.row(k));
                }
            }
            assert!(chosen.contains(&true) && chosen.contains(&false));
            let largest = codebook.codes().iter().fold(0.0f64, |max, v| max.max(v.abs()));
            assert!(largest < 5.0, "{largest}");
        }
    }
}

#[test]
fn on_constant_data_it_is_a_geometric_series() {
    let z = Array2::from_elem((6, 1), 3.0);
    let mut codebook = euclidean(array![[1.0], [100.0]]);
    let mut ema = Ema::new(&codebook, 0.9, Smoothing::None).unwrap();
    for step in 1..40 {
        let found = clusters(&codebook, &z);
        ema.update(&mut codebook, &found).unwrap();
        let kept = 0.9f64.powi(step);
        let (size, sum) = (kept + 6.0 * (1.0 - kept), kept + 18.0 * (1.0 - kept));
        assert!((ema.sizes()[0] / size - 1.0).abs() < 1e-13);
        assert!((codebook.codes()[[0, 0]] / (sum / size) - 1.0).abs() < 1e-13);
        assert!((ema.sizes()[1] / kept - 1.0).abs() < 1e-13);
    }
}

#[test]
fn its_fixed_point_is_that_of_k_means() {
    let data = normal(300, 2, 4);
    let fitted = Codebook::k_means(&data, 6, 60, Metric::SquaredEuclidean, &mut rng(5)).unwrap();
    let mut codebook = fitted.codebook.clone();
    let mut ema = Ema::new(&codebook, 0.8, Smoothing::None).unwrap();
    for _ in 0..20 {
        let found = clusters(&codebook, &data);
        ema.update(&mut codebook, &found).unwrap();
    }
    let gap = codebook.codes() - fitted.codebook.codes();
    assert!(gap.iter().all(|v| v.abs() < 1e-13), "{gap}");
}

#[test]
fn smoothing_is_what_it_says() {
    let start = euclidean(array![[0.0, 2.0], [8.0, 8.0]]);
    let z = array![[1.0, 1.0], [0.0, 4.0], [9.0, 9.0]];
    let found = clusters(&start, &z);
    let mut laplace = start.clone();
    Ema::new(&start, 0.0, Smoothing::Laplace(0.5)).unwrap().update(&mut laplace, &found).unwrap();
    // (2 + ½)/(3 + 1)·3 = 15/8.
    assert_eq!(laplace.codes().row(0), array![8.0 / 15.0, 8.0 / 3.0]);
    let mut hold = start.clone();
    Ema::new(&start, 0.0, Smoothing::Hold(2.0)).unwrap().update(&mut hold, &found).unwrap();
    assert_eq!(hold.codes().row(0), array![0.25, 2.25]);
}

#[test]
fn micro_batches_and_workers_add_up() {
    let z = single(&normal(901, 5, 1));
    let codebook = euclidean(single(&normal(30, 5, 2)));
    let indices = codebook.assign(&z).unwrap();
    let mut whole = Clusters::new(&codebook);
    whole.add(&codebook, &z, &indices).unwrap();
    let mut parts = Clusters::new(&codebook);
    for (from, to) in [(0, 400), (400, 401), (401, 901)] {
        parts.add(&codebook, &z.slice(s![from..to, ..]), &indices.slice(s![from..to])).unwrap();
    }
    let mut workers: Vec<Clusters> = Vec::new();
    for (from, to) in [(0, 300), (300, 901)] {
        let mut worker = Clusters::new(&codebook);
        worker.add(&codebook, &z.slice(s![from..to, ..]), &indices.slice(s![from..to])).unwrap();
        workers.push(worker);
    }
    let [mut merged, other] = <[Clusters; 2]>::try_from(workers).unwrap();
    merged.merge(&other).unwrap();
    // Sums of f32 in f64: the order costs a few units of the sum of sizes.
    let bound = 30.0 * f64::EPSILON * z.iter().map(|v| v.abs() as f64).sum::<f64>();
    for other in [&parts, &merged] {
        assert_eq!(whole.sizes(), other.sizes());
        assert!((whole.sums() - other.sums()).iter().all(|v| v.abs() <= bound));
    }
}

#[test]
fn under_the_cosine_metric_codes_are_mean_directions() {
    let mut codebook = Codebook::new(array![[1.0, 0.0], [0.0, 1.0]], Metric::Cosine).unwrap();
    let z = array![[100.0, 0.0], [3.0, 4.0], [0.0, 0.5]];
    let found = clusters(&codebook, &z);
    assert_eq!(found.sums(), array![[1.0, 0.0], [0.6, 1.8]]);
    let mut ema = Ema::new(&codebook, 0.0, Smoothing::Laplace(1e-5)).unwrap();
    ema.update(&mut codebook, &found).unwrap();
    let length = 3.6f64.sqrt();
    assert!(
        (codebook.codes() - array![[1.0, 0.0], [0.6 / length, 1.8 / length]]).iter().all(|v| v.abs() < 1e-15)
    );
    // Directions that cancel leave the code where it was.
    let mut codebook = Codebook::new(array![[1.0, 0.0]], Metric::Cosine).unwrap();
    let found = clusters(&codebook, &array![[0.0, 1.0], [0.0, -1.0]]);
    Ema::new(&codebook, 0.0, Smoothing::None).unwrap().update(&mut codebook, &found).unwrap();
    assert_eq!(codebook.codes(), array![[1.0, 0.0]]);
}

/// A codebook all but one of whose codes lie far away.
fn collapsed() -> (Codebook<f64>, Array2<f64>) {
    let near = normal(1, 4, 1);
    let far = normal(31, 4, 2) + 1000.0;
    (euclidean(concatenate![ndarray::Axis(0), near, far]), normal(2000, 4, 3))
}

fn usage(codebook: &Codebook<f64>, z: &Array2<f64>) -> Usage {
    let mut usage = Usage::new(codebook.count()).unwrap();
    usage.add(&codebook.assign(z).unwrap()).unwrap();
    usage
}

#[test]
fn revival_brings_a_collapsed_codebook_back() {
    for revival in [Revival::Batch, Revival::Farthest, Revival::Split { spread: 0.3 }] {
        let (mut codebook, z) = collapsed();
        let mut ema = Ema::new(&codebook, 0.5, Smoothing::Laplace(1e-5)).unwrap();
        let mut rng = rng(7);
        assert_eq!(usage(&codebook, &z).perplexity(), Some(1.0));
        for _ in 0..60 {
            let used = usage(&codebook, &z);
            codebook.revive(&used.unused(), revival, &z, &used, Some(&mut ema), &mut rng).unwrap();
            let found = clusters(&codebook, &z);
            ema.update(&mut codebook, &found).unwrap();
        }
        let perplexity = usage(&codebook, &z).perplexity().unwrap();
        assert!(perplexity >= 0.9 * 32.0, "{revival:?}: {perplexity}");
    }
}

#[test]
fn revival_resets_all_of_the_averages() {
    let (mut codebook, z) = collapsed();
    let mut ema = Ema::new(&codebook, 0.9, Smoothing::None).unwrap();
    for _ in 0..50 {
        let found = clusters(&codebook, &z);
        ema.update(&mut codebook, &found).unwrap();
    }
    assert!(ema.sizes()[5] < 0.01);
    let used = usage(&codebook, &z);
    let before = (codebook.clone(), ema.clone());
    // Nothing dead: nothing changes.
    assert_eq!(
        codebook.revive(&[], Revival::Batch, &z, &used, Some(&mut ema), &mut rng(1)).unwrap(),
        [0usize; 0]
    );
    assert_eq!((&codebook, &ema), (&before.0, &before.1));
    let changed = codebook.revive(&[5, 9], Revival::Batch, &z, &used, Some(&mut ema), &mut rng(1)).unwrap();
    assert_eq!(changed, [5, 9]);
    for k in [5, 9] {
        assert_eq!((ema.sizes()[k], ema.sums().row(k)), (1.0, codebook.codes().row(k)));
        assert!(z.rows().into_iter().any(|row| row == codebook.codes().row(k)));
    }
    // No step that has nothing for them moves them.
    let none = Clusters::new(&codebook);
    let revived = codebook.clone();
    ema.update(&mut codebook, &none).unwrap();
    assert_eq!(codebook, revived);
    // A split shares the size, and keeps the sums that go with the codes.
    let size = ema.sizes()[0];
    let changed =
        codebook.revive(&[7], Revival::Split { spread: 0.01 }, &z, &used, Some(&mut ema), &mut rng(1));
    assert_eq!(changed.unwrap(), [0, 7]);
    assert_eq!((ema.sizes()[0], ema.sizes()[7]), (0.5 * size, 0.5 * size));
    for k in [0, 7] {
        let gap = &ema.sums().row(k) / (0.5 * size) - codebook.codes().row(k);
        assert!(gap.iter().all(|v| v.abs() < 1e-14));
    }
    // One that is named twice is split once.
    let changed =
        codebook.revive(&[5, 5], Revival::Split { spread: 0.01 }, &z, &used, Some(&mut ema), &mut rng(1));
    assert_eq!(changed.unwrap().len(), 2);
}

#[test]
fn the_farthest_rows_are_taken_one_after_the_other() {
    let mut codebook = euclidean(array![[0.0], [5.0], [6.0]]);
    let z = array![[-1.0], [-20.0], [-19.0], [18.0]];
    let used = usage(&codebook, &z);
    codebook.revive(&[1, 2], Revival::Farthest, &z, &used, None, &mut rng(1)).unwrap();
    // −19 is far from 0, but not from −20.
    assert_eq!(codebook.codes(), array![[0.0], [-20.0], [18.0]]);
}

/// Of the codes that are used most the first is split, again and again.
#[test]
fn crowded_codes_are_split_in_their_order() {
    let pairs = |counts: &[u64], dead: &[usize]| {
        // What a loop over all counts finds for each dead code.
        let mut counts: Vec<f64> = counts.iter().map(|&n| n as f64).collect();
        for &k in dead {
            counts[k] = 0.0;
        }
        let mut changed = vec![false; counts.len()];
        for &to in dead {
            let from = (1..counts.len()).fold(0, |best, k| if counts[k] > counts[best] { k } else { best });
            counts[from] *= 0.5;
            counts[to] = counts[from];
            (changed[from], changed[to]) = (true, true);
        }
        (0..counts.len()).filter(|&k| changed[k]).collect::<Vec<_>>()
    };
    let counts = |codes: usize, step: usize| -> Vec<usize> {
        (0..codes).flat_map(|k| vec![k; if k % step == 0 { 1 + k % 7 } else { 0 }]).collect()
    };
    for (codes, step) in [(40, 3), (50, 10), (64, 2), (30, 30)] {
        let mut used = Usage::new(codes).unwrap();
        used.add(&Array1::from(counts(codes, step))).unwrap();
        let mut codebook = euclidean(normal(codes, 2, 1));
        let none = Array2::<f64>::zeros((0, 2));
        let split = Revival::Split { spread: 0.01 };
        let changed = codebook.revive(&used.unused(), split, &none, &used, None, &mut rng(1)).unwrap();
        assert_eq!(changed, pairs(used.counts(), &used.unused()));
    }
}

/// A large codebook most of which is dead: some loops over all codes for each dead one would take minutes.
#[test]
fn many_dead_codes_are_revived_in_no_time() {
    let codes = 1 << 17;
    let mut used = Usage::new(codes).unwrap();
    used.add(&Array1::from_iter(0..30_000)).unwrap();
    let z = normal(8, 1, 2);
    let start = std::time::Instant::now();
    let mut codebook = euclidean(normal(codes, 1, 1));
    let mut ema = Ema::new(&codebook, 0.9, Smoothing::None).unwrap();
    for revival in [Revival::Split { spread: 0.01 }, Revival::Farthest] {
        let mut rng = rng(1);
        let changed = codebook.revive(&used.unused(), revival, &z, &used, Some(&mut ema), &mut rng).unwrap();
        assert!(changed.len() >= codes - 30_000);
    }
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
}

#[test]
fn under_the_cosine_metric_codes_are_held_in_their_direction() {
    let step = |smoothing| {
        let mut codebook = Codebook::new(array![[2.0, 0.0], [0.0, -1.0]], Metric::Cosine).unwrap();
        let mut ema = Ema::new(&codebook, 0.5, smoothing).unwrap();
        let mut clusters = Clusters::new(&codebook);
        clusters.add(&codebook, &array![[1.0, 1.0]], &array![0]).unwrap();
        ema.update(&mut codebook, &clusters).unwrap();
        codebook.codes().row(0).to_owned()
    };
    // The sum is ½(1, 0) + ½(1, 1)/√2.
    let diagonal = 0.5f64.sqrt();
    for (smoothing, hold) in
        [(Smoothing::None, 0.0), (Smoothing::Laplace(1.0), 0.0), (Smoothing::Hold(3.0), 3.0)]
    {
        let sum = [0.5 + 0.5 * diagonal + hold, 0.5 * diagonal];
        let norm = (sum[0] * sum[0] + sum[1] * sum[1]).sqrt();
        let found = step(smoothing);
        assert!((found[0] - sum[0] / norm).abs() < 1e-15 && (found[1] - sum[1] / norm).abs() < 1e-15);
    }
}
