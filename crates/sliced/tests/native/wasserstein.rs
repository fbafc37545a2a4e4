//! Powers of the Wasserstein distance: large ones, and points far from what is theirs of the law.

use ndarray::{Array1, array};
use variata_distributions::{StandardLaplace, StandardNormal};
use variata_sliced::{Discrepancy, Distance, Error, Target};

use crate::support::close;

/// Values and slopes of one point by mpmath, 40 digits: quadrature of |y − x|ᵖ φ(x) over 200 pieces of ±60, split at y.
#[test]
fn large_powers_keep_their_digits() {
    let rows: [(f64, f64, f64, f64); 14] = [
        (0.0, 8.5, 178.053_130_735_338_68, 0.0),
        (0.3, 12.25, 22_647.506_885_974_145, 60_518.220_559_552_84),
        (0.0, 20.0, 654_729_075.0, 0.0),
        (0.0, 20.5, 1_389_022_199.392_969_3, 0.0),
        (0.0, 50.0, 5.843_584_144_594_727e31, 0.0),
        (0.0, 100.0, 2.725_392_139_750_729_5e78, 0.0),
        (0.0, 200.0, 6.666_308_670_072_954e186, 0.0),
        (1.5, 20.0, 170_290_477_896.229_67, 652_398_237_248.282_4),
        (1.5, 20.5, 392_180_113_706.581_1, 1_523_789_117_216.984),
        (-3.0, 33.3, 4.367_244_730_416_419e24, -1.962_644_447_184_984_4e25),
        (-3.0, 50.0, 6.471_367_732_118_05e39, -3.724_891_810_447_47e40),
        (6.0, 100.0, 5.298_195_053_562_575e100, 3.951_086_081_608_839e101),
        (12.0, 200.0, 6.562_195_198_904_722e246, 6.150_236_791_005_218e247),
        (40.0, 50.0, 2.666_260_864_975_443e80, 3.236_516_766_202_266e80),
    ];
    for (y, p, want, slope) in rows {
        let distance = Discrepancy::new(Distance::Wasserstein { p });
        for discrepancy in [distance, distance.against(&StandardNormal)] {
            let (value, grad): (f64, Array1<f64>) = discrepancy.value_with_grad(&array![y]).unwrap();
            close(&format!("{discrepancy:?} of {y}"), value, want, 1e-10);
            assert!((grad[0] - slope).abs() <= 1e-10 * slope.abs().max(want), "{y} {p}: {} {slope}", grad[0]);
        }
    }
    // The same cell by cell, where the middle one has little.
    for (p, want, slopes) in [
        (
            20.0,
            766_919.702_030_901_1,
            [3_922_589.102_004_681, 2.657_612_809_642_606e-7, -69_994.619_600_146_31],
        ),
        (
            20.5,
            1_518_521.646_863_233_4,
            [7_853_760.269_248_662, 1.866_781_781_560_844_8e-7, -136_391.558_739_375_7],
        ),
    ] {
        let (value, grad) = Distance::Wasserstein { p }.value_with_grad(&array![-1.25, 0.0625, 2.0]).unwrap();
        close(&format!("{p}"), value, want, 1e-10);
        for (got, want) in grad.iter().zip(slopes) {
            close(&format!("slope, {p}"), *got, want, 1e-10);
        }
    }
}

/// What is infinite is no missing part of a sum.
#[test]
fn powers_that_overflow_are_errors() {
    let overflow = Error::Overflow { quantity: "the Wasserstein distance", element: "f64" };
    for (y, p) in [(40.0, 1000.0), (0.0, 1000.0), (30.0, 250.0), (40.0, 200.0)] {
        let distance = Discrepancy::new(Distance::Wasserstein { p });
        for discrepancy in [distance, distance.against(&StandardNormal)] {
            assert_eq!(discrepancy.value(&array![y]), Err(overflow.clone()), "{discrepancy:?} of {y}");
            assert_eq!(discrepancy.value_with_grad(&array![y]), Err(overflow.clone()));
        }
    }
    // Powers of quantiles of 10⁻³⁰⁰ are no numbers, and have no part in this: 2^(p/2) Γ((p + 1)/2)/√π of p = 250.
    for discrepancy in [
        Discrepancy::new(Distance::Wasserstein { p: 250.0 }),
        Discrepancy::new(Distance::Wasserstein { p: 250.0 }).against(&StandardNormal),
    ] {
        close("p = 250", discrepancy.value(&array![0.0]).unwrap(), 4.037_021_660_823_291e245, 1e-10);
    }
    for p in [1e5, 1e10, 1e300, f64::MAX] {
        assert_eq!(Distance::Wasserstein { p }.value(&array![0.1, 40.0, -1e8]), Err(overflow.clone()));
    }
}

