//! Marginals, conditioning and sessions against the dense distribution.

use ndarray::{Array1, Array2, Array3, Axis, array, s};
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use variata_distributions::{ArgumentError, MultivariateNormal};
use variata_lowrank_mvn::{EditSession, Error, LowRankMvn, Observation};

use crate::support::{assert_close, dense, factor, matrix, solve, variances, wave};

/// Conditional mean of the entries outside `indices`, and their covariance, from the dense matrix by elimination.
fn dense_conditional(
    p: &LowRankMvn<'_, f64>,
    b: usize,
    indices: &[usize],
    values: &[f64],
) -> (Vec<usize>, Vec<f64>, Array2<f64>) {
    let sigma = p.covariance_matrix().index_axis(Axis(0), b).to_owned();
    let loc = p.loc().row(b).to_owned();
    let rest: Vec<usize> = (0..p.dim()).filter(|i| !indices.contains(i)).collect();
    let block = |rows: &[usize], columns: &[usize]| sigma.select(Axis(0), rows).select(Axis(1), columns);
    let gap = Array2::from_shape_fn((indices.len(), 1), |(k, _)| values[k] - loc[indices[k]]);
    let known = block(indices, indices);
    let mean = block(&rest, indices).dot(&solve(known.clone(), gap));
    let mean = rest.iter().enumerate().map(|(k, &i)| loc[i] + mean[(k, 0)]).collect();
    let cross = block(indices, &rest);
    let covariance = block(&rest, &rest) - block(&rest, indices).dot(&solve(known, cross));
    (rest, mean, covariance)
}

fn normal(batch: usize, n: usize, r: usize, salt: usize) -> LowRankMvn<'static, f64> {
    LowRankMvn::new(matrix(batch, n, salt), factor(batch, n, r, salt + 1), variances(batch, n, salt + 2))
        .unwrap()
}

/// `m` different entries, in no order.
fn some(n: usize, m: usize) -> Vec<usize> {
    let coprime = |step: usize| (2..=n).all(|d| !(n.is_multiple_of(d) && step.is_multiple_of(d)));
    let step = (7..7 + n).find(|&step| coprime(step)).unwrap();
    (0..m).map(|k| (k * step + 2) % n).collect()
}

/// A value whose difference from the location no f64 holds, by its place among all values.
#[test]
fn a_value_that_is_refused_is_named_by_its_place() {
    let loc = array![[0.0], [-1.7e308]];
    let p = LowRankMvn::<f64>::new(loc, Array3::zeros((2, 1, 0)), 1.0).unwrap();
    let error = p.condition(&[0], &array![[0.0], [1.7e308]]).unwrap_err();
    let Error::Argument(ArgumentError::Value { argument, index, .. }) = error else { panic!("{error}") };
    assert_eq!((argument, index), ("values", Some(1)));
}

#[test]
fn the_marginal_is_that_of_the_dense_distribution() {
    let p = normal(2, 9, 3, 1);
    let indices = [7, 0, 4];
    let marginal = p.marginal(&indices).unwrap();
    assert_eq!(
        marginal.covariance_matrix(),
        p.covariance_matrix().select(Axis(1), &indices).select(Axis(2), &indices)
    );
    assert_eq!(marginal.mean(), p.mean().select(Axis(1), &indices));
    let scalar = LowRankMvn::new(p.loc(), p.cov_factor(), 0.5).unwrap().marginal(&indices).unwrap();
    assert_eq!(scalar.variance().dim(), (2, 3));
    let twice = p.marginal(&[1, 2, 1]).unwrap_err().to_string();
    assert_eq!(twice, "`indices` is 1, must be given once");
    assert_eq!(p.marginal(&[9]).unwrap_err().to_string(), "`indices[0]` is 9, must be below n");
    assert_eq!(p.marginal(&[]).unwrap().dim(), 0);
}

