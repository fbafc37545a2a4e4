//! Nearest codes against brute force in f64.

use ndarray::{Array2, Axis, array, concatenate, s};
use proptest::prelude::*;
use variata_quantize::{Codebook, Compute, Heads, Metric};
use variata_testkit::families::for_each_layout_2d;

use crate::support::{argument, check_nearest, distance, euclidean, normal, rng, single};

const METRICS: [Metric; 2] = [Metric::SquaredEuclidean, Metric::Cosine];

proptest! {
    #[test]
    fn are_those_of_brute_force(
        n in 0..70usize, k in 1..60usize, d in 1..40usize, seed: u64, cosine: bool, power in -60..=60i32,
    ) {
        let metric = METRICS[usize::from(cosine)];
        let scale = 2f64.powi(power);
        let (z, codes) = (normal(n, d, seed) * scale, normal(k, d, seed ^ 1) * scale);
        let codebook = Codebook::new(codes.clone(), metric).unwrap();
        check_nearest(&codebook, &z, &codebook.assign(&z).unwrap());
        let codebook = Codebook::new(single(&codes), metric).unwrap();
        check_nearest(&codebook, &single(&z), &codebook.assign(&single(&z)).unwrap());
    }

    /// Vectors and codes on a coarse grid tie again and again; the lowest index wins.
    #[test]
    fn at_ties_the_lowest_index(n in 1..40usize, k in 1..80usize, d in 1..4usize, seed: u64) {
        let grid = |x: Array2<f64>| x.mapv(|v| (2.0 * v).round());
        let (z, codes) = (grid(normal(n, d, seed)), grid(normal(k, d, seed ^ 1)));
        let exact = |row| {
            let all = codes.rows().into_iter().map(|e| distance(Metric::SquaredEuclidean, &row, &e));
            all.enumerate().fold((0, f64::INFINITY), |best, at| if at.1 < best.1 { at } else { best }).0
        };
        let want: Vec<usize> = z.rows().into_iter().map(exact).collect();
        prop_assert_eq!(&euclidean(codes.clone()).assign(&z).unwrap().to_vec(), &want);
        prop_assert_eq!(&euclidean(single(&codes)).assign(&single(&z)).unwrap().to_vec(), &want);
        let (top, distances) = euclidean(single(&codes)).top_k(&single(&z), k).unwrap();
        prop_assert_eq!(&top.column(0).to_vec(), &want);
        for (row, (top, distances)) in z.rows().into_iter().zip(top.rows().into_iter().zip(distances.rows())) {
            let mut all: Vec<(f64, usize)> =
                codes.rows().into_iter().map(|e| distance(Metric::SquaredEuclidean, &row, &e)).zip(0..).collect();
            all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            prop_assert_eq!(top.to_vec(), all.iter().map(|at| at.1).collect::<Vec<_>>());
            prop_assert_eq!(distances.to_vec(), all.iter().map(|at| at.0).collect::<Vec<_>>());
        }
    }

    #[test]
    fn do_not_change_with_the_order_of_the_codes(seed: u64, turn in 1..29usize) {
        let (z, codes) = (normal(40, 7, seed), normal(30, 7, seed ^ 1));
        let turned = concatenate![Axis(0), codes.slice(s![turn.., ..]), codes.slice(s![..turn, ..])];
        let (a, b) = (euclidean(codes).assign(&z).unwrap(), euclidean(turned).assign(&z).unwrap());
        prop_assert_eq!(a, b.mapv(|k| (k + turn) % 30));
    }
}

/// torch.cdist picks the wrong code for most rows here.
#[test]
fn are_exact_at_a_common_offset() {
    for offset in [0.0, 1e2, 1e3, 1e4] {
        let (z, codes) = (single(&(normal(600, 16, 1) + offset)), single(&(normal(300, 16, 2) + offset)));
        let codebook = euclidean(codes);
        check_nearest(&codebook, &z, &codebook.assign(&z).unwrap());
        let (z, codes) = (normal(300, 16, 1) + offset, normal(100, 16, 2) + offset);
        let codebook = euclidean(codes);
        check_nearest(&codebook, &z, &codebook.assign(&z).unwrap());
    }
    // The mutant: scores in f32 without the offset taken off.
    let (z, codes) = (single(&(normal(600, 16, 1) + 1e4)), single(&(normal(300, 16, 2) + 1e4)));
    let half: Vec<f32> = codes.rows().into_iter().map(|e| 0.5 * e.dot(&e)).collect();
    let products = z.dot(&codes.t());
    let right = euclidean(codes).assign(&z).unwrap();
    let wrong = products.rows().into_iter().zip(&right).filter(|(row, right)| {
        let scores: Vec<f32> = half.iter().zip(row).map(|(h, p)| h - p).collect();
        scores.iter().any(|s| *s < scores[**right])
    });
    assert!(wrong.count() > 300);
}

