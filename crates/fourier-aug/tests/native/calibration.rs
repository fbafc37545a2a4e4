//! Calibration errors: by hand, against the published tools, ties and ends, intervals, decomposition, bad input.

use ndarray::{Array1, Array2, ShapeBuilder, array};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use variata_distributions::ArgumentError;
use variata_fourier_aug::{
    Binning, Bootstrap, Error, Predictions, Statistic, brier_decomposition, brier_score, classwise_ece,
    fit_temperature, negative_log_likelihood,
};
use variata_testkit::compare::assert_relative;
use variata_testkit::golden::Table;
use variata_testkit::statistics::{
    assert_binomial, assert_mean, assert_rejects, seed, try_binomial, try_mean,
};

/// Confidences uniform on (0.3, 1), right with probability confidence − `gap`.
fn drawn(n: usize, gap: f64, rng: &mut ChaCha8Rng) -> Predictions {
    let confidence: Array1<f64> = (0..n).map(|_| rng.random_range(0.3..1.0)).collect();
    let correct: Vec<bool> = confidence.iter().map(|c| rng.random::<f64>() < c - gap).collect();
    Predictions::new(&confidence, &correct).unwrap()
}

#[test]
fn errors_of_two_bins_by_hand() {
    let confidence = array![0.6, 0.6, 0.9, 0.9, 0.9, 0.9];
    let correct = [true, false, true, true, true, false];
    let found = Predictions::new(&confidence, &correct).unwrap();
    for binning in [Binning::Adaptive { size: 2 }, Binning::EqualWidth { bins: 5 }] {
        let r = found.reliability(binning).unwrap();
        // Gaps 0.1 of two and 0.15 of four.
        assert_relative("ece", r.ece(), (0.2 + 0.6) / 6.0, 1e-14, 0.0);
        assert_relative("squared", r.squared(), (2.0 * 0.01 + 4.0 * 0.0225) / 6.0, 1e-14, 0.0);
        assert_relative("rms", r.rms(), r.squared().sqrt(), 1e-15, 0.0);
        assert_relative("mce", r.mce(), 0.15, 1e-14, 0.0);
        // Variances ¼/1 and (3/16)/3.
        let debiased = (2.0 * (0.01 - 0.25) + 4.0 * (0.0225 - 0.0625)) / 6.0;
        assert_relative("debiased", r.squared_debiased(), debiased, 1e-13, 0.0);
        assert_eq!(r.rms_debiased(), 0.0);
    }
    assert_relative("error", found.error_rate(), 2.0 / 6.0, 1e-15, 0.0);
}

#[test]
fn published_variants_agree_with_the_tools() {
    let confidence: Array1<f64> = (0..97).map(|i| f64::from(50 + (i * 37) % 51) / 100.0).collect();
    let correct: Vec<bool> = (0..97).map(|i| (i * 29 + i * i) % 10 < 6).collect();
    let found = Predictions::new(&confidence, &correct).unwrap();
    let table = Table::parse(include_str!("../golden/calibration.tsv")).unwrap();
    for row in table.rows() {
        let size = row[0] as usize;
        let rms = |binning| found.reliability(binning).unwrap().rms();
        assert_relative("drops", rms(Binning::PublishedDropsRest { size }), row[1], 1e-13, 0.0);
        assert_relative("skips", rms(Binning::PublishedSkipsLast { size }), row[2], 1e-13, 0.0);
    }
    // A set that fits no bin: the tools return 0, the whole form does not.
    let none = found.reliability(Binning::PublishedDropsRest { size: 98 }).unwrap();
    assert!([none.rms(), none.ece(), none.mce()].iter().all(|e| e.to_bits() == 0));
    assert!(found.reliability(Binning::Adaptive { size: 98 }).unwrap().rms() > 0.0);
}

#[test]
fn the_last_bin_counts() {
    // Calibrated but for the most confident five of 25, which are all wrong.
    let confidence: Array1<f64> = (0..25).map(|i| if i < 20 { 0.5 } else { 1.0 }).collect();
    let correct: Vec<bool> = (0..25).map(|i| i < 20 && i % 2 == 0).collect();
    let found = Predictions::new(&confidence, &correct).unwrap();
    let rms = |binning| found.reliability(binning).unwrap().rms();
    assert_relative("adaptive", rms(Binning::Adaptive { size: 5 }), 0.2f64.sqrt(), 1e-14, 0.0);
    assert_eq!(rms(Binning::PublishedSkipsLast { size: 20 }), 0.0);
}

