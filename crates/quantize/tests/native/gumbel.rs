//! Gumbel-softmax against the formula in f64, its gradients, its limits and its law.

use ndarray::{Array1, Array2, ArrayRef2, Axis, array, concatenate, s};
use variata_quantize::{Codebook, Compute, GumbelSoftmax, Noise, Schedule, SoftUsage, gumbel_noise};
use variata_testkit::compare::assert_relative;
use variata_testkit::finite_difference::assert_gradient;
use variata_testkit::statistics::{
    assert_binomial, assert_chi_square, assert_ks, assert_rejects, seed, try_binomial, try_chi_square,
};

use crate::support::{euclidean, normal, single};
use crate::threads::on_any;

/// (−‖z − e‖² + g)/τ, softmax and sum as they are written.
fn formula(
    z: &Array2<f64>,
    codes: &Array2<f64>,
    noise: &Array2<f64>,
    temperature: f64,
) -> (Array2<f64>, Array2<f64>) {
    let mut weights = noise.clone();
    for ((i, k), x) in weights.indexed_iter_mut() {
        let gap = &z.row(i) - &codes.row(k);
        *x -= gap.dot(&gap);
    }
    for mut row in weights.rows_mut() {
        let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        row.mapv_inplace(|x| ((x - most) / temperature).exp());
        let sum = row.sum();
        row /= sum;
    }
    let output = weights.dot(codes);
    (weights, output)
}

fn soft(temperature: f64) -> GumbelSoftmax {
    GumbelSoftmax { temperature, hard: false }
}