/// Many blocks of rows, of codes and of depth.
#[test]
fn of_large_shapes() {
    for (n, k, d) in [(1500, 1030, 70), (70, 40, 1300), (2100, 9, 3), (33, 5000, 64)] {
        let (z, codes) = (single(&normal(n, d, 3)), single(&normal(k, d, 4)));
        let codebook = euclidean(codes);
        check_nearest(&codebook, &z, &codebook.assign(&z).unwrap());
    }
}

#[test]
fn of_codes_that_occur_more_than_once() {
    let codes = single(&normal(5, 9, 1));
    let copies = concatenate![Axis(0), codes, codes, codes];
    let z = single(&normal(50, 9, 2));
    let (one, three) = (euclidean(codes), euclidean(copies));
    assert_eq!(one.assign(&z).unwrap(), three.assign(&z).unwrap());
    let (top, _) = three.top_k(&z, 3).unwrap();
    for (row, first) in top.rows().into_iter().zip(one.assign(&z).unwrap()) {
        assert_eq!(row.to_vec(), [first, first + 5, first + 10]);
    }
    // All alike, and one alone.
    let same = euclidean(Array2::from_elem((7, 3), 0.1f32));
    assert!(same.assign(&single(&normal(40, 3, 1))).unwrap().iter().all(|k| *k == 0));
    let single_code = euclidean(array![[5.0f32]]);
    assert_eq!(single_code.assign(&array![[1.0f32], [-3e38]]).unwrap(), array![0, 0]);
    // −0 and 0 are the same code.
    assert_eq!(euclidean(array![[0.0], [-0.0]]).assign(&array![[1.0]]).unwrap(), array![0]);
}

/// Distances that differ by less than 10⁻³⁰ of themselves.
#[test]
fn are_those_of_exact_arithmetic() {
    let nearest = |codes: Array2<f64>, z: Array2<f64>| euclidean(codes).assign(&z).unwrap()[0];
    assert_eq!(euclidean(array![[1e-30f32], [2e-30]]).assign(&array![[1.0f32]]).unwrap()[0], 1);
    assert_eq!(nearest(array![[1.0, 1e-15], [1.0, 2e-15]], array![[5.0, 1.6e-15]]), 1);
    // Squares that are no normal numbers, or 0.
    assert_eq!(nearest(array![[1e-162], [1.1e-162]], array![[1.08e-162]]), 1);
    assert_eq!(nearest(array![[1.0, 5e-324], [1.0, 1e-323]], array![[7.0, 2e-323]]), 1);
    // b = 2z but for what two roundings take; their product with the gap is too small for a number.
    let power = |n: i32| 2f64.powi(n);
    assert_eq!(nearest(array![[power(-531)], [power(-598)]], array![[power(-532)]]), 1);
    assert_eq!(nearest(array![[power(-598)], [power(-531)]], array![[power(-532)]]), 0);
    // Fₙ² − Fₙ₋₁Fₙ₊₁ is −1 or 1, by turns (Cassini): ±v are as far from w but for four times that, in 10³⁰.
    let mut numbers = vec![1.0f64, 1.0];
    (2..78).for_each(|n| numbers.push(numbers[n - 1] + numbers[n - 2]));
    let mut found = [0; 2];
    for n in 2..77 {
        let [before, here, after] = [numbers[n - 1], numbers[n], numbers[n + 1]];
        // w·v, whose products are exact in i128.
        let exact = |v: f64| v as i128;
        let along = exact(here) * exact(here) - exact(before) * exact(after);
        let want = usize::from(along > 0);
        found[want] += 1;
        assert_eq!(nearest(array![[-here, -after], [here, after]], array![[here, -before]]), want, "{n}");
        // The directions of neighbours turn towards the golden ratio from both sides.
        let codes = array![[before, here], [here, after]];
        let (top, _) =
            Codebook::new(codes, Metric::Cosine).unwrap().top_k(&array![[1.0, 0.0], [-1.0, 0.0]], 2).unwrap();
        let steeper = usize::from(along < 0);
        assert_eq!(top, array![[1 - steeper, steeper], [steeper, 1 - steeper]], "{n}");
    }
    assert_eq!(found, [37, 38]);
}

#[test]
fn of_the_largest_and_the_smallest_numbers() {
    let big = f32::MAX;
    let codebook = euclidean(array![[big, -big], [-big, big], [0.0, 0.0], [1e-30, 0.0]]);
    let z = array![[big, -big], [-big, big], [1e-38, 1e-38], [1e-30, 1e-45], [big, big], [1e20, -1e19]];
    check_nearest(&codebook, &z, &codebook.assign(&z).unwrap());
    // A codebook much smaller than the vectors, and much larger.
    for (size_z, size_e) in [(1e30, 1e-30), (1e-30, 1e30), (1e-38, 1e-38), (1e38, 1e37)] {
        let codebook = euclidean(single(&(normal(20, 5, 1) * (0.2 * size_e))));
        let z = single(&(normal(40, 5, 2) * (0.2 * size_z)));
        check_nearest(&codebook, &z, &codebook.assign(&z).unwrap());
    }
    let codebook = euclidean(normal(20, 5, 1) * 1e148);
    let z = normal(40, 5, 2) * 1e148;
    check_nearest(&codebook, &z, &codebook.assign(&z).unwrap());
}

