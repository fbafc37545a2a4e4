//! The container.

use ndarray::{Array2, Array3, array, s};
use variata_streamlines::{Error, Streamlines};

fn three() -> Streamlines<f64> {
    [vec![[0.0; 3], [1.0; 3]], vec![], vec![[2.0; 3], [3.0; 3], [4.0; 3]]].into_iter().collect()
}

#[test]
fn parts_and_lines_are_the_same() {
    let lines = three();
    assert_eq!((lines.len(), lines.is_empty(), lines.offsets()), (3, false, &[0, 2, 2, 5][..]));
    let again = Streamlines::from_parts(&lines.points(), lines.offsets()).unwrap();
    assert_eq!(again, lines);
    let mut pushed = Streamlines::new();
    lines.iter().for_each(|line| pushed.push(&line).unwrap());
    assert_eq!(pushed, lines);
    assert_eq!(lines.get(1).unwrap().dim(), (0, 3));
    assert_eq!(lines.get(3), None);
    assert_eq!(lines.lengths(), [3f64.sqrt(), 0.0, 2.0 * 3f64.sqrt()]);
}

#[test]
fn offsets_must_fit() {
    let points = Array2::<f64>::zeros((5, 3));
    for offsets in [&[][..], &[1, 5], &[0, 4], &[0, 6], &[0, 3, 2, 5], &[0, usize::MAX, 5]] {
        let result = Streamlines::from_parts(&points, offsets);
        assert!(matches!(result, Err(Error::Argument(_))), "{offsets:?}");
    }
    assert!(Streamlines::from_parts(&points, &[0, 0, 5, 5]).is_ok());
    assert!(Streamlines::from_parts(&Array2::<f64>::zeros((0, 3)), &[0]).unwrap().is_empty());
}

#[test]
fn shapes_must_be_of_three_coordinates() {
    assert!(Streamlines::from_parts(&Array2::<f32>::zeros((5, 2)), &[0, 5]).is_err());
    assert!(Streamlines::from_array(&Array3::<f32>::zeros((5, 2, 4))).is_err());
    assert!(Streamlines::new().push(&Array2::<f32>::zeros((5, 4))).is_err());
}

#[test]
fn arrays_of_any_layout_are_taken() {
    let all = Array3::from_shape_fn((4, 5, 3), |(i, p, d)| (100 * i + 10 * p + d) as f32);
    let turned = all.slice(s![..;-1, ..;2, ..]);
    let lines = Streamlines::from_array(&turned).unwrap();
    assert_eq!(
        lines.get(0).unwrap(),
        array![[300.0, 301.0, 302.0], [320.0, 321.0, 322.0], [340.0, 341.0, 342.0]]
    );
}

#[test]
fn lines_are_turned_and_picked() {
    let mut lines = three();
    lines.reverse(2);
    lines.reverse(7);
    assert_eq!(lines.get(2).unwrap().column(0).to_vec(), [4.0, 3.0, 2.0]);
    let picked = lines.select(&[2, 2, 0]).unwrap();
    assert_eq!(picked.offsets(), [0, 3, 6, 8]);
    assert!(matches!(lines.select(&[0, 3]), Err(Error::Argument(_))));
}