/// Mean, covariance, evidence and the chain rule for fewer, as many and more edits than columns, and all.
#[test]
fn conditioning_is_that_of_the_dense_distribution() {
    let (n, r) = (23, 4);
    let p = normal(2, n, r, 5);
    for m in [0, 1, r - 1, r, r + 1, 2 * r + 1, n - 1, n] {
        let indices = some(n, m);
        let values = matrix(2, m, 9);
        let posterior = p.condition(&indices, &values).unwrap();
        let (mean, variance) = (posterior.mean(), posterior.variance());
        let full = |b: usize| {
            let mut x = matrix(1, n, 11).row(0).to_owned();
            indices.iter().zip(values.row(b)).for_each(|(&i, v)| x[i] = *v);
            x
        };
        for b in 0..2 {
            let row = values.row(b).to_vec();
            let (rest, want, covariance) = dense_conditional(&p, b, &indices, &row);
            for (&i, v) in indices.iter().zip(&row) {
                assert_eq!((mean[(b, i)], variance[(b, i)]), (*v, 0.0));
            }
            let got: Array1<f64> = rest.iter().map(|&i| mean[(b, i)]).collect();
            assert_close(&format!("mean, m = {m}"), &got, &Array1::from(want), 1e-12);
            let got: Array1<f64> = rest.iter().map(|&i| variance[(b, i)]).collect();
            assert_close("variance", &got, &covariance.diag().to_owned(), 1e-12);
            let (left, distribution) = posterior.rest(b).unwrap();
            assert_eq!(left, rest);
            let got = Array1::from_iter(distribution.covariance_matrix());
            assert_close("covariance", &got, &Array1::from_iter(covariance), 1e-12);
            // log p(x) = log p(x₂) + log p(x₁ | x₂).
            let whole = p.log_prob(&Array2::from_shape_fn((2, n), |(c, i)| full(c)[i])).unwrap()[b];
            let x1 = Array2::from_shape_fn((1, rest.len()), |(_, k)| full(b)[rest[k]]);
            let parts = posterior.log_evidence()[b] + distribution.log_prob(&x1).unwrap()[0];
            assert!((whole - parts).abs() <= 1e-11 * whole.abs(), "m = {m}: {whole} {parts}");
        }
        if m > 0 {
            let evidence = dense(&p.marginal(&indices).unwrap()).log_prob(&values).unwrap();
            assert_close("evidence", &posterior.log_evidence(), &evidence, 1e-11);
        }
    }
}

/// The promise for f32 and small diagonals: 1e-6 for any number of edits. One column of ones: z is Σ(y − μ)/(m + d).
#[test]
fn many_edits_keep_the_digits_of_single_precision() {
    let n = 2000;
    for d in [1e-5f32, 1e-10] {
        let p = LowRankMvn::new(Array2::zeros((1, n)), Array3::ones((1, n, 1)), d).unwrap();
        for m in [1, 2, 100, 1000, 1999] {
            let values = Array2::from_shape_fn((1, m), |(_, k)| 1.0 + wave(k, 3) as f32);
            let image = p.condition(&(0..m).collect::<Vec<_>>(), &values).unwrap().mean();
            let sum: f64 = values.iter().map(|v| f64::from(*v)).sum();
            let want = sum / (m as f64 + f64::from(d));
            assert!((f64::from(image[(0, n - 1)]) / want - 1.0).abs() <= 1e-7, "d = {d}, m = {m}");
        }
    }
}

/// The same against a dense f64 solution with many columns, at the paper's diagonal.
#[test]
fn many_columns_and_edits_agree_with_the_dense_solution() {
    let (n, r) = (300, 25);
    for (d, bound) in [(1e-5, 1e-9), (1e-8, 1e-6)] {
        let p = LowRankMvn::new(matrix(1, n, 1), factor(1, n, r, 2), d).unwrap();
        for m in [1, 24, 25, 26, 51, 200, 299] {
            let indices = some(n, m);
            // Values that the distribution can produce.
            let x = p.sample(&mut ChaCha8Rng::seed_from_u64(m as u64));
            let values = x.select(Axis(1), &indices);
            let image = p.condition(&indices, &values).unwrap().mean();
            let (rest, want, _) = dense_conditional(&p, 0, &indices, &values.row(0).to_vec());
            // The dense reference itself loses σ²/d of its digits, which is what the bound allows for: of the image's size, because
            // a single entry that is left may be near 0.
            let size = image.iter().fold(0.0f64, |m, v| m.max(v.abs()));
            for (k, &i) in rest.iter().enumerate() {
                assert!((image[(0, i)] - want[k]).abs() <= bound * size, "d = {d}, m = {m}");
            }
        }
    }
}