#[test]
fn ones_and_zeros_are_in_the_outer_bins_and_ties_together() {
    let found = Predictions::new(&array![0.0, 1.0, 1.0, 0.5], &[false, true, true, true]).unwrap();
    let r = found.reliability(Binning::EqualWidth { bins: 10 }).unwrap();
    let counts: Vec<usize> = r.bins().iter().map(|b| b.count).collect();
    assert_eq!(counts, [1, 0, 0, 0, 0, 1, 0, 0, 0, 2]);
    assert_eq!((r.bins()[1].confidence(), r.bins()[1].accuracy(), r.bins()[1].gap()), (None, None, 0.0));
    assert_eq!(r.mce(), 0.5);
    // Ten ties cannot be split by bins of three.
    let ties = Predictions::new(&Array1::from_elem(10, 0.7), &[true; 10]).unwrap();
    assert_eq!(ties.reliability(Binning::Adaptive { size: 3 }).unwrap().bins().len(), 1);
    // 0.1, …, 1.0, three each, bins of four: six, six, six, and the last twelve.
    let steps: Array1<f64> = (0..30).map(|i| f64::from(i / 3 + 1) / 10.0).collect();
    let r = Predictions::new(&steps, &[true; 30]).unwrap();
    let r = r.reliability(Binning::Adaptive { size: 4 }).unwrap();
    let counts: Vec<usize> = r.bins().iter().map(|b| b.count).collect();
    assert_eq!(counts, [6, 6, 6, 6, 6]);
    assert_eq!((r.bins()[4].low, r.bins()[4].high), (0.9, 1.0));
}

/// The product of a confidence and the number of bins is rounded; the edges that a bin states are what counts.
#[test]
fn confidences_lie_between_the_edges_of_their_bin() {
    for bins in [3, 10, 15, 50, 100, 1000] {
        let all: Vec<f64> = (0..=1000).map(|i| f64::from(i) / 1000.0).collect();
        for c in all {
            let found = Predictions::new(&array![c], &[true]).unwrap();
            let found = found.reliability(Binning::EqualWidth { bins }).unwrap();
            let at = found.bins().iter().position(|bin| bin.count > 0).unwrap();
            let bin = &found.bins()[at];
            assert!(bin.low <= c && (c < bin.high || at + 1 == bins), "{c} of {bins}: {bin:?}");
        }
    }
}

#[test]
fn a_calibrated_generator_has_no_error() {
    let mut rng = ChaCha8Rng::seed_from_u64(seed(31));
    let (mut held, mut estimates, mut plugged_in) = (0, Vec::new(), Vec::new());
    let bootstrap = Bootstrap { replicates: 200, ..Bootstrap::default() };
    for round in 0..400 {
        let found = drawn(1000, 0.0, &mut rng);
        let binning = Binning::Adaptive { size: 50 };
        let interval =
            found.interval(Statistic::Squared, binning, &Bootstrap { seed: round, ..bootstrap }).unwrap();
        held += u64::from(interval.low <= 0.0 && 0.0 <= interval.high);
        let reliability = found.reliability(binning).unwrap();
        estimates.push(reliability.squared_debiased());
        plugged_in.push(reliability.squared());
    }
    // Unbiased: the mean of 400 is 0 within its error; the plug-in's would be 0.004.
    let variance = estimates.iter().map(|e| e * e).sum::<f64>() / 400.0;
    assert!(variance.sqrt() < 0.004, "{variance}");
    let name = "mean_calibration_debiased";
    assert_mean(name, &estimates, 0.0, variance.sqrt());
    assert_rejects(name, &try_mean(name, &plugged_in, 0.0, variance.sqrt()));
    assert!(held >= 380, "{held} of 400 intervals of level 0.95 held 0");
}

#[test]
fn intervals_hold_the_error_of_a_miscalibrated_generator() {
    let mut rng = ChaCha8Rng::seed_from_u64(seed(37));
    let bootstrap = Bootstrap { replicates: 200, ..Bootstrap::default() };
    let mut held = 0;
    for round in 0..400 {
        let found = drawn(1000, 0.2, &mut rng);
        let at = Bootstrap { seed: round, ..bootstrap };
        let found = found.interval(Statistic::Rms, Binning::Adaptive { size: 100 }, &at).unwrap();
        held += u64::from(found.low <= 0.2 && 0.2 <= found.high);
    }
    assert_binomial("freq_calibration_interval", held.min(380), 400, 0.95);
}

