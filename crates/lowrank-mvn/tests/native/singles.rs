//! f32: accuracy, layouts, number of threads, memory.

use ndarray::{Array1, Array2, Array3, ArrayView3, Axis, s};
use variata_distributions::Real;
use variata_lowrank_mvn::{LogProbAndEntropy, LowRankMvn, LowRankMvnLogProbGrad, Storage};
use variata_testkit::alloc::{CountingAllocator, measure};

use crate::support::{factor, matrix, variances};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn single<D: ndarray::Dimension>(a: &ndarray::Array<f64, D>) -> ndarray::Array<f32, D> {
    a.mapv(|v| v as f32)
}

fn double<D: ndarray::Dimension>(a: &ndarray::Array<f32, D>) -> ndarray::Array<f64, D> {
    a.mapv(f64::from)
}

/// A factor with a zero column and two collinear ones, if there is room for them.
fn degenerate(batch: usize, n: usize, r: usize) -> Array3<f64> {
    let mut p = factor(batch, n, r, 3);
    if r > 3 {
        p.slice_mut(s![.., .., 1]).fill(0.0);
        let twice = p.slice(s![.., .., 0]).mapv(|v| 2.0 * v);
        p.slice_mut(s![.., .., 2]).assign(&twice);
    }
    p
}

/// Relative error in norm.
fn gap<'a>(got: impl IntoIterator<Item = &'a f32>, want: impl IntoIterator<Item = &'a f64>) -> f64 {
    let (mut off, mut size) = (0.0, 0.0);
    for (got, want) in got.into_iter().zip(want) {
        off += (f64::from(*got) - want).powi(2);
        size += want * want;
    }
    if off == 0.0 { 0.0 } else { (off / size).sqrt() }
}

/// The bound: 2·10⁻⁷ of the terms that are added. The truth is the f64 kernel on the same numbers, which the golden
/// tables and the dense distribution check.
#[test]
fn densities_keep_seven_digits_at_every_diagonal() {
    for (n, r) in [(1, 0), (1, 3), (7, 64), (100, 0), (500, 8), (3000, 25), (4096, 64), (116_412, 25)] {
        let loc = single(&matrix(1, n, 1));
        for (name, p) in [("full", factor(1, n, r, 2)), ("degenerate", degenerate(1, n, r))] {
            let p = single(&p);
            for exponent in [4, 0, -3, -5, -8, -10, -12] {
                if n > 10_000 && exponent % 4 != 0 {
                    continue;
                }
                let d = 10f32.powi(exponent);
                let wide = LowRankMvn::new(double(&loc), double(&p), f64::from(d)).unwrap();
                // Near what the distribution draws, and far from it.
                for scale in [0.0, 1.0] {
                    let own = wide.rsample(&matrix(1, r, 5), &matrix(1, n, 6)).unwrap();
                    let x = single(&(own + scale * matrix(1, n, 7)));
                    let narrow = LowRankMvn::new(loc.view(), p.view(), d).unwrap();
                    let (got_q, want_q) =
                        (narrow.mahalanobis(&x).unwrap()[0], wide.mahalanobis(&double(&x)).unwrap()[0]);
                    let (got, want) =
                        (narrow.log_prob(&x).unwrap()[0], wide.log_prob(&double(&x)).unwrap()[0]);
                    let (entropy, want_entropy) = (narrow.entropy().unwrap()[0], wide.entropy().unwrap()[0]);
                    let terms = want_q
                        + wide.log_det().unwrap()[0].abs()
                        + n as f64 * (2.0 * std::f64::consts::PI).ln();
                    for (what, got, want) in
                        [("q", got_q, want_q), ("log_prob", got, want), ("entropy", entropy, want_entropy)]
                    {
                        let error = (got - want).abs() / terms;
                        assert!(error <= 2e-7, "{what}, {name}, {n}×{r}, D = {d}: {error:e}");
                    }
                }
            }
        }
    }
}