#[test]
fn soft_observations_are_extra_dimensions_of_the_dense_distribution() {
    let (n, r) = (8, 3);
    let p = normal(1, n, r, 21);
    let soft = [(2, 0.7, 0.3), (5, -1.0, 0.05), (2, 0.1, 1.5), (6, 0.4, 0.0)];
    let each = soft.map(|(index, value, noise)| Observation { index, value, noise }).to_vec();
    let posterior = p.condition_each(&[each]).unwrap();
    // [x, y] with y = x[indices] + noise.
    let m = soft.len();
    let sigma = p.covariance_matrix();
    let at = |i: usize| if i < n { i } else { soft[i - n].0 };
    let joint = Array3::from_shape_fn((1, n + m, n + m), |(_, i, j)| {
        sigma[(0, at(i), at(j))] + if i == j && i >= n { soft[i - n].2 } else { 0.0 }
    });
    let block = |rows: std::ops::Range<usize>, columns: std::ops::Range<usize>| -> Array2<f64> {
        joint.slice(s![0, rows, columns]).to_owned()
    };
    let gap = Array2::from_shape_fn((m, 1), |(k, _)| soft[k].1 - p.loc()[(0, soft[k].0)]);
    let mean = block(0..n, n..n + m).dot(&solve(block(n..n + m, n..n + m), gap)).column(0).to_owned()
        + p.loc().row(0);
    let covariance = block(0..n, 0..n)
        - block(0..n, n..n + m).dot(&solve(block(n..n + m, n..n + m), block(n..n + m, 0..n)));
    assert_close("mean", &posterior.mean().row(0).to_owned(), &mean, 1e-12);
    assert_close("variance", &posterior.variance().row(0).to_owned(), &covariance.diag().to_owned(), 1e-12);
    let (rest, distribution) = posterior.rest(0).unwrap();
    assert_eq!(rest, [0, 1, 2, 3, 4, 5, 7]);
    let want = covariance.select(Axis(0), &rest).select(Axis(1), &rest);
    // Entries off the diagonal that observe the same pixel keep their correlation only in part.
    assert_close(
        "covariance",
        &Array1::from_iter(distribution.covariance_matrix()),
        &Array1::from_iter(want),
        1e-12,
    );
    // Draws have these moments: 5 standard errors of 20,000 draws, a false alarm once in 10⁵.
    let draws = 20_000;
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let samples: Vec<Array2<f64>> = (0..draws).map(|_| posterior.sample(&mut rng)).collect();
    for i in 0..n {
        let average = samples.iter().map(|x| x[(0, i)]).sum::<f64>() / draws as f64;
        let variance = covariance[(i, i)].max(0.0);
        assert!((average - mean[i]).abs() <= 5.0 * (variance / draws as f64).sqrt() + 1e-12, "entry {i}");
        let spread = samples.iter().map(|x| (x[(0, i)] - mean[i]).powi(2)).sum::<f64>() / draws as f64;
        assert!(
            (spread - variance).abs() <= 5.0 * variance * (2.0 / draws as f64).sqrt() + 1e-12,
            "entry {i}"
        );
    }
    // Less and less noise is an exact value, more and more says nothing.
    let with =
        |noise: f64| p.condition_each(&[vec![Observation { index: 3, value: 2.0, noise }]]).unwrap().mean();
    let exact = p.condition(&[3], &array![[2.0]]).unwrap().mean();
    let far = |a: &Array2<f64>, b: &Array2<f64>| (a - b).iter().fold(0.0f64, |m, v| m.max(v.abs()));
    assert!(far(&with(1e-12), &exact) <= 1e-11 && far(&with(1e12), &p.mean()) <= 1e-11);
}