/// Where all may be right by chance, and where gaps may be 0 by chance.
#[test]
fn intervals_of_one_bin_hold_its_gap() {
    let mut rng = ChaCha8Rng::seed_from_u64(seed(43));
    let mut held = |n: usize, confidence: f64, right: f64, level: f64| {
        let mut held = 0;
        for round in 0..400 {
            let correct: Vec<bool> = (0..n).map(|_| rng.random::<f64>() < right).collect();
            let found = Predictions::new(&Array1::from_elem(n, confidence), &correct).unwrap();
            let at = Bootstrap { level, replicates: 100, seed: round };
            let gap = (confidence - right).abs();
            held +=
                u64::from([Statistic::Rms, Statistic::Ece, Statistic::Mce].into_iter().all(|statistic| {
                    let found = found.interval(statistic, Binning::EqualWidth { bins: 10 }, &at).unwrap();
                    found.low <= gap && gap <= found.high
                }));
        }
        held
    };
    for (n, confidence, right) in [(5, 0.6, 0.7), (50, 0.98, 0.98), (20, 0.75, 0.7)] {
        let held = held(n, confidence, right, 0.95);
        assert_binomial("freq_calibration_held", held.min(380), 400, 0.95);
    }
    let missed = try_binomial("freq_calibration_interval", held(500, 0.6, 0.6, 0.75), 400, 0.95);
    assert_rejects("freq_calibration_interval", &missed);
    // 750 of 1000 right at 0.75: that is not known to the last digit.
    let correct: Vec<bool> = (0..1000).map(|i| i % 4 > 0).collect();
    let even = Predictions::new(&Array1::from_elem(1000, 0.75), &correct).unwrap();
    for statistic in [Statistic::Squared, Statistic::Rms, Statistic::Ece, Statistic::Mce] {
        let found =
            even.interval(statistic, Binning::EqualWidth { bins: 10 }, &Bootstrap::default()).unwrap();
        assert!(found.low == 0.0 && found.high > 5e-4, "{statistic:?} {found:?}");
    }
}

/// Whatever the gaps and the bins are, at least as often as asked: a count above that is cut down to it.
#[test]
fn intervals_of_absolute_gaps_hold_them() {
    let mut rng = ChaCha8Rng::seed_from_u64(seed(41));
    let mut held = |gap: f64, size: usize, level: f64| {
        let mut held = [0; 2];
        for round in 0..400 {
            let found = drawn(1000, gap, &mut rng);
            let at = Bootstrap { level, replicates: 200, seed: round };
            for (held, statistic) in held.iter_mut().zip([Statistic::Ece, Statistic::Mce]) {
                let found = found.interval(statistic, Binning::Adaptive { size }, &at).unwrap();
                *held += u64::from(found.low <= gap && gap <= found.high);
                assert!(
                    found.low <= found.estimate.max(0.0) && found.estimate <= found.high,
                    "{statistic:?} {found:?}"
                );
            }
        }
        held
    };
    for (gap, size) in [(0.0, 100), (0.02, 10), (0.2, 100)] {
        for held in held(gap, size, 0.95) {
            assert_binomial("freq_calibration_held", held.min(380), 400, 0.95);
        }
    }
    let [_, of_mce] = held(0.2, 100, 0.5);
    assert_rejects(
        "freq_calibration_held",
        &try_binomial("freq_calibration_held", of_mce.min(380), 400, 0.95),
    );
}

#[test]
fn brier_scores_are_the_sum_of_their_parts() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let p = Array2::from_shape_simple_fn((200, 3), || rng.random_range(0.01..1.0));
    let p: Array2<f64> = &p / &p.sum_axis(ndarray::Axis(1)).insert_axis(ndarray::Axis(1));
    let labels: Vec<usize> = (0..200).map(|_| rng.random_range(0..3)).collect();
    for binning in [Binning::Adaptive { size: 15 }, Binning::EqualWidth { bins: 10 }] {
        let d = brier_decomposition(&p, &labels, binning).unwrap();
        let sum = d.reliability - d.resolution + d.uncertainty + d.within_variance - d.within_covariance;
        assert_relative("parts", sum, d.score, 1e-14, 0.0);
        assert_relative("score", d.score, brier_score(&p, &labels).unwrap(), 1e-14, 0.0);
        let top = Predictions::from_probabilities(&p, &labels).unwrap();
        let d = top.brier(binning).unwrap();
        let sum = d.reliability - d.resolution + d.uncertainty + d.within_variance - d.within_covariance;
        assert_relative("top label", sum, d.score, 1e-14, 0.0);
        assert_relative("its error", d.reliability, top.reliability(binning).unwrap().squared(), 1e-13, 0.0);
    }
}

