//! Memory layout, size and thread count never change a bit of the result.

use ndarray::{Array1, Array2, Axis, array, s};
use variata_distributions::{Bernoulli, Gumbel, KlDivergence, Normal};

/// Deterministic numbers in (−3, 3).
fn numbers(n: usize) -> Array1<f64> {
    Array1::from_iter((0..n).map(|i| 6.0 * ((i as f64 * 0.618_033_988_749_894_9).fract() - 0.5)))
}

#[test]
fn views_give_the_bits_of_the_standard_layout() {
    let p = Gumbel::new(numbers(5), array![0.7]).unwrap();
    for rows in [0, 1, 2, 3, 7, 17, 65] {
        let x = numbers(rows * 5).into_shape_with_order((rows, 5)).unwrap();
        let (want, want_grad) = p.log_prob_with_grad(&x).unwrap();
        // Transposed memory.
        let transposed = x.t().as_standard_layout().into_owned();
        assert_eq!(p.log_prob(&transposed.t()).unwrap(), want);
        // Every second row and column of a larger array, backwards.
        let mut large = Array2::<f64>::from_elem((2 * rows, 10), f64::NAN);
        large.slice_mut(s![..;-2, ..;-2]).assign(&x);
        let view = large.slice(s![..;-2, ..;-2]);
        let (got, grad) = p.log_prob_with_grad(&view).unwrap();
        assert_eq!((got, grad), (want.clone(), want_grad));
        // Offset.
        let mut large = Array2::<f64>::zeros((rows + 3, 7));
        large.slice_mut(s![2..rows + 2, 1..6]).assign(&x);
        assert_eq!(p.log_prob(&large.slice(s![2..rows + 2, 1..6])).unwrap(), want);
    }
    // Stride 0.
    let one = numbers(5);
    let spread = one.broadcast((4, 5)).unwrap();
    assert_eq!(p.log_prob(&spread).unwrap(), p.log_prob(&spread.to_owned()).unwrap());
}

#[test]
fn parameters_broadcast_along_every_axis() {
    let x = numbers(24).into_shape_with_order((2, 3, 4)).unwrap();
    let (loc, scale) = (numbers(3), numbers(24).mapv(|v| v.abs() + 0.1));
    let column = loc.clone().insert_axis(Axis(1));
    let scale = scale.into_shape_with_order((2, 3, 4)).unwrap();
    let got = Normal::new(column, scale.clone()).unwrap().log_prob(&x).unwrap();
    for ((i, j, k), &got) in got.indexed_iter() {
        let one = Normal::scalar(loc[j], scale[[i, j, k]]).unwrap();
        assert_eq!(got, one.log_prob(&array![x[[i, j, k]]]).unwrap()[0]);
    }
    let reversed = Normal::new(loc.slice(s![..;-1]).to_owned(), array![1.0]).unwrap();
    assert_eq!(reversed.mean().as_slice().unwrap(), [loc[2], loc[1], loc[0]]);
}

#[test]
fn chunks_and_threads_do_not_change_a_bit() {
    // Several tasks of the driver, the last one short.
    let n = 3 * 4096 + 17;
    let x = numbers(n);
    let (p, q) =
        (Normal::new(x.clone(), array![0.8]).unwrap(), Normal::new(array![0.1], array![1.3]).unwrap());
    let all = p.kl_with_grad(&q).unwrap();
    for i in [0, 1, 4095, 4096, 8191, 8192, n - 1] {
        let one =
            Normal::scalar(x[i], 0.8).unwrap().kl_with_grad(&Normal::scalar(0.1, 1.3).unwrap()).unwrap();
        assert_eq!(
            (all.0[[i]], all.1.p.loc[[i]], all.1.q.scale[[i]]),
            (one.0.sum(), one.1.p.loc.sum(), one.1.q.scale.sum())
        );
    }
    let logits = Bernoulli::new(numbers(7)).unwrap();
    let targets = numbers(7 * 1601).mapv(|v| v.abs() / 3.0).into_shape_with_order((1601, 7)).unwrap();
    let whole = logits.log_prob(&targets).unwrap();
    let (head, tail) = targets.view().split_at(Axis(0), 700);
    assert_eq!(whole.slice(s![..700, ..]), logits.log_prob(&head).unwrap());
    assert_eq!(whole.slice(s![700.., ..]), logits.log_prob(&tail).unwrap());
    #[cfg(feature = "rayon")]
    for threads in [1, 2, 3, 8] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (again, whole_again) =
            pool.install(|| (p.kl_with_grad(&q).unwrap(), logits.log_prob(&targets).unwrap()));
        assert_eq!((&again, &whole_again), (&all, &whole), "{threads} threads");
    }
}