#[test]
fn items_may_have_different_numbers_of_observations() {
    let p = normal(3, 10, 2, 31);
    let lists = [
        vec![Observation::exact(1, 0.5)],
        vec![],
        (0..7).map(|i| Observation::exact(i, wave(i, 4))).collect(),
    ];
    let together = p.condition_each(&lists).unwrap();
    for (b, list) in lists.iter().enumerate() {
        let alone = LowRankMvn::new(
            p.loc().slice_move(s![b..=b, ..]),
            p.cov_factor().slice_move(s![b..=b, .., ..]),
            variances(3, 10, 33).slice_move(s![b..=b, ..]),
        )
        .unwrap();
        let alone = alone.condition_each(std::slice::from_ref(list)).unwrap();
        assert_eq!(alone.mean().row(0), together.mean().row(b));
        assert_eq!(alone.log_evidence()[0], together.log_evidence()[b]);
        assert_eq!(together.observations(b), list.as_slice());
    }
    assert_eq!(together.mean().row(1), p.mean().row(1));
    assert!(together.observations(3).is_empty());
}

#[test]
fn repeated_entries_agree_or_conflict() {
    let p = normal(1, 6, 2, 41);
    let once = p.condition(&[2, 4], &array![[1.0, 2.0]]).unwrap().mean();
    assert_eq!(p.condition(&[2, 4, 2], &array![[1.0, 2.0, 1.0]]).unwrap().mean(), once);
    let error = p.condition(&[2, 4, 2], &array![[1.0, 2.0, 1.5]]).unwrap_err();
    assert_eq!(error, Error::ConflictingEdit { batch: 0, index: 2, first: 1.0, second: 1.5 });
    assert_eq!(
        error.to_string(),
        "entry 2 of batch item 0 is set to 1 and to 1.5; at most one exact value is possible"
    );
    let bad =
        |o: Observation| p.condition_each(&[vec![Observation::exact(0, 0.0), o]]).unwrap_err().to_string();
    assert_eq!(bad(Observation::exact(6, 0.0)), "`observations.index[1]` is 6, must be below n");
    assert_eq!(bad(Observation::exact(1, f64::NAN)), "`observations.value[1]` is NaN, must be finite");
    assert_eq!(
        bad(Observation { index: 1, value: 0.0, noise: -1.0 }),
        "`observations.noise[1]` is -1, must be finite and >= 0"
    );
    assert!(p.condition_each(&[]).is_err() && p.condition(&[1], &array![[1.0, 2.0]]).is_err());
    assert!(p.condition(&[1], &array![[1.0]]).unwrap().rest(1).is_err());
    let zero = LowRankMvn::new(p.loc(), p.cov_factor(), 0.0).unwrap();
    let error = zero.condition(&[1], &array![[1.0]]).unwrap_err().to_string();
    assert_eq!(error, "`cov_diag` is 0, must be > 0 where an exact value is given");
    let two = normal(2, 6, 2, 41);
    let mut diag = Array2::ones((2, 6));
    diag[(1, 4)] = 0.0;
    let zero = LowRankMvn::new(two.loc(), two.cov_factor(), diag).unwrap();
    let error = zero.condition(&[4], &array![[1.0], [1.0]]).unwrap_err().to_string();
    assert_eq!(error, "`cov_diag[10]` is 0, must be > 0 where an exact value is given");
}

#[test]
fn draws_given_noise_keep_the_edited_entries() {
    let p = normal(2, 7, 3, 51);
    let posterior = p.condition(&[0, 6], &array![[1.0, 2.0], [3.0, 4.0]]).unwrap();
    let (wp, wd) = (matrix(2, 3, 1), matrix(2, 7, 2));
    let x = posterior.rsample(&wp, &wd).unwrap();
    assert_eq!((x[(0, 0)], x[(0, 6)], x[(1, 0)], x[(1, 6)]), (1.0, 2.0, 3.0, 4.0));
    let still = posterior.rsample(&Array2::zeros((2, 3)), &Array2::zeros((2, 7))).unwrap();
    assert_eq!(still, posterior.mean());
    assert!(posterior.rsample(&wd, &wd).is_err() && posterior.rsample(&wp, &wp).is_err());
}

