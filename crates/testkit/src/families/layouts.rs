//! The same numbers in every memory layout that ndarray can view.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};

/// Calls `f` with views of the elements of `array` in each layout: name, view, and the same elements in standard layout. A
/// kernel must give the same bits for both.
///
/// "standard", "every second", "negative stride" and "offset" hold `array`; "broadcast" (stride 0) repeats its first
/// element, and is left out if there is none.
///
/// ```
/// use ndarray::array;
/// use variata_testkit::families::for_each_layout_1d;
///
/// for_each_layout_1d(&array![1.0, 2.0, 3.0], |layout, view, standard| {
///     assert_eq!(view.sum(), standard.sum(), "{layout}");
/// });
/// ```
pub fn for_each_layout_1d<T: Clone>(
    array: &Array1<T>,
    mut f: impl FnMut(&str, ArrayView1<'_, T>, &Array1<T>),
) {
    let n = array.len();
    f("standard", array.view(), array);
    let Some(first) = array.first().cloned() else {
        return;
    };

    // The places between hold an element of the other end, so that reading them shows.
    let doubled = Array1::from_shape_fn(2 * n, |i| {
        array[if i.is_multiple_of(2) { i / 2 } else { n - 1 - i / 2 }].clone()
    });
    f("every second", doubled.slice(s![..;2]), array);

    let reversed = Array1::from_shape_fn(n, |i| array[n - 1 - i].clone());
    f("negative stride", reversed.slice(s![..;-1]), array);

    let padded = Array1::from_shape_fn(n + 4, |i| array[i.saturating_sub(3).min(n - 1)].clone());
    f("offset", padded.slice(s![3..n + 3]), array);

    let one = Array1::from_elem(1, first);
    if let Some(view) = one.broadcast(n) {
        f("broadcast", view, &Array1::from_shape_fn(n, |i| view[i].clone()));
    }
}

/// [`for_each_layout_1d`] for matrices: "standard", "Fortran", "every second row", "every second column", "negative rows",
/// "negative columns", "negative Fortran", "offset", "broadcast rows" (the first row repeated), "broadcast columns" (the
/// first column repeated).
pub fn for_each_layout_2d<T: Clone>(
    array: &Array2<T>,
    mut f: impl FnMut(&str, ArrayView2<'_, T>, &Array2<T>),
) {
    let (rows, columns) = array.dim();
    f("standard", array.view(), array);
    if rows == 0 || columns == 0 {
        return;
    }
    let (last_row, last_column) = (rows - 1, columns - 1);

    let transposed = Array2::from_shape_fn((columns, rows), |(j, i)| array[[i, j]].clone());
    f("Fortran", transposed.t(), array);

    let spread = |i: usize, last: usize| if i.is_multiple_of(2) { i / 2 } else { last - i / 2 };
    let doubled =
        Array2::from_shape_fn((2 * rows, columns), |(i, j)| array[[spread(i, last_row), j]].clone());
    f("every second row", doubled.slice(s![..;2, ..]), array);
    let doubled =
        Array2::from_shape_fn((rows, 2 * columns), |(i, j)| array[[i, spread(j, last_column)]].clone());
    f("every second column", doubled.slice(s![.., ..;2]), array);

    let reversed = Array2::from_shape_fn((rows, columns), |(i, j)| array[[last_row - i, j]].clone());
    f("negative rows", reversed.slice(s![..;-1, ..]), array);
    let reversed = Array2::from_shape_fn((rows, columns), |(i, j)| array[[i, last_column - j]].clone());
    f("negative columns", reversed.slice(s![.., ..;-1]), array);
    let mut view = transposed.view();
    view.invert_axis(Axis(0));
    view.invert_axis(Axis(1));
    f("negative Fortran", view.t(), &standard(&view.t()));

    let padded = Array2::from_shape_fn((rows + 3, columns + 5), |(i, j)| {
        array[[i.saturating_sub(2).min(last_row), j.saturating_sub(3).min(last_column)]].clone()
    });
    f("offset", padded.slice(s![2..rows + 2, 3..columns + 3]), array);

    if let Some(view) = array.row(0).broadcast((rows, columns)) {
        f("broadcast rows", view, &standard(&view));
    }
    let column = array.slice(s![.., ..1]);
    if let Some(view) = column.broadcast((rows, columns)) {
        f("broadcast columns", view, &standard(&view));
    }
}

fn standard<T: Clone>(view: &ArrayView2<'_, T>) -> Array2<T> {
    Array2::from_shape_fn(view.dim(), |at| view[at].clone())
}