/// Down to D = 10⁻¹⁰, for rows, columns and a factor that lies in neither way.
#[test]
fn gradients_keep_five_digits_down_to_small_diagonals() {
    for (n, r) in [(40, 8), (700, 25), (3000, 33), (1500, 64), (130, 3)] {
        let (loc, p) = (single(&matrix(2, n, 1)), single(&factor(2, n, r, 2)));
        for exponent in [4, 0, -5, -8, -10] {
            let d = 10f32.powi(exponent);
            let wide = LowRankMvn::new(double(&loc), double(&p), f64::from(d)).unwrap();
            let x = single(&wide.rsample(&matrix(2, r, 5), &matrix(2, n, 6)).unwrap());
            let want = wide.log_prob_and_entropy_with_grad(&double(&x)).unwrap();
            let columns = p.view().permuted_axes([0, 2, 1]).as_standard_layout().into_owned();
            let mut sparse = Array3::zeros((2, 2 * n, r));
            sparse.slice_mut(s![.., ..;2, ..]).assign(&p);
            let views: [(&str, ArrayView3<'_, f32>); 3] = [
                ("rows", p.view()),
                ("columns", columns.view().permuted_axes([0, 2, 1])),
                ("every second row", sparse.slice(s![.., ..;2, ..])),
            ];
            for (layout, view) in views {
                let narrow = LowRankMvn::new(loc.view(), view, d).unwrap();
                let got = narrow.log_prob_and_entropy_with_grad(&x).unwrap();
                let (a, b) = (&got.log_prob_grad, &want.log_prob_grad);
                let (c, e) = (&got.entropy_grad, &want.entropy_grad);
                for (what, error) in [
                    ("x", gap(&a.x, &b.x)),
                    ("loc", gap(&a.loc, &b.loc)),
                    ("cov_factor", gap(&a.cov_factor, &b.cov_factor)),
                    ("cov_diag", gap(&a.cov_diag, &b.cov_diag)),
                    ("entropy's cov_factor", gap(&c.cov_factor, &e.cov_factor)),
                    ("entropy's cov_diag", gap(&c.cov_diag, &e.cov_diag)),
                ] {
                    assert!(error <= 1e-5, "{what}, {layout}, {n}×{r}, D = {d:e}: {error:e}");
                }
            }
        }
    }
}

/// Values to the bit, gradients to rounding: rows and columns are summed by kernels of their own.
#[test]
fn layouts_agree() {
    let (batch, n, r) = (2, 300, 25);
    let (loc, x) = (single(&matrix(batch, n, 1)), single(&matrix(batch, n, 2)));
    let (p, d) = (single(&factor(batch, n, r, 3)), single(&variances(batch, n, 4)));
    let base = LowRankMvn::new(loc.view(), p.view(), d.view()).unwrap();
    let (want, grad) = base.log_prob_with_grad(&x).unwrap();
    let columns = p.view().permuted_axes([0, 2, 1]).as_standard_layout().into_owned();
    let backwards = p.slice(s![..;-1, ..;-1, ..;-1]).as_standard_layout().into_owned();
    let mut apart = Array3::from_elem((batch, 2 * n, r + 3), f32::NAN);
    apart.slice_mut(s![.., ..;2, 2..r + 2]).assign(&p);
    let turned_x = x.t().as_standard_layout().into_owned();
    let views = [
        ("columns", columns.view().permuted_axes([0, 2, 1])),
        ("backwards", backwards.slice(s![..;-1, ..;-1, ..;-1])),
        ("apart", apart.slice(s![.., ..;2, 2..r + 2])),
    ];
    for (name, view) in views {
        let other = LowRankMvn::new(loc.view(), view, d.view()).unwrap();
        let (got, slopes) = other.log_prob_with_grad(&turned_x.t()).unwrap();
        assert_eq!(got, want, "{name}");
        assert!(gap(&slopes.cov_factor, &double(&grad.cov_factor)) < 1e-6, "{name}");
        assert!(gap(&slopes.cov_diag, &double(&grad.cov_diag)) < 1e-6, "{name}");
        assert!(gap(&slopes.x, &double(&grad.x)) < 1e-6, "{name}");
        let noise = single(&matrix(batch, r, 5));
        let (a, b) = (other.rsample(&noise, &x).unwrap(), base.rsample(&noise, &x).unwrap());
        assert!(gap(&a, &double(&b)) < 1e-7, "{name}");
    }
    // Stride 0: one factor for the whole batch.
    let shared = p.index_axis(Axis(0), 0);
    let spread = shared.broadcast((batch, n, r)).unwrap();
    let one = LowRankMvn::new(loc.view(), spread, d.view()).unwrap();
    let copied = LowRankMvn::new(loc.view(), spread.to_owned(), d.view()).unwrap();
    assert_eq!(one.log_prob_with_grad(&x).unwrap().0, copied.log_prob_with_grad(&x).unwrap().0);
}

/// f64 has one kernel for all layouts, and f32 one for all but rows that lie one after the other and have 8 elements or more.
#[test]
fn layouts_agree_to_the_bit_but_for_rows_of_singles() {
    fn check<F: Real + Storage>(n: usize, r: usize, d: F, of: fn(f64) -> F, rows_too: bool) {
        let (loc, x) = (matrix(2, n, 1).mapv(of), matrix(2, n, 2).mapv(of));
        let p = factor(2, n, r, 3).mapv(of);
        let columns = p.view().permuted_axes([0, 2, 1]).as_standard_layout().into_owned();
        let backwards = p.slice(s![..;-1, ..;-1, ..;-1]).as_standard_layout().into_owned();
        let mut apart = Array3::from_elem((2, 2 * n, r + 3), F::ZERO);
        apart.slice_mut(s![.., ..;2, 2..r + 2]).assign(&p);
        let mut views = vec![
            ("columns", columns.view().permuted_axes([0, 2, 1])),
            ("backwards", backwards.slice(s![..;-1, ..;-1, ..;-1])),
            ("apart", apart.slice(s![.., ..;2, 2..r + 2])),
        ];
        if rows_too {
            views.push(("rows", p.view()));
        }
        let found = views.into_iter().map(|(name, view)| {
            let p = LowRankMvn::new(loc.view(), view, d).unwrap();
            (name, p.log_prob_and_entropy_with_grad(&x).unwrap())
        });
        let found: Vec<_> = found.collect();
        for (name, other) in &found[1..] {
            assert!(*other == found[0].1, "{name}, {n}×{r}");
        }
    }
    for (n, r) in [(3, 1), (49, 5), (130, 7), (300, 25)] {
        for d in [1e-5, 0.5] {
            check::<f64>(n, r, d, |v| v, true);
            check::<f32>(n, r, d as f32, |v| v as f32, r < 8);
        }
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let (batch, n, r) = (3, 9000, 9);
    let (loc, x) = (single(&matrix(batch, n, 1)), single(&matrix(batch, n, 2)));
    let p = LowRankMvn::new(loc, single(&factor(batch, n, r, 3)), 1e-5).unwrap();
    let all = || {
        let both = p.log_prob_and_entropy_with_grad(&x).unwrap();
        let indices: Vec<usize> = (0..n).step_by(3).collect();
        let values = Array2::from_elem((batch, indices.len()), 0.5);
        let image = p.condition(&indices, &values).unwrap().mean();
        (both, image, p.covariance_times(&x).unwrap(), p.precision_times(&x).unwrap())
    };
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let want = pool(1).install(all);
    for threads in [2, 3, 7] {
        assert!(pool(threads).install(all) == want, "{threads} threads");
    }
}

/// A batch item gives the same bits alone.
#[test]
fn items_do_not_see_each_other() {
    let (batch, n, r) = (3, 500, 12);
    let (loc, x, p) = (matrix(batch, n, 1), matrix(batch, n, 2), factor(batch, n, r, 3));
    let (loc, x, p) = (single(&loc), single(&x), single(&p));
    let all = LowRankMvn::new(loc.view(), p.view(), 1e-4).unwrap().log_prob_with_grad(&x).unwrap();
    for b in 0..batch {
        let one = LowRankMvn::new(loc.slice(s![b..=b, ..]), p.slice(s![b..=b, .., ..]), 1e-4).unwrap();
        let (value, grad) = one.log_prob_with_grad(&x.slice(s![b..=b, ..])).unwrap();
        assert_eq!(value[0], all.0[b]);
        assert_eq!(grad.cov_factor.index_axis(Axis(0), 0), all.1.cov_factor.index_axis(Axis(0), b));
    }
}

/// One call for all gradients, and one for a weighted sum of them.
#[test]
fn joint_gradients_are_the_separate_ones() {
    for (n, r) in [(60, 12), (60, 3), (5, 9)] {
        let (loc, x, p) = (matrix(2, n, 1), matrix(2, n, 2), factor(2, n, r, 3));
        let p = LowRankMvn::new(loc, p, variances(2, n, 4)).unwrap();
        let both = p.log_prob_and_entropy_with_grad(&x).unwrap();
        let (log_prob, density) = p.log_prob_with_grad(&x).unwrap();
        let (entropy, of_entropy) = p.entropy_with_grad().unwrap();
        assert_eq!(
            both,
            LogProbAndEntropy {
                log_prob: log_prob.clone(),
                log_prob_grad: density.clone(),
                entropy: entropy.clone(),
                entropy_grad: of_entropy.clone(),
            }
        );
        let (u, v) = (Array1::from_vec(vec![2.0, -0.5]), Array1::from_vec(vec![0.0, 3.0]));
        let mut grad = LowRankMvnLogProbGrad::zeros(&p);
        let found = p.weighted_log_prob_and_entropy_with_grad_into(&x, [&u, &v], &mut grad).unwrap();
        assert_eq!(found, (log_prob, entropy));
        for b in 0..2 {
            let near = |got: f64, want: f64| {
                assert!((got - want).abs() <= 1e-12 * (1.0 + want.abs()), "{got} {want}");
            };
            for i in 0..n {
                near(grad.x[(b, i)], u[b] * density.x[(b, i)]);
                near(grad.loc[(b, i)], u[b] * density.loc[(b, i)]);
                near(
                    grad.cov_diag[(b, i)],
                    u[b] * density.cov_diag[(b, i)] + v[b] * of_entropy.cov_diag[(b, i)],
                );
                for j in 0..r {
                    let at = (b, i, j);
                    near(
                        grad.cov_factor[at],
                        u[b] * density.cov_factor[at] + v[b] * of_entropy.cov_factor[at],
                    );
                }
            }
        }
        let wrong = Array1::zeros(3);
        let refused =
            p.weighted_log_prob_and_entropy_with_grad_into(&x, [&u, &wrong], &mut grad).unwrap_err();
        assert!(refused.to_string().starts_with("`weights` has shape [3]"));
        let mut other = LowRankMvnLogProbGrad { x: Array2::zeros((1, 1)), ..grad };
        let refused = p.weighted_log_prob_and_entropy_with_grad_into(&x, [&u, &v], &mut other).unwrap_err();
        assert!(refused.to_string().starts_with("`grad.x` has shape [1, 1]"), "{refused}");
    }
}

/// Beside inputs and gradients: r² numbers per item, and blocks. The factor alone has 8 MB here.
#[test]
fn memory_is_that_of_a_few_blocks() {
    let (batch, n, r) = (4, 20_000, 25);
    let (loc, x) = (single(&matrix(batch, n, 1)), single(&matrix(batch, n, 2)));
    let rows = single(&factor(batch, n, r, 3));
    let columns = rows.view().permuted_axes([0, 2, 1]).as_standard_layout().into_owned();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(|| {
        for view in [rows.view(), columns.view().permuted_axes([0, 2, 1])] {
            let p = LowRankMvn::new(loc.view(), view, 1e-5).unwrap();
            let mut to = LogProbAndEntropy::zeros(&p);
            let (_, value) = measure(|| p.log_prob(&x).unwrap());
            let ((), slopes) = measure(|| p.log_prob_and_entropy_with_grad_into(&x, &mut to).unwrap());
            for stats in [value, slopes] {
                assert!(stats.peak <= 400_000, "{stats:?}");
                assert!(stats.current <= 1000, "{stats:?}");
            }
        }
    });
}