proptest! {
    /// One by one is all at once is undone, in any order, to the bit where the same strokes are left.
    #[test]
    fn sessions(n in 12usize..60, r in 1usize..5, salt in 0usize..1000, cuts in prop::collection::vec(1usize..9, 1..6)) {
        let p = normal(2, n, r, salt);
        let mut session = EditSession::new(&p, 1).unwrap();
        let order = some(n, n);
        let (mut images, mut all, mut next) = (vec![session.image()], Vec::new(), 0);
        prop_assert_eq!(session.image(), p.mean().row(1).to_owned());
        for cut in cuts {
            let stroke: Vec<_> = order.iter().cycle().skip(next).take(cut.min(n))
                .map(|&i| Observation::exact(i, wave(i, salt + next))).collect();
            next += cut;
            session.paint(&stroke).unwrap();
            all.retain(|old: &Observation| stroke.iter().all(|new| new.index != old.index));
            all.extend(stroke);
            let at_once = p.condition_each(&[vec![], all.clone()]).unwrap().mean();
            let image = session.image();
            for (a, b) in image.iter().zip(at_once.row(1)) {
                prop_assert!((a - b).abs() <= 1e-11 * (1.0 + b.abs()), "{a} {b}");
            }
            images.push(image);
        }
        let last = images.len() - 1;
        for k in (0..last).rev() {
            prop_assert!(session.undo());
            prop_assert_eq!(&session.image(), &images[k]);
        }
        prop_assert!(!session.undo());
        for image in &images[1..] {
            prop_assert!(session.redo());
            prop_assert_eq!(&session.image(), image);
        }
        prop_assert!(!session.redo());
    }
}

#[test]
fn strokes_are_removed_erased_and_painted_over() {
    let p = normal(1, 40, 2, 61);
    let stroke = |range: std::ops::Range<usize>, salt| -> Vec<Observation> {
        range.map(|i| Observation::exact(i, wave(i, salt))).collect()
    };
    let mut session = EditSession::new(&p, 0).unwrap();
    session.paint(&stroke(0..10, 1)).unwrap();
    let first = session.image();
    session.paint(&stroke(20..30, 2)).unwrap();
    session.paint(&stroke(5..12, 3)).unwrap();
    assert_eq!(session.strokes(), 3);
    assert_eq!(session.image()[7], wave(7, 3));
    session.remove(1).unwrap();
    session.remove(1).unwrap();
    // The first stroke was painted over at 5..10, and stays so.
    assert_eq!(session.observations().len(), 5);
    assert!(session.undo() && session.undo() && session.undo() && session.undo());
    assert_eq!(session.image(), first);
    session.erase(&[0, 1, 2, 39]).unwrap();
    assert_eq!(session.observations().first().map(|o| o.index), Some(3));
    assert!(!session.redo());
    session.erase(&(0..40).collect::<Vec<_>>()).unwrap();
    assert_eq!((session.strokes(), session.image()), (0, p.mean().row(0).to_owned()));
    // Refused changes change nothing.
    session.paint(&stroke(0..3, 1)).unwrap();
    let image = session.image();
    let twice = [Observation::exact(1, 0.0), Observation::exact(1, 1.0)];
    assert!(session.paint(&twice).is_err() && session.paint(&[Observation::exact(40, 0.0)]).is_err());
    assert!(session.remove(1).is_err() && session.erase(&[40]).is_err() && EditSession::new(&p, 1).is_err());
    assert_eq!(session.image(), image);
    let (wp, wd) = (matrix(1, 2, 1), matrix(1, 40, 2));
    assert_eq!(session.rsample(&wp, &wd).unwrap()[2], wave(2, 1));
    assert_eq!(session.sample(&mut ChaCha8Rng::seed_from_u64(1))[0], wave(0, 1));
}

/// The dense reference of this file: conditioning a normal by its density agrees with the elimination above.
#[test]
fn the_reference_is_the_dense_distribution() {
    let p = normal(1, 5, 2, 71);
    let (rest, mean, covariance) = dense_conditional(&p, 0, &[1, 3], &[0.3, -0.2]);
    let conditional = MultivariateNormal::from_covariance(
        Array2::from_shape_vec((1, 3), mean).unwrap(),
        &covariance.insert_axis(Axis(0)),
    )
    .unwrap();
    let x = array![[0.1, 0.3, 0.5, -0.2, -0.4]];
    let joint = dense(&p).log_prob(&x).unwrap()[0];
    let edited = dense(&p.marginal(&[1, 3]).unwrap()).log_prob(&array![[0.3, -0.2]]).unwrap()[0];
    let others = conditional.log_prob(&x.select(Axis(1), &rest)).unwrap()[0];
    assert!((joint - edited - others).abs() <= 1e-12);
}

