//! Data that are no pictures.

use std::sync::Arc;

use ndarray::Array4;
use variata_datasets::{ArrayDataset, Error, Loader, LoaderOptions, Position};

fn values() -> Array4<f32> {
    Array4::from_shape_fn((5, 2, 3, 4), |(i, c, y, x)| -0.5 * (i * 24 + c * 12 + y * 4 + x) as f32)
}

#[test]
fn batches_hold_the_very_numbers_in_the_order_asked_for() {
    let data = Arc::new(ArrayDataset::new("five", values(), vec![4, 3, 2, 1, 0]).unwrap());
    let options = LoaderOptions { batch_size: 2, shuffle: false, ..LoaderOptions::default() };
    let loader = Loader::new(data.clone(), vec![3, 0, 4], options).unwrap();
    let batches: Vec<_> = loader.epoch(Position::epoch(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(batches.len(), 2);
    assert_eq!((batches[0].labels.as_slice(), batches[1].labels.as_slice()), (&[1, 4][..], &[0][..]));
    assert_eq!(batches[0].images, values().select(ndarray::Axis(0), &[3, 0]));
    assert_eq!(batches[1].images, data.gather(&[4]).unwrap());
}

#[test]
fn the_checksum_knows_content_and_not_layout() {
    let sum = |values: Array4<f32>, labels: &[u8]| {
        ArrayDataset::new("any", values, labels.to_vec()).unwrap().checksum()
    };
    let labels = [0, 1, 2, 3, 4];
    let want = sum(values(), &labels);
    let turned = values().permuted_axes([3, 2, 1, 0]).as_standard_layout().into_owned();
    assert_eq!(sum(turned.permuted_axes([3, 2, 1, 0]), &labels), want);
    assert_ne!(sum(values() + 1.0, &labels), want);
    assert_ne!(sum(values(), &[0, 1, 2, 3, 3]), want);
    assert_ne!(sum(values().into_shape_with_order((5, 2, 4, 3)).unwrap(), &labels), want);
}

#[test]
fn wrong_parts_are_named() {
    let argument = |result: Result<ArrayDataset, Error>| match result {
        Err(Error::Argument { argument, .. }) => argument,
        other => panic!("{other:?}"),
    };
    assert_eq!(argument(ArrayDataset::new("few", values(), vec![0])), "labels.len()");
    let mut broken = values();
    broken[[1, 0, 0, 0]] = f32::NAN;
    assert_eq!(argument(ArrayDataset::new("nan", broken, vec![0; 5])), "values");
    let data = Arc::new(ArrayDataset::new("five", values(), vec![0; 5]).unwrap());
    assert!(matches!(data.gather(&[5]), Err(Error::Argument { argument: "indices", .. })));
    assert!(Loader::new(data, vec![5], LoaderOptions::default()).is_err());
}