/// Of a cell whose point lies in a tail, what is beside the kink begins next to where the quantile function is singular. mpmath, 40 digits:
/// quadrature over x with the density, split at y; of one point for p = 1 and 2 in closed form, |y| + e^(−|y|) and y² + 2.
#[test]
fn points_in_the_tails_of_a_law_keep_their_digits() {
    let rows: [(&dyn Target, f64, f64, f64, f64); 6] = [
        (&StandardLaplace, 10.0, 1.0, 10.000_045_399_929_762, 0.999_954_600_070_237_5),
        (&StandardLaplace, 10.0, 1.5, 31.861_974_370_953_418, 4.730_974_571_277_104),
        (&StandardLaplace, 10.0, 2.0, 102.0, 20.0),
        (&StandardLaplace, 10.0, 2.5, 328.055_353_324_931_3, 79.654_785_047_482_91),
        (&StandardNormal, 4.0, 1.0, 4.000_014_290_516_865, 0.999_936_657_516_333_8),
        (&StandardNormal, 4.0, 2.0, 17.0, 8.0),
    ];
    for (target, y, p, want, slope) in rows {
        let discrepancy = Discrepancy::new(Distance::Wasserstein { p }).against(target);
        for sign in [-1.0, 1.0] {
            let (value, grad): (f64, Array1<f64>) = discrepancy.value_with_grad(&array![sign * y]).unwrap();
            close(&format!("{discrepancy:?} of {y}"), value, want, 1e-10);
            close(&format!("slope, {discrepancy:?} of {y}"), grad[0], sign * slope, 1e-10);
        }
    }
    // Cells from 2⁻²⁰ on, over half of the law and six decades of its quantiles.
    let weights = [0.5f64.powi(20), 0.5 - 0.5f64.powi(20), 0.5];
    for (p, want, slopes) in [
        (
            1.0,
            1.003_204_976_339_075_8,
            [-8.411_391_416_869_909e-7, -0.364_665_670_437_703_7, 0.132_120_558_828_557_7],
        ),
        (2.0, 1.499_861_951_541_845_4, [-3.490_836_275_789_335_5e-6, -1.000_023_212_044_583_6, 0.0]),
        (
            2.5,
            2.047_819_040_253_122_6,
            [-6.497_730_763_991_769e-6, -1.507_613_950_218_481_2, -0.227_397_173_451_020_64],
        ),
    ] {
        let law = Discrepancy::new(Distance::Wasserstein { p }).against(&StandardLaplace).weighted(&weights);
        let (value, grad): (f64, Array1<f64>) = law.value_with_grad(&array![-16.0, -2.0, 1.0]).unwrap();
        close(&format!("{p}"), value, want, 1e-10);
        for (got, want) in grad.iter().zip(slopes) {
            assert!((got - want).abs() <= 1e-10 * want.abs().max(1e-3), "{p}: {got} {want}");
        }
    }
    // The closed form 1 + mean y² − 2 mean y m, whose 40 digits are enough.
    let y = Array1::from_shape_fn(49, |k| (k as f64 - 24.0) / 8.0);
    let normal = Discrepancy::new(Distance::WASSERSTEIN_2).against(&StandardNormal);
    let (value, grad) = normal.value_with_grad(&y).unwrap();
    close("49", value, 0.671_962_039_192_060_1, 1e-10);
    for (k, want) in [(0, -0.023_939_599_243_163_29), (1, -0.040_658_198_840_670_22)] {
        close("slope of 49", grad[k], want, 1e-10);
        close("slope of 49", grad[48 - k], -want, 1e-10);
    }
}

/// Cells that end just before their point, and large powers within them. mpmath, 40 digits: quadrature over x, cell by cell, split at the
/// points.
#[test]
fn kinks_beside_a_cell_keep_their_digits() {
    let rows: [(f64, Vec<f64>, f64, Vec<f64>); 2] = [
        (
            1.5,
            vec![-1.171_875, -0.917_968_75, -0.432_617_187_5, 1.398_437_5, 1.509_765_625, 1.870_117_187_5],
            0.507_898_457_669_488_5,
            vec![
                0.093_544_634_546_159_58,
                -0.108_236_695_398_350_17,
                -0.111_114_345_713_489_86,
                0.271_928_595_683_460_5,
                0.226_373_052_728_072_8,
                0.118_778_125_981_442_56,
            ],
        ),
        (
            39.5,
            vec![-3.0625, 2.519_531_25, 2.859_375],
            9.963_606_505_790_812e16,
            vec![-1.386_468_929_441_185_8e16, 1.353_856_900_218_903_3e18, -1.860_230_144_679_314_6e14],
        ),
    ];
    for (p, y, want, slopes) in rows {
        let distance = Discrepancy::new(Distance::Wasserstein { p });
        for discrepancy in [distance, distance.against(&StandardNormal)] {
            let (value, grad) = discrepancy.value_with_grad(&Array1::from(y.clone())).unwrap();
            close(&format!("{discrepancy:?}"), value, want, 1e-10);
            for (got, want) in grad.iter().zip(&slopes) {
                close(&format!("slope, {discrepancy:?}"), *got, *want, 1e-10);
            }
        }
    }
}

/// A point of next to no weight leaves the other a step that begins at 1e-20: no quantile is asked for at 0.
#[test]
fn a_step_that_begins_far_below_its_roundings_is_no_overflow() {
    for p in [1.0, 2.0, 3.0, 1.5] {
        for (weight, y) in [(1e-20, 1.0), (1e-20, -1.3), (1e-18, -1.2815515655446004), (2e-17, 0.0)] {
            let distance = Discrepancy::new(Distance::Wasserstein { p }).against(&StandardNormal);
            let light = distance.weighted(&[weight, 1.0]).value(&array![-1.0, y]).unwrap();
            close(&format!("{p}, {y}"), light, distance.value(&array![y]).unwrap(), 1e-10);
        }
    }
}