/// The class of the largest logit, also where probabilities no longer tell.
#[test]
fn the_largest_logit_is_the_prediction() {
    let found = Predictions::from_logits(&array![[0.0, 1e-17], [1e-17, 0.0]], &[1, 0]).unwrap();
    assert_eq!(found.correct(), [true, true]);
}

#[test]
fn logits_and_probabilities_give_the_same_predictions() {
    let logits = array![[1.0f32, 2.0, 0.5], [0.0, 0.0, -1.0], [3.0, -2.0, 8.0]];
    let p = logits.mapv(|l| f64::from(l).exp());
    let p: Array2<f64> = &p / &p.sum_axis(ndarray::Axis(1)).insert_axis(ndarray::Axis(1));
    let (a, b) = (
        Predictions::from_logits(&logits, &[1, 1, 2]).unwrap(),
        Predictions::from_probabilities(&p, &[1, 1, 2]).unwrap(),
    );
    // A tie goes to the first class.
    assert_eq!(a.correct(), [true, false, true]);
    assert_eq!(a.correct(), b.correct());
    for (a, b) in a.confidence().iter().zip(b.confidence()) {
        assert_relative("confidence", *a, *b, 1e-14, 0.0);
    }
}

/// Rounding adds up over a hundred thousand classes, in the sum that normalises and in that which checks.
#[test]
fn many_classes_are_no_reason_to_refuse() {
    for classes in [1000, 100_000, 1_000_000] {
        assert!(Predictions::from_logits(&Array2::<f32>::zeros((1, classes)), &[0]).is_ok(), "{classes}");
        let even = Array2::from_elem((1, classes), 1.0 / classes as f64);
        assert!(Predictions::from_probabilities(&even, &[0]).is_ok(), "{classes}");
        let short = even.mapv(|p| p * (1.0 - 1e-6));
        assert!(Predictions::from_probabilities(&short, &[0]).is_err(), "{classes}");
    }
}

#[test]
fn bad_input_is_refused_by_name() {
    fn name<T>(found: Result<T, Error>) -> &'static str {
        match found.err().unwrap() {
            Error::Argument(
                ArgumentError::Value { argument, .. } | ArgumentError::Shape { argument, .. },
            ) => argument,
            other => panic!("{other}"),
        }
    }
    let none = Array1::<f64>::zeros(0);
    assert_eq!(name(Predictions::new(&none, &[])), "confidence");
    for bad in [f64::NAN, -0.1, 1.1, f64::INFINITY] {
        assert_eq!(name(Predictions::new(&array![bad], &[true])), "confidence");
        assert_eq!(name(Predictions::from_probabilities(&array![[bad, 0.5]], &[0])), "probabilities");
    }
    assert_eq!(name(Predictions::new(&array![0.5], &[])), "correct");
    let error = Predictions::from_probabilities(&array![[0.5, 0.5], [0.5, 0.6]], &[0, 0]).unwrap_err();
    assert_eq!(error.to_string(), "`sum of probabilities[1]` is 1.1, must be 1");
    assert_eq!(name(Predictions::from_probabilities(&array![[0.5, 0.5]], &[2])), "labels");
    assert_eq!(name(Predictions::from_logits(&array![[0.5, f64::NAN]], &[0])), "logits");
    assert_eq!(name(Predictions::from_logits(&Array2::<f32>::zeros((0, 3)), &[])), "logits");
    let good = Predictions::new(&array![0.5], &[true]).unwrap();
    assert_eq!(name(good.reliability(Binning::Adaptive { size: 0 })), "size");
    for bins in [0, 1 << 25, usize::MAX] {
        assert_eq!(name(good.reliability(Binning::EqualWidth { bins })), "bins");
    }
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    assert_eq!(name(variata_fourier_aug::dirichlet(1.0, usize::MAX, &mut rng)), "count");
    assert_eq!(name(good.reliability(Binning::PublishedDropsRest { size: 0 })), "size");
    assert!(matches!(good.brier(Binning::PublishedSkipsLast { size: 1 }), Err(Error::PublishedBinning)));
    let interval = |b| good.interval(Statistic::Ece, Binning::EqualWidth { bins: 1 }, &b);
    for level in [0.0, 1.0, f64::NAN] {
        assert_eq!(name(interval(Bootstrap { level, ..Bootstrap::default() })), "level");
    }
    for replicates in [0, usize::MAX] {
        assert_eq!(name(interval(Bootstrap { replicates, ..Bootstrap::default() })), "replicates");
    }
}

