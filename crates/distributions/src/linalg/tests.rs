//! Factorisations on matrices that broke them.

use super::*;

/// Features of Fashion-MNIST gave such a column: its square is 0, its products are not, and turning never ended.
#[test]
fn a_column_whose_square_underflows_does_not_keep_polar_from_converging() {
    let m = [2.0, 1.0, 1e-313, 0.0, 3.0, 2e-313, 1.0, 1.0, 3e-313];
    let w = polar(&m, 3).unwrap();
    for i in 0..3 {
        for j in 0..3 {
            let product: f64 = (0..3).map(|k| w[k * 3 + i] * w[k * 3 + j]).sum();
            assert!((product - f64::from(u8::from(i == j))).abs() < 1e-14, "WᵀW[{i}, {j}] = {product}");
        }
    }
}

#[cfg(all(feature = "faer", feature = "rayon"))]
#[test]
fn threads_do_not_change_a_bit_of_the_svd() {
    let n = 300;
    let m: Vec<f64> = (0..n * n).map(|at| ((at / n * 37 + at % n * 11) as f64 * 0.618).sin()).collect();
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| polar(&m, n)).unwrap()
    };
    let want = on(1);
    for threads in [2, 3, 8] {
        assert!(on(threads) == want, "{threads} threads");
    }
}

/// faer 0.24.4 gives NaN for this matrix, and no error.
#[cfg(feature = "faer")]
#[test]
fn where_the_svd_gives_no_numbers_the_rotations_do() {
    let n = 330;
    let m: Vec<f64> = (0..n * n).map(|at| (at * 7919 % 1009) as f64 / 1009.0).collect();
    assert_eq!(polar_by_svd(&m, n), None);
    assert!(polar(&m, n).unwrap().iter().all(|w| w.is_finite()));
}

#[test]
fn eigenvalues_scale_from_tiny_to_huge() {
    for exponent in [-1074 + 60, -545, 0, 545, 1020] {
        let of = |v: f64| libm::scalbn(v, exponent);
        let (mut values, vectors) = symmetric_eigen(&[of(2.0), of(1.0), of(1.0), of(2.0)], 2);
        values.sort_by(f64::total_cmp);
        for (got, want) in values.iter().zip([1.0, 3.0]) {
            let got = libm::scalbn(*got, -exponent);
            assert!((got - want).abs() <= 1e-15, "2^{exponent}: {got}");
        }
        assert!(vectors.iter().all(|v| (v.abs() - 0.5f64.sqrt()).abs() <= 1e-15), "2^{exponent}");
    }
    assert_eq!(symmetric_eigen(&[0.0; 4], 2).0, [0.0; 2]);
}

/// W is orthogonal and WᵀM symmetric and positive semidefinite, by either way, also where M is singular.
#[cfg(feature = "faer")]
#[test]
fn both_ways_give_a_polar_factor() {
    let n = 100;
    for rank in [n, 60] {
        let entry = |at: usize| ((at / n * 37 + at % n * 11) as f64 * 0.618 + (at % 97) as f64).sin();
        let (a, b): (Vec<f64>, Vec<f64>) =
            ((0..n * n).map(entry).collect(), (0..n * n).map(|at| entry(at + 5)).collect());
        // The product of n×rank and rank×n.
        let cut = |at: usize, a: &[f64]| if at % n < rank { a[at] } else { 0.0 };
        let left: Vec<f64> = (0..n * n).map(|at| cut(at, &a)).collect();
        let m = product(&left, &b, n);
        let size = m.iter().fold(0.0, |largest: f64, v| largest.max(v.abs())) * n as f64;
        for w in [polar_by_svd(&m, n), polar_by_jacobi(&m, n)].map(Option::unwrap) {
            let wt = transposed(&w, n);
            let (gram, stretch) = (product(&wt, &w, n), product(&wt, &m, n));
            for at in 0..n * n {
                let (i, j) = (at / n, at % n);
                assert!((gram[at] - f64::from(u8::from(i == j))).abs() <= 1e-12, "rank {rank}");
                assert!((stretch[at] - stretch[j * n + i]).abs() <= 1e-13 * size, "rank {rank}");
                assert!(i != j || stretch[at] >= -1e-13 * size, "rank {rank}");
            }
        }
    }
}
