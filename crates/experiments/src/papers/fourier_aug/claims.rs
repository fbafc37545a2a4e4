//! What the paper claims, and how each claim is tested. Of the paper's two numbers the first is that of CIFAR-10, the second that of CIFAR-100.

use variata_fourier_aug::AugmentationSet as Set;
use variata_report::{Claim, Criterion};

use super::measure::{Attack, ModelResult, SeedResult};
use crate::page::by_seed;
use crate::settings::lowest;

/// A quantity of AugSVF over the smallest among others.
fn over(r: &SeedResult, others: &[Set], f: impl Fn(&ModelResult) -> f64) -> f64 {
    let of = |set: Set| r.get(set).map_or(f64::NAN, &f);
    of(Set::AugSVF) / lowest(others.iter().map(|&set| of(set)))
}

/// The same of the strongest attack.
fn attacked(r: &SeedResult, f: impl Fn(&Attack) -> f64) -> f64 {
    over(r, &[Set::Base, Set::AugSV], |m| m.strongest().map_or(f64::NAN, &f))
}

pub(super) fn claims(results: &[SeedResult]) -> Vec<Claim> {
    let both = [Set::Base, Set::AugSV];
    let has = |set| results.iter().all(|r| r.get(set).is_some());
    let trained = |set: Set, claim: Claim| {
        if has(set) { claim } else { claim.not_tested(format!("{set} was not trained.")) }
    };
    let compared = [
            Claim::new("robust", "AugSVF has fewer errors under common corruptions than Base and AugSV.", "Table 1")
                .tested_by("Mean error over fifteen corruptions and five severities: AugSVF over the better of the two", "ratio")
                .paper_reports("0.91; 0.96")
                .judge(Criterion::Below(1.0), &by_seed(results, |r| over(r, &both, |m| m.mean_corrupted().error))),
            Claim::new("calibrated", "Its confidence is better calibrated there.", "Table 1")
                .tested_by("Mean RMS calibration error over corruptions and severities: AugSVF over the better of the two", "ratio")
                .paper_reports("0.88; 0.88")
                .judge(Criterion::Below(1.0), &by_seed(results, |r| over(r, &both, |m| m.mean_corrupted().rms))),
            Claim::new("calibrated-clean", "And on clean images.", "Table 1")
                .tested_by("RMS calibration error of clean test images: AugSVF over the better of the two", "ratio")
                .paper_reports("0.92; 0.95")
                .judge(Criterion::Below(1.0), &by_seed(results, |r| over(r, &both, |m| m.clean.rms))),
            Claim::new("flat", "Waves of a phase and a norm that it was not trained with do far less to it.", "Section 3.2, table 2, figure 1")
                .tested_by("Mean error over all waves of the largest norm: AugSVF over the better of the two", "ratio")
                .paper_reports("0.36; 0.55")
                .judge(Criterion::Below(0.75), &by_seed(results, |r| attacked(r, |a| a.error.0))),
            Claim::new("worst", "So does the worst of them.", "Table 2")
                .tested_by("Largest error among all waves of the largest norm: AugSVF over the better of the two", "ratio")
                .paper_reports("0.49; 0.70")
                .judge(Criterion::Below(0.75), &by_seed(results, |r| attacked(r, |a| a.error.1))),
            Claim::new("attack-calibration", "Under attack its confidence stays better calibrated.", "Table 2")
                .tested_by("Mean RMS calibration error over all waves of the largest norm: AugSVF over the better of the two", "ratio")
                .paper_reports("0.35; 0.33")
                .judge(Criterion::Below(0.75), &by_seed(results, |r| attacked(r, |a| a.rms.0))),
            Claim::new("no-cost", "On clean images this costs nothing.", "Section 4")
                .tested_by("Error of clean test images: AugSVF less Base", "difference")
                .paper_reports("−0.5 %; −0.6 %")
                .judge(
                    Criterion::AtMost(0.005),
                    &by_seed(results, |r| {
                        let clean = |set| r.get(set).map_or(f64::NAN, |m| m.clean.error);
                        clean(Set::AugSVF) - clean(Set::Base)
                    }),
                ),
    ];
    // Base is always among them.
    let mut all: Vec<Claim> = compared
        .into_iter()
        .map(|claim| if claim.id == "no-cost" { claim } else { trained(Set::AugSV, claim) })
        .map(|claim| trained(Set::AugSVF, claim))
        .collect();
    if has(Set::AugSVC) && has(Set::AugSV) && has(Set::AugSVF) {
        all.push(
            Claim::new(
                "not-any-primitive",
                "More primitives of another kind (C) do not help as plane waves do.",
                "Section 3.1, table 1",
            )
            .tested_by("Mean error under corruptions: AugSVF over AugSVC", "ratio")
            .paper_reports("0.91; 0.98")
            .judge(
                Criterion::Below(1.0),
                &by_seed(results, |r| over(r, &[Set::AugSVC], |m| m.mean_corrupted().error)),
            ),
        );
    }
    all
}