proptest! {
    #[test]
    fn errors_do_not_depend_on_the_order_and_norms_rise(
        v in prop::collection::vec((0..=20u32, any::<bool>()), 1..60), size in 1..70usize, turn in 0..60usize,
    ) {
        let of = |v: &[(u32, bool)]| {
            let confidence: Array1<f64> = v.iter().map(|(c, _)| f64::from(*c) / 20.0).collect();
            Predictions::new(&confidence, &v.iter().map(|p| p.1).collect::<Vec<_>>()).unwrap()
        };
        let mut turned = v.clone();
        turned.rotate_left(turn % v.len());
        for binning in [Binning::Adaptive { size }, Binning::EqualWidth { bins: size }] {
            let (a, b) = (of(&v).reliability(binning).unwrap(), of(&turned).reliability(binning).unwrap());
            prop_assert_eq!(&a, &b);
            prop_assert_eq!(a.bins().iter().map(|b| b.count).sum::<usize>(), v.len());
            prop_assert!(a.ece() <= a.rms() * (1.0 + 1e-14) && a.rms() <= a.mce() * (1.0 + 1e-14));
        }
    }
}

/// The classifier of generate_measures.py.
fn classifier(n: usize, classes: usize, scale: f64) -> (Array2<f64>, Vec<usize>) {
    let number = |(i, k): (usize, usize)| ((i * 37 + k * 59 + i * k * 11) % 101) as f64 / 25.0 - 2.0;
    let logits = Array2::from_shape_fn((n, classes), number) * scale;
    let first =
        |i: usize| (0..classes).fold(0, |top, k| if logits[[i, k]] > logits[[i, top]] { k } else { top });
    let label = |i: usize| if i * 13 % 10 < 6 { first(i) } else { (i * 7 + i * i) % classes };
    let labels = (0..n).map(label).collect();
    (logits, labels)
}

fn softmax(logits: &Array2<f64>) -> Array2<f64> {
    let mut p = logits.clone();
    for mut row in p.rows_mut() {
        let largest = row.fold(f64::NEG_INFINITY, |a, b| a.max(*b));
        row.mapv_inplace(|z| (z - largest).exp());
        let sum = row.sum();
        row /= sum;
    }
    p
}

#[test]
fn temperatures_and_class_wise_errors_agree_with_scipy() {
    let table = Table::parse(include_str!("../golden/temperature.tsv")).unwrap();
    for row in table.rows() {
        let (logits, labels) = classifier(row[0] as usize, row[1] as usize, row[2]);
        assert_relative("loss", negative_log_likelihood(&logits, &labels).unwrap(), row[3], 1e-13, 0.0);
        assert_relative("temperature", fit_temperature(&logits, &labels).unwrap(), row[4], 1e-12, 0.0);
        let ece = classwise_ece(&softmax(&logits), &labels, Binning::EqualWidth { bins: 10 }).unwrap();
        assert_relative("class-wise", ece, row[5], 1e-12, 0.0);
    }
}

#[test]
fn temperatures_scale_with_logits_and_do_not_feel_offsets_or_impossible_classes() {
    let (logits, labels) = classifier(300, 7, 1.0);
    let want = fit_temperature(&logits, &labels).unwrap();
    for scale in [1e-140, 1e-3, 7.0, 1e140] {
        let found = fit_temperature(&(&logits * scale), &labels).unwrap();
        assert_relative("scale", found / scale, want, 1e-12, 0.0);
    }
    // A class that no example has and no logit allows; offsets of rows; columns first in memory.
    let wider = Array2::from_shape_fn((8, 300).f(), |(k, i)| {
        if k == 7 { f64::NEG_INFINITY } else { logits[[i, k]] + 1024.0 * i as f64 }
    });
    assert_relative("wider", fit_temperature(&wider.t(), &labels).unwrap(), want, 1e-10, 0.0);
    let single = logits.mapv(|z| z as f32);
    assert_relative("f32", fit_temperature(&single, &labels).unwrap(), want, 1e-6, 0.0);
}

