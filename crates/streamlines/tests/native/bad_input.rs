//! Every argument out of its domain is a typed error that names it.

use ndarray::{Array2, Array3, ArrayView2};
use proptest::prelude::*;
use variata_streamlines::{
    Coordinate, Error, GroupOptions, Groups, Mam, Normalization, Phantom, QuickBundlesX, ShapeSimilarity,
    Streamlines, Tract, align, bundle_adjacency, length, mdf, mdf_matrix, nearest, resample, ungroup,
};

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, Error>, argument: &str) {
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Argument(_)) && error.to_string().contains(argument), "{error}");
}

fn numbers<T: Coordinate>() {
    let good = Array2::from_elem((4, 3), T::ONE);
    let good3 = Array3::from_elem((2, 4, 3), T::ONE);
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, T::LARGEST * 1.1] {
        let bad = T::from_f64(bad);
        let mut x = good.clone();
        x[[2, 1]] = bad;
        let mut x3 = good3.clone();
        x3[[1, 2, 1]] = bad;
        refused(length(&x), "points[7]");
        refused(resample(&x, 3), "points");
        refused(align(&mut x.clone(), &good), "line");
        refused(align(&mut good.clone(), &x), "like");
        refused(mdf(&x, &good), "a");
        refused(mdf(&good, &x), "b");
        refused(mdf_matrix(&x3, &good3), "a[19]");
        refused(nearest(&good3, &x3), "b");
        refused(bundle_adjacency(&good3, &x3, 1.0), "b");
        refused(QuickBundlesX::new([1.0]).unwrap().cluster(&x3, &[0]), "lines");
        let lines = Streamlines::from_array(&x3).unwrap();
        let fine = Streamlines::from_array(&good3).unwrap();
        refused(lines.resample(5), "points");
        for kind in Mam::ALL {
            refused(kind.distance(&x, &good), "a");
            refused(kind.distance(&good, &x), "b");
            refused(kind.matrix(&fine, &lines), "b");
        }
    }
}

#[test]
fn numbers_that_cannot_be_squared() {
    numbers::<f32>();
    numbers::<f64>();
    // The largest sizes themselves are fine.
    let far = |sign: f32| Array2::from_elem((2, 3), sign * 1e18f32);
    assert!(mdf(&far(1.0), &far(-1.0)).unwrap().is_finite());
    let far = |sign: f64| Array2::from_elem((2, 3), sign * 1e150);
    assert!(mdf(&far(1.0), &far(-1.0)).unwrap().is_finite());
}