/// One code far out makes every score of the others doubtful by its own size; theirs is what decides.
#[test]
fn beside_a_code_far_out() {
    for scale in [1e2, 1e4, 1e8] {
        let (mut codes, z) = (normal(3000, 8, 1), normal(60, 8, 2));
        codes.row_mut(17).mapv_inplace(|v| v * scale);
        let codebook = euclidean(single(&codes));
        check_nearest(&codebook, &single(&z), &codebook.assign(&single(&z)).unwrap());
        let (top, _) = codebook.top_k(&single(&z), 3).unwrap();
        assert_eq!(top.column(0), codebook.assign(&single(&z)).unwrap());
        let codebook = euclidean(codes);
        check_nearest(&codebook, &z, &codebook.assign(&z).unwrap());
    }
}

#[test]
fn distances_and_the_next_nearest() {
    for metric in METRICS {
        let (z, codes) = (single(&normal(300, 11, 5)), single(&normal(200, 11, 6)));
        let codebook = Codebook::new(codes, metric).unwrap();
        let (indices, distances) = codebook.assign_with_distances(&z).unwrap();
        assert_eq!(indices, codebook.assign(&z).unwrap());
        let (top, near) = codebook.top_k(&z, 20).unwrap();
        assert_eq!(top.column(0), indices);
        for (i, row) in z.rows().into_iter().enumerate() {
            let mut all: Vec<(f64, usize)> =
                codebook.codes().rows().into_iter().map(|e| distance(metric, &row, &e)).zip(0..).collect();
            all.sort_by(|a, b| a.0.total_cmp(&b.0));
            assert_eq!(top.row(i).to_vec(), all[..20].iter().map(|at| at.1).collect::<Vec<_>>());
            assert!((distances[i] - all[0].0).abs() <= 1e-14 * all[0].0);
            let close = |(got, want): (&f64, &(f64, usize))| (got - want.0).abs() <= 1e-14 * want.0;
            assert!(near.row(i).iter().zip(&all).all(close));
        }
    }
}

fn layouts<T: Compute>(z: &Array2<T>, codebook: &Codebook<T>) {
    for_each_layout_2d(z, |layout, view, standard| {
        let (a, b) = (
            codebook.assign_with_distances(&view).unwrap(),
            codebook.assign_with_distances(standard).unwrap(),
        );
        assert_eq!(a, b, "{layout}");
        assert_eq!(codebook.quantize(&view).unwrap(), codebook.quantize(standard).unwrap(), "{layout}");
    });
}

#[test]
fn do_not_depend_on_the_layout() {
    for (n, d) in [(1, 1), (5, 8), (33, 9), (64, 7), (65, 17), (257, 3)] {
        let (z, codes) = (normal(n, d, 1), normal(13, d, 2));
        layouts(&z, &euclidean(codes.clone()));
        layouts(&single(&z), &euclidean(single(&codes)));
    }
}

#[cfg(feature = "half")]
#[test]
fn of_stored_halves() {
    use half::{bf16, f16};
    let (z, codes) = (normal(200, 10, 1), normal(50, 10, 2));
    let (z16, codes16) = (z.mapv(bf16::from_f64), codes.mapv(f16::from_f64));
    let codebook = Codebook::from_stored(&codes16, Metric::SquaredEuclidean).unwrap();
    let exact = z16.mapv(bf16::to_f32);
    assert_eq!(codebook.assign(&z16).unwrap(), codebook.assign(&exact).unwrap());
    check_nearest(&codebook, &exact, &codebook.assign(&z16).unwrap());
}

#[test]
fn heads_are_codebooks_of_parts() {
    let z = normal(60, 12, 1);
    let books: Vec<_> = (0..3).map(|h| euclidean(normal(9, 4, 10 + h))).collect();
    let heads = Heads::new(books.clone()).unwrap();
    let quantized = heads.quantize(&z).unwrap();
    for (h, book) in books.iter().enumerate() {
        let part = z.slice(s![.., 4 * h..4 * h + 4]);
        assert_eq!(quantized.indices.column(h), book.assign(&part).unwrap());
    }
    assert_eq!(heads.decode(&quantized.indices).unwrap(), quantized.output);
    let gap = &z - &quantized.output;
    let want = gap.mapv(|v| v * v).mean().unwrap();
    assert!((quantized.loss - want).abs() < 1e-14);
}