proptest! {
    #[test]
    fn a_temperature_is_where_the_loss_is_least(
        (n, classes, scale) in (5usize..80, 2usize..6, 0.01f64..50.0),
    ) {
        let (logits, labels) = classifier(n, classes, scale);
        if let Ok(t) = fit_temperature(&logits, &labels) {
            let loss = |t: f64| negative_log_likelihood(&(&logits / t), &labels).unwrap();
            let least = loss(t);
            for factor in [0.1, 0.9, 0.999, 1.001, 1.1, 10.0] {
                prop_assert!(loss(t * factor) >= least * (1.0 - 1e-14), "{t} {factor}");
            }
        }
    }
}

#[test]
fn where_no_temperature_is_best_it_is_said() {
    let told =
        |logits: Array2<f64>, labels: &[usize]| fit_temperature(&logits, labels).unwrap_err().to_string();
    let all_right = told(array![[2.0, 1.0], [0.0, 3.0]], &[0, 1]);
    assert_eq!(
        all_right,
        "no temperature fits best: true classes have the largest logits in all examples, and the loss falls towards T = 0"
    );
    for logits in [array![[2.0, 1.0], [0.0, 3.0]], array![[1.0, 1.0], [3.0, 3.0]]] {
        let wrong = told(logits, &[1, 0]);
        assert!(wrong.ends_with("on average, and the loss falls towards T = inf"), "{wrong}");
    }
    let impossible = told(array![[2.0, 1.0], [f64::NEG_INFINITY, 3.0]], &[0, 0]);
    assert_eq!(impossible, "no temperature fits best: a true class has the logit -inf");
    assert_eq!(negative_log_likelihood(&array![[f64::NEG_INFINITY, 3.0]], &[0]).unwrap(), f64::INFINITY);
    for bad in [f64::NAN, f64::INFINITY] {
        let found = negative_log_likelihood(&array![[0.0, bad]], &[0]);
        assert!(matches!(
            found,
            Err(Error::Argument(ArgumentError::Value { argument: "logits", index: Some(1), .. }))
        ));
    }
    let nothing = negative_log_likelihood(&array![[0.0], [f64::NEG_INFINITY]], &[0, 0]).unwrap_err();
    assert!(nothing.to_string().contains('1'), "{nothing}");
    let far = told(array![[0.0, 1e200], [0.0, 1.0]], &[0, 1]);
    assert!(far.contains("differences of logits"), "{far}");
    let p = array![[0.5, 0.5]];
    let class = Predictions::of_class(&p, &[0], 2).unwrap_err();
    assert!(matches!(class, Error::Argument(ArgumentError::Value { argument: "class", .. })), "{class}");
    assert!(classwise_ece(&p, &[2], Binning::EqualWidth { bins: 2 }).is_err());
    assert!(classwise_ece(&p, &[0], Binning::EqualWidth { bins: 0 }).is_err());
}

#[cfg(feature = "serde")]
#[test]
fn how_errors_are_measured_is_stored() {
    for binning in [Binning::Adaptive { size: 15 }, Binning::EqualWidth { bins: 10 }] {
        let text = serde_json::to_string(&binning).unwrap();
        assert_eq!(serde_json::from_str::<Binning>(&text).unwrap(), binning);
    }
    assert!(serde_json::from_str::<Binning>(r#"{"Adaptive": {"size": 3, "bins": 2}}"#).is_err());
    let some: Bootstrap = serde_json::from_str(r#"{"level": 0.9}"#).unwrap();
    assert_eq!(some, Bootstrap { level: 0.9, ..Bootstrap::default() });
    for corruption in variata_fourier_aug::Corruption::ALL {
        let text = serde_json::to_string(&corruption).unwrap();
        assert_eq!(text, format!("\"{corruption}\""));
        assert_eq!(serde_json::from_str::<variata_fourier_aug::Corruption>(&text).unwrap(), corruption);
    }
}