#[test]
fn is_the_formula() {
    for (n, k, d) in [(1, 1, 1), (5, 3, 2), (33, 95, 7), (70, 96, 5), (40, 97, 13), (65, 300, 20)] {
        for temperature in [0.3, 1.0, 10.0] {
            let (z, codes) = (normal(n, d, 1), normal(k, d, 2));
            let drawn = gumbel_noise::<f64>(9, 50, n, k).unwrap();
            let seeded = Noise::Seeded { seed: 9, first_row: 50 };
            for (noise, values) in
                [(Noise::None, &Array2::zeros((n, k))), (Noise::Given(&drawn), &drawn), (seeded, &drawn)]
            {
                let (weights, output) = formula(&z, &codes, values, temperature);
                let found = soft(temperature).forward(&euclidean(codes.clone()), &z, noise).unwrap();
                let gap = (&found.output - &output).iter().fold(0.0f64, |max, v| max.max(v.abs()));
                assert!(gap < 1e-12, "{n} {k} {d} {temperature}: {gap:e}");
                let made = soft(temperature).weights(&euclidean(codes.clone()), &z, noise).unwrap();
                assert!((&made - &weights).iter().all(|v| v.abs() < 1e-13));
                for (row, &index) in weights.rows().into_iter().zip(&found.indices) {
                    assert!(row.iter().all(|w| *w <= row[index] * (1.0 + 1e-12)));
                }
                // f32: logits of some 50 at τ are off by 50·2⁻²⁴·(D + 8)/τ at most.
                let near = match noise {
                    Noise::Given(noise) => Some(single(&noise.to_owned())),
                    _ => None,
                };
                let noise = near.as_ref().map_or(Noise::None, |noise| Noise::Given(noise));
                if near.is_some() {
                    let found =
                        soft(temperature).forward(&euclidean(single(&codes)), &single(&z), noise).unwrap();
                    let gap = (found.output.mapv(f64::from) - &output)
                        .iter()
                        .fold(0.0f64, |max, v| max.max(v.abs()));
                    assert!(gap < 1e-4 / temperature.min(1.0), "{n} {k} {d} {temperature}: {gap:e}");
                }
            }
        }
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    for (n, k, d, temperature) in [(3, 4, 2, 0.7), (4, 100, 3, 2.0), (2, 7, 5, 10.0)] {
        let (z, codes, g) = (normal(n, d, 1), normal(k, d, 2), normal(n, d, 3));
        let seeded = Noise::Seeded { seed: 4, first_row: 0 };
        let shaped = |v: &[f64], rows| Array2::from_shape_vec((rows, d), v.to_vec()).unwrap();
        let value = |z: &Array2<f64>, codes: &Array2<f64>, temperature: f64| {
            (soft(temperature).forward(&euclidean(codes.clone()), z, seeded).unwrap().output * &g).sum()
        };
        let codebook = euclidean(codes.clone());
        let found = soft(temperature).forward(&codebook, &z, seeded).unwrap();
        let grad = soft(temperature).backward(&codebook, &z, seeded, &found, &g).unwrap();
        let of = |grad: &Array2<f64>| grad.iter().copied().collect::<Vec<_>>();
        let all: Vec<f64> = of(&z);
        assert_gradient(
            "z",
            |v| value(&shaped(v, n), &codes, temperature),
            &all,
            &vec![0.3; n * d],
            |_| of(&grad.z),
            1e-9,
        );
        let all: Vec<f64> = of(&codes);
        assert_gradient(
            "codes",
            |v| value(&z, &shaped(v, k), temperature),
            &all,
            &vec![0.3; k * d],
            |_| of(&grad.codes),
            1e-9,
        );
        assert_gradient(
            "temperature",
            |t| value(&z, &codes, t[0]),
            &[temperature],
            &[temperature],
            |_| vec![grad.temperature],
            1e-9,
        );
        // Hard: the same gradient.
        let hard = GumbelSoftmax { temperature, hard: true };
        let sharp = hard.forward(&codebook, &z, seeded).unwrap();
        assert_eq!(sharp.output, codebook.decode(&sharp.indices).unwrap());
        assert_eq!(hard.backward(&codebook, &z, seeded, &sharp, &g).unwrap(), grad);
    }
}

/// Relative to the largest element of each gradient.
#[test]
fn gradients_in_single_precision_are_those_in_double() {
    let (z, codes, g) = (normal(300, 16, 1), normal(200, 16, 2), normal(300, 16, 3));
    for (offset, temperature) in [(0.0, 10.0), (0.0, 1.0), (1e4, 10.0)] {
        let (z32, codes32, g32) = (single(&(&z + offset)), single(&(&codes + offset)), single(&g));
        let (z64, codes64, g64) = (z32.mapv(f64::from), codes32.mapv(f64::from), g32.mapv(f64::from));
        let noise32 = gumbel_noise::<f32>(3, 0, 300, 200).unwrap();
        let noise64 = noise32.mapv(f64::from);
        let (a, b) = (euclidean(codes32), euclidean(codes64));
        let found32 = soft(temperature).forward(&a, &z32, Noise::Given(&noise32)).unwrap();
        let found64 = soft(temperature).forward(&b, &z64, Noise::Given(&noise64)).unwrap();
        let grad32 = soft(temperature).backward(&a, &z32, Noise::Given(&noise32), &found32, &g32).unwrap();
        let grad64 = soft(temperature).backward(&b, &z64, Noise::Given(&noise64), &found64, &g64).unwrap();
        let far = |a: &Array2<f32>, b: &Array2<f64>| {
            let size = b.iter().fold(0.0f64, |max, v| max.max(v.abs()));
            (a.mapv(f64::from) - b).iter().fold(0.0f64, |max, v| max.max(v.abs())) / size
        };
        let (z, codes) = (far(&grad32.z, &grad64.z), far(&grad32.codes, &grad64.codes));
        let temperature = (grad32.temperature / grad64.temperature - 1.0).abs();
        assert!(z < 1e-5 && codes < 1e-5 && temperature < 1e-4, "{offset}: {z:e} {codes:e} {temperature:e}");
    }
}

#[test]
fn is_finite_for_every_temperature_noise_and_logit() {
    let z = single(&(normal(40, 3, 1) * 40.0));
    let codebook = euclidean(single(&(normal(130, 3, 2) * 40.0)));
    let loud = Array2::from_shape_fn((40, 130), |(i, k)| if (i + k) % 3 == 0 { 40.0f32 } else { -40.0 });
    for temperature in [0.0, 5e-324, 1e-30, 1e-3, 1.0, 10.0, 1e30, f64::INFINITY] {
        for noise in [Noise::None, Noise::Given(&loud), Noise::Seeded { seed: 1, first_row: u64::MAX - 5 }] {
            for hard in [false, true] {
                let options = GumbelSoftmax { temperature, hard };
                let found = options.forward(&codebook, &z, noise).unwrap();
                assert!(found.output.iter().all(|v| v.is_finite()), "{temperature}");
                let grad = options.backward(&codebook, &z, noise, &found, &z).unwrap();
                assert!(
                    grad.temperature.is_finite() || temperature < 1e-20,
                    "{temperature}: {}",
                    grad.temperature
                );
                assert!(!grad.temperature.is_nan());
                let all = grad.z.iter().chain(&grad.codes);
                assert!(all.clone().all(|v| v.is_finite()), "{temperature} {noise:?}");
                let weights = options.weights(&codebook, &z, noise).unwrap();
                for row in weights.rows() {
                    let sum: f64 = row.iter().map(|w| f64::from(*w)).sum();
                    assert!((sum - 1.0).abs() < 1e-5, "{temperature}: {sum}");
                }
            }
        }
    }
}

/// The sum that the forward pass makes in f32 loses up to half an ulp at each of 97 terms.
#[test]
fn weights_in_single_precision_sum_to_1() {
    let mut rows = 0;
    for seed in 0..8 {
        let codebook = euclidean(single(&normal(97, 4, 2 * seed)));
        let z = single(&normal(200, 4, 2 * seed + 1));
        for temperature in [0.3, 1.0, 10.0] {
            for noise in [Noise::None, Noise::Seeded { seed, first_row: 0 }] {
                for row in soft(temperature).weights(&codebook, &z, noise).unwrap().rows() {
                    let sum: f64 = row.iter().map(|w| f64::from(*w)).sum();
                    // Each weight is rounded once, by half an ulp of itself at most.
                    let ulp = f64::from(f32::EPSILON);
                    assert!((sum - 1.0).abs() <= 1.01 * ulp, "{temperature} {noise:?}: {:e}", sum - 1.0);
                    rows += 1;
                }
            }
        }
    }
    assert_eq!(rows, 9600);
}

#[test]
fn gradients_vanish_where_one_code_has_all_the_weight() {
    fn check<T: Compute>(z: &Array2<T>, codebook: &Codebook<T>, up: &Array2<T>) {
        for temperature in [1e-6, 1e-8, 1e-16, 1e-30, 1e-300] {
            for noise in [Noise::None, Noise::Seeded { seed: 9, first_row: 4 }] {
                let options = GumbelSoftmax { temperature, hard: false };
                let found = options.forward(codebook, z, noise).unwrap();
                let grad = options.backward(codebook, z, noise, &found, up).unwrap();
                assert!(grad.z.iter().all(|g| *g == T::ZERO), "{temperature}");
                assert_eq!(grad.temperature, 0.0);
                // Codes have the gradient of one-hot weights.
                let sharp = GumbelSoftmax { temperature: 0.0, hard: false };
                let want = sharp.backward(codebook, z, noise, &found, up).unwrap();
                for (got, want) in grad.codes.iter().zip(&want.codes) {
                    assert!((got.to_f64() - want.to_f64()).abs() < 1e-5, "{temperature} {noise:?}");
                }
            }
        }
    }
    // Not a whole number of panels.
    let (z, codes, up) = (normal(50, 4, 1), normal(20, 4, 2), normal(50, 4, 3));
    check(&z, &euclidean(codes.clone()), &up);
    check(&single(&z), &euclidean(single(&codes)), &single(&up));
}

/// Two equal codes share the weight: the gradient in z is 0 at every temperature.
#[test]
fn equal_codes_do_not_pull() {
    let z = single(&normal(40, 3, 1));
    let codebook = euclidean(array![[0.3f32, -1.2, 0.7], [0.3, -1.2, 0.7]]);
    let up = single(&normal(40, 3, 2));
    for temperature in [1e-30, 1e-10, 1e-3, 10.0] {
        let found = soft(temperature).forward(&codebook, &z, Noise::None).unwrap();
        let grad = soft(temperature).backward(&codebook, &z, Noise::None, &found, &up).unwrap();
        let largest = grad.z.iter().fold(0.0f32, |max, v| max.max(v.abs()));
        assert!(largest < 1e-5, "{temperature}: {largest:e}");
    }
}

#[test]
fn any_layout_and_no_rows() {
    let (z, codes, noise, up) = (normal(70, 5, 1), normal(33, 5, 2), normal(70, 33, 3), normal(70, 5, 4));
    let codebook = euclidean(codes);
    let run = |z: &ArrayRef2<f64>, noise: &ArrayRef2<f64>, up: &ArrayRef2<f64>| {
        let noise = Noise::Given(noise);
        let found = soft(0.7).forward(&codebook, z, noise).unwrap();
        let grad = soft(0.7).backward(&codebook, z, noise, &found, up).unwrap();
        (found, grad)
    };
    let turned = |x: &Array2<f64>| x.t().as_standard_layout().into_owned();
    let backwards = |x: &Array2<f64>| x.slice(s![..;-1, ..]).as_standard_layout().into_owned();
    let want = run(&z, &noise, &up);
    assert_eq!(run(&turned(&z).t(), &turned(&noise).t(), &turned(&up).t()), want);
    let (z2, noise2, up2) = (backwards(&z), backwards(&noise), backwards(&up));
    assert_eq!(run(&z2.slice(s![..;-1, ..]), &noise2.slice(s![..;-1, ..]), &up2.slice(s![..;-1, ..])), want);

    let (none, quiet) = (Array2::zeros((0, 5)), Array2::zeros((0, 33)));
    let (found, grad) = run(&none, &quiet, &none);
    assert_eq!((found.output.dim(), grad.codes.sum()), ((0, 5), 0.0));
    let loud = Array2::from_elem((70, 33), f32::MAX);
    let single_book = euclidean(single(codebook.codes()));
    let refused = soft(1.0).forward(&single_book, &single(&z), Noise::Given(&loud)).unwrap_err();
    assert!(refused.to_string().contains("at most 1e37"));
}

#[test]
fn of_logits_of_ten_thousand() {
    // Squared distances of 10⁴ and more, whose differences are of order 1.
    let codes = Array2::from_shape_fn((200, 1), |(k, _)| k as f64 * 0.01);
    let z = array![[100.0], [-100.0], [101.0]];
    let none = Array2::zeros((3, 200));
    let (_, output) = formula(&z, &codes, &none, 1.0);
    let found = soft(1.0).forward(&euclidean(codes.clone()), &z, Noise::None).unwrap();
    assert!((&found.output - &output).iter().all(|v| v.abs() < 1e-11));
    // Given noise of ±10⁴.
    let loud =
        Array2::from_shape_fn((3, 200), |(i, k)| if k % 2 == i % 2 { 1e4 } else { -1e4 } + (k % 7) as f64);
    let (_, output) = formula(&z, &codes, &loud, 1.0);
    let found = soft(1.0).forward(&euclidean(codes), &z, Noise::Given(&loud)).unwrap();
    assert!((&found.output - &output).iter().all(|v| v.abs() < 1e-10));
}

#[test]
fn grows_hard_and_grows_flat() {
    let (z, codes) = (normal(50, 4, 1), normal(30, 4, 2));
    let codebook = euclidean(codes.clone());
    let seeded = Noise::Seeded { seed: 2, first_row: 0 };
    let sharp = soft(0.0).forward(&codebook, &z, seeded).unwrap();
    assert_eq!(sharp.output, codebook.decode(&sharp.indices).unwrap());
    let mut last = f64::INFINITY;
    for temperature in [3.0, 1.0, 0.3, 0.1, 1e-2, 1e-6] {
        let found = soft(temperature).forward(&codebook, &z, seeded).unwrap();
        assert_eq!(found.indices, sharp.indices);
        let gap = (&found.output - &sharp.output).mapv(|v| v * v).sum();
        assert!(gap <= last, "{temperature}: {gap}");
        last = gap;
    }
    assert!(last < 1e-12);
    let flat = soft(f64::INFINITY).forward(&codebook, &z, seeded).unwrap();
    let mean = codes.mean_axis(Axis(0)).unwrap();
    assert!(flat.output.rows().into_iter().all(|row| (&row - &mean).iter().all(|v| v.abs() < 1e-14)));
    // Ties at 0 go to the lowest index, without noise as in `assign`.
    let twice = euclidean(concatenate![Axis(0), codes, codes]);
    let found = soft(0.0).forward(&twice, &z, Noise::None).unwrap();
    assert_eq!(found.indices, codebook.assign(&z).unwrap());
    // Copies share their weight.
    let (once, both) =
        (soft(1.0).forward(&codebook, &z, Noise::None), soft(1.0).forward(&twice, &z, Noise::None));
    assert!((once.unwrap().output - both.unwrap().output).iter().all(|v| v.abs() < 1e-14));
}

#[test]
fn batches_may_be_split() {
    let (z, codebook) = (single(&normal(2500, 6, 1)), euclidean(single(&normal(50, 6, 2))));
    let noise = |first_row| Noise::Seeded { seed: 8, first_row };
    let whole = soft(2.0).forward(&codebook, &z, noise(100)).unwrap();
    let (a, b) = (z.slice(s![..999, ..]), z.slice(s![999.., ..]));
    let (a, b) = (
        soft(2.0).forward(&codebook, &a, noise(100)).unwrap(),
        soft(2.0).forward(&codebook, &b, noise(1099)).unwrap(),
    );
    assert_eq!(whole.output, concatenate![Axis(0), a.output, b.output]);
    on_any(|| {
        let found = soft(2.0).forward(&codebook, &z, noise(0)).unwrap();
        let grad = soft(2.0).backward(&codebook, &z, noise(0), &found, &z).unwrap();
        (found, grad)
    });
    let given = gumbel_noise::<f32>(8, 0, 2500, 50).unwrap();
    let found = soft(2.0).forward(&codebook, &z, Noise::Given(&given)).unwrap();
    assert_eq!(found, soft(2.0).forward(&codebook, &z, noise(0)).unwrap());
}

/// The code of the largest perturbed logit is drawn from the softmax of the logits.
#[test]
fn choices_follow_the_softmax() {
    let codes = normal(12, 2, 5) * 0.6;
    let z = array![[0.1, -0.2]];
    let (weights, _) = formula(&z, &codes, &Array2::zeros((1, 12)), 1.0);
    let counts = |codebook: &Codebook<f32>, seed| {
        let z = Array2::from_shape_fn((1_000_000, 2), |(_, d)| z[[0, d]] as f32);
        let options = GumbelSoftmax { temperature: 10.0, hard: true };
        let found = options.forward(codebook, &z, Noise::Seeded { seed, first_row: 0 }).unwrap();
        let mut counts = vec![0u64; 12];
        found.indices.iter().for_each(|&k| counts[k] += 1);
        counts
    };
    let name = "chi2_gumbel_softmax";
    let weights = weights.row(0).to_vec();
    assert_chi_square(name, &counts(&euclidean(single(&codes)), seed(11)), &weights);
    // The mutant: logits that count double.
    let wide = euclidean(single(&((&codes - &z) * 1.05 + &z)));
    assert_rejects(name, &try_chi_square(name, &counts(&wide, 12), &weights));
}

#[test]
fn noise_is_gumbel_with_its_tails() {
    let noise = gumbel_noise::<f32>(seed(21), 0, 20_000, 100).unwrap();
    let mut values: Vec<f64> = noise.iter().map(|g| f64::from(*g)).collect();
    assert!(values.iter().all(|g| g.is_finite()));
    assert_ks("ks_gumbel", &values[..1_000_000], |x| (-(-x).exp()).exp());
    // P(g > x) = 1 − exp(−e⁻ˣ).
    let above = |x: f64| values.iter().filter(|g| **g > x).count() as u64;
    let n = values.len() as u64;
    for x in [8.0, 10.0] {
        assert_binomial("tail_gumbel_noise", above(x), n, -(-(-x).exp()).exp_m1());
    }
    let cut = values.iter().filter(|g| **g > 8.0 && **g < 8.5).count() as u64;
    assert_rejects(
        "tail_gumbel_noise",
        &try_binomial("tail_gumbel_noise", cut, n, -(-(-8f64).exp()).exp_m1()),
    );
    values.sort_by(f64::total_cmp);
    assert!(values[0] > -3.5 && values[0] < -2.4);
    // f64 differs in the last bits of the uniform number only.
    let double = gumbel_noise::<f64>(seed(21), 0, 20_000, 100).unwrap();
    assert!(noise.iter().zip(&double).all(|(a, b)| (f64::from(*a) - b).abs() < 3e-4));
    let close =
        noise.iter().zip(&double).filter(|(a, b)| (f64::from(**a) - **b).abs() < 2e-6 * (1.0 + b.abs()));
    assert!(close.count() > 1_990_000);
}

/// Another seed, row or code is another number.
#[test]
fn noise_depends_on_all_of_its_address() {
    let base = gumbel_noise::<f64>(1, 0, 64, 64).unwrap();
    let mut all: Vec<f64> = base.iter().copied().collect();
    for (seed, first_row) in [(2, 0), (1 << 40, 0), (1, 64), (1, 1 << 33), (u64::MAX, 0)] {
        all.extend(gumbel_noise::<f64>(seed, first_row, 64, 64).unwrap());
    }
    all.sort_by(f64::total_cmp);
    assert!(all.windows(2).all(|w| w[0] != w[1]));
}

#[test]
fn usage_of_soft_assignments() {
    let (z, codebook) = (normal(80, 3, 1), euclidean(normal(17, 3, 2)));
    let found = soft(1.5).usage(&codebook, &z).unwrap();
    let (weights, _) = formula(&z, codebook.codes(), &Array2::zeros((80, 17)), 1.5);
    let entropy = |w: &Array1<f64>| -w.iter().map(|w| w * w.ln()).sum::<f64>();
    let mean = weights.mean_axis(Axis(0)).unwrap();
    let rows = weights.rows().into_iter().map(|row| entropy(&row.to_owned())).sum::<f64>() / 80.0;
    assert!((&found.weights - &mean).iter().all(|v| v.abs() < 1e-14));
    assert!((found.mean_entropy - entropy(&mean)).abs() < 1e-13 && (found.row_entropy - rows).abs() < 1e-13);
    let sharp = soft(0.0).usage(&codebook, &z).unwrap();
    assert_eq!(sharp.row_entropy, 0.0);
    let flat = soft(f64::INFINITY).usage(&codebook, &z).unwrap();
    // A sum of 80·17 equal terms, one after the other.
    let bound = 80.0 * 17.0 * f64::EPSILON * 17f64.ln();
    assert!((flat.row_entropy - 17f64.ln()).abs() < bound && (flat.mean_entropy - 17f64.ln()).abs() < bound);
}

/// Values by mpmath with 50 digits: log(1 + e^−b) + b e^−b/(1 + e^−b), b the difference of the squared distances.
#[test]
fn usage_where_one_code_has_nearly_all_the_weight() {
    let usage = |found: SoftUsage, want| {
        assert_relative("row", found.row_entropy, want, 1e-14, 0.0);
        assert_relative("mean", found.mean_entropy, want, 1e-14, 0.0);
    };
    let of = |code: f64| soft(1.0).usage(&euclidean(array![[0.0], [code]]), &array![[0.0]]).unwrap();
    usage(of(6.0), 8.582234471901204773e-15);
    usage(of(4.5), 3.4111096119226536754e-8);
    let single = euclidean(array![[0.0f32], [4.5]]);
    usage(soft(1.0).usage(&single, &array![[0.0f32]]).unwrap(), 3.4111096119226536754e-8);
}

#[test]
fn schedules_fall() {
    let all = [
        Schedule::constant(10.0).unwrap(),
        Schedule::exponential(5.0, 0.5, 1e-3).unwrap(),
        Schedule::linear(5.0, 0.0, 1000).unwrap(),
        Schedule::cosine(5.0, 0.5, 1000).unwrap(),
    ];
    for schedule in &all {
        assert!((0..3000).all(|step| schedule.at(step + 1) <= schedule.at(step)));
    }
    assert_eq!(all[0].at(u64::MAX), 10.0);
    assert!((all[1].at(1000) - 5.0 / std::f64::consts::E).abs() < 1e-14);
    assert_eq!((all[2].at(0), all[2].at(500), all[2].at(1000)), (5.0, 2.5, 0.0));
    assert!((all[3].at(500) - 2.75).abs() < 1e-14 && all[3].at(5000) == 0.5);
    assert_eq!(Schedule::linear(2.0, 1.0, 0).unwrap().at(0), 1.0);
}

/// Slopes of opposite signs meet in f64: partial sums in f32 would not be numbers.
#[test]
fn slopes_near_the_largest_number_add_up() {
    let codebook = euclidean(array![[-1.0f32], [1.0]]);
    let z = Array2::<f32>::zeros((32, 1));
    let found = soft(1.0).forward(&codebook, &z, Noise::None).unwrap();
    let upstream = Array2::from_shape_fn((32, 1), |(row, _)| if row % 2 == 0 { 1e38f32 } else { -1e38 });
    let grad = soft(1.0).backward(&codebook, &z, Noise::None, &found, &upstream).unwrap();
    assert!(grad.codes.iter().all(|v| v.is_finite()), "{:?}", grad.codes);
}
