//! Splits are disjoint, exhaustive, in proportion, and stable.

use ndarray::Array4;
use proptest::prelude::*;
use variata_datasets::{Error, ImageDataset, SplitOptions, Splits, digits};

fn data(labels: Vec<u8>) -> ImageDataset {
    ImageDataset::new("test", Array4::zeros((labels.len(), 1, 1, 1)), labels, 256, 255).unwrap()
}

#[test]
fn values_are_those_of_an_independent_implementation() {
    let table = include_str!("../golden/splits.tsv");
    let mut rows = 0;
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let mut cells = line.split('\t');
        let mut next = || cells.next().unwrap();
        let list = |cell: &str| cell.split(',').map(|i| i.parse().unwrap()).collect::<Vec<usize>>();
        let seed = next().parse().unwrap();
        let splits = Splits::new(&digits(), &SplitOptions { seed, ..Default::default() }).unwrap();
        assert_eq!(splits.validation, list(next()), "seed {seed}");
        assert_eq!(splits.test, list(next()), "seed {seed}");
        assert_eq!((splits.train.len(), splits.validation.len(), splits.test.len()), (1258, 180, 359));
        rows += 1;
    }
    assert_eq!(rows, 2);
}

#[test]
fn an_official_test_part_is_kept() {
    let data = data((0..50).map(|i| i % 5).collect()).with_official_test(40..50).unwrap();
    let splits =
        Splits::new(&data, &SplitOptions { validation: 0.25, test: 0.9, ..Default::default() }).unwrap();
    assert_eq!(splits.test, (40..50).collect::<Vec<_>>());
    assert_eq!((splits.train.len(), splits.validation.len()), (30, 10));
    for class in 0..5 {
        assert_eq!(splits.validation.iter().filter(|&&i| i % 5 == class).count(), 2);
    }
}

#[test]
fn fractions_that_make_no_sense_are_refused() {
    let data = data(vec![0; 4]);
    for (validation, test, name) in [
        (-0.1, 0.0, "validation"),
        (1.0, 0.0, "validation"),
        (f64::NAN, 0.0, "validation"),
        (0.0, f64::INFINITY, "test"),
        (0.5, 0.5, "validation + test"),
    ] {
        let error = Splits::new(&data, &SplitOptions { validation, test, ..Default::default() }).unwrap_err();
        assert!(matches!(error, Error::Argument { argument, .. } if argument == name), "{error:?}");
    }
}

#[test]
fn nothing_left_for_training_is_refused() {
    let options = SplitOptions { validation: 0.0, test: 0.6, ..Default::default() };
    for data in [data(vec![0]), data(vec![0; 3]).with_official_test(0..3).unwrap()] {
        let error = Splits::new(&data, &options).unwrap_err().to_string();
        assert!(error.contains("to leave one for training"), "{error}");
    }
    assert!(Splits::new(&data(vec![]), &options).is_ok());
    let beyond = Splits::of_labels(&[0; 3], Some(&(1..4)), &options).unwrap_err().to_string();
    assert_eq!(beyond, "`official` is 1..4, must be within 0..3");
    let turned = Splits::of_labels(&[0; 10], Some(&std::ops::Range { start: 5, end: 3 }), &options);
    assert_eq!(turned.unwrap_err().to_string(), "`official` is 5..3, must be within 0..10");
}

#[test]
fn seeds_and_stratification_matter() {
    let digits = digits();
    let split = |seed, stratified| {
        Splits::new(&digits, &SplitOptions { seed, stratified, ..Default::default() }).unwrap()
    };
    assert_ne!(split(0, true), split(1, true));
    assert_ne!(split(0, true), split(0, false));
    assert_eq!(split(0, false), split(0, false));
}

proptest! {
    #[test]
    fn parts_are_disjoint_exhaustive_and_in_proportion(
        labels in prop::collection::vec(0u8..4, 0..200),
        seed: u64,
        validation in 0.0..0.5,
        test in 0.0..0.5,
        stratified: bool,
    ) {
        let n = labels.len();
        let data = data(labels.clone());
        let Ok(splits) = Splits::new(&data, &SplitOptions { seed, validation, test, stratified }) else {
            // Each part is rounded by less than one.
            prop_assert!(n > 0 && (1.0 - validation - test) * (n as f64) < 2.0);
            return Ok(());
        };
        prop_assert!(n == 0 || !splits.train.is_empty());
        let mut all = [&splits.train[..], &splits.validation, &splits.test].concat();
        all.sort_unstable();
        prop_assert_eq!(all, (0..n).collect::<Vec<_>>());
        prop_assert_eq!(splits.test.len(), (test * n as f64).round() as usize);
        // The test part and then the validation part are each rounded once: ½ and ½ of what is left.
        prop_assert!((splits.validation.len() as f64 - validation * n as f64).abs() <= 1.0);
        if stratified {
            for class in 0..4 {
                let of = |part: &[usize]| part.iter().filter(|&&i| labels[i] == class).count() as f64;
                let size = of(&(0..n).collect::<Vec<_>>());
                prop_assert!((of(&splits.test) - test * size).abs() <= 1.0 + 1e-9);
                prop_assert!((of(&splits.validation) - validation * size).abs() <= 2.0 + 1e-9);
            }
        }
    }
}