/// Extreme noises stay noises, and numbers that no image can hold are refused by name.
#[test]
fn extreme_observations() {
    let p: LowRankMvn<'_, f64> =
        LowRankMvn::new(Array2::zeros((1, 3)), Array3::ones((1, 3, 1)), 1.0).unwrap();
    for noise in [1e308, 5e-324, 1.0] {
        let two = vec![vec![
            Observation { index: 0, value: 1.0, noise },
            Observation { index: 0, value: 3.0, noise },
        ]];
        let found = p.condition_each(&two).unwrap();
        let merged = found.observations(0)[0];
        assert!(merged.noise > 0.0 && (merged.value - 2.0).abs() < 1e-15, "{noise}: {merged:?}");
        assert!(found.mean().iter().all(|v| v.is_finite()));
    }
    let far = vec![vec![
        Observation { index: 0, value: 1.5e308, noise: 1.0 },
        Observation { index: 0, value: -1.5e308, noise: 1.0 },
    ]];
    assert!(p.condition_each(&far).unwrap().mean().iter().all(|v| v.is_finite()));
    let single: LowRankMvn<'_, f32> =
        LowRankMvn::new(Array2::zeros((1, 3)), Array3::ones((1, 3, 1)), 1.0).unwrap();
    // Counted as they were given, not as they are sorted.
    let observations = vec![Observation::exact(2, 1e300), Observation::exact(0, 1.0)];
    let refused = single.condition_each(&[observations]).unwrap_err().to_string();
    assert!(refused.starts_with("`observations.value[0]` is 1"), "{refused}");
    let low = LowRankMvn::new(Array2::from_elem((1, 3), -1e308), Array3::ones((1, 3, 1)), 1.0).unwrap();
    let refused = low.condition(&[1], &Array2::from_elem((1, 1), 1e308)).unwrap_err().to_string();
    assert!(refused.starts_with("`values[0]`"), "{refused}");
    let refused = p.condition(&[4], &Array2::zeros((1, 1))).unwrap_err().to_string();
    assert!(refused.starts_with("`indices"), "{refused}");
}

/// Shares of a prior of variance 1 and of observations that are much wider or narrower, by hand.
#[test]
fn far_variances_keep_both_shares() {
    let p: LowRankMvn<'_, f64> =
        LowRankMvn::new(Array2::zeros((1, 3)), Array3::zeros((1, 3, 1)), 1.0).unwrap();
    for (noise, value, mean, variance) in
        [(1e17, 1e17, 1.0, 1.0), (1e15, 3e15, 3.0, 1.0), (1e-310, 2.0, 2.0, 1e-310), (1e-20, 2.0, 2.0, 1e-20)]
    {
        let found = p.condition_each(&[vec![Observation { index: 0, value, noise }]]).unwrap();
        let (got, spread) = (found.mean()[(0, 0)], found.variance()[(0, 0)]);
        assert!((got / mean - 1.0).abs() < 1e-12, "{noise}: {got}");
        assert!((spread / variance - 1.0).abs() < 1e-12, "{noise}: {spread}");
        assert!(found.rest(0).unwrap().1.entropy().is_ok());
    }
    let two = [1e-160, 1e160].map(|noise| Observation { index: 0, value: 1.0, noise });
    for two in [two.to_vec(), vec![two[1], two[0]]] {
        let merged = p.condition_each(&[two]).unwrap().observations(0)[0];
        assert_eq!((merged.value, merged.noise), (1.0, 1e-160));
    }
}

#[test]
fn what_changes_nothing_costs_no_undo() {
    let p = normal(1, 12, 2, 3);
    let mut session = EditSession::new(&p, 0).unwrap();
    session.paint(&[]).unwrap();
    session.erase(&[]).unwrap();
    session.erase(&[3]).unwrap();
    assert!(!session.undo() && session.strokes() == 0);
    session.paint(&[Observation::exact(0, 1.0), Observation::exact(1, 2.0)]).unwrap();
    session.paint(&[Observation::exact(1, 5.0)]).unwrap();
    // The entry is free once the stroke that took it is gone; undo gives it back.
    session.remove(1).unwrap();
    assert_eq!(session.observations().iter().map(|o| o.index).collect::<Vec<_>>(), [0]);
    assert!(session.undo() && session.undo());
    assert_eq!(session.observations().len(), 2);
}