#[test]
fn k_means_never_gets_worse() {
    for metric in METRICS {
        let data = normal(400, 3, 8);
        let fitted = Codebook::k_means(&data, 12, 15, metric, &mut rng(3)).unwrap();
        let objectives = fitted.objectives;
        assert_eq!(objectives.len(), 16);
        assert!(objectives.windows(2).all(|w| w[1] <= w[0] * (1.0 + 1e-13)), "{objectives:?}");
        assert!(objectives[15] < 0.9 * objectives[0]);
    }
    // Opposite directions: their sum is so short that half of it is 0, and the code stays.
    let opposite = array![[1.0f32, 0.0], [-1.0, 1.4e-45]];
    let fitted = Codebook::k_means(&opposite, 1, 2, Metric::Cosine, &mut rng(1)).unwrap();
    assert_eq!(fitted.codebook.codes()[[0, 0]].abs(), 1.0);
    // Separated clouds: k-means++ finds each.
    let centres = array![[0.0, 0.0], [100.0, 0.0], [0.0, 100.0], [100.0, 100.0]];
    let (above, below) = (&centres + 1.0, &centres - 1.0);
    let data = concatenate![Axis(0), centres, above, below];
    let fitted = Codebook::k_means(&data, 4, 2, Metric::SquaredEuclidean, &mut rng(1)).unwrap();
    assert!((fitted.objectives[2] - 4.0 / 3.0).abs() < 1e-12);
}

/// Codes of one direction are equally near, whatever their lengths.
#[test]
fn of_one_direction_the_first() {
    let mut ties = 0;
    for (a, b) in [(1.0, 3.0), (3.0, 1.0), (5.0, 7.0), (0.1, 1e100)] {
        for direction in [array![1.0, 1.0], array![1.0, 2.0], array![0.3, -0.7]] {
            let codes = ndarray::stack![Axis(0), &direction * a, &direction * b];
            // 0.3·3 is rounded: only directions that stay exact are ties.
            let exact = |v: f64, by: f64| v.mul_add(by, -(v * by)) == 0.0;
            if !direction.iter().all(|v| exact(*v, a) && exact(*v, b)) {
                continue;
            }
            ties += 1;
            let codebook = Codebook::new(codes, Metric::Cosine).unwrap();
            let z = ndarray::stack![Axis(0), direction, &direction * 1e-3, &direction * -1.0];
            assert_eq!(codebook.assign(&z).unwrap().to_vec(), [0, 0, 0], "{a} {b}");
        }
    }
    assert_eq!(ties, 8);
}

/// Vectors whose squares are no normal numbers in f32.
#[test]
fn of_tiny_vectors_by_their_direction() {
    let angles: Vec<f64> = (0..64).map(|k| 0.4 + 1e-5 * f64::from(k)).collect();
    let codes =
        Array2::from_shape_fn((64, 2), |(k, d)| if d == 0 { angles[k].cos() } else { angles[k].sin() });
    for size in [1.0f32, 1e-15, 1e-25, 1e-35, 1e-40] {
        let z = Array2::from_shape_fn((200, 2), |(i, d)| {
            let angle = 0.4 + 3.15e-6 * i as f64;
            size * (if d == 0 { angle.cos() } else { angle.sin() }) as f32
        });
        let codebook = Codebook::new(single(&codes), Metric::Cosine).unwrap();
        check_nearest(&codebook, &z, &codebook.assign(&z).unwrap());
    }
    assert_eq!(argument(Codebook::new(array![[1e-150, 0.0]], Metric::Cosine)), "codes");
}

/// Squares of such elements are no normal numbers.
#[test]
fn codes_that_are_very_near_to_each_other_are_told_apart() {
    let codebook = euclidean(array![[0.0], [3e-162], [-3e-162], [3e-163]]);
    let z = array![[1.8e-162]];
    assert_eq!(codebook.assign(&z).unwrap(), array![1]);
    assert_eq!(codebook.top_k(&z, 4).unwrap().0, array![[1, 3, 0, 2]]);
    for exponent in [-158, -161, -165, -200, -250, -300] {
        let scale = 10f64.powi(exponent);
        let (codes, z) = (normal(40, 1, 5), normal(300, 1, 6));
        // Distances on the line need no squares.
        let nearest = |z: f64, codes: &Array2<f64>| {
            let gap = |k: &usize| (z - codes[[*k, 0]]).abs();
            (0..40).min_by(|a, b| gap(a).total_cmp(&gap(b))).unwrap()
        };
        let (codes, z) = (codes * scale, z * scale);
        let found = euclidean(codes.clone()).assign(&z).unwrap();
        for (z, &found) in z.iter().zip(&found) {
            assert_eq!(found, nearest(*z, &codes), "{z:e}");
        }
    }
}
