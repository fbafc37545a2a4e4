//! Powers of the Wasserstein distance: large ones, and points far from what is theirs of the law.

use ndarray::{Array1, array};
use variata_distributions::StandardNormal;
use variata_sliced::{Discrepancy, Distance, Error};

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
