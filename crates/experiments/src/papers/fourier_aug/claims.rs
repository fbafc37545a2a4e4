//! What the paper claims, and how each claim is tested.

use variata_fourier_aug::AugmentationSet as Set;
use variata_report::{Claim, Criterion};

use super::measure::{Attack, ModelResult, SeedResult};
use crate::page::by_seed;

/// A quantity of AugSVF over the smallest among others.
fn over(r: &SeedResult, others: &[Set], f: impl Fn(&ModelResult) -> f64) -> f64 {
    let of = |set: Set| r.get(set).map_or(f64::NAN, &f);
    let least = others.iter().map(|&set| of(set)).fold(f64::INFINITY, f64::min);
    of(Set::AugSVF) / least
}

/// The same of the strongest attack.
fn attacked(r: &SeedResult, f: impl Fn(&Attack) -> f64) -> f64 {
    over(r, &[Set::Base, Set::AugSV], |m| m.strongest().map_or(f64::NAN, &f))
}

pub(super) fn claims(results: &[SeedResult]) -> Vec<Claim> {
    let both = [Set::Base, Set::AugSV];
    let has = |set| results.iter().all(|r| r.get(set).is_some());
    let mut all = Vec::new();
    if has(Set::AugSVF) && has(Set::AugSV) {
        all.extend([
            Claim::new("robust", "AugSVF has fewer errors under common corruptions than Base and AugSV.", "Table 1")
                .tested_by("Mean error over fifteen corruptions and five severities: AugSVF over the better of the two", "ratio")
                .paper_reports("9.9/10.9 = 0.91 on CIFAR-10-C, 34.8/36.3 = 0.96 on CIFAR-100-C")
                .judge(Criterion::Below(1.0), &by_seed(results, |r| over(r, &both, |m| m.mean_corrupted().error))),
            Claim::new("calibrated", "Its confidence is better calibrated there.", "Table 1")
                .tested_by("Mean RMS calibration error over corruptions and severities: AugSVF over the better of the two", "ratio")
                .paper_reports("6.7/7.6 = 0.88 on CIFAR-10-C, 12.1/13.8 = 0.88 on CIFAR-100-C")
                .judge(Criterion::Below(1.0), &by_seed(results, |r| over(r, &both, |m| m.mean_corrupted().rms))),
            Claim::new("calibrated-clean", "And on clean images.", "Table 1")
                .tested_by("RMS calibration error of clean test images: AugSVF over the better of the two", "ratio")
                .paper_reports("3.3/3.6 = 0.92 on CIFAR-10, 7.0/7.4 = 0.95 on CIFAR-100")
                .judge(Criterion::Below(1.0), &by_seed(results, |r| over(r, &both, |m| m.clean.rms))),
            Claim::new("flat", "Waves of a phase and a norm that it was not trained with do far less to it.", "Section 3.2, table 2, figure 1")
                .tested_by("Mean error over all waves of the largest norm: AugSVF over the better of the two", "ratio")
                .paper_reports("19/53 = 0.36 on CIFAR-10, 43/78 = 0.55 on CIFAR-100")
                .judge(Criterion::Below(0.75), &by_seed(results, |r| attacked(r, |a| a.error.0))),
            Claim::new("worst", "So does the worst of them.", "Table 2")
                .tested_by("Largest error among all waves of the largest norm: AugSVF over the better of the two", "ratio")
                .paper_reports("44/90 = 0.49 on CIFAR-10, 69/99 = 0.70 on CIFAR-100")
                .judge(Criterion::Below(0.75), &by_seed(results, |r| attacked(r, |a| a.error.1))),
            Claim::new("attack-calibration", "Under attack its confidence stays better calibrated.", "Table 2")
                .tested_by("Mean RMS calibration error over all waves of the largest norm: AugSVF over the better of the two", "ratio")
                .paper_reports("13/37 = 0.35 on CIFAR-10, 17/52 = 0.33 on CIFAR-100")
                .judge(Criterion::Below(0.75), &by_seed(results, |r| attacked(r, |a| a.rms.0))),
            Claim::new("no-cost", "On clean images this costs nothing.", "Section 4")
                .tested_by("Error of clean test images: AugSVF less Base", "difference")
                .paper_reports("5.2 − 5.7 = −0.5 % on CIFAR-10, 24.9 − 25.5 = −0.6 % on CIFAR-100")
                .judge(
                    Criterion::AtMost(0.005),
                    &by_seed(results, |r| {
                        let clean = |set| r.get(set).map_or(f64::NAN, |m| m.clean.error);
                        clean(Set::AugSVF) - clean(Set::Base)
                    }),
                ),
        ]);
    }
    if has(Set::AugSVC) && has(Set::AugSV) && has(Set::AugSVF) {
        all.push(
            Claim::new(
                "not-any-primitive",
                "More primitives of another kind (C) do not help as plane waves do.",
                "Section 3.1, table 1",
            )
            .tested_by("Mean error under corruptions: AugSVF over AugSVC", "ratio")
            .paper_reports("9.9/10.9 = 0.91 on CIFAR-10-C, 34.8/35.5 = 0.98 on CIFAR-100-C")
            .judge(
                Criterion::Below(1.0),
                &by_seed(results, |r| over(r, &[Set::AugSVC], |m| m.mean_corrupted().error)),
            ),
        );
    }
    all
}
