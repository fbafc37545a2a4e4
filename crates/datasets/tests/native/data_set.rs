//! The invariants of `ImageDataset`.

use ndarray::{Array4, Axis};
use variata_datasets::{Error, ImageDataset, SplitOptions, digits};

fn argument(result: Result<ImageDataset, Error>) -> &'static str {
    match result.unwrap_err() {
        Error::Argument { argument, .. } => argument,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_broken_invariant_is_named() {
    let new = |n, labels: &[u8], classes, max| {
        ImageDataset::new("x", Array4::from_elem((n, 1, 2, 2), 9), labels.to_vec(), classes, max)
    };
    assert_eq!(argument(new(2, &[0], 1, 255)), "labels.len()");
    assert_eq!(argument(new(1, &[0], 257, 255)), "classes");
    assert_eq!(argument(new(1, &[0], 1, 0)), "max_value");
    assert_eq!(argument(new(1, &[3], 3, 255)), "labels");
    assert_eq!(argument(new(1, &[0], 1, 8)), "images");
    let one = new(1, &[0], 1, 9).unwrap();
    assert_eq!(argument(one.clone().with_class_names(["a", "b"])), "names.len()");
    assert_eq!(argument(one.clone().with_official_test(0..2)), "range");
    #[expect(clippy::reversed_empty_ranges, reason = "the range that must be refused")]
    let reversed = 1..0;
    assert_eq!(argument(one.with_official_test(reversed)), "range");
    assert!(new(0, &[], 0, 1).unwrap().is_empty());
}

#[test]
fn any_memory_layout_gives_the_same_data_set() {
    let images = Array4::from_shape_fn((3, 2, 4, 5), |(n, c, y, x)| (n * 40 + c * 20 + y * 5 + x) as u8);
    let labels = vec![0, 1, 2];
    let standard = ImageDataset::new("a", images.clone(), labels.clone(), 3, 255).unwrap();
    let mut channels_last = Array4::zeros((3, 4, 5, 2)).permuted_axes([0, 3, 1, 2]);
    channels_last.assign(&images);
    let permuted = ImageDataset::new("a", channels_last, labels, 3, 255).unwrap();
    assert_eq!(standard, permuted);
    assert_eq!(standard.checksum(), permuted.checksum());
    assert_eq!(standard.gather(&[2, 0]).unwrap(), standard.to_f32().select(Axis(0), &[2, 0]));
}

#[test]
fn every_part_of_the_content_enters_the_checksum() {
    let base = |shape, fill, label, classes, max| {
        ImageDataset::new("a", Array4::from_elem(shape, fill), vec![label; 2], classes, max)
            .unwrap()
            .checksum()
    };
    let sums = [
        base((2, 1, 2, 3), 1, 0, 2, 255),
        base((2, 1, 3, 2), 1, 0, 2, 255),
        base((2, 1, 2, 3), 2, 0, 2, 255),
        base((2, 1, 2, 3), 1, 1, 2, 255),
        base((2, 1, 2, 3), 1, 0, 3, 255),
        base((2, 1, 2, 3), 1, 0, 2, 254),
    ];
    for (i, a) in sums.iter().enumerate() {
        assert!(sums[i + 1..].iter().all(|b| a != b), "sum {i} is not unique");
    }
}

#[test]
fn gather_refuses_an_index_outside() {
    let error = digits().gather(&[0, 1797]).unwrap_err();
    assert!(
        matches!(&error, Error::Argument { argument: "indices", value, .. } if value == "1797 at 1"),
        "{error:?}"
    );
}

#[test]
fn public_types_cross_threads() {
    fn both<T: Send + Sync>() {}
    both::<ImageDataset>();
    both::<Error>();
    both::<SplitOptions>();
    both::<variata_datasets::Loader>();
    both::<variata_datasets::Batch>();
}