/// Numbers of any bits, many of them special.
fn any_number() -> impl Strategy<Value = f32> {
    let special =
        vec![0.0, -0.0, f32::NAN, f32::INFINITY, f32::MAX, f32::MIN, 1e18, -1e18, f32::MIN_POSITIVE, 1e-45];
    prop_oneof![4 => -100.0..100.0f32, 1 => any::<u32>().prop_map(f32::from_bits), 1 => prop::sample::select(special)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_numbers_give_finite_ones_or_an_error(
        (n, points, numbers) in (1usize..6, 1usize..9)
            .prop_flat_map(|(n, points)| (Just(n), Just(points), prop::collection::vec(any_number(), n * points * 3)))
    ) {
        let lines = Array3::from_shape_vec((n, points, 3), numbers).unwrap();
        let fine = lines.iter().all(|x| x.abs() <= 1e18);
        let finite = |x: &f32| x.is_finite();
        let streamlines = Streamlines::from_array(&lines).unwrap();
        let matrix = mdf_matrix(&lines, &lines);
        prop_assert_eq!(matrix.is_ok(), fine);
        prop_assert!(matrix.iter().flatten().all(finite));
        let mam = Mam::Max.matrix(&streamlines, &streamlines);
        prop_assert_eq!(mam.is_ok(), fine);
        prop_assert!(mam.iter().flatten().all(finite));
        let order: Vec<usize> = (0..n).collect();
        let clusters = QuickBundlesX::new([50.0, 5.0]).unwrap().cluster(&lines, &order);
        prop_assert_eq!(clusters.is_ok(), fine);
        prop_assert!(clusters.iter().flat_map(|clusters| &clusters.centroids).all(finite));
        let resampled = streamlines.resample(7);
        prop_assert_eq!(resampled.is_ok(), fine && points > 1);
        prop_assert!(resampled.iter().flatten().all(finite));
        let scale = Normalization::fit(&lines);
        prop_assert_eq!(scale.is_ok(), fine);
        if let Ok(scale) = scale {
            prop_assert!(scale.apply(&lines).iter().all(|y| (-1.0..=1.0).contains(y)));
        }
    }
}

#[test]
fn shapes() {
    let of = |points, coordinates| Array2::<f32>::zeros((points, coordinates));
    let of3 = |n, points, coordinates| Array3::<f32>::zeros((n, points, coordinates));
    let none: ArrayView2<'_, f32> = ArrayView2::from(&[[0.0; 3]; 0]);
    refused(length(&of(4, 2)), "points");
    refused(resample(&of(4, 4), 5), "points");
    refused(resample(&of(1, 3), 5), "points");
    refused(resample(&none, 5), "points");
    for k in [0, 1, usize::MAX] {
        refused(resample(&of(4, 3), k), "k");
        refused(Streamlines::<f32>::new().resample(k), "k");
    }
    refused(align(&mut of(4, 3), &of(5, 3)), "line");
    refused(mdf(&of(4, 3), &of(5, 3)), "b");
    refused(mdf(&of(4, 2), &of(4, 3)), "a");
    refused(mdf(&none, &none), "a");
    refused(mdf_matrix(&of3(2, 4, 3), &of3(2, 4, 2)), "b");
    refused(nearest(&of3(2, 0, 3), &of3(2, 0, 3)), "a");
    refused(Mam::Mean.distance(&none, &of(1, 3)), "a");
    refused(Mam::Mean.distance(&of(1, 3), &of(1, 4)), "b");
    let empty: Streamlines<f32> = [vec![]].into_iter().collect();
    refused(Mam::Mean.matrix(&empty, &empty), "a");
    refused(empty.resample(5), "streamline");
    refused(ungroup(&of3(2, 4, 3)), "datum");
}

#[test]
fn options() {
    let one = Array3::<f32>::zeros((2, 4, 3));
    for bad in [f64::NAN, f64::INFINITY, -1.0] {
        refused(QuickBundlesX::new([5.0, bad]), "thresholds");
    }
    refused(QuickBundlesX::new([]), "thresholds");
    for bad in [2, usize::MAX] {
        refused(QuickBundlesX::new([5.0]).unwrap().cluster(&one, &[0, bad]), "order[1]");
    }
    refused(bundle_adjacency(&one, &one, f64::NAN), "threshold");
    refused(Groups::<f32>::new(GroupOptions { streamlines: 0, points: 64 }), "streamlines");
    refused(Groups::<f32>::new(GroupOptions { streamlines: 1, points: 1 }), "k");
    refused(Groups::<f32>::new(GroupOptions { streamlines: usize::MAX, points: 2 }), "streamlines");
    refused(Groups::<f32>::new(GroupOptions { streamlines: 1, points: usize::MAX }), "k");
    refused(Groups::<f32>::new(GroupOptions::default()).unwrap().select(&[0]), "indices");
    let lines: Streamlines<f32> = [vec![[0.0; 3], [1.0; 3]]].into_iter().collect();
    let score = |options: ShapeSimilarity| options.score_in_order(&lines, &lines, |n| (0..n).collect());
    refused(score(ShapeSimilarity { points: 1, ..ShapeSimilarity::default() }), "k");
    refused(score(ShapeSimilarity { clustering: vec![-1.0], ..ShapeSimilarity::default() }), "thresholds");
    refused(score(ShapeSimilarity { threshold: f64::NAN, ..ShapeSimilarity::default() }), "threshold");
    refused(ShapeSimilarity::default().score_in_order(&lines, &lines, |n| vec![n]), "order");
    refused(ShapeSimilarity::default().score_in_order(&lines, &lines, |_| vec![]), "order");
    let none = Streamlines::<f32>::new();
    let empty = |options: ShapeSimilarity| options.score_in_order(&none, &lines, |n| (0..n).collect());
    refused(
        empty(ShapeSimilarity { clustering: vec![f64::NAN], ..ShapeSimilarity::default() }),
        "thresholds",
    );
    refused(empty(ShapeSimilarity { threshold: f64::NAN, ..ShapeSimilarity::default() }), "threshold");
    assert_eq!(empty(ShapeSimilarity { clustering: vec![], ..ShapeSimilarity::default() }).unwrap(), 0.0);
    let without_points = ndarray::ArrayView3::<f32>::from_shape((1 << 40, 0, 3), &[]).unwrap();
    refused(Streamlines::from_array(&without_points), "lines");
    for (phantom, argument) in [
        (Phantom { streamlines: 0, ..Phantom::default() }, "streamlines"),
        (Phantom { streamlines: usize::MAX, ..Phantom::default() }, "streamlines"),
        (Phantom { step: 0.0, ..Phantom::default() }, "step"),
        (Phantom { step: f64::NAN, ..Phantom::default() }, "step"),
        (Phantom { reversed: 1.5, ..Phantom::default() }, "reversed"),
    ] {
        refused(phantom.bundle(0, Tract::Mcp), argument);
        refused(phantom.groups(0..1, &Tract::PAPER, GroupOptions::default()), argument);
    }
}

#[test]
fn types_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Streamlines<f64>>();
    shared::<variata_streamlines::Tractogram>();
    shared::<variata_streamlines::Folder>();
    shared::<Groups>();
    shared::<Error>();
}
