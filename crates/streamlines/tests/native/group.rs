//! Data of equal size.

use variata_streamlines::{Error, GroupOptions, Groups, Streamlines, ungroup};

fn lines(n: usize, first: f32) -> Streamlines<f32> {
    (0..n).map(|i| (0..5).map(|p| [first + i as f32, 2.0 * p as f32, -(i as f32)]).collect()).collect()
}

const SMALL: GroupOptions = GroupOptions { streamlines: 3, points: 5 };

#[test]
fn axes_are_streamline_coordinate_point() {
    let mut groups = Groups::new(SMALL).unwrap();
    groups.add(4, 9, &lines(8, 0.0)).unwrap();
    assert_eq!(groups.data().dim(), (2, 3, 3, 5));
    // The second datum's first streamline is the fourth; x is constant along it, y grows.
    assert_eq!(groups.data()[[1, 0, 0, 2]], 3.0);
    assert_eq!(groups.data()[[1, 0, 1, 4]], 8.0);
    assert_eq!(groups.data()[[0, 2, 2, 0]], -2.0);
    assert_eq!((groups.classes(), groups.subjects(), groups.dropped()), (&[4, 4][..], &[9, 9][..], 2));
}

#[test]
fn a_datum_comes_apart_again() {
    let mut groups = Groups::new(SMALL).unwrap();
    groups.add(0, 0, &lines(6, 0.0)).unwrap();
    let back = ungroup(&groups.data().index_axis(ndarray::Axis(0), 1)).unwrap();
    assert_eq!(back, lines(6, 0.0).select(&[3, 4, 5]).unwrap());
}

#[test]
fn every_class_gives_as_much_as_the_smallest() {
    let mut groups = Groups::new(SMALL).unwrap();
    for (class, subject, n) in [(0, 0, 9), (1, 0, 3), (2, 0, 6), (1, 1, 3), (0, 1, 6)] {
        groups.add(class, subject, &lines(n, 10.0 * subject as f32)).unwrap();
    }
    assert_eq!(groups.classes(), [0, 0, 0, 1, 2, 2, 1, 0, 0]);
    let balanced = groups.balanced();
    assert_eq!(balanced.classes(), [0, 0, 1, 2, 2, 1]);
    assert_eq!(balanced.subjects(), [0, 0, 0, 0, 0, 1]);
    assert_eq!(balanced.data()[[5, 0, 0, 0]], 10.0);
    let second = groups.select(&[8, 0]).unwrap();
    assert_eq!((second.classes(), second.subjects()), (&[0, 0][..], &[1, 0][..]));
}

#[test]
fn nothing_is_added_when_something_is_wrong() {
    let mut groups = Groups::new(SMALL).unwrap();
    groups.add(0, 0, &lines(3, 0.0)).unwrap();
    let before = groups.clone();
    let mut bad = lines(3, 0.0);
    bad.push(&ndarray::array![[f32::NAN, 0.0, 0.0], [0.0, 0.0, 0.0]]).unwrap();
    assert!(matches!(groups.add(0, 0, &bad), Err(Error::Argument(_))));
    let single: Streamlines<f32> = [vec![[0.0; 3]]].into_iter().collect();
    assert!(matches!(groups.add(0, 0, &single), Err(Error::Argument(_))));
    assert_eq!(groups, before);
}

#[test]
fn few_streamlines_make_no_datum() {
    let mut groups = Groups::new(GroupOptions::default()).unwrap();
    groups.add(0, 0, &lines(63, 0.0)).unwrap();
    assert_eq!((groups.data().dim(), groups.dropped()), ((0, 64, 3, 64), 63));
    assert!(groups.balanced().classes().is_empty());
}
